"""What we could have seen: per host and channel the spans in which an event would have shown.

"No failure logged" and "no log" are different values; every rate and every status asks here
first. This file knows record numbers and times, not what the records mean.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from kitlib import schema
from kitlib.hosts import name_hosts

if TYPE_CHECKING:
    from kitlib.store import Evidence

MAX_GAPS: Final = 50
"""More breaks than this in one log mean a filtered export, not damage: one span is given."""

CLEAR_SLACK: Final = pd.Timedelta(minutes=10)
"""A log whose first record follows its clearing by less than this began with the clearing."""


def measure_coverage(evidence: Evidence, timeline: pd.DataFrame) -> pd.DataFrame:
    """Find the spans in which each channel of each host was being recorded and has survived.

    Parameters
    ----------
    evidence
        What `kitlib.read_evidence` returned.
    timeline
        Table ``timeline`` of the same evidence (for clearings).

    Returns
    -------
    pandas.DataFrame
        Table ``coverage``. A span starts with its first record and ends before the next gap; the
        last span of a channel reaches to the host's latest record in any channel, since all logs
        of a host are taken to be exported together.

    Notes
    -----
    Fails when a host's logs were exported on different days: the last span is then too long by
    the difference for the channel exported first.
    """
    events = evidence.events
    if events.empty:
        return schema.empty("coverage")
    names = name_hosts(events, evidence.files["host"].unique())
    lean = events[["host", "channel", "record_id", "time_created", "path"]].assign(
        host=names.of(events["host"], events["path"])
    )
    damaged = set(evidence.problems.loc[evidence.problems["records_lost"].fillna(1) > 0, "path"])
    exported = lean.groupby("host")["time_created"].max()
    cleared = timeline[timeline["action"] == "log_cleared"]
    rows: list[dict[str, Any]] = []
    for (host, channel), log in lean.groupby(["host", "channel"], sort=True):
        own = cleared[(cleared["host"] == host) & cleared["target"].isin([channel, ""])]
        spans = _spans(log, damaged=bool(damaged & set(log["path"])), cleared=own["time"])
        spans[-1]["end"] = max(spans[-1]["end"], exported[str(host)])
        rows += [{"host": host, "channel": channel, **span} for span in spans]
    return schema.frame("coverage", rows)


def _spans(
    log: pd.DataFrame, *, damaged: bool, cleared: pd.Series[pd.Timestamp]
) -> list[dict[str, Any]]:
    """Cut one log at breaks of its record numbers."""
    log = log.drop_duplicates("record_id").sort_values("record_id", kind="stable")
    ids = log["record_id"].to_numpy(dtype="int64", na_value=0)
    times = log["time_created"].reset_index(drop=True)
    breaks = np.flatnonzero(np.diff(ids) > 1) + 1
    filtered = len(breaks) > MAX_GAPS
    why_gap = "damaged" if damaged else "gap"
    edges = [0, *([] if filtered else breaks.tolist()), len(ids)]
    first_why = "log created" if ids[0] <= 1 else "rolled over"
    if ((times.min() - cleared).abs() <= CLEAR_SLACK).any():
        first_why = "cleared"
    if filtered:
        first_why = "filtered export"
    rows: list[dict[str, Any]] = []
    for start, stop in pairwise(edges):
        rows.append(
            {
                "start": times.iloc[start:stop].min(),
                "end": times.iloc[start:stop].max(),
                "why_start": first_why if start == 0 else why_gap,
                "why_end": "export" if stop == len(ids) else why_gap,
                "records": stop - start,
            }
        )
    return rows


def covered(coverage: pd.DataFrame, channels: set[str]) -> pd.DataFrame:
    """Return per host the earliest start and the latest end over `channels` (host, start, end)."""
    rows = coverage[coverage["channel"].isin(channels)]
    return rows.groupby("host", as_index=False).agg(start=("start", "min"), end=("end", "max"))
