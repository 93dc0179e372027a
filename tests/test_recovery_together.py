"""Claims about what mended all hosts at once, and about how seldom a mended host breaks again.

Each estimator has a slow, obvious twin here.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from worlds_cause import BAD, DAYS, FIX, World, day, fails_during
from worlds_recovery import HOST, LAST, NAMED, as_facts, declared, fleet, recover, told

from kitlib.explain import Outage
from kitlib.recovery.confidence import SWITCH, Switches, follow, known_to_work
from kitlib.recovery.rates import UNDER_FAULT, learn_fleet
from kitlib.recovery.together import (
    LEFT_OUT,
    MENDED,
    MIN_MENDED,
    ONE_BY_ONE,
    TURNED,
    Marks,
    learn_ends,
    leave_one_out,
    moment_of_all,
)
from kitlib.recovery.views import look_at_hosts

FAILS, WORKS = math.log(0.9 / 0.02), math.log(0.1 / 0.98)
HALF_FAILS, HALF_WORKS = math.log(0.5 / 0.02), math.log(0.5 / 0.98)


def marks(letters, times, *, fails=FAILS, works=WORKS):
    """Attempts of a host: x fails, o works."""
    says = [fails if letter == "x" else works for letter in letters]
    return Marks(np.array(times, dtype=np.int64), np.array(says, dtype=np.float64))


# --- a cure of all: the twin ----------------------------------------------------------------


def moment_by_hand(hosts):
    """One moment and one host at a time."""
    rivals = [Switches(0.9, 0.05, mends) for mends in ONE_BY_ONE]
    likely = [sum(follow(own.says, rival).weight for own in hosts) for rival in rivals]
    rival = rivals[likely.index(max(likely))]

    def gain(own, moment):
        since = [n for n, time in enumerate(own.times) if time >= moment]
        if not since:
            return 0.0
        cured = known_to_work(own.says.tolist(), rival)[since[0]]
        if not any(say > 0 for say in own.says[: since[0]]):
            cured = min(cured, 0.0)
        return math.log((1 - LEFT_OUT) * math.exp(cured) + LEFT_OUT)

    moments = sorted(int(time) for own in hosts for time in own.times)
    totals = [sum(gain(own, moment) for own in hosts) for moment in moments]
    weight = math.log(sum(math.exp(total) for total in totals) / len(totals))
    best = moments[totals.index(max(totals))]
    turned = sum(gain(own, best) > TURNED for own in hosts)
    return best if weight >= MENDED and turned >= MIN_MENDED else None


def played(seed, *, cured, hosts=8):
    """Hosts that fail half of the time, with (or without) a cure of all at time 500."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(hosts):
        times = np.sort(rng.choice(1000, 15, replace=False))
        rate = np.where(cured & (times >= 500), 0.02, 0.5)
        letters = np.where(rng.random(15) < rate, "x", "o")
        out.append(marks(letters, times, fails=HALF_FAILS, works=HALF_WORKS))
    return out


@pytest.mark.parametrize("seed", range(6))
def test_the_moment_of_a_cure_is_that_of_trying_every_moment_on_every_host(seed):
    for cured in (True, False):
        hosts = played(seed, cured=cured)
        assert moment_of_all(hosts) == moment_by_hand(hosts)


def test_a_cure_of_all_is_seen_where_there_is_one_and_only_there():
    found = [moment_of_all(played(seed, cured=True, hosts=12)) for seed in range(20)]
    assert sum(moment is not None and 400 < moment < 600 for moment in found) >= 16
    assert [moment_of_all(played(seed, cured=False, hosts=12)) for seed in range(20)] == [None] * 20


# --- a cure of all: what is none ------------------------------------------------------------


def test_hosts_and_not_attempts_carry_a_cure_of_all():
    """Two hosts that work a hundred times each are two hosts; four that work twice are four."""
    many = [marks("xxxxx" + "o" * 100, [*range(5), *range(10, 110)]) for _ in range(2)]
    silent = [marks("xxxxx", range(5)) for _ in range(6)]
    assert moment_of_all([*many, *silent]) is None
    few = [marks("xxxxxoo", [*range(5), 10, 11]) for _ in range(6)]
    assert moment_of_all(few) == 10


def test_hosts_mended_one_by_one_are_no_cure_of_all_though_they_alone_try_at_the_end():
    own = [marks("xxxx" + "o" * 8, [*range(4), *range(at, at + 7), 100]) for at in (20, 40, 60, 80)]
    broken = [marks("x" * 12, range(0, 96, 8)) for _ in range(10)]
    assert moment_of_all([*own, *broken]) is None


def test_a_fault_that_takes_days_to_bite_is_no_cure_before_it_does():
    """All hosts work at first; that is no host mended."""
    slow = [marks("oooooxxxxxx", range(n, n + 11)) for n in range(12)]
    assert moment_of_all(slow) is None


def test_fewer_than_three_hosts_show_no_cure_of_all():
    assert moment_of_all([]) is None
    assert moment_of_all([marks("xxxxxxoooooo", range(12))] * 2) is None
    assert moment_of_all([marks("", [])] * 5) is None


