"""A scenario and a seed → what happened to every host: the truth, before any log is written.

The world is plain data: deeds (changes, boots), presence (on, asleep, at work), attempts with
their true cause, and the spans in which a fault was active. `events` and `updates` write it down,
`truth` states it; neither can change it. This file knows no event ids and no files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from kitlib.simulate.deeds import Deeds, perform
from kitlib.simulate.dice import Dice
from kitlib.simulate.usage import Attempt, Presence, Span, attempts, presence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitlib.simulate.scenario import Branch, Fault, Host, Scenario, Window
    from kitlib.simulate.usage import Judge

LIVES: Final = 40
"""Lives without the fault that give a host's expected sessions; the mean is good to about 2 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWorld:
    """Everything that is true of one host. Times are UTC."""

    name: str
    user: str
    host: Host
    branch: Branch
    deeds: Deeds
    presence: Presence
    started: datetime
    """Start of the window."""
    attempts: tuple[Attempt, ...]
    expected: float
    """Sessions the user would have begun, on average, while a fault was active, without it."""
    exposures: tuple[Span, ...]
    """Spans in which a change that carries the fault was in effect (guilty or not felt)."""
    broken: tuple[tuple[datetime, datetime, str], ...]
    """Spans in which a fault made attempts of this host fail, with the fault's name."""
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
    hosts = [
        _grow_host(scenario, host, name, seed)
        for host in scenario.hosts
        for name in host.host_names()
    ]
    return World(scenario=scenario, seed=seed, hosts=tuple(hosts))


def _grow_host(scenario: Scenario, host: Host, name: str, seed: int) -> HostWorld:
    deeds = perform(scenario, host, name, seed=seed)
    here = presence(scenario.window, host.habits, deeds, Dice(seed, name, "presence"))
    broken = tuple(_broken(scenario, host, name, deeds, seed))
    drops = {scenario.window.utc(f.start) for f in scenario.faults if f.kind == "world" and f.start}
    here = replace(here, drops=tuple(sorted(drops & {low for low, _, _ in broken})))
    return HostWorld(
        name=name,
        user=host.user or name.rpartition("-")[2].lower(),
        host=host,
        branch=scenario.branch(host.branch),
        deeds=deeds,
        presence=here,
        started=scenario.window.utc(scenario.window.start),
        attempts=attempts(
            host.habits, here, _judge(scenario, broken), Dice(seed, name, "attempts")
        ),
        expected=_expected(host, here, broken, name, seed),
        exposures=tuple(_exposures(scenario, host, deeds)),
        broken=broken,
        rng=(seed, name),
    )


def _judge(scenario: Scenario, broken: Sequence[tuple[datetime, datetime, str]]) -> Judge:
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


def _expected(
    host: Host,
    here: Presence,
    broken: Sequence[tuple[datetime, datetime, str]],
    name: str,
    seed: int,
) -> float:
    """Return the mean number of sessions begun while broken, over lives without the fault."""
    if not broken:
        return 0.0
    begun = 0
    for life in range(LIVES):
        dice = Dice(seed, name, "unhindered", str(life))
        lived = attempts(host.habits, replace(here, drops=()), lambda _, __: (0, ""), dice)
        begun += sum(
            a.outcome == "success" and any(low <= a.start < high for low, high, _ in broken)
            for a in lived
        )
    return begun / LIVES


def _exposures(scenario: Scenario, host: Host, deeds: Deeds) -> Iterator[Span]:
    for fault in scenario.faults:
        if fault.kind == "change":
            yield from _in_effect(scenario, fault, host, deeds)


def _broken(
    scenario: Scenario, host: Host, name: str, deeds: Deeds, seed: int
) -> Iterator[tuple[datetime, datetime, str]]:
    for fault in scenario.faults:
        dice = Dice(seed, name, "fault", fault.name)
        susceptible, delay = (
            dice.happens(fault.share),
            timedelta(hours=dice.between(*fault.delay_hours)),
        )
        if not susceptible or host.habits.tunnel not in fault.tunnels:
            continue
        for low, high in _active(scenario, fault, host, deeds):
            until = min(high, deeds.workaround or high) if fault.kind == "change" else high
            if low + delay < until:
                yield low + delay, until, fault.name


def _active(scenario: Scenario, fault: Fault, host: Host, deeds: Deeds) -> Iterator[Span]:
    if fault.kind == "change":
        yield from _in_effect(scenario, fault, host, deeds)
    elif fault.start and fault.end and (not fault.sites or host.habits.site in fault.sites):
        yield scenario.window.utc(fault.start), scenario.window.utc(fault.end)


def _in_effect(scenario: Scenario, fault: Fault, host: Host, deeds: Deeds) -> Iterator[Span]:
    """Spans in which a revision or package that carries `fault` is in effect."""
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
    yield from _joined(spans)


def _carries(fault: Fault, host: Host, deeds: Deeds, time: datetime) -> bool:
    revision = deeds.revision(time)
    by_revision = any(
        c.branch == host.branch and c.first <= revision < c.fixed for c in fault.carriers
    )
    return by_revision or (fault.package in deeds.packages(time) if fault.package else False)


def _joined(spans: Sequence[Span]) -> list[Span]:
    out: list[Span] = []
    for low, high in spans:
        if out and out[-1][1] == low:
            out[-1] = (out[-1][0], high)
        else:
            out.append((low, high))
    return out
