"""What mended all hosts at once: a cure outside the builds, and the end of what everybody had.

A setting of the server leaves no trace on the hosts, but it mends all of them at one moment; the
end of an outage is a fact of the fleet as well. Both are read here from many hosts, each of which
counts once, and go into the story of each host as what was likely before its own attempts were
looked at. How often hosts fail is learned in `rates`; no status is decided here.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from kitlib.recovery.confidence import (
    SWITCH,
    Switches,
    follow,
    known_to_work,
    likely_states,
    steps,
)
from kitlib.recovery.rates import UNDER_FAULT, careful_rates_of, how_affected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitlib.recovery.confidence import Rates
    from kitlib.recovery.rates import Fleet
    from kitlib.recovery.views import View
    from kitlib.stats import Floats, Ints

MIN_MENDED: Final = 3
"""Hosts that must turn from broken to working at one moment before a cure of all is inferred."""

MENDED: Final = 7.0
"""Log likelihood ratio (1 to 1,000) from which on that cure is believed."""

TURNED: Final = 1.0
"""Log likelihood ratio from which on a host counts among them."""

LEFT_OUT: Final = 0.1
"""Share of the hosts that a cure of all may leave out."""

ONE_BY_ONE: Final = (UNDER_FAULT.mends, 0.01, 0.05)
"""How often hosts may be mended each on its own; what explains the fleet best stands against a cure
of all, so that hosts helped one at a time do not look like one."""

ROUNDS: Final = 20
"""Times the share of the hosts still broken is gone through; it moves little after five."""

EVEN: Final = 0.5


class Marks(NamedTuple):
    """Attempts of one host while what is blamed is in effect."""

    times: Ints
    says: Floats
    """What each says, broken against working (log); see `kitlib.recovery.confidence.steps`."""


def learn_ends(views: Sequence[View], fleet: Fleet, *, builds: bool) -> Fleet:
    """Learn what the fleet says about the end: what mended all, and how seldom hosts break again.

    Parameters
    ----------
    builds
        Whether a change is blamed. A build with the cure is no end for all: each host must be seen
        to work with it.
    """
    sick = [
        (view, careful_rates_of(view, fleet)) for view in views if how_affected(view, fleet) > EVEN
    ]
    fleet = replace(fleet, mended=cure_of_all(sick))
    if not builds:
        fleet = replace(fleet, still=still_broken(sick))
    return replace(fleet, breaks=relapse_rate(sick, fleet))


def last_chapter(view: View, fleet: Fleet) -> tuple[int, float, bool]:
    """From when on attempts bear on the end, and how likely the host is broken at that moment.

    Last, whether something that could have mended it was seen. What worked while the change was
    removed says nothing once it is back.
    """
    last = view.last_stay
    if not last.open:
        return last.end_high, fleet.still.get(view.name, EVEN), True
    if fleet.mended is not None and fleet.mended > last.start_high:
        return fleet.mended, EVEN, True
    return last.start_high, UNDER_FAULT.entry, False


# ---------------------------------------------------------------- a cure of all


def cure_of_all(sick: Sequence[tuple[View, Rates]]) -> int | None:
    """Find from when on all hosts work although what is blamed is in effect (ns); None: never.

    Parameters
    ----------
    sick
        The hosts that were affected, each with its rates.

    Notes
    -----
    See `moment_of_all`.
    """
    under = [(view.tries.bad, rates) for view, rates in sick]
    return moment_of_all([Marks(tries.time, steps(tries, rates)) for tries, rates in under])


def moment_of_all(hosts: Sequence[Marks]) -> int | None:
    """Weigh "all work from one moment on" against "each goes on as before"; return the moment.

    Returns
    -------
    int or None
        The first attempt after the cure (ns); None where nothing shows one.

    Notes
    -----
    The unit is the host: a cure makes it work at its first attempt since, which its other attempts
    bear out or not (`kitlib.recovery.confidence.known_to_work`). However many they are, a host
    adds no more than the surprise of its being mended just then; one that was mended before adds
    next to nothing, and one that did not try since nothing.
    The moment is free: its likelihood is the mean over all attempts as moments, which is what
    looking for the best one costs. Hosts mended each on its own are the rival explanation, at the
    rate that fits the fleet best (`ONE_BY_ONE`).

    Assumes that hosts mended each on its own are so independently of each other. Fails where
    somebody helps many hosts on one afternoon and the rest is not tried until the end.
    """
    if sum(len(own.times) > 0 for own in hosts) < MIN_MENDED:
        return None
    rivals = [Switches(UNDER_FAULT.entry, UNDER_FAULT.breaks, mends) for mends in ONE_BY_ONE]
    rival = max(rivals, key=lambda own: sum(follow(host.says, own).weight for host in hosts))
    gains = [_gains(host.says, rival) for host in hosts]
    moments, totals = _totals([own.times for own in hosts], gains)
    weight = float(np.logaddexp.reduce(totals)) - math.log(len(totals))
    moment = int(moments[totals.argmax()])
    places = [int(np.searchsorted(own.times, moment)) for own in hosts]
    turned = sum(bool(gain[place] > TURNED) for gain, place in zip(gains, places, strict=True))
    return moment if weight >= MENDED and turned >= MIN_MENDED else None


def _gains(says: Floats, rival: Switches) -> Floats:
    """Weigh a cure of all just before each attempt of a host; 0 after the last.

    Up to its first failure nothing shows that there is anything to cure: a fault may take days to
    bite, and a host that does not fail yet speaks for no cure.
    """
    cured = np.append(known_to_work(says.tolist(), rival), 0.0)
    shown = np.append([False], np.cumsum(says > 0) > 0)
    cured = np.where(shown, cured, np.minimum(cured, 0.0))
    return np.asarray(np.logaddexp(np.log1p(-LEFT_OUT) + cured, np.log(LEFT_OUT)))


def _totals(times: Sequence[Ints], gains: Sequence[Floats]) -> tuple[Ints, Floats]:
    """Sum the gains of all hosts at the moment of each attempt, in order of time."""
    moments = np.concatenate(times)
    order = np.argsort(moments, kind="stable")
    moments = moments[order]
    moves = np.concatenate([np.diff(gain) for gain in gains])[order]
    start = sum(float(gain[0]) for gain in gains)
    upto = start + np.concatenate([[0.0], np.cumsum(moves)])
    return moments, np.asarray(upto[np.searchsorted(moments, moments, side="left")])


# ---------------------------------------------------------------- the end of what everybody had


def still_broken(sick: Sequence[tuple[View, Rates]]) -> Mapping[str, float]:
    """Say how likely each host is to be broken right after what everybody had is over.

    Returns
    -------
    mapping
        By host, from the other hosts: the share of them that their attempts since show broken. A
        host without others beside it is as likely broken as not.

    Notes
    -----
    One moment ended it for all, so hosts are alike in whether they came back: an empirical prior,
    from which each host's own attempts go on. It is not used for a build with the cure, which each
    host must be seen to work with. Assumes that hosts stay broken independently of each other.
    """
    over = [(view, rates) for view, rates in sick if not view.open]
    says = [
        steps(view.tries.since(view.last_stay.end_high), rates).tolist() for view, rates in over
    ]
    shares = leave_one_out(
        np.array([_entered(own, broken=True) - _entered(own, broken=False) for own in says])
    )
    return {view.name: share for (view, _), share in zip(over, shares, strict=True)}


def _entered(says: Sequence[float], *, broken: bool) -> float:
    return follow(says, Switches(float(broken), SWITCH, SWITCH)).weight


def leave_one_out(logs: Floats) -> list[float]:
    """Estimate for each host the share of broken ones among the others.

    Parameters
    ----------
    logs
        Log likelihood ratio of each host, broken against working.

    Notes
    -----
    Expectation maximisation with half a host of either kind beside those seen (Jeffreys).
    """
    shares = np.full(len(logs), EVEN)
    for _ in range(ROUNDS if len(logs) else 0):
        odds = np.clip(logs + np.log(shares / (1 - shares)), -50, 50)
        broken = 1 / (1 + np.exp(-odds))
        shares = (broken.sum() - broken + EVEN) / len(logs)
    return [float(share) for share in shares]


# ---------------------------------------------------------------- broken again


def relapse_rate(sick: Sequence[tuple[View, Rates]], fleet: Fleet) -> float:
    """Estimate how often a host that something has mended breaks again, an attempt.

    Notes
    -----
    `SWITCH` is taken for as many attempts as it promises one relapse in; to these come the fleet's
    own attempts since its hosts were mended. One failure at the end is then no relapse in a fleet
    in which hosts stay mended. Assumes that all hosts relapse alike. Fails where a server falls
    back for all just before the evidence ends.
    """
    falls = chances = 0
    for view, rates in sick:
        since, entry, seen = last_chapter(view, fleet)
        tail = view.tries.since(since)
        if seen and len(tail):
            says = steps(tail, rates).tolist()
            broken = likely_states(says, Switches(entry, SWITCH, SWITCH))
            falls += int((broken[1:] & ~broken[:-1]).sum())
            chances += int((~broken[:-1]).sum())
    return (1 + falls) / (1 / SWITCH + chances)
