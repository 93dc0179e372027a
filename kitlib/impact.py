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
        "hosts_affected": "hosts that failed with the symptom while what is held responsible was at work",
        "attempts_lost": "sessions those hosts would have had on average, by their own habit on "
        "their own working days, while the fault was active on them, less the sessions they had; "
        "failed tries and their retries are counted as failures, not here",
        "user_hours_lost": "hours of the users' working days during which the fault was active on "
        "their host, from its first failure to its recovery or the end of its evidence; a working "
        "day is learned from signs of use, and counts whether or not the service was tried in it",
        "mttd_hours": "from the first failure in the fleet to detection as the incident profile "
        "states it, else to the first removal of the update seen in the evidence",
        "mttr_hours": "mean time from a host's first failure to its confirmed recovery or "
        "workaround; hosts still out are not in it, so it is a lower bound while there are any (the curve of the "
        "time to recovery counts them)",
    }
)


@dataclass(frozen=True, slots=True)
class Impact:
    """The cost; `DEFINITIONS` says what each number means. Hours are hours, None is unknown.

    Attributes
    ----------
    hosts_affected, attempts_lost, hosts_open
        Counts.
    user_hours_lost, attempts_lost_interval
        Estimate, low and high end of the 90 % interval.
    mttd_hours, mttr_hours
        Times to detect and to recover.
    """

    hosts_affected: int
    attempts_lost: int
    user_hours_lost: tuple[float, float, float]
    mttd_hours: float | None
    mttr_hours: float | None
    hosts_open: int
    definitions: Mapping[str, str] = field(default_factory=lambda: DEFINITIONS, repr=False)
    attempts_lost_interval: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def finding(self) -> Finding:
        """Return the cost as a claim that renders itself."""
        hours, low, high = self.user_hours_lost
        _, fewest, most = self.attempts_lost_interval
        rows = [
            ("hosts affected", f"{self.hosts_affected}", self.definitions["hosts_affected"]),
            ("attempts lost", f"{self.attempts_lost} (90 %: {fewest:.0f} to {most:.0f})",
             self.definitions["attempts_lost"]),
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

    Notes
    -----
    The half-width of a sum's interval is the sum of the hosts' parts in it, which hold what their
    errors have in common (`kitlib.losses.measure_losses`): working hours and habits learned from
    one fleet. Where a table lacks them, errors are taken to go together. Fails where most hosts
    share a doubt that is not told there, such as leave that many users took at the same time.

    The mean time to recover knows only hosts that have recovered and is too short while others are
    out: the slow ones are still missing. The time to detect is missing where the first sign of
    somebody knowing is older than the first failure that the logs show.
    """
    hit = recovery[recovery["onset"].notna()]
    hours = _total(hit, "hours")
    sessions = _total(hit, "attempts")
    back = hit[hit["recovered_at"].notna()]
    mend = (back["recovered_at"] - back["onset"]).dt.total_seconds() / 3600
    # Where no change is blamed, its removal is no sign that somebody knew.
    told = timeline if hit["exposed_from"].notna().any() else timeline.head(0)
    return Impact(
        hosts_affected=len(hit),
        attempts_lost=round(sessions[0]),
        user_hours_lost=hours,
        mttd_hours=_detection(hit["onset"].min(), told, incident),
        mttr_hours=float(mend.mean()) if len(mend) else None,
        hosts_open=len(hit) - len(back),
        attempts_lost_interval=sessions,
    )


def _total(hit: pd.DataFrame, what: str) -> tuple[float, float, float]:
    """Sum of the hosts' estimates with its interval; hosts without an estimate are left out."""
    names = [f"{what}_{name}" for name in ("lost", "low", "high", "share")]
    table = hit[names].dropna(subset=names[:3])
    values, low, high, share = table.to_numpy(dtype=float).T
    below, above = float((values - low).sum()), float((high - values).sum())
    half = (below + above) / 2
    part = float(np.where(np.isnan(share), (high - low) / 2, share).sum()) / half if half else 0.0
    total = float(values.sum())
    return total, max(total - part * below, 0.0), total + part * above


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
