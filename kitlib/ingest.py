"""One file of the evidence to one unit of work: read the bytes, hash, recognise, parse.

`read_unit` is pure: it depends on the bytes and the name of one file and changes nothing, so it
can run in this process, in a pool or on a cluster. `run` does it for a whole collection, in a
stable order, in this process for small ones and in a local pool of processes for large ones.

This is the reader boundary, the one place with a broad ``except``: a file that breaks its reader
becomes a row of `problems`, and so does one that brings a whole worker process down.

What the rows of different files have to do with each other is `kitlib.store`'s business.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any, Final

from kitlib.collection import Item, Limits, listing, open_regular, walk
from kitlib.companions import advice, companion
from kitlib.errors import FormatError, UsageError
from kitlib.readers import HEAD_BYTES, Parsed, Reader, parsed, reader_for
from kitlib.readers.updates import column_maps, columns

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator, Iterator

Problem = dict[str, Any]

PARALLEL_BYTES: Final = 64 << 20
"""Below this size starting worker processes costs more than it saves."""

NOT_READ: Final = frozenset({"archive", "empty", "ignored", "unknown", "unread"})
"""Kinds of files that no reader was asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What one file of the evidence gave.

    Attributes
    ----------
    path
        Inside the evidence.
    host
        Guess from the folders, or empty.
    kind
        The reader's, or one of `NOT_READ`.
    sha256
        Of the content; empty if it could not be read.
    size_bytes
        Of the content.
    problems
        Rows of `problems`, without path, that are about the file as it lies there (its name, its
        archive); those about its content are in ``parsed``.
    parsed
        Its rows, without path. None if nothing was to be read, or if the content is known.
    maps
        The analyst's column maps it was read with, if its reader uses any; else empty.
    """

    path: str
    host: str
    kind: str
    sha256: str
    size_bytes: int
    problems: tuple[Problem, ...] = ()
    parsed: Parsed | None = None
    maps: str = ""

    @property
    def key(self) -> str:
        """Name what was read: the content, and the column maps where they decide what it says."""
        return f"{self.sha256}-{self.maps}" if self.maps else self.sha256


def hash_unit(item: Item) -> Unit:
    """Hash one file without recognising or parsing it; see `read_unit`."""
    unit = Unit(path=item.path, host=item.host, kind="unread", sha256="", size_bytes=item.size)
    if item.refused:
        return _noted(unit, item.refused)
    try:
        with open_regular(item.file) as stream:
            reach = os.fstat(stream.fileno()).st_size
            taken = _taken(stream, b"", reach, whole=False)
    except OSError as error:
        return _noted(unit, _unopened(error))
    return replace(unit, sha256=taken.sha256, size_bytes=taken.size)


def read_unit(
    item: Item, *, known: Container[str] = frozenset(), maps: column_maps.Maps = column_maps.NO_MAPS
) -> Unit:
    """Read one file, once: what is hashed is what is parsed, whatever happens to the file meanwhile.

    Parameters
    ----------
    item
        From `kitlib.collection.walk`.
    known
        Keys of units (`Unit.key`) that need no parsing again.
    maps
        The analyst's column maps.

    Returns
    -------
    Unit
        Always; what goes wrong is in its problems.
    """
    unit = Unit(path=item.path, host=item.host, kind="unread", sha256="", size_bytes=item.size)
    if item.refused:
        return _noted(unit, item.refused)
    try:
        with open_regular(item.file) as stream:
            return _read(unit, item, stream, known, maps)
    except OSError as error:
        return _noted(unit, _unopened(error))


def _unopened(error: OSError) -> str:
    return f"it cannot be opened ({error.strerror or error})"


def _read(
    unit: Unit, item: Item, stream: IO[bytes], known: Container[str], maps: column_maps.Maps
) -> Unit:
    before = os.fstat(stream.fileno())
    head = b"" if item.archive else stream.read(min(HEAD_BYTES, before.st_size))
    reader, defect = (None, "") if item.archive or not head else _reader(head, maps)
    whole = reader is not None and before.st_size <= LARGEST
    taken = _taken(stream, head, before.st_size, whole=whole)
    unit = replace(unit, sha256=taken.sha256, size_bytes=taken.size)
    for reason in filter(None, (item.remark, _change(item, before, stream, taken))):
        unit = _noted(unit, reason)
    if item.archive:
        return replace(unit, kind="archive")
    if not taken.size:
        # An empty log is a failed export; an empty text may be all there was to say.
        lost = None if _claims_evtx(unit.path) else 0
        return _noted(replace(unit, kind="empty"), "the file is empty (zero bytes)", lost=lost)
    if reader is None:
        if _is_unused_map(item):
            unit = _noted(unit, _UNUSED_MAP, lost=0)
        return _unread(unit, head, defect)
    if not whole:
        return _noted(unit, f"{reader.kind} of more than {LARGEST} bytes: too large to be read")
    if reader.kind == columns.KIND:
        unit = replace(unit, maps=maps.digest)
    return _recognised(unit, reader, taken.data, known)


LARGEST: Final = 4 << 30
"""Bytes of a file that is held in memory to be parsed; the largest event logs have 4 GiB."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """What was read of a file; ``data`` only where it is to be parsed."""

    sha256: str
    size: int
    data: bytes = b""


def _taken(stream: IO[bytes], head: bytes, reach: int, *, whole: bool) -> _Taken:
    """Read what is left of a file, no further than it reached when it was opened, and hash it.

    A log that is written to while it is read would else never end.
    """
    left = reach - len(head)
    digest, blocks, size = hashlib.sha256(head), [head], len(head)
    while left > 0 and (block := stream.read(min(left, 1 << 20))):
        digest.update(block)
        size, left = size + len(block), left - len(block)
        if whole:
            blocks.append(block)
    return _Taken(digest.hexdigest(), size, b"".join(blocks) if whole else b"")


def _change(item: Item, before: os.stat_result, stream: IO[bytes], taken: _Taken) -> str:
    """Say whether a file is not what was listed, or is no longer what was read."""
    after = os.fstat(stream.fileno())
    if (taken.size, after.st_size, after.st_mtime_ns) != (
        *(before.st_size,) * 2,
        before.st_mtime_ns,
    ):
        return (
            f"it changed while it was read ({before.st_size} bytes before, {after.st_size} after): "
            f"what was read, {taken.size} bytes, may be neither the one nor the other"
        )
    if item.changed_ns and (item.size, item.changed_ns) != (before.st_size, before.st_mtime_ns):
        return (
            f"it changed after it was listed ({item.size} bytes then, {before.st_size} when it was "
            "read): the later state counts"
        )
    return ""


def _reader(head: bytes, maps: column_maps.Maps) -> tuple[Reader | None, str]:
    try:
        return _chosen(head, maps), ""
    except Exception as error:  # noqa: BLE001  # reader boundary: a sniffer's defect is one file's problem
        return None, _defect(error)


def _chosen(head: bytes, maps: column_maps.Maps) -> Reader | None:
    """Ask the analyst's column maps about what no other reader knows."""
    found = reader_for(head)
    if not maps.maps or (found is not None and found.kind != columns.KIND):
        return found
    own = columns.reader(maps)
    return own if own.sniff(head) else found


