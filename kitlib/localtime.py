"""Local times put on UTC, once the files of a host together tell its offset.

Readers keep what a source says in local time (`kitlib.readers.dates.When.local`, and the text of
event exports under `LOCAL_TIME`). Here each such row gets the narrowest interval that is sure, the
`tz_source` that allows it, and its file a remark in `problems` that says what was learned or that
nothing was. The order of day and month, where a file does not decide it, is decided by other
sources of the same host that list the same update, or stays open.

This file knows what times mean, not what the rows are about.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib import schema
from kitlib.readers import dates
from kitlib.readers.exports import LOCAL_TIME
from kitlib.zones import MINUTE, NOWHERE, Offset, Zone, Zones, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

TIME_LOW: Final = "@time_low"
TIME_HIGH: Final = "@time_high"
TZ_SOURCE: Final = "@tz_source"
"""Keys in ``data`` of an event that an export gave in local time: its interval in UTC, and why."""

ORDERS: Final = ("month first", "day first")
NEAR: Final = pd.Timedelta(days=4)
"""A date of another source wider than this decides no order of day and month."""

BESIDE: Final = 60 * 24 * 60 * MINUTE
"""How far before or after the other logs a time without a year may lie, in ns."""

Window = tuple[int, int] | None
_UTC: Final = [0, 0]
"""Bounds of what is printed in UTC, and open only in its order of day and month."""
_DAY: Final = 24 * 60 * MINUTE
Problem = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """A local time on UTC; `time` is None where more than one reading is left."""

    time: int | None
    low: int
    high: int
    basis: str
    source: str


def settle(
    local: Mapping[str, Any], zone: Zone, *, order: str = "", window: Window = None
) -> Settled | None:
    """Put what a source says in local time on UTC.

    Parameters
    ----------
    local
        See `kitlib.readers.dates.When`.
    zone
        What is known of the host's offsets.
    order
        ``month first`` or ``day first`` where other sources decided it, else empty.
    window
        See `settle_rows`.

    Returns
    -------
    Settled or None
        In nanoseconds since 1970, UTC; None if there is no reading. With more than one reading or
        offset left the interval spans all of them. ``time`` is the likeliest instant of the
        reading, for a day its 00:00 as if it were UTC, moved into the interval.
    """
    readings = _readings(local, order) or _of_window(local, zone, window)
    if not readings:
        return None
    bounds = local.get("offsets")
    put = _PUT[local["kind"]]
    spans = [put(_ns(reading), zone, bounds, local.get("width", 0.0)) for reading in readings]
    low, high = min(span.low for span in spans), max(span.high for span in spans)
    time, basis = (spans[0].time, spans[0].basis) if len(spans) == 1 else (None, "local")
    if local["kind"] == "day":
        basis = "date"
    elif bounds == _UTC:
        return Settled(time, low, high, "utc", "")
    source = ", ".join(dict.fromkeys(span.source for span in spans if span.source))
    return Settled(time, low, high, basis, source)


def _readings(local: Mapping[str, Any], order: str) -> list[str]:
    if local.get(order):
        return list(local[order])
    names = ("readings", *ORDERS)
    return list(dict.fromkeys(one for name in names for one in local.get(name, ())))


def _of_window(local: Mapping[str, Any], zone: Zone, window: Window) -> list[str]:
    """Give a stamp without a year the one year that puts it into, or near, the window."""
    if window is None:
        return []
    first, last = (pd.Timestamp(edge) for edge in window)
    found = [
        f"{year}-{stamp}"
        for stamp in local.get("yearless", ())
        for year in range(first.year - 1, last.year + 2)
        if not (stamp.startswith("02-29") and not pd.Timestamp(year, 1, 1).is_leap_year)
    ]
    spans = [(reading, _wall(_ns(reading), zone, None, 0)) for reading in found]
    near = [
        reading
        for reading, span in spans
        if span.high >= window[0] - BESIDE and span.low <= window[1] + BESIDE
    ]
    return near if len(near) == 1 else []


def _ns(reading: str) -> int:
    return pd.Timestamp(datetime.fromisoformat(reading)).as_unit("ns").value


def _wall(at: int, zone: Zone, bounds: list[int] | None, width: float) -> Settled:
    offset = _bounded(zone.of_local(at), bounds)
    low, high = at - offset.high * MINUTE, at - offset.low * MINUTE + int(width * 1e9)
    basis = "offset" if offset.low == offset.high else "local"
    return Settled(_inside(at - offset.best * MINUTE, low, high), low, high, basis, offset.source)


def _shifted(at: int, zone: Zone, bounds: list[int] | None, _width: float) -> Settled:
    offset = _bounded(zone.of_shifted(at), bounds)
    low, high = at + offset.low * MINUTE, at + offset.high * MINUTE
    basis = "offset" if low == high else "local"
    return Settled(_inside(at + offset.best * MINUTE, low, high), low, high, basis, offset.source)


def _day(at: int, zone: Zone, bounds: list[int] | None, _width: float) -> Settled:
    begins = _bounded(zone.of_local(at), bounds)
    ends = _bounded(zone.of_local(at + _DAY), bounds)
    low, high = at - begins.high * MINUTE, at + _DAY - ends.low * MINUTE
    sources = dict.fromkeys(source for source in (begins.source, ends.source) if source)
    return Settled(_inside(at, low, high), low, high, "date", ", ".join(sources))


_PUT: Final[Mapping[str, Callable[[int, Zone, list[int] | None, float], Settled]]] = {
    "wall": _wall,
    "shifted": _shifted,
    "day": _day,
}


def _inside(time: int, low: int, high: int) -> int:
    return min(max(time, low), high)


def _bounded(offset: Offset, bounds: list[int] | None) -> Offset:
    """Narrow what is known of a host by what the file itself bounds, if they agree."""
    if not bounds:
        return offset
    low, high = max(offset.low, bounds[0]), min(offset.high, bounds[1])
    if low > high:
        return Offset(bounds[0], bounds[0], bounds[1], "its own file")
    narrower = (low, high) != (bounds[0], bounds[1])
    source = offset.source if narrower and offset.source else "its own file"
    return Offset(low, _inside(offset.best, low, high), high, source)


# ---------------------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True)
class _Columns:
    """Names of the time columns of a table, and of the column that names whose time it is."""

    whose: tuple[str, ...]
    """Columns that name the host whose time it is; the first that says something counts."""
    time: str
    low: str
    high: str
    basis: str
    estimates: bool
    """Whether the time is stated where it is the likeliest of an interval only."""


UPDATES: Final = _Columns(("host",), "date", "date_low", "date_high", "date_basis", estimates=True)
SESSIONS: Final = _Columns(
    ("logged_by", "gateway"), "time", "time_low", "time_high", "time_basis", estimates=False
)


def settle_rows(
    table: pd.DataFrame,
    columns: _Columns,
    zones: Zones,
    problems: list[Problem],
    *,
    window: Window = None,
) -> pd.DataFrame:
    """Put the local times of table ``updates`` or ``sessions`` on UTC.

    Parameters
    ----------
    table
        With hosts filled in.
    columns
        `UPDATES` or `SESSIONS`.
    zones
        What is known of all hosts.
    problems
        Gets a row a file that says what was learned.
    window
        First and last instant of the logs of the evidence (ns since 1970): times that are printed
        without a year are of the year that puts them there.

    Returns
    -------
    pandas.DataFrame
        The same rows; those with ``local`` have new times and a ``tz_source``.
    """
    mine = table["local"].map(lambda local: isinstance(local, dict)).to_numpy(bool)
    if not mine.any():
        return table
    orders = decide_orders(table, columns) if "kb" in table else {}
    problems += [_ordered(path, *found) for path, found in orders.items()]
    own = table[mine]
    whose = own[columns.whose[0]]
    for name in columns.whose[1:]:
        whose = whose.where(whose != "", own[name])
    settled = [
        settle(local, zones.of_host(host), order=orders.get(path, ("",))[0], window=window)
        for local, host, path in zip(own["local"], whose, own["path"], strict=True)
    ]
    problems += _remarks(whose, own["path"], settled)
    problems += _years(own, settled)
    return _with_times(table, own.index, columns, settled)


def _with_times(
    table: pd.DataFrame, rows: pd.Index[Any], columns: _Columns, settled: list[Settled | None]
) -> pd.DataFrame:
    out = table.copy()
    sure = [
        one.time if one and (columns.estimates or one.basis == "offset") else None
        for one in settled
    ]
    for name, values in (
        (columns.time, sure),
        (columns.low, [one.low if one else None for one in settled]),
        (columns.high, [one.high if one else None for one in settled]),
    ):
        out.loc[rows, name] = _times(values).set_axis(rows)
    out.loc[rows, columns.basis] = [one.basis if one else "" for one in settled]
    out.loc[rows, "tz_source"] = [one.source if one else "" for one in settled]
    return out


def _times(values: Iterable[int | None]) -> pd.Series[Any]:
    stamps = list(values)
    return schema.from_columns("clocks", {"start": stamps}, rows=len(stamps))["start"]


# ---------------------------------------------------------------------------- day and month


def decide_orders(updates: pd.DataFrame, columns: _Columns = UPDATES) -> dict[str, tuple[str, int]]:
    """Decide the order of day and month of files that leave it open, by other sources of a host.

    An update that another file of the same host dates, and dates well, fits one order or both or
    none. The order is decided where some fit the one only and none fits the other only.

    Parameters
    ----------
    updates
        Table ``updates``.

    Returns
    -------
    dict
        Path → order, and the number of updates that decided it.
    """
    open_rows = updates[
        updates["local"].map(lambda local: isinstance(local, dict) and ORDERS[0] in local)
    ]
    width = updates[columns.high] - updates[columns.low]
    dated = updates[(updates["kb"] != "") & (width <= NEAR)]
    known = dated.groupby([dated["host"].map(short), dated["kb"]]).indices
    votes: dict[str, Counter[str]] = {}
    for local, host, kb, path in zip(
        *(open_rows[name] for name in ("local", "host", "kb", "path")), strict=True
    ):
        others = dated.iloc[known.get((short(host), kb), [])]
        others = others[others["path"] != path]
        spans = list(zip(others[columns.low], others[columns.high], strict=True))
        fits = [order for order in ORDERS if _meets(settle(local, NOWHERE, order=order), spans)]
        if len(fits) == 1:
            votes.setdefault(path, Counter())[fits[0]] += 1
    return {
        path: (next(iter(said)), said.total()) for path, said in votes.items() if len(said) == 1
    }


def _meets(one: Settled | None, spans: Iterable[tuple[pd.Timestamp, pd.Timestamp]]) -> bool:
    return one is not None and any(
        one.low <= high.value and low.value <= one.high for low, high in spans
    )


def _ordered(path: str, order: str, number: int) -> Problem:
    reason = (
        f"its dates are read with the {order}: other sources of the host date {number} of its "
        "updates so"
    )
    return {"path": path, "place": "", "reason": reason, "records_lost": 0}


# ---------------------------------------------------------------------------- event exports


def settle_events(events: pd.DataFrame, zones: Zones, problems: list[Problem]) -> pd.DataFrame:
    """Put the events of exports in local time on UTC.

    Parameters
    ----------
    events
        Table ``events``, hosts filled in as far as they are known.
    zones, problems
        As in `settle_rows`.

    Returns
    -------
    pandas.DataFrame
        The same rows. ``time_created`` is filled where one instant is left; where it is not, the
        interval stands in ``data`` under `TIME_LOW` and `TIME_HIGH`.
    """
    rows = events.index[events["time_created"].isna() & events["data"].map(_is_local)]
    if rows.empty:
        return events
    own = events.loc[rows, ["host", "data", "path"]]
    texts = own["data"].map(lambda data: str(data[LOCAL_TIME]))
    orders = {path: dates.order_in_time(said) for path, said in texts.groupby(own["path"])}
    settled = [
        _settled_text(text, orders[path], zones.of_host(host))
        for text, path, host in zip(texts, own["path"], own["host"], strict=True)
    ]
    problems += _remarks(own["host"], own["path"], settled)
    out = events.copy()
    sure = [one.time if one and one.basis == "offset" else None for one in settled]
    out.loc[rows, "time_created"] = _times(sure).set_axis(rows)
    data = [_told(held, one) for held, one in zip(own["data"], settled, strict=True)]
    out.loc[rows, "data"] = pd.Series(data, index=rows, dtype=object)
    return out


def _is_local(data: object) -> bool:
    return isinstance(data, dict) and LOCAL_TIME in data


def _settled_text(text: str, order: dates.Order, zone: Zone) -> Settled | None:
    when = dates.read_local(text, order)
    return settle(when.local, zone) if when and when.local else None


def _told(data: dict[str, Any], one: Settled | None) -> dict[str, Any]:
    if one is None:
        return data
    times = {TIME_LOW: _iso(one.low), TIME_HIGH: _iso(one.high)}
    return data | times | ({TZ_SOURCE: one.source} if one.source else {})


def _iso(time: int) -> str:
    return pd.Timestamp(time, tz="UTC").isoformat().replace("+00:00", "Z")


# ---------------------------------------------------------------------------- remarks


def _remarks(
    hosts: pd.Series[str], paths: pd.Series[str], settled: list[Settled | None]
) -> Iterator[Problem]:
    """Say of each file what its local times were put on UTC by."""
    said: dict[tuple[str, str], Counter[tuple[str, bool]]] = {}
    for host, path, one in zip(hosts, paths, settled, strict=True):
        if one is not None and one.basis != "utc":
            said.setdefault((path, host), Counter())[one.source, one.basis == "offset"] += 1
    for (path, host), ways in said.items():
        reason = "; ".join(
            _words(host, source, exact, number) for (source, exact), number in ways.most_common()
        )
        yield {"path": path, "place": "", "reason": reason, "records_lost": 0}


def _years(rows: pd.DataFrame, settled: list[Settled | None]) -> Iterator[Problem]:
    """Say of each file with times without a year where their year is from."""
    said = Counter(
        (path, one is not None)
        for local, path, one in zip(rows["local"], rows["path"], settled, strict=True)
        if "yearless" in local
    )
    for (path, found), number in said.items():
        how = "are of the year that puts them beside the other logs" if found else "stay open"
        reason = f"{number} times state no year: they {how}"
        yield {"path": path, "place": "", "reason": reason, "records_lost": 0}


def _words(host: str, source: str, exact: bool, number: int) -> str:  # noqa: FBT001  # a key of the count
    whose = f" of {host}" if host else ""
    times = "1 local time" if number == 1 else f"{number} local times"
    verb = "is" if number == 1 else "are"
    if source:
        how = "exactly" if exact else "as an interval"
        return f"{times}{whose} {verb} put on UTC {how}, by {source}"
    return (
        f"nothing in the evidence tells the UTC offset{whose}: {times} {verb} given as the span of "
        "all offsets"
    )
