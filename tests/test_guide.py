"""The instructor's guide speaks of notebooks and exercises as they are."""

import re
from pathlib import Path

import pytest

from ptwalk.checks.registry import NOTEBOOKS, Notebook, exercises
from ptwalk.cli import parser


@pytest.fixture(scope="module")
def guide(root: Path) -> str:
    """The guide's text."""
    return (root / "docs" / "instructor-guide.md").read_text("utf-8")


@pytest.mark.parametrize("book", NOTEBOOKS, ids=lambda book: book.number)
def test_every_notebook_has_its_card(guide: str, book: Notebook) -> None:
    """Minutes, the one thing to get across, what people think, what to ask and what to skip."""
    card = re.search(rf"^### {book.number} .*?(?=^### |\Z)", guide, re.MULTILINE | re.DOTALL)
    assert card, f"docs/instructor-guide.md: give notebook {book.number} a section"
    for part in ("in the room", "**Get across**", "People think", "Ask:", "Skip:"):
        assert part in card[0], f"the section of {book.number} lacks {part!r}"


def test_every_exercise_named_is_one(guide: str) -> None:
    """Of notebooks that have their exercises; "07.1" in the guide is an exercise of the course."""
    stems = {book.number: book.stem for book in NOTEBOOKS}
    ready = {
        number for number, stem in stems.items() if any(e.notebook == stem for e in exercises().values())
    }
    named = set(re.findall(r"\b\d\d\.\d\b", guide))
    assert named > {"00.1", "05.2"}
    assert not {name for name in named if name[:2] in ready} - set(exercises())


def test_every_command_named_is_one(root: Path) -> None:
    """In the guide and on the workshop's page, `ptwalk VERB` is a verb."""
    verbs = set(re.findall(r"^    (\w+)", parser().format_help(), re.MULTILINE))
    for page in ("instructor-guide.md", "workshop.md"):
        text = (root / "docs" / page).read_text("utf-8")
        named = set(re.findall(r"(?:`|^)ptwalk (\w+)", text, re.MULTILINE))
        assert named and named <= verbs, (page, named - verbs)
