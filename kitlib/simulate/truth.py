"""State what is true in a simulated world: ``truth.json``, for tests and benchmarks.

Everything comes from the world model; of the written files only "which record ids were lost" is
used. Words are those of the contract (verdict, host status).

Keys of the document
--------------------
``schema, scenario, title, incident, seed, window``
    What this is. Times are UTC with ``Z``.
``verdict``
    ``status``, ``changes`` (all labels of the guilty change that were in effect on some host),
    ``competing``. A family of worlds also has ``known`` (false where the fleet is too small for
    its design to let the verdict be known) and ``also_right`` (further statuses that are right).
``onset``
    First attempt that the guilty fault broke, anywhere.
``hosts``
    One a host. ``host`` is the folder, ``computer`` what records state. ``attempts`` counts tries
    without cancelled ones, ``failures`` those broken by the guilty fault (in a world without one:
    by what happened instead), ``visible_…`` the same as far as the evidence still shows the
    outcome. ``exposure`` lists [from, to] of the guilty change in effect (to is null at the end),
    ``sessions_lost`` the sessions the host's user would have begun while the fault was active (the
    mean over lives without it, good to 2 to 4 % of a host) less those that came up nevertheless,
    ``onset`` the first visible failure of that kind, ``cured_at`` the end of the last broken span,
    ``recovered_at`` the first visible success after it. An agent's dials (faults of kind 'logged')
    are attempts and ``other_failures``, never ``failures``: nobody loses anything by them. A family
    of worlds also has ``oracle_confidence`` (see `kitlib.simulate.oracle`; null where no cure
    follows failures). ``user_hours_lost`` are the hours of the user's working time (his shifts,
    without days away) between the first such failure, seen or not, and `recovered_at` (or the end)
    during which the fault was active on his host: of a fault that breaks few tries as well, though
    he works through most of these hours.
``impact``
    Sums over the hosts whose failures the evidence shows.
``defects``
    What is wrong with the evidence: file, kind, records lost, their ids. Where nothing is lost but
    something is said wrongly (a clock, a dump), ``at`` and ``minutes`` instead, and no file.

States of hosts
---------------
The words are the contract's; here is what they mean in a world of which everything is known. First
the *time that matters* to a host: when the guilty change was in effect on it; else, when a main
fault was active on it; else, when one was active on any host; in a world without any, the window.

``no_data``
    The user tried in the time that matters, and of none of these tries the outcome is kept. Or he
    did not try, and the log reaches over half of that time or less (by the clock; records lost from
    its middle or its end do not count here): the silence of the rest says nothing. So in a world in
    which no change is guilty a log that begins after the outage is `no_data`, as one that begins
    after the change is where a change is guilty.
``not_affected``
    The log could have shown it, in this sense, and no failure of a main fault is visible.
``pending_reboot``, ``still_failing``
    Such a failure is visible, and the fault is active to the end, with or without a change to a
    higher revision that waits for its restart.
``unconfirmed``
    The fault is over and no success since is visible; or, where a change is guilty or every host
    has a spell of its own, who knew the simulator's rates would not be sure from the host's tries
    since (`kitlib.simulate.oracle`). That an outage of many is over all of them show together:
    there one success is enough.
``recovered``, ``workaround_only``
    The fault is over and that can be seen, by a build that contains the fix or where no change is
    guilty; by anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from kitlib.simulate.oracle import SURE, confidence_works
from kitlib.simulate.usage import union

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitlib.simulate.logs import Log, Loss
    from kitlib.simulate.usage import Attempt, Span
    from kitlib.simulate.vocabulary import Defect, Fault, Habits
    from kitlib.simulate.world import HostWorld, World

SCHEMA: Final = "kitlib.truth/1"
FALSE: Final = ("clock", "stale_dump", "wrong_dump")
"""Defects that lose nothing and say something wrong."""
BLAMELESS: Final = ("not_supported", "insufficient")
"""Verdicts that name no change (contract)."""
MOST: Final = 0.5
"""A log without a try tells that there was none if it covers more than this of what matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened to one host with respect to the main fault, and what can be seen of it."""

    spans: tuple[Span, ...]
    exposures: tuple[Span, ...]
    tries: tuple[Attempt, ...]
    seen: tuple[Attempt, ...]
    broken: tuple[Attempt, ...]
    broken_seen: tuple[Attempt, ...]
    matters: tuple[Span, ...]
    """The time in which the log must tell (see the head of this file)."""
    covered: float
    """Share of that time which the kept log of the tries covers."""
    agents: frozenset[str]
    """Names of faults whose dials are an agent's."""
    end: datetime
    habits: Habits
    last: Fault | None
    """The main fault that was active last."""

    @property
    def cured(self) -> datetime | None:
        """End of the last broken span, None while it lasts or if there was none."""
        return self.spans[-1][1] if self.spans and self.spans[-1][1] < self.end else None

    @property
    def successes_since(self) -> tuple[Attempt, ...]:
        """Visible successes after the cure."""
        cured = self.cured
        return tuple(a for a in self.seen if cured and a.start >= cured and a.outcome == "success")

    @property
    def sure(self) -> float | None:
        """How sure anybody could be that the host works since the cure; None without one."""
        cured = self.cured
        if cured is None or self.last is None:
            return None
        since = (a for a in self.seen if a.start >= cured and a.fault not in self.agents)
        return confidence_works(since, self.habits, self.last)


