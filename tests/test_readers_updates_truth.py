"""What is read of a simulated office's update histories holds the truth of that office."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest

from kitlib import readers
from kitlib.readers.updates import com_history
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.updates import WRITERS, fixes, history
from kitlib.simulate.world import grow


@pytest.fixture(scope="module")
def world():
    return grow(load_scenario("founding-office"), seed=7)


@pytest.mark.parametrize("dump", ["com_51", "com_iso"])
def test_com_history_holds_the_truth_of_every_simulated_entry(world, dump):
    for host in world.hosts:
        got = com_history.read(WRITERS[dump][1](world, host)).updates
        true = history(world, host)
        assert got["title"].tolist() == [entry.title for entry in true]
        times = pd.Series([pd.Timestamp(entry.time).floor("s") for entry in true])
        assert ((got["date_low"] <= times) & (times <= got["date_high"])).all()
        assert set(got["date_basis"]) == ({"utc"} if dump == "com_iso" else {"local"})


@pytest.mark.parametrize("dump", ["hotfix_csv", "wmic_csv", "wmic_table"])
def test_inventories_hold_the_truth_of_every_simulated_row(world, dump):
    for host in world.hosts:
        got = reader_for(dump).read(WRITERS[dump][1](world, host)).updates
        true = fixes(world, host)
        assert got["kb"].tolist() == [fix.kb for fix in true]
        assert set(got["host"]) == {host.name}
        for fix, (_, row) in zip(true, got.iterrows(), strict=True):
            midnight = datetime(fix.day.year, fix.day.month, fix.day.day)  # local
            start, end = (world.window.utc(midnight + timedelta(days=n)) for n in (0, 1))
            assert row["date_low"] <= start < end <= row["date_high"]


def reader_for(dump: str) -> readers.Reader:
    kind = "get_hotfix" if dump == "hotfix_csv" else "wmic_qfe"
    return next(reader for reader in readers.READERS if reader.kind == kind)
