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
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from kitlib.readers.binxml import layout
from kitlib.readers.binxml.block import unpacked
from kitlib.readers.binxml.templates import Node, Part, Template, Unusual
from kitlib.readers.binxml.values import Spelled, spell
from kitlib.readers.payload import EPOCH_TICKS, NS_FIRST, NS_LAST, SYSTEM_COLUMNS, exact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kitlib.readers.binxml.block import Block, Ints, Mask, Records
    from kitlib.readers.binxml.instances import Instances

READ: Final[dict[str, Callable[[str], Any]]] = {
    column: read for parts in SYSTEM_COLUMNS.values() for _, column, read in parts
}
"""How each column is read from text."""

_SIZES: Final = [layout.WHOLE_SIZE.get(kind, 0) for kind in range(256)]
_USUAL: Final = np.array([kind << 16 | size or -1 for kind, size in enumerate(_SIZES)], np.int64)
"""Size and type, as in a packed value, of a whole number of each type."""
_MASK: Final = np.array([2 ** (8 * size) - 1 for size in _SIZES], np.uint64)
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


class Turn(NamedTuple):
    """Where a column is looked for first, or next; each array has an element for each template.

    ``holes`` are the holes' numbers, -1 for none; ``constants`` what the templates say themselves,
    None for nothing. ``asks`` and ``says`` tell whether there is any of these.
    """

    holes: Ints
    constants: np.ndarray
    asks: bool
    says: bool


_NO_TURN: Final[Turn] = Turn(np.zeros(0, np.int64), np.zeros(0, object), asks=False, says=False)


@dataclass(eq=False)
class Sources:
    """Where each column of each template comes from; grows with the templates.

    ``usual`` tells of each template whether that is understood; False stands behind the last one.
    """

    usual: Mask = field(default_factory=lambda: np.zeros(1, bool))
    turns: dict[str, list[Turn]] = field(
        default_factory=lambda: {column: [_NO_TURN] * _MOST for column in READ}
    )

    def learn(self, templates: list[Template]) -> None:
        """Work out the templates that are new."""
        known = len(self.usual) - 1
        if known == len(templates):
            return
        found = [_understood(template.root) for template in templates[known:]]
        self.usual = np.concatenate([self.usual[:-1], [bool(f) for f in found], [False]])
        for column, turns in self.turns.items():
            parts = [f.get(column, ()) for f in found]
            self.turns[column] = [_more(turn, parts, number) for number, turn in enumerate(turns)]


def _more(turn: Turn, parts: list[Any], number: int) -> Turn:
    """Add to a turn what more templates say, each a list of sources."""
    here = [part[number] if len(part) > number else (-1, None) for part in parts]
    constants = np.empty(len(here), object)
    constants[:] = [constant for _, constant in here]
    return Turn(
        np.append(turn.holes, [hole for hole, _ in here]),
        np.append(turn.constants, constants),
        asks=turn.asks or any(hole >= 0 for hole, _ in here),
        says=turn.says or any(constant is not None for _, constant in here),
    )


def _understood(root: Node) -> dict[str, list[tuple[int, Any]]]:
    """Return the sources of a template's columns; nothing if they are not to be read here."""
    try:
        found = _sources(root)
    except Unusual:
        return {}
    return found if all(len(parts) <= _MOST for parts in found.values()) else {}


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

    ``odd`` marks those that turn out to be unreadable here; they are left to the engines. ``lent``
    marks those of which a template was found elsewhere, see `instances.instances`.
    """

    block: Block
    records: Records
    instances: Instances
    sources: Sources
    odd: Mask
    lent: Mask

    def __len__(self) -> int:
        return len(self.odd)

    def take(self, which: np.ndarray) -> Events:
        """Return some of them: a mask or indexes."""
        records, parts = self.records.take(which), self.instances.take(which)
        return Events(self.block, records, parts, self.sources, self.odd[which], self.lent[which])

    def numbers(self, column: str) -> Numbers:
        """Read a column of whole numbers."""
        packed = self.instances.hole(self.sources.turns[column][0].holes)
        described = packed & 0xFF_FFFF
        kind = described >> 16
        whole = (self.block.u64[packed >> 24] & _MASK[kind]).view(np.int64)
        plain = described == _USUAL[kind]
        out = Numbers(whole, ~plain | (whole < 0))
        self._others(out, column, ~plain, packed)
        return out

    def times(self, column: str) -> Numbers:
        """Read a column of times, as ns since 1970, to 100 ns."""
        packed = self.instances.hole(self.sources.turns[column][0].holes)
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
        codes = np.zeros(len(self), np.int64)
        for turn in self.sources.turns[column]:
            if turn.says:
                found = self._said(turn, known)
                codes = np.where(codes == 0, found, codes)
            if turn.asks:
                packed = self.instances.hole(turn.holes)
                where = np.flatnonzero((codes == 0) & (packed & 0xFFFF > 0))
                spelled = spell(self.block, packed[where])
                read = [_read(text, READ[column]) for text in spelled.pool]
                made = [known.setdefault(r, len(known)) if r else 0 for r in read]
                codes[where] = np.array(made, np.int64)[spelled.codes]
                self._note(where, spelled)
        return Texts(codes, list(known))

    def _said(self, turn: Turn, known: dict[str, int]) -> Ints:
        """Return the code of the text that each event's template says; 0 if it says none."""
        template = self.instances.template
        used = np.flatnonzero(np.bincount(template, minlength=len(turn.constants)))
        told = np.zeros(len(turn.constants), np.int64)
        for number, text in zip(used.tolist(), turn.constants[used].tolist(), strict=True):
            told[number] = known.setdefault(text, len(known)) if text else 0
        found: Ints = told[template]
        return found

    def _others(self, out: Numbers, column: str, which: Mask, packed: Ints) -> Ints:
        """Read what is not of a usual type from its text, and what comes from elsewhere.

        Returns the events that were read from a text.
        """
        where = np.flatnonzero(which & (packed & 0xFFFF > 0) & (packed & 0xFF_0000 > 0))
        self._spelled(out, column, where, packed[where])
        for number, turn in enumerate(self.sources.turns[column]):
            if turn.says:
                constants = turn.constants[self.instances.template]
                here = out.missing & np.array([c is not None for c in constants], bool)
                out.whole[here] = constants[here].astype(np.int64)
                out.missing[here] = False
            if turn.asks and number:
                more = np.flatnonzero(out.missing)
                self._spelled(out, column, more, self.instances.hole(turn.holes)[more])
                where = np.append(where, more)
        return where

    def _spelled(self, out: Numbers, column: str, where: Ints, packed: Ints) -> None:
        """Read values of other types from their text."""
        if not len(where):
            return
        spelled = spell(self.block, packed)
        read = [_read(text, READ[column]) for text in spelled.pool]
        out.whole[where] = np.array([r or 0 for r in read], np.int64)[spelled.codes]
        out.missing[where] = np.array([r is None for r in read])[spelled.codes]
        self._note(where, spelled)

    def _exact(self, out: Numbers, event: int) -> None:
        """Take the record header's time where it is the same with more digits."""
        stated = None if out.missing[event] else int(out.whole[event])
        told = exact(stated, int(self.records.ticks[event]))
        out.missing[event], out.whole[event] = told is None, told or 0

    def _note(self, where: Ints, spelled: Spelled) -> None:
        odd = spelled.unread | spelled.arrays
        if odd.any():
            self.odd[where[odd[spelled.codes]]] = True


def _read(text: object, read: Callable[[str], Any]) -> Any:  # noqa: ANN401  # a column's value
    return read(text.strip()) if isinstance(text, str) else None
