"""All that is known of one host, cut from the tables once, as sorted arrays.

A fleet's tables are asked once and then cut by host: asking a table again for each host is what
is slow. Each attempt is put into a regime: what is blamed was surely in effect (`BAD`), surely not
(`FREE`), or nobody knows (`UNSURE`: the start of a state may be an interval). Attempts in an outage
that everybody had beside it are set `ASIDE`. Nothing is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from kitlib.classify import activity_channels
from kitlib.explain.outages import inside
from kitlib.recovery.stays import EVER, NEVER, NONE, Stay, blamed_stays, known, ticks
from kitlib.suspects import in_effect

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from kitlib.cause import Cause
    from kitlib.explain import Outage
    from kitlib.incident import Incident
    from kitlib.stats import Ints

Bools = npt.NDArray[np.bool_]

FREE: Final = 0
UNSURE: Final = 1
BAD: Final = 2
ASIDE: Final = 3

BELONGS: Final = 0.2
"""A code belongs to the fault if it grows at least this much as the code that grows most."""

WORKED_THROUGH: Final = 0.2
"""Share of the hosts that may work in an outage of everybody that is not over."""

INSTALLED: Final = ("update_installed", "update_restart_needed")


@dataclass(frozen=True, slots=True, eq=False)
class Tries:
    """Attempts with an outcome and a known time, in order of time."""

    time: Ints
    worked: Bools
    symptom: Bools
    retry: Bools
    """Whether an attempt of the same burst that worked or showed the symptom precedes it."""
    regime: npt.NDArray[np.int8]
    records: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, chosen: slice | Bools) -> Tries:
        """Return some of the attempts."""
        return Tries(*(getattr(self, name)[chosen] for name in self.__slots__))

    @property
    def bad(self) -> Tries:
        """Attempts made while what is blamed was surely in effect."""
        return self[self.regime == BAD]

    @property
    def unsure(self) -> Tries:
        """Attempts of which nobody knows whether it was in effect."""
        return self[self.regime == UNSURE]

    @property
    def telling(self) -> Tries:
        """Attempts that are not set aside."""
        return self[self.regime != ASIDE]

    def since(self, moment: int) -> Tries:
        """Return the attempts from `moment` on whose regime is known."""
        return self[(self.time >= moment) & (self.regime != UNSURE) & (self.regime != ASIDE)]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """All that is known of one host; instants are ns since 1970 (UTC), None if unknown."""

    name: str
    tries: Tries
    untimed: int
    """Attempts whose time nobody knows."""
    untimed_symptoms: int
    """Those of them that ended with the symptom."""
    stays: tuple[Stay, ...]
    cured: bool
    """Whether a build with the cure is in effect at the end."""
    cured_by: tuple[str, ...]
    """Records that show it."""
    bad_records: tuple[str, ...]
    states: tuple[tuple[int, int], ...]
    """Builds and revisions of Windows it ran, in order."""
    seen: tuple[tuple[int, int], ...]
    """Spans in which the channels of the activity were being recorded."""
    last: int | None
    window: tuple[int | None, int | None]
    """When the fleet was failing."""
    last_boot: int | None
    installs: tuple[dict[Hashable, Any], ...]
    """Updates reported installed, in order of time."""
    facts_from: int | None
    """Its first fact of any kind."""
    logged_from: int | None
    """Its first record in a log, dumps left out."""

    @property
    def stateless(self) -> bool:
        """Tell whether nothing says which build the host ran."""
        return not self.states and not self.stays

    @property
    def open(self) -> bool:
        """Tell whether what is blamed is in effect at the end."""
        return any(stay.open for stay in self.stays)

    @property
    def last_stay(self) -> Stay:
        """The stay that ends last: outages may overlap, and one of all begin within one of a site."""
        return max(self.stays, key=lambda stay: (stay.end_high, stay.start_high))

    @property
    def failed(self) -> Tries:
        """Attempts that ended with the symptom while what is blamed was in effect."""
        return self.tries[self.tries.symptom & (self.tries.regime == BAD)]

    @property
    def exposed_from(self) -> int | None:
        """First start of a stay; None where there is none or it began before the evidence."""
        first = min((stay.start_high for stay in self.stays), default=EVER)
        return None if first == EVER else first

    def matters(self) -> tuple[int | None, int | None]:
        """Return the time a log must cover: the host's own stays, else the fleet's failing time."""
        if not self.stays:
            return self.window
        start = min(stay.start_high for stay in self.stays)
        end = self.last if self.open else max(stay.end_low for stay in self.stays)
        return (self.window[0] if start == EVER else start), end

    def covered_share(self) -> float:
        """Share of the time that matters in which the activity's channels were being recorded."""
        start, end = self.matters()
        if not self.seen:
            return 0.0
        if start is None or end is None:
            return 1.0
        if end <= start:  # one moment, or two bounds of it that cross
            return float(any(low <= start and high >= end for low, high in self.seen))
        lengths = [min(high, end) - max(low, start) for low, high in self.seen]
        return sum(max(length, 0) for length in lengths) / (end - start)


