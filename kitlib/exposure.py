"""Who had which change in effect, from when to when, and how each end is known.

State by build, not by KB list: the revision a host starts with decides what is in effect, KB names
are labels. It catches out-of-band fixes, later cumulatives, uninstalls and re-imaging. Install
events and update histories fill in where no start of Windows is seen; where they say otherwise
than the starts do, `kitlib.reconcile` lists it. This file blames nobody.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby, pairwise, zip_longest
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pandas as pd

from kitlib import knowledge, schema
from kitlib.timeline import record_refs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAMING_WINDOW: Final = pd.Timedelta(days=2)
"""An installation this near to a start of Windows may name a revision the kit does not know."""

_BOOT: Final = "boot"
_STARTED: Final = "update_install_started"
_INSTALLED: Final = "update_installed"
_REMOVED: Final = "update_uninstalled"
_KB: Final = re.compile(r"KB\d+")

Row = dict[str, Any]


class _Fact(NamedTuple):
    """A fact that bears on what is in effect; its fields are columns of the timeline."""

    host: str
    time: pd.Timestamp
    time_low: pd.Timestamp
    time_high: pd.Timestamp
    action: str
    change: str
    build: int
    revision: int
    states: bool  # names build and revision
    listed: bool  # from an update history, not from a log
    ref: str


class _Span(NamedTuple):
    """One stay of a change: its signs of installation, and of removal if it was removed."""

    installed: tuple[_Fact, ...]
    removed: _Fact | None


class _Host(NamedTuple):
    """The facts of one host, in order of time; starts of Windows that state their revision."""

    boots: list[_Fact]
    starts: list[_Fact]  # all starts, also those that state no revision
    changes: dict[str, list[_Fact]]


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
        Windows with that revision; for other updates one row from each first sign of installation
        to the next sign of removal. ``start`` is the best estimate within ``start_low`` ..
        ``start_high``; a missing ``start`` means: since before the evidence begins (then
        ``start_low`` is the day of its publication, where known).

    Notes
    -----
    Assumes that a cumulative update takes effect with the first start that shows its revision.
    Where a host's start-ups are not logged, dates of its update history stand in, as wide as they
    are. Facts without a time and facts of no known host are left out.
    """
    rows: list[Row] = []
    for name, host in _hosts(timeline):
        revisions = _by_boot(host) if host.boots else _by_history(host)
        labels = {str(row["change"]) for row in revisions}
        rows += [{"host": name, **row} for row in [*revisions, *_other_updates(host, labels)]]
    out = schema.frame("exposure", rows)
    return out.sort_values(["host", "start", "change"], kind="stable", ignore_index=True)


def _hosts(timeline: pd.DataFrame) -> Iterator[tuple[str, _Host]]:
    """Group the facts that matter by host; plain tuples, since a host has few of them."""
    told = timeline[
        timeline["action"].isin((_BOOT, _STARTED, _INSTALLED, _REMOVED))
        & timeline["time"].notna()
        & (timeline["host"] != "")
    ].sort_values(["host", "time"], kind="stable")
    told = told.assign(
        states=told["build"].notna() & told["revision"].notna(),
        build=told["build"].fillna(0),
        revision=told["revision"].fillna(0),
        listed=told["record_id"].isna(),
        ref=record_refs(told),
    )
    facts = map(_Fact._make, zip(*(told[name].tolist() for name in _Fact._fields), strict=True))
    for name, own in groupby(facts, key=attrgetter("host")):
        starts: list[_Fact] = []
        changes: dict[str, list[_Fact]] = {}
        for fact in own:
            if fact.action == _BOOT:
                starts.append(fact)
            elif fact.change:
                changes.setdefault(fact.change, []).append(fact)
        yield name, _Host([fact for fact in starts if fact.states], starts, changes)


def _by_boot(host: _Host) -> list[Row]:
    """One row per run of starts with equal build and revision."""
    firsts = [next(run) for _, run in groupby(host.boots, key=attrgetter("build", "revision"))]
    rows: list[Row] = [
        {
            "change": _label(first, host.changes),
            "kind": "update",
            "build": first.build,
            "revision": first.revision,
            **_start(first, "boot"),
            "end_known_by": "still in effect",
            "records": [first.ref],
        }
        for first in firsts
    ]
    for row, after in pairwise(rows):
        row |= {"end": after["start"], "end_known_by": "boot"}
        row["records"] = [*row["records"], *after["records"]]
    rows[0] |= _before_evidence(rows[0], host.changes.get(rows[0]["change"], ()))
    return rows


def _start(fact: _Fact, known_by: str) -> Row:
    return {
        "start": fact.time,
        "start_low": fact.time_low,
        "start_high": fact.time_high,
        "start_known_by": known_by,
    }


def _label(boot: _Fact, changes: dict[str, list[_Fact]]) -> str:
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


def _came_with(boot: _Fact, told: list[_Fact]) -> bool:
    """Tell whether an update was first begun before a start of Windows and installed after it.

    Definitions of the virus scanner are installed every day without a restart; they come with
    nothing. An update history knows one time only, so that time must be near.
    """
    installed = next((fact for fact in told if fact.action == _INSTALLED), None)
    if installed is None or abs(installed.time - boot.time) > NAMING_WINDOW:
        return False
    if installed.listed:
        return True
    began = _began(installed.time, told)
    return began is not None and began.time <= boot.time <= installed.time


def _began(installed: pd.Timestamp, told: Iterable[_Fact]) -> _Fact | None:
    """Return the last 'installation starts' before an 'installed'."""
    before = [fact for fact in told if fact.action == _STARTED and fact.time <= installed]
    return before[-1] if before else None


