"""Small builders of evidence and timelines: the few columns a test is about, the rest filled in.

Times are UTC, written short: ``at("01-12 08:00")`` is 2022-01-12T08:00Z.
"""

from __future__ import annotations

import pandas as pd

from kitlib import schema
from kitlib.evidence import Evidence

GENERAL = "Microsoft-Windows-Kernel-General"
UPDATES = "Microsoft-Windows-WindowsUpdateClient"
SERVICING = "Microsoft-Windows-Servicing"
BAD, FIX, DECEMBER = "KB5009543", "KB5010793", "KB5008212"


def at(text):
    """An instant; a text without a year is of 2022."""
    return pd.Timestamp(text if len(text) > 14 else f"2022-{text}", tz="UTC")


def event(time, *, channel="System", provider=GENERAL, event_id=12, **columns):
    """One row of table events; `columns` override or add."""
    return {
        "host": "PC1",
        "path": f"{columns.get('host', 'PC1')}/{channel}.evtx",
        "time_created": at(time),
        "channel": channel,
        "provider": provider,
        "event_id": event_id,
        "data": {},
        **columns,
    }


def boot_event(time, build=19044, revision=1415, **columns):
    return event(
        time, data={"BuildVersion": str(build), "QfeVersion": str(revision)}, event_id=12, **columns
    )


def run_of(count, *, start="01-01 00:00", step="1h", first_id=1, **columns):
    """`count` records in a row, one each `step`, that no rule knows."""
    times = pd.date_range(at(start), periods=count, freq=step)
    return [
        {
            **event("01-01 00:00", event_id=4242, record_id=first_id + n, **columns),
            "time_created": t,
        }
        for n, t in enumerate(times)
    ]


def update(date, kb=BAD, *, width="0h", **columns):
    """One row of table updates; `width` is how far low and high are from the date."""
    return {
        "host": "PC1",
        "date": at(date),
        "date_low": at(date) - pd.Timedelta(width),
        "date_high": at(date) + pd.Timedelta(width),
        "date_basis": "utc" if width == "0h" else "date",
        "operation": "install",
        "result_code": "succeeded",
        "hresult": "0x00000000",
        "kb": kb,
        "source_kind": "com_history_json",
        "path": "PC1/updates.json",
        **columns,
    }


def evidence(events=(), updates=(), problems=(), files=()):
    return Evidence(
        files=schema.frame("files", files),
        problems=schema.frame("problems", problems),
        events=schema.frame("events", events),
        updates=schema.frame("updates", updates),
        sessions=schema.empty("sessions"),
        manifest_sha256="",
    )


def fact(time, action, **columns):
    """One row of table timeline; without a record id it is from an update history."""
    when = pd.NaT if time is None else at(time)
    return {
        "host": "PC1",
        "time": when,
        "time_low": when,
        "time_high": when,
        "time_basis": "utc",
        "action": action,
        "channel": "System",
        "path": "PC1/System.evtx",
        **columns,
    }


def boot(time, revision=1415, build=19044, **columns):
    return fact(time, "boot", build=build, revision=revision, record_id=1, **columns)


def logged(time, action, change=BAD, **columns):
    """A fact about an update from an event record."""
    return fact(time, action, change=change, **{"record_id": 2, **columns})


def listed(time, change=BAD, *, width="0h", action="update_installed", **columns):
    """A fact about an update from an update history."""
    apart = pd.Timedelta(width)
    row = fact(time, action, change=change, path="PC1/updates.json", channel="", **columns)
    return row | {
        "time_low": row["time"] - apart,
        "time_high": row["time"] + apart,
        "time_basis": "utc" if width == "0h" else "date",
    }


def step(time, action, connection="{a}", **columns):
    """A fact of one try to use the VPN."""
    ends = {"attempt_succeeded": "success", "attempt_failed": "failure"}
    return fact(
        time,
        action,
        **{
            "activity": "vpn",
            "connection": connection,
            "outcome": ends.get(action, ""),
            "record_id": 3,
            "channel": "Application",
            **columns,
        },
    )


def timeline(*facts):
    """Facts in order of time, as `build_timeline` gives them."""
    df = schema.frame("timeline", facts)
    return df.sort_values(["time", "host"], kind="stable", ignore_index=True)
