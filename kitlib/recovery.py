"""Is it over? For each host its state at the last evidence, why, and how sure that is.

A host has recovered when it is no longer in the broken state *and* the cure is in its build. How
many successes that takes depends on how reliably it failed before: the confidence is the posterior
of "works as it used to" against "still broken" from the attempts since, with the host's own rates
(`confidence`). This file applies the contract's status words; it does not look for causes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd

from kitlib import schema
from kitlib.classify import activity_channels
from kitlib.explain import BASE_RATE, FAULT_RATE
from kitlib.hours import hours_lost, learn_use
from kitlib.stats import chance, log_beta_bernoulli
from kitlib.suspects import in_effect
from kitlib.timeline import record_refs

if TYPE_CHECKING:
    from kitlib.cause import Cause, Instant
    from kitlib.incident import Incident
    from kitlib.suspects import Mask

CONFIDENT: Final = 0.95
"""Probability from which on a host is said to work again."""

MIN_WORKING: Final = 3
"""Successes in a row that show a host working although the bad build is still in effect."""

COVERED: Final = 0.5
"""Share of the time that matters which the logs must cover to call a host not affected."""

MIN_RELAPSED: Final = 2
"""Failing episodes in a row that show a host failing again after it had worked."""

LEANING: Final = 5
"""Attempts of a host's own that weigh as much as the fleet when its broken rate is estimated."""

_INSTALLED: Final = ("update_installed", "update_restart_needed")
_WHEN: Final = ("host", "time", "time_low", "time_basis")
_WHAT: Final = ("action", "change", "activity", "channel", "record_id", "path")
_SHOWN: Final = 6
_SOUND: Final = float(np.log(CONFIDENT / (1 - CONFIDENT)))


class _Parts(NamedTuple):
    """A table cut by host once; asking the whole table again for each host is slow."""

    rows: dict[str, pd.DataFrame]
    none: pd.DataFrame

    def of(self, host: str) -> pd.DataFrame:
        return self.rows.get(host, self.none)


class _Tables(NamedTuple):
    """The tables a host's view is cut from; `tries` are attempts with columns symptom and bad."""

    tries: _Parts
    exposure: _Parts
    coverage: _Parts
    timeline: _Parts
    bad: _Parts
    cured: _Parts
    follows: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Host:
    """All that is known of one host, as the decisions need it."""

    name: str
    tries: pd.DataFrame  # attempts with an outcome, plus columns symptom and bad (in effect)
    facts: pd.DataFrame
    bad: pd.DataFrame
    cured: pd.DataFrame
    state: pd.DataFrame  # system rows of the exposure table
    seen: pd.DataFrame  # coverage of the activity's channels
    last: Instant
    matters: tuple[Instant, Instant]
    follows: bool

    @property
    def failed(self) -> pd.DataFrame:
        """Attempts that ended with the symptom while the change was in effect."""
        return self.tries[self.tries["symptom"] & self.tries["bad"]]

    @property
    def unknown(self) -> bool:
        """Whether a change is blamed and nothing says which build the host ran."""
        return self.follows and self.state.empty and self.bad.empty

    @property
    def bad_at_end(self) -> bool:
        return bool(self.bad["end"].isna().any())

    @property
    def cured_at_end(self) -> bool:
        return bool(self.cured["end"].isna().any())


