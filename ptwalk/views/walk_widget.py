"""The walk explorer as a notebook widget: any address of a captured process, walked at once in the browser.

Takes anything with the tables of an address space (`TableSource`); a capture is one, without this room
knowing captures. Imported only where anywidget is installed; `explorers` says what happens where it is not.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import anywidget
import traitlets

from ptwalk.arch import Format
from ptwalk.trace.space import TableNode
from ptwalk.trace.walk import WalkRecord
from ptwalk.views import walk as picture
from ptwalk.views.decode_tables import tables_for
from ptwalk.views.entry_widget import _with_text
from ptwalk.views.esm import joined, style
from ptwalk.views.page import page, write


class Memory(Protocol):
    """Physical memory that can be read in bytes."""

    def read(self, pa: int, length: int, /) -> bytes:
        """`length` bytes from physical address `pa`."""
        ...


class TableSource(Protocol):
    """An address space that can list its tables and walk an address."""

    @property
    def memory(self) -> Memory:
        """The memory that the tables lie in."""
        ...

    def tables(self, half: str | None = None) -> Iterable[TableNode]:
        """Every table of one half, or of both."""
        ...

    def walk(self, va: int) -> WalkRecord:
        """The walk of one address."""
        ...


class WalkExplorer(anywidget.AnyWidget):
    """A captured process whose addresses can be typed, picked or built from indices, and are walked at once.

    `va` (text, "0x…") can be read and set at any time; `record` is its walk. The tables are read once, when
    the explorer is made: of a process some dozens of pages, of which only entries in use are sent, in runs.
    """

    _esm = joined("walk_explorer.js")
    _css = style("explorers.css")
    tables = traitlets.Unicode().tag(sync=True)
    space = traitlets.Unicode().tag(sync=True)
    va = traitlets.Unicode("0x0").tag(sync=True)

    def __init__(self, source: TableSource, va: int | None = None, *, name: str = "") -> None:
        self._source = source
        spaces, formats = _spaces(source)
        places = _places(source)
        start = va if va is not None else int(places[0][1], 16) if places else 0
        title = name or f"{spaces[0]['format']}, root {spaces[0]['root']}"
        super().__init__(
            tables=json.dumps(tables_for(formats), separators=(",", ":")),
            space=json.dumps({"name": title, "spaces": spaces, "places": places}, separators=(",", ":")),
            va=f"{start:#018x}",
        )

    @property
    def record(self) -> WalkRecord:
        """The walk that the explorer shows now."""
        return self._source.walk(int(self.va, 16))

    def save(self, path: str | Path) -> Path:
        """Writes the explorer, tables and all, as one HTML file that works by itself, and returns its path."""
        values = {name: getattr(self, name) for name in ("tables", "space", "va")}
        return write(path, page("Walk explorer", self._esm, self._css, values, picture.text(self.record)))

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return _with_text(super()._repr_mimebundle_(**options), picture.text(self.record))

    def __repr__(self) -> str:
        return f"<WalkExplorer {self.record}>"


def _spaces(source: TableSource) -> tuple[list[dict[str, Any]], list[Format]]:
    # One space for each root: the halves of x86-64 share one, those of arm64 have one each.
    found: dict[int, tuple[Format, dict[str, list[tuple[int, int, str, str]]]]] = {}
    for address in (0, (1 << 64) - 1):
        walk = source.walk(address)
        if walk.reason == "not canonical" or walk.root in found:
            continue
        half = walk.format.half(address)
        nodes = [*source.tables(half), *(source.tables() if not found else ())]
        runs = {hex(node.address): _entries(source.memory, walk.format, node) for node in nodes}
        found[walk.root] = (walk.format, runs)
    spaces = [
        {
            "format": f"{fmt.name} {fmt.release}",
            "root": hex(root),
            "canonical": [[hex(first), hex(last)] for first, last in _served(fmt)],
            "tables": runs,
        }
        for root, (fmt, runs) in found.items()
    ]
    return spaces, [fmt for fmt, _ in found.values()]


def _entries(memory: Memory, fmt: Format, node: TableNode) -> list[tuple[int, int, str, str]]:
    # Runs of neighbours: (first index, count, first entry, what each has more than the one before). The kernel's map of
    # all memory has an entry for each page of it, and nearly all lie in such runs.
    level = fmt.level(node.level)
    raws = struct.unpack(f"<{level.entries}Q", memory.read(node.address, level.table_bytes))
    runs: list[list[int]] = []
    for index, raw in enumerate(raws):
        if not raw:
            continue
        if runs:
            first, count, start, step = runs[-1]
            following = raw - raws[index - 1] if count == 1 else step
            if first + count == index and following >= 0 and raw == start + count * following:
                runs[-1][1:] = [count + 1, start, following]
                continue
        runs.append([index, 1, raw, 0])
    return [(first, count, hex(raw), hex(step)) for first, count, raw, step in runs]


def _served(fmt: Format) -> list[tuple[int, int]]:
    # First and last address of each stretch of addresses that the tables of this format serve.
    top = fmt.levels[0]
    stretches: list[tuple[int, int]] = []
    for index in range(top.entries):
        start = fmt.va_from_indices([index])
        if stretches and stretches[-1][1] + 1 == start:
            stretches[-1] = (stretches[-1][0], start + top.size - 1)
        else:
            stretches.append((start, start + top.size - 1))
    return stretches


def _places(source: TableSource) -> list[tuple[str, str]]:
    # Addresses to begin with: the process's own areas where the source knows them.
    areas = getattr(source, "vmas", ())
    return [
        (
            f"{', '.join(area.labels) or area.name or 'anonymous'} ({area.prot}, {area.start:#x})",
            f"{area.start:#018x}",
        )
        for area in areas
    ]
