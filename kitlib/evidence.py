"""All files of the evidence together, as tables.

`assemble` puts the units of all files together: paths and hosts are filled in, the same content
at two paths counts once, and so does the same record in two files (a live log and its shadow
copy), each time with the number stated in `problems`. What the files of a host tell about its clock
puts local times on UTC (`kitlib.localtime`) before records are compared.

Nothing here opens a file, knows a format or judges what a record means.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib import localtime, schema
from kitlib.duplicates import hosts_by_records, machines, once, once_alike
from kitlib.errors import EvidenceError
from kitlib.inert import inert, inert_columns
from kitlib.ingest import NOT_READ, Unit
from kitlib.layouts import host_of_name
from kitlib.readers import evtx
from kitlib.zone_marks import stated_by_events
from kitlib.zones import Zones

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
    clocks
        The table: what the files tell about UTC offsets.
    """

    files: pd.DataFrame
    problems: pd.DataFrame
    events: pd.DataFrame
    updates: pd.DataFrame
    sessions: pd.DataFrame
    manifest_sha256: str
    clocks: pd.DataFrame = field(default_factory=partial(schema.empty, "clocks"))


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
    copies: list[dict[str, Any]] = []
    kept = list(_without_copies(every, copies))
    found = [unit for unit in kept if unit.parsed is not None]
    near, known = _hosts_below(found), _hosts_by_names(found) | _hosts_by_records(found)
    found = [_hosts_filled(unit, near, known) for unit in found]
    filled = {unit.path: unit for unit in found}
    events, updates, sessions = (
        _stack(table, found) for table in ("events", "updates", "sessions")
    )
    problems = [*_problems(kept, events, updates), *copies]
    if not (len(events) or len(updates) or len(sessions)):
        raise EvidenceError(_nothing(name, kept, problems))
    clocks = schema.concat("clocks", [_stack("clocks", found), stated_by_events(events)])
    named = [updates["host"], sessions["gateway"], sessions["logged_by"]]
    zones = Zones.of(clocks, events, others=pd.concat(named).unique())
    events = localtime.settle_events(events, zones, problems)
    updates = localtime.settle_rows(updates, localtime.UPDATES, zones, problems)
    window = _window(events)
    sessions = localtime.settle_rows(sessions, localtime.SESSIONS, zones, problems, window=window)
    logs = {unit.path for unit in found if unit.kind == evtx.KIND}
    events = once(events, logs=logs, problems=problems).reset_index(drop=True)
    updates, sessions = _once(updates, problems), _once(sessions, problems)
    table = schema.frame("problems", sorted(problems, key=lambda row: str(row["path"])))
    table = inert_columns(table, ["place", "reason"])  # they may quote what was found
    return Evidence(
        files=_files([filled.get(unit.path, unit) for unit in kept], updates, table),
        problems=table,
        events=events,
        updates=updates,
        sessions=sessions,
        manifest_sha256=manifest_hash(every),
        clocks=clocks,
    )


def _window(events: pd.DataFrame) -> tuple[int, int] | None:
    """First and last instant of the logs; None if there is none."""
    times = events["time_created"].dropna()
    return (times.min().value, times.max().value) if len(times) else None


_NO_KEY: Final = ("path", "local", "tz_source")
"""Columns of `updates` in which the same entry in two files may differ."""


def manifest_hash(units: Iterable[Unit]) -> str:
    """Hash over the sorted lines ``sha256  path`` of all files, as `sha256sum` prints them."""
    lines = sorted((unit.path, unit.sha256) for unit in units)
    text = "".join(f"{sha256}  {path}\n" for path, sha256 in lines)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_copies(units: Iterable[Unit], problems: list[dict[str, Any]]) -> Iterator[Unit]:
    """Take the rows out of units whose content came before under another path.

    Two hosts may well give the same short dump that names neither: those are no copies.
    """
    seen: dict[tuple[str, str], str] = {}
    for unit in units:
        content = unit.sha256, _place(unit) if _says_not_whose(unit) else ""
        first = seen.setdefault(content, unit.path)
        if unit.kind in NOT_READ or first == unit.path:
            yield unit
            continue
        reason = f"the same content as {first}: counted once"
        problems.append({"path": unit.path, "place": "", "reason": reason, "records_lost": 0})
        yield replace(unit, parsed=None)


def _place(unit: Unit) -> str:
    return _short(host_of_name(PurePosixPath(unit.path).name) or unit.host)


def _says_not_whose(unit: Unit) -> bool:
    """Tell whether a unit has rows whose host is known by its place only."""
    tables = [getattr(unit.parsed, name) for name in _OF_HOSTS] if unit.parsed else []
    return any((rows["host"] == "").any() for rows in tables)


def _stack(table: str, units: Iterable[Unit]) -> pd.DataFrame:
    def part(unit: Unit) -> pd.DataFrame:
        rows: pd.DataFrame = getattr(unit.parsed, table)
        return rows.assign(path=unit.path)

    return schema.concat(table, map(part, units))


