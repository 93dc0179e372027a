"""Column maps: which column of a management tool's export says what, as text files.

A map is a ``[[map]]`` of ``columns.toml``: the kit's own beside this module, which also explains
every key, or the analyst's. This module reads and checks maps; it opens no export (that is
`kitlib.readers.updates.columns`) and knows no tool. What is wrong with a file is said with its line, its
key and the nearest right one.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kitlib.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE: Final = "columns.toml"
"""Name of the analyst's maps at the top of an evidence folder."""

SCHEMA: Final = "kitlib.columns/1"

LEAVE_OUT: Final = "leave out"
"""A state that is no entry of an update history, such as 'not required'."""

RESULTS: Final = (
    "succeeded",
    "succeeded_with_errors",
    "failed",
    "aborted",
    "in_progress",
    "not_started",
)
OPERATIONS: Final = ("install", "uninstall")
ZONES: Final = ("utc", "local", "unknown")
DATES: Final = (
    "year first",
    "month first",
    "day first",
    "decide",
    "excel days",
    "unix seconds",
)
TIMES: Final = ("reported", "exact")

_COLUMNS: Final = frozenset(
    {
        *("host", "kb", "title", "update_id", "build", "revision", "operation", "state"),
        *("hresult", "client", "time", "not_before"),
    }
)
_TEXTS: Final = frozenset(
    {"name", "reference", "title_prefix", "result", "zone", "times", "note", "unverified"}
)
_TABLES: Final = frozenset({"states", "operations"})
_KEYS: Final = frozenset({*_COLUMNS, *_TEXTS, *_TABLES, "required", "dates"})
_NAMES_AN_UPDATE: Final = ("kb", "title", "update_id", "build")
_MUST_BE_REQUIRED: Final = ("host", "state", "time")
_OFFSET: Final = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")
_SUFFIX: Final = re.compile(r"\[([^\[\]]{0,40})\]$")
_MOST_BYTES: Final = 1 << 20
_BLOCK: Final = re.compile(r"^[ \t]*\[\[[ \t]*map[ \t]*\]\]", re.MULTILINE)


class Meaning(NamedTuple):
    """What a state says: result, operation (empty: as the row says), and whether to leave it out."""

    result: str
    operation: str = ""
    leave_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMap:
    """One ``[[map]]``; ``columns.toml`` explains the keys. Column names are as `column` gives them.

    Attributes
    ----------
    columns
        The columns of each field, the first filled one counts.
    titles
        The names of all columns as the map writes them.
    states, operations
        What the words of the columns ``state`` and ``operation`` mean, by the word in lower case.
    result
        What every row says where there is no column ``state``.
    """

    name: str
    reference: str
    required: frozenset[str]
    columns: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, str]
    states: Mapping[str, Meaning] = field(default_factory=dict)
    operations: Mapping[str, str] = field(default_factory=dict)
    result: str = ""
    zone: str = "unknown"
    dates: tuple[str, ...] = ("decide",)
    times: str = "reported"
    title_prefix: str = ""
    note: str = ""
    unverified: str = ""


@dataclass(frozen=True, slots=True)
class Maps:
    """The maps of one file, in its order, with a name for its content (empty: there are none)."""

    maps: tuple[ColumnMap, ...] = ()
    digest: str = ""


NO_MAPS: Final = Maps()


def column(title: str) -> tuple[str, str]:
    """Take a header cell apart: its name in lower case, and what stands behind it in brackets.

    The portal writes the zone it shows times in behind the name.

    Examples
    --------
    >>> column(' "TimeGenerated [UTC]"')
    ('timegenerated', 'utc')
    """
    name = title.strip("\ufeff\x00 \t\r\n\"'")
    suffix = _SUFFIX.search(name)
    return (
        name[: suffix.start()].strip().lower() if suffix else name.lower(),
        suffix[1].strip().lower() if suffix else "",
    )


@cache
def built_in() -> Maps:
    """Return the kit's own maps."""
    return parse((files("kitlib.readers.updates") / FILE).read_text("utf-8"), source=FILE)


def own_maps(evidence: Path, named: str | Path | None = None) -> Maps:
    """Return the analyst's maps: those named, else those at the top of the evidence folder.

    Parameters
    ----------
    evidence
        Folder, archive or file. Archives are not looked into.
    named
        A file of maps; it takes the place of the folder's.

    Raises
    ------
    kitlib.errors.UsageError
        The file cannot be read or is not valid; see `parse`.
    """
    if named is not None:
        return load(Path(named))
    inside = evidence / FILE
    return load(inside) if inside.is_file() else NO_MAPS


