"""Binary XML as event logs hold it: typed values, templates, and the chunk that shares them.

A record is an instance of a template: the template holds the elements, the instance the values.
Inside one 64 KiB chunk every element name and every template stands once, at its first use, and
is referred to by its offset in the chunk from then on; two tables in the chunk's header find them
by hash. Because of these offsets a record that does not fit is written anew into the next chunk.

This module knows tokens, values, templates and chunks. It does not know what an event is, nor
the file around the chunks (`kitlib.simulate.evtx`).

Facts: "Windows XML Event Log (EVTX)" by J. Metz (libyal), MS-EVEN6 section 2.2.12. Measured on real
logs, because no document has them: the bucket of a template is the name hash of its GUID modulo
32, and of a name its hash modulo 64; a new entry points to the one that headed its bucket before.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final

from kitlib.errors import UsageError

CHUNK_SIZE: Final = 65536
CHUNK_HEADER: Final = 512
CHUNK_MAGIC: Final = b"ElfChnk\0"
RECORD_MAGIC: Final = b"**\0\0"
RECORD_HEADER: Final = 24
FRAGMENT: Final = b"\x0f\x01\x01\x00"
END: Final = b"\0"
EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
NO_RECORD: Final = 0xFFFFFFFFFFFFFFFF
NO_DEPENDENCY: Final = 0xFFFF

NULL: Final = 0x00
STRING: Final = 0x01
UINT8: Final = 0x04
UINT16: Final = 0x06
UINT32: Final = 0x08
UINT64: Final = 0x0A
BOOL: Final = 0x0D
BINARY: Final = 0x0E
GUID: Final = 0x0F
FILETIME: Final = 0x11
SID: Final = 0x13
HEX64: Final = 0x15
BINXML: Final = 0x21
STRINGS: Final = 0x81

_NAME_BUCKETS: Final = 64
_TEMPLATE_BUCKETS: Final = 32
_U32: Final = struct.Struct("<I")
_NAME: Final = struct.Struct("<IIHH")
_RECORD: Final = struct.Struct("<4sIQQ")
_HEADER: Final = struct.Struct("<8sQQQQIIII")


# ---- values ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Typed:
    """A value with its type in the record; use the constructors below (`u32`, `guid`, …)."""

    kind: str
    value: int | float | bytes | str


type_of_value = str | bool | None | Typed
