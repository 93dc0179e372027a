"""More dialects of update history: each known by content, read whole, and never guessed at."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import pandas as pd
import pytest
from update_dialect_samples import GUID, TITLE, VIEW, WU, lost, reasons, span, utc, wu

import kitlib as kit
from kitlib import readers, schema
from kitlib.readers import dates, text
from kitlib.readers.updates import (
    cbs,
    pswindowsupdate,
    systeminfo,
    winupdatesview,
)
from kitlib.readers.updates.update_dialects import UPDATE_READERS


class Sample(NamedTuple):
    """What a real file must give: its kind, its rows, its losses, and one row looked at."""

    file: str
    kind: str
    rows: int
    lost: int = 0
    at: int = 0
    host: str = ""
    kb: str = ""
    low: str = ""
    high: str = ""
    basis: str = ""
    state: str = "install succeeded"


# fmt: off
SAMPLES = [
    Sample("CBS.log.loghub_win7.head.txt", "cbs_log", 0),
    Sample("Get-HotFix_Export-Clixml.xml", "get_hotfix_clixml", 2, 0, 1, "", "KB4520390",
           "2019-10-03T10:00", "2019-10-05T12:00", "date"),
    Sample("Get-HotFix_table_es-CO.txt", "get_hotfix", 9, 0, 4, "MYLAP", "KB4520390",
           "2019-10-03T10:00", "2019-10-05T12:00", "date"),
    Sample("Get-WindowsUpdateLog_win10_1709.head.txt", "windowsupdate_log", 0),
    # 17:39:11.176 at UTC+9; the line SOURCES.md calls badly split is the one lost
    Sample("ReportingEvents.log.msjapan.txt", "reporting_events", 4, 1, 2, "", "KB4053579",
           "2017-12-13T08:39:11.176", "2017-12-13T08:39:11.176", "offset"),
    # 5/15/2025 3:15 AM, offsets from -12 h to +14 h, cut to the minute
    Sample("dism_get-packageinfo_en-US.txt", "dism_packages", 1, 0, 0, "", "KB5055175",
           "2025-05-14T13:15", "2025-05-15T15:16", "local"),
    Sample("dism_get-packageinfo_ja-JP.txt", "dism_packages", 1, 0, 0, "", "KB5003173",
           "2021-05-12T11:11", "2021-05-13T13:12", "local"),
    Sample("dism_get-packages_en-US_pending.txt", "dism_packages", 1,
           state="install in_progress"),
    Sample("dism_get-packages_ja-JP.txt", "dism_packages", 1, 0, 0, "", "",
           "2021-10-12T18:45", "2021-10-13T20:46", "local"),
    Sample("systeminfo_10_1803_x64_pro_it.txt", "systeminfo", 10, 0, 8, "PC044", "KB4487038"),
    Sample("systeminfo_10_1809_x64_education_es.txt", "systeminfo", 9, 0, 0, "", "KB4486553"),
    Sample("systeminfo_10_1809_x64_enterprise_zh-cn.txt", "systeminfo", 1, 0, 0,
           "DESKTOP-0CQH3P2", "KB4464455"),
    Sample("systeminfo_10_21H2_x64_pro.txt", "systeminfo", 7, 0, 6, "DESKTOP", "KB5005699"),
    Sample("systeminfo_11_24H2_x64_enterprise.txt", "systeminfo", 3, 0, 2, "WINXI24H2LTSC",
           "KB5039449"),
    Sample("systeminfo_7_sp1_x64_ultimaten_de.txt", "systeminfo", 245, 18, 244, "OLI7-PC",
           "KB3162835"),
    Sample("systeminfo_fr_win7_powershell_utf16le.txt", "systeminfo", 93, 0, 92,
           "WIN-IDKKFN87EL8", "KB4493472"),
    Sample("systeminfo_srv_2012r2_x64_standard_ru.txt", "systeminfo", 7, 0, 0, "DC", "KB2919355"),
    Sample("wmic_qfe_table_utf16le_en-us_win10_1809.txt", "wmic_qfe", 9, 0, 8, "", "KB4487044",
           "2019-02-17T10:00", "2019-02-19T12:00", "date"),
    Sample("wmic_qfe_table_utf8_ru_srv2012r2.txt", "wmic_qfe", 7, 0, 0, "DC", "KB2919355",
           "2014-03-17T10:00", "2014-03-19T12:00", "date"),
    Sample("wmic_qfe_table_vista_hex_filetime.head.txt", "wmic_qfe", 13, 0, 12, "WINVISTASP0X64",
           "KB938952", "2019-03-21T06:56:48.675138", "2019-03-21T06:56:48.675138", "utc"),
]
# fmt: on


def test_samples_are_all_in_the_table(shared):
    files = {path.name for path in (shared / "formats/update_history").iterdir()}
    assert files == {sample.file for sample in SAMPLES}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)
def test_real_sample_is_recognised_and_read_whole(shared, sample):
    data = (shared / "formats/update_history" / sample.file).read_bytes()
    head = data[: readers.HEAD_BYTES]
    assert readers.claims(head) == (sample.kind,)
    got = readers.reader_for(head).read(data)
    schema.check("updates", got.updates)
    schema.check("problems", got.problems)
    assert (len(got.updates), lost(got)) == (sample.rows, sample.lost)
    assert set(got.updates["source_kind"]) <= {sample.kind}


@pytest.mark.parametrize(
    "sample", [sample for sample in SAMPLES if sample.rows], ids=lambda sample: sample.file
)
def test_real_sample_gives_the_right_instant_or_interval(shared, sample):
    row = kit.read_updates(shared / "formats/update_history" / sample.file).iloc[sample.at]
    assert (row["host"], row["kb"]) == (sample.host, sample.kb)
    assert f"{row['operation']} {row['result_code']}" == sample.state
    assert row["date_basis"] == sample.basis
    if sample.low:
        assert (row["date_low"], row["date_high"]) == (utc(sample.low), utc(sample.high))
    else:
        assert pd.isna(row["date_low"])
        assert pd.isna(row["date_high"])


def test_real_systeminfo_lists_hold_every_kb_of_their_bytes(shared):
    for file in sorted((shared / "formats/update_history").glob("systeminfo*")):
        data = file.read_bytes()
        named = text.kb_counts(data.replace(b"\0", b"").decode("latin-1"))
        got = systeminfo.read(data).updates["kb"].value_counts()
        assert got.to_dict() == dict(named), file.name


def test_real_cbs_log_shows_its_offset(shared):
    whole = (shared / "formats/update_history/CBS.log.loghub_win7.head.txt").read_text()
    # 04:30:31 local is 20:30:31 UTC of the day before
    assert set(cbs._offsets(whole).offset) == {timedelta(hours=8)}


def test_real_files_of_other_kinds_are_not_taken_for_updates(shared):
    for folder in ("eventlog", "vpn"):
        for file in sorted((shared / "formats" / folder).iterdir()):
            head = file.read_bytes()[: readers.HEAD_BYTES]
            kinds = {reader.kind for reader in UPDATE_READERS}
            assert kinds.isdisjoint(readers.claims(head)), file.name


def test_pswindowsupdate_times_are_local():
    data = (WU + wu("13.01.2022 04:15:41")).encode("utf-8-sig")
    assert readers.sniff(data) == "pswindowsupdate"
    got = pswindowsupdate.read(data)
    row, written = got.updates.iloc[0], utc("2022-01-13T04:15:41")
    assert span(row) == (written, written - dates.EAST, written + dates.WEST, "local")
    assert (row["host"], row["kb"], row["title"]) == ("WS0001", "KB5009543", TITLE)
    assert reasons(got) == pswindowsupdate.LOST


@pytest.mark.parametrize(
    ("operation", "result", "want"),
    [
        ("Installation", "SucceededWithErrors", ("install", "succeeded_with_errors")),
        ("Uninstallation", "Aborted ", ("uninstall", "aborted")),
        ("Installation", "InProgress", ("install", "in_progress")),
        ("Deinstallation", "Failed", ("", "failed")),
    ],
)
def test_pswindowsupdate_translates_words(operation, result, want):
    got = pswindowsupdate.read((WU + wu("13.01.2022 04:15:41", result, operation)).encode())
    row = got.updates.iloc[0]
    assert (row["operation"], row["result_code"]) == want
    assert ("not known" in reasons(got)) == ("" in want)


def test_pswindowsupdate_keeps_what_stands_before_a_break():
    got = pswindowsupdate.read((WU + wu("13.01.2022 04:15:41") + '"WS0001","Inst').encode())
    assert got.updates["kb"].tolist() == ["KB5009543", ""]
    assert "2 cells where the header has 6" in reasons(got)


def test_winupdatesview_is_read_by_the_names_of_its_columns():
    line = f'"{TITLE}",1/13/2022 4:15:41 AM,Installation,Failed,{{{GUID.upper()}}},,0x80242014,wusa,?\r\n'
    data = (VIEW + line).encode("utf-16")
    assert readers.sniff(data) == "winupdatesview"
    got = winupdatesview.read(data)
    row, written = got.updates.iloc[0], utc("2022-01-13T04:15:41")
    assert span(row) == (written, written - dates.EAST, written + dates.WEST, "local")
    assert (row["operation"], row["result_code"], row["hresult"]) == (
        "install",
        "failed",
        "0x80242014",
    )
    assert (row["kb"], row["update_id"], row["client_application_id"]) == (
        "KB5009543",
        GUID,
        "wusa",
    )
    turned = (VIEW + line).replace(",", "\t").replace("Install Date", "Update Date")
    assert winupdatesview.read(turned.encode()).updates["update_id"].item() == GUID
