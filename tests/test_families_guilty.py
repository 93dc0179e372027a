"""Families in which a change is guilty: it breaks the hosts as often and as long as the name says.

Worlds are grown without files: what was done to the hosts and which tries failed.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from simulated_families import (
    GUILTY,
    NO_CONTROLS,
    days_patched,
    dialling,
    failed,
    growing,
    hours,
    local,
    patched,
    spell,
    suspect,
    tries,
)

from kitlib.simulate import world as worlds
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.world import grow


@pytest.fixture(scope="module")
def grown():
    with growing() as get:
        yield get


def removals(world):
    return [
        (host, change)
        for host in world.hosts
        for change in host.deeds.changes
        if change.do == "uninstall"
    ]


@pytest.mark.parametrize(
    "name", ["rings", "rolled-logs", "partial-logs", "named-incident", "intermittent", "dst-change"]
)
def test_rings_are_patched_on_at_least_three_days(name, grown):
    assert len(days_patched(grown(name))) >= 3


@pytest.mark.parametrize("name", sorted(set(GUILTY) - {"guilty-and-outage"}))
def test_controls_never_fail_but_by_ordinary_chance(name, grown):
    world = grown(name)
    free = [host for host in dialling(world) if not host.exposures]
    assert name in NO_CONTROLS or len(free) >= 12
    assert not [a for host in free for a in host.attempts if a.fault]


@pytest.mark.parametrize("name", ["big-bang-reversal", "one-night", "innocent-big-bang"])
def test_a_big_bang_leaves_no_control(name, grown):
    world = grown(name)
    times = [patched(world, host) for host in world.hosts]
    assert None not in times
    assert max(times) - min(times) < timedelta(hours=6)


def test_big_bang_reversal_a_third_removes_it_on_different_days(grown):
    world = grown("big-bang-reversal")
    found = removals(world)
    assert 0.25 <= len(found) / 60 <= 0.42
    assert len({world.window.local(change.begun).date() for _, change in found}) >= 3
    assert 5 <= sum(len(host.exposures) > 1 for host in world.hosts) <= 10, "some get it back"


def test_one_night_nothing_is_undone_before_the_end(grown):
    world = grown("one-night")
    assert not removals(world)
    assert {host.exposures[-1][1] for host in world.hosts} == {world.end}


def test_late_reboots_one_day_of_install_many_of_effect(grown):
    world = grown("late-reboots")
    number = {h.name: suspect(world, h) for h in world.hosts}
    begun = {
        world.window.local(c.begun).date()
        for h in dialling(world)
        for c in h.deeds.changes
        if c.do == "install" and c.revision == number[h.name]
    }
    assert begun == {datetime(2022, 1, 11).date()}
    took = {world.window.local(h.exposures[0][0]).date() for h in dialling(world) if h.exposures}
    assert len(took) >= 4


def test_susceptible_half_of_the_exposed_hosts_fails(grown):
    exposed = [host for host in dialling(grown("susceptible-half", 200)) if host.exposures]
    share = sum(bool(failed(host, "ipsec")) for host in exposed) / len(exposed)
    assert 0.35 <= share <= 0.65


def test_intermittent_half_of_the_tries_fails(grown):
    world = grown("intermittent")
    found = [
        a
        for host in dialling(world)
        for low, high in host.exposures
        for a in tries(host, low, high)
    ]
    assert 0.4 <= sum(a.outcome == "failure" for a in found) / len(found) <= 0.6


def test_slow_burn_one_try_in_seven_fails_and_hardly_a_session(grown):
    world = grown("slow-burn")
    found = [
        a
        for host in dialling(world)
        for low, high in host.exposures
        for a in tries(host, low, high)
    ]
    broken = sum(a.fault == "ipsec" for a in found)
    assert 0.11 <= broken / len(found) <= 0.19
    assert {a.code for host in world.hosts for a in failed(host, "ipsec")} == {
        a.code
        for host in world.hosts
        for a in host.attempts
        if a.outcome == "failure" and not a.fault
    }, "no code tells"
    usual = sorted(host.host.habits.baseline_failure for host in dialling(world))
    assert usual[-1] > 10 * usual[0]


def log_odds(world, harmed, rate):
    """log10 of the chance of all tries where `rate` more fail inside of `harmed`, against none."""
    total = 0.0
    for host in world.hosts:
        usual = host.host.habits.baseline_failure
        more = usual + (1 - usual) * rate
        for a in tries(host, world.start, world.end):
            if any(low <= a.start < high for low, high in harmed(host)):
                failed_ = a.outcome == "failure"
                total += math.log10(more / usual if failed_ else (1 - more) / (1 - usual))
    return total


@pytest.mark.parametrize(("name", "size", "guilty"), [("slow-burn", 24, True), ("slow-gateway", 12, False)])  # fmt: skip
@pytest.mark.parametrize("seed", range(4))
def test_who_knew_the_rates_could_tell_a_slow_change_from_a_slow_gateway(name, size, guilty, seed):
    """A thousand to one at least, against a gateway that is bad from any of five days on.

    So a verdict that can be known is; the analysis must first learn what is usual on each line.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "FAMILY_LIVES", 1)
        world = grow(load_scenario(name, size), seed=seed)
    change = log_odds(world, lambda host: under_suspicion(world, host), 0.15)
    days = [local(world, 2022, 1, day) for day in (11, 12, 13, 14, 17)]
    ends = [world.end, world.end - timedelta(days=3)]
    gateway = max(log_odds(world, lambda _, s=(a, b): [s], 0.15) for a in days for b in ends)
    assert change - max(gateway, 0.0) > 3 if guilty else gateway - max(change, 0.0) > 3


