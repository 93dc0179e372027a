"""Weigh explanations: how well does each account for who failed when.

The data are episodes (bursts of attempts): host, time, failed with the symptom or not. Every
explanation is a probability for the whole pattern, and hosts are the unit of inference:

* nothing   every host fails at its own low rate; now and then one has a bad spell of its own,
            which may start and end on any of its days, or has been failing all along;
* outage    all hosts, or all of one site, fail within a window, as far as they are susceptible;
* trend     all hosts fail at one rate that rises or falls steadily, or changes from week to week;
* a change  a host fails while the change is in effect on it, as far as it is susceptible.

Outages can come on top of anything: a change is weighed with and without each outage that stands
out, so that a bad day of the gateway inside a rollout neither convicts nor acquits. Rates, the
share of susceptible hosts, windows and cures are averaged, so an explanation with more freedom
pays for it. What one host can contribute to a change is bounded by the chance of a spell of its own
at just that time: ten failures of one machine are not ten machines.

What is ordinary is not known either: each host has a low rate of its own, or all have about the
same one, fitted. Everything is weighed under both.

`panel` holds the data, `likelihood` the single explanations, `outages` finds windows, `usual` the
ordinary rates, `sides` weighs everything under one of them, `weights` puts all of it together.
Nothing here knows Windows, and nothing decides the verdict.
"""

from __future__ import annotations

from kitlib.explain.likelihood import (
    FAULT_RATE,
    FAULT_RATES,
    LAGS,
    OWN_FAULT,
    OWN_SPELL,
    RAMP,
    SUSCEPTIBLE,
    WEEK,
    fault_rates,
    own_spells,
)
from kitlib.explain.outages import Outage
from kitlib.explain.panel import BASE_RATE, Panel
from kitlib.explain.sides import PRIOR
from kitlib.explain.weights import Weights, weigh

__all__ = [
    "BASE_RATE",
    "FAULT_RATE",
    "FAULT_RATES",
    "LAGS",
    "OWN_FAULT",
    "OWN_SPELL",
    "PRIOR",
    "RAMP",
    "SUSCEPTIBLE",
    "WEEK",
    "Outage",
    "Panel",
    "Weights",
    "fault_rates",
    "own_spells",
    "weigh",
]
