"""Dialects of gateway logs that a table adds: the kit's own, and one that an analyst writes."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pandas as pd
import pytest

from kitlib import readers, schema
from kitlib.errors import UsageError
from kitlib.readers.gateway import gateway_dialects
from kitlib.readers.gateway.gateway_dialects import built_in, load, parse, reader

RAW = tomllib.loads((files("kitlib.readers.gateway") / "gateway_dialects.toml").read_text("utf-8"))
EXAMPLES = [rule for raw in RAW["dialect"] for rule in raw["rule"]]

# What an analyst writes for a product that the kit does not know.
OWN = r"""
[[dialect]]
name = "acme"
recognise = '^\S+ \S+ acmevpn\['
line = '^(?P<day>\S+) (?P<clock>\S+) acmevpn\[(?P<gateway>[^\]]{1,60})\]: (?P<text>.*)$'
extract = { text = 'from (?P<peer>\S{1,64})$' }
time = ["day", "clock"]
times = [{ format = '%d.%m.%Y %H:%M:%S', zone = '+01:00' }]
gateway = ["gateway"]
user = ["user"]
client_address = ["peer"]
reference = "invented"

[[dialect.rule]]
when = { text = '^user (?P<user>.{1,200}) is in from ' }
action = "session_started"
outcome = "success"
reference = "invented"
example = { line = "12.01.2022 09:30:00 acmevpn[gw7]: user anna is in from 198.51.100.7", gives = { user = "anna" } }

