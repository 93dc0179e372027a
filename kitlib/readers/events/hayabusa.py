"""Hayabusa's ``csv-timeline``: detections of rules, not the log.

Only events that a rule matched are there, so a silent stretch says nothing. An event that several
rules matched has several lines; by its host, channel, record number and time it is one row here,
with all rules in ``data`` under ``@RuleTitle``. The level is the rule's (``@RuleLevel``), not the
event's. Details are the fields that the rule's author chose, in the author's names: text under
``@Details``. Times carry their offset or, with ``-U`` and ``-O``, UTC. Channels are abbreviated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kitlib.readers.events.exports import (
    csv_records,
    finish,
    header,
    make_row,
    read_fields,
    start,
    timed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitlib.readers.base import Parsed
    from kitlib.readers.payload import Row

KIND: Final = "hayabusa_csv"

CHANNELS: Final[Mapping[str, str]] = {"App": "Application", "Sec": "Security", "Sys": "System"}
"""Abbreviations that are sure; others stay as written."""
COLUMNS: Final[Mapping[str, str]] = {
    "computer": "host",
    "channel": "channel",
    "provider": "provider",
    "eventid": "event_id",
    "recordid": "record_id",
}
_ADDED: Final = (("details", "@Details"), ("extrafieldinfo", "@ExtraFieldInfo"))
_RULE: Final = (("ruletitle", "@RuleTitle"), ("level", "@RuleLevel"))


def read(data: bytes) -> Parsed:
    """Read a ``csv-timeline`` of any output profile."""
    whole, found = start(data)
    table = header(whole)
    known: dict[tuple[Any, ...], Row] = {}
    lines = 0
    for _, cells in csv_records(whole, table, found) if table else ():
        lines += 1
        row = _row({name.lower(): cell for name, cell in cells.items()})
        key = (row.host, row.channel, row.record_id, row.event_id, row.time_created)
        if row.record_id is not None and key in known:
            _join(known[key].data, row.data)
        else:
            known[key] = row
            found.rows.append(row)
    remarks = [
        "every event that no rule matched",
        "event data, but for what a rule's author chose",
        "fractions of milliseconds",
    ]
    if lines > len(found.rows):
        found.note(f"{lines} detections are of {len(found.rows)} events: one row an event")
    return finish(found, label="a Hayabusa timeline", remarks=remarks)


def _row(cells: Mapping[str, str]) -> Row:
    texts = {column: cells.get(name) for name, column in COLUMNS.items()}
    texts["channel"] = CHANNELS.get(texts["channel"] or "", texts["channel"])
    fields = read_fields(texts)
    time, data = timed(cells.get("timestamp"))
    fields["time_created"] = time
    data |= {key: [cells[name]] for name, key in _RULE if cells.get(name)}
    data |= {key: cells[name] for name, key in _ADDED if cells.get(name)}
    return make_row(fields, data)


def _join(data: dict[str, Any], more: Mapping[str, Any]) -> None:
    for _, key in _RULE:
        data[key] = [*data.get(key, ()), *more.get(key, ())]
