"""Papers for tests: notebooks of exercises, solved, spoiled or hostile, made from the sheets that travel along."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ptwalk.checks.registry import exercises, solution_code
from ptwalk.checks.sheet import sheet_text

STEM = "01_page_tables"
NAMES = [name for name, exercise in exercises().items() if exercise.notebook == STEM]

Cells = list[dict[str, Any]]


def paper(
    folder: Path,
    answers: dict[str, str] | None = None,
    edit: Callable[[Cells], object] = lambda cells: None,
    *,
    solved: tuple[str, ...] | None = None,
    name: str = f"{STEM}.ipynb",
) -> Path:
    """A notebook with every exercise solved (or those in `solved`), `answers` put in their cells, then `edit`ed."""
    notebook = json.loads(sheet_text(STEM))
    cells: Cells = notebook["cells"]
    for exercise in NAMES if solved is None else solved:
        cell(cells, f"{exercise.replace('.', '-')}-answer")["source"] = solution_code(exercises()[exercise])
    for exercise, source in (answers or {}).items():
        cell(cells, f"{exercise.replace('.', '-')}-answer")["source"] = source
    edit(cells)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(json.dumps(notebook), "utf-8")
    return file


def cell(cells: Cells, name: str) -> dict[str, Any]:
    """The cell with this id."""
    return next(each for each in cells if each["id"] == name)
