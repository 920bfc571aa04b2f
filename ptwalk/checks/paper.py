"""What a learner hands in, read with care: a notebook or a .py file becomes steps to run and answers to judge.

Knows the forms of files and the pristine sheets; runs nothing.  A check cell is never run as the learner left it: the
sheet's own takes its place.  Cells are known by their ids; where a tool has changed those, by nbgrader's names, or by
what they call.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptwalk.checks.registry import NOTEBOOKS, exercises, notebook_named
from ptwalk.checks.sheet import OWN_CELL, Cell, own_cells, sheet, text_of
from ptwalk.errors import PtwalkError

LARGEST = 20 << 20
"""Bytes of a file that is still read; a notebook of the course has a hundredth of that."""

_CALLS_CHECK = re.compile(r"""\bcheck\(\s*["'](\d?\d\.\d+)["']""")
_PERCENT = re.compile(r"^# %%(?P<text> \[markdown\])?\s*(?P<name>[a-z0-9-]*)", re.MULTILINE)


class Unreadable(PtwalkError):
    """A file that can't be judged at all; the text says why and what to do."""


@dataclass(frozen=True)
class Step:
    """One thing to do: run a cell (`exercise` is empty, or whose answer it is), or judge an exercise."""

    kind: str
    name: str
    source: str
    exercise: str = ""


@dataclass(frozen=True)
class Paper:
    """A file ready to be run: its steps, which exercises are not begun or missing, and remarks on the file."""

    path: Path
    steps: tuple[Step, ...]
    untouched: tuple[str, ...]
    missing: tuple[str, ...]
    remarks: tuple[str, ...]


def read_paper(path: Path) -> Paper:
    """The paper in the file at `path`; raises `Unreadable`."""
    cells = _cells(path)
    stems = _stems(cells, path)
    if not stems:
        raise Unreadable(
            f"{path.name} holds no exercise of the course. Hand in a notebook from exercises/, or a .py file "
            "whose name begins with the notebook's number, such as 01_answers.py"
        )
    return _paper(path, [_known(cell) for cell in cells], stems)


def _cells(path: Path) -> list[Cell]:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise Unreadable(
                f"{path.name} has {size >> 20} MB; no exercise needs that. Clear its outputs, and save it again"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(f"{path.name} is no text in UTF-8. Save it again in that form") from None
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}") from None
    return _script(path, text) if path.suffix == ".py" else _notebook(path, text)


def _notebook(path: Path, text: str) -> list[Cell]:
    damaged = (
        f"{path.name} is a damaged notebook: {{}}. Take an older copy, or begin afresh with "
        "ptwalk reset; your file stays beside it"
    )
    try:
        data = json.loads(text)
    except RecursionError:
        raise Unreadable(damaged.format("it nests without end")) from None
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise Unreadable(damaged.format(f"its JSON breaks off in line {line}")) from None
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        raise Unreadable(damaged.format("it has no list of cells"))
    cells: list[Cell] = []
    for count, cell in enumerate(data["cells"], 1):
        if not isinstance(cell, dict) or not isinstance(cell.get("source"), str | list):
            raise Unreadable(damaged.format(f"its cell {count} has no text"))
        name = _grade_id(cell) or str(cell.get("id") or f"cell {count}")
        cells.append(Cell(name, cell.get("cell_type") == "code", text_of(cell["source"])))
    return cells


def _grade_id(cell: dict[str, Any]) -> str:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return name if isinstance(name, str) and OWN_CELL.match(name) else ""


def _script(path: Path, text: str) -> list[Cell]:
    heads = list(_PERCENT.finditer(text))
    if heads:
        ends = [head.start() for head in heads[1:]] + [len(text)]
        parts = [("head", True, text[: heads[0].start()])]
        for count, (head, end) in enumerate(zip(heads, ends, strict=True), 1):
            parts.append((head["name"] or f"cell {count}", not head["text"], text[head.end() : end]))
        return [Cell(name, code, source) for name, code, source in parts]
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise Unreadable(f"{path.name}{where}: this is no Python. Mend it, and check again") from None
    # One statement a cell, so that one that stops does not take the rest along. Blank lines keep the numbers right.
    lines = text.splitlines()
    cells = []
    for node in tree.body:
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(d.lineno for d in decorators)])
        source = "\n" * (first - 1) + "\n".join(lines[first - 1 : node.end_lineno])
        cells.append(Cell(f"line {node.lineno}", True, source))
    return cells


def _known(cell: Cell) -> Cell:
    # A cell whose id was lost is still a check if it calls one.
    if cell.role[1] or not cell.code:
        return cell
    called = _CALLS_CHECK.search(cell.source)
    if called is None:
        return cell
    number, _, count = called[1].zfill(4).partition(".")
    return Cell(f"{number}-{count}-check", True, cell.source)


