"""What the kit said of a world beside what is true of it: facts of one case, and what they are worth.

`facts` reduces a pair of documents (``findings.json``, ``truth.json``) to a small record that holds
both sides; `judge` decides which measures a record is right in. The two are apart so that a
definition can be changed without running anything again. Nothing here simulates, reads or draws.

A *guilty* world is one in which a change breaks something. Its verdict may be known (``supported``,
``not_separable``, ``no_control``) or not (``known`` is false: the fleet is too small for the
design). In every other world whoever names a change blames it falsely.
"""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType

import numpy as np
import pandas as pd

BLAMES = ("supported", "not_separable", "no_control")
FAILED = "failed"
"""Status of a case whose analysis broke off: wrong in every measure that asks about it."""
ABSENT, NONE = "absent", "none"
"""State of a host that the findings do not list, and of one that they list and is not there."""
STATUSES = (
    "recovered",
    "workaround_only",
    "pending_reboot",
    "still_failing",
    "unconfirmed",
    "not_affected",
    "no_data",
)
NEVER_RECOVERED = ("no_data", "unconfirmed")
WORKDAY = (8.0, 17.0)
"""Local hours of a working day on Monday to Friday: the clock of the attempt interval."""
NOTHING = MappingProxyType(
    {"status": FAILED, "changes": (), "competing": (), "probability": None, "text": ""}
)
BEYOND_A_RULE = ("exact_set", "no_control", "left_open", "innocent_besides")
"""Measures that say nothing of a rule that can only name one label, or none: it is not asked."""
TRUTH_KEYS = ("status", "changes", "competing", "known", "also_right", "guilty")


# ---------------------------------------------------------------------------- facts of a case


def facts(truth, findings=None, *, why=None):
    """Reduce one case to its record; `findings` is None where the analysis failed.

    Parameters
    ----------
    truth, findings
        The two documents.
    why
        Host (as the findings name it) → the sentence its status rests on, for the list of wrong
        cases.
    """
    findings = findings or {"verdict": NOTHING, "hosts": [], "onset": {}, "impact": {}}
    pairs = match_hosts(truth["hosts"], findings["hosts"])
    return {
        "fleet": len(truth["hosts"]),
        "truth": true_verdict(truth),
        "kit": {key: _plain(findings["verdict"][key]) for key in NOTHING},
        "onset": _onset_error(truth, findings),
        "states": Counter(f"{_status(t, NONE)}>{_status(f, ABSENT)}" for t, f in pairs),
        "wrong_hosts": [_wrong(t, f, why or {}) for t, f in pairs if _status(t) != _status(f)],
        "at_risk": _at_risk(pairs),
        "confidence": [
            [f["confidence"], _status(t) == f["status"]]
            for t, f in pairs
            if f and f.get("confidence") is not None
        ],
        "lost": losses(truth, findings, pairs),
    }


def true_verdict(truth):
    """The verdict part of ``truth.json`` with its defaults, and whether a change is guilty."""
    verdict = truth["verdict"]
    exposed = any(host["exposure"] for host in truth["hosts"])
    guilty = verdict["status"] in BLAMES or (verdict["status"] == "insufficient" and exposed)
    return {
        "status": verdict["status"],
        "changes": sorted(verdict["changes"]),
        "competing": sorted(verdict["competing"]),
        "known": verdict.get("known", True),
        "also_right": sorted(verdict.get("also_right", ())),
        "guilty": guilty,
    }


def match_hosts(true, found):
    """Pairs (true host, found host) by short name; None on the side that lacks the host."""
    ours = {_short(host["host"]): host for host in found}
    theirs = {_short(host["host"]): host for host in true}
    return [(theirs.get(name), ours.get(name)) for name in sorted(theirs | ours)]


def _short(name):
    return name.split(".")[0].casefold()


def _plain(value):
    return sorted(value) if isinstance(value, list | tuple) else value


def _status(host, otherwise=""):
    return host["status"] if host else otherwise


def _wrong(true, found, why):
    name = (found or true)["host"]
    return [name, _status(true, NONE), _status(found, ABSENT), why.get(name, "")]


def _at_risk(pairs):
    """Hosts at risk: rightly listed, wrongly listed, missed."""
    flags = [(bool(t and t["at_risk"]), bool(f and f["at_risk"])) for t, f in pairs]
    return [flags.count((True, True)), flags.count((False, True)), flags.count((True, False))]


