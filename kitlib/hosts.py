"""One name a machine: machines are renamed, and short and full names mean the same machine.

A log file that holds several names in consecutive record numbers and never goes back to an earlier
one belongs to one machine that was renamed; its earlier names mean that machine *in this file*.
Elsewhere an earlier name counts only where one machine alone claims it: images come with the name
of the machine they were built on, and many machines have been called that for an hour.

This file knows names and record numbers, nothing of their meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from kitlib.inert import inert

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_ADDRESS: Final = re.compile(r"[0-9.]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
"""A network address, which has no short form."""

_RENAME_SLACK: Final = pd.Timedelta(hours=1)
"""Not every log changes to a new name with the same record; within this they may disagree."""


@dataclass(frozen=True, slots=True)
class Names:
    """What each host name means: by file where a file tells, else by name alone."""

    by_file: Mapping[tuple[str, str], str]
    by_name: Mapping[str, str]

    def of(self, hosts: pd.Series[str], paths: pd.Series[str]) -> pd.Series[str]:
        """Replace names as written in `paths` by the machines' names, fit to be shown."""
        pairs = pd.MultiIndex.from_arrays([paths, hosts])
        known = {
            pair: inert(self.by_file.get(pair, self.by_name.get(pair[1], pair[1])), keep="")
            for pair in pairs.unique()
        }
        return pd.Series([known[pair] for pair in pairs], index=hosts.index, dtype="str")


def name_hosts(events: pd.DataFrame, others: Iterable[str] = ()) -> Names:
    """Find out which names mean the same machine.

    Parameters
    ----------
    events
        Table ``events``.
    others
        Further names, e.g. of update dumps.

    Returns
    -------
    Names
        A machine is called by the short form of its latest name, or by its full name where two
        machines share the short form.

    Notes
    -----
    Assumes that a log file of one machine was not spliced together from two with continuing record
    numbers. Forwarded logs are kept apart because their record numbers do not continue.
    """
    blocks = _name_blocks(events)
    latest: dict[tuple[str, str], str] = {}
    claims: dict[str, set[str]] = {}
    several = blocks[blocks.duplicated("path", keep=False)]
    for path, own in several.groupby("path", sort=True):
        if not _is_rename_chain(own):
            continue
        last = str(own["host"].iloc[-1])
        for name in own["host"]:
            latest[str(path), name] = last
            claims.setdefault(_short(name), set()).add(_short(last))
    for short in _in_use_after_renames(blocks, latest):
        claims[short].add(short)
    names = {str(name) for name in [*blocks["host"], *latest.values(), *others] if name}
    spellings = _Spellings.of(names, claims)
    return Names(
        {pair: spellings.shown(last) for pair, last in latest.items()},
        {name: spellings.shown(name) for name in sorted(names)},
    )


def _short(name: str) -> str:
    """First label of a name, in one case; an address has none and stands for itself."""
    return name if _ADDRESS.fullmatch(name) else name.split(".", maxsplit=1)[0].casefold()


def _name_blocks(events: pd.DataFrame) -> pd.DataFrame:
    """Find runs of equal host name in each file by record number (path, host, first_id, last_id)."""
    named = events.loc[events["host"] != "", ["path", "host", "record_id", "time_created"]]
    named = named.sort_values(["path", "record_id"], kind="stable")
    starts = (named["host"] != named["host"].shift()) | (named["path"] != named["path"].shift())
    grouped = named.groupby(starts.cumsum(), sort=False)
    return pd.DataFrame(
        {
            "path": grouped["path"].first(),
            "host": grouped["host"].first(),
            "first_id": grouped["record_id"].first(),
            "last_id": grouped["record_id"].last(),
            "until": grouped["time_created"].max(),
        }
    )


def _in_use_after_renames(
    blocks: pd.DataFrame, latest: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    """Short names that show up elsewhere after the machine that bore them was renamed.

    Then another machine bears the name, too: a second one from the same image, not renamed.
    """
    pairs = zip(blocks["path"], blocks["host"], strict=True)
    known = pd.Series([pair in latest for pair in pairs], index=blocks.index, dtype=bool)
    until = blocks["until"].groupby([known, blocks["host"].map(_short)]).max()
    for short in {_short(name) for _, name in latest}:
        left, used = until[True, short], until.get((False, short))
        if used is not None and used > left + _RENAME_SLACK:
            yield short


def _is_rename_chain(blocks: pd.DataFrame) -> bool:
    """Tell whether one file shows names one after the other, in unbroken record numbers."""
    shorts = blocks["host"].map(_short)
    runs = shorts[shorts != shorts.shift()]
    follows = blocks["first_id"] == blocks["last_id"].shift() + 1  # missing numbers follow nothing
    return bool(len(blocks) > 1 and runs.is_unique and follows.iloc[1:].fillna(False).all())


@dataclass(frozen=True, slots=True)
class _Spellings:
    """All names by short form, and which machines (short forms) claim a name as an earlier one."""

    by_short: Mapping[str, tuple[str, ...]]
    claims: Mapping[str, set[str]]

    @classmethod
    def of(cls, names: Iterable[str], claims: Mapping[str, set[str]]) -> _Spellings:
        by_short: dict[str, list[str]] = {}
        for name in sorted(names):
            by_short.setdefault(_short(name), []).append(name)
        return cls({short: tuple(spelled) for short, spelled in by_short.items()}, claims)

    def shown(self, name: str) -> str:
        """Name the machine that `name` means: short where only one machine has that short form."""
        short = self._latest(_short(name))
        full = self._full(short)
        own = full.get(name.casefold(), "") if short == _short(name) else ""
        if len(full) > 1:  # which of them a short name means cannot be told
            return own or next((o for o in self.by_short[short] if "." not in o), name)
        spelled = next(iter(full.values()), self.by_short[short][0])
        return spelled if _ADDRESS.fullmatch(spelled) else spelled.split(".")[0]

    def _latest(self, short: str) -> str:
        """Follow renames while exactly one machine claims the name."""
        seen = set[str]()
        while short not in seen and len(self.claims.get(short, ())) == 1:
            seen.add(short)
            (short,) = self.claims[short]
        return short

    def _full(self, short: str) -> dict[str, str]:
        """Full names with this short form, one spelling each."""
        full = [name for name in self.by_short[short] if "." in name]
        return {name.casefold(): name for name in reversed(full)}
