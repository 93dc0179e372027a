"""``Update_History`` of Intune's One Data Collector (ODC): COM's history as sentences.

A line an entry, newest first: ``2022/01/12 03:15 UTC TITLE<tab> - Successfully installed``. The
clock has 12 hours and no AM or PM, so a time is one of two, and the interval holds both. The words
come from the error code alone: an uninstallation prints "Successfully installed" as well. And
failures older than a month are left out.

Below the lines the collector lists every entry property by property, where it was not cut off.
There the operation, the result and the whole time are: such an entry makes the row, and a line
makes one only where no entry matches it. Of a line alone the operation is taken to be an
installation where no older line of the update says it succeeded before, since nothing can be
removed that was not there; it is left open in all others. That rests on the history being whole: it
is not after a reset of Windows Update.

Lines are known from the collector's script, the list from PowerShell's formatter as described; no
real file was seen. The separators of dates are those of the session's culture.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.updates import com_history, com_history_text
from kitlib.readers.updates.hotfix import doubts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

KIND: Final = "intune_odc"

_STAMP: Final = re.compile(r"\d{4}([./-])\d\d\1\d\d \d\d[:.]\d\d (?=UTC )")
_STATES: Final[Mapping[str, str]] = {
    "Successfully installed": "succeeded",
    "Pending Reboot": "in_progress",
    "Failed to install": "failed",
}
_CODES: Final[Mapping[str, str]] = {"succeeded": "0x00000000", "in_progress": "0x80242014"}
"""What the script asks for; 0x80242014 is WU_E_UH_POSTREBOOTSTILLPENDING."""
_STATE: Final = re.compile("|".join(_STATES))
_ERROR: Final = re.compile(r"0x[0-9A-Fa-f]{8}")
_LETTERS: Final = re.compile(r"[\W_]+")
_TITLE_LENGTH: Final = 60
CLOCK: Final = (
    "times are printed on a clock of 12 hours without AM or PM: {} are given as the span of both "
    "readings"
)
WORDS: Final = (
    "uninstallations print 'Successfully installed' too: of {} lines that no entry of the list "
    "explains, the oldest of each update is taken for an installation; {} are left open"
)
LOST: Final = "failures older than a month before the collection are left out"


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    stamp: str
    title: str
    result: str
    hresult: str

    def names(self) -> set[tuple[str, str]]:
        """Return title and minute, for each half of the day."""
        return {(_letters(self.title), minute) for minute in _minutes(self.stamp, "undecided")}


def read(data: bytes) -> Parsed:
    """Read an ``Update_History`` file.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `updates`, basis ``utc``: one row an entry of the list, then one a line that has none;
        `problems` with what lines alone do not say.
    """
    decoded = text.decode(data)
    problems = com_history.noted(decoded)
    lines = list(_lines(decoded.text))
    placed = list(com_history_text.listed(decoded.text))
    order = _order([entry for _, entry in placed], lines)
    made = com_history_text.rows(placed, order, kind=KIND, problems=problems)
    told = {key for _, entry in placed for key in _keys(entry, order)}
    alone = [line for line in lines if not line.names() & told]
    problems.extend(doubts(made, order))
    made += _rows_of(alone, problems)
    if not made:
        problems.append({"reason": "holds no line of an update history"})
    return parsed(updates=schema.frame("updates", made), problems=problems)


def _lines(whole: str) -> Iterator[_Line]:
    for number, line in enumerate(lines_of.split(whole), 1):
        found = _STAMP.match(line)
        if found is None:
            continue
        title, _, words = line[found.end() + len("UTC ") :].rpartition(" - ")
        state = _STATE.match(words)
        if state:
            result = _STATES[state[0]]
            error = _ERROR.search(words)
            code = error[0].lower() if error else _CODES.get(result, "")
            yield _Line(number, line[: found.end()] + "UTC", title.strip(), result, code)


def _order(entries: list[com_history.Entry], lines: list[_Line]) -> dates.Order:
    """Decide the order of day and month in the list, by itself or by the lines, whose is known."""
    order = com_history_text.order_of(entries)
    if order != "undecided":
        return order
    known = {key for line in lines for key in line.names()}
    orders: tuple[dates.Order, dates.Order] = ("month first", "day first")
    month, day = (sum(bool(_keys(entry, one) & known) for entry in entries) for one in orders)
    return order if month == day else orders[month < day]


def _keys(entry: com_history.Entry, order: dates.Order) -> set[tuple[str, str]]:
    """Return title and minute of an entry, as `_Line.names`; both minutes of an open order."""
    title = _letters(str(entry.get("title") or ""))
    return {(title, minute) for minute in _minutes(str(entry.get("date") or ""), order)}


def _minutes(stamp: str, order: dates.Order) -> set[str]:
    """Return the minutes that a printed time can mean, ISO 8601."""
    stated = com_history.stated(stamp)
    if stated is not None and stated.date is not None:
        return {stated.date.strftime("%Y-%m-%dT%H:%M")}
    when = dates.read_local(stamp, order)
    said = (when.local if when else None) or {}
    readings = [one for value in said.values() if isinstance(value, list) for one in value]
    return {str(one)[:16] for one in readings}


def _letters(title: str) -> str:
    """Return the beginning of a title without what a line break may change."""
    return _LETTERS.sub("", title)[:_TITLE_LENGTH].lower()


def _rows_of(lines: list[_Line], problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make the rows of lines that stand alone, and say what they leave open."""
    operations = _operations(lines)
    made = [
        _row(line, operation, problems) for line, operation in zip(lines, operations, strict=True)
    ]
    halves = sum(row["date"] is None and row["date_low"] is not None for row in made)
    said = [CLOCK.format(halves)] if halves else []
    if lines:
        said += [WORDS.format(len(lines), operations.count("")), LOST]
    problems.extend({"reason": reason, "records_lost": 0} for reason in said)
    return made


def _operations(lines: list[_Line]) -> list[str]:
    """Take a line for an installation where no older line of its update says it succeeded.

    COM gives the newest first. Lines that somebody sorted in another way than by time tell nothing
    about an update that has several.
    """
    days = [line.stamp[:10] for line in lines]
    if days == sorted(days, reverse=True):
        return _oldest_first(lines[::-1])[::-1]
    if days == sorted(days):
        return _oldest_first(lines)
    often = Counter(line.title for line in lines)
    return ["install" if often[line.title] == 1 else "" for line in lines]


def _oldest_first(lines: Iterable[_Line]) -> list[str]:
    installed: set[str] = set()
    found: list[str] = []
    for line in lines:
        found.append("" if line.title in installed else "install")
        if line.result == "succeeded":
            installed.add(line.title)
    return found


def _row(line: _Line, operation: str, problems: list[dict[str, Any]]) -> dict[str, Any]:
    when = com_history.in_utc(dates.read_local(line.stamp, "undecided"))
    if when is None:
        reason = f"date {line.stamp!r} is not known: left open"
        problems.append({"place": f"line {line.number}", "reason": reason, "records_lost": 0})
    return {
        **(when or dates.UNKNOWN).cells(),
        "operation": operation,
        "result_code": line.result,
        "hresult": line.hresult,
        "title": line.title,
        "kb": text.kb_of(line.title),
        "source_kind": KIND,
    }
