"""Typed values to text, in the one spelling that the kit's engines share.

A value is a type and some bytes. `spell` finds which values differ (`distinct`) and spells one of
each; many values then share one Python text. The spelling is that of the engines behind this
reader (`kitlib.readers.engines`): times cut to microseconds, text cut at its first NUL, half
surrogate pairs left out, ``canonical`` GUIDs and hex numbers, no text (None) for NULL and for what
is empty. An array of texts is a tuple, with an empty text for what is empty.

This file does not know what a value means or where in an event it goes.
"""

from __future__ import annotations

import struct
from codecs import charmap_decode
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from kitlib.readers.binxml import layout
from kitlib.readers.binxml.block import unpacked
from kitlib.readers.binxml.distinct import distinct
from kitlib.readers.payload import canonical, real

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitlib.readers.binxml.block import Block, Ints, Mask, Values

Text = str | tuple[str, ...] | None
Objects = NDArray[np.object_]


_UNREADABLE = (struct.error, OverflowError, ValueError, IndexError)


@dataclass(frozen=True, eq=False)
class Spelled:
    """Values as text.

    Attributes
    ----------
    pool
        The texts: text, tuple of texts, or None.
    codes
        For each value the number of its text in the pool.
    unread
        For each text of the pool whether the value's bytes make no sense for its type.
    arrays
        For each text of the pool whether it is a tuple.
    """

    pool: Objects
    codes: NDArray[np.intp]
    unread: Mask
    arrays: Mask


def spell(block: Block, packed: Ints) -> Spelled:
    """Spell out values, given as `kitlib.readers.binxml.block.unpacked` has them."""
    values = unpacked(packed)
    values.size[values.kind == layout.NULL] = 0  # there may be stale bytes
    codes, firsts = distinct(block, values)
    few = values.take(firsts)
    pool = np.full(len(firsts), None, object)
    unread = np.zeros(len(firsts), bool)
    for kind in np.flatnonzero(np.bincount(few.kind)).tolist():
        which = np.flatnonzero(few.kind == kind)
        if kind != layout.NULL:
            texts, bad = _texts(kind, block, few.take(which))
            pool[which] = np.fromiter(texts, object, len(texts))
            unread[which[bad]] = True
    return Spelled(pool, codes, unread, few.kind == layout.STRINGS)


def _texts(kind: int, block: Block, values: Values) -> tuple[list[Text], list[int]]:
    """Spell values of one type; return also the numbers of those that are unreadable."""
    if kind == layout.STRING:
        return _with_gaps(_all_strings, block, values, values.size & 1 == 0)
    if kind == layout.GUID:
        return _with_gaps(_all_guids, block, values, values.size == 16)
    how: Callable[[Any], Text] = _SPELL.get(kind, _refuse)
    raw = block.raw
    out: list[Text] = []
    bad: list[int] = []
    ends = (values.place + values.size).tolist()
    for number, (start, end) in enumerate(zip(values.place.tolist(), ends, strict=True)):
        try:
            out.append(how(raw[start:end]))
        except _UNREADABLE:
            out.append(None)
            bad.append(number)
    return out, bad


# --- many values of the most frequent types ----------------------------------------------------


def _with_gaps(
    how: Callable[[Block, Values], list[Text]], block: Block, values: Values, fits: Mask
) -> tuple[list[Text], list[int]]:
    """Spell the values whose size fits their type."""
    if fits.all():
        return how(block, values), []
    out = np.full(len(fits), None, object)
    texts = how(block, values.take(fits))
    out[fits] = np.fromiter(texts, object, len(texts))
    return out.tolist(), np.flatnonzero(~fits).tolist()


def _all_strings(block: Block, values: Values) -> list[Text]:
    """Spell texts. Most end with a NUL, hardly any has one inside, few could be a GUID or a number."""
    ended = (values.size > 0) & (block.u16[values.place + values.size - 2] == 0)
    size = values.size - 2 * ended
    raw = block.raw
    bounds = zip(values.place.tolist(), (values.place + size).tolist(), strict=True)
    texts = [raw[start:end].decode("utf-16-le", "ignore") for start, end in bounds]
    out = [(t if "\0" not in t else t[: t.index("\0")]) or None for t in texts]
    special = np.isin(block.u32[values.place], _HEX_MARKS) | ((size >= 72) & (size <= 76))
    for number in np.flatnonzero(special).tolist():
        out[number] = canonical(out[number])
    return list(out)


