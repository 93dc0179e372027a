"""What is known about Windows itself: releases and error codes, as data.

- ``releases.csv``: which update made which build and revision, when, and of what kind. From
  Microsoft's release information pages, by way of their machine-readable copies, August 2026.
- ``families.toml``: builds that share their revisions.
- ``codes.csv``: error codes of remote access, IPsec, Windows Update and servicing. Numbers and
  symbols from the Windows SDK headers; the explanations are the kit's own words.

This package knows no incident, no host and no event. A revision decides what an update level
contains; a KB number is only its label, because every later cumulative update of a branch
contains the earlier ones.

Kinds of release: ``security`` (second Tuesday of a month), ``preview``, ``out_of_band``, and
``other`` for those outside the second Tuesday that the source does not label (before mid-2020,
previews and out-of-band updates were not told apart there).
"""

from __future__ import annotations

import csv
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from kitlib.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Explanation", "contains", "explain", "family", "label", "releases", "revisions"]

_HEX_DIGITS = 8
_WIN32_FACILITY = "0x8007"


@dataclass(frozen=True, slots=True)
class Explanation:
    """An error code in plain words.

    Attributes
    ----------
    code
        The code in its usual notation: decimal, or ``0x`` and eight lower-case hex digits.
    symbol
        Its name in the Windows headers; empty if it has none or is unknown to the kit.
    kind
        Where the fault lies: ``security``, ``reachability``, ``authentication``,
        ``configuration``, ``local``, ``disconnect`` (a normal end, no failure), ``update``,
        ``servicing``, ``general``; empty if the kit cannot say.
    text
        One sentence in the kit's own words; empty if there is none.
    about
        ``certificate`` or ``credentials`` (name, password or shared key, of the user or the
        machine) where the code is about one of them whatever its kind; else empty. That 13801 is
        about a certificate is a rule of thumb from the field, not in the headers.
    """

    code: str
    symbol: str
    kind: str
    text: str
    about: str = ""


def label(build: int, revision: int) -> str:
    """Name the update that made a revision.

    Parameters
    ----------
    build
        OS build, e.g. 19042.
    revision
        Update build revision (UBR), e.g. 1466.

    Returns
    -------
    str
        The KB, e.g. ``'KB5009543'``; empty if the kit does not know this revision.

    Examples
    --------
    >>> label(19043, 1466)
    'KB5009543'
    """
    return _labels().get((min(family(build)), revision), "")


def revisions(kb: str) -> list[tuple[int, int]]:
    """List the builds and revisions that an update made.

    Parameters
    ----------
    kb
        ``KB`` and digits.

    Returns
    -------
    list of (int, int)
        (build, revision) pairs, sorted, for every build of each family concerned; empty if the
        kit does not know the KB (.NET, drivers and updates older than Windows 10 are unknown).

    Examples
    --------
    >>> revisions("KB4338819")
    [(17134, 165)]
    """
    return list(_revisions().get(kb.upper(), ()))


def contains(build: int, revision: int, kb: str) -> bool | None:
    """Tell whether an update level contains an update, because it is that one or a later one.

    Parameters
    ----------
    build, revision
        The host's update level.
    kb
        The update asked for.

    Returns
    -------
    bool or None
        None if the kit does not know this KB on this branch, or if the two belong to lines
        that parted (Windows 11 and Windows Server 2025 since 2026).

    Notes
    -----
    Assumes that updates of a branch are cumulative, which holds for all of ``releases.csv``.
    Says nothing about updates beside the branch (.NET, drivers, servicing stack).

    Examples
    --------
    >>> contains(19044, 1469, "KB5009543"), contains(19044, 1415, "KB5009543")
    (True, False)
    """
    known = [made for on, made in revisions(kb) if on == build]
    if not known or _parted(build, revision, min(known)):
        return None
    return revision >= min(known)


def family(build: int) -> frozenset[int]:
    """Return the builds that share revisions with `build`, itself included.

    Examples
    --------
    >>> sorted(family(19042))
    [19041, 19042, 19043, 19044, 19045]
    >>> sorted(family(17763))
    [17763]
    """
    return _families().get(build, frozenset({build}))


