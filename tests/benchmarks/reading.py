"""How fast event logs become tables: the kit and its peers, side by side.

    .venv/bin/python tests/benchmarks/reading.py [--keep DIR] [--rounds 5] [--quick] [--json FILE]

Builds its own workload from real logs (see `reading_workload`): one log of 100 MiB and 200 logs of
1 MiB. Then every way of reading runs in turn, round after round, in one process, so that a busy
moment of the machine hits all alike; the best CPU time of each counts. ``R`` is what the fastest
binding costs when it is only iterated::

    sum(1 for _ in PyEvtxParser(path).records_json())

All times are given as multiples of R over the same file. Slow peers read a small part of the log,
against R over the same part. Peak memory is that of a process that does nothing else. Two
processes are compared with one by wall time, which on a busy machine says little.
Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import orjson
import pandas as pd
from evtx import PyEvtxParser
from reading_workload import clean_chunks, write_log

from kitlib.classify import wanted
from kitlib.readers.evtx import read_evtx, read_evtx_many

BIG, PART, SMALL = 1600, 32, 16
"""Chunks of 64 KiB of the large log, of the part for slow peers, and of a small log."""
FILES = 200
FREQUENT = {7040, 44, 43, 1}
"""The ids that most events have of those that rules ask for."""
ABSENT = [("Application", "RasClient", None)]
TARGETS = {
    "kit: table with payload": (2.0, 1.3),
    "kit: System columns": (0.8, 0.5),
    "kit: the rules' rarer events, 2 %": (0.6, 0.4),
    "kit: provider not there": (0.25, 0.15),
    "kit: 200 small files": (1.5, 1.0),
}
"""Multiples of R: wanted, and hoped for."""


# --- ways of reading -------------------------------------------------------------------------


def iterate(path):
    return sum(1 for _ in PyEvtxParser(str(path)).records_json())


def iterate_many(folder):
    return sum(iterate(path) for path in sorted(folder.iterdir()))


def orjson_rows(path):
    rows = []
    for record in PyEvtxParser(str(path)).records_json():
        event = orjson.loads(record["data"])["Event"]
        system = event["System"]
        rows.append(
            (
                system.get("Computer"),
                record["timestamp"],
                system.get("Channel"),
                system["Provider"]["#attributes"].get("Name"),
                system.get("EventID"),
                record["event_record_id"],
                event.get("EventData"),
            )
        )
    names = ["host", "time", "channel", "provider", "event_id", "record_id", "data"]
    return len(pd.DataFrame(rows, columns=names))


def json_normalize(path):
    parsed = (orjson.loads(r["data"]) for r in PyEvtxParser(str(path)).records_json())
    return len(pd.json_normalize(list(parsed)))


def libevtx(path):
    import pyevtx  # noqa: PLC0415  # not everybody has it

    log, read = pyevtx.open(str(path)), 0
    for number in range(log.number_of_records):
        with suppress(OSError):  # of what it cannot render
            read += bool(log.get_record(number).xml_string)
    return read


def python_evtx(path):
    from Evtx.Evtx import Evtx  # noqa: PLC0415  # slow to import

    read = 0
    with Evtx(str(path)) as log:
        for record in log.records():
            with suppress(Exception):  # it has many ways to say that it cannot render a record
                read += bool(record.xml())
    return read


def rare():
    return [triple for triple in wanted() if triple[2] not in FREQUENT]


def small_files(folder, **options):
    return sum(len(table) for table in read_evtx_many(sorted(folder.iterdir()), **options))


def one_by_one(folder):
    return sum(len(read_evtx(path)) for path in sorted(folder.iterdir()))


WAYS = {
    "R": (iterate, "big"),
    "kit: table with payload": (lambda path: len(read_evtx(path)), "big"),
    "kit: System columns": (lambda path: len(read_evtx(path, payload=False)), "big"),
    "kit: all the rules' events, 9 %": (lambda path: len(read_evtx(path, events=wanted())), "big"),
    "kit: the rules' rarer events, 2 %": (lambda path: len(read_evtx(path, events=rare())), "big"),
    "kit: provider not there": (lambda path: len(read_evtx(path, events=ABSENT)), "big"),
    "evtx + orjson rows": (orjson_rows, "big"),
    "R, 200 files": (iterate_many, "small"),
    "kit: 200 small files": (small_files, "small"),
    "kit: 200 small files, one by one": (one_by_one, "small"),
    "evtx + json_normalize": (json_normalize, "big"),
    "R, part": (iterate, "part"),
    "kit: part": (lambda path: len(read_evtx(path)), "part"),
    "libevtx, XML": (libevtx, "part"),
    "python-evtx, XML": (python_evtx, "part"),
}
BASES = {"big": "R", "small": "R, 200 files", "part": "R, part"}
ONCE = {"evtx + json_normalize", "python-evtx, XML", "libevtx, XML"}
"""Ways so slow that one round says enough."""


# --- measuring -------------------------------------------------------------------------------


def workload(folder, logs):
    """Write the logs that are not there yet; return their paths by name."""
    paths = {"big": folder / "big.evtx", "part": folder / "part.evtx", "small": folder / "small"}
    if not paths["small"].exists():
        folder.mkdir(parents=True, exist_ok=True)
        chunks = clean_chunks(logs)
        print("records:", write_log(paths["big"], chunks, BIG), file=sys.stderr)
        write_log(paths["part"], chunks, PART)
        paths["small"].mkdir()
        for number in range(FILES):
            write_log(paths["small"] / f"{number:03}.evtx", chunks, SMALL, skip=13 * number)
    return paths


def size_of(path):
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def timed(paths, rounds, *, names):
    """Return the best CPU seconds of each way, and what it counted."""
    best, counts = {}, {}
    for turn in range(rounds):
        for name in names:
            way, where = WAYS[name]
            if turn and name in ONCE:
                continue
            began = time.process_time()
            counts[name] = way(paths[where])
            best[name] = min(best.get(name, 1e9), time.process_time() - began)
        print(f"round {turn + 1} of {rounds} done", file=sys.stderr)
    return best, counts


def peak(name, folder):
    """Return the peak memory, in MB, of a process that reads one way once."""
    command = [sys.executable, __file__, "--alone", name, "--keep", str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def high_water():
    """Return the peak memory of this process in MB, without what its parent had before it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1e3
    raise OSError("this system does not tell a process's peak memory")


