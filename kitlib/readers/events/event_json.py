"""Events as JSON of other programs: evtx_dump, Velociraptor, Winlogbeat and flat shippers.

==============  =================================  ===========================================
format          known by                           what is lost
==============  =================================  ===========================================
evtx_dump       ``Event.System``                   100 ns (microseconds are left); a name that
                                                   occurs twice gets a number added
Velociraptor    ``System.EventID.Value``           100 ns (a float of seconds); hexadecimal
                                                   numbers are printed as decimal ones
Winlogbeat      ``winlog.event_id``                numbers of task, opcode and keywords (words
                                                   are left), names of nulls
flat            ``EventID``, ``Channel`` ...       often the record number; event data and the
                                                   shipper's own fields are one heap
==============  =================================  ===========================================

In the flat form ``@timestamp`` may be the time of arrival: only ``TimeCreated`` or ``EventTime``
count, and only with a zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers.events.element_json import as_text, elements
from kitlib.readers.events.exports import (
    LEVELS,
    SYSTEM,
    finish,
    instant,
    make_row,
    read_fields,
    rendered_keywords,
    rendering,
    start,
    tidy,
    timed,
    unix_seconds,
)
from kitlib.readers.json_objects import objects
from kitlib.readers.payload import columns, payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kitlib.readers.base import Parsed
    from kitlib.readers.payload import Row

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One program's JSON.

    Attributes
    ----------
    kind, label
        Name in `files.kind`, and for people.
    row
        Makes the row of an object, or None if it is no event.
    remarks
        What is always lost.
    """

    kind: str
    label: str
    row: Callable[[Entry], Row | None]
    remarks: tuple[str, ...] = ()

    def read(self, data: bytes) -> Parsed:
        """Read the whole file; objects that are no events are stated as lost."""
        whole, found = start(data)
        for place, entry in objects(whole, found.lose):
            row = self.row(entry)
            if row is None:
                found.lose("an object that is no event", place=place)
            else:
                found.rows.append(row)
        remarks = [*self.remarks, *_numbered(found.rows)]
        return finish(found, label=self.label, remarks=remarks)


def _numbered(rows: Iterable[Row]) -> list[str]:
    """Notice names with a number beside the same name without one."""
    twice = any(
        name[-2:-1] == "_" and name[-1:].isdigit() and name[:-2] in row.data
        for row in rows
        for name in row.data
    )
    return ["names that occur twice (they seem to have a number added)"] if twice else []


# --- evtx_dump ------------------------------------------------------------------------------


def _evtx_dump(entry: Entry) -> Row | None:
    event = entry.get("Event")
    if not isinstance(event, dict) or not isinstance(event.get("System"), dict):
        return None
    top = elements("Event", event)[0]
    system = next(child for child in top.children if child.name == "System")
    fields = columns(system.children)
    if "time_created" not in fields:
        stamps = (child.attributes.get("SystemTime") for child in system.children)
        fields["time_created"] = next((instant(stamp) for stamp in stamps if stamp), None)
    return make_row(fields, payload(top.children))


EVTX_DUMP: Final = Dialect(
    "evtx_dump_json",
    "evtx_dump's JSON",
    _evtx_dump,
    ("tenths of microseconds",),
)


# --- Velociraptor ---------------------------------------------------------------------------


def _velociraptor(entry: Entry) -> Row | None:
    system = entry.get("System")
    if not isinstance(system, dict):
        return None
    fields = read_fields({column: _inside(system, *way) for column, way in SYSTEM.items()})
    created = system.get("TimeCreated")
    stamp = as_text(created.get("SystemTime") if isinstance(created, dict) else created) or ""
    time, data = unix_seconds(stamp), dict[str, Any]()
    if time is None:
        time, data = timed(stamp)
    fields["time_created"] = time
    data |= _payload(entry)
    data |= rendering(Message=as_text(entry.get("Message")))
    return make_row(fields, data)


def _inside(system: Entry, name: str, attribute: str) -> str | None:
    value = system.get(name)
    if isinstance(value, dict):
        return as_text(value.get(attribute or "Value"))
    return None if attribute else as_text(value)


