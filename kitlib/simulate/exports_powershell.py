r"""``Get-WinEvent`` through Export-Csv, ConvertTo-Json and Export-Clixml.

========================  ==============================  ====================================
export                    time                            event data
========================  ==============================  ====================================
CSV (5.1)                 local, culture's form, seconds  a type's name
JSON (5.1)                ``\/Date(ms)\/``, UTC           type names
JSON (7)                  ISO 8601 with offset, 100 ns    values without names
Clixml                    ISO 8601 with offset, 100 ns    values without names
========================  ==============================  ====================================

The 27 columns and the wrong ``TaskDisplayName`` are those of real exports, as is the form of
the 5.1 JSON. That JSON (7) and Clixml hold the values of ``Properties``, and that the binary part
of a classic event is the last of them, is from memory. Keywords are signed numbers.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape, quoteattr

from kitlib.simulate.evtx import Event, Typed, UserData
from kitlib.simulate.exports_common import (
    EN_US,
    UNIX_EPOCH,
    Culture,
    MessageOf,
    Record,
    encode,
    iso,
    local,
    message_of,
    offset_text,
    records,
    shown,
    sid_or_none,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kitlib.simulate.values import Value

_TYPE: Final = "System.Diagnostics.Eventing.Reader.EventLogRecord"
_PROPERTY: Final = "System.Diagnostics.Eventing.Reader.EventProperty"
_NOT_WRITTEN: Final = {
    "MatchedQueryIds": "System.UInt32[]",
    "Bookmark": "System.Diagnostics.Eventing.Reader.EventBookmark",
    "KeywordsDisplayNames": "System.Collections.ObjectModel.ReadOnlyCollection`1[System.String]",
    "Properties": f"System.Collections.Generic.List`1[{_PROPERTY}]",
}
"""Columns in which Export-Csv writes the type's name."""
_WRONG_TASK: Final = "Process terminated"


def _plain(record: Record, culture: Culture, message: MessageOf) -> dict[str, Any]:
    """Return the properties that every export has, in Windows' order, but for the time."""
    event = record.event
    signed = event.keywords - (1 << 64 if event.keywords >> 63 else 0)
    audit = culture.audit(event.keywords)
    return {
        "Message": message(event),
        "Id": event.event_id,
        "Version": event.version,
        "Qualifiers": event.qualifiers,
        "Level": event.level,
        "Task": event.task,
        "Opcode": event.opcode,
        "Keywords": signed,
        "RecordId": record.number,
        "ProviderName": record.provider,
        "ProviderId": event.provider_guid.strip("{}").lower() or None,
        "LogName": record.channel,
        "ProcessId": event.process_id,
        "ThreadId": event.thread_id,
        "MachineName": record.computer,
        "UserId": sid_or_none(record),
        "TimeCreated": None,
        "ActivityId": event.activity_id.strip("{}").lower() or None,
        "RelatedActivityId": None,
        "ContainerLog": record.channel,
        "MatchedQueryIds": [],
        "Bookmark": {},
        "LevelDisplayName": culture.level(event.level),
        "OpcodeDisplayName": None,
        "TaskDisplayName": None,
        "KeywordsDisplayNames": [audit] if audit else [],
        "Properties": [],
    }


# --- CSV ------------------------------------------------------------------------------------


def get_winevent_csv(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    utc_offset: int,
    culture: Culture = EN_US,
    message: MessageOf = message_of,
    type_line: bool = False,
    use_culture: bool = False,
    encoding: str = "ascii",
) -> bytes:
    """Write events as ``Get-WinEvent | Export-Csv`` of Windows PowerShell 5.1.

    Parameters
    ----------
    events
        In the order of the export.
    channel, computer
        Of every event that does not state its own.
    first_record_id
        Number of the first event.
    utc_offset
        Minutes by which the host's clock is ahead of UTC.
    culture
        Language of Windows and form of its dates.
    message
        What Windows says about an event.
    type_line
        Whether a ``#TYPE`` line stands first, as it does without ``-NoTypeInformation``.
    use_culture
        Whether the culture's separator is used (``-UseCulture``).
    encoding
        See `kitlib.simulate.exports_common.encode`; Export-Csv writes ASCII unless told.
    """
    mark = culture.separator if use_culture else ","
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    lines = [f"#TYPE {_TYPE}"] if type_line else []
    for place, row in enumerate(rows):
        cells = _plain(row, culture, message) | _NOT_WRITTEN
        cells["TimeCreated"] = culture.moment(local(row.event.time, utc_offset))
        cells["TaskDisplayName"] = _WRONG_TASK
        if not place:
            lines.append(mark.join(_quoted(name) for name in cells))
        lines.append(mark.join(_quoted(cell) for cell in cells.values()))
    return encode("".join(f"{line}\r\n" for line in lines), encoding)


