"""A scenario is found by name or file, keeps its office's clock, and needs an empty folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from simulated_three_hosts import SMALL, scenario_file

from kitlib.errors import UsageError
from kitlib.simulate.fleet import list_scenarios, load_scenario, simulate


@pytest.mark.parametrize("name", list_scenarios())
def test_every_scenario_file_is_valid(name):
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.title


def test_list_scenarios_names_the_three_first():
    assert {"founding-office", "quiet-outage", "big-bang"} <= set(list_scenarios())


def test_simulate_refuses_a_folder_with_something_in_it(tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not an empty folder"):
        simulate("big-bang", seed=1, out=tmp_path)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_window_turns_local_time_into_utc_and_back_across_a_change_of_offset(tmp_path):
    shift = "shifts = [{ at = 2022-01-10T02:00:00, utc_offset_minutes = 120 }]\n[office]"
    window = load_scenario(scenario_file(tmp_path, SMALL.replace("[office]", shift))).window
    for hours in range(0, 24 * 18, 7):
        local = window.start + timedelta(hours=hours)
        assert window.local(window.utc(local)) == local
    noon = window.start.replace(day=12, hour=12)
    assert window.utc(noon) == datetime(2022, 1, 12, 10, tzinfo=UTC)
