"""An analyst's own maps of columns are used where they are given, and nowhere else."""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from column_map_samples import GOOD, SAMPLES, at

import kitlib as kit
from kitlib.cli import main
from kitlib.errors import UsageError
from kitlib.readers.updates import column_maps, columns

TOOL = b"Machine;Patch;State;When\nWS0001;5009543;done;2022-01-12 21:26:03\n"


@pytest.fixture
def evidence(tmp_path):
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "tool.csv").write_bytes(TOOL)
    (folder / "uc.csv").write_text(SAMPLES[0].text, encoding="utf-8")
    return folder


def kinds(got):
    return got.files.set_index("path")["kind"].to_dict()


def test_own_maps_at_the_top_of_the_evidence_are_used(evidence):
    assert kinds(kit.read_evidence(evidence))["tool.csv"] == "unknown"
    (evidence / "columns.toml").write_text(GOOD, encoding="utf-8")
    got = kit.read_evidence(evidence)
    assert kinds(got) == {
        "columns.toml": "ignored",
        "tool.csv": columns.KIND,
        "uc.csv": columns.KIND,
    }
    assert got.updates.loc[got.updates["path"] == "tool.csv", "kb"].tolist() == ["KB5009543"]


def test_named_maps_take_the_place_of_the_folder_s(evidence, tmp_path):
    (evidence / "columns.toml").write_text("no TOML at all", encoding="utf-8")
    named = tmp_path / "mine.toml"
    named.write_text(GOOD, encoding="utf-8")
    assert kinds(kit.read_evidence(evidence, columns=named))["tool.csv"] == columns.KIND
    with pytest.raises(UsageError, match=r"columns\.toml is not valid TOML"):
        kit.read_evidence(evidence)


def test_own_maps_are_tried_before_the_built_in_ones(evidence):
    text = GOOD.replace('"Machine", "Patch", "State", "When"', '"DeviceName", "ClientSubstate"')
    text = text.replace('"Machine"', '"DeviceName"').replace('"Patch"', '"TargetKBNumber"')
    text = text.replace('"State"', '"ClientSubstate"').replace('time = "When"\nzone = "utc"\n', "")
    (evidence / "columns.toml").write_text(text, encoding="utf-8")
    got = kit.read_evidence(evidence)
    said = got.problems.loc[got.problems["path"] == "uc.csv", "reason"].tolist()
    assert "column map 'tool': its rows have no time" in said
    assert len(got.updates) == 3


def test_own_maps_do_not_take_what_another_reader_knows(evidence):
    (evidence / "hotfix.csv").write_bytes(b'"HotFixID","InstalledOn"\n"KB5009543","1/13/2022"\n')
    text = GOOD.replace('["Machine", "Patch", "State", "When"]', '["HotFixID", "InstalledOn"]')
    text = text.replace('"Machine"', '"HotFixID"').replace('"State"', '"HotFixID"')
    text = text.replace('"When"', '"InstalledOn"')
    (evidence / "columns.toml").write_text(text, encoding="utf-8")
    assert kinds(kit.read_evidence(evidence))["hotfix.csv"] == "get_hotfix"


def test_workers_read_with_the_same_maps(evidence):
    (evidence / "columns.toml").write_text(GOOD, encoding="utf-8")
    alone, together = kit.read_evidence(evidence), kit.read_evidence(evidence, workers=2)
    pd.testing.assert_frame_equal(alone.updates, together.updates)
    own = column_maps.own_maps(evidence)
    assert pickle.loads(pickle.dumps(own)) == own  # noqa: S301  # what was pickled just now


def test_maps_deeper_in_the_evidence_or_in_an_archive_are_not_used_and_that_is_said(
    evidence, tmp_path
):
    (evidence / "WS0001").mkdir()
    (evidence / "WS0001" / "columns.toml").write_text(GOOD, encoding="utf-8")
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("columns.toml", GOOD)
        packed.writestr("tool.csv", TOOL)
        packed.write(evidence / "uc.csv", "uc.csv")
    for root, path in ((evidence, "WS0001/columns.toml"), (archive, "columns.toml")):
        got = kit.read_evidence(root)
        said = got.problems.loc[got.problems["path"] == path, "reason"].tolist()
        assert len(said) == 1
        assert "not used from here" in said[0]
        assert kinds(got)[path] == "ignored"
        assert kinds(got)["tool.csv"] == "unknown"
    named = tmp_path / "mine.toml"
    named.write_text(GOOD, encoding="utf-8")
    assert kinds(kit.read_evidence(archive, columns=named))["tool.csv"] == columns.KIND


