"""A note is one record to be: what kind, when, with which payload; not yet bytes.

`events` and `background` write notes; `logs` sorts them, gives them record ids and turns them into
`Event`s by the shapes of ``shapes.toml``. A record's place in the log and its time are two things:
at boot Windows writes kernel records with earlier times after the event log service's own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from kitlib.simulate.declared import build
from kitlib.simulate.evtx import Typed, UserData, Value

if TYPE_CHECKING:
    from datetime import datetime

Payload = Mapping[str, Value] | Sequence[str] | UserData


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The ``<System>`` part of a kind of record; see the head of ``shapes.toml``."""

    log: str
    provider: str
    id: int
    guid: str = ""
    source: str = ""
    qualifiers: int | None = None
    version: int | None = None
    level: int = 4
    task: int = 0
    opcode: int | None = None
    keywords: int = 0x8000000000000000
    pid: str = ""
    sid: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One record to be.

    Attributes
    ----------
    kind
        A table of ``shapes.toml``.
    time
        `TimeCreated`, UTC.
    data
        Named fields, unnamed strings or user data.
    binary
        ``<Binary>`` of classic records.
    activity
        Correlation id.
    place
        When the record is written, where that differs from `time`.
    attempt
        Index of the attempt the record ends or belongs to, -1 for none.
    """

    kind: str
    time: datetime
    data: Payload = ()
    binary: bytes | None = None
    activity: str = ""
    place: datetime | None = None
    attempt: int = -1


@cache
def shapes() -> Mapping[str, Shape]:
    """Return all kinds of records by name."""
    path = Path(__file__).with_name("shapes.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType(
        {name: build(Shape, entry, f"{path.name}: {name}") for name, entry in table.items()}
    )


def u32(value: int) -> Typed:
    """Return an unsigned 32-bit field."""
    return Typed(kind="u32", value=value)
