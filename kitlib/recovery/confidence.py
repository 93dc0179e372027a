"""How sure is it? What a host's attempts say about two states, working and broken.

Two questions are kept apart. *Is it no longer in the broken state?* The likelihood ratio of its
attempts, working against broken: one success settles it where broken hosts always fail, several
are needed where they fail half of the time. *Is it back to its own normal?* The upper bound on the
share of its attempts that still fail; no likelihood ratio bounds that.

What is one piece of evidence? Not each try of a burst, for what makes one fail may make all of
them fail; and not the burst as a whole, for three retries that the fault lets through with even
odds would hide it. So a first try and a retry after a failure are two kinds of trial with rates of
their own, learned from the fleet: where retries always fail with the first, their rate is 1 broken
or not, and they say nothing; where each try fails independently, they count in full.

Between attempts a host may break or be mended (`SWITCH`): a host is a hidden two-state chain, and
`follow` filters it. This file knows numbers only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitlib.recovery.views import Bools, Tries
    from kitlib.stats import Floats

SWITCH: Final = 0.01
"""Probability that a host breaks or is mended between two attempts without a known reason. A cure
that nobody saw may have come at any time: this is what makes one success after many failures of a
fault that lets some attempts through no cure."""

LARGEST: Final = 1e12
"""Likelihood ratios beyond this are stated as this."""


class Rates(NamedTuple):
    """Probabilities that a first try, and a retry after a failure, show the symptom."""

    broken: float
    broken_retry: float
    ordinary: float
    ordinary_retry: float


class Switches(NamedTuple):
    """Probability of being broken at the first attempt, and of either switch between two."""

    entry: float
    breaks: float
    mends: float


class Chain(NamedTuple):
    """Where a chain of attempts ends, and what it weighs.

    Attributes
    ----------
    broken
        Probability that the host is broken, as of each attempt and those before it.
    weight
        Logarithm of the likelihood of all attempts against "working all along".
    """

    broken: tuple[float, ...]
    weight: float


def steps(tries: Tries, rates: Rates) -> Floats:
    """Log likelihood ratio of each attempt, broken against working.

    Failures with other codes say nothing: 0.
    """
    broken = np.where(tries.retry, rates.broken_retry, rates.broken)
    working = np.where(tries.retry, rates.ordinary_retry, rates.ordinary)
    failed, worked = np.log(broken / working), np.log((1 - broken) / (1 - working))
    return np.where(tries.symptom, failed, np.where(tries.worked, worked, 0.0))


def follow(says: Iterable[float], switches: Switches) -> Chain:
    """Filter a host's state along its attempts.

    Parameters
    ----------
    says
        `steps` of the attempts, in order.
    switches
        Where the chain enters, and how often it switches.

    Returns
    -------
    Chain

    Notes
    -----
    Assumes that switches are as likely between any two attempts. Fails for a fault that comes and
    goes within hours: its spells then look like one rate.

    Examples
    --------
    >>> [round(broken, 3) for broken in follow([-3.5, -3.5], Switches(0.5, 0.01, 0.01)).broken]
    [0.029, 0.001]
    """
    entry, breaks, mends = switches
    ahead, weight, path = entry, 0.0, []
    for say in says:
        joint = ahead * math.exp(say)
        total = joint + 1 - ahead
        weight += math.log(total)
        path.append(broken := joint / total)
        ahead = broken * (1 - mends) + (1 - broken) * breaks
    return Chain(tuple(path), weight)


def known_to_work(says: Sequence[float], switches: Switches) -> Floats:
    """Weigh "works at this attempt", known for certain, against not knowing it: one an attempt.

    Returns
    -------
    array of float
        Logarithm of the likelihood of all attempts if the host works at this one, whatever it does
        before and after, against that of the chain as it is. No attempts can make it more than
        the surprise of working just then: minus the logarithm of that probability as of before.
    """
    entry, breaks, mends = switches
    ratio, after = 1.0, []  # of what is seen from an attempt on, broken at it against working
    for say in reversed(says):
        ratio = math.exp(say) * ((1 - mends) * ratio + mends) / (1 - breaks + breaks * ratio)
        after.append(ratio)
    if not after:
        return np.zeros(0)
    broken = np.array(follow(says, switches).broken[:-1])
    before = np.concatenate([[entry], broken * (1 - mends) + (1 - broken) * breaks])
    return np.asarray(-np.log(1 - before + before * np.array(after[::-1])), dtype=np.float64)


def likely_states(says: Sequence[float], switches: Switches) -> Bools:
    """Return the most probable path of the same chain: True where the host was broken."""
    entry, breaks, mends = switches
    stay_broken, mend = math.log(1 - mends), math.log(mends)
    stay_working, fall = math.log(1 - breaks), math.log(breaks)
    broken, working = math.log(entry), math.log1p(-entry)
    came: list[tuple[bool, bool]] = []  # from broken? of the best way to broken, to working
    for number, say in enumerate(says):
        if number:
            came.append(
                (broken + stay_broken >= working + fall, broken + mend > working + stay_working)
            )
            broken, working = (
                max(broken + stay_broken, working + fall),
                max(broken + mend, working + stay_working),
            )
        broken += say
    path = [broken > working]
    for to_broken, to_working in reversed(came):
        path.append(to_broken if path[-1] else to_working)
    return np.array(path[::-1] if came or len(says) else [], dtype=bool)


def likelihood_ratio(says: Floats) -> float:
    """Likelihood of all attempts when working against when broken; 1 where there are none."""
    return min(max(math.exp(min(-float(says.sum()), 50.0)), 1 / LARGEST), LARGEST)


def residual_bound(failed: int, trials: int, *, level: float = 0.95) -> float:
    """Upper bound on a failure rate from `failed` in `trials`; nan where there are none.

    One-sided and exact. Source: C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404-413.

    Examples
    --------
    >>> round(residual_bound(0, 10), 3)
    0.259
    """
    if trials == 0:
        return float("nan")
    if failed == trials:
        return 1.0
    if failed == 0:
        return 1 - math.pow(1 - level, 1 / trials)
    from scipy.special import betaincinv  # noqa: PLC0415  # scipy is slow to import

    return float(betaincinv(failed + 1, trials - failed, level))


def residual_failures(tries: Tries) -> tuple[int, int]:
    """Bursts whose first try showed the symptom, and all bursts that tell: a burst counts once."""
    first = tries[~tries.retry]
    return int(first.symptom.sum()), int((first.symptom | first.worked).sum())
