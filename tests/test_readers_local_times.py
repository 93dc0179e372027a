"""Local times as Windows prints them: every reading at every offset, until something decides."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from update_dialect_samples import utc

from kitlib.readers import dates
from kitlib.readers.updates import (
    midnights,
)


@pytest.mark.parametrize(
    ("value", "order", "low", "high"),
    [
        ("1/12/2022 3:15 AM", "month first", "2022-01-12T03:15", "2022-01-12T03:16"),
        ("1/12/2022 3:15:07 PM", "month first", "2022-01-12T15:15:07", "2022-01-12T15:15:07"),
        ("1/12/2022 12:15:07 a.m.", "month first", "2022-01-12T00:15:07", "2022-01-12T00:15:07"),
        ("12.01.2022 15:15:07", "day first", "2022-01-12T15:15:07", "2022-01-12T15:15:07"),
        ("12/01/2022, 15:15:07", "day first", "2022-01-12T15:15:07", "2022-01-12T15:15:07"),
        ("12-01-2022 15.15", "day first", "2022-01-12T15:15", "2022-01-12T15:16"),
        ("2022/1/12 8:45", "undecided", "2022-01-12T08:45", "2022-01-12T08:46"),
        ("2022-01-12T08:45:01", "undecided", "2022-01-12T08:45:01", "2022-01-12T08:45:01"),
        # a word of another language may mean either half of the day
        ("2022/1/12 上午 8:45:00", "undecided", "2022-01-12T08:45", "2022-01-12T20:45"),
        # and an undecided order either day
        ("1/12/2022 08:45:00", "undecided", "2022-01-12T08:45", "2022-12-01T08:45"),
    ],
)
def test_read_local_covers_every_offset_and_every_reading(value, order, low, high):
    got = dates.read_local(value, order)
    assert (got.low, got.high) == (utc(low) - dates.EAST, utc(high) + dates.WEST)
    assert got.basis == "local"
    sure = utc(high) - utc(low) <= pd.Timedelta("1min")
    assert got.date == (utc(low) if sure else None)


@pytest.mark.parametrize(
    ("printed", "order", "first", "last"),
    [
        ("2022/1/5 3:15", "undecided", "2022-01-05T03:15", "2022-01-05T03:15"),
        ("25/09/2022 03:15 p.\u00a0m.", "day first", "2022-09-25T15:15", "2022-09-25T15:15"),
        ("25/09/2022 3:15\u202fPM", "day first", "2022-09-25T15:15", "2022-09-25T15:15"),
        # what ASCII leaves of a word for the half of the day
        ("2022-01-12 ?? 3:15", "undecided", "2022-01-12T03:15", "2022-01-12T15:15"),
        # a year of two digits may stand first
        ("22/01/12 03:15", "undecided", "2012-01-22T03:15", "2022-01-12T03:15"),
        ("22/01/12 03:15", "day first", "2012-01-22T03:15", "2012-01-22T03:15"),
        # and be of either century
        ("31/12/95 03:15", "day first", "1995-12-31T03:15", "2095-12-31T03:15"),
    ],
)
def test_a_printed_time_covers_every_reading(printed, order, first, last):
    got = dates.read_local(printed, order)
    low, high = (pd.Timestamp(one, tz="UTC").as_unit("ns") for one in (first, last))
    assert (got.low, got.high) == (
        low - dates.EAST,
        high + dates.WEST + pd.Timedelta("1min"),
    )
    assert got.date == (low if first == last else None)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "31/31/2022 10:00",
        "1/1/2022 99:99",
        "1/1/1601 1:00",
        "1/1/9999 1:00",
        "1/1/2022 7",
    ],
)
def test_read_local_refuses_what_is_no_time(value):
    assert dates.read_local(value, "month first") is None


def test_read_local_without_a_time_of_day_is_a_day():
    assert dates.read_local("1/12/2022", "month first") == dates.day(date(2022, 1, 12))


@settings(max_examples=60, deadline=None)
@given(
    local=st.datetimes(datetime(1995, 1, 1), datetime(2095, 1, 1)),  # a wall's time
    offset=st.integers(-48, 56),
    form=st.sampled_from(["%m/%d/%Y %I:%M:%S %p", "%Y/%m/%d %H:%M", "%m/%d/%Y %H:%M:%S"]),
)
def test_read_local_holds_the_truth_at_every_offset(local, offset, form):
    truth = utc(str(local)) - pd.Timedelta(minutes=15 * offset)
    got = dates.read_local(local.strftime(form), "month first")
    assert got.low <= truth.floor("s")
    assert truth.floor("s") <= got.high


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["22/01/12"], "undecided"),
        (["22/01/12", "22/01/31"], "undecided"),
        (["22/01/12", "31/01/45"], "day first"),
        (["1/25/22"], "month first"),
        (["12.01.22"], "undecided"),
        (["2022/1/5", "2022/1/25"], "undecided"),
    ],
)
def test_years_of_two_digits_decide_nothing_while_they_may_stand_first(values, order):
    assert dates.order_of(values) == order


def test_the_order_of_rows_decides_nothing_while_years_may_stand_first():
    assert dates.order_in_time(["02/01/01 00:00", "01/02/01 00:00", "01/01/01 00:00"]) == (
        "undecided"
    )


@pytest.mark.parametrize(
    ("hours", "day"),
    [
        (0, "2022-01-12"),
        (1, "2022-01-12"),
        (5.75, "2022-01-12"),
        (-8, "2022-01-12"),
        (9.75, "2022-01-12"),
    ],
)
def test_read_midnight_of_powershell_5_knows_the_day_and_when_it_began(hours, day):
    begin = utc(day) - pd.Timedelta(hours=hours)
    got = midnights.read_midnight(f"/Date({int(begin.timestamp() * 1000)})/")
    assert got == dates.When(utc(day), begin, begin + pd.Timedelta("25h"), "date")


def test_read_midnight_leaves_the_day_open_where_two_zones_begin_one():
    begin = utc("2022-01-11T11:00")  # the 12th at UTC+13, the 11th at UTC-11
    got = midnights.read_midnight(f"/Date({int(begin.timestamp() * 1000)})/")
    assert (got.date, got.low) == (None, begin)


@pytest.mark.parametrize(
    ("value", "low", "high", "basis"),
    [
        ("2022-01-12T00:00:00", "2022-01-11T10:00", "2022-01-13T12:00", "date"),
        ("2022-01-12T00:00:00Z", "2022-01-11T10:00", "2022-01-13T12:00", "date"),
        ("2022-01-12T00:00:00+01:00", "2022-01-11T23:00", "2022-01-13T00:00", "date"),
        ("2022-01-12T00:00:00-08:00", "2022-01-12T08:00", "2022-01-13T09:00", "date"),
        ("2019-03-21T10:29:36.3017569Z", "2019-03-21T10:29:36.3017569", None, "utc"),
        # no midnight of any zone: the span of all that it can be
        ("/Date(1641957341000)/", "2022-01-11T15:15:41", "2022-01-12T17:15:41", "local"),
    ],
)
def test_read_midnight_reads_every_form(value, low, high, basis):
    got = midnights.read_midnight(value)
    assert (got.low, got.high, got.basis) == (utc(low), utc(high or low), basis)


@pytest.mark.parametrize(
    "value",
    ["", "x", "/Date(999999999999999)/", "/Date(-999999999999999)/", "2022-13-12T00:00:00",
     "2022-01-12T25:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59Z"],
)  # fmt: skip
def test_read_midnight_refuses_what_windows_did_not_write(value):
    assert midnights.read_midnight(value) is None
