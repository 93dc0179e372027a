"""The readers of event exports, in the order in which they are tried.

What an export is, and what is done about what it has lost, is told in `kitlib.readers.exports`.
"""

from __future__ import annotations

from typing import Final

from kitlib.readers import (
    event_json,
    event_viewer,
    event_xml,
    evtxecmd,
    get_eventlog,
    get_winevent,
    hayabusa,
)
from kitlib.readers.base import Reader

READERS: Final[tuple[Reader, ...]] = (
    Reader(event_xml.KIND, event_xml.sniff, event_xml.read),
    Reader(get_winevent.KIND_CLIXML, get_winevent.sniff_clixml, get_winevent.read_clixml),
    *(Reader(dialect.kind, dialect.sniff, dialect.read) for dialect in event_json.DIALECTS[:3]),
    Reader(evtxecmd.KIND_JSON, evtxecmd.sniff_json, evtxecmd.read_json),
    Reader(get_winevent.KIND_JSON, get_winevent.sniff_json, get_winevent.read_json),
    Reader(event_json.FLAT.kind, event_json.FLAT.sniff, event_json.FLAT.read),
    Reader(evtxecmd.KIND_CSV, evtxecmd.sniff_csv, evtxecmd.read_csv),
    Reader(hayabusa.KIND, hayabusa.sniff, hayabusa.read),
    Reader(get_winevent.KIND_CSV, get_winevent.sniff_csv, get_winevent.read_csv),
    Reader(get_eventlog.KIND, get_eventlog.sniff, get_eventlog.read),
    Reader(event_viewer.KIND, event_viewer.sniff, event_viewer.read),
)
"""Event Viewer's list comes last: it is known by its shape alone."""
