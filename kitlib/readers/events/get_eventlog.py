"""``Get-EventLog`` as the console shows it: a table, or the list of ``Format-List``.

The old cmdlet knows neither channel nor UTC. ``Index`` is the record number. ``InstanceId`` holds
the event id in its lower 16 bits and the qualifiers above (MSDN, EventLogEntry.InstanceId). Times
are local and in the culture's form, in the default table even without a year. The table has no
more of the message than fits; in the list, lines of a message are known by standing further right,
and the blanks at their beginning are not kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers.events.exports import (
    LEVELS,
    LOCAL_TIME,
    finish,
    instant,
    make_row,
    read_fields,
    rendering,
    start,
)
from kitlib.readers.events.messages import STRINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kitlib.readers.base import Parsed
    from kitlib.readers.payload import Row
    from kitlib.readers.sniffing import Head

KIND: Final = "get_eventlog_text"

_TIMES: Final = ("timegenerated", "time", "timewritten")
_WORDS: Final = frozenset({*_TIMES, "entrytype", "source", "instanceid", "message"})
_NUMBERS: Final = frozenset({"index", "instanceid", "eventid"})
"""Columns that PowerShell sets flush right: longer numbers begin left of their header."""
_FIELD: Final = re.compile(r"([A-Za-z]{1,40}) *: ?(.*)")

_SEARCHED: Final = 60

Cells = dict[str, str]


def is_listing(head: Head) -> bool:
    """Tell it by the table's header and dashes, or by the list's property names."""
    lines = head.lines[:_SEARCHED]
    return _table_at(lines) is not None or _is_list(lines)


def _lines(whole: str) -> list[str]:
    """Break lines where the console does: a line separator inside a message is none of these."""
    return [line.removesuffix("\r") for line in whole.split("\n")]


def _table_at(lines: Sequence[str]) -> int | None:
    """Return where the dashes below the header stand."""
    for number, line in enumerate(lines[1:20], 1):
        names = lines[number - 1].lower().split()
        dashed = bool(line.strip()) and not line.strip(" -")
        if dashed and "index" in names and "source" in names and len(_WORDS & set(names)) >= 2:
            return number
    return None


def _is_list(lines: Iterable[str]) -> bool:
    found = {match[1].lower() for line in lines if (match := _FIELD.fullmatch(line))}
    return "index" in found and len(_WORDS & found) >= 4


def read(data: bytes) -> Parsed:
    """Read the console's output of ``Get-EventLog``."""
    whole, found = start(data)
    lines = _lines(whole)
    at = _table_at(lines)
    for line, cells in _listed(lines) if at is None else _tabled(lines, at):
        row = _row(cells)
        if row is None:
            found.lose("no event: neither a number nor a time", place=f"line {line}")
        else:
            found.rows.append(row)
    remarks = ["event data", "fractions of seconds"]
    return finish(found, label="Get-EventLog's text", remarks=remarks)


def _tabled(lines: list[str], dashes: int) -> Iterator[tuple[int, Cells]]:
    spans = [(word.start(), word.end(), word[0].lower()) for word in _words(lines[dashes - 1])]
    for number, line in enumerate(lines[dashes + 1 :], dashes + 2):
        if line.strip(" -"):
            yield number, _cut(line, spans)


def _words(header: str) -> list[re.Match[str]]:
    return list(re.finditer(r"\S+", header))


def _cut(line: str, spans: list[tuple[int, int, str]]) -> Cells:
    out: Cells = {}
    left = 0
    for place, (begin, end, name) in enumerate(spans):
        if name in _NUMBERS:
            out[name] = line[:end].rsplit(" ", maxsplit=1)[-1]
            left = end
        else:
            last = place + 1 == len(spans)
            until = len(line) if last else _until(line, spans[place + 1])
            out[name] = line[max(begin, left) : until].strip()
            left = until
    return out


def _until(line: str, following: tuple[int, int, str]) -> int:
    """Return where a cell ends: where the next column, or its number set flush right, begins."""
    begin, end, name = following
    if name not in _NUMBERS:
        return begin
    return min(begin, line.rfind(" ", 0, end) + 1)


def _listed(lines: list[str]) -> Iterator[tuple[int, Cells]]:
    """Cut a list into records: one ends where its first property comes again."""
    cells: Cells = {}
    begun, last = 0, ""
    for number, line in enumerate(lines, 1):
        match = _FIELD.fullmatch(line)
        if match is None:
            if last and line.strip():
                cells[last] = f"{cells[last]}\n{line.strip()}".strip()
            continue
        last = match[1].lower()
        if last in cells and last == next(iter(cells)):
            yield begun, cells
            cells = {}
        begun = begun if cells else number
        cells[last] = match[2].strip()
    if cells:
        yield begun, cells


def _row(cells: Mapping[str, str]) -> Row | None:
    stamp = next((cells[name] for name in _TIMES if cells.get(name)), "")
    number = cells.get("index", "")
    if not number.isdecimal() or not stamp:
        return None
    word = cells.get("entrytype", "")
    texts = {
        "host": cells.get("machinename"),
        "provider": cells.get("source"),
        "record_id": number,
        "level": LEVELS.get(word.lower()),
        **_ids(cells),
    }
    time = instant(stamp)
    data: dict[str, Any] = {} if time is not None else {LOCAL_TIME: stamp}
    if cells.get("replacementstrings"):
        data[STRINGS] = cells["replacementstrings"]  # where one ends is not to be told
    if cells.get("username"):
        data["@UserName"] = cells["username"]
    data |= rendering(Level=word, Message=cells.get("message"))
    return make_row({**read_fields(texts), "time_created": time}, data)


def _ids(cells: Mapping[str, str]) -> dict[str, str]:
    stated = cells.get("eventid", "")
    instance = cells.get("instanceid", "")
    if not instance.isdecimal() or len(instance) > 10:
        return {"event_id": stated}
    high, low = divmod(int(instance), 1 << 16)
    if stated.isdecimal() and stated != str(low):
        return {"event_id": stated}  # an instance id that is not made of the event id
    return {"event_id": str(low), "qualifiers": str(high) if high else ""}
