"""Claims about the verdict, in small worlds whose cause is known (see worlds_cause)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import worlds_cause as w
from worlds_cause import BAD, DECEMBER, FIX, PATCHED, World, day, fails_during, fails_under

from kitlib import schema
from kitlib.attempts import make_episodes
from kitlib.cause import MODEL_DOUBT, judge_cause
from kitlib.incident import load_incident

NAMED = load_incident("kb5009543")
OPEN = load_incident("vpn-outage")
BOTH = {"KB5009543", "KB5009566"}
PROFILES = pytest.mark.parametrize("incident", [NAMED, OPEN], ids=["named", "open"])


def judge(world, incident=NAMED):
    tables = world.tables()
    return judge_cause(tables.attempts, tables.exposure, tables.coverage, incident)


def check(cause, name):
    return next(c for c in cause.checks if c.name == name)


@PROFILES
def test_judge_cause_supports_a_staggered_guilty_patch_with_all_its_labels(incident):
    cause = judge(w.staggered(1), incident)
    assert cause.status == "supported"
    assert set(cause.changes) == BOTH
    assert cause.competing == ()
    assert cause.probability == 1 - MODEL_DOUBT
    assert "explains the failures" in cause.text
    assert check(cause, "same-day controls").passed
    assert cause.suspects["change"].iloc[0] == "KB5009543"


@PROFILES
def test_judge_cause_infers_the_cure_or_takes_it_from_the_profile(incident):
    cause = judge(w.staggered(2), incident)
    assert set(cause.cured["change"]) == {"KB5010793", "KB5010795"}
    assert set(cause.bad["change"]) == BOTH


@PROFILES
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_judge_cause_names_an_outage_inside_the_rollout(seed, incident):
    cause = judge(w.gateway_outage(seed), incident)
    assert cause.status == "not_supported"
    assert cause.changes == ()
    assert cause.competing == ("shared_outage",)
    assert "outage" in cause.text
    (outage,) = cause.outages
    assert outage.end - outage.start <= pd.Timedelta(days=4)
    assert pd.isna(cause.onset[0])
    assert cause.bad.empty


@PROFILES
def test_judge_cause_does_not_blame_the_patch_for_failures_that_continue_without_it(incident):
    """Exposed or not, everybody fails from one morning on to the end."""
    cause = judge(w.outage_to_the_end(4), incident)
    assert cause.status == "not_supported"
    assert "shared_outage" in cause.competing


@PROFILES
def test_judge_cause_finds_no_control_where_all_changed_in_one_night(incident):
    cause = judge(w.big_bang(5), incident)
    assert cause.status == "no_control"
    assert set(cause.changes) == {"KB5009543"}
    assert "cannot" not in cause.text
    assert "nothing in the evidence can rule out another cause" in cause.text


def test_judge_cause_finds_no_control_however_many_other_changes_there_are():
    """With hundreds of suspects each prior is small; that must not decide for the outage."""
    world = w.big_bang(6)
    rng = np.random.default_rng(6)
    for number in range(300):
        host = str(rng.choice(world.names))
        world.others.append((host, f"Driver {number}", day(int(rng.integers(2, 30))), None))
    assert judge(world).status == "no_control"


@pytest.mark.parametrize("wave", [1])
def test_judge_cause_is_not_convinced_by_the_reversal_of_one_host(wave):
    cause = judge(w.big_bang(7, wave=wave))
    assert cause.status == "no_control"


@PROFILES
def test_judge_cause_supports_a_big_bang_with_removals_on_different_days(incident):
    cause = judge(w.big_bang(8, wave=10), incident)
    assert cause.status == "supported"
    assert set(cause.changes) == {"KB5009543"}
    assert check(cause, "reversal").passed


@PROFILES
def test_judge_cause_cannot_separate_what_was_always_installed_together(incident):
    cause = judge(w.together(9), incident)
    assert cause.status == "not_separable"
    assert set(cause.changes) == {"KB5009543", "Contoso Net 4.2"}
    groups = cause.suspects.set_index("change")["group"]
    assert groups["KB5009543"] == groups["Contoso Net 4.2"] == 1


@PROFILES
def test_judge_cause_separates_what_came_together_on_seven_hosts_of_ten(incident):
    cause = judge(w.together(9, share=0.7), incident)
    assert cause.status == "supported"
    assert set(cause.changes) == {"KB5009543"}


@PROFILES
@pytest.mark.parametrize("seed", [3, 4])
def test_judge_cause_finds_the_guilty_driver_beside_an_innocent_patch(seed, incident):
    cause = judge(w.driver_guilty(seed), incident)
    assert cause.status == "supported"
    assert cause.changes == ("Fabrikam NIC 9.1",)


@PROFILES
@pytest.mark.parametrize("longer", [True, False])
def test_judge_cause_is_not_stolen_by_a_superset_or_a_subset_in_time(longer, incident):
    """A driver that came with the patch on the same hosts, and stayed longer or went sooner."""
    world = w.staggered(10)
    for host in world.names:
        spans = [(t, r) for t, r in world.states[host] if r == BAD]
        for start, _ in spans:
            end = None if longer else start + pd.Timedelta(days=3)
            early = start - pd.Timedelta(days=3) if longer else start
            world.others.append((host, "Contoso Net 4.2", early, end))
    cause = judge(world, incident)
    assert cause.status == "supported"
    assert set(cause.changes) == BOTH


@PROFILES
def test_judge_cause_supports_where_only_half_of_the_hosts_are_susceptible(incident):
    cause = judge(w.staggered(11, share=0.5), incident)
    assert cause.status == "supported"
    assert set(cause.changes) == BOTH


@PROFILES
def test_judge_cause_supports_where_two_attempts_of_five_fail(incident):
    cause = judge(w.staggered(12, chance=0.4, per_day=3.0), incident)
    assert cause.status == "supported"
    assert set(cause.changes) == BOTH


def test_judge_cause_is_not_misled_by_hosts_that_fail_all_along_with_other_codes():
    world = w.staggered(13)
    world.base_code = "691"
    for host in world.names[-4:]:
        world.rates[host] = 0.9
    cause = judge(world)
    assert cause.status == "supported"
    rates = check(cause, "same-day controls").text
    assert "without the change in 0 of" in rates


@PROFILES
def test_judge_cause_says_insufficient_of_two_hosts(incident):
    world = World(14, hosts=2)
    world.stagger(world.names, PATCHED, PATCHED + 3).fault = fails_under(BAD)
    cause = judge(world, incident)
    assert cause.status == "insufficient"
    assert cause.text.startswith("Too little to say")
    assert "2 of 2 hosts" in cause.text


def test_judge_cause_says_insufficient_where_one_host_of_many_fails_under_the_change():
    world = World(15, hosts=40, base=0.0, per_day=4.0)
    world.others.append(("WS0003", "Fabrikam NIC", day(20), None))
    world.fault = lambda host, time, _: (1.0, "789") if world.has(host, "Fabrikam NIC", time) else 0
    cause = judge(world, OPEN)
    assert cause.status in ("insufficient", "not_supported")
    assert cause.changes == ()


@PROFILES
def test_judge_cause_says_that_there_is_nothing_to_explain_where_nothing_fails(incident):
    world = World(16, hosts=12, base=0.0).stagger(["WS0001", "WS0002"], 5, 9)
    cause = judge(world, incident)
    assert cause.status == "insufficient"
    assert cause.text.startswith("There is nothing to explain")
    assert cause.changes == ()


@PROFILES
def test_judge_cause_clears_all_changes_where_few_attempts_fail_at_random(incident):
    cause = judge(w.quiet(17), incident)
    assert cause.status == "not_supported"
    assert cause.competing == ()
    assert "no common cause" in cause.text


@PROFILES
def test_judge_cause_does_not_blame_a_named_suspect_that_was_never_installed(incident):
    world = World(18, hosts=10)
    world.fault = fails_during(day(20), day(22))
    cause = judge(world, incident)
    assert cause.changes == ()
    assert cause.status == "not_supported"
    assert cause.competing == ("shared_outage",)


def test_judge_cause_says_insufficient_where_no_change_came_or_went_and_all_always_fail():
    world = World(19, hosts=10)
    world.fault = fails_during(day(0), day(60), chance=0.5)
    cause = judge(world, OPEN)
    assert cause.status == "insufficient"
    assert "no change came or went" in cause.text


@pytest.mark.parametrize("family", w.INNOCENT, ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", [101, 102])
@PROFILES
def test_judge_cause_blames_nobody_where_nobody_is_guilty(family, seed, incident):
    cause = judge(family(seed), incident)
    assert cause.status in ("not_supported", "insufficient")
    assert cause.changes == ()


def test_judge_cause_blames_no_release_that_explains_no_difference_where_all_always_fail():
    """Half are patched, everybody fails before and after: carried on, the oldest release fits."""
    world = World(2, hosts=8, base=0.99)
    world.stagger(world.names[:4], PATCHED, PATCHED + 5)
    cause = judge(world, OPEN)
    assert cause.status == "insufficient"
    assert cause.changes == ()


def test_judge_cause_keeps_what_came_after_the_cure_however_many_releases_followed():
    """With many possible courses, an end for all must not be read into the last cure."""
    world = World(1, hosts=10, days=120, per_day=1.0)
    world.stagger(world.names, PATCHED, PATCHED + 5).stagger(world.names, 32, 38, FIX)
    for number, revision in enumerate([1503, 1526, 1566, 1586, 1620, 1645]):
        world.stagger(world.names[:6], 42 + 8 * number, 44 + 8 * number, revision)
    world.fault = fails_under(BAD)
    cause = judge(world, OPEN)
    assert cause.status == "supported"
    assert "no longer fail with the change in effect" not in "".join(c.text for c in cause.checks)
    assert "of 10 failing hosts seen after the change was gone" in check(cause, "reversal").text


def test_judge_cause_names_several_outages_the_gateway_states_one_by_one():
    """The time between two outages is not one."""
    world = World(3, hosts=8, days=30, base=0.0)
    world.stagger(world.names[:5], 10, 15)
    down = [(day(7, 6), day(9, 6)), (day(21, 6), day(23, 6))]
    world.fault = lambda _host, time, _revision: (
        (1.0, w.SYMPTOM) if any(a <= time < b for a, b in down) else None
    )
    tables = world.tables()
    times = [
        (t, action)
        for span in down
        for t, action in zip(span, ("gateway_stopped", "gateway_started"), strict=True)
    ]
    sessions = schema.frame(
        "sessions",
        [
            {"gateway": "gw", "action": action, "time": t, "time_low": t, "time_high": t}
            for t, action in times
        ],
    )
    cause = judge_cause(tables.attempts, tables.exposure, tables.coverage, NAMED, sessions)
    assert cause.competing == ("shared_outage",)
    assert "down 2 times between" in cause.text
    assert [(one.start, one.end) for one in cause.outages] == down


def test_judge_cause_leaves_out_hosts_of_unknown_state_and_says_so():
    world = w.staggered(20)
    world.stateless = frozenset(world.names[:3])
    world.others.append((world.names[0], "Driver", day(3), None))  # a driver list says no build
    cause = judge(world)
    assert cause.status == "supported"
    data = check(cause, "enough data")
    assert "hosts of unknown state are left out" in data.text
    assert "on 21 of 24 hosts" in data.text


def test_judge_cause_of_empty_tables_is_insufficient():
    cause = judge_cause(
        schema.empty("attempts"), schema.empty("exposure"), schema.empty("coverage"), NAMED
    )
    assert cause.status == "insufficient"
    assert cause.text.startswith("Nothing can be said")
    assert cause.suspects.empty


def test_judge_cause_survives_one_day_on_which_all_fail():
    world = World(21, hosts=6, days=1, per_day=9.0)
    world.fault = fails_during(day(0), day(1), chance=1.0)
    world.patch("WS0001", day(0, 12))
    assert judge(world).status in ("insufficient", "not_supported", "no_control")


def test_judge_cause_does_not_depend_on_the_order_of_rows():
    tables = w.staggered(22, hosts=10).tables()
    one = judge_cause(tables.attempts, tables.exposure, tables.coverage, OPEN)
    mixed = tables.attempts.sample(frac=1, random_state=1, ignore_index=True)
    spans = tables.exposure.sample(frac=1, random_state=2, ignore_index=True)
    two = judge_cause(mixed, spans, tables.coverage, OPEN)
    assert (one.status, set(one.changes), one.onset) == (two.status, set(two.changes), two.onset)
    pd.testing.assert_frame_equal(one.suspects, two.suspects)


def test_judge_cause_states_the_onset_between_the_last_success_and_the_first_failure():
    cause = judge(w.staggered(23, chance=1.0))
    time, low, high = cause.onset
    assert low <= time == high
    assert time > day(PATCHED)


def test_judge_cause_ranks_every_suspect_once():
    table = judge(w.quiet(24), OPEN).suspects
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    assert table["change"].is_unique
    assert table["probability"].between(0, 1).all()
    assert table["probability"].is_monotonic_decreasing


def test_judge_cause_supports_a_named_suspect_with_an_uninstall_put_back():
    world = w.staggered(25)
    for host in world.names[:6]:
        start = next(t for t, r in world.states[host] if r == BAD)
        world.states[host] = [(None, DECEMBER), (start, BAD),
                              (start + pd.Timedelta(days=4), DECEMBER),
                              (start + pd.Timedelta(days=9), BAD),
                              (start + pd.Timedelta(days=13), FIX)]  # fmt: skip
    assert judge(world).status == "supported"


def test_make_episodes_counts_a_burst_once_by_its_first_telling_try():
    rows = [
        {"host": "A", "time": day(1), "outcome": "failure", "code": "789", "episode": 1, "records": ["1"]},
        {"host": "A", "time": day(1), "outcome": "failure", "code": "789", "episode": 1, "records": ["2"]},
        {"host": "A", "time": day(2), "outcome": "failure", "code": "789", "episode": 2, "records": ["3"]},
        {"host": "A", "time": day(2, 9.1), "outcome": "success", "code": "", "episode": 2, "records": ["4"]},
        {"host": "A", "time": day(3), "outcome": "failure", "code": "691", "episode": 3, "records": ["5"]},
        {"host": "A", "time": day(4), "outcome": "cancelled", "code": "", "episode": 4, "records": ["6"]},
        {"host": "A", "time": day(5), "outcome": "failure", "code": "691", "episode": 5, "records": ["7"]},
        {"host": "A", "time": day(5, 9.1), "outcome": "failure", "code": "789", "episode": 5, "records": ["8"]},
        {"host": "A", "time": day(6), "outcome": "failure", "code": "691", "episode": 6, "records": ["9"]},
        {"host": "A", "time": day(6, 9.1), "outcome": "success", "code": "", "episode": 6, "records": ["10"]},
    ]  # fmt: skip
    attempts = schema.frame("attempts", rows).sample(frac=1, random_state=1)
    got = make_episodes(attempts, NAMED)
    assert got["failed"].tolist() == [True, True, False, True, False]
    assert got["records"].tolist() == [["1", "2"], ["3", "4"], ["5"], ["7", "8"], ["9", "10"]]
    assert make_episodes(attempts, OPEN)["failed"].tolist() == [True] * 5
    assert make_episodes(attempts.head(0), NAMED).empty


def test_cause_renders_its_checks_and_its_text():
    cause = judge(w.staggered(26, hosts=8))
    html = cause._repr_html_()
    assert cause.text in html
    assert all(c.name in html for c in cause.checks)
    assert replace(cause, status="insufficient").blames is False
