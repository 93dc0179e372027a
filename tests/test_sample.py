"""The sample: written again byte for byte, told truly by its README, and read right by the kit."""

from __future__ import annotations

import json
import re
import shutil
from importlib.resources import files

import pandas as pd
import pytest

import kitlib as kit
from kitlib.findings import findings_document, limits
from kitlib.incident import load_incident
from kitlib.simulate.fleet import simulate

SEED = 20220111
LIMIT = 15_000_000
DOCUMENTS = {"README.md"}


@pytest.fixture(scope="module")
def sample(root):
    return root / "sample_data"


@pytest.fixture(scope="module")
def truth(sample):
    return json.loads((sample / "truth.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def document(sample):
    return findings_document(kit.analyze(sample, "kb5009543"))


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in DOCUMENTS
    }


def test_simulate_writes_the_committed_sample_byte_for_byte(sample, tmp_path):
    written = contents(simulate("founding-office", seed=SEED, out=tmp_path / "again"))
    committed = contents(sample)
    assert sorted(written) == sorted(committed)
    assert [name for name in written if written[name] != committed[name]] == []


def test_the_sample_is_small_enough_to_clone(sample):
    assert sum(len(content) for content in contents(sample).values()) < LIMIT


def test_the_readme_tells_every_status_as_it_is_true(sample, truth):
    rows = re.findall(
        r"^\| ([A-Z]+-[A-Z]+) \|.*\| `(\w+)` \| (yes)? ?\|$",
        (sample / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    told = {host: (status, risk == "yes") for host, status, risk in rows}
    assert told == {h["host"]: (h["status"], h["at_risk"]) for h in truth["hosts"]}


def test_the_verdict_is_supported_with_every_label_of_the_change(document, truth):
    assert truth["verdict"]["status"] == "supported"
    assert document["verdict"]["status"] == "supported"
    assert sorted(document["verdict"]["changes"]) == sorted(truth["verdict"]["changes"])
    assert document["verdict"]["competing"] == []


@pytest.mark.parametrize("key", ["status", "at_risk", "recovered_by"])
def test_every_host_has_its_true(key, document, truth):
    found = {host["host"]: host[key] for host in document["hosts"]}
    assert found == {host["host"]: host[key] for host in truth["hosts"]}


@pytest.mark.parametrize("key", ["exposed_from", "onset", "recovered_at"])
def test_every_host_has_its_true_instant_of(key, document, truth):
    def instant(text):
        return None if text is None else pd.Timestamp(text).floor("us")

    found = {host["host"]: instant(host[key]) for host in document["hosts"]}
    assert found == {host["host"]: instant(host[key]) for host in truth["hosts"]}


@pytest.mark.parametrize("key", ["attempts", "failures"])
def test_every_host_has_its_true_number_of_visible(key, document, truth):
    found = {host["host"]: host[key] for host in document["hosts"]}
    assert found == {host["host"]: host[f"visible_{key}"] for host in truth["hosts"]}


def test_without_a_named_suspect_the_same_change_is_found(sample, truth):
    case = kit.analyze(sample, "vpn-outage")
    assert case.cause.status == "supported"
    assert sorted(case.cause.changes) == sorted(truth["verdict"]["changes"])
    found = dict(zip(case.recovery["host"], case.recovery["status"], strict=True))
    assert found == {host["host"]: host["status"] for host in truth["hosts"]}


def test_every_record_the_findings_cite_is_in_the_evidence(sample, document):
    evidence = kit.read_evidence(sample)
    short = evidence.events["host"].str.split(".").str[0]
    held = set(
        short + "/" + evidence.events["channel"] + "#" + evidence.events["record_id"].astype(str)
    )
    cited = {ref for check in document["verdict"]["basis"] for ref in check["records"]}
    assert cited
    assert cited <= held


def test_too_few_hosts_to_judge_still_have_their_true_states(sample, truth, tmp_path):
    """Who runs the declared bad build is at risk, whatever can be proved."""
    few = ["LT-EMMA", "PC-ANNA", "LT-GRETA"]
    for host in few:
        shutil.copytree(sample / host, tmp_path / host)
    document = findings_document(kit.analyze(tmp_path, "kb5009543"))
    assert document["verdict"]["status"] == "insufficient"
    assert document["verdict"]["changes"] == []
    found = {h["host"]: (h["status"], h["at_risk"], h["recovered_by"]) for h in document["hosts"]}
    true = {h["host"]: (h["status"], h["at_risk"], h["recovered_by"]) for h in truth["hosts"]}
    assert found == {host: true[host] for host in few}


@pytest.fixture(scope="module")
def evidence(sample):
    return kit.read_evidence(sample)


def profile(tmp_path, old, new):
    text = (files("kitlib") / "incidents" / "kb5009543.toml").read_text("utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return load_incident(path)


def test_a_fix_already_in_effect_waits_for_no_restart(evidence, tmp_path):
    case = kit.analyze(evidence, profile(tmp_path, 'codes = ["789"]', 'codes = ["809"]'))
    assert "pending_reboot" not in set(case.recovery["status"])
    assert not case.cause.blames
    assert case.impact.mttd_hours is None


def test_evidence_outside_the_window_is_said_to_be(evidence, tmp_path):
    dates = "start = 2021-12-01\nend = 2022-03-01"
    later = profile(tmp_path, dates, "start = 2025-04-01\nend = 2025-06-01")
    assert any("outside the window" in text for text in limits(kit.analyze(evidence, later)))


def test_a_forgotten_branch_is_named_by_its_failing_hosts(evidence, tmp_path):
    narrow = profile(tmp_path, "builds = [22000]", "builds = [22621]")
    (text,) = [text for text in limits(kit.analyze(evidence, narrow)) if "lack a branch" in text]
    assert "LT-EMMA" in text
    assert "LT-PAUL" in text
    assert "PC-ANNA" not in text