def _hosts_by_records(found: Iterable[Unit]) -> dict[str, str]:
    """Find whose the event exports without host are whose records another file has as well."""
    if not any((unit.parsed.events["host"] == "").any() for unit in found if unit.parsed):
        return {}
    return hosts_by_records(_stack("events", found))


def _hosts_by_names(found: list[Unit]) -> dict[str, str]:
    """Find whose the files are that begin with a host's name, in a heap of several hosts' files.

    A prefix counts where a record somewhere names that host, or where files beside it have other
    prefixes; alone it may be any word.
    """
    tables = (getattr(unit.parsed, name) for unit in found for name in _OF_HOSTS)
    named = {host for rows in tables for host in rows["host"].unique()}
    spelled = {_short(host): host for host in sorted(named, reverse=True)}
    prefixed = {unit.path: host_of_name(PurePosixPath(unit.path).name) for unit in found}
    heaps: dict[str, set[str]] = {}
    for path, host in prefixed.items():
        heaps.setdefault(str(PurePosixPath(path).parent), set()).update({host} - {""})
    return {
        path: spelled.get(_short(host), host)
        for path, host in prefixed.items()
        if host and (_short(host) in spelled or len(heaps[str(PurePosixPath(path).parent)]) > 1)
    }


def _hosts_filled(unit: Unit, near: Mapping[str, set[str]], known: Mapping[str, str]) -> Unit:
    """Name the host of rows that name none: by their records, the logs beside them, the folder."""
    if unit.parsed is None:
        return unit
    tables = {name: getattr(unit.parsed, name) for name in _OF_HOSTS}
    blank = {name: rows for name, rows in tables.items() if (rows["host"] == "").any()}
    if not blank:
        return unit
    host = known.get(unit.path) or _neighbour(unit, near) or unit.host
    filled = {
        name: rows.assign(host=rows["host"].where(rows["host"] != "", host))
        for name, rows in blank.items()
    }
    return replace(unit, parsed=replace(unit.parsed, **filled))


_OF_HOSTS: Final = ("events", "updates", "clocks")


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
    """Return the host that most records of a log name; none of forwarded events."""
    if unit.parsed is None or unit.parsed.events.empty or _forwarded(unit):
        return ""
    return _most_frequent(unit.parsed.events["host"])


def _forwarded(unit: Unit) -> list[str]:
    """List the hosts of a file that holds several logs of several hosts, as a collector has it.

    A machine that was renamed has several names in one log.
    """
    if unit.parsed is None or unit.parsed.events["channel"].nunique() < 2:
        return []
    hosts = unit.parsed.events["host"]
    names = sorted(machines(hosts[hosts != ""]).unique())
    return names if len(names) > 1 else []


def _most_frequent(hosts: pd.Series[str]) -> str:
    """Return the most frequent host, of equals the first in the alphabet, or an empty string."""
    return next(iter(hosts[hosts != ""].mode()), "")


def _problems(
    units: Iterable[Unit], events: pd.DataFrame, updates: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    for unit in units:
        for row in unit.problems:
            yield {**row, "path": unit.path}
        if unit.parsed is not None:
            for content in unit.parsed.problems.to_dict("records"):
                yield {**{str(key): value for key, value in content.items()}, "path": unit.path}
        if hosts := _forwarded(unit):
            listed = ", ".join(hosts[:5]) + (", ..." if len(hosts) > 5 else "")
            reason = f"it holds events of {len(hosts)} hosts ({listed}): each counts for its own"
            yield {"path": unit.path, "place": "", "reason": reason, "records_lost": 0}
    for table in (events, updates):
        for path, number in table.loc[table["host"] == "", "path"].value_counts(sort=False).items():
            reason = f"no host: its rows ({number}) name none, nor does a folder or a log beside it"
            yield {"path": path, "place": "", "reason": reason, "records_lost": number}


def _once(table: pd.DataFrame, problems: list[dict[str, Any]]) -> pd.DataFrame:
    """Keep one of the entries that several dumps of a host, or exports of a gateway, hold."""
    sure = table
    names = [str(n) for n in table if n not in _NO_KEY and table[n].dtype != schema.ANY]
    if "host" in table:
        sure = table[table["host"] != ""]
        sure = sure.assign(host=machines(sure["host"]))
    left = once_alike(sure, key=names, problems=problems).index
    return table.drop(index=sure.index.difference(left)).reset_index(drop=True)


def _files(units: list[Unit], updates: pd.DataFrame, problems: pd.DataFrame) -> pd.DataFrame:
    counts = Counter(problems["path"])
    by_path = updates.groupby("path")["host"].agg(_most_frequent)
    return schema.frame("files", (_file(unit, counts[unit.path], by_path) for unit in units))


def _file(
    unit: Unit, problems: int, update_hosts: Mapping[str, str] | pd.Series[str]
) -> dict[str, Any]:
    times = _times(unit.parsed)
    return {
        "host": inert(_main_host(unit) or update_hosts.get(unit.path) or unit.host, keep=""),
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
    shown = inert("; ".join(f"{row['path']}: {row['reason']}" for row in problems[:3]))
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return (
        f"nothing usable in {name}: none of its files ({len(units)}) gave a record "
        f"({shown or 'none is a log or an update history'}{more})"
    )
