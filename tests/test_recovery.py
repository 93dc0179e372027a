"""Claims about each host's state at its last evidence, in the words of the contract."""

from __future__ import annotations

import pandas as pd
import pytest
import worlds_cause as w
from worlds_cause import BAD, DECEMBER, FEBRUARY, FIX, PREVIEW, day, fails_during
from worlds_recovery import HOST, LAST, NAMED, OPEN, added, assess, fleet, installed

from kitlib import schema
from kitlib.cause import judge_cause
from kitlib.recovery import assess_recovery

# --- recovered ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cure", [FIX, PREVIEW, FEBRUARY])
@pytest.mark.parametrize("incident", [NAMED, OPEN], ids=["named", "open"])
def test_status_recovered_with_the_fix_or_a_later_cumulative(cure, incident):
    row = assess(fleet().patch(HOST, day(23, 20)).patch(HOST, day(33, 5), cure), incident).loc[HOST]
    assert (row["status"], row["recovered_by"], row["at_risk"]) == ("recovered", "fix", False)
    assert row["exposed_from"] == day(23, 20)
    assert row["onset"] > day(23, 20)
    assert row["recovered_at"] > day(33, 5)
    assert row["confidence"] >= 0.95


def test_status_recovered_after_a_new_setup_with_a_later_windows():
    def reimaged(facts):
        exposure = facts["exposure"]
        own = exposure[exposure["host"] == HOST]
        last = own["start"].idxmax()
        exposure.loc[last, ["build", "revision"]] = [22621, 963]
        exposure.loc[last, "change"] = "KB5021255"

    world = fleet().patch(HOST, day(23, 20)).patch(HOST, day(33, 5), FIX)
    row = assess(world, change=reimaged).loc[HOST]
    assert (row["status"], row["recovered_by"], row["at_risk"]) == ("recovered", "fix", False)


def test_status_recovered_after_removed_put_back_and_fixed():
    world = fleet().patch(HOST, day(22, 20)).patch(HOST, day(25, 5), DECEMBER)
    world.patch(HOST, day(29, 5)).patch(HOST, day(36, 5), FIX)
    row = assess(world).loc[HOST]
    assert (row["status"], row["recovered_by"]) == ("recovered", "fix")
    assert row["recovered_at"] > day(36, 5)


def test_status_recovered_is_never_said_without_a_success_since_the_cure():
    for seed in range(3):
        world = fleet(seed).patch(HOST, day(23, 20)).patch(HOST, day(33, 5), FIX)
        world.idle[HOST] = [(day(33), LAST)]
        row = assess(world).loc[HOST]
        assert row["status"] == "unconfirmed"
        assert not row["at_risk"]
        assert pd.isna(row["recovered_at"])
        assert row["recovered_by"] == ""


def test_likelihood_ratio_grows_with_successes_until_the_host_counts_as_recovered():
    """Hosts that fail half of the time need several successes."""
    seen = []
    for days in range(34, 45, 2):
        world = fleet(5, chance=0.5).patch(HOST, day(22, 20)).patch(HOST, day(33, 5), FIX)
        world.idle[HOST] = [(day(days), LAST)]
        row = assess(world).loc[HOST]
        seen.append((row["status"], row["likelihood_ratio"]))
    assert (seen[0][0], seen[-1][0]) == ("unconfirmed", "recovered")
    assert [ratio for _, ratio in seen] == sorted(ratio for _, ratio in seen)


# --- workaround --------------------------------------------------------------------------------


@pytest.mark.parametrize("incident", [NAMED, OPEN], ids=["named", "open"])
def test_status_workaround_only_where_the_patch_was_removed(incident):
    world = fleet().patch(HOST, day(22, 20)).patch(HOST, day(29, 5), DECEMBER)
    row = assess(world, incident).loc[HOST]
    assert (row["status"], row["recovered_by"]) == ("workaround_only", "uninstall")
    assert row["at_risk"]
    assert row["recovered_at"] > day(29, 5)


def test_status_workaround_only_where_it_works_with_the_bad_build():
    world = fleet().patch(HOST, day(22, 20))
    until = day(30)
    world.fault = lambda host, time, revision: (
        (1.0, "789") if revision == BAD and not (host == HOST and time >= until) else None
    )
    row = assess(world).loc[HOST]
    assert (row["status"], row["recovered_by"]) == ("workaround_only", "other")
    assert row["at_risk"]
    assert row["recovered_at"] >= until


