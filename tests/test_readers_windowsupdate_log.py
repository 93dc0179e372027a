"""`WindowsUpdate.log` in both forms, and `Get-WUHistory` in all but CSV."""

from __future__ import annotations

import json
import time

import pandas as pd
import pytest
from update_dialect_samples import GUID, TITLE, installed, lost, reasons, span, utc

from kitlib import readers
from kitlib.readers import dates
from kitlib.readers.updates import pswindowsupdate_forms, reporting_events, windowsupdate_log

CHILD = "9f6c41f5-6d0f-454f-9380-cbf75e6a1cbf"
PACKAGE = "Package_for_KB5009543~31bf3856ad364e35~amd64~~6.1.1.4"


# ------------------------------------------------------------------ the text up to Windows 8


def old(said: str, at: str = "2022-01-12\t04:15:46:500", thread: str = "1748") -> str:
    component = "Report" if said.startswith("REPORT") else "Handler"
    return f"{at}\t1384\t{thread}\t{component}\t{said}\r\n"


def report(
    number: str = "183",
    words: str = "Installation Successful: Windows successfully installed the following update",
    code: str = "0",
) -> str:
    fields = ["{11111111-2222-3333-4444-555555555555}", "2022-01-12 04:15:41:123+0100", "1"]
    fields += [number, "101", f"{{{GUID.upper()}}}", "501", code, "wusa", "Success"]
    return old("REPORT EVENT: " + "\t".join([*fields, "Content Install", f"{words}: {TITLE}"]))


def zone(tz: str, at: str) -> str:
    said = f"===========  Logging initialized (build: 7.6.7600.256, tz: {tz})  ==========="
    return old(said, at).replace("Handler", "Misc")


def test_a_report_of_windows_7_is_read_to_the_millisecond_by_its_number():
    data = report().encode()
    assert readers.claims(data) == ("windowsupdate_log_old",)
    got = windowsupdate_log.read_old(data)
    want = installed(
        utc("2022-01-12T03:15:41.123"),
        "offset",
        title=TITLE,
        kb="KB5009543",
        update_id=GUID,
        client_application_id="wusa",
        source_kind="windowsupdate_log_old",
    )
    pd.testing.assert_frame_equal(got.updates, want)
    assert got.problems.empty
    assert got.clocks[["offset_low", "offset_high", "source"]].to_numpy().tolist() == [
        [60, 60, "windowsupdate_log_old"]
    ]


@pytest.mark.parametrize(
    ("number", "words", "want"),
    [
        ("181", "Installation Started: Windows successfully started", ("install", "in_progress")),
        ("182", "Installationsfehler", ("install", "failed")),
        ("201", "Installation pending", ("install", "in_progress")),
        ("0", "Uninstallation Successful: Windows removed", ("uninstall", "succeeded")),
        ("0", "Uninstallation Failure: Windows failed", ("uninstall", "failed")),
    ],
)
def test_reports_are_told_by_number_and_then_by_words(number, words, want):
    row = windowsupdate_log.read_old(report(number, words).encode()).updates.iloc[0]
    assert (row["operation"], row["result_code"]) == want


def test_a_report_of_an_installation_that_is_not_known_is_said_to_be_lost():
    got = windowsupdate_log.read_old((report() + report("999", "Something")).encode())
    assert (len(got.updates), lost(got)) == (1, 1)
    assert "event 999 of an installation is not known" in reasons(got)


def test_reporting_events_log_with_bare_numbers_is_read_alike():
    line = report().split("REPORT EVENT: ")[1]
    row = reporting_events.read(line.encode("utf-16")).updates.iloc[0]
    assert (row["result_code"], row["kb"]) == ("succeeded", "KB5009543")


def handled(*, hr: str = "0x0", reboot: int = 0, thread: str = "1748", verb: str = "install"):
    done = f"Completed {verb} of CBS update with type=0, requiresReboot={reboot}, installerError=0"
    return [
        old(f"Starting {verb} of CBS update {CHILD.upper()}", thread=thread),
        old(f"CBS package identity: {PACKAGE}", thread=thread),
        old(f"{done}, hr={hr}", at="2022-01-12\t04:16:13:645", thread=thread),
    ]


