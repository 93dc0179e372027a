"""One bad-patch event as a text file: symptom, suspects by build branch, cures, sources.

A profile is declared before the logs are opened, so that the analysis cannot be bent to fit.
This file reads and checks profiles; it does not know any of them, and it does not know events.

Keys
    ``schema name title summary``; ``[symptom]`` ``activity`` (what the rules call the attempt) and
    ``codes`` (empty: every failure counts); ``[window]`` ``start end`` (UTC days, optional);
    ``[[branch]]`` ``name builds bad fixed`` where bad and fixed are ``{kb, revision, date}`` and
    a host is exposed from the bad revision up to, not including, the fixed one;
    ``default`` (true for the one profile that is meant when none is named);
    ``[[source]]`` ``title states``; ``[response]`` ``detected`` (UTC time, optional).
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib.errors import IncidentError

if TYPE_CHECKING:
    import datetime as dt

SCHEMA: Final = "kitlib.incident/1"
_SHAPE: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset(
        {
            "schema",
            "name",
            "title",
            "summary",
            "default",
            "symptom",
            "window",
            "branch",
            "source",
            "response",
        }
    ),
    "symptom": frozenset({"activity", "codes"}),
    "window": frozenset({"start", "end"}),
    "branch": frozenset({"name", "builds", "bad", "fixed"}),
    "bad": frozenset({"kb", "revision", "date"}),
    "fixed": frozenset({"kb", "revision", "date"}),
    "source": frozenset({"title", "states"}),
    "response": frozenset({"detected"}),
}
_REQUIRED: Final = ("schema", "name", "title", "symptom")


@dataclass(frozen=True, slots=True)
class Release:
    """An update on one branch: its KB label, revision (UBR) and release date."""

    kb: str
    revision: int
    date: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of Windows builds with the revision that broke it and the one that mended it."""

    name: str
    builds: frozenset[int]
    bad: Release
    fixed: Release | None = None

    def exposed(self, build: int, revision: int) -> bool:
        """Tell whether a host at `build`.`revision` runs with the fault."""
        return (
            build in self.builds
            and revision >= self.bad.revision
            and not self.cured(build, revision)
        )

    def cured(self, build: int, revision: int) -> bool:
        """Tell whether `build`.`revision` contains the fix."""
        return self.fixed is not None and build in self.builds and revision >= self.fixed.revision


@dataclass(frozen=True, slots=True)
class Incident:
    """A profile; the module docstring explains the fields."""

    name: str
    title: str
    summary: str
    activity: str
    codes: frozenset[str]
    branches: tuple[Branch, ...] = ()
    sources: tuple[Mapping[str, str], ...] = ()
    start: pd.Timestamp | None = None
    end: pd.Timestamp | None = None
    detected: pd.Timestamp | None = None

    def branch(self, build: int) -> Branch | None:
        """Return the branch `build` belongs to, if the profile has one."""
        return next((b for b in self.branches if build in b.builds), None)

    @property
    def bad_labels(self) -> frozenset[str]:
        """KB labels of the suspected change on all branches."""
        return frozenset(b.bad.kb for b in self.branches)

    @property
    def fixed_labels(self) -> frozenset[str]:
        """KB labels of the fix on all branches."""
        return frozenset(b.fixed.kb for b in self.branches if b.fixed)

    def is_symptom(self, codes: pd.Series[str]) -> pd.Series[bool]:
        """Mark which failure codes belong to the symptom (all, where the profile names none)."""
        return codes.isin(self.codes) if self.codes else codes.notna()


def list_incidents() -> list[str]:
    """Name the built-in profiles."""
    folder = files("kitlib") / "incidents"
    return sorted(
        e.name.removesuffix(".toml") for e in folder.iterdir() if e.name.endswith(".toml")
    )


def default_incident() -> str:
    """Name the built-in profile that is meant when none is named."""
    folder = files("kitlib") / "incidents"
    return next(
        name
        for name in list_incidents()
        if tomllib.loads((folder / f"{name}.toml").read_text("utf-8")).get("default")
    )


