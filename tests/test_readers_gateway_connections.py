"""Lines of one connection are joined, and names cannot break lines."""

from __future__ import annotations

import pytest
from gateway_samples import BY_KIND, DASHBOARD, element, forti, read

from kitlib.readers.gateway import connections, gateways


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
