"""`wmic qfe`: the same inventory as `Get-HotFix`, as CSV, fixed-width table or list.

Here `InstalledOn` is the raw WMI string: M/d/yyyy from Windows 7 on, whatever the user's culture;
before that a FILETIME in hex or yyyyMMdd. The CSV form begins with an empty line, names the host
in `Node` and quotes nothing. All forms come as UTF-16 when redirected, and with doubled carriage
returns when piped. XP has rows without dates and rows whose id is no KB; they are kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.updates.hotfix import not_a_date, qfe_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kitlib.readers.sniffing import Head

KIND: Final = "wmic_qfe"

_COLUMNS: Final = frozenset(
    re.split(
        " ",
        "caption csname description fixcomments hotfixid installdate installedby installedon name node "
        "servicepackineffect status",
    )
)
_TEXT_COLUMN: Final = "fixcomments"
_DATE: Final = re.compile(r"(?<!\S)(\d{1,2}/\d{1,2}/\d{4}|\d{8}|[0-9a-f]{16})(?!\S)")


def is_dump(head: Head) -> bool:
    """Tell a `wmic qfe` dump of any form by its header or its first keys."""
    return _form(head.lines) is not None


def _form(lines: Sequence[str]) -> tuple[str, int] | None:
    """Find the form ('csv', 'table' or 'list') and the line, from 1, where it begins."""
    # A prompt, a typed command or a first-run notice may stand above.
    for number, line in enumerate(lines[:40], 1):
        names = [name.strip().lower() for name in line.split(",")]
        if names[0] == "node" and "hotfixid" in names:
            return "csv", number
        words = line.lower().split()
        if "hotfixid" in words and _COLUMNS.issuperset(words) and not _dashes(lines[number:]):
            return "table", number
        if line.startswith("HotFixID="):
            return "list", 1
    return None


def _dashes(below: Sequence[str]) -> bool:
    """Tell PowerShell's tables, which underline their header, from wmic's."""
    return bool(below) and bool(below[0].strip()) and not below[0].strip(" -")


def read(data: bytes) -> Parsed:
    """Read a `wmic qfe` dump.

    Parameters
    ----------
    data
        The whole file, in any encoding Windows writes.

    Returns
    -------
    Parsed
        `updates` with one row an installed update: basis ``date``, or ``utc`` where WMI gives a
        FILETIME; `problems` with what could not be read.
    """
    decoded = text.decode(data)
    lines = lines_of.split(decoded.text)
    form = _form(lines)
    if form is None:
        return parsed(problems=[{"reason": "no header with HotFixID in it"}])
    name, number = form
    rows = [row for row in _FORMS[name](lines, number) if any(row.cells.values())]
    problems: list[dict[str, Any]] = []
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    order = dates.order_of(row.cells.get("installedon", "") for row in rows)
    # Measured: raw WMI dates are month first, so an undecided file is no doubt here.
    order = "month first" if order == "undecided" else order
    made = [qfe_row(row.cells, _when(row, order, problems), kind=KIND) for row in rows]
    problems.extend(_unread(decoded.text, made))
    return parsed(updates=schema.frame("updates", made), problems=problems)


def _csv(lines: list[str], number: int) -> Iterator[text.Row]:
    names = [name.strip().lower() for name in lines[number - 1].split(",")]
    for at, line in enumerate(lines[number:], number + 1):
        if line.strip():
            values = [value.strip() for value in line.split(",")]
            fitted = _fit(values, names)
            yield text.Row(at, dict(zip(names, fitted, strict=False)), len(fitted) - len(names))


def _fit(values: list[str], names: list[str]) -> list[str]:
    """Give surplus commas, which wmic does not quote, back to the one free-text column."""
    surplus = len(values) - len(names)
    if surplus <= 0 or _TEXT_COLUMN not in names:
        return values
    at = names.index(_TEXT_COLUMN)
    return [*values[:at], ",".join(values[at : at + surplus + 1]), *values[at + surplus + 1 :]]


def _table(lines: list[str], number: int) -> Iterator[text.Row]:
    for row in text.columns(lines, header_line=number):
        yield _straightened(row, lines[row.line - 1])


def _straightened(row: text.Row, line: str) -> text.Row:
    """Find id and date by their own look where a wide or edited cell pushed them aside."""
    found = dict(row.cells)
    kb = re.search(r"(?<!\S)KB\d{6,8}(?!\S)", line)
    if kb:
        found["hotfixid"] = kb[0]
    date = _DATE.search(line)
    if date:
        found["installedon"] = date[0]
    return text.Row(row.line, found)


def _list(lines: list[str], _number: int) -> Iterator[text.Row]:
    cells: dict[str, str] = {}
    start = 1
    for at, line in enumerate(lines, 1):
        name, equals, value = line.partition("=")
        key = name.strip().lower()
        if not equals or key not in _COLUMNS:
            continue
        if key in cells:  # the keys begin again: a new update
            yield text.Row(start, cells)
            cells, start = {}, at
        cells[key] = value.strip()
    yield text.Row(start, cells)


_FORMS: Final = {"csv": _csv, "table": _table, "list": _list}


def _when(row: text.Row, order: dates.Order, problems: list[dict[str, Any]]) -> dates.When:
    value = row.cells.get("installedon", "")
    if not value:
        return dates.UNKNOWN
    when = dates.filetime(value) or dates.read_day(value, order)
    if when is None:
        problems.append(not_a_date(row.line, value))
    return when or dates.UNKNOWN


def _unread(whole: str, made: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Cross-check: every KB the text names should be in some row."""
    missing = text.kb_counts(whole).keys() - {row["kb"] for row in made}
    if missing:
        yield {
            "reason": f"names {', '.join(sorted(missing))}, which no row read from it holds",
            "records_lost": len(missing),
        }
