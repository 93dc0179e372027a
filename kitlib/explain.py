"""Weigh explanations: how well does each account for who failed when.

The data are episodes (bursts of attempts): host, day, failed with the symptom or not. Every
explanation is a probability for the whole pattern, and hosts are the unit of inference:

* nothing       every host fails at its own low rate; now and then one has a bad spell of its own,
                which may start and end on any of its days, or has been failing all along;
* shared outage all hosts fail within one window of days, as far as they are susceptible;
* trend         all hosts fail at one rate that changes from week to week;
* a change      a host fails while the change is in effect on it, as far as it is susceptible.

Rates, the share of susceptible hosts, windows and cures are averaged, so an explanation with more
freedom pays for it. What one host can contribute to a change is bounded by the chance of a spell
of its own at just that time: ten failures of one machine are not ten machines.

This file knows masks and counts; it does not know Windows, and it does not decide the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from kitlib.stats import Floats, Ints, log_beta_bernoulli, log_mean_exp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitlib.suspects import Suspect

BASE_RATE: Final = (0.5, 9.5)
"""Beta prior of a host's ordinary failure rate: about 5 %, loosely held."""

FAULT_RATE: Final = (1.0, 1.0)
"""Beta prior of a host's failure rate under a fault: anything between never and always."""

FAULT_RATES: Final = (FAULT_RATE, (6.0, 6.0), (30.0, 1.0))
"""What a fault may do to the hosts it bites: anything, fail them about half of the time, always.
A host's own fault may do the same, else one machine that always fails would convict a change."""

SUSCEPTIBLE: Final = (0.3, 0.5, 0.7, 0.9, 0.99)
"""Shares of hosts that a fault may bite at all, each as likely as the next beforehand. A smaller
share could not be told from no fault at all, and no change would ever be cleared."""

OWN_SPELL: Final = 0.05
"""Prior share of hosts with a bad spell of their own."""

OWN_FAULT: Final = 0.05
"""Prior share of hosts that have been failing all along. Without it a change older than the
evidence would take the credit for every machine with a troubled line."""

WEEK: Final = 7
"""Days over which a trend holds one rate."""

