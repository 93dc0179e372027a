"""Local times put on UTC by what a host's files tell; day and month by other sources."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kitlib as kit
from kitlib import localtime, schema, zones
from kitlib.classify import classify
from kitlib.readers import dates, offsets
from kitlib.readers.updates import com_history
from kitlib.simulate.evtx import Event, encode_log, ticks

HOST = "WS0001"
WINTER = 60


def utc(text):
    return pd.Timestamp(text, tz="UTC")


def known(*rows):
    return zones.Zones.of(schema.frame("clocks", [{**row, "host": HOST} for row in rows]))


def exactly(offset, *, start="2022-01-01", end="2022-03-01"):
    both = {"offset_low": offset, "offset_high": offset}
    return {"start": utc(start), "end": utc(end), "source": "reporting_events", **both}


def update(when, **cells):
    return {"host": HOST, "kb": "KB5009543", "path": "a.csv", **when.cells(), **cells}


def settled(when, zone):
    problems = []
    table = schema.frame("updates", [update(when)])
    out = localtime.settle_rows(table, localtime.UPDATES, zone, problems)
    return out.iloc[0], [row["reason"] for row in problems]


def test_a_local_time_of_a_known_offset_is_an_instant():
    row, reasons = settled(dates.local(datetime(2022, 1, 12, 3, 15)), known(exactly(60)))
    assert list(row[["date", "date_low", "date_high"]]) == [utc("2022-01-12T02:15")] * 3
    assert (row["date_basis"], row["tz_source"]) == ("offset", "reporting_events")
    assert reasons == [f"1 local time of {HOST} is put on UTC exactly, by reporting_events"]


def test_a_minute_stays_a_minute():
    row, _ = settled(dates.read_local("1/13/2022 3:15 AM", "undecided"), known(exactly(-300)))
    assert (row["date_low"], row["date_high"]) == (utc("2022-01-13T08:15"), utc("2022-01-13T08:16"))
    assert row["date"] == row["date_low"]


def test_a_local_day_of_a_known_offset_is_that_day():
    row, _ = settled(dates.day(date(2022, 1, 12)), known(exactly(60)))
    assert (row["date_low"], row["date_high"]) == (utc("2022-01-11T23:00"), utc("2022-01-12T23:00"))
    assert (row["date"], row["date_basis"]) == (utc("2022-01-12"), "date")


def test_the_day_on_which_clocks_go_on_has_23_hours():
    zone = known(
        exactly(60, start="2022-03-01", end="2022-03-27T00:59:59"),
        exactly(120, start="2022-03-27T01:00", end="2022-04-10"),
    )
    row, _ = settled(dates.day(date(2022, 3, 27)), zone)
    assert row["date_high"] - row["date_low"] == pd.Timedelta(hours=23)


def test_a_date_that_powershell_5_shifted_is_put_right():
    # COM says 03:15 UTC; the serializer takes it for local and takes the hour away once more.
    row, _ = settled(dates.shifted(utc("2022-01-12T02:15")), known(exactly(60)))
    assert (row["date"], row["date_basis"]) == (utc("2022-01-12T03:15"), "offset")


def test_a_zone_without_summer_time_leaves_an_hour_open():
    zone = known(offsets.of_zone(-480, source="systeminfo"))
    row, reasons = settled(dates.local(datetime(2022, 7, 12, 12)), zone)
    assert (row["date_low"], row["date_high"]) == (utc("2022-07-12T19:00"), utc("2022-07-12T20:00"))
    assert row["date_low"] <= row["date"] <= row["date_high"]
    assert "as an interval, by systeminfo" in reasons[0]


def test_without_a_statement_the_span_stays_and_is_said():
    when = dates.local(datetime(2022, 1, 12, 3, 15))
    row, reasons = settled(when, known())
    assert (row["date_low"], row["date_high"]) == (when.low, when.high)
    assert row["tz_source"] == ""
    assert "nothing in the evidence tells the UTC offset" in reasons[0]


def test_what_the_file_itself_bounds_is_narrowed_further():
    bounded = dates.local(datetime(2022, 1, 12, 3), low=timedelta(0), high=timedelta(hours=2))
    row, _ = settled(bounded, known())
    assert (row["date_low"], row["date_high"]) == (utc("2022-01-12T01:00"), utc("2022-01-12T03:00"))
    row, _ = settled(bounded, known(exactly(60)))
    assert (row["date"], row["date_basis"]) == (utc("2022-01-12T02:00"), "offset")


@pytest.mark.parametrize(
    ("printed", "order"), [("1/12/2022", "month first"), ("12/1/2022", "day first")]
)
def test_another_source_of_the_host_decides_day_and_month(printed, order):
    sure = update(dates.instant(utc("2022-01-12T02:15")), path="history.json")
    unsure = update(dates.read_day(printed, "undecided"), path="hotfix.csv")
    problems = []
    out = localtime.settle_rows(
        schema.frame("updates", [sure, unsure]), localtime.UPDATES, known(), problems
    )
    assert out["date"].iloc[1] == utc("2022-01-12")
    assert any(f"are read with the {order}" in row["reason"] for row in problems)


def test_sources_that_disagree_about_the_order_leave_it_open():
    first = update(dates.read_day("1/12/2022", "undecided"), path="hotfix.csv")
    second = update(dates.read_day("2/3/2022", "undecided"), path="hotfix.csv", kb="KB5000001")
    sure = [
        update(dates.instant(utc("2022-01-12T02:15")), path="history.json"),
        update(dates.instant(utc("2022-03-02T02:15")), path="history.json", kb="KB5000001"),
    ]
    table = schema.frame("updates", [first, second, *sure])
    assert localtime.decide_orders(table) == {}


def test_an_update_that_comes_every_few_weeks_decides_nothing():
    """Definitions keep their KB: one of them is near to the wrong reading by chance."""
    definitions = [
        update(dates.instant(utc(f"2021-{month:02}-01T02:15")), path="history.json")
        for month in (10, 11, 12)
    ]
    unsure = update(dates.read_day("1/12/2021", "undecided"), path="hotfix.csv")
    assert localtime.decide_orders(schema.frame("updates", [*definitions, unsure])) == {}


def test_a_host_of_the_same_short_name_in_another_domain_decides_nothing():
    sure = update(dates.instant(utc("2022-01-12T02:15")), path="b.json", host="PC1.b.example")
    unsure = update(dates.read_day("1/12/2022", "undecided"), path="a.csv", host="PC1.a.example")
    assert localtime.decide_orders(schema.frame("updates", [sure, unsure])) == {}
    same = update(dates.instant(utc("2022-01-12T02:15")), path="b.json", host="pc1")
    own = schema.frame("updates", [same, unsure])
    assert localtime.decide_orders(own) == {"a.csv": ("month first", 1)}


def test_another_host_decides_nothing():
    sure = update(dates.instant(utc("2022-01-12T02:15")), path="history.json", host="WS0002")
    unsure = update(dates.read_day("1/12/2022", "undecided"), path="hotfix.csv")
    assert localtime.decide_orders(schema.frame("updates", [sure, unsure])) == {}


def test_a_utc_time_of_open_order_is_decided_too_and_stays_utc():
    open_time = com_history.in_utc(dates.read_local("1/12/2022 2:15:00 AM", "undecided"))
    assert open_time.high - open_time.low > pd.Timedelta(days=300)
    sure = update(dates.instant(utc("2022-01-12T02:15")), path="history.json")
    problems = []
    table = schema.frame("updates", [sure, update(open_time, path="history.csv")])
    out = localtime.settle_rows(table, localtime.UPDATES, known(exactly(60)), problems).iloc[1]
    assert list(out[["date", "date_low", "date_high"]]) == [utc("2022-01-12T02:15")] * 3
    assert (out["date_basis"], out["tz_source"]) == ("utc", "")
    assert len(problems) == 1


def test_a_file_of_mixed_orders_is_never_decided():
    sure = update(dates.instant(utc("2022-01-12T02:15")), path="history.json")
    mixed = update(dates.read_day("1/12/2022", "mixed"), path="hotfix.csv")
    table = schema.frame("updates", [sure, mixed])
    assert localtime.decide_orders(table) == {}
    out = localtime.settle_rows(table, localtime.UPDATES, known(), [])
    assert pd.isna(out["date"].iloc[1])


def test_order_in_time_knows_that_a_year_of_two_digits_may_be_of_the_next_century():
    printed = ["1/3/00 12:00:00", "2/2/00 12:00:00", "1/2/90 12:00:00"]  # 2090, or 1990
    assert dates.order_in_time(printed) == "undecided"


def test_order_in_time_decides_where_no_value_does():
    printed = [f"{day}/1/2022 10:00:00" for day in (2, 3, 5, 9)]
    assert dates.order_of(printed) == "undecided"
    assert dates.order_in_time(printed) == "undecided"  # rises either way
    to_and_fro = ["1/11/2022 10:00:00", "1/12/2022 10:00:00", "2/1/2022 10:00:00"]
    assert dates.order_in_time(to_and_fro) == "month first"
    assert dates.order_in_time(to_and_fro[::-1]) == "month first"


@given(
    st.datetimes(datetime(2021, 1, 1), datetime(2022, 12, 31)),
    st.sampled_from([-480, -210, 0, 60, 345, 840]),
    st.sampled_from(["wall", "day", "shifted"]),
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_the_truth_lies_in_the_interval_and_the_time_too(true, offset, kind, known_offset):
    moment = true.replace(microsecond=0)
    shown = moment + timedelta(minutes=offset)
    when = {
        "wall": dates.local(shown),
        "day": dates.day(shown.date()),
        "shifted": dates.shifted(utc(moment - timedelta(minutes=offset))),
    }[kind]
    zone = known(exactly(offset, start="2020-06-01", end="2023-06-01")) if known_offset else known()
    row, _ = settled(when, zone)
    assert row["date_low"] <= utc(moment) <= row["date_high"]
    assert row["date_low"] <= row["date"] <= row["date_high"]


PLACES = [
    "Europe/Berlin",
    "America/St_Johns",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Africa/Casablanca",
    "Asia/Kathmandu",
]
MOMENTS = st.datetimes(datetime(2021, 1, 1), datetime(2022, 12, 31))


@given(st.sampled_from(PLACES), st.lists(MOMENTS, max_size=10), MOMENTS, st.booleans())
@settings(max_examples=250, deadline=None)
def test_the_truth_lies_in_the_interval_on_whatever_clock(place, marks, true, months):
    zone = ZoneInfo(place)
    moment = true.replace(microsecond=0)
    shown = moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    written = moment.replace(tzinfo=zone).astimezone(UTC)  # the UTC taken for local
    offset = {at: at.replace(tzinfo=UTC).astimezone(zone).utcoffset() for at in marks}
    rows = [
        exactly(int(ahead.total_seconds() // 60), start=at, end=at) for at, ahead in offset.items()
    ]
    printed = f"{shown:%m/%d/%Y %H:%M}" if months else f"{shown:%d/%m/%Y %H:%M}"
    for when in (
        dates.local(shown),
        dates.day(shown.date()),
        dates.shifted(utc(written.replace(tzinfo=None))),
        dates.read_local(printed, "undecided"),
    ):
        row, _ = settled(when, known(*rows))
        assert row["date_low"] <= utc(moment) <= row["date_high"]
        assert pd.isna(row["date"]) or row["date_low"] <= row["date"] <= row["date_high"]
        exact = row["date_basis"] == "offset"
        assert not exact or row["date_high"] - row["date_low"] <= pd.Timedelta("1min")


def test_an_export_whose_times_cannot_be_read_is_not_called_utc():
    texts = {"2022-01-12 03:00:00": "offset", "no time": "local"}
    ras = {"host": HOST, "provider": "RasClient", "event_id": 20225, "channel": "Application"}
    events = schema.frame(
        "events",
        [{**ras, "path": "a.csv", "data": {"@local_time": text}} for text in texts],
    )
    facts = classify(localtime.settle_events(events, known(exactly(60)), []))
    assert list(facts["time_basis"]) == list(texts.values())


EVENTS_CSV = (
    "Level,Date and Time,Source,Event ID,Task Category\r\n"
    'Information,1/13/2022 10:15:00 AM,RasClient,20225,None,"CoId={1}: connected."\r\n'
)


def noon(day, *, bias="-60 W. Europe Standard Time"):
    return Event(
        provider="EventLog",
        event_id=6013,
        time=ticks(f"2022-01-{day:02}T11:00:00Z"),
        data=["", "", "", "", str(140000 + (day - 12) * 86400), "60", bias],
    )


def test_an_export_in_local_time_is_put_on_utc_by_the_log_beside_it(tmp_path):
    folder = tmp_path / HOST
    folder.mkdir()
    log = encode_log(
        [noon(11), noon(12), noon(13), noon(14)], channel="System", computer=f"{HOST}.corp.example"
    )
    (folder / "System.evtx").write_bytes(log)
    (folder / "Application.csv").write_text(EVENTS_CSV, encoding="utf-8")
    evidence = kit.read_evidence(tmp_path)
    row = evidence.events[evidence.events["event_id"] == 20225].iloc[0]
    assert row["time_created"] == utc("2022-01-13T09:15:00")
    assert row["host"] == f"{HOST}.corp.example"
    assert row["data"]["@tz_source"] == "event 6013"
    assert set(evidence.clocks["source"]) == {"event 6013"}
    facts = kit.build_timeline(evidence)
    told = facts[facts["action"] == "attempt_succeeded"]
    assert list(told["time_basis"]) == ["offset"]
    assert list(told["tz_source"]) == ["event 6013"]


def test_an_export_alone_keeps_its_local_time_and_no_instant(tmp_path):
    folder = tmp_path / HOST
    folder.mkdir()
    (folder / "Application.csv").write_text(EVENTS_CSV, encoding="utf-8")
    evidence = kit.read_evidence(tmp_path)
    row = evidence.events.iloc[0]
    assert pd.isna(row["time_created"])
    assert row["data"]["@local_time"] == "1/13/2022 10:15:00 AM"
    assert row["data"]["@time_low"] == "2022-01-12T20:15:00Z"
    assert row["data"]["@time_high"] == "2022-01-13T22:15:00Z"
    fact = kit.build_timeline(evidence).iloc[0]
    assert (fact["time_low"], fact["time_high"]) == (
        utc("2022-01-12T20:15"),
        utc("2022-01-13T22:15"),
    )
    assert fact["time_basis"] == "local"


def test_a_case_store_gives_the_same_times_as_the_evidence(tmp_path):
    folder = tmp_path / "evidence" / HOST
    folder.mkdir(parents=True)
    (folder / "System.evtx").write_bytes(
        encode_log([noon(11), noon(12), noon(14)], channel="System", computer=HOST)
    )
    (folder / "hotfix.csv").write_text(
        '"HotFixID","InstalledOn"\n"KB5009543","1/13/2022 12:00:00 AM"\n', encoding="utf-8"
    )
    direct = kit.read_evidence(tmp_path / "evidence")
    from kitlib import store  # noqa: PLC0415  # beside its use

    store.ingest(tmp_path / "evidence", tmp_path / "case")
    stored = store.load(tmp_path / "case")
    for table in ("updates", "events", "sessions", "problems", "clocks"):
        pd.testing.assert_frame_equal(getattr(stored, table), getattr(direct, table))
    assert direct.updates["date_low"].item() == utc("2022-01-12T23:00")


def test_a_table_whose_index_repeats_keeps_its_rows():
    table = schema.frame(
        "updates",
        [
            update(dates.local(datetime(2022, 1, 12, 3))),
            update(dates.instant(utc("2022-01-13"))),
            update(dates.local(datetime(2022, 1, 14, 3))),
        ],
    )
    table.index = pd.Index([7, 7, 7])
    out = localtime.settle_rows(table, localtime.UPDATES, known(exactly(60)), [])
    assert list(out["date"]) == [utc(f"2022-01-{t}") for t in ("12T02:00", "13", "14T02:00")]
    assert list(out["tz_source"]) == ["reporting_events", "", "reporting_events"]
    assert list(out.index) == [7, 7, 7]
    text = {"host": HOST, "path": "a.csv", "data": {"@local_time": "2022-01-12 03:00:00"}}
    events = schema.frame("events", [text, {**text, "time_created": utc("2022-01-13")}, text])
    events.index = table.index
    told = localtime.settle_events(events, known(exactly(60)), [])["time_created"]
    assert list(told) == [utc("2022-01-12T02:00"), utc("2022-01-13"), utc("2022-01-12T02:00")]


def test_a_day_abroad_is_as_wide_as_both_offsets_make_it():
    zone = known(
        exactly(60, start="2022-01-01", end="2022-01-12T09:00"),
        exactly(540, start="2022-01-12T10:00", end="2022-01-20"),
    )
    row, _ = settled(dates.day(date(2022, 1, 12)), zone)
    assert (row["date_low"], row["date_high"]) == (utc("2022-01-11T23:00"), utc("2022-01-12T15:00"))


def of_gateway(stamp, **cells):
    when = dates.yearless(
        int(stamp[:2]), int(stamp[3:5]), datetime.fromisoformat(f"2000-{stamp}").time()
    )
    row = {"gateway": "vpn1", "path": "charon.log", "local": when.local, **cells}
    return schema.frame("sessions", [row])


WINDOW = (utc("2021-12-13").value, utc("2022-02-04").value)


@pytest.mark.parametrize(
    ("stamp", "year"),
    [("12-31T23:30:00", 2021), ("01-12T03:15:00", 2022), ("11-01T00:00:00", 2021)],
)
def test_a_time_without_a_year_is_of_the_year_of_the_other_logs(stamp, year):
    problems = []
    zone = zones.Zones.of(
        schema.frame("clocks", [{**exactly(60, start="2021-06-01"), "host": "vpn1"}])
    )
    out = localtime.settle_rows(
        of_gateway(stamp), localtime.SESSIONS, zone, problems, window=WINDOW
    ).iloc[0]
    assert out["time"] == utc(f"{year}-{stamp}") - pd.Timedelta("1h")
    assert any("beside the other logs" in row["reason"] for row in problems)


@pytest.mark.parametrize("window", [None, WINDOW])
def test_a_time_without_a_year_stays_open_where_nothing_tells_it(window):
    problems = []
    rows = of_gateway("07-12T03:15:00")
    out = localtime.settle_rows(rows, localtime.SESSIONS, known(), problems, window=window).iloc[0]
    assert pd.isna(out["time"])
    assert pd.isna(out["time_low"])
    assert any("they stay open" in row["reason"] for row in problems)


@pytest.mark.parametrize("first", ["1677-12-01", "2019-12-13", "2262-01-01"])
def test_a_log_with_a_time_out_of_all_bounds_leaves_the_year_open(first):
    window = sorted([utc(first).value, WINDOW[1]])
    rows = of_gateway("01-12T03:15:00")
    out = localtime.settle_rows(rows, localtime.SESSIONS, known(), [], window=tuple(window))
    assert out["time_low"].isna().all()


def test_logs_at_the_end_of_all_time_do_not_stop_the_year_from_being_looked_for():
    end = (1 << 63) - 1
    rows = of_gateway("01-12T03:15:00")
    out = localtime.settle_rows(rows, localtime.SESSIONS, known(), [], window=(end - 9, end))
    assert out["time_low"].isna().all()


def test_a_leap_day_is_of_a_leap_year():
    window = (utc("2023-12-13").value, utc("2024-03-04").value)
    rows = of_gateway("02-29T03:15:00")
    out = localtime.settle_rows(rows, localtime.SESSIONS, known(), [], window=window).iloc[0]
    assert out["time_low"].year == 2024


def test_the_clock_of_a_gateway_log_is_that_of_the_machine_that_wrote_it():
    rows = schema.frame(
        "sessions",
        [
            {
                "gateway": "ras1",
                "logged_by": HOST,
                "path": "IN2201.log",
                "local": dates.local(datetime(2022, 1, 12, 3, 15)).local,
            }
        ],
    )
    out = localtime.settle_rows(rows, localtime.SESSIONS, known(exactly(60)), []).iloc[0]
    assert (out["time"], out["tz_source"]) == (utc("2022-01-12T02:15"), "reporting_events")
