"""One event as a tree of elements, made into one row: System fields as columns, the rest a dict.

Both engines hand over the same small tree, so everything that could differ between them is
settled here or before. Rules for ``data`` (values are text, list of text, dict or None):

=====================================  =====================================================
in the record                          in ``data``
=====================================  =====================================================
``<Data Name="n">text</Data>``         ``"n": "text"``
``<Data>a</Data><Data/>``              ``"Data": ["a", ""]``, always a list of text
a name that occurs twice               ``"n": [first, second]``, in their order
``<Binary>``                           ``"Binary"``: upper-case hex; None if empty
``<UserData><Root><a>x</a></Root>``    ``"a": "x"``, ``"UserData": "Root"``
nested elements                        dicts
attributes, but ``Name`` of a field    ``"@attribute"``, beside the element's children
text beside attributes or children     ``"#text"``
``<EventData Name="x">``               ``"@Name": "x"``
other children of ``<Event>``          under their own name, e.g. ``"RenderingInfo"``
=====================================  =====================================================

Namespace declarations are left out. An element without text is None: neither Windows' own XML
nor the Rust engine's tells an empty text from NULL. A value that as a whole is a GUID is lower case without braces, one
that is ``0x`` and hex digits is lower case, whatever type the record gives it: the engines'
texts do not tell a GUID from a text that looks like one, and joins want one spelling.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from sys import intern
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Value = str | list[Any] | dict[str, Any] | None

EPOCH_TICKS: Final = 116_444_736_000_000_000
"""FILETIME (100 ns since 1601) of 1970-01-01."""
CUT: Final = 1_000
"""Engines cut times to microseconds: of the record header's time, cut the same way, it is the time."""

_GUID = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")
_HEX = re.compile(r"0[xX][0-9a-fA-F]+")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\d*(?:Z|\+00:00)?")
_NO_GUID: Final = "00000000-0000-0000-0000-000000000000"
NS_FIRST: Final = -(2**63) + 1
NS_LAST: Final = 2**63 - 1


@dataclass(slots=True)
class Element:
    """One element of an event: name, attributes, own text (None: no value), child elements."""

    name: str
    attributes: dict[str, str | None]
    text: str | None
    children: list[Element]


class Row(NamedTuple):
    """The columns of table `events` but for ``path``; ``time_created`` in ns since 1970."""

    record_id: int | None
    data: dict[str, Any]
    host: str = ""
    time_created: int | None = None
    channel: str = ""
    provider: str = ""
    event_id: int | None = None
    version: int | None = None
    level: int | None = None
    task: int | None = None
    opcode: int | None = None
    keywords: str = ""
    process_id: int | None = None
    thread_id: int | None = None
    user_id: str = ""
    activity_id: str = ""
    qualifiers: int | None = None


class Wanted:
    """Which events are asked for: (channel, provider, event id), None in a place = any.

    Raises
    ------
    ValueError
        Something else than such triples.
    """

    def __init__(self, events: Iterable[tuple[str | None, str | None, int | None]]) -> None:
        self._keys = {
            (c and c.casefold(), p and p.casefold(), i if i is None else int(i))
            for c, p, i in events
        }

        self._known: dict[tuple[str, str, int | None], bool] = {}

    @property
    def event_ids(self) -> frozenset[int] | None:
        """The event ids asked for; None if any may be."""
        ids = [event_id for _, _, event_id in self._keys]
        return None if None in ids else frozenset(i for i in ids if i is not None)

    @property
    def providers(self) -> frozenset[str] | None:
        """The providers asked for, in lower case; None if any may be."""
        names = [provider for _, provider, _ in self._keys]
        return frozenset(filter(None, names)) if all(names) else None

    def __call__(self, fields: Mapping[str, Any]) -> bool:
        """Tell whether an event with these columns is asked for; case does not count."""
        kind = (fields.get("channel", ""), fields.get("provider", ""), fields.get("event_id"))
        if kind not in self._known:
            self._known[kind] = self._asked(*kind)
        return self._known[kind]

    def _asked(self, channel: str, provider: str, event_id: int | None) -> bool:
        places = ((channel.casefold(), None), (provider.casefold(), None), (event_id, None))
        return any(key in self._keys for key in product(*places))


