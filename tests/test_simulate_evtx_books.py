"""The books that a written log keeps of itself add up: counts, checksums, names and templates."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import Evtx.Evtx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_events import (
    CONNECTION,
    INSTALLED,
    SAMPLE,
    chunks_of,
    log_of,
    many,
    random_events,
    u32_at,
    write,
)

from kitlib.simulate.evtx import Event, encode_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def naive_hash(content: bytes) -> int:
    total = 0
    for at in range(0, len(content), 2):
        total = total * 65599 + content[at] + 256 * content[at + 1]
    return total % 2**32 % 2**16


def names_of(chunk: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Walk the string table: bucket, name in UTF-16, stored hash."""
    for bucket in range(64):
        at = u32_at(chunk, 128 + 4 * bucket)
        while at:
            hashed, units = struct.unpack_from("<HH", chunk, at + 4)
            yield bucket, chunk[at + 8 : at + 8 + 2 * units], hashed
            at = u32_at(chunk, at)


def templates_of(chunk: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Walk the template table: bucket, GUID, offset."""
    for bucket in range(32):
        at = u32_at(chunk, 384 + 4 * bucket)
        while at:
            yield bucket, chunk[at + 4 : at + 20], at
            at = u32_at(chunk, at)


def check_chunk(chunk: bytes) -> int:
    """Check a chunk's checksums, records and tables; give how many records it has."""
    free, last = u32_at(chunk, 48), u32_at(chunk, 44)
    assert chunk[:8] == b"ElfChnk\0"
    assert u32_at(chunk, 52) == zlib.crc32(chunk[512:free])
    assert u32_at(chunk, 124) == zlib.crc32(chunk[:120] + chunk[128:512])
    assert not any(chunk[free:])
    ids, at, start = [], 512, 0
    while at < free:
        size = u32_at(chunk, at + 4)
        assert chunk[at : at + 4] == b"**\0\0"
        assert size % 8 == 0
        assert size == u32_at(chunk, at + size - 4)
        ids.append(int.from_bytes(chunk[at + 8 : at + 16], "little"))
        start, at = at, at + size
    assert (at, start) == (free, last)
    if ids:
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert struct.unpack_from("<4Q", chunk, 8) == (ids[0], ids[-1]) * 2
    for bucket, text, hashed in names_of(chunk):
        assert hashed == naive_hash(text)
        assert bucket == hashed % 64
    assert all(bucket == naive_hash(guid) % 32 for bucket, guid, _ in templates_of(chunk))
    return len(ids)


def test_encode_log_keeps_books_that_add_up() -> None:
    content = log_of(many(2000), first_record_id=7)
    chunks = chunks_of(content)
    assert sum(check_chunk(chunk) for chunk in chunks) == 2000
    assert content[:8] == b"ElfFile\0"
    assert u32_at(content, 124) == zlib.crc32(content[:120])
    assert u32_at(content, 120) == 0
    assert struct.unpack_from("<QQQ", content, 8) == (0, len(chunks) - 1, 2007)
    assert struct.unpack_from("<IHHHH", content, 32) == (128, 1, 3, 4096, len(chunks))


@settings(max_examples=25, deadline=None)
@given(events=st.lists(random_events, max_size=6), again=st.integers(1, 60))
def test_encode_log_gives_sound_chunks_for_any_events(events: list[Event], again: int) -> None:
    content = log_of(events * again)
    assert content == log_of(events * again)
    assert sum(check_chunk(chunk) for chunk in chunks_of(content)) == len(events) * again


def test_encode_log_dirty_is_flagged_and_counts_too_few_chunks(tmp_path: Path) -> None:
    content = log_of(many(700), dirty=True)
    first, last, next_id = struct.unpack_from("<QQQ", content, 8)
    (declared,) = struct.unpack_from("<H", content, 42)
    assert u32_at(content, 120) == 1
    assert u32_at(content, 124) == zlib.crc32(content[:120])
    assert (first, last) == (0, declared - 1)
    assert declared < len(chunks_of(content))
    newest = struct.unpack_from("<QQ", chunks_of(content)[last], 24)
    assert newest[0] <= next_id <= newest[1]
    # python-evtx believes the header: what makes live copies dangerous happens here too
    with Evtx.Evtx.Evtx(str(write(tmp_path, content))) as log:
        assert 0 < sum(1 for _ in log.records()) < 700
    assert content[4096:] == log_of(many(700))[4096:]


def test_encode_log_keeps_every_name_and_template_of_a_chunk_once() -> None:
    (chunk,) = chunks_of(log_of(SAMPLE * 3))
    names = [text.decode("utf-16-le") for _, text, _ in names_of(chunk)]
    assert len(names) == len(set(names))
    assert {"Event", "Data", "Binary", "CbsPackageChangeState", "Qualifiers"} <= set(names)
    guids_ = [guid for _, guid, _ in templates_of(chunk)]
    # classic RasClient and EventLog, service control, manifest with and without the parts that
    # the others state, UserData; and a payload for each but the classic two, which share theirs
    assert len(guids_) == len(set(guids_)) == 11


def test_encode_log_shares_the_system_template_between_manifest_providers() -> None:
    other = replace(INSTALLED, provider="Other", provider_guid=CONNECTION, channel="System")
    (chunk,) = chunks_of(log_of([INSTALLED, other]))
    assert len(list(templates_of(chunk))) == 2


def test_encode_log_gives_another_template_to_another_computer() -> None:
    def guids_of(computer: str) -> set[bytes]:
        (chunk,) = chunks_of(encode_log([INSTALLED], channel="System", computer=computer))
        return {guid for _, guid, _ in templates_of(chunk)}

    assert len(guids_of("PC1") & guids_of("PC2")) == 1, "the payload's template only"


@pytest.mark.parametrize("file", ["setup/Setup.evtx", "rust/2-vss_7-System.evtx"])
def test_real_logs_keep_the_same_books(file: str, shared: Path) -> None:
    chunk = chunks_of((shared / "evtx" / file).read_bytes())[0]
    names, templates = list(names_of(chunk)), list(templates_of(chunk))
    assert len(names) > 20
    assert all(hashed == naive_hash(text) for _, text, hashed in names)
    assert all(bucket == hashed % 64 for bucket, _, hashed in names)
    assert all(bucket == naive_hash(guid) % 32 for bucket, guid, _ in templates)
