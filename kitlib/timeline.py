"""What happened: one row per fact, from event records and update histories alike, on one clock.

This file knows how tables become facts; it does not know what a fact says about blame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib import schema
from kitlib.classify import change_label, classify
from kitlib.clocks import widen_for_clock_jumps
from kitlib.hosts import name_hosts
from kitlib.inert import inert_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitlib.store import Evidence

_TEXTS: Final = [
    name for name, (dtype, _) in schema.TABLES["timeline"].items() if dtype == schema.TEXT
]

_HISTORY_ACTIONS: Final = {
    ("install", "succeeded"): ("update_installed", "success"),
    ("install", "succeeded_with_errors"): ("update_installed", "success"),
    ("install", "failed"): ("update_install_failed", "failure"),
    ("install", "aborted"): ("update_install_failed", "failure"),
    ("install", "in_progress"): ("update_install_started", ""),
    ("uninstall", "succeeded"): ("update_uninstalled", "success"),
    ("uninstall", "succeeded_with_errors"): ("update_uninstalled", "success"),
    ("uninstall", "failed"): ("update_uninstall_failed", "failure"),
    ("uninstall", "aborted"): ("update_uninstall_failed", "failure"),
    ("uninstall", "in_progress"): ("update_uninstall_started", ""),
}
_WAITING: Final[Mapping[str, str]] = {
    "update_install_started": "update_restart_needed",
    "update_uninstall_started": "uninstall_restart_needed",
}
_NEEDS_RESTART: Final = frozenset({"0x00240005", "0x80242014"})
"""WU_S_REBOOT_REQUIRED and WU_E_UH_POSTREBOOTSTILLPENDING: begun, done, and not in effect yet."""
_OF_SERVICING: Final = frozenset({"dism_packages", "registry_export", "registry_hive"})
"""Kinds of dumps that tell of a state as it is: what they call pending waits for a restart."""


def build_timeline(evidence: Evidence) -> pd.DataFrame:
    """Turn evidence into facts on one UTC clock.

    Parameters
    ----------
    evidence
        What `kitlib.read_evidence` returned.

    Returns
    -------
    pandas.DataFrame
        Table ``timeline``, sorted by time, host, channel and record id. A fact from an update
        history has no record id, its ``path`` is the dump, and its interval may be days wide.
        Texts are fit to be shown (`kitlib.inert`).

    Notes
    -----
    Assumes that ``TimeCreated`` is UTC, as Windows writes it; where the clock was set afterwards
    the interval says so. Facts of unknown date (an empty ``InstalledOn``) sort last.
    """
    names = name_hosts(
        evidence.events, [*evidence.updates["host"].unique(), *evidence.files["host"].unique()]
    )
    facts = schema.concat("timeline", [classify(evidence.events), _history(evidence.updates)])
    facts["host"] = names.of(facts["host"], facts["path"])
    ordered = facts.sort_values(
        ["time", "host", "channel", "record_id", "path"], kind="stable", ignore_index=True
    )
    return schema.check("timeline", widen_for_clock_jumps(inert_columns(ordered, _TEXTS)))


def _history(updates: pd.DataFrame) -> pd.DataFrame:
    """Facts from update-history rows; a row with no outcome yet is no fact."""
    keys = list(zip(updates["operation"], updates["result_code"], strict=True))
    rows = updates[np.array([key in _HISTORY_ACTIONS for key in keys], dtype=bool)]
    actions = [_HISTORY_ACTIONS[key] for key in keys if key in _HISTORY_ACTIONS]
    waits = rows["hresult"].isin(_NEEDS_RESTART) | rows["source_kind"].isin(_OF_SERVICING)
    actions = [
        (_WAITING.get(action, action) if wait else action, outcome)
        for (action, outcome), wait in zip(actions, waits, strict=True)
    ]
    change = rows["kb"].where(rows["kb"] != "", rows["title"]).map(change_label)
    return schema.coerce(
        "timeline",
        pd.DataFrame(
            {
                "host": rows["host"],
                "time": rows["date"],
                "time_low": rows["date_low"],
                "time_high": rows["date_high"],
                "time_basis": rows["date_basis"],
                "action": [action for action, _ in actions],
                "outcome": [outcome for _, outcome in actions],
                "code": rows["hresult"].where(rows["hresult"] != "0x00000000", ""),
                "change": change,
                "message": "update history (" + rows["source_kind"] + ") lists " + change,
                "path": rows["path"],
                "tz_source": rows["tz_source"],
            }
        ),
    )


def record_refs(facts: pd.DataFrame) -> list[str]:
    """Name each fact by its record, ``HOST/CHANNEL#RECORD_ID``, or by its dump, ``HOST/PATH``.

    Examples
    --------
    >>> record_refs(
    ...     schema.frame("timeline", [{"host": "PC1", "channel": "System", "record_id": 7}])
    ... )
    ['PC1/System#7']
    """
    return [
        f"{host}/{channel}#{record_id}" if pd.notna(record_id) else f"{host}/{path}"
        for host, channel, record_id, path in zip(
            facts["host"], facts["channel"], facts["record_id"], facts["path"], strict=True
        )
    ]
