"""A picture as a list of marks, laid out once and then written as SVG or printed as a figure.

Knows nothing of page tables and nothing of any output format. Lengths are pixels from the top left
corner; colours are names of `tokens`. Text widths are estimated, always a little too wide.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SMALL = 12.0
"""The smallest text anywhere, in pixels."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A box. `style` is solid, dashed, dotted or double; `bar` is the width of a thick left edge."""

    x: float
    y: float
    width: float
    height: float
    fill: str | None = None
    stroke: str | None = "line"
    stroke_width: float = 1.0
    style: str = "solid"
    bar: float = 0.0
    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """A straight or bent line through `points`; `arrow` puts a head on its end; `curve` rounds it."""

    points: tuple[tuple[float, float], ...]
    stroke: str = "line"
    stroke_width: float = 1.0
    style: str = "solid"
    arrow: bool = False
    curve: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text with its baseline at `y`; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    colour: str = "ink"
    size: float = SMALL
    mono: bool = False
    bold: bool = False
    anchor: str = "start"
    underline: bool = False


Mark = Rect | Line | Text


@dataclass(slots=True)
class Picture:
    """Marks on a ground of `width` by `height`, with the words that stand in for it.

    `title` names the picture in a few words; `description` says in sentences what it shows.
    """

    width: float
    height: float
    title: str
    description: str
    marks: list[Mark] = field(default_factory=list)

    def add(self, *marks: Mark) -> None:
        """Puts marks on top of those already there."""
        self.marks.extend(marks)


_NARROW = frozenset("iljtfrI.,:;'|!()[] ")
_WIDE = frozenset("mwMWGOQ@%→≠")


def text_width(text: str, size: float = SMALL, *, mono: bool = False, bold: bool = False) -> float:
    """How wide `text` will be at most, in pixels, without asking any font."""
    if mono:
        return len(text) * size * 0.605
    units = sum(map(_units, text))
    return units * size * (1.1 if bold else 1.0)


def _units(c: str) -> float:
    if c in _NARROW:
        return 0.4
    if c in _WIDE:
        return 0.98
    return 0.7 if c.isupper() else 0.64 if c.isdigit() else 0.6


def wrapped(text: str, width: float, size: float = SMALL, *, mono: bool = False) -> list[str]:
    """`text` broken between words so that no line is wider than `width` pixels, if its words allow."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and text_width(longer, size, mono=mono) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line] if line else lines or [""]
