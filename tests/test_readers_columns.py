"""Exports of management tools: read by a map of their columns, the kit's own or the analyst's."""

from __future__ import annotations

import csv
import io
import itertools
import json
import pickle
import re
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

import kitlib as kit
from kitlib import readers, schema
from kitlib.cli import main
from kitlib.errors import UsageError
from kitlib.exposure import find_exposure
from kitlib.readers import dates
from kitlib.readers.updates import column_maps, column_times, columns

ITEM = "11111111-2222-3333-4444-555555555555"


def table(*rows, separator=","):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def read(data, own=column_maps.NO_MAPS):
    got = columns.reader(own).read(data if isinstance(data, bytes) else data.encode())
    schema.check("updates", got.updates)
    schema.check("problems", got.problems)
    return got


def reasons(got):
    return got.problems["reason"].tolist()


def at(stamp):
    return pd.Timestamp(stamp, tz="UTC") if stamp else pd.NaT


# ------------------------------------------------------------------ the kit's own maps


@dataclass(frozen=True)
class Sample:
    """An invented export of a built-in map, and its first row as the kit should have it."""

    map: str
    text: str
    row: tuple[str, str, str, str, str, str]  # host, what, title, kb, hresult, update id
    low: str
    high: str
    basis: str
    rows: int = 1


OPEN = "1990-01-01"

