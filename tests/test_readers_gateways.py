"""Gateway-side readers: each real sample, each rule's example, times that claim no more than stated."""

from __future__ import annotations

import json
import zoneinfo
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kitlib as kit
from kitlib import readers, schema, store
from kitlib.errors import FormatError
from kitlib.readers import dates
from kitlib.readers.gateway import connections, gateways
from kitlib.readers.gateway.gateway_logs import GATEWAYS
from kitlib.simulate import gateway
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.world import grow

BY_KIND = {reader.kind: reader for reader in GATEWAYS}
DASHBOARD = "Time(CET),Client,Event type,Details\n"
UP = '"""local_ip: 192.0.2.9, user_id: anna, remote_ip: 198.51.100.7"""'


def utc(stamp: str) -> pd.Timestamp:
    return pd.Timestamp(stamp, tz="UTC").as_unit("ns")


def exactly(stamp: str) -> tuple[object, ...]:
    return (utc(stamp), utc(stamp), utc(stamp))


def between(low: str, high: str) -> tuple[object, ...]:
    return (None, utc(low), utc(high))


def from_minute(stamp: str) -> tuple[object, ...]:
    return (utc(stamp), utc(stamp), utc(stamp) + pd.Timedelta("1min"))


NO_TIME = (None, None, None)


def times(row: pd.Series) -> tuple[object, ...]:
    cells = (row["time"], row["time_low"], row["time_high"])
    return tuple(None if pd.isna(cell) else cell for cell in cells)


def read(kind: str, content: str | bytes) -> readers.Parsed:
    data = content.encode() if isinstance(content, str) else content
    found = readers.reader_for(data[: readers.HEAD_BYTES])
    assert found is not None
    assert found.kind == kind
    return checked(found.read(data))


def checked(got: readers.Parsed) -> readers.Parsed:
    """Hold what every reader promises."""
    rows = schema.check("sessions", got.sessions)
    schema.check("problems", got.problems)
    assert set(rows["outcome"]) <= set(schema.OUTCOMES)
    assert (rows["action"] != "").all()
    known = rows[rows["time_low"].notna()]
    assert (known["time_low"] <= known["time_high"]).all()
    sure = rows[rows["time"].notna()]
    assert (sure["time_low"] <= sure["time"]).all()
    assert (sure["time"] <= sure["time_high"]).all()
    assert set(known["time_basis"]) <= set(schema.BASES)
    assert (rows.loc[rows["time_low"].isna(), "time_basis"] == "").all()
    return got


def reasons(got: readers.Parsed) -> str:
    return "\n".join(got.problems["reason"])


# ------------------------------------------------------------------ the real samples

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


# ------------------------------------------------------------------ the rules


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


# ------------------------------------------------------------------ times


@pytest.mark.parametrize(
    ("zone", "stamp", "when"),
    [
        ("CET", "01/13/2022 09:30", from_minute("2022-01-13T08:30")),
        ("UTC", "01/13/2022 09:30:15", exactly("2022-01-13T09:30:15")),
        ("EST", "01/13/2022 9:30 PM", from_minute("2022-01-14T02:30")),
        ("+0530", "01/13/2022 09:30", from_minute("2022-01-13T04:00")),
        ("-03", "01/13/2022 09:30", from_minute("2022-01-13T12:30")),
        ("CET", "13/01/2022 09:30", from_minute("2022-01-13T08:30")),
        # the header names the zone of the day of the export: a row of July may be in summer time
        ("CET", "07/13/2022 09:30", between("2022-07-13T07:30", "2022-07-13T08:31")),
        # Chicago, Havana or Shanghai
        ("CST", "01/13/2022 09:30", between("2022-01-13T01:30", "2022-01-13T15:31")),
        ("XYZ", "01/13/2022 09:30", between("2022-01-12T19:30", "2022-01-13T21:31")),
        ("+99", "01/13/2022 09:30", between("2022-01-12T19:30", "2022-01-13T21:31")),
        # day or month first: nothing tells
        ("UTC", "01/02/2022 09:30", between("2022-01-02T09:30", "2022-02-01T09:31")),
    ],
)
def test_dashboard_time_claims_what_header_and_row_allow(zone, stamp, when):
    text = f"Time({zone}),Client,Event type,Details\n{stamp},,VPN client connected,{UP}\n"
    assert times(read("meraki_event_log", text).sessions.iloc[0]) == when


def test_dashboard_order_is_decided_from_all_rows():
    text = DASHBOARD + "".join(
        f"{stamp} 09:30,,VPN client connected,{UP}\n" for stamp in ("01/02/2022", "01/13/2022")
    )
    assert times(read("meraki_event_log", text).sessions.iloc[0]) == from_minute("2022-01-02T08:30")


