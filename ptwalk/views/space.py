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
from ptwalk.views.strip import ROW, draw_legend, draw_strip
from ptwalk.views.words import count_word, size_word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def lane_words(fmt: Format, lane: Lane, most_rights: int = 3) -> str:
    """What a lane maps, in words: pages by size, rights (at most so many of them), tables folded into it."""
    parts = [f"{count:,} × {size_word(size)}" for size, count in lane.pages.items()]
    rights = lane.rights
    if rights:
        more = len(rights) - most_rights
        shown = [*rights[:most_rights], *([f"{more} more rights"] if more > 0 else [])]
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
    # Columns as wide as the longest address needs, with the longest index before it: up to "[8191]" in 64 KiB pages.
    longest = max((table.address for table in tables), default=0)
    index = max(
        (_index(fmt, lane.path, depth) or 0 for lane in rows for depth in range(len(lane.path))), default=0
    )
    cell = max(62, 26 + text_width(f"[{index}]", bold=True)) + text_width(f"{longest:#x}", mono=True)
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
        y += ROW
    for depth in range(columns):
        _column(page, fmt, rows, ys, depth, margin + depth * cell, cell - 8)
    for lane, row in zip(rows, ys, strict=True):
        _lane(page, fmt, lane, row, margin + columns * cell, strip_x, len(lane.path) < columns, cell, margin)
    page.height = draw_legend(page, margin, y + 26) + 10
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
        draw_strip(page, lane, margin, y + 6, room)
        y += 28
    page.height = draw_legend(page, margin, y + 20) + 8
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
        top, height = ys[number], ys[last] - ys[number] + ROW - 4
        style = "double" if table.shared else "solid"
        page.add(
            Rect(x, top, width, height, fill="bg", stroke="ink2" if table.shared else "line", style=style)
        )
        index = _index(fmt, rows[number].path, depth)
        label = f"[{index}]" if index is not None else "root"
        page.add(Text(x + 7, top + 13.5, label, bold=True))
        page.add(Text(x + width - 7, top + 13.5, f"{table.address:#x}", "ink2", mono=True, anchor="end"))
        if table.shared and height > ROW:
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
        style, bar, word = (
            "solid",
            5.0,
            f"{' and '.join(sizes)} {'page' if sum(lane.pages.values()) == 1 else 'pages'}",
        )
        if lane.tables:
            style, bar, word = "dashed", 0.0, f"{lane.tables} rows folded"
        elif not sizes:
            style, bar, word = "double", 0.0, "a shared table again"
        page.add(
            Rect(x, y, from_x - x - 8, ROW - 4, fill="panel", stroke="ink2", style=style, bar=bar),
            Text(x + 12, y + 13.5, word, bold=True),
        )
    page.add(Text(from_x, y + 13.5, f"{lane.start:#x}", mono=True))
    draw_strip(page, lane, strip_x, y, _STRIP)
    x = strip_x + _STRIP + 10
    room = page.width - x - 8
    words = next(
        (words for most in (3, 2, 1) if text_width(words := lane_words(fmt, lane, most), 12) <= room),
        lane_words(fmt, lane),
    )
    while text_width(words, 12) > room and _BETWEEN in words:
        words = words.rsplit(_BETWEEN, 1)[0]
    page.add(Text(x, y + 13.5, words))


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
