"""The same record in two files counts once: a live log, its shadow copy, an export of either.

A record is known by host, channel, record number and time. Copies of it differ in all four:

- **host**: short or full name, capital letters, or none at all in some exports;
- **channel**: some exports have none;
- **time**: exports cut it to milliseconds or seconds, or round it: within `SLACK` it is the same.
  An export in local time is compared by the position within a quarter of an hour, since every
  zone's offset is a multiple of that;
- **record number**: where it is missing, nothing can be said, and the row stays.

Of the copies the event log's own is kept, since it has lost nothing; else the first in the order
of the paths. A row that lacks host or channel gives way to a row that has it and agrees in the
rest, the event id too; it is never kept instead. A whole file without host belongs to the one host
most of its records are found at (`hosts_by_records`).

Nothing here knows what a record means. Assumes that a host does not give a record number twice
within a second.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from kitlib.readers.events.exports import LOCAL_TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    import numpy.typing as npt

SLACK: Final = pd.Timedelta(seconds=1)
_QUARTER: Final = 900
_CLOCK: Final = re.compile(r"(?<!\d)\d{1,2}[:.](\d\d)[:.](\d\d)(?!\d)")
_NAMED: Final = 3
Problem = dict[str, Any]


def machines(hosts: pd.Series[str]) -> pd.Series[str]:
    """Give every spelling of a host's name one form: short and in one case.

    Where hosts of different domains share a short name, each keeps its full name; whose a short
    one is then is open, so it stands for itself.
    """
    codes, spelled = pd.factorize(hosts)
    plain = [str(name).casefold().rstrip(".") for name in spelled]
    full = Counter(short for short, dot, _ in {n: n.partition(".") for n in plain}.values() if dot)
    shared = {short for short, number in full.items() if number > 1}
    forms = [_form(name, shared) for name in plain]
    return pd.Series(forms, dtype="str").take(codes).set_axis(hosts.index)


def _form(name: str, shared: AbstractSet[str]) -> str:
    short = name.partition(".")[0]
    return name if _is_address(name) or short in shared else short


def _is_address(name: str) -> bool:
    return re.fullmatch(r"[0-9.]+", name) is not None


def hosts_by_records(events: pd.DataFrame) -> dict[str, str]:
    """Find whose a file is that names no host: the host at which most of its records are found.

    Parameters
    ----------
    events
        Table ``events`` of all files.

    Returns
    -------
    dict
        Path to host, as another file spells it. Only where one host has more of them than any
        other.
    """
    blank = (events["host"] == "") & events["record_id"].notna()
    if not blank.any() or blank.all():
        return {}
    named = events[(events["host"] != "") & events["record_id"].notna()]
    votes: dict[str, Counter[str]] = {}
    for rows, on in _by_pattern(events[blank]):
        pairs = _paired(rows, named, on)
        pairs = pairs.drop_duplicates(["row", "host_full"])
        for path, host in zip(pairs["path"], pairs["host_full"], strict=True):
            votes.setdefault(path, Counter())[host] += 1
    return {path: host for path, count in votes.items() if (host := _winner(count))}


def _winner(count: Counter[str]) -> str:
    (first, most), *others = count.most_common(2)
    return first if not others or others[0][1] < most else ""


def once(events: pd.DataFrame, *, logs: AbstractSet[str], problems: list[Problem]) -> pd.DataFrame:
    """Keep one row of every record.

    Parameters
    ----------
    events
        Table ``events`` of all files, hosts filled in where they are known.
    logs
        Paths of event logs, whose rows are kept in preference.
    problems
        Gets a row for each file of which records were left out, with their number.

    Returns
    -------
    pandas.DataFrame
        The rows kept, in their order.

    Notes
    -----
    What one file holds twice is that file's own affair and stays.
    """
    shared = _shared(events)
    rows = events[shared & events["record_id"].notna().to_numpy()]
    exported = ~rows["path"].isin(logs)
    printed = rows.loc[exported, "data"].map(_position).dropna()
    local = pd.to_datetime(printed, unit="s", utc=True)
    instead = pd.concat(
        [
            _same(rows, rows["time_created"].dropna(), logs),
            _same(rows, local, logs),
            _vaguer(rows, rows.index.isin(local.index)),
        ]
    )
    if instead.empty:
        return events
    instead = instead[~instead.index.duplicated()].sort_index()
    _tell(events, instead, problems)
    return events.drop(index=instead.index)


def _shared(events: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which rows are of a log that several files have, the only ones worth comparing."""
    log = _coded(machines(events["host"])), _coded(events["channel"])
    path = pd.factorize(events["path"])[0]
    logs = pd.DataFrame({"host": log[0], "channel": log[1]})
    if (events["host"] == "").any() or (events["channel"] == "").any():
        return np.ones(len(events), dtype=bool)  # whose those are is what is to be found
    files = logs.assign(path=path).drop_duplicates()
    several = files.loc[files.duplicated(["host", "channel"], keep=False), ["host", "channel"]]
    width = int(logs["channel"].max()) + 1 if len(logs) else 1
    wanted = (several["host"] * width + several["channel"]).unique()
    return (logs["host"] * width + logs["channel"]).isin(wanted).to_numpy()


