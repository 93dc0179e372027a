"""`ReportingEvents.log` of the Windows Update agent: local time with its offset, to milliseconds.

Tab-separated, 13 fields (12 in Microsoft's description), of which the event's number and name may
stand in one field or in two. It is the one text source that states its own offset, so its times
are exact. Installations and removals become rows, one a step: started, pending (a restart is
due), succeeded (stamped after the restart), failed. Detections and downloads are no change of the
host and are left out. Only steps that begin or end name the update; a pending one takes the title
from the others of the same update id.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, offsets, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.remarks import Remarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KIND: Final = "reporting_events"

STEPS: Final[Mapping[str, str]] = {
    "STARTED": "in_progress",
    "PENDING": "in_progress",
    "COMPLETE_WITH_REBOOT": "in_progress",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "FAILED_POST_REBOOT": "failed",
    "CANCEL": "aborted",
    "KILLED": "aborted",
}
"""What an agent event's last words say about the result."""

_EVENT: Final = re.compile(rf"AGENT_(UN)?INSTALL(?:ING)?_({'|'.join(STEPS)})")
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)[:.](\d{3})([+-][01]\d[0-5]\d)"
)
_TITLE: Final = re.compile(r"following update(?: with error 0x[0-9A-Fa-f]{1,8})?: ?(.+)")
_GUID: Final = re.compile(r"\{([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}")
_FIELDS: Final = 12


def read(data: bytes) -> Parsed:
    """Read a `ReportingEvents.log`.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `updates`, one row a step of an installation or removal, basis ``offset``; `clocks`, the
        offsets of all lines; `problems` with lines that could not be read.
    """
    decoded = text.decode(data)
    problems = Remarks()
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    rows, marks = [], []
    # Not splitlines: titles may hold characters that it takes for the end of a line.
    for number, line in enumerate(decoded.text.split("\n"), 1):
        if not line.strip():
            continue
        fields = _fields(line.rstrip("\r"))
        if fields is None:
            reason = "not the 12 or 13 fields of an event"
            problems.append({"place": f"line {number}", "reason": reason, "records_lost": 1})
            continue
        when = _when(fields[1])
        if when and when.date is not None:
            marks.append((when.date, _minutes(fields[1])))
        row = _row(fields, when, f"line {number}", problems)
        if row:
            rows.append(row)
    if not rows and not problems:
        problems.append({"reason": "holds no step of an installation", "records_lost": 0})
    return parsed(
        updates=schema.frame("updates", _titled(rows)),
        problems=problems,
        clocks=offsets.runs(marks, source=KIND),
    )


def _fields(line: str) -> list[str] | None:
    """Cut a line into its fields, number and name of the event in one of them."""
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) > 4 and fields[4].startswith("["):
        fields[3:5] = [f"{fields[3]} {fields[4]}"]
    whole = len(fields) in (_FIELDS, _FIELDS + 1) and _TIME.fullmatch(fields[1])
    return fields if whole else None


def _row(
    fields: list[str], when: dates.When | None, place: str, problems: list[dict[str, Any]]
) -> dict[str, Any] | None:
    event = _EVENT.search(fields[3])
    if not event:
        return None
    if when is None:
        reason = f"{fields[1][:40]!r} is no time: taken as unknown"
        problems.append({"place": place, "reason": reason, "records_lost": 0})
    title = _TITLE.search(fields[11])
    update_id = _GUID.fullmatch(fields[5])
    return {
        **(when or dates.UNKNOWN).cells(),
        "operation": "uninstall" if event[1] else "install",
        "result_code": STEPS[event[2]],
        "hresult": _code(fields[7]),
        "title": title[1].strip() if title else "",
        "kb": text.kb_of(fields[11]),
        "update_id": update_id[1].lower() if update_id else "",
        "client_application_id": fields[8],
        "source_kind": KIND,
    }


def _when(stamp: str) -> dates.When | None:
    *digits, thousandths, zone = _TIME.fullmatch(stamp).groups()  # type: ignore[union-attr]  # _fields saw to it
    moment = dates.wall(digits)
    if moment is None:
        return None
    return dates.known(moment.replace(microsecond=int(thousandths) * 1000), dates.offset_of(zone))


def _minutes(stamp: str) -> int:
    return int(dates.offset_of(stamp[-5:]).total_seconds() // 60)


def _code(digits: str) -> str:
    return f"0x{int(digits, 16):08x}" if re.fullmatch(r"[0-9A-Fa-f]{1,8}", digits) else ""


def _titled(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give steps that name no update the title that another step of the same update has."""
    made = list(rows)
    known = {row["update_id"]: row for row in made if row["title"] and row["update_id"]}
    for row in made:
        named = known.get(row["update_id"])
        if named and not row["title"]:
            row |= {"title": named["title"], "kb": named["kb"]}
    return made
