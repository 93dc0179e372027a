"""`ReportingEvents.log` of the Windows Update agent: local time with its offset, to milliseconds.

Tab-separated, 13 fields (12 in Microsoft's description), of which the event's number and name may
stand in one field or in two, or the number alone (Vista and 7 write it so into `WindowsUpdate.log`,
which `kitlib.readers.updates.windowsupdate_log` reads with `steps`). It is the one text source that states its own offset, so its times
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

    import pandas as pd

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

NUMBERS: Final[Mapping[str, str]] = {
    "181": "AGENT_INSTALLING_STARTED",
    "182": "AGENT_INSTALLING_FAILED",
    "183": "AGENT_INSTALLING_SUCCEEDED",
    "201": "AGENT_INSTALLING_PENDING",
}
"""Events whose number and name were seen side by side; others without a name are told by words."""

_WORDS: Final[Mapping[str, str]] = {
    "started": "STARTED",
    "successful": "SUCCEEDED",
    "failure": "FAILED",
}
# The words of the agent's messages, which for removals stand in its manifest; none was seen.
_SAID: Final = re.compile(r"(Uni|I)nstallation (Started|Successful|Failure):", re.IGNORECASE)
_EVENT: Final = re.compile(rf"AGENT_(UN)?INSTALL(?:ING)?_({'|'.join(STEPS)})")
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)[:.](\d{3})([+-][01]\d[0-5]\d)"
)
_TITLE: Final = re.compile(r"following update(?: with error 0x[0-9A-Fa-f]{1,8})?: ?(.+)")
_GUID: Final = re.compile(r"\{([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}")
_FIELDS: Final = 12
_INSTALLS: Final = "Content Install"


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
    # Not splitlines: titles may hold characters that it takes for the end of a line.
    lines = ((n, one.rstrip("\r")) for n, one in enumerate(decoded.text.split("\n"), 1))
    rows, marks = steps(lines, kind=KIND, problems=problems)
    if not rows and not problems:
        problems.append({"reason": "holds no step of an installation", "records_lost": 0})
    return parsed(
        updates=schema.frame("updates", rows),
        problems=problems,
        clocks=offsets.runs(marks, source=KIND),
    )


def steps(
    lines: Iterable[tuple[int, str]], *, kind: str, problems: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[tuple[pd.Timestamp, int]]]:
    """Read events of the agent, one a line.

    Parameters
    ----------
    lines
        Number and text of each line, without its end; blank ones are passed over.
    kind
        For `source_kind`.
    problems
        Takes the lines that could not be read.

    Returns
    -------
    rows, marks
        Rows of table `updates`, one a step of an installation or removal; UTC and offset
        (minutes) of all lines, for `kitlib.readers.offsets.runs`.
    """
    rows, marks = [], []
    for number, line in lines:
        if not line.strip():
            continue
        fields = _fields(line)
        if fields is None:
            reason = "not the 12 or 13 fields of an event"
            problems.append({"place": f"line {number}", "reason": reason, "records_lost": 1})
            continue
        when = _when(fields[1])
        if when and when.date is not None:
            marks.append((when.date, _minutes(fields[1])))
        row = _row(fields, when, f"line {number}", problems)
        if row:
            rows.append(row | {"source_kind": kind})
    return _titled(rows), marks


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
    told = _told(fields)
    if not told:
        if fields[3].isdigit() and fields[10] == _INSTALLS:
            reason = f"event {fields[3][:9]} of an installation is not known: left out"
            problems.append({"place": place, "reason": reason, "records_lost": 1})
        return None
    if when is None:
        reason = f"{fields[1][:40]!r} is no time: taken as unknown"
        problems.append({"place": place, "reason": reason, "records_lost": 0})
    title = _TITLE.search(fields[11])
    update_id = _GUID.fullmatch(fields[5])
    return {
        **(when or dates.UNKNOWN).cells(),
        "operation": told[0],
        "result_code": STEPS[told[1]],
        "hresult": _code(fields[7]),
        "title": title[1].strip() if title else "",
        "kb": text.kb_of(fields[11]),
        "update_id": update_id[1].lower() if update_id else "",
        "client_application_id": fields[8],
    }


def _told(fields: list[str]) -> tuple[str, str] | None:
    """Tell operation and step by the event's name, else its number, else its words."""
    event = _EVENT.search(NUMBERS.get(fields[3], fields[3]))
    if event:
        return "uninstall" if event[1] else "install", event[2]
    said = _SAID.match(fields[11]) if fields[3].isdigit() else None
    if said is None:
        return None
    return "uninstall" if len(said[1]) > 1 else "install", _WORDS[said[2].lower()]


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
