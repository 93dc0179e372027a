"""Readers of event exports: the same rows as from the log itself, and what is lost is said."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from importlib.resources import files
from time import process_time
from xml.sax.saxutils import escape, quoteattr

import pandas as pd
import pytest
from evtx import PyEvtxParser
from hypothesis import given, settings
from hypothesis import strategies as st

from kitlib import readers, schema
from kitlib.errors import FormatError
from kitlib.readers import json_objects
from kitlib.readers.events import (
    event_exports,
    event_viewer,
    event_xml,
    exports,
    get_winevent,
    messages,
)
from kitlib.readers.evtx import read_evtx, read_evtx_bytes
from kitlib.readers.payload import Row
from kitlib.simulate import evtx as writer
from kitlib.simulate.evtx import Event, UserData, encode_log

GUID = "{945A8954-C147-4ACD-923F-40C45405A658}"
NS = "http://schemas.microsoft.com/win/2004/08/events/event"


def utc(stamp):
    return pd.Timestamp(stamp, tz="UTC").as_unit("ns")


def read(content, kind=None):
    data = content.encode() if isinstance(content, str) else content
    reader = readers.reader_for(data[: readers.HEAD_BYTES])
    assert reader is not None
    if kind:
        assert reader.kind == kind
    found = reader.read(data)
    schema.check("events", found.events)
    schema.check("problems", found.problems)
    return found


def lost(found):
    return int(found.problems["records_lost"].sum())


def said(found):
    return "; ".join(found.problems["reason"])


# --- the real samples: file, kind, rows, one row of it --------------------------------------

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


# --- the same events through every dialect --------------------------------------------------

EVENTS = (
    Event(
        provider="Microsoft-Windows-WindowsUpdateClient",
        provider_guid=GUID,
        event_id=19,
        time=writer.ticks("2022-01-12T12:00:00.123456Z"),
        data={
            "updateTitle": "Update für x64 <a & b> \"q\" 'r' (KB5009543)",
            "updateGuid": writer.guid(GUID),
            "code": writer.hex32(0x8024001E),
            "number": writer.u32(501),
            "yes": True,
            "nothing": None,
            "when": writer.filetime(writer.ticks("2022-01-12T11:00:00Z")),
        },
        version=1,
        opcode=13,
        task=1,
        process_id=4,
        thread_id=8,
        activity_id=GUID,
        user_sid="S-1-5-18",
    ),
    Event(
        provider="RasClient",
        event_id=20227,
        time=writer.ticks("2022-01-12T12:00:01.5Z"),
        data=("{B4000371-A67F-452F-AA4C-3125AA9CFC78}", "CORP\\alice", "", "789"),
        binary=b"\x01\xfe",
        qualifiers=32768,
        level=2,
        keywords=0x80000000000000,
    ),
    Event(
        provider="Microsoft-Windows-Servicing",
        provider_guid=GUID,
        event_id=2,
        time=writer.ticks("2022-01-12T12:00:02Z"),
        data=UserData(
            root="CbsPackageChangeState",
            namespace="urn:x",
            fields={"PackageIdentifier": "KB5009543", "ErrorCode": "0x0"},
        ),
    ),
)


def log(*events):
    data = encode_log(events or EVENTS, channel="System", computer="PC01.corp", first_record_id=70)
    return read_evtx_bytes(data, name="")


def as_xml(row, *, quote='"', rendering=""):
    """One event as Windows writes it, from a row of the table."""
    data = dict(row["data"])

    def attr(name, value):
        text = "" if pd.isna(value) or value == "" else str(value)
        shown = quoteattr(text, {"'": "&apos;"})
        return f" {name}={shown.replace(chr(34), quote)}" if text else ""

    def leaf(name, value):
        return f"<{name}>{escape(str(value))}</{name}>" if not pd.isna(value) else ""

    inner = "".join(
        [
            f"<Provider{attr('Name', row['provider'])}/>",
            f"<EventID{attr('Qualifiers', row['qualifiers'])}>{row['event_id']}</EventID>",
            *(leaf(n, row[n.lower()]) for n in ("Version", "Level", "Task", "Opcode", "Keywords")),
            f"<TimeCreated{attr('SystemTime', row['time_created'].isoformat()[:-6] + 'Z')}/>",
            leaf("EventRecordID", row["record_id"]),
            f"<Correlation{attr('ActivityID', row['activity_id'])}/>",
            "<Execution"
            + attr("ProcessID", row["process_id"])
            + attr("ThreadID", row["thread_id"]),
            "/>",
            leaf("Channel", row["channel"]),
            leaf("Computer", row["host"]),
            f"<Security{attr('UserID', row['user_id'])}/>",
        ]
    )
    return (
        f"<Event xmlns={quote}{NS}{quote}><System>{inner}</System>"
        f"{xml_payload(data, quote)}{rendering}</Event>"
    )


def xml_payload(data, quote):
    if "UserData" in data:
        root = data.pop("UserData")
        fields = "".join(f"<{n}>{escape(v or '')}</{n}>" for n, v in data.items())
        return f"<UserData><{root} xmlns={quote}urn:x{quote}>{fields}</{root}></UserData>"
    fields = []
    for name, value in data.items():
        if name == "Data":
            fields += [f"<Data>{escape(v)}</Data>" for v in value]
        elif name == "Binary":
            fields.append(f"<Binary>{value}</Binary>")
        elif value is None:
            fields.append(f"<Data Name={quote}{name}{quote}/>")
        else:
            fields.append(f"<Data Name={quote}{name}{quote}>{escape(value)}</Data>")
    return f"<EventData>{''.join(fields)}</EventData>"


def rows_of(frame):
    return [row for _, row in frame.iterrows()]


def xml_of(frame, **options):
    return [as_xml(row, **options) for row in rows_of(frame)]


XML_LAYOUTS = {
    "wevtutil qe": "\n".join,
    "wevtutil qe /e:Events": lambda events: f"<Events>{''.join(events)}</Events>",
    "wevtutil qe /e:Log": lambda events: f"<Log>\r\n{''.join(events)}\r\n</Log>",
    "Event Viewer": lambda events: (
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\r\n'
        f"<Events>{''.join(events)}</Events>"
    ),
}


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


def as_dump(row):
    """One event as evtx_dump prints it."""
    number = {"#text": row["event_id"], "#attributes": {"Qualifiers": row["qualifiers"]}}
    system = {
        "Provider": {"#attributes": {"Name": row["provider"], "Guid": GUID}},
        "EventID": row["event_id"] if pd.isna(row["qualifiers"]) else number,
        **{n: row[n.lower()] for n in ("Version", "Level", "Task", "Opcode", "Keywords")},
        "TimeCreated": {"#attributes": {"SystemTime": row["time_created"].isoformat()}},
        "EventRecordID": row["record_id"],
        "Correlation": {"#attributes": {"ActivityID": row["activity_id"]}},
        "Execution": {
            "#attributes": {"ProcessID": row["process_id"], "ThreadID": row["thread_id"]}
        },
        "Channel": row["channel"],
        "Computer": row["host"],
        "Security": {"#attributes": {"UserID": row["user_id"]}},
    }
    data = dict(row["data"])
    event = {"#attributes": {"xmlns": NS}, "System": system}
    if "UserData" in data:
        root = data.pop("UserData")
        event["UserData"] = {root: {"#attributes": {"xmlns": "urn:x"}, **data}}
    else:
        if "Data" in data:
            data["Data"] = {"#text": data["Data"]}
        event["EventData"] = {n: True if v == "true" else v for n, v in data.items()}
    return {"Event": event}


def plain(value):
    """What JSON cannot hold: NumPy numbers and missing ones."""
    return None if value is pd.NA else int(value)


def dumps(value, **options):
    return json.dumps(value, default=plain, **options)


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


def as_evtxecmd(row):
    """One event as a line of EvtxECmd; only what its columns hold."""
    data = dict(row["data"])
    if "UserData" in data:
        root = data.pop("UserData")
        payload = {"UserData": {root: {"@xmlns": "urn:x", **data}}}
    elif "Data" in data:
        payload = {"EventData": {"Data": ", ".join(data["Data"]), "Binary": data["Binary"]}}
    else:
        named = [{"@Name": n, **({"#text": v} if v else {})} for n, v in data.items()]
        payload = {"EventData": {"Data": named}}
    levels = {2: "Error", 4: "Info"}
    return {
        "RecordNumber": str(row["record_id"]),
        "EventRecordId": str(row["record_id"]),
        "TimeCreated": row["time_created"].strftime("%Y-%m-%d %H:%M:%S.%f") + "0",
        "EventId": str(row["event_id"]),
        "Level": levels[row["level"]],
        "Provider": row["provider"],
        "Channel": row["channel"],
        "ProcessId": str(row["process_id"] if row["process_id"] is not pd.NA else ""),
        "ThreadId": str(row["thread_id"] if row["thread_id"] is not pd.NA else ""),
        "Computer": row["host"],
        "ChunkNumber": "0",
        "UserId": row["user_id"],
        "MapDescription": "",
        "PayloadData1": "made of the payload",
        "Keywords": row["keywords"],
        "Payload": json.dumps(payload, ensure_ascii=False),
    }


def as_csv(entries, **options):
    out = io.StringIO()
    table = csv.DictWriter(out, list(entries[0]), **options)
    table.writeheader()
    table.writerows(entries)
    return out.getvalue()


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


# --- Get-WinEvent ---------------------------------------------------------------------------


def as_powershell(**changed):
    return {
        "Message": "Größe, 1\nzweite Zeile",
        "Id": 20227,
        "Version": None,
        "Qualifiers": 0,
        "Level": 2,
        "Task": 0,
        "Opcode": None,
        "Keywords": 36028797018963968,
        "RecordId": 70,
        "ProviderName": "RasClient",
        "LogName": "Application",
        "ProcessId": None,
        "ThreadId": None,
        "MachineName": "PC01",
        "UserId": None,
        "TimeCreated": "/Date(1641988801500)/",
        "ActivityId": None,
        "LevelDisplayName": "Fehler",
        "TaskDisplayName": "wrong",
        **changed,
    }


def test_winevent_json_of_5_1_is_utc_and_has_no_event_data():
    found = read(json.dumps(as_powershell()).replace("/", "\\/"), "get_winevent_json")
    assert found.events["time_created"].iloc[0] == utc("2022-01-12T12:00:01.5")
    assert found.events["keywords"].iloc[0] == "0x0080000000000000"
    assert found.events["data"].iloc[0] == {
        "RenderingInfo": {"Message": "Größe, 1\nzweite Zeile", "Level": "Fehler"}
    }
    assert "event data" in said(found)


def test_winevent_json_takes_values_users_and_dates_that_were_opened():
    entry = as_powershell(
        UserId={"BinaryLength": 12, "AccountDomainSid": None, "Value": "S-1-5-18"},
        TimeCreated={"value": "/Date(1641988801500)/", "DateTime": "Mittwoch, 12. Januar 2022"},
        Properties=[{"Value": "{ABC}"}, {"Value": 789}, {"Value": None}],
        IpAddress="10.0.0.1",
    )
    found = read(json.dumps([entry, entry]))
    row = found.events.iloc[1]
    assert row["user_id"] == "S-1-5-18"
    assert row["time_created"] == utc("2022-01-12T12:00:01.5")
    assert row["data"]["Data"] == ["{ABC}", "789", ""]
    assert row["data"]["IpAddress"] == "10.0.0.1"


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ("2022-01-12T13:00:01.5000001+01:00", "2022-01-12T12:00:01.5000001"),
        ("2022-01-12T12:00:01Z", "2022-01-12T12:00:01"),
        ("2022-01-12T06:30:01-05:30", "2022-01-12T12:00:01"),
        ("2022-01-12T12:00:01", None),
        ("1/12/2022 12:00:01 PM", None),
        ("12.01.2022 12:00:01", None),
        ("99999-01-12T12:00:01Z", None),
        ("2022-13-41T12:00:01Z", None),
    ],
)
def test_a_time_counts_only_with_its_zone(stamp, time):
    found = read(json.dumps(as_powershell(TimeCreated=stamp)))
    row = found.events.iloc[0]
    if time:
        assert row["time_created"] == utc(time)
        assert "@local_time" not in row["data"]
    else:
        assert row["time_created"] is pd.NaT
        assert row["data"]["@local_time"] == stamp
        assert "the time zone" in said(found)


@pytest.mark.parametrize(
    "first", ["", "#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\r\n"]
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("mark", [",", ";"])
def test_winevent_csv_is_read_by_column_names(first, encoding, mark):
    entry = as_powershell(TimeCreated="12.01.2022 13:00:01", Properties="System.Object[]")
    written = as_csv([entry, entry], quoting=csv.QUOTE_ALL, delimiter=mark)
    found = read((first + written).encode(encoding), "get_winevent_csv")
    assert list(found.events["record_id"]) == [70, 70]
    assert found.events["data"].iloc[0] == {
        "@local_time": "12.01.2022 13:00:01",
        "RenderingInfo": {"Message": "Größe, 1\nzweite Zeile", "Level": "Fehler"},
    }


def test_winevent_csv_of_selected_columns_says_which_are_missing():
    found = read(
        '"TimeCreated","Id","LevelDisplayName","Message"\r\n'
        '"1/12/2022 1:00:01 PM","20227","Error","gone"\r\n',
        "get_winevent_csv",
    )
    assert found.events["event_id"].iloc[0] == 20227
    for words in ("host name", "channel", "provider", "record number", "time zone"):
        assert words in said(found)


CLIXML = """<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
  <Obj RefId="0">
    <TN RefId="0"><T>System.Diagnostics.Eventing.Reader.EventLogRecord</T></TN>
    <ToString>System.Diagnostics.Eventing.Reader.EventLogRecord</ToString>
    <Props><I32 N="Id">20227</I32><Nil N="Version" /><I32 N="Qualifiers">0</I32>
      <By N="Level">2</By><I64 N="Keywords">36028797018963968</I64><I64 N="RecordId">70</I64>
      <S N="ProviderName">RasClient</S><S N="LogName">Application</S>
      <S N="MachineName">PC01</S>
      <Obj N="UserId" RefId="1"><TN RefId="1"><T>System.Security.Principal.SecurityIdentifier</T>
      </TN><ToString>S-1-5-18</ToString><Props><I32 N="BinaryLength">12</I32></Props></Obj>
      <DT N="TimeCreated">2022-01-12T13:00:01.5000001+01:00</DT>
      <Obj N="Properties" RefId="2"><TN RefId="2"><T>System.Object</T></TN><LST>
        <Obj RefId="3"><TN RefId="3"><T>x</T></TN>
          <ToString>System.Diagnostics.Eventing.Reader.EventProperty</ToString>
          <Props><S N="Value">{ABC}</S></Props></Obj>
        <Obj RefId="4"><TNRef RefId="3" /><Props><U32 N="Value">789</U32></Props></Obj>
        <Obj RefId="5"><TNRef RefId="3" /><Props><BA N="Value">Af4=</BA></Props></Obj>
      </LST></Obj>
    </Props>
    <MS><S N="Message">a_x000D__x000A_b &lt;c&gt; _xD83D__xDE00_</S></MS>
  </Obj>
  <Obj RefId="6"><TNRef RefId="0" />
    <Props><I32 N="Id">20225</I32><Ref N="UserId" RefId="1" />
      <DT N="TimeCreated">2022-01-12T12:00:00Z</DT></Props>
  </Obj>
