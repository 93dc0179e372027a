"""Write the hotfix inventory (Win32_QuickFixEngineering) in the dialects people collect.

``Get-HotFix`` as table, CSV, JSON of PowerShell 5.1 and 7 and Clixml; ``wmic qfe`` as CSV, table
and list; osquery's ``patches``. All know a local day only, and none the operation: what is listed
is installed now. PowerShell prints the day as midnight in the user's culture, WMI as M/d/yyyy
whatever the culture, Vista's WMI as a FILETIME in hex. The rows stand in the order given.

The order of columns follows the tools as far as they were seen; readers go by name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from kitlib.simulate.dumps import (
    Item,
    Session,
    clixml,
    csv_text,
    encoded,
    filetime,
    fixed_width,
    iso_7,
    json_7,
    json_51,
    local_midnight,
    slash_date,
    to_universal,
    xml_string,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

GET_HOTFIX_TYPE: Final = r"System.Management.ManagementObject#root\cimv2\Win32_QuickFixEngineering"
_SELECTED: Final = "Selected.System.Management.ManagementObject"
_CSV_COLUMNS: Final = [
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
]
_WMIC_COLUMNS: Final = [
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
]


def hotfix_csv(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "ascii",
    separator: str = ",",
    type_line: bool = False,
) -> bytes:
    """Write ``Get-HotFix | Export-Csv``.

    Parameters
    ----------
    items
        What is installed.
    session
        On which host, in which culture, by which clock.
    encoding
        5.1 writes ASCII by itself, 7 UTF-8.
    separator
        ``-UseCulture`` takes the culture's.
    type_line
        Whether ``#TYPE`` stands first, as 5.1 does without ``-NoTypeInformation``.
    """
    rows = [_CSV_COLUMNS]
    for item in items:
        cells = _cells(item, session.host) | {
            "PSComputerName": session.host,
            "InstalledOn": session.culture.general(local_midnight(item.time, session.offset))
            * item.dated,
        }
        rows.append([cells.get(name, "") for name in _CSV_COLUMNS])
    typed = GET_HOTFIX_TYPE if type_line else ""
    return encoded(csv_text(rows, separator=separator, type_line=typed), encoding)


def hotfix_table(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-16",
) -> bytes:
    """Write ``Get-HotFix | Format-Table -AutoSize > file``; without items an empty file."""
    names = ("Source", "Description", "HotFixID", "InstalledBy", "InstalledOn")
    rows = [names, tuple("-" * len(name) for name in names)]
    for item in items:
        when = session.culture.general(local_midnight(item.time, session.offset)) * item.dated
        rows.append((session.host, item.kind, item.kb, item.by, when))
    lines = ["", *(line.rstrip() for line in fixed_width(rows, gap=2)), "", ""] if items else []
    return encoded("".join(f"{line}\r\n" for line in lines), encoding)


def hotfix_json_51(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-16",
    described: bool = True,
) -> bytes:
    """Write ``Get-HotFix | Select-Object ... | ConvertTo-Json`` of Windows PowerShell 5.1.

    The local midnight of the day, moved to UTC with the offset the host had then.

    Parameters
    ----------
    items, session, encoding
        As for `hotfix_csv`.
    described
        Whether PowerShell adds its ``DateTime`` text and so makes an object of the date.
    """

    def stamp(midnight: datetime) -> object:
        value = slash_date(to_universal(midnight, session.offset))
        return {"value": value, "DateTime": session.culture.full(midnight)} if described else value

    rows = [_selected(item, session.host) | {"InstalledOn": None} for item in items]
    for row, item in zip(rows, items, strict=True):
        if item.dated:
            row["InstalledOn"] = stamp(local_midnight(item.time, session.offset))
    return encoded(json_51(rows), encoding)


def hotfix_json_7(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-8",
) -> bytes:
    """Write ``Get-HotFix | Select-Object ... | ConvertTo-Json`` of PowerShell 7: the bare day."""
    rows = [
        _selected(item, session.host)
        | {"InstalledOn": iso_7(local_midnight(item.time, session.offset)) if item.dated else None}
        for item in items
    ]
    return encoded(json_7(rows), encoding)


def _selected(item: Item, host: str) -> dict[str, object]:
    cells = _cells(item, host)
    return {name: cells[name] for name in ("CSName", "HotFixID", "Description", "InstalledBy")}


def hotfix_clixml(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-16",
) -> bytes:
    """Write ``Get-HotFix | Select-Object ... | Export-Clixml``: the bare day, no culture."""
    objects = []
    for number, item in enumerate(items):
        types = "".join(f"<T>{name}</T>" for name in (_SELECTED, "System.Object"))
        known = f'<TN RefId="0">{types}</TN>' if number == 0 else '<TNRef RefId="0" />'
        values = "".join(
            f'<S N="{name}">{xml_string(str(value))}</S>'
            for name, value in _selected(item, session.host).items()
        )
        day = iso_7(local_midnight(item.time, session.offset))
        dated = f'<DT N="InstalledOn">{day}</DT>' if item.dated else '<Nil N="InstalledOn" />'
        objects.append(f'  <Obj RefId="{number}">{known}<MS>{values}{dated}</MS></Obj>')
    return encoded(clixml(objects), encoding)


# --- wmic and osquery: the raw strings of WMI -----------------------------------------------


def wmic_csv(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-16",
    old: bool = False,
    line_end: str = "\r\n",
) -> bytes:
    r"""Write ``wmic qfe list full /format:csv``: an empty first line, no quotes.

    Parameters
    ----------
    items, session
        As for `hotfix_csv`.
    encoding
        UTF-16 when redirected, the console's code page when piped.
    old
        Whether WMI gives a FILETIME in hex, as Vista's does.
    line_end
        ``"\r\r\n"`` when piped.
    """
    lines = ["", ",".join(["Node", *_WMIC_COLUMNS])] if items else [""]
    for item in items:
        cells = _wmi(item, session, old=old)
        lines.append(",".join([session.host, *(cells.get(name, "") for name in _WMIC_COLUMNS)]))
    return encoded("".join(line + line_end for line in lines), encoding)


def wmic_table(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-16",
    old: bool = False,
    line_end: str = "\r\n",
) -> bytes:
    """Write ``wmic qfe``: columns as wide as their widest cell and two blanks; see `wmic_csv`."""
    rows = [_WMIC_COLUMNS]
    for item in items:
        cells = _wmi(item, session, old=old)
        rows.append([cells.get(name, "") for name in _WMIC_COLUMNS])
    lines = fixed_width(rows, gap=2) if items else [""]
    return encoded("".join(line + line_end for line in lines), encoding)


def wmic_list(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-16",
    old: bool = False,
    line_end: str = "\r\n",
) -> bytes:
    """Write ``wmic qfe list full``: a block of ``name=value`` an update; see `wmic_csv`."""
    lines = [""]
    for item in items:
        cells = _wmi(item, session, old=old)
        lines += ["", *(f"{name}={cells.get(name, '')}" for name in _WMIC_COLUMNS), ""]
    return encoded("".join(line + line_end for line in lines), encoding)


def osquery_patches(
    items: Sequence[Item],
    session: Session,
    *,
    old: bool = False,
) -> bytes:
    """Write osquery's table ``patches`` as ``osqueryi --json`` does: WMI's strings, all text."""
    rows = []
    for item in items:
        cells = _wmi(item, session, old=old)
        rows.append(
            {
                "caption": cells["Caption"],
                "csname": session.host,
                "description": cells["Description"],
                "fix_comments": cells["FixComments"],
                "hotfix_id": cells["HotFixID"],
                "install_date": "",
                "installed_by": cells["InstalledBy"],
                "installed_on": cells["InstalledOn"],
            }
        )
    return json.dumps(rows, ensure_ascii=False, indent=2).encode()


def _cells(item: Item, host: str) -> dict[str, str]:
    return {
        "Caption": f"http://support.microsoft.com/?kbid={item.kb[2:]}",
        "CSName": host,
        "Description": item.kind,
        "FixComments": item.comments,
        "HotFixID": item.kb,
        "InstalledBy": item.by,
    }


def _wmi(item: Item, session: Session, *, old: bool) -> dict[str, str]:
    day = local_midnight(item.time, session.offset)
    stamp = f"{filetime(item.time):016x}" if old else f"{day.month}/{day.day}/{day.year}"
    return _cells(item, session.host) | {"InstalledOn": stamp * item.dated}
