"""A newcomer opens the notebooks in JupyterLab and runs them: does it work, in a real browser?"""

from __future__ import annotations

import json
import shutil

import browser
import pytest

pytestmark = pytest.mark.browser

NOTEBOOKS = ("01-timeline.ipynb",)
# Small notebooks that show that the test sees what it should: a chart, an error, a way out.
SMALL = {
    "good.ipynb": (
        "import matplotlib.pyplot as plt",
        "figure, axes = plt.subplots()\naxes.plot([1, 3, 2])\nplt.show()",
        "print('all is well')",
    ),
    "failing.ipynb": ("1 + 1", "raise ValueError('no such table')", "print('never reached')"),
    "calling.ipynb": (
        "from IPython.display import HTML\nHTML('<img src=\"http://example.invalid/x.png\">')",
    ),
}


def write_notebook(path, sources):
    cells = [
        {
            "cell_type": "code",
            "id": f"cell{number}",
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(sources)
    ]
    python = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": python},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), encoding="utf-8")


def strip(path):
    """Take the committed outputs out, so that what the browser shows was made by this run."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    path.write_text(json.dumps(notebook), encoding="utf-8")


@pytest.fixture(scope="module")
def workplace(root, tmp_path_factory):
    """A copy of what a clone offers, so that neither autosave nor a cell touches the repository."""
    place = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "sample_data"):
        shutil.copytree(root / name, place / name)
    for path in (place / "notebooks").glob("*.ipynb"):
        strip(path)
    for name, sources in SMALL.items():
        write_notebook(place / name, sources)
    return place


@pytest.fixture(scope="module")
def run(workplace, tmp_path_factory):
    """Run all cells of a notebook of the workplace in one JupyterLab and one browser."""
    executable = browser.chromium()
    private = tmp_path_factory.mktemp("jupyter")
    with (
        browser.jupyterlab(workplace, private) as address,
        browser.headless(executable) as chromium,
    ):
        yield lambda notebook: browser.run_all_cells(
            chromium, address, notebook, private / f"{notebook.replace('/', '-')}.png"
        )


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_in_a_real_browser_and_shows_its_charts(root, run, name):
    assert (root / "notebooks" / name).is_file()
    seen = run(f"notebooks/{name}")
    assert seen.errors == ()
    assert seen.end == "done"
    assert [width for width in seen.images if width > 0], "no chart is shown"
    assert 0 not in seen.images, "a chart is broken"
    assert seen.console == ()
    assert seen.outside == ()


def test_browser_test_sees_a_chart_and_the_output(run):
    seen = run("good.ipynb")
    assert (seen.end, seen.errors, seen.console, seen.outside) == ("done", (), (), ())
    assert len(seen.images) == 1
    assert seen.images[0] > 100
    assert "all is well" in seen.text


def test_browser_test_sees_a_cell_that_fails(run):
    seen = run("failing.ipynb")
    assert seen.end == "failed"
    assert seen.errors == ("ValueError: no such table",)


def test_browser_test_sees_a_request_that_leaves_the_machine(run):
    seen = run("calling.ipynb")
    assert set(seen.outside) == {"http://example.invalid/x.png"}
    assert seen.images == (0,)
    assert seen.console != ()
