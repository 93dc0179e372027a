"""The readers of VPN gateways' logs, as the registry takes them: table `sessions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kitlib.readers.gateway import charon, fortigate, gateway_dialects, meraki, nps
from kitlib.readers.sniffing import tabled

if TYPE_CHECKING:
    from kitlib.readers.base import Reader

GATEWAYS: Final[tuple[Reader, ...]] = (
    tabled(meraki.EVENT_LOG, meraki.read_event_log),
    tabled(meraki.API, meraki.read_api),
    tabled(meraki.SYSLOG, meraki.read_syslog),
    tabled(charon.KIND, charon.read),
    tabled(nps.DTS, nps.read_dts),
    tabled(nps.DATABASE, nps.read_database),
    tabled(nps.IAS, nps.read_ias),
    tabled(fortigate.KIND, fortigate.read),
    tabled(gateway_dialects.KIND, gateway_dialects.read),
)
"""Their signatures exclude each other: the order says nothing."""
