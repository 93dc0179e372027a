"""From a block of chunks to rows of table `events`: the order of the steps.

Records are found (`block`), their outer instances read (`instances`), channel, provider and
event id of all of them (`system`). With these it is known which events are asked for; only of
those are the other columns made, and only their payload is read (`payloads`).

What is left over is said, never dropped: the chunks that are not plain, and the records that this
room does not cover.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib.readers.binxml.block import SHIFT, Block, Mask, Records, plain_records
from kitlib.readers.binxml.definitions import Definitions
from kitlib.readers.binxml.instances import instances
from kitlib.readers.binxml.layout import RECORD_BODY, RECORD_TAIL
from kitlib.readers.binxml.payloads import Recipes, payloads
from kitlib.readers.binxml.system import Events, Numbers, Sources, Texts
from kitlib.readers.binxml.table import Batch

if TYPE_CHECKING:
    from kitlib.readers.binxml.searching import Search
    from kitlib.readers.payload import Wanted


_FIRST_NUMBER: Final = 8
_NUMBERS_OF: Final = struct.Struct("<QQ")


@dataclass(eq=False)
class Memory:
    """What is known of templates; kept from block to block, and from file to file."""

    definitions: Definitions = field(default_factory=Definitions)
    sources: Sources = field(default_factory=Sources)
    recipes: Recipes = field(default_factory=Recipes)


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a block gave.

    Attributes
    ----------
    rows
        Rows of table `events`, without ``path``, in the order of the block.
    records
        The records of these rows.
    odd
        Records of plain chunks that are left to the engines, whether asked for or not.
    plain
        For each chunk whether it is plain; nothing was read of the others.
    """

    rows: Batch
    records: Records
    odd: Records
    plain: Mask

    @cached_property
    def left(self) -> dict[int, frozenset[int]]:
        """The places of the records that are left to the engines, by chunk."""
        chunks, starts = self.odd.chunk, self.odd.start
        return {c: frozenset(starts[chunks == c].tolist()) for c in np.unique(chunks).tolist()}

    def numbers(self, block: Block, chunk: int) -> tuple[int, int]:
        """Return the first and last record number in a chunk's header."""
        first, last = _NUMBERS_OF.unpack_from(block.raw, (chunk << SHIFT) + _FIRST_NUMBER)
        return first, last


class _Kept(threading.local):
    """What this thread knows of templates: most logs have the same ones."""

    def __init__(self) -> None:
        self.memory = Memory()


_KEPT: Final = _Kept()
_MOST_TEMPLATES: Final = 2048


def memory() -> Memory:
    """Return what this thread knows of templates; it starts anew when that is too much.

    It saves time and decides nothing: a definition is looked at byte by byte, whoever knows it.
    """
    if len(_KEPT.memory.definitions.templates) > _MOST_TEMPLATES:
        _KEPT.memory = Memory()
    return _KEPT.memory


def decode(
    block: Block,
    memory: Memory,
    *,
    wanted: Wanted | None = None,
    search: Search | None = None,
    payload: bool = True,
) -> Decoded:
    """Read a block by columns.

    Parameters
    ----------
    block
        Some chunks.
    memory
        What is known of templates; it is added to.
    wanted
        Which events are asked for. Default: all.
    search
        Finds the chunks that may have them. Of the records of the others not even those that
        cannot be read are told.
    payload
        Whether to make ``data``; else it is None in each row.
    """
    records, plain = plain_records(block)
    if search is not None and (holders := search.holders(block)) is not None:
        records = records.take(holders[records.chunk])
    rows, events, odd = read_records(block, memory, records, wanted=wanted, payload=payload)
    return Decoded(rows=rows, records=events.records, odd=_joined(odd), plain=plain)


