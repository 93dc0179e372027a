"""Nine hosts in three sites and an outage of two days that hits all of them; a third has no VPN."""

from __future__ import annotations

from simulated import scenario_head

HEAD = scenario_head("two weeks", incident="vpn-outage", verdict="not_supported", fleet=9)
OUTAGE = """
[[fault]]
name = "outage"
kind = "world"
codes = { 809 = 1.0 }
start = 2022-01-11T00:00:00
end = 2022-01-13T00:00:00
"""
USERS = """
[[host]]
prefix = "{site}-A"
part = 0.6
branch = "win10-21h2"
revision = 1415
[[host]]
prefix = "{site}-N"
part = 0.4
branch = "win10-21h2"
revision = 1415
habits = { vpn = false }
"""
CALM = HEAD + OUTAGE + USERS
