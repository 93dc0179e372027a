"""The benchmark's command: one case end to end, failing cases, runs that go on."""

from __future__ import annotations

import json

import cases
import table
import tallies
import verdicts
from benchmark_rows import NONE_TO_BLAME, rows
from scoring import judge

import kitlib as kit


def test_numbers_reads_runs_and_single_numbers():
    assert verdicts.numbers("3,7-9") == [3, 7, 8, 9]


def test_one_case_end_to_end_and_again_from_its_store(tmp_path):
    keep = tmp_path / "kept"
    first = cases.run_case(cases.Plan("quiet-outage", 0, 3, keep=str(keep)))
    assert first["error"] is None
    assert first["fleet"] == 14
    assert first["truth"]["status"] == "not_supported"
    assert not first["truth"]["guilty"]
    assert judge(first["truth"], first["kit"]) == NONE_TO_BLAME
    assert sum(first["states"].values()) == 14
    assert first["interval"] > 0
    assert set(first["baselines"]) == set(table.BASELINES)
    assert first["baselines"]["fleet before/after"]["status"] == "supported"
    assert set(first["seconds"]) == {"simulate", "read", "analyse"}
    read = kit.read_evidence(keep / "quiet-outage" / "0" / "3" / "case").files["path"]
    assert len(read) > 14
    assert "truth.json" not in set(read)  # the kit never met it
    again = cases.run_case(cases.Plan("quiet-outage", 0, 3, store=str(keep)))
    assert {**again, "seconds": {}} == {**first, "seconds": {}}
    assert json.loads(json.dumps(first)) == first


def test_a_case_that_fails_is_a_wrong_case_with_its_traceback():
    got = cases.run_case(cases.Plan("no-such-family", 0, 0))
    assert "there is no scenario 'no-such-family'" in got["error"]
    record = tallies.record_of([got])
    assert record["groups"][0]["failed"] == 1
    assert record["groups"][0]["measures"]["kitlib"]["right"] == [0, 1]
    assert record["groups"][0]["measures"]["kitlib"]["false_blame"] == [1, 1]


def test_run_skips_what_the_file_holds_and_drops_a_line_that_was_cut(tmp_path, capsys):
    out = tmp_path / "results.jsonl"
    held = json.dumps({**rows()[0], "family": "no-such", "seed": 5}) + "\n"
    out.write_text(held + '{"family": "no-su', encoding="utf-8")
    command = ["--families", "no-such", "--seeds", "5,6", "--out", str(out)]
    assert verdicts.main(command) == 1
    assert "1/1 no-such" in capsys.readouterr().err
    assert out.read_text("utf-8").startswith(held)
    assert [row["seed"] for row in verdicts.read_results(out)] == [5, 6]
    assert verdicts.main(command) == 0  # nothing is left to run
    assert verdicts.main(["--wrong", str(out)]) == 0
    assert "there is no scenario" in capsys.readouterr().out
