"""Events written through every dialect and read back: the same table, but for what is said to be lost.

The expected tables are made here from the events alone, by the plainest code: `whole` is a row with
everything, and each dialect says what it changes. Readers and writers share nothing with it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitlib import classify, readers, schema
from kitlib.errors import UsageError
from kitlib.readers.events import messages
from kitlib.readers.evtx import read_evtx_bytes
from kitlib.simulate import evtx, exports
from kitlib.simulate.evtx import Event, Typed, UserData, encode_log, ticks

FEW = settings(max_examples=25, deadline=None)
GUID = "945a8954-c147-4acd-923f-40c45405a658"
COMPUTER = "PC01.corp.example"
FIRST = 70
OLDEST = datetime(1601, 1, 1, tzinfo=UTC)

# --- events ---------------------------------------------------------------------------------

hostile = st.sampled_from(
    [
        "=cmd|' /C calc'!A0",
        '+1,"2";\t3',
        '"',
        "'",
        ",",
        "a\r\nb\n\rc\r",
        "\r\n",
        " leading and trailing \t",
        "</Data></EventData></Event><Event>",
        "<![CDATA[x]]><!-- y --><?z?>&amp;&#65;",
        '{"Event": {"System": {}}}',
        '"winlog": {"event_id": 1}',
        "\x01\x08\x0b\x0c\x1b\x1f\x7f\x85",
        "\u2028\u2029\u200b\ufeff\ufffe",
        "\u202etxt.exe\u202c مرحبا שלום",
        "\U0001f600 東京 ñ\u0303 ß",
        "_x000D_ _x_ \\u0041 \\",
        "Index              : 999",
        "1/12/2022 1:00:01 PM",
        "None",
        "System.UInt32[]",
        "0X8024001E",
        "{945A8954-C147-4ACD-923F-40C45405A658}",
    ]
)
characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
texts = st.one_of(hostile, st.text(characters, max_size=20))
labels = st.from_regex(r"[A-Z][a-z]{2}[a-z0-9]{0,6}x", fullmatch=True)
times = st.integers(ticks("1990-01-01"), ticks("2099-12-31"))
guids = st.uuids().map(str)


def number(bits):
    return st.integers(0, 2**bits - 1)


typed = st.one_of(
    number(8).map(evtx.u8),
    number(32).map(evtx.u32),
    number(64).map(evtx.u64),
    st.integers(-(2**31), 2**31 - 1).map(evtx.i32),
    number(32).map(evtx.hex32),
    number(64).map(evtx.hex64),
    times.map(evtx.filetime),
    guids.map(evtx.guid),
    st.sampled_from(["S-1-5-18", "S-1-5-21-1-2-3-1001"]).map(evtx.sid),
    st.binary(min_size=1, max_size=6).map(evtx.binary),
)
values = st.one_of(texts, texts, typed, st.none(), st.booleans())
odd_names = st.sampled_from(["a b", "é\"'<&>", "=x", "Data.y"])
named = st.dictionaries(labels | odd_names, values, max_size=4)
binaries = st.none() | st.binary(min_size=1, max_size=6)
user_data = st.builds(
    UserData,
    root=st.just("Root"),
    namespace=st.just("urn:x"),
    fields=st.dictionaries(labels, values, max_size=4),
)
system = {
    "provider": st.sampled_from(["Microsoft-Windows-WindowsUpdateClient", 'Acme, "VPN"; <tool>\'']),
    "event_id": number(16),
    "time": times,
    "provider_guid": st.sampled_from(["", GUID]),
    "qualifiers": st.none() | number(16),
    "version": st.none() | number(8),
    "level": st.integers(0, 5),
    "task": number(16),
    "opcode": st.none() | number(8),
    "keywords": st.sampled_from([1 << 55, 1 << 63, 0, 0x8020000000000000, 0x8010000000000000])
    | number(64),
    "process_id": st.none() | number(32),
    "thread_id": st.none() | number(32),
    "activity_id": st.just("") | guids,
    "user_sid": st.sampled_from(["", "S-1-5-18", "S-1-5-21-1-2-3-1001"]),
    "computer": st.sampled_from(["", "FORWARDED"]),
    "channel": st.sampled_from(["", "Microsoft-Windows-Acme/Operational"]),
}
events_of = st.lists(
    st.one_of(
        st.builds(Event, data=named, binary=binaries, **system),
        st.builds(Event, data=st.lists(texts, max_size=4), binary=binaries, **system),
        st.builds(Event, data=user_data, **system),
    ),
    min_size=1,
    max_size=4,
)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le"])
cultures = st.sampled_from(exports.CULTURES)
offsets = st.sampled_from([0, 60, -480, 330, 840, -720])
said_words = texts.map(lambda text: f"Said: {text}")


# --- the oracle: what an event is, by the plainest code --------------------------------------


def spelt(text):
    """The one spelling of GUIDs and hexadecimal numbers; no text is None."""
    if re.fullmatch(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?", text):
        return text.strip("{}").lower()
    return (text.lower() if re.fullmatch(r"0[xX][0-9a-fA-F]+", text) else text) or None


def utc(time, step=1):
    """FILETIME as a timestamp, cut to steps of so many ticks."""
    cut = time // step * step
    whole_us = pd.Timestamp(OLDEST + timedelta(microseconds=cut // 10)).as_unit("ns")
    return whole_us + pd.Timedelta(cut % 10 * 100, unit="ns")


def iso(time, digits=7, mark="T"):
    at = OLDEST + timedelta(microseconds=time // 10)
    return at.strftime(f"%Y-%m-%d{mark}%H:%M:%S.") + f"{time % 10**7:07}"[:digits]


def xml(value):
    """A value as Windows' XML has it, in the table's spelling."""
    if value is None or isinstance(value, bool):
        return None if value is None else str(value).lower()
    if isinstance(value, str):
        return spelt(value)
    kinds = {
        "hex32": lambda one: f"0x{one:x}",
        "hex64": lambda one: f"0x{one:x}",
        "filetime": lambda one: iso(one) + "Z",
        "binary": lambda one: one.hex().upper(),
    }
    return kinds.get(value.kind, str)(value.value)


def microseconds(value):
    """The same where the program keeps microseconds."""
    if isinstance(value, Typed) and value.kind == "filetime":
        return iso(value.value, 6) + "Z"
    return xml(value)


def payload(event, spell=xml):
    data = event.data
    binary = {} if event.binary is None else {"Binary": event.binary.hex().upper()}
    if isinstance(data, UserData):
        return {"UserData": data.root, **{n: spell(v) for n, v in data.fields.items()}}
    if isinstance(data, dict):
        return {n: spell(v) for n, v in data.items()} | binary
    return ({"Data": [spelt(v) or "" for v in data]} if data else {}) | binary


def whole(event, place=0):
    """Everything that an event says, as a row of the table."""
    return {
        "host": event.computer or COMPUTER,
        "time_created": utc(event.time),
        "channel": event.channel or "System",
        "provider": event.provider,
        "event_id": event.event_id,
        "version": event.version,
        "level": event.level,
        "task": event.task,
        "opcode": event.opcode,
        "keywords": f"0x{event.keywords:016x}",
        "record_id": FIRST + place,
        "process_id": event.process_id,
        "thread_id": event.thread_id,
        "user_id": event.user_sid,
        "activity_id": event.activity_id,
        "qualifiers": event.qualifiers,
        "data": payload(event),
    }


def without(row, *columns):
    texts_of = {name for name, (kind, _) in schema.TABLES["events"].items() if kind == schema.TEXT}
    return row | {name: "" if name in texts_of else None for name in columns}


def table(events, row):
    """The expected table: `row` of each event and its place."""
    return schema.frame("events", [row(event, place) for place, event in enumerate(events)])


def words(**said):
    return {"RenderingInfo": {name: word for name, word in said.items() if word}}


LEVELS = {
    "en-US": ["Information", "Critical", "Error", "Warning", "Information", "Verbose"],
    "de-DE": ["Informationen", "Kritisch", "Fehler", "Warnung", "Informationen", "Ausführlich"],
    "fr-FR": ["Information", "Critique", "Erreur", "Avertissement", "Information", "Commentaires"],
    "es-CO": ["Información", "Crítico", "Error", "Advertencia", "Información", "Detallado"],
}
AUDITS = {
    "en-US": ["Audit Success", "Audit Failure"],
    "de-DE": ["Überwachung erfolgreich", "Überwachung gescheitert"],
    "fr-FR": ["Succès de l\u2019audit", "Échec de l\u2019audit"],
    "es-CO": ["Auditoría correcta", "Error de auditoría"],
}
NOTHING = {"en-US": "None", "de-DE": "Keine", "fr-FR": "Aucun", "es-CO": "Ninguno"}


def audit(event, culture="en-US"):
    success, failure = AUDITS[culture]
    return success if event.keywords >> 53 & 1 else failure if event.keywords >> 52 & 1 else ""


def wall(event, offset, culture):
    """What the culture prints of a host's local time."""
    at = OLDEST + timedelta(microseconds=event.time // 10, minutes=offset)
    clock = f"{at:%H:%M:%S}"
    hour = f"{at.hour % 12 or 12}:{at:%M:%S}"
    return {
        "en-US": f"{at.month}/{at.day}/{at.year} {hour} {'PM' if at.hour > 11 else 'AM'}",
        "de-DE": f"{at.day:02}.{at.month:02}.{at.year} {clock}",
        "fr-FR": f"{at.day:02}/{at.month:02}/{at.year} {clock}",
        "es-CO": f"{at.day}/{at.month:02}/{at.year} {hour} {'p.' if at.hour > 11 else 'a.'} m.",
    }[culture]


# --- comparing ------------------------------------------------------------------------------


def read(data, kind):
    """Let the recogniser choose, and read."""
    reader = readers.reader_for(data[: readers.HEAD_BYTES])
    assert reader is not None
    assert reader.kind == kind
    found = reader.read(data)
    schema.check("events", found.events)
    schema.check("problems", found.problems)
    assert found.problems["records_lost"].sum() == 0
    return found


def said(found):
    return "; ".join(found.problems["reason"])


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found.events, expected)


