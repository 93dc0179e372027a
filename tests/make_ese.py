"""A writer of ESE databases for tests: header, catalog and tables of one or more pages.

Written from the public descriptions of the format and Microsoft's published source, and held
against two independent readers in `test_readers_datastore.py`. It writes what the kit's reader
meets: fixed, variable and tagged columns, branch pages, long values of their own, compressed texts,
small (4096, 8192) and large (16384, 32768) pages. No space trees, no indexes, no checksums.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import accumulate

SHORT, LONG, DATE, BINARY, TEXT, LONG_TEXT, GUID = 3, 4, 8, 9, 10, 12, 16
CLEAN, DIRTY = 3, 2
MAGIC = 0x89ABCDEF
CATALOG = 4
UNICODE = 1200

ROOT, LEAF, PARENT, LONG_VALUES, NEW_RECORDS = 0x1, 0x2, 0x4, 0x80, 0x800
DELETED = 0x2
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 4, 7: 8, 8: 8, 14: 4, 15: 8, 16: 16, 17: 2}
_TAGGED_LONG, _TAGGED_COMPRESSED, _TAGGED_SEPARATE = 0x1, 0x2, 0x4

# The catalog's own columns that every record of it has.
_FIXED_IN_CATALOG = (4, 2, 4, 4, 4, 4, 4)


@dataclass(frozen=True)
class Packed:
    """A tagged value stored compressed: the bytes as they stand in the file."""

    data: bytes


@dataclass(frozen=True)
class Apart:
    """A tagged value that is stored in the tree of long values."""

    data: bytes


@dataclass
class Table:
    """A table: columns as (name, id, type, size or 0) and rows by column name."""

    name: str
    columns: list[tuple[str, int, int, int]]
    rows: list[dict[str, object]]
    rows_per_page: int = 1000
    deleted: set[int] = field(default_factory=set)


def seven_bit(text: str) -> Packed:
    """Compress ASCII as ESE does: seven bits a character, the first byte says so."""
    number = sum((ord(letter) & 0x7F) << (7 * n) for n, letter in enumerate(text))
    bits = 7 * len(text)
    head = (2 << 3) | ((bits - 1) % 8)
    return Packed(bytes([head]) + number.to_bytes((bits + 7) // 8, "little"))


def xpress(raw: bytes, *, size: int | None = None, code: bytes | None = None) -> Packed:
    """Wrap a plain LZ77 stream (MS-XCA 2.4), by default one of literals only."""
    if code is None:
        blocks = [raw[n : n + 32] for n in range(0, len(raw), 32)]
        code = b"".join(struct.pack("<I", 0) + block for block in blocks)
    return Packed(struct.pack("<BH", 3 << 3, len(raw) if size is None else size) + code)


class _File:
    def __init__(self, page_size: int) -> None:
        self.page_size = page_size
        self.pages: dict[int, bytes] = {}
        self.next = 30

    def claim(self) -> int:
        self.next += 1
        return self.next - 1

    @property
    def large(self) -> bool:
        return self.page_size > 8192

    def put(self, number, nodes, *, flags, owner, before=0, after=0, first=b"", deleted=()) -> None:
        """Write one page: `nodes` are (key, data), `first` the value of tag 0."""
        head = 80 if self.large else 40
        values = [(first, 0)]
        for index, (key, data) in enumerate(nodes):
            values.append(
                (struct.pack("<H", len(key)) + key + data, DELETED if index in deleted else 0)
            )
        body, tags = b"", b""
        for plain, marks in values:
            offset, size, value = len(body), len(plain), plain
            if self.large and size >= 2:
                (word,) = struct.unpack_from("<H", plain)
                value = struct.pack("<H", word | marks << 13) + plain[2:]
            tags = struct.pack("<HH", size, offset | (0 if self.large else marks << 13)) + tags
            body += value
            if self.large:
                body += b"\0" * (-len(body) % 4)
        room = self.page_size - head - len(body) - len(tags)
        assert room >= 0, "the rows do not fit: fewer rows a page"
        page = struct.pack(
            "<QQIIIHHHHI",
            *(number, 0, before, after, owner, room, 0, len(body), len(values)),
            flags | NEW_RECORDS,
        )
        if self.large:
            page += struct.pack("<QQQQQ", 0, 0, 0, number, 0)[:40]
        self.pages[number] = page + body + b"\0" * room + tags

    def tree(self, root, nodes, *, owner, per_page=1000, flags=0, deleted=()) -> None:
        """Write a tree of one page, or of a root and leaves."""
        head = struct.pack("<IIII", 1, 1, 0, 0)
        if len(nodes) <= per_page:
            self.put(
                root, nodes, flags=flags | ROOT | LEAF, owner=owner, first=head, deleted=deleted
            )
            return
        parts = [range(n, min(n + per_page, len(nodes))) for n in range(0, len(nodes), per_page)]
        numbers = [self.claim() for _ in parts]
        branches = []
        for index, (part, number) in enumerate(zip(parts, numbers, strict=True)):
            self.put(
                number,
                [nodes[n] for n in part],
                flags=flags | LEAF,
                owner=owner,
                before=numbers[index - 1] if index else 0,
                after=numbers[index + 1] if index + 1 < len(parts) else 0,
                deleted=[n - part[0] for n in part if n in deleted],
            )
            last = b"" if index + 1 == len(parts) else nodes[part[-1] + 1][0]
            branches.append((last, struct.pack("<I", number)))
        self.put(root, branches, flags=flags | ROOT | PARENT, owner=owner, first=head)


def write(tables: list[Table], *, page_size: int = 4096, state: int = CLEAN) -> bytes:
    """Write a database."""
    file = _File(page_size)
    catalog = _Catalog(file)
    for objid, table in enumerate(tables, 10):
        root = file.claim()
        catalog.table(objid, table.name, root)
        for name, number, kind, size in table.columns:
            catalog.column(objid, name, number, kind, size)
        apart = [value for row in table.rows for value in row.values() if isinstance(value, Apart)]
        if apart:
            catalog.long_values(objid, _long_values(file, objid + 1000, apart))
        keys = {id(value): n for n, value in enumerate(apart, 1)}
        nodes = [
            (struct.pack(">BI", 0x7F, 0x80000000 + n), _record(file, table.columns, row, keys))
            for n, row in enumerate(table.rows)
        ]
        file.tree(root, nodes, owner=objid, per_page=table.rows_per_page, deleted=table.deleted)
    catalog.write()
    empty = b"\0" * page_size
    head = header(page_size, state)
    last = max(file.pages)
    return head + head + b"".join(file.pages.get(n, empty) for n in range(1, last + 1))


def header(page_size: int, state: int) -> bytes:
    """Write the header page, with its checksum."""
    head = bytearray(page_size)
    struct.pack_into("<III", head, 4, MAGIC, 0x620, 0)
    struct.pack_into("<I", head, 52, state)
    struct.pack_into("<II", head, 232, 0x14, page_size)
    total = MAGIC
    for number in struct.unpack_from(f"<{page_size // 4 - 1}I", head, 4):
        total ^= number
    struct.pack_into("<I", head, 0, total)
    return bytes(head)


class _Catalog:
    def __init__(self, file: _File) -> None:
        self.file = file
        self.nodes: list[tuple[bytes, bytes]] = []
        self.table(2, "MSysObjects", CATALOG)

    def _add(self, objid, kind, number, third, space, locale, name) -> None:
        fixed = [objid, kind, number, third, space, 0, locale]
        parts = [
            value.to_bytes(size, "little")
            for value, size in zip(fixed, _FIXED_IN_CATALOG, strict=True)
        ]
        raw = name.encode("ascii")
        key = struct.pack(">BIBHBI", 0x7F, objid, 0x7F, kind, 0x7F, number)
        self.nodes.append((key, _layout(parts, [raw], [])))

    def table(self, objid: int, name: str, root: int) -> None:
        self._add(objid, 1, objid, root, 80, 0, name)

    def column(self, objid: int, name: str, number: int, kind: int, size: int) -> None:
        space = size or _SIZES.get(kind, 0)
        locale = UNICODE if kind in (TEXT, LONG_TEXT) else 0
        self._add(objid, 2, number, kind, space, locale, name)

    def long_values(self, objid: int, root: int) -> None:
        self._add(objid, 4, objid + 1000, root, 80, 0, "LV")

    def write(self) -> None:
        nodes = sorted(self.nodes)
        self.file.tree(CATALOG, nodes, owner=2, per_page=20)


def _long_values(file: _File, owner: int, values: list[Apart]) -> int:
    root = file.claim()
    nodes = []
    for number, value in enumerate(values, 1):
        key = struct.pack(">I", number)
        nodes.append((key, struct.pack("<II", 1, len(value.data))))
        step = 1000
        nodes += [
            (key + struct.pack(">I", at), value.data[at : at + step])
            for at in range(0, len(value.data), step)
        ]
    file.tree(root, nodes, owner=owner, per_page=3, flags=LONG_VALUES)
    return root


def _record(file, columns, row, keys) -> bytes:
    fixed = [column for column in columns if column[1] < 128]
    variable = [column for column in columns if 128 <= column[1] < 256]
    tagged = [column for column in columns if column[1] >= 256 and row.get(column[0]) is not None]
    parts = [
        None
        if row.get(name) is None
        else _plain(row[name], kind).ljust(size or _SIZES[kind], b"\0")
        for name, _, kind, size in fixed
    ]
    widths = [size or _SIZES[kind] for _, _, kind, size in fixed]
    texts = [
        None if row.get(name) is None else _plain(row[name], kind) for name, _, kind, _ in variable
    ]
    marked = [(number, *_tagged(row[name], kind, keys)) for name, number, kind, _ in tagged]
    return _layout(parts, texts, marked, widths=widths, large=file.large)


def _plain(value: object, kind: int) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-16-le")
    if isinstance(value, float):
        return struct.pack("<d", value)
    assert isinstance(value, int)
    return (value & (1 << 8 * _SIZES[kind]) - 1).to_bytes(_SIZES[kind], "little")


def _tagged(value: object, kind: int, keys: dict[int, int]) -> tuple[int, bytes]:
    """Return the flags of a tagged value and its bytes."""
    if isinstance(value, Packed):
        return _TAGGED_LONG | _TAGGED_COMPRESSED, value.data
    if isinstance(value, Apart):
        return _TAGGED_LONG | _TAGGED_SEPARATE, struct.pack("<I", keys[id(value)])
    return _TAGGED_LONG if kind == LONG_TEXT else 0, _plain(value, kind)


def _layout(fixed, variable, tagged, *, widths=_FIXED_IN_CATALOG, large=False) -> bytes:
    """Lay a record out: fixed data, which of them are null, ends of variable data, tagged data."""
    data = b"".join(
        bytes(width) if part is None else part for part, width in zip(fixed, widths, strict=True)
    )
    nulls = sum(1 << n for n, part in enumerate(fixed) if part is None)
    bitmap = nulls.to_bytes((len(fixed) + 7) // 8, "little")
    head = struct.pack("<BBH", len(fixed), 127 + len(variable), 4 + len(data) + len(bitmap))
    ends = accumulate(0 if part is None else len(part) for part in variable)
    sizes = b"".join(
        struct.pack("<H", end | (0x8000 if part is None else 0))
        for end, part in zip(ends, variable, strict=True)
    )
    texts = b"".join(part or b"" for part in variable)
    return head + data + bitmap + sizes + texts + _tag_array(tagged, large=large)


def _tag_array(tagged, *, large) -> bytes:
    values = [bytes([flags]) + raw for _, flags, raw in tagged]
    at = 4 * len(values)
    entries = b""
    for (number, _, _), value in zip(tagged, values, strict=True):
        entries += struct.pack("<HH", number, at | (0 if large else 0x4000))
        at += len(value)
    return entries + b"".join(values)
