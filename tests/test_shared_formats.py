"""Every sample of others' dumps: the right reader, the right rows, the right instants.

`SAMPLES` is the whole folder; a file that is added to it fails until it has its line here. Instants
are UTC; where a file leaves zone, order or year open, they are the ends of what is possible.
"""

from __future__ import annotations

import re

import pandas as pd
import pytest

import kitlib as kit
from kitlib.localtime import TIME_HIGH, TIME_LOW

# path, kind, rows of events, updates and sessions, earliest and latest instant they allow
SAMPLES = [
    ("SOURCES.md", "ignored", 0, 0, 0, "", ""),
    ("collections/collect_fleet.example.ps1", "ignored", 0, 0, 0, "", ""),
    ("collections/collect_host.example.ps1", "ignored", 0, 0, 0, "", ""),
    (
        "eventlog/Get-EventLog_Out-File_es-CO.txt",
        "get_eventlog_text",
        3,
        0,
        0,
        "2020-02-11T22:22:08",
        "2020-12-03T01:59:26",
    ),
    (
        "eventlog/Get-WinEvent_ConvertTo-Json_ps51.json",
        "get_winevent_json",
        1,
        0,
        0,
        "2020-07-21T23:34:18.918000",
        "2020-07-21T23:34:18.918000",
    ),
    (
        "eventlog/Get-WinEvent_Export-Csv_ps51_en-US.csv",
        "get_winevent_csv",
        2,
        0,
        0,
        "2026-05-31T02:36:18",
        "2026-06-01T04:36:21",
    ),
    (
        "eventlog/event_viewer_save_as_csv_de-DE.csv",
        "event_viewer_text",
        2,
        0,
        0,
        "2021-10-26T22:28:26",
        "2021-10-28T00:28:26",
    ),
    (
        "eventlog/evtx_dump_style_jsonl.jsonl",
        "evtx_dump_json",
        4,
        0,
        0,
        "2017-07-12T17:16:29.401630",
        "2017-07-12T17:16:32.855086",
    ),
    (
        "eventlog/otrf_security_datasets_winlogbeat_flat.jsonl",
        "flat_event_json",
        2,
        0,
        0,
        "2020-10-28T07:19:03.511000",
        "2020-10-28T07:19:09.046000",
    ),
    (
        "eventlog/velociraptor_parse_evtx_1102.json",
        "velociraptor_json",
        1,
        0,
        0,
        "2019-02-09T17:05:24.672758300",
        "2019-02-09T17:05:24.672758300",
    ),
    (
        "eventlog/wevtutil_qe_RenderedXml_two_events_no_root.xml",
        "event_xml",
        2,
        0,
        0,
        "2020-05-30T21:35:42.077609500",
        "2025-04-08T12:14:15.645159700",
    ),
    (
        "eventlog/winlogbeat_ecs_1102.json",
        "winlogbeat_json",
        1,
        0,
        0,
        "2019-11-07T10:34:29.055919600",
        "2019-11-07T10:34:29.055919600",
    ),
    ("update_history/CBS.log.loghub_win7.head.txt", "cbs_log", 0, 0, 0, "", ""),
    (
        "update_history/Get-HotFix_Export-Clixml.xml",
        "get_hotfix_clixml",
        0,
        2,
        0,
        "2019-09-20T10:00:00",
        "2019-10-05T12:00:00",
    ),
    (
        "update_history/Get-HotFix_table_es-CO.txt",
        "get_hotfix",
        0,
        9,
        0,
        "2019-09-20T10:00:00",
        "2020-02-11T12:00:00",
    ),
    (
        "update_history/Get-WindowsUpdateLog_win10_1709.head.txt",
        "windowsupdate_log",
        0,
        0,
        0,
        "",
        "",
    ),
    (
        "update_history/ReportingEvents.log.msjapan.txt",
        "reporting_events",
        0,
        4,
        0,
        "2017-12-12T10:46:19.636000",
        "2017-12-13T08:39:11.176000",
    ),
    (
        "update_history/dism_get-packageinfo_en-US.txt",
        "dism_packages",
        0,
        1,
        0,
        "2025-05-14T13:15:00",
        "2025-05-15T15:16:00",
    ),
    (
        "update_history/dism_get-packageinfo_ja-JP.txt",
        "dism_packages",
        0,
        1,
        0,
        "2021-05-12T11:11:00",
        "2021-05-13T13:12:00",
    ),
    ("update_history/dism_get-packages_en-US_pending.txt", "dism_packages", 0, 1, 0, "", ""),
    (
        "update_history/dism_get-packages_ja-JP.txt",
        "dism_packages",
        0,
        1,
        0,
        "2021-10-12T18:45:00",
        "2021-10-13T20:46:00",
    ),
    ("update_history/systeminfo_10_1803_x64_pro_it.txt", "systeminfo", 0, 10, 0, "", ""),
    ("update_history/systeminfo_10_1809_x64_education_es.txt", "systeminfo", 0, 9, 0, "", ""),
    ("update_history/systeminfo_10_1809_x64_enterprise_zh-cn.txt", "systeminfo", 0, 1, 0, "", ""),
    ("update_history/systeminfo_10_21H2_x64_pro.txt", "systeminfo", 0, 7, 0, "", ""),
    ("update_history/systeminfo_11_24H2_x64_enterprise.txt", "systeminfo", 0, 3, 0, "", ""),
    ("update_history/systeminfo_7_sp1_x64_ultimaten_de.txt", "systeminfo", 0, 245, 0, "", ""),
    ("update_history/systeminfo_fr_win7_powershell_utf16le.txt", "systeminfo", 0, 93, 0, "", ""),
    ("update_history/systeminfo_srv_2012r2_x64_standard_ru.txt", "systeminfo", 0, 7, 0, "", ""),
    (
        "update_history/wmic_qfe_table_utf16le_en-us_win10_1809.txt",
        "wmic_qfe",
        0,
        9,
        0,
        "2018-10-21T10:00:00",
        "2019-03-03T12:00:00",
    ),
    (
        "update_history/wmic_qfe_table_utf8_ru_srv2012r2.txt",
        "wmic_qfe",
        0,
        7,
        0,
        "2014-03-17T19:00:00",
        "2020-04-17T20:00:00",
    ),
    (
        "update_history/wmic_qfe_table_vista_hex_filetime.head.txt",
        "wmic_qfe",
        0,
        13,
        0,
        "2019-03-20T10:00:00",
        "2019-03-22T12:00:00",
    ),
    (
        "vpn/fortigate_event_vpn.log",
        "fortigate_log",
        0,
        0,
        3,
        "2020-04-18T17:23:47.698970007",
        "2020-04-23T17:32:47",
    ),
    (
        "vpn/meraki_api_getNetworkEvents_one_event.json",
        "meraki_api_events",
        0,
        0,
        1,
        "2024-03-19T05:10:47.055027",
        "2024-03-19T05:10:47.055027",
    ),
    (
        "vpn/meraki_dashboard_event_log_paste.txt",
        "meraki_event_log",
        0,
        0,
        6,
        "2022-10-20T15:23:00",
        "2022-10-20T16:28:00",
    ),
    (
        "vpn/meraki_syslog_events_vpn.log",
        "meraki_syslog",
        0,
        0,
        8,
        "2021-12-10T10:40:51.416656563",
        "2022-03-17T00:50:22.583851938",
    ),
    (
        "vpn/nps_IN_log_DTS_xml.log",
        "nps_dts_xml",
        0,
        0,
        1,
        "2024-05-02T15:23:13.729000",
        "2024-05-02T15:23:13.729000",
    ),
    (
        "vpn/nps_IN_log_ias_format.log",
        "nps_ias",
        0,
        0,
        2,
        "2000-02-09T09:18:00",
        "2000-09-03T11:18:00",
    ),
    (
        "vpn/nps_IN_log_odbc_2006.log",
        "nps_database",
        0,
        0,
        2,
        "2006-10-21T19:13:09",
        "2006-10-22T21:13:09",
    ),
    (
        "vpn/pfsense_charon_rfc5424.log",
        "charon_syslog",
        0,
        0,
        1,
        "2021-07-04T04:08:00.777042",
        "2021-07-04T04:08:00.777042",
    ),
    ("vpn/vyos_strongswan_charon_syslog.log", "charon_syslog", 0, 0, 6, "", ""),
]


