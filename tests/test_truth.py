"""Claims about ``truth.json``: what a state means where everything is known, and what chance does.

The states are held against a twin that asks minute by minute; sessions against many more lives.
"""

from __future__ import annotations

import dataclasses
import statistics
from datetime import datetime, timedelta

import pytest

from kitlib.simulate import world as worlds
from kitlib.simulate.background import background_notes
from kitlib.simulate.logs import write_logs
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.truth import truth
from kitlib.simulate.world import grow

HEAD = """
schema = "kitlib.scenario/1"
title = "two weeks"
incident = "vpn-outage"
use = ["january-2022"]
fleet = 9
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
status = "not_supported"
[habits]
use_probability = 1.0
sessions_per_day = 3.0
noise = 0.1
"""
OUTAGE = """
[[fault]]
name = "outage"
kind = "world"
codes = { 809 = 1.0 }
start = 2022-01-11T00:00:00
end = 2022-01-13T00:00:00
"""
USERS = """
[[host]]
prefix = "{site}-A"
part = 0.6
branch = "win10-21h2"
revision = 1415
[[host]]
prefix = "{site}-N"
part = 0.4
branch = "win10-21h2"
revision = 1415
habits = { vpn = false }
"""
CALM = HEAD + OUTAGE + USERS
DOMAIN = CALM.replace("[verdict]", "group_policy = true\n[verdict]")
AWAY = 'act = [{ do = "away", at = 2022-01-10T00:00:00, until = 2022-01-14T00:00:00 }]\n'
"""Nobody of the first group is at work in the outage."""
GUILTY = """
[[fault]]
name = "ipsec"
kind = "change"
codes = { 789 = 1.0 }
carrier = [{ branch = "win10-21h2", first = 1466 }]
"""
PATCHED = """
[[host]]
prefix = "P"
part = 0.5
branch = "win10-21h2"
revision = 1415
act = [{ do = "install", revision = 1466, at = 2022-01-12T10:00:00, reboot = "at once" }]
"""
BLAMED = HEAD.replace('"not_supported"', '"supported"') + GUILTY + PATCHED + USERS


def world_of(folder, text, *, seed=1, hosts=None):
    path = folder / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    return grow(load_scenario(path, hosts), seed=seed)


def written(world):
    return {host.name: list(write_logs(world, host)) for host in world.hosts}


def told(world):
    return {host["host"]: host for host in truth(world, written(world))["hosts"]}


def statuses(world, letter):
    return {host["status"] for name, host in told(world).items() if letter in name}


def rolled(text, at, *, hosts="*", kind="rolled"):
    return f'{text}\n[[defect]]\nhosts = "{hosts}"\nkind = "{kind}"\nat = {at}\n'


def changed(text, old, new):
    assert old in text
    return text.replace(old, new)


# The log must reach the time that matters -------------------------------------------------------

BEGINS = [
    ("2022-01-05T00:00:00", "recovered", "not_affected"),
    ("2022-01-11T14:00:00", "recovered", "not_affected"),
    ("2022-01-12T06:00:00", "recovered", "no_data"),
    ("2022-01-14T06:00:00", "no_data", "no_data"),
]


@pytest.mark.parametrize("kind", ["rolled", "cleared"])
@pytest.mark.parametrize(("begins", "users", "others"), BEGINS)
def test_a_log_that_begins_after_the_outage_cannot_tell(kind, begins, users, others, tmp_path):
    """Who tried shows the outage as soon as one try of it is kept; who did not, with most of it."""
    world = world_of(tmp_path, rolled(CALM, begins, kind=kind))
    assert statuses(world, "-A") == {users}
    assert statuses(world, "-N") == {others}


def test_a_log_that_is_not_there_cannot_tell(tmp_path):
    gone = f'{CALM}\n[[defect]]\nhosts = "*"\nkind = "missing"\n'
    assert statuses(world_of(tmp_path, gone), "") == {"no_data"}


