"""Claims about dose, other changes as placebos, kinds of error, and what still works."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import worlds_cause as w
from scipy.stats import spearmanr
from worlds_cause import BAD, PATCHED, World, fails_under
from worlds_legs import drawn, noise, reached, scene_of

from kitlib import legs
from kitlib.legs.codes import _shift
from kitlib.legs.successes import _working_days, lost_per_failure
from kitlib.stats import stratified_difference
from kitlib.suspects import in_effect

# --- dose ------------------------------------------------------------------------------------


def test_dose_passes_where_more_exposure_goes_with_more_failures():
    scene, _ = scene_of(w.staggered(21))
    check = legs.dose(scene)
    assert check.passed is True
    assert "hosts with none of it fail" in check.text


@pytest.mark.parametrize("family", [w.gateway_outage, w.trend])
def test_dose_fails_where_all_fail_whatever_they_had(family):
    scene, _ = scene_of(family(22))
    check = legs.dose(scene)
    assert check.passed is False
    assert "by day at" in check.text


def test_dose_of_a_rollout_in_one_night_is_the_same_for_all():
    rows = [(f"H{h}", d, d >= 5) for h in range(8) for d in range(10)]
    check = legs.dose(drawn(rows, [(f"H{h}", 5, None) for h in range(8)]))
    assert check.passed is None
    assert "8 of 8 hosts had the same dose" in check.text


def test_dose_is_counted_until_hosts_are_freed():
    """Those who failed were freed after two days, the others kept it: no sign of harmlessness."""
    ill = [(f"H{h}", d, 5 <= d < 8) for h in range(6) for d in range(30)]
    well = [(f"H{h}", d, False) for h in range(6, 18) for d in range(30)]
    spans = [(f"H{h}", 5, 8) for h in range(6)] + [(f"H{h}", 7, None) for h in range(6, 12)]
    check = legs.dose(drawn(ill + well, spans))
    assert check.passed is True
    assert "6 hosts with 50% to 100% of it fail 100%" in check.text


def test_dose_says_nothing_where_hosts_were_freed_before_anybody_tried_with_it():
    rows = [(f"H{h}", d, False) for h in range(4) for d in (0, 6, 7)]
    spans = [("H0", 1, 3), ("H1", 1, 3), ("H2", 6, None), ("H3", None, -5)]
    check = legs.dose(drawn(rows, spans))
    assert check.passed is None
    assert "freed of it before anybody tried" in check.text


@pytest.mark.parametrize("seed", range(3))
def test_dose_equals_spearman_over_all_orders_of_the_hosts(seed):
    scene = noise(seed, hosts=6, starts=(3, 4, 5, 7))
    days = [d for d in range(10) if d >= 3]
    on = [scene.states()[h, days].mean() for h in range(6)]
    failing = [scene.panel.daily()[0][h, days].mean() for h in range(6)]
    value = spearmanr(on, failing).statistic
    values = [spearmanr(order, failing).statistic for order in permutations(on)]
    text = legs.dose(scene).text
    assert f"correlate by rank at {value:+.2f}, p = {reached(values, value):.3f} (exact" in text


def test_dose_of_groups_counts_each_group_once_and_names_them():
    rows, spans, groups = [], [], {}
    for place, start in enumerate((2, 4, 6, 8, None)):
        hosts = [f"{'abcde'[place]}{n}" for n in range(4)]
        groups[f"site {'ABCDE'[place]}"] = frozenset(hosts)
        spans += [(host, start, None) for host in hosts if start is not None]
        rows += [(h, d, start is not None and d >= start) for h in hosts for d in range(10)]
    check = legs.dose(drawn(rows, spans), groups=groups)
    assert check.passed is True
    assert "over 5 groups of hosts" in check.text
    assert "p = 0.008 (exact permutation over all 120 deals)" in check.text
    assert "site E 0% exposed 0% failing, site D 25% exposed 25% failing" in check.text


# --- placebo changes ---------------------------------------------------------------------------


def rollouts(scene, count, *, seed=5, share=0.5):
    """Other changes on hosts and from days of their own, as masks."""
    rng = np.random.default_rng(seed)
    hosts, days = len(scene.panel.hosts), len(scene.panel.days)
    start = np.where(rng.random((count, hosts)) < share, rng.integers(1, days, (count, hosts)), 999)
    return scene.panel.day >= start[:, scene.panel.host]


def test_placebo_changes_confirm_the_one_that_none_of_many_reaches():
    scene, _ = scene_of(w.staggered(23))
    masks = np.concatenate([scene.mask[np.newaxis], rollouts(scene, 30)])
    labels = ["blamed", *(f"Driver {n}" for n in range(30))]
    check = legs.placebo_changes(scene, masks, labels)
    assert check.passed is True
    assert check.text.startswith("0 of 30 other changes")
    assert "rank p = 0.032" in check.text


def test_placebo_changes_equal_a_loop_over_days():
    scene, _ = scene_of(w.staggered(24, chance=0.2))
    masks = rollouts(scene, 12)
    panel = scene.panel

    def slow(mask):
        sides = np.zeros((4, len(panel.days)))
        for day, failed, on in zip(panel.day, panel.failed, mask, strict=True):
            sides[0 if on else 2, day] += failed
            sides[1 if on else 3, day] += 1
        return float(stratified_difference(*sides))

    values = [slow(mask) for mask in masks]
    own = masks[int(np.argsort(values)[-4])]
    scene = legs.Scene(scene.episodes, panel, own, scene.spans)
    check = legs.placebo_changes(scene, masks, [f"D{n}" for n in range(12)])
    assert check.text.startswith("3 of 11 other changes")
    assert check.passed is False
    assert f"rank p = {4 / 12:.3f}" in check.text


def test_placebo_changes_cannot_confirm_with_fewer_than_twenty_others():
    scene, _ = scene_of(w.staggered(23))
    check = legs.placebo_changes(scene, rollouts(scene, 8), [f"D{n}" for n in range(8)])
    assert check.passed is None
    assert "too few others" in check.text


def test_placebo_changes_leave_out_companions_and_what_is_on_two_hosts():
    scene, _ = scene_of(w.staggered(23))
    small = rollouts(scene, 3) & (scene.panel.host < 2)
    masks = np.concatenate([np.tile(scene.mask, (4, 1)), small])
    check = legs.placebo_changes(scene, masks, [*"abcd", "x", "y", "z"])
    assert check.passed is None
    assert "4 went along with this one, 3 were on fewer than 3 hosts" in check.text


def test_placebo_changes_count_the_cures_of_one_change_once():
    scene, _ = scene_of(w.staggered(23))
    masks = rollouts(scene, 6)
    check = legs.placebo_changes(scene, np.repeat(masks, 5, axis=0), list("abcdef" * 5)[::1])
    assert "of 6 other changes" in check.text


# --- signature -------------------------------------------------------------------------------


def with_codes(world, *codes):
    """Ordinary failures with several codes, in the tables; the scene is that of the world."""
    scene, tables = scene_of(world)
    attempts = tables.attempts.copy()
    rng = np.random.default_rng(world.seed)
    ordinary = attempts["code"] == world.base_code
    attempts.loc[ordinary, "code"] = rng.choice(codes, ordinary.sum())
    exposed = pd.Series(in_effect(scene.spans, attempts), index=attempts.index)
    return scene, attempts, exposed


def other_codes(seed, code):
    world = w.staggered(seed)
    world.base_code, world.base = "691", 0.06
    world.fault = fails_under(BAD, code=code)
    return with_codes(world, "691", "809")


@pytest.mark.parametrize(("code", "want"), [("789", True), ("691", False)])
def test_signature_tells_the_code_of_the_fault_from_more_failures_of_any_kind(code, want):
    scene, attempts, exposed = other_codes(19, code)
    assert legs.signature(attempts, {"789"}, exposed).passed is want
    check = legs.signature(attempts, {"789"}, exposed, scene=scene)
    assert check.passed is want
    assert "(The security layer met a processing error" in check.text


def test_signature_finds_the_code_where_the_profile_names_none():
    scene, attempts, exposed = other_codes(20, "13806")
    check = legs.signature(attempts, (), exposed, scene=scene)
    assert check.passed is True
    assert check.text.startswith("code 13806 (IKE: no valid machine certificate was found)")
    assert "hosts that fail while exposed mostly fail with" in check.text


def test_signature_counts_hosts_not_failures():
    """One machine fails a thousand times with 789 while exposed; five fail now and then with 691."""
    rows = [("H0", d, True) for d in range(10) for _ in range(100)]
    rows += [(f"H{h}", d, d == 7) for h in range(1, 6) for d in range(10)]
    scene = drawn(rows, [(f"H{h}", 5, None) for h in range(6)])
    attempts = scene.episodes.assign(
        outcome=np.where(scene.failed, "failure", "success"),
        code=np.where(~scene.failed, "", np.where(scene.episodes["host"] == "H0", "789", "691")),
    )
    check = legs.signature(attempts, {"789"}, pd.Series(scene.mask), scene=scene)
    assert check.passed is False
    assert "1 of 6 hosts" in check.text


def test_signature_is_not_moved_by_a_code_that_everybody_has_on_the_same_days():
    """An outage inside the exposed time has a code of its own, with the change and without it."""
    world = w.gateway_outage(21, hosts=30)
    world.base_code, world.base = "691", 0.08
    fault = world.fault
    world.fault = lambda *args: (hit[0], "809") if (hit := fault(*args)) else None
    scene, attempts, exposed = with_codes(world, "691", "720")
    check = legs.signature(attempts, (), exposed, scene=scene)
    assert check.passed is not True


def test_signature_cannot_be_tested_without_codes_without_failures_or_with_one_code_only():
    scene, tables = scene_of(w.staggered(19))
    exposed = pd.Series(in_effect(scene.spans, tables.attempts))
    assert legs.signature(tables.attempts, set(), exposed).passed is None
    assert legs.signature(tables.attempts, {"789"}, exposed & False).passed is None
    check = legs.signature(tables.attempts, {"789"}, exposed, scene=scene)
    assert check.passed is None
    assert "all failures have this code" in check.text


def test_signature_shift_equals_loops_over_all_orders_of_the_hosts():
    scene = noise(31, hosts=5, starts=(3, 4, 5))
    rng = np.random.default_rng(31)
    codes = np.where(scene.failed, rng.choice(["a", "b", "c"], len(scene.failed)), "")
    failures = scene.episodes.assign(code=codes)[scene.failed]
    place = {host: n for n, host in enumerate(scene.panel.hosts)}
    first = scene.panel.days[0]

    def largest(states):
        best = float("nan")
        for code in "abc":
            sides = {True: [], False: []}
            for host, own in failures.groupby("host"):
                on = [states[place[host], (t.floor("D") - first).days] for t in own["time"]]
                hits = (own["code"] == code).to_numpy()
                for side, found in sides.items():
                    chosen = hits[np.array(on) == side]
                    if len(chosen):
                        found.append(chosen.mean())
            if sides[True] and sides[False]:
                value = np.mean(sides[True]) - np.mean(sides[False])
                best = value if np.isnan(best) else max(best, value)
        return best

    states = scene.states()
    observed = largest(states)
    values = [largest(states[list(order)]) for order in permutations(range(5))]
    shift = _shift(failures, scene, [])
    assert shift.value == pytest.approx(observed)
    assert shift.p == pytest.approx(reached(values, observed))


def test_code_class_counts_each_host_once_and_names_certificates_and_credentials():
    rows = [("A", "13806")] * 50 + [("B", "691"), ("B", "809")] * 25
    rows += [("C", "853")] * 50 + [("D", "999999")] * 50
    attempts = pd.DataFrame(rows, columns=["host", "code"]).assign(outcome="failure")
    attempts.loc[len(attempts)] = ["E", "", "success"]
    inside = np.ones(len(attempts), dtype=bool)
    shares = legs.code_class(attempts, inside)
    assert next(iter(shares)) == "certificate"
    assert shares == {
        "certificate": pytest.approx(0.5),
        "unknown": pytest.approx(0.25),
        "credentials": pytest.approx(0.125),
        "reachability": pytest.approx(0.125),
    }
    assert legs.code_class(attempts, ~inside) == {}


def test_code_class_hardly_counts_a_host_with_one_ordinary_failure():
    troubled = [(host, "691", "failure") for host in "AB" for _ in range(8)]
    ordinary = [(host, "809", "failure") for host in "CDE"]
    ordinary += [(host, "", "success") for host in "CDE" for _ in range(12)]
    attempts = pd.DataFrame(troubled + ordinary, columns=["host", "code", "outcome"])
    shares = legs.code_class(attempts, np.ones(len(attempts), dtype=bool))
    usual = (0.5 / 10) * np.prod([(9.5 + i) / (11 + i) for i in range(12)])
    fault = 1 / (13 * 14)
    odd = fault / (fault + usual)
    assert shares["credentials"] == pytest.approx(2 / (2 + 3 * odd), abs=0.001)
    assert shares["credentials"] > 0.7


# --- successes -------------------------------------------------------------------------------


def noisy_log(hosts=12, days=20, start=10):
    """The same two successes a day throughout; from `start` on also two failures a day."""
    worked = [(f"H{h:02d}", d, False) for h in range(hosts) for d in range(days) for _ in range(2)]
    failed = [
        (f"H{h:02d}", d, True) for h in range(hosts) for d in range(start, days) for _ in range(2)
    ]
    return drawn(worked + failed, [(f"H{h:02d}", start, None) for h in range(hosts)])


def test_successes_fall_where_a_fault_is_at_work():
    scene, _ = scene_of(w.staggered(25))
    check = legs.fewer_successes(scene)
    assert check.passed is True
    assert legs.only_more_failures(scene) is False


def test_successes_that_do_not_fall_betray_a_noisier_log():
    scene = noisy_log()
    check = legs.fewer_successes(scene)
    assert check.passed is False
    assert "successes a host and day 2.00 with it, 2.00 without; failures 2.00 and 0.00" in (
        check.text
    )
    assert legs.only_more_failures(scene) is True


def test_only_more_failures_is_false_where_failures_do_not_rise():
    scene, _ = scene_of(w.quiet(26))
    assert legs.only_more_failures(scene) is False


def test_only_more_failures_of_three_hosts_cannot_be_told():
    assert legs.only_more_failures(noisy_log(hosts=3)) is None
    assert legs.fewer_successes(noisy_log(hosts=3)).passed is None


def test_successes_count_days_on_which_a_host_did_not_even_try_but_no_weekend():
    world = World(27, hosts=8, per_day=1.0)
    for host in world.names:
        world.patch(host, w.day(PATCHED, 20))
    scene, _ = scene_of(world)
    days = _working_days(scene)
    counted = days.on | days.off
    weekday = scene.panel.days.day_of_week < 5
    assert not counted[:, ~weekday].any()
    _, n = scene.panel.daily()
    assert (counted & (n == 0)).any()


def test_lost_per_failure_equals_a_loop_over_the_same_fleets():
    scene, _ = scene_of(w.staggered(28, hosts=8))
    days = _working_days(scene)
    both = days.both()
    rng = np.random.default_rng(legs.SEED)
    size = int(both.sum())
    draws = rng.multinomial(size, np.full(size, 1 / size), size=legs.RESAMPLES)
    hosts = np.flatnonzero(both)
    values = []
    for draw in draws:
        sums = {(what, side): 0.0 for what in ("worked", "failed", "days") for side in (0, 1)}
        for times, host in zip(draw, hosts, strict=True):
            for side, held in enumerate((days.off, days.on)):
                for d in np.flatnonzero(held[host]):
                    sums["worked", side] += times * days.worked[host, d]
                    sums["failed", side] += times * days.failed[host, d]
                    sums["days", side] += times
        rate = {key: value / sums["days", key[1]] for key, value in sums.items()}
        gained = rate["failed", 1] - rate["failed", 0]
        values.append((rate["worked", 0] - rate["worked", 1]) / gained)
    want = np.quantile(values, [0.05, 0.95])
    assert lost_per_failure(days, both) == pytest.approx(tuple(want))
