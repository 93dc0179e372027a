"""The account of one event log: what of it became rows, and what did not.

A log is read chunk by chunk or block by block; here the pieces come together again: its rows in
the order of the file, and the rows of ``problems`` that say what is missing between them.

This file does not read anything.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.errors import FormatError
from kitlib.readers.base import Problems
from kitlib.readers.binxml.table import Batch, constant, frame
from kitlib.readers.chunks import CHUNK, FILE_MAGIC, Chunk, Record, Slot, lost_slots

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

Problem = dict[str, Any]

REFUSED: Final = "no engine could decode the record"


@dataclass(eq=False)
class Account:
    """What is known of a log so far.

    Attributes
    ----------
    name
        What column ``path`` says.
    head
        The file's header, as far as it is there.
    decoded
        Rows by the way they came: `"columns"` or an engine.
    """

    name: str
    head: bytes
    decoded: Counter[str] = field(default_factory=Counter)
    _slots: list[Slot] = field(default_factory=list)
    _problems: list[Problem] = field(default_factory=list)
    _unsure: list[int] = field(default_factory=list)
    _rows: list[pd.DataFrame | Batch] = field(default_factory=list)
    _failed: str = ""
    _named: bool = True

    def add_slot(self, slot: Slot, refused: list[Record]) -> None:
        """Note the next slot of the file, and the records of its chunk that no engine could read."""
        if slot.chunk is None:
            self._slots.append(slot)
        else:
            self._slots.append(replace(slot, chunk=None))
            self._problems += _chunk_problems(slot.chunk, refused)
            self._unsure += [] if slot.chunk.checksums else [slot.number]

    def add_refused(self, chunk: Chunk, refused: list[Record]) -> None:
        """Note records, of a chunk that is sound, that no engine could read."""
        self._problems += _chunk_problems(chunk, refused)

    def add_rows(self, rows: pd.DataFrame | Batch, *, named: bool = False) -> None:
        """Add rows of table `events`, the next of the file; `named` if their ``path`` is set."""
        if len(rows):
            self._rows.append(rows)
            self._named &= named

    def fail(self, reason: str) -> None:
        """Note why nothing can be read of the file."""
        self._failed = reason

    def told(self) -> pd.DataFrame:
        """Return the table of a log; if nothing can be read of it, the reason is in its problems."""
        try:
            if not self._failed:
                self.refuse()
        except FormatError as error:
            self._failed = str(error)
        return self.table()

    def refuse(self) -> None:
        """Raise if nothing of an event log is there.

        Raises
        ------
        FormatError
            With the reason.
        """
        where = f"{self.name}: " if self.name else ""
        if not self.head:
            raise FormatError(f"{where}the file is empty (0 bytes)")
        if not is_log(self.head) and not any(slot.state == "chunk" for slot in self._slots):
            raise FormatError(
                f"{where}not a Windows event log: neither its mark nor a chunk was found"
            )

    def part(self) -> pd.DataFrame:
        """Return the rows and the problems since the last part; see `table`."""
        return self._told(())

    def table(self) -> pd.DataFrame:
        """Return all rows, with table `problems` and the counts of ways in ``attrs``.

        After parts were taken, what has come since, and what only the whole file tells.
        """
        if self._failed:
            return self._told((_problem("", self._failed, None),))
        return self._told(_file_problems(self.head, self._slots, self._unsure))

    def _told(self, first: Iterable[Problem]) -> pd.DataFrame:
        out = _stacked(self._rows)
        if not self._named:
            out["path"] = constant(self.name, len(out))
        found = [{"path": self.name, **problem} for problem in (*first, *self._problems)]
        out.attrs["problems"] = Problems(schema.frame("problems", found))
        out.attrs["decoded"] = dict(self.decoded)
        self._rows.clear()
        self._problems.clear()
        return out


def _stacked(rows: list[pd.DataFrame | Batch]) -> pd.DataFrame:
    """Make one table of all rows; batches that follow each other are joined before."""
    frames: list[pd.DataFrame] = []
    for batched, run in groupby(rows, key=lambda part: isinstance(part, Batch)):
        parts: list[Any] = list(run)
        frames += [frame(parts)] if batched else parts
    return frames[0] if len(frames) == 1 else schema.concat("events", frames)


def is_log(head: bytes) -> bool:
    """Tell by its first bytes whether a file is an event log whose header is whole."""
    return head[: len(FILE_MAGIC)] == FILE_MAGIC


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
        yield _problem(_place(chunk, record), REFUSED, 1)
    for record in (r for r in chunk.records if r.torn and r not in refused):
        reason = "the end of the record is missing; its last values may be wrong"
        yield _problem(_place(chunk, record), reason, 0)


def _place(chunk: Chunk, record: Record) -> str:
    return f"chunk {chunk.number}, record {record.record_id}"


def _file_problems(head: bytes, slots: list[Slot], unsure: list[int]) -> Iterator[Problem]:
    if not is_log(head):
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
