r"""`Get-WUHistory` of PSWindowsUpdate as table, list, JSON and Clixml; `.pswindowsupdate` has CSV.

The module takes COM's entry, whose date is UTC, and lays its own properties over it, among them a
`Date` of .NET's kind Local. So JSON of PowerShell 5.1 (``/Date(ms)/``) is right UTC here, other than
in COM's own dump; JSON of 7 and Clixml print the offset, and so give the host's clock away; table
and list print local time in the session's culture. (Read in published source of the module.)

The table has two headers: host, operation, result, date, title (seen: issue 41 of
mgajda83/PSWindowsUpdate) and host, operation, date, KB, title, which prints no result (seen: the
module's help). Cells that are too wide end in ``...`` or an ellipsis. A date cut like that has
lost its seconds and the half of the day; both halves are covered unless other rows of the file
count to 24. A title cut like that may have lost its KB. Layouts of list, JSON and Clixml are
PowerShell's; no real file of them was seen.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kitlib import schema
from kitlib.readers import dates, offsets, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.json_objects import into, objects, word
from kitlib.readers.updates import com_history
from kitlib.readers.updates.com_history_text import KNOWN, listed
from kitlib.readers.updates.hotfix import doubts, host_of
from kitlib.readers.updates.hotfix_objects import clixml_objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd

    from kitlib.readers.payload import Element
    from kitlib.readers.sniffing import Head

TEXT_KIND: Final = "pswindowsupdate_text"
JSON_KIND: Final = "pswindowsupdate_json"
CLIXML_KIND: Final = "pswindowsupdate_clixml"

_OWN: Final = frozenset({"computername", "operationname", "date", "title", "result", "kb"})
_COLUMNS: Final = frozenset({"computername", "operationname", "date", "title"})
_SIGN: Final = re.compile(r"N=\"operationname\"", re.IGNORECASE)
_LISTED: Final = re.compile(r"(\w{1,40}) {0,40}: ?")
_PRINTED: Final = re.compile(r"\d{1,4}[./-] ?\d{1,2}[./-] ?\d{1,4}")
_CUT: Final = ("...", "\u2026")
_CUT_CLOCK: Final = re.compile(r"(.{0,40}\D\d{1,2}[:.]\d\d)(?:[:.]\d{0,2})?")
_SLASHED: Final = re.compile(r"/Date\((-?\d{1,15})\)/")
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")

Row = dict[str, Any]


class _Entry(NamedTuple):
    """One entry: where it stands, and its properties by lower-case name."""

    place: str
    cells: Mapping[str, Any]


def is_printed(head: Head) -> bool:
    """Tell the table by its header above dashes, the list by the names in it."""
    return bool(_table_header(head.lines)) or _is_list(head.lines)


def _table_header(lines: Iterable[str]) -> int:
    """Return the line, from 1, of the header of a table; 0 if there is none."""
    first = list(lines)[:21]
    for number, (line, below) in enumerate(pairwise(first), 1):
        names = line.lower().split()
        under = below.split()
        if set(names) >= _COLUMNS and len(under) == len(names) and set("".join(under)) == {"-"}:
            return number
    return 0


def _is_list(lines: Iterable[str]) -> bool:
    found = (_LISTED.match(line) for line in list(lines)[:200])
    return {one[1].lower() for one in found if one} >= _OWN


def read_text(data: bytes) -> Parsed:
    """Read `Get-WUHistory` as it prints itself, or `| Format-List`.

    Parameters
    ----------
    data
        The whole file, in any encoding PowerShell writes.

    Returns
    -------
    Parsed
        `updates` with one row an entry, basis ``local``; `problems` with what could not be read
        and what the format does not say.
    """
    decoded = text.decode(data)
    problems = com_history.noted(decoded)
    lines = lines_of.split(decoded.text)
    number = _table_header(lines)
    entries = list(_tabled(lines, number) if number else _from_list(decoded.text))
    problems.extend(_cut_remarks(entries))
    return _finished(entries, kind=TEXT_KIND, problems=problems)


def read_json(data: bytes) -> Parsed:
    """Read `Get-WUHistory | ConvertTo-Json` of PowerShell 5.1 or 7.

    Parameters
    ----------
    data
        The whole file, in any encoding PowerShell writes.

    Returns
    -------
    Parsed
        `updates` with one row an entry, basis ``utc`` (5.1) or ``offset`` (7); `clocks`, the
        offsets that 7 states; `problems` with what could not be read.
    """
    decoded = text.decode(data)
    problems = com_history.noted(decoded)
    found = objects(decoded.text, into(problems))
    entries = [_Entry(place, com_history.named(one)) for place, one in found]
    return _finished(entries, kind=JSON_KIND, problems=problems)


def read_clixml(data: bytes) -> Parsed:
    """Read `Get-WUHistory | Export-Clixml`; parameters and result as `read_json`."""
    decoded = text.decode(data)
    problems = com_history.noted(decoded)
    found = clixml_objects(decoded.text, problems, sign=_SIGN)
    entries = [_Entry(f"entry {number}", _properties(element)) for number, element in found]
    return _finished(entries, kind=CLIXML_KIND, problems=problems)


def _tabled(lines: list[str], number: int) -> Iterator[_Entry]:
    """Read the rows of a table; a row without operation and date goes on with a title."""
    begun: tuple[int, dict[str, str]] | None = None
    for row in text.columns(lines, header_line=number):
        cells = row.cells | _dated(lines[row.line - 1], lines[number - 1])
        if begun and not cells["operationname"] and not cells["date"]:
            begun[1]["title"] = f"{begun[1]['title']} {cells['title']}".strip()
            continue
        if begun:
            yield _Entry(f"line {begun[0]}", begun[1])
        begun = row.line, cells
    if begun:
        yield _Entry(f"line {begun[0]}", begun[1])


def _dated(line: str, header: str) -> dict[str, str]:
    """Cut the date out where it stands: it may be set right, and begin before its header."""
    names = [(word[0].lower(), word.start()) for word in re.finditer(r"\S+", header)]
    at = next(n for n, (name, _) in enumerate(names) if name == "date")
    end = names[at + 1][1] if at + 1 < len(names) else None
    if at == 0:
        return {}
    before, start = names[at - 1]
    found = _PRINTED.search(line[:end], start)
    if found is None or found.start() >= names[at][1]:
        return {}
    return {
        before: line[start : found.start()].strip(),
        "date": line[found.start() : end].strip(),
    }


def _from_list(whole: str) -> Iterator[_Entry]:
    for line, entry in listed(whole, known=KNOWN | _OWN):
        yield _Entry(f"line {line}", entry)


def _cut_remarks(entries: list[_Entry]) -> Iterator[Row]:
    if not entries:
        return
    for name, loss in (
        ("title", "and so may have lost the KB"),
        ("date", "to the minute at best"),
    ):
        cut = sum(str(entry.cells.get(name, "")).endswith(_CUT) for entry in entries)
        if cut:
            reason = f"{cut} of {len(entries)} {name}s are cut off by the table, {loss}"
            yield {"reason": reason, "records_lost": 0}
    if not any(entry.cells.get("result") for entry in entries):
        reason = "the table prints no results: whether the updates succeeded is left open"
        yield {"reason": reason, "records_lost": 0}


def _properties(element: Element) -> dict[str, Any]:
    """Take the properties of one object; the module's own, which are notes, come first."""
    cells: dict[str, Any] = {}
    parts = sorted(element.children, key=lambda part: part.name != "MS")
    for part in parts:
        for inner in part.children if part.name in ("MS", "Props") else ():
            name = (inner.attributes.get("N") or "").lower()
            cells.setdefault(name, _value(inner))
    return cells


