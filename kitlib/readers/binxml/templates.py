"""Template definitions, read once each: the XML with numbered holes that records fill.

A definition is compiled to a tree of `Node`, whose parts are text, other nodes, and `Hole`: "here
goes the record's value of this number". Equal trees are one `Template` with one number, and
everything behind this file asks for templates by that number.

Every chunk repeats the definitions it needs, so the same one is met thousands of times. The bytes
are equal but for what depends on the place: the offsets of names. So a definition is known if its
GUID and size are, its bytes are equal under a mask that leaves those fields out, and the names
that the offsets lead to are the same. (The GUID alone would not do: it names the template,
not which names its offsets lead to in this chunk.)

What this file does not understand (values that are not text inside a template, processing
instructions, an element of mixed text and holes) raises `Unusual`, and the records that need it
are left to the engines.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Final

from kitlib.readers.binxml import layout
from kitlib.readers.chunks import CHUNK

if TYPE_CHECKING:
    from kitlib.readers.binxml.block import Block

UNUSUAL: Final = -1
"""Stands for the number of a template that is left to the engines."""


class Unusual(Exception):  # noqa: N818  # not an error of the data: it is read by other means
    """A definition has something that is left to the engines."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A place that the record's value of this number goes to."""

    number: int


Part = str | Hole | None
"""What stands in an attribute or as an element's text: text, a hole, or nothing."""


@dataclass(frozen=True, slots=True)
class Node:
    """An element of a template: what is inside, in order, and its own text where no hole is."""

    name: str
    attributes: tuple[tuple[str, Part], ...]
    inside: tuple[Node | Hole, ...]
    text: str

    @property
    def part(self) -> Part:
        """The content of an element that is one text, one hole or nothing."""
        if self.inside:
            if len(self.inside) > 1 or isinstance(self.inside[0], Node):
                raise Unusual("not a single part")
            return self.inside[0]
        return self.text or None


@dataclass(frozen=True, slots=True)
class Template:
    """A template: its number among those met, its root element, how many values it asks for."""

    number: int
    root: Node
    holes: int


@dataclass(frozen=True, slots=True)
class _Known:
    """A definition met before, in the form that tells whether another one is the same."""

    mask: int
    masked: int
    offsets: struct.Struct
    names: tuple[str, ...]
    number: int


@dataclass(eq=False)
class Templates:
    """All templates met so far, by what defines them; kept for as long as a reading lasts."""

    all: list[Template] = field(default_factory=list)
    _known: dict[bytes, list[_Known]] = field(default_factory=dict)
    _numbers: dict[Node, int] = field(default_factory=dict)

    def number(self, block: Block, names: Names, chunk: int, offset: int) -> int:
        """Return the number of the template that is defined at an offset of a chunk, or UNUSUAL.

        Parameters
        ----------
        block, names
            The block, and its names.
        chunk, offset
            Index of the chunk in the block, offset of the definition in it.
        """
        raw, at = block.raw, (chunk << 16) + offset
        if offset + layout.DEFINITION_BODY > CHUNK:
            return UNUSUAL
        key = raw[at + layout.DEFINITION_GUID : at + layout.DEFINITION_BODY]
        size = int.from_bytes(key[-4:], "little")
        if offset + layout.DEFINITION_BODY + size > CHUNK:
            return UNUSUAL
        start = at + layout.DEFINITION_BODY
        body = int.from_bytes(raw[start : start + size], "little")
        known = self._known.setdefault(key, [])
        for one in known:
            if body & one.mask == one.masked:
                found = names.of(chunk, one.offsets.unpack_from(raw, start))
                if found == one.names:
                    return one.number
        return self._learn(known, raw[chunk << 16 : (chunk + 1) << 16], start & 0xFFFF, size)

    def _learn(self, known: list[_Known], data: bytes, start: int, size: int) -> int:
        """Compile a definition that is new."""
        try:
            reading = _Compiler(data, start, start + size)
            root = reading.root()
        except (Unusual, struct.error, IndexError):
            return UNUSUAL  # not kept: what is damaged is rarely met twice
        number = self._numbers.setdefault(root, len(self.all))
        if number == len(self.all):
            self.all.append(Template(number, root, reading.holes))
        known.append(reading.known(number))
        return number


class Names:
    """The names of a block's chunks, each read when it is first asked for."""

    def __init__(self, block: Block) -> None:
        self._raw = block.raw
        self._seen: dict[int, str] = {}

    def of(self, chunk: int, offsets: tuple[int, ...]) -> tuple[str, ...]:
        """Return the names at these offsets of a chunk; empty where there can be none."""
        base, seen = chunk << 16, self._seen
        try:
            return tuple([seen[base + offset] for offset in offsets])
        except KeyError:
            return tuple([self._name(base, offset) for offset in offsets])

    def _name(self, base: int, offset: int) -> str:
        name = self._seen.get(base + offset)
        if name is None:
            if offset + layout.NAME_TEXT > CHUNK:
                return ""
            name = self._seen[base + offset] = name_at(self._raw, base + offset, base + CHUNK)
        return name


def name_at(raw: bytes, place: int, end: int) -> str:
    """Return the name that stands at a place; empty if there is none before `end`."""
    size = 2 * int.from_bytes(raw[place + layout.NAME_LENGTH : place + layout.NAME_TEXT], "little")
    begin = place + layout.NAME_TEXT
    return _text(raw[begin : begin + size]) if begin + size <= end else ""


