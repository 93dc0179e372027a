"""COM's update history in all its printed forms, and what tools make of it.

Every sample is invented. A row of `SAMPLES` says what a file must give: the kind it is known as,
its rows, and the interval of one of them.
"""

from __future__ import annotations

import csv
import io
import json
import re
import time
from datetime import date
from typing import NamedTuple

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kitlib as kit
from kitlib import readers, schema
from kitlib.readers import dates, json_objects
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates import com_history, com_history_text, wu_last_results
from kitlib.readers.updates.com_dialects import READERS

GUID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
TITLE = "2022-01 Cumulative Update for Windows 10 Version 21H2 for x64-based Systems (KB5009543)"
FIX = "2022-01 Update for Windows 10 Version 21H2 for x64-based Systems (KB5010793)"
OLD = "2021-12 Cumulative Update for Windows 10 Version 21H2 for x64-based Systems (KB5008212)"


def utc(stamp: str) -> pd.Timestamp:
    return pd.Timestamp(stamp, tz="UTC").as_unit("ns")


def span(row: pd.Series) -> tuple[object, ...]:
    return (row["date"], row["date_low"], row["date_high"], row["date_basis"])


def at(stamp: str, basis: str = "utc") -> tuple[object, ...]:
    return (utc(stamp), utc(stamp), utc(stamp), basis)


def reasons(got: readers.Parsed) -> str:
    return "\n".join(got.problems["reason"])


def lost(got: readers.Parsed) -> int:
    return int(got.problems["records_lost"].fillna(0).sum())


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


# ------------------------------------------------------------------ writers of the samples

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


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_sample_is_known_by_one_reader_and_read_whole(name, encoding):
    sample = SAMPLES[name]
    data = sample.data.encode(encoding)
    found = [reader.kind for reader in readers.READERS if reader.sniff(data)]
    assert found == [sample.kind]
    got = read(data, sample.kind)
    assert (len(got.updates), lost(got)) == (sample.rows, 0)
    row = got.updates.iloc[sample.at]
    assert row["kb"] == sample.kb
    assert f"{row['operation']} {row['result_code']}" == sample.state
    assert (row["date_low"], row["date_high"]) == (utc(sample.low), utc(sample.high))
    assert row["date_basis"] == sample.basis


def test_samples_show_every_reader():
    assert {sample.kind for sample in SAMPLES.values()} | {wu_last_results.KIND} == {
        reader.kind for reader in READERS
    } | {com_history.KIND}


def test_new_readers_take_no_file_of_another(shared):
    files = [path for path in (shared / "formats").rglob("*") if path.is_file()]
    heads = {path.name: path.read_bytes()[: readers.HEAD_BYTES] for path in files}
    stolen = [
        (name, reader.kind)
        for name, head in heads.items()
        for reader in READERS
        if reader.sniff(head)
    ]
    assert len(heads) > 30
    assert stolen == []


# ------------------------------------------------------------------ CSV


def test_csv_row_is_complete():
    code = entry(DE, Operation="2", ResultCode="4", HResult="-2145116140")
    got = read(as_csv([code]), "com_history_csv")
    want = {
        "date": utc(EXACT[0]),
        "date_low": utc(EXACT[0]),
        "date_high": utc(EXACT[0]),
        "date_basis": "utc",
        "operation": "uninstall",
        "result_code": "failed",
        "hresult": "0x80242014",
        "title": TITLE,
        "kb": "KB5009543",
        "client_application_id": "UpdateOrchestrator",
        "source_kind": "com_history_csv",
    }
    pd.testing.assert_frame_equal(got.updates, schema.frame("updates", [want]))
    assert reasons(got) == (
        "the ids of 1 updates are lost: Export-Csv flattens what is inside of them"
    )


