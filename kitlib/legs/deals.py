"""Permutations with the host as the unit: what each host went through, dealt out anew.

Hosts of the same kind (the same history of exposure) need not be told apart, so the number of
distinct deals is a multinomial coefficient. Where it is small all of them are gone through and p is
exact; else p comes from random deals, the observed one among them: (b + 1) / (m + 1). Deals can be
held within groups of hosts (a site, a branch of Windows). This file knows kinds and groups as
numbers, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb, prod
from typing import TYPE_CHECKING, Final

import numpy as np

from kitlib.legs.scene import ALPHA, SEED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitlib.stats import Floats, Ints

EXACT_DEALS: Final = 5000
"""Distinct deals up to which all of them are gone through."""

PERMUTATIONS: Final = 999
"""Random deals otherwise; p cannot fall below 1 in 1 more than this."""

_ROUNDING: Final = 1e-12
"""An equal value must not count as smaller because it was summed in another order."""


@dataclass(frozen=True, slots=True, eq=False)
class Deals:
    """Ways to deal kinds to hosts.

    Attributes
    ----------
    kinds
        Deals by hosts: the kind that each host gets. The first row is what was observed.
    exact
        True if the rows are all distinct deals, once each.
    """

    kinds: Ints
    exact: bool

    @property
    def can_pass(self) -> bool:
        """Tell whether p can fall below `ALPHA` at all."""
        return 1 / len(self.kinds) < ALPHA

    def p(self, values: Floats) -> float:
        """One-sided p: the share of deals whose value reaches that of the first, the observed.

        Deals without a value (nan) are none of those that were possible. 1 if the first has none.
        """
        usable = values[~np.isnan(values)]
        if np.isnan(values[0]):
            return 1.0
        return float((usable >= values[0] - _ROUNDING).mean())

    def __str__(self) -> str:
        return (
            f"exact permutation over all {len(self.kinds)} deals"
            if self.exact
            else f"permutation, {len(self.kinds) - 1} random deals"
        )


def deal(kinds: Ints, groups: Ints | None = None) -> Deals:
    """Deal `kinds` (one a host) out to the hosts anew, within `groups` if given.

    Parameters
    ----------
    kinds
        What was observed: for each host the number of its kind.
    groups
        For each host the number of its group; None is one group.

    Returns
    -------
    Deals
        All distinct deals if there are at most `EXACT_DEALS`, else `PERMUTATIONS` random ones. The
        same kinds and groups give the same deals.

    Examples
    --------
    >>> deal(np.array([0, 0, 1])).kinds.tolist()
    [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    """
    group = np.zeros(len(kinds), dtype=np.int64) if groups is None else groups
    members = [np.flatnonzero(group == number) for number in np.unique(group)]
    if number_of_deals([kinds[rows] for rows in members]) <= EXACT_DEALS:
        return Deals(_all(kinds, members), exact=True)
    rng = np.random.default_rng(SEED)
    out = np.tile(kinds, (1 + PERMUTATIONS, 1))
    for rows in members:
        for row in out[1:]:
            row[rows] = row[rng.permutation(rows)]
    return Deals(out, exact=False)


def number_of_deals(groups: list[Ints]) -> int:
    """Count the distinct arrangements; `groups` are the kinds of each group's hosts."""
    return prod(_arrangements(np.unique(kinds, return_counts=True)[1].tolist()) for kinds in groups)


def _arrangements(counts: list[int]) -> int:
    """Multinomial coefficient, as a product of binomial ones."""
    upto = np.cumsum(counts).tolist()
    return prod(comb(total, count) for total, count in zip(upto, counts, strict=True))


def _all(kinds: Ints, members: list[Ints]) -> Ints:
    out = kinds[np.newaxis]
    for rows in members:
        ways = _ways(kinds[rows])
        out = np.repeat(out, len(ways), axis=0)
        out[:, rows] = np.tile(ways, (len(out) // len(ways), 1))
    first = int(np.flatnonzero((out == kinds).all(axis=1))[0])
    out[[0, first]] = out[[first, 0]]
    return out


def _ways(kinds: Ints) -> Ints:
    """List the distinct orders of `kinds`, one a row."""
    values, counts = np.unique(kinds, return_counts=True)
    most = int(counts.argmax())  # fills what the others leave free
    rare = [(int(values[place]), int(counts[place])) for place in range(len(values))]
    del rare[most]
    places = list(_placed([count for _, count in rare], tuple(range(len(kinds)))))
    out = np.full((len(places), len(kinds)), values[most], dtype=np.int64)
    for row, chosen in zip(out, places, strict=True):
        for (value, _), where in zip(rare, chosen, strict=True):
            row[list(where)] = value
    return out


def _placed(counts: list[int], free: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield every way to give each of `counts` that many of the `free` places."""
    if not counts:
        yield ()
        return
    for chosen in combinations(free, counts[0]):
        left = tuple(sorted(set(free) - set(chosen)))
        for rest in _placed(counts[1:], left):
            yield (chosen, *rest)


def histories(*states: Floats) -> tuple[Ints, list[Floats]]:
    """Give equal rows of `states` (each hosts by days) one number.

    Returns
    -------
    (numbers, tables)
        The number of each host's history, and each of `states` with one row a history.
    """
    stacked = np.concatenate(states, axis=1)
    rows, number = np.unique(stacked, axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int64), np.split(rows, len(states), axis=1)


def group_numbers(hosts: tuple[str, ...], groups: dict[str, str]) -> Ints:
    """Give the group of each host a number; hosts without one share one."""
    names = [groups.get(host, "") for host in hosts]
    return np.unique(np.asarray(names, dtype=str), return_inverse=True)[1].astype(np.int64)