def look_at_hosts(  # noqa: PLR0913, PLR0917  # one argument a table, as in the other rooms
    attempts: pd.DataFrame,
    exposure: pd.DataFrame,
    coverage: pd.DataFrame,
    timeline: pd.DataFrame,
    incident: Incident,
    cause: Cause,
) -> list[View]:
    """Cut the tables by host.

    Returns
    -------
    list of View
        One a host of coverage, exposure or attempts, sorted by name.
    """
    names = sorted(set(coverage["host"]) | set(exposure["host"]) | set(attempts["host"]))
    seen = attempts[attempts["outcome"].isin(("success", "failure"))]
    ends = _last_seen(attempts, coverage, timeline)
    stays = blamed_stays(seen, exposure, cause, incident, ends)
    tries, slices = _cut_tries(seen, incident, cause, stays)
    lost = seen[seen["time"].isna()]
    ill = lost[(lost["outcome"] == "failure") & incident.is_symptom(lost["code"])]
    untimed, unwell = lost["host"].value_counts(), ill["host"].value_counts()
    system = _ordered_states(exposure)
    states = _by_host(system["host"], system["build"], system["revision"])
    cures = _by_host(cause.cured["host"], cause.cured["end"].isna(), cause.cured["records"])
    bad = _by_host(cause.bad["host"], cause.bad["records"])
    watched = coverage[coverage["channel"].isin(activity_channels(incident.activity))]
    spans = _by_host(watched["host"], ticks(watched["start"]), ticks(watched["end"]))
    installs = timeline[timeline["action"].isin(INSTALLED)]
    installed = _by_host(installs["host"], installs.to_dict("records"))
    boots = _at_hosts(timeline[timeline["action"] == "boot"]).max()
    logs = _at_hosts(timeline[timeline["record_id"].notna()]).min()
    begins = _at_hosts(timeline).min()
    window = _failing_window(tries, coverage)
    return [
        View(
            name=name,
            tries=tries[slices.get(name, slice(0, 0))],
            untimed=int(untimed.get(name, 0)),
            untimed_symptoms=int(unwell.get(name, 0)),
            stays=tuple(stays.get(name, ())),
            cured=any(held for held, _ in cures.get(name, ())),
            cured_by=_refs(refs for _, refs in cures.get(name, ()))[:1],
            bad_records=_refs(refs for (refs,) in bad.get(name, ())),
            states=tuple((int(b), int(r)) for b, r in states.get(name, ())),
            seen=tuple(spans.get(name, ())),
            last=known(ends.get(name)),
            window=window,
            last_boot=known(boots.get(name)),
            installs=tuple(fact for (fact,) in installed.get(name, ())),
            facts_from=known(begins.get(name)),
            logged_from=known(logs.get(name)),
        )
        for name in names
    ]


def _by_host(hosts: pd.Series[str], *columns: Iterable[Any]) -> dict[str, list[tuple[Any, ...]]]:
    """Gather the rows of some columns by host, in order; plain tuples, since a host has few."""
    out: dict[str, list[tuple[Any, ...]]] = {}
    values = (column.tolist() if hasattr(column, "tolist") else column for column in columns)
    for host, *row in zip(hosts.tolist(), *values, strict=True):
        out.setdefault(str(host), []).append(tuple(row))
    return out


def _at_hosts(facts: pd.DataFrame) -> Any:  # noqa: ANN401  # a grouped column; its type is private
    return facts.groupby("host")["time"]


def _ordered_states(exposure: pd.DataFrame) -> pd.DataFrame:
    """Operating-system states; one from before the evidence has no start, and is the first."""
    states = exposure[exposure["revision"].notna() & exposure["build"].notna()]
    return states.sort_values("start", na_position="first", kind="stable")


def _refs(several: Iterable[Iterable[str] | None]) -> tuple[str, ...]:
    return tuple(ref for refs in several for ref in refs or ())


def _last_seen(
    attempts: pd.DataFrame, coverage: pd.DataFrame, timeline: pd.DataFrame
) -> pd.Series[Any]:
    """Return each host's last evidence: the end of its logs, else its last fact or attempt."""
    ends = [coverage.groupby("host")["end"].max()]
    ends += [table.groupby("host")["time"].max() for table in (timeline, attempts)]
    out = ends[0]
    for other in ends[1:]:
        out = out.combine_first(other)
    return out


def _failing_window(tries: Tries, coverage: pd.DataFrame) -> tuple[int | None, int | None]:
    """First to last failure with the symptom in the fleet, else all the evidence."""
    hit = tries.time[tries.symptom & (tries.regime == BAD)]
    if len(hit):
        return int(hit.min()), int(hit.max())
    return known(coverage["start"].min()), known(coverage["end"].max())


