"""Printed days become intervals that claim no more than the file decides."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from update_dialect_samples import utc

from kitlib.readers import dates


def test_day_covers_the_local_day_everywhere_on_earth():
    when = dates.day(date(2022, 1, 12))
    # midnight at UTC+14 is 10:00 UTC the day before; the day ends at UTC-12 at noon the day after
    assert (when.low, when.high) == (utc("2022-01-11T10:00"), utc("2022-01-13T12:00"))
    assert (when.date, when.basis) == (utc("2022-01-12"), "date")


def test_day_narrows_when_the_zone_is_known():
    hour = pd.Timedelta("1h").to_pytimedelta()
    when = dates.day(date(2022, 1, 12), east=hour, west=-hour)  # UTC+1
    assert (when.low, when.high) == (utc("2022-01-11T23:00"), utc("2022-01-12T23:00"))


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["1/12/2022", "1/13/2022"], "month first"),
        (["1/12/2022", "13/1/2022"], "day first"),
        (["1/12/2022", "2/3/2022"], "undecided"),
        (["13/1/2022", "1/13/2022"], "mixed"),
        (["12.01.2022 00:00:00"], "day first"),
        (["12-01-2022"], "day first"),
        (["2022-01-12", "2022/01/13"], "undecided"),
        ([], "undecided"),
    ],
)
def test_order_of_decides_from_all_values_of_the_file(values, order):
    assert dates.order_of(values) == order


@pytest.mark.parametrize(
    ("value", "order", "day"),
    [
        ("1/12/2022 12:00:00 AM", "month first", "2022-01-12"),
        ("12/01/2022 00:00:00", "day first", "2022-01-12"),
        ("2022-01-12", "undecided", "2022-01-12"),
        ("2022. 1. 12. 00:00", "undecided", "2022-01-12"),
        ("2022/01/12", "day first", "2022-01-12"),
        ("20220112", "month first", "2022-01-12"),
        ("\u200e1/12/2022", "month first", "2022-01-12"),
        ("4/4/2022", "undecided", "2022-04-04"),
        ("1/13/2022", "mixed", "2022-01-13"),
        ("12.01.22", "day first", "2022-01-12"),
    ],
)
def test_read_day_reads_what_windows_prints(value, order, day):
    assert dates.read_day(value, order) == dates.day(date.fromisoformat(day))


@pytest.mark.parametrize("value", ["", "soon", "31/31/2022", "0/0/2022", "1/1/1601", "99999999"])
def test_read_day_refuses_what_is_no_date(value):
    assert dates.read_day(value, "undecided") is None


def test_read_day_spans_both_readings_when_undecided():
    when = dates.read_day("1/12/2022", "undecided")
    assert when == dates.either(date(2022, 1, 12), date(2022, 12, 1))
    assert when.date is None
    assert when.low == utc("2022-01-11T10:00")
    assert when.high == utc("2022-12-02T12:00")


def test_filetime_is_exact_to_100_ns():
    # 2019-03-21T10:29:36.3017569Z, from the known relation ticks = (t - 1601) * 1e7
    assert dates.filetime("01d4dfd0fb4eb361") == dates.instant(utc("2019-03-21T10:29:36.301756900"))
    assert dates.filetime("ffffffffffffffff") is None
    assert dates.filetime("KB5009543") is None
