"""Collections as their tools write them: every file read, every host right, every record once.

Each test builds a collection's layout from files made by `kitlib.simulate` and from small dumps,
reads it with `kitlib.read_evidence` and compares what is in the tables.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pandas as pd
import pytest

import kitlib as kit
from kitlib import ingest as ingesting
from kitlib import store
from kitlib.companions import companion
from kitlib.duplicates import hosts_by_records, machines
from kitlib.layouts import host_of_name, host_of_path
from kitlib.simulate.evtx import Event, encode_log, ticks

if TYPE_CHECKING:
    from pathlib import Path

LOGS = "Windows/System32/winevt/Logs"


def at(minute: int, fraction: str = "1234567") -> str:
    return f"2022-01-{12 + minute // 1440:02d}T{minute // 60 % 24:02d}:{minute % 60:02d}:00.{fraction}Z"


def event(
    minute: int, *, fraction: str = "1234567", computer: str = "", channel: str = ""
) -> Event:
    return Event(
        provider="RasClient",
        event_id=20227,
        time=ticks(at(minute, fraction)),
        data=["{2b7e}", "CORP\\a", "VPN", "789"],
        computer=computer,
        channel=channel,
    )


def log(
    host: str, *, first: int = 1, count: int = 3, channel: str = "Application", **more: str
) -> bytes:
    events = [event(number, **more) for number in range(first, first + count)]
    return encode_log(events, channel=channel, computer=host, first_record_id=first)


def history(*kbs: str) -> bytes:
    rows = [
        {"date_utc": "2022-01-12T03:15:41Z", "Title": f"Update ({kb})", "Operation": 1}
        | {"ResultCode": 2, "hresult": "0x00000000", "update_id": ""}
        for kb in kbs
    ]
    return json.dumps(rows).encode()


HOTFIX = b'"HotFixID","InstalledOn"\r\n"KB5009543","1/13/2022 12:00:00 AM"\r\n'


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def zipped(members: dict[str, bytes], *, go: bool = False) -> bytes:
    """Pack; `go` writes data descriptors, as Velociraptor's zip writer does."""
    raw = io.BytesIO()
    target = Unseekable(raw) if go else raw
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return raw.getvalue()


class Unseekable(io.RawIOBase):
    """A pipe: what is written to it cannot be gone back to."""

    def __init__(self, raw: io.BytesIO) -> None:
        self._raw = raw

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        return self._raw.write(data)


def records(evidence: store.Evidence) -> list[str]:
    """Record references, as the contract writes them."""
    rows = evidence.events.itertuples()
    return sorted(f"{row.host}/{row.channel}#{row.record_id}" for row in rows)


def refs(host: str, *numbers: int, channel: str = "Application") -> list[str]:
    return [f"{host}/{channel}#{number}" for number in numbers]


def kinds(evidence: store.Evidence) -> dict[str, tuple[str, str, int]]:
    rows = evidence.files.itertuples()
    return {row.path: (row.kind, row.host, row.records) for row in rows}


def reasons(evidence: store.Evidence, path: str) -> list[str]:
    problems = evidence.problems
    return problems.loc[problems["path"] == path, "reason"].tolist()


def update_hosts(evidence: store.Evidence) -> dict[str, set[str]]:
    return evidence.updates.groupby("path")["host"].agg(set).to_dict()


# ------------------------------------------------------------------ the tools' layouts

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


def test_below_a_drive_no_folder_is_a_host():
    for path in ("C/Windows/SoftwareDistribution/x", "C%3A/ProgramData/USOShared/Logs/x"):
        assert host_of_path(path) == ""
        assert host_of_path(path, "WS0001.zip") == "WS0001"
        assert host_of_path(f"WS0001/{path}") == "WS0001"


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


