"""`Get-WUHistory` of the PowerShell module PSWindowsUpdate as CSV.

It prints the COM history with one change that matters: the time is the host's local one, in the
culture of the session, without a zone. So a time is an interval of all offsets, and the order of
day and month is decided per file. Error codes, update ids and clients are lost in this format.
`kitlib.readers.updates.pswindowsupdate_forms` reads the other forms of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates import com_history
from kitlib.readers.updates.hotfix import checked, doubts, host_of

if TYPE_CHECKING:
    from collections.abc import Iterable

KIND: Final = "pswindowsupdate"

_HEADER: Final = frozenset({"operationname", "date", "title", "result", "kb"})
LOST: Final = "PSWindowsUpdate prints local times without a zone, no error codes and no update ids"


def read(data: bytes) -> Parsed:
    """Read `Get-WUHistory | Export-Csv`.

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
    number = text.header_line(decoded.text, _HEADER)
    if not number:
        return parsed(problems=[{"reason": "no header of Get-WUHistory in it"}])
    problems = Remarks()
    problems.append({"reason": LOST, "records_lost": 0})
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    rows = list(checked(text.cells(decoded.text, header_line=number), problems))
    made = history_rows(rows, date="date", kind=KIND, problems=problems)
    for row, entry in zip(made, rows, strict=True):
        row["operation"] = com_history.operation_of(entry.cells.get("operationname"))
        row["result_code"] = com_history.result_of(entry.cells.get("result"))
        row["kb"] = row["kb"] or text.kb_of(entry.cells.get("kb", ""))
    problems.extend(open_words(made, rows))
    return parsed(updates=schema.frame("updates", made), problems=problems)


def history_rows(
    rows: list[text.Row], *, date: str, kind: str, problems: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return what rows of a printed history have in common: host, local time, title and KB.

    Parameters
    ----------
    rows
        The rows of the file.
    date
        The column with the local time.
    kind
        For `source_kind`.
    problems
        Takes what is not a date or allows two readings.
    """
    order = dates.order_of(row.cells.get(date, "") for row in rows)
    made = []
    for row in rows:
        stamp, title = row.cells.get(date, ""), row.cells.get("title", "")
        when = dates.read_local(stamp, order)
        if when is None and stamp:
            reason = f"{stamp[:40]!r} is not a date: taken as unknown"
            problems.append({"place": f"line {row.line}", "reason": reason, "records_lost": 0})
        made.append(
            {
                "host": host_of(row.cells),
                **(when or dates.UNKNOWN).cells(),
                "title": title,
                "kb": text.kb_of(title),
                "source_kind": kind,
            }
        )
    problems.extend(doubts(made, order))
    return made


def open_words(made: list[dict[str, Any]], rows: Iterable[text.Row]) -> list[dict[str, Any]]:
    """Return the rows of `problems` for entries whose operation or result is not understood."""
    return [
        {
            "place": f"line {row.line}",
            "reason": "its operation or result is not known: left open",
            "records_lost": 0,
        }
        for one, row in zip(made, rows, strict=True)
        if not (one["operation"] and one["result_code"])
    ]
