"""Samples of event exports of our own making, and what their readers are asked."""

from __future__ import annotations

import csv
import io
import json
from xml.sax.saxutils import escape, quoteattr

import pandas as pd

from kitlib import readers, schema
from kitlib.readers.evtx import read_evtx_bytes
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


HAYABUSA = (
    '"Timestamp","RuleTitle","Level","Computer","Channel","EventID","RecordID","Details"\r\n'
    '"2022-01-12 13:00:01.500 +01:00","Logon","info","PC01","Sec",4624,70,"User: a ¦ Type: 3"\r\n'
    '"2022-01-12 13:00:01.500 +01:00","Odd logon","high","PC01","Sec",4624,70,"User: a"\r\n'
    '"2022-01-12 13:00:02.500 +01:00","Logon","info","PC01","PwSh",4104,71,"x"\r\n'
)


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
