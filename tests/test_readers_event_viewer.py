"""Lists saved by Event Viewer and Get-EventLog."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from event_export_samples import EVENTLOG_LIST, EVENTLOG_TABLE, as_powershell, read, said

from kitlib import readers


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
