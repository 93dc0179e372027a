"""Write a simulated fleet: hosts as folders with real event logs and update dumps, and the truth.

The way through: `scenario` (what may happen, in the words of `vocabulary`) → `world` (what did happen) → `events`,
`background`, `updates`, `gateway` (what is written about it) → `logs` (files and their defects) →
`handed` (how they come) → `truth`.
The analysis is never imported: the two know each other only by the files.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from kitlib.errors import UsageError
from kitlib.simulate.gateway import GATEWAY_LOGS
from kitlib.simulate.handed import HANDED_OVER
from kitlib.simulate.logs import Log, write_logs
from kitlib.simulate.scenario import list_scenarios, load_scenario
from kitlib.simulate.truth import truth
from kitlib.simulate.updates import WRITERS
from kitlib.simulate.vocabulary import Scenario
from kitlib.simulate.world import HostWorld, World, grow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Scenario", "list_scenarios", "load_scenario", "simulate"]


def simulate(scenario: str | Path, *, seed: int, out: Path, hosts: int | None = None) -> Path:
    """Write a scenario's evidence folder.

    Parameters
    ----------
    scenario
        Name of a built-in scenario or path of a TOML file.
    seed
        Any whole number; the same seed gives the same bytes.
    out
        Folder to write; it is created, and must be empty if it exists.
    hosts
        Number of hosts, instead of the `fleet` that the scenario states.

    Returns
    -------
    pathlib.Path
        `out`, holding a folder or an archive for each host and ``truth.json``.

    Raises
    ------
    UsageError
        If there is no such scenario, or `out` is not empty.
    ScenarioError
        If the scenario's file says something wrong, or cannot have that many hosts.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not an empty folder: choose another one to write into")
    world = grow(load_scenario(scenario, hosts), seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    logs = {host.name: _write_host(world, host, out) for host in world.hosts}
    if world.scenario.office.gateway_log:
        name, write = GATEWAY_LOGS[world.scenario.office.gateway_log]
        (out / "gateway").mkdir()
        (out / "gateway" / name).write_bytes(write(world))
    document = json.dumps(truth(world, logs), indent=1, ensure_ascii=False)
    (out / "truth.json").write_bytes(f"{document}\n".encode())
    return out


def _write_host(world: World, host: HostWorld, out: Path) -> Sequence[Log]:
    """Write the files of one host; keep what `truth` needs, not the bytes."""
    logs = list(write_logs(world, host))
    files = [(log.file, log.content) for log in logs if log.content]
    files += [copy for log in logs for copy in log.copies]
    dumps = [(WRITERS[kind][0], WRITERS[kind][1](world, host)) for kind in host.host.dumps]
    HANDED_OVER[host.host.handed](world, host, out, files, dumps)
    return [replace(log, content=b"", copies=()) for log in logs]
