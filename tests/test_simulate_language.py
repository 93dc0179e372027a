"""Claims about what a scenario can say of fleets, sites, drawn faults, logging and evidence.

Each item of the language is shown in the grown world and, where it is written, in the files.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from evtx import PyEvtxParser
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import contents

from kitlib.cli import main
from kitlib.errors import UsageError
from kitlib.simulate.declared import ScenarioError
from kitlib.simulate.deeds import perform
from kitlib.simulate.dice import Dice
from kitlib.simulate.fleet import load_scenario, simulate
from kitlib.simulate.logs import write_logs
from kitlib.simulate.mishaps import defects_of
from kitlib.simulate.oracle import confidence_works
from kitlib.simulate.scenario import shared_out
from kitlib.simulate.truth import truth
from kitlib.simulate.updates import fixes, history
from kitlib.simulate.usage import Presence, attempts, union
from kitlib.simulate.vocabulary import Fault, Habits
from kitlib.simulate.world import grow

HEAD = """
schema = "kitlib.scenario/1"
title = "a fleet of three weeks"
incident = "kb5009543"
use = ["january-2022"]
fleet = 24
family = true
[window]
start = 2022-01-03T06:00:00
end = 2022-01-21T18:00:00
utc_offset_minutes = 60
zone = "W. Europe Standard Time"
[office]
domain = "kontor.example"
netbios = "KONTOR"
profile = "Kontor VPN"
server = "vpn.kontor.example"
sites = ["BER", "HAM", "MUC"]
[verdict]
status = "supported"
[habits]
use_probability = 1.0
sessions_per_day = 3.0
noise = 0.1
"""
GUILTY = """
[[fault]]
name = "ipsec"
kind = "change"
codes = { 789 = 1.0 }
carrier = [{ branch = "win10-21h2", first = 1466, fixed = 1469 }]
"""
OUTAGE = """
[[fault]]
name = "outage"
kind = "world"
codes = { 809 = 1.0 }
start_between = [2022-01-10T06:00:00, 2022-01-12T06:00:00]
lasts_hours = [20.0, 30.0]
"""
LOGGED = """
[[fault]]
name = "watch"
kind = "logged"
codes = { 812 = 1.0 }
per_day = 6.0
package = "line-watch"
"""
PACKAGE = """
[[package]]
name = "line-watch"
kind = "application"
title = "Line Watch"
version = "1.2"
"""
GROUPS = """
[[host]]
prefix = "{site}-A"
part = 0.5
branch = "win10-21h2"
revision = 1415
dumps = ["com_iso", "hotfix_csv"]
act = [
  { do = "install", revision = 1466, between = [2022-01-12T09:00:00, 2022-01-12T15:00:00] },
  { do = "install", revision = 1469, between = [2022-01-18T09:00:00, 2022-01-18T15:00:00] },
]
[[host]]
prefix = "{site}-B"
part = 0.3
branch = "win10-21h2"
revision = 1415
[[host]]
prefix = "WS"
part = 0.2
branch = "win10-1809"
revision = 2300
"""
TEXT = HEAD + GUILTY + GROUPS
CALM = HEAD.replace('"supported"', '"not_supported"') + OUTAGE + GROUPS
LOGGING = HEAD.replace('"supported"', '"not_supported"') + PACKAGE + LOGGED + GROUPS
WITH_AGENT = LOGGING.replace("15:00:00] },\n  {", '15:00:00], also = ["line-watch"] },\n  {', 1)
A, B = 12, 7
"""Hosts of the first two groups of a fleet of 24."""


def file_of(folder, text, name="fleet.toml"):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def scenario_of(folder, text, hosts=None):
    return load_scenario(file_of(folder, text), hosts)


def world_of(folder, text, *, seed=1, hosts=None):
    return grow(scenario_of(folder, text, hosts), seed=seed)


def told(world):
    return truth(world, {host.name: list(write_logs(world, host)) for host in world.hosts})


def by_name(world):
    return {host.name: host for host in world.hosts}


def changed(text, old, new):
    assert old in text
    return text.replace(old, new)


def ras_failures(path):
    """Time and code of every RasClient 20227 of a log, with the Rust parser."""
    out = []
    for row in PyEvtxParser(str(path)).records_json():
        event = json.loads(row["data"])["Event"]
        number = event["System"]["EventID"]
        number = number["#text"] if isinstance(number, dict) else number
        if event["System"]["Provider"]["#attributes"]["Name"] == "RasClient" and number == 20227:
            time = event["System"]["TimeCreated"]["#attributes"]["SystemTime"]
            out.append((datetime.fromisoformat(time), int(event["EventData"]["Data"]["#text"][3])))
    return out


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


# Faults that are drawn --------------------------------------------------------------------------


def spans(world):
    return {host.name: [(low, high) for low, high, _ in host.broken] for host in world.hosts}


def test_a_drawn_outage_is_one_for_all_hosts_and_another_for_another_seed(tmp_path):
    seen = {}
    for seed in range(6):
        world = world_of(tmp_path, CALM, seed=seed, hosts=6)
        found = {span for mine in spans(world).values() for span in mine}
        assert len(found) == 1
        assert all(spans(world).values())
        ((low, high),) = found
        assert datetime(2022, 1, 10, 5, tzinfo=UTC) <= low <= datetime(2022, 1, 12, 5, tzinfo=UTC)
        assert timedelta(hours=20) <= high - low <= timedelta(hours=30)
        seen[seed] = (low, high)
    assert len(set(seen.values())) == 6
    assert len({high - low for low, high in seen.values()}) == 6


def test_a_drawn_outage_is_in_the_written_logs_and_nowhere_else(tmp_path):
    out = simulate(file_of(tmp_path, CALM), seed=2, out=tmp_path / "out", hosts=6)
    world = world_of(tmp_path, CALM, seed=2, hosts=6)
    low, high = spans(world)[world.hosts[0].name][0]
    for host in world.hosts:
        failed = [time for time, code in ras_failures(out / host.name / "Application.evtx")
                  if code == 809]  # fmt: skip
        inside = [t for t in failed if low <= t < high + timedelta(minutes=1)]
        assert len(inside) >= 2
        assert len(failed) - len(inside) <= 4  # ordinary life has the code as well


def test_a_stated_start_may_have_a_drawn_length(tmp_path):
    drawn = "start_between = [2022-01-10T06:00:00, 2022-01-12T06:00:00]"
    text = changed(CALM, drawn, "start = 2022-01-11T07:00:00")
    found = {spans(world_of(tmp_path, text, seed=s, hosts=3))["WS0001"][0] for s in range(4)}
    assert {low for low, _ in found} == {datetime(2022, 1, 11, 6, tzinfo=UTC)}
    assert len({high for _, high in found}) == 4


def test_a_drawn_outage_drops_the_lines_that_are_up(tmp_path):
    world = world_of(tmp_path, CALM, seed=3)
    low = spans(world)["WS0001"][0][0]
    for host in world.hosts:
        assert host.presence.drops == (low,)
        assert not any(a.end and a.start < low < a.end for a in host.attempts)


def test_faults_of_ones_own_are_drawn_for_each_bitten_host(tmp_path):
    text = changed(CALM, 'name = "outage"', 'name = "outage"\nown = true\nshare = 0.5')
    world = world_of(tmp_path, text, hosts=40)
    bitten = {name: mine for name, mine in spans(world).items() if mine}
    assert 12 <= len(bitten) <= 28
    assert all(len(mine) == 1 for mine in bitten.values())
    assert len({mine[0] for mine in bitten.values()}) == len(bitten)
    assert all(host.presence.drops == () for host in world.hosts)
    smaller = spans(world_of(tmp_path, text, hosts=12))
    assert all(mine == spans(world)[name] for name, mine in smaller.items() if name in bitten)


def test_faults_of_ones_own_are_of_the_world_in_the_truth(tmp_path):
    text = changed(CALM, 'name = "outage"', 'name = "outage"\nown = true\nshare = 0.5')
    document = told(world_of(tmp_path, text))
    assert document["verdict"]["status"] == "not_supported"
    hit = [h for h in document["hosts"] if h["onset"]]
    assert hit
    assert {(h["status"], h["recovered_by"]) for h in hit} == {("recovered", "other")}


def test_union_joins_spans_that_touch_or_overlap():
    times = [datetime(2022, 1, day, tzinfo=UTC) for day in range(1, 9)]
    one, two, three, four, five, six, seven, _ = times
    assert union([(three, five), (one, two), (two, three)]) == [(one, five)]
    assert union([(five, six), (one, four), (two, three)]) == [(one, four), (five, six)]
    assert union([(one, two), (six, seven)]) == [(one, two), (six, seven)]
    assert union([]) == []


DRAWN_OUTAGE = (
    "start_between = [2022-01-10T06:00:00, 2022-01-12T06:00:00]\nlasts_hours = [20.0, 30.0]"
)


def test_hours_under_two_faults_at_once_count_once(tmp_path):
    text = CALM + changed(OUTAGE, "outage", "second")
    fixed = "start = 2022-01-11T06:00:00\nend = 2022-01-12T06:00:00"
    both = told(world_of(tmp_path, changed(text, DRAWN_OUTAGE, fixed)))
    for host in both["hosts"]:
        assert host["user_hours_lost"] <= 9.0


@pytest.mark.parametrize(
    ("start", "end", "least", "most"),
    [("2022-01-04", "2022-01-06", -1.5, 1.5), ("2022-01-13", "2022-01-15", 2.0, 6.0)],
)
def test_the_losses_of_a_guilty_change_leave_out_what_an_outage_cost(
    tmp_path, start, end, least, most
):
    """Before the patch it takes nothing away from the patch's losses, during them its own part."""
    span = f"start = {start}T00:00:00\nend = {end}T00:00:00\nprobability = 0.9"
    both = by_name(world_of(tmp_path, TEXT + changed(OUTAGE, DRAWN_OUTAGE, span)))
    for host in world_of(tmp_path, TEXT).hosts:
        less = host.expected - both[host.name].expected
        if host.name[3:5] == "-A":
            assert least < less < most
        else:
            assert (host.expected, both[host.name].expected) == (0.0, 0.0)


