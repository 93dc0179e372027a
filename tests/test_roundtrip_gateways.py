"""Gateway logs written and read back: what a dialect can keep comes back, and times never lie.

Facts of every kind, with names that nobody should have, go through each writer of the simulator and
the reader that recognises the result. Rows are compared whole with what the dialect can keep of the
facts; the true instant (cut to what the dialect prints) lies in the row's interval, whatever zone,
day order or year the file leaves open.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitlib import readers, schema
from kitlib.readers.gateway import gateways
from kitlib.simulate import gateway_dumps as dumps
from kitlib.simulate import nps_dumps as nps
from kitlib.simulate.gateway_facts import Fact, local, one_line

FEW = settings(max_examples=30, deadline=None)  # each example builds four tables: 10 ms or more

# ------------------------------------------------------------------ zones


def zone(*, winter: int, summer: int, changes: tuple[str, ...], in_summer: bool):
    """A zone's clock: minutes from UTC in winter and in summer, and the UTC times between them.

    ``in_summer`` says what holds before the first change.
    """
    moments = [when(stamp) for stamp in changes]

    def offset(time: datetime) -> timedelta:
        passed = sum(moment <= time for moment in moments)
        return timedelta(minutes=summer if in_summer ^ (passed % 2) else winter)

    return offset


def when(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC)


BERLIN = zone(
    winter=60, summer=120, changes=("2021-10-31T01:00", "2022-03-27T01:00"), in_summer=True
)
NEW_YORK = zone(
    winter=-300, summer=-240, changes=("2021-11-07T06:00", "2022-03-13T07:00"), in_summer=True
)
SYDNEY = zone(
    winter=600, summer=660, changes=("2021-10-02T16:00", "2022-04-02T16:00"), in_summer=False
)
CHATHAM = zone(winter=765, summer=825, changes=("2022-04-02T14:00",), in_summer=True)
# A zone's clock, and what the dashboard's header calls it in winter and in summer.
ZONES = {
    "UTC": (zone(winter=0, summer=0, changes=(), in_summer=False), 0, "UTC", "UTC"),
    "Berlin": (BERLIN, 60, "CET", "CEST"),
    "New York": (NEW_YORK, -300, "EST", "EDT"),
    "Sydney": (SYDNEY, 600, "AEST", "AEDT"),
    "Kolkata": (zone(winter=330, summer=330, changes=(), in_summer=False), 330, "IST", "IST"),
    "Chatham": (CHATHAM, 765, "CHAST", "CHADT"),  # names that the kit does not know
}
CHANGES = [when(stamp) for stamp in ("2021-10-31T01:00", "2022-01-01", "2022-03-27T01:00")]
clocks = st.sampled_from(sorted(ZONES)).map(lambda name: ZONES[name][0])

# Near summer time and New Year, and anywhere between.
times = st.one_of(
    st.datetimes(datetime(2021, 10, 1), datetime(2022, 6, 30)).map(lambda t: t.replace(tzinfo=UTC)),
    st.builds(
        lambda change, seconds: change + timedelta(seconds=seconds),
        st.sampled_from(CHANGES),
        st.floats(-7200, 7200),
    ),
)


# ------------------------------------------------------------------ names

NASTY = [
    "anna",
    "ACME\\anna",
    "o'brien",
    "anna' local ip 192.0.2.66 connected from 192.0.2.66",
    "anna, remote_ip: 192.0.2.66",
    'anna" remip=192.0.2.66 user="root',
    "x</User-Name><Packet-Type>3</Packet-Type><User-Name>",
    "<Event><Timestamp>&lt;&amp;&#65;]]>",
    "<l2tp-over-ipsec-1|7> IKE_SA x[7] established between 192.0.2.1[a]...192.0.2.66[b]",
    "192.0.2.66 is initiating a Main Mode IKE_SA",
    "=cmd|' /C calc'!A0",
    "+1-1@SUM(A1)",
    'a,b;c\td"e""f',
    "a\x00b\x07\x1b[31mc",
    "line\r\nbreak\nJan  3 07:36:33 gw charon[1]: 01[IKE] <1> x",
    "line\u2028and\u2029paragraph\x85next\x0bup\x0cdown\x1cfile",
    "\u202eanna\u202c \u2066rtl\u2069 אנה",
    "N/A",
    "-",
    "é" * 200,
    "x" * 1000,
    " anna ",
    "{user} %s %n ${jndi:x}",
    "1641976200.5 mx events ",
]
# NUL is left out: many of them make any text look like UTF-16 to `kitlib.readers.text.decode`.
letters = st.characters(codec="utf-8", exclude_characters="\0")
names = st.one_of(st.just(""), st.sampled_from(NASTY), st.text(letters, max_size=30))
addresses = st.builds("198.51.100.{}".format, st.integers(1, 254))


def kept(value: str) -> str:
    """What is left of a value in a table: no control characters, no outer blanks, no placeholders."""
    plain = re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+", " ", value).strip()
    return "" if plain in {"-", "N/A", "(null)", "NOT-APPLICABLE"} else plain


def flat(facts: list[Fact]) -> list[Fact]:
    """Facts as formats of one record a line can bear them."""
    return [replace(f, user=one_line(f.user), code=one_line(f.code)) for f in facts]


def facts_of(actions, *, codes, at_most: int = 12):
    """Facts in the order of time, each of a connection of its own."""
    one = st.builds(
        Fact,
        time=times,
        action=st.sampled_from(sorted(actions)),
        user=names,
        client=addresses,
        code=codes,
    )
    many = st.lists(one, min_size=1, max_size=at_most)
    return many.map(
        lambda facts: [
            replace(fact, connection=number)
            for number, fact in enumerate(sorted(facts, key=lambda f: f.time), 1)
        ]
    )


# ------------------------------------------------------------------ reading


def read(kind: str, data: bytes) -> readers.Parsed:
    found = readers.reader_for(data[: readers.HEAD_BYTES])
    assert found is not None
    assert found.kind == kind
    got = found.read(data)
    schema.check("sessions", got.sessions)
    schema.check("clocks", got.clocks)
    return got


def stated(got: readers.Parsed) -> list[dict[str, str]]:
    """The rows without their times."""
    columns = ["gateway", "user", "client_address", "action", "outcome", "code", "message", "path"]
    return got.sessions[columns].to_dict("records")


def row_of(fact: Fact, message: str, *, gateway: str = "", **cells: str) -> dict[str, str]:
    """The row of a fact that keeps no user, address or code but those given."""
    nothing = {"user": "", "client_address": "", "code": "", "path": ""}
    told = {"gateway": gateway, "action": fact.action, "outcome": fact.outcome}
    return nothing | told | {"message": kept(message)} | cells


def interval(got: readers.Parsed, place: int) -> tuple[object, ...]:
    row = got.sessions.iloc[place]
    cells = (row["time"], row["time_low"], row["time_high"])
    return tuple(None if pd.isna(cell) else cell for cell in cells)


def floored(fact: Fact, unit: str) -> pd.Timestamp:
    return pd.Timestamp(fact.time).floor(unit).as_unit("ns")


def assert_exact(got: readers.Parsed, facts: list[Fact], unit: str, basis: str) -> None:
    """Every row is the instant of its fact, as exactly as the dialect prints it."""
    for place, fact in enumerate(facts):
        assert interval(got, place) == (floored(fact, unit),) * 3
    assert set(got.sessions["time_basis"]) == {basis}


def assert_inside(got: readers.Parsed, facts: list[Fact], unit: str) -> None:
    """No interval leaves out the instant of its fact."""
    for place, fact in enumerate(facts):
        exact, low, high = interval(got, place)
        assert low <= floored(fact, unit) <= high
        assert exact is None or exact == floored(fact, unit)


# ------------------------------------------------------------------ Meraki


def ike_row(fact: Fact, message: str, gateway: str) -> dict[str, str]:
    """What a line of IKE keeps of a fact that stands alone in its connection."""
    asks = fact.action.startswith("attempt_")
    address = "" if asks or (fact.action == "negotiation_failed" and fact.code) else fact.client
    return row_of(
        fact,
        message,
        gateway=gateway,
        user=kept(fact.user) if asks else "",
        client_address="" if fact.action == "gateway_started" else address,
        code=fact.code if fact.action == "negotiation_failed" else "",
    )


def meraki_row(fact: Fact, *, gateway: str, form: str) -> dict[str, str]:
    if fact.action.startswith("session_"):
        up = fact.action == "session_started"
        message = f"VPN client {'connected' if up else 'disconnected'}: "
        pairs = {"local_ip": "192.168.70.9", "user_id": fact.user, "remote_ip": fact.client}
        order = ("user_id", "local_ip", "remote_ip") if form == "api" else tuple(pairs)
        message += ", ".join(
            f"{name}: {gateways.clean(pairs[name]) if form == 'api' else pairs[name]}"
            for name in order
        )
        if form == "syslog":
            message = (
                f"client_vpn_{'connect' if up else 'disconnect'} user id '{fact.user}' local ip "
            )
            message += f"192.168.70.9 connected from {fact.client}"
        return row_of(
            fact, message, gateway=gateway, user=kept(fact.user), client_address=fact.client
        )
    message = f"<{dumps.CONNECTION}|{fact.connection}> {dumps.ike_words(fact)}"
    return ike_row(fact, f"Site-to-Site VPN: {message}" if form == "syslog" else message, gateway)


NOTIFY = st.sampled_from(["", "NO_PROPOSAL_CHOSEN", "AUTHENTICATION_FAILED"])


@given(facts=facts_of(dumps.MERAKI, codes=NOTIFY), name=st.sampled_from(sorted(ZONES)))
@FEW
def test_dashboard_keeps_all_but_the_seconds(facts, name):
    clock, winter, in_winter, in_summer = ZONES[name]
    header = in_winter if clock(facts[-1].time) == timedelta(minutes=winter) else in_summer
    got = read("meraki_event_log", dumps.meraki_dashboard(facts, zone=header, clock=clock))
    newest = facts[::-1]
    assert stated(got) == [meraki_row(fact, gateway="", form="csv") for fact in newest]
    assert_inside(got, newest, "1min")


@given(facts=facts_of(dumps.MERAKI, codes=NOTIFY), page=st.integers(0, 5))
@FEW
def test_api_keeps_everything(facts, page):
    got = read("meraki_api_events", dumps.meraki_api(facts, page=page))
    newest = facts[::-1]
    assert stated(got) == [meraki_row(fact, gateway="mx1", form="api") for fact in newest]
    assert_exact(got, newest, "us", "utc")
    assert got.problems.empty


@given(facts=facts_of(dumps.MERAKI, codes=NOTIFY))
@FEW
def test_meraki_syslog_keeps_everything(facts):
    got = read("meraki_syslog", dumps.meraki_syslog(facts))
    assert stated(got) == [meraki_row(fact, gateway="mx1", form="syslog") for fact in flat(facts)]
    assert_exact(got, facts, "us", "utc")
    assert got.problems.empty


# ------------------------------------------------------------------ charon


def charon_row(fact: Fact, *, stamp: str, gateway: str) -> dict[str, str]:
    name = "" if fact.action == "negotiation_started" else f"{dumps.CONNECTION}|"
    tag = f"05[IKE] <{name}{fact.connection}>"
    if fact.action == "gateway_started":
        tag = "00[DMN]"
    return ike_row(fact, f"{stamp}{tag} {dumps.ike_words(fact)}", gateway)


@given(facts=facts_of(dumps.CHARON, codes=NOTIFY), clock=clocks, twins=st.booleans())
@FEW
def test_charon_under_rfc_5424_keeps_everything(facts, clock, twins):
    data = dumps.charon_syslog(facts, envelope="rfc5424", clock=clock, twins=twins)
    got = read("charon_syslog", data)
    assert stated(got) == [charon_row(fact, stamp="", gateway="gw1") for fact in flat(facts)]
    assert_exact(got, facts, "us", "offset")


@given(
    facts=facts_of(dumps.CHARON, codes=NOTIFY),
    clock=clocks,
    twins=st.booleans(),
    host=st.sampled_from(["", "gw1"]),
)
@FEW
def test_charon_under_bsd_syslog_keeps_all_but_the_time(facts, clock, twins, host):
    data = dumps.charon_syslog(facts, envelope="bsd", clock=clock, twins=twins, host=host)
    got = read("charon_syslog", data)
    walls = [local(fact.time, clock) for fact in facts]
    stamps = [f"{wall:%b} {wall.day} {wall:%H:%M:%S} " for wall in walls]
    pairs = zip(flat(facts), stamps, strict=True)
    assert stated(got) == [charon_row(fact, stamp=stamp, gateway=host) for fact, stamp in pairs]
    assert got.sessions["time_low"].isna().all()


# ------------------------------------------------------------------ NPS


def nps_row(fact: Fact, message: str) -> dict[str, str]:
    return row_of(
        fact,
        message,
        gateway="RAS1",
        user=kept(fact.user),
        client_address=fact.client,
        code=fact.code if fact.action == "attempt_failed" else "",
    )


REASON = st.sampled_from(["16", "65"])


def lines_of(data: bytes) -> list[str]:
    return data.decode().split("\r\n")[:-1]


@given(facts=facts_of(nps.NPS, codes=REASON), clock=clocks)
@FEW
def test_dts_keeps_everything_and_its_intervals_hold_across_summer_time(facts, clock):
    data = nps.nps_dts(facts, clock=clock)
    got = read("nps_dts_xml", data)
    bodies = [line.removeprefix("<Event>").removesuffix("</Event>") for line in lines_of(data)]
    want = [nps_row(*pair) for pair in zip(facts, bodies, strict=True)]
    assert stated(got) == want
    assert_inside(got, facts, "ms")


@given(facts=facts_of(nps.NPS, codes=REASON), clock=clocks)
@FEW
def test_dts_tells_the_servers_offset_where_records_state_both_times(facts, clock):
    got = read("nps_dts_xml", nps.nps_dts(facts, clock=clock))
    tell = [fact for fact in facts if fact.action.startswith(("session_", "gateway_"))]
    rows = got.clocks
    assert set(rows["host"]) == ({"NPS1"} if tell else set())
    assert set(rows["source"]) == ({"nps_dts"} if tell else set())
    for fact in tell:
        minutes = int(clock(fact.time).total_seconds()) // 60
        then = floored(fact, "ms")
        said = rows[(rows["start"] <= then) & (then <= rows["end"])]
        assert said[["offset_low", "offset_high"]].to_numpy().tolist() == [[minutes, minutes]]


@given(facts=facts_of(nps.NPS, codes=REASON), clock=clocks, day_first=st.booleans())
@pytest.mark.parametrize(
    ("write", "kind"), [(nps.nps_database, "nps_database"), (nps.nps_ias, "nps_ias")]
)
@FEW
def test_layouts_with_commas_keep_all_but_zone_and_day_order(write, kind, facts, clock, day_first):
    data = write(facts, clock=clock, day_first=day_first)
    got = read(kind, data)
    want = [nps_row(*pair) for pair in zip(flat(facts), lines_of(data), strict=True)]
    assert stated(got) == want
    assert_inside(got, facts, "s")
    assert got.sessions["time"].isna().all()
    decided = any(local(fact.time, clock).day > 12 for fact in facts)
    assert decided is not got.problems["reason"].str.contains("whether the day").any()


# ------------------------------------------------------------------ FortiGate


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def forti_row(fact: Fact, message: str) -> dict[str, str]:
    names_reason = {"attempt_failed", "negotiation_failed", "session_ended"}
    return row_of(
        fact,
        message,
        gateway="fw1",
        user=kept(escaped(fact.user)),
        client_address=fact.client,
        code=kept(escaped(fact.code)) if fact.action in names_reason else "",
    )


@given(
    facts=facts_of(dumps.FORTIGATE, codes=names),
    clock=clocks,
    form=st.sampled_from(["ns", "s", "printed", "zoneless"]),
)
@FEW
def test_fortigate_keeps_everything_in_each_of_its_times(facts, clock, form):
    data = dumps.fortigate(facts, clock=clock, times=form)
    got = read("fortigate_log", data)
    lines = re.split("\n", data.decode())[:-1]
    assert stated(got) == [forti_row(*pair) for pair in zip(flat(facts), lines, strict=True)]
    if form == "zoneless":
        assert_inside(got, facts, "s")
    else:
        basis = "offset" if form == "printed" else "utc"
        assert_exact(got, facts, "us" if form == "ns" else "s", basis)


# ------------------------------------------------------------------ the lines of one connection

LIFE = (
    "negotiation_started",
    "attempt_started",
    "attempt_succeeded",
    "negotiation_succeeded",
    "tunnel_started",
    "tunnel_ended",
    "association_ended",
)


@st.composite
def runs(draw):
    """Facts of a daemon that starts again a few times and counts its connections from 1 each time.

    Connections overlap; of each some lines are lost, never the first.
    """
    facts, clock = [], when("2021-12-31T22:30")
    for _ in range(draw(st.integers(1, 3))):
        facts.append(Fact(time=clock, action="gateway_started"))
        inside = []
        for number in range(1, draw(st.integers(1, 4)) + 1):
            who = {"user": draw(st.sampled_from("abc")), "client": draw(addresses)}
            time, lost = clock, draw(st.sets(st.sampled_from(LIFE[1:])))
            for action in LIFE:
                time += timedelta(seconds=draw(st.integers(1, 900)))
                if action not in lost:
                    inside.append(Fact(time=time, action=action, connection=number, **who))
        facts += sorted(inside, key=lambda fact: fact.time)
        clock = facts[-1].time + timedelta(seconds=1)
    return facts


def lives(facts: list[Fact]) -> list[list[Fact]]:
    """The connections: the facts of one number between two starts of the daemon."""
    found: dict[tuple[int, int], list[Fact]] = {}
    start = 0
    for fact in facts:
        start += fact.action == "gateway_started"
        found.setdefault((start, fact.connection), []).append(fact)
    return [[f for f in life if f.action in LIFE] for life in found.values()]


WRITERS = {
    "charon_syslog": lambda facts: dumps.charon_syslog(facts, clock=BERLIN, twins=True),
    "meraki_api_events": lambda facts: dumps.meraki_api(facts, page=4),
    "meraki_syslog": dumps.meraki_syslog,
    "meraki_event_log": lambda facts: dumps.meraki_dashboard(facts, zone="CET", clock=BERLIN),
}


@pytest.mark.parametrize("kind", WRITERS)
@given(facts=runs())
@FEW
def test_each_row_has_the_user_and_peer_of_its_connection_and_nobody_elses(kind, facts):
    got = read(kind, WRITERS[kind](facts)).sessions
    rows = got[got["action"] != "gateway_started"].to_dict("records")
    if kind in ("meraki_api_events", "meraki_event_log"):
        rows = rows[::-1]
    told = [fact for fact in facts if fact.action in LIFE]
    assert [row["action"] for row in rows] == [fact.action for fact in told]
    named = {
        id(fact): life[0].user if any(f.action.startswith("attempt_") for f in life) else ""
        for life in lives(facts)
        for fact in life
    }
    assert [(row["user"], row["client_address"]) for row in rows] == [
        (named[id(fact)], fact.client) for fact in told
    ]


# ------------------------------------------------------------------ New Year and summer time


def test_bsd_syslog_over_new_year_keeps_its_order_and_claims_no_year():
    moments = [when("2021-12-31T22:59:58") + timedelta(seconds=n) for n in range(4)]
    facts = [
        Fact(time=time, action="negotiation_started", client="198.51.100.7") for time in moments
    ]
    got = read("charon_syslog", dumps.charon_syslog(facts, clock=BERLIN))
    assert [message.split(" 05")[0] for message in got.sessions["message"]] == [
        "Dec 31 23:59:58",
        "Dec 31 23:59:59",
        "Jan 1 00:00:00",
        "Jan 1 00:00:01",
    ]
    assert got.sessions[["time", "time_low", "time_high"]].isna().all(axis=None)
    assert "no year" in " ".join(got.problems["reason"])


@pytest.mark.parametrize(
    ("change", "clock"),
    [
        ("2021-10-31T01:00", BERLIN),
        ("2022-03-27T01:00", BERLIN),
        ("2021-11-07T06:00", NEW_YORK),
        ("2022-03-13T07:00", NEW_YORK),
    ],
)
def test_dts_interval_holds_through_the_hour_that_comes_twice_or_never(change, clock):
    quarters = [when(change) + timedelta(minutes=15 * n) for n in range(-12, 13)]
    facts = [
        Fact(time=time, action="session_progress" if n % 6 == 0 else "attempt_started", user="anna")
        for n, time in enumerate(quarters)
    ]
    got = read("nps_dts_xml", nps.nps_dts(facts, clock=clock))
    assert_inside(got, facts, "ms")
    told = {int(clock(time).total_seconds()) // 60 for time in (quarters[0], quarters[-1])}
    assert got.clocks["offset_low"].tolist() == got.clocks["offset_high"].tolist()
    assert set(got.clocks["offset_low"]) == told


def test_dashboard_of_the_night_of_the_change_holds_both_hours():
    quarters = [when("2021-10-31T01:00") + timedelta(minutes=15 * n) for n in range(-8, 9)]
    facts = [Fact(time=time, action="session_started", user="anna") for time in quarters]
    got = read("meraki_event_log", dumps.meraki_dashboard(facts, zone="CET", clock=BERLIN))
    assert_inside(got, facts[::-1], "1min")


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("charon_syslog", lambda facts: dumps.charon_syslog(facts, envelope="rfc5424")),
        ("meraki_syslog", dumps.meraki_syslog),
        ("meraki_api_events", dumps.meraki_api),
        ("meraki_event_log", lambda f: dumps.meraki_dashboard(f, zone="CET", clock=BERLIN)),
        ("fortigate_log", lambda facts: dumps.fortigate(facts, clock=BERLIN)),
        ("nps_dts_xml", lambda facts: nps.nps_dts(facts, clock=BERLIN)),
        ("nps_database", lambda facts: nps.nps_database(facts, clock=BERLIN)),
    ],
)
def test_name_longer_than_any_line_costs_its_own_row_at_most_and_is_said(kind, write):
    january = when("2022-01-12T08:30")
    actions = ("attempt_failed", "negotiation_failed", "session_started")
    facts = [
        Fact(time=january, action=action, user=user, client="198.51.100.7", code="16")
        for user in ("anna", "x" * 50_000, "anna")
        for action in actions
    ]
    got = read(kind, write(facts))
    known = [
        fact for fact in facts if fact.user == "anna" and fact.action in set(got.sessions.action)
    ]
    assert (got.sessions["user"] == "anna").sum() >= len(known) // 2
    assert got.sessions["user"].str.len().max() <= gateways.LONGEST
    assert "longer than 4,000 characters" in " ".join(got.problems["reason"])
