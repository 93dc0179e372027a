"""What a scenario has done to hosts and lines shows in the world, in the logs and in the truth."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from simulated import changed, records, scenario_of, told_by, truth_of, world_of
from simulated_fleet import WITH_AGENT
from simulated_three_hosts import SMALL, scenario_file, small

from kitlib.simulate.deeds import perform
from kitlib.simulate.fleet import load_scenario
from kitlib.simulate.world import grow


def test_reimaging_begins_the_logs_anew_at_record_1(tmp_path):
    act = '{ do = "reimage", revision = 1469, at = 2022-01-17T10:00:00, reboot = "at once" },\n]'
    text = SMALL.replace(']\n[[host]]\nnames = ["PC-C"]', act + '\n[[host]]\nnames = ["PC-C"]')
    assert text != SMALL
    rows = records(small(tmp_path, text) / "PC-A" / "System.evtx")
    assert rows[0][0] == 1
    assert rows[0][1] > datetime(2022, 1, 17, tzinfo=UTC)


def test_a_workaround_ends_the_failures_without_a_change_of_build(tmp_path):
    text = SMALL.replace(
        '{ do = "install", revision = 1469, at = 2022-01-18T10:00:00 }',
        '{ do = "workaround", by = "library", at = 2022-01-17T12:00:00 }',
    )
    out = small(tmp_path, text)
    host = truth_of(told_by(out), "PC-A")
    assert (host["status"], host["recovered_by"]) == ("workaround_only", "other")
    assert host["revision"] == 1466
    services = [r[5]["param1"] for r in records(out / "PC-A" / "System.evtx") if r[3] == 7036]
    assert "IKE and AuthIP IPsec Keying Modules" in services


def test_an_install_that_fails_first_is_logged_as_failed_and_dumped_as_failed(tmp_path):
    text = SMALL.replace(
        "at = 2022-01-12T10:00:00 }", "at = 2022-01-13T10:00:00, fails_first = 2 }"
    )
    out = small(tmp_path, text)
    rows = records(out / "PC-A" / "System.evtx")
    failed = [r for r in rows if r[3] == 20 and r[2].endswith("WindowsUpdateClient")]
    assert [r[5]["errorCode"] for r in failed] == ["0x80248007", "0x80248007"]
    rows = json.loads((out / "PC-A" / "wu.json").read_bytes().decode("utf-8-sig"))
    assert [row["hresult"] for row in rows if row["ResultCode"] == 4] == ["0x80248007"] * 2


def test_a_package_can_be_the_guilty_change(tmp_path):
    text = SMALL.replace(
        'carrier = [{ branch = "win10-21h2", first = 1466, fixed = 1469 }]',
        'package = "netdriver"',
    ).replace(
        '{ do = "install", revision = 1466, at = 2022-01-12T10:00:00 }',
        '{ do = "install", package = "netdriver", at = 2022-01-12T10:00:00 }',
    )
    driver = (
        '[[package]]\nname = "netdriver"\nkind = "driver"\ntitle = "Kontor - Net - 12.19.1.37"\n'
    )
    told = told_by(small(tmp_path, text + driver))
    assert told["verdict"]["changes"] == ["Kontor - Net - 12.19.1.37"]
    assert truth_of(told, "PC-A")["status"] == "still_failing"
    assert truth_of(told, "PC-C")["status"] == "not_affected"


def test_a_gateway_failure_drops_the_sessions_that_are_up(tmp_path):
    text = SMALL.replace(
        'kind = "change"\ncodes = { 789 = 1.0 }\n'
        'carrier = [{ branch = "win10-21h2", first = 1466, fixed = 1469 }]',
        'kind = "world"\ncodes = { 809 = 1.0 }\nstart = 2022-01-12T11:00:00\n'
        "end = 2022-01-13T12:00:00",
    )
    world = grow(load_scenario(scenario_file(tmp_path, text)), seed=4)
    drop = datetime(2022, 1, 12, 10, tzinfo=UTC)
    for host in world.hosts:
        for attempt in host.attempts:
            if attempt.end and attempt.start < drop < attempt.end + timedelta(seconds=5):
                assert attempt.end <= drop


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
