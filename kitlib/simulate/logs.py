"""Notes → event log files of a host, with the defects that its evidence has.

Record ids run without gaps in the order of writing. A rolled or cleared log lacks its beginning
and keeps its numbering. A damaged log has lost a chunk, a cut one its end.
`Written` says which records and which attempts can still be read, from what was written, not
from reading it back.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from kitlib.simulate.background import background_notes, user_sid
from kitlib.simulate.declared import ScenarioError
from kitlib.simulate.dice import Dice
from kitlib.simulate.events import dial_notes, filetime, restart_notes, rollback_notes, update_notes
from kitlib.simulate.evtx import Event, UserData, break_chunk, encode_log, ticks, truncate
from kitlib.simulate.exports_xml import wevtutil_xml
from kitlib.simulate.notes import Note, Shape, shapes, u32
from kitlib.simulate.vocabulary import LOGS, Defect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kitlib.simulate.world import HostWorld, World

HEADER: Final = 4096
CHUNK: Final = 65536
CHUNK_HEADER: Final = 512
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
    file: str
    content: bytes
    copies: tuple[tuple[str, bytes], ...]
    """Further exports of the same log: file name, content."""
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
        *update_notes(host),
        *rollback_notes(host),
        *dial_notes(world, host),
        *background_notes(world, host),
        *_cleared(world, host),
    ]
    for note in sorted(everything, key=_place):
        if world.start <= _place(note) < world.end:
            yield _skewed(world, host, note)


def _place(note: Note) -> datetime:
    return note.place or note.time


def _defects(host: HostWorld, *kinds: str, log: str = "") -> list[Defect]:
    return [defect for defect in host.defects if defect.kind in kinds and log in ("", defect.log)]


def _cleared(world: World, host: HostWorld) -> Iterator[Note]:
    """Yield what System records of a log cleared and of a wrong clock set right."""
    for defect in _defects(host, "cleared"):
        fields = {
            "SubjectUserName": host.user,
            "SubjectDomainName": world.scenario.office.netbios,
            "Channel": defect.log,
            "BackupPath": "",
        }
        data = UserData(root="LogFileCleared", namespace=EVENTLOG_NAMESPACE, fields=fields)
        yield Note("log_cleared", _when(world, defect), data)
    for defect in _defects(host, "clock"):
        if defect.until:
            right = world.window.utc(defect.until)
            wrong = filetime(right + timedelta(minutes=defect.minutes))
            data_now = {"NewTime": filetime(right), "OldTime": wrong, "Reason": u32(1)}
            yield Note("clock_changed", right, data_now)


def _when(world: World, defect: Defect) -> datetime:
    return world.window.utc(defect.at or world.window.start)


def _skewed(world: World, host: HostWorld, note: Note) -> Note:
    """Give a record the time of the host's wrong clock; the order of writing stays right."""
    for defect in _defects(host, "clock"):
        until = world.window.utc(defect.until) if defect.until else world.end
        if _when(world, defect) <= _place(note) < until:
            wrong = timedelta(minutes=defect.minutes)
            return replace(note, time=note.time + wrong, place=_place(note))
    return note


def _write(world: World, host: HostWorld, name: str, notes: Sequence[Note]) -> Log:
    begins = _begins(world, host, name)
    kept = [note for note in notes if _place(note) >= begins]
    gone = len(notes) - len(kept)
    first = _first_id(world, host, name) + (0 if host.deeds.reimaged else gone)
    ending, write = _WRITERS[host.host.exports.get(name, "")]
    content = _encoded(world, host, name, kept, first)(write)
    copies = _copies(world, host, name, kept, first)
    lost = [Loss(file=f"{name}.evtx", kind="rolled", records=gone, before=begins)] if gone else []
    content, hurt = _hurt(host, name, content)
    if _defects(host, "missing", log=name):
        content, kept = b"", []
        lost, hurt = [Loss(file=f"{name}.evtx", kind="missing", records=len(notes))], []
    readable = _readable(kept, first, hurt)
    return Log(
        name=name,
        file=f"{name}{ending}",
        content=content,
        copies=copies,
        visible=frozenset(note.attempt for note in readable if note.attempt >= 0),
        begins=max(begins, world.start) if content else None,
        records=len(readable),
        losses=(*lost, *hurt),
    )


class _Writer(Protocol):
    def __call__(
        self, events: Iterable[Event], *, channel: str, computer: str, first_record_id: int
    ) -> bytes: ...


_WRITERS: Final[Mapping[str, tuple[str, _Writer]]] = {
    "": (".evtx", encode_log),
    "wevtutil_xml": (".xml", wevtutil_xml),
}
"""Form in which a log is handed over → ending of the file's name, writer."""


def _encoded(
    world: World, host: HostWorld, name: str, notes: Sequence[Note], first: int
) -> Callable[[_Writer], bytes]:
    """Return what encodes the records with a writer."""
    events = [_event(host, note, number) for number, note in enumerate(notes, first)]
    return lambda write: write(
        events, channel=name, computer=world.fqdn(host), first_record_id=first
    )


def _copies(
    world: World, host: HostWorld, name: str, notes: Sequence[Note], first: int
) -> tuple[tuple[str, bytes], ...]:
    """Export a log a second time, at an earlier moment: the same records in another file."""
    out = []
    for number, defect in enumerate(_defects(host, "duplicated", log=name), 1):
        until = world.window.utc(defect.at) if defect.at else world.end
        early = [note for note in notes if _place(note) < until]
        copy = _encoded(world, host, name, early, first)(encode_log)
        out.append((f"{name} ({number}).evtx", copy))
    return tuple(out)


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
    return 1 if new or host.deeds.reimaged or name == "Setup" else ids[name]


def _begins(world: World, host: HostWorld, name: str) -> datetime:
    moments = [_when(world, d) for d in _defects(host, "rolled", "cleared", log=name)]
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


def _hurt(host: HostWorld, name: str, content: bytes) -> tuple[bytes, list[Loss]]:
    """Damage a file and say which records that takes away."""
    losses = []
    for defect in _defects(host, "damaged", "cut", log=name):
        start = HEADER + CHUNK * defect.chunk
        if defect.hosts and start + CHUNK > len(content):
            continue  # drawn for a host whose log is too small
        if start + CHUNK > len(content):
            chunks = (len(content) - HEADER) // CHUNK
            raise ScenarioError(f"{host.name}: {name} has {chunks} chunks, none is {defect.chunk}")
        if defect.kind == "damaged":
            first, last = struct.unpack_from("<QQ", content, start + 24)
            content = break_chunk(content, chunk=defect.chunk)
        else:
            keep = start + CHUNK // 2
            first = max((i for i, stop in _records(content, start) if stop <= keep)) + 1
            (last,) = struct.unpack_from("<Q", content, len(content) - CHUNK + 32)
            content = truncate(content, keep=keep)
        file, lost = f"{name}.evtx", last - first + 1
        losses.append(Loss(file=file, kind=defect.kind, records=lost, first_id=first, last_id=last))
    return content, losses


def _records(content: bytes, chunk: int) -> Iterator[tuple[int, int]]:
    """Yield id and end of the records of the chunk at offset `chunk`."""
    place = chunk + CHUNK_HEADER
    while content[place : place + 4] == b"**\0\0":
        size, number = struct.unpack_from("<IQ", content, place + 4)
        yield number, place + size
        place += size
