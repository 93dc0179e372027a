"""The curves of time to recovery and the calendar count each host once, on its own clock.

Each estimator stands beside a slow and obvious twin.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from restoration_samples import CURE, PATCH, at, fleet, restore, seen, span, state, tries, verdict
from scipy import stats as scipy_stats

from kitlib.restoration import in_words, kaplan_meier
from kitlib.restoration.curves import milestones

# --- the curve --------------------------------------------------------------------------------


def by_hand(days, ended):
    """Kaplan-Meier with Greenwood's log-log interval, one host at a time."""
    share, variance, rows = 1.0, 0.0, []
    for moment in sorted({d for d, e in zip(days, ended, strict=True) if e}):
        waiting = sum(1 for d in days if d >= moment)
        back = sum(1 for d, e in zip(days, ended, strict=True) if d == moment and e)
        share *= (waiting - back) / waiting
        low = high = math.nan
        if waiting > back:
            variance += back / (waiting * (waiting - back))
            wide = 1.6448536269514722 * math.sqrt(variance) / math.log(share)
            low, high = share ** math.exp(-wide), share ** math.exp(wide)
        rows.append((moment, waiting, back, share, low, high))
    return rows


def sample(seed, count=30):
    """Waiting times with ties, and whether each one ended."""
    rng = np.random.default_rng(seed)
    return np.round(rng.exponential(5, count), 1) + 0.1, rng.random(count) < 0.7


