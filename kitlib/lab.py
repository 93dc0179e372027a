"""Opening JupyterLab on a working copy of the notebooks, inside the case.

The kit's own notebooks stay clean; the copies carry the case's parameters and are kept from one
session to the next, so that an analyst's notes survive. This file builds a command line; it does
not start it.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kitlib.notebooks import Value, with_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

START: Final = "00-evidence.ipynb"


@dataclass(frozen=True, slots=True)
class Session:
    """A prepared JupyterLab session: what to start, with which environment, in which folder."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


def prepare(
    notebooks: Path, case: Path, *, parameters: Mapping[str, Value], browser: bool = True
) -> Session:
    """Lay out working copies in ``CASE/lab`` and say how to open them.

    Parameters
    ----------
    notebooks
        Folder of the kit's notebooks.
    case
        The case folder.
    parameters
        Written into the parameters cell of each copy that is not there yet.
    browser
        Open a browser window.
    """
    folder = case / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in sorted(notebooks.glob("*.ipynb")):
        copy = folder / notebook.name
        if not copy.exists():
            copy.write_text(with_parameters(notebook, parameters), encoding="utf-8", newline="\n")
    settings = _quiet_settings(case / "lab-settings")
    command = [
        sys.executable,
        "-m",
        "jupyter",
        "lab",
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{START}",
        *([] if browser else ["--no-browser"]),
        # Forensic machines and containers are often used as root; the server is on loopback only.
        *(["--allow-root", "--ip=127.0.0.1"] if _is_root() else []),
    ]
    return Session(tuple(command), {"JUPYTERLAB_SETTINGS_DIR": str(settings.resolve())}, folder)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _quiet_settings(folder: Path) -> Path:
    """Switch off the news pop-up and the update check: nothing is fetched at run time."""
    inner = folder / "@jupyterlab" / "apputils-extension"
    inner.mkdir(parents=True, exist_ok=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (inner / "notification.jupyterlab-settings").write_text(json.dumps(quiet), encoding="utf-8")
    return folder