</Objs>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_clixml_keeps_offset_values_and_references(encoding):
    found = read(CLIXML.encode(encoding), "get_winevent_clixml")
    assert list(found.events["event_id"]) == [20227, 20225]
    assert list(found.events["user_id"]) == ["S-1-5-18", "S-1-5-18"]
    first = found.events.iloc[0]
    assert first["time_created"] == utc("2022-01-12T12:00:01.5000001")
    assert first["data"] == {
        "Data": ["{ABC}", "789", "01FE"],
        "RenderingInfo": {"Message": "a\r\nb <c> \U0001f600"},
    }
    assert "the names of the event data's values" in said(found)


def test_clixml_loses_only_the_event_that_is_broken():
    found = read(CLIXML.replace("</DT></Props>\n  </Obj>\n</Objs>", "</DT>"))
    assert list(found.events["event_id"]) == [20227]
    assert lost(found) == 1


def test_clixml_of_other_objects_is_not_claimed():
    assert not readers.sniff(b'<Objs Version="1.1.0.1"><Obj RefId="0"><Props/></Obj>')


# --- Event Viewer, Get-EventLog -------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        (
            "Level,Date and Time,Source,Event ID,Task Category",
            'Error,1/12/2022 1:00:01 PM,RasClient,20227,None,"CoId={A}: failed,\n789."',
            {"Level": "Error"},
        ),
        (
            "Niveau,Date et heure,Source,ID de l'événement,Catégorie de la tâche",
            'Erreur,12/01/2022 13:00:01,RasClient,20227,Aucun,"CoId={A}: failed,\n789."',
            {"Level": "Erreur"},
        ),
        (
            "レベル,日付と時刻,ソース,イベント ID,タスクのカテゴリ",
            'エラー,2022/01/12 13:00:01,RasClient,20227,なし,"CoId={A}: failed,\n789."',
            {"レベル": "エラー"},
        ),
        (
            "Keywords,Date and Time,Source,Event ID,Task Category",
            'Audit Failure,12-01-2022 13:00:01,RasClient,20227,Logon,"CoId={A}: failed,\n789."',
            {"Keywords": {"Keyword": "Audit Failure"}},
        ),
        (
            "Livello\tData e ora\tOrigine\tID evento\tCategoria attività",
            'Errore\t12/01/2022 13:00:01\tRasClient\t20227\tNessuna\t"CoId={A}: failed,\n789."',
            {"Livello": "Errore"},
        ),
    ],
)
def test_event_viewer_columns_are_told_by_what_is_in_them(header, row, words):
    found = read(f"{header}\r\n{row}\r\n{row}\r\n", "event_viewer_text")
    assert len(found.events) == 2
    first = found.events.iloc[0]
    assert (first["provider"], first["event_id"], first["host"]) == ("RasClient", 20227, "")
    assert first["time_created"] is pd.NaT
    assert "2022" in first["data"]["@local_time"]
    assert words.items() <= first["data"]["RenderingInfo"].items()
    assert first["data"]["RenderingInfo"]["Message"] == "CoId={A}: failed,\n789."
    for lacking in ("host name", "channel", "record number", "time zone", "event data"):
        assert lacking in said(found)


