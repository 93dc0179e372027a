"""Who had which change in effect, from when to when, and how each end is known.

State by build, not by KB list: the revision a host starts with decides what is in effect, KB names
are labels. It catches out-of-band fixes, later cumulatives, uninstalls and re-imaging. Install
events and update histories fill in where no start of Windows is seen; where they say otherwise
than the starts do, `kitlib.reconcile` lists it. Both ends of a stay are intervals: an update whose
restart nobody logged begins somewhere between its installation and `RESTART_WITHIN` later, one that
a tool reported late begins somewhere before the report.

Of other changes one version replaces another of the same thing. What a host's log shows again and
again from its very beginning (definitions of the virus scanner, one KB for all of them) is nothing
new on it and begins before the evidence. This file blames nobody.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby, pairwise, zip_longest
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import pandas as pd

from kitlib import knowledge, schema
from kitlib.changes import told_changes
from kitlib.stays import (
    Fact,
    Row,
    at_restart,
    begun_before,
    best_of,
    cut_spans,
    cut_stays,
    ends_with,
    is_routine,
    span_row,
    starts_with,
    stay_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pandas.api.typing import NaTType

NAMING_WINDOW: Final = pd.Timedelta(days=2)
"""An installation this near to a start of Windows may name a revision the kit does not know."""

RESTART_WITHIN: Final = pd.Timedelta(days=2)
"""An update installed at a known time is taken to be in effect this much later, where no start of
Windows is logged: it waits for a restart that nobody wrote down."""

START_AFTER: Final = pd.Timedelta(days=14)
"""A start of Windows that states no revision dates an installation at most this long before it."""

HYBRID_SLACK: Final = pd.Timedelta(minutes=2)
"""Records of one start of Windows lie this near to each other."""

DATED: Final = pd.Timedelta(days=4)
"""A list that knows a time less well than this dates nothing: a late report only bounds it."""

_BUILD: Final = re.compile(r"(\d{5})\.(\d{1,6})")
_KB: Final = re.compile(r"KB\d+")


class _Host(NamedTuple):
    """The facts of one host, in order of time; starts of Windows that state their revision."""

    boots: list[Fact]
    starts: list[Fact]  # all starts, also those that state no revision
    changes: dict[str, list[Fact]]  # by thing
    first: pd.Timestamp  # first record of the System log; NaT where there is none


def find_exposure(timeline: pd.DataFrame) -> pd.DataFrame:
    """Find every change and the span in which it was in effect on each host.

    Parameters
    ----------
    timeline
        Table ``timeline``.

    Returns
    -------
    pandas.DataFrame
        Table ``exposure``: for operating-system revisions one row per unbroken run of starts of
        Windows with that revision; for other changes one row from each first sign of installation
        to the next sign of removal, or of another version. ``start`` is the best estimate within
        ``start_low`` .. ``start_high``; a missing ``start`` means: since before the evidence begins
        (then ``start_low`` is the day of its publication, where known). The same of ``end``.

    Notes
    -----
    Assumes that a cumulative update takes effect with the first start that shows its revision.
    Where a host's start-ups are not logged, dates of its update history stand in, as wide as they
    are. Before the first start in a System log the state is taken to be the same as after it, as
    far back as that log reaches, unless the update was begun in that time; an installation that
    leaves no trace there (offline servicing) is missed. Facts without a time and facts of no known
    host are left out.

    A version of the virus scanner's definitions has no row of its own: their one KB does. A bad
    version would show as an outage of the day on which everybody had it.
    """
    rows: list[Row] = []
    for name, host in _hosts(timeline):
        revisions = _by_boot(host) if host.boots else _by_history(host)
        labels = {str(row["change"]) for row in revisions}
        rows += [{"host": name, **row} for row in [*revisions, *_other_changes(host, labels)]]
    out = schema.frame("exposure", rows)
    return out.sort_values(["host", "start", "change"], kind="stable", ignore_index=True)


def _hosts(timeline: pd.DataFrame) -> Iterator[tuple[str, _Host]]:
    """Group the facts that matter by host; plain tuples, since a host has few of them."""
    told = told_changes(timeline)
    logged = timeline[(timeline["channel"] == "System") & timeline["record_id"].notna()]
    first = logged.groupby("host")["time"].min().to_dict()
    facts = map(Fact._make, zip(*(told[name].tolist() for name in Fact._fields), strict=True))
    for name, own in groupby(facts, key=attrgetter("host")):
        starts: list[Fact] = []
        hybrids: list[Fact] = []
        changes: dict[str, list[Fact]] = {}
        for fact in own:
            if fact.word in ("boot", "hybrid"):
                (starts if fact.word == "boot" else hybrids).append(fact)
            else:
                changes.setdefault(fact.key, []).append(fact)
        starts = _real(starts, hybrids)
        _set_up_anew(starts, changes)
        boots = [fact for fact in starts if fact.states]
        yield name, _Host(boots, starts, changes, first.get(name, pd.NaT))


def _real(starts: list[Fact], hybrids: list[Fact]) -> list[Fact]:
    """Leave out starts from fast startup: the kernel of before goes on, nothing takes effect.

    Whether Kernel-General 12 is written at such a start is not established.
    """
    if not hybrids:
        return starts
    return [
        start
        for start in starts
        if not any(abs(start.time - hybrid.time) <= HYBRID_SLACK for hybrid in hybrids)
    ]


def _set_up_anew(starts: list[Fact], changes: dict[str, list[Fact]]) -> None:
    """Mark in the facts of all changes where the System log numbers its records from 1 again.

    A machine set up anew under its old name has none of what was installed on it before.
    """
    logged = [fact for fact in starts if fact.number >= 0]
    anew = [
        after._replace(word="anew", listed=False)
        for before, after in pairwise(logged)
        if after.number < before.number and before.time_high < after.time_low
    ]
    for told in changes.values() if anew else ():
        told[:] = sorted([*told, *anew], key=attrgetter("time"))


def _by_boot(host: _Host) -> list[Row]:
    """One row per run of starts with equal build and revision."""
    firsts = [next(run) for _, run in groupby(host.boots, key=attrgetter("build", "revision"))]
    rows: list[Row] = [
        {
            "change": _label(first, host.changes),
            "kind": "update",
            "build": first.build,
            "revision": first.revision,
            **starts_with(first, "boot"),
            "end_known_by": "still in effect",
            "records": [first.ref],
        }
        for first in firsts
    ]
    for row, after in pairwise(rows):
        row |= {**ends_with(after), "end_known_by": "boot"}
        row["records"] = [*row["records"], *after["records"]]
    told = host.changes.get(rows[0]["change"], [])
    if not _came_with(firsts[0], [fact for fact in told if not fact.listed]):
        rows[0] |= _before_evidence(rows[0], told, host.first)
    return rows


def _label(boot: Fact, changes: dict[str, list[Fact]]) -> str:
    """Name a revision: by the release table, else by the one unknown update that came with it."""
    known = knowledge.label(boot.build, boot.revision)
    if known:
        return known
    near = [
        change
        for change, told in changes.items()
        if _KB.fullmatch(change) and not knowledge.revisions(change) and _came_with(boot, told)
    ]
    return near[0] if len(near) == 1 else f"{boot.build}.{boot.revision}"


def _came_with(boot: Fact, told: list[Fact]) -> bool:
    """Tell whether an update was first begun before a start of Windows and installed after it.

    Definitions of the virus scanner are installed every day without a restart; they come with
    nothing. An update history knows one time only, so that time must be near.
    """
    installed = next((fact for fact in told if fact.word == "in"), None)
    if installed is None or abs(installed.time - boot.time) > NAMING_WINDOW:
        return False
    if installed.listed:
        return True
    began = begun_before(installed.time, told)
    return began is not None and began.time <= boot.time <= installed.time


def _before_evidence(row: Row, told: Iterable[Fact], first: pd.Timestamp) -> Row:
    """Start of the first state: dated by an update history if one lists it, else unknown.

    The System log shows no change between its `first` record and the first start of Windows, so
    the state is that of the first record, if the update had been published by then.
    """
    listed = [
        fact
        for fact in told
        if fact.word == "in"
        and fact.listed
        and fact.time_low <= row["start_high"]
        and fact.time_high - fact.time_low <= DATED
    ]
    if not listed:
        published = _published_on(row["build"], row["revision"])
        reaches = first if pd.notna(first) and not first < published else row["start"]
        return {
            "start": pd.NaT,
            "start_low": published,
            "start_high": min(reaches, row["start"]),
            "start_known_by": "before evidence",
        }
    best = best_of(listed)
    return {
        "start": min(best.time, row["start"]),
        "start_low": best.time_low,
        "start_high": min(best.time_high, row["start"]),
        "start_known_by": "update history",
        "records": [best.ref, *row["records"]],
    }


def _published_on(build: int, revision: int) -> pd.Timestamp | NaTType:
    return _published().get((build, revision), pd.NaT)


@cache
def _published() -> dict[tuple[int, int], pd.Timestamp]:
    """Day on which each revision was published: it was in effect nowhere before."""
    known = knowledge.releases()
    return dict(
        zip(zip(known["build"], known["revision"], strict=True), known["date"], strict=True)
    )


def _by_history(host: _Host) -> list[Row]:
    """States of a host whose starts are not logged, from what its lists and events say."""
    rows: list[Row] = []
    for change, told in host.changes.items():
        revisions = _revisions(change)
        for span in cut_spans(told) if revisions else ():
            row = span_row(change, "update", span)
            if span.installed:
                row |= _awaiting_restart(row, told, host.starts)
                row["start_low"] = _no_earlier(row, _published_on(*revisions[0]))
            build, revision = revisions[0]
            rows.append({**row, "build": build, "revision": revision})
    rows.sort(key=lambda row: (pd.notna(row["start"]), row["start"].value, row["revision"]))
    out: list[Row] = []
    for row, after in zip_longest(rows, rows[1:]):
        _end_with(row, after)
        out.append(row)
        if len(out) > 1 and "end" in row and row["end_known_by"] == "uninstalled event":
            out.append(_back_to(out[-2], row, after))
    return out


def _revisions(change: str) -> tuple[tuple[int, int], ...]:
    """Return build and revision of a cumulative update, also of one newer than the kit."""
    stated = _BUILD.fullmatch(change)
    return ((int(stated[1]), int(stated[2])),) if stated else tuple(knowledge.revisions(change))


def _awaiting_restart(row: Row, told: Iterable[Fact], starts: Iterable[Fact]) -> Row:
    """Widen an exactly known installation of Windows itself to the restart it takes effect with.

    Windows Update logs 'installed' after the restart, so what began before it may be in effect
    since; a list knows when the files were in place, and a restart follows. A date is of the day
    as it is.
    """
    if row["start_known_by"] == "installed event":
        began = begun_before(row["start"], told)
        return at_restart(row["start"], told, starts) or (
            {"start_low": min(began.time_low, row["start_low"])} if began else {}
        )
    if row["start_high"] - row["start_low"] > HYBRID_SLACK:
        return {}
    due = row["start_high"] + START_AFTER
    after = next((boot for boot in starts if row["start_high"] <= boot.time <= due), None)
    if after is not None:
        return {"start": after.time, "start_high": after.time_high}
    return {"start_high": row["start_high"] + RESTART_WITHIN}


def _no_earlier(row: Row, published: pd.Timestamp | NaTType) -> pd.Timestamp:
    """Bound a start by the publication of its update, unless the evidence contradicts that."""
    low: pd.Timestamp = row["start_low"]
    if isinstance(published, pd.Timestamp) and low < published <= row["start"]:
        return published
    return low


def _end_with(row: Row, after: Row | None) -> None:
    """End a state where the next one begins, unless its removal ended it before."""
    if after is not None and ("end" not in row or row["end"] > after["start"]):
        row |= {**ends_with(after), "end_known_by": after["start_known_by"]}


def _back_to(earlier: Row, removed: Row, after: Row | None) -> Row:
    """After a removal the state before it is in effect again."""
    row = {
        **earlier,
        "start": removed["end"],
        "start_low": removed["end_low"],
        "start_high": removed["end_high"],
        "start_known_by": "uninstalled event",
        "end": pd.NaT,
        "end_low": pd.NaT,
        "end_high": pd.NaT,
        "end_known_by": "still in effect",
        "records": removed["records"][-1:],
    }
    if after is not None:
        row |= {**ends_with(after), "end_known_by": after["start_known_by"]}
    return row


def _other_changes(host: _Host, labels: set[str]) -> Iterator[Row]:
    """List what leaves the build alone (.NET, drivers, products, policy): from in to out.

    `labels` are the names of the host's revisions: an update that named one is no other change.
    """
    for key, told in host.changes.items():
        if key in labels or _revisions(key):
            continue
        routine = is_routine(told, host.first)
        if routine and told[0].state:  # to and fro since the log begins: no state of note
            continue
        rows = [r for stay, last in cut_stays(told) for r in stay_rows(stay, last, host.starts)]
        if routine and rows:
            rows[0] |= {
                "start": pd.NaT,
                "start_low": pd.NaT,
                "start_high": rows[0]["start_high"],
                "start_known_by": "before evidence",
            }
        yield from rows
