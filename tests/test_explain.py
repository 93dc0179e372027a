"""Claims about weighing explanations: equal to brute force, and not to be fooled."""

from __future__ import annotations

import naive
import numpy as np
import pandas as pd
import pytest

from kitlib import explain
from kitlib.explain import Panel, likelihood, outages, own_spells, sides, usual, weigh
from kitlib.stats import log_mean_exp
from kitlib.suspects import Suspect

START = pd.Timestamp("2022-01-10", tz="UTC")
NONE = pd.DataFrame({"host": [], "start": [], "end": []})


def suspect(change, *masks):
    return Suspect(
        change, (change,), "update", named=False, masks=np.array(masks, dtype=bool),
        spans=(NONE,) * len(masks), cured=(NONE,) * len(masks),
    )  # fmt: skip


def episodes_of(rows):
    """Rows are (host, day, failed)."""
    return pd.DataFrame(
        {
            "host": [f"H{host}" for host, _, _ in rows],
            "time": [START + pd.Timedelta(days=day, hours=9) for _, day, _ in rows],
            "failed": [bool(failed) for _, _, failed in rows],
        }
    )


def some_rows(seed, hosts=4, days=9):
    rng = np.random.default_rng(seed)
    rows = [(h, d, rng.random() < 0.3) for h in range(hosts) for d in range(days)
            for _ in range(rng.poisson(0.8))]  # fmt: skip
    return [*rows, (0, 0, False), (hosts - 1, days - 1, True)]


def by_host(rows, mask=None):
    hosts = sorted({host for host, _, _ in rows})
    marked = zip(rows, mask if mask is not None else [None] * len(rows), strict=True)
    marked = list(marked)
    return [
        [(d, f) if on is None else (d, f, on) for (h, d, f), on in marked if h == host]
        for host in hosts
    ]


BASES = pytest.mark.parametrize("base", [explain.BASE_RATE, (12.0, 188.0)])


@BASES
@pytest.mark.parametrize("seed", range(5))
def test_own_spells_equals_brute_force(seed, base):
    rows = some_rows(seed)
    want = [naive.own_spell(own, base) for own in by_host(rows)]
    assert own_spells(Panel.of(episodes_of(rows)).under(base)) == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_shared_outage_equals_brute_force_over_all_windows(seed):
    rows = some_rows(seed, hosts=3, days=6)
    panel = Panel.of(episodes_of(rows))
    logs, _ = outages.find_windows(panel, own_spells(panel))
    mean, best = naive.outage(by_host(rows), days=6)
    assert log_mean_exp(logs) == pytest.approx(mean, abs=1e-9)
    assert logs.max() == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_unsteady_equals_brute_force(seed):
    rows = some_rows(seed)
    panel = Panel.of(episodes_of(rows))
    want = naive.unsteady(by_host(rows), days=9)
    assert likelihood.unsteady(panel, own_spells(panel)) == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_trend_equals_brute_force(seed):
    rows = some_rows(seed)
    panel = Panel.of(episodes_of(rows))
    want = naive.trend(by_host(rows), days=9)
    assert likelihood.trend(panel, own_spells(panel)) == pytest.approx(want, abs=1e-9)


@BASES
@pytest.mark.parametrize("seed", range(5))
def test_change_likelihood_equals_brute_force(seed, base):
    rows = some_rows(seed)
    mask = np.random.default_rng(seed + 100).random(len(rows)) < 0.4
    panel = Panel.of(episodes_of(rows)).under(base)
    got = likelihood.by_change(panel, suspect("A", mask, ~mask).masks, own_spells(panel))
    want = [naive.fault(by_host(rows, on.tolist()), explain.LAGS, base) for on in (mask, ~mask)]
    assert got == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_change_that_ends_for_all_equals_brute_force(seed):
    rows = some_rows(seed)
    mask = np.random.default_rng(seed + 200).random(len(rows)) < 0.5
    panel = Panel.of(episodes_of(rows))
    got = likelihood.by_change_until(panel, mask, own_spells(panel))
    want = [
        naive.fault(
            by_host(rows, [on and d <= last for on, (_, d, _) in zip(mask, rows, strict=True)]),
            explain.LAGS,
        )
        for last in range(9)
    ]
    assert got == pytest.approx(want, abs=1e-9)