SAMPLES = [
    Sample(
        "wufb_client_update_status",
        table(
            ["TimeGenerated [UTC]", "DeviceName", "ClientState", "ClientSubstate",
             "ClientSubstateTime [UTC]", "TargetBuild", "TargetKBNumber", "UpdateDisplayName",
             "UpdateReleaseTime [UTC]", "UpdateId"],
            ["2022/01/14 02:00:00.000 AM", "WS0001", "", "UpdateInstalled",
             "2022/01/12 09:26:03.478 PM", "10.0.19044.1466", "KB5009543", "2022-01 Update, B",
             "2022/01/11 06:00:00.000 PM", ITEM],
            ["2022/01/14 02:00:00.000 AM", "WS0002", "", "Unknown",
             "2022/01/12 09:26:03.478 PM", "10.0.19044.1466", "KB5009543", "2022-01 Update, B",
             "2022/01/11 06:00:00.000 PM", ITEM],
            ["2022/01/14 02:00:00.000 AM", "WS0003", "Uninstalled", "",
             "2022/01/13 13:26:03.478 PM", "10.0.19044.1466", "KB5009543", "2022-01 Update, B",
             "", ""],
        ),
        ("WS0001", "install succeeded", "2022-01 Update, B (build 19044.1466)", "KB5009543", "",
         ITEM),
        "2022-01-11T18:00", "2022-01-12T21:26:03.478", "utc", rows=2,
    ),
    Sample(
        "wufb_update_alert",
        table(
            ["DeviceName", "AlertSubtype", "AlertClassification", "StartTime [UTC]",
             "TargetBuild", "ErrorCode"],
            ["WS0001", "DiskFull", "Error", "44573.5", "19044.1466", "0x80070070_C3FD"],
            ["WS0001", "EndOfService", "Warning", "44573.5", "19044.1466", ""],
        ),
        ("WS0001", "install failed", "build 19044.1466", "", "0x80070070", ""),
        OPEN, "2022-01-12T12:00", "utc",
    ),
    Sample(
        "wufb_client",
        table(
            ["DeviceName", "OSBuild", "OSRevisionNumber", "OSQualityUpdateReleaseTime [UTC]",
             "TimeGenerated [UTC]"],
            ["WS0001", "10.0.19044.1466", "1466", "2022-01-11 18:00:00", "2022-01-13T02:00:00Z"],
        ),
        ("WS0001", "install succeeded", "build 19044.1466", "", "", ""),
        "2022-01-11T18:00", "2022-01-13T02:00", "utc",
    ),
    Sample(
        "configmgr_compliance_view",
        table(
            ["Netbios_Name0", "Title", "ArticleID", "CI_UniqueID", "Status",
             "LastStatusChangeTime", "LastErrorCode"],
            ["WS0001", "2022-01 Cumulative Update", "5009543", ITEM.upper(), "3",
             "2022-01-12 21:26:03.477", "NULL"],
            ["WS0002", "2022-01 Cumulative Update", "5009543", ITEM, "1",
             "2022-01-12 21:26:03.477", "NULL"],
            ["WS0003", "2022-01 Cumulative Update", "5009543", ITEM, "Update is required",
             "2022-01-12 21:26:03.477", "-2145124329"],
        ),
        ("WS0001", "install succeeded", "2022-01 Cumulative Update", "KB5009543", "", ITEM),
        OPEN, "2022-01-13T09:26:03.477", "local", rows=2,
    ),
    Sample(
        "configmgr_compliance_class",
        table(
            ["ArticleID", "LocalizedDisplayName", "MachineID", "Status", "LastStatusChangeTime"],
            ["5009543", "Update", "16777221", "3", "20220112212603.000000+060"],
        ),
        ("16777221", "install succeeded", "Update", "KB5009543", "", ""),
        OPEN, "2022-01-12T20:26:03", "offset",
    ),
    Sample(
        "intune_feature_update",
        table(
            ["DeviceName", "FeatureUpdateVersion", "CurrentDeviceUpdateStatus",
             "CurrentDeviceUpdateStatus_loc", "CurrentDeviceUpdateStatusEventDateTimeUTC",
             "EventDateTimeUTC", "AggregateState"],
            ["WS0001", "Windows 11, version 22H2", "4", "Installiert",
             "2022-10-12 21:26:03.0000000", "2022-10-14 00:00:00.0000000", "Success"],
        ),
        ("WS0001", "install succeeded", "Windows 11, version 22H2", "", "", ""),
        OPEN, "2022-10-12T21:26:03", "utc",
    ),
    Sample(
        "intune_feature_update_failures",
        table(
            ["DeviceName", "FeatureUpdateVersion", "AlertMessage", "Win32ErrorCode",
             "EventDateTimeUTC"],
            ["WS0001", "Windows 11, version 22H2", "Not enough room", "112",
             "2022-10-12 21:26:03"],
        ),
        ("WS0001", "install failed", "Windows 11, version 22H2", "", "0x00000070", ""),
        OPEN, "2022-10-12T21:26:03", "utc",
    ),
    Sample(
        "intune_quality_update",
        table(
            ["PolicyId", "DeviceName", "CurrentDeviceUpdateStatus", "AggregateState",
             "EventDateTimeUTC"],
            [ITEM, "WS0001", "Installing", "InProgress", "2022-01-12 21:26:03"],
        ),
        ("WS0001", "install in_progress", f"quality update of policy {ITEM}", "", "", ""),
        OPEN, "2022-01-12T21:26:03", "utc",
    ),
    Sample(
        "intune_quality_update_errors",
        table(
            ["PolicyId", "DeviceName", "AlertMessage", "Win32ErrorCode"],
            [ITEM, "WS0001", "Not enough room", "0x70"],
        ),
        ("WS0001", "install failed", f"quality update of policy {ITEM}", "", "0x00000070", ""),
        "", "", "",
    ),
    Sample(
        "intune_driver_update",
        table(
            ["DeviceName", "PolicyName", "CurrentDeviceUpdateState",
             "CurrentDeviceUpdateSubstateTime"],
            ["WS0001", "Drivers, ring 1", "Cancelled", "2022-01-12 21:26:03"],
        ),
        ("WS0001", "install aborted", "driver update of policy Drivers, ring 1", "", "", ""),
        OPEN, "2022-01-12T21:26:03", "utc",
    ),
]  # fmt: skip

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.map)


def test_every_built_in_map_has_a_sample():
    assert [sample.map for sample in SAMPLES] == [one.name for one in column_maps.built_in().maps]


@each_sample
def test_an_export_is_recognised_by_its_columns_alone(sample):
    head = sample.text.encode()
    assert readers.claims(head) == (columns.KIND,)


