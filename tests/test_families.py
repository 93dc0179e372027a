"""Claims about all families of the benchmark: what each must have, and which evidence is defective.

Worlds are grown without files. Every claim is checked on one seed; where chance has a say, in a
fleet large enough for its bounds.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from simulated_families import (
    FAMILIES,
    FEW_EXPOSED,
    GUILTY,
    INNOCENT,
    NO_CONTROLS,
    TABLES,
    controls,
    failed,
    growing,
    patched,
)

from kitlib.simulate.scenario import HERE, list_scenarios


@pytest.fixture(scope="module")
def grown():
    with growing() as get:
        yield get


def test_there_are_at_least_25_families():
    assert len(FAMILIES) >= 25


def test_in_two_of_five_families_no_change_is_guilty():
    assert Fraction(len(INNOCENT), len(FAMILIES)) >= Fraction(40, 100)


def test_the_scenarios_that_are_no_families_are_the_three_of_before():
    assert set(list_scenarios()) - set(FAMILIES) == {"big-bang", "founding-office", "quiet-outage"}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_says_at_its_top_what_is_special_and_that_there_is_a_trap(name):
    text = (HERE / "scenarios" / f"{name}.toml").read_text("utf-8")
    comment = text.split("\n\n")[0]
    assert comment.startswith("# ")
    assert "\n\n# " in text.split("[verdict]")[0], "the verdict has its reason above it"
    assert len(comment.splitlines()) <= 7


@pytest.mark.parametrize("name", FAMILIES)
def test_a_verdict_blames_a_change_exactly_where_one_is_guilty(name):
    kinds = {fault["kind"] for fault in TABLES[name].get("fault", [])}
    assert ("change" in kinds) == (name in GUILTY)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [12, 60])
def test_a_family_grows_at_12_and_60_hosts(name, size, grown):
    world = grown(name, size)
    assert len(world.hosts) == size
    assert len(controls(world)) >= (0 if name in NO_CONTROLS else 3)
    assert sum(patched(world, h) is not None for h in world.hosts) >= (
        2 if name in FEW_EXPOSED else 5
    )
    assert any(not host.host.habits.vpn for host in world.hosts)
    assert len({host.branch.name for host in world.hosts}) >= 2


@pytest.mark.parametrize("name", GUILTY)
def test_a_guilty_change_breaks_hosts_of_a_small_fleet(name, grown):
    world = grown(name, 12)
    names = {f.name for f in world.scenario.faults if f.kind == "change"}
    hurt = [host for host in world.hosts if failed(host, *names)]
    assert len(hurt) >= (2 if name in FEW_EXPOSED else 4)
    assert all(host.exposures for host in hurt)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_three_weeks_of_life_before_the_patch(name, grown):
    world = grown(name)
    first = min(time for host in world.hosts if (time := patched(world, host)))
    assert first - world.start >= timedelta(days=20)
    assert timedelta(weeks=5) <= world.end - world.start <= timedelta(weeks=8)


@pytest.mark.parametrize("name", FAMILIES)
def test_sites_cut_across_the_groups(name, grown):
    groups = {}
    for host in grown(name).hosts:
        site, _, rest = host.name.partition("-")
        groups.setdefault(rest[0], set()).add(site)
    assert all(len(sites) == 3 for sites in groups.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_update_dumps_are_of_mixed_kinds(name, grown):
    kinds = {dump for host in grown(name).hosts for dump in host.host.dumps}
    assert len(kinds) >= 3
    assert any(set(h.host.dumps) <= {"hotfix_csv", "wmic_csv"} for h in grown(name).hosts)


def test_named_families_are_opened_with_the_suspect(grown):
    named = {name for name in FAMILIES if TABLES[name]["incident"] == "kb5009543"}
    assert {"named-incident", "named-innocent"} <= named
    assert {TABLES[n]["incident"] for n in FAMILIES} == {"kb5009543", "vpn-outage"}
    for name in named:
        faults = grown(name).scenario.faults
        assert [set(fault.codes) for fault in faults] == [{789}], "the profile's symptom"


# Evidence that is defective ---------------------------------------------------------------------


DEFECTS = {
    "rolled-logs": ({"rolled"}, 0.25, 0.55),
    "cleared-logs": ({"cleared"}, 0.2, 0.6),
    "partial-logs": ({"missing"}, 0.2, 0.6),
    "duplicated-exports": ({"duplicated"}, 0.35, 0.8),
    "skewed-clocks": ({"clock"}, 0.1, 0.4),
    "jumping-clocks": ({"clock"}, 0.1, 0.45),
    "disagreeing-sources": ({"wrong_dump", "stale_dump"}, 0.12, 0.5),
    "innocent-duplicates": ({"duplicated"}, 0.3, 0.75),
    "innocent-clocks": ({"clock"}, 0.08, 0.35),
    "innocent-rolled": ({"rolled", "cleared"}, 0.3, 0.65),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_evidence_is_defective_as_the_name_says(name, grown):
    kinds, low, high = DEFECTS[name]
    hosts = grown(name).hosts
    assert {defect.kind for host in hosts for defect in host.defects} == kinds
    assert low <= sum(bool(host.defects) for host in hosts) / len(hosts) <= high


def test_no_other_family_has_defective_evidence(grown):
    assert {name for name in FAMILIES if grown(name).scenario.defects} == set(DEFECTS)


def test_jumping_clocks_are_set_right_again_and_skewed_ones_are_not(grown):
    jumping, skewed = (
        {d.until for h in grown(name).hosts for d in h.defects}
        for name in ("jumping-clocks", "skewed-clocks")
    )
    assert None not in jumping
    assert skewed == {None}
