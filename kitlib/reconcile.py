"""One update state per host and change, with the sources that agree and those that do not.

An update is listed by its KB in one dump, by build and revision in another, called 'installed' by a
history and shown by a start of Windows. Here all that is said of one change on one host stands in
one row. Starts of Windows decide the state of what has a revision, in both directions: a higher
revision contains the change, a lower one lacks it. Elsewhere the latest word counts. Who says
otherwise is listed beside with the reason; nothing is averaged.

This file blames nobody and knows no format.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pandas as pd

from kitlib import knowledge, schema
from kitlib.timeline import record_refs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WELL_DATED: Final = pd.Timedelta(days=4)
"""A time known less well than this contradicts no other."""

_SAID: Final = {
    "update_install_started": "begun",
    "update_restart_needed": "begun",
    "update_installed": "installed",
    "update_uninstalled": "removed",
    "update_install_failed": "failed",
}
_TRIES: Final = ("begun", "failed")
"""Words that say nothing of the outcome, or that there was none."""
_BOOT: Final = "boot"
_TOLD: Final = ["host", "change", "time"]

Row = dict[str, Any]


class _Claim(NamedTuple):
    """What one source says of one change on one host; `word` is a value of `_SAID`.

    Sources of one `tool` are the same list, made at several times.
    """

    source: str
    word: str
    time: pd.Timestamp
    low: pd.Timestamp
    high: pd.Timestamp
    ref: str
    tool: str

    @property
    def dated(self) -> bool:
        return pd.notna(self.low) and pd.notna(self.high)


class _Boot(NamedTuple):
    """A start of Windows that states its revision."""

    build: int
    revision: int
    time: pd.Timestamp
    source: str
    ref: str


@dataclass(frozen=True, slots=True)
class _History:
    """A host's starts of Windows in order, and those at which the revision was another one."""

    boots: list[_Boot]
    levels: list[_Boot]

    @classmethod
    def of(cls, boots: list[_Boot]) -> _History:
        levels = [next(same) for _, same in groupby(boots, key=lambda b: (b.build, b.revision))]
        return cls(boots, levels)

    @property
    def last(self) -> _Boot | None:
        return self.boots[-1] if self.boots else None

    def shown(self, change: str) -> list[bool]:
        """Tell for each stay at a revision whether it contains a change."""
        found = (knowledge.contains(b.build, b.revision, change) for b in self.levels)
        return [shown for shown in found if shown is not None]

    def after(self, time: pd.Timestamp) -> _Boot | None:
        """Return the first start after a time."""
        place = bisect_right(self.boots, time, key=lambda boot: boot.time)
        return self.boots[place] if place < len(self.boots) else None


def reconcile_updates(timeline: pd.DataFrame) -> pd.DataFrame:
    """Put together what all sources of a host say of each update.

    Parameters
    ----------
    timeline
        Table ``timeline``.

    Returns
    -------
    pandas.DataFrame
        Table ``update_states``, sorted by host, time and change. ``agree`` and ``contradict`` list
        channels of logs and paths of dumps; ``why`` says what each contradiction is.

    Notes
    -----
    A dump lists what was there when it was made, which it does not date. One that lists an update
    removed later is not held against it; one that lists an update that no start of Windows shows
    is, if starts from before and after it are known: else it may be older than a removal that
    nothing tells of. Of several dumps of one tool an older one contradicts nothing. Facts of no
    known host are left out.
    """
    rows = [
        _state(host, change, claims, history)
        for host, boots, told in _hosts(timeline)
        for history in [_History.of(boots)]
        for change, claims in told.items()
    ]
    out = schema.frame("update_states", rows)
    return out.sort_values(["host", "time", "change"], kind="stable", ignore_index=True)