def _stems(cells: list[Cell], path: Path) -> list[str]:
    """Which notebooks of the course this is about: by its cells, else by its name, else by what it defines."""
    listed = exercises()
    roles = {_known(cell).role[0] for cell in cells} & set(listed)
    if roles:
        return [book.stem for book in NOTEBOOKS if any(listed[r].notebook == book.stem for r in roles)]
    if path.suffix == ".py" and re.match(r"\d\d", path.name):
        try:
            stem = notebook_named(path.name[:2]).stem
        except PtwalkError:
            return []
        return [stem] if own_cells(stem) else []
    return []


def _paper(path: Path, cells: list[Cell], stems: list[str]) -> Paper:
    remarks: list[str] = []
    own = {name: texts for stem in stems for name, texts in own_cells(stem).items()}
    listed = [name for name in exercises() if name in own]
    last = {cell.name: at for at, cell in enumerate(cells)}  # of two cells with one name the later counts
    asked = {name for name in listed if f"{_dashed(name)}-check" in last}
    for name in listed:
        twice = sum(cell.name == f"{_dashed(name)}-check" for cell in cells)
        if twice > 1:
            remarks.append(f"{name} is checked {twice} times; the last one counts.")
    answered = {name for name in listed if f"{_dashed(name)}-answer" in last}
    steps: list[Step] = []
    for cell in _filled(cells, stems, remarks) if answered else cells:
        exercise, role = cell.role
        if not cell.code:
            continue
        if role == "check" and exercise in own:
            if cell is cells[last[cell.name]]:
                steps.append(Step("check", cell.name, own[exercise]["check"], exercise))
                if path.suffix != ".py" and _plain(cell.source) != _plain(own[exercise]["check"]):
                    remarks.append(f"The check cell of {exercise} was changed; the course's own was used.")
            continue
        steps.append(Step("cell", cell.name, cell.source, exercise))
        if role == "answer" and exercise in own and exercise not in asked:
            steps.append(Step("check", cell.name, own[exercise]["check"], exercise))
            asked.add(exercise)
            if path.suffix != ".py":
                remarks.append(f"The check cell of {exercise} is gone; the course's own was used.")
    if not answered:  # a plain script: judge what it defines
        defined = _defined(cells)
        for name in listed:
            if name not in asked and _needed(own[name]["check"]) and _needed(own[name]["check"]) <= defined:
                steps.append(Step("check", name, own[name]["check"], name))
                asked.add(name)
    untouched = _untouched(cells, stems, own)
    missing = [name for name in listed if name not in asked or (answered and name not in answered)]
    steps = [step for step in steps if step.kind == "cell" or step.exercise not in untouched]
    return Paper(
        path,
        tuple(steps),
        tuple(name for name in listed if name in untouched),
        tuple(name for name in missing if not any(s.kind == "check" and s.exercise == name for s in steps)),
        tuple(remarks),
    )


def _filled(cells: list[Cell], stems: list[str], remarks: list[str]) -> list[Cell]:
    """The cells, with the sheet's own where one that prepares something was deleted."""
    present = {cell.name for cell in cells}
    filled = list(cells)
    for stem in stems:
        order = [cell for cell in sheet(stem) if cell.code]
        if not any(cell.name in present for cell in order if cell.role[1]):
            continue
        for at, cell in enumerate(order):
            if cell.name in present or cell.role[1]:
                continue
            later = {c.name for c in order[at + 1 :]}
            place = next((i for i, c in enumerate(filled) if c.name in later), len(filled))
            filled.insert(place, cell)
            remarks.append(f"The cell {cell.name!r} is gone; the course's own was run.")
    return filled


def _untouched(cells: list[Cell], stems: list[str], own: dict[str, dict[str, str]]) -> set[str]:
    """The exercises whose answer cell is as it was handed out, and that are answered in no other cell either."""
    known = {cell.name for stem in stems for cell in sheet(stem)}
    elsewhere = _defined([cell for cell in cells if cell.code and cell.name not in known])
    found = set()
    for cell in cells:
        exercise, role = cell.role
        if role == "answer" and exercise in own and not _needed(own[exercise]["check"]) & elsewhere:
            if _plain(cell.source) == _plain(own[exercise].get("answer")):
                found.add(exercise)
    return found


def _dashed(name: str) -> str:
    return name.replace(".", "-")


def _plain(source: str | None) -> str:
    # Spaces at line ends and empty lines come and go as editors like.
    return "\n".join(line.rstrip() for line in (source or "").splitlines() if line.strip())


def _needed(source: str) -> set[str]:
    """The names that a check cell takes from the learner."""
    names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    return names - set(dir(builtins)) - {"ptwalk"}


def _defined(cells: list[Cell]) -> set[str]:
    found: set[str] = set()
    for cell in cells:
        try:
            tree = ast.parse(cell.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return found
