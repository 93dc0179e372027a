"""FortiGate and Meraki, in each form they are exported."""

from __future__ import annotations

import json

import pytest
from gateway_samples import (
    DASHBOARD,
    NO_TIME,
    UP,
    between,
    exactly,
    forti,
    read,
    reasons,
    times,
    utc,
)


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
