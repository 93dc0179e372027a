"""Values of events that an export has lost as such and still tells: joined, renamed, in a sentence.

An event of an old source is a list of strings without names. EvtxECmd joins them with commas,
``Get-EventLog`` as well, Winlogbeat calls them ``param1`` and so on, and exports without event data
have the message alone. For the events of ``messages.toml`` it is known how many values there are and
where the message has them, so ``data`` gets its ``Data`` back. Events of newer sources have names for
their values; of those that the kit uses, ``data`` gets the named values that the message tells.

A joined text is taken apart only if that gives exactly the known number of values. (EvtxECmd leaves
empty values out: an event with an empty value and another one with a comma in it would deceive
this.) Values out of a message are marked with ``"@Data": "message"``. What was done is returned as
sentences for table `problems`.

Nothing here knows what an event means.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers.payload import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitlib.readers.payload import Row

FROM_MESSAGE: Final = "@Data"
"""Key in ``data`` that says where ``Data`` was taken from."""
STRINGS: Final = "@ReplacementStrings"
"""Key in ``data`` of the joined values that ``Get-EventLog`` prints."""

_JOINED: Final = "the values of {} records stood in one text: taken apart by their known number"
_NAMED: Final = "the values of {} records had been given names: they have none and are 'Data' again"
_SENTENCE: Final = (
    "the event data of {} records is what their messages say of it (marked with '@Data')"
)
_FOREIGN: Final = (
    "the messages of {} records are in a language the kit does not know: of their event data only "
    "ids, KB numbers, and a code at the end, are there (marked with '@Data')"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How many values an event has and how to find them in its message."""

    values: int
    sentence: re.Pattern[str]
    anywhere: tuple[re.Pattern[str], ...]
    names: tuple[str, ...] = ()
    """Of its values, in their order; empty where they have none."""
    filled: tuple[int, ...] = ()
    """Places of the values that are never empty, where the others always are."""


@cache
def layouts() -> Mapping[tuple[str, int], Layout]:
    """Load what ``messages.toml`` knows, by provider (lower case) and event id."""
    source = (files("kitlib.readers.events") / "messages.toml").read_text("utf-8")
    return {
        (one["provider"].casefold(), one["event_id"]): Layout(
            one.get("values", 0),
            re.compile(one["sentence"]),
            tuple(re.compile(pattern) for pattern in one["anywhere"]),
            tuple(one.get("names", ())),
            tuple(one.get("filled", ())),
        )
        for one in tomllib.loads(source)["event"]
    }


def restore(rows: Iterable[Row]) -> list[str]:
    """Give the events that are known their values back, in place.

    Parameters
    ----------
    rows
        Rows of one file; their ``data`` is changed.

    Returns
    -------
    list of str
        A sentence for each thing that was done, with the number of records.
    """
    done: Counter[str] = Counter()
    known = layouts()
    for row in rows:
        layout = known.get((row.provider.casefold(), row.event_id or 0))
        if layout is not None and (how := _restore(row.data, layout)):
            done[how] += 1
    return [how.format(number) for how, number in done.items()]


def _restore(data: dict[str, Any], layout: Layout) -> str:
    """Fill in the values and return how; empty if they were there or cannot be had."""
    if layout.names:
        return "" if any(name in data for name in layout.names) else _from_message(data, layout)
    joined = data.get("Data")
    if isinstance(joined, list):
        return _apart(data, joined[0], layout) if len(joined) == 1 < layout.values else ""
    if joined is not None:
        return ""
    text = data.get(STRINGS)
    if isinstance(text, str) and (how := _apart(data, text[1:-1], layout)):
        return how
    return _unnamed(data, layout) or _from_message(data, layout)


def _apart(data: dict[str, Any], text: object, layout: Layout) -> str:
    values = text.split(", ") if isinstance(text, str) else []
    if layout.filled and len(values) == len(layout.filled):
        told = dict(zip(layout.filled, values, strict=True))
        values = [told.get(place, "") for place in range(layout.values)]
    if len(values) != layout.values:
        return ""
    data["Data"] = [canonical(value) or "" for value in values]
    return _JOINED


def _unnamed(data: dict[str, Any], layout: Layout) -> str:
    """Take ``param1`` ... back; newer versions of Winlogbeat count from 0."""
    first = 0 if "param0" in data else 1
    names = [f"param{number}" for number in range(first, first + layout.values)]
    if not any(name in data for name in names):
        return ""
    data["Data"] = [data.pop(name, None) or "" for name in names]
    return _NAMED


def _from_message(data: dict[str, Any], layout: Layout) -> str:
    words = data.get("RenderingInfo")
    message = words.get("Message") if isinstance(words, dict) else None
    if not isinstance(message, str):
        return ""
    whole = layout.sentence.match(message)
    patterns = [whole] if whole else [pattern.search(message) for pattern in layout.anywhere]
    told = {name: text for found in patterns if found for name, text in found.groupdict().items()}
    if "v0" not in told:
        return ""
    texts = [told.get(f"v{number}", "").strip() for number in range(layout.values or len(told))]
    values = [canonical(text) or "" for text in texts]
    data |= dict(zip(layout.names, values, strict=False)) if layout.names else {"Data": values}
    data[FROM_MESSAGE] = "message"
    return _SENTENCE if whole else _FOREIGN
