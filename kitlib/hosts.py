"""One name a machine: machines are renamed, and short and full names mean the same machine.

A log file that holds several names in consecutive record numbers and never goes back to an earlier
one belongs to one machine that was renamed; its earlier names mean that machine *in this file*.
Elsewhere an earlier name counts only where one machine alone claims it: images come with the name
of the machine they were built on, and many machines have been called that for an hour.

This file knows names and record numbers, nothing of their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Names:
    """What each host name means: by file where a file tells, else by name alone."""

    by_file: Mapping[tuple[str, str], str]
    by_name: Mapping[str, str]

    def of(self, hosts: pd.Series[str], paths: pd.Series[str]) -> pd.Series[str]:
        """Replace names as written in `paths` by the machines' names."""
        pairs = pd.MultiIndex.from_arrays([paths, hosts])
        known = {
            pair: self.by_file.get(pair, self.by_name.get(pair[1], pair[1]))
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
    for path, own in blocks.groupby("path", sort=True):
        if not _is_rename_chain(own):
            continue
        last = str(own["host"].iloc[-1])
        for name in own["host"]:
            latest[str(path), name] = last
            claims.setdefault(_short(name), set()).add(_short(last))
    names = dict.fromkeys([*blocks["host"], *latest.values(), *others])
    names.pop("", None)
    shown = _display(list(names), claims)
    by_name = {name: shown[_final(name, claims, list(names))] for name in names}
    return Names(
        {pair: shown[_final(last, claims, list(names))] for pair, last in latest.items()}, by_name
    )


def _short(name: str) -> str:
    return name.split(".", maxsplit=1)[0].casefold()


def _name_blocks(events: pd.DataFrame) -> pd.DataFrame:
    """Find runs of equal host name in each file by record number (path, host, first_id, last_id)."""
    named = events.loc[events["host"] != "", ["path", "host", "record_id"]]
    named = named.sort_values(["path", "record_id"], kind="stable")
    starts = (named["host"] != named["host"].shift()) | (named["path"] != named["path"].shift())
    grouped = named.groupby(starts.cumsum(), sort=False)
    return pd.DataFrame(
        {
            "path": grouped["path"].first(),
            "host": grouped["host"].first(),
            "first_id": grouped["record_id"].first(),
            "last_id": grouped["record_id"].last(),
        }
    )


def _is_rename_chain(blocks: pd.DataFrame) -> bool:
    """Tell whether one file shows names one after the other, in unbroken record numbers."""
    shorts = blocks["host"].map(_short)
    runs = shorts[shorts != shorts.shift()]
    follows = blocks["first_id"].iloc[1:].to_numpy() == blocks["last_id"].iloc[:-1].to_numpy() + 1
    return bool(len(blocks) > 1 and runs.is_unique and follows.all())


def _final(name: str, claims: Mapping[str, set[str]], names: Iterable[str]) -> str:
    """Follow renames from `name` while exactly one machine claims it; then the fullest spelling."""
    short, seen = _short(name), set[str]()
    while short not in seen and len(claims.get(short, ())) == 1:
        seen.add(short)
        (short,) = claims[short]
    if short == _short(name) and "." in name:
        return name
    spelled = sorted(other for other in names if _short(other) == short)
    full = sorted({other.casefold(): other for other in spelled if "." in other}.values())
    return full[0] if len(full) == 1 else next((o for o in spelled if "." not in o), name)


def _display(names: list[str], claims: Mapping[str, set[str]]) -> dict[str, str]:
    """Show a name short where only one machine has that short form."""
    finals = {_final(name, claims, names) for name in names}
    folded: dict[str, set[str]] = {}
    for final in finals:
        folded.setdefault(_short(final), set()).add(final.casefold())
    return {f: f.split(".")[0] if len(folded[_short(f)]) == 1 else f for f in finals}
