"""What is done to one host: acts of the scenario → changes, boots and revisions in effect.

A cumulative update is staged while Windows runs and takes effect at the next boot, so the boot's
start is the moment of truth; everything that was staged before a shutdown is in effect after it.
This file knows no user, no VPN and no log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kitlib.simulate.dice import Dice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitlib.simulate.vocabulary import Act, Host, Package, Scenario

NEVER = datetime.max.replace(tzinfo=UTC)
_APART = timedelta(hours=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An install or removal on a host. Times are UTC; `effective` is None while not in effect."""

    do: str
    by: str
    begun: datetime
    started: datetime
    staged: datetime
    effective: datetime | None = None
    revision: int | None = None
    """Revision this change leads to."""
    removes: int | None = None
    package: Package | None = None
    repeated: bool = False
    held: bool = False
    """Nobody restarts this host after staging."""
    failures: tuple[datetime, ...] = ()
    """Earlier tries that Windows Update gave up."""
    activity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """A restart: Windows stops at `stop` and starts at `start` with `revision` in effect."""

    stop: datetime
    start: datetime
    revision: int
    why: str
    """'update', 'update_user', 'uninstall', 'user', 'daily', 'reimage'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """Everything that was done to a host, in order of time."""

    changes: tuple[Change, ...]
    boots: tuple[Boot, ...]
    away: tuple[tuple[datetime, datetime], ...]
    first_revision: int
    reimaged: datetime | None = None
    off_from: datetime | None = None
    """From here on the host is off for good."""
    workaround: datetime | None = None
    workaround_leaves_trace: bool = False

    def revision(self, time: datetime) -> int:
        """Return the revision in effect at `time`."""
        current = self.first_revision
        for boot in self.boots:
            if boot.start <= time:
                current = boot.revision
        return current

    def packages(self, time: datetime) -> set[str]:
        """Return the names of the packages in effect at `time`."""
        names: set[str] = set()
        wiped = self.reimaged if self.reimaged and self.reimaged <= time else None
        for change in self.changes:
            lost = wiped and change.effective and change.effective < wiped
            if change.package and change.effective and change.effective <= time and not lost:
                (names.add if change.do == "install" else names.discard)(change.package.name)
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """A planned shutdown; `forced` ones belong to an act and win over casual ones."""

    at: datetime
    back: datetime
    why: str
    forced: bool


def perform(scenario: Scenario, host: Host, name: str, *, seed: int) -> Deeds:
    """Carry out all acts of a host and its casual restarts.

    Parameters
    ----------
    scenario, host, name
        The scenario, the group the host belongs to, and the host's own name.
    seed
        Seed of the world.
    """
    timed = [
        (at, replace(act, also=_offered(act, name, seed)))
        for at, act in _timed(scenario, host, Dice(seed, name, "acts"))
    ]
    changes, stops = _sessions(scenario, host, timed, Dice(seed, name, "sessions"))
    casual = _casual_stops(scenario, host, Dice(seed, name, "restarts"))
    last = scenario.window.utc(scenario.window.end) - timedelta(minutes=2)
    stops = [s for s in _merged(stops, casual) if s.at < last and not last < s.back < NEVER]
    boots = _boots(host.revision, changes, stops)
    retired = [at for at, act in timed if act.do == "retire"]
    wipe = next((at for at, act in timed if act.do == "reimage"), None)
    return Deeds(
        changes=_settled(changes, boots),
        boots=boots,
        away=tuple(_away(scenario, timed)),
        first_revision=host.revision,
        reimaged=next((b.start for b in boots if wipe and b.stop >= wipe), None),
        off_from=min([*retired, *(s.at for s in stops if s.back == NEVER)], default=None),
        workaround=next((at for at, act in timed if act.do == "workaround"), None),
        workaround_leaves_trace=any(a.do == "workaround" and a.by == "library" for _, a in timed),
    )


def _timed(scenario: Scenario, host: Host, dice: Dice) -> list[tuple[datetime, Act]]:
    """Give every act its UTC time; leave out those that chance spares this host."""
    out = []
    for act in host.acts:
        spared, moment = not dice.happens(act.share), dice.share()
        if act.between:
            low, high = act.between
            local = low + (high - low) * moment
        else:
            local = act.at or scenario.window.start
        if not spared:
            out.append((scenario.window.utc(local), act))
    return sorted(out, key=lambda pair: pair[0])


def _offered(act: Act, name: str, seed: int) -> tuple[str, ...]:
    """Return the packages that go along on this host: the same ones whenever they are offered."""
    return tuple(p for p in act.also if Dice(seed, name, "also", p).happens(act.also_share))


def _away(
    scenario: Scenario, timed: Iterable[tuple[datetime, Act]]
) -> Iterable[tuple[datetime, datetime]]:
    for at, act in timed:
        if act.do == "away":
            yield at, scenario.window.utc(act.until or scenario.window.end)


def _sessions(
    scenario: Scenario, host: Host, timed: Sequence[tuple[datetime, Act]], dice: Dice
) -> tuple[list[Change], list[_Stop]]:
    """Turn acts into staged changes and the shutdowns they ask for."""
    changes: list[Change] = []
    stops: list[_Stop] = []
    for at, act in timed:
        if act.do in ("install", "uninstall", "reimage"):
            changes += _changes(scenario, host, at, act, changes, dice)
            stops += _asked(scenario, host, act, changes[-1].staged, dice)
        elif act.do == "reboot":
            stops.append(_Stop(at=at, back=at + dice.pause(25, 70), why="user", forced=True))
    return changes, stops


def _changes(  # noqa: PLR0913, PLR0917  # one place where everything about a session meets
    scenario: Scenario, host: Host, at: datetime, act: Act, before: Sequence[Change], dice: Dice
) -> list[Change]:
    started = at + dice.pause(180, 900) if act.by == "windows_update" else at + dice.pause(5, 30)
    staged = started + dice.pause(400, 1500)
    main = Change(
        do=act.do,
        by=act.by,
        begun=at,
        started=started,
        staged=staged,
        revision=_target(scenario, host, act, before),
        removes=act.revision if act.do == "uninstall" else None,
        package=scenario.package(act.package) if act.package else None,
        repeated=act.repeated,
        held=act.reboot == "never",
        failures=tuple(at - timedelta(days=n) for n in range(act.fails_first, 0, -1)),
        activity=dice.guid(),
    )
    extra = [
        replace(
            main,
            revision=None,
            package=scenario.package(name),
            repeated=False,
            failures=(),
            started=started + timedelta(seconds=20 * i),
            staged=started + dice.pause(90, 300),
            activity=dice.guid(),
        )
        for i, name in enumerate(act.also, 1)
    ]
    return [*extra, main]


def _target(scenario: Scenario, host: Host, act: Act, before: Sequence[Change]) -> int | None:
    """Revision an act leads to; an uninstall leads back to what the removed one replaced."""
    if act.do != "uninstall" or act.revision is None:
        return act.revision
    reached = [host.revision, *(c.revision for c in before if c.revision is not None)]
    lower = [number for number in reached if number < act.revision]
    known = [r.number for r in scenario.branch(host.branch).revisions if r.number < act.revision]
    return lower[-1] if lower else known[-1]


def _asked(scenario: Scenario, host: Host, act: Act, staged: datetime, dice: Dice) -> list[_Stop]:
    """Shutdown an act asks for: none where the daily shutdown does it or nobody restarts."""
    lag, slow = dice.pause(60, 600), dice.pause(6, 45)
    needs_none = act.package and scenario.package(act.package).kind != "update"
    daily = host.habits.power == "shutdown" and act.reboot in ("evening", "night")
    if act.reboot == "never" or daily or (needs_none and act.reboot_at is None):
        return []
    stop = max(_reboot_time(scenario, host, act, staged, dice), staged + lag)
    slow += timedelta(minutes=90) if act.do == "reimage" else timedelta(0)
    why = {"uninstall": "uninstall", "reimage": "reimage"}.get(act.do, "update")
    why = "update_user" if why == "update" and act.by != "windows_update" else why
    return [_Stop(at=stop, back=stop + slow, why=why, forced=True)]


def _reboot_time(
    scenario: Scenario, host: Host, act: Act, staged: datetime, dice: Dice
) -> datetime:
    if act.reboot_at:
        return scenario.window.utc(act.reboot_at)
    if act.reboot == "at once":
        return staged
    day = scenario.window.local(staged).replace(hour=0, minute=0, second=0, microsecond=0)
    if act.reboot == "night":
        return scenario.window.utc(day + timedelta(hours=26) + dice.pause(0, 7200))
    return scenario.window.utc(day + timedelta(hours=host.habits.work_end) + dice.pause(300, 2400))


def _casual_stops(scenario: Scenario, host: Host, dice: Dice) -> list[_Stop]:
    """Restarts without an update: the daily shutdown, or now and then one in the evening."""
    window, habits = scenario.window, host.habits
    day = window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    out: list[_Stop] = []
    evening: datetime | None = None
    while day < window.end:
        worked = day.weekday() in habits.workdays and day.date() not in window.holidays
        on = window.utc(day + timedelta(hours=habits.work_start) - dice.pause(120, 1500))
        off = window.utc(day + timedelta(hours=habits.work_end) + dice.pause(300, 4200))
        casual, short = dice.happens(habits.reboots_per_week / 5), dice.pause(20, 60)
        if worked and habits.power == "shutdown":
            if evening:
                out.append(_Stop(at=evening, back=on, why="daily", forced=False))
            evening = off
        elif worked and casual:
            out.append(_Stop(at=off, back=off + short, why="user", forced=False))
        day += timedelta(days=1)
    if evening:
        out.append(_Stop(at=evening, back=NEVER, why="daily", forced=False))
    return out


def _merged(forced: Sequence[_Stop], casual: Sequence[_Stop]) -> list[_Stop]:
    """All shutdowns in order, without casual ones that fall close to one that an act asks for."""
    kept = [
        stop
        for stop in casual
        if not any(_near(stop, other) for other in forced if stop.why != "daily")
    ]
    out: list[_Stop] = []
    for stop in sorted([*forced, *kept], key=lambda s: s.at):
        if not out or stop.at > out[-1].back + timedelta(minutes=10):
            out.append(stop)
    return out


def _near(one: _Stop, other: _Stop) -> bool:
    return abs(one.at - other.at) < _APART


def _boots(first: int, changes: Sequence[Change], stops: Sequence[_Stop]) -> tuple[Boot, ...]:
    """Walk the shutdowns; each brings into effect what was staged before it."""
    current, done, out = first, 0, []
    pending = sorted((c for c in changes if c.revision is not None), key=lambda c: c.staged)
    for stop in stops:
        if stop.why in ("user", "daily") and _held(changes, stop.at):
            continue
        while done < len(pending) and pending[done].staged <= stop.at:
            current = pending[done].revision or current
            done += 1
        if stop.back < NEVER:
            out.append(Boot(stop=stop.at, start=stop.back, revision=current, why=stop.why))
    return tuple(out)


def _held(changes: Sequence[Change], at: datetime) -> bool:
    """Nobody restarts a host on which an update is meant to stay pending."""
    return any(c.held and c.staged <= at for c in changes)


def _settled(changes: Sequence[Change], boots: Sequence[Boot]) -> tuple[Change, ...]:
    """Write into every change when it took effect."""
    out = []
    for change in changes:
        quick = change.package is not None and change.package.kind != "update"
        boot = next((b.start for b in boots if b.stop >= change.staged), None)
        out.append(replace(change, effective=change.staged if quick else boot))
    return tuple(sorted(out, key=lambda c: c.begun))
