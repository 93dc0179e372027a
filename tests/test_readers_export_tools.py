"""Event exports written by other programs."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from event_export_samples import GUID, HAYABUSA, WINLOG, as_dump, dumps, log, read, said, utc

from kitlib import readers


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
