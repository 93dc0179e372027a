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

import datetime as dt
import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pandas as pd

from kitlib.classify import load_rules, normal_code
from kitlib.errors import IncidentError

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
_KIND: Final[Mapping[type, str]] = {
    str: "text",
    int: "a whole number",
    list: "a list",
    Mapping: "a table",
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
        raw = tomllib.loads(named.read_text("utf-8-sig"))
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
        raise IncidentError(f"{source}: {error.args[0]}") from error


def _read(name_or_path: str | Path) -> tuple[str, str]:
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.is_file():
        try:
            return path.read_text("utf-8-sig"), path.name
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


def _check_keys(
    table: Mapping[str, Any], place: str, *, text: str, source: str, start: int = 0
) -> None:
    """Refuse unknown keys, naming line and nearest right key; go down into known tables.

    `start` is where the table begins in the text.
    """
    for key, value in table.items():
        if key not in _SHAPE[place]:
            where = f"[{place}] " if place else ""
            line = text.count("\n", 0, _find(rf"{re.escape(key)}[\"']?\s*[=\].]", text, start)) + 1
            raise IncidentError(
                f"{source}, line {line}: unknown key {where}{key!r}{_nearest(key, _SHAPE[place])}"
            )
        inner_start = start
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, Mapping) and key in _SHAPE:
                inner_start = _find(rf"{re.escape(key)}\s*[=\]]", text, inner_start)
                _check_keys(inner, key, text=text, source=source, start=inner_start)
                inner_start += 1
    if place == "":
        missing = [key for key in _REQUIRED if key not in table]
        if missing:
            raise IncidentError(f"{source}: missing keys: {', '.join(missing)}")


def _find(pattern: str, text: str, start: int) -> int:
    """Return where `pattern` is found as a whole word from `start` on, else `start`."""
    found = re.compile(rf"(?<![\w-]){pattern}").search(text, start)
    return found.start() if found else start


def _nearest(word: str, known: Any) -> str:  # noqa: ANN401  # any collection of words
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known are: {', '.join(sorted(known))}"


def _build(raw: Mapping[str, Any]) -> Incident:
    if raw["schema"] != SCHEMA:
        raise ValueError(f"schema is {raw['schema']!r}, this kit reads {SCHEMA!r}")
    symptom, window = _table(raw, "symptom"), _table(raw, "window")
    start, end = (_instant(window.get(key), f"[window] {key}") for key in ("start", "end"))
    if start is not None and end is not None and end <= start:
        raise ValueError(f"[window] ends ({end:%Y-%m-%d}) before it starts ({start:%Y-%m-%d})")
    return Incident(
        name=_typed(raw, "name", str),
        title=_typed(raw, "title", str),
        summary=_typed({"summary": "", **raw}, "summary", str).strip(),
        activity=_activity(symptom),
        codes=frozenset(normal_code(str(code)) for code in _listed(symptom, "codes", str | int)),
        branches=_branches(_listed(raw, "branch", Mapping)),
        sources=tuple(_listed(raw, "source", Mapping)),
        start=start,
        end=end,
        detected=_instant(_table(raw, "response").get("detected"), "[response] detected"),
    )


def _typed(raw: Mapping[str, Any], key: str, kind: type, where: str = "") -> Any:  # noqa: ANN401  # the kind asked for
    """Return a value of the kind that is wanted; a yes or no is no number."""
    if key not in raw:
        raise KeyError(f"{where}missing key {key!r}")
    value = raw[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{where}{key} = {value!r} is of the wrong type, want {_KIND[kind]}")
    return value


def _table(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value: Mapping[str, Any] = _typed({key: {}, **raw}, key, Mapping)
    return value


def _listed(raw: Mapping[str, Any], key: str, kind: Any, where: str = "") -> list[Any]:  # noqa: ANN401  # a type or a union of types
    values: list[Any] = _typed({key: [], **raw}, key, list, where)
    for value in values:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{where}{key}: {value!r} is of the wrong type")
    return values


def _activity(symptom: Mapping[str, Any]) -> str:
    """Return the activity of the symptom; one that no rule knows would find nothing, silently."""
    name: str = _typed(symptom, "activity", str, "[symptom] ")
    known = {rule.activity for rule in load_rules()} - {""}
    if name not in known:
        raise ValueError(f"[symptom] no rule knows the activity {name!r}{_nearest(name, known)}")
    return name


def _branches(raw: list[Mapping[str, Any]]) -> tuple[Branch, ...]:
    branches = tuple(_branch(entry) for entry in raw)
    seen: dict[int, str] = {}
    for branch in branches:
        for build in sorted(branch.builds):
            if build in seen:
                raise ValueError(f"build {build} stands in two branches")
            seen[build] = branch.name
    return branches


def _branch(raw: Mapping[str, Any]) -> Branch:
    name = _typed({"name": "", **raw}, "name", str, "[[branch]] ")
    where = f"branch {name!r}: "
    bad = _release(_typed(raw, "bad", Mapping, where), f"{where}bad: ")
    fixed = (
        _release(_typed(raw, "fixed", Mapping, where), f"{where}fixed: ")
        if "fixed" in raw
        else None
    )
    if fixed and fixed.revision <= bad.revision:
        raise ValueError(f"{where}fixed revision must be above the bad one")
    builds = _listed({"builds": _typed(raw, "builds", list, where)}, "builds", int, where)
    return Branch(name=name, builds=frozenset(builds), bad=bad, fixed=fixed)


def _release(raw: Mapping[str, Any], where: str) -> Release:
    date = raw.get("date")
    if date is not None and not isinstance(date, dt.date):
        raise TypeError(f"{where}date = {date!r} is no date (write 2022-01-11, without quotes)")
    return Release(
        kb=_typed(raw, "kb", str, where), revision=_typed(raw, "revision", int, where), date=date
    )


def _instant(value: object, where: str) -> pd.Timestamp | None:
    """Read a TOML date or time as UTC."""
    if value is None:
        return None
    if not isinstance(value, dt.date):
        raise TypeError(f"{where} = {value!r} is no date (write 2022-01-11, without quotes)")
    stamp = pd.Timestamp(value)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