def assess_recovery(  # noqa: PLR0913, PLR0917  # one argument a table, as in the other rooms
    attempts: pd.DataFrame,
    exposure: pd.DataFrame,
    coverage: pd.DataFrame,
    timeline: pd.DataFrame,
    incident: Incident,
    cause: Cause,
) -> pd.DataFrame:
    """Give each host its status at its last evidence.

    Parameters
    ----------
    attempts, exposure, coverage, timeline
        Tables of those names.
    incident
        The profile.
    cause
        The verdict; where it blames no change, hosts that failed can only be ``recovered`` by
        ``other`` or ``still_failing``.

    Returns
    -------
    pandas.DataFrame
        Table ``hosts``, sorted by host.

    Notes
    -----
    Assumes that a host's success rate is one number before, one under the fault and one after.
    Fails where the cure works for some attempts only (several gateways): look at `confidence`.
    """
    hosts = sorted(set(coverage["host"]) | set(exposure["host"]) | set(attempts["host"]))
    tries = attempts[attempts["outcome"].isin(("success", "failure"))]
    tries = tries.assign(
        symptom=(tries["outcome"] == "failure") & incident.is_symptom(tries["code"]),
        bad=_broken_time(tries, cause),
    )
    tables = _Tables(
        tries=_by_host(tries.sort_values("time", kind="stable")),
        exposure=_by_host(exposure),
        coverage=_by_host(coverage),
        timeline=_by_host(timeline[[*_WHEN, *_WHAT]]),
        bad=_by_host(cause.bad),
        cured=_by_host(cause.cured),
        follows=cause.follows,
    )
    channels = activity_channels(incident.activity)
    window = _failing_window(tries, coverage)
    broken = _broken_rate(tries)
    rows = []
    for host in hosts:
        view = _view(host, tables, channels, window)
        row = _decide(view, incident, cause, broken)
        spells = _spells(view)
        lost = hours_lost(spells, learn_use(view.facts, spells=spells, until=view.last))
        if row["status"] == "no_data":  # nothing seen is not nothing lost
            lost = (float("nan"), float("nan"), float("nan"))
        row |= dict(zip(("hours_lost", "hours_low", "hours_high"), lost, strict=True))
        rows.append(row)
    return schema.frame("hosts", rows)


def _broken_time(tries: pd.DataFrame, cause: Cause) -> Mask:
    """Mark the attempts made while what is blamed was at work: a change, an outage, or unknown."""
    if cause.follows:
        return in_effect(cause.bad, tries)
    start, end = cause.outage
    if pd.isna(start) or pd.isna(end):
        return np.ones(len(tries), dtype=bool)
    return ((tries["time"] >= start) & (tries["time"] < end)).to_numpy()


def _by_host(table: pd.DataFrame) -> _Parts:
    return _Parts({str(host): rows for host, rows in table.groupby("host")}, table.head(0))


def _failing_window(tries: pd.DataFrame, coverage: pd.DataFrame) -> tuple[Instant, Instant]:
    """First to last failure with the symptom in the fleet, else all the evidence."""
    hit = tries.loc[tries["symptom"] & tries["bad"], "time"]
    if len(hit):
        return hit.min(), hit.max()
    return coverage["start"].min(), coverage["end"].max()


def _view(
    host: str,
    tables: _Tables,
    channels: frozenset[str],
    window: tuple[Instant, Instant],
) -> _Host:
    own, covered, facts = (
        table.of(host) for table in (tables.exposure, tables.coverage, tables.timeline)
    )
    bad, tries = tables.bad.of(host), tables.tries.of(host)
    ends = [covered["end"].max(), facts["time"].max(), tries["time"].max()]
    last = next((end for end in ends if pd.notna(end)), pd.NaT)
    return _Host(
        name=host,
        tries=tries,
        facts=facts,
        bad=bad,
        cured=tables.cured.of(host),
        # A state from before the evidence has no start, and is the first one.
        state=own[own["revision"].notna()].sort_values("start", na_position="first"),
        seen=covered[covered["channel"].isin(channels)],
        last=last,
        matters=_matters(bad, last, window),
        follows=tables.follows,
    )


def _matters(
    bad: pd.DataFrame, last: Instant, window: tuple[Instant, Instant]
) -> tuple[Instant, Instant]:
    """Return the time a log must cover: the host's own exposure, else the fleet's failing time."""
    if bad.empty:
        return window
    start = bad["start"].min() if bad["start"].notna().all() else window[0]
    end = last if bad["end"].isna().any() else bad["end"].max()
    return start, end


def _covered_share(view: _Host) -> float:
    """Share of the time that matters in which the activity's channels were being recorded."""
    start, end = view.matters
    if view.seen.empty:
        return 0.0
    if not (isinstance(start, pd.Timestamp) and isinstance(end, pd.Timestamp)) or end <= start:
        return 1.0
    low = view.seen["start"].where(view.seen["start"] >= start, start)
    high = view.seen["end"].where(view.seen["end"] <= end, end)
    return float(
        (high - low).dt.total_seconds().clip(lower=0).sum() / (end - start).total_seconds()
    )


