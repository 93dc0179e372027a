"""Working hours: when the user of a host is at work, learned from the signs that the host gives.

A working day is not logged. Two things about it are: a machine is switched on a little before its
user begins, and the first attempt of the day comes some time after; in the evening the same in the
mirror. From many days of a host, and from the other hosts where it says little, follows when work
begins and ends, and how sure that is. This file knows times of use; it does not know why a host
was down.

Times of day are places on a circle of 24 hours of UTC, cut into `BINS` steps, so a late shift or an
office across the ocean is nothing special.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from kitlib.stats import Floats, Ints

ON: Final = ("boot", "resume")
"""Actions that switch a machine on."""

OFF: Final = ("shutdown", "sleep")
"""Actions that switch a machine off."""

HOUR: Final = 3_600_000_000_000  # nanoseconds
DAY: Final = 24 * HOUR
STEP: Final = 5  # minutes
BINS: Final = 24 * 60 // STEP
SAMPLES: Final = 200
"""Draws a host that carry the uncertainty on: each is one way in which its days may have been."""

LONG_OFF: Final = 2 * HOUR
"""A machine that is off for less is being restarted, or sleeps over lunch."""

LONG_ON: Final = 2 * HOUR
"""A machine that is on for less, and tries nothing, woke to install something."""

NIGHT: Final = 6 * 60 // STEP
"""Length of the quietest stretch of a day; its middle is where one day ends and the next begins."""

VARIES: Final = (1.0, 4.0, 12.0, 35.0)
"""Minutes by which a working day's begin and end vary from day to day (standard deviation)."""

IDLE: Final = (4.0, 6.0, 9.0, 14.0, 21.0, 32.0, 48.0)
"""Mean minutes between switching on and the begin of work, or its end and switching off."""

WAITS: Final = (16.0, 26.0, 42.0, 67.0, 107.0, 170.0, 270.0)
"""Mean minutes between the begin of work and the first attempt, or the last one and the end."""

SHAPES: Final = ("soon", "even", "later")
"""How waits are spread about their mean: mostly short ones (exponential), any up to twice the mean,
or none shorter than half of it (up to one and a half times)."""

ODD: Final = 0.05
"""Share of days on which a sign says nothing about the working day."""

TELLING: Final = 3
"""Signs from which on a host says something about its own hours."""

ALIKE: Final = 0.85
"""Weight of the other hosts' working hours before a host's own signs; the rest is any hour."""

LAG: Final = 3.0
"""Minutes (standard deviation) by which begin and end of a host are uncertain beyond what signs can
show: the shapes of the waits are not known."""

COMMON_LAG: Final = 3.0
"""The same for all hosts alike: people of one office have much the same ways."""

CLOCK_CHANGE: Final = (45.0, 75.0)
"""Minutes by which the working day of a whole fleet moves when summer time begins or ends."""

AGREE: Final = 0.75
"""Share of the hosts that have to move so, and `TELLING` of them at least."""


_NEVER: Final = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """Days of one host on which it shows signs of use, one entry a day.

    Attributes
    ----------
    number
        Days since 1970, counted from `cut` of each day.
    on, off
        Switched on and off (ns since 1970), -1 where it was not on that day.
    first, last
        First and last attempt, -1 where there was none.
    """

    number: Ints
    on: Ints
    off: Ints
    first: Ints
    last: Ints


