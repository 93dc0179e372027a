"""What an event record means: rules as data, applied to whole tables at once.

A rule (``rules/*.toml``) names (channel, provider, event id), optional conditions on the payload,
and where in the payload each column of a fact stands. This file knows how to read and apply
rules; it knows no event id, no code and no product.

Keys of a rule
    ``name  channel  provider  event_id``  what it matches; an empty channel matches any, and an
    export that has lost the channel matches each; names are compared without case (User32 and
    USER32 are one).
    ``when`` / ``unless``  payload field = regular expression that must / must not match.
    ``action  outcome  activity  stage``  constants of the fact.
    ``connection  user  target  code  change  build  revision``  payload fields: a name,
    ``Data[n]`` for the n-th unnamed string, a dotted path into UserData, a text with such names in
    braces (``"{Data[0]} {Data[1]}"``), or a list of these of which the first that is there counts.
    ``take``  for some of these columns a regular expression: its first group is what counts.
    ``label``  what ``change`` says where the payload names nothing.
    ``cancelled_codes``  codes that mean the user gave up: the outcome becomes ``cancelled``.
    ``message``  a sentence with ``{column}`` of these columns in it.
    ``reference  example``  where the facts come from, and a payload a test runs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import pandas as pd

from kitlib import knowledge, schema
from kitlib.errors import IncidentError
from kitlib.localtime import TIME_HIGH, TIME_LOW, TZ_SOURCE

_FIELDS: Final = ("connection", "user", "target", "code", "change", "build", "revision")
_CONSTANTS: Final = ("action", "outcome", "activity", "stage")
_OTHER: Final = ("name", "channel", "provider", "event_id", "when", "unless", "message", "take")
_KEYS: Final = {*_FIELDS, *_CONSTANTS, *_OTHER, "label", "cancelled_codes", "reference", "example"}
_INDEXED: Final = re.compile(r"(\w+)\[(\d+)\]$")
_IN_BRACES: Final = re.compile(r"{(\w+)}")
_PATHS: Final = re.compile(r"{([^{}]+)}")
_KB: Final = re.compile(r"(?<![A-Z0-9])KB:?\s?(\d{6,8})(?!\d)", re.IGNORECASE)
_BUILD: Final = re.compile(r"build (\d{5})\.(\d{1,6})")
_ROLLUP: Final = re.compile(r"RollupFix~(?:[^~]*~){3}(\d{5})\.(\d{1,6})\.")

ESTIMATED: Final = pd.Timedelta(hours=3)
"""A local time that is known to within this (its zone is, summer time is not) is put in the middle
of its interval; wider ones have no time."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of meaning; the module docstring explains the fields."""

    name: str
    channel: str
    provider: str
    event_id: int
    action: str
    reference: str
    example: Mapping[str, Any]
    outcome: str = ""
    activity: str = ""
    stage: str = ""
    message: str = ""
    label: str = ""
    when: Mapping[str, str] = field(default_factory=dict)
    unless: Mapping[str, str] = field(default_factory=dict)
    take: Mapping[str, str] = field(default_factory=dict)
    cancelled_codes: frozenset[str] = frozenset()
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@cache
def load_rules() -> tuple[Rule, ...]:
    """Load the kit's own rules, in file and then line order.

    Raises
    ------
    IncidentError
        If a rule has an unknown or a missing key; the message names file, rule and key.
    """
    found = sorted((files("kitlib") / "rules").iterdir(), key=lambda entry: entry.name)
    return tuple(
        parse_rule(raw, source=entry.name)
        for entry in found
        if entry.name.endswith(".toml")
        for raw in tomllib.loads(entry.read_text("utf-8"))["rule"]
    )