def _all_guids(block: Block, values: Values) -> list[Text]:
    """Spell GUIDs: their bytes in the order of reading, in hexadecimal, with dashes between."""
    count = len(values.place)
    rows = block.rows(values.place, 16).view(np.uint8).reshape(count, 16)[:, _GUID_ORDER]
    out = np.full((count, 36), ord("-"), np.uint8)
    out[:, _GUID_DIGITS] = _HEX_DIGITS[rows].reshape(count, 32)
    text = out.tobytes().decode("ascii")
    return [text[start : start + 36] for start in range(0, len(text), 36)]


_HEX_MARKS: Final = np.frombuffer("0x0X".encode("utf-16-le"), "<u4")
_HEX_DIGITS: Final = np.array([[*b"%02x" % byte] for byte in range(256)], np.uint8)
_GUID_ORDER: Final = [3, 2, 1, 0, 5, 4, 7, 6, *range(8, 16)]
_GUID_DIGITS: Final = [place for place in range(36) if place not in {8, 13, 18, 23}]


# --- one value of each type -----------------------------------------------------------------


def _strings(raw: bytes) -> tuple[str, ...]:
    items = raw.decode("utf-16-le", "ignore").split("\0")
    if items[-1] == "":
        items.pop()
    return tuple([canonical(item) or "" for item in items])


def _ansi(raw: bytes) -> str | None:
    return canonical(charmap_decode(raw.replace(b"\0", b""), "strict", _WINDOWS_1252)[0])


def _whole(layout_: str) -> Callable[[bytes], str]:
    unpack = struct.Struct(layout_).unpack
    return lambda raw: str(*unpack(raw))


def _hex(layout_: str) -> Callable[[bytes], str]:
    unpack = struct.Struct(layout_).unpack
    return lambda raw: hex(*unpack(raw))


def _size(raw: bytes) -> str:
    return hex(*struct.unpack("<I" if len(raw) == 4 else "<Q", raw))


def _boolean(raw: bytes) -> str:
    (value,) = struct.unpack("<i", raw)
    return _BOOLEAN.get(value) or str(value)


def _binary(raw: bytes) -> str | None:
    return canonical(raw.hex().upper())


def _sid(raw: bytes) -> str:
    revision, count = raw[0], raw[1]
    if len(raw) != 8 + 4 * count:
        raise ValueError("no SID")
    authority = int.from_bytes(raw[2:8], "big")
    parts = struct.unpack_from(f"<{count}I", raw, 8)
    return "-".join(map(str, ("S", revision, authority, *parts)))


def _filetime(raw: bytes) -> str:
    (ticks,) = _U64.unpack(raw)
    seconds, rest = divmod(ticks, _TICKS)
    days, seconds = divmod(seconds, 86_400)
    minutes, second = divmod(seconds, 60)
    time = f"{minutes // 60:02}:{minutes % 60:02}:{second:02}"
    return f"{_day(days)}T{time}.{rest // 10:06}Z"


@lru_cache(maxsize=1024)
def _day(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).isoformat()


def _systemtime(raw: bytes) -> str:
    if not any(raw):
        return "1601-01-01T00:00:00.000000Z"
    year, month, _, day, hour, minute, second, milli = struct.unpack("<8H", raw)
    moment = datetime(year, month, day, hour, minute, second, milli * 1000, tzinfo=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _real(kind: type[np.floating], least: int, most: int) -> Callable[[bytes], str]:
    def spelled(raw: bytes) -> str:
        return real(np.frombuffer(raw, kind)[0], least, most)

    return spelled


_EPOCH: Final = date(1601, 1, 1)
_TICKS: Final = 10_000_000
_U64: Final = struct.Struct("<Q")
_BOOLEAN: Final = {0: "false", 1: "true"}
_WINDOWS_1252: Final = "".join(
    bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(256)
)

_SPELL: Final[dict[int, Callable[[bytes], Text]]] = {
    layout.ANSI: _ansi,
    layout.INT8: _whole("<b"),
    layout.INT16: _whole("<h"),
    layout.INT32: _whole("<i"),
    layout.INT64: _whole("<q"),
    layout.UINT8: _whole("<B"),
    layout.UINT16: _whole("<H"),
    layout.UINT32: _whole("<I"),
    layout.UINT64: _whole("<Q"),
    layout.FLOAT: _real(np.float32, -5, 13),
    layout.DOUBLE: _real(np.float64, -4, 16),
    layout.BOOLEAN: _boolean,
    layout.BINARY: _binary,
    layout.SIZE: _size,
    layout.FILETIME: _filetime,
    layout.SYSTEMTIME: _systemtime,
    layout.SID: _sid,
    layout.HEX32: _hex("<I"),
    layout.HEX64: _hex("<Q"),
    layout.STRINGS: _strings,
}


def _refuse(_raw: bytes) -> Text:
    raise ValueError("binary XML, or of an unknown type")
