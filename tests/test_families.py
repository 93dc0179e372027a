"""Claims about the families of the benchmark: each is what its name and its first comment say.

Most claims are about the world, grown without files: what was done to the hosts and which tries
failed. Claims about hosts' statuses need the logs, so a few worlds are written as well (in memory).
Every claim is checked on one seed; where chance has a say, in a fleet large enough for its bounds.
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest

from kitlib.schema import STATUSES
from kitlib.simulate import world as worlds
from kitlib.simulate.logs import write_logs
from kitlib.simulate.scenario import HERE, list_scenarios, load_scenario
from kitlib.simulate.truth import truth
from kitlib.simulate.world import grow

SEED = 1


def _families():
    for name in list_scenarios():
        table = tomllib.loads((HERE / "scenarios" / f"{name}.toml").read_text("utf-8"))
        if table.get("family"):
            yield name


FAMILIES = tuple(_families())
TABLES = {
    name: tomllib.loads((HERE / "scenarios" / f"{name}.toml").read_text("utf-8"))
    for name in FAMILIES
}
INNOCENT = tuple(n for n in FAMILIES if TABLES[n]["verdict"]["status"] == "not_supported")
GUILTY = tuple(n for n in FAMILIES if n not in INNOCENT)
NO_CONTROLS = {"big-bang-reversal", "one-night", "innocent-big-bang"}
FEW_EXPOSED = {"small-share-patched"}


@pytest.fixture(scope="module")
def grown():
    """Worlds by family and size. The sessions expected without the fault (slow) are not asked."""
    kept = {}

    def get(name, hosts=60):
        if (name, hosts) not in kept:
            kept[name, hosts] = grow(load_scenario(name, hosts), seed=SEED)
        return kept[name, hosts]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "FAMILY_LIVES", 1)
        yield get


# ---------------------------------------------------------------- what was done, who failed


def patched(world, host):
    """When a host first ran the update that is under suspicion, or a later one."""
    suspect = _suspect(world, host)
    boots = [b.start for b in host.deeds.boots if b.revision >= suspect]
    return boots[0] if boots else None


def _suspect(world, host):
    """The first update that came out in or after the month the family is about."""
    since = _patch_day(world)
    return next(r.number for r in host.branch.revisions if r.released >= since)


def _patch_day(world):
    dates = sorted({r.released for b in world.scenario.branches for r in b.revisions})
    wanted = {"holidays": (2021, 12, 14), "dst-change": (2022, 3, 8), "innocent-dst": (2022, 3, 8)}
    year, month, day = wanted.get(world.scenario.name, (2022, 1, 11))
    return next(d for d in dates if (d.year, d.month, d.day) >= (year, month, day))


def days_patched(world):
    times = [patched(world, host) for host in world.hosts]
    return {world.window.local(time).date() for time in times if time}


def dialling(world):
    return [host for host in world.hosts if host.host.habits.vpn]


def controls(world):
    """Hosts that use the VPN and never get the suspected update, nor the guilty change."""
    return [h for h in dialling(world) if patched(world, h) is None and not h.exposures]


def tries(host, low, high):
    return [a for a in host.attempts if low <= a.start < high and a.outcome != "cancelled"]


def failed(host, *faults):
    return [a for a in host.attempts if a.fault in faults]


def rate(hosts, low, high):
    """Share of the hosts' tries that failed between two times."""
    found = [a for host in hosts for a in tries(host, low, high)]
    return sum(a.outcome == "failure" for a in found) / len(found)


def spans(world, fault):
    return {(low, high) for h in world.hosts for low, high, name in h.broken if name == fault}


def spell(world, fault):
    """Beginning and end of a fault that all its hosts have at the same time."""
    (span,) = spans(world, fault)
    return span


def hours(span):
    return (span[1] - span[0]) / timedelta(hours=1)


def local(world, *parts):
    return world.window.utc(datetime(*parts))


def removals(world):
    return [
        (host, change)
        for host in world.hosts
        for change in host.deeds.changes
        if change.do == "uninstall"
    ]


def told(world):
    return truth(world, {host.name: list(write_logs(world, host)) for host in world.hosts})


def statuses(world):
    return Counter(host["status"] for host in told(world)["hosts"])


# -------------------------------------------------------------------------- all families


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


