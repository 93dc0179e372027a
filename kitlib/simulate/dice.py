"""Chance from a seed: the same seed and the same names give the same world, everywhere.

A stream of numbers belongs to a purpose of a host (``Dice(seed, "PC-ANNA", "attempts")``), so
adding a host or a purpose changes no other stream. Only ``random.Random.random`` is used, the one
method whose sequence Python promises to keep; numpy's ``Generator`` makes no such promise across
its versions, and the committed sample must come out byte for byte on any machine.
This file knows nothing of hosts, logs or time zones.
"""

from __future__ import annotations

import hashlib
import math
import random
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")


class Dice:
    """A stream of chance that belongs to one purpose.

    Parameters
    ----------
    seed
        Seed of the whole world.
    *names
        What the stream is for, from the general to the particular.

    Examples
    --------
    >>> Dice(1, "PC-ANNA").whole(1, 6) == Dice(1, "PC-ANNA").whole(1, 6)
    True
    """

    def __init__(self, seed: int, *names: str) -> None:
        key = "\x1f".join((str(seed), *names)).encode()
        number = int.from_bytes(hashlib.sha256(key).digest(), "big")
        self._random = random.Random(number).random  # noqa: S311  # a simulation, no secret

    def share(self) -> float:
        """Return a number from 0 (in) to 1 (out)."""
        return self._random()

    def happens(self, probability: float) -> bool:
        """Return True with `probability`; one number is drawn whatever the probability."""
        return self._random() < probability

    def between(self, low: float, high: float) -> float:
        """Return a number uniform between `low` and `high`."""
        return low + (high - low) * self._random()

    def near(self, low: float, high: float) -> float:
        """Return a number between `low` and `high` that prefers the middle."""
        return low + (high - low) * (self._random() + self._random()) / 2

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of `choices`, each as likely as the other."""
        return choices[int(self._random() * len(choices))]

    def weighted(self, weights: Mapping[T, float]) -> T:
        """Return a key of `weights` with a probability proportional to its value."""
        point = self._random() * sum(weights.values())
        for choice, weight in weights.items():
            point -= weight
            if point < 0:
                return choice
        return next(reversed(list(weights)))

    def count(self, mean: float) -> int:
        """Return a Poisson number with this `mean` (Knuth's product of uniforms)."""
        limit, product, number = math.exp(-mean), self._random(), 0
        while product > limit:
            product *= self._random()
            number += 1
        return number

    def moment(self, start: datetime, end: datetime) -> datetime:
        """Return a time uniform between `start` and `end`."""
        return start + (end - start) * self._random()

    def pause(self, low: float, high: float) -> timedelta:
        """Return a time span uniform between `low` and `high` seconds."""
        return timedelta(seconds=self.between(low, high))

    def guid(self) -> str:
        """Return a random GUID, upper case, without braces."""
        number = int(self._random() * 2**53) << 64 | int(self._random() * 2**53)
        digest = hashlib.sha256(number.to_bytes(16, "big")).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4)).upper()
