"""Gateway-side readers: each real sample, and each rule's example."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime

import pandas as pd
import pytest
from gateway_samples import BY_KIND, NO_TIME, between, exactly, read, times, utc

from kitlib import readers, schema
from kitlib.readers import dates
from kitlib.readers.gateway import gateways

SAMPLES = [
    # file, kind, rows, row to look at, its times, what else it says
    (
        "meraki_dashboard_event_log_paste.txt",
        "meraki_event_log",
        6,
        0,
        # CDT is UTC-5 in Chicago and UTC-4 in Havana; seconds are not printed
        between("2022-10-20T15:27", "2022-10-20T16:28"),
        {"action": "session_ended", "user": "<Username>", "client_address": "<Client>"},
    ),
    (
        "meraki_dashboard_event_log_paste.txt",
        "meraki_event_log",
        6,
        4,
        between("2022-10-20T15:23", "2022-10-20T16:24"),
        {"action": "tunnel_started", "outcome": "success", "client_address": "<Client>"},
    ),
    (
        "meraki_api_getNetworkEvents_one_event.json",
        "meraki_api_events",
        1,
        0,
        exactly("2024-03-19T05:10:47.055027"),
        {
            "gateway": "Q3FA-KM7T-NYGZ",
            "action": "association_ended",
            "client_address": "117.200.14.68",
            "time_basis": "utc",
        },
    ),
    (
        "meraki_syslog_events_vpn.log",
        "meraki_syslog",
        8,
        1,
        exactly("2022-03-17T00:48:12.029594666"),
        {
            "gateway": "MX_device_1",
            "action": "negotiation_succeeded",
            "outcome": "success",
            "client_address": "81.2.69.144",
        },
    ),
    (
        "meraki_syslog_events_vpn.log",
        "meraki_syslog",
        8,
        3,
        exactly("2022-03-17T00:48:12.669153546"),
        {"action": "session_started", "user": "jwick@wwvpn.net", "client_address": "81.2.69.193"},
    ),
    (
        "meraki_syslog_events_vpn.log",
        "meraki_syslog",
        8,
        7,
        exactly("2021-12-10T10:40:51.416656563"),
        {"action": "session_ended", "user": "user.name1", "code": "Max time exceeded"},
    ),
    (
        "pfsense_charon_rfc5424.log",
        "charon_syslog",
        1,  # two lines are the daemon's own affairs
        0,
        exactly("2021-07-04T04:08:00.777042"),
        {
            "gateway": "pfSense.example.com",
            "action": "packet_sent",
            "client_address": "175.16.199.1",
            "time_basis": "offset",
        },
    ),
    (
        "vyos_strongswan_charon_syslog.log",
        "charon_syslog",
        6,  # four of ten lines stand there twice
        5,
        NO_TIME,
        {"action": "negotiation_failed", "outcome": "failure", "code": "NO_PROPOSAL_CHOSEN"},
    ),
    (
        "nps_IN_log_DTS_xml.log",
        "nps_dts_xml",
        1,
        0,
        exactly("2024-05-02T15:23:13.729"),
        {
            "gateway": "IU13 APs",
            "user": "john_doe@iu13.org",
            "action": "session_started",
            "client_address": "52-F6-D8-CB-01-2D",
            "time_basis": "offset",
        },
    ),
    (
        "nps_IN_log_odbc_2006.log",
        "nps_database",
        2,
        1,
        between("2006-10-21T19:13:09", "2006-10-22T21:13:09"),
        {
            "gateway": "RasBox",
            "user": r"ACME\slimjim",
            "action": "attempt_failed",
            "outcome": "failure",
            "code": "36",
        },
    ),
    (
        "nps_IN_log_ias_format.log",
        "nps_ias",
        2,
        1,
        # 02/09/2000: nothing in the file tells February from September
        between("2000-02-09T09:18", "2000-09-03T11:18"),
        {"gateway": "rajeshp3", "user": "rajeshp", "action": "attempt_failed", "code": "16"},
    ),
    (
        "fortigate_event_vpn.log",
        "fortigate_log",
        3,
        0,
        # eventtime says the 18th, date and tz say the 23rd: the row spans both
        (
            utc("2020-04-18T17:32:48.339114138"),
            utc("2020-04-18T17:32:48.339114138"),
            utc("2020-04-23T17:32:47"),
        ),
        {
            "gateway": "testswitch3",
            "action": "negotiation_failed",
            "code": "peer SA proposal not match local policy",
            "client_address": "67.43.156.13",
        },
    ),
    (
        "fortigate_event_vpn.log",
        "fortigate_log",
        3,
        2,
        (
            utc("2020-04-18T17:23:47.698970007"),
            utc("2020-04-18T17:23:47.698970007"),
            utc("2020-04-23T17:23:47"),
        ),
        {"action": "session_started", "outcome": "success", "user": "someuser", "code": ""},
    ),
]


@pytest.mark.parametrize(
    ("file", "kind", "rows", "at", "when", "says"),
    SAMPLES,
    ids=[f"{sample[0]}-{sample[3]}" for sample in SAMPLES],
)
def test_real_sample_is_recognised_and_read(shared, file, kind, rows, at, when, says):
    got = read(kind, (shared / "formats" / "vpn" / file).read_bytes())
    assert len(got.sessions) == rows
    row = got.sessions.iloc[at]
    assert times(row) == when
    assert {name: row[name] for name in says} == says


def test_every_sample_of_the_folder_is_in_the_table(shared):
    found = {path.name for path in (shared / "formats" / "vpn").iterdir()}
    assert found == {sample[0] for sample in SAMPLES}


def test_no_gateway_reader_takes_a_file_of_another_kind(shared):
    taken = []
    for path in sorted((shared / "formats").rglob("*")):
        if path.is_file() and path.parent.name != "vpn":
            head = path.read_bytes()[: readers.HEAD_BYTES]
            taken += [(path.name, kind) for kind in readers.claims(head) if kind in BY_KIND]
    assert taken == []


def test_each_sample_is_taken_by_one_gateway_reader_only(shared):
    for path in sorted((shared / "formats" / "vpn").iterdir()):
        head = path.read_bytes()[: readers.HEAD_BYTES]
        assert len(readers.claims(head)) == 1, path.name


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_encoding_of_a_sample_changes_nothing(shared, encoding):
    for path in sorted((shared / "formats" / "vpn").iterdir()):
        plain = path.read_bytes()
        kind = readers.sniff(plain)
        again = plain.decode().replace("\n", "\r\n").encode(encoding)
        want, got = BY_KIND[kind].read(plain), read(kind, again)
        pd.testing.assert_frame_equal(got.sessions, want.sessions)


@pytest.mark.parametrize(
    "raw",
    gateways.knowledge()["rule"],
    ids=lambda raw: f"{raw['dialect']}-{raw['action']}-{'-'.join(raw['when'].values())[:40]}",
)
def test_rule_reads_its_own_example(raw):
    example = {name: value for name, value in raw["example"].items() if name != "gives"}
    got = gateways.row(raw["dialect"], example, dates.UNKNOWN, "")
    want = {"action": raw["action"], "outcome": raw.get("outcome", "unknown")}
    want |= raw["example"]["gives"]
    assert {name: got[name] for name in want} == want
    assert want["outcome"] in schema.OUTCOMES
    assert raw["reference"]


def test_rule_names_nothing_that_is_not_known():
    keys = {"dialect", "when", "action", "outcome", "code", "reference", "example"}
    for raw in gateways.knowledge()["rule"]:
        assert set(raw) <= keys
        assert raw["dialect"] in gateways.knowledge()["columns"]


def test_line_that_no_rule_is_for_is_kept_as_other():
    got = gateways.row("charon", {"text": "maximum IKE_SA lifetime 27840s"}, dates.UNKNOWN, "as is")
    assert (got["action"], got["outcome"], got["message"]) == ("other", "unknown", "as is")


def test_code_is_empty_on_success():
    accept = {"Packet-Type": "2", "Reason-Code": "0"}
    assert gateways.row("nps", accept, dates.UNKNOWN, "")["code"] == ""


def test_zones_hold_every_offset_that_iana_knows():
    names = zoneinfo.available_timezones()
    if len(names) < 400:
        pytest.skip("this machine has no time zone database")
    zones = gateways.knowledge()["zones"]
    lacking = set()
    for name in names - {"localtime", "Factory"}:
        zone = zoneinfo.ZoneInfo(name)
        for year in range(2015, 2025):
            for month in range(1, 13):
                then = datetime(year, month, 15, 12, tzinfo=UTC).astimezone(zone)
                minutes = int(then.utcoffset().total_seconds()) // 60
                known = zones.get(then.tzname(), {"offsets": [minutes]})
                if minutes not in known["offsets"]:
                    lacking.add((then.tzname(), minutes))
    assert lacking == set()
