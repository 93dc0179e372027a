"""Local times put on UTC, once the files of a host together tell its offset.

Readers keep what a source says in local time (`kitlib.readers.dates.When.local`, and the text of
event exports under `LOCAL_TIME`). Here each such row gets the narrowest interval that is sure, the
`tz_source` that allows it, and its file a remark in `problems` that says what was learned or that
nothing was. The order of day and month, where a file does not decide it, is decided by other
sources of the same host that list the same update, or stays open.

This file knows what times mean, not what the rows are about.
"""

from __future__ import annotations

from calendar import isleap
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pandas as pd

from kitlib import schema
from kitlib.duplicates import machines
from kitlib.readers import dates
from kitlib.readers.events.exports import LOCAL_TIME
from kitlib.zones import MINUTE, NOWHERE, Offset, Zone, Zones

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

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
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # local times are written as if they were UTC
_DAY: Final = 24 * 60 * MINUTE
_YEAR: Final = 366 * _DAY
_YEARS: Final = (1990, 2100)
"""Windows stamps no other."""
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
    if window is None or window[1] - window[0] > _YEAR:  # every day of it comes more than once
        return []
    first, last = (pd.Timestamp(edge).year for edge in window)
    found = [
        f"{year}-{stamp}"
        for stamp in local.get("yearless", ())
        for year in range(max(first - 1, _YEARS[0]), min(last + 1, _YEARS[1]) + 1)
        if isleap(year) or not stamp.startswith("02-29")
    ]
    spans = [(reading, _wall(_ns(reading), zone, None, 0)) for reading in found]
    near = [
        reading
        for reading, span in spans
        if span.high >= window[0] - BESIDE and span.low <= window[1] + BESIDE
    ]
    return near if len(near) == 1 else []


def _ns(reading: str) -> int:
    since = datetime.fromisoformat(reading) - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000


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
    low, high, source = zone.of_span(at, at + _DAY)
    if bounds:
        least, greatest = at - bounds[1] * MINUTE, at + _DAY - bounds[0] * MINUTE
        if max(low, least) > min(high, greatest):
            low, high, source = least, greatest, "its own file"
        else:
            low, high = max(low, least), min(high, greatest)
    return Settled(_inside(at, low, high), low, high, "date", source)


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
    return _with_times(table, mine, columns, settled)


def _with_times(
    table: pd.DataFrame, mine: Mask, columns: _Columns, settled: list[Settled | None]
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
        out[name] = _put(out[name], mine, _times(values))
    basis = np.array([one.basis if one else "" for one in settled], object)
    source = np.array([one.source if one else "" for one in settled], object)
    for name, texts in ((columns.basis, basis), ("tz_source", source)):
        out[name] = _put(out[name], mine, texts)
    return out


def _put(column: pd.Series[Any], mine: Mask, values: Any) -> pd.Series[Any]:  # noqa: ANN401  # any array
    """Replace the values at places of a column, whatever its index."""
    out = column.copy()
    out.iloc[np.flatnonzero(mine)] = values
    return out


def _times(values: Iterable[int | None]) -> pd.api.extensions.ExtensionArray:
    stamps = list(values)
    column = schema.from_columns("clocks", {"start": stamps}, rows=len(stamps))["start"]
    return cast("pd.api.extensions.ExtensionArray", column.array)


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
    openly = updates["local"].map(lambda local: isinstance(local, dict) and ORDERS[0] in local)
    open_rows = updates[openly.to_numpy(bool)]
    if open_rows.empty:
        return {}
    hosts = machines(updates["host"])
    known = _dated(updates.assign(host=hosts), columns)
    open_rows = open_rows.assign(host=hosts[openly.to_numpy(bool)])
    votes: dict[str, Counter[str]] = {}
    for local, host, kb, path in zip(
        *(open_rows[name] for name in ("local", "host", "kb", "path")), strict=True
    ):
        others = [span for said, span in known.get((host, kb), ()) if said != path]
        if not others or not kb:
            continue
        fits = [order for order in ORDERS if _meets(settle(local, NOWHERE, order=order), others)]
        if len(fits) == 1:
            votes.setdefault(path, Counter())[fits[0]] += 1
    return {
        path: (next(iter(said)), said.total()) for path, said in votes.items() if len(said) == 1
    }


Span = tuple[int, int]


def _dated(
    updates: pd.DataFrame, columns: _Columns
) -> dict[tuple[str, str], list[tuple[str, Span]]]:
    """Give for host and KB when each file says it was, of those that date it well and once.

    What comes again under one KB, as definitions do each day, is near to either reading by chance.
    """
    width = updates[columns.high] - updates[columns.low]
    dated = updates[(updates["kb"] != "") & (width <= NEAR)]
    keys = [dated["host"], dated["kb"]]
    low, high = dated[columns.low].groupby(keys), dated[columns.high].groupby(keys)
    once = dated[high.transform("max") - low.transform("min") <= 2 * NEAR]
    spans = once.groupby(["host", "kb", "path"], sort=False)
    table = spans.agg(low=(columns.low, "min"), high=(columns.high, "max"))
    out: dict[tuple[str, str], list[tuple[str, Span]]] = {}
    for (host, kb, path), first, last in zip(table.index, table["low"], table["high"], strict=True):
        out.setdefault((host, kb), []).append((path, (first.value, last.value)))
    return out


def _meets(one: Settled | None, spans: Iterable[Span]) -> bool:
    return one is not None and any(one.low <= high and low <= one.high for low, high in spans)


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
    mine = (events["time_created"].isna() & events["data"].map(_is_local)).to_numpy(bool)
    if not mine.any():
        return events
    own = events.loc[mine, ["host", "data", "path"]]
    texts = own["data"].map(lambda data: str(data[LOCAL_TIME]))
    orders = {path: dates.order_in_time(said) for path, said in texts.groupby(own["path"])}
    settled = [
        _settled_text(text, orders[path], zones.of_host(host))
        for text, path, host in zip(texts, own["path"], own["host"], strict=True)
    ]
    problems += _remarks(own["host"], own["path"], settled)
    out = events.copy()
    sure = [one.time if one and one.basis == "offset" else None for one in settled]
    out["time_created"] = _put(out["time_created"], mine, _times(sure))
    data = np.empty(len(own), object)
    data[:] = [_told(held, one) for held, one in zip(own["data"], settled, strict=True)]
    out["data"] = _put(out["data"], mine, data)
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
