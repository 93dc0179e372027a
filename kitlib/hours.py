"""Working hours lost: when a host was in use, and how much of that was without service.

A day's use is seen, not assumed: it lies between the first and the last sign of use of that day
(start, resume, sleep, stop of Windows, attempts, ends of sessions). A machine is on a little longer
than its user works; how much longer is learned from ordinary days, on which the first attempt and
the last end of a session bound the working day from inside. This file knows times of use; it does
not know why a host was down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.typing import NaTType

SIGNS: Final = ("boot", "shutdown", "sleep", "resume", "restart_requested")
"""Actions that show a machine in use, besides the attempts themselves."""

_ON: Final = ("boot", "resume")
_OFF: Final = ("shutdown", "sleep")

LONGEST_DAY: Final = pd.Timedelta(hours=14)
"""Nobody works longer than this on one day: the machine woke in the night or is never off."""

SHORT: Final = 0.25
"""Quantile of the idle times that stands for the machine's own: the service is not always used
until the very end of a day, so long idle times say nothing, short ones do."""

_HOUR: Final = 3_600_000_000_000  # nanoseconds
_DAY: Final = 24 * _HOUR

Instant = pd.Timestamp | NaTType
Span = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """Days of use of one host.

    Attributes
    ----------
    days
        One row a UTC day: ``first`` and ``last`` sign of use.
    morning, evening
        Usual short time between switching on and the first attempt, and between the last end of a
        session and switching off, on ordinary days (quantile `SHORT`).
    """

    days: pd.DataFrame
    morning: pd.Timedelta
    evening: pd.Timedelta


def learn_use(facts: pd.DataFrame, *, spells: list[Span], until: Instant = pd.NaT) -> Use:
    """Learn the days of use of one host.

    Parameters
    ----------
    facts
        Rows of table ``timeline`` of one host.
    spells
        Times without service: days that touch them are not ordinary.
    until
        The host's last record of any kind: it was on then, whether or not it was switched off
        before its logs were exported.

    Returns
    -------
    Use
        Days with signs over more than `LONGEST_DAY` count from the switching on before the first
        attempt to the switching off after the last, or, without these, from first to last attempt.
    """
    dated = (facts["time_basis"] == "utc").to_numpy() & facts["time"].notna().to_numpy()
    tried = dated & (facts["activity"] != "").to_numpy()
    shown = tried | (dated & facts["action"].isin(SIGNS).to_numpy())
    ticks = facts["time"].dt.as_unit("ns").astype("int64").to_numpy()
    end = np.array([until.value] if isinstance(until, pd.Timestamp) else [], dtype=np.int64)
    tries, signs = _by_day(ticks[tried]), _by_day(np.concatenate([ticks[shown], end]))
    too_long = signs["last"] - signs["first"] > LONGEST_DAY.value
    signs = signs[~too_long | signs.index.isin(tries.index)]
    on, off = (ticks[dated & facts["action"].isin(names).to_numpy()] for names in (_ON, _OFF))
    off = np.concatenate([off, end])
    for day in signs.index[too_long[signs.index]]:
        tried_day = tries.loc[day]
        signs.loc[day] = _around(int(tried_day["first"]), int(tried_day["last"]), on, off)
    both = pd.concat([signs, tries.add_suffix("_try")], axis=1, join="inner")
    down = {
        day for start, end in spells for day in range(start.value // _DAY, end.value // _DAY + 1)
    }
    ordinary = both[~both.index.isin(down)]
    return Use(
        days=pd.DataFrame(
            {name: pd.to_datetime(signs[name], unit="ns", utc=True) for name in signs}
        ),
        morning=_short(ordinary["first_try"] - ordinary["first"]),
        evening=_short(ordinary["last"] - ordinary["last_try"]),
    )


def _around(
    first: int, last: int, on: npt.NDArray[np.int64], off: npt.NDArray[np.int64]
) -> tuple[int, int]:
    """Widen a day's attempts to the switching on before and off after them.

    That leaves out a machine that woke in the night to install something. One that is never
    switched off has nothing near, and counts from its first to its last attempt.
    """
    start = int(max(on[(on <= first) & (on // _DAY == first // _DAY)], default=first))
    end = int(min(off[(off >= last) & (off // _DAY == last // _DAY)], default=last))
    return (start, end) if end - start <= LONGEST_DAY.value else (first, last)


def _short(idle: pd.Series[int]) -> pd.Timedelta:
    return pd.Timedelta(float(idle.quantile(SHORT)) if len(idle) else 0.0, unit="ns")


def _by_day(ticks: npt.NDArray[np.int64]) -> pd.DataFrame:
    """First and last of the instants (ns since 1970) of each UTC day, by number of the day."""
    ticks = np.sort(ticks)
    days, starts = np.unique(ticks // _DAY, return_index=True)
    ends = np.append(starts[1:], len(ticks)) - 1
    return pd.DataFrame({"first": ticks[starts], "last": ticks[ends[: len(starts)]]}, index=days)


def hours_lost(spells: list[Span], use: Use) -> tuple[float, float, float]:
    """Hours of use within the spells without service: estimate, low, high.

    Parameters
    ----------
    spells
        (from, to) instants without service, UTC.
    use
        The host's days of use.

    Returns
    -------
    tuple of float
        High counts from switching on to switching off; low leaves out the host's whole usual idle
        time at both ends of the day; the estimate leaves out half of it.

    Notes
    -----
    Assumes that the user needed the service for the whole of the working day. Fails for machines
    that others use as well, and where the System log does not reach back to the outage.
    """
    low, middle, high = (_overlap(spells, use, share) for share in (1.0, 0.5, 0.0))
    return middle, low, high


def _overlap(spells: list[Span], use: Use, share: float) -> float:
    first = (use.days["first"] + use.morning * share).dt.as_unit("ns").astype("int64").to_numpy()
    last = (use.days["last"] - use.evening * share).dt.as_unit("ns").astype("int64").to_numpy()
    nanoseconds = 0
    for start, end in spells:
        within = np.minimum(last, end.value) - np.maximum(first, start.value)
        nanoseconds += int(within[within > 0].sum())
    return nanoseconds / _HOUR
