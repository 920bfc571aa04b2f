"""What all tests share: the browser, and figures that a test wants to be seen.

A browser test takes the fixture `browser` (or `chromium`, the program's path).  Where there is no Chromium, or
playwright is not installed, such tests are skipped with a line that says how to get them; with PTWALK_BROWSER=1,
as in CI, they fail instead, so that a green run cannot hide them.

A test that counts things shows its figure by pytest's own `record_property("compared", "4,211 addresses")`: the
figures are printed at the end of the run, also when the tests ran in several processes.
"""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the browser as `browser` and `slow`, so that no test can forget to."""
    for item in items:
        if {"browser", "chromium"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's Chromium; skips the test where there is none (fails with PTWALK_BROWSER=1)."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if not found:
        give_up(
            "no Chromium on this machine: install it (Debian: apt install chromium) or name it in CHROMIUM"
        )
    return str(found)


@pytest.fixture(scope="module")
def browser(chromium: str) -> "Iterator[Browser]":
    """One headless Chromium for the tests of a module, driven by playwright.

    Not for the whole session: as long as it lives an event loop runs, and other tests could not run theirs.
    """
    if not find_spec("playwright"):
        give_up("playwright is not installed: run 'PTWALK_BROWSER=1 python3 course.py test'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # A container has no user namespaces for Chromium's sandbox; every page opened here is our own.
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


def give_up(reason: str) -> None:
    """Skip the test, or fail it where the browser tests were asked for by name."""
    if os.environ.get("PTWALK_BROWSER") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures that tests recorded."""
    reports = [
        report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])
    ]
    figures = [(report.nodeid, name, value) for report in reports for name, value in report.user_properties]
    if figures:
        terminalreporter.section("what the tests counted")
        for nodeid, name, value in figures:
            terminalreporter.write_line(f"{nodeid.partition('::')[2]}: {name} {value}")