def test_panel_daily_counts_what_a_loop_counts():
    rows = some_rows(7)
    k, n = Panel.of(episodes_of(rows)).daily(np.arange(len(rows)) % 2 == 0)
    want_k, want_n = np.zeros_like(k), np.zeros_like(n)
    for host, day, failed in rows[::2]:
        want_n[host, day] += 1
        want_k[host, day] += failed
    assert np.array_equal(k, want_k)
    assert np.array_equal(n, want_n)


def guilty_rows(hosts=8, days=14):
    """Host h fails from day 4 + h // 2 on, which is when the change comes."""
    return [(h, d, d >= 4 + h // 2) for h in range(hosts) for d in range(days) for _ in range(2)]


def mask_of(rows, test):
    return [test(host, day) for host, day, _ in rows]


def test_weigh_gives_probabilities_that_sum_to_one():
    rows = some_rows(3)
    odd = mask_of(rows, lambda _, d: d % 2)
    even = mask_of(rows, lambda _, d: not d % 2)
    weights = weigh(Panel.of(episodes_of(rows)), [suspect("A", odd), suspect("B", even, odd)])
    total = weights.no_change + weights.changes.sum()
    parts = weights.nothing + weights.shared_outage + weights.site_outage + weights.trend
    parts += weights.unsteady
    assert parts == pytest.approx(weights.no_change)
    assert total == pytest.approx(1.0)
    assert weights.no_change + weights.changes.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.3])
