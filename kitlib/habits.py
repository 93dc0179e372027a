"""What a host would have done: the days its user was at work, and the sessions a working day brings.

A day with an attempt is a working day. A day without one is, if the machine shows that it was in
use, or if it is never switched off and the day is one of its weekdays, unless the user was away; how
likely that is follows from how long the run of such days is. The habit of sessions is learned from
days on which no fault was active, and leans on the fleet where the host says little. This file knows
days and counts; it does not know what a fault is.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from kitlib import hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from kitlib.stats import Floats, Ints

    Bools = npt.NDArray[np.bool_]

SWITCHED: Final = 0.5
"""Share of a host's days on which it is seen switched on or off, from which on a day without any
sign is a day on which it was off."""

QUIET: Final = (1.0, 4.0)
"""Beta prior of the share of working days that pass without an attempt while nothing works."""

ABSENCES: Final = (1.0, 100.0)
"""Gamma prior of how many absences (leave, illness) begin a working day: so many, in so many days."""

LEAVE: Final = 4.0
"""Mean length of an absence in working days (geometric)."""

LONGEST_RUN: Final = 25
"""In a longer run of days without attempts the user is taken to be away."""

WORKED: Final = 0.25
"""A weekday is a working day of a host if it is used at least this often, against its usual day; and
a date on which less than this share of the usual number of hosts is in use is a holiday."""

FLEET: Final = 1.0
"""Weeks of a host's own that weigh as much as the fleet when its weekdays are learned."""

LEAST_SPREAD: Final = 0.3
"""Sessions a day vary at least this much, as a share of what chance alone (Poisson) would do."""


class Run(NamedTuple):
    """Days in a row without an attempt, and which of them an absence may fill.

    Attributes
    ----------
    days
        Places among the days of the window.
    absent
        Days by possible absences; the first is none at all.
    weight
        Probability of each of these.
    """

    days: Ints
    absent: Bools
    weight: Floats


class Work(NamedTuple):
    """Days of the window, and on which of them a host's user was at work.

    Attributes
    ----------
    number
        Days since 1970 (`kitlib.hours.Days.number`).
    chance
        Probability of each to be a working day.
    logged
        Whether an attempt on that day would have been logged.
    runs
        Where it is in doubt that the user was at work.
    """

    number: Ints
    chance: Floats
    logged: Bools
    runs: tuple[Run, ...]

    def drawn(self, rng: np.random.Generator) -> Bools:
        """Draw on which days the user was at work: days by draws."""
        there = np.repeat((self.chance > 0)[:, None], hours.SAMPLES, axis=1)
        for run in self.runs:
            pick = np.searchsorted(run.weight.cumsum(), rng.random(hours.SAMPLES))
            there[run.days] = ~run.absent[:, pick.clip(0, len(run.weight) - 1)]
        return there


class Calendar(NamedTuple):
    """What one host shows of each day of the window.

    Attributes
    ----------
    number
        Days since 1970.
    tried
        Whether there was an attempt.
    usual
        Whether it looks like a working day.
    logged
        Whether an attempt would have been logged.
    """

    number: Ints
    tried: Bools
    usual: Bools
    logged: Bools


def read_calendars(
    days: Sequence[hours.Days], logged: Callable[[int, Ints], Bools]
) -> list[Calendar]:
    """Say for each host which days of the fleet's window look like working days.

    Parameters
    ----------
    days
        The days of use of each host.
    logged
        Says of the host at a place, for days, whether an attempt would have been logged.

    Notes
    -----
    For a machine that is switched off at night (`SWITCHED`) these are the days on which it was on.
    For any other, and before switching on and off is logged, they are its weekdays, without dates
    on which hardly any host that shows itself before and after is in use.

    Fails for a machine that is on though nobody is there: its user's leave is seen by the missing
    attempts only, see `find_work`.
    """
    numbers = np.concatenate([d.number for d in days] or [np.array([], dtype=np.int64)])
    if not len(numbers):
        none = np.array([], dtype=bool)
        return [Calendar(numbers, none, none, none) for _ in days]
    window = np.arange(numbers.min(), numbers.max() + 1)
    open_day = _open_days(days, window)
    usually = np.bincount(numbers % 7, minlength=7) / np.bincount(numbers % 7).max()
    out = []
    for n, own in enumerate(days):
        tried, shown = np.zeros(len(window), dtype=bool), np.zeros(len(window), dtype=bool)
        tried[own.number[own.first >= 0] - window[0]] = True
        shown[own.number - window[0]] = True
        told = logged(n, window)
        weeks = np.bincount(window[(told | shown) & open_day] % 7, minlength=7)
        share = (np.bincount(own.number % 7, minlength=7) + FLEET * usually) / (weeks + FLEET)
        usual = (share >= WORKED * share.max())[window % 7] & open_day
        switched = (own.on >= 0) | (own.off >= 0)
        since = own.number[switched].min(initial=window[-1] + 1)
        if switched[own.number >= since].sum() > SWITCHED * (own.number >= since).sum():
            usual = np.where(window >= since, shown, usual)
        out.append(Calendar(window, tried, usual | tried, told))
    return out