def _hosts(
    timeline: pd.DataFrame,
) -> Iterator[tuple[str, list[_Boot], dict[str, list[_Claim]]]]:
    """Give each host with its starts of Windows and with what is said of each change, in time."""
    mine = timeline[timeline["host"] != ""].sort_values(_TOLD, kind="stable")
    starts = mine[(mine["action"] == _BOOT) & mine["build"].notna() & mine["revision"].notna()]
    starts = starts[starts["time"].notna()].sort_values(["host", "time"], kind="stable")
    boots = {
        str(host): [_Boot(int(b), int(r), t, s, ref) for _, b, r, t, s, ref in own]
        for host, own in groupby(_tuples(starts, "build", "revision", "time"), key=_first)
    }
    claims = mine[mine["action"].isin(_SAID) & (mine["change"] != "")]
    listing = claims["message"].where(claims["message"] != "", claims["path"])
    tool = claims["channel"].where(claims["record_id"].notna(), listing)
    claims = claims.assign(tool=tool)
    columns = ("change", "action", "time", "time_low", "time_high", "tool")
    for host, own in groupby(_tuples(claims, *columns), key=_first):
        told: dict[str, list[_Claim]] = {}
        for _, change, action, time, low, high, tool, source, ref in own:
            claim = _Claim(source, _SAID[action], time, low, high, ref, tool)
            told.setdefault(change, []).append(claim)
        yield str(host), boots.get(str(host), []), told


def _first(row: tuple[Any, ...]) -> Any:  # noqa: ANN401  # a host name
    return row[0]


