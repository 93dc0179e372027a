"""`wmic qfe` as CSV, table and list, with every form of its dates."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from update_dialect_samples import WMIC_CSV, span, table, utc

from kitlib import readers, schema
from kitlib.readers import dates, text
from kitlib.readers.updates import wmic


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "ascii"])
def test_wmic_csv_reads_with_its_empty_first_line(encoding):
    data = WMIC_CSV.encode(encoding)
    assert readers.sniff(data) == "wmic_qfe"
    got = wmic.read(data)
    assert got.problems.empty
    row = got.updates.iloc[0]
    assert (row["host"], row["kb"], row["title"]) == ("WS0002", "KB5009543", "Security Update")
    assert span(row) == span(pd.Series(dates.day(date(2022, 1, 12)).cells()))


def test_wmic_csv_survives_commas_and_doubled_line_ends():
    odd = WMIC_CSV.replace("Update,,KB", "Update,fixes a, b, and c,KB").replace("\r\n", "\r\r\n")
    got = wmic.read(odd.encode())
    assert got.updates["kb"].tolist() == ["KB5009543"]
    assert got.updates["date"].item() == utc("2022-01-12")


def test_wmic_table_reads_by_header_position_and_every_date_form():
    data = table(
        ("http://support.microsoft.com/?kbid=5009543", "WS 3", "KB5009543", "a b", "1/12/2022"),
        ("", "WS 3", "KB937286", "S-1-5-21-1", "01d4dfd0fb4eb361"),
        ("", "WS 3", "{7A068575-C5DB-43D9-BE20-3895D0C69B17}", "", "20190321"),
        ("", "WS 3", "943729", "", ""),
    ).encode("utf-16")
    assert readers.sniff(data) == "wmic_qfe"
    got = wmic.read(data).updates
    assert list(got["host"]) == ["WS 3"] * 4
    assert list(got["kb"]) == ["KB5009543", "KB937286", "", "KB943729"]
    assert list(got["date_basis"]) == ["date", "utc", "date", ""]
    assert got["date"].tolist()[:3] == [
        utc("2022-01-12"),
        utc("2019-03-21T10:29:36.301756900"),
        utc("2019-03-21"),
    ]


def test_wmic_table_reads_below_a_typed_command_and_a_first_run_notice():
    rows = table(("", "WS3", "KB5009543", "a", "1/12/2022"))
    notice = "Please wait while WMIC is being installed.\r\n"
    data = notice.encode() + rows.encode("utf-16-le")
    assert readers.sniff(data) == "wmic_qfe"
    assert wmic.read(data).updates["kb"].tolist() == ["KB5009543"]


def test_wmic_list_form_reads_as_well():
    data = "\r\n\r\nCaption=x\r\nCSName=WS4\r\nHotFixID=KB5009543\r\nInstalledOn=1/12/2022\r\n\r\n"
    got = wmic.read((data + data.replace("5009543", "5010793")).encode("utf-16")).updates
    assert list(got["kb"]) == ["KB5009543", "KB5010793"]
    assert list(got["host"]) == ["WS4", "WS4"]


def test_wmic_takes_undecided_dates_as_month_first():
    got = wmic.read(table(("", "W", "KB5009543", "a", "1/2/2022")).encode())
    assert got.updates["date"].item() == utc("2022-01-02")


def test_readers_agree_with_real_wmic_dumps_on_every_kb(shared):
    for file in sorted((shared / "formats/update_history").glob("wmic_qfe*")):
        data = file.read_bytes()
        got = wmic.read(data)
        named = text.kb_counts(data.replace(b"\0", b"").decode("latin-1"))
        assert set(named) <= set(got.updates["kb"]), file.name
        assert got.updates["date"].notna().all(), file.name
        schema.check("updates", got.updates)
