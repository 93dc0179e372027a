"""How often does a broken host fail, and how often any host: learned from the fleet, then per host.

Whether a host is affected and how often affected hosts fail depend on each other, so the fleet is
gone through a few times. A host's own rates lean on the fleet's as far as hosts differ little from
each other, which is learned too. This file decides no status.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from kitlib.recovery.confidence import SWITCH, Rates, Switches, follow, likely_states, steps
from kitlib.recovery.stays import WEEK
from kitlib.recovery.views import FREE
from kitlib.stats import chance, log_beta_bernoulli

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitlib.recovery.views import Tries, View

ROUNDS: Final = 3
"""Times the fleet is gone through from each start; the rates hardly move after that."""

STARTS: Final = (0.9, 0.5, 0.25)
"""Broken rates to start from; where the wrong one is taken, no host seems affected at all."""

LEANINGS: Final = (5.0, 15.0, 50.0, 150.0, 500.0)
"""Attempts of a host's own that weigh as much as the fleet's rate; see `_leaning`."""

CAREFUL: Final = 1.0
"""Standard errors by which a broken rate is taken to be lower than estimated when the question is
whether a host works again: to say so too early is worse than to say it an attempt too late."""

UNDER_FAULT: Final = Switches(entry=0.9, breaks=0.05, mends=0.002)
"""While what is blamed is in effect, a host it bites is mostly broken from the first attempt on;
else it breaks before long (some faults need a restart, or days). It is mended seldom, or a run of
luck with a fault that lets half of the attempts through would look like a cure."""

ALONE: Final = Switches(entry=SWITCH, breaks=SWITCH, mends=SWITCH)
"""A host for which nothing is known to be at work."""

OWN_STORY: Final = 0.05
"""Probability that a host shows the symptom for reasons of its own."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the fleet says about a single host.

    Attributes
    ----------
    rates
        Of the fleet.
    affected
        Share of the hosts with what is blamed in effect that it bites.
    lean_broken, lean_ordinary
        Attempts of a host's own that weigh as much as the fleet's rate.
    trials
        First tries of broken hosts that the fleet's broken rate rests on.
    mended
        From when on all work again with the bad build in effect (ns), None if they do not; see
        `kitlib.recovery.together`.
    still
        How likely each host is to be broken right after what everybody had was over; where nothing
        is stated, as likely as not.
    breaks
        Probability that a host that something has mended breaks again between two attempts.
    last
        Last evidence of any host (ns).
    """

    rates: Rates
    affected: float = 0.5
    lean_broken: float = 15.0
    lean_ordinary: float = 15.0
    trials: int = 5
    mended: int | None = None
    still: Mapping[str, float] = field(default_factory=dict)
    breaks: float = SWITCH
    last: int | None = None


class _Counts(NamedTuple):
    """Failures with the symptom and trials, of first tries and of retries."""

    first: int
    firsts: int
    again: int
    agains: int

    @classmethod
    def of(cls, tries: Tries) -> _Counts:
        first, told = ~tries.retry, tries.symptom | tries.worked
        return cls(
            int((tries.symptom & first).sum()),
            int((told & first).sum()),
            int((tries.symptom & ~first).sum()),
            int((told & ~first).sum()),
        )


def before_exposure(view: View) -> Tries:
    """Return the attempts that show what is ordinary for a host: those before what is blamed came.

    Failures right after it went belong to the question whether it is over. For a host without a
    known exposure these are all.
    """
    tries = view.tries[view.tries.regime == FREE]
    if not view.stays:
        return tries
    return tries[tries.time < min(stay.start_low for stay in view.stays)]


def while_broken(view: View, rates: Rates) -> Tries:
    """Return the attempts under what is blamed, as far as the host was most probably broken.

    To cut at the last failure would leave out what such a fault lets through.
    """
    under = view.tries.bad
    return under[likely_states(steps(under, rates).tolist(), UNDER_FAULT)]


def learn_fleet(views: Sequence[View]) -> Fleet:
    """Learn the fleet's rates, and how much hosts differ.

    Notes
    -----
    Assumes one rate of failure for all broken hosts, give or take. Fails where a fault fails one
    group of hosts always and another seldom: the second then leans too far towards the first.
    """
    usual = [before_exposure(view) for view in views if not view.stateless or not view.stays]
    if not any(view.stays for view in views):
        usual = _quiet_weeks(usual)
    ordinary = [_Counts.of(tries) for tries in usual]
    fleet = Fleet(_ordinary(ordinary), last=max((v.last for v in views if v.last), default=None))
    fleet = replace(fleet, lean_ordinary=_leaning(ordinary, fleet.rates.ordinary))
    exposed = [view for view in views if view.tries.bad.symptom.any()]
    silent = sum(bool(len(view.tries.bad)) for view in views) - len(exposed)
    if exposed:
        starts = [_learn_broken(exposed, silent, fleet, start) for start in STARTS]
        fleet = max(starts, key=lambda start: start[0])[1]
    sick = [view for view in exposed if how_affected(view, fleet) > 0.5]
    counts = [_Counts.of(while_broken(view, fleet.rates)) for view in sick]
    return replace(
        fleet,
        lean_broken=_leaning(counts, fleet.rates.broken),
        trials=max(sum(count.firsts for count in counts), 5),
    )


def _learn_broken(
    exposed: Sequence[View], silent: int, fleet: Fleet, start: float
) -> tuple[float, Fleet]:
    """Learn the broken rates and the share affected from one starting point; and how well they fit.

    `silent` hosts had what is blamed in effect, tried, and never showed the symptom.
    """
    rates = _sane(fleet.rates._replace(broken=start, broken_retry=start))
    fleet, fit = replace(fleet, rates=rates), 0.0
    for _ in range(ROUNDS):
        logs = np.array([_bitten(view, fleet) for view in exposed])
        share = min(max(fleet.affected, 0.05), 0.95)
        weights = 1 / (1 + np.exp(-np.clip(logs + np.log(share / (1 - share)), -50, 50)))
        fit = float(np.logaddexp(np.log(share) + logs, np.log(1 - share)).sum())
        fit += silent * float(np.log(1 - share))
        broken = [_Counts.of(while_broken(view, fleet.rates)) for view in exposed]
        fleet = replace(
            fleet,
            rates=_broken(broken, weights.tolist(), fleet.rates),
            affected=(float(weights.sum()) + 1) / (len(exposed) + silent + 2),
        )
    return fit, fleet


def _quiet_weeks(tries: Sequence[Tries]) -> list[Tries]:
    """Keep the better half of the weeks, where nothing says when the failures were out of the usual."""
    weeks = [part.time // WEEK.value for part in tries]
    every = np.unique(np.concatenate(weeks)) if weeks else np.empty(0, int)
    rates = []
    for week in every:
        inside = [part[own == week] for part, own in zip(tries, weeks, strict=True)]
        counts = [_Counts.of(part) for part in inside]
        rates.append((sum(c.first for c in counts) + 0.5) / (sum(c.firsts for c in counts) + 10))
    quiet = every[np.array(rates) <= np.median(rates)] if rates else every
    return [part[np.isin(own, quiet)] for part, own in zip(tries, weeks, strict=True)]


def _ordinary(counts: Sequence[_Counts]) -> Rates:
    """Rates before the fault is known; the median host stands for all, a third may be broken."""
    own = [(c.first + 0.5) / (c.firsts + 10) for c in counts if c.firsts]
    usual = [c for c, rate in zip((c for c in counts if c.firsts), own, strict=True)
             if rate <= max(3 * float(np.median(own)), 0.1)]  # fmt: skip
    first, firsts = sum(c.first for c in usual), sum(c.firsts for c in usual)
    again, agains = sum(c.again for c in usual), sum(c.agains for c in usual)
    return _sane(Rates(0.9, 0.9, (first + 0.5) / (firsts + 10), (again + 1) / (agains + 4)))


def _broken(counts: Sequence[_Counts], weights: Sequence[float], before: Rates) -> Rates:
    first, firsts, again, agains = (
        sum(weight * count[place] for count, weight in zip(counts, weights, strict=True))
        for place in range(4)
    )
    rate = (first + 1) / (firsts + 1.5)
    return _sane(before._replace(broken=rate, broken_retry=(again + 2 * rate) / (agains + 2)))


def _sane(rates: Rates) -> Rates:
    """Keep rates off 0 and 1, and a failure from ever speaking for a working host."""
    ordinary = min(max(rates.ordinary, 0.002), 0.5)
    ordinary_retry = min(max(rates.ordinary_retry, 0.002), 0.9)
    return Rates(
        broken=max(min(rates.broken, 0.99), 1.2 * ordinary, 0.05),
        broken_retry=max(min(rates.broken_retry, 0.99), min(1.05 * ordinary_retry, 0.99), 0.05),
        ordinary=ordinary,
        ordinary_retry=ordinary_retry,
    )


def _leaning(counts: Sequence[_Counts], rate: float) -> float:
    """Choose the strength of the fleet's rate: the greatest that the hosts do not contradict.

    The fleet's rate is a Beta prior. Hosts are taken as alike until they show that they are not:
    a handful of attempts each would else look like as many different machines.
    """
    k, n = (np.array([c[place] for c in counts], dtype=int) for place in (0, 1))
    fits = [
        float(np.sum(log_beta_bernoulli(k, n, rate * lean, (1 - rate) * lean))) for lean in LEANINGS
    ]
    alike = [lean for lean, fit in zip(LEANINGS, fits, strict=True) if fit >= max(fits) - 2]
    return alike[-1] if len(counts) > 1 else LEANINGS[1]


def usual_of(view: View, fleet: Fleet) -> Rates:
    """Return the fleet's broken rates and a host's own ordinary ones, leaning on the fleet's."""
    rates, lean = fleet.rates, fleet.lean_ordinary
    # Without a known exposure, what is ordinary for the host is the very question.
    usual = _Counts.of(before_exposure(view)) if view.stays else _Counts(0, 0, 0, 0)
    return _sane(
        rates._replace(
            ordinary=(usual.first + lean * rates.ordinary) / (usual.firsts + lean),
            ordinary_retry=(usual.again + lean * rates.ordinary_retry) / (usual.agains + lean),
        )
    )


