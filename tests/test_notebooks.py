"""The runner: parameters, the failing cell, the copy. The kit's own notebooks are at the end."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import nbformat
import pytest

from kitlib.errors import UsageError
from kitlib.notebooks import execute, parameters_of, run_all, with_parameters

PARAMETER_CELL = 'INCIDENT: str = "a"  # which profile\nDAYS: int = 3  # how many'


def write(
    folder: Path, *cells: str, name: str = "n.ipynb", parameters: str = PARAMETER_CELL
) -> Path:
    first = nbformat.v4.new_code_cell(parameters, id="p", metadata={"tags": ["parameters"]})
    others = [nbformat.v4.new_code_cell(cell, id=f"c{i}") for i, cell in enumerate(cells)]
    title = nbformat.v4.new_markdown_cell("# Question?", id="title")
    nb = nbformat.v4.new_notebook(cells=[title, first, *others])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    nbformat.write(nb, path)
    return path


def texts(path: Path) -> list[str]:
    nb = nbformat.read(path, as_version=4)
    outputs = [o for cell in nb.cells if cell.cell_type == "code" for o in cell.outputs]
    return [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """One run that shows most of what a copy must and must not hold."""
    folder = tmp_path_factory.mktemp("nb")
    path = write(
        folder,
        "import sys, os, warnings\nINCIDENT, DAYS",
        "warnings.warn('noise')\nsys.executable",
        "from pathlib import Path\nPath.cwd().name",
    )
    told = []
    result = execute(
        path,
        parameters={"INCIDENT": 'a "b" \\ ü'},
        out=folder / "out",
        progress=lambda *step: told.append(step),
    )
    return result, told, folder


def test_execute_injects_parameters_and_keeps_other_defaults(done):
    result, _, _ = done
    assert texts(result.path)[0] == "('a \"b\" \\\\ ü', 3)"


def test_execute_marks_the_injected_cell_as_papermill_does(done):
    result, _, _ = done
    tags = [c.metadata.get("tags") for c in nbformat.read(result.path, as_version=4).cells]
    assert tags[1:3] == [["parameters"], ["injected-parameters"]]


def test_execute_uses_this_interpreter_in_the_notebooks_folder(done):
    result, _, folder = done
    assert texts(result.path)[1:] == [repr(sys.executable), repr(folder.name)]


def test_execute_keeps_warnings_out_of_the_copy_and_returns_them(done):
    result, _, _ = done
    assert "UserWarning" not in result.path.read_text("utf-8")
    assert any("noise" in text for text in result.stderr)


def test_execute_tells_its_progress(done):
    result, told, _ = done
    assert told[0] == ("n.ipynb", 0, 5)
    assert told[-1] == ("n.ipynb", 5, 5)
    assert result.cells == 5
    assert result.failure is None


def test_execute_writes_the_same_bytes_twice(done):
    result, _, folder = done
    again = execute(folder / "n.ipynb", parameters={"INCIDENT": 'a "b" \\ ü'}, out=folder / "again")
    assert again.path.read_bytes() == result.path.read_bytes()


def test_execute_replaces_an_earlier_injection(done, tmp_path):
    result, _, _ = done
    again = execute(result.path, parameters={"DAYS": 9}, out=tmp_path)
    assert texts(again.path)[0] == "('a', 9)"


def test_execute_does_not_touch_the_source(tmp_path):
    path = write(tmp_path, "1 + 1")
    before = path.read_bytes()
    execute(path, parameters={}, out=tmp_path / "out")
    assert path.read_bytes() == before


def test_execute_names_the_failing_cell_and_keeps_what_ran(tmp_path):
    path = write(tmp_path, "40 + 2", "1 / 0  # boom", "'never'")
    result = execute(path, parameters={}, out=tmp_path / "out")
    assert str(result.failure) == "cell 4 (1 / 0  # boom): ZeroDivisionError: division by zero"
    assert texts(result.path)[0] == "42"
    assert "'never'" not in texts(result.path)


def test_execute_stops_a_cell_that_takes_too_long(tmp_path):
    path = write(tmp_path, "import time; time.sleep(60)")
    result = execute(path, parameters={}, out=tmp_path / "out", timeout=1)
    assert result.failure is not None
    assert result.failure.error == "took longer than 1 s"


def test_execute_says_when_the_process_died(tmp_path):
    path = write(tmp_path, "import os; os._exit(3)")
    result = execute(path, parameters={}, out=tmp_path / "out")
    assert result.failure is not None
    assert "died" in result.failure.error


def test_execute_refuses_an_unknown_parameter(tmp_path):
    path = write(tmp_path, "1")
    with pytest.raises(UsageError, match="has no parameter INCIDNT; it has INCIDENT, DAYS"):
        execute(path, parameters={"INCIDNT": "x"}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_execute_refuses_what_is_no_notebook(tmp_path):
    (tmp_path / "a.ipynb").write_text("not json")
    with pytest.raises(UsageError, match="is not a notebook"):
        execute(tmp_path / "a.ipynb", parameters={}, out=tmp_path)
    with pytest.raises(UsageError, match="there is no notebook"):
        execute(tmp_path / "b.ipynb", parameters={}, out=tmp_path)


def test_parameters_of_reads_names_and_defaults_without_running(tmp_path):
    assert parameters_of(write(tmp_path, "1")) == {"INCIDENT": "a", "DAYS": 3}


def test_parameters_of_refuses_a_cell_that_computes(tmp_path):
    with pytest.raises(UsageError, match="line 2"):
        parameters_of(write(tmp_path, parameters="A = 1\nprint(A)"))


def test_with_parameters_writes_any_text_where_an_analyst_looks(tmp_path):
    path = write(tmp_path, "INCIDENT")
    text = with_parameters(path, {"INCIDENT": 'C:\\new\\"g" \\1'})
    copy = tmp_path / "copy.ipynb"
    copy.write_text(text, encoding="utf-8")
    assert parameters_of(copy) == {"INCIDENT": 'C:\\new\\"g" \\1', "DAYS": 3}


def test_run_all_goes_on_after_a_failure_in_order(tmp_path):
    write(tmp_path / "in", "raise ValueError('first')", name="00-a.ipynb")
    write(tmp_path / "in", "DAYS", name="01-b.ipynb")
    results = run_all(tmp_path / "in", parameters={"DAYS": 5}, out=tmp_path / "out")
    assert [r.name for r in results] == ["00-a.ipynb", "01-b.ipynb"]
    assert [r.failure is None for r in results] == [False, True]
    assert texts(results[1].path) == ["5"]


def test_run_all_says_that_a_folder_is_empty(tmp_path):
    with pytest.raises(UsageError, match="no notebooks"):
        run_all(tmp_path, parameters={}, out=tmp_path)


# ---------------------------------------------------------------- the kit's own notebooks

OWN = Path(__file__).resolve().parent.parent / "notebooks"
NAMES = ("00-evidence", "01-timeline", "02-cause", "03-recovery", "04-postmortem")
LOOPS = (ast.For, ast.While, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)

each_own = pytest.mark.parametrize("path", [OWN / f"{name}.ipynb" for name in NAMES], ids=NAMES)


def cells(path, kind):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == kind]


def shown(path):
    """What each code cell says, pictures by their alternative text; numbers to six digits."""
    said = []
    for cell in cells(path, "code"):
        for output in cell.outputs:
            data = output.get("data", {"text/plain": output.get("text", "")})
            words = data.get("text/html") or data["text/plain"]
            said.append((cell.id, re.sub(r"\d+\.\d{5,}", lambda m: f"{float(m[0]):.6g}", words)))
    return said


def test_the_notebooks_are_the_five_questions():
    assert tuple(path.stem for path in sorted(OWN.glob("*.ipynb"))) == NAMES


@each_own
def test_own_notebook_begins_with_one_question_and_what_you_get(path):
    prose = [cell.source for cell in cells(path, "markdown")]
    titles = [line for text in prose for line in text.splitlines() if line.startswith("# ")]
    assert len(titles) == 1
    assert prose[0].startswith(titles[0])
    assert titles[0].endswith("?")
    assert "**What you get:**" in prose[0]


@each_own
def test_own_notebook_ends_with_its_limits_and_the_way_on(path):
    last = nbformat.read(path, as_version=4).cells[-1]
    assert last.source.startswith("## What this does not show")
    (target,) = re.findall(r"\]\(([^)]+)\)", last.source)
    assert (OWN / target).is_file()
    assert target == f"{NAMES[(NAMES.index(path.stem) + 1) % len(NAMES)]}.ipynb"


@each_own
def test_own_notebook_has_typed_and_commented_parameters(path):
    assert list(parameters_of(path)) == ["INCIDENT", "EVIDENCE"]
    (cell,) = [c for c in cells(path, "code") if "parameters" in c.metadata.get("tags", [])]
    assert all(re.match(r"[A-Z]+: str = .+  # .+", line) for line in cell.source.splitlines())


@each_own
def test_own_notebook_holds_no_logic_and_every_cell_shows_something(path):
    for cell in cells(path, "code"):
        tree = ast.parse(cell.source)
        assert not any(isinstance(node, LOOPS) for node in ast.walk(tree)), cell.id
        assert len(cell.source.splitlines()) < 16, cell.id
        if "parameters" not in cell.metadata.get("tags", []):
            assert isinstance(tree.body[-1], ast.Expr), cell.id


@each_own
def test_own_notebook_checks_itself_visibly(path):
    assert sum("kit.Check(" in cell.source for cell in cells(path, "code")) >= 2


@each_own
def test_own_notebook_states_no_result_in_prose(path):
    for cell in cells(path, "markdown"):
        assert not re.search(r"KB\d|\d{4}-\d\d|\b\d+ (of|hosts|attempts)", cell.source), cell.id


@each_own
def test_own_notebook_is_committed_executed_in_order_and_clean(path):
    nb = nbformat.read(path, as_version=4)
    code = cells(path, "code")
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert kinds == {"execute_result"}
    assert nb.metadata.kernelspec.name == "python3"
    assert all(re.fullmatch(r"[a-z-]+", cell.id) for cell in nb.cells)
    assert not any("injected-parameters" in cell.metadata.get("tags", []) for cell in nb.cells)
    assert path.stat().st_size < 400_000


def test_own_notebooks_say_the_same_when_run_again(tmp_path):
    results = run_all(OWN, parameters={}, out=tmp_path)
    assert [str(r.failure) for r in results if r.failure] == []
    assert [r.stderr for r in results] == [()] * len(NAMES)
    for result in results:
        assert shown(result.path) == shown(OWN / result.name), result.name


def test_own_notebooks_run_on_a_single_foreign_log_without_a_suspect(shared, tmp_path):
    """No attempt, no suspect, one host: every notebook still runs to its end."""
    results = run_all(
        OWN,
        parameters={"EVIDENCE": str(shared / "evtx" / "setup"), "INCIDENT": "vpn-outage"},
        out=tmp_path,
    )
    assert [str(r.failure) for r in results if r.failure] == []
