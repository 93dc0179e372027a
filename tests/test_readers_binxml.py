"""The decoder by columns says what the engines say, what a slow decoder says, and what was written."""

from __future__ import annotations

import io
import random
import struct
from collections import Counter

import naive_binxml
import numpy as np
import pandas as pd
import pytest
from evtx_logs import GUID, NOON, classic, log_of, named, resealed
from evtx_reads import real_logs
from hypothesis import given, settings
from hypothesis import strategies as st

from kitlib import schema
from kitlib.readers import engines
from kitlib.readers.binxml import block as blocks_
from kitlib.readers.binxml import columns, searching
from kitlib.readers.binxml.block import BLOCK_CHUNKS, Values, blocks, plain_records
from kitlib.readers.binxml.distinct import distinct
from kitlib.readers.binxml.table import frame
from kitlib.readers.chunks import CHUNK, read_chunk
from kitlib.readers.evtx import (
    read_evtx,
    read_evtx_bytes,
    read_evtx_many,
    read_evtx_parts,
    read_evtx_stream,
)
from kitlib.readers.evtx_accounts import REFUSED
from kitlib.readers.payload import Row, Wanted
from kitlib.simulate import evtx as writer
from kitlib.simulate.evtx import Event, UserData, truncate

LEFT_TO_ENGINES = {
    "rust/E_ShadowCopy6_windows_system32_winevt_logs_Microsoft-Windows-CAPI2%4Operational.evtx": 459,
    "rust/E_Windows_system32_winevt_logs_Microsoft-Windows-CAPI2%4Operational.evtx": 340,
    "rust/MSExchange_Management_wec.evtx": 1,
    "rust/issue_201.evtx": 1,
}
"""Records of sound chunks that are not read by columns: binary XML inside binary XML."""


@pytest.fixture(scope="session")
def real(shared):
    return real_logs(shared)


def by_columns(data, **options):
    """Decode a log's sound chunks by columns: the block, what it gave, its rows as a frame."""
    (block,) = blocks([(0, io.BytesIO(data[4096:]))], size=1024)
    got = columns.decode(block, columns.Memory(), **options)
    return block, got, frame([got.rows])


def rows_of(table):
    """The rows of a table as `Row`, in its order."""
    table = table.drop(columns="path").astype({"time_created": "int64"})
    table = table.astype(object).where(table.notna(), None)
    return [Row(**row) for row in table.to_dict("records")]


def chunk_at(block, number):
    return read_chunk(block.chunk(number), number=number)


def as_cut(row, ticks):
    """Cut TimeCreated as an engine does, and find the digits in the record's header."""
    stated = row.time_created // 1000 * 1000
    header = (ticks - 116_444_736_000_000_000) * 100
    return row._replace(time_created=header if 0 <= header - stated < 1000 else stated)


# --- real logs -----------------------------------------------------------------------------


def test_columns_give_the_rows_of_the_rust_engine_on_every_real_file(real):
    """Every record, every System column, every payload; but TimeCreated has 100 ns by columns."""
    compared, left = 0, {}
    for name, path in real.items():
        block, got, table = by_columns(path.read_bytes())
        want = {}
        for number in np.flatnonzero(got.plain).tolist():
            chunk = chunk_at(block, number)
            rows = engines.decode_evtx(chunk, chunk.records, None)
            want |= {number * CHUNK + record.offset: row for record, row in rows.items()}
        read = dict(zip(got.records.start.tolist(), rows_of(table), strict=True))
        assert read.keys() | set(got.odd.start.tolist()) == want.keys(), name
        if len(got.odd):
            left[name] = len(got.odd)
        ticks = dict(zip(got.records.start.tolist(), got.records.ticks.tolist(), strict=True))
        for start, row in read.items():
            cut = as_cut(row, ticks[start])
            assert cut == want[start], (name, start)
            assert [*cut.data] == [*want[start].data], (name, start)
        compared += len(read)
    assert left == LEFT_TO_ENGINES
    assert compared == 28_175


