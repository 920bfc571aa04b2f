"""The tables in docs are those that the scenarios and the matrix give now."""

from pathlib import Path

import pytest

from ptwalk.trials.page import PAGES, filled

DOCS = Path(__file__).resolve().parents[2] / "docs"
MADE = [pytest.param(page, marks=pytest.mark.slow) if page == "matrix.md" else page for page in PAGES]


@pytest.mark.parametrize("page", MADE)
def test_a_page_is_up_to_date(page):
    """Making the page anew changes nothing; `python -m ptwalk.trials.page docs` does it."""
    name, make = PAGES[page]
    text = (DOCS / page).read_text(encoding="utf-8")
    assert f"<!-- {name} -->" in text
    assert filled(text, name, make) == text
