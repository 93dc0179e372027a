"""Claims about a host's own past, made-up dates, the beginning of failures and the way back."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import worlds_cause as w
from worlds_cause import BAD, DECEMBER, FIX, PATCHED, World, day, fails_during, fails_under
from worlds_legs import NAMED, difference, drawn, noise, reached, scene_of

from kitlib import legs
from kitlib.legs.deals import deal
from kitlib.legs.onset import DAY, INSIDE, MIN_GAIN, SLACK, USUAL, Beginnings, aligned, beginnings
from kitlib.legs.reversal import compared
from kitlib.legs.scene import even_samples, signs
from kitlib.suspects import bad_spans, cured_spans


def without_dates(seed):
    world = World(seed, hosts=6)
    for host in world.names:
        world.states[host] = [(None, BAD)]
    world.fault = fails_under(BAD)
    return scene_of(world)[0]


# --- own past --------------------------------------------------------------------------------


def test_own_past_passes_where_hosts_fail_more_often_than_before():
    scene, _ = scene_of(w.big_bang(10))
    check = legs.own_past(scene)
    assert check.passed is True
    assert check.text.startswith("of 24 hosts seen with and without the change, 24 fail more")


def test_own_past_cannot_be_tested_where_nobody_was_seen_without_it():
    assert legs.own_past(without_dates(11)).passed is None


def test_own_past_of_four_hosts_can_prove_nothing():
    scene, _ = scene_of(w.big_bang(10, hosts=4))
    check = legs.own_past(scene)
    assert check.passed is None
    assert "4 fail more often" in check.text
    assert "too few hosts" in check.text


def test_own_past_does_not_count_ties():
    """Ten hosts, four of them worse: p is that of four, and the six alike are named."""
    rows = [(f"H{h}", d, h < 4 and d >= 5) for h in range(10) for d in range(10)]
    check = legs.own_past(drawn(rows, [(f"H{h}", 5, None) for h in range(10)]))
    assert check.passed is False
    assert "4 fail more often with it, 0 less often, 6 alike" in check.text
    assert "p = 0.0625" in check.text


def test_even_samples_are_as_many_on_both_sides_spread_over_time():
    rows = [("A", d, False) for d in range(12)] + [("B", d, False) for d in range(3)]
    scene = drawn(rows, [("A", 9, None), ("B", 20, None)])
    on, off = even_samples(scene.panel, scene.mask, ~scene.mask)
    days = scene.panel.day
    assert days[on].tolist() == [9, 10, 11]
    assert days[off].tolist() == [2, 5, 8]
    assert scene.panel.host[off].tolist() == [0, 0, 0]  # nothing to compare B with


def test_signs_are_a_fair_coin_where_nothing_changed_however_uneven_the_sides():
    """30 days with and 3 without, 10 % fail: the plain rates would call two in three worse."""
    rng = np.random.default_rng(5)
    rows = [(f"H{h:04d}", d, rng.random() < 0.1) for h in range(1500) for d in range(33)]
    scene = drawn(rows, [(f"H{h:04d}", 3, None) for h in range(1500)])
    sign = signs(scene.panel, scene.mask, ~scene.mask)
    worse, better = (sign > 0).sum(), (sign < 0).sum()
    assert abs(worse - better) < 3 * np.sqrt(worse + better)
    rates = scene.rates()
    plain = rates["k1"] / rates["n1"] - rates["k0"] / rates["n0"]
    assert (plain > 0).sum() > 1.9 * (plain < 0).sum()


# --- placebo dates ---------------------------------------------------------------------------


def test_placebo_dates_show_no_step_before_the_change():
    scene, _ = scene_of(w.staggered(17))
    check = legs.placebo_dates(scene)
    assert check.passed is True
    assert "over 19 hosts" in check.text


def test_placebo_dates_show_a_step_that_came_before_the_change():
    world = World(18, hosts=12)
    for host in world.names:
        world.patch(host, day(PATCHED + 10, 20))
    world.fault = fails_during(day(PATCHED + 3), day(60))
    scene, _ = scene_of(world)
    assert legs.placebo_dates(scene).passed is False


def test_placebo_dates_cannot_tell_from_few_noisy_attempts():
    rows = [(f"H{h}", d, (h + d) % 3 == 0) for h in range(4) for d in (0, 9, 11, 15, 16)]
    scene = drawn(rows, [(f"H{h}", 14, None) for h in range(4)])
    check = legs.placebo_dates(scene)
    assert check.passed is None
    assert "too few attempts to tell" in check.text


def test_placebo_dates_need_dates_and_three_hosts():
    assert legs.placebo_dates(without_dates(11)).passed is None
    rows = [(f"H{h}", d, False) for h in range(2) for d in range(30)]
    scene = drawn(rows, [("H0", 25, None), ("H1", 26, None)])
    assert legs.placebo_dates(scene).passed is None


def test_placebo_dates_mean_is_that_of_hosts_not_of_comparisons():
    scene, _ = scene_of(w.trend(17))
    means = []
    first = scene.spans.groupby("host")["start"].min().dropna()
    for host, start in first.items():
        rows = scene.episodes[(scene.episodes["host"] == host) & (scene.episodes["time"] < start)]
        steps = []
        for lag in legs.PLACEBO_LAGS:
            late = rows["time"] >= start - pd.Timedelta(days=lag)
            if late.any() and (~late).any():
                steps.append(rows.loc[late, "failed"].mean() - rows.loc[~late, "failed"].mean())
        if steps:
            means.append(np.mean(steps))
    assert f"the step is {np.mean(means):+.2f} over {len(means)} hosts" in (
        legs.placebo_dates(scene).text
    )


# --- onset -----------------------------------------------------------------------------------


def test_onset_follows_each_hosts_own_exposure():
    scene, _ = scene_of(w.staggered(12))
    check = legs.onset_alignment(scene)
    assert check.passed is True
    assert "right at their own exposure" in check.text


def test_onset_on_one_day_of_the_calendar_is_not_aligned_on_exposure():
    rows = [(f"H{h:02d}", d, d >= 6) for h in range(12) for d in range(15)]
    check = legs.onset_alignment(drawn(rows, [(f"H{h:02d}", 2 + h % 7, None) for h in range(12)]))
    assert check.passed is False
    assert "p = 1.000" in check.text
    scene, _ = scene_of(w.gateway_outage(12))
    assert legs.onset_alignment(scene).passed is False


def test_onset_may_be_delayed_by_the_same_time_on_all_hosts():
    world = w.staggered(13, chance=1.0)
    start = {h: t for h in world.names for t, r in world.states[h] if r == BAD}
    late = pd.Timedelta(days=4)
    world.fault = lambda host, time, _: (
        (1.0, "789") if host in start and time >= start[host] + late else None
    )
    scene, _ = scene_of(world)
    check = legs.onset_alignment(scene)
    assert check.passed is True
    delay = float(check.text.split(" begin to fail ")[1].split(" days after")[0])
    assert 3.0 <= delay <= 4.5


def test_onset_of_a_rollout_in_one_night_cannot_be_told_from_the_calendar():
    scene, _ = scene_of(w.big_bang(14))
    check = legs.onset_alignment(scene)
    assert check.passed is None
    assert "all in one night" in check.text


def test_onset_without_dated_exposure_cannot_be_tested():
    assert legs.onset_alignment(without_dates(11)).passed is None


def test_beginnings_equal_a_search_over_all_runs():
    scene, _ = scene_of(w.staggered(15, hosts=8, chance=0.6))
    found = beginnings(scene)
    want = []
    for number in range(len(scene.panel.hosts)):
        rows = np.flatnonzero(scene.panel.host == number)
        rows = rows[np.argsort(scene.panel.time[rows])]
        runs = []
        for rate in INSIDE:
            lost, won = np.log((1 - rate) / (1 - USUAL)), np.log(rate / USUAL)
            score = [won if scene.failed[r] else lost for r in rows]
            sums = [
                (round(sum(score[a:b]), 9), a)
                for a in range(len(rows))
                for b in range(a + 1, len(rows) + 1)
            ]
            runs.append((*max(sums), int(SLACK / -lost) + 1))
        gain, first, lead = max(runs, key=lambda run: run[0])
        if gain >= MIN_GAIN:
            time = scene.panel.time[rows] / DAY
            low = time[first - lead] if first >= lead else -np.inf
            want.append((number, low, time[first]))
    assert list(zip(found.host, found.low, found.high, strict=True)) == want


def test_aligned_equals_a_loop_over_deals_hosts_and_delays():
    rng = np.random.default_rng(3)
    starts = np.array([2.0, 3.0, 5.0, 6.5])
    high = rng.uniform(3, 12, size=5)
    found = Beginnings(np.arange(5), high - rng.uniform(0.2, 2, size=5), high)
    deals = deal(np.array([0, 1, 1, 2, 3]))
    counts, delay = aligned(deals, starts, found)
    tried = np.arange(0, 21.01, 0.25)
    slow = []
    for kinds in deals.kinds:
        fits = [
            sum(
                found.low[h] < starts[kinds[h]] + c <= found.high[h] for h in range(5)
            )
            for c in tried
        ]  # fmt: skip
        slow.append(max(fits))
        if len(slow) == 1:
            assert delay == tried[int(np.argmax(fits))]
    assert counts.tolist() == slow


# --- reversal --------------------------------------------------------------------------------


def test_reversal_passes_where_hosts_work_again_after_the_removal():
    scene, _ = scene_of(w.big_bang(13, wave=8))
    check = legs.reversal(scene)
    assert check.passed is True
    assert check.text.startswith("of 8 failing hosts")
    assert "hosts still exposed fail" in check.text


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


def fixed_in_one_night(seed, *, guilty):
    """All get the bad revision in one night and the fix in another; who is guilty?"""
    world = World(seed, hosts=20)
    for host in world.names:
        world.patch(host, day(PATCHED, 20)).patch(host, day(PATCHED + 8, 20), FIX)
    world.fault = fails_under(BAD) if guilty else fails_during(day(PATCHED, 20), day(30, 20))
    return world


@pytest.mark.parametrize("guilty", [True, False])
def test_reversal_of_all_in_one_night_cannot_be_told_from_the_recovery_of_a_gateway(guilty):
    scene, _ = scene_of(fixed_in_one_night(15, guilty=guilty))
    check = legs.reversal(scene)
    assert check.passed is None
    assert "cannot be told from one of everybody" in check.text


def test_reversal_fails_where_everybody_recovers_on_one_day_whoever_had_the_fix_when():
    world = World(16, hosts=20)
    for place, host in enumerate(world.names):
        world.patch(host, day(PATCHED, 20)).patch(host, day(PATCHED + 6 + place % 8, 20), FIX)
    world.fault = fails_during(day(PATCHED, 20), day(PATCHED + 8))
    scene, _ = scene_of(world)
    check = legs.reversal(scene)
    assert "exact sign test p = 9.54e-07" in check.text  # alone it would convince
    assert check.passed is False


def test_reversal_counts_fixes_removals_and_what_came_again():
    world = World(17, hosts=12)
    for place, host in enumerate(world.names):
        world.patch(host, day(PATCHED, 20))
        world.patch(host, day(28 + place % 5, 5), FIX if place < 4 else DECEMBER)
        if place >= 8:
            world.patch(host, day(35 + place % 3, 5))
    world.fault = fails_under(BAD)
    scene, tables = scene_of(world)
    system = tables.exposure[tables.exposure["revision"].notna()]
    assert len(bad_spans(system, NAMED)) == 16
    check = legs.reversal(scene, cured=cured_spans(system, NAMED))
    assert check.passed is True
    assert "4 steps to the cure, 8 removals, came again 4 times" in check.text


def test_reversal_compares_the_hosts_that_failed_before_anybody_was_freed():
    """Half of the hosts cannot be bitten and are never freed: they say nothing about the way back."""
    scene, _ = scene_of(w.staggered(0, share=0.5))
    hosts, days = compared(scene)
    assert [scene.panel.hosts[place] for place in np.flatnonzero(hosts)] == [
        f"WS{n:04d}" for n in range(10)
    ]
    assert days.sum() > 5
    assert legs.reversal(scene).passed is True


def test_reversal_without_any_end_cannot_be_tested():
    scene, _ = scene_of(w.big_bang(16))
    assert legs.reversal(scene).passed is None


def test_reversal_same_day_p_equals_going_through_all_orders_of_the_hosts():
    scene = noise(3, hosts=7, days=16, starts=(2, 2, 3, 3, 4, 4), kept=5)
    ends = [5, 6, 8, 9, 11, 12]  # each host its own
    spans = scene.spans.assign(end=[day(n) for n in ends])
    worse = scene.failed | (np.arange(len(scene.failed)) % 3 == 0)
    mask = legs.Scene(scene.episodes, scene.panel, scene.mask, spans).states()
    exposed = mask[scene.panel.host, scene.panel.day]
    panel = replace(scene.panel, failed=np.where(exposed, worse, scene.failed & False))
    scene = legs.Scene(scene.episodes, panel, exposed, spans)
    on = scene.states()
    off = np.logical_or.accumulate(on, axis=1) & ~on
    mine, _ = compared(scene)
    assert mine.tolist() == [True, True, True, True, False, True, False]
    on[~mine], off[~mine] = False, False
    values = []
    for order in permutations(np.flatnonzero(mine)):
        rows = np.arange(7)
        rows[mine] = order
        values.append(difference(scene, on[rows], off[rows]))
    want = reached(values, difference(scene, on, off))
    assert f"p = {want:.3f} (exact permutation over all 120 deals)" in legs.reversal(scene).text
