"""Every example of the documentation runs and prints what stands beside it."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
NAMES = ["lost_update", "dining_philosophers", "double_checked_lock"]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_prints_what_the_page_says(name: str) -> None:
    """Run as a reader would run it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (EXAMPLES / f"{name}.out").read_text()


def test_the_page_quotes_the_examples() -> None:
    """The page on the explorer shows each example's first line of output as it is."""
    page = (EXAMPLES.parent / "explorer.md").read_text()
    for name in NAMES:
        assert (EXAMPLES / f"{name}.out").read_text().split("\n")[0] in page