@pytest.mark.parametrize(
    ("digits", "stamp"),
    [
        ("1587231168", "2020-04-18T17:32:48"),
        ("1587231168339", "2020-04-18T17:32:48.339"),
        ("1587231168339114138", "2020-04-18T17:32:48.339114138"),
        ("1587231168.5", "2020-04-18T17:32:48.5"),
    ],
)
def test_epoch_tells_its_unit_by_its_length(digits, stamp):
    assert gateways.epoch(digits) == utc(stamp)


@pytest.mark.parametrize(
    "digits", ["", "1", "9999999999999999999", "9999999999", "15872311é8", "-1"]
)
def test_epoch_refuses_what_no_log_can_bear(digits):
    assert gateways.epoch(digits) is None


BSD = "Jan  3 07:36:33 gw charon[2440]: 01[IKE] <1> received proposals unacceptable\n"


def test_bsd_stamp_has_no_time_and_keeps_its_stamp():
    got = read("charon_syslog", BSD)
    row = got.sessions.iloc[0]
    assert times(row) == NO_TIME
    assert row["message"].startswith("Jan 3 07:36:33 ")
    assert "no year" in reasons(got)


@pytest.mark.parametrize("stamp", ["Feb 30 07:36:33", "Foo 03 07:36:33", "Jan  3 27:36:33"])
def test_bsd_stamp_that_is_no_time_is_left_open(stamp):
    got = read("charon_syslog", BSD.replace("Jan  3 07:36:33", stamp))
    assert times(got.sessions.iloc[0]) == NO_TIME
    assert "its time is none" in reasons(got)


def test_charon_reads_the_iso_stamps_of_rsyslog():
    line = "2022-01-12T09:30:00.25+01:00 gw charon: 05[JOB] <9> deleting half open IKE_SA with "
    got = read("charon_syslog", line + "198.51.100.7 after timeout")
    row = got.sessions.iloc[0]
    assert times(row) == exactly("2022-01-12T08:30:00.25")
    assert (row["gateway"], row["action"], row["client_address"]) == (
        "gw",
        "negotiation_failed",
        "198.51.100.7",
    )


def test_charon_reads_structured_data_of_rfc_5424():
    line = '<30>1 2022-01-12T09:30:00Z fw charon 51 - [meta sequenceId="1\\]"] 14[IKE] <c|1> x'
    row = read("charon_syslog", line).sessions.iloc[0]
    assert (row["message"], row["time_basis"]) == ("14[IKE] <c|1> x", "utc")


def test_charon_counts_twins_once_whichever_comes_first():
    one = "Jun 23 07:36:33 charon[24]: 01[IKE] <1> received proposals unacceptable\n"
    twin = "Jun 23 07:36:33 charon-systemd[24]: received proposals unacceptable\n"
    for text in (one + twin, twin + one):
        got = read("charon_syslog", text)
        assert len(got.sessions) == 1
        assert "<1>" in got.sessions.iloc[0]["message"]
    assert len(read("charon_syslog", one + twin + twin).sessions) == 2


def test_charon_leaves_out_and_counts_what_is_about_no_connection():
    text = BSD + "Jan  3 07:36:34 gw charon[2440]: 07[CFG] loaded 0 entries\n"
    text += "Jan  3 07:36:35 gw sshd[1]: session opened\n"
    got = read("charon_syslog", text)
    assert len(got.sessions) == 1
    assert "own affairs" in reasons(got)
    assert "another program" in reasons(got)


# ------------------------------------------------------------------ NPS


def element(local: str, stated: str = "", packet: int = 1, more: str = "") -> str:
    inside = f'<Timestamp data_type="4">{local}</Timestamp>'
    inside += '<Computer-Name data_type="1">NPS1</Computer-Name>'
    inside += '<Event-Source data_type="1">IAS</Event-Source>'
    if stated:
        inside += f'<Event-Timestamp data_type="4">{stated}</Event-Timestamp>'
    inside += f'<Packet-Type data_type="0">{packet}</Packet-Type>{more}'
    return f"<Event>{inside}</Event>\r\n"


def test_dts_offset_holds_between_two_records_that_tell_the_same():
    text = element("01/12/2022 09:00:00.000", "01/12/2022 08:00:00", 4)
    text += element("01/12/2022 09:30:00.500")
    text += element("01/12/2022 10:00:00.000", "01/12/2022 09:00:01", 4)
    got = read("nps_dts_xml", text)
    assert times(got.sessions.iloc[1]) == exactly("2022-01-12T08:30:00.5")
    assert got.problems.empty


