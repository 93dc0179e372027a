"""Template instances of many records at once: which template each is of, and where its values are.

Instance i has ``count[i]`` values; they are the elements ``first[i] : first[i] + count[i]`` of one
flat array, whatever the templates. So hole 3 of every instance is ``first + 3``, and a column is one
gather. An element of that array is one number that says where a value's bytes begin, how many they
are and of which type (`unpacked`): one gather is cheaper than three.

This file knows instances and their tables of values. It does not know what is in a template.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib.readers.binxml import layout
from kitlib.readers.binxml.block import SHIFT
from kitlib.readers.binxml.templates import UNUSUAL
from kitlib.readers.chunks import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitlib.readers.binxml.block import Block, Ints, Mask
    from kitlib.readers.binxml.definitions import Definitions


NO_VALUE: Final = 0
"""A packed value of type NULL; the last element of `Instances.held` is one."""


@dataclass(frozen=True, eq=False)
class Instances:
    """Instances of templates, one array element each.

    ``template`` is `UNUSUAL` where the instance cannot be read here; its ``count`` is then 0.
    ``lent``: its definition is not where it says, and one was taken from elsewhere.
    """

    template: Ints
    first: Ints
    count: Ints
    held: Ints
    lent: Mask

    def take(self, which: np.ndarray) -> Instances:
        """Return some of them: indexes or a mask."""
        return Instances(
            self.template[which], self.first[which], self.count[which], self.held, self.lent[which]
        )

    def hole(self, of_template: Ints) -> Ints:
        """Return the packed value of one hole of each instance.

        Parameters
        ----------
        of_template
            For each template the hole's number, -1 for none.
        """
        number = of_template[self.template]
        flat = self.first + number
        if (of_template < 0).any():
            flat[number < 0] = -1
        found: Ints = self.held[flat]
        return found


def instances(
    block: Block, definitions: Definitions, *, start: Ints, end: Ints, stale: bool = False
) -> Instances:
    """Read the instances that stand at `start` and may reach to `end`.

    Parameters
    ----------
    block, definitions
        Where they stand, and what is known of definitions, which is added to.
    start, end
        Places in the block. An instance may have a fragment's header before it.
    stale
        Whether something newer may stand where they say that their definition is. Then it counts
        only if it has the id that they state, which is the first part of its GUID; else they are lent
        the one definition of that id that is known, if it is only one.
    """
    template, table, lent = _templates(block, definitions, start, end, stale=stale)
    count = block.u32[table].astype(np.int64)
    fits = (template != UNUSUAL) & (count >= definitions.holes[template])
    fits &= table + 4 + 4 * count <= end
    count[~fits] = 0
    first, held = _tables(block, count, table, end, fits)
    return Instances(np.where(fits, template, UNUSUAL), first, count, held, lent)


def _templates(
    block: Block, definitions: Definitions, start: Ints, end: Ints, *, stale: bool
) -> tuple[Ints, Ints, Mask]:
    """Return of which template each instance is, where its table of values is, and `lent`."""
    at = start + layout.FRAGMENT_SIZE * (block.u32[start] == layout.FRAGMENT)
    readable = (at + layout.INSTANCE_SIZE + 4 <= end) & (block.u8[at] == layout.INSTANCE)
    at[~readable] = 0
    offset = block.u32[at + layout.INSTANCE_DEFINITION].astype(np.int64)
    place = (at >> SHIFT << SHIFT) + offset
    sound = readable & (offset < CHUNK)
    lent = np.zeros(len(at), bool)
    if stale:
        place[~sound] = 0
        stated = block.u32[at + layout.INSTANCE_ID]
        sound &= block.u32[place + layout.DEFINITION_GUID] == stated
        lent = readable & ~sound
    template = np.full(len(at), UNUSUAL, np.int64)
    inverse, places = pd.factorize(place[sound])
    template[sound] = definitions.resolve(block, places)[inverse]
    if lent.any():
        lent &= place != at + layout.INSTANCE_SIZE  # its own definition, and that is damaged
        template[lent] = definitions.lend(stated[lent])
    table = at + layout.INSTANCE_SIZE
    own = np.flatnonzero(sound & (place == table))
    table[own] += layout.DEFINITION_BODY + block.u32[table[own] + layout.DEFINITION_LENGTH]
    return template, np.minimum(table, end), lent


def _tables(block: Block, count: Ints, table: Ints, end: Ints, fits: Mask) -> tuple[Ints, Ints]:
    """Read the tables of so many values each; return `first` and `held` of `Instances`.

    Where the values do not end where they may, ``fits`` and ``count`` are taken back.
    """
    first = np.zeros(len(count), np.int64)
    parts = [np.zeros(0, np.int64)]
    total = 0
    for number, group in _by_count(count):
        packed, ends = _table(block, table[group], number)
        first[group] = total + number * np.arange(len(group))
        total += packed.size
        parts.append(packed.ravel())
        wrong = group[ends > end[group]]
        fits[wrong] = False
        count[wrong] = 0
    return first, np.concatenate([*parts, [NO_VALUE]])


def _by_count(count: Ints) -> Iterator[tuple[int, Ints]]:
    """Yield each number of values, and the instances that have so many."""
    order = np.argsort(count.astype(np.uint16), kind="stable")
    bounds = np.flatnonzero(np.diff(count[order], prepend=0, append=-1))
    for begin, end in pairwise(bounds.tolist()):
        yield int(count[order[begin]]), order[begin:end]


def _table(block: Block, table: Ints, count: int) -> tuple[Ints, Ints]:
    """Read tables of the same number of values: a row an instance, and where the values end."""
    rows = block.rows(table + 4, 4 * count).view("<u4").reshape(len(table), count)
    described = rows.astype(np.int64) & 0xFF_FFFF
    sizes = described & 0xFFFF
    place = sizes.ravel().cumsum().reshape(rows.shape)
    place -= sizes
    place += (table + 4 + 4 * count - place[:, 0])[:, None]
    ends = place[:, -1] + sizes[:, -1]
    place <<= 24
    place |= described
    return place, ends
