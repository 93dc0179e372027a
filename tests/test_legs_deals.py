"""Claims about permutations with the host as the unit: all of them where few, fair where many."""

from __future__ import annotations

import doctest
from itertools import permutations

import numpy as np
import pytest
from worlds_legs import difference, noise, reached

from kitlib import legs
from kitlib.legs import deals as room
from kitlib.legs.deals import EXACT_DEALS, PERMUTATIONS, Deals, deal, number_of_deals


@pytest.mark.parametrize(
    "kinds", [[0], [0, 0], [0, 1], [1, 0, 1], [0, 1, 2, 3], [2, 0, 0, 1, 1], [0, 1, 2, 0, 1, 2, 3]]
)
def test_deal_gives_every_distinct_order_once_and_the_observed_first(kinds):
    dealt = deal(np.array(kinds))
    rows = [tuple(row) for row in dealt.kinds.tolist()]
    assert dealt.exact
    assert rows[0] == tuple(kinds)
    assert len(rows) == len(set(rows)) == number_of_deals([np.array(kinds)])
    assert set(rows) == set(permutations(kinds))


def test_deal_within_groups_moves_nothing_between_them():
    kinds, groups = [0, 1, 2, 2, 0, 1], [0, 1, 0, 1, 1, 0]
    dealt = deal(np.array(kinds), np.array(groups))
    want = {
        order
        for order in permutations(kinds)
        if all(
            sorted(o for o, g in zip(order, groups, strict=True) if g == group)
            == sorted(k for k, g in zip(kinds, groups, strict=True) if g == group)
            for group in (0, 1)
        )
    }
    assert {tuple(row) for row in dealt.kinds.tolist()} == want
    assert len(dealt.kinds) == len(want)


def test_deal_of_a_large_fleet_is_random_fair_and_always_the_same():
    kinds = np.arange(12) % 4
    groups = np.arange(12) // 6
    one, two = deal(kinds, groups), deal(kinds, groups)
    assert not one.exact
    assert one.kinds.tolist() == two.kinds.tolist()
    assert one.kinds.shape == (1 + PERMUTATIONS, 12)
    for group in (0, 1):
        ordered = np.sort(one.kinds[:, groups == group], axis=1)
        assert (ordered == np.sort(kinds[groups == group])).all()
    # Each place gets each of its group's kinds about as often as another.
    assert np.abs(one.kinds[1:, :6].mean(axis=0) - kinds[:6].mean()).max() < 0.15


def test_deal_of_one_odd_host_among_a_thousand_is_exact_and_quick():
    dealt = deal((np.arange(1000) == 7).astype(np.int64))
    assert dealt.exact
    assert len(dealt.kinds) == 1000 <= EXACT_DEALS


def test_p_counts_the_observed_and_leaves_out_what_has_no_value():
    kinds = np.zeros((5, 1), dtype=np.int64)
    values = np.array([2.0, 2.0 - 1e-14, 1.0, np.nan, 3.0])
    assert Deals(kinds, exact=True).p(values) == 3 / 4
    assert Deals(kinds, exact=True).p(np.array([np.nan, 1.0, 2.0, 0.0, 0.0])) == 1.0


def test_deals_say_whether_they_are_all_and_whether_p_can_be_small():
    assert str(deal(np.array([0, 0, 1]))) == "exact permutation over all 3 deals"
    assert not deal(np.array([0, 0, 0, 1, 1, 1])).can_pass  # 1 in 20 is not below 1 in 20
    assert deal(np.array([0, 0, 0, 0, 1, 1, 1])).can_pass
    assert str(deal(np.arange(9))) == "permutation, 999 random deals"


@pytest.mark.parametrize("seed", range(4))
def test_permuted_equals_going_through_all_orders_of_the_hosts(seed):
    scene = noise(seed, hosts=6, starts=(3, 4, 4, 6))
    states = scene.states()
    values = [
        difference(scene, states[list(order)], ~states[list(order)])
        for order in permutations(range(6))
    ]
    want = reached(values, difference(scene, states, ~states))
    assert legs.permuted(scene) == pytest.approx(want, abs=1e-12)


def test_permuted_within_groups_equals_going_through_the_orders_that_keep_them():
    scene = noise(11, hosts=6, starts=(3, 4, 5, 6))
    groups = {"north": frozenset({"H0", "H1", "H4"}), "south": frozenset({"H2", "H3", "H5"})}
    place = {f"H{n}": n for n in range(6)}
    members = [[place[host] for host in hosts] for hosts in groups.values()]
    k, n = scene.panel.daily()
    states = scene.states()

    def stratified(state):
        weights = parts = 0.0
        for rows in members:
            for d in range(k.shape[1]):
                on = [r for r in rows if state[r, d]]
                off = [r for r in rows if not state[r, d]]
                n1, n0 = n[on, d].sum(), n[off, d].sum()
                if n1 and n0:
                    weight = n1 * n0 / (n1 + n0)
                    weights += weight
                    parts += weight * (k[on, d].sum() / n1 - k[off, d].sum() / n0)
        return parts / weights if weights else float("nan")

    orders = [o for o in permutations(range(6)) if {o[r] for r in members[0]} == set(members[0])]
    values = [stratified(states[list(order)]) for order in orders]
    assert legs.permuted(scene, groups=groups) == pytest.approx(
        reached(values, stratified(states)), abs=1e-12
    )


def test_permuted_is_small_as_often_as_chance_says():
    """No effect, 8 hosts, four of them exposed: 70 deals; p below 0.05 in 3 of 70 cases."""
    p = [legs.permuted(noise(seed, hosts=8, starts=(3, 3, 3, 3))) for seed in range(200)]
    assert np.mean(np.array(p) < 0.05) < 0.09
    assert 0.4 < np.mean(p) < 0.65


def test_docstring_examples_run():
    result = doctest.testmod(room)
    assert result.attempted >= 1
    assert result.failed == 0
