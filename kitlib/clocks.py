"""How far the time of a fact can be trusted: clocks are sometimes set.

This file knows starts, sleeps and settings of the clock. It does not know what failed or why.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from kitlib.schema import TIME

JUMP: Final = pd.Timedelta(seconds=60)
"""A clock set by less than this is left alone: no order of events here hangs on it."""

SLEEP_SLACK: Final = pd.Timedelta(minutes=2)
"""A clock set forward from about the moment of a sleep tells the time slept, not an error."""

_YEARS: Final = (1970, 2200)
"""A reading outside of these years is garbage (a blank clock chip reads 1601), not a time."""


def widen_for_clock_jumps(timeline: pd.DataFrame) -> pd.DataFrame:
    """Give facts written before the clock was set an interval that holds both readings.

    Where a clock is set by more than `JUMP` outside of a sleep, the facts since that start of
    Windows may be off by the jump; which of the two clocks was right is not known from the log.

    Parameters
    ----------
    timeline
        Table ``timeline``; the ``target`` of a ``clock_changed`` fact is the old time.

    Returns
    -------
    pandas.DataFrame
        The same rows; ``time_low``/``time_high`` of the facts concerned are widened.
    """
    out = timeline.reset_index(drop=True)
    jumps = _jumps(out)
    if jumps.empty:
        return out
    low, high = out["time_low"].copy(), out["time_high"].copy()
    by_host = out.groupby("host").indices
    for host, own in jumps.groupby("host"):
        facts = out.iloc[by_host[host]]
        for new, old in zip(own["time"], own["old"], strict=True):
            hit = _written_by_the_old_clock(facts, new, old)
            shifted = out.loc[hit, "time"] + (new - old)
            low.loc[hit] = low.loc[hit].where(low.loc[hit] <= shifted, shifted)
            high.loc[hit] = high.loc[hit].where(high.loc[hit] >= shifted, shifted)
    return out.assign(time_low=low, time_high=high)


def _jumps(timeline: pd.DataFrame) -> pd.DataFrame:
    """Settings of a clock by more than `JUMP`: host, time (by the new clock), old."""
    told = timeline.loc[timeline["action"] == "clock_changed", ["host", "time", "target"]]
    old = pd.to_datetime(told["target"], utc=True, errors="coerce", format="ISO8601")
    old = old.where(old.dt.year.between(*_YEARS) & told["time"].dt.year.between(*_YEARS))
    told = told.assign(old=old.astype(TIME))
    return told[(told["time"] - told["old"]).abs() > JUMP]


def _written_by_the_old_clock(
    facts: pd.DataFrame, new: pd.Timestamp, old: pd.Timestamp
) -> pd.Index[int]:
    """Facts of one host since the start of Windows before the clock showed `old`."""
    asleep = facts.loc[facts["action"] == "sleep", "time"]
    if new > old and ((asleep - old).abs() <= SLEEP_SLACK).any():
        return facts.index[:0]
    boots = facts.loc[(facts["action"] == "boot") & (facts["time"] <= old), "time"]
    since = boots.max() if len(boots) else old
    return facts.index[np.asarray(facts["time"].between(since, old) & (facts["time_basis"] == "utc"))]
