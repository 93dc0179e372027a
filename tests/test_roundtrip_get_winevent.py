"""Get-WinEvent's events come back from CSV, JSON and Clixml, which say what they do not keep."""

from __future__ import annotations

import pytest
from event_export_samples import said
from hypothesis import given
from hypothesis import strategies as st
from roundtrip_event_samples import (
    FEW,
    LEVELS,
    NAMED,
    RAS,
    assert_same,
    audit,
    cultures,
    encodings,
    events_of,
    iso,
    offsets,
    read,
    said_words,
    table,
    utc,
    wall,
    whole,
    without,
    words,
    xml,
)

from kitlib.simulate import exports
from kitlib.simulate.evtx import Typed, UserData


def spoken(event, culture, message):
    keyword = audit(event, culture.name)
    return words(
        Message=message,
        Level=LEVELS[culture.name][event.level],
        Keywords={"Keyword": keyword} if keyword else None,
    )


@FEW
@given(
    events=events_of,
    encoding=encodings,
    culture=cultures,
    offset=offsets,
    message=said_words,
    type_line=st.booleans(),
    use_culture=st.booleans(),
)
def test_winevent_csv_comes_back_with_local_times(
    events, encoding, culture, offset, message, type_line, use_culture
):
    data = exports.get_winevent_csv(
        events,
        **NAMED,
        utc_offset=offset,
        culture=culture,
        message=lambda _: message,
        type_line=type_line,
        use_culture=use_culture,
        encoding=encoding,
    )
    found = read(data, "get_winevent_csv")

    def row(event, place):
        shown = words(Message=message, Level=LEVELS[culture.name][event.level])
        local = {"@local_time": wall(event, offset, culture.name)}
        return without(whole(event, place), "time_created") | {"data": local | shown}

    assert_same(found, table(events, row))
    for lost in ("time zone", "event data", "fractions of seconds"):
        assert lost in said(found)


def test_winevent_csv_has_its_27_columns():
    data = exports.get_winevent_csv(RAS, **NAMED, utc_offset=0)
    assert data.split(b"\r\n")[0].count(b",") == 26
    assert data.isascii()


@FEW
@given(events=events_of, encoding=encodings, culture=cultures, message=said_words)
def test_winevent_json_of_5_1_comes_back_to_the_millisecond(events, encoding, culture, message):
    data = exports.get_winevent_json_51(
        events, **NAMED, culture=culture, message=lambda _: message, encoding=encoding
    )
    found = read(data, "get_winevent_json")

    def row(event, place):
        shown = spoken(event, culture, message)
        return whole(event, place) | {"time_created": utc(event.time, 10_000), "data": shown}

    assert_same(found, table(events, row))
    assert "event data, but for what the message says" in said(found)
    assert "fractions of milliseconds" in said(found)


def local_iso(time, offset):
    """.NET's form of a local time: no zeros at the end of its decimals."""
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    text = iso(time + offset * 600_000_000).rstrip("0").rstrip(".")
    return f"{text}{sign}{minutes // 60:02}:{minutes % 60:02}"


def in_dotnet(value, offset, binary):
    if isinstance(value, Typed):
        if value.kind == "filetime":
            return local_iso(value.value, offset)
        if value.kind == "binary":
            return binary(value.value)
        return str(value.value)
    return xml(value)


def listed(event, offset, binary):
    data = event.data.fields if isinstance(event.data, UserData) else event.data
    plain = list(data.values()) if isinstance(data, dict) else list(data)
    plain += [Typed("binary", event.binary)] if event.binary else []
    return [in_dotnet(value, offset, binary) or "" for value in plain]


@pytest.mark.parametrize("layout", ["json 7", "clixml"])
@FEW
@given(events=events_of, encoding=encodings, culture=cultures, offset=offsets, message=said_words)
def test_winevent_objects_come_back_with_values_without_names(
    layout, events, encoding, culture, offset, message
):
    write, kind, binary = {
        "json 7": (
            exports.get_winevent_json_7,
            "get_winevent_json",
            lambda one: " ".join(map(str, one)),
        ),
        "clixml": (
            exports.get_winevent_clixml,
            "get_winevent_clixml",
            lambda one: one.hex().upper(),
        ),
    }[layout]
    data = write(
        events,
        **NAMED,
        utc_offset=offset,
        culture=culture,
        message=lambda _: message,
        encoding=encoding,
    )
    found = read(data, kind)

    def row(event, place):
        inner = listed(event, offset, binary)
        shown = spoken(event, culture, message)
        if layout == "clixml":
            shown["RenderingInfo"].pop("Keywords", None)
        return whole(event, place) | {"data": ({"Data": inner} if inner else {}) | shown}

    assert_same(found, table(events, row))
    if any(listed(event, offset, binary) for event in events):
        assert "the names of the event data's values" in said(found)
    assert "fractions" not in said(found)
