"""The ``System`` part of many events at once: one array for each column of table `events`.

For every template it is worked out once where each column comes from: from a hole, from a text in
the template (the ``Computer``, for classic sources also provider and channel), or, if that is
empty, from a second one. With these answers as arrays over the templates, the sources of
*all* records are one lookup, ``holes[template]``, and their values one gather, whatever the mix of
templates. That a text of the template is a source like any other keeps templates
that differ by the computer's name from being treated apart.

Numbers and times of the usual types are read straight from their bytes; anything else (a version
stored as text) is spelled and then read as the other engines' text is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kitlib.readers.binxml import layout
from kitlib.readers.binxml.block import unpacked
from kitlib.readers.binxml.templates import Node, Part, Template, Unusual
from kitlib.readers.binxml.values import UNREADABLE, spell
from kitlib.readers.payload import EPOCH_TICKS, NS_FIRST, NS_LAST, SYSTEM_COLUMNS, exact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kitlib.readers.binxml.block import Block, Ints, Mask, Records
    from kitlib.readers.binxml.instances import Instances

READ: Final[dict[str, Callable[[str], Any]]] = {
    column: read for parts in SYSTEM_COLUMNS.values() for _, column, read in parts
}
"""How each column is read from text."""

_SIZE: Final = np.array([layout.WHOLE_SIZE.get(kind, -1) for kind in range(256)], np.int64)
_MASK: Final = np.array([2 ** (8 * max(size, 0)) - 1 for size in _SIZE.tolist()], np.uint64)
_TICKS_FIRST: Final = np.uint64(-(-NS_FIRST // 100) + EPOCH_TICKS)
_TICKS_LAST: Final = np.uint64(NS_LAST // 100 + EPOCH_TICKS)
_MOST: Final = 2


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column of whole numbers, or of ns since 1970; ``missing`` where there is none."""

    whole: Ints
    missing: Mask


@dataclass(frozen=True, eq=False)
class Texts:
    """A column of text: ``texts[codes]``; the first text is the empty one."""

    codes: Ints
    texts: list[str]


@dataclass(eq=False)
class Sources:
    """Where each column of each template comes from; grows with the templates.

    ``holes[column][turn][template]`` is the hole that is asked first or second, -1 for none;
    ``constants`` the same for what the template itself says, None for nothing.
    """

    usual: list[bool] = field(default_factory=list)
    holes: dict[str, list[list[int]]] = field(
        default_factory=lambda: {column: [[] for _ in range(_MOST)] for column in READ}
    )
    constants: dict[str, list[list[Any]]] = field(
        default_factory=lambda: {column: [[] for _ in range(_MOST)] for column in READ}
    )

    def asks(self, column: str, turn: int) -> bool:
        """Tell whether any template has a hole for a column in this turn."""
        return max(self.holes[column][turn], default=-1) >= 0

    def learn(self, templates: list[Template]) -> None:
        """Work out the templates that are new."""
        for template in templates[len(self.usual) :]:
            try:
                found = _sources(template.root)
            except Unusual:
                found = {}
            self.usual.append(all(len(parts) <= _MOST for parts in found.values()) and bool(found))
            for column in READ:
                parts = found.get(column, [])
                for turn in range(_MOST):
                    part = parts[turn] if turn < len(parts) else None
                    hole = part[0] if part is not None else -1
                    self.holes[column][turn].append(hole)
                    self.constants[column][turn].append(part[1] if part is not None else None)