def cabinet(members: dict[str, bytes], *, method: int = 1, block: int = 32768) -> bytes:
    """Write a cabinet of one folder, packed by MSZIP (1) or stored (0); 3 claims LZX."""
    content = b"".join(members.values())
    blocks, window = [], b""
    for begin in range(0, len(content), block):
        plain = content[begin : begin + block]
        packed = plain
        if method:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=window)
            packed = b"CK" + packer.compress(plain) + packer.flush()
        blocks.append(struct.pack("<IHH", 0, len(packed), len(plain)) + packed)
        window = plain[-32768:]
    files, offset = b"", 0
    for name, data in members.items():
        files += struct.pack("<IIHHHH", len(data), offset, 0, 0, 0, 0x20) + name.encode() + b"\0"
        offset += len(data)
    files_at = 36 + 8
    data_at = files_at + len(files)
    size = data_at + sum(map(len, blocks))
    head = struct.pack(
        "<4s5I2B5H", b"MSCF", 0, size, 0, files_at, 0, 3, 1, 1, len(members), 0, 0, 0
    )
    folder = struct.pack("<IHH", data_at, len(blocks), method)
    return head + folder + files + b"".join(blocks)


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


def test_tss_names_the_host_in_front_of_its_files(tmp_path):
    files = {"SDP/WS0001_Hotfixes.CSV": HOTFIX, "SDP/WS0002_Hotfixes.CSV": HOTFIX}
    evidence = kit.read_evidence(put(tmp_path / "e", files))
    assert update_hosts(evidence) == {
        "SDP/WS0001_Hotfixes.CSV": {"WS0001"},
        "SDP/WS0002_Hotfixes.CSV": {"WS0002"},
    }
    assert evidence.problems[evidence.problems["reason"].str.contains("same content")].empty


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


# ------------------------------------------------------------------ the same record twice


def as_xml(rows: pd.DataFrame, **changed: str) -> bytes:
    """Write events as ``wevtutil qe`` does."""

    def one(row) -> str:
        time = changed.get("time") or row.time_created.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
        return (
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
            f"<Provider Name='{row.provider}'/><EventID>{row.event_id}</EventID>"
            f"<TimeCreated SystemTime='{time}'/><EventRecordID>{row.record_id}</EventRecordID>"
            f"<Channel>{changed.get('channel', row.channel)}</Channel>"
            f"<Computer>{escape(changed.get('host', row.host))}</Computer></System></Event>\n"
        )

    return "".join(map(one, rows.itertuples())).encode()


def as_json(rows: pd.DataFrame) -> bytes:
    """Write events as ``Get-WinEvent | ConvertTo-Json`` of Windows PowerShell: to milliseconds."""
    return json.dumps(
        [
            {
                "Id": int(row.event_id),
                "ProviderName": row.provider,
                "LogName": row.channel,
                "MachineName": row.host,
                "RecordId": int(row.record_id),
                "TimeCreated": f"/Date({row.time_created.value // 1_000_000})/",
                "Message": "",
            }
            for row in rows.itertuples()
        ]
    ).encode()


def as_csv(rows: pd.DataFrame, *, hours: int, host: bool = True) -> bytes:
    """Write events as ``Get-WinEvent | Export-Csv``: local time, whole seconds."""
    lines = ["TimeCreated,ProviderName,Id,LogName,RecordId,Message" + ",MachineName" * host]
    for row in rows.itertuples():
        local = row.time_created + pd.Timedelta(hours=hours)
        cells = [f"{local:%m/%d/%Y %I:%M:%S %p}", row.provider, row.event_id, row.channel]
        cells += [row.record_id, "m", *([row.host] if host else [])]
        lines.append(",".join(f'"{cell}"' for cell in cells))
    return "\r\n".join(lines).encode()


@pytest.fixture
def rows(tmp_path):
    put(tmp_path, {"made.evtx": log("WS1.corp.example", count=5)})
    return kit.read_evtx(tmp_path / "made.evtx")


def once_in(tmp_path: Path, name: str, export: bytes, **more: bytes) -> store.Evidence:
    """Read a log beside an export of it and hold that the log's rows are the ones kept."""
    files = {"b.evtx": log("WS1.corp.example", count=5), name: export, **more}
    evidence = kit.read_evidence(put(tmp_path / "e", files))
    assert records(evidence) == refs("WS1.corp.example", 1, 2, 3, 4, 5)
    assert set(evidence.events["path"]) == {"b.evtx"}
    assert reasons(evidence, name)[-1] == "5 of its 5 records are also in b.evtx: counted once"
    return evidence


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"host": "WS1"},
        {"host": "ws1.CORP.example"},
        {"host": ""},
        {"channel": ""},
        {"channel": "application"},
        {"host": "", "channel": ""},
    ],
)
def test_a_log_and_its_xml_count_once_however_the_host_is_spelled(tmp_path, rows, changed):
    once_in(tmp_path, "a.xml", as_xml(rows, **changed))


