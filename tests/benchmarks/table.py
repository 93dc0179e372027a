"""The benchmark as Markdown, made from its record alone, with the targets beside what was reached.

`render` is what the README shows between its two markers. Nothing here runs or judges a case.
"""

from __future__ import annotations

import re
from itertools import groupby, pairwise

import numpy as np
import scoring
import tallies

from kitlib.stats import wilson

BEGIN, END = "<!-- benchmark -->", "<!-- /benchmark -->"
NOT_RUN = "The benchmark has not been run on this version yet."
BASELINES = ("newest change", "fleet before/after", "paired t-test")
WORKDAY_HOURS = scoring.WORKDAY[1] - scoring.WORKDAY[0]
NAMED_TARGETS = {12: 0.85, 60: 0.95}
"""Size of fleet → least share of worlds in which the guilty change is named."""
HOW_TO_READ = (
    "*met* holds the measured value against the target; a question mark says that the 90 % interval "
    "reaches over the target, so that more worlds could turn the answer. Intervals take worlds and "
    "hosts as independent of each other; the hosts of one world are not, so intervals over hosts are "
    "too narrow. A dash: not asked. The three rules name one change or none; naming one label of the "
    "guilty change is right for them. Losses are those of hosts whose failures the evidence shows, in "
    "worlds with a guilty change. Where a change is guilty, a host is truly `unconfirmed` if even who "
    "knew the simulator's rates of failure could not be 95 % sure of it. The worlds are our own: what "
    "the simulator cannot do is not measured. The target for 1,000 hosts (≤ 60 s, ≤ 2 GB) is measured apart, "
    "by `tests/benchmarks/scale.py`."
)
OF_FAMILIES = (
    "Each family. *Right verdict*: the true status with exactly the guilty labels, or what the second "
    "column allows beside it. *An innocent named*: worlds in which only innocent changes are named. "
    "*F1* is the mean over the states that occur in the family: one host in a rare state weighs much."
)
OF_PROBABILITIES = (
    "What was stated, and how often it came true. A verdict that blames claims that one of the changes "
    "it names is guilty, `not_supported` that none is (whatever it names as the cause); `insufficient` "
    "claims nothing and is left out, as are hosts for which no probability is stated."
)


def render(record):
    """Return the tables of a record as Markdown, without the markers."""
    if not record["groups"]:
        return NOT_RUN
    return "\n\n".join(
        (
            _heading(record),
            measures(record),
            HOW_TO_READ,
            OF_FAMILIES,
            by_family(record),
            OF_PROBABILITIES,
            probabilities(record),
        )
    )


def insert(text, record):
    """Return the README's `text` with the rendering of `record` between its markers."""
    block = f"{BEGIN}\n{render(record)}\n{END}"
    if not re.search(f"{BEGIN}.*?{END}", text, re.DOTALL):
        raise ValueError(f"no {BEGIN} … {END} in the text")
    return re.sub(f"{BEGIN}.*?{END}", lambda _: block, text, flags=re.DOTALL)


def _heading(record):
    all_groups = tallies.total(record["groups"])
    families = {group["family"] for group in record["groups"]}
    seeds = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in record["seeds"])
    sizes = ", ".join(str(size) for size in sorted({g["fleet"] for g in record["groups"]}))
    innocent = _of(all_groups, "false_blame")[1]
    text = (
        f"kitlib {record['kit_version']}, {all_groups['cases']} worlds of {len(families)} families "
        f"(seeds {seeds}; fleets of {sizes} hosts), simulated, written as real files and read "
        f"back; in {innocent} of them ({100 * innocent / all_groups['cases']:.0f} %) no change is "
        f"guilty. In brackets: how many of how many, and the 90 % interval."
    )
    if all_groups["failed"]:
        text += (
            f" Cases that broke off: {all_groups['failed']}; their verdicts and their hosts count "
            f"as wrong, their losses as not stated; the three rules are not asked."
        )
    if len({group["cases"] for group in record["groups"]}) > 1:
        text += " Not every family was run equally often."
    if len(record["code"]) > 1:
        text += f" The worlds were run with {len(record['code'])} versions of the code."
    return f"{text} {_times(all_groups['seconds'])}"


def _times(seconds):
    words = {"simulate": "to write", "read": "to read", "analyse": "to analyse"}
    told = [f"{seconds[s][0] / seconds[s][1]:.0f} s {words[s]}" for s in words if s in seconds]
    return f"A world takes {', '.join(told)}, on average." if told else ""


