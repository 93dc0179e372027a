"""What a simulated host's dumps list: its COM update history, and the hotfixes installed.

COM lists everything that ever ran, newest first; the hotfix lists only name what is installed when
they are made, and know no time of day. They are made at the end of the window, a stale dump earlier;
a history that is wrong states the installs of cumulative updates at other times than the logs. `kitlib.simulate.update_dumps` knows the dialects, `WRITERS` which of them
a scenario can ask for. What each dump means to an analysis is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kitlib.simulate import update_dumps
from kitlib.simulate.background import Routine, routine_updates
from kitlib.simulate.dumps import UPDATE_SERVICE_ID
from kitlib.simulate.dumps_history import STORE_SERVICE_ID
from kitlib.simulate.events import INSTALL_ERROR, SERVICE_STORE, kb_of, title_of, update_guid
from kitlib.simulate.update_dumps import CULTURES, Item, Session
from kitlib.simulate.world import HostWorld, World

if TYPE_CHECKING:
    from kitlib.simulate.deeds import Change

PENDING: Final = -2145116140
"""0x80242014 as COM states it: done, but for the restart."""
FAILED: Final = INSTALL_ERROR - 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One row of the list of installed hotfixes; `day` is a local date."""

    kb: str
    kind: str
    by: str
    day: date


def history(world: World, host: HostWorld) -> list[Item]:
    """Return the COM history of a host, newest first.

    Notes
    -----
    Removals leave no row: whether ``wusa /uninstall`` writes one is not established.
    """
    until = exported(world, host)
    wiped = host.deeds.reimaged
    fresh = wiped if wiped and wiped < until else world.start
    nothing, wrong = timedelta(0), _error(host)
    rows = [
        (_entry(host, change, until), wrong if change.revision is not None else nothing)
        for change in host.deeds.changes
        if change.do == "install" and not _is_application(change)
    ]
    rows += [(_routine(routine), nothing) for routine in routine_updates(world, host)]
    rows += [
        (replace(_entry(host, change, until), time=failure, result=4, hresult=FAILED), nothing)
        for change in host.deeds.changes
        for failure in change.failures
    ]
    kept = [replace(row, time=row.time + error) for row, error in rows if fresh <= row.time < until]
    return sorted(kept, key=lambda row: row.time, reverse=True)


def _is_application(change: Change) -> bool:
    """Tell whether a change came by an installer of its own: Windows Update knows nothing of it."""
    return change.package is not None and change.package.kind == "application"


def exported(world: World, host: HostWorld) -> datetime:
    """Return when the dumps of a host were made, UTC: at the end, or when they were last right."""
    stale = [d.at for d in host.defects if d.kind == "stale_dump" and d.at]
    return min([*map(world.window.utc, stale), world.end])


def _error(host: HostWorld) -> timedelta:
    """Return by how much the history is wrong about installs of cumulative updates."""
    minutes = sum(d.minutes for d in host.defects if d.kind == "wrong_dump")
    return timedelta(minutes=minutes)


def _entry(host: HostWorld, change: Change, until: datetime) -> Item:
    pending = change.effective is None or change.effective >= until
    return Item(
        time=change.staged.replace(microsecond=0),
        title=title_of(host, change),
        client="UpdateOrchestrator" if change.by == "windows_update" else "wusa",
        result=1 if pending else 2,
        hresult=PENDING if pending else 0,
    )


def _routine(routine: Routine) -> Item:
    store = routine.service == SERVICE_STORE
    return Item(
        time=routine.time,
        title=routine.title,
        client="Update;ScanForUpdates" if store else "UpdateOrchestrator",
        service=STORE_SERVICE_ID if store else UPDATE_SERVICE_ID,
    )


def fixes(world: World, host: HostWorld) -> list[Fix]:
    """Return what is installed when the dumps are made: one cumulative update, and packages."""
    until = exported(world, host)
    rows = [
        Fix(kb=h.kb, kind=h.kind, by=r"NT AUTHORITY\SYSTEM", day=h.installed)
        for h in host.branch.hotfixes
    ]
    rows += [
        _fix(world, host, change, "Update")
        for change in host.deeds.changes
        if change.package and change.package.kb and change.do == "install"
        if change.package.name in host.deeds.packages(until)
    ]
    return [*rows, _cumulative(world, host, until)]


