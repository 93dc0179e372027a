"""Claims about each status of the contract, one world each, under a declared verdict."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from worlds_cause import (
    BAD,
    DAYS,
    DECEMBER,
    FEBRUARY,
    FIX,
    PATCHED,
    START,
    World,
    day,
    fails_during,
    trend,
)
from worlds_recovery import (
    HOST,
    LAST,
    NAMED,
    OPEN,
    added,
    as_facts,
    declared,
    fleet,
    installed,
    recover,
    told,
)

from kitlib.explain import Outage
from kitlib.recovery.states import Story, _proof
from kitlib.recovery.views import look_at_hosts
from kitlib.suspects import bad_spans

HOUR = pd.Timedelta(hours=1)


def outcome(row):
    return row["status"], row["recovered_by"], bool(row["at_risk"])


def fails_until(until, *, host=None, world_fault):
    """The fault of a world, ended at `until` on `host` (on all, if none is given)."""
    return lambda name, time, revision: (
        world_fault(name, time, revision) if time < until or host not in (None, name) else None
    )


# --- each state once ------------------------------------------------------------------------


def shaped(*states, idle=None, seed=1, **options):
    world = fleet(seed, **options)
    for time, revision in states:
        world.patch(HOST, time, revision)
    if idle is not None:
        world.idle[HOST] = [(idle, LAST)]
    return world


@pytest.mark.parametrize(
    ("states", "idle", "expected"),
    [
        ([(day(22, 20), BAD), (day(33, 5), FIX)], None, ("recovered", "fix", False)),
        ([(day(22, 20), BAD), (day(33, 5), FEBRUARY)], None, ("recovered", "fix", False)),
        ([(day(22, 20), BAD), (day(33, 5), FIX)], day(33), ("unconfirmed", "", False)),
        (
            [(day(22, 20), BAD), (day(29, 5), DECEMBER)],
            None,
            ("workaround_only", "uninstall", True),
        ),
        ([(day(22, 20), BAD), (day(29, 5), DECEMBER)], day(29), ("unconfirmed", "", True)),
        ([(day(22, 20), BAD)], None, ("still_failing", "", True)),
        ([(day(22, 20), BAD)], day(25), ("still_failing", "", True)),
        (
            [(day(22, 20), BAD), (day(25, 5), DECEMBER), (day(36, 20), BAD)],
            None,
            ("still_failing", "", True),
        ),
        (
            [(day(22, 20), BAD), (day(25, 5), DECEMBER), (day(36, 20), BAD)],
            day(36),
            ("still_failing", "", True),
        ),
        (
            [(day(22, 20), BAD), (day(25, 5), DECEMBER), (day(30, 20), BAD), (day(36, 5), FIX)],
            None,
            ("recovered", "fix", False),
        ),
        ([], None, ("not_affected", "", False)),
        ([(day(22, 20), BAD)], day(0), ("not_affected", "", True)),
    ],
    ids=[
        "fixed",
        "later cumulative",
        "fixed and not used",
        "removed",
        "removed and not used",
        "not fixed",
        "not fixed, not used since",
        "put back by policy",
        "put back by policy and not used",
        "removed, put back, fixed",
        "never exposed",
        "exposed and never used",
    ],
)
def test_status_of_each_fate(states, idle, expected):
    assert outcome(told(shaped(*states, idle=idle)).loc[HOST]) == expected


def test_status_pending_reboot_where_the_fix_waits_for_a_restart():
    world = shaped((day(22, 20), BAD))
    row = told(world, added(installed(HOST, day(40), "KB5010793"))).loc[HOST]
    assert outcome(row) == ("pending_reboot", "", True)


def test_status_still_failing_where_a_later_update_brings_the_fault_back():
    world = shaped((day(22, 20), BAD), (day(29, 5), FIX), (day(37, 5), FEBRUARY))
    before = world.fault
    world.fault = lambda host, time, revision: (
        (1.0, "789") if host == HOST and revision == FEBRUARY else before(host, time, revision)
    )
    row = told(world).loc[HOST]
    assert outcome(row) == ("still_failing", "", True)
    assert row["confidence"] > 0.95


def test_status_recovered_again_after_a_bad_day_in_between():
    """A relapse that ended counts as over; the recovery is dated after it."""
    world = shaped((day(22, 20), BAD), (day(29, 5), FIX))
    before = world.fault
    world.fault = lambda host, time, revision: (
        (1.0, "789") if host == HOST and day(35) <= time < day(38) else before(host, time, revision)
    )
    row = told(world).loc[HOST]
    assert outcome(row) == ("recovered", "fix", False)
    assert row["recovered_at"] > day(38)


def test_status_no_data_where_no_log_would_show_it():
    world = shaped((day(22, 20), BAD), (day(33, 5), FIX))
    world.blind = frozenset({HOST})
    assert outcome(told(world).loc[HOST]) == ("no_data", "", False)


# --- recovered without any change of build --------------------------------------------------


def test_status_workaround_only_where_a_setting_of_one_host_ends_it():
    world = shaped((day(22, 20), BAD))
    world.fault = fails_until(day(31), host=HOST, world_fault=world.fault)
    row = told(world).loc[HOST]
    assert outcome(row) == ("workaround_only", "other", True)
    assert day(31) <= row["recovered_at"] < day(36)


def test_status_workaround_only_on_all_hosts_where_the_server_ends_it():
    world = shaped((day(22, 20), BAD), idle=day(30))
    world.fault = fails_until(day(31), world_fault=world.fault)
    hosts = told(world)
    others = hosts.loc[[f"WS{n:04d}" for n in range(10, 14)]]
    assert {outcome(row) for _, row in others.iterrows()} == {("workaround_only", "other", True)}
    assert "with the bad build in effect all hosts work since" in others["why"].iloc[0]
    # What mended everybody has mended the host that nobody used since; nothing has shown it.
    assert outcome(hosts.loc[HOST]) == ("unconfirmed", "", True)


def test_status_still_failing_where_the_server_s_cure_leaves_one_host_out():
    world = shaped((day(22, 20), BAD), hosts=40)
    before = world.fault
    world.fault = lambda host, time, revision: (
        before(host, time, revision) if time < day(31) or host == HOST else None
    )
    assert outcome(told(world).loc[HOST]) == ("still_failing", "", True)


def test_status_needs_more_than_luck_to_see_a_cure_that_nobody_saw():
    """A fault that lets half of the attempts through has runs of luck, on no host for long."""
    for seed in range(3):
        world = shaped((day(22, 20), BAD), seed=seed, chance=0.5, hosts=40)
        hosts = told(world)
        exposed = hosts.loc[[HOST, *[f"WS{n:04d}" for n in range(20, 28)]]]
        assert set(exposed["status"]) == {"still_failing"}


# --- gone, and set up anew ------------------------------------------------------------------


def gone_after(moment):
    def change(facts):
        for name, column in (("attempts", "time"), ("timeline", "time")):
            table = facts[name]
            keep = (table["host"] != HOST) | (table[column] < moment)
            facts[name] = table[keep].reset_index(drop=True)
        own = facts["coverage"]["host"] == HOST
        facts["coverage"].loc[own, "end"] = moment

    return change


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([(day(22, 20), BAD)], ("still_failing", "", True)),
        ([(day(22, 20), BAD), (day(25, 5), FIX)], ("recovered", "fix", False)),
    ],
)
def test_status_of_a_host_that_is_gone_is_that_of_its_last_evidence(states, expected):
    row = told(shaped(*states), gone_after(day(31))).loc[HOST]
    assert outcome(row) == expected
    assert row["why"].endswith("nothing heard of it since 2022-01-20")


def test_why_says_nothing_of_silence_where_the_host_was_heard_to_the_end():
    assert not told(shaped((day(22, 20), BAD)))["why"].str.contains("nothing heard").any()


def states_of(exposure):
    """Places of the host's states, the first (which has no start) first."""
    own = exposure[exposure["host"] == HOST]
    return own.sort_values("start", na_position="first").index


