"""What became of an update, told by a message in any language or by a history's entry alone."""

from __future__ import annotations

import pytest
import worlds
from collection_samples import put

import kitlib as kit
from kitlib.reconcile import reconcile_updates
from kitlib.simulate import exports
from kitlib.simulate.evtx import Event, ticks
from kitlib.timeline import build_timeline

UPDATED = {
    "Installation erfolgreich: Das folgende Update wurde installiert. 2022-01 (KB5009543)": "KB5009543",
    "Installation Successful: Windows successfully installed the following update: 9N-App.": "9N-App",
    "Installation erfolgreich: Das folgende Update wurde installiert. 9N-App": "",
}


@pytest.mark.parametrize("message", UPDATED)
def test_an_update_is_named_by_its_message_a_kb_number_in_any_language(message, tmp_path):
    event = Event(
        provider=worlds.UPDATES,
        event_id=19,
        time=ticks("2022-01-12T06:41:17.0000000Z"),
        data={"updateTitle": ""},
    )
    content = exports.get_winevent_json_51(
        [event], channel="System", computer="PC1", message=lambda _: message
    )
    facts = build_timeline(kit.read_evidence(put(tmp_path, {"a.json": content})))
    (fact,) = facts[["action", "change"]].to_dict("records")
    assert fact == {"action": "update_installed", "change": UPDATED[message]}


def test_servicing_is_read_from_english_messages(tmp_path):
    states = {"PackageIdentifier": "KB5009543", "IntendedPackageState": "Absent"}
    time = ticks("2022-01-14T09:00:00.0000000Z")
    events = [
        Event(provider=worlds.SERVICING, event_id=number, time=time, data=states | more)
        for number, more in ((4, {}), (2, {}), (3, {"ErrorCode": "0x800f0825"}))
    ]
    content = exports.event_viewer_csv(events, channel="Setup", utc_offset=60)
    facts = build_timeline(kit.read_evidence(put(tmp_path, {"PC1/Setup.csv": content})))
    assert set(zip(facts["action"], facts["change"], facts["code"], strict=True)) == {
        ("uninstall_restart_needed", "KB5009543", ""),
        ("update_uninstalled", "KB5009543", ""),
        ("update_uninstall_failed", "KB5009543", "0x800f0825"),
    }


@pytest.mark.parametrize(
    ("columns", "action"),
    [
        ({"hresult": "0x80242014"}, "update_restart_needed"),
        ({"hresult": "0x00240005"}, "update_restart_needed"),
        ({"source_kind": "dism_packages"}, "update_restart_needed"),
        ({"operation": "uninstall", "hresult": "0x80242014"}, "uninstall_restart_needed"),
        ({"operation": "uninstall"}, "update_uninstall_started"),
        ({}, "update_install_started"),
        ({"hresult": "0x80242014", "result_code": "failed"}, "update_install_failed"),
    ],
)
def test_an_entry_that_waits_for_a_restart_says_so(columns, action):
    row = worlds.update("01-12 08:00", **{"result_code": "in_progress", **columns})
    assert build_timeline(worlds.evidence(updates=[row]))["action"].tolist() == [action]


def test_an_update_that_only_a_history_calls_waiting_is_pending():
    row = worlds.update("01-27 11:00", worlds.FIX, result_code="in_progress", hresult="0x80242014")
    found = worlds.evidence(events=[worlds.boot_event("01-26 08:00", revision=1466)], updates=[row])
    (state,) = reconcile_updates(build_timeline(found)).to_dict("records")
    assert (state["change"], state["state"]) == (worlds.FIX, "pending_reboot")