@pytest.mark.parametrize(
    ("hr", "reboot", "result", "code"),
    [
        ("0x0", 0, "succeeded", "0x00000000"),
        ("0x0", 1, "in_progress", "0x00000000"),
        ("0x80070308", 0, "failed", "0x80070308"),
        ("0x240006", 0, "", "0x00240006"),
    ],
)
def test_the_installer_states_package_result_and_local_time(hr, reboot, result, code):
    got = windowsupdate_log.read_old("".join(handled(hr=hr, reboot=reboot)).encode())
    row, shown = got.updates.iloc[0], utc("2022-01-12T04:16:13.645")
    assert span(row) == (shown, shown - dates.EAST, shown + dates.WEST, "local")
    assert row["local"]["kind"] == "wall"
    assert (row["operation"], row["result_code"], row["hresult"]) == ("install", result, code)
    assert (row["title"], row["kb"], row["update_id"]) == (PACKAGE, "KB5009543", CHILD)
    assert "the log does not tell the offset" in reasons(got)
    assert ("codes of 1 results are not known" in reasons(got)) == (not result)


def test_the_old_log_tells_its_own_offset_where_logging_begins():
    text = (
        zone("-0500", "2022-01-12\t01:00:00:000")
        + "".join(handled(verb="uninstall"))
        + zone("-0500", "2022-01-13\t01:00:00:000")
    )
    got = windowsupdate_log.read_old(text.encode())
    moment = utc("2022-01-12T09:16:13.645")
    assert span(got.updates.iloc[0]) == (moment, moment, moment, "offset")
    assert got.updates["operation"].item() == "uninstall"
    assert got.clocks[["start", "end", "offset_low", "offset_high"]].to_numpy().tolist() == [
        [utc("2022-01-12T06:00"), utc("2022-01-13T06:00"), -300, -300]
    ]
    assert got.problems.empty


def test_one_mark_leaves_the_hour_by_which_clocks_may_have_changed():
    text = zone("+0100", "2022-01-12\t01:00:00:000") + "".join(handled())
    row = windowsupdate_log.read_old(text.encode()).updates.iloc[0]
    assert (row["date_low"], row["date_high"]) == (
        utc("2022-01-12T02:16:13.645"),
        utc("2022-01-12T04:16:13.645"),
    )


def test_installers_of_two_threads_are_kept_apart():
    first, second = handled(thread="1748", hr="0x80070308"), handled(thread="a4c")
    mixed = [line for pair in zip(first, second, strict=True) for line in pair]
    got = windowsupdate_log.read_old("".join(mixed).encode()).updates
    assert got["result_code"].tolist() == ["failed", "succeeded"]


def test_an_installer_cut_off_was_begun_and_an_end_without_beginning_is_lost():
    got = windowsupdate_log.read_old("".join(handled()[:2]).encode())
    assert got.updates[["result_code", "kb"]].to_numpy().tolist() == [["in_progress", "KB5009543"]]
    got = windowsupdate_log.read_old(handled()[2].encode())
    assert (len(got.updates), lost(got)) == (0, 1)
    assert "whose beginning is not in the log" in reasons(got)


def test_titles_stand_below_the_call_and_are_given_to_the_ids_of_its_bundle():
    listed = [
        "** START **  Agent: Installing updates [CallerId = AutomaticUpdates]",
        f"  *   Title = {TITLE}",
        f"  *   UpdateId = {{{GUID.upper()}}}.100",
        "  *     Bundles 1 updates:",
        f"  *       {{{CHILD.upper()}}}.100",
    ]
    begun, _, done = handled()
    got = windowsupdate_log.read_old("".join([*map(old, listed), begun, done]).encode()).updates
    assert got[["title", "kb"]].to_numpy().tolist() == [[TITLE, "KB5009543"]]


# ------------------------------------------------------------------ as Get-WindowsUpdateLog has it


def decoded(said: str, component: str = "Agent", at: str = "2022/01/12 04:15:41.1234567") -> str:
    return f"{at} 21136   9740  {component:15} {said}\r\n"


def history(code: str = "80070643") -> str:
    return decoded(
        f"LogHistory called. idUpdate={{{GUID.upper()}}}.1, resultMapped={code}, resultUnMapped=FFFE"
    )


CALLED = decoded("* END * Install updates CallerId = UpdateOrchestrator")


@pytest.mark.parametrize(
    ("code", "result"),
    [("80070643", "failed"), ("00000000", "succeeded"), ("240005", "in_progress"), ("1", "")],
)
def test_an_entry_of_the_history_states_id_code_and_caller(code, result):
    data = (history(code) + CALLED).encode("utf-8-sig")
    assert readers.claims(data) == ("windowsupdate_log",)
    got = windowsupdate_log.read(data)
    row, shown = got.updates.iloc[0], utc("2022-01-12T04:15:41.123456")
    assert span(row) == (shown, shown - dates.EAST, shown + dates.WEST, "local")
    assert row["local"] is None
    assert (row["operation"], row["result_code"]) == ("install", result)
    assert (row["update_id"], row["client_application_id"]) == (GUID, "UpdateOrchestrator")
    assert int(row["hresult"], 16) == int(code, 16)
    assert "local to whoever ran Get-WindowsUpdateLog" in reasons(got)
    assert got.clocks.empty


