"""Lines of gateway logs of our own making, and what their readers are asked."""

from __future__ import annotations

import pandas as pd

from kitlib import readers, schema
from kitlib.readers.gateway.gateway_logs import GATEWAYS

BY_KIND = {reader.kind: reader for reader in GATEWAYS}
DASHBOARD = "Time(CET),Client,Event type,Details\n"
UP = '"""local_ip: 192.0.2.9, user_id: anna, remote_ip: 198.51.100.7"""'


def utc(stamp: str) -> pd.Timestamp:
    return pd.Timestamp(stamp, tz="UTC").as_unit("ns")


def exactly(stamp: str) -> tuple[object, ...]:
    return (utc(stamp), utc(stamp), utc(stamp))


def between(low: str, high: str) -> tuple[object, ...]:
    return (None, utc(low), utc(high))


NO_TIME = (None, None, None)


def times(row: pd.Series) -> tuple[object, ...]:
    cells = (row["time"], row["time_low"], row["time_high"])
    return tuple(None if pd.isna(cell) else cell for cell in cells)


def read(kind: str, content: str | bytes) -> readers.Parsed:
    data = content.encode() if isinstance(content, str) else content
    found = readers.reader_for(data[: readers.HEAD_BYTES])
    assert found is not None
    assert found.kind == kind
    return checked(found.read(data))


def checked(got: readers.Parsed) -> readers.Parsed:
    """Hold what every reader promises."""
    rows = schema.check("sessions", got.sessions)
    schema.check("problems", got.problems)
    assert set(rows["outcome"]) <= set(schema.OUTCOMES)
    assert (rows["action"] != "").all()
    known = rows[rows["time_low"].notna()]
    assert (known["time_low"] <= known["time_high"]).all()
    sure = rows[rows["time"].notna()]
    assert (sure["time_low"] <= sure["time"]).all()
    assert (sure["time"] <= sure["time_high"]).all()
    assert set(known["time_basis"]) <= set(schema.BASES)
    assert (rows.loc[rows["time_low"].isna(), "time_basis"] == "").all()
    return got


def reasons(got: readers.Parsed) -> str:
    return "\n".join(got.problems["reason"])


BSD = "Jan  3 07:36:33 gw charon[2440]: 01[IKE] <1> received proposals unacceptable\n"


def element(local: str, stated: str = "", packet: int = 1, more: str = "") -> str:
    inside = f'<Timestamp data_type="4">{local}</Timestamp>'
    inside += '<Computer-Name data_type="1">NPS1</Computer-Name>'
    inside += '<Event-Source data_type="1">IAS</Event-Source>'
    if stated:
        inside += f'<Event-Timestamp data_type="4">{stated}</Event-Timestamp>'
    inside += f'<Packet-Type data_type="0">{packet}</Packet-Type>{more}'
    return f"<Event>{inside}</Event>\r\n"


def forti(**changes: str) -> str:
    fields = {"date": "2022-01-12", "time": "09:30:00", "logid": '"0101040017"', "type": '"event"'}
    fields |= {"subtype": '"vpn"', "eventtime": "1641976200000000000", "tz": '"+0100"'} | changes
    return " ".join(f"{name}={value}" for name, value in fields.items() if value) + "\n"