def _quoted(cell: object) -> str:
    """Quote a cell as Export-Csv does: always, but for what is null."""
    return "" if cell is None else '"' + str(cell).replace('"', '""') + '"'


# --- JSON -----------------------------------------------------------------------------------

_TIME_51: Final = re.compile(r'(?<="TimeCreated":  ")/(Date\(-?\d+\))/(?=")')
_ESCAPED_51: Final = {ord(mark): f"\\u{ord(mark):04x}" for mark in "'<>&\x85\u2028\u2029"}


def get_winevent_json_51(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    culture: Culture = EN_US,
    message: MessageOf = message_of,
    encoding: str = "utf-16-le",
) -> bytes:
    """Write events as ``Get-WinEvent | ConvertTo-Json`` of Windows PowerShell 5.1.

    Parameters
    ----------
    events, channel, computer, first_record_id, culture, message, encoding
        See `get_winevent_csv`; the encoding is that of ``Out-File``.
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    objects = []
    for row in rows:
        said = _plain(row, culture, message)
        said["TimeCreated"] = f"/Date({(row.event.time - UNIX_EPOCH) // 10_000})/"
        said["Properties"] = [_PROPERTY] * len(_values(row.event))
        objects.append(_message_last(said))
    text = json.dumps(
        objects[0] if len(objects) == 1 else objects,
        indent=4,
        separators=(",", ":  "),
        ensure_ascii=False,
    )
    text = _TIME_51.sub(r"\\/\1\\/", text.translate(_ESCAPED_51))
    return encode(text.replace("\n", "\r\n") + "\r\n", encoding)


def get_winevent_json_7(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    utc_offset: int,
    culture: Culture = EN_US,
    message: MessageOf = message_of,
    encoding: str = "utf-8",
) -> bytes:
    """Write events as ``Get-WinEvent | ConvertTo-Json`` of PowerShell 7.

    Parameters
    ----------
    events, channel, computer, first_record_id, utc_offset, culture, message, encoding
        See `get_winevent_csv`.
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    objects = []
    for row in rows:
        said = _plain(row, culture, message)
        said["TimeCreated"] = _offset_time(row.event.time, utc_offset)
        said["UserId"] = {"BinaryLength": 12, "Value": row.user} if row.user else None
        said["Properties"] = [
            {"Value": _json_value(value, utc_offset)} for value in _values(row.event)
        ]
        objects.append(_message_last(said))
    text = json.dumps(objects[0] if len(objects) == 1 else objects, indent=2, ensure_ascii=False)
    return encode(text.replace("\n", "\r\n") + "\r\n", encoding)


def _message_last(said: dict[str, Any]) -> dict[str, Any]:
    """Put the message, which PowerShell adds to the object, behind its own properties."""
    return {name: said[name] for name in [*list(said)[1:], "Message"]}


def _values(event: Event) -> list[Value]:
    """List the values of ``Properties``: those of the event data, and the binary part."""
    data = event.data.fields if isinstance(event.data, UserData) else event.data
    values = list(data.values()) if isinstance(data, Mapping) else list(data)
    return [*values, *([Typed("binary", event.binary)] if event.binary else [])]


def _offset_time(ticks: int, utc_offset: int) -> str:
    """Print a local time with its offset, without the zeros at the end of its decimals."""
    at = iso(ticks + utc_offset * 600_000_000).rstrip("0").removesuffix(".")
    return at + (offset_text(utc_offset) if utc_offset else "+00:00")


def _json_value(value: Value, utc_offset: int) -> object:
    if not isinstance(value, Typed):
        return value
    if value.kind in ("filetime", "systemtime"):
        return _offset_time(int(value.value), utc_offset)
    if isinstance(value.value, bytes):
        return " ".join(map(str, value.value))  # too deep to be opened
    return str(value.value).strip("{}").lower() if value.kind == "guid" else value.value


# --- Clixml ---------------------------------------------------------------------------------

