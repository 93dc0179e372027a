"""How probable the pattern of failures is under one explanation; see `kitlib.explain`.

All likelihoods are of ordered outcomes, so that explanations can be compared whatever they average
over. Counts are arrays with hosts on the first axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from kitlib.explain.panel import BASE_RATE
from kitlib.stats import Floats, log_beta_bernoulli, log_mean_exp

if TYPE_CHECKING:
    import numpy.typing as npt

    from kitlib.explain.panel import Panel, Rate
    from kitlib.stats import Ints

FAULT_RATE: Final = (1.0, 1.0)
"""Beta prior of a host's failure rate under a fault: anything between never and always."""

FAULT_RATES: Final = (FAULT_RATE, (6.0, 6.0), (30.0, 1.0))
"""What a fault may do to the hosts it bites: anything, fail them about half of the time, always.
A host's own fault may do the same, else one machine that always fails would convict a change."""

FLEET_RATES: Final = ((6.0, 34.0), (12.0, 28.0))
"""What a fault of many hosts may do besides: fail a seventh or a third of all tries, of each host
about alike. A gateway that drops some tries is no matter of single hosts, and the few failures of
each tell it only if they are taken together."""

MORE: Final = 2.0
"""Such a fault fails at least so many times as many tries as are usual, else it is none."""

SUSCEPTIBLE: Final = (0.3, 0.5, 0.7, 0.9, 0.99)
"""Shares of hosts that a fault may bite at all, each as likely as the next beforehand. A smaller
share could not be told from no fault at all, and no change would ever be cleared."""

OWN_SPELL: Final = 0.05
"""Prior share of hosts with a bad spell of their own."""

OWN_FAULT: Final = 0.05
"""Prior share of hosts that have been failing all along. Without it a change older than the
evidence would take the credit for every machine with a troubled line."""

WEEK: Final = 7
"""Days over which an unsteady failure rate of everybody holds one value."""

LAGS: Final = (0.75, 0.05, 0.05, 0.05, 0.05, 0.05)
"""Prior of the full days that pass between a host's exposure and its first failures: most faults
bite at once, some only when a lease, a key or a session has run out."""

RAMP: Final = (0.02, 0.1, 0.2, 0.35, 0.5, 0.7)
"""Failure rates between which a trend may lead: far enough apart not to be an ordinary rate."""


def fault_rates(base: Rate) -> tuple[Rate, ...]:
    """Return what a fault of many hosts may do where `base` is usual."""
    usual = base[0] / sum(base)
    return (*FAULT_RATES, *(r for r in FLEET_RATES if r[0] / sum(r) >= MORE * usual))


def own_spells(panel: Panel) -> Floats:
    """Log likelihood of each host by itself: ordinary, with one bad spell, or bad all along.

    Spells run over the host's own days with episodes; all are equally likely beforehand.
    """
    k, n = panel.daily()
    active = n > 0
    lengths = active.sum(axis=1)
    out = np.zeros(len(k))
    for length in np.unique(lengths[lengths > 0]):  # hosts with equally many days at once
        rows = np.flatnonzero(lengths == length)
        chosen = active[rows]
        shape = (len(rows), int(length))
        some_k, some_n = (x[rows][chosen].reshape(shape) for x in (k, n))
        out[rows] = _own(some_k, some_n, panel.base)
    return out


def _own(k: Floats, n: Floats, base: Rate) -> Floats:
    """Log likelihood of hosts with equally many days with episodes."""
    all_k, all_n = k.sum(axis=1), n.sum(axis=1)
    plain = log_beta_bernoulli(all_k, all_n, *base)
    in_k, in_n = _windows(k), _windows(n)
    outside = log_beta_bernoulli(all_k[:, None] - in_k, all_n[:, None] - in_n, *base)
    spells = [log_beta_bernoulli(in_k, in_n, *rate) + outside for rate in FAULT_RATES]
    always = [log_beta_bernoulli(all_k, all_n, *rate) for rate in FAULT_RATES]
    return np.asarray(
        np.logaddexp.reduce(
            [
                np.log(1 - OWN_SPELL - OWN_FAULT) + plain,
                np.log(OWN_SPELL) + log_mean_exp(np.concatenate(spells, axis=1), axis=1),
                np.log(OWN_FAULT) + log_mean_exp(np.asarray(always), axis=0),
            ]
        )
    )


def _windows(daily: Floats) -> Floats:
    """Sum over all windows of consecutive days, for each host."""
    first, last = np.triu_indices(daily.shape[1])
    upto = np.concatenate([np.zeros((len(daily), 1)), daily.cumsum(axis=1)], axis=1)
    return np.asarray(upto[:, last + 1] - upto[:, first])


def fault(  # noqa: PLR0913  # counts on, counts in all, and what hosts do by themselves
    k_on: Floats,
    n_on: Floats,
    k_all: Floats,
    n_all: Floats,
    own: Floats,
    *,
    base: Rate = BASE_RATE,
    shares: tuple[float, ...] = SUSCEPTIBLE,
) -> Floats:
    """Log likelihood of all hosts (first axis) under a fault on for part of their episodes."""
    rest = log_beta_bernoulli(k_all - k_on, n_all - n_on, *base)
    kinds = [
        _bites(np.where(n_on > 0, log_beta_bernoulli(k_on, n_on, *rate) + rest, own), own, shares)
        for rate in fault_rates(base)
    ]
    return np.asarray(log_mean_exp(np.asarray(kinds), axis=0))


