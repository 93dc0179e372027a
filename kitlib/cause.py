"""Did the patch do it? Explanations weighed, legs tested, identifiability asked first.

The verdict words are those of the contract. "Not separable", "no control" and "insufficient" are
answers, not failures. This file decides; masks, likelihoods and legs are computed elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from pandas.api.typing import NaTType

from kitlib import gateway, knowledge, legs, schema
from kitlib.attempts import make_episodes
from kitlib.claims import Check, Finding
from kitlib.explain import Panel, Weights, weigh
from kitlib.suspects import Suspect, bad_spans, cured_spans, find_suspects, in_effect

if TYPE_CHECKING:
    from kitlib.incident import Incident
    from kitlib.stats import Floats

MIN_HOSTS: Final = 4
"""Fewer hosts with attempts than this say nothing about a fleet."""

MIN_AFFECTED: Final = 3
"""Hosts that must fail with a change in effect before it is blamed: one machine is an anecdote."""

SURE: Final = 0.95
"""Probability from which on a change is blamed."""

CLEARED: Final = 0.8
"""Probability from which on no change is to blame, or a cause beside changes is named. Lower than
`SURE`: a change that was on four hosts and bit none of them can never be cleared altogether."""

MODEL_DOUBT: Final = 0.01
"""No probability above 1 minus this is stated: the true cause may be none of those weighed."""

INSEPARABLE: Final = 19.0
"""Two changes are told apart only where one is this many times as probable as the other."""

SHARE_SERVED: Final = 0.1
"""Share of the successes that a gateway must have seen for its outages to matter to the clients."""

Instant = pd.Timestamp | NaTType

_UNKNOWN: Final[tuple[Instant, Instant, Instant]] = (pd.NaT, pd.NaT, pd.NaT)
_OTHER: Final = {
    "shared_outage": "an outage that everybody had",
    "trend": "a failure rate of everybody that changes over the weeks",
}


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """The verdict and all it rests on; words as in the contract.

    Attributes
    ----------
    onset
        First failure under the guilty change, and the interval it lies in; NaT where none.
    bad, cured
        Rows of the exposure table in which the guilty change, or its cure, is in effect; with
        ``insufficient`` those of the change that the profile names.
    outage
        From and to of the outage that explains the failures instead; NaT where none does.
    suspects, joined
        Tables ``suspects`` and ``gateway``; the latter is None where there is no gateway's log.
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
    outage: tuple[Instant, Instant] = (pd.NaT, pd.NaT)
    joined: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def blames(self) -> bool:
        """Tell whether a change is held responsible, separable or not."""
        return self.status in ("supported", "not_separable", "no_control")

    @property
    def follows(self) -> bool:
        """Tell whether hosts are followed along `bad` and `cured`.

        They are where a change is blamed, and where the data are too few to judge the one that the
        profile names: who runs the declared bad build is at risk, whatever can be proved.
        """
        return self.blames or (self.status == "insufficient" and len(self.bad) > 0)

    def cured_by(self, change: str, incident: Incident) -> bool:
        """Tell whether an update is the cure or a later cumulative update that contains it."""
        if change in incident.fixed_labels or change in set(self.cured["change"]):
            return True
        least = self.cured.groupby("build")["revision"].min()
        return any(
            any(branch.cured(build, revision) for branch in incident.branches)
            or (build in least.index and revision >= least[build])
            for build, revision in knowledge.revisions(change)
        )

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


def judge_cause(
    attempts: pd.DataFrame,
    exposure: pd.DataFrame,
    coverage: pd.DataFrame,
    incident: Incident,
    sessions: pd.DataFrame | None = None,
) -> Cause:
    """Weigh every change in the evidence against every other explanation.

    Parameters
    ----------
    attempts, exposure, coverage
        Tables of those names.
    incident
        The profile: symptom and, if any, the named suspect.
    sessions
        Table of that name: the gateway's side, if there is any. Attempts in outages that a gateway
        states itself say nothing about a change and are set aside.

    Returns
    -------
    Cause

    Notes
    -----
    Assumes what `kitlib.explain.weigh` assumes. Hosts whose state is unknown (no start of Windows
    and no update list) are left out and counted in the first check.
    """
    if sessions is not None and len(sessions):
        return _with_gateway(attempts, exposure, coverage, incident, sessions)
    return _without_gateway(attempts, exposure, coverage, incident)


