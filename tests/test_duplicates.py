"""A record that several files hold counts once, for one host, however each file spells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pandas as pd
import pytest
from collection_samples import kinds, log, put, reasons, records, refs

import kitlib as kit
from kitlib.duplicates import hosts_by_records, machines

if TYPE_CHECKING:
    from pathlib import Path

    from kitlib import store


# ------------------------------------------------------------------ a log and its exports


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


# ------------------------------------------------------------------ whose the records are


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


# ------------------------------------------------------------------ updates and sessions


def history(*kbs: str) -> bytes:
    rows = [
        {"date_utc": "2022-01-12T03:15:41Z", "Title": f"Update ({kb})", "Operation": 1}
        | {"ResultCode": 2, "hresult": "0x00000000", "update_id": ""}
        for kb in kbs
    ]
    return json.dumps(rows).encode()


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