def test_who_was_away_during_the_outage_was_not_affected_if_his_log_shows_that(tmp_path):
    away = changed(CALM, "revision = 1415\n[[host]]", f"revision = 1415\n{AWAY}[[host]]")
    assert statuses(world_of(tmp_path, away), "-A") == {"not_affected"}
    late = rolled(away, "2022-01-12T06:00:00")
    assert statuses(world_of(tmp_path, late), "-A") == {"no_data"}


def test_a_host_of_another_site_is_asked_for_the_time_of_the_outage_too(tmp_path):
    site = changed(CALM, 'kind = "world"', 'kind = "world"\nsites = ["HAM"]')
    late = world_of(tmp_path, rolled(site, "2022-01-14T06:00:00"))
    assert statuses(late, "-A") == {"no_data"}
    early = told(world_of(tmp_path, rolled(site, "2022-01-08T06:00:00")))
    assert {(n[:3], h["status"]) for n, h in early.items() if "-A" in n} == {
        ("BER", "not_affected"), ("HAM", "recovered"), ("MUC", "not_affected")
    }  # fmt: skip


def test_a_host_with_a_spell_of_its_own_is_asked_for_that(tmp_path):
    """Its log holds the others' spells, which say nothing of it."""
    own = changed(CALM, "start = 2022-01-11T00:00:00\nend = 2022-01-13T00:00:00",
                  "own = true\nstart_between = [2022-01-04T00:00:00, 2022-01-18T00:00:00]\n"
                  "lasts_hours = [30.0, 40.0]")  # fmt: skip
    world = world_of(tmp_path, rolled(own, "2022-01-12T06:00:00"), hosts=40)
    ends = {h.name: h.broken[0][1] for h in world.hosts if "-A" in h.name}
    begins = world.window.utc(datetime(2022, 1, 12, 6))
    early = {told_of["status"] for name, told_of in told(world).items()
             if name in ends and ends[name] < begins}  # fmt: skip
    assert sum(end < begins for end in ends.values()) >= 5
    assert early == {"no_data"}


def test_where_nothing_happens_any_log_with_a_try_tells_that(tmp_path):
    quiet = HEAD + USERS
    world = world_of(tmp_path, rolled(quiet, "2022-01-19T06:00:00"))
    assert statuses(world, "-A") == {"not_affected"}
    assert statuses(world, "-N") == {"no_data"}


def test_in_a_guilty_world_the_patched_are_asked_for_the_change_and_the_others_for_the_trouble(
    tmp_path,
):
    early = world_of(tmp_path, rolled(BLAMED, "2022-01-10T06:00:00"))
    late = world_of(tmp_path, rolled(BLAMED, "2022-01-19T06:00:00"))
    assert (statuses(early, "P"), statuses(late, "P")) == ({"still_failing"}, {"still_failing"})
    assert (statuses(early, "-A"), statuses(late, "-A")) == ({"not_affected"}, {"not_affected"})
    assert (statuses(early, "-N"), statuses(late, "-N")) == ({"not_affected"}, {"no_data"})
    fixed = changed(BLAMED, "first = 1466", "first = 1466, fixed = 1469")
    fixed = changed(fixed, 'reboot = "at once" }]', 'reboot = "at once" }, '
                    '{ do = "install", revision = 1469, at = 2022-01-18T10:00:00, reboot = "at once" }]')  # fmt: skip
    over = world_of(tmp_path, rolled(fixed, "2022-01-19T06:00:00"))
    assert {statuses(over, letter).pop() for letter in ("P", "-A", "-N")} == {"no_data"}


def test_an_agents_dials_do_not_show_how_the_user_fared(tmp_path):
    """The dials stand in the log of the last days, the user was away: most of the time is lost."""
    agent = """
[[fault]]
name = "watch"
kind = "logged"
codes = { 812 = 1.0 }
per_day = 6.0
start = 2022-01-03T06:00:00
end = 2022-01-21T18:00:00
"""
    still = changed(CALM, "use_probability = 1.0", "vpn = true\nuse_probability = 0.0")
    world = world_of(tmp_path, rolled(still + agent, "2022-01-12T06:00:00"))
    assert statuses(world, "-A") == {"no_data"}