def _value(element: Element) -> object:
    if element.name == "Obj":
        number = next((inner.text for inner in element.children if inner.name == "I32"), None)
        return number or _properties(element)
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), element.text or "").strip()


def _finished(entries: list[_Entry], *, kind: str, problems: list[Row]) -> Parsed:
    """Make the tables of the entries that name an operation or a title."""
    kept = [entry for entry in entries if {"operationname", "title"} & entry.cells.keys()]
    stamps = [_stamp(entry.cells) for entry in kept]
    printed = [stamp for stamp in stamps if not _ISO.fullmatch(stamp)]
    order = dates.order_in_time(printed)
    full_day = any(_counts_to_24(stamp) for stamp in printed)
    made: list[Row] = []
    marks: list[tuple[pd.Timestamp, int]] = []
    for entry, stamp in zip(kept, stamps, strict=True):
        when = _when(stamp, order, full_day=full_day)
        if when is None and stamp:
            reason = f"{stamp[:40]!r} is not a date: taken as unknown"
            problems.append({"place": entry.place, "reason": reason, "records_lost": 0})
        made.append(_row(entry, when or dates.UNKNOWN, kind=kind, problems=problems))
        marks.extend(_mark(stamp, when))
    problems.extend(doubts(made, order))
    if sum(row["date_basis"] == "local" for row in made):
        problems.append({"reason": "times are local, without a zone", "records_lost": 0})
    if not made and not problems:
        problems.append({"reason": "holds no entry of an update history", "records_lost": 0})
    return parsed(
        updates=schema.frame("updates", made),
        problems=problems,
        clocks=offsets.runs(marks, source=kind),
    )


