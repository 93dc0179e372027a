"""Events of any content, and the tables that must come back when they are written and read.

The expected tables are made here from the events alone, by the plainest code: `whole` is a row with
everything, and each dialect says what it changes. Readers and writers share nothing with it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st

from kitlib import readers, schema
from kitlib.simulate import evtx, exports
from kitlib.simulate.evtx import Event, Typed, UserData, ticks

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


def strings_of(event):
    """The values as Windows prints them, in no spelling but its own."""
    data = event.data.fields if isinstance(event.data, UserData) else event.data
    out = []
    for value in data.values() if isinstance(data, dict) else data:
        text = value if isinstance(value, str) else xml(value)
        braced = isinstance(value, Typed) and value.kind == "guid"
        out.append(f"{{{text}}}" if braced else text)
    return out


def pairs(event):
    """Names, None where there is none, and values of the event data."""
    data = payload(event)
    unnamed = (
        [(None, text) for text in data.pop("Data", [])]
        if not isinstance(event.data, (dict, UserData))
        else []
    )
    return [*unnamed, *data.items()]


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


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found.events, expected)


NAMED = {"channel": "System", "computer": COMPUTER, "first_record_id": FIRST}


# --- connections of RasClient -----------------------------------------------------------------

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