def test_columns_give_the_rows_of_the_slow_decoder(real):
    compared = 0
    for name, path in real.items():
        block, got, table = by_columns(path.read_bytes())
        read = dict(zip(got.records.start.tolist(), rows_of(table), strict=True))
        for number in np.flatnonzero(got.plain).tolist()[::5]:
            chunk = chunk_at(block, number)
            for record in chunk.records:
                row = read.get(number * CHUNK + record.offset)
                if row is not None:
                    compared += 1
                    assert as_cut(row, record.ticks) == naive_binxml.decode(chunk.data, record), (
                        name
                    )
    assert compared > 5_000


def test_read_evtx_reads_the_records_of_every_real_file_whatever_the_engine(real):
    """The kit's whole way (columns, then engines) against the Rust engine alone."""
    ways = Counter()
    for name, path in real.items():
        auto, rust = read_evtx(path), read_evtx(path, engine="evtx")
        ways.update(auto.attrs["decoded"])
        second = auto.attrs["decoded"].get("python-evtx", 0)
        assert len(auto) - second == len(rust), name
        if second:
            continue
        late = (auto.time_created - rust.time_created).fillna(pd.Timedelta(0))
        assert ((late >= pd.Timedelta(0)) & (late < pd.Timedelta("1us"))).all(), name
        same = [column for column in auto.columns if column != "time_created"]
        pd.testing.assert_frame_equal(auto[same], rust[same])
    assert ways["columns"] == 28_175
    assert ways["evtx"] > sum(LEFT_TO_ENGINES.values())


def test_time_created_is_the_events_own_to_100_ns(real):
    """In this log the record's header is some microseconds later than the event."""
    log = read_evtx(real["python-evtx/issue_43.evtx"])
    row = log[log["record_id"] == 516].iloc[0]
    assert row["time_created"] == pd.Timestamp(1508741897450628000, tz="UTC")


# --- what was written ----------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
NAMES = st.text(st.sampled_from("abcXYZ019"), min_size=1, max_size=8)
NUMBERS = st.one_of(
    st.integers(0, 2**8 - 1).map(writer.u8),
    st.integers(0, 2**16 - 1).map(writer.u16),
    st.integers(0, 2**32 - 1).map(writer.u32),
    st.integers(0, 2**64 - 1).map(writer.u64),
    st.integers(-(2**7), 2**7 - 1).map(writer.i8),
    st.integers(-(2**31), 2**31 - 1).map(writer.i32),
    st.integers(-(2**63), 2**63 - 1).map(writer.i64),
    st.integers(0, 2**32 - 1).map(writer.hex32),
    st.integers(0, 2**64 - 1).map(writer.hex64),
    st.floats(allow_nan=False).map(writer.real),
)
TIMES = st.integers(NOON - 10**15, NOON + 10**15)
OTHERS = st.one_of(
    TIMES.map(writer.filetime),
    TIMES.map(writer.systemtime),
    st.uuids().map(str).map(writer.guid),
    st.lists(st.integers(0, 2**32 - 1), max_size=8).map(
        lambda parts: writer.sid("-".join(["S-1-5", *map(str, parts)]))
    ),
    st.binary(max_size=80).map(writer.binary),
)
VALUES = st.one_of(WORDS, st.booleans(), st.none(), NUMBERS, OTHERS)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=7)
PAYLOADS = st.one_of(
    FIELDS,
    st.lists(WORDS, max_size=5),
    st.builds(UserData, root=NAMES, namespace=st.just("urn:x"), fields=FIELDS),
)


