"""What the office's VPN gateway writes about the world's attempts: a Meraki event log (CSV).

The dashboard's dialect: the zone once, in the header, as an abbreviation; local minutes; newest
first; details in a second pair of quotes, escaped as HTML. A try that reaches the gateway leaves
IKE's lines; one that comes up leaves the user's name as well. A try that breaks in the first
negotiation leaves an IKE_SA that is half open until it times out, and no name; one that never
gets there leaves nothing, which is what silence of a gateway means.

Addresses are of the documentation ranges. Nothing here knows which change is guilty.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kitlib.simulate.dice import Dice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitlib.simulate.usage import Attempt
    from kitlib.simulate.world import HostWorld, World

NEGOTIATION: Final = "Non-Meraki / Client VPN negotiation"
CONNECTED: Final = "VPN client connected"
DISCONNECTED: Final = "VPN client disconnected"
CONNECTION: Final = "l2tp-over-ipsec-1"
GATEWAY: Final = "192.0.2.1"
HALF_OPEN: Final = frozenset({787, 789})
"""Codes of tries that begin IKE and do not end it; others of the same stage never reach it."""
THROUGH_IKE: Final = 20223
"""Stage from which on IKE has come up."""
HALF_OPEN_SECONDS: Final = 30.0
ABBREVIATIONS: Final[Mapping[tuple[str, int], str]] = MappingProxyType(
    {
        ("UTC", 0): "UTC",
        ("GMT Standard Time", 0): "GMT",
        ("GMT Standard Time", 60): "BST",
        ("W. Europe Standard Time", 60): "CET",
        ("W. Europe Standard Time", 120): "CEST",
        ("Eastern Standard Time", -300): "EST",
        ("Eastern Standard Time", -240): "EDT",
        ("Central Standard Time", -360): "CST",
        ("Central Standard Time", -300): "CDT",
        ("Pacific Standard Time", -480): "PST",
        ("Pacific Standard Time", -420): "PDT",
    }
)
"""Windows zone and minutes from UTC → what the dashboard's header says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the event log; `time` is UTC."""

    time: datetime
    client: str
    kind: str
    details: str


def meraki_csv(world: World) -> bytes:
    """Write the event log of the office's gateway as the dashboard exports it.

    Parameters
    ----------
    world
        A grown scenario.

    Returns
    -------
    bytes
        UTF-8; the same world gives the same bytes. Entries of the window, newest first.
    """
    everything = [entry for host in world.hosts for entry in _entries(world, host)]
    inside = [entry for entry in everything if world.start <= entry.time < world.end]
    newest = sorted(inside, key=lambda entry: entry.time)[::-1]
    lines = [
        f"Time({zone_of(world)}),Client,Event type,Details",
        *(_line(world, e) for e in newest),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def zone_of(world: World) -> str:
    """Return the zone as the header has it at the end of the window, ``CET`` or ``+05:30``."""
    offset = world.window.offset(world.window.end)
    minutes = int(offset.total_seconds()) // 60
    known = ABBREVIATIONS.get((world.window.zone, minutes))
    sign, size = "-" if minutes < 0 else "+", abs(minutes)
    return known or f"{sign}{size // 60:02}{f':{size % 60:02}' if size % 60 else ''}"


def client_address(world: World, host: HostWorld) -> str:
    """Return the public address that a host's user calls from."""
    dice = Dice(world.seed, host.name, "gateway", "address")
    return f"{dice.pick(('198.51.100', '203.0.113'))}.{dice.whole(1, 254)}"


def _line(world: World, entry: Entry) -> str:
    stamp = world.window.local(entry.time)
    cell = f'"{html.escape(entry.details, quote=False)}"'.replace('"', '""')
    return f'{stamp:%m/%d/%Y %H:%M},{entry.client},{entry.kind},"{cell}"'


def _entries(world: World, host: HostWorld) -> Iterator[Entry]:
    dice = Dice(world.seed, host.name, "gateway")
    address, inner = client_address(world, host), f"192.168.70.{dice.whole(10, 250)}"
    mac = ":".join(["02", *(f"{dice.whole(0, 255):02x}" for _ in range(5))])
    user = f"local_ip: {inner}, user_id: {host.user}, remote_ip: {address}"
    for attempt in host.attempts:
        number, spi = dice.whole(1, 9999), f"c{dice.whole(0, 2**28 - 1):07x}"
        ike = f"<{CONNECTION}|{number}> "
        for time, words in _negotiated(attempt, address, number, spi):
            yield Entry(time=time, client="", kind=NEGOTIATION, details=f"msg: {ike}{words}")
        if attempt.outcome == "success":
            yield Entry(time=attempt.closed, client=mac, kind=CONNECTED, details=user)
            if attempt.end:
                yield Entry(time=attempt.end, client=mac, kind=DISCONNECTED, details=user)


def _negotiated(
    attempt: Attempt, address: str, number: int, spi: str
) -> Iterator[tuple[datetime, str]]:
    """Yield when the gateway says what about a try's IKE, without its tag."""
    if attempt.outcome == "failure" and attempt.code in HALF_OPEN:
        given_up = attempt.start + timedelta(seconds=HALF_OPEN_SECONDS)
        yield given_up, f"deleting half open IKE_SA with {address} after timeout"
    if attempt.stage < THROUGH_IKE:
        return
    begun = attempt.start + (attempt.closed - attempt.start) / 2
    ends = f"{GATEWAY}[{GATEWAY}]...{address}[10.0.0.5]"
    selectors = f"TS {GATEWAY}/32[udp/l2f] === {address}/32[udp/l2f]"
    yield begun, f"IKE_SA {CONNECTION}[{number}] established between {ends}"
    spis = f"{spi}(inbound) {spi[::-1]}(outbound)"
    yield begun, f"CHILD_SA net-1{{{number}}} established with SPIs {spis} and {selectors}"
    over = attempt.end or attempt.closed
    sizes = f"{spi}(inbound) (5659 bytes) {spi[::-1]}(outbound) (0 bytes)"
    yield over, f"closing CHILD_SA net-1{{{number}}} with SPIs {sizes} and {selectors}"
    yield over, f"deleting IKE_SA {CONNECTION}[{number}] between {ends}"
