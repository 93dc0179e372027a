"""Cisco Meraki MX: the dashboard's event log (export or paste), the API's events, syslog.

The dashboard prints local minutes and names the zone once, in the header (``Time(CDT)``), as an
abbreviation; what that can mean, and when, stands in ``gateways.toml``. Details are escaped as
HTML. API and syslog state UTC. Client-VPN lines of IKE are strongSwan's without thread and
subsystem, whatever heading they stand under ("Site-to-Site VPN:").

An event log holds everything that a network does; rows become only the lines about VPN, the rest
is counted. What the words mean stands in ``gateways.toml``.
"""

from __future__ import annotations

import csv
import html
import re
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import charon, dates, gateways, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.exports import Found
from kitlib.readers.json_objects import objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def sniff_event_log(head: bytes) -> bool:
    """Tell the dashboard's event log by its header, which names a zone."""
    return _header(text.decode(head, partial=True).text.splitlines()) is not None


def _header(lines: list[str]) -> tuple[int, str] | None:
    """Find the header: its line from 1, and the zone."""
    for number, line in enumerate(lines[:_SEARCHED], 1):
        found = _HEADER.match(line[:500])
        if found:
            return number, found["zone"]
    return None


def read_event_log(data: bytes, *, offsets: tuple[int, int] = gateways.ANYWHERE) -> Parsed:
    """Read the dashboard's event log, as it is exported or as it is pasted from the page.

    Parameters
    ----------
    data
        The whole file; separated by commas, semicolons or tabs, or, pasted, by blanks.
    offsets
        Lowest and highest offset from UTC, in minutes, that the network can have; helps where the
        header's abbreviation stands for several zones.

    Returns
    -------
    Parsed
        `sessions`, one row an event about VPN, in the order of the file (newest first as the
        dashboard gives them); `problems`.
    """
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    header = _header(decoded.text.splitlines())
    if header is None:
        return parsed(problems=[{"reason": "no header with Time(zone), Event type and Details"}])
    number, zone = header
    plain = [line for line in _cells(decoded.text, number, notes) if line[1]]
    order = dates.order_of(cells["time"] for _, cells in plain)
    if plain and order in ("undecided", "mixed"):
        notes.add("no date tells whether the day or the month stands first: both are covered")
    rows = []
    for line, cells in plain:
        when = _printed(cells["time"], order, zone, offsets)
        if when is dates.UNKNOWN:
            notes.add("its time is none: left open", line=line)
        elif when.date is None:
            notes.add(f"'{zone}' leaves the offset open: given as a span", line=line)
        rows.append(_event(cells, when))
    return parsed(sessions=schema.frame("sessions", rows), problems=notes.rows())


def _printed(value: str, order: dates.Order, zone: str, within: tuple[int, int]) -> dates.When:
    readings, width = gateways.printed(value, order)
    spans = [gateways.zone_offsets(zone, one.month, within=within) for one in readings]
    if not spans:
        return dates.UNKNOWN
    offsets = min(low for low, _ in spans), max(high for _, high in spans)
    return gateways.local(readings, offsets=offsets, width=width)


Cells = dict[str, str]
_LINE_NUMBER: Final = re.compile(r"^\d+\.\s+(?=\d)")


def _cells(whole: str, header: int, notes: gateways.Notes) -> Iterator[tuple[int, Cells]]:
    """Give the line number and the cells of every event about VPN: time, client, type, details."""
    first = whole.splitlines()[header - 1]
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
    for number, line in enumerate(whole.splitlines()[header:], header + 1):
        found = _STAMPED.match(line[: gateways.LONGEST])
        if found is None:
            if line.strip():
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


def _event(cells: Mapping[str, str], when: dates.When) -> gateways.Row:
    details = html.unescape(_unquoted(cells["details"][: gateways.LONGEST].strip()))
    if details.startswith("msg: "):  # IKE's words have commas and colons of their own
        return _meaning({"msg": details[5:]}, cells["type"], cells["gateway"], when)
    pairs = {found[1]: found[2] for found in _PAIR.finditer(details)}
    return _meaning(pairs or {"details": details}, cells["type"], cells["gateway"], when)


def _unquoted(details: str) -> str:
    """Take off the quotes that stand around the details, one pair in an export, three in a paste."""
    before = len(details) - len(details.lstrip('"'))
    after = len(details) - len(details.rstrip('"'))
    pairs = min(before, after)
    return details[pairs : len(details) - pairs]