def load(file: Path) -> Maps:
    """Read a file of maps.

    Raises
    ------
    kitlib.errors.UsageError
        It cannot be read or is not valid; see `parse`.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{file} is too large for column maps (over {_MOST_BYTES} bytes)")
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the column maps {file}: {error}") from error
    return parse(text, source=str(file))


def parse(text: str, *, source: str) -> Maps:
    """Read and check maps.

    Parameters
    ----------
    text
        TOML.
    source
        What to call it in an error.

    Raises
    ------
    kitlib.errors.UsageError
        It is not valid; the sentence names file, line, map and key, and the nearest right one.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is not valid TOML: {error}") from error
    for key in raw:
        if key not in ("schema", "map"):
            line = _line(text, key, 0)
            raise UsageError(
                f"{source}, line {line}: unknown key {key!r}{_nearest(key, ('schema', 'map'))}"
            )
    if raw.get("schema") != SCHEMA:
        said = f"is {raw['schema']!r}" if "schema" in raw else "is missing"
        raise UsageError(f"{source}: the key 'schema' {said}; write schema = {SCHEMA!r}")
    tables = raw.get("map", [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise UsageError(f"{source}: 'map' is of the wrong type, write each map below [[map]]")
    starts = [block.start() for block in _BLOCK.finditer(text)]
    checks = [
        _Check(source=source, text=text, start=starts[n] if n < len(starts) else 0, raw=table)
        for n, table in enumerate(tables)
    ]
    maps = tuple(_build(check) for check in checks)
    names = [one.name for one in maps]
    for name, check in zip(names, checks, strict=True):
        if names.count(name) > 1:
            raise check.error("name", f"two maps have the name {name!r}")
    return Maps(maps, hashlib.sha256(text.encode()).hexdigest()[:16] if maps else "")


# ---------------------------------------------------------------------------- one map


@dataclass(frozen=True, slots=True)
class _Check:
    """One ``[[map]]`` as it stands, and how to say what is wrong with it."""

    source: str
    text: str
    start: int
    raw: Mapping[str, Any]

    def error(self, key: str, words: str) -> UsageError:
        name = self.raw.get("name")
        whose = f"map {name!r}: " if isinstance(name, str) else ""
        line = _line(self.text, key, self.start)
        return UsageError(f"{self.source}, line {line}: {whose}{words}")

    def text_of(self, key: str) -> str:
        value = self.raw.get(key, "")
        if not isinstance(value, str):
            raise self.error(key, f"{key} = {value!r} is of the wrong type, want text")
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.raw.get(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(v, str) and v for v in listed):
            raise self.error(key, f"{key} = {value!r} is of the wrong type, want text or a list")
        return tuple(listed)

    def columns(self, key: str) -> tuple[str, ...]:
        return tuple(column(one)[0] for one in self.texts(key))

    def words(self, key: str, known: tuple[str, ...]) -> dict[str, str]:
        value = self.raw.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"{key} = {value!r} is of the wrong type, want [map.{key}]")
        for word, meaning in value.items():
            self.one_of(word, meaning, known, where=f"{key}: ")
        return {word.strip().casefold(): meaning for word, meaning in value.items()}

    def one_of(self, key: str, value: object, known: tuple[str, ...], *, where: str = "") -> None:
        if not isinstance(value, str) or value not in known:
            near = _nearest(str(value), known)
            raise self.error(key, f"{where}{key} = {value!r} is not known{near}")


def _build(check: _Check) -> ColumnMap:
    _known_keys(check)
    required = frozenset(check.columns("required"))
    columns = {key: check.columns(key) for key in _COLUMNS if key in check.raw}
    _complete(check, required, columns)
    zone = check.text_of("zone") or "unknown"
    if not _OFFSET.fullmatch(zone):
        check.one_of("zone", zone, ZONES)
    dates = check.texts("dates") or ("decide",)
    for one in dates:
        check.one_of("dates", one, DATES)
    times = check.text_of("times") or "reported"
    check.one_of("times", times, TIMES)
    if "result" in check.raw:
        check.one_of("result", check.raw["result"], RESULTS)
    states = check.words("states", (*RESULTS, *(f"uninstall {one}" for one in RESULTS), LEAVE_OUT))
    return ColumnMap(
        name=check.text_of("name"),
        reference=check.text_of("reference"),
        required=required,
        columns=columns,
        titles=_titles(check, columns),
        states={word: _meaning(said) for word, said in states.items()},
        operations=check.words("operations", OPERATIONS),
        result=check.text_of("result"),
        zone=zone,
        dates=dates,
        times=times,
        title_prefix=check.text_of("title_prefix"),
        note=check.text_of("note"),
        unverified=check.text_of("unverified"),
    )


def _known_keys(check: _Check) -> None:
    for key in check.raw:
        if key not in _KEYS:
            raise check.error(key, f"unknown key {key!r}{_nearest(key, sorted(_KEYS))}")


def _complete(
    check: _Check, required: frozenset[str], columns: Mapping[str, tuple[str, ...]]
) -> None:
    """Refuse a map that lacks something without which its rows would say nothing."""
    for key in ("name", "reference", "required", "host"):
        if not check.raw.get(key):
            raise check.error("name", f"the key {key!r} is missing")
    if not any(key in columns for key in _NAMES_AN_UPDATE):
        named = ", ".join(map(repr, _NAMES_AN_UPDATE))
        raise check.error("name", f"no column names the update: give one of {named}")
    if ("state" in columns) == ("result" in check.raw):
        raise check.error("state", "give either 'state' (a column) or 'result' (for all rows)")
    for key, table in (("state", "states"), ("operation", "operations")):
        if (key in columns) != (table in check.raw):
            raise check.error(table, f"{key!r} and [map.{table}] belong together: one is missing")
    if ("time" in columns) != ("zone" in check.raw):
        raise check.error("time", "'time' and 'zone' belong together: one is missing")
    for key in _MUST_BE_REQUIRED:
        if key in columns and required.isdisjoint(columns[key]):
            near = _nearest(columns[key][0], sorted(required))
            said = f"{key} = {check.raw[key]!r} names no column that is in 'required'{near}"
            raise check.error(key, said)


def _titles(check: _Check, columns: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    written = [one for key in ("required", *columns) for one in check.texts(key)]
    return {column(one)[0]: one for one in reversed(written)}


def _meaning(said: str) -> Meaning:
    if said == LEAVE_OUT:
        return Meaning("", leave_out=True)
    result = said.removeprefix("uninstall ")
    return Meaning(result, "uninstall" if result != said else "")


def _line(text: str, key: str, start: int) -> int:
    """Return the line of a key's first place behind `start`; that of `start` if it has none."""
    found = re.compile(rf"(?<![\w-]){re.escape(key)}[\"']?\s*[=\].]").search(text, start)
    return text.count("\n", 0, found.start() if found else start) + 1


def _nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known are: {', '.join(known)}"
