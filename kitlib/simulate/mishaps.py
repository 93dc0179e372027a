"""Which defects the evidence of a host has: those that name it, and those drawn for its group.

A defect for a pattern of names is each fitting host's own chance, as is a time drawn for it. Hosts
are independent of each other here as everywhere. What a defect does to a file is not known here.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kitlib.simulate.dice import Dice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitlib.simulate.vocabulary import Defect, Host, Scenario


def defects_of(scenario: Scenario, host: Host, name: str, *, seed: int) -> Iterator[Defect]:
    """Yield the defects of the host called `name`, in the scenario's order.

    Parameters
    ----------
    scenario
        Its defects, each with `host` or `hosts`.
    host, name
        The group of the host, and its name.
    seed
        Seed of the world.

    Yields
    ------
    Defect
        With `host` named and `at` drawn; `hosts` still tells that it was drawn.
    """
    for number, defect in enumerate(scenario.defects, 1):
        dice = Dice(seed, name, "defect", str(number))
        hit, moment = dice.happens(defect.share), dice.share()
        fits = fnmatchcase(name, defect.hosts) if defect.hosts else defect.host == name
        at = defect.at
        if defect.at_between:
            low, high = defect.at_between
            at = low + (high - low) * moment
        if fits and hit and defect.suits(host):
            yield replace(defect, host=name, at=at, at_between=None)