def spread(paths):
    """Return the wall seconds of reading all small files in one process, and in two."""
    files = sorted(paths["small"].iterdir())
    parts = [files[start::4] for start in range(4)]
    out = []
    for workers in (1, 2):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(_count, [files[:2]] * workers * 2))  # started, imported, warm
            began = time.perf_counter()
            list(pool.map(_count, parts))
            out.append(time.perf_counter() - began)
    return out


def _count(files):
    return sum(len(table) for table in read_evtx_many(files))


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(__file__).resolve().parents[3] / "shared"
    parser.add_argument(
        "--logs", type=Path, default=Path(os.environ.get("KITLIB_SHARED", shared)) / "evtx"
    )
    parser.add_argument("--keep", type=Path, help="folder that keeps, or has, the workload")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="leave out the slowest peers")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # peers warn of records that they cannot read
    with tempfile.TemporaryDirectory(prefix="reading-") as folder:
        paths = workload(given.keep or Path(folder), given.logs)
        if given.alone:
            way, where = WAYS[given.alone]
            way(paths[where])
            print(high_water())
            return
        names = [n for n in WAYS if not (given.quick and n in ONCE)]
        if find_spec("pyevtx") is None:
            names = [name for name in names if name != "libevtx, XML"]
        best, counts = timed(paths, given.rounds, names=names)
        rows = [figures(n, best, counts, paths, peak(n, given.keep or Path(folder))) for n in names]
        one, two = spread(paths)
    show(rows)
    print(f"\ntwo processes against one, 200 small files, wall time: {one / two:.2f} x")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


def figures(name, best, counts, paths, memory):
    where = WAYS[name][1]
    return {
        "way": name,
        "ratio": round(best[name] / best[BASES[where]], 2),
        "seconds": round(best[name], 3),
        "MB_per_s": round(size_of(paths[where]) / 1e6 / best[name], 1),
        "records_per_s": round(counts[name] / best[name]) if counts[name] else None,
        "peak_MB": round(memory),
    }


def show(rows):
    """Print the table."""
    print(f"{'way':34} {'x R':>8} {'CPU s':>8} {'MB/s':>7} {'peak MB':>8}  target")
    for row in rows:
        target = TARGETS.get(row["way"])
        told = f"{target[0]} ({target[1]})" if target else ""
        if target:
            told += " met" if row["ratio"] <= target[0] else " MISSED"
        print(
            f"{row['way']:34} {row['ratio']:8.2f} {row['seconds']:8.3f} {row['MB_per_s']:7.1f} "
            f"{row['peak_MB']:8}  {told}"
        )


if __name__ == "__main__":
    main()
