"""What we could have seen: per host and channel the spans in which an event would have shown.

"No failure logged" and "no log" are different values; every rate and every status asks here
first. This file knows record numbers and times, not what the records mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib import schema
from kitlib.classify import estimated_times, told_channels
from kitlib.hosts import name_hosts
from kitlib.inert import inert_columns

if TYPE_CHECKING:
    from kitlib.store import Evidence

MAX_GAPS: Final = 50
"""More breaks than this in one log mean a filtered export, not damage: one span is given."""

FEW_IN_A_ROW: Final = 3
"""Fewer consecutive records than this on average mean a filtered export as well."""

DETECTIONS: Final = ("hayabusa_csv",)
"""Kinds of files that hold what a tool found remarkable: silence in them says nothing."""

CLEAR_SLACK: Final = pd.Timedelta(minutes=10)
"""A log whose first record follows its clearing by less than this began with the clearing."""

_LOG: Final = ["host", "channel", "part"]


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
        Table ``coverage``, sorted by host, channel and start. A span starts with its first record
        and ends before the next gap; the last span of a channel reaches to the host's latest
        record in any channel, since all logs of a host are taken to be exported together.

    Notes
    -----
    Overlapping exports of one log count as one log; logs that number their records from the
    beginning again (a machine installed anew under its old name) stay apart. Records without a
    number show gaps to nobody and count only where a channel has no others. Lists that have lost
    the channel count for the one that the rules tell (`kitlib.classify.told_channels`).

    Fails when a host's logs were exported on different days: the last span is then too long by
    the difference for the channel exported first. Where damage is not explained by gaps between
    the records that are left, the newest records may be lost, and the last span ends with its
    last record.
    """
    records = _records(evidence)
    if records.empty:
        return schema.empty("coverage")
    spans, logs = _spans(records)
    first = ~spans.duplicated(_LOG)
    last = ~spans.duplicated(_LOG, keep="last")
    log = logs.loc[pd.MultiIndex.from_frame(spans[_LOG])].reset_index(drop=True)
    lost, doubtful = _damage(evidence.problems, records, logs)
    damaged = np.where(log["number"].isin(lost), "damaged", "gap")
    doubtful_end = last & log["number"].isin(doubtful)
    spans["why_start"] = np.where(first, _why_first(spans, log, timeline), damaged)
    spans["why_end"] = np.where(last, np.where(doubtful_end, "damaged", "export"), damaged)
    newest = spans["end"] == spans.groupby(["host", "channel"])["end"].transform("max")
    exported = spans.groupby("host")["end"].transform("max")
    spans["end"] = spans["end"].where(~(newest & last & ~doubtful_end), exported)
    return schema.coerce("coverage", spans.sort_values(["host", "channel", "start"], kind="stable"))


def _records(evidence: Evidence) -> pd.DataFrame:
    """List the records that show coverage, in the order of each log, with the part they are in."""
    events = evidence.events
    names = name_hosts(events, evidence.files["host"].unique())
    lean = events[["record_id", "path"]].assign(
        host=names.of(events["host"], events["path"]),
        channel=told_channels(events),
        time_created=estimated_times(events),
    )
    lean = inert_columns(lean, ["channel"])  # as the timeline has it
    detections = evidence.files.loc[evidence.files["kind"].isin(DETECTIONS), "path"]
    lean = lean[~lean["path"].isin(detections)]
    lean = lean[(lean["host"] != "") & lean["time_created"].notna()]
    numbered = lean["record_id"].notna()
    channel = [lean["host"], lean["channel"]]
    lean = lean[numbered | ~numbered.groupby(channel).transform("any")]
    known = lean["record_id"].notna()
    again = known & lean.duplicated(["host", "channel", "record_id", "time_created"])
    lean = lean[~again]
    # The same number at another time: not one log in two pieces, but two logs.
    restarted = lean["record_id"].notna() & lean.duplicated(["host", "channel", "record_id"])
    several = restarted.groupby([lean["host"], lean["channel"]]).transform("any")
    lean = lean.assign(part=lean["path"].where(several, ""))
    return lean.sort_values([*_LOG, "record_id", "time_created"], kind="stable", ignore_index=True)


def _spans(records: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cut each log at breaks of its record numbers: the spans, and what is true of each log."""
    keys = [records[name] for name in _LOG]
    begins = (records[_LOG] != records[_LOG].shift()).any(axis=1)
    step = records["record_id"].diff().where(~begins).fillna(1).astype("int64")
    logs = pd.DataFrame(
        {
            "breaks": (step > 1).groupby(keys).sum(),
            "missing": (step - 1).clip(lower=0).groupby(keys).sum(),
            "records": step.groupby(keys).size(),
            "first_id": records["record_id"].groupby(keys).first(),
        }
    )
    many = (logs["breaks"] > MAX_GAPS) | (logs["breaks"] * FEW_IN_A_ROW > logs["records"])
    logs["filtered"] = many & (logs["breaks"] > 1)
    logs["number"] = range(len(logs))
    whole = logs["filtered"].loc[pd.MultiIndex.from_frame(records[_LOG])].to_numpy()
    cut = begins | ((step > 1) & ~whole)
    grouped = records.groupby(cut.cumsum(), sort=True)
    spans = (
        grouped[_LOG]
        .first()
        .assign(
            start=grouped["time_created"].min(),
            end=grouped["time_created"].max(),
            records=grouped.size(),
        )
    )
    return spans.reset_index(drop=True), logs


def _damage(
    problems: pd.DataFrame, records: pd.DataFrame, logs: pd.DataFrame
) -> tuple[set[int], set[int]]:
    """Numbers of the logs that lost records, and of those whose newest records may be lost."""
    lost = problems[problems["records_lost"].fillna(1) > 0]
    if lost.empty:
        return set(), set()
    # A number nobody knows is more than any gap explains.
    by_path = lost["records_lost"].astype("float64").fillna(np.inf).groupby(lost["path"]).sum()
    files = records[[*_LOG, "path"]].drop_duplicates()
    files = files[files["path"].isin(by_path.index)]
    if files.empty:  # what is damaged holds no record of any log
        return set(), set()
    amount = files["path"].map(by_path).groupby([files[name] for name in _LOG]).sum()
    hit = logs.loc[amount.index]
    return set(hit["number"]), set(hit.loc[amount > hit["missing"], "number"])


def _why_first(spans: pd.DataFrame, log: pd.DataFrame, timeline: pd.DataFrame) -> list[str]:
    """Say for each span why its log does not reach further back, were it the log's first span."""
    cleared: dict[tuple[str, str], list[pd.Timestamp]] = {}
    facts = timeline[timeline["action"] == "log_cleared"]
    target = facts["target"].where(facts["target"] != "", facts["channel"])
    for host, channel, time in zip(facts["host"], target, facts["time"], strict=True):
        cleared.setdefault((host, channel), []).append(time)
    out = []
    for host, channel, start, first_id, filtered in zip(
        spans["host"],
        spans["channel"],
        spans["start"],
        log["first_id"].fillna(-1),
        log["filtered"],
        strict=True,
    ):
        at = cleared.get((host, channel), ())
        if filtered or first_id < 0:
            out.append("filtered export" if filtered else "no record numbers")
        elif any(abs(start - time) <= CLEAR_SLACK for time in at):
            out.append("cleared")
        else:
            out.append("log created" if first_id <= 1 else "rolled over")
    return out
