"""Decide the verdict from the weights of the explanations and the legs they stand on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib import gateway, legs, schema
from kitlib.attempts import make_episodes
from kitlib.cause.answer import UNKNOWN, Cause, Instant
from kitlib.cause.competing import CLEARED, WORDS, find_sites, name_competing
from kitlib.cause.weighed import INSEPARABLE, MODEL_DOUBT, Weighed, suspects_table
from kitlib.cause.words import sentence, too_few_failing, unsettled
from kitlib.claims import Check
from kitlib.explain import Outage, Panel, Weights, weigh
from kitlib.explain.outages import inside
from kitlib.suspects import (
    Suspect,
    ambiguous,
    bad_spans,
    cured_spans,
    find_suspects,
    in_effect,
    rare_changes,
)

if TYPE_CHECKING:
    from kitlib.incident import Incident
    from kitlib.suspects import Mask

MIN_HOSTS: Final = 4
"""Fewer hosts with attempts than this say nothing about a fleet."""

MIN_AFFECTED: Final = 3
"""Hosts that must fail with a change in effect before it is blamed: one machine is an anecdote."""

SURE: Final = 0.95
"""Probability from which on a change is blamed."""

BLAMES: Final = ("supported", "not_separable", "no_control")
"""Verdicts that hold a change responsible."""

AILING: Final = 0.2
"""Share of a host's attempts that must fail for it not to be ordinary life."""

SHARE_SERVED: Final = 0.1
"""Share of the successes that a gateway must have seen for its outages to matter to the clients."""


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
    too_few = cause.status == "insufficient" and _ailing(attempts[~near], failed) >= MIN_AFFECTED
    if cause.blames or share < gateway.SHARE_EXPLAINED or too_few:
        return cause
    said = _said(outages, attempts[failed])
    first, last = said[0].start, max(one.end for one in said)
    times = "" if len(said) == 1 else f"{len(said)} times "
    return replace(
        cause,
        status="not_supported",
        competing=("shared_outage",),
        probability=min(max(share, cause.probability), 1 - MODEL_DOUBT),
        text=f"The gateway itself says that it was down {times}between {first:%Y-%m-%d %H:%M} and "
        f"{last:%Y-%m-%d %H:%M} UTC: {int((failed & aside).sum())} of {int(failed.sum())} failures "
        "lie in that, and the others blame no change.",
        outages=tuple(replace(one, hosts=frozenset(attempts["host"])) for one in said),
    )


def _said(outages: pd.DataFrame, failures: pd.DataFrame) -> list[Outage]:
    """Outages the gateway states, those that overlap as one; only those in which hosts failed."""
    own = outages[outages["why"] == "said"].sort_values("start", kind="stable")
    number = (own["start"] > own["end"].cummax().shift()).cumsum()
    spans = own.groupby(number).agg(start=("start", "min"), end=("end", "max"))
    everybody = frozenset(failures["host"])
    all_said = [
        Outage(start, end, "", everybody)
        for start, end in zip(spans["start"], spans["end"], strict=True)
    ]
    return [one for one in all_said if one.inside(failures).any()] or all_said


def _ailing(attempts: pd.DataFrame, failed: pd.Series[bool]) -> int:
    """Count the hosts that fail more than now and then: a change may have done that."""
    own = failed[attempts.index].groupby(attempts["host"]).agg(["sum", "mean"])
    return int(((own["sum"] > 1) & (own["mean"] > AILING)).sum())


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
    known = episodes["host"].isin(_of_known_state(exposure)).to_numpy()
    unsure = known & ambiguous(exposure, episodes, incident)
    left_out = int((~known).sum()), int(unsure.sum())
    episodes = episodes[known & ~unsure].reset_index(drop=True)
    data = _data_check(episodes, attempts, coverage, left_out)
    if not data.passed:
        return _insufficient(data, exposure, _lack(data, episodes))
    panel = Panel.of(episodes)
    sites = find_sites(panel.hosts)
    suspects = find_suspects(exposure, episodes, incident, fewest=MIN_AFFECTED)
    weights = weigh(panel, suspects, sites)
    if not suspects:
        return _without_suspects(data, weights, panel, exposure, _classes(weights, attempts))
    lone = _weighed(panel, episodes, suspects, weights.at_once())
    open_ = _nothing_tells(lone)
    case = lone if open_ else _weighed(panel, episodes, suspects, weights)
    checks = (data, *_legs(case, attempts, incident))
    table = suspects_table(case, rare_changes(exposure, fewest=MIN_AFFECTED))
    status, competing = (
        ("no_control", ())
        if open_
        else _status(case, {check.name: check.passed for check in checks})
    )
    if status == "not_supported" and not competing:
        competing = name_competing(weights, _classes(weights, attempts))
    return _answer(case, status, competing, checks, table)


def _weighed(
    panel: Panel, episodes: pd.DataFrame, suspects: list[Suspect], weights: Weights
) -> Weighed:
    tied = _tied(suspects, weights)
    scene, outside = _scene(episodes, suspects[tied[0]], weights, tied[0])
    return Weighed(panel, scene, suspects, weights, tied, outside)


