"""Damage a log's bytes as disks, aborted copies and bad sectors do.

Every function takes a log and gives another; nothing else is touched, so checksums tell of the
damage as they do in real files. A log copied while in use is not damage: see ``dirty`` of
`kitlib.simulate.evtx.encode_log`.

This module knows where chunks, records and a record's values lie. It does not know what they say.
"""

from __future__ import annotations

from kitlib.errors import UsageError
from kitlib.simulate import binxml


def truncate(log: bytes, *, keep: int) -> bytes:
    """Cut a log after ``keep`` bytes, as a copy that broke off."""
    if not 0 <= keep <= len(log):
        raise UsageError(f"keep is 0 to {len(log)} bytes, not {keep}")
    return log[:keep]


def break_chunk(log: bytes, *, chunk: int) -> bytes:
    """Overwrite the magic of a chunk (counted from 0): its records are lost, the others stand."""
    at = _chunk_offset(log, chunk)
    return log[:at] + b"\0BROKEN\0" + log[at + len(binxml.CHUNK_MAGIC) :]


def break_record(log: bytes, *, chunk: int, record: int) -> bytes:
    """Put garbage amid a record's binary XML (both counted from 0).

    It hits the count and the first descriptors of the record's values, behind a template that may
    be defined there, so that the records after it can still be read.
    """
    base = _chunk_offset(log, chunk)
    at = _values_offset(log, base, _record_offset(log, base, record))
    garbage = b"\xde\xad\xbe\xef" * 2
    return log[:at] + garbage + log[at + len(garbage) :]


def _chunk_offset(log: bytes, chunk: int) -> int:
    first = int.from_bytes(log[40:42], "little")
    at = first + chunk * binxml.CHUNK_SIZE
    if chunk < 0 or log[at : at + len(binxml.CHUNK_MAGIC)] != binxml.CHUNK_MAGIC:
        raise UsageError(f"the log has no chunk {chunk}")
    return at


def _record_offset(log: bytes, base: int, record: int) -> int:
    end = base + _u32(log, base + 48)
    at = base + binxml.CHUNK_HEADER
    for _ in range(record):
        at += _u32(log, at + 4) if at < end else 0
    if record < 0 or at >= end:
        raise UsageError(f"the chunk has no record {record}")
    return at


def _values_offset(log: bytes, base: int, record: int) -> int:
    """Find the values of a record's outer template instance, behind a definition that is there."""
    at = record + binxml.RECORD_HEADER + len(binxml.FRAGMENT) + 10
    defined_here = base + _u32(log, at - 4) == at
    return at + 24 + _u32(log, at + 20) if defined_here else at


def _u32(log: bytes, at: int) -> int:
    return int.from_bytes(log[at : at + 4], "little")
