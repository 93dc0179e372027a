"""The benchmark's scoring: each measure, right and wrong, on pairs made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
import scoring
from benchmark_rows import (
    INNOCENT,
    NONE_TO_BLAME,
    findings,
    found_host,
    said,
    true_host,
    truth,
)
from scoring import judge

from kitlib.simulate.fleet import load_scenario


def judged(true, got, **how):
    return judge(scoring.true_verdict(true), got, **how)


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (said("not_supported", (), competing=["shared_outage"]), {}),
        (said("not_supported", ()), {"competing": False}),
        (said("not_supported", (), competing=["trend"]), {"competing": False}),
        (said("insufficient", ()), {"right": False, "competing": False}),
        (said("supported"), {"right": False, "false_blame": True, "competing": False}),
        (said("not_separable"), {"right": False, "false_blame": True, "competing": False}),
        (said("no_control"), {"right": False, "false_blame": True, "competing": False}),
        (scoring.NOTHING, {"right": False, "false_blame": True, "competing": False}),
    ],
)
def test_judge_counts_every_blame_in_an_innocent_world(got, want):
    assert judged(INNOCENT, got) == NONE_TO_BLAME | want


def test_judge_asks_no_rule_for_causes_that_it_cannot_name():
    got = {"status": "not_supported", "changes": []}
    assert judged(INNOCENT, got, one_label=True) == {"right": True, "false_blame": False}
    open_ = truth("not_supported", (), also_right=["no_control"])
    assert "left_open" not in judged(open_, got, one_label=True)


@pytest.mark.parametrize("status", ["supported", "not_separable", "no_control"])
def test_judge_takes_a_right_label_of_a_rule_whatever_the_world_lets_be_known(status):
    asked = {"right", "cleared", "innocent_instead"} | (
        {"named"} if status == "supported" else set()
    )
    right = judged(truth(status), said(changes=("KB2",)), one_label=True)
    assert right["right"]
    assert set(right) == asked
    assert not judged(truth(status), said(changes=("KB3",)), one_label=True)["right"]
    assert not judged(truth(status), said("not_supported", ()), one_label=True)["right"]


def test_judge_lets_an_innocent_world_be_left_open_only_where_the_scenario_says_so():
    true = truth("not_supported", (), also_right=["no_control", "insufficient"])
    left = {"right": True, "false_blame": False, "left_open": True, "invented": False}
    assert judged(true, said("no_control")) == left
    assert judged(true, said("insufficient", ())) == left | {"left_open": False}
    blamed = {"right": False, "false_blame": True, "left_open": False}
    assert judged(true, said("supported")) == left | blamed
    assert judged(true, scoring.NOTHING) == left | blamed | {"invented": True}
    trend = said("not_supported", (), competing=["trend"])
    assert judged(true, trend) == left | {"left_open": False, "invented": True}


GOOD = {"right": True, "named": True, "innocent_instead": False}
GOOD |= {"innocent_besides": False, "cleared": False}
BAD = GOOD | {"right": False, "named": False}


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (said(), GOOD),
        (said(changes=("KB1",)), BAD),
        (said(changes=("KB1", "KB2", "KB3")), BAD | {"innocent_besides": True}),
        (said(changes=("KB3",)), BAD | {"innocent_instead": True}),
        (said("not_separable"), BAD),
        (said("insufficient", ()), BAD),
        (said("not_supported", ()), BAD | {"cleared": True}),
        (
            scoring.NOTHING,
            BAD | {"innocent_instead": True, "innocent_besides": True, "cleared": True},
        ),
    ],
)
def test_judge_asks_for_the_exact_set_of_a_guilty_change(got, want):
    assert judged(truth(), got) == want


def test_judge_lets_another_status_be_right_if_it_names_every_guilty_label():
    true = truth(also_right=["no_control", "insufficient"])
    assert judged(true, said("no_control", ("KB1", "KB2", "KB3")))["named"]
    assert not judged(true, said("no_control", ("KB1", "KB3")))["named"]
    assert judged(true, said("insufficient", ()))["named"]
    assert not judged(true, said("not_separable"))["named"]


def test_judge_takes_one_right_label_of_a_rule_that_can_name_only_one():
    assert judged(truth(), said(changes=("KB2",)), one_label=True)["named"]
    assert not judged(truth(), said(changes=("KB3",)), one_label=True)["named"]
    assert not judged(truth(), said("not_supported", ()), one_label=True)["named"]


@pytest.mark.parametrize(
    ("got", "right"),
    [
        (said("not_separable"), True),
        (said("not_separable", ("KB1", "KB2", "KB3")), False),
        (said("not_separable", ("KB1",)), False),
        (said("supported"), False),
    ],
)
def test_judge_wants_exactly_the_changes_that_cannot_be_told_apart(got, right):
    out = judged(truth("not_separable"), got)
    assert out["exact_set"] is right
    assert "named" not in out


@pytest.mark.parametrize(("got", "right"), [(said("no_control"), True), (said("supported"), False)])
def test_judge_wants_no_control_where_nothing_can_be_ruled_out(got, right):
    out = judged(truth("no_control"), got)
    assert out["no_control"] is right
    assert out["right"] is right


@pytest.mark.parametrize(
    ("got", "right"),
    [
        (said(), True),
        (said("insufficient", ()), True),
        (said("not_separable", ("KB1", "KB2", "KB3")), True),
        (said("supported", ("KB3",)), False),
        (said("not_supported", ()), False),
    ],
)
def test_judge_lets_a_verdict_be_open_only_where_the_design_cannot_tell(got, right):
    out = judged(truth(known=False), got)
    assert out["unknowable"] is right
    assert out["right"] is right
    assert "named" not in out


def test_true_verdict_is_guilty_where_hosts_are_exposed_though_nobody_can_say_so():
    exposed = true_host("A", exposure=[["2022-01-12T08:00:00Z", None]])
    assert scoring.true_verdict(truth("insufficient", (), hosts=[exposed]))["guilty"]
    assert not scoring.true_verdict(truth("insufficient", (), hosts=[true_host("A")]))["guilty"]
    assert not scoring.true_verdict(truth("not_supported", (), hosts=[exposed]))["guilty"]


@pytest.mark.parametrize(
    ("true", "got", "want"),
    [
        (truth(), said(), (0.99, True)),
        (truth(), said(changes=("KB3",)), (0.99, False)),
        (truth(), said("not_supported", (), 0.85), (0.85, False)),
        (INNOCENT, said("not_supported", (), 0.85), (0.85, True)),
        (INNOCENT, said("no_control"), (0.99, False)),
        (INNOCENT, said("insufficient", (), 0.5), None),
        (truth(), scoring.NOTHING, None),
    ],
)
def test_claim_is_true_if_what_has_the_probability_is(true, got, want):
    assert scoring.claim(scoring.true_verdict(true), got) == want


def test_facts_pair_hosts_by_short_name_and_keep_those_that_one_side_lacks():
    true = [true_host("PC-A"), true_host("PC-B", "no_data"), true_host("PC-C", "unconfirmed")]
    found = [
        found_host("pc-a.office.example"),
        found_host("PC-C"),
        found_host("PC-X", "not_affected"),
    ]
    out = scoring.facts(truth(hosts=true), findings(hosts=found), why={"PC-C": "it worked"})
    assert out["states"] == {
        "recovered>recovered": 1,
        "no_data>absent": 1,
        "unconfirmed>recovered": 1,
        "none>not_affected": 1,
    }
    assert out["wrong_hosts"] == [
        ["PC-B", "no_data", "absent", ""],
        ["PC-C", "unconfirmed", "recovered", "it worked"],
        ["PC-X", "none", "not_affected", ""],
    ]
    assert out["confidence"] == [[0.9, True], [0.9, False], [0.9, False]]
    assert out["fleet"] == 3


def test_facts_count_hosts_at_risk_listed_wrongly_listed_and_missed():
    true = [true_host(name, at_risk=name in "AB") for name in "ABC"]
    found = [found_host(name, at_risk=name in "AC") for name in "ABC"]
    assert scoring.facts(truth(hosts=true), findings(hosts=found))["at_risk"] == [1, 1, 1]
    assert scoring.facts(truth(hosts=true))["at_risk"] == [0, 0, 2]


def test_facts_take_the_onsets_distance_in_hours_only_where_a_change_is_blamed():
    true = truth(onset="2022-01-12T08:00:00Z")
    late = "2022-01-12T09:30:00.5Z"
    assert scoring.facts(true, findings(onset=late))["onset"] == 1.5
    early = findings(onset="2022-01-12T07:00:00Z")
    assert scoring.facts(true, early)["onset"] == 1.0
    innocent = findings(said("not_supported", ()), onset=late)
    assert scoring.facts(true, innocent)["onset"] is None
    assert scoring.facts(true, findings())["onset"] is None


def test_facts_hold_losses_of_guilty_worlds_beside_what_is_stated():
    hit = {"onset": "2022-01-12T08:00:00Z", "sessions_lost": 4.0, "user_hours_lost": 10.0}
    idle = {"onset": "2022-01-12T08:00:00Z"}  # failed, and lost nothing by it
    hosts = [true_host("A", **hit), true_host("B", **hit), true_host("C"), true_host("D", **idle)]
    true = truth(hosts=hosts, impact={"sessions_lost": 8.0, "user_hours_lost": 20.0})
    found = [
        found_host("A", user_hours_lost=[9.0, 8.0, 11.0], attempts_lost=[5.0, 4.5, 6.0]),
        found_host("C", user_hours_lost=[3.0, 1.0, 4.0]),
    ]
    impact = {
        "attempts_lost": 9.0,
        "attempts_lost_interval": [9.0, 7.0, 11.0],
        "user_hours_lost": [22.0, 21.0, 23.0],
    }
    assert scoring.facts(true, findings(hosts=found, impact=impact))["lost"] == {
        "attempts": [8.0, 9.0, 7.0, 11.0],
        "hours": [20.0, 22.0, 21.0, 23.0],
        "host_attempts": [[4.0, 5.0, 4.5, 6.0], [4.0, None, None, None]],
        "host_hours": [[10.0, 9.0, 8.0, 11.0], [10.0, None, None, None]],
    }
    unknown = findings(hosts=[found_host("A", attempts_lost=[float("nan")] * 3)], impact=impact)
    assert scoring.facts(true, unknown)["lost"]["host_attempts"] == [[4.0, None, None, None]] * 2
    without = {key: impact[key] for key in ("attempts_lost", "user_hours_lost")}
    lost = scoring.facts(true, findings(hosts=found, impact=without))["lost"]
    assert lost["attempts"] == [8.0, 9.0, None, None]
    assert scoring.facts(INNOCENT, findings(impact=impact))["lost"] == {}


def test_macro_f1_is_the_mean_over_the_states_that_occur():
    states = {
        "recovered>recovered": 8,
        "unconfirmed>recovered": 2,
        "no_data>no_data": 5,
        "no_data>absent": 5,
    }
    # recovered 16/18, unconfirmed 0/2, no_data 10/15
    assert scoring.macro_f1(states) == pytest.approx((16 / 18 + 0 + 10 / 15) / 3)
    assert scoring.by_status(states)["recovered"] == (8, 10, 8)
    assert set(scoring.occurring(states)) == {"recovered", "unconfirmed", "no_data"}
    assert scoring.macro_f1({"none>still_failing": 1}) == 0.0
    assert scoring.macro_f1({}) is None


def test_attempt_interval_counts_working_hours_between_bursts():
    times = [
        ("A", "2022-01-05T09:00Z", 1),  # Wednesday, 10 o'clock there
        ("A", "2022-01-05T09:05Z", 1),  # the same burst
        ("A", "2022-01-05T11:00Z", 2),  # 2 h later
        ("A", "2022-01-07T09:00Z", 3),  # 5 h of Wednesday, a holiday, 2 h of Friday
        ("A", "2022-01-10T06:00Z", 4),  # 7 h of Friday; Monday before work
        ("B", "2022-01-10T09:00Z", 5),  # alone on its host
        ("C", "2022-01-03T09:00Z", 6),  # not affected
        ("C", "2022-01-03T09:50Z", 7),
    ]
    frame = pd.DataFrame(times, columns=["host", "time", "episode"])
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    january = load_scenario("quiet-outage").window  # one hour east of UTC
    window = replace(january, holidays=(date(2022, 1, 6),))
    assert scoring.attempt_interval(frame, ["A", "b.office.example"], window) == 7.0
    assert scoring.attempt_interval(frame.head(3), ["A"], window) == 2.0
    assert scoring.attempt_interval(frame.head(4), ["A"], window) == 4.5
    assert scoring.attempt_interval(frame[2:5], ["A"], window) == 7.0
    assert scoring.attempt_interval(frame, ["B"], window) is None
