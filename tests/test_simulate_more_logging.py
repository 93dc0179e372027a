"""An agent that dials in vain fills the logs and costs nobody anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from simulated import changed, file_of, told, world_of
from simulated_fleet import GUILTY, LOGGED, LOGGING, WITH_AGENT, by_name, ras_failures

from kitlib.simulate.fleet import simulate


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