def test_status_still_failing_though_the_few_that_were_helped_alone_try_on_the_last_day():
    """Three hosts are helped on three days, by hand; nobody else is used on the last two days."""
    world = fleet(3, hosts=40)
    helped = {world.names[20 + n]: day(30 + 3 * n) for n in range(3)}
    before = world.fault
    world.fault = lambda host, time, revision: (
        None if host in helped and time >= helped[host] else before(host, time, revision)
    )
    for host in set(world.names) - set(helped):
        world.idle[host] = [(day(43), LAST)]
    hosts = told(world)
    assert set(hosts.loc[list(helped), "status"]) == {"workaround_only"}
    assert set(hosts.loc[world.names[23:28], "status"]) == {"still_failing"}


# --- the end of what everybody had ----------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_leaving_one_out_is_a_loop_over_the_others(seed):
    logs = np.random.default_rng(seed).normal(-2, 3, 9)
    found = leave_one_out(logs)
    for place, share in enumerate(found):
        broken = [
            1 / (1 + math.exp(-(log + math.log(other / (1 - other)))))
            for n, (log, other) in enumerate(zip(logs, found, strict=True)) if n != place
        ]  # fmt: skip
        assert share == pytest.approx((sum(broken) + 0.5) / len(logs), abs=1e-3)


def test_a_host_alone_is_as_likely_broken_as_not_after_an_outage():
    assert leave_one_out(np.array([-3.0])) == [0.5]
    assert leave_one_out(np.empty(0)) == []


def weak_outage(seed=4, hosts=20, **more):
    """A gateway drops a third of the tries for a week; four days later the evidence ends."""
    start, end = day(33), day(41)
    world = World(seed, hosts=hosts, per_day=2.0, base=0.01)
    world.fault = fails_during(start, end, chance=0.33, **more)
    return world, Outage(start, end, "", frozenset(world.names))


def test_status_recovered_after_an_outage_that_dropped_a_third_of_the_tries():
    """Each host's few successes since say little; that all of them work says that it is over."""
    world, outage = weak_outage()
    world.idle[HOST] = [(day(41), LAST)]
    hosts = told(world, status="not_supported", outages=[outage])
    hit = hosts.drop(HOST).dropna(subset="onset")
    assert len(hit) >= 15
    assert (hit["status"] == "recovered").mean() >= 0.9
    assert (hit["recovered_by"] != "").sum() == (hit["status"] == "recovered").sum()
    assert hosts.loc[HOST, "status"] == "unconfirmed"  # nothing has shown it on this one


def test_status_after_an_outage_is_not_recovered_where_half_of_the_others_are_still_broken():
    world, outage = weak_outage(hosts=24)
    dropped, broken = world.fault, set(world.names[::2])
    world.fault = lambda host, time, revision: (
        (0.33, "789") if host in broken and time >= day(41) else dropped(host, time, revision)
    )
    hosts = told(world, status="not_supported", outages=[outage])
    said = hosts.loc[sorted(broken & set(hosts.index[hosts["onset"].notna()])), "status"]
    assert (said == "recovered").mean() <= 0.1


def test_a_cure_in_the_build_is_confirmed_by_each_hosts_own_attempts():
    """That the fix works elsewhere confirms no host: a success of its own is needed, or several."""
    world = fleet(5, chance=0.5, hosts=60).patch(HOST, day(22, 20)).patch(HOST, day(33, 5), FIX)
    world.idle[HOST] = [(day(33, 12), LAST)]
    assert told(world).loc[HOST, "status"] == "unconfirmed"


# --- broken again ---------------------------------------------------------------------------


def ends(world, **options):
    facts = as_facts(world)
    cause = declared(facts, **options)
    args = (facts["attempts"], facts["exposure"], facts["coverage"], facts["timeline"])
    views = look_at_hosts(*args, NAMED, cause)
    return learn_ends(views, learn_fleet(views), builds=cause.follows)


def test_relapses_are_rarer_where_the_fleet_stays_mended_and_as_frequent_as_seen_where_not():
    world = fleet(1, hosts=40)
    assert ends(world).breaks < SWITCH / 3
    before, again = world.fault, set(world.names[1:20])
    world.fault = lambda host, time, revision: (
        (1.0, "789")
        if host in again and revision == FIX and int(time.timestamp() // 86_400) % 6 < 3
        else before(host, time, revision)
    )
    assert ends(world).breaks > SWITCH


def test_relapses_are_expected_as_before_where_nothing_was_mended():
    world = World(1, hosts=10, per_day=2.0)
    world.stagger(world.names[:6], 22, 26)
    world.fault = lambda _host, _time, revision: (1.0, "789") if revision == BAD else None
    assert ends(world).breaks == pytest.approx(SWITCH)


def test_status_recovered_though_its_last_try_fails_in_a_fleet_that_stays_mended():
    """One failure among many successes, of hosts that fail now and then anyway, is no relapse."""

    def last_fails(facts):
        attempts = facts["attempts"]
        own = attempts[(attempts["host"] == HOST) & attempts["time"].notna()]
        last = own["time"].idxmax()
        attempts.loc[last, ["outcome", "code"]] = ["failure", "789"]

    world = fleet(2, chance=0.5, hosts=60)
    world.base = 0.02
    world.patch(HOST, day(22, 20)).patch(HOST, day(33, 5), FIX)
    facts = as_facts(world)
    last_fails(facts)
    assert recover(facts, declared(facts)).loc[HOST, "status"] == "recovered"


def test_what_is_expected_under_a_fault_is_among_the_rivals_of_a_cure():
    assert UNDER_FAULT.mends == min(ONE_BY_ONE)
    assert day(DAYS) == LAST
