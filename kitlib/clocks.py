"""How far the time of a fact can be trusted: clocks are sometimes set.

This file knows starts, sleeps and settings of the clock. It does not know what failed or why.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

JUMP: Final = pd.Timedelta(seconds=60)
"""A clock set by less than this is left alone: no order of events here hangs on it."""

SLEEP_SLACK: Final = pd.Timedelta(minutes=2)
"""A clock set forward from about the moment of a sleep tells the time slept, not an error."""


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
    out = timeline.copy()
    jumps = timeline[(timeline["action"] == "clock_changed") & (timeline["target"] != "")]
    before = pd.to_datetime(jumps["target"], utc=True, errors="coerce", format="ISO8601")
    for host, new, old in zip(jumps["host"], jumps["time"], before, strict=True):
        if pd.isna(old) or abs(new - old) <= JUMP:
            continue
        own = timeline[timeline["host"] == host]
        asleep = own.loc[own["action"] == "sleep", "time"]
        if new > old and ((asleep - old).abs() <= SLEEP_SLACK).any():
            continue
        boots = own.loc[(own["action"] == "boot") & (own["time"] <= old), "time"]
        since = boots.max() if len(boots) else old
        hit = own.index[own["time"].between(since, old) & (own["time_basis"] == "utc")]
        shifted = out.loc[hit, "time"] + (new - old)
        out.loc[hit, "time_low"] = out.loc[hit, "time_low"].where(
            out.loc[hit, "time_low"] <= shifted, shifted
        )
        out.loc[hit, "time_high"] = out.loc[hit, "time_high"].where(
            out.loc[hit, "time_high"] >= shifted, shifted
        )
    return out
