"""NirSoft's WinUpdatesView as CSV or tab-separated text, by the names of its columns.

The program prints its columns in the order and choice of its user, in the locale of the machine
it ran on, and in local time or GMT by an option that the file does not state: times are intervals
of all offsets. Its column names were taken from its description, no real file was seen; so every
column is optional but title, update id and a date, and a file without a header is not recognised.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kitlib import schema
from kitlib.readers import lines as lines_of
from kitlib.readers import text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates import com_history
from kitlib.readers.updates.hotfix import checked
from kitlib.readers.updates.pswindowsupdate import history_rows, open_words

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND: Final = "winupdatesview"

_HEADER: Final = frozenset({"title", "update id"})
_DATES: Final = ("install date", "update date", "installation date", "date")
_OPERATIONS: Final = ("operation", "operation type", "update type", "install type")
_RESULTS: Final = ("install result", "update result", "operation result", "result")
_CODES: Final = ("hresult", "error code", "result code")
_CLIENTS: Final = ("client application id", "client application", "client id")
_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LOST: Final = "WinUpdatesView prints times without saying whether they are local or GMT"


def _header(whole: str) -> tuple[int, str] | None:
    """Return the line of the header and the name of its date column."""
    for date in _DATES:
        number = text.header_line(whole, _HEADER | {date})
        if number:
            return number, date
    return None


def read(data: bytes) -> Parsed:
    """Read an export of WinUpdatesView.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `updates` with one row an entry, basis ``local``; `problems` with what could not be read
        and what the format does not say.
    """
    decoded = text.decode(data)
    header = _header(decoded.text)
    if header is None:
        return parsed(problems=[{"reason": "no header of WinUpdatesView in it"}])
    number, date = header
    problems = Remarks()
    problems.append({"reason": LOST, "records_lost": 0})
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    rows = list(checked(_rows(decoded.text, number), problems))
    made = history_rows(rows, date=date, kind=KIND, problems=problems)
    for one, row in zip(made, rows, strict=True):
        one.update(_outcome(row.cells))
        one["kb"] = one["kb"] or text.kb_of(row.cells.get("kb", ""))
    problems.extend(open_words(made, rows))
    return parsed(updates=schema.frame("updates", made), problems=problems)


def _rows(whole: str, number: int) -> Iterator[text.Row]:
    """Cut the rows. The tab form quotes nothing: a quotation mark that begins a cell is its own."""
    begun = lines_of.split_keeping_ends(whole)[:number]
    if "\t" not in begun[-1] or '"' in begun[-1]:
        yield from text.cells(whole, header_line=number)
        return
    names = [name.strip().lower() for name in begun[-1].split("\t")]
    for line, row in enumerate(whole[sum(map(len, begun)) :].split("\n"), number + 1):
        if row.strip():
            values = [value.strip() for value in row.split("\t")]
            named = dict(zip(names, values, strict=False))
            yield text.Row(line, named, len(values) - len(names))


def _outcome(cells: dict[str, str]) -> dict[str, str]:
    update_id = cells.get("update id", "").strip("{}").lower()
    operations = map(com_history.operation_of, _named(cells, _OPERATIONS))
    results = map(com_history.result_of, _named(cells, _RESULTS))
    return {
        "operation": next(filter(None, operations), ""),
        "result_code": next(filter(None, results), ""),
        "hresult": com_history.hresult_of(next(iter(_named(cells, _CODES)), "")),
        "update_id": update_id if _GUID.fullmatch(update_id) else "",
        "client_application_id": next(iter(_named(cells, _CLIENTS)), ""),
    }


def _named(cells: dict[str, str], names: tuple[str, ...]) -> list[str]:
    return [cells[name] for name in names if cells.get(name)]