@pytest.fixture(scope="module")
def evidence(shared):
    if not (shared / "formats").is_dir():
        pytest.skip("the folder of other people's dumps is not here")
    return kit.read_evidence(shared / "formats")


def of(table, path):
    return table[table["path"] == path]


def ends(evidence, path):
    """Earliest and latest instant of the rows of a file."""
    events, updates, sessions = (
        of(getattr(evidence, name), path) for name in ("events", "updates", "sessions")
    )
    told = (
        events["data"].map(lambda data: data.get(TIME_LOW)),
        events["data"].map(lambda data: data.get(TIME_HIGH)),
    )
    low, high = (pd.to_datetime(one, utc=True, format="ISO8601") for one in told)
    lows = [events["time_created"].fillna(low), updates["date_low"], sessions["time_low"]]
    highs = [events["time_created"].fillna(high), updates["date_high"], sessions["time_high"]]
    return min_of(lows), max_of(highs)


def min_of(columns):
    return pd.concat([one.dropna() for one in columns]).min()


def max_of(columns):
    return pd.concat([one.dropna() for one in columns]).max()


def instant(text):
    return pd.Timestamp(text, tz="UTC") if text else pd.NaT


def test_the_table_holds_every_sample(evidence):
    assert [row[0] for row in SAMPLES] == sorted(evidence.files["path"])


