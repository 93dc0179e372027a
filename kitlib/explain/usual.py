"""What is usual in this fleet: each host has a rate of its own, or all have about the same.

Hosts on one gateway often fail at one ordinary rate. Whoever gives each host a rate of its own then
pays for freedom that the fleet does not need, and explanations with one rate for everybody (a
trend) look better than they are. So everything is weighed under both: rates of the hosts' own,
loosely held (`kitlib.explain.panel.BASE_RATE`), and nearly one rate of everybody, fitted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from kitlib.explain.likelihood import FAULT_RATES, OWN_FAULT, OWN_SPELL
from kitlib.stats import log_beta_bernoulli, log_mean_exp

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from kitlib.explain.panel import Panel, Rate

GRID: Final = tuple(0.003 * 1.08**step for step in range(68))
"""What that rate may be: from 0.3 to 52 %, in steps of 8 %."""

OWN_PRIOR: Final = math.log(0.5)
"""Logarithm of the prior that each host has an ordinary rate of its own."""

NEAR: Final = 1.1
"""Ratio up to which two rates are weighed as one."""

ALIKE: Final = 200.0
"""Trials that it would take to see two hosts apart: a rate of 5 % is held within 1.5 %."""


def shared_rates(panel: Panel, outsides: Iterable[npt.NDArray[np.bool_]]) -> list[Rate]:
    """Return the priors of one ordinary rate of everybody that are worth weighing.

    Parameters
    ----------
    panel
        The episodes.
    outsides
        Masks of episodes that may have been ordinary, the likeliest first.

    Returns
    -------
    list of Rate
        For each mask the rate of `GRID` that fits best, as a Beta distribution. Of rates that lie
        within `NEAR` of each other only the first is kept: to weigh all costs time, and they say
        the same.
    """
    kept: list[float] = []
    for outside in outsides:
        if outside.any():
            rate = _best(panel, outside)
            if all(max(rate, other) / min(rate, other) > NEAR for other in kept):
                kept.append(rate)
    return [_alike(rate) for rate in kept]


def _alike(rate: float) -> Rate:
    return rate * ALIKE, (1 - rate) * ALIKE


def _best(panel: Panel, outside: npt.NDArray[np.bool_]) -> float:
    """Return the rate that fits best if some hosts may have been failing by themselves."""
    k, n = panel.counts(outside)
    sick = log_mean_exp(
        np.asarray([log_beta_bernoulli(k, n, *rate) for rate in FAULT_RATES]), axis=0
    )
    few = OWN_SPELL + OWN_FAULT
    fits = [
        np.logaddexp(
            np.log(few) + sick, np.log1p(-few) + log_beta_bernoulli(k, n, *_alike(rate))
        ).sum()
        for rate in GRID
    ]
    return GRID[int(np.argmax(fits))]


def alike_prior(panel: Panel) -> float:
    """Logarithm of the prior of one rate for all, fitted; it pays for that.

    The price is that of BIC, half the logarithm of the episodes it was fitted to.
    """
    return math.log(0.5) - math.log(max(len(panel.host), 1)) / 2
