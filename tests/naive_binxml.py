"""A slow, obvious decoder of binary XML: one record at a time, one token at a time.

It is the second oracle of the decoder by columns: written from the format's description, sharing
nothing with it but the rules that make a row of an element tree (`kitlib.readers.payload`). It
checks nothing and caches nothing: a damaged record raises whatever it raises.
"""

from __future__ import annotations

import struct
from datetime import datetime, timedelta

import numpy as np

from kitlib.readers.payload import Element, columns, payload, row

EPOCH = datetime(1601, 1, 1)
ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def decode(chunk, record):
    """Return the row of a record of a chunk; TimeCreated to 100 ns as the event has it."""
    root, _ = fragment(chunk, record.offset + 24, None)
    (event,) = [part for part in root if isinstance(part, Element)]
    system = [e for part in event.children if part.name == "System" for e in part.children]
    fields = columns(system)
    data = payload(event.children)
    return row(fields, data, record_id=record.record_id, ticks=record.ticks)


def u16(chunk, at):
    return struct.unpack_from("<H", chunk, at)[0]


def u32(chunk, at):
    return struct.unpack_from("<I", chunk, at)[0]


def name(chunk, at):
    """Return the name an offset leads to, and where the next token is."""
    offset = u32(chunk, at)
    length = u16(chunk, offset + 6)
    text = chunk[offset + 8 : offset + 8 + 2 * length].decode("utf-16-le")
    return text, at + 4 + (10 + 2 * length if offset == at + 4 else 0)


def fragment(chunk, at, values):
    """Return what a fragment holds (elements and texts), and where it ends."""
    parts = []
    while True:
        token = chunk[at] & 0xBF
        if token == 0x00:
            return parts, at + 1
        if token == 0x0F:
            at += 4
        elif token == 0x0C:
            found, at = instance(chunk, at)
            parts += found
        elif token == 0x01:
            found, at = element(chunk, at, values)
            parts += found
        else:
            raise ValueError(f"token {token} in a fragment")


def instance(chunk, at):
    """Return what an instance of a template comes to, and where it ends."""
    definition = u32(chunk, at + 6)
    at += 10
    if definition == at:
        at += 24 + u32(chunk, at + 20)
    count = u32(chunk, at)
    described = [struct.unpack_from("<HBB", chunk, at + 4 + 4 * i) for i in range(count)]
    at += 4 + 4 * count
    values = []
    for size, kind, _ in described:
        values.append((kind, at, size))
        at += size
    parts, _ = fragment(chunk, definition + 24, values)
    return parts, at


def element(chunk, at, values):
    """Return an element (several where its only text is an array), and where it ends."""
    more = chunk[at] & 0x40
    title, at = name(chunk, at + (5 if values is None else 7))  # only templates have dependencies
    attributes = {}
    if more:
        end = at + 4 + u32(chunk, at)
        at += 4
        while at < end:
            key, at = name(chunk, at + 1)
            parts = []
            while at < end and chunk[at] & 0xBF != 0x06:
                found, at = piece(chunk, at, values)
                parts += found
            if text := joined(parts):
                attributes[key] = text
    parts = []
    if chunk[at] == 0x03:
        at += 1
    else:
        at += 1
        while chunk[at] != 0x04:
            if chunk[at] & 0xBF == 0x01:
                found, at = element(chunk, at, values)
            else:
                found, at = piece(chunk, at, values)
            parts += found
        at += 1
    if len(parts) == 1 and isinstance(parts[0], tuple):
        return [Element(title, attributes, text, []) for text in parts[0] or (None,)], at
    children = [part for part in parts if isinstance(part, Element)]
    text = joined([part for part in parts if not isinstance(part, Element)])
    return [Element(title, attributes, text, children)], at


def joined(parts):
    texts = [",".join(i or "" for i in p) if isinstance(p, tuple) else p for p in parts]
    texts = [text for text in texts if text is not None]
    return "".join(texts) if texts else None


def piece(chunk, at, values):
    """Return the parts that a value, a hole or a reference comes to, and where the next token is."""
    token = chunk[at] & 0xBF
    if token in {0x0D, 0x0E}:
        kind, place, size = values[u16(chunk, at + 1)]
        if kind == 0x21 and size:
            return fragment(chunk, place, None)[0], at + 4
        return [spelled(chunk[place : place + size], kind)], at + 4
    if token == 0x05:
        if chunk[at + 1] != 0x01:
            raise ValueError("a value that is no text")
        size = 2 * u16(chunk, at + 2)
        return [text16(chunk[at + 4 : at + 4 + size])], at + 4 + size
    if token == 0x07:
        size = 2 * u16(chunk, at + 1)
        return [text16(chunk[at + 3 : at + 3 + size])], at + 3 + size
    if token == 0x08:
        return [chr(u16(chunk, at + 1))], at + 3
    if token == 0x09:
        key, at = name(chunk, at + 1)
        return [ENTITIES[key]], at
    raise ValueError(f"token {token} in an element")


def text16(raw):
    return raw.decode("utf-16-le", "ignore").split("\0")[0]


def spelled(raw, kind):
    """Spell a value of each type."""
    if kind == 0x00 or (not raw and kind != 0x81):
        return None
    return SPELL[kind](raw)


def whole(layout):
    return lambda raw: str(struct.unpack(layout, raw)[0])


def ansi(raw):
    return "".join(bytes([b]).decode("cp1252", "ignore") or chr(b) for b in raw if b)


def real(layout, least, most):
    def spell(raw):
        (value,) = np.frombuffer(raw, layout)
        if not np.isfinite(value):
            return "NaN" if np.isnan(value) else str(value)
        digits, power = np.format_float_scientific(value, unique=True, trim="-").split("e")
        if value == 0 or least <= int(power) + 1 <= most:
            return np.format_float_positional(value, unique=True, trim="0")
        return f"{digits}e{int(power):+d}"

    return spell


def boolean(raw):
    (value,) = struct.unpack("<i", raw)
    return {0: "false", 1: "true"}.get(value, str(value))


def guid(raw):
    a, b, c = struct.unpack_from("<IHH", raw)
    return f"{a:08x}-{b:04x}-{c:04x}-{raw[8:10].hex()}-{raw[10:].hex()}"


def number(raw):
    return f"0x{int.from_bytes(raw, 'little'):x}"


def filetime(raw):
    moment = EPOCH + timedelta(microseconds=int.from_bytes(raw, "little") // 10)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def systemtime(raw):
    year, month, _, day, *clock, milli = struct.unpack("<8H", raw)
    moment = datetime(year, month, day, *clock, milli * 1000) if any(raw) else EPOCH
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sid(raw):
    parts = [raw[0], int.from_bytes(raw[2:8], "big"), *struct.unpack(f"<{raw[1]}I", raw[8:])]
    return "S-" + "-".join(map(str, parts))


def texts(raw):
    items = raw.decode("utf-16-le", "ignore").split("\0")
    return tuple(item or None for item in (items[:-1] if items[-1] == "" else items))


SPELL = {
    0x01: text16,
    0x02: ansi,
    **{kind: whole("<" + letter) for kind, letter in enumerate("bBhHiIqQ", 0x03)},
    0x0B: real("<f4", -5, 13),
    0x0C: real("<f8", -4, 16),
    0x0D: boolean,
    0x0E: lambda raw: raw.hex().upper(),
    0x0F: guid,
    **dict.fromkeys((0x10, 0x14, 0x15), number),
    0x11: filetime,
    0x12: systemtime,
    0x13: sid,
    0x81: texts,
}
