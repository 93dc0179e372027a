"""Whatever is broken in a log, the reader reads the rest and counts what is lost, and where."""

from __future__ import annotations

import random
import struct

import pytest
from evtx_reads import REFUSED, chunks_in, losses, many, read, real_logs

from kitlib import schema
from kitlib.readers.chunks import read_chunk
from kitlib.simulate.evtx import break_chunk, break_record, truncate

# --- where records end ------------------------------------------------------------------------


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


def test_read_evtx_takes_no_offence_at_unused_chunks():
    got = read(many() + bytes(3 * 65536))
    assert len(got) == 400
    assert got.attrs["problems"].empty


# --- what is lost -----------------------------------------------------------------------------


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


@pytest.mark.parametrize("size", [8, 100, 4096])
def test_read_evtx_of_a_header_alone_has_no_rows_and_says_so(size):
    got = read(many(1)[:size])
    schema.check("events", got)
    assert got.empty
    assert "before its first chunk" in got.attrs["problems"]["reason"][0]


def test_read_evtx_reads_chunks_behind_a_broken_file_header():
    log = many(100)
    got = read(b"\0" * 4096 + log[4096:])
    assert len(got) == 100
    assert "file header is damaged" in got.attrs["problems"]["reason"][0]


# --- any damage -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def real(shared):
    return real_logs(shared)


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
