"""What people do with a host: the days they work, when the host sleeps, how they dial the VPN.

A user wants a few sessions on a working day. A try that fails is repeated within seconds, two to
five times, then left for later; day after day without success the wish fades, but hardly anybody
goes two working days without a try. Whether a try fails is asked of `Faults`. Nothing here knows
event ids or files.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kitlib.simulate.dice import Dice

if TYPE_CHECKING:
    from kitlib.simulate.deeds import Deeds
    from kitlib.simulate.vocabulary import Fault, Habits, Window

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Course:
    """How far an attempt with a code gets: last stage reached, seconds until it fails."""

    stage: int
    low: float
    high: float


CONNECTED: Final = 20225
CANCELLED: Final = MappingProxyType({631: 9.0, 756: 1.0})
COURSES: Final[Mapping[int, Course]] = MappingProxyType(
    {
        628: Course(20223, 2.0, 12.0),
        631: Course(20222, 2.0, 14.0),
        678: Course(20222, 10.0, 30.0),
        691: Course(20224, 0.6, 3.0),
        756: Course(20221, 0.01, 0.2),
        787: Course(20222, 0.8, 3.0),
        789: Course(20222, 0.7, 3.5),
        800: Course(20222, 20.0, 60.0),
        809: Course(20222, 18.0, 42.0),
        812: Course(20224, 0.6, 3.0),
        868: Course(20222, 1.0, 12.0),
    }
)
_OTHER: Final = Course(20222, 1.0, 20.0)
SESSION_ENDS: Final[Mapping[int, float]] = MappingProxyType({631: 16.0, 828: 2.0, 829: 2.0})
ENDED_BY_RESTART: Final = 830
ENDED_BY_SLEEP: Final = 833
ENDED_BY_LINE: Final = 829
_LOW: Final = itemgetter(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to connect. `fault` names its cause, empty for ordinary life and for success."""

    start: datetime
    closed: datetime
    outcome: str
    code: int
    stage: int
    connection: str
    fault: str = ""
    end: datetime | None = None
    end_code: int = 0


