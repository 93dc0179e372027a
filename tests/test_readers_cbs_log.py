"""CBS.log of servicing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from update_dialect_samples import (
    AFTER,
    BEFORE,
    CHANGED,
    ROLLUP,
    change,
    installed,
    mark,
    reasons,
    span,
    utc,
)

from kitlib.readers.updates import (
    cbs,
)


def test_cbs_learns_the_offset_from_its_own_utc_marks():
    got = cbs.read((BEFORE + CHANGED + AFTER).encode())
    want = installed(
        utc("2022-01-12T03:15:41"),
        "offset",
        title=ROLLUP,
        client_application_id="WindowsUpdateAgent",
        source_kind="cbs_log",
    )
    pd.testing.assert_frame_equal(got.updates, want)
    assert got.problems.empty


def test_cbs_without_marks_gives_a_local_time_of_unknown_zone():
    got = cbs.read(CHANGED.encode())
    written = utc("2022-01-12T04:15:41")
    low, high = written - pd.Timedelta("14h"), written + pd.Timedelta("12h")
    assert span(got.updates.iloc[0]) == (written, low, high, "local")
    assert "no UTC marks" in reasons(got)


def test_cbs_beside_one_mark_allows_for_a_change_of_clocks():
    row = cbs.read((BEFORE + CHANGED).encode()).updates.iloc[0]
    truth, hour = utc("2022-01-12T03:15:41"), pd.Timedelta("1h")
    assert (row["date_low"], row["date_high"]) == (truth - hour, truth + hour)
    assert row["date_basis"] == "local"


def test_cbs_between_marks_that_differ_spans_both():
    # 27 March 2022, 02:00 becomes 03:00 in Berlin
    before = mark("2022-03-27 01:59:00", "2022/3/27:00:59:00.0")
    after = mark("2022-03-27 03:01:00", "2022/3/27:01:01:00.0")
    row = cbs.read((before + change("2022-03-27 03:00:30") + after).encode()).updates.iloc[0]
    assert row["date_low"] == utc("2022-03-27T01:00:30")  # the truth: already UTC+2
    assert row["date_high"] == utc("2022-03-27T02:00:30")


@pytest.mark.parametrize(
    ("how", "want"),
    [
        ({}, ("install", "succeeded", "0x00000000")),
        ({"current": "Install Pending"}, ("install", "in_progress", "0x00000000")),
        ({"current": "Staged", "status": "0x800f0922"}, ("install", "failed", "0x800f0922")),
        (
            {"original": "Installed", "target": "Absent", "current": "Absent"},
            ("uninstall", "succeeded", "0x00000000"),
        ),
    ],
)
def test_cbs_judges_a_change_by_state_and_status(how, want):
    row = cbs.read(change("2022-01-12 04:15:41", **how).encode()).updates.iloc[0]
    assert (row["operation"], row["result_code"], row["hresult"]) == want


def test_cbs_leaves_out_what_changes_no_package():
    feature = change("2022-01-12 04:15:41", original="Installed", status="0x800f0922")
    staging = change("2022-01-12 04:15:41", original="Absent", target="Staged", current="Staged")
    got = cbs.read((feature + staging).encode())
    assert got.updates.empty
    assert "no package change was completed" in reasons(got)


def test_cbs_takes_the_kb_that_the_file_names_beside_a_package():
    named = (
        "2022-01-12 04:00:00, Info                  CBS    Exec: Processing started.  "
        f"Session: 1_2, Package: {ROLLUP}, Identifier: KB5009543\r\n"
    )
    assert cbs.read((named + CHANGED).encode()).updates["kb"].item() == "KB5009543"


def test_cbs_does_not_believe_a_mark_that_is_no_offset():
    wrong = mark("2022-01-12 04:00:00", "2022/1/14:03:00:00.0") + mark(
        "2022-01-12 04:00:00", "2022/1/12:03:07:00.0"
    )
    assert cbs._offsets(wrong).offset == []


@settings(max_examples=40, deadline=None)
@given(
    moment=st.datetimes(datetime(2001, 1, 2), datetime(2099, 1, 1)),  # UTC below
    quarters=st.integers(-48, 56),
)
def test_cbs_gives_back_the_instant_at_every_offset(moment, quarters):
    local = moment + timedelta(minutes=15 * quarters)
    shown = f"{local:%Y-%m-%d %H:%M:%S}"
    one = mark(shown, f"{moment.year}/{moment.month}/{moment.day}:{moment:%H:%M:%S}.5")
    got = cbs.read((one + change(shown) + one).encode()).updates["date"].item()
    assert got == pd.Timestamp(moment, tz="UTC").floor("s")
