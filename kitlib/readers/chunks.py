"""The outer layers of an EVTX file: where the chunks are, and where the records are in them.

A file is a 4,096 byte header and then chunks of 65,536 bytes. A chunk has a 512 byte header
(``ElfChnk``: record numbers, free-space offset, checksums, string and template tables) and then
records, each ``2a 2a 00 00``, size, id, FILETIME of writing, binary XML, size again.
Format: libyal, "Windows XML Event Log (EVTX)".

What damage looks like, and what this walk does about it:

* The file header's chunk count is stale in logs copied from a running host, so it is not used:
  every slot up to the end of the file is looked at.
* A last chunk that is cut off is filled up with zeros and read as far as it goes.
* Inside a chunk nothing behind the free-space offset is read: what stands there is stale.
* Behind a broken record the walk goes on at the next place that looks like a whole record.
* Slots without a chunk are counted by the record numbers that their neighbours leave open
  (the log is a ring: the slot after the last one is the first one).
* Checksums are compared and reported, never a reason to drop anything.

This file knows nothing of binary XML, of events or of time zones.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import BufferedIOBase

CHUNK: Final = 65_536
FILE_HEADER: Final = 4_096
CHUNK_HEADER: Final = 512
RECORD_HEADER: Final = 24
SMALLEST_RECORD: Final = 32
FILE_MAGIC: Final = b"ElfFile\0"
CHUNK_MAGIC: Final = b"ElfChnk\0"
RECORD_MAGIC: Final = b"\x2a\x2a\0\0"
MOST_RECORDS: Final = (CHUNK - CHUNK_HEADER) // SMALLEST_RECORD
"""More records than this do not fit into a chunk, so a larger count is not believed."""

BLOCK_CHUNKS: Final = 64
_NO_NUMBER: Final = 0xFFFF_FFFF_FFFF_FFFF
_BRIDGE_ID: Final = _NO_NUMBER - 1
_RECORD = struct.Struct("<4sIQQ")
_HEADER = struct.Struct("<8sQQQQIIII")


@dataclass(frozen=True, slots=True)
class Record:
    """One record's header: its id, when it was written (FILETIME ticks), where it stands.

    ``torn``: its end is not what it should be, so its last values may be wrong.
    """

    record_id: int
    ticks: int
    offset: int
    size: int
    torn: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a chunk, ``start`` to ``end``, in which records should be but are not."""

    start: int
    end: int
    records_lost: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk that could be read, with what the walk found in it.

    ``data`` is always 65,536 bytes; ``present`` says how many of them the file really has.
    ``first`` and ``last`` are record numbers as the header has them, or else those found.
    """

    number: int
    data: bytes
    present: int
    first: int
    last: int
    records: tuple[Record, ...]
    gaps: tuple[Gap, ...]
    checksums: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the file where a chunk should be: its state and the numbers it declares.

    A damaged one may still state numbers; they are believed if they join those of a neighbour.
    """

    number: int
    state: str  # "chunk", "empty" (all zero), "damaged", or "missing": behind the file's end
    first: int = 0
    last: int = -1
    chunk: Chunk | None = None


def walk(stream: BufferedIOBase) -> Iterator[Slot]:
    """Yield each slot of a file, with its chunk if one can be read, in the order of the file.

    Parameters
    ----------
    stream
        A binary file, behind its header. It is only read, a block of chunks at a time.
    """
    number = 0
    while block := stream.read(CHUNK * BLOCK_CHUNKS):
        for start in range(0, len(block), CHUNK):
            yield slot(number, block[start : start + CHUNK])
            number += 1


def slot(number: int, data: bytes) -> Slot:
    """Say what stands in a slot of the file, given the bytes that the file has of it."""
    if not data.strip(b"\0"):
        return Slot(number, "empty")
    chunk = read_chunk(data, number=number)
    if chunk is not None:
        return Slot(number, "chunk", chunk.first, chunk.last, chunk)
    first, last = struct.unpack_from("<QQ", data.ljust(CHUNK_HEADER, b"\0"), 8)
    return Slot(number, "damaged", first, last) if _count(first, last) else Slot(number, "damaged")


def declared(head: bytes) -> tuple[int, int]:
    """Return the chunks, and the number after the last record, that a file header names.

    Zeros if it is not to be trusted: damaged, or of a log that was copied while it was open
    ("dirty").
    """
    whole = head[:8] == FILE_MAGIC and zlib.crc32(head[:120]).to_bytes(4, "little") == head[124:128]
    if not whole or head[120] & 1:
        return 0, 0
    return int.from_bytes(head[42:44], "little"), int.from_bytes(head[24:32], "little")


