"""One row a fact on one clock, from event records and update histories alike."""

from __future__ import annotations

import pandas as pd
import pytest
import worlds

from kitlib import schema
from kitlib.timeline import build_timeline, record_refs


def facts_of(**tables):
    df = build_timeline(worlds.evidence(**tables))
    return schema.check("timeline", df)


def test_build_timeline_of_nothing_is_an_empty_table():
    assert facts_of().empty


def test_build_timeline_sorts_by_time_whatever_the_source():
    df = facts_of(
        events=[worlds.boot_event("01-13 08:00"), worlds.boot_event("01-11 08:00")],
        updates=[worlds.update("01-12 08:00"), worlds.update("01-10 08:00")],
    )
    assert df["action"].tolist() == ["update_installed", "boot", "update_installed", "boot"]
    assert df["time"].is_monotonic_increasing
    assert df.index.tolist() == [0, 1, 2, 3]


def test_build_timeline_keeps_record_order_at_equal_times():
    rows = [
        worlds.event("01-11 08:00", event_id=number, record_id=record)
        for number, record in [(12, 8), (13, 7)]
    ]
    assert facts_of(events=rows)["action"].tolist() == ["shutdown", "boot"]


def test_build_timeline_gives_event_records_an_exact_interval():
    (row,) = facts_of(events=[worlds.boot_event("01-11 08:00")]).to_dict("records")
    assert row["time_low"] == row["time"] == row["time_high"]
    assert row["time_basis"] == "utc"


def test_build_timeline_hands_on_the_interval_of_a_history():
    (row,) = facts_of(updates=[worlds.update("01-11 12:00", width="12h")]).to_dict("records")
    assert (row["time_low"], row["time_high"]) == (
        worlds.at("01-11 00:00"),
        worlds.at("01-12 00:00"),
    )
    assert row["time_basis"] == "date"
    assert pd.isna(row["record_id"])


def test_build_timeline_sorts_facts_of_unknown_date_last():
    undated = worlds.update("01-11 08:00", kb="KB1") | dict.fromkeys(
        ("date", "date_low", "date_high")
    )
    df = facts_of(updates=[undated, worlds.update("01-12 08:00")])
    assert df["time"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("operation", "result", "action"),
    [
        ("install", "succeeded", "update_installed"),
        ("install", "succeeded_with_errors", "update_installed"),
        ("install", "failed", "update_install_failed"),
        ("install", "aborted", "update_install_failed"),
        ("install", "in_progress", "update_install_started"),
        ("uninstall", "succeeded", "update_uninstalled"),
        ("uninstall", "failed", "update_uninstall_failed"),
        ("uninstall", "aborted", "update_uninstall_failed"),
        ("uninstall", "in_progress", "update_uninstall_started"),
    ],
)
def test_build_timeline_reads_a_history_entry(operation, result, action):
    df = facts_of(updates=[worlds.update("01-11 08:00", operation=operation, result_code=result)])
    assert df["action"].tolist() == [action]


def test_build_timeline_takes_what_was_not_started_for_no_fact():
    assert facts_of(updates=[worlds.update("01-11 08:00", result_code="not_started")]).empty


@pytest.mark.parametrize(
    ("kb", "title", "change"),
    [
        ("KB5009543", "whatever", "KB5009543"),
        ("", "Intel - Net - 12.18.9.23", "Intel - Net - 12.18.9.23"),
        ("", "Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.1466.1.7", "KB5009543"),
    ],
)
def test_build_timeline_names_a_change_of_a_history_as_events_do(kb, title, change):
    df = facts_of(updates=[worlds.update("01-11 08:00", kb=kb, title=title)])
    assert df["change"].tolist() == [change]


def test_build_timeline_shows_an_error_code_and_hides_success():
    df = facts_of(
        updates=[
            worlds.update("01-11 08:00", result_code="failed", hresult="0x80240022"),
            worlds.update("01-12 08:00"),
        ]
    )
    assert df["code"].tolist() == ["0x80240022", ""]


def test_build_timeline_calls_a_machine_by_one_name():
    df = facts_of(
        events=[worlds.boot_event("01-11 08:00", host="PC1.corp.example")],
        updates=[
            worlds.update("01-12 08:00", host="pc1"),
            worlds.update("01-12 08:00", host="PC9"),
        ],
    )
    assert df["host"].tolist() == ["PC1", "PC1", "PC9"]


def test_build_timeline_widens_where_the_clock_was_set():
    df = facts_of(
        events=[
            worlds.boot_event("01-11 08:00"),
            worlds.event(
                "01-11 12:00", event_id=1, data={"OldTime": "2022-01-11T09:00:00.0000000Z"}
            ),
        ]
    )
    assert df["time_high"][0] == worlds.at("01-11 11:00")


def test_record_refs_name_the_record_or_the_dump():
    facts = worlds.timeline(worlds.boot("01-11 08:00"), worlds.listed("01-12 08:00"))
    assert record_refs(facts) == ["PC1/System#1", "PC1/PC1/updates.json"]