def test_csv_date_without_decided_order_is_open_and_said_to_be():
    got = read(as_csv([entry("12/01/2022 03:15:41")]), "com_history_csv")
    assert pd.isna(got.updates["date"].item())
    assert "no value decides whether the day or the month stands first" in reasons(got)


def test_csv_rows_of_one_file_share_one_order():
    got = read(
        as_csv([entry("13/01/2022 09:00:00"), entry("12/01/2022 03:15:41")]), "com_history_csv"
    )
    assert list(got.updates["date"]) == [utc("2022-01-13T09:00"), utc(EXACT[0])]


def test_csv_date_of_another_calendar_is_unknown():
    got = read(as_csv([entry("12/1/2565 3:15:41")]), "com_history_csv")  # Thai year of 2022
    assert pd.isna(got.updates["date_low"].item())
    assert "'12/1/2565 3:15:41' is not known" in reasons(got)


def test_csv_columns_are_read_by_name():
    whole = (
        'Title;PSComputerName;Date;ResultCode\r\n"A (KB5009543)";WS0001;13.01.2022 1:02:03;4\r\n'
    )
    row = read(whole, "com_history_csv").updates.iloc[0]
    assert (row["host"], row["kb"], row["result_code"]) == ("WS0001", "KB5009543", "failed")
    assert (row["operation"], row["date"]) == ("", utc("2022-01-13T01:02:03"))


def test_csv_that_is_cut_keeps_what_is_whole_and_says_so():
    data = as_csv([entry(DE), entry(DE, FIX)])
    got = com_history_text.read_csv(data[: data.index("Install this", data.index(FIX))].encode())
    assert list(got.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert "cells where the header has 15" in reasons(got)


def test_csv_empty_entries_make_no_row():
    got = read(as_csv([entry(DE), entry("", "")]), "com_history_csv")
    assert len(got.updates) == 1
    assert "an empty entry" in reasons(got)


@settings(max_examples=60, deadline=None)
@given(
    moments=st.lists(
        st.datetimes(pd.Timestamp("1995-01-01"), pd.Timestamp("2090-01-01")), min_size=1, max_size=6
    ),
    form=st.sampled_from(["%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S"]),
)
def test_csv_interval_always_holds_the_time_that_was_written(moments, form):
    moments = sorted((one.replace(microsecond=0) for one in moments), reverse=True)
    got = com_history_text.read_csv(as_csv([entry(f"{one:{form}}") for one in moments]).encode())
    for row, one in zip(got.updates.itertuples(), moments, strict=True):
        assert row.date_low <= utc(one.isoformat()) <= row.date_high


# ------------------------------------------------------------------ Clixml


def test_clixml_keeps_the_update_id_and_the_client():
    got = read(
        CLIXML.format(as_clixml("2022-01-12T03:15:41", HResult="-2145116140")), "com_history_clixml"
    )
    row = got.updates.iloc[0]
    assert (row["update_id"], row["client_application_id"]) == (GUID, "UpdateOrchestrator")
    assert (row["hresult"], span(row)) == ("0x80242014", at(EXACT[0]))
    assert got.problems.empty


@pytest.mark.parametrize("shape", [str, unindented], ids=["indented", "on one line"])
@pytest.mark.parametrize(
    "cut", ['<I32 N="HResult">0</I32>', "</Props>\n  </Obj>"], ids=["in it", "its end"]
)
def test_clixml_broken_entry_costs_itself_only(shape, cut):
    bad = as_clixml("2022-01-12T03:15:41", first=False).partition(cut)[0]
    others = (
        as_clixml("2022-01-14T03:15:41", FIX),
        as_clixml("2022-01-10T03:15:41", OLD, first=False),
    )
    got = read(shape(CLIXML.format(others[0] + bad + others[1])), "com_history_clixml")
    assert list(got.updates["kb"]) == ["KB5010793", "KB5008212"]
    assert lost(got) == 1


def test_clixml_entries_in_a_list_object_are_entries():
    inside = as_clixml("2022-01-13T21:00:00", FIX) + as_clixml("2022-01-12T03:15:41", first=False)
    outer = f'<Obj RefId="1"><TN RefId="4"><T>System.Object[]</T></TN><LST>{inside}</LST></Obj>'
    got = read(CLIXML.format(outer), "com_history_clixml")
    assert list(got.updates["kb"]) == ["KB5010793", "KB5009543"]
    assert got.problems.empty


def test_clixml_text_is_unescaped_and_printed_dates_are_decided_by_the_file():
    rows = as_clixml("13/01/2022 21:00:00") + as_clixml(
        "12/01/2022 03:15:41", "A_x005F_B (KB1234567)"
    )
    got = read(CLIXML.format(rows), "com_history_clixml").updates
    assert list(got["title"]) == [TITLE, "A_B (KB1234567)"]
    assert span(got.iloc[1]) == at(EXACT[0])


# ------------------------------------------------------------------ Format-List


def test_list_joins_a_title_that_goes_on_below():
    got = read(as_list([entry("13.01.2022 03:15:41", HResult="-2145116140")]), "com_history_list")
    row = got.updates.iloc[0]
    assert (row["title"], row["hresult"]) == (TITLE, "0x80242014")
    assert (row["client_application_id"], span(row)) == (
        "UpdateOrchestrator",
        at("2022-01-13T03:15:41"),
    )
    assert got.problems.empty


# ------------------------------------------------------------------ JSON


def test_puppets_task_is_read_like_the_history_it_is():
    got = read(json.dumps(PUPPET, indent=4), "com_history_json")
    row = got.updates.iloc[0]
    assert (row["update_id"], row["title"], span(row)) == (GUID, TITLE, at(EXACT[0]))
    assert got.problems.empty


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("Not Started", "not_started"),
        ("In Progress", "in_progress"),
        ("Succeeded With Errors", "succeeded_with_errors"),
        ("Failed", "failed"),
        ("Aborted", "aborted"),
        ("Unknown 7", ""),
    ],
)
def test_puppets_words_for_codes_are_known(code, result):
    got = read(json.dumps([PUPPET | {"ResultCode": code}]), "com_history_json")
    assert got.updates["result_code"].item() == result
    assert ("'Unknown 7' is not known" in reasons(got)) == (not result)


