"""Gateway logs in the dialects that people hand over, from neutral facts of sessions.

`kitlib.simulate.gateway_facts.Fact` says what happened at a gateway and when (UTC); each function
here writes facts as one product prints them (NPS: `kitlib.simulate.nps_dumps`). The functions are
pure: the same facts and options give the same bytes. A fact that a product has no words for is left
out, as the product would; `MERAKI`, `CHARON` and `FORTIGATE` list what each has words for.

The dialects are those of reference lines (dashboard export of 2022, API event of 2024, syslog of
2022, pfSense and VyOS lines, FortiOS lines of 2020). Not seen in a real file, so made up to the rule
of the rest: Meraki's event for a client that connects, IKE lines that name a user under Meraki's
envelope, FortiGate's escape of a quote inside a value. Formats of one record a line cannot bear line
breaks inside a value; they become blanks.

Nothing here knows a world, a host or a change; all addresses it adds are documentation addresses.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from kitlib.simulate.gateway_facts import (
    GATEWAY,
    Clock,
    Fact,
    epoch,
    file_of,
    local,
    one_line,
    utc_clock,
    zone_digits,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

CONNECTION: Final = "l2tp-over-ipsec-1"


# ------------------------------------------------------------------ IKE, as strongSwan words it

_IKE: Final = frozenset(
    {
        "negotiation_started",
        "negotiation_succeeded",
        "negotiation_failed",
        "association_ended",
        "tunnel_started",
        "tunnel_ended",
    }
)
_ASKS: Final = frozenset({"attempt_started", "attempt_succeeded", "attempt_failed"})
CHARON: Final = _IKE | _ASKS | {"gateway_started"}


def ike_words(fact: Fact, *, spi: str = "") -> str:
    """Return what the IKE daemon says of a fact, without tag; empty if it says nothing.

    Parameters
    ----------
    fact
        One of those in `CHARON`.
    spi
        Eight hex digits; made from the connection's number if not given.
    """
    number, client = fact.connection, fact.client
    own = spi or f"c{number:07x}"
    ends = f"{CONNECTION}[{number}]", f"between {GATEWAY}[{GATEWAY}]...{client}[10.0.0.5]"
    selectors = f"TS {GATEWAY}/32[udp/l2f] === {client}/32[udp/l2f]"
    spis = f"{own}(inbound) {own[::-1]}(outbound)"
    sizes = f"{own}(inbound) (5659 bytes) {own[::-1]}(outbound) (0 bytes)"
    failed = f"deleting half open IKE_SA with {client} after timeout"
    words = {
        "negotiation_started": f"{client} is initiating a Main Mode IKE_SA",
        "negotiation_succeeded": f"IKE_SA {ends[0]} established {ends[1]}",
        "negotiation_failed": f"received {fact.code} error notify" if fact.code else failed,
        "association_ended": f"deleting IKE_SA {ends[0]} {ends[1]}",
        "tunnel_started": f"CHILD_SA net-1{{{number}}} established with SPIs {spis} and {selectors}",
        "tunnel_ended": f"closing CHILD_SA net-1{{{number}}} with SPIs {sizes} and {selectors}",
        "attempt_started": f"received EAP identity '{fact.user}'",
        "attempt_succeeded": f"XAuth authentication of '{fact.user}' successful",
        "attempt_failed": f"XAuth authentication of '{fact.user}' failed",
        "gateway_started": "Starting IKE charon daemon (strongSwan 5.9.1, Linux 5.10.0, x86_64)",
    }
    return words.get(fact.action, "")


def charon_syslog(
    facts: Iterable[Fact],
    *,
    envelope: Literal["bsd", "rfc5424"] = "bsd",
    clock: Clock = utc_clock,
    host: str = "gw1",
    twins: bool = False,
) -> bytes:
    """Write facts as a syslog file of charon, in the order given.

    Parameters
    ----------
    facts
        At most those in `CHARON` are written.
    envelope
        ``bsd`` (RFC 3164) states neither year nor zone and whole seconds; ``rfc5424`` has a
        year, microseconds and the offset.
    clock
        The gateway's zone.
    host
        The daemon's host; a BSD line may lack it.
    twins
        Write each line a second time under the unit's name, as VyOS does.
    """
    lines, process = [], 2440
    for fact in facts:
        words = ike_words(fact)
        if not words:
            continue
        words = one_line(words)
        process += fact.action == "gateway_started"
        head = _envelope(fact.time, clock, envelope, host)
        lines.append(head("charon", process) + _tagged(fact, words))
        if twins:
            lines.append(head("charon-systemd", process) + words)
    return file_of(lines)


def _tagged(fact: Fact, words: str) -> str:
    if fact.action == "gateway_started":
        return f"00[DMN] {words}"
    name = "" if fact.action == "negotiation_started" else f"{CONNECTION}|"
    return f"05[IKE] <{name}{fact.connection}> {words}"


def _envelope(
    time: datetime, clock: Clock, form: Literal["bsd", "rfc5424"], host: str
) -> Callable[[str, int], str]:
    wall = local(time, clock)
    if form == "rfc5424":
        stamp = wall.isoformat(timespec="microseconds") + zone_digits(time, clock, mark=":")
        return lambda app, process: f"<30>1 {stamp} {host or '-'} {app} {process} - - "
    stamp = f"{_MONTHS[wall.month - 1]} {wall.day:2} {wall:%H:%M:%S}"
    named = f"{stamp} {host}" if host else stamp
    return lambda app, process: f"{named} {app}[{process}]: "


_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


# ------------------------------------------------------------------ Meraki

MERAKI: Final = _IKE | _ASKS | {"session_started", "session_ended"}

NEGOTIATION: Final = "Non-Meraki / Client VPN negotiation"
CONNECTED: Final = "VPN client connected"
DISCONNECTED: Final = "VPN client disconnected"
_SESSIONS: Final = MappingProxyType({"session_started": CONNECTED, "session_ended": DISCONNECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the dashboard's event log; `time` is UTC."""

    time: datetime
    client: str
    kind: str
    details: str


