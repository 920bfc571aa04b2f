"""Slides from the lessons: marked by the build, converted by nbconvert, shown without a network."""

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from authoring import slides
from ptwalk.checks import registry

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent.parent
LESSON = "05_race_munmap"


@pytest.mark.parametrize("book", registry.NOTEBOOKS, ids=lambda book: book.number)
def test_every_cell_knows_its_slide(book: registry.Notebook) -> None:
    """The marks in the notebook are what the rule says; the first is a slide, the links at the end are left out."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{book.stem}.ipynb", as_version=4)
    kinds = [cell.metadata.get("slideshow", {}).get("slide_type") for cell in notebook.cells]
    assert kinds == [slides.kind(cell) for cell in notebook.cells], "run python -m authoring --derive"
    assert kinds[0] == "slide" and kinds[-1] == "skip"
    assert kinds.count("slide") >= 4


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (nbformat.v4.new_markdown_cell("## A heading"), "slide"),
        (nbformat.v4.new_markdown_cell("So it is.\n\n## 2. The next part"), "slide"),
        (nbformat.v4.new_markdown_cell("**Predict.** Which?"), "subslide"),
        (nbformat.v4.new_markdown_cell("So it is."), "-"),
        (nbformat.v4.new_markdown_cell("Long. " * 60), "subslide"),
        (nbformat.v4.new_code_cell("import ptwalk\n\nptwalk.start('05')"), "skip"),
        (nbformat.v4.new_code_cell("1 + 1"), "-"),
        (nbformat.v4.new_code_cell("1 + 1", metadata={"tags": ["shut"]}), "fragment"),
        (nbformat.v4.new_markdown_cell("---", id="navigation"), "skip"),
    ],
)
def test_the_rule(cell: nbformat.NotebookNode, kind: str) -> None:
    """What begins a slide, what follows below, what waits for a key, and what is left out."""
    assert slides.kind(cell) == kind


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slides of a lesson, made as docs/workshop.md says."""
    folder = tmp_path_factory.mktemp("slides")
    command = [sys.executable, "-m", "nbconvert", "--config", str(ROOT / "jupyter" / "slides.py")]
    book = ROOT / "notebooks" / f"{LESSON}.ipynb"
    done = subprocess.run(
        [*command, str(book), "--output-dir", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / f"{LESSON}.slides.html"


@pytest.mark.slow
def test_slides_are_one_file(deck: Path) -> None:
    """No script, style, picture or font comes from anywhere else."""
    page = deck.read_text("utf-8")
    assert (
        re.findall(
            r"<script[^>]+src=|<link[^>]+href=|@import|url\(['\"]?https?:|<img[^>]+src=['\"](?!data:)", page
        )
        == []
    )
    assert page.count("<section") > 10


def test_slides_can_be_shown(browser: "Browser", deck: Path) -> None:
    """Keys go on and back, an answer waits for a key, the presenter's window follows, and nothing is fetched."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(deck.as_uri())
    assert page.inner_text("#place").startswith("1 of ")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#place").startswith("2 of ")
    page.keyboard.press("ArrowLeft")
    waiting = "() => document.querySelectorAll('section.now .waiting').length"
    while not page.evaluate(waiting):
        page.keyboard.press("PageDown")
    before = page.inner_text("#place")
    page.keyboard.press(" ")
    assert page.inner_text("#place") == before and not page.evaluate(waiting)
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    window = opened.value
    window.wait_for_selector(".presenter section.after")
    assert window.inner_text("#place") == before
    window.keyboard.press("Home")
    page.wait_for_function("() => document.getElementById('place').textContent.startsWith('1 of')")
    wide = """() => [...document.querySelectorAll('section section')]
        .filter(one => one.scrollWidth > one.clientWidth + 1).length"""
    assert page.evaluate(wide) == 0
    page.close()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
