"""The readers of event exports, in the order of the table that tells them.

What an export is, and what is done about what it has lost, is told in `kitlib.readers.events.exports`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kitlib.readers.events import (
    event_json,
    event_viewer,
    event_xml,
    evtxecmd,
    get_eventlog,
    get_winevent,
    hayabusa,
)
from kitlib.readers.sniffing import tabled

if TYPE_CHECKING:
    from kitlib.readers.base import Reader

READERS: Final[tuple[Reader, ...]] = (
    tabled(event_xml.KIND, event_xml.read),
    tabled(get_winevent.KIND_CLIXML, get_winevent.read_clixml),
    *(tabled(dialect.kind, dialect.read) for dialect in event_json.DIALECTS[:3]),
    tabled(evtxecmd.KIND_JSON, evtxecmd.read_json),
    tabled(get_winevent.KIND_JSON, get_winevent.read_json),
    tabled(event_json.FLAT.kind, event_json.FLAT.read),
    tabled(evtxecmd.KIND_CSV, evtxecmd.read_csv),
    tabled(hayabusa.KIND, hayabusa.read),
    tabled(get_winevent.KIND_CSV, get_winevent.read_csv),
    tabled(get_eventlog.KIND, get_eventlog.read),
    tabled(event_viewer.KIND, event_viewer.read),
)
