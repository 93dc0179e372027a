"""Put the explanations side by side: probabilities over everything that was considered.

Everything is weighed under several priors of the ordinary failure rates (`kitlib.explain.usual`),
each with its own prior, and summed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from kitlib.explain.sides import Side, find_ground, weigh_side
from kitlib.explain.usual import OWN_PRIOR, alike_prior, shared_rates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from kitlib.explain.outages import Outage
    from kitlib.explain.panel import Panel
    from kitlib.stats import Floats
    from kitlib.suspects import Suspect

NOWHERE: Final[Mapping[str, frozenset[str]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """How well each explanation does.

    Attributes
    ----------
    nothing, shared_outage, site_outage, trend, unsteady
        Posterior probabilities of no common cause, of an outage of everybody, of outages of sites
        alone, of a rate of everybody that rises or falls steadily, or changes from week to week.
    changes
        Posterior probability of each suspect, in their order.
    best_mask
        For each suspect the row of its masks that fits best.
    fit
        Log likelihood of each suspect at its best mask, with the outages it goes best with. What
        cannot be told apart is decided on this: a suspect whose cure is unknown has many masks and
        must not lose for that alone.
    alone, alone_mask
        The same without any outage and biting at once, and the row of its masks that fits so.
    outage_fit
        Log likelihood of a shared outage at its best window of days, without a change.
    outage_days
        That window: first and last day number.
    outages
        Outages that explain most where no change is to blame.
    aside
        For each suspect the outages on top of which it fits best; empty where it needs none.
    over
        For each suspect when its effect ended for everybody by something outside the builds, if it
        fits best so; UTC.
    """

    nothing: float
    shared_outage: float
    site_outage: float
    trend: float
    unsteady: float
    changes: Floats
    best_mask: tuple[int, ...]
    fit: Floats
    alone: Floats
    alone_mask: tuple[int, ...]
    outage_fit: float
    outage_days: tuple[int, int]
    outages: tuple[Outage, ...]
    aside: tuple[tuple[Outage, ...], ...]
    over: tuple[pd.Timestamp | None, ...]

    @property
    def no_change(self) -> float:
        """Probability that no change is to blame."""
        return self.nothing + self.shared_outage + self.site_outage + self.trend + self.unsteady

    def at_once(self) -> Weights:
        """Return the same with every change by itself, beside the outage that fits best.

        For the question whether the two can be told apart at all, before priors are asked: half of
        the probability goes to the changes.
        """
        share = np.exp(self.alone - self.alone.max())
        return replace(
            self,
            changes=share / share.sum() / 2,
            best_mask=self.alone_mask,
            fit=self.alone,
            aside=((),) * len(self.alone),
            over=(None,) * len(self.alone),
        )


def weigh(
    panel: Panel, suspects: Sequence[Suspect], sites: Mapping[str, frozenset[str]] = NOWHERE
) -> Weights:
    """Weigh every explanation against the others.

    Parameters
    ----------
    panel
        The episodes; at least one.
    suspects
        From `kitlib.suspects.find_suspects`, masks over the same episodes.
    sites
        Hosts by site, where the evidence knows sites.

    Returns
    -------
    Weights
        Probabilities that sum to 1 over all explanations considered.

    Notes
    -----
    Assumes that at most one change is at work, on top of at most three outages, and that hosts are
    independent given these. Fails when the true cause is not among the explanations: the best of
    them then gets too much credit.
    """
    own = find_ground(panel, suspects, sites)
    rates = shared_rates(panel, own.ordinary(suspects))
    alike = [find_ground(panel.under(rate), suspects, sites) for rate in rates]
    sets = {key: found for ground in (own, *alike) for key, found in ground.sets.items()}
    prior = alike_prior(panel)
    return _together(
        [
            (OWN_PRIOR, weigh_side(own, suspects, sets)),
            *((prior, weigh_side(ground, suspects, sets)) for ground in alike),
        ]
    )


def _together(sides: Sequence[tuple[float, Side]]) -> Weights:
    """Sum over the sides, each with the logarithm of its prior; the best of them gives the rest."""
    outages = np.concatenate([prior + side.outages for prior, side in sides])
    at_site = np.concatenate([side.at_site for _, side in sides])
    changes = np.asarray([[prior + fate.log for fate in side.fates] for prior, side in sides])
    values = np.asarray(
        [
            _sum(np.asarray([prior + side.nothing for prior, side in sides])),
            _sum(outages[~at_site]),
            _sum(outages[at_site]),
            _sum(np.asarray([prior + side.trend for prior, side in sides])),
            _sum(np.asarray([prior + side.unsteady for prior, side in sides])),
            *(_sum(logs) for logs in changes.T),
        ]
    )
    posterior = np.exp(values - values.max())
    posterior /= posterior.sum()
    leads = changes.argmax(axis=0)
    fates = [sides[lead][1].fates[place] for place, lead in enumerate(leads)]
    priors = np.asarray([prior for prior, _ in sides])
    lone = [_best_alone(sides, place) for place in range(len(fates))]
    outage_fit, outage_days = max((prior + side.windows, side.window) for prior, side in sides)
    return Weights(
        nothing=float(posterior[0]),
        shared_outage=float(posterior[1]),
        site_outage=float(posterior[2]),
        trend=float(posterior[3]),
        unsteady=float(posterior[4]),
        changes=posterior[5:],
        best_mask=tuple(fate.course for fate in fates),
        fit=priors[leads] + np.asarray([fate.fit for fate in fates], dtype=float),
        alone=np.asarray([log for log, _ in lone], dtype=float),
        alone_mask=tuple(course for _, course in lone),
        outage_fit=outage_fit,
        outage_days=outage_days,
        outages=_best_outages(sides),
        aside=tuple(fate.setting.outages for fate in fates),
        over=tuple(fate.over for fate in fates),
    )


def _sum(logs: Floats) -> float:
    """Logarithm of the sum of what `logs` are logarithms of; of nothing it is minus infinity."""
    return float(np.logaddexp.reduce(logs, initial=-np.inf))


def _best_alone(sides: Sequence[tuple[float, Side]], place: int) -> tuple[float, int]:
    """Return the best fit of a change by itself and the course it is of."""
    return max(
        (prior + float(side.lone[place].max()), int(side.lone[place].argmax()))
        for prior, side in sides
    )


def _best_outages(sides: Sequence[tuple[float, Side]]) -> tuple[Outage, ...]:
    """Return the outages that explain most where no change is to blame; empty if there are none."""
    settings = [(prior + s.nothing, s) for prior, side in sides for s in side.settings[1:]]
    return max(settings, key=lambda pair: pair[0])[1].outages if settings else ()
