"""A written record has the templates, values and types that Windows gives such a record."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from written_events import NOON, SERVICE, SERVICED, chunks_of, log_of, u32_at

from kitlib.simulate import evtx as sim
from kitlib.simulate.evtx import Event, UserData

if TYPE_CHECKING:
    from pathlib import Path


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