def test_dts_offset_beyond_the_last_record_that_tells_may_have_changed_once():
    text = element("03/27/2022 01:00:00.000", "03/27/2022 00:00:00", 4)
    text += element("03/27/2022 05:00:00.000")
    got = read("nps_dts_xml", text)
    assert times(got.sessions.iloc[1]) == between("2022-03-27T03:00", "2022-03-27T05:00")


def test_dts_offset_between_records_that_differ_is_either():
    text = element("03/27/2022 01:00:00.000", "03/27/2022 00:00:00", 4)
    text += element("03/27/2022 03:30:00.000")
    text += element("03/27/2022 05:00:00.000", "03/27/2022 03:00:00", 4)
    got = read("nps_dts_xml", text)
    assert times(got.sessions.iloc[0]) == exactly("2022-03-27T00:00")
    assert times(got.sessions.iloc[1]) == between("2022-03-27T01:30", "2022-03-27T02:30")
    assert times(got.sessions.iloc[2]) == exactly("2022-03-27T03:00")


def test_dts_offsets_that_no_zone_has_together_are_not_used():
    text = element("01/12/2022 09:00:00.000", "01/12/2022 08:00:00", 4)
    text += element("01/12/2022 09:01:00.000", "01/12/2022 03:01:00", 4)
    got = read("nps_dts_xml", text)
    assert times(got.sessions.iloc[0]) == between("2022-01-11T19:00", "2022-01-12T21:00")
    assert "clock is wrong" in reasons(got)


def test_dts_stamp_that_is_no_quarter_of_an_hour_away_tells_nothing():
    text = element("01/12/2022 09:00:00.000", "01/12/2022 08:07:00", 4)
    assert times(read("nps_dts_xml", text).sessions.iloc[0])[0] is None


def test_dts_resolves_the_five_entities_and_no_other():
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c SYSTEM "file:///etc/hostname">]>\n'
    user = '<User-Name data_type="1">a&amp;b&#65;&b;&c;</User-Name>'
    got = read("nps_dts_xml", bomb + element("01/12/2022 09:00:00", more=user))
    assert got.sessions.iloc[0]["user"] == "a&bA&b;&c;"
    assert "not expanded" in reasons(got)


def test_dts_cut_in_a_record_keeps_the_others():
    whole = element("01/12/2022 09:00:00.000") * 3
    got = read("nps_dts_xml", whole[: len(whole) - 30])
    assert len(got.sessions) == 2
    assert got.problems.iloc[0]["reason"] == "a record without its end"
    assert (got.problems.iloc[0]["place"], got.problems.iloc[0]["records_lost"]) == ("line 3", 1)


def test_dts_keeps_the_first_of_fields_that_stand_twice():
    more = "".join(f'<User-Name data_type="1">{name}</User-Name>' for name in ("anna", "bert"))
    got = read("nps_dts_xml", element("01/12/2022 09:00:00", more=more))
    assert got.sessions.iloc[0]["user"] == "anna"


def test_nps_line_that_is_none_is_counted_and_costs_only_itself():
    line = '"RasBox","RAS",10/22/2006,09:13:09,3,,"ACME\\anna",,,,,,,,,,,,,,,,,4,,36,,\n'
    got = read("nps_database", line + "garbage\n" + line)
    assert len(got.sessions) == 2
    assert got.problems["records_lost"].sum() == 1


def test_ias_attribute_without_value_and_of_no_name_is_passed_over():
    line = "192.0.2.1,anna,10/22/2006,09:13:09,IAS,NPS1,4136,3,9999,x,4142,16,31"
    row = read("nps_ias", line).sessions.iloc[0]
    assert (row["user"], row["action"], row["code"]) == ("anna", "attempt_failed", "16")


# ------------------------------------------------------------------ FortiGate


def forti(**changes: str) -> str:
    fields = {"date": "2022-01-12", "time": "09:30:00", "logid": '"0101040017"', "type": '"event"'}
    fields |= {"subtype": '"vpn"', "eventtime": "1641976200000000000", "tz": '"+0100"'} | changes
    return " ".join(f"{name}={value}" for name, value in fields.items() if value) + "\n"


@pytest.mark.parametrize(
    ("changes", "when"),
    [
        ({}, exactly("2022-01-12T08:30")),
        ({"eventtime": "1641976200"}, exactly("2022-01-12T08:30")),
        ({"eventtime": ""}, exactly("2022-01-12T08:30")),
        ({"eventtime": "", "tz": ""}, between("2022-01-11T19:30", "2022-01-12T21:30")),
        ({"tz": ""}, exactly("2022-01-12T08:30")),
        ({"eventtime": "77", "date": "2022-13-12", "tz": ""}, NO_TIME),
        (
            {"eventtime": "1641979800"},
            (utc("2022-01-12T09:30"), utc("2022-01-12T08:30"), utc("2022-01-12T09:30")),
        ),
    ],
)
def test_fortigate_time_comes_from_what_is_stated(changes, when):
    assert times(read("fortigate_log", forti(**changes)).sessions.iloc[0]) == when


