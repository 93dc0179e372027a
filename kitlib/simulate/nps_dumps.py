"""Accounting logs of NPS in its three layouts, from neutral facts of sessions.

The layouts are those of Microsoft's documentation and of reference lines. Not seen in a real file, so
made up to the rule of the rest: quotes around values with commas in the IAS layout, character
references for control characters in the DTS layout. Line breaks inside a value become blanks in the
two layouts with commas.

Nothing here knows a world, a host or a change.
"""

from __future__ import annotations

import html
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kitlib.simulate.gateway_facts import GATEWAY, Clock, Fact, file_of, local, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

_PACKETS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "attempt_started": (1, 0),
        "attempt_succeeded": (2, 0),
        "attempt_failed": (3, 0),
        "attempt_progress": (11, 0),
        "session_started": (4, 1),
        "session_ended": (4, 2),
        "session_progress": (4, 3),
        "gateway_started": (4, 7),
        "gateway_stopped": (4, 8),
    }
)
"""Packet type and, for accounting, status type (RFC 2865, RFC 2866)."""
NPS: Final = frozenset(_PACKETS)


def nps_dts(
    facts: Iterable[Fact], *, clock: Clock, server: str = "NPS1", client: str = "RAS1"
) -> bytes:
    """Write facts as an accounting log of NPS in DTS layout: an XML element a line, no root.

    Every record has the server's local time (ms); those of accounting also the access server's, in
    UTC (s).

    Parameters
    ----------
    facts
        At most those in `NPS` are written, in the order given.
    clock
        The server's zone.
    server, client
        Names of the RADIUS server and of its client, the access server.
    """
    return file_of(
        (_dts(fact, clock, server, client) for fact in facts if fact.action in NPS), end="\r\n"
    )


def _dts(fact: Fact, clock: Clock, server: str, client: str) -> str:
    packet, status = _PACKETS[fact.action]
    wall = local(fact.time, clock)
    fields: list[tuple[str, int, str]] = [
        ("Timestamp", 4, f"{wall:%m/%d/%Y %H:%M:%S}.{wall.microsecond // 1000:03}"),
        ("Computer-Name", 1, server),
        ("Event-Source", 1, "IAS"),
        ("Acct-Status-Type", 0, str(status or "")),
        ("User-Name", 1, fact.user),
        ("Calling-Station-Id", 1, fact.client),
        ("Event-Timestamp", 4, f"{fact.time:%m/%d/%Y %H:%M:%S}" if status else ""),
        ("Client-Friendly-Name", 1, client),
        ("Packet-Type", 0, str(packet)),
        ("Reason-Code", 0, fact.code or "0"),
    ]
    cells = (
        f'<{name} data_type="{kind}">{_xml(value)}</{name}>'
        for name, kind, value in fields
        if value
    )
    return f"<Event>{''.join(cells)}</Event>"


def _xml(value: str) -> str:
    """Escape for XML; control characters become character references."""
    escaped = html.escape(value)
    return "".join(f"&#{ord(c)};" if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in escaped)


_DATABASE: Final = MappingProxyType(
    {
        "server": 0,
        "source": 1,
        "date": 2,
        "time": 3,
        "packet": 4,
        "user": 5,
        "calling": 8,
        "client": 16,
        "reason": 25,
        "status": 31,
    }
)
"""Columns of the database-compatible layout (Microsoft, Interpreting database-import log files)."""
_COLUMNS: Final = 66


def nps_database(
    facts: Iterable[Fact],
    *,
    clock: Clock,
    day_first: bool = False,
    server: str = "NPS1",
    client: str = "RAS1",
) -> bytes:
    """Write facts as an accounting log of NPS in database-compatible layout: local seconds.

    Parameters
    ----------
    facts
        At most those in `NPS` are written, in the order given.
    clock
        The server's zone.
    day_first
        Print dates as ``dd/MM/yyyy``.
    server, client
        As in `nps_dts`.
    """
    lines = []
    for fact in facts:
        if fact.action not in NPS:
            continue
        packet, status = _PACKETS[fact.action]
        date, time = _stamps(fact.time, clock, day_first=day_first)
        bare = {"date": date, "time": time, "packet": str(packet), "status": str(status or "")}
        names = {"server": server, "source": "IAS", "user": fact.user, "calling": fact.client}
        quoted = {name: _quoted(value) for name, value in (names | {"client": client}).items()}
        cells = [""] * _COLUMNS
        for name, value in (bare | quoted | {"reason": fact.code or "0"}).items():
            cells[_DATABASE[name]] = value
        lines.append(",".join(cells))
    return file_of(lines, end="\r\n")


def _stamps(time: datetime, clock: Clock, *, day_first: bool) -> tuple[str, str]:
    wall = local(time, clock)
    return f"{wall:{'%d/%m/%Y' if day_first else '%m/%d/%Y'}}", f"{wall:%H:%M:%S}"


def _quoted(value: str) -> str:
    doubled = one_line(value).replace('"', '""')
    return f'"{doubled}"' if value else ""


def nps_ias(
    facts: Iterable[Fact],
    *,
    clock: Clock,
    day_first: bool = False,
    server: str = "NPS1",
    client: str = "RAS1",
) -> bytes:
    """Write facts as an accounting log in IAS layout: six columns, then attribute and value.

    Parameters are those of `nps_database`. A value with a comma or a quote is quoted.
    """
    lines = []
    for fact in facts:
        if fact.action not in NPS:
            continue
        packet, status = _PACKETS[fact.action]
        stamps = _stamps(fact.time, clock, day_first=day_first)
        pairs = {"31": fact.client, "40": str(status or ""), "4128": client, "4136": str(packet)}
        pairs["4142"] = fact.code or "0"
        told = [cell for pair in pairs.items() if pair[1] for cell in pair]
        cells = [GATEWAY, fact.user, *stamps, "IAS", server, *told]
        lines.append(",".join(_if_needed(cell) for cell in cells))
    return file_of(lines, end="\r\n")


def _if_needed(cell: str) -> str:
    return _quoted(cell) if "," in cell or '"' in cell else one_line(cell)
