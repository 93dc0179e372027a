"""Write a host's update history as the dumps people collect, each with its own quirks.

COM ``QueryHistory`` as PowerShell 5.1 prints it (``/Date(ms)/``, wrong by the host's UTC offset
because 5.1 takes COM's UTC time for local), the same with an explicit UTC text, ``Get-HotFix`` as
CSV in three cultures, and ``wmic qfe`` as CSV and as table (UTF-16LE with BOM, always M/d/yyyy).
COM lists everything that ever ran, newest first; the hotfix lists only name what is installed now
and know no time of day. What each dump means to an analysis is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kitlib.simulate.background import routine_updates
from kitlib.simulate.events import INSTALL_ERROR, SERVICE_STORE, kb_of, title_of, update_guid
from kitlib.simulate.world import HostWorld, World

if TYPE_CHECKING:
    from kitlib.simulate.deeds import Change

STORE_SERVICE_ID: Final = "117cab2d-82b1-4b5a-a08c-4d62dbee7782"
UPDATE_SERVICE_ID: Final = "9482f4b4-e343-43b6-b170-9a65bc822c77"
PENDING: Final = -2145116140
"""0x80242014 as COM states it: done, but for the restart."""
FAILED: Final = INSTALL_ERROR - 2**32
BOM16: Final = b"\xff\xfe"
BOM8: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of COM history; `time` is UTC."""

    time: datetime
    title: str
    client: str
    operation: int = 1
    result: int = 2
    hresult: int = 0
    service: str = UPDATE_SERVICE_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One row of the list of installed hotfixes; `day` is a local date."""

    kb: str
    kind: str
    by: str
    day: date


def history(world: World, host: HostWorld) -> list[Entry]:
    """Return the COM history of a host, newest first.

    Notes
    -----
    Removals leave no row: whether ``wusa /uninstall`` writes one is not established.
    """
    fresh = host.deeds.reimaged or world.start
    rows = [_entry(host, change) for change in host.deeds.changes if change.do == "install"]
    rows += [
        Entry(
            time=routine.time,
            title=routine.title,
            client="Update;ScanForUpdates"
            if routine.service == SERVICE_STORE
            else "UpdateOrchestrator",
            service=STORE_SERVICE_ID if routine.service == SERVICE_STORE else UPDATE_SERVICE_ID,
        )
        for routine in routine_updates(world, host)
    ]
    rows += [
        replace(_entry(host, change), time=failure, result=4, hresult=FAILED)
        for change in host.deeds.changes
        for failure in change.failures
    ]
    kept = [row for row in rows if fresh <= row.time < world.end]
    return sorted(kept, key=lambda row: row.time, reverse=True)


def _entry(host: HostWorld, change: Change) -> Entry:
    pending = change.effective is None
    return Entry(
        time=change.staged.replace(microsecond=0),
        title=title_of(host, change),
        client="UpdateOrchestrator" if change.by == "windows_update" else "wusa",
        result=1 if pending else 2,
        hresult=PENDING if pending else 0,
    )


def fixes(world: World, host: HostWorld) -> list[Fix]:
    """Return what is installed at the end of the window: one cumulative update, and packages."""
    rows = [
        Fix(kb=h.kb, kind=h.kind, by=r"NT AUTHORITY\SYSTEM", day=h.installed)
        for h in host.branch.hotfixes
    ]
    rows += [
        _fix(world, host, change, "Update")
        for change in host.deeds.changes
        if change.package and change.package.kb and change.effective and change.do == "install"
    ]
    return [*rows, _cumulative(world, host)]


def _cumulative(world: World, host: HostWorld) -> Fix:
    """Return the cumulative update in effect, dated by the change that last led to it."""
    number = host.deeds.revision(world.end)
    for change in reversed(host.deeds.changes):
        if change.do == "install" and change.revision == number and change.effective:
            return _fix(world, host, change, "Security Update")
    revision = host.branch.revision(number)
    day = revision.released + timedelta(days=2)
    return Fix(kb=revision.kb, kind="Security Update", by=r"NT AUTHORITY\SYSTEM", day=day)


def _fix(world: World, host: HostWorld, change: Change, kind: str) -> Fix:
    by_hand = change.by != "windows_update"
    return Fix(
        kb=kb_of(host, change),
        kind=kind,
        by=world.account(host) if by_hand else r"NT AUTHORITY\SYSTEM",
        day=world.window.local(change.effective or change.staged).date(),
    )


def com_51(world: World, host: HostWorld) -> bytes:
    """``QueryHistory | ConvertTo-Json > file`` in Windows PowerShell 5.1."""
    rows = [
        {
            "ClientApplicationID": row.client,
            "Date": _slash_date(world, row.time),
            "Description": "",
            "HResult": row.hresult,
            "Operation": row.operation,
            "ResultCode": row.result,
            "ServerSelection": 3 if row.service == STORE_SERVICE_ID else 2,
            "ServiceID": row.service,
            "SupportUrl": "https://support.microsoft.com",
            "Title": row.title,
            "UninstallationNotes": "",
            "UninstallationSteps": "System.__ComObject",
            "UnmappedResultCode": row.hresult,
            "UpdateIdentity": "System.__ComObject",
            "Categories": "System.__ComObject",
        }
        for row in history(world, host)
    ]
    text = _powershell_json(rows).replace(r"\\/", r"\/")
    return BOM16 + text.encode("utf-16-le")


def _slash_date(world: World, time: datetime) -> str:
    """5.1 calls ToUniversalTime on COM's UTC time, so the offset is taken off once too often."""
    wrong = time - world.window.offset(time.replace(tzinfo=None))
    return rf"\/Date({int(wrong.timestamp()) * 1000})\/"