def test_an_entry_without_a_call_leaves_the_operation_open():
    got = windowsupdate_log.read((history() + decoded("x")).encode())
    assert got.updates["operation"].tolist() == [""]
    assert "not told whether they are of installations or removals" in reasons(got)


def test_the_installer_speaks_alike_when_decoded():
    lines = [one.split("\t", 5)[5].strip() for one in handled(reboot=1)]
    got = windowsupdate_log.read("".join(decoded(one, "Handler") for one in lines).encode()).updates
    assert got[["result_code", "kb", "update_id"]].to_numpy().tolist() == [
        ["in_progress", "KB5009543", CHILD]
    ]


def test_lines_that_were_not_decoded_are_counted_with_what_to_do():
    unknown = "1601/01/01 01:00:00.0000000 992   1548                  Unknown( 10): GUID={} (No Format Information found).\r\n"
    got = windowsupdate_log.read((unknown * 3 + history() + CALLED).encode())
    assert len(got.updates) == 1
    assert "3 lines say 'No Format Information found' and 3 are dated 1600 or 1601" in reasons(got)
    assert "on the same version of Windows" in reasons(got)
    assert got.problems["records_lost"].isna().sum() == 1


@pytest.mark.parametrize("read", [windowsupdate_log.read, windowsupdate_log.read_old])
def test_a_trace_that_states_nothing_says_so(read):
    line = decoded("* START * Finding updates") + old("AU setting next sqm report timeout")
    got = read(line.encode())
    assert got.updates.empty
    assert reasons(got) == (
        "a trace of the update agent, 2 lines, in which no installation and no removal is stated"
    )


def test_a_long_trace_is_read_fast():
    noise = decoded("PT +++ Starting: Synchronizing server updates, Title of nothing +++")
    data = (noise * 200_000 + history() + CALLED).encode()
    begun = time.perf_counter()
    assert len(windowsupdate_log.read(data).updates) == 1
    assert time.perf_counter() - begun < 20


# ------------------------------------------------------------------ Get-WUHistory

RESULTS = (
    "\r\nComputerName Operationname  Result     Date                Title\r\n"
    "------------ -------------  ------     ----                -----\r\n"
)
KBS = (
    "\r\nComputerName Operationname  Date                KB        Title\r\n"
    "------------ -------------  ----                --        -----\r\n"
)


def text(data: str) -> readers.Parsed:
    assert readers.claims(data.encode()) == ("pswindowsupdate_text",)
    return pswindowsupdate_forms.read_text(data.encode())


def test_the_table_of_old_keeps_its_kbs_and_says_that_it_has_no_results():
    got = text(
        KBS
        + "WS0001       Installation   30.08.2021 12:03:53 KB2267602 Definition Update for W...\r\n"
        "WS0001       Uninstallation 29.08.2021 11:49:50           Something\r\n"
    )
    assert got.updates[["host", "operation", "result_code", "kb"]].to_numpy().tolist() == [
        ["WS0001", "install", "", "KB2267602"],
        ["WS0001", "uninstall", "", ""],
    ]
    shown = utc("2021-08-30T12:03:53")
    assert span(got.updates.iloc[0]) == (shown, shown - dates.EAST, shown + dates.WEST, "local")
    assert "1 of 2 titles are cut off by the table, and so may have lost the KB" in reasons(got)
    assert "prints no results" in reasons(got)


def test_a_date_cut_off_covers_both_halves_of_the_day():
    got = text(RESULTS + f"WS0001       Installation   Succeeded  9/30/2021 3:24:1... {TITLE}\r\n")
    row = got.updates.iloc[0]
    assert pd.isna(row["date"])
    assert row["date_low"] == utc("2021-09-30T03:24") - dates.EAST
    assert row["date_high"] == utc("2021-09-30T15:25") + dates.WEST
    assert (row["kb"], row["result_code"]) == ("KB5009543", "succeeded")
    assert "1 of 1 dates are cut off by the table" in reasons(got)


