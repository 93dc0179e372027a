"""Claims about how the fleet came back, each estimator beside a slow and obvious twin."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import worlds_cause as w
from scipy import stats as scipy_stats
from worlds_cause import BAD, DECEMBER, FIX, PATCHED, World, day, fails_under

from kitlib import schema
from kitlib.attempts import make_episodes
from kitlib.cause import Cause, judge_cause
from kitlib.incident import load_incident
from kitlib.recovery import assess_recovery
from kitlib.restoration import (
    in_words,
    kaplan_meier,
    likely_states,
    measure_restoration,
)
from kitlib.restoration.calls import URGENCY, Needs, what_to_do
from kitlib.restoration.curves import milestones
from kitlib.restoration.histories import BROKEN_RATES, make_bursts

NAMED = load_incident("kb5009543")
OPEN = load_incident("vpn-outage")
PATCH, CURE, OLD = "KB5009543", "KB5010793", "KB5008212"
DAY0 = pd.Timestamp("2022-01-11", tz="UTC")


def at(number, hour=9.0):
    return DAY0 + pd.Timedelta(days=number, hours=hour)


# --- a fleet by hand: one letter a day ---------------------------------------------------------


def tries(host, letters, first=0):
    """One burst a day at nine: x the symptom, o works, e another failure, a space nothing."""
    ends = {"x": ("failure", "789"), "o": ("success", ""), "e": ("failure", "691")}
    return [
        {"host": host, "time": at(n), "outcome": ends[c][0], "code": ends[c][1], "episode": n,
         "records": [f"{host}/Application#{n}"]}
        for n, c in enumerate(letters, first) if c != " "
    ]  # fmt: skip


def span(host, change, start, end=None):
    return {
        "host": host, "change": change, "start": None if start is None else at(start, 0),
        "end": None if end is None else at(end, 0), "build": 19044,
        "revision": {PATCH: 1466, CURE: 1469}[change], "records": [],
    }  # fmt: skip


def seen(host, end):
    return {"host": host, "channel": "Application", "start": at(-30), "end": at(end)}


def state(host, status, onset=None, back=None, by="", **more):
    return {
        "host": host, "status": status, "at_risk": status in ("still_failing", "workaround_only"),
        "onset": None if onset is None else at(onset), "recovered_by": by, "build": 19044,
        "recovered_at": None if back is None else at(back), **more,
    }  # fmt: skip


def verdict(bad=(), cured=(), status="supported"):
    nothing = (pd.NaT, pd.NaT, pd.NaT)
    return Cause(
        status, (PATCH,), (), 0.99, "", (), schema.empty("suspects"), nothing,
        bad=schema.frame("exposure", bad), cured=schema.frame("exposure", cured),
    )  # fmt: skip


def restore(hosts, days=(), logs=(), *, incident=NAMED, cause=None, **spans):
    return measure_restoration(
        schema.frame("hosts", hosts),
        schema.frame("attempts", [row for part in days for row in part]),
        schema.frame("coverage", logs),
        incident,
        cause or verdict(**spans),
    )


def fleet():
    """A is fixed on day 5, B removes the patch on day 3, C fails to the end, D is unconfirmed."""
    return restore(
        [
            state("A", "recovered", 1, 6, "fix"),
            state("B", "workaround_only", 1, 3, "uninstall"),
            state("C", "still_failing", 2),
            state("D", "unconfirmed", 2),
            state("E", "not_affected"),
            state("F", "no_data"),
        ],
        [tries("A", " xx  xooo"), tries("B", " xxoooo"), tries("C", "  x x xx"), tries("D", "  xxx")],
        [seen(host, 10) for host in "ABCDE"],
        bad=[span("A", PATCH, 0.5, 5.5), span("B", PATCH, 0.5, 2.5), span("C", PATCH, 0.5),
             span("D", PATCH, 0.5, 7)],
        cured=[span("A", CURE, 5.5), span("D", CURE, 7)],
    )  # fmt: skip


# --- the curve ---------------------------------------------------------------------------------


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


# --- each host's own clock ---------------------------------------------------------------------


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


# --- bursts and histories ----------------------------------------------------------------------


def bursts():
    rows = [
        {"host": "A", "time": at(0, h), "outcome": o, "code": c, "episode": e, "records": [f"A/x#{h}"]}
        for h, o, c, e in (
            (9, "failure", "789", 1), (10, "failure", "789", 1), (11, "failure", "789", 2),
            (12, "success", "", 2), (13, "failure", "691", 3), (14, "cancelled", "", 4),
            (15, "success", "", None), (16, "success", "", None), (17, "failure", "691", 5),
            (18, "success", "", 5), (19, "failure", "691", 6), (20, "failure", "789", 6),
            (21, "success", "", 6),
        )
    ]  # fmt: skip
    rows.append({"host": "A", "outcome": "failure", "code": "789", "episode": 9})
    return schema.frame("attempts", rows)


def test_bursts_fail_as_their_first_telling_try_does():
    """A retry that works does not undo the failure, and another code tells nothing."""
    found = make_bursts(bursts(), NAMED)
    assert found["failing"].tolist() == [True, True, False, False, False, True]
    assert found["time"].tolist() == [at(0, h) for h in (9, 11, 15, 16, 18, 20)]
    assert found["last"].tolist() == [at(0, h) for h in (10, 11, 15, 16, 18, 20)]
    assert found["records"].tolist() == [[f"A/x#{h}"] for h in (9, 11, 15, 16, 18, 20)]


def test_bursts_fail_where_episodes_do():
    """One definition in two tables: a burst is an episode in which something tells."""
    for chance in (0.3, 0.9):
        world = World(2, hosts=6, per_day=3.0, base=0.05)
        world.fault = fails_under(BAD, chance=chance)
        world.stagger(world.names, PATCHED, PATCHED + 6)
        attempts = world.tables().attempts
        other = attempts["outcome"].eq("failure") & (np.arange(len(attempts)) % 5 == 0)
        attempts.loc[other, "code"] = "691"
        made, found = make_episodes(attempts, NAMED), make_bursts(attempts, NAMED)
        fails = made[made["failed"]].groupby("host").size()
        assert found.groupby("host")["failing"].sum().to_dict() == fails.to_dict()
        told = attempts[(attempts["outcome"] == "success") | (attempts["code"] == "789")]
        assert len(found) == told.drop_duplicates(["host", "episode"]).shape[0]


def score(states, failing, switch, broken, ordinary):
    """Log probability of one history."""
    log = 0.0
    for n, (out, failed) in enumerate(zip(states, failing, strict=True)):
        rate = broken if out else ordinary
        log += math.log(rate if failed else 1 - rate)
        if n:
            log += math.log(switch[n] if out != states[n - 1] else 1 - switch[n])
    return log


@pytest.mark.parametrize("seed", range(12))
def test_likely_states_are_the_best_of_all_histories(seed):
    rng = np.random.default_rng(seed)
    failing = [bool(f) for f in rng.random(8) < rng.choice([0.2, 0.5, 0.8])]
    switch = rng.choice([0.01, 0.5], 8).tolist()
    ordinary = float(rng.choice([0.005, 0.05, 0.2]))
    rates = [rate for rate in BROKEN_RATES if rate > 2 * ordinary]
    histories = [(True, *rest) for rest in itertools.product([True, False], repeat=7)]
    best = max(score(h, failing, switch, r, ordinary) for h in histories for r in rates)
    states = likely_states(failing, switch, ordinary=ordinary)
    assert states[0] is True
    assert max(score(states, failing, switch, r, ordinary) for r in rates) == pytest.approx(best)


def relapses(letters, *, status="still_failing", back=None, bad=(), cured=(), last=40, past=""):
    by = "fix" if back else ""
    found = restore(
        [state("A", status, 0, back, by)], [tries("A", past + letters, -len(past))], [seen("A", last)],
        bad=[span("A", PATCH, *b) for b in bad], cured=[span("A", CURE, *c) for c in cured],
    )  # fmt: skip
    assert found.finding().checks[0].passed
    return found.relapses


def test_a_host_that_worked_for_days_and_fails_again_has_relapsed():
    found = relapses("xxxxx" + "oooooo" + "xxx").iloc[0]
    assert (found["start"], found["end"], found["failures"]) == (at(11), at(40), 3)
    assert (found["ended_by"], found["why"]) == ("evidence ends", "no change of its build is seen")
    assert found["records"] == ["A/Application#11", "A/Application#12"]


def test_a_relapse_shows_though_each_retry_works():
    """The fault comes back for first tries; within minutes the second one gets through."""
    again = [
        {"host": "A", "time": at(n) + pd.Timedelta(minutes=late), "outcome": outcome, "code": code,
         "episode": n, "records": [f"A/Application#{n}"]}
        for n in range(12, 18) for late, outcome, code in ((0, "failure", "789"), (5, "success", ""))
    ]  # fmt: skip
    found = restore([state("A", "still_failing", 0)], [tries("A", "xxxxooooooo"), again])
    assert found.spells[["number", "start"]].to_numpy().tolist() == [[1, at(0)], [2, at(12)]]


def test_one_failure_is_no_relapse_unless_the_change_came_back():
    assert relapses("xxxxx" + "oooooo" + "x").empty
    assert relapses("xxxxx" + "oooooo" + "x", past="o" * 60).empty
    assert len(relapses("xxxxx" + "oooooo" + "xx", past="o" * 60)) == 1
    found = relapses("xxxxx" + "oooooo" + "x", bad=[(-1, 4.5), (10.5, None)])
    assert found["start"].tolist() == [at(11)]
    assert found["why"].tolist() == [f"{PATCH} came back on 2022-01-21"]


def test_a_success_by_chance_is_no_recovery_of_a_host_that_fails_half_the_time():
    rng = np.random.default_rng(5)
    told = ["".join(rng.choice(["x", "o"], 40)) for _ in range(15)]
    assert sum(not relapses(f"x{letters}").empty for letters in told) <= 1


def test_a_removed_change_makes_one_success_enough():
    assert relapses("xxxx" + "o" + "xxx").empty
    found = relapses("xxxx" + "o" + "xxx", bad=[(-1, 3.5), (4.5, None)])
    assert found["start"].tolist() == [at(5)]


def test_a_change_that_came_back_counts_even_where_nobody_has_tried_since():
    found = relapses("xxxx" + "ooo", bad=[(-1, 3.5), (9, None)]).iloc[0]
    assert (found["start"], found["end"], found["failures"]) == (at(9, 0), at(40), 0)


def test_a_regression_under_the_fix_is_named_as_such():
    found = relapses("xxxx" + "ooooo" + "xxxx", bad=[(-1, 3.5)], cured=[(3.5, None)])
    assert found["why"].tolist() == [f"although {CURE} is in effect"]


def test_what_a_host_did_after_its_recovery_is_left_to_the_table_of_hosts():
    assert relapses("xxxx" + "oooooo" + "xxx", status="recovered", back=4).empty


def test_relapses_of_a_host_that_is_back_end_with_its_recovery():
    found = relapses("xxxx" + "ooooo" + "xxxx" + "oooo", status="recovered", back=13)
    assert found[["start", "end"]].to_numpy().tolist() == [[at(9), at(13)]]
    assert found["ended_by"].tolist() == ["recovered"]


def test_other_failures_are_no_relapse():
    assert relapses("xxxx" + "oooo" + "eeee").empty


# --- the calendar ------------------------------------------------------------------------------


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


@pytest.fixture(scope="module", params=[(0, 1.0), (1, 0.5), (2, 0.97)], ids=str)
def played(request):
    """Whole worlds, judged and assessed: some hosts fixed, removed, put back, failing on."""
    seed, chance = request.param
    world = World(seed, hosts=20, per_day=3.0, base=0.02)
    world.stagger(world.names[:14], PATCHED, PATCHED + 6)
    for host in world.names[:6]:
        world.patch(host, day(PATCHED + 10, 11), FIX)
    for host in world.names[6:9]:
        world.patch(host, day(PATCHED + 8, 5), DECEMBER).patch(host, day(PATCHED + 13, 5), BAD)
    world.patch(world.names[8], day(PATCHED + 17, 5), FIX)
    world.fault = fails_under(BAD, chance=chance)
    t = world.tables()
    cause = judge_cause(t.attempts, t.exposure, t.coverage, NAMED)
    hosts = assess_recovery(t.attempts, t.exposure, t.coverage, t.timeline, NAMED, cause)
    return world, hosts, measure_restoration(hosts, t.attempts, t.coverage, NAMED, cause)


def test_spells_of_a_host_follow_each_other_and_end_as_its_times_say(played):
    _, hosts, found = played
    onsets = hosts.set_index("host")["onset"].dropna()
    assert set(found.spells["host"]) == set(onsets.index) == set(found.times["host"])
    for host, own in found.spells.groupby("host"):
        row = found.times.set_index("host").loc[host]
        assert own["number"].tolist() == list(range(1, len(own) + 1))
        assert own["start"].iloc[0] == row["onset"]
        assert own["end"].iloc[-1] == row["until"]
        assert (own["start"] < own["end"]).all()
        assert (own["end"].iloc[:-1].to_numpy() < own["start"].iloc[1:].to_numpy()).all()


def test_calendar_agrees_with_a_loop_over_spells(played):
    _, _, found = played
    last = found.last
    for row in found.calendar.to_dict("records"):
        past = found.spells[found.spells["start"] <= row["time"]]
        latest = [own.iloc[-1] for _, own in past.groupby("host")]
        over = [s for s in latest if s["end"] <= row["time"]]
        back = sum(1 for s in over if s["ended_by"] == "recovered")
        gone = sum(
            1 for s in over
            if s["ended_by"] == "unconfirmed"
            or (s["ended_by"] == "evidence ends" and s["end"] < last - pd.Timedelta(days=7))
        )  # fmt: skip
        assert (row["hit"], row["working"], row["unknown"], row["out"]) == (
            len(latest), back, gone, len(latest) - back - gone,
        )  # fmt: skip
        assert row["relapses"] == (past["number"] > 1).sum()


def test_hosts_on_which_the_change_was_put_back_have_relapsed_and_no_others(played):
    world, hosts, found = played
    hit = set(hosts.loc[hosts["onset"].notna(), "host"])
    assert set(found.relapses["host"]) == set(world.names[6:9]) & hit
    assert found.relapses["why"].str.contains("came back on").all()


# --- whom to call ------------------------------------------------------------------------------


def test_hosts_to_call_are_those_at_risk_and_those_not_seen_to_work():
    found = fleet().to_call
    assert found["host"].tolist() == ["C", "B", "D"]
    assert found["rank"].tolist() == [1, 2, 3]
    assert found["out_since"].tolist() == [at(2), pd.NaT, at(2)]
    assert found["last_seen"].tolist() == [at(10)] * 3
    assert found["what_to_do"].tolist() == [
        f"Install {CURE} and restart.",
        f"Remove the block on updates, if there is one, and install {CURE}.",
        f"Ask the user to try it: too few attempts since {CURE} took effect.",
    ]


def test_hosts_to_call_come_in_order_of_urgency_then_of_how_long_they_are_out():
    rows = [
        state(f"H{n}", status, n, at_risk=True) for n, status in enumerate(reversed(URGENCY))
    ] + [state("H9", "still_failing", 2)]
    found = restore(rows, logs=[seen(row["host"], 20) for row in rows]).to_call
    assert found["status"].tolist() == ["still_failing", *URGENCY]
    assert found["host"].tolist()[:2] == ["H9", "H6"]


def test_every_status_has_its_place_in_the_order():
    assert set(URGENCY) == set(schema.STATUSES)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "Install KB5010793 and restart."),
        ({"put_back": True}, "Install KB5010793 and restart; then find out what put KB5009543 back."),
        ({"fix": ""}, "Remove KB5009543 and restart."),
        ({"cured": CURE}, "Collect its logs: it still fails although KB5010793 is in effect."),
        ({"bad": ""}, "Collect its logs: it still fails, and the change is not seen to be in effect."),
        ({"status": "pending_reboot"}, "Restart it: the fix is installed and not yet in effect."),
        ({"status": "workaround_only", "recovered_by": "other"},
         "Install KB5010793, then take the workaround back."),
        ({"status": "workaround_only", "recovered_by": "uninstall", "fix": ""},
         "Remove the block on updates, if there is one, and install the update that holds the fix."),
        ({"status": "no_data"},
         "Collect its logs: KB5009543 was in effect and nothing shows whether it works."),
        ({"status": "not_affected"}, "Install KB5010793 before it fails."),
        ({"status": "unconfirmed", "bad": ""},
         "Ask the user to try it: too few attempts since the change was removed; then install KB5010793."),
        ({"status": "unconfirmed"},
         f"Ask the user to try it: it may work although {PATCH} is in effect, but too few attempts show it; then install {CURE}."),
        ({"status": "no_data", "bad": ""},
         "Collect its logs and its list of updates: they do not tell its state."),
        ({"status": "recovered"}, "Install KB5010793: it can fail again."),
    ],
)  # fmt: skip
def test_each_host_is_asked_for_what_it_needs(changed, said):
    needs = Needs("still_failing", "", fix=CURE, bad=PATCH, cured="", put_back=False)
    assert what_to_do(needs._replace(**changed)) == said


def test_the_fix_is_named_for_the_hosts_own_build_and_inferred_where_no_profile_names_it():
    rows = [state("A", "still_failing", 0, build=22000), state("B", "still_failing", 0),
            state("C", "still_failing", 0, build=None)]  # fmt: skip
    bad = [span(host, PATCH, -1) for host in "ABC"]
    cured = [span("Z", CURE, 3)]
    asked = restore(rows, bad=bad, cured=cured).to_call["what_to_do"].tolist()
    assert asked[:2] == ["Install KB5010795 and restart.", f"Install {CURE} and restart."]
    asked = restore(rows, incident=OPEN, bad=bad, cured=cured).to_call["what_to_do"].tolist()
    assert asked == [f"Remove {PATCH} and restart.", f"Install {CURE} and restart.",
                     f"Remove {PATCH} and restart."]  # fmt: skip


# --- what it says ------------------------------------------------------------------------------


def test_finding_says_who_is_back_who_is_out_and_whom_to_call():
    assert fleet().finding().text == (
        "2 of the 4 hosts hit work again, 1 of them with the fix in; 1 of 4 hosts still out, 1 not "
        "known. Half worked again within 5.0 days [2.0 days or more]. 3 hosts to call. Nothing can "
        "be said of 1 host without a usable log."
    )


def test_finding_counts_hosts_that_failed_again_and_its_check_fails_loudly():
    found = restore(
        [state("A", "still_failing", 0)], [tries("A", "xxxxooooooxxx")], [seen("A", 14)]
    ).finding()
    assert "1 host had worked again and failed once more." in found.text
    check = found.checks[1]
    assert (check.passed, check.records) == (False, ("A/Application#10", "A/Application#11"))
    assert check.text == (
        "1 of 1 host that worked again failed once more: A on 2022-01-21, no change of its build "
        "is seen."
    )


def test_finding_leaves_open_what_cannot_be_tested():
    checks = restore([state("A", "still_failing", 0)], [tries("A", "xx")]).finding().checks
    assert [check.passed for check in checks] == [True, None, True]


def test_finding_counts_hosts_to_call_that_are_in_no_curve():
    """C may have failed and nobody knows; D was never seen to; E is not to call."""
    found = restore(
        [
            state("A", "still_failing", 0),
            state("B", "still_failing"),
            state("C", "no_data") | {"at_risk": True},
            state("D", "not_affected") | {"at_risk": True},
            state("E", "no_data"),
        ],
        [tries("A", "xx")],
    )
    assert (found.unfollowed, found.unseen, len(found.to_call)) == (2, 1, 4)
    left = "2 hosts to call left out, of which no first failure is known"
    assert left in found.finding().checks[0].text


def test_a_host_of_unknown_build_that_works_again_is_not_counted_out():
    """Its state cannot be told; that it fails no longer can."""
    world = World(3, hosts=20, per_day=3.0, base=0.0)
    world.stagger(world.names[:14], PATCHED, PATCHED + 3)
    for host in world.names[:10]:
        world.patch(host, day(PATCHED + 10, 5), FIX)
    world.fault = fails_under(BAD)
    world.stateless = frozenset({"WS0002", "WS0012"})
    t = world.tables()
    cause = judge_cause(t.attempts, t.exposure, t.coverage, NAMED)
    hosts = assess_recovery(t.attempts, t.exposure, t.coverage, t.timeline, NAMED, cause)
    found = measure_restoration(hosts, t.attempts, t.coverage, NAMED, cause)
    own = found.times.set_index("host")
    assert hosts.set_index("host").loc["WS0002", ["status", "recovered_by"]].tolist() == [
        "no_data", "",
    ]  # fmt: skip
    assert own.loc["WS0002", "back"]
    assert not own.loc["WS0002", "fixed"]
    assert day(PATCHED + 10, 5) <= own.loc["WS0002", "until"] < day(PATCHED + 13)
    assert not own.loc["WS0012", "back"]  # it fails to the end
    assert found.calendar["working"].iloc[-1] == own["back"].sum() == 10
    assert "WS0002" in found.to_call["host"].tolist()


def test_restoration_of_nothing_says_so():
    found = restore([])
    assert found.finding().text == "No host was hit, so none had to recover; 0 hosts to call."
    assert found.calendar.empty
    assert found.to_call.empty
    assert "No host was hit" in found._repr_html_()


def test_spans_are_told_in_the_unit_that_reads_best():
    assert [in_words(d) for d in (0.5 / 24, 1 / 24, 1.5, 2, 13.04, math.nan)] == [
        "30 minutes", "1 hour", "36 hours", "2.0 days", "13.0 days", "?",
    ]  # fmt: skip


def test_worlds_of_no_guilty_change_have_a_restoration_too():
    t = w.gateway_outage(3).tables()
    cause = judge_cause(t.attempts, t.exposure, t.coverage, NAMED)
    hosts = assess_recovery(t.attempts, t.exposure, t.coverage, t.timeline, NAMED, cause)
    found = measure_restoration(hosts, t.attempts, t.coverage, NAMED, cause)
    assert all(check.passed is not False for check in found.finding().checks[:1])
    assert set(found.times["host"]) == set(hosts.loc[hosts["onset"].notna(), "host"])