def test_fortigate_keeps_only_vpn():
    got = read("fortigate_log", forti() + forti(subtype='"system"') + "rubbish\n")
    assert len(got.sessions) == 1
    assert got.problems["records_lost"].tolist() == [0, 1]


def test_fortigate_value_may_hold_blanks_equals_signs_and_quotes():
    got = read("fortigate_log", forti(reason=r'"a=b \"c\" d"', devname="fw1"))
    row = got.sessions.iloc[0]
    assert (row["code"], row["gateway"]) == (r"a=b \"c\" d", "fw1")


# ------------------------------------------------------------------ Meraki


def test_event_log_leaves_out_and_counts_what_is_not_vpn():
    text = DASHBOARD + "01/13/2022 09:30,,DHCP lease,x\n" * 3
    text += f"01/13/2022 09:30,,VPN client connected,{UP}\n"
    got = read("meraki_event_log", text)
    assert got.sessions["user"].tolist() == ["anna"]
    assert got.problems["place"].tolist() == ["line 2 and 2 more"]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_event_log_may_be_separated_by_any_of_three_marks(mark):
    cells = ["01/13/2022 09:30", "02:00:00:00:00:01", "VPN client disconnected", UP]
    text = DASHBOARD.replace(",", mark) + mark.join(cells) + "\n"
    row = read("meraki_event_log", text).sessions.iloc[0]
    assert (row["action"], row["client_address"]) == ("session_ended", "198.51.100.7")


def test_event_log_of_older_firmware_speaks_racoon():
    text = DASHBOARD + '01/13/2022 09:30,,Non-Meraki / Client VPN negotiation,"""msg: phase1 '
    text += 'negotiation failed due to time up. 8a1b:0000"""\n'
    row = read("meraki_event_log", text).sessions.iloc[0]
    assert (row["action"], row["outcome"]) == ("negotiation_failed", "failure")


def test_event_log_with_a_cell_too_long_for_csv_keeps_what_came_before():
    good = f"01/13/2022 09:30,,VPN client connected,{UP}\n"
    got = read("meraki_event_log", DASHBOARD + good + '01/13/2022 09:30,,VPN x,"' + "a" * 200_000)
    assert len(got.sessions) == 1
    assert "broken CSV" in reasons(got)


def test_event_log_row_whose_time_is_none_is_kept():
    text = DASHBOARD + f"Jan 13 09:30:00,,VPN client connected,{UP}\n"
    got = read("meraki_event_log", text)
    assert times(got.sessions.iloc[0]) == NO_TIME
    assert "its time is none" in reasons(got)


def event(**changes: object) -> dict[str, object]:
    return {
        "occurredAt": "2022-01-12T08:30:00.000000Z",
        "networkId": "N_1",
        "type": "client_vpn_connect",
        "description": "VPN client connected",
        "deviceName": "mx",
        "eventData": {"user_id": "anna", "remote_ip": "198.51.100.7"},
    } | changes


@pytest.mark.parametrize(
    "wrap",
    [
        json.dumps,
        lambda events: json.dumps({"message": None, "pageStartAt": "x", "events": events}),
        lambda events: "\n".join(map(json.dumps, events)),
        lambda events: json.dumps([{"events": [event]} for event in events]),
        lambda events: json.dumps(events, indent=2)[:-3],  # cut
    ],
    ids=["list", "page", "lines", "pages", "cut"],
)
def test_api_events_are_read_however_they_are_wrapped(wrap):
    events = [event(), event(description="DHCP lease", type="dhcp_lease"), event()]
    got = read("meraki_api_events", wrap(events))
    assert 1 <= len(got.sessions) <= 2
    row = got.sessions.iloc[0]
    assert (row["action"], row["user"], row["gateway"]) == ("session_started", "anna", "mx")


@pytest.mark.parametrize(
    "changes",
    [
        {"occurredAt": 12},
        {"occurredAt": "2022-13-41T99:99:99Z"},
        {"occurredAt": None},
        {"eventData": "x"},
        {"eventData": {"user_id": {"a": [1]}}},
        {"eventData": {"user_id": "\ud800"}},
        {"eventData": {"msg": None}},
        {"description": ["VPN"]},
    ],
)
def test_api_event_of_wrong_types_is_kept_as_far_as_it_goes(changes):
    got = read("meraki_api_events", json.dumps([event(**changes)]))
    assert len(got.sessions) == 1


