"""One host's history: when it was out, worked again, and was out once more.

Whether a host works at its last evidence stands in table ``hosts`` and is not decided here; this
file only asks whether it had worked in between. A host that fails half the time has runs of
successes by chance, so the answer is the most probable history (`likely_states`), not a count.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd

from kitlib.explain import BASE_RATE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitlib.cause import Cause
    from kitlib.incident import Incident

TIME: Final = "datetime64[ns, UTC]"

MIN_RELAPSED: Final = 2
"""Failing bursts that show a relapse; fewer do where the change itself came back."""

SWITCH: Final = 0.02
"""Probability that a host breaks or is mended between two bursts, its build being the same."""

SWITCH_BY_BUILD: Final = 0.5
"""The same where the guilty change came or went between the two."""

BROKEN_RATES: Final = (0.3, 0.5, 0.7, 0.9, 0.97)
"""Failure rates of a broken host that are tried; the one that explains its bursts best is used."""

SHOWN_RECORDS: Final = 4

SPELL: Final = {
    "host": "str", "number": "int64", "start": TIME, "end": TIME, "ended_by": "str",
    "failures": "int64", "why": "str", "records": "object",
}  # fmt: skip


class History(NamedTuple):
    """What is known of one host that was hit: its row of ``hosts`` and its parts of the tables."""

    row: Mapping[str, Any]
    bursts: pd.DataFrame
    bad: pd.DataFrame
    cured: pd.DataFrame
    last: pd.Timestamp

    @property
    def back(self) -> bool:
        """Whether it works again, for good as far as is seen."""
        return bool(pd.notna(self.row["recovered_at"])) and self.row["status"] != "still_failing"

    @property
    def failed(self) -> pd.DataFrame:
        """The failing bursts since the onset."""
        bursts: pd.DataFrame = self.bursts
        return bursts[bursts["failing"] & (bursts["last"] >= self.onset)]

    @property
    def onset(self) -> pd.Timestamp:
        """First failure with the symptom under exposure."""
        return pd.Timestamp(self.row["onset"])

    @property
    def until(self) -> pd.Timestamp:
        """When it worked again, else up to when it is known to be out."""
        if self.back:
            return pd.Timestamp(self.row["recovered_at"])
        if self.row["status"] != "unconfirmed":
            return self.last
        ends = (self.failed["last"].max(), self.bad["end"].max())
        return min(_latest(self.onset, *ends), self.last)

    @property
    def known_out(self) -> pd.Timestamp:
        """Last failure before `until`; a recovery lies somewhere between the two."""
        last = self.failed["last"]
        return _latest(self.onset, last[last <= self.until].max())

    @property
    def fixed_at(self) -> pd.Timestamp | None:
        """When it was first seen to work with the fix in; None if it was not."""
        if not self.back or self.row["recovered_by"] != "fix":
            return None
        return _latest(self.until, self.cured.loc[self.cured["end"].isna(), "start"].max())


def _latest(first: pd.Timestamp, *others: pd.Timestamp) -> pd.Timestamp:
    """Return the latest of times of which all but the first may be missing."""
    latest = first
    for time in others:
        latest = time if pd.notna(time) and time > latest else latest
    return latest


def frame(rows: Sequence[Mapping[str, Any]], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Build a table of these columns; no rows give an empty one with the same dtypes."""
    table = pd.DataFrame(list(rows), columns=list(dtypes))
    for name in [name for name, dtype in dtypes.items() if dtype == TIME]:
        table[name] = pd.to_datetime(table[name], utc=True)  # missing times alone have no zone
    typed: pd.DataFrame = table.astype(dict(dtypes))
    return typed


def last_seen(
    hosts: pd.DataFrame, attempts: pd.DataFrame, coverage: pd.DataFrame
) -> pd.Series[Any]:
    """Return each host's last evidence: the end of its logs or its last attempt, by host.

    A host of which neither table knows an end was last seen when its state last changed.
    """
    states = hosts.set_index("host")[["exposed_from", "onset", "recovered_at"]]
    logs = coverage.groupby("host")["end"].max().reindex(states.index)
    tries = attempts.groupby("host")["time"].max().reindex(states.index)
    seen = logs.where(~(tries > logs) & logs.notna(), tries)
    return seen.fillna(states.max(axis=1))


