"""Entries of COM's update history in every form that tools print, all of them invented.

A row of `SAMPLES` says what a file must give: the kind it is known as, its rows, and the
interval of one of them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import NamedTuple

from update_dialect_samples import GUID, TITLE, utc

from kitlib import readers, schema

FIX = "2022-01 Update for Windows 10 Version 21H2 for x64-based Systems (KB5010793)"
OLD = "2021-12 Cumulative Update for Windows 10 Version 21H2 for x64-based Systems (KB5008212)"


def at(stamp: str, basis: str = "utc") -> tuple[object, ...]:
    return (utc(stamp), utc(stamp), utc(stamp), basis)


def read(data: str | bytes, kind: str) -> readers.Parsed:
    """Read a file with the reader that its content finds, which must be the one of `kind`."""
    raw = data.encode() if isinstance(data, str) else data
    reader = readers.reader_for(raw[: readers.HEAD_BYTES])
    assert reader is not None
    assert reader.kind == kind
    got = reader.read(raw)
    schema.check("updates", got.updates)
    schema.check("problems", got.problems)
    assert set(got.updates["source_kind"]) <= {kind}
    return got


def ours(**changes: object) -> dict[str, object]:
    return {
        "host": "WS0001",
        "date_utc": "2022-01-12T03:15:41.1234567Z",
        "title": TITLE,
        "operation": 1,
        "result_code": 2,
        "hresult": "0x00000000",
        "update_id": GUID.upper(),
        "client": "UpdateOrchestrator",
    } | changes


def powershell(**changes: object) -> dict[str, object]:
    return {
        "Title": TITLE,
        "Date": "/Date(1641957341000)/",
        "Operation": 2,
        "ResultCode": 4,
        "HResult": -2145116140,
        "UpdateIdentity": {"RevisionNumber": 200, "UpdateID": GUID.upper()},
        "ClientApplicationID": "wusa",
    } | changes


COLUMNS = (
    "Operation ResultCode HResult Date UpdateIdentity Title Description UnmappedResultCode "
    "ClientApplicationID ServerSelection ServiceID UninstallationSteps UninstallationNotes "
    "SupportUrl Categories"
)
FLAT = "System.__ComObject"


def entry(stamp: str, title: str = TITLE, **changes: str) -> dict[str, str]:
    return {
        "Operation": "1",
        "ResultCode": "2",
        "HResult": "0",
        "Date": stamp,
        "UpdateIdentity": FLAT,
        "Title": title,
        "Description": 'Install this update to resolve "issues" in Windows,\r\nand restart.',
        "UnmappedResultCode": "0",
        "ClientApplicationID": "UpdateOrchestrator",
        "ServerSelection": "2",
        "ServiceID": "",
        "UninstallationSteps": FLAT,
        "UninstallationNotes": "",
        "SupportUrl": "http://support.example/",
        "Categories": FLAT,
    } | changes


def as_csv(entries: list[dict[str, str]], *, mark: str = ",", typed: bool = True) -> str:
    out = io.StringIO()
    if typed:
        out.write("#TYPE System.__ComObject#{c2bfb780-4539-4132-ab8c-0a8772013ab6}\r\n")
    writer = csv.DictWriter(out, COLUMNS.split(), delimiter=mark, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(entries)
    return out.getvalue()


CLIXML = (
    '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{}\n</Objs>'
)
TYPE = '<TN RefId="0"><T>System.__ComObject#{c2bfb780}</T><T>System.Object</T></TN>'


def enum(name: str, number: str, word: str) -> str:
    return f'<Obj N="{name}" RefId="9"><ToString>{word}</ToString><I32>{number}</I32></Obj>'


def whole(name: str, number: str, _word: str) -> str:
    return f'<I32 N="{name}">{number}</I32>'


def as_clixml(stamp: str, title: str = TITLE, *, first: bool = True, code=whole, **changes: str):
    said = {"Operation": "1", "ResultCode": "2", "HResult": "0"} | changes
    tag = "S" if "/" in stamp else "DT"
    return f"""
  <Obj RefId="5">
    {TYPE if first else '<TNRef RefId="0" />'}
    <ToString>System.__ComObject</ToString>
    <Props>
      {code("Operation", said["Operation"], "uoInstallation")}
      {code("ResultCode", said["ResultCode"], "orcSucceeded")}
      <I32 N="HResult">{said["HResult"]}</I32>
      <{tag} N="Date">{stamp}</{tag}>
      <Obj N="UpdateIdentity" RefId="6">
        <TNRef RefId="1" />
        <Props><I32 N="RevisionNumber">200</I32><S N="UpdateID">{GUID}</S></Props>
      </Obj>
      <S N="Title">{title}</S>
      <S N="ClientApplicationID">UpdateOrchestrator</S>
      <Nil N="UninstallationNotes" />
      <Obj N="Categories" RefId="7">
        <TNRef RefId="2" />
        <IE>
          <Obj RefId="8"><TNRef RefId="3" /><Props><S N="Name">Windows 10</S></Props></Obj>
        </IE>
      </Obj>
    </Props>
  </Obj>"""


def unindented(xml: str) -> str:
    return re.sub(r"\s*\n\s*", "", xml)


def as_list(entries: list[dict[str, str]], indent: str = "") -> str:
    """Spell entries as Format-List does: names padded, a long title going on below itself."""
    lines = []
    for one in entries:
        for name in ("Operation", "ResultCode", "HResult", "Date", "Title", "ClientApplicationID"):
            cut = one[name].rfind(" ", 0, 50) if name == "Title" and len(one[name]) > 50 else None
            lines.append(f"{indent}{name:<19} : {one[name][:cut]}")
            if cut is not None:
                lines.append(f"{indent}{'':<22}{one[name][cut + 1 :]}")
        lines += [f"{indent}SupportUrl          : http://support.example/", ""]
    return "\r\n".join(lines) + "\r\n"


TSS = "Category,Level,ID,Operation,Date,Client,By,Result,Title\r\n"


def of_com(
    stamp: str, *, category="Security Updates", operation="Install", client="wusa", title=TITLE
):
    kb = re.search(r"KB\d+|$", title)[0]
    return (
        f"{category},,{kb},{operation},{stamp},{client},NT AUTHORITY\\SYSTEM,"
        f"Completed successfully,{title}\r\n"
    )


def of_wmi(stamp: str, kb: str = "KB5010793", category: str = "QFE hotfix") -> str:
    return f"{category},,{kb},Install,{stamp},,CORP\\ops,Completed successfully,Update\r\n"


def as_table(rows: str) -> str:
    """Spell rows of the CSV as the tool's table: padded and cut."""
    widths = (20, 6, 10, 11, 23, 18, 28, 23, 200)
    lines = []
    for line in rows.splitlines():
        cells = line.split(",", 8)
        padded = (cell[:width].ljust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append(" ".join(padded).rstrip())
    return "\r\n".join([lines[0], "-" * 200, *lines[1:], ""])


def line(stamp: str, title: str = TITLE, state: str = "Successfully installed") -> str:
    return f"{stamp} UTC {title}\t - {state}\r\n"


def verbose(one: dict[str, str]) -> str:
    return (
        f"{'=' * 64}\r\n{one['Title']}\r\n\r\n{'=' * 64}\r\n\r\nUpdate     : \r\n"
        f"{as_list([one], ' ' * 13)}\r\n"
        f"UpdateID   : \r\n{'':13}UpdateID                             RevisionNumber\r\n"
        f"{'':13}--------                             --------------\r\n"
        f"{'':13}{GUID}            200\r\n\r\n"
        f"Categories : \r\n{'':13}Type Name : x\r\n\r\n"
    )


ODC = line("2022/01/12 03:15") + line("2021/12/15 11:02", OLD)
LIST = "=" * 87 + "\r\n\r\n" + verbose(entry("1/12/2022 3:15:41 PM"))
LAST = '"ComputerName","LastSearchSuccessDate","LastInstallationSuccessDate"\r\n'
PUPPET = {
    "Title": TITLE,
    "Date": "2022-01-12 03:15:41Z",
    "Operation": "Installation",
    "ResultCode": "Succeeded",
    "UpdateIdentity": {"RevisionNumber": 200, "UpdateID": GUID},
    "ServiceID": "",
    "Categories": ["Security Updates", "Windows 10"],
}


class Sample(NamedTuple):
    """What a file must give: its kind, its rows, and one of them."""

    data: str
    kind: str
    rows: int
    at: int
    kb: str
    low: str
    high: str
    basis: str = "utc"
    state: str = "install succeeded"


US, DE = "1/12/2022 3:15:41 AM", "12.01.2022 03:15:41"
EXACT = ("2022-01-12T03:15:41", "2022-01-12T03:15:41")
# fmt: off
SAMPLES = {
    "csv en-US": Sample(as_csv([entry("1/13/2022 9:00:00 PM", FIX), entry(US)]),
        "com_history_csv", 2, 1, "KB5009543", *EXACT),
    "csv de, semicolons": Sample(as_csv([entry(DE)], mark=";", typed=False),
        "com_history_csv", 1, 0, "KB5009543", *EXACT),
    "csv sv": Sample(as_csv([entry("2022-01-12 03:15:41")]),
        "com_history_csv", 1, 0, "KB5009543", *EXACT),
    "csv undecided": Sample(as_csv([entry("12/01/2022 03:15:41")]),
        "com_history_csv", 1, 0, "KB5009543", "2022-01-12T03:15:41", "2022-12-01T03:15:41"),
    "csv by time": Sample(
        as_csv([entry("02/02/2022 10:00:00", FIX), entry("12/01/2022 03:15:41"),
                entry("11/01/2022 03:15:41"), entry("08/12/2021 12:00:00", OLD)]),
        "com_history_csv", 4, 1, "KB5009543", *EXACT),
    "csv uninstall": Sample(as_csv([entry(DE, Operation="2", ResultCode="4")]),
        "com_history_csv", 1, 0, "KB5009543", *EXACT, state="uninstall failed"),
    "clixml": Sample(CLIXML.format(as_clixml("2022-01-13T21:00:00", FIX)
                                   + as_clixml("2022-01-12T03:15:41", first=False)),
        "com_history_clixml", 2, 1, "KB5009543", *EXACT),
    "clixml enumerations": Sample(
        CLIXML.format(as_clixml("2022-01-12T03:15:41", code=enum, Operation="2")),
        "com_history_clixml", 1, 0, "KB5009543", *EXACT, state="uninstall succeeded"),
    "clixml local": Sample(CLIXML.format(as_clixml("2022-01-12T04:15:41+01:00")),
        "com_history_clixml", 1, 0, "KB5009543", *EXACT, basis="offset"),
    "list": Sample(as_list([entry("1/13/2022 9:00:00 PM", FIX), entry(US)]),
        "com_history_list", 2, 1, "KB5009543", *EXACT),
    "tss com": Sample(TSS + of_com(US) + of_com("1/13/2022 1:00:00 AM"),
        "tss_hotfixes", 2, 0, "KB5009543", *EXACT),
    "tss wmi": Sample(TSS + of_com("12.01.2022 03:15:41") + of_wmi("18.01.2022 00:00:00"),
        "tss_hotfixes", 2, 1, "KB5010793", "2022-01-17T10:00", "2022-01-19T12:00", "date"),
    "tss table": Sample(as_table(TSS + of_com(US) + of_com("1/13/2022 1:00:00 AM")),
        "tss_hotfixes", 2, 0, "KB5009543", *EXACT),
    # 03:15 is 03:15 or 15:15, and cut to the minute
    "odc line": Sample(ODC, "intune_odc", 2, 0, "KB5009543",
        "2022-01-12T03:15", "2022-01-12T15:16"),
    "odc list": Sample(ODC + LIST, "intune_odc", 2, 0, "KB5009543",
        "2022-01-12T15:15:41", "2022-01-12T15:15:41"),
    "odc de": Sample(line("2022.01.12 03:15"), "intune_odc", 1, 0, "KB5009543",
        "2022-01-12T03:15", "2022-01-12T15:16"),
    "odc pending": Sample(line("2022/01/12 12:15", state="Pending Reboot"),
        "intune_odc", 1, 0, "KB5009543", "2022-01-12T00:15", "2022-01-12T12:16",
        state="install in_progress"),
    "puppet": Sample(json.dumps([PUPPET, PUPPET | {"Title": FIX}]),
        "com_history_json", 2, 0, "KB5009543", *EXACT),
}
# fmt: on


LAST_FORMS = {
    "csv": LAST + f'"WS0001","{US}","1/13/2022 8:00:00 PM"\r\n',
    "csv de": LAST.replace(",", ";") + '"WS0001";"12.01.2022 03:15:41";"13.01.2022 20:00:00"\r\n',
    "table": (
        "\r\nComputerName LastSearchSuccessDate LastInstallationSuccessDate\r\n"
        "------------ --------------------- ---------------------------\r\n"
        "WS0001       1/12/2022 3:15:41 AM  1/13/2022 8:00:00 PM\r\n\r\n"
    ),
    "list": (
        "\r\nComputerName                : WS0001\r\nLastSearchSuccessDate       : "
        f"{US}\r\nLastInstallationSuccessDate : 1/13/2022 8:00:00 PM\r\n\r\n"
    ),
    "json 7": json.dumps(
        {
            "ComputerName": "WS0001",
            "LastSearchSuccessDate": EXACT[0],
            "LastInstallationSuccessDate": "2022-01-13T20:00:00",
        }
    ),
}
