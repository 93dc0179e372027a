"""When was it in effect? The stays of what is blamed on each host, each end between two instants.

What is blamed is the guilty change or, where none is, the outages or the trend that explain the
failures instead. Instants are nanoseconds since 1970 (UTC), which compare and sort quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd

from kitlib.schema import TIME
from kitlib.stats import sign_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitlib.cause import Cause
    from kitlib.explain import Outage
    from kitlib.incident import Incident
    from kitlib.stats import Ints

EVER: Final = np.iinfo(np.int64).min + 1
"""Nanoseconds that stand for "since before the evidence"."""

NEVER: Final = np.iinfo(np.int64).max
"""Nanoseconds that stand for "not until the end of the evidence"."""

NONE: Final = np.iinfo(np.int64).min
"""What datetime64 means by "not a time"."""

WEEK: Final = pd.Timedelta(days=7)

RISEN: Final = 2.0
"""Times the rate of the better half of the weeks from which on a week belongs to a trend."""

EVERYBODY: Final = 0.001
"""Chance of as many hosts failing more in these weeks if each were as likely to fail less."""


class Stay(NamedTuple):
    """One stay of what is blamed on a host: each end lies between two instants (ns, UTC)."""

    start_low: int
    start_high: int
    end_low: int
    end_high: int

    @property
    def open(self) -> bool:
        """Tell whether it is in effect at the last evidence."""
        return self.end_high == NEVER


def instant(moment: int | None) -> pd.Timestamp | Any:  # noqa: ANN401  # NaT is of another type
    """Turn nanoseconds into a time; NaT where there is none."""
    return pd.NaT if moment in (None, EVER, NEVER) else pd.Timestamp(moment, unit="ns", tz="UTC")


def ticks(times: pd.Series[Any]) -> Ints:
    """Nanoseconds since 1970 (UTC); the least integer where there is no time."""
    return np.asarray(times.astype(TIME).astype("int64"), dtype=np.int64)


def known(moment: pd.Timestamp | Any) -> int | None:  # noqa: ANN401  # NaT or None as well
    """Turn a time into nanoseconds; None where there is none."""
    return None if moment is None or pd.isna(moment) else int(pd.Timestamp(moment).value)


def blamed_stays(
    seen: pd.DataFrame,
    exposure: pd.DataFrame,
    cause: Cause,
    incident: Incident,
    ends: pd.Series[Any],
) -> dict[str, list[Stay]]:
    """Find when what is blamed was in effect on each host: the guilty change, else what did it.

    Parameters
    ----------
    seen
        Attempts with an outcome.
    exposure, cause, incident
        As for `kitlib.recovery.assess_recovery`.
    ends
        Each host's last evidence.
    """
    if cause.follows:
        return _change_stays(cause.bad, exposure)
    if cause.outages:
        return _outage_stays(cause.outages, ends, known(seen["time"].max()))
    return _trend_stays(seen, incident, sure="trend" in cause.competing)


def _outage_stays(
    outages: Sequence[Outage], ends: pd.Series[Any], last_try: int | None
) -> dict[str, list[Stay]]:
    """Stays of outages; one that lasts to the fleet's last attempt, or a host's last word, is open."""
    stays: dict[str, list[Stay]] = {}
    for outage in sorted(outages, key=lambda outage: outage.start):
        start, end = outage.start.value, outage.end.value
        for host in outage.hosts:
            over = end < min(known(ends.get(host)) or NEVER, last_try or NEVER)
            stay = Stay(start, start, *((end, end) if over else (NEVER, NEVER)))
            stays.setdefault(host, []).append(stay)
    return stays


def _trend_stays(seen: pd.DataFrame, incident: Incident, *, sure: bool) -> dict[str, list[Stay]]:
    """Stays of a trend: the weeks whose failure rate has risen for everybody.

    Where the verdict does not name it (`sure`), it must have risen on nearly all hosts: a few bad
    hosts raise the fleet's rate as well.
    """
    timed = seen[seen["time"].notna()]
    failed = (timed["outcome"] == "failure") & incident.is_symptom(timed["code"])
    first = timed["time"].min()
    week = (timed["time"] - first) // WEEK
    rates = failed.groupby(week).mean()
    risen = rates.index[rates > RISEN * rates[rates <= rates.median()].mean()]
    if not len(risen):
        return {}
    inside = week.between(risen.min(), risen.max())
    then, other = (failed[part].groupby(timed["host"]).mean() for part in (inside, ~inside))
    gap = (then - other).dropna()
    if not sure and sign_test(int((gap > 0).sum()), int((gap < 0).sum())) > EVERYBODY:
        return {}
    start, end = ((first + int(place) * WEEK).value for place in (risen.min(), risen.max() + 1))
    over = risen.max() < rates.index.max()
    stay = Stay(start, start, *((end, end) if over else (NEVER, NEVER)))
    return {str(host): [stay] for host in timed["host"].unique()}


def _change_stays(bad: pd.DataFrame, exposure: pd.DataFrame) -> dict[str, list[Stay]]:
    """Stays of the guilty change; rows that follow each other without a pause are one stay."""
    edges = _edges(exposure)
    stays: dict[str, list[Stay]] = {}
    ended: dict[str, int] = {}
    ordered = bad.sort_values(["host", "start"], na_position="first", kind="stable")
    columns = ("start", "start_low", "start_high", "end", "end_low", "end_high")
    times = (ticks(ordered[name]).tolist() for name in columns)
    for host, start, low, high, end, *ends in zip(ordered["host"].astype(str), *times, strict=True):
        own = stays.setdefault(host, [])
        begin = _either(low, start), _either(high, start)
        over = edges.get((host, end), (end, end)) if NONE in ends else (ends[0], ends[1])
        over = (NEVER, NEVER) if end == NONE else over
        if own and start == ended[host]:
            begin = own.pop()[:2]
        own.append(Stay(*begin, *over))
        ended[host] = end
    return stays


def _either(moment: int, other: int) -> int:
    """Return the first of two instants that is known; neither is: before the evidence."""
    return next((known for known in (moment, other) if known != NONE), EVER)


def _edges(exposure: pd.DataFrame) -> dict[tuple[str, int], tuple[int, int]]:
    """Between which two instants a state began, by host and best estimate of its start."""
    began = exposure[exposure["start"].notna() & exposure["revision"].notna()]
    low, high = (
        ticks(began[name].fillna(began["start"])).tolist() for name in ("start_low", "start_high")
    )
    keys = zip(began["host"].astype(str), ticks(began["start"]).tolist(), strict=True)
    return dict(zip(keys, zip(low, high, strict=True), strict=True))
