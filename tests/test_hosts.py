"""One name a machine, and never two machines under one name."""

from __future__ import annotations

import time

import pandas as pd
import pytest
import worlds

from kitlib import readers, schema
from kitlib.hosts import name_hosts


def log_of(*names, path="A/System.evtx", first_id=1, start="01-01 00:00"):
    """A log whose records bear these names, one after the other."""
    rows = []
    for n, name in enumerate(names):
        when = worlds.at(start) + pd.Timedelta(hours=n)
        row = worlds.event("01-01 00:00", event_id=1, host=name, path=path, record_id=first_id + n)
        rows.append(row | {"time_created": when})
    return rows


def named(rows, *others, frame=True):
    events = schema.frame("events", rows) if frame else rows
    return name_hosts(events, others).of(events["host"], events["path"]).tolist()


def test_name_hosts_calls_a_renamed_machine_by_its_last_name():
    assert named(log_of("WIN-X", "WIN-X", "DC1", "DC1.corp.example")) == ["DC1"] * 4


def test_name_hosts_follows_record_numbers_not_the_order_in_the_file():
    rows = log_of("OLD", "OLD", "NEW", "NEW")
    assert named(rows[2:] + rows[:2]) == ["NEW"] * 4


def test_name_hosts_takes_an_old_name_in_another_log_of_the_machine():
    rows = log_of("OLD", "NEW") + log_of("OLD", path="A/Setup.evtx")
    assert named(rows) == ["NEW"] * 3


def test_name_hosts_keeps_two_machines_with_one_setup_name_apart():
    rows = (
        log_of("WIN-X", "PC1", path="A/System.evtx")
        + log_of("WIN-X", "PC2", path="B/System.evtx")
        + log_of("WIN-X", path="C/Setup.evtx")
    )
    assert named(rows) == ["PC1", "PC1", "PC2", "PC2", "WIN-X"]


def test_name_hosts_keeps_a_machine_apart_that_never_left_the_setup_name():
    rows = log_of("WIN-X", "PC1") + log_of("WIN-X", path="B/System.evtx", start="02-01 00:00")
    assert named(rows) == ["PC1", "PC1", "WIN-X"]


def test_name_hosts_does_not_take_a_return_to_an_old_name_for_a_rename():
    assert named(log_of("A", "B", "A")) == ["A", "B", "A"]


def test_name_hosts_does_not_merge_the_hosts_of_a_forwarded_log():
    rows = log_of("PC1", path="F/Forwarded.evtx") + log_of(
        "PC2", path="F/Forwarded.evtx", first_id=700
    )
    assert named(rows) == ["PC1", "PC2"]


def test_name_hosts_does_not_merge_records_without_numbers():
    rows = [row | {"record_id": None} for row in log_of("PC1", "PC2")]
    assert named(rows) == ["PC1", "PC2"]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["PC1", "PC1.corp.example"], ["PC1", "PC1"]),
        (["PC1.corp.example", "pc1.CORP.example"], ["PC1", "PC1"]),
        (["PC1", "pc1"], ["PC1", "PC1"]),
        (["PC1.a.example", "PC1.b.example"], ["PC1.a.example", "PC1.b.example"]),
        (["PC1", "PC1.a.example", "PC1.b.example"], ["PC1", "PC1.a.example", "PC1.b.example"]),
        (["10.0.0.1", "10.0.0.2"], ["10.0.0.1", "10.0.0.2"]),
        (["10.0.0.1"], ["10.0.0.1"]),
        (["fe80::1"], ["fe80::1"]),
        ([""], [""]),
    ],
)
def test_name_hosts_shows_short_names_where_they_are_enough(names, shown):
    rows = [row for n, name in enumerate(names) for row in log_of(name, path=f"{n}.evtx")]
    assert named(rows) == shown


def test_name_hosts_knows_names_of_dumps_and_folders():
    events = schema.frame("events", log_of("PC1.corp.example"))
    names = name_hosts(events, ["pc1", "PC2"])
    hosts, paths = pd.Series(["pc1", "PC2", "PC3"]), pd.Series(["x", "y", "z"])
    assert names.of(hosts, paths).tolist() == ["PC1", "PC2", "PC3"]


def test_name_hosts_of_nothing_names_nothing():
    assert named(schema.empty("events"), frame=False) == []


def test_name_hosts_of_a_large_fleet_takes_seconds():
    names = [f"PC{n}{domain}" for n in range(4000) for domain in ("", ".corp.example")]
    began = time.process_time()
    known = name_hosts(schema.empty("events"), names)
    assert set(known.by_name.values()) == set(names[::2])
    assert time.process_time() - began < 3


def test_name_hosts_finds_one_machine_in_a_real_log_with_two_renames(shared):
    events = readers.evtx.read_evtx(shared / "evtx" / "plaso" / "System.evtx").assign(path="x")
    assert events["host"].nunique() > 2
    assert set(named(events, frame=False)) == {"DC1"}
