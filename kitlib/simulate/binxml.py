"""Binary XML as event logs hold it: templates, their instances, and the chunk that shares them.

A record is an instance of a template: the template holds the elements, the instance the values.
Inside one 64 KiB chunk every element name and every template stands once, at its first use, and
is referred to by its offset in the chunk from then on; two tables in the chunk's header find them
by hash. Because of these offsets a record that does not fit is written anew into the next chunk.

This module knows tokens, templates and chunks. It does not know what an event is, nor the file
around the chunks (`kitlib.simulate.evtx`), nor the bytes of a value (`kitlib.simulate.values`).

Facts: "Windows XML Event Log (EVTX)" by J. Metz (libyal), MS-EVEN6 section 2.2.12. Measured on
real logs, because no document has them: a name's bucket is its hash modulo 64, a template's the
same hash over its GUID modulo 32; a new entry points to the one that headed its bucket before.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from kitlib.errors import UsageError
from kitlib.simulate.values import STRING, utf16

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CHUNK_SIZE: Final = 65536
CHUNK_HEADER: Final = 512
CHUNK_MAGIC: Final = b"ElfChnk\0"
RECORD_MAGIC: Final = b"**\0\0"
RECORD_HEADER: Final = 24
FRAGMENT: Final = b"\x0f\x01\x01\x00"
INSTANCE: Final = b"\x0c\x01"
END: Final = b"\0"
NO_RECORD: Final = 0xFFFFFFFFFFFFFFFF
NO_DEPENDENCY: Final = 0xFFFF
LARGEST_VALUE: Final = 0xFFFF

_NAME_BUCKETS: Final = 64
_TEMPLATE_BUCKETS: Final = 32
_U32: Final = struct.Struct("<I")
_NAME: Final = struct.Struct("<IIHH")
_RECORD: Final = struct.Struct("<4sIQQ")
_HEADER: Final = struct.Struct("<8sQQQQIIII")


@lru_cache(maxsize=256)
def _descriptor_table(count: int) -> struct.Struct:
    return struct.Struct("<I" + "HBx" * count)


def descriptors(codes: Sequence[int], sizes: Sequence[int]) -> bytes:
    """Describe an instance's values: their count, then size and type of each."""
    if sizes and max(sizes) > LARGEST_VALUE:
        raise UsageError(f"a value of {max(sizes)} bytes is too long for an event record")
    pairs = chain.from_iterable(zip(sizes, codes, strict=True))
    return _descriptor_table(len(codes)).pack(len(codes), *pairs)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a template that an instance fills; an optional one vanishes if it is NULL."""

    index: int
    code: int
    optional: bool = True


Part: TypeAlias = "str | Slot"


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a template; with ``depends`` it vanishes when that slot is NULL."""

    name: str
    content: tuple[Element | Part, ...] = ()
    attributes: tuple[tuple[str, Part], ...] = ()
    depends: int = NO_DEPENDENCY


class _Mark(Enum):
    OPEN = "a size comes here"
    CLOSE = "the last open size ends here"


_Step: TypeAlias = "bytes | str | _Mark"


@dataclass(frozen=True, slots=True)
class Template:
    """A template ready to be laid out: bytes, names to refer to, and sizes to fill in."""

    guid: bytes
    bucket: int
    steps: tuple[_Step, ...]


def compile_template(root: Element) -> Template:
    """Prepare a template; equal elements give the same GUID, different ones do not."""
    guid = blake2b(ascii(root).encode(), digest_size=16).digest()
    bucket = _hash(guid) % _TEMPLATE_BUCKETS
    return Template(guid, bucket, tuple(_merge([FRAGMENT, *_element(root), END])))


def _element(element: Element) -> Iterator[_Step]:
    yield struct.pack("<BH", 0x41 if element.attributes else 0x01, element.depends)
    yield _Mark.OPEN
    yield element.name
    if element.attributes:
        yield _Mark.OPEN
        yield from _attributes(element.attributes)
        yield _Mark.CLOSE
    yield from _content(element.content)
    yield _Mark.CLOSE


def _attributes(attributes: Sequence[tuple[str, Part]]) -> Iterator[_Step]:
    last = len(attributes) - 1
    for position, (name, part) in enumerate(attributes):
        yield b"\x06" if position == last else b"\x46"
        yield name
        yield _part(part)


def _content(content: Sequence[Element | Part]) -> Iterator[_Step]:
    if not content:
        yield b"\x03"
        return
    yield b"\x02"
    for part in content:
        if isinstance(part, Element):
            yield from _element(part)
        else:
            yield _part(part)
    yield b"\x04"


