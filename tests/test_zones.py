"""Offsets of hosts: what their files state, and what follows for other times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitlib import readers, schema, zone_marks, zones
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


def record(time, data):
    return zone_marks._Record("System.evtx", "PC1", ns(time), data)


@pytest.mark.parametrize(
    ("mark", "example"),
    [(mark, example) for mark in zone_marks._marks() for example in mark["examples"]],
)
def test_each_mark_gives_what_its_example_says(mark, example):
    before = example.get("before")
    earlier = before and record(before["time"][:-1], {"Data": before["Data"]})
    said = list(zone_marks.stated_by(mark, record(example["time"][:-1], example["data"]), earlier))
    assert list(said[-1][2:]) == example["gives"]
    assert mark["reference"]


@pytest.mark.parametrize(
    "data",
    [
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
    for mark in zone_marks._marks():
        assert list(zone_marks.stated_by(mark, record("2022-01-12T11:00", data))) == []


def test_two_clocks_are_exact_at_the_last_sign_of_life_not_at_the_record():
    mark = next(mark for mark in zone_marks._marks() if mark["method"] == "two_clocks")
    data = mark["examples"][0]["data"]
    crash = ns("2022-01-12T07:05:01")
    (said,) = zone_marks.stated_by(mark, record("2022-01-12T08:00", data))
    assert said == (crash, crash, 60, 60)
    (said,) = zone_marks.stated_by(mark, record("2022-01-13T08:00", data))
    assert said == (crash, ns("2022-01-13T08:00"), 0, 120)


def noons(*records):
    """Records 6013 of one log: time, uptime in seconds."""
    return schema.frame(
        "events",
        [
            {
                "host": "PC1",
                "path": "System.evtx",
                "time_created": pd.Timestamp(time, tz="UTC"),
                "provider": "EventLog",
                "event_id": 6013,
                "data": {"Data": ["", "", "", "", str(up), "60", "-60 Mitteleuropäische Zeit"]},
            }
            for time, up in records
        ],
    )


def test_a_laptop_that_wakes_at_one_oclock_in_summer_does_not_state_winter():
    """It sleeps over noon (10:00 UTC) and writes its daily record when it wakes, at 11:00 UTC."""
    lunches = [(f"2022-07-{day:02}T11:00:30", 3000 + 9000 * day) for day in range(4, 9)]
    got = zone_marks.stated_by_events(noons(*lunches))
    assert (got["offset_low"] < got["offset_high"]).all()


def test_a_machine_that_was_awake_at_noon_states_summer_exactly():
    awake = [("2022-07-04T06:00:00", 20), ("2022-07-04T10:00:00", 4 * 3600 + 20)]
    got = zone_marks.stated_by_events(noons(*awake))
    exact = got[got["offset_low"] == got["offset_high"]]
    assert list(exact["offset_low"]) == [120]
    assert list(exact["start"]) == [pd.Timestamp("2022-07-04T10:00:00", tz="UTC")]


def test_nothing_known_means_anywhere():
    assert found(zones.NOWHERE.at(0)) == zones.ANYWHERE == (-720, 840)
    assert zones.NOWHERE.of_local(ns("2022-01-12")) == zones.UNKNOWN


def test_between_two_near_statements_that_agree_the_offset_is_theirs():
    pair = zone(exact("2022-01-01", 60), exact("2022-01-28", 60))
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
    at = ns("2022-01-12")
    assert found(known.of_host("pc1.corp.example").at(at)) == (60, 60)
    assert found(known.of_host("PC1").at(at)) == (60, 60)
    assert known.of_host("192.0.2.1") == zones.NOWHERE


def test_hosts_of_two_domains_with_one_short_name_tell_nothing_of_each_other():
    rows = clocks(
        {**exact("2022-01-01", 60, end="2022-01-20"), "host": "PC1.a.example"},
        {**exact("2022-01-25", -300, end="2022-02-20"), "host": "PC1.b.example"},
    )
    known = zones.Zones.of(rows)
    at = ns("2022-02-01")
    assert found(known.of_host("pc1.B.example").at(at)) == (-300, -300)
    assert found(known.of_host("PC1.a.example").at(at)) == (0, 120)
    assert known.of_host("PC1") == zones.NOWHERE
    alone = zones.Zones.of(rows.iloc[:1], others=["PC1.b.example"])
    assert alone.of_host("PC1.b.example") == zones.NOWHERE


def test_the_name_of_an_image_tells_nothing_of_the_machines_made_from_it():
    events = schema.frame(
        "events",
        [
            {"host": host, "path": f"{number}/{log}.evtx"}
            for number in (1, 2)
            for log in ("System", "Application")
            for host in ("IMAGE", f"PC{number}")
        ],
    )
    rows = [
        {**exact("2022-01-12", 60), "host": host, "path": "1/System.evtx"}
        for host in ("IMAGE", "PC1")
    ]
    known = zones.Zones.of(schema.frame("clocks", rows), events)
    assert known.of_host("IMAGE") == zones.NOWHERE
    assert found(known.of_host("PC1").at(ns("2022-01-12"))) == (60, 60)


def test_a_journey_of_hours_between_two_statements_of_home_is_seen():
    trip = zone(
        exact("2022-01-01", 60, end="2022-01-12T02:00"),
        exact("2022-01-12T07:00", 540, end="2022-01-12T10:00"),
        exact("2022-01-12T15:00", 60, end="2022-01-20"),
    )
    # 18:00 in Tokyo is 09:00 UTC; by the offset of home it would be 17:00 UTC.
    assert trip.of_local(ns("2022-01-12T18:00")).high == 540


def test_summer_in_fiji_may_lie_between_two_statements_of_winter():
    fiji = zone(exact("2020-12-19", 720), exact("2021-01-17", 720))
    assert fiji.at(ns("2021-01-01")).high >= 780


def test_a_flight_that_follows_a_change_of_clocks_leaves_more_open_than_its_ends():
    known = zone(exact("2022-03-20", 60), exact("2022-03-29", -240))
    assert known.at(ns("2022-03-28")).high == 120  # still at home, in summer time


def test_two_overlapping_zones_have_no_offset_in_common_for_sure():
    bounds = [
        {"offset_low": low, "offset_high": low + 60, "source": f"systeminfo {low}"}
        for low in (0, 60)
    ]
    assert found(zone(*bounds).at(0)) == (0, 120)
    dated = [
        {**bound, "start": pd.Timestamp(day, tz="UTC"), "end": pd.Timestamp(day, tz="UTC")}
        for bound, day in zip(bounds, ("2022-01-01", "2022-06-01"), strict=True)
    ]
    assert found(zone(*dated).at(ns("2022-03-01"))) == (0, 120)


def test_a_record_that_contradicts_its_neighbours_at_its_own_time_counts_there():
    away = pd.Timestamp("2022-01-10", tz="UTC")
    seen = {"start": away, "end": away, "offset_low": 540, "offset_high": 600, "source": "6013"}
    known = zone(exact("2022-01-01", 60), exact("2022-01-20", 60), seen)
    assert found(known.at(away.value)) == (60, 600)
    assert found(known.at(ns("2022-01-12"))) == (60, 60)


def test_an_hour_that_comes_and_goes_within_days_is_an_error_of_someone():
    known = zone(
        exact("2022-01-01", 60, end="2022-01-09", source="cbs_log"),
        exact("2022-01-10", 120, end="2022-01-11", source="nps_dts"),
        exact("2022-01-12", 60, end="2022-01-20", source="cbs_log"),
    )
    assert found(known.at(ns("2022-01-10T12:00"))) == (60, 120)


def test_a_machine_that_contradicts_itself_all_the_time_is_quick_to_judge():
    hours = pd.date_range("2000-01-01", periods=20_000, freq="6h", tz="UTC")
    rows = [exact(str(t)[:19], 60 * (n % 5)) for n, t in enumerate(hours)]
    assert found(zone(*rows).at(ns("2010-01-01"))) == (-60, 300)


PLACES = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Fiji",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Etc/GMT+12",
]
YEARS = st.datetimes(datetime(2019, 1, 1), datetime(2023, 12, 31))


def minutes_in(place, when):
    shown = when.replace(tzinfo=UTC).astimezone(ZoneInfo(place))
    return int(shown.utcoffset().total_seconds() // 60)


def least(place):
    return min(minutes_in(place, datetime(2021, month, 1)) for month in range(1, 13))


@given(st.sampled_from(PLACES), st.lists(YEARS, max_size=14), YEARS, st.booleans())
@settings(max_examples=400, deadline=None)
def test_the_true_offset_is_always_among_the_possible_ones(place, marks, when, stated):
    rows = [exact(mark, minutes_in(place, mark)) for mark in marks]
    if stated:
        rows.append(offsets.of_zone(least(place), source="systeminfo") | {"host": "PC1"})
    known = zone(*rows)
    true, at = minutes_in(place, when), ns(when)
    for offset in (known.at(at), known.of_local(at + true * MINUTE)):
        assert offset.low <= true <= offset.high
        assert offset.low <= offset.best <= offset.high
    low, high, _ = known.of_span(at + true * MINUTE, at + true * MINUTE + 7 * MINUTE)
    assert low <= at <= high


@given(st.sampled_from(PLACES), st.lists(YEARS, min_size=1, max_size=14), st.data())
@settings(max_examples=300, deadline=None)
def test_a_time_that_powershell_shifted_has_the_offset_that_was_taken(place, marks, data):
    """It takes the UTC for local; of a local time that clocks skipped it takes the offset before."""
    days = [datetime(2021, month, day, 12) for month in range(1, 13) for day in (1, 15)]
    changes = [
        day for day, after in pairwise(days) if minutes_in(place, day) != minutes_in(place, after)
    ]
    near = st.sampled_from(changes or days).flatmap(
        lambda day: st.timedeltas(timedelta(0), timedelta(16)).map(lambda later: day + later)
    )
    true = data.draw(near | YEARS)
    taken = true.replace(tzinfo=ZoneInfo(place)).utcoffset()
    known = zone(*(exact(mark, minutes_in(place, mark)) for mark in marks))
    offset = known.of_shifted(ns(true - taken))
    assert offset.low <= taken.total_seconds() // 60 <= offset.high


@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.integers(1, 20), st.integers(0, 30)),
        min_size=1,
        max_size=8,
    ),
    st.data(),
)
@settings(max_examples=200, deadline=None)
def test_a_traveller_who_states_the_offset_at_both_ends_of_each_stay_is_never_misplaced(
    stays, data
):
    rows, spans = [], []
    begin = datetime(2021, 1, 1)
    for place, days, on_the_way in stays:
        end = begin + timedelta(days=days)
        rows += [exact(edge, minutes_in(place, edge)) for edge in (begin, end)]
        spans.append((place, begin, end))
        begin = end + timedelta(hours=on_the_way)
    place, first, last = data.draw(st.sampled_from(spans))
    when = data.draw(st.datetimes(first, last))
    true = minutes_in(place, when)
    known = zone(*rows)
    for offset in (known.at(ns(when)), known.of_local(ns(when) + true * MINUTE)):
        assert offset.low <= true <= offset.high


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
    got = zone_marks.stated_by_events(events)
    sure = got[got["offset_low"] == got["offset_high"]]
    said = {(host, offset) for host, offset in zip(sure["host"], sure["offset_low"], strict=True)}
    assert said == {
        ("DC1.internal.greendale.edu", 0),
        ("WKS-WIN764BITB.shieldbase.local", -240),
        ("DESKTOP-1N4R894", -420),
        ("W10-1507-LTSB", 120),
    }