def test_syslog_of_meraki_may_have_a_collectors_stamp_before_it():
    line = "Jan 12 09:30:00 192.0.2.1 1 1641976200.5 mx events client_vpn_connect user id 'anna' "
    line += "local ip 192.0.2.9 connected from 198.51.100.7\n"
    other = "<134>1 1641976200.5 mx flows allow src=1\n"
    got = read("meraki_syslog", line + other + "rubbish\n")
    row = got.sessions.iloc[0]
    assert times(row) == exactly("2022-01-12T08:30:00.5")
    assert (row["gateway"], row["user"]) == ("mx", "anna")
    assert sorted(got.problems["records_lost"]) == [0, 1]


# ------------------------------------------------------------------ lines of one connection


def charon_lines(*lines: str, pid: int = 2440) -> str:
    return "".join(f"Jan  3 07:36:33 gw charon[{pid}]: 05[IKE] {line}\n" for line in lines)


def who(content: str, kind: str = "charon_syslog") -> list[tuple[str, str, str]]:
    rows = read(kind, content).sessions
    return list(rows[["action", "user", "client_address"]].itertuples(index=False, name=None))


UP_7 = "<l2tp|7> IKE_SA l2tp[7] established between 192.0.2.1[192.0.2.1]...198.51.100.7[10.0.0.5]"


def test_connection_gives_each_of_its_lines_user_and_peer():
    text = charon_lines(
        "<7> 198.51.100.7 is initiating a Main Mode IKE_SA",
        "<l2tp|7> received EAP identity 'anna'",
        "<l2tp|8> 198.51.100.8 is initiating an IKE_SA",
        UP_7,
    )
    assert who(text) == [
        ("negotiation_started", "anna", "198.51.100.7"),
        ("attempt_started", "anna", "198.51.100.7"),
        ("negotiation_started", "", "198.51.100.8"),
        ("negotiation_succeeded", "anna", "198.51.100.7"),
    ]


def test_second_user_of_a_connection_counts_from_where_it_is_named():
    text = charon_lines(
        "<7> 198.51.100.7 is initiating a Main Mode IKE_SA",
        "<l2tp|7> XAuth authentication of 'ana' failed",
        "<l2tp|7> XAuth authentication of 'anna' successful",
        UP_7,
    )
    assert [user for _, user, _ in who(text)] == ["", "ana", "anna", "anna"]


@pytest.mark.parametrize(
    "between",
    [
        "Jan  3 07:36:33 gw charon[2440]: 00[DMN] Starting IKE charon daemon (strongSwan 5)\n",
        charon_lines("<7> 198.51.100.7 is initiating a Main Mode IKE_SA"),
        charon_lines("<l2tp|7> sending packet: from 192.0.2.1[500] to 203.0.113.9[500] (9 bytes)"),
    ],
    ids=["restart", "begins again", "other peer"],
)
def test_number_that_comes_back_brings_no_user_along(between):
    text = charon_lines(UP_7, "<l2tp|7> received EAP identity 'anna'") + between
    assert [user for _, user, _ in who(text + charon_lines("<l2tp|7> x"))][-1] == ""


def test_number_of_another_process_is_another_connection():
    text = charon_lines(UP_7, "<l2tp|7> received EAP identity 'anna'")
    assert who(text + charon_lines("<l2tp|7> x", pid=99))[-1] == ("other", "", "")


def test_identity_of_ike_is_no_user():
    text = charon_lines("<l2tp|7> authentication of '10.0.0.5' with EAP successful")
    assert who(text) == [("other", "", "")]


def test_name_that_reads_like_a_line_of_ike_names_no_peer():
    text = charon_lines("<l2tp|7> received EAP identity '192.0.2.66 is initiating an IKE_SA'")
    assert who(text) == [("attempt_started", "192.0.2.66 is initiating an IKE_SA", "")]


def test_dashboard_joins_connections_from_the_oldest_line_up():
    begun = "&lt;7&gt; 198.51.100.7 is initiating a Main Mode IKE_SA"
    lines = [
        "&lt;l2tp|7&gt; x",
        begun,
        "&lt;l2tp|7&gt; y",
        f"{begun[:-6]}SA".replace("100.7", "100.8"),
    ]
    text = DASHBOARD + "".join(
        f'01/13/2022 09:30,,Non-Meraki / Client VPN negotiation,"""msg: {line}"""\n'
        for line in lines
    )
    assert [peer for _, _, peer in who(text, "meraki_event_log")] == [
        "198.51.100.7",
        "198.51.100.7",
        "198.51.100.8",
        "198.51.100.8",
    ]