def _payload(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = ("EventData", "UserData")
    return payload(e for name in names if entry.get(name) for e in elements(name, entry[name]))


VELOCIRAPTOR: Final = Dialect(
    "velociraptor_json",
    "Velociraptor's parse_evtx",
    _velociraptor,
    ("tenths of microseconds", "whether a number was hexadecimal"),
)


# --- Winlogbeat -----------------------------------------------------------------------------

_WINLOG: Final[Mapping[str, str]] = {
    "host": "computer_name",
    "channel": "channel",
    "provider": "provider_name",
    "event_id": "event_id",
    "version": "version",
    "task": "task",
    "opcode": "opcode",
    "keywords": "keywords",
    "record_id": "record_id",
    "process_id": "process.pid",
    "thread_id": "process.thread.id",
    "user_id": "user.identifier",
    "activity_id": "activity_id",
}
"""Columns and the fields below ``winlog`` that hold them."""


def _winlogbeat(entry: Entry) -> Row | None:
    inner = entry.get("_source")
    document = _unfolded(inner if isinstance(inner, dict) else entry)
    winlog = document.get("winlog")
    if not isinstance(winlog, dict):
        return None
    texts = {column: as_text(_at(winlog, way)) for column, way in _WINLOG.items()}
    word = as_text(_at(document, "log.level")) or ""
    fields = read_fields({**texts, "level": LEVELS.get(word.lower())})
    time, data = timed(as_text(winlog.get("time_created") or document.get("@timestamp")))
    fields["time_created"] = time
    data |= {name: _leaf(value) for name, value in _below(winlog, "event_data").items()}
    data |= _user_data(_below(winlog, "user_data"))
    keywords = winlog.get("keywords")
    data |= rendering(
        Message=as_text(document.get("message")),
        Level=word,
        Task=_word(texts["task"]),
        Opcode=_word(texts["opcode"]),
        Keywords=rendered_keywords(_texts(keywords)),
    )
    return make_row(fields, data)


def _unfolded(flat: Mapping[str, Any]) -> Entry:
    """Nest the keys that are spelt with dots, ``winlog.event_id``."""
    out: Entry = {}
    for key, value in flat.items():
        place = out
        *way, last = key.split(".")[:10] if key.startswith(("winlog.", "log.")) else [key]
        for step in way:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        place[last] = value
    return out


def _at(value: Any, way: str) -> Any:  # noqa: ANN401  # whatever JSON holds
    for step in way.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _below(winlog: Entry, name: str) -> Entry:
    value = winlog.get(name)
    return value if isinstance(value, dict) else {}


def _user_data(fields: Entry) -> dict[str, Any]:
    out = {name: _leaf(value) for name, value in fields.items() if name != "xml_name"}
    root = as_text(fields.get("xml_name"))
    return {"UserData": root, **out} if root else out


def _leaf(value: Any) -> Any:  # noqa: ANN401  # text, list, dict or None
    """Give a value of event data its spelling, whatever JSON made of it."""
    if isinstance(value, list):
        return [_leaf(item) for item in value]
    if isinstance(value, dict):
        return {name: _leaf(inner) for name, inner in value.items()}
    return tidy(as_text(value))


def _texts(value: object) -> list[str]:
    return [
        word for item in (value if isinstance(value, list) else [value]) if (word := as_text(item))
    ]


def _word(value: str | None) -> str | None:
    return None if value is None or value.isdecimal() else value


WINLOGBEAT: Final = Dialect(
    "winlogbeat_json",
    "Winlogbeat's JSON",
    _winlogbeat,
    (
        "qualifiers, and numbers of task, opcode and keywords where it has words for them",
        "values that are empty",
        "whether a level is 0 or 4 (both are called information)",
        "fractions of milliseconds, unless its settings kept them",
    ),
)


# --- flat -----------------------------------------------------------------------------------

_FLAT: Final[Mapping[str, str]] = {
    "Hostname": "host",
    "Computer": "host",
    "Channel": "channel",
    "SourceName": "provider",
    "Provider": "provider",
    "ProviderName": "provider",
    "EventID": "event_id",
    "RecordNumber": "record_id",
    "EventRecordID": "record_id",
    "Version": "version",
    "Level": "level",
    "Task": "task",
    "OpcodeValue": "opcode",
    "Keywords": "keywords",
    "ExecutionProcessID": "process_id",
    "ThreadID": "thread_id",
    "UserID": "user_id",
    "ActivityID": "activity_id",
}
"""Field names, as written: ``ProcessId`` is event data, ``ExecutionProcessID`` is not."""
_NO_DATA: Final = frozenset({"TimeCreated", "Message", "ProviderGuid", "EventData", "UserData"})


def _flat(entry: Entry) -> Row | None:
    if "EventID" not in entry:
        return None
    fields: dict[str, Any] = {}
    rest = {}
    for name, value in entry.items():
        read = read_fields({_FLAT[name]: as_text(value)}) if name in _FLAT else {}
        fields = {**read, **fields}
        if not read and name not in _NO_DATA and name != "EventTime":
            rest[name] = _leaf(value)
    time, data = timed(as_text(entry.get("TimeCreated") or entry.get("EventTime")))
    fields["time_created"] = time
    data |= rest
    data |= _payload(entry)
    data |= rendering(Message=as_text(entry.get("Message")))
    return make_row(fields, data)


FLAT: Final = Dialect(
    "flat_event_json",
    "a flat event JSON",
    _flat,
    ("which fields are event data and which the shipper added",),
)

DIALECTS: Final = (EVTX_DUMP, VELOCIRAPTOR, WINLOGBEAT, FLAT)
"""In the order in which they are tried."""
