"""Readers of update histories take their own files alone, and never fail on what they cannot read."""

from __future__ import annotations

import json

import pytest
from com_history_samples import ours, powershell
from hypothesis import given, settings
from hypothesis import strategies as st
from update_dialect_samples import CSV, WMIC_CSV, table

import kitlib as kit
from kitlib import readers, schema
from kitlib.errors import FormatError, UsageError
from kitlib.readers.updates import com_history, hotfix, wmic


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\0" * 512, b'{"a": 1}', b"a,b\n1,2", bytes(range(256)) * 8]
)
def test_sniff_is_empty_for_what_the_kit_does_not_read(data):
    assert not readers.sniff(data)


def test_readers_stay_alone_on_their_own_format():
    heads = {
        "com_history_json": json.dumps([powershell()]).encode(),
        "get_hotfix": CSV.encode(),
        "wmic_qfe": WMIC_CSV.encode(),
        "evtx": b"ElfFile\0" + bytes(120),
    }
    for kind, head in heads.items():
        assert readers.claims(head) == (kind,)


def test_read_updates_fills_path_and_host_and_keeps_the_problems(tmp_path):
    file = tmp_path / "history.json"
    file.write_bytes(json.dumps([powershell(), ours()]).encode())
    got = kit.read_updates(file, host="WS0005")
    schema.check("updates", got)
    assert list(got["host"]) == ["WS0005", "WS0001"]
    assert set(got["path"]) == {"history.json"}
    assert set(got.attrs["problems"]["path"]) == {"history.json"}


def test_read_updates_refuses_what_is_no_update_history(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match="not an update history"):
        kit.read_updates(file)
    with pytest.raises(UsageError, match="there is no file"):
        kit.read_updates(tmp_path / "none.csv")


@pytest.mark.parametrize("read", [com_history.read, hotfix.read, wmic.read])
@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{" * 50, b'[{"a":1}', bytes(range(256))])
def test_readers_account_for_bytes_that_are_not_theirs(read, data):
    got = read(data)
    assert got.updates.empty
    assert len(got.problems) >= 1


SEEDS = [
    json.dumps([powershell(), ours()]).encode("utf-16"),
    CSV.encode(),
    WMIC_CSV.encode("utf-16"),
    table(("", "W", "KB5009543", "a", "1/2/2022")).encode(),
]


@settings(max_examples=150, deadline=None)
@given(seed=st.sampled_from(SEEDS), at=st.integers(0, 400), junk=st.binary(max_size=8))
def test_readers_never_raise_on_damaged_dumps(seed, at, junk):
    damaged = seed[:at] + junk + seed[at + len(junk) :]
    for read in (com_history.read, hotfix.read, wmic.read):
        got = read(damaged)
        schema.check("updates", got.updates)
        schema.check("problems", got.problems)
        assert (
            got.updates["date_low"].isna() | (got.updates["date_low"] <= got.updates["date_high"])
        ).all()
