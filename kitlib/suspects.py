"""Which changes could have done it, and which episodes each of them was in effect for.

Every change in the evidence is a suspect: the one the incident profile names (all its branches are
one change), every other operating-system release, every other update. This file builds masks; it
judges nothing.

Operating-system releases are ordered by release date across branches: the security updates of one
day are one change with several KB labels. An unnamed suspect has no known cure, so each later
release is tried as its cure (`Suspect.masks` has one row per possible end). A driver, product or
setting whose next version came has two possible ends: that one, or none.

Where the state of Windows is not known to be the one or the other, episodes are neither exposed nor
free: `ambiguous` marks them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.typing import NaTType

from kitlib import knowledge
from kitlib.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kitlib.incident import Incident

MATTERS: Final = pd.Timedelta(minutes=15)
"""An interval of a change of state that is wider than this may hold episodes of either state."""

_REPLACED: Final = "another version"

Mask = npt.NDArray[np.bool_]
Instant = pd.Timestamp | NaTType


@dataclass(frozen=True, slots=True, eq=False, init=False)
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
    spans
        For each mask the rows of the exposure table it is made of.
    cured
        For each mask the rows of the exposure table in which the cure is in effect.
    bits
        The masks, eight episodes to a byte: a fleet has thousands of suspects, and many episodes.
    """

    change: str
    labels: tuple[str, ...]
    kind: str
    named: bool
    spans: tuple[pd.DataFrame, ...]
    cured: tuple[pd.DataFrame, ...]
    bits: npt.NDArray[np.uint8]
    episodes: int

    def __init__(  # noqa: PLR0913  # as the fields, but for the masks
        self,
        change: str,
        labels: tuple[str, ...],
        kind: str,
        *,
        named: bool,
        masks: Mask,
        spans: tuple[pd.DataFrame, ...],
        cured: tuple[pd.DataFrame, ...],
        kept: dict[bytes, npt.NDArray[np.uint8]] | None = None,
    ) -> None:
        bits = np.packbits(masks, axis=1)
        bits = (
            bits
            if kept is None
            else kept.setdefault(bits.tobytes() + str(bits.shape).encode(), bits)
        )
        given = {"change": change, "labels": labels, "kind": kind, "named": named}
        given |= {"spans": spans, "cured": cured, "bits": bits, "episodes": masks.shape[1]}
        for name, value in given.items():
            object.__setattr__(self, name, value)  # frozen

    @property
    def masks(self) -> Mask:
        """Possible spans (rows) by episode (columns): True while in effect."""
        return np.unpackbits(self.bits, axis=1, count=self.episodes).astype(bool)


