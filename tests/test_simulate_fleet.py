"""A fleet of any size: groups share it by their parts, sites take turns, a host stays itself."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import changed, contents, file_of, scenario_of, world_of
from simulated_fleet import CALM, TEXT

from kitlib.cli import main
from kitlib.errors import UsageError
from kitlib.simulate.declared import ScenarioError
from kitlib.simulate.fleet import load_scenario, simulate
from kitlib.simulate.scenario import shared_out

# Fleet size -------------------------------------------------------------------------------------


def naive_shares(total, parts):
    """Hamilton's method in exact fractions, as a textbook writes it; no minimum."""
    quotas = [Fraction(total) * Fraction(part) / sum(map(Fraction, parts)) for part in parts]
    counts = [quota.numerator // quota.denominator for quota in quotas]
    order = sorted(range(len(parts)), key=lambda i: (counts[i] - quotas[i], i))
    for index in order[: total - sum(counts)]:
        counts[index] += 1
    return counts


@settings(deadline=None, max_examples=200)
@given(parts=st.lists(st.integers(1, 64), min_size=1, max_size=9), extra=st.integers(0, 300))
def test_shared_out_is_the_largest_remainder_method_with_a_minimum_of_one(parts, extra):
    total = len(parts) + extra
    counts = shared_out(total, [part / 64 for part in parts])
    assert sum(counts) == total
    assert min(counts) >= 1
    textbook = naive_shares(total, parts)
    if min(textbook) >= 1:
        quotas = [Fraction(total * part, sum(parts)) for part in parts]
        assert all(abs(n - quota) < 1 for n, quota in zip(counts, quotas, strict=True))
        remainders = sorted(quota % 1 for quota in quotas)
        if len(set(remainders)) == len(remainders):
            assert counts == textbook


@pytest.mark.parametrize(
    ("hosts", "sizes"),
    [(None, [12, 7, 5]), (12, [6, 4, 2]), (60, [30, 18, 12]), (3, [1, 1, 1]), (5, [3, 1, 1])],
)
def test_groups_share_the_fleet_by_their_parts(tmp_path, hosts, sizes):
    names = [name for h in scenario_of(tmp_path, TEXT, hosts).hosts for name in h.host_names()]
    groups = Counter(name[4] if "-" in name else "W" for name in names)
    assert [groups[key] for key in "ABW"] == sizes
    assert len(set(names)) == (hosts or 24)


def test_hosts_with_names_and_counts_are_part_of_the_fleet(tmp_path):
    text = TEXT + '[[host]]\nnames = ["SRV-1"]\nbranch = "win10-1809"\nrevision = 2300\n'
    names = [name for h in scenario_of(tmp_path, text, 10).hosts for name in h.host_names()]
    assert len(names) == 10
    assert "SRV-1" in names


def test_a_host_of_a_small_fleet_is_the_same_in_a_large_one(tmp_path):
    path = file_of(tmp_path, TEXT)
    small = contents(simulate(path, seed=4, out=tmp_path / "small", hosts=6))
    large = contents(simulate(path, seed=4, out=tmp_path / "large", hosts=14))
    common = {name for name in small.keys() & large.keys() if name != "truth.json"}
    assert len({name.partition("/")[0] for name in common}) == 6
    assert all(small[name] == large[name] for name in common)


def test_the_command_takes_the_number_of_hosts(tmp_path, capsys):
    path, out = file_of(tmp_path, TEXT), tmp_path / "out"
    assert main(["simulate", str(path), "--seed", "3", "--hosts", "5", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert len([folder for folder in out.iterdir() if folder.is_dir()]) == 5


def test_the_size_of_a_fleet_without_parts_cannot_be_asked_for(tmp_path, capsys):
    with pytest.raises(ScenarioError, match=r"big-bang.toml: no host states a 'part'"):
        load_scenario("big-bang", 12)
    assert main(["simulate", "big-bang", "--seed", "1", "--hosts", "12", "--out", str(tmp_path)])
    assert "no host states a 'part'" in capsys.readouterr().err


def test_a_fleet_too_small_for_its_groups_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match="a fleet of 2 is too small: 0 hosts are fixed"):
        scenario_of(tmp_path, TEXT, 2)
    with pytest.raises(UsageError, match="too small"):
        scenario_of(tmp_path, TEXT, -7)


# Sites ------------------------------------------------------------------------------------------


def test_a_groups_hosts_get_the_sites_in_turn(tmp_path):
    world = world_of(tmp_path, TEXT)
    sites = ["BER", "HAM", "MUC"]
    for number, letter in ((1, "A"), (2, "B")):
        named = {int(host.name[5:]): host for host in world.hosts if host.name[3:5] == f"-{letter}"}
        assert sorted(named) == list(range(1, len(named) + 1))
        for n, host in named.items():
            assert host.name == f"{sites[(n + number) % 3]}-{letter}{n:04d}"
            assert host.host.habits.site == host.name[:3]
    assert {host.host.habits.site for host in world.hosts if host.name.startswith("WS")} == {""}


def test_an_outage_of_a_site_spares_the_others(tmp_path):
    text = changed(CALM, 'name = "outage"', 'name = "outage"\nsites = ["HAM"]')
    world = world_of(tmp_path, text)
    hit = {host.host.habits.site for host in world.hosts if any(a.fault for a in host.attempts)}
    assert hit == {"HAM"}
