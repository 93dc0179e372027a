"""Times of gateway logs claim no more than is stated, and their clocks tell a host's offset."""

from __future__ import annotations

import pandas as pd
import pytest
from gateway_samples import (
    BSD,
    DASHBOARD,
    NO_TIME,
    UP,
    between,
    element,
    exactly,
    read,
    reasons,
    times,
    utc,
)

from kitlib import schema
from kitlib.readers.gateway import gateways


def from_minute(stamp: str) -> tuple[object, ...]:
    return (utc(stamp), utc(stamp), utc(stamp) + pd.Timedelta("1min"))


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
