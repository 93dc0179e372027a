"""Episodes as arrays: what every explanation is weighed on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from kitlib.schema import TIME

if TYPE_CHECKING:
    from kitlib.stats import Floats, Ints

Rate = tuple[float, float]
"""Parameters of a Beta distribution of a failure rate."""

DAY: Final = pd.Timedelta(days=1).value
"""Nanoseconds of a day."""

BASE_RATE: Final = (0.5, 9.5)
"""Beta prior of a host's ordinary failure rate where hosts differ: about 5 %, loosely held."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Episodes as arrays: host and day numbers, instants, and whether the symptom showed.

    Attributes
    ----------
    host, day
        Numbers into `hosts` and `days`.
    time
        Nanoseconds since 1970, UTC.
    failed
        Whether the episode ended with the symptom.
    hosts
        Names, sorted.
    days
        UTC days from the first to the last episode, without gaps.
    order
        The episodes by host, then time.
    base
        Beta prior of the hosts' ordinary failure rates: each its own, or nearly one of everybody.
    """

    host: Ints
    day: Ints
    time: Ints
    failed: npt.NDArray[np.bool_]
    hosts: tuple[str, ...]
    days: pd.DatetimeIndex
    order: npt.NDArray[np.intp]
    base: Rate = BASE_RATE

    @classmethod
    def of(cls, episodes: pd.DataFrame) -> Panel:
        """Give hosts and UTC days of `episodes` (host, time, failed) their numbers."""
        codes, names = pd.factorize(episodes["host"], sort=True)
        day = episodes["time"].dt.floor("D")
        days = pd.date_range(day.min(), day.max(), freq="D") if len(day) else pd.DatetimeIndex([])
        moments = episodes["time"].astype(TIME).astype("int64")
        time = np.asarray(moments, dtype=np.int64)
        first = days[0].value if len(day) else 0
        failed = episodes["failed"].to_numpy(dtype=bool)
        host = np.asarray(codes, dtype=np.int64)
        order = np.lexsort((time, host))
        day_number = (time - first) // DAY
        return cls(host, day_number, time, failed, tuple(map(str, names)), days, order)

    def only(self, mask: npt.NDArray[np.bool_]) -> Panel:
        """Keep the episodes in `mask`; hosts and days keep their numbers."""
        place = np.cumsum(mask) - 1
        return replace(
            self,
            order=place[self.order[mask[self.order]]],
            host=self.host[mask],
            day=self.day[mask],
            time=self.time[mask],
            failed=self.failed[mask],
        )

    def under(self, base: Rate) -> Panel:
        """Return the same episodes with another prior of the ordinary failure rates."""
        return replace(self, base=base)

    def counts(self, mask: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Failures and episodes of each host within `mask`."""
        size = len(self.hosts)
        host = self.host[mask]
        return (
            np.bincount(host[self.failed[mask]], minlength=size).astype(float),
            np.bincount(host, minlength=size).astype(float),
        )

    def daily(self, mask: npt.NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """Failures and episodes as hosts by days."""
        return self.binned(self.day, len(self.days), mask)

    def binned(
        self, place: Ints, bins: int, mask: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Floats, Floats]:
        """Failures and episodes as hosts by `bins`; `place` is the bin of each episode."""
        use = np.ones(len(self.host), dtype=bool) if mask is None else mask
        cell = self.host * bins + place
        k, n = (
            np.bincount(cell[chosen], minlength=len(self.hosts) * bins).astype(float)
            for chosen in (use & self.failed, use)
        )
        return k.reshape(-1, bins), n.reshape(-1, bins)

    def ages(self, mask: npt.NDArray[np.bool_]) -> Ints:
        """Full days since the host's first episode of the same stay in `mask`; 0 outside."""
        on, host, time = (x[self.order] for x in (mask, self.host, self.time))
        same = np.concatenate([[False], host[1:] == host[:-1]])
        begins = on & ~(np.concatenate([[False], on[:-1]]) & same)
        stay = np.cumsum(begins) - 1
        first = time[begins]
        age = np.zeros(len(mask), dtype=np.int64)
        age[self.order[on]] = (time[on] - first[stay[on]]) // DAY
        return age