def _stamp(cells: Mapping[str, Any]) -> str:
    stamp = cells.get("date")
    return word(stamp.get("value") if isinstance(stamp, dict) else stamp)


def _row(entry: _Entry, when: dates.When, *, kind: str, problems: list[Row]) -> Row:
    cells = entry.cells
    title, result = word(cells.get("title")), cells.get("result")
    operation = com_history.operation_of(cells.get("operationname") or cells.get("operation"))
    known = com_history.result_of(result or cells.get("resultcode"))
    if not operation or (result and not known):
        reason = "its operation or result is not known: left open"
        problems.append({"place": entry.place, "reason": reason, "records_lost": 0})
    identity = cells.get("updateidentity")
    return {
        "host": host_of({"computername": word(cells.get("computername"))}),
        **when.cells(),
        "operation": operation,
        "result_code": known,
        "hresult": com_history.hresult_of(cells.get("hresult")),
        "title": title,
        "kb": text.kb_of(word(cells.get("kb"))) or text.kb_of(title),
        "update_id": com_history.id_of(identity),
        "client_application_id": word(cells.get("clientapplicationid")),
        "source_kind": kind,
    }


def _when(stamp: str, order: dates.Order, *, full_day: bool) -> dates.When | None:
    """Read a date of any form: the kind Local is UTC in 5.1's JSON, and has its offset in 7's."""
    if slashed := _SLASHED.fullmatch(stamp):
        moment = com_history.milliseconds(int(slashed[1]))
        return dates.instant(moment) if moment is not None else None
    if _ISO.fullmatch(stamp):
        return com_history.stated(stamp)
    if not stamp.endswith(_CUT):
        return dates.read_local(stamp, order)
    whole = stamp.rstrip(".\u2026 ")
    clock = _CUT_CLOCK.fullmatch(whole)
    # The question mark stands for a word that may have been cut off: both halves of the day.
    read = dates.read_local(clock[1] + ("" if full_day else " ?"), order) if clock else None
    return read or dates.read_day(whole, order)


def _counts_to_24(stamp: str) -> bool:
    clock = re.search(r"[ T](\d{1,2})[:.]\d\d", stamp)
    return clock is not None and not 1 <= int(clock[1]) <= 12


def _mark(stamp: str, when: dates.When | None) -> Iterator[tuple[pd.Timestamp, int]]:
    """Give the offset that a time of PowerShell 7 or Clixml states; ``Z`` says nothing of it."""
    zone = _ISO.fullmatch(stamp)
    if zone and zone[1] != "Z" and when and when.date is not None:
        yield when.date, int(dates.offset_of(zone[1]).total_seconds() // 60)
