"""Claims about the answer as a document: valid, strict, reproducible, and true where truth is known."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
from dataclasses import replace

import jsonschema
import pandas as pd
import pytest

from kitlib.errors import IncidentError, KitError
from kitlib.findings import (
    FILE,
    analyze,
    findings_document,
    limits,
    save,
    schema_document,
    validate,
)
from kitlib.schema import STATUSES, VERDICTS
from kitlib.simulate.fleet import simulate

SEED = 77001
WHEN = dt.datetime(2022, 2, 10, 8, 0, 0, tzinfo=dt.UTC)
SCENARIOS = ("founding-office", "quiet-outage", "big-bang")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


@pytest.fixture(scope="session")
def worlds(tmp_path_factory):
    """Each scenario written once as real files, analysed once: (case, truth) by name."""
    made = {}

    def world(name):
        if name not in made:
            folder = simulate(name, seed=SEED, out=tmp_path_factory.mktemp("findings") / name)
            truth = json.loads((folder / "truth.json").read_text("utf-8"))
            made[name] = (analyze(folder, truth["incident"]), truth)
        return made[name]

    return world


@pytest.fixture(scope="session")
def founding(worlds):
    case, _ = worlds("founding-office")
    return case


@pytest.fixture
def document(founding):
    return findings_document(founding, generated=WHEN)


def times_in(value):
    if isinstance(value, dict):
        return [t for inner in value.values() for t in times_in(inner)]
    if isinstance(value, list):
        return [t for inner in value for t in times_in(inner)]
    return [value] if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) else []


# --- the truth ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENARIOS)
def test_verdict_is_the_true_one(worlds, name):
    case, truth = worlds(name)
    got = findings_document(case)["verdict"]
    want = truth["verdict"]
    assert got["status"] == want["status"], got["text"]
    assert sorted(got["changes"]) == sorted(want["changes"])
    assert got["competing"] == want["competing"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_hosts_state_is_the_true_one(worlds, name):
    case, truth = worlds(name)
    got = {host["host"].split(".")[0].upper(): host for host in findings_document(case)["hosts"]}
    keys = ("status", "at_risk", "recovered_by")
    want = {h["host"].upper(): {key: h[key] for key in keys} for h in truth["hosts"]}
    assert {host: {key: row[key] for key in keys} for host, row in got.items()} == want


@pytest.mark.parametrize("name", SCENARIOS)
def test_attempts_and_failures_are_those_the_evidence_still_shows(worlds, name):
    case, truth = worlds(name)
    got = {h["host"].split(".")[0].upper(): h for h in findings_document(case)["hosts"]}
    for host in truth["hosts"]:
        row = got[host["host"].upper()]
        assert row["attempts"] == host["visible_attempts"], host["host"]
        if truth["verdict"]["status"] != "not_supported":
            assert row["failures"] == host["visible_failures"], host["host"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_onset_exposure_and_recovery_are_at_the_true_moments(worlds, name):
    case, truth = worlds(name)
    got = case.recovery.set_index(case.recovery["host"].str.split(".").str[0].str.upper())
    for host in truth["hosts"]:
        row = got.loc[host["host"].upper()]
        for key in ("onset", "recovered_at", "exposed_from"):
            if key == "exposed_from" and not case.cause.blames:
                assert pd.isna(row[key])
                continue
            want = pd.Timestamp(host[key]) if host[key] else pd.NaT
            same = pd.isna(row[key]) if pd.isna(want) else abs(row[key] - want).value < 10**6
            assert same, (host["host"], key, row[key], want)


def test_an_unnamed_suspect_is_found_in_the_founding_incident(worlds):
    case, truth = worlds("founding-office")
    blind = analyze(case.evidence, "vpn-outage")
    assert blind.cause.status == "supported"
    assert sorted(blind.cause.changes) == truth["verdict"]["changes"]
    state = {h["host"].upper(): h["status"] for h in truth["hosts"]}
    got = dict(zip(blind.recovery["host"].str.upper(), blind.recovery["status"], strict=True))
    assert {host.split(".")[0]: status for host, status in got.items()} == state


# --- the document ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENARIOS)
def test_document_is_valid(worlds, name):
    case, _ = worlds(name)
    validate(findings_document(case))


def test_schema_is_itself_valid_and_knows_the_words_of_the_contract():
    schema = schema_document()
    jsonschema.Draft202012Validator.check_schema(schema)
    host = schema["properties"]["hosts"]["items"]["properties"]["status"]["enum"]
    verdict = schema["properties"]["verdict"]["properties"]["status"]["enum"]
    assert set(host) == set(STATUSES)
    assert set(verdict) == set(VERDICTS)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "kitlib.findings/2"),
        (("verdict", "status"), "proven"),
        (("verdict", "probability"), 1.2),
        (("hosts", 0, "status"), "fine"),
        (("hosts", 0, "recovered_by"), "magic"),
        (("hosts", 0, "attempts"), -1),
        (("hosts", 0, "user_hours_lost"), [1.0, 2.0]),
        (("generated",), "2022-02-10T08:00:00+01:00"),
        (("window", "start"), "2022-02-10"),
        (("suspects", 0, "kind"), "rumour"),
        (("evidence", "manifest_sha256"), "none"),
        (("verdict", "changes"), []),  # a supported verdict names its change
    ],
)
def test_validate_refuses_wrong_words_and_shapes(document, path, value):
    broken = copy.deepcopy(document)
    place = broken
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(broken)


@pytest.mark.parametrize("status", ["not_supported", "insufficient"])
def test_validate_refuses_a_blamed_change_where_none_is_to_blame(document, status):
    broken = copy.deepcopy(document)
    broken["verdict"]["status"] = status
    with pytest.raises(jsonschema.ValidationError):
        validate(broken)


def test_validate_refuses_missing_and_unknown_keys(document):
    for key in schema_document()["required"]:
        broken = {k: v for k, v in document.items() if k != key}
        with pytest.raises(jsonschema.ValidationError):
            validate(broken)
    for key in list(document["hosts"][0]):
        broken = copy.deepcopy(document)
        del broken["hosts"][0][key]
        with pytest.raises(jsonschema.ValidationError):
            validate(broken)
    with pytest.raises(jsonschema.ValidationError):
        validate({**document, "opinion": "guilty"})


def test_times_are_utc_with_z(document):
    found = times_in(document)
    assert len(found) > 20
    assert all(TIME.fullmatch(time) for time in found)
    assert document["generated"] == "2022-02-10T08:00:00Z"


def test_what_is_unknown_is_null_and_the_document_is_strict_json(document):
    text = json.dumps(document, allow_nan=False)
    rows = {h["host"].split(".")[0]: h for h in json.loads(text)["hosts"]}
    assert rows["PC-OLGA"]["status"] == "no_data"
    assert rows["PC-OLGA"]["user_hours_lost"] == [None, None, None]
    assert rows["LT-KLARA"]["exposed_from"] is None
    assert rows["LT-KLARA"]["recovered_by"] is None


def test_save_writes_the_same_bytes_twice(founding, tmp_path):
    again = analyze(founding.evidence, founding.incident)
    save(founding, tmp_path / "one", generated=WHEN)
    save(again, tmp_path / "two", generated=WHEN)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 1 + len(founding.tables)
    for file in files:
        one, two = (tmp_path / side / file for side in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), file


def test_document_depends_on_the_clock_in_one_key_only(founding):
    one = findings_document(founding)
    two = findings_document(founding, generated=WHEN)
    assert {key for key in one if one[key] != two[key]} == {"generated"}


def test_save_writes_what_it_returns(founding, tmp_path):
    document = save(founding, tmp_path, generated=WHEN)
    assert json.loads((tmp_path / FILE).read_text("utf-8")) == document


def test_limits_name_the_hosts_without_data(founding):
    said = " ".join(limits(founding))
    blind = founding.recovery.loc[founding.recovery["status"] == "no_data", "host"]
    assert len(blind) == 1
    assert all(host in said for host in blind)


def test_limits_name_what_could_not_be_tested(worlds):
    case, _ = worlds("big-bang")
    said = " ".join(limits(case))
    assert "same-day controls" in said
    assert "reversal" in said


def test_limits_say_that_a_cure_was_inferred(worlds):
    case, _ = worlds("quiet-outage")
    assert any("No suspect was named beforehand" in said for said in limits(case))


def test_document_of_a_case_without_anything_is_valid(founding):
    nothing = replace(
        founding.evidence,
        **{
            name: getattr(founding.evidence, name).head(0)
            for name in ("files", "problems", "events", "updates", "sessions")
        },
    )
    case = analyze(nothing, "kb5009543")
    document = findings_document(case)
    validate(document)
    assert document["verdict"]["status"] == "insufficient"
    assert document["hosts"] == []
    assert document["window"] == {"start": None, "end": None}


def test_every_check_of_a_supported_verdict_names_records(document):
    records = {check["check"]: check["records"] for check in document["verdict"]["basis"]}
    assert records["same-day controls"]
    assert all(re.fullmatch(r"[^/]+/.+#\d+", ref) for refs in records.values() for ref in refs)


def test_analyze_refuses_an_unknown_profile(founding):
    with pytest.raises(IncidentError, match="there is no incident profile"):
        analyze(founding.evidence, "kb5009544")
    assert issubclass(IncidentError, KitError)
