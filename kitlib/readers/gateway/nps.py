"""Accounting logs of Windows' RADIUS server (NPS, IAS) and of RRAS, in their three layouts.

DTS: one XML element a line, no root. It has the server's local time and, in accounting records,
the access server's time in UTC: together they tell the server's offset, which then also holds for
the records between two that agree, and which is handed on as rows of `clocks` for the server. It
rests on the access server's clock; one that is off by whole hours all along cannot be told. Database-compatible: comma-separated without header. IAS
format: six columns, then pairs of attribute number and value. These two have a bare local time of
an order that is decided per file; their times are spans.

XML is cut up by hand: only the five predefined entities and character references are resolved, so
there is nothing that could expand or fetch. Names of fields, and what packets mean, stand in
``gateways.toml``.
"""

from __future__ import annotations

import csv
import html
import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from kitlib import schema
from kitlib.readers import dates, offsets, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.gateway import gateways

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

DTS: Final = "nps_dts_xml"
DATABASE: Final = "nps_database"
IAS: Final = "nps_ias"
DIALECT: Final = "nps"
CLOCK: Final = "nps_dts"
"""What `clocks.source` calls what is learned here."""

Offsets = tuple[int, int]
"""Lowest and highest offset from UTC, in minutes."""
Record = tuple[int, gateways.Fields, str]
"""Line, fields, the line's text."""


# ------------------------------------------------------------------ DTS

_FIELD: Final = re.compile(r"<([A-Za-z][\w.-]{0,80})(?: [^<>]{0,200})?>([^<]*)</\1>")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|lt|gt|amp|quot|apos);")
_DECLARATION: Final = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_FARTHEST: Final = 60
"""Minutes between a zone's two offsets; more than that is a wrong clock, not summer time."""
_LATE: Final = 30
"""Seconds that a packet may be on its way, or the clocks apart."""


def read_dts(data: bytes) -> Parsed:
    """Read an accounting log in DTS layout.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `sessions`, one row a record; `clocks`, the server's offset where records tell it, one row a
        run of the same; `problems`.
    """
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    if _DECLARATION.search(decoded.text):
        notes.add("it declares a document type or entities, which NPS never does: not expanded")
    records = list(_elements(decoded.text, notes))
    # MM/dd/yyyy whatever the locale: this layout needs no decision.
    walls = [gateways.printed(r.get("Timestamp", ""), "month first")[0] for _, r, _ in records]
    times = [dates.UNKNOWN] * len(records)
    clocks: list[dict[str, object]] = []
    for server, places in _by_server(records).items():
        learned = [_learned(walls[place], records[place][1]) for place in places]
        if _contradict(learned):
            notes.add(_CONTRADICT)
            learned = [None] * len(learned)
        for place, span in zip(places, _spans(learned, [walls[p] for p in places]), strict=True):
            times[place] = gateways.local(walls[place], offsets=span)
        marks = [
            (gateways.utc(walls[place][0] - timedelta(minutes=offset)), offset)
            for place, offset in zip(places, learned, strict=True)
            if offset is not None
        ]
        clocks += offsets.runs(marks, source=CLOCK, host=server)
    return _parsed(records, times, notes, clocks=clocks)


def _by_server(records: Sequence[Record]) -> dict[str, list[int]]:
    """Return the places of each server's records: a file can hold those of several."""
    places: dict[str, list[int]] = {}
    for place, (_, fields, _) in enumerate(records):
        places.setdefault(fields.get("Computer-Name", ""), []).append(place)
    return places


def _elements(whole: str, notes: gateways.Notes) -> Iterator[Record]:
    line = 1
    for number, piece in enumerate(whole.split("<Event>")):
        content, closed, rest = piece.partition("</Event>")
        if number and closed:
            if len(content) > gateways.LONGEST:
                notes.add(gateways.TOO_LONG, line=line)
            yield line, _dts_fields(content), content
        elif number:
            notes.add("a record without its end", line=line, lost=True)
        if _foreign(rest if number else piece):
            notes.add("text that is no record of NPS: left out", line=line)
        line += piece.count("\n")


def _foreign(between: str) -> bool:
    return bool(between.strip("\r\n\t \ufeff\0\x1a"))


def _dts_fields(content: str) -> gateways.Fields:
    fields: gateways.Fields = {}
    for found in _FIELD.finditer(content):
        value = _ENTITY.sub(_resolved, found[2])
        fields.setdefault(found[1], gateways.clean(value))
    return fields


def _resolved(entity: re.Match[str]) -> str:
    """Return what an entity stands for; a number beyond Unicode stays as it is."""
    body = entity[0][1:-1]
    if not body.startswith("#"):
        return html.unescape(entity[0])
    number = int(body.lstrip("#x"), 16 if body.startswith("#x") else 10)
    return chr(number) if number <= sys.maxunicode else entity[0]


def _learned(clock: list[datetime], fields: gateways.Fields) -> int | None:
    """Return the offset that a record's two times tell: a whole number of quarter-hours."""
    stated, _ = gateways.printed(fields.get("Event-Timestamp", ""), "month first")
    if len(stated) != 1 or len(clock) != 1:
        return None
    seconds = (clock[0] - stated[0]).total_seconds()
    minutes = round(seconds / 900) * 15
    near = abs(seconds - minutes * 60) <= _LATE
    return minutes if near and gateways.ANYWHERE[0] <= minutes <= gateways.ANYWHERE[1] else None


