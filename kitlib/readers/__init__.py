"""Readers: one file format each, bytes in, rows out.

`READERS` is the registry. The first reader whose `sniff` accepts the beginning of a file reads
it; names and extensions are never asked. A new format is one module with ``KIND``, ``sniff`` and
``read``, and one line here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from kitlib.errors import FormatError, UsageError
from kitlib.readers import com_history, event_exports, evtx, hotfix, wmic
from kitlib.readers.base import HEAD_BYTES, Parsed, Problems, Reader, parsed
from kitlib.readers.chunks import CHUNK_MAGIC, FILE_HEADER
from kitlib.readers.gateway_logs import GATEWAYS
from kitlib.readers.update_dialects import UPDATE_READERS

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "HEAD_BYTES",
    "READERS",
    "Parsed",
    "Reader",
    "parsed",
    "read_updates",
    "reader_for",
    "sniff",
]


def _is_evtx(head: bytes) -> bool:
    """Accept a log whose file header is damaged: the chunks behind it can still be read."""
    chunk_at = (0, FILE_HEADER)
    return evtx.sniff(head) or any(head[at:].startswith(CHUNK_MAGIC) for at in chunk_at)


def _read_evtx(data: bytes) -> Parsed:
    events = evtx.read_evtx_bytes(data, name="")
    return parsed(events=events, problems=events.attrs.pop("problems"))


READERS: Final[tuple[Reader, ...]] = (
    Reader(evtx.KIND, _is_evtx, _read_evtx),
    *event_exports.READERS,
    *UPDATE_READERS,
    Reader(com_history.KIND, com_history.sniff, com_history.read),
    Reader(wmic.KIND, wmic.sniff, wmic.read),
    Reader(hotfix.KIND, hotfix.sniff, hotfix.read),
    *GATEWAYS,
)
"""Every format the kit reads; first match wins."""

_EVENT_LOGS: Final = frozenset(
    {evtx.KIND, *(reader.kind for reader in (*event_exports.READERS, *GATEWAYS))}
)


def reader_for(head: bytes) -> Reader | None:
    """Return the reader for a file that begins with `head`, or None."""
    return next((reader for reader in READERS if reader.sniff(head)), None)


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
    if reader is None or reader.kind in _EVENT_LOGS:
        found = f"it is {reader.kind}" if reader else "it is not a format the kit reads"
        raise FormatError(f"{file} is not an update history: {found}")
    rows = reader.read(data)
    updates = rows.updates.assign(
        path=file.name, host=rows.updates["host"].where(rows.updates["host"] != "", host)
    )
    updates.attrs["problems"] = Problems(rows.problems.assign(path=file.name))
    return updates