def minutes(spans, step=timedelta(minutes=10)):
    for low, high in spans:
        time = low
        while time < high:
            yield time
            time += step


def naive_no_data(world, host, logs):
    """Walk through the time that matters step by step, with what the logs keep in hand."""
    names = {fault.name for fault in world.scenario.main_faults}
    own = [(a, b) for a, b, name in host.broken if name in names]
    fleet = [(a, b) for h in world.hosts for a, b, name in h.broken if name in names]
    matters = list(host.exposures) or own or fleet or [(world.start, world.end)]
    (log,) = (log for log in logs if log.name == "Application")
    tried = [
        number for number, a in enumerate(host.attempts)
        if a.outcome != "cancelled" and any(low <= a.start < high for low, high in matters)
    ]  # fmt: skip
    if tried:
        return not any(number in log.visible for number in tried)
    times = set(minutes(matters))
    return sum(bool(log.begins) and time >= log.begins for time in times) <= len(times) / 2


@pytest.mark.parametrize("name", ["innocent-rolled", "partial-logs", "reimaged"])
def test_no_data_is_what_a_walk_through_the_hours_finds(name, monkeypatch):
    monkeypatch.setattr(worlds, "FAMILY_LIVES", 1)
    world = grow(load_scenario(name, 24), seed=3)
    logs = written(world)
    found = {h["host"] for h in truth(world, logs)["hosts"] if h["status"] == "no_data"}
    assert found == {h.name for h in world.hosts if naive_no_data(world, h, logs[h.name])}
    assert found


# Who has recovered ------------------------------------------------------------------------------


def late_outage(more):
    text = changed(CALM, "codes = { 809 = 1.0 }", "codes = { 809 = 1.0 }\nprobability = 0.5")
    return changed(text, "start = 2022-01-11T00:00:00\nend = 2022-01-13T00:00:00", more)


def test_the_end_of_a_spell_of_its_own_must_be_seen_on_the_host_itself(tmp_path):
    """Everybody shows that an outage of all is over: there one success is enough."""
    span = "start_between = [2022-01-19T06:00:00, 2022-01-20T06:00:00]\nlasts_hours = [12.0, 30.0]"
    for more, doubtful in ((span, False), (f"own = true\n{span}", True)):
        world = world_of(tmp_path, late_outage(more), hosts=60)
        cured = [h for h in told(world).values() if h["cured_at"] and h["successes_since_cure"]]
        unsure = [h for h in cured if h["oracle_confidence"] < 0.95]
        assert unsure
        assert {h["status"] for h in unsure} == {"unconfirmed" if doubtful else "recovered"}
        assert {h["status"] for h in cured if h not in unsure} <= {"recovered"}


# What chance has a say in -----------------------------------------------------------------------


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


# What a host has of its own ---------------------------------------------------------------------

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


# Group Policy -----------------------------------------------------------------------------------


def policy(world):
    """What background records hold of Group Policy: host → (kind, day in UTC) of each refresh."""
    return {
        host.name: [
            (n.kind, n.time.date())
            for n in background_notes(world, host)
            if n.kind.startswith("policy")
        ]
        for host in world.hosts
    }


def test_only_an_office_that_says_so_has_group_policy(tmp_path):
    assert not any(policy(world_of(tmp_path, CALM)).values())
    world = world_of(tmp_path, DOMAIN)
    assert all(len(notes) > 20 for notes in policy(world).values())
    assert [h.attempts for h in world.hosts] == [h.attempts for h in world_of(tmp_path, CALM).hosts]


def test_news_of_a_policy_reaches_all_hosts_and_other_worlds_on_other_days(tmp_path):
    """A host that sleeps or is off gets it with its next refresh."""
    days = []
    for seed in range(8):
        found = policy(world_of(tmp_path, DOMAIN, seed=seed)).values()
        news = [{day for kind, day in notes if kind == "policy_new"} for notes in found]
        assert len({len(own) for own in news}) == 1, "as many on every host"
        days.append(frozenset(min(own) for own in news if own))
        assert all(max(d) - min(d) <= timedelta(days=3) for d in days if d)
    assert len(set(days)) >= 4
