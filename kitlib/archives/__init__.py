"""Archives: which kind a file is by its content, and its members one after the other.

==========  ================================================================================
kind        how far it is read
==========  ================================================================================
zip         by its directory; where that is missing or broken, by the headers in front of the
            members, as far as they go (`kitlib.archives.zips`)
tar         also packed by gzip; read forward only, nothing is looked up
gz          one file
cab         stored or packed by MSZIP, which is what Windows' own ``makecab`` does; LZX and
            Quantum are not read and said to be so (`kitlib.archives.cabs`)
==========  ================================================================================

Members are given in the order of the archive and as blocks of bytes. Whoever takes them decides
how much is too much; here nothing is held but a block at a time, and nothing is written. Where
members lie and what they are is not known here.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Final

from kitlib.archives.cabs import cab_members
from kitlib.archives.member import BROKEN, Blocks, Member, Remark, blocks_of
from kitlib.archives.zips import is_document, zip_members

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["BROKEN", "KINDS", "Member", "Remark", "kind_of", "members"]

_HEAD: Final = 512
_TAR_HEADERS: Final = 16 << 20
"""Bytes of headers between two members; names and notes of real archives need a thousandth."""


def kind_of(stream: IO[bytes]) -> str:
    """Tell by content whether a file is one of `KINDS`; else empty.

    Zips that are documents or programs (`kitlib.archives.zips.is_document`) are not meant.
    """
    head = stream.read(_HEAD)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "" if is_document(stream) else "zip"
    if head[:3] == b"\x1f\x8b\x08":
        stream.seek(0)
        return "tar.gz" if _is_tar(_first_bytes(stream)) else "gz"
    if head[:8] == b"MSCF\0\0\0\0":
        return "cab"
    return "tar" if _is_tar(head) else ""


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _first_bytes(stream: IO[bytes]) -> bytes:
    try:
        with gzip.GzipFile(fileobj=stream) as unzipped:
            return unzipped.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return b""


def members(stream: IO[bytes], kind: str, *, name: str) -> Generator[Member | Remark]:
    """Give the members of an archive, and remarks about it as a whole.

    Parameters
    ----------
    stream
        The archive, open for reading; any position.
    kind
        One of `KINDS`.
    name
        The archive's own name, after which the one member of a ``.gz`` is called.

    Yields
    ------
    Member or Remark
        A member is to be taken, or left, before the next is asked for.

    Raises
    ------
    BROKEN
        Any of these, where the archive is damaged.
    """
    stream.seek(0)
    if kind == "zip":
        yield from zip_members(stream)
    elif kind == "cab":
        yield from cab_members(stream)
    elif kind == "gz":
        inner = PurePosixPath(name).name.removesuffix(".gz")
        yield Member(inner, lambda: blocks_of(gzip.GzipFile(fileobj=stream)))
    else:
        source = gzip.GzipFile(fileobj=stream) if kind == "tar.gz" else stream
        yield from _tar_members(_Metered(source))


class _Metered:
    """A stream that breaks off when more is read from it than was allowed.

    `tarfile` holds the notes in front of a member in memory, however long they claim to be.
    """

    def __init__(self, source: IO[bytes] | gzip.GzipFile) -> None:
        self._source = source
        self.left = 0

    def read(self, size: int) -> bytes:
        block = self._source.read(size)
        self.left -= len(block)
        if self.left < 0:
            raise tarfile.ReadError(f"more than {_TAR_HEADERS} bytes of headers")
        return block


def _tar_members(source: _Metered) -> Iterator[Member]:
    source.left = _TAR_HEADERS
    # "r|" reads forward only: each member is taken before the next is looked at.
    with tarfile.open(fileobj=source, mode="r|") as opened:  # type: ignore[call-overload]  # it asks for read() only
        for info in opened:
            # What is not taken of a member is read over on the way to the next.
            source.left = _TAR_HEADERS + max(0, info.size)
            if not info.isdir():
                why = "" if info.isfile() else "a link or device in an archive: not followed"
                yield Member(info.name, _taken(opened, info), why)


def _taken(opened: tarfile.TarFile, info: tarfile.TarInfo) -> Blocks:
    def blocks() -> Generator[bytes]:
        stream = opened.extractfile(info)
        if stream is None:
            raise tarfile.ReadError("it has no content")
        return blocks_of(stream)

    return blocks


KINDS: Final = ("zip", "tar", "tar.gz", "gz", "cab")
"""Archives that can be read."""
