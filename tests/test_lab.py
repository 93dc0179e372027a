"""The lab session: working copies that carry the case's parameters and outlive a session."""

from __future__ import annotations

import json

import nbformat
import pytest

from kitlib.errors import UsageError
from kitlib.lab import START, prepare
from kitlib.notebooks import parameters_of

PARAMETERS = {"EVIDENCE": 'C:\\cases\\"odd" name', "INCIDENT": "vpn-outage"}


@pytest.fixture
def kit_notebooks(tmp_path):
    folder = tmp_path / "kit"
    folder.mkdir()
    cell = nbformat.v4.new_code_cell(
        'INCIDENT: str = "kb5009543"  # profile\nEVIDENCE: str = "../sample_data"  # folder, zip or case',
        metadata={"tags": ["parameters"]},
        id="parameters",
    )
    cell["outputs"] = [nbformat.v4.new_output("stream", text="old\n")]
    cell["execution_count"] = 3
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.write(notebook, folder / START)
    return folder


def test_prepare_writes_the_parameters_where_an_analyst_looks_for_them(kit_notebooks, tmp_path):
    session = prepare(kit_notebooks, tmp_path / "case", parameters=PARAMETERS)
    copy = session.folder / START
    assert parameters_of(copy) == PARAMETERS
    (cell,) = nbformat.read(copy, as_version=4)["cells"]
    assert cell["source"].splitlines()[0].endswith("# profile")
    assert cell["outputs"] == []
    assert cell["execution_count"] is None


def test_prepare_keeps_what_the_analyst_has_written(kit_notebooks, tmp_path):
    session = prepare(kit_notebooks, tmp_path / "case", parameters=PARAMETERS)
    copy = session.folder / START
    copy.write_text("mine", encoding="utf-8")
    prepare(kit_notebooks, tmp_path / "case", parameters=PARAMETERS)
    assert copy.read_text("utf-8") == "mine"


def test_prepare_leaves_the_kits_notebooks_clean(kit_notebooks, tmp_path):
    before = (kit_notebooks / START).read_bytes()
    prepare(kit_notebooks, tmp_path / "case", parameters=PARAMETERS)
    assert (kit_notebooks / START).read_bytes() == before


def test_prepare_refuses_an_unknown_parameter(kit_notebooks, tmp_path):
    with pytest.raises(UsageError, match="no parameter HOST"):
        prepare(kit_notebooks, tmp_path / "case", parameters={"HOST": "PC1"})


def test_the_session_opens_the_start_notebook_without_pop_ups(kit_notebooks, tmp_path):
    session = prepare(kit_notebooks, tmp_path / "case", parameters=PARAMETERS, browser=False)
    assert f"--LabApp.default_url=/lab/tree/{START}" in session.command
    assert "--no-browser" in session.command
    (settings,) = (tmp_path / "case" / "lab-settings").rglob("*.jupyterlab-settings")
    assert json.loads(settings.read_text("utf-8")) == {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