def test_a_log_and_its_json_to_milliseconds_count_once(tmp_path, rows):
    once_in(tmp_path, "a.json", as_json(rows))


@pytest.mark.parametrize("hours", [-8, 0, 1, 5.5, 5.75])
@pytest.mark.parametrize("host", [True, False])
def test_a_log_and_its_csv_in_local_time_count_once(tmp_path, rows, hours, host):
    once_in(tmp_path, "a.csv", as_csv(rows, hours=hours, host=host))


def test_two_exports_in_local_time_count_once(tmp_path, rows):
    files = {"a.csv": as_csv(rows, hours=1), "c.csv": as_csv(rows, hours=1) + b"\r\n"}
    evidence = kit.read_evidence(put(tmp_path / "e", files))
    assert len(evidence.events) == 5
    assert reasons(evidence, "c.csv")[-1] == "5 of its 5 records are also in a.csv: counted once"


def test_a_time_that_an_export_rounds_up_is_still_the_same(tmp_path):
    host = "WS1"
    put(tmp_path, {"m.evtx": log(host, count=2, fraction="9999999")})
    rows = kit.read_evtx(tmp_path / "m.evtx")
    whole = rows.assign(time_created=rows["time_created"].dt.ceil("s"))
    log_itself = log(host, count=2, fraction="9999999")
    for number, changed in enumerate(({}, {"host": ""}, {"channel": ""})):
        files = {"a.xml": as_xml(whole, **changed), "m.evtx": log_itself}
        evidence = kit.read_evidence(put(tmp_path / str(number), files))
        assert evidence.events["path"].tolist() == ["m.evtx"] * 2


def test_a_record_number_given_again_at_another_time_is_another_record(tmp_path, rows):
    export = as_xml(rows, time="2022-02-12T10:01:00.1234567Z")
    files = {"b.evtx": log("WS1.corp.example", count=5), "a.xml": export}
    assert len(kit.read_evidence(put(tmp_path / "e", files)).events) == 10


def test_hosts_of_one_short_name_in_two_domains_stay_apart(tmp_path):
    files = {"a.evtx": log("WS1.a.example"), "b.evtx": log("WS1.b.example")}
    evidence = kit.read_evidence(put(tmp_path / "e", files))
    assert records(evidence) == refs("WS1.a.example", 1, 2, 3) + refs("WS1.b.example", 1, 2, 3)
    assert evidence.problems.empty


def test_machines_gives_one_form_to_every_spelling():
    hosts = pd.Series(["WS1", "ws1.corp.example", "X.a", "X.b", "x", "192.0.2.7", ""], dtype="str")
    want = ["ws1", "ws1", "x.a", "x.b", "x", "192.0.2.7", ""]
    assert machines(hosts).tolist() == want


def test_an_export_without_host_belongs_to_whom_its_records_are_found_at(tmp_path):
    one, other = log("WS1", first=1, count=3), log("WS2", first=3, count=4)
    put(tmp_path, {"m.evtx": log("WS2", first=1, count=6)})
    export = as_xml(kit.read_evtx(tmp_path / "m.evtx"), host="")
    root = put(tmp_path / "e", {"a.evtx": one, "b.evtx": other, "export.xml": export})
    evidence = kit.read_evidence(root)
    # Records 1 and 2 are also WS1's by number and minute; most of the file is WS2's.
    assert records(evidence) == refs("WS1", 1, 2, 3) + refs("WS2", 1, 2, 3, 4, 5, 6)
    assert kinds(evidence)["export.xml"] == ("event_xml", "WS2", 6)


def test_hosts_by_records_decides_nothing_where_two_hosts_are_equal(tmp_path):
    put(tmp_path, {"a.evtx": log("WS1"), "b.evtx": log("WS2")})
    one = kit.read_evtx(tmp_path / "a.evtx").assign(path="a")
    other = kit.read_evtx(tmp_path / "b.evtx").assign(path="b")
    blank = one.assign(host="", path="c")
    every = [one, other, blank]
    for part in every:
        part.attrs.clear()
    assert hosts_by_records(pd.concat(every, ignore_index=True)) == {}
    assert hosts_by_records(pd.concat([one, blank], ignore_index=True)) == {"c": "WS1"}