def _coded(texts: pd.Series[str]) -> npt.NDArray[np.int64]:
    """Give a number to each text; capital letters make no difference."""
    codes, spelled = pd.factorize(texts)
    known: dict[str, int] = {}
    numbers = [known.setdefault(str(text).casefold(), len(known)) for text in spelled]
    return np.array(numbers, dtype=np.int64)[codes]


def _same(rows: pd.DataFrame, times: pd.Series[Any], logs: AbstractSet[str]) -> pd.Series[str]:
    """Return for rows that another file has as well the path of the one that is kept."""
    timed = rows.loc[times.index]
    whole = timed[(timed["host"] != "") & (timed["channel"] != "")]
    keyed = pd.DataFrame(
        {
            "host": _coded(machines(whole["host"])),
            "channel": _coded(whole["channel"]),
            "record_id": whole["record_id"].to_numpy(np.int64),
            "time": times[whole.index],
            "path": whole["path"],
        }
    )
    key = ["host", "channel", "record_id"]
    keyed = keyed[keyed.duplicated(key, keep=False)]
    keyed = keyed.sort_values([*key, "time"], kind="stable")
    apart = keyed["time"].diff()
    fresh = (keyed[key] != keyed[key].shift()).any(axis=1)
    fresh |= (apart > SLACK) | (apart < pd.Timedelta(0))  # less than nothing: centuries apart
    keyed["record"] = fresh.cumsum()
    keyed["export"] = ~keyed["path"].isin(logs)
    order = keyed.sort_values(["record", "export", "path"], kind="stable")
    kept = order.groupby("record")["path"].transform("first")
    return kept[kept != order["path"]].astype("str")


def _vaguer(rows: pd.DataFrame, local: npt.NDArray[np.bool_]) -> pd.Series[str]:
    """Return for rows that say less than a row of another file the path of that one."""
    lacking = (rows["host"] == "") | (rows["channel"] == "") | rows["time_created"].isna() | local
    whole = rows[~lacking]
    found = [
        pairs.drop_duplicates("row").set_index("row")["path_full"]
        for part, on in _by_pattern(rows[lacking])
        for pairs in [_paired(part, whole, on)]
    ]
    return pd.concat(found) if found else pd.Series(dtype="str")


def _by_pattern(rows: pd.DataFrame) -> Iterable[tuple[pd.DataFrame, list[str]]]:
    """Part rows by what they have of host and channel; give each part with the names of these."""
    for (host, channel), part in rows.groupby([rows["host"] != "", rows["channel"] != ""]):
        yield part, [name for name, has in (("machine", host), ("log", channel)) if has]