def _broken_rate(tries: pd.DataFrame) -> float:
    """Failure rate of the hosts that fail, while the change is in effect (shrunk towards 1/2)."""
    under = tries[tries["bad"]]
    sick = under[under["host"].isin(under.loc[under["symptom"], "host"].unique())]
    return float((sick["symptom"].sum() + 1) / (len(sick) + 2))


def _rates(view: _Host, broken: float) -> tuple[float, float]:
    """Return the host's failure rates, broken and ordinary, leaning on the fleet where it says little."""
    under, free = view.tries[view.tries["bad"]], view.tries[~view.tries["bad"]]
    if len(hit := view.failed["time"]):  # what works after the last belongs to the question
        first = pd.Timestamp.min.tz_localize("UTC") if view.follows else hit.min()
        under = under[under["time"].between(first, hit.max())]
    sick = (under["symptom"].sum() + LEANING * broken) / (len(under) + LEANING)
    # Failures right after the cure belong to the question, so only the time before counts here.
    before = free[free["time"] < view.bad["start"].min()] if len(view.bad) else free
    ordinary = (before["symptom"].sum() + BASE_RATE[0]) / (len(before) + sum(BASE_RATE))
    return float(np.clip(sick, 0.05, 0.99)), float(np.clip(ordinary, 0.005, 0.5))


def _affected(view: _Host) -> float:
    """Probability that the host has the fault, from its attempts under exposure."""
    under = view.tries[view.tries["bad"]]
    if under.empty or not under["symptom"].any():
        return 0.0
    k, n = int(under["symptom"].sum()), len(under)
    gap = float(log_beta_bernoulli(k, n, *FAULT_RATE) - log_beta_bernoulli(k, n, *BASE_RATE))
    return chance(gap)


def _decide(view: _Host, incident: Incident, cause: Cause, broken: float) -> dict[str, Any]:
    """Apply the contract's words, most specific first."""
    sick = _affected(view)
    row: dict[str, Any] = {
        "host": view.name,
        "exposed_from": view.bad["start"].min() if len(view.bad) else pd.NaT,
        "onset": view.failed["time"].min() if sick > 0.5 else pd.NaT,
        "attempts": len(view.tries),
        "failures": len(view.failed),
        "recovered_at": pd.NaT,
        "recovered_by": "",
        "build": view.state["build"].iloc[-1] if len(view.state) else None,
        "revision": view.state["revision"].iloc[-1] if len(view.state) else None,
        "records": _evidence(view),
    }
    if view.unknown and view.tries["symptom"].any():
        row |= _unknown_status(view, broken)
    elif sick > 0.5:
        row |= _affected_status(view, incident, cause, broken)
    else:
        row |= _unaffected_status(view, sick)
    row["at_risk"] = _at_risk(view, row["status"], sick)
    return row


def _at_risk(view: _Host, status: str, sick: float) -> bool:
    """Tell whether the host can fail (again), as far as is known; a doubt counts as yes."""
    if not view.follows or view.cured_at_end:
        return False
    if view.unknown:
        return bool(view.tries["symptom"].any())
    doubtful = sick > 0.5 or status == "no_data"
    return bool(len(view.bad)) and (view.bad_at_end or doubtful)


def _unknown_status(view: _Host, broken: float) -> dict[str, Any]:
    """Decide for a host that failed with the symptom on a build that nothing tells."""
    hit = view.tries.loc[view.tries["symptom"], "time"]
    if hit.isna().all():
        return {"status": "no_data", "confidence": 1.0, "why": _unseen(view)}
    since = view.tries[view.tries["time"] > hit.max()]
    sure, _ = _works_since(view, since, broken)
    works = int((since["outcome"] == "success").sum()) >= MIN_WORKING and sure >= CONFIDENT
    why = (
        f"{len(hit)} attempts with the symptom, the last {hit.max():%Y-%m-%d}, {len(since)} since; "
        "no start of Windows and no update list says which build it ran"
    )
    if works:
        return {"status": "no_data", "confidence": sure, "why": why}
    return {"status": "still_failing", "confidence": max(1 - sure, 0.5), "why": why}