def read_chunk(data: bytes, *, number: int) -> Chunk | None:
    """Walk the records of one chunk; None if it does not begin as chunks do."""
    present = len(data)
    data = data.ljust(CHUNK, b"\0")
    magic, first, last, *ids, _, _, free, _ = _HEADER.unpack_from(data)
    if magic != CHUNK_MAGIC:
        return None
    if CHUNK_HEADER <= free <= CHUNK:
        records, holes = _walk(data, free)
    else:
        records, holes = _before_stale(*_walk(data, CHUNK))
    count = _count(first, last)
    if not count:
        first, last, count = _numbers(records)
    return Chunk(
        number=number,
        data=data,
        present=present,
        first=first,
        last=last,
        records=records,
        gaps=_gaps(holes, records, (ids[0], ids[1]), count),
        checksums=_checksums_fit(data),
    )


def _count(first: int, last: int) -> int:
    """Return how many records these numbers stand for; 0 if no chunk can hold so many."""
    count = last - first + 1
    return count if last < _NO_NUMBER and 0 < count <= MOST_RECORDS else 0


def _numbers(records: Sequence[Record]) -> tuple[int, int, int]:
    if not records:
        return 0, -1, 0
    return records[0].record_id, records[-1].record_id, len(records)


def _walk(data: bytes, free: int) -> tuple[tuple[Record, ...], list[tuple[int, int]]]:
    """Return the records up to `free` and the stretches (start, end) between them."""
    records: list[Record] = []
    holes: list[tuple[int, int]] = []
    offset = CHUNK_HEADER
    while offset < free:
        record = _record(data, offset, free)
        if record is None:
            found = _next_whole(data, offset + 1, free)
            holes.append((offset, found))
            offset = found
        else:
            records.append(record)
            offset += record.size
    return tuple(records), holes


def _before_stale(
    records: tuple[Record, ...], holes: list[tuple[int, int]]
) -> tuple[tuple[Record, ...], list[tuple[int, int]]]:
    """Cut a walk that had no free-space offset to go by where the ids stop to rise."""
    rising = [a.record_id < b.record_id for a, b in pairwise(records)]
    kept = records[: rising.index(False) + 1] if False in rising else records
    end = kept[-1].offset if kept else 0
    return kept, [hole for hole in holes if hole[0] < end]


def _record(data: bytes, offset: int, free: int) -> Record | None:
    """Return the record that begins at `offset`, or None.

    Its size must be repeated at its end, or else be right all the same: something whole follows,
    or nothing at all does (the sectors behind the header are gone; such a record is torn).
    """
    if offset + SMALLEST_RECORD > free or data[offset : offset + 4] != RECORD_MAGIC:
        return None
    _, size, record_id, ticks = _RECORD.unpack_from(data, offset)
    if not SMALLEST_RECORD <= size <= free - offset:
        return None
    after = offset + size
    if data[after - 4 : after] == data[offset + 4 : offset + 8]:
        return Record(record_id, ticks, offset, size)
    follows = after == free or _whole(data, after, free)
    nothing = not data[after - 4 : min(after + SMALLEST_RECORD, free)].strip(b"\0")
    return Record(record_id, ticks, offset, size, True) if follows or nothing else None


def _whole(data: bytes, offset: int, free: int) -> bool:
    """Tell whether a record begins at `offset` whose size is repeated at its end."""
    if offset + SMALLEST_RECORD > free or data[offset : offset + 4] != RECORD_MAGIC:
        return False
    size = int.from_bytes(data[offset + 4 : offset + 8], "little")
    fits = SMALLEST_RECORD <= size <= free - offset
    return fits and data[offset + size - 4 : offset + size] == data[offset + 4 : offset + 8]


def _next_whole(data: bytes, offset: int, free: int) -> int:
    """Return where the next whole record begins; `free` if there is none."""
    while (offset := data.find(RECORD_MAGIC, offset, free)) >= 0:
        if _whole(data, offset, free):
            return offset
        offset += 1
    return free


def _gaps(
    holes: Sequence[tuple[int, int]], records: Sequence[Record], ids: tuple[int, int], count: int
) -> tuple[Gap, ...]:
    """Say how many records each hole swallowed: the ids around it tell, if they fit.

    ``ids`` are the first and the last that the header names, ``count`` how many records. A chunk
    that ends before its last record has an empty hole at its end.
    """
    end = records[-1].offset + records[-1].size if records else CHUNK_HEADER
    if not holes and len(records) < count and (not records or records[-1].record_id < ids[1]):
        holes = [(end, end)]
    return tuple(Gap(a, b, _between(a, records, ids, count)) for a, b in holes)


