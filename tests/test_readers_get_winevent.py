"""Get-WinEvent as CSV, JSON and Clixml."""

from __future__ import annotations

import csv
import json

import pandas as pd
import pytest
from event_export_samples import CLIXML, as_csv, as_powershell, lost, read, said, utc

from kitlib import readers


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
