"""Fleets by hand for the tests of restoration: one letter a day for what became of a host's try."""

from __future__ import annotations

import pandas as pd

from kitlib import schema
from kitlib.cause import Cause
from kitlib.incident import load_incident
from kitlib.restoration import measure_restoration

NAMED = load_incident("kb5009543")
OPEN = load_incident("vpn-outage")
PATCH, CURE = "KB5009543", "KB5010793"
DAY0 = pd.Timestamp("2022-01-11", tz="UTC")


def at(number, hour=9.0):
    return DAY0 + pd.Timedelta(days=number, hours=hour)


def tries(host, letters, first=0):
    """One burst a day at nine: x the symptom, o works, e another failure, a space nothing."""
    ends = {"x": ("failure", "789"), "o": ("success", ""), "e": ("failure", "691")}
    return [
        {"host": host, "time": at(n), "outcome": ends[c][0], "code": ends[c][1], "episode": n,
         "records": [f"{host}/Application#{n}"]}
        for n, c in enumerate(letters, first) if c != " "
    ]  # fmt: skip


def span(host, change, start, end=None):
    return {
        "host": host, "change": change, "start": None if start is None else at(start, 0),
        "end": None if end is None else at(end, 0), "build": 19044,
        "revision": {PATCH: 1466, CURE: 1469}[change], "records": [],
    }  # fmt: skip


def seen(host, end):
    return {"host": host, "channel": "Application", "start": at(-30), "end": at(end)}


def state(host, status, onset=None, back=None, by="", **more):
    return {
        "host": host, "status": status, "at_risk": status in ("still_failing", "workaround_only"),
        "onset": None if onset is None else at(onset), "recovered_by": by, "build": 19044,
        "recovered_at": None if back is None else at(back), **more,
    }  # fmt: skip


def verdict(bad=(), cured=(), status="supported"):
    nothing = (pd.NaT, pd.NaT, pd.NaT)
    return Cause(
        status, (PATCH,), (), 0.99, "", (), schema.empty("suspects"), nothing,
        bad=schema.frame("exposure", bad), cured=schema.frame("exposure", cured),
    )  # fmt: skip


def restore(hosts, days=(), logs=(), *, incident=NAMED, cause=None, **spans):
    return measure_restoration(
        schema.frame("hosts", hosts),
        schema.frame("attempts", [row for part in days for row in part]),
        schema.frame("coverage", logs),
        incident,
        cause or verdict(**spans),
    )


def fleet():
    """A is fixed on day 5, B removes the patch on day 3, C fails to the end, D is unconfirmed."""
    return restore(
        [
            state("A", "recovered", 1, 6, "fix"),
            state("B", "workaround_only", 1, 3, "uninstall"),
            state("C", "still_failing", 2),
            state("D", "unconfirmed", 2),
            state("E", "not_affected"),
            state("F", "no_data"),
        ],
        [tries("A", " xx  xooo"), tries("B", " xxoooo"), tries("C", "  x x xx"), tries("D", "  xxx")],
        [seen(host, 10) for host in "ABCDE"],
        bad=[span("A", PATCH, 0.5, 5.5), span("B", PATCH, 0.5, 2.5), span("C", PATCH, 0.5),
             span("D", PATCH, 0.5, 7)],
        cured=[span("A", CURE, 5.5), span("D", CURE, 7)],
    )  # fmt: skip