# More logging -----------------------------------------------------------------------------------


def test_an_agent_dials_in_vain_beside_the_user_and_leaves_his_dials_alone(tmp_path):
    plain = by_name(world_of(tmp_path, changed(WITH_AGENT, LOGGED, "")))
    world = world_of(tmp_path, WITH_AGENT)
    for host in world.hosts:
        extra = [a for a in host.attempts if a.fault == "watch"]
        assert tuple(a for a in host.attempts if a.fault != "watch") == plain[host.name].attempts
        assert bool(extra) == (host.name[3:5] == "-A")
        assert {(a.outcome, a.code, a.end) for a in extra} <= {("failure", 812, None)}
        carried = [c.effective for c in host.deeds.changes if c.package]
        assert all(a.start >= carried[0] for a in extra)
        assert all(any(low <= a.start < high for low, high in host.presence.shifts) for a in extra)
        assert [a.start for a in host.attempts] == sorted(a.start for a in host.attempts)


def test_an_agent_dials_as_often_a_day_as_it_is_said_to(tmp_path):
    text = changed(WITH_AGENT, 'package = "line-watch"\n\n',
                   "start = 2022-01-03T06:00:00\nend = 2022-01-21T18:00:00\n\n")  # fmt: skip
    world = world_of(tmp_path, text, hosts=30)
    days = sum(len(host.presence.shifts) for host in world.hosts)
    dials = sum(a.fault == "watch" for host in world.hosts for a in host.attempts)
    assert 5.6 < dials / days < 6.2


