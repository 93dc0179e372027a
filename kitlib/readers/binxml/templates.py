"""Template definitions: the XML with numbered holes that records fill.

A definition is compiled to a tree of `Node`, whose parts are text, other nodes, and `Hole`: "here
goes the record's value of this number".

What this file does not understand (values that are not text inside a template, processing
instructions, an element of mixed text and holes) raises `Unusual`, and the records that need it
are left to the engines. It does not know how often a definition is met: see
`kitlib.readers.binxml.definitions`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from sys import intern
from typing import Final

from kitlib.readers.binxml import layout

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
class Compiled:
    """What a definition says, and which of its bytes depend on where it stands.

    Attributes
    ----------
    root, holes
        As in `Template`.
    offsets
        Places, counted from the first byte of the definition's body, of the offsets of names.
    names
        The names that these lead to, as the record has them.
    links
        Places of other fields of four bytes that depend on the place.
    """

    root: Node
    holes: int
    offsets: tuple[int, ...]
    names: tuple[bytes, ...]
    links: tuple[int, ...]


def compiled(chunk: bytes, start: int, size: int) -> Compiled:
    """Read a definition's body, which stands at `start` of a chunk.

    Raises
    ------
    Unusual
        It is left to the engines.
    """
    try:
        return _Compiler(chunk, start, start + size).read()
    except (struct.error, IndexError) as error:
        raise Unusual("it ends too early") from error


class _Compiler:
    """Reads the tokens of one definition, `at` being the offset in the chunk of what comes next."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._holes = 0
        self._data, self._start, self._end = data, start, end
        self._at = start
        self._offsets: list[int] = []
        self._names: list[bytes] = []
        self._links: list[int] = []

    def read(self) -> Compiled:
        """Read the definition: a fragment of one element."""
        if self._u32() != layout.FRAGMENT:
            raise Unusual("no fragment")
        root = self._element(self._token(), layout.DEEPEST)
        if self._token() != layout.END:
            raise Unusual("more than one element")
        return Compiled(
            root, self._holes, tuple(self._offsets), tuple(self._names), tuple(self._links)
        )

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
        self._offsets.append(self._at - self._start)
        offset = self._u32()
        (length,) = _U16.unpack_from(self._data, offset + layout.NAME_LENGTH)
        begin = offset + layout.NAME_TEXT
        text = self._data[begin : begin + 2 * length]
        if offset == self._at:
            self._links.append(offset - self._start)
            self._at = begin + 2 * length + 2
        if not length or len(text) < 2 * length or self._at > self._end:
            raise Unusual("no name")
        self._names.append(text)
        return intern(text.decode("utf-16-le", "replace"))

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
            self._holes = max(self._holes, number + 1)
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
