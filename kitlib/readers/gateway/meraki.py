"""Cisco Meraki MX: the dashboard's event log (export or paste), the API's events, syslog.

The dashboard prints local minutes and names the zone once, in the header (``Time(CDT)``), as an
abbreviation; what that can mean, and when, stands in ``gateways.toml``. Details are escaped as
HTML. API and syslog state UTC. Client-VPN lines of IKE are strongSwan's without thread and
subsystem, whatever heading they stand under ("Site-to-Site VPN:"); the lines of one connection are
joined as charon's are. Who a client is stands on lines without a connection's number, so IKE's
lines stay without a user.

An event log holds everything that a network does; rows become only the lines about VPN, the rest
is counted. What the words mean stands in ``gateways.toml``.
"""

from __future__ import annotations

import csv
import html
import re
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, iso, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.events.exports import Found
from kitlib.readers.gateway import charon, connections, gateways
from kitlib.readers.json_objects import objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

EVENT_LOG: Final = "meraki_event_log"
API: Final = "meraki_api_events"
SYSLOG: Final = "meraki_syslog"
DIALECT: Final = "meraki"

_HEADER: Final = re.compile(
    r"^\s*(?:\d+\.\s+)?\"?Time\s?\((?P<zone>[^)]{1,12})\)\"?\s*[,;\t ].*\bEvent type\b.*\bDetails\b",
    re.IGNORECASE,
)
_ABOUT_VPN: Final = re.compile(r"vpn", re.IGNORECASE)
_ELSE: Final = "an event about something else than VPN: left out"
_SEARCHED: Final = 20


# ------------------------------------------------------------------ dashboard


def _header(lines: list[str]) -> tuple[int, str] | None:
    """Find the header: its line from 1, and the zone."""
    for number, line in enumerate(lines[:_SEARCHED], 1):
        found = _HEADER.match(line[:500])
        if found:
            return number, found["zone"]
    return None


def read_event_log(data: bytes) -> Parsed:
    """Read the dashboard's event log, as it is exported or as it is pasted from the page.

    Parameters
    ----------
    data
        The whole file; separated by commas, semicolons or tabs, or, pasted, by blanks.

    Returns
    -------
    Parsed
        `sessions`, one row an event about VPN, in the order of the file (newest first as the
        dashboard gives them); `problems`.
    """
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    header = _header(lines_of.split(decoded.text))
    if header is None:
        return parsed(problems=[{"reason": "no header with Time(zone), Event type and Details"}])
    number, zone = header
    plain = [line for line in _cells(decoded.text, number, notes) if line[1]]
    order = gateways.order_in_time(cells["time"] for _, cells in plain)
    if plain and order in ("undecided", "mixed"):
        notes.add("no date tells whether the day or the month stands first: both are covered")
    events = []
    for line, cells in plain:
        when = _printed(cells["time"], order, zone)
        if when is dates.UNKNOWN:
            notes.add("its time is none: left open", line=line)
        elif when.date is None:
            notes.add(f"'{zone}' leaves the offset open: given as a span", line=line)
        if len(cells["details"]) > gateways.LONGEST:
            notes.add(gateways.TOO_LONG, line=line)
        events.append(_event(cells, when))
    return parsed(sessions=_table(events), problems=notes.rows())


def _printed(value: str, order: dates.Order, zone: str) -> dates.When:
    readings, width = gateways.printed(value, order)
    spans = [gateways.zone_offsets(zone, one.month) for one in readings]
    if not spans:
        return dates.UNKNOWN
    offsets = min(low for low, _ in spans), max(high for _, high in spans)
    return gateways.local(readings, offsets=offsets, width=width)


Cells = dict[str, str]
_LINE_NUMBER: Final = re.compile(r"^\d+\.\s+(?=\d)")


def _cells(whole: str, header: int, notes: gateways.Notes) -> Iterator[tuple[int, Cells]]:
    """Give the line number and the cells of every event about VPN: time, client, type, details."""
    first = lines_of.split(whole)[header - 1]
    separated = any(first.count(mark) >= 3 for mark in ",;\t")
    rows = _separated(whole, header, notes) if separated else _pasted(whole, header, notes)
    for line, cells in rows:
        if _ABOUT_VPN.search(cells["type"]):
            yield line, cells | {"time": _LINE_NUMBER.sub("", cells["time"].strip())}
        else:
            notes.add(_ELSE, line=line)