# ------------------------------------------------------------------ TSS

DAY = tuple(
    dates.day(date(2022, 1, 12)).cells()[name] for name in ("date", "date_low", "date_high")
)
MIDNIGHT = "12.01.2022 00:00:00"


@pytest.mark.parametrize(
    ("row", "want"),
    [
        (of_com("12.01.2022 03:15:41", client=""), at(EXACT[0])),
        (of_com(MIDNIGHT), at("2022-01-12")),
        (of_com(MIDNIGHT, client="", operation="Uninstall"), at("2022-01-12")),
        (of_wmi(MIDNIGHT), (*DAY, "date")),
        # nobody knows whether this is midnight UTC of COM or a local day of WMI
        (of_com(MIDNIGHT, client=""), (*DAY, "date")),
        # the registry prints a date alone, in its own order
        (
            of_wmi("1/13/2022", category="Microsoft .NET"),
            (utc("2022-01-13"), utc("2022-01-12T10:00"), utc("2022-01-14T12:00"), "date"),
        ),
    ],
)
def test_tss_tells_whose_clock_a_row_is_by_or_covers_both(row, want):
    got = read(TSS + row, "tss_hotfixes")
    assert span(got.updates.iloc[0]) == want


def test_tss_row_that_may_be_either_says_nothing_of_local_time():
    got = read(TSS + of_com(MIDNIGHT, client="") + of_wmi(MIDNIGHT), "tss_hotfixes")
    assert got.updates["local"].isna().tolist() == [True, False]
    assert "1 dates may be UTC" in reasons(got)


