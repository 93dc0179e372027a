r"""Registry hive files (``regf``): keys and values by path, within bounds.

Knows the format and nothing of what is in a registry. No library reads it here: of those with a
fitting licence, regipy wants a file on disk, bounds little and copies the rest of the file for
every number it reads (measured on a hive of 33 MB: 7 ms a key, against 0.02 ms), and libregf is C
code that hostile files would run through. Tests hold this reader against both.

A hive is read as it lies. What Windows had not yet written into it stands in the transaction logs
beside it (``.LOG1``, ``.LOG2``), which are not applied; `Hive.dirty` tells that there is such.

Damaged and hostile files: every offset is checked, no list is read twice, and what one call looks
at is bounded (`MOST_KEYS`, `MOST_VALUES`, `LONGEST`). What cannot be read is counted, not raised.

Source: Microsoft publishes no specification; structures as in the public format descriptions of
libregf and of M. Suhanov ("Windows registry file format specification").
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kitlib.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MAGIC: Final = b"regf"
MOST_KEYS: Final = 50_000
"""Subkeys of one key that are read; the largest key met in practice has some 7,000."""
MOST_VALUES: Final = 500
"""Values of one key that are read."""
LONGEST: Final = 16_344
"""Bytes of one value's data that are read; longer data lies in several cells."""

_HEADER: Final = 4096
_PRIMARY: Final = 0  # file type in the header; others are transaction logs
_KEY: Final = struct.Struct("<2sHQIIIIIIIII")  # up to the offset of the list of values
_NAME_AT: Final = 76
_VALUE: Final = struct.Struct("<2sHIIIH")
_INLINE: Final = 0x8000_0000
_PLAIN_KEY: Final = 0x20
_PLAIN_VALUE: Final = 0x01
_STRIDES: Final = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}
_NUMBERS: Final = {4: "little", 5: "big", 11: "little"}
_TEXTS: Final = frozenset({1, 2, 6})
_LIST_OF_TEXTS: Final = 7

