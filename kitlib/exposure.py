"""Who had which change in effect, from when to when, and how each end is known.

State by build, not by KB list: the revision a host starts with decides what is in effect, KB names
are labels. It catches out-of-band fixes, later cumulatives, uninstalls and re-imaging. Install
events and update histories fill in where no start of Windows is seen. This file blames nobody.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import pandas as pd

from kitlib import knowledge, schema
from kitlib.timeline import record_refs

NAMING_WINDOW: Final = pd.Timedelta(days=2)
"""An install event this near to a start of Windows may name a revision the kit does not know."""

_INSTALLED: Final = ("update_installed",)
_REMOVED: Final = ("update_uninstalled",)


def find_exposure(timeline: pd.DataFrame) -> pd.DataFrame:
    """Find every change and the span in which it was in effect on each host.

    Parameters
    ----------
    timeline
        Table ``timeline``.

    Returns
    -------
    pandas.DataFrame
        Table ``exposure``: for operating-system revisions one row per unbroken run of starts of
        Windows with that revision; for other updates one row from the first sign of installation
        to the first sign of removal. ``start`` is the best estimate within ``start_low`` ..
        ``start_high``; a missing ``start`` means: since before the evidence begins.

    Notes
    -----
    Assumes that a cumulative update takes effect with the first start that shows its revision.
    Where a host's start-ups are not logged, dates of its update history stand in, as wide as they
    are.
    """
    rows: list[dict[str, Any]] = []
    for host, facts in timeline.groupby("host", sort=True):
        boots = facts[(facts["action"] == "boot") & facts["revision"].notna()]
        revisions = _by_boot(boots, facts) if len(boots) else _by_history(facts)
        rows += [{"host": host, **row} for row in [*revisions, *_other_updates(facts)]]
    out = schema.frame("exposure", rows)
    return out.sort_values(["host", "start", "change"], kind="stable", ignore_index=True)


def _by_boot(boots: pd.DataFrame, facts: pd.DataFrame) -> list[dict[str, Any]]:
    """One row per run of starts with equal build and revision."""
    state = boots["build"].astype(str) + "." + boots["revision"].astype(str)
    runs = [run for _, run in boots.groupby((state != state.shift()).cumsum(), sort=True)]
    rows = []
    for run in runs:
        first = run.iloc[0]
        rows.append(
            {
                "change": _label(first, facts),
                "kind": "update",
                "build": int(first["build"]),
                "revision": int(first["revision"]),
                "start": first["time"],
                "start_low": first["time_low"],
                "start_high": first["time_high"],
                "start_known_by": "boot",
                "end_known_by": "still in effect",
                "records": record_refs(run.head(1)),
            }
        )
    for row, after in pairwise(rows):
        row |= {"end": after["start"], "end_known_by": "boot"}
        row["records"] = [*row["records"], *after["records"]]
    rows[0] |= _before_evidence(rows[0], facts)
    return rows


def _label(boot: pd.Series[Any], facts: pd.DataFrame) -> str:
    """Name a revision: by the release table, else by the one unknown update installed near it."""
    build, revision = int(boot["build"]), int(boot["revision"])
    known = knowledge.label(build, revision)
    if known:
        return known
    near = facts[
        facts["action"].isin(_INSTALLED)
        & facts["change"].str.startswith("KB")
        & facts["time"].between(boot["time"] - NAMING_WINDOW, boot["time"] + NAMING_WINDOW)
    ]
    names = [name for name in near["change"].unique() if not knowledge.revisions(name)]
    return names[0] if len(names) == 1 else f"{build}.{revision}"


def _before_evidence(row: dict[str, Any], facts: pd.DataFrame) -> dict[str, Any]:
    """Start of the first state: dated by an update history if one lists it, else unknown."""
    listed = facts[
        facts["action"].isin(_INSTALLED)
        & (facts["change"] == row["change"])
        & (facts["time_low"] <= row["start_high"])
        & facts["record_id"].isna()
    ]
    if listed.empty:
        return {
            "start": pd.NaT,
            "start_low": pd.NaT,
            "start_high": row["start"],
            "start_known_by": "before evidence",
        }
    best = listed.sort_values("time_high", kind="stable").iloc[0]
    return {
        "start": min(best["time"], row["start"]),
        "start_low": best["time_low"],
        "start_high": min(best["time_high"], row["start"]),
        "start_known_by": "update history",
        "records": [*record_refs(listed.head(1)), *row["records"]],
    }


def _by_history(facts: pd.DataFrame) -> list[dict[str, Any]]:
    """States of a host whose starts are not logged, from what its lists and events say."""
    named = facts[facts["action"].isin((*_INSTALLED, *_REMOVED)) & facts["time"].notna()]
    rows: list[dict[str, Any]] = []
    for change, told in named.groupby("change", sort=False):
        revisions = knowledge.revisions(str(change))
        installed = told[told["action"].isin(_INSTALLED)]
        if not revisions or installed.empty:
            continue
        rows.append(_history_row(str(change), told, installed, revisions[0]))
    rows.sort(key=lambda row: row["start"])
    for row, after in pairwise(rows):
        if "end" not in row:
            row |= {"end": after["start"], "end_known_by": after["start_known_by"]}
    return rows


def _history_row(
    change: str, told: pd.DataFrame, installed: pd.DataFrame, revision: tuple[int, int]
) -> dict[str, Any]:
    """One row of `_by_history`: the first sign of installation to the first sign of removal."""
    # The narrowest interval of the earliest statements is the best one.
    width = installed["time_high"] - installed["time_low"]
    best = installed.assign(width=width).sort_values(["width", "time"], kind="stable").iloc[0]
    row = {
        "change": change,
        "kind": "update" if change.startswith("KB") else "other",
        "build": revision[0] or None,
        "revision": revision[1] or None,
        "start": best["time"],
        "start_low": best["time_low"],
        "start_high": best["time_high"],
        "start_known_by": "installed event" if pd.notna(best["record_id"]) else "update history",
        "end_known_by": "still in effect",
        "records": record_refs(best.to_frame().T),
    }
    removed = told[told["action"].isin(_REMOVED) & (told["time"] > best["time"])]
    if len(removed):
        row |= {"end": removed["time"].min(), "end_known_by": "uninstalled event"}
        row["records"] = [*row["records"], *record_refs(removed.head(1))]
    return row


def _other_updates(facts: pd.DataFrame) -> list[dict[str, Any]]:
    """List updates that leave the build alone (.NET, drivers, definitions): installed to removed."""
    told = facts[
        facts["action"].isin((*_INSTALLED, *_REMOVED))
        & (facts["change"] != "")
        & facts["time"].notna()
    ]
    rows = []
    for change, group in told.groupby("change", sort=False):
        installed = group[group["action"].isin(_INSTALLED)]
        if installed.empty or knowledge.revisions(str(change)):
            continue
        row = _history_row(str(change), group, installed, (0, 0))
        boots = facts[facts["action"] == "boot"]
        if row["start_known_by"] == "installed event":
            row |= _at_restart(row["start"], facts[facts["change"] == change], boots)
        rows.append(row)
    return rows


def _at_restart(installed: pd.Timestamp, own: pd.DataFrame, boots: pd.DataFrame) -> dict[str, Any]:
    """Move a start back to the restart between 'installation starts' and 'installed', if any.

    Windows Update writes 'installed' after the restart, minutes after the change took effect.
    """
    began = own.loc[
        (own["action"] == "update_install_started") & (own["time"] <= installed), "time"
    ]
    between = (
        boots.loc[(boots["time"] <= installed) & (boots["time"] >= began.max()), "time"]
        if len(began)
        else boots["time"].head(0)
    )
    if between.empty:
        return {}
    return {"start": between.max(), "start_low": between.max(), "start_high": installed}