def make_bursts(attempts: pd.DataFrame, incident: Incident) -> pd.DataFrame:
    """Collapse retries: one row a burst with host, time, last, failing, records.

    A burst fails where its first telling attempt shows the symptom, whether or not a retry then
    works; telling are attempts that worked and those with the symptom. So says
    `kitlib.attempts.make_episodes` and why; here bursts without a telling attempt are left out,
    ``time`` is the first telling attempt, ``last`` the last failure of a failing burst (of another
    one: ``time``), and ``records`` are those of the first telling attempt.
    """
    seen = attempts[attempts["time"].notna()].sort_values("time", kind="stable")
    symptom = (seen["outcome"] == "failure") & incident.is_symptom(seen["code"])
    alone = pd.Series(-1 - np.arange(len(seen)), index=seen.index, dtype="Int64")
    seen = seen.assign(failing=symptom, burst=seen["episode"].fillna(alone))
    seen = seen[symptom | (seen["outcome"] == "success")]
    keys = ["host", "burst"]
    out = seen.drop_duplicates(keys)[[*keys, "time", "failing", "records"]]
    ends = seen[seen["failing"]].groupby(keys, as_index=False).agg(last=("time", "last"))
    out = out.merge(ends, on=keys, how="left")
    out["last"] = out["last"].where(out["failing"], out["time"])
    out = out[["host", "time", "last", "failing", "records"]]
    return out.sort_values(["host", "time"], kind="stable", ignore_index=True)


def histories(
    hosts: pd.DataFrame,
    attempts: pd.DataFrame,
    incident: Incident,
    cause: Cause,
    last: pd.Series[Any],
) -> list[History]:
    """Cut the tables by host, for the hosts that were hit."""
    hit = hosts[hosts["onset"].notna()]
    own = attempts[attempts["host"].isin(hit["host"])]
    tables = (make_bursts(own, incident), cause.bad, cause.cured)
    parts = [{str(host): rows for host, rows in t.groupby("host")} for t in tables]
    found = []
    for row in hit.to_dict("records"):
        host = str(row["host"])
        bursts, bad, cured = (
            part.get(host, t.head(0)) for part, t in zip(parts, tables, strict=True)
        )
        known = {str(name): value for name, value in row.items()}
        found.append(History(known, bursts, bad, cured, max(last[host], row["onset"])))
    return found


# ---------------------------------------------------------------- the most probable history


def likely_states(
    failing: Sequence[bool], switch: Sequence[float], *, ordinary: float
) -> list[bool]:
    """Tell of each burst whether the host was out at it: the most probable history (Viterbi).

    Parameters
    ----------
    failing
        Whether each burst failed, in order of time; the host is out at the first one.
    switch
        Probability of a change of state before each burst; the first is not used.
    ordinary
        Failure rate, 0..1, while it works.

    Returns
    -------
    list of bool
        True where it was out.

    Notes
    -----
    Assumes one failure rate while it is out (the best of `BROKEN_RATES`) and one while it works.
    Fails where a host fails so rarely while broken that it looks well (below about one in four).
    Short pauses of a host that fails half the time are not told from luck: that takes some fifteen
    successes in a row, against three or four of a host that always fails.

    Examples
    --------
    >>> seen = [True] * 5 + [False] * 5 + [True] * 4
    >>> "".join("-+"[not out] for out in likely_states(seen, [0.01] * 14, ordinary=0.03))
    '-----+++++----'
    """
    rates = [rate for rate in BROKEN_RATES if rate > 2 * ordinary] or [BROKEN_RATES[-1]]
    paths = [_best_path(failing, switch, broken=rate, ordinary=ordinary) for rate in rates]
    return max(paths, key=lambda found: found[0])[1]


def _best_path(
    failing: Sequence[bool], switch: Sequence[float], *, broken: float, ordinary: float
) -> tuple[float, list[bool]]:
    """Return log probability and states of the most probable history with these rates."""
    chance = {
        (out, failed): float(np.log(rate if failed else 1 - rate))
        for out, rate in ((True, broken), (False, ordinary))
        for failed in (True, False)
    }
    best = {True: chance[True, bool(failing[0])], False: -np.inf}
    came: list[dict[bool, bool]] = []
    for failed, move in zip(failing[1:], switch[1:], strict=True):
        step = {True: float(np.log(move)), False: float(np.log1p(-move))}
        before = {
            out: best[True] + step[not out] >= best[False] + step[out] for out in (True, False)
        }
        best = {
            out: best[o] + step[o != out] + chance[out, bool(failed)] for out, o in before.items()
        }
        came.append(before)
    out = best[True] >= best[False]
    states = [out]
    for before in reversed(came):
        states.append(before[states[-1]])
    return max(best.values()), states[::-1]


