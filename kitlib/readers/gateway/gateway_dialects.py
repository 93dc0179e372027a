"""Logs of VPN products that a table describes: timestamp, fields and rules, no code.

``gateway_dialects.toml`` holds the kit's own dialects and explains every key; `load` reads an
analyst's file with the same keys. A file of such regular expressions is as powerful as a program:
it is loaded from the path that a person names, never found in evidence.

A log like this is mostly about other traffic. Lines that a rule is for become rows; the others are
counted. Times claim what their format states: a stamp without a zone is a span, one without seconds
a minute.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.errors import UsageError
from kitlib.readers import dates, iso, text
from kitlib.readers.base import Parsed, Reader, parsed
from kitlib.readers.gateway import gateways

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitlib.readers.sniffing import Head

KIND: Final = "gateway_dialect"

_KEYS: Final = frozenset(
    {
        *("name", "recognise", "line", "pairs", "extract", "time", "times"),
        *("gateway", "user", "client_address", "reference", "rule"),
    }
)
_NEEDED: Final = ("name", "recognise", "time", "times", "reference", "rule")
_RULE_KEYS: Final = frozenset({"when", "action", "outcome", "code", "reference", "example"})
_RULE_NEEDED: Final = ("when", "action", "reference", "example")
_SEARCHED: Final = 20
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Form:
    """How a time is written, and in which zone: minutes from UTC, None if it is not stated.

    ``width``: how much later than printed it can be.
    """

    format: str
    offset: int | None
    width: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One ``[[dialect]]``; ``gateway_dialects.toml`` explains the keys."""

    name: str
    recognise: re.Pattern[str]
    line: re.Pattern[str] | None
    pairs: bool
    extract: tuple[tuple[str, re.Pattern[str]], ...]
    time: tuple[str, ...]
    forms: tuple[Form, ...]
    columns: Mapping[str, Sequence[str]]
    rules: tuple[gateways.Rule, ...]


# ------------------------------------------------------------------ the tables


@cache
def built_in() -> tuple[Dialect, ...]:
    """Return the kit's own dialects, in the order of their file."""
    source = files("kitlib.readers.gateway") / "gateway_dialects.toml"
    return parse(source.read_text("utf-8"), name="gateway_dialects.toml")


