"""Walk the evidence: a folder, a ``.zip`` or ``.tar.gz``, archives inside folders and archives.

Gives one `Item` a file, in a stable order, with the path inside the evidence and a guess at the
host from the folders it lies in (plain host folders, KAPE, Velociraptor, CyLR, Intune). What a
file is, is decided by its content, here only for archives.

The evidence is never written to and links in it are never followed. Members of archives are
streamed to numbered files in a spool folder elsewhere, never under their own names, and within
limits: count, size, growth, depth. What is refused is an `Item` with the reason in ``refused``,
so that it shows up as a row of `problems`.

Nothing here knows the insides of logs and dumps.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
import tarfile
import zipfile
import zlib
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Final, cast
from urllib.parse import unquote

from kitlib.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what archives may unfold into; a full fleet fits, a bomb does not.

    Attributes
    ----------
    members
        Files in all archives of the evidence together.
    member_bytes, total_bytes
        Unfolded size of one file, and of all.
    ratio
        Growth of one archive at which it is read no further, once it has given `ratio_from`
        bytes. Event logs hold much empty space and may pack to a hundredth.
    depth
        Archives inside archives.
    """

    members: int = 500_000
    member_bytes: int = 4 << 30
    total_bytes: int = 256 << 30
    ratio: int = 200
    ratio_from: int = 256 * MIB
    depth: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file of the evidence.

    Attributes
    ----------
    path
        Inside the evidence, with ``/``.
    host
        Guess from the folders, or empty.
    file
        Where its bytes are now: in the evidence, or in the spool.
    size
        Bytes.
    archive
        An archive; its members follow as items of their own.
    spooled
        ``file`` is a copy that may be removed when it has been read.
    refused
        Why it is not to be read, or empty. Then ``file`` may not exist.
    remark
        What is wrong with it although it can be read: it was cut off, or not unfolded whole.
    """

    path: str
    host: str
    file: Path
    size: int
    archive: bool = False
    spooled: bool = False
    refused: str = ""
    remark: str = ""


def walk(root: Path, *, spool: Path, limits: Limits | None = None) -> Iterator[Item]:
    """Give every file of the evidence, archives after their members.

    Parameters
    ----------
    root
        A folder, an archive or a single file.
    spool
        An empty folder outside the evidence. Members are put there as the walk goes on; whoever
        reads them may remove them.
    limits
        Bounds on archives.

    Yields
    ------
    Item
        In the order of the paths; members in the order of their archive, then the archive.

    Raises
    ------
    kitlib.errors.UsageError
        `root` does not exist.
    """
    unpacker = _Unpacker(root.name, spool, limits or Limits())
    for item in listing(root):
        yield from unpacker.unfold(item, inner="" if item.file == root else item.path)


def listing(root: Path) -> Iterator[Item]:
    """List the files on disk under `root`, in order of path, without opening any.

    Raises
    ------
    kitlib.errors.UsageError
        `root` does not exist.
    """
    if root.is_file():
        host = host_of_path(root.name)
        yield Item(path=root.name, host=host, file=root, size=root.stat().st_size)
        return
    if not root.is_dir():
        raise UsageError(f"there is no folder or file {root}")
    pending = [root]
    while pending:  # not recursive: evidence may be nested deeper than Python's stack
        place = pending.pop()
        try:
            info = place.stat() if place == root else place.lstat()
            below = sorted(place.iterdir(), reverse=True) if stat.S_ISDIR(info.st_mode) else []
        except OSError as error:
            yield _refusal(root, place, f"it cannot be opened ({error.strerror})")
            continue
        if _is_link(info) and place != root:
            yield _refusal(root, place, "a link: not followed")
        elif stat.S_ISDIR(info.st_mode):
            pending += below
        elif stat.S_ISREG(info.st_mode):
            path = _inside(root, place)
            host = host_of_path(path, root.name)
            yield Item(path=path, host=host, file=place, size=info.st_size)
        else:
            yield _refusal(root, place, "neither a file nor a folder: not opened")


def _is_link(info: os.stat_result) -> bool:
    """Tell symbolic links and the junctions of Windows, which look like folders and may loop."""
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    tag = getattr(info, "st_reparse_tag", None)
    return stat.S_ISLNK(info.st_mode) or (tag is not None and tag == junction)


def _inside(root: Path, place: Path) -> str:
    """Return the path in the evidence; bytes that are no UTF-8 are shown, not kept."""
    return os.fsencode(place.relative_to(root).as_posix()).decode("utf-8", "backslashreplace")


def _refusal(root: Path, place: Path, reason: str) -> Item:
    path = _inside(root, place)
    host = host_of_path(path, root.name)
    return Item(path=path, host=host, file=place, size=0, refused=reason)


# ---------------------------------------------------------------------------- archives

_HEAD: Final = 512
_NOT_COLLECTIONS: Final = frozenset({"[Content_Types].xml", "META-INF/MANIFEST.MF"})
"""Members that mark office documents and programs, which are zips only in form."""


def archive_kind(file: Path) -> str:
    """Tell by content whether a file is a ``zip``, ``tar``, ``tar.gz`` or ``gz``; else empty."""
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
            if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
                return "zip"
            if head[:3] == b"\x1f\x8b\x08":
                stream.seek(0)
                return "tar.gz" if _is_tar(_first_bytes(stream)) else "gz"
            return "tar" if _is_tar(head) else ""
    except OSError:
        return ""


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _first_bytes(stream: IO[bytes]) -> bytes:
    try:
        with gzip.GzipFile(fileobj=stream) as unzipped:
            return unzipped.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return b""


class _RefusedError(Exception):
    """A member is not to be read; the message says why."""


class _StoppedError(Exception):
    """An archive is not to be read any further; the message says why."""


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of an archive before it is unfolded."""

    name: str
    open: Callable[[], IO[bytes]]
    refused: str = ""


