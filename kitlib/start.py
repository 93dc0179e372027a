"""From a clone to a running kit with one command and nothing but Python.

    python3 -m kitlib.start run sample_data      # Windows: py -m kitlib.start run sample_data
    python3 -m kitlib.start lab
    python3 -m kitlib.start test [PYTEST ARGUMENTS]

The first start makes ``.venv`` in the clone and installs what ``requirements.lock`` names, each
file checked against its hash, with uv where it is on the PATH and pip otherwise. Later starts
see from a stamp in ``.venv`` that nothing changed and go straight on. Then ``test`` starts
pytest, and any other word is a command of kitlib itself.

This file knows virtual environments, pip and uv. It does not know the kit: it uses the standard
library alone, runs before anything is installed, and must be readable by Pythons that are too
old for the kit, so that they can say so. What it says goes to standard error.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from collections import deque
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  # old Pythons get a sentence, not a traceback
    sys.exit(
        "kitlib needs Python 3.11 or newer; this is Python %d.%d (%s). Start it with a newer one, "  # noqa: UP031  # oldest syntax there is
        "for example: python3.12 -m kitlib.start" % (*sys.version_info[:2], sys.executable)
    )

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "kitlib-setup.stamp"
LOCKS = {"core": ROOT / "requirements.lock", "test": ROOT / "tests" / "requirements.lock"}

NOISE = ("Ignoring ", "WARNING: Retrying")  # what pip says a dozen times before the point

NO_PACKAGES = """\
The packages could not be installed; the lines above are the installer's last words.
- No network? The first start needs one (about 200 MB), later ones do not.
- Behind a company mirror or proxy? Set it for pip (pip config set global.index-url ...) or by
  HTTPS_PROXY, then start again: what is already there is kept.
