"""What a family's truth says besides: whether its verdict can be known, how sure a cure is.

How sure is what somebody would be who knew the simulator's rates of failure: the oracle.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from simulated import changed, told, world_of
from simulated_fleet import CALM, LOGGED, TEXT, WITH_AGENT

from kitlib.simulate.dice import Dice
from kitlib.simulate.oracle import confidence_works
from kitlib.simulate.usage import Presence, attempts
from kitlib.simulate.vocabulary import Fault, Habits

# Verdict ----------------------------------------------------------------------------------------


def test_a_verdict_is_known_from_a_size_of_the_fleet_on(tmp_path):
    text = changed(TEXT, 'status = "supported"', 'status = "supported"\nknown_from = 10\n'
                   'also_right = ["no_control"]')  # fmt: skip
    small, large = (told(world_of(tmp_path, text, hosts=n))["verdict"] for n in (9, 10))
    assert (small["known"], large["known"]) == (False, True)
    assert small["also_right"] == large["also_right"] == ["no_control"]


def test_a_familys_verdict_is_known_unless_said_otherwise(tmp_path):
    verdict = told(world_of(tmp_path, TEXT, hosts=3))["verdict"]
    assert verdict == {
        "status": "supported", "changes": ["KB5009543"], "competing": [], "known": True,
        "also_right": [],
    }  # fmt: skip


def test_what_is_no_family_has_the_truth_it_always_had(tmp_path):
    family = told(world_of(tmp_path, TEXT, hosts=3))
    plain = told(world_of(tmp_path, changed(TEXT, "family = true\n", ""), hosts=3))
    assert family["verdict"].keys() - plain["verdict"].keys() == {"known", "also_right"}
    assert family["hosts"][0].keys() - plain["hosts"][0].keys() == {"oracle_confidence"}
    other = ("oracle_confidence", "sessions_lost")  # a family has more lives to take the mean of
    assert [{k: v for k, v in host.items() if k not in other} for host in plain["hosts"]] == [
        {k: v for k, v in host.items() if k not in other} for host in family["hosts"]
    ]


# The oracle -------------------------------------------------------------------------------------


ORDINARY = Habits(baseline_failure=0.05, baseline_codes={809: 3.0, 691: 1.0})
HALF = Fault(name="half", kind="world", codes={809: 1.0, 868: 1.0}, probability=0.4)
DAYS = tuple(
    (datetime(2022, 1, day, 7, tzinfo=UTC), datetime(2022, 1, day, 16, tzinfo=UTC))
    for day in (3, 4)
)
HERE = Presence(shifts=DAYS, sleeps=(), offs=())


def lived(life, *, broken):
    """Tries of a life in which the fault is there all the time, or never was."""

    def judge(_, dice):
        hit = broken and dice.happens(HALF.probability)
        return (dice.weighted(HALF.codes), "half") if hit else (0, "")

    return [
        a for a in attempts(ORDINARY, HERE, judge, Dice(9, "life", str(life), str(broken)))
        if a.outcome != "cancelled"
    ]  # fmt: skip


def naive_confidence(tries, habits, fault):
    """Multiply what each hypothesis says of each try, in exact fractions."""

    def of(weights, code):
        return Fraction(weights.get(code, 0)) / sum(map(Fraction, weights.values()))

    works = broken = Fraction(1)
    base, hit = Fraction(habits.baseline_failure), Fraction(fault.probability)
    for attempt in tries:
        usual = base * of(habits.baseline_codes, attempt.code) if attempt.code else 1 - base
        works *= usual
        broken *= hit * (of(fault.codes, attempt.code) if attempt.code else 0) + (1 - hit) * usual
    return float(works / (works + broken))


@pytest.mark.parametrize("broken", [True, False])
def test_the_oracle_multiplies_the_rates_of_the_tries(broken):
    for life in range(40):
        tries = lived(life, broken=broken)[: life % 7]
        assert confidence_works(tries, ORDINARY, HALF) == pytest.approx(
            naive_confidence(tries, ORDINARY, HALF), abs=1e-9
        )


def test_the_oracle_is_right_as_often_as_it_says():
    """Half of the lives work: where it says 0.5 to 0.8, between those shares of them do."""
    said = [
        (confidence_works(lived(life, broken=broken)[:3], ORDINARY, HALF), not broken)
        for life in range(500)
        for broken in (True, False)
    ]
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        inside = [(sure, works) for sure, works in said if low <= sure < high]
        assert len(inside) > 50
        mean = sum(sure for sure, _ in inside) / len(inside)
        assert sum(works for _, works in inside) / len(inside) == pytest.approx(mean, abs=0.06)


def test_the_oracle_knows_nothing_without_a_try_and_all_after_a_success_under_a_certain_fault():
    certain = replace(HALF, probability=1.0)
    assert confidence_works([], ORDINARY, certain) == 0.5
    success = next(a for a in lived(1, broken=False) if a.outcome == "success")
    assert confidence_works([success], ORDINARY, certain) == 1.0
    strange = replace(success, code=628, outcome="failure")
    assert confidence_works([strange], ORDINARY, certain) == 0.5
    vain = replace(success, code=868, outcome="failure")
    assert confidence_works([vain], ORDINARY, certain) == 0.0


def test_a_host_with_too_few_tries_since_its_cure_is_unconfirmed(tmp_path):
    """One success says all where the change broke every try, little where it broke half."""
    late = changed(TEXT, "2022-01-18T09:00:00, 2022-01-18T15:00:00",
                   "2022-01-19T14:00:00, 2022-01-20T16:00:00")  # fmt: skip
    half = changed(late, "codes = { 789 = 1.0 }", "codes = { 789 = 1.0 }\nprobability = 0.5")
    for text, doubtful in ((late, False), (half, True)):
        hosts = [h for h in told(world_of(tmp_path, text, hosts=30))["hosts"] if h["cured_at"]]
        assert hosts
        for host in hosts:
            confirmed = host["oracle_confidence"] >= 0.95
            assert (host["status"] == "recovered") == confirmed
            assert (host["recovered_at"] is not None) == confirmed
            assert confirmed or host["status"] == "unconfirmed"
        few = [h for h in hosts if h["successes_since_cure"] and h["status"] == "unconfirmed"]
        assert bool(few) == doubtful


def test_an_agents_dials_do_not_make_a_cure_doubtful(tmp_path):
    agent = changed(LOGGED, 'package = "line-watch"\n',
                    "start = 2022-01-03T06:00:00\nend = 2022-01-21T18:00:00\n")  # fmt: skip
    agent = changed(agent, "812", "789")
    half = changed(TEXT, "codes = { 789 = 1.0 }", "codes = { 789 = 1.0 }\nprobability = 0.5")
    alone, watched = told(world_of(tmp_path, half)), told(world_of(tmp_path, half + agent))
    keys = ("host", "status", "oracle_confidence", "sessions_lost", "user_hours_lost")
    assert [[h[k] for k in keys] for h in alone["hosts"]] == [
        [h[k] for k in keys] for h in watched["hosts"]
    ]
    assert sum(h["attempts"] for h in watched["hosts"]) > sum(h["attempts"] for h in alone["hosts"])


def test_what_was_cured_without_a_fix_stays_at_risk_even_unconfirmed(tmp_path):
    act = (
        '{ do = "install", revision = 1469, between = [2022-01-18T09:00:00, 2022-01-18T15:00:00] }'
    )
    removed = '{ do = "uninstall", revision = 1466, at = 2022-01-21T16:30:00, reboot = "at once" }'
    cured = [
        h for h in told(world_of(tmp_path, changed(TEXT, act, removed)))["hosts"] if h["cured_at"]
    ]
    assert "unconfirmed" in {h["status"] for h in cured}
    assert {h["at_risk"] for h in cured} == {True}
    fixed = changed(removed, '"uninstall", revision = 1466', '"install", revision = 1469')
    document = told(world_of(tmp_path, changed(TEXT, act, fixed)))
    late = [h for h in document["hosts"] if h["status"] == "unconfirmed"]
    assert late
    assert {h["at_risk"] for h in late} == {False}


def test_who_is_rid_of_a_guilty_package_has_removed_it(tmp_path):
    text = changed(WITH_AGENT, '"not_supported"', '"supported"')
    text = changed(text, 'kind = "logged"\ncodes = { 812 = 1.0 }\nper_day = 6.0',
                   'kind = "change"\ncodes = { 720 = 1.0 }')  # fmt: skip
    act = (
        '{ do = "install", revision = 1469, between = [2022-01-18T09:00:00, 2022-01-18T15:00:00] }'
    )
    gone = '{ do = "uninstall", package = "line-watch", at = 2022-01-18T12:00:00 }'
    document = told(world_of(tmp_path, changed(text, act, gone)))
    cured = [h for h in document["hosts"] if h["cured_at"]]
    assert {(h["status"], h["recovered_by"], h["at_risk"]) for h in cured} == {
        ("workaround_only", "uninstall", True)
    }


def test_without_a_guilty_change_states_are_what_they_were(tmp_path):
    """One success after an outage that broke half of the tries says little, and is enough here."""
    late = changed(CALM, "codes = { 809 = 1.0 }", "codes = { 809 = 1.0 }\nprobability = 0.5")
    late = changed(late, "2022-01-10T06:00:00, 2022-01-12T06:00:00",
                   "2022-01-20T06:00:00, 2022-01-20T09:00:00")  # fmt: skip
    hosts = told(world_of(tmp_path, late))["hosts"]
    cured = [h for h in hosts if h["cured_at"] and h["successes_since_cure"]]
    assert any(h["oracle_confidence"] < 0.95 for h in cured)
    assert {(h["status"], h["recovered_by"]) for h in cured} == {("recovered", "other")}