def test_event_viewer_message_in_loose_lines_stays_with_its_event():
    found = read(
        "Level\tDate and Time\tSource\tEvent ID\tTask Category\r\n"
        "Error\t1/12/2022 1:00:01 PM\tRasClient\t20227\tNone\tfirst line\r\n"
        "second line\r\n"
        "Error\t1/12/2022 1:00:02 PM\tRasClient\t20227\tNone\tother\r\n"
    )
    assert len(found.events) == 2
    assert found.events["data"].iloc[0]["RenderingInfo"]["Message"] == "first line\nsecond line"
    assert "1 lines begin no event" in said(found)


@pytest.mark.parametrize(
    "other",
    [
        "a,b,c,d,e\n1,2,3,4,5,6\n",
        "Name,Installed,Vendor,Build,Kind\nTool,1/12/2022 1:00:01 PM,Acme,not a number,x,y\n",
        "Time(CDT),Client,Event type,Details\n10/20/2022 11:27,a,VPN client disconnected,x\n",
    ],
)
def test_event_viewer_does_not_claim_any_csv(other):
    assert readers.sniff(other.encode()) != "event_viewer_text"


EVENTLOG_TABLE = """
   Index Time          EntryType   Source                 InstanceID Message
   ----- ----          ---------   ------                 ---------- -------
    2419 Jan 12 10:22  Error       RasClient              2147503875 CoId={A}: the connection fa...
 1234567 Jan 12 10:21  Information Service Control M...   1073748860 The Remote Access service e...
"""

