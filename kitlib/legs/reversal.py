"""The way back: hosts on which the change went out of effect, and those on which it came again.

Recovery alone proves little: the gateway may have come back on the day of the fix. So a host's
recovery must be its own: hosts still exposed must go on failing on the days on which others have
been freed. Where all were freed on one day, nothing can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from kitlib.claims import Check
from kitlib.legs.controls import same_day_differences
from kitlib.legs.deals import deal, histories
from kitlib.legs.scene import ALPHA, MIN_SIDE, TOO_FEW, Mask, Scene, can_pass, share, signs
from kitlib.stats import sign_test
from kitlib.suspects import in_effect

if TYPE_CHECKING:
    import pandas as pd


MIN_BITTEN: Final = 4
LEAST_BITTEN: Final = 1 / 3
"""Hosts that failed before anybody was freed: least number, and share of all that ever fail."""


@dataclass(frozen=True, slots=True, eq=False)
class _SameDay:
    """Hosts already freed against hosts still exposed, on the same days."""

    passed: bool | None
    text: str


def reversal(scene: Scene, *, cured: pd.DataFrame | None = None) -> Check:
    """Follow the way back of each host that was freed of the change, and back again.

    Parameters
    ----------
    scene
        The suspect.
    cured
        Rows of the exposure table in which the cure is in effect, if known: tells fixes from
        removals in the text.

    Notes
    -----
    Two exact tests over hosts, and both must pass. Sign test: each freed host fails less often
    without the change than with it (equal numbers of episodes; a reinstall adds to both sides).
    Same-day test: among hosts that have had the change (see `compared`), those still exposed fail
    more often than those freed by then, histories dealt out anew among them. Assumes that who was freed when is
    exchangeable; fails where the ill were freed first and would have recovered anyway, or where
    the freed stop trying.
    """
    name = "reversal"
    freed = _since_exposure(scene) & ~scene.mask
    k1, n1 = scene.panel.counts(scene.mask)
    _, n2 = scene.panel.counts(freed)
    both = (n1 > 0) & (n2 > 0)
    if not (both & (k1 > 0)).any():
        return Check(name, None, "no failing host was seen after the change was gone")
    sign = signs(scene.panel, scene.mask, freed)
    better, worse = int((sign > 0).sum()), int((sign < 0).sum())
    p = sign_test(better, worse)
    text = (
        f"of {int((both & (k1 > 0)).sum())} failing hosts seen after the change was gone, {better} "
        f"fail less often then, {worse} more often; exact sign test p = {p:.3g}; "
        f"{_ways(scene, freed, cured)}"
    )
    records = scene.records(freed & ~scene.failed)
    if not can_pass(int(both.sum())):
        return Check(name, None, f"{text}: {TOO_FEW}", records)
    if p >= ALPHA:
        return Check(name, False, text, records)
    same_day = _same_day(scene, freed)
    return Check(name, same_day.passed, f"{text}; {same_day.text}", records)


def _since_exposure(scene: Scene) -> Mask:
    """Mark the episodes of each host from its first one with the change in effect on."""
    panel = scene.panel
    first = np.full(len(panel.hosts), np.iinfo(np.int64).max)
    np.minimum.at(first, panel.host[scene.mask], panel.time[scene.mask])
    return np.asarray(panel.time >= first[panel.host])


def _ways(scene: Scene, freed: Mask, cured: pd.DataFrame | None) -> str:
    """Count the steps seen: from with to without the change, by what did it, and back again."""
    panel = scene.panel
    order = np.lexsort((panel.time, panel.host))
    same = panel.host[order][1:] == panel.host[order][:-1]
    on, off = scene.mask[order], freed[order]
    down = same & on[:-1] & off[1:]
    again = int((same & off[:-1] & on[1:]).sum())
    if cured is None:
        gone = f"it went {int(down.sum())} times"
    else:
        fixed = int((down & in_effect(cured, scene.episodes)[order][1:]).sum())
        gone = f"{fixed} steps to the cure, {int(down.sum()) - fixed} removals"
    return f"{gone}, came again {again} times"


def compared(scene: Scene) -> tuple[Mask, Mask]:
    """Choose hosts and days for the comparison of hosts still exposed with hosts freed by then.

    Days are those with both. Hosts are those that failed while exposed before anybody was freed:
    what the change never bit cannot recover. Where these are few, all that ever had the change.
    The choice must not look at what happened once hosts were freed, or it would favour a result.
    """
    on, off = _freed_states(scene)
    mixed = on.any(axis=0) & off.any(axis=0)
    first = int(off.any(axis=0).argmax())
    ever = on.any(axis=1)
    k1, _ = scene.panel.daily(scene.mask)
    k, _ = scene.panel.daily()
    bitten = ever & k1[:, :first].any(axis=1)
    enough = max(MIN_BITTEN, LEAST_BITTEN * (ever & k.any(axis=1)).sum())
    return np.asarray(bitten if bitten.sum() >= enough else ever), np.asarray(mixed)


def _same_day(scene: Scene, freed: Mask) -> _SameDay:
    on, off = _freed_states(scene)
    mine, mixed = compared(scene)
    some = np.ix_(mine, mixed)
    with_it, without = (scene.panel.daily(side) for side in (scene.mask, freed))
    sides = [x[some] for x in (*with_it, *without)]
    hosts = [int((n.sum(axis=1) > 0).sum()) for n in (sides[1], sides[3])]
    if min(hosts) < MIN_SIDE:
        return _SameDay(
            None,
            f"only {hosts[0]} hosts still exposed and {hosts[1]} freed by then tried on the same "
            "days: their recovery cannot be told from one of everybody",
        )
    number, (on_table, off_table) = histories(on[some].astype(float), off[some].astype(float))
    k, n = (x[some] for x in scene.panel.daily())
    deals = deal(number)
    p = deals.p(same_day_differences(deals.kinds, (on_table, off_table), (k, n)))
    text = (
        f"on {int(mixed.sum())} days with both, hosts still exposed fail in "
        f"{share(sides[0].sum(), sides[1].sum())} episodes, hosts freed by then in "
        f"{share(sides[2].sum(), sides[3].sum())}, p = {p:.3f} ({deals})"
    )
    if not deals.can_pass:
        return _SameDay(None, f"{text}: {TOO_FEW}")
    return _SameDay(p < ALPHA, text)


def _freed_states(scene: Scene) -> tuple[Mask, Mask]:
    """Tell at noon of each day: with the change in effect; without it after it had been."""
    on = scene.states()
    had = np.logical_or.accumulate(on, axis=1)
    return on, had & ~on
