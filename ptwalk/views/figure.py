"""A picture as a matplotlib figure for print, and any figure shown in a notebook with its words.

Knows `drawing` and the light `tokens`; imports matplotlib when called, not before.
"""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

from ptwalk.errors import PtwalkError
from ptwalk.views.drawing import Line, Mark, Picture, Rect, Text
from ptwalk.views.tokens import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE_STYLE: dict[str, Any] = {"solid": "-", "dashed": (0, (5, 3)), "dotted": (0, (1.5, 3)), "double": "-"}
_PIXELS_PER_INCH = 96


def figure(picture: Picture) -> Figure:
    """The picture on white, 96 pixels to the inch, for `savefig` to a PDF or a PNG."""
    from matplotlib.figure import Figure

    inches = (picture.width / _PIXELS_PER_INCH, picture.height / _PIXELS_PER_INCH)
    fig = Figure(figsize=inches, dpi=_PIXELS_PER_INCH, facecolor=LIGHT["bg"])
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, picture.width)
    axes.set_ylim(picture.height, 0)
    axes.axis("off")
    for mark in picture.marks:
        _draw(axes, mark)
    return fig


def show(fig: Figure, *, alt: str) -> None:
    """Shows a matplotlib figure in a notebook with `alt`, the words for a reader who cannot see it.

    Raises `PtwalkError` if `alt` is empty: a picture without words is lost to some readers.
    """
    if not alt.strip():
        raise PtwalkError("show() needs alt: one or two sentences that say what the figure shows")
    from IPython.display import HTML, display

    png = io.BytesIO()
    fig.savefig(png, format="png", dpi=2 * _PIXELS_PER_INCH, metadata={"Software": None})
    data = base64.b64encode(png.getvalue()).decode("ascii")
    width = round(fig.get_figwidth() * _PIXELS_PER_INCH)
    style = f"max-width:100%;width:{width}px;height:auto;background:#ffffff"
    display(HTML(f'<img alt="{escape(alt)}" style="{style}" src="data:image/png;base64,{data}">'))


def _draw(axes: Axes, mark: Mark) -> None:
    match mark:
        case Rect():
            _rect(axes, mark)
        case Line():
            _line(axes, mark)
        case Text():
            _label(axes, mark)


def _points(pixels: float) -> float:
    return pixels * 72 / _PIXELS_PER_INCH


def _rect(axes: Axes, mark: Rect) -> None:
    from matplotlib.patches import Rectangle

    def box(inset: float, fill: str | None) -> Rectangle:
        return Rectangle(
            (mark.x + inset, mark.y + inset),
            max(mark.width - 2 * inset, 0),
            max(mark.height - 2 * inset, 0),
            facecolor=LIGHT[fill] if fill else "none",
            edgecolor=LIGHT[mark.stroke] if mark.stroke else "none",
            linewidth=_points(mark.stroke_width),
            linestyle=_LINE_STYLE[mark.style],
        )

    axes.add_patch(box(0, mark.fill))
    if mark.style == "double":
        axes.add_patch(box(3, None))
    if mark.bar and mark.stroke:
        edge = Rectangle((mark.x, mark.y), mark.bar, mark.height, facecolor=LIGHT[mark.stroke], linewidth=0)
        axes.add_patch(edge)


def _line(axes: Axes, mark: Line) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    points = list(mark.points)
    if mark.curve:
        (x0, y0), (x1, y1) = points[0], points[-1]
        half = (x1 - x0) / 2
        codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
        path = Path([(x0, y0), (x0 + half, y0), (x1 - half, y1), (x1, y1)], codes)
    else:
        path = Path(points)
    patch = FancyArrowPatch(
        path=path,
        arrowstyle="-|>" if mark.arrow else "-",
        mutation_scale=8,
        color=LIGHT[mark.stroke],
        linewidth=_points(mark.stroke_width),
        linestyle=_LINE_STYLE[mark.style],
        fill=mark.arrow,
        shrinkA=0,
        shrinkB=0,
    )
    axes.add_patch(patch)


def _label(axes: Axes, mark: Text) -> None:
    axes.text(
        mark.x,
        mark.y,
        mark.text.replace("$", r"\$"),
        color=LIGHT[mark.colour],
        fontsize=_points(mark.size) * 0.94,
        family="DejaVu Sans Mono" if mark.mono else "DejaVu Sans",
        fontweight="bold" if mark.bold else "normal",
        ha={"start": "left", "middle": "center", "end": "right"}[mark.anchor],
        va="baseline",
    )
