"""Event Viewer's lists as CSV or text, and ``Get-EventLog | Format-List *``.

Event Viewer writes five headers in the language of Windows and six cells: the message has none.
Times are local and whole seconds; computer, channel, record number and event data are not there.
Cells with a separator, a quote or a line break are quoted, in the tab-separated form as well (seen
in exports of both). The Security log has audit words in the first column instead of the level.

``Get-EventLog`` has the record number as ``Index`` and the values as ``ReplacementStrings``, of
which PowerShell prints four and then dots. Its type names stay English in every language; lines
of a message begin below each other.

Not known: where the console breaks lines (they are written whole, as ``Out-File -Width`` does).
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from kitlib.simulate.exports_common import (
    AUDIT_FAILURE,
    AUDIT_SUCCESS,
    EN_US,
    Culture,
    MessageOf,
    Record,
    encode,
    fields,
    local,
    message_of,
    records,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kitlib.simulate.evtx import Event

SECURITY: Final = "Security"
_SHOWN_ITEMS: Final = 4  # $FormatEnumerationLimit
_LABEL_WIDTH: Final = 18
_ACCOUNTS: Final = {"S-1-5-18": "NT AUTHORITY\\SYSTEM"}
_ENTRY_TYPES: Final = {1: "Error", 2: "Error", 3: "Warning"}


def event_viewer_csv(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    utc_offset: int,
    culture: Culture = EN_US,
    message: MessageOf = message_of,
    encoding: str = "utf-8",
) -> bytes:
    """Write events as Event Viewer's "Save All Events As" CSV.

    Parameters
    ----------
    events
        In the order of the list.
    channel
        The log that was saved; it decides on the first column and is not in the file.
    utc_offset
        Minutes by which the host's clock is ahead of UTC.
    culture
        Language of Windows and form of its dates.
    message
        What Windows says about an event.
    encoding
        See `kitlib.simulate.exports_common.encode`.
    """
    rows = _rows(events, channel, utc_offset, culture, message)
    return encode(_list(culture, channel, rows, ","), encoding)


def event_viewer_txt(  # noqa: PLR0913  # keyword-only options, each a fact of the host
    events: Iterable[Event],
    *,
    channel: str,
    utc_offset: int,
    culture: Culture = EN_US,
    message: MessageOf = message_of,
    encoding: str = "utf-8",
) -> bytes:
    """Write events as Event Viewer's tab-separated text; see `event_viewer_csv`."""
    rows = _rows(events, channel, utc_offset, culture, message)
    return encode(_list(culture, channel, rows, "\t"), encoding)


def _rows(
    events: Iterable[Event], channel: str, utc_offset: int, culture: Culture, message: MessageOf
) -> Iterator[list[str]]:
    for record in records(events, channel=channel, computer="", first_record_id=1):
        event = record.event
        audited = channel == SECURITY
        yield [
            culture.audit(event.keywords) if audited else culture.level(event.level),
            culture.moment(local(event.time, utc_offset)),
            record.provider,
            str(event.event_id),
            culture.category(event.task),
            message(event),
        ]


def _list(culture: Culture, channel: str, rows: Iterable[list[str]], mark: str) -> str:
    first = culture.keywords if channel == SECURITY else culture.columns[0]
    out = io.StringIO()
    out.write(mark.join([first, *culture.columns[1:]]) + "\r\n")
    csv.writer(out, delimiter=mark).writerows(rows)
    return out.getvalue()


def get_eventlog_list(  # noqa: PLR0913  # keyword-only options, each a fact of the host
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
    """Write events as ``Get-EventLog | Format-List *``.

    Parameters
    ----------
    events, utc_offset, culture, message, encoding
        See `event_viewer_csv`.
    channel, computer
        Of every event that does not state its own; the channel is not in the file.
    first_record_id
        Number of the first event.
    """
    rows = records(events, channel=channel, computer=computer, first_record_id=first_record_id)
    written = ["\r\n".join(_properties(row, utc_offset, culture, message)) for row in rows]
    return encode("\r\n\r\n" + "\r\n\r\n".join(written) + "\r\n\r\n\r\n", encoding)


def _properties(
    record: Record, utc_offset: int, culture: Culture, message: MessageOf
) -> Iterator[str]:
    event = record.event
    when = culture.moment(local(event.time, utc_offset))
    said = {
        "EventID": str(event.event_id),
        "MachineName": record.computer,
        "Data": "{" + _few([str(byte) for byte in event.binary or b""]) + "}",
        "Index": str(record.number),
        "Category": f"({event.task})",
        "CategoryNumber": str(event.task),
        "EntryType": _entry_type(event),
        "Message": message(event),
        "Source": event.event_source_name or event.provider,
        "ReplacementStrings": "{" + _few([shown(value) for _, value in fields(event)]) + "}",
        "InstanceId": str((event.qualifiers or 0) << 16 | event.event_id),
        "TimeGenerated": when,
        "TimeWritten": when,
        "UserName": _ACCOUNTS.get(record.user, record.user),
        "Site": "",
        "Container": "",
    }
    for name, text in said.items():
        first, *more = text.replace("\r\n", "\n").split("\n")
        yield f"{name:<{_LABEL_WIDTH}} : {first}"
        yield from (f"{'':{_LABEL_WIDTH + 3}}{line}" for line in more)


def _few(items: list[str]) -> str:
    more = ["..."] if len(items) > _SHOWN_ITEMS else []
    return ", ".join([*items[:_SHOWN_ITEMS], *more])


def _entry_type(event: Event) -> str:
    """Return the old name for what a record is."""
    if event.keywords & AUDIT_SUCCESS:
        return "SuccessAudit"
    if event.keywords & AUDIT_FAILURE:
        return "FailureAudit"
    return _ENTRY_TYPES.get(event.level, "Information")