def _part(part: Part) -> bytes:
    if isinstance(part, Slot):
        return struct.pack("<BHB", 0x0E if part.optional else 0x0D, part.index, part.code)
    text = utf16(part)
    return struct.pack("<BBH", 0x05, STRING, len(text) // 2) + text


def _merge(steps: Iterable[_Step]) -> Iterator[_Step]:
    pending = b""
    for step in steps:
        if isinstance(step, bytes):
            pending += step
            continue
        if pending:
            yield pending
        pending = b""
        yield step
    if pending:
        yield pending


def _hash(utf16_units: bytes) -> int:
    value = 0
    for (unit,) in struct.iter_unpack("<H", utf16_units):
        value = (value * 65599 + unit) & 0xFFFFFFFF
    return value & 0xFFFF


@lru_cache(maxsize=4096)
def _name(name: str) -> tuple[int, bytes]:
    text = utf16(name)
    return _hash(text), text


class Chunk:
    """A chunk being filled.

    ``buffer`` is the chunk from its first byte, so that ``len(buffer)`` is the offset of what
    comes next. Records are added with `open_record`, writing to ``buffer``, and `close_record`.
    """

    def __init__(self) -> None:
        self.buffer = bytearray(CHUNK_HEADER)
        self.first_id = self.last_id = NO_RECORD
        self._last_record = 0
        self._names: dict[str, int] = {}
        self._templates: dict[bytes, int] = {}
        self._name_heads = [0] * _NAME_BUCKETS
        self._template_heads = [0] * _TEMPLATE_BUCKETS
        self._saved = (self._name_heads, self._template_heads)

    def open_record(self, record_id: int, time: int) -> int:
        """Begin a record and give its offset."""
        self._saved = (self._name_heads.copy(), self._template_heads.copy())
        start = len(self.buffer)
        self.buffer += _RECORD.pack(RECORD_MAGIC, 0, record_id, time)
        self.buffer += FRAGMENT
        return start

    def close_record(self, start: int, record_id: int) -> bool:
        """End the record; if it does not fit, take it back, close the chunk and give False."""
        buffer = self.buffer
        size = -(-(len(buffer) - start + 4) // 8) * 8
        if start + size > CHUNK_SIZE:
            del buffer[start:]
            self._name_heads, self._template_heads = self._saved
            return False
        buffer.extend(bytes(start + size - 4 - len(buffer)))
        buffer += _U32.pack(size)
        _U32.pack_into(buffer, start + 4, size)
        self.first_id = record_id if self.first_id == NO_RECORD else self.first_id
        self.last_id = record_id
        self._last_record = start
        return True

    def add_instance(self, template: Template) -> None:
        """Refer to a template, with its definition if this is its first use in the chunk."""
        known = self._templates.get(template.guid)
        if known is not None:
            self.buffer += INSTANCE + template.guid[:4] + _U32.pack(known)
            return
        buffer = self.buffer
        at = len(buffer) + 10
        buffer += INSTANCE + template.guid[:4] + _U32.pack(at)
        buffer += _U32.pack(self._template_heads[template.bucket]) + template.guid
        self._templates[template.guid] = self._template_heads[template.bucket] = at
        self._lay_out((_Mark.OPEN, *template.steps, _Mark.CLOSE))

    def _lay_out(self, steps: Iterable[_Step]) -> None:
        buffer = self.buffer
        open_sizes: list[int] = []
        for step in steps:
            if isinstance(step, bytes):
                buffer += step
            elif isinstance(step, str):
                self._add_name(step)
            elif step is _Mark.OPEN:
                open_sizes.append(len(buffer))
                buffer += b"\0\0\0\0"
            else:
                at = open_sizes.pop()
                _U32.pack_into(buffer, at, len(buffer) - at - 4)

    def _add_name(self, name: str) -> None:
        known = self._names.get(name)
        if known is not None:
            self.buffer += _U32.pack(known)
            return
        at = len(self.buffer) + 4
        hashed, text = _name(name)
        bucket = hashed % _NAME_BUCKETS
        self.buffer += _NAME.pack(at, self._name_heads[bucket], hashed, len(text) // 2)
        self.buffer += text + b"\0\0"
        self._names[name] = self._name_heads[bucket] = at

    def finish(self) -> bytes:
        """Give the chunk as it stands in the file: tables and checksums written, zeros after."""
        buffer = self.buffer
        free = len(buffer)
        checksum = zlib.crc32(memoryview(buffer)[CHUNK_HEADER:])
        # Record numbers count within the file and ids within the log; they are equal in a live log.
        ids = (self.first_id, self.last_id)
        _HEADER.pack_into(
            buffer, 0, CHUNK_MAGIC, *ids, *ids, 128, self._last_record, free, checksum
        )
        _U32.pack_into(buffer, 120, 1)
        struct.pack_into("<64I32I", buffer, 128, *self._name_heads, *self._template_heads)
        _U32.pack_into(buffer, 124, zlib.crc32(buffer[128:CHUNK_HEADER], zlib.crc32(buffer[:120])))
        return bytes(buffer) + bytes(CHUNK_SIZE - free)
