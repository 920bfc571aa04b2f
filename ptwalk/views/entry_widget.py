"""The entry explorer as a notebook widget: flip bits, see at once what the hardware and Linux would say.

Knows `arch`, the tables learnt from it and the joined modules. Imported only where anywidget is installed;
`explorers` says what happens where it is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ptwalk.arch import FORMAT_NAMES, Entry, format_named
from ptwalk.views import entry as picture
from ptwalk.views.decode_tables import RELEASES, read_shipped
from ptwalk.views.esm import joined, style
from ptwalk.views.page import page, write
from ptwalk.views.words import state_word


class EntryExplorer(anywidget.AnyWidget):
    """A table entry whose 64 bits can be flipped, decoded in the browser.

    `format`, `release` (one of `RELEASES`), `level` and `raw` (text, "0x…") can be read and set at any time;
    `entry` is what they make. Raises `BadFormat` for a format, release or level that does not exist.
    """

    _esm = joined("entry_explorer.js")
    _css = style("explorers.css")
    tables = traitlets.Unicode().tag(sync=True)
    format = traitlets.Unicode("x86-64-4level").tag(sync=True)
    release = traitlets.Unicode("6.1").tag(sync=True)
    level = traitlets.Unicode("pte").tag(sync=True)
    raw = traitlets.Unicode("0x0").tag(sync=True)

    def __init__(
        self,
        raw: int | Entry = 0,
        *,
        format: str = "x86-64-4level",
        release: str = "6.1",
        level: str = "pte",
    ) -> None:
        if isinstance(raw, Entry):
            format, release, level = raw.format.name, str(raw.format.release), raw.level.name
            raw = raw.raw
        release = _nearest(release)
        entry = format_named(format, release=release).decode(raw, level)
        super().__init__(
            tables=read_shipped(), format=format, release=release, level=entry.level.name, raw=f"{raw:#018x}"
        )

    @property
    def entry(self) -> Entry:
        """The entry that the explorer shows now."""
        return format_named(self.format, release=self.release).decode(int(self.raw, 16), self.level)

    def save(self, path: str | Path) -> Path:
        """Writes the explorer as one HTML file that works by itself, and returns its path."""
        names = ("tables", "format", "release", "level", "raw")
        values = {name: getattr(self, name) for name in names}
        return write(path, page("Entry explorer", self._esm, self._css, values, picture.text(self.entry)))

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return _with_text(super()._repr_mimebundle_(**options), picture.text(self.entry))

    def __repr__(self) -> str:
        entry = self.entry
        return (
            f"<EntryExplorer {entry.raw:#018x}, {entry.level.name} of {entry.format.name}, "
            f"Linux {entry.format.release}: {state_word(entry.state)}>"
        )


def _nearest(release: str) -> str:
    # The tables hold some releases: take the newest that is not newer than the one asked for.
    asked = format_named(FORMAT_NAMES[0], release=release).release
    old_enough = [name for name in RELEASES if format_named(FORMAT_NAMES[0], release=name).release <= asked]
    return old_enough[-1] if old_enough else RELEASES[0]


def _with_text(bundle: Any, text: str) -> Any:
    # What a reader sees where widgets are not drawn: the picture in plain characters.
    data, *rest = bundle if isinstance(bundle, tuple) else (bundle,)
    if data is not None:
        data = {**data, "text/plain": text}
    return (data, *rest) if isinstance(bundle, tuple) else data
