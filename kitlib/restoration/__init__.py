"""How did the fleet come back? Curves of time to recovery, relapses, and the hosts to call.

Two clocks. *Since each host's own first failure*: the share still out (Kaplan-Meier), hosts still
out censored at their last evidence. *Calendar*: how many hosts were out at each moment. Whether a
host works at its last evidence is decided in table ``hosts`` and not here.

"Works again" is the recovery that lasts to the last evidence, by the fix or in any other way; a
host that worked for a while and failed again is out, with a relapse. A host with a cure and too few
attempts since (``unconfirmed``) is known to be out until the cure took effect, and not after. One
that works again on a build that nobody knows (``no_data``) works again all the same.

`histories` asks whether a host had worked in between, `curves` counts, `calls` says what to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pandas as pd

from kitlib.claims import Check, Finding
from kitlib.restoration.calls import hosts_to_call
from kitlib.restoration.curves import (
    STALE,
    WAYS,
    calendar_of,
    curve_of,
    in_words,
    kaplan_meier,
    milestones,
    still_waiting,
    times_of,
)
from kitlib.restoration.histories import (
    SPELL,
    frame,
    histories,
    last_seen,
    likely_states,
    spells_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitlib.cause import Cause
    from kitlib.incident import Incident

__all__ = [
    "WAYS",
    "Restoration",
    "in_words",
    "kaplan_meier",
    "likely_states",
    "measure_restoration",
]

SAID: Final[Mapping[str, str]] = {"any": "worked again", "fix": "worked with the fix in"}

SHOWN_HOSTS: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Restoration:
    """How the fleet came back.

    Attributes
    ----------
    times
        A host that was hit a row: ``host``, ``onset``, ``until`` (worked again, else up to when it
        is known to be out), ``back``, ``days`` between the two, ``days_low`` (to its last failure
        before; the recovery lies in between), ``fixed`` and ``fixed_days`` (the same for the fix
        alone), ``status``.
    curve
        ``way`` ('any', 'fix'), ``day``, ``at_risk``, ``recovered``, ``share`` still out, ``low``,
        ``high`` (90 %); see `kaplan_meier`.
    calendar
        A row a moment at which something changed: ``time``, ``days`` since the fleet's first
        failure, and how many hosts were ``hit`` so far, are ``out``, ``working`` again or
        ``unknown`` (its logs end while it is out, or a cure came that nobody tried), and ``relapses`` so far. The middle three add up to
        the first.
    spells
        Each time a host was out: ``host``, ``number`` (1 is the first), ``start``, ``end``,
        ``ended_by`` ('recovered', 'evidence ends', 'unconfirmed'), ``failures`` (bursts whose
        first try failed), ``why`` it relapsed, ``records``.
    milestones
        ``way``, ``share``, ``days`` with ``low`` and ``high`` (90 %; missing: beyond what was
        seen), ``text``.
    to_call
        ``rank``, ``host``, ``status``, ``what_to_do``, ``out_since``, ``last_seen``.
    unfollowed
        Hosts to call that may have failed and are in no curve: nothing tells whether they did, or
        when first (no usable log, or attempts at unknown times).
    unseen
        Hosts without a usable log that nothing shows to be at risk; they are in no list.
    last
        Last evidence of the fleet; NaT where there is none.
    """

    times: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    calendar: pd.DataFrame = field(repr=False)
    spells: pd.DataFrame = field(repr=False)
    milestones: pd.DataFrame = field(repr=False)
    to_call: pd.DataFrame = field(repr=False)
    unfollowed: int
    unseen: int
    last: pd.Timestamp

    @property
    def relapses(self) -> pd.DataFrame:
        """Rows of `spells` in which a host that had worked again was out once more."""
        return self.spells[self.spells["number"] > 1].reset_index(drop=True)

    def at_risk(self, days: Sequence[float], *, way: str = "any") -> list[int]:
        """Count the hosts still out and still observed just before each of `days`."""
        spent = self.times[WAYS[way][1]]
        return [int((spent >= day).sum()) for day in days]

    def finding(self) -> Finding:
        """Return how the fleet came back as a claim that renders itself."""
        table = self.milestones[["way", "share", "text"]].copy()
        table["way"] = table["way"].map(dict(SAID)).astype("str")
        table["share"] = [f"{100 * share:.0f} %" for share in table["share"]]
        gap = (self.times["days"] - self.times["days_low"])[self.times["back"]].median()
        seen = f", on the median host {in_words(gap)} after its last failure" if gap >= 0 else ""
        return Finding(
            _sentence(self),
            table.set_axis(["what", "share of hosts hit", "after own first failure"], axis=1),
            assumptions=(
                "a host whose evidence ends while it is out is as likely to come back as the others",
                f"a recovery is dated by the first success after it{seen}",
                "hosts recover independently; where one night mends many, intervals are too narrow",
            ),
            checks=(_adds_up(self), _stays_mended(self), _seen_to_the_end(self)),
        )

    def _repr_html_(self) -> str:
        return self.finding()._repr_html_()  # one family


def measure_restoration(
    hosts: pd.DataFrame,
    attempts: pd.DataFrame,
    coverage: pd.DataFrame,
    incident: Incident,
    cause: Cause,
) -> Restoration:
    """Say how the fleet came back, and whom to call.

    Parameters
    ----------
    hosts, attempts, coverage
        Tables of those names. Hosts with an ``onset`` are those that were hit.
    incident
        The profile: its codes are the symptom, its fixes are named to those who call.
    cause
        The verdict: when the guilty change and its cure were in effect. Where no change is blamed
        there is no fix to wait for, and only 'any' way of working again is followed.

    Returns
    -------
    Restoration

    Notes
    -----
    Assumes that the end of a host's evidence says nothing about when it would have recovered.
    Fails where logs were exported because a host was broken (the curve then stays too high), and
    where broken hosts were replaced and left no more evidence. A host not used is taken to be out
    while the bad build is in effect. A recovery is dated by the first success seen, so it is late
    by up to one pause between attempts; ``days_low`` says by how much at most.
    """
    last = last_seen(hosts, attempts, coverage)
    hit = histories(hosts, attempts, incident, cause, last)
    times = times_of(hit)
    spells = frame([row for history in hit for row in spells_of(history)], SPELL)
    curves = [curve_of(times, way) for way in (WAYS if cause.follows else ["any"])]
    to_call = hosts_to_call(hosts, spells, last, incident, cause)
    blind = (hosts["status"] == "no_data") & ~hosts["host"].isin(to_call["host"])
    return Restoration(
        times=times,
        curve=pd.concat(curves, ignore_index=True),
        calendar=calendar_of(spells, last.max()),
        spells=spells,
        milestones=pd.concat([milestones(times, curve) for curve in curves], ignore_index=True),
        to_call=to_call,
        unfollowed=_unfollowed(hosts, to_call),
        unseen=int(blind.sum()),
        last=last.max(),
    )


def _unfollowed(hosts: pd.DataFrame, to_call: pd.DataFrame) -> int:
    """Count the hosts to call that may have failed and of which no first failure is known."""
    asked = hosts[hosts["host"].isin(to_call["host"]) & (hosts["status"] != "not_affected")]
    return int(asked["onset"].isna().sum())


# ---------------------------------------------------------------- words and checks


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _sentence(found: Restoration) -> str:
    times = found.times
    call = f"{_many(len(found.to_call), 'host')} to call."
    if found.unseen:
        call += f" Nothing can be said of {_many(found.unseen, 'host')} without a usable log."
    if times.empty:
        return f"No host was hit, so none had to recover; {call}"
    back, fixed = int(times["back"].sum()), int(times["fixed"].sum())
    rest = "" if times["back"].all() else f"; {still_waiting(times, 'any')}"
    by_fix = f", {fixed:,} of them with the fix in" if set(found.curve["way"]) > {"any"} else ""
    half = found.milestones.iloc[0]
    took = "" if pd.isna(half["days"]) else f" Half worked again within {half['text']}."
    again = found.relapses["host"].nunique()
    fell = f" {_many(again, 'host')} had worked again and failed once more." if again else ""
    return (
        f"{back:,} of the {_many(len(times), 'host')} hit work again{by_fix}{rest}.{took}{fell} "
        f"{call}"
    )


def _adds_up(found: Restoration) -> Check:
    """Put the counts to the test: at each moment every host hit is out, working or unknown."""
    steps, times = found.calendar, found.times
    even = (steps[["out", "working", "unknown"]].sum(axis=1) == steps["hit"]).all()
    least = steps[["out", "working", "unknown"]].min().min() if len(steps) else 0
    ends = len(steps) == 0 or (
        steps["working"].iloc[-1] == times["back"].sum() and steps["hit"].iloc[-1] == len(times)
    )
    left = (
        f"; {_many(found.unfollowed, 'host')} to call left out, of which no first failure is known"
        if found.unfollowed
        else ""
    )
    return Check(
        "every host hit is counted once",
        bool(even and least >= 0 and ends),
        f"At each of {len(steps):,} moments out, working and unknown add up to the hosts hit{left}.",
    )


def _stays_mended(found: Restoration) -> Check:
    """Tell whether what worked again went on working."""
    worked = found.spells[found.spells["ended_by"] == "recovered"]["host"].nunique()
    if worked == 0:
        return Check("what works again stays so", None, "No host was seen to work again.")
    again = found.relapses
    names = list(dict.fromkeys(again["host"]))
    more = f" and {len(names) - SHOWN_HOSTS:,} more" if len(names) > SHOWN_HOSTS else ""
    which = "; ".join(
        f"{row['host']} on {row['start']:%Y-%m-%d}, {row['why']}"
        for row in again.drop_duplicates("host").head(SHOWN_HOSTS).to_dict("records")
    )
    return Check(
        "what works again stays so",
        again.empty,
        f"{len(names):,} of {_many(worked, 'host')} that worked again failed once more"
        + (f": {which}{more}." if names else "."),
        records=tuple(ref for refs in again["records"] for ref in refs),
    )


def _seen_to_the_end(found: Restoration) -> Check:
    """Tell whether hosts out were followed about as long as the rest of the fleet."""
    out = found.times[~found.times["back"] & (found.times["status"] != "unconfirmed")]
    if out.empty:
        return Check("hosts out are seen to the end", None, "No host is out at its last evidence.")
    stale = out[out["until"] < found.last - STALE]
    return Check(
        "hosts out are seen to the end",
        stale.empty,
        f"The logs of {len(stale):,} of {_many(len(out), 'host')} still out end more than "
        f"{STALE.days} days before the fleet's last evidence ({found.last:%Y-%m-%d}).",
    )
