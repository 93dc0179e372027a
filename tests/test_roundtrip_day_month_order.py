"""No dialect of update history guesses the order of day and month: both readings stand until a value decides."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from roundtrip_update_samples import (
    EARLY_DAYS,
    HOST,
    MODEST,
    PRINTED,
    SESSIONS,
    contained,
    installed,
    read,
    times,
)

from kitlib.simulate.update_dumps import CULTURES, Session

SLASHED = [one for one in CULTURES.values() if "/" in one.date and "\u200f" not in one.date]
UNDECIDED = [one for one in SLASHED if not one.date.startswith("y")]


def swapped(when: datetime) -> datetime:
    return when.replace(month=when.day, day=when.month)


@pytest.mark.parametrize("dialect", PRINTED)
@pytest.mark.parametrize("culture", UNDECIDED, ids=lambda one: one.name)
def test_one_date_that_can_be_read_two_ways_is_given_as_both(dialect, culture):
    when = datetime(2022, 3, 9, 15, 15, 41, tzinfo=UTC)
    printed = PRINTED[dialect]
    got = read(printed.write([installed(when)], Session(host=HOST, culture=culture)), printed.kind)
    (row,) = got.updates.to_dict("records")
    assert row["date_low"] <= pd.Timestamp(when).floor(printed.unit) <= row["date_high"]
    assert row["date_low"] <= pd.Timestamp(swapped(when)).floor(printed.unit) <= row["date_high"]
    assert pd.isna(row["date"])
    assert "no value decides" in " ".join(got.problems["reason"])


@pytest.mark.parametrize("dialect", PRINTED)
@MODEST
@given(moments=st.lists(EARLY_DAYS, min_size=1, max_size=4), session=SESSIONS)
def test_no_dialect_guesses_the_order_of_day_and_month(dialect, moments, session):
    printed = PRINTED[dialect]
    items = [installed(when, n) for n, when in enumerate(sorted(moments, reverse=True))]
    got = read(printed.write(items, session), printed.kind)
    assert len(got.updates) == len(items)
    contained(got, times(items), "min" if printed.unit == "min" else "s")


@pytest.mark.parametrize("dialect", PRINTED)
@pytest.mark.parametrize("culture", UNDECIDED, ids=lambda one: one.name)
def test_one_day_above_the_twelfth_decides_for_the_whole_file(dialect, culture):
    printed = PRINTED[dialect]
    moments = [
        datetime(2022, month, day, 15, 15, 41, tzinfo=UTC) for month, day in ((9, 25), (3, 9))
    ]
    items = [installed(when, n) for n, when in enumerate(moments)]
    got = read(printed.write(items, Session(host=HOST, culture=culture)), printed.kind)
    walls = [pd.Timestamp(when).floor(printed.unit) for when in moments]
    assert got.updates["date"].tolist() == walls
    width = (got.updates["date_high"] - got.updates["date_low"]).max()
    assert width <= pd.Timedelta(hours=50 if printed.unit == "D" else 26, minutes=1)


@pytest.mark.parametrize("dialect", PRINTED)
@pytest.mark.parametrize(
    "culture", [one for one in CULTURES.values() if one not in UNDECIDED], ids=lambda one: one.name
)
def test_dates_that_can_be_read_one_way_only_need_no_other_row(dialect, culture):
    printed = PRINTED[dialect]
    when = datetime(2022, 3, 9, 15, 15, 41, tzinfo=UTC)
    got = read(printed.write([installed(when)], Session(host=HOST, culture=culture)), printed.kind)
    contained(got, [when], "min" if printed.unit == "min" else "s")
    if "tt" in culture.clock and printed.unit != "D":
        return  # words for the halves of the day may not be understood
    if "\u200f" not in culture.date:
        assert got.updates["date"].tolist() == [pd.Timestamp(when).floor(printed.unit)]
