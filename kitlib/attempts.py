"""Who tried, and with what result: one row per try, tied together by its connection id.

The unit of analysis is the attempt, not the event. Bursts of retries get one ``episode`` number,
so that ten clicks in a row do not count as ten pieces of evidence. This file does not know causes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from kitlib import schema
from kitlib.timeline import record_refs

if TYPE_CHECKING:
    from kitlib.incident import Incident

BURST: Final = pd.Timedelta(minutes=30)
"""Attempts of a host closer than this belong to one episode, unless a success ended it."""

_STEPS: Final = ("attempt_started", "attempt_progress", "attempt_succeeded", "attempt_failed")
_NO_ID: Final = ("", "{na}")


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
    id are attempts of their own.
    """
    facts = timeline[
        (timeline["activity"] == incident.activity) & timeline["action"].isin(_STEPS)
    ].sort_values(["host", "connection", "time", "record_id"], kind="stable")
    if facts.empty:
        return schema.empty("attempts")
    facts = facts.assign(ref=record_refs(facts))
    grouped = facts.groupby(_attempt_numbers(facts), sort=False)
    text = {
        name: grouped[name].agg(_first_text) for name in ("host", "user", "target", "connection")
    }
    ends = facts[facts["outcome"] != ""].groupby(_attempt_numbers(facts), sort=False)
    stage = facts.loc[facts["stage"] != "", "stage"].groupby(_attempt_numbers(facts)).last()
    out = pd.DataFrame(
        {
            **text,
            "time": grouped["time"].min(),
            "outcome": ends["outcome"].last(),
            "code": ends["code"].last(),
            "stage": stage,
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
    same = (facts["host"] == facts["host"].shift()) & (
        facts["connection"] == facts["connection"].shift()
    )
    ended = facts["outcome"].shift().fillna("") != ""
    new = ~same | (facts["action"] == "attempt_started") | ended | facts["connection"].isin(_NO_ID)
    return new.cumsum().astype("int64")


def _first_text(values: pd.Series[str]) -> str:
    return next((value for value in values if value), "")


def _episodes(attempts: pd.DataFrame) -> pd.Series[int]:
    """Give each attempt the number of its burst, in order of time within each host."""
    by_host = attempts.sort_values(["host", "time"], kind="stable")
    new = (
        (by_host["host"] != by_host["host"].shift())
        | (by_host["time"] - by_host["time"].shift() > BURST)
        | (by_host["outcome"].shift() == "success")
    )
    return new.cumsum().astype("int64").reindex(attempts.index)
