"""`Get-HotFix` as CSV or as the console's table: what is installed now, by local date.

PowerShell prints `InstalledOn` in the culture of whoever ran it, without a zone and always at
midnight; older versions leave it blank where the day is above 12. So a date is a whole local day,
its order is decided per file (see `kitlib.readers.dates`), and a blank one is an unknown date,
not a missing update. Updates that were removed or replaced leave no row: this source can show a
fix, never an uninstall.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from kitlib.readers.sniffing import Head

KIND: Final = "get_hotfix"

HOST_COLUMNS: Final = (
    "csname",
    "node",
    "pscomputername",
    "computername",
    "source",
    "host",
    "__server",
)
"""Columns that name the host a row is from, the best first."""
_NO_HOST: Final = frozenset({"", ".", "localhost", "127.0.0.1"})
_RAW: Final = "installed_on_raw"


def is_listing(head: Head) -> bool:
    """Tell a `Get-HotFix` export, CSV or table, by its header."""
    return _header(head.lines) is not None


def _header(lines: Sequence[str]) -> tuple[int, bool] | None:
    """Find the header: its line from 1, and whether the file is a fixed-width table."""
    for number, line in enumerate(lines[:20], 1):
        names = [name.strip(' "').lower() for name in line.split(text.separator(line))]
        if {"hotfixid", "hotfix_id"} & set(names) and len(names) > 1:
            return None if names[0] == "node" else (number, False)
        dashes = lines[number].split() if number < len(lines) else []
        if "HotFixID" in line.split() and dashes and all(set(dash) == {"-"} for dash in dashes):
            return number, True
    return None


def read(data: bytes) -> Parsed:
    """Read a `Get-HotFix` export.

    Parameters
    ----------
    data
        The whole file, in any encoding Windows writes.

    Returns
    -------
    Parsed
        `updates` with one row an installed update, basis ``date``; `problems` with what could
        not be read or not be decided.
    """
    decoded = text.decode(data)
    lines = lines_of.split(decoded.text)
    header = _header(lines)
    if header is None:
        return parsed(problems=[{"reason": "no header with HotFixID in it"}])
    number, fixed = header
    problems: list[dict[str, Any]] = []
    rows = list(
        text.columns(lines, header_line=number)
        if fixed
        else checked(text.cells(decoded.text, header_line=number), problems)
    )
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    return parsed(updates=_updates(rows, problems), problems=problems)


def checked(rows: Iterator[text.Row], problems: list[dict[str, Any]]) -> Iterator[text.Row]:
    """Pass rows on; note those whose cells do not fit the header, and where the CSV breaks off."""
    line = 0
    try:
        for row in rows:
            line = row.line
            if row.surplus:
                found = len(row.cells) if row.surplus < 0 else len(row.cells) + row.surplus
                problems.append(
                    {
                        "place": f"line {line}",
                        "reason": f"{found} cells where the header has {found - row.surplus}",
                        "records_lost": 0,
                    }
                )
            yield row
    except csv.Error as error:
        problems.append({"place": f"after line {line}", "reason": f"broken CSV: {error}"})


def _updates(rows: list[text.Row], problems: list[dict[str, Any]]) -> pd.DataFrame:
    raw = any(_RAW in row.cells for row in rows)
    column = _RAW if raw else "installedon"
    # The raw WMI string is M/d/yyyy whatever the culture; a printed date has to be decided.
    order: dates.Order = (
        "month first" if raw else dates.order_of(row.cells.get(column, "") for row in rows)
    )
    made = [qfe_row(row.cells, _when(row, column, order, problems), kind=KIND) for row in rows]
    problems.extend(doubts(made, order))
    return schema.frame("updates", made)


def _when(
    row: text.Row, column: str, order: dates.Order, problems: list[dict[str, Any]]
) -> dates.When:
    value = row.cells.get(column, "")
    if not value:
        return dates.UNKNOWN
    when = dates.read_day(value, order) or dates.filetime(value)
    if when is None:
        problems.append(not_a_date(row.line, value))
    return when or dates.UNKNOWN


def not_a_date(line: int, value: str) -> dict[str, Any]:
    """Return the row of `problems` for a date that is none; the update itself is kept."""
    return {
        "place": f"line {line}",
        "reason": f"InstalledOn {value[:40]!r} is not a date: taken as unknown",
        "records_lost": 0,
    }


def doubts(made: list[dict[str, Any]], order: dates.Order) -> Iterator[dict[str, Any]]:
    """Give the rows of `problems` for dates that are missing or allow two readings.

    Parameters
    ----------
    made
        Rows of table `updates`, with None where a date is open.
    order
        What `kitlib.readers.dates.order_of` said about the file.
    """
    blank = sum(row["date_low"] is None for row in made)
    if blank:
        yield {
            "reason": f"{blank} of {len(made)} updates have no install date: the date is unknown",
            "records_lost": 0,
        }
    open_dates = sum(row["date_low"] is not None and row["date"] is None for row in made)
    if open_dates:
        why = (
            "no value decides whether the day or the month stands first"
            if order == "undecided"
            else "some dates are day first and some month first"
        )
        yield {
            "reason": f"{why}: {open_dates} dates are given as the span of both readings",
            "records_lost": 0,
        }


def qfe_row(cells: dict[str, str], when: dates.When, *, kind: str) -> dict[str, Any]:
    """Turn one row of Win32_QuickFixEngineering into a row of table `updates`.

    Parameters
    ----------
    cells
        Values by lower-case column name.
    when
        The install date.
    kind
        For `source_kind`.
    """
    hotfix = cells.get("hotfixid", "") or cells.get("hotfix_id", "")
    kb = _kb(hotfix, cells)
    words = [cells.get("description", ""), "" if kb and kb in hotfix else hotfix]
    return {
        "host": host_of(cells),
        **when.cells(),
        "operation": "install",
        "result_code": "succeeded",
        "title": " ".join(filter(None, words)),
        "kb": kb,
        "source_kind": kind,
    }


def _kb(hotfix: str, cells: dict[str, str]) -> str:
    """Take the KB from HotFixID; XP writes 'File 1' there and the KB in the next best column."""
    if re.fullmatch(r"\d{6,8}", hotfix):
        return f"KB{hotfix}"
    return text.kb_of(hotfix) or text.kb_of(cells.get("servicepackineffect", ""))


def host_of(cells: dict[str, str], names: Iterable[str] = HOST_COLUMNS) -> str:
    """Return the host a row names, or an empty string."""
    values = (cells.get(name, "").strip("\\ ") for name in names)
    return next((value for value in values if value.lower() not in _NO_HOST), "")