@each_sample
def test_an_export_gives_its_rows_with_their_intervals(sample):
    got = read(sample.text)
    row = got.updates.iloc[0]
    what = f"{row['operation']} {row['result_code']}"
    fields = ("title", "kb", "hresult", "update_id")
    assert (row["host"], what, *row[[*fields]]) == sample.row
    assert len(got.updates) == sample.rows
    assert (row["date_low"], row["date_high"]) == (at(sample.low), at(sample.high)) or not (
        sample.low or pd.notna(row["date_low"]) or pd.notna(row["date_high"])
    )
    assert row["date_basis"] == sample.basis
    assert set(got.updates["source_kind"]) == {columns.KIND}
    assert got.updates["local"].isna().all()
    assert got.problems["records_lost"].eq(0).all()


@each_sample
def test_problems_name_the_map_and_what_in_it_is_not_verified(sample):
    built_in = next(one for one in column_maps.built_in().maps if one.name == sample.map)
    said = reasons(read(sample.text))
    assert any(f"column map {sample.map!r}" in reason for reason in said)
    assert any("not verified" in reason for reason in said) == bool(built_in.unverified)
    assert any(built_in.note in reason for reason in said)


def test_a_later_state_of_the_same_row_is_a_removal():
    got = read(SAMPLES[0].text)
    row = got.updates.iloc[1]
    assert (row["host"], row["operation"], row["result_code"]) == (
        "WS0003",
        "uninstall",
        "succeeded",
    )
    assert row["date_high"] == at("2022-01-13T13:26:03.478")
    assert "1 rows with the state 'Unknown' are no entries of an update history: left out" in (
        reasons(got)
    )


def test_a_required_update_is_not_started_and_keeps_its_error():
    row = read(SAMPLES[3].text).updates.iloc[1]
    assert (row["host"], row["result_code"], row["hresult"]) == (
        "WS0003",
        "not_started",
        "0x80240017",
    )


def test_reported_times_bound_the_beginning_only_where_the_export_does():
    assert any(
        "nothing bounds the beginning of 1 of 2" in one for one in reasons(read(SAMPLES[0].text))
    )


# ------------------------------------------------------------------ forms of the file


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


# ------------------------------------------------------------------ times


def a_map(**more):
    keys = {"name": "m", "reference": "r", "required": ["H", "T", "K"], "host": "H", "kb": "K"}
    keys |= {"result": "succeeded", "time": "T", "zone": "utc", "times": "exact"} | more
    body = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    return column_maps.parse(f'schema = "kitlib.columns/1"\n[[map]]\n{body}\n', source="t")


def test_a_fraction_of_a_second_stays_with_the_local_time():
    bare = column_times._bare(
        "2022/01/13 09:26:03.478 AM", a_map(zone="local").maps[0], "undecided"
    )
    assert bare.local["readings"] == ["2022-01-13T09:26:03.478000"]
    assert bare.date.tz_localize(None).isoformat() == "2022-01-13T09:26:03.478000"


