"""Walk the evidence: a folder, a ``.zip`` or ``.tar.gz``, archives inside folders and archives.

Gives one `Item` a file, in a stable order, with the path inside the evidence and a guess at the
host from where it lies (`kitlib.layouts`). What a file is, is decided by its content, here only
for archives (`kitlib.archives`).

The evidence is never written to and links in it are never followed. Members of archives are
streamed to numbered files in a spool folder elsewhere, never under their own names, and within
limits: count, size, growth, depth. What is refused is an `Item` with the reason in ``refused``,
so that it shows up as a row of `problems`. Paths are for reading: what does not show in them
(control and direction marks, bytes that are no text) is written as an escape.

Nothing here knows the insides of logs and dumps.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from typing import IO, TYPE_CHECKING, Final

from kitlib.archives import BROKEN, Member, Remark, kind_of, members
from kitlib.errors import UsageError
from kitlib.inert import inert
from kitlib.layouts import host_of_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    changed_ns
        When it was last changed (ns since 1970) as it was listed, to see whether it still is the
        same when it is read; 0 for members of archives.
    """

    path: str
    host: str
    file: Path
    size: int
    archive: bool = False
    spooled: bool = False
    refused: str = ""
    remark: str = ""
    changed_ns: int = 0


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
    single = root.is_file()
    for item in listing(root):
        yield from unpacker.unfold(item, inner="" if single else item.path)


def listing(root: Path) -> Iterator[Item]:
    """List the files on disk under `root`, in order of path, without opening any.

    Raises
    ------
    kitlib.errors.UsageError
        `root` does not exist.
    """
    if root.is_file():
        file = root.resolve()  # a link that the user names is followed
        yield _found(_shown(root.name), "", file, file.stat())
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
            yield _found(_inside(root, place), root.name, place, info)
        else:
            yield _refusal(root, place, "neither a file nor a folder: not opened")


def _found(path: str, root: str, file: Path, info: os.stat_result) -> Item:
    host = host_of_path(path, root)
    return Item(path=path, host=host, file=file, size=info.st_size, changed_ns=info.st_mtime_ns)


def _is_link(info: os.stat_result) -> bool:
    """Tell symbolic links and the junctions of Windows, which look like folders and may loop."""
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    tag = getattr(info, "st_reparse_tag", None)
    return stat.S_ISLNK(info.st_mode) or (tag is not None and tag == junction)


def _inside(root: Path, place: Path) -> str:
    return _shown(place.relative_to(root).as_posix())


def _shown(path: str) -> str:
    """Return a path as text to show: bytes that are no UTF-8 and unseen characters as escapes."""
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, which Windows allows in names
        raw = path.encode("utf-8", "backslashreplace")
    return inert(raw.decode("utf-8", "backslashreplace"), keep="")


def _refusal(root: Path, place: Path, reason: str) -> Item:
    path = _inside(root, place)
    host = host_of_path(path, root.name)
    return Item(path=path, host=host, file=place, size=0, refused=reason)


def open_regular(file: Path) -> IO[bytes]:
    """Open a file that was listed, if it still is one.

    Raises
    ------
    OSError
        It cannot be opened, or a link, pipe or device has come into its place; a pipe would
        never end, a link might lead outside.
    """
    names = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")  # not every system has them
    flags = os.O_RDONLY | sum(getattr(os, name, 0) for name in names)
    stream = open(os.open(file, flags), "rb")  # noqa: SIM115, PTH123  # handed on; flags are needed
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    raise OSError(None, "it is no longer a file")


# ---------------------------------------------------------------------------- archives


class _RefusedError(Exception):
    """A member is not to be read; the message says why."""


