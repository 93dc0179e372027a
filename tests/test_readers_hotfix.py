"""`Get-HotFix` in every form that PowerShell writes, its dates as days."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from update_dialect_samples import CSV, utc

import kitlib as kit
from kitlib import readers, schema
from kitlib.readers import dates
from kitlib.readers.updates import hotfix


def test_hotfix_reads_dates_as_days():
    got = hotfix.read(CSV.encode()).updates
    want = schema.frame(
        "updates",
        [
            {
                "host": "WS0001",
                **dates.day(date(2022, 1, dom)).cells(),
                "operation": "install",
                "result_code": "succeeded",
                "title": title,
                "kb": kb,
                "source_kind": "get_hotfix",
            }
            for dom, title, kb in (
                (12, "Security Update", "KB5009543"),
                (18, "Update", "KB5010793"),
            )
        ],
    )
    pd.testing.assert_frame_equal(got, want)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "ascii"])
def test_hotfix_reads_every_encoding_of_powershell(encoding):
    pd.testing.assert_frame_equal(
        hotfix.read(CSV.encode(encoding)).updates, hotfix.read(CSV.encode()).updates
    )


@pytest.mark.parametrize(
    "variant",
    [
        "#TYPE System.Management.ManagementObject#root\\cimv2\\Win32_QuickFixEngineering\r\n" + CSV,
        CSV.replace('","', '";"'),
        CSV.replace('","', '"\t"'),
        CSV.replace('"', ""),
        CSV.replace("HotFixID", "hotfixID"),
        CSV.replace("\r\n", "\n"),
    ],
)
def test_hotfix_reads_every_form_of_the_csv_alike(variant):
    assert readers.sniff(variant.encode()) == "get_hotfix"
    pd.testing.assert_frame_equal(
        hotfix.read(variant.encode()).updates, hotfix.read(CSV.encode()).updates
    )


def test_hotfix_decides_day_first_from_one_value_of_the_file():
    data = '"HotFixID","InstalledOn"\n"KB5009543","12/01/2022 00:00:00"\n"KB1111111","18/01/2022 00:00:00"\n'
    got = hotfix.read(data.encode())
    assert list(got.updates["date"]) == [utc("2022-01-12"), utc("2022-01-18")]
    assert got.problems.empty


def test_hotfix_leaves_an_undecided_order_open():
    data = '"HotFixID","InstalledOn"\n"KB5009543","01/12/2022 00:00:00"\n'
    got = hotfix.read(data.encode())
    row = got.updates.iloc[0]
    assert pd.isna(row["date"])
    assert (row["date_low"], row["date_high"]) == (utc("2022-01-11T10:00"), utc("2022-12-02T12:00"))
    assert "no value decides" in got.problems["reason"].item()
    assert got.problems["records_lost"].item() == 0


def test_hotfix_keeps_a_blank_date_as_unknown():
    got = hotfix.read(CSV.replace("1/12/2022 12:00:00 AM", "").encode())
    assert got.updates["kb"].tolist() == ["KB5009543", "KB5010793"]
    blank = got.updates.iloc[0]
    assert blank["date_basis"] == ""
    assert blank[["date", "date_low", "date_high"]].isna().all()
    assert "1 of 2 updates have no install date" in got.problems["reason"].item()


def test_hotfix_trusts_the_raw_wmi_string_of_the_collector():
    data = "CSName,HotFixID,Description,installed_on_raw\nWS0001,KB5009543,Update,1/12/2022\n"
    assert hotfix.read(data.encode()).updates["date"].item() == utc("2022-01-12")


def test_hotfix_reads_the_console_table():
    data = (
        "\nSource        Description      HotFixID      InstalledBy          InstalledOn\n"
        "------        -----------      --------      -----------          -----------\n"
        "WS0009        Security Update  KB5009543     NT AUTHORITY\\SYSTEM  13/01/2022 12:00:00 a.m.\n"
    )
    assert readers.sniff(data.encode()) == "get_hotfix"
    row = hotfix.read(data.encode()).updates.iloc[0]
    assert (row["host"], row["kb"], row["date"]) == ("WS0009", "KB5009543", utc("2022-01-13"))


def test_hotfix_takes_the_filled_one_of_two_columns_of_a_name():
    data = '"HotFixID","InstalledOn","InstalledOn"\n"KB5009543","1/13/2022",""\n'
    assert hotfix.read(data.encode()).updates["date"].item() == utc("2022-01-13")


def test_hotfix_notes_lines_that_do_not_fit_the_header():
    got = hotfix.read((CSV + '"WS0001","1/19/2022"\n').encode())
    assert got.problems["place"].tolist()[0] == "line 4"
    assert len(got.updates) == 3


def test_readers_decide_the_real_spanish_table_by_its_days(shared):
    got = kit.read_updates(shared / "formats/update_history/Get-HotFix_table_es-CO.txt")
    assert utc("2019-10-04") in set(got["date"])  # printed 4/10/2019
    assert got.attrs["problems"].empty
