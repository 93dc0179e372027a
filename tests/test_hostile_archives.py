"""No archive that explodes or is broken costs more than its own content.

What archives unfold to is tested in `test_collection` as well; here it is what
`kitlib.read_evidence` makes of it.
"""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import zlib

import pytest
from collection_samples import put, reasons, zipped
from hostile_samples import GOOD, counted, read, tarred

from kitlib.archives import BROKEN, members
from kitlib.collection import Limits, walk


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
