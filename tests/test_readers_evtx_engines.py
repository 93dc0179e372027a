"""Both engines say the same of a record, each value in one spelling, whichever of them reads it."""

from __future__ import annotations

import io
import struct
import sys
from functools import partial

import pandas as pd
import pytest
from evtx import PyEvtxParser
from evtx_logs import GUID, NOON, log_of, named
from evtx_reads import chunks_of, many, payloads, read, real_logs

from kitlib.readers import engines, evtx
from kitlib.readers.chunks import bridged, one_chunk_file
from kitlib.readers.evtx import read_evtx, read_evtx_bytes
from kitlib.readers.payload import payload
from kitlib.simulate import evtx as writer
from kitlib.simulate.evtx import Event, encode_log, ticks


@pytest.fixture(scope="session")
def real(shared):
    return real_logs(shared)


def spread(chunks, most=4):
    """Some chunks, from the first to the last."""
    step = max(1, -(-len(chunks) // most))
    return chunks[::step]


# --- one result -------------------------------------------------------------------------------


def test_engines_give_the_same_rows_of_every_real_file(real):
    compared, different = 0, []
    for name, path in real.items():
        for chunk in spread(chunks_of(path)):
            one = engines.decode_evtx(chunk, chunk.records, None)
            two = engines.decode_python_evtx(chunk, chunk.records, None)
            both = [record for record in chunk.records if record in one and record in two]
            compared += len(both)
            different += [
                (name, record.record_id, one[record], two[record])
                for record in both
                if one[record] != two[record] or [*one[record].data] != [*two[record].data]
            ]
    assert different == []
    assert compared > 6_000


def test_engines_give_the_same_frame_of_a_whole_file(real):
    path = real["setup/Setup.evtx"]
    pd.testing.assert_frame_equal(
        read_evtx(path, engine="evtx"), read_evtx(path, engine="python-evtx")
    )


def test_auto_lets_the_second_engine_read_what_the_first_refuses(monkeypatch):
    def refuses_odd(chunk, records, wanted):
        kept = tuple(r for r in records if r.record_id % 2 == 0)
        return engines.decode_evtx(chunk, kept, wanted)

    log = many(30)
    monkeypatch.setitem(evtx.ENGINES, "auto", (refuses_odd, engines.decode_python_evtx))
    mixed = read(log)
    pd.testing.assert_frame_equal(mixed, read(log, engine="evtx"))


def test_flat_payload_is_only_a_faster_way_to_the_same(real):
    seen = 0
    for name in ("rust/system.evtx", "plaso/System.evtx", "rust/security.evtx", "rust/sysmon.evtx"):
        for chunk in spread(chunks_of(real[name])):
            stream = io.BytesIO(one_chunk_file(bridged(chunk)))
            for item in PyEvtxParser(stream, indent=False).records():
                xml = item["data"]
                head = xml[: xml.index("</System>")]
                fast = engines._flat_payload(xml, len(head))
                slow = engines.parse_xml(xml)
                if fast is not None:
                    seen += 1
                    assert list(fast.items()) == list(payload(slow.children).items())
                pieces, own = engines._cut(head)
                made = {k: v for p in (*pieces, own) for k, v in engines._piece(p).items()}
                system = next(c for c in slow.children if c.name == "System")
                assert made == engines.columns(system.children)
    assert seen > 1_000


# --- one spelling -----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a & b < c > d \" ' &amp; &#65; ]]>", "a & b < c > d \" ' &amp; &#65; ]]>"),
        ("</Data></EventData></Event>", "</Data></EventData></Event>"),
        ("<![CDATA[x]]><?y?>", "<![CDATA[x]]><?y?>"),
        ("\x01\x02\x1f\x7f\x85", "\x01\x02\x1f\x7f\x85"),
        ("\r\n    ", "\r\n    "),
        ("\ufeff\U0001f600 ünï\u200e", "\ufeff\U0001f600 ünï\u200e"),
        ("", None),
        (None, None),
        (True, "true"),
        (False, "false"),
        ("True", "True"),
        (writer.u64(2**64 - 1), "18446744073709551615"),
        (writer.i8(-2), "-2"),
        (writer.i64(-2), "-2"),
        (writer.hex32(0x800F0816), "0x800f0816"),
        (writer.hex32(0), "0x0"),
        (writer.hex64(0xABCDEF0123456789), "0xabcdef0123456789"),
        ("0x8024001E", "0x8024001e"),
        (writer.real(2.5), "2.5"),
        (writer.real(1e20), "1e+20"),
        (writer.real(1.5e-7), "1.5e-7"),
        (writer.real(0.00001), "0.00001"),
        (writer.real(-0.0), "-0.0"),
        (writer.real(float("nan")), "NaN"),
        (writer.real(float("-inf")), "-inf"),
        (writer.filetime(NOON), "2022-01-12T12:00:00.123456Z"),
        (writer.systemtime(NOON), "2022-01-12T12:00:00.123000Z"),
        (writer.guid(GUID), "945a8954-c147-4acd-923f-40c45405a658"),
        (GUID, "945a8954-c147-4acd-923f-40c45405a658"),
        (writer.sid("S-1-5-21-1-2-3-1001"), "S-1-5-21-1-2-3-1001"),
        (writer.binary(b"\x00\xffab"), "00FF6162"),
    ],
)
def test_read_evtx_spells_each_type_of_value(value, text, engine):
    assert payloads(named(before="1", v=value, after="2"), engine=engine) == [
        {"before": "1", "v": text, "after": "2"}
    ]


