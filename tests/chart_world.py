"""A made-up office for the chart, report and notebook tests: schema tables, no files.

Twelve hosts: eight get the bad update on days 8 and 9, six fail with code 789 from then on, one
removes it, four get the fix, one stays out; three never get it; one has no log.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from kitlib import schema
from kitlib.cause import Cause
from kitlib.claims import Check
from kitlib.evidence import Evidence
from kitlib.findings import Case
from kitlib.impact import Impact
from kitlib.incident import load_incident

__all__ = ["replace"]  # the tests swap single fields of the frozen parts

BAD = "KB5009543"
CURE = "KB5010793"
REVISIONS = {"KB5008212": 1415, BAD: 1466, CURE: 1469}
DAY0 = pd.Timestamp("2022-01-03T00:00:00Z")
LAST = pd.Timestamp("2022-01-28T18:00:00Z")


def at(day: float) -> pd.Timestamp:
    return DAY0 + pd.Timedelta(days=day)


def hosts(count: int = 12) -> list[str]:
    return [f"WS{i:04d}" for i in range(1, count + 1)]


def plan(count: int = 12) -> dict[str, tuple[float | None, float | None, float | None]]:
    """Per host: bad in effect from, removed at, fixed at (days)."""
    out: dict[str, tuple[float | None, float | None, float | None]] = {}
    for i, host in enumerate(hosts(count)):
        k = i % 12
        if k >= 8:
            out[host] = (None, None, None)
        elif k == 0:
            out[host] = (8.3, 10.4, None)
        elif k == 1:
            out[host] = (8.4, None, None)
        else:
            out[host] = (8.3 + 0.25 * k, None, 15.3 + 0.7 * k)
    return out


def exposure(count: int = 12) -> pd.DataFrame:
    rows = []
    for host, (bad, removed, fixed) in plan(count).items():
        first_end = bad
        rows.append({"host": host, "change": "KB5008212", "end": at(first_end) if bad else None})
        if bad is None:
            continue
        end = removed if removed is not None else fixed
        rows.append(
            {"host": host, "change": BAD, "start": at(bad), "end": at(end) if end else None}
        )
        if removed is not None:
            rows.append({"host": host, "change": "KB5008212", "start": at(removed)})
        elif fixed is not None:
            rows.append({"host": host, "change": CURE, "start": at(fixed)})
    number = 5000
    for row in rows:
        row |= {"kind": "update", "start_known_by": "boot", "build": 19044, "records": []}
        row["revision"] = REVISIONS[row["change"]]
        if "start" in row:
            row["records"] = [f"{row['host']}/System#{number}"]
            number += 1
    return schema.frame("exposure", rows)


def attempts(count: int = 12, *, seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = []
    record = 100
    for i, (host, (bad, removed, fixed)) in enumerate(plan(count).items()):
        if i % 12 == 11:
            continue
        end = removed if removed is not None else fixed if fixed is not None else 99
        for day in range(26):
            if day % 7 >= 5:
                continue
            for _ in range(int(random.integers(1, 4))):
                when = day + float(random.uniform(0.3, 0.75))
                hit = bad is not None and bad <= when < end and i % 12 != 7
                failed = hit and random.random() < 0.97
                noise = not failed and random.random() < 0.03
                record += 1
                if i % 12 == 5 and when < 9.2:  # rolled over: see coverage
                    continue
                rows.append(
                    {
                        "host": host,
                        "user": f"CORP\\user{i}",
                        "time": at(when),
                        "outcome": "failure" if failed or noise else "success",
                        "code": "789" if failed else "691" if noise else "",
                        "stage": "dialing",
                        "duration": 4.0,
                        "records": [f"{host}/Application#{record}"],
                        "target": "Office VPN",
                        "episode": record,
                    }
                )
    return schema.frame("attempts", rows)


def coverage(count: int = 12) -> pd.DataFrame:
    rows = []
    for i, host in enumerate(hosts(count)):
        if i % 12 == 11:
            continue
        start = at(9.2) if i % 12 == 5 else at(-2)
        why = "rolled over" if i % 12 == 5 else "log created"
        for channel in ("Application", "System", "Setup"):
            if channel == "Setup" and i % 12 > 6:
                continue
            rows.append(
                {
                    "host": host,
                    "channel": channel,
                    "start": start if channel == "Application" else at(-2),
                    "end": LAST,
                    "why_start": why if channel == "Application" else "log created",
                    "why_end": "export",
                    "records": 1200,
                }
            )
    rows.append(
        {
            "host": hosts(count)[-1],
            "channel": "System",
            "start": at(0),
            "end": LAST,
            "why_start": "cleared",
            "why_end": "export",
        }
    )
    return schema.frame("coverage", rows)


def recovery(count: int = 12) -> pd.DataFrame:
    rows = []
    tries = attempts(count)
    onset = tries.loc[tries["code"] == "789"].groupby("host")["time"].min()
    for i, (host, (bad, _, fixed)) in enumerate(plan(count).items()):
        k = i % 12
        hit = bad is not None and k != 7
        row = {
            "host": host,
            "status": "not_affected",
            "at_risk": False,
            "attempts": 30,
            "failures": 12 if hit else 0,
            "confidence": 0.97,
            "build": 19044,
            "revision": 1469,
            "why": "made up for the tests",
            "records": [f"{host}/Application#{101 + i}"],
        }
        if k == 11:
            row |= {"status": "no_data", "attempts": 0, "confidence": None}
        if hit:
            row |= {
                "status": "recovered",
                "exposed_from": at(bad),
                "onset": onset[host],
                "recovered_at": at(fixed + 0.2) if fixed else None,
                "recovered_by": "fix",
                "hours_lost": 9.0 + 3 * k,
                "hours_low": 6.0 + 2 * k,
                "hours_high": 13.0 + 4 * k,
            }
        if k == 0:
            row |= {
                "status": "workaround_only",
                "recovered_at": at(10.6),
                "recovered_by": "uninstall",
                "at_risk": True,
                "revision": 1415,
            }
        if k == 1:
            row |= {
                "status": "still_failing",
                "recovered_by": "",
                "at_risk": True,
                "revision": 1466,
            }
        rows.append(row)
    return schema.frame("hosts", rows)


def suspects() -> pd.DataFrame:
    rows = [
        (BAD, "update", 1, 0.97, 8, 0.91, 0.86, 0.95, 1),
        ("KB5008876", "update", 2, 0.02, 8, 0.60, 0.35, 0.81, 2),
        ("Contoso VPN driver 4.2", "driver", 3, 0.006, 5, 0.05, -0.12, 0.2, 3),
        ("KB890830", "update", 3, 0.003, 5, -0.04, -0.2, 0.11, 3),
        ("Agent 7.1", "application", 5, 0.001, 0, None, None, None, 4),
    ]
    names = list(schema.TABLES["suspects"])[:9]
    return schema.frame("suspects", [dict(zip(names, row, strict=True)) for row in rows])


def timeline(count: int = 12) -> pd.DataFrame:
    rows = []
    for i, row in enumerate(exposure(count).dropna(subset="start").to_dict("records")):
        rows.append(
            {
                "host": row["host"],
                "time": row["start"],
                "time_basis": "utc",
                "action": "boot",
                "message": f"Windows started with {row['change']}",
                "record_id": 5000 + i,
                "channel": "System",
                "build": 19044,
                "revision": REVISIONS[row["change"]],
            }
        )
    for row in attempts(count).to_dict("records"):
        ok = row["outcome"] == "success"
        rows.append(
            {
                "host": row["host"],
                "time": row["time"],
                "time_basis": "utc",
                "action": "attempt_succeeded" if ok else "attempt_failed",
                "outcome": row["outcome"],
                "code": row["code"],
                "message": "VPN connected" if ok else f"VPN failed with {row['code']}",
                "record_id": row["episode"],
                "channel": "Application",
                "activity": "vpn",
            }
        )
    return schema.frame("timeline", rows)


def files(count: int = 12) -> pd.DataFrame:
    return schema.frame(
        "files",
        [
            {
                "host": host,
                "path": f"{host}/Logs/{channel}.evtx",
                "kind": "evtx",
                "sha256": f"{i:02x}" * 32,
                "size_bytes": 1_052_672,
                "records": 1200,
                "problems": 1 if (i, channel) == (4, "System") else 0,
                "first": at(-2),
                "last": LAST,
            }
            for i, host in enumerate(hosts(count))
            for channel in ("Application", "System")
        ],
    )


def case(count: int = 12, **replaced: Any) -> Case:
    """A whole case with a hand-written verdict; `replaced` swaps single parts."""
    spans = exposure(count)
    on = cause(spans)
    parts: dict[str, Any] = {
        "evidence": Evidence(
            files=files(count),
            problems=schema.frame(
                "problems",
                [
                    {
                        "path": f"{hosts()[4]}/Logs/System.evtx",
                        "place": "chunk 3",
                        "reason": "the checksum of the chunk is wrong",
                        "records_lost": 91,
                    }
                ],
            ),
            events=schema.empty("events"),
            updates=schema.empty("updates"),
            sessions=schema.empty("sessions"),
            manifest_sha256="ab" * 32,
        ),
        "incident": load_incident("kb5009543"),
        "timeline": timeline(count),
        "coverage": coverage(count),
        "exposure": spans,
        "attempts": attempts(count),
        "cause": on,
        "recovery": recovery(count),
        "update_states": schema.empty("update_states"),
        "gateway": schema.empty("gateway"),
        "impact": Impact(
            hosts_affected=7,
            attempts_lost=99,
            user_hours_lost=(126.0, 84.0, 175.0),
            mttd_hours=51.4,
            mttr_hours=183.0,
            hosts_open=1,
        ),
    }
    return Case(**{**parts, **replaced})


def cause(spans: pd.DataFrame) -> Cause:
    tries = attempts()
    onset = tries.loc[tries["code"] == "789", "time"].min()
    return Cause(
        status="supported",
        changes=(BAD,),
        competing=(),
        probability=0.97,
        text=f"{BAD} explains the failures (probability 0.97): 7 of 8 hosts that tried with it in "
        "effect fail, in 99 of 116 episodes; without it 0 of 302 episodes fail.",
        checks=(
            Check("enough data", True, "418 attempts on 11 of 12 hosts.", ()),
            Check(
                "same-day controls",
                True,
                "On the days on which both kinds of hosts tried, hosts without it failed 0 of 61 times.",
                ("WS0009/Application#344", "WS0010/Application#390"),
            ),
            Check("placebo dates", False, "2 of 20 made-up dates fit as well as the true one.", ()),
            Check("reversal", None, "Too few hosts removed it to tell.", ()),
        ),
        suspects=suspects(),
        onset=(onset, onset - pd.Timedelta(hours=4), onset),
        bad=spans.loc[spans["change"] == BAD],
        cured=spans.loc[spans["change"] == CURE],
    )