def find_suspects(
    exposure: pd.DataFrame, episodes: pd.DataFrame, incident: Incident, *, fewest: int = 1
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
    fewest
        Other changes than the named one must have been in effect for episodes of this many hosts.
        What is left out, `rare_changes` lists.

    Returns
    -------
    list of Suspect
        The named one first, then releases by date, then the rest by label. A change that was in
        effect for no episode is left out, and so is one in effect for all of them, which explains
        no difference, unless the profile names it. Suspects with equal masks share their bits.
    """
    ledger = _Ledger.of(episodes)
    system = exposure[exposure["revision"].notna()]
    others = exposure[exposure["revision"].isna()]
    trying = others["host"].where(others["host"].isin(ledger.hosts))
    hosts = trying.groupby(others["change"]).transform("nunique")
    others = others[hosts >= fewest].sort_values("change", kind="stable", ignore_index=True)
    suspects = [*_named(system, ledger, incident), *_releases(system, ledger, incident)]
    explain = [s for s in suspects if s.masks.any() and (s.named or not s.masks.all())]
    return [*explain, *_others(others, ledger, fewest)]


def rare_changes(exposure: pd.DataFrame, *, fewest: int) -> pd.DataFrame:
    """List the changes that were on fewer hosts than `fewest`: change, kind, hosts.

    None of them can be behind failures of so many hosts; they are not weighed, but were there.
    """
    others = exposure[exposure["revision"].isna()]
    found = others.groupby("change", as_index=False).agg(
        kind=("kind", "first"), hosts=("host", "nunique")
    )
    return found[found["hosts"] < fewest].reset_index(drop=True)


def ambiguous(
    exposure: pd.DataFrame, episodes: pd.DataFrame, incident: Incident | None = None
) -> Mask:
    """Mark the episodes at which it is not known which state of Windows their host was in.

    Parameters
    ----------
    exposure
        Table ``exposure``; only its operating-system states are looked at.
    episodes
        Frame with ``host`` and ``time``.
    incident
        With a profile that names a suspect, only the passages that put the suspect or its cure in
        or out of effect matter.

    Returns
    -------
    numpy.ndarray of bool
        True inside the interval of a passage from one state to another that is wider than
        `MATTERS`: dates without a time of day, reports that came late, installations whose restart
        was not logged, the time between the publication of a host's first known state and its first
        trace in the logs. Starts of Windows that are logged make none.

    Notes
    -----
    Assumes that before its first known state a host was in an older one. Without a profile the time
    before the first trace counts only where older states or times are in the evidence at all: else
    nothing is compared with them.
    """
    system = exposure[exposure["revision"].notna()]
    if system.empty:
        return np.zeros(len(episodes), dtype=bool)
    system = system.sort_values(["host", "start"], kind="stable", na_position="first")
    if incident is not None and incident.branches:
        state = pd.Series(_of_profile(system, incident), index=system.index)
        first = state != 0
    else:
        state = pd.Series(_release_keys(system), index=system.index)
        first = (state > state.min()) | (system["start_low"] > episodes["time"].min())
    begins, ends = (system["host"] != system["host"].shift(shift) for shift in (1, -1))
    unlike = (state != state.shift(1)).where(~begins, first)
    left = (state != state.shift(-1)).where(~ends, first)
    before = system["start"].isna() & system["start_high"].notna()
    into = before | (system["start_high"] - system["start_low"] > MATTERS)
    out = system["end_high"] - system["end_low"] > MATTERS
    ledger = _Ledger.of(episodes)
    spans = [
        system[chosen][["host", f"{end}_low", f"{end}_high"]].set_axis(
            ["host", "start", "end"], axis=1
        )
        for chosen, end in ((into & unlike, "start"), (out & left, "end"))
    ]
    return ledger.mask(spans[0]) | ledger.mask(spans[1])


def _of_profile(system: pd.DataFrame, incident: Incident) -> npt.NDArray[np.int64]:
    """Tell of each state whether it holds the profile's fault (1), its cure (2) or neither."""
    bad = system.index.isin(bad_spans(system, incident).index)
    cured = system.index.isin(cured_spans(system, incident).index)
    return bad + 2 * cured


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
        """Mark the episodes in any of the spans."""
        return self.filled(*self.runs(spans))

    def runs(self, spans: pd.DataFrame) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return for each span the places in `keys` from and to which it holds the episodes.

        A span that ends before it starts holds nothing, and so does one of an unknown host.
        """
        host = self.hosts.get_indexer(pd.Index(spans["host"]))
        # A state from before the evidence is no older than the publication of its update.
        start = spans["start"]
        start = start.fillna(spans["start_low"]) if "start_low" in spans else start
        low = self._places(host, _ticks(start, missing=np.iinfo(np.int64).min))
        high = self._places(host, _ticks(spans["end"], missing=np.iinfo(np.int64).max))
        return low, np.where(host < 0, low, np.maximum(low, high))

    def filled(self, low: npt.NDArray[np.intp], high: npt.NDArray[np.intp]) -> Mask:
        """Mark the episodes from and to the given places."""
        out = np.zeros(len(self.keys), dtype=bool)
        for first, last in zip(low.tolist(), high.tolist(), strict=True):
            out[self.order[first:last]] = True
        return out

    def hosts_within(self, low: npt.NDArray[np.intp], high: npt.NDArray[np.intp]) -> int:
        """Count the hosts that have an episode from and to the given places."""
        return len(np.unique(self.keys[low[low < high]] // (len(self.moments) + 1)))

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


def _others(others: pd.DataFrame, ledger: _Ledger, fewest: int) -> Iterator[Suspect]:
    """Build the suspects that are in effect just where their own rows say so.

    Where another version took its place, either that is the cure, or it carries the fault on.
    `others` is sorted by change.
    """
    replaced = (others["end_known_by"] == _REPLACED).to_numpy()
    low, high = ledger.runs(others)
    _, on = ledger.runs(others.assign(end=others["end"].where(~replaced)))
    after = _followers(others)
    kept: dict[bytes, npt.NDArray[np.uint8]] = {}
    firsts = np.flatnonzero((others["change"] != others["change"].shift()).to_numpy())
    for first, last in pairwise([*firsts.tolist(), len(others)]):
        own = slice(first, last)
        ends = [high[own], on[own]] if replaced[own].any() else [high[own]]
        masks = np.array([ledger.filled(low[own], end) for end in ends])
        if masks.all() or ledger.hosts_within(low[own], ends[-1]) < max(fewest, 1):
            continue
        spans = others.iloc[own]
        carried = spans.assign(end=spans["end"].where(~replaced[own])) if len(ends) > 1 else spans
        none = spans.head(0)
        yield Suspect(
            spans["change"].iloc[0],
            (spans["change"].iloc[0],),
            spans["kind"].iloc[0],
            named=False,
            masks=masks,
            spans=(spans, carried)[: len(ends)],
            cured=(_next(spans, after), none) if len(ends) > 1 else (none,),
            kept=kept,
        )


def _next(spans: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of other versions that took the place of these."""
    keys = spans.loc[spans["end_known_by"] == _REPLACED, ["host", "kind", "end"]]
    keys = keys.drop_duplicates().rename(columns={"end": "start"})
    return after.merge(keys, on=["host", "kind", "start"])[spans.columns]


def _followers(others: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that may follow another version: those that start where one ends."""
    ends = others.loc[others["end_known_by"] == _REPLACED, ["host", "kind", "end"]]
    ends = ends.drop_duplicates().rename(columns={"end": "start"})
    return others.merge(ends, on=["host", "kind", "start"]) if len(ends) else others.head(0)


def _releases(system: pd.DataFrame, ledger: _Ledger, incident: Incident) -> list[Suspect]:
    """Other operating-system releases, grouped by release day, each with its possible cures."""
    if system.empty:
        return []
    dated = _with_unseen(system.assign(date=_release_keys(system)))
    days = sorted(dated["date"].unique())
    by_day = {day: ledger.mask(dated[dated["date"] == day]) for day in days}
    out = []
    for place, day in enumerate(days):
        labels = tuple(sorted(set(dated.loc[dated["date"] == day, "change"])))
        if incident.bad_labels & set(labels):
            continue
        courses = _courses(days[place:])
        out.append(
            Suspect(
                labels[0],
                labels,
                "update",
                named=False,
                masks=np.asarray([np.any([by_day[d] for d in bad], axis=0) for bad, _ in courses]),
                spans=tuple(dated[dated["date"].isin(bad)] for bad, _ in courses),
                cured=tuple(dated[dated["date"].isin(cured)] for _, cured in courses),
            )
        )
    return out


def _courses(days: list[str]) -> list[tuple[list[str], list[str]]]:
    """List what a fault that came with the first release may have done: releases bad, and cured.

    It is carried on up to some release that cures it, or to the end; or a still later release
    brings it back for good.
    """
    count = len(days)
    cured = [(days[:end], days[end:]) for end in range(1, count + 1)]
    back = [
        (days[:end] + days[again:], days[end:again])
        for end in range(1, count)
        for again in range(end + 1, count)
    ]
    return cured + back


def _with_unseen(dated: pd.DataFrame) -> pd.DataFrame:
    """Add what hosts ran before their first known state, where a start of that is known.

    They ran an older release, and it is taken to be the oldest in the evidence: else hosts whose
    log begins just before their first update would seem to be without what everybody had.
    """
    oldest = dated["date"].min()
    first = dated.sort_values(["host", "start"], na_position="first").drop_duplicates("host")
    first = first[first["start"].notna() & (first["date"] > oldest)]
    if first.empty:
        return dated
    past = first.assign(
        change=dated.loc[dated["date"] == oldest, "change"].iloc[0],
        date=oldest,
        end=first["start"],
        start=first["start"].where(first["start"].isna()),  # none of them is
        start_low=first["start"].where(first["start"].isna()),
    )
    out: pd.DataFrame = pd.concat([dated, past], ignore_index=True)
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