def parse_rule(raw: Mapping[str, Any], *, source: str) -> Rule:
    """Turn one ``[[rule]]`` table into a `Rule`; `source` names its file in error messages."""
    name = raw.get("name", "?")
    unknown = sorted(set(raw) - _KEYS)
    missing = sorted(
        {"name", "channel", "provider", "event_id", "action", "reference", "example"} - set(raw)
    )
    if unknown or missing:
        raise IncidentError(f"{source}, rule {name!r}: unknown keys {unknown}, missing {missing}")
    wrong = sorted(set(_IN_BRACES.findall(raw.get("message", ""))) - set(_FIELDS))
    if wrong:
        raise IncidentError(f"{source}, rule {name!r}: its message names no columns {wrong}")
    loose = sorted(set(raw.get("take", {})) - set(raw).intersection(_FIELDS))
    if loose:
        raise IncidentError(f"{source}, rule {name!r}: 'take' names no columns of the rule {loose}")
    texts = {key: raw[key] for key in (*_CONSTANTS, "message", "label") if key in raw}
    return Rule(
        name=name,
        channel=raw["channel"],
        provider=raw["provider"],
        event_id=raw["event_id"],
        reference=raw["reference"],
        example=raw["example"],
        when=raw.get("when", {}),
        unless=raw.get("unless", {}),
        take=raw.get("take", {}),
        cancelled_codes=frozenset(raw.get("cancelled_codes", ())),
        fields={key: _paths(raw[key]) for key in _FIELDS if key in raw},
        **texts,
    )


