"""All files of the evidence together, as tables.

`assemble` puts the units of all files together: paths and hosts are filled in, the same content
at two paths counts once, and so does the same record in two files (a live log and its shadow
copy), each time with the number stated in `problems`.

Nothing here opens a file, knows a format or judges what a record means.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from kitlib import schema
from kitlib.errors import EvidenceError
from kitlib.ingest import NOT_READ, Unit
from kitlib.readers import evtx

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kitlib.readers import Parsed


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the evidence holds, as tables of `kitlib.schema`.

    Attributes
    ----------
    files, problems, events, updates, sessions
        The tables.
    manifest_sha256
        Hash over path and hash of every file: names the evidence as a whole.
    """

    files: pd.DataFrame
    problems: pd.DataFrame
    events: pd.DataFrame
    updates: pd.DataFrame
    sessions: pd.DataFrame
    manifest_sha256: str


def assemble(units: Iterable[Unit], *, name: str) -> Evidence:
    """Put the units of all files together.

    Parameters
    ----------
    units
        In any order.
    name
        What to call the evidence in an error.

    Raises
    ------
    kitlib.errors.EvidenceError
        No unit has a row.
    """
    every = sorted(units, key=lambda unit: unit.path)
    kept = list(_without_copies(every))
    found = [unit for unit in kept if unit.parsed is not None]
    events = _stack("events", found)
    near = _hosts_below(found)
    updates = _stack("updates", [_hosts_filled(unit, near) for unit in found])
    sessions = _stack("sessions", found)
    problems = list(_problems(kept, updates))
    if not (len(events) or len(updates) or len(sessions)):
        raise EvidenceError(_nothing(name, kept, problems))
    # Exports cut times to milliseconds or seconds, so the same second is the same record; of the
    # copies the event log itself is kept, since it has lost nothing.
    logs = {unit.path for unit in found if unit.kind == evtx.KIND}
    order = (~events["path"].isin(logs)).sort_values(kind="stable").index
    second = events["time_created"].dt.floor("s")
    once = _once(
        events.assign(second=second).loc[order],
        ["host", "channel", "record_id", "second"],
        problems,
    )
    events = once.sort_index().drop(columns="second").reset_index(drop=True)
    updates = _once(updates, [c for c in updates.columns if c != "path"], problems)
    updates = updates.reset_index(drop=True)
    table = schema.frame("problems", sorted(problems, key=lambda row: str(row["path"])))
    return Evidence(
        files=_files(kept, updates, table),
        problems=table,
        events=events,
        updates=updates,
        sessions=sessions,
        manifest_sha256=manifest_hash(every),
    )


def manifest_hash(units: Iterable[Unit]) -> str:
    """Hash over the sorted lines ``sha256  path`` of all files, as `sha256sum` prints them."""
    lines = sorted((unit.path, unit.sha256) for unit in units)
    text = "".join(f"{sha256}  {path}\n" for path, sha256 in lines)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_copies(units: Iterable[Unit]) -> Iterator[Unit]:
    """Take the rows out of units whose content came before under another path."""
    seen: set[str] = set()
    for unit in units:
        copy = unit.kind not in NOT_READ and unit.sha256 in seen
        seen.add(unit.sha256)
        yield replace(unit, parsed=None) if copy else unit


def _stack(table: str, units: Iterable[Unit]) -> pd.DataFrame:
    def part(unit: Unit) -> pd.DataFrame:
        rows: pd.DataFrame = getattr(unit.parsed, table)
        return rows.assign(path=unit.path)

    return schema.concat(table, map(part, units))


def _hosts_filled(unit: Unit, near: Mapping[str, set[str]]) -> Unit:
    """Name the host of update rows that name none: by the logs beside them, else by the folder."""
    if unit.parsed is None or (unit.parsed.updates["host"] != "").all():
        return unit
    host = _neighbour(unit, near) or unit.host
    updates = unit.parsed.updates
    filled = updates.assign(host=updates["host"].where(updates["host"] != "", host))
    return replace(unit, parsed=replace(unit.parsed, updates=filled))


def _hosts_below(found: Iterable[Unit]) -> dict[str, set[str]]:
    """List for every folder the hosts that the logs somewhere below it name."""
    below: dict[str, set[str]] = {}
    for unit in found:
        host = _main_host(unit)
        for folder in PurePosixPath(unit.path).parents if host else ():
            below.setdefault(str(folder), set()).add(host)
    return below


