"""Each host against its own past: with the change against without it, and dates made up.

What a host is, where it stands and who uses it stay the same; what differs is time. These legs
cannot tell a change from anything else that began at the same time: that is for the same-day legs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib.claims import Check
from kitlib.legs.scene import ALPHA, TOO_FEW, Scene, can_pass, signs
from kitlib.stats import LEVEL, Floats, sign_test

if TYPE_CHECKING:
    from kitlib.legs.scene import Mask

PLACEBO_LAGS: Final = (7, 14, 21)
"""Days before the change at which a step is looked for that must not be there."""

PLACEBO_LIMIT: Final = 0.10
"""A step this small before anything was installed counts as none."""

MIN_PLACEBO: Final = 3
"""Hosts without which a mean step has no interval worth the name."""


def own_past(scene: Scene) -> Check:
    """Each host against itself: with the change against without it, exact sign test over hosts.

    Notes
    -----
    A host's sign is taken over equal numbers of its episodes on both sides (the longer side thinned
    evenly), so that it is a fair coin where nothing changed. Ties (as a rule: no failure on either
    side) do not count. Assumes that nothing else began with the change: fails with a trend or with
    an outage of everybody that lasts to the end.
    """
    name = "own past"
    rates = scene.rates()
    both = rates[(rates["n1"] > 0) & (rates["n0"] > 0)]
    if both.empty:
        return Check(name, None, "no host was seen both with and without the change")
    step = both["k1"] / both["n1"] - both["k0"] / both["n0"]
    sign = signs(scene.panel, scene.mask, ~scene.mask)
    worse, better = int((sign > 0).sum()), int((sign < 0).sum())
    p = sign_test(worse, better)
    text = (
        f"of {len(both)} hosts seen with and without the change, {worse} fail more often with it, "
        f"{better} less often, {len(both) - worse - better} alike (equal numbers of episodes on "
        f"both sides); median step {step.median():+.2f}, exact sign test p = {p:.3g}"
    )
    records = scene.records((sign > 0)[scene.panel.host] & scene.mask & scene.failed)
    if not can_pass(len(both)):
        return Check(name, None, f"{text}: {TOO_FEW}", records)
    return Check(name, bool(p < ALPHA), text, records)


def placebo_dates(scene: Scene) -> Check:
    """Look for the same before/after step at dates on which the change was not yet there.

    Notes
    -----
    The unit is the host: its steps at all lags are one mean, and the 90 % interval is Student's
    over hosts. Passes where the interval lies within `PLACEBO_LIMIT`, fails where the mean is
    beyond it and the interval excludes zero; between the two this evidence cannot tell. Fails to
    see what begins less than a week before the change.
    """
    name = "placebo dates"
    steps, before = _placebo_steps(scene)
    if not len(steps):
        return Check(name, None, "no host has attempts long enough before the change")
    mean = float(steps.mean())
    text = (
        f"moved {', '.join(map(str, PLACEBO_LAGS))} days early, the step is {mean:+.2f} over "
        f"{len(steps)} hosts"
    )
    if len(steps) < MIN_PLACEBO:
        return Check(name, None, f"{text}: too few hosts to tell", scene.records(before))
    half = _half_width(steps)
    text += (
        f" (90 %: {mean - half:+.2f} to {mean + half:+.2f}; a real cause shows none, limit "
        f"±{PLACEBO_LIMIT:.2f})"
    )
    passed = None
    if abs(mean) + half <= PLACEBO_LIMIT:
        passed = True
    elif abs(mean) > max(PLACEBO_LIMIT, half):
        passed = False
    else:
        text += ": too few attempts to tell"
    return Check(name, passed, text, scene.records(before))


def _placebo_steps(scene: Scene) -> tuple[Floats, Mask]:
    """Mean step of each host over the lags, and the episodes it is from."""
    start = scene.moment(scene.spans.groupby("host")["start"].min())
    time = scene.episodes["time"]
    before = (time < start).to_numpy() & ~scene.mask
    columns = []
    for lag in PLACEBO_LAGS:
        after = before & (time >= start - pd.Timedelta(days=lag)).to_numpy()
        k1, n1 = scene.panel.counts(after)
        k0, n0 = scene.panel.counts(before & ~after)
        usable = (n1 > 0) & (n0 > 0)
        step = k1 / np.maximum(n1, 1) - k0 / np.maximum(n0, 1)
        columns.append(np.where(usable, step, np.nan))
    table = np.asarray(columns)
    some = ~np.isnan(table).all(axis=0)
    return np.nanmean(table[:, some], axis=0) if some.any() else np.empty(0), before


def _half_width(steps: Floats) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415  # scipy is slow to import

    t = float(stdtrit(len(steps) - 1, 0.5 + LEVEL / 2))
    return t * float(steps.std(ddof=1)) / float(np.sqrt(len(steps)))
