"""Offsets of hosts: what their files state, and what follows for other times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitlib import readers, schema, zones
from kitlib.readers import offsets

MINUTE = zones.MINUTE


def ns(when):
    return pd.Timestamp(when, tz="UTC").value


def clocks(*rows):
    return schema.frame("clocks", [{"host": "PC1", **row} for row in rows])


def exact(start, offset, *, end=None, source="test"):
    moment, last = (pd.Timestamp(one, tz="UTC") for one in (start, end or start))
    both = {"offset_low": offset, "offset_high": offset}
    return {"start": moment, "end": last, "source": source, **both}


def zone(*rows):
    return zones.Zones.of(clocks(*rows)).of_host("PC1")


def found(offset):
    return offset.low, offset.high


def last_sunday(year, month):
    end = datetime(year, month, 31, 1, tzinfo=UTC)
    return end - timedelta(days=(end.weekday() + 1) % 7)


def berlin(when):
    """Minutes east of UTC in Central Europe, by the rule in force since 1996: the slow twin."""
    summer = last_sunday(when.year, 3) <= when < last_sunday(when.year, 10)
    return 120 if summer else 60


@pytest.mark.parametrize(
    ("mark", "example"),
    [(mark, example) for mark in zones._marks() for example in mark["examples"]],
)
def test_each_mark_gives_what_its_example_says(mark, example):
    said = list(zones.stated_by(mark, ns(example["time"][:-1]), example["data"]))
    assert list(said[-1][1:]) == example["gives"]
    assert mark["reference"]


@pytest.mark.parametrize(
    "data",
    [
        None,
        "text",
        {},
        {"Data": "no list"},
        {"Data": ["", "", "", "", "40000", "60"]},
        {"Data": ["", "", "", "", "40000", "60", "noon"]},
        {"Data": ["", "", "", "", "40000", "60", "9999 Far Away Time"]},
        {"Data": ["", "", "", "", "40000", "60", None]},
        {"Binary": "E607"},
        {"Binary": "FF" * 32},
        {"Binary": "00" * 32},
        {"Binary": "no hex at all"},
    ],
)
def test_a_record_without_a_statement_states_nothing(data):
    for mark in zones._marks():
        assert list(zones.stated_by(mark, ns("2022-01-12T11:00"), data)) == []


def test_two_clocks_are_exact_at_the_last_sign_of_life_not_at_the_record():
    mark = next(mark for mark in zones._marks() if mark["method"] == "two_clocks")
    data = mark["examples"][0]["data"]
    ((at, low, high),) = zones.stated_by(mark, ns("2022-01-12T09:00"), data)
    assert (at, low, high) == (ns("2022-01-12T07:05:01"), 60, 60)


def test_nothing_known_means_anywhere():
    assert found(zones.NOWHERE.at(0)) == zones.ANYWHERE == (-720, 840)
    assert zones.NOWHERE.of_local(ns("2022-01-12")) == zones.UNKNOWN


def test_between_two_near_statements_that_agree_the_offset_is_theirs():
    pair = zone(exact("2022-01-01", 60), exact("2022-01-29", 60))
    assert found(pair.at(ns("2022-01-15"))) == (60, 60)


def test_far_from_every_statement_clocks_may_have_gone_on_or_back():
    pair = zone(exact("2022-01-01", 60), exact("2022-12-01", 60))
    assert found(pair.at(ns("2022-07-01"))) == (0, 120)
    assert found(pair.at(ns("2021-12-31"))) == (0, 120)


def test_between_two_near_statements_that_differ_both_are_possible():
    pair = zone(exact("2022-03-20", 60), exact("2022-04-02", 120))
    assert found(pair.at(ns("2022-03-27"))) == (60, 120)
    assert found(pair.at(ns("2022-03-20"))) == (60, 60)


def test_a_stated_zone_bounds_what_is_far_from_exact_statements():
    stated = {"offset_low": -480, "offset_high": -420, "source": "systeminfo"}
    known = zone(exact("2022-01-12", -480, source="cbs_log"), stated)
    assert found(known.at(ns("2022-06-01"))) == (-480, -420)
    assert known.at(ns("2022-06-01")).source == "cbs_log, systeminfo"


def test_statements_that_contradict_each_other_are_both_possible():
    both = zone(exact("2022-01-01", 60, end="2022-01-20"), exact("2022-01-10", -300))
    assert found(both.at(ns("2022-01-12"))) == (-300, 60)
    bounds = [{"offset_low": low, "offset_high": low + 60, "source": "x"} for low in (60, -300)]
    assert found(zone(*bounds).at(0)) == (-300, 120)


def test_a_local_time_that_clocks_showed_twice_has_both_offsets():
    change = zone(
        exact("2022-10-01", 120, end="2022-10-30T00:59:59"),
        exact("2022-10-30T01:00", 60, end="2022-11-20"),
    )
    assert found(change.of_local(ns("2022-10-30T02:30"))) == (60, 120)
    assert found(change.of_local(ns("2022-10-30T01:30"))) == (120, 120)
    assert found(change.of_local(ns("2022-10-30T03:30"))) == (60, 60)


def test_a_host_is_known_by_its_short_and_its_full_name():
    known = zones.Zones.of(clocks(exact("2022-01-12", 60)))
    assert known.of_host("pc1.corp.example").runs == known.of_host("PC1").runs != ()
    assert known.of_host("192.0.2.1") == zones.NOWHERE


@given(
    st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2023, 12, 31)), max_size=12),
    st.datetimes(datetime(2020, 2, 1), datetime(2023, 11, 30)),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_the_true_offset_is_always_among_the_possible_ones(marks, when, stated):
    rows = [exact(mark, berlin(mark.replace(tzinfo=UTC))) for mark in marks]
    if stated:
        rows.append(offsets.of_zone(60, source="systeminfo") | {"host": "PC1"})
    known = zone(*rows)
    true = berlin(when.replace(tzinfo=UTC))
    at = ns(when)
    for offset in (
        known.at(at),
        known.of_local(at + true * MINUTE),
        known.of_shifted(at - true * MINUTE),
    ):
        assert offset.low <= true <= offset.high
        assert offset.low <= offset.best <= offset.high


def test_runs_join_equal_statements_that_are_near():
    days = [pd.Timestamp(f"2022-01-{day:02}", tz="UTC") for day in (1, 5, 9)]
    later = pd.Timestamp("2022-06-01", tz="UTC")
    marks = [(day, 60) for day in days] + [(later, 120)]
    assert [
        (row["start"], row["end"], row["offset_low"]) for row in offsets.runs(marks, source="x")
    ] == [(days[0], days[-1], 60), (later, later, 120)]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("update_history/CBS.log.loghub_win7.head.txt", [(480, 480)]),
        ("update_history/ReportingEvents.log.msjapan.txt", [(540, 540)]),
        ("update_history/systeminfo_11_24H2_x64_enterprise.txt", [(-480, -420)]),
        ("update_history/systeminfo_srv_2012r2_x64_standard_ru.txt", [(240, 300)]),
        ("update_history/systeminfo_7_sp1_x64_ultimaten_de.txt", [(0, 120)]),
        ("update_history/systeminfo_10_1809_x64_enterprise_zh-cn.txt", [(0, 120)]),
        ("update_history/Get-HotFix_table_es-CO.txt", []),
    ],
)
def test_real_dumps_state_their_offsets(shared, path, said):
    data = (shared / "formats" / path).read_bytes()
    got = readers.reader_for(data[: readers.HEAD_BYTES]).read(data).clocks
    assert list(zip(got["offset_low"], got["offset_high"], strict=True)) == said


def test_real_logs_state_summer_time_by_the_hour_of_their_noon_record(shared):
    folder = shared / "evtx"
    import kitlib as kit  # noqa: PLC0415  # slow to import, and used here only

    events = kit.read_evidence(folder).events
    got = zones.stated_by_events(events)
    sure = got[got["offset_low"] == got["offset_high"]]
    said = {(host, offset) for host, offset in zip(sure["host"], sure["offset_low"], strict=True)}
    assert said == {
        ("DC1.internal.greendale.edu", 0),
        ("WKS-WIN764BITB.shieldbase.local", -240),
        ("DESKTOP-1N4R894", -420),
        ("W10-1507-LTSB", 120),
    }
