"""Did the patch do it? Explanations weighed, legs tested, identifiability asked first.

The verdict words are those of the contract. "Not separable", "no control" and "insufficient" are
answers, not failures. This file decides; masks, likelihoods and legs are computed elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from pandas.api.typing import NaTType

from kitlib import legs, schema
from kitlib.claims import Check, Finding
from kitlib.explain import Panel, Weights, weigh
from kitlib.suspects import Suspect, find_suspects, in_effect

if TYPE_CHECKING:
    from kitlib.incident import Incident

MIN_HOSTS: Final = 4
MIN_AFFECTED: Final = 3
SURE: Final = 0.95
MODEL_DOUBT: Final = 0.01
"""No probability above 1 minus this is stated: the true cause may be none of those weighed."""

INSEPARABLE: Final = 19.0
"""Two changes are told apart only where one is this many times as probable as the other."""

Instant = pd.Timestamp | NaTType

_UNKNOWN: Final[tuple[Instant, Instant, Instant]] = (pd.NaT, pd.NaT, pd.NaT)
_SEEN: Final = ("success", "failure")


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """The verdict and all it rests on; words as in the contract.

    Attributes
    ----------
    suspects
        Table ``suspects``.
    onset
        First failure under the guilty change, and the interval it lies in; NaT where none.
    bad, cured
        Rows of the exposure table in which the guilty change, or its cure, is in effect.
    """

    status: str
    changes: tuple[str, ...]
    competing: tuple[str, ...]
    probability: float
    text: str
    checks: tuple[Check, ...]
    suspects: pd.DataFrame
    onset: tuple[Instant, Instant, Instant]
    bad: pd.DataFrame = field(repr=False)
    cured: pd.DataFrame = field(repr=False)

    @property
    def blames(self) -> bool:
        """Tell whether a change is held responsible, separable or not."""
        return self.status in ("supported", "not_separable", "no_control")

    def finding(self) -> Finding:
        """Return the verdict as a claim that renders itself."""
        return Finding(
            self.text,
            self.suspects.head(12),
            assumptions=(
                "one fault at a time is at work, and hosts are independent given it",
                "a host's state is what its starts of Windows and update lists show",
            ),
            checks=self.checks,
        )

    def _repr_html_(self) -> str:
        return self.finding()._repr_html_()  # one family


def make_episodes(attempts: pd.DataFrame, incident: Incident) -> pd.DataFrame:
    """Collapse bursts: one row an episode with host, time, failed, records.

    An episode failed when the symptom showed in it and no attempt of it succeeded. Attempts that
    were cancelled or have no end in the log are left out of the episode.
    """
    seen = attempts[attempts["outcome"].isin(_SEEN)]
    symptom = (seen["outcome"] == "failure") & incident.is_symptom(seen["code"])
    worked = seen["outcome"] == "success"
    grouped = seen.assign(symptom=symptom, worked=worked).groupby("episode", sort=True)
    out = grouped.agg(
        host=("host", "first"),
        time=("time", "min"),
        symptom=("symptom", "any"),
        worked=("worked", "any"),
        records=("records", "sum"),
    )
    out["failed"] = out["symptom"] & ~out["worked"]
    return out.reset_index(drop=True)[["host", "time", "failed", "records"]]


def judge_cause(
    attempts: pd.DataFrame, exposure: pd.DataFrame, coverage: pd.DataFrame, incident: Incident
) -> Cause:
    """Weigh every change in the evidence against every other explanation.

    Parameters
    ----------
    attempts, exposure, coverage
        Tables of those names.
    incident
        The profile: symptom and, if any, the named suspect.

    Returns
    -------
    Cause

    Notes
    -----
    Assumes what `kitlib.explain.weigh` assumes. Hosts whose state is unknown (no start of Windows
    and no update list) are left out and counted in the first check.
    """
    episodes = make_episodes(attempts, incident)
    known = episodes["host"].isin(exposure["host"].unique())
    episodes = episodes[known].reset_index(drop=True)
    data = _data_check(episodes, attempts, coverage, unknown=int((~known).sum()))
    if not data.passed:
        return _insufficient(data, exposure)
    panel = Panel.of(episodes)
    suspects = find_suspects(exposure, episodes, incident)
    if not suspects:
        return _insufficient(data, exposure, "no change was in effect for a part of the attempts")
    weights = weigh(panel, suspects)
    table = suspects_table(panel, suspects, weights)
    best = int(np.argmax(weights.changes))
    row = weights.best_mask[best]
    suspect = suspects[best]
    scene = legs.Scene(episodes, panel, suspect.masks[row], suspect.spans[row])
    checks = _legs(scene, attempts, incident, weights)
    return _verdict(scene, suspects, weights, table, (data, *checks))


def _data_check(
    episodes: pd.DataFrame, attempts: pd.DataFrame, coverage: pd.DataFrame, *, unknown: int
) -> Check:
    hosts = episodes["host"].nunique()
    affected = episodes.loc[episodes["failed"], "host"].nunique()
    all_hosts = len(set(coverage["host"]) | set(attempts["host"]))
    text = (
        f"{len(attempts)} attempts in {len(episodes)} episodes on {hosts} of {all_hosts} hosts, "
        f"{affected} of them with the symptom"
        + (f"; {unknown} episodes on hosts of unknown state are left out" if unknown else "")
    )
    return Check("enough data", hosts >= MIN_HOSTS and affected >= MIN_AFFECTED, text)


def _insufficient(data: Check, exposure: pd.DataFrame, why: str = "") -> Cause:
    return Cause(
        status="insufficient",
        changes=(),
        competing=(),
        probability=0.0,
        text=f"Too little to say what caused the failures: {why or data.text}.",
        checks=(data,),
        suspects=schema.empty("suspects"),
        onset=_UNKNOWN,
        bad=exposure.head(0),
        cured=exposure.head(0),
    )


def _legs(
    scene: legs.Scene, attempts: pd.DataFrame, incident: Incident, weights: Weights
) -> tuple[Check, ...]:
    exposed = pd.Series(in_effect(scene.spans, attempts), index=attempts.index)
    first, last = (scene.panel.days[day].strftime("%Y-%m-%d") for day in weights.outage_days)
    shared = Check(
        "no shared outage",
        weights.shared_outage < 1 - SURE,
        f"an outage of everybody (at best {first} to {last}) has probability "
        f"{weights.shared_outage:.3f}, no common cause at all {weights.nothing:.3f}",
    )
    return (
        legs.same_day_controls(scene, legs.risk_difference(scene.panel, scene.mask)),
        legs.own_past(scene),
        legs.onset_alignment(scene),
        legs.reversal(scene),
        legs.placebo_dates(scene),
        legs.signature(attempts, incident.codes, exposed),
        shared,
    )


def suspects_table(panel: Panel, suspects: list[Suspect], weights: Weights) -> pd.DataFrame:
    """Rank the suspects: table ``suspects``, most probable first; groups cannot be told apart."""
    rows = []
    for suspect, weight, row in zip(suspects, weights.changes, weights.best_mask, strict=True):
        point, low, high = legs.risk_difference(panel, suspect.masks[row])
        rows.append(
            {
                "change": suspect.change,
                "kind": suspect.kind,
                "probability": min(float(weight), 1 - MODEL_DOUBT),
                "hosts_exposed": suspect.spans[row]["host"].nunique(),
                "risk_difference": point,
                "risk_low": low,
                "risk_high": high,
                "first_start": suspect.spans[row]["start"].min(),
            }
        )
    out = schema.frame("suspects", rows).assign(place=range(len(rows)), weight=weights.changes)
    out = out.sort_values(["weight", "change"], ascending=[False, True], ignore_index=True)
    out["rank"] = range(1, len(out) + 1)
    drops = out["weight"] * INSEPARABLE < out["weight"].shift().fillna(np.inf)
    out["group"] = drops.cumsum() + (0 if drops.iloc[0] else 1)
    return schema.coerce("suspects", out)


def _verdict(
    scene: legs.Scene,
    suspects: list[Suspect],
    weights: Weights,
    table: pd.DataFrame,
    checks: tuple[Check, ...],
) -> Cause:
    best = int(np.argmax(weights.changes))
    total = float(weights.changes.sum())
    tied = [
        suspect
        for suspect, weight in zip(suspects, weights.changes, strict=True)
        if weight * INSEPARABLE >= weights.changes[best]
    ]
    passed = {check.name: check.passed for check in checks}
    identified = passed["same-day controls"] is not None or passed["reversal"] is not None
    status = _status(weights, total, len(tied), identified=identified, passed=passed)
    blames = status in ("supported", "not_separable", "no_control")
    guilty = tied if status == "not_separable" else tied[:0] or [suspects[best]]
    labels = tuple(dict.fromkeys(label for s in guilty for label in s.labels)) if blames else ()
    probability = total if status == "not_separable" else float(weights.changes[best])
    competing = ("shared_outage",) if weights.shared_outage >= 0.5 else ()
    if status == "not_supported":
        probability = weights.nothing + weights.shared_outage
    row = weights.best_mask[best]
    empty = suspects[best].spans[row].head(0)
    return Cause(
        status=status,
        changes=labels,
        competing=competing if not blames else (),
        probability=min(probability, 1 - MODEL_DOUBT),
        text=_sentence(status, labels, probability, competing, scene),
        checks=checks,
        suspects=table,
        onset=_onset(scene) if blames else _UNKNOWN,
        bad=suspects[best].spans[row] if blames else empty,
        cured=suspects[best].cured[row] if blames else empty,
    )


def _status(
    weights: Weights, total: float, tied: int, *, identified: bool, passed: dict[str, bool | None]
) -> str:
    """Choose the verdict; whether causes can be told apart comes before how likely they are."""
    if weights.nothing + weights.shared_outage >= SURE:
        return "not_supported"
    if not identified:
        return "no_control" if total >= 0.5 else "insufficient"
    if total < SURE:
        return "insufficient"
    if tied > 1:
        return "not_separable"
    if passed["same-day controls"] or passed["reversal"]:
        return "supported"
    return "insufficient"


def _sentence(
    status: str,
    labels: tuple[str, ...],
    probability: float,
    competing: tuple[str, ...],
    scene: legs.Scene,
) -> str:
    rates = scene.rates()
    failing = int((rates["k1"] > 0).sum())
    names = " / ".join(labels)
    sure = f"(probability {min(probability, 1 - MODEL_DOUBT):.2f})"
    if status == "supported":
        return (
            f"{names} explains the failures {sure}: {failing} of {int((rates['n1'] > 0).sum())} "
            f"hosts that tried with it in effect fail, in {int(rates['k1'].sum())} of "
            f"{int(rates['n1'].sum())} episodes; without it {int(rates['k0'].sum())} of "
            f"{int(rates['n0'].sum())} episodes fail."
        )
    if status == "not_separable":
        return f"One of {names} explains the failures {sure}; this evidence cannot say which."
    if status == "no_control":
        return (
            f"The timing fits {names}, but nothing in the evidence can rule out another cause: "
            "no host without it tried on the same days and no way back was seen."
        )
    if status == "not_supported":
        other = "an outage that everybody had" if competing else "no common cause that shows"
        return f"No change explains the failures {sure}; the evidence fits {other}."
    return "The explanations cannot be told apart with this evidence."


def _onset(scene: legs.Scene) -> tuple[Instant, Instant, Instant]:
    """First failure while exposed, no earlier than that host's last success or its exposure."""
    hit = scene.episodes[scene.mask & scene.failed]
    if hit.empty:
        return _UNKNOWN
    first = hit.sort_values("time", kind="stable").iloc[0]
    own = scene.episodes[scene.episodes["host"] == first["host"]]
    worked = own.loc[(own["time"] < first["time"]) & ~own["failed"], "time"].max()
    starts = scene.spans.loc[
        (scene.spans["host"] == first["host"]) & (scene.spans["start"] <= first["time"]), "start"
    ].max()
    known = [t for t in (worked, starts) if pd.notna(t)]
    return first["time"], max(known) if known else first["time"], first["time"]