def _unseen(view: _Host) -> str:
    """Say why no log shows when attempts were recorded: there is none, or nothing tells its zone."""
    if view.tries.empty or view.tries["time"].notna().any():
        return "no log of the channel that would show it"
    return f"its attempts ({len(view.tries)}) are told in local time of an unknown UTC offset"


def _unaffected_status(view: _Host, sick: float) -> dict[str, Any]:
    share = _covered_share(view)
    tried = int(view.tries["bad"].sum())
    if share < COVERED and tried == 0:
        why = _unseen(view)
        if len(view.seen):
            begins = f"its log begins {view.seen['start'].min():%Y-%m-%d}"
            why = f"{begins} and covers {share:.0%} of the time that matters"
        return {"status": "no_data", "confidence": 1 - share, "why": why}
    exposed = "with the change in effect" if len(view.bad) else "never exposed"
    shown = int(view.tries["symptom"].sum())
    apart = ", none of them under the change" if shown and view.failed.empty else ""
    why = (
        f"{exposed}; {len(view.tries)} attempts, {shown} with the symptom{apart}; its log "
        f"covers {share:.0%} of the time that matters"
    )
    return {"status": "not_affected", "confidence": max(1 - sick, 0.5), "why": why}


def _affected_status(
    view: _Host, incident: Incident, cause: Cause, broken: float
) -> dict[str, Any]:
    if view.bad_at_end or not cause.follows:
        return _still_exposed(view, incident, cause, broken)
    left = view.bad["end"].max()
    since = view.tries[view.tries["time"] >= left]
    sure, first = _works_since(view, since, broken)
    count = _worked(since)
    gone = (
        "the build holds the fix" if view.cured_at_end else "the bad build is gone and no fix is in"
    )
    if sure >= CONFIDENT:
        done = {
            "recovered_at": first,
            "confidence": sure,
            "why": f"{gone} since {left:%Y-%m-%d}; {count}",
        }
        if view.cured_at_end:
            return {"status": "recovered", "recovered_by": "fix", **done}
        return {"status": "workaround_only", "recovered_by": "uninstall", **done}
    if len(since) >= MIN_WORKING and sure <= 1 - CONFIDENT:
        return {"status": "still_failing", "confidence": 1 - sure, "why": f"{gone}, but {count}"}
    return {
        "status": "unconfirmed",
        "confidence": max(sure, 1 - sure),
        "why": f"{gone} since {left:%Y-%m-%d}; {count}, too few to confirm",
    }


def _still_exposed(view: _Host, incident: Incident, cause: Cause, broken: float) -> dict[str, Any]:
    """Decide for a host with the bad build in effect at the end (or no change to blame)."""
    since = view.tries[view.tries["time"] > _broken_again(view)]
    sure, first = _works_since(view, since, broken)
    worked = int((since["outcome"] == "success").sum())
    if worked >= MIN_WORKING and sure >= CONFIDENT:
        return {
            "status": "workaround_only" if cause.follows else "recovered",
            "recovered_at": first,
            "recovered_by": "other",
            "confidence": sure,
            "why": f"{worked} of {len(since)} attempts work since {first:%Y-%m-%d} without a "
            "change of build",
        }
    waiting = _pending(view, incident, cause)
    if waiting is not None:
        at = waiting["time"]
        when = "by the time of the export" if pd.isna(at) else f"{at:%Y-%m-%d %H:%M} UTC"
        return {
            "status": "pending_reboot",
            "confidence": CONFIDENT,
            "why": f"{waiting['change']} was installed {when} and no start of Windows has followed",
            "records": [*_evidence(view), *record_refs(waiting.to_frame().T)],
        }
    return {
        "status": "still_failing",
        "confidence": max(1 - sure, 0.5) if len(since) else CONFIDENT,
        "why": f"last failure {view.failed['time'].max():%Y-%m-%d %H:%M} UTC; {_worked(since)}",
    }


