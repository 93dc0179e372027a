"""Records of cases added up: the benchmark's record, small enough to be committed.

One group is a family at one size of fleet. It holds counts, as [how often, out of how many], and
the few plain lists that medians need. Groups add up by `total`, so that every table is made from
the committed record alone. Nothing here prints.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import scoring

SCHEMA = "kitlib.benchmark/1"
KIT = "kitlib"
BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 1.0)
"""Edges of the bins of stated probability; a bin holds its upper edge."""
MOST = 9.999
"""Relative error that stands for 'nothing stated' and for anything larger."""
EMPTY = {"schema": SCHEMA, "kit_version": "", "code": [], "seeds": [], "groups": []}


def record_of(rows):
    """Add up the rows of a file of results: the record that is committed."""
    rows = sorted(rows, key=lambda row: (row["family"], row["fleet"], row["seed"]))
    sizes = {}
    for row in rows:  # a case that failed before there was a fleet has the size it was asked for
        sizes.setdefault((row["family"], row["fleet"] or row["hosts"]), []).append(row)
    return {
        "schema": SCHEMA,
        "kit_version": ", ".join(sorted({row["kit_version"] for row in rows})),
        "code": sorted({row["code"] for row in rows}),
        "seeds": spans(sorted({row["seed"] for row in rows})),
        "groups": [
            {"family": family, "fleet": fleet, **group(own)}
            for (family, fleet), own in sorted(sizes.items())
        ],
    }


def spans(numbers):
    """Runs of whole numbers as [first, last]."""
    out = []
    for number in numbers:
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return out


def group(rows):
    """Counts of one group of rows."""
    guilty = [row for row in rows if row["truth"]["guilty"]]
    out = {
        "cases": len(rows),
        "failed": sum(row["error"] is not None for row in rows),
        "guilty": len(guilty),
        "truth": dict(Counter(row["truth"]["status"] for row in rows)),
        "also_right": dict(Counter(s for row in rows for s in row["truth"]["also_right"])),
        "given": dict(Counter(row["kit"]["status"] for row in rows)),
        "measures": {KIT: _measures((r["truth"], r["kit"], False) for r in rows)},
        "states": _states(rows),
        "guilty_states": _states(guilty),
        "at_risk": _summed(row["at_risk"] for row in rows),
        "onset": [[row["onset"], row["interval"]] for row in guilty if row["onset"] is not None],
        "claims": _bins(filter(None, (scoring.claim(r["truth"], r["kit"]) for r in rows))),
        "confidence": _bins(pair for row in rows for pair in row["confidence"]),
        "seconds": _seconds(rows),
        **_losses(rows),
    }
    for name in sorted({name for row in rows for name in row["baselines"]}):
        asked = [row for row in rows if name in row["baselines"]]
        told = ((row["truth"], row["baselines"][name], True) for row in asked)
        out["measures"][name] = _measures(told)
    return out


def _measures(told):
    """Measure → [how often it was so, out of how many]."""
    out = {}
    for truth, got, one_label in told:
        for name, happened in scoring.judge(truth, got, one_label=one_label).items():
            count = out.setdefault(name, [0, 0])
            count[0] += bool(happened)
            count[1] += 1
    return out


def _states(rows):
    return dict(sum((Counter(row["states"]) for row in rows), Counter()))


def _summed(rows):
    return [sum(column) for column in zip(*rows, strict=True)] or [0, 0, 0]


def _bins(pairs):
    """Claims by stated probability: [right, all] for each bin of `BINS`."""
    out = [[0, 0] for _ in BINS[1:]]
    for probability, right in pairs:
        place = max(int(np.searchsorted(BINS, probability, side="left")) - 1, 0)
        out[place][0] += bool(right)
        out[place][1] += 1
    return out


def _seconds(rows):
    """Seconds of each step: [sum, cases]."""
    out = {}
    for row in rows:
        for step, took in row["seconds"].items():
            total, cases = out.get(step, [0.0, 0])
            out[step] = [round(total + took, 1), cases + 1]
    return out


def _losses(rows):
    """Relative errors of the fleets' losses, and how often the intervals hold the true value.

    A fleet whose loss is not stated counts with the error `MOST`, and as not covered.
    """
    fleets = {
        name: [r["lost"][name] for r in rows if r["lost"].get(name)]
        for name in ("attempts", "hours")
    }
    covered = fleets | {
        name: [quad for row in rows for quad in row["lost"].get(name, ())]
        for name in ("host_attempts", "host_hours")
    }
    return {
        "errors": {name: [_relative(quad) for quad in quads] for name, quads in fleets.items()},
        "covered": {name: _covered(quads) for name, quads in covered.items()},
    }


def _relative(quad):
    true, estimate, *_ = quad
    return MOST if estimate is None else round(min(abs(estimate - true) / true, MOST), 4)


def _covered(quads):
    """[covered, all]; an interval that is not stated holds nothing."""
    held = sum(low is not None and low <= true <= high for true, _, low, high in quads)
    return [held, len(quads)]


def total(groups):
    """Add up groups: the same keys as one group, without family and fleet."""
    out = None
    for one in groups:
        out = _added(out, {k: v for k, v in one.items() if k not in ("family", "fleet")})
    return out or group([])


def _added(left, right, key=""):
    """Add two trees: counts add, lists of single values are put one after the other."""
    if left is None or right is None:
        return right if left is None else left
    if isinstance(left, dict):
        names = dict.fromkeys([*left, *right])
        inner = {name: f"{key}/{name}" for name in names}
        return {n: _added(left.get(n), right.get(n), inner[n]) for n in names}
    if isinstance(left, list) and (key == "/onset" or key.startswith("/errors/")):
        return left + right
    if isinstance(left, list):
        return [_added(a, b, key) for a, b in zip(left, right, strict=True)]
    return left + right
