"""Accounting logs of Windows' RADIUS server (NPS, IAS) and of RRAS, in their three layouts.

DTS: one XML element a line, no root. It has the server's local time and, in accounting records,
the access server's time in UTC: together they tell the server's offset, which then also holds for
the records between two that agree. Database-compatible: comma-separated without header. IAS
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
from typing import TYPE_CHECKING, Final

from kitlib import schema
from kitlib.readers import dates, gateways, text
from kitlib.readers.base import Parsed, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

DTS: Final = "nps_dts_xml"
DATABASE: Final = "nps_database"
IAS: Final = "nps_ias"
DIALECT: Final = "nps"

Offsets = tuple[int, int]
"""Lowest and highest offset from UTC, in minutes."""
Record = tuple[int, gateways.Fields, str]
"""Line, fields, the line's text."""


# ------------------------------------------------------------------ DTS

_DTS_MARK: Final = re.compile(r'<Event>\s{0,20}<Timestamp data_type="4">')
_FIELD: Final = re.compile(r"<([A-Za-z][\w.-]{0,80})(?: [^<>]{0,200})?>([^<]*)</\1>")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|lt|gt|amp|quot|apos);")
_DECLARATION: Final = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_FARTHEST: Final = 60
"""Minutes between a zone's two offsets; more than that is a wrong clock, not summer time."""
_LATE: Final = 30
"""Seconds that a packet may be on its way, or the clocks apart."""


def sniff_dts(head: bytes) -> bool:
    """Tell the DTS layout by its first element."""
    return _DTS_MARK.search(text.decode(head, partial=True).text) is not None


def read_dts(data: bytes, *, offsets: Offsets = gateways.ANYWHERE) -> Parsed:
    """Read an accounting log in DTS layout.

    Parameters
    ----------
    data
        The whole file.
    offsets
        Bounds of the server's offset, for records that tell nothing themselves.

    Returns
    -------
    Parsed
        `sessions`, one row a record; `problems`.
    """
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    if _DECLARATION.search(decoded.text):
        notes.add("it declares a document type or entities, which NPS never does: not expanded")
    records = list(_elements(decoded.text, notes))
    # MM/dd/yyyy whatever the locale: this layout needs no decision.
    clocks = [gateways.printed(r.get("Timestamp", ""), "month first")[0] for _, r, _ in records]
    learned = [
        _learned(clock, fields) for clock, (_, fields, _) in zip(clocks, records, strict=True)
    ]
    spans = _spans(learned, offsets, notes)
    times = [gateways.local(c, offsets=s) for c, s in zip(clocks, spans, strict=True)]
    return _parsed(records, times, notes)


def _elements(whole: str, notes: gateways.Notes) -> Iterator[Record]:
    line = 1
    for number, piece in enumerate(whole.split("<Event>")):
        content, closed, rest = piece.partition("</Event>")
        if number and closed:
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
        value = _ENTITY.sub(lambda entity: html.unescape(entity[0]), found[2])
        fields.setdefault(found[1], gateways.clean(value))
    return fields


def _learned(clock: list[datetime], fields: gateways.Fields) -> int | None:
    """Return the offset that a record's two times tell: a whole number of quarter-hours."""
    stated, _ = gateways.printed(fields.get("Event-Timestamp", ""), "month first")
    if len(stated) != 1 or len(clock) != 1:
        return None
    seconds = (clock[0] - stated[0]).total_seconds()
    minutes = round(seconds / 900) * 15
    near = abs(seconds - minutes * 60) <= _LATE
    return minutes if near and gateways.ANYWHERE[0] <= minutes <= gateways.ANYWHERE[1] else None


def _spans(learned: Sequence[int | None], bounds: Offsets, notes: gateways.Notes) -> list[Offsets]:
    """Return what can have been the server's offset at each record."""
    told = {offset for offset in learned if offset is not None}
    if told and max(told) - min(told) > _FARTHEST:
        notes.add(
            "its records tell offsets from UTC that no zone has together: some access server's "
            "clock is wrong, so none is used"
        )
        return [bounds] * len(learned)
    before = _carried(learned)
    after = _carried(learned[::-1])[::-1]
    return [_span(*pair, bounds) for pair in zip(before, after, strict=True)]


def _carried(learned: Sequence[int | None]) -> list[int | None]:
    last: int | None = None
    return [last := offset if offset is not None else last for offset in learned]


def _span(before: int | None, after: int | None, bounds: Offsets) -> Offsets:
    if before is not None and after is not None:
        return min(before, after), max(before, after)
    one = before if before is not None else after
    # Beyond the last record that tells, the clock may have been changed once.
    return bounds if one is None else (one - _FARTHEST, one + _FARTHEST)


# ------------------------------------------------------------------ the two with commas

_DATABASE_LINE: Final = re.compile(
    r'"[^"\r\n]{1,64}","(?:IAS|RAS|NPS)",\d{1,2}/\d{1,2}/\d{4},\d{1,2}:\d\d:\d\d,\d{1,3},'
)
_IAS_LINE: Final = re.compile(
    r"[\w.:-]{1,64},[^,\r\n]{0,256},\d{1,2}/\d{1,2}/\d{4},\d{1,2}:\d\d:\d\d,(?:IAS|RAS|NPS),"
    r"[^,\r\n]{1,64},\d{1,5},"
)
_SEARCHED: Final = 20


def _begins(head: bytes, form: re.Pattern[str]) -> bool:
    lines = text.decode(head, partial=True).text.splitlines()[:_SEARCHED]
    return any(form.match(line) for line in lines)


def sniff_database(head: bytes) -> bool:
    """Tell the database-compatible layout by the first five columns of a line."""
    return _begins(head, _DATABASE_LINE)


def sniff_ias(head: bytes) -> bool:
    """Tell the IAS layout by the six columns of a line's header."""
    return _begins(head, _IAS_LINE)


def read_database(data: bytes, *, offsets: Offsets = gateways.ANYWHERE) -> Parsed:
    """Read an accounting log in database-compatible layout.

    Parameters
    ----------
    data
        The whole file.
    offsets
        Bounds of the server's offset from UTC, which the file does not state.

    Returns
    -------
    Parsed
        `sessions`, one row a line; `problems`.
    """
    return _read_lines(data, _DATABASE_LINE, _by_place, offsets)


def read_ias(data: bytes, *, offsets: Offsets = gateways.ANYWHERE) -> Parsed:
    """Read an accounting log in IAS layout; see `read_database`."""
    return _read_lines(data, _IAS_LINE, _by_number, offsets)


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
    offsets: Offsets,
) -> Parsed:
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    records = [
        (number, named(cells), line)
        for number, line in enumerate(decoded.text.splitlines(), 1)
        if (cells := _cells(number, line, form, notes))
    ]
    order = dates.order_of(fields["Record-Date"] for _, fields, _ in records)
    if records and order in ("undecided", "mixed"):
        notes.add("no date tells whether the day or the month stands first: both are covered")
    stamps = [f"{fields['Record-Date']} {fields['Record-Time']}" for _, fields, _ in records]
    times = [gateways.local(gateways.printed(s, order)[0], offsets=offsets) for s in stamps]
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
    records: Sequence[Record], times: Sequence[dates.When], notes: gateways.Notes
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
    return parsed(sessions=schema.frame("sessions", rows), problems=notes.rows())
