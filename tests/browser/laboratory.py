"""A JupyterLab with the course's own settings over a scratch folder, and notebooks opened in it."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent.parent
PLAY = """\
from ptwalk.trials.playing import play
from ptwalk.views.stepper import stepper
run, session = play("munmap-vs-damon-v34")
stepper(run, session)
"""


@contextmanager
def laboratory(home: Path) -> Iterator[str]:
    """Start JupyterLab over `home`; gives "address|token"."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    config = home / "config"  # a copy: JupyterLab writes into its settings
    shutil.copytree(ROOT / "jupyter", config, dirs_exist_ok=True)
    surroundings = os.environ | {
        "JUPYTER_CONFIG_DIR": str(config),
        "PTWALK_HOME": str(home / "progress"),
    }
    server = subprocess.Popen(
        [
            sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}",
            f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={home}",
        ],
        env=surroundings, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=1).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}|{token}"
    finally:
        server.terminate()
        server.wait(20)


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook with these code cells."""
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(book, path)
    return path


def open_and_run(browser: Browser, lab: str, name: str) -> Page:
    """Open a notebook, run all its cells, and wait for the stepper."""
    address, token = lab.split("|")
    page = browser.new_page(viewport={"width": 1500, "height": 2400})
    page.goto(f"{address}/lab/tree/{name}?reset&token={token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function(
        "() => /Python 3 .*Idle/.test(document.querySelector('#jp-main-statusbar')?.innerText ?? '')",
        timeout=60_000,
    )
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.wait_for_selector(".ptwalk-stepper .ver", timeout=60_000)
    return page
