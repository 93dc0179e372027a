"""Charts: tables in, matplotlib Axes out.

Every chart states its finding as title, computed from the numbers it draws; the denominator and
the window stand below; times are UTC; each meaning has one colour and one mark (`LOOKS`).
``ax=None`` draws on a figure of the kit's own size. An empty table gives axes that say so.

    from kitlib import charts

    charts.show(charts.success_rate(attempts, exposure, guilty=["KB5009543"]))

`caption` and `alt_text` return the words of a chart, `png` its bytes (the same each time), `show`
what a notebook displays. This package computes shares and intervals for what it draws, and no
verdicts; it imports matplotlib, which ``import kitlib`` does not.
"""

from __future__ import annotations

from kitlib.charts._canvas import (
    LOOKS,
    Look,
    Picture,
    alt_text,
    caption,
    is_empty,
    png,
    show,
    title,
)
from kitlib.charts._words import name_changes
from kitlib.charts.fleet import adoption, fleet_swimlane
from kitlib.charts.logs import coverage_chart
from kitlib.charts.outcome import Cost, cost, hosts_out, suspects_chart, time_to_recovery
from kitlib.charts.rates import aligned_on_exposure, error_codes, success_rate

__all__ = [
    "LOOKS",
    "Cost",
    "Look",
    "Picture",
    "adoption",
    "aligned_on_exposure",
    "alt_text",
    "caption",
    "cost",
    "coverage_chart",
    "error_codes",
    "fleet_swimlane",
    "hosts_out",
    "is_empty",
    "name_changes",
    "png",
    "show",
    "success_rate",
    "suspects_chart",
    "time_to_recovery",
    "title",
]
