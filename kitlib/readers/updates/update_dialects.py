"""The registry of update histories besides COM's, `Get-HotFix` tables and `wmic qfe`.

Their order says nothing: ``sniffing.toml`` has the order in which they are tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kitlib.readers.sniffing import tabled
from kitlib.readers.updates import (
    cbs,
    columns,
    datastore,
    dism,
    hotfix_objects,
    osquery,
    pswindowsupdate,
    pswindowsupdate_forms,
    reg_export,
    registry,
    reporting_events,
    systeminfo,
    windowsupdate_log,
    winupdatesview,
)

if TYPE_CHECKING:
    from kitlib.readers.base import Reader

UPDATE_READERS: Final[tuple[Reader, ...]] = (
    tabled(osquery.HISTORY_KIND, osquery.read_history),
    tabled(osquery.PATCHES_KIND, osquery.read_patches),
    tabled(hotfix_objects.JSON_KIND, hotfix_objects.read_json),
    tabled(hotfix_objects.CLIXML_KIND, hotfix_objects.read_clixml),
    tabled(reporting_events.KIND, reporting_events.read),
    tabled(cbs.KIND, cbs.read),
    tabled(windowsupdate_log.KIND, windowsupdate_log.read),
    tabled(windowsupdate_log.OLD_KIND, windowsupdate_log.read_old),
    tabled(pswindowsupdate.KIND, pswindowsupdate.read),
    tabled(pswindowsupdate_forms.TEXT_KIND, pswindowsupdate_forms.read_text),
    tabled(pswindowsupdate_forms.JSON_KIND, pswindowsupdate_forms.read_json),
    tabled(pswindowsupdate_forms.CLIXML_KIND, pswindowsupdate_forms.read_clixml),
    tabled(winupdatesview.KIND, winupdatesview.read),
    tabled(systeminfo.KIND, systeminfo.read),
    tabled(dism.KIND, dism.read),
    tabled(reg_export.KIND, reg_export.read),
    tabled(registry.KIND, registry.read),
    tabled(datastore.KIND, datastore.read),
    tabled(columns.KIND, columns.read),
)
