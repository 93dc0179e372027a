"""What is known of real logs is found in them, and each of their records is a row or a named loss."""

from __future__ import annotations

import struct
import warnings
from collections import Counter

import pandas as pd
import pytest
from evtx import PyEvtxParser
from evtx_reads import REFUSED, chunks_of, losses, real_logs

from kitlib import schema
from kitlib.readers.evtx import read_evtx


@pytest.fixture(scope="session")
def real(shared):
    return real_logs(shared)


@pytest.fixture(scope="session")
def real_frames(real):
    return {name: read_evtx(path) for name, path in real.items()}


# --- what stands in them ----------------------------------------------------------------------


def test_read_evtx_finds_the_build_and_revision_of_each_boot(real_frames):
    log = real_frames["rust/2-vss_7-System.evtx"]
    boots = log[(log["provider"] == "Microsoft-Windows-Kernel-General") & (log["event_id"] == 12)]
    revisions = [(d["BuildVersion"], d["QfeVersion"]) for d in boots["data"]]
    assert set(revisions) == {("17134", "137"), ("17134", "165")}
    changed = boots["time_created"].iloc[revisions.index(("17134", "165"))]
    assert changed.floor("s") == pd.Timestamp("2018-07-12T00:41:50Z")


def test_read_evtx_reads_the_setup_log(real_frames):
    log = real_frames["setup/Setup.evtx"]
    assert len(log) == 15
    states = log.loc[log["event_id"] == 2, "data"]
    assert set(states.str["UserData"]) == {"CbsPackageChangeState"}
    assert states.iloc[0]["PackageIdentifier"] == "KB777778"


def test_payload_keeps_the_name_of_the_event_data_itself(real_frames):
    system = real_frames["plaso/System.evtx"].set_index("record_id")
    assert system.loc[377, "data"] == {"@Name": "Started Listening"}


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


# --- what is lost of them ---------------------------------------------------------------------


def test_read_evtx_ignores_the_stale_chunk_count_of_a_dirty_log(real_frames):
    log = real_frames["rust/system.evtx"]
    assert len(log) == 1881
    assert log.attrs["problems"].empty


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


# --- every record -----------------------------------------------------------------------------


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
