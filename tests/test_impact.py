"""Claims about the cost: sums with their meaning, and unknown where unknown."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from kitlib import schema
from kitlib.impact import DEFINITIONS, measure_impact
from kitlib.incident import load_incident

NAMED = load_incident("kb5009543")
OPEN = load_incident("vpn-outage")


def at(day, hour=8):
    return pd.Timestamp("2022-01-12", tz="UTC") + pd.Timedelta(days=day, hours=hour)


def hosts(*rows):
    return schema.frame("hosts", [{"host": f"H{n}", **row} for n, row in enumerate(rows)])


HIT = {
    "exposed_from": at(-1),
    "onset": at(0),
    "failures": 5,
    "hours_lost": 10.0,
    "hours_low": 7.0,
    "hours_high": 14.0,
    "attempts_lost": 8.0,
    "attempts_low": 6.0,
    "attempts_high": 11.0,
}
MENDED = {**HIT, "recovered_at": at(2)}
LATER = {**HIT, "onset": at(1), "recovered_at": at(2)}
WELL = {"failures": 0, **dict.fromkeys(("hours_lost", "hours_low", "hours_high"), 0.0)}
UNSEEN = {"failures": 0}


def removal(day, change="KB5009543"):
    row = {"host": "H0", "time": at(day), "action": "update_uninstalled", "change": change}
    return schema.frame("timeline", [row])


NO_FACTS = schema.empty("timeline")


def test_measure_impact_counts_affected_hosts_and_the_attempts_they_would_have_had():
    impact = measure_impact(hosts(HIT, MENDED, WELL, UNSEEN), NO_FACTS, NAMED)
    assert (impact.hosts_affected, impact.attempts_lost, impact.hosts_open) == (2, 16, 1)


def test_measure_impact_adds_what_hosts_lost_and_their_parts_in_the_error():
    parts = {"hours_share": 2.0, "attempts_share": 1.0}
    got = measure_impact(hosts({**HIT, **parts}, {**MENDED, **parts}, WELL), NO_FACTS, NAMED)
    # Half-widths of 4 and 2, split as the hosts' own are: 3 below to 4 above, 2 to 3.
    assert got.user_hours_lost == pytest.approx((20, 20 - 4 * 6 / 7, 20 + 4 * 8 / 7))
    assert got.attempts_lost_interval == pytest.approx((16, 16 - 2 * 4 / 5, 16 + 2 * 6 / 5))


def test_measure_impact_takes_errors_to_go_together_where_their_parts_are_not_told():
    got = measure_impact(hosts(HIT, MENDED), NO_FACTS, NAMED)
    assert got.user_hours_lost == pytest.approx((20, 14, 28))


def test_measure_impact_of_hosts_of_which_all_is_known_has_no_width():
    sure = {**HIT, "hours_low": 10.0, "hours_high": 10.0, "hours_share": 0.0}
    assert measure_impact(hosts(sure), NO_FACTS, NAMED).user_hours_lost == (10.0, 10.0, 10.0)


def test_measure_impact_leaves_out_hosts_of_which_nobody_knows_what_they_lost():
    unknown = {**HIT, **dict.fromkeys([n for n in HIT if n.endswith(("lost", "low", "high"))])}
    impact = measure_impact(hosts(HIT, unknown), NO_FACTS, NAMED)
    assert impact.user_hours_lost == pytest.approx((10.0, 7.0, 14.0))
    assert (impact.hosts_affected, impact.attempts_lost) == (2, 8)


def test_measure_impact_means_time_to_mend_over_the_mended():
    impact = measure_impact(hosts(HIT, MENDED, LATER), NO_FACTS, NAMED)
    assert impact.mttr_hours == pytest.approx((48 + 24) / 2)


def test_measure_impact_says_that_the_mean_time_leaves_out_the_hosts_still_out():
    impact = measure_impact(hosts(HIT, MENDED), NO_FACTS, NAMED)
    assert (impact.mttr_hours, impact.hosts_open) == (48.0, 1)
    assert "lower bound" in impact.definitions["mttr_hours"]


def test_measure_impact_does_not_know_the_time_to_mend_before_anything_is():
    assert measure_impact(hosts(HIT, WELL), NO_FACTS, NAMED).mttr_hours is None


def test_measure_impact_takes_the_first_removal_of_the_patch_for_detection():
    assert measure_impact(hosts(HIT), removal(3), NAMED).mttd_hours == pytest.approx(72)
    assert measure_impact(hosts(HIT), removal(3, "KB1"), NAMED).mttd_hours is None
    assert measure_impact(hosts(HIT), removal(3, "KB1"), OPEN).mttd_hours == pytest.approx(72)


def test_measure_impact_takes_no_removal_for_detection_where_no_change_is_blamed():
    assert (
        measure_impact(hosts({**HIT, "exposed_from": None}), removal(3), NAMED).mttd_hours is None
    )


def test_measure_impact_prefers_the_detection_that_the_profile_states():
    stated = replace(NAMED, detected=at(1))
    assert measure_impact(hosts(HIT), removal(3), stated).mttd_hours == pytest.approx(24)


def test_measure_impact_states_no_negative_time_to_detect():
    stated = replace(NAMED, detected=at(-1))
    assert measure_impact(hosts(HIT), NO_FACTS, stated).mttd_hours is None


@pytest.mark.parametrize("table", [hosts(), hosts(WELL, UNSEEN)], ids=["no host", "none affected"])
def test_measure_impact_of_nothing_is_zero_and_unknown(table):
    impact = measure_impact(table, NO_FACTS, NAMED)
    assert (impact.hosts_affected, impact.attempts_lost) == (0, 0)
    assert impact.user_hours_lost == impact.attempts_lost_interval == (0.0, 0.0, 0.0)
    assert impact.mttd_hours is None
    assert impact.mttr_hours is None


def test_impact_shows_each_number_with_its_meaning():
    html = measure_impact(hosts(HIT, MENDED), removal(3), NAMED)._repr_html_()
    assert all(meaning.split(";")[0] in html for meaning in DEFINITIONS.values())
