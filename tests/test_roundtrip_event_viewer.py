"""Lists of Event Viewer and of Get-EventLog come back with local times, and say what they do not keep."""

from __future__ import annotations

from dataclasses import replace

import pytest
from event_export_samples import said
from hypothesis import given
from hypothesis import strategies as st
from roundtrip_event_samples import (
    FEW,
    LEVELS,
    NAMED,
    NOTHING,
    assert_same,
    audit,
    cultures,
    encodings,
    events_of,
    offsets,
    read,
    said_words,
    strings_of,
    table,
    wall,
    whole,
    without,
    words,
)

from kitlib.simulate import exports

LISTS = {"csv": exports.event_viewer_csv, "txt": exports.event_viewer_txt}
LOST_BY_LISTS = (
    *("host", "time_created", "channel", "version", "task", "opcode", "keywords", "record_id"),
    *("process_id", "thread_id", "user_id", "activity_id", "qualifiers"),
)
WORDLESS = {"Commentaires"}
"""Words for a level that the kit does not know."""


@pytest.mark.parametrize("layout", LISTS)
@FEW
@given(
    events=events_of,
    encoding=encodings,
    culture=cultures,
    offset=offsets,
    channel=st.sampled_from(["System", "Security"]),
    message=said_words,
)
def test_event_viewer_lists_come_back_with_local_times(
    layout, events, encoding, culture, offset, channel, message
):
    events = [replace(event, channel="") for event in events]
    data = LISTS[layout](
        events,
        channel=channel,
        utc_offset=offset,
        culture=culture,
        message=lambda _: message,
        encoding=encoding,
    )
    found = read(data, "event_viewer_text")

    def row(event, place):
        name = culture.name
        first = LEVELS[name][event.level]
        level = None if first in WORDLESS else event.level or 4
        shown = {"Level": first}
        if channel == "Security":
            level = None
            shown = {"Keywords": {"Keyword": audit(event, name)}} if audit(event, name) else {}
        category = f"({event.task})" if event.task else NOTHING[name]
        said_all = words(**shown, Task=category, Message=message)
        local = {"@local_time": wall(event, offset, name)}
        lean = without(whole(event, place), *LOST_BY_LISTS)
        return lean | {"level": level, "data": local | said_all}

    assert_same(found, table(events, row))
    for lost in (
        *("host name", "channel", "record number", "time zone", "event data"),
        *("fractions of seconds", "level is 0 or 4"),
    ):
        assert lost in said(found)
    shown = {LEVELS[culture.name][event.level] for event in events} & WORDLESS
    assert ("Commentaires" in said(found)) == bool(shown and channel == "System")


@FEW
@given(events=events_of, encoding=encodings, culture=cultures, offset=offsets, message=said_words)
def test_eventlog_list_comes_back_with_its_message(events, encoding, culture, offset, message):
    data = exports.get_eventlog_list(
        events,
        **NAMED,
        utc_offset=offset,
        culture=culture,
        message=lambda _: message,
        encoding=encoding,
    )
    found = read(data, "get_eventlog_text")

    def row(event, place):
        entry = {1: "Error", 2: "Error", 3: "Warning"}.get(event.level, "Information")
        level = {"Error": 2, "Warning": 3, "Information": 4}[entry]
        if audit(event):
            entry, level = audit(event).replace("Audit ", "") + "Audit", None
        shown = [str(value if value is not None else "") for value in strings_of(event)]
        more = ["..."] if len(shown) > 4 else []
        kept = [*("channel", "time_created", "version", "task", "opcode", "keywords")]
        kept += ["process_id", "thread_id", "activity_id", "user_id"]
        lean = without(whole(event, place), *kept)
        joined = "{" + ", ".join([*shown[:4], *more]) + "}"
        lines = [line.strip() for line in joined.replace("\r\n", "\n").split("\n")]
        text = "\n".join(line for line in lines if line)
        lines = [line.strip() for line in message.replace("\r\n", "\n").split("\n")]
        spoken = "\n".join(line for line in lines if line)
        user = "NT AUTHORITY\\SYSTEM" if event.user_sid == "S-1-5-18" else event.user_sid
        return lean | {
            "level": level,
            "qualifiers": event.qualifiers or None,
            "data": {"@local_time": wall(event, offset, culture.name), "@ReplacementStrings": text}
            | ({"@UserName": user} if user else {})
            | words(Level=entry, Message=spoken),
        }

    assert_same(found, table(events, row))
    for lost in ("channel", "time zone", "event data", "fractions of seconds"):
        assert lost in said(found)
