"""Real logs of unknown machines: no crash, everything accounted for, an honest "insufficient"."""

from __future__ import annotations

import pandas as pd
import pytest

import kitlib as kit
from kitlib.findings import findings_document, validate


@pytest.fixture(scope="module")
def case(shared):
    return kit.analyze(shared / "evtx", "kb5009543")


def test_every_file_is_in_the_table_of_files(case, shared):
    there = {p.relative_to(shared / "evtx").as_posix() for p in (shared / "evtx").rglob("*.evtx")}
    assert there == set(case.evidence.files["path"])


def test_the_verdict_is_insufficient_and_the_document_valid(case):
    document = findings_document(case)
    validate(document)
    assert document["verdict"]["status"] == "insufficient"
    assert document["verdict"]["changes"] == []
    assert {host["status"] for host in document["hosts"]} <= {"no_data", "not_affected"}


def test_kb4338819_is_in_effect_from_the_boot_not_from_the_event_that_reports_it(case):
    rows = case.exposure[case.exposure["change"] == "KB4338819"]
    assert len(rows) == 1
    row = rows.iloc[0]
    assert row["start"].floor("s") == pd.Timestamp("2018-07-12T00:41:50Z")
    assert (row["build"], row["revision"]) == (17134, 165)
    assert row["start_known_by"] == "boot"
    reported = case.timeline[
        (case.timeline["action"] == "update_installed") & (case.timeline["change"] == "KB4338819")
    ]
    assert len(reported) == 2  # minutes after the boot, and again a day later
    assert (reported["time"] > row["start"]).all()


def test_a_machine_renamed_twice_is_one_host(case):
    path = "plaso/System.evtx"
    names = case.evidence.events.loc[case.evidence.events["path"] == path, "host"].unique()
    assert len(names) == 5
    assert set(case.timeline.loc[case.timeline["path"] == path, "host"]) == {"DC1"}


def test_machines_that_share_a_set_up_name_stay_two_hosts(case):
    hosts = set(case.recovery["host"])
    assert {"John-PC", "WIN-03DLIIOFRRA"} <= hosts
