"""From a block of chunks to rows of table `events`: the order of the steps.

Records are found (`block`), their outer instances read (`instances`), channel, provider and
event id of all of them (`system`). With these it is known which events are asked for; only of
those are the other columns made, and only their payload is read (`payloads`).

What is left over is said, never dropped: the chunks that are not plain, and the records that this
room does not cover.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from kitlib import schema
from kitlib.readers.binxml.block import SHIFT, Block, Ints, Mask, Records, plain_records
from kitlib.readers.binxml.definitions import Definitions
from kitlib.readers.binxml.instances import instances
from kitlib.readers.binxml.layout import RECORD_BODY, RECORD_TAIL
from kitlib.readers.binxml.payloads import Recipes, payloads
from kitlib.readers.binxml.system import Events, Numbers, Sources, Texts
from kitlib.readers.binxml.templates import UNUSUAL

if TYPE_CHECKING:
    from kitlib.readers.payload import Wanted


_FIRST_NUMBER: Final = 8


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
    events
        Rows of table `events`, without ``path``, in the order of the block.
    records
        The records of these rows.
    odd
        Records of plain chunks that are left to the engines, whether asked for or not.
    plain
        For each chunk whether it is plain; nothing was read of the others.
    counted
        Records found in each plain chunk.
    """

    events: pd.DataFrame
    records: Records
    odd: Records
    plain: Mask
    counted: Ints

    def numbers(self, block: Block, chunk: int) -> tuple[int, int]:
        """Return the first and last record number in a chunk's header."""
        place = (chunk << SHIFT) + _FIRST_NUMBER
        return int(block.u64[place]), int(block.u64[place + 8])


def decode(
    block: Block, memory: Memory, *, wanted: Wanted | None = None, payload: bool = True
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
    payload
        Whether to make ``data``; else it is None in each row.
    """
    records, plain = plain_records(block)
    counted = np.bincount(records.chunk, minlength=block.chunks)
    events = _events(block, memory, records)
    odd = [events.take(events.odd).records]
    events = events.take(~events.odd)
    kind = _kinds(events)
    keep = ~events.odd if wanted is None else _asked(kind, wanted) & ~events.odd
    odd.append(events.take(events.odd).records)
    kept = events if keep.all() else events.take(keep)
    made = {name: _taken(column, keep) for name, column in kind.items()}
    made |= _rest(kept)
    data = np.full(len(kept.odd), None, object)
    if payload:
        data = payloads(kept, memory.definitions, memory.recipes)
    odd.append(kept.records.take(kept.odd))
    good = ~kept.odd
    made = {name: _taken(column, good) for name, column in made.items()}
    return Decoded(
        events=_frame(made, data[good]),
        records=kept.records.take(good),
        odd=_joined(odd),
        plain=plain,
        counted=counted,
    )


def _events(block: Block, memory: Memory, records: Records) -> Events:
    """Read the outer instances of records."""
    outer = instances(
        block,
        memory.definitions,
        start=records.start + RECORD_BODY,
        end=records.end - RECORD_TAIL,
    )
    memory.sources.learn(memory.definitions.templates)
    usual = np.array([*memory.sources.usual, False])  # UNUSUAL is the last one
    odd = (outer.template == UNUSUAL) | ~usual[outer.template]
    return Events(block, records, outer, memory.sources, odd)


Columns = dict[str, Numbers | Texts]


def _kinds(events: Events) -> dict[str, Any]:
    return {
        "channel": events.texts("channel"),
        "provider": events.texts("provider"),
        "event_id": events.numbers("event_id"),
    }


def _asked(kind: dict[str, Any], wanted: Wanted) -> Mask:
    """Tell which events are asked for; each kind of event is asked about once."""
    channel, provider, number = kind["channel"], kind["provider"], kind["event_id"]
    pairs = channel.codes * len(provider.texts) + provider.codes
    ids = np.where(number.missing, -1, number.whole)
    pair_codes, pair_values = pd.factorize(pairs)
    id_codes, id_values = pd.factorize(ids)
    codes, values = pd.factorize(pair_codes * max(len(id_values), 1) + id_codes)
    asked = [
        wanted(
            {
                "channel": channel.texts[pair_values[v // len(id_values)] // len(provider.texts)],
                "provider": provider.texts[pair_values[v // len(id_values)] % len(provider.texts)],
                "event_id": _known(int(id_values[v % len(id_values)])),
            }
        )
        for v in values.tolist()
    ]
    return np.array(asked, bool)[codes]


def _known(event_id: int) -> int | None:
    return None if event_id < 0 else event_id


def _rest(events: Events) -> Columns:
    """Make the other columns."""
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


_TEXTS = ("host", "keywords", "user_id", "activity_id")
_NUMBERS = ("version", "level", "task", "opcode", "process_id", "thread_id", "qualifiers")


def _taken(column: Numbers | Texts, which: Mask) -> Numbers | Texts:
    if which.all():
        return column
    if isinstance(column, Texts):
        return Texts(column.codes[which], column.texts)
    return Numbers(column.whole[which], column.missing[which])


def _joined(parts: list[Records]) -> Records:
    return Records(
        *(np.concatenate([getattr(p, f) for p in parts]) for f in Records.__dataclass_fields__)
    )


def _frame(columns: Columns, data: np.ndarray) -> pd.DataFrame:
    """Make rows of table `events`; ``path`` is left empty."""
    made: dict[str, pd.Series[Any]] = {}
    for name, (dtype, _) in schema.TABLES["events"].items():
        column = columns.get(name)
        if isinstance(column, Texts):
            made[name] = _text_series(column)
        elif isinstance(column, Numbers) and dtype == schema.TIME:
            made[name] = _time_series(column)
        elif isinstance(column, Numbers):
            made[name] = pd.Series(pd.arrays.IntegerArray(column.whole, column.missing))
        elif name == "data":
            made[name] = pd.Series(data, dtype=object)
        else:
            made[name] = constant("", len(data))
    return schema.check("events", pd.DataFrame(made))


def _text_series(column: Texts) -> pd.Series[Any]:
    texts = pa.array(column.texts, pa.large_string())
    taken = texts.take(pa.array(column.codes))
    return pd.Series(pd.array(taken, dtype=schema.TEXT))


def constant(text: str, rows: int) -> pd.Series[Any]:
    """Return a column of one text."""
    return _text_series(Texts(np.zeros(rows, np.int64), [text]))


def _time_series(column: Numbers) -> pd.Series[Any]:
    ticks = np.where(column.missing, np.iinfo(np.int64).min, column.whole)
    return pd.Series(ticks.view("datetime64[ns]")).dt.tz_localize("UTC")
