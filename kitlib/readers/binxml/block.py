"""Many chunks side by side in memory, and where the records are in them.

A `Block` is the bytes of some chunks, of one file or of many small ones, as NumPy sees them: the
same memory as bytes and as numbers that begin at any byte. NumPy calls cost the same for one
chunk as for a hundred, so files are taken together until a block is full.

Records are found for all chunks at once, without a walk: every place that looks like the
beginning of a whole record is a candidate, and if in a chunk each candidate begins where the one
before it ends, from the first byte to the free-space offset, they are its records. A chunk where
that is not so, or whose checksums do not fit, is *not plain*, and `kitlib.readers.chunks` walks
it with all its care for damage.

This file knows nothing of binary XML.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kitlib.readers.chunks import CHUNK, CHUNK_HEADER, CHUNK_MAGIC, RECORD_MAGIC, SMALLEST_RECORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import BufferedIOBase

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]

BLOCK_CHUNKS: Final = 256
PADDING: Final = 1024
"""Zeros behind the last chunk, so that a gather at its end stays inside the array."""
SHIFT: Final = 16
"""A chunk is 1 << SHIFT bytes."""

_CHUNK_MARK: Final = np.uint64(int.from_bytes(CHUNK_MAGIC, "little"))
_MARK: Final = int.from_bytes(RECORD_MAGIC, "little")
_HEAD: Final = struct.Struct("<8sQQ")
_FREE: Final = 48


class Place(NamedTuple):
    """Where a chunk of a block comes from: which file, its number there, bytes really there."""

    file: int
    number: int
    present: int


@dataclass(frozen=True, eq=False)
class Block:
    """Chunks side by side, `places` saying what they are; ``raw`` has `PADDING` behind them."""

    raw: bytearray
    places: tuple[Place, ...]

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return len(self.places)

    @cached_property
    def u8(self) -> NDArray[np.uint8]:
        """Every byte."""
        return np.frombuffer(self.raw, np.uint8)

    @cached_property
    def u16(self) -> NDArray[np.uint16]:
        """At index i the 16 bit number that begins at byte i; like `u32` and `u64` a view."""
        return self._numbers(np.dtype("<u2"))

    @cached_property
    def u32(self) -> NDArray[np.uint32]:
        """At index i the 32 bit number that begins at byte i."""
        return self._numbers(np.dtype("<u4"))

    @cached_property
    def u64(self) -> Words:
        """At index i the 64 bit number that begins at byte i."""
        return self._numbers(np.dtype("<u8"))

    def _numbers(self, dtype: np.dtype) -> np.ndarray:
        return np.ndarray((len(self.raw) - dtype.itemsize + 1,), dtype, self.raw, 0, (1,))

    def rows(self, starts: Ints, size: int) -> np.ndarray:
        """Gather `size` bytes from each start, as one array element (NumPy's type "void") each."""
        return np.ndarray((len(self.raw) - size + 1,), f"V{size}", self.raw, 0, (1,))[starts]

    def chunk(self, number: int) -> bytes:
        """Return the bytes of one chunk that the file really has."""
        start = number << SHIFT
        return bytes(self.raw[start : start + self.places[number].present])


@dataclass(frozen=True, eq=False)
class Records:
    """Records of a block, in its order: one array element each.

    ``start`` and ``end`` are places in the block, ``chunk`` the chunk's index in it; ``number``
    and ``ticks`` are the id and the FILETIME of writing in the record's header.
    """

    chunk: Ints
    start: Ints
    end: Ints
    number: Words
    ticks: Words

    def __len__(self) -> int:
        return len(self.start)

    def take(self, which: np.ndarray) -> Records:
        """Return some of them: a mask or indexes."""
        return Records(
            self.chunk[which],
            self.start[which],
            self.end[which],
            self.number[which],
            self.ticks[which],
        )


@dataclass(frozen=True, eq=False)
class Values:
    """Values of a block: place of the first byte, number of bytes, type; equal in length."""

    place: Ints
    size: Ints
    kind: Ints

    def take(self, which: np.ndarray) -> Values:
        """Return some of them: indexes, a mask or a slice."""
        return Values(self.place[which], self.size[which], self.kind[which])


def unpacked(packed: Ints) -> Values:
    """Return place, size and type of packed values.

    A packed value has its place above 24 bits that stand in the record like that: size and type.
    """
    return Values(packed >> 24, packed & 0xFFFF, packed >> 16 & 0xFF)


def blocks(
    streams: Iterable[tuple[int, BufferedIOBase]], *, size: int = BLOCK_CHUNKS
) -> Iterator[Block]:
    """Read files, from behind their headers, as blocks.

    Parameters
    ----------
    streams
        File number and stream, each at its first chunk. They are read one after the other, and
        each is asked for only when the one before it was read to its end.
    size
        Chunks of a block; the last one may have fewer.

    Yields
    ------
    Block
        It is gone when the next one is asked for: they use the same memory.
    """
    raw = bytearray(size * CHUNK + PADDING)
    places: list[Place] = []
    for file, stream in streams:
        number = 0
        while got := _fill(raw, len(places), stream, size):
            for start in range(0, got, CHUNK):
                places.append(Place(file, number, min(CHUNK, got - start)))
                number += 1
            if len(places) == size:
                yield _block(raw, places)
                places = []
    if places:
        yield _block(raw, places)


def _fill(raw: bytearray, chunks: int, stream: BufferedIOBase, size: int) -> int:
    """Read as much as there is room for behind the chunks that are there; return how much."""
    begin = at = chunks * CHUNK
    end = size * CHUNK
    with memoryview(raw) as view:
        while at < end and (got := stream.readinto(view[at:end])):
            at += got
    raw[at : at + -at % CHUNK] = bytes(-at % CHUNK)
    return at - begin


def _block(raw: bytearray, places: list[Place]) -> Block:
    end = len(places) * CHUNK
    raw[end : end + PADDING] = bytes(PADDING)
    return Block(raw, tuple(places))


def plain_records(block: Block) -> tuple[Records, Mask]:
    """Find the records of all plain chunks, and say of each chunk whether it is plain.

    Returns
    -------
    Records, mask of chunks
        Plain is a chunk that is all there, of which records fill every byte up to the free-space
        offset, as many as its header counts, and whose checksums fit.
    """
    found, free = _candidates(block)
    starts = np.arange(block.chunks, dtype=np.int64) << SHIFT
    first = np.searchsorted(found.start, starts)
    count = np.diff(np.append(first, len(found)))
    joined = np.append(found.start[1:], -1) == found.end
    last = np.append(found.chunk[1:], -1) != found.chunk
    joined |= last & (found.end == (starts + free)[found.chunk])
    broken = np.bincount(found.chunk[~joined], minlength=block.chunks) > 0
    plain = (count > 0) & ~broken
    begins = found.start[np.minimum(first, max(len(found) - 1, 0))] if len(found) else starts
    plain &= begins == starts + CHUNK_HEADER
    for chunk in np.flatnonzero(plain).tolist():
        plain[chunk] = _sound(block, chunk, int(count[chunk]), int(free[chunk]))
    return found.take(plain[found.chunk]), plain


def slack_records(block: Block) -> Records:
    """Find what looks like records behind the free-space offset, or in a chunk without its mark.

    They were overwritten in part, or deleted: whether they make sense is to be seen.
    """
    starts = np.arange(block.chunks, dtype=np.int64) << SHIFT
    free = block.u32[starts + _FREE].astype(np.int64)
    sound = (block.u64[starts] == _CHUNK_MARK) & (free >= CHUNK_HEADER) & (free <= CHUNK)
    free[~sound] = CHUNK_HEADER
    found = _whole(block, np.full(block.chunks, CHUNK, np.int64))
    return found.take(found.start >= (starts + free)[found.chunk])


def _candidates(block: Block) -> tuple[Records, Ints]:
    """Return what looks like whole records up to the free-space offsets, and these."""
    starts = np.arange(block.chunks, dtype=np.int64) << SHIFT
    free = np.minimum(block.u32[starts + _FREE].astype(np.int64), CHUNK)
    return _whole(block, free), free


def _whole(block: Block, until: Ints) -> Records:
    """Return what looks like records whose size is repeated at their end, up to an offset a chunk."""
    aligned = np.frombuffer(block.raw, "<u4", block.chunks * CHUNK // 4)[::2]
    start = np.flatnonzero(aligned == _MARK).astype(np.int64) * 8
    chunk = start >> SHIFT
    size = block.u32[start + 4].astype(np.int64)
    room = (chunk << SHIFT) + until[chunk] - start
    whole = (size >= SMALLEST_RECORD) & (size <= room) & (start & (CHUNK - 1) >= CHUNK_HEADER)
    start, size = start[whole], size[whole]
    whole = block.u32[start + size - 4] == size
    start, size = start[whole], size[whole]
    numbers, ticks = block.u64[start + 8], block.u64[start + 16]
    return Records(start >> SHIFT, start, start + size, numbers, ticks)


def _sound(block: Block, chunk: int, count: int, free: int) -> bool:
    """Tell whether a chunk is all there, counts its records right and fits its checksums."""
    start = chunk << SHIFT
    magic, first, last = _HEAD.unpack_from(block.raw, start)
    if magic != CHUNK_MAGIC or block.places[chunk].present < CHUNK or last - first + 1 != count:
        return False
    view = memoryview(block.raw)[start : start + CHUNK]
    header = zlib.crc32(view[128:CHUNK_HEADER], zlib.crc32(view[:120]))
    content = zlib.crc32(view[CHUNK_HEADER:free])
    return (content, header) == struct.unpack_from("<I68xI", view, 52)