_NUMBERS: Final = {
    "Id": "I32",
    "Version": "By",
    "Qualifiers": "I32",
    "Level": "By",
    "Task": "I32",
    "Opcode": "I16",
    "Keywords": "I64",
    "RecordId": "I64",
    "ProcessId": "I32",
    "ThreadId": "I32",
    "ProviderId": "G",
    "ActivityId": "G",
    "TimeCreated": "DT",
}
"""Element of a property's type; text is ``S``."""
_VALUE_TYPES: Final = {
    "u8": "By",
    "u16": "U16",
    "u32": "U32",
    "u64": "U64",
    "hex32": "U32",
    "hex64": "U64",
    "i8": "SB",
    "i16": "I16",
    "i32": "I32",
    "i64": "I64",
    "real": "Db",
    "guid": "G",
    "sid": "S",
    "binary": "BA",
    "filetime": "DT",
    "systemtime": "DT",
}
_HIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|_(?=x)")


def get_winevent_clixml(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    utc_offset: int,
    culture: Culture = EN_US,
    message: MessageOf = message_of,
    encoding: str = "utf-16-le",
) -> bytes:
    """Write events as ``Get-WinEvent | Export-Clixml``.

    Parameters
    ----------
    events, channel, computer, first_record_id, utc_offset, culture, message, encoding
        See `get_winevent_csv`.
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    objects = []
    references = iter(range(len(rows) * 1000 + 1000))
    for place, row in enumerate(rows):
        said = _plain(row, culture, message)
        said["TimeCreated"] = _offset_time(row.event.time, utc_offset)
        values = [_clixml_value(value, utc_offset) for value in _values(row.event)]
        objects.append(_object(said, values, references, first=not place))
    head = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    return encode("\r\n".join([head, *objects, "</Objs>"]), encoding)


def _object(
    said: Mapping[str, Any], values: list[str], references: Iterator[int], *, first: bool
) -> str:
    number = next(references)
    types = f'<TN RefId="0"><T>{_TYPE}</T><T>System.Object</T></TN>'
    names = [name for name in said if name not in ("Message", *_NOT_WRITTEN)]
    properties = "".join(f"\r\n      {_property(name, said[name])}" for name in names)
    return (
        f'  <Obj RefId="{number}">\r\n    {types if first else _NAMED_TYPE}\r\n'
        f"    <ToString>{_TYPE}</ToString>\r\n    <Props>{properties}\r\n"
        f"      {_list(values, references)}\r\n    </Props>\r\n"
        f"    <MS>\r\n      {_property('Message', said['Message'])}\r\n    </MS>\r\n  </Obj>"
    )


_NAMED_TYPE: Final = '<TNRef RefId="0" />'


def _property(name: str, value: object) -> str:
    if value is None:
        return f"<Nil N={quoteattr(name)} />"
    element = _NUMBERS.get(name, "S")
    return f"<{element} N={quoteattr(name)}>{_clixml_text(str(value))}</{element}>"


def _list(values: list[str], references: Iterator[int]) -> str:
    items = "".join(
        f'<Obj RefId="{next(references)}"><TN RefId="2"><T>{_PROPERTY}</T></TN>'
        f"<ToString>{_PROPERTY}</ToString><Props>{value}</Props></Obj>"
        for value in values
    )
    return (
        f'<Obj N="Properties" RefId="{next(references)}"><TN RefId="1">'
        f"<T>{_NOT_WRITTEN['Properties']}</T></TN><LST>{items}</LST></Obj>"
    )


def _clixml_value(value: Value, utc_offset: int) -> str:
    if value is None:
        return '<Nil N="Value" />'
    element = _VALUE_TYPES[value.kind] if isinstance(value, Typed) else "S"
    if isinstance(value, bool):
        element = "B"
    if isinstance(value, Typed) and isinstance(value.value, bytes):
        text = base64.b64encode(value.value).decode()
    elif isinstance(value, Typed):
        text = str(_json_value(value, utc_offset))
    else:
        text = _clixml_text(shown(value))
    return f'<{element} N="Value">{text}</{element}>'


def _clixml_text(text: str) -> str:
    """Escape what Clixml writes as ``_xHHHH_``: control characters, halves of pairs, ``_x``."""
    units = text.encode("utf-16-be")
    halves = (chr(units[at] << 8 | units[at + 1]) for at in range(0, len(units), 2))
    return escape(_HIDDEN.sub(lambda found: f"_x{ord(found[0]):04X}_", "".join(halves)))
