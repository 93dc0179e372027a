"""The families of the benchmark, their worlds, and what those tell of patches, tries and faults."""

from __future__ import annotations

import tomllib
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from kitlib.simulate import world as worlds
from kitlib.simulate.scenario import HERE, list_scenarios, load_scenario
from kitlib.simulate.world import grow

SEED = 1


def _families():
    for name in list_scenarios():
        table = tomllib.loads((HERE / "scenarios" / f"{name}.toml").read_text("utf-8"))
        if table.get("family"):
            yield name


FAMILIES = tuple(_families())
TABLES = {
    name: tomllib.loads((HERE / "scenarios" / f"{name}.toml").read_text("utf-8"))
    for name in FAMILIES
}
INNOCENT = tuple(n for n in FAMILIES if TABLES[n]["verdict"]["status"] == "not_supported")
GUILTY = tuple(n for n in FAMILIES if n not in INNOCENT)
NO_CONTROLS = {"big-bang-reversal", "one-night", "innocent-big-bang"}
FEW_EXPOSED = {"small-share-patched"}


@contextmanager
def growing():
    """Worlds by family and size. The sessions expected without the fault (slow) are not asked."""
    kept = {}

    def get(name, hosts=60):
        if (name, hosts) not in kept:
            kept[name, hosts] = grow(load_scenario(name, hosts), seed=SEED)
        return kept[name, hosts]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "FAMILY_LIVES", 1)
        yield get


def patched(world, host):
    """When a host first ran the update that is under suspicion, or a later one."""
    first = suspect(world, host)
    boots = [b.start for b in host.deeds.boots if b.revision >= first]
    return boots[0] if boots else None


def suspect(world, host):
    """The first update that came out in or after the month the family is about."""
    since = _patch_day(world)
    return next(r.number for r in host.branch.revisions if r.released >= since)


def _patch_day(world):
    dates = sorted({r.released for b in world.scenario.branches for r in b.revisions})
    wanted = {"holidays": (2021, 12, 14), "dst-change": (2022, 3, 8), "innocent-dst": (2022, 3, 8)}
    year, month, day = wanted.get(world.scenario.name, (2022, 1, 11))
    return next(d for d in dates if (d.year, d.month, d.day) >= (year, month, day))


def days_patched(world):
    times = [patched(world, host) for host in world.hosts]
    return {world.window.local(time).date() for time in times if time}


def dialling(world):
    return [host for host in world.hosts if host.host.habits.vpn]


def controls(world):
    """Hosts that use the VPN and never get the suspected update, nor the guilty change."""
    return [h for h in dialling(world) if patched(world, h) is None and not h.exposures]


def tries(host, low, high):
    return [a for a in host.attempts if low <= a.start < high and a.outcome != "cancelled"]


def failed(host, *faults):
    return [a for a in host.attempts if a.fault in faults]


def rate(hosts, low, high):
    """Share of the hosts' tries that failed between two times."""
    found = [a for host in hosts for a in tries(host, low, high)]
    return sum(a.outcome == "failure" for a in found) / len(found)


def spans(world, fault):
    return {(low, high) for h in world.hosts for low, high, name in h.broken if name == fault}


def spell(world, fault):
    """Beginning and end of a fault that all its hosts have at the same time."""
    (span,) = spans(world, fault)
    return span


def hours(span):
    return (span[1] - span[0]) / timedelta(hours=1)


def local(world, *parts):
    return world.window.utc(datetime(*parts))
