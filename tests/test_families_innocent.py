"""Families in which no change is guilty: each has the outage, trend or habit that its name says.

Worlds are grown without files: what was done to the hosts and which tries failed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from simulated_families import (
    controls,
    days_patched,
    dialling,
    failed,
    growing,
    hours,
    local,
    patched,
    rate,
    spans,
    spell,
    tries,
)


@pytest.fixture(scope="module")
def grown():
    with growing() as get:
        yield get


OUTAGES = (
    ("gateway-outage", "gateway_outage", 24, 72),
    ("outage-on-patch-day", "gateway_outage", 12, 14),
    ("innocent-duplicates", "gateway_outage", 24, 72),
    ("innocent-clocks", "gateway_outage", 24, 72),
    ("innocent-rolled", "gateway_outage", 24, 72),
    ("innocent-dst", "gateway_outage", 94, 110),
    ("innocent-big-bang", "gateway_outage", 36, 72),
    ("certificate-expiry", "certificate_expired", 24, 72),
    ("named-innocent", "wrong_key", 24, 48),
    ("two-outages", "first_outage", 20, 34),
    ("two-outages", "second_outage", 20, 34),
    ("outage-to-the-end", "gateway_outage", 190, 230),
)


@pytest.mark.parametrize(("name", "fault", "least", "most"), OUTAGES)
def test_an_outage_spares_no_host(name, fault, least, most, grown):
    world = grown(name)
    low, high = spell(world, fault)
    assert least <= hours((low, high)) <= most
    assert all(a.outcome != "success" for h in world.hosts for a in tries(h, low, high))
    assert sum(bool(failed(host, fault)) for host in world.hosts) >= 0.8 * len(dialling(world))


@pytest.mark.parametrize(("name", "fault"), [row[:2] for row in OUTAGES])
def test_an_outage_lies_inside_the_rollout(name, fault, grown):
    world = grown(name)
    low, _ = spell(world, fault)
    times = [patched(world, host) for host in world.hosts]
    before = sum(time is not None and time < low for time in times)
    after = sum(time is None or time > low for time in times)
    assert before >= 5
    assert name == "innocent-big-bang" or after >= 15


def test_quiet_nothing_fails_but_by_ordinary_chance(grown):
    world = grown("quiet")
    assert not world.scenario.faults
    assert rate(world.hosts, world.start, world.end) < 0.04
    assert len(days_patched(world)) >= 3


def test_site_outage_hits_one_site_in_every_group(grown):
    world = grown("site-outage")
    low, high = spell(world, "line_of_hamburg")
    hit = {host.name for host in world.hosts if failed(host, "line_of_hamburg")}
    assert 48 <= hours((low, high)) <= 96
    assert {name.partition("-")[0] for name in hit} == {"HAM"}
    assert {name.partition("-")[2][0] for name in hit} == set("ABCKL")


def test_site_outage_hits_controls_and_patched_hosts_of_a_small_fleet(grown):
    world = grown("site-outage", 12)
    hit = [host for host in world.hosts if failed(host, "line_of_hamburg")]
    assert {patched(world, host) is None for host in hit} == {True, False}


@pytest.mark.parametrize(
    ("name", "fault", "low", "high"),
    [
        ("provider-outage", "provider_outage", 0.25, 0.45),
        ("password-change", "old_password", 0.3, 0.5),
    ],
)
def test_a_part_of_the_hosts_is_hit_patched_or_not(name, fault, low, high, grown):
    world = grown(name, 200)
    hit = [host for host in dialling(world) if any(f == fault for _, _, f in host.broken)]
    assert low <= len(hit) / len(dialling(world)) <= high
    share = sum(patched(world, host) is not None for host in hit) / len(hit)
    everywhere = [patched(world, host) is not None for host in dialling(world)]
    assert abs(share - sum(everywhere) / len(everywhere)) < 0.2


def test_password_change_each_host_has_its_own_spell_from_the_morning_after_the_patch(grown):
    world = grown("password-change")
    found = spans(world, "old_password")
    assert len(found) > 10
    assert all(2 <= hours(span) <= 48 for span in found)
    assert {world.window.local(low).date() for low, _ in found} == {datetime(2022, 1, 12).date()}
    assert {a.code for host in world.hosts for a in failed(host, "old_password")} == {691}


def test_two_outages_each_follow_a_wave(grown):
    world = grown("two-outages")
    starts = sorted(spell(world, fault)[0] for fault in ("first_outage", "second_outage"))
    waves = sorted({time for host in dialling(world) if (time := patched(world, host))})
    for start in starts:
        assert any(timedelta(0) < start - wave < timedelta(hours=12) for wave in waves)


def test_outage_to_the_end_nobody_comes_back(grown):
    world = grown("outage-to-the-end")
    assert spell(world, "gateway_outage")[1] == world.end


def test_trend_gets_worse_from_week_to_week_for_controls_too(grown):
    world = grown("trend")
    week = timedelta(weeks=1)
    assert rate(world.hosts, world.start, world.start + week) < 0.1
    assert 0.25 < rate(world.hosts, world.end - week, world.end) < 0.45
    assert 0.2 < rate(controls(world), world.end - week, world.end) < 0.5


def test_holidays_hardly_anybody_dials_while_the_update_rolls_out(grown):
    world = grown("holidays")
    low, high = local(world, 2021, 12, 24), local(world, 2022, 1, 1)
    busy = len(
        [a for host in world.hosts for a in tries(host, world.start, world.start + (high - low))]
    )
    assert sum(len(tries(host, low, high)) for host in world.hosts) < busy / 3
    slow = spell(world, "slow_line")
    assert 0.1 < rate(world.hosts, *slow) < 0.25
    assert 0.05 < rate(controls(world), *slow) < 0.3
    assert rate(world.hosts, world.start, slow[0]) < 0.05


def test_certificate_expiry_shows_certificate_codes_only(grown):
    world = grown("certificate-expiry")
    codes = {a.code for host in world.hosts for a in failed(host, "certificate_expired")}
    assert codes == {835, 13801}


def test_own_spells_a_sixth_of_the_hosts_has_a_week_of_its_own(grown):
    world = grown("own-spells", 200)
    found = [host for host in world.hosts if host.broken]
    assert 0.09 <= len(found) / 200 <= 0.27
    assert len(spans(world, "bad_week")) == len(found)
    assert all(96 <= hours(span) <= 168 for span in spans(world, "bad_week"))


def test_sick_hosts_fail_half_of_the_time_before_and_after(grown):
    world = grown("sick-hosts")
    sick = [host for host in world.hosts if host.name.partition("-")[2].startswith("P")]
    others = [host for host in dialling(world) if host not in sick]
    assert 0.1 <= len(sick) / 60 <= 0.15
    day = local(world, 2022, 1, 12)
    for low, high in ((world.start, day), (day, world.end)):
        assert 0.4 < rate(sick, low, high) < 0.6
        assert rate(others, low, high) < 0.05


def test_more_logging_users_lose_nothing(grown):
    world = grown("more-logging")
    with_agent = [h for h in dialling(world) if "line-watch" in h.deeds.packages(world.end)]
    day, week = local(world, 2022, 1, 14), timedelta(days=14)
    assert len(with_agent) >= 20
    assert rate(with_agent, day, day + week) > 0.5
    assert all(not host.broken for host in world.hosts)

    def sessions(low):
        return sum(a.outcome == "success" for h in with_agent for a in tries(h, low, low + week))

    assert abs(sessions(day) / sessions(local(world, 2021, 12, 13) - timedelta(0)) - 1) < 0.35


def test_weak_gateway_drops_a_third_for_a_week(grown):
    world = grown("weak-gateway")
    low, high = spell(world, "weak_gateway")
    assert 150 <= hours((low, high)) <= 190
    assert 0.25 < rate(world.hosts, low, high) < 0.45
    assert 0.2 < rate(controls(world), low, high) < 0.5
    assert rate(world.hosts, high, world.end) < 0.06


def test_slow_gateway_drops_one_try_in_seven_of_everybody_most_of_all_of_who_failed_least(grown):
    world = grown("slow-gateway")
    low, high = spell(world, "weak_gateway")
    assert 290 <= hours((low, high)) <= 340
    assert low < min(t for h in world.hosts if h.name[4] == "B" and (t := patched(world, h)))
    first = [host for host in world.hosts if host.name[4] == "A"]
    for group, before, under in ((first, (0.15, 0.4), (0.25, 0.5)), (controls(world), (0, 0.03), (0.08, 0.25))):  # fmt: skip
        assert before[0] <= rate(group, world.start, low) <= before[1]
        assert under[0] <= rate(group, low, high) <= under[1]
        assert rate(group, high, world.end) < rate(group, low, high)


def test_sites_in_turn_each_site_fails_hours_after_its_patch_patched_or_not(grown):
    for size in (12, 60):
        world = grown("sites-in-turn", size)
        for site, fault in (("BER", "berlin"), ("HAM", "hamburg"), ("MUC", "munich")):
            low, high = spell(world, f"line_of_{fault}")
            here = [host for host in dialling(world) if host.name.startswith(site)]
            times = [time for host in here if (time := patched(world, host))]
            lag = [hours((time, low)) for time in times]
            assert sum(0 < hour < 24 for hour in lag) >= 0.8 * len(lag)
            assert 24 <= hours((low, high)) <= 48
            hit = [host for host in here if failed(host, f"line_of_{fault}")]
            assert {patched(world, host) is None for host in hit} == {True, False}
            assert all(a.outcome != "success" for host in here for a in tries(host, low, high))
            rest = [host for host in world.hosts if host not in here]
            assert not any(failed(host, f"line_of_{fault}") for host in rest)
            since = [patched(world, host) for host in rest]
            assert site == "MUC" or any(time is None or time > high for time in since)


def test_innocent_dst_and_dst_change_lie_across_the_change_of_clocks(grown):
    shift = datetime(2022, 3, 13, 7, tzinfo=UTC)
    low, high = spell(grown("innocent-dst"), "gateway_outage")
    assert low < shift < high
    times = [time for h in grown("dst-change").hosts if (time := patched(grown("dst-change"), h))]
    assert min(times) < shift < max(times)
    window = grown("dst-change").window
    assert {window.offset(window.start), window.offset(window.end)} == {
        timedelta(hours=-5),
        timedelta(hours=-4),
    }
