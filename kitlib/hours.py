"""Working hours lost: when a host's user usually works, and how much of that was without service.

The habit is learned from the host's own use while nothing was wrong: on which weekdays it is used,
from the first attempt of the day to the end of the last session. This file knows times of use; it
does not know why a host was down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from kitlib.stats import Floats, quantile_interval

MIN_DAYS: Final = 3
"""With fewer ordinary days of its own a host is given the habit of the fleet."""

RESAMPLES: Final = 200
SEED: Final = 20220111


@dataclass(frozen=True, slots=True, eq=False)
class Habit:
    """Ordinary days of use: start and end in hours of the UTC day, and the share of days used.

    Attributes
    ----------
    starts, ends
        Hours since UTC midnight, one pair an ordinary day.
    weekday_share
        For Monday to Sunday the share of days with use, 0..1.
    """

    starts: Floats
    ends: Floats
    weekday_share: Floats


def learn_habit(uses: pd.Series[pd.Timestamp], *, span: tuple[pd.Timestamp, pd.Timestamp]) -> Habit:
    """Learn a habit from times of use (attempts and ends of sessions) within `span`.

    Parameters
    ----------
    uses
        Times of use, UTC.
    span
        First and last instant in which use would have been seen and nothing was wrong.
    """
    days = uses.dt.floor("D")
    hours = (uses - days).dt.total_seconds() / 3600
    grouped = hours.groupby(days)
    observed = pd.date_range(span[0].floor("D"), span[1].floor("D"), freq="D")
    weekday_all = np.bincount(observed.dayofweek, minlength=7).astype(float)
    weekday_used = np.bincount(grouped.min().index.dayofweek, minlength=7).astype(float)
    share = np.divide(weekday_used, weekday_all, out=np.zeros(7), where=weekday_all > 0)
    return Habit(grouped.min().to_numpy(), grouped.max().to_numpy(), np.minimum(share, 1.0))


def pool(habits: list[Habit]) -> Habit:
    """Return the fleet's habit: all days together, weekday shares averaged."""
    if not habits:
        # Monday to Friday, 8 to 16 UTC: stated as an assumption wherever it is used.
        return Habit(np.array([8.0]), np.array([16.0]), np.array([1, 1, 1, 1, 1, 0, 0], float))
    return Habit(
        np.concatenate([h.starts for h in habits]),
        np.concatenate([h.ends for h in habits]),
        np.mean([h.weekday_share for h in habits], axis=0),
    )


def hours_lost(
    spells: list[tuple[pd.Timestamp, pd.Timestamp]], habit: Habit
) -> tuple[float, float, float]:
    """Working hours within the spells without service: estimate and 90 % interval.

    Parameters
    ----------
    spells
        (from, to) instants without service, UTC.
    habit
        The user's ordinary days.

    Returns
    -------
    tuple of float
        Hours: estimate, low, high. The interval resamples ordinary days for each lost day.

    Notes
    -----
    Assumes that the user would have worked as on ordinary days. Fails for holidays and leave.
    """
    if not spells:
        return 0.0, 0.0, 0.0
    days = [
        (start, end, day)
        for start, end in spells
        for day in pd.date_range(start.floor("D"), end.floor("D"), freq="D")
    ]
    low = np.array([max(0.0, (start - day).total_seconds() / 3600) for start, _, day in days])
    high = np.array([min(24.0, (end - day).total_seconds() / 3600) for _, end, day in days])
    share = habit.weekday_share[[day.dayofweek for _, _, day in days]]
    # Expected overlap of each lost day with an ordinary day drawn at random.
    overlap = np.minimum(high[:, None], habit.ends) - np.maximum(low[:, None], habit.starts)
    overlap = np.maximum(overlap, 0.0)
    estimate = float((overlap.mean(axis=1) * share).sum())
    rng = np.random.default_rng(SEED)
    picks = rng.integers(0, overlap.shape[1], size=(RESAMPLES, len(days)))
    used = rng.random((RESAMPLES, len(days))) < share
    totals = (overlap[np.arange(len(days)), picks] * used).sum(axis=1)
    interval = quantile_interval(totals)
    return estimate, min(interval[0], estimate), max(interval[1], estimate)
