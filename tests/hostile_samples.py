"""Evidence that means harm, or met with harm, read beside a good log of host WS9."""

from __future__ import annotations

import io
import sys
import tarfile
from typing import TYPE_CHECKING

from collection_samples import put

from kitlib import ingest as ingesting
from kitlib.evidence import assemble
from kitlib.simulate.evtx import Event, encode_log, ticks

if TYPE_CHECKING:
    from pathlib import Path

    from kitlib.collection import Limits
    from kitlib.store import Evidence

EVIL = "\x1b[2J\x1b]0;gone\x07WS\u202e1000\u2066<script>alert(1)</script></script>\x9b31m"
EVENT = (
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
    "<Provider Name='P'/><EventID>1</EventID><TimeCreated SystemTime='2022-01-12T10:00:0{0}Z'/>"
    "<EventRecordID>{0}</EventRecordID><Channel>Application</Channel><Computer>WS1</Computer>"
    "</System><EventData><Data Name='a'>{1}</Data></EventData></Event>"
)


def log(host: str = "WS9", *, user: str = "CORP\\a", count: int = 3, first: int = 1) -> bytes:
    events = [
        Event(
            provider="RasClient",
            event_id=20227,
            time=ticks(f"2022-01-12T10:{number:02d}:00.1234567Z"),
            data=["{2b7e}", user, "VPN", "789"],
        )
        for number in range(first, first + count)
    ]
    return encode_log(events, channel="Application", computer=host, first_record_id=first)


GOOD = log()


def read(tmp_path: Path, files: dict[str, bytes], *, limits: Limits | None = None) -> Evidence:
    """Read files beside a good log, and hold that the good log is read whole."""
    root = put(tmp_path / "e", {"good/good.evtx": GOOD, **files})
    units = ingesting.run(root, workers=1, limits=limits)
    evidence = assemble(units, name="e")
    assert (evidence.events["path"] == "good/good.evtx").sum() == 3
    return evidence


def tarred(*entries: tuple[tarfile.TarInfo, bytes], packed: bool = True) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz" if packed else "w") as made:
        for info, content in entries:
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def com(**changed: object) -> dict[str, object]:
    row = {"date_utc": "2022-01-12T03:15:41Z", "Title": "Update (KB5009543)", "Operation": 1}
    return row | {"ResultCode": 2, "hresult": "0x0", "update_id": "", "host": "WS1"} | changed


def counted(job, *, lines: bool = False) -> int:
    """Count the calls, or lines, of a job: work, which does not depend on the machine's load."""
    seen = 0

    def count(_frame, event, _arg):
        nonlocal seen
        seen += event in (("line",) if lines else ("call", "c_call"))
        return count

    before = sys.gettrace(), sys.getprofile()
    (sys.settrace if lines else sys.setprofile)(count)
    try:
        job()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return seen
