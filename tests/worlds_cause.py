"""Small worlds with known cause, as the tables the analysis reads: seeded, quick, no files.

A world is hosts with a history of states (build and revision), other changes with spans, and a
fault: a function that says how likely an attempt of a host at a time fails with which code.
Everything is in UTC; attempts fall on weekdays from 7 to 16 o'clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kitlib import knowledge, schema
from kitlib.attempts import _episodes

START = pd.Timestamp("2021-12-20", tz="UTC")
DAYS = 45
DECEMBER, BAD, FIX, PREVIEW, FEBRUARY = 1415, 1466, 1469, 1503, 1526
BUILD = 19044
ELEVEN = 22000
ON_ELEVEN = {DECEMBER: 376, BAD: 434, FIX: 438, PREVIEW: 469, FEBRUARY: 493}
SYMPTOM = "789"


def day(number, hour=0.0):
    """The instant `number` days and `hour` hours after the start of every world."""
    return START + pd.Timedelta(days=number, hours=hour)


PATCHED = 22
"""2022-01-11, the first day on which the bad revision exists."""


@dataclass
class World:
    """Plan of a world; `tables` plays it."""

    seed: int
    hosts: int = 24
    per_day: float = 2.0
    base: float = 0.03
    base_code: str = SYMPTOM
    days: int = DAYS
    eleven: frozenset[str] = frozenset()
    states: dict[str, list] = field(default_factory=dict)  # host -> [(time, revision), ...]
    others: list = field(default_factory=list)  # (host, change, start, end)
    idle: dict[str, list] = field(default_factory=dict)  # host -> spans without attempts
    rates: dict[str, float] = field(default_factory=dict)  # host -> its own base rate
    fault: object = None  # (host, time, revision) -> (chance, code) or None
    blind: frozenset[str] = frozenset()  # hosts without an Application log
    stateless: frozenset[str] = frozenset()  # hosts without a System log

    def __post_init__(self):
        self.rng = np.random.default_rng([20220111, self.seed])
        self.names = [f"WS{n:04d}" for n in range(self.hosts)]
        for name in self.names:
            self.states.setdefault(name, [(None, DECEMBER)])

    def patch(self, host, time, revision=BAD):
        """Put `revision` into effect on `host` at `time` (lower revision: an uninstall)."""
        self.states[host] = sorted(
            [*self.states[host], (time, revision)], key=lambda s: (s[0] is not None, s[0])
        )
        return self

    def stagger(self, hosts, first, last, revision=BAD):
        """Patch each of `hosts` in some night between day `first` and day `last`."""
        for host in hosts:
            self.patch(host, day(int(self.rng.integers(first, last)), 19.5), revision)
        return self

    def revision(self, host, time):
        """The revision in effect on `host` at `time`."""
        return [r for t, r in self.states[host] if t is None or t <= time][-1]

    def has(self, host, change, time):
        """Whether another change is in effect on `host` at `time`."""
        return any(
            h == host and c == change and s <= time and (e is None or time < e)
            for h, c, s, e in self.others
        )

    def build(self, host):
        return ELEVEN if host in self.eleven else BUILD

    def number(self, host, revision):
        return ON_ELEVEN[revision] if host in self.eleven else revision

    def tables(self):
        """attempts, exposure, coverage, timeline."""
        return Tables(*_play(self))


@dataclass(frozen=True)
class Tables:
    attempts: pd.DataFrame
    exposure: pd.DataFrame
    coverage: pd.DataFrame
    timeline: pd.DataFrame


def fails_under(*revisions, chance=0.97, hosts=None, code=SYMPTOM):
    """A fault: attempts fail while one of `revisions` is in effect (on `hosts` only, if given)."""
    return lambda host, _time, revision: (
        (chance, code) if revision in revisions and (hosts is None or host in hosts) else None
    )


def fails_during(start, end, chance=0.97, hosts=None, code=SYMPTOM):
    """A fault: attempts of everybody (or of `hosts`) fail from `start` to `end`."""
    return lambda host, time, _revision: (
        (chance, code) if start <= time < end and (hosts is None or host in hosts) else None
    )


def _play(world):
    attempts = [row for host in world.names for row in _attempts(world, host)]
    table = schema.frame("attempts", attempts)
    table = table.sort_values(["time", "host"], kind="stable", ignore_index=True)
    table["episode"] = _episodes(table) if len(table) else table["episode"]
    attempts = schema.coerce("attempts", table)
    return attempts, _exposure(world), _coverage(world), _timeline(world, attempts)


def _attempts(world, host):
    rng, rows = world.rng, []
    for number in range(world.days):
        date = day(number)
        for _ in range(rng.poisson(world.per_day) if date.weekday() < 5 else 0):
            time = date + pd.Timedelta(hours=float(rng.uniform(7, 16)))
            if any(a <= time < b for a, b in world.idle.get(host, [])):
                continue
            hit = world.fault and world.fault(host, time, world.revision(host, time))
            for retry in range(4):
                when = time + pd.Timedelta(seconds=60 * retry)
                bad = hit and rng.random() < hit[0]
                code = hit[1] if bad else world.base_code
                failed = bad or rng.random() < world.rates.get(host, world.base)
                if host not in world.blind:
                    rows.append(_row(host, when, code if failed else "", len(rows)))
                if not failed or rng.random() < 0.5:
                    break
    return rows


def _row(host, time, code, number):
    return {
        "host": host,
        "connection": f"{host}-{number}",
        "time": time,
        "outcome": "failure" if code else "success",
        "code": code,
        "duration": 5.0,
        "records": [f"{host}/Application#{number + 1}"],
    }


def _exposure(world):
    rows = []
    for host in world.names:
        states = world.states[host] if host not in world.stateless else []
        for place, (time, revision) in enumerate(states):
            build, number = world.build(host), world.number(host, revision)
            rows.append(
                {
                    "host": host,
                    "change": knowledge.label(build, number),
                    "start": time,
                    "end": states[place + 1][0] if place + 1 < len(states) else None,
                    "start_known_by": "boot" if time is not None else "before evidence",
                    "kind": "update",
                    "build": build,
                    "revision": number,
                    "records": [f"{host}/System#{place + 1}"],
                }
            )
    for host, change, start, end in world.others:
        rows.append(
            {
                "host": host,
                "change": change,
                "start": start,
                "end": end,
                "kind": "driver",
                "records": [f"{host}/System#99"],
            }
        )
    out = schema.frame("exposure", rows)
    return out.sort_values(["host", "start", "change"], kind="stable", ignore_index=True)


def _coverage(world):
    rows = []
    for host in world.names:
        span = {"host": host, "start": day(0), "end": day(world.days)}
        if host not in world.blind:
            rows.append({**span, "channel": "Application", "why_start": "log created"})
        if host not in world.stateless:
            rows.append({**span, "channel": "System", "why_start": "log created"})
    return schema.frame("coverage", rows)


def _timeline(world, attempts):
    rows = []
    for host in world.names:
        for place, (time, revision) in enumerate(world.states[host]):
            if host not in world.stateless:
                rows.append(_boot(world, host, time or day(0, 6), revision, place))
    rows += [
        {
            "host": host,
            "time": time,
            "time_low": time,
            "time_high": time,
            "time_basis": "utc",
            "action": "attempt_succeeded" if outcome == "success" else "attempt_failed",
            "outcome": outcome,
            "activity": "vpn",
            "channel": "Application",
        }
        for host, time, outcome in zip(
            attempts["host"], attempts["time"], attempts["outcome"], strict=True
        )
    ]
    out = schema.frame("timeline", rows)
    return out.sort_values(["time", "host"], kind="stable", ignore_index=True)


def _boot(world, host, time, revision, place):
    return {
        "host": host,
        "time": time,
        "time_low": time,
        "time_high": time,
        "time_basis": "utc",
        "action": "boot",
        "channel": "System",
        "record_id": place + 1,
        "build": world.build(host),
        "revision": world.number(host, revision),
    }


# --- worlds with a guilty change ---------------------------------------------------------------


def staggered(seed, hosts=24, chance=0.97, never=0.2, share=1.0, per_day=2.0):
    """The bad update arrives on different days, the fix later; some hosts never get either."""
    world = World(seed, hosts=hosts, per_day=per_day)
    world.eleven = frozenset(world.names[::4])
    patched = world.names[: round(hosts * (1 - never))]
    world.stagger(patched, PATCHED, PATCHED + 8)
    for host in patched[: len(patched) * 2 // 3]:
        world.patch(host, day(PATCHED + 9 + int(world.rng.integers(0, 8)), 11), FIX)
    bitten = patched if share == 1.0 else patched[: round(len(patched) * share)]
    world.fault = fails_under(BAD, chance=chance, hosts=set(bitten))
    return world


def big_bang(seed, hosts=24, wave=0):
    """Everybody is patched in one night; `wave` hosts remove the update on different days."""
    world = World(seed, hosts=hosts, days=PATCHED + 15)
    for host in world.names:
        world.patch(host, day(PATCHED, 23))
    for host in world.names[:wave]:
        world.patch(host, day(PATCHED + 3 + int(world.rng.integers(0, 9)), 12), DECEMBER)
    world.fault = fails_under(BAD)
    return world


def together(seed, share=1.0, hosts=30):
    """A second change comes with the bad update on `share` of the hosts that get it, and stays."""
    world = World(seed, hosts=hosts, days=PATCHED + 15)
    patched = world.names[: hosts * 2 // 3]
    world.stagger(patched, PATCHED, PATCHED + 8)
    for host in patched[: round(len(patched) * share)]:
        start = next(t for t, r in world.states[host] if r == BAD)
        world.others.append((host, "Contoso Net 4.2", start, None))
    world.fault = fails_under(BAD)
    return world


def driver_guilty(seed, hosts=30):
    """A driver is guilty; the update of the same weeks is innocent."""
    world = World(seed, hosts=hosts)
    world.stagger(world.names[: hosts * 3 // 4], PATCHED, PATCHED + 8)
    for host in world.names[::2]:
        start = day(PATCHED + int(world.rng.integers(0, 8)), 12)
        end = start + pd.Timedelta(days=int(world.rng.integers(5, 12)))
        world.others.append((host, "Fabrikam NIC 9.1", start, end))
    world.fault = lambda host, time, _revision: (
        (0.95, SYMPTOM) if world.has(host, "Fabrikam NIC 9.1", time) else None
    )
    return world


# --- worlds without one ------------------------------------------------------------------------


def _rolled_out(seed, hosts=24, base=0.03):
    world = World(seed, hosts=hosts, base=base)
    world.eleven = frozenset(world.names[::4])
    world.stagger(world.names[: hosts * 4 // 5], PATCHED, PATCHED + 8)
    for host in world.names[: hosts // 2]:
        world.patch(host, day(PATCHED + 9 + int(world.rng.integers(0, 8)), 11), FIX)
    for number in range(8):  # drivers on a third of the hosts each, on days of their own
        for host in world.rng.choice(world.names, hosts // 3, replace=False):
            start = day(int(world.rng.integers(3, 40)), 12)
            world.others.append((str(host), f"Driver {number}", start, None))
    return world


def quiet(seed, hosts=24):
    """Nothing is wrong: 3 % of the attempts fail, updates come and go."""
    return _rolled_out(seed, hosts)


def gateway_outage(seed, hosts=24):
    """The gateway is down for two days in the middle of the rollout."""
    world = _rolled_out(seed, hosts)
    first = PATCHED + int(world.rng.integers(1, 7))
    world.fault = fails_during(day(first, 9), day(first + 2, 9))
    return world


def site_outage(seed, hosts=24):
    """One site, a third of the hosts, is down for three days in the middle of the rollout."""
    world = _rolled_out(seed, hosts)
    site = set(map(str, world.rng.choice(world.names, hosts // 3, replace=False)))
    first = PATCHED + int(world.rng.integers(1, 7))
    world.fault = fails_during(day(first, 9), day(first + 3, 9), hosts=site)
    return world


def trend(seed, hosts=24):
    """The failure rate of everybody rises from 2 % to 30 % over the whole time."""
    world = _rolled_out(seed, hosts, base=0.02)
    world.fault = lambda _host, time, _revision: (0.3 * (time - START).days / DAYS, SYMPTOM)
    return world


def sick_hosts(seed, hosts=24):
    """An eighth of the hosts has failed half of the time all along."""
    world = _rolled_out(seed, hosts)
    for host in world.rng.choice(world.names, max(hosts // 8, 1), replace=False):
        world.rates[str(host)] = float(world.rng.uniform(0.3, 0.7))
    for number in range(8):  # applications older than the evidence on a few hosts each
        for host in world.rng.choice(world.names, hosts // 5, replace=False):
            world.others.append((str(host), f"Application {number}", START, None))
    return world


def own_spells(seed, hosts=24):
    """A sixth of the hosts has a bad week of its own."""
    world = _rolled_out(seed, hosts)
    spells = {
        str(host): day(int(world.rng.integers(2, 38)))
        for host in world.rng.choice(world.names, max(hosts // 6, 1), replace=False)
    }
    week = pd.Timedelta(days=7)
    world.fault = lambda host, time, _revision: (
        (0.9, SYMPTOM) if host in spells and spells[host] <= time < spells[host] + week else None
    )
    return world


def outage_to_the_end(seed, hosts=24):
    """From one morning in the rollout on everybody fails, until the logs end."""
    world = _rolled_out(seed, hosts)
    world.fault = fails_during(day(PATCHED + int(world.rng.integers(2, 7)), 9), day(DAYS))
    return world


INNOCENT = (
    quiet,
    gateway_outage,
    site_outage,
    trend,
    sick_hosts,
    own_spells,
    outage_to_the_end,
)
