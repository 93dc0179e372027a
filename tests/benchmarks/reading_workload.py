"""Large and many event logs, made from the chunks of real ones.

Real logs at hand are small. Their clean chunks are taken again and again, each time with new record
ids, with new times (in the record header and in the ``TimeCreated`` of its event) and with new
checksums, until a file is as large as asked for. Names, texts and the mix of events stay real.
What is *not* real: the same texts come again with every round (each `CYCLE` chunks), so figures
of compression would be too good; the readers here do not profit from it beyond a block.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

CHUNK = 65536
HEADER = 4096
EPOCH_2022 = 132_854_688_000_000_000
"""FILETIME of 2022-01-01."""
STEP = 311_000_000
"""Ticks between two records: 31 seconds."""
SOURCES = (
    "plaso/System.evtx",
    "rust/system.evtx",
    "rust/2-vss_7-System.evtx",
    "python-evtx/system.evtx",
)


def clean_chunks(logs, sources=SOURCES):
    """Return the chunks of some logs that are whole and fit their checksums."""
    found = []
    for name in sources:
        data = (Path(logs) / name).read_bytes()
        for start in range(HEADER, len(data) - CHUNK + 1, CHUNK):
            chunk = data[start : start + CHUNK]
            if chunk[:8] == b"ElfChnk\0" and checksums(chunk) == struct.unpack_from(
                "<I68xI", chunk, 52
            ):
                found.append(chunk)
    return found


def checksums(chunk):
    """Return the checksums of a chunk's records and of its header."""
    (free,) = struct.unpack_from("<I", chunk, 48)
    return zlib.crc32(chunk[512:free]), zlib.crc32(chunk[128:512], zlib.crc32(chunk[:120]))


def renumbered(chunk, first, time):
    """Return a chunk with other record ids and times, and how many records it has."""
    data = bytearray(chunk)
    (free,) = struct.unpack_from("<I", data, 48)
    at, number = 512, first
    while at < free:
        size, old_id, old_time = struct.unpack_from("<IQQ", data, at + 4)
        for place, old, new in zip(
            own_values(data, at), (old_time, old_id), (time, number), strict=True
        ):
            if struct.unpack_from("<Q", data, place) == (old,):
                struct.pack_into("<Q", data, place, new)
        struct.pack_into("<QQ", data, at + 8, number, time)
        at, number, time = at + size, number + 1, time + STEP
    struct.pack_into("<QQQQ", data, 8, first, number - 1, first, number - 1)
    content, _ = checksums(data)
    struct.pack_into("<I", data, 52, content)
    _, header = checksums(data)
    struct.pack_into("<I", data, 124, header)
    return bytes(data), number - first


def own_values(data, at):
    """Return where the outer instance of a record has its 7th and 11th value: time and record id."""
    table = at + 24 + 4 + 10
    if struct.unpack_from("<I", data, table - 4) == (table,):
        table += 24 + struct.unpack_from("<I", data, table + 20)[0]
    (count,) = struct.unpack_from("<I", data, table)
    sizes = [struct.unpack_from("<H", data, table + 4 + 4 * i)[0] for i in range(count)]
    begin = table + 4 + 4 * count
    return begin + sum(sizes[:6]), begin + sum(sizes[:10])


def write_log(path, chunks, count, *, skip=0):
    """Write a log of `count` chunks, taken in turn; return its number of records."""
    first, parts = 1, []
    for number in range(count):
        data, records = renumbered(
            chunks[(number + skip) % len(chunks)], first, EPOCH_2022 + first * STEP
        )
        parts.append(data)
        first += records
    head = struct.pack(
        "<8sQQQIHHHH", b"ElfFile\0", 0, count - 1, first, 128, 1, 3, HEADER, count & 0xFFFF
    )
    head = head.ljust(120, b"\0")
    head += struct.pack("<II", 0, zlib.crc32(head))
    path.write_bytes(head.ljust(HEADER, b"\0") + b"".join(parts))
    return first - 1
