"""Gateway logs that are hostile, their way through to a case, and the simulator's dialect."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from gateway_samples import BSD, BY_KIND, DASHBOARD, checked, element, forti, read, utc
from hypothesis import given, settings
from hypothesis import strategies as st

import kitlib as kit
from kitlib import readers, store
from kitlib.errors import FormatError
from kitlib.readers.gateway import gateways
from kitlib.simulate import gateway
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.world import grow

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
