"""The stays of one thing on one host: from the facts about it, in order of time, to rows.

A thing is what has versions (a driver, a product, a setting) or an update, which has one. Here
repeated records become one stay, another version or a machine set up anew ends it, and what is
installed every few days is told from what is new. Which things there are, and when Windows itself
changes its state, is not known here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROUTINE: Final = 3
"""What is installed on so many days or more, and from the beginning of a host's log, is routine."""

Row = dict[str, Any]


class Fact(NamedTuple):
    """A fact that bears on what is in effect; its fields are columns of `told_changes`."""

    host: str
    time: pd.Timestamp
    time_low: pd.Timestamp
    time_high: pd.Timestamp
    word: str  # boot, hybrid, begun, in, out; 'anew' for a machine set up anew
    kind: str
    change: str
    key: str
    bare: bool  # says 'removed' of any version
    state: bool  # one of the states of a thing, which may go to and fro
    build: int
    revision: int
    states: bool  # names build and revision
    listed: bool  # from an update history, not from a log
    number: int  # of the record
    ref: str


class Span(NamedTuple):
    """One stay of a change: its signs of installation, and of removal if it was removed."""

    installed: tuple[Fact, ...]
    removed: Fact | None


def starts_with(fact: Fact, known_by: str) -> Row:
    """Return the cells of a start that a fact dates."""
    return {
        "start": fact.time,
        "start_low": fact.time_low,
        "start_high": fact.time_high,
        "start_known_by": known_by,
    }


def ends_with(after: Row) -> Row:
    """Return the cells of the end of a stay where the row `after` begins."""
    return {
        "end": after["start"],
        "end_low": after["start_low"],
        "end_high": after["start_high"],
    }


def begun_before(installed: pd.Timestamp, told: Iterable[Fact]) -> Fact | None:
    """Return the last 'installation starts' before an 'installed'."""
    before = [fact for fact in told if fact.word == "begun" and fact.time <= installed]
    return before[-1] if before else None


def cut_spans(told: Iterable[Fact]) -> Iterator[Span]:
    """Cut the facts of one change, in order of time, into its stays.

    'Installed' and 'removed' are each said several times (by wusa, by servicing, by Windows
    Update, by a history). A new stay begins only with an installation that is surely later than
    the removal; a removal of what was never seen to come ends a stay from before the evidence.
    """
    installed: list[Fact] = []
    removed: Fact | None = None
    for fact in told:
        if fact.word == "out":
            removed = removed or fact
        elif fact.word == "in":
            if removed is not None and fact.time_low > removed.time_high:
                yield Span(tuple(installed), removed)
                installed, removed = [], None
            installed.append(fact)
    if installed or removed:
        yield Span(tuple(installed), removed)


def best_of(installed: Iterable[Fact]) -> Fact:
    """Return the narrowest of the statements that can be the earliest one; a repetition is late."""
    facts = list(installed)
    earliest = min(fact.time_high for fact in facts)
    return min(
        (fact for fact in facts if fact.time_low <= earliest),
        key=lambda fact: (fact.time_high - fact.time_low, fact.time),
    )


def span_row(change: str, kind: str, span: Span) -> Row:
    """Build one row: from the first sign of installation to the first sign of removal."""
    row: Row = {"change": change, "kind": kind, "end_known_by": "still in effect", "records": []}
    if span.installed:
        best = best_of(span.installed)
        row |= starts_with(best, "update history" if best.listed else "installed event")
        row["records"] = [best.ref]
    elif span.removed:
        row |= {"start": pd.NaT, "start_low": pd.NaT, "start_high": span.removed.time_low}
        row["start_known_by"] = "before evidence"
    if span.removed:
        row |= {**ends_with(starts_with(span.removed, "")), "end_known_by": "uninstalled event"}
        row["records"] = [*row["records"], span.removed.ref]
    return row


def is_routine(told: list[Fact], first: pd.Timestamp) -> bool:
    """Tell whether a thing is installed again and again since the beginning of the host's log.

    Its first installation in the log then says nothing: there were others before. It counts as
    such if it comes no later than three of its usual gaps after the first record.
    """
    times = [fact.time for fact in told if fact.word == "in" and not fact.listed]
    if len(times) < ROUTINE or pd.isna(first):
        return False
    if not told[0].state and len({fact.change for fact in told if fact.word == "in"}) > 1:
        return False  # each is another version
    days = sorted({time.floor("D") for time in times})
    if len(days) < ROUTINE:
        return False
    gaps = sorted(after - before for before, after in pairwise(days))
    return bool(days[0] - first <= ROUTINE * gaps[len(gaps) // 2])


def cut_stays(told: list[Fact]) -> Iterator[tuple[list[Fact], Fact | None]]:
    """Cut the facts of one thing where another version comes or the machine is set up anew.

    Gives the facts of each version and what ended it. A removal of another version than the one
    that is in effect is that of the one it replaced.
    """
    stay: list[Fact] = []
    for fact in told:
        other = bool(stay) and fact.change != stay[0].change and not fact.bare
        if fact.word == "anew" or (fact.word == "in" and other):
            if stay:
                yield stay, fact
            stay = []
        if fact.word != "anew" and not (fact.word == "out" and other):
            stay.append(fact)
    if stay:
        yield stay, None


def stay_rows(stay: list[Fact], last: Fact | None, starts: Iterable[Fact]) -> Iterator[Row]:
    """List the rows of one version of a thing; its last one ends with what came instead."""
    named = next((fact for fact in stay if not fact.bare), stay[0])
    spans = list(cut_spans(stay))
    for place, span in enumerate(spans):
        row = span_row(named.change, named.kind, span)
        if row["start_known_by"] == "installed event":
            row |= at_restart(row["start"], stay, starts)
        elif row["start_known_by"] == "update history":
            row |= _listed_before_restart(row, stay, starts)
        if last and span.removed is None and place == len(spans) - 1:
            known_by = "set up anew" if last.word == "anew" else "another version"
            row |= {**ends_with(starts_with(last, "")), "end_known_by": known_by}
            row["records"] = [*row["records"], last.ref]
        yield row


def at_restart(installed: pd.Timestamp, told: Iterable[Fact], starts: Iterable[Fact]) -> Row:
    """Move a start back to the restart between 'installation starts' and 'installed', if any.

    Windows Update writes 'installed' after the restart, minutes after the change took effect.
    """
    began = begun_before(installed, told)
    if began is None:
        return {}
    between = [boot.time for boot in starts if began.time <= boot.time <= installed]
    if not between:
        return {}
    return {"start": between[-1], "start_low": between[-1], "start_high": installed}


def _listed_before_restart(row: Row, told: Iterable[Fact], starts: Iterable[Fact]) -> Row:
    """Move a start that a list dates on to the restart between it and 'installed', if any.

    The history of Windows Update dates the moment at which the files were in place; 'installed' is
    logged after the restart. What needs none is logged at that moment.
    """
    if row["start_high"] > row["start_low"]:
        return {}
    logged = (fact.time for fact in told if fact.word == "in" and not fact.listed)
    after = next((time for time in logged if time >= row["start"]), None)
    if after is None:
        return {}
    between = (boot.time for boot in starts if row["start"] <= boot.time <= after)
    restart = next(between, None)
    return {} if restart is None else {"start": restart, "start_high": after}
