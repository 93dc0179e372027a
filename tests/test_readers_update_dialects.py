"""More dialects of update history: each known by content, read whole, and never guessed at."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kitlib as kit
from kitlib import readers, schema
from kitlib.readers import dates, remarks, text
from kitlib.readers.updates import (
    cbs,
    dism,
    hotfix_objects,
    midnights,
    osquery,
    pswindowsupdate,
    reporting_events,
    systeminfo,
    winupdatesview,
)
from kitlib.readers.updates.update_dialects import UPDATE_READERS

GUID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
ROLLUP = "Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.1466.1.7"
TITLE = "2022-01 Cumulative Update for Windows 10 Version 21H2 for x64-based Systems (KB5009543)"


def utc(stamp: str) -> pd.Timestamp:
    return pd.Timestamp(stamp, tz="UTC").as_unit("ns")


def span(row: pd.Series) -> tuple[object, ...]:
    return (row["date"], row["date_low"], row["date_high"], row["date_basis"])


def reasons(got: readers.Parsed) -> str:
    return "\n".join(got.problems["reason"])


def lost(got: readers.Parsed) -> int:
    return int(got.problems["records_lost"].fillna(0).sum())


# ------------------------------------------------------------------ the real samples


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


# ------------------------------------------------------------------ local times


@pytest.mark.parametrize(
    ("value", "order", "low", "high"),
    [
        ("1/12/2022 3:15 AM", "month first", "2022-01-12T03:15", "2022-01-12T03:16"),
        ("1/12/2022 3:15:07 PM", "month first", "2022-01-12T15:15:07", "2022-01-12T15:15:07"),
        ("1/12/2022 12:15:07 a.m.", "month first", "2022-01-12T00:15:07", "2022-01-12T00:15:07"),
        ("12.01.2022 15:15:07", "day first", "2022-01-12T15:15:07", "2022-01-12T15:15:07"),
        ("12/01/2022, 15:15:07", "day first", "2022-01-12T15:15:07", "2022-01-12T15:15:07"),
        ("12-01-2022 15.15", "day first", "2022-01-12T15:15", "2022-01-12T15:16"),
        ("2022/1/12 8:45", "undecided", "2022-01-12T08:45", "2022-01-12T08:46"),
        ("2022-01-12T08:45:01", "undecided", "2022-01-12T08:45:01", "2022-01-12T08:45:01"),
        # a word of another language may mean either half of the day
        ("2022/1/12 上午 8:45:00", "undecided", "2022-01-12T08:45", "2022-01-12T20:45"),
        # and an undecided order either day
        ("1/12/2022 08:45:00", "undecided", "2022-01-12T08:45", "2022-12-01T08:45"),
    ],
)
def test_read_local_covers_every_offset_and_every_reading(value, order, low, high):
    got = dates.read_local(value, order)
    assert (got.low, got.high) == (utc(low) - dates.EAST, utc(high) + dates.WEST)
    assert got.basis == "local"
    sure = utc(high) - utc(low) <= pd.Timedelta("1min")
    assert got.date == (utc(low) if sure else None)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "31/31/2022 10:00",
        "1/1/2022 99:99",
        "1/1/1601 1:00",
        "1/1/9999 1:00",
        "1/1/2022 7",
    ],
)
def test_read_local_refuses_what_is_no_time(value):
    assert dates.read_local(value, "month first") is None


def test_read_local_without_a_time_of_day_is_a_day():
    assert dates.read_local("1/12/2022", "month first") == dates.day(date(2022, 1, 12))


@settings(max_examples=60, deadline=None)
@given(
    local=st.datetimes(datetime(1995, 1, 1), datetime(2095, 1, 1)),  # a wall's time
    offset=st.integers(-48, 56),
    form=st.sampled_from(["%m/%d/%Y %I:%M:%S %p", "%Y/%m/%d %H:%M", "%m/%d/%Y %H:%M:%S"]),
)
def test_read_local_holds_the_truth_at_every_offset(local, offset, form):
    truth = utc(str(local)) - pd.Timedelta(minutes=15 * offset)
    got = dates.read_local(local.strftime(form), "month first")
    assert got.low <= truth.floor("s")
    assert truth.floor("s") <= got.high


@pytest.mark.parametrize(
    ("hours", "day"),
    [
        (0, "2022-01-12"),
        (1, "2022-01-12"),
        (5.75, "2022-01-12"),
        (-8, "2022-01-12"),
        (9.75, "2022-01-12"),
    ],
)
def test_read_midnight_of_powershell_5_knows_the_day_and_when_it_began(hours, day):
    begin = utc(day) - pd.Timedelta(hours=hours)
    got = midnights.read_midnight(f"/Date({int(begin.timestamp() * 1000)})/")
    assert got == dates.When(utc(day), begin, begin + pd.Timedelta("25h"), "date")


def test_read_midnight_leaves_the_day_open_where_two_zones_begin_one():
    begin = utc("2022-01-11T11:00")  # the 12th at UTC+13, the 11th at UTC-11
    got = midnights.read_midnight(f"/Date({int(begin.timestamp() * 1000)})/")
    assert (got.date, got.low) == (None, begin)


@pytest.mark.parametrize(
    ("value", "low", "high", "basis"),
    [
        ("2022-01-12T00:00:00", "2022-01-11T10:00", "2022-01-13T12:00", "date"),
        ("2022-01-12T00:00:00Z", "2022-01-11T10:00", "2022-01-13T12:00", "date"),
        ("2022-01-12T00:00:00+01:00", "2022-01-11T23:00", "2022-01-13T00:00", "date"),
        ("2022-01-12T00:00:00-08:00", "2022-01-12T08:00", "2022-01-13T09:00", "date"),
        ("2019-03-21T10:29:36.3017569Z", "2019-03-21T10:29:36.3017569", None, "utc"),
        # no midnight of any zone: the span of all that it can be
        ("/Date(1641957341000)/", "2022-01-11T15:15:41", "2022-01-12T17:15:41", "local"),
    ],
)
def test_read_midnight_reads_every_form(value, low, high, basis):
    got = midnights.read_midnight(value)
    assert (got.low, got.high, got.basis) == (utc(low), utc(high or low), basis)


@pytest.mark.parametrize(
    "value",
    ["", "x", "/Date(999999999999999)/", "/Date(-999999999999999)/", "2022-13-12T00:00:00",
     "2022-01-12T25:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59Z"],
)  # fmt: skip
def test_read_midnight_refuses_what_windows_did_not_write(value):
    assert midnights.read_midnight(value) is None


# ------------------------------------------------------------------ systeminfo


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


def test_systeminfo_reads_hotfixes_of_unknown_date():
    got = systeminfo.read(info("KB5009543", "KB5010793").encode())
    want = schema.frame(
        "updates",
        [
            {
                "host": "WS0001",
                "operation": "install",
                "result_code": "succeeded",
                "kb": kb,
                "source_kind": "systeminfo",
            }
            for kb in ("KB5009543", "KB5010793")
        ],
    )
    pd.testing.assert_frame_equal(got.updates, want)
    assert "no install dates" in reasons(got)


def test_systeminfo_says_how_many_hotfixes_were_cut_off_silently():
    got = systeminfo.read(info("KB5009543", "KB5010793", claimed=9).encode())
    assert (len(got.updates), lost(got)) == (2, 7)
    assert "claims 9 hotfixes and lists 2" in reasons(got)


def test_systeminfo_drops_a_name_that_was_cut_in_the_middle():
    got = systeminfo.read(info("KB5009543", "KB50107", claimed=9).encode())
    assert (list(got.updates["kb"]), lost(got)) == (["KB5009543"], 8)


def test_systeminfo_keeps_hotfixes_that_are_no_kb():
    got = systeminfo.read(info("Q147222", "File 1", "KB893756 - Update").encode()).updates
    assert list(got["title"]) == ["Q147222", "File 1", ""]
    assert list(got["kb"]) == ["", "", "KB893756"]


@pytest.mark.parametrize("noun", ["Hotfix", "Исправление", "修补程序", "Correctif"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_systeminfo_asks_no_label(noun, encoding):
    data = info("KB5009543", noun=noun).encode(encoding)
    assert readers.sniff(data) == "systeminfo"
    assert list(systeminfo.read(data).updates["kb"]) == ["KB5009543"]


def test_systeminfo_takes_the_code_page_from_the_locale():
    got = systeminfo.read(info("KB5009543", host="BÜRO-7").encode("cp850"))
    assert list(got.updates["host"]) == ["BÜRO-7"]
    assert "cp850" in reasons(got)


@pytest.mark.parametrize("host", ["...", "", "two words"])
def test_systeminfo_names_no_host_that_is_none(host):
    assert list(systeminfo.read(info("KB5009543", host=host).encode()).updates["host"]) == [""]


def test_systeminfo_names_no_host_when_its_beginning_is_missing():
    whole = info("KB5009543")
    assert list(systeminfo.read(whole[whole.index("OS Name") :].encode()).updates["host"]) == [""]


def test_systeminfo_reads_the_packed_csv_of_several_hosts():
    head = '"Host Name","OS Name","Time Zone","Hotfix(s)"\r\n'
    row = (
        '"{}","Microsoft Windows 10 Pro","(UTC+01:00) Wien","{} Hotfix(s) Installed.,[01]: {}"\r\n'
    )
    data = (head + row.format("A", 1, "KB5009543") + row.format("B", 3, "KB5010793")).encode()
    assert readers.sniff(data) == "systeminfo"
    got = systeminfo.read(data)
    assert list(zip(got.updates["host"], got.updates["kb"], strict=True)) == [
        ("A", "KB5009543"),
        ("B", "KB5010793"),
    ]
    assert lost(got) == 2


@settings(max_examples=50, deadline=None)
@given(
    kbs=st.lists(st.integers(1_000_000, 99_999_999), min_size=1, max_size=120),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-le", "cp850"]),
)
def test_systeminfo_gives_back_every_hotfix_written(kbs, encoding):
    names = [f"KB{number}" for number in kbs]
    got = systeminfo.read(info(*names).encode(encoding))
    assert (list(got.updates["kb"]), lost(got)) == (names, 0)


# ------------------------------------------------------------------ DISM


def block(identity: str = ROLLUP, state: str = "Installed", at: str = "1/13/2022 3:15 AM") -> str:
    return (
        f"Package Identity : {identity}\r\nState : {state}\r\n"
        f"Release Type : Security Update\r\nInstall Time : {at}\r\n\r\n"
    )


HEADING = "\r\nDeployment Image Servicing and Management tool\r\nVersion: 10.0.19041.844\r\n\r\n"


def test_dism_reads_packages_with_the_identity_as_title():
    got = dism.read(
        (
            HEADING
            + block()
            + block("Package_for_KB5005699~31bf3856ad364e35~amd64~~19041.1220.1.0")
        ).encode()
    )
    assert got.updates["title"].iloc[0] == ROLLUP
    assert list(got.updates["kb"]) == ["", "KB5005699"]  # a build is no KB
    assert got.problems.empty
    written = utc("2022-01-13T03:15")
    assert span(got.updates.iloc[0]) == (
        written,
        written - pd.Timedelta("14h"),
        written + pd.Timedelta("12h1min"),
        "local",
    )


@pytest.mark.parametrize(
    ("state", "want"),
    [
        ("Installed", ("install", "succeeded")),
        ("Superseded", ("install", "succeeded")),
        ("Install Pending", ("install", "in_progress")),
        ("Staged", ("install", "not_started")),
        ("インストール済み", ("install", "succeeded")),
    ],
)
def test_dism_translates_states(state, want):
    row = dism.read(block(state=state).encode()).updates.iloc[0]
    assert (row["operation"], row["result_code"]) == want


def test_dism_gives_no_time_to_a_removal_that_waits():
    row = dism.read(block(state="Uninstall Pending").encode()).updates.iloc[0]
    assert (row["operation"], row["result_code"]) == ("uninstall", "in_progress")
    assert pd.isna(row["date"])


def test_dism_leaves_a_state_of_another_language_open():
    got = dism.read(block(state="Gelukt").encode())
    assert got.updates["result_code"].item() == ""
    assert "'Gelukt' is not known" in reasons(got)


def test_dism_does_not_choose_between_day_and_month():
    got = dism.read(block(at="01/12/2022 03:15").encode())
    row = got.updates.iloc[0]
    assert pd.isna(row["date"])
    assert row["date_low"] == utc("2022-01-11T13:15")
    assert row["date_high"] == utc("2022-12-01T15:16")
    assert "no value decides" in reasons(got)


def test_dism_reads_the_table_and_doubled_carriage_returns():
    head = f"{HEADING}Package Identity | State | Release Type | Install Time\r\n--- | --- | --- | ---\r\n"
    listed = f"{ROLLUP} | Installed | Security Update | 1/13/2022 3:15 AM\r\n"
    from_list = dism.read((HEADING + block()).encode()).updates
    for data in (head + listed, (HEADING + block()).replace("\r\n", "\r\r\n")):
        assert readers.sniff(data.encode()) == "dism_packages"
        pd.testing.assert_frame_equal(dism.read(data.encode("utf-16")).updates, from_list)


def test_dism_states_a_block_that_was_cut():
    whole = HEADING + block() + block()
    got = dism.read(whole[: whole.rindex("Release")].encode())
    assert (len(got.updates), lost(got)) == (1, 1)
    assert "without its whole set" in reasons(got)


@settings(max_examples=50, deadline=None)
@given(
    at=st.lists(
        st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)), min_size=1, max_size=8
    ),  # local
    form=st.sampled_from(["%m/%d/%Y %I:%M %p", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M"]),
)
def test_dism_holds_every_time_written(at, form):
    got = dism.read("".join(block(at=one.strftime(form)) for one in at).encode()).updates
    written = pd.Series([pd.Timestamp(one, tz="UTC").floor("min") for one in at])
    assert (got["date_low"] <= written).all()
    assert (written <= got["date_high"]).all()
    assert got["date"].dropna().isin(written).all()


# ------------------------------------------------------------------ ReportingEvents.log


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


def test_reporting_events_reads_an_install_to_the_millisecond_in_utc():
    for line in (event(), event(more=()), event("183\t[AGENT_INSTALLING_SUCCEEDED]")):
        got = reporting_events.read(line.encode("utf-16"))
        moment = utc("2022-01-12T03:15:41.123")
        want = schema.frame(
            "updates",
            [
                {
                    "date": moment,
                    "date_low": moment,
                    "date_high": moment,
                    "date_basis": "offset",
                    "operation": "install",
                    "result_code": "succeeded",
                    "hresult": "0x00000000",
                    "title": TITLE,
                    "kb": "KB5009543",
                    "update_id": GUID,
                    "client_application_id": "UpdateOrchestrator",
                    "source_kind": "reporting_events",
                }
            ],
        )
        pd.testing.assert_frame_equal(got.updates, want)
        assert got.problems.empty


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("181 [AGENT_INSTALLING_STARTED]", ("install", "in_progress")),
        ("201 [AGENT_INSTALLING_PENDING]", ("install", "in_progress")),
        ("182 [AGENT_INSTALLING_FAILED]", ("install", "failed")),
        ("195 [AGENT_INSTALLING_FAILED_POST_REBOOT]", ("install", "failed")),
        ("0 [AGENT_UNINSTALLING_SUCCEEDED]", ("uninstall", "succeeded")),
        ("0 [AGENT_UNINSTALL_STARTED]", ("uninstall", "in_progress")),
    ],
)
def test_reporting_events_tells_steps_by_their_names(name, want):
    row = reporting_events.read(event(name, code="80242015").encode()).updates.iloc[0]
    assert (row["operation"], row["result_code"], row["hresult"]) == (*want, "0x80242015")


def test_reporting_events_gives_a_pending_step_the_title_of_its_update():
    pending = event(
        "201 [AGENT_INSTALLING_PENDING]", code="240005", message="Installation pending."
    )
    got = reporting_events.read((pending + event()).encode()).updates
    assert list(got["kb"]) == ["KB5009543", "KB5009543"]
    assert list(got["title"]) == [TITLE, TITLE]


def test_reporting_events_leaves_out_detections_and_states_broken_lines():
    detected = event("147 [AGENT_DETECTION_FINISHED]", message="detected 3 updates")
    got = reporting_events.read((detected + event()[:90] + "\r\n" + event()).encode())
    assert (len(got.updates), lost(got)) == (1, 1)


@pytest.mark.parametrize("at", ["2022-13-45 04:15:41:123+0100", "0001-01-01 00:00:00:000+0000"])
def test_reporting_events_takes_an_absurd_time_as_unknown(at):
    got = reporting_events.read(event(at=at).encode())
    assert pd.isna(got.updates["date_low"].item())
    assert "is no time" in reasons(got)


@settings(max_examples=60, deadline=None)
@given(
    moments=st.lists(
        st.tuples(
            st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)),  # UTC below
            st.integers(-48, 56),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_reporting_events_gives_back_every_instant_written(moments):
    lines, want = [], []
    for moment, quarters in moments:
        offset = timedelta(minutes=15 * quarters)
        local = moment + offset
        sign, minutes = "-" if quarters < 0 else "+", abs(15 * quarters)
        stamp = f"{local:%Y-%m-%d %H:%M:%S}:{local.microsecond // 1000:03}"
        lines.append(event(at=f"{stamp}{sign}{minutes // 60:02}{minutes % 60:02}"))
        want.append(pd.Timestamp(moment, tz="UTC").floor("ms").as_unit("ns"))
    assert list(reporting_events.read("".join(lines).encode()).updates["date"]) == want


# ------------------------------------------------------------------ CBS.log


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


def test_cbs_learns_the_offset_from_its_own_utc_marks():
    got = cbs.read((BEFORE + CHANGED + AFTER).encode())
    moment = utc("2022-01-12T03:15:41")
    want = schema.frame(
        "updates",
        [
            {
                "date": moment,
                "date_low": moment,
                "date_high": moment,
                "date_basis": "offset",
                "operation": "install",
                "result_code": "succeeded",
                "hresult": "0x00000000",
                "title": ROLLUP,
                "client_application_id": "WindowsUpdateAgent",
                "source_kind": "cbs_log",
            }
        ],
    )
    pd.testing.assert_frame_equal(got.updates, want)
    assert got.problems.empty


def test_cbs_without_marks_gives_a_local_time_of_unknown_zone():
    got = cbs.read(CHANGED.encode())
    written = utc("2022-01-12T04:15:41")
    low, high = written - pd.Timedelta("14h"), written + pd.Timedelta("12h")
    assert span(got.updates.iloc[0]) == (written, low, high, "local")
    assert "no UTC marks" in reasons(got)


def test_cbs_beside_one_mark_allows_for_a_change_of_clocks():
    row = cbs.read((BEFORE + CHANGED).encode()).updates.iloc[0]
    truth, hour = utc("2022-01-12T03:15:41"), pd.Timedelta("1h")
    assert (row["date_low"], row["date_high"]) == (truth - hour, truth + hour)
    assert row["date_basis"] == "local"


def test_cbs_between_marks_that_differ_spans_both():
    # 27 March 2022, 02:00 becomes 03:00 in Berlin
    before = mark("2022-03-27 01:59:00", "2022/3/27:00:59:00.0")
    after = mark("2022-03-27 03:01:00", "2022/3/27:01:01:00.0")
    row = cbs.read((before + change("2022-03-27 03:00:30") + after).encode()).updates.iloc[0]
    assert row["date_low"] == utc("2022-03-27T01:00:30")  # the truth: already UTC+2
    assert row["date_high"] == utc("2022-03-27T02:00:30")


@pytest.mark.parametrize(
    ("how", "want"),
    [
        ({}, ("install", "succeeded", "0x00000000")),
        ({"current": "Install Pending"}, ("install", "in_progress", "0x00000000")),
        ({"current": "Staged", "status": "0x800f0922"}, ("install", "failed", "0x800f0922")),
        (
            {"original": "Installed", "target": "Absent", "current": "Absent"},
            ("uninstall", "succeeded", "0x00000000"),
        ),
    ],
)
def test_cbs_judges_a_change_by_state_and_status(how, want):
    row = cbs.read(change("2022-01-12 04:15:41", **how).encode()).updates.iloc[0]
    assert (row["operation"], row["result_code"], row["hresult"]) == want


def test_cbs_leaves_out_what_changes_no_package():
    feature = change("2022-01-12 04:15:41", original="Installed", status="0x800f0922")
    staging = change("2022-01-12 04:15:41", original="Absent", target="Staged", current="Staged")
    got = cbs.read((feature + staging).encode())
    assert got.updates.empty
    assert "no package change was completed" in reasons(got)


def test_cbs_takes_the_kb_that_the_file_names_beside_a_package():
    named = (
        "2022-01-12 04:00:00, Info                  CBS    Exec: Processing started.  "
        f"Session: 1_2, Package: {ROLLUP}, Identifier: KB5009543\r\n"
    )
    assert cbs.read((named + CHANGED).encode()).updates["kb"].item() == "KB5009543"


def test_cbs_does_not_believe_a_mark_that_is_no_offset():
    wrong = mark("2022-01-12 04:00:00", "2022/1/14:03:00:00.0") + mark(
        "2022-01-12 04:00:00", "2022/1/12:03:07:00.0"
    )
    assert cbs._offsets(wrong).offset == []


@settings(max_examples=40, deadline=None)
@given(
    moment=st.datetimes(datetime(2001, 1, 2), datetime(2099, 1, 1)),  # UTC below
    quarters=st.integers(-48, 56),
)
def test_cbs_gives_back_the_instant_at_every_offset(moment, quarters):
    local = moment + timedelta(minutes=15 * quarters)
    shown = f"{local:%Y-%m-%d %H:%M:%S}"
    one = mark(shown, f"{moment.year}/{moment.month}/{moment.day}:{moment:%H:%M:%S}.5")
    got = cbs.read((one + change(shown) + one).encode()).updates["date"].item()
    assert got == pd.Timestamp(moment, tz="UTC").floor("s")


# ------------------------------------------------------------------ Get-HotFix as objects


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


@pytest.mark.parametrize("stamp", [BERLIN, {"value": BERLIN, "DateTime": "Mittwoch, 12. Januar"}])
@pytest.mark.parametrize("many", [True, False])
def test_hotfix_json_of_powershell_5_gives_the_local_day_where_it_was(stamp, many):
    data = json.dumps([ps51(stamp)] if many else ps51(stamp)).replace("/", "\\/").encode("utf-16")
    assert readers.sniff(data) == "get_hotfix_json"
    got = hotfix_objects.read_json(data)
    row = got.updates.iloc[0]
    assert span(row) == (utc("2022-01-12"), utc("2022-01-11T23:00"), utc("2022-01-13"), "date")
    assert (row["host"], row["kb"]) == ("WS0001", "KB5009543")
    assert got.problems.empty


def test_hotfix_json_of_powershell_7_gives_the_day_of_any_zone():
    got = hotfix_objects.read_json(json.dumps([ps51("2022-01-12T00:00:00")]).encode())
    assert span(got.updates.iloc[0]) == tuple(dates.day(date(2022, 1, 12)).cells().values())[:4]


def test_hotfix_json_decides_printed_dates_per_file_or_not_at_all():
    decided = [ps51("12/01/2022 00:00:00"), ps51("18/01/2022 00:00:00")]
    got = hotfix_objects.read_json(json.dumps(decided).encode()).updates
    assert list(got["date"]) == [utc("2022-01-12"), utc("2022-01-18")]
    undecided = hotfix_objects.read_json(json.dumps(decided[:1]).encode())
    assert pd.isna(undecided.updates["date"].item())
    assert "no value decides" in reasons(undecided)


def test_hotfix_json_keeps_what_is_whole_of_a_cut_file():
    data = json.dumps([ps51(BERLIN), ps51(BERLIN, "KB5010793"), ps51(None)]).encode()
    got = hotfix_objects.read_json(data[:-20])
    assert list(got.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert "broken JSON" in reasons(got)


def test_hotfix_json_keeps_an_update_without_a_date():
    got = hotfix_objects.read_json(json.dumps([ps51(None), ps51("someday")]).encode())
    assert got.updates["date_low"].isna().all()
    assert "2 of 2 updates have no install date" in reasons(got)
    assert "'someday' is not a date" in reasons(got)


CLIXML = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{}</Objs>'


def clixml(kb: str = "KB5009543", at: str = "2022-01-12T00:00:00", ref: int = 0) -> str:
    return (
        f'<Obj RefId="{ref}"><TNRef RefId="0" /><ToString>x &amp; y</ToString><Props>'
        f'<S N="CSName">WS0001</S><S N="HotFixID">{kb}</S><S N="InstalledOn">1/12/2022</S>'
        '<Obj N="__DERIVATION" RefId="9"><LST><S>CIM_LogicalElement</S></LST></Obj></Props>'
        f'<MS><DT N="InstalledOn">{at}</DT></MS></Obj>'
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "body",
    [
        clixml() + clixml("KB5010793"),
        f'<Obj RefId="7"><LST>{clixml()}{clixml("KB5010793")}</LST></Obj>',
    ],
)
def test_hotfix_clixml_reads_objects_one_by_one_or_as_a_list(encoding, body):
    data = CLIXML.format(body).encode(encoding)
    assert readers.sniff(data) == "get_hotfix_clixml"
    got = hotfix_objects.read_clixml(data)
    assert list(got.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert set(got.updates["host"]) == {"WS0001"}
    assert span(got.updates.iloc[1]) == tuple(dates.day(date(2022, 1, 12)).cells().values())[:4]
    assert got.problems.empty


def test_hotfix_clixml_keeps_the_whole_objects_of_a_cut_file():
    got = hotfix_objects.read_clixml(CLIXML.format(clixml() + clixml("KB5010793"))[:-40].encode())
    assert (list(got.updates["kb"]), lost(got)) == (["KB5009543"], 1)


def test_hotfix_clixml_expands_no_entity():
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "KB5009543"><!ENTITY f SYSTEM "file:///etc/passwd">{levels}]>'
    data = (bomb + CLIXML.format(clixml("&e11;") + clixml("&f;") + clixml("KB5010793"))).encode()
    assert readers.sniff(data) == "get_hotfix_clixml"
    got = hotfix_objects.read_clixml(data)
    assert list(got.updates["kb"]) == ["", "", "KB5010793"]
    assert got.updates["title"].str.len().max() < 100
    assert "2 entities" in reasons(got)


# ------------------------------------------------------------------ osquery

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


def test_osquery_patches_are_month_first_as_wmi_is():
    data = json.dumps([PATCH, PATCH | {"installed_on": "01d4dfd0fb4eb361"}]).encode()
    assert readers.sniff(data) == "osquery_patches"
    got = osquery.read_patches(data)
    assert span(got.updates.iloc[0]) == tuple(dates.day(date(2022, 1, 12)).cells().values())[:4]
    assert got.updates["date_basis"].tolist() == ["date", "utc"]
    assert set(got.updates["host"]) == {"WS0001"}
    assert got.problems.empty


def test_osquery_history_is_exact():
    data = json.dumps([ENTRY]).encode()
    assert readers.sniff(data) == "osquery_update_history"
    got = osquery.read_history(data)
    moment = utc("2022-01-12T03:15:41")
    assert span(got.updates.iloc[0]) == (moment, moment, moment, "utc")
    assert got.updates["source_kind"].item() == "osquery_update_history"
    assert got.updates["client_application_id"].item() == "UpdateOrchestrator"
    assert got.problems.empty


def test_osquery_logs_name_the_host_and_removals_are_no_uninstalls():
    log = {"name": "pack/patches", "hostIdentifier": "WS0007", "unixTime": 1641957341}
    plain = {name: value for name, value in PATCH.items() if name != "csname"}
    lines = [
        log | {"columns": plain, "action": "added"},
        log | {"columns": plain, "action": "removed"},
        log | {"snapshot": [plain, plain], "action": "snapshot"},
    ]
    data = "\n".join(map(json.dumps, lines)).encode()
    assert readers.sniff(data) == "osquery_patches"
    got = osquery.read_patches(data)
    assert list(got.updates["host"]) == ["WS0007"] * 3
    assert "1 rows are reported as removed" in reasons(got)


@settings(max_examples=40, deadline=None)
@given(seconds=st.lists(st.integers(1_000_000_000, 4_000_000_000), min_size=1, max_size=5))
def test_osquery_history_gives_back_every_second_written(seconds):
    data = "\n".join(json.dumps(ENTRY | {"date": str(one)}) for one in seconds).encode()
    want = [pd.Timestamp(one, unit="s", tz="UTC").as_unit("ns") for one in seconds]
    assert list(osquery.read_history(data).updates["date"]) == want


# ------------------------------------------------------------------ PSWindowsUpdate, WinUpdatesView

WU = '"ComputerName","OperationName","Date","Title","Result","KB"\r\n'


def wu(
    at: str, result: str = "Succeeded", operation: str = "Installation", title: str = TITLE
) -> str:
    return f'"WS0001","{operation}","{at}","{title}","{result}","KB5009543"\r\n'


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


VIEW = "Title,Install Date,Update Type,Install Result,Update ID,KB,Hresult,Client Application ID,New\r\n"


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


# ------------------------------------------------------------------ wrong, damaged and hostile

SEEDS = {
    "osquery_update_history": json.dumps([ENTRY, ENTRY]).encode(),
    "osquery_patches": json.dumps([PATCH, PATCH]).encode(),
    "get_hotfix_json": json.dumps([ps51(BERLIN), ps51("2022-01-12T00:00:00")]).encode(),
    "get_hotfix_clixml": CLIXML.format(clixml() + clixml()).encode(),
    "reporting_events": (event() + event()).encode("utf-16"),
    "cbs_log": (BEFORE + CHANGED + AFTER).encode(),
    "windowsupdate_log": b"2022/01/12 04:15:41.1234567 1234  5678  Agent  LogHistory called. "
    b"idUpdate={3f2504e0-4f89-11d3-9a0c-0305e82c3301}.1, resultMapped=0, resultUnMapped=0\r\n",
    "windowsupdate_log_old": b"2022-01-12\t04:15:41:123\t 952\t5b4\tReport\tREPORT EVENT: "
    + event("183").encode(),
    "pswindowsupdate_text": b"ComputerName OperationName Result     Date                Title\r\n"
    b"------------ ------------- ------     ----                -----\r\n"
    b"WS0001       Installation  Succeeded  13.01.2022 04:15:41 Update (KB5009543)\r\n",
    "pswindowsupdate_json": json.dumps(
        [
            {
                "OperationName": "Installation",
                "Date": "/Date(1)/",
                "Title": "",
                "Result": "",
                "KB": "",
            }
        ]
    ).encode(),
    "pswindowsupdate_clixml": b'<Objs><Obj RefId="0"><MS><S N="OperationName">Installation</S>'
    b'<S N="Result">Failed</S><S N="KB">KB5009543</S></MS></Obj></Objs>',
    "pswindowsupdate": (WU + wu("13.01.2022 04:15:41")).encode(),
    "winupdatesview": (
        VIEW + f"{TITLE},1/13/2022 4:15,Installation,Failed,{GUID},,,,\r\n"
    ).encode(),
    "systeminfo": info("KB5009543", "KB5010793").encode("utf-16"),
    "dism_packages": (HEADING + block() + block()).encode(),
}


def test_dialects_are_each_known_by_one_reader_only():
    assert set(SEEDS) <= {reader.kind for reader in UPDATE_READERS}
    for kind, data in SEEDS.items():
        found = readers.claims(data)
        # osquery's history has the keys of COM's and is asked first
        assert found[0] == kind
        assert set(found[1:]) <= {"com_history_json"}, kind


# Hives, databases and column maps have tests of their own; of the former, what is none is refused.
SEEDED = [reader for reader in UPDATE_READERS if reader.kind in SEEDS]


@pytest.mark.parametrize("reader", SEEDED, ids=lambda reader: reader.kind)
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
def test_dialects_account_for_bytes_that_are_not_theirs(reader, data):
    assert not reader.sniff(data)
    got = reader.read(data)
    assert got.updates.empty
    assert len(got.problems) >= 1


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(sorted(SEEDS)),
    at=st.integers(0, 900),
    junk=st.binary(max_size=12),
    cut=st.booleans(),
)
def test_dialects_never_raise_on_damaged_files(kind, at, junk, cut):
    seed = SEEDS[kind]
    damaged = seed[:at] + junk + (b"" if cut else seed[at + len(junk) :])
    readers.sniff(damaged)
    got = next(reader for reader in UPDATE_READERS if reader.kind == kind).read(damaged)
    schema.check("updates", got.updates)
    schema.check("problems", got.problems)
    known = got.updates.dropna(subset=["date_low"])
    assert (known["date_low"] <= known["date_high"]).all()
    assert (known["date_low"] > utc("1980-01-01")).all()


LONG = 10_000_000
HOSTILE = {
    "one letter": b"a" * LONG,
    "blanks": b" " * LONG,
    "colons": b": " * (LONG // 2),
    "separators": b"title,update id,date\n" + b"," * LONG,
    "open quote": b'title,update id,date\n"' + b"x" * LONG,
    "braces": b"{" * LONG,
    "long number": b'{"hotfix_id": ' + b"9" * LONG,
    "deep clixml": CLIXML[:30].encode() + b'<Obj RefId="0"><S N="HotFixID">' * (LONG // 30),
    "wide clixml": b"<Objs >" + b"<Obj RefId='0'>" * 59 + b'<S N="HotFixID">KB</S>' * (LONG // 22),
    "open types": b"<Objs ><!DOCTYPE a [" + b"<!ENTITY a 'b'>" * (LONG // 15),
    "package": f"Package Identity{' ' * LONG}: {ROLLUP}".encode(),
    "states": change("2022-01-12 04:15:41").encode().partition(b"Installed")[0]
    + b"a " * (LONG // 2),
    "hotfix": info(f"KB5009543 {'9' * LONG}").encode(),
    "fields": event().encode().rstrip() + b"\t" * LONG + b"x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_dialects_read_ten_megabytes_on_one_line_in_bounded_time(name):
    data = HOSTILE[name]
    start = time.process_time()
    for reader in UPDATE_READERS:
        reader.sniff(data[: readers.HEAD_BYTES])
    assert time.process_time() - start < 5
    reader = readers.reader_for(data[: readers.HEAD_BYTES])
    got = reader.read(data) if reader in UPDATE_READERS else None
    assert time.process_time() - start < 60
    assert got is None or len(got.problems) >= 1


def test_evidence_is_read_on_past_json_nested_without_end(tmp_path):
    (tmp_path / "deep.json").write_bytes(b'{"hotfixid":' * (LONG // 12))
    (tmp_path / "good.json").write_bytes(SEEDS["get_hotfix_json"])
    got = kit.read_evidence(tmp_path)
    assert list(got.updates["kb"]) == ["KB5009543", "KB5009543"]
    assert (
        got.problems.loc[got.problems["path"] == "deep.json", "reason"]
        .str.contains("nested too deep")
        .any()
    )


def test_wall_refuses_what_no_clock_shows():
    assert dates.wall([2022, 1, 12, 4, 15, 41]) == datetime(2022, 1, 12, 4, 15, 41, tzinfo=UTC)
    assert dates.wall([2022, 2, 30, 4, 15, 41]) is None
    assert dates.wall([2022, 1, 12, 24, 15, 41]) is None


def test_remarks_of_a_million_lines_stay_few():
    found = remarks.Remarks()
    for number in range(5000):
        found.append({"place": f"line {number}", "reason": "cut", "records_lost": 1})
        found.append({"place": f"line {number}", "reason": f"value {number}", "records_lost": 0})
    found.append({"reason": "cut"})
    assert len(found) == remarks.MOST + 1
    assert found[0] == {"place": "line 0 and 5000 more", "reason": "cut", "records_lost": None}
    assert found[-1]["place"].startswith("line 199 and ")