@st.composite
def events(draw):
    data = draw(PAYLOADS)
    binary = None if isinstance(data, UserData) else draw(st.none() | st.binary(max_size=20))
    return Event(
        provider=draw(st.sampled_from(["RasClient", "Prüfer", "Microsoft-Windows-X"])),
        event_id=draw(st.integers(0, 65535)),
        time=draw(TIMES),
        data=data,
        binary=binary,
        provider_guid=draw(st.sampled_from(["", GUID])),
        event_source_name=draw(st.sampled_from(["", "Old"])),
        qualifiers=draw(st.none() | st.integers(0, 65535)),
        version=draw(st.none() | st.integers(0, 255)),
        level=draw(st.integers(0, 5)),
        opcode=draw(st.none() | st.integers(0, 255)),
        keywords=draw(st.integers(0, 2**64 - 1)),
        process_id=draw(st.none() | st.integers(0, 2**32 - 1)),
        thread_id=draw(st.none() | st.integers(0, 2**32 - 1)),
        activity_id=draw(st.sampled_from(["", GUID])),
        user_sid=draw(st.sampled_from(["", "S-1-5-18"])),
        computer=draw(st.sampled_from(["", "PC02.example"])),
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(events(), min_size=1, max_size=12))
def test_columns_read_what_was_written(written):
    log = log_of(*written, first_record_id=7)
    block, got, table = by_columns(log)
    assert got.plain.all()
    assert len(got.odd) == 0
    chunks = [chunk_at(block, number) for number in range(block.chunks)]
    want = [naive_binxml.decode(c.data, record) for c in chunks for record in c.records]
    rows = rows_of(table)
    assert rows == want
    assert [[*row.data] for row in rows] == [[*row.data] for row in want]
    assert [row.record_id for row in rows] == list(range(7, 7 + len(written)))
    assert [row.event_id for row in rows] == [event.event_id for event in written]
    assert [row.host for row in rows] == [event.computer or "PC01" for event in written]
    assert [row.time_created for row in rows] == [
        (event.time - 116_444_736_000_000_000) * 100 for event in written
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(events(), min_size=1, max_size=8))
def test_all_engines_read_what_was_written_alike(written):
    log = log_of(*written)
    auto = read_evtx_bytes(log, name="a")
    assert auto.attrs["decoded"] == {"columns": len(written)}
    pd.testing.assert_frame_equal(auto, read_evtx_bytes(log, name="a", engine="python-evtx"))


# --- damage --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sound(real):
    """One sound chunk each of logs of several kinds, as a log of its own."""
    out = []
    for name in (
        "rust/system.evtx",
        "rust/sysmon.evtx",
        "python-evtx/security.evtx",
        "setup/Setup.evtx",
    ):
        if name in real:
            data = real[name].read_bytes()
            block, got, _ = by_columns(data)
            number = int(np.flatnonzero(got.plain)[-1])
            out.append(data[:4096] + block.chunk(number))
    assert len(out) >= 3
    return out


def mutated(data, seed):
    """Bytes spoilt inside the records of a log's only chunk; where, and the log resealed."""
    dice = random.Random(seed)  # noqa: S311  # damage, not secrets
    out = bytearray(data)
    (free,) = struct.unpack_from("<I", out, 4096 + 48)
    at = dice.randrange(4096 + 512, 4096 + free)
    size = min(dice.choice([1, 1, 2, 4, 8, 64]), 4096 + free - at)
    out[at : at + size] = dice.choice([bytes(size), dice.randbytes(size), b"\xff" * size])
    return resealed(out), at - 4096, at - 4096 + size