def _sources(root: Node) -> dict[str, list[tuple[int, Any]]]:
    """Return for each column its sources in turn: a hole's number, or -1 and a value."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for element, attribute, column, read in _places(root):
        part = _part(element, attribute)
        if isinstance(part, str):
            value = read(part.strip()) if part else None
            if value is not None and value != "":
                found.setdefault(column, []).append((-1, value))
        elif part is not None:
            found.setdefault(column, []).append((part.number, None))
    return found


def _places(root: Node) -> Iterator[tuple[Node, str, str, Callable[[str], Any]]]:
    for system in root.inside:
        if isinstance(system, Node) and system.name == "System":
            for element in system.inside:
                if not isinstance(element, Node):
                    raise Unusual("a hole in System")
                for attribute, column, read in SYSTEM_COLUMNS.get(element.name, ()):
                    yield element, attribute, column, read


def _part(element: Node, attribute: str) -> Part:
    return dict(element.attributes).get(attribute) if attribute else element.part


@dataclass(eq=False)
class Events:
    """Events of a block, one for each array element: where they stand and what is said of them.

    ``odd`` marks those that turn out to be unreadable here; they are left to the engines.
    """

    block: Block
    records: Records
    instances: Instances
    sources: Sources
    odd: Mask

    def take(self, which: np.ndarray) -> Events:
        """Return some of them: a mask or indexes."""
        records, parts = self.records.take(which), self.instances.take(which)
        return Events(self.block, records, parts, self.sources, self.odd[which])

    def numbers(self, column: str) -> Numbers:
        """Read a column of whole numbers."""
        packed = self._given(column, 0)
        values = unpacked(packed)
        whole = (self.block.u64[values.place] & _MASK[values.kind]).view(np.int64)
        plain = _SIZE[values.kind] == values.size
        out = Numbers(whole, ~plain | (whole < 0))
        self._others(out, column, ~plain, packed)
        return out

    def times(self, column: str) -> Numbers:
        """Read a column of times, as ns since 1970, to 100 ns."""
        packed = self._given(column, 0)
        values = unpacked(packed)
        ticks = self.block.u64[values.place]
        plain = (values.kind == layout.FILETIME) & (values.size == 8)
        fits = plain & (ticks >= _TICKS_FIRST) & (ticks <= _TICKS_LAST)
        since = np.where(fits, ticks.view(np.int64) - EPOCH_TICKS, 0)
        out = Numbers(since * 100, ~fits)
        for event in self._others(out, column, ~plain, packed).tolist():
            self._exact(out, event)
        return out

    def texts(self, column: str) -> Texts:
        """Read a column of texts."""
        known: dict[str, int] = {"": 0}
        codes = np.zeros(len(self.odd), np.int64)
        for turn in range(_MOST):
            constants = self.sources.constants[column][turn]
            told = np.array([known.setdefault(c, len(known)) if c else 0 for c in constants])
            if told.any():
                codes = np.where(codes == 0, told[self.instances.template], codes)
            if self.sources.asks(column, turn):
                packed = self._given(column, turn)
                where = np.flatnonzero((codes == 0) & (packed & 0xFFFF > 0))
                pool, inverse = spell(self.block, packed[where])
                read = [_read(text, READ[column]) for text in pool]
                made = [known.setdefault(r, len(known)) if r else 0 for r in read]
                codes[where] = np.array(made, np.int64)[inverse]
                self._note(where, pool, inverse)
        return Texts(codes, list(known))

    def _given(self, column: str, turn: int) -> Ints:
        """Return the packed value that each event has for a column."""
        return self.instances.hole(np.array(self.sources.holes[column][turn], np.int64))

    def _others(self, out: Numbers, column: str, which: Mask, packed: Ints) -> Ints:
        """Read what is not of a usual type from its text, and what comes from elsewhere.

        Returns the events that were read from a text.
        """
        where = np.flatnonzero(which & (packed & 0xFFFF > 0) & (packed >> 16 & 0xFF > 0))
        self._spelled(out, column, where, packed[where])
        for turn in range(_MOST):
            self._constants(out, column, turn)
            if turn and self.sources.asks(column, turn):
                more = np.flatnonzero(out.missing)
                self._spelled(out, column, more, self._given(column, turn)[more])
                where = np.append(where, more)
        return where

    def _constants(self, out: Numbers, column: str, turn: int) -> None:
        constants = self.sources.constants[column][turn]
        if any(c is not None for c in constants):
            here = np.array([c is not None for c in constants])[self.instances.template]
            here &= out.missing
            told = np.array([c or 0 for c in constants], np.int64)
            out.whole[here] = told[self.instances.template[here]]
            out.missing[here] = False

    def _spelled(self, out: Numbers, column: str, where: Ints, packed: Ints) -> None:
        """Read values of other types from their text."""
        if not len(where):
            return
        pool, inverse = spell(self.block, packed)
        read = [_read(text, READ[column]) for text in pool]
        out.whole[where] = np.array([r or 0 for r in read], np.int64)[inverse]
        out.missing[where] = np.array([r is None for r in read])[inverse]
        self._note(where, pool, inverse)

    def _exact(self, out: Numbers, event: int) -> None:
        """Take the record header's time where it is the same with more digits."""
        stated = None if out.missing[event] else int(out.whole[event])
        told = exact(stated, int(self.records.ticks[event]))
        out.missing[event], out.whole[event] = told is None, told or 0

    def _note(self, where: Ints, pool: np.ndarray, inverse: np.ndarray) -> None:
        odd = np.array([text is UNREADABLE or isinstance(text, tuple) for text in pool], bool)
        if odd.any():
            self.odd[where[odd[inverse]]] = True


def _read(text: object, read: Callable[[str], Any]) -> Any:  # noqa: ANN401  # a column's value
    return read(text.strip()) if isinstance(text, str) else None
