"""Coverage-guided fuzzing of every reader, with `atheris` (libFuzzer for Python).

    python -m pip install atheris            # Linux, CPython; not part of the test tools
    python tests/fuzz/fuzz.py --minutes 60   # all readers, an equal share of the time each
    python tests/fuzz/fuzz.py --only cbs_log --minutes 5
    python tests/fuzz/fuzz.py --replay FILE  # runs one input again, with its traceback

Each reader runs in its own process on its own seeds: what the kit's simulator writes in that
format, the examples of the sniffing table, and the samples of others where they are at hand
(`KITLIB_SHARED`, read and never copied). An input is a finding if the reader raises anything but
`FormatError`, gives rows that are no table of `kitlib.schema`, a time outside of its own interval
or an unbounded list of problems, if the rows break the tables made of all files, or if it takes
longer than `--slow` seconds. Findings are kept in `--out` and become tests; the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve()
SHARED = Path(os.environ.get("KITLIB_SHARED", HERE.parents[3] / "shared"))
LONGEST = 1 << 17
MOST_PROBLEMS = 2000
THROUGH = "through"
"""The target that recognises its input and takes it on to the tables of all files."""


# ---------------------------------------------------------------------------- seeds


def seeds():
    """Kind → inputs to begin with."""
    from kitlib.readers import HEAD_BYTES, sniff  # noqa: PLC0415  # after instrumentation

    found = {}
    for data in (*_own(), *_examples(), *_databases(), *_shared()):
        kind = sniff(data[:HEAD_BYTES])
        if kind:
            found.setdefault(kind, []).append(data[: 4 * LONGEST])
    return found


def _examples():
    table = HERE.parents[2] / "kitlib" / "readers" / "sniffing.toml"
    for row in tomllib.loads(table.read_text("utf-8"))["format"]:
        example = row.get("example")
        if isinstance(example, str):
            yield example.encode()
            yield example.encode("utf-16")


def _own():
    """What the sample holds: written by the simulator."""
    for file in sorted((HERE.parents[2] / "sample_data").rglob("*")):
        if file.is_file() and file.stat().st_size <= 2 * LONGEST:
            yield file.read_bytes()
    yield from _small_logs()


def _small_logs():
    from kitlib.simulate.evtx import Event, encode_log, ticks  # noqa: PLC0415  # as above

    for number in (1, 3):
        events = [
            Event(
                provider="RasClient",
                event_id=20227,
                time=ticks(f"2022-01-12T08:0{n}:00.1234567Z"),
                data=["{B4000371-A67F-452F-AA4C-3125AA9CFC78}", "CORP\\anna", "Office", "789"],
            )
            for n in range(number)
        ]
        yield encode_log(events, channel="Application", computer="WS0001.corp.example")


def _databases():
    """A hive and an ESE database, by the writers of the tests."""
    sys.path.insert(0, str(HERE.parents[1]))
    import make_ese  # noqa: PLC0415  # beside this folder, not above it
    import make_hive  # noqa: PLC0415  # as above
    import test_readers_datastore as history  # noqa: PLC0415  # as above

    name = "Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.1466.1.7"
    branch = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\Packages"
    values = {"CurrentState": 0x70, "InstallTimeHigh": 0x01D807A5, "InstallTimeLow": 1}
    version = {"CurrentBuildNumber": "19044", "UBR": 1466}
    paths = {f"{branch}\\{name}": values, "Microsoft\\Windows NT\\CurrentVersion": version}
    yield make_hive.write(make_hive.tree(paths))
    table = make_ese.Table("tbHistory", history.COLUMNS, [history.entry(1), history.entry(2)])
    yield make_ese.write([table])


def _shared():
    for folder in ("formats", "evtx"):
        for file in sorted((SHARED / folder).rglob("*")):
            if file.is_file() and file.stat().st_size <= 2 * LONGEST:
                yield file.read_bytes()


# ---------------------------------------------------------------------------- one input


def target(kind):
    """Return the function that is run on each input of a kind."""
    from kitlib import readers  # noqa: PLC0415  # after instrumentation

    if kind == THROUGH:
        return _through
    (reader,) = [reader for reader in readers.READERS if reader.kind == kind]

    def run(data):
        _checked(reader, data)

    return run


def _checked(reader, data):
    from kitlib import schema  # noqa: PLC0415  # after instrumentation
    from kitlib.errors import FormatError  # noqa: PLC0415  # as above

    try:
        parsed = reader.read(data)
    except FormatError as error:
        if not str(error):
            raise AssertionError("an error without words") from error
        return None
    for table in ("events", "updates", "sessions", "problems", "clocks"):
        schema.check(table, getattr(parsed, table))
    _in_order(parsed.updates, "date", "date_low", "date_high")
    _in_order(parsed.sessions, "time", "time_low", "time_high")
    assert len(parsed.problems) <= MOST_PROBLEMS, "problems without bound"
    assert (parsed.problems["reason"] != "").all(), "a problem without words"
    return parsed


def _in_order(rows, stated, low, high):
    assert not (rows[low] > rows[high]).any(), "an interval that ends before it begins"
    outside = (rows[stated] < rows[low]) | (rows[stated] > rows[high])
    assert not outside.any(), "a time outside of its own interval"


def _through(data):
    """Recognise, read, and put the rows through the tables that are made of all files."""
    from kitlib import evidence, readers, timeline  # noqa: PLC0415  # after instrumentation
    from kitlib.errors import EvidenceError  # noqa: PLC0415  # as above
    from kitlib.exposure import find_exposure  # noqa: PLC0415  # as above
    from kitlib.ingest import Unit  # noqa: PLC0415  # as above
    from kitlib.reconcile import reconcile_updates  # noqa: PLC0415  # as above

    reader = readers.reader_for(data[: readers.HEAD_BYTES])
    parsed = _checked(reader, data) if reader else None
    if parsed is None:
        return
    unit = Unit(
        path="PC1/x", host="PC1", kind=reader.kind, sha256="0", size_bytes=len(data), parsed=parsed
    )
    try:
        held = evidence.assemble([unit], name="x")
    except EvidenceError:
        return
    _in_order(held.updates, "date", "date_low", "date_high")
    _in_order(held.sessions, "time", "time_low", "time_high")
    facts = timeline.build_timeline(held)
    _in_order(facts, "time", "time_low", "time_high")
    find_exposure(facts)
    reconcile_updates(facts)


# ---------------------------------------------------------------------------- processes


def child(kind, *, seconds, slow, out):
    """Fuzz one kind in this process; libFuzzer ends it."""
    import atheris  # noqa: PLC0415  # only here: it is not part of the test tools

    with atheris.instrument_imports(include=["kitlib"]):
        import kitlib.evidence  # noqa: PLC0415  # instrumented by being imported here
        import kitlib.exposure  # noqa: PLC0415  # as above
        import kitlib.readers  # noqa: PLC0415  # as above
        import kitlib.reconcile  # noqa: PLC0415  # as above
        import kitlib.timeline  # noqa: F401, PLC0415  # as above
    corpus = Path(tempfile.mkdtemp(prefix="kitlib-fuzz-"))
    every = seeds()
    mine = (
        [data for own in every.values() for data in own] if kind == THROUGH else every.get(kind, [])
    )
    if not mine:
        raise SystemExit(f"there is no seed for {kind}: the run would not reach it")
    for number, data in enumerate(mine):
        (corpus / f"seed{number:05}").write_bytes(data[:LONGEST])
    atheris.Setup(
        [
            "fuzz",
            str(corpus),
            f"-max_total_time={seconds:.0f}",
            f"-timeout={slow:.0f}",
            f"-max_len={LONGEST}",
            "-rss_limit_mb=4096",
            f"-artifact_prefix={out}/{kind}-",
            "-print_final_stats=1",
        ],
        target(kind),
    )
    atheris.Fuzz()


def parent(kinds, *, minutes, slow, out, processes):
    """Run a child for each kind; return how many made a finding."""
    seconds = minutes * 60 / len(kinds)
    began, found, waiting, running = time.monotonic(), [], list(kinds), {}
    while waiting or running:
        while waiting and len(running) < processes:
            kind = waiting.pop(0)
            log = (out / f"{kind}.log").open("w+b")
            command = [sys.executable, str(HERE), "--child", kind, "--seconds", str(seconds)]
            command += ["--slow", str(slow), "--out", str(out)]
            running[subprocess.Popen(command, stdout=log, stderr=log)] = (kind, log)
        time.sleep(0.2)
        for process in [process for process in running if process.poll() is not None]:
            kind, log = running.pop(process)
            print(_line(kind, process.returncode, log), flush=True)
            if process.returncode:
                found.append(kind)
    spent = (time.monotonic() - began) / 60
    print(
        f"{len(kinds)} targets, {seconds * len(kinds) / 60:.0f} minutes of fuzzing in {spent:.0f}"
    )
    print(f"findings: {', '.join(found) or 'none'}")
    return len(found)


def _line(kind, code, log):
    log.seek(0)
    text = log.read().decode("utf-8", "replace")
    runs = re.search(r"number_of_executed_units: (\d+)", text)
    covered = re.findall(r"cov: (\d+)", text)
    state = "clean" if not code else f"FINDING (exit {code}), see {kind}.log"
    return f"{kind:30} {runs[1] if runs else '?':>9} runs  {covered[-1] if covered else '?':>6} edges  {state}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=60, help="for all targets together")
    parser.add_argument("--only", nargs="*", help="kinds of files; default: all, and 'through'")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--slow", type=float, default=20, help="seconds that one input may take")
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--replay", type=Path, help="an input to run again")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path.insert(0, str(HERE.parents[2]))
    if given.replay:
        _through(given.replay.read_bytes())
        return 0
    given.out.mkdir(parents=True, exist_ok=True)
    if given.child:
        child(given.child, seconds=given.seconds, slow=given.slow, out=given.out)
        return 0
    from kitlib.readers import READERS  # noqa: PLC0415  # the child imports it instrumented

    kinds = given.only or [*(reader.kind for reader in READERS), THROUGH]
    options = {"slow": given.slow, "out": given.out, "processes": given.processes}
    return 1 if parent(kinds, minutes=given.minutes, **options) else 0


if __name__ == "__main__":
    sys.exit(main())