def truth(world: World, logs: Mapping[str, Sequence[Log]]) -> dict[str, Any]:
    """Return the document; `logs` are the written logs by host name."""
    blamed = world.scenario.guilty
    trouble = troubled(world)
    stories = {host.name: story(world, host, logs[host.name], trouble) for host in world.hosts}
    hosts = [_host(world, host, stories[host.name], blamed=blamed) for host in world.hosts]
    first = [s.broken_seen[0].start for s in stories.values() if s.broken_seen]
    return {
        "schema": SCHEMA,
        "scenario": world.scenario.name,
        "title": world.scenario.title,
        "incident": world.scenario.incident,
        "seed": world.seed,
        "window": {"start": stamp(world.start), "end": stamp(world.end)},
        "verdict": _verdict(world),
        "onset": stamp(min(first)) if first else None,
        "hosts": hosts,
        "impact": _impact(hosts),
        "defects": [
            {"host": host.name, **defect}
            for host in world.hosts
            for defect in (
                *(_loss(loss) for log in logs[host.name] for loss in log.losses),
                *(_falsehood(world, defect) for defect in host.defects if defect.kind in FALSE),
            )
        ],
    }


def _verdict(world: World) -> dict[str, Any]:
    verdict = world.scenario.verdict
    out: dict[str, Any] = {
        "status": verdict.status,
        "changes": _named(world),
        "competing": list(verdict.competing),
    }
    if world.scenario.family or verdict.known_from:
        out["known"] = len(world.hosts) >= verdict.known_from
    if world.scenario.family or verdict.also_right:
        out["also_right"] = list(verdict.also_right)
    return out


def troubled(world: World) -> tuple[Span, ...]:
    """Return the time in which a main fault was active on any host; the window if never."""
    names = _main(world)
    spans = union(
        (low, high) for host in world.hosts for low, high, name in host.broken if name in names
    )
    return tuple(spans) or ((world.start, world.end),)


def _main(world: World) -> set[str]:
    return {fault.name for fault in world.scenario.main_faults}


def story(world: World, host: HostWorld, logs: Sequence[Log], trouble: tuple[Span, ...]) -> Story:
    """Return what happened to a host with respect to the main fault.

    Parameters
    ----------
    world, host
        The world and one of its hosts.
    logs
        The host's written logs.
    trouble
        When the fleet was in trouble (`troubled`): what matters to a host that never was.
    """
    names = _main(world)
    spells = [spell for spell in host.broken if spell[2] in names]
    spans = tuple(union((low, high) for low, high, _ in spells))
    last = max(spells, key=lambda spell: spell[1])[2] if spells else ""
    application = next(log for log in logs if log.name == "Application")
    tries = [(i, a) for i, a in enumerate(host.attempts) if a.outcome != "cancelled"]
    seen = tuple(a for i, a in tries if i in application.visible)
    matters = host.exposures or spans or trouble
    return Story(
        spans=spans,
        exposures=host.exposures,
        tries=tuple(a for _, a in tries),
        seen=seen,
        broken=tuple(a for _, a in tries if a.fault in names),
        broken_seen=tuple(a for a in seen if a.fault in names),
        matters=matters,
        covered=_covered(matters, application.begins, host.deeds.off_from or world.end),
        agents=frozenset(f.name for f in world.scenario.faults if f.kind == "logged"),
        end=world.end,
        habits=host.host.habits,
        last=next((f for f in world.scenario.faults if f.name == last), None),
    )


