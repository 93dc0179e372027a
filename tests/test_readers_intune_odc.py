"""The update history of Intune's collector: its lines alone leave open what its list decides."""

from __future__ import annotations

import pandas as pd
from com_history_samples import DE, OLD, at, entry, line, read, verbose
from update_dialect_samples import GUID, TITLE, reasons, span, utc


def test_odc_lines_alone_leave_open_what_may_be_an_uninstallation():
    lines = line("2022/01/13 10:00") + line("2022/01/12 03:15") + line("2021/12/15 11:02", OLD)
    got = read(lines, "intune_odc")
    assert got.updates["operation"].tolist() == ["", "install", "install"]
    assert got.updates["result_code"].tolist() == ["succeeded"] * 3
    assert "of 3 lines" in reasons(got)
    assert "1 are left open" in reasons(got)
    assert "3 are given as the span of both readings" in reasons(got)


def test_odc_lines_sorted_otherwise_tell_nothing_of_an_update_that_has_several():
    oldest_first = line("2022/01/12 03:15") + line("2022/01/13 10:00")
    assert read(oldest_first, "intune_odc").updates["operation"].tolist() == ["install", ""]
    by_title = line("2022/01/12 03:15") + line("2022/01/13 10:00") + line("2021/12/15 11:02", OLD)
    assert read(by_title, "intune_odc").updates["operation"].tolist() == ["", "", "install"]


def test_odc_failure_keeps_its_code():
    whole = line("2022/01/12 03:15", state="Failed to install. \tError: 0x80240022")
    row = read(whole, "intune_odc").updates.iloc[0]
    assert (row["result_code"], row["hresult"], row["kb"]) == ("failed", "0x80240022", "KB5009543")


def test_odc_list_tells_operation_time_and_id_of_a_line():
    one = entry("1/12/2022 3:15:41 PM", Operation="2")
    got = read(line("2022/01/12 03:15") + verbose(one), "intune_odc")
    row = got.updates.iloc[0]
    assert len(got.updates) == 1
    assert (row["operation"], row["update_id"], row["title"]) == ("uninstall", GUID, TITLE)
    assert span(row) == at("2022-01-12T15:15:41")
    assert got.problems.empty  # the line decided the order of day and month


def test_odc_list_keeps_failures_that_have_no_line():
    old = entry("13.11.2021 01:00:00", OLD, ResultCode="4", HResult="-2145124318")
    got = read(line("2022/01/12 03:15") + verbose(entry(DE)) + verbose(old), "intune_odc")
    assert got.updates["result_code"].tolist() == ["succeeded", "failed"]
    assert got.updates["hresult"].tolist() == ["0x00000000", "0x80240022"]


def test_odc_lines_whose_entry_was_cut_off_make_rows_of_their_own():
    whole = line("2022/01/12 03:15") + line("2021/12/15 11:02", OLD) + verbose(entry(DE))
    got = read(whole, "intune_odc").updates
    assert list(got["kb"]) == ["KB5009543", "KB5008212"]
    assert pd.isna(got["date"].iloc[1])
    assert span(got.iloc[1])[1:] == (utc("2021-12-15T11:02"), utc("2021-12-15T23:03"), "utc")