def read_records(  # noqa: PLR0913  # three have defaults, and are asked for by name
    block: Block,
    memory: Memory,
    records: Records,
    *,
    wanted: Wanted | None = None,
    payload: bool = True,
    stale: bool = False,
) -> tuple[Batch, Events, list[Records]]:
    """Read records of a block by columns; see `decode`.

    Parameters
    ----------
    block, memory, wanted, payload
        As for `decode`.
    records
        Where they are.
    stale
        Whether the definitions that they name may be overwritten, see `instances.instances`.

    Returns
    -------
    rows, events, odd
        The rows, the events they are of, and the records that are left.
    """
    events = _events(block, memory, records, stale=stale)
    odd: list[Records] = []
    events = _sorted_out(events, odd)
    if wanted is not None:
        events = _asked(events, wanted, odd)
    columns = _columns(events)
    data = np.full(len(events), None, object)
    if payload:
        data = payloads(events, memory.definitions, memory.recipes, stale=stale)
    good = ~events.odd
    rows = Batch(columns, data)
    return rows if good.all() else rows.take(good), _sorted_out(events, odd), odd


def _sorted_out(events: Events, odd: list[Records]) -> Events:
    """Return the events that are not odd, and note those that are."""
    if not events.odd.any():
        return events
    odd.append(events.records.take(events.odd))
    return events.take(~events.odd)


def _events(block: Block, memory: Memory, records: Records, *, stale: bool) -> Events:
    """Read the outer instances of records."""
    outer = instances(
        block,
        memory.definitions,
        start=records.start + RECORD_BODY,
        end=records.end - RECORD_TAIL,
        stale=stale,
    )
    memory.sources.learn(memory.definitions.templates)
    odd = ~memory.sources.usual[outer.template]  # UNUSUAL is -1, the last one
    return Events(block, records, outer, memory.sources, odd, outer.lent.copy())


def _asked(events: Events, wanted: Wanted, odd: list[Records]) -> Events:
    """Return the events that are asked for; the number is looked at first, it costs least."""
    if wanted.event_ids is not None:
        number = events.numbers("event_id")
        events = events.take(events.odd | np.isin(number.whole, list(wanted.event_ids)))
        events = _sorted_out(events, odd)
    channel, provider = events.texts("channel"), events.texts("provider")
    number = events.numbers("event_id")
    pairs = channel.codes * len(provider.texts) + provider.codes
    pair_codes, _ = pd.factorize(pairs)
    id_codes, _ = pd.factorize(np.where(number.missing, -1, number.whole))
    codes, _values = pd.factorize(pair_codes * (len(id_codes) + 1) + id_codes)
    _, firsts = np.unique(codes, return_index=True)
    asked = [
        wanted(
            {
                "channel": channel.texts[channel.codes[first]],
                "provider": provider.texts[provider.codes[first]],
                "event_id": None if number.missing[first] else int(number.whole[first]),
            }
        )
        for first in firsts.tolist()
    ]
    keep = np.array(asked, bool)[codes] | events.odd
    return _sorted_out(events.take(keep), odd)


def _columns(events: Events) -> dict[str, Numbers | Texts]:
    """Make all columns but ``data`` and ``path``."""
    record_id = events.numbers("record_id")
    number = events.records.number
    told = record_id.missing & (number < np.uint64(2**63))
    record_id.whole[told] = number[told].astype(np.int64)
    record_id.missing[told] = False
    return {
        "record_id": record_id,
        "time_created": events.times("time_created"),
        **{name: events.texts(name) for name in _TEXTS},
        **{name: events.numbers(name) for name in _NUMBERS},
    }


_TEXTS = ("channel", "provider", "host", "keywords", "user_id", "activity_id")
_NUMBERS = (
    "event_id",
    "version",
    "level",
    "task",
    "opcode",
    "process_id",
    "thread_id",
    "qualifiers",
)


def _joined(parts: list[Records]) -> Records:
    none = np.zeros(0, np.int64)
    parts = [*parts, Records(none, none, none, none.view(np.uint64), none.view(np.uint64))]
    return Records(
        *(np.concatenate([getattr(p, f) for p in parts]) for f in Records.__dataclass_fields__)
    )
