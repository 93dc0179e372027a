"""Columns of many blocks to one table `events`, each in its dtype at once.

Numbers become pandas' nullable integers, texts are looked up by their codes in Arrow, and neither is
a Python object on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kitlib import schema
from kitlib.readers.binxml.system import Numbers, Texts

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows as columns: those of `kitlib.readers.binxml.system`, and ``data`` as dicts or None."""

    columns: dict[str, Numbers | Texts]
    data: np.ndarray

    def __len__(self) -> int:
        return len(self.data)

    def take(self, which: np.ndarray | slice) -> Batch:
        """Return some of the rows."""
        columns = {name: taken(column, which) for name, column in self.columns.items()}
        return Batch(columns, self.data[which])

    def named(self, names: Sequence[str], codes: np.ndarray) -> Batch:
        """Return the rows with ``path``: the name of this number in each."""
        return Batch({**self.columns, "path": Texts(codes, list(names))}, self.data)


def taken(column: Numbers | Texts, which: np.ndarray | slice) -> Numbers | Texts:
    """Return some elements of a column."""
    if isinstance(column, Texts):
        return Texts(column.codes[which], column.texts)
    return Numbers(column.whole[which], column.missing[which])


def frame(batches: Sequence[Batch]) -> pd.DataFrame:
    """Make a table `events` of batches; columns that they do not have are empty.

    Parameters
    ----------
    batches
        At least one.
    """
    data = np.concatenate([batch.data for batch in batches])
    made: dict[str, Any] = {}
    for name, (dtype, _) in schema.TABLES["events"].items():
        parts: list[Any] = [b.columns[name] for b in batches if name in b.columns]
        if name == "data":
            made[name] = data
        elif not parts:
            made[name] = constant("", len(data))
        elif dtype == schema.TEXT:
            made[name] = _texts(parts)
        elif dtype == schema.TIME:
            made[name] = _times(*_numbers(parts))
        else:
            made[name] = pd.arrays.IntegerArray(*_numbers(parts))
    return schema.check("events", pd.DataFrame(made, copy=False))


def constant(text: str, rows: int) -> Any:  # noqa: ANN401  # an array of pandas
    """Return a column of one text."""
    return _texts([Texts(np.zeros(rows, np.int64), [text])])


def _texts(parts: Sequence[Texts]) -> Any:  # noqa: ANN401  # as above
    chunks = [pa.array(p.texts, pa.large_string()).take(pa.array(p.codes)) for p in parts]
    return pd.array(pa.chunked_array(chunks, pa.large_string()), dtype=schema.TEXT)


def _numbers(parts: Sequence[Numbers]) -> tuple[np.ndarray, np.ndarray]:
    if len(parts) == 1:
        return parts[0].whole, parts[0].missing
    return np.concatenate([p.whole for p in parts]), np.concatenate([p.missing for p in parts])


def _times(whole: np.ndarray, missing: np.ndarray) -> Any:  # noqa: ANN401  # as above
    ticks = np.where(missing, np.iinfo(np.int64).min, whole)  # what datetime64 means by "no time"
    return pd.Series(ticks.view("datetime64[ns]")).dt.tz_localize("UTC").array