EVENTLOG_LIST = """

Index              : 2419
EntryType          : Error
InstanceId         : 20227
Message            : CoId={A}: the connection
                     failed. Error: 789
Category           : (0)
CategoryNumber     : 0
ReplacementStrings : {{A}, CORP\\alice, Office, 789}
Source             : RasClient
TimeGenerated      : 1/12/2022 10:22:01 AM
TimeWritten        : 1/12/2022 10:22:01 AM
UserName           :

Index              : 2418
EntryType          : Information
InstanceId         : 1073748860
Message            : gone
Source             : Service Control Manager
TimeGenerated      : 1/12/2022 10:21:01 AM
"""


def test_eventlog_table_reads_numbers_set_flush_right():
    found = read(EVENTLOG_TABLE, "get_eventlog_text")
    assert list(found.events["record_id"]) == [2419, 1234567]
    assert list(found.events["event_id"]) == [20227, 7036]
    assert list(found.events["qualifiers"]) == [32768, 16384]
    assert list(found.events["level"]) == [2, 4]
    assert list(found.events["provider"]) == ["RasClient", "Service Control M..."]
    assert found.events["data"].iloc[0]["@local_time"] == "Jan 12 10:22"
    assert found.events["time_created"].isna().all()


def test_eventlog_list_reads_records_with_their_whole_message():
    found = read(EVENTLOG_LIST.encode("utf-16"), "get_eventlog_text")
    assert list(found.events["record_id"]) == [2419, 2418]
    assert list(found.events["event_id"]) == [20227, 7036]
    assert found.events["data"].iloc[0] == {
        "@local_time": "1/12/2022 10:22:01 AM",
        "@ReplacementStrings": "{{A}, CORP\\alice, Office, 789}",
        "Data": ["{A}", "CORP\\alice", "Office", "789"],
        "RenderingInfo": {
            "Level": "Error",
            "Message": "CoId={A}: the connection\nfailed. Error: 789",
        },
    }


