"""One command from a clone to a running kit: the locks, the starter and what the README promises."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kitlib import start

LOCKS = ("requirements.lock", "tests/requirements.lock")
COMMANDS = (
    "python3 -m kitlib.start run sample_data",
    "py -m kitlib.start run sample_data",
    "python3 -m kitlib.start test",
    "py -m kitlib.start test",
)


def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def pins(path):
    """Every pinned requirement of a lock, in order, with the number of its hashes."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(Requirement(line.split("--hash")[0]), line.count("--hash=sha256:")) for line in lines]


def versions(path):
    found = {}
    for pin, _ in pins(path):
        found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def readme(root):
    path = root / "README.md"
    if not path.is_file():
        pytest.skip("there is no README.md yet")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_address_and_no_registry(root, lock):
    text = (root / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"\b[\w-]+\.(org|com|io|net|local)\b", text)
    options = {word for word in text.split() if word.startswith("-") and "--hash=" not in word}
    assert options == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_every_package_to_one_version_with_hashes(root, lock):
    for pin, hashes in pins(root / lock):
        assert re.fullmatch(r"==[^*,]+", str(pin.specifier)), pin
        assert hashes > 0, pin
        assert pin.url is None, pin


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_every_dependency_within_its_bounds(root, lock):
    settings = project(root)
    wanted = settings["project"]["dependencies"] + settings["build-system"]["requires"]
    if lock.startswith("tests"):
        wanted = wanted + settings["project"]["optional-dependencies"]["test"]
    locked = versions(root / lock)
    for text in wanted:
        dependency = Requirement(text)
        found = locked.get(canonicalize_name(dependency.name), [])
        assert found, f"{text} is not in {lock}: renew it (CONTRIBUTING.md)"
        for pin in found:
            version = str(pin.specifier).removeprefix("==")
            assert dependency.specifier.contains(version, prereleases=True), pin


def test_tests_run_with_the_versions_that_users_get(root):
    core, test = (versions(root / lock) for lock in LOCKS)
    assert {name: test.get(name) for name in core} == core


def test_readme_gives_a_reason_for_exactly_the_dependencies(root):
    settings = project(root)["project"]
    section = re.search(
        r"^#+ Dependencies\n(.*?)(?=^#+ |\Z)", readme(root), re.MULTILINE | re.DOTALL
    )
    assert section, "README.md has no section 'Dependencies'"
    table = re.findall(r"^\|\s*`([\w.-]+)`[^|]*\|\s*(.*?)\s*\|", section[1], re.MULTILINE)
    texts = settings["dependencies"] + settings["optional-dependencies"]["test"]
    assert sorted(name for name, _ in table) == sorted(Requirement(text).name for text in texts)
    assert [name for name, reason in table if not reason] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_shows_the_command(root, command):
    assert command in readme(root)


def test_ci_runs_the_command_of_the_readme(root):
    script = (root / ".ci" / "run").read_text(encoding="utf-8")
    assert "-m kitlib.start test" in script


def test_start_needs_the_standard_library_alone():
    tree = ast.parse((start.ROOT / "kitlib" / "start.py").read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        )
    }
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize("name", ["start.py", "__init__.py"])
def test_start_can_be_read_by_pythons_too_old_for_the_kit(name):
    text = (start.ROOT / "kitlib" / name).read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 7))


def run(command, *, cwd):
    return subprocess.run(command, check=False, cwd=cwd, capture_output=True, text=True)


def old_python():
    for minor in (10, 9, 8):
        found = shutil.which(f"python3.{minor}")
        if found and run([found, "-c", ""], cwd=start.ROOT).returncode == 0:
            return found
    return pytest.skip("no Python older than 3.11 is installed here")


def test_start_refuses_an_old_python_in_one_sentence():
    command = [old_python(), "-m", "kitlib.start", "run", "sample_data"]
    done = run(command, cwd=start.ROOT)
    assert done.returncode != 0
    assert done.stderr.startswith("kitlib needs Python 3.11 or newer; this is Python 3.")
    assert len(done.stderr.splitlines()) == 1


def test_start_without_words_shows_its_use(capsys):
    assert start.main([]) == 2
    assert "python3 -m kitlib.start run sample_data" in capsys.readouterr().err


def test_start_outside_a_clone_says_so(tmp_path):
    package = tmp_path / "kitlib"
    package.mkdir()
    for name in ("__init__.py", "start.py"):
        shutil.copy(start.ROOT / "kitlib" / name, package)
    command = [sys.executable, "-m", "kitlib.start", "run", "x"]
    done = run(command, cwd=tmp_path)
    assert done.returncode == 2
    assert "not a clone" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_installer_that_fails_is_quoted_without_its_noise(capsys):
    script = "print('Ignoring this'); print('no such package'); raise SystemExit(1)"
    assert not start._count_lines([sys.executable, "-c", script])
    assert capsys.readouterr().err.strip() == "no such package"


def test_installer_that_succeeds_is_silent(capsys):
    assert start._count_lines([sys.executable, "-c", "print('Collecting everything')"])
    assert capsys.readouterr() == ("", "")
