"""What a member of an archive is, whatever the archive, and how archives fail."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import gzip

BLOCK: Final = 1 << 20

BROKEN: Final = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    OverflowError,
    IndexError,
    RuntimeError,  # zipfile: a bad password, a method it does not know
)
"""What the standard library's readers of archives raise on damaged ones."""

Blocks: TypeAlias = Callable[[], Generator[bytes]]


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an archive before it is unfolded.

    Attributes
    ----------
    name
        As stored; may be anything.
    blocks
        Opens it and gives its content, at most `BLOCK` bytes at a time; may raise `BROKEN`.
    refused
        Why it is not to be opened, or empty.
    """

    name: str
    blocks: Blocks
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What is wrong with an archive although it, or a part of it, can be read."""

    text: str


def blocks_of(stream: IO[bytes] | gzip.GzipFile) -> Generator[bytes]:
    """Give the content of a stream block by block and close it."""
    with closing(stream):
        while block := stream.read(BLOCK):
            yield block
