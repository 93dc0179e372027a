"""`Get-HotFix` as JSON (PowerShell 5.1 and 7) and as Clixml: what is installed now, by local date.

Both keep the local midnight that PowerShell has for `InstalledOn`. JSON of 5.1 moves it to UTC,
with the offset of the host, so its day is known exactly (see `kitlib.readers.updates.midnights.read_midnight`);
JSON of 7 and Clixml give the bare date. Where a text stands instead of a date, it is a printed
one and its order is decided per file. Clixml is read without document types and entities.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.json_objects import into, objects, word
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates.hotfix import doubts, not_a_date, qfe_row
from kitlib.readers.updates.midnights import read_midnight
from kitlib.readers.xml_tree import Broken, XmlText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitlib.readers.payload import Element

JSON_KIND: Final = "get_hotfix_json"
CLIXML_KIND: Final = "get_hotfix_clixml"

_NAME: Final = re.compile(r"<S N=\"hotfixid\"[ >/]", re.IGNORECASE)
# An object of its own; those inside of another have the name of a property, or are in a list.
_OBJECT: Final = re.compile(r"<Obj(?=[\s>])(?![^>]{0,200}\sN=)")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_DATE: Final = "installedon"


def read_json(data: bytes) -> Parsed:
    """Read `Get-HotFix | ConvertTo-Json`.

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
    problems = _noted(decoded)
    rows = []
    for number, (_, entry) in enumerate(objects(decoded.text, into(problems)), 1):
        cells = _json_cells(entry)
        if "hotfixid" in cells:
            rows.append(text.Row(number, cells))
        else:
            reason = "an entry without HotFixID"
            problems.append({"place": f"entry {number}", "reason": reason, "records_lost": 1})
    return _finish(rows, JSON_KIND, problems)


def read_clixml(data: bytes) -> Parsed:
    """Read `Get-HotFix | Export-Clixml`.

    Parameters
    ----------
    data
        The whole file, in any encoding Windows writes.

    Returns
    -------
    Parsed
        As `read_json`.
    """
    decoded = text.decode(data)
    problems = _noted(decoded)
    found = clixml_objects(decoded.text, problems, sign=_NAME)
    named = ((number, _clixml_cells(element)) for number, element in found)
    rows = [text.Row(number, cells) for number, cells in named if "hotfixid" in cells]
    return _finish(rows, CLIXML_KIND, problems)


def _noted(decoded: text.Text) -> Remarks:
    remarks = Remarks()
    if decoded.note:
        remarks.append({"reason": decoded.note, "records_lost": 0})
    return remarks


def _json_cells(entry: dict[str, Any]) -> dict[str, str]:
    cells = {str(key).lower(): word(value) for key, value in entry.items()}
    for key, value in entry.items():  # {"value": "/Date(ms)/", "DateTime": "..."}
        if str(key).lower() == _DATE and isinstance(value, dict):
            cells[_DATE] = word(value.get("value"))
    return cells


def clixml_objects(
    whole: str, problems: list[dict[str, Any]], *, sign: re.Pattern[str]
) -> Iterator[tuple[int, Element]]:
    """Give the objects of a Clixml file that are not inside of others, each with its number.

    Parameters
    ----------
    whole
        The text.
    problems
        Takes the objects that are not whole.
    sign
        What a broken object must hold to count as lost.
    """
    xml, after, number = XmlText(whole), 0, 0
    while (begin := xml.find(_OBJECT, after)) is not None:
        try:
            element, after = xml.element(begin.start(), again=_OBJECT)
        except Broken as error:
            after = begin.end()
            following = xml.find(_OBJECT, after)
            if sign.search(whole, after, following.start() if following else len(whole)):
                number += 1
                reason = f"an object that is not whole: {error}"
                problems.append({"place": f"entry {number}", "reason": reason, "records_lost": 1})
            continue
        number += 1
        yield number, element
    if xml.foreign:
        reason = f"refers to {len(xml.foreign)} entities, which are left as they are written"
        problems.append({"reason": reason, "records_lost": 0})


def _clixml_cells(element: Element) -> dict[str, str]:
    """Take the properties of one object; a date is worth more than the text of the same name."""
    cells: dict[str, str] = {}
    properties = (
        inner
        for part in element.children
        if part.name in ("MS", "Props")
        for inner in part.children
    )
    for inner in properties:
        name = (inner.attributes.get("N") or "").lower()
        if inner.name == "DT" or name not in cells:
            cells[name] = word(_ESCAPED.sub(_character, inner.text or ""))
    return cells


def _character(found: re.Match[str]) -> str:
    """Return what Clixml spells ``_x000A_``: a control character or half a pair."""
    return chr(int(found[1], 16))


def _finish(rows: list[text.Row], kind: str, problems: list[dict[str, Any]]) -> Parsed:
    values = [row.cells.get(_DATE, "") for row in rows]
    order = dates.order_of(value for value in values if read_midnight(value) is None)
    made = [
        qfe_row(row.cells, _when(row.line, value, order, problems), kind=kind)
        for row, value in zip(rows, values, strict=True)
    ]
    if not made and not problems:
        problems.append({"reason": "holds no object with HotFixID"})
    problems.extend(doubts(made, order))
    return parsed(updates=schema.frame("updates", made), problems=problems)


def _when(
    number: int, value: str, order: dates.Order, problems: list[dict[str, Any]]
) -> dates.When:
    if not value:
        return dates.UNKNOWN
    when = read_midnight(value) or dates.read_day(value, order)
    if when is None:
        problems.append(not_a_date(number, value) | {"place": f"entry {number}"})
    return when or dates.UNKNOWN