# ---------------------------------------------------------------- spells


def spells_of(history: History) -> list[dict[str, Any]]:
    """List the times a host was out, in order, as rows of `SPELL`.

    The first begins with the onset. One that ends in the middle ends at the first success after
    it; the last one ends where table ``hosts`` says that the host works again, else where it is no
    longer known to be out.
    """
    bursts = history.bursts[history.bursts["last"] >= history.onset]
    if history.back:  # what came after is decided in table hosts
        bursts = bursts[bursts["time"] < history.until]
    spells = _out_runs(history, bursts)
    spells = [s for s in spells if s[0] < history.until] or [(history.onset, history.until)]
    rows = []
    for number, (start, stop) in enumerate(spells, 1):
        final = number == len(spells)
        end = history.until if final else stop
        failed = bursts[bursts["failing"] & (bursts["time"] >= start) & (bursts["time"] < end)]
        before = spells[number - 2][1] if number > 1 else start
        rows.append(
            {"host": history.row["host"], "number": number, "start": start, "end": end,
             "ended_by": _ended_by(history) if final else "recovered", "failures": len(failed),
             "why": _why_again(history, before, start) if number > 1 else "",
             "records": [r for refs in failed["records"].head(2) for r in refs][:SHOWN_RECORDS]}
        )  # fmt: skip
    return rows


def _ended_by(history: History) -> str:
    if history.back:
        return "recovered"
    return "unconfirmed" if history.row["status"] == "unconfirmed" else "evidence ends"


def _out_runs(history: History, bursts: pd.DataFrame) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return start and end of each run of bursts at which the host was out."""
    failing, returns = [bool(f) for f in bursts["failing"]], _returns(history)
    first_success = failing.index(False) if False in failing else len(failing)
    if not failing or not (any(failing[first_success:]) or returns):
        return [(history.onset, history.until)]
    out = likely_states(failing, _switches(history, bursts), ordinary=_ordinary(history))
    times = list(bursts["time"])
    turns = [0, *(n for n in range(1, len(out)) if out[n] != out[n - 1]), len(out)]
    runs = []
    for low, high in pairwise(turns):
        start = history.onset if low == 0 else times[low]
        came = low > 0 and any(times[low - 1] < at <= start for at in returns)
        if out[low] and (low == 0 or came or sum(failing[low:high]) >= MIN_RELAPSED):
            runs.append((start, times[high] if high < len(out) else history.until))
    # The change came back after it had worked: held to be out again, tried or not, until it is
    # known to work.
    put_back = [] if out[-1] else [at for at in returns if at > times[turns[-2]]]
    return runs + [(at, history.until) for at in put_back[:1]]


def _returns(history: History) -> list[pd.Timestamp]:
    """When the guilty change came back after it had been gone."""
    starts, ends = history.bad["start"], history.bad["end"]
    gone = ends[ends.notna()].min()
    return sorted(starts[starts >= gone]) if pd.notna(gone) else []


def _switches(history: History, bursts: pd.DataFrame) -> Sequence[float]:
    """Probability of a change of state before each burst: high where the change came or went."""
    turns = pd.concat([history.bad["start"], history.bad["end"]]).dropna()
    times = bursts["time"].to_numpy()
    place = np.searchsorted(times, turns.to_numpy(), side="left")
    turned = np.isin(np.arange(len(times)), place)
    return list(np.where(turned, SWITCH_BY_BUILD, SWITCH))


def _ordinary(history: History) -> float:
    """Failure rate before the onset, shrunk towards that of hosts in general."""
    before = history.bursts[history.bursts["last"] < history.onset]
    rate = (before["failing"].sum() + BASE_RATE[0]) / (len(before) + sum(BASE_RATE))
    return float(np.clip(rate, 0.005, 0.5))


def _why_again(history: History, before: pd.Timestamp, start: pd.Timestamp) -> str:
    """Say what a relapse goes with: the change put back, the cure in effect, or neither."""
    bad, cured = history.bad, history.cured
    back = bad[bad["start"].isin(_returns(history)) & bad["start"].between(before, start)]
    if len(back):
        row = back.iloc[-1]
        return f"{row['change']} came back on {row['start']:%Y-%m-%d}"
    held = cured[(cured["start"].isna() | (cured["start"] <= start))
                 & (cured["end"].isna() | (cured["end"] > start))]  # fmt: skip
    if len(held):
        return f"although {held['change'].iloc[0]} is in effect"
    return "no change of its build is seen"
