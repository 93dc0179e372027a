"""How far the time of a fact can be trusted: clocks are sometimes set.

This file knows starts, sleeps and settings of the clock. It does not know what failed or why.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
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
    jumps = _jumps(timeline)
    if jumps.empty:
        return timeline.copy()
    # Plain arrays: a fleet has thousands of jumps, each of which concerns a few facts.
    time, low, high = (
        timeline[name].to_numpy("datetime64[ns]", copy=True)
        for name in ("time", "time_low", "time_high")
    )
    action = timeline["action"].to_numpy(object)
    exact = (timeline["time_basis"] == "utc").to_numpy()
    by_host = timeline.groupby("host").indices
    settings = (jumps[name].to_numpy("datetime64[ns]") for name in ("time", "old"))
    for host, new, old in zip(jumps["host"], *settings, strict=True):
        own = by_host[host]
        hit = own[_by_the_old_clock(time[own], action[own], new, old) & exact[own]]
        low[hit] = np.minimum(low[hit], time[hit] + (new - old))
        high[hit] = np.maximum(high[hit], time[hit] + (new - old))
    return timeline.assign(
        time_low=pd.DatetimeIndex(low, tz="UTC"), time_high=pd.DatetimeIndex(high, tz="UTC")
    )


def _jumps(timeline: pd.DataFrame) -> pd.DataFrame:
    """List settings of a clock by more than `JUMP`: host, time (by the new clock), old."""
    told = timeline.loc[timeline["action"] == "clock_changed", ["host", "time", "target"]]
    old = pd.to_datetime(told["target"], utc=True, errors="coerce", format="ISO8601")
    old = old.where(old.dt.year.between(*_YEARS) & told["time"].dt.year.between(*_YEARS))
    told = told.assign(old=old.astype(TIME))
    return told[(told["time"] - told["old"]).abs() > JUMP]


def _by_the_old_clock(
    time: npt.NDArray[np.datetime64],
    action: npt.NDArray[np.object_],
    new: np.datetime64,
    old: np.datetime64,
) -> npt.NDArray[np.bool_]:
    """Mark the facts of one host since the start of Windows before its clock showed `old`."""
    asleep = time[action == "sleep"]
    if new > old and (np.abs(asleep - old) <= SLEEP_SLACK.to_timedelta64()).any():
        return np.zeros(len(time), dtype=bool)
    starts = time[(action == "boot") & (time <= old)]
    since = starts.max() if len(starts) else old
    return np.asarray((time >= since) & (time <= old))