def _onset_error(truth, findings):
    """Hours by the clock on the wall between the stated and the true first failure."""
    stated = findings["onset"].get("time")
    if not (truth["onset"] and stated and findings["verdict"]["status"] in BLAMES):
        return None
    return _round(abs((pd.Timestamp(stated) - pd.Timestamp(truth["onset"])).total_seconds()) / 3600)


def losses(truth, findings, pairs):
    """True and stated losses as [true, estimate, low, high], fleet and hosts; guilty worlds only.

    ``attempts``: sessions that did not come about; ``hours``: user-hours. What is not stated is
    None. Only losses above zero are listed: a relative error of nothing has no meaning.
    """
    if not true_verdict(truth)["guilty"]:
        return {}
    stated, true = findings["impact"], truth["impact"]
    fleet = {
        "attempts": _beside(true["sessions_lost"], _attempts(stated)),
        "hours": _beside(true["user_hours_lost"], stated.get("user_hours_lost")),
    }
    hit = [(t, f or {}) for t, f in pairs if t and t["onset"]]
    hosts = {
        "host_attempts": [_beside(t["sessions_lost"], _triple(f, "attempts_lost")) for t, f in hit],
        "host_hours": [_beside(t["user_hours_lost"], f.get("user_hours_lost")) for t, f in hit],
    }
    return fleet | {name: [row for row in rows if row] for name, rows in hosts.items()}


def _attempts(impact):
    return impact.get("attempts_lost_interval") or [impact.get("attempts_lost"), None, None]


def _triple(host, name):
    return host[name] if isinstance(host.get(name), list) else None


def _beside(true, stated):
    return [_round(v) for v in (true, *(stated or (None, None, None)))] if true > 0 else None


def _round(value):
    return None if pd.isna(value) else round(float(value), 3)


# ---------------------------------------------------------------------------- attempt interval


def attempt_interval(attempts, hosts, window):
    """Median working hours between successive bursts of attempts of the affected `hosts`.

    A burst is an episode of the table of attempts (tries within half an hour of each other); the
    interval is from first try to first try of one host. Working time runs from 8 to 17 local time
    on Monday to Friday, holidays left out, whatever a user's own hours are.
    """
    names = {_short(host) for host in hosts}
    own = attempts[attempts["host"].map(_short).isin(names) & attempts["time"].notna()]
    first = own.groupby(["host", "episode"])["time"].min().reset_index()
    if first.empty:
        return None
    first = first.sort_values(["host", "time"])
    clock = pd.Series(working_clock(first["time"], window), index=first.index)
    gaps = clock.groupby(first["host"]).diff().dropna()
    return _round(gaps.median()) if len(gaps) else None


def working_clock(times, window):
    """Working hours that have passed at each instant since the day before the first."""
    exact = times.dt.floor("us")
    local = pd.DatetimeIndex([pd.Timestamp(window.local(t.to_pydatetime())) for t in exact])
    days = local.normalize()
    start = days.min() - pd.Timedelta(days=1)
    calendar = pd.date_range(start, days.max())
    free = {pd.Timestamp(day) for day in window.holidays}
    works = np.array([day.weekday() < 5 and day not in free for day in calendar], dtype=float)
    before = np.concatenate([[0.0], works.cumsum()])
    place = (days - start).days.to_numpy()
    hours = (local - days).total_seconds().to_numpy() / 3600
    opens, closes = WORKDAY
    today = np.clip(hours - opens, 0.0, closes - opens)
    return before[place] * (closes - opens) + works[place] * today


# ---------------------------------------------------------------------------- what is right


