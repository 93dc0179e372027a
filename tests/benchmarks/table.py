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


def render(record):
    """Return the tables of a record as Markdown, without the markers."""
    if not record["groups"]:
        return NOT_RUN
    return "\n\n".join(
        (_heading(record), measures(record), by_family(record), probabilities(record))
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
    innocent = _of(all_groups, "false_blame")[1]
    text = (
        f"kitlib {record['kit_version']}, {all_groups['cases']} worlds of {len(families)} families "
        f"(seeds {seeds}), written as real files and read back; in {innocent} of them "
        f"({innocent / all_groups['cases']:.0%}) no change is guilty. In brackets: how many of how "
        f"many, and the 90 % interval."
    )
    if all_groups["failed"]:
        text += f" Cases that broke off: {all_groups['failed']}; they count as wrong everywhere."
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
        what = f"the guilty change is named exactly, {size} hosts"
        if _of(own, "named")[1]:
            yield _rate_row(what, own, "named", at_least=NAMED_TARGETS.get(size))
    yield _rate_row("an innocent change is named instead", every, "innocent_instead", at_most=0.005)
    yield _rate_row("an innocent change is named besides", every, "innocent_besides")
    yield _rate_row("a guilty change is cleared (`not_supported`)", every, "cleared")
    yield _rate_row(
        "the exact set, where it cannot be told apart", every, "exact_set", at_least=0.95
    )
    yield _rate_row("everybody at once and no way back: `no_control`", every, "no_control")
    yield _rate_row("too small to know: named, or said so", every, "unknowable")
    yield _rate_row("no change is guilty: the competing cause is named right", every, "competing")
    yield _rate_row("… and one is named where there is none", every, "invented")
    yield _rate_row("… and it is left open (`no_control`), where it has to be", every, "left_open")
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
    met = _met(count[0] / count[1] if count[1] else None, at_most=0.03)
    others = [_short_rate(cells[who][1]) for who in BASELINES]
    return ("… in the worst family", "≤ 3 %", met, kit, *others)


def _rate_row(what, counts, name, *, at_most=None, at_least=None):
    own = _of(counts, name)
    met = _met(own[0] / own[1] if own[1] else None, at_most=at_most, at_least=at_least)
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
    shown = f"{_hours(middle)} ({len(errors)} worlds)"
    yield ("error of the onset, median", target, _met(middle, at_most=one), shown, *blank)
    target, met = f"≤ {WORKDAY_HOURS:.0f} h", _met(late, at_most=WORKDAY_HOURS)
    yield ("… 90th percentile", target, met, _hours(late), *blank)


def _host_rows(every):
    states, blank = every["states"], [""] * len(BASELINES)
    f1 = scoring.macro_f1(states)
    shown = "-" if f1 is None else f"{f1:.3f} ({sum(states.values())} hosts)"
    yield ("state of the hosts, macro-F1 of 7", "≥ 0.95", _met(f1, at_least=0.95), shown, *blank)
    hits, given, true = scoring.by_status(states)["recovered"]
    for what, of, least in (("precision", given, 0.99), ("recall", true, 0.95)):
        met = _met(hits / of if of else None, at_least=least)
        yield (f"`recovered`, {what}", _target(None, least), met, _rate([hits, of]), *blank)
    wrong = sum(states.get(f"{state}>recovered", 0) for state in scoring.NEVER_RECOVERED)
    asked = sum(scoring.by_status(states)[state][2] for state in scoring.NEVER_RECOVERED)
    met = _met(wrong if asked else None, at_most=0)
    what = "`no_data` or `unconfirmed` called `recovered`"
    yield (what, "never", met, f"{wrong} of {asked}" if asked else "-", *blank)
    right, over, missed = every["at_risk"]
    listed = [right, right + missed]
    met = _met(right / listed[1] if listed[1] else None, at_least=0.99)
    yield ("hosts at risk that are listed", "≥ 99 %", met, _rate(listed), *blank)
    yield ("listed hosts that are at risk", "", "", _rate([right, right + over]), *blank)


def _loss_rows(every):
    blank = [""] * len(BASELINES)
    words = {"attempts": "attempts lost", "hours": "user-hours lost"}
    for name, what in words.items():
        errors = every["errors"][name]
        middle = float(np.median(errors)) if errors else None
        shown = "-" if middle is None else f"{middle:.1%} ({len(errors)} worlds)"
        met = _met(middle, at_most=0.10)
        yield (f"{what}, median relative error", "≤ 10 %", met, _percent(shown), *blank)
        for key, of in ((name, "fleets"), (f"host_{name}", "hosts")):
            held = every["covered"][key]
            share = held[0] / held[1] if held[1] else None
            met = _met(share, at_least=0.88, at_most=0.92)
            yield (
                f"… 90 % interval holds the true value, {of}",
                "88 to 92 %",
                met,
                _rate(held),
                *blank,
            )


# ---------------------------------------------------------------------------- families, calibration


def by_family(record):
    """One row a family: truth, cases, right verdicts, wrong names, state of the hosts."""
    rows = []
    for name, own in groupby(record["groups"], lambda group: group["family"]):
        one = tallies.total(own)
        truth = ", ".join(f"`{status}`" for status in sorted(one["truth"]))
        wrong = [_of(one, key)[0] for key in ("false_blame", "innocent_instead")]
        f1 = scoring.macro_f1(one["states"])
        right = _of(one, "right")[0]
        shown = "-" if f1 is None else f"{f1:.2f}"
        rows.append((name, truth, one["cases"], right, sum(wrong), shown))
    head = ("family", "true verdict", "worlds", "right verdict", "an innocent named", "hosts, F1")
    return _table(head, rows)


def probabilities(record):
    """How often verdicts and states came true, by the probability they stated."""
    every = tallies.total(record["groups"])
    rows = []
    for place, (low, high) in enumerate(pairwise(tallies.BINS)):
        verdicts, states = every["claims"][place], every["confidence"][place]
        if verdicts[1] or states[1]:
            rows.append((f"{low:.2f} to {high:.2f}", _rate(verdicts), _rate(states)))
    return _table(("stated probability", "verdicts that were right", "host states"), rows)


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
