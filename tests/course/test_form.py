"""Every lesson has the form of the course, and the list, the lessons and the instructor's guide say the same."""

import re
from functools import cache
from pathlib import Path

import pytest

from authoring import build, percent
from ptwalk.checks import registry
from ptwalk.checks.registry import Notebook

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = (ROOT / "docs" / "instructor-guide.md").read_text("utf-8")
CLOSING = {"In the real kernel", "What this leaves out", "Exercises", "What next", "What you can do now"}
LAST_WORDS = ("## What next", "## What you can do now")

every_lesson = pytest.mark.parametrize("book", registry.NOTEBOOKS, ids=lambda book: book.number)


@cache
def cells(stem: str) -> list[percent.Cell]:
    """The cells of a lesson, as its script has them."""
    return build.cells_of(ROOT / "authoring" / "notebooks" / f"{stem}.py")


def text(book: Notebook) -> str:
    """All that a lesson says, without its code, each paragraph in one line."""
    said = "\n\n".join(cell.source for cell in cells(book.stem) if cell.kind == "markdown")
    return re.sub(r"(?<!\n)\n(?![\n|<#-]|\d\.)", " ", said)


def box(book: Notebook, heading: str) -> str:
    """What stands below a heading, up to the next one."""
    found = re.search(rf"^## {heading}[^\n]*\n(.*?)(?=^#|\Z)", text(book), re.MULTILINE | re.DOTALL)
    assert found, f"{book.stem} has no part '## {heading}'"
    return found[1]


@every_lesson
def test_it_opens_with_what_for_and_how_long(book: Notebook) -> None:
    """Number and title of the list, what one can do after it, minutes alone and for the exercises, what one needs."""
    first = cells(book.stem)[0].source
    assert first.startswith(f"# {int(book.number)}. {book.title}"), first.splitlines()[0]
    assert "**After this** you can " in first
    flat = " ".join(first.split())
    minutes = re.search(r"About (\d+) minutes alone, and (\d+) for the exercises\. You need: ", flat)
    assert minutes, "say 'About N minutes alone, and M for the exercises. You need: …'"
    assert int(minutes[1]) == book.minutes, "the list of notebooks has other minutes"
    wanted = sum(exercise.minutes for exercise in exercises(book))
    assert abs(int(minutes[2]) - wanted) <= 5, f"its exercises take {wanted} minutes by their own words"


def exercises(book: Notebook) -> list[registry.Exercise]:
    """The exercises of a lesson."""
    return [one for one in registry.exercises().values() if one.notebook == book.stem]


@every_lesson
def test_it_has_three_exercises_and_points_to_them(book: Notebook) -> None:
    """At least three, of more than one difficulty or length; the lesson leads to their notebook."""
    mine = exercises(book)
    assert len(mine) >= 3
    assert len({(one.difficulty, one.minutes) for one in mine}) > 1
    assert f"](../exercises/{book.stem}.ipynb)" in text(book)


@every_lesson
def test_predictions_can_be_answered(book: Notebook) -> None:
    """Most predictions have choices that open, two at least, each with a reason; every choice has a name."""
    said = text(book)
    asked = said.split("**Predict.**")[1:]
    answered = [part for part in asked if part.count("<details>") >= 2]
    assert len(asked) >= 3
    assert len(answered) >= 0.7 * len(asked), "give the choices, each with its reason"
    assert said.count("<details>") == said.count("</details>") == said.count("</summary>")
    for name, reason in re.findall(r"<details><summary>(.*?)</summary>(.*?)</details>", said, re.DOTALL):
        assert name.strip() and reason.strip(), name


@every_lesson
def test_something_is_played(book: Notebook) -> None:
    """There is something to play with, asked for in words, and something that stays folded until it is run."""
    code = "\n".join(cell.source for cell in cells(book.stem) if cell.kind == "code")
    assert "**Play" in text(book)
    assert re.search(r"stepper\(|_explorer\(|\bgrid\(|\bplay", code)
    assert any("shut" in cell.tags for cell in cells(book.stem))


@every_lesson
def test_the_real_kernel_is_named(book: Notebook) -> None:
    """The box "In the real kernel" names a file, a function and a release."""
    real = box(book, "In the real kernel")
    assert re.search(r"`[\w/.-]+\.[chS]`", real), "name a file, such as `mm/memory.c`"
    assert re.search(r"`\w+\(\)`", real), "name a function, such as `free_pte_range()`"
    assert re.search(r"\b[2-7]\.\d+\b", real), "name a release, such as 5.15"


@every_lesson
def test_what_the_model_leaves_out_is_said(book: Notebook) -> None:
    """The box "What this leaves out" says something."""
    assert len(box(book, "What this leaves out").split()) >= 12


@every_lesson
def test_it_says_what_next(book: Notebook) -> None:
    """A closing part says what one can do now, or what comes next."""
    last = [part for part in LAST_WORDS if part in text(book)]
    assert last, f"close with '{LAST_WORDS[0]}'"
    assert len(box(book, last[0].removeprefix("## ")).split()) >= 10


@every_lesson
def test_one_idea_a_cell(book: Notebook) -> None:
    """A text cell has one heading (the closing boxes stand together), and is short, tables and answers apart."""
    for cell in cells(book.stem):
        if cell.kind != "markdown":
            continue
        plain = re.sub(r"<details>.*?</details>|^\|.*\|$", "", cell.source, flags=re.DOTALL | re.MULTILINE)
        words = len(plain.split())
        assert words <= 280, f"{book.stem}: cell {cell.name} has {words} words; cut it in two"
        headings = re.findall(r"^## (.+)$", cell.source, re.MULTILINE)
        ideas = [one for one in headings if one not in CLOSING]
        assert len(ideas) <= 1, f"{book.stem}: cell {cell.name} has the headings {ideas}"


@every_lesson
def test_the_guide_has_the_same_minutes(book: Notebook) -> None:
    """The instructor's guide gives a lesson's minutes alone and those of its exercises."""
    wanted = f"{book.minutes} alone, {sum(one.minutes for one in exercises(book))} for the exercises, "
    card = re.search(rf"^### {book.number} ([^\n]+)\n\n([^\n]+)", GUIDE, re.MULTILINE)
    assert card, f"docs/instructor-guide.md has no card for {book.number}"
    assert card[1].casefold().startswith(book.title.casefold().split(",")[0].split(":")[0])
    assert card[2].startswith(wanted), f"docs/instructor-guide.md: {book.number} begins '{wanted}'"


def test_every_script_is_in_the_list() -> None:
    """No lesson and no solution is left out of the course, and none is missing."""
    stems = {book.stem for book in registry.NOTEBOOKS}
    for kind in ("notebooks", "solutions"):
        assert {path.stem for path in (ROOT / "authoring" / kind).glob("*.py")} == stems
    numbers = [book.number for book in registry.NOTEBOOKS]
    assert numbers == sorted(numbers)
