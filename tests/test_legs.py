"""Claims about the legs: each looks from its own side, and says so where it cannot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import worlds_cause as w
from worlds_cause import BAD, PATCHED, World, day, fails_during, fails_under
from worlds_legs import scene_of

from kitlib import legs
from kitlib.stats import quantile_interval, stratified_difference
from kitlib.suspects import in_effect


def test_same_day_controls_pass_where_hosts_without_the_change_work():
    scene, _ = scene_of(w.staggered(3))
    check = legs.same_day_controls(scene)
    assert check.passed is True
    assert "permutation p = 0.001" in check.text
    assert all("/Application#" in ref for ref in check.records)


def test_same_day_controls_fail_where_all_fail_alike():
    scene, _ = scene_of(w.gateway_outage(4))
    assert legs.same_day_controls(scene).passed is False


def test_same_day_controls_cannot_be_tested_where_all_changed_in_one_night():
    scene, _ = scene_of(w.big_bang(5))
    assert legs.same_day_controls(scene).passed is None


def test_same_day_controls_cannot_be_tested_with_one_control():
    scene, _ = scene_of(w.big_bang(5, wave=1))
    check = legs.same_day_controls(scene)
    assert check.passed is None
    assert "1 without it" in check.text


def test_permuted_is_exact_where_all_deals_are_few():
    """Three of six hosts have it and fail: one deal in twenty does as well."""
    world = World(6, hosts=6, base=0.0, per_day=6.0)
    for host in world.names[:3]:
        world.patch(host, day(PATCHED, 20))
    world.fault = fails_under(BAD, chance=1.0)
    scene, _ = scene_of(world)
    assert legs.permuted(scene) == pytest.approx(1 / 20, abs=0.02)


def test_permuted_equals_a_loop_over_the_same_deals():
    scene, _ = scene_of(w.staggered(7, hosts=10, chance=0.3))
    panel = scene.panel
    k, n = panel.daily()
    noon = [
        [in_effect(scene.spans, pd.DataFrame({"host": [h], "time": [d + pd.Timedelta(hours=12)]}))[0]
         for d in panel.days] for h in panel.hosts
    ]  # fmt: skip
    exposed = np.array(noon, dtype=float)
    rng = np.random.default_rng(legs.SEED)

    def difference(state):
        weights = parts = 0.0
        for d in range(len(panel.days)):
            n1, n0 = (n[:, d] * state[:, d]).sum(), (n[:, d] * (1 - state[:, d])).sum()
            if n1 and n0:
                rate1 = (k[:, d] * state[:, d]).sum() / n1
                rate0 = (k[:, d] * (1 - state[:, d])).sum() / n0
                weights += n1 * n0 / (n1 + n0)
                parts += (rate1 - rate0) * n1 * n0 / (n1 + n0)
        return parts / weights if weights else float("nan")

    observed = difference(exposed)
    dealt = [difference(exposed[rng.permutation(10)]) for _ in range(legs.PERMUTATIONS)]
    want = (1 + sum(value >= observed - 1e-12 for value in dealt)) / (1 + legs.PERMUTATIONS)
    assert legs.permuted(scene) == pytest.approx(want, abs=1e-12)


def test_risk_difference_is_that_of_the_days_that_both_kinds_share():
    scene, _ = scene_of(w.staggered(8))
    point, low, high = legs.Resamples.of(scene.panel).risk_difference(scene.mask)
    assert 0.8 < low < point < high <= 1.0


def test_risk_difference_without_shared_days_is_unknown():
    scene, _ = scene_of(w.big_bang(5))
    triple = legs.Resamples.of(scene.panel).risk_difference(scene.mask)
    assert all(np.isnan(triple))


def test_risk_difference_resamples_whole_hosts():
    """The interval from all draws at once equals the one from one draw after the other."""
    scene, _ = scene_of(w.staggered(9, hosts=8))
    resamples = legs.Resamples.of(scene.panel)
    k, n = scene.panel.daily()
    k1, n1 = scene.panel.daily(scene.mask)
    slow = []
    for draw in resamples.draws:
        sums = [(draw[:, None] * table).sum(axis=0) for table in (k1, n1, k - k1, n - n1)]
        slow.append(float(stratified_difference(*sums)))
    want = quantile_interval(np.array(slow))
    assert resamples.risk_difference(scene.mask)[1:] == pytest.approx(want)


def test_same_day_controls_say_that_p_is_exact_where_it_is():
    world = World(6, hosts=7, base=0.0, per_day=6.0)
    for host in world.names[:3]:
        world.patch(host, day(PATCHED, 20))
    world.fault = fails_under(BAD, chance=1.0)
    scene, _ = scene_of(world)
    check = legs.same_day_controls(scene)
    assert check.passed is True
    assert "permutation p = 0.029 (exact permutation over all 35 deals, all hosts alike)" in (
        check.text
    )


def test_same_day_controls_of_four_hosts_can_prove_nothing():
    world = World(6, hosts=4, base=0.0, per_day=6.0)
    for host in world.names[:2]:
        world.patch(host, day(PATCHED, 20))
    world.fault = fails_under(BAD, chance=1.0)
    scene, _ = scene_of(world)
    check = legs.same_day_controls(scene)
    assert check.passed is None
    assert "too few hosts for the test to pass" in check.text


def test_same_day_controls_within_groups_are_not_misled_by_the_outage_of_one_group():
    """The pilot site had the update first, and an outage of its own meanwhile."""
    world = World(8, hosts=24, days=PATCHED + 10)
    pilot, rest = frozenset(world.names[:12]), frozenset(world.names[12:])
    for place, host in enumerate(world.names):
        late = host in rest or place % 4 == 0
        world.patch(host, day(PATCHED + (6 if late else 0), 20))
    world.fault = fails_during(day(PATCHED + 1), day(PATCHED + 6), hosts=pilot)
    scene, _ = scene_of(world)
    groups = {"pilot": pilot, "rest": rest}
    assert legs.same_day_controls(scene).passed is True
    check = legs.same_day_controls(scene, groups=groups)
    assert check.passed is False
    assert "within 2 groups of hosts" in check.text


def test_branches_are_the_builds_hosts_ran_first():
    world = w.staggered(9, hosts=8)
    groups = legs.branches(world.tables().exposure)
    assert groups == {
        str(w.BUILD): frozenset(world.names) - world.eleven,
        str(w.ELEVEN): world.eleven,
    }