Data = str | int | bytes


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes
    ----------
    name
        Its own, without path.
    written
        FILETIME of its last change, UTC.
    subkeys, values
        How many it has, and where the list of them lies.
    """

    name: str
    written: int
    subkeys: tuple[int, int]
    values: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Hive:
    """A hive file and what its header says.

    Attributes
    ----------
    data
        The whole file.
    name
        The last part of the path it was loaded from, as the header has it.
    written
        FILETIME of the last change, UTC.
    primary
        False for a transaction log, which has the same header.
    dirty
        It was not closed cleanly: the last changes may stand in the transaction logs only.
    missing
        Bytes that it is short of what the header claims.
    """

    data: bytes
    name: str
    written: int
    primary: bool
    dirty: bool
    missing: int


def open_hive(data: bytes) -> Hive:
    """Read the header of a hive.

    Raises
    ------
    kitlib.errors.FormatError
        It has no whole header.
    """
    if len(data) < _HEADER or not data.startswith(MAGIC):
        raise FormatError("a registry hive that is cut off in its header")
    first, second = struct.unpack_from("<II", data, 4)
    written, _, _, kind = struct.unpack_from("<QIII", data, 12)
    (size,) = struct.unpack_from("<I", data, 40)
    path = data[48:112].decode("utf-16-le", errors="replace").partition("\0")[0]
    return Hive(
        data=data,
        name="".join(filter(str.isprintable, path.rpartition("\\")[2])),
        written=written,
        primary=kind == _PRIMARY,
        dirty=first != second or _checksum(data) != struct.unpack_from("<I", data, 508)[0],
        missing=max(0, _HEADER + size - len(data)),
    )


def _checksum(data: bytes) -> int:
    total = 0
    for number in struct.unpack_from("<127I", data):
        total ^= number
    return {0: 1, 0xFFFF_FFFF: 0xFFFF_FFFE}.get(total, total)


def root(hive: Hive) -> Key | None:
    """Return the root key, or None if it cannot be read."""
    (at,) = struct.unpack_from("<I", hive.data, 36)
    return _key(hive, at)


def find(hive: Hive, path: str) -> tuple[Key | None, int]:
    r"""Find a key by its path below the root, ``Microsoft\Windows``; case does not matter.

    Returns
    -------
    tuple
        The key, or None; and how many keys on the way could not be read, so that a key that is
        not there can be told from one that may be there.
    """
    key, damaged = root(hive), 0
    if key is None:
        return None, 1
    for part in path.lower().split("\\"):
        below, broken = subkeys(hive, key)
        damaged += broken
        key = next((one for one in below if one.name.lower() == part), None)
        if key is None:
            return None, damaged
    return key, 0


def subkeys(hive: Hive, key: Key) -> tuple[list[Key], int]:
    """List the subkeys of a key.

    Returns
    -------
    tuple
        Those that can be read, in the order of the file, and how many cannot.
    """
    count, at = key.subkeys
    if not count:
        return [], 0
    found = []
    for looked, place in enumerate(_places(hive, at, {at})):
        if looked >= MOST_KEYS:
            break
        one = _key(hive, place)
        if one is not None:
            found.append(one)
    return found, max(0, min(count, MOST_KEYS) - len(found))


def _places(hive: Hive, at: int, seen: set[int]) -> Iterator[int]:
    """Give the offsets of the keys in a list of subkeys, and in the lists it points to."""
    cell = _cell(hive, at)
    stride = _STRIDES.get(cell[:2])
    if stride is None or len(cell) < 4:
        return
    (count,) = struct.unpack_from("<H", cell, 2)
    for index in range(min(count, (len(cell) - 4) // stride)):
        (place,) = struct.unpack_from("<I", cell, 4 + index * stride)
        if cell[:2] != b"ri":
            yield place
        elif place not in seen and len(seen) < MOST_KEYS:
            seen.add(place)
            if _cell(hive, place)[:2] != b"ri":  # lists of lists go no deeper
                yield from _places(hive, place, seen)


def values(hive: Hive, key: Key, names: Collection[str]) -> tuple[dict[str, Data], int]:
    """Read values of a key.

    Parameters
    ----------
    hive
        From `open_hive`.
    key
        From `find` or `subkeys`.
    names
        Those wanted, in lower case.

    Returns
    -------
    tuple
        The values by lower-case name: texts, numbers, lists of texts joined with line feeds, and
        bytes of any other type; and how many of the key's values cannot be read.
    """
    count, at = key.values
    wanted = min(count, MOST_VALUES)
    cell = _cell(hive, at)[: 4 * wanted] if wanted else b""
    found: dict[str, Data] = {}
    damaged = wanted - len(cell) // 4
    for (place,) in struct.iter_unpack("<I", cell[: len(cell) // 4 * 4]):
        name, data = _value(hive, place, names)
        if data is not None:
            found[name] = data
        damaged += name in names and data is None
        damaged += name == _BROKEN
    return found, damaged


_BROKEN: Final = "\0"  # no name of a value


def _value(hive: Hive, at: int, names: Collection[str]) -> tuple[str, Data | None]:
    cell = _cell(hive, at)
    if len(cell) < _VALUE.size or cell[:2] != b"vk":
        return _BROKEN, None
    _, length, size, place, kind, flags = _VALUE.unpack_from(cell)
    raw = cell[20 : 20 + length]
    name = raw.decode("latin-1" if flags & _PLAIN_VALUE else "utf-16-le", errors="replace").lower()
    if name not in names:
        return name, None
    if size & _INLINE:
        return name, _data(kind, struct.pack("<I", place)[: size & 7])
    data = _cell(hive, place) if size <= LONGEST else b""
    return name, _data(kind, data[:size]) if len(data) >= size else None


def _data(kind: int, raw: bytes) -> Data | None:
    if kind in _NUMBERS:
        little = _NUMBERS[kind] == "little"
        return int.from_bytes(raw, "little" if little else "big") if len(raw) in (4, 8) else None
    if kind in _TEXTS:
        return raw.decode("utf-16-le", errors="replace").partition("\0")[0]
    if kind == _LIST_OF_TEXTS:
        parts = raw.decode("utf-16-le", errors="replace").split("\0")
        return "\n".join(filter(None, parts))
    return raw


def _key(hive: Hive, at: int) -> Key | None:
    cell = _cell(hive, at)
    if len(cell) < _NAME_AT or cell[:2] != b"nk":
        return None
    _, flags, written, _, _, subs, _, subs_at, _, count, values_at, _ = _KEY.unpack_from(cell)
    (length,) = struct.unpack_from("<H", cell, 72)
    raw = cell[_NAME_AT : _NAME_AT + length]
    if len(raw) < length:
        return None
    name = raw.decode("latin-1" if flags & _PLAIN_KEY else "utf-16-le", errors="replace")
    return Key(name, written, (subs, subs_at), (count, values_at))


def _cell(hive: Hive, at: int) -> bytes:
    """Return the content of a cell in use; empty if there is none at that offset."""
    start = _HEADER + at
    if start + 4 > len(hive.data):
        return b""
    (size,) = struct.unpack_from("<i", hive.data, start)
    # A list of 65,535 subkeys is the longest cell that is looked into.
    return hive.data[start + 4 : start + min(-size, 1 << 20)] if size < -4 else b""