def incident_of(evidence: Path) -> str | Path:
    """Say which profile an evidence folder asks for in its ``incident.toml``, else the default.

    The file is either a whole profile or one line, ``incident = "NAME"``.

    Raises
    ------
    IncidentError
        If the file is there and not valid TOML.
    """
    named = evidence / "incident.toml"
    if not named.is_file():
        return default_incident()
    try:
        raw = tomllib.loads(named.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise IncidentError(f"{named} cannot be used: {error}") from error
    return str(raw["incident"]) if set(raw) == {"incident"} else named


def load_incident(name_or_path: str | Path) -> Incident:
    """Load a built-in profile by name, or one from a ``.toml`` file.

    Raises
    ------
    IncidentError
        If there is no such profile, or the file is not a valid one; the message names the line,
        the key and the nearest right one.

    Examples
    --------
    >>> load_incident("kb5009543").activity
    'vpn'
    """
    text, source = _read(name_or_path)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise IncidentError(f"{source} is not valid TOML: {error}") from error
    _check_keys(raw, "", text=text, source=source)
    try:
        return _build(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise IncidentError(f"{source}: missing or unusable value: {error}") from error


def _read(name_or_path: str | Path) -> tuple[str, str]:
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.is_file():
        try:
            return path.read_text("utf-8"), path.name
        except (OSError, UnicodeDecodeError) as error:
            raise IncidentError(f"cannot read the incident profile {path}: {error}") from error
    known = list_incidents()
    if str(name_or_path) in known:
        text = (files("kitlib") / "incidents" / f"{name_or_path}.toml").read_text("utf-8")
        return text, f"{name_or_path}.toml"
    raise IncidentError(
        f"there is no incident profile {str(name_or_path)!r}{_nearest(str(name_or_path), known)}; "
        f"built in are: {', '.join(known)}; or give the path of a .toml file"
    )


def _check_keys(table: Mapping[str, Any], place: str, *, text: str, source: str) -> None:
    """Refuse unknown keys, naming line and nearest right key; go down into known tables."""
    for key, value in table.items():
        if key not in _SHAPE[place]:
            where = f"[{place}] " if place else ""
            raise IncidentError(
                f"{source}, line {_line_of(key, text)}: unknown key {where}{key!r}"
                f"{_nearest(key, _SHAPE[place])}"
            )
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, Mapping) and key in _SHAPE:
                _check_keys(inner, key, text=text, source=source)
    if place == "":
        missing = [key for key in _REQUIRED if key not in table]
        if missing:
            raise IncidentError(f"{source}: missing keys: {', '.join(missing)}")


def _line_of(key: str, text: str) -> int:
    found = re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])\s*[=\]]", text)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _nearest(word: str, known: Any) -> str:  # noqa: ANN401  # any collection of words
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known are: {', '.join(sorted(known))}"


def _build(raw: Mapping[str, Any]) -> Incident:
    if raw["schema"] != SCHEMA:
        raise ValueError(f"schema is {raw['schema']!r}, this kit reads {SCHEMA!r}")
    window = raw.get("window", {})
    return Incident(
        name=str(raw["name"]),
        title=str(raw["title"]),
        summary=str(raw.get("summary", "")).strip(),
        activity=str(raw["symptom"]["activity"]),
        codes=frozenset(str(code) for code in raw["symptom"].get("codes", ())),
        branches=tuple(_branch(entry) for entry in raw.get("branch", ())),
        sources=tuple(raw.get("source", ())),
        start=_instant(window.get("start")),
        end=_instant(window.get("end")),
        detected=_instant(raw.get("response", {}).get("detected")),
    )


def _branch(raw: Mapping[str, Any]) -> Branch:
    bad = _release(raw["bad"])
    fixed = _release(raw["fixed"]) if "fixed" in raw else None
    if fixed and fixed.revision <= bad.revision:
        raise ValueError(f"branch {raw.get('name')!r}: fixed revision must be above the bad one")
    return Branch(
        name=str(raw.get("name", "")),
        builds=frozenset(int(build) for build in raw["builds"]),
        bad=bad,
        fixed=fixed,
    )


def _release(raw: Mapping[str, Any]) -> Release:
    return Release(kb=str(raw["kb"]), revision=int(raw["revision"]), date=raw.get("date"))


def _instant(value: dt.date | dt.datetime | None) -> pd.Timestamp | None:
    """Read a TOML date or time as UTC."""
    if value is None:
        return None
    stamp = pd.Timestamp(value)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
