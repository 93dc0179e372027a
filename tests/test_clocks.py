"""Where the clock was set, a time is an interval that holds both readings."""

from __future__ import annotations

import time

import pandas as pd
import pytest
import worlds
from pandas.testing import assert_frame_equal

from kitlib import schema
from kitlib.clocks import widen_for_clock_jumps


def changed(new, old, **columns):
    return worlds.fact(new, "clock_changed", target=old, record_id=9, **columns)


def widths(*facts):
    """Hours by which low and high are away from the time, by fact."""
    df = schema.check("timeline", widen_for_clock_jumps(worlds.timeline(*facts)))
    hour = pd.Timedelta("1h")
    low, high = (df["time"] - df["time_low"]) / hour, (df["time_high"] - df["time"]) / hour
    return list(zip(df["action"], low.tolist(), high.tolist(), strict=True))


def test_widen_covers_the_facts_since_the_start_before_a_jump_forward():
    assert widths(
        worlds.step("01-11 07:00", "attempt_failed"),
        worlds.boot("01-11 08:00"),
        worlds.step("01-11 08:30", "attempt_started"),
        changed("01-11 12:00", "2022-01-11T09:00:00Z"),
        worlds.step("01-11 12:30", "attempt_succeeded"),
    ) == [
        ("attempt_failed", 0, 0),
        ("boot", 0, 3),
        ("attempt_started", 0, 3),
        ("clock_changed", 0, 0),
        ("attempt_succeeded", 0, 0),
    ]


def test_widen_covers_a_jump_backward_with_earlier_readings():
    assert widths(
        worlds.boot("01-11 08:00"),
        changed("01-10 09:00", "2022-01-11T09:00:00Z"),
    ) == [("clock_changed", 0, 0), ("boot", 24, 0)]


def test_widen_leaves_small_corrections_alone():
    facts = worlds.boot("01-11 08:00"), changed("01-11 09:00:30", "2022-01-11T09:00:00Z")
    assert {(low, high) for _, low, high in widths(*facts)} == {(0, 0)}


def test_widen_takes_time_slept_for_no_error():
    facts = (
        worlds.boot("01-11 08:00"),
        worlds.fact("01-11 09:00", "sleep", record_id=2),
        changed("01-12 07:00", "2022-01-11T09:00:20Z"),
    )
    assert {(low, high) for _, low, high in widths(*facts)} == {(0, 0)}


def test_widen_concerns_the_host_whose_clock_was_set():
    facts = (
        worlds.boot("01-11 08:00", host="PC2"),
        worlds.boot("01-11 08:00"),
        changed("01-11 12:00", "2022-01-11T09:00:00Z"),
    )
    assert widths(*facts)[0] == ("boot", 0, 3)
    assert widths(*facts)[1] == ("boot", 0, 0)


def test_widen_adds_up_over_two_jumps_of_one_session():
    (boot, *_) = widths(
        worlds.boot("01-11 08:00"),
        changed("01-11 12:00", "2022-01-11T09:00:00Z"),
        changed("01-11 11:00", "2022-01-11T13:00:00Z"),
    )
    assert boot == ("boot", 2, 3)


def test_widen_leaves_times_of_other_clocks_alone():
    facts = (
        worlds.listed("01-11 08:30"),
        worlds.listed("01-11 08:40", width="12h"),
        worlds.boot("01-11 08:00"),
        changed("01-11 12:00", "2022-01-11T09:00:00Z"),
    )
    assert ("update_installed", 12, 12) in widths(*facts)


@pytest.mark.parametrize(
    "old", ["1601-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday", "", "0"]
)
def test_widen_ignores_readings_that_are_no_time(old):
    facts = worlds.timeline(worlds.boot("01-11 08:00"), changed("01-11 12:00", old))
    assert_frame_equal(widen_for_clock_jumps(facts), facts)


def test_widen_survives_facts_without_a_time():
    facts = worlds.timeline(
        worlds.boot(None),
        worlds.boot("01-11 08:00"),
        changed("01-11 12:00", "2022-01-11T09:00:00Z"),
        changed(None, "2022-01-11T09:00:00Z"),
    )
    assert widen_for_clock_jumps(facts)["time_high"].notna().tolist() == [True, True, False, False]


def test_widen_leaves_its_argument_alone():
    facts = worlds.timeline(
        worlds.boot("01-11 08:00"), changed("01-11 12:00", "2022-01-11T09:00:00Z")
    )
    before = facts.copy()
    widen_for_clock_jumps(facts)
    assert_frame_equal(facts, before)


def test_widen_of_a_fleet_takes_seconds():
    one = worlds.timeline(
        *(worlds.boot(f"01-{day:02d} 08:00") for day in range(1, 29)),
        changed("01-11 12:00", "2022-01-11T09:00:00Z"),
    )
    fleet = pd.concat([one.assign(host=f"PC{n}") for n in range(1000)], ignore_index=True)
    began = time.process_time()
    out = widen_for_clock_jumps(fleet)
    assert time.process_time() - began < 3
    assert (out["time_high"] > out["time"]).sum() == 1000


def test_widen_of_nothing_is_nothing():
    assert widen_for_clock_jumps(schema.empty("timeline")).empty