def _covered(spans: Sequence[Span], begins: datetime | None, ends: datetime) -> float:
    """Return the share of `spans`, apart from each other, that lies in a log; 0 without one."""
    if begins is None:
        return 0.0
    nothing = timedelta(0)
    kept = sum((max(min(b, ends) - max(a, begins), nothing) for a, b in spans), nothing)
    return kept / sum((b - a for a, b in spans), nothing)


def status(host: HostWorld, told: Story, *, blamed: bool) -> tuple[str, str | None]:
    """Return a host's status and how it recovered, in the contract's words.

    Notes
    -----
    What each means in a world of which everything is known stands at the head of this file.
    """
    if _cannot_tell(told):
        return "no_data", None
    if not told.broken_seen:
        return "not_affected", None
    if told.cured is None:
        return ("pending_reboot" if _pending(host) else "still_failing"), None
    if not told.successes_since or (_alone(told, blamed=blamed) and (told.sure or 0.0) < SURE):
        return "unconfirmed", None
    by = _cure(host, told, told.cured) if blamed else "other"
    return ("recovered" if by == "fix" or not blamed else "workaround_only"), by


def _alone(told: Story, *, blamed: bool) -> bool:
    """Return whether the end of a host's failures can be seen on that host only."""
    return blamed or (told.last is not None and told.last.own)


def _cannot_tell(told: Story) -> bool:
    """Return whether all tries that matter left no trace, or nothing covers that there were none.

    An agent's dials are no tries: they say nothing of the user's.
    """
    matter = [
        a for a in told.tries if _within(told.matters, a.start) and a.fault not in told.agents
    ]
    if matter:
        return set(told.seen).isdisjoint(matter)
    return told.covered <= MOST


def _within(spans: Sequence[Span], time: datetime) -> bool:
    return any(low <= time < high for low, high in spans)


def _pending(host: HostWorld) -> bool:
    """Return whether a change to a higher revision waits for the restart."""
    reached = host.deeds.revision(datetime.max.replace(tzinfo=UTC))
    return any(
        c.do == "install" and c.effective is None and (c.revision or 0) > reached
        for c in host.deeds.changes
    )


def _cure(host: HostWorld, told: Story, cured: datetime) -> str:
    """Return what ended the failures: a package that went, a build that came, or nothing seen.

    A host that was helped by something else first and has a later build in the end is fixed.
    """
    deeds, earlier = host.deeds, cured - timedelta(seconds=1)
    guilty_package = told.last.package if told.last else ""
    if guilty_package in deeds.packages(earlier) - deeds.packages(cured):
        return "uninstall"
    before, after = deeds.revision(earlier), deeds.revision(cured)
    if deeds.revision(told.end) > before:
        return "fix"
    return "other" if after == before else "uninstall"


def _host(world: World, host: HostWorld, told: Story, *, blamed: bool) -> dict[str, Any]:
    state, by = status(host, told, blamed=blamed)
    exposed_now = bool(told.exposures) and told.exposures[-1][1] >= world.end
    recovered = told.successes_since[0].start if by and told.successes_since else None
    affected = state not in ("not_affected", "no_data")
    sure = told.sure if affected else None
    return {
        "host": host.name,
        "computer": world.fqdn(host),
        "branch": host.branch.name,
        "build": host.branch.build,
        "revision": host.deeds.revision(world.end),
        "status": state,
        "at_risk": blamed and (exposed_now or _may_return(host, told, state)),
        "exposed_from": _first(told.exposures),
        "exposure": [[stamp(a), stamp(b) if b < world.end else None] for a, b in told.exposures],
        "onset": stamp(told.broken_seen[0].start) if affected else None,
        "cured_at": stamp(told.cured) if told.cured and affected else None,
        "recovered_at": stamp(recovered) if recovered else None,
        "recovered_by": by,
        "successes_since_cure": len(told.successes_since),
        "attempts": len(told.tries),
        "failures": len(told.broken),
        "other_failures": sum(a.outcome == "failure" for a in told.tries) - len(told.broken),
        "sessions_lost": _sessions_lost(host, told),
        "visible_attempts": len(told.seen),
        "visible_failures": len(told.broken_seen),
        "user_hours_lost": _hours(host, told, recovered),
        **(
            {"oracle_confidence": None if sure is None else round(sure, 6)}
            if world.scenario.family
            else {}
        ),
    }


