"""What could have been seen, and why no more: "no failure logged" is not "no log"."""

from __future__ import annotations

import pytest
import worlds

from kitlib import schema
from kitlib.coverage import measure_coverage
from kitlib.timeline import build_timeline

RAS = {"channel": "Application", "provider": "RasClient"}


def measure(events, *, problems=()):
    found = worlds.evidence(events=events, problems=problems)
    return schema.check("coverage", measure_coverage(found, build_timeline(found)))


def spans(df, *columns):
    return list(df[list(columns)].itertuples(index=False, name=None))


def lost(records, path="PC1/System.evtx"):
    return [{"path": path, "place": "chunk 2", "reason": "damaged", "records_lost": records}]


def cleared(time, channel, **columns):
    data = {"UserData": "LogFileCleared", "Channel": channel}
    provider = "Microsoft-Windows-Eventlog"
    return worlds.event(time, provider=provider, event_id=104, data=data, **columns)


def test_measure_of_nothing_is_an_empty_table():
    assert measure([]).empty


def test_measure_gives_a_host_known_from_a_dump_alone_no_coverage():
    found = worlds.evidence(updates=[worlds.update("01-11 08:00")])
    assert measure_coverage(found, build_timeline(found)).empty


@pytest.mark.parametrize(("first_id", "why"), [(1, "log created"), (900, "rolled over")])
def test_measure_tells_a_whole_log_from_a_rolled_one(first_id, why):
    (row,) = measure(worlds.run_of(5, first_id=first_id)).to_dict("records")
    assert (row["start"], row["end"]) == (worlds.at("01-01 00:00"), worlds.at("01-01 04:00"))
    assert (row["why_start"], row["why_end"], row["records"]) == (why, "export", 5)


def test_measure_reaches_to_the_latest_record_of_the_host():
    df = measure([*worlds.run_of(3, **RAS), *worlds.run_of(9), *worlds.run_of(99, host="PC2")])
    ends = df.set_index(["host", "channel"])["end"]
    assert ends["PC1", "Application"] == worlds.at("01-01 08:00")
    assert ends["PC2", "System"] == worlds.at("01-05 02:00")


def test_measure_splits_at_a_gap():
    df = measure(worlds.run_of(9) + worlds.run_of(9, first_id=20, start="01-05 00:00"))
    assert spans(df, "start", "end", "why_start", "why_end", "records") == [
        (worlds.at("01-01 00:00"), worlds.at("01-01 08:00"), "log created", "gap", 9),
        (worlds.at("01-05 00:00"), worlds.at("01-05 08:00"), "gap", "export", 9),
    ]


def test_measure_calls_a_gap_in_a_damaged_file_damage():
    rows = worlds.run_of(9) + worlds.run_of(9, first_id=20, start="01-05 00:00")
    df = measure(rows, problems=lost(10))
    assert spans(df, "why_start", "why_end") == [("log created", "damaged"), ("damaged", "export")]


@pytest.mark.parametrize("records", [10, None])
def test_measure_does_not_reach_over_newest_records_that_may_be_lost(records):
    rows = [*worlds.run_of(5), *worlds.run_of(50, **RAS)]
    df = measure(rows, problems=lost(records))
    assert spans(df[df["channel"] == "System"], "end", "why_end") == [
        (worlds.at("01-01 04:00"), "damaged")
    ]
    assert spans(df[df["channel"] == "Application"], "end", "why_end") == [
        (worlds.at("01-03 01:00"), "export")
    ]


def test_measure_takes_problems_without_loss_for_no_damage():
    rows = worlds.run_of(9) + worlds.run_of(9, first_id=20, start="01-05 00:00")
    df = measure(rows, problems=lost(0))
    assert spans(df, "why_end") == [("gap",), ("export",)]


