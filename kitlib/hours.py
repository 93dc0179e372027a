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
import pandas as pd

SIGNS: Final = ("boot", "shutdown", "sleep", "resume", "restart_requested")
"""Actions that show a machine in use, besides the attempts themselves."""

LONGEST_DAY: Final = pd.Timedelta(hours=14)
"""A machine in use for longer than this on one day is one that is never switched off."""

SHORT: Final = 0.25
"""Quantile of the idle times that stands for the machine's own: the service is not always used
until the very end of a day, so long idle times say nothing, short ones do."""

_HOUR: Final = 3_600_000_000_000  # nanoseconds

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


def learn_use(facts: pd.DataFrame, *, spells: list[Span]) -> Use:
    """Learn the days of use of one host.

    Parameters
    ----------
    facts
        Rows of table ``timeline`` of one host.
    spells
        Times without service: days that touch them are not ordinary.

    Returns
    -------
    Use
        Days on which the machine was never switched off count only from the first attempt to the
        last fact of an attempt or session.
    """
    dated = facts[facts["time_basis"] == "utc"]
    tries = _by_day(dated[dated["activity"] != ""])
    signs = _by_day(dated[(dated["activity"] != "") | dated["action"].isin(SIGNS)])
    always_on = signs["last"] - signs["first"] > LONGEST_DAY
    signs = signs.mask(always_on, tries.reindex(signs.index)).dropna()
    both = pd.concat([signs, tries.add_suffix("_try")], axis=1, join="inner")
    down = {
        day
        for start, end in spells
        for day in pd.date_range(start.floor("D"), end.floor("D"), freq="D")
    }
    ordinary = both[~both.index.isin(down)]
    return Use(
        days=signs,
        morning=_short(ordinary["first_try"] - ordinary["first"]),
        evening=_short(ordinary["last"] - ordinary["last_try"]),
    )


def _short(idle: pd.Series[pd.Timedelta]) -> pd.Timedelta:
    seconds = idle.dt.total_seconds()
    return pd.Timedelta(seconds=float(seconds.quantile(SHORT)) if len(seconds) else 0.0)


def _by_day(facts: pd.DataFrame) -> pd.DataFrame:
    times = facts["time"]
    grouped = times.groupby(times.dt.floor("D"))
    return pd.DataFrame({"first": grouped.min(), "last": grouped.max()})


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
    first = (use.days["first"] + use.morning * share).astype("int64").to_numpy()
    last = (use.days["last"] - use.evening * share).astype("int64").to_numpy()
    nanoseconds = 0
    for start, end in spells:
        within = np.minimum(last, end.value) - np.maximum(first, start.value)
        nanoseconds += int(within[within > 0].sum())
    return nanoseconds / _HOUR