# ---------------------------------------------------------------------------- measures


def measures(record):
    """The table of measures: what is asked, target, reached or not, the kit, the baselines."""
    rows = [
        *_verdict_rows(record["groups"]),
        *_onset_rows(tallies.total(record["groups"])),
        *_host_rows(tallies.total(record["groups"])),
        *_loss_rows(tallies.total(record["groups"])),
    ]
    return _table(("measure", "target", "met", "kitlib", *BASELINES), rows)


def _verdict_rows(groups):
    every = tallies.total(groups)
    yield _rate_row("a change is blamed, and none is guilty", every, "false_blame", at_most=0.01)
    yield _worst_row(groups)
    for size in sorted({group["fleet"] for group in groups}):
        own = tallies.total(group for group in groups if group["fleet"] == size)
        what = f"the guilty change is named exactly, where that can be known, {size} hosts"
        if _of(own, "named")[1]:
            yield _rate_row(what, own, "named", at_least=NAMED_TARGETS.get(size))
    what = "a change is guilty, and an innocent one is named instead"
    yield _rate_row(what, every, "innocent_instead", at_most=0.005)
    yield _rate_row("… and an innocent one is named besides", every, "innocent_besides")
    yield _rate_row("… and all are cleared (`not_supported`)", every, "cleared")
    what = "patches that cannot be told apart: exactly these are named"
    yield _rate_row(what, every, "exact_set", at_least=0.95)
    what = "everybody patched at once, no way back: that is said (`no_control`)"
    yield _rate_row(what, every, "no_control")
    what = "too few hosts for the design: the guilty change is named, or `insufficient` said"
    yield _rate_row(what, every, "unknowable")
    yield _rate_row("no change is guilty: the competing cause is named right", every, "competing")
    yield _rate_row("… and one is named where there is none", every, "invented")
    what = "… and a change is named as `no_control`, where that is right too (no blame above)"
    yield _rate_row(what, every, "left_open")
    yield _rate_row("the right verdict, all worlds", every, "right")


def _worst_row(groups):
    """The family with the highest rate of false blame, for the kit and for each baseline."""
    by_name = {name: tallies.total(own) for name, own in groupby(groups, lambda g: g["family"])}
    cells = {}
    for who in (tallies.KIT, *BASELINES):
        counts = {name: _of(one, "false_blame", who) for name, one in by_name.items()}
        asked = {name: count for name, count in counts.items() if count[1]}
        name = max(asked, key=lambda n: (asked[n][0] / asked[n][1], asked[n][1], n), default="")
        cells[who] = (name, asked.get(name, [0, 0]))
    name, count = cells[tallies.KIT]
    kit = _rate(count) + (f" {name}" if count[0] else "")
    met = _met_rate(count, at_most=0.03)
    others = [_short_rate(cells[who][1]) for who in BASELINES]
    return ("… in the worst family", "≤ 3 %", met, kit, *others)


def _rate_row(what, counts, name, *, at_most=None, at_least=None):
    own = _of(counts, name)
    met = _met_rate(own, at_most=at_most, at_least=at_least)
    others = [_short_rate(_of(counts, name, who)) for who in BASELINES]
    return (what, _target(at_most, at_least), met, _rate(own), *others)


def _of(counts, name, who=tallies.KIT):
    return counts["measures"].get(who, {}).get(name, [0, 0])


def _onset_rows(every):
    pairs = every["onset"]
    blank = [""] * len(BASELINES)
    errors = [error for error, _ in pairs]
    intervals = [interval for _, interval in pairs if interval is not None]
    one = float(np.median(intervals)) if intervals else None
    middle = float(np.median(errors)) if errors else None
    late = float(np.quantile(errors, 0.9)) if errors else None
    target = f"≤ one attempt interval ({_hours(one)})"
    shown = f"{_hours(middle)} ({len(errors)} of {every['guilty']} guilty worlds)"
    yield (
        "error of the onset, where a change is blamed, median",
        target,
        _met(middle, at_most=one),
        shown,
        *blank,
    )
    target, met = f"≤ {WORKDAY_HOURS:.0f} h", _met(late, at_most=WORKDAY_HOURS)
    yield ("… 90th percentile", target, met, _hours(late), *blank)


