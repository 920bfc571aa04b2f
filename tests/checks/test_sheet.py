"""The sheets in the library are the exercises that are handed out."""

from pathlib import Path

import pytest

from ptwalk.checks.registry import exercises
from ptwalk.checks.sheet import own_cells, sheet, sheet_text


def test_sheets_are_the_exercises(root: Path) -> None:
    """Byte for byte; `python -m authoring --derive` writes both."""
    handed_out = {path.stem: path.read_text("utf-8") for path in (root / "exercises").glob("*.ipynb")}
    assert handed_out == {stem: sheet_text(stem) for stem in handed_out}


def test_every_exercise_has_its_two_cells() -> None:
    """An answer and a check, by which the judge knows it."""
    for name, exercise in exercises().items():
        if not sheet_text(exercise.notebook):
            pytest.skip(f"{exercise.notebook} is not built yet")
        assert set(own_cells(exercise.notebook)[name]) == {"answer", "check"}, name


def test_a_notebook_without_exercises_has_no_sheet() -> None:
    """Its text is empty, and it has no cells."""
    assert sheet_text("99_none") == "" and sheet("99_none") == ()