def test_tss_wmi_row_with_a_time_of_day_covers_utc_and_local():
    got = read(TSS + of_wmi("12.01.2022 03:15:41"), "tss_hotfixes").updates.iloc[0]
    assert (got["date_low"], got["date_high"]) == (
        utc("2022-01-11T13:15:41"),
        utc("2022-01-12T15:15:41"),
    )


def test_tss_commas_in_category_and_title_stay_where_they_are():
    row = of_com(US, category="Windows 10, version 1903 and later", title="A, B, and C (KB5009543)")
    got = read(TSS + row + of_com("1/13/2022 1:00:00 AM"), "tss_hotfixes").updates.iloc[0]
    assert (got["title"], got["kb"]) == ("A, B, and C (KB5009543)", "KB5009543")
    assert (got["client_application_id"], span(got)) == ("wusa", at(EXACT[0]))


def test_tss_order_of_dates_is_told_by_the_history_not_by_the_registry():
    rows = (
        of_com("12/01/2022 03:15:41")
        + of_com("11/01/2022 03:15:41")
        + of_com("13/12/2021 01:00:00")
    )
    got = read(TSS + rows + of_wmi("1/18/2022", category="Office"), "tss_hotfixes").updates
    assert list(got["date"])[:2] == [utc(EXACT[0]), utc("2022-01-11T03:15:41")]
    assert got["date"].iloc[3] == utc("2022-01-18")


def test_tss_order_is_decided_by_newest_first_where_no_value_decides():
    stamps = (
        "02/02/2022 10:00:00",
        "12/01/2022 03:15:41",
        "11/01/2022 03:15:41",
        "08/12/2021 12:00:00",
    )
    got = read(TSS + "".join(map(of_com, stamps)) + of_wmi("03/01/2022 00:00:00"), "tss_hotfixes")
    assert list(got.updates["date"])[1:2] == [utc(EXACT[0])]
    assert got.updates["date"].iloc[4] == utc("2022-01-03")


def test_tss_says_what_the_tool_leaves_out_and_what_it_could_not_read():
    rows = of_com(DE) + "torn line\r\n" + of_com(DE).replace("Completed successfully", "Unknown(9)")
    got = read(TSS + rows, "tss_hotfixes")
    assert len(got.updates) == 2
    assert got.updates["result_code"].tolist() == ["succeeded", ""]
    assert "newest entry" in reasons(got)
    assert "'Unknown(9)' is not known" in reasons(got)
    assert lost(got) == 1


def test_tss_number_of_an_old_update_is_a_kb():
    got = read(TSS + of_wmi("1/13/2022", "Q323255", category="Windows XP"), "tss_hotfixes")
    assert got.updates["kb"].item() == "KB323255"


# ------------------------------------------------------------------ Intune's collector


def test_odc_lines_alone_leave_open_what_may_be_an_uninstallation():
    lines = line("2022/01/13 10:00") + line("2022/01/12 03:15") + line("2021/12/15 11:02", OLD)
    got = read(lines, "intune_odc")
    assert got.updates["operation"].tolist() == ["", "install", "install"]
    assert got.updates["result_code"].tolist() == ["succeeded"] * 3
    assert "of 3 lines" in reasons(got)
    assert "1 are left open" in reasons(got)
    assert "3 are given as the span of both readings" in reasons(got)


def test_odc_lines_sorted_otherwise_tell_nothing_of_an_update_that_has_several():
    oldest_first = line("2022/01/12 03:15") + line("2022/01/13 10:00")
    assert read(oldest_first, "intune_odc").updates["operation"].tolist() == ["install", ""]
    by_title = line("2022/01/12 03:15") + line("2022/01/13 10:00") + line("2021/12/15 11:02", OLD)
    assert read(by_title, "intune_odc").updates["operation"].tolist() == ["", "", "install"]


