"""Claims about how sure it is: the two-state chain, the bound, the regimes, speed and calibration.

Each fast function has a slow, obvious twin here.
"""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pandas as pd
import pytest
from worlds_cause import BAD, DAYS, DECEMBER, FIX, World, day
from worlds_recovery import HOST, NAMED, as_facts, declared, fleet, recover, told

from kitlib import schema
from kitlib.explain import Outage
from kitlib.recovery.confidence import (
    LARGEST,
    Rates,
    Switches,
    follow,
    known_to_work,
    likelihood_ratio,
    likely_states,
    residual_bound,
    steps,
)
from kitlib.recovery.rates import learn_fleet
from kitlib.recovery.views import ASIDE, FREE, UNSURE, Tries, look_at_hosts
from kitlib.recovery.views import BAD as IN_EFFECT

RNG = np.random.default_rng(20220111)


def tries(words):
    """Attempts from words: S worked, F failed with the symptom, o with another code, r a retry F."""
    letters = np.array(list(words))
    return Tries(
        time=np.arange(len(letters)),
        worked=(letters == "S") | (letters == "s"),
        symptom=(letters == "F") | (letters == "r"),
        retry=(letters == "r") | (letters == "s"),
        regime=np.zeros(len(letters), dtype=np.int8),
        records=np.empty(len(letters), dtype=object),
    )


# --- twins ----------------------------------------------------------------------------------


def all_paths(says, switches):
    """Every path of the two states with its log probability, the attempts included."""
    entry, breaks, mends = switches
    step = {(True, True): 1 - mends, (True, False): mends,
            (False, True): breaks, (False, False): 1 - breaks}  # fmt: skip
    for path in itertools.product((False, True), repeat=len(says)):
        log = math.log(entry if path[0] else 1 - entry)
        log += sum(math.log(step[pair]) for pair in itertools.pairwise(path))
        yield path, log + sum(say for say, broken in zip(says, path, strict=True) if broken)


@pytest.mark.parametrize("size", [1, 2, 5, 9])
@pytest.mark.parametrize("switches", [Switches(0.5, 0.01, 0.01), Switches(0.9, 0.05, 0.002)])
def test_chain_is_that_of_summing_over_every_path(size, switches):
    says = RNG.normal(0, 3, size).tolist()
    chain = follow(says, switches)
    for place in range(size):
        paths = list(all_paths(says[: place + 1], switches))
        total = sum(math.exp(log) for _, log in paths)
        broken = sum(math.exp(log) for path, log in paths if path[-1])
        assert chain.broken[place] == pytest.approx(broken / total)
    assert chain.weight == pytest.approx(math.log(total))


@pytest.mark.parametrize("size", [1, 2, 5, 9])
@pytest.mark.parametrize("switches", [Switches(0.5, 0.01, 0.01), Switches(0.9, 0.05, 0.002)])
def test_known_to_work_is_that_of_the_paths_that_work_at_this_attempt(size, switches):
    says = RNG.normal(0, 3, size).tolist()
    paths = list(all_paths(says, switches))
    total = sum(math.exp(log) for _, log in paths)
    for place, found in enumerate(known_to_work(says, switches)):
        # Given the past, not of itself: each attempt before weighs the paths that lead here.
        past = list(all_paths([*says[:place], *[0.0] * (size - place)], switches))
        works = sum(math.exp(log) for path, log in paths if not path[place])
        expected = sum(math.exp(log) for path, log in past if not path[place])
        expected /= sum(math.exp(log) for _, log in past)
        assert found == pytest.approx(math.log(works / total / expected))


