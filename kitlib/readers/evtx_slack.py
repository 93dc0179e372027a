"""Records that a log no longer counts: behind the end of a chunk's records, or in a lost chunk.

When a log is cleared, filtered or written over, old records stay in the rest of each chunk until
newer ones need the room. They are not part of the log: they may be older than what was cleared,
or stand elsewhere in the log a second time. So they are never mixed with its rows, but read only
when asked for, into a table of their own, each row flagged.

What a record needs to be read is its template, which stands in the record that used it first. If
that one is overwritten, a template of the same id that is met elsewhere in the log is taken, and
the row is flagged as ``borrowed``: what the template says itself (the computer; for classic
sources provider and channel) then comes from there.

Records that are not whole are not looked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib import schema
from kitlib.errors import UsageError
from kitlib.readers.binxml.block import Block, Records, blocks, plain_records, slack_records
from kitlib.readers.binxml.columns import Memory, read_records
from kitlib.readers.binxml.table import constant, frame
from kitlib.readers.chunks import FILE_HEADER, read_chunk
from kitlib.readers.payload import EPOCH_TICKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

_YEAR: Final = 315_576_000_000_000
_PLAUSIBLE: Final = (EPOCH_TICKS + 20 * _YEAR, EPOCH_TICKS + 130 * _YEAR)
"""A record was written between 1990 and 2100, or it is none."""


def recover_evtx(path: str | PathLike[str]) -> pd.DataFrame:
    """Read the records that are left in the unused parts of an event log.

    Parameters
    ----------
    path
        An ``.evtx`` file. It is opened for reading only.

    Returns
    -------
    pandas.DataFrame
        Table `events` with two more columns of truth values: ``recovered``, always true, and
        ``borrowed``. Each record id and time of writing once, and none that the log itself has.
        ``df.attrs["unread"]`` counts what looks like a record and could not be read.

    Raises
    ------
    UsageError
        No such file.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    memory = Memory()
    seen: set[tuple[int, int]] = set()
    for block in _blocks(file):
        live = _live(block)
        seen.update(zip(live.number.tolist(), live.ticks.tolist(), strict=True))
        read_records(block, memory, live)  # for its templates
    parts, unread = [schema.empty("events").assign(borrowed=False)], 0
    for block in _blocks(file):
        rows, left = _recovered(block, memory, seen)
        parts.append(rows)
        unread += left
    out = pd.concat([p for p in parts if len(p)] or parts, ignore_index=True)
    out["path"] = constant(str(file), len(out))
    out.insert(len(out.columns) - 1, "recovered", value=True)
    out.attrs["unread"] = unread
    return out


def _blocks(file: Path) -> Iterator[Block]:
    with file.open("rb") as stream:
        stream.seek(FILE_HEADER)
        yield from blocks([(0, stream)])


def _live(block: Block) -> Records:
    """Return the records that the log counts, of damaged chunks as well."""
    records, plain = plain_records(block)
    more = [
        ((chunk << 16) + record.offset, record.size, record.record_id, record.ticks)
        for chunk in np.flatnonzero(~plain).tolist()
        if (found := read_chunk(block.chunk(chunk), number=chunk))
        for record in found.records
        if not record.torn
    ]
    if not more:
        return records
    start, size = np.array([m[:2] for m in more], np.int64).T
    number, ticks = np.array([m[2:] for m in more], np.uint64).T
    return Records(
        np.append(records.chunk, start >> 16),
        np.append(records.start, start),
        np.append(records.end, start + size),
        np.append(records.number, number),
        np.append(records.ticks, ticks),
    )


def _recovered(
    block: Block, memory: Memory, seen: set[tuple[int, int]]
) -> tuple[pd.DataFrame, int]:
    """Return the rows of a block's slack that are new, and how many records could not be read."""
    slack = slack_records(block)
    slack = slack.take((slack.ticks >= _PLAUSIBLE[0]) & (slack.ticks < _PLAUSIBLE[1]))
    new = []
    for key in zip(slack.number.tolist(), slack.ticks.tolist(), strict=True):
        new.append(key not in seen)
        seen.add(key)
    slack = slack.take(np.array(new, bool))
    rows, events, odd = read_records(block, memory, slack, stale=True)
    return frame([rows]).assign(borrowed=events.lent), sum(map(len, odd))