def canonical(text: str | None) -> str | None:
    """Give a GUID or a hex number its one spelling, no text None; leave the rest alone."""
    if not text:
        return None
    size = len(text)
    if 36 <= size <= 38 and (found := _GUID.fullmatch(text)):
        return found[1].lower()
    if size > 2 and text[0] == "0" and text[1] in "xX" and _HEX.fullmatch(text):
        return text.lower()
    return text


def row(columns: Mapping[str, Any], data: dict[str, Any], *, record_id: int, ticks: int) -> Row:
    """Make the row of one event.

    Parameters
    ----------
    columns
        What `columns` made of its ``System`` element.
    data
        What `payload` made of the rest.
    record_id, ticks
        Id and FILETIME of writing, from the record's header. The id in the event itself is
        taken where it has one: a forwarded event keeps the id that it has at its source.
    """
    made = {"record_id": whole(str(record_id)), **columns, "data": data}
    made["time_created"] = exact(made.get("time_created"), ticks)
    return Row(**made)


def columns(elements: Iterable[Element]) -> dict[str, Any]:
    """Make columns of the children of a ``System`` element; the first of a name counts.

    What is absent or cannot be read is left out, so the row has its default there.
    """
    out: dict[str, Any] = {}
    for element in elements:
        for attribute, column, read in SYSTEM_COLUMNS.get(element.name, ()):
            text = element.attributes.get(attribute) if attribute else element.text
            value = read(text.strip()) if text else None
            if value is not None and value != "":
                out.setdefault(column, value)
    return out


def exact(stated: int | None, ticks: int) -> int | None:
    """Return TimeCreated (ns since 1970) to 100 ns; None if it was absent or no time.

    Where the record header's time begins with the same digits, it is the same instant, and is
    taken: the engines cut TimeCreated to microseconds. (In some logs the header's time is some
    microseconds later: written is not created.)
    """
    if stated is None:
        return None
    header = (ticks - EPOCH_TICKS) * 100
    chosen = header if 0 <= header - stated < CUT else stated
    return chosen if NS_FIRST <= chosen <= NS_LAST else None


