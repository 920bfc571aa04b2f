"""From a solution notebook to its exercise notebook, with nbgrader's marker words.

What stands between the markers is the solution; in the exercise a friendly placeholder stands there. nbgrader's own
placeholder raises an error, which frightens beginners and stays behind after a right answer.
"""

from __future__ import annotations

import copy
import re

import nbformat

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
PLACEHOLDER = "# Your code here."
ANSWER = re.compile(r"^(\d\d)-(\d+)-answer$")
CHECK = re.compile(r"^(\d\d)-(\d+)-check$")


def without_solutions(source: str) -> str:
    """`source` with the placeholder instead of what stands between the markers."""
    kept: list[str] = []
    inside = False
    for line in source.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        if line.strip() == BEGIN:
            inside = True
            kept.append(indent + PLACEHOLDER)
            if indent:  # a function needs a body, and `...` does nothing
                kept.append(indent + "...")
        elif line.strip() == END:
            if not inside:
                raise ValueError(f"{END} without {BEGIN}")
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise ValueError(f"{BEGIN} without {END}")
    return "\n".join(kept)


def exercise_from(solution: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The exercise notebook of a solution notebook: nothing solved, nothing run yet."""
    exercise = copy.deepcopy(solution)
    for cell in exercise.cells:
        if cell.cell_type == "code":
            cell.source = without_solutions(cell.source)
            cell.outputs = []
            cell.execution_count = None
    return exercise


def solutions_of(solution: nbformat.NotebookNode) -> dict[str, str]:
    """The code of each solution by the exercise's name, markers taken out."""
    found = {}
    for cell in solution.cells:
        named = ANSWER.match(cell.id)
        if named:
            lines = (line for line in cell.source.split("\n") if line.strip() not in (BEGIN, END))
            found[f"{named[1]}.{named[2]}"] = "\n".join(lines)
    return found


def grading(name: str) -> dict[str, object]:
    """nbgrader's metadata for the cell called `name`; empty for a cell that is not an exercise's."""
    if ANSWER.match(name):
        return {"grade": False, "locked": False, "solution": True, "task": False} | _always(name)
    if CHECK.match(name):
        return {"grade": True, "locked": True, "points": 1, "solution": False, "task": False} | _always(name)
    return {}


def _always(name: str) -> dict[str, object]:
    return {"grade_id": name, "schema_version": 3}
