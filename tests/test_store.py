"""Evidence as tables, in memory and in the case store: all accounted for, nothing twice."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq
import pytest
from collection_samples import put

import kitlib as kit
from kitlib import ingest as ingesting
from kitlib import schema, store
from kitlib.collection import listing
from kitlib.errors import EvidenceError, UsageError
from kitlib.simulate.evtx import Event, encode_log, ticks

if TYPE_CHECKING:
    from pathlib import Path

TABLES = ("files", "problems", "events", "updates", "sessions")


def log(host: str, *, first: int = 1, count: int = 3, channel: str = "Application") -> bytes:
    events = [
        Event(
            provider="RasClient",
            event_id=20227,
            time=ticks(f"2022-01-12T10:{number:02d}:00.1234567Z"),
            data=["{2b7e}", "CORP\\ä", "VPN", "789"],
            binary=b"\x01\x02",
        )
        for number in range(first, first + count)
    ]
    return encode_log(events, channel=channel, computer=host, first_record_id=first)


def history(*kbs: str, **more: object) -> bytes:
    rows = [
        {"date_utc": "2022-01-12T03:15:41Z", "Title": f"Update ({kb})", "Operation": 1}
        | {"ResultCode": 2, "hresult": "0x00000000", "update_id": ""}
        | more
        for kb in kbs
    ]
    return json.dumps(rows).encode()


HOTFIX = b'"HotFixID","InstalledOn"\r\n"KB5009543","1/13/2022 12:00:00 AM"\r\n'


OFFICE = {
    "WS1/Application.evtx": log("WS1.corp.example"),
    "WS1/wu.json": history("KB5009543"),
    "WS2/Application.evtx": log("WS2.corp.example"),
    "WS2/hotfix.csv": HOTFIX,
    "README.md": b"# What this is\n",
    "truth.json": b'{"hosts": {"WS1": "recovered"}}',
    "incident.toml": b'name = "kb5009543"\n',
}


@pytest.fixture
def office(tmp_path):
    return put(tmp_path / "office", OFFICE)


def same(one: kit.store.Evidence, other: kit.store.Evidence) -> None:
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))
    assert one.manifest_sha256 == other.manifest_sha256


def reasons(evidence: kit.store.Evidence, path: str) -> list[str]:
    problems = evidence.problems
    return problems.loc[problems["path"] == path, "reason"].tolist()


# ------------------------------------------------------------------ what is read


def test_read_evidence_gives_every_table_its_schema(office):
    evidence = kit.read_evidence(office)
    for table in TABLES:
        schema.check(table, getattr(evidence, table))
    assert len(evidence.events) == 6
    assert len(evidence.updates) == 2
    # The dump of WS2 states a local day, and nothing of WS2 tells its offset from UTC.
    assert list(evidence.problems["path"]) == ["WS2/hotfix.csv"]
    assert "nothing in the evidence tells the UTC offset" in evidence.problems["reason"].item()


def test_read_evidence_lists_every_file_with_its_hash(office):
    files = kit.read_evidence(office).files.set_index("path")
    assert sorted(files.index) == sorted(OFFICE)
    for path, content in OFFICE.items():
        assert files.loc[path, "sha256"] == hashlib.sha256(content).hexdigest()
        assert files.loc[path, "size_bytes"] == len(content)
    assert files["kind"].to_dict() == {
        "WS1/Application.evtx": "evtx",
        "WS1/wu.json": "com_history_json",
        "WS2/Application.evtx": "evtx",
        "WS2/hotfix.csv": "get_hotfix",
        "README.md": "ignored",
        "truth.json": "ignored",
        "incident.toml": "ignored",
    }


def test_manifest_hash_can_be_had_with_sha256sum(office):
    lines = sorted((path, hashlib.sha256(content).hexdigest()) for path, content in OFFICE.items())
    text = "".join(f"{sha256}  {path}\n" for path, sha256 in lines)
    want = hashlib.sha256(text.encode()).hexdigest()
    assert kit.read_evidence(office).manifest_sha256 == want


def test_read_evidence_names_first_and_last_time_of_a_file(office):
    row = kit.read_evidence(office).files.set_index("path").loc["WS1/Application.evtx"]
    assert row["first"] == pd.Timestamp("2022-01-12T10:01:00.1234567Z")
    assert row["last"] == pd.Timestamp("2022-01-12T10:03:00.1234567Z")
    assert (row["records"], row["problems"], row["host"]) == (3, 0, "WS1.corp.example")


def test_read_evidence_of_a_zip_equals_the_folder(office, tmp_path):
    packed = tmp_path / "office.zip"
    with zipfile.ZipFile(packed, "w") as made:
        for path in reversed(OFFICE):
            made.write(office / path, path)
    folder, archive = kit.read_evidence(office), kit.read_evidence(packed)
    for table in ("problems", "events", "updates"):
        pd.testing.assert_frame_equal(getattr(folder, table), getattr(archive, table))
    members = archive.files[archive.files["kind"] != "archive"].reset_index(drop=True)
    pd.testing.assert_frame_equal(members, folder.files)


def test_read_evidence_never_writes_into_the_evidence(office):
    def state():
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size)
            for path in sorted(office.rglob("*"))
        }

    before = state()
    kit.read_evidence(office)
    kit.store.ingest(office, office.parent / "case")
    assert state() == before


# ------------------------------------------------------------------ hosts of dumps


@pytest.mark.parametrize(
    ("files", "host"),
    [
        # the log beside it names the host in full
        ({"WS1/a.evtx": log("WS1.corp"), "WS1/wu.json": history("KB5009543")}, "WS1.corp"),
        # the folder is no host's name, but one host's logs lie in it
        ({"johns pc/logs/a.evtx": log("WS1"), "johns pc/x/wu.json": history("KB5009543")}, "WS1"),
        # no logs anywhere near: the folder's name
        ({"WS3/wu.json": history("KB5009543")}, "WS3"),
        # a renamed host: the name that the folder bears
        (
            {
                "WS1/a.evtx": log("WS1"),
                "WS1/setup.evtx": log("WIN-0", channel="Setup"),
                "WS1/wu.json": history("KB5009543"),
            },
            "WS1",
        ),
        # a heap of several hosts' files: nobody can say
        ({"a.evtx": log("WS1"), "b.evtx": log("WS2"), "wu.json": history("KB5009543")}, ""),
        # the file says it itself
        ({"WS1/a.evtx": log("WS1"), "WS1/wu.json": history("KB5009543", host="WS9")}, "WS9"),
    ],
)
def test_read_evidence_names_the_host_of_a_dump(tmp_path, files, host):
    evidence = kit.read_evidence(put(tmp_path / "e", files))
    assert evidence.updates["host"].tolist() == [host]


def test_read_evidence_says_that_a_dump_names_no_host(tmp_path):
    files = {"a.evtx": log("WS1"), "b.evtx": log("WS2"), "wu.json": history("KB5009543")}
    evidence = kit.read_evidence(put(tmp_path / "e", files))
    assert reasons(evidence, "wu.json")[0].startswith("no host: its rows (1) name none")


# ------------------------------------------------------------------ twice is once


def test_read_evidence_counts_the_same_content_once(tmp_path):
    one = log("WS1")
    root = put(tmp_path / "e", {"a/x.evtx": one, "b/y.evtx": one, "c/z.evtx": log("WS2")})
    evidence = kit.read_evidence(root)
    assert len(evidence.events) == 6
    files = evidence.files.set_index("path")
    assert files["records"].to_dict() == {"a/x.evtx": 3, "b/y.evtx": 0, "c/z.evtx": 3}
    assert reasons(evidence, "b/y.evtx") == ["the same content as a/x.evtx: counted once"]
    assert evidence.problems["records_lost"].tolist() == [0]


def test_read_evidence_counts_a_record_in_two_logs_once_and_says_so(tmp_path):
    root = put(
        tmp_path / "e",
        {"live.evtx": log("WS1", first=3, count=4), "shadow.evtx": log("WS1", first=1, count=4)},
    )
    evidence = kit.read_evidence(root)
    assert sorted(evidence.events["record_id"]) == [1, 2, 3, 4, 5, 6]
    problem = evidence.problems.iloc[0]
    assert problem["path"] == "shadow.evtx"
    assert problem["reason"] == "2 of its 4 records are also in live.evtx: counted once"
    assert problem["records_lost"] == 0
    assert evidence.files["records"].tolist() == [4, 4]


def test_read_evidence_counts_a_log_and_its_export_once_and_keeps_the_log(tmp_path):
    root = put(tmp_path / "e", {"z.evtx": log("WS1", count=3)})
    rows = kit.read_evtx(root / "z.evtx")
    dump = "".join(
        json.dumps(
            {
                "Event": {
                    "System": {
                        "Provider": {"#attributes": {"Name": row.provider}},
                        "EventID": int(row.event_id),
                        "TimeCreated": {
                            "#attributes": {"SystemTime": row.time_created.strftime("%FT%T.%fZ")}
                        },
                        "EventRecordID": int(row.record_id),
                        "Channel": row.channel,
                        "Computer": row.host,
                    }
                }
            }
        )
        + "\n"
        for row in rows.itertuples()
    )
    put(tmp_path / "e", {"a.jsonl": dump.encode()})
    evidence = kit.read_evidence(root)
    assert set(evidence.files["kind"]) == {"evtx", "evtx_dump_json"}
    assert evidence.events["path"].tolist() == ["z.evtx"] * 3
    assert "counted once" in " ".join(evidence.problems["reason"])


def test_read_evidence_keeps_equal_record_ids_of_other_hosts_channels_and_times(tmp_path):
    root = put(
        tmp_path / "e",
        {
            "a.evtx": log("WS1"),
            "b.evtx": log("WS2"),
            "c.evtx": log("WS1", channel="System"),
        },
    )
    evidence = kit.read_evidence(root)
    assert len(evidence.events) == 9
    assert evidence.problems.empty


def test_read_evidence_counts_an_update_in_two_dumps_once(tmp_path):
    root = put(
        tmp_path / "e",
        {"WS1/1.json": history("KB5009543"), "WS1/2.json": history("KB5010793", "KB5009543")},
    )
    evidence = kit.read_evidence(root)
    assert sorted(evidence.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert reasons(evidence, "WS1/2.json") == [
        "1 of its 2 records are also in WS1/1.json: counted once"
    ]


# ------------------------------------------------------------------ bad input


BAD = {
    "really-json.evtx": history("KB5009543", host="WS1"),
    "rubbish.evtx": b"this was never a log" * 10,
    "empty.evtx": b"",
    "cut.evtx": log("WS7")[:5000],
    "hive": b"regf" + bytes(100),
    "deep.json": b'[{"Operation": 1, "ResultCode": 2, "Title": ' + b"[" * 100_000,
    "notes.docx": b"PK\x03\x04" + bytes(60),
}


@pytest.fixture
def bad(tmp_path):
    return kit.read_evidence(put(tmp_path / "e", BAD | {"good.evtx": log("WS1")}))


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("really-json.evtx", "com_history_json", "its name says .evtx, its content is com_history"),
        ("rubbish.evtx", "unknown", "its name says .evtx, its content does not"),
        ("empty.evtx", "empty", "the file is empty (zero bytes)"),
        ("hive", "registry_hive", "cut off in its header"),
        ("deep.json", "com_history_json", "broken JSON: nested too deep"),
        ("notes.docx", "archive", "damaged"),
        ("cut.evtx", "evtx", ""),
    ],
)
def test_read_evidence_reads_on_past_bad_files_and_names_them(bad, path, kind, words):
    files = bad.files.set_index("path")
    assert files.loc[path, "kind"] == kind
    assert any(words in reason for reason in reasons(bad, path))
    assert files.loc[path, "problems"] == len(reasons(bad, path)) >= 1


def test_read_evidence_counts_an_empty_log_as_a_loss_but_not_an_empty_text(tmp_path):
    root = put(tmp_path / "e", {"a.evtx": log("WS1"), "b.evtx": b"", "c.json": b""})
    lost = kit.read_evidence(root).problems.set_index("path")["records_lost"]
    assert lost.isna().to_dict() == {"b.evtx": True, "c.json": False}


def test_read_evidence_reads_a_misnamed_file_as_what_it_is(bad):
    assert bad.updates["kb"].tolist() == ["KB5009543"]


def test_read_evidence_reads_a_log_whose_header_is_overwritten(tmp_path):
    damaged = bytearray(log("WS1"))
    damaged[:128] = bytes(128)
    evidence = kit.read_evidence(put(tmp_path / "e", {"a.evtx": bytes(damaged)}))
    assert len(evidence.events) == 3
    assert reasons(evidence, "a.evtx")


def test_read_evidence_does_not_take_a_binary_readme_for_notes(tmp_path):
    root = put(tmp_path / "e", {"a.evtx": log("WS1"), "README.md": bytes(range(256))})
    assert kit.read_evidence(root).files["kind"].tolist() == ["unknown", "evtx"]


def test_read_evidence_takes_notes_in_utf16_for_notes(tmp_path):
    root = put(tmp_path / "e", {"a.evtx": log("WS1"), "README.md": "# Notes".encode("utf-16")})
    assert kit.read_evidence(root).files["kind"].tolist() == ["ignored", "evtx"]


def test_ingest_keeps_half_a_character_in_a_payload(tmp_path):
    part = schema.frame("events", [{"host": "WS1", "data": {"Data": ["\ud83d", None]}}])
    store._write_shard(tmp_path / "s.parquet", "events", part)
    assert store._read_shard(tmp_path / "s.parquet", "events")["data"][0] == part["data"][0]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_read_evidence_names_a_file_it_may_not_open(tmp_path):
    root = put(tmp_path / "e", {"a.evtx": log("WS1"), "b.evtx": b"x"})
    (root / "b.evtx").chmod(0)
    assert "it cannot be opened" in reasons(kit.read_evidence(root), "b.evtx")[0]


def test_read_evidence_of_a_missing_folder_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="there is no folder or file"):
        kit.read_evidence(tmp_path / "none")


def test_read_evidence_of_nothing_usable_says_why(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvidenceError, match="it holds no files"):
        kit.read_evidence(tmp_path / "empty")
    root = put(tmp_path / "e", {"a.evtx": b"", "b.txt": b"hello"})
    with pytest.raises(
        EvidenceError, match=r"none of its files \(2\) .*a\.evtx: the file is empty"
    ):
        kit.read_evidence(root)


def test_run_refuses_to_unpack_inside_the_evidence(office, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(office))
    with pytest.raises(UsageError, match="set TMPDIR"):
        list(ingesting.run(office))


# ------------------------------------------------------------------ many processes


def test_read_evidence_is_the_same_with_workers(office):
    same(kit.read_evidence(office), kit.read_evidence(office, workers=2))


def test_read_evidence_reports_progress_for_every_file(office):
    seen: list[tuple[int, int, str]] = []
    kit.read_evidence(office, progress=lambda *report: seen.append(report))
    assert [done for done, _, _ in seen] == list(range(1, len(OFFICE) + 1))
    assert {total for _, total, _ in seen} == {len(OFFICE)}
    assert sorted(path for _, _, path in seen) == sorted(OFFICE)


def dies_on_one(item):
    if item.path == "WS1/wu.json":
        os._exit(9)
    return ingesting.read_unit(item)


def test_run_survives_a_file_that_kills_its_worker(office):
    units = {unit.path: unit for unit in ingesting.run(office, dies_on_one, workers=2)}
    assert sorted(units) == sorted(OFFICE)
    killed = units.pop("WS1/wu.json")
    assert killed.kind == "unread"
    assert "ended the process" in killed.problems[0]["reason"]
    assert {unit.kind for unit in units.values()} == {"evtx", "get_hotfix", "ignored"}


def test_read_evidence_works_from_a_plain_script(office, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, kitlib\n"
        "print('events', len(kitlib.read_evidence(sys.argv[1], workers=2).events))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), str(office)], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("events 6\n", "")


# ------------------------------------------------------------------ the case store


def shards(case: Path) -> dict[str, bytes]:
    return {
        path.relative_to(case).as_posix(): path.read_bytes()
        for path in sorted(case.rglob("*"))
        if path.is_file() and path.name != "evidence_path.txt"
    }


def test_ingest_gives_what_reading_gives(office, tmp_path):
    direct = kit.read_evidence(office)
    same(direct, store.ingest(office, tmp_path / "case"))
    same(direct, kit.read_evidence(tmp_path / "case"))


def test_ingest_keeps_bad_files_bad(tmp_path):
    root = put(tmp_path / "e", BAD | {"good.evtx": log("WS1")})
    direct = kit.read_evidence(root)
    same(direct, store.ingest(root, tmp_path / "case"))
    same(direct, store.load(tmp_path / "case"))


def test_ingest_writes_the_same_bytes_every_time(office, tmp_path):
    store.ingest(office, tmp_path / "one")
    moved = office.rename(tmp_path / "elsewhere")
    store.ingest(moved, tmp_path / "two", workers=2)
    assert shards(tmp_path / "one") == shards(tmp_path / "two")


def test_ingest_again_parses_only_what_is_new(office, tmp_path):
    case = tmp_path / "case"
    store.ingest(office, case)
    before = {path: (case / path).stat().st_ino for path in shards(case)}
    put(office, {"WS3/Application.evtx": log("WS3")})
    evidence = store.ingest(office, case)
    after = {path: (case / path).stat().st_ino for path in shards(case)}
    manifest = "store/manifest.json"
    kept = {path: inode for path, inode in after.items() if path in before and path != manifest}
    assert kept == {path: inode for path, inode in before.items() if path != manifest}
    new = sorted(path.split("/")[1] for path in after.keys() - before.keys())
    assert new == ["done", "events"]
    same(evidence, kit.read_evidence(office))


def test_ingest_forgets_what_left_the_evidence_and_what_a_stopped_run_left(office, tmp_path):
    case = tmp_path / "case"
    store.ingest(office, case)
    (office / "WS2/hotfix.csv").unlink()
    put(case, {"store/events/.half-written": b"x", "store/events/0.0.parquet": b"x"})
    same(store.ingest(office, case), kit.read_evidence(office))
    assert not any("half" in path or "0.0.parquet" in path for path in shards(case))
    assert sum(path.startswith("store/updates/") for path in shards(case)) == 1


def test_ingest_keeps_one_shard_a_content(tmp_path):
    one = log("WS1")
    root = put(tmp_path / "e", {"a/x.evtx": one, "b/y.evtx": one})
    evidence = store.ingest(root, tmp_path / "case")
    assert evidence.files["records"].tolist() == [3, 0]
    assert sum(path.startswith("store/events/") for path in shards(tmp_path / "case")) == 1


def test_ingest_stores_payloads_as_json_text(office, tmp_path):
    store.ingest(office, tmp_path / "case")
    file = next((tmp_path / "case/store/events").iterdir())
    payload = json.loads(pq.read_table(file).column("data")[0].as_py())
    assert payload["Data"] == ["{2b7e}", "CORP\\ä", "VPN", "789"]
    assert pq.ParquetFile(file).metadata.row_group(0).column(0).compression == "ZSTD"


def test_ingest_refuses_a_case_inside_the_evidence(office):
    for out in (office, office / "case"):
        with pytest.raises(UsageError, match="never written to"):
            store.ingest(office, out)
    assert not (office / "case").exists()


def test_ingest_refuses_to_replace_another_case(office, tmp_path):
    store.ingest(office, tmp_path / "case")
    before = shards(tmp_path / "case")
    other = put(tmp_path / "other", {"a.evtx": log("WS9")})
    with pytest.raises(UsageError, match="holds other evidence"):
        store.ingest(other, tmp_path / "case")
    assert {p: b for p, b in shards(tmp_path / "case").items() if p in before} == before


def test_ingest_of_nothing_usable_makes_no_case(tmp_path):
    root = put(tmp_path / "e", {"a.txt": b"hello"})
    with pytest.raises(EvidenceError):
        store.ingest(root, tmp_path / "case")
    assert not (tmp_path / "case/store").exists()


def test_load_says_what_to_do_when_shards_are_gone(office, tmp_path):
    store.ingest(office, tmp_path / "case")
    for file in (tmp_path / "case/store/events").iterdir():
        file.unlink()
    with pytest.raises(UsageError, match="run `kitlib ingest`"):
        store.load(tmp_path / "case")


def test_a_case_of_another_kit_version_is_not_read_but_made_anew(office, tmp_path):
    case = tmp_path / "case"
    store.ingest(office, case)
    for file in [path for path in (case / "store").glob("*/*") if path.is_file()]:
        file.rename(file.with_name(file.name.replace(kit.__version__, "0.0.9")))
    with pytest.raises(UsageError, match="this version of the kit"):
        store.load(case)
    same(store.ingest(office, case), kit.read_evidence(office))
    assert not any("0.0.9" in path for path in shards(case))


def test_load_of_no_case_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="not a case folder"):
        store.load(tmp_path)


def test_verify_finds_nothing_where_nothing_changed(office, tmp_path):
    store.ingest(office, tmp_path / "case")
    assert store.verify(tmp_path / "case").empty


def test_verify_names_what_changed(office, tmp_path):
    store.ingest(office, tmp_path / "case")
    (office / "README.md").write_bytes(b"# other\n")
    (office / "truth.json").unlink()
    put(office, {"new.txt": b"n"})
    found = store.verify(tmp_path / "case").set_index("path")["reason"].str.split(":").str[0]
    assert found.to_dict() == {"README.md": "changed", "truth.json": "missing", "new.txt": "new"}


def test_verify_reads_into_archives(tmp_path):
    def pack(content):
        raw = io.BytesIO()
        with zipfile.ZipFile(raw, "w") as made:
            made.writestr("WS1/a.evtx", content)
        return raw.getvalue()

    put(tmp_path, {"e.zip": pack(log("WS1"))})
    store.ingest(tmp_path / "e.zip", tmp_path / "case")
    assert store.verify(tmp_path / "case").empty
    put(tmp_path, {"e.zip": pack(log("WS1", count=2))})
    assert store.verify(tmp_path / "case")["path"].tolist() == ["WS1/a.evtx", "e.zip"]


# ------------------------------------------------------------------ real files


@pytest.mark.parametrize("folder", ["evtx", "formats"])
def test_read_evidence_accounts_for_every_real_file(shared, folder):
    root = shared / folder
    evidence = kit.read_evidence(root)
    assert sorted(evidence.files["path"]) == sorted(item.path for item in listing(root))
    read = evidence.files[~evidence.files["kind"].isin(ingesting.NOT_READ)]
    assert set(evidence.events["path"]) | set(evidence.updates["path"]) <= set(read["path"])
    assert evidence.files["problems"].sum() == len(evidence.problems)
    silent = evidence.files[
        (evidence.files["kind"] == "unknown") & (evidence.files["problems"] == 0)
    ]
    assert silent.empty


def test_ingest_reads_back_real_logs_unchanged(shared, tmp_path):
    same(
        store.ingest(shared / "evtx", tmp_path / "case"),
        kit.read_evidence(shared / "evtx"),
    )
