"""The pages of the course beside the notebooks: the map, the glossary, the sheet of rules, the index of functions."""

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from authoring import pages, percent
from ptwalk.checks import registry

ROOT = Path(__file__).resolve().parent.parent.parent
TERM = re.compile(r"^- \*\*(.+?)\*\*: (.+)$", re.MULTILINE)
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
TERMS = [(term, " ".join(line.split())) for term, line in TERM.findall(GLOSSARY)]


def lessons() -> dict[str, str]:
    """The text of every lesson and of every exercise notebook, by file."""
    found = {}
    for folder in ("notebooks", "solutions"):
        for script in sorted((ROOT / "authoring" / folder).glob("*.py")):
            found[f"{folder}/{script.stem}"] = "\n".join(cell.source for cell in percent.read_script(script))
    return found


@pytest.mark.parametrize("path", sorted(pages.pages()), ids=lambda path: path.name)
def test_pages_are_what_the_script_writes(path: Path) -> None:
    """The map, the index of functions and the printed sheet follow from their sources."""
    assert path.read_text("utf-8") == pages.pages()[path], "run python -m authoring.pages"


def test_every_term_is_explained_once() -> None:
    """One line for each term, a sentence that ends, and no two entries for one term."""
    counted = Counter(term.lower() for term, _ in TERMS)
    assert [term for term, count in counted.items() if count > 1] == []
    assert len(TERMS) > 100
    assert [term for term, line in TERMS if not line.endswith((".", "`.", '".', "?"))] == []
    assert GLOSSARY.count("\n- ") == len(TERMS)


def said_by_the_library() -> str:
    """What reports, checks, docstrings and the stepper say: learners read those too."""
    files = [*(ROOT / "ptwalk").rglob("*.py"), *(ROOT / "ptwalk").rglob("catalogue.en.json")]
    return "\n".join(path.read_text("utf-8") for path in sorted(files))


def test_every_term_is_used() -> None:
    """No term stands in the glossary that no lesson, no page and no report of the course uses."""
    sheets = ["rules-sheet.md", "explorer.md", "conformance.md"]
    pages_ = [(ROOT / "docs" / name).read_text("utf-8") for name in sheets]
    text = "\n".join([*lessons().values(), *pages_, said_by_the_library()])
    low = " ".join(re.sub(r"[-_#*`]", " ", text.lower()).split())
    unused = [term for term, _ in TERMS if not re.search(rf"\b{re.sub('[-_]', ' ', term.lower())}", low)]
    assert unused == []


def test_the_map_has_every_notebook() -> None:
    """A place for each notebook, titles as in the list, all of it in words too; the picture is valid XML."""
    drawn = pages.course_map()
    ElementTree.fromstring(drawn)
    label = re.search(r'aria-label="([^"]+)"', drawn)
    assert label is not None
    for book in registry.NOTEBOOKS:
        assert book.number in pages.PLACES
        assert f"{int(book.number)} {pages.PLACES[book.number][2]}" in label[1]
    for one, other in pages.ARROWS:
        assert one < other, "nothing leads back"


def test_the_index_names_only_lessons_that_name_the_function() -> None:
    """Each row leads to notebooks in which the function stands."""
    texts = lessons()
    rows = re.findall(r"^\| `(\w+)` \|.*$", pages.function_index(), re.MULTILINE)
    assert rows == sorted(rows) and len(rows) == len(set(rows)) > 5
    for name, stems in pages.named().items():
        assert stems and all(name in texts[f"notebooks/{stem}"] for stem in stems)


def test_the_sheet_says_what_the_oracles_say() -> None:
    """The four questions, both releases, and the three rules of the review stand on the sheet."""
    sheet = (ROOT / "docs" / "rules-sheet.md").read_text("utf-8")
    for words in ("5.15.0", "7.1", "**Four questions.**", "interrupts off throughout", "mmget_not_zero"):
        assert words in sheet
    assert "landscape" in pages.rules_sheet()
