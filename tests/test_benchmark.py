"""Claims about the benchmark itself: it judges rightly, hides nothing, and shows what it recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import baselines
import cases
import pandas as pd
import pytest
import scoring
import table
import tallies
import verdicts
import worlds_cause as w
from scoring import judge

import kitlib as kit
from kitlib.incident import load_incident
from kitlib.simulate.fleet import load_scenario

NAMED = load_incident("kb5009543")


def truth(status="supported", changes=("KB1", "KB2"), hosts=(), **more):
    """A small ``truth.json``; innocent where `status` is not_supported."""
    verdict = {"status": status, "changes": list(changes), "competing": []}
    impact = {"sessions_lost": 0.0, "user_hours_lost": 0.0} | more.pop("impact", {})
    onset = more.pop("onset", None)
    return {"verdict": verdict | more, "hosts": list(hosts), "onset": onset, "impact": impact}


def true_host(name, status="recovered", **more):
    base = {"host": name, "status": status, "at_risk": False, "exposure": [], "onset": None}
    return base | {"sessions_lost": 0.0, "user_hours_lost": 0.0} | more


def said(status="supported", changes=("KB1", "KB2"), probability=0.99, competing=()):
    return {
        "status": status,
        "changes": list(changes),
        "competing": list(competing),
        "probability": probability,
        "text": "…",
    }


def findings(verdict=None, hosts=(), onset=None, impact=None):
    return {
        "verdict": verdict or said(),
        "hosts": list(hosts),
        "onset": {"time": onset, "interval": [onset, onset]},
        "impact": impact or {"attempts_lost": 0, "user_hours_lost": [0.0, 0.0, 0.0]},
    }


def found_host(name, status="recovered", **more):
    base = {"host": name, "status": status, "at_risk": False, "confidence": 0.9}
    return base | {"user_hours_lost": [0.0, 0.0, 0.0]} | more


def judged(true, got, **how):
    return judge(scoring.true_verdict(true), got, **how)


# --- verdicts ----------------------------------------------------------------------------------

INNOCENT = truth("not_supported", (), competing=["shared_outage"])
NONE_TO_BLAME = {"right": True, "false_blame": False, "competing": True}


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


# --- facts -------------------------------------------------------------------------------------


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


# --- adding up, and showing --------------------------------------------------------------------


def row(true, found, *, family="one", seed=0, **more):
    base = {"family": family, "hosts": 0, "seed": seed, "kit_version": "0.2.0", "code": "abc"}
    base |= {"seconds": {"read": 2.0}, "error": None, "interval": 3.0}
    base |= {"baselines": {"newest change": said("supported", ("KB9",))}}
    return base | scoring.facts(true, found) | more


def rows():
    """Two guilty worlds, one of them missed by a wide mark, two innocent ones, one broken off."""
    host, found = true_host("A", at_risk=True), found_host("A", at_risk=True)
    guilty = truth(
        hosts=[host],
        onset="2022-01-12T08:00:00Z",
        impact={"sessions_lost": 10.0, "user_hours_lost": 10.0},
    )
    impact = {"attempts_lost": 12, "user_hours_lost": [10.5, 9.0, 12.0]}
    hit = findings(hosts=[found], onset="2022-01-12T10:00:00Z", impact=impact)
    missed = findings(said("supported", ("KB3",), 0.6), hosts=[found])
    calm = findings(said("not_supported", (), 0.85, ["shared_outage"]))
    return [
        row(guilty, hit),
        row(guilty, missed, seed=1),
        row(INNOCENT, calm, family="two"),
        row(INNOCENT, findings(), family="two", seed=1),
        row(INNOCENT, None, family="two", seed=2, error="Traceback\nValueError: x", baselines={}),
    ]


def test_record_of_counts_what_happened_out_of_what_was_asked():
    record = tallies.record_of(rows())
    assert record["seeds"] == [[0, 2]]
    assert [(g["family"], g["fleet"], g["cases"]) for g in record["groups"]] == [
        ("one", 1, 2),
        ("two", 0, 3),
    ]
    one, two = record["groups"]
    assert one["measures"]["kitlib"]["named"] == [1, 2]
    assert one["measures"]["newest change"]["innocent_instead"] == [2, 2]
    assert (one["guilty"], two["guilty"]) == (2, 0)
    assert one["onset"] == [[2.0, 3.0]]
    assert one["errors"] == {"attempts": [0.2, 1.0], "hours": [0.05, 1.0]}
    assert one["covered"]["hours"] == [1, 2]
    assert one["covered"]["attempts"] == [0, 2]
    assert one["at_risk"] == [2, 0, 0]
    assert two["failed"] == 1
    assert two["measures"]["kitlib"]["false_blame"] == [2, 3]
    assert two["measures"]["newest change"]["false_blame"] == [2, 2]
    assert two["seconds"] == {"read": [6.0, 3]}


def test_record_of_keeps_the_states_of_guilty_worlds_apart_and_takes_no_onset_of_innocent_ones():
    host, found = [true_host("A")], [found_host("A", "not_affected")]
    onset = "2022-01-12T08:00:00Z"
    worlds = [truth(hosts=host, onset=onset), truth("not_supported", (), hosts=host, onset=onset)]
    record = tallies.record_of([row(t, findings(hosts=found, onset=onset)) for t in worlds])
    (one,) = record["groups"]
    assert one["states"] == {"recovered>not_affected": 2}
    assert one["guilty_states"] == {"recovered>not_affected": 1}
    assert one["onset"] == [[0.0, 3.0]]  # the innocent world is blamed falsely, which counts above


def test_record_of_puts_claims_into_bins_of_stated_probability():
    one, two = tallies.record_of(rows())["groups"]
    bins = dict(zip(tallies.BINS[1:], one["claims"], strict=True))
    assert bins == {0.5: [0, 0], 0.8: [0, 1], 0.9: [0, 0], 0.95: [0, 0], 0.98: [0, 0], 1.0: [1, 1]}
    assert two["claims"][2] == [1, 1]
    assert two["claims"][5] == [0, 1]
    assert sum(all_ for _, all_ in two["claims"]) == 2  # the case that broke off claimed nothing


def test_bins_hold_their_upper_edge():
    assert tallies._bins([(0.95, True), (0.96, False), (0.0, True), (1.0, True)]) == [
        [1, 1],
        [0, 0],
        [0, 0],
        [1, 1],
        [0, 1],
        [1, 1],
    ]


def test_losses_that_are_not_stated_are_wrong_by_the_most_and_outside():
    lost = truth(impact={"sessions_lost": 10.0, "user_hours_lost": 10.0})
    (group,) = tallies.record_of([row(lost, None, error="Traceback")])["groups"]
    assert group["errors"] == {"attempts": [tallies.MOST], "hours": [tallies.MOST]}
    assert group["covered"]["hours"] == [0, 1]


def test_total_of_the_groups_is_the_group_of_all_rows():
    groups = tallies.record_of(rows())["groups"]
    assert tallies.total(groups) == tallies.group(rows())
    assert tallies.total(iter(groups[:1])) == tallies.group(rows()[:2])
    assert tallies.total([]) == tallies.group([])


def test_record_survives_its_file(tmp_path):
    record = tallies.record_of(rows())
    assert json.loads(verdicts.record_text(record)) == record
    assert json.loads(verdicts.record_text(tallies.EMPTY)) == tallies.EMPTY
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{table.BEGIN}\nyesterday\n{table.END}\nafter\n", encoding="utf-8")
    verdicts.write_record(record, path=tmp_path / "v.json", readme=readme)
    text = readme.read_text("utf-8")
    assert (text[:7], text[-7:]) == ("before\n", "\nafter\n")
    assert "yesterday" not in text
    assert table.render(record) in text


def line(text, name):
    return next(line for line in text.splitlines() if line.startswith(f"| {name}"))


def test_render_shows_rates_with_targets_intervals_and_baselines():
    text = table.render(tallies.record_of(rows()))
    blamed = "| ≤ 1 % | no | 66.7 % (2/3; 25.4 to 92.2) | 100.0 % | - | - |"
    assert line(text, "a change is blamed") == f"| a change is blamed, and none is guilty {blamed}"
    assert line(text, "… in the worst family").endswith("92.2) two | 100.0 % | - | - |")
    named = line(text, "the guilty change is named exactly, where that can be known, 1 hosts")
    assert "|  |  | 50.0 % (1/2; " in named
    assert "| no | 60.0 % (2 worlds) |" in line(text, "attempts lost by the fleet, median error")
    assert "| yes | 2.0 h (1 of 2 guilty worlds) |" in line(
        text, "error of the onset, where a change"
    )
    assert "(5 worlds" not in text
    assert "Cases that broke off: 1" in text
    assert line(text, "two") == "| two | `not_supported` | 3 | 1 | 2 | - | - |"
    assert line(text, "one") == "| one | `supported` | 2 | 1 | 1 | 100.0 % | 1.00 |"
    assert "Not every family was run equally often." in text


def test_render_shows_the_states_of_guilty_worlds_beside_all_and_says_how_many_states_occur():
    easy = row(INNOCENT, findings(hosts=[found_host("A")]), family="easy")
    easy["states"] = {"recovered>recovered": 99}
    hard = row(truth(), findings(), family="hard", seed=1)
    hard["states"] = {"recovered>recovered": 1, "workaround_only>recovered": 1}
    rows = table.render(tallies.record_of([easy, hard])).splitlines()
    at = next(n for n, text in enumerate(rows) if text.startswith("| `recovered`, precision"))
    assert "| yes? | 99.0 % (100/101; " in rows[at]
    assert "| … a change is guilty | ≥ 99 % | no | 50.0 % (1/2; " in rows[at + 1]
    assert "| … no change is guilty | ≥ 99 % | yes? | 100.0 % (99/99; " in rows[at + 2]
    assert "0.333 (2 hosts, 2 of 7 states)" in rows[at - 2]


def test_families_say_what_counts_as_right_beside_the_true_verdict():
    quiet = row(truth("not_supported", (), also_right=["insufficient"]), findings(), family="quiet")
    small = row(truth(known=False), findings(), family="small")
    text = table.by_family(tallies.record_of([quiet, small]))
    assert line(text, "quiet").startswith("| quiet | `not_supported`, also `insufficient` | 1 |")
    few = "| small | `supported`, also `insufficient` in 1 with too few hosts | 1 |"
    assert line(text, "small").startswith(few)


@pytest.mark.parametrize(
    ("count", "target", "want"),
    [
        ([0, 1000], {"at_most": 0.01}, "yes"),
        ([0, 20], {"at_most": 0.01}, "yes?"),
        ([1, 90], {"at_most": 0.01}, "no?"),
        ([10, 20], {"at_most": 0.01}, "no"),
        ([90, 100], {"at_least": 0.88, "at_most": 0.92}, "yes?"),
        ([9000, 10000], {"at_least": 0.88, "at_most": 0.92}, "yes"),
        ([19, 20], {"at_least": 0.88, "at_most": 0.92}, "no?"),
        ([22, 30], {"at_least": 0.88, "at_most": 0.92}, "no"),
        ([1, 2], {}, ""),
        ([0, 0], {"at_least": 0.95}, ""),
    ],
)
def test_met_is_in_question_where_the_interval_reaches_over_the_target(count, target, want):
    assert table._met_rate(count, **target) == want


def test_render_takes_the_worst_family_by_its_rate_and_the_late_onsets_by_their_tail():
    calm, blame = findings(said("not_supported", ())), findings()
    often = [row(INNOCENT, f, family="often") for f in (blame, blame, calm, calm, calm)]
    always = [row(INNOCENT, blame, family="always")]
    late = truth(onset="2022-01-12T00:00:00Z")
    onsets = [
        row(late, findings(onset=f"2022-01-12T{hour:02}:00:00Z"), family="late")
        for hour in (0, 1, 2, 3, 4, 5, 6, 7, 8, 20)
    ]
    text = table.render(tallies.record_of([*often, *always, *onsets]))
    assert "| no | 100.0 % (1/1; 27.0 to 100.0) always |" in line(text, "… in the worst family")
    assert "| no | 4.5 h (10 of 10 guilty worlds) |" in line(text, "error of the onset")
    assert "| ≤ 9 h | no | 9.2 h |" in line(text, "… 90th percentile")


def test_render_of_the_targets_follows_the_size_of_the_fleet():
    record = tallies.record_of([r | {"fleet": 60} for r in rows()[:1]])
    named = line(table.render(record), "the guilty change is named exactly, where that")
    assert "| ≥ 95 % | yes? | 100.0 % (1/1; " in named


def test_readme_shows_what_the_record_holds(root):
    record = json.loads(verdicts.RECORD.read_text("utf-8"))
    text = (root / "README.md").read_text("utf-8")
    assert table.insert(text, record) == text
    assert verdicts.record_text(record) == verdicts.RECORD.read_text("utf-8")


def test_insert_refuses_a_text_without_a_place_for_it():
    with pytest.raises(ValueError, match="no <!-- benchmark -->"):
        table.insert("nothing here", tallies.EMPTY)


def test_wrong_cases_say_what_is_wrong_and_leave_out_what_is_right():
    text = "\n".join(table.wrong_cases(rows()))
    assert "--families one --seeds 1\n    verdict (innocent_instead, right):" in text
    assert "said supported KB3 p=0.6" in text
    assert "attempts lost: true 10.0, said 12.0; outside of None to None" in text
    assert "--families two --seeds 2\n    failed: ValueError: x" in text
    assert "--families two --seeds 0" not in text


def test_wrong_cases_list_hosts_by_how_they_were_taken():
    hosts = [true_host("A", "unconfirmed"), true_host("B", "unconfirmed")]
    found = [found_host("A"), found_host("B")]
    world = truth("not_supported", (), hosts=hosts)
    one = row(world, findings(said("not_supported", ()), hosts=found))
    text = "\n".join(table.wrong_cases([one]))
    assert "2 of 2 hosts are unconfirmed, called recovered:\n        A: " in text


# --- baselines ---------------------------------------------------------------------------------


def blamed(rule, world):
    tables = world.tables()
    return baselines.BASELINES[rule](tables.attempts, tables.exposure, NAMED)


@pytest.mark.parametrize("rule", baselines.BASELINES)
def test_baselines_name_a_staggered_guilty_patch(rule):
    got = blamed(rule, w.staggered(1))
    assert got["status"] == "supported"
    assert set(got["changes"]) <= {"KB5009543", "KB5009566"}


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        ("newest change", w.gateway_outage),
        ("newest change", w.sick_hosts),
        ("fleet before/after", w.gateway_outage),
        ("fleet before/after", w.trend),
        ("paired t-test", w.trend),
        ("paired t-test", w.outage_to_the_end),
    ],
)
def test_baselines_blame_the_innocent_where_the_world_is_against_them(rule, make):
    assert blamed(rule, make(0))["status"] == "supported"


def test_baselines_are_not_made_of_straw():
    assert blamed("newest change", w.quiet(0))["status"] == "not_supported"
    assert blamed("fleet before/after", w.sick_hosts(0))["status"] == "not_supported"
    assert blamed("paired t-test", w.site_outage(0))["status"] == "not_supported"


def small(*tries):
    """Attempts (host, hour, failed) and one change on each host at hour 0."""
    start = pd.Timestamp("2022-01-12T00:00Z")
    attempts = pd.DataFrame(
        {
            "host": [host for host, _, _ in tries],
            "time": [start + pd.Timedelta(hours=hour) for _, hour, _ in tries],
            "outcome": ["failure" if failed else "success" for _, _, failed in tries],
            "code": ["789" if failed else "" for _, _, failed in tries],
        }
    )
    hosts = sorted(set(attempts["host"]))
    exposure = pd.DataFrame(
        {
            "host": hosts,
            "change": ["KB1"] * len(hosts),
            "start": pd.to_datetime([start] * len(hosts)),
            "end": pd.to_datetime([pd.NaT] * len(hosts), utc=True),
            "revision": pd.array([1] * len(hosts), dtype="Int64"),
        }
    )
    return attempts, exposure, NAMED


def test_newest_change_waits_until_a_user_never_gets_in():
    assert baselines.newest_change(*small(("A", 8, True), ("A", 9, True)))["changes"] == []
    three = [("A", 8, True), ("A", 9, True), ("A", 10, True)]
    assert baselines.newest_change(*small(*three))["changes"] == ["KB1"]
    assert baselines.newest_change(*small(*three, ("A", 11, False)))["changes"] == []
    early = [("A", hour - 48, True) for _, hour, _ in three]
    assert baselines.newest_change(*small(*early))["changes"] == []


def test_fleet_before_after_is_a_two_sided_z_test_of_a_rise():
    before = [("A", -10 - n, False) for n in range(10)]
    three = [("A", n, n < 3) for n in range(10)]  # z = 1.88: not at 5 %
    four = [("A", n, n < 4) for n in range(10)]  # z = 2.24
    assert baselines.fleet_before_after(*small(*before, *three))["changes"] == []
    assert baselines.fleet_before_after(*small(*before, *four))["changes"] == ["KB1"]
    falls = [("A", -10 - n, True) for n in range(10)]
    assert baselines.fleet_before_after(*small(*falls, *four))["changes"] == []


def test_paired_t_asks_every_host_that_has_both_sides():
    worse = [(h, n, n >= 0) for h in "ABC" for n in (-2, -1, 1, 2)]
    one = [(h, n, n >= 0) for h in "A" for n in (-2, -1, 1, 2)]
    mixed = [*one, *[(h, n, False) for h in "BC" for n in (-1, 1)]]
    assert baselines.paired_t(*small(*worse))["changes"] == ["KB1"]
    assert baselines.paired_t(*small(*one))["changes"] == []
    calm = [(h, n, False) for h in "ABC" for n in (-1, 1)]
    assert baselines.paired_t(*small(*calm))["changes"] == []
    assert baselines.paired_t(*small(*mixed))["changes"] == []  # t = 1 with two degrees


@pytest.mark.parametrize("rule", baselines.BASELINES)
def test_baselines_take_the_likelier_of_changes_that_look_alike_and_no_daily_ones(rule):
    attempts, exposure, _ = small(*[(h, n, n >= 0) for h in "ABC" for n in (-2, -1, 1, 2, 3)])
    net, app, other = (exposure.assign(change=name, revision=pd.NA) for name in ("A", "B", "KB0"))
    noise = exposure.assign(change="KB2267602 (1.381.2)", revision=pd.NA)
    store = exposure.assign(change="9WZDNCRFJBH4-Microsoft.Windows.Photos", revision=pd.NA)
    run = baselines.BASELINES[rule]

    def blamed(*spans):
        return run(attempts, pd.concat(spans, ignore_index=True), NAMED)["changes"]

    assert blamed(noise, store) == []
    assert blamed(noise, store, net, app, other, exposure) == ["KB1"]
    assert blamed(net.head(2), app, noise) == ["B"]


# --- the command -------------------------------------------------------------------------------


def test_numbers_reads_runs_and_single_numbers():
    assert verdicts.numbers("3,7-9") == [3, 7, 8, 9]


def test_one_case_end_to_end_and_again_from_its_store(tmp_path):
    keep = tmp_path / "kept"
    first = cases.run_case(cases.Plan("quiet-outage", 0, 3, keep=str(keep)))
    assert first["error"] is None
    assert first["fleet"] == 14
    assert first["truth"]["status"] == "not_supported"
    assert not first["truth"]["guilty"]
    assert judge(first["truth"], first["kit"]) == NONE_TO_BLAME
    assert sum(first["states"].values()) == 14
    assert first["interval"] > 0
    assert set(first["baselines"]) == set(table.BASELINES)
    assert first["baselines"]["fleet before/after"]["status"] == "supported"
    assert set(first["seconds"]) == {"simulate", "read", "analyse"}
    read = kit.read_evidence(keep / "quiet-outage" / "0" / "3" / "case").files["path"]
    assert len(read) > 14
    assert "truth.json" not in set(read)  # the kit never met it
    again = cases.run_case(cases.Plan("quiet-outage", 0, 3, store=str(keep)))
    assert {**again, "seconds": {}} == {**first, "seconds": {}}
    assert json.loads(json.dumps(first)) == first


def test_a_case_that_fails_is_a_wrong_case_with_its_traceback():
    got = cases.run_case(cases.Plan("no-such-family", 0, 0))
    assert "there is no scenario 'no-such-family'" in got["error"]
    record = tallies.record_of([got])
    assert record["groups"][0]["failed"] == 1
    assert record["groups"][0]["measures"]["kitlib"]["right"] == [0, 1]
    assert record["groups"][0]["measures"]["kitlib"]["false_blame"] == [1, 1]


def test_run_skips_what_the_file_holds_and_drops_a_line_that_was_cut(tmp_path, capsys):
    out = tmp_path / "results.jsonl"
    held = json.dumps({**rows()[0], "family": "no-such", "seed": 5}) + "\n"
    out.write_text(held + '{"family": "no-su', encoding="utf-8")
    command = ["--families", "no-such", "--seeds", "5,6", "--out", str(out)]
    assert verdicts.main(command) == 1
    assert "1/1 no-such" in capsys.readouterr().err
    assert out.read_text("utf-8").startswith(held)
    assert [row["seed"] for row in verdicts.read_results(out)] == [5, 6]
    assert verdicts.main(command) == 0  # nothing is left to run
    assert verdicts.main(["--wrong", str(out)]) == 0
    assert "there is no scenario" in capsys.readouterr().out
