"""`CBS.log` of Windows servicing: when a package changed its state, in local time without a zone.

The file gives its own offset away: CSI lines repeat their local time in UTC behind an ``@``. A
change between two such marks that agree, not a month apart, is an instant, basis ``offset``; one
beside a single mark, or between two that differ (clocks went on or back) or lie further apart, is
the span of what is possible; without any mark it is a local time of unknown zone.

Rows come from the line servicing writes when a package change is complete. A package that was not
to change its state (a feature of it was) is left out, as is everything else: this is a trace of
hundreds of thousands of lines. A cumulative update's package is called after its build; its KB is
given where the file names one beside the package.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers import offsets as stated
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.lines import Lines
from kitlib.readers.remarks import Remarks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND: Final = "cbs_log"

TARGETS: Final[Mapping[str, str]] = {
    "installed": "install",
    "absent": "uninstall",
    "uninstalled": "uninstall",
}
"""Operation by the state a package was to get; other targets (staged, resolved) prepare only."""

_STAMP: Final = r"^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d), \w{4,7}\s{1,40}"
_MARK: Final = re.compile(
    rf"{_STAMP}CSI\s{{1,10}}[0-9a-f]{{8}}@"
    r"(\d{4})/(\d{1,2})/(\d{1,2}):(\d{1,2}):(\d\d):(\d\d)\.\d",
    re.MULTILINE,
)
_CHANGE: Final = re.compile(
    rf"{_STAMP}CBS\s{{1,10}}(?:SQM: )?Reporting package change completion for package: "
    r"([^,\s]+), current: ([\w ]+), original: ([\w ]+), target: ([\w ]+), "
    r"status: (0x[0-9a-fA-F]{1,8})\b([^\r\n]*)",
    re.MULTILINE,
)
_CLIENT: Final = re.compile(r"client id: ([^,]+)")
_NAMED: Final = re.compile(r"Package: ([^,\s]+), Identifier: (KB\d{6,8})\b")

_QUARTER: Final = timedelta(minutes=15)
_SLACK: Final = timedelta(seconds=90)
"""How far the two clocks of one line may be apart, beyond the offset."""


def read(data: bytes) -> Parsed:
    """Read a `CBS.log` or `CbsPersist` log.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `updates`, one row a change of a package's state; `clocks`, the offsets of the UTC marks;
        `problems` with what is not known of the offset.
    """
    decoded = text.decode(data)
    problems = Remarks()
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    offsets = _offsets(decoded.text)
    names = dict(_NAMED.findall(decoded.text))
    lines = Lines(decoded.text)
    rows = []
    for found in _CHANGE.finditer(decoded.text):
        row = _row(found, offsets, names)
        if row:
            rows.append(row)
            if row["date_low"] is None:
                place = f"line {lines.at(found.start())}"
                reason = "its time is none: taken as unknown"
                problems.append({"place": place, "reason": reason, "records_lost": 0})
    problems.extend(_remarks(rows))
    return parsed(
        updates=schema.frame("updates", rows),
        problems=problems,
        clocks=stated.runs(offsets.stated(), source=KIND),
    )


def _offsets(whole: str) -> stated.Marks:
    found = stated.Marks()
    for mark in _MARK.finditer(whole):
        shown, utc = dates.wall(mark.groups()[:6]), dates.wall(mark.groups()[6:])
        if shown is None or utc is None:
            continue
        offset = round((shown - utc) / _QUARTER) * _QUARTER
        if abs(shown - utc - offset) <= _SLACK and -dates.WEST <= offset <= dates.EAST:
            found.add(mark.start(), offset, utc)
    return found


def _row(
    found: re.Match[str], offsets: stated.Marks, names: Mapping[str, str]
) -> dict[str, Any] | None:
    identity, current, original, target, status, rest = found.groups()[6:]
    operation = TARGETS.get(target.lower(), "")
    if not operation or original.lower() == target.lower():
        return None
    client = _CLIENT.search(rest)
    return {
        **offsets.when(dates.wall(found.groups()[:6]), found.start()).cells(),
        "operation": operation,
        "result_code": _result(int(status, 16), done=current.lower() == target.lower()),
        "hresult": f"0x{int(status, 16):08x}",
        "title": identity,
        "kb": text.kb_of(identity) or names.get(identity, ""),
        "client_application_id": client[1].strip() if client else "",
        "source_kind": KIND,
    }


def _result(status: int, *, done: bool) -> str:
    """Judge a change: the sign bit is failure; no failure and not there yet waits for a restart."""
    if status & 0x80000000:
        return "failed"
    return "succeeded" if done else "in_progress"


def _remarks(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    local = sum(row["date_basis"] == "local" for row in rows)
    if local:
        reason = (
            f"{local} of {len(rows)} times are local and no UTC marks around them in this file tell "
            "the offset"
        )
        yield {"reason": reason, "records_lost": 0}
    if not rows:
        reason = "a servicing log in which no package change was completed"
        yield {"reason": reason, "records_lost": 0}
