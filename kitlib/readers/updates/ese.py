"""ESE databases: the rows of one table, within bounds.

Pages, catalog records and the layout of records are read by dissect.database (Apache-2.0), which
was tested on real databases of many kinds. The walk over the pages, the texts and the limits are
here: the library follows a tree in circles, stops at the first page it cannot read, gives deleted
records as if they were there, and expands a few hostile bytes without end.

Read is what the file holds. A database that was not shut down cleanly lacks what stands in the
logs beside it (``edb.log``); they are not replayed, and `Database.clean` tells. Checksums of pages
are not checked, so flipped bits inside a text go unnoticed. Not read: values with several parts,
encrypted ones, and what `kitlib.readers.updates.inflate` does not expand.

Source: Microsoft, Extensible Storage Engine (published source).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from kitlib.errors import FormatError
from kitlib.readers.updates import inflate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

SIGNATURE: Final = b"\xef\xcd\xab\x89"
SIGNATURE_AT: Final = 4
MOST_RECORDS: Final = 20_000
"""Records of one table that are read; a history has some hundreds."""
LONGEST: Final = 1 << 20
"""Bytes of one value that are read."""

_PAGE_SIZES: Final = (2048, 4096, 8192, 16384, 32768)
_CLEAN: Final = 3
_CATALOG: Final = 4  # the page where the catalog begins
_TABLE, _COLUMN, _LONG_VALUES = 1, 2, 4  # types of catalog records
_DELETED: Final = 2  # flag of a node
_MOST_NODES: Final = 4 * MOST_RECORDS
_MOST_PARTS: Final = 2000
# Work on values in bytes: what the values of one table may cost together, and a page and a node.
_WORK, _PAGE_COST, _NODE_COST = 64_000_000, 200, 50
_UNICODE: Final = 1200
# By type of column; a date (8) is a double, days since 1899-12-30.
_NUMBERS: Final = {
    2: "<B",
    3: "<h",
    4: "<i",
    5: "<q",
    14: "<I",
    15: "<q",
    17: "<H",
    6: "<f",
    7: "<d",
    8: "<d",
}
_TEXTS: Final = (10, 12)
_COMPRESSED, _SEPARATED, _SEVERAL, _ENCRYPTED = 0x02, 0x04, 0x08, 0x40

Value = int | float | str | bytes | None
_T = TypeVar("_T")


class DamagedError(Exception):
    """A page, record or value of a database cannot be read."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database file and what its header says.

    Attributes
    ----------
    data
        The whole file.
    page_size
        In bytes.
    clean
        It was shut down cleanly: nothing stands in logs only.
    """

    data: bytes
    page_size: int
    clean: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table, and what of it could not be read.

    Attributes
    ----------
    found
        The table is in the catalog.
    columns
        Names of its columns, as written.
    rows
        Values by column name; what is null, or cannot be read, is left out.
    deleted
        Records that are marked as deleted; they are left out.
    lost_pages, lost_records, lost_values
        How many could not be read, of each.
    tables
        Names of all tables.
    more
        There are more records than are read.
    """

    found: bool
    columns: tuple[str, ...] = ()
    rows: tuple[dict[str, Value], ...] = ()
    deleted: int = 0
    lost_pages: int = 0
    lost_records: int = 0
    lost_values: int = 0
    tables: tuple[str, ...] = ()
    more: bool = False


def open_database(data: bytes) -> Database:
    """Read the header of a database.

    Raises
    ------
    kitlib.errors.FormatError
        It has no usable header.
    """
    if len(data) < 2048 or data[SIGNATURE_AT : SIGNATURE_AT + 4] != SIGNATURE:
        raise FormatError("an ESE database that is cut off in its header")
    (state,) = struct.unpack_from("<I", data, 52)
    (page_size,) = struct.unpack_from("<I", data, 236)
    page_size = page_size or 4096
    if page_size not in _PAGE_SIZES:
        raise FormatError(f"an ESE database whose header is damaged: pages of {page_size} bytes")
    return Database(data, page_size, state == _CLEAN)


