"""Numbers in, numbers out: the few estimators the kit needs and scipy does not have as such.

This file knows no hosts, no files and no incident. Randomness is always a seeded generator given
by the caller, so that the same evidence gives the same numbers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVEL: Final = 0.90
"""Probability content of every interval the kit states."""


def log_beta_bernoulli(k: npt.ArrayLike, n: npt.ArrayLike, a: float, b: float) -> Floats:
    """Log probability of `k` failures in `n` ordered trials when the rate is Beta(a, b).

    Parameters
    ----------
    k, n
        Failures and trials, whole numbers, any broadcastable shapes.
    a, b
        Parameters of the prior of the rate.

    Returns
    -------
    numpy.ndarray
        Natural logarithm of the marginal likelihood.

    Examples
    --------
    >>> float(np.exp(log_beta_bernoulli(1, 1, 1, 1)).round(3))
    0.5
    """
    k, n = np.asarray(k, dtype=np.intp), np.asarray(n, dtype=np.intp)
    # Counts are small and asked for millions of times: looked up, not computed.
    size = 1 << int(n.max(initial=1)).bit_length()
    heads, tails, both = _rising(a, size), _rising(b, size), _rising(a + b, size)
    return np.asarray(heads[k] + tails[n - k] - both[n])


@lru_cache(maxsize=64)
def _rising(a: float, size: int) -> Floats:
    """Logarithms of a, a(a+1), a(a+1)(a+2) ... after 0, 1, 2 ... factors."""
    from scipy.special import gammaln  # noqa: PLC0415  # scipy is slow to import

    return np.asarray(gammaln(a + np.arange(size + 1)) - gammaln(a))


def log_mean_exp(values: Floats, axis: int | None = None) -> Any:  # noqa: ANN401  # array or float
    """Return the logarithm of the mean of ``exp(values)``, without overflow."""
    count = values.size if axis is None else values.shape[axis]
    highest = values.max(axis=axis, keepdims=True)
    # Where all are minus infinity, so is the mean; subtracting it from itself would not be.
    shifted = np.exp(values - np.where(np.isfinite(highest), highest, 0.0))
    with np.errstate(divide="ignore"):
        total = np.log(shifted.sum(axis=axis)) - np.log(count)
    return total + (highest.item() if axis is None else np.squeeze(highest, axis=axis))


def wilson(k: float, n: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's interval for a rate of `k` in `n`; (0, 1) where there are no trials.

    Source: E. B. Wilson, JASA 22 (1927) 209-212.

    Examples
    --------
    >>> [round(x, 2) for x in wilson(9, 10, level=0.95)]
    [0.6, 0.98]
    """
    if n <= 0:
        return 0.0, 1.0
    from scipy.special import ndtri  # noqa: PLC0415  # scipy is slow to import

    z = float(ndtri(0.5 + level / 2))
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * float(np.sqrt(k * (n - k) / n + z * z / 4))
    return max(0.0, centre - half), min(1.0, centre + half)


def sign_test(wins: int, losses: int) -> float:
    """One-sided exact p of at least `wins` among the untied pairs if both were equally likely."""
    from scipy.special import bdtrc  # noqa: PLC0415  # scipy is slow to import

    pairs = wins + losses
    return 1.0 if wins == 0 else float(bdtrc(wins - 1, pairs, 0.5))


def stratified_difference(k1: Floats, n1: Floats, k0: Floats, n0: Floats) -> Any:  # noqa: ANN401
    """Mantel-Haenszel risk difference over strata in the last axis (array or float).

    ``k1`` of ``n1`` are the exposed, ``k0`` of ``n0`` the others. Strata with one side empty
    have no weight; with no usable stratum the result is nan.

    Source: S. Greenland, J. M. Robins, Biometrics 41 (1985) 55-68.

    Examples
    --------
    >>> one = np.array([1.0])
    ... float(stratified_difference(9 * one, 10 * one, one, 10 * one))
    0.8
    """
    total = n1 + n0
    weight = np.divide(n1 * n0, total, out=np.zeros_like(total), where=total > 0)
    rate1 = np.divide(k1, n1, out=np.zeros_like(total), where=n1 > 0)
    rate0 = np.divide(k0, n0, out=np.zeros_like(total), where=n0 > 0)
    sums = weight.sum(axis=-1)
    return np.divide(
        ((rate1 - rate0) * weight).sum(axis=-1),
        sums,
        out=np.full(np.shape(sums), np.nan),
        where=sums > 0,
    )


def chance(log_odds: float) -> float:
    """Turn log odds into a probability, without overflow."""
    return float(1 / (1 + np.exp(-np.clip(log_odds, -50, 50))))


def quantile_interval(samples: Floats, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the central interval of `samples`; nan where there are none."""
    usable = samples[~np.isnan(samples)]
    if usable.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
