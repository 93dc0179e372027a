"""Large and many event logs, made from the chunks of real ones.

Real logs at hand are small. The clean chunks of all of them (System, Security, Application, Sysmon
and others, some 270) are taken again and again, each time with new record ids, with new times (in
the record header and in the ``TimeCreated`` of its event) and with new checksums, until a file
is as large as asked for. Names, texts and the mix of events stay real.

Logs of CAPI2 are left out: their events hold binary XML inside binary XML, which the kit leaves to
the engines, at five times the cost of other events. (That log is off unless somebody turns it on.)

What is *not* real: the same texts come again with every round. A round is longer than the blocks
that the kit reads at once, so it finds no more repeats than there are in real logs. But templates
that are met again are known already, and figures of compression would be too good.
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
TEMPLATE = b"\x0f\x01\x01\0\x0c"


def clean_chunks(logs):
    """Return the chunks, of all logs in a folder, that are whole and fit their checksums.

    Chunks with records that do not begin with a template are left out: `own_values` needs one.
    """
    found = []
    for path in sorted(Path(logs).rglob("*.evtx")):
        if "CAPI2" in path.name:
            continue
        data = path.read_bytes()
        for start in range(HEADER, len(data) - CHUNK + 1, CHUNK):
            chunk = data[start : start + CHUNK]
            if chunk[:8] == b"ElfChnk\0" and is_clean(chunk):
                found.append(chunk)
    return found


def is_clean(chunk):
    """Tell whether a chunk fits its checksums and has templates only."""
    fits = checksums(chunk) == struct.unpack_from("<I68xI", chunk, 52)
    return fits and all(chunk[at + 24 : at + 29] == TEMPLATE for at in records(chunk))


def records(chunk):
    """Yield where the records of a clean chunk begin."""
    at, (free,) = 512, struct.unpack_from("<I", chunk, 48)
    while at < free:
        yield at
        at += struct.unpack_from("<I", chunk, at + 4)[0]


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