RETYPED = {
    0x01: ("a\0b".encode("utf-16-le"), "a"),
    0x02: (b"abc\xe9\x80", "abcé€"),
    0x0B: (struct.pack("<f", 0.1), "0.1"),
    0x0D: (struct.pack("<i", 16), "16"),
    0x10: (struct.pack("<Q", 255), "0xff"),
    0x81: ("a\0b\0\0c\0".encode("utf-16-le"), ["a", "b", None, "c"]),
}


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
@pytest.mark.parametrize("kind", RETYPED)
def test_read_evtx_spells_types_that_the_writer_does_not_have(kind, engine):
    raw, expected = RETYPED[kind]
    log = log_of(named(v=writer.binary(raw)))
    descriptor = struct.pack("<HBB", len(raw), 0x0E, 0)
    assert log.count(descriptor) == 1
    log = log.replace(descriptor, struct.pack("<HBB", len(raw), kind, 0))
    assert list(read(log, engine=engine)["data"]) == [{"v": expected}]


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
def test_read_evtx_drops_half_a_surrogate_pair_and_keeps_the_text(engine):
    log = log_of(named(v="ab\ue000cd"))
    log = log.replace("b\ue000c".encode("utf-16-le"), b"b\x00\x00\xd8c\x00")
    assert list(read(log, engine=engine)["data"]) == [{"v": "abcd"}]


# --- no needless work -------------------------------------------------------------------------


def calls_of(function):
    """How many calls of Python functions it takes: work, whatever else the machine does."""
    count = 0

    def profile(_frame, event, _argument):
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    ("place", "bytes_"),
    [
        (774, b"\0"),
        (277, b"\x1a\xfe"),
        (477, bytes.fromhex("53b8811e06ac52b761109931678e203e")),
    ],
)
def test_a_damaged_template_costs_the_second_engine_no_walks_through_the_chunk(place, bytes_):
    """By fuzzing: each record of such a template had the rest of the chunk taken for its nodes."""
    moment = ticks("2022-01-12T08:00:00Z")
    events = [Event(provider="P", event_id=7, time=moment, data=[f"record {n}"]) for n in range(12)]
    sound = encode_log(events, channel="System", computer="WS0001")
    broken = bytearray(sound)
    at = sound.index(b"**\0\0") + place
    broken[at : at + len(bytes_)] = bytes_
    decode = partial(read_evtx_bytes, name="", engine="python-evtx")
    assert len(decode(sound)) == 12
    assert decode(bytes(broken)).empty
    assert calls_of(lambda: decode(bytes(broken))) < 3 * calls_of(lambda: decode(sound))