def test_an_update_in_dumps_that_spell_the_host_differently_counts_once(tmp_path):
    def dump(host: str, *kbs: str) -> bytes:
        rows = json.loads(history(*kbs))
        return json.dumps([row | {"host": host} for row in rows]).encode()

    files = {
        "1.json": dump("WS1", "KB5009543"),
        "2.json": dump("ws1.corp", "KB5009543", "KB5010793"),
    }
    evidence = kit.read_evidence(put(tmp_path / "e", files))
    assert sorted(evidence.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert reasons(evidence, "2.json") == ["1 of its 2 records are also in 1.json: counted once"]


def test_what_a_gateway_exported_twice_counts_once(tmp_path):
    line = (
        "Jan 12 10:0{0}:00 vpn.example charon: 0{0}[IKE] "
        "IKE_SA conn[{0}] established between 192.0.2.1[gw]...198.51.100.{0}[user]\n"
    )
    one = "".join(line.format(n) for n in (1, 2, 3)).encode()
    more = "".join(line.format(n) for n in (2, 3, 4, 5)).encode()
    folder = put(tmp_path / "e", {"1.log": one, "2.log": more})
    each = [len(kit.read_evidence(folder / name).sessions) for name in ("1.log", "2.log")]
    assert each == [3, 4]
    evidence = kit.read_evidence(folder)
    assert len(evidence.sessions) == 5
    assert "2 of its 4 records are also in 1.log: counted once" in reasons(evidence, "2.log")


# ------------------------------------------------------------------ cut off, other archives


@pytest.mark.parametrize("go", [False, True])
def test_a_zip_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path, go):
    members = {f"WS{n}/a.evtx": log(f"WS{n}", first=n) for n in range(1, 6)}
    whole = zipped(members, go=go)
    cut = whole[: whole.index(b"WS5/a.evtx") + 200]
    evidence = kit.read_evidence(put(tmp_path / "e", {"upload.zip": cut}))
    # Of the fifth the log's header is left.
    assert set(evidence.events["host"]) == {"WS1", "WS2", "WS3", "WS4"}
    assert len(evidence.events) == 12
    (reason,) = reasons(evidence, "upload.zip")
    assert reason.startswith("the archive has no whole directory")
    assert "5 members were found by their own headers" in reason
    assert "damaged in its archive" in reasons(evidence, "upload.zip/WS5/a.evtx")[0]
    lost = evidence.problems.set_index("path")["records_lost"]
    assert pd.isna(lost["upload.zip"])


def test_a_cut_zip_that_holds_a_whole_one_is_not_taken_for_that(tmp_path):
    inner = zipped({"b.evtx": log("WS2")})
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as made:
        made.writestr("a.evtx", log("WS1"))
        made.writestr("inner.zip", inner)
        made.writestr("c.evtx", log("WS3"))
    whole = raw.getvalue()
    cut = whole[: whole.index(inner) + len(inner) + 40]
    evidence = kit.read_evidence(put(tmp_path / "e", {"u.zip": cut}))
    assert set(evidence.events["host"]) == {"WS1", "WS2"}


def local(name: str, data: bytes, *, flags: int, method: int, crc: int, sizes: bytes, extra=b""):
    return (
        struct.pack("<4s5HI", b"PK\x03\x04", 45, flags, method, 0, 0, crc)
        + sizes
        + struct.pack("<2H", len(name), len(extra))
        + name.encode()
        + extra
        + data
    )


