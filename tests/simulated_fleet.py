"""A fleet of three sites and groups, with a guilty update, an outage or an agent that only logs."""

from __future__ import annotations

from simulated import records, scenario_head, strings

HEAD = scenario_head("a fleet of three weeks", fleet=24)
GUILTY = """
[[fault]]
name = "ipsec"
kind = "change"
codes = { 789 = 1.0 }
carrier = [{ branch = "win10-21h2", first = 1466, fixed = 1469 }]
"""
OUTAGE = """
[[fault]]
name = "outage"
kind = "world"
codes = { 809 = 1.0 }
start_between = [2022-01-10T06:00:00, 2022-01-12T06:00:00]
lasts_hours = [20.0, 30.0]
"""
LOGGED = """
[[fault]]
name = "watch"
kind = "logged"
codes = { 812 = 1.0 }
per_day = 6.0
package = "line-watch"
"""
PACKAGE = """
[[package]]
name = "line-watch"
kind = "application"
title = "Line Watch"
version = "1.2"
"""
GROUPS = """
[[host]]
prefix = "{site}-A"
part = 0.5
branch = "win10-21h2"
revision = 1415
dumps = ["com_iso", "hotfix_csv"]
act = [
  { do = "install", revision = 1466, between = [2022-01-12T09:00:00, 2022-01-12T15:00:00] },
  { do = "install", revision = 1469, between = [2022-01-18T09:00:00, 2022-01-18T15:00:00] },
]
[[host]]
prefix = "{site}-B"
part = 0.3
branch = "win10-21h2"
revision = 1415
[[host]]
prefix = "WS"
part = 0.2
branch = "win10-1809"
revision = 2300
"""
TEXT = HEAD + GUILTY + GROUPS
CALM = HEAD.replace('"supported"', '"not_supported"') + OUTAGE + GROUPS
LOGGING = HEAD.replace('"supported"', '"not_supported"') + PACKAGE + LOGGED + GROUPS
WITH_AGENT = LOGGING.replace("15:00:00] },\n  {", '15:00:00], also = ["line-watch"] },\n  {', 1)


def with_defect(text, defect):
    return f"{text}\n[[defect]]\n{defect}\n"


def by_name(world):
    return {host.name: host for host in world.hosts}


def ras_failures(path):
    """Time and code of every RasClient 20227 of a log, with the Rust parser."""
    return [
        (time, int(strings(payload)[3]))
        for _, time, provider, number, _, payload in records(path)
        if provider == "RasClient" and number == 20227
    ]
