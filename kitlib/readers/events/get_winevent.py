"""PowerShell's ``Get-WinEvent`` through Export-Csv, ConvertTo-Json or Export-Clixml.

CSV has local times in the culture's form to whole seconds, no event data but the message, and is
ASCII in Windows PowerShell 5.1. JSON has UTC to milliseconds (``/Date(ms)/``: right here, because
event times are of kind Local) or, from PowerShell 7, ISO with the offset. Clixml has the offset
and 100 ns, and the values of the event data without their names: they are the unnamed ``Data``.

Columns are found by name, so that what came through ``Select-Object`` is read as well; columns
that an event does not have go into ``data`` by their name. ``TaskDisplayName`` is dropped: 5.1
writes the same wrong word into every row. Keywords are signed numbers.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers.events.exports import (
    clean,
    csv_records,
    finish,
    header,
    make_row,
    read_fields,
    rendered_keywords,
    rendering,
    start,
    tidy,
    timed,
)
from kitlib.readers.json_objects import objects
from kitlib.readers.lines import Lines
from kitlib.readers.xml_tree import Broken, XmlText

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitlib.readers.base import Parsed
    from kitlib.readers.payload import Element, Row

KIND_CSV: Final = "get_winevent_csv"
KIND_JSON: Final = "get_winevent_json"
KIND_CLIXML: Final = "get_winevent_clixml"

COLUMNS: Final[Mapping[str, str]] = {
    "machinename": "host",
    "logname": "channel",
    "providername": "provider",
    "id": "event_id",
    "qualifiers": "qualifiers",
    "version": "version",
    "level": "level",
    "task": "task",
    "opcode": "opcode",
    "keywords": "keywords",
    "recordid": "record_id",
    "processid": "process_id",
    "threadid": "thread_id",
    "userid": "user_id",
    "activityid": "activity_id",
}
"""Properties of an EventLogRecord, lower case, and their columns."""

_OTHER: Final = frozenset(
    {
        "timecreated",
        "message",
        "properties",
        "leveldisplayname",
        "opcodedisplayname",
        "taskdisplayname",
        "keywordsdisplaynames",
        "providerid",
        "relatedactivityid",
        "containerlog",
        "matchedqueryids",
        "bookmark",
        "pscomputername",
        "psshowcomputername",
        "runspaceid",
    }
)
_KNOWN: Final = _OTHER | set(COLUMNS)
_TYPE: Final = re.compile(r"System\.[\w.`+\[\],]*")
"""A type's name stands where PowerShell wrote no content."""
_LABEL: Final = "a Get-WinEvent export"


def read_csv(data: bytes) -> Parsed:
    """Read ``Get-WinEvent | Export-Csv``; see the top of the module."""
    whole, found = start(data)
    table = header(whole)
    if table:
        for _, cells in csv_records(whole, table, found):
            found.rows.append(_row(cells))
    remarks = ["event data, but for what the message says", "fractions of seconds"]
    return finish(found, label=f"{_LABEL} as CSV", remarks=remarks)


def read_json(data: bytes) -> Parsed:
    """Read ``Get-WinEvent | ConvertTo-Json`` of PowerShell 5.1 or 7."""
    whole, found = start(data)
    milliseconds = False
    for place, entry in objects(whole, found.lose):
        milliseconds = milliseconds or _time_of(entry).startswith("/Date(")
        if {"id", "timecreated", "providername"} & {name.lower() for name in entry}:
            found.rows.append(_row(entry))
        else:
            found.lose("an object that is no event", place=place)
    remarks = [
        "the names of the event data's values"
        if any("Data" in row.data for row in found.rows)
        else "event data, but for what the message says"
    ]
    if milliseconds:
        remarks.append("fractions of milliseconds")
    return finish(found, label=f"{_LABEL} as JSON", remarks=remarks)


def _time_of(entry: Mapping[str, Any]) -> str:
    stamps = (value for name, value in entry.items() if name.lower() == "timecreated")
    return _plain(next(stamps, None)) or ""