NAMED = {"channel": "System", "computer": COMPUTER, "first_record_id": FIRST}


# --- EVTX -----------------------------------------------------------------------------------


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


# --- XML ------------------------------------------------------------------------------------


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


# --- Event Viewer, Get-EventLog ---------------------------------------------------------------

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


def strings_of(event):
    """The values as Windows prints them, in no spelling but its own."""
    data = event.data.fields if isinstance(event.data, UserData) else event.data
    out = []
    for value in data.values() if isinstance(data, dict) else data:
        text = value if isinstance(value, str) else xml(value)
        braced = isinstance(value, Typed) and value.kind == "guid"
        out.append(f"{{{text}}}" if braced else text)
    return out


# --- Get-WinEvent -----------------------------------------------------------------------------


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


# --- other programs ---------------------------------------------------------------------------


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


def pairs(event):
    """Names, None where there is none, and values of the event data."""
    data = payload(event)
    unnamed = (
        [(None, text) for text in data.pop("Data", [])]
        if not isinstance(event.data, (dict, UserData))
        else []
    )
    return [*unnamed, *data.items()]


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


# --- EvtxECmd, Hayabusa -----------------------------------------------------------------------


def seen(text):
    """What EvtxECmd leaves of a text: a comma for what .NET has in category C."""
    hidden = r"[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    hidden += r"\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
    return re.sub(hidden, "\0", text)


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


