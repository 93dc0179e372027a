"""The benchmark of being right: worlds with known truth, as real files, through the whole kit.

    .venv/bin/python tests/benchmarks/verdicts.py --families all --hosts 12,60 --seeds 0-4 \
        --jobs 2 --out results.jsonl
    … --families driver-guilty --seeds 0 --out dev.jsonl --keep kept     # keep what was read
    … --families all --hosts 12 --seeds 0-4 --out dev.jsonl --from-store kept  # analyse only
    … --table results.jsonl     # the tables
    … --wrong results.jsonl     # the wrong cases, each with its reason
    … --record results.jsonl    # write verdicts.json beside this file and the README's block

One line a case; what stands in `--out` already is not run again, so that a run can be broken off.
Seeds 0 to 99 are for work on the kit. Seeds from 7000 on are run once, for the record.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import cases
import table
import tallies

HERE = Path(__file__).resolve().parent
RECORD = HERE / "verdicts.json"
README = HERE.parents[1] / "README.md"


def main(arguments=None):
    """Run what the command line says; 0, or 1 if a case failed."""
    told = _parser().parse_args(arguments)
    if told.table:
        print(table.render(tallies.record_of(read_results(told.table))))
        return 0
    if told.wrong:
        print("\n".join(table.wrong_cases(read_results(told.wrong))))
        return 0
    if told.record:
        write_record(tallies.record_of(read_results(told.record)))
        return 0
    return run(plans(told), told.out, jobs=told.jobs)


def _parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", default="all", help="names, with commas between, or 'all'")
    parser.add_argument("--hosts", default="0", help="sizes of fleet, e.g. 12,60; 0: as declared")
    parser.add_argument("--seeds", default="0", help="e.g. 0-4 or 3,7")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("results.jsonl"), help="file of results")
    parser.add_argument("--keep", default="", help="folder that keeps what was read, and the truth")
    parser.add_argument("--from-store", default="", help="folder of --keep: analyse that again")
    for name, what in (("table", "show"), ("wrong", "list what is wrong in"), ("record", "commit")):
        parser.add_argument(
            f"--{name}", type=Path, metavar="FILE", help=f"{what} a file of results"
        )
    return parser


def plans(told):
    """Every case that the command line asks for, seed by seed, small fleets first."""
    names = cases.families() if told.families == "all" else told.families.split(",")
    sizes = sorted(numbers(told.hosts))
    return [
        cases.Plan(family=family, hosts=size, seed=seed, keep=told.keep, store=told.from_store)
        for seed, size, family in product(numbers(told.seeds), sizes, names)
    ]


def numbers(text):
    """Whole numbers of a text such as ``3,7-9``."""
    out = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out


def run(planned, out, *, jobs=1):
    """Run the cases that `out` does not hold yet; append one line as each is done."""
    held = {(row["family"], row["hosts"], row["seed"]) for row in read_results(out)}
    left = [plan for plan in planned if plan.key not in held]
    _end_line(out)
    failed = 0
    with (
        out.open("a", encoding="utf-8", newline="\n") as file,
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
    ):
        running = [pool.submit(cases.run_case, plan) for plan in left]
        for done, future in enumerate(as_completed(running), 1):
            row = future.result()
            failed += row["error"] is not None
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            print(f"{done}/{len(left)} {_said(row)}", file=sys.stderr, flush=True)
    return 1 if failed else 0


def _said(row):
    took = " ".join(f"{step} {seconds:.0f} s" for step, seconds in row["seconds"].items())
    case = f"{row['family']} hosts={row['fleet']} seed={row['seed']}"
    return f"{case}: true {row['truth']['status']}, said {row['kit']['status']} ({took})"


def _end_line(out):
    """Cut off a last line that a broken run has not finished."""
    if out.exists():
        content = out.read_bytes()
        out.write_bytes(content[: content.rfind(b"\n") + 1])


def read_results(path):
    """Rows of a file of results; none if there is no such file. An unfinished last line is left."""
    if not path.exists():
        return []
    whole = path.read_text("utf-8").split("\n")[:-1]
    return [json.loads(line) for line in whole]


def write_record(record, *, path=RECORD, readme=README):
    """Write the record beside this file, and what it says into the README."""
    path.write_text(record_text(record), encoding="utf-8", newline="\n")
    text = table.insert(readme.read_text("utf-8"), record)
    readme.write_text(text, encoding="utf-8", newline="\n")


def record_text(record):
    """The record as JSON, one group a line, so that a change of it can be read."""
    head = {name: value for name, value in record.items() if name != "groups"}
    groups = ",\n".join(json.dumps(group, ensure_ascii=False) for group in record["groups"])
    return json.dumps(head, ensure_ascii=False)[:-1] + f', "groups": [\n{groups}\n]}}\n'


if __name__ == "__main__":
    raise SystemExit(main())