def test_an_agents_dials_are_in_the_application_log_each_a_chain_of_its_own(tmp_path):
    out = simulate(file_of(tmp_path, WITH_AGENT), seed=1, out=tmp_path / "out", hosts=6)
    world = world_of(tmp_path, WITH_AGENT, hosts=6)
    for host in world.hosts:
        written = [time for time, code in ras_failures(out / host.name / "Application.evtx")
                   if code == 812]  # fmt: skip
        extra = [a for a in host.attempts if a.fault == "watch"]
        assert [abs(t - a.closed) < timedelta(milliseconds=1)
                for t, a in zip(written, extra, strict=True)] == [True] * len(extra)  # fmt: skip
        assert len({a.connection for a in extra}) == len(extra)


def test_more_logging_costs_nobody_anything_in_the_truth(tmp_path):
    document = told(world_of(tmp_path, WITH_AGENT))
    assert document["impact"] == {
        "hosts_affected": 0, "failures": 0, "sessions_lost": 0, "user_hours_lost": 0,
    }  # fmt: skip
    assert document["onset"] is None
    assert {h["status"] for h in document["hosts"]} == {"not_affected"}
    assert {tuple(h["exposure"]) for h in document["hosts"]} == {()}
    extra = [h for h in document["hosts"] if h["host"][3:5] == "-A"]
    assert all(h["other_failures"] >= 10 for h in extra)
    assert document["verdict"]["changes"] == []


def test_an_agent_beside_a_guilty_change_is_no_change_to_name(tmp_path):
    text = changed(WITH_AGENT, '"not_supported"', '"supported"') + GUILTY
    assert told(world_of(tmp_path, text))["verdict"]["changes"] == ["KB5009543"]


def test_an_agent_may_watch_for_a_span_only(tmp_path):
    span = "start = 2022-01-10T06:00:00\nend = 2022-01-11T06:00:00\n"
    text = changed(LOGGING, 'package = "line-watch"\n', span)
    low = datetime(2022, 1, 10, 5, tzinfo=UTC)
    for host in world_of(tmp_path, text).hosts:
        extra = [a.start for a in host.attempts if a.fault]
        assert extra
        assert all(low <= time < low + timedelta(days=1) for time in extra)


def test_an_agent_dials_in_proportion_to_the_part_of_a_day(tmp_path):
    span = "start = 2022-01-10T12:00:00\nend = 2022-01-10T12:54:00\n"
    text = changed(LOGGING, 'package = "line-watch"\n', span)
    dials = [a for host in world_of(tmp_path, text).hosts for a in host.attempts if a.fault]
    assert 4 <= len(dials) <= 26  # 24 hosts, a tenth of 6 each


def test_who_has_no_vpn_has_no_agent_that_dials(tmp_path):
    text = changed(WITH_AGENT, 'dumps = ["com_iso", "hotfix_csv"]', "habits = { vpn = false }")
    assert not [a for host in world_of(tmp_path, text).hosts for a in host.attempts if a.fault]


# What goes along --------------------------------------------------------------------------------


def taken(scenario):
    """Number of packages that acts brought to each host of the first group."""
    hosts = [(group, name) for group in scenario.hosts for name in group.host_names()]
    return [
        sum(change.package is not None for change in perform(scenario, group, name, seed=1).changes)
        for group, name in hosts
        if name[3:5] == "-A"
    ]


def test_a_package_goes_along_with_its_probability(tmp_path):
    text = changed(WITH_AGENT, 'also = ["line-watch"]', 'also = ["line-watch"], also_share = 0.7')
    assert 190 <= sum(taken(scenario_of(tmp_path, text, 600))) <= 230
    assert taken(scenario_of(tmp_path, WITH_AGENT, 60)) == [1] * 30


