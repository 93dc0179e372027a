"""The command line as users meet it: exit codes, sentences, and evidence that stays untouched."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile

import pytest

from kitlib.cli import main
from kitlib.findings import validate
from kitlib.simulate.evtx import Event, encode_log, ticks

BOOT = "Microsoft-Windows-Kernel-General"


def a_log(records=40, *, channel="System", computer="PC1.office.example"):
    start = ticks("2022-01-10T08:00:00Z")
    events = [
        Event(
            provider=BOOT,
            event_id=12,
            time=start + number * 36_000_000_000,
            data={"BuildVersion": "19044", "QfeVersion": "1415"},
        )
        for number in range(records)
    ]
    return encode_log(events, channel=channel, computer=computer)


@pytest.fixture
def evidence(tmp_path):
    folder = tmp_path / "evidence"
    (folder / "PC1").mkdir(parents=True)
    (folder / "PC1" / "System.evtx").write_bytes(a_log())
    return folder


def hashes(folder):
    return {
        path.relative_to(folder): (
            hashlib.sha256(path.read_bytes()).digest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_analyze_writes_valid_findings_and_leaves_the_evidence_alone(evidence, tmp_path, capsys):
    before = hashes(evidence)
    assert main(["analyze", str(evidence), "--out", str(tmp_path / "case"), "--quiet"]) == 0
    document = json.loads((tmp_path / "case" / "findings.json").read_text("utf-8"))
    validate(document)
    assert document["verdict"]["status"] == "insufficient"
    assert [host["host"] for host in document["hosts"]] == ["PC1"]
    assert capsys.readouterr().out.startswith("insufficient: ")
    assert hashes(evidence) == before


def test_json_prints_the_document_alone(evidence, tmp_path, capsys):
    code = main(["analyze", str(evidence), "--out", str(tmp_path / "case"), "--quiet", "--json"])
    printed = capsys.readouterr()
    assert code == 0
    assert json.loads(printed.out) == json.loads(
        (tmp_path / "case" / "findings.json").read_text("utf-8")
    )


def test_a_case_can_be_analysed_again_without_the_evidence(evidence, tmp_path):
    case = tmp_path / "case"
    main(["analyze", str(evidence), "--out", str(case), "--quiet"])
    first = json.loads((case / "findings.json").read_text("utf-8"))
    evidence.rename(tmp_path / "gone")
    assert main(["analyze", str(case), "--quiet", "--incident", "kb5009543"]) == 0
    second = json.loads((case / "findings.json").read_text("utf-8"))
    assert {**second, "generated": ""} == {**first, "generated": ""}


def test_the_incident_named_in_the_evidence_is_used(evidence, tmp_path):
    (evidence / "incident.toml").write_text('incident = "vpn-outage"\n', encoding="utf-8")
    main(["analyze", str(evidence), "--out", str(tmp_path / "case"), "--quiet"])
    document = json.loads((tmp_path / "case" / "findings.json").read_text("utf-8"))
    assert document["incident"] == "vpn-outage"


def wrong_calls():
    yield "missing folder", ["analyze", "{tmp}/nowhere"], 2, "nowhere"
    yield "unknown incident", ["analyze", "{evidence}", "--incident", "kb500954"], 2, "'kb5009543'"
    yield "case inside the evidence", ["analyze", "{evidence}", "--out", "{evidence}/c"], 2, "--out"
    yield "no such scenario", ["simulate", "moon", "--seed", "1", "--out", "{tmp}/s"], 2, "moon"
    yield "verify what is no case", ["verify", "{evidence}"], 2, "case"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [pytest.param(*call[1:], id=call[0]) for call in wrong_calls()],
)
def test_a_wrong_call_gets_a_sentence_and_its_code(words, code, said, evidence, tmp_path, capsys):
    call = [word.format(tmp=tmp_path, evidence=evidence) for word in words]
    if call[0] == "analyze" and "--out" not in call:
        call += ["--out", str(tmp_path / "case")]
    assert main(call) == code
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_an_unknown_command_ends_with_code_2():
    with pytest.raises(SystemExit, match="2"):
        main(["analyse"])


def test_an_empty_folder_ends_with_code_3(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["analyze", str(tmp_path / "empty"), "--out", str(tmp_path / "case")]) == 3
    assert "empty" in capsys.readouterr().err
    assert not (tmp_path / "case").exists()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("cut.evtx", a_log(600)[: 65536 + 30_000], 4),
        ("zero.evtx", b"", 4),
        ("letter.evtx", b"Dear analyst, the log is on the other disk.\n", 4),
        ("header.evtx", a_log(3)[:4096], 4),
    ],
)
def test_a_damaged_file_beside_a_good_one_is_reported_and_the_rest_read(
    name, content, code, evidence, tmp_path, capsys
):
    (evidence / "PC1" / name).write_bytes(content)
    case = tmp_path / "case"
    assert main(["analyze", str(evidence), "--out", str(case), "--quiet"]) == code
    document = json.loads((case / "findings.json").read_text("utf-8"))
    assert document["evidence"]["problems"] >= 1
    assert document["evidence"]["records"] >= 40
    assert "could not be read whole" in capsys.readouterr().err


def test_nothing_but_damage_ends_with_code_3(tmp_path, capsys):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "zero.evtx").write_bytes(b"")
    (folder / "letter.evtx").write_bytes(b"no log at all\n")
    assert main(["analyze", str(folder), "--out", str(tmp_path / "case"), "--quiet"]) == 3
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    assert printed.startswith("kitlib: ")


def test_a_zip_gives_the_same_findings_as_its_folder(evidence, tmp_path):
    archive = tmp_path / "evidence.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(evidence / "PC1" / "System.evtx", "PC1/System.evtx")
    documents = []
    for source in (evidence, archive):
        case = tmp_path / f"case-{source.name}"
        assert main(["analyze", str(source), "--out", str(case), "--quiet"]) == 0
        documents.append(json.loads((case / "findings.json").read_text("utf-8")))
    assert documents[0]["hosts"] == documents[1]["hosts"]
    assert documents[0]["verdict"] == documents[1]["verdict"]


def test_incidents_are_listed_shown_and_checked(capsys):
    assert main(["incidents"]) == 0
    assert "vpn-outage" in capsys.readouterr().out
    assert main(["incidents", "show", "kb5009543"]) == 0
    assert "revision 1466" in capsys.readouterr().out
    assert main(["incidents", "check", "kb5009543"]) == 0


def test_a_profile_with_an_unknown_key_is_refused_with_line_and_nearest_key(tmp_path, capsys):
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'schema = "kitlib.incident/1"\nname = "x"\ntitle = "x"\n[symptom]\nactivty = "vpn"\n',
        encoding="utf-8",
    )
    assert main(["incidents", "check", str(profile)]) == 2
    printed = capsys.readouterr().err
    assert "line 5" in printed
    assert "'activity'" in printed


def test_help_is_quick_and_pulls_in_no_heavy_library():
    code = (
        "import sys\nfrom kitlib.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'pandas', 'scipy', 'matplotlib', 'nbformat'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_names_no_console_can_show_are_escaped_not_fatal(tmp_path):
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "a.evtx").write_bytes(a_log(computer="ЛАПТОП-東京"))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "kitlib",
            "analyze",
            str(folder),
            "--out",
            str(tmp_path / "c"),
            "--json",
        ],
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u" in done.stdout


def test_a_folder_that_is_no_case_is_not_written_into(evidence, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "findings.json").write_text("my own notes", encoding="utf-8")
    assert main(["analyze", str(evidence), "--out", str(mine), "--quiet"]) == 2
    assert "no case" in capsys.readouterr().err
    assert (mine / "findings.json").read_text("utf-8") == "my own notes"


def test_an_out_that_cannot_be_made_gets_a_sentence(evidence, tmp_path, capsys):
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main(["analyze", str(evidence), "--out", str(tmp_path / "file"), "--quiet"]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "file" in printed


def test_lab_without_a_case_says_what_to_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lab", "--no-browser"]) == 2
    assert "no case in case" in capsys.readouterr().err


def test_pages_of_an_earlier_analysis_go_when_the_numbers_change(evidence, tmp_path):
    case = tmp_path / "case"
    call = ["analyze", str(evidence), "--out", str(case), "--quiet"]
    main(call)
    (case / "notebooks").mkdir()
    for page in ("report.html", "notebooks/00-evidence.ipynb", "notebooks/mine.ipynb"):
        (case / page).write_text("old", encoding="utf-8")
    main(call)
    assert (case / "report.html").exists()
    (evidence / "PC2.evtx").write_bytes(a_log(computer="PC2.office.example"))
    main(call)
    assert not (case / "report.html").exists()
    assert [page.name for page in (case / "notebooks").iterdir()] == ["mine.ipynb"]
