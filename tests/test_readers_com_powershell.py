"""COM's update history as PowerShell's `Export-Csv`, `Export-Clixml` and `Format-List` write it."""

from __future__ import annotations

import pandas as pd
import pytest
from com_history_samples import (
    CLIXML,
    DE,
    EXACT,
    FIX,
    OLD,
    as_clixml,
    as_csv,
    as_list,
    at,
    entry,
    read,
    unindented,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from update_dialect_samples import GUID, TITLE, lost, reasons, span, utc

from kitlib import schema
from kitlib.readers.updates import com_history_text

# ------------------------------------------------------------------ CSV


def test_csv_row_is_complete():
    code = entry(DE, Operation="2", ResultCode="4", HResult="-2145116140")
    got = read(as_csv([code]), "com_history_csv")
    want = {
        "date": utc(EXACT[0]),
        "date_low": utc(EXACT[0]),
        "date_high": utc(EXACT[0]),
        "date_basis": "utc",
        "operation": "uninstall",
        "result_code": "failed",
        "hresult": "0x80242014",
        "title": TITLE,
        "kb": "KB5009543",
        "client_application_id": "UpdateOrchestrator",
        "source_kind": "com_history_csv",
    }
    pd.testing.assert_frame_equal(got.updates, schema.frame("updates", [want]))
    assert reasons(got) == (
        "the ids of 1 updates are lost: Export-Csv flattens what is inside of them"
    )


def test_csv_date_without_decided_order_is_open_and_said_to_be():
    got = read(as_csv([entry("12/01/2022 03:15:41")]), "com_history_csv")
    assert pd.isna(got.updates["date"].item())
    assert "no value decides whether the day or the month stands first" in reasons(got)


def test_csv_rows_of_one_file_share_one_order():
    got = read(
        as_csv([entry("13/01/2022 09:00:00"), entry("12/01/2022 03:15:41")]), "com_history_csv"
    )
    assert list(got.updates["date"]) == [utc("2022-01-13T09:00"), utc(EXACT[0])]


def test_csv_date_of_another_calendar_is_unknown():
    got = read(as_csv([entry("12/1/2565 3:15:41")]), "com_history_csv")  # Thai year of 2022
    assert pd.isna(got.updates["date_low"].item())
    assert "'12/1/2565 3:15:41' is not known" in reasons(got)


def test_csv_columns_are_read_by_name():
    whole = (
        'Title;PSComputerName;Date;ResultCode\r\n"A (KB5009543)";WS0001;13.01.2022 1:02:03;4\r\n'
    )
    row = read(whole, "com_history_csv").updates.iloc[0]
    assert (row["host"], row["kb"], row["result_code"]) == ("WS0001", "KB5009543", "failed")
    assert (row["operation"], row["date"]) == ("", utc("2022-01-13T01:02:03"))


def test_csv_that_is_cut_keeps_what_is_whole_and_says_so():
    data = as_csv([entry(DE), entry(DE, FIX)])
    got = com_history_text.read_csv(data[: data.index("Install this", data.index(FIX))].encode())
    assert list(got.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert "cells where the header has 15" in reasons(got)


def test_csv_empty_entries_make_no_row():
    got = read(as_csv([entry(DE), entry("", "")]), "com_history_csv")
    assert len(got.updates) == 1
    assert "an empty entry" in reasons(got)


@settings(max_examples=60, deadline=None)
@given(
    moments=st.lists(
        st.datetimes(pd.Timestamp("1995-01-01"), pd.Timestamp("2090-01-01")), min_size=1, max_size=6
    ),
    form=st.sampled_from(["%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S"]),
)
def test_csv_interval_always_holds_the_time_that_was_written(moments, form):
    moments = sorted((one.replace(microsecond=0) for one in moments), reverse=True)
    got = com_history_text.read_csv(as_csv([entry(f"{one:{form}}") for one in moments]).encode())
    for row, one in zip(got.updates.itertuples(), moments, strict=True):
        assert row.date_low <= utc(one.isoformat()) <= row.date_high


# ------------------------------------------------------------------ Clixml


def test_clixml_keeps_the_update_id_and_the_client():
    got = read(
        CLIXML.format(as_clixml("2022-01-12T03:15:41", HResult="-2145116140")), "com_history_clixml"
    )
    row = got.updates.iloc[0]
    assert (row["update_id"], row["client_application_id"]) == (GUID, "UpdateOrchestrator")
    assert (row["hresult"], span(row)) == ("0x80242014", at(EXACT[0]))
    assert got.problems.empty


@pytest.mark.parametrize("shape", [str, unindented], ids=["indented", "on one line"])
@pytest.mark.parametrize(
    "cut", ['<I32 N="HResult">0</I32>', "</Props>\n  </Obj>"], ids=["in it", "its end"]
)
def test_clixml_broken_entry_costs_itself_only(shape, cut):
    bad = as_clixml("2022-01-12T03:15:41", first=False).partition(cut)[0]
    others = (
        as_clixml("2022-01-14T03:15:41", FIX),
        as_clixml("2022-01-10T03:15:41", OLD, first=False),
    )
    got = read(shape(CLIXML.format(others[0] + bad + others[1])), "com_history_clixml")
    assert list(got.updates["kb"]) == ["KB5010793", "KB5008212"]
    assert lost(got) == 1


def test_clixml_entries_in_a_list_object_are_entries():
    inside = as_clixml("2022-01-13T21:00:00", FIX) + as_clixml("2022-01-12T03:15:41", first=False)
    outer = f'<Obj RefId="1"><TN RefId="4"><T>System.Object[]</T></TN><LST>{inside}</LST></Obj>'
    got = read(CLIXML.format(outer), "com_history_clixml")
    assert list(got.updates["kb"]) == ["KB5010793", "KB5009543"]
    assert got.problems.empty


def test_clixml_text_is_unescaped_and_printed_dates_are_decided_by_the_file():
    rows = as_clixml("13/01/2022 21:00:00") + as_clixml(
        "12/01/2022 03:15:41", "A_x005F_B (KB1234567)"
    )
    got = read(CLIXML.format(rows), "com_history_clixml").updates
    assert list(got["title"]) == [TITLE, "A_B (KB1234567)"]
    assert span(got.iloc[1]) == at(EXACT[0])


# ------------------------------------------------------------------ Format-List


def test_list_joins_a_title_that_goes_on_below():
    got = read(as_list([entry("13.01.2022 03:15:41", HResult="-2145116140")]), "com_history_list")
    row = got.updates.iloc[0]
    assert (row["title"], row["hresult"]) == (TITLE, "0x80242014")
    assert (row["client_application_id"], span(row)) == (
        "UpdateOrchestrator",
        at("2022-01-13T03:15:41"),
    )
    assert got.problems.empty
