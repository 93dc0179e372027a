"""A fleet's restoration is told as its hosts show it, and its tables agree with each other."""

from __future__ import annotations

import pandas as pd
import pytest
import worlds_cause as w
from restoration_samples import NAMED, fleet, restore, seen, state, tries
from worlds_cause import BAD, DECEMBER, FIX, PATCHED, World, day, fails_under

from kitlib.cause import judge_cause
from kitlib.recovery import assess_recovery
from kitlib.restoration import measure_restoration

# --- what it says -----------------------------------------------------------------------------


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


def test_restoration_of_nothing_says_so():
    found = restore([])
    assert found.finding().text == "No host was hit, so none had to recover; 0 hosts to call."
    assert found.calendar.empty
    assert found.to_call.empty
    assert "No host was hit" in found._repr_html_()


# --- whole worlds -----------------------------------------------------------------------------


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


def test_worlds_of_no_guilty_change_have_a_restoration_too():
    t = w.gateway_outage(3).tables()
    cause = judge_cause(t.attempts, t.exposure, t.coverage, NAMED)
    hosts = assess_recovery(t.attempts, t.exposure, t.coverage, t.timeline, NAMED, cause)
    found = measure_restoration(hosts, t.attempts, t.coverage, NAMED, cause)
    assert all(check.passed is not False for check in found.finding().checks[:1])
    assert set(found.times["host"]) == set(hosts.loc[hosts["onset"].notna(), "host"])