def shards(case):
    return sorted(file.name for file in (case / "store" / "updates").iterdir())


def test_a_changed_map_is_read_again_and_nothing_else_is(evidence, tmp_path):
    case, store = tmp_path / "case", kit.store
    (evidence / "hotfix.csv").write_bytes(b'"HotFixID","InstalledOn"\n"KB5009543","1/13/2022"\n')
    (evidence / "columns.toml").write_text(GOOD, encoding="utf-8")
    first = store.ingest(evidence, case)
    before = {file.name: file.stat().st_mtime_ns for file in (case / "store/updates").iterdir()}
    pd.testing.assert_frame_equal(store.load(case).updates, first.updates)
    assert (first.updates["result_code"] == "succeeded").sum() == 4

    (evidence / "columns.toml").write_text(GOOD.replace("succeeded", "failed"), encoding="utf-8")
    second = store.ingest(evidence, case)
    assert second.updates.set_index("path").loc["tool.csv", "result_code"] == "failed"
    pd.testing.assert_frame_equal(store.load(case).updates, second.updates)
    after = {file.name: file.stat().st_mtime_ns for file in (case / "store/updates").iterdir()}
    assert len(after) == len(before) == 3  # what the manifest no longer asks for is gone
    assert len(after.items() & before.items()) == 1  # the hotfixes were not read again

    (evidence / "columns.toml").unlink()
    third = store.ingest(evidence, case)
    assert sorted(third.updates["path"].unique()) == ["hotfix.csv", "uc.csv"]
    assert [name.count("-") for name in shards(case)] == [0, 0]


def test_maps_named_for_a_case_are_a_wrong_call(evidence, tmp_path, capsys):
    kit.store.ingest(evidence, tmp_path / "case")
    named = tmp_path / "mine.toml"
    named.write_text(GOOD, encoding="utf-8")
    with pytest.raises(UsageError, match="is a case"):
        kit.read_evidence(tmp_path / "case", columns=named)
    assert main(["analyze", str(tmp_path / "case"), "--columns", str(named), "--quiet"]) == 2
    assert "is a case" in capsys.readouterr().err


def test_a_wrong_map_ends_the_command_before_anything_is_written(evidence, tmp_path, capsys):
    named = tmp_path / "mine.toml"
    named.write_text(GOOD.replace("kb =", "kbs ="), encoding="utf-8")
    call = ["ingest", str(evidence), "--out", str(tmp_path / "case"), "--columns", str(named)]
    assert main([*call, "--quiet"]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "did you mean 'kb'?" in printed
    assert not (tmp_path / "case").exists()


def test_the_command_line_passes_the_map_on(evidence, tmp_path, capsys):
    named = tmp_path / "mine.toml"
    named.write_text(GOOD, encoding="utf-8")
    call = ["ingest", str(evidence), "--out", str(tmp_path / "case"), "--columns", str(named)]
    assert main([*call, "--quiet"]) == 0
    assert "3 update entries" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["run", "analyze", "lab", "ingest"])
def test_help_says_where_the_maps_are_described(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    printed = re.sub(r"\s+", "", capsys.readouterr().out)
    assert re.sub(r"\s+", "", str(Path(columns.__file__).with_name("columns.toml"))) in printed


def test_the_example_of_the_readme_reads_the_export_beside_it(root, tmp_path):
    section = re.search(
        r"^## Exports of management tools\n(.*?)(?=^## )",
        (root / "README.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )[1]
    export, map_text = (
        re.search(rf"^```{kind}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[1]
        for kind in ("csv", "toml")
    )
    (tmp_path / "patches.csv").write_text(export, encoding="utf-8")
    (tmp_path / "columns.toml").write_text(map_text, encoding="utf-8")
    got = kit.read_evidence(tmp_path).updates
    names = ["host", "kb", "operation", "result_code", "date_high", "date_basis"]
    want = [
        ("WS0001", "KB5009543", "install", "succeeded", at("2022-01-13T08:27"), "offset"),
        ("WS0002", "KB5009543", "install", "failed", at("2022-01-13T09:03"), "offset"),
    ]
    assert list(got[names].itertuples(index=False, name=None)) == want
