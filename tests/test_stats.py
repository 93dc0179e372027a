"""Claims about the estimators, against scipy's own functions and sums done by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from naive import mean_exp, trials
from scipy.stats import betabinom, binomtest

from kitlib.stats import (
    chance,
    log_beta_bernoulli,
    log_mean_exp,
    quantile_interval,
    sign_test,
    stratified_difference,
    wilson,
)

RATES = [(0.5, 9.5), (1.0, 1.0), (30.0, 1.0)]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("k", "n"), [(0, 0), (0, 7), (3, 7), (7, 7), (1, 200)])
def test_log_beta_bernoulli_is_the_beta_binomial_of_one_order(k, n, rate):
    orders = math.comb(n, k)
    want = betabinom.logpmf(k, n, *rate) - math.log(orders)
    assert log_beta_bernoulli(k, n, *rate) == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize("rate", RATES)
def test_log_beta_bernoulli_predicts_one_trial_after_the_other(rate):
    for outcomes in itertools.product([True, False], repeat=4):
        got = log_beta_bernoulli(sum(outcomes), 4, *rate)
        assert got == pytest.approx(trials(outcomes, rate), abs=1e-12)


def test_log_beta_bernoulli_broadcasts():
    got = log_beta_bernoulli(np.array([[0], [1]]), np.array([1, 2, 3]), 1, 1)
    assert got.shape == (2, 3)
    assert got[1, 2] == pytest.approx(float(log_beta_bernoulli(1, 3, 1, 1)))


def test_log_mean_exp_does_not_overflow_and_is_a_mean():
    assert log_mean_exp(np.array([-5000.0, -5001.0])) == pytest.approx(mean_exp([-5000, -5001]))
    rows = np.log(np.array([[1.0, 3.0], [2.0, 2.0]]))
    assert np.exp(log_mean_exp(rows, axis=0)) == pytest.approx([1.5, 2.5])


@pytest.mark.parametrize(("k", "n"), [(0, 5), (5, 5), (3, 11), (40, 41), (1, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_equals_scipy(k, n, level):
    want = binomtest(k, n).proportion_ci(level, method="wilson")
    assert wilson(k, n, level=level) == pytest.approx((want.low, want.high), abs=1e-9)


def test_wilson_without_trials_says_anything():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (0, 4), (1, 0), (5, 0), (9, 3), (3, 9)])
def test_sign_test_equals_scipys_exact_binomial(wins, losses):
    pairs = wins + losses
    want = binomtest(wins, pairs, 0.5, alternative="greater").pvalue if pairs else 1.0
    assert sign_test(wins, losses) == pytest.approx(want, abs=1e-12)


def test_stratified_difference_is_mantel_haenszel_by_hand():
    k1, n1 = np.array([4.0, 9.0]), np.array([5.0, 10.0])
    k0, n0 = np.array([1.0, 4.0]), np.array([10.0, 5.0])
    weights = [5 * 10 / 15, 10 * 5 / 15]
    want = ((4 / 5 - 1 / 10) * weights[0] + (9 / 10 - 4 / 5) * weights[1]) / sum(weights)
    assert stratified_difference(k1, n1, k0, n0) == pytest.approx(want)


def test_stratified_difference_gives_no_weight_to_a_day_with_one_side_only():
    k1, n1 = np.array([4.0, 50.0, 0.0]), np.array([5.0, 50.0, 0.0])
    k0, n0 = np.array([1.0, 0.0, 7.0]), np.array([10.0, 0.0, 7.0])
    assert stratified_difference(k1, n1, k0, n0) == pytest.approx(4 / 5 - 1 / 10)


def test_stratified_difference_without_a_shared_day_is_nan():
    some, none = np.array([3.0, 0.0]), np.array([0.0, 3.0])
    assert math.isnan(stratified_difference(some, some, none, none))


def test_stratified_difference_does_not_suffer_from_days_that_are_bad_for_all():
    # Exposed hosts tried on the bad day more often; within each day there is no difference.
    k1, n1 = np.array([18.0, 0.0]), np.array([20.0, 2.0])
    k0, n0 = np.array([1.8, 0.0]), np.array([2.0, 20.0])
    assert stratified_difference(k1, n1, k0, n0) == pytest.approx(0.0)


def test_quantile_interval_leaves_out_what_is_not_a_number():
    samples = np.array([np.nan, *np.linspace(0, 1, 101)])
    assert quantile_interval(samples) == pytest.approx((0.05, 0.95))


def test_quantile_interval_of_nothing_is_unknown():
    assert all(map(math.isnan, quantile_interval(np.array([np.nan]))))


def test_chance_neither_overflows_nor_leaves_zero_to_one():
    assert [chance(x) for x in (-1e9, 0.0, 1e9)] == pytest.approx([0.0, 0.5, 1.0], abs=1e-12)
