"""Damage done to a written log loses the chunk, the record or the end that was named, no more."""

from __future__ import annotations

import struct
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from evtx import PyEvtxParser
from written_events import SAMPLE, chunks_of, log_of, many, write

from kitlib.errors import UsageError
from kitlib.simulate import evtx as sim

if TYPE_CHECKING:
    from pathlib import Path


def ids_after(path: Path) -> tuple[list[int], int]:
    """Record ids that the Rust parser reads past errors, and how many errors it met."""
    with warnings.catch_warnings(record=True) as errors:
        warnings.simplefilter("always")
        parser = PyEvtxParser(path, skip_errors=True)
        ids = [int(row["event_record_id"]) for row in parser.records_json()]
    return ids, len(errors)


def ids_of(chunk: bytes) -> range:
    first, last = struct.unpack_from("<QQ", chunk, 24)
    return range(first, last + 1)


@pytest.mark.parametrize("chunk", [0, 1, -1], ids=["first", "middle", "last"])
def test_break_chunk_loses_that_chunk_only(chunk: int, tmp_path: Path) -> None:
    content = log_of(many(700))
    chunks = chunks_of(content)
    lost = set(ids_of(chunks[chunk]))
    broken = sim.break_chunk(content, chunk=chunk % len(chunks))
    assert ids_after(write(tmp_path, broken)) == (
        [record for record in range(1, 701) if record not in lost],
        1,
    )
    assert len(broken) == len(content)


@pytest.mark.parametrize(("chunk", "record"), [(0, 0), (1, 0), (1, 5), (2, 20)])
def test_break_record_loses_that_record_only(chunk: int, record: int, tmp_path: Path) -> None:
    content = log_of(many(700))
    lost = ids_of(chunks_of(content)[chunk])[record]
    broken = sim.break_record(content, chunk=chunk, record=record)
    expected = [number for number in range(1, 701) if number != lost]
    assert ids_after(write(tmp_path, broken)) == (expected, 1)
    changed = [at for at, (old, new) in enumerate(zip(content, broken, strict=True)) if old != new]
    start = 4096 + 65536 * chunk
    assert start + 512 < changed[0] <= changed[-1] < start + 65536


def test_truncate_leaves_the_chunks_before_the_cut(tmp_path: Path) -> None:
    content = log_of(many(700))
    cut = sim.truncate(content, keep=4096 + 2 * 65536 + 30_000)
    whole_chunks = chunks_of(content)[:2]
    assert len(cut) == 4096 + 2 * 65536 + 30_000
    assert ids_after(write(tmp_path, cut))[0] == list(range(1, ids_of(whole_chunks[1])[-1] + 1))
    assert content.startswith(cut)


@pytest.mark.parametrize(
    "damage",
    [
        lambda log: sim.break_chunk(log, chunk=1),
        lambda log: sim.break_chunk(log, chunk=-1),
        lambda log: sim.break_record(log, chunk=0, record=6),
        lambda log: sim.break_record(log, chunk=0, record=-1),
        lambda log: sim.truncate(log, keep=len(log) + 1),
        lambda log: sim.truncate(log, keep=-1),
    ],
)
def test_damage_refuses_places_that_do_not_exist(damage: Any) -> None:
    with pytest.raises(UsageError):
        damage(log_of(SAMPLE))