def meraki_entry(
    fact: Fact, *, station: str = "", inner: str = "192.168.70.9", spi: str = ""
) -> Entry | None:
    """Return the event that a Meraki MX makes of a fact; None if it makes none.

    Parameters
    ----------
    fact
        One of those in `MERAKI`.
    station, inner
        The client's hardware address, and the one it gets inside; only lines that name a user
        bear them.
    spi
        As in `ike_words`.
    """
    if fact.action in _SESSIONS:
        details = f"local_ip: {inner}, user_id: {fact.user}, remote_ip: {fact.client}"
        kind = _SESSIONS[fact.action]
        return Entry(time=fact.time, client=station, kind=kind, details=details)
    words = ike_words(fact, spi=spi) if fact.action in MERAKI else ""
    details = f"msg: <{CONNECTION}|{fact.connection}> {words}"
    return Entry(time=fact.time, client="", kind=NEGOTIATION, details=details) if words else None


def meraki_dashboard(facts: Iterable[Fact], *, zone: str, clock: Clock) -> bytes:
    """Write facts as the dashboard exports its event log (CSV): local minutes, newest first.

    Parameters
    ----------
    facts
        At most those in `MERAKI` are written.
    zone
        What the header says: an abbreviation, ``CET``, or an offset, ``+05:30``.
    clock
        The network's zone.
    """
    entries = [entry for fact in facts if (entry := meraki_entry(fact))]
    return dashboard(entries, zone=zone, clock=clock)


def dashboard(entries: Iterable[Entry], *, zone: str, clock: Clock) -> bytes:
    """Write events as `meraki_dashboard` does; those of one minute keep their order, reversed.

    Details stand in a second pair of quotes and are escaped as HTML.
    """
    newest = sorted(entries, key=lambda entry: entry.time)[::-1]
    lines = [f"Time({zone}),Client,Event type,Details", *(_row(e, clock) for e in newest)]
    return file_of(lines)


def _row(entry: Entry, clock: Clock) -> str:
    cell = f'"{html.escape(entry.details, quote=False)}"'.replace('"', '""')
    return f'{local(entry.time, clock):%m/%d/%Y %H:%M},{entry.client},{entry.kind},"{cell}"'


def meraki_api(
    facts: Iterable[Fact],
    *,
    page: int = 0,
    network: str = "N_1",
    serial: str = "Q2XX-XXXX-XXXX",
    name: str = "mx1",
) -> bytes:
    """Write facts as events of the dashboard's API (JSON), newest first.

    Parameters
    ----------
    facts
        At most those in `MERAKI` are written.
    page
        Events a page: an array of pages with their ``events``. 0: a bare array of events.
    network, serial, name
        Of the appliance.
    """
    device = {"networkId": network, "deviceSerial": serial, "deviceName": name}
    newest = sorted(facts, key=lambda fact: fact.time)[::-1]
    events = [event for fact in newest if (event := _api_event(fact, device))]
    if not page:
        return json.dumps(events, indent=2).encode()
    cuts = [events[start : start + page] for start in range(0, len(events), page)]
    return json.dumps([_page(cut) for cut in cuts], indent=2).encode()


