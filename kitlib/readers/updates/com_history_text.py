r"""The COM update history as printed text: ``QueryHistory | Export-Csv`` and ``| Format-List``.

`Export-Csv` prints COM's UTC date in the form of the session's culture and without saying UTC, so
no offset is involved, but the order of day and month is: it is decided per file or left open
(COM gives the newest entry first, which helps to decide). Columns are read by name, with ``;`` or
``,``, with and without the ``#TYPE`` line of PowerShell 5.1. Objects inside of an entry flatten to
``System.__ComObject``, which costs the update ids.

`Format-List` puts each property on a line, names padded to the longest; long values go on below
their beginning. `listed` reads it also inside of other text. That layout was taken from
PowerShell's formatter as described, no real file was seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.updates import com_history
from kitlib.readers.updates.hotfix import checked, doubts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CSV_KIND: Final = "com_history_csv"
LIST_KIND: Final = "com_history_list"

_HEADERS: Final = (
    frozenset({"title", "date", "resultcode"}),
    frozenset({"title", "date", "result_code"}),
    frozenset({"title", "date_utc", "result_code"}),
)
_FLAT: Final = "system.__comobject"
_LISTED: Final = re.compile(r"( {0,40})([A-Za-z_]{1,40}) {0,40}: ?")
KNOWN: Final = frozenset(
    {
        "operation",
        "resultcode",
        "hresult",
        "date",
        "title",
        "clientapplicationid",
        "updateid",
        "pscomputername",
    }
)
"""Properties of COM's entry, in lower case, that say something here."""
_IDENTITY: Final = re.compile(
    r"\s{0,99}([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s+\d", re.IGNORECASE
)
_LONGEST_TITLE: Final = 1000

Placed = tuple[int, com_history.Entry]


def _header(whole: str) -> int:
    return next(filter(None, (text.header_line(whole, names) for names in _HEADERS)), 0)


def read_csv(data: bytes) -> Parsed:
    """Read ``QueryHistory | Export-Csv``.

    Parameters
    ----------
    data
        The whole file, in any encoding PowerShell writes.

    Returns
    -------
    Parsed
        `updates` with one row an entry, basis ``utc``; `problems` with what could not be read, or
        not be decided.
    """
    decoded = text.decode(data)
    problems = com_history.noted(decoded)
    number = _header(decoded.text)
    if not number:
        problems.append({"reason": "no header of an update history in it"})
        return parsed(problems=problems)
    rows = list(checked(text.cells(decoded.text, header_line=number), problems))
    flat = sum(row.cells.get("updateidentity", "").lower() == _FLAT for row in rows)
    if flat:
        reason = f"the ids of {flat} updates are lost: Export-Csv flattens what is inside of them"
        problems.append({"reason": reason, "records_lost": 0})
    entries = ((row.line, com_history.named(row.cells)) for row in rows)
    return history(entries, kind=CSV_KIND, problems=problems)


def read_list(data: bytes) -> Parsed:
    """Read ``QueryHistory | Format-List``; parameters and result as `read_csv`."""
    decoded = text.decode(data)
    problems = com_history.noted(decoded)
    return history(listed(decoded.text), kind=LIST_KIND, problems=problems)


def listed(whole: str, *, known: frozenset[str] = KNOWN) -> Iterator[Placed]:
    """Give the entries of the history that a text lists property by property.

    Parameters
    ----------
    whole
        The text; lines that are no property of an entry are passed over.
    known
        The properties of an entry, in lower case.

    Yields
    ------
    int, dict
        The line (from 1) of the first property, and the properties by lower-case name.
    """
    entry: dict[str, str] = {}
    begun, column, last = 0, 0, ""
    for number, line in enumerate(lines_of.split(whole), 1):
        found = _LISTED.match(line)
        name = found[2].lower() if found else ""
        if found and name in known:
            if name in entry and name != "updateid":
                yield begun, entry
                entry = {}
            begun = begun if entry else number
            entry[name], column, last = line[found.end() :].strip(), found.end(), name
        elif found or not line.startswith(" " * (column or 1)) or not line.strip():
            last = ""
        elif last == "title" and len(entry[last]) < _LONGEST_TITLE:
            entry[last] = f"{entry[last]} {line.strip()}"
        if (identity := _IDENTITY.match(line)) and entry:
            entry["updateid"] = identity[1]
    if entry:
        yield begun, entry


def history(entries: Iterable[Placed], *, kind: str, problems: list[dict[str, Any]]) -> Parsed:
    """Make the tables of a printed history.

    Parameters
    ----------
    entries
        Line and properties (`kitlib.readers.updates.com_history.named`) of each entry, in order.
    kind
        For `source_kind`.
    problems
        What was found so far; more is added.
    """
    placed = list(entries)
    order = order_of(entry for _, entry in placed)
    made = rows(placed, order, kind=kind, problems=problems)
    problems.extend(doubts(made, order))
    if not made:
        problems.append({"reason": "holds no entry of an update history", "records_lost": 0})
    return parsed(updates=schema.frame("updates", made), problems=problems)


def order_of(entries: Iterable[com_history.Entry]) -> dates.Order:
    """Decide the order of day and month from all dates of a history that need one."""
    stamps = [str(entry.get("date") or "") for entry in entries]
    return dates.order_in_time(stamp for stamp in stamps if com_history.stated(stamp) is None)


def rows(
    placed: Iterable[Placed], order: dates.Order, *, kind: str, problems: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Make the rows of entries whose dates are in a known, or unknown, order."""
    made = (
        com_history.row_of(
            entry,
            kind=kind,
            place=f"line {line}",
            problems=problems,
            when=lambda stamp: com_history.printed(stamp, order),
        )
        for line, entry in placed
    )
    return [row for row in made if row]