def test_eventlog_list_keeps_user_and_qualifiers_beside_an_event_id():
    more = "EventID : 7036\nUserName : CORP\\alice\n"
    found = read(EVENTLOG_LIST.replace("Message            : gone\n", f"Message : gone\n{more}"))
    last = found.events.iloc[1]
    assert (last["event_id"], last["qualifiers"]) == (7036, 16384)
    assert last["data"]["@UserName"] == "CORP\\alice"


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b", "\x0c", "\x1e"])
def test_a_line_separator_in_a_message_begins_no_record(mark):
    forged = f"gone{mark}Index              : 999{mark}Source : Forged"
    found = read(EVENTLOG_LIST.replace(": gone", f": {forged}"), "get_eventlog_text")
    assert list(found.events["record_id"]) == [2419, 2418]
    assert found.events["data"].iloc[1]["RenderingInfo"]["Message"] == forged


@pytest.mark.parametrize(
    ("title", "word", "level"),
    [
        ("Niveau", "Avertissement", 3),
        ("Nivel", "Crítico", 1),
        ("Nivel", "Información", 4),
        ("Livello", "Errore", None),
        ("Niveau", "Commentaires", None),
    ],
)
def test_event_viewer_says_which_words_for_levels_are_not_known(title, word, level):
    found = read(f"{title},a,b,c,d\n{word},12/01/2022 13:00:01,P,1,x, kept blanks \t\n")
    row = found.events.iloc[0]
    assert (None if row["level"] is pd.NA else row["level"]) == level
    assert (f"the number of the level where its word is not known ({word})" in said(found)) == (
        level is None
    )
    assert row["data"]["RenderingInfo"]["Message"] == " kept blanks \t"


def test_winevent_objects_keep_a_value_that_looks_like_a_type_and_say_that_names_are_lost():
    entry = as_powershell(
        TimeCreated="2022-01-12T13:00:01.5+01:00",
        Properties=[{"Value": "System.UInt32[]"}],
        Message="/Date(1)/",
    )
    found = read(json.dumps(entry), "get_winevent_json")
    assert found.events["data"].iloc[0]["Data"] == ["System.UInt32[]"]
    assert "the names of the event data's values" in said(found)
    assert "fractions" not in said(found)


# --- values that an export has lost as such ---------------------------------------------------

COID = "{B4000371-A67F-452F-AA4C-3125AA9CFC78}"
GERMAN = f"CoId={COID}: Verbindung 2 kam nicht zustande. Der Fehlercode ist 789."


@pytest.mark.parametrize("key", messages.layouts())
def test_every_sentence_gives_the_values_of_its_example(key):
    source = (files("kitlib.readers.events") / "messages.toml").read_text("utf-8")
    (raw,) = [
        one
        for one in tomllib.loads(source)["event"]
        if (one["provider"].casefold(), one["event_id"]) == key
    ]
    data = {"RenderingInfo": {"Message": raw["example"]["message"]}}
    told = messages.restore([Row(1, data, provider=raw["provider"], event_id=raw["event_id"])])
    values = [data[name] for name in raw["names"]] if "names" in raw else data["Data"]
    assert values == raw["example"]["gives"]
    assert len(values) == raw.get("values", len(values))
    assert ["what their messages say" in one for one in told] == [True]


def test_a_message_in_another_language_gives_id_and_code_only_and_that_is_said():
    found = read(json.dumps(as_powershell(Message=GERMAN)))
    data = found.events["data"].iloc[0]
    assert data["Data"] == [COID.strip("{}").lower(), "", "", "789"]
    assert data["@Data"] == "message"
    assert "in a language the kit does not know" in said(found)


@pytest.mark.parametrize(
    "message", ["gone", "CoId={short}: 789", f"{COID} 789", "", f"CoId={COID[:-1]}: 789."]
)
def test_a_message_without_a_connection_id_gives_nothing(message):
    found = read(json.dumps(as_powershell(Message=message)))
    assert "Data" not in found.events["data"].iloc[0]
    assert "language" not in said(found)


@pytest.mark.parametrize("code", ["789 seconds ago", "v1.789.", "12345678901.", "x789"])
def test_a_code_is_taken_only_from_the_end_of_a_message(code):
    found = read(json.dumps(as_powershell(Message=f"CoId={COID}: Fehler {code}")))
    assert found.events["data"].iloc[0]["Data"][3] == ""


@pytest.mark.parametrize(
    ("joined", "values"),
    [
        (
            f"{COID}, CORP\\alice, Office, 789",
            [COID.strip("{}").lower(), "CORP\\alice", "Office", "789"],
        ),
        (f"{COID}, CORP\\alice, Office, west, 789", None),
        (f"{COID}, Office, 789", None),
    ],
)
def test_joined_values_are_taken_apart_only_if_their_number_is_right(joined, values):
    entry = as_evtxecmd(log().iloc[1])
    entry["Payload"] = json.dumps({"EventData": {"Data": joined, "Binary": ""}})
    found = read(as_csv([entry]), "evtxecmd_csv")
    assert found.events["data"].iloc[0]["Data"] == (values or [joined])
    assert ("taken apart by their known number" in said(found)) == (values is not None)
    assert ("where one unnamed value ends" in said(found)) == (values is None)


@pytest.mark.parametrize("first", [0, 1])
def test_winlogbeat_names_for_unnamed_values_are_undone_where_they_are_known(first):
    given_names = {f"param{first}": COID, f"param{first + 1}": "SYSTEM", f"param{first + 3}": "789"}
    inner = {**WINLOG["winlog"], "provider_name": "RasClient", "event_data": given_names}
    entry = {**WINLOG, "winlog": inner}
    found = read(json.dumps(entry), "winlogbeat_json")
    assert found.events["data"].iloc[0]["Data"] == [COID.strip("{}").lower(), "SYSTEM", "", "789"]
    assert "had been given names" in said(found)


