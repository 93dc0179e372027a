"""What a host's own files tell about its UTC offset, and which offsets are possible at a time.

Statements come from readers (table `clocks`: `ReportingEvents.log`, the UTC marks of `CBS.log`,
`systeminfo`, NPS) and from event records that `zones.toml` names. Some are exact at their time;
some tell the zone without summer time and leave an hour open.

Between two exact statements that agree and lie no more than `SURE` apart the offset is theirs.
Further away clocks may have gone on or back by an hour. A host without any statement can be
anywhere. Assumed is that a machine changes its zone by no more than summer time where nothing
says otherwise; a laptop that travels and states nothing on the way is beyond this.

This file knows minutes and hosts, no formats, and does not know what the times are for.
"""

from __future__ import annotations

import re
import struct
import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib import schema
from kitlib.readers.dates import EAST, WEST
from kitlib.readers.offsets import SUMMER, least_to_summer
from kitlib.readers.offsets import SURE as SURE_BETWEEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MINUTE: Final = 60_000_000_000
"""Nanoseconds."""
SURE: Final = SURE_BETWEEN.value
"""Two equal offsets that are no further apart than this have no other between them."""
ANYWHERE: Final = (-int(WEST.total_seconds() // 60), int(EAST.total_seconds() // 60))
"""Least and greatest offset of any zone, in minutes east of UTC."""
NOON_SLACK: Final = 2 * MINUTE
"""The daily record is written within a minute of noon; a start of Windows seldom is."""
AFTER_START: Final = 600
"""Seconds; a record with less uptime than this was written because Windows started."""

_DAY: Final = 24 * 60 * MINUTE
_QUARTER: Final = 15


@dataclass(frozen=True, slots=True)
class Offset:
    """The offsets that are possible: least, likeliest and greatest in minutes, and who says so."""

    low: int
    best: int
    high: int
    source: str


UNKNOWN: Final = Offset(ANYWHERE[0], 0, ANYWHERE[1], "")


@dataclass(frozen=True, slots=True)
class _Run:
    """Exact statements of one offset from `start` to `end` (ns since 1970, UTC).

    Where statements contradict each other at one time, `low` and `high` are theirs.
    """

    start: int
    end: int
    low: int
    high: int
    source: str


@dataclass(frozen=True, slots=True)
class _Bound:
    """A statement that leaves a range of offsets open; without times it holds always."""

    start: int | None
    end: int | None
    low: int
    high: int
    source: str

    def holds(self, at: int) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or at <= self.end)


@dataclass(frozen=True, slots=True)
class Zone:
    """What is known about one host's offsets; `runs` are in order and do not overlap."""

    runs: tuple[_Run, ...]
    bounds: tuple[_Bound, ...]

    def at(self, instant: int) -> Offset:
        """Return the offsets that are possible at an instant (ns since 1970, UTC)."""
        after = bisect_right(self.runs, instant, key=lambda run: run.start)
        near = self.runs[max(after - 1, 0) : after + 1]
        if not near:
            return self._bounded(instant)
        best = min(near, key=lambda run: max(run.start - instant, instant - run.end, 0))
        if best.start <= instant <= best.end:
            return Offset(best.low, best.low, best.high, best.source)
        low, high = min(run.low for run in near), max(run.high for run in near)
        if len(near) == 2 and near[1].start - near[0].end <= SURE:
            return Offset(low, best.low, high, _sources(near))
        guess = Offset(low - SUMMER, best.low, high + SUMMER, _sources(near))
        return self._within(guess, instant)

    def of_local(self, wall: int) -> Offset:
        """Return the offsets a local time (ns, written as if it were UTC) can have.

        Those are asked for at the instants the local time would then mean.
        """
        return self._fixed_point(wall, -1)

    def of_shifted(self, written: int) -> Offset:
        """Return the offsets of a UTC time from which the offset was taken once too often."""
        return self._fixed_point(written, 1)

    def _fixed_point(self, written: int, sign: int) -> Offset:
        ends = [self.at(written + sign * minutes * MINUTE) for minutes in ANYWHERE]
        if not self.runs and not self.bounds:
            return UNKNOWN
        spans = [*ends, *(self.at(written + sign * end.best * MINUTE) for end in ends)]
        low, high = min(span.low for span in spans), max(span.high for span in spans)
        kept = []
        for minutes in range(low, high + 1, _QUARTER):
            found = self.at(written + sign * minutes * MINUTE)
            if found.low <= minutes <= found.high:
                kept.append((minutes, found))
        if not kept:  # a local time that clocks skipped
            return Offset(low, spans[-1].best, high, spans[-1].source)
        least, greatest = kept[0][0], kept[-1][0]
        likely = [found.best for _, found in kept if least <= found.best <= greatest]
        sources = dict.fromkeys(found.source for _, found in kept)
        return Offset(least, likely[0] if likely else least, greatest, ", ".join(sources))

    def _bounded(self, instant: int) -> Offset:
        if not self.bounds:
            return UNKNOWN
        holding = [bound for bound in self.bounds if bound.holds(instant)] or list(self.bounds)
        low, high = max(b.low for b in holding), min(b.high for b in holding)
        if low > high:  # they contradict each other: any may be right
            low, high = min(b.low for b in holding), max(b.high for b in holding)
        return Offset(low, low, high, _sources(holding))

    def _within(self, guess: Offset, instant: int) -> Offset:
        """Narrow a guess by what is stated about the zone, where the two have something in common."""
        stated = self._bounded(instant)
        low, high = max(guess.low, stated.low), min(guess.high, stated.high)
        if low > high:
            low, high = min(guess.low, stated.low), max(guess.high, stated.high)
        source = guess.source
        if stated.source and stated.source not in source.split(", "):
            source = f"{source}, {stated.source}"
        return Offset(low, min(max(guess.best, low), high), high, source)


NOWHERE: Final = Zone((), ())
"""Of a host nothing is known about."""


def _sources(said: Iterable[_Run | _Bound]) -> str:
    """Name the sources of statements, each once."""
    return ", ".join(dict.fromkeys(part for one in said for part in one.source.split(", ")))


class Zones:
    """The zones of all hosts; short and full names mean the same host."""

    def __init__(self, zones: Mapping[str, Zone]) -> None:
        self._zones = zones

    @classmethod
    def of(cls, clocks: pd.DataFrame) -> Zones:
        """Build them from table ``clocks``; rows of no host are of no use and left out."""
        named = clocks[clocks["host"] != ""]
        groups = named.groupby(named["host"].map(short), sort=True)
        return cls({str(name): _zone(own) for name, own in groups})

    def of_host(self, host: str) -> Zone:
        """Return what is known about a host; `NOWHERE` if nothing is."""
        return self._zones.get(short(host), NOWHERE)


def short(host: str) -> str:
    """Return the first label of a host name in one case."""
    return host if re.fullmatch(r"[\d.]+|.*:.*", host) else host.partition(".")[0].casefold()


def _zone(clocks: pd.DataFrame) -> Zone:
    runs, bounds = [], []
    columns = ("start", "end", "offset_low", "offset_high", "source")
    for start, end, low, high, source in zip(*(clocks[name] for name in columns), strict=True):
        if low == high and pd.notna(start) and pd.notna(end):
            runs.append(_Run(start.value, end.value, int(low), int(high), str(source)))
        else:
            bounds.append(_Bound(_ns(start), _ns(end), int(low), int(high), str(source)))
    return Zone(tuple(_merged(runs)), tuple(bounds))


def _ns(time: pd.Timestamp) -> int | None:
    return None if pd.isna(time) else time.value


def _merged(runs: Iterable[_Run]) -> Iterator[_Run]:
    """Put runs in order and join those that overlap, or that agree and are near to each other."""
    current: _Run | None = None
    for run in sorted(runs, key=lambda run: (run.start, run.end, run.low)):
        if current is None:
            current = run
            continue
        agree = (run.low, run.high) == (current.low, current.high)
        if run.start <= current.end or (agree and run.start - current.end <= SURE):
            current = _Run(
                current.start,
                max(run.end, current.end),
                min(run.low, current.low),
                max(run.high, current.high),
                _sources((current, run)),
            )
        else:
            yield current
            current = run
    if current is not None:
        yield current


# ---------------------------------------------------------------------------- event records


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
    rows: list[dict[str, Any]] = []
    for host, time, data, path in zip(
        own["host"], own["time_created"], own["data"], own["path"], strict=True
    ):
        for start, low, high in stated_by(mark, time.value, data):
            moment = pd.Timestamp(start, tz="UTC")
            rows.append(
                {
                    "host": host,
                    "start": moment,
                    "end": moment,
                    "offset_low": low,
                    "offset_high": high,
                    "source": mark["source"],
                    "path": path,
                }
            )
    return _compressed(schema.frame("clocks", rows))


def _compressed(rows: pd.DataFrame) -> pd.DataFrame:
    """Make one row of equal statements of a host that follow each other closely."""
    keys = ["host", "offset_low", "offset_high", "source", "path"]
    exact = rows["offset_low"] == rows["offset_high"]
    ordered = rows.assign(exact=exact).sort_values(
        ["path", "host", "exact", "start"], kind="stable"
    )
    far = ordered["start"] - ordered["start"].shift() > SURE_BETWEEN
    new = (ordered[keys] != ordered[keys].shift()).any(axis=1) | far
    runs = ordered.groupby(new.cumsum(), sort=True)
    return schema.coerce(
        "clocks", runs[keys].first().assign(start=runs["start"].min(), end=runs["end"].max())
    )


def stated_by(mark: Mapping[str, Any], time: int, data: object) -> Iterator[tuple[int, int, int]]:
    """Give what one record states: when (ns since 1970), least and greatest offset (minutes)."""
    held = data if isinstance(data, dict) else {}
    yield from _METHODS[mark["method"]](mark, time, held)


_BIAS: Final = re.compile(r"(-?\d{1,3}) \S")


def _by_noon(
    mark: Mapping[str, Any], time: int, data: Mapping[str, Any]
) -> Iterator[tuple[int, int, int]]:
    strings = data.get("Data")
    if not isinstance(strings, list) or len(strings) <= max(mark["zone"], mark["uptime"]):
        return
    bias = _BIAS.match(str(strings[mark["zone"]]))
    if not bias or not ANYWHERE[0] <= -int(bias[1]) <= ANYWHERE[1]:
        return
    standard = -int(bias[1])
    yield time, *least_to_summer(standard)
    uptime = str(strings[mark["uptime"]])
    if uptime.isdecimal() and int(uptime) > AFTER_START:
        fits = [
            offset
            for offset in range(*_stepped(least_to_summer(standard)))
            if abs((time + offset * MINUTE) % _DAY - _DAY // 2) <= NOON_SLACK
        ]
        if len(fits) == 1:
            yield time, fits[0], fits[0]


def _stepped(span: tuple[int, int]) -> tuple[int, int, int]:
    return span[0], span[1] + 1, SUMMER


_TWO_CLOCKS: Final = re.compile(r"(?:[0-9A-F]{2}){32,}", re.IGNORECASE)


def _by_two_clocks(
    _mark: Mapping[str, Any], _time: int, data: Mapping[str, Any]
) -> Iterator[tuple[int, int, int]]:
    binary = str(data.get("Binary") or "")
    if not _TWO_CLOCKS.fullmatch(binary):
        return
    words = struct.unpack("<16H", bytes.fromhex(binary[:64]))
    local, utc = _systemtime(words[:8]), _systemtime(words[8:])
    if local is None or utc is None:
        return
    offset, rest = divmod(local - utc, _QUARTER * MINUTE)
    if not rest and ANYWHERE[0] <= offset * _QUARTER <= ANYWHERE[1]:
        yield utc, offset * _QUARTER, offset * _QUARTER


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