def _nothing_tells(lone: Weighed) -> bool:
    """Tell whether the change that fits best by itself cannot be told from an outage at all.

    It fits as well as the outage that fits best, whatever came before, and no comparison can be
    made: neither with hosts without it on the same days, nor with hosts freed of it. Only the
    priors could choose between the two, and those depend on how many other changes happen to be in
    the evidence.
    """
    weights = lone.weights
    fits = weights.fit[lone.lead] >= weights.outage_fit - np.log(INSEPARABLE)
    if not fits or weights.nothing + weights.trend + weights.unsteady >= 0.5:
        return False
    if lone.failing < MIN_AFFECTED or not _compared(lone):
        return False
    return (
        legs.same_day_controls(lone.scene).passed is None
        and legs.reversal(lone.scene).passed is None
    )


def _scene(
    episodes: pd.DataFrame, lead: Suspect, weights: Weights, place: int
) -> tuple[legs.Scene, Mask]:
    """Show the legs the lead without the outages that are set aside beside it."""
    row = weights.best_mask[place]
    outside = ~inside(weights.aside[place], episodes)
    over = weights.over[place]
    if over is not None:  # something outside the builds ended it: what came after tells no more
        outside &= (episodes["time"] < over).to_numpy()
    if not outside.any():  # one long outage is all there is
        outside[:] = True
    kept = episodes[outside].reset_index(drop=True)
    return legs.Scene(kept, Panel.of(kept), lead.masks[row][outside], lead.spans[row]), outside


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
    episodes: pd.DataFrame,
    attempts: pd.DataFrame,
    coverage: pd.DataFrame,
    left_out: tuple[int, int],
) -> Check:
    """Say how much there is; `left_out` are episodes of unknown hosts and at unknown times."""
    unknown, unsure = left_out
    hosts = episodes["host"].nunique()
    affected = episodes.loc[episodes["failed"], "host"].nunique()
    all_hosts = len(set(coverage["host"]) | set(attempts["host"]))
    text = (
        f"{len(attempts)} attempts in {len(episodes)} episodes on {hosts} of {all_hosts} hosts, "
        f"{affected} of them with the symptom"
        + (f"; {unknown} episodes on hosts of unknown state are left out" if unknown else "")
        + (
            f"; {unsure} episodes are left out because it is not known exactly when their host's "
            "state changed"
            if unsure
            else ""
        )
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
        onset=UNKNOWN,
        bad=exposure.head(0),
        cured=exposure.head(0),
    )


def _without_suspects(
    data: Check,
    weights: Weights,
    panel: Panel,
    exposure: pd.DataFrame,
    classes: dict[str, float],
) -> Cause:
    """No change came or went: an outage that began and ended can still be seen."""
    first, last = weights.outage_days
    inner = first > 0 or last < len(panel.days) - 1
    outage = weights.shared_outage + weights.site_outage
    if outage < CLEARED or not inner:
        why = "no change came or went while there were attempts, so none can be compared"
        return _insufficient(data, exposure, f"Too little to say what caused the failures: {why}.")
    competing = name_competing(weights, classes)
    return replace(
        _insufficient(data, exposure, ""),
        status="not_supported",
        competing=competing,
        probability=min(outage, 1 - MODEL_DOUBT),
        text="No change came or went while there were attempts; the evidence fits "
        f"{' and '.join(WORDS[name] for name in competing)}.",
        outages=weights.outages or (_whole_days(panel, weights),),
    )


def _whole_days(panel: Panel, weights: Weights) -> Outage:
    first, last = weights.outage_days
    end = panel.days[last] + pd.Timedelta(days=1)
    return Outage(panel.days[first], end, "", frozenset(panel.hosts))


def _legs(case: Weighed, attempts: pd.DataFrame, incident: Incident) -> tuple[Check, ...]:
    scene = case.scene
    spans, cured = case.spans
    outside = ~inside(case.weights.aside[case.lead], attempts)
    over = case.weights.over[case.lead]
    if over is not None:
        outside &= (attempts["time"] < over).to_numpy()
    exposed = pd.Series(in_effect(spans, attempts), index=attempts.index)
    return (
        legs.same_day_controls(scene, groups=find_sites(scene.panel.hosts) or None),
        legs.placebo_changes(scene, *case.masks()),
        legs.own_past(scene),
        legs.placebo_dates(scene),
        legs.onset_alignment(scene),
        legs.reversal(scene, cured=cured),
        legs.dose(scene),
        legs.fewer_successes(scene),
        legs.signature(attempts[outside], incident.codes, exposed[outside], scene=scene),
        _common_causes(case),
    )


