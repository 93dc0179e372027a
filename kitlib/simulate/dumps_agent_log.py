r"""Write the update agent's trace: `WindowsUpdate.log` of old, and as `Get-WindowsUpdateLog` has it.

Only the lines that state something are written, with a few that do not between them. Seen in
public logs: the layout of both, ``REPORT EVENT`` with a bare number, the lines about CBS updates,
``LogHistory``, ``tz:``; the block of titles in the old form. From memory, unverified: that block
in the decoded form, and removals in the words of installations.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from kitlib.simulate.dumps import Item, Offset, Session, encoded, one_line, wall_time
from kitlib.simulate.dumps_servicing import REBOOT_REQUIRED, agent_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime


class _Line(NamedTuple):
    when: datetime
    thread: int
    component: str
    said: str


def agent_log_old(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-8",
    marks: Sequence[datetime] = (),
    reports: bool = True,
) -> bytes:
    r"""Write ``C:\Windows\WindowsUpdate.log`` of a Windows before 8.1.

    Parameters
    ----------
    items
        Steps by their results, as for `kitlib.simulate.update_dumps.reporting_events`.
    session
        The host's clock.
    encoding
        The agent writes plain bytes.
    marks
        UTC times at which logging begins anew, and states the zone.
    reports
        Whether steps are written as events for the server, or as the installer's own lines.
    """
    lines = [_zone(when, session.offset) for when in marks]
    for number, item in enumerate(items):
        thread = 0x100 + number
        lines += [_report(item, session.offset, thread)] if reports else _handled(item, thread)
    text = "".join(_old(line, session.offset) for line in sorted(lines, key=_by_time))
    return encoded(text, encoding)


def agent_log_decoded(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-8-sig",
    handled: bool = False,
    unknown: int = 0,
) -> bytes:
    """Write what `Get-WindowsUpdateLog` makes of the traces.

    Parameters
    ----------
    items
        Results 1 (a restart is due), 2 and 4.
    session
        The clock of the host that decodes.
    encoding
        As PowerShell writes it.
    handled
        Whether the installer's lines are written, or the entries of the history.
    unknown
        How many lines the decoder does not know.
    """
    lines: list[_Line] = []
    for number, item in enumerate(items):
        thread = 1000 + number
        lines += _handled(item, thread) if handled else _recorded(item, thread)
    text = _UNKNOWN * unknown
    text += "".join(_decoded(line, session.offset) for line in sorted(lines, key=_by_time))
    return encoded(text, encoding)


_UNKNOWN: Final = (
    "1601/01/01 01:00:00.0000000 992   1548                  Unknown( 10): "
    "GUID=e26dfe10-35bf-3106-db9d-9a51a6a0981f (No Format Information found).\r\n"
)


def _by_time(line: _Line) -> datetime:
    return line.when


def _zone(when: datetime, offset: Offset) -> _Line:
    minutes = offset(when)
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    said = f"===========  Logging initialized (build: 7.6.7600.256, tz: {zone})  ==========="
    return _Line(when, 0x5B4, "Misc", said)


def _report(item: Item, offset: Offset, thread: int) -> _Line:
    fields = agent_event(item, offset)
    fields[3] = fields[3].partition(" ")[0]
    written = item.time + timedelta(seconds=5)
    return _Line(written, thread, "Report", "REPORT EVENT: " + "\t".join(fields))


def _verb(item: Item) -> str:
    return "uninstall" if item.operation == 2 else "install"


def _handled(item: Item, thread: int) -> Iterator[_Line]:
    restart, code = int(item.result == 1), item.hresult & 0xFFFFFFFF if item.result == 4 else 0
    done = (
        f"Completed {_verb(item)} of CBS update with type=0, requiresReboot={restart}, "
        f"installerError={int(code != 0)}, hr=0x{code:x}"
    )
    begun = f"Starting {_verb(item)} of CBS update {item.update_id.upper()}"
    yield _Line(item.time, thread, "Handler", begun)
    yield _Line(item.time, thread, "Handler", f"CBS package identity: {item.package}")
    yield _Line(item.time, thread, "Handler", ("FATAL: " if code else "") + done)


def _recorded(item: Item, thread: int) -> Iterator[_Line]:
    code = {1: REBOOT_REQUIRED, 2: 0}.get(item.result, item.hresult & 0xFFFFFFFF)
    verb = _verb(item).capitalize()
    identity = f"{{{item.update_id.upper()}}}.{item.revision}"
    for said in (
        f"* START * {verb}ing updates CallerId = {item.client}",
        f"  Title = {one_line(item.title)}",
        f"  UpdateId = {identity}",
        f"LogHistory called. idUpdate={identity}, resultMapped={code:08X}, resultUnMapped=0000",
        f"* END * {verb} updates CallerId = {item.client}",
    ):
        yield _Line(item.time, thread, "Agent", said)


def _old(line: _Line, offset: Offset) -> str:
    wall = wall_time(line.when, offset)
    at = f"{wall:%Y-%m-%d}\t{wall:%H:%M:%S}:{wall.microsecond // 1000:03}"
    return f"{at}\t 952\t{line.thread:x}\t{line.component}\t{line.said}\r\n"


def _decoded(line: _Line, offset: Offset) -> str:
    wall = wall_time(line.when, offset).replace(tzinfo=UTC)
    at = f"{wall:%Y/%m/%d %H:%M:%S}.{wall.microsecond:06}0"
    return f"{at} 1084  {line.thread:<5} {line.component:<15} {line.said}\r\n"