def _host_rows(every):
    states, blank = every["states"], [""] * len(BASELINES)
    guilty = every["guilty_states"]
    innocent = {pair: n - guilty.get(pair, 0) for pair, n in states.items()}
    parts = {"": states, "guilty": guilty, "no change": innocent}
    for part, own in parts.items():
        what = _part("state of the hosts, macro-F1", part)
        f1, occur = scoring.macro_f1(own), len(scoring.occurring(own))
        shown = "-" if f1 is None else f"{f1:.3f} ({sum(own.values())} hosts, {occur} of 7 states)"
        yield (what, "≥ 0.95", _met(f1, at_least=0.95), shown, *blank)
    for measure, least in (("precision", 0.99), ("recall", 0.95)):
        for part, own in parts.items():
            hits, given, true = scoring.by_status(own)["recovered"]
            count = [hits, given if measure == "precision" else true]
            met = _met_rate(count, at_least=least)
            what = _part(f"`recovered`, {measure}", part)
            yield (what, _target(None, least), met, _rate(count), *blank)
    wrong = sum(states.get(f"{state}>recovered", 0) for state in scoring.NEVER_RECOVERED)
    asked = sum(scoring.by_status(states)[state][2] for state in scoring.NEVER_RECOVERED)
    met = _met(wrong if asked else None, at_most=0)
    what = "`no_data` or `unconfirmed` called `recovered`"
    yield (what, "never", met, f"{wrong} of {asked}" if asked else "-", *blank)
    right, over, missed = every["at_risk"]
    listed = [right, right + missed]
    met = _met_rate(listed, at_least=0.99)
    yield ("hosts at risk that are listed", "≥ 99 %", met, _rate(listed), *blank)
    yield ("listed hosts that are at risk", "", "", _rate([right, right + over]), *blank)


def _part(what, part):
    """Name of a row over all worlds, or over a part of them."""
    words = {"": what, "guilty": "… a change is guilty", "no change": "… no change is guilty"}
    return words[part]


def _loss_rows(every):
    blank = [""] * len(BASELINES)
    words = {"attempts": "attempts lost", "hours": "user-hours lost"}
    for name, what in words.items():
        errors = every["errors"][name]
        middle = float(np.median(errors)) if errors else None
        shown = "-" if middle is None else f"{middle:.1%} ({len(errors)} worlds)"
        met = _met(middle, at_most=0.10)
        yield (f"{what} by the fleet, median error", "≤ 10 %", met, _percent(shown), *blank)
        late = f"{np.quantile(errors, 0.9):.1%}" if errors else "-"
        yield ("… 90th percentile", "", "", _percent(late), *blank)
        for key, of in ((name, "fleets"), (f"host_{name}", "hosts")):
            held = every["covered"][key]
            met = _met_rate(held, at_least=0.88, at_most=0.92)
            yield (
                f"… 90 % interval holds the true value, {of}",
                "88 to 92 %",
                met,
                _rate(held),
                *blank,
            )


# ---------------------------------------------------------------------------- families, calibration


def by_family(record):
    """One row a family: what is right, cases, right verdicts, wrong names, state of the hosts."""
    rows = []
    for name, own in groupby(record["groups"], lambda group: group["family"]):
        one = tallies.total(own)
        truth = ", ".join(f"`{status}`" for status in sorted(one["truth"]))
        wrong = [_of(one, key)[0] for key in ("false_blame", "innocent_instead")]
        f1 = scoring.macro_f1(one["states"])
        right = _of(one, "right")[0]
        shown = "-" if f1 is None else f"{f1:.2f}"
        hosts = _share_of_hosts(one["states"])
        rows.append((name, truth + _allowed(one), one["cases"], right, sum(wrong), hosts, shown))
    head = ("family", "true verdict", "worlds", "right verdict", "an innocent named")
    return _table((*head, "hosts right", "hosts, F1"), rows)


def _allowed(one):
    """What counts as right beside the true verdict."""
    allowed = "".join(f", also `{status}`" for status in sorted(one["also_right"]))
    small = _of(one, "unknowable")[1]
    return allowed + (f", also `insufficient` in {small} with too few hosts" if small else "")


def _share_of_hosts(states):
    right = sum(n for pair, n in states.items() if len(set(pair.split(">"))) == 1)
    return _short_rate([right, sum(states.values())])


