"""docs/conformance.md is what the tables and the comparisons make of it."""

from pathlib import Path

from ptwalk.conformance import compare
from ptwalk.conformance.differences import DIFFERENCES
from ptwalk.conformance.page import page
from ptwalk.recordings import names

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"


def test_the_page_is_up_to_date() -> None:
    """Make it again with `python -m ptwalk.conformance > docs/conformance.md`."""
    assert PAGE.read_text(encoding="utf-8") == page(compare(name) for name in names())


def test_every_reason_is_on_it() -> None:
    """The whole table ships in the docs."""
    text = PAGE.read_text(encoding="utf-8")
    assert [entry.name for entry in DIFFERENCES if entry.reason not in text] == []
