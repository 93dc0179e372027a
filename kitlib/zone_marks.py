"""What event records tell about their host's UTC offset, by the marks that `zones.toml` names.

Each mark is a kind of record that gives an offset away by accident: the daily record at local noon,
the two clocks of a crash. What it states for certain, and what it leaves open, is decided here;
what follows for other times is in `kitlib.zones`.

A record is taken at its word only where its machine was awake, or its start near: see `zones.toml`.
"""

from __future__ import annotations

import re
import struct
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pandas as pd

from kitlib import schema
from kitlib.readers.offsets import SUMMER, SURE, least_to_summer
from kitlib.zones import ANYWHERE, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOON_SLACK: Final = 2 * MINUTE
"""The daily record is written within a minute of noon; a start of Windows seldom is."""
AFTER_START: Final = 600
"""Seconds; a record with less uptime than this was written because Windows started."""
NAP: Final = 30 * MINUTE
"""A machine that slept less than this since its last record was awake at noon, whichever it was."""
CRASHED: Final = 60 * MINUTE
"""A crash is told of at the next start: after more than this clocks may have gone on or back."""

_DAY: Final = 24 * 60 * MINUTE
_QUARTER: Final = 15


@cache
def _marks() -> tuple[Mapping[str, Any], ...]:
    return tuple(tomllib.loads((files("kitlib") / "zones.toml").read_text("utf-8"))["mark"])


def stated_by_events(events: pd.DataFrame) -> pd.DataFrame:
    """Find what event records tell about their hosts' offsets.

    Parameters
    ----------
    events
        Table ``events``.

    Returns
    -------
    pandas.DataFrame
        Table ``clocks``; equal statements in a row are one.
    """
    return schema.concat("clocks", [_stated(events, mark) for mark in _marks()])


def _stated(events: pd.DataFrame, mark: Mapping[str, Any]) -> pd.DataFrame:
    own = events[
        (events["event_id"] == mark["event_id"]) & (events["provider"] == mark["provider"])
    ]
    own = own[(own["host"] != "") & own["time_created"].notna()]
    own = own.sort_values(["path", "host", "time_created"], kind="stable")
    rows: list[dict[str, Any]] = []
    before: _Record | None = None
    for host, time, data, path in zip(
        own["host"], own["time_created"], own["data"], own["path"], strict=True
    ):
        record = _Record(path, host, time.value, data if isinstance(data, dict) else {})
        for start, end, low, high in stated_by(mark, record, before):
            rows.append(
                {
                    "host": host,
                    "start": pd.Timestamp(start, tz="UTC"),
                    "end": pd.Timestamp(end, tz="UTC"),
                    "offset_low": low,
                    "offset_high": high,
                    "source": mark["source"],
                    "path": path,
                }
            )
        before = record
    return _compressed(schema.frame("clocks", rows))


def _compressed(rows: pd.DataFrame) -> pd.DataFrame:
    """Make one row of equal statements of a host that follow each other closely."""
    keys = ["host", "offset_low", "offset_high", "source", "path"]
    exact = rows["offset_low"] == rows["offset_high"]
    ordered = rows.assign(exact=exact).sort_values(
        ["path", "host", "exact", "start"], kind="stable"
    )
    far = ordered["start"] - ordered["start"].shift() > SURE
    new = (ordered[keys] != ordered[keys].shift()).any(axis=1) | far
    runs = ordered.groupby(new.cumsum(), sort=True)
    return schema.coerce(
        "clocks", runs[keys].first().assign(start=runs["start"].min(), end=runs["end"].max())
    )


class _Record(NamedTuple):
    """An event record of a mark; `time` in ns since 1970."""

    path: str
    host: str
    time: int
    data: Mapping[str, Any]


Said = tuple[int, int, int, int]
"""From and to when (ns since 1970) which least and greatest offset (minutes) is stated."""


def stated_by(
    mark: Mapping[str, Any], record: _Record, before: _Record | None = None
) -> Iterator[Said]:
    """Give what one record states; `before` is the one of the same mark before it, if any."""
    yield from _METHODS[mark["method"]](mark, record, before)


_BIAS: Final = re.compile(r"(-?\d{1,3}) \S")


def _by_noon(mark: Mapping[str, Any], record: _Record, before: _Record | None) -> Iterator[Said]:
    strings = record.data.get("Data")
    if not isinstance(strings, list) or len(strings) <= max(mark["zone"], mark["uptime"]):
        return
    bias = _BIAS.match(str(strings[mark["zone"]]))
    if not bias or not ANYWHERE[0] <= -int(bias[1]) <= ANYWHERE[1]:
        return
    time, standard = record.time, -int(bias[1])
    yield time, time, *least_to_summer(standard)
    if before is not None and _awake(mark, before, record):
        fits = [
            offset
            for offset in range(*_stepped(least_to_summer(standard)))
            if abs((time + offset * MINUTE) % _DAY - _DAY // 2) <= NOON_SLACK
        ]
        if len(fits) == 1:
            yield time, time, fits[0], fits[0]


def _awake(mark: Mapping[str, Any], before: _Record, record: _Record) -> bool:
    """Tell whether the machine ran from one record to the next, by its uptime, which sleep stops.

    One that sleeps over noon writes its daily record when it wakes, at any time.
    """
    if (before.path, before.host) != (record.path, record.host):
        return False
    first, last = _uptime(mark, before), _uptime(mark, record)
    if first is None or last is None or last <= AFTER_START:
        return False
    passed = record.time - before.time
    return passed > 0 and abs(passed - (last - first) * 1_000_000_000) < NAP


def _uptime(mark: Mapping[str, Any], record: _Record) -> int | None:
    strings = record.data.get("Data")
    stated = strings[mark["uptime"]] if isinstance(strings, list) and strings else ""
    return int(stated) if re.fullmatch(r"[0-9]{1,10}", str(stated)) else None


def _stepped(span: tuple[int, int]) -> tuple[int, int, int]:
    return span[0], span[1] + 1, SUMMER


_TWO_CLOCKS: Final = re.compile(r"(?:[0-9A-F]{2}){32,}", re.IGNORECASE)


def _by_two_clocks(
    _mark: Mapping[str, Any], record: _Record, _before: _Record | None
) -> Iterator[Said]:
    binary = str(record.data.get("Binary") or "")
    if not _TWO_CLOCKS.fullmatch(binary):
        return
    words = struct.unpack("<16H", bytes.fromhex(binary[:64]))
    local, utc = _systemtime(words[:8]), _systemtime(words[8:])
    if local is None or utc is None:
        return
    quarters, rest = divmod(local - utc, _QUARTER * MINUTE)
    offset = quarters * _QUARTER
    if rest or not ANYWHERE[0] <= offset <= ANYWHERE[1]:
        return
    if 0 <= record.time - utc <= CRASHED:
        yield utc, utc, offset, offset
    else:
        first, last = sorted((utc, record.time))
        yield first, last, offset - SUMMER, offset + SUMMER


def _systemtime(words: tuple[int, ...]) -> int | None:
    year, month, _, day, hour, minute, second, thousandth = words
    if not 1990 <= year <= 2100:
        return None
    try:
        moment = pd.Timestamp(year, month, day, hour, minute, second, thousandth * 1000)
    except ValueError:
        return None
    return moment.as_unit("ns").value


_METHODS: Final = {"noon": _by_noon, "two_clocks": _by_two_clocks}