def _open_days(days: Sequence[hours.Days], window: Ints) -> Bools:
    """Mark dates on which a usual share of the hosts that could show themselves is in use."""
    in_use, there = np.zeros(len(window)), np.zeros(len(window))
    for own in days:
        if len(own.number):
            at = own.number - window[0]
            in_use[at] += 1
            there[at.min() : at.max() + 1] += 1
    share = in_use / np.maximum(there, 1)
    return np.asarray((share >= WORKED * np.median(share[in_use > 0])) | (there == 0))


def find_work(calendars: Sequence[Calendar], broken: Sequence[Bools]) -> list[Work]:
    """Give each day of each host its probability of being a working day.

    Parameters
    ----------
    calendars
        As `read_calendars` gives them.
    broken
        For each host the days on which nothing worked for it.

    Returns
    -------
    list of Work

    Notes
    -----
    A working day passes without an attempt with a chance that is learned from the days that follow a
    day with one: of the fleet while nothing works, since wishes fade, and of the host otherwise;
    the greater counts. An absence fills days in a row (`LEAVE`) and needs no such luck; how often
    one begins is learned from the fleet (`ABSENCES`).

    Where no attempt would have been logged, the missing of one says nothing: only absences, as
    often as elsewhere, keep the user from work there.
    """
    idle, after = QUIET[0], sum(QUIET)
    own = []
    for calendar, whole in zip(calendars, broken, strict=True):
        told = calendar.usual & (calendar.logged | calendar.tried)
        tried, down = calendar.tried[told], whole[told]
        quiet, follows = ~tried[1:] & tried[:-1], tried[:-1]
        idle, after = idle + (quiet & down[1:]).sum(), after + (follows & down[1:]).sum()
        own.append((quiet & ~down[1:]).sum() / max((follows & ~down[1:]).sum(), 1))
    chances = [max(idle / after, usually) for usually in own]
    begins = _absences_a_day(calendars, chances)
    return [_work(*both, begins) for both in zip(calendars, chances, strict=True)]


def _absences_a_day(calendars: Sequence[Calendar], quiet: Sequence[float]) -> float:
    """Return how many absences begin a working day in the fleet (expectation maximisation)."""
    used = [
        (list(_in_a_row(c, c.logged & ~c.tried)), int(c.tried.sum()), chance)
        for c, chance in zip(calendars, quiet, strict=True)
        if c.tried.any()  # who never tries shows no absence
    ]
    begins = ABSENCES[0] / ABSENCES[1]
    for _ in range(5):
        number, days = ABSENCES
        for rows, tried, chance in used:
            short = [row for row in rows if len(row) <= LONGEST_RUN]
            number += sum(1 - _weights(len(row), chance, begins)[0] for row in short)
            days += tried + sum(map(len, short))
        begins = number / days
    return float(begins)


def _work(calendar: Calendar, quiet: float, begins: float) -> Work:
    runs = tuple(_runs(calendar, quiet, begins))
    chance = calendar.usual.astype(float)
    for run in runs:
        chance[run.days] = 1 - run.absent @ run.weight
    return Work(calendar.number, chance, calendar.logged, runs)


def _runs(calendar: Calendar, quiet: float, begins: float) -> Iterator[Run]:
    """Yield the runs of working days without an attempt, with the absences they may hold."""
    for days in _in_a_row(calendar, calendar.logged & ~calendar.tried):
        size = len(days)
        if size > LONGEST_RUN:
            yield Run(days, np.ones((size, 1), dtype=bool), np.ones(1))
        else:
            yield Run(days, _absences(size), _weights(size, quiet, begins))
    for row in _in_a_row(calendar, ~calendar.logged & ~calendar.tried):
        for days in np.split(row, range(LONGEST_RUN, len(row), LONGEST_RUN)):
            yield Run(days, _absences(len(days)), _weights(len(days), 1.0, begins))


@cache
def _absences(size: int) -> Bools:
    """List what may be missing of days in a row: none, then each stretch; days by possibilities."""
    low, high = np.triu_indices(size)
    place = np.arange(size)[:, None]
    none = np.zeros((size, 1), dtype=bool)
    return np.asarray(np.concatenate([none, (place >= low) & (place <= high)], axis=1))


def _weights(size: int, quiet: float, begins: float) -> Floats:
    """Return the probability of each of `_absences` where a day at work is `quiet` so often."""
    length = _absences(size).sum(axis=0)
    weight = begins / LEAVE * (1 - 1 / LEAVE) ** (length - 1.0) * quiet ** (size - length)
    weight[0] = quiet**size
    return np.asarray(weight / weight.sum())


