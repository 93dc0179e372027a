"""No name of a file or member leads outside, steers a terminal or hides its file."""

from __future__ import annotations

import os
import re
import tarfile

import pytest
from collection_samples import zipped
from hostile_samples import EVIL, log, read, tarred

from kitlib import store


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