PRIOR: Final = {"nothing": 0.25, "shared_outage": 0.15, "trend": 0.1, "change": 0.5}
"""Prior of each kind of explanation; the suspects share theirs equally."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """How well each explanation does.

    Attributes
    ----------
    nothing, shared_outage, trend
        Posterior probabilities of no common cause, of an outage of everybody, of a trend.
    changes
        Posterior probability of each suspect, in their order.
    best_mask
        For each suspect the row of its masks that fits best.
    fit
        Log likelihood of each suspect at its best mask. What cannot be told apart is decided on
        this: a suspect whose cure is unknown has many masks and must not lose for that alone.
    outage_fit
        Log likelihood of the shared outage at its best window.
    outage_days
        That window: first and last day number.
    """

    nothing: float
    shared_outage: float
    trend: float
    changes: Floats
    best_mask: tuple[int, ...]
    fit: Floats
    outage_fit: float
    outage_days: tuple[int, int]

    @property
    def no_change(self) -> float:
        """Probability that no change is to blame."""
        return self.nothing + self.shared_outage + self.trend


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Episodes as arrays: host and day numbers, and whether the symptom showed."""

    host: Ints
    day: Ints
    failed: npt.NDArray[np.bool_]
    hosts: tuple[str, ...]
    days: pd.DatetimeIndex

    @classmethod
    def of(cls, episodes: pd.DataFrame) -> Panel:
        """Give hosts and UTC days of `episodes` (host, time, failed) their numbers."""
        codes, names = pd.factorize(episodes["host"], sort=True)
        day = episodes["time"].dt.floor("D")
        days = pd.date_range(day.min(), day.max(), freq="D") if len(day) else pd.DatetimeIndex([])
        number = (day - days[0]).dt.days.to_numpy(dtype=np.int64) if len(day) else np.empty(0, int)
        failed = episodes["failed"].to_numpy(dtype=bool)
        return cls(codes.astype(np.int64), number, failed, tuple(map(str, names)), days)

    def counts(self, mask: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Failures and episodes of each host within `mask`."""
        size = len(self.hosts)
        return (
            np.bincount(self.host[mask & self.failed], minlength=size).astype(float),
            np.bincount(self.host[mask], minlength=size).astype(float),
        )

    def daily(self, mask: npt.NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """Failures and episodes as hosts by days."""
        use = np.ones(len(self.host), dtype=bool) if mask is None else mask
        days = len(self.days)
        cell = self.host * days + self.day
        k, n = (
            np.bincount(cell[chosen], minlength=len(self.hosts) * days).astype(float)
            for chosen in (use & self.failed, use)
        )
        return k.reshape(-1, days), n.reshape(-1, days)


def weigh(panel: Panel, suspects: Sequence[Suspect]) -> Weights:
    """Weigh every explanation against the others.

    Parameters
    ----------
    panel
        The episodes; at least one.
    suspects
        From `kitlib.suspects.find_suspects`, masks over the same episodes.

    Returns
    -------
    Weights
        Probabilities that sum to 1 over all explanations considered.

    Notes
    -----
    Assumes that one fault at a time is at work and that hosts are independent given it. Fails when
    the true cause is not among the explanations: the best of them then gets too much credit.
    """
    own = own_spells(panel)
    windows, window = _shared_outage(panel, own)
    by_mask = [_by_change(panel, suspect, own) for suspect in suspects]
    logs = [
        np.log(PRIOR["nothing"]) + own.sum(),
        np.log(PRIOR["shared_outage"]) + log_mean_exp(windows),
        np.log(PRIOR["trend"]) + _trend(panel, own),
        *(np.log(PRIOR["change"] / len(suspects)) + log_mean_exp(masks) for masks in by_mask),
    ]
    values = np.asarray(logs, dtype=float)
    posterior = np.exp(values - values.max())
    posterior /= posterior.sum()
    return Weights(
        nothing=float(posterior[0]),
        shared_outage=float(posterior[1]),
        trend=float(posterior[2]),
        changes=posterior[3:],
        best_mask=tuple(int(masks.argmax()) for masks in by_mask),
        fit=np.asarray([masks.max() for masks in by_mask]),
        outage_fit=float(windows.max()),
        outage_days=window,
    )


def own_spells(panel: Panel) -> Floats:
    """Log likelihood of each host by itself: ordinary, with one bad spell, or bad all along.

    Spells run over the host's own days with episodes; all are equally likely beforehand.
    """
    k, n = panel.daily()
    return np.asarray([_one_host(k[row][n[row] > 0], n[row][n[row] > 0]) for row in range(len(k))])


def _one_host(k: Floats, n: Floats) -> float:
    all_k, all_n = k.sum(), n.sum()
    plain = float(log_beta_bernoulli(all_k, all_n, *BASE_RATE))
    in_k, in_n = _windows(k), _windows(n)
    outside = log_beta_bernoulli(all_k - in_k, all_n - in_n, *BASE_RATE)
    spells = [log_beta_bernoulli(in_k, in_n, *rate) + outside for rate in FAULT_RATES]
    always = [log_beta_bernoulli(all_k, all_n, *rate) for rate in FAULT_RATES]
    return float(
        np.logaddexp.reduce(
            [
                np.log(1 - OWN_SPELL - OWN_FAULT) + plain,
                np.log(OWN_SPELL) + log_mean_exp(np.asarray(spells)),
                np.log(OWN_FAULT) + log_mean_exp(np.asarray(always)),
            ]
        )
    )


def _windows(daily: Floats) -> Floats:
    """Sum over all windows of consecutive days."""
    first, last = np.triu_indices(len(daily))
    upto = np.concatenate([[0], daily.cumsum()])
    return np.asarray(upto[last + 1] - upto[first])


def _fault(k_on: Floats, n_on: Floats, k_all: Floats, n_all: Floats, own: Floats) -> Floats:
    """Log likelihood of all hosts (first axis) under a fault on for part of their episodes."""
    rest = log_beta_bernoulli(k_all - k_on, n_all - n_on, *BASE_RATE)
    kinds = [
        _bites(np.where(n_on > 0, log_beta_bernoulli(k_on, n_on, *rate) + rest, own), own)
        for rate in FAULT_RATES
    ]
    return np.asarray(log_mean_exp(np.asarray(kinds), axis=0))


def _bites(bitten: Floats, own: Floats) -> Floats:
    """Average over the share of susceptible hosts; hosts are the first axis and are summed."""
    shares = [
        np.logaddexp(np.log(share) + bitten, np.log1p(-share) + own).sum(axis=0)
        for share in SUSCEPTIBLE
    ]
    return np.asarray(log_mean_exp(np.asarray(shares), axis=0))


def _by_change(panel: Panel, suspect: Suspect, own: Floats) -> Floats:
    """Log likelihood of a suspect for each of its possible spans."""
    k_all, n_all = panel.counts(np.ones(len(panel.host), dtype=bool))
    return np.asarray(
        [float(_fault(*panel.counts(mask), k_all, n_all, own)) for mask in suspect.masks]
    )


def _shared_outage(panel: Panel, own: Floats) -> tuple[Floats, tuple[int, int]]:
    """Log likelihood of an outage of everybody for each window of days; and the best window."""
    k, n = panel.daily()
    zero = np.zeros((len(panel.hosts), 1))
    cum_k = np.concatenate([zero, k.cumsum(axis=1)], axis=1)
    cum_n = np.concatenate([zero, n.cumsum(axis=1)], axis=1)
    k_all, n_all = cum_k[:, -1:], cum_n[:, -1:]
    logs, best, window = [], -np.inf, (0, 0)
    for first in range(k.shape[1]):
        on_k = cum_k[:, first + 1 :] - cum_k[:, [first]]
        on_n = cum_n[:, first + 1 :] - cum_n[:, [first]]
        total = _fault(on_k, on_n, k_all, n_all, own[:, None])
        logs.append(total)
        if total.max() > best:
            best, window = float(total.max()), (first, first + int(total.argmax()))
    # Days on which nobody tried (a weekend) may lie in the window or not: leave them out.
    bad = np.flatnonzero(k[:, window[0] : window[1] + 1].any(axis=0)) + window[0]
    return np.concatenate(logs), (int(bad[0]), int(bad[-1])) if len(bad) else window


def _trend(panel: Panel, own: Floats) -> float:
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
