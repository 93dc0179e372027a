"""`DataStore.edb`: the update agent's own history, from databases that two other readers read alike."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import time
import uuid

import make_ese
import pandas as pd
import pyesedb
import pytest
from dissect.database.ese import ESE
from dissect.util.compression import lzxpress
from hypothesis import given, settings
from hypothesis import strategies as st
from make_ese import CLEAN, DATE, DIRTY, LONG, LONG_TEXT, TEXT, Apart, Packed, Table
from update_dialect_samples import TITLE, installed, utc

from kitlib import readers, schema
from kitlib.errors import FormatError
from kitlib.readers.updates import datastore, ese, inflate

UPDATE = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
COLUMNS = [
    ("IdEvent", 1, LONG, 0),
    ("Status", 2, LONG, 0),
    ("ServerSelection", 3, LONG, 0),
    ("MappedResult", 4, LONG, 0),
    ("UnmappedResult", 5, LONG, 0),
    ("UpdateId", 6, make_ese.BINARY, 20),
    ("ServerId", 7, make_ese.BINARY, 16),
    ("Date", 8, DATE, 0),
    ("Flags", 9, LONG, 0),
    ("Language", 128, TEXT, 0),
    ("ClientId", 256, LONG_TEXT, 0),
    ("Title", 257, LONG_TEXT, 0),
    ("Description", 258, LONG_TEXT, 0),
]
NOON = 44573.5  # 2022-01-12T12:00:00Z
PAGE_SIZES = (4096, 8192, 16384, 32768)


def entry(number=1, **more):
    return {
        "IdEvent": number,
        "Status": 1,
        "MappedResult": 0,
        "UnmappedResult": 0,
        "UpdateId": uuid.UUID(UPDATE).bytes_le + struct.pack("<I", 200),
        "Date": NOON,
        "ClientId": "UpdateOrchestrator",
        "Title": TITLE,
        "Description": "words",
        "Language": "en",
    } | more


def database(rows, *, columns=COLUMNS, name="tbHistory", table=None, **options):
    return make_ese.write([Table(name, columns, rows, **(table or {}))], **options)


def only(parsed):
    (row,) = parsed.updates.to_dict("records")
    return row


def reasons(parsed):
    return " | ".join(parsed.problems["reason"])


# ------------------------------------------------------------------ the history


def test_entry_becomes_a_whole_row_of_the_table():
    data = database([entry()])
    assert readers.sniff(data[:65536]) == datastore.KIND
    parsed = datastore.read(data)
    expected = installed(
        utc("2022-01-12T12:00:00"),
        "utc",
        title=TITLE,
        kb="KB5009543",
        update_id=UPDATE,
        client_application_id="UpdateOrchestrator",
        source_kind="datastore_edb",
    )
    pd.testing.assert_frame_equal(parsed.updates, expected)
    assert parsed.problems.empty


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (1, 0, ("install", "succeeded", "0x00000000", "")),
        (1, 0x00240005, ("install", "succeeded", "0x00240005", "")),
        (1, 0x00240003, ("install", "succeeded_with_errors", "0x00240003", "")),
        (1, 0x8024200D, ("install", "failed", "0x8024200d", "")),
        (2, 0x800F0922, ("install", "failed", "0x800f0922", "")),
        (2, 0, ("", "", "0x00000000", "status 2 with this code")),
        (7, 0, ("", "", "0x00000000", "status 7 with this code")),
        (None, 0, ("", "", "0x00000000", "status is missing")),
        (1, None, ("install", "", "", "status 1 without a code")),
    ],
)
def test_outcome_is_what_both_readings_of_the_status_allow(status, code, expected):
    parsed = datastore.read(
        database([entry(Status=status, MappedResult=code, UnmappedResult=code)])
    )
    row = only(parsed)
    assert (row["operation"], row["result_code"], row["hresult"]) == expected[:3]
    assert expected[3] in reasons(parsed)
    assert parsed.problems.empty == (not expected[3])


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (44573.5, "2022-01-12T12:00:00"),
        (44573 + 65741.123 / 86400, "2022-01-12T18:15:41.123"),
        (32874.0, "1990-01-01"),
    ],
)
def test_date_is_days_since_1899_in_utc(date, expected):
    row = only(datastore.read(database([entry(Date=date)])))
    assert row["date"] == row["date_low"] == row["date_high"] == utc(expected)


@pytest.mark.parametrize(
    "date", [None, 0.0, -1.0, 1e300, float("nan"), float("inf"), 32873.9, 73416.0]
)
def test_date_that_is_none_is_unknown_and_said(date):
    parsed = datastore.read(database([entry(Date=date)]))
    assert pd.isna(only(parsed)["date_low"])
    assert "its date is missing or none: taken as unknown" in reasons(parsed)


@pytest.mark.parametrize("update_id", [None, bytes(20), b"short"])
def test_update_id_that_is_none_is_empty(update_id):
    columns = [c for c in COLUMNS if c[0] != "UpdateId"] + [("UpdateId", 129, make_ese.BINARY, 0)]
    columns = sorted(columns, key=lambda column: column[1])
    parsed = datastore.read(database([entry(UpdateId=update_id)], columns=columns))
    assert only(parsed)["update_id"] == ""


def test_columns_are_known_by_name_whatever_their_order_and_case():
    columns = [
        ("DATE", 1, DATE, 0),
        ("mappedresult", 2, LONG, 0),
        ("Status", 3, LONG, 0),
        ("NewInSomeVersion", 4, LONG, 0),
        ("Title", 256, LONG_TEXT, 0),
    ]
    row = {"DATE": NOON, "mappedresult": 0, "Status": 1, "Title": TITLE, "NewInSomeVersion": 5}
    parsed = datastore.read(database([row], columns=columns, name="TBHISTORY"))
    assert only(parsed)["kb"] == "KB5009543"
    assert only(parsed)["date"] == utc("2022-01-12T12:00:00")
    assert parsed.problems["reason"].tolist() == [
        "tbHistory has no column UnmappedResult, UpdateId, ClientId: what they say is left open"
    ]
    assert parsed.problems["records_lost"].tolist() == [0]


def test_database_that_was_not_shut_down_cleanly_is_read_and_says_so():
    parsed = datastore.read(database([entry()], state=DIRTY))
    assert len(parsed.updates) == 1
    assert "was not shut down cleanly" in reasons(parsed)
    assert parsed.problems["records_lost"].tolist() == [0]


def test_database_of_another_program_says_so_and_loses_nothing():
    data = database([{"Name": "x"}], columns=[("Name", 128, TEXT, 0)], name="SruDbIdMapTable")
    parsed = datastore.read(data)
    assert parsed.records == 0
    assert parsed.problems[["reason", "records_lost"]].to_numpy().tolist() == [
        ["an ESE database with the tables SruDbIdMapTable: nothing of it is used", 0]
    ]


def test_deleted_entries_are_left_out_and_counted():
    rows = [entry(n, Title=f"Update (KB500000{n})") for n in range(6)]
    parsed = datastore.read(database(rows, table={"deleted": {2, 4}, "rows_per_page": 2}))
    assert parsed.updates["kb"].tolist() == ["KB5000000", "KB5000001", "KB5000003", "KB5000005"]
    assert reasons(parsed) == "2 deleted entries of the history are left out"


# ------------------------------------------------------------------ the format


def as_the_kit_reads(data):
    names = {name.lower() for name, *_ in COLUMNS}
    return [
        dict(row) for row in ese.read_table(ese.open_database(data), "tbHistory", wanted=names).rows
    ]


def as_dissect_reads(data):
    out = []
    for record in ESE(io.BytesIO(data)).table("tbHistory").records():
        row = {name: value for name, value in record.as_dict().items() if value is not None}
        row["Date"] = struct.unpack("<d", struct.pack("<q", row["Date"]))[0]
        out.append(row)
    return out


def as_libesedb_reads(data):
    file = pyesedb.file()
    file.open_file_object(io.BytesIO(data))
    numbers = {name for name, _, kind, _ in COLUMNS if kind == LONG}
    texts = {name for name, _, kind, _ in COLUMNS if kind in (TEXT, LONG_TEXT)}
    out = []
    for record in file.get_table_by_name("tbHistory").records:
        row = {}
        for index in range(record.number_of_values):
            name, raw = record.get_column_name(index), record.get_value_data(index)
            if raw is None:
                continue
            if name in numbers:
                row[name] = struct.unpack("<i", raw)[0]
            elif name == "Date":
                row[name] = struct.unpack("<d", raw)[0]
            elif name in texts and record.is_long_value(index):
                row[name] = record.get_value_data_as_long_value(index).get_data_as_string()
            elif name in texts:
                row[name] = record.get_value_data_as_string(index)
            else:
                row[name] = raw
        out.append(row)
    return out


@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_database_is_read_as_two_independent_readers_read_it(page_size):
    long = "Länger als ein Eintrag. " * 60
    rows = [
        entry(1),
        entry(2, Title="ünïcode 日本", Status=-5, Description=None, Language=None),
        entry(3, Title=make_ese.seven_bit("seven bits"), ClientId=None),
        entry(4, Description=Apart(long.encode("utf-16-le"))),
        entry(5, Title=None),
        *(entry(n) for n in range(6, 40)),
    ]
    # One of the readers gives zeros for numbers that are null, so none is.
    rows = [
        row | {"ServerSelection": 2, "Flags": n, "ServerId": bytes(range(16))}
        for n, row in enumerate(rows)
    ]
    data = database(rows, table={"rows_per_page": 4}, page_size=page_size)
    own = as_the_kit_reads(data)
    assert own == as_dissect_reads(data)
    assert own == as_libesedb_reads(data)
    expected = [{name: value for name, value in row.items() if value is not None} for row in rows]
    expected[2]["Title"], expected[3]["Description"] = "seven bits", long
    assert own == expected


@given(st.text(st.characters(max_codepoint=127, min_codepoint=1), max_size=80))
def test_seven_bit_texts_of_every_length_are_expanded_exactly(text):
    packed = make_ese.seven_bit(text).data if text else b"\x17"
    wide = inflate.expand(packed, limit=1000)
    assert wide.decode("utf-16-le") == text
    narrow = bytes([packed[0] & 7 | 1 << 3]) + packed[1:]
    assert inflate.expand(narrow, limit=1000).decode("ascii") == text


def lz77(data):  # noqa: C901, PLR0912  # one loop, as the specification has it
    """Compress as plain LZ77 does, with matches of any length; slow and obvious."""
    out, flags, count, at, half = bytearray(), 0, 0, 0, -1
    place = None
    while at < len(data):
        if count % 32 == 0:
            if place is not None:
                out[place : place + 4] = struct.pack("<I", flags)
            place, flags = len(out), 0
            out += bytes(4)
        best, back = 0, 0
        for start in range(max(0, at - 8191), at):
            length = 0
            while at + length < len(data) and data[start + length] == data[at + length]:
                length += 1
            if length >= best:
                best, back = length, at - start
        if best < 3:
            out.append(data[at])
            at += 1
        else:
            flags |= 1 << (31 - count % 32)
            at, length = at + best, best - 3
            out += struct.pack("<H", (back - 1) << 3 | min(length, 7))
            if length >= 7:
                rest = length - 7
                if half < 0:
                    half = len(out)
                    out.append(min(rest, 15))
                else:
                    out[half] |= min(rest, 15) << 4
                    half = -1
                if rest >= 15:
                    out.append(min(rest - 15, 255))
                    if rest - 15 >= 255:
                        out += struct.pack("<H", length)
        count += 1
    flags |= (1 << (32 - count % 32)) - 1 if count % 32 else 0
    out[place : place + 4] = struct.pack("<I", flags)
    return bytes(out)


@given(
    st.lists(st.sampled_from(["ab", "Update ", "x", "KB5009543 ", "z" * 40, "q" * 700]), min_size=1)
)
@settings(max_examples=40, deadline=None)
def test_plain_lz77_is_expanded_as_the_library_expands_it(words):
    raw = "".join(words)[:900].encode("ascii")
    code = lz77(raw)
    assert lzxpress.decompress(code) == raw
    assert inflate.expand(make_ese.xpress(raw, code=code).data, limit=9999) == raw


def test_lz77_expands_to_the_stated_size_and_no_further():
    # One byte, then a match of four gigabytes of it.
    code = (
        struct.pack("<I", 0x7FFFFFFF)
        + b"A"
        + struct.pack("<H", 7)
        + b"\x0f\xff\0\0\xff\xff\xff\xff"
    )
    packed = make_ese.xpress(b"", size=60_000, code=code)
    begin = time.perf_counter()
    assert inflate.expand(packed.data, limit=1 << 20) == b"A" * 60_000
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(
    "data", [b"\x18", b"\x18\xff\xff", b"\x18\x08\x00" + b"\xff" * 8, b"\x28abc"]
)
def test_value_that_cannot_be_expanded_is_left_open_and_said(data):
    with pytest.raises(ValueError, match="compress"):
        inflate.expand(data, limit=100)
    parsed = datastore.read(database([entry(Title=Packed(data)), entry(2)]))
    assert parsed.updates["title"].tolist() == ["", TITLE]
    assert "1 values cannot be read: they are left open" in reasons(parsed)


def test_compressed_and_separate_titles_are_read():
    words = "Sicherheitsupdate für Windows (KB5009543) "
    raw = (words * 80).encode("utf-16-le")
    rows = [
        entry(1, Title=make_ese.xpress((words).encode("utf-16-le"))),
        entry(2, Title=Apart(raw)),
        entry(3, Title=Apart(b"")),
    ]
    parsed = datastore.read(database(rows))
    assert parsed.updates["title"].tolist() == [words, words * 80, ""]
    assert parsed.updates["kb"].tolist() == ["KB5009543", "KB5009543", ""]


# ------------------------------------------------------------------ damaged and hostile


def many(**options):
    rows = [entry(n, Title=f"Update (KB50{n:05})") for n in range(60)]
    return database(rows, table={"rows_per_page": 10}, **options)


def page_of(data, text, page_size=4096):
    return data.index(text.encode("utf-16-le")) // page_size * page_size


def test_page_that_is_gone_costs_its_entries_and_no_others():
    data = bytearray(many())
    start = page_of(data, "KB5000020")
    data[start : start + 4096] = bytes(4096)
    parsed = datastore.read(bytes(data))
    kept = [n for n in range(60) if not 20 <= n < 30]
    assert parsed.updates["kb"].tolist() == [f"KB50{n:05}" for n in kept]
    assert reasons(parsed) == "1 pages of the database cannot be read"
    assert parsed.problems["records_lost"].isna().all()


def test_database_that_is_cut_off_gives_the_entries_before_and_says_so():
    data = many()
    parsed = datastore.read(data[: page_of(data, "KB5000030") + 100])
    assert parsed.updates["kb"].tolist() == [f"KB50{n:05}" for n in range(30)]
    assert "3 pages of the database cannot be read" in reasons(parsed)


@pytest.mark.parametrize("size", [0, 8, 100, 2047])
def test_database_without_a_header_is_refused(size):
    with pytest.raises(FormatError, match="cut off in its header"):
        datastore.read(many()[:size])


def test_database_with_an_impossible_page_size_is_refused():
    data = bytearray(many())
    data[236:240] = struct.pack("<I", 12345)
    with pytest.raises(FormatError, match="pages of 12345 bytes"):
        datastore.read(bytes(data))


def test_catalog_that_cannot_be_read_is_a_loss():
    data = bytearray(many())
    data[5 * 4096 : 6 * 4096] = bytes(4096)
    parsed = datastore.read(bytes(data))
    assert parsed.records == 0
    assert "whose catalog cannot be read" in reasons(parsed)
    assert parsed.problems["records_lost"].isna().all()


def test_tree_that_runs_in_circles_ends():
    data = bytearray(many())
    root = next(
        at
        for at in range(6 * 4096, len(data), 4096)
        if struct.unpack_from("<I", data, at + 36)[0] & make_ese.PARENT
        and struct.unpack_from("<I", data, at + 24)[0] == 10
    )
    number = root // 4096 - 1
    body = bytes(data[root : root + 4096])
    first = page_of(data, "KB5000000") // 4096 - 1
    second = page_of(data, "KB5000010") // 4096 - 1
    data[root : root + 4096] = body.replace(struct.pack("<I", second), struct.pack("<I", number))
    assert first != second
    parsed = datastore.read(bytes(data))
    kept = [n for n in range(60) if not 10 <= n < 20]
    assert parsed.updates["kb"].tolist() == [f"KB50{n:05}" for n in kept]
    assert "1 pages of the database cannot be read" in reasons(parsed)


def test_long_value_that_runs_in_circles_ends():
    text = ("endless " * 700).encode("utf-16-le")
    data = bytearray(database([entry(1, Title=Apart(text)), entry(2)]))
    for start in range(6 * 4096, len(data), 4096):
        flags, (owner,) = (
            struct.unpack_from("<I", data, start + 36)[0],
            struct.unpack_from("<I", data, start + 24),
        )
        if owner == 1010 and flags & make_ese.LEAF:
            own = start // 4096 - 1
            data[start + 20 : start + 24] = struct.pack("<I", own)
    begin = time.perf_counter()
    parsed = datastore.read(bytes(data))
    assert time.perf_counter() - begin < 20
    assert parsed.updates["title"].tolist() == ["", TITLE]
    assert "1 values cannot be read" in reasons(parsed)


@pytest.mark.parametrize("page_size", [4096, 16384])
def test_databases_with_flipped_bits_end_in_rows_and_problems(page_size):
    dice = random.Random(5009543)  # noqa: S311  # damage that is the same each time
    rows = [entry(n) for n in range(12)] + [entry(13, Title=Apart(b"long" * 900))]
    whole = database(rows, table={"rows_per_page": 5}, page_size=page_size)
    used = [at for at in range(2 * page_size, len(whole)) if whole[at]]
    for _ in range(40):
        data = bytearray(whole)
        for at in dice.sample(used, dice.choice((1, 4, 40))):
            data[at] ^= 1 << dice.randrange(8)
        parsed = datastore.read(bytes(data))
        schema.check("updates", parsed.updates)
        schema.check("problems", parsed.problems)
        assert parsed.records or len(parsed.problems)


def test_library_is_loaded_when_a_database_is_read_and_not_before():
    script = (
        "import sys, kitlib.readers; print([n for n in sys.modules if n.startswith('dissect')])"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_writer_states_what_the_reader_sees():
    assert ese.open_database(many(state=CLEAN)).clean
    assert not ese.open_database(many(state=DIRTY)).clean
    assert [ese.open_database(many(page_size=size)).page_size for size in PAGE_SIZES] == list(
        PAGE_SIZES
    )
