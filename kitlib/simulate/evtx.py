"""Write real Windows event logs (``.evtx``).

Events are laid out as Windows lays them out. A manifest provider (one with a GUID) shares one
template per computer for the ``System`` part, with provider and channel as values; a classic
source has its names as text in a template of its own, its strings as one array and ``Binary``
with its size beside it. The payload is a second template inside the first. What is not stated is
not there: an element or attribute whose value is None is left out of the event.

This module knows events and the file around the chunks. It does not know tokens and tables
(`kitlib.simulate.binxml`), the bytes of a value (`kitlib.simulate.values`), nor what any event
means. Values and damage (`kitlib.simulate.damage`) are passed on, so that one import is enough.

Source: "Windows XML Event Log (EVTX)" by J. Metz (libyal); the layouts are those of real logs.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from kitlib.errors import UsageError
from kitlib.simulate import binxml, values
from kitlib.simulate.binxml import Chunk, Element, Slot, Template
from kitlib.simulate.damage import break_chunk, break_record, truncate
from kitlib.simulate.values import (
    Typed,
    Value,
    binary,
    filetime,
    guid,
    hex32,
    hex64,
    i8,
    i16,
    i32,
    i64,
    real,
    sid,
    systemtime,
    ticks,
    u8,
    u16,
    u32,
    u64,
)

__all__ = [
    "Event",
    "Typed",
    "UserData",
    "Value",
    "binary",
    "break_chunk",
    "break_record",
    "encode_log",
    "filetime",
    "guid",
    "hex32",
    "hex64",
    "i8",
    "i16",
    "i32",
    "i64",
    "real",
    "sid",
    "systemtime",
    "ticks",
    "truncate",
    "u8",
    "u16",
    "u32",
    "u64",
]

FILE_HEADER: Final = 4096
EVENT_NAMESPACE: Final = "http://schemas.microsoft.com/win/2004/08/events/event"
_DIRTY: Final = 1
_FILE: Final = struct.Struct("<8sQQQIHHHH")
_SIZE: Final = struct.Struct("<H")


# Events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class UserData:
    """Payload under ``UserData``: one root element of a namespace with the fields inside."""

    root: str
    namespace: str
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as a provider writes it; what is None or empty is left out of the record.

    Parameters
    ----------
    provider, event_id
        Who says it and what.
    time
        FILETIME ticks (100 ns since 1601-01-01 UTC), see `ticks`.
    data
        Named fields, the unnamed strings of a classic source, or `UserData`.
    binary
        ``Binary`` of a classic event.
    provider_guid, event_source_name
        As in the ``Provider`` element; the GUID with braces or without.
    qualifiers, version, level, task, opcode, keywords, process_id, thread_id
        As in the ``System`` element.
    activity_id, user_sid
        ``Correlation ActivityID`` (a GUID) and ``Security UserID`` (a SID).
    computer, channel
        Override those of the log: a computer renamed later, a forwarded event.
    """

    provider: str
    event_id: int
    time: int
    data: Mapping[str, Value] | Sequence[str] | UserData = ()
    binary: bytes | None = None
    provider_guid: str = ""
    event_source_name: str = ""
    qualifiers: int | None = None
    version: int | None = None
    level: int = 4
    task: int = 0
    opcode: int | None = None
    keywords: int = 0x8000000000000000
    process_id: int | None = None
    thread_id: int | None = None
    activity_id: str = ""
    user_sid: str = ""
    computer: str = ""
    channel: str = ""


def encode_log(
    events: Iterable[Event],
    *,
    channel: str,
    computer: str,
    first_record_id: int = 1,
    dirty: bool = False,
) -> bytes:
    """Write events as one log file; the same events give the same bytes.

    Parameters
    ----------
    events
        In the order of the log.
    channel, computer
        Of every event that does not state its own.
    first_record_id
        Id of the first record; a log that has rolled over does not begin at 1.
    dirty
        Write the header as a copy of a log in use has it: flagged, with the chunk count and the
        next record id of an earlier time.

    Raises
    ------
    UsageError
        A value does not fit its type, or a record does not fit into a chunk (64 KiB).
    """
    chunks = list(_chunks(events, channel, computer, first_record_id))
    return _file_header(chunks, first_record_id, dirty=dirty) + b"".join(
        chunk.finish() for chunk in chunks
    )