_UNUSED_MAP: Final = (
    "column maps are read at the top of an evidence folder, or where --columns names them: "
    "not used from here"
)


def _is_unused_map(item: Item) -> bool:
    """Tell a file of column maps in an archive or deeper in the evidence."""
    path = PurePosixPath(item.path)
    return path.name == column_maps.FILE and (item.spooled or len(path.parts) > 1)


def _unread(unit: Unit, head: bytes, defect: str) -> Unit:
    if defect:
        return _noted(replace(unit, kind="unknown"), defect)
    remark = companion(unit.path, head)
    if remark is None:
        return _noted(replace(unit, kind="unknown"), _unknown(unit.path, head))
    unit = replace(unit, kind="ignored")
    return _noted(unit, remark, lost=0) if remark else unit


def _recognised(unit: Unit, reader: Reader, data: bytes, known: Container[str]) -> Unit:
    unit = replace(unit, kind=reader.kind)
    if _claims_evtx(unit.path) and reader.kind != "evtx":
        reason = f"its name says .evtx, its content is {reader.kind}: read as what it is"
        unit = _noted(unit, reason, lost=0)
    return unit if unit.key in known else replace(unit, parsed=_parsed(reader, data))


def _parsed(reader: Reader, data: bytes) -> Parsed:
    try:
        return reader.read(data)
    except FormatError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  # reader boundary: one bad file must not end the run
        reason = _defect(error)
    return parsed(problems=[{"reason": reason}])


def _defect(error: Exception) -> str:
    return f"the reader failed: {type(error).__name__}: {error}"[:300]


def _noted(unit: Unit, reason: str, *, lost: int | None = None) -> Unit:
    problem = {"place": "", "reason": reason, "records_lost": lost}
    return replace(unit, problems=(*unit.problems, problem))


# ---------------------------------------------------------------------------- what is not read

_SIGNATURES: Final = (
    (0, b"MSCF", "a cabinet archive, unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive, unpack it first"),
    (0, b"Rar!", "a RAR archive, unpack it first"),
    (0, b"PK", "a zip of another kind"),
    (0, b"\x1f\x8b", "a gzip file that cannot be opened"),
    (0, b"LfLe", "an event log of Windows XP"),
    (4, b"LfLe", "an event log of Windows XP"),
)
"""Offset and bytes of formats that turn up in collections and that the kit does not read."""


