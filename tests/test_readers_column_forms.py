"""An export gives the same rows in every form of its file, and says what of a damaged one is lost."""

from __future__ import annotations

import csv
import io
import json
import time

import pandas as pd
import pytest
from column_map_samples import SAMPLES, at, read, reasons, table

from kitlib import readers
from kitlib.readers.updates import columns


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_separator_and_encoding_do_not_matter(separator, encoding):
    rows = list(csv.reader(io.StringIO(SAMPLES[3].text)))
    rows[1][1] = "Züge, 'quoted', | ; and so on"
    data = table(*rows, separator=separator).encode(encoding)
    assert columns.KIND in readers.claims(data[: readers.HEAD_BYTES])
    row = read(data).updates.iloc[0]
    assert (row["title"], row["kb"]) == (rows[1][1], "KB5009543")


def test_case_quotes_suffixes_and_a_preamble_do_not_matter():
    head = '\ufeff"netbios_name0","ARTICLEID"," Status ","LastStatusChangeTime [UTC]","Title"'
    data = f'Report of January\n\n{head}\nWS0001,5009543,3,2022-01-12 21:26:03,"a\nb"\n'
    got = read(data)
    row = got.updates.iloc[0]
    assert (row["title"], row["date_high"], row["date_basis"]) == (
        "a\nb",
        at("2022-01-12T21:26:03"),
        "utc",
    )


def test_another_zone_behind_the_name_of_a_column_is_not_taken_for_utc():
    data = SAMPLES[0].text.replace("ClientSubstateTime [UTC]", "ClientSubstateTime [Local Time]")
    row = read(data).updates.iloc[0]
    assert (row["date_basis"], row["date_high"]) == ("local", at("2022-01-13T09:26:03.478"))


def as_objects(sample):
    head, *rows = csv.reader(io.StringIO(sample.text))
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda rows: json.dumps({"value": rows}),
        lambda rows: "\n".join(map(json.dumps, rows)),
        lambda rows: json.dumps([{**row, "Status": int(row["Status"])} for row in rows[:2]]),
    ],
    ids=["array", "wrapped", "an object a line", "numbers"],
)
def test_json_gives_the_rows_that_csv_gives(write):
    sample = SAMPLES[3]
    data = write(as_objects(sample)).encode()
    assert readers.sniff(data) == columns.KIND
    want = read(sample.text).updates.iloc[:1]
    pd.testing.assert_frame_equal(read(data).updates.iloc[:1], want)


def test_a_row_with_too_many_cells_is_lost_and_a_short_one_is_kept():
    data = (
        SAMPLES[3]
        .text.replace('"', "")
        .replace("WS0003,2022-01 Cumulative Update", "WS0003,one, two")
    )
    data += "WS0004,Update,5009543\r\n"
    got = read(data)
    assert got.updates["host"].tolist() == ["WS0001", "WS0004"]
    assert got.problems["records_lost"].sum() == 1
    assert "8 cells where the header has 7: left out" in reasons(got)
    assert "3 cells where the header has 7" in reasons(got)


def test_rows_without_host_time_or_update_are_kept_and_named():
    data = table(
        ["Netbios_Name0", "ArticleID", "Status", "LastStatusChangeTime"],
        ["", "5009543", "3", "2022-01-12 21:26:03"],
        ["WS0001", "", "3", "soon"],
        ["WS0001", "5009543", "7", ""],
    )
    got = read(data)
    assert got.updates["host"].tolist() == ["", "WS0001", "WS0001"]
    assert got.updates["date"].notna().tolist() == [True, False, False]
    assert got.updates["result_code"].tolist() == ["succeeded", "succeeded", ""]
    listed = dict(zip(reasons(got), got.problems["place"], strict=True))
    assert listed["a row that names no host"] == "line 2"
    assert listed["a row that names no update"] == "line 3"
    assert listed["'soon' (column LastStatusChangeTime) is no time: taken as unknown"] == "line 3"
    assert listed["a row without a time: taken as unknown"] == "line 4"
    unknown = "state '7' (column Status) is not in the map 'configmgr_compliance_view': left open"
    assert listed[unknown] == "line 4"


def test_a_thousand_unknown_states_are_a_bounded_number_of_problems():
    rows = [["WS1", "5009543", f"state {n}", "2022-01-12 21:26:03"] for n in range(1000)]
    got = read(table(["Netbios_Name0", "ArticleID", "Status", "LastStatusChangeTime"], *rows))
    assert len(got.updates) == 1000
    assert len(got.problems) < 210


@pytest.mark.parametrize(
    "data",
    [
        SAMPLES[0].text.encode() + b'"' + (b"x" * 50 + b",\n") * 10_000,
        b",".join([b"DeviceName"] * 20_000) + b"\n",
        b'{"DeviceName": ' * 5_000,
        b'[{"DeviceName":1,"PolicyId":2,"AlertMessage":3,"Win32ErrorCode":' + b"9" * 6000 + b"}]",
        SAMPLES[0].text.encode() + b"\x00\xff," * 100_000,
        ("WS0001;" * 9000).encode(),
    ],
    ids=["open quote", "wide header", "deep", "long number", "garbage", "one line"],
)
def test_hostile_files_end_soon_and_without_an_error(data):
    begun = time.perf_counter()
    readers.claims(data[: readers.HEAD_BYTES])
    read(data)
    assert time.perf_counter() - begun < 5
