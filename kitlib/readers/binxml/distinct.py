"""Equal values found without making a Python object of each.

A log says the same things again and again, so of a hundred thousand values only some thousands
differ. `distinct` gives equal ones (same type, same bytes) the same code, and only one of each
need be spelled out. Values of about the same size are gathered as rows of 64 bit words, each row is
mixed into one 64 bit number, and equal numbers get one code.

Two different values may give the same number, by chance (once in 10^19 pairs) or because somebody
wrote a log that way. So each row is compared with the first row of its code, and one that
differs gets a code of its own: the result is exact.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kitlib.readers.binxml.block import Block, Ints, Values, Words

MOST_WORDS: Final = 64
"""Longer values than this many words are told apart one by one, by Python."""

_MIX: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
_HALF: Final = np.uint64(32)
_WEIGHTS: Final = np.array(
    [pow(0xD134_2543_DE82_EF95, power, 2**64) for power in range(1, MOST_WORDS + 1)], np.uint64
)
_LAST: Final = np.array([2**64 - 1, *(2 ** (8 * rest) - 1 for rest in range(1, 8))], np.uint64)
"""Mask of a value's last word by its size modulo 8."""


def distinct(block: Block, values: Values) -> tuple[NDArray[np.intp], Ints]:
    """Give equal values the same code.

    Returns
    -------
    codes, firsts
        For each value its code; for each code the index of the first value that has it.
    """
    words = (values.size + 7) >> 3
    mixed = (values.size << 8 | values.kind).astype(np.uint64)
    order = np.argsort(words.astype(np.uint16), kind="stable")
    bounds = np.flatnonzero(np.diff(words[order], prepend=-1, append=-1))
    groups = [order[a:b] for a, b in pairwise(bounds)]
    long = [g for g in groups if words[g[0]] > MOST_WORDS]
    short = [g for g in groups if 0 < words[g[0]] <= MOST_WORDS]
    rows = [_rows(block, values, group, int(words[group[0]])) for group in short]
    for group, row in zip(short, rows, strict=True):
        mixed[group] = _mixed(row, mixed[group])
    codes, _ = pd.factorize(mixed)
    firsts = _firsts(codes)
    wrong = [
        _differ(block, values, group, row, firsts[codes[group]])
        for group, row in zip(short, rows, strict=True)
    ]
    alone = np.concatenate([*wrong, *long, np.zeros(0, np.int64)])
    if len(alone):
        codes[alone] = len(firsts) + _one_by_one(block, values, alone)
        codes, _ = pd.factorize(codes)
        firsts = _firsts(codes)
    return codes, firsts


def ragged(counts: Ints) -> tuple[Ints, Ints]:
    """Count off the elements of groups that stand side by side.

    Returns
    -------
    owner, at
        For each element its group, and its number in the group.

    Examples
    --------
    >>> ragged(np.array([2, 0, 3]))
    (array([0, 0, 2, 2, 2]), array([0, 1, 0, 1, 2]))
    """
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _rows(block: Block, values: Values, group: Ints, words: int) -> Words:
    """Gather values as rows of words, what is behind their end set to zero."""
    rows = block.rows(values.place[group], 8 * words).view("<u8").reshape(len(group), words)
    rows[:, -1] &= _LAST[values.size[group] & 7]
    return rows


def _mixed(rows: Words, seed: Words) -> Words:
    """Mix each row into one number: a weighted sum, then its halves with each other."""
    mixed: Words = rows @ _WEIGHTS[: rows.shape[1]]
    mixed ^= seed
    mixed *= _MIX
    mixed ^= mixed >> _HALF
    return mixed


def _differ(block: Block, values: Values, group: Ints, rows: Words, firsts: Ints) -> Ints:
    """Return which values of a group are not equal to the first one of their code."""
    wanted = _rows(block, values, firsts, rows.shape[1])
    if np.array_equal(rows, wanted):  # as good as always, and faster than to look at each row
        return group[:0]
    wrong: Ints = group[(rows != wanted).any(axis=1)]
    return wrong


def _firsts(codes: NDArray[np.intp]) -> Ints:
    """Return the first index of each code; codes are numbered in the order of appearance."""
    firsts = np.empty(codes.max(initial=-1) + 1, np.int64)
    firsts[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return firsts


def _one_by_one(block: Block, values: Values, which: Ints) -> Ints:
    seen: dict[tuple[int, bytes], int] = {}
    places, sizes = values.place[which].tolist(), values.size[which].tolist()
    kinds = values.kind[which].tolist()
    keys = (
        (kind, bytes(block.raw[place : place + size]))
        for place, size, kind in zip(places, sizes, kinds, strict=True)
    )
    return np.array([seen.setdefault(key, len(seen)) for key in keys], np.int64)