class _Unpacker:
    """Unfolds archives into the spool and keeps count against the limits."""

    def __init__(self, root: str, spool: Path, limits: Limits) -> None:
        self._root, self._spool, self._limits = root, spool, limits
        self._numbers = count()
        self._members = self._bytes = 0
        self._ceilings = [limits.total_bytes]  # of the archives that are open now

    def unfold(self, item: Item, *, inner: str) -> Iterator[Item]:
        """Give the members of an archive below the path `inner`, then the item itself."""
        kind = "" if item.refused else archive_kind(item.file)
        if kind == "zip" and _is_document(item.file):
            kind = ""
        if not kind:
            yield item
        elif len(self._ceilings) > self._limits.depth:
            yield replace(item, archive=True, refused="archives nested too deep: not opened")
        else:
            room = max(self._limits.ratio_from, item.size * self._limits.ratio)
            self._ceilings.append(min(self._ceilings[-1], self._bytes + room))
            try:
                remark = yield from self._members_of(item, kind, inner)
            finally:
                self._ceilings.pop()
            yield replace(
                item, archive=True, remark=" / ".join(filter(None, (item.remark, remark)))
            )

    def _members_of(self, item: Item, kind: str, inner: str) -> Generator[Item, None, str]:
        """Give the members; return what kept the rest from being given, or nothing."""
        seen: set[str] = set()
        try:
            with closing(_MEMBERS[kind](item)) as members:
                for member in members:
                    if self._members >= self._limits.members:
                        return f"more than {self._limits.members} files: the rest was not read"
                    self._members += 1
                    path = _join(inner, _unique(_clean(member.name), seen))
                    yield from self.unfold(self._fetch(member, path), inner=path)
        except _StoppedError as stop:
            return f"{stop}: the rest, from {path} on, was not read"
        except _BROKEN as error:
            return f"the archive is damaged ({_words(error)}): what follows was not read"
        return ""

    def _fetch(self, member: _Member, path: str) -> Item:
        """Stream one member into the spool, or say why not."""
        place = self._spool / f"{next(self._numbers):07d}"
        host = host_of_path(path, self._root)
        item = Item(path=path, host=host, file=place, size=0, spooled=True, refused=member.refused)
        if item.refused:
            return item
        try:
            with member.open() as source, place.open("wb") as target:
                remark = self._copy(source, target)
        except _StoppedError:
            place.unlink(missing_ok=True)
            raise
        except _RefusedError as refusal:
            place.unlink(missing_ok=True)
            return replace(item, refused=f"{refusal}: not read")
        except (*_BROKEN, RuntimeError) as error:  # zipfile says RuntimeError for a bad password
            place.unlink(missing_ok=True)
            return replace(item, refused=f"it cannot be unpacked ({_words(error)})")
        return replace(item, size=place.stat().st_size, remark=remark)

    def _copy(self, source: IO[bytes], target: IO[bytes]) -> str:
        """Copy within the limits; what a damaged member still gives is kept, with a remark."""
        size = 0
        while True:
            try:
                block = source.read(MIB)
            except _BROKEN as error:
                if not size:
                    raise
                return f"damaged in its archive ({_words(error)}): read as far as it goes"
            if not block:
                return ""
            size += len(block)
            self._bytes += len(block)
            if self._bytes > self._ceilings[-1]:
                raise _StoppedError(self._too_much())
            if size > self._limits.member_bytes:
                raise _RefusedError(f"larger than {self._limits.member_bytes} bytes")
            target.write(block)

    def _too_much(self) -> str:
        if self._ceilings[-1] == self._limits.total_bytes:
            return f"the archives unfold to more than {self._limits.total_bytes} bytes"
        return f"it unfolds to more than {self._limits.ratio} times its packed size"


