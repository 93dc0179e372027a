"""Events come back from EvtxECmd and Hayabusa but for what these have no column for or cannot show."""

from __future__ import annotations

from dataclasses import replace

import pytest
from event_export_samples import said
from hypothesis import given
from hypothesis import strategies as st
from roundtrip_event_samples import (
    COMPUTER,
    FEW,
    FIRST,
    NAMED,
    assert_same,
    audit,
    encodings,
    events_of,
    iso,
    offsets,
    pairs,
    payload,
    read,
    spelt,
    strings_of,
    table,
    utc,
    whole,
    without,
    words,
    xml,
)

from kitlib.simulate import exports
from kitlib.simulate.evtx import Event, Typed, UserData, ticks


def joined(event):
    """The payload as EvtxECmd has it."""

    def spell(value):
        if isinstance(value, Typed) and value.kind == "filetime":
            return iso(value.value, mark=" ")
        if isinstance(value, Typed) and value.kind == "binary":
            return value.value.hex("-").upper()
        if isinstance(value, bool):
            return str(value)
        return xml(value)

    data = payload(event, spell)
    if event.binary is not None:
        data["Binary"] = event.binary.hex("-").upper()
    if "Data" in data and not isinstance(event.data, (dict, UserData)):
        filled = [text for text in event.data if text]
        data["Data"] = [spelt(", ".join(filled)) or ""]
    return data


visible = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], max_codepoint=0xFFFF), max_size=20
)
EVTXECMD = {"evtxecmd_csv": exports.evtxecmd_csv, "evtxecmd_json": exports.evtxecmd_json}


def only_visible(event, text):
    """The event with a text of visible characters in place of every text of its own."""

    def clear(value):
        return text if isinstance(value, str) and value else value

    if isinstance(event.data, UserData):
        fields = {name: clear(value) for name, value in event.data.fields.items()}
        return replace(event, data=replace(event.data, fields=fields))
    if isinstance(event.data, dict):
        return replace(event, data={name: clear(value) for name, value in event.data.items()})
    return event


@pytest.mark.parametrize("kind", EVTXECMD)
@FEW
@given(events=events_of, encoding=encodings, text=visible)
def test_evtxecmd_comes_back_but_for_what_has_no_column(kind, events, encoding, text):
    events = [only_visible(event, text) for event in events]
    found = read(EVTXECMD[kind](events, **NAMED, encoding=encoding), kind)

    def row(event, place):
        level = ["LogAlways", "Critical", "Error", "Warning", "Info", "Verbose"][event.level]
        word = audit(event) or ("Classic" if event.keywords >> 55 & 1 else "")
        shown = words(Level=level, Keywords={"Keyword": word} if word else None)
        gone = [
            "version",
            "task",
            "opcode",
            "qualifiers",
            "activity_id",
            *["keywords"] * bool(word),
        ]
        processes = {"process_id": event.process_id or 0, "thread_id": event.thread_id or 0}
        return without(whole(event, place), *gone) | processes | {"data": joined(event) | shown}

    assert_same(found, table(events, row))
    for lost in ("version, task, opcode, qualifiers and activity id", "keywords", "control"):
        assert lost in said(found)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\r\nb", "a, b"),
        ("\x01x\x1f\x7f", ", x, "),
        ("\u202etxt.exe\u202c", ", txt.exe, "),
        ("\U0001f600\U0001f600!", ", !"),
        ("ünï 東京", "ünï 東京"),
    ],
)
def test_evtxecmd_puts_a_comma_for_what_cannot_be_seen(text, left):
    event = Event(provider="P", event_id=1, time=ticks("2022-01-12"), data={"a": text})
    found = read(exports.evtxecmd_csv([event], **NAMED), "evtxecmd_csv")
    assert found.events["data"].iloc[0]["a"] == left


@FEW
@given(
    events=events_of,
    encoding=encodings,
    offset=st.none() | offsets,
    channel=st.sampled_from(["Application", "System", "Security"]),
    twice=st.booleans(),
)
def test_hayabusa_comes_back_as_detections(events, encoding, offset, channel, twice):
    rules = [('Rule, "one"', "high"), ("Rule two", "info")][: 2 if twice else 1]
    data = exports.hayabusa_csv(
        events,
        channel=channel,
        computer=COMPUTER,
        first_record_id=FIRST,
        rules=lambda _: rules,
        utc_offset=offset,
        encoding=encoding,
    )
    found = read(data, "hayabusa_csv")
    gone = ("provider", "version", "level", "task", "opcode", "keywords", "process_id")
    gone += ("thread_id", "user_id", "activity_id", "qualifiers")

    def row(event, place):
        lean = without(whole(event, place), *gone)
        named_as = [
            f"Data[{n}]" if name is None else name for n, (name, _) in enumerate(pairs(event), 1)
        ]
        shown = [str(text or "") for text in strings_of(event)]
        details = " ¦ ".join(f"{n}: {t}" for n, t in zip(fields_of(named_as), shown, strict=True))
        rule = {"@RuleTitle": [t for t, _ in rules], "@RuleLevel": [r for _, r in rules]}
        return lean | {
            "channel": event.channel or channel,
            "time_created": utc(event.time, 10 if offset is None else 10_000),
            "data": rule | ({"@Details": details} if details else {}),
        }

    assert_same(found, table(events, row))
    for lost in ("every event that no rule matched", "event data", "provider", "fractions"):
        assert lost in said(found)


def fields_of(names):
    """The names of the values alone: neither the root of user data nor the binary part."""
    return [name for name in names if name not in ("UserData", "Binary")]