@pytest.mark.parametrize("seed", range(240))
def test_damage_under_fitting_checksums_costs_no_other_record(sound, seed):
    """Nothing crashes; each record is a row or is named; those that stand elsewhere are as before.

    A template that is damaged changes what stands in the records that use it, so only their
    being there is asked of them; records before the damage cannot use it.
    """
    data = sound[seed % len(sound)]
    spoilt, begin, end = mutated(data, seed)
    before, after = read_evtx_bytes(data, name="a"), read_evtx_bytes(spoilt, name="a")
    chunk = read_chunk(data[4096:], number=0)
    hit = [r.record_id for r in chunk.records if r.offset < end and begin < r.offset + r.size]
    walked = read_chunk(spoilt[4096:], number=0).records
    refused = after.attrs["problems"]["reason"].eq(REFUSED).sum()
    assert len(after) + refused == len(walked)
    named_ids = {r.record_id for r in walked}
    assert {r.record_id for r in chunk.records} - set(hit) <= named_ids
    earlier = [r.record_id for r in chunk.records if r.offset + r.size <= begin]
    kept = before[before["record_id"].isin(earlier)]
    again = after[after["record_id"].isin(earlier)].head(len(kept))
    pd.testing.assert_frame_equal(kept.reset_index(drop=True), again.reset_index(drop=True))


@pytest.mark.parametrize("keep", [4096 + 100, 4096 + 600, 4096 + 30_000, 4096 + CHUNK + 5000])
def test_a_cut_log_is_read_as_by_the_careful_way(keep):
    log = truncate(log_of(*(classic("x" * 300, str(n)) for n in range(400))), keep=keep)
    auto, rust = read_evtx_bytes(log, name="a"), read_evtx_bytes(log, name="a", engine="evtx")
    pd.testing.assert_frame_equal(auto, rust)
    pd.testing.assert_frame_equal(auto.attrs["problems"], rust.attrs["problems"])


def test_chunks_that_do_not_fit_their_checksums_are_read_by_the_engines():
    log = bytearray(log_of(*(classic("x" * 300, str(n)) for n in range(400))))
    log[4096 + CHUNK + 52] ^= 1
    got = read_evtx_bytes(bytes(log), name="a")
    assert len(got) == 400
    assert list(got["record_id"]) == list(range(1, 401))
    _, by, _ = by_columns(bytes(log))
    assert list(by.plain) == [True, False, *[True] * (len(by.plain) - 2)]
    assert got.attrs["decoded"]["columns"] == len(by.records)
    assert got.attrs["decoded"]["evtx"] == 400 - len(by.records)


# --- definitions ---------------------------------------------------------------------------


def test_a_template_of_the_same_guid_and_size_with_another_name_is_another_template():
    """The GUID is the same, only the name in the second chunk is not."""
    log = bytearray(log_of(*(named(alpha="x" * 400, beta=str(n)) for n in range(200))))
    second = 4096 + CHUNK
    at = log.index("alpha".encode("utf-16-le"), second)
    log[at : at + 10] = "gamma".encode("utf-16-le")
    got = read_evtx_bytes(resealed(log), name="a")
    assert got.attrs["decoded"] == {"columns": 200}
    names = got["data"].map(lambda data: next(iter(data)))
    _, by, _ = by_columns(bytes(resealed(log)))
    assert list(names) == ["gamma" if c == 1 else "alpha" for c in by.records.chunk.tolist()]


def test_computers_named_in_templates_need_no_recipe_of_their_own():
    """Each computer has its own outer template; all share the way their payload is made."""
    memory = columns.Memory()
    for number in range(30):
        log = log_of(classic("a"), named(b="c"), computer=f"PC{number:03}")
        (block,) = blocks([(0, io.BytesIO(log[4096:]))], size=1)
        table = frame([columns.decode(block, memory).rows])
        assert list(table["host"]) == [f"PC{number:03}"] * 2
    assert len(memory.definitions.templates) > 60
    assert len(memory.recipes._made) == 2


def test_a_definition_that_is_met_in_many_forms_is_still_read():
    """More forms of one GUID and size than are remembered."""
    logs = []
    for number in range(40):
        log = bytearray(log_of(named(field000="x")))
        at = log.index("field000".encode("utf-16-le"))
        log[at : at + 16] = f"field{number:03}".encode("utf-16-le")
        logs.append(resealed(log)[4096:])
    got = read_evtx_bytes(log_of()[:4096] + b"".join(logs), name="a")
    assert [[*data] for data in got["data"]] == [[f"field{number:03}"] for number in range(40)]
    assert got.attrs["decoded"] == {"columns": 40}


