"""The readers of VPN gateways' logs, as the registry takes them: table `sessions`."""

from __future__ import annotations

from typing import Final

from kitlib.readers import charon, fortigate, meraki, nps
from kitlib.readers.base import Reader

GATEWAYS: Final[tuple[Reader, ...]] = (
    Reader(meraki.EVENT_LOG, meraki.sniff_event_log, meraki.read_event_log),
    Reader(meraki.API, meraki.sniff_api, meraki.read_api),
    Reader(meraki.SYSLOG, meraki.sniff_syslog, meraki.read_syslog),
    Reader(charon.KIND, charon.sniff, charon.read),
    Reader(nps.DTS, nps.sniff_dts, nps.read_dts),
    Reader(nps.DATABASE, nps.sniff_database, nps.read_database),
    Reader(nps.IAS, nps.sniff_ias, nps.read_ias),
    Reader(fortigate.KIND, fortigate.sniff, fortigate.read),
)
"""Their signatures exclude each other: the order says nothing."""
