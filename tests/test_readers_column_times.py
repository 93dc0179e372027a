"""Times of an export are read as its map says, and bound what was reported by them."""

from __future__ import annotations

import itertools
import json

import pytest
from column_map_samples import SAMPLES, at, read, reasons

import kitlib as kit
from kitlib.exposure import find_exposure
from kitlib.readers import dates
from kitlib.readers.updates import column_maps, column_times


def a_map(**more):
    keys = {"name": "m", "reference": "r", "required": ["H", "T", "K"], "host": "H", "kb": "K"}
    keys |= {"result": "succeeded", "time": "T", "zone": "utc", "times": "exact"} | more
    body = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    return column_maps.parse(f'schema = "kitlib.columns/1"\n[[map]]\n{body}\n', source="t")


def test_a_fraction_of_a_second_stays_with_the_local_time():
    bare = column_times._bare(
        "2022/01/13 09:26:03.478 AM", a_map(zone="local").maps[0], "undecided"
    )
    assert bare.local["readings"] == ["2022-01-13T09:26:03.478000"]
    assert bare.date.tz_localize(None).isoformat() == "2022-01-13T09:26:03.478000"


TIMES = [
    # as written, zone, dates, low, high, basis
    ("2020/05/14 09:26:03.478 AM", "utc", "decide", "2020-05-14T09:26:03.478", "", "utc"),
    ("2020/05/14 09:26:03.478 PM", "utc", "decide", "2020-05-14T21:26:03.478", "", "utc"),
    ("2020/05/14 21:26:03.478 PM", "utc", "decide", "2020-05-14T21:26:03.478", "", "utc"),
    ("2020/05/14 12:26:03.478 AM", "utc", "decide", "2020-05-14T00:26:03.478", "", "utc"),
    ("2020/05/14 12:26:03.478 PM", "utc", "decide", "2020-05-14T12:26:03.478", "", "utc"),
    ("2020/05/14 14:26:03.478 AM", "utc", "decide", None, "", ""),
    ("2020/05/14 00:26:03.478 PM", "utc", "decide", None, "", ""),
    ("2020-05-14 09:26:03.478039", "utc", "decide", "2020-05-14T09:26:03.478039", "", "utc"),
    ("2020-05-14T09:26:03Z", "unknown", "decide", "2020-05-14T09:26:03", "", "utc"),
    ("2020-05-14T09:26:03+02:00", "utc", "decide", "2020-05-14T07:26:03", "", "offset"),
    ("5/14/2020, 9:26:03 AM", "utc", "decide", "2020-05-14T09:26:03", "", "utc"),
    ("5/4/2020 9:26", "utc", "month first", "2020-05-04T09:26", "2020-05-04T09:27", "utc"),
    ("5/4/2020 9:26", "utc", "day first", "2020-04-05T09:26", "2020-04-05T09:27", "utc"),
    ("5/4/2020 9:26:00", "utc", "decide", "2020-04-05T09:26", "2020-05-04T09:26", "utc"),
    ("5/14/2020 9:26", "utc", "year first", None, "", ""),
    ("14.05.2020 09:26:03", "+02:00", "decide", "2020-05-14T07:26:03", "", "offset"),
    ("14.05.2020 09:26:03", "-05:30", "decide", "2020-05-14T14:56:03", "", "offset"),
    ("14.05.2020 09:26:03", "local", "decide", "2020-05-13T19:26:03", "2020-05-14T21:26:03",
     "local"),
    ("14.05.2020 09:26:03", "unknown", "decide", "2020-05-13T19:26:03", "2020-05-14T21:26:03",
     "local"),
    ("2020-05-14", "utc", "decide", "2020-05-14", "2020-05-15", "date"),
    ("2020-05-14", "+02:00", "decide", "2020-05-13T22:00", "2020-05-14T22:00", "date"),
    ("43965.5", "utc", "excel days", "2020-05-14T12:00", "", "utc"),
    ("43965.5", "utc", "decide", None, "", ""),
    ("99999.5", "utc", "excel days", None, "", ""),
    ("1589448363", "unknown", "unix seconds", "2020-05-14T09:26:03", "", "utc"),
    ("20200514092603.478000+120", "utc", "decide", "2020-05-14T07:26:03.478", "", "offset"),
    ("20200514092603.478000+***", "utc", "decide", "2020-05-14T09:26:03.478", "", "utc"),
    ("/Date(1589448363478)/", "utc", "decide", "2020-05-13T21:26:03.478",
     "2020-05-14T23:26:03.478", "local"),
    ("9999-05-14T09:26:03Z", "utc", "decide", None, "", ""),
    ("yesterday", "utc", "decide", None, "", ""),
    ("2020-02-30 09:26:03", "utc", "decide", None, "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "zone", "written", "low", "high", "basis"), TIMES, ids=str)
def test_a_time_is_read_as_the_map_says(cell, zone, written, low, high, basis):
    one = a_map(zone=zone, dates=written).maps[0]
    when = column_times.read(cell, one, column_times.order_of(one, [cell]), zone=zone)
    if low is None:
        assert when is None
        return
    assert (when.low, when.high, when.basis) == (at(low), at(high or low), basis)


def written_times():
    return map(
        "".join,
        itertools.product(
            ["2020/05/14", "2020-5-4", "2020-02-30", "1989-01-01"],
            [" "],
            ["0", "00", "1", "09", "11", "12", "13", "23", "24"],
            [":26:03"],
            ["", ".4", ".478039", ".123456789"],
            ["", " AM", " PM", " am", "PM"],
        ),
    )


@pytest.mark.parametrize("zone", ["utc", "unknown", "+02:00", "-05:30"])
def test_the_fast_way_says_what_the_slow_one_says(zone):
    one = a_map().maps[0]
    for cell in written_times():
        bare = column_times._bare(cell, one, "undecided")
        slow = None if bare is None else column_times._placed(bare, zone)
        plain = column_times._plain(cell)
        fast = None if plain is None else column_times._placed_plain(plain, zone)
        assert (cell, fast) == (cell, slow)


def test_only_the_host_s_own_clock_is_left_to_be_resolved_by_its_offset():
    said = {
        zone: read("H,K,T\nWS1,5009543,2022-01-12 21:26:03\n", a_map(zone=zone)).updates["local"]
        for zone in ("local", "unknown", "utc")
    }
    assert {zone: local.notna().tolist() for zone, local in said.items()} == {
        "local": [True],
        "unknown": [False],
        "utc": [False],
    }


def test_the_order_of_day_and_month_is_decided_from_all_rows_of_a_file():
    rows = ["H,K,T", "WS1,5009543,02/01/2022 10:00:00", "WS1,5009543,13/01/2022 10:00:00"]
    got = read("\n".join(rows), a_map())
    assert got.updates["date"].tolist() == [at("2022-01-02T10:00"), at("2022-01-13T10:00")]
    got = read("\n".join(rows[:2]), a_map())
    assert got.updates["date"].isna().tolist() == [True]
    assert any("is open in 1 rows" in reason for reason in reasons(got))


def test_what_was_reported_happened_then_or_earlier():
    late = dates.instant(at("2022-01-14T10:00"))
    assert column_times.reported(late, None).low == column_times.EARLIEST
    assert column_times.reported(late, dates.instant(at("2022-01-11"))).low == at("2022-01-11")
    assert column_times.reported(late, dates.instant(at("2022-02-11"))).low == column_times.EARLIEST
    assert column_times.reported(late, None).high == late.high
    assert column_times.reported(late, None).date == late.date


def test_reported_installations_are_in_effect_by_then_and_break_nothing(tmp_path):
    (tmp_path / "uc.csv").write_text(SAMPLES[0].text, encoding="utf-8")
    exposure = find_exposure(kit.build_timeline(kit.read_evidence(tmp_path)))
    row = exposure.loc[exposure["host"] == "WS0001"].iloc[0]
    assert (row["change"], row["start_low"], row["start_high"]) == (
        "KB5009543",
        at("2022-01-11T18:00"),
        at("2022-01-12T21:26:03.478"),
    )