def test_a_cut_zip_is_read_with_every_way_to_state_a_size(tmp_path):
    data = log("WS1")
    crc, size = zlib.crc32(data), len(data)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    full = struct.pack("<2I", 0xFFFFFFFF, 0xFFFFFFFF)
    zip64 = struct.pack("<HHQQ", 1, 16, size, size)
    none = bytes(8)
    trailer = struct.pack("<4s3I", b"PK\x07\x08", crc, size, size)
    packed_trailer = struct.pack("<4sIQQ", b"PK\x07\x08", crc, len(packed), size)
    raw = (
        local("zip64", data, flags=0, method=0, crc=crc, sizes=full, extra=zip64)
        + local("stored, size behind", data + trailer, flags=8, method=0, crc=0, sizes=none)
        + local(
            "packed, size behind", packed + packed_trailer, flags=8, method=8, crc=0, sizes=none
        )
        + local("deflate64", b"x" * 9, flags=0, method=9, crc=0, sizes=struct.pack("<2I", 9, 9))
        + local("secret", b"x" * 9, flags=1, method=8, crc=0, sizes=struct.pack("<2I", 9, 9))
        + local("wrong", data, flags=0, method=0, crc=crc ^ 1, sizes=struct.pack("<2I", size, size))
        + local("last", data, flags=0, method=0, crc=crc, sizes=struct.pack("<2I", size, size))
    )
    evidence = kit.read_evidence(put(tmp_path / "e", {"u": raw}))
    found = {path.partition("/")[2]: kind for path, (kind, _, _) in kinds(evidence).items()}
    readable = ("zip64", "stored, size behind", "packed, size behind", "wrong", "last")
    assert found == {
        "": "archive",
        "deflate64": "unread",
        "secret": "unread",
        **dict.fromkeys(readable, "evtx"),
    }
    files = evidence.files.set_index("path")["sha256"]
    assert len({files[f"u/{name}"] for name in readable}) == 1
    assert "packed by Deflate64" in reasons(evidence, "u/deflate64")[0]
    assert "its checksum is wrong" in reasons(evidence, "u/wrong")[0]


def test_a_cabinet_is_read_stored_and_packed(tmp_path):
    made = {"a.evtx": log("WS1", count=200), "b.evtx": log("WS2", count=9), "empty": b""}
    for method in (0, 1):
        root = put(tmp_path / f"e{method}", {"CbsPersist.cab": cabinet(made, method=method)})
        evidence = kit.read_evidence(root)
        assert evidence.events["host"].value_counts().to_dict() == {"WS1": 200, "WS2": 9}
        assert len(evidence.problems) == 1  # the empty file


def test_a_cabinet_of_another_packing_says_what_to_do(tmp_path):
    files = {"x.cab": cabinet({"a": b"a"}, method=0x1503), "a.evtx": log("WS1")}
    evidence = kit.read_evidence(put(tmp_path / "e", files))
    (reason,) = reasons(evidence, "x.cab")
    assert reason == (
        "a cabinet packed by LZX, which is not read here: unpack it first "
        "(`expand -F:* FILE FOLDER` on Windows, `cabextract` elsewhere)"
    )


def test_a_cabinet_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path):
    whole = cabinet({"a.evtx": log("WS1", count=9), "b.evtx": log("WS2", count=900)})
    evidence = kit.read_evidence(put(tmp_path / "e", {"x.cab": whole[: len(whole) // 2]}))
    assert "damaged in its archive" in reasons(evidence, "x.cab/b.evtx")[0]
    assert (evidence.events["host"] == "WS1").sum() == 9


# ------------------------------------------------------------------ beside the evidence


@pytest.mark.parametrize(
    ("path", "head", "said"),
    [
        ("uploads.json", b'{"vfs_path":"x"}', ""),
        ("WS1/client_info.json", b'{"client_id":"C.1"}', ""),
        ("client_info.json", b'{"other":1}', None),
        ("results/A.B.json", b'{"x":1}', "a table of a Velociraptor collection"),
        ("2022-01-20T101500_ConsoleLog.txt", b"KAPE version 1.2", ""),
        ("results.xml", b"<Collection>", ""),
        ("results.xml", b"<Results>", None),
        ("results.xml", b"<Collection>\0\x01", None),
        ("README.md", bytes(range(256)), None),
    ],
)
def test_companion_asks_name_and_content(path, head, said):
    found = companion(path, head)
    assert found == said if not said else found.startswith(said)


def test_units_of_an_archive_are_the_same_in_many_processes(tmp_path):
    put(tmp_path, {"c.zip": zipped(VELOCIRAPTOR)})
    here, there = (list(ingesting.run(tmp_path / "c.zip", workers=n)) for n in (1, 2))
    assert [(u.path, u.kind, u.sha256) for u in here] == [(u.path, u.kind, u.sha256) for u in there]
