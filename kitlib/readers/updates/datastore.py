"""`DataStore.edb`: the history of the Windows Update agent, table ``tbHistory``, times in UTC.

It is what COM's ``QueryHistory`` gives, from the agent's own database, so it also has what was
tried and failed. Columns are known by name, since their numbers and number differ with the version
of Windows; what is missing is said.

Two public readers of this table disagree on ``Status``: for one 1 is success and 2 failure, for the
other 1 is installation and 2 removal. So a row is what both allow: with 1 an installation, with 2
and a failing code a failed one (a failed removal, which changes as little, cannot be told from it);
2 with a code of success is left open. Codes: HRESULT, negative is failure ([MS-ERREF] 2.1).

No real sample was at hand: columns and times rest on those readers and on the format description of
libyal, ``esedb-kb``. Windows 11 may keep its history elsewhere (``store.db``), which is not read.
"""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates import ese

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitlib.readers.updates.ese import Database, Rows

KIND: Final = "datastore_edb"
TABLE: Final = "tbHistory"
COLUMNS: Final = (
    "Date",
    "Title",
    "Status",
    "MappedResult",
    "UnmappedResult",
    "UpdateId",
    "ClientId",
)
"""The columns of the table that are read."""

RESULTS: Final[Mapping[int, str]] = {0x00240003: "succeeded_with_errors"}
"""Codes of success that say more (WU_S_UPDATE_ERROR); others that are not negative: succeeded."""

_INSTALLED, _REMOVED_OR_FAILED = 1, 2  # values of Status, see above
_GUID: Final = 16
_EPOCH: Final = pd.Timestamp("1899-12-30", tz="UTC")
_DAYS: Final = (32874, 73415)  # OLE dates of 1990-01-01 and 2101-01-01
_DAY_MS: Final = 86_400_000


def read(data: bytes) -> Parsed:
    """Read the update history of a `DataStore.edb`.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        `updates`, one row an entry, basis ``utc``; `problems` with what could not be read, or
        that it is the database of another program.

    Raises
    ------
    kitlib.errors.FormatError
        It has no usable header.
    """
    database = ese.open_database(data)
    table = ese.read_table(database, TABLE, wanted={name.lower() for name in COLUMNS})
    problems = Remarks()
    if not table.found:
        problems.append(_not_ours(database, table))
        return parsed(problems=problems)
    problems.extend(_state(database, table))
    named = [{name.lower(): value for name, value in row.items()} for row in table.rows]
    rows = [_row(row, f"entry {n}", problems) for n, row in enumerate(named, 1)]
    return parsed(updates=schema.frame("updates", rows), problems=problems)


def _not_ours(database: Database, table: Rows) -> dict[str, Any]:
    others = [name for name in table.tables if not name.startswith("MSys")]
    if others:
        shown = ", ".join("".join(filter(str.isprintable, name))[:40] for name in others[:3])
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        reason = f"an ESE database with the tables {shown}{more}: nothing of it is used"
        if not (table.lost_pages or table.lost_records):
            return {"reason": reason, "records_lost": 0}
        # A damaged catalog may have lost the table that is looked for, if the others are ours.
        ours = any(name.lower().startswith("tb") for name in others)
        return {"reason": f"{reason}; its catalog is damaged", "records_lost": None if ours else 0}
    size = f"{len(database.data)} bytes"
    return {"reason": f"an ESE database of {size} whose catalog cannot be read"}


def _state(database: Database, table: Rows) -> Iterator[dict[str, Any]]:
    known = {name.lower() for name in table.columns}
    missing = [name for name in COLUMNS if name.lower() not in known]
    if missing:
        reason = f"{TABLE} has no column {', '.join(missing)}: what they say is left open"
        yield {"reason": reason, "records_lost": 0}
    if not database.clean:
        reason = (
            "the database was not shut down cleanly: what was written last may stand in its logs "
            "(edb*.log) only, which are not replayed"
        )
        yield {"reason": reason, "records_lost": 0}
    if table.lost_pages:
        yield {"reason": f"{table.lost_pages} pages of the database cannot be read"}
    if table.lost_records:
        reason = f"{table.lost_records} records cannot be read"
        yield {"reason": reason, "records_lost": table.lost_records}
    if table.lost_values:
        reason = f"{table.lost_values} values cannot be read: they are left open"
        yield {"reason": reason, "records_lost": 0}
    if table.deleted:
        reason = f"{table.deleted} deleted entries of the history are left out"
        yield {"reason": reason, "records_lost": 0}
    if table.more:
        yield {"reason": f"more than {ese.MOST_RECORDS} entries: only the first are read"}


def _row(row: Mapping[str, object], place: str, problems: list[dict[str, Any]]) -> dict[str, Any]:
    when = _when(row.get("date"))
    if when is None:
        reason = "its date is missing or none: taken as unknown"
        problems.append({"place": place, "reason": reason, "records_lost": 0})
    operation, result, doubt = _outcome(row.get("status"), _code(row))
    if doubt:
        problems.append({"place": place, "reason": doubt, "records_lost": 0})
    code = _code(row)
    title = _text(row.get("title"))
    return {
        **(when or dates.UNKNOWN).cells(),
        "operation": operation,
        "result_code": result,
        "hresult": "" if code is None else f"0x{code & 0xFFFFFFFF:08x}",
        "title": title,
        "kb": text.kb_of(title),
        "update_id": _update_id(row.get("updateid")),
        "client_application_id": _text(row.get("clientid")),
        "source_kind": KIND,
    }


def _when(value: object) -> dates.When | None:
    """Read an OLE automation date; its double is good for less than a millisecond."""
    if not isinstance(value, float) or not math.isfinite(value):
        return None
    if not _DAYS[0] <= value < _DAYS[1]:
        return None
    milliseconds = round(value * _DAY_MS)
    return dates.instant((_EPOCH + pd.Timedelta(milliseconds, unit="ms")).as_unit("ns"))


def _code(row: Mapping[str, object]) -> int | None:
    """Return the HRESULT that COM gives, which is the mapped one."""
    found = row.get("mappedresult", row.get("unmappedresult"))
    return found if isinstance(found, int) else None


def _outcome(status: object, code: int | None) -> tuple[str, str, str]:
    """Return operation, result, and what is doubtful about them."""
    failed = code is not None and code < 0
    if status == _INSTALLED and code is not None:
        return "install", "failed" if failed else RESULTS.get(code, "succeeded"), ""
    if status == _REMOVED_OR_FAILED and failed:
        return "install", "failed", ""
    if code is None and status in (_INSTALLED, _REMOVED_OR_FAILED):
        return "install", "", f"status {status} without a code: its result is left open"
    said = "is missing" if status is None else f"{str(status)[:20]} with this code"
    return "", "", f"status {said}: what was done, and whether it succeeded, is left open"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _update_id(value: object) -> str:
    """Read the GUID that the id begins with; the revision stands behind it."""
    if not isinstance(value, bytes) or len(value) < _GUID or not any(value[:_GUID]):
        return ""
    return str(uuid.UUID(bytes_le=value[:_GUID]))
