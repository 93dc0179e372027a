r"""Packages of Windows servicing as the registry keeps them: which updates were ever put on, and when.

Knows the values of the keys below ``Component Based Servicing\Packages``; how keys are read is the
business of `kitlib.readers.updates.regf` and `kitlib.readers.updates.reg_export`. A package keeps its install time
when a later one supersedes it, so this shows when a bad update went on, long after the fact. What
it never shows is when an update was replaced or removed.

Of several thousand keys few are updates. ``Package_for_...`` are (an update by its KB, a
cumulative one by its build, the servicing stack); ``Package_12_for_...`` are their parts, and all
others are features and languages, which every cumulative update stamps anew. One of those counts
only where its source names a KB that no ``Package_for_...`` has.

States: Microsoft, "CBS Servicing States Chart" (TechNet, Tip of the Day, 2015-10-12); 0x70, 0x50
and 0x40 with their install times were seen. That a staged or absent package with an install time
was installed is drawn from the time and not documented.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers import dates, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

BRANCH: Final = r"Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages"
"""Where the packages are, below the hive SOFTWARE."""

VALUES: Final = frozenset(
    {
        "currentstate",
        "installtimehigh",
        "installtimelow",
        "installclient",
        "installname",
        "installlocation",
    }
)
"""The values that are looked at, in lower case."""

STATES: Final[Mapping[int, str]] = {
    0x00: "absent",
    0x05: "uninstall pending",
    0x10: "resolving",
    0x20: "resolved",
    0x30: "staging",
    0x40: "staged",
    0x50: "superseded",
    0x60: "install pending",
    0x65: "partially installed",
    0x70: "installed",
    0x80: "permanent",
}
"""What ``CurrentState`` means."""

_TIMED: Final[Mapping[str, tuple[str, str]]] = {
    "absent": ("install", "succeeded"),
    "uninstall pending": ("install", "succeeded"),
    "staged": ("install", "succeeded"),
    "superseded": ("install", "succeeded"),
    "install pending": ("install", "in_progress"),
    "installed": ("install", "succeeded"),
    "permanent": ("install", "succeeded"),
    "resolving": ("install", "not_started"),
    "resolved": ("install", "not_started"),
    "staging": ("install", "not_started"),
}
"""Operation and result of a package with an install time, by its state."""

_UNTIMED: Final[Mapping[str, tuple[str, str]]] = {**_TIMED, "staged": ("install", "not_started")}

_AFTER: Final[Mapping[str, tuple[str, str]]] = {
    "absent": ("uninstall", "succeeded"),
    "uninstall pending": ("uninstall", "in_progress"),
}
"""What happened, or is about to happen, after the installation."""

_UPDATE: Final = re.compile(r"Package_for_", re.IGNORECASE)
_SIGNED: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Package:
    """One key below `BRANCH`.

    Attributes
    ----------
    name
        Of the key: the identity of the package.
    values
        Its values by lower-case name.
    written
        FILETIME of the last change of the key, UTC; 0 where the source does not tell.
    """

    name: str
    values: Mapping[str, object]
    written: int = 0


def rows_of(
    packages: Iterable[Package], problems: list[dict[str, Any]], *, kind: str
) -> list[dict[str, Any]]:
    """Make rows of table `updates` of those packages that are updates.

    Parameters
    ----------
    packages
        All of them.
    problems
        Takes what is not sure.
    kind
        For ``source_kind``.

    Returns
    -------
    list
        One row a package, basis ``utc``, title its identity. A package that is absent or waits
        for its removal has a second row, for that: its time lies after the installation, and
        before the last change of the key where that is known.
    """
    every = list(packages)
    updates = list(_updates(every))
    rows = [row for package in updates for row in _rows(package, kind, problems)]
    problems.extend(_remarks(updates, rows, len(every)))
    return rows


def _updates(every: list[Package]) -> Iterator[Package]:
    """Give the updates, and of what else names a KB the first to be put on of each."""
    updates = [one for one in every if _UPDATE.match(one.name)]
    neutral = {_without_language(one.name) for one in updates if not _language(one.name)}
    kept = [
        one
        for one in updates
        if not _language(one.name) or _without_language(one.name) not in neutral
    ]
    yield from kept
    named = {_kb(one) for one in kept}
    others: dict[str, Package] = {}
    for one in every:
        kb = _kb(one)
        if kb and kb not in named and not _UPDATE.match(one.name):
            known = others.setdefault(kb, one)
            if 0 < _ticks(one) < (_ticks(known) or _SIGNED**2):
                others[kb] = one
    yield from others.values()


def _language(name: str) -> str:
    parts = name.split("~")
    return parts[3] if len(parts) == 5 else ""


def _without_language(name: str) -> str:
    parts = name.split("~")
    return "~".join([*parts[:3], "", *parts[4:]]).lower()


def _kb(package: Package) -> str:
    """Find the KB: in its name, else where it came from (a cumulative update has it only there)."""
    places = (package.name, _text(package, "installname"), _text(package, "installlocation"))
    return next(filter(None, map(text.kb_of, places)), "")


def _text(package: Package, name: str) -> str:
    found = package.values.get(name)
    return found if isinstance(found, str) else ""


def _number(package: Package, name: str) -> int | None:
    found = package.values.get(name)
    return found if isinstance(found, int) else None


def _ticks(package: Package) -> int:
    high, low = (_number(package, f"installtime{half}") or 0 for half in ("high", "low"))
    return (high << 32 | low) if 0 <= high < _SIGNED and 0 <= low < _SIGNED else 0


def _when(package: Package) -> dates.When:
    """Read the install time; 0, which is 1601, and what Windows cannot have stamped is unknown."""
    return moment(_ticks(package))


def moment(ticks: int) -> dates.When:
    """Return the instant of a FILETIME, or `dates.UNKNOWN` outside of 1990 to 2100."""
    found = dates.filetime(f"{ticks:016x}") or dates.UNKNOWN
    plausible = found.date is not None and 1990 <= found.date.year <= 2100
    return found if plausible else dates.UNKNOWN


def _rows(package: Package, kind: str, problems: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    when = _when(package)
    number = _number(package, "currentstate")
    state = STATES.get(-1 if number is None else number, "")
    known = _UNTIMED if when == dates.UNKNOWN else _TIMED
    operation, result = known.get(state, ("install", ""))
    if not result:
        said = "none" if number is None else f"{number:#x}"
        reason = f"the state of a package, {said}, is not understood: its result is left open"
        problems.append({"place": package.name[:120], "reason": reason, "records_lost": 0})
    row = {
        **when.cells(),
        "operation": operation,
        "result_code": result,
        "title": package.name,
        "kb": _kb(package),
        "client_application_id": _text(package, "installclient"),
        "source_kind": kind,
    }
    if when != dates.UNKNOWN or state not in _AFTER:
        yield row
    if state in _AFTER and (when != dates.UNKNOWN or state != "absent"):
        operation, result = _AFTER[state]
        after = _after(when, package.written).cells()
        yield {**row, **after, "operation": operation, "result_code": result}


def _after(installed: dates.When, written: int) -> dates.When:
    """Return the span between an installation and the last change of the key."""
    last = moment(written)
    if installed.high is None or last.low is None or last.low < installed.high:
        return dates.UNKNOWN
    return dates.When(None, installed.high, last.low, "utc")


def _remarks(
    updates: list[Package], rows: list[dict[str, Any]], every: int
) -> Iterator[dict[str, Any]]:
    if every > len(updates):
        reason = (
            f"{every - len(updates)} of {every} packages are parts of updates, features or "
            "languages and have no row"
        )
        yield {"reason": reason, "records_lost": 0}
    unknown = sum(row["date_low"] is None for row in rows)
    if unknown:
        reason = f"{unknown} of {len(rows)} packages state no install time: it is unknown"
        yield {"reason": reason, "records_lost": 0}
    staged = sum(
        STATES.get(_number(one, "currentstate") or -1) == "staged" and _when(one) != dates.UNKNOWN
        for one in updates
    )
    if staged:
        reason = (
            f"{staged} packages are staged and have an install time: taken as installed then; "
            "the registry does not tell when they were replaced or removed"
        )
        yield {"reason": reason, "records_lost": 0}