def test_a_host_is_offered_the_same_packages_whenever_they_are_offered(tmp_path):
    text = changed(WITH_AGENT, "15:00:00] },\n]\n", '15:00:00], also = ["line-watch"], '
                   "also_share = 0.5 },\n]\n")  # fmt: skip
    text = changed(text, 'also = ["line-watch"] }', 'also = ["line-watch"], also_share = 0.5 }')
    numbers = taken(scenario_of(tmp_path, text, 60))
    assert set(numbers) == {0, 2}


# Defects ----------------------------------------------------------------------------------------


def with_defect(text, defect):
    return f"{text}\n[[defect]]\n{defect}\n"


def test_a_pattern_of_names_hits_its_share_of_the_hosts_that_fit(tmp_path):
    defect = 'hosts = "BER-A*"\nkind = "missing"\nlog = "Setup"\nshare = 0.5'
    scenario = scenario_of(tmp_path, with_defect(TEXT, defect), 600)
    hosts = [(group, name) for group in scenario.hosts for name in group.host_names()]
    hit = [d for group, name in hosts for d in defects_of(scenario, group, name, seed=1)]
    fits = [name for _, name in hosts if name.startswith("BER-A")]
    assert len(fits) == 100
    assert {d.host for d in hit} <= set(fits)
    assert 36 <= len(hit) <= 64


def test_a_time_is_drawn_once_a_host(tmp_path):
    defect = (
        'hosts = "*-A*"\nkind = "rolled"\nlog = "Application"\n'
        "at_between = [2022-01-05T00:00:00, 2022-01-10T00:00:00]"
    )
    world = world_of(tmp_path, with_defect(TEXT, defect))
    times = [d.at for host in world.hosts for d in host.defects]
    assert len(times) == len(set(times)) == A
    assert datetime(2022, 1, 5) <= min(times) < max(times) <= datetime(2022, 1, 10)
    for host in world.hosts:
        application = next(write_logs(world, host))
        begins = world.window.utc(host.defects[0].at) if host.defects else world.start
        assert application.begins == begins


def test_a_log_too_small_for_a_drawn_defect_is_spared_a_named_one_is_an_error(tmp_path):
    text = with_defect(TEXT, 'hosts = "*"\nkind = "damaged"\nlog = "Setup"\nchunk = 9')
    assert told(world_of(tmp_path, text, hosts=3))["defects"] == []
    named = changed(text, 'hosts = "*"', 'host = "WS0001"')
    with pytest.raises(ScenarioError, match=r"WS0001: Setup has \d chunks, none is 9"):
        told(world_of(tmp_path, named, hosts=3))


def test_a_large_enough_log_is_damaged_by_a_drawn_defect(tmp_path):
    text = with_defect(TEXT, 'hosts = "WS*"\nkind = "damaged"\nlog = "Application"\nchunk = 0')
    document = told(world_of(tmp_path, text))
    assert {d["host"][:2] for d in document["defects"]} == {"WS"}
    assert all(d["records_lost"] > 0 for d in document["defects"])


def test_a_drawn_damage_spares_logs_that_are_handed_over_as_exports(tmp_path):
    text = with_defect(TEXT, 'hosts = "*"\nkind = "damaged"\nlog = "Application"\nchunk = 0')
    text = changed(
        text, 'prefix = "WS"\n', 'prefix = "WS"\nexports = { Application = "wevtutil_xml" }\n'
    )
    world = world_of(tmp_path, text)
    assert {host.name[:2] for host in world.hosts if not host.defects} == {"WS"}


STALE = 'hosts = "*-A*"\nkind = "stale_dump"\nat = 2022-01-17T12:00:00'


def test_a_stale_dump_lists_nothing_later_and_what_was_installed_then(tmp_path):
    fresh = world_of(tmp_path, TEXT)
    world = world_of(tmp_path, with_defect(TEXT, STALE))
    stale = by_name(world)
    made = datetime(2022, 1, 17, 11, tzinfo=UTC)
    for host in fresh.hosts:
        old = stale[host.name]
        if not old.defects:
            assert history(world, old) == history(fresh, host)
            assert fixes(world, old) == fixes(fresh, host)
            continue
        assert history(world, old) == [i for i in history(fresh, host) if i.time < made]
        assert history(fresh, host)[0].time > made
        assert [fix.kb for fix in fixes(world, old)][-1] == "KB5009543"
        assert [fix.kb for fix in fixes(fresh, host)][-1] == "KB5010793"


def test_a_stale_dump_is_stale_in_the_written_files(tmp_path):
    path = file_of(tmp_path, with_defect(TEXT, STALE))
    out = simulate(path, seed=1, out=tmp_path / "out", hosts=6)
    (folder, *_) = sorted(out.glob("*-A*"))
    rows = json.loads((folder / "wu.json").read_bytes().decode("utf-8-sig"))
    assert any("KB5009543" in row["Title"] for row in rows)
    assert not any("KB5010793" in row["Title"] for row in rows)
    listed = (folder / "hotfix.csv").read_text("utf-8")
    assert "KB5009543" in listed
    assert "KB5010793" not in listed
    told_of = json.loads((out / "truth.json").read_text("utf-8"))["defects"]
    assert (told_of[0]["kind"], told_of[0]["at"]) == ("stale_dump", "2022-01-17T11:00:00.000000Z")
    assert told_of[0]["records_lost"] == 0


