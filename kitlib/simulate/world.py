"""A scenario and a seed → what happened to every host: the truth, before any log is written.

The world is plain data: deeds (changes, boots), presence (on, asleep, at work), attempts with
their true cause, and the spans in which a fault was active. `events` and `updates` write it down,
`truth` states it; neither can change it. This file knows no event ids and no files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from kitlib.simulate.deeds import Deeds, perform
from kitlib.simulate.dice import Dice
from kitlib.simulate.mishaps import defects_of
from kitlib.simulate.spells import drawn, in_effect, spells
from kitlib.simulate.usage import (
    Attempt,
    Presence,
    Span,
    agent_dials,
    attempts,
    own_habits,
    presence,
    union,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitlib.simulate.spells import Spell
    from kitlib.simulate.usage import Judge
    from kitlib.simulate.vocabulary import Branch, Defect, Host, Scenario, Window

Broken = tuple[datetime, datetime, str]
"""Span in which a fault makes attempts fail, UTC, and the fault's name."""
LIVES: Final = 40
"""Whole lives without the fault that give a host's expected sessions where no family is grown.

Their mean has a standard error of 4 % for ten sessions. The committed sample rests on them.
"""
FAMILY_LIVES: Final = 160
"""The same for families, at most; these lives are cut to the days that count."""
ENOUGH: Final = 1500
"""Sessions begun in the lives of a family after which no more are lived: an error of 2 %."""
WARM_UP: Final = 5
"""Working days before those that count: whether yesterday failed matters, last week does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWorld:
    """Everything that is true of one host. Times are UTC."""

    name: str
    user: str
    host: Host
    """The host's group, with the host's own habits."""
    branch: Branch
    deeds: Deeds
    presence: Presence
    started: datetime
    """Start of the window."""
    attempts: tuple[Attempt, ...]
    expected: float
    """Sessions the user would have begun, on average, while the main fault was active, without."""
    exposures: tuple[Span, ...]
    """Spans in which a change that carries the fault was in effect (guilty or not felt)."""
    broken: tuple[Broken, ...]
    """Spans in which a fault made attempts of this host fail, with the fault's name."""
    defects: tuple[Defect, ...]
    """What is wrong with this host's evidence; `at` is drawn, where it is to be."""
    rng: tuple[int, str]
    """Seed and name, for streams that only decide how things are written."""

    def dice(self, purpose: str) -> Dice:
        """Return this host's stream for a purpose."""
        return Dice(self.rng[0], self.rng[1], purpose)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A grown scenario."""

    scenario: Scenario
    seed: int
    hosts: tuple[HostWorld, ...]

    @property
    def window(self) -> Window:
        """The scenario's window."""
        return self.scenario.window

    @property
    def start(self) -> datetime:
        """Start of the window, UTC."""
        return self.window.utc(self.window.start)

    @property
    def end(self) -> datetime:
        """End of the window, UTC."""
        return self.window.utc(self.window.end)

    def fqdn(self, host: HostWorld) -> str:
        """Return a host's full name, as `Computer` states it."""
        return f"{host.name}.{self.scenario.office.domain}"

    def account(self, host: HostWorld) -> str:
        r"""Return a host's user as ``DOMAIN\user``."""
        return f"{self.scenario.office.netbios}\\{host.user}"


def grow(scenario: Scenario, *, seed: int) -> World:
    """Let a scenario happen.

    Parameters
    ----------
    scenario
        As `load_scenario` returns it.
    seed
        Any whole number; the same seed gives the same world. Hosts are independent of each
        other: adding one changes no other.
    """
    scenario = drawn(scenario, seed=seed)
    hosts = [
        _grow_host(scenario, host, name, seed)
        for host in scenario.hosts
        for name in host.host_names()
    ]
    return World(scenario=scenario, seed=seed, hosts=tuple(hosts))


