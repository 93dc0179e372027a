"""Samples of update histories of our own making, and what their readers are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from kitlib import schema

if TYPE_CHECKING:
    from kitlib import readers

GUID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
ROLLUP = "Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.1466.1.7"
TITLE = "2022-01 Cumulative Update for Windows 10 Version 21H2 for x64-based Systems (KB5009543)"
# No reader of update histories knows one of these.
NOT_THEIRS = (
    b"",
    b"\xff\xfe",
    b"\xff\xfe\r\0\n\0",
    b"{" * 50,
    b'[{"a":1}',
    bytes(range(256)),
    b"KB5009543",
)


def utc(stamp: str) -> pd.Timestamp:
    return pd.Timestamp(stamp, tz="UTC").as_unit("ns")


def span(row: pd.Series) -> tuple[object, ...]:
    return (row["date"], row["date_low"], row["date_high"], row["date_basis"])


def reasons(got: readers.Parsed) -> str:
    return "\n".join(got.problems["reason"])


def lost(got: readers.Parsed) -> int:
    return int(got.problems["records_lost"].fillna(0).sum())


def installed(moment: pd.Timestamp, basis: str, **more: str) -> pd.DataFrame:
    """Return the table of one update that was installed at a moment, without an error."""
    row = {
        **dict.fromkeys(("date", "date_low", "date_high"), moment),
        "date_basis": basis,
        "operation": "install",
        "result_code": "succeeded",
        "hresult": "0x00000000",
    }
    return schema.frame("updates", [row | more])


def info(
    *items: str, claimed: int | None = None, host: str = "WS0001", noun: str = "Hotfix"
) -> str:
    pad = " " * 27
    count = len(items) if claimed is None else claimed
    head = f"\r\nHost Name:{' ' * 17}{host}\r\nOS Name:{' ' * 19}Microsoft Windows 10 Pro\r\n"
    zone = f"System Locale:{' ' * 13}de-at;Deutsch\r\nTime Zone:{' ' * 17}(UTC+01:00) Wien\r\n"
    cpu = f"Processor(s):{' ' * 14}1 Processor(s).\r\n{pad}[01]: Intel64 KB0000001 ~2 Mhz\r\n"
    listed = f"{noun}(s):{' ' * 16}{count} {noun}(s) Installed.\r\n" + "".join(
        f"{pad}[{number:02}]: {item}\r\n" for number, item in enumerate(items, 1)
    )
    net = f"Network Card(s):{' ' * 11}1 NIC(s).\r\n{pad}[01]: Adapter\r\n{pad}      [01]: 10.0.0.1\r\n"
    return head + zone + cpu + listed + net


def block(identity: str = ROLLUP, state: str = "Installed", at: str = "1/13/2022 3:15 AM") -> str:
    return (
        f"Package Identity : {identity}\r\nState : {state}\r\n"
        f"Release Type : Security Update\r\nInstall Time : {at}\r\n\r\n"
    )


HEADING = "\r\nDeployment Image Servicing and Management tool\r\nVersion: 10.0.19041.844\r\n\r\n"


def event(
    name: str = "183 [AGENT_INSTALLING_SUCCEEDED]",
    at: str = "2022-01-12 04:15:41:123+0100",
    *,
    code: str = "0",
    message: str = f"Installation Successful: Windows successfully installed the following update: {TITLE}",
    more: tuple[str, ...] = ("opaque",),
) -> str:
    fields = ["{11111111-2222-3333-4444-555555555555}", at, "1", name, "101", f"{{{GUID.upper()}}}"]
    fields += ["200", code, "UpdateOrchestrator", "Success", "Content Install", message, *more]
    return "\t".join(fields) + "\r\n"


def mark(local: str, stamp: str) -> str:
    return f"{local}, Info                  CSI    00000001@{stamp} WcpInitialize called\r\n"


def change(
    local: str,
    *,
    package: str = ROLLUP,
    current: str = "Installed",
    original: str = "Staged",
    target: str = "Installed",
    status: str = "0x0",
) -> str:
    return (
        f"{local}, Info                  CBS    Reporting package change completion for package: "
        f"{package}, current: {current}, original: {original}, target: {target}, status: {status}, "
        'failure source: Not Failed, failure details: "(null)", client id: WindowsUpdateAgent, '
        "initiated offline: False, execution sequence: 588\r\n"
    )


BEFORE = mark("2022-01-12 04:00:00", "2022/1/12:03:00:00.123")
AFTER = mark("2022-01-12 05:00:00", "2022/1/12:04:00:00.9")
CHANGED = change("2022-01-12 04:15:41")


def ps51(stamp: object, kb: str = "KB5009543") -> dict[str, object]:
    return {
        "InstalledOn": stamp,
        "PSComputerName": "WS0001",
        "__CLASS": "Win32_QuickFixEngineering",
        "__DERIVATION": ["CIM_LogicalElement"],
        "Description": "Security Update",
        "HotFixID": kb,
        "InstallDate": None,
    }


BERLIN = "/Date(1641942000000)/"  # 2022-01-11T23:00Z, midnight of the 12th at UTC+1


CLIXML = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{}</Objs>'


def clixml(kb: str = "KB5009543", at: str = "2022-01-12T00:00:00", ref: int = 0) -> str:
    return (
        f'<Obj RefId="{ref}"><TNRef RefId="0" /><ToString>x &amp; y</ToString><Props>'
        f'<S N="CSName">WS0001</S><S N="HotFixID">{kb}</S><S N="InstalledOn">1/12/2022</S>'
        '<Obj N="__DERIVATION" RefId="9"><LST><S>CIM_LogicalElement</S></LST></Obj></Props>'
        f'<MS><DT N="InstalledOn">{at}</DT></MS></Obj>'
    )


PATCH = {
    "csname": "WS0001",
    "hotfix_id": "KB5009543",
    "description": "Security Update",
    "installed_on": "1/12/2022",
}
ENTRY = {
    "client_app_id": "UpdateOrchestrator",
    "date": "1641957341",
    "hresult": "0",
    "operation": "Installation",
    "result_code": "Succeeded",
    "title": TITLE,
    "update_id": GUID,
}


WU = '"ComputerName","OperationName","Date","Title","Result","KB"\r\n'


def wu(
    at: str, result: str = "Succeeded", operation: str = "Installation", title: str = TITLE
) -> str:
    return f'"WS0001","{operation}","{at}","{title}","{result}","KB5009543"\r\n'


VIEW = "Title,Install Date,Update Type,Install Result,Update ID,KB,Hresult,Client Application ID,New\r\n"

CSV = (
    '"PSComputerName","InstalledOn","CSName","Description","HotFixID","InstalledBy"\r\n'
    '"WS0001","1/12/2022 12:00:00 AM","WS0001","Security Update","KB5009543","NT AUTHORITY\\SYSTEM"\r\n'
    '"WS0001","1/18/2022 12:00:00 AM","WS0001","Update","KB5010793","NT AUTHORITY\\SYSTEM"\r\n'
)

WMIC_CSV = (
    "\r\nNode,Caption,CSName,Description,FixComments,HotFixID,InstallDate,InstalledBy,InstalledOn,"
    "Name,ServicePackInEffect,Status\r\n"
    "WS0002,http://support.microsoft.com/?kbid=5009543,WS0002,Security Update,,KB5009543,,"
    "NT AUTHORITY\\SYSTEM,1/12/2022,,,\r\n"
)


def table(*rows: tuple[str, str, str, str, str]) -> str:
    head = ("Caption", "CSName", "HotFixID", "InstalledBy", "InstalledOn")
    widths = [max(len(row[i]) for row in (head, *rows)) + 2 for i in range(5)]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + "\r\n"
        for row in (head, *rows)
    )
