"""Every notebook opened in JupyterLab in a real browser and run to its end, as a learner does."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent.parent
BOOKS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("notebooks", "solutions")
    for path in ROOT.glob(f"{folder}/*.ipynb")
)
TALL = {"width": 1300, "height": 18_000}
"""JupyterLab takes cells out of the page that are off screen; on a tall one they all stay."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab over a copy of the course; gives its address with the token."""
    home = tmp_path_factory.mktemp("lab")
    for folder in ("notebooks", "solutions", "exercises"):
        (home / folder).mkdir()
        for book in (ROOT / folder).glob("*.ipynb"):
            (home / folder / book.name).write_text(book.read_text("utf-8"), "utf-8")
    shutil.copytree(ROOT / "docs", home / "docs")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    environment = dict(
        os.environ, JUPYTER_CONFIG_DIR=str(home / "config"), PTWALK_HOME=str(home / "progress")
    )
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}"]
    server = subprocess.Popen(
        [*command, f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={home}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(120):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=1).close()
            break
        except OSError:
            time.sleep(0.5)
    yield f"http://127.0.0.1:{port}|{token}"
    server.terminate()
    server.wait(20)


def opened(browser: "Browser", lab: str, book: str) -> Any:
    """A page with `book` open, its kernel idle."""
    address, token = lab.split("|")
    page = browser.new_page(viewport=TALL)  # type: ignore[arg-type]
    page.goto(f"{address}/lab/tree/{book}?reset&token={token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function(
        "() => /Python 3 .*Idle/.test(document.querySelector('#jp-main-statusbar')?.innerText ?? '')",
        timeout=60_000,
    )
    # JupyterLab draws cells one after another, in its own time: the kernel may well be idle before the last is there.
    cells = json.loads((ROOT / book).read_text("utf-8"))["cells"]
    code = sum(cell["cell_type"] == "code" for cell in cells)
    shut = sum(bool(cell["metadata"].get("jupyter", {}).get("outputs_hidden")) for cell in cells)
    page.wait_for_function(
        """([code, shut]) => document.querySelectorAll('.jp-CodeCell .jp-InputPrompt').length === code
            && document.querySelectorAll('.jp-OutputPlaceholder').length === shut""",
        arg=[code, shut],
        timeout=60_000,
    )
    return page


def run_all(page: Any) -> None:
    """Choose Run, Run All Cells, and wait until every code cell has a number and the kernel is idle."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.wait_for_function(
        """() => {
            const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.innerText);
            const idle = /Idle/.test(document.querySelector('#jp-main-statusbar').innerText);
            return idle && prompts.length && prompts.every(p => /\\[\\d+\\]/.test(p));
        }""",
        timeout=90_000,
    )
    page.wait_for_timeout(500)


@pytest.mark.parametrize("book", BOOKS)
def test_a_notebook_runs_to_its_end(browser: "Browser", lab: str, book: str, tmp_path: Path) -> None:
    """What answers a prediction is folded until it is run; Run All leaves no error and no picture without words."""
    page = opened(browser, lab, book)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    run_all(page)
    assert page.evaluate("() => document.querySelectorAll('.jp-OutputPlaceholder').length") == 0
    shots = Path(os.environ.get("PTWALK_SCREENSHOTS", tmp_path))
    shots.mkdir(parents=True, exist_ok=True)
    height = page.evaluate(
        "() => document.querySelector('.jp-WindowedPanel-viewport, .jp-Notebook').scrollHeight"
    )
    page.set_viewport_size({"width": TALL["width"], "height": min(int(height) + 200, 18_000)})
    page.screenshot(path=shots / f"{book.replace('/', '-')}.png")
    looked = page.evaluate(
        """() => ({
            wrong: [...document.querySelectorAll('[data-mime-type="application/vnd.jupyter.stderr"], '
                + '[data-mime-type="application/vnd.jupyter.error"]')].map(e => e.innerText),
            silent: [...document.querySelectorAll('.jp-OutputArea-output img:not([alt]), '
                + '.jp-OutputArea-output svg[role=img]:not([aria-label])')].length,
            wide: [...document.querySelectorAll('.jp-OutputArea-output, .jp-RenderedMarkdown')]
                .filter(e => e.scrollWidth > e.clientWidth + 2).map(e => e.innerText.slice(0, 60)),
        })"""
    )
    page.close()
    assert errors == []
    assert looked == {"wrong": [], "silent": 0, "wide": []}, json.dumps(looked)
