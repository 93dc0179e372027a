"""Events as JSON of other programs: evtx_dump, Velociraptor, Winlogbeat, flat shippers.

==============  ==========================  ===============================================
program         time                        what it does to event data
==============  ==========================  ===============================================
evtx_dump       UTC, microseconds           unnamed strings as a list under ``#text``
Velociraptor    UTC, float of seconds       hexadecimal numbers and times become numbers
Winlogbeat      UTC, milliseconds           empty values go; unnamed ones become ``param1`` ...
flat shipper    UTC, milliseconds           stands beside the shipper's own fields; unnamed
                                            values go
==============  ==========================  ===============================================

The layouts are those of real exports. From memory or derived: Velociraptor's form of times and
binary values inside the event data; Winlogbeat counts unnamed values from 1 (its newer renderer
counts from 0); a flat shipper's treatment of unnamed values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kitlib.simulate.evtx import EVENT_NAMESPACE, Event, Typed, UserData
from kitlib.simulate.exports_common import (
    CLASSIC,
    EN_US,
    MessageOf,
    Record,
    encode,
    fields,
    iso,
    message_of,
    records,
    shown,
    sid_or_none,
    unix,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kitlib.simulate.values import Value

_TIMES: Final = ("filetime", "systemtime")


def _lines(objects: Iterable[Mapping[str, Any]], encoding: str) -> bytes:
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)
    return encode(text, encoding)


def _data(event: Event, spelt: Callable[[Value], object]) -> dict[str, Any]:
    """Return what stands under ``EventData`` or ``UserData``, unnamed strings under ``Data``."""
    if isinstance(event.data, Mapping):
        found = {name: spelt(value) for name, value in event.data.items()}
    elif isinstance(event.data, UserData):
        return {name: spelt(value) for name, value in event.data.fields.items()}
    else:
        found = {"Data": list(event.data)} if event.data else {}
    return found | ({} if event.binary is None else {"Binary": event.binary.hex().upper()})


def _without_none(pairs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in pairs.items() if value not in (None, "")}


# --- evtx_dump ------------------------------------------------------------------------------


def evtx_dump_jsonl(
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    encoding: str = "utf-8",
) -> bytes:
    """Write events as ``evtx_dump -o jsonl``.

    Parameters
    ----------
    events
        In the order of the log.
    channel, computer
        Of every event that does not state its own.
    first_record_id
        Number of the first event.
    encoding
        See `kitlib.simulate.exports_common.encode`.
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    return _lines(({"Event": _dumped(row)} for row in rows), encoding)


def _dumped(record: Record) -> dict[str, Any]:
    event, data = record.event, _data(record.event, _dump_value)
    said: dict[str, Any] = {"#attributes": {"xmlns": EVENT_NAMESPACE}, "System": _system(record)}
    if isinstance(event.data, UserData):
        inner = {"#attributes": {"xmlns": event.data.namespace}, **data}
        return said | {"UserData": {event.data.root: inner}}
    if "Data" in data and not isinstance(event.data, Mapping):
        data["Data"] = {"#text": data["Data"]}
    return said | {"EventData": data or None}


def _system(record: Record) -> dict[str, Any]:
    event = record.event
    provider = {"Name": event.provider, "Guid": event.provider_guid}
    number: object = event.event_id
    if event.qualifiers is not None:
        number = {"#attributes": {"Qualifiers": event.qualifiers}, "#text": event.event_id}
    process = {"ProcessID": event.process_id, "ThreadID": event.thread_id}
    numbers = {"Version": event.version, "Level": event.level, "Task": event.task}
    return {
        "Provider": _attributes(provider | {"EventSourceName": event.event_source_name}),
        "EventID": number,
        **_without_none(numbers | {"Opcode": event.opcode}),
        "Keywords": f"0x{event.keywords:x}",
        "TimeCreated": _attributes({"SystemTime": iso(event.time, digits=6) + "Z"}),
        "EventRecordID": record.number,
        "Correlation": _attributes({"ActivityID": event.activity_id.strip("{}").upper()}),
        "Execution": _attributes(process),
        "Channel": record.channel,
        "Computer": record.computer,
        "Security": _attributes({"UserID": record.user}),
    }


def _attributes(pairs: Mapping[str, Any]) -> dict[str, Any] | None:
    found = _without_none(pairs)
    return {"#attributes": found} if found else None


def _dump_value(value: Value) -> object:
    if not isinstance(value, Typed):
        return value
    if value.kind in _TIMES:
        return iso(int(value.value), digits=6) + "Z"
    if value.kind == "guid":
        return str(value.value).strip("{}").upper()
    return value.value if isinstance(value.value, int) and value.kind[:3] != "hex" else shown(value)


# --- Velociraptor ---------------------------------------------------------------------------