def test_a_stale_dump_between_install_and_restart_lists_it_as_pending(tmp_path):
    defect = changed(STALE, "2022-01-17T12:00:00", "2022-01-12T16:30:00")
    world = world_of(tmp_path, with_defect(TEXT, defect))
    for host in world.hosts:
        if host.defects:
            newest = next(item for item in history(world, host) if "KB5009543" in item.title)
            assert (newest.result, newest.hresult) == (1, -2145116140)
            assert fixes(world, host)[-1].kb == "KB5008212"


def test_a_wrong_dump_moves_the_installs_of_cumulative_updates_only(tmp_path):
    text = changed(TEXT, "15:00:00] },\n  {", '15:00:00], also = ["dotnet-2022-01"] },\n  {')
    right = world_of(tmp_path, text)
    wrong = world_of(
        tmp_path, with_defect(text, 'hosts = "*-A*"\nkind = "wrong_dump"\nminutes = -600.0')
    )
    for before, after in zip(right.hosts, wrong.hosts, strict=True):
        true = {item.title: item.time for item in history(right, before)}
        said = {item.title: item.time for item in history(wrong, after)}
        assert true.keys() == said.keys()
        moved = {title for title in true if said[title] != true[title]}
        assert {said[title] - true[title] for title in moved} <= {timedelta(hours=-10)}
        assert all("Cumulative Update for Windows" in title for title in moved)
        assert len(moved) == (2 if after.defects else 0)
        assert after.deeds == before.deeds


def test_a_wrong_clock_can_be_drawn_for_a_group(tmp_path):
    defect = (
        'hosts = "WS*"\nkind = "clock"\nminutes = 45.0\n'
        "at_between = [2022-01-06T00:00:00, 2022-01-09T00:00:00]\nuntil = 2022-01-12T12:00:00"
    )
    out = simulate(file_of(tmp_path, with_defect(TEXT, defect)), seed=1, out=tmp_path / "out",
                   hosts=8)  # fmt: skip
    kinds = [(d["host"][:2], d["kind"], d["minutes"]) for d in
             json.loads((out / "truth.json").read_text("utf-8"))["defects"]]  # fmt: skip
    assert kinds
    assert set(kinds) == {("WS", "clock", 45.0)}


# Verdict ----------------------------------------------------------------------------------------


def test_a_verdict_is_known_from_a_size_of_the_fleet_on(tmp_path):
    text = changed(TEXT, 'status = "supported"', 'status = "supported"\nknown_from = 10\n'
                   'also_right = ["no_control"]')  # fmt: skip
    small, large = (told(world_of(tmp_path, text, hosts=n))["verdict"] for n in (9, 10))
    assert (small["known"], large["known"]) == (False, True)
    assert small["also_right"] == large["also_right"] == ["no_control"]


def test_a_familys_verdict_is_known_unless_said_otherwise(tmp_path):
    verdict = told(world_of(tmp_path, TEXT, hosts=3))["verdict"]
    assert verdict == {
        "status": "supported", "changes": ["KB5009543"], "competing": [], "known": True,
        "also_right": [],
    }  # fmt: skip


def test_what_is_no_family_has_the_truth_it_always_had(tmp_path):
    family = told(world_of(tmp_path, TEXT, hosts=3))
    plain = told(world_of(tmp_path, changed(TEXT, "family = true\n", ""), hosts=3))
    assert family["verdict"].keys() - plain["verdict"].keys() == {"known", "also_right"}
    assert family["hosts"][0].keys() - plain["hosts"][0].keys() == {"oracle_confidence"}
    other = ("oracle_confidence", "sessions_lost")  # a family has more lives to take the mean of
    assert [{k: v for k, v in host.items() if k not in other} for host in plain["hosts"]] == [
        {k: v for k, v in host.items() if k not in other} for host in family["hosts"]
    ]


# The oracle -------------------------------------------------------------------------------------

ORDINARY = Habits(baseline_failure=0.05, baseline_codes={809: 3.0, 691: 1.0})
HALF = Fault(name="half", kind="world", codes={809: 1.0, 868: 1.0}, probability=0.4)
DAYS = tuple(
    (datetime(2022, 1, day, 7, tzinfo=UTC), datetime(2022, 1, day, 16, tzinfo=UTC))
    for day in (3, 4)
)
HERE = Presence(shifts=DAYS, sleeps=(), offs=())


def lived(life, *, broken):
    """Tries of a life in which the fault is there all the time, or never was."""

    def judge(_, dice):
        hit = broken and dice.happens(HALF.probability)
        return (dice.weighted(HALF.codes), "half") if hit else (0, "")

    return [
        a for a in attempts(ORDINARY, HERE, judge, Dice(9, "life", str(life), str(broken)))
        if a.outcome != "cancelled"
    ]  # fmt: skip


