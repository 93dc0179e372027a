"""FortiGate logs (``key=value``): the events of subtype VPN.

``eventtime`` counts seconds or nanoseconds since 1970 in UTC, by version; without it ``date`` and
``time`` with ``tz`` tell the same, without ``tz`` a local time of unknown zone. Where both are
stated and contradict each other, the row keeps ``eventtime`` and spans both. Lines about anything
else than VPN are counted and left out. What the words mean stands in ``gateways.toml``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

from kitlib import schema
from kitlib.readers import dates, iso, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.gateway import gateways

KIND: Final = "fortigate_log"
DIALECT: Final = "fortigate"

_PAIR: Final = re.compile(r'([A-Za-z_]\w{0,40})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))')
_APART: Final = timedelta(minutes=2)
"""More than this between the two times of one line is a contradiction, not a delay."""


def read(data: bytes) -> Parsed:
    """Read a FortiGate log, as sent by syslog or downloaded.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `sessions`, one row a VPN event; `problems`.
    """
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    rows = []
    for number, line in gateways.lines(decoded.text, notes):
        fields = _fields(line)
        if "logid" not in fields:
            notes.add("no line of a FortiGate log", line=number, lost=True)
        elif fields.get("subtype") != "vpn":
            notes.add("a line about something else than VPN: left out", line=number)
        else:
            when = _when(fields, number, notes)
            rows.append(gateways.row(DIALECT, fields, when, line))
    return parsed(sessions=schema.frame("sessions", rows), problems=notes.rows())


def _fields(line: str) -> gateways.Fields:
    fields: gateways.Fields = {}
    for found in _PAIR.finditer(line[: gateways.LONGEST]):
        fields.setdefault(found[1], gateways.clean(found[2] if found[3] is None else found[3]))
    return fields


def _when(fields: gateways.Fields, line: int, notes: gateways.Notes) -> dates.When:
    counted = gateways.epoch(fields.get("eventtime", ""))
    printed = _printed(fields)
    if counted is None:
        if printed is None:
            notes.add("its time is none: left open", line=line)
        elif printed.date is None:
            notes.add("the time states no zone: given as the span of all zones", line=line)
        return printed or dates.UNKNOWN
    when = dates.instant(counted)
    if printed is None or printed.low is None or printed.high is None:
        return when
    if printed.low - _APART <= counted <= printed.high + _APART:
        return when
    notes.add(
        "eventtime and date contradict each other: eventtime is taken, both spanned", line=line
    )
    return replace(when, low=min(counted, printed.low), high=max(counted, printed.high))


def _printed(fields: gateways.Fields) -> dates.When | None:
    zone = fields.get("tz", "")
    known = zone if iso.minutes_of(zone) is not None else ""
    return iso.read(f"{fields.get('date', '')}T{fields.get('time', '')}{known}")
