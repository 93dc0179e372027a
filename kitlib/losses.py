"""What an incident took from each host: sessions it would have had, hours of work without service.

Both count against the host's own habit, on the days its user was at work, while the fault was active
on it. This file finds that time and adds up; when a working day begins and ends is learned in
`kitlib.hours`, which days are worked and how many sessions they bring in `kitlib.habits`. It looks
for no cause and changes no status.

Every host is lived `kitlib.hours.SAMPLES` times: each draw has its own begin and end of work, its own
days at work where that is in doubt, its own rate of sessions. The intervals are those of the draws.
What is in doubt for all hosts alike is drawn once for all, so the error of a fleet's sum is known too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from kitlib import habits, hours, schema
from kitlib.classify import activity_channels
from kitlib.spells import NEVER, NOTHING, Signs, Spell, find_spells, outages_by_host

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitlib.cause import Cause
    from kitlib.habits import Bools, Work
    from kitlib.hours import Days
    from kitlib.incident import Incident
    from kitlib.stats import Floats, Ints

COLUMNS: Final = (
    "hours_lost",
    "hours_low",
    "hours_high",
    "attempts_lost",
    "attempts_low",
    "attempts_high",
    "hours_share",
    "attempts_share",
)

COVERED: Final = 0.9
"""Share of a day's working hours that the log must cover for the day to tell of habit."""

OWN_NIGHT: Final = 20
"""Attempts from which on a host has a night of its own, and not the fleet's."""

SESSION: Final = 60.0  # minutes, where no log tells

TAILS: Final = (0.05, 0.95)
"""Ends of a 90 % interval."""

SEED: Final = 20220111
"""The same evidence gives the same numbers."""


class _Host(NamedTuple):
    """All that the losses of one host are made of."""

    name: str
    signs: Signs
    days: Days
    cut: int
    spells: tuple[Spell, ...]
    covered: tuple[Ints, Ints]
    outages: Sequence[tuple[int, int]]
    work: Work
    begin: Floats
    end: Floats
    onset: int


def measure_losses(  # noqa: PLR0913, PLR0917  # one argument a table, as in the other rooms
    hosts: pd.DataFrame,
    attempts: pd.DataFrame,
    timeline: pd.DataFrame,
    coverage: pd.DataFrame,
    incident: Incident,
    cause: Cause,
) -> pd.DataFrame:
    """Say what each host lost.

    Parameters
    ----------
    hosts
        Table ``hosts`` as `kitlib.recovery.assess_recovery` gives it.
    attempts, timeline, coverage
        Tables of those names.
    incident
        The profile.
    cause
        The verdict: where and when what is blamed was in effect, and the outages set aside.

    Returns
    -------
    pandas.DataFrame
        The same with the columns `COLUMNS`: estimates with their 90 % intervals, and each host's part
        in the error of the fleet's sum; zero for a host that was not affected, missing for one of
        which nothing is known.

    Notes
    -----
    The fault is active on a host while the change is in effect on it, outside the outages that
    everybody had: from the first failure on for the hours, from the begin on for the sessions, to
    the first success that confirms recovery. Where attempts before the first failure speak against
    the fault (`LIKELY`), it began later than the change. Where a host recovers without any change, it
    ended at some time between the last failure and that success. Where neither a change nor an
    outage is known, it is active from each failure to some time before the next success. For hosts
    still out the time ends with the evidence: their own last record, or the fleet's where that is
    little later.

    What no log shows is lost too. Where a log of attempts begins after the change, the missing of an
    attempt says nothing: days count by the signs of the machine or by its weekdays, the fault began
    as on the hosts whose logs tell, and its first failure is drawn from the habit.

    The hours are hours in which the service could not be relied on: where only some attempts fail,
    they count in full. The attempts are an expectation, sessions on average by habit, less those
    that came up; the interval says how well that is known.

    Assumes that users work through their day and would use the service as they did before. Fails
    where a machine has several users, and where the logs hold hardly any day without the fault:
    then the habit is the fleet's. A host's clock that was wrong for a while moves its days, and
    nothing here sets it right.
    """
    fleet = _gather(hosts, attempts, timeline, coverage, incident, cause)
    hit = hosts["onset"].notna().to_numpy() & (hosts["status"] != "no_data").to_numpy()
    rates, pattern = _sessions(fleet, hit)
    luck = _luck(np.random.default_rng(SEED))
    draws = np.zeros((2, len(fleet), hours.SAMPLES))
    for n in np.flatnonzero(hit):
        rng = np.random.default_rng((SEED, int(n)))
        draws[:, n] = _lost(fleet[n], rates[n], pattern, luck, rng)
    values = np.array([*map(_estimates, draws)])
    values[:, :, (hosts["status"] == "no_data").to_numpy()] = np.nan  # nothing is known, not lost
    columns = [*values[0, :3], *values[1, :3], values[0, 3], values[1, 3]]
    return schema.coerce("hosts", hosts.assign(**dict(zip(COLUMNS, columns, strict=True))))


