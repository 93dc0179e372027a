"""Profiles are checked before anything is opened: a slip names its line, its key and the remedy."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from kitlib import knowledge
from kitlib.errors import IncidentError
from kitlib.incident import default_incident, incident_of, list_incidents, load_incident

GOOD = """\
schema = "kitlib.incident/1"
name = "test"
title = "A test"

[symptom]
activity = "vpn"
codes = ["789", 809, "-2145124316"]

[window]
start = 2022-01-01
end = 2022-02-01T12:00:00+01:00

[[branch]]
name = "ten"
builds = [19043, 19044]
bad = { kb = "KB1000001", revision = 10, date = 2022-01-11 }
fixed = { kb = "KB1000002", revision = 12 }

[[branch]]
name = "eleven"
builds = [22000]
bad = { kb = "KB1000003", revision = 5 }

[[source]]
title = "somebody"
states = "something"

[response]
detected = 2022-01-12T09:00:00Z
"""


@pytest.fixture
def write(tmp_path):
    def writer(text, encoding="utf-8"):
        path = tmp_path / "own.toml"
        path.write_bytes(text.encode(encoding))
        return path

    return writer


def test_load_incident_reads_every_part(write):
    got = load_incident(write(GOOD))
    assert (got.name, got.activity, got.codes) == ("test", "vpn", {"789", "809", "0x80240024"})
    assert got.start == pd.Timestamp("2022-01-01T00:00Z")
    assert got.end == pd.Timestamp("2022-02-01T11:00Z")
    assert got.detected == pd.Timestamp("2022-01-12T09:00Z")
    assert got.branch(19044).bad.date == dt.date(2022, 1, 11)
    assert got.branch(22000).fixed is None
    assert got.branch(17763) is None
    assert (got.bad_labels, got.fixed_labels) == ({"KB1000001", "KB1000003"}, {"KB1000002"})


def test_load_incident_reads_a_file_saved_by_notepad(write):
    assert load_incident(write(GOOD, "utf-8-sig")).name == "test"


@pytest.mark.parametrize(
    ("build", "revision", "exposed", "cured"),
    [
        (19044, 9, False, False),
        (19044, 10, True, False),
        (19044, 11, True, False),
        (19044, 12, False, True),
        (17763, 11, False, False),
        (22000, 99, True, False),
    ],
)
def test_branch_is_exposed_from_bad_up_to_fixed(write, build, revision, exposed, cured):
    branches = load_incident(write(GOOD)).branches
    assert any(b.exposed(build, revision) for b in branches) is exposed
    assert any(b.cured(build, revision) for b in branches) is cured


def test_is_symptom_without_codes_means_every_failure(write):
    got = load_incident(write(GOOD.replace('codes = ["789", 809, "-2145124316"]', "")))
    assert got.is_symptom(pd.Series(["789", "1"])).tolist() == [True, True]
    listed = load_incident(write(GOOD)).is_symptom(pd.Series(["789", "1"]))
    assert listed.tolist() == [True, False]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "A', 'titel = "A', "line 3: unknown key 'titel'; did you mean 'title'"),
        ("[symptom]", "[symptoms]", "line 5: unknown key 'symptoms'; did you mean 'symptom'"),
        ("codes =", "code =", r"line 7: unknown key \[symptom\] 'code'; did you mean 'codes'"),
        ("codes =", "date =", r"line 7: unknown key \[symptom\] 'date'; known are"),
        ("builds = [22", "build = [22", r"line 21: unknown key \[branch\] 'build'"),
        ("revision = 12", "revison = 12", r"line 17: unknown key \[fixed\] 'revison'"),
        ('kb = "KB1000003"', 'KB = "KB1000003"', r"line 22: unknown key \[bad\] 'KB'"),
        ("builds = [22", "title = 1\nbuilds = [22", r"line 21: unknown key \[branch\] 'title'"),
        ("states =", '"sta tes" =', r"line 26: unknown key \[source\] 'sta tes'"),
    ],
)
def test_load_incident_names_line_and_nearest_key(write, old, new, says):
    assert old in GOOD
    with pytest.raises(IncidentError, match=rf"own\.toml, {says}"):
        load_incident(write(GOOD.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "test"\n', "", "missing keys: name"),
        ('activity = "vpn"\n', "", r"\[symptom\] missing key 'activity'"),
        ('bad = { kb = "KB1000003", revision = 5 }\n', "", "'eleven': missing key 'bad'"),
        ("builds = [22000]\n", "", "'eleven': missing key 'builds'"),
        ('kb = "KB1000003", ', "", "'eleven': bad: missing key 'kb'"),
        ("builds = [22000]", 'builds = "22000"', "builds = '22000' is of the wrong type"),
        ("builds = [22000]", "builds = 22000", "builds = 22000 is of the wrong type"),
        ("builds = [22000]", 'builds = ["22000"]', "builds: '22000' is of the wrong type"),
        ("builds = [22000]", "builds = [true]", "builds: True is of the wrong type"),
        ("builds = [22000]", "builds = [19044]", "build 19044 stands in two branches"),
        ("revision = 5", 'revision = "5"', "revision = '5' is of the wrong type"),
        ("revision = 5", "revision = 5.5", "revision = 5.5 is of the wrong type"),
        ("revision = 12", "revision = 10", "fixed revision must be above the bad one"),
        ("revision = 12", "revision = 9", "'ten': fixed revision must be above"),
        ("date = 2022-01-11", 'date = "2022-01-11"', "without quotes"),
        ('codes = ["789", 809, "-2145124316"]', 'codes = "789"', "codes = '789' is of the wrong"),
        ('codes = ["789", 809, "-2145124316"]', "codes = [7.5]", "codes: 7.5 is of the wrong"),
        ('activity = "vpn"', 'activity = "vnp"', "no rule knows .* 'vnp'; did you mean 'vpn'"),
        ("start = 2022-01-01", 'start = "soon"', r"\[window\] start = 'soon' is no date"),
        ("start = 2022-01-01", "start = 09:00:00", r"\[window\] start"),
        ("start = 2022-01-01", "start = 2022-03-01", "ends .* before it starts"),
        ("detected = 2022-01-12T09:00:00Z", "detected = 1", r"\[response\] detected"),
        ("kitlib.incident/1", "kitlib.incident/9", "this kit reads 'kitlib.incident/1'"),
        ('title = "A test"', "title = 5", "title = 5 is of the wrong type, want text"),
        ('[symptom]\nactivity = "vpn"\n', "symptom = 'vpn'\n[x]\n", "unknown key 'x'"),
    ],
)
def test_load_incident_says_what_is_wrong(write, old, new, says):
    assert old in GOOD
    with pytest.raises(IncidentError, match=says):
        load_incident(write(GOOD.replace(old, new, 1)))


@pytest.mark.parametrize(
    "line", ["symptom = 1", "window = 5", "response = []", "branch = 'x'", "source = 's'"]
)
def test_load_incident_wants_tables_where_tables_belong(write, line):
    key = line.split(" ")[0]
    parts = {
        "schema": 'schema = "kitlib.incident/1"\nname = "n"\ntitle = "t"\n',
        "symptom": 'symptom = { activity = "vpn" }\n',
    }
    parts[key] = f"{line}\n"
    with pytest.raises(IncidentError, match=rf"{key} = .* is of the wrong type"):
        load_incident(write("".join(parts.values())))


def test_load_incident_places_a_toml_error(write):
    with pytest.raises(IncidentError, match=r"own\.toml is not valid TOML: .*line 4"):
        load_incident(write('schema = "kitlib.incident/1"\n\n\nname = \n'))


def test_load_incident_refuses_other_encodings(write):
    with pytest.raises(IncidentError, match="cannot read the incident profile"):
        load_incident(write(GOOD, "utf-16"))


def test_load_incident_refuses_a_missing_file(tmp_path):
    with pytest.raises(IncidentError, match="cannot read the incident profile"):
        load_incident(tmp_path / "none.toml")


def test_load_incident_names_the_nearest_profile():
    with pytest.raises(IncidentError, match="did you mean 'kb5009543'"):
        load_incident("kb5009534")


@pytest.mark.parametrize("name", list_incidents())
def test_built_in_profile_is_valid_and_agrees_with_the_release_table(name):
    incident = load_incident(name)
    assert incident.name == name
    known = knowledge.releases().set_index(["build", "revision"])
    for branch in incident.branches:
        for release in filter(None, (branch.bad, branch.fixed)):
            for build in branch.builds:
                assert knowledge.label(build, release.revision) == release.kb
                published = known.loc[(build, release.revision), "date"]
                assert release.date in (None, published.date())


def test_default_incident_is_the_founding_one():
    assert default_incident() == "kb5009543"


def test_incident_of_evidence_without_a_profile_is_the_default(tmp_path):
    assert incident_of(tmp_path) == "kb5009543"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_incident_of_evidence_follows_its_one_line(tmp_path, encoding):
    (tmp_path / "incident.toml").write_bytes('incident = "vpn-outage"\n'.encode(encoding))
    assert incident_of(tmp_path) == "vpn-outage"


def test_incident_of_evidence_takes_a_whole_profile(tmp_path):
    (tmp_path / "incident.toml").write_text(GOOD, "utf-8")
    assert load_incident(incident_of(tmp_path)).name == "test"


def test_incident_of_evidence_refuses_bad_toml(tmp_path):
    (tmp_path / "incident.toml").write_text("incident = \n", "utf-8")
    with pytest.raises(IncidentError, match="cannot be used"):
        incident_of(tmp_path)