TIMES = [
    # as written, zone, dates, low, high, basis
    ("2020/05/14 09:26:03.478 AM", "utc", "decide", "2020-05-14T09:26:03.478", "", "utc"),
    ("2020/05/14 09:26:03.478 PM", "utc", "decide", "2020-05-14T21:26:03.478", "", "utc"),
    ("2020/05/14 21:26:03.478 PM", "utc", "decide", "2020-05-14T21:26:03.478", "", "utc"),
    ("2020/05/14 12:26:03.478 AM", "utc", "decide", "2020-05-14T00:26:03.478", "", "utc"),
    ("2020/05/14 12:26:03.478 PM", "utc", "decide", "2020-05-14T12:26:03.478", "", "utc"),
    ("2020/05/14 14:26:03.478 AM", "utc", "decide", None, "", ""),
    ("2020/05/14 00:26:03.478 PM", "utc", "decide", None, "", ""),
    ("2020-05-14 09:26:03.478039", "utc", "decide", "2020-05-14T09:26:03.478039", "", "utc"),
    ("2020-05-14T09:26:03Z", "unknown", "decide", "2020-05-14T09:26:03", "", "utc"),
    ("2020-05-14T09:26:03+02:00", "utc", "decide", "2020-05-14T07:26:03", "", "offset"),
    ("5/14/2020, 9:26:03 AM", "utc", "decide", "2020-05-14T09:26:03", "", "utc"),
    ("5/4/2020 9:26", "utc", "month first", "2020-05-04T09:26", "2020-05-04T09:27", "utc"),
    ("5/4/2020 9:26", "utc", "day first", "2020-04-05T09:26", "2020-04-05T09:27", "utc"),
    ("5/4/2020 9:26:00", "utc", "decide", "2020-04-05T09:26", "2020-05-04T09:26", "utc"),
    ("5/14/2020 9:26", "utc", "year first", None, "", ""),
    ("14.05.2020 09:26:03", "+02:00", "decide", "2020-05-14T07:26:03", "", "offset"),
    ("14.05.2020 09:26:03", "-05:30", "decide", "2020-05-14T14:56:03", "", "offset"),
    ("14.05.2020 09:26:03", "local", "decide", "2020-05-13T19:26:03", "2020-05-14T21:26:03",
     "local"),
    ("14.05.2020 09:26:03", "unknown", "decide", "2020-05-13T19:26:03", "2020-05-14T21:26:03",
     "local"),
    ("2020-05-14", "utc", "decide", "2020-05-14", "2020-05-15", "date"),
    ("2020-05-14", "+02:00", "decide", "2020-05-13T22:00", "2020-05-14T22:00", "date"),
    ("43965.5", "utc", "excel days", "2020-05-14T12:00", "", "utc"),
    ("43965.5", "utc", "decide", None, "", ""),
    ("99999.5", "utc", "excel days", None, "", ""),
    ("1589448363", "unknown", "unix seconds", "2020-05-14T09:26:03", "", "utc"),
    ("20200514092603.478000+120", "utc", "decide", "2020-05-14T07:26:03.478", "", "offset"),
    ("20200514092603.478000+***", "utc", "decide", "2020-05-14T09:26:03.478", "", "utc"),
    ("/Date(1589448363478)/", "utc", "decide", "2020-05-13T21:26:03.478",
     "2020-05-14T23:26:03.478", "local"),
    ("9999-05-14T09:26:03Z", "utc", "decide", None, "", ""),
    ("yesterday", "utc", "decide", None, "", ""),
    ("2020-02-30 09:26:03", "utc", "decide", None, "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "zone", "written", "low", "high", "basis"), TIMES, ids=str)
def test_a_time_is_read_as_the_map_says(cell, zone, written, low, high, basis):
    one = a_map(zone=zone, dates=written).maps[0]
    when = column_times.read(cell, one, column_times.order_of(one, [cell]), zone=zone)
    if low is None:
        assert when is None
        return
    assert (when.low, when.high, when.basis) == (at(low), at(high or low), basis)


def written_times():
    return map(
        "".join,
        itertools.product(
            ["2020/05/14", "2020-5-4", "2020-02-30", "1989-01-01"],
            [" "],
            ["0", "00", "1", "09", "11", "12", "13", "23", "24"],
            [":26:03"],
            ["", ".4", ".478039", ".123456789"],
            ["", " AM", " PM", " am", "PM"],
        ),
    )


@pytest.mark.parametrize("zone", ["utc", "unknown", "+02:00", "-05:30"])
def test_the_fast_way_says_what_the_slow_one_says(zone):
    one = a_map().maps[0]
    for cell in written_times():
        bare = column_times._bare(cell, one, "undecided")
        slow = None if bare is None else column_times._placed(bare, zone)
        plain = column_times._plain(cell)
        fast = None if plain is None else column_times._placed_plain(plain, zone)
        assert (cell, fast) == (cell, slow)


def test_only_the_host_s_own_clock_is_left_to_be_resolved_by_its_offset():
    said = {
        zone: read("H,K,T\nWS1,5009543,2022-01-12 21:26:03\n", a_map(zone=zone)).updates["local"]
        for zone in ("local", "unknown", "utc")
    }
    assert {zone: local.notna().tolist() for zone, local in said.items()} == {
        "local": [True],
        "unknown": [False],
        "utc": [False],
    }


def test_the_order_of_day_and_month_is_decided_from_all_rows_of_a_file():
    rows = ["H,K,T", "WS1,5009543,02/01/2022 10:00:00", "WS1,5009543,13/01/2022 10:00:00"]
    got = read("\n".join(rows), a_map())
    assert got.updates["date"].tolist() == [at("2022-01-02T10:00"), at("2022-01-13T10:00")]
    got = read("\n".join(rows[:2]), a_map())
    assert got.updates["date"].isna().tolist() == [True]
    assert any("is open in 1 rows" in reason for reason in reasons(got))


def test_what_was_reported_happened_then_or_earlier():
    late = dates.instant(at("2022-01-14T10:00"))
    assert column_times.reported(late, None).low == column_times.EARLIEST
    assert column_times.reported(late, dates.instant(at("2022-01-11"))).low == at("2022-01-11")
    assert column_times.reported(late, dates.instant(at("2022-02-11"))).low == column_times.EARLIEST
    assert column_times.reported(late, None).high == late.high
    assert column_times.reported(late, None).date == late.date


def test_reported_installations_are_in_effect_by_then_and_break_nothing(tmp_path):
    (tmp_path / "uc.csv").write_text(SAMPLES[0].text, encoding="utf-8")
    exposure = find_exposure(kit.build_timeline(kit.read_evidence(tmp_path)))
    row = exposure.loc[exposure["host"] == "WS0001"].iloc[0]
    assert (row["change"], row["start_low"], row["start_high"]) == (
        "KB5009543",
        at("2022-01-11T18:00"),
        at("2022-01-12T21:26:03.478"),
    )


# ------------------------------------------------------------------ wrong maps

GOOD = """schema = "kitlib.columns/1"
[[map]]
name = "tool"
reference = "Tool 1, CSV"
required = ["Machine", "Patch", "State", "When"]
host = "Machine"
kb = "Patch"
state = "State"
time = "When"
zone = "utc"
[map.states]
done = "succeeded"
"""

WRONG = [
    ("kb = ", "kbs = ", "line 7: map 'tool': unknown key 'kbs'; did you mean 'kb'?"),
    ("[[map]]", "[[mapp]]", "line 2: unknown key 'mapp'; did you mean 'map'?"),
    ("[[map]]", "[map]", "'map' is of the wrong type, write each map below [[map]]"),
    ("columns/1", "columns/9", "the key 'schema' is 'kitlib.columns/9'; write schema ="),
    ('schema = "kitlib.columns/1"', "", "the key 'schema' is missing"),
    ('name = "tool"', "name = 7", "line 3: name = 7 is of the wrong type, want text"),
    ('name = "tool"', "", "the key 'name' is missing"),
    ('reference = "Tool 1, CSV"', "", "map 'tool': the key 'reference' is missing"),
    ('host = "Machine"', "", "map 'tool': the key 'host' is missing"),
    ('["Machine", "Patch", "State", "When"]', "[]", "the key 'required' is missing"),
    ('["Machine", "Patch", "State", "When"]', '["Machine", 3]', "line 5: map 'tool': required = ['Machine', 3] is of the wrong type"),
    ('host = "Machine"', 'host = "Machin"', "line 6: map 'tool': host = 'Machin' names no column that is in 'required'; did you mean 'machine'?"),
    ('time = "When"', 'time = "Wen"', "line 9: map 'tool': time = 'Wen' names no column"),
    ('kb = "Patch"', "", "no column names the update: give one of 'kb', 'title'"),
    ('kb = "Patch"', "kb = 5", "line 7: map 'tool': kb = 5 is of the wrong type"),
    ('zone = "utc"', 'zone = "ucr"', "line 10: map 'tool': zone = 'ucr' is not known; did you mean 'utc'?"),
    ('zone = "utc"', 'zone = "+15:00"', "zone = '+15:00' is not known"),
    ('zone = "utc"', "", "'time' and 'zone' belong together"),
    ('time = "When"', "", "'time' and 'zone' belong together"),
    ('zone = "utc"', 'zone = "utc"\ndates = "month"', "line 11: map 'tool': dates = 'month' is not known; did you mean 'month first'?"),
    ('zone = "utc"', 'zone = "utc"\ntimes = "late"', "times = 'late' is not known"),
    ('zone = "utc"', 'zone = "utc"\nresult = "succeeded"', "give either 'state' (a column) or 'result'"),
    ('state = "State"\n', "", "give either 'state' (a column) or 'result'"),
    ('zone = "utc"', 'zone = "utc"\noperation = "Kind"', "'operation' and [map.operations] belong together"),
    ('[map.states]\ndone = "succeeded"', "", "'state' and [map.states] belong together"),
    ('done = "succeeded"', 'done = "suceeded"', "line 12: map 'tool': states: done = 'suceeded' is not known; did you mean 'succeeded'?"),
    ('done = "succeeded"', "done = 2", "states: done = 2 is not known"),
    ('[map.states]\ndone = "succeeded"', 'states = "done"', "states = 'done' is of the wrong type, want [map.states]"),
    ('done = "succeeded"', 'done = "succeeded', "is not valid TOML"),
]  # fmt: skip


def test_the_map_that_the_wrong_ones_are_made_of_is_good():
    assert [one.name for one in column_maps.parse(GOOD, source="t").maps] == ["tool"]


@pytest.mark.parametrize(("old", "new", "said"), WRONG, ids=[wrong[2][-40:] for wrong in WRONG])
def test_a_wrong_map_is_refused_with_file_key_and_the_nearest_right_one(tmp_path, old, new, said):
    file = tmp_path / "mine.toml"
    assert GOOD.count(old) == 1
    file.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        column_maps.load(file)
    assert str(refused.value).startswith(str(file))
    assert said in str(refused.value)


def test_two_maps_of_one_name_are_refused():
    with pytest.raises(UsageError, match="two maps have the name 'tool'"):
        column_maps.parse(GOOD + GOOD.partition("\n")[2], source="t")


def test_the_line_of_an_error_is_in_its_own_map():
    second = GOOD.partition("\n")[2].replace('"tool"', '"other"').replace("kb =", "kbs =")
    with pytest.raises(UsageError, match=r"t, line 18: map 'other': unknown key 'kbs'"):
        column_maps.parse(GOOD + second, source="t")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot read the column maps"):
        column_maps.load(tmp_path / "nowhere.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(UsageError, match="too large"):
        column_maps.load(tmp_path / "large.toml")


def test_every_key_is_explained_where_the_built_in_maps_are():
    text = (Path(column_maps.__file__).parent / "columns.toml").read_text("utf-8")
    explained = set(re.findall(r"^#   (\w+) {2,}", text, re.MULTILINE))
    inline = {"title_prefix", "revision", "operations", "states"}
    assert explained | inline == column_maps._KEYS | {"schema"}
    assert all(name in text for name in inline)


def test_an_operation_is_read_by_its_own_words():
    own = column_maps.parse(
        GOOD.replace('kb = "Patch"', 'kb = "Patch"\noperation = "Kind"')
        + '[map.operations]\n"Install" = "install"\nREMOVE = "uninstall"\n',
        source="t",
    )
    got = read(
        "Machine,Patch,State,When,Kind\nA,5009543,done,2022-01-12Z,remove\nB,5009543,done,,?\n", own
    )
    assert got.updates["operation"].tolist() == ["uninstall", ""]
    assert "operation '?' (column Kind) is not in the map 'tool': left open" in reasons(got)


def test_a_column_that_is_nearly_there_is_pointed_out():
    own = column_maps.parse(
        GOOD.replace('kb = "Patch"', 'kb = "Patch"\nhresult = "Error code"'), source="t"
    )
    got = read("Machine,Patch,State,When,ErrorCode\nA,5009543,done,2022-01-12,5\n", own)
    said = (
        "column map 'tool': the file has no such column: hresult = 'Error code', it has 'errorcode'"
    )
    assert said in reasons(got)


# ------------------------------------------------------------------ the analyst's own maps

TOOL = b"Machine;Patch;State;When\nWS0001;5009543;done;2022-01-12 21:26:03\n"


@pytest.fixture
def evidence(tmp_path):
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "tool.csv").write_bytes(TOOL)
    (folder / "uc.csv").write_text(SAMPLES[0].text, encoding="utf-8")
    return folder


def kinds(got):
    return got.files.set_index("path")["kind"].to_dict()


def test_own_maps_at_the_top_of_the_evidence_are_used(evidence):
    assert kinds(kit.read_evidence(evidence))["tool.csv"] == "unknown"
    (evidence / "columns.toml").write_text(GOOD, encoding="utf-8")
    got = kit.read_evidence(evidence)
    assert kinds(got) == {
        "columns.toml": "ignored",
        "tool.csv": columns.KIND,
        "uc.csv": columns.KIND,
    }
    assert got.updates.loc[got.updates["path"] == "tool.csv", "kb"].tolist() == ["KB5009543"]


def test_named_maps_take_the_place_of_the_folder_s(evidence, tmp_path):
    (evidence / "columns.toml").write_text("no TOML at all", encoding="utf-8")
    named = tmp_path / "mine.toml"
    named.write_text(GOOD, encoding="utf-8")
    assert kinds(kit.read_evidence(evidence, columns=named))["tool.csv"] == columns.KIND
    with pytest.raises(UsageError, match=r"columns\.toml is not valid TOML"):
        kit.read_evidence(evidence)


def test_own_maps_are_tried_before_the_built_in_ones(evidence):
    text = GOOD.replace('"Machine", "Patch", "State", "When"', '"DeviceName", "ClientSubstate"')
    text = text.replace('"Machine"', '"DeviceName"').replace('"Patch"', '"TargetKBNumber"')
    text = text.replace('"State"', '"ClientSubstate"').replace('time = "When"\nzone = "utc"\n', "")
    (evidence / "columns.toml").write_text(text, encoding="utf-8")
    got = kit.read_evidence(evidence)
    said = got.problems.loc[got.problems["path"] == "uc.csv", "reason"].tolist()
    assert "column map 'tool': its rows have no time" in said
    assert len(got.updates) == 3


def test_own_maps_do_not_take_what_another_reader_knows(evidence):
    (evidence / "hotfix.csv").write_bytes(b'"HotFixID","InstalledOn"\n"KB5009543","1/13/2022"\n')
    text = GOOD.replace('["Machine", "Patch", "State", "When"]', '["HotFixID", "InstalledOn"]')
    text = text.replace('"Machine"', '"HotFixID"').replace('"State"', '"HotFixID"')
    text = text.replace('"When"', '"InstalledOn"')
    (evidence / "columns.toml").write_text(text, encoding="utf-8")
    assert kinds(kit.read_evidence(evidence))["hotfix.csv"] == "get_hotfix"


def test_workers_read_with_the_same_maps(evidence):
    (evidence / "columns.toml").write_text(GOOD, encoding="utf-8")
    alone, together = kit.read_evidence(evidence), kit.read_evidence(evidence, workers=2)
    pd.testing.assert_frame_equal(alone.updates, together.updates)
    own = column_maps.own_maps(evidence)
    assert pickle.loads(pickle.dumps(own)) == own  # noqa: S301  # what was pickled just now


def test_maps_deeper_in_the_evidence_or_in_an_archive_are_not_used_and_that_is_said(
    evidence, tmp_path
):
    (evidence / "WS0001").mkdir()
    (evidence / "WS0001" / "columns.toml").write_text(GOOD, encoding="utf-8")
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("columns.toml", GOOD)
        packed.writestr("tool.csv", TOOL)
        packed.write(evidence / "uc.csv", "uc.csv")
    for root, path in ((evidence, "WS0001/columns.toml"), (archive, "columns.toml")):
        got = kit.read_evidence(root)
        said = got.problems.loc[got.problems["path"] == path, "reason"].tolist()
        assert len(said) == 1
        assert "not used from here" in said[0]
        assert kinds(got)[path] == "ignored"
        assert kinds(got)["tool.csv"] == "unknown"
    named = tmp_path / "mine.toml"
    named.write_text(GOOD, encoding="utf-8")
    assert kinds(kit.read_evidence(archive, columns=named))["tool.csv"] == columns.KIND


def shards(case):
    return sorted(file.name for file in (case / "store" / "updates").iterdir())


def test_a_changed_map_is_read_again_and_nothing_else_is(evidence, tmp_path):
    case, store = tmp_path / "case", kit.store
    (evidence / "hotfix.csv").write_bytes(b'"HotFixID","InstalledOn"\n"KB5009543","1/13/2022"\n')
    (evidence / "columns.toml").write_text(GOOD, encoding="utf-8")
    first = store.ingest(evidence, case)
    before = {file.name: file.stat().st_mtime_ns for file in (case / "store/updates").iterdir()}
    pd.testing.assert_frame_equal(store.load(case).updates, first.updates)
    assert (first.updates["result_code"] == "succeeded").sum() == 4

    (evidence / "columns.toml").write_text(GOOD.replace("succeeded", "failed"), encoding="utf-8")
    second = store.ingest(evidence, case)
    assert second.updates.set_index("path").loc["tool.csv", "result_code"] == "failed"
    pd.testing.assert_frame_equal(store.load(case).updates, second.updates)
    after = {file.name: file.stat().st_mtime_ns for file in (case / "store/updates").iterdir()}
    assert len(after) == len(before) == 3  # what the manifest no longer asks for is gone
    assert len(after.items() & before.items()) == 1  # the hotfixes were not read again

    (evidence / "columns.toml").unlink()
    third = store.ingest(evidence, case)
    assert sorted(third.updates["path"].unique()) == ["hotfix.csv", "uc.csv"]
    assert [name.count("-") for name in shards(case)] == [0, 0]


def test_maps_named_for_a_case_are_a_wrong_call(evidence, tmp_path, capsys):
    kit.store.ingest(evidence, tmp_path / "case")
    named = tmp_path / "mine.toml"
    named.write_text(GOOD, encoding="utf-8")
    with pytest.raises(UsageError, match="is a case"):
        kit.read_evidence(tmp_path / "case", columns=named)
    assert main(["analyze", str(tmp_path / "case"), "--columns", str(named), "--quiet"]) == 2
    assert "is a case" in capsys.readouterr().err


def test_a_wrong_map_ends_the_command_before_anything_is_written(evidence, tmp_path, capsys):
    named = tmp_path / "mine.toml"
    named.write_text(GOOD.replace("kb =", "kbs ="), encoding="utf-8")
    call = ["ingest", str(evidence), "--out", str(tmp_path / "case"), "--columns", str(named)]
    assert main([*call, "--quiet"]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "did you mean 'kb'?" in printed
    assert not (tmp_path / "case").exists()


def test_the_command_line_passes_the_map_on(evidence, tmp_path, capsys):
    named = tmp_path / "mine.toml"
    named.write_text(GOOD, encoding="utf-8")
    call = ["ingest", str(evidence), "--out", str(tmp_path / "case"), "--columns", str(named)]
    assert main([*call, "--quiet"]) == 0
    assert "3 update entries" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["run", "analyze", "lab", "ingest"])
def test_help_says_where_the_maps_are_described(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    printed = re.sub(r"\s+", "", capsys.readouterr().out)
    assert re.sub(r"\s+", "", str(Path(columns.__file__).with_name("columns.toml"))) in printed


def test_the_example_of_the_readme_reads_the_export_beside_it(root, tmp_path):
    section = re.search(
        r"^## Exports of management tools\n(.*?)(?=^## )",
        (root / "README.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )[1]
    export, map_text = (
        re.search(rf"^```{kind}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[1]
        for kind in ("csv", "toml")
    )
    (tmp_path / "patches.csv").write_text(export, encoding="utf-8")
    (tmp_path / "columns.toml").write_text(map_text, encoding="utf-8")
    got = kit.read_evidence(tmp_path).updates
    names = ["host", "kb", "operation", "result_code", "date_high", "date_basis"]
    want = [
        ("WS0001", "KB5009543", "install", "succeeded", at("2022-01-13T08:27"), "offset"),
        ("WS0002", "KB5009543", "install", "failed", at("2022-01-13T09:03"), "offset"),
    ]
    assert list(got[names].itertuples(index=False, name=None)) == want
