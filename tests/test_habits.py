"""Claims about what a host would have done: days at work, sessions a day."""

from __future__ import annotations

import numpy as np
import pytest

from kitlib import habits
from kitlib.habits import Calendar, find_work, learn_rates, read_calendars, share_before
from kitlib.hours import DAY, HOUR, SAMPLES, Days

MONDAY = 4  # days since 1970 (the first was a Thursday)


def switched(days, tried=()):
    """Return days of a machine that is switched on and off, with attempts on some of them."""
    days = np.array(sorted(set(days) | set(tried)), dtype=np.int64)
    at = np.where(np.isin(days, list(tried)), days * DAY + 9 * HOUR, -1)
    return Days(days, days * DAY + 8 * HOUR, days * DAY + 17 * HOUR, at, at)


def never_off(tried):
    days = np.array(sorted(tried), dtype=np.int64)
    none = np.full(len(days), -1)
    return Days(days, none, none, days * DAY + 9 * HOUR, days * DAY + 9 * HOUR)


def workdays(weeks, only=range(5)):
    return [MONDAY + 7 * week + day for week in range(weeks) for day in only]


def calendars(days, logged=None):
    """Return the calendars of hosts whose attempts are logged on some days; on all without."""
    return read_calendars(
        days, lambda n, window: np.isin(window, window if logged is None else logged[n])
    )


def usual_days(calendar):
    return calendar.number[calendar.usual].tolist()


# --- which days --------------------------------------------------------------------------------


def test_days_of_a_machine_that_is_switched_are_those_on_which_it_was_on():
    got = calendars([switched([4, 5, 8], tried=[5])])[0]
    assert usual_days(got) == [4, 5, 8]
    assert got.number[got.tried].tolist() == [5]


def test_days_of_a_machine_that_is_never_off_are_its_weekdays():
    idle = MONDAY + 9  # a Wednesday without an attempt
    got = calendars([never_off(set(workdays(4)) - {idle}), switched(workdays(4))])[0]
    assert usual_days(got) == workdays(4)


def test_days_of_a_part_time_user_are_those_of_his_weekdays():
    days = workdays(5, only=(1, 2, 3))
    got = calendars([never_off(days), *[switched(workdays(5))] * 3])[0]
    assert usual_days(got) == days


def test_day_on_which_hardly_any_host_is_in_use_is_a_holiday():
    holiday = MONDAY + 9
    days = [d for d in workdays(4) if d != holiday]
    got = calendars([never_off(days), *[switched(days)] * 4])[0]
    assert usual_days(got) == days


def test_calendars_of_nothing_hold_no_day():
    assert [len(c.number) for c in calendars([never_off([])])] == [0]


# --- at work or away -----------------------------------------------------------------------------


def calendar(pattern):
    """``x`` a day with an attempt, ``.`` a working day without, space no working day, ``?`` no log."""
    marks = np.array(list(pattern))
    return Calendar(np.arange(len(marks)), marks == "x", marks != " ", marks != "?")


def chances(pattern, broken=None):
    down = np.array(list(broken or " " * len(pattern))) == "d"
    return find_work([calendar(pattern)], [down])[0].chance


def test_day_with_an_attempt_is_a_working_day_and_a_free_day_is_none():
    got = chances("xx  x.x")
    assert got[[0, 1, 4, 6]].tolist() == [1.0] * 4
    assert got[[2, 3]].tolist() == [0.0, 0.0]
    assert 0.8 < got[5] < 1


def test_long_run_without_an_attempt_is_rather_leave():
    one, six = chances("xxxx.xxxx"), chances("xxxx......xxxx")
    assert one[4] > 0.8
    assert six[5:9].max() < 0.2
    assert chances("x" + "." * (habits.LONGEST_RUN + 1))[1:].max() == 0


def test_days_without_an_attempt_are_the_likelier_work_the_more_there_are_while_nothing_works():
    few = chances("xxxxxxxxxx..x", "dddddddddddddd"[:13])
    many = chances("x.x.x.x.x...x", "dddddddddddddd"[:13])
    assert 1 - many[10] < (1 - few[10]) / 3


