"""What the truth of a family's world says: how its hosts end, which labels the verdict names."""

from __future__ import annotations

from collections import Counter

import pytest
from simulated import told
from simulated_families import TABLES, growing

from kitlib.schema import STATUSES


@pytest.fixture(scope="module")
def grown():
    with growing() as get:
        yield get


def statuses(world):
    return Counter(host["status"] for host in told(world)["hosts"])


FATES = {
    "big-bang-reversal": {"recovered", "workaround_only", "not_affected"},
    "fix-not-rebooted": {"pending_reboot", "recovered", "not_affected"},
    "unused-since": {"unconfirmed", "recovered", "not_affected"},
    "partial-logs": {"no_data", "recovered", "not_affected"},
    "app-guilty": {"workaround_only", "still_failing", "not_affected"},
    "no-kb-recovery": {"workaround_only", "not_affected"},
    "one-night": {"still_failing", "not_affected"},
    "reimaged": {"no_data", "recovered", "not_affected"},
}


@pytest.fixture(scope="module")
def fates(grown):
    return {name: statuses(grown(name, 24)) for name in FATES}


@pytest.mark.parametrize("name", FATES)
def test_hosts_end_as_the_family_says(name, fates):
    assert FATES[name] <= set(fates[name])


def test_every_status_of_the_contract_occurs(fates):
    assert set().union(*fates.values()) == set(STATUSES)


def test_the_change_of_a_world_with_two_updates_together_names_both(grown):
    assert told(grown("together-all", 12))["verdict"] == {
        "status": "not_separable",
        "changes": ["KB5008876", "KB5009543"],
        "competing": [],
        "known": True,
        "also_right": [],
    }


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("driver-guilty", ["Nordnetz - Net - 11.4.2.107"]),
        ("app-guilty", ["Faxdienst Klient 5.2.1"]),
        ("dst-change", ["KB5011487", "KB5011493"]),
        ("superseding", ["KB5009543", "KB5009566", "KB5010793"]),
        ("fix-then-regression", ["KB5009543", "KB5009566", "KB5009596"]),
        ("more-logging", []),
    ],
)
def test_the_verdict_names_the_labels_of_the_guilty_change(name, changes, grown):
    assert told(grown(name, 12))["verdict"]["changes"] == changes


def test_what_needs_many_hosts_cannot_be_known_of_12(grown):
    for name in ("together-90", "small-share-patched", "slow-burn"):
        assert told(grown(name, 12))["verdict"]["known"] is False
        assert TABLES[name]["verdict"]["known_from"] <= 60