def test_many_lines_of_one_connection_and_many_connections_are_joined_in_even_time():
    rows = [{"action": "other", "user": "", "client_address": "", "gateway": "gw"}] * 100_000
    keys = [connections.Key("gw", "", str(number)) for number in range(100_000)]
    rows[0] = rows[0] | {"client_address": "198.51.100.7"}
    assert len(connections.joined(rows, keys)) == 100_000
    one = [keys[0]] * 100_000
    assert {row["client_address"] for row in connections.joined(rows, one)} == {"198.51.100.7"}


# ------------------------------------------------------------------ names that break lines


def test_apostrophe_in_a_name_hides_neither_name_nor_address():
    line = "<134>1 1641976200.5 mx events client_vpn_connect user id 'o'brien' local ip 192.0.2.9 "
    row = read("meraki_syslog", line + "connected from 198.51.100.7\n").sessions.iloc[0]
    assert (row["user"], row["client_address"]) == ("o'brien", "198.51.100.7")


def test_name_that_looks_like_more_details_does_not_move_the_address():
    details = (
        '"""local_ip: 192.0.2.9, user_id: a, remote_ip: 192.0.2.66, remote_ip: 198.51.100.7"""'
    )
    text = DASHBOARD + f'01/13/2022 09:30,,VPN client connected,"{details[1:-1]}"\n'
    row = read("meraki_event_log", text).sessions.iloc[0]
    assert (row["user"], row["client_address"]) == ("a, remote_ip: 192.0.2.66", "198.51.100.7")


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
@pytest.mark.parametrize(
    "kind", ["fortigate_log", "nps_database", "charon_syslog", "meraki_syslog"]
)
def test_line_does_not_end_at_marks_that_only_unicode_takes_for_ends(kind, mark):
    lines = {
        "fortigate_log": forti(user=f'"an{mark}na"'),
        "nps_database": f'"RasBox","RAS",10/22/2006,09:13:09,1,"an{mark}na",,\n',
        "charon_syslog": charon_lines(f"<l2tp|7> received EAP identity 'an{mark}na'"),
        "meraki_syslog": "<134>1 1641976200.5 mx events client_vpn_connect user id "
        f"'an{mark}na' local ip 192.0.2.9 connected from 198.51.100.7\n",
    }
    got = read(kind, lines[kind])
    assert [gateways.clean(user) for user in got.sessions["user"]] == [
        gateways.clean(f"an{mark}na")
    ]
    assert not got.problems["records_lost"].sum()


def test_control_characters_reach_no_cell():
    row = read("charon_syslog", charon_lines("<l2tp|7> received EAP identity 'a\x1b[31mb'"))
    assert row.sessions.iloc[0]["user"] == "a [31mb"


def test_quoted_name_of_the_ias_layout_may_hold_a_comma():
    line = '192.0.2.1,"doe, j",10/22/2006,09:13:09,IAS,NPS1,4136,3,4142,16\n'
    got = BY_KIND["nps_ias"].read(line.encode())
    assert got.sessions["user"].tolist() == ["doe, j"]


def test_character_references_of_dts_are_those_of_xml():
    user = '<User-Name data_type="1">a&#150;b&#9999999;</User-Name>'
    row = read("nps_dts_xml", element("01/12/2022 09:00:00", more=user)).sessions.iloc[0]
    assert row["user"] == "a b&#9999999;"  # 150 is a control character, not a dash of Windows


# ------------------------------------------------------------------ clocks


def test_dts_hands_on_the_servers_offset_by_runs():
    text = element("03/26/2022 09:00:00", "03/26/2022 08:00:00", 4)
    text += element("03/26/2022 10:00:00", "03/26/2022 09:00:01", 4)
    text += element("03/27/2022 09:00:00", "03/27/2022 07:00:00", 4)
    want = [
        (utc("2022-03-26T08:00"), utc("2022-03-26T09:00"), 60),
        (utc("2022-03-27T07:00"), utc("2022-03-27T07:00"), 120),
    ]
    rows = [
        {"host": "NPS1", "start": start, "end": end, "source": "nps_dts"}
        | {"offset_low": offset, "offset_high": offset}
        for start, end, offset in want
    ]
    pd.testing.assert_frame_equal(read("nps_dts_xml", text).clocks, schema.frame("clocks", rows))


def test_dts_of_two_servers_keeps_their_clocks_apart():
    text = element("01/12/2022 09:00:00", "01/12/2022 08:00:00", 4)
    other = element("01/12/2022 03:30:00", "01/12/2022 08:30:00", 4).replace("NPS1", "NPS2")
    got = read("nps_dts_xml", text + other + element("01/12/2022 09:45:00"))
    assert got.clocks[["host", "offset_low"]].to_numpy().tolist() == [["NPS1", 60], ["NPS2", -300]]
    assert times(got.sessions.iloc[1]) == exactly("2022-01-12T08:30")


