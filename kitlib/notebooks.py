"""Running notebooks: parameters in, an executed copy out, and a failing cell named.

A notebook says its parameters in one cell tagged ``parameters``; a run puts a cell tagged
``injected-parameters`` behind it (papermill's convention, so papermill users lose nothing) and
refuses names the notebook does not have. The kernel is this very interpreter, whatever kernels
are installed elsewhere, without the user's IPython profile. Copies carry no time stamps and no
standard error output (warnings come back in `Executed.stderr`), so the same run gives the same
file. This module knows nothing of what the notebooks are about.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from kitlib.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PARAMETERS: Final = "parameters"
INJECTED: Final = "injected-parameters"
CELL_SECONDS: Final = 600.0

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a notebook stopped: number of the cell (from 1), its first line, the error."""

    cell: int
    line: str
    error: str

    def __str__(self) -> str:
        return f"cell {self.cell} ({self.line}): {self.error}"


@dataclass(frozen=True, slots=True)
class Executed:
    """One notebook run.

    Attributes
    ----------
    name
        The notebook's file name.
    path
        The executed copy; it exists also after a failure, with the cells up to the failing one.
    cells
        Code cells in it.
    seconds
        Wall time.
    failure
        What stopped it, or None.
    stderr
        What the cells wrote to standard error (warnings), kept out of the copy.
    """

    name: str
    path: Path
    cells: int
    seconds: float
    failure: Failure | None
    stderr: tuple[str, ...]


