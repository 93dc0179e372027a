"""Three parsers of event logs that know nothing of the writer, and what each shows of a record."""

from __future__ import annotations

import base64
import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import Evtx.Evtx
import pyevtx
import pytest
from evtx import PyEvtxParser
from Evtx.BinaryParser import ParseException

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


@dataclass
class Read:
    """One record as a parser shows it: texts, not yet compared with anything."""

    system: dict[str, str]
    named: dict[str, str] = field(default_factory=dict)
    unnamed: list[str] = field(default_factory=list)
    binary: str = ""
    root: str = ""
    namespace: str = ""


def digits(text: str) -> int:
    return int(text, 16) if text.startswith("0x") else int(text)


def read_ticks(text: str) -> int:
    """A time as the parsers write it, at whatever precision, in ticks."""
    seconds, _, rest = re.sub(r"(Z|\+00:00|\s*UTC)$", "", text).partition(".")
    since = datetime.fromisoformat(seconds).replace(tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 10**7 + int(rest.ljust(7, "0")[:7])


def plain_guid(text: str) -> str:
    return text.strip("{}").lower()


class Parser(ABC):
    """What all parsers show alike."""

    @abstractmethod
    def records(self, path: Path) -> list[Read | None]:
        """Read a log; None where the parser itself gives up on a record."""

    def time(self, text: str, written: int) -> int:
        del written
        return read_ticks(text)

    def systemtime(self, text: str) -> int:
        return read_ticks(text)

    def integer(self, text: str, bits: int) -> int:
        del bits
        return int(text)

    def real(self, text: str) -> object:
        return float(text)

    def binary(self, text: str) -> bytes:
        return bytes.fromhex(text)


class Rust(Parser):
    """Shows times to the microsecond, rounded down."""

    def records(self, path: Path) -> list[Read | None]:
        return [self.record(json.loads(row["data"])) for row in PyEvtxParser(path).records_json()]

    def record(self, row: dict[str, Any]) -> Read:
        event = row["Event"]
        system = {
            name if not key else f"{name}.{key}": str(value)
            for name, node in event["System"].items()
            for key, value in self.leaves(node)
        }
        read = Read(system)
        if "UserData" in event:
            ((read.root, fields),) = event["UserData"].items()
            read.namespace = (fields or {}).get("#attributes", {}).get("xmlns", "")
        else:
            fields = event["EventData"]
        self.payload(read, fields or {})
        return read

    def leaves(self, node: object) -> Iterator[tuple[str, object]]:
        if not isinstance(node, dict):
            yield "", "" if node is None else node
            return
        yield from node.get("#attributes", {}).items()
        if "#text" in node:
            yield "", node["#text"]

    def payload(self, read: Read, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            if name == "Data" and isinstance(value, dict):
                texts = value["#text"]
                read.unnamed = texts if isinstance(texts, list) else [texts]
            elif name == "Binary":
                read.binary = value or ""
            elif name != "#attributes":
                text = "" if value is None else value
                read.named[name] = str(text).lower() if isinstance(text, bool) else str(text)

    def time(self, text: str, written: int) -> int:
        shown = read_ticks(text)
        return written if shown == written // 10 * 10 else shown


class FromXml(Parser):
    """The parsers that give XML text."""

    def record(self, xml: str) -> Read:
        event = ET.fromstring(xml)  # noqa: S314 - the text of our own events
        system: dict[str, str] = {}
        for node in event[0]:
            name = local(node)
            system |= {f"{name}.{key}": value for key, value in node.attrib.items() if value}
            system |= {name: node.text} if (node.text or "").strip() else {}
        read = Read(system)
        content = event[1] if len(event) > 1 else None
        if content is not None and local(content) == "UserData":
            content = content[0]
            read.root = local(content)
            read.namespace = content.tag[1:].partition("}")[0]
        self.payload(read, [] if content is None else list(content))
        return read

    def payload(self, read: Read, nodes: Sequence[ET.Element]) -> None:
        for node in nodes:
            text = node.text or ""
            if local(node) == "Binary" and not read.root:
                read.binary = text
            elif read.root:
                read.named[local(node)] = text
            elif "Name" in node.attrib:
                read.named[node.attrib["Name"]] = text
            else:
                read.unnamed += self.strings(text)

    def strings(self, text: str) -> list[str]:
        return [text]


def local(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


class Libevtx(FromXml):
    """Drops elements that are NULL; shows a negative integer as minus its bits but the first.

    A floating-point number has seven digits, and the digit before the point may be ':' for 10.
    """

    def records(self, path: Path) -> list[Read | None]:
        log = pyevtx.file()
        log.open(str(path))
        try:
            return [self.record(log.get_record(n).xml_string) for n in range(log.number_of_records)]
        finally:
            log.close()

    def integer(self, text: str, bits: int) -> int:
        lowest, shown = -(2 ** (bits - 1)), int(text)
        return lowest - shown if lowest < shown < 0 else shown

    def real(self, text: str) -> object:
        return pytest.approx(float(text.replace(":", "10")), rel=1e-6)


class PythonEvtx(FromXml):
    """Misses times by up to 3 µs, shows milliseconds as microseconds and binary as base64.

    An array of strings is one text with ``<string>`` inside; see `PYTHON_EVTX_GARBLES`.
    """

    def records(self, path: Path) -> list[Read | None]:
        with Evtx.Evtx.Evtx(str(path)) as log:
            return [self.try_record(record) for record in log.records()]

    def try_record(self, record: Any) -> Read | None:
        try:
            return self.record(record.xml())
        except (UnicodeDecodeError, ParseException):  # e.g. where a text begins with U+0100
            return None

    def time(self, text: str, written: int) -> int:
        shown = read_ticks(text)
        return written if abs(shown - written) < 30 else shown

    def systemtime(self, text: str) -> int:
        seconds, _, rest = text.partition(".")
        return read_ticks(seconds) + int(rest or 0) * 10_000

    def binary(self, text: str) -> bytes:
        return base64.b64decode(text)

    def strings(self, text: str) -> list[str]:
        return re.findall(r"<string>(.*?)</string>\n", text, re.DOTALL)


def PYTHON_EVTX_GARBLES(strings: Sequence[str]) -> bool:  # noqa: N802 - an exception, loudly
    """Whether its search for strings in an array stumbles over a byte: 00 low or 0a high."""
    units = "".join(strings).encode("utf-16-le")
    return "" in strings or 0 in units[::2] or 10 in units[1::2]


PARSERS = [Rust(), Libevtx(), PythonEvtx()]
every_parser = pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: type(parser).__name__)
