"""What `kitlib.readers.evtx` promises, on real logs and on logs made for the purpose."""

from __future__ import annotations

import hashlib
import io
import pickle
import random
import struct
import sys
import warnings
from collections import Counter
from functools import partial

import pandas as pd
import pytest
from evtx import PyEvtxParser

from kitlib import readers, schema
from kitlib.errors import FormatError, UsageError
from kitlib.readers import engines, evtx
from kitlib.readers.chunks import bridged, one_chunk_file, read_chunk, walk
from kitlib.readers.evtx import read_evtx, read_evtx_bytes
from kitlib.readers.payload import exact, nanoseconds, payload
from kitlib.simulate import evtx as writer
from kitlib.simulate.evtx import (
    Event,
    UserData,
    break_chunk,
    break_record,
    encode_log,
    ticks,
    truncate,
)

NOON = writer.ticks("2022-01-12T12:00:00.1234567Z")
REFUSED = "no engine could decode the record"
WUC = "Microsoft-Windows-WindowsUpdateClient"


def log_of(*events, **options):
    return encode_log(events, channel="Application", computer="PC01", **options)


def read(data, **options):
    return read_evtx_bytes(data, name="a.evtx", **options)


def payloads(*events, engine="auto"):
    return list(read(log_of(*events), engine=engine)["data"])


def named(**data):
    return Event(provider="P", provider_guid=GUID, event_id=1, time=NOON, data=data)


def classic(*strings, **options):
    return Event(provider="RasClient", event_id=20227, time=NOON, data=strings, **options)


def many(count=400, **options):
    return log_of(*(classic("x" * 300, str(i)) for i in range(count)), **options)


GUID = "{945A8954-C147-4ACD-923F-40C45405A658}"


def losses(df):
    problems = df.attrs["problems"]
    return dict(zip(problems["place"], problems["records_lost"], strict=True))


@pytest.fixture(scope="session")
def real(shared):
    """Every real log by its path below the folder of logs."""
    found = sorted((shared / "evtx").rglob("*.evtx"))
    assert len(found) >= 30
    return {path.relative_to(shared / "evtx").as_posix(): path for path in found}


@pytest.fixture(scope="session")
def real_frames(real):
    return {name: read_evtx(path) for name, path in real.items()}


def chunks_of(path):
    return chunks_in(path.read_bytes())


def chunks_in(data):
    return [slot.chunk for slot in walk(io.BytesIO(data[4096:])) if slot.chunk]


