"""Windows event logs (``.evtx``): one file in, rows of table `events` out, nothing lost unseen.

Two ways lead to the same rows. The fast one (`kitlib.readers.binxml`) reads blocks of many chunks
by columns. The careful one walks a chunk record by record (`kitlib.readers.chunks`) and has an
engine decode it (`kitlib.readers.engines`). It is taken for chunks that are damaged or do not fit
their checksums, and for records with binary XML that the fast one does not cover; how many
rows came by which way stands in ``df.attrs["decoded"]``. So every record is either a row, not
asked for, or counted in ``problems``.

Engines: ``"auto"``: by columns, then ``evtx`` (Rust), then ``python-evtx`` for what that one
refuses; ``"evtx"`` and ``"python-evtx"`` (independent, slow): every record by that one alone.

``time_created`` is TimeCreated to 100 ns. The engines cut it to microseconds, so where they read
it and the record header's FILETIME begins with the same digits, the header's is taken. Times
inside ``data`` are cut to one microsecond.

This file does not know what any event means. It never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import BufferedIOBase, BytesIO
from os import SEEK_END, PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kitlib import schema
from kitlib.errors import UsageError
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.binxml.block import BLOCK_CHUNKS, Block, blocks
from kitlib.readers.binxml.columns import Decoded as Columns
from kitlib.readers.binxml.columns import Memory, decode, memory
from kitlib.readers.binxml.searching import Search, search
from kitlib.readers.binxml.table import Batch, frame
from kitlib.readers.chunks import (
    CHUNK,
    FILE_HEADER,
    Chunk,
    Record,
    Slot,
    slot,
    walk,
)
from kitlib.readers.engines import Decoded, decode_evtx, decode_python_evtx
from kitlib.readers.evtx_accounts import Account
from kitlib.readers.payload import Row, Wanted

if TYPE_CHECKING:
    import pandas as pd

    from kitlib.readers.binxml.block import Ints

KIND: Final = "evtx"

Decoder = Callable[[Chunk, tuple[Record, ...], Wanted | None], Decoded]
Events = Iterable[tuple[str | None, str | None, int | None]]

ENGINES: Final[dict[str, tuple[Decoder, ...]]] = {
    "auto": (decode_evtx, decode_python_evtx),
    "evtx": (decode_evtx,),
    "python-evtx": (decode_python_evtx,),
}
"""Per engine name the decoders that are asked in turn for what the one before refused."""


def read_evtx(
    path: str | PathLike[str],
    *,
    events: Events | None = None,
    engine: str = "auto",
    payload: bool = True,
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
    payload
        Whether to read ``data``, which is more than half of the work; else it is None.

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
            return read_evtx_stream(
                stream, name=str(file), events=events, engine=engine, payload=payload
            )
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
    events.attrs.clear()
    return parsed(events=events, problems=problems)


def read_evtx_bytes(
    data: bytes | memoryview,
    *,
    name: str,
    events: Events | None = None,
    engine: str = "auto",
    payload: bool = True,
) -> pd.DataFrame:
    """Read an event log that is in memory, for example a member of an archive.

    Parameters
    ----------
    data
        The whole file.
    name
        What column ``path`` says.
    events, engine, payload
        As for `read_evtx`, like the result and the errors.
    """
    return read_evtx_stream(BytesIO(data), name=name, events=events, engine=engine, payload=payload)


def read_evtx_stream(
    stream: BufferedIOBase,
    *,
    name: str,
    events: Events | None = None,
    engine: str = "auto",
    payload: bool = True,
) -> pd.DataFrame:
    """Read an event log from a binary stream at its start; see `read_evtx_bytes`."""
    ways = _ways(engine, events, payload=payload)
    account = Account(name, stream.read(FILE_HEADER))
    if engine == "auto":
        for block in blocks([(0, stream)], size=_chunks(stream)):
            _read_block(block, [account], ways)
    else:
        for found in walk(stream):
            _read_slot(found, account, ways)
    account.refuse()
    return account.table()


def read_evtx_parts(
    stream: BufferedIOBase, *, name: str, events: Events | None = None, payload: bool = True
) -> Iterator[pd.DataFrame]:
    """Read an event log in parts, so that memory does not grow with the file.

    Parameters
    ----------
    stream, name, events, payload
        As for `read_evtx_stream`.

    Yields
    ------
    pandas.DataFrame
        For each 16 MiB of the file its rows, some ten thousand, with the ``problems`` found in it; at
        last one without rows, with those of the file as a whole. Stacked they are what
        `read_evtx_stream` returns, but for the order of the problems.

    Raises
    ------
    FormatError
        At the end, if nothing of an event log was in the stream.
    """
    ways = _ways("auto", events, payload=payload)
    account = Account(name, stream.read(FILE_HEADER))
    for block in blocks([(0, stream)], size=_chunks(stream)):
        _read_block(block, [account], ways)
        yield account.part()
    account.refuse()
    yield account.table()


def _chunks(stream: BufferedIOBase) -> int:
    """Return how many chunks to take together: no more than there are, if that can be told."""
    if not stream.seekable():
        return BLOCK_CHUNKS
    here = stream.tell()
    left = stream.seek(0, SEEK_END) - here
    stream.seek(here)
    return min(max(1, -(-left // CHUNK)), BLOCK_CHUNKS)


def read_evtx_many(
    paths: Iterable[str | PathLike[str]], *, events: Events | None = None, payload: bool = True
) -> Iterator[pd.DataFrame]:
    """Read many event logs, small ones together: faster than one by one, with the same rows.

    Parameters
    ----------
    paths
        Files; they are opened for reading only, one after the other.
    events, payload
        As for `read_evtx`.

    Yields
    ------
    pandas.DataFrame
        For each file, in this order, what `read_evtx` returns; for one that cannot be opened or
        is no event log, no rows, and the reason in its ``problems``.
    """
    ways = _ways("auto", events, payload=payload)
    accounts: list[Account] = []
    done = 0
    for block in blocks(_opened(paths, accounts)):
        _read_block(block, accounts, ways)
        while done < block.places[-1].file:
            yield accounts[done].told()
            done += 1
    for account in accounts[done:]:
        yield account.told()


def _opened(
    paths: Iterable[str | PathLike[str]], accounts: list[Account]
) -> Iterator[tuple[int, BufferedIOBase]]:
    """Yield file after file, at its first chunk, and open an account for each."""
    for number, path in enumerate(paths):
        file = Path(fspath(path))
        try:
            stream = file.open("rb")
        except OSError as error:
            accounts.append(Account(str(file), b""))
            accounts[-1].fail(f"{file} cannot be read: {error.strerror}")
            continue
        with stream:
            accounts.append(Account(str(file), stream.read(FILE_HEADER)))
            yield number, stream


@dataclass(frozen=True, eq=False)
class _Ways:
    """How a reading is done: engines in turn, the events asked for, with payload or not."""

    decoders: tuple[Decoder, ...]
    wanted: Wanted | None
    payload: bool
    search: Search | None
    memory: Memory = field(default_factory=memory)


def _ways(engine: str, events: Events | None, *, payload: bool) -> _Ways:
    decoders, wanted = ENGINES.get(engine), _wanted(events)
    if decoders is None:
        raise UsageError(f"no EVTX engine {engine!r}; there are: {', '.join(ENGINES)}")
    return _Ways(decoders, wanted, payload, search(wanted))


def _read_slot(found: Slot, account: Account, ways: _Ways) -> None:
    """Read what stands in a slot of a file with the engines."""
    refused: list[Record] = []
    if found.chunk is not None:
        rows, refused = _decode(found.chunk, found.chunk.records, account, ways)
        account.add_rows(_frame([row for _, row in rows], payload=ways.payload))
    account.add_slot(found, refused)


def _read_block(block: Block, accounts: list[Account], ways: _Ways) -> None:
    """Read a block by columns, and with the engines what is left."""
    got = decode(block, ways.memory, wanted=ways.wanted, search=ways.search, payload=ways.payload)
    files = np.array([place.file for place in block.places])
    here = np.unique(files).tolist()
    table = None if len(here) == 1 else _together(got, files, accounts)
    for file in here:
        account = accounts[file]
        chunks = np.flatnonzero(files == file)
        mine = slice(*np.searchsorted(got.records.chunk, [chunks[0], chunks[-1] + 1]).tolist())
        account.decoded["columns"] += mine.stop - mine.start
        late: list[tuple[int, Row]] = []
        for chunk in chunks.tolist():
            late += _read_rest(block, chunk, got, account, ways)
        rows = got.rows if table is None else table.iloc[mine].reset_index(drop=True)
        places = got.records.start[mine]
        if late:
            rows = _merged(rows, places, late, payload=ways.payload)
        account.add_rows(rows, named=table is not None and not late)


def _together(got: Columns, files: np.ndarray, accounts: list[Account]) -> pd.DataFrame:
    """Make one table of a block of several files: cheaper than one for each."""
    first = int(files[0])
    names = [account.name for account in accounts[first : int(files[-1]) + 1]]
    return frame([got.rows.named(names, files[got.records.chunk] - first)])


def _read_rest(
    block: Block, number: int, got: Columns, account: Account, ways: _Ways
) -> list[tuple[int, Row]]:
    """Read a chunk that is not plain, or the odd records of one that is; with their places."""
    place = block.places[number]
    start = number * CHUNK
    odd = got.left.get(number, frozenset())
    if got.plain[number]:
        account.add_slot(Slot(place.number, "chunk", *got.numbers(block, number)), [])
        if not odd:
            return []
    found = slot(place.number, block.chunk(number))
    if found.chunk is None:
        account.add_slot(found, [])
        return []
    chunk = found.chunk
    records = tuple(r for r in chunk.records if not got.plain[number] or start + r.offset in odd)
    rows, refused = _decode(chunk, records, account, ways)
    if got.plain[number]:
        account.add_refused(chunk, refused)
    else:
        account.add_slot(found, refused)
    return [(start + record.offset, row) for record, row in rows]


def _wanted(events: Events | None) -> Wanted | None:
    try:
        return None if events is None else Wanted(events)
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            "events must be triples (channel, provider, event id), None in a place for any"
        ) from error


def _decode(
    chunk: Chunk, records: tuple[Record, ...], account: Account, ways: _Ways
) -> tuple[list[tuple[Record, Row]], list[Record]]:
    """Return the rows of records in their order, and the records that no decoder could read."""
    done: dict[Record, Any] = {}
    left = records
    for decode_ in ways.decoders:
        found = decode_(chunk, left, ways.wanted)
        name = decode_.__name__.removeprefix("decode_").replace("_", "-")
        account.decoded[name] += sum(isinstance(row, Row) for row in found.values())
        done.update(found)
        left = tuple(record for record in left if record not in done)
        if not left:
            break
    told = ((record, done.get(record)) for record in records)
    return [(record, row) for record, row in told if isinstance(row, Row)], list(left)


def _merged(
    rows: pd.DataFrame | Batch, places: Ints, late: list[tuple[int, Row]], *, payload: bool
) -> pd.DataFrame:
    """Put rows that came later in their places."""
    rows = frame([rows]) if isinstance(rows, Batch) else rows
    more = _frame([row for _, row in late], payload=payload)
    order = np.argsort(np.append(places, [place for place, _ in late]), kind="stable")
    both = schema.concat("events", [rows, more])
    return both.take(order).reset_index(drop=True)


def _frame(rows: list[Row], *, payload: bool) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    if rows:
        columns = dict(zip(Row._fields, zip(*rows, strict=True), strict=True))
    if not payload:
        columns.pop("data", None)
    return schema.from_columns("events", columns, rows=len(rows))