def test_odc_failure_keeps_its_code():
    whole = line("2022/01/12 03:15", state="Failed to install. \tError: 0x80240022")
    row = read(whole, "intune_odc").updates.iloc[0]
    assert (row["result_code"], row["hresult"], row["kb"]) == ("failed", "0x80240022", "KB5009543")


def test_odc_list_tells_operation_time_and_id_of_a_line():
    one = entry("1/12/2022 3:15:41 PM", Operation="2")
    got = read(line("2022/01/12 03:15") + verbose(one), "intune_odc")
    row = got.updates.iloc[0]
    assert len(got.updates) == 1
    assert (row["operation"], row["update_id"], row["title"]) == ("uninstall", GUID, TITLE)
    assert span(row) == at("2022-01-12T15:15:41")
    assert got.problems.empty  # the line decided the order of day and month


def test_odc_list_keeps_failures_that_have_no_line():
    old = entry("13.11.2021 01:00:00", OLD, ResultCode="4", HResult="-2145124318")
    got = read(line("2022/01/12 03:15") + verbose(entry(DE)) + verbose(old), "intune_odc")
    assert got.updates["result_code"].tolist() == ["succeeded", "failed"]
    assert got.updates["hresult"].tolist() == ["0x00000000", "0x80240022"]


def test_odc_lines_whose_entry_was_cut_off_make_rows_of_their_own():
    whole = line("2022/01/12 03:15") + line("2021/12/15 11:02", OLD) + verbose(entry(DE))
    got = read(whole, "intune_odc").updates
    assert list(got["kb"]) == ["KB5009543", "KB5008212"]
    assert pd.isna(got["date"].iloc[1])
    assert span(got.iloc[1])[1:] == (utc("2021-12-15T11:02"), utc("2021-12-15T23:03"), "utc")


# ------------------------------------------------------------------ Get-WULastResults

SAID = (
    "WS0001: updates were last installed with success at 2022-01-13T20:00:00Z, last searched for "
    "with success at 2022-01-12T03:15:41Z; Get-WULastResults names no update"
)
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


@pytest.mark.parametrize("form", LAST_FORMS)
def test_last_results_name_no_update_and_say_when_in_utc(form):
    got = read(LAST_FORMS[form], "pswindowsupdate_last_results")
    assert [r.kind for r in readers.READERS if r.sniff(LAST_FORMS[form].encode())] == [
        "pswindowsupdate_last_results"
    ]
    assert got.updates.empty
    assert reasons(got) == SAID
    assert got.problems["place"].tolist() == ["WS0001"]
    assert lost(got) == 0


def test_last_results_are_spans_where_they_are_not_sure():
    got = read(LAST + '"WS0001","12/01/2022 03:15:41",""\r\n', "pswindowsupdate_last_results")
    assert "for with success between 2022-01-12T03:15:41Z and 2022-12-01T03:15:41Z" in reasons(got)
    assert "installed with success at an unknown time, or never" in reasons(got)
    shifted = json.dumps(
        {"ComputerName": "WS0001", "LastInstallationSuccessDate": "/Date(1641957341000)/"}
    )
    got = read(shifted, "pswindowsupdate_last_results")
    assert "between 2022-01-11T15:15:41Z and 2022-01-12T17:15:41Z" in reasons(got)


def test_last_results_of_a_fleet_have_a_row_a_host():
    rows = "".join(f'"WS{n}","{US}","1/13/2022 8:00:00 PM"\r\n' for n in range(50))
    assert len(read(LAST + rows, "pswindowsupdate_last_results").problems) == 50


# ------------------------------------------------------------------ all of them, damaged


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.kind)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"\xff\xfe\r\0\n\0",
        b"{" * 50,
        b'[{"a":1}',
        bytes(range(256)),
        b"KB5009543",
    ],
)
def test_readers_account_for_bytes_that_are_not_theirs(reader, data):
    assert not reader.sniff(data)
    got = reader.read(data)
    assert got.updates.empty
    assert len(got.problems) >= 1