def read_table(database: Database, name: str, *, wanted: Collection[str]) -> Rows:
    """Read a table.

    Parameters
    ----------
    database
        From `open_database`.
    name
        Of the table; case does not matter.
    wanted
        The columns to read, in lower case.

    Returns
    -------
    Rows
        Always; a database of which nothing can be read gives no tables and no rows.
    """
    tally = _Tally()
    pages = _Pages(database, work=2 * len(database.data))
    entries = _catalog(pages, tally)
    names = tuple(str(entry["Name"]) for entry in entries if entry["Type"] == _TABLE)
    table = next(
        (one for one in entries if one["Type"] == _TABLE and _same(one["Name"], name)), None
    )
    if table is None:
        return Rows(found=False, tables=names, lost_pages=tally.pages, lost_records=tally.records)
    own = [one for one in entries if one["ObjidTable"] == table["ObjidTable"]]
    tally = _Tally(pages=tally.pages, records=tally.records)
    roots = [int(one["ColtypOrPgnoFDP"] or 0) for one in own if one["Type"] == _LONG_VALUES]
    values = _Values(_Pages(database, work=_WORK), max(roots, default=0), frozenset(wanted))
    columns = _columns(own, tally)
    rows = _records(pages, table, columns, values, tally)
    return Rows(
        found=True,
        columns=tuple(str(one.name) for one in columns),
        rows=tuple(rows),
        deleted=tally.deleted,
        lost_pages=tally.pages,
        lost_records=tally.records,
        lost_values=tally.values,
        tables=names,
        more=tally.more,
    )


def _same(left: object, right: str) -> bool:
    return isinstance(left, str) and left.lower() == right.lower()


@dataclass(slots=True)
class _Tally:
    """Counts what cannot be read while a tree is walked."""

    pages: int = 0
    records: int = 0
    values: int = 0
    deleted: int = 0
    more: bool = False


def _tried(work: Callable[[], _T]) -> _T:
    try:
        return work()
    except Exception as error:  # library boundary: broken pages break its code in every way
        raise DamagedError(f"{type(error).__name__}: {error}") from error


# ---------------------------------------------------------------------------- pages and trees


class _Pages:
    """The pages of a database; to the library, the database that a page belongs to.

    Work is counted, so that hostile trees end.
    """

    impacket_compat = False

    def __init__(self, database: Database, *, work: int) -> None:
        self._data = database.data
        self._left = work
        self.page_size = database.page_size
        self.has_small_pages = database.page_size <= 8192

    def spend(self, work: int) -> None:
        """Count work, in bytes."""
        self._left -= work
        if self._left < 0:
            raise DamagedError("more work than any sound table makes")

    def page(self, number: int) -> Any:  # noqa: ANN401  # the library has no types
        """Return a page by its number; the header page and its copy stand before page 1."""
        from dissect.database.ese.page import Page  # noqa: PLC0415  # loaded when first needed

        start = (number + 1) * self.page_size
        if number < 1 or start + self.page_size > len(self._data):
            raise DamagedError(f"no page {number}")
        self.spend(_PAGE_COST)
        return Page(self, number, self._data[start : start + self.page_size])


def _nodes(pages: _Pages, root: int, tally: _Tally) -> Iterator[Any]:
    """Give the nodes of the leaves of a tree, in order; no page is looked at twice."""
    seen: set[int] = set()
    waiting, beyond, owner, looked = [root], 0, None, 0
    while True:
        if not waiting:
            # Behind the last leaf of the tree a database that is not clean may have further ones.
            if beyond < 1 or beyond in seen:
                return
            waiting.append(beyond)
        number = waiting.pop()
        try:
            page, nodes = _page(pages, number, seen, owner, tally)
        except DamagedError:
            tally.pages += 1
            continue
        owner = page.header.objidFDP
        looked += page.node_count
        if looked > _MOST_NODES:
            tally.more = True
            return
        if page.is_leaf:
            beyond = int(page.next_page)
            yield from nodes
        else:
            waiting.extend(int(node.child) for node in reversed(nodes))