def _meaning(details: Mapping[str, str], kind: str, gateway: str, when: dates.When) -> gateways.Row:
    """Make the row of an event of a type with details, as dashboard and API have them."""
    if "msg" in details:
        fields = charon.cut(details["msg"]) | {"gateway": gateway}
        return gateways.row(charon.DIALECT, fields, when, details["msg"])
    fields = {**details, "type": kind, "gateway": gateway}
    stated = ", ".join(f"{name}: {value}" for name, value in details.items())
    return gateways.row(DIALECT, fields, when, f"{kind}: {stated}")


# ------------------------------------------------------------------ API


def sniff_api(head: bytes) -> bool:
    """Tell the API's events by two keys that stand together nowhere else."""
    start = text.decode(head, partial=True).text.lstrip()
    keys = ('"occurredAt"', '"networkId"')
    return start[:1] in ("[", "{") and all(key in start for key in keys)


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
    rows = [
        row
        for place, entry in objects(decoded.text, found)
        for event in _opened(entry)
        if (row := _api_row(event, place, notes))
    ]
    if found.unlisted:
        notes.add(f"{found.unlisted} more entries could not be read", lost=True)
    return parsed(
        sessions=schema.frame("sessions", rows), problems=[*found.problems, *notes.rows()]
    )


def _opened(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the events of a page, or the one event that it is."""
    inside = entry.get("events")
    if isinstance(inside, list):
        return [event for event in inside if isinstance(event, dict)]
    return [entry]


def _api_row(event: Mapping[str, Any], place: str, notes: gateways.Notes) -> gateways.Row | None:
    kind, line = _word(event, "description") or _word(event, "type"), int(place.rpartition(" ")[2])
    if not _ABOUT_VPN.search(kind + _word(event, "type") + _word(event, "category")):
        notes.add(_ELSE, line=line)
        return None
    when = gateways.iso(_word(event, "occurredAt"))
    if when is None:
        notes.add("its time is none: left open", line=line)
    stated = event.get("eventData")
    details = {str(k): _text(v) for k, v in stated.items()} if isinstance(stated, dict) else {}
    gateway = _word(event, "deviceName") or _word(event, "deviceSerial")
    return _meaning(details, kind, gateway, when or dates.UNKNOWN)


def _word(event: Mapping[str, Any], key: str) -> str:
    return gateways.clean(_text(event.get(key)))


def _text(value: object) -> str:
    """Return a JSON value as text that a table takes: half a surrogate pair is none."""
    return "" if value is None else gateways.clean(str(value))


# ------------------------------------------------------------------ syslog

_LINE: Final = re.compile(
    r"(?:^|\s|>)1 (?P<time>\d{10}\.\d{1,9}) (?P<gateway>\S{1,255}) (?P<role>[\w-]{1,30}) (?P<text>.*)",
    re.DOTALL,
)
_HEADING: Final = re.compile(r"^(?:Site-to-Site|Client) VPN: ")
_EVENTS: Final = re.compile(r"(?:^|[\s>])1 \d{10}\.\d{1,9} \S{1,255} (?:events|flows|urls) ")


def sniff_syslog(head: bytes) -> bool:
    """Tell it by a line whose time is seconds since 1970, followed by device and role."""
    lines = text.decode(head, partial=True).text.splitlines()[:_SEARCHED]
    return any(_EVENTS.search(line[:600]) for line in lines)


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
    rows = []
    for number, raw in enumerate(decoded.text.splitlines(), 1):
        found = _LINE.search(raw[: gateways.LONGEST])
        if found is None:
            if raw.strip():
                notes.add("no line of Meraki's syslog", line=number, lost=True)
        elif found["role"] != "events" or not _ABOUT_VPN.search(found["text"]):
            notes.add(_ELSE, line=number)
        else:
            rows.append(_syslog_row(found, number, notes))
    return parsed(sessions=schema.frame("sessions", rows), problems=notes.rows())


def _syslog_row(found: re.Match[str], number: int, notes: gateways.Notes) -> gateways.Row:
    stamp = gateways.epoch(found["time"])
    if stamp is None:
        notes.add("its time is none: left open", line=number)
    when = dates.UNKNOWN if stamp is None else dates.instant(stamp)
    words = found["text"].strip()
    heading = _HEADING.match(words)
    if heading:
        fields = charon.cut(words[heading.end() :]) | {"gateway": found["gateway"]}
        return gateways.row(charon.DIALECT, fields, when, words)
    fields = {"text": words, "gateway": found["gateway"]}
    return gateways.row(DIALECT, fields, when, words)