def test_weigh_calls_one_steady_rate_of_everybody_no_common_cause(rate):
    rng = np.random.default_rng(7)
    nothing = []
    for _ in range(4):
        rows = [(h, d, rng.random() < rate) for h in range(60) for d in range(30) for _ in range(2)]
        half = suspect("A", mask_of(rows, lambda h, d: d >= 10 + h // 4))
        weights = weigh(Panel.of(episodes_of(rows)), [half])
        assert weights.trend + weights.unsteady < 0.15
        nothing.append(weights.nothing)
    assert np.mean(nothing) > 0.7


def test_weigh_calls_a_gateway_that_drops_a_seventh_of_all_tries_for_two_weeks_an_outage():
    rng = np.random.default_rng(8)
    rows = [(h, d, rng.random() < (0.15 if 20 <= d < 34 else 0.02)) for h in range(12)
            for d in range(46) for _ in range(2) if d % 7 < 5]  # fmt: skip
    half = suspect("A", mask_of(rows, lambda h, d: d >= 17 + h // 2))
    assert weigh(Panel.of(episodes_of(rows)), [half]).shared_outage > 0.8


def test_weigh_sums_over_the_ordinary_rates_as_brute_force_does():
    rows = some_rows(1, hosts=3, days=4)
    mask = np.random.default_rng(9).random(len(rows)) < 0.5
    panel = Panel.of(episodes_of(rows))
    weights = weigh(panel, [suspect("A", mask)])
    nothing, trend = [], []
    ground = sides.find_ground(panel, [suspect("A", mask)], {})
    rates = usual.shared_rates(panel, ground.ordinary([suspect("A", mask)]))
    alike = usual.alike_prior(panel)
    priors = [(usual.OWN_PRIOR, explain.BASE_RATE), *((alike, rate) for rate in rates)]
    for prior, base in priors:
        own = [naive.own_spell(host, base) for host in by_host(rows)]
        nothing.append(prior + np.log(explain.PRIOR["nothing"]) + sum(own))
        spells = np.array(own)
        trend.append(
            prior + np.log(explain.PRIOR["trend"]) + likelihood.trend(panel.under(base), spells)
        )
    want = np.logaddexp.reduce(nothing) - np.logaddexp.reduce(trend)
    assert np.log(weights.nothing / weights.trend) == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_shared_rates_equals_trying_every_rate(seed):
    rows = some_rows(seed, hosts=5, days=12)
    hosts = by_host(rows)
    few = explain.OWN_SPELL + explain.OWN_FAULT

    def fit(rate):
        base = (rate * usual.ALIKE, (1 - rate) * usual.ALIKE)
        log = 0.0
        for own in hosts:
            failed = [f for _, f in own]
            sick = naive.mean_exp([naive.trials(failed, kind) for kind in explain.FAULT_RATES])
            log += naive.mix((few, sick), (1 - few, naive.trials(failed, base)))
        return log

    best = max(usual.GRID, key=fit)
    (got,) = usual.shared_rates(Panel.of(episodes_of(rows)), [np.ones(len(rows), dtype=bool)] * 2)
    assert got == pytest.approx((best * usual.ALIKE, (1 - best) * usual.ALIKE))


def test_weigh_without_suspects_still_weighs_the_rest():
    weights = weigh(Panel.of(episodes_of(some_rows(3))), [])
    assert weights.no_change == pytest.approx(1.0)
    assert len(weights.changes) == 0


def test_weigh_finds_the_change_that_hosts_fail_under():
    rows = guilty_rows()
    true = suspect("true", mask_of(rows, lambda h, d: d >= 4 + h // 2))
    other = suspect("other", mask_of(rows, lambda h, d: d >= 4 + (7 - h) // 2))
    weights = weigh(Panel.of(episodes_of(rows)), [other, true])
    assert weights.changes[1] > 0.99


def test_weigh_is_not_flipped_by_hundreds_of_irrelevant_suspects():
    rows = guilty_rows()
    true = suspect("true", mask_of(rows, lambda h, d: d >= 4 + h // 2))
    rng = np.random.default_rng(5)
    noise = [suspect(f"n{i}", rng.random(len(rows)) < 0.3) for i in range(400)]
    weights = weigh(Panel.of(episodes_of(rows)), [*noise, true])
    assert weights.changes[-1] > 0.99


def test_weigh_does_not_convict_on_the_failures_of_one_host():
    rows = [(h, d, h == 0 and d >= 6) for h in range(20) for d in range(20) for _ in range(3)]
    only_there = suspect("A", mask_of(rows, lambda h, d: h == 0 and d >= 6))
    weights = weigh(Panel.of(episodes_of(rows)), [only_there])
    twice = [(h, d, f) for h, d, f in rows for _ in range(10)]  # ten times the failures
    again = suspect("A", mask_of(twice, lambda h, d: h == 0 and d >= 6))
    louder = weigh(Panel.of(episodes_of(twice)), [again])
    # However loud it is, one machine brings at most the chance of its own spell at that time.
    windows = 20 * 21 / 2 * len(explain.FAULT_RATES)
    bound = np.log(windows / explain.OWN_SPELL * explain.PRIOR["change"] / explain.PRIOR["nothing"])
    assert np.log(weights.changes[0] / weights.nothing) < bound
    assert np.log(louder.changes[0] / louder.nothing) < bound


def test_weigh_calls_a_day_on_which_all_fail_an_outage():
    rows = [(h, d, d in (5, 6)) for h in range(8) for d in range(14) for _ in range(2)]
    late = suspect("A", mask_of(rows, lambda h, d: d >= 3 + h % 4))
    weights = weigh(Panel.of(episodes_of(rows)), [late])
    assert weights.shared_outage > 0.99
    assert weights.outage_days == (5, 6)


def test_weigh_calls_a_rate_that_rises_for_all_a_trend():
    rng = np.random.default_rng(11)
    rows = [(h, d, rng.random() < d / 50) for h in range(12) for d in range(35) for _ in range(3)]
    half = suspect("A", mask_of(rows, lambda h, d: d >= 10 + h))
    weights = weigh(Panel.of(episodes_of(rows)), [half])
    assert weights.trend > 0.9


def test_weigh_is_not_sure_of_an_old_change_that_two_troubled_hosts_have():
    rng = np.random.default_rng(4)
    bad = {0, 9}
    rows = [(h, d, rng.random() < (0.5 if h in bad else 0.02)) for h in range(24)
            for d in range(20) for _ in range(2)]  # fmt: skip
    old = suspect("old", mask_of(rows, lambda h, _: h in {0, 9, 3}))
    others = [suspect(f"n{i}", mask_of(rows, lambda h, _, i=i: h % 8 == i)) for i in range(8)]
    weights = weigh(Panel.of(episodes_of(rows)), [old, *others])
    assert weights.changes[0] < 0.95


def test_weigh_survives_one_host_one_day_one_episode():
    rows = [(0, 0, True)]
    weights = weigh(Panel.of(episodes_of(rows)), [suspect("A", [True])])
    assert weights.no_change + weights.changes.sum() == pytest.approx(1.0)
    assert weights.outage_days == (0, 0)


@pytest.mark.parametrize("failed", [True, False])
def test_weigh_survives_all_failing_and_none_failing(failed):
    rows = [(h, d, failed) for h in range(5) for d in range(5)]
    mask = mask_of(rows, lambda h, d: d >= h)
    weights = weigh(Panel.of(episodes_of(rows)), [suspect("A", mask)])
    assert np.isfinite(weights.changes).all()
    assert weights.no_change > 0.5
