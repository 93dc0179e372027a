"""Zips: by their directory, and without it where an upload broke off.

The directory of a zip stands at its end, so a zip that was cut off has none. But each member has a
header of its own in front of it; `zip_members` then follows these from the first one on, until the
file ends. Sizes may be missing there (a *data descriptor* behind the member has them, as Go's and
Java's writers do it, and so Velociraptor): the end of a packed member shows itself, that of a
stored one is looked for. Sizes beyond 4 GiB (zip64) are understood.

Read are stored and deflated members, and by the directory also bzip2 and LZMA. Encrypted members
and other methods are refused with a sentence.

Source: PKWARE's APPNOTE.TXT, sections 4.3 (records) and 4.4 (fields). That encrypted Velociraptor
collections hold one encrypted ``data.zip`` is from memory, not seen.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from kitlib.archives.member import BLOCK, BROKEN, Member, Remark, blocks_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_NOT_COLLECTIONS: Final = frozenset({"[Content_Types].xml", "META-INF/MANIFEST.MF"})
"""Members that mark office documents and programs, which are zips only in form."""

_METHODS: Final = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
    99: "AES encryption",
}
"""Names of methods, for people."""
_BY_DIRECTORY: Final = frozenset({0, 8, 12, 14})
_BY_HEADER: Final = frozenset({0, 8})

_ENCRYPTED: Final = (
    "encrypted: not read; unpack the archive with its password first (7-Zip does), "
    "an encrypted Velociraptor collection with the key it was made for"
)


def is_document(stream: IO[bytes]) -> bool:
    """Tell an office document or a program, whose members are no evidence."""
    try:
        with zipfile.ZipFile(stream) as opened:
            return not _NOT_COLLECTIONS.isdisjoint(opened.namelist())
    except BROKEN:
        return False


def zip_members(stream: IO[bytes]) -> Iterator[Member | Remark]:
    """Give the members of a zip; of one without a whole directory what its headers lead to."""
    try:
        opened = zipfile.ZipFile(stream)
        listed = opened.infolist()
        if listed and all(info.header_offset for info in listed):
            # Where a zip inside it was cut off behind that one's directory.
            raise zipfile.BadZipFile("the last one in it is another's")
    except BROKEN as error:
        yield from _salvaged(stream, str(error) or type(error).__name__)
        return
    with opened:
        for info in listed:
            if not _is_folder(info.filename, info.file_size):
                link = stat.S_ISLNK(info.external_attr >> 16)
                why = _refusal(info.flag_bits, info.compress_type, _BY_DIRECTORY)
                why = why or ("a link in an archive: not followed" if link else "")
                yield Member(info.filename, partial(_content, opened, info), why)


def _is_folder(name: str, size: int) -> bool:
    """Tell a folder by its name; some tools store Windows' separators."""
    return name.endswith("/") or (name.endswith("\\") and not size)


def _refusal(flags: int, method: int, readable: frozenset[int]) -> str:
    if flags & _IS_ENCRYPTED:
        return _ENCRYPTED
    if method not in readable:
        name = _METHODS.get(method, f"method {method}")
        return f"packed by {name}, which is not read here: unpack the archive first"
    return ""


