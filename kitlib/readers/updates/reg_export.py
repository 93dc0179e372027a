r"""Registry exports as text: ``.reg`` files of ``reg export`` and of the registry editor.

Knows the syntax of both versions ("Windows Registry Editor Version 5.00", mostly UTF-16, and
"REGEDIT4", in the code page of the machine, whose coded texts are in that code page too); what is
taken from which key is the business of `kitlib.readers.updates.registry`. An export states no times of
keys, so of the time zone only what holds at any time can be known.

The text is gone through once, value by value, since a text in it may itself hold line ends and
what looks like a key. Of keys that are of no use nothing is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates import cbs_packages, registry
from kitlib.readers.updates.cbs_packages import Package

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND: Final = "registry_export"

_OLD: Final = re.compile(r"\s*REGEDIT4", re.IGNORECASE)
_TEXT: Final = r'"(?:[^"\\]|\\.)*+"'
_ITEM: Final = re.compile(
    rf"""^[ \t]*+(?:
        \[(?P<key>[^\r\n]{{0,2000}})\][ \t\r]*$
        | (?P<name>@|{_TEXT})[ \t]*+=[ \t]*+(?:
            (?P<text>{_TEXT})
            | dword:(?P<dword>[0-9a-f]{{1,8}})(?![0-9a-f])
            | hex(?:\((?P<type>[0-9a-f]{{1,8}})\))?:(?P<hex>(?:[0-9a-f,]++|\\[ \t]*+\r?\n[ \t]*+)*+)
        )
    )""",
    re.MULTILINE | re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_NOT_HEX: Final = re.compile(r"[^0-9a-fA-F]+")
_LONGEST: Final = 100_000  # digits of coded data that are decoded

_KEYS: Final = {
    kind: re.compile(rf".*\\{path}", re.IGNORECASE | re.DOTALL)
    for kind, path in (
        ("package", re.escape(cbs_packages.BRANCH) + r"\\(?P<name>[^\\]+)"),
        ("windows", re.escape(registry.WINDOWS)),
        ("zone", re.escape(registry.ZONE)),
        ("computer", re.escape(registry.COMPUTER)),
    )
}


@dataclass(slots=True)
class _Found:
    """The values of the keys that are of use, by lower-case name."""

    packages: dict[str, dict[str, object]] = field(default_factory=dict)
    others: dict[str, dict[str, object]] = field(default_factory=dict)
    keys: int = 0
    first: str = ""


def read(data: bytes) -> Parsed:
    """Read a registry export.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `updates` from the packages of Windows servicing, see
        `kitlib.readers.updates.cbs_packages.rows_of`; `clocks` from the time zone; `problems` with what
        is not sure, or that nothing of it is used.
    """
    decoded = text.decode(data)
    problems = Remarks()
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    found = _gathered(decoded.text)
    packages = [Package(name, values) for name, values in found.packages.items()]
    rows = cbs_packages.rows_of(packages, problems, kind=KIND)
    windows = registry.windows_of(found.others.get("windows", {}))
    if windows:
        reason = f"the registry is that of {windows}; no table holds this"
        problems.append({"reason": reason, "records_lost": 0})
    host = found.others.get("computer", {}).get("computername")
    clocks = registry.zone_of(
        found.others.get("zone", {}), host=host if isinstance(host, str) else ""
    )
    for row in clocks:
        row["source"] = KIND
    problems.extend(_state(decoded.text, found))
    return parsed(updates=schema.frame("updates", rows), problems=problems, clocks=clocks)


def _state(whole: str, found: _Found) -> Iterator[dict[str, Any]]:
    if not (found.packages or found.others):
        what = f"{found.keys} keys, the first {found.first[:120]}" if found.keys else "no key"
        reason = f"a registry export of {what}: nothing of it is used"
        yield {"reason": reason, "records_lost": 0}
    elif not whole.endswith("\n"):
        yield {"reason": "the export ends in the middle of a line: it was cut off"}


def _gathered(whole: str) -> _Found:
    """Go through the text once and keep the values of the keys that are of use."""
    found = _Found()
    old = _OLD.match(whole) is not None
    values: dict[str, object] | None = None
    for item in _ITEM.finditer(whole):
        path = item["key"]
        if path is not None:
            values = _values_for(path, found)
        elif values is not None and (data := _data(item, old=old)) is not None:
            values[_unescaped(item["name"]).lower()] = data
    return found


def _values_for(path: str, found: _Found) -> dict[str, object] | None:
    """Return the place for the values of a key; None if they are of no use."""
    found.keys += 1
    found.first = found.first or path
    for kind, pattern in _KEYS.items():
        fitting = pattern.fullmatch(path)
        # A key that is to be deleted holds nothing; programs of 32 bit have a copy of some keys.
        if fitting is None or path.startswith("-") or "\\wow6432node\\" in path.lower():
            continue
        if kind == "package":
            return found.packages.setdefault(fitting["name"], {})
        return found.others.setdefault(kind, {})
    return None


def _data(item: re.Match[str], *, old: bool) -> object:
    if item["text"] is not None:
        return _unescaped(item["text"])
    if item["dword"] is not None:
        return int(item["dword"], 16)
    digits = _NOT_HEX.sub("", item["hex"][:_LONGEST])
    raw = bytes.fromhex(digits[: len(digits) // 2 * 2])
    kind = int(item["type"] or "3", 16)
    if kind in (4, 11):
        return int.from_bytes(raw, "little")
    if kind in (1, 2, 7):
        plain = raw.decode("cp1252" if old else "utf-16-le", errors="replace")
        return "\n".join(filter(None, plain.split("\0")))
    return raw


def _unescaped(quoted: str) -> str:
    return _ESCAPED.sub(r"\1", quoted[1:-1])
