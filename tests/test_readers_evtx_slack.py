"""What a log no longer counts is read when asked for, flagged, and never mixed with the log."""

from __future__ import annotations

import struct

import pandas as pd
import pytest
from evtx_logs import NOON, classic, log_of, named, resealed

from kitlib.errors import UsageError
from kitlib.readers.chunks import CHUNK, read_chunk
from kitlib.readers.evtx import read_evtx, read_evtx_bytes
from kitlib.readers.evtx_slack import recover_evtx
from kitlib.simulate.evtx import Event


def counted_down(log, kept):
    """A log whose only chunk counts but its first records, as a filtered copy has it."""
    out = bytearray(log)
    last = read_chunk(log[4096:], number=0).records[kept - 1]
    for at in (16, 32):
        struct.pack_into("<Q", out, 4096 + at, last.record_id)
    struct.pack_into("<II", out, 4096 + 44, last.offset, last.offset + last.size)
    return resealed(out)


def written_over(older, newer):
    """A chunk of newer records in which the rest of an older one's is still there."""
    (free,) = struct.unpack_from("<I", newer, 4096 + 48)
    return newer[: 4096 + free] + older[4096 + free :]


def kept_in(tmp_path, data):
    path = tmp_path / "a.evtx"
    path.write_bytes(data)
    return path


def test_records_behind_the_end_are_recovered_and_flagged(tmp_path):
    whole = log_of(*(classic("x" * 50, str(n)) for n in range(100)))
    path = kept_in(tmp_path, counted_down(whole, 40))
    log, slack = read_evtx(path), recover_evtx(path)
    assert list(log["record_id"]) == list(range(1, 41))
    assert log.attrs["problems"].empty
    assert slack["recovered"].all()
    assert not slack["borrowed"].any()
    want = read_evtx_bytes(whole, name=str(path)).iloc[40:].reset_index(drop=True)
    pd.testing.assert_frame_equal(slack[log.columns], want)
    assert slack.attrs["unread"] == 0


def test_what_the_log_has_itself_is_not_recovered(tmp_path):
    whole = log_of(*(classic("x" * 50, str(n)) for n in range(100)))
    copy = counted_down(whole, 40) + whole[4096:]
    slack = recover_evtx(kept_in(tmp_path, copy))
    assert slack.empty
    assert slack.attrs["unread"] == 0


def older_and_newer():
    older = log_of(*(classic("x" * 50, str(n)) for n in range(100)), first_record_id=1)
    newer = log_of(*(named(value=str(n)) for n in range(10)), first_record_id=500)
    return older, newer


def test_a_record_whose_template_is_overwritten_borrows_one(tmp_path):
    older, newer = older_and_newer()
    other = log_of(classic("y", computer="PC02"), first_record_id=900)
    mixed = written_over(older, newer)
    slack = recover_evtx(kept_in(tmp_path, mixed + other[4096:]))
    assert slack.empty  # the other one's template has another computer, and another id
    other = log_of(classic("y"), first_record_id=900)
    slack = recover_evtx(kept_in(tmp_path, mixed + other[4096:]))
    assert slack["borrowed"].all()
    assert list(slack["record_id"]) == list(range(101 - len(slack), 101))
    assert [data["Data"][1] for data in slack["data"]] == [str(i - 1) for i in slack["record_id"]]


def test_a_record_that_finds_no_template_is_counted(tmp_path):
    slack = recover_evtx(kept_in(tmp_path, written_over(*older_and_newer())))
    assert slack.empty
    assert slack.attrs["unread"] > 50


def test_a_chunk_that_lost_its_mark_is_recovered(tmp_path):
    log = bytearray(log_of(*(classic("x" * 3000, str(n)) for n in range(30))))
    log[4096 + CHUNK : 4096 + CHUNK + 8] = bytes(8)
    path = kept_in(tmp_path, bytes(log))
    both = pd.concat([read_evtx(path), recover_evtx(path)])
    assert sorted(both["record_id"]) == list(range(1, 31))


def test_values_that_only_look_like_records_are_none(tmp_path):
    event = Event(provider="P", event_id=1, time=NOON, data=["**"], binary=b"\x2a\x2a\0\0" * 40)
    slack = recover_evtx(kept_in(tmp_path, counted_down(log_of(event, event, event), 1)))
    assert list(slack["record_id"]) == [2, 3]


def test_recover_evtx_refuses_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="no file"):
        recover_evtx(tmp_path / "a.evtx")


def test_real_slack_is_apart_from_the_log(shared):
    path = shared / "evtx/rust/2-vss_7-System.evtx"
    slack, log = recover_evtx(path), read_evtx(path)
    assert len(slack) == 25
    keys = ["record_id", "time_created"]
    assert log.merge(slack, on=keys).empty
