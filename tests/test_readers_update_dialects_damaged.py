"""Update histories that are wrong, damaged or hostile."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from update_dialect_samples import (
    AFTER,
    BEFORE,
    BERLIN,
    CHANGED,
    CLIXML,
    ENTRY,
    GUID,
    HEADING,
    NOT_THEIRS,
    PATCH,
    ROLLUP,
    TITLE,
    VIEW,
    WU,
    block,
    change,
    clixml,
    event,
    info,
    ps51,
    utc,
    wu,
)

import kitlib as kit
from kitlib import readers, schema
from kitlib.readers import dates, remarks
from kitlib.readers.updates.update_dialects import UPDATE_READERS

SEEDS = {
    "osquery_update_history": json.dumps([ENTRY, ENTRY]).encode(),
    "osquery_patches": json.dumps([PATCH, PATCH]).encode(),
    "get_hotfix_json": json.dumps([ps51(BERLIN), ps51("2022-01-12T00:00:00")]).encode(),
    "get_hotfix_clixml": CLIXML.format(clixml() + clixml()).encode(),
    "reporting_events": (event() + event()).encode("utf-16"),
    "cbs_log": (BEFORE + CHANGED + AFTER).encode(),
    "windowsupdate_log": b"2022/01/12 04:15:41.1234567 1234  5678  Agent  LogHistory called. "
    b"idUpdate={3f2504e0-4f89-11d3-9a0c-0305e82c3301}.1, resultMapped=0, resultUnMapped=0\r\n",
    "windowsupdate_log_old": b"2022-01-12\t04:15:41:123\t 952\t5b4\tReport\tREPORT EVENT: "
    + event("183").encode(),
    "pswindowsupdate_text": b"ComputerName OperationName Result     Date                Title\r\n"
    b"------------ ------------- ------     ----                -----\r\n"
    b"WS0001       Installation  Succeeded  13.01.2022 04:15:41 Update (KB5009543)\r\n",
    "pswindowsupdate_json": json.dumps(
        [
            {
                "OperationName": "Installation",
                "Date": "/Date(1)/",
                "Title": "",
                "Result": "",
                "KB": "",
            }
        ]
    ).encode(),
    "pswindowsupdate_clixml": b'<Objs><Obj RefId="0"><MS><S N="OperationName">Installation</S>'
    b'<S N="Result">Failed</S><S N="KB">KB5009543</S></MS></Obj></Objs>',
    "pswindowsupdate": (WU + wu("13.01.2022 04:15:41")).encode(),
    "winupdatesview": (
        VIEW + f"{TITLE},1/13/2022 4:15,Installation,Failed,{GUID},,,,\r\n"
    ).encode(),
    "systeminfo": info("KB5009543", "KB5010793").encode("utf-16"),
    "dism_packages": (HEADING + block() + block()).encode(),
}


def test_dialects_are_each_known_by_one_reader_only():
    assert set(SEEDS) <= {reader.kind for reader in UPDATE_READERS}
    for kind, data in SEEDS.items():
        found = readers.claims(data)
        # osquery's history has the keys of COM's and is asked first
        assert found[0] == kind
        assert set(found[1:]) <= {"com_history_json"}, kind


# Hives, databases and column maps have tests of their own; of the former, what is none is refused.
SEEDED = [reader for reader in UPDATE_READERS if reader.kind in SEEDS]


@pytest.mark.parametrize("reader", SEEDED, ids=lambda reader: reader.kind)
@pytest.mark.parametrize("data", NOT_THEIRS)
def test_dialects_account_for_bytes_that_are_not_theirs(reader, data):
    assert not reader.sniff(data)
    got = reader.read(data)
    assert got.updates.empty
    assert len(got.problems) >= 1


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(sorted(SEEDS)),
    at=st.integers(0, 900),
    junk=st.binary(max_size=12),
    cut=st.booleans(),
)
def test_dialects_never_raise_on_damaged_files(kind, at, junk, cut):
    seed = SEEDS[kind]
    damaged = seed[:at] + junk + (b"" if cut else seed[at + len(junk) :])
    readers.sniff(damaged)
    got = next(reader for reader in UPDATE_READERS if reader.kind == kind).read(damaged)
    schema.check("updates", got.updates)
    schema.check("problems", got.problems)
    known = got.updates.dropna(subset=["date_low"])
    assert (known["date_low"] <= known["date_high"]).all()
    assert (known["date_low"] > utc("1980-01-01")).all()


LONG = 10_000_000
HOSTILE = {
    "one letter": b"a" * LONG,
    "blanks": b" " * LONG,
    "colons": b": " * (LONG // 2),
    "separators": b"title,update id,date\n" + b"," * LONG,
    "open quote": b'title,update id,date\n"' + b"x" * LONG,
    "braces": b"{" * LONG,
    "long number": b'{"hotfix_id": ' + b"9" * LONG,
    "deep clixml": CLIXML[:30].encode() + b'<Obj RefId="0"><S N="HotFixID">' * (LONG // 30),
    "wide clixml": b"<Objs >" + b"<Obj RefId='0'>" * 59 + b'<S N="HotFixID">KB</S>' * (LONG // 22),
    "open types": b"<Objs ><!DOCTYPE a [" + b"<!ENTITY a 'b'>" * (LONG // 15),
    "package": f"Package Identity{' ' * LONG}: {ROLLUP}".encode(),
    "states": change("2022-01-12 04:15:41").encode().partition(b"Installed")[0]
    + b"a " * (LONG // 2),
    "hotfix": info(f"KB5009543 {'9' * LONG}").encode(),
    "fields": event().encode().rstrip() + b"\t" * LONG + b"x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_dialects_read_ten_megabytes_on_one_line_in_bounded_time(name):
    data = HOSTILE[name]
    start = time.process_time()
    for reader in UPDATE_READERS:
        reader.sniff(data[: readers.HEAD_BYTES])
    assert time.process_time() - start < 5
    reader = readers.reader_for(data[: readers.HEAD_BYTES])
    got = reader.read(data) if reader in UPDATE_READERS else None
    assert time.process_time() - start < 60
    assert got is None or len(got.problems) >= 1


def test_evidence_is_read_on_past_json_nested_without_end(tmp_path):
    (tmp_path / "deep.json").write_bytes(b'{"hotfixid":' * (LONG // 12))
    (tmp_path / "good.json").write_bytes(SEEDS["get_hotfix_json"])
    got = kit.read_evidence(tmp_path)
    assert list(got.updates["kb"]) == ["KB5009543", "KB5009543"]
    assert (
        got.problems.loc[got.problems["path"] == "deep.json", "reason"]
        .str.contains("nested too deep")
        .any()
    )


def test_wall_refuses_what_no_clock_shows():
    assert dates.wall([2022, 1, 12, 4, 15, 41]) == datetime(2022, 1, 12, 4, 15, 41, tzinfo=UTC)
    assert dates.wall([2022, 2, 30, 4, 15, 41]) is None
    assert dates.wall([2022, 1, 12, 24, 15, 41]) is None


def test_remarks_of_a_million_lines_stay_few():
    found = remarks.Remarks()
    for number in range(5000):
        found.append({"place": f"line {number}", "reason": "cut", "records_lost": 1})
        found.append({"place": f"line {number}", "reason": f"value {number}", "records_lost": 0})
    found.append({"reason": "cut"})
    assert len(found) == remarks.MOST + 1
    assert found[0] == {"place": "line 0 and 5000 more", "reason": "cut", "records_lost": None}
    assert found[-1]["place"].startswith("line 199 and ")