# --------------------------------------------------------- families in which nothing is guilty

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


# ------------------------------------------------------------- families in which one is guilty


@pytest.mark.parametrize(
    "name", ["rings", "rolled-logs", "partial-logs", "named-incident", "intermittent", "dst-change"]
)
def test_rings_are_patched_on_at_least_three_days(name, grown):
    assert len(days_patched(grown(name))) >= 3


@pytest.mark.parametrize("name", sorted(set(GUILTY) - {"guilty-and-outage"}))
def test_controls_never_fail_but_by_ordinary_chance(name, grown):
    world = grown(name)
    free = [host for host in dialling(world) if not host.exposures]
    assert name in NO_CONTROLS or len(free) >= 12
    assert not [a for host in free for a in host.attempts if a.fault]


@pytest.mark.parametrize("name", ["big-bang-reversal", "one-night", "innocent-big-bang"])
def test_a_big_bang_leaves_no_control(name, grown):
    world = grown(name)
    times = [patched(world, host) for host in world.hosts]
    assert None not in times
    assert max(times) - min(times) < timedelta(hours=6)


def test_big_bang_reversal_a_third_removes_it_on_different_days(grown):
    world = grown("big-bang-reversal")
    found = removals(world)
    assert 0.25 <= len(found) / 60 <= 0.42
    assert len({world.window.local(change.begun).date() for _, change in found}) >= 3
    assert 5 <= sum(len(host.exposures) > 1 for host in world.hosts) <= 10, "some get it back"


def test_one_night_nothing_is_undone_before_the_end(grown):
    world = grown("one-night")
    assert not removals(world)
    assert {host.exposures[-1][1] for host in world.hosts} == {world.end}


def test_late_reboots_one_day_of_install_many_of_effect(grown):
    world = grown("late-reboots")
    number = {h.name: _suspect(world, h) for h in world.hosts}
    begun = {
        world.window.local(c.begun).date()
        for h in dialling(world)
        for c in h.deeds.changes
        if c.do == "install" and c.revision == number[h.name]
    }
    assert begun == {datetime(2022, 1, 11).date()}
    took = {world.window.local(h.exposures[0][0]).date() for h in dialling(world) if h.exposures}
    assert len(took) >= 4


def test_susceptible_half_of_the_exposed_hosts_fails(grown):
    exposed = [host for host in dialling(grown("susceptible-half", 200)) if host.exposures]
    share = sum(bool(failed(host, "ipsec")) for host in exposed) / len(exposed)
    assert 0.35 <= share <= 0.65


def test_intermittent_half_of_the_tries_fails(grown):
    world = grown("intermittent")
    found = [
        a
        for host in dialling(world)
        for low, high in host.exposures
        for a in tries(host, low, high)
    ]
    assert 0.4 <= sum(a.outcome == "failure" for a in found) / len(found) <= 0.6


def test_slow_burn_one_try_in_seven_fails_and_hardly_a_session(grown):
    world = grown("slow-burn")
    found = [
        a
        for host in dialling(world)
        for low, high in host.exposures
        for a in tries(host, low, high)
    ]
    broken = sum(a.fault == "ipsec" for a in found)
    assert 0.11 <= broken / len(found) <= 0.19
    assert {a.code for host in world.hosts for a in failed(host, "ipsec")} == {
        a.code
        for host in world.hosts
        for a in host.attempts
        if a.outcome == "failure" and not a.fault
    }, "no code tells"
    usual = sorted(host.host.habits.baseline_failure for host in dialling(world))
    assert usual[-1] > 10 * usual[0]


def log_odds(world, harmed, rate):
    """log10 of the chance of all tries where `rate` more fail inside of `harmed`, against none."""
    total = 0.0
    for host in world.hosts:
        usual = host.host.habits.baseline_failure
        more = usual + (1 - usual) * rate
        for a in tries(host, world.start, world.end):
            if any(low <= a.start < high for low, high in harmed(host)):
                failed_ = a.outcome == "failure"
                total += math.log10(more / usual if failed_ else (1 - more) / (1 - usual))
    return total


