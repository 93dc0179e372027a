"""Events as EvtxECmd and Hayabusa write them.

EvtxECmd has a column for most of an event and the event data as JSON under ``Payload``. It joins
the strings of a classic event with a comma and leaves empty ones out; in every other text it puts a
comma in place of control characters, invisible marks and characters beyond U+FFFF (its source
replaces Unicode category C, which in .NET holds the halves of such characters). Times are UTC:
without a zone in CSV, with one in JSON. Both begin with a byte-order mark.

Hayabusa writes what its rules matched: an event that two rules match stands there twice, with
the rule's level instead of the event's, and short names for well-known channels.

Not known: EvtxECmd's maps (their columns stay empty), and which rules there are.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kitlib.simulate.evtx import Event, Typed, UserData
from kitlib.simulate.exports_common import (
    Record,
    encode,
    fields,
    iso,
    local,
    offset_text,
    records,
    shown,
)
from kitlib.simulate.exports_json import keyword_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitlib.simulate.values import Value

_LEVELS: Final = ("LogAlways", "Critical", "Error", "Warning", "Info", "Verbose")
_BMP_LAST: Final = "\uffff"


# --- EvtxECmd -------------------------------------------------------------------------------


def evtxecmd_csv(
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    encoding: str = "utf-8-sig",
) -> bytes:
    """Write events as ``EvtxECmd --csv``.

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
    out = io.StringIO()
    table = csv.DictWriter(out, list(_COLUMNS))
    table.writeheader()
    for row in rows:
        table.writerow(_cells(row) | {"TimeCreated": iso(row.event.time, mark=" ")})
    return encode(out.getvalue(), encoding)


def evtxecmd_json(
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    encoding: str = "utf-8-sig",
) -> bytes:
    """Write events as ``EvtxECmd --json``, an object a line; see `evtxecmd_csv`."""
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    lines = []
    for row in rows:
        cells = {name: cell for name, cell in _cells(row).items() if cell is not None}
        lines.append(json.dumps({**cells, "TimeCreated": iso(row.event.time) + "+00:00"}))
    return encode("".join(f"{line}\r\n" for line in lines), encoding)


_COLUMNS: Final = (
    *("RecordNumber", "EventRecordId", "TimeCreated", "EventId", "Level", "Provider", "Channel"),
    *("ProcessId", "ThreadId", "Computer", "ChunkNumber", "UserId", "MapDescription", "UserName"),
    *("RemoteHost", *(f"PayloadData{number}" for number in range(1, 7)), "ExecutableInfo"),
    *("HiddenRecord", "SourceFile", "Keywords", "ExtraDataOffset", "Payload"),
)


def _cells(record: Record) -> dict[str, Any]:
    event = record.event
    level = _LEVELS[event.level] if event.level < len(_LEVELS) else str(event.level)
    return {
        "RecordNumber": record.number,
        "EventRecordId": str(record.number),
        "EventId": event.event_id,
        "Level": level,
        "Provider": record.provider,
        "Channel": record.channel,
        "ProcessId": event.process_id or 0,
        "ThreadId": event.thread_id or 0,
        "Computer": record.computer,
        "ChunkNumber": 0,
        "UserId": record.user or None,
        "HiddenRecord": False,
        "SourceFile": f"C:\\Windows\\System32\\winevt\\Logs\\{record.channel}.evtx",
        "Keywords": keyword_word(event.keywords) or f"0x{event.keywords:X}",
        "ExtraDataOffset": 0,
        "Payload": json.dumps(_payload(event), ensure_ascii=False, separators=(",", ":")),
    }


def _payload(event: Event) -> dict[str, Any]:
    data = event.data
    if isinstance(data, UserData):
        inner: dict[str, Any] = {"@xmlns": data.namespace} if data.namespace else {}
        inner |= {name: _spelt(value) for name, value in data.fields.items()}
        return {"UserData": {data.root: inner}}
    found: dict[str, Any] = {}
    if isinstance(data, Mapping):
        named = [_named(name, value) for name, value in data.items()]
        if named:
            found["Data"] = named[0] if len(named) == 1 else named
    elif data:
        found["Data"] = ", ".join(text for text in data if text)
    if event.binary is not None:
        found["Binary"] = event.binary.hex("-").upper()
    return {"EventData": found or ""}


def _named(name: str, value: Value) -> dict[str, str]:
    text = _spelt(value)
    return {"@Name": name, "#text": text} if text else {"@Name": name}


def _spelt(value: Value) -> str:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, bool):
        return str(value)
    if not isinstance(value, Typed):
        return ""
    if isinstance(value.value, bytes):
        return value.value.hex("-").upper()
    if value.kind in ("filetime", "systemtime"):
        return iso(int(value.value), mark=" ")
    return shown(value).strip("{}") if value.kind == "guid" else shown(value)


def visible(text: str) -> str:
    """Put ``", "`` for every run of characters that EvtxECmd takes for control characters."""
    out: list[str] = []
    hidden = False
    for character in text:
        hides = unicodedata.category(character)[0] == "C" or character > _BMP_LAST
        if not hides:
            out.append(character)
        elif not hidden:
            out.append(", ")
        hidden = hides
    return "".join(out)


# --- Hayabusa -------------------------------------------------------------------------------

RulesOf: TypeAlias = Callable[[Event], Sequence[tuple[str, str]]]
"""Gives title and level of the rules that match an event."""
_SHORT: Final = {"Application": "App", "Security": "Sec", "System": "Sys"}


def hayabusa_csv(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    rules: RulesOf,
    utc_offset: int | None = None,
    encoding: str = "utf-8",
) -> bytes:
    """Write what rules match of the events as Hayabusa's ``csv-timeline``, standard profile.

    Parameters
    ----------
    events, channel, computer, first_record_id, encoding
        See `evtxecmd_csv`.
    rules
        The rules that match an event; one that none matches is left out.
    utc_offset
        Minutes by which times are ahead of UTC, which is written beside them; None for ISO 8601
        in UTC (``--ISO-8601``).
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    out = io.StringIO()
    table = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    table.writerow(_HEADERS)
    for row in rows:
        for title, level in rules(row.event):
            table.writerow(_detection(row, title, level, utc_offset))
    return encode(out.getvalue(), encoding)


_HEADERS: Final = (
    *("Timestamp", "RuleTitle", "Level", "Computer", "Channel", "EventID", "RecordID"),
    *("Details", "ExtraFieldInfo"),
)


def _detection(record: Record, title: str, level: str, utc_offset: int | None) -> list[object]:
    event = record.event
    if utc_offset is None:
        when = iso(event.time, digits=6) + "Z"
    else:
        at = local(event.time, utc_offset)
        when = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} {offset_text(utc_offset)}"
    named = [(name or f"Data[{place}]", shown(v)) for place, (name, v) in _counted(event)]
    details = " ¦ ".join(f"{name}: {text}" for name, text in named)
    short = _SHORT.get(record.channel, record.channel)
    return [when, title, level, record.computer, short, event.event_id, record.number, details, ""]


def _counted(event: Event) -> Iterable[tuple[int, tuple[str, Value]]]:
    return enumerate(fields(event), 1)