# --- equal values --------------------------------------------------------------------------


def test_distinct_tells_values_apart_whose_mixed_numbers_are_equal():
    """Two rows of two words whose weighted sums are the same, made for the purpose."""
    weights = [int(w) for w in distinct.__globals__["_WEIGHTS"][:2]]
    factor = weights[1] * pow(weights[0], -1, 2**64) % 2**64
    one = [5, 7]
    two = [(5 + factor) % 2**64, 6]
    assert (
        sum(map(int.__mul__, one, weights)) % 2**64 == sum(map(int.__mul__, two, weights)) % 2**64
    )
    raw = b"".join(struct.pack("<2Q", *words) for words in (one, two, one, two))
    block = blocks_.Block(bytearray(raw.ljust(2048, b"\0")), ())
    values = Values(np.arange(4) * 16, np.full(4, 16), np.full(4, 1))
    codes, firsts = distinct(block, values)
    assert list(codes) == [0, 1, 0, 1]
    assert list(firsts) == [0, 1]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.binary(max_size=30) | st.binary(min_size=500, max_size=600), st.integers(0, 3))
    )
)
def test_distinct_gives_equal_values_the_same_code(pairs):
    starts = np.cumsum([0, *(len(raw) for raw, _ in pairs)])[:-1].astype(np.int64)
    block = blocks_.Block(bytearray(b"".join(raw for raw, _ in pairs) + bytes(1024)), ())
    sizes = np.array([len(raw) for raw, _ in pairs], np.int64)
    codes, firsts = distinct(
        block, Values(starts, sizes, np.array([k for _, k in pairs], np.int64))
    )
    naive: dict = {}
    assert list(codes) == [naive.setdefault(pair, len(naive)) for pair in pairs]
    assert [pairs[first] for first in firsts] == [*naive]


# --- blocks, many files, asking for some ------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, BLOCK_CHUNKS])
def test_the_size_of_blocks_changes_nothing(real, size, monkeypatch):
    path = real["rust/2-vss_7-System.evtx"]
    whole = read_evtx(path)
    monkeypatch.setattr("kitlib.readers.evtx.BLOCK_CHUNKS", size)
    pd.testing.assert_frame_equal(read_evtx(path), whole)


def test_the_parts_of_a_file_are_the_whole(real, monkeypatch):
    monkeypatch.setattr("kitlib.readers.evtx.BLOCK_CHUNKS", 3)
    for name in ("rust/sample_with_a_bad_chunk_magic.evtx", "rust/system.evtx"):
        whole = read_evtx(real[name])
        with real[name].open("rb") as stream:
            parts = list(read_evtx_parts(stream, name=str(real[name])))
        assert len(parts) > 5
        assert parts[-1].empty
        pd.testing.assert_frame_equal(schema.concat("events", parts), whole)
        problems = schema.concat("problems", [part.attrs["problems"] for part in parts])
        want = whole.attrs["problems"]
        assert sorted(map(str, problems.to_numpy())) == sorted(map(str, want.to_numpy()))
        assert parts[-1].attrs["decoded"] == whole.attrs["decoded"]


def test_many_files_give_what_each_gives(real, tmp_path):
    (tmp_path / "no.evtx").write_bytes(b"Node,HotFixID\r\n")
    (tmp_path / "empty.evtx").write_bytes(b"")
    (tmp_path / "head.evtx").write_bytes(log_of()[:4096])
    odd = [tmp_path / "no.evtx", tmp_path / "gone.evtx", tmp_path / "empty.evtx"]
    paths = [*real.values(), *odd, tmp_path / "head.evtx", real["setup/Setup.evtx"]]
    tables = list(read_evtx_many(paths))
    assert len(tables) == len(paths)
    for path, table in zip(paths, tables, strict=True):
        if path in odd:
            assert table.empty
            assert len(table.attrs["problems"]) == 1
        else:
            alone = read_evtx(path)
            pd.testing.assert_frame_equal(table, alone)
            pd.testing.assert_frame_equal(table.attrs["problems"], alone.attrs["problems"])
            assert table.attrs["decoded"] == alone.attrs["decoded"]
    reasons = [table.attrs["problems"]["reason"].iloc[0] for table in tables[-5:-2]]
    assert "not a Windows event log" in reasons[0]
    assert "cannot be read" in reasons[1]
    assert "empty" in reasons[2]