def com_iso(world: World, host: HostWorld) -> bytes:
    """``QueryHistory`` with an explicit UTC text, written by ``Set-Content -Encoding UTF8``."""
    rows = [
        {
            "date_utc": row.time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z"),
            "Title": row.title,
            "Operation": row.operation,
            "ResultCode": row.result,
            "hresult": f"0x{row.hresult & 0xFFFFFFFF:08X}",
            "update_id": update_guid(row.title).lower(),
        }
        for row in history(world, host)
    ]
    return BOM8 + _powershell_json(rows).encode()


def _powershell_json(rows: Sequence[Mapping[str, object]]) -> str:
    """Lay out JSON as Windows PowerShell 5.1 does: two spaces after the colon, deep indents."""
    blocks = []
    for row in rows:
        lines = [f"        {json.dumps(k)}:  {json.dumps(v)}" for k, v in row.items()]
        blocks.append("    {\r\n" + ",\r\n".join(lines) + "\r\n    }")
    return "[\r\n" + ",\r\n".join(blocks) + "\r\n]\r\n"


def hotfix_csv(world: World, host: HostWorld) -> bytes:
    """``Get-HotFix | Export-Csv -NoTypeInformation``: ASCII, dates in the user's culture."""
    head = (
        "PSComputerName",
        "InstalledOn",
        "Caption",
        "CSName",
        "Description",
        "FixComments",
        "HotFixID",
        "InstallDate",
        "InstalledBy",
        "Name",
        "ServicePackInEffect",
        "Status",
    )
    lines = [head]
    for fix in fixes(world, host):
        when = CULTURES[host.host.culture](fix.day)
        caption = f"http://support.microsoft.com/?kbid={fix.kb[2:]}"
        lines.append(
            (host.name, when, caption, host.name, fix.kind, "", fix.kb, "", fix.by, "", "", "")
        )
    text = "".join(",".join(f'"{cell}"' for cell in line) + "\r\n" for line in lines)
    return text.encode("ascii", "replace")


def _us(day: date) -> str:
    return f"{day.month}/{day.day}/{day.year}"


CULTURES: Final[Mapping[str, Callable[[date], str]]] = MappingProxyType(
    {
        "en-US": lambda day: f"{_us(day)} 12:00:00 AM",
        "en-GB": lambda day: f"{day:%d/%m/%Y} 00:00:00",
        "de-DE": lambda day: f"{day:%d.%m.%Y} 00:00:00",
    }
)


def wmic_csv(world: World, host: HostWorld) -> bytes:
    """``wmic qfe list full /format:csv > file``: an empty first line, no quotes."""
    head = (
        "Node,Caption,CSName,Description,FixComments,HotFixID,InstallDate,InstalledBy,"
        "InstalledOn,Name,ServicePackInEffect,Status"
    )
    lines = ["", head]
    for fix in fixes(world, host):
        caption = f"http://support.microsoft.com/?kbid={fix.kb[2:]}"
        lines.append(
            f"{host.name},{caption},{host.name},{fix.kind},,{fix.kb},,{fix.by},{_us(fix.day)},,,"
        )
    return BOM16 + "".join(f"{line}\r\n" for line in lines).encode("utf-16-le")


def wmic_table(world: World, host: HostWorld) -> bytes:
    """``wmic qfe > file``: columns as wide as their widest cell and two spaces."""
    head = WMIC_COLUMNS
    rows: list[tuple[str, ...]] = [head]
    for fix in fixes(world, host):
        caption = f"http://support.microsoft.com/?kbid={fix.kb[2:]}"
        cells = (caption, host.name, fix.kind, "", fix.kb, "", fix.by, _us(fix.day), "", "", "")
        rows.append(cells)
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(head))]
    lines = ["".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return BOM16 + "".join(f"{line}\r\n" for line in lines).encode("utf-16-le")


WMIC_COLUMNS: Final = (
    "Caption",
    "CSName",
    "Description",
    "FixComments",
    "HotFixID",
    "InstallDate",
    "InstalledBy",
    "InstalledOn",
    "Name",
    "ServicePackInEffect",
    "Status",
)

Writer = Callable[[World, HostWorld], bytes]
WRITERS: Final[Mapping[str, tuple[str, Writer]]] = MappingProxyType(
    {
        "com_51": ("update_history.json", com_51),
        "com_iso": ("wu.json", com_iso),
        "hotfix_csv": ("hotfix.csv", hotfix_csv),
        "wmic_csv": ("qfe.csv", wmic_csv),
        "wmic_table": ("qfe.txt", wmic_table),
    }
)
"""Dump kind of the scenario → file name, writer."""
