"""What all readers of event exports share: rows in, table `events` and honest `problems` out.

An export is an event log that another program has read and written again, and each of them loses
something: the host, the record number, the event data, fractions of a second, the time zone.
Readers put what is left into a `Found`; `finish` makes the tables and adds one row to `problems`
that states what is missing, counted from the rows, and what the format loses always.

**Times.** ``time_created`` is filled only where the file states UTC or an offset. A bare local
time could be any of 26 hours, so such a row has no ``time_created``; the time stands as written
in ``data`` under ``"@local_time"``, for whoever learns the host's zone later.

**Data** follows `kitlib.readers.payload`. Messages and words that Windows renders for people are
under ``"RenderingInfo"``, as in ``wevtutil /f:RenderedXml``. A name that begins with ``@`` is an
attribute or something that the exporting program added.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.events import told_clocks
from kitlib.readers.events.messages import restore
from kitlib.readers.payload import Element, Row, canonical, columns, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd

LOCAL_TIME: Final = "@local_time"
"""Key in ``data`` of a time that the file states without zone, as written."""

SYSTEM: Final[Mapping[str, tuple[str, str]]] = {
    "host": ("Computer", ""),
    "channel": ("Channel", ""),
    "provider": ("Provider", "Name"),
    "event_id": ("EventID", ""),
    "qualifiers": ("EventID", "Qualifiers"),
    "version": ("Version", ""),
    "level": ("Level", ""),
    "task": ("Task", ""),
    "opcode": ("Opcode", ""),
    "keywords": ("Keywords", ""),
    "record_id": ("EventRecordID", ""),
    "process_id": ("Execution", "ProcessID"),
    "thread_id": ("Execution", "ThreadID"),
    "user_id": ("Security", "UserID"),
    "activity_id": ("Correlation", "ActivityID"),
}
"""Columns of `events` and where an event's ``System`` element has them."""

LEVELS: Final[Mapping[str, str]] = {
    "logalways": "0",
    "critical": "1",
    "kritisch": "1",
    "error": "2",
    "fehler": "2",
    "warning": "3",
    "warnung": "3",
    "information": "4",
    "informationen": "4",
    "info": "4",
    "verbose": "5",
    "ausführlich": "5",
    "critique": "1",
    "erreur": "2",
    "avertissement": "3",
    "crítico": "1",
    "advertencia": "3",
    "información": "4",
    "detallado": "5",
}
"""Words for levels, lower case: English and German as seen, French and Spanish from memory.

Words of other languages stay words.
"""

_EXPECTED: Final = (
    ("host", "host name"),
    ("channel", "channel"),
    ("provider", "provider"),
    ("event_id", "event id"),
    ("record_id", "record number"),
)
_NS_LAST: Final = 2**63 - 1
_MOST_PROBLEMS: Final = 20

Problem = dict[str, Any]


@dataclass(slots=True)
class Found:
    """Rows and problems of one file while it is read."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unlisted: Counter[int] = field(default_factory=Counter)

    def note(self, reason: str, *, place: str = "") -> None:
        """Add a problem that costs no record."""
        self._add({"place": place, "reason": reason, "records_lost": 0})

    def lose(self, reason: str, *, place: str = "") -> None:
        """Add a lost record."""
        self._add({"place": place, "reason": reason, "records_lost": 1})

    def _add(self, problem: Problem) -> None:
        """List what is about the whole file, and of the rest the first; count the others."""
        if problem["place"] and len(self.problems) >= _MOST_PROBLEMS:
            self.unlisted[problem["records_lost"]] += 1
        else:
            self.problems.append(problem)

    def counted(self) -> Iterator[Problem]:
        """Give rows for the problems that are not listed."""
        if lost := self.unlisted[1]:
            yield {"reason": f"{lost} more records could not be read", "records_lost": lost}
        if others := self.unlisted[0]:
            yield {"reason": f"{others} more remarks of these kinds", "records_lost": 0}


def start(data: bytes) -> tuple[str, Found]:
    """Decode a file and begin to collect from it."""
    decoded = text.decode(data)
    found = Found()
    if decoded.note:
        found.note(decoded.note)
    return decoded.text, found


def finish(found: Found, *, label: str, remarks: Iterable[str] = ()) -> Parsed:
    """Make the tables, with one row of `problems` for what the format has lost.

    Parameters
    ----------
    found
        What was collected.
    label
        The format's name, for people.
    remarks
        What files of this format never hold.
    """
    for sentence in restore(found.rows):
        found.note(sentence)
    found.problems += found.counted()
    if not found.rows:
        found.note(f"{label}: there is no event in it")
    elif said := [*_missing(found.rows), *remarks]:
        found.note(f"what {label} leaves out: {'; '.join(said)}")
    clocks = told_clocks.clocks(found.rows, LOCAL_TIME)
    return parsed(events=_frame(found.rows), problems=found.problems, clocks=clocks)


def _missing(rows: list[Row]) -> Iterator[str]:
    for column, name in _EXPECTED:
        lacking = sum(getattr(row, column) in ("", None) for row in rows)
        if lacking:
            yield f"the {name}{_share(lacking, len(rows))}"
    local = sum(LOCAL_TIME in row.data for row in rows)
    if local:
        yield (
            f"the time zone{_share(local, len(rows))}: time_created is missing there, "
            f"the local time stands in data under '{LOCAL_TIME}'"
        )
    timeless = sum(row.time_created is None and LOCAL_TIME not in row.data for row in rows)
    if timeless:
        yield f"a time that can be read{_share(timeless, len(rows))}"


def _share(part: int, whole: int) -> str:
    return "" if part == whole else f" in {part} of {whole} records"


def _frame(rows: list[Row]) -> pd.DataFrame:
    columns = dict(zip(Row._fields, zip(*rows, strict=True), strict=True)) if rows else {}
    return schema.from_columns("events", columns, rows=len(rows))


# --- one event ------------------------------------------------------------------------------


def make_row(fields: Mapping[str, Any], data: dict[str, Any]) -> Row:
    """Make a row of columns that are read already; a time beyond the table's range is left out."""
    time = fields.get("time_created")
    known = {**fields, "time_created": time if time is None or abs(time) <= _NS_LAST else None}
    return Row(record_id=known.pop("record_id", None), data=data, **known)


