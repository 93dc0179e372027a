"""What a state means where everything is known: which logs can tell it, and when a cure is seen.

The states are held against a twin that walks through the hours step by step.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from simulated import changed, world_of, written
from simulated_outage import CALM, HEAD, USERS

from kitlib.simulate import world as worlds
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.truth import truth
from kitlib.simulate.world import grow

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


def told(world):
    return {host["host"]: host for host in truth(world, written(world))["hosts"]}


def statuses(world, letter):
    return {host["status"] for name, host in told(world).items() if letter in name}


def rolled(text, at, *, hosts="*", kind="rolled"):
    return f'{text}\n[[defect]]\nhosts = "{hosts}"\nkind = "{kind}"\nat = {at}\n'


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
