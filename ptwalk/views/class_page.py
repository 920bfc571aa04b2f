"""A class at a glance: who has done what, who is stuck where, and on which words.

Knows plain words and shares, drawn as a picture and said again as a table; nothing of how they were found.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape

from ptwalk.views.drawing import Line, Mark, Picture, Rect, Text, text_width
from ptwalk.views.report_page import report_page, table
from ptwalk.views.svg import svg

SIGNS = {
    "passed": ("✓", "path", "path-on", None),
    "partly": ("½", "other-tint", "ink", "other"),
    "not yet": ("×", "bad-tint", "ink", "bad"),
    "stopped": ("!", "bad", "bad-on", None),
    "open": ("·", None, "ink2", "line"),
    "missing": ("", None, "ink2", None),
}
"""For each state its sign, ground, colour of the sign and edge: shape and letter say it without the colour."""

_LEGEND = {
    "passed": "passed",
    "partly": "passed in part",
    "not yet": "tried, not yet",
    "stopped": "stopped, could not be judged",
    "open": "not begun",
}

_ROW, _COLUMN, _TOP, _NAME = 26, 26, 82, 190


@dataclass(frozen=True)
class Square:
    """One learner at one exercise: the state, as in `SIGNS`, and the words for it."""

    state: str
    words: str = ""


@dataclass(frozen=True)
class Row:
    """One learner: a name, a square for each exercise, the points, and remarks on the files."""

    name: str
    squares: tuple[Square, ...]
    points: str
    remarks: tuple[str, ...] = ()


def page(title: str, exercises: tuple[tuple[str, str], ...], rows: tuple[Row, ...], said: str) -> str:
    """The page of a class; `exercises` pairs names with titles, `said` is a sentence on how it was judged."""
    body = [
        f"<p>{escape(_summary(exercises, rows))}</p>",
        f'<div class="wide" tabindex="0" role="region" aria-label="The picture">'
        f"{svg(picture(exercises, rows))}</div>",
        "<h2>Where people are stuck</h2>",
        _stuck(exercises, rows),
        "<h2>The same as a table</h2>",
        table(
            "A learner a row; points are credit times difficulty.",
            ["learner", *(name for name, _ in exercises), "points"],
            [[row.name, *(_LEGEND.get(s.state, "–") for s in row.squares), row.points] for row in rows],
        ),
        "<h2>Learner by learner</h2>",
        *(_learner(exercises, row) for row in rows),
        f"<p class='quiet'>{escape(said)}</p>",
    ]
    return report_page(title, "\n".join(body))


def picture(exercises: tuple[tuple[str, str], ...], rows: tuple[Row, ...]) -> Picture:
    """The class as a grid: learners down, exercises across, and under each how many passed it."""
    width = max(_NAME + _COLUMN * len(exercises) + 20, 640)
    marks: list[Mark] = []
    x = 10.0
    for state, words in _LEGEND.items():
        marks += _sign(x, 8, state)
        marks.append(Text(x + 28, 23, words))
        x += 44 + text_width(words)
    for at, (name, _) in enumerate(exercises):
        left = _NAME + _COLUMN * at
        book, _, number = name.partition(".")
        marks.append(Text(left + _COLUMN / 2, _TOP - 8, f".{number}", mono=True, anchor="middle"))
        if not at or book != exercises[at - 1][0].partition(".")[0]:
            marks.append(Text(left + 4, _TOP - 26, book, mono=True, bold=True))
            marks.append(Line(((left, _TOP - 38), (left, _TOP + _ROW * len(rows))), "line"))
    for down, row in enumerate(rows):
        y = _TOP + _ROW * down
        shown = row.name if len(row.name) <= 24 else row.name[:23] + "…"
        marks.append(Text(10, y + 17, shown))
        for at, square in enumerate(row.squares):
            marks += _sign(_NAME + _COLUMN * at + _COLUMN / 2 - 11, y + 2, square.state)
    y = _TOP + _ROW * len(rows) + 20
    marks.append(Text(10, y, f"passed, of {len(rows)}", "ink2"))
    for at in range(len(exercises)):
        passed = sum(row.squares[at].state == "passed" for row in rows)
        marks.append(Text(_NAME + _COLUMN * at + _COLUMN / 2, y, str(passed), "ink2", anchor="middle"))
    return Picture(width, y + 14, "Who is stuck where", _summary(exercises, rows), marks)


def _sign(x: float, y: float, state: str) -> list[Mark]:
    sign, ground, ink, edge = SIGNS[state]
    if state == "missing":
        return []
    box = Rect(x, y, 22, 22, ground, edge, 1.5, "dotted" if state == "open" else "solid", radius=5)
    return [box, Text(x + 11, y + 16, sign, ink, 14, bold=True, anchor="middle")]


def _tried(square: Square) -> bool:
    return square.state in ("partly", "not yet", "stopped")


def _summary(exercises: tuple[tuple[str, str], ...], rows: tuple[Row, ...]) -> str:
    counts = Counter(square.state for row in rows for square in row.squares)
    parts = [f"{counts[state]} {words}" for state, words in _LEGEND.items() if counts[state]]
    stuck = [(sum(_tried(row.squares[at]) for row in rows), name) for at, (name, _) in enumerate(exercises)]
    most = max(stuck, default=(0, ""), key=lambda pair: pair[0])
    where = f" Most are stuck at {most[1]}: {most[0]}." if most[0] else ""
    people = f"{len(rows)} learner{'s' if len(rows) != 1 else ''}"
    many = f"{len(exercises)} exercise{'s' if len(exercises) != 1 else ''}"
    return f"{people}, {many}: {', '.join(parts) or 'nothing handed in'}.{where}"


def _stuck(exercises: tuple[tuple[str, str], ...], rows: tuple[Row, ...]) -> str:
    found = []
    for at, (name, title) in enumerate(exercises):
        words = Counter(row.squares[at].words for row in rows if _tried(row.squares[at]))
        if words:
            found.append((sum(words.values()), name, title, words.most_common(3)))
    if not found:
        return "<p>Nobody, as far as what was handed in shows.</p>"
    items = []
    for count, name, title, common in sorted(found, key=lambda each: (-each[0], each[1])):
        said = "".join(f"<li>{many} × {escape(text)}</li>" for text, many in common)
        items.append(f"<li><b>{escape(name)} {escape(title)}</b>: {count} of {len(rows)}<ul>{said}</ul></li>")
    return f"<ol>{''.join(items)}</ol>"


def _learner(exercises: tuple[tuple[str, str], ...], row: Row) -> str:
    lines = []
    for (name, title), square in zip(exercises, row.squares, strict=True):
        if _tried(square):
            lines.append(f"<li>{escape(name)} {escape(title)}: {escape(square.words)}</li>")
    lines += [f"<li class='quiet'>{escape(remark)}</li>" for remark in row.remarks]
    passed = sum(square.state == "passed" for square in row.squares)
    head = f"{row.name}: {passed} passed, {row.points} points"
    inside = f"<ul>{''.join(lines)}</ul>" if lines else "<p class='quiet'>Nothing to say.</p>"
    return f"<details><summary>{escape(head)}</summary>{inside}</details>"