def _bites(bitten: Floats, own: Floats, shares: tuple[float, ...] = SUSCEPTIBLE) -> Floats:
    """Sum over hosts when a share of them, averaged over `shares`, is bitten.

    The same as ``logaddexp(log(share) + bitten, log(1 - share) + own)``, with one exponential for
    all shares.
    """
    top = np.maximum(bitten, own)
    is_bitten, is_own = np.exp(bitten - top), np.exp(own - top)
    totals = [np.log(share * is_bitten + (1 - share) * is_own).sum(axis=0) for share in shares]
    return np.asarray(log_mean_exp(np.asarray(totals), axis=0) + top.sum(axis=0))


def by_change(panel: Panel, masks: npt.NDArray[np.bool_], own: Floats) -> Floats:
    """Log likelihood of a change for each of its possible spans (rows of `masks`).

    A host may begin to fail some days after its exposure (`LAGS`).
    """
    k_all, n_all = panel.counts(np.ones(len(panel.host), dtype=bool))
    return np.asarray(
        [
            float(_lagged(*_by_age(panel, mask), k_all, n_all, own, base=panel.base))
            for mask in masks
        ]
    )


def by_change_until(panel: Panel, mask: npt.NDArray[np.bool_], own: Floats) -> Floats:
    """Log likelihood of a change whose effect ended for everybody with a day, for each day.

    Something outside the builds ended it then: a setting on the server, a rollback by policy.
    """
    days = len(panel.days)
    k, n = _by_age(panel, mask, panel.day, days)
    k_all, n_all = panel.counts(np.ones(len(panel.host), dtype=bool))
    until_k, until_n = k.cumsum(axis=-1), n.cumsum(axis=-1)
    return _lagged(until_k, until_n, k_all[:, None], n_all[:, None], own[:, None], base=panel.base)


def _by_age(
    panel: Panel, mask: npt.NDArray[np.bool_], place: Ints | None = None, bins: int = 1
) -> tuple[Floats, Floats]:
    """Failures and episodes within `mask` that are at least each lag old: hosts, lags (, bins)."""
    age = np.minimum(panel.ages(mask)[mask], len(LAGS) - 1)
    cell = panel.host[mask] * len(LAGS) + age
    if place is not None:
        cell = cell * bins + place[mask]
    size = len(panel.hosts) * len(LAGS) * bins
    failed = panel.failed[mask]
    shape = (len(panel.hosts), len(LAGS)) if place is None else (-1, len(LAGS), bins)
    k, n = (
        np.bincount(cells, minlength=size).astype(float).reshape(shape)[:, ::-1].cumsum(axis=1)
        for cells in (cell[failed], cell)
    )
    return k[:, ::-1], n[:, ::-1]


def _lagged(  # noqa: PLR0913  # counts on, in all, and what hosts do by themselves
    k_on: Floats, n_on: Floats, k_all: Floats, n_all: Floats, own: Floats, *, base: Rate
) -> Floats:
    """Log likelihood of all hosts (first axis) when the fault may come late (second axis)."""
    late = np.log(np.asarray(LAGS)).reshape((1, -1) + (1,) * (k_on.ndim - 2))
    rest = log_beta_bernoulli(
        np.expand_dims(k_all, 1) - k_on, np.expand_dims(n_all, 1) - n_on, *base
    )
    kinds = []
    for rate in fault_rates(base):
        each = log_beta_bernoulli(k_on, n_on, *rate) + rest + late
        bitten = log_mean_exp(each, axis=1) + np.log(len(LAGS))
        kinds.append(_bites(np.where(n_on[:, 0] > 0, bitten, own), own))
    return np.asarray(log_mean_exp(np.asarray(kinds), axis=0))


def trend(panel: Panel, own: Floats) -> float:
    """Log likelihood of a rate of everybody that goes steadily from one value to another."""
    k, n = panel.daily()
    at = (np.arange(k.shape[1]) + 0.5) / k.shape[1]
    ends = [(low, high) for low in RAMP for high in RAMP if low != high]
    rates = np.asarray([low + (high - low) * at for low, high in ends])
    follows = k @ np.log(rates).T + (n - k) @ np.log1p(-rates).T
    return float(log_mean_exp(np.asarray(_bites(follows, own[:, None]))))


def unsteady(panel: Panel, own: Floats) -> float:
    """Log likelihood of one rate a week for everybody; each rate, being fitted, pays its price.

    The price is that of BIC, half the logarithm of the episodes it was fitted to.
    """
    k, n = panel.daily()
    weeks = np.arange(k.shape[1]) // WEEK
    k, n = (
        np.asarray([x[:, weeks == week].sum(axis=1) for week in np.unique(weeks)]) for x in (k, n)
    )
    rate = (k.sum(axis=1) + BASE_RATE[0]) / (n.sum(axis=1) + sum(BASE_RATE))
    follows = (k * np.log(rate)[:, None] + (n - k) * np.log1p(-rate)[:, None]).sum(axis=0)
    return float(_bites(follows, own)) - float(np.log(np.maximum(n.sum(axis=1), 1)).sum() / 2)
