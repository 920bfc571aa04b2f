"""An exercise as it was handed out, put back into the learner's notebook; what stood there is kept.

Knows the sheets and the form of a notebook file; judges nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from ptwalk.checks.progress import home
from ptwalk.checks.registry import Notebook, exercise_named, notebook_named
from ptwalk.checks.sheet import own_cells, sheet_text
from ptwalk.errors import PtwalkError

KEPT = "kept"
"""The folder beside the learner's record in which what was replaced is kept."""


def reset(name: str, file: Path | None = None) -> tuple[Path, Path | None]:
    """Put an exercise ("01.2") or a whole notebook ("01") back; the file, and where the old one is kept.

    `file` is the learner's notebook; without it, the one in exercises/. Nothing is kept where nothing was.
    """
    whole = name.strip().isdecimal() or "." not in name
    book = notebook_named(name.strip()) if whole else _book_of(name)
    pristine = sheet_text(book.stem)
    if not pristine:
        raise PtwalkError(f"notebook {book.number} has no exercises yet, so there is nothing to reset")
    place = file or exercises_folder() / f"{book.stem}.ipynb"
    kept = None
    text = pristine
    if place.exists():
        if not whole:
            text = _with_cell_of(exercise_named(name).name, place, pristine, book)
        kept = _keep(place)
    _write(place, text)
    return place, kept


def _book_of(name: str) -> Notebook:
    return notebook_named(exercise_named(name).notebook[:2])


def exercises_folder() -> Path:
    """The folder exercises/ of the course that we are in; raises `PtwalkError` if we are in none."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "exercises").is_dir():
            return folder / "exercises"
        if folder.name == "exercises":
            return folder
    raise PtwalkError("there is no folder exercises/ here; go to the course's folder, or say --file NOTEBOOK")


def _with_cell_of(exercise: str, place: Path, pristine: str, book: Notebook) -> str:
    try:
        notebook = json.loads(place.read_text("utf-8"))
        cells: list[dict[str, Any]] = notebook["cells"]
        names = [str(cell.get("id")) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PtwalkError(
            f"{place.name} can't be read as a notebook. 'ptwalk reset {book.number}' begins the whole notebook "
            "afresh and keeps your file"
        ) from None
    fresh = {cell["id"]: cell for cell in json.loads(pristine)["cells"]}
    for role in ("answer", "check"):
        cell_id = f"{exercise.replace('.', '-')}-{role}"
        if role not in own_cells(book.stem).get(exercise, {}):
            continue
        if cell_id in names:
            cells[names.index(cell_id)] = fresh[cell_id]
        else:
            at = _place_for(cell_id, list(fresh), names)
            cells.insert(at, fresh[cell_id])
            names.insert(at, cell_id)
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _place_for(cell_id: str, order: list[str], names: list[str]) -> int:
    """Behind the nearest cell that stands before it on the sheet; at the end if there is none."""
    for before in reversed(order[: order.index(cell_id)]):
        if before in names:
            return names.index(before) + 1
    return len(names)


def _keep(place: Path) -> Path:
    folder = home() / KEPT
    stamp = time.strftime("%Y%m%d-%H%M%S")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for count in range(1, 1000):
            kept = folder / f"{place.stem}-{stamp}{f'-{count}' if count > 1 else ''}{place.suffix}"
            if not kept.exists():
                break
        shutil.copyfile(place, kept)
    except OSError as error:
        raise PtwalkError(
            f"nothing was changed, because your copy can't be kept in {folder}: {error.strerror}; "
            "set PTWALK_HOME to a folder that can be written"
        ) from None
    return kept


def _write(place: Path, text: str) -> None:
    scratch = ""
    try:
        descriptor, scratch = tempfile.mkstemp(dir=place.parent, suffix=".new")
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(scratch, place.stat().st_mode & 0o777 if place.exists() else 0o644)
        os.replace(scratch, place)
    except OSError as error:
        if scratch:
            Path(scratch).unlink(missing_ok=True)
        raise PtwalkError(f"cannot write {place}: {error.strerror}") from None
