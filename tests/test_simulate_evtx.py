"""What the EVTX writer writes is read back, with the same values, by three independent parsers.

Where a parser does not show what stands in the record, `Parser` says so and undoes it, or
`PYTHON_EVTX_GARBLES` leaves it out; nothing else is forgiven.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import warnings
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import Evtx.Evtx
import pyevtx
import pytest
from evtx import PyEvtxParser
from Evtx.BinaryParser import ParseException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kitlib.errors import UsageError
from kitlib.simulate import evtx as sim
from kitlib.simulate.evtx import Event, Typed, UserData, encode_log, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

NOON = ticks("2022-01-12T12:00:00.1234567Z")
SETUP = "http://manifests.microsoft.com/win/2004/08/windows/setup_provider"
CONNECTION = "{B4000371-A67F-452F-AA4C-3125AA9CFC78}"

# ---- events ------------------------------------------------------------------------------------

FAILED = Event(
    provider="RasClient",
    event_id=20227,
    time=NOON,
    data=[CONNECTION, "CORP\\алиса", 'Büro-VPN 東京 <1> & "2"', "789"],
    qualifiers=0,
    level=2,
    keywords=0x80000000000000,
)
STARTED = Event(
    provider="EventLog",
    event_id=6005,
    time=NOON + 1,
    binary=bytes.fromhex("e2070700050006001200260026002b03"),
    qualifiers=32768,
    keywords=0x80000000000000,
)
SERVICE = Event(
    provider="Service Control Manager",
    event_id=7036,
    time=NOON + 2,
    data={"param1": "IPsec Policy Agent", "param2": "stopped"},
    binary=b"P\0o\0l\0/\x001\0\0\0",
    provider_guid="{555908d1-a6d7-4695-8e1e-26931d2012f4}",
    event_source_name="Service Control Manager",
    qualifiers=16384,
    version=0,
    opcode=0,
    keywords=0x8080000000000000,
    process_id=596,
    thread_id=2520,
)
INSTALLED = Event(
    provider="Microsoft-Windows-WindowsUpdateClient",
    event_id=19,
    time=NOON + 3,
    data={
        "updateTitle": "2022-01 Kumulatives Update (KB5009543) 🩹",
        "updateGuid": sim.guid("{A0EA1A1E-0C82-410E-8921-023F21F69575}"),
        "updateRevisionNumber": sim.u32(200),
        "serviceGuid": sim.guid("9482f4b4-e343-43b6-b170-9a65bc822c77"),
    },
    provider_guid="945A8954-C147-4ACD-923F-40C45405A658",
    version=1,
    task=1,
    opcode=13,
    keywords=0x8000000000000018,
    process_id=3132,
    thread_id=0xFFFFFFFF,
    activity_id="{A19C6E5B-07D6-0001-5A6F-9CA1D607D801}",
    user_sid="S-1-5-18",
)
SERVICED = Event(
    provider="Microsoft-Windows-Servicing",
    event_id=2,
    time=NOON + 4,
    data=UserData(
        root="CbsPackageChangeState",
        namespace=SETUP,
        fields={
            "PackageIdentifier": "KB5009543",
            "IntendedPackageState": sim.u32(5112),
            "ErrorCode": sim.hex32(0x800F0816),
            "Client": None,
        },
    ),
    provider_guid="{BD12F3B8-FC40-4A61-A307-B7A013A069C1}",
    level=0,
    task=1,
    process_id=5756,
    thread_id=3840,
    user_sid="S-1-5-18",
)
TYPES = Event(
    provider="Test-Types",
    event_id=1,
    time=NOON + 5,
    data={
        "text": "a",
        "empty": "",
        "null": None,
        "true": True,
        "false": False,
        "u8": sim.u8(255),
        "u16": sim.u16(65535),
        "u32": sim.u32(2**32 - 1),
        "u64": sim.u64(2**64 - 1),
        "i8": sim.i8(-128),
        "i16": sim.i16(-2),
        "i32": sim.i32(-2147483647),
        "i64": sim.i64(-(2**63)),
        "positive": sim.i32(7),
        "hex32": sim.hex32(0x8024200B),
        "hex64": sim.hex64(0x3E7),
        "real": sim.real(-2.5),
        "filetime": sim.filetime(ticks("1999-12-31T23:59:59.9999999Z")),
        "systemtime": sim.systemtime(ticks("2024-02-29T23:59:59.999Z")),
        "guid": sim.guid(CONNECTION),
        "sid": sim.sid("S-1-5-21-1004336348-1177238915-682003330-512"),
        "binary": sim.binary(bytes(range(256))),
        "nothing": sim.binary(b""),
    },
    provider_guid=CONNECTION,
)
SAMPLE = [FAILED, STARTED, SERVICE, INSTALLED, SERVICED, TYPES]


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "log.evtx"
    path.write_bytes(content)
    return path


def many(count: int) -> list[Event]:
    return [replace(SAMPLE[n % len(SAMPLE)], time=NOON + n) for n in range(count)]


# ---- reading, by parsers that know nothing of the writer ----------------------------------------


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


# ---- comparing ---------------------------------------------------------------------------------

BITS = {"u8": 8, "i8": 8, "u16": 16, "i16": 16, "u32": 32, "i32": 32, "u64": 64, "i64": 64}


def written(value: sim.Value) -> object:
    if not isinstance(value, Typed):
        return "" if value is None else value
    if value.kind == "guid":
        return plain_guid(str(value.value))
    if value.kind == "systemtime":
        return int(value.value) // 10_000 * 10_000
    return value.value


def shown(parser: Parser, value: sim.Value, text: str) -> object:
    """What a parser shows for a value, as the value that was to be written."""
    if isinstance(value, bool):
        return {"true": True, "false": False}[text.lower()]
    if not isinstance(value, Typed):
        return text
    if value.kind in BITS:
        return parser.integer(text, BITS[value.kind])
    readers = {
        "hex32": lambda: int(text, 16),
        "hex64": lambda: int(text, 16),
        "real": lambda: parser.real(text),
        "guid": lambda: plain_guid(text),
        "sid": lambda: text,
        "binary": lambda: parser.binary(text),
        "filetime": lambda: parser.time(text, int(value.value)),
        "systemtime": lambda: parser.systemtime(text),
    }
    return readers[value.kind]()


def system_written(event: Event, record_id: int, channel: str, computer: str) -> dict[str, object]:
    stated = {
        "Provider.Name": event.provider,
        "Provider.Guid": plain_guid(event.provider_guid) or None,
        "Provider.EventSourceName": event.event_source_name or None,
        "EventID": event.event_id,
        "EventID.Qualifiers": event.qualifiers,
        "Version": event.version,
        "Level": event.level,
        "Task": event.task,
        "Opcode": event.opcode,
        "Keywords": event.keywords,
        "TimeCreated.SystemTime": event.time,
        "EventRecordID": record_id,
        "Correlation.ActivityID": plain_guid(event.activity_id) or None,
        "Execution.ProcessID": event.process_id,
        "Execution.ThreadID": event.thread_id,
        "Channel": event.channel or channel,
        "Computer": event.computer or computer,
        "Security.UserID": event.user_sid or None,
    }
    return {name: value for name, value in stated.items() if value is not None}


def system_shown(parser: Parser, event: Event, system: dict[str, str]) -> dict[str, object]:
    texts = {"Provider.Name", "Provider.EventSourceName", "Channel", "Computer", "Security.UserID"}
    result: dict[str, object] = {}
    for name, text in system.items():
        if name in texts:
            result[name] = text
        elif name in {"Provider.Guid", "Correlation.ActivityID"}:
            result[name] = plain_guid(text)
        elif name == "TimeCreated.SystemTime":
            result[name] = parser.time(text, event.time)
        elif text:
            result[name] = digits(text)
    return result


def assert_payload(parser: Parser, event: Event, read: Read) -> None:
    data = event.data
    if isinstance(data, UserData):
        assert (read.root, read.namespace) == (data.root, data.namespace)
        data = data.fields
    if isinstance(data, dict):
        known = dict(data)
        if isinstance(parser, Libevtx):
            known = {name: value for name, value in data.items() if value is not None}
        got = {name: shown(parser, data[name], text) for name, text in read.named.items()}
        assert got == {name: written(value) for name, value in known.items()}
        assert read.unnamed == []
    elif not (isinstance(parser, PythonEvtx) and PYTHON_EVTX_GARBLES(data)):
        # An array that is NULL is shown as one empty string by a parser that does not drop it.
        assert read.named == {}
        assert [text.strip() for text in read.unnamed if text.strip() or data] == list(data)
    assert parser.binary(read.binary) == (event.binary or b"")


def assert_reads(
    parser: Parser,
    path: Path,
    events: Sequence[Event],
    *,
    first: int = 1,
    channel: str = "Application",
    computer: str = "WS0001.corp.example",
) -> None:
    records = parser.records(path)
    assert len(records) == len(events)
    for number, (event, read) in enumerate(zip(events, records, strict=True), first):
        if read is None:
            assert not isinstance(event.data, (dict, UserData))
            assert PYTHON_EVTX_GARBLES(event.data)
            continue
        expected = system_written(event, number, channel, computer)
        assert system_shown(parser, event, read.system) == expected
        assert_payload(parser, event, read)


def log_of(events: Sequence[Event], **options: Any) -> bytes:
    return encode_log(events, channel="Application", computer="WS0001.corp.example", **options)


# ---- values ------------------------------------------------------------------------------------


@every_parser
@pytest.mark.parametrize("event", SAMPLE, ids=lambda event: event.provider)
def test_encode_log_is_read_with_the_same_values(
    parser: Parser, event: Event, tmp_path: Path
) -> None:
    assert_reads(parser, write(tmp_path, log_of([event])), [event])


@every_parser
def test_encode_log_writes_many_events_over_several_chunks(parser: Parser, tmp_path: Path) -> None:
    long = [replace(INSTALLED, data={"updateTitle": f"{n} " + "ж" * 5000}) for n in range(12)]
    events = [*many(120), *long, *many(60)]
    content = log_of(events, first_record_id=91234)
    assert len(chunks_of(content)) == 4
    assert_reads(parser, write(tmp_path, content), events, first=91234)


@every_parser
def test_encode_log_writes_an_empty_log(parser: Parser, tmp_path: Path) -> None:
    assert parser.records(write(tmp_path, log_of([]))) == []


@every_parser
def test_encode_log_writes_a_record_of_60_kilobytes_between_others(
    parser: Parser, tmp_path: Path
) -> None:
    long = replace(INSTALLED, data={"updateTitle": "ж" * 30_000})
    events = [FAILED, INSTALLED, long, FAILED, INSTALLED]
    assert_reads(parser, write(tmp_path, log_of(events)), events)


@every_parser
def test_encode_log_keeps_computer_and_channel_of_forwarded_events(
    parser: Parser, tmp_path: Path
) -> None:
    events = [
        replace(event, computer=f"PC{n}", channel=channel)
        for n in range(3)
        for event, channel in ((FAILED, "Application"), (INSTALLED, "System"), (SERVICE, ""))
    ]
    content = encode_log(events, channel="ForwardedEvents", computer="WEC01")
    assert_reads(
        parser, write(tmp_path, content), events, channel="ForwardedEvents", computer="WEC01"
    )


@every_parser
@pytest.mark.parametrize(
    "strings",
    [["🩹 patch"], ["a", "", "b"], [""], ["", ""], ["line 1\nline 2", "τέλος"]],
    ids=repr,
)
def test_encode_log_writes_unnamed_strings_one_by_one(
    parser: Parser, strings: list[str], tmp_path: Path
) -> None:
    events = [replace(FAILED, data=strings, binary=b"\xb3\x02\0\0"), FAILED]
    assert_reads(parser, write(tmp_path, log_of(events)), events)


@every_parser
def test_encode_log_writes_a_manifest_event_without_payload(parser: Parser, tmp_path: Path) -> None:
    events = [replace(INSTALLED, data=()), replace(INSTALLED, data={})]
    path = write(tmp_path, log_of(events))
    assert_reads(parser, path, [replace(event, data={}) for event in events])


@every_parser
@pytest.mark.parametrize("decimals", ["", ".1", ".0000001", ".9999999", ".1234567"])
def test_encode_log_keeps_times_to_100_ns(parser: Parser, decimals: str, tmp_path: Path) -> None:
    event = replace(FAILED, time=ticks(f"2022-01-31T23:59:59{decimals}Z"))
    content = log_of([event])
    assert struct.unpack_from("<Q", content, 4096 + 512 + 16) == (event.time,)
    assert_reads(parser, write(tmp_path, content), [event])


# ---- random events -----------------------------------------------------------------------------

# Characters that XML text cannot hold are left out: two of the parsers give XML.
texts = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs", "Cn"], exclude_characters="\ufeff"
    ),
    max_size=40,
)
labels = st.from_regex(r"[A-Z][a-z0-9]{1,8}_", fullmatch=True)
times = st.integers(ticks("1971-01-01"), ticks("2099-12-31"))
guids = st.uuids().map(str)
sids = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8).map(
    lambda parts: "-".join(["S-1-5", *map(str, parts)])
)


def whole(bits: int, *, signed: bool = False) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)) if signed else 0, 2 ** (bits - signed) - 1)


typed_values = st.one_of(
    st.sampled_from(sorted(BITS)).flatmap(
        lambda kind: whole(BITS[kind], signed=kind[0] == "i").map(lambda n: Typed(kind, n))
    ),
    whole(32).map(sim.hex32),
    whole(64).map(sim.hex64),
    st.floats(-1e9, 1e9, width=32).map(sim.real),
    times.map(sim.filetime),
    times.map(sim.systemtime),
    guids.map(sim.guid),
    sids.map(sim.sid),
    st.binary(max_size=30).map(sim.binary),
)
fields = st.dictionaries(
    labels, st.one_of(typed_values, texts, st.booleans(), st.none()), max_size=6
)
any_number = {
    "qualifiers": st.none() | whole(16),
    "version": st.none() | whole(8),
    "opcode": st.none() | whole(8),
    "process_id": st.none() | whole(32),
    "thread_id": st.none() | whole(32),
    "level": whole(8),
    "task": whole(16),
    "keywords": whole(64),
    "event_id": whole(16),
    "time": times,
    "activity_id": st.just("") | guids,
    "user_sid": st.just("") | sids,
    "provider_guid": st.just("") | guids,
    "event_source_name": st.just("") | labels,
    "provider": labels,
    "computer": st.sampled_from(["", "PC1", "ПК-2"]),
    "channel": st.sampled_from(["", "System"]),
}
random_events = st.one_of(
    st.builds(Event, data=fields, binary=st.none() | st.binary(max_size=9), **any_number),
    st.builds(Event, data=st.lists(texts, min_size=1, max_size=4), **any_number),
    st.builds(
        Event,
        data=st.builds(UserData, root=labels, namespace=st.just(SETUP), fields=fields),
        **any_number,
    ),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=st.lists(random_events, max_size=6))
@every_parser
def test_encode_log_of_any_events_is_read_with_the_same_values(
    parser: Parser, events: list[Event], tmp_path: Path
) -> None:
    assert_reads(parser, write(tmp_path, log_of(events)), events)


@settings(max_examples=25, deadline=None)
@given(events=st.lists(random_events, max_size=6), again=st.integers(1, 60))
def test_encode_log_gives_sound_chunks_for_any_events(events: list[Event], again: int) -> None:
    content = log_of(events * again)
    assert content == log_of(events * again)
    assert sum(check_chunk(chunk) for chunk in chunks_of(content)) == len(events) * again


# ---- the file's own books ----------------------------------------------------------------------


def chunks_of(content: bytes) -> list[bytes]:
    assert (len(content) - 4096) % 65536 == 0
    return [content[at : at + 65536] for at in range(4096, len(content), 65536)]


def u32_at(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "little")


def naive_hash(content: bytes) -> int:
    total = 0
    for at in range(0, len(content), 2):
        total = total * 65599 + content[at] + 256 * content[at + 1]
    return total % 2**32 % 2**16


def names_of(chunk: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Walk the string table: bucket, name in UTF-16, stored hash."""
    for bucket in range(64):
        at = u32_at(chunk, 128 + 4 * bucket)
        while at:
            hashed, units = struct.unpack_from("<HH", chunk, at + 4)
            yield bucket, chunk[at + 8 : at + 8 + 2 * units], hashed
            at = u32_at(chunk, at)


