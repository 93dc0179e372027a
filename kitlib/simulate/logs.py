"""Notes → event log files of a host, with the defects that its evidence has.

Record ids run without gaps in the order of writing. A rolled or cleared log lacks its beginning
and keeps its numbering. A damaged log has lost the first sector of a chunk, a cut one its end.
`Written` says which records and which attempts can still be read, from what was written, not
from reading it back.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from kitlib.simulate.background import background_notes, user_sid
from kitlib.simulate.declared import ScenarioError
from kitlib.simulate.dice import Dice
from kitlib.simulate.events import dial_notes, filetime, restart_notes, update_notes
from kitlib.simulate.evtx import Event, UserData, encode_log, ticks
from kitlib.simulate.notes import Note, Shape, shapes, u32
from kitlib.simulate.scenario import LOGS, Defect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitlib.simulate.world import HostWorld, World

HEADER: Final = 4096
CHUNK: Final = 65536
SECTOR: Final = 512
EVENTLOG_NAMESPACE: Final = "http://manifests.microsoft.com/win/2004/08/windows/eventlog"
OLDEST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a defect took from a file; ids are inclusive, 0 where nothing can be counted."""

    file: str
    kind: str
    records: int
    first_id: int = 0
    last_id: int = 0
    before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One log file."""

    name: str
    content: bytes
    visible: frozenset[int]
    """Attempts whose outcome can be read in it."""
    begins: datetime | None
    """First time it covers; None if there is no file."""
    records: int
    losses: tuple[Loss, ...]


def write_logs(world: World, host: HostWorld) -> Iterator[Log]:
    """Yield the logs of a host."""
    notes = list(_notes(world, host))
    for name in LOGS:
        mine = [note for note in notes if shapes()[note.kind].log == name]
        yield _write(world, host, name, mine)


def _notes(world: World, host: HostWorld) -> Iterator[Note]:
    everything = [
        *restart_notes(world, host),
        *update_notes(world, host),
        *dial_notes(world, host),
        *background_notes(world, host),
        *_cleared(world, host),
    ]
    for note in sorted(everything, key=_place):
        if world.start <= _place(note) < world.end:
            yield _skewed(world, host, note)


def _place(note: Note) -> datetime:
    return note.place or note.time


def _defects(world: World, host: HostWorld, *kinds: str) -> list[Defect]:
    return [d for d in world.scenario.defects if d.host == host.name and d.kind in kinds]


def _cleared(world: World, host: HostWorld) -> Iterator[Note]:
    """Yield what System records of a log cleared and of a wrong clock set right."""
    for defect in _defects(world, host, "cleared"):
        fields = {
            "SubjectUserName": host.user,
            "SubjectDomainName": world.scenario.office.netbios,
            "Channel": defect.log,
            "BackupPath": "",
        }
        data = UserData(root="LogFileCleared", namespace=EVENTLOG_NAMESPACE, fields=fields)
        yield Note("log_cleared", _when(world, defect), data)
    for defect in _defects(world, host, "clock"):
        if defect.until:
            right = world.window.utc(defect.until)
            wrong = filetime(right + timedelta(minutes=defect.minutes))
            data_now = {"NewTime": filetime(right), "OldTime": wrong, "Reason": u32(1)}
            yield Note("clock_changed", right, data_now)


def _when(world: World, defect: Defect) -> datetime:
    return world.window.utc(defect.at or world.window.start)


def _skewed(world: World, host: HostWorld, note: Note) -> Note:
    """Give a record the time of the host's wrong clock; the order of writing stays right."""
    for defect in _defects(world, host, "clock"):
        until = world.window.utc(defect.until) if defect.until else world.end
        if _when(world, defect) <= _place(note) < until:
            wrong = timedelta(minutes=defect.minutes)
            return replace(note, time=note.time + wrong, place=_place(note))
    return note


