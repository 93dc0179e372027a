"""Template instances of many records at once: which template each is of, and where its values are.

The answer is *ragged*: instance i has ``count[i]`` values, and they are the elements
``first[i] : first[i] + count[i]`` of three flat arrays, the values' places, sizes and types. Value 3 of
every instance is then ``first + 3``, whatever the template.

This file knows instances and their tables of values. It does not know what is in a template.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kitlib.readers.binxml import layout
from kitlib.readers.binxml.block import SHIFT
from kitlib.readers.binxml.templates import UNUSUAL
from kitlib.readers.chunks import CHUNK

if TYPE_CHECKING:
    from kitlib.readers.binxml.block import Block, Ints
    from kitlib.readers.binxml.templates import Names, Templates

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Values:
    """Values of a block: place of the first byte, number of bytes, type; equal in length."""

    place: Ints
    size: Ints
    kind: NDArray[np.uint8]

    def take(self, which: np.ndarray) -> Values:
        """Return some of them: indexes, a mask or a slice."""
        return Values(self.place[which], self.size[which], self.kind[which])


@dataclass(frozen=True, eq=False)
class Instances:
    """Instances of templates, one array element each.

    ``template`` is `UNUSUAL` where the instance cannot be read here; its ``count`` is then 0.
    """

    template: Ints
    first: Ints
    count: Ints
    held: Values

    def hole(self, number: np.ndarray) -> tuple[Ints, Mask]:
        """Return where in `held` each instance has a value of a number; mask: it has one."""
        there = (number >= 0) & (number < self.count)
        return np.where(there, self.first + number, 0), there


def instances(
    block: Block, names: Names, templates: Templates, *, start: Ints, end: Ints
) -> Instances:
    """Read the instances that stand at `start` and may reach to `end`.

    Parameters
    ----------
    block, names, templates
        Where they stand, and what is known of names and templates; templates are added.
    start, end
        Places in the block. An instance may have a fragment's header before it.
    """
    at = start + layout.FRAGMENT_SIZE * (block.u32[start] == layout.FRAGMENT)
    readable = (at + layout.INSTANCE_SIZE + 4 <= end) & (block.u8[at] == layout.INSTANCE)
    at = np.where(readable, at, 0)
    definition = np.where(readable, block.u32[at + layout.INSTANCE_DEFINITION], 0).astype(np.int64)
    readable &= definition < CHUNK
    template = _resolve(block, names, templates, (at >> SHIFT << SHIFT) + definition, readable)
    table = at + layout.INSTANCE_SIZE
    own = readable & ((at >> SHIFT << SHIFT) + definition == table)
    table[own] += layout.DEFINITION_BODY + block.u32[table[own] + layout.DEFINITION_LENGTH]
    return _tables(block, template, np.minimum(table, end), end, templates)


def _resolve(block: Block, names: Names, templates: Templates, place: Ints, readable: Mask) -> Ints:
    """Return the template of each definition's place; each place is looked at once."""
    places, inverse = np.unique(place[readable], return_inverse=True)
    numbers = [templates.number(block, names, p >> SHIFT, p & 0xFFFF) for p in places.tolist()]
    out = np.full(len(place), UNUSUAL, np.int64)
    out[readable] = np.array(numbers, np.int64)[inverse]
    return out


def _tables(
    block: Block, template: Ints, table: Ints, end: Ints, templates: Templates
) -> Instances:
    """Read the tables of values; an instance whose table does not fit becomes `UNUSUAL`."""
    count = block.u32[table].astype(np.int64)
    begin = table + 4 + 4 * count
    needed = np.array([t.holes for t in templates.all] or [0], np.int64)[template]
    fits = (template != UNUSUAL) & (begin <= end) & (count >= needed)
    count = np.where(fits, count, 0)
    first = np.cumsum(count) - count
    total = int(count.sum())
    owner_shift = np.repeat(table + 4 - 4 * first, count)
    described = block.u32[owner_shift + 4 * np.arange(total)]
    size = (described & 0xFFFF).astype(np.int64)
    kind = (described >> 16).astype(np.uint8)
    before = np.cumsum(size) - size
    base = begin - _at(before, first, total)
    place = before + np.repeat(base, count)
    values = Values(place, size, kind)
    bad = np.bincount(
        np.repeat(np.arange(len(count)), count)[~layout.sizes_fit(kind, size)], minlength=len(count)
    )
    behind = _at(before + size, np.maximum(first + count - 1, 0), total) + base
    fits &= (bad == 0) & ((count == 0) | (behind <= end))
    return Instances(np.where(fits, template, UNUSUAL), first, np.where(fits, count, 0), values)


def _at(array: Ints, index: Ints, total: int) -> Ints:
    """Take elements, zeros where there is nothing to take from."""
    return array[np.minimum(index, total - 1)] if total else np.zeros(len(index), np.int64)
