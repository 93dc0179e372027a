"""A list that names no channel covers the one that its records tell, and no more."""

from __future__ import annotations

import pandas as pd
import worlds

from kitlib.coverage import measure_coverage
from kitlib.timeline import build_timeline

RAS = {"channel": "", "provider": "RasClient", "path": "PC1/list.csv"}


def covered(*events):
    found = worlds.evidence(events=events)
    spans = measure_coverage(found, build_timeline(found))
    return spans.set_index("channel")["records"].to_dict()


def test_a_list_covers_the_channel_that_its_records_tell():
    dial = worlds.event("01-12 08:00", event_id=20221, **RAS)
    other = worlds.event("01-13 08:00", event_id=4242, **RAS | {"provider": "Somebody"})
    assert covered(dial, other) == {"Application": 2}
    # a list of several logs: only what is known of each record
    boot = worlds.boot_event("01-12 07:00", channel="", path="PC1/list.csv")
    assert covered(dial, other, boot) == {"": 1, "Application": 1, "System": 1}


def test_a_list_covers_the_channel_that_the_same_records_have_elsewhere():
    mine = worlds.event("01-12 08:00", event_id=4242, **RAS | {"provider": "Somebody"})
    theirs = worlds.event(
        "01-12 08:00", event_id=4242, channel="Application", provider="SOMEBODY", host="PC2"
    )
    assert covered(mine) == {"": 1}
    assert measure_coverage(found := worlds.evidence(events=[mine, theirs]), build_timeline(found))[
        "channel"
    ].tolist() == ["Application", "Application"]


def test_a_local_time_known_to_an_hour_counts_as_covered():
    span = {"@time_low": "2022-01-12T07:00:00Z", "@time_high": "2022-01-12T08:00:00Z"}
    dial = worlds.event("01-12 08:00", event_id=20221, **RAS | {"data": span})
    dial["time_created"] = pd.NaT
    wide = dial | {"data": span | {"@time_low": "2022-01-11T07:00:00Z"}}
    assert covered(dial) == {"Application": 1}
    assert covered(wide) == {}
