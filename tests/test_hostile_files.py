"""What is no plain file is not followed, and a file that changes while it is read says so."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from collection_samples import put, reasons, zipped
from hostile_samples import log, read

from kitlib import ingest as ingesting
from kitlib.collection import listing
from kitlib.readers.updates import column_maps

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