# --- code pages -------------------------------------------------------------------------------


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


# --- RasClient --------------------------------------------------------------------------------

COID = "{B4000371-A67F-452F-AA4C-3125AA9CFC78}"
OTHER = "{C5000371-A67F-452F-AA4C-3125AA9CFC78}"


def ras(event_id, *data, level=4):
    second = event_id % 100
    return Event(
        provider="RasClient",
        event_id=event_id,
        time=ticks(f"2022-01-12T08:03:{second:02}.1234567Z"),
        data=data,
        qualifiers=0,
        level=level,
        keywords=0x80000000000000,
    )


RAS = [
    ras(
        20221,
        COID,
        "CORP\\alice",
        "VPN",
        "per-user",
        "Office VPN",
        "VpnStrategy = L2TP\nAutoLogon = No",
    ),
    ras(20222, COID, "CORP\\alice", "Office VPN", "Device = WAN Miniport (L2TP)\nPort = VPN2-1"),
    ras(20223, COID, "CORP\\alice", "Device = WAN Miniport (L2TP)\nPort = VPN2-1"),
    ras(20224, COID, "CORP\\alice"),
    ras(20225, COID, "CORP\\alice", "Office VPN", "TunnelIpAddress = 192.0.2.7"),
    ras(20226, COID, "CORP\\alice", "Office VPN", "829"),
    ras(20227, OTHER, "SYSTEM", "Office VPN", "789", level=2),
]
RAS_NAMED = {"channel": "Application", "computer": COMPUTER, "first_record_id": FIRST}
LOCAL = {"utc_offset": 60}
RAS_DIALECTS = {
    "wevtutil": lambda: exports.wevtutil_xml(RAS, **RAS_NAMED),
    "rendered": lambda: exports.rendered_xml(RAS, **RAS_NAMED, culture=exports.DE_DE),
    "event viewer xml": lambda: exports.event_viewer_xml(RAS, **RAS_NAMED),
    "event viewer csv": lambda: exports.event_viewer_csv(RAS, channel="Application", **LOCAL),
    "event viewer txt": lambda: exports.event_viewer_txt(RAS, channel="Application", **LOCAL),
    "get-eventlog": lambda: exports.get_eventlog_list(RAS, **RAS_NAMED, **LOCAL),
    "get-winevent csv": lambda: exports.get_winevent_csv(RAS, **RAS_NAMED, **LOCAL),
    "get-winevent json 5.1": lambda: exports.get_winevent_json_51(RAS, **RAS_NAMED),
    "get-winevent json 7": lambda: exports.get_winevent_json_7(RAS, **RAS_NAMED, **LOCAL),
    "get-winevent clixml": lambda: exports.get_winevent_clixml(RAS, **RAS_NAMED, **LOCAL),
    "evtx_dump": lambda: exports.evtx_dump_jsonl(RAS, **RAS_NAMED),
    "velociraptor": lambda: exports.velociraptor_jsonl(RAS, **RAS_NAMED),
    "winlogbeat": lambda: exports.winlogbeat_ndjson(RAS, **RAS_NAMED),
    "flat": lambda: exports.flat_jsonl(RAS, **RAS_NAMED),
    "evtxecmd csv": lambda: exports.evtxecmd_csv(RAS, **RAS_NAMED),
    "evtxecmd json": lambda: exports.evtxecmd_json(RAS, **RAS_NAMED),
}
WITHOUT_CHANNEL = {"event viewer csv", "event viewer txt", "get-eventlog"}
FACT = ["action", "outcome", "stage", "connection", "user", "target", "code"]


