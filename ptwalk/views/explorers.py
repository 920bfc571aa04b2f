"""The explorers for whoever asks: the widget where widgets can be drawn, else a still picture with words.

Knows which module holds which widget; loads anywidget only here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ptwalk.arch import Entry, format_named

if TYPE_CHECKING:
    from ptwalk.views.entry_widget import EntryExplorer
    from ptwalk.views.walk_widget import TableSource, WalkExplorer


@dataclass(frozen=True)
class Still:
    """A picture in place of a widget: HTML for a notebook, text for a terminal."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def entry_explorer(
    raw: int | Entry = 0, *, format: str = "x86-64-4level", release: str = "6.1", level: str = "pte"
) -> EntryExplorer | Still:
    """An entry whose bits can be flipped; a still picture of it where anywidget is not installed."""
    try:
        from ptwalk.views.entry_widget import EntryExplorer
    except ImportError:
        from ptwalk.views import entry as picture

        found = raw if isinstance(raw, Entry) else format_named(format, release=release).decode(raw, level)
        return Still(picture.html(found), picture.text(found))
    return EntryExplorer(raw, format=format, release=release, level=level)


def walk_explorer(source: TableSource, va: int | None = None, *, name: str = "") -> WalkExplorer | Still:
    """A captured process whose addresses can be walked; a still picture of one where anywidget is not installed."""
    try:
        from ptwalk.views.walk_widget import WalkExplorer
    except ImportError:
        from ptwalk.views import walk as picture

        record = source.walk(va or 0)
        return Still(picture.html(record), picture.text(record))
    return WalkExplorer(source, va, name=name)
