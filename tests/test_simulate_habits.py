"""Habits that a scenario leaves open are drawn, once a host."""

from __future__ import annotations

import pytest
from simulated import changed, world_of
from simulated_outage import HEAD, USERS

UNEVEN = changed(
    HEAD, "sessions_per_day = 3.0", "sessions_between = [1.0, 4.0]\nbaseline_between = [0.01, 0.16]"
)


def test_habits_are_drawn_once_a_host_by_their_logarithm(tmp_path):
    world = world_of(tmp_path, UNEVEN + USERS, hosts=400)
    failure = sorted(h.host.habits.baseline_failure for h in world.hosts)
    often = sorted(h.host.habits.sessions_per_day for h in world.hosts)
    assert 0.01 <= failure[0] < 0.012
    assert 0.13 < failure[-1] <= 0.16
    assert 0.03 < failure[200] < 0.053  # the middle of the logarithms is 0.04
    assert 1.7 < often[200] < 2.35  # 2
    assert len(set(failure)) == 400


def test_a_host_fails_as_often_as_it_has_drawn(tmp_path):
    world = world_of(tmp_path, changed(UNEVEN, "[0.01, 0.16]", "[0.02, 0.5]") + USERS, hosts=80)
    halves = {}
    for host in world.hosts:
        own = host.host.habits.baseline_failure
        tries = [a for a in host.attempts if a.outcome != "cancelled"]
        failed = sum(a.outcome == "failure" for a in tries)
        counts = halves.setdefault(own > 0.1, [0.0, 0, 0])
        halves[own > 0.1] = [counts[0] + own * len(tries), counts[1] + failed, counts[2] + 1]
    for expected, failed, hosts in halves.values():
        assert hosts >= 20
        assert failed == pytest.approx(expected, rel=0.15)


def test_a_group_that_leaves_nothing_open_is_as_it_was(tmp_path):
    plain = {h.name: h for h in world_of(tmp_path, HEAD + USERS).hosts}
    mixed = changed(
        UNEVEN + USERS, 'prefix = "{site}-N"', 'prefix = "{site}-N"\nhabits = { vpn = false }'
    )
    mixed = changed(mixed, "revision = 1415\nhabits = { vpn = false }\n", "revision = 1415\n")
    for host in world_of(tmp_path, mixed).hosts:
        assert host.deeds == plain[host.name].deeds
        assert host.presence == plain[host.name].presence