def _separated(whole: str, header: int, notes: gateways.Notes) -> Iterator[tuple[int, Cells]]:
    line = header
    try:
        for row in text.cells(whole, header_line=header):
            line = row.line
            time = next((v for name, v in row.cells.items() if re.search(r"time ?\(", name)), "")
            if row.surplus:
                notes.add("it has not as many cells as the header", line=line)
            yield (
                line,
                {
                    "time": time,
                    "type": row.cells.get("event type", ""),
                    "details": row.cells.get("details", ""),
                    "gateway": row.cells.get("device", ""),
                },
            )
    except csv.Error as error:
        notes.add(f"broken CSV: {error}", line=line, lost=True)


_STAMPED: Final = re.compile(
    r"\s*(?:\d+\.\s+)?(?P<time>\d{1,4}[./-]\d{1,2}[./-]\d{1,4},? \d{1,2}:\d\d(?::\d\d)?(?: [AP]M)?)"
    r"\s+(?P<rest>.*)",
    re.IGNORECASE,
)
_ANY_TYPE: Final = re.compile(r'^(?P<type>[^"]{0,120}?)\s*(?P<details>".*)?$', re.DOTALL)


def _pasted(whole: str, header: int, notes: gateways.Notes) -> Iterator[tuple[int, Cells]]:
    for number, line in gateways.lines(whole, notes):
        found = _STAMPED.match(line[: gateways.LONGEST])
        if found is None:
            if number > header:
                notes.add("no line of an event log", line=number, lost=True)
            continue
        kind, details = _typed(found["rest"])
        yield (
            number,
            {"time": found["time"], "type": kind, "details": details, "gateway": ""},
        )


def _typed(rest: str) -> tuple[str, str]:
    """Cut client, event type and details, between which the paste has lost its separators."""
    for known in gateways.knowledge()["meraki"]["event_types"]:
        before, name, details = rest.partition(known)
        if name and '"' not in before:
            return name, details.strip()
    found = _ANY_TYPE.match(rest)
    return (found["type"], found["details"] or "") if found else (rest, "")


_PAIR: Final = re.compile(r"(?:^|, )(\w{1,40}): (.*?)(?=, \w{1,40}: |$)", re.DOTALL)


Event = tuple[gateways.Row, "connections.Key | None"]
"""A row of table `sessions` and the connection it is of, if it says so."""


def _event(cells: Mapping[str, str], when: dates.When) -> Event:
    details = gateways.clean(html.unescape(_unquoted(cells["details"].strip())))
    if details.startswith("msg: "):  # IKE's words have commas and colons of their own
        return _meaning({"msg": details[5:]}, cells["type"], cells["gateway"], when)
    pairs = {found[1]: found[2] for found in _PAIR.finditer(details)}
    return _meaning(pairs | {"details": details}, cells["type"], cells["gateway"], when)


def _unquoted(details: str) -> str:
    """Take off the quotes that stand around the details, one pair in an export, three in a paste."""
    before = len(details) - len(details.lstrip('"'))
    after = len(details) - len(details.rstrip('"'))
    pairs = min(before, after)
    return details[pairs : len(details) - pairs]


def _meaning(details: Mapping[str, str], kind: str, gateway: str, when: dates.When) -> Event:
    """Make the row of an event of a type with details, as dashboard and API have them.

    ``details`` names its values; under its own name it has them all, as the dashboard prints them.
    """
    if "msg" in details:
        return _negotiation(details["msg"], details["msg"], gateway, when)
    fields = {**details, "type": kind, "gateway": gateway}
    return gateways.row(DIALECT, fields, when, f"{kind}: {details['details']}"), None


def _negotiation(words: str, message: str, gateway: str, when: dates.When) -> Event:
    """Make the row of a line of IKE."""
    fields = charon.cut(words) | {"gateway": gateway}
    return gateways.row(charon.DIALECT, fields, when, message), charon.connection(fields)