def test_known_to_work_adds_no_more_than_the_surprise_of_it():
    """A thousand successes after five failures bear out one thing: that it was mended there."""
    switches = Switches(0.9, 0.05, 0.002)
    few, many = (known_to_work([4.0] * 5 + [-2.0] * n, switches) for n in (10, 1000))
    assert few[5] == pytest.approx(many[5], rel=1e-3)
    assert 5 < many[5] <= -math.log(switches.mends)
    assert known_to_work([], switches).tolist() == []


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_likely_states_are_the_best_of_every_path(size):
    for switches in (Switches(0.5, 0.01, 0.01), Switches(0.9, 0.05, 0.002)):
        says = RNG.normal(0, 3, size).tolist()
        best = max(all_paths(says, switches), key=lambda pair: pair[1])[0]
        assert tuple(likely_states(says, switches)) == best


def test_chain_without_attempts_says_nothing():
    assert follow([], Switches(0.5, 0.01, 0.01)) == ((), 0.0)
    assert likely_states([], Switches(0.5, 0.01, 0.01)).tolist() == []


@pytest.mark.parametrize(("failed", "trials"), [(0, 1), (0, 12), (1, 12), (5, 12), (11, 12)])
def test_residual_bound_is_the_rate_at_which_so_few_failures_have_five_percent(failed, trials):
    rate = residual_bound(failed, trials)
    upto = sum(
        math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(failed + 1)
    )
    assert upto == pytest.approx(0.05)


def test_residual_bound_at_its_ends():
    assert residual_bound(3, 3) == 1.0
    assert math.isnan(residual_bound(0, 0))


def regime_of(row, cause):
    """Say of one attempt whether the change was in effect, by looking at every row."""
    if cause.follows and any(
        o.start <= row["time"] < o.end and row["host"] in o.hosts for o in cause.outages
    ):
        return ASIDE
    said = FREE
    for bad in cause.bad[cause.bad["host"] == row["host"]].to_dict("records"):
        low, high = bad["start_low"], bad["start_high"]
        end_low, end_high = bad["end_low"], bad["end_high"]
        if pd.isna(bad["end"]):
            end_low = end_high = pd.Timestamp.max.tz_localize("UTC")
        if high <= row["time"] < end_low:
            return IN_EFFECT
        if low <= row["time"] < end_high:
            said = UNSURE
    return said


def blurred(world, seed):
    """Tables of a world whose states begin and end within intervals, with an outage aside."""
    rng = np.random.default_rng(seed)
    facts = as_facts(world)
    failed = facts["attempts"].index[facts["attempts"]["outcome"] == "failure"]
    facts["attempts"].loc[failed[::7], "code"] = "691"  # what starts a burst may be no symptom
    exposure = facts["exposure"]
    for name in ("start", "end"):
        known = exposure[name].notna()
        for side, sign in (("low", -1), ("high", 1)):
            width = pd.to_timedelta(rng.integers(0, 60, len(exposure)), unit="h")
            exposure.loc[known, f"{name}_{side}"] = (exposure[name] + sign * width)[known]
    first = exposure["start"].isna()
    exposure.loc[first, "start_low"] = day(-300)
    exposure.loc[first, "start_high"] = day(2)
    outage = Outage(day(30, 9), day(30, 13), "", frozenset(world.names[:7]))
    return facts, declared(facts, outages=[outage])


@pytest.mark.parametrize("seed", range(3))
def test_regimes_are_those_of_looking_at_every_row(seed):
    facts, cause = blurred(fleet(seed, hosts=10).patch(HOST, day(22, 20)), seed)
    args = (facts["attempts"], facts["exposure"], facts["coverage"], facts["timeline"])
    views = look_at_hosts(*args, NAMED, cause)
    seen = facts["attempts"][facts["attempts"]["outcome"] != "unknown"]
    kinds = set()
    for view in views:
        own = seen[seen["host"] == view.name].sort_values("time", kind="stable")
        slow = [regime_of(row, cause) for row in own.to_dict("records")]
        assert view.tries.regime.tolist() == slow
        assert view.tries.worked.tolist() == (own["outcome"] == "success").tolist()
        assert view.tries.symptom.tolist() == (own["code"] == "789").tolist()
        tells = (own["outcome"] == "success") | (own["code"] == "789")
        again = [
            bool((tells & (own["episode"] == episode))[:place].any())
            for place, episode in enumerate(own["episode"])
        ]
        assert view.tries.retry.tolist() == again
        kinds |= set(slow)
    assert kinds == {FREE, UNSURE, IN_EFFECT, ASIDE}