def velociraptor_jsonl(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    message: MessageOf = message_of,
    encoding: str = "utf-8",
) -> bytes:
    """Write events as Velociraptor's ``parse_evtx``, an object a line.

    Parameters
    ----------
    events, channel, computer, first_record_id, encoding
        See `evtx_dump_jsonl`.
    message
        What Windows says about an event.
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    return _lines((_parsed(row, message) for row in rows), encoding)


def _parsed(record: Record, message: MessageOf) -> dict[str, Any]:
    event, data = record.event, _data(record.event, _loose_value)
    provider = {"Name": event.provider, "Guid": event.provider_guid}
    numbers = {"Version": event.version, "Level": event.level, "Task": event.task}
    system = {
        "Provider": _without_none(provider | {"EventSourceName": event.event_source_name}),
        "EventID": _without_none({"Value": event.event_id, "Qualifiers": event.qualifiers}),
        **_without_none(numbers | {"Opcode": event.opcode}),
        "Keywords": event.keywords,
        "TimeCreated": {"SystemTime": unix(event.time)},
        "EventRecordID": record.number,
        "Correlation": _without_none({"ActivityID": event.activity_id}),
        "Execution": _without_none({"ProcessID": event.process_id, "ThreadID": event.thread_id}),
        "Channel": record.channel,
        "Computer": record.computer,
        "Security": _without_none({"UserID": record.user}),
    }
    named = isinstance(event.data, UserData)
    payload = {event.data.root: data} if isinstance(event.data, UserData) else data
    return {
        "System": system,
        ("UserData" if named else "EventData"): payload,
        "Message": message(event),
    }


def _loose_value(value: Value) -> object:
    """Keep numbers as numbers, whatever they were, and times as seconds."""
    if not isinstance(value, Typed):
        return value
    if value.kind in _TIMES:
        return unix(int(value.value))
    return value.value if isinstance(value.value, int | float) else shown(value)


# --- Winlogbeat -----------------------------------------------------------------------------


def winlogbeat_ndjson(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    source: bool = False,
    message: MessageOf = message_of,
    encoding: str = "utf-8",
) -> bytes:
    """Write events as Winlogbeat ships them, an object a line.

    Parameters
    ----------
    events, channel, computer, first_record_id, message, encoding
        See `velociraptor_jsonl`.
    source
        Whether each is wrapped under ``_source``, as Elasticsearch exports them.
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    documents = (_document(row, message) for row in rows)
    if source:
        index = {"_index": "winlogbeat-7.16.2", "_type": "_doc"}
        documents = ({**index, "_source": document} for document in documents)
    return _lines(documents, encoding)


def _document(record: Record, message: MessageOf) -> dict[str, Any]:
    event = record.event
    level = EN_US.level(event.level).lower()
    return {
        "@timestamp": iso(event.time, digits=3) + "Z",
        "event": {"code": str(event.event_id), "kind": "event", "provider": record.provider},
        "host": {"name": record.computer},
        "log": {"level": level},
        "message": message(event),
        "winlog": _winlog(record),
    }


def _winlog(record: Record) -> dict[str, Any]:
    event = record.event
    data = event.data
    process = _without_none({"pid": event.process_id})
    thread = _without_none({"id": event.thread_id})
    said = {
        "api": "wineventlog",
        "channel": record.channel,
        "computer_name": record.computer,
        "event_id": str(event.event_id),
        "record_id": record.number,
        "provider_name": record.provider,
        "provider_guid": event.provider_guid,
        "version": event.version,
        "activity_id": event.activity_id,
        "keywords": [word] if (word := keyword_word(event.keywords)) else None,
        "process": process | ({"thread": thread} if thread else {}) or None,
        "user": {"identifier": record.user} if record.user else None,
    }
    named = {
        name or f"param{place}": text
        for place, (name, value) in enumerate(fields(event), 1)
        if (text := shown(value))
    }
    if isinstance(data, UserData):
        return _without_none(said) | {"user_data": named | {"xml_name": data.root}}
    named |= {} if not event.binary else {"Binary": event.binary.hex().upper()}
    return _without_none(said) | ({"event_data": named} if named else {})


def keyword_word(keywords: int) -> str:
    """Return the English word for the keywords that Windows names by itself; empty without."""
    return EN_US.audit(keywords) or ("Classic" if keywords & CLASSIC else "")


# --- flat -----------------------------------------------------------------------------------


def flat_jsonl(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int | None = 1,
    message: MessageOf = message_of,
    encoding: str = "utf-8",
) -> bytes:
    """Write events as a shipper that knows no nesting, an object a line.

    Parameters
    ----------
    events, channel, computer, message, encoding
        See `velociraptor_jsonl`.
    first_record_id
        Number of the first event; None for a shipper that leaves numbers out.
    """
    first = 1 if first_record_id is None else first_record_id
    rows = records(events, channel=channel, computer=computer, first_record_id=first)
    numbered = first_record_id is not None
    return _lines((_flat(row, message, numbered=numbered) for row in rows), encoding)


def _flat(record: Record, message: MessageOf, *, numbered: bool) -> dict[str, Any]:
    event = record.event
    time = iso(event.time, digits=3) + "Z"
    said = {
        "Message": message(event),
        "EventID": event.event_id,
        "SourceName": record.provider,
        "ProviderGuid": event.provider_guid,
        "TimeCreated": time,
        "Hostname": record.computer,
        "Channel": record.channel,
        "RecordNumber": record.number if numbered else None,
        "Version": event.version,
        "Level": str(event.level),
        "Task": str(event.task),
        "OpcodeValue": event.opcode,
        "Keywords": f"0x{event.keywords:x}",
        "ExecutionProcessID": event.process_id,
        "ThreadID": event.thread_id,
        "UserID": sid_or_none(record),
        "ActivityID": event.activity_id,
        "@timestamp": time,
    }
    named = {name: shown(value) for name, value in fields(event) if name}
    return _without_none(said) | named