def load(path: str | Path) -> tuple[Dialect, ...]:
    """Read an analyst's dialects.

    Parameters
    ----------
    path
        A TOML file; ``gateway_dialects.toml`` explains the keys.

    Raises
    ------
    kitlib.errors.UsageError
        There is no such file, or it cannot be used; the message names dialect, key and fault.

    Examples
    --------
    >>> load("watchguard.toml")  # doctest: +SKIP
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    if file.stat().st_size > _MOST_BYTES:
        raise UsageError(f"{file} is larger than {_MOST_BYTES:,} bytes: no table of dialects")
    return parse(file.read_text("utf-8", errors="replace"), name=file.name)


def parse(content: str, *, name: str = "the table") -> tuple[Dialect, ...]:
    """Read dialects from the text of a table; `name` is what errors call it. See `load`."""
    try:
        raw = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is not TOML: {error}") from error
    entries = raw.get("dialect")
    if set(raw) != {"dialect"} or not isinstance(entries, list):
        raise UsageError(f"{name} must hold [[dialect]] and nothing else")
    return tuple(_dialect(entry, name) for entry in entries)


def _dialect(raw: Mapping[str, Any], source: str) -> Dialect:
    where = f"{source}, dialect {raw.get('name', '?')!r}"
    _keys(raw, _KEYS, _NEEDED, where)
    columns = {key: _texts(raw.get(key, []), key, where) for key in ("user", "client_address")}
    return Dialect(
        name=str(raw["name"]),
        recognise=_regex(raw["recognise"], "recognise", where),
        line=_regex(raw["line"], "line", where) if "line" in raw else None,
        pairs=raw.get("pairs", False) is True,
        extract=_regexes(raw.get("extract", {}), "extract", where),
        time=_texts(raw["time"], "time", where),
        forms=tuple(_form(form, where) for form in raw["times"]),
        columns={"gateway": _texts(raw.get("gateway", []), "gateway", where), **columns},
        rules=tuple(_rule(rule, where) for rule in raw["rule"]),
    )


def _keys(raw: Mapping[str, Any], known: frozenset[str], needed: Iterable[str], where: str) -> None:
    unknown, missing = sorted(set(raw) - known), [key for key in needed if key not in raw]
    if unknown or missing:
        faults = [f"unknown key {key!r}" for key in unknown]
        faults += [f"{key!r} is missing" for key in missing]
        raise UsageError(f"{where}: {', '.join(faults)}")


def _texts(value: object, key: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UsageError(f"{where}: {key!r} must be a list of fields")
    return tuple(value)


def _regex(value: object, key: str, where: str) -> re.Pattern[str]:
    try:
        return re.compile(str(value))
    except re.error as error:
        raise UsageError(f"{where}: {key!r} is no regular expression: {error}") from error


def _regexes(value: object, key: str, where: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: {key!r} must name a regular expression for each field")
    return tuple((str(field), _regex(regex, key, where)) for field, regex in value.items())


def _form(raw: Mapping[str, Any], where: str) -> Form:
    _keys(raw, frozenset({"format", "zone"}), ("format",), f"{where}, times")
    form, zone = str(raw["format"]), str(raw.get("zone", "local"))
    fault = "" if form in ("iso", "epoch") else _fault(form)
    if fault:
        raise UsageError(f"{where}, times: {form!r} {fault}")
    offset = {"utc": 0, "local": None}.get(zone, iso.minutes_of(zone))
    if offset is None and zone != "local":
        raise UsageError(f"{where}, times: zone {zone!r} is not 'utc', 'local' or like '+01:00'")
    return Form(form, offset, _width(form))


_DIRECTIVE: Final = re.compile(r"%(.?)", re.DOTALL)


def _fault(form: str) -> str:
    """Say why a format of strptime cannot tell a time by itself; empty if it can."""
    used = set(_DIRECTIVE.findall(form))
    unknown = sorted(used - set("YmdjbBaAHIpMSfz%"))
    if unknown:
        return f"has %{unknown[0]}, which depends on where it is read or leaves something open"
    if "Y" not in used:
        return "has no %Y, and a year is never guessed"
    if "j" not in used and not ("d" in used and used & set("mbB")):
        return "names no day"
    return "has %I without %p" if "I" in used and "p" not in used else ""


def _width(form: str) -> timedelta:
    """Return how long a printed time can have lasted: a day, an hour or a minute, or no time."""
    used = set(_DIRECTIVE.findall(form))
    if form in ("iso", "epoch") or "S" in used:
        return timedelta(0)
    if "M" in used:
        return timedelta(minutes=1)
    return timedelta(hours=1) if used & {"H", "I"} else _LONGEST_DAY


_LONGEST_DAY: Final = timedelta(hours=25)
"""A day on which clocks are put back."""


def _rule(raw: Mapping[str, Any], where: str) -> gateways.Rule:
    _keys(raw, _RULE_KEYS, _RULE_NEEDED, f"{where}, rule")
    action, outcome = str(raw["action"]), str(raw.get("outcome", "unknown"))
    for word, known in ((action, gateways.knowledge()["actions"]), (outcome, schema.OUTCOMES)):
        if word not in known:
            raise UsageError(f"{where}, rule: {word!r} is none of {', '.join(known)}")
    return gateways.Rule(
        dialect=where,
        when=_regexes(raw["when"], "when", where),
        action=action,
        outcome=outcome,
        code=str(raw.get("code", "code")),
    )


# ------------------------------------------------------------------ the reader


def is_log(head: Head) -> bool:
    """Tell a log of one of the kit's own dialects."""
    return _recognised(head.lines, built_in()) is not None


def _recognised(lines: Iterable[str], dialects: Iterable[Dialect]) -> Dialect | None:
    """Return the first dialect that recognises one of the first lines."""
    first = [line[: gateways.LONGEST] for line, _ in zip(lines, range(_SEARCHED), strict=False)]
    found = (one for one in dialects if any(one.recognise.search(line) for line in first))
    return next(found, None)


