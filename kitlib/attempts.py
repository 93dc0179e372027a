"""Who tried, and with what result: one row per try, tied together by its connection id.

The unit of analysis is the attempt, not the event. Bursts of retries get one ``episode`` number,
so that ten clicks in a row do not count as ten pieces of evidence; `make_episodes` collapses them.
This file does not know causes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib import schema
from kitlib.timeline import record_refs

if TYPE_CHECKING:
    from kitlib.incident import Incident

BURST: Final = pd.Timedelta(minutes=30)
"""Attempts of a host closer than this belong to one episode, unless a success ended it."""

_STEPS: Final = ("attempt_started", "attempt_progress", "attempt_succeeded", "attempt_failed")
_NO_ID: Final = ("", "{na}")
_SEEN: Final = ("success", "failure")


def find_attempts(timeline: pd.DataFrame, incident: Incident) -> pd.DataFrame:
    """Chain the facts of each try of the incident's activity.

    Parameters
    ----------
    timeline
        Table ``timeline``.
    incident
        Says which activity is meant.

    Returns
    -------
    pandas.DataFrame
        Table ``attempts`` sorted by time and host. ``outcome`` is ``unknown`` where the log holds
        no end of the chain; ``stage`` is the last one reached before the end.

    Notes
    -----
    A connection id that is used again starts a new attempt at each new start. Facts without an
    id are attempts of their own. The same fact told twice (by a log and by its text export) counts
    once. Facts of no known host are left out; attempts of no known time stand last.
    """
    facts = timeline[
        (timeline["activity"] == incident.activity)
        & timeline["action"].isin(_STEPS)
        & (timeline["host"] != "")
    ].sort_values(["host", "connection", "time", "record_id"], kind="stable")
    if facts.empty:
        return schema.empty("attempts")
    facts = facts.assign(ref=record_refs(facts), number=_attempt_numbers(facts))
    grouped = facts.groupby("number", sort=True)
    texts = facts[["user", "target", "stage"]]
    said = texts.where(texts != "").groupby(facts["number"], sort=True)
    ends = facts[facts["outcome"] != ""].groupby("number", sort=True)
    out = pd.DataFrame(
        {
            **{name: grouped[name].first() for name in ("host", "connection")},
            **{name: said[name].first() for name in ("user", "target")},
            "time": grouped["time"].min(),
            "outcome": ends["outcome"].last(),
            "code": ends["code"].last(),
            "stage": said["stage"].last(),
            "duration": (grouped["time"].max() - grouped["time"].min()).dt.total_seconds(),
            "records": grouped["ref"].agg(list),
        }
    )
    out["outcome"] = out["outcome"].fillna("unknown")
    out = out.sort_values(["time", "host"], kind="stable", ignore_index=True)
    out["episode"] = _episodes(out)
    return schema.coerce("attempts", out)


def _attempt_numbers(facts: pd.DataFrame) -> pd.Series[int]:
    """Give each fact the number of its attempt: new at a new id, a start, and after an end."""
    before = facts.shift()
    same = (facts["host"] == before["host"]) & (facts["connection"] == before["connection"])
    told_again = (
        same
        & (facts["time"] == before["time"])
        & (facts["action"] == before["action"])
        & (facts["code"] == before["code"])
    )
    ended = before["outcome"].fillna("") != ""
    new = ~same | (facts["action"] == "attempt_started") | ended | facts["connection"].isin(_NO_ID)
    return (new & ~told_again).cumsum().astype("int64")


def _episodes(attempts: pd.DataFrame) -> pd.Series[int]:
    """Give each attempt the number of its burst, in order of time within each host."""
    by_host = attempts.sort_values(["host", "time"], kind="stable")
    pause = by_host["time"] - by_host["time"].shift()
    new = (
        (by_host["host"] != by_host["host"].shift())
        | ~(pause <= BURST)  # also where a time is missing
        | (by_host["outcome"].shift() == "success")
    )
    return new.cumsum().astype("int64").reindex(attempts.index)


def make_episodes(attempts: pd.DataFrame, incident: Incident) -> pd.DataFrame:
    """Collapse bursts: one row an episode with host, time, failed, records.

    An episode failed when its first telling attempt showed the symptom; telling are attempts that
    worked and those that failed with the symptom. Who is turned away tries again at once, and the
    number of tries hangs on how they end: only the first is a fair draw of the failure rate. An
    episode without the symptom did not fail. Attempts that were cancelled, have no end in the log
    or no known time are left out of the episode.
    """
    seen = attempts[attempts["outcome"].isin(_SEEN) & attempts["time"].notna()].sort_values(
        ["episode", "time"], kind="stable"
    )
    symptom = (seen["outcome"] == "failure") & incident.is_symptom(seen["code"])
    telling = symptom | (seen["outcome"] == "success")
    first = symptom[telling].groupby(seen["episode"]).first()
    out = seen.groupby("episode", sort=True).agg(host=("host", "first"), time=("time", "min"))
    out["failed"] = first.reindex(out.index, fill_value=False).astype(bool)
    out["records"] = _gathered(seen)
    return out.reset_index(drop=True)[["host", "time", "failed", "records"]]


def _gathered(seen: pd.DataFrame) -> list[list[str]]:
    """Record ids of each episode; `seen` is sorted by episode."""
    starts = np.flatnonzero(seen["episode"].ne(seen["episode"].shift()).fillna(value=True))
    records = seen["records"].tolist()
    return [
        [ref for own in records[low:high] for ref in own]
        for low, high in pairwise([*starts.tolist(), len(records)])
    ]