def _common_causes(case: Weighed) -> Check:
    """State how probable causes beside changes are, and which outages were found."""
    scene, weights = case.scene, case.weights
    trend = weights.trend + weights.unsteady
    common = weights.shared_outage + weights.site_outage + trend
    text = (
        f"an outage of everybody has probability {weights.shared_outage:.3f}, one of a site "
        f"{weights.site_outage:.3f}, a trend {trend:.3f}, no common cause at all "
        f"{weights.nothing:.3f}"
    )
    if weights.aside[case.lead]:
        spans = "; ".join(_span(outage) for outage in weights.aside[case.lead])
        text += f"; hosts without the change had these outages as well, set aside here: {spans}"
    elif weights.outages:
        spans = "; ".join(_span(outage) for outage in weights.outages)
        text += f"; without any change, the outages that fit best: {spans}"
    over = weights.over[case.lead]
    if over is not None:
        text += (
            f"; from {over:%Y-%m-%d} on hosts no longer fail with the change in effect: something "
            "outside their builds ended it, and later episodes are left out of the other checks"
        )
    records = scene.records(~scene.failed & ~scene.mask)
    return Check("no shared outage or trend", common < 1 - SURE, text, records)


def _span(outage: Outage) -> str:
    where = f" at {outage.site}" if outage.site else ""
    return f"{outage.start:%Y-%m-%d %H:%M} to {outage.end:%Y-%m-%d %H:%M} UTC{where}"


def _classes(weights: Weights, attempts: pd.DataFrame) -> dict[str, float]:
    """Say what the failures inside the outages were about; without outages nothing is said."""
    return legs.code_class(attempts, inside(weights.outages, attempts)) if weights.outages else {}


def _answer(
    case: Weighed,
    status: str,
    competing: tuple[str, ...],
    checks: tuple[Check, ...],
    table: pd.DataFrame,
) -> Cause:
    weights = case.weights
    blames = status in BLAMES
    guilty = case.tied if blames else []
    labels = tuple(dict.fromkeys(label for place in guilty for label in case.labels(place)))
    probability = float(weights.changes[case.tied].sum()) if blames else weights.no_change
    if "more_logging" in competing:  # the weights know failures only, and more of them there are
        probability = SURE
    probability = min(probability, 1 - MODEL_DOUBT)
    if status != "insufficient":
        text = sentence(status, labels, probability, competing, case.scene)
    elif case.failing < MIN_AFFECTED:
        text = too_few_failing(case.failing, MIN_AFFECTED)
    else:
        text = unsettled(weights.no_change)
    spans, cured = case.spans
    return Cause(
        status=status,
        changes=labels,
        competing=competing,
        probability=probability,
        text=text,
        checks=checks,
        suspects=table,
        onset=_onset(case.scene) if blames else UNKNOWN,
        bad=spans if blames else spans.head(0),
        cured=cured if blames else spans.head(0),
        outages=_outages(weights, case.panel, case.lead, competing, blames=blames),
    )


def _outages(
    weights: Weights, panel: Panel, lead: int, competing: tuple[str, ...], *, blames: bool
) -> tuple[Outage, ...]:
    """Outages that everybody had beside the change, or that explain the failures instead."""
    if blames:
        return weights.aside[lead]
    if not competing or {"trend", "more_logging"} & set(competing):
        return ()
    return weights.outages or (_whole_days(panel, weights),)


def _status(case: Weighed, passed: dict[str, bool | None]) -> tuple[str, tuple[str, ...]]:
    """Choose the verdict; whether causes can be told apart comes before how likely they are.

    Also names what competes, where that follows from the legs and not from the weights.
    """
    weights = case.weights
    identified = passed["same-day controls"] is not None or passed["reversal"] is not None
    enough = case.failing >= MIN_AFFECTED
    if weights.no_change >= CLEARED:
        return "not_supported", ()
    if weights.no_change > 1 - SURE or not enough or not identified:
        return "insufficient", ()
    if not (passed["same-day controls"] or passed["reversal"]):
        return "insufficient", ()
    return _blame(case)


def _blame(case: Weighed) -> tuple[str, tuple[str, ...]]:
    """Blame the leading change, unless its failures are only logged: nobody lost a session then."""
    logged = legs.only_more_failures(case.scene)
    if logged:
        return "not_supported", ("more_logging",)
    if logged is None and legs.hardly_fewer_successes(case.scene):
        return "insufficient", ()
    return ("supported" if len(case.tied) == 1 else "not_separable"), ()


def _compared(case: Weighed) -> bool:
    """Tell whether the lead was not in effect for everything that was seen, or is the profile's.

    A release carried on in all later ones, where all always failed, explains no difference: then no
    timing speaks for it.
    """
    lead = case.suspects[case.lead]
    return lead.named or not lead.masks[case.weights.best_mask[case.lead]].all()


def _onset(scene: legs.Scene) -> tuple[Instant, Instant, Instant]:
    """First failure while exposed, no earlier than that host's last success or its exposure."""
    hit = scene.episodes[scene.mask & scene.failed]
    if hit.empty:
        return UNKNOWN
    first = hit.sort_values("time", kind="stable").iloc[0]
    own = scene.episodes[scene.episodes["host"] == first["host"]]
    worked = own.loc[(own["time"] < first["time"]) & ~own["failed"], "time"].max()
    starts = scene.spans.loc[
        (scene.spans["host"] == first["host"]) & (scene.spans["start"] <= first["time"]), "start"
    ].max()
    known = [t for t in (worked, starts) if pd.notna(t)]
    return first["time"], max(known) if known else first["time"], first["time"]
