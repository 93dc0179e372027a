"""What did it cost? Hosts, attempts, user-hours, time to detect and to mend, each with its meaning.

This file adds up what attempts and host states say; it invents no money.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib.claims import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitlib.incident import Incident

DEFINITIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hosts_affected": "hosts that failed with the symptom while the change was in effect",
        "attempts_lost": "attempts on those hosts that failed with the symptom, retries included",
        "user_hours_lost": "hours in which the machine was in use, from a failure to the next success "
        "or until the change was gone; the interval is from first try to last session against "
        "switched on to switched off, hosts taken as independent",
        "mttd_hours": "from the first failure in the fleet to detection as the incident profile "
        "states it, else to the first removal of the update seen in the evidence",
        "mttr_hours": "mean time from a host's first failure to its confirmed recovery or "
        "workaround; hosts still out are not in it, so it is a lower bound while there are any",
    }
)


@dataclass(frozen=True, slots=True)
class Impact:
    """The cost; `DEFINITIONS` says what each number means. Hours are hours, None is unknown."""

    hosts_affected: int
    attempts_lost: int
    user_hours_lost: tuple[float, float, float]
    mttd_hours: float | None
    mttr_hours: float | None
    hosts_open: int
    definitions: Mapping[str, str] = field(default_factory=lambda: DEFINITIONS, repr=False)

    def finding(self) -> Finding:
        """Return the cost as a claim that renders itself."""
        hours, low, high = self.user_hours_lost
        rows = [
            ("hosts affected", f"{self.hosts_affected}", self.definitions["hosts_affected"]),
            ("attempts lost", f"{self.attempts_lost}", self.definitions["attempts_lost"]),
            ("user-hours lost", f"{hours:.0f} (90 %: {low:.0f} to {high:.0f})",
             self.definitions["user_hours_lost"]),
            ("time to detect, hours", _hours(self.mttd_hours), self.definitions["mttd_hours"]),
            ("time to recover, hours", _hours(self.mttr_hours), self.definitions["mttr_hours"]),
        ]  # fmt: skip
        return Finding(
            f"{self.hosts_affected} hosts lost {self.attempts_lost} attempts and about "
            f"{hours:.0f} user-hours (90 %: {low:.0f} to {high:.0f}); {self.hosts_open} of them "
            "had not recovered at the last evidence.",
            pd.DataFrame(rows, columns=["measure", "value", "meaning"]),
        )

    def _repr_html_(self) -> str:
        return self.finding()._repr_html_()  # one family


def _hours(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f}"


def measure_impact(recovery: pd.DataFrame, timeline: pd.DataFrame, incident: Incident) -> Impact:
    """Add up the cost.

    Parameters
    ----------
    recovery
        Table ``hosts``.
    timeline
        Table ``timeline`` (for the first sign of detection).
    incident
        The profile; its ``[response] detected`` gives the time of detection, if any.

    Returns
    -------
    Impact
    """
    hit = recovery[recovery["onset"].notna()]
    hours = hit["hours_lost"].sum()
    # Hosts are taken as independent: their half-widths add in squares.
    low = hours - np.sqrt(((hit["hours_lost"] - hit["hours_low"]) ** 2).sum())
    high = hours + np.sqrt(((hit["hours_high"] - hit["hours_lost"]) ** 2).sum())
    back = hit[hit["recovered_at"].notna()]
    mend = (back["recovered_at"] - back["onset"]).dt.total_seconds() / 3600
    # Where no change is blamed, its removal is no sign that somebody knew.
    told = timeline if hit["exposed_from"].notna().any() else timeline.head(0)
    return Impact(
        hosts_affected=len(hit),
        attempts_lost=int(hit["failures"].sum()),
        user_hours_lost=(float(hours), float(max(low, 0.0)), float(high)),
        mttd_hours=_detection(hit["onset"].min(), told, incident),
        mttr_hours=float(mend.mean()) if len(mend) else None,
        hosts_open=len(hit) - len(back),
    )


def _detection(onset: pd.Timestamp, timeline: pd.DataFrame, incident: Incident) -> float | None:
    """Hours from the first failure to the first sign that somebody knew."""
    if pd.isna(onset):
        return None
    removals = timeline[
        (timeline["action"] == "uninstall_restart_needed")
        | (timeline["action"] == "update_uninstalled")
    ]
    named = (
        removals[removals["change"].isin(incident.bad_labels)] if incident.branches else removals
    )
    known = incident.detected or named.loc[named["time"] >= onset, "time"].min()
    if pd.isna(known) or known < onset:  # known before the first failure seen: logs begin too late
        return None
    return float((known - onset).total_seconds() / 3600)
