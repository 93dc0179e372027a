"""A host's tries tell when it worked in between, and whether it failed again, and why."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from restoration_samples import CURE, NAMED, PATCH, at, restore, seen, span, state, tries
from worlds_cause import BAD, PATCHED, World, fails_under

from kitlib import schema
from kitlib.attempts import make_episodes
from kitlib.restoration import likely_states
from kitlib.restoration.histories import BROKEN_RATES, make_bursts

# --- bursts and histories ---------------------------------------------------------------------


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


# --- relapses ---------------------------------------------------------------------------------


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
