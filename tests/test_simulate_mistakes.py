"""What is wrong with a scenario is said, with the place where it stands."""

from __future__ import annotations

import pytest
from simulated import changed, scenario_of, world_of
from simulated_fleet import CALM, LOGGING, OUTAGE, TEXT, WITH_AGENT, with_defect
from simulated_three_hosts import SMALL, scenario_file

from kitlib.errors import UsageError
from kitlib.simulate.declared import ScenarioError
from kitlib.simulate.fleet import load_scenario


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("zone = ", "zonne = ", r"window: unknown key 'zonne' \(did you mean 'zone'\?\)"),
        ("[habits]", "[habits]\nsessions = 2.0", "habits: unknown key 'sessions'"),
        ('status = "supported"', 'status = "guilty"', "verdict: status: 'guilty' is not one of"),
        ('netbios = "KONTOR"\n', "", "office: key 'netbios' is missing"),
        ("revision = 1415", "revision = 1416", "revision: '1416' is not one of 1348, 1415"),
        ('branch = "win10-21h2"\nrevision', 'branch = "xp"\nrevision', "'xp' is not one of"),
        ('do = "install"', 'do = "instal"', "do: 'instal' is not one of install"),
        ("use_probability = 1.0", 'use_probability = "often"', "wanted a number, found 'often'"),
        ('names = ["PC-C"]', 'names = ["PC-A"]', "host 'PC-A' appears twice"),
        ("codes = { 789 = 1.0 }", "codes = { ike = 1.0 }", "key 'ike' must be a number"),
        ('use = ["january-2022"]', 'use = ["may-2031"]', "use: there is no 'may-2031'"),
        ("[office]", "[office", "is not TOML"),
        ("carrier =", "carriers =", r"write \[\[carrier\]\], not 'carriers'"),
        ('[[host]]\nnames = ["PC-C"]', "[[host]]\nnames = []", "give 'names', or 'prefix'"),
    ],
)
def test_load_scenario_says_what_is_wrong(tmp_path, old, new, message):
    assert old in SMALL
    with pytest.raises(ScenarioError, match=message):
        load_scenario(scenario_file(tmp_path, SMALL.replace(old, new)))


def test_load_scenario_names_the_known_ones_for_an_unknown_name():
    with pytest.raises(UsageError, match="founding-office"):
        load_scenario("founding-ofice")


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
