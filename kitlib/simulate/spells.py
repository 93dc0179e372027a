"""When a fault bites a host: while a change that carries it is in effect, or for a span of time.

A span of the world may be drawn: once for all hosts (`drawn`), or for each bitten host (`own`).
Which hosts are bitten, and with what delay, is each host's own chance. Nothing here knows what a
bitten host's user does about it, or how it is written down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kitlib.simulate.dice import Dice
from kitlib.simulate.usage import union

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitlib.simulate.deeds import Deeds
    from kitlib.simulate.usage import Span
    from kitlib.simulate.vocabulary import Fault, Host, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A span in which a fault is active on a host. Times are UTC."""

    low: datetime
    high: datetime
    fault: Fault
    sudden: bool
    """It begins for everybody at once, and lines that are up go down with it."""


def drawn(scenario: Scenario, *, seed: int) -> Scenario:
    """Draw what is drawn once for the whole world: the spans of its faults.

    Parameters
    ----------
    scenario
        As `load_scenario` returns it.
    seed
        Seed of the world.

    Returns
    -------
    Scenario
        The same, with `start` and `end` in place of `start_between` and `lasts_hours`; faults
        that each host has of its `own` are left as they are.
    """
    faults = (
        fault if fault.own or fault.carried else _fixed(fault, Dice(seed, "fault", fault.name))
        for fault in scenario.faults
    )
    return replace(scenario, faults=tuple(faults))


def _fixed(fault: Fault, dice: Dice) -> Fault:
    """Return a fault whose span is drawn, if it was not stated."""
    moment, length = dice.share(), dice.share()
    start, end = fault.start, fault.end
    if fault.start_between:
        low, high = fault.start_between
        start = low + (high - low) * moment
    if fault.lasts_hours and start:
        short, long = fault.lasts_hours
        end = start + timedelta(hours=short + (long - short) * length)
    return replace(fault, start=start, end=end, start_between=None, lasts_hours=None)


def spells(scenario: Scenario, host: Host, name: str, deeds: Deeds, seed: int) -> Iterator[Spell]:
    """Yield the spans in which faults are active on a host, fault by fault.

    Parameters
    ----------
    scenario
        A scenario whose faults are `drawn`.
    host, name, deeds
        The group of the host, its name, and what was done to it.
    seed
        Seed of the world.
    """
    for fault in scenario.faults:
        dice = Dice(seed, name, "fault", fault.name)
        bitten = dice.happens(fault.share)
        delay = timedelta(hours=dice.between(*fault.delay_hours))
        if not bitten or host.habits.tunnel not in fault.tunnels:
            continue
        mine = _fixed(fault, Dice(seed, name, "spell", fault.name)) if fault.own else fault
        for low, high in _active(scenario, mine, host, deeds):
            until = min(high, deeds.workaround or high) if fault.kind == "change" else high
            if low + delay < until:
                sudden = fault.kind == "world" and not (delay or fault.ramp or fault.own)
                yield Spell(low=low + delay, high=until, fault=mine, sudden=sudden)


def _active(scenario: Scenario, fault: Fault, host: Host, deeds: Deeds) -> Iterator[Span]:
    if fault.sites and host.habits.site not in fault.sites:
        return
    if fault.carried:
        yield from in_effect(scenario, fault, host, deeds)
    elif fault.start and fault.end:
        yield scenario.window.utc(fault.start), scenario.window.utc(fault.end)


def in_effect(scenario: Scenario, fault: Fault, host: Host, deeds: Deeds) -> Iterator[Span]:
    """Yield the spans in which a revision or package that carries `fault` is in effect."""
    moments = [scenario.window.utc(scenario.window.start)]
    moments += sorted(
        {b.start for b in deeds.boots} | {c.effective for c in deeds.changes if c.effective}
    )
    ends = [*moments[1:], scenario.window.utc(scenario.window.end)]
    spans = [
        (low, high)
        for low, high in zip(moments, ends, strict=True)
        if low < high and _carries(fault, host, deeds, low)
    ]
    yield from union(spans)


def _carries(fault: Fault, host: Host, deeds: Deeds, time: datetime) -> bool:
    revision = deeds.revision(time)
    by_revision = any(
        c.branch == host.branch and c.first <= revision < c.fixed for c in fault.carriers
    )
    return by_revision or (fault.package in deeds.packages(time) if fault.package else False)
