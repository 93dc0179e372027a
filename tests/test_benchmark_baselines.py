"""What people do without the kit: the three rules the benchmark stands beside it."""

from __future__ import annotations

import baselines
import pandas as pd
import pytest
import worlds_cause as w
from benchmark_rows import NAMED, blamed, small


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