def naive_confidence(tries, habits, fault):
    """Multiply what each hypothesis says of each try, in exact fractions."""

    def of(weights, code):
        return Fraction(weights.get(code, 0)) / sum(map(Fraction, weights.values()))

    works = broken = Fraction(1)
    base, hit = Fraction(habits.baseline_failure), Fraction(fault.probability)
    for attempt in tries:
        usual = base * of(habits.baseline_codes, attempt.code) if attempt.code else 1 - base
        works *= usual
        broken *= hit * (of(fault.codes, attempt.code) if attempt.code else 0) + (1 - hit) * usual
    return float(works / (works + broken))


@pytest.mark.parametrize("broken", [True, False])
def test_the_oracle_multiplies_the_rates_of_the_tries(broken):
    for life in range(40):
        tries = lived(life, broken=broken)[: life % 7]
        assert confidence_works(tries, ORDINARY, HALF) == pytest.approx(
            naive_confidence(tries, ORDINARY, HALF), abs=1e-9
        )


def test_the_oracle_is_right_as_often_as_it_says():
    """Half of the lives work: where it says 0.5 to 0.8, between those shares of them do."""
    said = [
        (confidence_works(lived(life, broken=broken)[:3], ORDINARY, HALF), not broken)
        for life in range(500)
        for broken in (True, False)
    ]
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        inside = [(sure, works) for sure, works in said if low <= sure < high]
        assert len(inside) > 50
        mean = sum(sure for sure, _ in inside) / len(inside)
        assert sum(works for _, works in inside) / len(inside) == pytest.approx(mean, abs=0.06)


def test_the_oracle_knows_nothing_without_a_try_and_all_after_a_success_under_a_certain_fault():
    certain = replace(HALF, probability=1.0)
    assert confidence_works([], ORDINARY, certain) == 0.5
    success = next(a for a in lived(1, broken=False) if a.outcome == "success")
    assert confidence_works([success], ORDINARY, certain) == 1.0
    strange = replace(success, code=628, outcome="failure")
    assert confidence_works([strange], ORDINARY, certain) == 0.5
    vain = replace(success, code=868, outcome="failure")
    assert confidence_works([vain], ORDINARY, certain) == 0.0


def test_a_host_with_too_few_tries_since_its_cure_is_unconfirmed(tmp_path):
    """One success says all where the change broke every try, little where it broke half."""
    late = changed(TEXT, "2022-01-18T09:00:00, 2022-01-18T15:00:00",
                   "2022-01-19T14:00:00, 2022-01-20T16:00:00")  # fmt: skip
    half = changed(late, "codes = { 789 = 1.0 }", "codes = { 789 = 1.0 }\nprobability = 0.5")
    for text, doubtful in ((late, False), (half, True)):
        hosts = [h for h in told(world_of(tmp_path, text, hosts=30))["hosts"] if h["cured_at"]]
        assert hosts
        for host in hosts:
            confirmed = host["oracle_confidence"] >= 0.95
            assert (host["status"] == "recovered") == confirmed
            assert (host["recovered_at"] is not None) == confirmed
            assert confirmed or host["status"] == "unconfirmed"
        few = [h for h in hosts if h["successes_since_cure"] and h["status"] == "unconfirmed"]
        assert bool(few) == doubtful


def test_an_agents_dials_do_not_make_a_cure_doubtful(tmp_path):
    agent = changed(LOGGED, 'package = "line-watch"\n',
                    "start = 2022-01-03T06:00:00\nend = 2022-01-21T18:00:00\n")  # fmt: skip
    agent = changed(agent, "812", "789")
    half = changed(TEXT, "codes = { 789 = 1.0 }", "codes = { 789 = 1.0 }\nprobability = 0.5")
    alone, watched = told(world_of(tmp_path, half)), told(world_of(tmp_path, half + agent))
    keys = ("host", "status", "oracle_confidence", "sessions_lost", "user_hours_lost")
    assert [[h[k] for k in keys] for h in alone["hosts"]] == [
        [h[k] for k in keys] for h in watched["hosts"]
    ]
    assert sum(h["attempts"] for h in watched["hosts"]) > sum(h["attempts"] for h in alone["hosts"])


def test_what_was_cured_without_a_fix_stays_at_risk_even_unconfirmed(tmp_path):
    act = (
        '{ do = "install", revision = 1469, between = [2022-01-18T09:00:00, 2022-01-18T15:00:00] }'
    )
    removed = '{ do = "uninstall", revision = 1466, at = 2022-01-21T16:30:00, reboot = "at once" }'
    cured = [
        h for h in told(world_of(tmp_path, changed(TEXT, act, removed)))["hosts"] if h["cured_at"]
    ]
    assert "unconfirmed" in {h["status"] for h in cured}
    assert {h["at_risk"] for h in cured} == {True}
    fixed = changed(removed, '"uninstall", revision = 1466', '"install", revision = 1469')
    document = told(world_of(tmp_path, changed(TEXT, act, fixed)))
    late = [h for h in document["hosts"] if h["status"] == "unconfirmed"]
    assert late
    assert {h["at_risk"] for h in late} == {False}