def test_status_needs_successes_not_other_failures_to_say_that_it_works():
    """After the last failure two successes, then failures with another code: not working."""

    def other_codes(facts):
        attempts = facts["attempts"]
        late = attempts.index[(attempts["host"] == HOST) & (attempts["time"] >= day(30))]
        attempts.loc[late[2:], ["outcome", "code"]] = ["failure", "809"]

    world = fleet().patch(HOST, day(22, 20))
    world.idle[HOST] = [(day(32), LAST)]
    world.fault = lambda host, time, revision: (
        (1.0, "789") if revision == BAD and not (host == HOST and time >= day(30)) else None
    )
    assert assess(world, change=other_codes).loc[HOST, "status"] == "unconfirmed"


# --- not over ----------------------------------------------------------------------------------


def test_status_still_failing_with_the_bad_build():
    row = assess(fleet().patch(HOST, day(22, 20))).loc[HOST]
    assert (row["status"], row["recovered_by"], row["at_risk"]) == ("still_failing", "", True)
    assert pd.isna(row["recovered_at"])
    assert (row["build"], row["revision"]) == (19044, BAD)  # the last state, not the first


def test_status_still_failing_where_the_bad_build_came_back_and_was_not_tried():
    """It worked while the patch was removed; that says nothing once it is back."""
    world = fleet().patch(HOST, day(22, 20)).patch(HOST, day(25, 5), DECEMBER)
    world.patch(HOST, day(39, 20))
    world.idle[HOST] = [(day(39, 20), LAST)]
    row = assess(world).loc[HOST]
    assert (row["status"], row["at_risk"]) == ("still_failing", True)


def test_status_still_failing_where_the_fix_does_not_help():
    world = fleet().patch(HOST, day(22, 20)).patch(HOST, day(33, 5), FIX)
    world.fault = lambda host, _time, revision: (
        (1.0, "789") if revision == BAD or (host == HOST and revision == FIX) else None
    )
    row = assess(world).loc[HOST]
    assert row["status"] == "still_failing"
    assert row["confidence"] > 0.95


def test_status_still_failing_where_it_worked_with_the_fix_and_then_failed_again():
    world = fleet().patch(HOST, day(22, 20)).patch(HOST, day(30, 5), FIX)
    world.fault = lambda host, time, revision: (
        (1.0, "789") if revision == BAD or (host == HOST and time >= day(43)) else None
    )
    assert assess(world).loc[HOST, "status"] == "still_failing"


def test_status_unconfirmed_where_the_patch_was_removed_and_nothing_tried_since():
    world = fleet().patch(HOST, day(22, 20)).patch(HOST, day(29, 5), DECEMBER)
    world.idle[HOST] = [(day(29), LAST)]
    row = assess(world).loc[HOST]
    assert row["status"] == "unconfirmed"
    assert row["at_risk"]  # it can come back


@pytest.mark.parametrize("label", ["KB5010793", "KB5009596", "KB5010342"])
def test_status_pending_reboot_after_the_fix_or_a_later_cumulative(label):
    row = assess(
        fleet().patch(HOST, day(22, 20)), change=added(installed(HOST, day(40), label))
    ).loc[HOST]
    assert (row["status"], row["at_risk"]) == ("pending_reboot", True)
    assert f"{HOST}/System#500" in row["records"]
    assert label in row["why"]


def test_status_pending_reboot_only_where_the_install_follows_the_last_start():
    boot = {
        "host": HOST, "time": day(41), "time_low": day(41), "time_high": day(41),
        "time_basis": "utc", "action": "boot", "channel": "System", "record_id": 501,
        "build": 19044, "revision": BAD,
    }  # fmt: skip
    world = fleet().patch(HOST, day(22, 20))
    change = added(installed(HOST, day(40), "KB5010793"), boot)
    assert assess(world, change=change).loc[HOST, "status"] == "still_failing"


def test_status_pending_reboot_does_not_rest_on_a_day_that_may_lie_before_the_start():
    world = fleet().patch(HOST, day(22, 20))
    listed = installed(HOST, day(22, 23), "KB5010793", low=day(22))
    assert assess(world, change=added(listed)).loc[HOST, "status"] == "still_failing"


def test_status_pending_reboot_is_not_said_of_another_update():
    world = fleet().patch(HOST, day(22, 20))
    change = added(installed(HOST, day(40), "KB5008876"))
    assert assess(world, change=change).loc[HOST, "status"] == "still_failing"


# --- not affected, or cannot tell --------------------------------------------------------------


def test_status_not_affected_where_never_exposed():
    row = assess(fleet()).loc["WS0019"]
    assert (row["status"], row["at_risk"], row["failures"]) == ("not_affected", False, 0)
    assert pd.isna(row["exposed_from"])
    assert pd.isna(row["onset"])


