"""A learner's own page: what is done, what comes next. One local file, and nothing leaves the machine.

Knows plain words; nothing of how the record is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from ptwalk.views.drawing import Mark, Picture, Rect, Text
from ptwalk.views.report_page import report_page, table
from ptwalk.views.svg import svg


@dataclass(frozen=True)
class Line:
    """One exercise: its name and title, "passed", "begun" or "to do", how hard, minutes, tries and hints so far."""

    name: str
    title: str
    state: str
    stars: str
    minutes: int
    tries: int
    hints: int


@dataclass(frozen=True)
class Chapter:
    """One notebook and its exercises."""

    number: str
    title: str
    minutes: int
    lines: tuple[Line, ...]


_SIGN = {
    "passed": ("✓", "path", "path-on", None, "solid"),
    "begun": ("…", "other-tint", "ink", "other", "solid"),
    "to do": ("", None, "ink2", "off", "dotted"),
}


def page(chapters: tuple[Chapter, ...], heading: str, following: str) -> str:
    """The page: a heading with the count, a picture, what comes next, and every exercise as a table."""
    body = [
        f"<p>{escape(following)}</p>",
        svg(picture(chapters, heading)),
        "<p class='quiet'>Self-assessed: this is your own record, kept in one file on this machine. There is no "
        "account, and nothing is sent anywhere.</p>",
    ]
    for chapter in chapters:
        if chapter.lines:
            rows = [
                [
                    f"{line.name} {line.title}",
                    line.state,
                    line.stars,
                    f"{line.minutes} min",
                    str(line.tries),
                    str(line.hints),
                ]
                for line in chapter.lines
            ]
            heads = ["exercise", "state", "difficulty", "time", "tries", "hints"]
            body += [
                f"<h2>{escape(chapter.number)} {escape(chapter.title)}</h2>",
                table(f"{chapter.minutes} minutes for the notebook itself", heads, rows),
            ]
    return report_page(heading, "\n".join(body))


def picture(chapters: tuple[Chapter, ...], heading: str) -> Picture:
    """A row of boxes for each notebook, one box an exercise."""
    marks: list[Mark] = []
    y = 12.0
    most = max((len(chapter.lines) for chapter in chapters), default=0)
    for chapter in chapters:
        marks.append(Text(10, y + 19, f"{chapter.number} {chapter.title}"[:46], size=13))
        for at, line in enumerate(chapter.lines):
            sign, ground, ink, edge, style = _SIGN[line.state]
            x = 350 + 76 * at
            marks.append(Rect(x, y, 68, 26, ground, edge, 1.5, style, radius=5))
            marks.append(Text(x + 34, y + 18, f"{sign} {line.name}".strip(), ink, mono=True, anchor="middle"))
        y += 36
    passed = [line.name for chapter in chapters for line in chapter.lines if line.state == "passed"]
    said = f"Passed: {', '.join(passed) or 'none yet'}"
    return Picture(max(350 + 76 * most, 480), y + 4, heading, said, marks)
