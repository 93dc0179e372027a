"""Write ``Get-WUHistory`` of PSWindowsUpdate as table, list, JSON and Clixml; CSV is next door.

The module lays local time and words over COM's entry. Seen: its published source, and the table
in both of its forms. The layouts of PowerShell's own formatters are as published.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from kitlib.simulate.dumps import (
    Item,
    Session,
    clixml,
    encoded,
    iso_7,
    json_7,
    json_51,
    one_line,
    slash_date,
    wall_time,
    xml_string,
)
from kitlib.simulate.dumps_history import (
    COM_OBJECT,
    OPERATIONS,
    RESULTS,
    clixml_property,
    com_entry,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WITH_RESULT: Final = {"ComputerName": 12, "OperationName": 14, "Result": 10, "Date": 19}
_WITH_KB: Final = {"ComputerName": 12, "Operationname": 14, "Date": 19, "KB": 9}


def pswindowsupdate_table(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-16",
    layout: Literal["results", "kbs", "auto"] = "results",
    width: int = 300,
) -> bytes:
    """Write ``Get-WUHistory > file``.

    Parameters
    ----------
    items
        The history, newest first.
    session
        The host, its culture and its clock.
    encoding
        As redirection of PowerShell writes it.
    layout
        The table has the results, or the KBs as in older versions of the module, or is made by
        ``Format-Table -AutoSize``: columns are as wide as they need, and dates set right.
    width
        Of the console: titles are cut there.
    """
    if not items:
        return encoded("", encoding)
    auto = layout == "auto"
    columns = dict(_WITH_KB if layout == "kbs" else _WITH_RESULT)
    columns["Title"] = width - sum(columns.values()) - len(columns)
    rows = [_own(item, session) for item in items]
    if auto:
        columns = {
            name: max(len(name), *(len(_cell(row, name)) for row in rows)) for name in columns
        }
    lines = ["", _laid({}, columns, auto=auto), _laid({"": "-"}, columns, auto=auto)]
    lines += [_laid(row, columns, auto=auto) for row in rows]
    return encoded("".join(f"{line.rstrip()}\r\n" for line in [*lines, "", ""]), encoding)


def _cell(row: Mapping[str, str], name: str) -> str:
    if not row:
        return name
    if row == {"": "-"}:
        return "-" * len(name)
    return one_line(row["OperationName" if name == "Operationname" else name])


def _laid(row: Mapping[str, str], columns: Mapping[str, int], *, auto: bool) -> str:
    cells = []
    for name, width in columns.items():
        cell = _cell(row, name)
        cell = cell if len(cell) <= width else f"{cell[: width - 3]}..."
        cells.append(cell.rjust(width) if auto and name == "Date" else cell.ljust(width))
    return " ".join(cells)


def _own(item: Item, session: Session) -> dict[str, str]:
    """Return the properties the module adds, as they print."""
    return {
        "ComputerName": session.host,
        "OperationName": OPERATIONS[item.operation],
        "Date": session.culture.general(wall_time(item.time, session.offset)),
        "Title": item.title,
        "Result": RESULTS[item.result] + (" " if item.result == 5 else ""),  # the module's slip
        "KB": item.kb,
    }


def pswindowsupdate_list(
    items: Sequence[Item], session: Session, *, encoding: str = "utf-16"
) -> bytes:
    """Write ``Get-WUHistory | Format-List`` of the module's own properties."""
    lines = [""]
    for item in items:
        lines += [f"{name:13} : {one_line(cell)}" for name, cell in _own(item, session).items()]
        lines.append("")
    return encoded("".join(f"{line}\r\n" for line in lines if items), encoding)


def pswindowsupdate_json_51(
    items: Sequence[Item], session: Session, *, encoding: str = "utf-16", described: bool = False
) -> bytes:
    """Write ``Get-WUHistory | ConvertTo-Json`` of 5.1: the kind is Local, so the date is right.

    Parameters
    ----------
    items, session, encoding
        As for `pswindowsupdate_table`.
    described
        Whether PowerShell adds its ``DateTime`` text.
    """
    rows = []
    for item in items:
        stamp: object = slash_date(item.time)
        if described:
            text = session.culture.full(wall_time(item.time, session.offset))
            stamp = {"value": stamp, "DisplayHint": 2, "DateTime": text}
        rows.append(_laid_over(item, session, stamp))
    return encoded(json_51(rows), encoding)


def pswindowsupdate_json_7(
    items: Sequence[Item], session: Session, *, encoding: str = "utf-8"
) -> bytes:
    """Write ``Get-WUHistory | ConvertTo-Json`` of 7: local time with its offset."""
    rows = [_laid_over(item, session, _with_offset(item, session)) for item in items]
    return encoded(json_7(rows), encoding)


def _laid_over(item: Item, session: Session, stamp: object) -> dict[str, object]:
    return com_entry(item, None, nested=True) | _own(item, session) | {"Date": stamp}


def _with_offset(item: Item, session: Session) -> str:
    minutes = session.offset(item.time)
    sign, size = "-" if minutes < 0 else "+", timedelta(minutes=abs(minutes))
    hours, rest = divmod(size, timedelta(hours=1))
    zone = f"{sign}{hours:02}:{rest // timedelta(minutes=1):02}"
    return iso_7(wall_time(item.time, session.offset)) + zone


def pswindowsupdate_clixml(
    items: Sequence[Item], session: Session, *, encoding: str = "utf-16"
) -> bytes:
    """Write ``Get-WUHistory | Export-Clixml``: COM's properties, and over them the module's."""
    objects = []
    for number, item in enumerate(items):
        com = com_entry(item, None, nested=True) | {"Date": None}
        reference = 2 * number
        props = "".join(clixml_property(name, com[name], item, reference) for name in com)
        notes = "".join(
            f'<S N="{name}">{xml_string(cell)}</S>'
            if name != "Date"
            else f'<DT N="Date">{_with_offset(item, session)}</DT>'
            for name, cell in _own(item, session).items()
        )
        first = '<TN RefId="0"><T>PSWindowsUpdate.History</T></TN>'
        types = '<TNRef RefId="0" />' if number else first
        objects.append(
            f'  <Obj RefId="{reference}">{types}<ToString>{COM_OBJECT}</ToString>'
            f"<Props>{props}</Props><MS>{notes}</MS></Obj>"
        )
    return encoded(clixml(objects), encoding)