def test_status_not_affected_but_at_risk_where_exposed_and_never_used():
    world = fleet().patch(HOST, day(22, 20))
    world.idle[HOST] = [(day(0), LAST)]
    row = assess(world).loc[HOST]
    assert (row["status"], row["at_risk"], row["attempts"]) == ("not_affected", True, 0)


def test_status_not_affected_where_it_fails_all_along_with_other_codes():
    world = fleet()
    world.base_code = "691"
    world.rates[HOST] = 0.9
    row = assess(world).loc[HOST]
    assert (row["status"], row["failures"]) == ("not_affected", 0)


def test_status_no_data_but_at_risk_where_exposed_without_a_log():
    world = fleet().patch(HOST, day(22, 20))
    world.blind = frozenset({HOST})
    row = assess(world).loc[HOST]
    assert (row["status"], row["at_risk"]) == ("no_data", True)


def test_status_no_data_and_at_risk_where_the_patch_was_removed_unseen():
    world = fleet().patch(HOST, day(22, 20)).patch(HOST, day(29, 5), DECEMBER)
    world.blind = frozenset({HOST})
    row = assess(world).loc[HOST]
    assert (row["status"], row["at_risk"]) == ("no_data", True)


def test_status_no_data_where_the_log_has_rolled_over_the_time_that_matters():
    def rolled(facts):
        facts["attempts"] = facts["attempts"].query("host != @HOST").reset_index(drop=True)
        coverage = facts["coverage"]
        own = (coverage["host"] == HOST) & (coverage["channel"] == "Application")
        coverage.loc[own, "start"] = day(42)
        coverage.loc[own, "why_start"] = "rolled over"

    world = fleet().patch(HOST, day(22, 20)).patch(HOST, day(40, 5), FIX)
    row = assess(world, change=rolled).loc[HOST]
    assert (row["status"], row["at_risk"]) == ("no_data", False)
    assert "begins 2022-01-31" in row["why"]


def test_status_of_a_host_of_unknown_build_says_what_its_attempts_say():
    """The symptom shows and nothing tells the build: never 'not affected', never 'recovered'."""
    failing, working = "WS0002", "WS0012"
    world = fleet()
    world.stateless = frozenset({failing, working})
    world.states[failing] = [(None, DECEMBER), (day(23), BAD)]
    world.states[working] = [(None, DECEMBER), (day(23), BAD), (day(30), FIX)]
    hosts = assess(world)
    assert hosts.loc[failing, "status"] == "still_failing"
    assert hosts.loc[working, "status"] == "no_data"
    assert hosts.loc[[failing, working], "at_risk"].all()


# --- where no change is to blame ---------------------------------------------------------------


def test_status_recovered_by_other_after_an_outage():
    world = w._rolled_out(3, base=0.0)
    world.fault = fails_during(day(25, 9), day(27, 9), chance=1.0)
    tables = world.tables()
    cause = judge_cause(tables.attempts, tables.exposure, tables.coverage, NAMED)
    assert cause.competing == ("shared_outage",)
    hosts = assess_recovery(
        tables.attempts, tables.exposure, tables.coverage, tables.timeline, NAMED, cause
    )
    assert set(hosts["status"]) <= {"recovered", "not_affected", "unconfirmed"}
    back = hosts[hosts["status"] == "recovered"]
    assert len(back) > 15
    assert set(back["recovered_by"]) == {"other"}
    assert (back["recovered_at"] >= day(26)).all()
    assert not hosts["at_risk"].any()
    assert hosts["exposed_from"].isna().all()


def test_status_of_rare_failures_without_a_cause_is_not_affected():
    world = w.quiet(31)
    tables = world.tables()
    cause = judge_cause(tables.attempts, tables.exposure, tables.coverage, OPEN)
    hosts = assess_recovery(
        tables.attempts, tables.exposure, tables.coverage, tables.timeline, OPEN, cause
    )
    assert (hosts["status"] == "not_affected").mean() > 0.9


def test_assess_recovery_of_empty_tables_is_empty():
    none = [schema.empty(t) for t in ("attempts", "exposure", "coverage", "timeline")]
    cause = judge_cause(*none[:3], NAMED)
    assert assess_recovery(*none, NAMED, cause).empty


def test_assess_recovery_lists_every_host_once_and_in_order():
    world = fleet()
    world.blind, world.stateless = frozenset({"WS0001"}), frozenset({"WS0002"})
    hosts = assess(world)
    assert hosts.index.tolist() == world.names
    assert set(hosts["status"]) <= set(schema.STATUSES)
    assert hosts["confidence"].between(0, 1).all()
