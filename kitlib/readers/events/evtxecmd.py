"""EvtxECmd's CSV and JSON: one line a record, the event data as JSON in ``Payload``.

Times are UTC without saying so (``yyyy-MM-dd HH:mm:ss.fffffff``) unless ``--dt`` changed them.
Version, task, opcode, qualifiers and activity id have no column. The values of classic events, which
have no names, are joined by commas into one text, which cannot be taken apart again unless their
number is known (`kitlib.readers.events.messages`): it is the one entry of ``Data``. In named text the
program puts a comma and a blank for control characters, invisible marks and whatever is beyond
U+FFFF (its source: Unicode category C, to which .NET counts the halves of pairs). The columns that
EvtxECmd's maps fill (``PayloadData1`` and so on) repeat the event data; they are kept, with ``@``
before their names, only where there is no ``Payload``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers.events.element_json import as_text, elements
from kitlib.readers.events.exports import (
    LEVELS,
    Found,
    clean,
    csv_records,
    finish,
    header,
    instant,
    make_row,
    read_fields,
    rendered_keywords,
    rendering,
    start,
)
from kitlib.readers.events.messages import restore
from kitlib.readers.json_objects import objects
from kitlib.readers.payload import nanoseconds, payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitlib.readers.base import Parsed
    from kitlib.readers.payload import Row

KIND_CSV: Final = "evtxecmd_csv"
KIND_JSON: Final = "evtxecmd_json"

COLUMNS: Final[Mapping[str, str]] = {
    "computer": "host",
    "channel": "channel",
    "provider": "provider",
    "eventid": "event_id",
    "level": "level",
    "eventrecordid": "record_id",
    "processid": "process_id",
    "threadid": "thread_id",
    "userid": "user_id",
    "keywords": "keywords",
}
"""EvtxECmd's columns, lower case, and ours."""

_MAPPED: Final = re.compile(r"payloaddata\d|username|remotehost|executableinfo|mapdescription")
_REMARKS: Final = (
    "version, task, opcode, qualifiers and activity id",
    "the number of keywords where it has words for them",
    "line breaks, other control characters and characters beyond U+FFFF in named text (', ' is there)",
    "whether process and thread are 0 or not stated",
)


def read_csv(data: bytes) -> Parsed:
    """Read ``EvtxECmd --csv``."""
    whole, found = start(data)
    table = header(whole)
    if table:
        for line, cells in csv_records(whole, table, found):
            found.rows.append(_row(cells, f"line {line}", found))
    return _finished(found)


def read_json(data: bytes) -> Parsed:
    """Read ``EvtxECmd --json``, one object a line."""
    whole, found = start(data)
    for place, entry in objects(whole, found.lose):
        if "EventId" in entry or "EventRecordId" in entry:
            found.rows.append(_row(entry, place, found))
        else:
            found.lose("an object that is no event", place=place)
    return _finished(found)


def _finished(found: Found) -> Parsed:
    for sentence in restore(found.rows):
        found.note(sentence)
    joined = any(
        isinstance(values := row.data.get("Data"), list) and len(values) == 1 and "," in values[0]
        for row in found.rows
    )
    remarks = [*_REMARKS, *(["where one unnamed value ends and the next begins"] * joined)]
    return finish(found, label="EvtxECmd", remarks=remarks)


def _row(entry: Mapping[str, Any], place: str, found: Found) -> Row:
    named = {name.lower(): as_text(value) for name, value in entry.items()}
    texts = {column: named.get(name) for name, column in COLUMNS.items()}
    words = {name: texts[name] for name in ("level", "keywords")}
    texts["level"] = LEVELS.get((words["level"] or "").lower(), words["level"])
    fields = read_fields(texts)
    fields["time_created"] = _time(named.get("timecreated") or "")
    data = _data(named.get("payload"), place, found)
    if data is None:
        data = {
            f"@{clean(n)}": as_text(v) for n, v in entry.items() if v and _MAPPED.match(n.lower())
        }
    if fields["time_created"] is None and named.get("timecreated"):
        data["@TimeCreated"] = named["timecreated"]
    spoken = words["keywords"] if "keywords" not in fields else None
    data |= rendering(
        Level=words["level"] if not (words["level"] or "").isdecimal() else None,
        Keywords=rendered_keywords(spoken.split(", ") if spoken else []),
    )
    return make_row(fields, data)


def _time(stamp: str) -> int | None:
    """Read a time; without a zone it is UTC, as the program's manual has it."""
    time = instant(stamp)
    return nanoseconds(stamp) if time is None else time


def _data(encoded: str | None, place: str, found: Found) -> dict[str, Any] | None:
    """Read ``Payload``; None if there is none."""
    if not encoded:
        return None
    inside = Found()
    contents = [content for _, content in objects(encoded, inside.lose)]
    if inside.problems or len(contents) != 1:
        found.note("Payload is not whole: kept as text under '@Payload'", place=place)
        return {"@Payload": encoded}
    parts = (element for key, value in contents[0].items() for element in elements(key, value))
    return payload(parts)