def _page(
    pages: _Pages, number: int, seen: set[int], owner: int | None, tally: _Tally
) -> tuple[Any, list[Any]]:
    """Read a page of a tree that was not seen yet, and its nodes."""
    if number in seen:
        raise DamagedError("a tree that runs in a circle")
    seen.add(number)
    page = _tried(lambda: pages.page(number))
    if owner is not None and page.header.objidFDP != owner:
        raise DamagedError("a page of another tree")
    return page, list(_of_page(page, tally))


def _of_page(page: Any, tally: _Tally) -> Iterator[Any]:  # noqa: ANN401  # the library has no types
    for index in range(max(0, page.node_count)):
        try:
            node = _tried(lambda: page.node(index))  # noqa: B023  # called at once
        except DamagedError:
            tally.records += 1
            continue
        if int(node.tag.flags) & _DELETED:
            tally.deleted += page.is_leaf
        else:
            yield node


# ---------------------------------------------------------------------------- tables


def _catalog(pages: _Pages, tally: _Tally) -> list[dict[str, Any]]:
    """Read the catalog: what tables, columns and trees of long values there are."""
    from dissect.database.ese.record import Record  # noqa: PLC0415  # loaded when first needed
    from dissect.database.ese.table import Catalog, Table  # noqa: PLC0415  # as above

    names = ("ObjidTable", "Type", "Id", "ColtypOrPgnoFDP", "Name", "Flags")
    table = Table(pages, None, _CATALOG, columns=list(Catalog.CATALOG_COLUMNS))
    entries = []
    for count, node in enumerate(_nodes(pages, _CATALOG, tally)):
        if count >= MOST_RECORDS:
            break
        try:
            record = _tried(lambda: Record(table, node))  # noqa: B023  # called at once
            entry = {one: _tried(lambda: record.get(one)) for one in names}  # noqa: B023  # as above
        except DamagedError:
            tally.records += 1
            continue
        entries.append({**entry, "record": record})
    tally.deleted = 0  # those of the catalog are no records of the table
    return entries


def _records(
    pages: _Pages,
    entry: dict[str, Any],
    columns: list[Any],
    values: _Values,
    tally: _Tally,
) -> list[dict[str, Value]]:
    from dissect.database.ese.record import Record  # noqa: PLC0415  # loaded when first needed
    from dissect.database.ese.table import Table  # noqa: PLC0415  # as above

    rows: list[dict[str, Value]] = []
    try:
        table = _tried(lambda: Table(pages, entry["Name"], entry["ColtypOrPgnoFDP"], columns))
    except DamagedError:
        tally.pages += 1
        return rows
    kept = {
        one.name.lower(): (one, int(one.record.get("PagesOrLocale") or 0))
        for one in columns
        if one.name.lower() in values.wanted
    }
    for count, node in enumerate(_nodes(pages, int(entry["ColtypOrPgnoFDP"] or 0), tally)):
        if count >= MOST_RECORDS:
            tally.more = True
            break
        try:
            record = _tried(lambda: Record(table, node))  # noqa: B023  # called at once
        except DamagedError:
            tally.records += 1
            continue
        rows.append(_row(record, kept.values(), values, tally))
    return rows


def _columns(own: list[dict[str, Any]], tally: _Tally) -> list[Any]:
    """Make the library's columns, in the order of their numbers, which is that of the data."""
    from dissect.database.ese.c_ese import FIELDFLAG, JET_coltyp  # noqa: PLC0415  # as above
    from dissect.database.ese.table import Column  # noqa: PLC0415  # as above

    made = []
    for one in sorted(
        (one for one in own if one["Type"] == _COLUMN), key=lambda one: int(one["Id"] or 0)
    ):
        try:
            kind, flags = JET_coltyp(one["ColtypOrPgnoFDP"]), FIELDFLAG(one["Flags"] or 0)
            column = Column(one["Id"], one["Name"], kind, flags, record=one["record"])
            # What these lack shows up here and not in the middle of a record.
            _tried(lambda: (column.size, column.name.lower(), column.record.get("PagesOrLocale")))  # noqa: B023  # at once
        except (DamagedError, TypeError, ValueError):
            tally.records += 1
            continue
        made.append(column)
    return made