_CONTRADICT: Final = (
    "its records tell offsets from UTC that no zone has together: some access server's clock is "
    "wrong, so none is used"
)


def _contradict(learned: Sequence[int | None]) -> bool:
    told = {offset for offset in learned if offset is not None}
    return bool(told) and max(told) - min(told) > _FARTHEST


Mark = tuple[int, "datetime"]
"""An offset that a record tells, and the local time at which it does."""


def _spans(learned: Sequence[int | None], walls: Sequence[list[datetime]]) -> list[Offsets]:
    """Return what can have been a server's offset at each of its records."""
    marks = [
        (offset, wall[0]) if offset is not None else None
        for offset, wall in zip(learned, walls, strict=True)
    ]
    before = _carried(marks)
    after = _carried(marks[::-1])[::-1]
    return [_span(*pair) for pair in zip(before, after, strict=True)]


def _carried(marks: Sequence[Mark | None]) -> list[Mark | None]:
    last: Mark | None = None
    return [last := mark if mark is not None else last for mark in marks]


def _span(before: Mark | None, after: Mark | None) -> Offsets:
    one = before or after
    if one is None:
        return gateways.ANYWHERE
    if before and after and before[0] != after[0]:
        return min(before[0], after[0]), max(before[0], after[0])
    if before and after and abs(after[1] - before[1]) <= offsets.SURE:
        return one[0], one[0]
    # Beyond the last record that tells, or in a long silence, the clock may have been changed.
    return one[0] - _FARTHEST, one[0] + _FARTHEST


# ------------------------------------------------------------------ the two with commas

_DATABASE_LINE: Final = re.compile(
    r'"[^"\r\n]{1,64}","(?:IAS|RAS|NPS)",\d{1,2}/\d{1,2}/\d{4},\d{1,2}:\d\d:\d\d,\d{1,3},'
)
_IAS_LINE: Final = re.compile(
    r'[\w.:-]{1,64},(?:[^,"\r\n]{0,1100}|"(?:[^"]|""){0,1100}"),\d{1,2}/\d{1,2}/\d{4},'
    r"\d{1,2}:\d\d:\d\d,(?:IAS|RAS|NPS),[^,\r\n]{1,64},\d{1,5},"
)


def read_database(data: bytes) -> Parsed:
    """Read an accounting log in database-compatible layout.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `sessions`, one row a line; `problems`.
    """
    return _read_lines(data, _DATABASE_LINE, _by_place)


def read_ias(data: bytes) -> Parsed:
    """Read an accounting log in IAS layout; see `read_database`."""
    return _read_lines(data, _IAS_LINE, _by_number)


def _by_place(row: list[str]) -> gateways.Fields:
    return dict(zip(gateways.knowledge()["nps"]["database"], row, strict=False))


def _by_number(row: list[str]) -> gateways.Fields:
    """Name the header's columns and the pairs behind it; attributes without a name are left out."""
    nps = gateways.knowledge()["nps"]
    fields = {nps["attributes"].get(n, ""): v for n, v in zip(row[6::2], row[7::2], strict=False)}
    return dict(zip(nps["header"], row[:6], strict=True)) | {k: v for k, v in fields.items() if k}


def _read_lines(
    data: bytes,
    form: re.Pattern[str],
    named: Callable[[list[str]], gateways.Fields],
) -> Parsed:
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    records = [
        (number, named(cells), line)
        for number, line in gateways.lines(decoded.text, notes)
        if (cells := _cells(number, line, form, notes))
    ]
    stamps = [f"{fields['Record-Date']} {fields['Record-Time']}" for _, fields, _ in records]
    order = gateways.order_in_time(stamps)
    if records and order in ("undecided", "mixed"):
        notes.add("no date tells whether the day or the month stands first: both are covered")
    times = [gateways.local(gateways.printed(s, order)[0]) for s in stamps]
    return _parsed(records, times, notes)


def _cells(number: int, line: str, form: re.Pattern[str], notes: gateways.Notes) -> list[str]:
    plain = line.strip("\ufeff\0\x1a \t")
    if not plain:
        return []
    if not form.match(plain):
        notes.add("no record of this layout", line=number, lost=True)
        return []
    try:
        return next(csv.reader([plain]))
    except csv.Error as error:
        notes.add(f"broken CSV: {error}", line=number, lost=True)
        return []


# ------------------------------------------------------------------ rows


def _parsed(
    records: Sequence[Record],
    times: Sequence[dates.When],
    notes: gateways.Notes,
    *,
    clocks: Iterable[Mapping[str, object]] = (),
) -> Parsed:
    rows = []
    for (line, fields, message), when in zip(records, times, strict=True):
        if when is dates.UNKNOWN:
            notes.add("its time is none: left open", line=line)
        elif when.date is None:
            notes.add("the time states no zone: given as a span", line=line)
        alone = fields.get("Event-Source", "") in gateways.knowledge()["nps"]["own_gateway"]
        columns = "rras" if alone else DIALECT
        rows.append(gateways.row(DIALECT, fields, when, message, columns=columns))
    return parsed(sessions=schema.frame("sessions", rows), problems=notes.rows(), clocks=clocks)