def _tuples(facts: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Give host, columns, source and reference of each fact."""
    source = facts["channel"].where(facts["record_id"].notna(), facts["path"])
    return zip(
        facts["host"], *(facts[name] for name in columns), source, record_refs(facts), strict=True
    )


def _state(host: str, change: str, claims: list[_Claim], history: _History) -> Row:
    last = history.last
    shown = knowledge.contains(last.build, last.revision, change) if last else None
    state, against = _decided(claims, history, change, shown=shown)
    against |= _dated_apart(claims, history, change)
    sources = dict.fromkeys(claim.source for claim in claims)
    if last is not None and shown is not None:
        sources |= {last.source: None}
    refs = [claim.ref for claim in claims] + ([last.ref] if last and shown is not None else [])
    return {
        "host": host,
        "change": change,
        **_revision(change, last),
        "state": state,
        **_since(claims),
        "agree": [source for source in sources if source not in against],
        "contradict": list(against),
        "why": "; ".join(f"{source} {reason}" for source, reason in against.items()),
        "records": list(dict.fromkeys(refs)),
    }


def _revision(change: str, last: _Boot | None) -> Row:
    """Resolve the change's name to the revision it has on the host's branch."""
    known = dict(knowledge.revisions(change))
    family = knowledge.family(last.build) | {last.build} if last else known.keys()
    fitting = [build for build in known if build in family]
    build = last.build if last and last.build in fitting else next(iter(fitting), None)
    return {"build": build, "revision": known[build]} if build is not None else {}


def _since(claims: list[_Claim]) -> Row:
    """Return the best dated word that the change was installed."""
    installed = [claim for claim in claims if claim.word == "installed" and claim.dated]
    if not installed:
        return {}
    best = min(installed, key=lambda claim: claim.high - claim.low)
    return {"time": best.time, "time_low": best.low, "time_high": best.high}


def _decided(
    claims: list[_Claim], history: _History, change: str, *, shown: bool | None
) -> tuple[str, dict[str, str]]:
    """Return the state, and for each source that says otherwise what it says."""
    words = _last_words(claims)
    installed = [claim for claim in words.values() if claim.word == "installed"]
    removed = [claim for claim in words.values() if claim.word == "removed"]
    last = history.last
    if shown and last:
        own = knowledge.label(last.build, last.revision) == change
        if any(claim.dated and claim.low > last.time for claim in removed):
            return "removed_pending_reboot", {}
        return ("in_effect" if own else "contained_in_later"), {
            c.source: "says it was removed" for c in removed if _denied(c, claims, history, change)
        }
    if not installed and not removed:
        return _only_tried(words.values(), last), {}
    if shown is False and last:
        return _not_shown(installed, removed, history, last, change)
    return _latest_word(installed, removed)


def _only_tried(tries: Iterable[_Claim], last: _Boot | None) -> str:
    """Judge a change that was begun, or failed: one begun after the last start waits for the next."""
    latest = max((claim for claim in tries if claim.dated), key=lambda c: c.high, default=None)
    if latest is None or latest.word == "failed":
        return "failed" if latest else "open"
    return "pending_reboot" if last and latest.low > last.time else "open"


def _last_words(claims: Iterable[_Claim]) -> dict[str, _Claim]:
    """Return the latest thing each source says; tries count only where it says nothing else."""
    words: dict[str, _Claim] = {}
    for claim in claims:
        if claim.word not in _TRIES or words.get(claim.source, claim).word in _TRIES:
            words[claim.source] = claim
    return words


def _denied(removed: _Claim, claims: list[_Claim], history: _History, change: str) -> bool:
    """Tell whether the start after a removal still shows the change, and nobody put it back.

    A higher revision there may be of the update that came instead.
    """
    after = history.after(removed.high) if removed.dated else None
    return (
        after is not None
        and knowledge.label(after.build, after.revision) == change
        and not _installed_after(removed, claims)
    )


def _installed_after(removed: _Claim, claims: Iterable[_Claim]) -> bool:
    return any(
        claim.word == "installed" and claim.dated and claim.high > removed.low for claim in claims
    )


def _not_shown(
    installed: list[_Claim], removed: list[_Claim], history: _History, last: _Boot, change: str
) -> tuple[str, dict[str, str]]:
    """Judge a change that the last start of Windows lacks."""
    dated = [claim for claim in installed if claim.dated]
    waiting = [claim for claim in dated if last.time <= claim.high]
    sure = [claim for claim in waiting if claim.low > last.time]
    if sure:
        return "pending_reboot", {}
    if removed or any(history.shown(change)):
        return "removed", {}
    if any(claim.high - claim.low <= WELL_DATED for claim in waiting):
        return "pending_reboot", {}
    before = [claim for claim in dated if claim not in waiting]
    if not before:  # undated, or within months: from before that start or after it
        return "open", {}
    lacks = (
        f"says it was installed, the later start of Windows at {last.time:%Y-%m-%d %H:%M} shows "
        f"{last.build}.{last.revision}"
    )
    first = history.boots[0].time
    return "not_in_effect", {claim.source: lacks for claim in before if first <= claim.low}


def _latest_word(installed: list[_Claim], removed: list[_Claim]) -> tuple[str, dict[str, str]]:
    """Judge by words alone, where no start of Windows can tell."""
    if not removed:
        return "installed", {}
    if not installed:
        return "removed", {}
    known_in = [claim.low for claim in installed if claim.dated]
    known_out = [claim.high for claim in removed if claim.dated]
    if known_in and known_out and max(known_in) > max(known_out):
        return "installed", {}
    if known_in and known_out:
        return "removed", {}
    return "open", {
        claim.source: f"says {claim.word}, without a date that tells which came last"
        for claim in (*installed, *removed)
        if not claim.dated
    }


def _dated_apart(claims: list[_Claim], history: _History, change: str) -> dict[str, str]:
    """Find sources whose date of one installation no other tool can mean.

    Each says 'installed' once, or the update may have been installed twice; so it was where starts
    of Windows show it, then lack it, then show it again.
    """
    said: dict[str, list[_Claim]] = {}
    for claim in claims:
        if claim.word == "removed":
            return {}
        if claim.word == "installed":
            said.setdefault(claim.source, []).append(claim)
    once = [own[0] for own in said.values() if len(own) == 1]
    dated = [c for c in once if c.dated and c.high - c.low <= WELL_DATED]
    if len(once) != len(said) or len({c.tool for c in dated}) < 2:
        return {}
    alone = {c.tool for c in dated} - {
        one.tool for one in dated for other in dated if one.tool != other.tool and _meet(one, other)
    }
    if alone and any(before and not now for before, now in pairwise(history.shown(change))):
        return {}
    return {
        claim.source: f"dates it {claim.low:%Y-%m-%d %H:%M} to {claim.high:%Y-%m-%d %H:%M} UTC"
        for claim in dated
        if claim.tool in alone
    }


def _meet(one: _Claim, other: _Claim) -> bool:
    slack = pd.Timedelta(days=1)  # 'started' and 'installed after the restart' are one event
    return bool(one.low <= other.high + slack and other.low - slack <= one.high)


def contradictions(states: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of table ``update_states`` in which a source contradicts the state.

    Parameters
    ----------
    states
        What `reconcile_updates` returned.
    """
    return states[states["contradict"].map(len) > 0].reset_index(drop=True)