def read_fields(texts: Mapping[str, str | None]) -> dict[str, Any]:
    """Read the texts of columns (keys of `SYSTEM`) as payload reads a ``System`` element.

    Texts that are absent, or not what their column holds, are left out.
    """
    out: dict[str, Any] = {}
    for column, value in texts.items():
        if value:
            name, attribute = SYSTEM[column]
            bare = None if attribute else value
            out |= columns([Element(name, {attribute: value} if attribute else {}, bare, [])])
    return out


def rendering(**words: str | dict[str, Any] | None) -> dict[str, Any]:
    """Make the part of ``data`` for what Windows renders for people; empty if there is nothing."""
    said = {name: word for name, word in words.items() if word}
    return {"RenderingInfo": said} if said else {}


def rendered_keywords(words: list[str]) -> dict[str, Any] | None:
    """Nest rendered keywords as ``RenderingInfo`` has them."""
    if not words:
        return None
    return {"Keyword": words[0] if len(words) == 1 else words}


# --- values and times -----------------------------------------------------------------------


def clean(value: str) -> str:
    """Replace half surrogate pairs, which JSON and XML can spell and which no table takes."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def tidy(value: str | None) -> str | None:
    """Give a value of event data the one spelling of `kitlib.readers.payload.canonical`."""
    return canonical(clean(value)) if value else None


_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)\d*\s?(?:Z|UTC|([+-])(\d\d):?(\d\d))"
)
_JSON_DATE: Final = re.compile(r"/Date\((-?\d{1,16})(?:[+-]\d{4})?\)/")


def instant(stamp: str) -> int | None:
    """Read an ISO time that states UTC or its offset as ns since 1970; None for every other."""
    found = _INSTANT.fullmatch(stamp.strip())
    if found is None:
        return None
    base = nanoseconds(f"{found[1]}T{found[2]}Z")
    if base is None or not found[3]:
        return base
    minutes = int(found[4]) * 60 + int(found[5])
    return base - (minutes if found[3] == "+" else -minutes) * 60_000_000_000


def json_date(stamp: str) -> int | None:
    """Read PowerShell 5.1's ``/Date(ms)/``, which is UTC, as ns since 1970.

    It is right for event times, whose kind is Local; see `kitlib.readers.dates` for others.
    """
    found = _JSON_DATE.fullmatch(stamp)
    return int(found[1]) * 1_000_000 if found else None


def unix_seconds(stamp: str) -> int | None:
    """Read seconds since 1970, UTC, with decimals, as ns."""
    try:
        seconds = Decimal(stamp)
    except InvalidOperation:
        return None
    return int(seconds * 1_000_000_000) if abs(seconds) < 10**10 else None


def timed(stamp: str | None) -> tuple[int | None, dict[str, Any]]:
    """Return the time (ns) if it is certain, else the part of ``data`` that keeps it as written."""
    if not stamp:
        return None, {}
    time = json_date(stamp)
    if time is None:
        time = instant(stamp)
    return time, {} if time is not None else {LOCAL_TIME: clean(stamp)}


# --- CSV ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV's header: its line (from 1), separator, names as written and in lower case."""

    line: int
    separator: str
    titles: list[str]
    names: list[str]


def header(whole: str) -> Table | None:
    """Find the header of a CSV: its first line that is neither blank nor about the file."""
    for number, line in enumerate(whole[:65536].split("\n")[:10], 1):
        if not line.strip() or line.lower().startswith(("#type", "sep=")):
            continue
        mark = text.separator(line)
        titles = [cell.strip() for cell in _cells(line, mark)]
        if not titles:  # it cannot be cut into cells
            return None
        return Table(number, mark, titles, [title.lower() for title in titles])
    return None


def _cells(line: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:
        return []


def csv_rows(whole: str, table: Table, found: Found) -> Iterator[tuple[int, list[str]]]:
    """Give line number and cells of each row below the header.

    A cell that does not end costs its row; reading goes on at the line below it.
    """
    lines = whole.split("\n")
    at = table.line
    while at < len(lines):
        begun = at
        reader = csv.reader(
            (f"{lines[n]}\n" for n in range(begun, len(lines))), delimiter=table.separator
        )
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield at + 1, row
                at = begun + reader.line_num
        except csv.Error as error:
            found.lose(f"broken CSV: {error}", place=f"line {at + 1}")
            at += 1
            continue
        return


def csv_records(whole: str, table: Table, found: Found) -> Iterator[tuple[int, dict[str, str]]]:
    """Give line number and cells by the name as written; rows whose cells do not fit the header are stated."""
    for line, row in csv_rows(whole, table, found):
        if len(row) != len(table.names):
            reason = f"{len(row)} cells where the header has {len(table.names)}"
            if len(row) < 2:
                found.lose(reason, place=f"line {line}")
                continue
            found.note(reason, place=f"line {line}")
        yield line, dict(zip(table.titles, row, strict=False))
