"""What a reading of event logs gives and counts as lost, and the real logs it is tried on."""

from __future__ import annotations

import io

from evtx_logs import classic, log_of

from kitlib.readers.chunks import walk
from kitlib.readers.evtx import read_evtx_bytes

REFUSED = "no engine could decode the record"
WUC = "Microsoft-Windows-WindowsUpdateClient"


def read(data, **options):
    return read_evtx_bytes(data, name="a.evtx", **options)


def payloads(*events, engine="auto"):
    return list(read(log_of(*events), engine=engine)["data"])


def many(count=400, **options):
    return log_of(*(classic("x" * 300, str(i)) for i in range(count)), **options)


def losses(df):
    problems = df.attrs["problems"]
    return dict(zip(problems["place"], problems["records_lost"], strict=True))


def real_logs(shared):
    """Every real log by its path below the folder of logs."""
    found = sorted((shared / "evtx").rglob("*.evtx"))
    assert len(found) >= 30
    return {path.relative_to(shared / "evtx").as_posix(): path for path in found}


def chunks_of(path):
    return chunks_in(path.read_bytes())


def chunks_in(data):
    return [slot.chunk for slot in walk(io.BytesIO(data[4096:])) if slot.chunk]