def _with_gateway(
    attempts: pd.DataFrame,
    exposure: pd.DataFrame,
    coverage: pd.DataFrame,
    incident: Incident,
    sessions: pd.DataFrame,
) -> Cause:
    """Judge without the attempts in outages the gateway states, and with what else it says."""
    joined = gateway.join_sessions(attempts, sessions)
    outages = gateway.find_outages(sessions, attempts)
    if len(set(sessions["gateway"])) > 1:  # some may serve others: wireless, another site
        met = joined[(joined["outcome"] == "success") & (joined["seen"] == "connected")]
        part = met["gateway"].value_counts(normalize=True)
        outages = outages[outages["gateway"].isin(part.index[part >= SHARE_SERVED])]
    aside = gateway.in_outage(attempts["time"], outages, why="said")
    cause = _without_gateway(attempts[~aside], exposure, coverage, incident)
    checks = gateway.gateway_checks(attempts, joined, outages, incident)
    cause = replace(cause, checks=(*cause.checks, *checks), joined=joined)
    failed = (attempts["outcome"] == "failure") & incident.is_symptom(attempts["code"])
    share = float((failed & aside).sum() / max(int(failed.sum()), 1))
    near = gateway.in_outage(attempts["time"], outages, why="said", slack=gateway.SLACK)
    unexplained = attempts.loc[failed & ~near, "host"].nunique()  # a change may have done those
    too_few = cause.status == "insufficient" and unexplained >= MIN_AFFECTED
    if cause.blames or share < gateway.SHARE_EXPLAINED or too_few:
        return cause
    said = outages[outages["why"] == "said"]
    first, last = said["start"].min(), said["end"].max()
    return replace(
        cause,
        status="not_supported",
        competing=("shared_outage",),
        probability=min(max(share, cause.probability), 1 - MODEL_DOUBT),
        text=f"The gateway itself says that it was down between {first:%Y-%m-%d %H:%M} and "
        f"{last:%Y-%m-%d %H:%M} UTC: {int((failed & aside).sum())} of {int(failed.sum())} failures "
        "lie in that, and the others blame no change.",
        outage=(first, last),
    )


def _without_gateway(
    attempts: pd.DataFrame, exposure: pd.DataFrame, coverage: pd.DataFrame, incident: Incident
) -> Cause:
    cause = _judge(attempts, exposure, coverage, incident)
    if cause.status != "insufficient":
        return cause
    return replace(cause, bad=bad_spans(exposure, incident), cured=cured_spans(exposure, incident))


def _judge(
    attempts: pd.DataFrame, exposure: pd.DataFrame, coverage: pd.DataFrame, incident: Incident
) -> Cause:
    episodes = make_episodes(attempts, incident)
    known = episodes["host"].isin(_of_known_state(exposure))
    episodes = episodes[known].reset_index(drop=True)
    data = _data_check(episodes, attempts, coverage, unknown=int((~known).sum()))
    if not data.passed:
        return _insufficient(data, exposure, _lack(data, episodes))
    panel = Panel.of(episodes)
    suspects = find_suspects(exposure, episodes, incident)
    weights = weigh(panel, suspects)
    if not suspects:
        return _without_suspects(data, panel, weights, exposure)
    table = suspects_table(panel, suspects, weights)
    tied = _tied(suspects, weights)
    lead = tied[0]
    suspect, row = suspects[lead], weights.best_mask[lead]
    scene = legs.Scene(episodes, panel, suspect.masks[row], suspect.spans[row])
    checks = _legs(scene, attempts, incident, weights)
    return _verdict(scene, suspects, weights, table, (data, *checks))


def _of_known_state(exposure: pd.DataFrame) -> pd.Series[str]:
    """Hosts whose operating-system state is known; a list of drivers alone does not say it."""
    system = exposure.loc[exposure["revision"].notna(), "host"]
    return system if len(system) else exposure["host"]


