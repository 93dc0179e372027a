"""The other end of the line: what the gateway saw of each try, and when it was down for everybody.

Clients and gateways log the same try independently. They are tied together by user, by the
address that the gateway saw that user at, and by time, within what both clocks and the gateway's
printed minutes allow. A gateway that stopped, or that heard nobody while everybody tried and
failed, is a cause beside any change.

Silence proves less than a gateway's own words: a change that keeps clients from sending anything
looks the same from there. So does a start that no stop precedes: whether the gateway was down since
its last word or since a second before, it does not say. Where another gateway served meanwhile, or
clients got in, nobody was cut off. This file knows the tables `attempts` and `sessions`, and no
product; users of one name in two domains are one user to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from kitlib import schema
from kitlib.claims import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from kitlib.incident import Incident

    Ticks = npt.NDArray[np.int64]
    Spans = tuple[Ticks, Ticks]

SLACK: Final = pd.Timedelta(minutes=2)
"""How far the clocks of client and gateway may differ, and how late a gateway gives up on a try."""

NO_SLACK: Final = pd.Timedelta(0)

PRECISE: Final = pd.Timedelta(minutes=5)
"""A gateway's time that is known less well than this ties to no attempt: printed minutes do, a zone
whose summer time is open does not."""

LONG_SILENCE: Final = pd.Timedelta(minutes=30)
"""A gateway that says nothing for longer than this, while several hosts try, is not heard from."""

MIN_HOSTS: Final = 3
"""Hosts that must try in vain before a gateway's silence means anything."""

SHARE_SERVED: Final = 0.05
"""Share of the attempts in an outage that must succeed before it is none."""

SHARE_EXPLAINED: Final = 0.5
"""Share of the failures that an outage must hold to be named as their cause."""

SEEN: Final[dict[str, str]] = {
    "session_started": "connected",
    "attempt_succeeded": "connected",
    "session_progress": "connected",
    "attempt_failed": "refused",
    "negotiation_failed": "broke off",
    "negotiation_succeeded": "negotiated",
    "tunnel_started": "negotiated",
}
"""What an action at the gateway says of a try; every other says that it ``reached`` the gateway."""

_ORDER: Final = ("silent", "reached", "broke off", "negotiated", "refused", "connected")
_STOPPED, _STARTED = "gateway_stopped", "gateway_started"
_LAST_WORDS: Final = frozenset(
    {"session_ended", "tunnel_ended", "association_ended", "packet_sent", "other", _STOPPED}
)
"""What a gateway still says when it stops; all else shows that it runs."""

Row = dict[str, Any]
Fact = tuple[int, int, str, str, str, str]
"""Earliest and latest time, what it says of a try, code, address, gateway."""


def user_key(user: str) -> str:
    r"""Return what the same user has in common at both ends: no domain, one case.

    Examples
    --------
    >>> user_key("CORP\\Anna"), user_key("anna@corp.example")
    ('anna', 'anna')
    """
    return user.rpartition("\\")[2].partition("@")[0].strip().casefold()


@dataclass(frozen=True, slots=True)
class _Facts:
    """Gateway facts of one user or address, in order of their earliest time."""

    lows: list[int]
    rows: list[Fact]

    @classmethod
    def of(cls, rows: Iterable[Fact]) -> _Facts:
        ordered = sorted(rows)
        return cls([row[0] for row in ordered], ordered)

    def within(self, start: int, end: int) -> Iterator[Fact]:
        """Give the facts that may lie between two instants."""
        first = bisect_left(self.lows, start - PRECISE.value)
        for row in self.rows[first : bisect_right(self.lows, end)]:
            if row[1] >= start:
                yield row


_NONE: Final = _Facts([], [])