def naive_chances(size, quiet, begins):
    """Every absence that the run may hold, one after the other."""
    worlds = [(quiet**size, [])]
    for low in range(size):
        for high in range(low, size):
            absent = list(range(low, high + 1))
            lasts = (1 - 1 / habits.LEAVE) ** (high - low) / habits.LEAVE
            worlds.append((begins * lasts * quiet ** (size - len(absent)), absent))
    total = sum(weight for weight, _ in worlds)
    return [sum(w for w, gone in worlds if day not in gone) / total for day in range(size)]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_chance_of_being_at_work_equals_going_through_every_absence(size):
    run = next(habits._runs(calendar("x" + "." * size + "x"), 0.3, 0.01))
    assert 1 - run.absent @ run.weight == pytest.approx(naive_chances(size, 0.3, 0.01))


def test_missing_attempt_says_nothing_where_none_would_have_been_logged():
    got = chances("??????xxxx......xxxx")
    assert got[:6].min() > 0.85
    assert got[11:15].max() < 0.2


@pytest.mark.parametrize("size", [1, 3, 30])
def test_days_without_a_log_are_worked_but_for_absences(size):
    runs = list(habits._runs(calendar("?" * size), 0.3, 0.01))
    got = np.concatenate([1 - run.absent @ run.weight for run in runs])
    parts = [min(habits.LONGEST_RUN, size), max(size - habits.LONGEST_RUN, 0)]
    want = [chance for part in parts if part for chance in naive_chances(part, 1.0, 0.01)]
    assert got == pytest.approx(want)


def test_fleet_that_is_often_away_is_away_where_no_log_tells_too():
    plain, leave = "?????" + "x" * 25, "?????" + "xxxx......" * 3
    seldom, often = (
        find_work([calendar(p)] * 4, [np.zeros(len(p), dtype=bool)] * 4)[0].chance[:5].mean()
        for p in (plain, leave)
    )
    assert 1 - often > 5 * (1 - seldom)


def test_log_that_begins_late_leaves_the_weekdays_of_a_machine_that_is_never_off():
    late = [d for d in workdays(5) if d >= MONDAY + 14]
    got = calendars([never_off(late), *[switched(workdays(5))] * 3], [late] + [workdays(5)] * 3)[0]
    assert usual_days(got) == workdays(5)
    assert not got.logged[:14].any()


def test_before_switching_is_logged_the_weekdays_count():
    days = workdays(5)
    own = switched(days, tried=days)
    silent = own.number < MONDAY + 14
    own = Days(
        own.number, *(np.where(silent, -1, a) for a in (own.on, own.off)), own.first, own.last
    )
    lost = np.isin(own.number, [MONDAY + 3, MONDAY + 16])  # one day of each kind without any sign
    own = Days(*(getattr(own, n)[~lost] for n in ("number", "on", "off", "first", "last")))
    got = calendars([own, *[switched(days)] * 3])[0]
    assert usual_days(got) == [d for d in days if d != MONDAY + 16]


def test_first_attempt_after_a_moment_is_drawn_from_the_days_that_were_seen():
    told = np.array([[0.1, 0.6, np.inf], [0.3, np.inf, np.inf]])
    since = np.repeat([[0.0], [0.2], [0.7], [-5.0]], 4000, axis=1)
    there = np.ones(since.shape, dtype=bool)
    there[3] = False
    got = habits.draw_first(told, since, there, np.random.default_rng(1))
    assert [sorted(set(row)) for row in got] == [[0.1, 0.3], [0.3, 0.6], [np.inf], [np.inf]]
    assert (got[1] == 0.6).mean() == pytest.approx(0.5, abs=0.03)


def test_drawn_days_are_as_likely_as_stated():
    work = find_work([calendar("xx...x  x")], [np.zeros(9, dtype=bool)])[0]
    rng = np.random.default_rng(3)
    share = np.mean([work.drawn(rng).mean(axis=1) for _ in range(50)], axis=0)
    assert share == pytest.approx(work.chance, abs=0.02)


# --- sessions ------------------------------------------------------------------------------------


def fleet(rng, rates, days):
    return [rng.poisson(rate, days) for rate in rates], [np.ones(days) for _ in rates]