def test_names_of_values_that_an_event_really_has_stay():
    assert "param1" in read(json.dumps(WINLOG)).events["data"].iloc[0]


@pytest.mark.parametrize(
    "hostile",
    [
        f"CoId={COID}: The user " + "a dialed a connection named b which has failed. " * 4000,
        f"CoId={COID}: The user " + " " * 100_000,
        "CoId={" * 30_000,
        f"CoId={COID}" + " 7" * 60_000 + "x",
    ],
    ids=["sentences", "blanks", "ids", "numbers"],
)
def test_hostile_messages_cost_little_time(hostile):
    begun = process_time()
    get_winevent.read_json(json.dumps(as_powershell(Message=hostile)).encode())
    assert process_time() - begun < 2


# --- other programs -------------------------------------------------------------------------

HAYABUSA = (
    '"Timestamp","RuleTitle","Level","Computer","Channel","EventID","RecordID","Details"\r\n'
    '"2022-01-12 13:00:01.500 +01:00","Logon","info","PC01","Sec",4624,70,"User: a ¦ Type: 3"\r\n'
    '"2022-01-12 13:00:01.500 +01:00","Odd logon","high","PC01","Sec",4624,70,"User: a"\r\n'
    '"2022-01-12 13:00:02.500 +01:00","Logon","info","PC01","PwSh",4104,71,"x"\r\n'
)


def test_hayabusa_gives_one_row_an_event_with_all_its_rules():
    found = read(HAYABUSA, "hayabusa_csv")
    assert list(found.events["record_id"]) == [70, 71]
    assert list(found.events["channel"]) == ["Security", "PwSh"]
    assert found.events["time_created"].iloc[0] == utc("2022-01-12T12:00:01.5")
    assert found.events["level"].isna().all()
    assert found.events["data"].iloc[0] == {
        "@RuleTitle": ["Logon", "Odd logon"],
        "@RuleLevel": ["info", "high"],
        "@Details": "User: a ¦ Type: 3",
    }
    assert "3 detections are of 2 events" in said(found)
    assert "every event that no rule matched" in said(found)


@pytest.mark.parametrize("stamp", ["2022-01-12T12:00:01.500000Z", "2022-01-12 12:00:01.500 +00:00"])
def test_hayabusa_reads_utc_in_both_forms(stamp):
    row = f'"{stamp}","R","info","PC01","Sys","7036","70","d"\n'
    found = read(HAYABUSA.split("\r\n", maxsplit=1)[0] + "\n" + row)
    assert found.events["time_created"].iloc[0] == utc("2022-01-12T12:00:01.5")


WINLOG = {
    "@timestamp": "2022-01-12T12:00:01.500Z",
    "message": "gone",
    "log": {"level": "error"},
    "winlog": {
        "channel": "Application",
        "computer_name": "PC01",
        "event_id": 20227,
        "record_id": 70,
        "provider_name": "Acme",
        "keywords": ["Classic"],
        "event_data": {"param1": "{945A8954-C147-4ACD-923F-40C45405A658}", "param2": ""},
        "user": {"identifier": "S-1-5-18"},
    },
}


def test_winlogbeat_nested_under_source_and_spelt_with_dots_give_the_same():
    dotted = {
        "@timestamp": WINLOG["@timestamp"],
        "message": "gone",
        "log.level": "error",
        **{f"winlog.{k}": v for k, v in WINLOG["winlog"].items() if k != "user"},
        "winlog.user.identifier": "S-1-5-18",
    }
    want = read(json.dumps(WINLOG), "winlogbeat_json").events
    row = want.iloc[0]
    assert (row["host"], row["event_id"], row["level"], row["record_id"]) == ("PC01", 20227, 2, 70)
    assert row["data"] == {
        "param1": GUID.strip("{}").lower(),
        "param2": None,
        "RenderingInfo": {
            "Message": "gone",
            "Level": "error",
            "Keywords": {"Keyword": "Classic"},
        },
    }
    hit = {"_index": "winlogbeat-7", "_id": "x", "_source": WINLOG}
    assert readers.sniff(json.dumps(hit).encode()) == "winlogbeat_json"
    pd.testing.assert_frame_equal(read(json.dumps(hit)).events, want)
    pd.testing.assert_frame_equal(read(json.dumps(dotted)).events, want)


def test_flat_json_does_not_take_the_time_of_arrival_for_the_event_s():
    entry = {
        "@timestamp": "2022-01-12T15:00:00.000Z",
        "EventTime": "2022-01-12 13:00:01",
        "Hostname": "PC01",
        "Channel": "System",
        "SourceName": "RasClient",
        "EventID": 20227,
        "RecordNumber": 70,
        "Keywords": 36028797018963968,
        "ProcessId": "12",
        "ExecutionProcessID": 4,
    }
    row = read(json.dumps(entry), "flat_event_json").events.iloc[0]
    assert row["time_created"] is pd.NaT
    assert row["data"] == {
        "@local_time": "2022-01-12 13:00:01",
        "@timestamp": "2022-01-12T15:00:00.000Z",
        "ProcessId": "12",
    }
    assert (row["record_id"], row["process_id"]) == (70, 4)
    assert row["keywords"] == "0x0080000000000000"