class _ThisInterpreter(KernelSpecManager):
    """Give the running interpreter as the kernel of every notebook."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


def parameters_of(notebook: Path) -> dict[str, Value]:
    """Return the parameters a notebook declares, with their defaults.

    Raises
    ------
    UsageError
        If the file is no notebook, or its parameter cell holds more than literal assignments.
    """
    cell = _parameter_cell(_read(notebook))
    return {} if cell is None else dict(_assignments(cell["source"], notebook.name))


def execute(
    notebook: Path,
    *,
    parameters: Mapping[str, Value],
    out: Path,
    timeout: float = CELL_SECONDS,
    progress: Callable[[str, int, int], None] | None = None,
) -> Executed:
    """Execute a copy of `notebook` with `parameters`.

    Parameters
    ----------
    notebook
        The ``.ipynb``; cells run in its folder, so that its relative paths hold.
    parameters
        Values by name; each must be declared in the cell tagged ``parameters``.
    out
        Folder for the copy, made if missing; the copy has the notebook's name.
    timeout
        Seconds a single cell may take.
    progress
        Called with name, code cells done, code cells in all, before the first and after each.

    Returns
    -------
    Executed
        Also if a cell fails: look at ``failure``.

    Raises
    ------
    UsageError
        If the file is no notebook or a parameter is unknown; nothing is run then.
    """
    nb = _read(notebook)
    _inject(nb, parameters, notebook.name)
    started = time.monotonic()
    failure = _run(nb, notebook, timeout=timeout, progress=progress)
    stderr = _clean(nb)
    out.mkdir(parents=True, exist_ok=True)
    path = out / notebook.name
    text = nbformat.writes(nb)  # type: ignore[no-untyped-call]  # nbformat is untyped
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
    seconds = time.monotonic() - started
    return Executed(notebook.name, path, len(_code(nb)), seconds, failure, stderr)


def run_all(
    folder: Path,
    *,
    parameters: Mapping[str, Value],
    out: Path,
    timeout: float = CELL_SECONDS,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Executed]:
    """Execute every notebook of `folder` by name; one that fails does not stop the others.

    Parameters and errors are those of `execute`; parameters are checked against all notebooks
    before the first one runs.
    """
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        raise UsageError(f"there are no notebooks in {folder}")
    for notebook in notebooks:
        _inject(_read(notebook), parameters, notebook.name)
    return [
        execute(notebook, parameters=parameters, out=out, timeout=timeout, progress=progress)
        for notebook in notebooks
    ]


def with_parameters(notebook: Path, parameters: Mapping[str, Value]) -> str:
    """Return `notebook` as a clean working copy whose parameter cell holds `parameters`.

    For people: unlike a run, which adds a cell behind the parameters, this writes the values where
    an analyst looks for them. Outputs and numbers of execution are left out.

    Parameters
    ----------
    notebook
        The ``.ipynb``.
    parameters
        Values by name; each must be declared in the cell tagged ``parameters``.

    Returns
    -------
    str
        The text of an ``.ipynb``.

    Raises
    ------
    UsageError
        If the file is no notebook or a parameter is unknown.
    """
    nb = _read(notebook)
    _check_parameters(nb, parameters, notebook.name)
    for cell in _code(nb):
        cell["outputs"], cell["execution_count"] = [], None
    cell = _parameter_cell(nb)
    for name, value in parameters.items():
        assignment = (
            rf"^({re.escape(name)}\b[^=\n]*=\s*)(\"[^\"\n]*\"|'[^'\n]*'|[^#\n]*?)(\s*(?:#.*)?)$"
        )
        new = _literal(value).replace("\\", "\\\\")  # a template of `re.sub`
        cell["source"] = re.sub(assignment, rf"\g<1>{new}\g<3>", cell["source"], flags=re.MULTILINE)
    text: str = nbformat.writes(nb)  # type: ignore[no-untyped-call]  # nbformat is untyped
    return text + "\n"


# ---------------------------------------------------------------- reading and parameters


def _read(notebook: Path) -> Any:  # noqa: ANN401  # nbformat is untyped
    try:
        return nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]  # untyped
    except FileNotFoundError as error:
        raise UsageError(f"there is no notebook {notebook}") from error
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise UsageError(f"{notebook} is not a notebook: {error}") from error


def _code(nb: Any) -> list[Any]:  # noqa: ANN401  # nbformat is untyped
    return [cell for cell in nb["cells"] if cell["cell_type"] == "code"]


def _tags(cell: Any) -> Sequence[str]:  # noqa: ANN401  # nbformat is untyped
    tags: Sequence[str] = cell["metadata"].get("tags", [])
    return tags


def _parameter_cell(nb: Any) -> Any:  # noqa: ANN401  # nbformat is untyped
    return next((cell for cell in _code(nb) if PARAMETERS in _tags(cell)), None)


def _assignments(source: str, name: str) -> Iterator[tuple[str, Value]]:
    """Yield the names and values of a parameter cell: literal assignments and nothing else."""
    for statement in ast.parse(source).body:
        target = (
            statement.target
            if isinstance(statement, ast.AnnAssign)
            else statement.targets[0]
            if isinstance(statement, ast.Assign)
            else None
        )
        value = getattr(statement, "value", None)
        if not isinstance(target, ast.Name) or value is None:
            raise UsageError(
                f"{name}: the parameter cell may only assign values, line {statement.lineno} "
                "does something else"
            )
        yield target.id, ast.literal_eval(value)


def _check_parameters(nb: Any, parameters: Mapping[str, Value], name: str) -> None:  # noqa: ANN401  # untyped
    cell = _parameter_cell(nb)
    known = dict(_assignments(cell["source"], name)) if cell is not None else {}
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        has = f"it has {', '.join(known)}" if known else "it has no parameters"
        raise UsageError(f"{name} has no parameter {', '.join(unknown)}; {has}")


def _inject(nb: Any, parameters: Mapping[str, Value], name: str) -> None:  # noqa: ANN401  # untyped
    nb["cells"] = [cell for cell in nb["cells"] if INJECTED not in _tags(cell)]
    _check_parameters(nb, parameters, name)
    if not parameters:
        return
    cell = _parameter_cell(nb)
    source = "\n".join(
        ["# Parameters", *(f"{key} = {_literal(value)}" for key, value in parameters.items())]
    )
    new = nbformat.v4.new_code_cell(  # type: ignore[no-untyped-call]  # nbformat is untyped
        source, id=INJECTED, metadata={"tags": [INJECTED]}
    )
    nb["cells"].insert(nb["cells"].index(cell) + 1, new)


def _literal(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


# ---------------------------------------------------------------- running


def _run(
    nb: Any,  # noqa: ANN401  # nbformat is untyped
    notebook: Path,
    *,
    timeout: float,
    progress: Callable[[str, int, int], None] | None,
) -> Failure | None:
    with tempfile.TemporaryDirectory(prefix="kitlib-") as scratch, _log(scratch) as log:
        manager = AsyncKernelManager(kernel_spec_manager=_ThisInterpreter(), kernel_name="python3")
        client = NotebookClient(
            nb,
            km=manager,
            timeout=timeout,
            record_timing=False,
            resources={"metadata": {"path": str(notebook.parent.resolve())}},
        )
        env = os.environ | {"IPYTHONDIR": scratch, "PYTHONHASHSEED": "0"}
        with client.setup_kernel(env=env, stdout=log, stderr=log, cleanup_kc=True):
            return _cells(client, nb, notebook.name, timeout=timeout, progress=progress)


def _log(scratch: str) -> Any:  # noqa: ANN401  # an open binary file
    return (Path(scratch) / "kernel.log").open("wb")


def _cells(
    client: NotebookClient,
    nb: Any,  # noqa: ANN401  # nbformat is untyped
    name: str,
    *,
    timeout: float,
    progress: Callable[[str, int, int], None] | None,
) -> Failure | None:
    done, total = 0, len(_code(nb))
    tell = progress or _silent
    tell(name, done, total)
    for index, cell in enumerate(nb["cells"]):
        if cell["cell_type"] != "code":
            continue
        try:
            client.execute_cell(cell, index)
        except CellExecutionError as error:
            return Failure(index + 1, _first_line(cell), f"{error.ename}: {error.evalue}")
        except CellTimeoutError:
            return Failure(index + 1, _first_line(cell), f"took longer than {timeout:g} s")
        except DeadKernelError:
            return Failure(index + 1, _first_line(cell), "the Python process running it died")
        done += 1
        tell(name, done, total)
    return None


def _silent(_name: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def _first_line(cell: Any) -> str:  # noqa: ANN401  # nbformat is untyped
    lines = str(cell["source"]).strip().splitlines()
    return lines[0] if lines else ""


# ---------------------------------------------------------------- the copy


def _clean(nb: Any) -> tuple[str, ...]:  # noqa: ANN401  # nbformat is untyped
    """Make the copy the same on every run; return what went to standard error."""
    told: list[str] = []
    for cell in _code(nb):
        cell["metadata"].pop("execution", None)
        told += [o["text"] for o in cell["outputs"] if _is_stderr(o)]
        cell["outputs"] = [o for o in cell["outputs"] if not _is_stderr(o)]
    nb["metadata"] = nbformat.from_dict(  # type: ignore[no-untyped-call]  # nbformat is untyped
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return tuple(told)


def _is_stderr(output: Any) -> bool:  # noqa: ANN401  # nbformat is untyped
    return bool(output["output_type"] == "stream" and output["name"] == "stderr")
