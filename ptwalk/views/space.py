"""The picture of a whole address space: which tables exist, what they cover, huge pages, sharing.

Takes `trace.MappedRange` and `trace.TableNode` values and the format. Tables stand in columns by level,
a cell as high as the rows it covers; a row ends in a strip of what its table maps. Shape and word carry
every difference: height of a bar for write, a line under it for execute, a double frame for sharing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ptwalk.arch import Format
from ptwalk.trace.space import ALIAS, MappedRange, TableNode
from ptwalk.views import svg as _svg
from ptwalk.views.drawing import Line, Picture, Rect, Text, text_width, wrapped
from ptwalk.views.lanes import Lane, lanes
from ptwalk.views.words import count_word, size_word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW = 22.0
_STRIP = 128
_BETWEEN = " · "


def text(
    fmt: Format,
    ranges: Sequence[MappedRange],
    tables: Sequence[TableNode],
    *,
    name: str = "",
    limit: int = 64,
) -> str:
    """The address space in plain characters: the counts, then its tables as a tree with what each maps."""
    lines = [name] if name else []
    lines += [*summary(fmt, ranges, tables), ""]
    above: tuple[TableNode, ...] = ()
    for lane in lanes(fmt, ranges, tables, limit):
        path = lane.path
        for depth, table in enumerate(path):
            if depth < len(above) and above[depth].address == table.address:
                continue
            above = ()
            lines.append("  " * depth + f"{_place(fmt, path, depth)}{table.level} table {_table_word(table)}")
        above = path
        indent = "  " * len(path)
        lines.append(f"{indent}{lane.start:#018x}  {lane_words(fmt, lane)}")
    return "\n".join(lines)


def listing(ranges: Iterable[MappedRange]) -> str:
    """The ranges one a line, like /proc/PID/maps seen from the hardware: addresses, rights, pages, frame."""
    lines = []
    for run in ranges:
        if run.kind == ALIAS:
            what = f"reaches table {run.physical:#x} again"
        else:
            what = f"{run.pages:>8,} × {size_word(run.page_size):<7} at {run.physical:#x}"
        lines.append(f"{run.start:016x}-{run.end:016x}  {run.rights!s:<7} {what}")
    return "\n".join(lines)


def svg(
    fmt: Format,
    ranges: Sequence[MappedRange],
    tables: Sequence[TableNode],
    *,
    name: str = "",
    limit: int = 64,
) -> str:
    """The address space as one SVG element."""
    return _svg.svg(picture(fmt, ranges, tables, name=name, limit=limit))


def html(
    fmt: Format,
    ranges: Sequence[MappedRange],
    tables: Sequence[TableNode],
    *,
    name: str = "",
    limit: int = 64,
) -> str:
    """The address space as HTML that fits a wide, a middle and a narrow column."""
    wide = picture(fmt, ranges, tables, name=name, limit=limit)
    narrow = [stacked(fmt, ranges, tables, width, name=name, limit=limit) for width in (560, 320)]
    return _svg.html(wide, *narrow)


def figure(
    fmt: Format,
    ranges: Sequence[MappedRange],
    tables: Sequence[TableNode],
    *,
    name: str = "",
    limit: int = 64,
) -> Figure:
    """The address space as a matplotlib figure for print."""
    from ptwalk.views.figure import figure as print_figure

    return print_figure(picture(fmt, ranges, tables, name=name, limit=limit))


def summary(fmt: Format, ranges: Sequence[MappedRange], tables: Sequence[TableNode]) -> list[str]:
    """Three sentences of counts: what is mapped, by which tables, and what is shared."""
    pages: Counter[int] = Counter()
    for run in ranges:
        if run.page_size:
            pages[run.page_size] += run.pages
    mapped = size_word(sum(size * count for size, count in pages.items())) if pages else "nothing"
    sizes = ", ".join(f"{count:,} of {size_word(size)}" for size, count in sorted(pages.items()))
    total = count_word(sum(pages.values()), "page")
    levels = Counter(table.level for table in tables)
    kinds = ", ".join(f"{levels[level.name]} {level.name}" for level in fmt.levels if levels[level.name])
    lines = [
        f"{mapped} mapped in {total}{': ' + sizes if sizes else ''}.",
        f"{count_word(len(tables), 'table')}: {kinds}.",
    ]
    shared = [table for table in tables if table.shared]
    if shared:
        entries = sum(table.parents for table in shared)
        verb, them = ("is", "it") if len(shared) == 1 else ("are", "them")
        lines.append(f"{count_word(len(shared), 'table')} {verb} shared: {entries:,} entries lead to {them}.")
    return lines


def lane_words(fmt: Format, lane: Lane) -> str:
    """What a lane maps, in words: pages by size, rights, tables folded into it."""
    parts = [f"{count:,} × {size_word(size)}" for size, count in lane.pages.items()]
    rights = lane.rights
    if rights:
        shown = rights[:3] + ([f"{len(rights) - 3} more rights"] if len(rights) > 3 else [])
        parts.append(", ".join(shown))
    if lane.tables:
        parts.append(f"{count_word(lane.tables, 'row')} folded")
    aliases = lane.aliases
    if aliases:
        targets = sorted({run.physical for run in aliases})
        again = f"table {targets[0]:#x}" if len(targets) == 1 else count_word(len(targets), "table")
        size = fmt.level(lane.path[-1].level).size
        entries = max(sum(run.size for run in aliases) // size, 1)
        verb = "leads" if entries == 1 else "lead"
        parts.append(f"{count_word(entries, 'entry', 'entries')} {verb} to {again} again")
    if not parts:
        used = lane.path[-1].entries_used
        parts.append(
            "maps nothing" if not used else f"maps nothing; {count_word(used, 'entry', 'entries')} not none"
        )
    return _BETWEEN.join(parts)


def picture(
    fmt: Format,
    ranges: Sequence[MappedRange],
    tables: Sequence[TableNode],
    *,
    name: str = "",
    limit: int = 64,
) -> Picture:
    """The address space laid out with one column for each level, on about 1100 pixels."""
    rows = lanes(fmt, ranges, tables, limit)
    margin, columns = 16.0, max(len(fmt.levels), 1)
    # Columns as wide as the longest address needs, with an index of up to five digits before it.
    longest = max((table.address for table in tables), default=0)
    cell = 62 + text_width(f"{longest:#x}", mono=True)
    highest = max((lane.start for lane in rows), default=0)
    strip_x = margin + columns * cell + text_width(f"{highest:#x}", mono=True) + 16
    page = Picture(strip_x + _STRIP + 270, 0, _title(fmt, name), " ".join(summary(fmt, ranges, tables)))
    y = _head(page, fmt, ranges, tables, margin)
    y += 10
    for depth, level in enumerate(fmt.levels):
        x = margin + depth * cell
        page.add(Text(x, y, level.name.upper(), size=13, bold=True))
        page.add(
            Text(
                x + text_width(level.name.upper(), 13, bold=True) + 6,
                y,
                f"{size_word(level.size)}/entry",
                "ink2",
            )
        )
    page.add(
        Text(margin + columns * cell, y, "from", "ink2"), Text(strip_x, y, "what the table maps", "ink2")
    )
    top = y + 8
    ys = []
    y = top
    for number, lane in enumerate(rows):
        if number and lane.path[:2] != rows[number - 1].path[:2]:
            y += 6
        ys.append(y)
        y += _ROW
    for depth in range(columns):
        _column(page, fmt, rows, ys, depth, margin + depth * cell, cell - 8)
    for lane, row in zip(rows, ys, strict=True):
        _lane(page, fmt, lane, row, margin + columns * cell, strip_x, len(lane.path) < columns, cell, margin)
    page.height = _legend(page, margin, y + 26) + 10
    return page


def stacked(
    fmt: Format,
    ranges: Sequence[MappedRange],
    tables: Sequence[TableNode],
    width: int,
    *,
    name: str = "",
    limit: int = 64,
) -> Picture:
    """The address space laid out for a column `width` pixels wide: a line of words over each strip."""
    margin = 8.0
    rows = lanes(fmt, ranges, tables, limit)
    page = Picture(width, 0, _title(fmt, name), " ".join(summary(fmt, ranges, tables)))
    y = _head(page, fmt, ranges, tables, margin)
    room = width - 2 * margin
    above: tuple[TableNode, ...] = ()
    for lane in rows:
        for depth, table in enumerate(lane.path):
            if depth < len(above) and above[depth].address == table.address:
                continue
            above = ()
            y += 20
            x = margin + depth * 10
            page.add(
                Text(
                    x,
                    y,
                    f"{_place(fmt, lane.path, depth)}{table.level.upper()} {_table_word(table)}",
                    bold=True,
                )
            )
        above = lane.path
        y += 18
        page.add(Text(margin, y, f"from {lane.start:#x}", "ink2", mono=True))
        for line in wrapped(lane_words(fmt, lane), room):
            y += 16
            page.add(Text(margin, y, line))
        _strip(page, fmt, lane, margin, y + 6, room)
        y += 28
    page.height = _legend(page, margin, y + 20) + 8
    return page


def _head(
    page: Picture, fmt: Format, ranges: Sequence[MappedRange], tables: Sequence[TableNode], margin: float
) -> float:
    y = 4.0
    for line in wrapped(page.title, page.width - 2 * margin, 15):
        y += 20
        page.add(Text(margin, y, line, size=15, bold=True))
    for sentence in summary(fmt, ranges, tables):
        for line in wrapped(sentence, page.width - 2 * margin, 13):
            y += 19
            page.add(Text(margin, y, line, "ink2", 13))
    y += 12
    page.add(Line(((margin, y), (page.width - margin, y))))
    return y + 12


def _column(
    page: Picture, fmt: Format, rows: list[Lane], ys: list[float], depth: int, x: float, width: float
) -> None:
    number = 0
    while number < len(rows):
        if len(rows[number].path) <= depth:
            number += 1
            continue
        table = rows[number].path[depth]
        last = number
        while last + 1 < len(rows) and rows[last + 1].path[depth : depth + 1] == (table,):
            last += 1
        top, height = ys[number], ys[last] - ys[number] + _ROW - 4
        style = "double" if table.shared else "solid"
        page.add(
            Rect(x, top, width, height, fill="bg", stroke="ink2" if table.shared else "line", style=style)
        )
        index = _index(fmt, rows[number].path, depth)
        label = f"[{index}]" if index is not None else "root"
        page.add(Text(x + 7, top + 13.5, label, bold=True))
        page.add(Text(x + width - 7, top + 13.5, f"{table.address:#x}", "ink2", mono=True, anchor="end"))
        if table.shared and height > _ROW:
            page.add(Text(x + 7, top + 29, f"shared by {table.parents:,}", "ink"))
        number = last + 1


def _lane(
    page: Picture,
    fmt: Format,
    lane: Lane,
    y: float,
    from_x: float,
    strip_x: float,
    short: bool,
    cell: float,
    margin: float,
) -> None:
    if short:
        # No lower table: huge pages, drawn as the end of the way where the lower tables would stand.
        x = margin + len(lane.path) * cell
        sizes = [size_word(size) for size in lane.pages]
        style, bar, word = "solid", 5.0, f"{' and '.join(sizes)} pages"
        if lane.tables:
            style, bar, word = "dashed", 0.0, f"{lane.tables} rows folded"
        elif not sizes:
            style, bar, word = "double", 0.0, "a shared table again"
        page.add(
            Rect(x, y, from_x - x - 8, _ROW - 4, fill="panel", stroke="ink2", style=style, bar=bar),
            Text(x + 12, y + 13.5, word, bold=True),
        )
    page.add(Text(from_x, y + 13.5, f"{lane.start:#x}", mono=True))
    _strip(page, fmt, lane, strip_x, y, _STRIP)
    x = strip_x + _STRIP + 10
    words = lane_words(fmt, lane)
    while text_width(words, 12) > page.width - x - 8 and _BETWEEN in words:
        words = words.rsplit(_BETWEEN, 1)[0]
    page.add(Text(x, y + 13.5, words))


def _strip(page: Picture, fmt: Format, lane: Lane, x: float, y: float, width: float) -> None:
    height = _ROW - 4
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


def _legend(page: Picture, margin: float, y: float) -> float:
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


def _index(fmt: Format, path: tuple[TableNode, ...], depth: int) -> int | None:
    if depth == 0:
        return None
    return fmt.index(path[depth].covers_start, fmt.level(path[depth - 1].level))


def _place(fmt: Format, path: tuple[TableNode, ...], depth: int) -> str:
    index = _index(fmt, path, depth)
    return "" if index is None else f"[{index}] "


def _table_word(table: TableNode) -> str:
    shared = f", shared by {table.parents:,} entries" if table.shared else ""
    return f"{table.address:#x}{shared}"


def _title(fmt: Format, name: str) -> str:
    where = f"{fmt.name}, Linux {fmt.release}"
    return f"{name} ({where})" if name else f"Address space ({where})"
