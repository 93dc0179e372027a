"""The house keeps its shape: import levels, a light package, a documented surface, data as data.

The levels are those of the design: errors < readers < collection < ingest < rules and knowledge <
timeline < exposure < cause < findings < charts < simulate < cli. A module may import from its own
level and from below, never from above. A new module fails until somebody places it here.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import kitlib as kit

PACKAGE = Path(kit.__file__).parent
ROOT = PACKAGE.parent
LEVELS = (
    {"errors", "inert", "schema", "stats", "claims"},
    {"readers"},
    {"archives", "layouts", "companions", "collection"},
    {"ingest", "duplicates", "zones", "zone_marks", "localtime", "evidence", "store"},
    {"classify", "incident", "knowledge"},
    {"hosts", "clocks", "timeline", "changes", "stays", "coverage"},
    {"exposure", "attempts", "reconcile", "gateway"},
    {
        "suspects",
        "explain",
        "legs",
        "hours",
        "habits",
        "spells",
        "losses",
        "cause",
        "recovery",
        "restoration",
        "impact",
    },
    {"findings"},
    {"charts", "report", "export", "redact", "notebooks", "lab"},
    {"simulate"},
    {"cli"},
    {"__main__"},
)
LEVEL = {module: number for number, level in enumerate(LEVELS) for module in level}
STANDALONE = {"start"}  # runs before anything is installed
SIMULATE_KNOWS = {"errors", "schema", "knowledge", "simulate"}
HEAVY = ("pandas", "numpy", "scipy", "matplotlib", "nbformat", "pyarrow", "evtx", "jupyterlab")
MAY_CATCH_ALL = {"readers", "ingest"}
LONGEST_MODULE = 500

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
# Written in pieces, so that this file does not name what it forbids.
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(" + "|".join(["wo" + "rk", "ro" + "ot", "far" + "m"]) + r")/"
)
TEMPORARY_PATH = re.compile(r"(?<![\w.])/" + r"tmp/\w")
REGISTRIES = re.compile(
    "|".join(
        map(
            re.escape,
            [
                "pypi" + ".org",
                "python" + "hosted",
                "npm" + "js",
                "deb.deb" + "ian",
                "conda.an" + "aconda",
            ],
        )
    )
)
KB = re.compile(r"KB\d{6,}")


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


each_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


def room(path):
    """First part of a module's name: the file or folder right under kitlib."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_rooms(path):
    """Every room of kitlib that a module imports, also inside functions and for types only."""
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("kitlib.")}
    return found & (LEVEL.keys() | STANDALONE)


def public(holder):
    """The functions and classes of a module or class that readers of it may use, and their names."""
    for node in holder.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def docstrings(tree):
    """The string constants that are docstrings."""
    holders = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, holders) and node.body and isinstance(node.body[0], ast.Expr)
    }


def tracked_texts():
    """Every text file that git tracks or would track."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    command = ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in sorted(set(listed.split("\0")) - {""}):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in content[:8192]:
            yield name, content.decode("utf-8", errors="replace")


@each_module
def test_module_has_a_place_in_the_architecture(path):
    placed = room(path) in LEVEL or room(path) in STANDALONE
    assert placed, f"place {room(path)!r} in LEVELS"


@each_module
def test_module_imports_only_from_its_level_and_below(path):
    if room(path) in STANDALONE:
        assert imported_rooms(path) == set()
        return
    above = {name for name in imported_rooms(path) if LEVEL.get(name, 99) > LEVEL[room(path)]}
    assert above == set()


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) == "simulate"], ids=name_of)
def test_simulate_does_not_know_the_analysis(path):
    assert imported_rooms(path) <= SIMULATE_KNOWS


def test_only_the_command_line_uses_simulate():
    users = {room(path) for path in MODULES if "simulate" in imported_rooms(path)}
    assert users <= {"simulate", "cli"}


def test_rooms_do_not_import_in_a_circle():
    graph = {}
    for path in MODULES:
        graph.setdefault(room(path), set()).update(imported_rooms(path) - {room(path)})
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_import_of_the_package_stays_light():
    script = f"import sys, kitlib; print([name for name in {HEAVY!r} if name in sys.modules])"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", kit.__all__)
def test_public_name_loads_and_is_documented(name):
    value = getattr(kit, name)
    if name == "__version__":
        assert re.fullmatch(r"\d+\.\d+\.\d+", value)
        return
    assert value.__module__.startswith("kitlib."), f"{name} is defined elsewhere"
    assert value.__doc__, f"{name} has no docstring"
    assert len(value.__doc__.strip()) > 20


def test_public_names_are_those_that_dir_lists():
    assert dir(kit) == sorted(kit.__all__)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'read_everything'"):
        kit.read_everything  # noqa: B018  # the access is what is tested


@each_module
def test_module_says_what_it_knows(path):
    text = ast.get_docstring(parse(path))
    assert text, f"{path} has no docstring"


@pytest.mark.parametrize(
    "path", [p for p in MODULES if re.match("[a-z]|__init__", p.name)], ids=name_of
)
def test_public_functions_and_classes_have_docstrings(path):
    assert [name for name, node in public(parse(path)) if not ast.get_docstring(node)] == []


@each_module
def test_nothing_but_readers_and_ingest_catches_everything(path):
    if room(path) in MAY_CATCH_ALL:
        return
    broad = {"Exception", "BaseException"}
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"
            caught = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)}
            assert not caught & broad, f"line {node.lineno}"


@each_module
def test_code_names_no_update(path):
    tree = parse(path)
    allowed = docstrings(tree)
    named = [
        f"line {node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if id(node) not in allowed and KB.search(node.value)
    ]
    assert named == []


def speaks_of_event_id(node):
    return any(
        (isinstance(part, ast.Name) and "event_id" in part.id)
        or (isinstance(part, ast.Attribute) and "event_id" in part.attr)
        or (isinstance(part, ast.Constant) and part.value == "event_id")
        for part in ast.walk(node)
    )


def holds_a_number(node):
    return any(isinstance(n, ast.Constant) and type(n.value) is int for n in ast.walk(node))


@each_module
def test_code_compares_no_event_id_with_a_number(path):
    compared = []
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Compare):
            sides, others = [node.left], node.comparators
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in {"isin", "eq", "ne"}:
                continue
            sides, others = [node.func.value], node.args
        else:
            continue
        if any(map(speaks_of_event_id, sides + others)) and any(
            holds_a_number(side) and not speaks_of_event_id(side) for side in sides + others
        ):
            compared.append(node.lineno)
    assert compared == []


@each_module
def test_module_is_short_enough_to_hold_one_thing(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines < LONGEST_MODULE


@pytest.mark.parametrize(
    "forbidden",
    [MACHINE_PATH, TEMPORARY_PATH, REGISTRIES],
    ids=["machine", "temporary", "registry"],
)
def test_repository_names_no_machine_and_no_registry(forbidden):
    found = [
        f"{name}: {match[0]}"
        for name, text in tracked_texts()
        for match in [forbidden.search(text)]
        if match
    ]
    assert found == []