def ras_events(name):
    data = RAS_DIALECTS[name]()
    reader = readers.reader_for(data[: readers.HEAD_BYTES])
    return reader.read(data)


@pytest.mark.parametrize("name", RAS_DIALECTS)
def test_vpn_attempts_come_out_of_each_dialect_as_out_of_the_log(name):
    want = classify.classify(read_evtx_bytes(encode_log(RAS, **RAS_NAMED), name=""))
    assert len(want) == len(RAS)
    found = ras_events(name).events
    assert set(found["channel"]) == ({""} if name in WITHOUT_CHANNEL else {"Application"})
    pd.testing.assert_frame_equal(classify.classify(found)[FACT], want[FACT])


@pytest.mark.parametrize("name", RAS_DIALECTS)
def test_where_vpn_values_were_put_together_again_it_is_said(name):
    found = ras_events(name)
    marked = sum(messages.FROM_MESSAGE in data for data in found.events["data"])
    assert (marked > 0) == ("what their messages say" in said(found))
    assert ("evtxecmd" in name or name == "get-eventlog") == ("taken apart" in said(found))
    assert (name == "winlogbeat") == ("had been given names" in said(found))


def test_hayabusa_has_no_vpn_values():
    data = exports.hayabusa_csv(RAS, **RAS_NAMED, rules=lambda _: [("VPN", "info")])
    found = read(data, "hayabusa_csv").events
    assert set(found["channel"]) == {"Application"}
    assert classify.classify(found).empty  # neither provider nor values are there
