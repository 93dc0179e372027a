"""Readers: one file format each, bytes in, rows out.

`READERS` is the registry. What a file is, ``sniffing.toml`` tells by its beginning; names and
extensions are never asked. A new format is one module with ``KIND`` and ``read``, a row of that
table, and one line here. A reader without a row brings a `sniff` of its own, and is asked where no
row fits.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from kitlib.errors import FormatError, UsageError
from kitlib.readers import evtx, sniffing
from kitlib.readers.base import HEAD_BYTES, Parsed, Problems, Reader, parsed
from kitlib.readers.events import event_exports
from kitlib.readers.gateway.gateway_logs import GATEWAYS
from kitlib.readers.sniffing import Head, tabled
from kitlib.readers.updates import com_dialects, com_history, hotfix, wmic
from kitlib.readers.updates.update_dialects import UPDATE_READERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

__all__ = [
    "HEAD_BYTES",
    "READERS",
    "Parsed",
    "Reader",
    "claims",
    "parsed",
    "read_updates",
    "reader_for",
    "sniff",
]


def _read_evtx(data: bytes) -> Parsed:
    return evtx.read(data)


READERS: Final[tuple[Reader, ...]] = (
    tabled(evtx.KIND, _read_evtx),
    *event_exports.READERS,
    *UPDATE_READERS,
    *com_dialects.READERS,
    tabled(com_history.KIND, com_history.read),
    tabled(wmic.KIND, wmic.read),
    tabled(hotfix.KIND, hotfix.read),
    *GATEWAYS,
)
"""Every format the kit reads."""

_BY_KIND: Final = {reader.kind: reader for reader in READERS}


def reader_for(head: bytes) -> Reader | None:
    """Return the reader for a file that begins with `head`, or None."""
    row = next(sniffing.claims(Head(head[:HEAD_BYTES])), None)
    if row is not None:
        return _BY_KIND[row.kind]
    return next((reader for reader in _untabled() if reader.sniff(head)), None)


def _untabled() -> Iterator[Reader]:
    tabled_kinds = {row.kind for row in sniffing.formats()}
    return (reader for reader in READERS if reader.kind not in tabled_kinds)


def claims(head: bytes) -> tuple[str, ...]:
    """Name every format that a file that begins with `head` could be; the first is taken.

    Examples
    --------
    >>> claims(b'[{"client_app_id": "", "result_code": "", "operation": ""}]')
    ('osquery_update_history', 'com_history_json')
    """
    others = (reader.kind for reader in _untabled() if reader.sniff(head))
    return (*(row.kind for row in sniffing.claims(Head(head[:HEAD_BYTES]))), *others)


def sniff(head: bytes) -> str:
    """Name the format of a file that begins with `head`; empty if the kit does not read it.

    Examples
    --------
    >>> sniff(b"Node,HotFixID,InstalledOn")
    'wmic_qfe'
    """
    reader = reader_for(head)
    return reader.kind if reader else ""


def read_updates(path: str | Path, *, host: str = "") -> pd.DataFrame:
    """Read one update-history dump of any kind the kit knows.

    Parameters
    ----------
    path
        A file: COM history as JSON, `Get-HotFix` or `wmic qfe` output. Recognised by content.
    host
        Used for rows that name no host themselves.

    Returns
    -------
    pandas.DataFrame
        Table `updates`; times UTC, each with its interval and basis.
        ``attrs["problems"]`` is the table `problems` of this file.

    Raises
    ------
    kitlib.errors.UsageError
        There is no such file.
    kitlib.errors.FormatError
        It is not an update history.

    Examples
    --------
    >>> read_updates("WS0001/update_history.json")  # doctest: +SKIP
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    data = file.read_bytes()
    reader = reader_for(data[:HEAD_BYTES])
    others = {row.kind for row in sniffing.formats() if row.holds != "update history"}
    if reader is None or reader.kind in others:
        found = f"it is {reader.kind}" if reader else "it is not a format the kit reads"
        raise FormatError(f"{file} is not an update history: {found}")
    rows = reader.read(data)
    updates = rows.updates.assign(
        path=file.name, host=rows.updates["host"].where(rows.updates["host"] != "", host)
    )
    updates.attrs["problems"] = Problems(rows.problems.assign(path=file.name))
    return updates