def careful_rates_of(view: View, fleet: Fleet) -> Rates:
    """Return a host's own rates, the broken ones lowered by `CAREFUL` standard errors."""
    rates, lean = fleet.rates, fleet.lean_broken
    sick = _Counts.of(while_broken(view, rates))
    own = (
        (sick.first + lean * rates.broken) / (sick.firsts + lean),
        (sick.again + lean * rates.broken_retry) / (sick.agains + lean),
    )
    trials = min(sick.firsts + sick.agains + lean, fleet.trials)
    broken, again = (rate - CAREFUL * float(np.sqrt(rate * (1 - rate) / trials)) for rate in own)
    return _sane(usual_of(view, fleet)._replace(broken=broken, broken_retry=again))


def _bitten(view: View, fleet: Fleet) -> float:
    """Log likelihood of a host's attempts under the fault, against working all along."""
    says = steps(view.tries.bad, usual_of(view, fleet)).tolist()
    return follow(says, UNDER_FAULT).weight


def how_affected(view: View, fleet: Fleet) -> float:
    """Probability that what is blamed has bitten a host, from its attempts while in effect."""
    if not view.tries.bad.symptom.any():
        return 0.0
    share = min(max(fleet.affected, 0.05), 0.95)
    return chance(_bitten(view, fleet) + float(np.log(share / (1 - share))))


