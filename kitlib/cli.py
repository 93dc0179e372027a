"""The ``kitlib`` command: reads the call, calls the library, says what came out.

Progress goes to standard error, results to standard output. Exit codes: 0 done (whatever the
verdict), 2 wrong call, 3 nothing usable in the evidence, 4 done, but some evidence could not be
read. 1 is left for defects of the kit itself, such as a notebook that fails.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kitlib import __version__
from kitlib.errors import KitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitlib.findings import Case

DONE: Final = 0
DEFECT: Final = 1
PARTLY_READ: Final = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        Words after ``kitlib``; those of the process if omitted.

    Returns
    -------
    int
        The exit code (module docstring). A wrong call ends in ``SystemExit(2)``, as argparse does.
    """
    _speak_utf8()
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.call(arguments)
    except KitError as error:
        print(f"kitlib: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        # What cannot be opened or written is a matter of the call; evidence files are not meant:
        # ingest turns those into problems.
        where = f": {error.filename}" if error.filename else ""
        print(f"kitlib: {error.strerror or error}{where}", file=sys.stderr)
        return UsageError.exit_code
    except KeyboardInterrupt:
        print("kitlib: stopped; what is already in the case is kept", file=sys.stderr)
        return 130
    return code


def _speak_utf8() -> None:
    """Print any host name on any console: what a code page cannot show is escaped, not fatal."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kitlib",
        description="From exported Windows logs to a verdict on a bad update and a post-mortem.",
        epilog="exit codes: 0 done, 2 wrong call, 3 nothing usable in the evidence, "
        "4 done, but some evidence could not be read",
    )
    parser.add_argument("--version", action="version", version=f"kitlib {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, call: Any, text: str) -> argparse.ArgumentParser:  # noqa: ANN401
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(call=call)
        return added

    run = command("run", _run, "analyse, execute the notebooks and write the report")
    analyze = command("analyze", _analyze, "analyse only: findings.json and the tables")
    for added in (run, analyze):
        added.add_argument("evidence", type=Path, help="folder or archive; a case made before")
        added.add_argument("--incident", help="profile name or .toml file")
        added.add_argument("--out", type=Path, help="case folder to write (default: ./case)")
        _add_columns(added)
        added.add_argument("--json", action="store_true", help="print findings.json")
        added.add_argument("--quiet", action="store_true", help="no progress")
    lab = command("lab", _lab, "open JupyterLab on the notebooks with these parameters set")
    lab.add_argument("evidence", type=Path, nargs="?", help="case or evidence")
    lab.add_argument("--incident", help="profile name or .toml file")
    lab.add_argument("--out", type=Path, help="case folder (default: ./case)")
    _add_columns(lab)
    lab.add_argument("--quiet", action="store_true", help="no progress")
    lab.add_argument("--no-browser", action="store_true", help="only start the server")
    ingest = command("ingest", _ingest, "parse evidence once into a case; again adds what is new")
    ingest.add_argument("evidence", type=Path)
    ingest.add_argument("--out", type=Path, required=True)
    _add_columns(ingest)
    ingest.add_argument("--quiet", action="store_true", help="no progress")
    verify = command("verify", _verify, "hash the evidence again and compare with the case")
    verify.add_argument("case", type=Path)
    incidents = command("incidents", _list_incidents, "the declarative incident profiles")
    verbs = incidents.add_subparsers(title="verbs", metavar="VERB")
    verbs.add_parser("list", help="name them").set_defaults(call=_list_incidents)
    for verb, call, text in (
        ("show", _show_incident, "explain one"),
        ("check", _check_incident, "check a file and name what is wrong"),
    ):
        added = verbs.add_parser(verb, help=text)
        added.add_argument("incident", help="profile name or .toml file")
        added.set_defaults(call=call)
    simulate = command("simulate", _simulate, "write a fleet with known truth as real files")
    simulate.add_argument("scenario", help="name of a built-in scenario or a .toml file")
    simulate.add_argument("--seed", type=int, required=True)
    simulate.add_argument("--hosts", type=int, help="number of hosts, where the scenario has parts")
    simulate.add_argument("--out", type=Path, required=True)
    return parser


def _add_columns(command: argparse.ArgumentParser) -> None:
    maps = str(Path(__file__).parent / "readers" / "updates" / "columns.toml").replace("%", "%%")
    command.add_argument(
        "--columns",
        type=Path,
        metavar="FILE",
        help="your own column maps for exports of management tools (default: columns.toml in the "
        f"evidence folder, if it is there); their form and the kit's own maps are in {maps}",
    )


# ------------------------------------------------------------------ analyse and run


def _analyze(arguments: argparse.Namespace) -> int:
    case, out, document = _analysed(arguments)
    return _tell(case, out, document, arguments)


def _run(arguments: argparse.Namespace) -> int:
    # Slow to import, and needed by this command only.
    from kitlib.notebooks import run_all  # noqa: PLC0415
    from kitlib.report import write_report  # noqa: PLC0415

    case, out, document = _analysed(arguments)
    say = _sayer(quiet=arguments.quiet)

    def progress(name: str, done: int, cells: int) -> None:
        if done in (0, cells):
            say(f"{'finished' if done else 'running'} {name} ({cells} cells)")

    executed = run_all(
        notebooks_folder(),
        parameters={"EVIDENCE": str(out.resolve()), "INCIDENT": _profile(arguments)},
        out=out / "notebooks",
        progress=progress,
    )
    report = write_report(case, document, out / "report.html")
    failed = [notebook for notebook in executed if notebook.failure]
    for notebook in failed:
        print(f"kitlib: {notebook.name} failed at {notebook.failure}", file=sys.stderr)
    say(f"report: {report}")
    code = _tell(case, out, document, arguments)
    return DEFECT if failed else code


def _analysed(arguments: argparse.Namespace) -> tuple[Case, Path, dict[str, Any]]:
    """Ingest, analyse and save; the common part of `run` and `analyze`."""
    from kitlib.findings import analyze, save  # noqa: PLC0415  # slow to import
    from kitlib.incident import load_incident  # noqa: PLC0415  # as above
    from kitlib.store import ingest, is_case, load, refuse_columns  # noqa: PLC0415  # as above

    say = _sayer(quiet=arguments.quiet)
    incident = load_incident(_profile(arguments))  # a wrong name must fail before hours of reading
    out = _case_folder(arguments)
    if is_case(arguments.evidence):
        refuse_columns(arguments.evidence, arguments.columns)
        evidence = load(arguments.evidence)
    else:
        evidence = ingest(
            arguments.evidence,
            out,
            columns=arguments.columns,
            progress=_file_progress(quiet=arguments.quiet),
        )
    say(
        f"read {len(evidence.files)} files, {len(evidence.events)} events; analysing for "
        f"{incident.name}"
    )
    before = _findings(out)
    case = analyze(evidence, incident)
    document = save(case, out)
    if before is not None and {**before, "generated": ""} != {**document, "generated": ""}:
        _drop_pages(out)
    return case, out, document


def _findings(case: Path) -> dict[str, Any] | None:
    """Return what an earlier analysis of the case found, if it can be read."""
    from kitlib.findings import FILE  # noqa: PLC0415  # slow to import

    try:
        before = json.loads((case / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return before if isinstance(before, dict) else {}


def _drop_pages(case: Path) -> None:
    """Remove the kit's own pages of an earlier analysis: the new numbers contradict them."""
    (case / "report.html").unlink(missing_ok=True)
    for notebook in notebooks_folder().glob("*.ipynb"):
        (case / "notebooks" / notebook.name).unlink(missing_ok=True)


def _profile(arguments: argparse.Namespace) -> str:
    """Incident named by the call, by the case or by the evidence folder, else the default."""
    from kitlib.findings import FILE  # noqa: PLC0415  # slow to import
    from kitlib.incident import incident_of  # noqa: PLC0415  # as above

    if arguments.incident:
        path = Path(arguments.incident)
        return str(path.resolve()) if path.suffix == ".toml" else str(arguments.incident)
    before = arguments.evidence / FILE
    if before.is_file():
        return str(json.loads(before.read_text("utf-8"))["incident"])
    named = incident_of(arguments.evidence)
    return str(named.resolve()) if isinstance(named, Path) else named


def _case_folder(arguments: argparse.Namespace) -> Path:
    from kitlib.store import is_case  # noqa: PLC0415  # slow to import

    if arguments.out is not None:
        return Path(arguments.out)
    return Path(arguments.evidence) if is_case(arguments.evidence) else Path("case")


def _tell(case: Case, out: Path, document: dict[str, Any], arguments: argparse.Namespace) -> int:
    """Print the result and choose the exit code."""
    if arguments.json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        verdict = document["verdict"]
        print(f"{verdict['status']}: {verdict['text']}")
        counts = case.recovery["status"].value_counts().sort_index()
        print("hosts: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
        risky = case.recovery.loc[case.recovery["at_risk"], "host"]
        if len(risky):
            print(f"still at risk: {', '.join(risky)}")
        print(f"written to {out}")
    lost = case.evidence.problems["records_lost"]
    unread = int((lost.isna() | (lost > 0)).sum())
    if unread:
        print(
            f"kitlib: what could not be read whole is listed in "
            f"{out / 'tables' / 'problems.parquet'}: {unread} of {len(lost)} rows are losses",
            file=sys.stderr,
        )
    return PARTLY_READ if unread else DONE


def notebooks_folder() -> Path:
    """Find the kit's notebooks: beside the package in a clone, inside it when installed."""
    package = Path(__file__).resolve().parent
    for folder in (package.parent / "notebooks", package / "_notebooks"):
        if any(folder.glob("*.ipynb")):
            return folder
    raise UsageError("the kit's notebooks are missing: install it again")


# ------------------------------------------------------------------ the other commands


def _lab(arguments: argparse.Namespace) -> int:
    from kitlib.lab import prepare  # noqa: PLC0415  # slow to import
    from kitlib.store import is_case, refuse_columns  # noqa: PLC0415  # as above

    if arguments.evidence is None:
        arguments.evidence = arguments.out or Path("case")
        if not is_case(arguments.evidence):
            raise UsageError(
                f"there is no case in {arguments.evidence}: name a case or the evidence"
            )
    if is_case(arguments.evidence):
        refuse_columns(arguments.evidence, arguments.columns)
    else:
        arguments.json = False
        _analysed(arguments)
    case = _case_folder(arguments)
    session = prepare(
        notebooks_folder(),
        case,
        parameters={"EVIDENCE": str(case.resolve()), "INCIDENT": _profile(arguments)},
        browser=not arguments.no_browser,
    )
    environment = {**os.environ, **session.environment}
    return subprocess.run(session.command, env=environment, check=False).returncode  # noqa: S603  # our own command line


def _ingest(arguments: argparse.Namespace) -> int:
    from kitlib.store import ingest  # noqa: PLC0415  # slow to import

    evidence = ingest(
        arguments.evidence,
        arguments.out,
        columns=arguments.columns,
        progress=_file_progress(quiet=arguments.quiet),
    )
    print(
        f"{len(evidence.files)} files, {len(evidence.events)} events, {len(evidence.updates)} "
        f"update entries, {len(evidence.problems)} problems in {arguments.out}"
    )
    lost = evidence.problems["records_lost"]
    return PARTLY_READ if (lost.isna() | (lost > 0)).any() else DONE


def _verify(arguments: argparse.Namespace) -> int:
    from kitlib.store import verify  # noqa: PLC0415  # slow to import

    differences = verify(arguments.case)
    if differences.empty:
        print("the evidence is as it was when the case was made")
        return DONE
    print(differences.to_string(index=False))
    return PARTLY_READ


def _list_incidents(_: argparse.Namespace) -> int:
    from kitlib.incident import list_incidents, load_incident  # noqa: PLC0415  # slow to import

    for name in list_incidents():
        print(f"{name:16}{load_incident(name).title}")
    return DONE


def _show_incident(arguments: argparse.Namespace) -> int:
    from kitlib.incident import load_incident  # noqa: PLC0415  # slow to import

    incident = load_incident(arguments.incident)
    print(f"{incident.name}: {incident.title}\n")
    print(textwrap.fill(" ".join(incident.summary.split()), 88))
    codes = ", ".join(sorted(incident.codes)) or "any"
    print(f"\nSymptom: a failed attempt of '{incident.activity}' with code {codes}")
    for branch in incident.branches:
        builds = ", ".join(map(str, sorted(branch.builds)))
        end = f"until {branch.fixed.revision} ({branch.fixed.kb})" if branch.fixed else "no fix"
        print(f"  {branch.name}: build {builds}, from revision {branch.bad.revision} "
              f"({branch.bad.kb}) {end}")  # fmt: skip
    for source in incident.sources:
        print(f"Source: {source['title']}")
    return DONE


def _check_incident(arguments: argparse.Namespace) -> int:
    from kitlib.incident import load_incident  # noqa: PLC0415  # slow to import

    incident = load_incident(arguments.incident)
    print(f"{incident.name}: valid, {len(incident.branches)} branches")
    return DONE


def _simulate(arguments: argparse.Namespace) -> int:
    from kitlib.simulate.fleet import simulate  # noqa: PLC0415  # slow to import

    out = simulate(
        arguments.scenario, seed=arguments.seed, out=arguments.out, hosts=arguments.hosts
    )
    print(out)
    return DONE


# ------------------------------------------------------------------ progress


def _sayer(*, quiet: bool) -> Any:  # noqa: ANN401  # a function of one text
    def say(text: str) -> None:
        if not quiet:
            print(f"kitlib: {text}", file=sys.stderr, flush=True)

    return say


def _file_progress(*, quiet: bool) -> Any:  # noqa: ANN401  # what ingest calls, or None
    """Show a bar on a terminal, a line now and then elsewhere."""
    if quiet:
        return None
    from tqdm import tqdm  # noqa: PLC0415  # only where it is shown

    bars: list[tqdm[Any]] = []  # made with the first file: a missing folder shows no bar

    def show(done: int, known: int, path: str) -> None:
        if not bars:
            bars.append(tqdm(unit=" files", desc="kitlib: reading", file=sys.stderr, mininterval=1))
        bars[0].total = known
        bars[0].set_postfix_str(path[-40:], refresh=False)
        bars[0].update(done - bars[0].n)
        if done == known:
            bars[0].close()

    return show