@pytest.mark.parametrize(
    ("path", "kind", "events", "updates", "sessions", "first", "last"),
    SAMPLES,
    ids=[row[0] for row in SAMPLES],
)
def test_sample_is_read_as_the_table_says(
    evidence, path, kind, events, updates, sessions, first, last
):
    assert of(evidence.files, path)["kind"].item() == kind
    counts = [len(of(getattr(evidence, name), path)) for name in ("events", "updates", "sessions")]
    assert counts == [events, updates, sessions]
    got = ends(evidence, path)
    assert [str(one) for one in got] == [str(instant(one)) for one in (first, last)]


def test_every_stated_time_lies_within_its_own_interval(evidence):
    for table, stated, low, high in (
        (evidence.updates, "date", "date_low", "date_high"),
        (evidence.sessions, "time", "time_low", "time_high"),
    ):
        timed = table[table[stated].notna()]
        assert (timed[low] <= timed[stated]).all()
        assert (timed[stated] <= timed[high]).all()


@pytest.mark.parametrize(
    "path", [row[0] for row in SAMPLES if row[1] in ("systeminfo", "wmic_qfe")]
)
def test_no_kb_of_a_list_is_lost(evidence, shared, path):
    """The slow, obvious twin: KB numbers in the bytes without their NULs."""
    data = (shared / "formats" / path).read_bytes().replace(b"\0", b"")
    found = set(re.findall(rb"KB\d{6,8}", data))
    kept = {kb.encode() for kb in of(evidence.updates, path)["kb"]} - {b""}
    assert len(found - kept) <= 1  # a list that breaks off in the middle of its last line
    assert all(kb.removeprefix(b"KB") in data for kb in kept)  # one is listed without its KB


def test_analyze_gives_an_answer_about_other_peoples_dumps(evidence):
    case = kit.analyze(evidence, "kb5009543")
    assert case.cause.status == "insufficient"
