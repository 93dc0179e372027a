"""Compressed values of ESE databases: seven-bit text and plain LZ77, to a stated size and no further.

Libraries expand LZ77 for as long as it says, and a few bytes can say four gigabytes. XPRESS9 and
XPRESS10, which servers write, are not expanded.

Source: Microsoft, Extensible Storage Engine (published source, `compression.cxx`): the first byte
names the scheme; [MS-XCA] 2.4 for plain LZ77.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SEVEN_BIT: Final = (1, 2)  # as it is, and with a zero byte after each letter (UTF-16)
_XPRESS: Final = 3
_UNREAD: Final = (5, 6)  # XPRESS9, XPRESS10


def expand(raw: bytes, *, limit: int) -> bytes:
    """Expand a value.

    Parameters
    ----------
    raw
        As stored, with the byte that names the scheme.
    limit
        Bytes that it may become.

    Returns
    -------
    bytes
        A scheme that is none is no compression: then the value as it is.

    Raises
    ------
    ValueError
        It is damaged, or compressed in a way that is not read.
    """
    scheme = raw[0] >> 3 if raw else 0
    if scheme in _SEVEN_BIT:
        return _seven_bit(raw, wide=scheme == 2)[:limit]
    if scheme == _XPRESS:
        if len(raw) < 3:
            raise ValueError("compressed data without its size")
        return _xpress(raw[3:], size=min(int.from_bytes(raw[1:3], "little"), limit))
    if scheme in _UNREAD:
        raise ValueError(f"compression {scheme} is not read")
    return raw


def _seven_bit(raw: bytes, *, wide: bool) -> bytes:
    """Unpack letters of seven bits; the first byte tells how many bits of the last one count."""
    bits = (len(raw) - 2) * 8 + (raw[0] & 7) + 1
    out, store, held = bytearray(), 0, 0
    for byte in raw[1:]:
        store |= byte << held
        held += 8
        while held >= 7:
            out.append(store & 0x7F)
            if wide:
                out.append(0)
            store >>= 7
            held -= 7
    return bytes(out[: bits // 7 * (1 + wide)])


@dataclass(slots=True)
class _Bytes:
    """A cursor over compressed bytes, with the byte whose halves two lengths share."""

    data: bytes
    at: int = 0
    half: int = -1

    def take(self, size: int) -> int:
        """Read a little-endian number; beyond the end is damage."""
        if self.at + size > len(self.data):
            raise ValueError("compressed data that is cut off")
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "little")

    def nibble(self) -> int:
        """Read four bits: the low half of a new byte, or the high half of the last one."""
        if self.half < 0:
            self.half = self.at
            return self.take(1) & 15
        at, self.half = self.half, -1
        return self.data[at] >> 4


def _xpress(data: bytes, *, size: int) -> bytes:
    source, out = _Bytes(data), bytearray()
    flags, left = 0, 0
    while len(out) < size:
        if not left:
            flags, left = source.take(4), 32
        left -= 1
        if not flags >> left & 1:
            out.append(source.take(1))
            continue
        distance, length = divmod(source.take(2), 8)
        length = min(_length(source, length), size - len(out))
        start = len(out) - distance - 1
        if start < 0:
            raise ValueError("compressed data that points before its beginning")
        for at in range(start, start + length):
            out.append(out[at])
    return bytes(out)


def _length(source: _Bytes, length: int) -> int:
    """Read the length of a match: each size of number is used when the smaller one is full."""
    if length == 7:
        length = source.nibble()
        if length == 15:
            length = source.take(1)
            if length == 255:
                length = (source.take(2) or source.take(4)) - 15 - 7
                if length < 0:
                    raise ValueError("compressed data with a length that is none")
            length += 15
        length += 7
    return length + 3
