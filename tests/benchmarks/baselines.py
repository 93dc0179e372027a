"""What people do without the kit: three rules that blame a change, on the kit's own tables.

Each takes the tables ``attempts`` and ``exposure`` and the incident's symptom, and returns a verdict
with one change or none. They get the same evidence as the kit, read and tied together for them,
which is more than people have, and they are spared the daily noise: virus definitions and apps of
the Store are no changes to them (`DAILY`). Where several changes look alike to a rule it takes the
cumulative update, then the one on most hosts, as people would. None uses the suspect that a profile
may name.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from scipy.special import ndtr, stdtr

ALPHA = 0.05
"""Level of significance, two-sided, as people use it."""

DAILY = r"KB2267602\b|9[A-Z0-9]{11}-"
"""Begin of the names of virus definitions (Defender's KB number) and of apps of the Store."""

COMPLAINS = 3
"""Tries in vain on one day after which a user calls the help desk."""


def newest_change(attempts, exposure, incident):
    """Blame the newest change before the first failure.

    What people do: somebody calls the help desk, and they ask what was changed last on his machine.
    Somebody calls when he has tried at least `COMPLAINS` times on a day, always with the symptom
    and never with success; a single try that failed calls nobody. The change is the newest one on
    that host before the first try of that day, or the fleet's newest where the host has none.
    """
    seen = _outcomes(attempts, incident)
    days = seen.groupby(["host", seen["time"].dt.floor("D").rename("day")])
    day = days.agg(time=("time", "min"), tries=("failed", "size"), failed=("failed", "sum"))
    calls = day[(day["tries"] >= COMPLAINS) & (day["failed"] == day["tries"])].reset_index()
    if calls.empty:
        return verdict(None)
    first = calls.sort_values(["time", "host"]).iloc[0]
    changes = _likely_first(exposure)
    before = changes[changes["start"] <= first["time"]]
    own = before[before["host"] == first["host"]]
    before = own if len(own) else before
    newest = before[before["start"] == before["start"].max()]
    return verdict(newest["change"].iloc[0] if len(newest) else None)


def fleet_before_after(attempts, exposure, incident):
    """Blame the change after whose first day the fleet's failure rate rose most significantly.

    What people do: a chart of the failure rate with a line at each rollout, tested with two
    proportions. For each change the attempts of all hosts before and from its first day of
    installation are compared with a z test; the most significant rise with p < 0.05 is blamed.
    """
    seen = _outcomes(attempts, incident)
    times, failed = seen["time"], seen["failed"].to_numpy()
    best, blamed = 0.0, None
    changes = _likely_first(exposure).groupby("change", sort=False)["start"].min()
    for change, first in changes.items():
        after = (times >= first.normalize()).to_numpy()
        z = _two_proportions(failed[after], failed[~after])
        if z > best and 2 * ndtr(-z) < ALPHA:
            best, blamed = z, change
    return verdict(blamed)


def paired_t(attempts, exposure, incident):
    """Blame the change under which most hosts got worse by a paired t-test.

    What people do: each machine is its own control. For each change the failure rate of a host
    before the change and while it is in effect make a pair; the change with the smallest p < 0.05
    of a rise is blamed. A host needs attempts on both sides, a change two such hosts.
    """
    seen = _outcomes(attempts, incident)
    by_host = dict(list(seen.groupby("host")))
    best, blamed = ALPHA, None
    for change, spans in _likely_first(exposure).groupby("change", sort=False):
        first = spans.sort_values("start").drop_duplicates("host")
        rises = [
            _rise(by_host[host], start, end)
            for host, start, end in zip(first["host"], first["start"], first["end"], strict=True)
            if host in by_host
        ]
        p = _paired(np.array([rise for rise in rises if rise is not None]))
        if p < best:
            best, blamed = p, change
    return verdict(blamed)


def verdict(change):
    """A verdict in the words of the contract; these rules know no other causes than changes."""
    status = "not_supported" if change is None else "supported"
    return {"status": status, "changes": [] if change is None else [str(change)]}


def _likely_first(exposure):
    """Spans of changes whose start is known, without the daily ones, the likeliest changes first."""
    known = exposure[exposure["start"].notna() & ~exposure["change"].str.match(DAILY)]
    hosts = known.groupby("change")["host"].transform("nunique")
    order = known.assign(other=known["revision"].isna(), few=-hosts)
    return order.sort_values(["other", "few", "change", "host", "start"], ignore_index=True)


def _outcomes(attempts, incident):
    """Attempts that succeeded or failed, at known times, with whether they failed so."""
    seen = attempts[attempts["outcome"].isin(["success", "failure"]) & attempts["time"].notna()]
    symptom = (seen["outcome"] == "failure") & incident.is_symptom(seen["code"])
    return seen[["host", "time"]].assign(failed=symptom.astype(bool))


def _two_proportions(after, before):
    """Pooled z statistic of a rise; 0 where there is nothing to compare."""
    if not (len(after) and len(before)):
        return 0.0
    pooled = (after.sum() + before.sum()) / (len(after) + len(before))
    error = np.sqrt(pooled * (1 - pooled) * (1 / len(after) + 1 / len(before)))
    return float((after.mean() - before.mean()) / error) if error > 0 else 0.0


def _rise(own, start, end):
    """Failure rate of one host while a change is in effect less that before it."""
    before = own.loc[own["time"] < start, "failed"]
    inside = own.loc[(own["time"] >= start) & ~(own["time"] >= end), "failed"]
    return float(inside.mean() - before.mean()) if len(before) and len(inside) else None


def _paired(rises):
    """Two-sided p of the paired t-test where the mean rises, else 1."""
    if len(rises) < 2 or rises.mean() <= 0:
        return 1.0
    error = rises.std(ddof=1) / np.sqrt(len(rises))
    return float(2 * stdtr(len(rises) - 1, -rises.mean() / error)) if error > 0 else 0.0


BASELINES = MappingProxyType(
    {
        "newest change": newest_change,
        "fleet before/after": fleet_before_after,
        "paired t-test": paired_t,
    }
)
"""Name as the tables show it → rule."""
