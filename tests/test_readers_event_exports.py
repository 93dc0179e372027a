"""Readers of event exports: the same rows as from the log itself, and what is lost is said."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
from event_export_samples import (
    XML_LAYOUTS,
    as_csv,
    as_dump,
    as_evtxecmd,
    dumps,
    log,
    lost,
    read,
    rows_of,
    said,
    utc,
    xml_of,
)
from evtx import PyEvtxParser

from kitlib import readers
from kitlib.readers.events import (
    event_exports,
    event_xml,
)
from kitlib.readers.evtx import read_evtx
from kitlib.simulate import evtx as writer
from kitlib.simulate.evtx import Event

SAMPLES = {
    "wevtutil_qe_RenderedXml_two_events_no_root.xml": (
        "event_xml",
        2,
        1,
        {
            "host": "appcompl04d.its.corp.gwl.com",
            "event_id": 203,
            "record_id": 2340818,
            "time_created": utc("2025-04-08T12:14:15.645159700"),
            "provider": "Microsoft-Windows-TaskScheduler",
            "level": 2,
            "activity_id": "53b132f6-d864-48e1-8d06-26a84457fb9a",
        },
    ),
    "Get-WinEvent_ConvertTo-Json_ps51.json": (
        "get_winevent_json",
        1,
        0,
        {
            "host": "DESKTOP-U3FCUKI",
            "event_id": 13,
            "record_id": 2555,
            "time_created": utc("2020-07-21T23:34:18.918"),
            "channel": "System",
            "keywords": "0x8000000000000000",
        },
    ),
    "Get-WinEvent_Export-Csv_ps51_en-US.csv": (
        "get_winevent_csv",
        2,
        0,
        {
            "host": "Panda-PC",
            "event_id": 5,
            "record_id": 1657,
            "time_created": None,
            "channel": "Microsoft-Windows-Sysmon/Operational",
            "user_id": "S-1-5-18",
            "@local_time": "5/31/2026 4:36:21 PM",
        },
    ),
    "event_viewer_save_as_csv_de-DE.csv": (
        "event_viewer_text",
        2,
        1,
        {
            "host": "",
            "channel": "",
            "event_id": 301,
            "record_id": None,
            "time_created": None,
            "provider": "Microsoft-Windows-PrintService",
            "level": 4,
            "@local_time": "27.10.2021 12:28:26",
        },
    ),
    "Get-EventLog_Out-File_es-CO.txt": (
        "get_eventlog_text",
        3,
        1,
        {
            "host": "",
            "event_id": None,
            "record_id": 26036,
            "time_created": None,
            "provider": "Microsoft-Windows-WindowsUpdateClient",
            "@local_time": "12/02/2020 1:59:26 p.m.",
        },
    ),
    "evtx_dump_style_jsonl.jsonl": (
        "evtx_dump_json",
        4,
        0,
        {
            "host": "WIN-P4SIAA0SQCO",
            "event_id": 7045,
            "qualifiers": 16384,
            "record_id": 45,
            "time_created": utc("2017-07-12T17:16:29.401630"),
            "StartType": "demand start",
        },
    ),
    "velociraptor_parse_evtx_1102.json": (
        "velociraptor_json",
        1,
        0,
        {
            "host": "TestComputer",
            "event_id": 1102,
            "record_id": 33072,
            "time_created": utc("2019-02-09T17:05:24.672758300"),
            "keywords": "0x4020000000000000",
            "UserData": "LogFileCleared",
            "SubjectUserName": "test",
        },
    ),
    "winlogbeat_ecs_1102.json": (
        "winlogbeat_json",
        1,
        0,
        {
            "host": "WIN-41OB2LO92CR.wlbeat.local",
            "event_id": 1102,
            "record_id": 14224,
            "time_created": utc("2019-11-07T10:34:29.055919600"),
            "process_id": 1144,
            "thread_id": 1824,
            "UserData": "LogFileCleared",
        },
    ),
    "otrf_security_datasets_winlogbeat_flat.jsonl": (
        "flat_event_json",
        2,
        1,
        {
            "host": "WORKSTATION5",
            "event_id": 4690,
            "record_id": None,
            "time_created": utc("2020-10-28T07:19:09.046"),
            "channel": "Security",
            "SubjectUserName": "wardog",
        },
    ),
}


def test_every_real_sample_is_in_the_table(shared):
    found = {path.name for path in (shared / "formats" / "eventlog").iterdir()}
    assert found == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_real_sample_goes_to_its_reader_and_gives_its_rows(shared, name):
    kind, count, number, cells = SAMPLES[name]
    found = read((shared / "formats" / "eventlog" / name).read_bytes(), kind)
    assert len(found.events) == count
    assert lost(found) == 0
    row = found.events.iloc[number]
    shown = {key: row[key] if key in row else row["data"].get(key) for key in cells}
    assert {k: None if v is pd.NA or v is pd.NaT else v for k, v in shown.items()} == cells
    assert found.updates.empty
    assert found.sessions.empty


@pytest.mark.parametrize("name", SAMPLES)
def test_real_sample_is_claimed_by_no_other_reader_before(shared, name):
    head = (shared / "formats" / "eventlog" / name).read_bytes()
    claims = readers.claims(head)
    assert claims[0] == SAMPLES[name][0]


def test_no_event_reader_claims_an_update_history_or_a_gateway_log(shared):
    for folder in ("update_history", "vpn"):
        for path in (shared / "formats" / folder).iterdir():
            claims = readers.claims(path.read_bytes()[:65536])
            assert claims[0] not in {reader.kind for reader in event_exports.READERS}, path.name


@pytest.mark.parametrize("name", SAMPLES)
def test_one_problem_says_what_the_format_has_lost(shared, name):
    found = read((shared / "formats" / "eventlog" / name).read_bytes())
    stated = found.problems[found.problems["reason"].str.contains("leaves out")]
    if name.endswith(".xml"):
        assert found.problems.empty
        return
    assert len(stated) == 1
    reason = stated["reason"].iloc[0]
    for column, words in (("host", "host name"), ("channel", "channel")):
        assert (found.events[column] == "").all() == (f"the {words};" in reason)
    assert found.events["time_created"].isna().any() == ("the time zone" in reason)
    assert found.events["record_id"].isna().any() == ("the record number" in reason)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("layout", XML_LAYOUTS)
def test_xml_gives_the_rows_of_the_log_itself(layout, quote, encoding):
    written = XML_LAYOUTS[layout](xml_of(log(), quote=quote)).encode(encoding)
    found = read(written, "event_xml")
    pd.testing.assert_frame_equal(found.events, log(), check_like=False)
    assert found.problems.empty


@pytest.mark.parametrize("indent", [False, True])
def test_real_logs_come_back_equal_from_xml(shared, indent):
    compared, different = 0, []
    for path in sorted((shared / "evtx").rglob("*.evtx")):
        want = read_evtx(path)
        if path.stat().st_size > 1_200_000 or want.empty or len(want.attrs["problems"]):
            continue
        with path.open("rb") as stream:
            parser = PyEvtxParser(stream, indent=indent)
            written = "\n".join(record["data"] for record in parser.records())
        found = event_xml.read(written.encode()).events
        columns = [name for name in want if name not in ("time_created", "path", "data")]
        pd.testing.assert_frame_equal(found[columns], want[columns])
        # That program cuts the 100 ns off; the log's reader takes them from the record's header.
        assert (found["time_created"] - want["time_created"]).abs().max() < pd.Timedelta("10us")
        pairs = zip(want["data"], found["data"], strict=True)
        different += [pair for pair in pairs if pair[0] != pair[1]]
        compared += len(want)
    assert compared > 5_000
    # Where lines are broken, a value that is a line break cannot be told from the printer's.
    assert all(indent and "\n" in one["Data"] for one, _ in different)


def test_xml_keeps_a_hundred_nanoseconds():
    event = Event(provider="P", event_id=1, time=writer.ticks("2022-01-12T12:00:00.1234567Z"))
    found = read("".join(xml_of(log(event))))
    assert found.events["time_created"].iloc[0] == utc("2022-01-12T12:00:00.1234567")


def test_rendered_xml_adds_the_message_and_nothing_else():
    extra = (
        "<RenderingInfo Culture='de-DE'><Message>Größe</Message><Level>Fehler</Level>"
        "<Keywords><Keyword>Klassisch</Keyword></Keywords></RenderingInfo>"
    )
    found = read("\n".join(xml_of(log(), rendering=extra)))
    plain = [{k: v for k, v in d.items() if k != "RenderingInfo"} for d in found.events["data"]]
    assert plain == list(log()["data"])
    assert found.events["data"].iloc[0]["RenderingInfo"] == {
        "@Culture": "de-DE",
        "Message": "Größe",
        "Level": "Fehler",
        "Keywords": {"Keyword": "Klassisch"},
    }


def indented(xml):
    """Break lines between elements, but not inside an empty one."""
    return re.sub(r"(<(\w+)[^<>]*></\2>)|>(?=<)", lambda m: m[1] or ">\r\n  ", xml)


def test_blank_text_is_a_value_where_the_file_breaks_no_lines():
    event = Event(provider="P", event_id=1, time=1 << 57, data={"a": "\n  ", "b": " "})
    assert read("".join(xml_of(log(event)))).events["data"].iloc[0] == {"a": "\n  ", "b": " "}


def test_xml_with_line_breaks_inside_empty_elements_gives_the_same_rows():
    pd.testing.assert_frame_equal(
        read("\n".join(xml_of(log())).replace("><", ">\n  <")).events, log()
    )


def test_xml_printed_with_line_breaks_gives_the_same_rows():
    pd.testing.assert_frame_equal(read(indented("\n".join(xml_of(log())))).events, log())


JSON_LAYOUTS = {
    "lines": lambda objects: "\n".join(map(dumps, objects)),
    "array": dumps,
    "indented array": lambda objects: dumps(objects, indent=2),
    "under value": lambda objects: dumps({"value": objects, "Count": len(objects)}),
    "under hits": lambda objects: dumps(
        {"took": 1, "_shards": {"total": 1}, "hits": {"total": {"value": 3}, "hits": objects}}
    ),
}


@pytest.mark.parametrize("layout", JSON_LAYOUTS)
def test_evtx_dump_gives_the_rows_of_the_log_itself(layout):
    written = JSON_LAYOUTS[layout]([as_dump(row) for row in rows_of(log())])
    found = read(written, "evtx_dump_json")
    pd.testing.assert_frame_equal(found.events, log())
    assert "tenths of microseconds" in said(found)


EVTXECMD = {
    "evtxecmd_csv": as_csv,
    "evtxecmd_json": lambda entries: "\n".join(map(json.dumps, entries)),
}


@pytest.mark.parametrize("kind", EVTXECMD)
def test_evtxecmd_gives_the_rows_of_the_log_itself_where_it_has_columns(kind):
    entries = [as_evtxecmd(row) for row in rows_of(log())]
    found = read("\ufeff" + EVTXECMD[kind](entries), kind)
    gone = {"version", "task", "opcode", "qualifiers", "activity_id"}
    kept = [column for column in log().columns if column not in gone]
    want = log()[kept]
    rendered = [{"Level": "Info"}, {"Level": "Error"}, {"Level": "Info"}]
    want["data"] = [
        {**data, "RenderingInfo": words} for data, words in zip(want["data"], rendered, strict=True)
    ]
    pd.testing.assert_frame_equal(found.events[kept], want)
    assert "taken apart by their known number" in said(found)
