"""JupyterLab for real, seen through a real Chromium: start it, run a notebook, say what came out.

This file knows JupyterLab and Playwright. It does not know the kit or its notebooks: tests hand it
a folder and the name of a notebook in it, and judge what it reports.

What it waits for was learned the hard way. JupyterLab shows "idle" before a kernel is attached,
and "Run All" at that moment opens a dialog and runs nothing; so it waits for the session first
(``--expose-app-in-browser`` makes that visible). A cell that fails stops the run, so "all cells
numbered" must not be the only end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "t"  # noqa: S105  # guards a server that lives for one test on the loopback interface
START_SECONDS = 60
CELLS_SECONDS = 180
LOCAL = {"127.0.0.1", "localhost", ""}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Nothing but this machine can be resolved, whatever a page asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
# Both pop-ups would cover a corner of the screen, and the second one looks for updates.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
}
KERNEL_IS_READY = """() => {
    const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
    const kernel = context?.session?.kernel;
    return context?.isReady && kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
# 'done', 'failed' or 'dialog', and nothing while cells are at work.
HOW_IT_ENDED = """() => {
    if (document.querySelector('.jp-Dialog')) return 'dialog';
    const panel = window.jupyterapp.shell.currentWidget;
    if (panel.sessionContext.session.kernel.status !== 'idle') return '';
    const cells = panel.content.widgets.map(cell => cell.model)
        .filter(cell => cell.type === 'code' && cell.sharedModel.source.trim());
    if (cells.some(cell => cell.outputs.toJSON().some(out => out.output_type === 'error')))
        return 'failed';
    return cells.every(cell => cell.executionState === 'idle' && cell.executionCount) && 'done';
}"""
WHAT_CAME_OUT = """() => {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model);
    const outputs = cells.filter(cell => cell.type === 'code').flatMap(cell => cell.outputs.toJSON());
    return {
        errors: outputs.filter(out => out.output_type === 'error').map(out => `${out.ename}: ${out.evalue}`),
        images: [...document.querySelectorAll('.jp-OutputArea img')].map(img => img.naturalWidth),
        text: document.querySelector('.jp-Notebook').innerText,
    };
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a run of all cells showed.

    ``end`` is 'done', 'failed' (a cell raised) or 'dialog' (JupyterLab wants an answer);
    ``images`` are the natural widths of the output images in pixels, 0 for one that is broken;
    ``outside`` are requests that left, or would have left, this machine.
    """

    end: str
    errors: tuple[str, ...]
    images: tuple[int, ...]
    text: str
    console: tuple[str, ...]
    outside: tuple[str, ...]


def chromium() -> str:
    """Return the path of an installed Chromium; skip the test without one, fail in CI."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    reason = "no Chromium is installed (Debian and Ubuntu: apt install chromium)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    return pytest.skip(reason)


@contextlib.contextmanager
def jupyterlab(root: Path, private: Path) -> Iterator[str]:
    """Serve JupyterLab on `root`, with its own settings under `private`; give its address."""
    settings = private / "settings"
    for name, value in SETTINGS.items():
        path = settings / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    log = private / "jupyterlab.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            _server_command(root, port),
            cwd=root,
            env=_server_environment(private, settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for_answer(address, server, log)
            yield address
        finally:
            _stop(server)


def _server_command(root: Path, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}"),
        *("--expose-app-in-browser", "--LabApp.news_url=None"),
    ]


def _server_environment(private: Path, settings: Path) -> dict[str, str]:
    return {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(private / "config"),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces"),
        "IPYTHONDIR": str(private / "ipython"),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_answer(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            url = f"{address}/api/status?token={TOKEN}"
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # loopback
                answer.read()
                return
        time.sleep(0.2)
    pytest.fail("JupyterLab did not start:\n" + log.read_text(encoding="utf-8")[-3000:])


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@contextlib.contextmanager
def headless(executable: str) -> Iterator[Browser]:
    """Start Chromium without a window."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def run_all_cells(browser: Browser, address: str, notebook: str, picture: Path) -> Seen:
    """Open a notebook, run all its cells from the menu, wait, and report.

    Parameters
    ----------
    browser, address
        From `headless` and `jupyterlab`.
    notebook
        Path inside the served folder, with '/'.
    picture
        Where the screenshot goes (``.png``).
    """
    with browser.new_context(viewport={"width": 1400, "height": 1600}) as context:
        page = context.new_page()
        console: list[str] = []
        outside: list[str] = []
        page.on("console", lambda m: console.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: console.append(str(error)))
        page.on("request", lambda request: _note_outside(request.url, outside))
        page.on("websocket", lambda opened: _note_outside(opened.url, outside))
        page.goto(f"{address}/lab/tree/{quote(notebook)}?token={TOKEN}&reset")
        end = _run(page)
        page.screenshot(path=picture)
        came_out = page.evaluate(WHAT_CAME_OUT)
    return Seen(
        end=end,
        errors=tuple(came_out["errors"]),
        images=tuple(came_out["images"]),
        text=came_out["text"],
        console=tuple(console),
        outside=tuple(outside),
    )


def _run(page: Page) -> str:
    page.locator(".jp-NotebookPanel .jp-Notebook").first.wait_for(timeout=60_000)
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
    page.wait_for_function(KERNEL_IS_READY, timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    ended = page.wait_for_function(HOW_IT_ENDED, timeout=CELLS_SECONDS * 1000)
    # Pictures are decoded after the kernel has gone idle.
    all_loaded = "() => [...document.querySelectorAll('.jp-OutputArea img')].every(i => i.complete)"
    page.wait_for_function(all_loaded, timeout=20_000)
    return str(ended.json_value())


def _note_outside(url: str, outside: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"data", "blob"} and (parts.hostname or "") not in LOCAL:
        outside.append(url)