@pytest.mark.parametrize("seed", range(5))
def test_kaplan_meier_agrees_with_one_host_at_a_time(seed):
    days, ended = sample(seed)
    found = kaplan_meier(days, ended)
    assert found.iloc[0].tolist() == [0, 30, 0, 1, 1, 1]
    np.testing.assert_allclose(found.iloc[1:].to_numpy(), by_hand(days, ended), rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_kaplan_meier_agrees_with_scipy(seed):
    days, ended = sample(seed)
    found = kaplan_meier(days, ended).iloc[1:]
    data = scipy_stats.CensoredData.right_censored(days, ~ended)
    result = scipy_stats.ecdf(data).sf
    if not ended[days == days.max()].all():  # else scipy warns of the share 0
        interval = result.confidence_interval(0.90, method="log-log")
        for side in ("low", "high"):
            expected = getattr(interval, side).evaluate(found["day"])
            assert found[side].to_numpy() == pytest.approx(expected)
    assert found["share"].to_numpy() == pytest.approx(result.evaluate(found["day"]))


def test_kaplan_meier_without_a_recovery_stays_at_one():
    assert kaplan_meier(np.array([3.0, 5.0]), np.array([0, 0]))["share"].tolist() == [1.0]
    assert kaplan_meier(np.array([]), np.array([]))["at_risk"].tolist() == [0.0]


def test_kaplan_meier_interval_holds_the_truth_in_nine_of_ten_worlds():
    """400 fleets of 40 hosts that wait 5 days on average, a third of them censored."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        wait, log = rng.exponential(5, 40), rng.uniform(0, 20, 40)
        curve = kaplan_meier(np.minimum(wait, log), wait <= log)
        row = curve[curve["day"] <= 4].iloc[-1]
        held += row["low"] <= math.exp(-4 / 5) <= row["high"]
    assert 0.87 <= held / 400 <= 0.93


@pytest.mark.parametrize("seed", range(5))
def test_milestones_are_where_curve_and_band_cross(seed):
    days, ended = sample(seed)
    times = pd.DataFrame({"days": days, "back": ended, "days_low": days - 0.1, "status": "x"})
    curve = kaplan_meier(days, ended).assign(way="any")
    table = milestones(times, curve).set_index("share")
    rows = by_hand(days, ended)
    for share, level in ((0.5, 0.5), (0.9, 0.1)):
        for name, place in (("days", 3), ("low", 4), ("high", 5)):
            crossed = [row[0] for row in rows if row[place] <= level + 1e-12]
            if name == "days" and not crossed:
                assert table.loc[share, ["days", "low", "high"]].isna().all()
                break
            assert table.loc[share, name] == pytest.approx(
                min(crossed, default=math.nan), nan_ok=True
            )
    assert np.isnan(table.loc[1.0, "days"]) == (not ended.all())


def test_time_to_all_is_between_the_last_failure_and_the_success_of_the_last_host():
    found = restore(
        [state("A", "recovered", 1, 6, "fix"), state("B", "recovered", 1, 4, "fix")],
        [tries("A", " xx x ooo"), tries("B", " xx ooo")],
        [seen("A", 9), seen("B", 9)],
        cured=[span("A", CURE, 5), span("B", CURE, 3)],
    )
    row = found.milestones.query("way == 'any' and share == 1").iloc[0]
    assert (row["days"], row["low"], row["high"]) == (5, 3, 5)
    assert row["text"] == "5.0 days"


def test_milestones_not_reached_say_how_many_are_out():
    table = fleet().milestones.set_index(["way", "share"])
    assert table.loc[("any", 1.0), "text"] == "not reached: 1 of 4 hosts still out, 1 not known"
    assert (
        table.loc[("fix", 0.5), "text"] == "not reached: 3 of 4 hosts not seen to work with the fix"
    )
    assert table.loc[("any", 0.5), "days"] == 5
    assert table.loc[("any", 0.9), ["days", "low", "high"]].isna().all()


def test_spans_are_told_in_the_unit_that_reads_best():
    assert [in_words(d) for d in (0.5 / 24, 1 / 24, 1.5, 2, 13.04, math.nan)] == [
        "30 minutes", "1 hour", "36 hours", "2.0 days", "13.0 days", "?",
    ]  # fmt: skip


# --- each host's own clock --------------------------------------------------------------------


def test_times_end_with_recovery_or_with_what_is_known():
    times = fleet().times.set_index("host")
    assert times["back"].to_dict() == {"A": True, "B": True, "C": False, "D": False}
    # C is out to its last evidence; of D it is known until the fix took effect, at midnight.
    assert times["days"].to_dict() == {"A": 5, "B": 2, "C": 8, "D": 5 - 9 / 24}
    assert times["days_low"].to_dict() == {"A": 4, "B": 1, "C": 5, "D": 2}


def test_a_workaround_does_not_end_the_wait_for_the_fix():
    times = fleet().times.set_index("host")
    assert times["fixed"].to_dict() == {"A": True, "B": False, "C": False, "D": False}
    assert times.loc["B", "fixed_days"] == 9


def test_the_fix_counts_from_when_it_is_in_effect():
    """Removed, worked, then fixed: any way from the removal, the fix from the fix."""
    found = restore(
        [state("A", "recovered", 0, 2, "fix")], [tries("A", "xxoooo")], [seen("A", 8)],
        bad=[span("A", PATCH, -1, 1.5)], cured=[span("A", CURE, 4)],
    )  # fmt: skip
    row = found.times.iloc[0]
    assert (row["days"], row["fixed_days"]) == (2, 4 - 9 / 24)


def test_a_host_is_censored_at_its_own_last_evidence_not_the_fleets():
    found = restore(
        [state("A", "still_failing", 0), state("B", "still_failing", 0)],
        [tries("A", "xx"), tries("B", "xx")],
        [seen("A", 3), seen("B", 30)],
    )
    assert found.times["days"].tolist() == [3, 30]


def test_a_host_without_coverage_is_censored_at_its_last_attempt():
    found = restore([state("A", "still_failing", 0)], [tries("A", "xx  x")])
    assert found.times["days"].tolist() == [4]


def test_numbers_at_risk_agree_with_a_loop_over_hosts():
    found = fleet()
    for way, column in (("any", "days"), ("fix", "fixed_days")):
        expected = [sum(1 for spent in found.times[column] if spent >= t) for t in range(10)]
        assert found.at_risk(range(10), way=way) == expected
    assert found.at_risk([0, 2, 2.01, 8, 8.01]) == [4, 4, 3, 1, 0]
    assert found.curve.query("way == 'any'")["at_risk"].tolist() == [4, 4, 2]


def test_where_no_change_is_blamed_there_is_no_fix_to_wait_for():
    cause = verdict(status="not_supported")
    found = restore(
        [state("A", "recovered", 0, 2, "other"), state("B", "still_failing", 1)],
        [tries("A", "xxooo"), tries("B", " xxx")], [seen("A", 5), seen("B", 5)], cause=cause,
    )  # fmt: skip
    assert set(found.curve["way"]) == {"any"}
    assert "fix" not in found.finding().text
    assert found.to_call["what_to_do"].tolist() == [
        "Ask what it cannot reach and collect its logs: it fails, and no change is blamed."
    ]


# --- the calendar -----------------------------------------------------------------------------


def test_calendar_counts_hosts_out_working_and_unknown():
    found = fleet().calendar.drop(columns="days")
    assert found.to_numpy().tolist() == [
        [at(1), 2, 2, 0, 0, 0],
        [at(2), 4, 4, 0, 0, 0],
        [at(3), 4, 3, 1, 0, 0],
        [at(6), 4, 2, 2, 0, 0],
        [at(7, 0), 4, 1, 2, 1, 0],
    ]
    assert fleet().calendar["days"].tolist() == [0, 1, 2, 5, 6 - 9 / 24]


def test_calendar_does_not_take_a_host_for_out_long_after_its_logs_end():
    found = restore(
        [state("A", "still_failing", 0), state("B", "still_failing", 0)],
        [tries("A", "xx"), tries("B", "xx")], [seen("A", 3), seen("B", 30)],
    )  # fmt: skip
    assert found.calendar[["time", "out", "unknown"]].to_numpy().tolist() == [
        [at(0), 2, 0], [at(3), 1, 1],
    ]  # fmt: skip
    check = found.finding().checks[2]
    assert check.passed is False
    assert check.text.startswith("The logs of 1 of 2 hosts still out end more than 7 days before")
