"""A file belongs to the host that its folder, its name, its archive or its own records tell."""

from __future__ import annotations

import pandas as pd
import pytest
from collection_samples import (
    HOTFIX,
    LOGS,
    event,
    kinds,
    log,
    put,
    reasons,
    records,
    refs,
    update_hosts,
    zipped,
)

import kitlib as kit
from kitlib import store
from kitlib.layouts import host_of_name, host_of_path
from kitlib.simulate.evtx import encode_log

# ------------------------------------------------------------------ what a path tells


def test_below_a_drive_no_folder_is_a_host():
    for path in ("C/Windows/SoftwareDistribution/x", "C%3A/ProgramData/USOShared/Logs/x"):
        assert host_of_path(path) == ""
        assert host_of_path(path, "WS0001.zip") == "WS0001"
        assert host_of_path(f"WS0001/{path}") == "WS0001"


@pytest.mark.parametrize(
    "folder",
    [
        *("Ereignisanzeige", "Event Logs", "event-logs", "eventlog", "Windows Logs", "Exporte"),
        *("CBS", "SoftwareDistribution", "alt", "Kopie", "winlogs/eventlog", "Protokolle"),
    ],
)
def test_a_folder_that_people_make_for_logs_is_no_host(folder):
    assert host_of_path(f"PC-ANNA/{folder}/System.csv") == "PC-ANNA"
    assert host_of_path(f"{folder}/System.csv") == ""


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("WS0001_Hotfixes.CSV", "WS0001"),
        ("WS0001_Hotfixes-WMIC.txt", "WS0001"),
        ("PC-7.corp.example_System.evtx", "PC-7.corp.example"),
        ("microsoft-windows-aad_system.evtx", ""),
        ("wmic_qfe.txt", ""),
        ("System.evtx", ""),
    ],
)
def test_host_of_name_takes_what_stands_before_a_known_word(name, host):
    assert host_of_name(name) == host


# ------------------------------------------------------------------ several hosts in one collection


def test_a_zip_of_zips_names_every_host(tmp_path):
    def inner(host: str) -> bytes:
        return zipped({f"C/{LOGS}/Application.evtx": log(host), "C/qfe.csv": HOTFIX})

    hosts = ("WS0001", "WS0002", "WS0003")
    put(tmp_path, {"all.zip": zipped({f"{host}.zip": inner(host) for host in hosts})})
    evidence = kit.read_evidence(tmp_path / "all.zip")
    assert records(evidence) == [ref for host in hosts for ref in refs(host, 1, 2, 3)]
    assert update_hosts(evidence) == {f"{host}.zip/C/qfe.csv": {host} for host in hosts}
    assert evidence.problems["records_lost"].fillna(1).sum() == 0


def test_one_folder_a_host_and_one_heap_say_the_same(tmp_path):
    hosts = ("WS0001", "WS0002")
    folders = put(
        tmp_path / "folders",
        {f"{host}/System.evtx": log(host, channel="System") for host in hosts}
        | {f"{host}/hotfix.csv": HOTFIX for host in hosts},
    )
    heap = put(
        tmp_path / "heap" / "incident",
        {f"{host}_System.evtx": log(host, channel="System") for host in hosts}
        | {f"{host}_hotfix.csv": HOTFIX for host in hosts},
    )
    one, other = kit.read_evidence(folders), kit.read_evidence(heap.parent)
    pd.testing.assert_frame_equal(
        one.events.drop(columns="path"), other.events.drop(columns="path")
    )
    assert sorted(one.updates["host"]) == sorted(other.updates["host"]) == list(hosts)


def test_the_same_short_dump_of_two_hosts_is_no_copy(tmp_path):
    files = {"WS1/a.evtx": log("WS1"), "WS2/b.evtx": log("WS2")}
    files |= {"WS1/qfe.csv": HOTFIX, "WS2/qfe.csv": HOTFIX, "WS2/again/qfe.csv": HOTFIX}
    root = put(tmp_path / "e", files)
    evidence = kit.read_evidence(root)
    assert sorted(evidence.updates["host"]) == ["WS1", "WS2"]
    store.ingest(root, tmp_path / "case")
    assert sorted(kit.read_evidence(tmp_path / "case").updates["host"]) == ["WS1", "WS2"]


def test_forwarded_events_belong_each_to_its_own_host(tmp_path):
    events = [
        event(1, computer="WS1.corp.example", channel="Application"),
        event(2, computer="WS2.corp.example", channel="System"),
        event(3, computer="WS1.corp.example", channel="System"),
    ]
    forwarded = encode_log(events, channel="ForwardedEvents", computer="WEC1", first_record_id=1)
    root = put(tmp_path / "e", {"WEC1/ForwardedEvents.evtx": forwarded, "WEC1/qfe.csv": HOTFIX})
    evidence = kit.read_evidence(root)
    assert records(evidence) == [
        "WS1.corp.example/Application#1",
        "WS1.corp.example/System#3",
        "WS2.corp.example/System#2",
    ]
    # The dump beside it is the collector's own, not that of whoever forwarded most.
    assert update_hosts(evidence) == {"WEC1/qfe.csv": {"WEC1"}}
    assert kinds(evidence)["WEC1/ForwardedEvents.evtx"] == ("evtx", "WEC1", 3)
    assert reasons(evidence, "WEC1/ForwardedEvents.evtx") == [
        "it holds events of 2 hosts (ws1, ws2): each counts for its own"
    ]