def under_suspicion(world, host):
    """Spans in which a host ran the update of the month, and none that is later."""
    number = suspect(world, host)
    moments = [world.start, *(b.start for b in host.deeds.boots), world.end]
    return [(a, b) for a, b in pairwise(moments) if a < b and host.deeds.revision(a) == number]


def test_delayed_onset_hosts_fail_one_to_four_days_after_the_effect(grown):
    world = grown("delayed-onset")
    delays = [hours((h.exposures[0][0], h.broken[0][0])) for h in world.hosts if h.broken]
    assert len(delays) >= 30
    assert all(24 <= delay <= 96 for delay in delays)


@pytest.mark.parametrize("name", ["driver-guilty", "app-guilty"])
@pytest.mark.parametrize("size", [12, 60])
def test_a_package_is_guilty_with_the_patch_and_without(name, size, grown):
    world = grown(name, size)
    hurt = {host.name: bool(host.broken) for host in dialling(world)}
    both = Counter((hurt[h.name], patched(world, h) is not None) for h in dialling(world))
    assert all(
        both[pair] >= 1 for pair in ((True, True), (True, False), (False, True), (False, False))
    )


@pytest.mark.parametrize("name", ["driver-guilty", "app-guilty"])
def test_some_remove_the_guilty_package_and_no_fault_outlasts_it(name, grown):
    found = removals(grown(name))
    assert 5 <= len(found) <= 20
    assert all(host.broken[-1][1] == change.effective for host, change in found if host.broken)


TOGETHER = {"together-all": (1.0, 1.0), "together-90": (0.8, 0.98), "together-70": (0.55, 0.85)}


@pytest.mark.parametrize("name", TOGETHER)
def test_two_updates_go_together_as_often_as_the_name_says(name, grown):
    world = grown(name, 200)
    exposed = [host for host in world.hosts if host.exposures]
    both = ["dotnet-2022-01" in host.deeds.packages(world.end) for host in exposed]
    low, high = TOGETHER[name]
    assert len(exposed) >= 100
    assert low <= sum(both) / len(both) <= high
    assert {
        change.effective == host.exposures[0][0]
        for host in exposed
        for change in host.deeds.changes
        if change.package
    } == {True}, "in effect from the same restart on"
    assert {host.exposures[-1][1] for host in exposed} == {world.end}, "both stay"
    without = [host for host in world.hosts if not host.exposures]
    assert not any("dotnet-2022-01" in host.deeds.packages(world.end) for host in without)


def builds_broken(world):
    """Revisions under which tries failed by the change, with the days they were released."""
    return {
        host.branch.revision(host.deeds.revision(a.start)).released
        for host in world.hosts
        for a in failed(host, "ipsec")
    }


def test_superseding_two_builds_carry_the_fault_and_the_third_ends_it(grown):
    world = grown("superseding")
    assert len(builds_broken(world)) == 2
    straight = [
        host
        for host in dialling(world)
        if host.broken and host.deeds.revision(host.exposures[0][0]) != suspect(world, host)
    ]
    assert len(straight) >= 5, "some went to the second build without the first"
    assert any(host.exposures and host.exposures[-1][1] < world.end for host in world.hosts)


def test_fix_then_regression_hosts_fail_work_and_fail_again(grown):
    world = grown("fix-then-regression")
    twice = [host for host in dialling(world) if len(host.exposures) == 2]
    assert len(twice) >= 10
    assert all(high < low for h in twice for (_, high), (low, _) in [h.exposures])
    assert len(builds_broken(world)) == 2


def test_uninstall_reinstall_the_fault_goes_and_comes_back(grown):
    world = grown("uninstall-reinstall")
    assert len(removals(world)) >= 20
    assert sum(len(host.exposures) > 1 for host in dialling(world)) >= 12


def test_reimaged_some_come_back_with_the_bad_build_some_with_another(grown):
    world = grown("reimaged")
    anew = [host for host in world.hosts if host.deeds.reimaged]
    assert len(anew) >= 15
    builds = {host.deeds.revision(host.deeds.reimaged) for host in anew}
    assert len(builds) == 3


def test_no_kb_recovery_everybody_works_again_and_no_build_changed(grown):
    world = grown("no-kb-recovery")
    ends = {host.broken[-1][1] for host in world.hosts if host.broken}
    assert ends == {local(world, 2022, 1, 20, 12, 30)}
    assert all(host.exposures[-1][1] == world.end for host in world.hosts if host.exposures)


def test_guilty_and_outage_the_outage_is_over_before_the_first_patch(grown):
    world = grown("guilty-and-outage")
    low, high = spell(world, "gateway_outage")
    assert 22 <= hours((low, high)) <= 36
    assert high < min(h.exposures[0][0] for h in world.hosts if h.exposures) - timedelta(days=2)
    assert sum(bool(failed(h, "gateway_outage")) for h in world.hosts) >= 40


def test_small_share_patched_is_one_host_in_seven(grown):
    world = grown("small-share-patched", 200)
    assert 0.13 <= sum(bool(host.exposures) for host in world.hosts) / 200 <= 0.17
