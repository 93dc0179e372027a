"""Chance is the seed's alone: the same seed gives the same bytes, another host changes no other."""

from __future__ import annotations

import os
import subprocess
import sys

from simulated import contents
from simulated_three_hosts import SMALL, scenario_file, small

from kitlib.simulate.dice import Dice
from kitlib.simulate.fleet import simulate


def test_simulate_gives_the_same_bytes_for_the_same_seed(tmp_path):
    here = contents(small(tmp_path))
    code = (
        "import sys; from pathlib import Path; from kitlib.simulate.fleet import simulate;"
        "simulate(sys.argv[1], seed=1, out=Path(sys.argv[2]))"
    )
    there = tmp_path / "other process"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "small.toml"), str(there)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )
    assert contents(there) == here


def test_simulate_gives_other_bytes_for_another_seed(tmp_path):
    one = contents(small(tmp_path))
    path = tmp_path / "small.toml"
    other = contents(simulate(path, seed=2, out=tmp_path / "two"))
    assert one.keys() == other.keys()
    assert all(
        one[name] != other[name]
        for name in one
        if name.endswith(("Application.evtx", "System.evtx"))
    )


def test_adding_a_host_changes_no_other(tmp_path):
    one = contents(small(tmp_path))
    text = SMALL.replace('names = ["PC-A", "PC-B"]', 'names = ["PC-Z", "PC-A", "PC-B"]')
    more = contents(simulate(scenario_file(tmp_path, text), seed=1, out=tmp_path / "more"))
    same = [name for name in one if name != "truth.json"]
    assert {name: more[name] for name in same} == {name: one[name] for name in same}


def test_dice_count_has_the_mean_it_is_asked_for():
    dice = Dice(3, "mean")
    numbers = [dice.count(2.5) for _ in range(4000)]
    assert 2.4 < sum(numbers) / 4000 < 2.6


def test_dice_weighted_follows_the_weights():
    dice = Dice(3, "weights")
    drawn = [dice.weighted({1: 3.0, 2: 1.0}) for _ in range(4000)]
    assert 0.72 < drawn.count(1) / 4000 < 0.78