def _cumulative(world: World, host: HostWorld, until: datetime) -> Fix:
    """Return the cumulative update in effect, dated by the change that last led to it."""
    number = host.deeds.revision(until)
    for change in reversed(host.deeds.changes):
        current = change.do == "install" and change.revision == number
        if current and change.effective and change.effective < until:
            return _fix(world, host, change, "Security Update")
    revision = host.branch.revision(number)
    day = revision.released + timedelta(days=2)
    return Fix(kb=revision.kb, kind="Security Update", by=r"NT AUTHORITY\SYSTEM", day=day)


def _fix(world: World, host: HostWorld, change: Change, kind: str) -> Fix:
    by_hand = change.by != "windows_update"
    return Fix(
        kb=kb_of(host, change),
        kind=kind,
        by=world.account(host) if by_hand else r"NT AUTHORITY\SYSTEM",
        day=world.window.local(change.effective or change.staged).date(),
    )


def _session(world: World, host: HostWorld) -> Session:
    def offset(when: datetime) -> int:
        wall = world.window.local(when)
        return (wall.replace(tzinfo=UTC) - when) // timedelta(minutes=1)

    return Session(host=host.name, culture=CULTURES[host.host.culture], offset=offset)


def _entries(world: World, host: HostWorld) -> list[Item]:
    """Return the history as COM keeps it: to the second, each with an identity."""
    return [
        replace(
            item,
            time=item.time.replace(microsecond=0),
            update_id=update_guid(item.title).lower(),
        )
        for item in history(world, host)
    ]


def _installed(world: World, host: HostWorld) -> list[Item]:
    return [
        Item(
            time=world.window.utc(datetime.combine(fix.day, time(12))),
            kb=fix.kb,
            kind=fix.kind,
            by=fix.by,
        )
        for fix in fixes(world, host)
    ]


def com_51(world: World, host: HostWorld) -> bytes:
    """``QueryHistory | ConvertTo-Json > file`` in Windows PowerShell 5.1."""
    return update_dumps.com_json_51(_entries(world, host), _session(world, host))


def com_iso(world: World, host: HostWorld) -> bytes:
    """``QueryHistory`` with an explicit UTC text, written by ``Set-Content -Encoding UTF8``."""
    return update_dumps.collector_json(_entries(world, host), Session())


def hotfix_csv(world: World, host: HostWorld) -> bytes:
    """``Get-HotFix | Export-Csv -NoTypeInformation``: ASCII, dates in the user's culture."""
    return update_dumps.hotfix_csv(_installed(world, host), _session(world, host))


def wmic_csv(world: World, host: HostWorld) -> bytes:
    """``wmic qfe list full /format:csv > file``."""
    return update_dumps.wmic_csv(_installed(world, host), _session(world, host))


def wmic_table(world: World, host: HostWorld) -> bytes:
    """``wmic qfe > file``."""
    return update_dumps.wmic_table(_installed(world, host), _session(world, host))


def systeminfo(world: World, host: HostWorld) -> bytes:
    """``systeminfo > file`` in the language of the host's culture."""
    language = host.host.culture.partition("-")[0]
    boots = [boot.start for boot in host.deeds.boots if boot.start < exported(world, host)]
    machine = update_dumps.Machine(
        os_name=f"Microsoft {host.branch.product}",
        version=f"10.0.{host.branch.build}",
        boot=max(boots, default=host.started - timedelta(days=3)),
        domain=world.scenario.office.domain,
        language=language,
    )
    return update_dumps.systeminfo_list(_installed(world, host), _session(world, host), machine)


Writer = Callable[[World, HostWorld], bytes]
WRITERS: Final[Mapping[str, tuple[str, Writer]]] = MappingProxyType(
    {
        "com_51": ("update_history.json", com_51),
        "com_iso": ("wu.json", com_iso),
        "hotfix_csv": ("hotfix.csv", hotfix_csv),
        "wmic_csv": ("qfe.csv", wmic_csv),
        "wmic_table": ("qfe.txt", wmic_table),
        "systeminfo": ("systeminfo.txt", systeminfo),
    }
)
"""Dump kind of the scenario → file name, writer."""
