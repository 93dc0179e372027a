"""Evidence as people hand it over: every host in another form, copies, damage, and bystanders.

What was planted is known, so each claim of the analysis can be held against it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from collection_samples import put
from messy_folder import BYSTANDERS, MAY_HOLD_MORE, NAMES, Desk, log_of, messy

import kitlib as kit
from kitlib.simulate import logs
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.truth import truth
from kitlib.simulate.world import grow

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def world():
    whole = load_scenario("founding-office")
    kept = tuple(host for host in whole.hosts if host.names[0] in NAMES)
    return grow(replace(whole, hosts=kept), seed=7)


@pytest.fixture(scope="module")
def case(world, tmp_path_factory):
    root = tmp_path_factory.mktemp("messy")
    put(root, messy(world))
    return kit.analyze(root, "kb5009543")


CANNOT_BE_KNOWN = {
    "PC-JONAS": "no log of the channel that would show it",
    "LT-IDA": "in local time of an unknown UTC offset",
}
"""Hosts whose evidence cannot tell what is true of them, and what the kit says of it."""
HANDED = {"PC-JONAS": (), "LT-IDA": ("Application",)}
"""Logs of hosts of which not all were handed over."""


def test_every_host_of_a_messy_folder_has_its_name_and_its_status(world, case):
    written = {host.name: tuple(logs.write_logs(world, host)) for host in world.hosts}
    true = {host["host"]: host["status"] for host in truth(world, written)["hosts"]}
    told = case.recovery.set_index("host")
    expected = true | dict.fromkeys(CANNOT_BE_KNOWN, "no_data")
    assert told["status"].to_dict() == expected
    for host, words in CANNOT_BE_KNOWN.items():
        assert words in told.loc[host, "why"]
        assert told.loc[host, "at_risk"]
    assert case.cause.status == "supported"
    assert set(case.cause.changes) == {"KB5009543", "KB5009566", "KB5009557"}


def test_every_attempt_that_a_messy_folder_holds_is_found(world, case):
    found = case.attempts.groupby("host").size().to_dict()
    planted = {
        host.name: len({n for log in logs.write_logs(world, host) for n in log.visible})
        for host in world.hosts
        if HANDED.get(host.name) != ()
    }
    assert found == planted


def test_every_record_of_a_messy_folder_is_used_or_its_loss_is_stated(world, case):
    evidence = case.evidence
    lost = evidence.problems.groupby("path")["records_lost"].sum()
    for host in world.hosts:
        for name in HANDED.get(host.name, ("Application", "System")):
            number = len(log_of(world, host, name)[0])
            own = evidence.events[evidence.events["host"].str.split(".").str[0] == host.name]
            own = own[own["path"].isin(PATHS_OF[name](evidence))]
            paths = own["path"].unique()
            assert len(own) + sum(int(lost.get(path, 0)) for path in paths) == number, host.name


def _paths_like(*words: str) -> Callable[[kit.Evidence], list[str]]:
    return lambda evidence: [
        path
        for path in evidence.files["path"]
        if any(word in path.rpartition("/")[2].lower() for word in words)
    ]


PATHS_OF = {
    "Application": _paths_like("application", "anwendung", "app."),
    "System": _paths_like("system"),
}


def test_every_update_of_a_messy_folder_is_used(world, case):
    listed = case.evidence.updates.groupby("path").size()
    for path in case.evidence.files.query("kind in @DUMPS")["path"]:
        assert listed.get(path, 0) > 0, path
    bernd = Desk(world, "PC-BERND")
    known = case.evidence.updates[case.evidence.updates["path"] == "PC-BERND/CBS.log"]
    assert sorted(known["date"]) == sorted(pd.Timestamp(i.time) for i in bernd._packages())


DUMPS = (
    *("com_history_json", "get_hotfix", "systeminfo", "cbs_log", "registry_export", "wmic_qfe"),
    *("dism_packages", "reporting_events", "column_map_csv"),
)


def test_only_what_may_hold_more_counts_as_lost(case):
    problems = case.evidence.problems
    lost = problems[problems["records_lost"].fillna(1) > 0]
    assert set(lost["path"]) == {*MAY_HOLD_MORE, "LT-PAUL/Application.evtx"}
    kinds = case.evidence.files.set_index("path")["kind"]
    assert {kinds[path] for path in BYSTANDERS} == {"ignored", "empty"}
    assert set(kinds[list(MAY_HOLD_MORE)]) == {"unknown"}


def test_the_copies_of_a_log_count_once_and_are_named(case):
    problems = case.evidence.problems
    said = problems[problems["reason"].str.contains("the same content as")]
    assert sorted(said["path"]) == ["PC-ANNA/System.evtx", "PC-ANNA/alt/System (1).evtx"]


def test_a_gateway_log_without_year_and_zone_is_read(case):
    sessions = case.evidence.sessions
    assert set(sessions["path"]) == {"vpn/charon.log"}
    assert sessions["time_low"].notna().all()
