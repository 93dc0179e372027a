"""Weigh explanations: how well does each account for who failed when.

The data are episodes (bursts of attempts): host, day, failed with the symptom or not. Every
explanation is a probability for the whole pattern, and hosts are the unit of inference:

* nothing       every host fails at its own low rate, and now and then a host has a bad spell of
                its own (a host's own spell may start and end at any of its episodes);
* shared outage all hosts fail within one window of days, as far as they are susceptible;
* a change      a host fails while the change is in effect on it, as far as it is susceptible.

Rates are integrated out (Beta priors), windows and cures averaged, so an explanation with more
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
"""Beta prior of the failure rate under a fault: anything between never and always."""

SUSCEPTIBLE: Final = 0.8
"""Prior share of hosts that a fault bites at all."""

OWN_SPELL: Final = 0.05
"""Prior share of hosts with a bad spell of their own."""

PRIOR: Final = {"nothing": 0.25, "shared_outage": 0.25, "change": 0.5}
"""Prior of each kind of explanation; the suspects share theirs equally."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Posterior probabilities: of no cause at all, of a shared outage, of each suspect."""

    nothing: float
    shared_outage: float
    changes: Floats
    best_mask: tuple[int, ...]
    outage_days: tuple[int, int]


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
        shape = (len(self.hosts), len(self.days))
        k, n = np.zeros(shape), np.zeros(shape)
        np.add.at(k, (self.host[use & self.failed], self.day[use & self.failed]), 1)
        np.add.at(n, (self.host[use], self.day[use]), 1)
        return k, n


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
    outage, window = _shared_outage(panel, own)
    by_mask = [_by_change(panel, suspect, own) for suspect in suspects]
    logs = [
        np.log(PRIOR["nothing"]) + own.sum(),
        np.log(PRIOR["shared_outage"]) + outage,
        *(np.log(PRIOR["change"] / len(suspects)) + log_mean_exp(masks) for masks in by_mask),
    ]
    values = np.asarray(logs, dtype=float)
    posterior = np.exp(values - values.max())
    posterior /= posterior.sum()
    return Weights(
        nothing=float(posterior[0]),
        shared_outage=float(posterior[1]),
        changes=posterior[2:],
        best_mask=tuple(int(masks.argmax()) for masks in by_mask),
        outage_days=window,
    )


def own_spells(panel: Panel) -> Floats:
    """Log likelihood of each host by itself: ordinary, or with one bad spell of its own.

    Spells run over the host's own days with episodes; all are equally likely beforehand.
    """
    k, n = panel.daily()
    out = np.empty(len(panel.hosts))
    for place in range(len(panel.hosts)):
        used = n[place] > 0
        out[place] = _one_host(k[place][used], n[place][used])
    return out


def _one_host(k: Floats, n: Floats) -> float:
    plain = float(log_beta_bernoulli(k.sum(), n.sum(), *BASE_RATE))
    first, last = np.triu_indices(len(k))
    cum_k, cum_n = np.concatenate([[0], k.cumsum()]), np.concatenate([[0], n.cumsum()])
    in_k, in_n = cum_k[last + 1] - cum_k[first], cum_n[last + 1] - cum_n[first]
    spells = log_beta_bernoulli(in_k, in_n, *FAULT_RATE) + log_beta_bernoulli(
        k.sum() - in_k, n.sum() - in_n, *BASE_RATE
    )
    spell = float(log_mean_exp(spells)) if len(k) else plain
    return float(np.logaddexp(np.log1p(-OWN_SPELL) + plain, np.log(OWN_SPELL) + spell))


def _fault(k_on: Floats, n_on: Floats, k_all: Floats, n_all: Floats, own: Floats) -> Floats:
    """Log likelihood of hosts under a fault that is on for part of their episodes."""
    bitten = log_beta_bernoulli(k_on, n_on, *FAULT_RATE) + log_beta_bernoulli(
        k_all - k_on, n_all - n_on, *BASE_RATE
    )
    mixed = np.logaddexp(np.log(SUSCEPTIBLE) + bitten, np.log1p(-SUSCEPTIBLE) + own)
    return np.asarray(np.where(n_on > 0, mixed, own))


def _by_change(panel: Panel, suspect: Suspect, own: Floats) -> Floats:
    """Log likelihood of a suspect for each of its possible spans."""
    everything = np.ones(len(panel.host), dtype=bool)
    k_all, n_all = panel.counts(everything)
    return np.asarray(
        [_fault(*panel.counts(mask), k_all, n_all, own).sum() for mask in suspect.masks]
    )


def _shared_outage(panel: Panel, own: Floats) -> tuple[float, tuple[int, int]]:
    """Log likelihood of an outage of everybody, averaged over its window; and the best window."""
    k, n = panel.daily()
    zero = np.zeros((len(panel.hosts), 1))
    cum_k = np.concatenate([zero, k.cumsum(axis=1)], axis=1)
    cum_n = np.concatenate([zero, n.cumsum(axis=1)], axis=1)
    k_all, n_all = cum_k[:, -1], cum_n[:, -1]
    logs, best, window = [], -np.inf, (0, 0)
    for first in range(k.shape[1]):
        on_k = cum_k[:, first + 1 :] - cum_k[:, [first]]
        on_n = cum_n[:, first + 1 :] - cum_n[:, [first]]
        total = _fault(on_k, on_n, k_all[:, None], n_all[:, None], own[:, None]).sum(axis=0)
        logs.append(total)
        if total.max() > best:
            best, window = float(total.max()), (first, first + int(total.argmax()))
    return float(log_mean_exp(np.concatenate(logs))), window