def _chunks(
    events: Iterable[Event], channel: str, computer: str, record_id: int
) -> Iterator[Chunk]:
    chunk = Chunk()
    for event in events:
        if not _write_record(chunk, event, record_id, channel, computer):
            if chunk.first_id != binxml.NO_RECORD:
                yield chunk
            chunk = Chunk()
            if not _write_record(chunk, event, record_id, channel, computer):
                raise UsageError(
                    f"the event {event.provider} {event.event_id} is too long for a record"
                )
        record_id += 1
    yield chunk


def _file_header(chunks: Sequence[Chunk], first_record_id: int, *, dirty: bool) -> bytes:
    known = -(-len(chunks) // 2) if dirty else len(chunks)
    next_id = _next_id(chunks[known - 1], first_record_id, dirty=dirty)
    head = _FILE.pack(b"ElfFile\0", 0, known - 1, next_id, 128, 1, 3, FILE_HEADER, known)
    head += bytes(120 - len(head))
    flags = _DIRTY if dirty else 0
    return (head + struct.pack("<II", flags, zlib.crc32(head))).ljust(FILE_HEADER, b"\0")


def _next_id(newest: Chunk, first_record_id: int, *, dirty: bool) -> int:
    if newest.first_id == binxml.NO_RECORD:
        return first_record_id
    # As in real live copies: within the newest chunk that the header counts (13 of 17 looked at).
    return (newest.first_id + newest.last_id) // 2 if dirty else newest.last_id + 1


# Records ----------------------------------------------------------------------------------------


class _Shape(NamedTuple):
    """What decides on the template of the ``System`` part and on its constant values."""

    provider: str
    provider_guid: str
    event_source_name: str
    channel: str
    computer: str
    user_sid: str
    user_data: bool
    version: bool
    opcode: bool
    qualifiers: bool
    activity: bool
    process: bool
    thread: bool

    @property
    def manifest(self) -> bool:
        """Whether provider and channel are values of a template that providers share."""
        return bool(self.provider_guid) and not self.event_source_name and not self.qualifiers

    @property
    def correlated(self) -> bool:
        """Whether there is a ``Correlation``: all have it but the plain old classic sources."""
        modern = self.provider_guid or self.event_source_name
        return bool(modern or self.version or self.opcode or self.activity)

    @property
    def payload_slot(self) -> int:
        """Index of the value that holds the payload."""
        return 17 if self.manifest else 19


class _System(NamedTuple):
    """The ``System`` part of all events of one shape."""

    template: Template
    descriptors: bytes
    changing: struct.Struct
    constant: bytes
    manifest: bool


def _write_record(chunk: Chunk, event: Event, record_id: int, channel: str, computer: str) -> bool:
    system = _system(_shape(event, channel, computer))
    template, codes, blobs = _payload(event, manifest=system.manifest)
    changing = _changing(system.changing, event, record_id)
    start = chunk.open_record(record_id, event.time)
    chunk.add_instance(system.template)
    buffer = chunk.buffer
    buffer += system.descriptors
    size_at = len(buffer) - 4
    buffer += changing
    buffer += system.constant
    payload_at = len(buffer)
    buffer += b"" if system.manifest else binxml.FRAGMENT
    chunk.add_instance(template)
    buffer += binxml.descriptors(codes, [len(blob) for blob in blobs])
    buffer += b"".join(blobs)
    buffer += binxml.END
    size = len(buffer) - payload_at
    buffer += binxml.END
    if chunk.close_record(start, record_id):
        _SIZE.pack_into(buffer, size_at, size)
        return True
    return False


def _shape(event: Event, channel: str, computer: str) -> _Shape:
    return _Shape(
        event.provider,
        event.provider_guid,
        event.event_source_name,
        event.channel or channel,
        event.computer or computer,
        event.user_sid,
        isinstance(event.data, UserData),
        event.version is not None,
        event.opcode is not None,
        event.qualifiers is not None,
        bool(event.activity_id),
        event.process_id is not None,
        event.thread_id is not None,
    )


def _changing(layout: struct.Struct, event: Event, record_id: int) -> bytes:
    try:
        fields = (
            event.level,
            event.opcode,
            event.task,
            event.event_id,
            event.qualifiers,
            event.keywords,
            event.time,
            values.guid_bytes(event.activity_id) if event.activity_id else None,
            event.process_id,
            event.thread_id,
            record_id,
            event.version,
        )
        return layout.pack(*[field for field in fields if field is not None])
    except (struct.error, ValueError) as error:
        raise UsageError(f"{event!r} has a value that does not fit its field: {error}") from error


@lru_cache(maxsize=1024)
def _system(shape: _Shape) -> _System:
    """Prepare what all events of a shape share: template, descriptors, constant values."""
    changing = _changing_fields(shape)
    codes = [code for code, _ in changing]
    sizes = [struct.calcsize("<" + layout) for _, layout in changing]
    constants = _constant_values(shape)
    codes += [code for code, _ in constants] + [values.BINXML]
    sizes += [len(blob) for _, blob in constants] + [0]
    return _System(
        template=binxml.compile_template(_event_element(shape)),
        descriptors=binxml.descriptors(codes, sizes),
        changing=struct.Struct("<" + "".join(layout for _, layout in changing)),
        constant=b"".join(blob for _, blob in constants),
        manifest=shape.manifest,
    )


def _changing_fields(shape: _Shape) -> list[tuple[int, str]]:
    """Type code and layout of slots 0 to 11, in the order in which Windows numbers them."""
    present = (
        (True, values.UINT8, "B"),
        (shape.opcode, values.UINT8, "B"),
        (True, values.UINT16, "H"),
        (True, values.UINT16, "H"),
        (shape.qualifiers, values.UINT16, "H"),
        (True, values.HEX64, "Q"),
        (True, values.FILETIME, "Q"),
        (shape.activity, values.GUID, "16s"),
        (shape.process, values.UINT32, "I"),
        (shape.thread, values.UINT32, "I"),
        (True, values.UINT64, "Q"),
        (shape.version, values.UINT8, "B"),
    )
    return [(code, layout) if there else (values.NULL, "") for there, code, layout in present]


def _constant_values(shape: _Shape) -> list[tuple[int, bytes]]:
    """Values from slot 12 up to the payload: user, related activity, provider, channel."""
    user = values.encode(sid(shape.user_sid) if shape.user_sid else None)
    if not shape.manifest:
        return [user] + [values.encode(None)] * 6
    rest: list[Value] = [None, shape.provider, guid(shape.provider_guid), shape.channel]
    return [user, *map(values.encode, rest)]


def _event_element(shape: _Shape) -> Element:
    payload = Slot(shape.payload_slot, values.BINXML)
    system = Element("System", tuple(_system_elements(shape)))
    namespace = (("xmlns", EVENT_NAMESPACE),)
    if not shape.user_data:
        return Element("Event", (system, payload), namespace, depends=payload.index)
    user_data = Element("UserData", (payload,), depends=payload.index)
    return Element("Event", (system, user_data), namespace)


def _system_elements(shape: _Shape) -> Iterator[Element]:
    yield Element("Provider", attributes=tuple(_provider_attributes(shape)))
    qualifiers = (("Qualifiers", Slot(4, values.UINT16)),)
    yield Element("EventID", (Slot(3, values.UINT16),), qualifiers, depends=3)
    if shape.version:
        yield _valued("Version", 11, values.UINT8)
    yield _valued("Level", 0, values.UINT8)
    yield _valued("Task", 2, values.UINT16)
    if shape.opcode:
        yield _valued("Opcode", 1, values.UINT8)
    yield _valued("Keywords", 5, values.HEX64)
    yield Element("TimeCreated", attributes=(("SystemTime", Slot(6, values.FILETIME)),))
    yield _valued("EventRecordID", 10, values.UINT64)
    if shape.correlated:
        related = Slot(13 if shape.manifest else 18, values.GUID)
        activity = ("ActivityID", Slot(7, values.GUID))
        yield Element("Correlation", attributes=(activity, ("RelatedActivityID", related)))
    if shape.process or shape.thread:
        process = ("ProcessID", Slot(8, values.UINT32))
        yield Element("Execution", attributes=(process, ("ThreadID", Slot(9, values.UINT32))))
    if shape.manifest:
        yield _valued("Channel", 16, values.STRING)
    else:
        yield Element("Channel", (shape.channel,))
    yield Element("Computer", (shape.computer,))
    yield Element("Security", attributes=(("UserID", Slot(12, values.SID)),))


def _provider_attributes(shape: _Shape) -> Iterator[tuple[str, str | Slot]]:
    if shape.manifest:
        yield "Name", Slot(14, values.STRING)
        yield "Guid", Slot(15, values.GUID)
        return
    yield "Name", shape.provider
    if shape.provider_guid:
        yield "Guid", "{" + shape.provider_guid.strip("{}") + "}"
    if shape.event_source_name:
        yield "EventSourceName", shape.event_source_name


def _valued(name: str, index: int, code: int) -> Element:
    return Element(name, (Slot(index, code),), depends=index)


# Payloads ---------------------------------------------------------------------------------------


_Payload: TypeAlias = tuple[Template, list[int], list[bytes]]
"""A payload's template with the type codes and the bytes of its values."""


def _payload(event: Event, *, manifest: bool) -> _Payload:
    data = event.data
    terminator = b"\0\0" if manifest else b""
    if isinstance(data, UserData):
        return _user_data_payload(data, event.binary, terminator)
    if isinstance(data, Mapping):
        return _named_payload(data, event.binary, terminator)
    if manifest and not data and event.binary is None:
        return _named(()), [], []
    return _unnamed(), *_unnamed_values(data, event.binary)


def _user_data_payload(data: UserData, extra: bytes | None, terminator: bytes) -> _Payload:
    if extra is not None:
        raise UsageError(f"an event with the UserData {data.root!r} has no place for Binary")
    codes, blobs = values.encode_all(data.fields.values(), terminator)
    fields = tuple(zip(data.fields, codes, strict=True))
    return _user_data(data.root, data.namespace, fields), codes, blobs


def _named_payload(data: Mapping[str, Value], extra: bytes | None, terminator: bytes) -> _Payload:
    codes, blobs = values.encode_all(data.values(), terminator)
    template = _named(tuple(zip(data, codes, strict=True)), binary=extra is not None)
    if extra is not None:
        codes += [values.UINT32, values.BINARY]
        blobs += [len(extra).to_bytes(4, "little"), extra]
    return template, codes, blobs


def _unnamed_values(strings: Sequence[str], data: bytes | None) -> tuple[list[int], list[bytes]]:
    if isinstance(strings, str):
        raise UsageError(f"the strings of an event are a sequence of texts, not {strings!r}")
    joined = b"".join([values.utf16(text) + b"\0\0" for text in strings])
    codes = [values.STRINGS if strings else values.NULL, values.UINT32]
    codes.append(values.NULL if data is None else values.BINARY)
    return codes, [joined, len(data or b"").to_bytes(4, "little"), data or b""]


@lru_cache(maxsize=1)
def _unnamed() -> Template:
    strings = Element("Data", (Slot(0, values.STRINGS),), depends=0)
    rest = Element("Binary", (Slot(2, values.BINARY),), depends=2)
    return binxml.compile_template(Element("EventData", (strings, rest)))


@lru_cache(maxsize=4096)
def _named(fields: tuple[tuple[str, int], ...], *, binary: bool = False) -> Template:
    content = [
        Element("Data", (_field(index, code),), (("Name", name),))
        for index, (name, code) in enumerate(fields)
    ]
    if binary:
        content.append(Element("Binary", (Slot(len(fields) + 1, values.BINARY, optional=False),)))
    return binxml.compile_template(Element("EventData", tuple(content)))


@lru_cache(maxsize=1024)
def _user_data(root: str, namespace: str, fields: tuple[tuple[str, int], ...]) -> Template:
    content = tuple(
        Element(name, (_field(index, code),)) for index, (name, code) in enumerate(fields)
    )
    attributes = (("xmlns", namespace),) if namespace else ()
    return binxml.compile_template(Element(root, content, attributes))


def _field(index: int, code: int) -> Slot:
    # A slot that may be NULL has to be optional: libevtx refuses the whole record otherwise.
    return Slot(index, code or values.STRING, optional=code == values.NULL)
