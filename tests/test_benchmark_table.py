"""The benchmark's record and tables; the README shows what the record holds."""

from __future__ import annotations

import json

import pytest
import table
import tallies
import verdicts
from benchmark_rows import (
    INNOCENT,
    findings,
    found_host,
    row,
    rows,
    said,
    true_host,
    truth,
)


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