def _before_evidence(row: Row, told: Iterable[_Fact]) -> Row:
    """Start of the first state: dated by an update history if one lists it, else unknown."""
    listed = [
        fact
        for fact in told
        if fact.action == _INSTALLED and fact.listed and fact.time_low <= row["start_high"]
    ]
    if not listed:
        return {
            "start": pd.NaT,
            "start_low": _published().get((row["build"], row["revision"]), pd.NaT),
            "start_high": row["start"],
            "start_known_by": "before evidence",
        }
    best = _best(listed)
    return {
        "start": min(best.time, row["start"]),
        "start_low": best.time_low,
        "start_high": min(best.time_high, row["start"]),
        "start_known_by": "update history",
        "records": [best.ref, *row["records"]],
    }


@cache
def _published() -> dict[tuple[int, int], pd.Timestamp]:
    """Day on which each revision was published: it was in effect nowhere before."""
    known = knowledge.releases()
    return dict(
        zip(zip(known["build"], known["revision"], strict=True), known["date"], strict=True)
    )


def _spans(told: Iterable[_Fact]) -> Iterator[_Span]:
    """Cut the facts of one change, in order of time, into its stays.

    'Installed' and 'removed' are each said several times (by wusa, by servicing, by Windows
    Update, by a history). A new stay begins only with an installation that is surely later than
    the removal; a removal of what was never seen to come ends a stay from before the evidence.
    """
    installed: list[_Fact] = []
    removed: _Fact | None = None
    for fact in told:
        if fact.action == _REMOVED:
            removed = removed or fact
        elif fact.action == _INSTALLED:
            if removed is not None and fact.time_low > removed.time_high:
                yield _Span(tuple(installed), removed)
                installed, removed = [], None
            installed.append(fact)
    if installed or removed:
        yield _Span(tuple(installed), removed)


def _best(installed: Iterable[_Fact]) -> _Fact:
    """Return the narrowest of the statements that can be the earliest one; a repetition is late."""
    facts = list(installed)
    earliest = min(fact.time_high for fact in facts)
    return min(
        (fact for fact in facts if fact.time_low <= earliest),
        key=lambda fact: (fact.time_high - fact.time_low, fact.time),
    )


def _span_row(change: str, span: _Span) -> Row:
    """Build one row: from the first sign of installation to the first sign of removal."""
    row: Row = {
        "change": change,
        "kind": "update" if _KB.fullmatch(change) else "other",
        "end_known_by": "still in effect",
        "records": [],
    }
    if span.installed:
        best = _best(span.installed)
        row |= _start(best, "update history" if best.listed else "installed event")
        row["records"] = [best.ref]
    elif span.removed:
        row |= {"start": pd.NaT, "start_low": pd.NaT, "start_high": span.removed.time_low}
        row["start_known_by"] = "before evidence"
    if span.removed:
        row |= {"end": span.removed.time, "end_known_by": "uninstalled event"}
        row["records"] = [*row["records"], span.removed.ref]
    return row


def _by_history(host: _Host) -> list[Row]:
    """States of a host whose starts are not logged, from what its lists and events say."""
    rows: list[Row] = []
    for change, told in host.changes.items():
        revisions = knowledge.revisions(change)
        for span in _spans(told) if revisions else ():
            build, revision = revisions[0]
            rows.append({**_span_row(change, span), "build": build, "revision": revision})
    rows.sort(key=lambda row: (pd.notna(row["start"]), row["start"].value, row["revision"]))
    out: list[Row] = []
    for row, after in zip_longest(rows, rows[1:]):
        _end_with(row, after)
        out.append(row)
        if len(out) > 1 and "end" in row and row["end_known_by"] == "uninstalled event":
            out.append(_back_to(out[-2], row, after))
    return out


def _end_with(row: Row, after: Row | None) -> None:
    """End a state where the next one begins, unless its removal ended it before."""
    if after is not None and ("end" not in row or row["end"] > after["start"]):
        row |= {"end": after["start"], "end_known_by": after["start_known_by"]}


def _back_to(earlier: Row, removed: Row, after: Row | None) -> Row:
    """After a removal the state before it is in effect again."""
    row = {
        **earlier,
        "start": removed["end"],
        "start_low": removed["end"],
        "start_high": removed["end"],
        "start_known_by": "uninstalled event",
        "end": pd.NaT,
        "end_known_by": "still in effect",
        "records": removed["records"][-1:],
    }
    if after is not None:
        row |= {"end": after["start"], "end_known_by": after["start_known_by"]}
    return row


def _other_updates(host: _Host, labels: set[str]) -> Iterator[Row]:
    """List updates that leave the build alone (.NET, drivers, definitions): installed to removed.

    `labels` are the names of the host's revisions: an update that named one is no other update.
    """
    for change, told in host.changes.items():
        if change in labels or knowledge.revisions(change):
            continue
        for span in _spans(told):
            row = _span_row(change, span)
            if row["start_known_by"] == "installed event":
                row |= _at_restart(row["start"], told, host.starts)
            yield row


def _at_restart(installed: pd.Timestamp, told: Iterable[_Fact], starts: Iterable[_Fact]) -> Row:
    """Move a start back to the restart between 'installation starts' and 'installed', if any.

    Windows Update writes 'installed' after the restart, minutes after the change took effect.
    """
    began = _began(installed, told)
    if began is None:
        return {}
    between = [boot.time for boot in starts if began.time <= boot.time <= installed]
    if not between:
        return {}
    return {"start": between[-1], "start_low": between[-1], "start_high": installed}
