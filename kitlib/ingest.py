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
import re
import sys
import tempfile
import tomllib
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from kitlib.collection import Item, Limits, listing, walk
from kitlib.errors import FormatError, UsageError
from kitlib.readers import HEAD_BYTES, Parsed, Reader, parsed, reader_for
from kitlib.readers.text import decode

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
    """

    path: str
    host: str
    kind: str
    sha256: str
    size_bytes: int
    problems: tuple[Problem, ...] = ()
    parsed: Parsed | None = None


def hash_unit(item: Item) -> Unit:
    """Hash one file without recognising or parsing it; see `read_unit`."""
    unit = Unit(path=item.path, host=item.host, kind="unread", sha256="", size_bytes=item.size)
    if item.refused:
        return _noted(unit, item.refused)
    try:
        sha256, size, _ = _hashed(item.file)
    except OSError as error:
        return _noted(unit, f"it cannot be opened ({error.strerror})")
    return replace(unit, sha256=sha256, size_bytes=size)


def read_unit(item: Item, *, known: Container[str] = frozenset()) -> Unit:
    """Read one file.

    Parameters
    ----------
    item
        From `kitlib.collection.walk`.
    known
        Hashes of contents that need no parsing again.

    Returns
    -------
    Unit
        Always; what goes wrong is in its problems.
    """
    unit = Unit(path=item.path, host=item.host, kind="unread", sha256="", size_bytes=item.size)
    if item.refused:
        return _noted(unit, item.refused)
    try:
        sha256, size, head = _hashed(item.file)
    except OSError as error:
        return _noted(unit, f"it cannot be opened ({error.strerror})")
    unit = replace(unit, sha256=sha256, size_bytes=size)
    if item.remark:
        unit = _noted(unit, item.remark)
    if item.archive:
        return replace(unit, kind="archive")
    if not size:
        # An empty log is a failed export; an empty text may be all there was to say.
        lost = None if _claims_evtx(unit.path) else 0
        return _noted(replace(unit, kind="empty"), "the file is empty (zero bytes)", lost=lost)
    return _recognised(unit, item.file, head, known)


def _hashed(file: Path) -> tuple[str, int, bytes]:
    """Return hash, size and beginning without holding the whole file."""
    digest = hashlib.sha256()
    size, head = 0, b""
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            head = head or block[:HEAD_BYTES]
            size += len(block)
            digest.update(block)
    return digest.hexdigest(), size, head


def _recognised(unit: Unit, file: Path, head: bytes, known: Container[str]) -> Unit:
    try:
        reader = reader_for(head)
    except Exception as error:  # noqa: BLE001  # reader boundary: a sniffer's defect is one file's problem
        return _noted(replace(unit, kind="unknown"), _defect(error))
    if reader is None:
        if is_documentation(unit.path, head):
            return replace(unit, kind="ignored")
        return _noted(replace(unit, kind="unknown"), _unknown(unit.path, head))
    unit = replace(unit, kind=reader.kind)
    if _claims_evtx(unit.path) and reader.kind != "evtx":
        reason = f"its name says .evtx, its content is {reader.kind}: read as what it is"
        unit = _noted(unit, reason, lost=0)
    return unit if unit.sha256 in known else replace(unit, parsed=_parsed(reader, file))


def _parsed(reader: Reader, file: Path) -> Parsed:
    try:
        return reader.read(file.read_bytes())
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
    (0, b"regf", "a registry hive"),
    (0, b"MSCF", "a cabinet archive (unpack it first)"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive (unpack it first)"),
    (0, b"Rar!", "a RAR archive (unpack it first)"),
    (0, b"PK", "a zip of another kind"),
    (0, b"\x1f\x8b", "a gzip file that cannot be opened"),
    (4, b"\xef\xcd\xab\x89", "an ESE database"),
    (0, b"LfLe", "an event log of Windows XP"),
    (4, b"LfLe", "an event log of Windows XP"),
)
"""Offset and bytes of formats that turn up in collections and that the kit does not read."""


def _unknown(path: str, head: bytes) -> str:
    named = (words for at, mark, words in _SIGNATURES if head[at : at + len(mark)] == mark)
    words = next(named, "")
    reason = f"{words}: not a format the kit reads" if words else "not a format the kit reads"
    if _claims_evtx(path):
        return f"its name says .evtx, its content does not: {reason}"
    return reason


def _claims_evtx(path: str) -> bool:
    return path.lower().endswith(".evtx")


_BESIDE: Final = frozenset({"readme", "license", "licence", "manifest", "sha256sums", "truth"})
_DESKTOP: Final = frozenset({".ds_store", "desktop.ini", "thumbs.db"})
_BINARY: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_OWN: Final = re.compile(r'\A\s*\{[^{}]*"schema"\s*:\s*"kitlib\.')


def is_documentation(path: str, head: bytes) -> bool:
    """Tell a file that lies beside evidence and is none: notes, profiles, the kit's own files.

    Parameters
    ----------
    path
        Name and content must both say so; a log called README stays a problem if it is binary.
    head
        The beginning of the file.
    """
    name = PurePosixPath(path).name.lower()
    if name in _DESKTOP or name.startswith("._"):
        return True
    whole = decode(head, partial=True).text
    if _BINARY.search(whole):
        return False
    stem, _, suffix = name.partition(".")
    if suffix == "toml":
        return _is_toml(whole)
    return stem in _BESIDE or suffix in ("md", "markdown") or _OWN.search(whole) is not None


def _is_toml(whole: str) -> bool:
    try:
        return bool(tomllib.loads(whole))
    except tomllib.TOMLDecodeError:
        return False


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
