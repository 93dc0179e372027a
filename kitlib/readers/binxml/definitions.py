"""Which template is defined where: each definition compiled once, known again wherever it stands.

Every chunk repeats the definitions it needs, so the same one is met thousands of times. Its bytes
are equal each time but for what depends on the place: the offsets of names. So a definition is
known again if its GUID and size are those of one met before, its bytes are equal under a mask that
leaves those fields out, and the offsets lead to the same names. (The GUID alone would not
do: it names the template, but not what the offsets in this chunk lead to.) All definitions of a
block are compared together, word by word.

Equal trees are one template with one number; everything behind this file asks by that number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from kitlib.readers.binxml import layout
from kitlib.readers.binxml.block import SHIFT, Values
from kitlib.readers.binxml.distinct import distinct, ragged
from kitlib.readers.binxml.templates import UNUSUAL, Compiled, Node, Template, Unusual, compiled
from kitlib.readers.chunks import CHUNK

if TYPE_CHECKING:
    from kitlib.readers.binxml.block import Block, Ints, Mask

MOST_FORMS: Final = 16
"""Definitions of one GUID and size that are remembered; a sound log has one or two."""


class _Form(NamedTuple):
    """A definition met before: its bytes as words under a mask, and its names by number."""

    mask: np.ndarray
    words: np.ndarray
    offsets: np.ndarray
    names: np.ndarray
    template: int


@dataclass(eq=False)
class Definitions:
    """All definitions met so far; kept for as long as a reading lasts.

    Attributes
    ----------
    templates
        What they define, by number.
    holes
        How many values each of them asks for; one more element stands for `UNUSUAL`.
    """

    templates: list[Template] = field(default_factory=list)
    holes: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    _forms: list[_Form] = field(default_factory=list)
    _template_of: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    _by_key: dict[bytes, list[int]] = field(default_factory=dict)
    _by_id: dict[int, set[int]] = field(default_factory=dict)
    _by_root: dict[Node, int] = field(default_factory=dict)
    _names: dict[bytes, int] = field(default_factory=dict)

    def resolve(self, block: Block, places: Ints) -> Ints:
        """Return the number of the template that is defined at each place of a block.

        Parameters
        ----------
        block, places
            The block and where definitions begin in it.

        Returns
        -------
        numbers
            `UNUSUAL` where there is no definition that is understood here.
        """
        out = np.full(len(places), UNUSUAL, np.int64)
        if not len(places):
            return out
        offset = places & (CHUNK - 1)
        room = CHUNK - layout.DEFINITION_BODY - offset
        size = block.u32[places + layout.DEFINITION_LENGTH].astype(np.int64)
        left = np.flatnonzero(size <= room)
        codes, firsts = distinct(block, _keys(places[left]))
        starts = (places[left[firsts]] + layout.DEFINITION_GUID).tolist()
        keys = [bytes(block.raw[at : at + _KEY]) for at in starts]
        for turn in range(MOST_FORMS):
            guess = self._guess(block, places[left], codes, keys, turn=turn)
            same = self._same(block, places[left] + layout.DEFINITION_BODY, guess)
            out[left[same]] = self._template_of[guess[same]]
            left, codes = left[~same], codes[~same]
            if not len(left):
                return out
        out[left] = [self._learn(block, place, []) for place in places[left].tolist()]
        return out

    def lend(self, ids: np.ndarray) -> Ints:
        """Return the one template of each id that is known; UNUSUAL if there is none or more."""
        known = {number: found for number, found in self._by_id.items() if len(found) == 1}
        told = [next(iter(known.get(number, (UNUSUAL,)))) for number in ids.tolist()]
        return np.array(told, np.int64)

    def _guess(
        self, block: Block, places: Ints, codes: Ints, keys: list[bytes], *, turn: int
    ) -> Ints:
        """Return the form that is to be tried in this turn; -1 if there is none to try."""
        seen, first = np.unique(codes, return_index=True)
        tried = np.full(len(keys), -1, np.int64)
        for code, at in zip(seen.tolist(), places[first].tolist(), strict=True):
            forms = self._by_key.setdefault(keys[code], [])
            if len(forms) == turn:
                self._learn(block, at, forms)
            tried[code] = forms[turn] if len(forms) > turn else -1
        return tried[codes]

    def _same(self, block: Block, bodies: Ints, guess: Ints) -> Mask:
        """Tell where a definition's body is of the form that was guessed."""
        forms = np.unique(guess[guess >= 0]).tolist()
        same = guess >= 0
        number = np.zeros(len(self._forms) + 1, np.int64)
        number[forms] = np.arange(len(forms))
        which = np.flatnonzero(same)
        tried = [self._forms[form] for form in forms]
        for check in (_bytes_differ, self._names_differ):
            if len(which):
                wrong = check(block, bodies[which], number[guess[which]], tried)
                same[which[wrong]] = False
                which = which[~wrong]
        return same

    def _names_differ(self, block: Block, bodies: Ints, form: Ints, tried: list[_Form]) -> Mask:
        """Tell where an offset leads to another name."""
        owner, at = ragged(np.array([len(f.offsets) for f in tried])[form])
        begin = np.cumsum([0, *(len(f.offsets) for f in tried)])
        index = begin[form][owner] + at
        offset = block.u32[bodies[owner] + np.concatenate([f.offsets for f in tried])[index]]
        inside = offset <= CHUNK - layout.NAME_TEXT
        place = np.where(inside, (bodies[owner] >> SHIFT << SHIFT) + offset, 0)
        inverse, places = pd.factorize(place)
        found = self._name_numbers(block, places)[inverse]
        wanted = np.concatenate([f.names for f in tried])[index]
        return np.bincount(owner[~inside | (found != wanted)], minlength=len(form)) > 0

    def _name_numbers(self, block: Block, places: Ints) -> Ints:
        """Return the number of the name at each place; -1 if it is none that was met before."""
        size = 2 * block.u16[places + layout.NAME_LENGTH].astype(np.int64)
        begin = places + layout.NAME_TEXT
        size[(begin & (CHUNK - 1)) + size > CHUNK] = 0
        codes, firsts = distinct(block, Values(begin, size, np.zeros_like(size)))
        bounds = zip(begin[firsts].tolist(), size[firsts].tolist(), strict=True)
        known = [self._names.get(bytes(block.raw[at : at + length]), -1) for at, length in bounds]
        return np.array(known, np.int64)[codes]

    def _learn(self, block: Block, place: int, forms: list[int]) -> int:
        """Compile a definition, add its form to those of its key; return its template."""
        chunk = place >> SHIFT << SHIFT
        start = place - chunk + layout.DEFINITION_BODY
        size = int(block.u32[place + layout.DEFINITION_LENGTH])
        data = bytes(block.raw[chunk : chunk + CHUNK])
        try:
            made = compiled(data, start, size)
        except Unusual:
            return UNUSUAL  # not remembered: what is damaged is rarely met twice
        number = self._by_root.setdefault(made.root, len(self.templates))
        if number == len(self.templates):
            self.templates.append(Template(number, made.root, made.holes))
            self.holes = np.concatenate([self.holes[:-1], [made.holes, 0]])
        forms.append(len(self._forms))
        self._by_id.setdefault(int(block.u32[place + layout.DEFINITION_GUID]), set()).add(number)
        self._template_of = np.append(self._template_of, number)
        self._forms.append(self._form(made, data[start : start + size], number))
        return number

    def _form(self, made: Compiled, body: bytes, template: int) -> _Form:
        mask = np.frombuffer(b"\xff" * len(body), np.uint8).copy()
        for place in (*made.offsets, *made.links):
            mask[place : place + 4] = 0
        words = _words(np.frombuffer(body, np.uint8) & mask)
        names = [self._names.setdefault(name, len(self._names)) for name in made.names]
        offsets = np.array(made.offsets, np.int64)
        return _Form(_words(mask), words, offsets, np.array(names, np.int64), template)


_KEY: Final = layout.DEFINITION_BODY - layout.DEFINITION_GUID


def _keys(places: Ints) -> Values:
    """Return GUID and size of each definition, as values."""
    size = np.full(len(places), _KEY, np.int64)
    return Values(places + layout.DEFINITION_GUID, size, np.zeros_like(size))


def _words(body: np.ndarray) -> np.ndarray:
    return np.append(body, np.zeros(-len(body) % 8, np.uint8)).view("<u8")


def _bytes_differ(block: Block, bodies: Ints, form: Ints, tried: list[_Form]) -> Mask:
    """Tell where a body has other bytes than its form, where the form's mask counts them."""
    owner, at = ragged(np.array([len(f.words) for f in tried])[form])
    index = np.cumsum([0, *(len(f.words) for f in tried)])[form][owner] + at
    here = block.u64[bodies[owner] + 8 * at] & np.concatenate([f.mask for f in tried])[index]
    wrong = here != np.concatenate([f.words for f in tried])[index]
    return np.bincount(owner[wrong], minlength=len(form)) > 0