def _may_return(host: HostWorld, told: Story, state: str) -> bool:
    """Return whether what ended the failures was no fix, so that they can come back."""
    cured = told.cured
    if cured is None or state not in ("workaround_only", "unconfirmed"):
        return False
    return _cure(host, told, cured) != "fix"


def _first(spans: Sequence[Span]) -> str | None:
    return stamp(spans[0][0]) if spans else None


def _hours(host: HostWorld, told: Story, recovered: datetime | None) -> float:
    """Working hours between onset and recovery during which the fault was active."""
    if not told.broken:
        return 0.0
    low, high = told.broken[0].start, recovered or told.end
    total = sum(
        (min(b, d, high) - max(a, c, low)).total_seconds()
        for a, b in host.presence.shifts
        for c, d in told.spans
        if max(a, c, low) < min(b, d, high)
    )
    return round(total / 3600, 3)


def _sessions_lost(host: HostWorld, told: Story) -> float:
    """Return the sessions expected while the fault was active, less those that came up."""
    had = sum(
        a.outcome == "success" and any(low <= a.start < high for low, high in told.spans)
        for a in told.tries
    )
    return round(max(0.0, host.expected - had), 1) if told.spans else 0.0


def _impact(hosts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    affected = [h for h in hosts if h["onset"]]
    return {
        "hosts_affected": len(affected),
        "failures": sum(h["visible_failures"] for h in affected),
        "sessions_lost": round(sum(h["sessions_lost"] for h in affected), 1),
        "user_hours_lost": round(sum(h["user_hours_lost"] for h in affected), 3),
    }


def _named(world: World) -> list[str]:
    verdict = world.scenario.verdict
    if verdict.status in BLAMELESS:
        return []
    return _changes(world) if verdict.changes is None else sorted(verdict.changes)


def _changes(world: World) -> list[str]:
    """Labels of the revisions and packages that carried the fault on some host."""
    labels: set[str] = set()
    for host in world.hosts:
        for low, high in host.exposures:
            steps = {b.start for b in host.deeds.boots} | {c.effective for c in host.deeds.changes}
            moments = [low, *(step for step in steps if step and low <= step < high)]
            for fault in (f for f in world.scenario.faults if f.kind == "change"):
                packages = {fault.package} & set().union(*map(host.deeds.packages, moments))
                labels |= {world.scenario.package(name).label for name in packages}
                for carrier in fault.carriers:
                    numbers = {host.deeds.revision(m) for m in moments}
                    labels |= {
                        host.branch.revision(n).kb
                        for n in numbers
                        if carrier.branch == host.branch.name and carrier.first <= n < carrier.fixed
                    }
    return sorted(labels)


def _loss(loss: Loss) -> dict[str, Any]:
    return {
        "file": loss.file,
        "kind": loss.kind,
        "records_lost": loss.records,
        "record_ids": [loss.first_id, loss.last_id] if loss.last_id else None,
        "nothing_before": stamp(loss.before) if loss.before else None,
    }


def _falsehood(world: World, defect: Defect) -> dict[str, Any]:
    """State a defect that takes nothing away but says something wrong."""
    return {
        "file": "",
        "kind": defect.kind,
        "records_lost": 0,
        "record_ids": None,
        "nothing_before": None,
        "at": stamp(world.window.utc(defect.at)) if defect.at else None,
        "minutes": defect.minutes,
    }


def stamp(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC with ``Z``."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
