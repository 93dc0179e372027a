"""Curves and counts over the hosts that were hit: time to recovery, and the calendar.

Numbers and tables in, tables out; what a host's own history is stands in `histories`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from kitlib.restoration.histories import TIME, frame
from kitlib.stats import LEVEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitlib.restoration.histories import History
    from kitlib.stats import Floats

SHARES: Final = (0.5, 0.9, 1.0)
"""Shares of the hosts hit whose time to recovery is stated."""

WAYS: Final[Mapping[str, tuple[str, str]]] = {
    "any": ("back", "days"),
    "fix": ("fixed", "fixed_days"),
}
"""Ways to work again, with the columns of `times` that tell whether and when."""

TIMES: Final = {
    "host": "str", "onset": TIME, "until": TIME, "back": "bool", "days": "float64",
    "days_low": "float64", "fixed": "bool", "fixed_days": "float64", "status": "str",
}  # fmt: skip

STALE: Final = pd.Timedelta(days=7)
"""A host whose evidence ends this long before the fleet's may have changed its state since."""

STEPS: Final = ("hit", "out", "working", "unknown", "relapses")
"""What the calendar counts."""


def kaplan_meier(days: Floats, ended: Floats) -> pd.DataFrame:
    """Estimate the share still out by days, with its 90 % interval.

    Parameters
    ----------
    days
        Time to recovery, or to the last evidence for hosts still out.
    ended
        True (or 1) where the host recovered, False where it was still out (censored).

    Returns
    -------
    pandas.DataFrame
        day, at_risk, recovered, share, low, high: day 0, then one row per distinct day of
        recovery. A host censored on such a day counts as at risk on it. Where nobody is left,
        the interval is not known and missing.

    Notes
    -----
    Greenwood's variance on the log-log scale. Assumes that hosts recover independently and that
    the end of a host's evidence says nothing about when it would have recovered. Fails where logs
    were exported because a host was broken: the curve then stays too high.

    Source: E. L. Kaplan, P. Meier, JASA 53 (1958) 457-481; J. D. Kalbfleisch, R. L. Prentice, The
    Statistical Analysis of Failure Time Data (1980), section 1.4.

    Examples
    --------
    >>> kaplan_meier(np.array([1.0, 2.0, 2.0, 4.0]), np.array([1, 1, 0, 0]))["share"].tolist()
    [1.0, 0.75, 0.5]
    """
    from scipy.special import ndtri  # noqa: PLC0415  # scipy is slow to import

    days, ended = np.asarray(days, dtype=np.float64), np.asarray(ended, dtype=bool)
    moments = np.unique(days[ended])
    at_risk = np.array([(days >= day).sum() for day in moments], dtype=np.float64)
    gone = np.array([(days[ended] == day).sum() for day in moments], dtype=np.float64)
    share = np.cumprod(1 - gone / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(gone / (at_risk * (at_risk - gone)))
        spread = float(ndtri(0.5 + LEVEL / 2)) * np.sqrt(variance) / np.log(share)
        low, high = share ** np.exp(-spread), share ** np.exp(spread)
    first = pd.DataFrame(
        {"day": [0.0], "at_risk": float(len(days)), "recovered": 0.0, "share": 1.0, "low": 1.0,
         "high": 1.0}
    )  # fmt: skip
    rest = pd.DataFrame(
        {"day": moments, "at_risk": at_risk, "recovered": gone, "share": share, "low": low,
         "high": high}
    )  # fmt: skip
    return pd.concat([first, rest], ignore_index=True) if len(rest) else first


def times_of(hit: list[History]) -> pd.DataFrame:
    """Measure each host's time to recovery, or to the end of what is known (table `TIMES`)."""
    rows = []
    for host in hit:
        onset, fixed = host.onset, host.fixed_at
        # A workaround does not end the wait for the fix.
        waited = fixed or (host.last if host.back else host.until)
        rows.append(
            {"host": host.row["host"], "onset": onset, "until": host.until, "back": host.back,
             "days": _days(onset, host.until), "days_low": _days(onset, host.known_out),
             "fixed": fixed is not None, "fixed_days": _days(onset, waited),
             "status": host.row["status"]}
        )  # fmt: skip
    return frame(rows, TIMES)


def _days(start: pd.Timestamp, end: pd.Timestamp) -> float:
    return max((end - start).total_seconds() / 86_400, 0.0)


def curve_of(times: pd.DataFrame, way: str) -> pd.DataFrame:
    """Return `kaplan_meier` of one way to work again, with ``way`` as first column."""
    done, days = WAYS[way]
    curve = kaplan_meier(times[days].to_numpy(np.float64), times[done].to_numpy(np.float64))
    curve.insert(0, "way", way)
    return curve.astype({"way": "str"})


# ---------------------------------------------------------------- milestones


def milestones(times: pd.DataFrame, curve: pd.DataFrame) -> pd.DataFrame:
    """Say when each of `SHARES` of the hosts worked again.

    Returns
    -------
    pandas.DataFrame
        ``way``, ``share``, ``days`` (missing: not reached), ``low``, ``high`` (missing: beyond
        what was seen), ``text``.

    Notes
    -----
    Half and nine in ten are read from the curve, their interval from its band (Brookmeyer and
    Crowley, Biometrics 38 (1982) 29-41). The time to all is a fact of these hosts and no
    estimate: it is reached only where each was seen to work again, and its interval says only
    between which failure and which success the last one recovered.
    """
    way = str(curve["way"].iloc[0])
    done, days = WAYS[way]
    rows = []
    for share in SHARES:
        if share < 1:
            found = [_first_below(curve, name, 1 - share) for name in ("share", "low", "high")]
        else:
            found = _all_of(times, done, days)
        if np.isnan(found[0]):
            found = [np.nan] * 3
        rows.append(dict(zip(("days", "low", "high"), found, strict=True))
                    | {"way": way, "share": share, "text": _told(times, way, share, found)})  # fmt: skip
    dtypes = dict.fromkeys(("share", "days", "low", "high"), "float64")
    return frame(rows, {"way": "str", **dtypes, "text": "str"})


def _first_below(curve: pd.DataFrame, column: str, level: float) -> float:
    reached = curve.loc[curve[column] <= level + 1e-12, "day"]
    return float(reached.iloc[0]) if len(reached) else np.nan


def _all_of(times: pd.DataFrame, done: str, days: str) -> list[float]:
    if times.empty or not times[done].all():
        return [np.nan] * 3
    latest = float(times[days].max())
    return [latest, min(float(times["days_low"].max()), latest), latest]


def _told(times: pd.DataFrame, way: str, share: float, found: list[float]) -> str:
    if not np.isnan(found[0]):
        low, high = (in_words(end) for end in found[1:])
        span = f"{low} to {high}" if not np.isnan(found[2]) else f"{low} or more"
        return f"{in_words(found[0])} [{span}]" if share < 1 else in_words(found[0])
    if times.empty:
        return "no host was hit"
    return f"not reached: {still_waiting(times, way)}"


def still_waiting(times: pd.DataFrame, way: str) -> str:
    """Count the hosts that did not get there: ``'2 of 8 hosts still out, 1 not known'``."""
    total = f"{len(times):,} host{'' if len(times) == 1 else 's'}"
    if way == "fix":
        return f"{int((~times['fixed']).sum()):,} of {total} not seen to work with the fix"
    unknown = int((times["status"] == "unconfirmed").sum())
    out = int((~times["back"]).sum()) - unknown
    return f"{out:,} of {total} still out" + (f", {unknown:,} not known" if unknown else "")


def in_words(days: float) -> str:
    """Write a span of days: ``'20 minutes'``, ``'5 hours'``, ``'4.2 days'``; ``'?'`` if unknown."""
    if np.isnan(days):
        return "?"
    for size, noun, limit in ((1440, "minute", 1 / 24), (24, "hour", 2)):
        if days < limit:
            count = round(days * size)
            return f"{count} {noun}{'' if count == 1 else 's'}"
    return f"{days:.1f} days"


# ---------------------------------------------------------------- the calendar


def calendar_of(spells: pd.DataFrame, last: pd.Timestamp) -> pd.DataFrame:
    """Count at each moment how many hosts are out, work again or are not known any more.

    Parameters
    ----------
    spells
        Each time a host was out, with ``number``, ``start``, ``end`` and ``ended_by``.
    last
        Last evidence of the fleet.

    Returns
    -------
    pandas.DataFrame
        ``time``, ``days`` since the first failure of the fleet, and the counts of `STEPS`: hosts
        ``hit`` so far, ``out``, ``working`` again, ``unknown``, ``relapses`` so far. A row holds
        from its time on.

    Notes
    -----
    A host that worked at its last evidence is taken to work on. One that was out is taken to be
    out to the end if its evidence reaches to within `STALE` of the fleet's, else it is unknown
    from its last evidence on; so is one from the moment a cure came that nobody tried.
    """
    again = spells["number"] > 1
    known = spells["ended_by"] == "recovered"
    open_ = (spells["ended_by"] == "evidence ends") & (spells["end"] >= last - STALE)
    begun = {"hit": ~again, "out": 1, "working": -again.astype("int64"), "relapses": again}
    over = {"out": -1, "working": known, "unknown": ~known}
    steps = [_moves(spells["start"], begun), _moves(spells["end"], over)[~open_]]
    table = pd.concat(steps).groupby("time").sum().cumsum().reset_index().astype({"time": TIME})
    since = table["time"] - table["time"].min()
    table.insert(1, "days", since.dt.total_seconds() / 86_400)
    return table


def _moves(times: pd.Series[Any], counts: Mapping[str, Any]) -> pd.DataFrame:
    """Return what each of `times` adds to the counts of `STEPS`."""
    columns = {step: counts.get(step, 0) for step in STEPS}
    return pd.DataFrame({"time": times, **columns}).astype(dict.fromkeys(STEPS, "int64"))
