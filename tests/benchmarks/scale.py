"""How long a large fleet takes, from parsed evidence to the verdict, and how much memory.

    .venv/bin/python tests/benchmarks/scale.py --hosts 1000 --family rings --seed 0 --keep DIR

Writes the fleet as real files, parses it once into a case store (neither is timed here), then
analyses the store in a process of its own, `--runs` times, and prints every run: a target is met
where the worst one meets it. Starting Python is not timed. Times of one machine say nothing about
another; compare versions on one.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import kitlib as kit
from kitlib.simulate.fleet import simulate
from kitlib.store import ingest


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--family", default="rings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder that keeps, or has, the parsed fleet")
    parser.add_argument("--analyse", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.analyse:
        analyse(given.analyse, given.family)
        return
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        case = given.keep or Path(folder) / "case"
        if not case.exists():
            world = Path(folder) / "world"
            simulate(given.family, seed=given.seed, out=world, hosts=given.hosts)
            (world / "truth.json").unlink()
            ingest(world, case)
        command = [sys.executable, __file__, "--analyse", str(case), "--family", given.family]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(given.runs)
        ]
    for run in runs:
        print(json.dumps(run))


def analyse(case, family):
    """Analyse a store and print what it took."""
    incident = "kb5009543" if family.startswith("named") else "vpn-outage"
    began, cpu = time.perf_counter(), time.process_time()
    evidence = kit.read_evidence(case)
    read = time.perf_counter() - began
    result = kit.analyze(evidence, incident)
    document = kit.findings_document(result)
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "hosts": len(document["hosts"]),
                "records": document["evidence"]["records"],
                "facts": len(result.timeline),
                "attempts": len(result.attempts),
                "suspects": len(document["suspects"]),
                "verdict": document["verdict"]["status"],
                "changes": document["verdict"]["changes"],
                "read_s": round(read, 1),
                "wall_s": round(time.perf_counter() - began, 1),
                "cpu_s": round(time.process_time() - cpu, 1),
                "peak_GB": round(kibibytes * 1024 / 1e9, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
