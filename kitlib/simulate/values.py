"""Values as event records hold them: each with a type of its own, some with a length.

A provider decides on the type of every value it logs, and readers show it accordingly (a number as
decimal or hexadecimal, a time, a GUID). Text, truth and NULL are Python's own; all other values
are made by the constructors here.

This module knows types and bytes. It does not know where in a record a value stands.

Source: MS-EVEN6 section 2.2.12 (types), MS-DTYP 2.3.4, 2.3.13 and 2.4.2 (GUID, SYSTEMTIME, SID).
"""

from __future__ import annotations

import re
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kitlib.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
"""Where FILETIME ticks of 100 ns begin."""

NULL: Final = 0x00
STRING: Final = 0x01
UINT8: Final = 0x04
UINT16: Final = 0x06
UINT32: Final = 0x08
UINT64: Final = 0x0A
BINARY: Final = 0x0E
GUID: Final = 0x0F
FILETIME: Final = 0x11
SID: Final = 0x13
HEX64: Final = 0x15
BINXML: Final = 0x21
STRINGS: Final = 0x81


@dataclass(frozen=True, slots=True)
class Typed:
    """A value with its type in the record.

    Parameters
    ----------
    kind
        One of the names in `KINDS`; there is a constructor for each.
    value
        What the type holds: numbers as numbers, times as FILETIME ticks, GUID and SID as text.
    """

    kind: str
    value: int | float | bytes | str


Value: TypeAlias = str | bool | Typed | None


def utf16(text: str) -> bytes:
    """Encode text as the format wants it; NUL ends a string there, so it cannot be part of one."""
    if "\0" in text:
        raise UsageError(f"a string of an event cannot hold NUL: {text!r}")
    try:
        return text.encode("utf-16-le")
    except UnicodeEncodeError as error:
        raise UsageError(f"not text: {text!r}") from error


@lru_cache(maxsize=4096)
def guid_bytes(text: str) -> bytes:
    """Pack a GUID, with braces or without."""
    return uuid.UUID(text).bytes_le


@lru_cache(maxsize=1024)
def sid_bytes(text: str) -> bytes:
    """Pack a security identifier such as ``S-1-5-18`` (MS-DTYP 2.4.2)."""
    letter, revision, authority, *parts = text.split("-")
    if letter != "S":
        raise ValueError(f"not a SID: {text!r}")
    head = struct.pack("<BB", int(revision), len(parts)) + int(authority).to_bytes(6, "big")
    return head + struct.pack(f"<{len(parts)}I", *map(int, parts))


def raw_bytes(content: bytes) -> bytes:
    """Give bytes as they are; a number is refused, of which `bytes` would make zeros."""
    return memoryview(content).tobytes()


