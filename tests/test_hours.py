"""Claims about working hours: a day is seen, its begin and end are learned from many."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from kitlib import hours
from kitlib.hours import BINS, DAY, HOUR, SAMPLES, find_days, learn_edge, middle, night_of

NIGHT = 0  # a day ends at midnight


def ticks(*times):
    """Instants from (day, hour)."""
    return np.array(sorted(day * DAY + int(hour * HOUR) for day, hour in times), dtype=np.int64)


def days_of(tries=(), on=(), off=(), until=-1, cut=NIGHT):
    found = find_days(ticks(*tries), ticks(*on), ticks(*off), cut=cut, until=until)
    columns = (found.number, found.on, found.off, found.first, found.last)
    return [
        tuple(round(v / HOUR, 3) if v >= 24 else int(v) for v in row)
        for row in zip(*columns, strict=True)
    ]


# --- days ----------------------------------------------------------------------------------------


def test_day_begins_with_the_switching_on_and_ends_with_the_switching_off():
    got = days_of([(2, 8.5), (2, 15)], on=[(2, 8)], off=[(2, 17)])
    assert got == [(2, 56.0, 65.0, 56.5, 63.0)]


def test_day_of_a_machine_that_is_never_off_is_its_attempts():
    assert days_of([(2, 8.5), (2, 15)]) == [(2, -1, -1, 56.5, 63.0)]


def test_restart_within_the_day_ends_no_day():
    got = days_of([(2, 8.5), (2, 15)], on=[(2, 8), (2, 12.1)], off=[(2, 12), (2, 17)])
    assert got == [(2, 56.0, 65.0, 56.5, 63.0)]


def test_machine_that_woke_in_the_night_begins_its_day_in_the_morning():
    got = days_of([(2, 8.5)], on=[(2, 1), (2, 8)], off=[(2, 1.5), (2, 17)])
    assert got == [(2, 56.0, 65.0, 56.5, 56.5)]


def test_day_without_an_attempt_counts_where_the_machine_was_on_for_hours():
    assert days_of(on=[(2, 8), (3, 2)], off=[(2, 17), (3, 2.5)]) == [(2, 56.0, 65.0, -1, -1)]


def test_machine_was_on_until_its_last_record():
    until = int(2 * DAY + 15 * HOUR)
    assert days_of(on=[(2, 8)], off=[(1, 17)], until=until) == [(2, 56.0, -1, -1, -1)]
    assert days_of(on=[(2, 8)], off=[(1, 17)]) == []


def test_days_of_nothing_are_none():
    assert days_of() == []


def test_day_may_go_beyond_midnight_of_utc():
    got = days_of([(2, 23), (3, 2)], on=[(2, 22)], off=[(3, 6)], cut=int(12 * HOUR))
    assert got == [(2, 70.0, 78.0, 71.0, 74.0)]


def naive_on_times(on, off):
    """Walk through the signs: off for two hours or more ends a time, the next on begins one."""
    signs = sorted([(t, True) for t in on] + [(t, False) for t in off], key=lambda s: s[0])
    if not signs:
        return [(-1, hours._NEVER)]
    spans, begin = [], signs[0][0] if signs[0][1] else -1
    for (time, is_on), (then, on_then) in itertools.pairwise(signs):
        if not is_on and on_then and then - time >= hours.LONG_OFF:
            spans.append((begin, time))
            begin = then
    return [*spans, (begin, hours._NEVER if signs[-1][1] else signs[-1][0])]


@pytest.mark.parametrize("seed", range(6))
def test_times_on_equal_a_walk_through_the_signs(seed):
    rng = np.random.default_rng(seed)
    on, off = (np.unique(rng.integers(0, 200, rng.integers(0, 12))) * (HOUR // 2) for _ in range(2))
    off = off + HOUR // 4
    starts, ends = hours._on_times(on, off)
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == naive_on_times(
        on.tolist(), off.tolist()
    )


@pytest.mark.parametrize("seed", range(4))
def test_night_is_the_middle_of_the_quietest_six_hours(seed):
    rng = np.random.default_rng(seed)
    begin = rng.integers(0, 24)
    times = ((begin + rng.uniform(0, 10, 60)) % 24 * HOUR).astype(np.int64)

    def signs_around(middle):
        away = np.abs((times - middle + DAY // 2) % DAY - DAY // 2)
        return int((away < 3 * HOUR).sum())

    night = night_of(times)
    assert signs_around(night) == min(signs_around(int(n * DAY / BINS)) for n in range(BINS))
    assert ((night / HOUR - begin) % 24) > 10


# --- begin and end of work -----------------------------------------------------------------------


def naive_edge(outer, inner, reach=0.0):
    """One host after another, one kind of wait after the other, one sign after the other."""

    def log_likelihood(own, first, n):
        waits = []
        for spread in hours.VARIES:
            idle = [
                sum(c * hours._table(spread, m, s)[(n - b) % BINS] for b, c in own)
                for s in hours.SHAPES[:2]
                for m in hours.IDLE
            ]
            wait = [
                sum(c * hours._table(spread, m, s)[(b - n) % BINS] for b, c in first)
                for s in hours.SHAPES
                for m in hours.WAITS
            ]
            waits.append(mean_exp(idle) + mean_exp(wait))
        return mean_exp(waits)

    rows = []
    for own, first in zip(outer, inner, strict=True):
        row = [log_likelihood(own, first, n) for n in range(BINS)]
        highest = max(row)
        row = [math.exp(x - highest) for x in row]
        if reach and sum(c for _, c in own) < hours.TELLING:
            size = max(int(reach // hours.STEP), 1)
            share = [(1 - k / size) ** 2 for k in range(size)]
            row = [
                sum(w * row[(n + k) % BINS] for k, w in enumerate(share)) / sum(share)
                for n in range(BINS)
            ]
        rows.append(row)
    told = [sum(c for _, c in (*o, *i)) >= hours.TELLING for o, i in zip(outer, inner, strict=True)]
    priors = [[1 / BINS] * BINS for _ in rows]
    for _ in range(4):
        posts = []
        for row, prior in zip(rows, priors, strict=True):
            post = [a * b for a, b in zip(row, prior, strict=True)]
            total = sum(post)
            posts.append([x / total for x in post])
        smooth = [
            [sum(p[(n - k) % BINS] for k in range(-3, 4)) / 7 for n in range(BINS)] for p in posts
        ]
        priors = []
        for mine in range(len(rows)):
            others = [s for k, s in enumerate(smooth) if k != mine and told[k]]
            mean = [sum(s[n] for s in others) / max(len(others), 1) for n in range(BINS)]
            rest = (1 - hours.ALIKE * sum(mean)) / BINS
            priors.append([hours.ALIKE * m + rest for m in mean])
    return posts


def mean_exp(logs):
    highest = max(logs)
    return highest + math.log(sum(math.exp(x - highest) for x in logs) / len(logs))


def as_counts(hosts):
    out = np.zeros((len(hosts), BINS))
    for row, signs in zip(out, hosts, strict=True):
        for place, count in signs:
            row[place] += count
    return out


@pytest.mark.parametrize("reach", [0.0, 60.0])
def test_learn_edge_equals_one_sign_after_the_other(reach, monkeypatch):
    monkeypatch.setattr(hours, "VARIES", (5.0, 20.0))
    monkeypatch.setattr(hours, "IDLE", (8.0, 40.0))
    monkeypatch.setattr(hours, "WAITS", (20.0, 90.0))
    hours._tables.cache_clear()
    outer = [[(90, 2), (95, 1)], [(100, 3)], []]
    inner = [[(99, 1), (110, 2)], [(104, 2), (130, 1)], [(200, 2), (190, 1)]]
    got = learn_edge(as_counts(outer), as_counts(inner), reach=reach)
    want = naive_edge(outer, inner, reach)
    hours._tables.cache_clear()
    assert got == pytest.approx(np.array(want), rel=1e-6, abs=1e-9)


def signs_of(rng, begin, days, *, idle, wait, varies=0.0):
    """On and first attempt on each of `days`, in steps."""
    start = begin * 60 + rng.normal(0, varies, days) if varies else np.full(days, begin * 60.0)
    on, first = start - idle(rng, days), start + wait(rng, days)
    return [hours.count_signs((t * 60e9).astype(np.int64)) for t in (on, first)]


WORLDS = {
    "punctual, switched on shortly before": {
        "idle": lambda r, n: r.uniform(1, 20, n),
        "wait": lambda r, n: r.uniform(0, 50, n),
    },
    "exponential waits": {
        "idle": lambda r, n: r.exponential(10, n),
        "wait": lambda r, n: r.exponential(45, n),
    },
    "begins vary by a quarter of an hour": {
        "idle": lambda r, n: r.exponential(8, n),
        "wait": lambda r, n: r.exponential(30, n),
        "varies": 15.0,
    },
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_learn_edge_finds_the_begin_of_work_to_a_quarter_of_an_hour(world):
    rng = np.random.default_rng(7)
    begins = np.repeat([8.0, 14.0], 8)
    outer, inner = map(np.array, zip(*(signs_of(rng, b, 25, **world) for b in begins), strict=True))
    got = np.array([middle(edge) / HOUR for edge in learn_edge(outer, inner)])
    assert np.abs(got - begins).max() < 0.3
    assert np.median(np.abs(got - begins)) < 0.2


def test_learn_edge_takes_the_hours_of_the_others_where_a_host_says_nothing():
    rng = np.random.default_rng(7)
    rows = [signs_of(rng, 8.0, 25, **WORLDS["exponential waits"]) for _ in range(5)]
    silent = [np.zeros(BINS), np.zeros(BINS)]
    outer, inner = map(np.array, zip(*rows, silent, strict=True))
    edge = learn_edge(outer, inner)[-1]
    assert abs(middle(edge) / HOUR - 8) < 0.2
    assert edge[BINS // 2 :].sum() > 0.05  # it may well be otherwise


def test_learn_edge_lets_the_latest_session_go_on_where_nothing_shows_the_end():
    rng = np.random.default_rng(7)
    last = np.array([signs_of(rng, 8.0, 30, **WORLDS["exponential waits"])[1]])
    none = np.zeros((1, BINS))
    short, long = (middle(learn_edge(none, last, reach=r)[0]) for r in (0.0, 120.0))
    assert 10 <= (short - long) / (60e9) <= 60  # before the first attempt; the mirror of an evening


# --- summer time ---------------------------------------------------------------------------------


def at_work(rng, begin, count=40, moved=99, by=0.0):
    """Return days of a host whose user begins `by` hours later from a day on."""
    number = np.arange(count, dtype=np.int64)
    start = number * DAY + ((begin + by * (number >= moved)) * HOUR).astype(np.int64)
    wait = rng.exponential(0.2, (4, count)) * HOUR
    on, first, last, off = start - wait[0], start + wait[1], start - wait[2], start + wait[3]
    times = (on, off + 9 * HOUR, first, last + 9 * HOUR)
    on, off, first, last = (time.astype(np.int64) for time in times)
    return hours.Days(number, on, off, first, last)


@pytest.mark.parametrize("by", [-1.0, 1.0])
def test_clock_change_is_found_in_the_ways_of_the_whole_fleet(by):
    rng = np.random.default_rng(1)
    fleet = [at_work(rng, begin, moved=23, by=by) for begin in (7.0, 8.0, 8.5, 13.0)]
    assert hours.find_clock_change(fleet) == (23, -by * HOUR)


@pytest.mark.parametrize("by", [0.0, 0.4, 2.0])
def test_fleet_that_moves_by_less_or_more_than_an_hour_has_not_changed_its_clocks(by):
    rng = np.random.default_rng(1)
    fleet = [at_work(rng, 8.0, moved=23, by=by) for _ in range(6)]
    assert hours.find_clock_change(fleet) == (0, 0)


def test_hosts_of_which_one_moves_have_not_changed_their_clocks():
    rng = np.random.default_rng(1)
    fleet = [at_work(rng, 8.0, moved=23, by=float(n == 0)) for n in range(6)]
    assert hours.find_clock_change(fleet) == (0, 0)
    assert hours.find_clock_change(fleet[:1]) == (0, 0)
    assert hours.find_clock_change([]) == (0, 0)


def test_draws_are_as_the_probabilities_and_beyond_by_the_lag():
    edge = np.zeros(BINS)
    edge[96] = 1.0  # 08:00 to 08:05
    drawn = hours.draw(edge, np.random.default_rng(1)) / HOUR
    assert len(drawn) == SAMPLES
    assert drawn.mean() == pytest.approx(8 + 2.5 / 60, abs=0.03)
    assert drawn.std() == pytest.approx(hours.LAG / 60, rel=0.2)