def has_own_story(view: View, fleet: Fleet) -> tuple[float, Rates]:
    """Probability that a host shows the symptom in a spell, its exposure being unknown or none.

    A spell is weighed against a host that fails at one rate all along, whatever that rate is: such
    a host shows the symptom no more than in its own past. The rates are those of the spell that
    fits best: fails like the fleet's broken hosts, or half of the time.
    """
    tries = view.tries.telling
    kinds = (fleet.rates, _sane(fleet.rates._replace(broken=0.5, broken_retry=0.5)))
    spells = [follow(steps(tries, rates).tolist(), ALONE).weight for rates in kinds]
    count = _Counts.of(tries)
    told = (
        (count.first, count.firsts, fleet.rates.ordinary),
        (count.again, count.agains, fleet.rates.ordinary_retry),
    )
    always = sum(
        float(log_beta_bernoulli(k, n, 1.0, 1.0)) - _log_bernoulli(k, n, rate)
        for k, n, rate in told
    )
    prior = max(fleet.affected, OWN_STORY) if view.stateless or view.stays else OWN_STORY
    yes = np.log(prior) + np.logaddexp(spells[0], spells[1]) - np.log(2)
    no = np.logaddexp(np.log(1 - prior), np.log(OWN_STORY) + always)
    return chance(float(yes - no)), kinds[int(np.argmax(spells))]


def _log_bernoulli(failed: int, trials: int, rate: float) -> float:
    return failed * float(np.log(rate)) + (trials - failed) * float(np.log1p(-rate))