def _in_a_row(calendar: Calendar, wanted: Bools) -> Iterator[Ints]:
    """Yield the wanted days among the usual ones, cut where one between is not wanted."""
    order = np.flatnonzero(calendar.usual)
    turns = np.flatnonzero(np.diff(wanted[order].astype(int))) + 1
    yield from (days for days in np.split(order, turns) if len(days) and wanted[days[0]])


def learn_rates(
    counts: Sequence[Ints], chances: Sequence[Floats], wanted: Bools, *, seed: int
) -> Floats:
    """Learn how many sessions a working day brings to each host, and draw from what is known.

    Parameters
    ----------
    counts
        For each host the sessions of each of its ordinary days.
    chances
        The probabilities that these were working days.
    wanted
        Hosts for which draws are asked.
    seed
        Of the draws.

    Returns
    -------
    numpy.ndarray
        Hosts by draws; nan where no host tells anything, or none is asked.

    Notes
    -----
    Sessions of a host come at a constant rate a working day, more or less regularly than chance
    (quasi-Poisson; one spread for the fleet). The rates of the hosts are gamma-distributed. Its mean
    and shape are drawn from what the fleet tells of them, each draw the same for all hosts, then
    each host's rate (hierarchical Bayes, approximated). So a draw is one way in which the whole
    fleet may be: the hosts' draws hold what their errors have in common. They tell how well the
    *mean* number of sessions is known, not how far a single week may stray.

    Assumes that weekdays are alike and that a habit does not change over the evidence. A fleet of
    two kinds of users (few sessions, many) pulls each kind a little towards the other.
    """
    total = np.array([float(own.sum()) for own in counts])
    weight = np.array([float(own.sum()) for own in chances])
    draws = np.full((len(counts), hours.SAMPLES), np.nan)
    told = weight > 0
    if not told.any():
        return draws
    spread = _spread(counts, chances)
    rng = np.random.default_rng(seed)
    mean, shape = _prior(total[told] / spread, weight[told] / spread, rng)
    strata = (np.arange(hours.SAMPLES) + 0.5) / hours.SAMPLES
    from scipy.special import gammaincinv  # noqa: PLC0415  # scipy is slow to import

    for n in np.flatnonzero(wanted):
        known = gammaincinv(shape + total[n] / spread, rng.permutation(strata))
        draws[n] = known / (shape / mean + weight[n] / spread)
    return draws


def _spread(counts: Sequence[Ints], chances: Sequence[Floats]) -> float:
    """Return the variance of sessions a day over their mean, from day to day within hosts."""
    squares = free = 0.0
    for own, chance in zip(counts, chances, strict=True):
        if chance.sum() > 1 and own.sum():
            mean = own.sum() / chance.sum()
            squares += float((chance * (own - mean) ** 2).sum() / mean)
            free += float(chance.sum()) - 1
    return max(squares / free, LEAST_SPREAD) if free > FLEET else 1.0


def _prior(counts: Floats, weights: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw mean and shape of the gamma distribution that the hosts' rates come from."""
    from scipy.special import gammaln  # noqa: PLC0415  # scipy is slow to import

    mean = max(float(counts.sum() / weights.sum()), 0.05)
    shapes = np.geomspace(0.5, 200, 40)[:, None]
    log = (
        gammaln(shapes + counts)
        - gammaln(shapes)
        + shapes * np.log(shapes / mean)
        - (shapes + counts) * np.log(shapes / mean + weights)
    ).sum(axis=1)
    weight = np.exp(log - log.max()).cumsum()
    strata = (np.arange(hours.SAMPLES) + 0.5) / hours.SAMPLES
    shape = shapes[np.searchsorted(weight / weight[-1], rng.permutation(strata)), 0]
    known = (mean * weights / (1 + mean * weights / shape[:, None])).sum(axis=1)  # information
    means = mean * np.exp(rng.standard_normal(hours.SAMPLES) / np.sqrt(known + 1))
    return means, shape


def draw_first(days: Floats, since: Floats, there: Bools, rng: np.random.Generator) -> Floats:
    """Draw where in each working day the first attempt after a moment comes.

    Parameters
    ----------
    days
        Observed days by attempts: the places in the working day (0 to 1) at which they came, with
        infinity where there were no more.
    since
        Days of a host by draws: the place in that working day after which attempts count.
    there
        Likewise: whether the user was at work.

    Returns
    -------
    numpy.ndarray
        Days by draws: the place of the first attempt of that day, infinity without one.
    """
    told = days[rng.integers(0, len(days), since.shape)]
    later = np.where(told >= since[..., None], told, np.inf).min(axis=-1)
    return np.where(there, later, np.inf)


def share_before(places: Floats, at: Floats) -> Floats:
    """Return the share of a day's sessions that begin before a place in the working day (0 to 1).

    Parameters
    ----------
    places
        Sorted places at which the fleet's sessions begin; without any they are spread evenly.
    at
        Places asked for, of any shape.
    """
    if not len(places):
        return np.asarray(at.clip(0, 1))
    return np.asarray(np.searchsorted(places, at) / len(places))