# --- what counts as evidence ----------------------------------------------------------------

ALWAYS = Rates(0.98, 0.98, 0.02, 0.2)
HALF = Rates(0.5, 0.5, 0.02, 0.2)
BURSTS = Rates(0.5, 0.99, 0.02, 0.95)


def ratio(words, rates):
    return likelihood_ratio(steps(tries(words), rates))


def test_likelihood_ratio_needs_one_success_of_sure_faults_and_several_of_others():
    assert ratio("S", ALWAYS) == pytest.approx(0.98 / 0.02)
    assert ratio("SSSS", HALF) < ratio("S", ALWAYS) < ratio("SSSSSS", HALF)


def test_likelihood_ratio_of_other_codes_is_one():
    assert ratio("oooo", HALF) == 1.0


def test_likelihood_ratio_is_bounded():
    assert ratio("S" * 300, ALWAYS) == LARGEST
    assert ratio("F" * 300, ALWAYS) == 1 / LARGEST


def test_retries_that_fail_with_the_first_try_are_hardly_evidence():
    """A burst of five says about as much as its first try, if bursts fail as a whole anyway."""
    assert ratio("Frrrr", BURSTS) == pytest.approx(ratio("F", BURSTS), rel=0.2)
    assert ratio("Frrrr", ALWAYS) < ratio("F", ALWAYS) / 100


def test_rates_of_retries_are_learned_apart_from_first_tries():
    """A fault breaks half of the bursts, each as a whole: retries tell nothing, and that is seen."""
    world = fleet(3, hosts=40)
    luck = np.random.default_rng(5)
    draw = {}

    def fault(host, moment, revision):
        if revision != BAD:
            return None
        broken = draw.setdefault((host, moment), luck.random() < 0.5)
        return (1.0, "789") if broken else None

    world.fault = fault
    facts = as_facts(world)
    args = (facts["attempts"], facts["exposure"], facts["coverage"], facts["timeline"])
    rates = learn_fleet(look_at_hosts(*args, NAMED, declared(facts))).rates
    assert rates.broken == pytest.approx(0.5, abs=0.1)
    assert rates.broken_retry > 0.9


def test_residual_bound_of_a_host_falls_with_each_burst_that_works():
    bounds = []
    for days in (37, 40, 45):
        world = fleet().patch(HOST, day(22, 20)).patch(HOST, day(33, 5), FIX)
        world.idle[HOST] = [(day(days), day(DAYS))]
        row = told(world).loc[HOST]
        assert row["status"] == "recovered"
        bounds.append(row["residual_high"])
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] < 0.2 < bounds[0]


def test_both_questions_are_answered_apart_in_words():
    why = told(fleet().patch(HOST, day(22, 20)).patch(HOST, day(33, 5), FIX)).loc[HOST, "why"]
    assert "times as likely from a working host as from a broken one" in why
    assert "of its attempts still fail (95 %)" in why


# --- calibration ----------------------------------------------------------------------------


def half_mended(seed, chance, bursts):
    """A fleet with the fix on all hosts that got the patch; on half of them it does not help."""
    world = World(seed, hosts=120, per_day=2.0, base=0.02)
    world.stagger(world.names[:100], 22, 26)
    for host in world.names[:100]:
        world.patch(host, day(33, 5), FIX)
        world.idle[host] = [(day(33 + bursts), day(DAYS))]
    broken = set(world.names[:100:2])
    world.fault = lambda host, _time, revision: (
        (chance, "789") if revision == BAD or (revision == FIX and host in broken) else None
    )
    return world, broken