def test_velociraptor_artifact_rows_with_payload_are_read():
    entry = {
        "EventTime": "2022-01-12T12:00:01.5Z",
        "Computer": "PC01",
        "Channel": "Security",
        "EventID": 1102,
        "EventRecordID": 70,
        "EventData": {"SubjectUserName": "a", "Data": ["x", ""]},
        "Message": "gone",
    }
    row = read(json.dumps(entry)).events.iloc[0]
    assert row["time_created"] == utc("2022-01-12T12:00:01.5")
    assert row["data"]["SubjectUserName"] == "a"
    assert row["data"]["Data"] == ["x", ""]


def test_evtx_dump_warns_of_names_that_got_a_number():
    entry = as_dump(log().iloc[0])
    entry["Event"]["EventData"] = {"a": "1", "a_1": "2"}
    assert "names that occur twice" in said(read(dumps(entry)))


# --- wrong, cut and hostile -----------------------------------------------------------------

GOOD = xml_of(log())
BAD_XML = {
    "cut inside an element": GOOD[0][: len(GOOD[0]) // 2],
    "cut inside a tag": GOOD[0][:-5],
    "crossed elements": GOOD[0].replace("</System>", "</Sys>"),
    "no System": f"<Event xmlns='{NS}'><EventData/></Event>",
    "stray markup": GOOD[0].replace("</Channel>", "< /Channel>"),
    "too deep": GOOD[0].replace("<EventData>", "<EventData>" + "<a>" * 70),
}


@pytest.mark.parametrize("bad", BAD_XML)
def test_a_broken_event_costs_itself_only(bad):
    found = read(f"{GOOD[1]}\n{BAD_XML[bad]}\n{GOOD[2]}\n{GOOD[0]}", "event_xml")
    assert list(found.events["record_id"]) == [71, 72, 70]
    assert lost(found) == 1
    assert found.problems["place"].iloc[0] == "line 2"


@pytest.mark.parametrize("layout", ["wevtutil qe", "wevtutil qe /e:Events"])
def test_a_file_cut_at_any_place_gives_the_events_before_the_cut(layout):
    written = XML_LAYOUTS[layout](GOOD)
    ends = [written.index(event) + len(event) for event in GOOD]
    for cut in range(ends[0], len(written), 29):
        found = event_xml.read(written[:cut].encode())
        assert len(found.events) == sum(end <= cut for end in ends)
        assert lost(found) <= 1


def test_control_characters_as_they_are_stay_in_the_value():
    event = Event(provider="P", event_id=1, time=0x1D80000000000000, data={"a": "x\x01\x1fy"})
    found = read("".join(xml_of(log(event))))
    assert found.events["data"].iloc[0] == {"a": "x\x01\x1fy"}


def test_characters_that_no_table_takes_are_replaced():
    text = GOOD[0].replace("CORP", "").replace("(KB5009543)", "&#xD800;&#0;&#x110000;&#65;&#x42;")
    title = read(text).events["data"].iloc[0]["updateTitle"]
    assert title.endswith("\ufffd\ufffd\ufffdAB")


BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 10))
    + '<!ENTITY secret SYSTEM "file:///etc/hostname">'
    + f'<!ENTITY forged "{GOOD[1].replace(chr(34), chr(39))}">]>\n'
)


@pytest.mark.parametrize("name", ["lol9", "secret", "forged"])
def test_entities_are_never_used(name):
    written = BOMB + f"<Events>{GOOD[0].replace('(KB5009543)', f'&{name};')}</Events>"
    found = read(written, "event_xml")
    assert list(found.events["record_id"]) == [70]
    assert found.events["data"].iloc[0]["updateTitle"].endswith(f"&{name};")
    assert "document type" in said(found)
    assert name in said(found)


def test_cdata_and_comments_make_no_events():
    hidden = GOOD[0].replace("CORP", "")
    note = f"<Events><!-- {hidden} -->{GOOD[1]}"
    wrapped = GOOD[2].replace("KB5009543", f"<![CDATA[{hidden}]]>")
    found = read(f"{note}{wrapped}</Events>")
    assert list(found.events["record_id"]) == [71, 72]
    assert found.events["data"].iloc[1]["PackageIdentifier"] == hidden


@pytest.mark.parametrize(
    "hostile",
    [
        "<Event><System>" * 20_000,
        "<Event><!--" * 20_000,
        "<Event><![CDATA[" * 20_000,
        "<Event " + "a='b' " * 50_000,
        "<Event>" + "<a>" * 50_000,
        "<Event xmlns='x'>" + " " * 200_000,
    ],
    ids=["nested", "comments", "cdata", "attributes", "deep", "blank"],
)
def test_hostile_xml_is_refused_in_little_time(hostile):
    found = event_xml.read((GOOD[0] + hostile).encode())
    assert len(found.events) == 1
    assert lost(found) >= 1
    assert len(found.problems) < 50


def test_many_broken_events_are_counted_and_listed_in_part():
    found = event_xml.read(("<Event><System></Event>\n" * 1000 + GOOD[0]).encode())
    assert len(found.events) == 1
    assert lost(found) == 1000
    assert len(found.problems) < 50


def test_a_file_without_an_event_says_so():
    assert said(event_xml.read(b"<Events></Events>")) == "event XML: there is no event in it"


def dump_lines():
    return [dumps(as_dump(row)) for row in rows_of(log())]


@pytest.mark.parametrize(
    "bad",
    ['{"Event": {"System": {"Prov', '{"Event": {"System": ' + "[" * 5000, '{"Event": nonsense}'],
)
@pytest.mark.parametrize("join", ["\n".join, ",".join], ids=["lines", "one line"])
def test_a_broken_object_costs_itself_only(bad, join):
    first, *others = dump_lines()
    found = read(join([first, bad, *others]), "evtx_dump_json")
    assert list(found.events["record_id"]) == [70, 71, 72]
    assert lost(found) == 1


