"""The noise of an ordinary day: what a log is full of while nothing happens.

Daily definition updates and Store apps are changes too, on every host, every day: an analysis that
blames "the newest change" meets them. So is what Group Policy brings, on all hosts of a domain on
the same day. Services start and stop, clocks are corrected by less than a
millisecond, laptops sleep. All of it follows from the host's own streams.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kitlib.simulate.declared import build
from kitlib.simulate.dice import Dice
from kitlib.simulate.events import (
    SERVICE_STORE,
    SERVICE_UPDATE,
    filetime,
    installed,
    offered,
    service_note,
    uptime_note,
)
from kitlib.simulate.evtx import Typed
from kitlib.simulate.notes import Note, u32
from kitlib.simulate.products import app_notes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitlib.simulate.evtx import Value
    from kitlib.simulate.world import HostWorld, World

WAKE_ZEROS: Final = (
    "BiosInitDuration",
    "HiberWriteDuration",
    "HiberReadDuration",
    "HiberPagesWritten",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """An application that is installed now and then."""

    name: str
    maker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Windows service: the name it shows and its key."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What ``noise.toml`` holds."""

    definitions: str
    store_apps: tuple[str, ...]
    hives: tuple[str, ...]
    products: tuple[Product, ...]
    services: tuple[Service, ...]


