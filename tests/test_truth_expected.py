"""The sessions that a host would have had are the mean of some lives: good to a few percent.

They are held against many more lives.
"""

from __future__ import annotations

import dataclasses
import statistics

import pytest
from simulated import written

from kitlib.simulate import world as worlds
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.truth import truth
from kitlib.simulate.world import grow


def test_no_state_rests_on_the_lives_that_give_the_expected_sessions(monkeypatch):
    kept = []
    for lives in (1, 30):
        monkeypatch.setattr(worlds, "FAMILY_LIVES", lives)
        world = grow(load_scenario("intermittent", 12), seed=2)
        hosts = truth(world, written(world))["hosts"]
        kept.append([{k: v for k, v in h.items() if k != "sessions_lost"} for h in hosts])
    assert kept[0] == kept[1]


@pytest.mark.parametrize("name", ["intermittent", "guilty-and-outage", "gateway-outage"])
def test_expected_sessions_are_good_to_a_few_percent_of_a_host(name, monkeypatch):
    """Cut and few lives against whole and many: no bias, and the error that is documented."""
    few = {h.name: h.expected for h in grow(load_scenario(name, 12), seed=4).hosts}
    scenario = dataclasses.replace(load_scenario(name, 12), family=False)
    monkeypatch.setattr(worlds, "LIVES", 600)
    many = {h.name: h.expected for h in grow(scenario, seed=4).hosts}
    errors = [few[host] / many[host] - 1 for host in few if many[host]]
    assert abs(statistics.mean(errors)) < 0.02
    assert statistics.pstdev(errors) < 0.05
    assert all(few[host] == 0 for host in few if not many[host])


def test_lives_stop_when_enough_sessions_are_begun(monkeypatch):
    scenario = load_scenario("trend", 12)
    usual = [h.expected for h in grow(scenario, seed=4).hosts]
    monkeypatch.setattr(worlds, "FAMILY_LIVES", 400)
    assert [h.expected for h in grow(scenario, seed=4).hosts] == usual
