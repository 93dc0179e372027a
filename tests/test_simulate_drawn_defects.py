"""Defects of evidence that are drawn: which hosts of a pattern are hit, when, and what is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from simulated import changed, file_of, scenario_of, told, world_of
from simulated_fleet import TEXT, by_name, with_defect

from kitlib.simulate.declared import ScenarioError
from kitlib.simulate.fleet import simulate
from kitlib.simulate.logs import write_logs
from kitlib.simulate.mishaps import defects_of
from kitlib.simulate.updates import fixes, history

A = 12
"""Hosts of the first group of a fleet of 24."""


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
