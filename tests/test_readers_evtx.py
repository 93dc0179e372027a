"""`read_evtx` reads the events it is asked for into a table like any other, or refuses the call."""

from __future__ import annotations

import hashlib
import pickle

import pandas as pd
import pytest
from evtx_logs import log_of
from evtx_reads import WUC, many, read

from kitlib import readers, schema
from kitlib.errors import FormatError, UsageError
from kitlib.readers import evtx
from kitlib.readers.evtx import read_evtx
from kitlib.simulate.evtx import break_chunk

# --- asking for some events only --------------------------------------------------------------


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


# --- what it is given -------------------------------------------------------------------------


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


def test_read_evtx_of_an_empty_log_has_no_rows_and_no_problem():
    got = read(log_of())
    assert got.empty
    assert got.attrs["problems"].empty


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


# --- as a table among others ------------------------------------------------------------------


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