class _StoppedError(Exception):
    """An archive is not to be read any further; the message says why."""


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
        if not kind:
            yield item
        elif len(self._ceilings) > self._limits.depth:
            yield replace(item, archive=True, refused="archives nested too deep: not opened")
        else:
            room = max(self._limits.ratio_from, item.size * self._limits.ratio)
            self._ceilings.append(min(self._ceilings[-1], self._bytes + room))
            remarks = [item.remark] if item.remark else []
            try:
                yield from self._members_of(item, kind, inner, remarks)
            finally:
                self._ceilings.pop()
            yield replace(item, archive=True, remark=" / ".join(remarks))

    def _members_of(self, item: Item, kind: str, inner: str, remarks: list[str]) -> Iterator[Item]:
        """Give the members; add to `remarks` what kept the rest from being given."""
        names, path = _Names(), inner
        try:
            with (
                open_regular(item.file) as stream,
                closing(members(stream, kind, name=item.path)) as found,
            ):
                for member in found:
                    if isinstance(member, Remark):
                        remarks.append(member.text)
                        continue
                    if self._members >= self._limits.members:
                        remarks.append(
                            f"more than {self._limits.members} files: the rest was not read"
                        )
                        return
                    self._members += 1
                    path = _join(inner, names.unique(_clean(member.name)))
                    yield from self.unfold(self._fetch(member, path), inner=path)
        except _StoppedError as stop:
            remarks.append(f"{stop}: the rest, from {path} on, was not read")
        except BROKEN as error:
            remarks.append(f"the archive is damaged ({_words(error)}): what follows was not read")

    def _fetch(self, member: Member, path: str) -> Item:
        """Stream one member into the spool, or say why not."""
        place = self._spool / f"{next(self._numbers):07d}"
        host = host_of_path(path, self._root)
        why = member.refused or _outside(member.name)
        item = Item(path=path, host=host, file=place, size=0, spooled=True, refused=why)
        if item.refused:
            return item
        try:
            with closing(member.blocks()) as source, place.open("wb") as target:
                remark = self._copy(source, target)
        except _StoppedError:
            place.unlink(missing_ok=True)
            raise
        except _RefusedError as refusal:
            place.unlink(missing_ok=True)
            return replace(item, refused=f"{refusal}: not read")
        except BROKEN as error:
            place.unlink(missing_ok=True)
            return replace(item, refused=f"it cannot be unpacked ({_words(error)})")
        return replace(item, size=place.stat().st_size, remark=remark)

    def _copy(self, source: Iterator[bytes], target: IO[bytes]) -> str:
        """Copy within the limits; what a damaged member still gives is kept, with a remark."""
        size = 0
        while True:
            try:
                block = next(source, b"")
            except BROKEN as error:
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


def archive_kind(file: Path) -> str:
    """Tell by content whether a file is one of `kitlib.archives.KINDS`; else empty."""
    try:
        with open_regular(file) as stream:
            return kind_of(stream)
    except OSError:
        return ""


def _words(error: BaseException) -> str:
    return inert(str(error) or type(error).__name__)[:200]


def _outside(name: str) -> str:
    """Say why a member of this name is not read, or nothing.

    None is written under its own name, so it could do no harm; but it is no file of a collection.
    """
    slashed = name.replace("\\", "/")
    climbs = (
        slashed.startswith("/")
        or re.match(r"[A-Za-z]:", slashed) is not None
        or ".." in slashed.split("/")
    )
    return "its name points outside the archive: not read" if climbs else ""


_LONGEST_NAME: Final = 1024


def _clean(name: str) -> str:
    """Give a member's name with ``/``, fit to be shown; some tools store Windows' separators."""
    slashed = name.replace("\\", "/").replace("\0", "")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    shown = _shown("/".join(parts)) or "(no name)"
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}..."


class _Names:
    """Names given in one archive; a name that comes again gets a number."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, path: str) -> str:
        """Return the path, or one that was not given before."""
        name, number = path, self._next.get(path, 2)
        while name in self._seen:
            name, number = f"{path} ({number})", number + 1
        self._seen.add(name)
        self._next[path] = number
        return name


def _join(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path