def test_objects_that_are_no_events_are_stated():
    found = read("\n".join([dump_lines()[0], '{"a": 1}', "7", '{"Event": {"System": 1}}']))
    assert len(found.events) == 1
    assert lost(found) == 3


def test_json_nested_too_deep_for_a_table_is_refused():
    entry = as_dump(log().iloc[0])
    deep = "x"
    for _ in range(200):
        deep = {"a": deep}
    entry["Event"]["EventData"] = {"a": deep}
    found = read(dumps(entry))
    assert found.events.empty
    assert lost(found) == 1


def test_json_text_that_is_no_unicode_is_made_some():
    found = read(dump_lines()[0].replace("x64", "\\ud800\\u0000"))
    found.events["data"].iloc[0]["updateTitle"].encode()


def test_json_numbers_stay_what_the_file_says():
    entry = as_dump(log().iloc[0])
    text = dumps(entry).replace('"501"', "123456789012345678901234567890.10")
    assert read(text).events["data"].iloc[0]["number"] == "123456789012345678901234567890.10"


def test_numbers_and_times_out_of_range_are_missing_not_wrong():
    text = (
        GOOD[0].replace(">70<", f">{2**70}<").replace("2022-01-12T12:00:00", "9999-01-12T12:00:00")
    )
    found = read(text)
    assert found.events["record_id"].isna().all()
    assert found.events["time_created"].isna().all()
    assert "the record number" in said(found)
    assert "a time that can be read" in said(found)


def test_csv_cell_without_end_costs_its_row_only():
    entries = [as_powershell(RecordId=n, TimeCreated="12.01.2022 13:00:01") for n in range(3000)]
    lines = as_csv(entries, quoting=csv.QUOTE_ALL).split("\r\n")
    lines[5] = '"' + "no end"
    found = read("\n".join(lines))
    assert len(found.events) > 2000
    assert not found.problems.empty


def test_csv_formulas_are_text():
    row = '"1/12/2022 1:00:01 PM","1","=cmd|\' /C calc\'!A0","=1+1"\n'
    found = read('"TimeCreated","Id","MachineName","Message"\n' + row)
    assert found.events["host"].iloc[0] == "=cmd|' /C calc'!A0"


def test_evtxecmd_payload_that_is_cut_is_kept_as_text():
    entry = as_evtxecmd(log().iloc[0])
    entry["Payload"] = entry["Payload"][:30]
    found = read(as_csv([entry]))
    assert found.events["data"].iloc[0]["@Payload"] == entry["Payload"]
    assert "not whole" in said(found)


def test_evtxecmd_time_in_another_form_is_kept_and_stated():
    found = read(as_csv([{**as_evtxecmd(log().iloc[0]), "TimeCreated": "12 Jan 2022"}]))
    assert found.events["time_created"].isna().all()
    assert found.events["data"].iloc[0]["@TimeCreated"] == "12 Jan 2022"


def test_read_updates_refuses_an_event_export(tmp_path):
    path = tmp_path / "history.xml"
    path.write_text(GOOD[0], encoding="utf-8")
    with pytest.raises(FormatError, match="event_xml"):
        readers.read_updates(path)


SEEDS = [
    "\n".join(GOOD),
    CLIXML,
    "\n".join(dump_lines()),
    json.dumps([WINLOG, WINLOG]),
    json.dumps(as_powershell()),
    as_csv([as_powershell(TimeCreated="12.01.2022 13:00:01")]),
    as_csv([as_evtxecmd(row) for row in rows_of(log())]),
    "\n".join(json.dumps(as_evtxecmd(row)) for row in rows_of(log())),
    HAYABUSA,
    EVENTLOG_TABLE,
    EVENTLOG_LIST,
    "Level,Date and Time,Source,Event ID,Task Category\nError,1/12/2022 1:00,P,1,None,x\n",
]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    cuts=st.lists(
        st.tuples(st.integers(0, 4000), st.integers(0, 40), st.text(max_size=6)), max_size=4
    ),
)
def test_damaged_exports_are_read_without_an_error(seed, cuts):
    for at, length, new in cuts:
        place = at % (len(seed) + 1)
        seed = seed[:place] + new + seed[place + length :]
    data = seed.encode("utf-8", "surrogatepass")
    reader = readers.reader_for(data[: readers.HEAD_BYTES])
    if reader is not None and reader in event_exports.READERS:
        found = reader.read(data)
        schema.check("events", found.events)
        assert found.records or len(found.problems)


@settings(max_examples=60, deadline=None)
@given(
    data=st.dictionaries(
        st.text("abcXYZ", min_size=1),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
        max_size=4,
    )
)
def test_any_named_text_comes_back_through_xml_and_json(data):
    want = log(Event(provider="P", provider_guid=GUID, event_id=1, time=1 << 57, data=data))
    pd.testing.assert_frame_equal(read("".join(xml_of(want))).events, want)
    pd.testing.assert_frame_equal(read(dumps(as_dump(want.iloc[0]))).events, want)


def test_depth_counts_dicts_and_lists():
    assert json_objects.depth({"a": [{"b": 1}], "c": 2}) == 3


def test_instant_reads_only_times_with_a_zone():
    assert exports.instant("2022-01-12 12:00:01.500 +00:00") == 1641988801500000000
    assert exports.instant("2022-01-12 12:00:01") is None


def test_a_list_whose_header_cannot_be_cut_holds_no_event():
    got = event_viewer.read(b"Level,Date and Time\rSource,Event ID,Task Category")  # by fuzzing
    assert got.events.empty
    assert "there is no event in it" in got.problems["reason"].iloc[-1]