def releases() -> pd.DataFrame:
    """Return every release known to the kit, one row per build and revision.

    Returns
    -------
    pandas.DataFrame
        ``build``, ``revision`` (int64), ``date`` (day of publication, UTC midnight), ``kb``,
        ``kind`` (see the module), ``product`` (products of the release, joined by '; ').
        A release of a family stands there once for each build of it. Sorted; a fresh copy.

    Notes
    -----
    The date is that of publication, not of any installation.
    """
    rows = [
        {**row, "build": build} for row in _release_rows() for build in family(int(row["build"]))
    ]
    table = pd.DataFrame(rows, columns=["build", "revision", "date", "kb", "kind", "product"])
    table = table.astype({"build": "int64", "revision": "int64"})
    table["date"] = pd.to_datetime(table["date"], utc=True, format="%Y-%m-%d").astype(TIME)
    return (
        table.sort_values(["build", "revision", "product"])
        .drop_duplicates(["build", "revision"])
        .reset_index(drop=True)
    )


def explain(code: str) -> Explanation:
    """Explain an error code.

    Parameters
    ----------
    code
        As a log states it: decimal (``789``), hex (``0x80070643``), or an HRESULT printed as a
        decimal number, signed or not (``-2147023293``).

    Returns
    -------
    Explanation
        With the code alone, and empty words, if the kit does not know it. A Windows error
        wrapped in an HRESULT (``0x8007....``) is explained as that error.

    Examples
    --------
    >>> explain("789").symbol
    'ERROR_OAKLEY_GENERAL_PROCESSING'
    >>> explain("-2147023293").code
    '0x80070643'
    """
    usual = _usual_notation(code)
    found = _codes().get(usual)
    if found is None and usual.startswith(_WIN32_FACILITY):
        inner = _codes().get(str(int(usual[len(_WIN32_FACILITY) :], 16)))
        if inner is not None:
            return replace(inner, code=usual)
    return found or Explanation(usual, "", "", "")


def _parted(build: int, one: int, other: int) -> bool:
    """Tell whether two revisions of a family belong to lines of it that no longer meet."""
    low, high = _partings().get(build, (0, 0))
    lines = {revision >= high for revision in (one, other) if revision > low}
    return len(lines) > 1


def _usual_notation(code: str) -> str:
    """Write `code` the way ``codes.csv`` keys it; leave what is no number alone."""
    text = code.strip().lower()
    if re.fullmatch(r"0x[0-9a-f]+", text):
        number = int(text, 16)
        return str(number) if number < 0x10000 else f"0x{number:0{_HEX_DIGITS}x}"
    if re.fullmatch(r"-?[0-9]+", text):
        number = int(text)
        # Everything above the Win32 range is an HRESULT, which logs print in decimal at times.
        return (
            f"0x{number & 0xFFFFFFFF:0{_HEX_DIGITS}x}" if not 0 <= number < 0x10000 else str(number)
        )
    return text


def _read_csv(name: str) -> list[dict[str, str]]:
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def _release_rows() -> tuple[Mapping[str, str], ...]:
    return tuple(MappingProxyType(row) for row in _read_csv("releases.csv"))


@cache
def _family_entries() -> tuple[Mapping[str, Any], ...]:
    text = resources.files(__name__).joinpath("families.toml").read_text(encoding="utf-8")
    return tuple(MappingProxyType(entry) for entry in tomllib.loads(text)["family"])


@cache
def _families() -> Mapping[int, frozenset[int]]:
    groups = [frozenset(entry["builds"]) for entry in _family_entries()]
    return {build: group for group in groups for build in group}


@cache
def _partings() -> Mapping[int, tuple[int, int]]:
    """Build -> (last revision common to its lines, first revision of the second line)."""
    return {
        build: (entry["parted"][0], entry["parted"][1])
        for entry in _family_entries()
        for build in entry["builds"]
        if "parted" in entry
    }


@cache
def _labels() -> Mapping[tuple[int, int], str]:
    """(lowest build of the family, revision) -> KB."""
    return {
        (min(family(int(row["build"]))), int(row["revision"])): row["kb"] for row in _release_rows()
    }


@cache
def _revisions() -> Mapping[str, tuple[tuple[int, int], ...]]:
    """KB -> its (build, revision) pairs over whole families."""
    pairs: dict[str, set[tuple[int, int]]] = {}
    for row in _release_rows():
        made = {(build, int(row["revision"])) for build in family(int(row["build"]))}
        pairs.setdefault(row["kb"], set()).update(made)
    return {kb: tuple(sorted(made)) for kb, made in pairs.items()}


@cache
def _codes() -> Mapping[str, Explanation]:
    return {
        row["code"]: Explanation(
            row["code"], row["symbol"], row["class"], row["text"], row["about"]
        )
        for row in _read_csv("codes.csv")
    }
