"""Events come back from JSON lines of evtx_dump, Velociraptor, Winlogbeat and shippers of flat fields.

Each says how much of times, numbers and names it does not keep.
"""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
from event_export_samples import said
from hypothesis import given
from hypothesis import strategies as st
from roundtrip_event_samples import (
    FEW,
    FIRST,
    LEVELS,
    NAMED,
    assert_same,
    audit,
    encodings,
    events_of,
    iso,
    microseconds,
    pairs,
    payload,
    read,
    said_words,
    table,
    utc,
    whole,
    without,
    words,
    xml,
)

from kitlib.simulate import exports
from kitlib.simulate.evtx import Typed


@FEW
@given(events=events_of, encoding=encodings)
def test_evtx_dump_comes_back_to_the_microsecond(events, encoding):
    found = read(exports.evtx_dump_jsonl(events, **NAMED, encoding=encoding), "evtx_dump_json")

    def row(event, place):
        kept = {"time_created": utc(event.time, 10), "data": payload(event, microseconds)}
        return whole(event, place) | kept

    assert_same(found, table(events, row))
    assert "tenths of microseconds" in said(found)


def seconds(time):
    return repr((time - 116_444_736_000_000_000) / 10**7)


def loose(value):
    """A value where the program keeps numbers as numbers."""
    if isinstance(value, Typed):
        if value.kind == "filetime":
            return seconds(value.value)
        if isinstance(value.value, int):
            return str(value.value)
    return xml(value)


@FEW
@given(events=events_of, encoding=encodings, message=said_words)
def test_velociraptor_comes_back_to_what_a_float_holds(events, encoding, message):
    data = exports.velociraptor_jsonl(events, **NAMED, message=lambda _: message, encoding=encoding)
    found = read(data, "velociraptor_json")

    def row(event, place):
        time = pd.Timestamp(int(Decimal(seconds(event.time)) * 10**9), unit="ns", tz="UTC")
        assert abs(time - utc(event.time)) < pd.Timedelta("1us")
        shown = payload(event, loose) | words(Message=message)
        return whole(event, place) | {"time_created": time, "data": shown}

    assert_same(found, table(events, row))
    assert "tenths of microseconds" in said(found)
    assert "hexadecimal" in said(found)


@FEW
@given(events=events_of, encoding=encodings, source=st.booleans(), message=said_words)
def test_winlogbeat_comes_back_with_words_for_numbers(events, encoding, source, message):
    data = exports.winlogbeat_ndjson(
        events, **NAMED, source=source, message=lambda _: message, encoding=encoding
    )
    found = read(data, "winlogbeat_json")

    def row(event, place):
        word = audit(event) or ("Classic" if event.keywords >> 55 & 1 else "")
        level = LEVELS["en-US"][event.level].lower()
        inner = {
            f"param{n}" if name is None else name: text
            for n, (name, text) in enumerate(pairs(event), 1)
            if text
        }
        shown = words(Message=message, Level=level, Keywords={"Keyword": word} if word else None)
        lean = without(whole(event, place), "task", "opcode", "keywords", "qualifiers")
        kept = {"time_created": utc(event.time, 10_000), "level": event.level or 4}
        return lean | kept | {"data": inner | shown}

    assert_same(found, table(events, row))
    for lost in ("numbers of task", "qualifiers", "empty", "level is 0 or 4", "milliseconds"):
        assert lost in said(found)


@FEW
@given(events=events_of, encoding=encodings, message=said_words, numbered=st.booleans())
def test_flat_json_comes_back_without_unnamed_values(events, encoding, message, numbered):
    first = FIRST if numbered else None
    named_as = NAMED | {"first_record_id": first}
    data = exports.flat_jsonl(events, **named_as, message=lambda _: message, encoding=encoding)
    found = read(data, "flat_event_json")

    def row(event, place):
        inner = {n: v for n, v in payload(event).items() if n not in ("Data", "Binary", "UserData")}
        time = {"@timestamp": iso(event.time, 3) + "Z"}
        kept = {
            "time_created": utc(event.time, 10_000),
            "data": inner | time | words(Message=message),
        }
        lean = without(whole(event, place), "qualifiers", *([] if numbered else ["record_id"]))
        return lean | kept

    assert_same(found, table(events, row))
    assert "which fields are event data" in said(found)
    assert ("the record number" in said(found)) != numbered
