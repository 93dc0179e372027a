"""Which changes could have done it, and which episodes each of them was in effect for.

Every change in the evidence is a suspect: the one the incident profile names (all its branches are
one change), every other operating-system release, every other update. This file builds masks; it
judges nothing.

Operating-system releases are ordered by release date across branches: the security updates of one
day are one change with several KB labels. An unnamed suspect has no known cure, so each later
release is tried as its cure (`Suspect.masks` has one row per possible end).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from kitlib import knowledge

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitlib.incident import Incident

Mask = npt.NDArray[np.bool_]

_FOREVER: Final = pd.Timestamp.max.tz_localize("UTC")
_NEVER: Final = pd.Timestamp.min.tz_localize("UTC")


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """A change and where it was in effect.

    Attributes
    ----------
    change
        Label shown first; `labels` holds all of them seen in the evidence.
    kind
        ``update``, ``driver``, ``application``, ``policy`` or ``other``.
    named
        True for the suspect of the incident profile.
    masks
        Possible spans (rows) by episode (columns): True while in effect.
    spans
        For each mask the rows of the exposure table it is made of.
    cured
        For each mask the rows of the exposure table in which the cure is in effect.
    """

    change: str
    labels: tuple[str, ...]
    kind: str
    named: bool
    masks: Mask
    spans: tuple[pd.DataFrame, ...]
    cured: tuple[pd.DataFrame, ...]


def find_suspects(
    exposure: pd.DataFrame, episodes: pd.DataFrame, incident: Incident
) -> list[Suspect]:
    """List every suspect that was in effect for some of the episodes, but not for all.

    Parameters
    ----------
    exposure
        Table ``exposure``.
    episodes
        Frame with ``host`` and ``time``, one row an episode.
    incident
        Its branches, if any, name the first suspect.

    Returns
    -------
    list of Suspect
        The named one first, then by first label. A change that was in effect for every episode or
        for none explains no difference and is left out, but the named one always stays.
    """
    system = exposure[exposure["revision"].notna()]
    suspects = [*_named(system, episodes, incident), *_releases(system, episodes, incident)]
    others = exposure[exposure["revision"].isna()]
    for change, spans in others.groupby("change", sort=True):
        suspects.append(_single(str(change), spans, episodes))
    return [s for s in suspects if s.named or (s.masks.any() and not s.masks.all())]


def in_effect(spans: pd.DataFrame, episodes: pd.DataFrame) -> Mask:
    """Mark the episodes that fall into a span of their own host.

    Examples
    --------
    >>> t = pd.to_datetime(["2022-01-12T08:00Z"])
    >>> spans = pd.DataFrame({"host": ["A"], "start": t, "end": [pd.NaT]})
    >>> in_effect(spans, pd.DataFrame({"host": ["A", "B"], "time": [t[0], t[0]]}))
    array([ True, False])
    """
    out = np.zeros(len(episodes), dtype=bool)
    places = pd.Series(np.arange(len(episodes)), index=episodes.index)
    times = episodes["time"]
    by_host = {host: places.loc[index] for host, index in episodes.groupby("host").groups.items()}
    for host, start, end in zip(spans["host"], spans["start"], spans["end"], strict=True):
        if host not in by_host:
            continue
        own = by_host[host].to_numpy()
        when = times.iloc[own]
        low = _NEVER if pd.isna(start) else start
        high = _FOREVER if pd.isna(end) else end
        out[own[((when >= low) & (when < high)).to_numpy()]] = True
    return out


def bad_spans(exposure: pd.DataFrame, incident: Incident) -> pd.DataFrame:
    """Rows of `exposure` in which a host ran with the profile's bad revision, fix not in."""
    return exposure[
        _judge(exposure, lambda build, rev: any(b.exposed(build, rev) for b in incident.branches))
    ]


def cured_spans(exposure: pd.DataFrame, incident: Incident) -> pd.DataFrame:
    """Rows of `exposure` in which a host ran a build that contains the profile's fix."""
    return exposure[
        _judge(exposure, lambda build, rev: any(b.cured(build, rev) for b in incident.branches))
    ]


def _judge(exposure: pd.DataFrame, test: Callable[[int, int], bool]) -> Mask:
    states = zip(exposure["build"], exposure["revision"], strict=True)
    return np.array(
        [pd.notna(build) and pd.notna(rev) and test(int(build), int(rev)) for build, rev in states],
        dtype=bool,
    )


def _named(system: pd.DataFrame, episodes: pd.DataFrame, incident: Incident) -> list[Suspect]:
    if not incident.branches:
        return []
    spans = bad_spans(system, incident)
    seen = [b.bad.kb for b in incident.branches if spans["build"].isin(b.builds).any()]
    labels = tuple(seen) or tuple(b.bad.kb for b in incident.branches[:1])
    return [
        Suspect(
            labels[0],
            labels,
            "update",
            named=True,
            masks=in_effect(spans, episodes)[np.newaxis],
            spans=(spans,),
            cured=(cured_spans(system, incident),),
        )
    ]


def _single(change: str, spans: pd.DataFrame, episodes: pd.DataFrame) -> Suspect:
    """Build a suspect that is in effect just where its own rows say so."""
    return Suspect(
        change,
        (change,),
        str(spans["kind"].iloc[0]),
        named=False,
        masks=in_effect(spans, episodes)[np.newaxis],
        spans=(spans,),
        cured=(spans.head(0),),
    )


def _releases(system: pd.DataFrame, episodes: pd.DataFrame, incident: Incident) -> list[Suspect]:
    """Other operating-system releases, grouped by release day, each with its possible cures."""
    known = knowledge.releases()[["build", "revision", "date", "kind"]]
    dated = system.merge(
        known.drop_duplicates(["build", "revision"]),
        on=["build", "revision"],
        how="left",
        suffixes=("", "_release"),
    )
    undated = dated[dated["date"].isna()]
    dated = dated[dated["date"].notna()].assign(date=lambda d: d["date"].astype(str))
    days = sorted(dated["date"].unique())
    by_day = {day: in_effect(dated[dated["date"] == day], episodes) for day in days}
    out = []
    for place, day in enumerate(days):
        labels = tuple(sorted(set(dated.loc[dated["date"] == day, "change"])))
        if incident.bad_labels & set(labels):
            continue
        # In effect while this or a later release runs, up to each possible cure.
        ends = [*days[place + 1 :], None]
        out.append(
            Suspect(
                labels[0],
                labels,
                "update",
                named=False,
                masks=np.cumsum([by_day[later] for later in days[place:]], axis=0) > 0,
                spans=tuple(dated[(dated["date"] >= day) & _before(dated, end)] for end in ends),
                cured=tuple(dated[~_before(dated, end)] for end in ends),
            )
        )
    return [*out, *(_single(str(c), rows, episodes) for c, rows in undated.groupby("change"))]


def _before(dated: pd.DataFrame, end: str | None) -> pd.Series[bool]:
    return dated["date"] < end if end else dated["date"].notna()
