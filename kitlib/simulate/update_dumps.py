"""Every update-history dialect the kit writes, in one place: `Item`s in, the bytes of a file out.

The writers are pure and use no chance. What each dialect loses is lost here as well; see
`kitlib.simulate.dumps` for the entry, the culture and the clock, and the modules named below for
the dialects. `kitlib.simulate.updates` makes items out of a simulated host.
"""

from __future__ import annotations

from kitlib.simulate.dumps import (
    CULTURES,
    EN_US,
    Culture,
    Item,
    Offset,
    Session,
    at_utc,
    european,
    stepped,
    wall_time,
)
from kitlib.simulate.dumps_agent_log import agent_log_decoded, agent_log_old
from kitlib.simulate.dumps_history import (
    collector_json,
    com_clixml,
    com_csv,
    com_json_7,
    com_json_51,
    osquery_history,
    pswindowsupdate_csv,
    winupdatesview_csv,
)
from kitlib.simulate.dumps_pswindowsupdate import (
    pswindowsupdate_clixml,
    pswindowsupdate_json_7,
    pswindowsupdate_json_51,
    pswindowsupdate_list,
    pswindowsupdate_table,
)
from kitlib.simulate.dumps_qfe import (
    hotfix_clixml,
    hotfix_csv,
    hotfix_json_7,
    hotfix_json_51,
    hotfix_table,
    osquery_patches,
    wmic_csv,
    wmic_list,
    wmic_table,
)
from kitlib.simulate.dumps_servicing import (
    REBOOT_REQUIRED,
    cbs_log,
    dism_info,
    dism_list,
    dism_table,
    reg_packages,
    reporting_events,
)
from kitlib.simulate.dumps_systeminfo import (
    LANGUAGES,
    OLD_LIMIT,
    Machine,
    code_page,
    culture_of,
    systeminfo_csv,
    systeminfo_list,
)

__all__ = [
    "CULTURES",
    "EN_US",
    "LANGUAGES",
    "OLD_LIMIT",
    "REBOOT_REQUIRED",
    "Culture",
    "Item",
    "Machine",
    "Offset",
    "Session",
    "agent_log_decoded",
    "agent_log_old",
    "at_utc",
    "cbs_log",
    "code_page",
    "collector_json",
    "com_clixml",
    "com_csv",
    "com_json_7",
    "com_json_51",
    "culture_of",
    "dism_info",
    "dism_list",
    "dism_table",
    "european",
    "hotfix_clixml",
    "hotfix_csv",
    "hotfix_json_7",
    "hotfix_json_51",
    "hotfix_table",
    "osquery_history",
    "osquery_patches",
    "pswindowsupdate_clixml",
    "pswindowsupdate_csv",
    "pswindowsupdate_json_7",
    "pswindowsupdate_json_51",
    "pswindowsupdate_list",
    "pswindowsupdate_table",
    "reg_packages",
    "reporting_events",
    "stepped",
    "systeminfo_csv",
    "systeminfo_list",
    "wall_time",
    "winupdatesview_csv",
    "wmic_csv",
    "wmic_list",
    "wmic_table",
]
