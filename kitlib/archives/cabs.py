"""Cabinets (``.cab``): stored or packed by MSZIP, as Windows' ``makecab`` packs by default.

Windows keeps old CBS logs so, and management tools pack event logs so. A cabinet's members lie one
behind the other in *folders*, each one stream of blocks; an MSZIP block is deflated with the 32 KiB
in front of it as dictionary. Cabinets packed by LZX or Quantum, and members that go on in another
cabinet of a set, are not read and said to be so.

Source: [MS-CAB] and [MS-MCI], Microsoft Open Specifications. Checksums of blocks are not looked at:
deflated data that is damaged shows it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from kitlib.archives.member import BLOCK, Member, Remark

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_HEADER: Final = struct.Struct("<8xI4xI4x2x5H")
_FOLDER: Final = struct.Struct("<I2H")
_FILE: Final = struct.Struct("<2I4H")
_DATA: Final = struct.Struct("<4x2H")
_WINDOW: Final = 32768
_LONGEST_NAME: Final = 256
_HAS_PREVIOUS, _HAS_NEXT, _HAS_RESERVED = 1, 2, 4
_NAME_IS_UTF8: Final = 0x80
_FIRST_CONTINUED: Final = 0xFFFD
_METHODS: Final = {0: "", 1: "", 2: "Quantum", 3: "LZX"}
"""Methods, by name those that are not read."""
_HOW: Final = "unpack it first (`expand -F:* FILE FOLDER` on Windows, `cabextract` elsewhere)"


class _Folder(NamedTuple):
    begins: int
    blocks: int
    method: int


class _File(NamedTuple):
    name: str
    size: int
    offset: int
    folder: int


@dataclass(slots=True)
class _Unfolding:
    """One folder's content as a stream."""

    blocks: Iterator[bytes]
    at: int = 0
    rest: bytes = b""

    def take(self, size: int) -> bytes:
        """Return up to `size` bytes, and at least one."""
        if not self.rest:
            self.rest = next(self.blocks, b"")
            if not self.rest:
                raise EOFError("the cabinet ends inside it")
        taken, self.rest = self.rest[:size], self.rest[size:]
        self.at += len(taken)
        return taken


def cab_members(stream: IO[bytes]) -> Iterator[Member | Remark]:
    """Give the members of a cabinet, folder by folder.

    Raises
    ------
    EOFError, ValueError
        It is cut off, or its parts do not fit each other.
    """
    folders, files, reserved = _contents(stream)
    names = sorted({_METHODS.get(folder.method, "an unknown method") for folder in folders} - {""})
    if names:
        yield Remark(f"a cabinet packed by {' and '.join(names)}, which is not read here: {_HOW}")
    by_folder: dict[int, list[_File]] = {}
    for file in sorted(files, key=lambda file: file.offset):
        by_folder.setdefault(file.folder, []).append(file)
    end = 0
    for number, folder in enumerate(folders):
        if _METHODS.get(folder.method) != "":
            continue
        if folder.begins < end:
            raise ValueError("its folders overlap")
        content = _Unfolding(_blocks(stream, folder, reserved))
        for file in by_folder.get(number, ()):
            yield Member(file.name, partial(_content, content, file))
        end = folder.begins + folder.blocks * _DATA.size
    for file in files:
        if file.folder >= _FIRST_CONTINUED:
            yield Member(file.name, _nothing, f"it goes on in another cabinet: {_HOW}")


def _contents(stream: IO[bytes]) -> tuple[list[_Folder], list[_File], int]:
    """Read folders, files, and how many bytes are reserved in each block's header."""
    _, files_at, folder_count, file_count, flags, _, _ = _HEADER.unpack(
        _exactly(stream, _HEADER.size)
    )
    in_header = in_folder = in_data = 0
    if flags & _HAS_RESERVED:
        in_header, in_folder, in_data = struct.unpack("<HBB", _exactly(stream, 4))
    _exactly(stream, in_header)
    for _ in range(2 * (bool(flags & _HAS_PREVIOUS) + bool(flags & _HAS_NEXT))):
        _text(stream)
    folders = []
    for _ in range(folder_count):
        begins, blocks, method = _FOLDER.unpack(_exactly(stream, _FOLDER.size))
        _exactly(stream, in_folder)
        folders.append(_Folder(begins, blocks, method & 0xF))
    stream.seek(files_at)
    return folders, [_file(stream) for _ in range(file_count)], in_data


def _file(stream: IO[bytes]) -> _File:
    size, offset, folder, _, _, attributes = _FILE.unpack(_exactly(stream, _FILE.size))
    encoding = "utf-8" if attributes & _NAME_IS_UTF8 else "cp1252"
    return _File(_text(stream).decode(encoding, "surrogateescape"), size, offset, folder)


def _text(stream: IO[bytes]) -> bytes:
    """Read up to a NUL and stand behind it."""
    begin = stream.tell()
    name, mark, _ = stream.read(_LONGEST_NAME).partition(b"\0")
    if not mark:
        raise ValueError("a name in it does not end")
    stream.seek(begin + len(name) + 1)
    return name


def _blocks(stream: IO[bytes], folder: _Folder, reserved: int) -> Iterator[bytes]:
    at, window = folder.begins, b""
    for _ in range(folder.blocks):
        stream.seek(at)
        packed, size = _DATA.unpack(_exactly(stream, _DATA.size))
        _exactly(stream, reserved)
        data = _exactly(stream, packed)
        at = stream.tell()
        plain = _inflated(data, window) if folder.method else data
        if len(plain) != size:
            raise ValueError("a block in it has not the size that it states")
        window = plain[-_WINDOW:]
        yield plain


def _inflated(data: bytes, window: bytes) -> bytes:
    if data[:2] != b"CK":
        raise ValueError("a block in it is not MSZIP")
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS, zdict=window)
    return unpacker.decompress(data[2:], _WINDOW + 1)


def _content(content: _Unfolding, file: _File) -> Generator[bytes]:
    if file.offset < content.at:
        raise ValueError("it overlaps another member")
    while content.at < file.offset:
        content.take(file.offset - content.at)
    left = file.size
    while left:
        block = content.take(min(BLOCK, left))
        left -= len(block)
        yield block


def _nothing() -> Generator[bytes]:
    yield from ()


def _exactly(stream: IO[bytes], size: int) -> bytes:
    raw = stream.read(size)
    if len(raw) < size:
        raise EOFError("the cabinet is cut off")
    return raw
