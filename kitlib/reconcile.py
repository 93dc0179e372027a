"""One update state per host and change, with the sources that agree and those that do not.

An update is listed by its KB in one dump, by build and revision in another, called 'installed' by a
history and shown by a start of Windows. Here all that is said of one change on one host stands in
one row. Starts of Windows decide the state of what has a revision, in both directions: a higher
revision contains the change, a lower one lacks it. Elsewhere the latest word counts. Who says
otherwise is listed beside with the reason; nothing is averaged.

This file blames nobody and knows no format.
"""

from __future__ import annotations

from itertools import groupby
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
    """What one source says of one change on one host; `word` is a value of `_SAID`."""

    source: str
    word: str
    time: pd.Timestamp
    low: pd.Timestamp
    high: pd.Timestamp
    ref: str

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
    removed later is not held against it; one that lists an update no later start of Windows shows
    is. Facts of no known host are left out.
    """
    rows = [
        _state(host, change, claims, boots)
        for host, boots, told in _hosts(timeline)
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
    starts = starts[starts["time"].notna()]
    boots = {
        str(host): [_Boot(int(b), int(r), t, s, ref) for _, b, r, t, s, ref in own]
        for host, own in groupby(_tuples(starts, "build", "revision", "time"), key=_first)
    }
    claims = mine[mine["action"].isin(_SAID) & (mine["change"] != "")]
    columns = ("change", "action", "time", "time_low", "time_high")
    for host, own in groupby(_tuples(claims, *columns), key=_first):
        told: dict[str, list[_Claim]] = {}
        for _, change, action, time, low, high, source, ref in own:
            told.setdefault(change, []).append(_Claim(source, _SAID[action], time, low, high, ref))
        yield str(host), boots.get(str(host), []), told


def _first(row: tuple[Any, ...]) -> Any:  # noqa: ANN401  # a host name
    return row[0]


def _tuples(facts: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Give host, columns, source and reference of each fact."""
    source = facts["channel"].where(facts["record_id"].notna(), facts["path"])
    return zip(
        facts["host"], *(facts[name] for name in columns), source, record_refs(facts), strict=True
    )


def _state(host: str, change: str, claims: list[_Claim], boots: list[_Boot]) -> Row:
    last = boots[-1] if boots else None
    shown = knowledge.contains(last.build, last.revision, change) if last else None
    state, against = _decided(claims, boots, change, shown=shown)
    against |= _dated_apart(claims)
    sources = dict.fromkeys(claim.source for claim in claims)
    if last is not None and shown is not None:
        sources |= {last.source: None}
    refs = [claim.ref for claim in claims] + ([last.ref] if last and shown is not None else [])
    return {
        "host": host,
        "change": change,
        **_revision(change, boots),
        "state": state,
        **_since(claims),
        "agree": [source for source in sources if source not in against],
        "contradict": list(against),
        "why": "; ".join(f"{source} {reason}" for source, reason in against.items()),
        "records": list(dict.fromkeys(refs)),
    }


def _revision(change: str, boots: list[_Boot]) -> Row:
    """Resolve the change's name to the revision it has on the host's branch."""
    known = dict(knowledge.revisions(change))
    families = [knowledge.family(boot.build) | {boot.build} for boot in boots[-1:]]
    fitting = [build for build in known if all(build in family for family in families)]
    build = next((boot.build for boot in boots[-1:] if boot.build in fitting), None)
    build = fitting[0] if build is None and fitting else build
    return {"build": build, "revision": known[build]} if build is not None else {}


def _since(claims: list[_Claim]) -> Row:
    """Return the best dated word that the change was installed."""
    installed = [claim for claim in claims if claim.word == "installed" and claim.dated]
    if not installed:
        return {}
    best = min(installed, key=lambda claim: claim.high - claim.low)
    return {"time": best.time, "time_low": best.low, "time_high": best.high}


def _decided(
    claims: list[_Claim], boots: list[_Boot], change: str, *, shown: bool | None
) -> tuple[str, dict[str, str]]:
    """Return the state, and for each source that says otherwise what it says."""
    words = _last_words(claims)
    installed = [claim for claim in words.values() if claim.word == "installed"]
    removed = [claim for claim in words.values() if claim.word == "removed"]
    if shown:
        last = boots[-1]
        own = knowledge.label(last.build, last.revision) == change
        if any(claim.dated and claim.low > last.time for claim in removed):
            return "removed_pending_reboot", {}
        return ("in_effect" if own else "contained_in_later"), {
            c.source: "says it was removed" for c in removed if not _installed_after(c, claims)
        }
    if not installed and not removed:
        return _only_tried(words.values(), boots), {}
    if shown is False:
        return _not_shown(installed, removed, boots, change)
    return _latest_word(installed, removed)