def _unknown(path: str, head: bytes) -> str:
    named = (words for at, mark, words in _SIGNATURES if head[at : at + len(mark)] == mark)
    words = advice(path, head) or next(named, "")
    reason = f"not a format the kit reads ({words})" if words else "not a format the kit reads"
    if _claims_evtx(path):
        return f"its name says .evtx, its content does not: {reason}"
    return reason


def _claims_evtx(path: str) -> bool:
    return path.lower().endswith(".evtx")


# ---------------------------------------------------------------------------- a whole collection


def run(
    root: Path,
    job: Callable[[Item], Unit] = read_unit,
    *,
    workers: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    limits: Limits | None = None,
) -> Iterator[Unit]:
    """Do one job for every file of a collection.

    Parameters
    ----------
    root
        Folder, archive or file. It is never written to.
    job
        What to do with a file. Workers import it by name, so it must stand in a module, or be a
        `functools.partial` of such a function.
    workers
        Processes. Default: one for small collections, else one a processor.
    progress
        Called after each file with the number done, the number known so far, and the path.
    limits
        Bounds on archives.

    Yields
    ------
    Unit
        In the order of `kitlib.collection.walk`, whatever the number of workers.

    Raises
    ------
    kitlib.errors.UsageError
        There is no `root`, or archives in it would have to be unpacked inside it.
    """
    on_disk = list(listing(root))
    number = _workers(workers, on_disk)
    with tempfile.TemporaryDirectory(prefix="kitlib-") as folder:
        spool = _outside_of(root, Path(folder))
        items = walk(root, spool=spool, limits=limits)
        with closing(_in_pool(items, job, number) if number > 1 else _here(items, job)) as units:
            for count, unit in enumerate(units, 1):
                if progress:
                    progress(count, max(count, len(on_disk)), unit.path)
                yield unit


def _outside_of(root: Path, spool: Path) -> Path:
    if root.resolve() in spool.resolve().parents:
        raise UsageError(
            f"the folder for temporary files, {spool.parent}, lies inside the evidence {root}, "
            "which must not be written to: set TMPDIR to another folder"
        )
    return spool


def _workers(wanted: int | None, on_disk: list[Item]) -> int:
    if wanted is not None:
        return max(1, wanted)
    # An archive is one file on disk and many when unpacked.
    large = sum(item.size for item in on_disk) >= PARALLEL_BYTES
    return (os.cpu_count() or 1) if large else 1


def _here(items: Iterator[Item], job: Callable[[Item], Unit]) -> Generator[Unit]:
    for item in items:
        yield job(item)
        _forget(item)


def _forget(item: Item) -> None:
    """Free the spool as soon as a member has been read."""
    if item.spooled:
        item.file.unlink(missing_ok=True)


def _in_pool(items: Iterator[Item], job: Callable[[Item], Unit], workers: int) -> Generator[Unit]:
    """Run jobs in processes; few are in flight at once, so the spool and the memory stay small."""
    pool, single = _Pool(workers), _Pool(1)
    waiting: deque[tuple[Item, Future[Unit]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(job, item)))
            if len(waiting) > 4 * workers:
                yield _awaited(*waiting.popleft(), job, single)
        while waiting:
            yield _awaited(*waiting.popleft(), job, single)
    finally:
        pool.close()
        single.close()


def _awaited(item: Item, future: Future[Unit], job: Callable[[Item], Unit], single: _Pool) -> Unit:
    try:
        return future.result()
    except BrokenProcessPool:
        return _alone(item, job, single)
    finally:
        _forget(item)


def _alone(item: Item, job: Callable[[Item], Unit], single: _Pool) -> Unit:
    """Try again what was in a pool that died, one by one, to find the file that killed it."""
    try:
        return single.submit(job, item).result()
    except BrokenProcessPool:
        unit = Unit(path=item.path, host=item.host, kind="unread", sha256="", size_bytes=item.size)
        return _noted(unit, "reading it ended the process that read it: skipped")


class _Pool:
    """A process pool that is replaced when a worker dies; it starts processes when first used."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool = self._new()

    def _new(self) -> ProcessPoolExecutor:
        # Spawned, not forked: the caller may be a notebook kernel full of threads.
        return ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"))

    def submit(self, job: Callable[[Item], Unit], item: Item) -> Future[Unit]:
        with _main_hidden():
            try:
                return self._pool.submit(job, item)
            except BrokenProcessPool:
                self.close()
                self._pool = self._new()
                return self._pool.submit(job, item)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Keep new workers from importing the caller's script, which need not expect it.

    A spawned process imports the main module first; a plain script without the
    ``if __name__ == "__main__"`` guard would run again in every worker. The jobs live in this
    package and need nothing from there.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
