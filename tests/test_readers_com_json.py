"""COM's update history as JSON: the collector's, PowerShell's, osquery's and Puppet's."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from com_history_samples import EXACT, PUPPET, at, ours, powershell, read
from update_dialect_samples import GUID, TITLE, installed, reasons, span, utc

from kitlib.readers.updates import com_history


def com(entries: object, encoding: str = "utf-8") -> pd.DataFrame:
    return com_history.read(json.dumps(entries).encode(encoding)).updates


def test_com_history_reads_the_collectors_dialect_whole():
    got = com([ours()])
    want = installed(
        utc("2022-01-12T03:15:41.123456700"),
        "utc",
        host="WS0001",
        title=TITLE,
        kb="KB5009543",
        update_id=GUID.lower(),
        client_application_id="UpdateOrchestrator",
        source_kind="com_history_json",
    )
    pd.testing.assert_frame_equal(got, want)


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


# ------------------------------------------------------------------ Puppet's task


def test_puppets_task_is_read_like_the_history_it_is():
    got = read(json.dumps(PUPPET, indent=4), "com_history_json")
    row = got.updates.iloc[0]
    assert (row["update_id"], row["title"], span(row)) == (GUID, TITLE, at(EXACT[0]))
    assert got.problems.empty


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("Not Started", "not_started"),
        ("In Progress", "in_progress"),
        ("Succeeded With Errors", "succeeded_with_errors"),
        ("Failed", "failed"),
        ("Aborted", "aborted"),
        ("Unknown 7", ""),
    ],
)
def test_puppets_words_for_codes_are_known(code, result):
    got = read(json.dumps([PUPPET | {"ResultCode": code}]), "com_history_json")
    assert got.updates["result_code"].item() == result
    assert ("'Unknown 7' is not known" in reasons(got)) == (not result)