@cache
def noise() -> Noise:
    """Return the stock of ordinary life."""
    path = Path(__file__).with_name("noise.toml")
    return build(Noise, tomllib.loads(path.read_text(encoding="utf-8")), path.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine:
    """A definition update or Store app that installed itself."""

    time: datetime
    title: str
    service: str


def routine_updates(world: World, host: HostWorld) -> tuple[Routine, ...]:
    """Return the daily definition updates and now and then a Store app of a host."""
    dice = host.dice("routine")
    out: list[Routine] = []
    for day in _days(world):
        base = world.window.utc(day)
        time, app = base + dice.pause(8 * 3600, 16 * 3600), dice.pick(noise().store_apps)
        takes_app, lag = dice.happens(0.16), dice.pause(600, 5000)
        if host.presence.on(time) and dice.happens(0.86):
            out.append(Routine(time=time, title=_definition(time), service=SERVICE_UPDATE))
        if takes_app and host.presence.on(time + lag):
            out.append(Routine(time=time + lag, title=app, service=SERVICE_STORE))
    return tuple(r for r in out if world.start <= r.time < world.end)


def _definition(time: datetime) -> str:
    """Definition versions rise with time, the same for all hosts."""
    hours = int(time.timestamp() // 3600) - 454_000
    version = f"1.{355 + hours // 1500}.{hours % 1500}.0"
    return noise().definitions.format(version=version)


def _days(world: World) -> Iterator[datetime]:
    day = world.window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < world.window.end:
        yield day
        day += timedelta(days=1)


def background_notes(world: World, host: HostWorld) -> Iterator[Note]:
    """Yield the records of ordinary life, only for times at which the host was on."""
    for note in _all(world, host):
        if world.start <= note.time < world.end and host.presence.on(note.time):
            yield note


def _all(world: World, host: HostWorld) -> Iterator[Note]:
    for routine in routine_updates(world, host):
        yield from _routine(routine, host.dice(f"routine {routine.time.isoformat()}"))
    for day in _days(world):
        dice = host.dice(f"day {day.date().isoformat()}")
        yield from _system_day(world, host, day, dice)
        yield from _application_day(world, host, day, dice)
    if world.scenario.office.group_policy:
        yield from policy_notes(world, host)
    for start, end in host.presence.sleeps:
        yield from _sleep(start, end, host.dice(f"sleep {start.isoformat()}"))
    for start, _ in host.presence.shifts:
        sid = Typed(kind="sid", value=user_sid(host))
        data: dict[str, Value] = {"TSId": u32(1), "UserSid": sid}
        yield Note("logged_on", start + host.dice(f"logon {start}").pause(40, 900), data)


def policy_notes(world: World, host: HostWorld) -> Iterator[Note]:
    """Yield the refreshes of Group Policy: most find nothing new, now and then all hosts do.

    Only an office that states ``group_policy`` has them. News is a change that every host gets on
    the same day, and it is never guilty.
    """
    dice = host.dice("policy")
    days = _days(world)
    news = [day for day in days if Dice(world.seed, "policy", day.isoformat()).happens(0.07)]
    fresh = [world.window.utc(day) + timedelta(hours=9) for day in news]
    time, met = world.start + dice.pause(300, 7000), world.start
    while time < world.end:
        if host.presence.on(time):
            changed = any(met < moment <= time for moment in fresh)
            yield _policy(world, time, dice, changed=changed)
            met = time
        time += dice.pause(5400, 7200)


def _policy(world: World, time: datetime, dice: Dice, *, changed: bool) -> Note:
    data: dict[str, Value] = {
        "SupportInfo1": u32(1),
        "SupportInfo2": u32(4220),
        "ProcessingMode": u32(0),
        "ProcessingTimeInMilliseconds": u32(dice.whole(80, 2900)),
        "DCName": rf"\\DC01.{world.scenario.office.domain}",
    }
    if changed:
        data["NumberOfGroupPolicyObjects"] = u32(dice.whole(1, 3))
    return Note("policy_new" if changed else "policy_kept", time, data)


def user_sid(host: HostWorld) -> str:
    """Return the SID of a host's user, as text."""
    return (
        f"S-1-5-21-1417001333-682003330-1801674531-{1100 + Dice(0, 'sid', host.name).whole(1, 899)}"
    )


def _routine(routine: Routine, dice: Dice) -> Iterator[Note]:
    activity = dice.guid()
    time = routine.time
    yield offered("update_download", time - dice.pause(15, 60), routine.title, activity)
    yield offered("update_started", time - dice.pause(3, 14), routine.title, activity)
    yield installed(time, routine.title, routine.service, activity)


def _system_day(world: World, host: HostWorld, day: datetime, dice: Dice) -> Iterator[Note]:
    start, end = world.window.utc(day), world.window.utc(day + timedelta(days=1))
    much = host.host.habits.noise
    noon = world.window.utc(day + timedelta(hours=12, seconds=dice.between(0, 2)))
    yield uptime_note(world, host, noon, _uptime(host, noon))
    for _ in range(dice.count(7 * much)):
        yield _clock(dice.moment(start, end), dice)
    for _ in range(dice.count(6 * much)):
        yield from _service(dice.moment(start, end), dice)
    for _ in range(dice.count(2.5 * much)):
        yield from _start_type(dice.moment(start, end), dice)
    for _ in range(dice.count(9 * much)):
        yield _hive(host, dice.moment(start, end), dice)
    for _ in range(dice.count(1.5 * much)):
        yield _denied(world, host, dice.moment(start, end))


def _uptime(host: HostWorld, time: datetime) -> int:
    last = [boot.start for boot in host.deeds.boots if boot.start <= time]
    before = timedelta(days=host.dice("first boot").between(1, 12))
    return int((time - (last[-1] if last else host.started - before)).total_seconds())


def _clock(time: datetime, dice: Dice) -> Note:
    """Kernel-General 1: the time service nudges the clock."""
    step = timedelta(microseconds=dice.between(-900, 900))
    data: dict[str, Value] = {"NewTime": filetime(time), "OldTime": filetime(time - step)}
    return Note("clock_changed", time, {**data, "Reason": u32(1)})


def _service(time: datetime, dice: Dice) -> Iterator[Note]:
    """SCM 7036 twice: a service starts and soon stops again."""
    service = dice.pick(noise().services)
    name, key = service.name, service.key
    yield service_note(time, name, key, running=True)
    yield service_note(time + dice.pause(60, 900), name, key, running=False)


def _start_type(time: datetime, dice: Dice) -> Iterator[Note]:
    kinds = ("demand start", "auto start")
    for old, new, lag in ((0, 1, 0.0), (1, 0, dice.between(110, 260))):
        data: dict[str, Value] = {
            "param1": "Background Intelligent Transfer Service",
            "param2": kinds[old],
            "param3": kinds[new],
            "param4": "BITS",
        }
        yield Note("service_start_type", time + timedelta(seconds=lag), data)


def _hive(host: HostWorld, time: datetime, dice: Dice) -> Note:
    name = dice.pick(noise().hives).format(user=host.user)
    data: dict[str, Value] = {
        "HiveNameLength": u32(len(name)),
        "HiveName": name,
        "KeysUpdated": u32(dice.whole(3, 900)),
        "DirtyPages": u32(dice.whole(1, 120)),
    }
    return Note("hive_written", time, data)


def _denied(world: World, host: HostWorld, time: datetime) -> Note:
    values = (
        "application-specific",
        "Local",
        "Activation",
        "{2593F8B9-4EAF-457C-B68A-50F6B8EA6B54}",
        "{15C20B67-12E7-4BB6-92BB-7AFF07997402}",
        world.scenario.office.netbios,
        host.user,
        user_sid(host),
        "LocalHost (Using LRPC)",
        "Unavailable",
        "Unavailable",
    )
    return Note("com_denied", time, {f"param{i}": value for i, value in enumerate(values, 1)})


def _application_day(world: World, host: HostWorld, day: datetime, dice: Dice) -> Iterator[Note]:
    start, end = world.window.utc(day), world.window.utc(day + timedelta(days=1))
    for _ in range(dice.count(3.5 * host.host.habits.noise)):
        time = dice.moment(start, end)
        later = (time + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
        yield Note("licence_migrated", time, [""], binary=b"")
        yield Note(
            "licence_scheduled", time + dice.pause(28, 34), [later, "RulesEngine"], binary=b""
        )
    product = dice.pick(noise().products)
    if dice.happens(0.05):
        yield from app_notes(dice.moment(start, end), product.name, product.maker, dice)
    if dice.happens(0.03):
        yield _crash(dice.moment(start, end), dice)


def _crash(time: datetime, dice: Dice) -> Note:
    folder = r"C:\Program Files\Kontor"
    data = [
        "zeiterfassung.exe",
        "4.11.2.0",
        "61a7c0de",
        "zekern.dll",
        "4.11.0.7",
        "61a7b2f1",
        "c0000005",
        f"{dice.whole(4096, 900000):016x}",
        f"{dice.whole(800, 20000):x}",
        f"{0x01D80600_00000000 + dice.whole(0, 2**32):016x}",
        rf"{folder}\zeiterfassung.exe",
        rf"{folder}\zekern.dll",
        dice.guid().lower(),
        "",
        "",
    ]
    return Note("program_crashed", time, data)


def _sleep(start: datetime, end: datetime, dice: Dice) -> Iterator[Note]:
    """Kernel-Power 42 before sleep, 107 and Power-Troubleshooter 1 after it."""
    before, after = start - timedelta(seconds=1), end + timedelta(seconds=1)
    entering: dict[str, Value] = {
        "TargetState": u32(4),
        "EffectiveState": u32(4),
        "Reason": u32(0),
        "Flags": u32(0),
        "TransitionsToOn": u32(dice.whole(1, 200)),
    }
    yield Note("falling_asleep", before, entering)
    never = filetime(datetime(1601, 1, 1, tzinfo=start.tzinfo))
    woken: dict[str, Value] = {
        "TargetState": u32(4),
        "EffectiveState": u32(4),
        "WakeFromState": u32(4),
        "ProgrammedWakeTimeAc": never,
        "ProgrammedWakeTimeDc": never,
        "WakeRequesterTypeAc": u32(0),
        "WakeRequesterTypeDc": u32(0),
    }
    yield Note("woken", after, woken)
    explained: dict[str, Value] = {
        "SleepTime": filetime(before),
        "WakeTime": filetime(end),
        "SleepDuration": u32(dice.whole(600, 3000)),
        "WakeDuration": u32(dice.whole(800, 3500)),
        "DriverInitDuration": u32(dice.whole(300, 2400)),
        **dict.fromkeys(WAKE_ZEROS, u32(0)),
        "Attributes": u32(33573888),
        "TargetState": u32(4),
        "EffectiveState": u32(4),
        "WakeSourceType": u32(1),
        "WakeSourceTextLength": u32(0),
        "WakeSourceText": "",
        "WakeTimerOwnerLength": u32(0),
        "WakeTimerContextLength": u32(0),
        "NoMultiStageResumeReason": u32(0),
        "WakeTimerOwner": "",
        "WakeTimerContext": "",
    }
    yield Note("wake_explained", after + dice.pause(0.8, 2), explained)
