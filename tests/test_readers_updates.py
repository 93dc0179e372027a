"""Update-history readers: encodings, dialects, and dates that claim no more than the source."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kitlib as kit
from kitlib import readers, schema
from kitlib.errors import FormatError, UsageError
from kitlib.readers import dates, text
from kitlib.readers.updates import com_history, hotfix, wmic
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.updates import WRITERS, fixes, history
from kitlib.simulate.world import grow

TITLE = "2022-01 Cumulative Update for Windows 10 Version 21H2 for x64-based Systems (KB5009543)"
GUID = "3F2504E0-4F89-11D3-9A0C-0305E82C3301"


def utc(stamp: str) -> pd.Timestamp:
    return pd.Timestamp(stamp, tz="UTC").as_unit("ns")


def span(row: pd.Series) -> tuple[object, ...]:
    return (row["date"], row["date_low"], row["date_high"], row["date_basis"])


# ------------------------------------------------------------------ bytes to text


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("é KB1".encode(), "utf-8"),
        (b"\xef\xbb\xbf" + "é KB1".encode(), "utf-8"),
        (b"\xff\xfe" + "é KB1".encode("utf-16-le"), "utf-16-le"),
        (b"\xfe\xff" + "é KB1".encode("utf-16-be"), "utf-16-be"),
        ("é KB1 KB2".encode("utf-16-le"), "utf-16-le"),
        ("é KB1 KB2".encode("utf-16-be"), "utf-16-be"),
        ("é KB1".encode("cp1252"), "cp1252"),
    ],
)
def test_decode_finds_the_encoding_and_says_which(data, encoding):
    found = text.decode(data)
    assert found.encoding == encoding
    assert found.text.startswith("é KB1")


def test_decode_calls_a_code_page_a_guess():
    assert "letters beyond ASCII may be wrong" in text.decode("Größe".encode("cp850")).note
    assert text.decode(b"plain").note == ""


def test_decode_reads_ascii_followed_by_unmarked_utf16():
    notice = "Please wait while WMIC is being installed.\r\n"
    table = "Caption  HotFixID\r\nnone  KB893756\r\n"
    found = text.decode(notice.encode() + table.encode("utf-16-le"))
    assert found.text == notice + table


def test_decode_of_a_head_cut_inside_a_character_is_not_a_guess():
    found = text.decode("Aktualität".encode()[:9], partial=True)
    assert (found.text, found.encoding, found.note) == ("Aktualit", "utf-8", "")


def test_decode_replaces_what_is_broken_and_says_so():
    found = text.decode(b"\xff\xfe" + b"A\x00\x00\xd8")
    assert found.text.startswith("A")
    assert "replaced" in found.note


def test_kb_of_takes_six_to_eight_digits_only():
    assert text.kb_of(TITLE) == "KB5009543"
    assert text.kb_of("x64 ベース システム用 (KB4053579)") == "KB4053579"
    assert text.kb_of("Feature update to Windows 10, version 21H2") == ""
    assert text.kb_of("KB12345 KB123456789") == ""


# ------------------------------------------------------------------ dates


def test_day_covers_the_local_day_everywhere_on_earth():
    when = dates.day(date(2022, 1, 12))
    # midnight at UTC+14 is 10:00 UTC the day before; the day ends at UTC-12 at noon the day after
    assert (when.low, when.high) == (utc("2022-01-11T10:00"), utc("2022-01-13T12:00"))
    assert (when.date, when.basis) == (utc("2022-01-12"), "date")


def test_day_narrows_when_the_zone_is_known():
    hour = pd.Timedelta("1h").to_pytimedelta()
    when = dates.day(date(2022, 1, 12), east=hour, west=-hour)  # UTC+1
    assert (when.low, when.high) == (utc("2022-01-11T23:00"), utc("2022-01-12T23:00"))


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["1/12/2022", "1/13/2022"], "month first"),
        (["1/12/2022", "13/1/2022"], "day first"),
        (["1/12/2022", "2/3/2022"], "undecided"),
        (["13/1/2022", "1/13/2022"], "mixed"),
        (["12.01.2022 00:00:00"], "day first"),
        (["12-01-2022"], "day first"),
        (["2022-01-12", "2022/01/13"], "undecided"),
        ([], "undecided"),
    ],
)
def test_order_of_decides_from_all_values_of_the_file(values, order):
    assert dates.order_of(values) == order


@pytest.mark.parametrize(
    ("value", "order", "day"),
    [
        ("1/12/2022 12:00:00 AM", "month first", "2022-01-12"),
        ("12/01/2022 00:00:00", "day first", "2022-01-12"),
        ("2022-01-12", "undecided", "2022-01-12"),
        ("2022. 1. 12. 00:00", "undecided", "2022-01-12"),
        ("2022/01/12", "day first", "2022-01-12"),
        ("20220112", "month first", "2022-01-12"),
        ("\u200e1/12/2022", "month first", "2022-01-12"),
        ("4/4/2022", "undecided", "2022-04-04"),
        ("1/13/2022", "mixed", "2022-01-13"),
        ("12.01.22", "day first", "2022-01-12"),
    ],
)
def test_read_day_reads_what_windows_prints(value, order, day):
    assert dates.read_day(value, order) == dates.day(date.fromisoformat(day))


@pytest.mark.parametrize("value", ["", "soon", "31/31/2022", "0/0/2022", "1/1/1601", "99999999"])
def test_read_day_refuses_what_is_no_date(value):
    assert dates.read_day(value, "undecided") is None


def test_read_day_spans_both_readings_when_undecided():
    when = dates.read_day("1/12/2022", "undecided")
    assert when == dates.either(date(2022, 1, 12), date(2022, 12, 1))
    assert when.date is None
    assert when.low == utc("2022-01-11T10:00")
    assert when.high == utc("2022-12-02T12:00")


def test_filetime_is_exact_to_100_ns():
    # 2019-03-21T10:29:36.3017569Z, from the known relation ticks = (t - 1601) * 1e7
    assert dates.filetime("01d4dfd0fb4eb361") == dates.instant(utc("2019-03-21T10:29:36.301756900"))
    assert dates.filetime("ffffffffffffffff") is None
    assert dates.filetime("KB5009543") is None


# ------------------------------------------------------------------ COM history


def com(entries: object, encoding: str = "utf-8") -> pd.DataFrame:
    return com_history.read(json.dumps(entries).encode(encoding)).updates


def ours(**changes: object) -> dict[str, object]:
    return {
        "host": "WS0001",
        "date_utc": "2022-01-12T03:15:41.1234567Z",
        "title": TITLE,
        "operation": 1,
        "result_code": 2,
        "hresult": "0x00000000",
        "update_id": GUID,
        "client": "UpdateOrchestrator",
    } | changes


def test_com_history_reads_the_collectors_dialect_whole():
    got = com([ours()])
    want = schema.frame(
        "updates",
        [
            {
                "host": "WS0001",
                "date": utc("2022-01-12T03:15:41.123456700"),
                "date_low": utc("2022-01-12T03:15:41.123456700"),
                "date_high": utc("2022-01-12T03:15:41.123456700"),
                "date_basis": "utc",
                "operation": "install",
                "result_code": "succeeded",
                "hresult": "0x00000000",
                "title": TITLE,
                "kb": "KB5009543",
                "update_id": GUID.lower(),
                "client_application_id": "UpdateOrchestrator",
                "source_kind": "com_history_json",
            }
        ],
    )
    pd.testing.assert_frame_equal(got, want)


def powershell(**changes: object) -> dict[str, object]:
    return {
        "Title": TITLE,
        "Date": "/Date(1641957341000)/",
        "Operation": 2,
        "ResultCode": 4,
        "HResult": -2145116140,
        "UpdateIdentity": {"RevisionNumber": 200, "UpdateID": GUID},
        "ClientApplicationID": "wusa",
    } | changes


def test_com_history_gives_powershell_5_dates_the_span_of_all_offsets():
    got = com([powershell()]).iloc[0]
    written = utc("2022-01-12T03:15:41")
    # written = truth - offset, and offsets run from -12 h to +14 h
    low, high = written - pd.Timedelta("12h"), written + pd.Timedelta("14h")
    assert span(got) == (written, low, high, "local")
    assert (got["operation"], got["result_code"]) == ("uninstall", "failed")
    assert (got["hresult"], got["update_id"]) == ("0x80242014", GUID.lower())


def test_com_history_says_why_its_dates_are_wide():
    problems = com_history.read(json.dumps([powershell()]).encode()).problems
    assert problems["reason"].str.contains("PowerShell 5.1").any()
    assert problems["records_lost"].sum() == 0


@pytest.mark.parametrize("offset", [-8, 1, 5.75, 13])
def test_com_history_recovers_the_truth_from_the_text_beside_the_date(offset):
    truth = utc("2022-01-12T03:15:41")
    shifted = int((truth - pd.Timedelta(hours=offset)).timestamp() * 1000)
    stamp = {
        "value": f"/Date({shifted})/",
        "DisplayHint": 2,
        "DateTime": "Wednesday, 12 January 2022 3:15:41 AM",
    }
    got = com([powershell(Date=stamp)]).iloc[0]
    assert span(got) == (truth, truth, truth, "utc")


def test_com_history_keeps_the_span_when_the_text_beside_does_not_fit():
    stamp = {"value": "/Date(1641957341000)/", "DateTime": "5 May 2019 10:00:00"}
    assert com([powershell(Date=stamp)])["date_basis"].item() == "local"


@pytest.mark.parametrize(
    ("stamp", "moment", "basis"),
    [
        ("2022-01-12T03:15:41", "2022-01-12T03:15:41", "utc"),
        ("2022-01-12 03:15:41Z", "2022-01-12T03:15:41", "utc"),
        ("2022-01-12 03:15:41 UTC", "2022-01-12T03:15:41", "utc"),
        ("2022-01-12T04:15:41+01:00", "2022-01-12T03:15:41", "offset"),
    ],
)
def test_com_history_takes_stated_times_as_instants(stamp, moment, basis):
    got = com([powershell(Date=stamp)]).iloc[0]
    assert span(got) == (utc(moment), utc(moment), utc(moment), basis)


@pytest.mark.parametrize(
    ("operation", "code", "words"),
    [
        (1, 2, ("install", "succeeded")),
        ("2", "3", ("uninstall", "succeeded_with_errors")),
        ("Installation", "Succeeded", ("install", "succeeded")),
        ("Uninstallation", "Succeeded With Errors", ("uninstall", "succeeded_with_errors")),
        ("uoInstallation", "orcAborted", ("install", "aborted")),
        (1, 0, ("install", "not_started")),
        (1, 1, ("install", "in_progress")),
        (1, "Failed", ("install", "failed")),
    ],
)
def test_com_history_translates_codes_as_numbers_and_words(operation, code, words):
    got = com([ours(operation=operation, result_code=code)]).iloc[0]
    assert (got["operation"], got["result_code"]) == words


def test_com_history_leaves_unknown_codes_open_and_says_so():
    read = com_history.read(json.dumps([ours(operation=7, date_utc="yesterday")]).encode())
    row = read.updates.iloc[0]
    assert row["operation"] == ""
    assert pd.isna(row["date"])
    assert pd.isna(row["date_low"])
    assert sorted(read.problems["reason"].str.split(" ").str[0]) == ["date", "operation"]


@pytest.mark.parametrize(
    "layout",
    [
        json.dumps,
        lambda rows: json.dumps({"value": rows, "Count": len(rows)}),
        lambda rows: "\r\n".join(json.dumps(row) for row in rows),
    ],
)
def test_com_history_reads_every_layout(layout):
    rows = [ours(), ours(title="Other (KB5010793)")]
    read = com_history.read(layout(rows).encode("utf-16"))
    assert list(read.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert read.problems.empty


def test_com_history_reads_a_single_object():
    assert com(ours())["kb"].tolist() == ["KB5009543"]


def test_com_history_keeps_the_whole_entries_of_a_cut_file():
    data = json.dumps([ours(), ours(), powershell()], indent=1).encode()
    read = com_history.read(data[:-40])
    assert len(read.updates) == 2
    assert "the file ends inside" in read.problems["reason"].item()
    assert pd.isna(read.problems["records_lost"].item())


def test_com_history_counts_empty_entries_and_non_objects():
    read = com_history.read(json.dumps([ours(), {"Title": None, "Date": None}, 5, None]).encode())
    assert len(read.updates) == 1
    assert sorted(read.problems["reason"]) == ["an empty entry", "an entry is no JSON object"]


def test_com_history_reads_the_seconds_of_osquery():
    row = {"client_app_id": "UpdateOrchestrator", "date": "1641957341", "hresult": "0"}
    row |= {"operation": "Installation", "result_code": "Succeeded", "title": TITLE}
    got = com([row]).iloc[0]
    assert span(got)[0] == utc("2022-01-12T03:15:41")
    assert (got["date_basis"], got["hresult"]) == ("utc", "0x00000000")
    assert got["client_application_id"] == "UpdateOrchestrator"


def test_com_history_keeps_an_entry_with_half_a_character():
    assert com([ours(title="Update \ud83d (KB5009543)")])["kb"].tolist() == ["KB5009543"]


def test_com_history_names_no_host_where_the_file_names_none():
    assert com([powershell()])["host"].item() == ""
    assert com([powershell(PSComputerName="WS0007")])["host"].item() == "WS0007"
    assert com([powershell(PSComputerName="localhost")])["host"].item() == ""


# ------------------------------------------------------------------ Get-HotFix

CSV = (
    '"PSComputerName","InstalledOn","CSName","Description","HotFixID","InstalledBy"\r\n'
    '"WS0001","1/12/2022 12:00:00 AM","WS0001","Security Update","KB5009543","NT AUTHORITY\\SYSTEM"\r\n'
    '"WS0001","1/18/2022 12:00:00 AM","WS0001","Update","KB5010793","NT AUTHORITY\\SYSTEM"\r\n'
)


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


# ------------------------------------------------------------------ wmic

WMIC_CSV = (
    "\r\nNode,Caption,CSName,Description,FixComments,HotFixID,InstallDate,InstalledBy,InstalledOn,"
    "Name,ServicePackInEffect,Status\r\n"
    "WS0002,http://support.microsoft.com/?kbid=5009543,WS0002,Security Update,,KB5009543,,"
    "NT AUTHORITY\\SYSTEM,1/12/2022,,,\r\n"
)


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


def table(*rows: tuple[str, str, str, str, str]) -> str:
    head = ("Caption", "CSName", "HotFixID", "InstalledBy", "InstalledOn")
    widths = [max(len(row[i]) for row in (head, *rows)) + 2 for i in range(5)]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + "\r\n"
        for row in (head, *rows)
    )


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


# ------------------------------------------------------------------ the registry


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\0" * 512, b'{"a": 1}', b"a,b\n1,2", bytes(range(256)) * 8]
)
def test_sniff_is_empty_for_what_the_kit_does_not_read(data):
    assert not readers.sniff(data)


def test_readers_stay_alone_on_their_own_format():
    heads = {
        "com_history_json": json.dumps([powershell()]).encode(),
        "get_hotfix": CSV.encode(),
        "wmic_qfe": WMIC_CSV.encode(),
        "evtx": b"ElfFile\0" + bytes(120),
    }
    for kind, head in heads.items():
        assert readers.claims(head) == (kind,)


def test_read_updates_fills_path_and_host_and_keeps_the_problems(tmp_path):
    file = tmp_path / "history.json"
    file.write_bytes(json.dumps([powershell(), ours()]).encode())
    got = kit.read_updates(file, host="WS0005")
    schema.check("updates", got)
    assert list(got["host"]) == ["WS0005", "WS0001"]
    assert set(got["path"]) == {"history.json"}
    assert set(got.attrs["problems"]["path"]) == {"history.json"}


def test_read_updates_refuses_what_is_no_update_history(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match="not an update history"):
        kit.read_updates(file)
    with pytest.raises(UsageError, match="there is no file"):
        kit.read_updates(tmp_path / "none.csv")


def test_readers_agree_with_real_wmic_dumps_on_every_kb(shared):
    for file in sorted((shared / "formats/update_history").glob("wmic_qfe*")):
        data = file.read_bytes()
        got = wmic.read(data)
        named = text.kb_counts(data.replace(b"\0", b"").decode("latin-1"))
        assert set(named) <= set(got.updates["kb"]), file.name
        assert got.updates["date"].notna().all(), file.name
        schema.check("updates", got.updates)


def test_readers_decide_the_real_spanish_table_by_its_days(shared):
    got = kit.read_updates(shared / "formats/update_history/Get-HotFix_table_es-CO.txt")
    assert utc("2019-10-04") in set(got["date"])  # printed 4/10/2019
    assert got.attrs["problems"].empty


@pytest.mark.parametrize("read", [com_history.read, hotfix.read, wmic.read])
@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{" * 50, b'[{"a":1}', bytes(range(256))])
def test_readers_account_for_bytes_that_are_not_theirs(read, data):
    got = read(data)
    assert got.updates.empty
    assert len(got.problems) >= 1


SEEDS = [
    json.dumps([powershell(), ours()]).encode("utf-16"),
    CSV.encode(),
    WMIC_CSV.encode("utf-16"),
    table(("", "W", "KB5009543", "a", "1/2/2022")).encode(),
]


@settings(max_examples=150, deadline=None)
@given(seed=st.sampled_from(SEEDS), at=st.integers(0, 400), junk=st.binary(max_size=8))
def test_readers_never_raise_on_damaged_dumps(seed, at, junk):
    damaged = seed[:at] + junk + seed[at + len(junk) :]
    for read in (com_history.read, hotfix.read, wmic.read):
        got = read(damaged)
        schema.check("updates", got.updates)
        schema.check("problems", got.problems)
        assert (
            got.updates["date_low"].isna() | (got.updates["date_low"] <= got.updates["date_high"])
        ).all()


# ------------------------------------------------------------------ against a known truth


@pytest.fixture(scope="module")
def world():
    return grow(load_scenario("founding-office"), seed=7)


@pytest.mark.parametrize("dump", ["com_51", "com_iso"])
def test_com_history_holds_the_truth_of_every_simulated_entry(world, dump):
    for host in world.hosts:
        got = com_history.read(WRITERS[dump][1](world, host)).updates
        true = history(world, host)
        assert got["title"].tolist() == [entry.title for entry in true]
        times = pd.Series([pd.Timestamp(entry.time).floor("s") for entry in true])
        assert ((got["date_low"] <= times) & (times <= got["date_high"])).all()
        assert set(got["date_basis"]) == ({"utc"} if dump == "com_iso" else {"local"})


@pytest.mark.parametrize("dump", ["hotfix_csv", "wmic_csv", "wmic_table"])
def test_inventories_hold_the_truth_of_every_simulated_row(world, dump):
    for host in world.hosts:
        got = reader_for(dump).read(WRITERS[dump][1](world, host)).updates
        true = fixes(world, host)
        assert got["kb"].tolist() == [fix.kb for fix in true]
        assert set(got["host"]) == {host.name}
        for fix, (_, row) in zip(true, got.iterrows(), strict=True):
            midnight = datetime(fix.day.year, fix.day.month, fix.day.day)  # local
            start, end = (world.window.utc(midnight + timedelta(days=n)) for n in (0, 1))
            assert row["date_low"] <= start < end <= row["date_high"]


def reader_for(dump: str) -> readers.Reader:
    kind = "get_hotfix" if dump == "hotfix_csv" else "wmic_qfe"
    return next(reader for reader in readers.READERS if reader.kind == kind)