def test_dts_offsets_that_no_zone_has_together_are_handed_to_nobody():
    text = element("01/12/2022 09:00:00", "01/12/2022 08:00:00", 4)
    text += element("01/12/2022 09:01:00", "01/12/2022 03:01:00", 4)
    assert read("nps_dts_xml", text).clocks.empty


def test_dts_offset_does_not_hold_through_a_silence_in_which_summer_came_and_went():
    text = element("01/12/2022 09:00:00", "01/12/2022 08:00:00", 4)
    text += element("07/12/2022 09:00:00")
    text += element("11/12/2022 09:00:00", "11/12/2022 08:00:00", 4)
    got = read("nps_dts_xml", text)
    assert times(got.sessions.iloc[1]) == between("2022-07-12T07:00", "2022-07-12T09:00")


def test_order_of_days_is_told_by_the_order_of_the_records():
    days = ["01/11/2022", "01/12/2022", "02/01/2022", "02/02/2022"]  # 11 and 12 January, February
    text = "".join(f'"RasBox","RAS",{day},09:13:09,1,"anna",,\n' for day in days)
    got = read("nps_database", text)
    assert times(got.sessions.iloc[0]) == between("2022-01-10T19:13:09", "2022-01-11T21:13:09")


# ------------------------------------------------------------------ hostile

HEADS = {
    "meraki_event_log": DASHBOARD,
    "meraki_api_events": '[{"occurredAt": "2022-01-12T08:30:00Z", "networkId": "N"},',
    "meraki_syslog": "<134>1 1641976200.5 mx events vpn\n",
    "charon_syslog": BSD,
    "nps_dts_xml": element("01/12/2022 09:00:00"),
    "nps_database": '"RasBox","RAS",10/22/2006,09:13:09,1,"anna",,\n',
    "nps_ias": "192.0.2.1,anna,10/22/2006,09:13:09,IAS,NPS1,4136,3\n",
    "fortigate_log": forti(),
    "gateway_dialect": 'id=firewall sn=0000000001 time="2022-01-12 08:30:00 UTC" fw=192.0.2.1 m=1080 '
    'msg="SSL VPN zone remote user login allowed" src=198.51.100.7:51000:X1 usr="anna"\n',
}


def test_there_is_a_head_for_every_reader():
    assert HEADS.keys() == BY_KIND.keys()


@pytest.mark.parametrize("kind", HEADS)
@given(
    tail=st.one_of(
        st.binary(max_size=400),
        st.text(max_size=300).map(lambda t: t.encode("utf-8", "surrogatepass")),
    )
)
@settings(max_examples=30, deadline=None)
def test_reader_survives_whatever_follows_its_signature(kind, tail):
    checked(BY_KIND[kind].read(HEADS[kind].encode() + tail))
    readers.sniff(tail)


