"""Small event logs of our own making, for the tests of the readers of event logs."""

from __future__ import annotations

import struct
import zlib

from kitlib.readers.chunks import CHUNK
from kitlib.simulate import evtx as writer
from kitlib.simulate.evtx import Event, encode_log

NOON = writer.ticks("2022-01-12T12:00:00.1234567Z")
GUID = "{945A8954-C147-4ACD-923F-40C45405A658}"


def log_of(*events, **options):
    return encode_log(events, **{"channel": "Application", "computer": "PC01", **options})


def named(**data):
    return Event(provider="P", provider_guid=GUID, event_id=1, time=NOON, data=data)


def classic(*strings, **options):
    return Event(provider="RasClient", event_id=20227, time=NOON, data=strings, **options)


def resealed(data):
    """A log with checksums that fit whatever its chunks hold."""
    out = bytearray(data)
    for start in range(4096, len(out), CHUNK):
        chunk = out[start : start + CHUNK]
        (free,) = struct.unpack_from("<I", chunk, 48)
        struct.pack_into("<I", out, start + 52, zlib.crc32(chunk[512:free]))
        struct.pack_into("<I", chunk, 52, zlib.crc32(chunk[512:free]))
        header = zlib.crc32(chunk[128:512], zlib.crc32(chunk[:120]))
        struct.pack_into("<I", out, start + 124, header)
    return bytes(out)