def _table(events: list[Event], *, newest_first: bool = True) -> pd.DataFrame:
    rows = [row for row, _ in events]
    order = connections.in_time(rows, newest_first=newest_first)
    told = connections.joined(rows, [key for _, key in events], order=order)
    return schema.frame("sessions", told)


# ------------------------------------------------------------------ API


def read_api(data: bytes) -> Parsed:
    """Read events as ``getNetworkEvents`` gives them: one, a list, pages, or one a line.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `sessions`, one row an event about VPN; `problems`.
    """
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    found = Found()
    events = [
        made
        for place, entry in objects(decoded.text, found.lose)
        for event in _opened(entry)
        if (made := _api_event(event, place, notes))
    ]
    if found.unlisted:
        notes.add(f"{found.unlisted} more entries could not be read", lost=True)
    return parsed(sessions=_table(events), problems=[*found.problems, *notes.rows()])


def _opened(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the events of a page, or the one event that it is."""
    inside = entry.get("events")
    if isinstance(inside, list):
        return [event for event in inside if isinstance(event, dict)]
    return [entry]


def _api_event(event: Mapping[str, Any], place: str, notes: gateways.Notes) -> Event | None:
    kind, line = _word(event, "description") or _word(event, "type"), int(place.rpartition(" ")[2])
    if not _ABOUT_VPN.search(kind + _word(event, "type") + _word(event, "category")):
        notes.add(_ELSE, line=line)
        return None
    when = iso.read(_word(event, "occurredAt"))
    if when is None:
        notes.add("its time is none: left open", line=line)
    stated = event.get("eventData")
    raw = {str(k): _plain(v) for k, v in stated.items()} if isinstance(stated, dict) else {}
    if any(len(value) > gateways.LONGEST for value in raw.values()):
        notes.add(gateways.TOO_LONG, line=line)
    details = {name: gateways.clean(value) for name, value in raw.items()}
    # Nothing but a name of its own keeps a value apart from the others: as the API gives it.
    details["details"] = ", ".join(f"{name}: {value}" for name, value in details.items())
    gateway = _word(event, "deviceName") or _word(event, "deviceSerial")
    return _meaning(details, kind, gateway, when or dates.UNKNOWN)


def _word(event: Mapping[str, Any], key: str) -> str:
    return gateways.clean(_plain(event.get(key)))


def _plain(value: object) -> str:
    return "" if value is None else str(value)


# ------------------------------------------------------------------ syslog

_LINE: Final = re.compile(
    r"(?:^|\s|>)1 (?P<time>\d{10}\.\d{1,9}) (?P<gateway>\S{1,255}) (?P<role>[\w-]{1,30}) (?P<text>.*)",
    re.DOTALL,
)
_HEADING: Final = re.compile(r"^(?:Site-to-Site|Client) VPN: ")


def read_syslog(data: bytes) -> Parsed:
    """Read syslog of Meraki devices.

    Parameters
    ----------
    data
        The whole file, as the devices sent it or with a collector's own stamp before each line.

    Returns
    -------
    Parsed
        `sessions`, one row a line about VPN; `problems`.
    """
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    events = []
    for number, raw in gateways.lines(decoded.text, notes):
        found = _LINE.search(raw[: gateways.LONGEST])
        if found is None:
            notes.add("no line of Meraki's syslog", line=number, lost=True)
        elif found["role"] != "events" or not _ABOUT_VPN.search(found["text"]):
            notes.add(_ELSE, line=number)
        else:
            events.append(_syslog_event(found, number, notes))
    return parsed(sessions=_table(events, newest_first=False), problems=notes.rows())


def _syslog_event(found: re.Match[str], number: int, notes: gateways.Notes) -> Event:
    stamp = gateways.epoch(found["time"])
    if stamp is None:
        notes.add("its time is none: left open", line=number)
    when = dates.UNKNOWN if stamp is None else dates.instant(stamp)
    words = found["text"].strip()
    heading = _HEADING.match(words)
    if heading:
        return _negotiation(words[heading.end() :], words, found["gateway"], when)
    fields = {"text": words, "gateway": found["gateway"]}
    return gateways.row(DIALECT, fields, when, words), None