def union(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order of time, those that touch or overlap joined."""
    out: list[Span] = []
    for low, high in sorted(spans):
        if out and low <= out[-1][1]:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return out


Judge = Callable[[datetime, Dice], tuple[int, str]]
"""Time of a try → (code, fault name) if something breaks it, else (0, '')."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """When a host is on and its user at work; all spans of a kind are in order and apart."""

    shifts: tuple[Span, ...]
    """Working hours of each working day, without days away."""
    sleeps: tuple[Span, ...]
    offs: tuple[Span, ...]
    drops: tuple[datetime, ...] = ()
    """Moments at which every line goes down (a gateway fails)."""

    def on(self, time: datetime) -> bool:
        """Return whether the host runs at `time`."""
        return not (_within(self.sleeps, time) or _within(self.offs, time))


def _within(spans: Sequence[Span], time: datetime) -> bool:
    before = bisect_right(spans, time, key=_LOW)
    return before > 0 and time < spans[before - 1][1]


def own_habits(habits: Habits, dice: Dice) -> Habits:
    """Return a host's own habits: what its group leaves to chance is drawn.

    Parameters
    ----------
    habits
        Of its group; `sessions_between` and `baseline_between` may be given.
    dice
        A stream of its own; hosts whose group leaves nothing open stay as they are.
    """
    often, bad = dice.share(), dice.share()
    sessions, failure = habits.sessions_per_day, habits.baseline_failure
    if habits.sessions_between:
        sessions = _by_logarithm(habits.sessions_between, often)
    if habits.baseline_between:
        failure = _by_logarithm(habits.baseline_between, bad)
    return replace(
        habits,
        sessions_per_day=sessions,
        baseline_failure=failure,
        sessions_between=None,
        baseline_between=None,
    )


def _by_logarithm(span: tuple[float, float], share: float) -> float:
    low, high = span
    return low * math.pow(high / low, share)


def presence(window: Window, habits: Habits, deeds: Deeds, dice: Dice) -> Presence:
    """Return working hours, sleep and off times of a host."""
    end = window.utc(window.end)
    offs = [(boot.stop, boot.start) for boot in deeds.boots]
    if deeds.off_from:
        offs.append((deeds.off_from, end))
    shifts = list(_shifts(window, habits))
    sleeps = _sleeps(window, shifts, deeds, dice) if habits.power == "sleep" else []
    return Presence(
        shifts=tuple(_without(shifts, deeds.away)), sleeps=tuple(sleeps), offs=tuple(union(offs))
    )


def _shifts(window: Window, habits: Habits) -> Iterator[Span]:
    day = window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < window.end:
        if day.weekday() in habits.workdays and day.date() not in window.holidays:
            start = max(day + timedelta(hours=habits.work_start), window.start)
            end = min(day + timedelta(hours=habits.work_end), window.end)
            if start < end:
                yield window.utc(start), window.utc(end)
        day += timedelta(days=1)


def _sleeps(window: Window, shifts: Sequence[Span], deeds: Deeds, dice: Dice) -> list[Span]:
    """Nights between two working days, cut where something was done to the host."""
    awake = [(b.stop - timedelta(minutes=9), b.start + timedelta(minutes=25)) for b in deeds.boots]
    awake += [(c.begun - timedelta(minutes=4), c.staged) for c in deeds.changes]
    limits = [window.utc(window.start), *(t for shift in shifts for t in shift)]
    limits.append(window.utc(window.end))
    sleeps: list[Span] = []
    for evening, morning in zip(limits[::2], limits[1::2], strict=True):
        start, end = evening + dice.pause(300, 5400), morning - dice.pause(60, 1200)
        if end - start > timedelta(hours=3):
            sleeps += _cut((start, end), awake)
    return [span for span in sleeps if span[1] - span[0] > timedelta(minutes=20)]


def _cut(span: Span, holes: Sequence[Span]) -> list[Span]:
    parts = [span]
    for low, high in holes:
        parts = [
            piece
            for start, end in parts
            for piece in ((start, min(end, low)), (max(start, high), end))
            if piece[0] < piece[1]
        ]
    return parts


def _without(shifts: Sequence[Span], away: Sequence[Span]) -> list[Span]:
    return [part for shift in shifts for part in _cut(shift, away)]


def attempts(habits: Habits, here: Presence, judge: Judge, dice: Dice) -> tuple[Attempt, ...]:
    """Return every try of a host's user, in order.

    Parameters
    ----------
    habits
        How often, how long, how persistent.
    here
        When the host is on and the user at work.
    judge
        Says whether a try at a time is broken, and by what.
    dice
        The host's own stream for this purpose.
    """
    out: list[Attempt] = []
    bad_days, idle_days = 0, 0
    for shift in here.shifts if habits.vpn else ():
        wish = habits.sessions_per_day * habits.give_up**bad_days
        wants = dice.happens(habits.use_probability * (1.0 if bad_days < 3 else 0.7))
        if not wants and not (bad_days and idle_days >= 1):
            idle_days += 1
            continue
        day = _day(shift, max(1, dice.count(wish)), habits, here, judge, dice)
        out += day
        idle_days = 0 if day else idle_days + 1
        if any(a.outcome == "success" for a in day):
            bad_days = 0
        elif day:
            bad_days += 1
    return tuple(out)


def agent_dials(
    here: Presence, spans: Sequence[Span], *, per_day: float, fault: Fault, dice: Dice
) -> Iterator[Attempt]:
    """Yield the dials of an agent that logs more: all in vain, beside whatever the user does.

    Parameters
    ----------
    here
        When the host is on; the agent keeps to the hours of work.
    spans
        When the agent dials, UTC.
    per_day
        Mean number of dials of a whole working day.
    fault
        Its codes are what the dials fail with, its name what they state as their cause.
    dice
        A stream of its own, so that the user's dials stay as they are.
    """
    for shift in here.shifts:
        for part in _inside(shift, spans):
            length = (part[1] - part[0]) / (shift[1] - shift[0])
            for _ in range(dice.count(per_day * length)):
                dial = _vain(dice.moment(*part), fault, dice)
                if here.on(dial.start) and here.on(dial.closed):
                    yield dial


def _inside(shift: Span, spans: Sequence[Span]) -> list[Span]:
    both = [(max(shift[0], low), min(shift[1], high)) for low, high in spans]
    return [part for part in both if part[0] < part[1]]


def _vain(time: datetime, fault: Fault, dice: Dice) -> Attempt:
    code = dice.weighted(fault.codes)
    course = COURSES.get(code, _OTHER)
    return Attempt(
        start=time,
        closed=time + dice.pause(course.low, course.high),
        outcome="failure",
        code=code,
        stage=course.stage,
        connection=dice.guid(),
        fault=fault.name,
    )


def _day(  # noqa: PLR0913, PLR0917  # a day needs all of its circumstances
    shift: Span, wanted: int, habits: Habits, here: Presence, judge: Judge, dice: Dice
) -> list[Attempt]:
    length = (shift[1] - shift[0]) / wanted
    free, out = shift[0], list[Attempt]()
    for number in range(wanted):
        begin = shift[0] + length * number
        start = dice.moment(begin, begin + (length * 0.8 if number else timedelta(minutes=50)))
        if start >= free and start < shift[1]:
            out += _burst(start, habits, here, judge, dice)
            free = (out[-1].end or out[-1].closed) if out else free
            free += timedelta(minutes=2)
    return out


def _burst(
    start: datetime, habits: Habits, here: Presence, judge: Judge, dice: Dice
) -> list[Attempt]:
    """Dial until it works, or until patience ends."""
    patience, time, out = dice.whole(*habits.retries), start, list[Attempt]()
    while patience and here.on(time):
        attempt = _dial(time, habits, here, judge, dice)
        if not here.on(attempt.closed):
            break
        out.append(attempt)
        if attempt.outcome == "success":
            break
        patience -= attempt.outcome == "failure"
        time = attempt.closed + dice.pause(*habits.retry_seconds)
        if attempt.outcome == "cancelled" and dice.happens(0.3):
            break
    return out


def _dial(time: datetime, habits: Habits, here: Presence, judge: Judge, dice: Dice) -> Attempt:
    code, fault = judge(time, dice)
    usual = dice.weighted(habits.baseline_codes)
    if not code and dice.happens(habits.baseline_failure):
        code = usual
    hung_up, how = dice.happens(habits.cancelled), dice.weighted(CANCELLED)
    outcome = "failure" if code else "success"
    if hung_up:
        code, fault, outcome = how, "", "cancelled"
    course = COURSES.get(code, _OTHER) if code else Course(CONNECTED, 1.6, 5.5)
    closed = time + dice.pause(course.low, course.high)
    end, end_code = _session(closed, habits, here, dice) if not code else (None, 0)
    return Attempt(
        start=time,
        closed=closed,
        outcome=outcome,
        code=code,
        stage=course.stage,
        connection=dice.guid(),
        fault=fault,
        end=end,
        end_code=end_code,
    )


def _session(start: datetime, habits: Habits, here: Presence, dice: Dice) -> tuple[datetime, int]:
    """Return when a session ends and why: by the user, the line, sleep or a restart."""
    end = start + timedelta(minutes=dice.near(*habits.session_minutes))
    code = dice.weighted(SESSION_ENDS)
    for moments, reason in (
        (_next(here.sleeps, start), ENDED_BY_SLEEP),
        (_next(here.offs, start), ENDED_BY_RESTART),
        ([drop for drop in here.drops if start < drop][:1], ENDED_BY_LINE),
    ):
        for low in moments:
            if low < end:
                end, code = low - timedelta(seconds=2), reason
    return max(end, start + timedelta(seconds=1)), code


def _next(spans: Sequence[Span], time: datetime) -> list[datetime]:
    """Return the start of the first span that begins after `time`, if there is one."""
    after = bisect_right(spans, time, key=_LOW)
    return [span[0] for span in spans[after : after + 1]]