def test_measure_knows_a_cleared_log():
    rows = [
        *worlds.run_of(5, first_id=800, start="01-03 00:05", **RAS),
        *worlds.run_of(9),
        cleared("01-03 00:00", "Application", record_id=10),
    ]
    whys = measure(rows).set_index("channel")["why_start"].to_dict()
    assert whys == {"Application": "cleared", "System": "log created"}


def test_measure_takes_a_cleared_security_log_for_that_log_alone():
    rows = [
        worlds.event(
            "01-01 00:00",
            channel="Security",
            provider="Microsoft-Windows-Eventlog",
            event_id=1102,
            record_id=70,
        ),
        *worlds.run_of(9, first_id=500),
    ]
    whys = measure(rows).set_index("channel")["why_start"].to_dict()
    assert whys == {"Security": "cleared", "System": "rolled over"}


def test_measure_gives_a_filtered_export_one_span():
    rows = [row for n in range(60) for row in worlds.run_of(1, first_id=5 * n + 3)]
    assert spans(measure(rows), "why_start", "why_end", "records") == [
        ("filtered export", "export", 60)
    ]


def test_measure_knows_a_small_filtered_export_too():
    rows = [
        row
        for n in range(6)
        for row in worlds.run_of(1, first_id=50 * n + 3, start=f"01-0{n + 1} 00:00")
    ]
    assert spans(measure(rows), "start", "why_start") == [
        (worlds.at("01-01 00:00"), "filtered export")
    ]


def test_measure_joins_overlapping_exports_of_one_log():
    early = worlds.run_of(9, path="PC1/a.evtx")
    late = worlds.run_of(9, first_id=6, start="01-01 05:00", path="PC1/b.evtx")
    assert spans(measure(early + late), "start", "end", "records") == [
        (worlds.at("01-01 00:00"), worlds.at("01-01 13:00"), 14)
    ]


def test_measure_keeps_logs_apart_that_count_from_the_beginning_again():
    old = worlds.run_of(9, path="PC1/old.evtx")
    new = worlds.run_of(9, start="02-01 00:00", path="PC1/new.evtx")
    df = measure(old + new)
    assert spans(df, "start", "end", "why_start") == [
        (worlds.at("01-01 00:00"), worlds.at("01-01 08:00"), "log created"),
        (worlds.at("02-01 00:00"), worlds.at("02-01 08:00"), "log created"),
    ]


def test_measure_counts_records_without_numbers():
    rows = [row | {"record_id": None} for row in worlds.run_of(5)]
    assert spans(measure(rows), "start", "end", "why_start", "records") == [
        (worlds.at("01-01 00:00"), worlds.at("01-01 04:00"), "no record numbers", 5)
    ]


def test_measure_leaves_records_without_numbers_out_beside_numbered_ones():
    text = [row | {"record_id": None, "path": "PC1/s.csv"} for row in worlds.run_of(5)]
    assert measure(worlds.run_of(5) + text)["records"].tolist() == [5]


def test_measure_survives_records_without_time_or_host():
    rows = worlds.run_of(5)
    rows[2] = rows[2] | {"time_created": None}
    nobody = [row | {"host": ""} for row in worlds.run_of(5, path="x.evtx")]
    df = measure(rows + nobody)
    assert df["host"].unique().tolist() == ["PC1"]
    assert df["start"].notna().all()


def test_measure_covers_a_machine_under_all_its_names_together():
    rows = worlds.run_of(5, host="OLD", path="s") + worlds.run_of(
        5, first_id=6, start="01-01 05:00", host="NEW", path="s"
    )
    assert spans(measure(rows), "host", "records") == [("NEW", 10)]


def test_measure_takes_no_list_of_detections_for_a_log():
    events = worlds.run_of(5, path="PC1/hayabusa.csv")
    found = worlds.evidence(
        events=events, files=[{"path": "PC1/hayabusa.csv", "kind": "hayabusa_csv", "host": "PC1"}]
    )
    assert measure_coverage(found, build_timeline(found)).empty
    assert not measure(events).empty