[[dialect.rule]]
when = { text = '^refused \((?P<why>[^)]{1,40})\)' }
action = "attempt_failed"
outcome = "failure"
code = "why"
reference = "invented"
example = { line = "12.01.2022 09:30:00 acmevpn[gw7]: refused (E7) from 198.51.100.7", gives = { code = "E7" } }
"""


def utc(stamp: str) -> pd.Timestamp:
    return pd.Timestamp(stamp, tz="UTC").as_unit("ns")


def times(row: pd.Series) -> tuple[object, ...]:
    cells = (row["time"], row["time_low"], row["time_high"])
    return tuple(None if pd.isna(cell) else cell for cell in cells)


def sonic(stamp: str, more: str = 'm=1080 msg="SSL VPN zone remote user login allowed"') -> str:
    return f'id=firewall sn=000000000001 time="{stamp}" fw=192.0.2.1 {more} src=198.51.100.7:5:X1\n'


# ------------------------------------------------------------------ the kit's own


@pytest.mark.parametrize("rule", EXAMPLES)
def test_rule_reads_its_own_example(rule):
    data = rule["example"]["line"].encode()
    assert readers.sniff(data) == "gateway_dialect"
    got = schema.check("sessions", readers.reader_for(data).read(data).sessions)
    want = {"action": rule["action"], "outcome": rule.get("outcome", "unknown")}
    want |= rule["example"]["gives"]
    assert {key: got.iloc[0][key] for key in want} == want
    assert rule["reference"]


def test_names_of_dialects_are_no_readers_of_the_kit():
    names = [dialect.name for dialect in built_in()]
    assert len(set(names)) == len(names)
    assert not set(names) & {one.kind for one in readers.READERS}


@pytest.mark.parametrize(
    ("stamp", "basis", "when"),
    [
        ("2022-01-12 08:30:00 UTC", "utc", (utc("2022-01-12T08:30"),) * 3),
        (
            "2022-01-12 08:30:00",
            "local",
            (None, utc("2022-01-11T18:30"), utc("2022-01-12T20:30")),
        ),
        ("2022-01-32 08:30:00", "", (None, None, None)),
    ],
)
def test_time_claims_what_its_form_states(stamp, basis, when):
    row = gateway_dialects.read(sonic(stamp).encode()).sessions.iloc[0]
    assert (times(row), row["time_basis"]) == (when, basis)


def test_lines_about_other_traffic_are_counted_in_one_row():
    other = sonic("2022-01-12 08:30:00 UTC", 'm=98 msg="Connection Opened"')
    got = gateway_dialects.read((sonic("2022-01-12 08:30:00 UTC") + other * 5000).encode())
    assert len(got.sessions) == 1
    assert got.problems["place"].tolist() == ["line 2 and 4,999 more"]


def test_value_in_quotes_cannot_pass_for_another_field():
    more = 'm=1080 msg="SSL VPN zone remote user login allowed" usr="a usr=root src=192.0.2.66"'
    row = gateway_dialects.read(sonic("2022-01-12 08:30:00 UTC", more).encode()).sessions.iloc[0]
    assert (row["user"], row["client_address"]) == ("a usr=root src=192.0.2.66", "198.51.100.7")


@pytest.mark.parametrize("piece", ['a="', "a=", "a", '\\"', "id=firewall sn=0000 "])
def test_long_hostile_lines_are_read_in_time(piece):
    whole = sonic("2022-01-12 08:30:00 UTC") + piece * (500_000 // len(piece))
    assert len(gateway_dialects.read(whole.encode()).sessions) == 1


# ------------------------------------------------------------------ an analyst's


def test_analysts_table_adds_a_product_without_code(tmp_path):
    table = tmp_path / "acme.toml"
    table.write_text(OWN, encoding="utf-8")
    made = reader(load(table))
    log = (
        b"12.01.2022 09:30:00 acmevpn[gw7]: user o'brien is in from 198.51.100.7\n"
        b"12.01.2022 09:31:00 acmevpn[gw7]: refused (E7) from 203.0.113.9\n"
        b"12.01.2022 09:32:00 acmevpn[gw7]: fan speed 7\n"
        b"rubbish\n"
    )
    assert made.sniff(log)
    assert readers.sniff(log) == ""
    got = made.read(log)
    day = {"time_basis": "offset", "gateway": "gw7"}
    first, second = (
        day | dict.fromkeys(("time", "time_low", "time_high"), utc(f"2022-01-12T08:{minute}"))
        for minute in (30, 31)
    )
    lines = log.decode().splitlines()
    want = [
        first
        | {"user": "o'brien", "client_address": "198.51.100.7", "action": "session_started"}
        | {"outcome": "success", "message": lines[0]},
        second
        | {"client_address": "203.0.113.9", "action": "attempt_failed", "outcome": "failure"}
        | {"code": "E7", "message": lines[1]},
    ]
    pd.testing.assert_frame_equal(got.sessions, schema.frame("sessions", want))
    assert got.problems["records_lost"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("form", "zone", "stamp", "when"),
    [
        ("iso", "local", "2022-01-12T09:30:00+01:00", (utc("2022-01-12T08:30"),) * 3),
        ("iso", "+01:00", "2022-01-12T09:30:00", (utc("2022-01-12T08:30"),) * 3),
        ("epoch", "local", "1641976200", (utc("2022-01-12T08:30"),) * 3),
        (
            "%Y-%m-%dT%H:%M:%S%z",
            "local",
            "2022-01-12T09:30:00+0100",
            (utc("2022-01-12T08:30"),) * 3,
        ),
        (
            "%Y-%m-%dT%H:%M",
            "utc",
            "2022-01-12T08:30",
            (utc("2022-01-12T08:30"), utc("2022-01-12T08:30"), utc("2022-01-12T08:31")),
        ),
        (
            "%d/%m/%Y",
            "+01:00",
            "12/01/2022",
            (None, utc("2022-01-11T23:00"), utc("2022-01-13T00:00")),
        ),
    ],
)
def test_each_form_of_time_is_read(form, zone, stamp, when):
    old = "format = '%d.%m.%Y %H:%M:%S', zone = '+01:00'"
    assert old in OWN
    table = OWN.replace(old, f"format = '{form}', zone = '{zone}'")
    table = table.replace('["day", "clock"]', '["day"]')
    line = f"{stamp} x acmevpn[gw7]: user anna is in from 198.51.100.7\n"
    assert times(reader(parse(table)).read(line.encode()).sessions.iloc[0]) == when


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "acme"\n', "", "'name' is missing"),
        ('name = "acme"\n', 'name = "acme"\ncolour = "red"\n', "unknown key 'colour'"),
        (r"acmevpn\['", "acmevpn['", "'recognise' is no regular expression"),
        ("%d.%m.%Y", "%d.%m.", "has no %Y"),
        ("%d.%m.%Y", "%x %Y", "has %x, which depends"),
        ("%d.%m.%Y", "%m.%Y", "names no day"),
        ("%H:%M", "%I:%M", "has %I without %p"),
        ("+01:00", "CET", "zone 'CET' is not"),
        (
            '"session_started"',
            '"sessions_started"',
            "'sessions_started' is none of attempt_started",
        ),
        ('"success"', '"good"', "'good' is none of success, failure"),
        ('user = ["user"]', 'user = "user"', "'user' must be a list of fields"),
        ("[[dialect]]", "[[dialect", "is not TOML"),
        ("[[dialect]]", "x = 1\n[[dialect]]", "must hold [[dialect]] and nothing else"),
    ],
)
def test_faulty_table_is_refused_with_key_and_fault(old, new, says):
    assert old in OWN
    with pytest.raises(UsageError) as error:
        parse(OWN.replace(old, new, 1), name="acme.toml")
    assert "acme.toml" in str(error.value)
    assert says in str(error.value)


def test_missing_table_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        load(tmp_path / "none.toml")


def test_file_that_no_dialect_fits_gives_a_problem_and_no_row():
    got = reader(parse(OWN)).read(b"something else\n")
    assert got.sessions.empty
    assert got.problems["reason"].tolist() == ["no dialect of a gateway's log fits this file"]