def set_up_with(build, revision):
    """The last state of the host is another Windows: set up anew, record numbers from 1 again."""

    def change(facts):
        exposure = facts["exposure"]
        last = states_of(exposure)[-1]
        exposure.loc[last, ["build", "revision"]] = [build, revision]
        exposure.loc[last, "change"] = f"{build}.{revision}"

    return change


@pytest.mark.parametrize(
    ("build", "revision", "expected"),
    [
        (22621, 963, ("recovered", "fix", False)),
        (19045, 1415, ("workaround_only", "other", True)),
    ],
    ids=["with the fix", "without"],
)
def test_status_after_windows_was_set_up_anew(build, revision, expected):
    world = shaped((day(22, 20), BAD), (day(33, 5), FIX))
    row = told(world, set_up_with(build, revision)).loc[HOST]
    assert outcome(row) == expected
    assert f"set up anew with build {build}" in row["why"]


# --- exposure that is not known -------------------------------------------------------------


def unlisted(world, *, cured=True):
    """A verdict that does not know HOST's branch: the profile forgot it."""
    facts = as_facts(world)
    exposure = facts["exposure"]
    bad = bad_spans(exposure, NAMED)
    cause = declared(
        facts, bad=bad[bad["host"] != HOST], **({} if cured else {"cured": bad.head(0)})
    )
    return recover(facts, cause)


