"""The registry of update histories besides COM's, `Get-HotFix` tables and `wmic qfe`.

Each is known by its content alone and none by that of another; their order says nothing, but that
osquery's history, which has the keys of COM's, is asked before it.
"""

from __future__ import annotations

from typing import Final

from kitlib.readers import (
    cbs,
    dism,
    hotfix_objects,
    osquery,
    pswindowsupdate,
    reporting_events,
    systeminfo,
    windowsupdate_log,
    winupdatesview,
)
from kitlib.readers.base import Reader

UPDATE_READERS: Final[tuple[Reader, ...]] = (
    Reader(osquery.HISTORY_KIND, osquery.sniff_history, osquery.read_history),
    Reader(osquery.PATCHES_KIND, osquery.sniff_patches, osquery.read_patches),
    Reader(hotfix_objects.JSON_KIND, hotfix_objects.sniff_json, hotfix_objects.read_json),
    Reader(hotfix_objects.CLIXML_KIND, hotfix_objects.sniff_clixml, hotfix_objects.read_clixml),
    Reader(reporting_events.KIND, reporting_events.sniff, reporting_events.read),
    Reader(cbs.KIND, cbs.sniff, cbs.read),
    Reader(windowsupdate_log.KIND, windowsupdate_log.sniff, windowsupdate_log.read),
    Reader(pswindowsupdate.KIND, pswindowsupdate.sniff, pswindowsupdate.read),
    Reader(winupdatesview.KIND, winupdatesview.sniff, winupdatesview.read),
    Reader(systeminfo.KIND, systeminfo.sniff, systeminfo.read),
    Reader(dism.KIND, dism.sniff, dism.read),
)
