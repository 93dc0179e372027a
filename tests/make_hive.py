"""A writer of registry hives for tests: as much of the format as the kit's reader looks at.

Written from the public descriptions of the format and held against two independent readers in
`test_readers_registry.py`. A tree is a nested `Node`; lists of subkeys are written as ``lf``,
``lh``, ``li`` or as an ``ri`` of several, values inline where they fit.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

NONE = 0xFFFFFFFF
WRITTEN = 132_867_648_000_000_000  # 2022-01-16T00:00:00Z
SZ, EXPAND_SZ, BINARY, DWORD, MULTI_SZ, QWORD = 1, 2, 3, 4, 7, 11


@dataclass
class Node:
    """A key: its values as (type, data) or plain str and int, its subkeys by name."""

    values: dict[str, object] = field(default_factory=dict)
    keys: dict[str, Node] = field(default_factory=dict)
    written: int = WRITTEN


def tree(paths: dict[str, dict[str, object]], *, written: int = WRITTEN) -> Node:
    """Build a tree from values by path, ``Microsoft\\Windows``; the path "" is the root."""
    top = Node(written=written)
    for path, values in paths.items():
        node = top
        for part in filter(None, path.split("\\")):
            node = node.keys.setdefault(part, Node(written=written))
        node.values |= values
    return top


class _Cells:
    """Cells of one growing bin, each at a multiple of 8."""

    def __init__(self) -> None:
        self.data = bytearray(32)

    def add(self, content: bytes) -> int:
        at = len(self.data)
        size = (len(content) + 4 + 7) // 8 * 8
        self.data += struct.pack("<i", -size) + content.ljust(size - 4, b"\0")
        return at

    def patch(self, at: int, content: bytes) -> None:
        self.data[at + 4 : at + 4 + len(content)] = content


def write(
    top: Node,
    *,
    name: str = r"\SystemRoot\System32\Config\SOFTWARE",
    dirty: bool = False,
    lists: str = "lh",
    file_type: int = 0,
) -> bytes:
    """Write a hive.

    `lists` is the kind of the lists of subkeys; "ri" cuts them into leaves of three keys.
    """
    cells = _Cells()
    root = _key(cells, "ROOT", top, NONE, 0, lists)
    size = (len(cells.data) + 4095) // 4096 * 4096
    rest = size - len(cells.data)
    if rest:
        cells.data += struct.pack("<i", rest).ljust(rest, b"\0")
    cells.data[:32] = struct.pack("<4sIIIIQI", b"hbin", 0, size, 0, 0, top.written, 0)
    return _header(root, size, name, top.written, dirty=dirty, file_type=file_type) + cells.data


def _header(root, size, name, written, *, dirty, file_type) -> bytes:
    head = bytearray(4096)
    head[:48] = struct.pack(
        "<4sIIQIIIIIII", b"regf", 7, 6 if dirty else 7, written, 1, 5, file_type, 1, root, size, 1
    )
    path = name[-31:].encode("utf-16-le")
    head[48 : 48 + len(path)] = path
    return bytes(seal(head))


def seal(head: bytearray) -> bytearray:
    """Put the right checksum into a header."""
    total = 0
    for number in struct.unpack_from("<127I", head):
        total ^= number
    head[508:512] = struct.pack("<I", {0: 1, NONE: NONE - 1}.get(total, total))
    return head


def _security(cells: _Cells) -> int:
    owner = struct.pack("<BB6sI", 1, 1, b"\0\0\0\0\0\5", 18)  # the local system
    descriptor = struct.pack("<BBHIIII", 1, 0, 0x8000, 20, 20 + len(owner), 0, 0) + 2 * owner
    at = len(cells.data)
    return cells.add(struct.pack("<2sHIIII", b"sk", 0, at, at, 1, len(descriptor)) + descriptor)


def _key(cells, name, node, parent, security, lists) -> int:
    plain, raw = _name(name)
    flags = (0x20 if plain else 0) | (0x0C if parent == NONE else 0)
    at = cells.add(b"\0" * 76 + raw)  # the root is the first cell, as in real hives
    security = security or _security(cells)
    below = [
        (key, _key(cells, key, child, at, security, lists))
        for key, child in sorted(node.keys.items(), key=lambda item: item[0].upper())
    ]
    longest = max((2 * len(key) for key in node.keys), default=0)
    values = [_value(cells, key, data) for key, data in node.values.items()]
    fields = [
        *(b"nk", flags, node.written, 0, parent, len(below), 0),
        *(_list(cells, below, lists) if below else NONE, NONE, len(values)),
        *(cells.add(struct.pack(f"<{len(values)}I", *values)) if values else NONE, security, NONE),
        *(longest, 0, 64, 64, 0, len(raw), 0),
    ]
    cells.patch(at, struct.pack("<2sHQ15IHH", *fields))
    return at


def _list(cells: _Cells, below: list[tuple[str, int]], kind: str) -> int:
    if kind == "ri":
        parts = [below[n : n + 3] for n in range(0, len(below), 3)]
        places = [_list(cells, part, "lh") for part in parts]
        return cells.add(struct.pack(f"<2sH{len(places)}I", b"ri", len(places), *places))
    content = struct.pack("<2sH", kind.encode(), len(below))
    for name, place in below:
        content += struct.pack("<I", place)
        if kind == "lf":
            content += name[:4].encode("latin-1", "replace").ljust(4, b"\0")
        elif kind == "lh":
            content += struct.pack("<I", _hash(name))
    return cells.add(content)


def _hash(name: str) -> int:
    total = 0
    for letter in name.upper():
        total = (total * 37 + ord(letter)) & NONE
    return total


def _value(cells: _Cells, name: str, data: object) -> int:
    kind, raw = _data(data)
    plain, label = _name(name)
    if len(raw) <= 4:
        size, place = len(raw) | 0x80000000, struct.unpack("<I", raw.ljust(4, b"\0"))[0]
    else:
        size, place = len(raw), cells.add(raw)
    return cells.add(
        struct.pack("<2sHIIIHH", b"vk", len(label), size, place, kind, int(plain), 0) + label
    )


def _data(data: object) -> tuple[int, bytes]:
    if isinstance(data, str):
        return SZ, (data + "\0").encode("utf-16-le")
    if isinstance(data, int):
        return DWORD, struct.pack("<I", data & NONE)
    kind, raw = data
    return kind, raw


def _name(name: str) -> tuple[bool, bytes]:
    try:
        return True, name.encode("latin-1")
    except UnicodeEncodeError:
        return False, name.encode("utf-16-le")
