"""Collections as their tools write them: every file read, every host right, every record once.

Each test builds a collection's layout from files made by `kitlib.simulate` and from small dumps,
reads it with `kitlib.read_evidence` and compares what is in the tables.
"""

from __future__ import annotations

import json

import pytest
from collection_samples import (
    HOTFIX,
    LOGS,
    cabinet,
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
from kitlib import ingest as ingesting

# ------------------------------------------------------------------ KAPE

KAPE = {
    f"C/{LOGS}/Application.evtx": log("WS0001.corp.example"),
    f"C/{LOGS}/System.evtx": log("WS0001.corp.example", channel="System", count=2),
    "C/Windows/Logs/CBS/qfe.csv": HOTFIX,
    "2022-01-20T101500_WS0001_CopyLog.csv": b"CopiedTimestamp,SourceFile,DestinationFile\r\n",
}


@pytest.mark.parametrize(
    "name", ["2022-01-20T101500_WS0001.zip", "2022-01-20T101500_WS0001", "out/WS0001"]
)
def test_kape_is_read_as_folder_and_as_container(tmp_path, name):
    if name.endswith(".zip"):
        put(tmp_path, {name: zipped(KAPE)})
    else:
        put(tmp_path / name, KAPE)
    evidence = kit.read_evidence(tmp_path / name)
    host = "WS0001.corp.example"
    tool = name.startswith("2022")  # only a tool's own form makes the evidence's name a host's
    found = kinds(evidence)
    found.pop(name, None)
    assert found == {
        "2022-01-20T101500_WS0001_CopyLog.csv": ("ignored", "WS0001" if tool else "", 0),
        "C/Windows/Logs/CBS/qfe.csv": ("get_hotfix", host, 1),
        f"C/{LOGS}/Application.evtx": ("evtx", host, 3),
        f"C/{LOGS}/System.evtx": ("evtx", host, 2),
    }
    assert records(evidence) == refs(host, 1, 2, 3) + refs(host, 1, 2, channel="System")
    assert reasons(evidence, "2022-01-20T101500_WS0001_CopyLog.csv") == []


# ------------------------------------------------------------------ Velociraptor

WUC = "Microsoft-Windows-WindowsUpdateClient%4Operational"
SHADOW = "uploads/ntfs_vss/%5C%5C.%5CGLOBALROOT%5CDevice%5CHarddiskVolumeShadowCopy1"
VELOCIRAPTOR = {
    f"uploads/auto/C%3A/{LOGS}/Application.evtx": log("WS1.corp.example", first=3, count=4),
    f"uploads/auto/C%3A/{LOGS}/{WUC.replace('%', '%25')}.evtx": log(
        "WS1.corp.example", channel="Microsoft-Windows-WindowsUpdateClient/Operational"
    ),
    f"{SHADOW}/{LOGS}/Application.evtx": log("WS1.corp.example", first=1, count=4),
    "uploads.json": b'{"Timestamp":"2022-01-20T10:11:12Z","vfs_path":"x","file_size":9}\n',
    "client_info.json": b'{"Hostname":"WS1","client_id":"C.1","Fqdn":"WS1.corp.example"}',
    "collection_context.json": b'{"session_id":"F.1","client_id":"C.1"}',
    "log.json": b'{"_ts":1642673472,"client_time":1642673472,"message":"Starting"}\n',
    "results/Windows.KapeFiles.Targets%2FAll File Metadata.json": b'{"SourceFile":"C:\\\\x"}\n',
    "results/Windows.KapeFiles.Targets/Uploads.json": b'{"Upload":{"Path":"C:\\\\x"}}\n',
    "results/Windows.Sys.Users.json": b'{"Name":"a","Uid":1001}\n',
}


@pytest.mark.parametrize("name", ["Collection-WS1-2022-01-20T10_11_12Z.zip", "case.zip"])
def test_velociraptor_counts_shadow_copies_once_and_its_own_files_not_at_all(tmp_path, name):
    put(tmp_path, {name: zipped(VELOCIRAPTOR, go=True)})
    evidence = kit.read_evidence(tmp_path / name)
    channel = "Microsoft-Windows-WindowsUpdateClient/Operational"
    host = "WS1.corp.example"
    assert records(evidence) == refs(host, 1, 2, 3, 4, 5, 6) + refs(host, 1, 2, 3, channel=channel)
    live = f"uploads/auto/C%3A/{LOGS}/Application.evtx"
    shadow = f"{SHADOW}/{LOGS}/Application.evtx"
    # Escapes sort before letters: in the order of the paths the live copy is the first.
    assert reasons(evidence, shadow) == [f"2 of its 4 records are also in {live}: counted once"]
    own = [path for path in VELOCIRAPTOR if path.endswith(".json")]
    assert {kinds(evidence)[path][0] for path in own} == {"ignored"}
    said = evidence.problems[evidence.problems["path"].isin(own)]
    assert said["path"].tolist() == ["results/Windows.Sys.Users.json"]
    assert said["records_lost"].tolist() == [0]


def test_velociraptors_results_that_are_events_are_read(tmp_path):
    row = {
        "System": {
            "Provider": {"Name": "RasClient"},
            "EventID": {"Value": 20227},
            "TimeCreated": {"SystemTime": 1641945660.1234567},
            "EventRecordID": 1,
            "Channel": "Application",
            "Computer": "WS1.corp.example",
        },
        "EventData": {"Data": ["x"]},
    }
    files = VELOCIRAPTOR | {"results/Windows.EventLogs.Evtx.json": json.dumps(row).encode() + b"\n"}
    put(tmp_path, {"c.zip": zipped(files)})
    evidence = kit.read_evidence(tmp_path / "c.zip")
    result = "results/Windows.EventLogs.Evtx.json"
    assert kinds(evidence)[result][0] == "velociraptor_json"
    assert len(evidence.events) == 9
    assert any("1 of its 1 records are also in" in reason for reason in reasons(evidence, result))


def test_an_encrypted_collection_gets_a_clear_sentence(tmp_path):
    inner = bytearray(zipped({"metadata.json": b'{"Scheme":"X509"}', "data.zip": b"secret" * 9}))
    for mark, flags, method in ((b"PK\x03\x04", 6, 8), (b"PK\x01\x02", 8, 10)):
        where = inner.rindex(mark)
        inner[where + flags] |= 1
        inner[where + method] = 99
    put(tmp_path / "e", {"Collection-WS1-2022-01-20T10_11_12Z.zip": bytes(inner)})
    put(tmp_path / "e", {"WS2/a.evtx": log("WS2")})
    evidence = kit.read_evidence(tmp_path / "e")
    path = "Collection-WS1-2022-01-20T10_11_12Z.zip/data.zip"
    (reason,) = reasons(evidence, path)
    assert reason.startswith("encrypted: not read; unpack the archive with its password first")
    assert kinds(evidence)[path] == ("unread", "WS1", 0)
    assert evidence.problems["records_lost"].isna().tolist() == [True]
    assert len(evidence.events) == 3


def test_units_of_an_archive_are_the_same_in_many_processes(tmp_path):
    put(tmp_path, {"c.zip": zipped(VELOCIRAPTOR)})
    here, there = (list(ingesting.run(tmp_path / "c.zip", workers=n)) for n in (1, 2))
    assert [(u.path, u.kind, u.sha256) for u in here] == [(u.path, u.kind, u.sha256) for u in there]


# ------------------------------------------------------------------ CyLR, Intune, TSS


def test_cylr_with_backslashes_names_its_host(tmp_path):
    logs = LOGS.replace("/", "\\")
    members = {
        "C\\Windows\\": b"",
        f"C\\{logs}\\Application.evtx": log("WS0007"),
        "C\\ProgramData\\qfe.csv": HOTFIX,
        "CyLR_Collection_Log_2022-01-20.log": b"Collecting File: C:/Windows\r\n",
    }
    put(tmp_path / "e", {"WS0007.zip": zipped(members)})
    evidence = kit.read_evidence(tmp_path / "e")
    assert kinds(evidence) == {
        "WS0007.zip": ("archive", "", 0),
        f"WS0007.zip/C/{LOGS}/Application.evtx": ("evtx", "WS0007", 3),
        "WS0007.zip/C/ProgramData/qfe.csv": ("get_hotfix", "WS0007", 1),
        "WS0007.zip/CyLR_Collection_Log_2022-01-20.log": ("ignored", "WS0007", 0),
    }


MDM = "Microsoft-Windows-DeviceManagement-Enterprise-Diagnostics-Provider/Admin"


@pytest.mark.parametrize("form", ["folder", "zip", "zip itself"])
def test_intunes_diagnostics_are_read_down_to_the_cabinets(tmp_path, form):
    cab = cabinet(
        {
            "microsoft-windows-devicemanagement-enterprise-diagnostics-provider-admin.evtx": log(
                "WS0003", channel=MDM
            ),
            "nothing.txt": b"",
        }
    )
    members = {
        "(1) RegistryKey HKLM_Software/export.reg": b"Windows Registry Editor Version 5.00\r\n",
        "(7) Events Application/Events.evtx": log("WS0003"),
        "(8) Events System/Events.evtx": log("WS0003", channel="System", count=2),
        "(12) Command qfe/output.log": HOTFIX,
        "(31) FoldersFiles mdm/mdmlogs-2022.cab": cab,
        "results.xml": b'<Collection HRESULT="0"><ID>1</ID></Collection>',
    }
    name = "DiagLogs-WS0003-20220120T101112Z"
    if form == "folder":
        put(tmp_path / "e" / name, members)
    else:
        put(tmp_path / "e", {f"{name}.zip": zipped(members)})
    evidence = kit.read_evidence(tmp_path / "e" / (f"{name}.zip" if form == "zip itself" else ""))
    assert set(evidence.files.loc[evidence.files["path"].str.contains("/"), "host"]) == {"WS0003"}
    assert records(evidence) == sorted(
        refs("WS0003", 1, 2, 3)
        + refs("WS0003", 1, 2, channel="System")
        + refs("WS0003", 1, 2, 3, channel=MDM)
    )
    assert set(evidence.updates["host"]) == {"WS0003"}
    by_name = {path.rpartition("/")[2]: kind for path, (kind, _, _) in kinds(evidence).items()}
    assert by_name["results.xml"] == "ignored"
    assert by_name["mdmlogs-2022.cab"] == "archive"


def test_intunes_one_data_collector_is_read(tmp_path):
    members = {
        "Intune/EventLogs/System.evtx": log("WS0004", channel="System"),
        "Intune/Commands/Windows Update/WS0004_hotfix.csv": HOTFIX,
    }
    put(tmp_path, {"WS0004_CollectedData.zip": zipped(members)})
    evidence = kit.read_evidence(tmp_path / "WS0004_CollectedData.zip")
    assert {host for _, host, _ in kinds(evidence).values() if host} == {"WS0004"}
    assert update_hosts(evidence) == {
        "Intune/Commands/Windows Update/WS0004_hotfix.csv": {"WS0004"}
    }


def test_tss_names_the_host_in_front_of_its_files(tmp_path):
    files = {"SDP/WS0001_Hotfixes.CSV": HOTFIX, "SDP/WS0002_Hotfixes.CSV": HOTFIX}
    evidence = kit.read_evidence(put(tmp_path / "e", files))
    assert update_hosts(evidence) == {
        "SDP/WS0001_Hotfixes.CSV": {"WS0001"},
        "SDP/WS0002_Hotfixes.CSV": {"WS0002"},
    }
    assert evidence.problems[evidence.problems["reason"].str.contains("same content")].empty


# ------------------------------------------------------------------ any tool


@pytest.mark.parametrize(
    "name",
    [
        f"{WUC}.evtx",
        WUC.replace("%", "%25") + ".evtx",
        "microsoft-windows-windowsupdateclient-operational.evtx",
        "Microsoft-Windows-WindowsUpdateClient_Operational.evtx",
        "whatever.bin",
    ],
)
def test_a_channel_is_never_read_from_a_name(tmp_path, name):
    channel = "Microsoft-Windows-WindowsUpdateClient/Operational"
    put(tmp_path / "e", {name: log("WS5", channel=channel)})
    evidence = kit.read_evidence(tmp_path / "e")
    assert records(evidence) == refs("WS5", 1, 2, 3, channel=channel)
