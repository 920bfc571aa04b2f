"""The stepper where learners meet it: in JupyterLab, with a real kernel that runs the simulated one."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from laboratory import PLAY, laboratory, open_and_run, write_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


def _cells(page: Page) -> int:
    return page.locator(".jp-Notebook .jp-Cell").count()


def _step(page: Page) -> str:
    return page.inner_text(".ptwalk-stepper .say .n")


CHECK = """\
import ptwalk
from ptwalk.walk.damon import damon_va_mkold_v34
ptwalk.check("05.2", damon_va_mkold_v34)
"""


def test_a_check_that_saw_a_race_opens_the_stepper(browser: Browser, tmp_path: Path) -> None:
    """Below the words, in the same cell, three steps before the end; and it can be played on."""
    book = write_notebook(tmp_path / "answer.ipynb", CHECK)
    with laboratory(tmp_path) as lab:
        page = open_and_run(browser, lab, book.name)
        outputs = page.locator(".jp-OutputArea-child")
        assert "Not yet (05.2)" in outputs.nth(0).inner_text()
        assert outputs.nth(1).locator(".ptwalk-stepper").count() == 1
        at, of = (int(word) for word in _step(page).split() if word.isdigit())
        assert of - at == 3
        page.focus(".ptwalk-stepper [data-k=handle]")
        page.keyboard.press("End")
        assert _step(page) == f"Step {of} of {of}"


def test_a_learner_plays(browser: Browser, tmp_path: Path) -> None:
    """Run All, scrub, take another turn, undo; no key reaches the notebook; what is saved stays small."""
    book = write_notebook(tmp_path / "race.ipynb", PLAY, "1 + 1")
    with laboratory(tmp_path) as lab:
        page = open_and_run(browser, lab, book.name)
        before = _cells(page)
        page.focus(".ptwalk-stepper [data-k=handle]")
        for key in (
            "b",
            "a",
            "d",
            "d",
            "x",
            "Enter",
            "ArrowRight",
            "ArrowRight",
            "ArrowDown",
            "Space",
            "Space",
            "Escape",
        ):
            page.keyboard.press(key)
        assert _cells(page) == before
        page.focus(".ptwalk-stepper [data-k=handle]")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert _step(page).startswith("Step 2 of")
        length = page.evaluate("document.querySelector('.ptwalk-stepper').stepper.run.length")
        page.keyboard.press("1")
        page.wait_for_function("document.querySelector('.ptwalk-stepper').stepper.run.length === 3")
        assert _step(page) == "Step 3 of 3"
        assert page.evaluate("document.querySelector('.ptwalk-stepper').stepper.run.choices()") == [0, 0, 1]
        page.keyboard.press("Shift+Digit1")
        page.wait_for_function("document.querySelector('.ptwalk-stepper').stepper.run.length > 10")
        page.keyboard.press("u")
        page.keyboard.press("u")
        assert page.evaluate("document.querySelector('.ptwalk-stepper').stepper.run.length") == length
        page.keyboard.press("f")
        page.wait_for_function("document.querySelector('.ptwalk-stepper .ver.hit:not(.later)')")
        page.keyboard.press("p")
        page.wait_for_function(
            "/all searched|all .* executions/.test(document.querySelector('.ver:not(.later)').innerText)",
            timeout=60_000,
        )
        assert _cells(page) == before
        page.keyboard.press("Control+s")
        saved: dict[str, Any] = {}
        for _ in range(600):  # a save takes as long as the machine is busy
            page.wait_for_timeout(100)
            with suppress(ValueError):  # read in the middle of being written
                saved = json.loads(book.read_text(encoding="utf-8"))
            if saved.get("cells", [{}])[0].get("outputs"):
                break
        assert "widgets" not in saved["metadata"]
        assert len(json.dumps(saved["cells"][0]["outputs"])) < 10_000
        page.close()