def systemtime_bytes(ticks: int) -> bytes:
    """Pack FILETIME ticks as a SYSTEMTIME, which ends at milliseconds."""
    when = EPOCH + timedelta(microseconds=ticks // 10)
    weekday = when.isoweekday() % 7
    date = (when.year, when.month, weekday, when.day)
    return struct.pack("<8H", *date, when.hour, when.minute, when.second, when.microsecond // 1000)


KINDS: Final[Mapping[str, tuple[int, Callable[[Any], bytes]]]] = MappingProxyType(
    {
        "i8": (0x03, struct.Struct("<b").pack),
        "u8": (UINT8, struct.Struct("<B").pack),
        "i16": (0x05, struct.Struct("<h").pack),
        "u16": (UINT16, struct.Struct("<H").pack),
        "i32": (0x07, struct.Struct("<i").pack),
        "u32": (UINT32, struct.Struct("<I").pack),
        "i64": (0x09, struct.Struct("<q").pack),
        "u64": (UINT64, struct.Struct("<Q").pack),
        "real": (0x0C, struct.Struct("<d").pack),
        "binary": (BINARY, raw_bytes),
        "guid": (GUID, guid_bytes),
        "filetime": (FILETIME, struct.Struct("<Q").pack),
        "systemtime": (0x12, systemtime_bytes),
        "sid": (SID, sid_bytes),
        "hex32": (0x14, struct.Struct("<I").pack),
        "hex64": (HEX64, struct.Struct("<Q").pack),
    }
)
"""Kind of a typed value: its type code in the record and what packs it."""

_BOOLS: Final = ((0x0D, b"\0\0\0\0"), (0x0D, b"\x01\0\0\0"))
_NOTHING: Final = (NULL, b"")


def encode(value: Value, terminator: bytes = b"") -> tuple[int, bytes]:
    """Give a value's type code and bytes.

    Parameters
    ----------
    value
        Text, truth, a typed value, or None for NULL.
    terminator
        What follows the characters of a string: manifest providers end theirs with NUL.

    Raises
    ------
    UsageError
        The value does not fit its type, or the type is unknown.
    """
    if value is None:
        return _NOTHING
    try:
        if isinstance(value, str):
            return STRING, utf16(value) + terminator
        if isinstance(value, bool):
            return _BOOLS[value]
        code, pack = KINDS[value.kind]
        return code, pack(value.value)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError, struct.error) as error:
        raise UsageError(f"{value!r} cannot be written as an event's value: {error}") from error


def encode_all(values: Iterable[Value], terminator: bytes) -> tuple[list[int], list[bytes]]:
    """Encode several values: their type codes and their bytes."""
    pairs = [encode(value, terminator) for value in values]
    return [code for code, _ in pairs], [blob for _, blob in pairs]


def u8(value: int) -> Typed:
    """Unsigned, 1 byte."""
    return Typed("u8", value)


def u16(value: int) -> Typed:
    """Unsigned, 2 bytes."""
    return Typed("u16", value)


def u32(value: int) -> Typed:
    """Unsigned, 4 bytes."""
    return Typed("u32", value)


def u64(value: int) -> Typed:
    """Unsigned, 8 bytes."""
    return Typed("u64", value)


def i8(value: int) -> Typed:
    """Signed, 1 byte."""
    return Typed("i8", value)


def i16(value: int) -> Typed:
    """Signed, 2 bytes."""
    return Typed("i16", value)


def i32(value: int) -> Typed:
    """Signed, 4 bytes."""
    return Typed("i32", value)


def i64(value: int) -> Typed:
    """Signed, 8 bytes."""
    return Typed("i64", value)


def hex32(value: int) -> Typed:
    """Unsigned, 4 bytes, shown as hexadecimal (error codes)."""
    return Typed("hex32", value)


def hex64(value: int) -> Typed:
    """Unsigned, 8 bytes, shown as hexadecimal (logon ids, masks)."""
    return Typed("hex64", value)


def real(value: float) -> Typed:
    """Floating point, 8 bytes."""
    return Typed("real", value)


def filetime(value: int) -> Typed:
    """Time in FILETIME ticks, see `ticks`."""
    return Typed("filetime", value)


def systemtime(value: int) -> Typed:
    """Time in FILETIME ticks, written as SYSTEMTIME: milliseconds, the rest is cut off."""
    return Typed("systemtime", value)


def guid(value: str) -> Typed:
    """GUID as text, with braces or without."""
    return Typed("guid", value)


def sid(value: str) -> Typed:
    """Security identifier as text, ``S-1-…``."""
    return Typed("sid", value)


def binary(value: bytes) -> Typed:
    """Bytes, shown as hexadecimal."""
    return Typed("binary", value)


def ticks(when: str | datetime) -> int:
    """Give a time as FILETIME ticks: 100 ns since 1601-01-01 UTC.

    Parameters
    ----------
    when
        ISO 8601 text with up to seven decimals, or a datetime; UTC unless it has an offset.

    Examples
    --------
    >>> ticks("1601-01-01T00:00:00.0000001Z")
    1
    """
    moment, finer = _parse(when) if isinstance(when, str) else (when, 0)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1) * 10 + finer


def _parse(text: str) -> tuple[datetime, int]:
    """Split a time into whole seconds and ticks: a datetime holds six decimals only."""
    found = re.fullmatch(r"([^.,]+)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)?", text)
    if found is None:
        raise UsageError(f"not a time in ISO 8601 with up to 7 decimals: {text!r}")
    seconds, decimals, zone = found.groups(default="")
    try:
        return datetime.fromisoformat(seconds + zone), int(decimals.ljust(7, "0"))
    except ValueError as error:
        raise UsageError(f"not a time in ISO 8601 with up to 7 decimals: {text!r}") from error
