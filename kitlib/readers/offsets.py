"""What a file says about its host's UTC offset, as rows of table `clocks`.

Offsets are minutes east of UTC: local = UTC + offset.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib.readers import dates

if TYPE_CHECKING:
    from collections.abc import Iterable

    Row = dict[str, Any]

SUMMER: Final = 60
"""Minutes by which clocks go on in summer."""
SURE: Final = pd.Timedelta(days=27)
"""No summer time since 2011 was shorter, nor any break of one, so two equal offsets have no other
between them. The shortest was Fiji's of 2020/21, with 28 days (IANA time zone database)."""
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Marks:
    """The UTC offsets that a log of local times shows, by their places in it, which rise.

    Attributes
    ----------
    at
        Places in the log: positions, or numbers of lines.
    offset
        What local clocks were ahead of UTC there.
    utc
        When that was.
    """

    at: list[int] = field(default_factory=list)
    offset: list[timedelta] = field(default_factory=list)
    utc: list[datetime] = field(default_factory=list)

    def add(self, at: int, offset: timedelta, utc: datetime) -> None:
        """Add a mark behind the others."""
        self.at.append(at)
        self.offset.append(offset)
        self.utc.append(utc)

    def around(self, place: int) -> list[timedelta]:
        """Return the offsets that are possible at a place of the log; none if not known."""
        after = bisect(self.at, place)
        beside = slice(max(after - 1, 0), after + 1)
        near, utc = self.offset[beside], self.utc[beside]
        if not near or (len(near) == 2 and abs(utc[1] - utc[0]) <= SURE):
            return near
        # Clocks may have changed since, or to and fro between two marks far apart.
        return [min(near) - _HOUR, *near, max(near) + _HOUR]

    def when(self, shown: datetime | None, place: int) -> dates.When:
        """Return what is known of a local time that stands at a place of the log."""
        if shown is None:
            return dates.UNKNOWN
        possible = self.around(place)
        if not possible:
            return dates.local(shown)
        if min(possible) == max(possible):
            return dates.known(shown, possible[0])
        return dates.local(shown, low=min(possible), high=max(possible))

    def stated(self) -> list[tuple[pd.Timestamp, int]]:
        """Return UTC and offset (minutes) of each mark, as `runs` takes them."""
        return [
            (pd.Timestamp(utc).as_unit("ns"), int(offset.total_seconds() // 60))
            for utc, offset in zip(self.utc, self.offset, strict=True)
        ]


def least_to_summer(standard: int) -> tuple[int, int]:
    """Return the offsets of a zone whose offset without summer time is known, in minutes.

    Morocco, at UTC+1, is the one that puts its clocks back, in Ramadan; what states a zone's offset
    does not give its country away.

    Examples
    --------
    >>> least_to_summer(-300)
    (-300, -240)
    """
    return (standard - SUMMER if standard == SUMMER else standard), standard + SUMMER


def runs(marks: Iterable[tuple[pd.Timestamp, int]], *, source: str, host: str = "") -> list[Row]:
    """Make one row of equal statements that follow each other closely.

    Parameters
    ----------
    marks
        UTC instants and the offset (minutes) that held then.
    source
        Column `source`.
    host
        Empty where the file does not name it.
    """
    out: list[Row] = []
    for time, offset in sorted(set(marks)):
        last = out[-1] if out else None
        if last and last["offset_low"] == offset and time - last["end"] <= SURE:
            last["end"] = time
        else:
            out.append(
                _row(offset, offset, source=source, host=host) | {"start": time, "end": time}
            )
    return out


def of_zone(standard: int, *, source: str, host: str = "") -> Row:
    """Make the row of a file that states a zone without its summer time; it holds at any time."""
    low, high = least_to_summer(standard)
    return _row(low, high, source=source, host=host)


def _row(low: int, high: int, *, source: str, host: str) -> Row:
    return {"host": host, "offset_low": low, "offset_high": high, "source": source}
