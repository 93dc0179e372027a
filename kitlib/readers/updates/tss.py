"""``HOST_Hotfixes.CSV`` and ``.TXT`` of Microsoft's support tools (TSS, SDP): two clocks in one file.

The tool lists the COM history, then what WMI's QuickFixEngineering knows besides, then what the
registry knows besides, in the same columns. COM's rows are UTC; the others are local days. Nothing
says which row is which, but: only COM has a time of day that is not midnight, an uninstallation, a
failure, or a client beside a printed time; ``QFE hotfix`` is the category of WMI's rows; a
registry row prints the registry's own text, without a time of day. What remains open is given as
the interval that holds both readings.

The CSV is not quoted: categories ("Windows 10, version 1903 and later") and titles may hold commas,
so a row is cut around its operation, which is always English. The table cuts long cells off.
All this is known from the tool's script; no real file was seen.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.updates import com_history
from kitlib.readers.updates.hotfix import doubts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

KIND: Final = "tss_hotfixes"

_NAMES: Final = (
    "category",
    "level",
    "id",
    "operation",
    "date",
    "client",
    "by",
    "result",
    "title",
)
_OPERATION: Final = re.compile(r"Install|Uninstall|Unknown\(.{0,20}\)")
_OF_WMI: Final = "QFE hotfix"
_DONE: Final = "Completed successfully"
_RESULTS: Final[Mapping[str, str]] = {
    "Not started": "not_started",
    "In progress": "in_progress",
    _DONE: "succeeded",
    "Completed with errors": "succeeded_with_errors",
    "Failed to complete": "failed",
    "Operation was aborted": "aborted",
}
_MOST_CELLS: Final = 40  # no category has as many commas; the title keeps its own
_CLOCK: Final = re.compile(r"\d[:.]\d\d(?!\d)")
_NUMBER: Final = re.compile(r"(?:KB|Q)?(\d{6,8})(?:v\d)?", re.IGNORECASE)
LOST: Final = (
    "the tool leaves out error codes, update ids, Store apps and, by a slip in its script, the newest "
    "entry of the update history"
)

Cells = dict[str, str]


def _header(lines: list[str]) -> tuple[int, bool]:
    """Return the line of the header, from 1, and whether it is that of the table; 0 if none."""
    for number, line in enumerate(lines[:20], 1):
        plain = line[:200].lower()
        if tuple(name.strip(' "') for name in plain.split(",")) == _NAMES:
            return number, False
        if tuple(plain.split()) == _NAMES:
            return number, True
    return 0, False


def read(data: bytes) -> Parsed:
    """Read a list of updates as the tool writes it.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `updates` with one row a line: basis ``utc`` for rows of COM, ``date`` for rows of WMI and
        the registry and for those that may be either; `problems` with what could not be read.
    """
    decoded = text.decode(data)
    problems = com_history.noted(decoded)
    lines = lines_of.split(decoded.text)
    number, table = _header(lines)
    if not number:
        return parsed(problems=[*problems, {"reason": "no header of the tool's list in it"}])
    problems.append({"reason": LOST, "records_lost": 0})
    cut = _tabled(lines, number) if table else _rows(lines, number, problems)
    rows = [(line, cells) for line, cells in cut if any(cells.values())]
    times = _Times([cells for _, cells in rows])
    made = [_row(line, cells, times, problems) for line, cells in rows]
    problems.extend(doubts(made, times.order))
    problems.extend(times.open_rows())
    return parsed(updates=schema.frame("updates", made), problems=problems)


def _tabled(lines: list[str], number: int) -> Iterator[tuple[int, Cells]]:
    return ((row.line, row.cells) for row in text.columns(lines, header_line=number))


def _rows(
    lines: list[str], number: int, problems: list[dict[str, Any]]
) -> Iterator[tuple[int, Cells]]:
    for line, content in enumerate(lines[number:], number + 1):
        cells = _cells(content)
        if cells:
            yield line, cells
        elif content.strip():
            problems.append(
                {"place": f"line {line}", "reason": "no row of the list", "records_lost": 1}
            )


def _cells(line: str) -> Cells:
    """Cut a row around its operation; nothing if there is none."""
    parts = [part.strip().strip('"') for part in line.split(",", _MOST_CELLS)]
    at = next((n for n in range(3, len(parts) - 5) if _OPERATION.fullmatch(parts[n])), 0)
    if not at:
        return {}
    before = [",".join(parts[: at - 2]), *parts[at - 2 : at]]
    behind = [*parts[at : at + 5], line.split(",", at + 5)[-1].strip().strip('"')]
    return dict(zip(_NAMES, [*before, *behind], strict=True))


class _Times:
    """The times of one file: the order of its dates, and whose clock a row is by.

    COM's and WMI's dates are printed by the session, those of the registry by whoever installed
    the update: each kind has its own order of day and month.
    """

    def __init__(self, rows: Iterable[Cells]) -> None:
        listed = list(rows)
        clocked = [cells["date"] for cells in listed if _CLOCK.search(cells["date"])]
        bare = [cells["date"] for cells in listed if not _CLOCK.search(cells["date"])]
        self.order = dates.order_of(clocked)
        if self.order == "undecided":  # COM gives the newest first; the others have no order
            newest_first = [cells["date"] for cells in listed if _is_of_com(cells)]
            self.order = dates.order_in_time(newest_first)
        self._bare_order = dates.order_of(bare)
        self._open = 0

    def when(self, cells: Cells) -> dates.When | None:
        """Return the time of a row; None if it states none that can be read."""
        stamp = cells["date"]
        if not _CLOCK.search(stamp):
            return dates.read_day(stamp, self._bare_order)
        if _is_of_com(cells):
            return com_history.printed(stamp, self.order)
        local_time = dates.read_local(stamp, self.order)
        if cells["category"] == _OF_WMI and _may_be_midnight(local_time):
            return dates.read_day(stamp, self.order)
        if local_time is not None:
            self._open += 1
        # A local day holds midnight UTC, and the span of a local time the same time in UTC.
        either = dates.read_day(stamp, self.order) if _may_be_midnight(local_time) else local_time
        return replace(either, local=None) if either else None

    def open_rows(self) -> Iterator[dict[str, Any]]:
        """Give the row of `problems` for times that may be UTC or local."""
        if self._open:
            reason = (
                f"{self._open} dates may be UTC (of the update history) or local days (of WMI): "
                "each is given as the span of both"
            )
            yield {"reason": reason, "records_lost": 0}


def _is_of_com(cells: Cells) -> bool:
    """Tell whether a row is surely of the COM history, so its time UTC."""
    stamp = cells["date"]
    if not _CLOCK.search(stamp) or cells["category"] == _OF_WMI:
        return False
    said = (
        cells["client"]
        or cells["operation"] != "Install"
        or cells["result"] in _RESULTS.keys() - {_DONE}
    )
    return bool(said) or not _may_be_midnight(dates.read_local(stamp, "undecided"))


def _may_be_midnight(when: dates.When | None) -> bool:
    """Tell whether a printed local time can be 00:00:00, which is all that WMI has."""
    readings = (
        [one for value in (when.local or {}).values() if isinstance(value, list) for one in value]
        if when
        else []
    )
    return any(str(one).endswith("T00:00:00") for one in readings)


def _row(line: int, cells: Cells, times: _Times, problems: list[dict[str, Any]]) -> dict[str, Any]:
    when = times.when(cells)
    operation = com_history.operation_of(cells["operation"])
    result = _RESULTS.get(cells["result"], "")
    for name, value, read_as in (
        ("date", cells["date"], when or not cells["date"]),
        ("operation", cells["operation"], operation),
        ("result", cells["result"], result),
    ):
        if not read_as:
            reason = f"{name} {value[:40]!r} is not known: left open"
            problems.append({"place": f"line {line}", "reason": reason, "records_lost": 0})
    return {
        **(when or dates.UNKNOWN).cells(),
        "operation": operation,
        "result_code": result,
        "title": cells["title"] or cells["category"],
        "kb": _kb(cells),
        "client_application_id": cells["client"],
        "source_kind": KIND,
    }


def _kb(cells: Cells) -> str:
    """Take the KB from the row's id, where old updates have Q and the same number, or its title."""
    number = _NUMBER.fullmatch(cells["id"])
    return f"KB{number[1]}" if number else text.kb_of(cells["title"])