def _tied(suspects: list[Suspect], weights: Weights) -> list[int]:
    """Suspects that fit about as well as the most probable one; the best known one leads.

    The profile's own leads, then one whose cure is known, then the more probable.
    """
    best = int(np.argmax(weights.changes))
    near = np.flatnonzero(weights.fit >= weights.fit[best] - np.log(INSEPARABLE))
    return sorted(
        near.tolist(),
        key=lambda place: (
            not suspects[place].named,
            suspects[place].cured[weights.best_mask[place]].empty,
            -weights.changes[place],
        ),
    )


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
    failing = episodes[episodes["failed"]].drop_duplicates("host").head(legs.SHOWN)
    records = tuple(refs[-1] for refs in failing["records"])
    return Check("enough data", hosts >= MIN_HOSTS and affected > 0, text, records)


def _lack(data: Check, episodes: pd.DataFrame) -> str:
    """Say what is missing; that nothing failed is not the same as that nothing was seen."""
    if episodes.empty:
        return f"Nothing can be said: no attempt on a host of known state ({data.text})."
    if not episodes["failed"].any():
        return f"There is nothing to explain: no episode ended with the symptom ({data.text})."
    return f"Too little to say what caused the failures: {data.text}."


def _insufficient(data: Check, exposure: pd.DataFrame, text: str) -> Cause:
    return Cause(
        status="insufficient",
        changes=(),
        competing=(),
        probability=0.0,
        text=text,
        checks=(data,),
        suspects=schema.empty("suspects"),
        onset=_UNKNOWN,
        bad=exposure.head(0),
        cured=exposure.head(0),
    )


def _without_suspects(data: Check, panel: Panel, weights: Weights, exposure: pd.DataFrame) -> Cause:
    """No change came or went: an outage that began and ended can still be seen."""
    first, last = weights.outage_days
    inside = first > 0 or last < len(panel.days) - 1
    if weights.shared_outage < CLEARED or not inside:
        why = "no change came or went while there were attempts, so none can be compared"
        return _insufficient(data, exposure, f"Too little to say what caused the failures: {why}.")
    return replace(
        _insufficient(data, exposure, ""),
        status="not_supported",
        competing=("shared_outage",),
        probability=min(weights.shared_outage, 1 - MODEL_DOUBT),
        text="No change came or went while there were attempts; the evidence fits an outage that "
        "everybody had.",
        outage=_outage(panel, weights),
    )


def _outage(panel: Panel, weights: Weights) -> tuple[Instant, Instant]:
    first, last = weights.outage_days
    return panel.days[first], panel.days[last] + pd.Timedelta(days=1)


