"""What a host's own files tell about its UTC offset, and which offsets are possible at a time.

Statements come from readers (table `clocks`: `ReportingEvents.log`, the UTC marks of `CBS.log`,
`systeminfo`, NPS) and from event records (`kitlib.zone_marks`). Some are exact at their time;
some tell the zone without summer time and leave an hour open.

Between two exact statements that agree and lie no more than `SURE` apart the offset is theirs.
Further away clocks may have gone on or back by an hour. A host without any statement can be
anywhere. Assumed is that a machine changes its zone by no more than summer time where nothing
says otherwise; a laptop that travels and states nothing on the way is beyond this. A name that
several machines have, by domain or by image, tells nothing.

This file knows minutes and hosts, no formats, and does not know what the times are for.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pandas as pd

from kitlib.readers.dates import EAST, WEST
from kitlib.readers.offsets import SUMMER
from kitlib.readers.offsets import SURE as SURE_BETWEEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

MINUTE: Final = 60_000_000_000
"""Nanoseconds."""
SURE: Final = SURE_BETWEEN.value
"""Two equal offsets that are no further apart than this have no other between them."""
ANYWHERE: Final = (-int(WEST.total_seconds() // 60), int(EAST.total_seconds() // 60))
"""Least and greatest offset of any zone, in minutes east of UTC."""
MANY: Final = 400
"""A host with more runs, or more bounds, than this contradicts itself: only their span counts."""

_QUARTER: Final = 15
_EVER: Final = 1 << 70
"""Beyond every instant."""


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

    start: int
    end: int
    low: int
    high: int
    source: str

    @property
    def timeless(self) -> bool:
        return self.start == -_EVER and self.end == _EVER


@dataclass(frozen=True, slots=True)
class _Piece:
    """A time, ends included, throughout which the same offsets are possible."""

    start: int
    end: int
    offset: Offset


@dataclass(frozen=True, slots=True)
class Zone:
    """What is known about one host's offsets; `pieces` are in order and cover all time."""

    pieces: tuple[_Piece, ...]

    @classmethod
    def of(cls, runs: Iterable[_Run], bounds: Iterable[_Bound]) -> Zone:
        """Put statements together."""
        merged, stated = _without_excursions(list(_merged(runs))), list(bounds)
        every: list[_Run | _Bound] = [*merged, *stated]
        if max(len(merged), len(stated)) > MANY:
            low, high = min(b.low for b in every) - SUMMER, max(b.high for b in every) + SUMMER
            return cls((_Piece(-_EVER, _EVER, Offset(low, low, high, _sources(every))),))
        if not every:
            return cls((_Piece(-_EVER, _EVER, UNKNOWN),))
        cuts = {-_EVER, *(one.start for one in every)}
        starts = sorted(cuts | {one.end + 1 for one in every if one.end < _EVER})
        ends = [*(start - 1 for start in starts[1:]), _EVER]
        known = _Known(merged, stated)
        return cls(tuple(_Piece(a, b, known.at(a)) for a, b in zip(starts, ends, strict=True)))

    def at(self, instant: int) -> Offset:
        """Return the offsets that are possible at an instant (ns since 1970, UTC)."""
        return self._between(instant, instant)[0].offset

    def of_local(self, wall: int) -> Offset:
        """Return the offsets a local time (ns, written as if it were UTC) can have.

        Those are possible that were in force at the instants the local time would then mean.
        """
        near = self._between(wall - ANYWHERE[1] * MINUTE, wall - ANYWHERE[0] * MINUTE)
        if len(near) == 1:
            return near[0].offset
        fits = [fit for piece in near if (fit := _fitting(piece, wall))]
        return _union(fits or [piece.offset for piece in near])  # none: clocks skipped it

    def of_shifted(self, written: int) -> Offset:
        """Return the offsets of a UTC time from which the offset was taken once too often.

        Taken was the offset of the local time that reads like the true UTC, and that local time is
        the instant written. Where clocks skipped that local time, the offset before is taken.
        """
        near = self._between(written - SUMMER * MINUTE, written)
        return _union([piece.offset for piece in reversed(near)])

    def of_span(self, first: int, last: int) -> tuple[int, int, str]:
        """Return the first and the last instant of a span of local time, and who tells it."""
        spans = []
        for piece in self._between(first - ANYWHERE[1] * MINUTE, last - ANYWHERE[0] * MINUTE):
            low = max(first - piece.offset.high * MINUTE, piece.start)
            high = min(last - piece.offset.low * MINUTE, piece.end)
            if low <= high:
                spans.append((low, high, piece.offset))
        source = _sources(offset for *_, offset in spans)
        return min(low for low, *_ in spans), max(high for _, high, _ in spans), source

    def _between(self, first: int, last: int) -> tuple[_Piece, ...]:
        """Return the pieces that hold at some time between two instants."""
        begin = bisect_right(self.pieces, first, key=_start) - 1
        return self.pieces[begin : bisect_right(self.pieces, last, lo=begin, key=_start)]


