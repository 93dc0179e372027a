"""What the EVTX writer writes is read back, with the same values, by three independent parsers.

Where a parser does not show what stands in the record, `Parser` says so and undoes it, or
`PYTHON_EVTX_GARBLES` leaves it out; nothing else is forgiven. What no record can hold is refused.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from evtx_parsers import (
    PARSERS,
    PYTHON_EVTX_GARBLES,
    Libevtx,
    Parser,
    PythonEvtx,
    Read,
    digits,
    every_parser,
    plain_guid,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written_events import (
    BITS,
    FAILED,
    INSTALLED,
    SAMPLE,
    SERVICE,
    SERVICED,
    chunks_of,
    log_of,
    many,
    random_events,
    write,
)

from kitlib.errors import UsageError
from kitlib.simulate import evtx as sim
from kitlib.simulate.evtx import Event, Typed, UserData, encode_log, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


# ---- comparing -----------------------------------------------------------------------------------


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


# ---- what is read back ---------------------------------------------------------------------------


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


@pytest.mark.parametrize("parser", PARSERS[:2], ids=["Rust", "Libevtx"])
@pytest.mark.parametrize("count", [0, 3, 700])
def test_encode_log_dirty_is_read_whole(parser: Parser, count: int, tmp_path: Path) -> None:
    assert_reads(parser, write(tmp_path, log_of(many(count), dirty=True)), many(count))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=st.lists(random_events, max_size=6))
@every_parser
def test_encode_log_of_any_events_is_read_with_the_same_values(
    parser: Parser, events: list[Event], tmp_path: Path
) -> None:
    assert_reads(parser, write(tmp_path, log_of(events)), events)


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