DAMAGED = {name: sample.data for name, sample in SAMPLES.items()} | LAST_FORMS


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(sorted(DAMAGED)),
    at=st.integers(0, 2500),
    junk=st.text(max_size=8),
    cut=st.booleans(),
)
def test_readers_never_raise_on_damaged_files(name, at, junk, cut):
    seed = DAMAGED[name]
    damaged = (seed[:at] + junk + ("" if cut else seed[at + len(junk) :])).encode(
        "utf-8", "replace"
    )
    readers.sniff(damaged)
    for reader in READERS:
        got = reader.read(damaged)
        schema.check("updates", got.updates)
        schema.check("problems", got.problems)
        known = got.updates.dropna(subset=["date_low"])
        assert (known["date_low"] <= known["date_high"]).all()
        assert (known["date_low"] > utc("1980-01-01")).all()


BIG = 2_000_000
HOSTILE_FILES = {
    "open quote": 'title,date,resultcode\n"' + "x" * BIG,
    "separators": "title,date,resultcode\n" + "," * BIG,
    "open clixml": CLIXML[:90]
    + '\n  <Obj RefId="0"><I32 N="ResultCode"><S N="Operation">' * (BIG // 53),
    "flat clixml": CLIXML[:90]
    + '<Obj RefId="0"><I32 N="ResultCode"><S N="Operation">' * (BIG // 50),
    "wide clixml": CLIXML[:90]
    + "<Obj RefId='0'>" * 59
    + '<S N="ResultCode">1</S><S N="Operation">1</S>' * (BIG // 45),
    "long title": as_list([entry(US)]) + "Title               : a\n" + f"{'':22}b\n" * (BIG // 24),
    "many commas": TSS + "Install,,,," * (BIG // 11),
    "many tabs": ODC + "2022/01/12 03:15 UTC " + "\t" * BIG,
    "many dashes": ODC + "2022/01/12 03:15 UTC " + " - " * (BIG // 3),
    "deep json": '{"LastInstallationSuccessDate":' * (BIG // 31),
    "many dates": LAST_FORMS["table"] + "1/1/22 " * (BIG // 7),
}


@pytest.mark.parametrize("name", HOSTILE_FILES)
def test_readers_read_megabytes_on_one_line_in_bounded_time(name):
    data = HOSTILE_FILES[name].encode()
    start = time.process_time()
    reader = next(one for one in READERS if one.sniff(data[: readers.HEAD_BYTES]))
    assert len(reader.read(data).problems) >= 1
    assert time.process_time() - start < 15


def test_read_updates_takes_the_new_forms(tmp_path):
    (tmp_path / "history.csv").write_text(as_csv([entry(DE)]), encoding="utf-16")
    got = kit.read_updates(tmp_path / "history.csv", host="WS0001")
    assert got[["host", "kb", "path"]].to_numpy().tolist() == [
        ["WS0001", "KB5009543", "history.csv"]
    ]


# ------------------------------------------------------------------ JSON objects


def taken(whole: str) -> tuple[list[dict[str, object]], Remarks]:
    problems = Remarks()
    found = [content for _, content in json_objects.objects(whole, json_objects.into(problems))]
    return found, problems


def test_objects_reads_on_behind_a_broken_one():
    found, problems = taken('[{"k": 1}, {"k": oops, "x": {"y": 1}}, {"k": 3}]')
    assert found == [{"k": "1"}, {"k": "3"}]
    assert problems == [
        {"place": "line 1", "reason": "broken JSON: Expecting value", "records_lost": 1}
    ]


def test_objects_reads_on_at_a_line_that_begins_with_a_brace():
    found, problems = taken('{"k": 1}\n{"k": oops}\n{"z": 3}')
    assert found == [{"k": "1"}, {"z": "3"}]
    assert problems[0]["place"] == "line 2"


@pytest.mark.parametrize(
    "cut", ['{"k": "a', '{"k": tru', '{"k": [1, 2', '{"k": {"x": 1}', '{"k"', "{"]
)
def test_objects_do_not_know_how_much_a_cut_file_lost(cut):
    found, problems = taken(f'[{{"k": 1}},\n {cut}')
    assert found == [{"k": "1"}]
    assert problems == [{"place": "line 2", "reason": json_objects.CUT, "records_lost": None}]


def test_objects_inside_of_one_that_begin_like_it_stay_inside():
    whole = [{"k": 1, "in": [{"k": 2}, {"k": {"k": 3}}]}, {"k": 4}]
    found, problems = taken(json.dumps(whole))
    assert found == [{"k": "1", "in": [{"k": "2"}, {"k": {"k": "3"}}]}, {"k": "4"}]
    assert problems == []


def test_objects_state_what_is_none_and_pass_over_null():
    found, problems = taken('[{"k": 1}, 7, null, "text", {"k": 2}]')
    assert found == [{"k": "1"}, {"k": "2"}]
    assert [(row["reason"], row["records_lost"]) for row in problems] == [
        ("an entry is no JSON object", 2)
    ]


def test_objects_keep_numbers_as_they_are_written():
    digits = "9" * 5000
    assert taken(f'{{"k": {digits}, "f": 1.10}}') == ([{"k": digits, "f": "1.10"}], [])


@pytest.mark.parametrize("key", ["\x1f{", "a{", "", '"', "{\\", "{"])
def test_objects_are_not_cut_at_a_brace_inside_of_a_text(key):
    whole = [{key: key, "k": [{key: "x" * 50}]}, {key: "{"}]
    assert taken(json.dumps(whole)) == (whole, [])


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(
            st.text(max_size=5), st.text(max_size=20) | st.none() | st.booleans(), min_size=1
        ),
        max_size=8,
    ),
    indent=st.sampled_from([None, 0, 2]),
    lines=st.booleans(),
)
def test_objects_gives_back_what_json_wrote(rows, indent, lines):
    form = json.dumps(rows, indent=indent)
    if lines:
        form = "\n".join(json.dumps(row, indent=indent) for row in rows)
    assert taken(form) == (rows, [])


HOSTILE = {
    "broken objects": lambda n: '{"k": oops}\n' * n,
    "broken, then good": lambda n: '{"k": {"a": oops, "b": [1, 2]}},{"k": 1},' * n,
    "open objects": lambda n: '{"k": [' * n,
    "open strings": lambda n: '{"k": "' * n,
    "open strings on lines": lambda n: '{"k": "a\n' * n,
    "cut wrapper": lambda n: '{"k": [' + '{"k": 1}, ' * n,
    "deep in front": lambda n: '{"k": [' * 400 + "1, " * n,
    "many keys": lambda n: '{"k": {' + '"a": 1, ' * n,
    "braces": lambda n: "{" * n,
    "brackets": lambda n: "[" * n,
    "quotes": lambda n: '"' * n,
    "rising": lambda n: "".join('{"k": [' + "1," * (i % 100) for i in range(n)),
}


def work(whole: str) -> float:
    """Return how often a text went through the decoder until it was read."""
    text = json_objects.JsonText(whole)
    assert len(list(text.objects(json_objects.into(Remarks())))) <= len(whole)
    return text.read / len(whole)


@pytest.mark.parametrize("name", HOSTILE)
def test_objects_do_work_that_grows_with_the_text_and_no_faster(name):
    small, large = (work(HOSTILE[name](n)) for n in (2_000, 32_000))
    assert large <= json_objects.EFFORT + 2
    assert large <= 1.3 * small + 1


def test_objects_of_a_sound_file_are_decoded_once():
    assert work('{"k": {"a": 1}}\n' * 5000) <= 1.01
    assert work(json.dumps([{"k": {"a": n}} for n in range(5000)], indent=2)) <= 1.01