def probabilities(record):
    """How often verdicts and states came true, by the probability they stated."""
    every = tallies.total(record["groups"])
    rows = []
    for place, (low, high) in enumerate(pairwise(tallies.BINS)):
        verdicts, states = every["claims"][place], every["confidence"][place]
        if verdicts[1] or states[1]:
            rows.append((f"{low:.2f} to {high:.2f}", _rate(verdicts), _rate(states)))
    return _table(
        ("stated probability", "verdicts that came true", "host states that were right"), rows
    )


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _rate(count):
    """As 97.5 % (117/120; 94.0 to 99.0); a dash where nobody asked."""
    hits, asked = count
    if not asked:
        return "-"
    low, high = (f"{100 * bound:.1f}" for bound in wilson(hits, asked))
    return f"{100 * hits / asked:.1f} % ({hits}/{asked}; {low} to {high})"


def _short_rate(count):
    hits, asked = count
    return f"{100 * hits / asked:.1f} %" if asked else "-"


def _percent(text):
    return re.sub(r"(\d)%", r"\1 %", text)


def _hours(value):
    return "-" if value is None else f"{value:.1f} h"


def _target(at_most, at_least):
    if at_most is not None:
        return f"≤ {100 * at_most:g} %"
    return f"≥ {100 * at_least:g} %" if at_least is not None else ""


def _met(value, *, at_most=None, at_least=None):
    """Yes or no; empty where there is no target or nothing to hold against it."""
    if value is None or (at_most is None and at_least is None):
        return ""
    low = at_least is None or value >= at_least
    return "yes" if low and (at_most is None or value <= at_most) else "no"


def _met_rate(count, *, at_most=None, at_least=None):
    """As `_met`, with a question mark where the interval of the rate reaches over the target."""
    hits, asked = count
    met = _met(hits / asked if asked else None, at_most=at_most, at_least=at_least)
    if not met:
        return ""
    low, high = wilson(hits, asked)
    overlaps = (at_most is None or low <= at_most) and (at_least is None or high >= at_least)
    inside = (at_most is None or high <= at_most) and (at_least is None or low >= at_least)
    return met if inside or not overlaps else f"{met}?"


# ---------------------------------------------------------------------------- wrong cases


def wrong_cases(rows):
    """Lines about every case that is wrong in something, to work from."""
    for row in sorted(rows, key=lambda r: (r["family"], r["fleet"], r["seed"])):
        lines = [*_wrong_verdict(row), *_wrong_numbers(row), *_wrong_hosts(row)]
        if lines:
            size = f"--hosts {row['hosts']} " if row["hosts"] else ""
            yield f"--families {row['family']} {size}--seeds {row['seed']}"
            yield from (f"    {line}" for line in lines)


def _wrong_verdict(row):
    if row["error"]:
        yield f"failed: {row['error'].strip().splitlines()[-1]}"
        return
    truth, got = row["truth"], row["kit"]
    judged = scoring.judge(truth, got)
    bad = [name for name in ("false_blame", "innocent_instead", "innocent_besides", "cleared")
           if judged.get(name)]  # fmt: skip
    bad += [name for name in ("right", "competing") if judged.get(name) is False]
    if bad:
        known = "" if truth["known"] else ", cannot be known"
        yield f"verdict ({', '.join(bad)}):"
        yield f"    true {truth['status']} {_names(truth)}{known}"
        yield f"    said {got['status']} {_names(got)} p={got['probability']}: {got['text']}"


def _names(verdict):
    return " / ".join([*verdict["changes"], *verdict["competing"]])


def _wrong_numbers(row):
    if row["error"]:
        return
    if row["onset"] is not None and row["onset"] > WORKDAY_HOURS:
        yield f"onset: off by {row['onset']:.1f} h"
    for name in ("attempts", "hours"):
        quad = row["lost"].get(name)
        if not quad:
            continue
        true, estimate, low, high = quad
        held = low is not None and low <= true <= high
        if not held or tallies._relative(quad) > 0.1:
            beside = "inside" if held else "outside"
            yield f"{name} lost: true {true}, said {estimate}; {beside} of {low} to {high}"
    over, missed = row["at_risk"][1:]
    if over or missed:
        yield f"at risk: {missed} missed, {over} listed without reason"


def _wrong_hosts(row, shown=4):
    pairs = [] if row["error"] else sorted(row["wrong_hosts"], key=lambda host: host[1:3])
    for (true, said), own in groupby(pairs, lambda host: host[1:3]):
        hosts = list(own)
        yield f"{len(hosts)} of {row['fleet']} hosts are {true}, called {said}:"
        yield from (f"    {name}: {why}" for name, *_, why in hosts[:shown])