def test_status_of_a_forgotten_branch_is_not_called_unaffected():
    row = unlisted(shaped((day(22, 20), BAD))).loc[HOST]
    assert outcome(row) == ("still_failing", "", True)
    assert "never seen with the change in effect, and yet it shows the symptom" in row["why"]
    assert pd.isna(row["exposed_from"])
    assert row["onset"] > day(22, 20)


def test_status_of_a_forgotten_branch_that_works_again_is_recovered_by_other():
    world = shaped((day(22, 20), BAD), (day(31, 5), DECEMBER))
    row = unlisted(world, cured=False).loc[HOST]
    assert outcome(row) == ("recovered", "other", False)
    assert day(31, 5) < row["recovered_at"] < day(36)


def test_status_of_a_host_that_fails_all_along_is_not_affected():
    """It shows the symptom no more than in its own past."""
    world = fleet()
    world.rates[HOST] = 0.6
    assert outcome(told(world).loc[HOST]) == ("not_affected", "", False)


def test_status_of_unknown_build_is_never_recovered():
    world = shaped((day(22, 20), BAD), (day(31, 5), FIX))
    world.stateless = frozenset({HOST})
    row = told(world).loc[HOST]
    assert outcome(row) == ("no_data", "", True)
    assert "no start of Windows and no update list" in row["why"]


def between(low, high, place):
    """The host's state number `place` began somewhere between two instants."""

    def change(facts):
        exposure = facts["exposure"]
        own = states_of(exposure)
        exposure.loc[own[place], ["start_low", "start_high"]] = [low, high]
        exposure.loc[own[place - 1], ["end_low", "end_high"]] = [low, high]

    return change


def test_attempts_while_nobody_knows_the_state_say_nothing_about_it():
    """The fix came at some time between day 33 and day 43, and nothing was tried after that."""
    world = shaped((day(22, 20), BAD), (day(33, 5), FIX), idle=day(42))
    assert told(world).loc[HOST, "status"] == "recovered"
    row = told(world, between(day(33), day(43), 2)).loc[HOST]
    assert (row["status"], row["likelihood_ratio"] > 1) == ("unconfirmed", False)


def test_status_of_a_host_that_fails_only_while_nobody_knows_the_state():
    """The patch came at some time between day 20 and day 33, when the fix came."""
    world = shaped((day(22, 20), BAD), (day(33, 5), FIX))
    row = told(world, between(day(20), day(33, 5), 1)).loc[HOST]
    assert (row["status"], row["recovered_by"]) == ("recovered", "fix")


def test_attempts_in_an_outage_beside_the_change_are_set_aside():
    """Everybody fails on the last two days; that is no relapse."""
    world = shaped((day(22, 20), BAD), (day(33, 5), FIX))
    before = world.fault
    world.fault = lambda host, time, revision: (
        (1.0, "789") if time >= day(42) else before(host, time, revision)
    )
    outage = Outage(day(42), day(45), "", frozenset(world.names))
    assert told(world).loc[HOST, "status"] == "still_failing"
    assert told(world, outages=[outage]).loc[HOST, "status"] == "recovered"


def test_codes_of_the_fault_are_learned_where_the_profile_names_none():
    """Password failures under the change are not the symptom; its own code is."""
    world = shaped((day(22, 20), BAD), (day(33, 5), FIX), hosts=40, chance=0.7)
    world.base, world.base_code = 0.15, "691"
    facts = as_facts(world)
    hosts, named = (recover(facts, declared(facts), incident) for incident in (OPEN, NAMED))
    assert hosts["failures"].tolist() == named["failures"].tolist()
    assert hosts["status"].tolist() == named["status"].tolist()


# --- where no change is to blame ------------------------------------------------------------


def outage_world(start, end, hosts=20):
    world = World(4, hosts=hosts, per_day=8.0, base=0.0)
    world.fault = fails_during(start, end, chance=1.0)
    return world, Outage(start, end, "", frozenset(world.names))


def test_status_in_an_open_outage_that_began_before_a_short_one_is_still_failing():
    world, outage = outage_world(day(PATCHED), day(DAYS))
    short = Outage(day(25), day(26), "WS", frozenset(world.names))
    world.idle[HOST] = [(day(26), LAST)]
    hosts = told(world, status="not_supported", outages=[outage, short])
    assert set(hosts["status"]) == {"still_failing"}
    assert not hosts["why"].str.contains("is over").any()