def _paths(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def wanted(rules: Iterable[Rule] | None = None) -> list[tuple[str | None, str, int]]:
    """List the (channel, provider, event id) triples the rules need, for `kitlib.read_evtx`."""
    chosen = load_rules() if rules is None else rules
    return sorted(
        {(rule.channel or None, rule.provider, rule.event_id) for rule in chosen},
        key=lambda triple: (triple[1], triple[2], triple[0] or ""),
    )


def classify(events: pd.DataFrame, rules: Iterable[Rule] | None = None) -> pd.DataFrame:
    """Return one fact for each event that a rule knows, as a ``timeline`` table.

    Parameters
    ----------
    events
        Table ``events``.
    rules
        Rules to apply; the kit's own if omitted. An event that two rules match gives two facts.

    Returns
    -------
    pandas.DataFrame
        Table ``timeline`` in the order of the events; ``time_low`` and ``time_high`` equal
        ``time`` and the basis is ``utc``, since event records carry UTC. Events of exports in local
        time have the interval that `kitlib.localtime` gave them.

    Examples
    --------
    >>> classify(schema.empty("events")).empty
    True
    """
    by_number = events.groupby("event_id").indices
    parts = []
    for rule in load_rules() if rules is None else rules:
        hits = events.iloc[by_number.get(rule.event_id, [])]
        hits = hits[hits["provider"].str.casefold() == rule.provider.casefold()]
        if rule.channel:
            channel = hits["channel"].str.casefold()
            hits = hits[(channel == rule.channel.casefold()) | (channel == "")]
        if len(hits):
            hits = hits[[_applies(rule, data) for data in hits["data"]]]
        if len(hits):
            parts.append(_facts(rule, hits))
    if not parts:
        return schema.empty("timeline")
    # Back to the order of the events, so that equal times keep the order of their log.
    return schema.coerce("timeline", pd.concat(parts).sort_index(kind="stable"))


def _applies(rule: Rule, data: Mapping[str, Any] | None) -> bool:
    payload = data or {}
    return all(
        re.search(pattern, lookup(payload, (path,))) for path, pattern in rule.when.items()
    ) and not any(
        re.search(pattern, lookup(payload, (path,))) for path, pattern in rule.unless.items()
    )


def _facts(rule: Rule, hits: pd.DataFrame) -> pd.DataFrame:
    """Columns of one rule's hits, still with the index of the events."""
    payloads = [data or {} for data in hits["data"]]
    columns: dict[str, Any] = {
        name: [_NORMAL[name](_said(rule, name, data)) for data in payloads] for name in rule.fields
    }
    if rule.label:
        columns["change"] = rule.label
    codes = columns.get("code", [""] * len(hits))
    columns |= {"action": rule.action, "activity": rule.activity, "stage": rule.stage}
    columns["outcome"] = [
        "cancelled" if code in rule.cancelled_codes else rule.outcome for code in codes
    ]
    columns |= {name: hits[name] for name in ("host", "path", "record_id", "channel")}
    columns |= _times(hits["time_created"], payloads)
    columns["message"] = _messages(rule.message, columns, len(hits))
    return pd.DataFrame(columns, index=hits.index)


def _said(rule: Rule, name: str, data: Mapping[str, Any]) -> str:
    """Return what a payload says of a column, or the part of it that the rule takes."""
    texts = (_filled(data, path) for path in rule.fields[name])
    text = next((text for text in texts if text), "")
    if name not in rule.take:
        return text
    found = re.search(rule.take[name], text)
    return found[1] if found else ""


def _filled(data: Mapping[str, Any], path: str) -> str:
    """Return the text at a path, or a text with the paths in braces filled in if any says a thing.

    Windows Installer writes ``(NULL)`` where it has nothing to say.
    """
    names = _PATHS.findall(path)
    if not names:
        return lookup(data, (path,))
    values = [value if (value := lookup(data, (name,))) != "(NULL)" else "" for name in names]
    if not any(values):
        return ""
    return " ".join(_PATHS.sub("{}", path).format(*values).split())


def _times(
    created: pd.Series[pd.Timestamp], payloads: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the time columns: the record's own UTC, or what its export's local time means."""
    local = np.array([TIME_LOW in data for data in payloads], dtype=bool)
    columns = dict.fromkeys(("time", "time_low", "time_high"), created)
    if not local.any():
        known = np.where(created.notna(), "utc", "local")
        return columns | {"time_basis": known, "tz_source": ""}
    for name, key in (("time_low", TIME_LOW), ("time_high", TIME_HIGH)):
        told = pd.to_datetime(
            pd.Series([data.get(key) for data in payloads], created.index, dtype=object),
            utc=True,
            format="ISO8601",
        ).astype(schema.TIME)
        columns[name] = told.where(local, created)
    width = columns["time_high"] - columns["time_low"]
    middle = columns["time_low"] + width / 2
    columns["time"] = created.where(created.notna(), middle.where(width <= ESTIMATED))
    known = np.where(local, "offset", "utc")
    basis = np.where(created.notna(), known, "local")
    return columns | {
        "time_basis": basis,
        "tz_source": [str(data.get(TZ_SOURCE, "")) for data in payloads],
    }


def told_channels(events: pd.DataFrame) -> pd.Series[str]:
    """Return each record's channel, also of exports that have lost it.

    Parameters
    ----------
    events
        Table ``events``.

    Returns
    -------
    pandas.Series
        Column ``channel``. The rules, and the other records of the evidence, tell the channel of
        many kinds of records. Where those of a file are of one channel, all records of the file
        without a channel are: Event Viewer saves one log as a list. In a file of several logs only
        records of a known kind have one.
    """
    told = events["channel"]
    if (told != "").all():
        return told
    kind = events["provider"].str.casefold() + " " + events["event_id"].astype("str")
    known = _channel_of_kinds(told, kind)
    blank = events.index[told == ""]
    paths = events.loc[blank, "path"].tolist()
    own = [known.get(name, "") for name in kind[blank]]
    seen: dict[str, set[str]] = {}
    for path, channel in zip(paths, own, strict=True):
        seen.setdefault(path, set()).update({channel} - {""})
    single = {path: next(iter(found)) for path, found in seen.items() if len(found) == 1}
    out = told.copy()
    out[blank] = [channel or single.get(path, "") for path, channel in zip(paths, own, strict=True)]
    return out


def _channel_of_kinds(told: pd.Series[str], kind: pd.Series[str]) -> dict[str, str]:
    """Map kinds of records (provider and event id) to the one channel that rules or records tell."""
    seen: dict[str, set[str]] = {}
    for name, channels in told[told != ""].groupby(kind).unique().items():
        seen.setdefault(str(name), set()).update(channels)
    for rule in load_rules():
        if rule.channel:
            seen.setdefault(f"{rule.provider.casefold()} {rule.event_id}", set()).add(rule.channel)
    return {name: next(iter(found)) for name, found in seen.items() if len(found) == 1}


def estimated_times(events: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """Return each record's time in UTC; of a local time known to within `ESTIMATED`, the middle.

    Parameters
    ----------
    events
        Table ``events``, as `kitlib.localtime` left it.
    """
    created = events["time_created"]
    local = created.isna() & events["data"].map(lambda data: isinstance(data, dict))
    if not local.any():
        return created
    told = _times(created[local], events.loc[local, "data"].tolist())["time"]
    out = created.copy()
    out.loc[told.index] = told
    return out


def _messages(template: str, columns: Mapping[str, Any], count: int) -> list[str]:
    """Fill ``{column}`` in a sentence for each fact; a column that says nothing leaves a blank."""
    names = _IN_BRACES.findall(template)
    said = [_listed(columns.get(name), count) for name in names]
    plain = _IN_BRACES.sub("{}", template)
    if not said:
        return [template] * count
    rows = zip(*said, strict=True)
    return [plain.format(*("" if value is None else value for value in row)) for row in rows]


def _listed(value: Any, count: int) -> Sequence[Any]:  # noqa: ANN401  # a column, or one value
    return [value] * count if value is None or isinstance(value, str) else value


def lookup(data: Mapping[str, Any], paths: Iterable[str]) -> str:
    """Return the text at the first of `paths` that is there and not empty, else ''.

    Examples
    --------
    >>> lookup({"Data": ["a", "b"]}, ["param2", "Data[1]"])
    'b'
    """
    for path in paths:
        value: Any = data
        for name, place in _steps(path):
            value = value.get(name) if isinstance(value, Mapping) else None
            if place is not None:
                listed = value if isinstance(value, list) else [value]
                value = listed[place] if place < len(listed) else None
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, str) and value:
            return value
    return ""


@cache
def _steps(path: str) -> tuple[tuple[str, int | None], ...]:
    """Take ``A.Data[1]`` apart: ``(('A', None), ('Data', 1))``."""
    found = [(part, _INDEXED.match(part)) for part in path.split(".")]
    return tuple((hit[1], int(hit[2])) if hit else (part, None) for part, hit in found)


def change_label(text: str) -> str:
    """Name a change: its KB number if the text holds one, else the text itself.

    Windows Update states the KB only inside a localised title; the token itself is never
    localised. ``/kb:5009543`` on a command line counts too. Servicing calls the cumulative update
    of every month ``RollupFix`` and gives build and revision instead; tools that manage devices give
    the build alone.

    Examples
    --------
    >>> (
    ...     change_label("2022-01 Cumulative Update (KB5009543)"),
    ...     change_label("wusa /uninstall /kb:5009543"),
    ... )
    ('KB5009543', 'KB5009543')
    >>> change_label("Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.1466.1.7")
    'KB5009543'
    """
    found = _KB.search(text)
    if found:
        return f"KB{found[1]}"
    rollup = _ROLLUP.search(text) or _BUILD.fullmatch(text.strip())
    if rollup:
        return knowledge.label(int(rollup[1]), int(rollup[2])) or f"{rollup[1]}.{rollup[2]}"
    return text.strip()


def normal_code(text: str) -> str:
    """Write a code in its usual notation: small numbers decimal, HRESULTs as 0x and 8 digits.

    Negative decimals are HRESULTs printed as signed numbers.

    Examples
    --------
    >>> normal_code("789"), normal_code("-2145124316"), normal_code("0x80240024")
    ('789', '0x80240024', '0x80240024')
    """
    text = text.strip()
    if re.fullmatch(r"-?\d{1,10}", text):
        number = int(text)
        if 0 <= number < 2**31:
            return str(number)
        return f"0x{number & 0xFFFFFFFF:08x}" if -(2**31) <= number < 2**32 else text
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", text):
        return f"0x{int(text, 16):08x}"
    return text


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


_NORMAL: Final[Mapping[str, Callable[[str], Any]]] = {
    "connection": str.lower,
    "user": str.strip,
    "target": str.strip,
    "code": normal_code,
    "change": change_label,
    "build": _whole,
    "revision": _whole,
}


def activity_channels(activity: str) -> frozenset[str]:
    """Channels in which attempts of `activity` would be logged."""
    return frozenset(rule.channel for rule in load_rules() if rule.activity == activity)
