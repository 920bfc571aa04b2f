"""Build the course's notebooks from their scripts: `python -m authoring [--check] [NAME…]`.

    authoring/notebooks/NN_name.py  →  notebooks/NN_name.ipynb   (run, normalised)
    authoring/solutions/NN_name.py  →  solutions/NN_name.ipynb   (run, normalised)
    solutions/NN_name.ipynb         →  exercises/NN_name.ipynb   (derived, not run)
                                    →  ptwalk/checks/sheets/     (the same once more, for `ptwalk check` and `reset`)
                                    →  ptwalk/checks/solutions.json
    all of them                     →  docs/function-index.md and the other pages of `authoring.pages`

Each notebook ends in a cell that the build writes: its neighbours in the course (`authoring.navigation`). Those cells
follow the list of notebooks, and are brought up to date in every notebook at each build. So are the marks for the
slides (`authoring.slides`).

`--check` builds in memory and says which files on disk differ, without writing. NAME is a file stem or a number.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat

from authoring import navigation, pages, slides
from authoring.derive import exercise_from, solutions_of
from authoring.execute import notebook_from, run
from authoring.percent import Cell, read_script

ROOT = Path(__file__).resolve().parent.parent
SHEETS = ROOT / "ptwalk" / "checks" / "sheets"
SOLUTION_TEXTS = ROOT / "ptwalk" / "checks" / "solutions.json"


def text_of(notebook: nbformat.NotebookNode) -> str:
    """A notebook as the text of its file."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4) + "\n"


def cells_of(script: Path) -> list[Cell]:
    """The cells of the notebook that a script makes: its own, and for a lesson the links to its neighbours."""
    cells = read_script(script)
    return [*cells, navigation.cell(script.stem)] if script.parent.name == "notebooks" else cells


def built(only: list[str]) -> Iterator[tuple[Path, str]]:
    """Every generated file and the text it should have."""
    for kind in ("notebooks", "solutions"):
        for script in sorted((ROOT / "authoring" / kind).glob("*.py")):
            if only and not any(script.stem.startswith(name) for name in only):
                continue
            target = ROOT / kind / f"{script.stem}.ipynb"
            target.parent.mkdir(exist_ok=True)
            print(f"running {target.relative_to(ROOT)}", file=sys.stderr)
            notebook = run(notebook_from(cells_of(script)), target.parent)
            yield target, text_of(slides.marked(notebook) if kind == "notebooks" else notebook)


def linked() -> Iterator[tuple[Path, str]]:
    """Every lesson with the links to its neighbours and its slides as they are now, without running anything."""
    for book in navigation.order():
        path = ROOT / "notebooks" / f"{book.stem}.ipynb"
        if path.exists():
            lesson = navigation.relinked(nbformat.read(path, as_version=4), book.stem)
            yield path, text_of(slides.marked(lesson))


def derived() -> Iterator[tuple[Path, str]]:
    """Every file that follows from solutions/ alone, without running anything."""
    texts: dict[str, str] = {}
    for path in sorted((ROOT / "solutions").glob("*.ipynb")):
        solution = nbformat.read(path, as_version=4)
        texts |= solutions_of(solution)
        exercise = text_of(exercise_from(solution))
        yield ROOT / "exercises" / path.name, exercise
        yield SHEETS / path.name, exercise
    yield SOLUTION_TEXTS, json.dumps(texts, indent=1, ensure_ascii=False) + "\n"


def put(path: Path, text: str, check: bool) -> bool:
    """Write `text` to `path`, or only compare; whether it was different."""
    same = path.exists() and path.read_text("utf-8") == text
    if same:
        return False
    if check:
        print(f"{path.relative_to(ROOT)} is not what its source gives; run python -m authoring")
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return True


def main(arguments: list[str] | None = None) -> int:
    """The command; 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(description="Build the notebooks of the course from their scripts.")
    parser.add_argument("names", nargs="*", help="which ones, such as 01; all without")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    parser.add_argument(
        "--derive", action="store_true", help="only what follows from other files; runs nothing"
    )
    options = parser.parse_args(arguments)
    different = False
    if not options.derive:
        for path, text in built(options.names):
            different |= put(path, text, options.check)
    for path, text in (*linked(), *derived(), *pages.pages().items()):
        different |= put(path, text, options.check)
    return int(options.check and different)