def _only_tried(tries: Iterable[_Claim], boots: list[_Boot]) -> str:
    """Judge a change that was begun, or failed: one begun after the last start waits for the next."""
    latest = max((claim for claim in tries if claim.dated), key=lambda c: c.high, default=None)
    if latest is None or latest.word == "failed":
        return "failed" if latest else "open"
    return "pending_reboot" if boots and latest.low > boots[-1].time else "open"


def _last_words(claims: Iterable[_Claim]) -> dict[str, _Claim]:
    """Return the latest thing each source says; tries count only where it says nothing else."""
    words: dict[str, _Claim] = {}
    for claim in claims:
        if claim.word not in _TRIES or words.get(claim.source, claim).word in _TRIES:
            words[claim.source] = claim
    return words


def _installed_after(removed: _Claim, claims: Iterable[_Claim]) -> bool:
    return any(
        claim.word == "installed" and claim.dated and removed.dated and claim.high > removed.low
        for claim in claims
    )


def _not_shown(
    installed: list[_Claim], removed: list[_Claim], boots: list[_Boot], change: str
) -> tuple[str, dict[str, str]]:
    """Judge a change that the last start of Windows lacks."""
    last = boots[-1]
    waiting = [claim for claim in installed if not claim.dated or last.time <= claim.high]
    sure = [claim for claim in waiting if claim.dated and claim.low > last.time]
    if sure:
        return "pending_reboot", {c.source: "says it was removed" for c in removed if c not in sure}
    was_there = any(knowledge.contains(b.build, b.revision, change) for b in boots[:-1])
    if removed or was_there:
        return "removed", {}
    if waiting:
        return "pending_reboot", {}
    lacks = (
        f"says it was installed, the later start of Windows at {last.time:%Y-%m-%d %H:%M} shows "
        f"{last.build}.{last.revision}"
    )
    return "not_in_effect", {claim.source: lacks for claim in installed}


def _latest_word(installed: list[_Claim], removed: list[_Claim]) -> tuple[str, dict[str, str]]:
    """Judge by words alone, where no start of Windows can tell."""
    if not removed:
        return "installed", {}
    if not installed:
        return "removed", {}
    known_in = [claim.low for claim in installed if claim.dated]
    known_out = [claim.high for claim in removed if claim.dated]
    if known_in and known_out and max(known_in) > max(known_out):
        return "installed", {c.source: "says it was removed" for c in removed if not known_in}
    if known_in and known_out:
        return "removed", {}
    return "open", {
        claim.source: f"says {claim.word}, without a date that tells which came last"
        for claim in (*installed, *removed)
        if not claim.dated
    }


def _dated_apart(claims: Iterable[_Claim]) -> dict[str, str]:
    """Find sources whose date of one installation no other source can mean.

    Each says 'installed' once, or the update may have been installed twice.
    """
    said: dict[str, list[_Claim]] = {}
    for claim in claims:
        if claim.word == "removed":
            return {}
        if claim.word == "installed":
            said.setdefault(claim.source, []).append(claim)
    once = [own[0] for own in said.values() if len(own) == 1]
    dated = [c for c in once if c.dated and c.high - c.low <= WELL_DATED]
    if len(once) != len(said) or len(dated) < 2:
        return {}
    slack = pd.Timedelta(days=1)  # 'started' and 'installed after the restart' are one event
    return {
        claim.source: f"dates it {claim.low:%Y-%m-%d %H:%M} to {claim.high:%Y-%m-%d %H:%M} UTC"
        for claim in dated
        if not any(
            claim.low <= other.high + slack and other.low - slack <= claim.high
            for other in dated
            if other is not claim
        )
    }


def contradictions(states: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of table ``update_states`` in which a source contradicts the state.

    Parameters
    ----------
    states
        What `reconcile_updates` returned.
    """
    return states[states["contradict"].map(len) > 0].reset_index(drop=True)
