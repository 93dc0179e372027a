"""One name and one clock a host: who wrote a record, and how far its time can be trusted.

This file knows that machines are renamed, that short and full names mean the same machine, and
that a clock is sometimes set. It does not know what failed or why.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pandas as pd

JUMP: Final = pd.Timedelta(seconds=60)
"""A clock set by less than this is left alone: no order of events here hangs on it."""

SLEEP_SLACK: Final = pd.Timedelta(minutes=2)
"""A clock set forward from about the moment of a sleep tells the time slept, not an error."""


def canonical_hosts(events: pd.DataFrame, others: Iterable[str] = ()) -> dict[str, str]:
    """Map every host name in the evidence to one name a machine.

    Two names are one machine when (a) one log file holds them in consecutive, unbroken record
    numbers and never goes back, which is what a rename looks like in a log; or (b) one is the
    short form of the other and no second full name claims it.

    Parameters
    ----------
    events
        Table ``events``, in the order of the files.
    others
        Further names, e.g. of update dumps.

    Returns
    -------
    dict
        name → canonical name: the short form of the machine's latest name, or its full name where
        two machines share the short form.

    Notes
    -----
    Assumes that a log file of one machine was not spliced together from two with continuing record
    numbers. Forwarded logs are kept apart because their record numbers do not continue.
    """
    blocks = _name_blocks(events)
    parent = {name: name for name in [*blocks["host"], *others] if name}
    for path_blocks in (group for _, group in blocks.groupby("path", sort=False)):
        if len(path_blocks) > 1 and _is_rename_chain(path_blocks):
            names = list(path_blocks["host"])
            for name in names[:-1]:
                _union(parent, name, names[-1])
    _join_short_names(parent)
    latest = blocks.sort_values("last", kind="stable")["host"]
    return _choose(parent, {name: place for place, name in enumerate(latest)})


def _name_blocks(events: pd.DataFrame) -> pd.DataFrame:
    """Runs of equal host name in each file: host, path, first and last record id, last time."""
    named = events[events["host"] != ""]
    starts = (named["host"] != named["host"].shift()) | (named["path"] != named["path"].shift())
    grouped = named.groupby(starts.cumsum(), sort=False)
    return pd.DataFrame(
        {
            "host": grouped["host"].first(),
            "path": grouped["path"].first(),
            "first_id": grouped["record_id"].first(),
            "last_id": grouped["record_id"].last(),
            "last": grouped["time_created"].max(),
        }
    )


def _is_rename_chain(blocks: pd.DataFrame) -> bool:
    follows = blocks["first_id"].iloc[1:].to_numpy() == blocks["last_id"].iloc[:-1].to_numpy() + 1
    return bool(blocks["host"].is_unique and follows.all())


def _find(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        name = parent[name]
    return name


def _union(parent: dict[str, str], name: str, into: str) -> None:
    parent[_find(parent, name)] = _find(parent, into)


def _join_short_names(parent: dict[str, str]) -> None:
    """Join names equal but for case, then a bare name and the one full name it shortens."""
    by_fold: dict[str, list[str]] = {}
    for name in parent:
        by_fold.setdefault(name.casefold(), []).append(name)
    for same in by_fold.values():
        for name in same[1:]:
            _union(parent, name, same[0])
    for bare in [name for name in parent if "." not in name]:
        full = {
            _find(parent, name)
            for name in parent
            if "." in name and name.split(".")[0].casefold() == bare.casefold()
        }
        if len(full) == 1:
            _union(parent, bare, full.pop())


def _choose(parent: dict[str, str], rank: dict[str, int]) -> dict[str, str]:
    """Name each group by its latest name, shortened where that stays unambiguous."""
    groups: dict[str, list[str]] = {}
    for name in parent:
        groups.setdefault(_find(parent, name), []).append(name)
    best = {root: max(names, key=lambda n: (rank.get(n, -1), n)) for root, names in groups.items()}
    shorts = [name.split(".")[0].casefold() for name in best.values()]
    chosen = {}
    for root, name in best.items():
        short = name.split(".")[0]
        chosen[root] = short if shorts.count(short.casefold()) == 1 else name
    return {name: chosen[_find(parent, name)] for name in parent}


def widen_for_clock_jumps(timeline: pd.DataFrame) -> pd.DataFrame:
    """Give facts written before the clock was set an interval that holds both readings.

    Where a clock is set by more than `JUMP` outside of a sleep, the facts since that start of
    Windows may be off by the jump; which of the two clocks was right is not known from the log.

    Parameters
    ----------
    timeline
        Table ``timeline``; the ``target`` of a ``clock_changed`` fact is the old time.

    Returns
    -------
    pandas.DataFrame
        The same rows; ``time_low``/``time_high`` of the facts concerned are widened.
    """
    out = timeline.copy()
    jumps = timeline[(timeline["action"] == "clock_changed") & (timeline["target"] != "")]
    for jump in jumps.itertuples():
        old = pd.to_datetime(jump.target, utc=True, errors="coerce")
        if pd.isna(old) or abs(jump.time - old) <= JUMP:
            continue
        own = timeline[timeline["host"] == jump.host]
        asleep = own.loc[own["action"] == "sleep", "time"]
        if jump.time > old and ((asleep - old).abs() <= SLEEP_SLACK).any():
            continue
        boots = own.loc[(own["action"] == "boot") & (own["time"] <= old), "time"]
        since = boots.max() if len(boots) else old
        hit = own.index[own["time"].between(since, old) & (own["time_basis"] == "utc")]
        shifted = out.loc[hit, "time"] + (jump.time - old)
        out.loc[hit, "time_low"] = out.loc[hit, "time_low"].where(
            out.loc[hit, "time_low"] <= shifted, shifted
        )
        out.loc[hit, "time_high"] = out.loc[hit, "time_high"].where(
            out.loc[hit, "time_high"] >= shifted, shifted
        )
    return out