def test_who_is_rid_of_a_guilty_package_has_removed_it(tmp_path):
    text = changed(WITH_AGENT, '"not_supported"', '"supported"')
    text = changed(text, 'kind = "logged"\ncodes = { 812 = 1.0 }\nper_day = 6.0',
                   'kind = "change"\ncodes = { 720 = 1.0 }')  # fmt: skip
    act = (
        '{ do = "install", revision = 1469, between = [2022-01-18T09:00:00, 2022-01-18T15:00:00] }'
    )
    gone = '{ do = "uninstall", package = "line-watch", at = 2022-01-18T12:00:00 }'
    document = told(world_of(tmp_path, changed(text, act, gone)))
    cured = [h for h in document["hosts"] if h["cured_at"]]
    assert {(h["status"], h["recovered_by"], h["at_risk"]) for h in cured} == {
        ("workaround_only", "uninstall", True)
    }


def test_a_reimaged_host_has_lost_its_packages(tmp_path):
    act = (
        '{ do = "install", revision = 1469, between = [2022-01-18T09:00:00, 2022-01-18T15:00:00] }'
    )
    wipe = '{ do = "reimage", revision = 1469, at = 2022-01-18T10:00:00, reboot = "at once" }'
    world = world_of(tmp_path, changed(WITH_AGENT, act, wipe))
    for host in world.hosts:
        if host.name[3:5] == "-A":
            before = host.deeds.reimaged - timedelta(minutes=1)
            assert host.deeds.packages(before) == {"line-watch"}
            assert host.deeds.packages(world.end) == set()


def test_without_a_guilty_change_states_are_what_they_were(tmp_path):
    """One success after an outage that broke half of the tries says little, and is enough here."""
    late = changed(CALM, "codes = { 809 = 1.0 }", "codes = { 809 = 1.0 }\nprobability = 0.5")
    late = changed(late, "2022-01-10T06:00:00, 2022-01-12T06:00:00",
                   "2022-01-20T06:00:00, 2022-01-20T09:00:00")  # fmt: skip
    hosts = told(world_of(tmp_path, late))["hosts"]
    cured = [h for h in hosts if h["cured_at"] and h["successes_since_cure"]]
    assert any(h["oracle_confidence"] < 0.95 for h in cured)
    assert {(h["status"], h["recovered_by"]) for h in cured} == {("recovered", "other")}


# What is wrong with a scenario ------------------------------------------------------------------

