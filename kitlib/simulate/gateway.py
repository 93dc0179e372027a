"""What the office's VPN gateway writes about the world's attempts: a Meraki event log (CSV).

The dashboard's dialect is that of `kitlib.simulate.gateway_dumps`. A try that reaches the gateway leaves
IKE's lines; one that comes up leaves the user's name as well. A try that breaks in the first
negotiation leaves an IKE_SA that is half open until it times out, and no name; one that never
gets there leaves nothing, which is what silence of a gateway means.

Addresses are of the documentation ranges. Nothing here knows which change is guilty.
"""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kitlib.simulate.dice import Dice
from kitlib.simulate.gateway_dumps import Entry, dashboard, meraki_entry
from kitlib.simulate.gateway_facts import Fact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from kitlib.simulate.usage import Attempt
    from kitlib.simulate.world import HostWorld, World

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
    return dashboard(inside, zone=zone_of(world), clock=world.window.offset)


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


def _entries(world: World, host: HostWorld) -> Iterator[Entry]:
    dice = Dice(world.seed, host.name, "gateway")
    address, inner = client_address(world, host), f"192.168.70.{dice.whole(10, 250)}"
    mac = ":".join(["02", *(f"{dice.whole(0, 255):02x}" for _ in range(5))])
    for attempt in host.attempts:
        number, spi = dice.whole(1, 9999), f"c{dice.whole(0, 2**28 - 1):07x}"
        for fact in _facts(attempt, user=host.user, address=address, number=number):
            entry = meraki_entry(fact, station=mac, inner=inner, spi=spi)
            if entry:
                yield entry


def _facts(attempt: Attempt, *, user: str, address: str, number: int) -> Iterator[Fact]:
    """Yield what the gateway learns of a try: of its IKE and, where that comes up, of its user."""
    for action, time in _negotiated(attempt):
        yield Fact(time=time, action=action, client=address, connection=number)
    if attempt.outcome == "success":
        yield Fact(time=attempt.closed, action="session_started", user=user, client=address)
        if attempt.end:
            yield Fact(time=attempt.end, action="session_ended", user=user, client=address)


def _negotiated(attempt: Attempt) -> Iterator[tuple[str, datetime]]:
    if attempt.outcome == "failure" and attempt.code in HALF_OPEN:
        yield "negotiation_failed", attempt.start + timedelta(seconds=HALF_OPEN_SECONDS)
    if attempt.stage < THROUGH_IKE:
        return
    begun, over = attempt.start + (attempt.closed - attempt.start) / 2, attempt.end
    for action in ("negotiation_succeeded", "tunnel_started"):
        yield action, begun
    for action in ("tunnel_ended", "association_ended"):
        yield action, over or attempt.closed


GATEWAY_LOGS: Final[Mapping[str, tuple[str, Callable[[World], bytes]]]] = MappingProxyType(
    {"meraki_csv": ("event-log.csv", meraki_csv)}
)
"""Dialect of the scenario → file name, writer."""
