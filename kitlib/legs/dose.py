"""More of the change, more failures: hosts, or groups of hosts, by how much of it they had.

A host's dose is the share of days with the change in effect, over the days of the rollout and only
until hosts are freed of it: those who fail are freed first, and then had the least of it. That of a
group (a site, a ring, a branch) is the mean of its hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib.claims import Check
from kitlib.legs.controls import branch_numbers
from kitlib.legs.deals import Deals, deal
from kitlib.legs.scene import ALPHA, TOO_FEW, Mask, Scene

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitlib.stats import Floats, Ints

BANDS: Final = ((0.0, 0.0), (0.0, 0.5), (0.5, 1.0))
"""Doses (above, up to) that the text tells apart; the first is none at all."""

FREED: Final = 0.1
"""Share of the exposed hosts that may be free of it again before the rollout is over."""

SHOWN_GROUPS: Final = 6


def dose(scene: Scene, *, groups: Mapping[str, frozenset[str]] | None = None) -> Check:
    """Rank correlation of dose and share failing over hosts, or over `groups` of hosts.

    Parameters
    ----------
    scene
        The suspect.
    groups
        Hosts by site, ring or branch. Without them every host stands for itself.

    Notes
    -----
    Spearman's correlation, ties at their mean rank, one-sided; doses are dealt out anew (exact
    where the deals are few). That by day is told without a p: days follow one another, and an
    outage in the middle of a rollout makes them go together. Assumes that dose is exchangeable over
    hosts or groups. Fails, as every between-host comparison, where the ill got more of it.
    """
    name = "dose"
    units = np.arange(len(scene.panel.hosts)) if groups is None else branch_numbers(scene, groups)
    if not scene.mask.any() or units is None:
        return Check(name, None, "nobody tried with the change in effect")
    window = _rollout(scene)
    if not window.any():
        return Check(name, None, "hosts were freed of it before anybody tried with it in effect")
    on, failing, known = _shares(scene, units, window)
    kinds = np.unique(on, return_inverse=True)[1].reshape(-1)
    what = "hosts" if groups is None else "groups of hosts"
    alike = int(np.bincount(kinds).max())
    if alike >= (1 - FREED) * len(on):  # what is left are the few freed early
        return Check(name, None, f"{alike} of {len(on)} {what} had the same dose of it")
    deals = deal(kinds)
    values = _correlations(deals, on, failing)
    text = (
        f"over {len(on)} {what}, the share of days with it in effect and the share of episodes failing "
        f"correlate by rank at {values[0]:+.2f}, p = {deals.p(values):.3f} ({deals}); "
        + (_bands(on, failing) if groups is None else _named(groups, known, on, failing))
        + f"; by day at {_by_day(scene, window):+.2f}"
    )
    records = scene.records(scene.mask & scene.failed)
    if not deals.can_pass:
        return Check(name, None, f"{text}: {TOO_FEW}", records)
    if np.isnan(values[0]):
        return Check(name, None, f"{text}: all {what} fail alike", records)
    return Check(name, bool(deals.p(values) < ALPHA), text, records)


def _rollout(scene: Scene) -> Mask:
    """Mark the episodes from the first day with the change in effect until hosts are freed."""
    day = scene.panel.day
    days = day[scene.mask]
    on = scene.states()
    freed = (np.logical_or.accumulate(on, axis=1) & ~on).sum(axis=0)
    many = np.flatnonzero(freed > FREED * on.any(axis=1).sum())
    last = days.max() if not len(many) else min(days.max(), int(many[0]) - 1)
    return np.asarray((day >= days.min()) & (day <= last))


def _shares(scene: Scene, units: Ints, window: Mask) -> tuple[Floats, Floats, Ints]:
    """Mean dose and share failing of each unit with episodes in `window`, and its number.

    The dose is counted in days, not in the host's own episodes: who happened to try late would
    have more of the change and more of any outage that lasts.
    """
    size = int(units.max()) + 1
    days = np.unique(scene.panel.day[window])
    tried = np.zeros(len(units), dtype=bool)
    tried[scene.panel.host[window]] = True
    had = scene.states()[:, days].mean(axis=1)
    dose_sum, hosts = (np.bincount(units[tried], x, size) for x in (had[tried], None))
    unit = units[scene.panel.host[window]]
    k, n = (np.bincount(unit, x, size) for x in (scene.failed[window], None))
    known = np.flatnonzero(n)
    return dose_sum[known] / hosts[known], k[known] / n[known], known


def _correlations(deals: Deals, on: Floats, failing: Floats) -> Floats:
    """Spearman's correlation for each deal of doses; nan where one side never varies."""
    rank = np.zeros(int(deals.kinds.max()) + 1)
    rank[deals.kinds[0]] = _ranks(on)
    x, y = rank[deals.kinds], _ranks(failing)
    spread = np.sqrt((x[0] @ x[0]) * (y @ y))
    return np.asarray(x @ y / spread) if spread > 0 else np.full(len(x), np.nan)


def _ranks(values: Floats) -> Floats:
    ranks = pd.Series(values).rank().to_numpy()
    return np.asarray(ranks - ranks.mean())


def _by_day(scene: Scene, window: Mask) -> float:
    day = scene.panel.day[window]
    n, k, e = (
        np.bincount(day[side[window]]).astype(float) if side[window].any() else np.zeros(1)
        for side in (window, scene.failed, scene.mask)
    )
    size = len(n)
    k, e = (np.pad(x, (0, size - len(x))).astype(float) for x in (k, e))
    some = n > 0
    x, y = _ranks(e[some] / n[some]), _ranks(k[some] / n[some])
    spread = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / spread) if spread > 0 else 0.0


def _bands(on: Floats, failing: Floats) -> str:
    parts = []
    for above, upto in BANDS:
        here = (on == 0) if upto == 0 else (on > above) & (on <= upto)
        if here.any():
            words = "none of it" if upto == 0 else f"{above:.0%} to {upto:.0%} of it"
            parts.append(f"{int(here.sum())} hosts with {words} fail {failing[here].mean():.0%}")
    return ", ".join(parts)


def _named(groups: Mapping[str, frozenset[str]], known: Ints, on: Floats, failing: Floats) -> str:
    names = sorted(groups)
    order = np.argsort(on, kind="stable")[:SHOWN_GROUPS]
    named = {number: name for number, name in enumerate(names)}  # noqa: C416  # by number
    return ", ".join(
        f"{named.get(int(known[place]), 'the rest')} {on[place]:.0%} exposed {failing[place]:.0%} "
        "failing"
        for place in order
    )
