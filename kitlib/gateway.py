"""The other end of the line: what the gateway saw of each try, and when it was down for everybody.

Clients and gateways log the same try independently. They are tied together by user, by the
address that the gateway saw that user at, and by time, within what both clocks and the gateway's
printed minutes allow. A gateway that stopped, or that heard nobody while everybody tried and
failed, is a cause beside any change.

Silence proves less than a gateway's own words: a change that keeps clients from sending anything
looks the same from there. This file knows the tables `attempts` and `sessions`, and no product.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib import schema
from kitlib.claims import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kitlib.incident import Incident

SLACK: Final = pd.Timedelta(minutes=2)
"""How far the clocks of client and gateway may differ, and how late a gateway gives up on a try."""

PRECISE: Final = pd.Timedelta(hours=1)
"""A gateway's time that is known less well than this ties to no attempt."""

LONG_SILENCE: Final = pd.Timedelta(minutes=30)
"""A gateway that says nothing for longer than this, while several hosts try, is not heard from."""

MIN_HOSTS: Final = 3
"""Hosts that must try in vain before a gateway's silence means anything."""

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

Row = dict[str, Any]


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
    rows: list[tuple[int, int, str, str, str, str]]  # low, high, seen, code, address, gateway

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, str, str, str, str]]) -> _Facts:
        ordered = sorted(rows)
        return cls([row[0] for row in ordered], ordered)

    def within(self, start: int, end: int) -> Iterator[tuple[int, int, str, str, str, str]]:
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
    with no other. Facts whose time is open by more than an hour tie to nothing.
    """
    facts = _timed(sessions)
    if attempts.empty or facts.empty:
        return schema.empty("gateway")
    by_user, by_address, addresses = _indexes(facts)
    first, last = facts["time_low"].min() - SLACK, facts["time_high"].max() + SLACK
    inside = _windowed(attempts[(attempts["time"] >= first) & (attempts["time"] <= last)])
    rows = []
    columns = ("host", "user", "connection", "time", "outcome", "code", "from", "to")
    for host, user, connection, time, outcome, code, start, end in zip(
        *(inside[name] for name in columns), strict=True
    ):
        key = user_key(user)
        named = list(by_user.get(key, _NONE).within(start, end)) if key else []
        placed = [
            fact
            for address in addresses.get(key, ())
            for fact in by_address.get(address, _NONE).within(start, end)
        ]
        rows.append(
            {
                "host": host,
                "user": user,
                "connection": connection,
                "time": time,
                "outcome": outcome,
                "code": code,
                **_best(named, placed),
                "known": key in by_user,
            }
        )
    return schema.frame("gateway", rows)


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
        "gateway": next((fact[5] for fact in every if fact[5]), ""),
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
        Table ``outages``, sorted by start. ``why`` is ``said`` (it stopped or started again) or
        ``silent`` (no word of anybody for more than half an hour, in which at least three hosts
        tried, and every attempt failed).
    """
    facts = _timed(sessions)
    rows = [
        row
        for gateway, own in facts.groupby("gateway", sort=True)
        for row in (*_said(str(gateway), own), *_silent(str(gateway), own, attempts))
    ]
    out = schema.frame("outages", rows)
    return out.sort_values(["start", "gateway"], kind="stable", ignore_index=True)


def _said(gateway: str, facts: pd.DataFrame) -> Iterator[Row]:
    """From each stop, or the last word before a start that no stop precedes, to the start."""
    ordered = facts.sort_values("time_low", kind="stable")
    down: pd.Timestamp | None = None
    before: pd.Timestamp | None = None
    for action, low, high in zip(
        *(ordered[n] for n in ("action", "time_low", "time_high")), strict=True
    ):
        if action == _STARTED:
            since = down if down is not None else before
            if since is not None:
                yield {"gateway": gateway, "start": since, "end": high, "why": "said"}
            down = None
        elif action == _STOPPED:
            down = low if down is None else down
        before = high if before is None else max(before, high)
    if down is not None:
        yield {"gateway": gateway, "start": down, "end": ordered["time_high"].max(), "why": "said"}


def _silent(gateway: str, facts: pd.DataFrame, attempts: pd.DataFrame) -> Iterator[Row]:
    timed = attempts["outcome"].isin(("success", "failure")) & attempts["time"].notna()
    ended = attempts[timed].sort_values("time")
    times = ended["time"].reset_index(drop=True)
    spoken = sorted(zip(facts["time_low"], facts["time_high"], strict=True))
    reach: pd.Timestamp | None = None
    for (_, said), (following, _) in pairwise(spoken):
        reach = said if reach is None else max(reach, said)
        if following - reach <= LONG_SILENCE:
            continue
        first, last = times.searchsorted(reach), times.searchsorted(following)
        tried = ended.iloc[first:last]
        if tried["host"].nunique() >= MIN_HOSTS and (tried["outcome"] == "failure").all():
            yield {"gateway": gateway, "start": reach, "end": following, "why": "silent"}


def in_outage(
    times: pd.Series[pd.Timestamp], outages: pd.DataFrame, *, why: str
) -> pd.Series[bool]:
    """Mark the times that lie in an outage of one kind."""
    hit = pd.Series(data=False, index=times.index)
    own = outages[outages["why"] == why]
    for start, end in zip(own["start"], own["end"], strict=True):
        hit |= (times >= start) & (times <= end)
    return hit


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
    down = int((said | silent).sum())
    return Check("gateway up", down < SHARE_EXPLAINED * len(failed) if len(failed) else None, text)


def _windows(outages: pd.DataFrame) -> str:
    shown = [
        f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} ({why})"
        for start, end, why in zip(outages["start"], outages["end"], outages["why"], strict=True)
    ]
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return f"; down {', '.join(shown[:3])}{more}" if shown else ""
