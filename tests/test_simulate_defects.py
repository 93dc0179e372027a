"""Evidence with a defect on one host: the files lack just what the truth says they lack."""

from __future__ import annotations

from datetime import datetime, timedelta

from simulated import records, told_by, truth_of
from simulated_three_hosts import SMALL, scenario_file, small

from kitlib.simulate.fleet import simulate


def with_defect(text):
    return f'{SMALL}\n[[defect]]\nhost = "PC-A"\n{text}\n'


def test_a_cleared_log_is_recorded_in_system_and_costs_the_host_its_status(tmp_path):
    out = small(tmp_path, with_defect('kind = "cleared"\nat = 2022-01-21T17:00:00'))
    cleared = [r for r in records(out / "PC-A" / "System.evtx") if r[3] == 104]
    assert cleared[0][5]["LogFileCleared"]["Channel"] == "Application"
    assert truth_of(told_by(out), "PC-A")["status"] == "no_data"
    assert truth_of(told_by(out), "PC-B")["status"] == "recovered"


def test_a_missing_log_is_not_written(tmp_path):
    out = small(tmp_path, with_defect('kind = "missing"'))
    assert not (out / "PC-A" / "Application.evtx").exists()
    assert truth_of(told_by(out), "PC-A")["status"] == "no_data"


def test_a_cut_log_ends_where_the_truth_says(tmp_path):
    out = small(tmp_path, with_defect('kind = "cut"\nlog = "System"\nchunk = 1'))
    raw = (out / "PC-A" / "System.evtx").read_bytes()
    first = told_by(out)["defects"][0]["record_ids"][0]
    whole = small_ids(tmp_path)
    assert len(raw) == 4096 + 65536 + 32768
    assert first in whole


def small_ids(folder):
    simulate(scenario_file(folder, SMALL), seed=1, out=folder / "whole")
    return [row[0] for row in records(folder / "whole" / "PC-A" / "System.evtx")]


def test_a_duplicated_export_repeats_the_records_up_to_its_moment(tmp_path):
    out = small(tmp_path, with_defect('kind = "duplicated"\nat = 2022-01-14T12:00:00'))
    early = records(out / "PC-A" / "Application (1).evtx")
    late = records(out / "PC-A" / "Application.evtx")
    assert 0 < len(early) < len(late)
    assert [r[:4] for r in early] == [r[:4] for r in late[: len(early)]]


def test_a_wrong_clock_shifts_times_not_order_and_is_set_right_by_a_record(tmp_path):
    out = small(
        tmp_path,
        with_defect(
            'kind = "clock"\nlog = "System"\nat = 2022-01-10T00:00:00\n'
            "until = 2022-01-14T12:00:00\nminutes = 90.0"
        ),
    )
    simulate(scenario_file(tmp_path, SMALL), seed=1, out=tmp_path / "right")
    skewed = {r[0]: r[1] for r in records(out / "PC-A" / "Application.evtx")}
    right = {r[0]: r[1] for r in records(tmp_path / "right" / "PC-A" / "Application.evtx")}
    moved = {skewed[i] - right[i] for i in right}
    assert moved == {timedelta(0), timedelta(minutes=90)}
    jumps = [
        r[5]
        for r in records(out / "PC-A" / "System.evtx")
        if r[3] == 1 and r[2].endswith("Kernel-General")
    ]
    steps = [
        datetime.fromisoformat(j["NewTime"]) - datetime.fromisoformat(j["OldTime"]) for j in jumps
    ]
    assert min(steps) == timedelta(minutes=-90)