def _row(properties: Mapping[str, Any]) -> Row:
    """Make a row of an event's properties, whose names' case does not count."""
    named = {name.lower(): value for name, value in properties.items()}
    texts = {COLUMNS[name]: _plain(value) for name, value in named.items() if name in COLUMNS}
    if not texts.get("host"):
        texts["host"] = _plain(named.get("pscomputername"))
    fields = read_fields(texts)
    time, data = timed(_plain(named.get("timecreated")))
    fields["time_created"] = time
    values = _values(named.get("properties"))
    if values:
        data["Data"] = values
    for name, value in properties.items():
        if name.lower() not in _KNOWN and (word := _plain(value)) is not None:
            data[clean(name)] = tidy(word)
    data |= rendering(
        Message=_plain(named.get("message")),
        Level=_plain(named.get("leveldisplayname")),
        Opcode=_plain(named.get("opcodedisplayname")),
        Keywords=rendered_keywords(_words(named.get("keywordsdisplaynames"))),
    )
    return make_row(fields, data)


def _plain(value: object) -> str | None:
    """Return a property's text; objects that ConvertTo-Json opened have it inside."""
    if isinstance(value, dict):
        value = value.get("value", value.get("Value"))
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str) or not value or _TYPE.fullmatch(value):
        return None
    return clean(value)


def _value(value: object) -> str:
    """Return a value of the event data, which may well be the name of a type."""
    return tidy(value if isinstance(value, str) else _plain(value)) or ""


def _words(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [word for item in items if (word := _plain(item))]


def _values(value: object) -> list[str]:
    """Return the values of ``Properties`` in order; none if they were not written."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return []
    inner = [item.get("Value", item.get("value")) for item in value]
    return [_value(item) for item in inner]


# --- Clixml ---------------------------------------------------------------------------------

_OBJECT: Final = re.compile(r"<Obj(?=[\s>])")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read_clixml(data: bytes) -> Parsed:
    """Read ``Get-WinEvent | Export-Clixml``; objects that are no events are stepped over."""
    whole, found = start(data)
    xml, lines, after, known = XmlText(whole), Lines(whole), 0, dict[str, str]()
    while (begin := xml.find(_OBJECT, after)) is not None:
        after = begin.end()
        try:
            element, after = xml.element(begin.start())
        except Broken as error:
            if _is_record(whole[begin.start() : begin.start() + 400]):
                place = f"line {lines.at(begin.start())}"
                found.lose(f"an event is broken: {error}", place=place)
            continue
        properties = dict(_properties(element, known))
        if {"id", "timecreated"} <= {name.lower() for name in properties}:
            found.rows.append(_row(properties))
    remarks = ["the names of the event data's values"]
    return finish(found, label=f"{_LABEL} as Clixml", remarks=remarks)


def _is_record(begin: str) -> bool:
    # Type names stand in the first record only; the rest refer to them.
    return re.match(r"<Obj(?![^>]*\bN=)[^>]*>\s*<TN(Ref)?\b", begin) is not None and (
        "<ToString>System.Diagnostics.Eventing.Reader.EventProperty<" not in begin
    )


def _properties(element: Element, known: dict[str, str]) -> Iterator[tuple[str, Any]]:
    for part in element.children:
        if part.name in ("Props", "MS"):
            for child in part.children:
                yield child.attributes.get("N") or "", _content(child, known)


def _content(element: Element, known: dict[str, str]) -> Any:  # noqa: ANN401  # text or a list
    """Return what an element of Clixml holds: text, list of objects as dicts, or None."""
    if element.name == "Obj":
        return _object(element, known)
    if element.name == "Ref":
        return known.get(element.attributes.get("RefId") or "")
    if element.name == "Nil" or element.text is None:
        return None
    if element.name == "BA":
        return _hex(element.text)
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), element.text)


def _object(element: Element, known: dict[str, str]) -> Any:  # noqa: ANN401  # as above
    shown = next((c.text for c in element.children if c.name == "ToString"), None)
    listed = next((c for c in element.children if c.name in ("LST", "IE", "STK", "QUE")), None)
    if listed is not None:
        return [
            dict(_properties(child, known)) if child.name == "Obj" else _content(child, known)
            for child in listed.children
        ]
    if shown and (reference := element.attributes.get("RefId")):
        known[reference] = shown
    return shown


def _hex(encoded: str) -> str | None:
    try:
        return base64.b64decode(encoded, validate=False).hex().upper()
    except binascii.Error:
        return None