def _write(world: World, host: HostWorld, name: str, notes: Sequence[Note]) -> Log:
    first = _first_id(world, host, name)
    begins = _begins(world, host, name)
    kept = [note for note in notes if _place(note) >= begins]
    gone = len(notes) - len(kept)
    first += 0 if host.deeds.reimaged == begins else gone
    events = [_event(host, note, number) for number, note in enumerate(kept, first)]
    content = encode_log(events, channel=name, computer=world.fqdn(host), first_record_id=first)
    losses = [Loss(file=f"{name}.evtx", kind="rolled", records=gone, before=begins)] if gone else []
    content, hurt = _hurt(world, host, name, content)
    losses += hurt
    missing = any(d.log == name for d in _defects(world, host, "missing"))
    readable = [] if missing else _readable(kept, first, hurt)
    return Log(
        name=name,
        content=b"" if missing else content,
        visible=frozenset(note.attempt for note in readable if note.attempt >= 0),
        begins=None if missing else max(begins, world.start),
        records=len(readable),
        losses=(Loss(file=f"{name}.evtx", kind="missing", records=len(notes)),)
        if missing
        else tuple(losses),
    )


def _readable(kept: Sequence[Note], first: int, losses: Sequence[Loss]) -> list[Note]:
    return [
        note
        for number, note in enumerate(kept, first)
        if not any(loss.first_id <= number <= loss.last_id for loss in losses)
    ]


def _first_id(world: World, host: HostWorld, name: str) -> int:
    """Return the first record id: 1 on a new machine, anything on an old one."""
    if host.host.first_record_id:
        return host.host.first_record_id
    dice = Dice(world.seed, host.name, "record ids")
    new, ids = dice.happens(0.35), {log: dice.whole(2000, 60000) for log in LOGS}
    return 1 if new or name == "Setup" else ids[name]


def _begins(world: World, host: HostWorld, name: str) -> datetime:
    moments = [_when(world, d) for d in _defects(world, host, "rolled", "cleared") if d.log == name]
    return max([*moments, host.deeds.reimaged or OLDEST])


def _event(host: HostWorld, note: Note, number: int) -> Event:
    shape = shapes()[note.kind]
    pid, tid = _process(host, shape, number)
    return Event(
        provider=shape.provider,
        event_id=shape.id,
        time=ticks(note.time) + number % 10,
        data=note.data,
        binary=note.binary,
        provider_guid=shape.guid,
        event_source_name=shape.source,
        qualifiers=shape.qualifiers,
        version=shape.version,
        level=shape.level,
        task=shape.task,
        opcode=shape.opcode,
        keywords=shape.keywords,
        process_id=pid,
        thread_id=tid,
        activity_id=note.activity,
        user_sid=user_sid(host) if shape.sid == "user" else shape.sid,
    )


PROCESSES: Final = {"kernel": 4, "none": 0, "services": 700, "winlogon": 620, "setup": 5200}


def _process(host: HostWorld, shape: Shape, number: int) -> tuple[int | None, int | None]:
    """Process and thread ids; classic records have none."""
    if not shape.pid:
        return None, None
    salt = sum(map(ord, host.name)) % 60 * 4
    base = PROCESSES.get(shape.pid, 1400)
    return (base, 8 * (number % 40)) if base < 100 else (base + salt, 3000 + number % 500 * 4)


def _hurt(world: World, host: HostWorld, name: str, content: bytes) -> tuple[bytes, list[Loss]]:
    """Damage a file and say which records that takes away."""
    losses = []
    for defect in _defects(world, host, "damaged", "cut"):
        if defect.log != name:
            continue
        start = HEADER + CHUNK * defect.chunk
        if start + CHUNK > len(content):
            chunks = (len(content) - HEADER) // CHUNK
            raise ScenarioError(f"{host.name}: {name} has {chunks} chunks, none is {defect.chunk}")
        first, last = struct.unpack_from("<QQ", content, start + 24)
        if defect.kind == "damaged":
            content = content[:start] + bytes(SECTOR) + content[start + SECTOR :]
        else:
            end = start + CHUNK // 2
            first = 1 + max(
                (i for i, _, stop in _records(content, start) if stop <= end), default=first - 1
            )
            last = struct.unpack_from("<Q", content, len(content) - CHUNK + 32)[0]
            content = content[:end]
        losses.append(
            Loss(
                file=f"{name}.evtx",
                kind=defect.kind,
                records=last - first + 1,
                first_id=first,
                last_id=last,
            )
        )
    return content, losses


def _records(content: bytes, chunk: int) -> Iterator[tuple[int, int, int]]:
    """Yield record id, start and end of the records of the chunk at offset `chunk`."""
    place = chunk + SECTOR
    while content[place : place + 4] == b"**\0\0":
        size, number = struct.unpack_from("<IQ", content, place + 4)
        yield number, place, place + size
        place += size
