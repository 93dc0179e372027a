r"""Events as people export them: every dialect that the kit reads, written from the same `Event`s.

One list of events, as a fleet has it for a log, becomes ``wevtutil`` XML, an Event Viewer list, a
``Get-WinEvent`` export or another program's JSON. The functions are pure: the same events give the
same bytes. A host's offset is given in minutes where a dialect writes local time; a time zone with
summer time is cut into such stretches by the caller.

This is the one module to import; the layouts are in ``exports_xml``, ``exports_lists``,
``exports_powershell``, ``exports_json`` and ``exports_tools``, what they share in
``exports_common``.

Examples
--------
>>> event = Event(provider="RasClient", event_id=20224, time=0, data=["{A}", "alice"])
>>> event_viewer_csv([event], channel="Application", utc_offset=60).split(b",")[4]
b'Task Category\r\nInformation'
"""

from __future__ import annotations

from kitlib.simulate.evtx import Event
from kitlib.simulate.exports_common import (
    CULTURES,
    DE_DE,
    EN_US,
    ES_CO,
    FR_FR,
    Culture,
    MessageOf,
    message_of,
)
from kitlib.simulate.exports_json import (
    evtx_dump_jsonl,
    flat_jsonl,
    velociraptor_jsonl,
    winlogbeat_ndjson,
)
from kitlib.simulate.exports_lists import event_viewer_csv, event_viewer_txt, get_eventlog_list
from kitlib.simulate.exports_powershell import (
    get_winevent_clixml,
    get_winevent_csv,
    get_winevent_json_7,
    get_winevent_json_51,
)
from kitlib.simulate.exports_tools import RulesOf, evtxecmd_csv, evtxecmd_json, hayabusa_csv
from kitlib.simulate.exports_xml import event_viewer_xml, rendered_xml, wevtutil_xml

__all__ = [
    "CULTURES",
    "DE_DE",
    "EN_US",
    "ES_CO",
    "FR_FR",
    "Culture",
    "Event",
    "MessageOf",
    "RulesOf",
    "event_viewer_csv",
    "event_viewer_txt",
    "event_viewer_xml",
    "evtx_dump_jsonl",
    "evtxecmd_csv",
    "evtxecmd_json",
    "flat_jsonl",
    "get_eventlog_list",
    "get_winevent_clixml",
    "get_winevent_csv",
    "get_winevent_json_7",
    "get_winevent_json_51",
    "hayabusa_csv",
    "message_of",
    "rendered_xml",
    "velociraptor_jsonl",
    "wevtutil_xml",
    "winlogbeat_ndjson",
]