def reader(dialects: Sequence[Dialect]) -> Reader:
    """Return a reader of these dialects.

    Parameters
    ----------
    dialects
        Tried in their order.

    Examples
    --------
    >>> reader(built_in()).kind
    'gateway_dialect'
    """

    def sniff(head: bytes) -> bool:
        lines = text.decode(head, partial=True).text.split("\n", _SEARCHED)
        return _recognised(lines, dialects) is not None

    return Reader(KIND, sniff, lambda data: _read(data, dialects))


def read(data: bytes) -> Parsed:
    """Read a log of one of the kit's own dialects.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `sessions`, one row a line that a rule is for; `problems`.
    """
    return _read(data, built_in())


def _read(data: bytes, dialects: Sequence[Dialect]) -> Parsed:
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    lines = list(gateways.lines(decoded.text, notes))
    dialect = _recognised((line for _, line in lines), dialects)
    if dialect is None:
        return parsed(problems=[{"reason": "no dialect of a gateway's log fits this file"}])
    rows = [row for number, line in lines if (row := _row(dialect, number, line, notes))]
    return parsed(sessions=schema.frame("sessions", rows), problems=notes.rows())


def _row(dialect: Dialect, number: int, line: str, notes: gateways.Notes) -> gateways.Row | None:
    fields = _fields(dialect, line[: gateways.LONGEST])
    if fields is None:
        notes.add(f"no line of {dialect.name}", line=number, lost=True)
        return None
    if gateways.matched(dialect.rules, fields)[0] is None:
        notes.add(f"a line that no rule of {dialect.name} is for: left out", line=number)
        return None
    when = _when(dialect, " ".join(fields.get(field, "").strip() for field in dialect.time))
    if when is dates.UNKNOWN:
        notes.add("its time is none: left open", line=number)
    elif when.date is None:
        notes.add(
            "the time states no zone or no time of day: given as a span of all it allows",
            line=number,
        )
    return gateways.row_by(dialect.rules, dialect.columns, fields, when, line)


_PAIR: Final = re.compile(r'(?<![^\s,;])([A-Za-z_][\w-]{0,40})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))')


def _fields(dialect: Dialect, line: str) -> gateways.Fields | None:
    """Cut a line; None if it is none of the dialect's."""
    fields: gateways.Fields = {"text": line}
    if dialect.line:
        found = dialect.line.search(line)
        if found is None:
            return None
        fields |= found.groupdict("")
    if dialect.pairs:
        for pair in _PAIR.finditer(line):
            fields.setdefault(pair[1], pair[2] if pair[3] is None else pair[3])
    for field, regex in dialect.extract:
        hit = regex.search(fields.get(field, ""))
        fields |= hit.groupdict("") if hit else {}
    return fields


def _when(dialect: Dialect, stamp: str) -> dates.When:
    for form in dialect.forms:
        when = _by_form(form, stamp)
        if when is not None:
            return when
    return dates.UNKNOWN


def _by_form(form: Form, stamp: str) -> dates.When | None:
    if form.format == "epoch":
        counted = gateways.epoch(stamp)
        return dates.instant(counted) if counted is not None else None
    if form.format == "iso":
        when = iso.read(stamp)
        if when is None or when.date is not None or form.offset is None:
            return when
        hours, minutes = divmod(abs(form.offset), 60)
        return iso.read(f"{stamp}{'-' if form.offset < 0 else '+'}{hours:02}{minutes:02}")
    return _by_strptime(form, stamp)


def _by_strptime(form: Form, stamp: str) -> dates.When | None:
    try:
        made = datetime.strptime(stamp, form.format)  # noqa: DTZ007  # a zone is asked for below
    except ValueError:
        return None
    if not 1990 <= made.year <= 2100:
        return None
    stated = made.utcoffset()
    offset = form.offset if stated is None else int(stated.total_seconds()) // 60
    bounds = gateways.ANYWHERE if offset is None else (offset, offset)
    when = gateways.local([made.replace(tzinfo=None)], offsets=bounds, width=form.width)
    if form.width >= _LONGEST_DAY:
        return replace(when, date=None, basis="date")
    return replace(when, basis="utc") if offset == 0 and form.offset == 0 else when
