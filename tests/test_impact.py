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
}
MENDED = {**HIT, "recovered_at": at(2)}
LATER = {**HIT, "onset": at(1), "recovered_at": at(2)}
WELL = {"failures": 0, "hours_lost": 0.0, "hours_low": 0.0, "hours_high": 0.0}
UNSEEN = {"failures": 0}


def removal(day, change="KB5009543"):
    row = {"host": "H0", "time": at(day), "action": "update_uninstalled", "change": change}
    return schema.frame("timeline", [row])


NO_FACTS = schema.empty("timeline")


def test_measure_impact_counts_affected_hosts_and_their_failures():
    impact = measure_impact(hosts(HIT, MENDED, WELL, UNSEEN), NO_FACTS, NAMED)
    assert (impact.hosts_affected, impact.attempts_lost, impact.hosts_open) == (2, 10, 1)


def test_measure_impact_adds_hours_and_half_widths_in_squares():
    impact = measure_impact(hosts(HIT, MENDED, WELL, UNSEEN), NO_FACTS, NAMED)
    hours, low, high = impact.user_hours_lost
    assert hours == 20.0
    assert low == pytest.approx(20 - (3**2 + 3**2) ** 0.5)
    assert high == pytest.approx(20 + (4**2 + 4**2) ** 0.5)


def test_measure_impact_means_time_to_mend_over_the_mended():
    impact = measure_impact(hosts(HIT, MENDED, LATER), NO_FACTS, NAMED)
    assert impact.mttr_hours == pytest.approx((48 + 24) / 2)


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
    assert impact.user_hours_lost == (0.0, 0.0, 0.0)
    assert impact.mttd_hours is None
    assert impact.mttr_hours is None


def test_impact_shows_each_number_with_its_meaning():
    html = measure_impact(hosts(HIT, MENDED), removal(3), NAMED)._repr_html_()
    assert all(meaning.split(";")[0] in html for meaning in DEFINITIONS.values())
