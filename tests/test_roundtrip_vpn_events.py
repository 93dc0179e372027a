"""VPN attempts of RasClient come out of each event export as out of the log itself, where its values are there."""

from __future__ import annotations

import pandas as pd
import pytest
from event_export_samples import said
from roundtrip_event_samples import COMPUTER, FIRST, RAS, read

from kitlib import classify, readers
from kitlib.readers.events import messages
from kitlib.readers.evtx import read_evtx_bytes
from kitlib.simulate import exports
from kitlib.simulate.evtx import encode_log

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
