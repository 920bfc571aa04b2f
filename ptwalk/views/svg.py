"""A picture as SVG: valid XML, light and dark, the same bytes each time, with words for who cannot see it.

Knows `drawing` and `tokens`. No identifiers are used, so that many pictures can share one page. In a
notebook a picture goes out as HTML: JupyterLab turns an SVG output into an `<img>` without its words.
"""

from __future__ import annotations

from html import escape
from math import atan2, cos, sin

from ptwalk.views.drawing import Line, Mark, Picture, Rect, Text
from ptwalk.views.tokens import css

_DASH = {"dashed": "5 3", "dotted": "1.5 3"}


def svg(picture: Picture) -> str:
    """The picture as one `<svg>` element that fills its column up to the picture's own width."""
    width, height = _n(picture.width), _n(picture.height)
    body = "\n".join(_mark(mark) for mark in picture.marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ptwalk" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{_text(picture.title)}. {_text(picture.description)}">\n'
        f"<title>{_text(picture.title)}</title>\n<desc>{_text(picture.description)}</desc>\n"
        f"<style>{_STYLE}</style>\n"
        f'<rect width="{width}" height="{height}" fill="var(--pt-bg)"/>\n{body}\n</svg>'
    )


def html(*layouts: Picture) -> str:
    """The picture as HTML; of several layouts, widest first, the widest that fits the column is shown."""
    if len(layouts) == 1:
        return f'<div class="ptwalk-picture">{svg(layouts[0])}</div>'
    # A picture may shrink by a twelfth before its 13 pixel text falls under 12.
    least = [round(layout.width * 11 / 12) for layout in layouts[:-1]] + [0]
    rules, parts, above = [".ptwalk-picture{container-type:inline-size}"], [], 0
    for layout, smallest in zip(layouts, least, strict=True):
        name = f"ptwalk-{smallest}-{above}"
        rules.append(
            f"@container (max-width:{smallest - 1}px){{.{name}{{display:none}}}}" if smallest else ""
        )
        rules.append(f"@container (min-width:{above}px){{.{name}{{display:none}}}}" if above else "")
        parts.append(f'<div class="{name}">{svg(layout)}</div>')
        above = smallest
    return f'<style>{"".join(rules)}</style><div class="ptwalk-picture">{"".join(parts)}</div>'


_STYLE = (
    css("svg.ptwalk")
    + "svg.ptwalk{max-width:100%;height:auto;font-family:var(--pt-sans);font-variant-ligatures:none}"
    + "svg.ptwalk .mono{font-family:var(--pt-mono);white-space:pre}"
)


def _mark(mark: Mark) -> str:
    match mark:
        case Rect():
            return _rect(mark)
        case Line():
            return _line(mark)
        case Text():
            return _label(mark)


def _rect(mark: Rect) -> str:
    shape = f'x="{_n(mark.x)}" y="{_n(mark.y)}" width="{_n(mark.width)}" height="{_n(mark.height)}"'
    if mark.radius:
        shape += f' rx="{_n(mark.radius)}"'
    out = f'<rect {shape} fill="{_colour(mark.fill)}"{_stroke(mark.stroke, mark.stroke_width, mark.style)}/>'
    if mark.style == "double" and mark.stroke:
        inner = f'x="{_n(mark.x + 3)}" y="{_n(mark.y + 3)}" width="{_n(max(mark.width - 6, 0))}"'
        inner += f' height="{_n(max(mark.height - 6, 0))}"'
        out += f'<rect {inner} fill="none"{_stroke(mark.stroke, mark.stroke_width, "solid")}/>'
    if mark.bar:
        edge = f'x="{_n(mark.x)}" y="{_n(mark.y)}" width="{_n(mark.bar)}" height="{_n(mark.height)}"'
        out += f'<rect {edge} fill="{_colour(mark.stroke)}"/>'
    return out


def _line(mark: Line) -> str:
    points = list(mark.points)
    head = ""
    if mark.arrow:
        (x0, y0), (x1, y1) = points[-2], points[-1]
        angle = 0.0 if mark.curve else atan2(y1 - y0, x1 - x0)
        left, right = angle + 2.7, angle - 2.7
        tips = [
            (x1, y1),
            (x1 + 9 * cos(left), y1 + 9 * sin(left)),
            (x1 + 9 * cos(right), y1 + 9 * sin(right)),
        ]
        head = f'<path d="M{" L".join(f"{_n(x)} {_n(y)}" for x, y in tips)}Z" fill="{_colour(mark.stroke)}"/>'
        points[-1] = (x1 - 6 * cos(angle), y1 - 6 * sin(angle))
    if mark.curve:
        (x0, y0), (x1, y1) = points[0], points[-1]
        half = (x1 - x0) / 2
        path = f"M{_n(x0)} {_n(y0)}C{_n(x0 + half)} {_n(y0)} {_n(x1 - half)} {_n(y1)} {_n(x1)} {_n(y1)}"
    else:
        path = "M" + " L".join(f"{_n(x)} {_n(y)}" for x, y in points)
    return f'<path d="{path}" fill="none"{_stroke(mark.stroke, mark.stroke_width, mark.style)}/>{head}'


def _label(mark: Text) -> str:
    attributes = (
        f'x="{_n(mark.x)}" y="{_n(mark.y)}" font-size="{_n(mark.size)}" fill="{_colour(mark.colour)}"'
    )
    if mark.mono:
        attributes += ' class="mono"'
    if mark.bold:
        attributes += ' font-weight="600"'
    if mark.anchor != "start":
        attributes += f' text-anchor="{mark.anchor}"'
    if mark.underline:
        attributes += ' text-decoration="underline"'
    return f"<text {attributes}>{_text(mark.text)}</text>"


def _stroke(colour: str | None, width: float, style: str) -> str:
    if colour is None:
        return ""
    dash = f' stroke-dasharray="{_DASH[style]}"' if style in _DASH else ""
    return f' stroke="{_colour(colour)}" stroke-width="{_n(width)}"{dash}'


def _colour(name: str | None) -> str:
    return f"var(--pt-{name})" if name else "none"


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _text(text: str) -> str:
    # XML 1.0 has no place for control characters, escaped or not.
    return escape("".join(c if c.isprintable() else " " for c in text), quote=True)
