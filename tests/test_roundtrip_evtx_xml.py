"""EVTX and Windows' XML keep everything that an event says; only a code page spoils letters, and is stated."""

from __future__ import annotations

import pandas as pd
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
    microseconds,
    payload,
    read,
    said_words,
    table,
    whole,
)

from kitlib import schema
from kitlib.errors import UsageError
from kitlib.readers.evtx import read_evtx_bytes
from kitlib.simulate import exports
from kitlib.simulate.evtx import Event, UserData, encode_log, ticks


def in_a_record(event):
    """The payload in EVTX: records without names have a place for strings and binary part."""
    found = payload(event, microseconds)
    manifest = event.provider_guid and event.qualifiers is None
    if isinstance(event.data, (dict, UserData)) or (manifest and not found):
        return found
    return {"Data": [""], "Binary": None} | found


@pytest.mark.parametrize("engine", ["evtx", "python-evtx"])
@FEW
@given(events=events_of)
def test_evtx_comes_back_whole_from_both_engines(engine, events):
    found = read_evtx_bytes(encode_log(events, **NAMED), name="", engine=engine)
    expected = table(events, lambda e, n: whole(e, n) | {"data": in_a_record(e)})
    assert found.attrs["problems"].empty
    pd.testing.assert_frame_equal(found, expected, check_flags=False)


@FEW
@given(events=events_of, encoding=encodings, root=st.sampled_from(["", "Events", "Log"]))
def test_wevtutil_xml_comes_back_whole(events, encoding, root):
    found = read(exports.wevtutil_xml(events, **NAMED, root=root, encoding=encoding), "event_xml")
    assert_same(found, table(events, whole))
    assert found.problems.empty


RENDERED = {
    "RenderedXml": exports.rendered_xml,
    "Event Viewer": exports.event_viewer_xml,
}


@pytest.mark.parametrize("layout", RENDERED)
@FEW
@given(events=events_of, encoding=encodings, culture=cultures, message=said_words)
def test_rendered_xml_comes_back_with_its_words(layout, events, encoding, culture, message):
    data = RENDERED[layout](
        events, **NAMED, culture=culture, message=lambda _: message, encoding=encoding
    )
    found = read(data, "event_xml")

    def row(event, place):
        keyword = audit(event, culture.name)
        shown = {
            "@Culture": culture.name,
            "Message": message,
            "Level": LEVELS[culture.name][event.level],
            **dict.fromkeys(("Task", "Opcode", "Channel", "Provider")),
            "Keywords": {"Keyword": keyword} if keyword else None,
        }
        full = whole(event, place)
        return full | {"data": full["data"] | {"RenderingInfo": shown}}

    assert_same(found, table(events, row))
    assert found.problems.empty


@pytest.mark.parametrize("page", ["cp850", "cp437", "cp1252"])
@pytest.mark.parametrize("text", ["plain", "Größe"])
def test_a_code_page_spoils_letters_only_and_is_stated(page, text):
    event = Event(provider="P", event_id=1, time=ticks("2022-01-12"), data={"a": text, "b": "789"})
    found = read(exports.wevtutil_xml([event], **NAMED, encoding=page), "event_xml")
    kept = text.encode(page).decode("cp1252")
    row = {**whole(event), "data": {"a": kept, "b": "789"}}
    assert_same(found, schema.frame("events", [row]))
    assert ("code page" in said(found)) == (not text.isascii())


def test_an_encoding_that_is_none_is_refused():
    with pytest.raises(UsageError, match="cannot be written"):
        exports.wevtutil_xml(RAS, **NAMED, encoding="no-such-page")
