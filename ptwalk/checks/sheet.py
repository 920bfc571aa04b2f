"""The exercise notebooks as they were handed out, which travel with the library.

Knows the form of a notebook file and how cells are named: `01-2-answer` and `01-2-check` belong to exercise 01.2.
Reads them as plain JSON, so that nothing of Jupyter is needed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

OWN_CELL = re.compile(r"^(\d\d)-(\d+)-(answer|check)$")
"""The names of the two cells that an exercise owns."""


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook: its name (the cell's id), whether it is code, and its text."""

    name: str
    code: bool
    source: str

    @property
    def role(self) -> tuple[str, str]:
        """The exercise whose cell this is and "answer" or "check"; two empty words for any other cell."""
        found = OWN_CELL.match(self.name)
        return (f"{found[1]}.{found[2]}", found[3]) if found else ("", "")


def text_of(source: object) -> str:
    """A cell's text: the format allows one string or a list of lines."""
    return source if isinstance(source, str) else "".join(str(line) for line in source)  # type: ignore[attr-defined]


@cache
def sheet_text(stem: str) -> str:
    """The whole exercise notebook called `stem`, as the text of its file; empty where there is none."""
    file = resources.files("ptwalk.checks") / "sheets" / f"{stem}.ipynb"
    return file.read_text("utf-8") if file.is_file() else ""


@cache
def sheet(stem: str) -> tuple[Cell, ...]:
    """The cells of the exercise notebook called `stem`, in order; none where there is no such notebook."""
    text = sheet_text(stem)
    cells = json.loads(text)["cells"] if text else []
    return tuple(Cell(c["id"], c["cell_type"] == "code", text_of(c["source"])) for c in cells)


@cache
def own_cells(stem: str) -> dict[str, dict[str, str]]:
    """For each exercise of a notebook the text of its answer cell, not solved, and of its check cell."""
    found: dict[str, dict[str, str]] = {}
    for cell in sheet(stem):
        exercise, role = cell.role
        if role:
            found.setdefault(exercise, {})[role] = cell.source
    return found
