"""Drivers, products and policy that `simulate` writes are read back as the changes they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from kitlib import schema
from kitlib.changes import told_changes
from kitlib.classify import classify
from kitlib.exposure import find_exposure
from kitlib.readers.evtx import read_evtx
from kitlib.simulate.background import policy_notes
from kitlib.simulate.deeds import Change
from kitlib.simulate.logs import write_logs
from kitlib.simulate.notes import shapes
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.vocabulary import Package
from kitlib.simulate.world import grow

DRIVER = Package(name="nic", title="Fabrikam - Net - 2.0.1.7", kind="driver")
OWN = Package(name="nic", title="Fabrikam Ethernet Adapter", kind="driver", version="2.0.1.7")
PRODUCT = Package(name="vpn", title="Kontor VPN", kind="application", version="5.1", maker="Kontor")


@pytest.fixture(scope="module")
def world():
    return grow(load_scenario("quiet"), seed=1)


def change(world, package, day, do="install", by="windows_update"):
    time = world.start + timedelta(days=day, hours=9)
    return Change(
        do=do,
        by=by,
        package=package,
        begun=time - timedelta(minutes=9),
        started=time - timedelta(minutes=5),
        staged=time,
        effective=time,
        activity="11111111-2222-3333-4444-555555555555",
    )


def facts(world, tmp_path, *changes):
    """What the kit reads in the logs of a host to which nothing else was done."""
    host = world.hosts[0]
    quiet = replace(host.deeds, changes=changes, boots=())
    parts = []
    for log in write_logs(world, replace(host, deeds=quiet, attempts=())):
        path = tmp_path / log.file
        path.write_bytes(log.content)
        parts.append(classify(read_evtx(path)))
    return schema.concat("timeline", parts).sort_values("time", ignore_index=True)


def spans(timeline, names):
    df = find_exposure(timeline)
    df = df[df["change"].str.startswith(names)]
    return [
        (change, kind, pd.notna(end))
        for change, kind, end in zip(df["change"], df["kind"], df["end"], strict=True)
    ]


@pytest.mark.parametrize("package", [DRIVER, OWN])
def test_a_driver_by_windows_update_has_one_name(world, tmp_path, package):
    timeline = facts(world, tmp_path, change(world, package, 5))
    assert "driver_installed" in set(timeline["action"])
    assert package.label in {name for name, _, _ in spans(timeline, "Fabrikam")}


def test_a_driver_put_on_by_hand_goes_by_its_device_and_ends_with_its_removal(world, tmp_path):
    on = change(world, DRIVER, 5, by="wusa")
    off = change(world, DRIVER, 9, do="uninstall", by="settings")
    timeline = facts(world, tmp_path, on, off)
    assert spans(timeline, "Fabrikam") == [("Fabrikam Net Adapter 2.0.1.7", "driver", True)]
    assert not timeline["change"].eq("").where(timeline["action"].str.startswith("update")).any()


def test_a_product_brings_its_service_and_ends_with_its_removal(world, tmp_path):
    on, off = change(world, PRODUCT, 5), change(world, PRODUCT, 9, do="uninstall")
    timeline = facts(world, tmp_path, on, off)
    assert "Kontor VPN Service" in set(timeline["change"])
    assert spans(timeline, "Kontor VPN") == [("Kontor VPN 5.1", "application", True)]
    assert "Kontor VPN Service" not in set(told_changes(timeline)["change"])


def test_policy_notes_find_news_on_the_same_days_everywhere(world):
    per_host = [list(policy_notes(world, host)) for host in world.hosts[:6]]
    assert {note.kind for notes in per_host for note in notes} == {"policy_kept", "policy_new"}
    assert {shapes()[kind].log for kind in ("policy_kept", "policy_new")} == {"System"}
    days = [{n.time.date() for n in notes if n.kind == "policy_new"} for notes in per_host]
    every = set.union(*days)
    assert 1 <= len(every) <= 14
    for notes in per_host:
        news = sum(note.kind == "policy_new" for note in notes)
        assert news < len(notes) / 5