@lru_cache(maxsize=4096)
def _text(name: bytes) -> str:
    return intern(name.decode("utf-16-le", "replace"))


class _Compiler:
    """Reads the tokens of one definition, `at` being the offset in the chunk of what comes next."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.holes = 0
        self._data, self._start, self._end = data, start, end
        self._at = start
        self._offsets: list[int] = []
        self._names: list[str] = []
        self._links: list[int] = []

    def root(self) -> Node:
        """Read the definition: a fragment of one element."""
        if self._u32() != layout.FRAGMENT:
            raise Unusual("no fragment")
        node = self._element(self._token(), layout.DEEPEST)
        if self._token() != layout.END:
            raise Unusual("more than one element")
        return node

    def known(self, number: int) -> _Known:
        """Return what tells whether another definition is this one."""
        size = self._end - self._start
        mask = bytearray(b"\xff" * size)
        for place in (*self._offsets, *self._links):
            mask[place - self._start : place - self._start + 4] = bytes(4)
        bits = int.from_bytes(mask, "little")
        body = int.from_bytes(self._data[self._start : self._end], "little")
        gaps, last = "<", self._start
        for place in self._offsets:
            gaps, last = f"{gaps}{place - last}xI", place + 4
        return _Known(bits, body & bits, struct.Struct(gaps), tuple(self._names), number)

    def _take(self, layout_: struct.Struct) -> int:
        value: int = layout_.unpack_from(self._data, self._at)[0]
        self._at += layout_.size
        if self._at > self._end:
            raise Unusual("it ends too early")
        return value

    def _u32(self) -> int:
        return self._take(_U32)

    def _u16(self) -> int:
        return self._take(_U16)

    def _token(self) -> int:
        return self._take(_U8)

    def _string(self) -> str:
        size = 2 * self._u16()
        text = self._data[self._at : self._at + size]
        self._at += size
        if self._at > self._end:
            raise Unusual("it ends too early")
        return text.decode("utf-16-le", "ignore").partition("\0")[0]

    def _name(self) -> str:
        """Read a name: the offset of where it stands, which may be right here."""
        self._offsets.append(self._at)
        offset = self._u32()
        name = name_at(self._data, offset, len(self._data))
        if offset == self._at:
            self._links.append(offset)
            self._at += layout.NAME_TEXT + 2 * self._length(offset) + 2
        if not name or self._at > self._end:
            raise Unusual("no name")
        self._names.append(name)
        return name

    def _length(self, offset: int) -> int:
        length: int = _U16.unpack_from(self._data, offset + layout.NAME_LENGTH)[0]
        return length

    def _element(self, token: int, depth: int) -> Node:
        if token & ~layout.MORE != layout.OPEN or not depth:
            raise Unusual("no element")
        self._u16()  # the hole on whose being filled it depends; the engines show it anyway
        self._u32()  # its size
        name = self._name()
        attributes: tuple[tuple[str, Part], ...] = ()
        if token & layout.MORE:
            attributes = self._attributes()
        token = self._token()
        if token == layout.CLOSE_EMPTY:
            return Node(name, attributes, (), "")
        if token != layout.CLOSE:
            raise Unusual("the start of an element does not end")
        inside, text = self._content(depth - 1)
        return Node(name, attributes, inside, text)

    def _attributes(self) -> tuple[tuple[str, Part], ...]:
        end = self._u32() + self._at
        found: list[tuple[str, Part]] = []
        while self._at < end:
            if self._token() & ~layout.MORE != layout.ATTRIBUTE:
                raise Unusual("no attribute")
            name = self._name()
            texts: list[str] = []
            holes: list[Hole] = []
            while self._at < end and self._data[self._at] & ~layout.MORE != layout.ATTRIBUTE:
                part = self._part(self._token())
                if isinstance(part, Hole):
                    holes.append(part)
                else:
                    texts.append(part)
            if holes and (texts or len(holes) > 1):
                raise Unusual("an attribute of several parts")
            found.append((name, holes[0] if holes else "".join(texts) or None))
        return tuple(found)

    def _content(self, depth: int) -> tuple[tuple[Node | Hole, ...], str]:
        inside: list[Node | Hole] = []
        texts: list[str] = []
        while (token := self._token()) != layout.CLOSE_ELEMENT:
            if token & ~layout.MORE == layout.OPEN:
                inside.append(self._element(token, depth))
                continue
            part = self._part(token)
            if isinstance(part, Hole):
                inside.append(part)
            else:
                texts.append(part)
        holes = sum(isinstance(part, Hole) for part in inside)
        if holes > 1 or (holes and any(texts)):
            raise Unusual("an element's text is of several parts")
        return tuple(inside), "".join(texts)

    def _part(self, token: int) -> str | Hole:
        kind = token & ~layout.MORE
        if kind in {layout.HOLE, layout.OPTIONAL_HOLE}:
            number = self._u16()
            self._token()  # the type it should have; the value's own counts
            self.holes = max(self.holes, number + 1)
            return Hole(number)
        if kind == layout.VALUE and self._token() == layout.STRING:
            return self._string()
        if kind == layout.CDATA:
            return self._string()
        if kind == layout.CHARACTER:
            return chr(self._u16())
        if kind == layout.ENTITY and (text := layout.ENTITIES.get(self._name())):
            return text
        raise Unusual(f"token {token}")


_U8: Final = struct.Struct("<B")
_U16: Final = struct.Struct("<H")
_U32: Final = struct.Struct("<I")
