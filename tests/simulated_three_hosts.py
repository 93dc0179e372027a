"""Three hosts in three weeks: two get the guilty update and its fix, one gets neither."""

from __future__ import annotations

from simulated import file_of, scenario_head

from kitlib.simulate.fleet import simulate

SMALL = (
    scenario_head("three hosts, three weeks")
    + """\
[[fault]]
name = "ipsec"
kind = "change"
codes = { 789 = 1.0 }
carrier = [{ branch = "win10-21h2", first = 1466, fixed = 1469 }]
[[host]]
names = ["PC-A", "PC-B"]
branch = "win10-21h2"
revision = 1415
act = [
  { do = "install", revision = 1466, at = 2022-01-12T10:00:00 },
  { do = "install", revision = 1469, at = 2022-01-18T10:00:00 },
]
[[host]]
names = ["PC-C"]
branch = "win10-21h2"
revision = 1415
"""
)


def scenario_file(folder, text):
    return file_of(folder, text, "small.toml")


def small(folder, text=SMALL, *, seed=1):
    return simulate(scenario_file(folder, text), seed=seed, out=folder / "out")