def _cut_tries(
    seen: pd.DataFrame, incident: Incident, cause: Cause, stays: Mapping[str, Iterable[Stay]]
) -> tuple[Tries, dict[str, slice]]:
    """Sort the attempts by host and time; return all of them, and where each host's are."""
    timed = seen[seen["time"].notna()].sort_values(["host", "time"], kind="stable")
    failed = (timed["outcome"] == "failure").to_numpy(dtype=bool)
    regime = _regimes(timed, cause, stays)
    symptom = failed & incident.is_symptom(timed["code"]).to_numpy(dtype=bool)
    if "more_logging" in cause.competing:  # failures that nobody had
        symptom[:] = False
    elif not incident.codes:
        symptom &= timed["code"].isin(fault_codes(timed, failed, regime)).to_numpy(dtype=bool)
    hosts = timed["host"].astype(str).to_numpy(dtype=object)
    tries = Tries(
        time=ticks(timed["time"]),
        worked=~failed,
        symptom=symptom,
        retry=_retries(hosts, timed["episode"], symptom | ~failed),
        regime=regime,
        records=timed["records"].to_numpy(dtype=object),
    )
    starts = np.flatnonzero(hosts[1:] != hosts[:-1]) + 1 if len(hosts) else np.empty(0, int)
    cuts = pairwise([0, *starts.tolist(), len(hosts)])
    return tries, {str(hosts[low]): slice(low, high) for low, high in cuts if low < high}


def fault_codes(timed: pd.DataFrame, failed: Bools, regime: npt.NDArray[np.int8]) -> set[str]:
    """Find the codes that belong to what is blamed, where the profile names none.

    Those whose share of a host's attempts grows with what is blamed in effect, on the mean over
    hosts; where none does, or nothing can be compared, all.
    """
    codes = timed["code"].where(failed, None)
    every = set(codes.dropna())
    shares = []
    for place in (BAD, FREE):
        own = codes[regime == place]
        tried = timed.loc[own.index, "host"]
        counts = pd.crosstab(tried, own).reindex(columns=sorted(every), fill_value=0)
        per_host = counts.div(tried.value_counts(), axis=0)
        shares.append(per_host.fillna(0.0).mean())
    excess = shares[0] - shares[1]
    if not len(excess) or not excess.max() > 0:
        return every
    return set(excess.index[excess >= BELONGS * excess.max()])


def _retries(hosts: npt.NDArray[np.object_], episode: pd.Series[Any], telling: Bools) -> Bools:
    """Mark the attempts that follow a telling one of the same burst.

    Telling are attempts that worked and those with the symptom, as `kitlib.attempts.make_episodes`
    has it: the first of them is a fair draw of the failure rate, what follows hangs on how it ended.
    """
    burst = episode.astype("float64").to_numpy()
    new = np.ones(len(hosts), dtype=bool)
    new[1:] = (hosts[1:] != hosts[:-1]) | (burst[1:] != burst[:-1])
    before: Ints = np.cumsum(telling) - telling
    starts = np.maximum.accumulate(np.where(new, np.arange(len(hosts)), 0))
    return np.asarray(before > before[starts], dtype=bool)


def _regimes(
    timed: pd.DataFrame, cause: Cause, stays: Mapping[str, Iterable[Stay]]
) -> npt.NDArray[np.int8]:
    rows = [(host, *stay) for host, own in stays.items() for stay in own]
    spans = pd.DataFrame(rows, columns=["host", *Stay._fields])
    surely = in_effect(_as_spans(spans, "start_high", "end_low"), timed)
    maybe = in_effect(_as_spans(spans, "start_low", "end_high"), timed)
    out = np.where(surely, BAD, np.where(maybe, UNSURE, FREE)).astype(np.int8)
    if cause.follows:  # where everybody failed, that says nothing about the change
        out[inside(_set_aside(timed, cause), timed)] = ASIDE
    return out


def _set_aside(timed: pd.DataFrame, cause: Cause) -> list[Outage]:
    """Choose the outages in which attempts say nothing.

    One that lasts to the end and that many hosts work through is not among them: it may be a
    relapse, and whoever fails at its last evidence has not recovered.
    """
    aside = []
    for outage in cause.outages:
        over = outage.end.value < _ticks_max(timed["time"])
        worked = (timed["outcome"] == "success")[outage.inside(timed)]
        by_host = worked.groupby(timed["host"].loc[worked.index]).mean()
        if over or float((by_host >= 0.5).mean()) <= WORKED_THROUGH:
            aside.append(outage)
    return aside


def _ticks_max(times: pd.Series[Any]) -> int:
    return known(times.max()) or EVER


def _as_spans(stays: pd.DataFrame, start: str, end: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"host": stays["host"], "start": _times(stays[start]), "end": _times(stays[end])}
    )


def _times(moments: pd.Series[Any]) -> pd.Series[Any]:
    """Turn nanoseconds into times, exactly; missing before and after the evidence."""
    exact = moments.to_numpy(dtype=np.int64)
    exact = np.where((exact == EVER) | (exact == NEVER), NONE, exact)
    return pd.Series(exact.view("datetime64[ns]"), index=moments.index).dt.tz_localize("UTC")
