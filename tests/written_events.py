"""Events for the tests of the EVTX writer: a sample of each shape, and any others at random."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from kitlib.simulate import evtx as sim
from kitlib.simulate.evtx import Event, Typed, UserData, encode_log, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOON = ticks("2022-01-12T12:00:00.1234567Z")
SETUP = "http://manifests.microsoft.com/win/2004/08/windows/setup_provider"
CONNECTION = "{B4000371-A67F-452F-AA4C-3125AA9CFC78}"

# ---- samples -------------------------------------------------------------------------------------

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


def many(count: int) -> list[Event]:
    return [replace(SAMPLE[n % len(SAMPLE)], time=NOON + n) for n in range(count)]


# ---- at random -----------------------------------------------------------------------------------

BITS = {"u8": 8, "i8": 8, "u16": 16, "i16": 16, "u32": 32, "i32": 32, "u64": 64, "i64": 64}

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


# ---- as a log ------------------------------------------------------------------------------------


def log_of(events: Sequence[Event], **options: Any) -> bytes:
    return encode_log(events, channel="Application", computer="WS0001.corp.example", **options)


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "log.evtx"
    path.write_bytes(content)
    return path


def chunks_of(content: bytes) -> list[bytes]:
    assert (len(content) - 4096) % 65536 == 0
    return [content[at : at + 65536] for at in range(4096, len(content), 65536)]


def u32_at(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "little")
