r"""`WindowsUpdate.log`: the text up to Windows 8, and what `Get-WindowsUpdateLog` decodes since.

A developer's trace; few of its lines state that an update was installed or removed:

- ``REPORT EVENT: {...}``: an event as in `ReportingEvents.log`, with its own offset, so exact.
  Seen on Windows 7 and Vista (number without name, 12 fields): a public account of KB3172605 and
  KB3177467 failing on Windows 7; issue 115 of LegacyUpdate/LegacyUpdate. Not seen decoded.
- ``Starting install of CBS update <id>`` ... ``Completed install of CBS update with type=,
  requiresReboot=, installerError=, hr=``, the package's identity between them. Seen in the same
  account and in Microsoft's "Track the software update deployment process in Configuration
  Manager". A public listing of a later agent's strings has the same sentences, with ``uninstall``
  as well; a line of a removal was not seen, nor a decoded one.
- ``LogHistory called. idUpdate={..}.1, resultMapped=80070643``: the agent writes its history. Seen
  decoded from Windows 10: issue 4 of DCourtel/Wsus_Package_Publisher. Only a failure was seen; that
  0 is success and 240005 a restart due is what these codes mean elsewhere.

Titles of ids come from the list below ``Installing updates`` (seen: Microsoft's article 902093,
Windows XP). What a log repeats in other words (``Install call complete``) names no update and is
left out.

The old text is in the host's local time, and says how far that is from UTC each time logging
begins (``tz: -0500``, east is positive: the same log prints a time in UTC beside it). The decoded
one is in the local time of whoever decoded it, which need not be the host's zone: its times stay
the interval of all offsets, and carry no `When.local`, so that no host's zone is laid on them.
Years of 1600 and 1601, and ``No Format Information found`` (seen: issue 448 of
MicrosoftDocs/windows-driver-docs), are lines the decoder could not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kitlib import schema
from kitlib.readers import dates, offsets, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates import reporting_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

KIND: Final = "windowsupdate_log"
OLD_KIND: Final = "windowsupdate_log_old"

REBOOT_REQUIRED: Final = 0x00240005

_OLD: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[\t ]{1,9}(\d\d):(\d\d):(\d\d):(\d{3})"
    r"[\t ]{1,9}(\w{1,8}[\t ]{1,9}\w{1,8})[\t ]{1,9}\w{1,30}[\t ](.*)"
)
_DECODED: Final = re.compile(
    r"(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6})\d?"
    r"\s{1,99}(\w{1,8}\s{1,99}\w{1,8})\s{1,99}\S{1,30}\s{1,99}(\S.*)"
)
_ID: Final = r"\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?"
_REPORT: Final = re.compile(r"REPORT EVENT: (\{.*)")
_BEGUN: Final = re.compile(rf"Starting (un)?install of CBS update {_ID}")
_PACKAGE: Final = re.compile(r"CBS package identity: (\S{1,300})")
_DONE: Final = re.compile(
    r"Completed (un)?install of CBS update with type=-?\d{1,9}, requiresReboot=(\d), "
    r"installerError=-?\d{1,9}, hr=0x([0-9A-Fa-f]{1,8})"
)
_HISTORY: Final = re.compile(
    rf"LogHistory called\.\s{{1,9}}idUpdate={_ID}\.\d{{1,9}},\s{{1,9}}"
    r"resultMapped=([0-9A-Fa-f]{1,8})\b"
)
_CALL: Final = re.compile(
    r"\b(un)?install(?:ing)? updates \[?CallerId =\s{1,9}([^\]|]{1,200})", re.IGNORECASE
)
_TITLE: Final = re.compile(r"\bTitle = (.{1,1000})")
_LISTED: Final = re.compile(rf"[*\s]{{0,20}}(?:UpdateId = )?{_ID}\.\d{{1,9}}\s*")
_ZONE: Final = re.compile(r"Logging initialized \(build: [^,]{1,40}, tz: ([+-][01]\d[0-5]\d)\)")
_REPORTED: Final = re.compile(
    r"REPORT EVENT: \{[0-9A-Fa-f-]{36}\}\t(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)[:.]\d{3}"
    r"([+-][01]\d[0-5]\d)\t"
)
_UNDECODED: Final = re.compile(r"[Nn]o [Ff]ormat [Ii]nformation [Ff]ound")
_UNDATED: Final = re.compile(r"^160[01]/\d\d/\d\d ", re.MULTILINE)
# What has none of these is passed over before anything dear is done: logs have a million lines.
_WANTED: Final = re.compile(
    r"REPORT EVENT: |of CBS update|CBS package identity|LogHistory called|CallerId =|Title = "
    r"|UpdateId = |[*\s]\{[0-9A-Fa-f-]{36}\}\.\d|, tz: "
)

Row = dict[str, Any]


class _Line(NamedTuple):
    """One line: its number, local time, process and thread, and what it says."""

    number: int
    wall: datetime | None
    thread: str
    said: str


def read(data: bytes) -> Parsed:
    """Read what `Get-WindowsUpdateLog` has decoded.

    Parameters
    ----------
    data
        The whole file, in any encoding PowerShell writes.

    Returns
    -------
    Parsed
        `updates`, one row a statement, basis ``local`` (``offset`` where a line states its own);
        `problems` with what the decoder did not know, and what the times are worth.
    """
    return _read(data, pattern=_DECODED, kind=KIND)


def read_old(data: bytes) -> Parsed:
    r"""Read ``C:\Windows\WindowsUpdate.log`` of a Windows before 8.1.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `updates`, one row a step or statement, basis ``offset``, or ``local`` where the log does
        not tell the offset; `clocks`, the offsets it states; `problems`.
    """
    return _read(data, pattern=_OLD, kind=OLD_KIND)


def _read(data: bytes, *, pattern: re.Pattern[str], kind: str) -> Parsed:
    decoded = text.decode(data)
    problems = Remarks()
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    lines = list(_lines(decoded.text, pattern))
    reports = ((line.number, found[1]) for line in lines if (found := _REPORT.search(line.said)))
    steps, stated = reporting_events.steps(reports, kind=kind, problems=problems)
    marks = _marks(lines) if kind == OLD_KIND else offsets.Marks()
    trace = _Trace(kind, marks)
    for line in lines:
        trace.take(line)
    rows = _titled([*steps, *trace.finished(problems)], trace.titles)
    problems.extend(_remarks(rows, decoded.text, kind))
    return parsed(
        updates=schema.frame("updates", rows),
        problems=problems,
        clocks=offsets.runs([*stated, *marks.stated()], source=kind),
    )


def _lines(whole: str, pattern: re.Pattern[str]) -> Iterator[_Line]:
    for number, line in enumerate(lines_of.split(whole), 1):
        found = pattern.match(line) if _WANTED.search(line) else None
        if found:
            *digits, fraction, thread, said = found.groups()
            moment = dates.wall(digits)
            if moment is not None:
                moment = moment.replace(microsecond=int(fraction.ljust(6, "0")))
            yield _Line(number, moment, "/".join(thread.split()), said)


def _marks(lines: list[_Line]) -> offsets.Marks:
    """Collect the offsets that an old log states where logging begins and in its reports."""
    marks = offsets.Marks()
    for line in lines:
        begun, report = _ZONE.search(line.said), _REPORTED.search(line.said)
        moment = dates.wall(report.groups()[:6]) if report else line.wall
        zone = report[7] if report else begun[1] if begun else ""
        if zone and moment is not None:
            offset = dates.offset_of(zone)
            if -dates.WEST <= offset <= dates.EAST:
                marks.add(line.number, offset, moment - offset)
    return marks


@dataclass(slots=True)
class _Trace:
    """What the lines read so far leave open, by process and thread."""

    kind: str
    marks: offsets.Marks
    rows: list[Row] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    begun: dict[str, Row] = field(default_factory=dict)
    history: dict[str, list[Row]] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)
    ends: int = 0

    def take(self, line: _Line) -> None:
        """Take one line."""
        if begun := _BEGUN.search(line.said):
            self._begin(line, begun)
        elif package := _PACKAGE.search(line.said):
            self.begun.get(line.thread, {})["title"] = package[1]
        elif done := _DONE.search(line.said):
            self._end(line, done)
        elif history := _HISTORY.search(line.said):
            row = self._row(line, "", history[1])
            code = int(history[2], 16)
            self._record(row | _result(code, restart=code == REBOOT_REQUIRED), line.thread)
        elif call := _CALL.search(line.said):
            self._call(line.thread, _operation(call[1]), call[2].strip())
        elif title := _TITLE.search(line.said):
            self.listed[line.thread] = title[1].strip()
        elif listed := _LISTED.fullmatch(line.said):
            title_of = self.listed.get(line.thread, "")
            if title_of not in ("", "<NULL>"):
                self.titles.setdefault(listed[1].lower(), title_of)

    def finished(self, problems: list[Row]) -> list[Row]:
        """Return all rows, those whose end is not in the log as steps that were begun."""
        if self.ends:
            reason = "the end of an installation whose beginning is not in the log: left out"
            problems.append({"reason": reason, "records_lost": self.ends})
        untold = sum(not row["operation"] for row in self.rows)
        if untold:
            reason = f"of {untold} results it is not told whether they are of installations"
            problems.append({"reason": f"{reason} or removals: left open", "records_lost": 0})
        unknown = sum(not row["result_code"] for row in self.rows)
        if unknown:
            reason = f"the codes of {unknown} results are not known: left open"
            problems.append({"reason": reason, "records_lost": 0})
        return [*self.rows, *(row | {"result_code": "in_progress"} for row in self.begun.values())]

    def _begin(self, line: _Line, begun: re.Match[str]) -> None:
        cut = self.begun.pop(line.thread, None)  # its end is not in the log
        if cut:
            self.rows.append(cut | {"result_code": "in_progress"})
        self.begun[line.thread] = self._row(line, _operation(begun[1]), begun[2])

    def _end(self, line: _Line, done: re.Match[str]) -> None:
        row = self.begun.pop(line.thread, None)
        if row is None:
            self.ends += 1
            return
        ended = self._row(line, _operation(done[1]), row["update_id"]) | {"title": row["title"]}
        self.rows.append(ended | _result(int(done[3], 16), restart=done[2] != "0"))

    def _record(self, row: Row, thread: str) -> None:
        self.rows.append(row)
        self.history.setdefault(thread, []).append(row)

    def _call(self, thread: str, operation: str, caller: str) -> None:
        """Note who asked for what: the agent says so on the same thread, last when it is done."""
        for row in self.history.pop(thread, []):
            row |= {"operation": operation, "client_application_id": caller}

    def _row(self, line: _Line, operation: str, update_id: str) -> Row:
        when = self.marks.when(line.wall, line.number)
        if self.kind == KIND:  # the zone is that of whoever decoded, which no host's log tells
            when = replace(when, local=None)
        return {
            **when.cells(),
            "operation": operation,
            "title": "",
            "update_id": update_id.lower(),
            "source_kind": self.kind,
        }


def _operation(un: str | None) -> str:
    return "uninstall" if un else "install"


def _result(code: int, *, restart: bool) -> Row:
    """Judge a code: the sign bit is failure; a success may wait for a restart."""
    known = "succeeded" if code == 0 else ""
    result = "failed" if code & 0x80000000 else "in_progress" if restart else known
    return {"result_code": result, "hresult": f"0x{code:08x}"}


def _titled(rows: list[Row], titles: dict[str, str]) -> list[Row]:
    """Give rows without a title the one that the log lists for their id, and all their KB."""
    for row in rows:
        row["title"] = row["title"] or titles.get(row["update_id"], "")
        row["kb"] = row.get("kb") or text.kb_of(row["title"])
    return rows


def _remarks(rows: list[Row], whole: str, kind: str) -> Iterator[Row]:
    if kind == KIND:
        yield from _undecoded(whole)
    local = sum(row["date_basis"] == "local" for row in rows)
    if local and kind == KIND:
        reason = (
            f"{local} of {len(rows)} times are local to whoever ran Get-WindowsUpdateLog, which "
            "need not be the host: their offset is not known"
        )
        yield {"reason": reason, "records_lost": 0}
    elif local:
        reason = f"{local} of {len(rows)} times are local and the log does not tell the offset"
        yield {"reason": reason, "records_lost": 0}
    unknown = sum(row["date_low"] is None for row in rows)
    if unknown:
        reason = f"the times of {unknown} rows are none: taken as unknown"
        yield {"reason": reason, "records_lost": 0}
    if not rows:
        lines = len(lines_of.split(whole))
        reason = (
            f"a trace of the update agent, {lines} lines, in which no installation and no "
            "removal is stated"
        )
        yield {"reason": reason, "records_lost": 0}


def _undecoded(whole: str) -> Iterator[Row]:
    """Count what the decoder did not know; how many installations that hides is not known."""
    formless = len(_UNDECODED.findall(whole))
    undated = len(_UNDATED.findall(whole))
    if formless or undated:
        reason = (
            f"{formless} lines say 'No Format Information found' and {undated} are dated 1600 or "
            "1601: the decoder did not know them; run Get-WindowsUpdateLog on the same version of "
            "Windows as the host's, and before 1709 with access to Microsoft's symbols"
        )
        yield {"reason": reason}