_BROKEN: Final = (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, ValueError)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _is_document(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as opened:
            return not _NOT_COLLECTIONS.isdisjoint(opened.namelist())
    except _BROKEN:
        return False


def _zip_members(item: Item) -> Generator[_Member]:
    with zipfile.ZipFile(item.file) as opened:
        for info in opened.infolist():
            if not info.is_dir():
                link = stat.S_ISLNK(info.external_attr >> 16)
                why = "a link in an archive: not followed" if link else ""
                why = "encrypted: not read" if info.flag_bits & 1 else why
                yield _member(info.filename, partial(opened.open, info), why)


def _tar_members(item: Item) -> Generator[_Member]:
    # "r|*" reads forward only: each member is taken before the next is looked at.
    with tarfile.open(item.file, "r|*") as opened:
        for info in opened:
            if not info.isdir():
                why = "" if info.isfile() else "a link or device in an archive: not followed"
                yield _member(info.name, partial(_taken, opened, info), why)


def _taken(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = opened.extractfile(info)
    if stream is None:
        raise _RefusedError("it has no content")
    return stream


def _gz_members(item: Item) -> Generator[_Member]:
    name = PurePosixPath(item.path).name.removesuffix(".gz")
    yield _member(name, partial(_unzipped, item.file), "")


def _unzipped(file: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(file))


def _member(name: str, opener: Callable[[], IO[bytes]], why: str) -> _Member:
    if _outside(name):
        why = "its name points outside the archive: not read"
    return _Member(name, opener, why)


_MEMBERS: Final = {
    "zip": _zip_members,
    "tar": _tar_members,
    "tar.gz": _tar_members,
    "gz": _gz_members,
}


def _clean(name: str) -> str:
    """Give a member's name with ``/``; some tools store Windows' separators."""
    slashed = name.replace("\\", "/").replace("\0", "")
    return "/".join(part for part in slashed.split("/") if part not in ("", "."))


def _outside(name: str) -> bool:
    slashed = name.replace("\\", "/")
    return (
        slashed.startswith("/")
        or re.match(r"[A-Za-z]:", slashed) is not None
        or ".." in slashed.split("/")
    )


def _unique(path: str, seen: set[str]) -> str:
    """Tell members of the same name apart."""
    names = (path if number == 1 else f"{path} ({number})" for number in count(1))
    name = next(name for name in names if name not in seen)
    seen.add(name)
    return name


def _join(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path


# ---------------------------------------------------------------------------- host by folder

_DRIVE: Final = re.compile(
    r"(?:\\\\[.?]\\)?[a-z]:?|(?:[a-z]_)?windows(?:\.old)?|.*volumeshadowcopy\d+"
)
_LAYOUT: Final = frozenset(
    re.split(
        " ",
        "uploads results auto ntfs mft lazy_ntfs ntfs_vss vss logs log evtx eventlogs winevt system32 "
        "intune files commands general data evidence kape cylr collection collections triage hosts "
        "output out exports export dumps updates update_history",
    )
)
"""Folder names, lower case, that collections make and that name no host."""
_WRAPPED: Final = (
    re.compile(r"Collection-(?P<host>.+?)-\d{4}-\d\d-\d\dT.*"),  # Velociraptor
    re.compile(r"DiagLogs-(?P<host>.+?)-\d{8}.*"),  # Intune, Collect diagnostics
    re.compile(r"(?P<host>.+?)_CollectedData"),  # Intune, One Data Collector
    re.compile(r"\d{4}-\d\d-\d\dT\d+_(?P<host>.+)"),  # KAPE containers
)
_ARCHIVE_END: Final = re.compile(r"(\.(zip|tar|tgz|gz))+$", re.IGNORECASE)
_FILE_PREFIX: Final = re.compile(
    r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,62})_(system|application|setup|security|hotfix|qfe|wu|"
    r"update|microsoft-windows)",
    re.IGNORECASE,
)
_TOOLS: Final = frozenset({"wmic", "get-hotfix", "windows", "win", "com", "powershell"})
"""What file names begin with instead of a host."""
_NUMBERED: Final = re.compile(r"\(?\d+\)?( .*)?")


def host_of_path(path: str, root: str = "") -> str:
    """Guess a file's host from the folders and archives it lies in, then from its file name.

    Parameters
    ----------
    path
        Path inside the evidence.
    root
        Name of the evidence itself, which is asked only where its form is that of one host's
        collection: a tool's archive name, or a drive right below it.

    Returns
    -------
    str
        The innermost folder above the first one that belongs to a known layout; empty if there
        is none. A guess: what the records say comes first.

    Examples
    --------
    >>> host_of_path("WS0001/C/Windows/System32/winevt/Logs/System.evtx")
    'WS0001'
    >>> host_of_path("WS0001_System.evtx")
    'WS0001'
    """
    *folders, name = unquote(path).replace("\\\\.\\", "").replace("\\", "/").split("/")
    host = _host_of_folders(folders)
    if host:
        return host
    stem = _ARCHIVE_END.sub("", root)
    if _unwrapped(stem) != stem or (folders and _DRIVE.fullmatch(folders[0].lower())):
        return _unwrapped(stem)
    prefix = _FILE_PREFIX.match(name)
    return prefix["host"] if prefix and prefix["host"].lower() not in _TOOLS else ""


def _host_of_folders(folders: list[str]) -> str:
    host = ""
    for folder in folders:
        plain = _ARCHIVE_END.sub("", folder)
        layout = plain.lower() in _LAYOUT or _DRIVE.fullmatch(plain.lower()) is not None
        if layout and host:
            return host
        if not layout and plain and not (host and _NUMBERED.fullmatch(plain)):
            host = _unwrapped(plain)
    return host


def _unwrapped(folder: str) -> str:
    found = (pattern.fullmatch(folder) for pattern in _WRAPPED)
    return next((match["host"] for match in found if match), folder)