def spread(chunks, most=4):
    """Some chunks, from the first to the last."""
    step = max(1, -(-len(chunks) // most))
    return chunks[::step]


# --- both engines, one result --------------------------------------------------------------


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


# --- shapes of payload ---------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
def test_read_evtx_keeps_unnamed_data_as_a_list(engine):
    got = payloads(
        classic("{B4000371-A67F-452F-AA4C-3125AA9CFC78}", "CORP\\alice", "", "<string>", "789"),
        classic("one"),
        classic("a", binary=b"\xb3\x02\0\0"),
        engine=engine,
    )
    guid = "b4000371-a67f-452f-aa4c-3125aa9cfc78"
    assert [data["Data"] for data in got] == [
        [guid, "CORP\\alice", "", "<string>", "789"],
        ["one"],
        ["a"],
    ]
    assert got[2]["Binary"] == "B3020000"


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
def test_read_evtx_flattens_user_data_and_names_its_root(engine):
    fields = {"PackageIdentifier": "KB5009543", "ErrorCode": writer.hex32(0), "Client": ""}
    event = Event(
        provider="Microsoft-Windows-Servicing",
        provider_guid=GUID,
        event_id=2,
        time=NOON,
        data=UserData(root="CbsPackageChangeState", namespace="urn:x", fields=fields),
    )
    assert payloads(event, engine=engine) == [
        {
            "UserData": "CbsPackageChangeState",
            "PackageIdentifier": "KB5009543",
            "ErrorCode": "0x0",
            "Client": None,
        }
    ]


def xml_payload(body):
    return payload(engines.parse_xml(f"<Event><System></System>{body}</Event>").children)


def test_payload_makes_a_list_of_a_name_that_occurs_twice():
    body = '<EventData><Data Name="a">1</Data><Data Name="b">2</Data><Data Name="a">3</Data>'
    assert xml_payload(body + "</EventData>") == {"a": ["1", "3"], "b": "2"}


def test_payload_keeps_attributes_nesting_and_mixed_text():
    body = (
        '<UserData v="2"><x:Root xmlns="urn:y" id="7"><Certificate fileRef="f">'
        '<Chain n="1"></Chain><Chain n="2">t</Chain>tail</Certificate></x:Root></UserData>'
    )
    assert xml_payload(body) == {
        "@v": "2",
        "UserData": "Root",
        "@id": "7",
        "Certificate": {
            "@fileRef": "f",
            "Chain": [{"@n": "1"}, {"@n": "2", "#text": "t"}],
            "#text": "tail",
        },
    }


def test_payload_keeps_what_is_neither_event_data_nor_user_data():
    body = (
        "<EventData><Data>a</Data></EventData><RenderingInfo><Message>m</Message></RenderingInfo>"
    )
    assert xml_payload(body) == {"Data": ["a"], "RenderingInfo": {"Message": "m"}}


def test_payload_keeps_the_name_of_the_event_data_itself(real_frames):
    system = real_frames["plaso/System.evtx"].set_index("record_id")
    assert system.loc[377, "data"] == {"@Name": "Started Listening"}


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


# --- System fields -------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
def test_read_evtx_fills_every_column(engine):
    event = Event(
        provider="Microsoft-Windows-WindowsUpdateClient",
        provider_guid=GUID,
        event_id=19,
        version=1,
        level=4,
        task=1,
        opcode=13,
        keywords=0x8000000000000018,
        time=NOON,
        process_id=4,
        thread_id=8,
        activity_id=GUID,
        user_sid="S-1-5-18",
        data={"updateTitle": "x (KB5009543)"},
    )
    got = read(log_of(event, first_record_id=77), engine=engine)
    schema.check("events", got)
    want = {
        "host": "PC01",
        "time_created": pd.Timestamp("2022-01-12T12:00:00.123456700Z"),
        "channel": "Application",
        "provider": WUC,
        "event_id": 19,
        "version": 1,
        "level": 4,
        "task": 1,
        "opcode": 13,
        "keywords": "0x8000000000000018",
        "record_id": 77,
        "process_id": 4,
        "thread_id": 8,
        "user_id": "S-1-5-18",
        "activity_id": "945a8954-c147-4acd-923f-40c45405a658",
        "data": {"updateTitle": "x (KB5009543)"},
        "path": "a.evtx",
        "qualifiers": pd.NA,
    }
    assert list(want) == list(got.columns)
    pd.testing.assert_frame_equal(got, schema.frame("events", [want]))


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
def test_read_evtx_leaves_absent_system_fields_missing(engine):
    row = read(log_of(classic("a", qualifiers=16384)), engine=engine).iloc[0]
    absent = ["version", "opcode", "process_id", "thread_id"]
    assert row[absent].isna().all()
    assert (row[["user_id", "activity_id"]] == "").all()
    assert row["qualifiers"] == 16384


@pytest.mark.parametrize("text", ["", "x", "99999999999999999999", "-1e3", "0x"])
def test_columns_leave_out_what_is_no_number(text):
    element = engines.Element("EventID", {"Qualifiers": text}, text, [])
    assert engines.columns([element]) == {}


def test_columns_leave_out_what_is_no_activity():
    for text in ("{00000000-0000-0000-0000-000000000000}", "garbage", "", None):
        element = engines.Element("Correlation", {"ActivityID": text}, None, [])
        assert engines.columns([element]) == {}


def test_exact_takes_the_header_only_for_the_same_instant():
    stated = nanoseconds("2022-01-12T12:00:00.123456Z")
    assert exact(stated, NOON) == stated + 700
    assert exact(stated, NOON + 100) == stated
    assert exact(None, NOON) is None
    assert exact(nanoseconds("9999-12-31T23:59:59.999999Z"), NOON) is None


@pytest.mark.parametrize("text", ["", "2022-13-01T00:00:00Z", "yesterday", "2022-01-12"])
def test_nanoseconds_of_no_time_is_missing(text):
    assert nanoseconds(text) is None


def test_read_evtx_takes_host_channel_and_id_of_a_forwarded_event_from_the_event(real_frames):
    row = real_frames["rust/MSExchange_Management_wec.evtx"].iloc[0]
    assert (row["host"], row["channel"], row["record_id"]) == (
        "WEC.ave.local",
        "MSExchange Management",
        3229,
    )
    assert row["time_created"] == pd.Timestamp("2021-11-19T16:52:33.833733500Z")
    assert (row["event_id"], row["qualifiers"]) == (1, 16384)
    assert row["data"]["Data"][0] == "Set-Mailbox"
    assert row["data"]["Data"][-1] == "fr-FR"


def test_read_evtx_keeps_a_computer_that_is_renamed_in_the_log(real_frames):
    hosts = real_frames["plaso/System.evtx"]["host"]
    assert hosts.iloc[0] == "37L4247F27-26"
    assert {"WIN-NBRJP24VCHB", "DC1.internal.greendale.edu"} <= set(hosts)


# --- facts of real logs --------------------------------------------------------------------


def test_read_evtx_finds_the_build_and_revision_of_each_boot(real_frames):
    log = real_frames["rust/2-vss_7-System.evtx"]
    boots = log[(log["provider"] == "Microsoft-Windows-Kernel-General") & (log["event_id"] == 12)]
    revisions = [(d["BuildVersion"], d["QfeVersion"]) for d in boots["data"]]
    assert set(revisions) == {("17134", "137"), ("17134", "165")}
    changed = boots["time_created"].iloc[revisions.index(("17134", "165"))]
    assert changed.floor("s") == pd.Timestamp("2018-07-12T00:41:50Z")


def test_read_evtx_ignores_the_stale_chunk_count_of_a_dirty_log(real_frames):
    log = real_frames["rust/system.evtx"]
    assert len(log) == 1881
    assert log.attrs["problems"].empty


def test_read_evtx_reads_the_setup_log(real_frames):
    log = real_frames["setup/Setup.evtx"]
    assert len(log) == 15
    states = log.loc[log["event_id"] == 2, "data"]
    assert set(states.str["UserData"]) == {"CbsPackageChangeState"}
    assert states.iloc[0]["PackageIdentifier"] == "KB777778"


def test_read_evtx_reads_a_cut_last_chunk_as_far_as_it_goes(real_frames):
    log = real_frames["plaso/System2.evtx"]
    assert list(log["record_id"]) == list(range(1, 285))
    assert "chunk 2, record 284" in losses(log)


def test_read_evtx_goes_on_behind_a_broken_record(real_frames):
    log = real_frames["rust/sample-with-zero-data-size-event.evtx"]
    assert list(log["record_id"]) == [1, 2, *range(4, 451)]
    assert losses(log)["chunk 0"] == 1


def test_read_evtx_counts_chunks_that_are_gone_by_the_numbers_around_them(real_frames):
    lost = losses(real_frames["rust/sample_with_a_bad_chunk_magic.evtx"])
    assert (lost["chunks 1 to 6"], lost["chunks 10 to 15"]) == (770, 778)


def test_read_evtx_names_each_record_that_no_engine_can_decode(real_frames):
    name = "2-vss_0-Microsoft-Windows-RemoteDesktopServices-RdpCoreTS%4Operational"
    lost = losses(real_frames[f"rust/{name}.evtx"])
    refused = {place: count for place, count in lost.items() if ", record" in place}
    assert len(refused) == 23
    assert refused["chunk 0, record 6952124"] == 1


# --- accounting ----------------------------------------------------------------------------


def naive_ids(path):
    """Record ids by following sizes from each chunk's start, until something is wrong."""
    data, out = path.read_bytes(), Counter()
    for start in range(4096, len(data), 65536):
        chunk = data[start : start + 65536]
        if chunk[:8] != b"ElfChnk\0":
            continue
        offset, free = 512, struct.unpack_from("<I", chunk, 48)[0]
        while offset + 28 < min(free, len(chunk)) and chunk[offset : offset + 4] == b"**\0\0":
            size, record_id = struct.unpack_from("<IQ", chunk, offset + 4)
            out[record_id] += 1
            if not size:
                break
            offset += size
    return out


def test_rows_and_losses_account_for_every_record_of_every_real_file(real, real_frames):
    for name, path in real.items():
        frame, chunks = real_frames[name], chunks_of(path)
        walked = Counter(r.record_id for chunk in chunks for r in chunk.records)
        problems = frame.attrs["problems"]
        refused = problems["reason"].eq(REFUSED).sum()
        assert len(frame) + refused == walked.total(), name
        unread = naive_ids(path) - walked
        lost = problems.loc[problems["place"] != "", "records_lost"]
        assert lost.isna().any() or unread.total() <= lost.sum(), name
        schema.check("problems", pd.DataFrame(problems))
        schema.check("events", frame)


def test_records_of_the_rust_engine_alone_are_all_there(real, real_frames):
    for name, path in real.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser = PyEvtxParser(str(path), skip_errors=True)
            alone = Counter(record["event_record_id"] for record in parser.records())
        walked = Counter(r.record_id for chunk in chunks_of(path) for r in chunk.records)
        problems = real_frames[name].attrs["problems"]
        places = problems.loc[problems["reason"] == REFUSED, "place"]
        refused = Counter(int(place.rpartition(" ")[2]) for place in places)
        assert alone - (walked - refused) == Counter(), name


def test_walk_does_not_read_behind_the_free_space_offset():
    log = bytearray(many(100))
    (free,) = struct.unpack_from("<I", log, 4096 + 48)
    chunk = read_chunk(bytes(log[4096:69632]), number=0)
    struct.pack_into("<I", log, 4096 + 48, chunk.records[10].offset)
    assert free > chunk.records[10].offset
    shorter = read_chunk(bytes(log[4096:69632]), number=0)
    assert shorter.records == chunk.records[:10]


def test_walk_without_a_free_space_offset_stops_where_ids_stop_to_rise():
    newer, older = many(30, first_record_id=900), many(100, first_record_id=100)
    (free,) = struct.unpack_from("<I", newer, 4096 + 48)
    stale = read_chunk(older[4096:69632], number=0).records
    behind = next(record.offset for record in stale if record.offset >= free)
    gap = struct.pack("<4sI", b"**\0\0", behind - free).ljust(behind - free - 4, b"\0")
    gap += struct.pack("<I", behind - free)
    log = bytearray(newer[: 4096 + free] + gap + older[4096 + behind : 69632])
    struct.pack_into("<I", log, 4096 + 48, 0xFFFFFFFF)
    got = read(bytes(log))
    assert list(got["record_id"]) == list(range(900, 930))
    assert list(got.attrs["problems"]["reason"].str.contains("checksums")) == [True]


@pytest.mark.parametrize("first", [1, 5000])
@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("dirty", [False, True])
def test_read_evtx_counts_what_a_broken_chunk_took_with_it(first, number, dirty):
    log = many(first_record_id=first, dirty=dirty)
    got = read(break_chunk(log, chunk=number))
    assert len(got) + losses(got)[f"chunk {number}"] == 400
    wiped = log[: 4096 + 65536 * number] + bytes(65536) + log[4096 + 65536 * (number + 1) :]
    if 0 < number < 5:
        got = read(wiped)
        assert len(got) + losses(got)[f"chunk {number}"] == 400


def test_read_evtx_counts_the_records_behind_the_end_of_a_cut_file():
    for keep in (4096 + 1000, 4096 + 65536, 4096 + 65536 + 30_000, 4096 + 3 * 65536 + 65_000):
        got = read(truncate(many(), keep=keep))
        assert len(got) + got.attrs["problems"]["records_lost"].sum() == 400


def test_read_evtx_takes_no_offence_at_unused_chunks():
    got = read(many() + bytes(3 * 65536))
    assert len(got) == 400
    assert got.attrs["problems"].empty


def test_read_evtx_names_a_record_that_cannot_be_decoded():
    got = read(break_record(many(first_record_id=1), chunk=0, record=4))
    assert 5 not in set(got["record_id"])
    assert losses(got)["chunk 0, record 5"] == 1
    assert len(got) == 399


def test_read_evtx_reports_checksums_once_and_reads_on():
    log = bytearray(many())
    for start in range(4096, len(log), 65536):
        log[start + 52] ^= 1
    got = read(bytes(log))
    assert len(got) == 400
    problems = got.attrs["problems"]
    assert list(problems["records_lost"]) == [0]
    assert "checksums" in problems["reason"][0]


def test_auto_lets_the_second_engine_read_what_the_first_refuses(monkeypatch):
    def refuses_odd(chunk, records, wanted):
        kept = tuple(r for r in records if r.record_id % 2 == 0)
        return engines.decode_evtx(chunk, kept, wanted)

    log = many(30)
    monkeypatch.setitem(evtx.ENGINES, "auto", (refuses_odd, engines.decode_python_evtx))
    mixed = read(log)
    pd.testing.assert_frame_equal(mixed, read(log, engine="evtx"))


def damaged(data, seed):
    """One chunk of a log with bytes, stretches or its end spoilt."""
    dice = random.Random(seed)  # noqa: S311  # damage, not secrets
    chunk = dice.randrange((len(data) - 4096) // 65536)
    out = bytearray(data[:4096] + data[4096 + 65536 * chunk : 4096 + 65536 * (chunk + 1)])
    at, size = dice.randrange(4096, len(out)), dice.choice([8, 64, 512, 4096])
    match seed % 4:
        case 0:
            for _ in range(dice.choice([1, 5, 50, 500])):
                out[dice.randrange(4096, len(out))] = dice.randrange(256)
        case 1:
            out[at : at + size] = bytes(len(out[at : at + size]))
        case 2:
            out[at : at + size] = dice.randbytes(len(out[at : at + size]))
        case _:
            out = out[: dice.randrange(8, len(out))]
    return bytes(out)


@pytest.mark.parametrize(("engine", "seeds"), [("evtx", 160), ("python-evtx", 48)])
def test_read_evtx_survives_any_damage_and_accounts_for_it(real, engine, seeds):
    names = ("rust/system.evtx", "rust/sysmon.evtx", "setup/Setup.evtx", "rust/issue_201.evtx")
    logs = [real[name].read_bytes() for name in names]
    for seed in range(seeds):
        data = damaged(logs[seed // 4 % 4], seed)
        got = read(data, engine=engine)
        walked = sum(len(chunk.records) for chunk in chunks_in(data))
        reasons = got.attrs["problems"]["reason"]
        assert len(got) + reasons.eq(REFUSED).sum() == walked, seed


# --- asking for some events only -----------------------------------------------------------


@pytest.mark.parametrize("engine", ["auto", "python-evtx"])
@pytest.mark.parametrize(
    ("events", "mask"),
    [
        ([(None, WUC.lower(), 19)], lambda e: e["provider"].eq(WUC) & e["event_id"].eq(19)),
        ([("system", None, 12)], lambda e: e["event_id"].eq(12)),
        ([(None, "user32", None)], lambda e: e["provider"].str.lower().eq("user32")),
        ([("Security", None, None)], lambda e: e["channel"].eq("Security")),
        ([(None, None, None)], lambda e: e["event_id"].notna()),
        ([], lambda e: e["event_id"].isna()),
        (
            [(None, WUC, 43), ("System", "EventLog", 6005)],
            lambda e: (
                (e["provider"].eq(WUC) & e["event_id"].eq(43))
                | (e["provider"].eq("EventLog") & e["event_id"].eq(6005))
            ),
        ),
    ],
)
def test_events_keeps_exactly_what_is_asked_for(shared, events, mask, engine):
    path = shared / "evtx/rust/2-vss_7-System.evtx"
    with path.open("rb") as stream:
        data = stream.read(4096 + 2 * 65536) if engine != "auto" else path.read_bytes()
    whole = read(data)
    got = read(data, events=events, engine=engine)
    pd.testing.assert_frame_equal(got, whole[mask(whole)].reset_index(drop=True))


@pytest.mark.parametrize("events", [[("System", "x")], "System", [(1, 2, 3)], [(None, None, "x")]])
def test_events_that_are_no_triples_are_refused(events):
    with pytest.raises(UsageError, match="triples"):
        read(many(1), events=events)


# --- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"Node,HotFixID\r\n", "not a Windows event log"),
        (bytes(200_000), "not a Windows event log"),
        (b"PK\3\4" * 40_000, "not a Windows event log"),
    ],
)
def test_read_evtx_refuses_what_is_no_event_log(data, words):
    with pytest.raises(FormatError, match=words) as caught:
        read(data)
    assert str(caught.value).startswith("a.evtx: ")


@pytest.mark.parametrize("size", [8, 100, 4096])
def test_read_evtx_of_a_header_alone_has_no_rows_and_says_so(size):
    got = read(many(1)[:size])
    schema.check("events", got)
    assert got.empty
    assert "before its first chunk" in got.attrs["problems"]["reason"][0]


def test_read_evtx_of_an_empty_log_has_no_rows_and_no_problem():
    got = read(log_of())
    assert got.empty
    assert got.attrs["problems"].empty


def test_read_evtx_reads_chunks_behind_a_broken_file_header():
    log = many(100)
    got = read(b"\0" * 4096 + log[4096:])
    assert len(got) == 100
    assert "file header is damaged" in got.attrs["problems"]["reason"][0]


def test_read_evtx_refuses_an_unknown_engine_and_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="auto, evtx, python-evtx"):
        read(many(1), engine="libevtx")
    with pytest.raises(UsageError, match=r"no file .*nothing\.evtx"):
        read_evtx(tmp_path / "nothing.evtx")
    with pytest.raises(UsageError, match="no file"):
        read_evtx(tmp_path)


def test_read_evtx_does_not_touch_the_file(tmp_path):
    path = tmp_path / "a.evtx"
    path.write_bytes(many(50))
    path.chmod(0o444)
    before = path.stat(), hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(read_evtx(path)["path"].unique()) == [str(path)]
    after = path.stat(), hashlib.sha256(path.read_bytes()).hexdigest()
    assert (before[0].st_mtime_ns, before[1]) == (after[0].st_mtime_ns, after[1])


# --- as a table among others ---------------------------------------------------------------


def test_frames_can_be_stacked_copied_and_pickled():
    one, two = read(many(3)), read(break_chunk(many(), chunk=1))
    assert len(pd.concat([one, two])) == len(one) + len(two)
    assert len(schema.concat("events", [one.copy(), two[two["event_id"] == 20227]])) == 324
    kept = pickle.loads(pickle.dumps(two.copy()))  # noqa: S301  # our own bytes
    pd.testing.assert_frame_equal(kept.attrs["problems"], two.attrs["problems"])


def test_read_is_what_the_registry_asks_for():
    got = evtx.read(break_chunk(many(), chunk=1))
    assert readers.sniff(many(1)[:64]) == "evtx"
    assert not readers.sniff(b"ElfFil")
    assert (len(got.events), len(got.updates), len(got.sessions)) == (321, 0, 0)
    assert list(got.problems["place"]) == ["chunk 1"]
    assert got.events.attrs == {}


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
