"""Hosts with the change against hosts without it, on the same days; and other changes likewise.

An outage, a trend or a holiday meets both sides of a day alike, so it makes no difference between
them. These legs say nothing where everybody changed at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from kitlib.claims import Check
from kitlib.legs.deals import Deals, deal, group_numbers, histories
from kitlib.legs.scene import ALPHA, MIN_SIDE, TOO_FEW, Mask, Resamples, Scene, share
from kitlib.stats import Floats, Ints, stratified_difference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

MIN_OTHERS: Final = 5
"""Other changes that a comparison with placebo changes must have."""

MIN_ROLLOUT: Final = 3
"""Hosts that must try with another change in effect for it to be a placebo."""

COMPANION: Final = 0.5
"""Correlation with the blamed change from which on another is its companion, no placebo."""


def same_day_controls(scene: Scene, *, groups: Mapping[str, frozenset[str]] | None = None) -> Check:
    """Exposed hosts against hosts without the change on the same days; hosts permuted.

    Parameters
    ----------
    scene
        The suspect.
    groups
        Hosts by site or branch, if known: p then compares and deals within each group only.

    Notes
    -----
    See `permuted` for what it assumes. Passes where p is below `ALPHA` and the interval of the
    difference, from resampled hosts, lies above zero.
    """
    name = "same-day controls"
    difference = Resamples.of(scene.panel).risk_difference(scene.mask)
    k1, n1 = scene.panel.daily(scene.mask)
    k0, n0 = scene.panel.daily(~scene.mask)
    shared = (n1.sum(axis=0) > 0) & (n0.sum(axis=0) > 0)
    exposed, controls = (int((n[:, shared].sum(axis=1) > 0).sum()) for n in (n1, n0))
    if not shared.any() or np.isnan(difference[0]):
        return Check(name, None, "no day has attempts of hosts with and without the change")
    if min(exposed, controls) < MIN_SIDE:
        text = (
            f"only {exposed} hosts with the change and {controls} without it tried on the same "
            f"days; {MIN_SIDE} of each are the least that can be compared"
        )
        return Check(name, None, text)
    p, deals = _permuted(scene, branch_numbers(scene, groups))
    text = (
        f"on {int(shared.sum())} days with both, {exposed} exposed hosts fail in "
        f"{share(k1[:, shared].sum(), n1[:, shared].sum())} of their episodes, {controls} hosts "
        f"without the change in {share(k0[:, shared].sum(), n0[:, shared].sum())}; difference "
        f"{difference[0]:+.2f} (90 %: {difference[1]:+.2f} to {difference[2]:+.2f}), "
        f"permutation p = {p:.3f} ({deals}{_within(groups)})"
    )
    both = shared[scene.panel.day]
    records = scene.records(both & scene.mask & scene.failed) + scene.records(
        both & ~scene.mask & ~scene.failed
    )
    if not deals.can_pass:
        return Check(name, None, f"{text}: {TOO_FEW}", records)
    return Check(name, bool(difference[1] > 0 and p < ALPHA), text, records)


def permuted(scene: Scene, *, groups: Mapping[str, frozenset[str]] | None = None) -> float:
    """One-sided p of the same-day difference when histories of exposure are dealt out anew.

    Notes
    -----
    A host's state is taken at noon of each day. Exact where the distinct deals are few (see
    `kitlib.legs.deals`). Assumes that which host got which history is exchangeable, within its
    group if `groups` are given; fails where the rollout followed something that matters (the ill
    first, one site first and that site with an outage of its own).
    """
    return _permuted(scene, branch_numbers(scene, groups))[0]


def branch_numbers(scene: Scene, groups: Mapping[str, frozenset[str]] | None) -> Ints | None:
    """Give the group of each host of the panel a number; None where there are no groups."""
    if not groups:
        return None
    names = {host: name for name, hosts in groups.items() for host in hosts}
    return group_numbers(scene.panel.hosts, names)


def _within(groups: Mapping[str, frozenset[str]] | None) -> str:
    return f" within {len(groups)} groups of hosts" if groups else ", all hosts alike"


def _permuted(scene: Scene, groups: Ints | None) -> tuple[float, Deals]:
    k, n = scene.panel.daily()
    states = scene.states()
    # Other days have one side only, in every deal: they weigh nothing.
    mixed = states.any(axis=0) & ~states.all(axis=0) & n.any(axis=0)
    number, (table,) = histories(states[:, mixed].astype(float))
    deals = deal(number, groups)
    values = same_day_differences(
        deals.kinds, (table, 1 - table), (k[:, mixed], n[:, mixed]), groups
    )
    return deals.p(values), deals


def same_day_differences(
    kinds: Ints,
    sides: tuple[Floats, Floats],
    counts: tuple[Floats, Floats],
    groups: Ints | None = None,
) -> Floats:
    """Mantel-Haenszel difference over days (and groups) for each deal of histories.

    `kinds` are deals by hosts; `sides` two tables of histories by days, 1 where the history is on
    the exposed and on the other side; `counts` failures and episodes as hosts by days.
    """
    on, off = sides
    k, n = counts
    group = np.zeros(len(k), dtype=np.int64) if groups is None else groups
    members = [np.flatnonzero(group == number) for number in np.unique(group)]
    sums = np.empty((len(kinds), 4, len(members), k.shape[1]))
    both = np.stack([k, n])
    for place, row in enumerate(kinds):
        for number, rows in enumerate(members):
            sums[place, :2, number] = np.einsum("shd,hd->sd", both[:, rows], on[row[rows]])
            sums[place, 2:, number] = np.einsum("shd,hd->sd", both[:, rows], off[row[rows]])
    flat = sums.reshape(len(kinds), 4, -1)
    return np.asarray(stratified_difference(*(flat[:, side] for side in range(4))))


def branches(exposure: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Sort hosts by the build of Windows that they ran first, as groups of `same_day_controls`."""
    system = exposure[exposure["build"].notna()].sort_values("start", na_position="first")
    first = system.drop_duplicates("host")
    return {
        str(build): frozenset(hosts)
        for build, hosts in first.groupby("build")["host"]
        if len(hosts)
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Rivals:
    """Same-day differences of the other changes that can serve as placebos."""

    labels: list[str]
    differences: Floats
    companions: int
    small: int


def placebo_changes(scene: Scene, masks: Mask, labels: Sequence[str]) -> Check:
    """Rank the blamed change among others with rollouts of their own.

    Parameters
    ----------
    scene
        The blamed change.
    masks
        One row a change, one column an episode of the scene; True while in effect. One of them may
        be the blamed change itself: it is its own companion and not counted.
    labels
        Of each change, for the text. Rows that share a label are one change (its possible cures);
        the largest difference counts.

    Notes
    -----
    p is a rank, (1 + others that reach it) / (1 + others), so fewer than 20 others can refute but
    not confirm. Assumes that the others would show what any innocent change shows. A change that
    goes along with the blamed one (correlation above `COMPANION`) is told by being together, not
    here. Fails where many others are companions of another guilty change.
    """
    name = "placebo changes"
    own = _difference(scene, scene.mask)
    if np.isnan(own):
        return Check(name, None, "no day has attempts of hosts with and without the change")
    rivals = _rivals(scene, masks, labels)
    if len(rivals.labels) < MIN_OTHERS:
        text = (
            f"only {len(rivals.labels)} other changes have a rollout of their own to compare "
            f"({rivals.companions} went along with this one, {rivals.small} were on fewer than "
            f"{MIN_ROLLOUT} hosts); {MIN_OTHERS} are the least"
        )
        return Check(name, None, text)
    return _ranked(scene, own, rivals)


def _ranked(scene: Scene, own: float, rivals: _Rivals) -> Check:
    reach = int((rivals.differences >= own).sum())
    others = len(rivals.differences)
    p = (1 + reach) / (1 + others)
    best = int(rivals.differences.argmax())
    text = (
        f"{reach} of {others} other changes with a rollout of their own reach the same-day "
        f"difference of {own:+.2f}; the largest is {rivals.differences[best]:+.2f} "
        f"({rivals.labels[best]}), rank p = {p:.3f}"
    )
    passed: bool | None = p < ALPHA
    if reach == 0 and not passed:
        passed = None
        text += ": too few others for the rank to pass whatever they show"
    return Check("placebo changes", passed, text, scene.records(scene.mask & scene.failed))


def _rivals(scene: Scene, masks: Mask, labels: Sequence[str]) -> _Rivals:
    values: dict[str, float] = {}
    companions, small = set(), set()
    for mask, label in zip(masks, labels, strict=True):
        if _together(mask, scene.mask) > COMPANION:
            companions.add(label)
        elif len(np.unique(scene.panel.host[mask])) < MIN_ROLLOUT:
            small.add(label)
        else:
            value = _difference(scene, mask)
            if not np.isnan(value):
                values[label] = max(value, values.get(label, -1.0))
    kept = [label for label in values if label not in companions]
    return _Rivals(
        kept, np.asarray([values[label] for label in kept]), len(companions), len(small - set(kept))
    )


def _together(one: Mask, other: Mask) -> float:
    """Correlation of two masks; 0 where one of them never changes."""
    a, b, both = one.mean(), other.mean(), (one & other).mean()
    spread = a * (1 - a) * b * (1 - b)
    return float((both - a * b) / np.sqrt(spread)) if spread > 0 else 0.0


def _difference(scene: Scene, mask: Mask) -> float:
    """Same-day difference of failure rates, without its interval."""
    day, days, failed = scene.panel.day, len(scene.panel.days), scene.failed
    sides = [
        np.bincount(day[chosen], minlength=days).astype(float)
        for chosen in (mask & failed, mask, ~mask & failed, ~mask)
    ]
    return float(stratified_difference(*sides))