def test_rates_are_drawn_from_the_posterior_that_a_sum_over_all_rates_gives():
    counts, weights = fleet(np.random.default_rng(2), [1.0, 2.0, 4.0, 3.0], 15)
    got = learn_rates(counts, weights, np.ones(4, dtype=bool), seed=1)
    spread = habits._spread(counts, weights)
    total = np.array([c.sum() for c in counts]) / spread
    means, shapes = habits._prior(total, np.full(4, 15 / spread), np.random.default_rng(1))
    grid = np.linspace(0.01, 8, 2000)
    for n in range(4):
        mixed = np.zeros(len(grid))
        for mean, shape in zip(means, shapes, strict=True):
            log = (shape - 1 + total[n]) * np.log(grid) - (shape / mean + 15 / spread) * grid
            weight = np.exp(log - log.max())
            mixed += weight / weight.sum()
        cdf = mixed.cumsum() / mixed.sum()
        want = [grid[np.searchsorted(cdf, q)] for q in (0.05, 0.5, 0.95)]
        assert np.quantile(got[n], (0.05, 0.5, 0.95)) == pytest.approx(want, rel=0.06)


def test_mean_rate_of_the_fleet_is_drawn_as_wide_as_fleets_differ():
    rng, found, stated = np.random.default_rng(6), [], []
    for _ in range(60):
        counts, weights = fleet(rng, rng.gamma(20, 0.1, 8), 10)
        total = np.array([c.sum() for c in counts], dtype=float)
        means, _ = habits._prior(total, np.array([w.sum() for w in weights]), rng)
        found.append(np.log(total.sum() / 80))
        stated.append(np.log(means).std())
    assert np.std(found) == pytest.approx(np.mean(stated), rel=0.25)


def test_rates_err_together_where_hosts_are_alike():
    counts, weights = fleet(np.random.default_rng(2), [2.0] * 6, 8)
    got = learn_rates(counts, weights, np.ones(6, dtype=bool), seed=1)
    assert got.sum(axis=0).std() > 1.3 * np.sqrt((got.std(axis=1) ** 2).sum())


def test_rate_of_a_host_that_says_nothing_is_that_of_the_fleet():
    counts, weights = fleet(np.random.default_rng(2), [2.0] * 6, 20)
    counts, weights = [*counts, np.array([], dtype=int)], [*weights, np.array([])]
    got = learn_rates(counts, weights, np.ones(7, dtype=bool), seed=1)
    assert got[-1].mean() == pytest.approx(2.0, rel=0.15)
    assert got[-1].std() > got[0].std()


def test_rates_cover_the_true_rate_as_often_as_stated():
    rng = np.random.default_rng(5)
    held = []
    for _ in range(20):
        rates = rng.gamma(8, 0.3, 20)
        got = learn_rates(*fleet(rng, rates, 15), np.ones(20, dtype=bool), seed=1)
        low, high = np.quantile(got, (0.05, 0.95), axis=1)
        held += ((low <= rates) & (rates <= high)).tolist()
    assert 0.85 < np.mean(held) < 0.95


def test_rates_that_nothing_tells_are_missing_and_none_is_drawn_unasked():
    empty = [np.array([], dtype=int)], [np.array([])]
    assert np.isnan(learn_rates(*empty, np.ones(1, dtype=bool), seed=1)).all()
    counts, weights = fleet(np.random.default_rng(2), [2.0, 2.0], 20)
    got = learn_rates(counts, weights, np.array([True, False]), seed=1)
    assert np.isnan(got).all(axis=1).tolist() == [False, True]
    assert got.shape == (2, SAMPLES)


def test_share_before_counts_the_sessions_that_began():
    places = np.sort(np.random.default_rng(1).random(50))
    at = np.array([-1.0, 0.0, 0.3, 0.77, 1.0, 3.0])
    want = [sum(p < x for p in places) / len(places) for x in at]
    assert share_before(places, at) == pytest.approx(want)
    assert share_before(np.array([]), at).tolist() == [0.0, 0.0, 0.3, 0.77, 1.0, 1.0]