def nanoseconds(text: str) -> int | None:
    """Read an ISO 8601 time in UTC with up to nine decimals as ns since 1970."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    try:
        base = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
    except ValueError:
        return None
    seconds = (base.toordinal() - 719_163) * 86_400 + base.hour * 3600 + base.minute * 60
    return (seconds + base.second) * 1_000_000_000 + int((found[3] or "0").ljust(9, "0"))


def whole(text: str) -> int | None:
    """Read a decimal or 0x number that fits 64 bits; None otherwise."""
    try:
        value = int(text, 16) if text[:2] in {"0x", "0X"} else int(text)
    except ValueError:
        return None
    return value if -(2**63) <= value < 2**63 else None


def hex16(text: str) -> str:
    """Write keywords as '0x' and 16 lower-case digits; empty if absent or no number."""
    try:
        value = int(text, 16) if text[:2] in {"0x", "0X"} else int(text)
    except ValueError:
        return ""
    return f"0x{value & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def guid(text: str) -> str:
    """Return a GUID lower case without braces; empty if it is none or the zero GUID."""
    found = _GUID.fullmatch(text)
    value = found[1].lower() if found else ""
    return "" if value == _NO_GUID else value


SYSTEM_COLUMNS: Final[dict[str, tuple[tuple[str, str, Callable[[str], Any]], ...]]] = {
    "Provider": (("Name", "provider", intern), ("EventSourceName", "provider", intern)),
    "EventID": (("", "event_id", whole), ("Qualifiers", "qualifiers", whole)),
    "Version": (("", "version", whole),),
    "Level": (("", "level", whole),),
    "Task": (("", "task", whole),),
    "Opcode": (("", "opcode", whole),),
    "Keywords": (("", "keywords", hex16),),
    "TimeCreated": (("SystemTime", "time_created", nanoseconds),),
    "EventRecordID": (("", "record_id", whole),),
    "Correlation": (("ActivityID", "activity_id", guid),),
    "Execution": (("ProcessID", "process_id", whole), ("ThreadID", "thread_id", whole)),
    "Channel": (("", "channel", intern),),
    "Computer": (("", "host", intern),),
    "Security": (("UserID", "user_id", intern),),
}
"""Children of ``System``: which attribute (or text) goes to which column, and how it is read."""


def real(value: np.floating[Any], least: int, most: int) -> str:
    """Write the shortest digits; with an exponent if the point stands outside least..most.

    As the `evtx` engine writes them, so that a payload reads the same whoever decoded it.
    """
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else str(value)
    mantissa, exponent = np.format_float_scientific(value, unique=True, trim="-").split("e")
    if value == 0 or least <= int(exponent) + 1 <= most:
        return str(np.format_float_positional(value, unique=True, trim="0"))
    return f"{mantissa}e{int(exponent):+d}"


def payload(parts: Iterable[Element]) -> dict[str, Any]:
    """Make ``data`` of what stands beside ``System`` in an event (table at the top)."""
    out: dict[str, Any] = {}
    for part in parts:
        if part.name == "System":
            continue
        if part.name == "EventData":
            _add_attributes(out, part)
            _add_fields(out, part.children)
            _add_text(out, part)
        elif part.name == "UserData":
            _add_attributes(out, part)
            _add_user_data(out, part.children)
            _add_text(out, part)
        else:
            _add(out, part.name, _value(part))
    return out


def _add_fields(out: dict[str, Any], children: Iterable[Element]) -> None:
    for child in children:
        name = child.attributes.get("Name") or ""
        add_field(out, child.name, name, _value(child, without="Name" if name else ""))


def add_field(out: dict[str, Any], tag: str, name: str, value: Value) -> None:
    """Add one child of ``EventData``: by its ``Name``, or by its tag if it has none."""
    if name:
        _add(out, name, value)
    elif tag == "Data":
        out.setdefault("Data", [])
        _add(out, "Data", value or "")
    elif tag == "Binary":
        _add(out, "Binary", value.upper() if isinstance(value, str) else value)
    else:
        _add(out, tag, value)


def _add_user_data(out: dict[str, Any], roots: list[Element]) -> None:
    for root in roots:
        _add(out, "UserData", root.name.rpartition(":")[2])
        _add_attributes(out, root)
        for child in root.children:
            _add(out, child.name.rpartition(":")[2], _value(child))
        _add_text(out, root)


def _add_attributes(out: dict[str, Any], element: Element) -> None:
    for name, value in element.attributes.items():
        if not name.startswith("xmlns"):
            _add(out, f"@{name}", canonical(value))


def _add_text(out: dict[str, Any], element: Element) -> None:
    if element.text:
        _add(out, "#text", canonical(element.text))


def _add(out: dict[str, Any], name: str, value: Value) -> None:
    """Set a name, or make a list of it if it is there already."""
    if name not in out:
        out[intern(name)] = value
    elif isinstance(out[name], list):
        out[name].append(value)
    else:
        out[name] = [out[name], value]


def _value(element: Element, *, without: str = "") -> Value:
    """Return an element's content: text, or a dict where it has attributes or children."""
    attributes = {
        f"@{name}": canonical(value)
        for name, value in element.attributes.items()
        if name != without and not name.startswith("xmlns")
    }
    if not attributes and not element.children:
        return canonical(element.text)
    out: dict[str, Any] = dict(attributes)
    for child in element.children:
        _add(out, child.name.rpartition(":")[2], _value(child))
    if element.text:
        _add(out, "#text", canonical(element.text))
    return out