def _legs(
    scene: legs.Scene, attempts: pd.DataFrame, incident: Incident, weights: Weights
) -> tuple[Check, ...]:
    exposed = pd.Series(in_effect(scene.spans, attempts), index=attempts.index)
    first, last = (scene.panel.days[day].strftime("%Y-%m-%d") for day in weights.outage_days)
    shared = Check(
        "no shared outage or trend",
        weights.shared_outage + weights.trend < 1 - SURE,
        f"an outage of everybody (at best {first} to {last}) has probability "
        f"{weights.shared_outage:.3f}, a trend {weights.trend:.3f}, no common cause at all "
        f"{weights.nothing:.3f}",
        scene.records(~scene.failed & ~scene.mask),
    )
    return (
        legs.same_day_controls(scene),
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
    resamples = legs.Resamples.of(panel)
    for suspect, weight, row in zip(suspects, weights.changes, weights.best_mask, strict=True):
        point, low, high = resamples.risk_difference(suspect.masks[row])
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
    out = schema.frame("suspects", rows).assign(weight=weights.changes, fit=weights.fit)
    out = out.sort_values(["weight", "change"], ascending=[False, True], ignore_index=True)
    out["rank"] = range(1, len(out) + 1)
    out["group"] = _groups(out["fit"].to_numpy())
    return schema.coerce("suspects", out)


def _groups(fit: Floats) -> list[int]:
    """Give numbers to the groups of what fits about as well as the first of its group."""
    groups: list[int] = []
    leaders: list[float] = []
    for value in fit:
        near = [n for n, lead in enumerate(leaders) if abs(lead - value) <= np.log(INSEPARABLE)]
        if not near:
            leaders.append(float(value))
        groups.append(near[0] + 1 if near else len(leaders))
    return groups


def _verdict(
    scene: legs.Scene,
    suspects: list[Suspect],
    weights: Weights,
    table: pd.DataFrame,
    checks: tuple[Check, ...],
) -> Cause:
    tied = _tied(suspects, weights)
    lead, row = tied[0], weights.best_mask[tied[0]]
    passed = {check.name: check.passed for check in checks}
    k1, _ = scene.panel.counts(scene.mask)
    failing = int((k1 > 0).sum())
    status = _status(weights, lead, len(tied), failing=failing, passed=passed)
    blames = status in ("supported", "not_separable", "no_control")
    guilty = [suspects[place] for place in tied] if blames else []
    labels = tuple(dict.fromkeys(label for suspect in guilty for label in suspect.labels))
    probability = float(weights.changes[tied].sum()) if blames else weights.no_change
    competing = () if blames else _competing(weights)
    empty = suspects[lead].spans[row].head(0)
    return Cause(
        status=status,
        changes=labels,
        competing=competing,
        probability=min(probability, 1 - MODEL_DOUBT),
        text=_sentence(status, labels, probability, competing, scene),
        checks=checks,
        suspects=table,
        onset=_onset(scene) if blames else _UNKNOWN,
        bad=suspects[lead].spans[row] if blames else empty,
        cured=suspects[lead].cured[row] if blames else empty,
        outage=_outage(scene.panel, weights) if "shared_outage" in competing else (pd.NaT, pd.NaT),
    )


def _competing(weights: Weights) -> tuple[str, ...]:
    """Name the cause beside changes, if it is one: the likelier where an outage looks like a trend."""
    common = {"shared_outage": weights.shared_outage, "trend": weights.trend}
    return (max(common, key=lambda name: common[name]),) if sum(common.values()) >= CLEARED else ()


def _status(
    weights: Weights, lead: int, tied: int, *, failing: int, passed: dict[str, bool | None]
) -> str:
    """Choose the verdict; whether causes can be told apart comes before how likely they are."""
    identified = passed["same-day controls"] is not None or passed["reversal"] is not None
    if not identified and failing >= MIN_AFFECTED and _timing_fits(weights, lead):
        return "no_control"
    if weights.no_change >= CLEARED:
        return "not_supported"
    if weights.no_change > 1 - SURE or failing < MIN_AFFECTED or not identified:
        return "insufficient"
    if not (passed["same-day controls"] or passed["reversal"]):
        return "insufficient"
    return "supported" if tied == 1 else "not_separable"


def _timing_fits(weights: Weights, lead: int) -> bool:
    """Tell whether the change fits as well as the outage that fits best, whatever came before.

    Where everybody changed at once the data cannot choose between the two, only the priors could,
    and those depend on how many other changes happen to be in the evidence.
    """
    return bool(
        weights.fit[lead] >= weights.outage_fit - np.log(INSEPARABLE)
        and weights.nothing + weights.trend < 0.5
    )


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
            f"{int(rates['n0'].sum())} episodes fail that way."
        )
    if status == "not_separable":
        return f"One of {names} explains the failures {sure}; this evidence cannot say which."
    if status == "no_control":
        return (
            f"The timing fits {names}, but nothing in the evidence can rule out another cause: "
            "too few hosts without it tried on the same days, and no way back was seen on enough "
            "of them."
        )
    if status == "not_supported":
        other = " and ".join(_OTHER[name] for name in competing) or "no common cause that shows"
        return f"No change explains the failures {sure}; the evidence fits {other}."
    if failing < MIN_AFFECTED:
        return (
            f"Too little to say what caused the failures: only {failing} hosts fail with the most "
            f"probable change in effect, {MIN_AFFECTED} are the least."
        )
    return (
        f"Too little to say what caused the failures: probability {1 - probability:.2f} for "
        f"changes, {probability:.2f} for causes beside them, and the checks do not settle it."
    )


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
