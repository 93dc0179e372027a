"""Windows event logs (``.evtx``): one file in, rows of table `events` out, nothing lost unseen.

The walk over chunks and records (`kitlib.readers.chunks`) says what the file holds; an engine
(`kitlib.readers.engines`) decodes it chunk by chunk; `kitlib.readers.payload` makes the rows. So
every record of the walk is either a row, not asked for, or counted in ``problems``.

Engines: ``"evtx"`` (Rust, the fast one), ``"python-evtx"`` (independent, slow), and ``"auto"``:
the first, and the second re-reads what the first refuses. Both give the same rows.

``time_created`` is TimeCreated to 100 ns: the engines cut it to microseconds, so where the record
header's FILETIME agrees with it to 10 us, the header's is taken. Times inside ``data`` stay as
exact as the engines write them, one microsecond.

This file does not know what any event means. It never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from kitlib import schema
from kitlib.errors import FormatError, UsageError
from kitlib.readers.base import Parsed, Problems, parsed
from kitlib.readers.chunks import (
    CHUNK,
    FILE_HEADER,
    FILE_MAGIC,
    Chunk,
    Record,
    Slot,
    lost_slots,
    walk,
)
from kitlib.readers.engines import Decoded, decode_evtx, decode_python_evtx
from kitlib.readers.payload import Row, Wanted

if TYPE_CHECKING:
    import pandas as pd

KIND: Final = "evtx"

Decoder = Callable[[Chunk, tuple[Record, ...], Wanted | None], Decoded]
Problem = dict[str, Any]
Events = Iterable[tuple[str | None, str | None, int | None]]

ENGINES: Final[dict[str, tuple[Decoder, ...]]] = {
    "auto": (decode_evtx, decode_python_evtx),
    "evtx": (decode_evtx,),
    "python-evtx": (decode_python_evtx,),
}
"""Per engine name the decoders that are asked in turn for what the one before refused."""


def _is_log(head: bytes) -> bool:
    """Tell by its first bytes whether a file is an event log whose header is whole."""
    return head[: len(FILE_MAGIC)] == FILE_MAGIC


def read_evtx(
    path: str | PathLike[str], *, events: Events | None = None, engine: str = "auto"
) -> pd.DataFrame:
    """Read one event log.

    Parameters
    ----------
    path
        An ``.evtx`` file. It is opened for reading only.
    events
        (channel, provider, event id) of the events to keep, None in a place = any. Names are
        compared without regard to case. Default: all.
    engine
        ``"auto"``, ``"evtx"`` or ``"python-evtx"``.

    Returns
    -------
    pandas.DataFrame
        Table `events`, in the order of the file; ``df.attrs["problems"]`` is table `problems`:
        what could not be read. Times in UTC.

    Raises
    ------
    UsageError
        No such file, or no such engine.
    FormatError
        Nothing of an event log is in the file.

    Notes
    -----
    ``data`` is described in `kitlib.readers.payload`. A log that was cut exactly between two
    chunks while it was in use cannot be told from a whole one.

    Examples
    --------
    >>> boots = [("System", "Microsoft-Windows-Kernel-General", 12)]
    >>> read_evtx("System.evtx", events=boots)["data"].str["QfeVersion"]  # doctest: +SKIP
    """
    file = Path(fspath(path))
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    try:
        with file.open("rb") as stream:
            return read_evtx_stream(stream, name=str(file), events=events, engine=engine)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def read(data: bytes) -> Parsed:
    """Read an event log for the registry of readers: all events, path left to the caller.

    Raises
    ------
    FormatError
        Nothing of an event log is in the data.
    """
    events = read_evtx_bytes(data, name="")
    problems = events.attrs.pop("problems")  # frames in attrs make pandas.concat stumble
    return parsed(events=events, problems=problems)


def read_evtx_bytes(
    data: bytes | memoryview, *, name: str, events: Events | None = None, engine: str = "auto"
) -> pd.DataFrame:
    """Read an event log that is in memory, for example a member of an archive.

    Parameters
    ----------
    data
        The whole file.
    name
        What column ``path`` says.
    events, engine
        As for `read_evtx`, like the result and the errors.
    """
    return read_evtx_stream(BytesIO(data), name=name, events=events, engine=engine)


def read_evtx_stream(
    stream: BinaryIO, *, name: str, events: Events | None = None, engine: str = "auto"
) -> pd.DataFrame:
    """Read an event log from a binary stream at its start; see `read_evtx_bytes`."""
    decoders = ENGINES.get(engine)
    if decoders is None:
        raise UsageError(f"no EVTX engine {engine!r}; there are: {', '.join(ENGINES)}")
    wanted = _wanted(events)
    head = stream.read(FILE_HEADER)
    slots: list[Slot] = []
    rows: list[Row] = []
    problems: list[Problem] = []
    unsure: list[int] = []
    for slot in walk(stream):
        slots.append(replace(slot, chunk=None))
        if slot.chunk is not None:
            decoded, refused = _decode(slot.chunk, decoders, wanted)
            rows += decoded
            problems += _chunk_problems(slot.chunk, refused)
            unsure += [] if slot.chunk.checksums else [slot.number]
    _refuse(head, slots, name)
    found = [{"path": name, **p} for p in (*_file_problems(head, slots, unsure), *problems)]
    out = _frame(rows, name)
    out.attrs["problems"] = Problems(schema.frame("problems", found))
    return out


def _refuse(head: bytes, slots: list[Slot], name: str) -> None:
    """Raise if nothing of an event log is there."""
    where = f"{name}: " if name else ""
    if not head:
        raise FormatError(f"{where}the file is empty (0 bytes)")
    if not _is_log(head) and not any(slot.state == "chunk" for slot in slots):
        raise FormatError(f"{where}not a Windows event log: neither its mark nor a chunk was found")


def _wanted(events: Events | None) -> Wanted | None:
    try:
        return None if events is None else Wanted(events)
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            "events must be triples (channel, provider, event id), None in a place for any"
        ) from error


def _decode(
    chunk: Chunk, decoders: tuple[Decoder, ...], wanted: Wanted | None
) -> tuple[list[Row], list[Record]]:
    """Return the rows of a chunk in its order, and the records that no decoder could read."""
    done: dict[Record, Any] = {}
    left = chunk.records
    for decode in decoders:
        done.update(decode(chunk, left, wanted))
        left = tuple(record for record in left if record not in done)
        if not left:
            break
    found = (done.get(record) for record in chunk.records)
    return [row for row in found if isinstance(row, Row)], list(left)


def _chunk_problems(chunk: Chunk, refused: list[Record]) -> Iterator[Problem]:
    place = f"chunk {chunk.number}"
    for gap in chunk.gaps:
        what = f"{gap.end - gap.start} bytes from {gap.start} hold no readable record"
        if gap.start == gap.end:
            what = "the chunk ends before the last record that its header names"
        if chunk.present < CHUNK and gap.end >= chunk.present:
            what = f"the file is cut off {chunk.present} bytes into this chunk"
        yield _problem(place, what, gap.records_lost)
    for record in refused:
        yield _problem(_place(chunk, record), "no engine could decode the record", 1)
    for record in (r for r in chunk.records if r.torn and r not in refused):
        reason = "the end of the record is missing; its last values may be wrong"
        yield _problem(_place(chunk, record), reason, 0)


def _place(chunk: Chunk, record: Record) -> str:
    return f"chunk {chunk.number}, record {record.record_id}"


def _file_problems(head: bytes, slots: list[Slot], unsure: list[int]) -> Iterator[Problem]:
    if not _is_log(head):
        yield _problem("", "the file header is damaged; the chunks were read all the same", 0)
    if not slots:
        yield _problem("", f"the file ends before its first chunk ({len(head)} bytes)", None)
        return
    for first, last, lost in lost_slots(slots, head):
        place = f"chunk {first.number}"
        if last.number != first.number:
            place = f"chunks {first.number} to {last.number}"
        yield _problem(place, _NO_CHUNK[first.state], lost)
    if unsure:
        places = ", ".join(map(str, unsure[:10])) + (", ..." if len(unsure) > 10 else "")
        reason = f"checksums do not fit in {len(unsure)} chunks ({places}); they were read anyway"
        yield _problem("", reason, 0)


_NO_CHUNK: Final = {
    "empty": "zeros where a chunk should be",
    "damaged": "no readable chunk where one should be",
    "missing": "the file ends before this chunk, which its header counts",
}


def _problem(place: str, reason: str, records_lost: int | None) -> Problem:
    return {"place": place, "reason": reason, "records_lost": records_lost}


def _frame(rows: list[Row], name: str) -> pd.DataFrame:
    columns = dict(zip(Row._fields, zip(*rows, strict=True), strict=True)) if rows else {}
    columns["path"] = (name,) * len(rows)
    return schema.from_columns("events", columns, rows=len(rows))