def templates_of(chunk: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Walk the template table: bucket, GUID, offset."""
    for bucket in range(32):
        at = u32_at(chunk, 384 + 4 * bucket)
        while at:
            yield bucket, chunk[at + 4 : at + 20], at
            at = u32_at(chunk, at)


def check_chunk(chunk: bytes) -> int:
    """Check a chunk's checksums, records and tables; give how many records it has."""
    free, last = u32_at(chunk, 48), u32_at(chunk, 44)
    assert chunk[:8] == b"ElfChnk\0"
    assert u32_at(chunk, 52) == zlib.crc32(chunk[512:free])
    assert u32_at(chunk, 124) == zlib.crc32(chunk[:120] + chunk[128:512])
    assert not any(chunk[free:])
    ids, at, start = [], 512, 0
    while at < free:
        size = u32_at(chunk, at + 4)
        assert chunk[at : at + 4] == b"**\0\0"
        assert size % 8 == 0
        assert size == u32_at(chunk, at + size - 4)
        ids.append(int.from_bytes(chunk[at + 8 : at + 16], "little"))
        start, at = at, at + size
    assert (at, start) == (free, last)
    if ids:
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert struct.unpack_from("<4Q", chunk, 8) == (ids[0], ids[-1]) * 2
    for bucket, text, hashed in names_of(chunk):
        assert hashed == naive_hash(text)
        assert bucket == hashed % 64
    assert all(bucket == naive_hash(guid) % 32 for bucket, guid, _ in templates_of(chunk))
    return len(ids)


def test_encode_log_keeps_books_that_add_up() -> None:
    content = log_of(many(2000), first_record_id=7)
    chunks = chunks_of(content)
    assert sum(check_chunk(chunk) for chunk in chunks) == 2000
    assert content[:8] == b"ElfFile\0"
    assert u32_at(content, 124) == zlib.crc32(content[:120])
    assert u32_at(content, 120) == 0
    assert struct.unpack_from("<QQQ", content, 8) == (0, len(chunks) - 1, 2007)
    assert struct.unpack_from("<IHHHH", content, 32) == (128, 1, 3, 4096, len(chunks))


def test_encode_log_keeps_every_name_and_template_of_a_chunk_once() -> None:
    (chunk,) = chunks_of(log_of(SAMPLE * 3))
    names = [text.decode("utf-16-le") for _, text, _ in names_of(chunk)]
    assert len(names) == len(set(names))
    assert {"Event", "Data", "Binary", "CbsPackageChangeState", "Qualifiers"} <= set(names)
    guids_ = [guid for _, guid, _ in templates_of(chunk)]
    # classic RasClient and EventLog, service control, manifest with and without the parts that
    # the others state, UserData; and a payload for each but the classic two, which share theirs
    assert len(guids_) == len(set(guids_)) == 11


def test_encode_log_shares_the_system_template_between_manifest_providers() -> None:
    other = replace(INSTALLED, provider="Other", provider_guid=CONNECTION, channel="System")
    (chunk,) = chunks_of(log_of([INSTALLED, other]))
    assert len(list(templates_of(chunk))) == 2


def test_encode_log_gives_another_template_to_another_computer() -> None:
    def guids_of(computer: str) -> set[bytes]:
        (chunk,) = chunks_of(encode_log([INSTALLED], channel="System", computer=computer))
        return {guid for _, guid, _ in templates_of(chunk)}

    assert len(guids_of("PC1") & guids_of("PC2")) == 1, "the payload's template only"


# ---- as Windows does it --------------------------------------------------------------------------


def outline(chunk: bytes, at: int) -> list[object]:
    """List a template's tokens with names in place of offsets."""
    result: list[object] = []
    at, end = at + 24, at + 24 + u32_at(chunk, at + 20)
    while at < end:
        token = chunk[at]
        kind, name = token & 0x1F, ""
        if kind in (1, 6):
            where = at + (7 if kind == 1 else 1)
            name_at = u32_at(chunk, where)
            units = int.from_bytes(chunk[name_at + 6 : name_at + 8], "little")
            name = chunk[name_at + 8 : name_at + 8 + 2 * units].decode("utf-16-le")
            inline = 10 + 2 * units if name_at == where + 4 else 0
            dependency = chunk[at + 1 : at + 3] if kind == 1 else b""
            result.append((token, name, dependency))
            at = where + 4 + inline + (4 if token == 0x41 else 0)
        elif kind == 5:
            size = 2 * int.from_bytes(chunk[at + 2 : at + 4], "little")
            result.append((token, chunk[at + 4 : at + 4 + size].decode("utf-16-le")))
            at += 4 + size
        else:
            size = {0x0D: 4, 0x0E: 4, 0x0F: 4}.get(kind, 1)
            result.append(chunk[at : at + size])
            at += size
    return result


def instance_at(chunk: bytes, at: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Find an instance's template, and type, offset and size of its values."""
    at += 4 if chunk[at] == 0x0F else 0
    defined_at = u32_at(chunk, at + 6)
    at += 10
    at += 24 + u32_at(chunk, at + 20) if defined_at == at else 0
    count = u32_at(chunk, at)
    at += 4
    described = [struct.unpack_from("<HB", chunk, at + 4 * n) for n in range(count)]
    at += 4 * count
    places = []
    for size, kind in described:
        places.append((kind, at, size))
        at += size
    return defined_at, places


def layout(chunk: bytes, record: int) -> dict[str, object]:
    """Describe how a record is laid out: both templates, and the types of the values."""
    at = 512
    for _ in range(record):
        at += u32_at(chunk, at + 4)
    outer, values = instance_at(chunk, at + 24)
    kind, payload_at, _ = values[-1]
    assert kind == 0x21
    inner, inner_values = instance_at(chunk, payload_at)
    return {
        "system": outline(chunk, outer),
        "payload": outline(chunk, inner),
        "fragment": chunk[payload_at] == 0x0F,
        "types": [kind for kind, _, _ in inner_values],
    }


@pytest.mark.parametrize(
    ("file", "record", "event"),
    [
        (
            "rust/2-vss_7-System.evtx",
            0,
            Event(
                provider="Microsoft-Windows-Kernel-General",
                event_id=12,
                time=NOON,
                data={
                    "MajorVersion": sim.u32(10),
                    "MinorVersion": sim.u32(0),
                    "BuildVersion": sim.u32(17134),
                    "QfeVersion": sim.u32(137),
                    "ServiceVersion": sim.u16(0),
                    "BootMode": sim.u32(0),
                    "StartTime": sim.filetime(NOON),
                },
                provider_guid="{A68CA8B7-004F-D7B6-A698-07E2DE0F1F5D}",
                version=0,
                opcode=0,
                process_id=4,
                thread_id=8,
                computer="DESKTOP-1N4R894",
                channel="System",
            ),
        ),
        (
            "rust/2-vss_7-System.evtx",
            1,
            Event(
                provider="EventLog",
                event_id=6009,
                time=NOON,
                data=["10.00.", "17134", "", "Multiprocessor Free", "0"],
                qualifiers=32768,
                computer="DESKTOP-1N4R894",
                channel="System",
            ),
        ),
        (
            "rust/2-vss_7-System.evtx",
            41,
            replace(SERVICE, computer="DESKTOP-1N4R894", channel="System"),
        ),
        (
            "setup/Setup.evtx",
            0,
            replace(SERVICED, version=0, opcode=0, computer="DESKTOP-LEHA4OH"),
        ),
    ],
    ids=["manifest", "classic", "classic with a GUID", "UserData"],
)
def test_encode_log_lays_records_out_as_windows_does(
    file: str, record: int, event: Event, shared: Path
) -> None:
    real = layout(chunks_of((shared / "evtx" / file).read_bytes())[0], record)
    ours = layout(chunks_of(log_of([event]))[0], 0)
    if isinstance(event.data, UserData):  # another event's fields: only the part around them
        del real["payload"], real["types"], ours["payload"], ours["types"]
    assert ours == real


@pytest.mark.parametrize("file", ["setup/Setup.evtx", "rust/2-vss_7-System.evtx"])
def test_real_logs_keep_the_same_books(file: str, shared: Path) -> None:
    chunk = chunks_of((shared / "evtx" / file).read_bytes())[0]
    names, templates = list(names_of(chunk)), list(templates_of(chunk))
    assert len(names) > 20
    assert all(hashed == naive_hash(text) for _, text, hashed in names)
    assert all(bucket == hashed % 64 for bucket, _, hashed in names)
    assert all(bucket == naive_hash(guid) % 32 for bucket, guid, _ in templates)


# ---- live copies and damage ----------------------------------------------------------------------


@pytest.mark.parametrize("parser", PARSERS[:2], ids=["Rust", "Libevtx"])
@pytest.mark.parametrize("count", [0, 3, 700])
def test_encode_log_dirty_is_read_whole(parser: Parser, count: int, tmp_path: Path) -> None:
    assert_reads(parser, write(tmp_path, log_of(many(count), dirty=True)), many(count))


def test_encode_log_dirty_is_flagged_and_counts_too_few_chunks(tmp_path: Path) -> None:
    content = log_of(many(700), dirty=True)
    first, last, next_id = struct.unpack_from("<QQQ", content, 8)
    (declared,) = struct.unpack_from("<H", content, 42)
    assert u32_at(content, 120) == 1
    assert u32_at(content, 124) == zlib.crc32(content[:120])
    assert (first, last) == (0, declared - 1)
    assert declared < len(chunks_of(content))
    newest = struct.unpack_from("<QQ", chunks_of(content)[last], 24)
    assert newest[0] <= next_id <= newest[1]
    # python-evtx believes the header: what makes live copies dangerous happens here too
    with Evtx.Evtx.Evtx(str(write(tmp_path, content))) as log:
        assert 0 < sum(1 for _ in log.records()) < 700
    assert content[4096:] == log_of(many(700))[4096:]


def ids_after(path: Path) -> tuple[list[int], int]:
    """Record ids that the Rust parser reads past errors, and how many errors it met."""
    with warnings.catch_warnings(record=True) as errors:
        warnings.simplefilter("always")
        parser = PyEvtxParser(path, skip_errors=True)
        ids = [int(row["event_record_id"]) for row in parser.records_json()]
    return ids, len(errors)


def ids_of(chunk: bytes) -> range:
    first, last = struct.unpack_from("<QQ", chunk, 24)
    return range(first, last + 1)


@pytest.mark.parametrize("chunk", [0, 1, -1], ids=["first", "middle", "last"])
def test_break_chunk_loses_that_chunk_only(chunk: int, tmp_path: Path) -> None:
    content = log_of(many(700))
    chunks = chunks_of(content)
    lost = set(ids_of(chunks[chunk]))
    broken = sim.break_chunk(content, chunk=chunk % len(chunks))
    assert ids_after(write(tmp_path, broken)) == (
        [record for record in range(1, 701) if record not in lost],
        1,
    )
    assert len(broken) == len(content)


@pytest.mark.parametrize(("chunk", "record"), [(0, 0), (1, 0), (1, 5), (2, 20)])
def test_break_record_loses_that_record_only(chunk: int, record: int, tmp_path: Path) -> None:
    content = log_of(many(700))
    lost = ids_of(chunks_of(content)[chunk])[record]
    broken = sim.break_record(content, chunk=chunk, record=record)
    expected = [number for number in range(1, 701) if number != lost]
    assert ids_after(write(tmp_path, broken)) == (expected, 1)
    changed = [at for at, (old, new) in enumerate(zip(content, broken, strict=True)) if old != new]
    start = 4096 + 65536 * chunk
    assert start + 512 < changed[0] <= changed[-1] < start + 65536


def test_truncate_leaves_the_chunks_before_the_cut(tmp_path: Path) -> None:
    content = log_of(many(700))
    cut = sim.truncate(content, keep=4096 + 2 * 65536 + 30_000)
    whole_chunks = chunks_of(content)[:2]
    assert len(cut) == 4096 + 2 * 65536 + 30_000
    assert ids_after(write(tmp_path, cut))[0] == list(range(1, ids_of(whole_chunks[1])[-1] + 1))
    assert content.startswith(cut)


@pytest.mark.parametrize(
    "damage",
    [
        lambda log: sim.break_chunk(log, chunk=1),
        lambda log: sim.break_chunk(log, chunk=-1),
        lambda log: sim.break_record(log, chunk=0, record=6),
        lambda log: sim.break_record(log, chunk=0, record=-1),
        lambda log: sim.truncate(log, keep=len(log) + 1),
        lambda log: sim.truncate(log, keep=-1),
    ],
)
def test_damage_refuses_places_that_do_not_exist(damage: Any) -> None:
    with pytest.raises(UsageError):
        damage(log_of(SAMPLE))


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        replace(FAILED, data=["a\0b"]),
        replace(FAILED, data=["\ud800"]),
        replace(FAILED, data="text"),
        replace(FAILED, data={"a": sim.u8(256)}),
        replace(FAILED, data={"a": sim.i8(-129)}),
        replace(FAILED, data={"a": sim.guid("no guid")}),
        replace(FAILED, data={"a": sim.sid("no sid")}),
        replace(FAILED, data={"a": Typed("u24", 1)}),
        replace(FAILED, data={"a": Typed("binary", 5)}),
        replace(FAILED, data={"a": 5}),
        replace(FAILED, event_id=65536),
        replace(FAILED, time=-1),
        replace(FAILED, activity_id="no guid"),
        replace(INSTALLED, provider_guid="no guid"),
        replace(FAILED, computer="\0"),
        replace(SERVICED, binary=b"no place"),
        replace(FAILED, data=["x" * 33_000]),
        replace(FAILED, data={"a": "x" * 20_000, "b": "x" * 20_000}),
        replace(FAILED, data={"a": "x" * 32_000, "b": "x" * 400}),
    ],
)
def test_encode_log_refuses_what_a_record_cannot_hold(event: Event) -> None:
    with pytest.raises(UsageError):
        log_of([event])


# ---- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("1601-01-01T00:00:00Z", 0),
        ("1601-01-01", 0),
        ("1970-01-01T00:00:00", 116444736000000000),
        ("1970-01-01 00:00:00.5Z", 116444736005000000),
        ("1970-01-01T00:00:00.0000001Z", 116444736000000001),
        ("1970-01-01T02:00:00.1234567+02:00", 116444736001234567),
        (datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), 116444736000000010),
        (datetime(1970, 1, 1), 116444736000000000),
        (datetime(1970, 1, 1, 5, tzinfo=timezone(timedelta(hours=5))), 116444736000000000),
    ],
    ids=str,
)
def test_ticks_counts_100_ns_since_1601(when: str | datetime, expected: int) -> None:
    assert ticks(when) == expected


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2022-01-12T00:00:00.12345678Z", "2022-13-01", "2022-01-12T00:00:00,5Z"],
)
def test_ticks_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        ticks(text)
