"""A record becomes one row: its System fields in columns, the rest of its XML in the payload."""

from __future__ import annotations

import pandas as pd
import pytest
from evtx_logs import GUID, NOON, classic, log_of
from evtx_reads import WUC, payloads, read

from kitlib import schema
from kitlib.readers import engines
from kitlib.readers.payload import exact, nanoseconds, payload
from kitlib.simulate import evtx as writer
from kitlib.simulate.evtx import Event, UserData

# --- shapes of payload ------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
def test_read_evtx_keeps_unnamed_data_as_a_list(engine):
    got = payloads(
        classic("{B4000371-A67F-452F-AA4C-3125AA9CFC78}", "CORP\\alice", "", "<string>", "789"),
        classic("one"),
        classic("a", binary=b"\xb3\x02\0\0"),
        engine=engine,
    )
    guid = "b4000371-a67f-452f-aa4c-3125aa9cfc78"
    assert [data["Data"] for data in got] == [
        [guid, "CORP\\alice", "", "<string>", "789"],
        ["one"],
        ["a"],
    ]
    assert got[2]["Binary"] == "B3020000"


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
def test_read_evtx_flattens_user_data_and_names_its_root(engine):
    fields = {"PackageIdentifier": "KB5009543", "ErrorCode": writer.hex32(0), "Client": ""}
    event = Event(
        provider="Microsoft-Windows-Servicing",
        provider_guid=GUID,
        event_id=2,
        time=NOON,
        data=UserData(root="CbsPackageChangeState", namespace="urn:x", fields=fields),
    )
    assert payloads(event, engine=engine) == [
        {
            "UserData": "CbsPackageChangeState",
            "PackageIdentifier": "KB5009543",
            "ErrorCode": "0x0",
            "Client": None,
        }
    ]


def xml_payload(body):
    return payload(engines.parse_xml(f"<Event><System></System>{body}</Event>").children)


def test_payload_makes_a_list_of_a_name_that_occurs_twice():
    body = '<EventData><Data Name="a">1</Data><Data Name="b">2</Data><Data Name="a">3</Data>'
    assert xml_payload(body + "</EventData>") == {"a": ["1", "3"], "b": "2"}


def test_payload_keeps_attributes_nesting_and_mixed_text():
    body = (
        '<UserData v="2"><x:Root xmlns="urn:y" id="7"><Certificate fileRef="f">'
        '<Chain n="1"></Chain><Chain n="2">t</Chain>tail</Certificate></x:Root></UserData>'
    )
    assert xml_payload(body) == {
        "@v": "2",
        "UserData": "Root",
        "@id": "7",
        "Certificate": {
            "@fileRef": "f",
            "Chain": [{"@n": "1"}, {"@n": "2", "#text": "t"}],
            "#text": "tail",
        },
    }


def test_payload_keeps_what_is_neither_event_data_nor_user_data():
    body = (
        "<EventData><Data>a</Data></EventData><RenderingInfo><Message>m</Message></RenderingInfo>"
    )
    assert xml_payload(body) == {"Data": ["a"], "RenderingInfo": {"Message": "m"}}


# --- System fields ----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
def test_read_evtx_fills_every_column(engine):
    event = Event(
        provider="Microsoft-Windows-WindowsUpdateClient",
        provider_guid=GUID,
        event_id=19,
        version=1,
        level=4,
        task=1,
        opcode=13,
        keywords=0x8000000000000018,
        time=NOON,
        process_id=4,
        thread_id=8,
        activity_id=GUID,
        user_sid="S-1-5-18",
        data={"updateTitle": "x (KB5009543)"},
    )
    got = read(log_of(event, first_record_id=77), engine=engine)
    schema.check("events", got)
    want = {
        "host": "PC01",
        "time_created": pd.Timestamp("2022-01-12T12:00:00.123456700Z"),
        "channel": "Application",
        "provider": WUC,
        "event_id": 19,
        "version": 1,
        "level": 4,
        "task": 1,
        "opcode": 13,
        "keywords": "0x8000000000000018",
        "record_id": 77,
        "process_id": 4,
        "thread_id": 8,
        "user_id": "S-1-5-18",
        "activity_id": "945a8954-c147-4acd-923f-40c45405a658",
        "data": {"updateTitle": "x (KB5009543)"},
        "path": "a.evtx",
        "qualifiers": pd.NA,
    }
    assert list(want) == list(got.columns)
    pd.testing.assert_frame_equal(got, schema.frame("events", [want]))


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
def test_read_evtx_leaves_absent_system_fields_missing(engine):
    row = read(log_of(classic("a", qualifiers=16384)), engine=engine).iloc[0]
    absent = ["version", "opcode", "process_id", "thread_id"]
    assert row[absent].isna().all()
    assert (row[["user_id", "activity_id"]] == "").all()
    assert row["qualifiers"] == 16384


@pytest.mark.parametrize("text", ["", "x", "99999999999999999999", "-1e3", "0x"])
def test_columns_leave_out_what_is_no_number(text):
    element = engines.Element("EventID", {"Qualifiers": text}, text, [])
    assert engines.columns([element]) == {}


def test_columns_leave_out_what_is_no_activity():
    for text in ("{00000000-0000-0000-0000-000000000000}", "garbage", "", None):
        element = engines.Element("Correlation", {"ActivityID": text}, None, [])
        assert engines.columns([element]) == {}


def test_exact_takes_the_header_only_for_the_same_instant():
    stated = nanoseconds("2022-01-12T12:00:00.123456Z")
    assert exact(stated, NOON) == stated + 700
    assert exact(stated, NOON + 100) == stated
    assert exact(None, NOON) is None
    assert exact(nanoseconds("9999-12-31T23:59:59.999999Z"), NOON) is None


@pytest.mark.parametrize("text", ["", "2022-13-01T00:00:00Z", "yesterday", "2022-01-12"])
def test_nanoseconds_of_no_time_is_missing(text):
    assert nanoseconds(text) is None
