"""Write the agent's update history (COM ``QueryHistory``) in the dialects people collect.

JSON of PowerShell 5.1 and 7, the collector's own JSON, CSV and Clixml; ``Get-WUHistory`` of
PSWindowsUpdate; NirSoft's WinUpdatesView; osquery's ``windows_update_history``. COM's dates are
UTC without saying so: PowerShell 5.1's JSON takes them for local time and shifts them, CSV prints
them as they are in the user's culture, PSWindowsUpdate turns them into local time. COM gives the
newest entry first; the rows stand in the order given.

Seen in sources: the property names (MS-UAMG), PSWindowsUpdate's columns and words, osquery's
columns. From memory, unverified: WinUpdatesView's column names, and the type names and the
nesting of COM objects in Clixml.
"""

from __future__ import annotations

import json
from datetime import UTC
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kitlib.simulate.dumps import (
    Item,
    Session,
    clixml,
    csv_text,
    encoded,
    iso_7,
    json_7,
    json_51,
    milliseconds,
    one_line,
    slash_date,
    to_universal,
    wall_time,
    xml_string,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUPPORT_URL: Final = "https://support.microsoft.com"
COM_OBJECT: Final = "System.__ComObject"
STORE_SERVICE_ID: Final = "117cab2d-82b1-4b5a-a08c-4d62dbee7782"

OPERATIONS: Final[Mapping[int, str]] = MappingProxyType({1: "Installation", 2: "Uninstallation"})
"""UpdateOperation in words."""
RESULTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "NotStarted",
        1: "InProgress",
        2: "Succeeded",
        3: "SucceededWithErrors",
        4: "Failed",
        5: "Aborted",
    }
)
"""OperationResultCode in words."""


def com_json_51(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-16",
    described: bool = False,
    nested: bool = False,
) -> bytes:
    """Write ``QueryHistory | ConvertTo-Json`` of Windows PowerShell 5.1, dates shifted.

    Parameters
    ----------
    items
        The history, newest first.
    session
        Its culture prints the ``DateTime`` text, its clock shifts the dates.
    encoding
        UTF-16 when redirected.
    described
        Whether PowerShell adds its ``DateTime`` text, which is COM's time as it was.
    nested
        Whether the identity is written out, or flattened to the name of a type.
    """
    rows = []
    for item in items:
        stamp: object = slash_date(to_universal(item.time.replace(tzinfo=None), session.offset))
        if described:
            text = session.culture.full(item.time.replace(tzinfo=None))
            stamp = {"value": stamp, "DisplayHint": 2, "DateTime": text}
        rows.append(com_entry(item, stamp, nested=nested))
    return encoded(json_51(rows), encoding)


def com_json_7(items: Sequence[Item], *, encoding: str = "utf-8", nested: bool = True) -> bytes:
    """Write ``QueryHistory | ConvertTo-Json`` of PowerShell 7: COM's UTC, bare."""
    rows = [com_entry(item, _bare(item), nested=nested) for item in items]
    return encoded(json_7(rows), encoding)


def collector_json(
    items: Sequence[Item], session: Session, *, encoding: str = "utf-8-sig"
) -> bytes:
    """Write what the kit's own collection prints: UTC in words, codes in hex.

    Parameters
    ----------
    items
        The history, newest first.
    session
        Its host is written into each entry if it is not empty.
    encoding
        ``Set-Content -Encoding UTF8`` of 5.1 writes UTF-8 with its mark.
    """
    rows = [
        ({"host": session.host} if session.host else {})
        | {
            "date_utc": f"{item.time:%Y-%m-%dT%H:%M:%S}.{item.time.microsecond:06}0Z",
            "Title": item.title,
            "Operation": item.operation,
            "ResultCode": item.result,
            "hresult": f"0x{item.hresult & 0xFFFFFFFF:08X}",
            "update_id": item.update_id,
        }
        for item in items
    ]
    return encoded(json_51(rows), encoding)


def com_entry(item: Item, stamp: object, *, nested: bool) -> dict[str, object]:
    """Return COM's entry by its property names, `stamp` being its date as it is to be written."""
    identity = {"RevisionNumber": item.revision, "UpdateID": item.update_id}
    return {
        "ClientApplicationID": item.client,
        "Date": stamp,
        "Description": "",
        "HResult": item.hresult,
        "Operation": item.operation,
        "ResultCode": item.result,
        "ServerSelection": 3 if item.service == STORE_SERVICE_ID else 2,
        "ServiceID": item.service,
        "SupportUrl": SUPPORT_URL,
        "Title": item.title,
        "UninstallationNotes": "",
        "UninstallationSteps": COM_OBJECT,
        "UnmappedResultCode": item.hresult,
        "UpdateIdentity": identity if nested else COM_OBJECT,
        "Categories": COM_OBJECT,
    }


def _bare(item: Item) -> str:
    return iso_7(item.time.astimezone(UTC).replace(tzinfo=None))


