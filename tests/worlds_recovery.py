"""A fleet with a guilty patch and one host for a test to shape, and its assessment.

Where a test is about a host's state and not about the verdict, the verdict is `declared`: the
profile's own change is to blame. That is what `judge_cause` finds here, only at once.
"""

from __future__ import annotations

import worlds_cause as w
from worlds_cause import BAD, DAYS, FIX, PATCHED, World, day, fails_under

from kitlib import schema
from kitlib.cause import Cause, judge_cause
from kitlib.incident import load_incident
from kitlib.recovery import assess_recovery
from kitlib.suspects import bad_spans, cured_spans

NAMED = load_incident("kb5009543")
OPEN = load_incident("vpn-outage")
HOST = "WS0000"
LAST = day(DAYS)


def fleet(seed=1, chance=1.0, hosts=20):
    """A guilty patch on 70 % of the hosts; host WS0000 is left alone, for the test to shape."""
    world = World(seed, hosts=hosts, per_day=3.0, base=0.0)
    world.stagger(world.names[1 : hosts * 7 // 10], PATCHED, PATCHED + 6)
    for host in world.names[1 : hosts // 2]:
        world.patch(host, day(PATCHED + 10, 11), FIX)
    world.fault = fails_under(BAD, chance=chance)
    return world


def as_facts(world):
    """The world's tables as a dict that a test may change."""
    tables = world.tables()
    return {
        "attempts": tables.attempts,
        "exposure": tables.exposure,
        "coverage": tables.coverage,
        "timeline": tables.timeline,
    }


def declared(facts, *, bad=None, cured=None, outages=(), status="supported"):
    """The verdict that the profile's change is to blame, or (with another status) that none is."""
    exposure = facts["exposure"]
    none = exposure.head(0)
    follows = status == "supported"
    return Cause(
        status=status,
        changes=("KB5009543",) if follows else (),
        competing=(),
        probability=0.99,
        text="declared",
        checks=(),
        suspects=schema.empty("suspects"),
        onset=(w.START, w.START, w.START),
        bad=(bad_spans(exposure, NAMED) if bad is None else bad) if follows else none,
        cured=(cured_spans(exposure, NAMED) if cured is None else cured) if follows else none,
        outages=tuple(outages),
    )


def recover(facts, cause, incident=NAMED):
    """Table ``hosts`` by host."""
    hosts = assess_recovery(
        facts["attempts"], facts["exposure"], facts["coverage"], facts["timeline"], incident, cause
    )  # fmt: skip
    schema.check("hosts", hosts)
    return hosts.set_index("host")


def told(world, change=None, incident=NAMED, **options):
    """Assess a world under the declared verdict; `change` may alter its tables."""
    facts = as_facts(world)
    if change:
        change(facts)
    return recover(facts, declared(facts, **options), incident)


def assess(world, incident=NAMED, change=None):
    """Assess a world under the verdict that the kit itself reaches, which must be 'supported'."""
    facts = as_facts(world)
    if change:
        change(facts)
    verdict = judge_cause(facts["attempts"], facts["exposure"], facts["coverage"], incident)
    assert verdict.status == "supported", verdict.text
    return recover(facts, verdict, incident)


def installed(host, time, change, *, low=None, record_id=500):
    """A row of the timeline: an update reported installed."""
    return {
        "host": host, "time": time, "time_low": low or time, "time_high": time,
        "time_basis": "utc", "action": "update_installed", "outcome": "success",
        "change": change, "channel": "System", "record_id": record_id,
    }  # fmt: skip


def added(*rows):
    """A change of the tables: more rows of the timeline."""

    def change(facts):
        facts["timeline"] = schema.concat(
            "timeline", [facts["timeline"], schema.frame("timeline", rows)]
        )

    return change
