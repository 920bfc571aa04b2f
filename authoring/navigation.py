"""The last cell of every notebook: where it stands in the course, and what comes before and after.

Written by the build from the list of notebooks, so that a new one finds its place by itself.
"""

from __future__ import annotations

import nbformat

from authoring.percent import Cell
from ptwalk.checks import registry

NAME = "navigation"


def order() -> list[registry.Notebook]:
    """The notebooks in the order of the course."""
    return sorted(registry.NOTEBOOKS, key=lambda book: book.number)


def text(stem: str) -> str:
    """The links of one notebook, as Markdown."""
    books = order()
    place = next((at for at, book in enumerate(books) if book.stem == stem), None)
    if place is None:
        raise ValueError(f"{stem} is not in NOTEBOOKS of ptwalk/checks/registry.py; add its line")
    parts = []
    if place > 0:
        parts.append(f"← {_link(books[place - 1])}")
    parts.append("[Glossary](../docs/glossary.md)")
    parts.append("[Rules on one page](../docs/rules-sheet.md)")
    if place + 1 < len(books):
        parts.append(f"Next: {_link(books[place + 1])} →")
    return "---\n\n" + " · ".join(parts)


def _link(book: registry.Notebook) -> str:
    return f"[{int(book.number)}. {book.title}]({book.stem}.ipynb)"


def cell(stem: str) -> Cell:
    """The cell as the build adds it to what a script holds."""
    return Cell(NAME, "markdown", text(stem), ())


def relinked(notebook: nbformat.NotebookNode, stem: str) -> nbformat.NotebookNode:
    """The notebook with its last cell brought up to date; nothing is run."""
    kept = [one for one in notebook.cells if one.id != NAME]
    notebook.cells = [*kept, nbformat.v4.new_markdown_cell(text(stem), id=NAME)]
    return notebook
