"""The list of hotfixes of Microsoft's TSS: each row is read by the clock that it was written by."""

from __future__ import annotations

from datetime import date

import pytest
from com_history_samples import DE, EXACT, TSS, US, at, of_com, of_wmi, read
from update_dialect_samples import lost, reasons, span, utc

from kitlib.readers import dates

DAY = tuple(
    dates.day(date(2022, 1, 12)).cells()[name] for name in ("date", "date_low", "date_high")
)
MIDNIGHT = "12.01.2022 00:00:00"


@pytest.mark.parametrize(
    ("row", "want"),
    [
        (of_com("12.01.2022 03:15:41", client=""), at(EXACT[0])),
        (of_com(MIDNIGHT), at("2022-01-12")),
        (of_com(MIDNIGHT, client="", operation="Uninstall"), at("2022-01-12")),
        (of_wmi(MIDNIGHT), (*DAY, "date")),
        # nobody knows whether this is midnight UTC of COM or a local day of WMI
        (of_com(MIDNIGHT, client=""), (*DAY, "date")),
        # the registry prints a date alone, in its own order
        (
            of_wmi("1/13/2022", category="Microsoft .NET"),
            (utc("2022-01-13"), utc("2022-01-12T10:00"), utc("2022-01-14T12:00"), "date"),
        ),
    ],
)
def test_tss_tells_whose_clock_a_row_is_by_or_covers_both(row, want):
    got = read(TSS + row, "tss_hotfixes")
    assert span(got.updates.iloc[0]) == want


def test_tss_row_that_may_be_either_says_nothing_of_local_time():
    got = read(TSS + of_com(MIDNIGHT, client="") + of_wmi(MIDNIGHT), "tss_hotfixes")
    assert got.updates["local"].isna().tolist() == [True, False]
    assert "1 dates may be UTC" in reasons(got)


def test_tss_wmi_row_with_a_time_of_day_covers_utc_and_local():
    got = read(TSS + of_wmi("12.01.2022 03:15:41"), "tss_hotfixes").updates.iloc[0]
    assert (got["date_low"], got["date_high"]) == (
        utc("2022-01-11T13:15:41"),
        utc("2022-01-12T15:15:41"),
    )


def test_tss_commas_in_category_and_title_stay_where_they_are():
    row = of_com(US, category="Windows 10, version 1903 and later", title="A, B, and C (KB5009543)")
    got = read(TSS + row + of_com("1/13/2022 1:00:00 AM"), "tss_hotfixes").updates.iloc[0]
    assert (got["title"], got["kb"]) == ("A, B, and C (KB5009543)", "KB5009543")
    assert (got["client_application_id"], span(got)) == ("wusa", at(EXACT[0]))


def test_tss_order_of_dates_is_told_by_the_history_not_by_the_registry():
    rows = (
        of_com("12/01/2022 03:15:41")
        + of_com("11/01/2022 03:15:41")
        + of_com("13/12/2021 01:00:00")
    )
    got = read(TSS + rows + of_wmi("1/18/2022", category="Office"), "tss_hotfixes").updates
    assert list(got["date"])[:2] == [utc(EXACT[0]), utc("2022-01-11T03:15:41")]
    assert got["date"].iloc[3] == utc("2022-01-18")


def test_tss_order_is_decided_by_newest_first_where_no_value_decides():
    stamps = (
        "02/02/2022 10:00:00",
        "12/01/2022 03:15:41",
        "11/01/2022 03:15:41",
        "08/12/2021 12:00:00",
    )
    got = read(TSS + "".join(map(of_com, stamps)) + of_wmi("03/01/2022 00:00:00"), "tss_hotfixes")
    assert list(got.updates["date"])[1:2] == [utc(EXACT[0])]
    assert got.updates["date"].iloc[4] == utc("2022-01-03")


def test_tss_says_what_the_tool_leaves_out_and_what_it_could_not_read():
    rows = of_com(DE) + "torn line\r\n" + of_com(DE).replace("Completed successfully", "Unknown(9)")
    got = read(TSS + rows, "tss_hotfixes")
    assert len(got.updates) == 2
    assert got.updates["result_code"].tolist() == ["succeeded", ""]
    assert "newest entry" in reasons(got)
    assert "'Unknown(9)' is not known" in reasons(got)
    assert lost(got) == 1


def test_tss_number_of_an_old_update_is_a_kb():
    got = read(TSS + of_wmi("1/13/2022", "Q323255", category="Windows XP"), "tss_hotfixes")
    assert got.updates["kb"].item() == "KB323255"
