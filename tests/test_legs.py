"""Claims about the legs: each looks from its own side, and says so where it cannot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import worlds_cause as w
from worlds_cause import BAD, DECEMBER, PATCHED, World, day, fails_during, fails_under

from kitlib import legs
from kitlib.attempts import make_episodes
from kitlib.explain import Panel
from kitlib.incident import load_incident
from kitlib.suspects import find_suspects, in_effect

NAMED = load_incident("kb5009543")


def scene_of(world):
    tables = world.tables()
    episodes = make_episodes(tables.attempts, NAMED)
    suspect = find_suspects(tables.exposure, episodes, NAMED)[0]
    assert suspect.named
    return legs.Scene(episodes, Panel.of(episodes), suspect.masks[0], suspect.spans[0]), tables


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
        slow.append(float(legs.stratified_difference(*sums)))
    want = legs.quantile_interval(np.array(slow))
    assert resamples.risk_difference(scene.mask)[1:] == pytest.approx(want)


def test_own_past_passes_where_hosts_fail_more_often_than_before():
    scene, _ = scene_of(w.big_bang(10))
    assert legs.own_past(scene).passed is True


def test_own_past_cannot_be_tested_where_nobody_was_seen_without_it():
    world = World(11, hosts=6)
    for host in world.names:
        world.states[host] = [(None, BAD)]
    scene, _ = scene_of(world)
    assert legs.own_past(scene).passed is None


def test_onset_follows_each_hosts_own_exposure():
    scene, _ = scene_of(w.staggered(12))
    assert legs.onset_alignment(scene).passed is True
    scene, _ = scene_of(w.site_outage(12))
    assert legs.onset_alignment(scene).passed is False


def test_onset_without_dated_exposure_cannot_be_tested():
    world = World(11, hosts=6)
    for host in world.names:
        world.states[host] = [(None, BAD)]
    world.fault = fails_under(BAD)
    scene, _ = scene_of(world)
    assert legs.onset_alignment(scene).passed is None
    assert legs.placebo_dates(scene).passed is None


def test_reversal_passes_where_hosts_work_again_after_the_removal():
    scene, _ = scene_of(w.big_bang(13, wave=8))
    check = legs.reversal(scene)
    assert check.passed is True
    assert check.text.startswith("of 8 failing hosts")


def test_reversal_of_two_hosts_can_prove_nothing():
    scene, _ = scene_of(w.big_bang(13, wave=2))
    check = legs.reversal(scene)
    assert check.passed is None
    assert "too few hosts" in check.text


def test_reversal_fails_where_failures_go_on_after_the_removal():
    world = w.big_bang(14, wave=8)
    world.fault = fails_during(day(PATCHED, 23), day(60))
    scene, _ = scene_of(world)
    assert legs.reversal(scene).passed is False


def test_reversal_counts_a_removal_that_was_undone():
    world = World(15, hosts=8)
    for host in world.names:
        world.patch(host, day(PATCHED, 20)).patch(host, day(28, 5), DECEMBER)
        world.patch(host, day(35, 5))
    world.fault = fails_under(BAD)
    scene, _ = scene_of(world)
    assert legs.reversal(scene).passed is True


def test_reversal_without_any_end_cannot_be_tested():
    scene, _ = scene_of(w.big_bang(16))
    assert legs.reversal(scene).passed is None


def test_placebo_dates_show_no_step_before_the_change():
    scene, _ = scene_of(w.staggered(17))
    assert legs.placebo_dates(scene).passed is True


def test_placebo_dates_show_a_step_that_came_before_the_change():
    world = World(18, hosts=12)
    for host in world.names:
        world.patch(host, day(PATCHED + 10, 20))
    world.fault = fails_during(day(PATCHED + 3), day(60))
    scene, _ = scene_of(world)
    assert legs.placebo_dates(scene).passed is False


def test_signature_tells_the_code_of_the_fault_from_more_failures_of_any_kind():
    for code, want in (("789", True), ("691", False)):
        world = w.staggered(19)
        world.base_code = "691"
        world.fault = fails_under(BAD, code=code)
        scene, tables = scene_of(world)
        exposed = pd.Series(in_effect(scene.spans, tables.attempts))
        assert legs.signature(tables.attempts, {"789"}, exposed).passed is want


def test_signature_without_codes_cannot_be_tested():
    scene, tables = scene_of(w.staggered(19))
    exposed = pd.Series(in_effect(scene.spans, tables.attempts))
    assert legs.signature(tables.attempts, set(), exposed).passed is None