@pytest.mark.parametrize(("name", "size", "guilty"), [("slow-burn", 24, True), ("slow-gateway", 12, False)])  # fmt: skip
@pytest.mark.parametrize("seed", range(4))
def test_who_knew_the_rates_could_tell_a_slow_change_from_a_slow_gateway(name, size, guilty, seed):
    """A thousand to one at least, against a gateway that is bad from any of five days on.

    So a verdict that can be known is; the analysis must first learn what is usual on each line.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "FAMILY_LIVES", 1)
        world = grow(load_scenario(name, size), seed=seed)
    change = log_odds(world, lambda host: under_suspicion(world, host), 0.15)
    days = [local(world, 2022, 1, day) for day in (11, 12, 13, 14, 17)]
    ends = [world.end, world.end - timedelta(days=3)]
    gateway = max(log_odds(world, lambda _, s=(a, b): [s], 0.15) for a in days for b in ends)
    assert change - max(gateway, 0.0) > 3 if guilty else gateway - max(change, 0.0) > 3


def under_suspicion(world, host):
    """Spans in which a host ran the update of the month, and none that is later."""
    number = _suspect(world, host)
    moments = [world.start, *(b.start for b in host.deeds.boots), world.end]
    return [(a, b) for a, b in pairwise(moments) if a < b and host.deeds.revision(a) == number]


def test_delayed_onset_hosts_fail_one_to_four_days_after_the_effect(grown):
    world = grown("delayed-onset")
    delays = [hours((h.exposures[0][0], h.broken[0][0])) for h in world.hosts if h.broken]
    assert len(delays) >= 30
    assert all(24 <= delay <= 96 for delay in delays)


@pytest.mark.parametrize("name", ["driver-guilty", "app-guilty"])
@pytest.mark.parametrize("size", [12, 60])
def test_a_package_is_guilty_with_the_patch_and_without(name, size, grown):
    world = grown(name, size)
    hurt = {host.name: bool(host.broken) for host in dialling(world)}
    both = Counter((hurt[h.name], patched(world, h) is not None) for h in dialling(world))
    assert all(
        both[pair] >= 1 for pair in ((True, True), (True, False), (False, True), (False, False))
    )


@pytest.mark.parametrize("name", ["driver-guilty", "app-guilty"])
def test_some_remove_the_guilty_package_and_no_fault_outlasts_it(name, grown):
    found = removals(grown(name))
    assert 5 <= len(found) <= 20
    assert all(host.broken[-1][1] == change.effective for host, change in found if host.broken)


TOGETHER = {"together-all": (1.0, 1.0), "together-90": (0.8, 0.98), "together-70": (0.55, 0.85)}


@pytest.mark.parametrize("name", TOGETHER)
def test_two_updates_go_together_as_often_as_the_name_says(name, grown):
    world = grown(name, 200)
    exposed = [host for host in world.hosts if host.exposures]
    both = ["dotnet-2022-01" in host.deeds.packages(world.end) for host in exposed]
    low, high = TOGETHER[name]
    assert len(exposed) >= 100
    assert low <= sum(both) / len(both) <= high
    assert {
        change.effective == host.exposures[0][0]
        for host in exposed
        for change in host.deeds.changes
        if change.package
    } == {True}, "in effect from the same restart on"
    assert {host.exposures[-1][1] for host in exposed} == {world.end}, "both stay"
    without = [host for host in world.hosts if not host.exposures]
    assert not any("dotnet-2022-01" in host.deeds.packages(world.end) for host in without)


def test_what_needs_many_hosts_cannot_be_known_of_12(grown):
    for name in ("together-90", "small-share-patched", "slow-burn"):
        assert told(grown(name, 12))["verdict"]["known"] is False
        assert TABLES[name]["verdict"]["known_from"] <= 60


def builds_broken(world):
    """Revisions under which tries failed by the change, with the days they were released."""
    return {
        host.branch.revision(host.deeds.revision(a.start)).released
        for host in world.hosts
        for a in failed(host, "ipsec")
    }


def test_superseding_two_builds_carry_the_fault_and_the_third_ends_it(grown):
    world = grown("superseding")
    assert len(builds_broken(world)) == 2
    straight = [
        host
        for host in dialling(world)
        if host.broken and host.deeds.revision(host.exposures[0][0]) != _suspect(world, host)
    ]
    assert len(straight) >= 5, "some went to the second build without the first"
    assert any(host.exposures and host.exposures[-1][1] < world.end for host in world.hosts)


def test_fix_then_regression_hosts_fail_work_and_fail_again(grown):
    world = grown("fix-then-regression")
    twice = [host for host in dialling(world) if len(host.exposures) == 2]
    assert len(twice) >= 10
    assert all(high < low for h in twice for (_, high), (low, _) in [h.exposures])
    assert len(builds_broken(world)) == 2


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


def test_uninstall_reinstall_the_fault_goes_and_comes_back(grown):
    world = grown("uninstall-reinstall")
    assert len(removals(world)) >= 20
    assert sum(len(host.exposures) > 1 for host in dialling(world)) >= 12


def test_reimaged_some_come_back_with_the_bad_build_some_with_another(grown):
    world = grown("reimaged")
    anew = [host for host in world.hosts if host.deeds.reimaged]
    assert len(anew) >= 15
    builds = {host.deeds.revision(host.deeds.reimaged) for host in anew}
    assert len(builds) == 3


def test_no_kb_recovery_everybody_works_again_and_no_build_changed(grown):
    world = grown("no-kb-recovery")
    ends = {host.broken[-1][1] for host in world.hosts if host.broken}
    assert ends == {local(world, 2022, 1, 20, 12, 30)}
    assert all(host.exposures[-1][1] == world.end for host in world.hosts if host.exposures)


def test_guilty_and_outage_the_outage_is_over_before_the_first_patch(grown):
    world = grown("guilty-and-outage")
    low, high = spell(world, "gateway_outage")
    assert 22 <= hours((low, high)) <= 36
    assert high < min(h.exposures[0][0] for h in world.hosts if h.exposures) - timedelta(days=2)
    assert sum(bool(failed(h, "gateway_outage")) for h in world.hosts) >= 40


def test_small_share_patched_is_one_host_in_seven(grown):
    world = grown("small-share-patched", 200)
    assert 0.13 <= sum(bool(host.exposures) for host in world.hosts) / 200 <= 0.17


def test_named_families_are_opened_with_the_suspect(grown):
    named = {name for name in FAMILIES if TABLES[name]["incident"] == "kb5009543"}
    assert {"named-incident", "named-innocent"} <= named
    assert {TABLES[n]["incident"] for n in FAMILIES} == {"kb5009543", "vpn-outage"}
    for name in named:
        faults = grown(name).scenario.faults
        assert [set(fault.codes) for fault in faults] == [{789}], "the profile's symptom"


# ------------------------------------------------------------------ what the logs leave of it

FATES = {
    "big-bang-reversal": {"recovered", "workaround_only", "not_affected"},
    "fix-not-rebooted": {"pending_reboot", "recovered", "not_affected"},
    "unused-since": {"unconfirmed", "recovered", "not_affected"},
    "partial-logs": {"no_data", "recovered", "not_affected"},
    "app-guilty": {"workaround_only", "still_failing", "not_affected"},
    "no-kb-recovery": {"workaround_only", "not_affected"},
    "one-night": {"still_failing", "not_affected"},
    "reimaged": {"no_data", "recovered", "not_affected"},
}


@pytest.fixture(scope="module")
def fates(grown):
    return {name: statuses(grown(name, 24)) for name in FATES}


@pytest.mark.parametrize("name", FATES)
def test_hosts_end_as_the_family_says(name, fates):
    assert FATES[name] <= set(fates[name])


def test_every_status_of_the_contract_occurs(fates):
    assert set().union(*fates.values()) == set(STATUSES)


def test_the_change_of_a_world_with_two_updates_together_names_both(grown):
    assert told(grown("together-all", 12))["verdict"] == {
        "status": "not_separable",
        "changes": ["KB5008876", "KB5009543"],
        "competing": [],
        "known": True,
        "also_right": [],
    }


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("driver-guilty", ["Nordnetz - Net - 11.4.2.107"]),
        ("app-guilty", ["Faxdienst Klient 5.2.1"]),
        ("dst-change", ["KB5011487", "KB5011493"]),
        ("superseding", ["KB5009543", "KB5009566", "KB5010793"]),
        ("fix-then-regression", ["KB5009543", "KB5009566", "KB5009596"]),
        ("more-logging", []),
    ],
)
def test_the_verdict_names_the_labels_of_the_guilty_change(name, changes, grown):
    assert told(grown(name, 12))["verdict"]["changes"] == changes
