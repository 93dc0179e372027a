"""Records that tell the zone of their host's clock: by an instant in their message, or by name."""

from __future__ import annotations

import pytest

from kitlib.readers import reader_for
from kitlib.readers.events import told_clocks
from kitlib.readers.payload import Row
from kitlib.simulate import exports
from kitlib.simulate.evtx import Event, ticks

LOCAL_TIME = "@local_time"


def kernel(message: str, local: str, *, event_id: int = 12, provider: str = "") -> Row:
    data = {LOCAL_TIME: local, "RenderingInfo": {"Message": message}}
    name = provider or "Microsoft-Windows-Kernel-General"
    return Row(None, data, provider=name, event_id=event_id)


@pytest.mark.parametrize(
    ("message", "local", "minutes"),
    [
        ("started at system time 2022-01-12T06:41:17.500000000Z.", "1/12/2022 7:41:18 AM", 60),
        # as it is printed in fact: with marks of the direction of reading, or blanks in their place
        (
            "zur Zeit \u200e2022\u200e-\u200e07\u200e-\u200e12T06:41:17.5Z",
            "12.07.2022 08:41:17",
            120,
        ),
        ("at system time  2022 - 01 - 12T06:41:17.500000000Z.", "12/1/2022 12:11:17", 330),
        # day and month may be either; the time in UTC knows
        ("x 2022-02-01T20:00:00.000000000Z", "01/02/2022 15:00:00", -300),
        ("x 2022-01-02T20:00:00.000000000Z", "01/02/2022 15:00:00", -300),
        ("x 2022-01-12T06:41:17.5Z", "12.01.2022 07:49:00", None),
        ("x 2022-01-12T06:41:17.5Z", "14.01.2022 07:41:17", None),
        ("x 2022-01-12T06:41:17.5Z y 2022-01-12T03:41:17.5Z", "12.01.2022 07:41:17", None),
        ("x 2022-13-12T06:41:17.5Z", "12.01.2022 07:41:17", None),
        ("x", "12.01.2022 07:41:17", None),
    ],
)
def test_a_message_with_its_time_in_utc_states_the_offset(message, local, minutes):
    rows = told_clocks.clocks([kernel(message, local)], LOCAL_TIME)
    assert [row["offset_low"] for row in rows] == ([] if minutes is None else [minutes])
    assert all(row["offset_high"] == row["offset_low"] for row in rows)


def test_only_the_kernels_records_state_an_offset():
    row = kernel("2022-01-12T06:41:17.5Z", "12.01.2022 07:41:17")
    others = [row._replace(event_id=7036), row._replace(provider="Somebody"), Row(1, {})]
    assert told_clocks.clocks(others, LOCAL_TIME) == []
    assert len(told_clocks.clocks([row], LOCAL_TIME)) == 1


def test_the_zone_that_evtxecmd_prints_among_empty_values_is_known():
    event = Event(
        provider="EventLog",
        event_id=6013,
        time=ticks("2022-01-12T11:00:00.0000000Z"),
        data=["", "", "", "", "480843", "60", "-60 W. Europe Standard Time"],
    )
    content = exports.evtxecmd_csv([event], channel="System", computer="PC1")
    (data,) = reader_for(content).read(content).events["data"]
    assert data["Data"] == event.data