ASKED = [
    [(None, "User32", None)],
    [(None, "user32", 1074), ("System", "EventLog", 6005)],
    [(None, "Nobody", None)],
    [],
    [(None, "Microsoft-Windows-Kernel-General", 12), (None, None, 6005)],
    [("System", None, None)],
]


@pytest.mark.parametrize("asked", ASKED)
def test_asking_for_some_events_gives_those_of_the_whole(real, asked):
    for name in ("rust/2-vss_7-System.evtx", "plaso/System.evtx", "rust/system.evtx"):
        whole = read_evtx(real[name])
        wanted = Wanted(asked)
        mask = [
            wanted({"channel": c, "provider": p, "event_id": None if pd.isna(i) else i})
            for c, p, i in zip(whole["channel"], whole["provider"], whole["event_id"], strict=True)
        ]
        got = read_evtx(real[name], events=asked)
        pd.testing.assert_frame_equal(got, whole[mask].reset_index(drop=True))
        pd.testing.assert_frame_equal(got.attrs["problems"], whole.attrs["problems"])


def test_a_search_finds_each_chunk_with_a_provider_whatever_its_case(real):
    (block,) = blocks([(0, io.BytesIO(real["rust/2-vss_7-System.evtx"].read_bytes()[4096:]))])
    table = read_evtx(real["rust/2-vss_7-System.evtx"])
    found = searching.search(Wanted([(None, "uSER32", None)])).holders(block)
    records, plain = plain_records(block)
    ids = set(table.loc[table["provider"].str.lower() == "user32", "record_id"])
    having = {
        c for c, i in zip(records.chunk.tolist(), records.number.tolist(), strict=True) if i in ids
    }
    assert having <= set(np.flatnonzero(found).tolist())
    assert found.sum() < plain.sum()


def test_a_search_is_not_made_for_many_names_or_for_any_and_stops_where_it_does_not_pay():
    assert searching.search(None) is None
    assert searching.search(Wanted([(None, None, 1)])) is None
    assert searching.search(Wanted([(None, name, 1) for name in "abcd"])) is None
    assert searching.search(Wanted([(None, "Prüfer", 1)])) is None
    log = log_of(*(classic("x" * 3000) for _ in range(2000)))
    (block,) = blocks([(0, io.BytesIO(log[4096:]))], size=1024)
    search = searching.search(Wanted([(None, "RasClient", None)]))
    assert search.holders(block).all()
    assert block.chunks > searching.TRIAL_CHUNKS
    assert search.holders(block) is None


def test_without_payload_the_other_columns_are_the_same(real):
    for name in (
        "rust/E_Windows_system32_winevt_logs_Microsoft-Windows-CAPI2%4Operational.evtx",
        "rust/sysmon.evtx",
    ):
        whole, bare = read_evtx(real[name]), read_evtx(real[name], payload=False)
        assert bare["data"].isna().all()
        pd.testing.assert_frame_equal(bare.drop(columns="data"), whole.drop(columns="data"))


def test_a_stream_that_cannot_seek_is_read():
    class Pipe(io.BufferedReader):
        def seekable(self):
            return False

    log = log_of(*(classic("x" * 300) for _ in range(300)))
    got = read_evtx_stream(Pipe(io.BytesIO(log)), name="a")
    pd.testing.assert_frame_equal(got, read_evtx_bytes(log, name="a"))
