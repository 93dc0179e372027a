"""Findings, truths and rows of results made by hand, for the tests of the benchmark."""

from __future__ import annotations

import baselines
import pandas as pd
import scoring

from kitlib.incident import load_incident

NAMED = load_incident("kb5009543")


def truth(status="supported", changes=("KB1", "KB2"), hosts=(), **more):
    """A small ``truth.json``; innocent where `status` is not_supported."""
    verdict = {"status": status, "changes": list(changes), "competing": []}
    impact = {"sessions_lost": 0.0, "user_hours_lost": 0.0} | more.pop("impact", {})
    onset = more.pop("onset", None)
    return {"verdict": verdict | more, "hosts": list(hosts), "onset": onset, "impact": impact}


def true_host(name, status="recovered", **more):
    base = {"host": name, "status": status, "at_risk": False, "exposure": [], "onset": None}
    return base | {"sessions_lost": 0.0, "user_hours_lost": 0.0} | more


def said(status="supported", changes=("KB1", "KB2"), probability=0.99, competing=()):
    return {
        "status": status,
        "changes": list(changes),
        "competing": list(competing),
        "probability": probability,
        "text": "…",
    }


def findings(verdict=None, hosts=(), onset=None, impact=None):
    return {
        "verdict": verdict or said(),
        "hosts": list(hosts),
        "onset": {"time": onset, "interval": [onset, onset]},
        "impact": impact or {"attempts_lost": 0, "user_hours_lost": [0.0, 0.0, 0.0]},
    }


def found_host(name, status="recovered", **more):
    base = {"host": name, "status": status, "at_risk": False, "confidence": 0.9}
    return base | {"user_hours_lost": [0.0, 0.0, 0.0]} | more


INNOCENT = truth("not_supported", (), competing=["shared_outage"])
NONE_TO_BLAME = {"right": True, "false_blame": False, "competing": True}


def row(true, found, *, family="one", seed=0, **more):
    base = {"family": family, "hosts": 0, "seed": seed, "kit_version": "0.2.0", "code": "abc"}
    base |= {"seconds": {"read": 2.0}, "error": None, "interval": 3.0}
    base |= {"baselines": {"newest change": said("supported", ("KB9",))}}
    return base | scoring.facts(true, found) | more


def rows():
    """Two guilty worlds, one of them missed by a wide mark, two innocent ones, one broken off."""
    host, found = true_host("A", at_risk=True), found_host("A", at_risk=True)
    guilty = truth(
        hosts=[host],
        onset="2022-01-12T08:00:00Z",
        impact={"sessions_lost": 10.0, "user_hours_lost": 10.0},
    )
    impact = {"attempts_lost": 12, "user_hours_lost": [10.5, 9.0, 12.0]}
    hit = findings(hosts=[found], onset="2022-01-12T10:00:00Z", impact=impact)
    missed = findings(said("supported", ("KB3",), 0.6), hosts=[found])
    calm = findings(said("not_supported", (), 0.85, ["shared_outage"]))
    return [
        row(guilty, hit),
        row(guilty, missed, seed=1),
        row(INNOCENT, calm, family="two"),
        row(INNOCENT, findings(), family="two", seed=1),
        row(INNOCENT, None, family="two", seed=2, error="Traceback\nValueError: x", baselines={}),
    ]


def blamed(rule, world):
    tables = world.tables()
    return baselines.BASELINES[rule](tables.attempts, tables.exposure, NAMED)


def small(*tries):
    """Attempts (host, hour, failed) and one change on each host at hour 0."""
    start = pd.Timestamp("2022-01-12T00:00Z")
    attempts = pd.DataFrame(
        {
            "host": [host for host, _, _ in tries],
            "time": [start + pd.Timedelta(hours=hour) for _, hour, _ in tries],
            "outcome": ["failure" if failed else "success" for _, _, failed in tries],
            "code": ["789" if failed else "" for _, _, failed in tries],
        }
    )
    hosts = sorted(set(attempts["host"]))
    exposure = pd.DataFrame(
        {
            "host": hosts,
            "change": ["KB1"] * len(hosts),
            "start": pd.to_datetime([start] * len(hosts)),
            "end": pd.to_datetime([pd.NaT] * len(hosts), utc=True),
            "revision": pd.array([1] * len(hosts), dtype="Int64"),
        }
    )
    return attempts, exposure, NAMED
