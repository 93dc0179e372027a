"""What the lines of one IKE connection say together: whose it is and where it comes from.

charon writes user, peer and outcome of a connection on different lines, tied by the number in
``<name|number>``. Here each row gets the user and the peer that other rows of its connection
state; no row is added or taken away, and what a row states itself is never changed.

Numbers are unique until the daemon starts again, so a number can come back as somebody else's.
A connection therefore ends where the daemon starts or stops, where it begins or comes up a second
time, and where another peer speaks under its number; nothing is carried across. Of several users
tried on one connection, a row has the last one named before it. Rows before the first name get it
only if the connection names no other.

Nothing here reads a line: the readers say which row is of which connection.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitlib.readers.gateway.gateways import Row

OPEN: Final = 10_000
"""Connections kept in mind at a time; the one silent for longest is forgotten first."""

_SERVICE: Final = frozenset({"gateway_started", "gateway_stopped"})
_BEGINS: Final = "negotiation_started"
_COMES_UP: Final = "negotiation_succeeded"


@dataclass(frozen=True, slots=True)
class Key:
    """What ties lines together: the daemon's host and process, and the connection's number."""

    gateway: str
    process: str
    number: str


@dataclass(slots=True)
class _Life:
    """One connection, from its first line to its last."""

    peer: str = ""
    users: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    members: list[tuple[int, str]] = field(default_factory=list)
    """Places of its rows, each with the last user named up to there."""


def number_of(tag: str) -> str:
    """Return the number of a connection tag, ``l2tp-over-ipsec-1|97`` or, before a name, ``97``.

    Examples
    --------
    >>> number_of("office|97")
    '97'
    """
    return tag.rpartition("|")[2]


def joined(
    rows: Sequence[Row], keys: Sequence[Key | None], *, order: Iterable[int] | None = None
) -> list[Row]:
    """Give every row the user and the peer that its connection states elsewhere.

    Parameters
    ----------
    rows
        Rows of table `sessions`.
    keys
        For each row its connection; None if it has none.
    order
        Places of the rows in the order of time, if that is not their own order.

    Returns
    -------
    list of dict
        The rows in the order given, `user` and `client_address` filled where they were empty.
    """
    out = list(rows)
    for life in _lives(rows, keys, range(len(rows)) if order is None else order):
        sole = next(iter(life.users)) if len(life.users) == 1 else ""
        for place, named in life.members:
            row = rows[place]
            out[place] = row | {
                "user": row["user"] or named or sole,
                "client_address": row["client_address"] or life.peer,
            }
    return out


def _lives(
    rows: Sequence[Row], keys: Sequence[Key | None], order: Iterable[int]
) -> Iterable[_Life]:
    """Cut the rows into connections, in the order in which these begin."""
    lives: list[_Life] = []
    open_: OrderedDict[tuple[Key, int], _Life] = OrderedDict()
    starts: Counter[str] = Counter()
    for place in order:
        row, key = rows[place], keys[place]
        if row["action"] in _SERVICE:
            starts[row["gateway"]] += 1
        if key is None:
            continue
        run = key, starts[key.gateway]
        life = open_.pop(run, None)
        if life is None or _is_another(life, row):
            life = _Life()
            lives.append(life)
        _take(life, place, row)
        open_[run] = life
        if len(open_) > OPEN:
            open_.popitem(last=False)
    return lives


def _is_another(life: _Life, row: Row) -> bool:
    """Tell whether a row cannot belong to the connection that had its number last."""
    action, peer = row["action"], row["client_address"]
    again = action in (_BEGINS, _COMES_UP) and action in life.seen
    restarted = action == _BEGINS and _COMES_UP in life.seen
    return again or restarted or bool(peer and life.peer and peer != life.peer)


def _take(life: _Life, place: int, row: Row) -> None:
    life.peer = life.peer or row["client_address"]
    life.seen.add(row["action"])
    if row["user"]:
        life.users.add(row["user"])
    last = life.members[-1][1] if life.members else ""
    life.members.append((place, row["user"] or last))


def in_time(rows: Sequence[Row], *, newest_first: bool) -> list[int]:
    """Return the places of rows in the order of time, for `joined`.

    Parameters
    ----------
    rows
        Rows of table `sessions`, all of one source.
    newest_first
        What the source does, where the times of its first and last row do not tell.

    Returns
    -------
    list of int
        Where every row states its time, sorted by it; else the file's order or its reverse.
    """
    lows = [low for row in rows if (low := row["time_low"]) is not None]
    backwards = newest_first if not lows or lows[0] == lows[-1] else lows[0] > lows[-1]
    places = list(range(len(rows)))[:: -1 if backwards else 1]
    if all(row["time"] is not None for row in rows):
        return sorted(places, key=lambda place: rows[place]["time"])
    return places
