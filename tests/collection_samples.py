"""Folders, logs and archives to read evidence from, and what was read of them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from kitlib.simulate.evtx import Event, encode_log, ticks

if TYPE_CHECKING:
    from pathlib import Path

    from kitlib import store

LOGS = "Windows/System32/winevt/Logs"
HOTFIX = b'"HotFixID","InstalledOn"\r\n"KB5009543","1/13/2022 12:00:00 AM"\r\n'


def at(minute: int, fraction: str = "1234567") -> str:
    return f"2022-01-{12 + minute // 1440:02d}T{minute // 60 % 24:02d}:{minute % 60:02d}:00.{fraction}Z"


def event(
    minute: int, *, fraction: str = "1234567", computer: str = "", channel: str = ""
) -> Event:
    return Event(
        provider="RasClient",
        event_id=20227,
        time=ticks(at(minute, fraction)),
        data=["{2b7e}", "CORP\\a", "VPN", "789"],
        computer=computer,
        channel=channel,
    )


def log(
    host: str, *, first: int = 1, count: int = 3, channel: str = "Application", **more: str
) -> bytes:
    events = [event(number, **more) for number in range(first, first + count)]
    return encode_log(events, channel=channel, computer=host, first_record_id=first)


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def zipped(members: dict[str, bytes], *, go: bool = False) -> bytes:
    """Pack; `go` writes data descriptors, as Velociraptor's zip writer does."""
    raw = io.BytesIO()
    target = Unseekable(raw) if go else raw
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return raw.getvalue()


class Unseekable(io.RawIOBase):
    """A pipe: what is written to it cannot be gone back to."""

    def __init__(self, raw: io.BytesIO) -> None:
        self._raw = raw

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        return self._raw.write(data)


def cabinet(members: dict[str, bytes], *, method: int = 1, block: int = 32768) -> bytes:
    """Write a cabinet of one folder, packed by MSZIP (1) or stored (0); 3 claims LZX."""
    content = b"".join(members.values())
    blocks, window = [], b""
    for begin in range(0, len(content), block):
        plain = content[begin : begin + block]
        packed = plain
        if method:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=window)
            packed = b"CK" + packer.compress(plain) + packer.flush()
        blocks.append(struct.pack("<IHH", 0, len(packed), len(plain)) + packed)
        window = plain[-32768:]
    files, offset = b"", 0
    for name, data in members.items():
        files += struct.pack("<IIHHHH", len(data), offset, 0, 0, 0, 0x20) + name.encode() + b"\0"
        offset += len(data)
    files_at = 36 + 8
    data_at = files_at + len(files)
    size = data_at + sum(map(len, blocks))
    head = struct.pack(
        "<4s5I2B5H", b"MSCF", 0, size, 0, files_at, 0, 3, 1, 1, len(members), 0, 0, 0
    )
    folder = struct.pack("<IHH", data_at, len(blocks), method)
    return head + folder + files + b"".join(blocks)


def records(evidence: store.Evidence) -> list[str]:
    """Record references, as the contract writes them."""
    rows = evidence.events.itertuples()
    return sorted(f"{row.host}/{row.channel}#{row.record_id}" for row in rows)


def refs(host: str, *numbers: int, channel: str = "Application") -> list[str]:
    return [f"{host}/{channel}#{number}" for number in numbers]


def kinds(evidence: store.Evidence) -> dict[str, tuple[str, str, int]]:
    rows = evidence.files.itertuples()
    return {row.path: (row.kind, row.host, row.records) for row in rows}


def reasons(evidence: store.Evidence, path: str) -> list[str]:
    problems = evidence.problems
    return problems.loc[problems["path"] == path, "reason"].tolist()


def update_hosts(evidence: store.Evidence) -> dict[str, set[str]]:
    return evidence.updates.groupby("path")["host"].agg(set).to_dict()