def _grow_host(scenario: Scenario, host: Host, name: str, seed: int) -> HostWorld:
    host = replace(host, habits=own_habits(host.habits, Dice(seed, name, "habits")))
    deeds = perform(scenario, host, name, seed=seed)
    here = presence(scenario.window, host.habits, deeds, Dice(seed, name, "presence"))
    active = tuple(spells(scenario, host, name, deeds, seed))
    broken = tuple((s.low, s.high, s.fault.name) for s in active if s.fault.kind != "logged")
    here = replace(here, drops=tuple(sorted({s.low for s in active if s.sudden})))
    dials = attempts(host.habits, here, _judge(scenario, broken), Dice(seed, name, "attempts"))
    agents = _agents(host, here, active, name, seed)
    return HostWorld(
        name=name,
        user=host.user or name.rpartition("-")[2].lower(),
        host=host,
        branch=scenario.branch(host.branch),
        deeds=deeds,
        presence=here,
        started=scenario.window.utc(scenario.window.start),
        attempts=tuple(sorted((*dials, *agents), key=lambda attempt: attempt.start)),
        expected=_expected(scenario, host, here, broken, name=name, seed=seed),
        exposures=tuple(union(_exposures(scenario, host, deeds))),
        broken=broken,
        defects=tuple(defects_of(scenario, host, name, seed=seed)),
        rng=(seed, name),
    )


def _judge(scenario: Scenario, broken: Sequence[Broken]) -> Judge:
    """Return who says whether a try fails: the first active fault whose dice fall against it."""
    faults = {fault.name: fault for fault in scenario.faults}

    def judge(time: datetime, dice: Dice) -> tuple[int, str]:
        for low, high, name in broken:
            fault = faults[name]
            growth = (time - low) / (high - low) if fault.ramp else 1.0
            if low <= time < high and dice.happens(fault.probability * growth):
                return dice.weighted(fault.codes), name
        return 0, ""

    return judge


def _expected(  # noqa: PLR0913  # everything a life depends on
    scenario: Scenario,
    host: Host,
    here: Presence,
    broken: Sequence[Broken],
    *,
    name: str,
    seed: int,
) -> float:
    """Return the mean number of sessions begun under the main fault, over lives without it.

    Where a change is to blame, what the world breaks besides breaks those lives as well. Chance
    enters the truth here only; no state of a host rests on it.
    """
    main = {fault.name for fault in scenario.main_faults}
    spans = union((low, high) for low, high, fault in broken if fault in main)
    if not spans:
        return 0.0
    others = _judge(scenario, [spell for spell in broken if spell[2] not in main])
    here = here if scenario.guilty else replace(here, drops=())
    most, enough = (FAMILY_LIVES, ENOUGH) if scenario.family else (LIVES, math.inf)
    here = _around(here, spans) if scenario.family else here
    begun = lives = 0
    while lives < most and begun < enough:
        dice = Dice(seed, name, "unhindered", str(lives))
        lived = attempts(host.habits, here, others, dice)
        begun += sum(
            a.outcome == "success" and any(low <= a.start < high for low, high in spans)
            for a in lived
        )
        lives += 1
    return begun / lives


def _around(here: Presence, spans: Sequence[Span]) -> Presence:
    """Leave out the working days after some spans, and those more than `WARM_UP` before them."""
    low, high = spans[0][0], spans[-1][1]
    before = sum(shift[1] <= low for shift in here.shifts)
    until = sum(shift[0] < high for shift in here.shifts)
    return replace(here, shifts=here.shifts[max(0, before - WARM_UP) : until])


def _agents(
    host: Host, here: Presence, active: Sequence[Spell], name: str, seed: int
) -> Iterator[Attempt]:
    """Yield the dials that agents add where more is logged; who has no VPN has nothing to dial."""
    faults = {spell.fault.name: spell.fault for spell in active if spell.fault.kind == "logged"}
    for fault in faults.values() if host.habits.vpn else ():
        spans = [(s.low, s.high) for s in active if s.fault.name == fault.name]
        dice = Dice(seed, name, "logged", fault.name)
        yield from agent_dials(here, spans, per_day=fault.per_day, fault=fault, dice=dice)


def _exposures(scenario: Scenario, host: Host, deeds: Deeds) -> Iterator[Span]:
    for fault in scenario.faults:
        if fault.kind == "change":
            yield from in_effect(scenario, fault, host, deeds)