def _page(events: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    ends = {"pageStartAt": events[-1]["occurredAt"], "pageEndAt": events[0]["occurredAt"]}
    return {"message": None, **ends, "events": list(events)}


def _api_event(fact: Fact, device: Mapping[str, str]) -> dict[str, object] | None:
    entry = meraki_entry(fact)
    if entry is None:
        return None
    if fact.action in _SESSIONS:
        kind, named = f"client_vpn_{entry.kind.rpartition(' ')[2][:-2]}", entry.kind
        data = {"user_id": fact.user, "local_ip": "192.168.70.9", "remote_ip": fact.client}
    else:
        kind, named = "client_vpn", "Client VPN negotiation"
        data = {"msg": entry.details.removeprefix("msg: ")}
    occurred = local(fact.time, utc_clock).isoformat(timespec="microseconds") + "Z"
    nobody = {"clientId": None, "clientDescription": None, "clientMac": ""}
    told = {"occurredAt": occurred, "type": kind, "description": named, **nobody, **device}
    return {**told, "category": "wired_only_client_vpn", "eventData": data}


def meraki_syslog(facts: Iterable[Fact], *, device: str = "mx1") -> bytes:
    """Write facts as a Meraki device sends them by syslog: nanoseconds UTC, in the order given."""
    return file_of(
        f"<134>1 {epoch(fact.time)} {device} events {one_line(words)}"
        for fact in facts
        if (words := _syslog_words(fact))
    )


def _syslog_words(fact: Fact) -> str:
    if fact.action in _SESSIONS:
        verb = "connect" if fact.action == "session_started" else "disconnect"
        user = f"user id '{fact.user}' local ip 192.168.70.9"
        return f"client_vpn_{verb} {user} connected from {fact.client}"
    words = ike_words(fact) if fact.action in MERAKI else ""
    return words and f"Site-to-Site VPN: <{CONNECTION}|{fact.connection}> {words}"


# ------------------------------------------------------------------ FortiGate

_FORTI: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "attempt_failed": ("0101040017", 'action="connect"'),
        "negotiation_failed": ("0101037124", 'action="negotiate" status="negotiate_error"'),
        "negotiation_progress": ("0101037127", 'action="negotiate" status="success"'),
        "session_started": ("0101039947", 'action="tunnel-up" tunneltype="ssl-tunnel"'),
        "session_ended": ("0101039948", 'action="tunnel-down" tunneltype="ssl-tunnel"'),
        "tunnel_started": ("0101037138", 'action="tunnel-up" tunneltype="ipsec"'),
        "tunnel_ended": ("0101037138", 'action="tunnel-down" tunneltype="ipsec"'),
    }
)
"""Log id and what else tells the event."""
FORTIGATE: Final = frozenset(_FORTI)


def fortigate(
    facts: Iterable[Fact],
    *,
    clock: Clock,
    times: Literal["ns", "s", "printed", "zoneless"] = "ns",
    device: str = "fw1",
) -> bytes:
    """Write facts as FortiGate logs them (``key=value``), in the order given.

    Parameters
    ----------
    facts
        At most those in `FORTIGATE` are written.
    clock
        The device's zone.
    times
        ``eventtime`` in nanoseconds or in seconds beside date, time and tz; or these three
        alone; or only date and time.
    device
        Its name.
    """
    return file_of(_forti(fact, clock, times, device) for fact in facts if fact.action in FORTIGATE)


def _forti(
    fact: Fact, clock: Clock, times: Literal["ns", "s", "printed", "zoneless"], device: str
) -> str:
    number, told = _FORTI[fact.action]
    wall = local(fact.time, clock)
    stated = {
        "ns": f" eventtime={epoch(fact.time, point='')}",
        "s": f" eventtime={epoch(fact.time).partition('.')[0]}",
    }.get(times, "")
    zone = "" if times == "zoneless" else f' tz="{zone_digits(fact.time, clock)}"'
    named = f'remip={fact.client or "N/A"} user="{_bare(fact.user)}" reason="{_bare(fact.code)}"'
    return (
        f'<189>date={wall:%Y-%m-%d} time={wall:%H:%M:%S} devname="{device}" devid="FG1" '
        f'logid="{number}" type="event" subtype="vpn" level="notice" vd="root"{stated}{zone} '
        f"{told} {named}"
    )


def _bare(value: str) -> str:
    return one_line(value).replace("\\", "\\\\").replace('"', '\\"') or "N/A"