@pytest.mark.parametrize("kind", HEADS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_reader_survives_changed_bytes(kind, data):
    content = bytearray(HEADS[kind].encode() * 3)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    checked(BY_KIND[kind].read(bytes(content)))


@pytest.mark.parametrize("kind", HEADS)
def test_file_cut_anywhere_gives_no_more_rows_than_the_whole(kind):
    whole = HEADS[kind].encode() * 3
    most = len(BY_KIND[kind].read(whole).sessions)
    for end in range(0, len(whole), max(7, len(whole) // 30)):
        got = checked(BY_KIND[kind].read(whole[:end]))
        assert len(got.sessions) <= most


@pytest.mark.parametrize(
    ("kind", "piece"),
    [
        ("nps_dts_xml", "<Event>"),
        ("nps_dts_xml", "<A>"),
        ("charon_syslog", "<"),
        ("fortigate_log", 'a="'),
        ("meraki_event_log", '"'),
        ("meraki_api_events", "["),
        ("meraki_syslog", " 1 1641976200.5 "),
        ("nps_ias", ","),
    ],
)
def test_reader_does_not_hang_on_half_a_million_openings(kind, piece):
    content = HEADS[kind] + piece * (500_000 // len(piece))
    checked(BY_KIND[kind].read(content.encode()))


def test_control_characters_and_markup_stay_text():
    user = '<User-Name data_type="1">=cmd|x&lt;script&gt;\x1b[31m\x07</User-Name>'
    row = read("nps_dts_xml", element("01/12/2022 09:00:00", more=user)).sessions.iloc[0]
    assert row["user"] == "=cmd|x<script> [31m"
    assert not any(ord(letter) < 32 for letter in row["message"])


def test_problems_of_a_million_bad_lines_are_one_row():
    got = read("meraki_syslog", HEADS["meraki_syslog"] + "rubbish\n" * 20_000)
    assert got.problems["records_lost"].tolist() == [20_000]


# ------------------------------------------------------------------ evidence and case


def test_sessions_reach_evidence_and_case_with_their_intervals(tmp_path):
    folder = tmp_path / "gateway"
    folder.mkdir()
    for kind, content in HEADS.items():
        (folder / f"{kind}.txt").write_text(content, encoding="utf-8")
    evidence = kit.read_evidence(folder)
    assert set(evidence.files["kind"]) == set(HEADS)
    assert set(evidence.sessions["path"]) == {f"{kind}.txt" for kind in HEADS} - {
        "meraki_event_log.txt",  # a header only
        "meraki_api_events.txt",  # an event about nothing
    }
    kept = store.ingest(folder, tmp_path / "case").sessions
    pd.testing.assert_frame_equal(kept, evidence.sessions)
    pd.testing.assert_frame_equal(store.load(tmp_path / "case").sessions, evidence.sessions)


def test_gateway_log_is_no_update_history(tmp_path):
    file = tmp_path / "IN2201.log"
    file.write_text(HEADS["nps_database"], encoding="utf-8")
    with pytest.raises(FormatError, match="is not an update history: it is nps_database"):
        kit.read_updates(file)


# ------------------------------------------------------------------ the simulator's dialect


@pytest.fixture(scope="module")
def world():
    return grow(load_scenario("founding-office"), seed=20220111)


@pytest.fixture(scope="module")
def written(world):
    return gateway.meraki_csv(world)


def test_simulated_event_log_is_the_same_for_the_same_world(world, written):
    again = grow(load_scenario("founding-office"), seed=20220111)
    assert gateway.meraki_csv(again) == written
    assert gateway.meraki_csv(grow(load_scenario("founding-office"), seed=7)) != written
    assert len(world.hosts) == 16


def test_simulated_event_log_is_read_back_to_the_minute(world, written):
    got = read("meraki_event_log", written)
    assert got.problems.empty
    ups = got.sessions[got.sessions["action"] == "session_started"]
    truth = [
        (host.user, gateway.client_address(world, host), attempt.closed)
        for host in world.hosts
        for attempt in host.attempts
        if attempt.outcome == "success" and attempt.closed < world.end
    ]
    minute = pd.Timedelta("1min")
    want = sorted(
        (user, address, utc(str(time)[:19]).floor(minute)) for user, address, time in truth
    )
    found = ups[["user", "client_address", "time"]].itertuples(index=False, name=None)
    assert sorted(found) == want
    assert (ups["time_high"] - ups["time_low"] == minute).all()
    assert set(got.sessions["time_basis"]) == {"offset"}


def test_simulated_gateway_sees_the_incidents_failures_without_a_name(world, written):
    got = read("meraki_event_log", written).sessions
    failed = got[got["action"] == "negotiation_failed"]
    broken = [
        attempt
        for host in world.hosts
        for attempt in host.attempts
        if attempt.outcome == "failure" and attempt.code in gateway.HALF_OPEN
    ]
    assert len(failed) == len(broken) > 100
    assert set(failed["user"]) == {""}
    assert (failed["client_address"] != "").all()


def test_simulated_gateway_is_silent_about_tries_that_never_reach_it(world, written):
    got = read("meraki_event_log", written).sessions
    unseen = {
        attempt.code
        for host in world.hosts
        for attempt in host.attempts
        if attempt.stage < gateway.THROUGH_IKE and attempt.code not in gateway.HALF_OPEN
    }
    assert 809 in unseen
    begun = got["action"].isin(["negotiation_succeeded", "negotiation_failed"]).sum()
    assert begun < sum(len(host.attempts) for host in world.hosts)


def test_simulated_event_log_is_newest_first(written):
    got = read("meraki_event_log", written).sessions
    assert got["time"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("zone", "minutes", "name"),
    [
        ("W. Europe Standard Time", 60, "CET"),
        ("Central Standard Time", -360, "CST"),
        ("India Standard Time", 330, "+05:30"),
        ("E. South America Standard Time", -180, "-03"),
    ],
)
def test_zone_of_the_header_is_one_that_the_reader_knows(world, zone, minutes, name):
    window = replace(world.window, zone=zone, utc_offset_minutes=minutes)
    moved = replace(world, scenario=replace(world.scenario, window=window))
    assert gateway.zone_of(moved) == name
    low, high = gateways.zone_offsets(name, 1)
    assert low <= minutes <= high