def _neighbour(unit: Unit, below: Mapping[str, set[str]]) -> str:
    """Return the one host of the logs in the nearest folder above the file that holds logs."""
    folders = map(str, PurePosixPath(unit.path).parents)
    hosts = next((below[folder] for folder in folders if folder in below), set())
    same = [host for host in sorted(hosts) if _short(host) == _short(unit.host)]
    if same or len(hosts) == 1:
        return (same or list(hosts))[0]
    return ""


def _short(host: str) -> str:
    return host.partition(".")[0].casefold()


def _main_host(unit: Unit) -> str:
    """Return the host that most records of a log name."""
    if unit.parsed is None or unit.parsed.events.empty:
        return ""
    return _most_frequent(unit.parsed.events["host"])


def _most_frequent(hosts: pd.Series[str]) -> str:
    """Return the most frequent host, of equals the first in the alphabet, or an empty string."""
    return next(iter(hosts[hosts != ""].mode()), "")


def _problems(units: Iterable[Unit], updates: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for unit in units:
        for row in unit.problems:
            yield {**row, "path": unit.path}
        if unit.parsed is not None:
            for content in unit.parsed.problems.to_dict("records"):
                yield {**{str(key): value for key, value in content.items()}, "path": unit.path}
    for path, rows in updates[updates["host"] == ""].groupby("path"):
        reason = f"no host: its rows ({len(rows)}) name none, nor does a folder or a log beside it"
        yield {"path": path, "place": "", "reason": reason, "records_lost": len(rows)}


def _once(df: pd.DataFrame, key: list[str], problems: list[dict[str, Any]]) -> pd.DataFrame:
    """Keep one of the records that several files hold, and state how many were left out."""
    sure = df["host"] != ""
    if "record_id" in key:
        sure &= df["record_id"].notna()
    alike = sure & df.duplicated(key, keep=False)
    if not alike.any():
        return df
    first = df[alike].groupby(key, dropna=False, sort=False)["path"].transform("first")
    first = first.reindex(df.index)
    again = first.notna() & (first != df["path"])  # twice in one file is that file's own affair
    for path, others in first[again].groupby(df["path"]):
        total, also = int((df["path"] == path).sum()), ", ".join(sorted(set(others))[:3])
        reason = f"{len(others)} of its {total} records are also in {also}: counted once"
        problems.append({"path": path, "place": "", "reason": reason, "records_lost": 0})
    return df[~again]


def _files(units: list[Unit], updates: pd.DataFrame, problems: pd.DataFrame) -> pd.DataFrame:
    counts = Counter(problems["path"])
    by_path = updates.groupby("path")["host"].agg(_most_frequent)
    return schema.frame("files", (_file(unit, counts[unit.path], by_path) for unit in units))


def _file(
    unit: Unit, problems: int, update_hosts: Mapping[str, str] | pd.Series[str]
) -> dict[str, Any]:
    times = _times(unit.parsed)
    return {
        "host": _main_host(unit) or update_hosts.get(unit.path) or unit.host,
        "path": unit.path,
        "kind": unit.kind,
        "sha256": unit.sha256,
        "size_bytes": unit.size_bytes,
        "records": unit.parsed.records if unit.parsed else 0,
        "problems": problems,
        "first": times.min() if len(times) else None,
        "last": times.max() if len(times) else None,
    }


def _times(rows: Parsed | None) -> pd.Series[Any]:
    if rows is None:
        return pd.Series(dtype=schema.TIME)
    parts = (rows.events["time_created"], rows.updates["date"], rows.sessions["time"])
    return pd.concat([part.dropna() for part in parts], ignore_index=True)


def _nothing(name: str, units: list[Unit], problems: list[dict[str, Any]]) -> str:
    """Say in one sentence why there is nothing to work on."""
    if not units:
        return f"nothing usable in {name}: it holds no files"
    shown = "; ".join(f"{row['path']}: {row['reason']}" for row in problems[:3])
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return (
        f"nothing usable in {name}: none of its files ({len(units)}) gave a record "
        f"({shown or 'none is a log or an update history'}{more})"
    )