def test_status_after_an_outage_is_recovered_by_other_or_unconfirmed():
    world, outage = outage_world(day(25, 9), day(27, 9))
    world.idle[HOST] = [(day(27), LAST)]
    hosts = told(world, status="not_supported", outages=[outage])
    assert set(hosts.drop(HOST)["status"]) == {"recovered"}
    assert set(hosts.drop(HOST)["recovered_by"]) == {"other"}
    assert (hosts.drop(HOST)["recovered_at"] >= day(27, 9)).all()
    assert outcome(hosts.loc[HOST]) == ("unconfirmed", "", False)
    assert hosts["exposed_from"].isna().all()


def test_status_in_an_outage_that_lasts_to_the_end_is_still_failing():
    world, outage = outage_world(day(PATCHED), day(DAYS))
    hosts = told(world, status="not_supported", outages=[outage])
    assert set(hosts["status"]) == {"still_failing"}


def test_status_of_a_bad_week_of_its_own():
    world = World(5, hosts=20, per_day=3.0)
    world.fault = fails_during(day(15), day(22), hosts={HOST})
    hosts = told(world, status="not_supported")
    assert outcome(hosts.loc[HOST]) == ("recovered", "other", False)
    assert START < day(15) <= hosts.loc[HOST, "onset"] < day(17)
    assert day(21, 12) < hosts.loc[HOST, "recovered_at"] < day(24)
    assert set(hosts.drop(HOST)["status"]) == {"not_affected"}


def test_status_under_a_trend_of_everybody_is_still_failing():
    """Nobody names it: the failure rate of nearly every host has risen, and stays up."""
    hosts = told(trend(3), status="not_supported")
    assert (hosts["status"] == "still_failing").mean() > 0.8
    assert not (hosts["status"] == "recovered").any()


def test_status_under_a_relapse_that_looks_like_an_outage_is_still_failing():
    """Half of the hosts fail again to the end, the others work: that is set aside for nobody."""
    world = shaped((day(22, 20), BAD), (day(33, 5), FIX))
    before, again = world.fault, {HOST, *world.names[1:5]}
    world.fault = lambda host, time, revision: (
        (1.0, "789") if time >= day(41) and host in again else before(host, time, revision)
    )
    outage = Outage(day(41), day(45), "", frozenset(world.names))
    assert told(world, outages=[outage]).loc[HOST, "status"] == "still_failing"


def test_status_of_a_host_whose_attempts_nobody_can_date_is_no_data_and_at_risk():
    """It fails with the symptom, in local time of an unknown offset, on a build nobody knows."""

    def undated(facts):
        own = facts["attempts"]["host"] == HOST
        facts["attempts"].loc[own, "time"] = pd.NaT
        facts["coverage"] = facts["coverage"][facts["coverage"]["host"] != HOST]

    world = shaped((day(22, 20), BAD))
    world.stateless = frozenset({HOST})
    row = told(world, undated).loc[HOST]
    assert outcome(row) == ("no_data", "", True)
    assert "told in local time of an unknown UTC offset" in row["why"]


def test_status_is_no_data_where_the_symptom_shows_at_unknown_times_only():
    """Its logs cover all, and yet nobody knows whether the symptom came with the change."""

    def lose_times(facts):
        tries = facts["attempts"]
        own = (tries["host"] == HOST) & (tries["time"] >= day(25))
        tries.loc[own, "time"] = pd.NaT
        facts["attempts"] = tries[own | (tries["host"] != HOST)]

    row = told(shaped((day(22, 20), BAD)), lose_times).loc[HOST]
    assert outcome(row) == ("no_data", "", True)
    assert "the symptom shows (" in row["why"]


def test_a_log_that_misses_the_only_moment_that_matters_covers_none_of_it():
    """One host fails once in the fleet: a log from another week cannot have shown the symptom."""
    facts = as_facts(shaped())
    view = look_at_hosts(*facts.values(), NAMED, declared(facts))[0]
    moment = day(30).value
    parts = {"stays": (), "window": (moment, moment)}
    assert replace(view, seen=((day(1).value, day(9).value),), **parts).covered_share() == 0.0
    assert replace(view, seen=((day(1).value, day(31).value),), **parts).covered_share() == 1.0


def test_a_retry_alone_bounds_no_rate_and_none_is_told():
    facts = as_facts(fleet())
    tail = look_at_hosts(*facts.values(), NAMED, declared(facts))[1].tries[:1]
    story = Story(1.0, 0.9, 0.9, 0.5, True, replace(tail, retry=tail.worked), 3.0, 0, 1)
    said = _proof(story)
    assert "3 times as likely" in said
    assert "nan" not in said
