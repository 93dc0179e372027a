"""One case of the benchmark: a world written as real files, the whole kit over it, and its record.

The truth is taken out of the folder before the kit reads it. A case that fails at any step is a
record with its traceback, and counts as wrong. Nothing here judges or draws.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
import traceback
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import scoring
from baselines import BASELINES

import kitlib as kit
from kitlib.simulate.fleet import list_scenarios, load_scenario, simulate
from kitlib.store import ingest


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `hosts` is 0 for the fleet that the scenario itself asks for.

    `keep` is a folder that keeps the parsed evidence and the truth; `store` one that has them, so
    that nothing is simulated.
    """

    family: str
    hosts: int
    seed: int
    keep: str = ""
    store: str = ""

    @property
    def key(self):
        """What tells one case from another in a file of results."""
        return self.family, self.hosts, self.seed

    @property
    def world_seed(self):
        """Seed of the world: two families, or sizes, with one seed would roll the same dice."""
        return self.seed * 1000 + zlib.crc32(f"{self.family}/{self.hosts}".encode()) % 1000

    def place(self, root):
        """Folder of this case below `root`."""
        return Path(root) / self.family / str(self.hosts) / str(self.seed)


def families():
    """Names of the built-in scenarios that are families of the benchmark."""
    return [name for name in list_scenarios() if getattr(load_scenario(name), "family", False)]


def run_case(plan):
    """Run one case and return its record, whatever happens on the way."""
    record = {
        "family": plan.family,
        "hosts": plan.hosts,
        "seed": plan.seed,
        "world_seed": plan.world_seed,
        "kit_version": kit.__version__,
        "code": code(),
        "seconds": {},
        "error": None,
    }
    truth = None
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            truth, evidence = _held(plan, Path(folder), record["seconds"])
            record |= _analysed(plan, truth, evidence, record["seconds"])
    except Exception:  # noqa: BLE001  # a case that fails is a result, and a wrong one
        record |= _failed(plan, truth) | {"error": traceback.format_exc()}
    return record


@cache
def code():
    """Hash of the kit's own files: results of two versions of the code are not one result."""
    package = Path(kit.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".toml", ".csv") and path.is_file():
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _timed(seconds, name):
    began = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - began, 2)


def _held(plan, folder, seconds):
    """Truth and read evidence: from the store of an earlier run, or simulated into `folder`."""
    if plan.store:
        kept = plan.place(plan.store)
        with _timed(seconds, "read"):
            evidence = kit.read_evidence(kept / "case")
        return _load(kept / "truth.json"), evidence
    world, hidden = folder / "world", folder / "truth.json"
    with _timed(seconds, "simulate"):
        size = {"hosts": plan.hosts} if plan.hosts else {}
        simulate(plan.family, seed=plan.world_seed, out=world, **size)
    (world / "truth.json").rename(hidden)  # the kit must not meet it
    with _timed(seconds, "read"):
        evidence = _kept(plan, world, hidden) if plan.keep else kit.read_evidence(world, workers=1)
    return _load(hidden), evidence


def _kept(plan, world, hidden):
    kept = plan.place(plan.keep)
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    ingest(world, kept / "case", workers=1)
    shutil.copy(hidden, kept / "truth.json")
    return kit.read_evidence(kept / "case")


def _load(path):
    return json.loads(path.read_text("utf-8"))


def _analysed(plan, truth, evidence, seconds):
    with _timed(seconds, "analyse"):
        case = kit.analyze(evidence, truth["incident"])
        findings = kit.findings_document(case)
    _add_sessions(findings, case.recovery)
    why = dict(zip(case.recovery["host"], case.recovery["why"], strict=True))
    affected = [host["host"] for host in truth["hosts"] if host["onset"]]
    window = load_scenario(plan.family).window
    return {
        **scoring.facts(truth, findings, why=why),
        "interval": scoring.attempt_interval(case.attempts, affected, window),
        "baselines": {
            name: rule(case.attempts, case.exposure, case.incident)
            for name, rule in BASELINES.items()
        },
    }


def _add_sessions(findings, hosts):
    """Add each host's lost sessions, which the table of hosts states, to the document."""
    names = ("attempts_lost", "attempts_low", "attempts_high")
    if set(names) <= set(hosts):
        for host, row in zip(findings["hosts"], hosts.to_dict("records"), strict=True):
            host["attempts_lost"] = [row[name] for name in names]


def _failed(plan, truth):
    """Facts of a case without findings; without a truth, what the scenario says of its verdict.

    The baselines have had nothing to work on: they are not asked.
    """
    return scoring.facts(truth or _declared(plan)) | {"interval": None, "baselines": {}}


def _declared(plan):
    """Truth of a world that could not be grown: its verdict, and no hosts.

    If not even the scenario can be read nothing is known of it; it then counts as innocent, where
    one failure weighs most.
    """
    try:
        verdict = load_scenario(plan.family).verdict
    except Exception:  # noqa: BLE001  # it failed before: see the record's error
        status, changes, competing = "not_supported", (), ()
    else:
        status, changes, competing = verdict.status, verdict.changes or (), verdict.competing
    told = {"status": status, "changes": list(changes), "competing": list(competing)}
    none = {"sessions_lost": 0, "user_hours_lost": 0}
    return {"verdict": told, "hosts": [], "onset": None, "impact": none}