def test_a_date_cut_off_has_one_half_where_the_file_counts_to_24():
    got = text(
        RESULTS + f"WS0001       Installation   Succeeded  30. 9. 2021 3:24:\u2026 {TITLE}\r\n"
        f"WS0001       Installation   Failed     30. 9. 2021 15:2... {TITLE}\r\n"
    )
    row = got.updates.iloc[0]
    assert row["date_high"] == utc("2021-09-30T03:25") + dates.WEST
    # the minute is cut as well, so the day is left
    assert got.updates["date_basis"].tolist() == ["local", "date"]


def test_a_wrapped_title_goes_on():
    got = text(
        RESULTS
        + "WS0001       Installation   Succeeded  30.09.2021 03:24:11 2021-09 Cumulative Update\r\n"
        + " " * 59
        + "(KB5009543)\r\n"
    )
    assert got.updates["title"].tolist() == ["2021-09 Cumulative Update (KB5009543)"]


LISTED = """
ComputerName  : WS0001
OperationName : Installation
Result        : Failed
Date          : 30.09.2021 03:24:11
Title         : 2021-09 Cumulative Update
                (KB5009543)
KB            : KB5009543
ResultCode    : 4
Operation     : 1
HResult       : -2145124318
"""


def test_the_list_is_read_by_names_and_is_not_taken_for_coms():
    data = LISTED.encode()
    assert readers.claims(data)[0] == "pswindowsupdate_text"
    row = pswindowsupdate_forms.read_text(data).updates.iloc[0]
    assert (row["title"], row["result_code"]) == ("2021-09 Cumulative Update (KB5009543)", "failed")
    assert (row["hresult"], row["date_basis"]) == ("0x80240022", "local")


def entry(date: object, **more: object) -> bytes:
    com = {"Operation": 1, "ResultCode": 2, "HResult": 0, "UpdateIdentity": {"UpdateID": GUID}}
    own = {"ComputerName": "WS0001", "OperationName": "Installation", "Date": date}
    named = {"Title": TITLE, "Result": "Succeeded", "KB": "KB5009543"}
    return json.dumps([com | own | named | more]).encode()


@pytest.mark.parametrize(
    ("date", "basis"),
    [
        ("/Date(1641957341000)/", "utc"),
        ({"value": "/Date(1641957341000)/", "DateTime": "Mittwoch"}, "utc"),
        ("2022-01-12T04:15:41+01:00", "offset"),
        ("2022-01-11T22:15:41-05:00", "offset"),
    ],
)
def test_json_has_right_times_in_both_versions(date, basis):
    data = entry(date)
    assert readers.sniff(data) == "pswindowsupdate_json"
    got = pswindowsupdate_forms.read_json(data)
    moment = utc("2022-01-12T03:15:41")
    assert span(got.updates.iloc[0]) == (moment, moment, moment, basis)
    assert got.updates["update_id"].item() == GUID
    assert len(got.clocks) == (basis == "offset")
    assert got.problems.empty


def test_json_without_an_offset_is_local():
    row = pswindowsupdate_forms.read_json(entry("2022-01-12T04:15:41")).updates.iloc[0]
    assert (row["date_basis"], row["date"]) == ("local", utc("2022-01-12T04:15:41"))


def test_what_is_no_date_leaves_the_time_unknown_and_says_so():
    got = pswindowsupdate_forms.read_json(entry("gestern"))
    assert pd.isna(got.updates["date_low"].item())
    assert "'gestern' is not a date" in reasons(got)


CLIXML = """<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
  <Obj RefId="0"><Props><I32 N="ResultCode">2</I32><I32 N="Operation">1</I32>
    <DT N="Date">2022-01-12T03:15:41</DT></Props>
    <MS><S N="ComputerName">WS0001</S><S N="OperationName">Uninstallation</S>
    <DT N="Date">2022-01-12T04:15:41+01:00</DT><S N="Title">Update</S>
    <S N="Result">Aborted </S><S N="KB">KB5009543</S></MS></Obj>
  <Obj RefId="1"><MS><S N="OperationName">Installation</S><S N="Title">
"""


def test_clixml_prefers_the_modules_own_date_and_loses_a_broken_object_only():
    data = CLIXML.encode("utf-16")
    assert readers.sniff(data) == "pswindowsupdate_clixml"
    got = pswindowsupdate_forms.read_clixml(data)
    row, moment = got.updates.iloc[0], utc("2022-01-12T03:15:41")
    assert span(row) == (moment, moment, moment, "offset")
    assert (row["operation"], row["result_code"]) == ("uninstall", "aborted")
    assert (row["title"], row["kb"]) == ("Update", "KB5009543")
    assert (len(got.updates), lost(got)) == (1, 1)
    assert got.clocks["offset_low"].tolist() == [60]