def night_of(ticks: Ints) -> int:
    """Return the time of day (ns after midnight UTC) in the middle of the quietest stretch.

    Examples
    --------
    >>> night_of(np.array([8, 9, 12, 16], dtype=np.int64) * HOUR) // HOUR
    0
    """
    counts = np.bincount((ticks % DAY) * BINS // DAY, minlength=BINS).astype(float)
    around = np.concatenate([counts, counts]).cumsum()
    busy = around[NIGHT : NIGHT + BINS] - around[:BINS]
    quiet = np.flatnonzero(busy == busy.min())
    # The middle of the longest run of equally quiet stretches, around the circle.
    runs = np.split(quiet, np.flatnonzero(np.diff(quiet) > 1) + 1)
    if len(runs) > 1 and runs[0][0] == 0 and runs[-1][-1] == BINS - 1:
        runs[0] = np.concatenate([runs.pop() - BINS, runs[0]])
    run = max(runs, key=len)
    return int((run[len(run) // 2] + 1 + NIGHT // 2) % BINS) * (DAY // BINS)


def find_days(tries: Ints, on: Ints, off: Ints, *, cut: int, until: int = -1) -> Days:
    """Find the days of use of one host.

    Parameters
    ----------
    tries, on, off
        Sorted instants (ns since 1970) of attempts, of switching on and of switching off.
    cut
        Time of day (ns) at which a day ends, see `night_of`.
    until
        The host's last record of any kind, where it is known: it was on then.

    Returns
    -------
    Days
        A day with attempts begins with the switching on before the first and ends with the
        switching off after the last, where these are of the same day. A day without is one on
        which the machine was on for `LONG_ON`.
    """
    starts, ends = _on_times(on, off)
    day, first, last = _by_day(tries, cut)
    at, to = np.searchsorted(starts, first, "right") - 1, np.searchsorted(ends, last, "left")
    begin = np.where(at >= 0, starts[at.clip(0)], -1) if len(starts) else np.full(len(day), -1)
    end = np.where(to < len(ends), ends[to.clip(0, len(ends) - 1)], -1)
    begin = np.where((begin >= 0) & ((begin - cut) // DAY == day), begin, -1)
    end = np.where((end >= 0) & ((end - cut) // DAY == day), end, -1)
    idle: dict[int, tuple[int, int]] = {}
    for low, high in zip(starts.tolist(), ends.tolist(), strict=True):
        number, seen = (low - cut) // DAY, max(min(high, until), low) if high == _NEVER else high
        if low >= 0 and seen - low >= LONG_ON and (seen - cut) // DAY == number:
            idle.setdefault(number, (low, high if high < _NEVER else -1))
    for number in day.tolist():
        idle.pop(number, None)
    extra = np.array([(n, *span) for n, span in idle.items()], dtype=np.int64).reshape(-1, 3)
    none = np.full(len(extra), -1, dtype=np.int64)
    order = np.argsort(np.concatenate([day, extra[:, 0]]), kind="stable")
    return Days(
        *(
            np.concatenate(pair).astype(np.int64)[order]
            for pair in (
                (day, extra[:, 0]),
                (begin, extra[:, 1]),
                (end, extra[:, 2]),
                (first, none),
                (last, none),
            )
        )
    )


def _on_times(on: Ints, off: Ints) -> tuple[Ints, Ints]:
    """Return from and to of the times a machine was on; short breaks are none.

    The first begins before all signs (-1), the last ends after all (the largest integer).
    """
    signs = np.concatenate([on, off])
    order = np.argsort(signs, kind="stable")
    signs, is_on = signs[order], (np.arange(len(signs)) < len(on))[order]
    turn = np.flatnonzero(~is_on[:-1] & is_on[1:]) if len(signs) else np.array([], dtype=np.int64)
    turn = turn[signs[turn + 1] - signs[turn] >= LONG_OFF]
    starts, ends = signs[turn + 1], signs[turn]
    if len(signs) and is_on[0]:
        starts = np.concatenate([signs[:1], starts])
    else:
        starts = np.concatenate([[-1], starts])
    final = signs[-1] if len(signs) and not is_on[-1] else _NEVER
    return starts.astype(np.int64), np.concatenate([ends, [final]]).astype(np.int64)


def _by_day(ticks: Ints, cut: int) -> tuple[Ints, Ints, Ints]:
    """Return the days of sorted instants, and the first and last instant of each."""
    days, starts = np.unique((ticks - cut) // DAY, return_index=True)
    ends = np.append(starts[1:], len(ticks)) - 1
    return days, ticks[starts], ticks[ends[: len(starts)]]


def count_signs(ticks: Ints) -> Floats:
    """Count instants by time of day: `BINS` numbers."""
    place = np.minimum(ticks % DAY * BINS // DAY, BINS - 1)
    return np.bincount(place, minlength=BINS).astype(float)


def learn_edge(outer: Floats, inner: Floats, *, reach: float = 0.0) -> Floats:
    """Learn when the working day of each host begins.

    Parameters
    ----------
    outer, inner
        Hosts by `BINS`: how often the host was switched on, and first tried, at each time of day.
        For the end of the day hand both over with the time running backwards (`backwards`).
    reach
        Minutes that work may go beyond the last attempt of the latest days, where nothing shows the
        machine switched off: the usual length of a session.

    Returns
    -------
    numpy.ndarray
        Hosts by `BINS`: the probability that work begins at each time of day.

    Notes
    -----
    Work begins at one time of day, from day to day earlier or later by some minutes (`VARIES`). The
    machine is on before by an exponential wait of unknown mean (`IDLE`), the first attempt follows
    after another (`WAITS`); some signs mean nothing (`ODD`). The times at which the other hosts'
    work begins are the prior of each (empirical Bayes, each host left out of its own prior).

    Assumes one habit over the whole evidence: a change of the shift in between widens the result
    (a change of the clock is taken out before, see `find_clock_change`). Fails for hosts that several people use in turn.
    """
    before, after = _tables()
    log = np.full((len(outer), BINS), -np.inf)
    for number in range(len(VARIES)):
        parts = (
            _likelihood(outer, before[number]) + _likelihood(inner[:, ::-1], after[number])[:, ::-1]
        )
        log = np.logaddexp(log, parts)
    likelihood = np.exp(log - log.max(axis=1, keepdims=True))
    telling = (outer.sum(axis=1) + inner.sum(axis=1)) >= TELLING
    if reach:
        blind = outer.sum(axis=1) < TELLING
        likelihood[blind] = _reaching(likelihood[blind], reach)
    prior = np.full((len(outer), BINS), 1 / BINS)
    for _ in range(4):
        post = prior * likelihood
        post /= post.sum(axis=1, keepdims=True)
        told = _smooth(post) * telling[:, None]
        others = (told.sum(axis=0) - told) / np.maximum(telling.sum() - telling, 1)[:, None]
        prior = ALIKE * others + (1 - ALIKE * others.sum(axis=1, keepdims=True)) / BINS
    return np.asarray(post)


def backwards(counts: Floats) -> Floats:
    """Let the time of day run backwards: the end of the day becomes its begin."""
    return np.asarray(counts[:, ::-1])


def _reaching(rows: Floats, reach: float) -> Floats:
    """Let the day begin earlier (end later) than signs tell, by up to `reach`; rather by less."""
    steps = np.arange(max(int(reach // STEP), 1))
    weight = (1 - steps / len(steps)) ** 2
    moved = [w * np.roll(rows, -int(step), axis=1) for step, w in zip(steps, weight, strict=True)]
    return np.asarray(np.sum(moved, axis=0) / weight.sum())


def _smooth(rows: Floats) -> Floats:
    """Spread each probability over a quarter of an hour on either side."""
    return np.asarray(np.mean([np.roll(rows, shift, axis=1) for shift in range(-3, 4)], axis=0))


def _likelihood(counts: Floats, tables: Floats) -> Floats:
    """Log likelihood of signs at each time of begin, the mean wait averaged out (hosts by BINS)."""
    spectrum = np.fft.rfft(counts, axis=1)
    logs = np.fft.irfft(spectrum * np.fft.rfft(tables)[:, np.newaxis], n=BINS, axis=2)
    greatest = logs.max(axis=0)
    logs -= greatest
    np.exp(logs, out=logs)
    return np.asarray(np.log(logs.mean(axis=0)) + greatest)


@cache
def _tables() -> tuple[Floats, Floats]:
    """Log probability of each wait (in steps around the circle), by spread, and shape and mean."""
    out = [
        np.array(
            [
                [_table(spread, mean, shape) for shape in shapes for mean in means]
                for spread in VARIES
            ]
        )
        for means, shapes in ((IDLE, SHAPES[:2]), (WAITS, SHAPES))
    ]
    return out[0], out[1]


def _table(spread: float, mean: float, shape: str) -> Floats:
    """Log probability of one kind of wait: its shape, blurred by the spread of the days."""
    minute = np.arange(24 * 60) - 12 * 60 + 0.5
    if shape == "soon":
        wait = np.where(minute > 0, np.exp(-minute.clip(0) / mean), 0.0)
    else:
        low, high = (0.0, 2 * mean) if shape == "even" else (mean / 2, mean * 1.5)
        wait = ((minute > low) & (minute < high)).astype(float)
    blur = np.exp(-((minute / spread) ** 2) / 2)
    for kernel in (
        blur,
        (np.abs(minute) < STEP / 2).astype(float),
        (np.abs(minute) < STEP / 2).astype(float),
    ):
        spectrum = np.fft.rfft(wait) * np.fft.rfft(np.fft.ifftshift(kernel / kernel.sum()))
        wait = np.fft.irfft(spectrum, n=len(minute)).clip(0)
    # The table begins with no wait; the later half of the circle are waits that ended before.
    at = np.roll(np.arange(BINS) - BINS // 2, BINS // 2) * STEP + 12 * 60
    density = wait[at % len(minute)] + wait[(at - 1) % len(minute)]
    return np.asarray(np.log((1 - ODD) * density / density.sum() + ODD / BINS))


def draw(edge: Floats, rng: np.random.Generator, lag: Floats | float = 0.0) -> Ints:
    """Draw `SAMPLES` times of day (ns) from the probabilities of one host (`BINS` numbers).

    `lag` are minutes that all hosts share (`draw_lag`).
    """
    strata = (np.arange(SAMPLES) + 0.5) / SAMPLES
    place = np.searchsorted(edge.cumsum() / edge.sum(), rng.permutation(strata))
    minutes = (place + rng.random(SAMPLES)) * STEP + rng.normal(0, LAG, SAMPLES) + lag
    return np.asarray(minutes * 60e9, dtype=np.int64) % DAY


def draw_lag(rng: np.random.Generator) -> Floats:
    """Draw by how many minutes the working day of every host differs from what signs tell."""
    return rng.normal(0, COMMON_LAG, SAMPLES)


def find_clock_change(days: Sequence[Days]) -> tuple[int, int]:
    """Find the day from which on the whole fleet works an hour earlier or later.

    Parameters
    ----------
    days
        Days of use of each host.

    Returns
    -------
    tuple of int
        The first such day (days since 1970), and what to add to its instants and all later ones so
        that the working day stays where it was (ns; 0 without such a day).

    Notes
    -----
    Signs of all hosts (on, off, first and last attempt) are measured against the host's own median;
    the cut that explains most of their variance is tried. Its size has to be about an hour
    (`CLOCK_CHANGE`), and most hosts have to show it for themselves (`AGREE`).

    Assumes one such change in the evidence. Fails where offices change their clocks on different
    dates, and sees none where few hosts are switched off at night.
    """
    host, day, minute = _deviations(days)
    if not len(host):
        return 0, 0
    first = day.min()
    number = np.bincount(day - first)
    total = np.bincount(day - first, weights=minute.clip(-90, 90))
    n, m = number.cumsum()[:-1], total.cumsum()[:-1]
    left = n * (len(day) - n) > 0
    if not left.any():
        return 0, 0
    gain = (m / n.clip(1) - (total.sum() - m) / (len(day) - n).clip(1)) ** 2 * n * (len(day) - n)
    cut = first + int(np.where(left, gain, -1).argmax()) + 1
    moved = np.array([_moved(day[host == h] >= cut, minute[host == h]) for h in np.unique(host)])
    moved = moved[~np.isnan(moved)]
    by = float(np.median(moved)) if len(moved) >= TELLING else 0.0
    alike = np.abs(moved - by) < CLOCK_CHANGE[1] - CLOCK_CHANGE[0]
    if not CLOCK_CHANGE[0] <= abs(by) <= CLOCK_CHANGE[1] or alike.mean() < AGREE:
        return 0, 0
    return int(cut), -int(np.sign(by)) * HOUR


def _deviations(days: Sequence[Days]) -> tuple[Ints, Ints, Floats]:
    """Return host, day and minutes after the host's median of each sign that a day gives."""
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for n, own in enumerate(days):
        for sign in (own.on, own.off, own.first, own.last):
            there = sign >= 0
            if there.sum() >= 2 * TELLING:
                minute = (sign[there] - own.number[there] * DAY) / (HOUR / 60)
                number = own.number[there]
                parts.append((np.full(len(number), n), number, minute - np.median(minute)))
    host, day, minute = (np.concatenate(column) for column in zip(*parts, strict=True))
    return host, day, minute


def _moved(after: npt.NDArray[np.bool_], minute: Floats) -> float:
    """Return by how much the median of one host's signs moves; nan where it shows too few."""
    if min(after.sum(), (~after).sum()) < 2 * TELLING:
        return np.nan
    return float(np.median(minute[after]) - np.median(minute[~after]))


def middle(edge: Floats) -> int:
    """Return the middle (median) time of day (ns) of the probabilities of one host.

    Examples
    --------
    >>> edge = np.zeros(BINS)
    >>> edge[[0, 1, BINS - 1]] = 1 / 3
    >>> middle(edge) / (DAY / BINS)
    0.5
    """
    first = int(edge.argmax()) - BINS // 2
    around = np.roll(edge, -first).cumsum()
    place = int(np.searchsorted(around, around[-1] / 2)) + first
    return int((place + 0.5) % BINS * (DAY // BINS))