DRAWN = "at_between = [2022-01-09T00:00:00, 2022-01-10T00:00:00]"
MISTAKES = [
    (TEXT, "fleet = 24\n", "", "hosts with a 'part' need 'fleet'"),
    (TEXT, "fleet = 24", "fleet = 2", "a fleet of 2 is too small"),
    (TEXT, "fleet = 24", "fleet = -3", "fleet is a number of hosts, not -3"),
    (TEXT, "part = 0.5", "count = 4\npart = 0.5", "host 1: give 'part', or 'names' or 'count'"),
    (TEXT, "part = 0.5\n", "", "host 1: give 'names', or 'prefix' and 'count', or 'prefix' and"),
    (TEXT, "part = 0.5", "part = -0.5", "host 1: 'part' and 'count' cannot be negative"),
    (TEXT, 'sites = ["BER", "HAM", "MUC"]\n', "", "host 1: prefix: '{site}' needs 'sites'"),
    (TEXT, '"HAM", "MUC"', '"HAM", "HAM"', "office: sites: 'HAM' appears twice"),
    (TEXT, "{site}-B", "{site}-A", "host: prefix '{site}-A' appears twice"),
    (TEXT, "{site}-B", "{site}-LONGNAME", "host 'BER-LONGNAME0001': a name is 1 to 15 letters"),
    (TEXT, 'prefix = "WS"', 'prefix = "W_S"', "host 'W_S0001': a name is 1 to 15 letters"),
    (CALM, "lasts_hours = [20.0, 30.0]\n", "", "'outage': give either 'end' or 'lasts_hours'"),
    (CALM, "lasts_hours", "end = 2022-01-14T06:00:00\nlasts_hours", "either 'end' or 'lasts_"),
    (CALM, "start_between", "start = 2022-01-11T06:00:00\nstart_between", "either 'start' or"),
    (CALM, "[20.0, 30.0]", "[30.0, 20.0]", "lasts_hours: the first value must not be above"),
    (CALM, "[20.0, 30.0]", "[0.0, 20.0]", "lasts_hours must be above 0"),
    (CALM, "2022-01-12T06:00:00]", "2022-01-09T06:00:00]", "start_between: the first value"),
    (CALM, "lasts_hours = [20.0, 30.0]", "end = 2022-01-12T06:00:00", "it must start before"),
    (CALM, 'kind = "world"', 'kind = "weather"', "'weather' is not one of change, world, logged"),
    (CALM, 'kind = "world"', 'kind = "world"\nsites = ["BON"]', "sites: 'BON' is not one of BER"),
    (CALM, 'kind = "world"', 'kind = "world"\nper_day = 2.0', "'per_day' belongs to faults of"),
    (CALM, 'kind = "world"', 'kind = "world"\nprobability = 1.2', "1.2 is not a probability"),
    (CALM, 'kind = "world"', 'kind = "world"\npackage = "dotnet-2022-01"', "no carrier and no"),
    (CALM, OUTAGE, OUTAGE + OUTAGE, "fault 'outage' appears twice"),
    (TEXT, 'kind = "change"', 'kind = "change"\nown = true', "has no span of its own"),
    (TEXT, 'kind = "change"', 'kind = "change"\nstart = 2022-01-11T06:00:00', "no span of its"),
    (LOGGING, "per_day = 6.0\n", "", "'watch': more logging needs 'per_day' above 0"),
    (LOGGING, "per_day = 6.0", "per_day = 6.0\nramp = true", "and has no 'ramp'"),
    (LOGGING, 'package = "line-watch"\n', "", "'watch': give either 'start' or 'start_between'"),
    (LOGGING, '"not_supported"', '"supported"', "nothing breaks in a world with more logging"),
    (LOGGING, 'kind = "application"', 'kind = "app"', "package 'line-watch': kind: 'app' is not"),
    (WITH_AGENT, 'also = ["line-watch"]', "also_share = 0.5", "act 1: also_share needs packages"),
    (WITH_AGENT, '["line-watch"]', '["line-watch"], also_share = 7.0', "also_share: 7.0 is"),
    (TEXT, 'status = "supported"', 'status = "supported"\ncompeting = ["rain"]', "'rain' is not"),
    (TEXT, 'status = "supported"', 'status = "supported"\nalso_right = ["no"]', "also_right: 'no'"),
    (TEXT, 'status = "supported"', 'status = "supported"\nknown_from = -1', "not -1"),
    (TEXT, "noise = 0.1", "baseline_between = [0.2, 0.1]", "baseline_between: the first value"),
    (TEXT, "noise = 0.1", "baseline_between = [0.0, 0.1]", "must be above 0 and below 1"),
    (TEXT, "noise = 0.1", "baseline_between = [0.1, 1.0]", "must be above 0 and below 1"),
    (TEXT, "noise = 0.1", "sessions_between = [0.0, 3.0]", "sessions_between: both values must be"),
]  # fmt: skip
DEFECTS = [
    ('kind = "missing"', "give either 'host', a name, or 'hosts', a pattern"),
    ('host = "WS0001"\nhosts = "WS*"\nkind = "missing"', "give either 'host', a name, or"),
    ('hosts = "XX*"\nkind = "missing"', r"defect 1 \(missing of XX\*\): no host's name fits"),
    ('host = "WS9999"\nkind = "missing"', "host: 'WS9999' is not one of"),
    ('host = "WS0001"\nkind = "missing"\nshare = 0.5', "'share' goes with 'hosts', a pattern"),
    ('hosts = "WS*"\nkind = "missing"\nshare = 1.5', "share: 1.5 is not a probability"),
    ('hosts = "WS*"\nkind = "stale_dump"', "'stale_dump' needs 'at' or 'at_between'"),
    ('hosts = "WS*"\nkind = "wrong_dump"', "'wrong_dump' needs 'minutes' other than 0"),
    ('host = "BER-B0001"\nkind = "stale"', "kind: 'stale' is not one of rolled"),
    (
        f'hosts = "*"\nkind = "rolled"\nat = 2022-01-10T00:00:00\n{DRAWN}',
        "give either 'at' or 'at_between'",
    ),
    (
        f'hosts = "*"\nkind = "clock"\nminutes = 5.0\nuntil = 2022-01-09T12:00:00\n{DRAWN}',
        "'until' must be later than its beginning",
    ),
]


@pytest.mark.parametrize(("text", "old", "new", "message"), MISTAKES)
def test_load_scenario_says_what_is_wrong_with(tmp_path, text, old, new, message):
    with pytest.raises(ScenarioError, match=message):
        scenario_of(tmp_path, changed(text, old, new))


@pytest.mark.parametrize(("defect", "message"), DEFECTS)
def test_load_scenario_says_what_is_wrong_with_a_defect(tmp_path, defect, message):
    with pytest.raises(ScenarioError, match=message):
        scenario_of(tmp_path, with_defect(TEXT, defect))


def test_a_named_host_must_hand_over_what_the_defect_is_one_of(tmp_path):
    text = changed(TEXT, 'prefix = "WS"\n', 'prefix = "WS"\ndumps = ["wmic_csv"]\n')
    defect = 'host = "WS0001"\nkind = "wrong_dump"\nminutes = 60.0'
    with pytest.raises(ScenarioError, match="no update history among its dumps"):
        scenario_of(tmp_path, with_defect(text, defect))
    drawn = changed(defect, 'host = "WS0001"', 'hosts = "WS*"')
    world = world_of(tmp_path, with_defect(text, drawn))
    assert not any(host.defects for host in world.hosts)


def test_a_pattern_may_fit_no_host_of_a_smaller_fleet(tmp_path):
    text = with_defect(TEXT, 'hosts = "BER-A*"\nkind = "missing"\nlog = "Setup"')
    assert any(h.defects for h in world_of(tmp_path, text).hosts)
    assert not any(h.defects for h in world_of(tmp_path, text, hosts=3).hosts)
