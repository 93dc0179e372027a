"""osquery's tables `patches` and `windows_update_history` as JSON.

`osqueryi --json` gives an array of rows, all values text; the logs of `osqueryd` give an object a
line, with the rows under ``columns`` or ``snapshot`` and the host under ``hostIdentifier``. A row
reported as removed says only that it is not in the table any more, which is no uninstall, and is
left out. `patches` holds raw WMI strings, so dates are month first or a FILETIME; the history
holds seconds since 1970 UTC and is read as the COM history that it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.json_objects import into, objects, word
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates import com_history
from kitlib.readers.updates.hotfix import doubts, not_a_date, qfe_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PATCHES_KIND: Final = "osquery_patches"
HISTORY_KIND: Final = "osquery_update_history"

Row = dict[str, Any]


def read_patches(data: bytes) -> Parsed:
    """Read rows of osquery's table `patches`.

    Parameters
    ----------
    data
        The whole file: an array, or an object a line.

    Returns
    -------
    Parsed
        `updates` with one row an installed update, basis ``date``, or ``utc`` where WMI gives a
        FILETIME; `problems` with what could not be read.
    """
    decoded = text.decode(data)
    problems = _noted(decoded)
    rows = list(_rows(_entries(decoded, problems), "hotfix_id", problems))
    stamps = [word(row.get("installed_on")) for row in rows]
    order = dates.order_of(stamps)
    # Measured: raw WMI dates are month first, so an undecided file is no doubt here.
    order = "month first" if order == "undecided" else order
    made = []
    for number, (row, stamp) in enumerate(zip(rows, stamps, strict=True), 1):
        when = dates.filetime(stamp) or dates.read_day(stamp, order)
        if when is None and stamp:
            problems.append(not_a_date(number, stamp) | {"place": f"entry {number}"})
        cells = {name: word(value) for name, value in row.items()}
        made.append(qfe_row(cells, when or dates.UNKNOWN, kind=PATCHES_KIND))
    problems.extend(doubts(made, order))
    return parsed(updates=schema.frame("updates", made), problems=problems)


def read_history(data: bytes) -> Parsed:
    """Read rows of osquery's table `windows_update_history`.

    Parameters
    ----------
    data
        The whole file: an array, or an object a line.

    Returns
    -------
    Parsed
        `updates` with one row an entry, basis ``utc``; `problems` with what could not be read.
    """
    decoded = text.decode(data)
    problems = _noted(decoded)
    rows = list(_rows(_entries(decoded, problems), "result_code", problems))
    read = com_history.read(json.dumps(rows).encode())
    found = schema.frame("problems", problems)
    return parsed(
        updates=read.updates.assign(source_kind=HISTORY_KIND),
        problems=schema.concat("problems", [found, read.problems]),
    )


def _noted(decoded: text.Text) -> Remarks:
    remarks = Remarks()
    if decoded.note:
        remarks.append({"reason": decoded.note, "records_lost": 0})
    return remarks


def _entries(decoded: text.Text, problems: list[dict[str, Any]]) -> Iterator[Row]:
    return (entry for _, entry in objects(decoded.text, into(problems)))


def _rows(entries: Iterable[Row], key: str, problems: list[dict[str, Any]]) -> Iterator[Row]:
    """Take the rows out of plain entries and of log entries."""
    gone = number = 0
    for number, entry in enumerate(entries, 1):
        found = list(_unpacked(entry))
        if entry.get("action") == "removed":
            gone += len(found)
            continue
        rows = [row for row in found if key in row]
        yield from rows
        if not rows:
            reason = f"an entry without {key}"
            problems.append({"place": f"entry {number}", "reason": reason, "records_lost": 1})
    if not number and not problems:
        problems.append({"reason": f"holds no entry with {key}"})
    if gone:
        reason = f"{gone} rows are reported as removed from the table, which is no uninstall"
        problems.append({"reason": reason, "records_lost": 0})


def _unpacked(entry: Row) -> Iterator[Row]:
    inner = entry.get("snapshot", entry.get("columns", entry))
    host = {"host": name} if (name := word(entry.get("hostIdentifier"))) else {}
    for row in inner if isinstance(inner, list) else [inner]:
        if isinstance(row, dict):
            yield host | {str(column): value for column, value in row.items()}