# ------------------------------------------------------------------ what the tables say


def _gather(  # noqa: PLR0913, PLR0917  # one argument a table
    hosts: pd.DataFrame,
    attempts: pd.DataFrame,
    timeline: pd.DataFrame,
    coverage: pd.DataFrame,
    incident: Incident,
    cause: Cause,
) -> list[_Host]:
    names = hosts["host"].tolist()
    signs = _signs(names, attempts, timeline, incident, cause)
    last = _last_records(timeline, coverage)
    covered = _covered(names, coverage, incident)
    days, cuts = _days(names, signs, last)
    since, by = hours.find_clock_change(days)
    if by:
        clock = _Clock(since * hours.DAY + int(np.median(cuts)), by)
        signs = [Signs(*map(clock.on_one, own)) for own in signs]
        last = {name: int(clock.on_one(np.array([end]))[0]) for name, end in last.items()}
        covered = [(clock.on_one(start), clock.on_one(end)) for start, end in covered]
        hosts, cause = clock.hosts(hosts), clock.cause(cause)
        days, cuts = _days(names, signs, last)
    onset = _ticks(hosts["onset"].fillna(pd.Timestamp(NEVER, tz="UTC"))).tolist()
    spells = find_spells(hosts, signs, last, cause, covered)
    begin, end = _edges(days, spells, _session_minutes(timeline, attempts))

    def logged(n: int, number: Ints) -> Bools:
        if not len(covered[n][0]):  # attempts from elsewhere: nothing tells what is missing
            return np.ones(len(number), dtype=bool)
        starts, length = _working_hours(number, cuts[n], begin[n], end[n])
        return _seen(covered[n], starts, length) >= COVERED

    calendars = habits.read_calendars(days, logged)
    broken = [
        _touched(own, c.number * hours.DAY + cut + hours.DAY // 2)
        for own, c, cut in zip(spells, calendars, cuts, strict=True)
    ]
    work = habits.find_work(calendars, broken)
    out = outages_by_host(cause)
    outages = [out.get(name, []) for name in names]
    parts = zip(
        names, signs, days, cuts, spells, covered, outages, work, begin, end, onset, strict=True
    )
    return [_Host(*part) for part in parts]


class _Clock(NamedTuple):
    """A change of the clock that all hosts share; taken out, the working day stays where it was."""

    since: int
    by: int

    def on_one(self, ticks: Ints) -> Ints:
        """Put instants (ns) on the clock of before."""
        return ticks + self.by * (ticks >= self.since)

    def times(self, times: pd.Series[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
        """Put a column of times on it."""
        later = times >= pd.Timestamp(self.since, tz="UTC")
        return times.where(~later, times + pd.Timedelta(self.by, unit="ns"))

    def hosts(self, hosts: pd.DataFrame) -> pd.DataFrame:
        """Put on it what a table of hosts says of their failures."""
        return hosts.assign(**{n: self.times(hosts[n]) for n in ("onset", "recovered_at")})

    def cause(self, cause: Cause) -> Cause:
        """Put on it when what is held responsible was at work."""
        bad = cause.bad.assign(**{n: self.times(cause.bad[n]) for n in ("start", "end")})
        outages = tuple(
            replace(
                o, start=self.times(pd.Series([o.start]))[0], end=self.times(pd.Series([o.end]))[0]
            )
            for o in cause.outages
        )
        return replace(cause, bad=bad, outages=outages)


def _days(
    names: Sequence[str], signs: Sequence[Signs], last: Mapping[str, int]
) -> tuple[list[Days], list[int]]:
    """Find the days of use of each host, and when each of its days ends."""
    cuts = _cuts(signs)
    days = [
        hours.find_days(own.tries, own.on, own.off, cut=cut, until=last.get(name, -1))
        for name, own, cut in zip(names, signs, cuts, strict=True)
    ]
    return days, cuts


def _signs(
    names: Sequence[str],
    attempts: pd.DataFrame,
    timeline: pd.DataFrame,
    incident: Incident,
    cause: Cause,
) -> list[Signs]:
    """Cut attempts, successes, failures of the fault, and switching on and off by host."""
    tries = attempts[attempts["outcome"].isin(("success", "failure")) & attempts["time"].notna()]
    symptom = (tries["outcome"] == "failure") & incident.is_symptom(tries["code"])
    facts = timeline[(timeline["time_basis"] == "utc") & timeline["time"].notna()]
    parts = [
        _by_host(table)
        for table in (
            tries,
            tries[tries["outcome"] == "success"],
            tries[symptom & cause.at_work(tries)],
            facts[facts["action"].isin(hours.ON)],
            facts[facts["action"].isin(hours.OFF)],
        )
    ]
    return [Signs(*(part.get(name, NOTHING) for part in parts)) for name in names]


def _ticks(times: pd.Series[pd.Timestamp]) -> Ints:
    return np.asarray(times.dt.as_unit("ns").astype("int64"), dtype=np.int64)


def _by_host(table: pd.DataFrame, column: str = "time") -> Mapping[str, Ints]:
    """Cut a column of instants by host, each part sorted."""
    number, names = pd.factorize(table["host"])
    ticks = _ticks(table[column])
    order = np.lexsort((ticks, number))
    places = np.searchsorted(number[order], np.arange(1, len(names)))
    return dict(zip(names, np.split(ticks[order], places), strict=len(names) > 0))


def _covered(
    names: Sequence[str], coverage: pd.DataFrame, incident: Incident
) -> list[tuple[Ints, Ints]]:
    """From and to of the spans in which a session of each host would have been logged."""
    seen = coverage[coverage["channel"].isin(activity_channels(incident.activity))]
    start, end = _by_host(seen, "start"), _by_host(seen, "end")
    return [(start.get(name, NOTHING), end.get(name, NOTHING)) for name in names]


def _last_records(timeline: pd.DataFrame, coverage: pd.DataFrame) -> Mapping[str, int]:
    """Return how far the evidence of each host reaches."""
    ends = [coverage.groupby("host")["end"].max(), timeline.groupby("host")["time"].max()]
    latest = pd.concat(ends).dropna().groupby(level=0).max()
    return dict(zip(latest.index, _ticks(latest).tolist(), strict=True))


def _cuts(signs: Sequence[Signs]) -> list[int]:
    """Return when a day of each host ends (ns after midnight UTC, within half a day of the others)."""
    night = _near(hours.night_of(np.concatenate([s.tries for s in signs] or [NOTHING])), 0)
    own = [hours.night_of(s.tries) if len(s.tries) >= OWN_NIGHT else night for s in signs]
    return [_near(cut, night) for cut in own]


def _near(time: int, other: int) -> int:
    """Move a time of day by whole days to within half a day of another, so that dates agree."""
    return (time - other + hours.DAY // 2) % hours.DAY + other - hours.DAY // 2


def _session_minutes(timeline: pd.DataFrame, attempts: pd.DataFrame) -> float:
    """Return the usual (median) length of a session, from the success to the end that is logged."""
    ends = timeline.loc[timeline["action"] == "session_ended", ["host", "connection", "time"]]
    begun = attempts.loc[attempts["outcome"] == "success", ["host", "connection", "time"]]
    both = begun.merge(ends, on=["host", "connection"], suffixes=("", "_end"))
    minutes = (both["time_end"] - both["time"]).dt.total_seconds() / 60
    minutes = minutes[(minutes > 0) & (minutes < hours.DAY / hours.HOUR * 30)]
    return float(minutes.median()) if len(minutes) else SESSION


# ------------------------------------------------------------------ habits


def _edges(
    days: Sequence[Days], spells: Sequence[tuple[Spell, ...]], reach: float
) -> tuple[Floats, Floats]:
    """Learn when work begins and ends: hosts by times of day."""
    free = [_free(own, spans) for own, spans in zip(days, spells, strict=True)]
    # Who fails gives up for the day: such a last attempt says little of when work ends, but for a
    # host that only ever failed, the first one is all there is of its own.
    first = [own if own.any() else ~own for own in free]
    last = free if any(own.any() for own in free) else first

    def count(instants: Sequence[Ints]) -> Floats:
        rows = [hours.count_signs(own[own >= 0]) for own in instants]
        return np.array(rows).reshape(-1, hours.BINS)

    begin = hours.learn_edge(
        count([own.on for own in days]),
        count([own.first[kept] for own, kept in zip(days, first, strict=True)]),
    )
    end = hours.learn_edge(
        hours.backwards(count([own.off for own in days])),
        hours.backwards(count([own.last[kept] for own, kept in zip(days, last, strict=True)])),
        reach=reach,
    )
    return begin, hours.backwards(end)


def _touched(spells: Sequence[Spell], at: Ints, slack: int = 0) -> Bools:
    """Mark instants in a time without service, or so near to it."""
    marks = np.zeros(len(at), dtype=bool)
    for spell in spells:
        marks |= (at > spell.start[0] - slack) & (at < spell.end[1] + slack)
    return marks


def _free(days: Days, spells: Sequence[Spell]) -> Bools:
    """Mark the days that no time without service touches."""
    at = np.where(days.first >= 0, days.first, days.on)
    return ~_touched(spells, at, hours.DAY // 2)


def _working_hours(number: Ints, cut: int, begin: Floats, end: Floats) -> tuple[Ints, int]:
    """Return when work begins on days of a host (ns since 1970), and how long it lasts (medians)."""
    at = hours.middle(begin)
    length = max((hours.middle(end) - at) % hours.DAY, hours.HOUR)
    return number * hours.DAY + cut + (at - cut) % hours.DAY, length


def _seen(covered: tuple[Ints, Ints], starts: Ints, length: int) -> Floats:
    """Return the share of working hours in which a session would have been logged."""
    seen = np.zeros(len(starts))
    for low, high in zip(*covered, strict=True):
        seen += (np.minimum(starts + length, high) - np.maximum(starts, low)).clip(0)
    return seen / length


class _Pattern(NamedTuple):
    """How the sessions of the fleet lie in its working days (0 begin, 1 end)."""

    places: Floats
    days: Floats  # attempts of each ordinary day, sorted, infinity after the last: days by attempts


def _sessions(fleet: Sequence[_Host], hit: Bools) -> tuple[Floats, _Pattern]:
    """Learn the rate of sessions of each host, and at which places of a working day they begin."""
    counts, chances, places, days = [], [], [np.array([])], []
    for host in fleet:
        free = _ordinary(host)
        number, chance = host.work.number[free], host.work.chance[free]
        starts, length = _working_hours(number, host.cut, host.begin, host.end)
        day, place = _placed(host.signs.worked, host, starts, length)
        counts.append(np.bincount(day, minlength=len(number)))
        chances.append(chance)
        places.append(place)
        day, place = _placed(host.signs.tries, host, starts, length)
        days += np.split(place, np.searchsorted(day, np.arange(1, len(number))))
    firsts = np.full((max(len(days), 1), max(map(len, days), default=0) + 1), np.inf)
    for row, place in zip(firsts, days, strict=False):
        row[: len(place)] = place
    pattern = _Pattern(np.sort(np.concatenate(places)), firsts)
    return habits.learn_rates(counts, chances, hit, seed=SEED), pattern


def _placed(ticks: Ints, host: _Host, starts: Ints, length: int) -> tuple[Ints, Floats]:
    """Return for the instants on some days of a host which of them, and the place in that day."""
    number = (starts - host.cut) // hours.DAY
    day = (ticks - host.cut) // hours.DAY
    ticks, day = ticks[np.isin(day, number)], day[np.isin(day, number)]
    where = np.searchsorted(number, day)
    half = (hours.DAY - length) // 2  # a session shortly before work begins is no later one
    since = (ticks - starts[where] + half) % hours.DAY - half if len(where) else ticks
    return where, (since / length).clip(0, 1)


def _ordinary(host: _Host) -> Bools:
    """Mark working days without the fault or an outage, on which a session would have been logged."""
    starts, length = _working_hours(host.work.number, host.cut, host.begin, host.end)
    free = (host.work.chance > 0) & (_seen(host.covered, starts, length) >= COVERED)
    back = np.append(host.signs.worked, NEVER)  # before a success nobody knows that it works again
    down = [
        (spell.start[0], back[np.searchsorted(host.signs.worked, spell.end[1])])
        for spell in host.spells
    ]
    for low, high in [*down, *host.outages]:
        free &= (starts + length <= low) | (starts >= high)
    return free


# ------------------------------------------------------------------ what was lost


class _Luck(NamedTuple):
    """What is in doubt for all hosts alike, by draws."""

    begin: Floats  # minutes
    end: Floats
    cured: Floats  # where in its interval an end lies that all hosts have in common


def _luck(rng: np.random.Generator) -> _Luck:
    return _Luck(hours.draw_lag(rng), hours.draw_lag(rng), rng.random(hours.SAMPLES))


def _lost(
    host: _Host, rate: Floats, pattern: _Pattern, luck: _Luck, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return draws of the hours and the sessions lost."""
    begin, end = hours.draw(host.begin, rng, luck.begin), hours.draw(host.end, rng, luck.end)
    there = host.work.drawn(rng)
    length = ((end - begin) % hours.DAY).clip(hours.HOUR)
    starts = host.work.number[:, None] * hours.DAY + host.cut + (begin - host.cut) % hours.DAY
    spans = [(spell, *spell.drawn(rng, luck.cured)) for spell in host.spells]
    felt = np.full(hours.SAMPLES, min([s.felt for s in host.spells], default=NEVER))
    felt[felt == NEVER] = host.onset
    for low in (low for spell, low, _ in spans if spell.hidden):
        felt = np.minimum(felt, _first_unseen(host, pattern, starts, length, low, there, rng))
    time, would, unseen, had = (np.zeros(hours.SAMPLES) for _ in range(4))
    worked = host.signs.worked
    for _, low, high in spans:
        inside = np.minimum(starts + length, high) - np.maximum(starts, np.maximum(low, felt))
        time += (inside.clip(0) * there).sum(axis=0) / hours.HOUR
        part = habits.share_before(pattern.places, (high - starts) / length)
        part -= habits.share_before(pattern.places, (low - starts) / length)
        part *= there
        would += part.sum(axis=0)
        unseen += part[~host.work.logged].sum(axis=0)
        had += np.searchsorted(worked, high) - np.searchsorted(worked, low)
    had *= 1 + unseen / (would - unseen).clip(1)  # what came up unseen, as often as what was seen
    return time, (would * rate - had).clip(0)


def _first_unseen(  # noqa: PLR0913, PLR0917  # the draws of one host, and where to look
    host: _Host,
    pattern: _Pattern,
    starts: Ints,
    length: Ints,
    low: Ints,
    there: Bools,
    rng: np.random.Generator,
) -> Ints:
    """Draw the first attempt after `low` of the days on which none would have been logged."""
    since = np.where(host.work.logged[:, None], np.inf, (low - starts) / length)
    place = habits.draw_first(pattern.days, since, there, rng)
    first = np.where(place < np.inf, starts + place.clip(max=1) * length, NEVER)
    return np.asarray(first.min(axis=0, initial=NEVER), dtype=np.int64)


def _estimates(draws: Floats) -> Floats:
    """Return of hosts by draws: estimate, low and high end, and part in the error of the sum.

    The parts are the hosts' covariances with the sum, scaled so that they add up to the half-width
    of the sum's 90 % interval.
    """
    total = draws.sum(axis=0)
    low, high = np.quantile(draws, TAILS, axis=1)
    half = float(np.subtract(*np.quantile(total, TAILS[::-1]))) / 2
    spread = float(total.var())
    share = (draws - draws.mean(axis=1, keepdims=True)) @ (total - total.mean()) / len(total)
    return np.array([draws.mean(axis=1), low, high, share * (half / spread if spread else 0.0)])
