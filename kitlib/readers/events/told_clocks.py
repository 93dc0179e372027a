"""What an export in local time tells about its zone: messages that print a time in UTC.

Event Viewer's lists and ``Get-WinEvent`` as CSV print when a record was written in local time. Three
records of the kernel print the same moment again in their message, in UTC and in one spelling in
every language: Windows starts, stops, its clock is set. What lies between the two is the offset.

Known are these three records and how such a time is spelled: ``2022-01-12T06:41:17.500000000Z``,
with marks of the direction of reading or spaces between its parts. A record whose two times are not
whole quarters of an hour apart (it was written later than the moment it tells of) states nothing.

Source: Microsoft's documentation prints such messages; exports with Greek and English dates in public
repositories. Nothing here knows what the records mean.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib.readers import dates, offsets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kitlib.readers.payload import Row

SOURCE: Final = "UTC times in messages"
PROVIDER: Final = "kernel-general"
"""With or without ``Microsoft-Windows-`` before it."""
TELLING: Final = frozenset({1, 12, 13})
"""Events of `PROVIDER`: the clock is set, Windows starts, Windows stops."""
NEAR: Final = pd.Timedelta(seconds=20)
"""How far the two times may be from whole quarters of an hour apart."""

_QUARTER: Final = pd.Timedelta(minutes=15)
_MARKS: Final = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202c"), "")
_STAMP: Final = re.compile(r"(\d{4}) ?- ?(\d\d) ?- ?(\d\d)T(\d\d):(\d\d):(\d\d)\.\d{1,9}Z")


def clocks(rows: Iterable[Row], key: str) -> list[dict[str, Any]]:
    """Find what the records of one file state about their host's UTC offset.

    Parameters
    ----------
    rows
        Rows of the file.
    key
        Where ``data`` has a local time, as written.

    Returns
    -------
    list of dict
        Rows of table `clocks`, without host.
    """
    marks = [mark for row in rows if key in row.data for mark in _marks(row, str(row.data[key]))]
    return offsets.runs(marks, source=SOURCE)


def _marks(row: Row, local: str) -> Iterator[tuple[pd.Timestamp, int]]:
    if row.event_id not in TELLING or not row.provider.casefold().endswith(PROVIDER):
        return
    said = {_offset(utc, reading) for utc in _stamps(row.data) for reading in _readings(local)}
    found = sorted(said - {None}, key=lambda mark: mark[1] if mark else 0)
    if len({mark[1] for mark in found if mark}) == 1:
        yield from filter(None, found[:1])


def _stamps(data: dict[str, Any]) -> list[pd.Timestamp]:
    words = data.get("RenderingInfo")
    message = words.get("Message") if isinstance(words, dict) else None
    found = _STAMP.finditer(str(message or "")[:1000].translate(_MARKS))
    moments = (dates.wall(stamp.groups()) for stamp in found)
    return [pd.Timestamp(moment) for moment in moments if moment]


def _readings(local: str) -> list[pd.Timestamp]:
    """Every local time that a printed one can mean; the right one is near the time in UTC."""
    when = dates.read_local(local, "undecided")
    held = when.local if when and when.local else {}
    names = ("readings", "month first", "day first")
    return [pd.Timestamp(one, tz="UTC") for name in names for one in held.get(name, ())]


def _offset(utc: pd.Timestamp, local: pd.Timestamp) -> tuple[pd.Timestamp, int] | None:
    apart = local - utc
    if not -dates.WEST <= apart <= dates.EAST:
        return None
    offset = apart.round(_QUARTER)
    return (utc, int(offset.total_seconds() // 60)) if abs(apart - offset) <= NEAR else None