def join_sessions(attempts: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Find for each attempt what the gateway saw of it.

    Parameters
    ----------
    attempts, sessions
        Tables of those names.

    Returns
    -------
    pandas.DataFrame
        Table ``gateway``: one row for each attempt that lies in the span of a gateway's log, in
        the order of the attempts. ``seen`` is ``silent`` where the gateway says nothing of it.

    Notes
    -----
    Facts without a user are tied by address, if the gateway saw that address with this user and
    with no other. Facts whose time is open by more than `PRECISE` tie to nothing. A connection
    that fits a try that succeeded is not lent to one that failed at the same time. Between two
    files of a log that do not adjoin nothing is known.
    """
    facts = _timed(sessions)
    if attempts.empty or facts.empty:
        return schema.empty("gateway")
    by_user, by_address, addresses = _indexes(facts)
    inside = _windowed(attempts[_within_any(attempts["time"], _logged(facts))])
    tied = []
    for user, start, end in zip(inside["user"], inside["from"], inside["to"], strict=True):
        key = user_key(user)
        named = list(by_user.get(key, _NONE).within(start, end)) if key else []
        placed = [
            fact
            for address in addresses.get(key, ())
            for fact in by_address.get(address, _NONE).within(start, end)
        ]
        tied.append((named, placed))
    claimed = _claimed(tied, inside)
    rows = []
    columns = ("host", "user", "connection", "time", "outcome", "code")
    tries = zip(*(inside[name] for name in columns), strict=True)
    for facts_of, values in zip(tied, tries, strict=True):
        row = dict(zip(columns, values, strict=True))
        lent = claimed if row["outcome"] == "failure" else set[Fact]()
        named, placed = ([fact for fact in own if fact not in lent] for own in facts_of)
        rows.append({**row, **_best(named, placed), "known": user_key(row["user"]) in by_user})
    return schema.frame("gateway", rows)


def _claimed(tied: list[tuple[list[Fact], list[Fact]]], inside: pd.DataFrame) -> set[Fact]:
    """Find the connection at the gateway of each try that succeeded: the nearest to its end."""
    claimed: set[Fact] = set()
    ends = inside["time"] + pd.to_timedelta(inside["duration"].fillna(0), unit="s")
    for (named, placed), outcome, end in zip(tied, inside["outcome"], _ticks(ends), strict=True):
        met = [fact for fact in (*named, *placed) if fact[2] == "connected"]
        free = [fact for fact in met if fact not in claimed]
        if outcome == "success" and free:
            claimed.add(min(free, key=lambda fact: max(fact[0] - end, end - fact[1], 0)))
    return claimed


def _logged(facts: pd.DataFrame) -> Spans:
    """Return the spans in which some gateway's log would hold a try, file by file."""
    files = facts.groupby(["gateway", "path"], sort=False)
    spans = zip(files["time_low"].min(), files["time_high"].max(), strict=True)
    return _merged(((a - SLACK).value, (b + SLACK).value) for a, b in spans)


def _ticks(times: pd.Series[pd.Timestamp]) -> Ticks:
    """Nanoseconds since 1970; the least number where a time is missing."""
    return times.astype(schema.TIME).to_numpy("datetime64[ns]").view(np.int64)


def _merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """Join spans that overlap or nearly do: starts and ends in order."""
    out: list[list[int]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1][1] = max(out[-1][1], end)
        else:
            out.append([start, end])
    edges = np.array(out, np.int64).reshape(-1, 2)
    return edges[:, 0], edges[:, 1]


def _within_any(times: pd.Series[pd.Timestamp], spans: Spans) -> pd.Series[bool]:
    """Mark the times that lie in one of spans that do not overlap; a missing time does in none."""
    starts, ends = spans
    if not len(starts):
        return pd.Series(data=False, index=times.index)
    ticks = _ticks(times)
    place = np.searchsorted(starts, ticks, side="right") - 1
    hit = (place >= 0) & (ticks <= ends[place]) & times.notna().to_numpy()
    return pd.Series(hit, index=times.index)


def _windowed(attempts: pd.DataFrame) -> pd.DataFrame:
    """Add from when to when the gateway may have seen each attempt, in ns since 1970.

    No further than half-way into the user's attempts before and after: people try again at once.
    """
    ends = attempts["time"] + pd.to_timedelta(attempts["duration"].fillna(0), unit="s")
    ordered = attempts.assign(key=attempts["user"].map(user_key), ends=ends)
    ordered = ordered.sort_values(["key", "time"], kind="stable")
    same = ordered["key"].eq(ordered["key"].shift()) & (ordered["key"] != "")
    pause = (ordered["time"] - ordered["ends"].shift()) / 2
    room = pause.where(pause > pd.Timedelta(0), pd.Timedelta(0))
    room = room.where(same & (room < SLACK), SLACK)
    before = (ordered["time"] - room).astype("int64")
    until = (ordered["ends"] + room.shift(-1).fillna(SLACK)).astype("int64")
    return attempts.assign(**{"from": before, "to": until})


def _timed(sessions: pd.DataFrame) -> pd.DataFrame:
    """Return the facts whose time is known well enough."""
    known = sessions["time_low"].notna() & sessions["time_high"].notna()
    timed = sessions[known]
    return timed[timed["time_high"] - timed["time_low"] <= PRECISE]


def _indexes(
    facts: pd.DataFrame,
) -> tuple[dict[str, _Facts], dict[str, _Facts], dict[str, list[str]]]:
    """Index facts by user, those without one by address, and find each user's own addresses."""
    keys = facts["user"].map(user_key)
    seen = facts["action"].map(SEEN).fillna("reached")
    low, high = (facts[name].astype("int64") for name in ("time_low", "time_high"))
    rows = list(
        zip(low, high, seen, facts["code"], facts["client_address"], facts["gateway"], strict=True)
    )
    users: dict[str, list[Any]] = {}
    places: dict[str, list[Any]] = {}
    owners: dict[str, set[str]] = {}
    for key, row in zip(keys, rows, strict=True):
        address = row[4]
        if key:
            users.setdefault(key, []).append(row)
            owners.setdefault(address, set()).add(key)
        elif address:
            places.setdefault(address, []).append(row)
    own: dict[str, list[str]] = {}
    for address, whose in sorted(owners.items()):
        if address and len(whose) == 1:
            own.setdefault(next(iter(whose)), []).append(address)
    return (
        {key: _Facts.of(found) for key, found in users.items()},
        {address: _Facts.of(found) for address, found in places.items()},
        own,
    )


def _best(named: list[Any], placed: list[Any]) -> Row:
    """Return how far the try came at the gateway, and by what it was found."""
    every = [*named, *placed]
    if not every:
        return {"seen": "silent", "by": "", "facts": 0}
    furthest = max(every, key=lambda fact: _ORDER.index(fact[2]))
    return {
        "seen": furthest[2],
        "by": "user" if furthest in named else "address",
        "facts": len(every),
        "gateway_code": next((fact[3] for fact in every if fact[3]), ""),
        "client_address": next((fact[4] for fact in every if fact[4]), ""),
        "gateway": furthest[5],
    }


# ---------------------------------------------------------------------------- outages


def find_outages(sessions: pd.DataFrame, attempts: pd.DataFrame) -> pd.DataFrame:
    """Find when a gateway was down, by its own words or by its silence.

    Parameters
    ----------
    sessions, attempts
        Tables of those names.

    Returns
    -------
    pandas.DataFrame
        Table ``outages``, sorted by start: those that cut everybody off. ``why`` is ``said`` (it
        stopped, until it started or spoke again) or ``silent`` (no word of anybody for more than
        half an hour within one file, in which at least three hosts tried, and every attempt failed).

    Notes
    -----
    No outage is one in which another gateway was heard of, or in which clients got in. Of two
    gateways that were down one after the other, the time in which both were counts.
    """
    facts = _timed(sessions)
    if facts.empty:
        return schema.empty("outages")
    tries = _Tries.of(attempts)
    service = _Service.of(facts)
    said = [row for name, own in facts.groupby("gateway") for row in _said(str(name), own)]
    rows = [row for row in (*said, *_both(said)) if not service.beside(row) and not tries.won(row)]
    rows += [
        row
        for name, own in facts.groupby("gateway")
        for row in _silent(str(name), own, tries)
        if not service.beside(row)
    ]
    out = schema.frame("outages", rows)
    return out.sort_values(["start", "gateway"], kind="stable", ignore_index=True)


@dataclass(frozen=True, slots=True)
class _Tries:
    """Attempts with an end, in order of time, and how many of those before each failed."""

    times: Ticks
    failed: Ticks
    hosts: npt.NDArray[np.object_]

    @classmethod
    def of(cls, attempts: pd.DataFrame) -> _Tries:
        ended = attempts["outcome"].isin(("success", "failure")) & attempts["time"].notna()
        ordered = attempts[ended].sort_values("time", kind="stable")
        failed = (ordered["outcome"] == "failure").to_numpy().cumsum()
        times = _ticks(ordered["time"])
        return cls(times, np.append(0, failed), ordered["host"].to_numpy(object))

    def between(self, start: int, end: int) -> tuple[int, int, int]:
        """Return the places of the first and behind the last in a span, and how many failed."""
        first, last = np.searchsorted(self.times, (start, end))
        return int(first), int(last), int(self.failed[last] - self.failed[first])

    def won(self, row: Row) -> bool:
        """Tell whether clients got in during an outage, not just at its edges."""
        slack = SLACK.value
        first, last, failed = self.between(row["start"].value + slack, row["end"].value - slack)
        return last > first and (last - first - failed) >= SHARE_SERVED * (last - first)


@dataclass(frozen=True, slots=True)
class _Service:
    """When which gateway showed that it runs, in order of time."""

    times: Ticks
    gateways: npt.NDArray[np.object_]

    @classmethod
    def of(cls, facts: pd.DataFrame) -> _Service:
        alive = facts[~facts["action"].isin(_LAST_WORDS)].sort_values("time_low", kind="stable")
        return cls(_ticks(alive["time_low"]), alive["gateway"].to_numpy(object))

    def beside(self, row: Row) -> bool:
        """Tell whether another gateway ran during an outage of one, not just at its edges."""
        slack = SLACK.value
        edges = row["start"].value + slack, row["end"].value - slack
        first, last = np.searchsorted(self.times, edges)
        return bool((self.gateways[first:last] != row["gateway"]).any())


def _said(gateway: str, facts: pd.DataFrame) -> Iterator[Row]:
    """From each stop to the start after it, or to the first word that shows that it runs."""
    ordered = facts.sort_values("time_low", kind="stable")
    down: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    for action, low, high in zip(
        *(ordered[n] for n in ("action", "time_low", "time_high")), strict=True
    ):
        if down is not None and action not in _LAST_WORDS:
            end = high if action == _STARTED else max(low, down)
            yield {"gateway": gateway, "start": down, "end": end, "why": "said"}
            down = None
        elif action == _STOPPED:
            down = low if down is None else down
        until = high if until is None else max(until, high)
    if down is not None:
        yield {"gateway": gateway, "start": down, "end": until, "why": "said"}


def _both(said: list[Row]) -> Iterator[Row]:
    """Give the times in which one gateway was down while another was as well."""
    ordered = sorted(said, key=lambda row: (row["start"], row["end"]))
    last: Row | None = None
    for row in ordered:
        if last and last["gateway"] != row["gateway"] and row["start"] < last["end"]:
            yield {**row, "end": min(row["end"], last["end"])}
        if last is None or row["end"] > last["end"]:
            last = row


def _silent(gateway: str, facts: pd.DataFrame, tries: _Tries) -> Iterator[Row]:
    ordered = facts.sort_values("time_low", kind="stable")
    lows = _ticks(ordered["time_low"])
    reach = np.maximum.accumulate(_ticks(ordered["time_high"]))
    files = facts.groupby("path", sort=False)
    first, last = _ticks(files["time_low"].min()), _ticks(files["time_high"].max())
    for place in np.flatnonzero(lows[1:] - reach[:-1] > LONG_SILENCE.value):
        start, end = int(reach[place]), int(lows[place + 1])
        begin, stop, failed = tries.between(start + SLACK.value, end - SLACK.value)
        in_vain = stop > begin and failed == stop - begin
        if not in_vain or len(set(tries.hosts[begin:stop])) < MIN_HOSTS:
            continue
        if ((first <= start) & (last >= end)).any():  # else a file may be missing between
            edge = {n: pd.Timestamp(t, tz="UTC") for n, t in (("start", start), ("end", end))}
            yield {"gateway": gateway, **edge, "why": "silent"}


def in_outage(
    times: pd.Series[pd.Timestamp],
    outages: pd.DataFrame,
    *,
    why: str,
    slack: pd.Timedelta = NO_SLACK,
) -> pd.Series[bool]:
    """Mark the times that lie in an outage of one kind, or within `slack` of one."""
    own = outages[outages["why"] == why]
    spans = zip(own["start"] - slack, own["end"] + slack, strict=True)
    return _within_any(times, _merged((start.value, end.value) for start, end in spans))


# ---------------------------------------------------------------------------- what it says


def gateway_checks(
    attempts: pd.DataFrame, seen: pd.DataFrame, outages: pd.DataFrame, incident: Incident
) -> tuple[Check, ...]:
    """Say whether the gateway confirms the clients, and whether it was up while they failed.

    Parameters
    ----------
    attempts
        Table ``attempts``.
    seen, outages
        What `join_sessions` and `find_outages` returned.
    incident
        Says which codes are the symptom.

    Returns
    -------
    tuple
        No check where there is no gateway log that covers an attempt.
    """
    if seen.empty and outages.empty:
        return ()
    return (_same_story(seen), _was_up(attempts, seen, outages, incident))


def _same_story(seen: pd.DataFrame) -> Check:
    known = seen[seen["known"] & seen["outcome"].isin(("success", "failure"))]
    worked, met = known["outcome"] == "success", known["seen"] == "connected"
    agree = int((worked == met).sum())
    text = (
        f"of {len(known)} attempts of users the gateway knows, it tells the same of {agree}: "
        f"{int((worked & met).sum())} connected, {int((~worked & ~met).sum())} not; client only "
        f"{int((worked & ~met).sum())}, gateway only {int((~worked & met).sum())}"
    )
    return Check("gateway tells the same", agree >= 0.9 * len(known) if len(known) else None, text)


def _was_up(
    attempts: pd.DataFrame, seen: pd.DataFrame, outages: pd.DataFrame, incident: Incident
) -> Check:
    failed = attempts[(attempts["outcome"] == "failure") & incident.is_symptom(attempts["code"])]
    said, silent = (in_outage(failed["time"], outages, why=why) for why in ("said", "silent"))
    hours = set(failed["time"].dt.floor("h"))
    served = seen[(seen["seen"] == "connected") & seen["time"].dt.floor("h").isin(hours)]
    text = (
        f"of {len(failed)} failures {int(said.sum())} lie in outages the gateway states and "
        f"{int((silent & ~said).sum())} in times in which it heard nobody; in the hours of the "
        f"failures it connected {served['user'].nunique()} users" + _windows(outages)
    )
    passed: bool | None = None
    if int(said.sum()) >= SHARE_EXPLAINED * max(len(failed), 1):
        passed = False
    elif len(failed) and int((said | silent).sum()) < SHARE_EXPLAINED * len(failed):
        passed = True  # else it heard nobody: whose fault that is it cannot tell
    return Check("gateway up", passed, text)


def _windows(outages: pd.DataFrame) -> str:
    shown = [
        f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} ({why})"
        for start, end, why in zip(outages["start"], outages["end"], outages["why"], strict=True)
    ]
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return f"; down {', '.join(shown[:3])}{more}" if shown else ""
