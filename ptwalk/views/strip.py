"""The strip at the end of a row: where in a lane memory is mapped, and with which rights; and its legend.

Takes a `Lane` and draws on a picture. A tall bar is writable, a low one read only, a line below executable.
"""

from __future__ import annotations

from collections.abc import Sequence

from ptwalk.trace.space import ALIAS
from ptwalk.views.drawing import Line, Picture, Rect, Text, text_width
from ptwalk.views.lanes import Lane

ROW = 22.0
"""The height of a row of the picture of a space, in pixels."""


def draw_strip(page: Picture, lane: Lane, x: float, y: float, width: float) -> None:
    """Draws what a lane maps from its first address to its last, one pixel column for an equal part of it."""
    height = ROW - 4
    if lane.aliases and len(lane.aliases) == len(lane.ranges):
        page.add(Rect(x + 0.5, y + 0.5, width - 1, height - 1, fill="bg", stroke="ink2", style="double"))
        return
    page.add(Rect(x, y, width, height, fill="panel", stroke=None))
    span = max(lane.end - lane.start, 1)
    columns = int(width)
    writable: list[bool | None] = [None] * columns
    executable = [False] * columns
    for run in lane.ranges:
        first = (run.start - lane.start) * columns // span
        last = max((run.end - lane.start) * columns // span, first + 1)
        for column in range(max(first, 0), min(last, columns)):
            writable[column] = bool(writable[column]) or (run.rights.write and run.kind != ALIAS)
            executable[column] |= run.rights.execute
    for first, last, write in _spans(writable):
        tall = height - 4 if write else (height - 4) / 2
        page.add(Rect(x + first, y + height - 3 - tall, last - first, tall, fill="ink2", stroke=None))
    for first, last, execute in _spans([value or None for value in executable]):
        if execute:
            page.add(Rect(x + first, y + height - 2, last - first, 2, fill="path", stroke=None))


def _spans(values: Sequence[bool | None]) -> list[tuple[int, int, bool]]:
    spans: list[tuple[int, int, bool]] = []
    for column, value in enumerate(values):
        if value is None:
            continue
        if spans and spans[-1][1] == column and spans[-1][2] == value:
            spans[-1] = (spans[-1][0], column + 1, value)
        else:
            spans.append((column, column + 1, value))
    return spans


def draw_legend(page: Picture, margin: float, y: float) -> float:
    """Draws what the marks mean and returns where it ends."""
    page.add(Line(((margin, y - 16), (page.width - margin, y - 16))))
    samples: list[tuple[str, float, bool]] = [
        ("writable", 14, False),
        ("read only", 7, False),
        ("executable: line below", 7, True),
    ]
    x = margin
    for word, tall, line in samples:
        if x + 24 + text_width(word) > page.width - margin:
            x, y = margin, y + 20
        page.add(Rect(x, y - 11, 16, 18, fill="panel", stroke=None))
        page.add(Rect(x, y + 4 - tall, 16, tall, fill="ink2", stroke=None))
        if line:
            page.add(Rect(x, y + 5, 16, 2, fill="path", stroke=None))
        page.add(Text(x + 22, y + 2, word, "ink2"))
        x += 22 + text_width(word) + 16
    for word, style, bar in (("shared table", "double", 0.0), ("huge pages", "solid", 5.0)):
        if x + 30 + text_width(word) > page.width - margin:
            x, y = margin, y + 24
        page.add(Rect(x, y - 10, 22, 16, fill="bg", stroke="ink2", style=style, bar=bar))
        page.add(Text(x + 28, y + 2, word, "ink2"))
        x += 28 + text_width(word) + 16
    return y + 12
