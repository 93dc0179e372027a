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
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.typing import NaTType

from kitlib import knowledge
from kitlib.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitlib.incident import Incident

Mask = npt.NDArray[np.bool_]
Instant = pd.Timestamp | NaTType


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
        The named one first, then releases by date, then the rest by label. A change that was in
        effect for no episode is left out, and so is one in effect for all of them, which explains
        no difference, unless the profile names it.
    """
    ledger = _Ledger.of(episodes)
    system = exposure[exposure["revision"].notna()]
    suspects = [*_named(system, ledger, incident), *_releases(system, ledger, incident)]
    others = exposure[exposure["revision"].isna()]
    for change, spans in others.groupby("change", sort=True):
        suspects.append(_single(str(change), spans, ledger))
    return [s for s in suspects if s.masks.any() and (s.named or not s.masks.all())]


def in_effect(spans: pd.DataFrame, episodes: pd.DataFrame) -> Mask:
    """Mark the episodes that fall into a span of their own host.

    Examples
    --------
    >>> t = pd.to_datetime(["2022-01-12T08:00Z"])
    >>> spans = pd.DataFrame({"host": ["A"], "start": t, "end": [pd.NaT]})
    >>> in_effect(spans, pd.DataFrame({"host": ["A", "B"], "time": [t[0], t[0]]}))
    array([ True, False])
    """
    return _Ledger.of(episodes).mask(spans)


@dataclass(frozen=True, slots=True, eq=False)
class _Ledger:
    """Episodes ordered by host and time, so that a span is found by bisection."""

    hosts: pd.Index[str]
    moments: npt.NDArray[np.int64]  # all instants, sorted, once each
    keys: npt.NDArray[np.int64]  # host number and instant number in one, sorted
    order: npt.NDArray[np.intp]  # place in `keys` -> place among the episodes

    @classmethod
    def of(cls, episodes: pd.DataFrame) -> _Ledger:
        number, hosts = pd.factorize(episodes["host"])
        moments, moment = np.unique(_ticks(episodes["time"]), return_inverse=True)
        keys = number.astype(np.int64) * (len(moments) + 1) + moment
        order = np.argsort(keys, kind="stable")
        return cls(pd.Index(hosts), moments, keys[order], order)

    def mask(self, spans: pd.DataFrame) -> Mask:
        host = self.hosts.get_indexer(pd.Index(spans["host"]))
        spans, host = spans[host >= 0], host[host >= 0]
        # A state from before the evidence is no older than the publication of its update.
        start = spans["start"]
        start = start.fillna(spans["start_low"]) if "start_low" in spans else start
        low = self._places(host, _ticks(start, missing=np.iinfo(np.int64).min))
        high = self._places(host, _ticks(spans["end"], missing=np.iinfo(np.int64).max))
        steps = np.zeros(len(self.keys) + 1, dtype=np.int64)
        real = low < high  # a span that ends before it starts holds nothing
        np.add.at(steps, low[real], 1)
        np.add.at(steps, high[real], -1)
        out = np.zeros(len(self.keys), dtype=bool)
        out[self.order] = steps.cumsum()[:-1] > 0
        return out

    def _places(
        self, host: npt.NDArray[np.intp], ticks: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.intp]:
        key = host * (len(self.moments) + 1) + np.searchsorted(self.moments, ticks)
        return np.searchsorted(self.keys, key)


def _ticks(times: pd.Series[pd.Timestamp], *, missing: int = 0) -> npt.NDArray[np.int64]:
    """Nanoseconds since 1970 (UTC), `missing` where there is no time."""
    exact = pd.to_datetime(times, utc=True).astype(TIME)
    return np.where(exact.isna(), missing, exact.astype("int64")).astype(np.int64)


def bad_spans(exposure: pd.DataFrame, incident: Incident) -> pd.DataFrame:
    """Rows of `exposure` in which a host ran with the profile's bad revision, fix not in."""
    return exposure[
        _judge(exposure, lambda build, rev: any(b.exposed(build, rev) for b in incident.branches))
    ]


def cured_spans(exposure: pd.DataFrame, incident: Incident) -> pd.DataFrame:
    """Rows of `exposure` in which a host ran a build that contains the profile's fix.

    A build of no branch of the profile (a machine set up anew with a later Windows) contains it if
    it was released after the last of the fixes.
    """
    branches = incident.branches
    inside = _judge(exposure, lambda build, rev: any(b.cured(build, rev) for b in branches))
    dates = [b.fixed.date for b in branches if b.fixed and b.fixed.date]
    if not dates:
        return exposure[inside]
    ours = frozenset().union(*(b.builds for b in branches))
    known = knowledge.releases()
    later = known[(known["date"] >= f"{max(dates)}") & ~known["build"].isin(ours)]
    newer = set(zip(later["build"], later["revision"], strict=True))
    return exposure[inside | _judge(exposure, lambda build, rev: (build, rev) in newer)]


def _judge(exposure: pd.DataFrame, test: Callable[[int, int], bool]) -> Mask:
    states = zip(exposure["build"], exposure["revision"], strict=True)
    return np.array(
        [pd.notna(build) and pd.notna(rev) and test(int(build), int(rev)) for build, rev in states],
        dtype=bool,
    )


def _named(system: pd.DataFrame, ledger: _Ledger, incident: Incident) -> list[Suspect]:
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
            masks=ledger.mask(spans)[np.newaxis],
            spans=(spans,),
            cured=(cured_spans(system, incident),),
        )
    ]


def _single(change: str, spans: pd.DataFrame, ledger: _Ledger) -> Suspect:
    """Build a suspect that is in effect just where its own rows say so."""
    return Suspect(
        change,
        (change,),
        str(spans["kind"].iloc[0]),
        named=False,
        masks=ledger.mask(spans)[np.newaxis],
        spans=(spans,),
        cured=(spans.head(0),),
    )


def _releases(system: pd.DataFrame, ledger: _Ledger, incident: Incident) -> list[Suspect]:
    """Other operating-system releases, grouped by release day, each with its possible cures."""
    if system.empty:
        return []
    dated = system.assign(date=_release_keys(system))
    days = sorted(dated["date"].unique())
    by_day = {day: ledger.mask(dated[dated["date"] == day]) for day in days}
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
    return out


def _release_keys(system: pd.DataFrame) -> list[str]:
    """Text that sorts each revision by release: its day, or for one the kit does not know a guess.

    A revision between known ones sorts right after the one below it. One newer than all that are
    known (next month's patch) sorts by the day on which the evidence first shows it.
    """
    known = knowledge.releases()
    states = list(zip(system["build"], system["revision"], strict=True))
    first = pd.Series(system["start"].tolist(), index=pd.MultiIndex.from_tuples(states))
    keys = {
        state: _release_key(state[1], known[known["build"] == state[0]], first.loc[[state]].min())
        for state in dict.fromkeys(states)
    }
    return [keys[state] for state in states]


def _release_key(revision: int, own: pd.DataFrame, first: Instant) -> str:
    """Key of one revision; `own` are the known releases of its build, `first` when it was seen."""
    below = own[own["revision"] <= revision]
    floor = f"{below['date'].iloc[-1]:%Y-%m-%d}" if len(below) else ""
    if len(below) and below["revision"].iloc[-1] == revision:
        return floor
    if len(below) == len(own) and isinstance(first, pd.Timestamp):
        return max(f"{first:%Y-%m-%d}", f"{floor}+")
    return f"{floor}+"


def _before(dated: pd.DataFrame, end: str | None) -> pd.Series[bool]:
    return dated["date"] < end if end else dated["date"].notna()
