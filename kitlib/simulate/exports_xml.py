"""Events as Windows writes them in XML: ``wevtutil qe``, RenderedXml, Event Viewer.

``wevtutil`` prints one ``<Event>`` after another without a root, one a line; with ``/e:Name`` a
root of that name stands around them. Attributes are in single quotes. Nothing of an event is lost;
control characters stand as they are, which no strict XML parser takes.

Known: the layout. Values, words and bytes are those of `kitlib.simulate.exports_common`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from kitlib.simulate.evtx import EVENT_NAMESPACE, Event, UserData
from kitlib.simulate.exports_common import (
    EN_US,
    Culture,
    MessageOf,
    Record,
    encode,
    iso,
    message_of,
    records,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_QUOTES: Final = {"'": "&apos;", '"': "&quot;"}


def wevtutil_xml(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    root: str = "",
    encoding: str = "utf-8",
) -> bytes:
    """Write events as ``wevtutil qe /f:xml``.

    Parameters
    ----------
    events
        In the order of the export.
    channel, computer
        Of every event that does not state its own.
    first_record_id
        Number of the first event.
    root
        Name of the element around all events, as ``/e:`` takes it; empty for none.
    encoding
        See `kitlib.simulate.exports_common.encode`.
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    return encode(_rooted([_event(row) for row in rows], root), encoding)


def rendered_xml(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    root: str = "",
    culture: Culture = EN_US,
    message: MessageOf = message_of,
    encoding: str = "utf-8",
) -> bytes:
    """Write events as ``wevtutil qe /f:RenderedXml``: with message and words for people.

    Parameters
    ----------
    events, channel, computer, first_record_id, root, encoding
        See `wevtutil_xml`.
    culture
        Language of the words.
    message
        What Windows says about an event.
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    written = [_event(row, _rendering(row, culture, message)) for row in rows]
    return encode(_rooted(written, root), encoding)


def event_viewer_xml(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    culture: Culture = EN_US,
    message: MessageOf = message_of,
    encoding: str = "utf-8",
) -> bytes:
    """Write events as Event Viewer's "Save All Events As" XML: all in one line below a root.

    Parameters
    ----------
    events, channel, computer, first_record_id, culture, message, encoding
        See `rendered_xml`.
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    written = "".join(_event(row, _rendering(row, culture, message)) for row in rows)
    declared = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\r\n'
    return encode(f"{declared}<Events>{written}</Events>", encoding)


def _rooted(written: list[str], root: str) -> str:
    lines = "".join(f"{event}\r\n" for event in written)
    return f"<{root}>\r\n{lines}</{root}>\r\n" if root else lines


def _event(record: Record, rendering: str = "") -> str:
    inner = "".join(_system(record))
    return (
        f"<Event xmlns='{EVENT_NAMESPACE}'><System>{inner}</System>"
        f"{_payload(record.event)}{rendering}</Event>"
    )


def _tag(name: str, text: str = "", **attributes: object) -> str:
    """Write an element; attributes that are None or empty are left out."""
    said = "".join(
        f" {key}='{escape(str(value), _QUOTES)}'"
        for key, value in attributes.items()
        if value not in (None, "")
    )
    return f"<{name}{said}>{escape(text)}</{name}>" if text else f"<{name}{said}/>"


def _system(record: Record) -> Iterator[str]:
    event = record.event
    guid = f"{{{event.provider_guid.strip('{}').lower()}}}" if event.provider_guid else ""
    activity = f"{{{event.activity_id.strip('{}').lower()}}}" if event.activity_id else ""
    source = event.event_source_name
    yield _tag("Provider", Name=event.provider, Guid=guid, EventSourceName=source)
    yield _tag("EventID", str(event.event_id), Qualifiers=event.qualifiers)
    numbers = {"Version": event.version, "Level": event.level, "Task": event.task}
    for name, number in {**numbers, "Opcode": event.opcode}.items():
        if number is not None:
            yield _tag(name, str(number))
    yield _tag("Keywords", f"0x{event.keywords:x}")
    yield _tag("TimeCreated", SystemTime=iso(event.time) + "Z")
    yield _tag("EventRecordID", str(record.number))
    yield _tag("Correlation", ActivityID=activity)
    yield _tag("Execution", ProcessID=event.process_id, ThreadID=event.thread_id)
    yield _tag("Channel", record.channel)
    yield _tag("Computer", record.computer)
    yield _tag("Security", UserID=record.user)


def _payload(event: Event) -> str:
    data = event.data
    if isinstance(data, UserData):
        inner = "".join(_open(name, shown(value)) for name, value in data.fields.items())
        space = f" xmlns='{escape(data.namespace, _QUOTES)}'" if data.namespace else ""
        return f"<UserData><{data.root}{space}>{inner}</{data.root}></UserData>"
    if isinstance(data, Mapping):
        written = [
            f"<Data Name='{escape(name, _QUOTES)}'>{escape(shown(value))}</Data>"
            for name, value in data.items()
        ]
    else:
        written = [_open("Data", value) for value in data]
    if event.binary is not None:
        written.append(_open("Binary", event.binary.hex().upper()))
    return f"<EventData>{''.join(written)}</EventData>"


def _open(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _rendering(record: Record, culture: Culture, message: MessageOf) -> str:
    event = record.event
    audit = culture.audit(event.keywords)
    said = {
        "Message": message(event),
        "Level": culture.level(event.level),
        "Task": "",
        "Opcode": "",
        "Channel": "",
        "Provider": "",
    }
    inner = "".join(_open(name, text) for name, text in said.items())
    keywords = _open("Keyword", audit) if audit else ""
    return (
        f"<RenderingInfo Culture='{culture.name}'>{inner}<Keywords>{keywords}</Keywords>"
        "</RenderingInfo>"
    )