@pytest.mark.parametrize("chance", [0.4, 0.7, 0.97])
def test_confidence_is_the_share_that_is_right(chance):
    """Over eight fleets, one to seven days after the fix; half of the hosts are still broken."""
    said, right = [], []
    for seed, bursts in enumerate((1, 2, 4, 7) * 2):
        world, broken = half_mended(seed, chance, bursts)
        hosts = told(world)
        back = hosts[hosts["status"] == "recovered"]
        still = hosts[hosts["status"] == "still_failing"]
        said += [*back["confidence"], *still["confidence"]]
        right += [host not in broken for host in back.index]
        right += [host in broken for host in still.index]
    wrong, expected = len(right) - sum(right), sum(1 - np.array(said))
    assert len(right) > 100
    assert wrong <= expected + 3 * np.sqrt(expected) + 1
    assert wrong / len(right) < 0.02


# --- speed ----------------------------------------------------------------------------------


def large(hosts, each):
    """Tables of a large fleet, made at once: patched on day 22, fixed on half of it on day 33."""
    rng = np.random.default_rng(1)
    names = np.array([f"WS{n:04d}" for n in range(hosts)])
    count = hosts * each
    host = np.repeat(names, each)
    moment = np.sort(rng.uniform(0, DAYS, (hosts, each)), axis=1).ravel()
    fixed = np.repeat(np.arange(hosts) % 2 == 0, each) & (moment >= 33)
    failed = (moment >= 22) & ~fixed & (rng.random(count) < 0.9)
    times = (day(0).value + moment * 86_400e9).astype(np.int64)
    attempts = schema.from_columns(
        "attempts",
        {
            "host": host, "time": times.tolist(),
            "outcome": np.where(failed, "failure", "success"),
            "code": np.where(failed, "789", ""),
            "records": [[f"{h}/Application#{n}"] for n, h in enumerate(host)],
            "episode": list(range(count)),
        },
        rows=count,
    )  # fmt: skip
    world = World(1, hosts=hosts, per_day=0)
    for number, name in enumerate(world.names):
        world.patch(name, day(22))
        if number % 2 == 0:
            world.patch(name, day(33), FIX)
    facts = as_facts(world) | {"attempts": attempts}
    tried = schema.from_columns(
        "timeline",
        {"host": host, "time": times.tolist(), "activity": ["vpn"] * count,
         "action": ["attempt_failed"] * count, "record_id": list(range(count))},
        rows=count,
    )  # fmt: skip
    return facts | {"timeline": schema.concat("timeline", [facts["timeline"], tried])}


def test_a_thousand_hosts_take_seconds():
    facts = large(1000, 200)
    cause = declared(facts)
    start = time.process_time()
    hosts = recover(facts, cause)
    spent = time.process_time() - start
    assert hosts["status"].value_counts().to_dict() == {"recovered": 500, "still_failing": 500}
    assert spent < 10  # about 3 where nothing else runs


def test_one_host_alone_is_judged_as_in_a_fleet_of_one():
    """Few data: the fleet is the host itself, and nothing fails for want of others."""
    world = World(2, hosts=1, per_day=3.0, base=0.0)
    world.patch(HOST, day(22, 20)).patch(HOST, day(33, 5), FIX)
    world.fault = lambda _host, _time, revision: (1.0, "789") if revision == BAD else None
    assert told(world).loc[HOST, "status"] == "recovered"


def test_two_hosts_with_few_attempts_are_unconfirmed_rather_than_recovered():
    world = World(3, hosts=2, per_day=3.0, base=0.0)
    for host in world.names:
        world.patch(host, day(22, 20)).patch(host, day(24, 5), DECEMBER)
        world.idle[host] = [
            (day(0), day(22, 20)),
            (day(22, 21), day(23, 7)),
            (day(24, 9), day(DAYS)),
        ]
    world.fault = lambda _host, _time, revision: (0.6, "789") if revision == BAD else None
    assert set(told(world)["status"]) <= {"unconfirmed", "not_affected"}
