"""Neutral facts of VPN sessions, which `kitlib.simulate.gateway_dumps` writes as logs.

A fact has a UTC time; how a product prints it is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Clock = Callable[[datetime], timedelta]
"""A zone: the offset from UTC that a clock has at a UTC instant."""

GATEWAY: Final = "192.0.2.1"
"""Address that the lines give the gateway."""
OUTCOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "attempt_failed": "failure",
        "attempt_succeeded": "success",
        "negotiation_failed": "failure",
        "negotiation_succeeded": "success",
        "session_started": "success",
        "tunnel_started": "success",
    }
)
"""What an action ended in; 'unknown' for all others."""


def utc_clock(_: datetime) -> timedelta:
    """Return no offset: a clock on UTC."""
    return timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that happened at a gateway.

    Attributes
    ----------
    time
        UTC, to the microsecond.
    action
        A verb of table `sessions`.
    user, client
        Who, and the address that they call from; empty if the gateway does not know.
    code
        Reason of a failure, in the product's notation.
    connection
        Number that ties the facts of one IKE connection.
    """

    time: datetime
    action: str
    user: str = ""
    client: str = ""
    code: str = ""
    connection: int = 1

    @property
    def outcome(self) -> str:
        """What it ended in, one of `kitlib.schema.OUTCOMES`."""
        return OUTCOMES.get(self.action, "unknown")


def local(time: datetime, clock: Clock) -> datetime:
    """Return what a clock of a zone shows at a UTC instant, without zone."""
    return (time + clock(time)).replace(tzinfo=None)


def zone_digits(time: datetime, clock: Clock, *, mark: str = "") -> str:
    """Return the offset at a UTC instant, ``+0100`` or, with a mark, ``+01:00``."""
    minutes = int(clock(time).total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{mark}{abs(minutes) % 60:02}"


def one_line(value: str) -> str:
    """Return a value as a format of one record a line can bear it: line breaks become blanks."""
    return value.replace("\r", " ").replace("\n", " ")


def file_of(lines: Iterable[str], *, end: str = "\n") -> bytes:
    """Return lines as the bytes of a file, in UTF-8."""
    return "".join(f"{line}{end}" for line in lines).encode("utf-8", "surrogatepass")


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def epoch(time: datetime, *, point: str = ".") -> str:
    """Return seconds since 1970 and nanoseconds."""
    seconds, rest = divmod(time - _EPOCH, timedelta(seconds=1))
    return f"{seconds}{point}{rest // timedelta(microseconds=1) * 1000:09}"