def com_csv(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "ascii",
    separator: str = ",",
    type_line: bool = False,
) -> bytes:
    """Write ``QueryHistory | Export-Csv``: COM's UTC to the second, in the user's culture."""
    rows: list[list[str]] = []
    for item in items:
        row = com_entry(item, session.culture.general(item.time.replace(tzinfo=None)), nested=False)
        rows += [] if rows else [list(row)]
        rows.append([str(value) for value in row.values()])
    typed = f"{COM_OBJECT}#{_ENTRY_TYPE}" if type_line else ""
    return encoded(csv_text(rows, separator=separator, type_line=typed), encoding)


_ENTRY_TYPE: Final = "{c2bfb780-4539-4132-ab8c-0a8772013ab6}"  # IUpdateHistoryEntry2


def com_clixml(items: Sequence[Item], *, encoding: str = "utf-16", nested: bool = True) -> bytes:
    """Write ``QueryHistory | Export-Clixml``: COM's UTC, bare, to 100 ns."""
    objects, reference = [], 0
    for number, item in enumerate(items):
        values = com_entry(item, None, nested=nested) | {"Date": None}
        inner = "".join(
            clixml_property(name, value, item, reference) for name, value in values.items()
        )
        names = (f"{COM_OBJECT}#{_ENTRY_TYPE}", COM_OBJECT, "System.Object")
        types = "".join(f"<T>{name}</T>" for name in names)
        known = f'<TN RefId="0">{types}</TN>' if number == 0 else '<TNRef RefId="0" />'
        objects.append(
            f'  <Obj RefId="{reference}">{known}<ToString>{COM_OBJECT}</ToString>'
            f"<Props>{inner}</Props></Obj>"
        )
        reference += 2
    return encoded(clixml(objects), encoding)


def clixml_property(name: str, value: object, item: Item, reference: int) -> str:
    """Write one property of COM's entry in Clixml; objects inside have the next reference."""
    if name == "Date":
        return f'<DT N="Date">{_bare(item)}</DT>'
    if isinstance(value, dict):
        inner = "".join(clixml_property(key, part, item, reference) for key, part in value.items())
        return (
            f'<Obj N="{name}" RefId="{reference + 1}"><ToString>{COM_OBJECT}</ToString>'
            f"<Props>{inner}</Props></Obj>"
        )
    if isinstance(value, int):
        return f'<I32 N="{name}">{value}</I32>'
    return f'<S N="{name}">{xml_string(str(value))}</S>'


def pswindowsupdate_csv(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "ascii",
    separator: str = ",",
    type_line: bool = False,
) -> bytes:
    """Write ``Get-WUHistory | Export-Csv``: local time to the second, words for codes."""
    rows = [["ComputerName", "OperationName", "Date", "Title", "Result", "KB"]]
    for item in items:
        result = RESULTS[item.result] + (" " if item.result == 5 else "")  # the module's own slip
        when = session.culture.general(wall_time(item.time, session.offset))
        rows.append([session.host, OPERATIONS[item.operation], when, item.title, result, item.kb])
    typed = "PSWindowsUpdate.UpdateHistory" if type_line else ""
    return encoded(csv_text(rows, separator=separator, type_line=typed), encoding)


def winupdatesview_csv(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-8-sig",
    separator: str = ",",
) -> bytes:
    r"""Write ``WinUpdatesView /scomma``, or ``/stab`` with ``separator="\t"``.

    Cells are quoted where they have to be; the tab form cannot and puts everything on one line.
    """
    rows = [_WINUPDATESVIEW]
    for item in items:
        cells = {
            "Title": item.title,
            "Install Date": session.culture.general(wall_time(item.time, session.offset)),
            "Operation Type": OPERATIONS[item.operation],
            "Install Result": RESULTS[item.result],
            "Error Code": f"0x{item.hresult & 0xFFFFFFFF:08x}",
            "Update ID": item.update_id,
            "Revision Number": str(item.revision),
            "KB": item.kb,
            "Client Application ID": item.client,
            "Support URL": SUPPORT_URL,
        }
        rows.append([cells.get(name, "") for name in _WINUPDATESVIEW])
    tabbed = separator == "\t"
    lines = [separator.join(one_line(c) if tabbed else _quoted(c) for c in row) for row in rows]
    return encoded("".join(f"{line}\r\n" for line in lines), encoding)


_WINUPDATESVIEW: Final = [
    "Title",
    "Description",
    "Install Date",
    "Operation Type",
    "Install Result",
    "Error Code",
    "Update ID",
    "Revision Number",
    "KB",
    "Client Application ID",
    "Support URL",
]


def _quoted(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"' if any(mark in cell for mark in ',;"\r\n') else cell


def osquery_history(items: Sequence[Item]) -> bytes:
    """Write osquery's ``windows_update_history`` as ``osqueryi --json``: seconds UTC, all text."""
    rows = [
        {
            "client_app_id": item.client,
            "date": str(milliseconds(item.time) // 1000),
            "description": "",
            "hresult": str(item.hresult),
            "operation": OPERATIONS[item.operation],
            "result_code": RESULTS[item.result],
            "server_selection": "WindowsUpdate",
            "service_id": item.service,
            "support_url": SUPPORT_URL,
            "title": item.title,
            "update_id": item.update_id,
            "update_revision": str(item.revision),
        }
        for item in items
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2).encode()
