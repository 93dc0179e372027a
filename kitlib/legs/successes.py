"""More failures, or only more logging? A true fault costs successes; a noisier log costs none.

Successes are counted a working day of each host, days without any included. An episode without the
symptom counts as a success, also where it failed with a code that is not the symptom's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from kitlib.claims import Check
from kitlib.legs.scene import ALPHA, TOO_FEW, Mask, Scene, can_pass, drawn_fleets
from kitlib.stats import Floats, Ints, quantile_interval, sign_test

WORKING: Final = 0.5
"""A day is a working day where at least this share of the usual number of hosts try."""

NOT_LOST: Final = 0.25
"""Successes lost per failure gained, up to which the failures are only logged."""


@dataclass(frozen=True, slots=True, eq=False)
class _Days:
    """Working days of each host and what happened on them, hosts by days."""

    on: Mask
    off: Mask
    worked: Floats
    failed: Floats

    def both(self) -> Mask:
        """Mark the hosts with days on both sides."""
        return np.asarray(self.on.any(axis=1) & self.off.any(axis=1))


def fewer_successes(scene: Scene) -> Check:
    """Whether hosts succeed less often a working day while exposed: sign test over hosts.

    Notes
    -----
    Both sides of a host are thinned to equal numbers of days. Fails (False) where
    `only_more_failures` is True; None where successes neither fall nor clearly hold. Assumes that
    people try as often with the change as without it; a holiday inside the exposed time looks like
    lost successes, and users who try over and over again hide some.
    """
    name = "fewer successes"
    days = _working_days(scene)
    both = days.both()
    if not both.any():
        return Check(name, None, "no host has working days with and without the change")
    sign = _signs(days, days.worked)
    fewer, more = int((sign < 0).sum()), int((sign > 0).sum())
    p = sign_test(fewer, more)
    (w1, f1, d1), (w0, f0, d0) = (_sums(days, side, both) for side in (days.on, days.off))
    text = (
        f"of {int(both.sum())} hosts with working days with and without the change, {fewer} "
        f"succeed less often a day with it, {more} more often, exact sign test p = {p:.3g}; "
        f"successes a host and day {w1 / d1:.2f} with it, {w0 / d0:.2f} without; failures "
        f"{f1 / d1:.2f} and {f0 / d0:.2f}"
    )
    records = scene.records(scene.mask & scene.failed)
    if not can_pass(int(both.sum())):
        return Check(name, None, f"{text}: {TOO_FEW}", records)
    if p < ALPHA:
        return Check(name, True, text, records)
    if _only_more(days):
        return Check(name, False, f"{text}: more failures are logged, none the less works", records)
    return Check(name, None, f"{text}: too little to tell", records)


def only_more_failures(scene: Scene) -> bool | None:
    """Tell whether failures rise with the change while successes stay what they were.

    Returns
    -------
    bool or None
        True: failures rise (sign test) and at most `NOT_LOST` successes are lost for each failure
        gained, by the 90 % interval over resampled hosts. False: more are, or failures do not rise.
        None: this evidence cannot tell.

    Notes
    -----
    See `fewer_successes`. Users who try four times for each success they lose look like logging.
    """
    return _only_more(_working_days(scene))


def hardly_fewer_successes(scene: Scene) -> bool:
    """Tell whether, as far as is seen, a failure gained goes with less than `NOT_LOST` of a success.

    True without a test: where `only_more_failures` cannot tell, this says which way it points.
    """
    days = _working_days(scene)
    both = days.both()
    if not both.any():
        return False
    (w1, f1, d1), (w0, f0, d0) = (_sums(days, side, both) for side in (days.on, days.off))
    gained = f1 / d1 - f0 / d0
    return bool(gained > 0 and (w0 / d0 - w1 / d1) < NOT_LOST * gained)


def _only_more(days: _Days) -> bool | None:
    both = days.both()
    if not can_pass(int(both.sum())):
        return None
    sign = _signs(days, days.failed)
    if sign_test(int((sign > 0).sum()), int((sign < 0).sum())) >= ALPHA:
        return False
    low, high = lost_per_failure(days, both)
    if low > NOT_LOST:
        return False
    return True if high < NOT_LOST else None


def lost_per_failure(days: _Days, both: Mask) -> tuple[float, float]:
    """90 % interval, over resampled hosts, of successes lost for each failure gained."""
    draws = drawn_fleets(int(both.sum()))
    rates = []
    for side in (days.on, days.off):
        held = side[both]
        count = draws @ held.sum(axis=1)
        rates += [
            (draws @ (x[both] * held).sum(axis=1)) / np.maximum(count, 1)
            for x in (days.worked, days.failed)
        ]
    worked1, failed1, worked0, failed0 = rates
    gained = failed1 - failed0
    out = np.full(len(gained), np.nan)
    return quantile_interval(np.divide(worked0 - worked1, gained, out=out, where=gained > 0))


def _working_days(scene: Scene) -> _Days:
    panel = scene.panel
    k, n = panel.daily()
    tried = (n > 0).sum(axis=0)
    usual = np.median(tried[tried > 0]) if (tried > 0).any() else 0
    seen = n > 0
    covered = np.maximum.accumulate(seen, axis=1)
    covered &= np.maximum.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    counted = covered & (tried >= max(WORKING * usual, 1))
    _, n1 = panel.daily(scene.mask)
    mixed = (n1 > 0) & (n1 < n)  # a day with both states belongs to neither
    state = np.where(n > 0, n1 > 0, scene.states())
    return _Days(counted & state & ~mixed, counted & ~state & ~mixed, n - k, k)


def _signs(days: _Days, values: Floats) -> Ints:
    """Sign of each host's difference, with minus without, over equal numbers of days."""
    keep = np.minimum(days.on.sum(axis=1), days.off.sum(axis=1))
    on, off = (_thinned(side, keep) for side in (days.on, days.off))
    return np.asarray(np.sign((values * (on * 1 - off * 1)).sum(axis=1)), dtype=np.int64)


def _thinned(side: Mask, keep: Ints) -> Mask:
    """Keep that many of each row's days, spread evenly."""
    place = side.cumsum(axis=1)
    count = np.maximum(side.sum(axis=1), 1)[:, np.newaxis]
    wanted = keep[:, np.newaxis]
    return np.asarray(side & (place * wanted // count > (place - 1) * wanted // count))


def _sums(days: _Days, side: Mask, both: Mask) -> tuple[float, float, float]:
    held = side[both]
    return (
        float((days.worked[both] * held).sum()),
        float((days.failed[both] * held).sum()),
        float(held.sum()),
    )