def _worked(since: pd.DataFrame) -> str:
    worked = int((since["outcome"] == "success").sum())
    return f"{worked} of {len(since)} attempts since work" if len(since) else "no attempt since"


def _broken_again(view: _Host) -> pd.Timestamp:
    """Return from when on attempts say whether it works: the last failure, or a later return.

    What worked while the change was removed says nothing once it is back.
    """
    failure = view.failed["time"].max()
    returned = view.bad["start"].max()
    later: pd.Timestamp = max(failure, returned) if pd.notna(returned) else failure
    return later


def _works_since(view: _Host, since: pd.DataFrame, broken: float) -> tuple[float, Instant]:
    """Confidence that it works at the end, and the first success from which on it is that sure.

    Where it worked and then failed again for good, the end counts.
    """
    if since.empty:
        return 0.5, pd.NaT
    sick, ordinary = _rates(view, broken)
    worked = (since["outcome"] == "success").to_numpy()
    failed = since["symptom"].to_numpy(dtype=bool)
    steps = worked * np.log((1 - ordinary) / (1 - sick)) + failed * np.log(ordinary / sick)
    odds = steps[::-1].cumsum()[::-1]  # from each attempt to the end
    worst = int(odds.argmin())
    relapses = since.iloc[worst:].loc[failed[worst:], "episode"].nunique()
    if chance(odds[worst]) <= 1 - CONFIDENT and relapses >= MIN_RELAPSED:
        return chance(odds[worst]), pd.NaT
    sound = np.flatnonzero(worked & (odds >= _SOUND))
    first = since["time"].iloc[sound[0]] if len(sound) else pd.NaT
    return chance(odds[0]), first


def _pending(view: _Host, incident: Incident, cause: Cause) -> pd.Series[Any] | None:
    """Find the installation of a cure that no start of Windows has followed yet."""
    if not view.bad_at_end:
        return None
    boots = view.facts.loc[view.facts["action"] == "boot", "time"]
    after = boots.max() if len(boots) else view.facts["time"].min()
    later = view.facts["time_low"] > after
    listed = view.facts["time_low"].isna() & (view.facts["action"] == _INSTALLED[1])
    facts = view.facts[view.facts["action"].isin(_INSTALLED) & (later | listed)]
    cures = {change for change in facts["change"].unique() if cause.cured_by(change, incident)}
    hits = facts[facts["change"].isin(cures)]
    return None if hits.empty else hits.iloc[0]


def _evidence(view: _Host) -> list[str]:
    """Record ids a status rests on: the change's own, the first failures, the last attempts."""
    refs = [ref for records in view.bad["records"] for ref in records]
    refs += [ref for records in view.failed["records"].head(2) for ref in records[-1:]]
    refs += [ref for records in view.tries["records"].tail(2) for ref in records[-1:]]
    refs += [ref for records in view.cured["records"].head(1) for ref in records[:1]]
    return list(dict.fromkeys(refs))[:_SHOWN]


def _spells(view: _Host) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return the times without service: from a failure with the symptom to the next success.

    A spell also ends where the change goes out of effect (the service is there, used or not), and
    at the last evidence.
    """
    if _affected(view) <= 0.5:
        return []
    spells: list[tuple[pd.Timestamp, pd.Timestamp]] = []
    start: pd.Timestamp | None = None
    tries = view.tries.sort_values("time", kind="stable")
    for time, outcome, broken in zip(
        tries["time"], tries["outcome"], tries["symptom"] & tries["bad"], strict=True
    ):
        if start is None and broken:
            start = time
        elif start is not None and outcome == "success":
            spells.append((start, min(time, _gone(view, start))))
            start = None
    return [*spells, (start, _gone(view, start))] if start is not None else spells


def _gone(view: _Host, start: pd.Timestamp) -> pd.Timestamp:
    """When the change that was in effect at `start` went out of effect, else the last evidence."""
    ends = view.bad.loc[view.bad["end"].notna() & (view.bad["end"] > start), "end"]
    known = [*ends, *([view.last] if isinstance(view.last, pd.Timestamp) else [])]
    return min(known, default=start)