def _content(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Generator[bytes]:
    return blocks_of(opened.open(info))


# ---------------------------------------------------------------------------- without a directory

_IS_ENCRYPTED: Final = 1
_HAS_DESCRIPTOR: Final = 8
_IS_UTF8: Final = 0x800
_LOCAL: Final = b"PK\x03\x04"
_DESCRIPTOR: Final = b"PK\x07\x08"
_ENDS: Final = (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06")
_HEADER: Final = struct.Struct("<4s5H3I2H")
_FULL: Final = 0xFFFFFFFF


class _Header(NamedTuple):
    """The header in front of a member."""

    name: str
    flags: int
    method: int
    crc: int | None
    packed: int | None
    begins: int


@dataclass(slots=True)
class _Place:
    """How far a zip has been read."""

    at: int


def _salvaged(stream: IO[bytes], why: str) -> Iterator[Member | Remark]:
    place, given = _Place(0), 0
    while (at := _find(stream, place.at, (_LOCAL, *_ENDS))) >= 0:
        header = _header(stream, at)
        if header is None:
            place.at = at + 4
            if _at(stream, at, 4) in _ENDS:
                break
            continue
        place.at = header.begins
        if not _is_folder(header.name, header.packed or 0):
            given += 1
            why_not = _refusal(header.flags, header.method, _BY_HEADER)
            yield Member(header.name, partial(_unpacked, stream, header, place), why_not)
        if header.packed is not None:
            place.at = max(place.at, header.begins + header.packed)
    if not given:
        raise zipfile.BadZipFile(why)
    yield Remark(
        f"the archive has no whole directory ({why}), as one that was cut off: "
        f"{given} members were found by their own headers, what may have followed is missing"
    )


def _header(stream: IO[bytes], at: int) -> _Header | None:
    """Read the header of a member; None if it is none or not whole."""
    raw = _at(stream, at, _HEADER.size)
    if len(raw) < _HEADER.size or raw[:4] != _LOCAL:
        return None
    _, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _HEADER.unpack(raw)
    names = _at(stream, at + _HEADER.size, name_size + extra_size)
    if not name_size or len(names) < name_size + extra_size:
        return None
    name = names[:name_size]
    if packed == _FULL:
        packed = _packed64(names[name_size:], after_size=size == _FULL)
    unknown = bool(flags & _HAS_DESCRIPTOR) and not packed
    return _Header(
        name.decode("utf-8" if flags & _IS_UTF8 else "cp437", "surrogateescape"),
        flags,
        method,
        None if unknown else crc,
        None if unknown else packed,
        at + _HEADER.size + name_size + extra_size,
    )


def _packed64(extra: bytes, *, after_size: bool) -> int:
    """Read the packed size from the zip64 field, where it stands behind the full one."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        field = extra[4 : 4 + size]
        if kind == 1:
            return int.from_bytes(field[8 * after_size : 8 * after_size + 8], "little")
        extra = extra[4 + size :]
    return _FULL


def _unpacked(stream: IO[bytes], header: _Header, place: _Place) -> Generator[bytes]:
    crc = 0
    source = _inflated if header.method else _stored
    for block in source(stream, header, place):
        crc = zlib.crc32(block, crc)
        yield block
    want = header.crc
    if want is None:
        tail = _at(stream, place.at, 8)
        want = int.from_bytes(tail[4:8], "little") if tail[:4] == _DESCRIPTOR else crc
    if crc != want:
        raise zipfile.BadZipFile("its checksum is wrong")


def _raw(stream: IO[bytes], header: _Header, place: _Place) -> Iterator[bytes]:
    """Give what stands behind the header, up to the member's end where it is known."""
    left = header.packed
    while left is None or left > 0:
        block = _at(stream, place.at, BLOCK if left is None else min(BLOCK, left))
        if not block:
            raise EOFError("the archive ends inside it")
        place.at += len(block)
        left = None if left is None else left - len(block)
        yield block


def _inflated(stream: IO[bytes], header: _Header, place: _Place) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    for block in _raw(stream, header, place):
        rest = block
        while rest and not unpacker.eof:
            out = unpacker.decompress(rest, BLOCK)
            rest = unpacker.unconsumed_tail
            if out:
                yield out
        while not unpacker.eof and (out := unpacker.decompress(b"", BLOCK)):
            yield out
        if unpacker.eof:
            place.at -= len(unpacker.unused_data)
            return
    raise EOFError("it ends before its data does")


def _stored(stream: IO[bytes], header: _Header, place: _Place) -> Iterator[bytes]:
    if header.packed is not None:
        yield from _raw(stream, header, place)
        return
    end = _descriptor(stream, header.begins)
    while place.at < end:
        block = _at(stream, place.at, min(BLOCK, end - place.at))
        place.at += len(block)
        yield block


def _descriptor(stream: IO[bytes], begins: int) -> int:
    """Return where the descriptor stands that states the size of what is in front of it."""
    at = begins
    while (at := _find(stream, at, (_DESCRIPTOR,))) >= 0:
        sizes = _at(stream, at + 8, 8)
        if at - begins in (int.from_bytes(sizes[:4], "little"), int.from_bytes(sizes, "little")):
            return at
        at += 4
    raise EOFError("its size is stated nowhere, nor is its end found")


def _at(stream: IO[bytes], at: int, size: int) -> bytes:
    stream.seek(at)
    return stream.read(size)


def _find(stream: IO[bytes], at: int, marks: tuple[bytes, ...]) -> int:
    """Return where the first of some marks of four bytes begins, from `at` on; -1 if none does."""
    while block := _at(stream, at, BLOCK):
        found = [where for mark in marks if (where := block.find(mark)) >= 0]
        if found:
            return at + min(found)
        if len(block) < BLOCK:
            break
        at += len(block) - 3
    return -1