def judge(truth, got, *, one_label=False):
    """Measures that a verdict is asked for in this world: name → bool (True: it happened).

    Parameters
    ----------
    truth
        What `true_verdict` returned.
    got
        A verdict: status, changes and, from who can name other causes, competing.
    one_label
        The verdict comes from a rule that can only name one label, or none: one right label is
        right in every guilty world, and `BEYOND_A_RULE` is not asked.

    Returns
    -------
    dict
        ``right`` always. Innocent worlds: ``false_blame``; ``left_open`` (``no_control``, where the
        scenario allows it); ``competing`` (the set of competing causes is the true one), or where
        there is none ``invented`` (one is named). Guilty ones: ``innocent_instead`` (a change is
        named and the guilty one is not), ``innocent_besides``, ``cleared`` (no change is said to be
        guilty), and by what the world lets be known ``named``, ``exact_set``, ``no_control`` or
        ``unknowable``.
    """
    if truth["guilty"]:
        out = _judge_guilty(truth, got, one_label=one_label)
    else:
        out = _judge_innocent(truth, got)
    return {name: v for name, v in out.items() if not (one_label and name in BEYOND_A_RULE)}


def _judge_guilty(truth, got, *, one_label):
    right = _right(truth, got, one_label=one_label)
    out = {"right": right, "cleared": got["status"] in ("not_supported", FAILED)}
    if truth["changes"]:
        out |= _judge_names(truth, got)
    if not truth["known"]:
        out["unknowable"] = out["right"] = right or _honest(truth, got)
    elif truth["status"] == "supported":
        out["named"] = right
    elif truth["status"] == "not_separable":
        out["exact_set"] = right and set(got["changes"]) == set(truth["changes"])
    elif truth["status"] == "no_control":
        out["no_control"] = got["status"] == "no_control" and right
    return out


def _judge_innocent(truth, got):
    """No change is guilty; `no_control` is no blame where the scenario says that it is right too."""
    allowed = got["status"] in (truth["status"], *truth["also_right"])
    out = {"right": allowed, "false_blame": got["status"] in (*BLAMES, FAILED) and not allowed}
    if "no_control" in truth["also_right"]:
        out["left_open"] = got["status"] == "no_control"
    if "competing" not in got:
        return out
    named = set(got["competing"])
    if truth["competing"]:
        out["competing"] = got["status"] == "not_supported" and named == set(truth["competing"])
    else:
        out["invented"] = bool(named) or got["status"] == FAILED
    return out


def _judge_names(truth, got):
    named, guilty = set(got["changes"]), set(truth["changes"])
    instead = got["status"] == FAILED or bool(named and not named & guilty)
    return {
        "innocent_instead": instead,
        "innocent_besides": got["status"] == FAILED or bool(named & guilty and named - guilty),
    }


def _right(truth, got, *, one_label):
    named, guilty = set(got["changes"]), set(truth["changes"])
    if one_label and got["status"] in BLAMES:
        return bool(named) and named <= guilty
    if got["status"] == truth["status"]:
        return named == guilty if truth["status"] in BLAMES else True
    if got["status"] not in truth["also_right"]:
        return False
    return got["status"] not in BLAMES or guilty <= named


def _honest(truth, got):
    """Where nothing can be known: it says so, or it names no set without the guilty change."""
    if got["status"] == "insufficient":
        return True
    return got["status"] in BLAMES and set(truth["changes"]) <= set(got["changes"])


def claim(truth, got):
    """Stated probability of a verdict and whether it came true; None where nothing is claimed.

    Who blames claims that one of the changes he names is guilty, ``not_supported`` that none is.
    ``insufficient`` claims nothing.
    """
    probability = got["probability"]
    if probability is None or (truth["guilty"] and not truth["changes"]):
        return None
    if got["status"] in BLAMES:
        return probability, bool(set(got["changes"]) & set(truth["changes"]))
    return (probability, not truth["guilty"]) if got["status"] == "not_supported" else None


# ---------------------------------------------------------------------------- states of hosts


def by_status(confusion):
    """Rightly given, given and true counts of each status: status → (hits, given, true)."""
    out = {}
    for status in STATUSES:
        given = sum(n for pair, n in confusion.items() if pair.split(">")[1] == status)
        true = sum(n for pair, n in confusion.items() if pair.split(">")[0] == status)
        out[status] = (confusion.get(f"{status}>{status}", 0), given, true)
    return out


def occurring(confusion):
    """Counts, as of `by_status`, of the states that are true or given anywhere."""
    return {state: count for state, count in by_status(confusion).items() if any(count[1:])}


def macro_f1(confusion):
    """Mean F1 over the seven states; one that is neither true nor given anywhere is left out."""
    scores = [2 * hits / (given + true) for hits, given, true in occurring(confusion).values()]
    return sum(scores) / len(scores) if scores else None