# ---------------------------------------------------------------------------- values


@dataclass(frozen=True, slots=True)
class _Values:
    """Which columns are read, and where values lie that have no place in their record.

    That is a tree of its own; its root is page 0 if there is none.
    """

    pages: _Pages
    root: int
    wanted: frozenset[str]

    def long(self, key: bytes) -> bytes:
        """Put a long value together from its parts."""
        from dissect.database.ese.btree import BTree  # noqa: PLC0415  # loaded when first needed
        from dissect.database.ese.exception import NoNeighbourPageError  # noqa: PLC0415  # as above

        prefix = key[::-1]
        tree = BTree(self.pages, self.pages.page(self.root))
        (size,) = struct.unpack_from("<4xI", tree.search(prefix).data)
        parts: list[tuple[int, bytes]] = []
        while size <= LONGEST and len(parts) < _MOST_PARTS:
            self.pages.spend(_NODE_COST)
            try:
                node = tree.next()
            except NoNeighbourPageError:
                break
            if not bytes(node.key).startswith(prefix):
                break
            (at,) = struct.unpack(">I", bytes(node.key)[-4:])
            parts.append((at, bytes(node.data)))
        return _joined(parts, size)


def _joined(parts: list[tuple[int, bytes]], size: int) -> bytes:
    """Join the parts; one that is shorter than its place is compressed."""
    ends = [at for at, _ in parts[1:]] + [size]
    whole = b"".join(
        part if len(part) == end - at else inflate.expand(part, limit=max(0, end - at))
        for (at, part), end in zip(parts, ends, strict=True)
    )
    if len(whole) != size:
        raise DamagedError("a long value that is not whole")
    return whole


def _row(
    record: Any,  # noqa: ANN401  # the library has no types
    columns: Iterable[tuple[Any, int]],
    values: _Values,
    tally: _Tally,
) -> dict[str, Value]:
    row: dict[str, Value] = {}
    for column, code_page in columns:
        try:
            value = _tried(lambda: _value(record, column, code_page, values))  # noqa: B023  # at once
        except DamagedError:
            tally.values += 1
            continue
        if value is not None:
            row[str(column.name)] = value
    return row


def _value(record: Any, column: Any, code_page: int, values: _Values) -> Value:  # noqa: ANN401  # as above
    raw, flags = _raw(record, column)
    if raw is None:
        return None
    if flags & (_SEVERAL | _ENCRYPTED):
        raise DamagedError("a kind of value that is not read")
    if flags & _SEPARATED:
        raw = values.long(raw)
    elif flags & _COMPRESSED:
        raw = inflate.expand(raw, limit=LONGEST)
    values.pages.spend(len(raw))
    return _plain(int(column.type), raw, code_page)


def _raw(record: Any, column: Any) -> tuple[bytes | None, int]:  # noqa: ANN401  # as above
    """Return the bytes of a value as they are stored, and the flags that say how."""
    if not column.is_tagged:
        raw = record.get(column.name, raw=True)
        return (None if raw is None else bytes(raw)), 0
    data = record._data  # noqa: SLF001  # the library decodes tagged values only without a limit
    index = data._find_tag_field_idx(column.identifier)  # noqa: SLF001  # as above
    if index is None or data._get_tag_field(index).is_null:  # noqa: SLF001  # as above
        return None, 0
    tag, raw = data._get_tagged(column)  # noqa: SLF001  # as above
    return bytes(raw), int(tag.flags)


def _plain(kind: int, raw: bytes, code_page: int) -> Value:
    if kind in _NUMBERS:
        (number,) = struct.unpack(_NUMBERS[kind], raw)
        return number  # type: ignore[no-any-return]  # int or float, by the format
    if kind in _TEXTS:
        encoding = "utf-16-le" if code_page == _UNICODE else "cp1252"
        return raw.decode(encoding, errors="replace").rstrip("\0")
    return raw