def _between(start: int, records: Sequence[Record], ids: tuple[int, int], count: int) -> int | None:
    """Return how many ids are missing at `start`; None if the ids there make no sense."""
    low = max((r.record_id for r in records if r.offset < start), default=ids[0] - 1)
    high = min((r.record_id for r in records if r.offset >= start), default=ids[1] + 1)
    if not 0 < high - low - 1 <= MOST_RECORDS:  # a seam: what follows is from another time
        high = ids[1] + 1
    missing = high - low - 1
    return missing if 0 < missing <= count else None


def _checksums_fit(data: bytes) -> bool:
    header = zlib.crc32(data[128:CHUNK_HEADER], zlib.crc32(data[:120]))
    free = min(max(int.from_bytes(data[48:52], "little"), CHUNK_HEADER), CHUNK)
    content = zlib.crc32(data[CHUNK_HEADER:free])
    return (content, header) == struct.unpack_from("<I68xI", data, 52)


def lost_slots(slots: Sequence[Slot], head: bytes) -> list[tuple[Slot, Slot, int | None]]:
    """List the runs of slots that hold no readable chunk but should: first, last, records lost.

    Slots that the file header counts and the file no longer has belong to them. Empty slots
    count only where record numbers are missing that fit into them: behind the last chunk of a
    log that never filled up there is nothing to miss.
    """
    count, next_number = declared(head)
    slots = [*slots, *(Slot(n, "missing") for n in range(len(slots), count))]
    runs = [list(group) for _, group in groupby(slots, key=lambda slot: slot.state == "chunk")]
    out = []
    for place, run in enumerate(runs):
        if run[0].state == "chunk":
            continue
        lost = _lost(run, *_around(runs, place, next_number))
        if lost or any(slot.state != "empty" for slot in run):
            out.append((run[0], run[-1], lost))
    return out


def _around(runs: list[list[Slot]], place: int, next_number: int) -> tuple[int, int]:
    """Return the record numbers before and after a run of slots; -1 where nothing tells.

    The log is a ring, so behind the last slot comes the first one; in a log that was never
    filled, what follows there is what the file header calls the next record.
    """
    before, after = runs[place - 1][-1], runs[(place + 1) % len(runs)][0]
    low = before.last if before.state == "chunk" else -1
    high = after.first if after.state == "chunk" else -1
    if place + 1 == len(runs) and high <= low:
        high = next_number or -1
    return (-1 if place == 0 and high <= low else low), high


def _lost(run: list[Slot], low: int, high: int) -> int | None:
    """Return how many records a run of slots held: by its neighbours, else by its own word."""
    if low >= 0 and high >= 0 and 0 <= high - low - 1 <= len(run) * MOST_RECORDS:
        return high - low - 1
    counts = [_count(slot.first, slot.last) for slot in run]
    joins = run[0].first == low + 1 or run[-1].last == high - 1
    return sum(counts) if all(counts) and joins else None


def bridged(chunk: Chunk) -> bytes:
    """Return a copy of the chunk that an engine can read from end to end.

    The mark is set, the declared end is the end of the last record found, and over each gap a
    record header is laid, with an id that no record has, so that an engine steps over it.
    """
    data = bytearray(chunk.data)
    data[:8] = CHUNK_MAGIC
    data[32:40] = _NO_NUMBER.to_bytes(8, "little")
    end = max((r.offset + r.size for r in chunk.records), default=CHUNK_HEADER)
    data[48:52] = end.to_bytes(4, "little")
    for gap in chunk.gaps:
        size = gap.end - gap.start
        if gap.end < end and size >= SMALLEST_RECORD:
            _RECORD.pack_into(
                data, gap.start, RECORD_MAGIC, size, _BRIDGE_ID, chunk.records[0].ticks
            )
    return bytes(data)


def one_chunk_file(chunk_data: bytes) -> bytes:
    """Put a made file header before one chunk, so that engines take it for a file."""
    head = struct.pack("<8sQQQIHHHH", FILE_MAGIC, 0, 0, 1, 128, 1, 3, FILE_HEADER, 1)
    head = head.ljust(120, b"\0")
    head += struct.pack("<II", 0, zlib.crc32(head))
    return head.ljust(FILE_HEADER, b"\0") + chunk_data
