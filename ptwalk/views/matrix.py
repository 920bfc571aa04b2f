"""A matrix of verdicts as a picture: who walks, who changes tables, on which kernel, and what the search said.

Knows cells by what they tell of themselves, nothing of how they were found.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Protocol

from ptwalk.views import svg as _svg
from ptwalk.views.drawing import Picture, Rect, Text, text_width

SIGNS = {
    "safe": ("✓", "path-tint", "ink", "path"),
    "bug": ("×", "bad", "bad-on", None),
    "incomplete": ("?", "other-tint", "ink", "other"),
    "none": ("", None, "ink2", None),
}
"""For each outcome its sign, ground, ink and edge: sign and word say it without the colour."""

_ROW, _GAP, _EDGE = 32, 6, 10


class Cell(Protocol):
    """What is asked of a cell; `word` is "safe", the oracle that spoke, or "-"."""

    @property
    def walker(self) -> str: ...
    @property
    def changer(self) -> str: ...
    @property
    def release(self) -> str: ...
    @property
    def arch(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def word(self) -> str: ...


def html(cells: Iterable[Cell]) -> str:
    """The matrix as HTML."""
    return _svg.html(picture(list(cells)))


def picture(cells: list[Cell]) -> Picture:
    """One kernel: a column for each walker. Several: a block for each walker, with a column for each kernel."""
    kernels = list(dict.fromkeys(_kernel(cell) for cell in cells))
    if len(kernels) == 1:
        blocks = [(kernels[0], [(cell.walker, cell) for cell in cells])]
    else:
        ordered = sorted(cells, key=lambda cell: [c.walker for c in cells].index(cell.walker))
        blocks = [
            (walker, [(_kernel(cell), cell) for cell in group])
            for walker, group in groupby(ordered, key=lambda cell: cell.walker)
        ]
    page = Picture(0, 0, "Walkers, changers and kernels", description(cells))
    every = [pair for _, block in blocks for pair in block]
    words = [f"× {cell.word}" for _, cell in every] + [column for column, _ in every]
    wide = max(text_width(word, 13) for word in words) + 20
    titles = [title for title, _ in blocks] + [cell.changer for cell in cells]
    left = max(text_width(title, 13, bold=True) for title in titles) + 2 * _EDGE
    y = 0.0
    for title, block in blocks:
        y = _block(page, title, block, y, left, wide)
    page.height = y + 4
    return page


def description(cells: list[Cell]) -> str:
    """The matrix in sentences: a sentence for each cell."""
    told = []
    for cell in cells:
        said = {"none": "there is none", "bug": cell.word}.get(cell.outcome, cell.outcome)
        told.append(f"{cell.walker} against {cell.changer}, {_kernel(cell)}: {said}.")
    return " ".join(told)


def _kernel(cell: Cell) -> str:
    return cell.release if cell.arch == "x86-64" else f"{cell.release} {cell.arch}"


def _block(
    page: Picture, title: str, block: list[tuple[str, Cell]], top: float, left: float, wide: float
) -> float:
    columns = list(dict.fromkeys(column for column, _ in block))
    changers = list(dict.fromkeys(cell.changer for _, cell in block))
    page.width = max(page.width, left + (wide + _GAP) * len(columns) + _EDGE)
    page.add(Text(_EDGE, top + 21, title, size=13, bold=True))
    for at, name in enumerate(columns):
        page.add(Text(left + (wide + _GAP) * at + wide / 2, top + 21, name, "ink2", 13, anchor="middle"))
    for down, changer in enumerate(changers):
        page.add(Text(_EDGE, top + _ROW * (down + 1) + 19, changer, size=13))
    for column, cell in block:
        x = left + (wide + _GAP) * columns.index(column)
        y = top + _ROW * (changers.index(cell.changer) + 1)
        sign, ground, ink, edge = SIGNS[cell.outcome]
        if ground is not None:
            page.add(Rect(x, y, wide, _ROW - _GAP, ground, edge, radius=4))
        page.add(Text(x + wide / 2, y + 18, f"{sign} {cell.word}".strip(), ink, 13, anchor="middle"))
    return top + _ROW * (len(changers) + 1) + _GAP