def _start(one: _Piece | _Run | _Bound) -> int:
    return one.start


def _fitting(piece: _Piece, wall: int) -> Offset | None:
    """Narrow the offsets of a piece to those under which a local time lies in it."""
    known = piece.offset
    step = _QUARTER * MINUTE
    least = -((piece.end - wall) // step) * _QUARTER  # whole quarters of an hour, rounded up
    greatest = (wall - piece.start) // step * _QUARTER
    low = known.low if known.low * MINUTE >= wall - piece.end else least
    high = known.high if known.high * MINUTE <= wall - piece.start else greatest
    if not known.low <= low <= high <= known.high:
        return None
    return Offset(low, min(max(known.best, low), high), high, known.source)


def _union(offsets: Sequence[Offset]) -> Offset:
    """Put possible offsets together; the first one's is the likeliest."""
    low, high = min(one.low for one in offsets), max(one.high for one in offsets)
    return Offset(low, offsets[0].best, high, _sources(offsets))


class _Known:
    """Runs and bounds of a host, asked at one time after the other while pieces are made."""

    def __init__(self, runs: list[_Run], bounds: list[_Bound]) -> None:
        self.runs = runs
        self.always = [bound for bound in bounds if bound.timeless]
        self.timed = [bound for bound in bounds if not bound.timeless]

    def at(self, instant: int) -> Offset:
        after = bisect_right(self.runs, instant, key=_start)
        near = self.runs[max(after - 1, 0) : after + 1]
        holding = [bound for bound in self.timed if bound.start <= instant <= bound.end]
        if not near:
            return self._bounded(instant, holding)
        best = min(near, key=lambda run: max(run.start - instant, instant - run.end, 0))
        if best.start <= instant <= best.end:
            return _widened(Offset(best.low, best.low, best.high, best.source), holding)
        return self._beside(near, best, holding, instant)

    def _beside(self, near: list[_Run], best: _Run, holding: list[_Bound], instant: int) -> Offset:
        """Return what is possible before, between or after exact statements."""
        low, high = min(run.low for run in near), max(run.high for run in near)
        close = len(near) == 2 and near[1].start - near[0].end <= SURE
        if not close or high - low > SUMMER:  # more than summer time: who knows what lay between
            low, high = low - SUMMER, high + SUMMER
        guess = Offset(low, best.low, high, _sources(near))
        stated = self._bounded(instant, holding) if self.always or self.timed else guess
        if all(stated.low <= run.low and run.high <= stated.high for run in near):
            low, high = max(guess.low, stated.low), min(guess.high, stated.high)
            return Offset(low, best.low, high, _sources((guess, stated)))
        return _widened(guess, holding)

    def _bounded(self, instant: int, holding: list[_Bound]) -> Offset:
        """Return what statements that leave an hour open allow."""
        nearest = holding or _nearest(self.timed, instant)
        if not nearest:
            return _agreed(self.always)
        timed = _agreed(nearest) if holding else _union(list(map(_as_offset, nearest)))
        inside = [b for b in self.always if _one_holds_other(b, timed)]
        return _agreed([*inside, timed])


def _nearest(bounds: Iterable[_Bound], instant: int) -> list[_Bound]:
    """Return the bounds that end last before, and begin first after, an instant."""
    before = max((b for b in bounds if b.end < instant), key=lambda b: b.end, default=None)
    after = min((b for b in bounds if b.start > instant), key=_start, default=None)
    return [one for one in (before, after) if one]


def _as_offset(one: _Bound | Offset) -> Offset:
    return Offset(one.low, one.low, one.high, one.source)


def _one_holds_other(one: _Bound | Offset, other: _Bound | Offset) -> bool:
    return (one.low <= other.low and other.high <= one.high) or (
        other.low <= one.low and one.high <= other.high
    )


def _agreed(said: Sequence[_Bound | Offset]) -> Offset:
    """Return the narrowest of statements that hold one another, else all that any allows.

    Two zones that overlap only have an offset in common that need not be that of either.
    """
    if all(_one_holds_other(one, other) for one, other in pairwise(sorted(said, key=_width))):
        narrowest = min(said, key=_width)
        return Offset(narrowest.low, narrowest.low, narrowest.high, _sources(said))
    return _union(list(map(_as_offset, said)))


def _width(one: _Bound | Offset) -> int:
    return one.high - one.low


def _widened(offset: Offset, holding: Iterable[_Bound]) -> Offset:
    """Widen what follows from exact statements by what contradicts it at the time itself."""
    against = [b for b in holding if b.high < offset.low or offset.high < b.low]
    return _union([offset, *map(_as_offset, against)]) if against else offset


NOWHERE: Final = Zone((_Piece(-_EVER, _EVER, UNKNOWN),))
"""Of a host nothing is known about."""


def _sources(said: Iterable[_Run | _Bound | Offset]) -> str:
    """Name the sources of statements, each once."""
    every = (part for one in said for part in one.source.split(", ") if part)
    return ", ".join(dict.fromkeys(every))


class Zones:
    """The zones of all hosts; short and full names mean the same host where they can."""

    def __init__(self, zones: Mapping[str, Zone], shared: AbstractSet[str] = frozenset()) -> None:
        self._zones = zones
        self._shared = shared

    @classmethod
    def of(
        cls,
        clocks: pd.DataFrame,
        events: pd.DataFrame | None = None,
        *,
        others: Iterable[str] = (),
    ) -> Zones:
        """Build them.

        Parameters
        ----------
        clocks
            Table ``clocks``; rows of no host are of no use and left out.
        events
            Table ``events`` of the same evidence: tells which names several machines share.
        others
            Names in the rest of the evidence.
        """
        named = clocks[clocks["host"] != ""]
        if named.empty:
            return cls({})
        hosts = {*named["host"], *others, *(() if events is None else events["host"].unique())}
        shared = _shared_by_domains(hosts)
        if events is not None:
            shared |= _shared_by_renames(events)
        groups = named.groupby(named["host"].map(lambda host: _key(host, shared)), sort=True)
        return cls({str(name): _zone(own) for name, own in groups}, shared)

    def of_host(self, host: str) -> Zone:
        """Return what is known about a host; `NOWHERE` if nothing is, or several bear the name."""
        key = _key(host, self._shared)
        return NOWHERE if key in self._shared else self._zones.get(key, NOWHERE)


def short(host: str) -> str:
    """Return the first label of a host name in one case."""
    return host if re.fullmatch(r"[\d.]+|.*:.*", host) else host.partition(".")[0].casefold()


def _key(host: str, shared: AbstractSet[str]) -> str:
    label = short(host)
    return host.casefold().rstrip(".") if label in shared else label


def _shared_by_domains(hosts: Iterable[str]) -> set[str]:
    """Find short names that hosts of several domains have."""
    full = {host.casefold().rstrip(".") for host in hosts}
    number = Counter(short(host) for host in full if "." in host)
    return {label for label, times in number.items() if times > 1}


def _shared_by_renames(events: pd.DataFrame) -> set[str]:
    """Find names that several machines had before they were renamed, as images give them.

    The logs of a machine have its other names in common.
    """
    pairs = events.loc[events["host"] != "", ["path", "host"]].drop_duplicates()
    pairs = pairs.assign(host=pairs["host"].map(short)).drop_duplicates()
    several = pairs[pairs.duplicated("path", keep=False)]
    beside: dict[str, set[str]] = {}
    for names in several.groupby("path")["host"].agg(set):
        for name in names:
            others = names - {name}
            beside[name] = beside.get(name, others) & others
    return {name for name, others in beside.items() if not others}


def _zone(clocks: pd.DataFrame) -> Zone:
    runs, bounds = [], []
    columns = ("start", "end", "offset_low", "offset_high", "source")
    for start, end, low, high, source in zip(*(clocks[name] for name in columns), strict=True):
        first = -_EVER if pd.isna(start) else start.value
        last = _EVER if pd.isna(end) else end.value
        if first > last or low > high:
            continue
        exact = low == high and first > -_EVER and last < _EVER
        stated = (first, last, int(low), int(high), str(source))
        if exact:
            runs.append(_Run(*stated))
        else:
            bounds.append(_Bound(*stated))
    return Zone.of(runs, bounds)


def _merged(runs: Iterable[_Run]) -> Iterator[_Run]:
    """Put runs in order and join those that overlap, or that agree and are near to each other."""
    current: _Run | None = None
    for run in sorted(runs, key=lambda run: (run.start, run.end, run.low)):
        if current is None:
            current = run
            continue
        agree = (run.low, run.high) == (current.low, current.high)
        sure = agree and run.low == run.high and run.start - current.end <= SURE
        if run.start <= current.end or sure:
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


def _without_excursions(runs: list[_Run]) -> list[_Run]:
    """Leave open what one source says against two others around it, or against the calendar.

    An offset that comes and goes within `SURE` is no summer time. The same source may tell of a
    journey; another one, or one that is an hour off, may be wrong.
    """
    out = list(runs)
    for place in range(1, len(runs) - 1):
        before, run, after = runs[place - 1 : place + 2]
        told = set(run.source.split(", "))
        same = told & set(before.source.split(", ")) and told & set(after.source.split(", "))
        low, high = min(before.low, run.low), max(before.high, run.high)
        fleeting = before.low == after.low and after.start - before.end <= SURE
        if fleeting and (not same or high - low <= SUMMER):
            out[place] = _Run(run.start, run.end, low, high, _sources((before, run)))
    return out