- A machine without any network: see "Without a network" in CONTRIBUTING.md."""

NO_PROJECT = """\
All packages are there, but the kit itself could not be installed from this clone; the lines above
say why. Is the clone complete?"""

NO_ENSUREPIP = """\
This Python cannot make virtual environments with pip in them: its ensurepip module is missing,
and there is no pip outside either. On Debian and Ubuntu install the package python3-venv
(sudo apt install python%d.%d-venv); elsewhere use a complete Python, or put uv on the PATH."""


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


def main(argv: list[str] | None = None) -> int:
    """Set up ``.venv`` if needed and run a command in it.

    Parameters
    ----------
    argv
        ``test`` and arguments of pytest, ``setup`` to stop after the set-up, or a command of
        kitlib with its arguments. Default: the process's own arguments.

    Returns
    -------
    int
        The command's exit code; 2 if the call is wrong or the set-up fails.
    """
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] in {"-h", "--help"}:
        print(__doc__, file=sys.stderr)
        return 0 if words else 2
    try:
        set_up("test" if words[0] == "test" else "core")
    except (SetupError, OSError) as error:
        print(f"kitlib.start: {error}", file=sys.stderr)
        return 2
    if words[0] == "setup":
        _say(f"{VENV} is ready.")
        return 0
    if words[0] == "test":
        # All cores; the tests of one module stay together, since they share what they read.
        chosen = words[1:] or ["-n", "auto", "--dist", "loadscope"]
        return _wait([str(_python()), "-m", "pytest", *chosen], folder=ROOT)
    return _wait([str(_python()), "-m", "kitlib", *words], folder=None)


def set_up(kind: str) -> None:
    """Bring ``.venv`` up to date, or return at once if it is.

    Parameters
    ----------
    kind
        ``core`` for what the kit needs, ``test`` for that and what its tests need.

    Raises
    ------
    SetupError
        With a message for the user, if the environment or its packages cannot be had.
    """
    if not (ROOT / "pyproject.toml").is_file() or not LOCKS[kind].is_file():
        raise SetupError(f"{ROOT} is not a clone of the kit: its lock files are missing.")
    if _is_fresh(kind):
        return
    _make_environment()
    _say(f"Installing packages into {VENV} (the first time, about 200 MB) ...")
    _install(["--require-hashes", "-r", str(LOCKS[kind])], failing=NO_PACKAGES)
    # The build backend came with the lock, checked like the rest, so no isolated build fetches it.
    editable = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    _install(editable, failing=NO_PROJECT)
    STAMP.write_text(f"{kind} {_fingerprint()}\n", encoding="utf-8")


def _fingerprint() -> str:
    """Hash of everything the environment was made from, its place included."""
    digest = hashlib.sha256(str(ROOT).encode())
    for path in (ROOT / "pyproject.toml", *LOCKS.values()):
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def _is_fresh(kind: str) -> bool:
    """Tell whether ``.venv`` was made from the present lock and holds what `kind` needs."""
    if not STAMP.is_file() or not _python().exists():
        return False
    made, _, fingerprint = STAMP.read_text(encoding="utf-8").strip().partition(" ")
    return fingerprint == _fingerprint() and made in {kind, "test"}


def _python() -> Path:
    """Return the environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _works() -> bool:
    """Tell whether ``.venv`` is there and its Python still runs (it may have been upgraded away)."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([str(_python()), "-c", check], check=False).returncode == 0
    except OSError:
        return False


def _make_environment() -> None:
    if _works():
        return
    _say(f"Making {VENV} with Python {sys.version.split()[0]} ...")
    with_pip = _uv() is None and importlib.util.find_spec("ensurepip") is not None
    venv.create(VENV, clear=True, symlinks=os.name != "nt", with_pip=with_pip)


def _install(arguments: list[str], *, failing: str) -> None:
    """Install with uv, or with pip if there is no uv or uv cannot do it (it reads no pip.conf)."""
    uv, python = _uv(), str(_python())
    if uv is not None:
        if _count_lines([uv, "pip", "install", "--python", python, *arguments]):
            return
        _say("uv could not; trying pip ...")
    if not _count_lines([*_pip(python), "install", *arguments]):
        raise SetupError(failing)


def _uv() -> str | None:
    return shutil.which("uv")


def _pip(python: str) -> list[str]:
    """Return the start of a pip command that installs into the environment.

    Debian's Python without python3-venv has no ensurepip, but often a pip of its own, which can
    install into another environment.
    """
    for command in ([python, "-m", "pip"], [sys.executable, "-m", "pip", "--python", python]):
        if (
            subprocess.run([*command, "--version"], check=False, capture_output=True).returncode
            == 0
        ):
            return [*command, "--disable-pip-version-check", "--no-input"]
    if importlib.util.find_spec("ensurepip") is not None:
        # An environment made for uv: give it the pip it was spared.
        subprocess.run([python, "-m", "ensurepip", "--upgrade"], check=False, capture_output=True)
        return [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    raise SetupError(NO_ENSUREPIP % sys.version_info[:2])


def _count_lines(command: list[str]) -> bool:
    """Run an installer, show that it is alive, and its last lines if it fails.

    Returns
    -------
    bool
        Whether it succeeded.
    """
    # A user-wide "install for the user" setting would make pip refuse a virtual environment.
    environment = {**os.environ, "PIP_USER": "0", "PYTHONUNBUFFERED": "1"}
    last: deque[str] = deque(maxlen=12)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for number, line in enumerate(process.stdout or ()):
            if not line.startswith(NOISE):
                last.append(line.rstrip()[:300])
            if sys.stderr.isatty():
                print(f"\r\033[K{number + 1:5d}  {line.rstrip()[:70]}", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    if process.returncode:
        print(*last, sep="\n", file=sys.stderr)
    return process.returncode == 0


def _wait(command: list[str], *, folder: Path | None) -> int:
    """Run `command` to its end; Ctrl-C is the command's to handle, not ours."""
    with subprocess.Popen(command, cwd=folder) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
