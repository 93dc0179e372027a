"""Zips and cabinets are read as far as they go, and what is not read is named with its reason."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pandas as pd
import pytest
from collection_samples import cabinet, kinds, log, put, reasons, zipped

import kitlib as kit

# ------------------------------------------------------------------ zips that were cut off


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


# ------------------------------------------------------------------ cabinets


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
