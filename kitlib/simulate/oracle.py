"""How sure anybody could be that a host works, from its tries since the cure.

An oracle knows the simulator's own rates: how often a try fails in ordinary life, and with which
codes; how often under the fault, and with which. It does not know whether the cure worked: for it
that is as likely as not before it has seen a try. "Too few attempts to confirm" is thereby defined
by the world and by no analysis. This file reads no log and writes none.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitlib.simulate.usage import Attempt
    from kitlib.simulate.vocabulary import Fault, Habits

OVERFLOW: Final = 700.0
SURE: Final = 0.95
"""Confidence from which a host counts as confirmed to work.

The contract leaves "the stated confidence" open. This is what the kit states too, on purpose: with
another one the two would mean different things by the same word. The confidence itself is exact (a
product of known rates, no simulation), and moves in steps: with half of the tries failing, four
successes give 0.94 and five 0.97. Who does not know the rates cannot always tell such hosts apart;
``oracle_confidence`` in the truth shows which they are.
"""


def confidence_works(tries: Iterable[Attempt], habits: Habits, fault: Fault) -> float:
    """Return the probability that a host works, given its tries since the cure.

    Parameters
    ----------
    tries
        Successes and failures of the user, cancelled ones left out.
    habits
        Their `baseline_failure` and `baseline_codes` are how tries fail where nothing is wrong.
    fault
        Its `probability` and `codes` are how tries fail while it is active, besides.

    Returns
    -------
    float
        0.5 without any try; 1 once a try succeeds that the fault would have broken for certain.

    Notes
    -----
    Assumes prior odds of 1 and tries that fail independently of each other: so the simulator lets
    them fail. A failure with a code that neither ordinary life nor the fault knows tells nothing.
    A `ramp` is taken at its height.
    """
    works = broken = 0.0
    for attempt in tries:
        if_works = _usual(attempt, habits)
        hit = _share(fault.codes, attempt.code) if attempt.code else 0.0
        if_broken = fault.probability * hit + (1 - fault.probability) * if_works
        if if_works or if_broken:
            works += _log(if_works)
            broken += _log(if_broken)
    if works == broken:  # both may be minus infinity
        return 0.5
    return 1 / (1 + math.exp(broken - works)) if broken - works < OVERFLOW else 0.0


def _usual(attempt: Attempt, habits: Habits) -> float:
    """Return the probability of a try's outcome and code where nothing is wrong."""
    if not attempt.code:
        return 1 - habits.baseline_failure
    return habits.baseline_failure * _share(habits.baseline_codes, attempt.code)


def _share(weights: Mapping[int, float], code: int) -> float:
    return weights.get(code, 0.0) / sum(weights.values())


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf
