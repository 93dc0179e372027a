"""Two independent decoders of a chunk's binary XML, each giving the same tree of elements.

``evtx`` (Rust) renders XML text; ``python-evtx`` is asked for its nodes, not for its XML.

Why XML from Rust and not JSON: the JSON hides a name that occurs twice behind made-up names
(``a``, ``a_1``, which may be real ones as well). The XML loses nothing, and its emitter is strict:
``& < > " '`` are escaped, control characters raw. An XML parser refuses those characters, so the
text is cut with one regular expression instead, which is also faster. Measured on five System and
Security logs (11,912 records, one core, records/s): Rust XML alone 519 k, Rust JSON 473 k, that JSON
parsed by orjson 233 k, rows as made here 39 k; rows from python-evtx 1.6 k, its own XML 0.2 k.

Why nodes from python-evtx: its XML is slow (the template is parsed again for every record),
rounds times to 1-2 us, turns string arrays into one escaped blob and fails on some characters.
Its nodes carry type and place of each value, so the values are read here from their bytes, in the
spelling that the Rust engine has (times cut to microseconds, text cut at the first NUL).

Neither engine's failures stop anything: a record that an engine refuses is just not given.
"""

from __future__ import annotations

import re
import struct
import warnings
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from sys import intern
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from kitlib.readers.chunks import Chunk, Record, bridged, one_chunk_file
from kitlib.readers.payload import (
    Element,
    Row,
    Wanted,
    add_field,
    canonical,
    columns,
    nanoseconds,
    payload,
    real,
    row,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SKIPPED: Final = object()
"""Stands for a record that was understood and is not asked for."""

Decoded = dict[Record, Row | object]
"""What an engine made of records; one that is not in it was refused."""

_TAG = re.compile(r'<(/?)([^\s<>/!?]+)((?: [^\s=<>]+="[^"]*")*)>([^<]*)')
_ATTRIBUTE = re.compile(r' ([^\s=<>]+)="([^"]*)"')
_ESCAPE = re.compile(r"&(?:#(\d+)|(amp|lt|gt|quot|apos));")
_FIELD = re.compile(r'<(Data|Binary)(?: Name="([^"]*)")?>([^<]*)</\1>')
_OWN = re.compile(
    r'<TimeCreated SystemTime="([^"&]+)"></TimeCreated><EventRecordID>(\d{1,18})</EventRecordID>'
)
_FLAT_BEGIN = "</System><EventData>"
_FLAT_END = "</EventData></Event>"
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_INSTRUCTION = re.compile(r"<\?[^>]*\?>")
_ESCAPED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


# --- evtx (Rust) ---------------------------------------------------------------------------


def decode_evtx(chunk: Chunk, records: tuple[Record, ...], wanted: Wanted | None) -> Decoded:
    """Return row or SKIPPED for each of `records` that the Rust engine can read."""
    from evtx import PyEvtxParser  # noqa: PLC0415  # heavy, and not needed by the other engine

    waiting: dict[int, list[Record]] = {}
    for record in reversed(records):
        waiting.setdefault(record.record_id, []).append(record)
    out: Decoded = {}
    with warnings.catch_warnings(), suppress(Exception):
        warnings.simplefilter("ignore")  # one warning a refused record: these are counted by us
        stream = BytesIO(one_chunk_file(bridged(chunk)))
        for item in PyEvtxParser(stream, skip_errors=True, indent=False).records():
            if item and (same := waiting.get(item["event_record_id"])):
                record = same.pop()
                with suppress(Exception):
                    out[record] = _evtx_row(item["data"], record, wanted)
    return out


def _evtx_row(xml: str, record: Record, wanted: Wanted | None) -> Row | object:
    end = xml.index("</System>")
    constant, own = _cut(xml[:end])
    fields: dict[str, Any] = {}
    for piece in constant:
        fields |= _piece(piece)
    if wanted is not None and not wanted(fields):
        return SKIPPED
    fields |= _own(own)
    data = _flat_payload(xml, end)
    if data is None:
        data = payload(parse_xml(xml).children)
    return row(fields, data, record_id=record.record_id, ticks=record.ticks)


def _cut(head: str) -> tuple[tuple[str, ...], str]:
    """Cut the System part into pieces that many records share, and the time and id of this one.

    The cuts are between elements, so another order of elements costs time, not truth.
    """
    time = head.find("<TimeCreated")
    after = head.find("<", head.find("</EventRecordID>", time) + 1)
    channel = head.find("<Channel>", after)
    if not 0 < time < after < channel:
        return (head,), ""
    return (head[channel:], head[after:channel], head[:time]), head[time:after]


@lru_cache(maxsize=8192)
def _piece(xml: str) -> dict[str, Any]:
    return columns(_flat(xml))


def _own(xml: str) -> dict[str, Any]:
    """Read a record's own time and id; the usual form of the two in one go."""
    found = _OWN.fullmatch(xml)
    if found is None:
        return columns(_flat(xml))
    return {"time_created": nanoseconds(found[1]), "record_id": int(found[2])}


def _flat(xml: str) -> Iterator[Element]:
    """Cut a piece of XML into elements without regard to nesting: System has none that counts."""
    for closing, name, attributes, text in _TAG.findall(xml):
        if not closing:
            yield Element(name, _attributes(attributes), _unescape(text), [])


def _flat_payload(xml: str, start: int) -> dict[str, Any] | None:
    """Read the usual payload, ``EventData`` with fields of text only; None if it is another."""
    if not xml.startswith(_FLAT_BEGIN, start) or not xml.endswith(_FLAT_END):
        return None
    body = xml[start + len(_FLAT_BEGIN) : -len(_FLAT_END)]
    fields = _FIELD.findall(body)
    if body.count("<") != 2 * len(fields):
        return None
    out: dict[str, Any] = {}
    for tag, name, text in fields:
        add_field(out, tag, _unescape(name), canonical(_unescape(text)))
    return out


def parse_xml(xml: str) -> Element:
    """Cut the Rust engine's XML into elements; broken nesting raises ``ValueError``."""
    xml = xml[xml.index("<Event") :]
    if "<!" in xml or "<?" in xml:
        xml = _INSTRUCTION.sub("", _CDATA.sub(_escape_cdata, xml))
    top = Element("", {}, None, [])
    stack = [top]
    for closing, name, attributes, text in _TAG.findall(xml):
        if closing:
            stack.pop()
            stack[-1].text = (stack[-1].text or "") + _unescape(text)
            continue
        element = Element(intern(name), _attributes(attributes), _unescape(text), [])
        stack[-1].children.append(element)
        stack.append(element)
    if len(stack) != 1 or len(top.children) != 1:
        raise ValueError("elements do not nest")
    return top.children[0]


def _attributes(text: str) -> dict[str, str | None]:
    return {intern(k): _unescape(v) for k, v in _ATTRIBUTE.findall(text)} if text else {}


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_escaped, text) if "&" in text else text


def _escaped(found: re.Match[str]) -> str:
    return chr(int(found[1])) if found[1] else _ESCAPED[found[2]]


def _escape_cdata(found: re.Match[str]) -> str:
    return found[1].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- python-evtx ---------------------------------------------------------------------------


def decode_python_evtx(chunk: Chunk, records: tuple[Record, ...], wanted: Wanted | None) -> Decoded:
    """Return row or SKIPPED for each of `records` that python-evtx can read."""
    from Evtx.Evtx import ChunkHeader  # noqa: PLC0415  # not needed by the other engine

    header = ChunkHeader(chunk.data, 0)
    # Its own way to names and templates follows links that damage can close to a ring.
    header._strings = _OnDemand(header.add_string)  # noqa: SLF001  # no public way
    header._templates = _OnDemand(header.add_template)  # noqa: SLF001  # as above
    plans: dict[int, list[Any]] = {}
    out: Decoded = {}
    for record in records:
        with suppress(Exception):
            out[record] = _python_row(header, record, wanted, plans)
    return out


class _OnDemand(dict[int, Any]):
    """A chunk's names or templates by offset, each read when it is asked for."""

    def __init__(self, read: Callable[[int], Any]) -> None:
        super().__init__({-1: None})  # an empty one would be filled by following the links
        self._read = read

    def __missing__(self, offset: int) -> Any:  # noqa: ANN401  # python-evtx has no types
        return self._read(offset)


def _python_row(
    header: Any,  # noqa: ANN401  # python-evtx has no types
    record: Record,
    wanted: Wanted | None,
    plans: dict[int, list[Any]],
) -> Row | object:
    from Evtx.Nodes import RootNode  # noqa: PLC0415  # as above

    # No further than the record: a damaged one would have the rest of its chunk walked, up to a second.
    own = header._buf[: record.offset + record.size]  # noqa: SLF001  # no public way
    root = RootNode(own, record.offset + 24, header, None)
    event = _render_root(root, plans)[0]
    fields = columns(e for part in event.children if part.name == "System" for e in part.children)
    if wanted is not None and not wanted(fields):
        return SKIPPED
    return row(fields, payload(event.children), record_id=record.record_id, ticks=record.ticks)


def _render_root(root: Any, plans: dict[int, list[Any]]) -> list[Element]:  # noqa: ANN401
    """Fill a template instance's substitutions into its template."""
    offset = root.template_instance().template_offset()
    if offset not in plans:
        plans[offset] = [n for n in map(_plan, root.template().children()) if n is not None]
    values = root.substitutions()
    filled = [e for part in plans[offset] for e in _fill(part, values, plans)]
    elements = [e for e in filled if isinstance(e, Element)]
    if not elements:
        raise ValueError("what stands here is no template: it makes no element")
    return elements


class _Plan(NamedTuple):
    """An element of a template: attributes and content as literals, `_Slot`s and plans."""

    name: str
    attributes: list[tuple[str, list[Any]]]
    content: list[Any]


class _Slot(NamedTuple):
    """A place in a template that the record's value of this index goes to."""

    number: int


def _plan(node: Any) -> Any:  # noqa: ANN401  # a node of python-evtx to str, _Slot, _Plan or None
    """Translate a node of a template once, so that records need not walk it again."""
    kind = type(node).__name__
    if kind == "OpenStartElementNode":
        children = node.children()
        attributes = [
            (c.attribute_name().string(), [_plan(c.attribute_value())])
            for c in children
            if type(c).__name__ == "AttributeNode"
        ]
        content = [p for p in map(_plan, children) if p is not None]
        return _Plan(intern(node.tag_name()), attributes, content)
    if kind == "ValueNode":
        return _value_text(node.value())
    if kind in {"NormalSubstitutionNode", "ConditionalSubstitutionNode"}:
        return _Slot(node.index())
    if kind == "CDataSectionNode":
        return node.cdata()
    if kind in {"CharacterReferenceNode", "EntityReferenceNode"}:
        return _unescape(_reference(node))
    return None


def _reference(node: Any) -> str:  # noqa: ANN401  # as above
    if type(node).__name__ == "CharacterReferenceNode":
        return f"&#{node.entity()};"
    return str(node.entity_reference())


def _fill(part: Any, values: list[Any], plans: dict[int, list[Any]]) -> list[Any]:  # noqa: ANN401
    """Return what a part of a template comes to: texts (None: no value) and elements."""
    if isinstance(part, _Slot):
        value = values[part.number]
        if type(value).__name__ == "BXmlTypeNode":
            return list(_render_root(value.root(), plans))
        return [_value_text(value)]
    if isinstance(part, _Plan):
        return _fill_element(part, values, plans)
    return [part]


def _fill_element(plan: _Plan, values: list[Any], plans: dict[int, list[Any]]) -> list[Element]:
    """Return the element, or one for each item where its content is an array of text."""
    attributes: dict[str, str | None] = {}
    for name, parts in plan.attributes:
        text = _join(t for part in parts for t in _fill(part, values, plans))
        if text:
            attributes[name] = text
    content = [item for part in plan.content for item in _fill(part, values, plans)]
    if len(content) == 1 and isinstance(content[0], tuple):
        return [Element(plan.name, attributes, text, []) for text in content[0] or (None,)]
    children = [item for item in content if isinstance(item, Element)]
    text = _join(item for item in content if not isinstance(item, Element))
    return [Element(plan.name, attributes, text, children)]


def _join(texts: Any) -> str | None:  # noqa: ANN401  # an iterable of text, None and tuples
    parts = [
        ",".join(i or "" for i in t) if isinstance(t, tuple) else t for t in texts if t is not None
    ]
    return "".join(parts) if parts else None


def _raw(node: Any) -> bytes:  # noqa: ANN401  # as above
    start = node.offset() + (2 if node._length is None else 0)  # noqa: SLF001  # no public way
    return bytes(node._buf[start : node.offset() + node.length()])  # noqa: SLF001  # as above


def _value_text(node: Any) -> Any:  # noqa: ANN401  # text, None, or a tuple of texts
    """Spell a typed value as the Rust engine does."""
    spell = _SPELL.get(type(node).__name__)
    return spell(node) if spell else str(node.string())


def _text(node: Any) -> str:  # noqa: ANN401  # as above
    return _utf16(_raw(node)).partition("\0")[0]


def _utf16(raw: bytes) -> str:
    return raw.decode("utf-16-le", "ignore")  # the other engine drops lone surrogates as well


def _ansi(node: Any) -> str:  # noqa: ANN401  # as above
    return "".join(_WINDOWS_1252[byte] for byte in _raw(node) if byte)


def _texts(node: Any) -> tuple[str | None, ...]:  # noqa: ANN401  # as above
    items = _utf16(_raw(node)).split("\0")
    return tuple(item or None for item in (items[:-1] if items[-1] == "" else items))


def _number(kind: str) -> Callable[[Any], Any]:
    size = struct.calcsize(kind)
    return lambda node: struct.unpack(kind, node._buf[node.offset() : node.offset() + size])[0]  # noqa: SLF001  # no public way


def _filetime(node: Any) -> str:  # noqa: ANN401  # as above
    moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=_U64(node) // 10)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _systemtime(node: Any) -> str:  # noqa: ANN401  # as above
    raw = node._buf[node.offset() : node.offset() + 16]  # noqa: SLF001  # no public way
    if not any(raw):
        return "1601-01-01T00:00:00.000000Z"  # as the other engine has it
    year, month, _, day, hour, minute, second, milli = struct.unpack("<8H", raw)
    moment = datetime(year, month, day, hour, minute, second, milli * 1000, tzinfo=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_WINDOWS_1252 = [bytes([b]).decode("cp1252", "ignore") or chr(b) for b in range(256)]
_BOOLEAN = {0: "false", 1: "true"}
_I32 = _number("<i")
_U64 = _number("<Q")
_U32 = _number("<I")
_F32 = _number("<f")
_F64 = _number("<d")
_SPELL: Final[dict[str, Callable[[Any], Any]]] = {
    "NullTypeNode": lambda _: None,
    "WstringTypeNode": _text,
    "WstringArrayTypeNode": _texts,
    "StringTypeNode": _ansi,
    "BooleanTypeNode": lambda node: _BOOLEAN.get(_I32(node)) or str(_I32(node)),
    "BinaryTypeNode": lambda node: node.binary().hex().upper(),
    "GuidTypeNode": lambda node: node.guid(),
    "SizeTypeNode": lambda node: f"0x{node.num():x}",
    "FiletimeTypeNode": _filetime,
    "SystemtimeTypeNode": _systemtime,
    "Hex32TypeNode": lambda node: f"0x{_U32(node):x}",
    "Hex64TypeNode": lambda node: f"0x{_U64(node):x}",
    "FloatTypeNode": lambda node: real(np.float32(_F32(node)), -5, 13),
    "DoubleTypeNode": lambda node: real(np.float64(_F64(node)), -4, 16),
}