def _paired(rows: pd.DataFrame, whole: pd.DataFrame, on: Sequence[str]) -> pd.DataFrame:
    """Pair rows with those of other files that agree in `on`, number, event id and time."""
    whole = whole[whole["record_id"].isin(rows["record_id"])]
    both = pd.concat([rows["host"], whole["host"]])
    names = machines(both)
    left, right = _keys(rows, names.iloc[: len(rows)]), _keys(whole, names.iloc[len(rows) :])
    left, right = left.dropna(subset=["second"]), right.dropna(subset=["second"])
    parts = []
    for local, part in left.groupby("local"):
        # Rounded up at the export, a record's second is the next one.
        for late in (0, 1):
            moved = right.assign(second=right["second"] + late)
            sides = [_folded(side) if local else side for side in (part, moved)]
            keys = ["record_id", "event_id", "second", *on]
            parts.append(sides[0].merge(sides[1], on=keys, suffixes=("", "_full")))
    pairs = pd.concat(parts) if parts else left.merge(right, on="record_id", suffixes=("", "_full"))
    return pairs[pairs["path"] != pairs["path_full"]]


def _keys(rows: pd.DataFrame, names: pd.Series[str]) -> pd.DataFrame:
    printed = rows["data"].map(_position).astype("Int64")
    seconds = (rows["time_created"].astype("int64") // 1_000_000_000).astype("Int64")
    seconds = seconds.mask(rows["time_created"].isna())
    return pd.DataFrame(
        {
            "row": rows.index,
            "host": rows["host"],
            "machine": names.to_numpy(),
            "log": rows["channel"].str.casefold(),
            "record_id": rows["record_id"],
            "event_id": rows["event_id"],
            "second": printed.fillna(seconds),
            "local": printed.notna(),
            "path": rows["path"],
        }
    )


def _folded(keys: pd.DataFrame) -> pd.DataFrame:
    return keys.assign(second=keys["second"] % _QUARTER)


def _position(data: Mapping[str, Any] | None) -> int | None:
    """Return the second within a quarter of an hour of a time that is printed in local time."""
    printed = data.get(LOCAL_TIME) if data else None
    clocks = _CLOCK.findall(printed[:64]) if isinstance(printed, str) else []
    return (int(clocks[-1][0]) * 60 + int(clocks[-1][1])) % _QUARTER if clocks else None


def _tell(events: pd.DataFrame, instead: pd.Series[str], problems: list[Problem]) -> None:
    totals = events["path"].value_counts()
    for path, kept in instead.groupby(events.loc[instead.index, "path"]):
        problems.append(counted_once(str(path), len(kept), int(totals[path]), kept))


def once_alike(table: pd.DataFrame, *, key: Sequence[str], problems: list[Problem]) -> pd.DataFrame:
    """Keep one of the rows that are alike in `key` and lie in several files.

    Parameters
    ----------
    table
        Rows with ``path``.
    key
        Columns.
    problems
        As for `once`.
    """
    alike: pd.Series[bool] = table.duplicated(list(key), keep=False)
    groups = table[alike].groupby(list(key), dropna=False, sort=False)["path"]
    kept = groups.transform("first")
    instead = kept[kept != table.loc[kept.index, "path"]].astype("str")
    _tell(table, instead, problems)
    kept_rows: pd.DataFrame = table.drop(index=instead.index)
    return kept_rows


def counted_once(path: str, left_out: int, total: int, kept: Iterable[str]) -> Problem:
    """Make the row of `problems` that says how many records of a file other files have as well."""
    files = sorted(set(kept))
    also = ", ".join(files[:_NAMED]) + (" and others" if len(files) > _NAMED else "")
    reason = f"{left_out} of its {total} records are also in {also}: counted once"
    return {"path": path, "place": "", "reason": reason, "records_lost": 0}
