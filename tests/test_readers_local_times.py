"""Local times of update histories: an interval until something tells the offset."""

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
