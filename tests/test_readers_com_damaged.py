"""Forms of COM's update history that are wrong, damaged or hostile."""

from __future__ import annotations

import time

import pytest
from com_history_samples import CLIXML, LAST_FORMS, ODC, SAMPLES, TSS, US, as_list, entry
from hypothesis import given, settings
from hypothesis import strategies as st
from update_dialect_samples import NOT_THEIRS, utc

from kitlib import readers, schema
from kitlib.readers.updates.com_dialects import READERS


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.kind)
@pytest.mark.parametrize("data", NOT_THEIRS)
def test_readers_account_for_bytes_that_are_not_theirs(reader, data):
    assert not reader.sniff(data)
    got = reader.read(data)
    assert got.updates.empty
    assert len(got.problems) >= 1


DAMAGED = {name: sample.data for name, sample in SAMPLES.items()} | LAST_FORMS


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(sorted(DAMAGED)),
    at=st.integers(0, 2500),
    junk=st.text(max_size=8),
    cut=st.booleans(),
)
def test_readers_never_raise_on_damaged_files(name, at, junk, cut):
    seed = DAMAGED[name]
    damaged = (seed[:at] + junk + ("" if cut else seed[at + len(junk) :])).encode(
        "utf-8", "replace"
    )
    readers.sniff(damaged)
    for reader in READERS:
        got = reader.read(damaged)
        schema.check("updates", got.updates)
        schema.check("problems", got.problems)
        known = got.updates.dropna(subset=["date_low"])
        assert (known["date_low"] <= known["date_high"]).all()
        assert (known["date_low"] > utc("1980-01-01")).all()


BIG = 2_000_000
HOSTILE_FILES = {
    "open quote": 'title,date,resultcode\n"' + "x" * BIG,
    "separators": "title,date,resultcode\n" + "," * BIG,
    "open clixml": CLIXML[:90]
    + '\n  <Obj RefId="0"><I32 N="ResultCode"><S N="Operation">' * (BIG // 53),
    "flat clixml": CLIXML[:90]
    + '<Obj RefId="0"><I32 N="ResultCode"><S N="Operation">' * (BIG // 50),
    "wide clixml": CLIXML[:90]
    + "<Obj RefId='0'>" * 59
    + '<S N="ResultCode">1</S><S N="Operation">1</S>' * (BIG // 45),
    "long title": as_list([entry(US)]) + "Title               : a\n" + f"{'':22}b\n" * (BIG // 24),
    "many commas": TSS + "Install,,,," * (BIG // 11),
    "many tabs": ODC + "2022/01/12 03:15 UTC " + "\t" * BIG,
    "many dashes": ODC + "2022/01/12 03:15 UTC " + " - " * (BIG // 3),
    "deep json": '{"LastInstallationSuccessDate":' * (BIG // 31),
    "many dates": LAST_FORMS["table"] + "1/1/22 " * (BIG // 7),
}


@pytest.mark.parametrize("name", HOSTILE_FILES)
def test_readers_read_megabytes_on_one_line_in_bounded_time(name):
    data = HOSTILE_FILES[name].encode()
    start = time.process_time()
    reader = next(one for one in READERS if one.sniff(data[: readers.HEAD_BYTES]))
    assert len(reader.read(data).problems) >= 1
    assert time.process_time() - start < 15
