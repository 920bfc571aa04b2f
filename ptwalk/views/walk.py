"""The picture of one walk: the address split into indices, table by table to the frame or to where it stopped.

Takes a `trace.WalkRecord` and nothing else. `text` for a terminal, `svg` and `html` for a page, `figure`
for print. Blue is where the hardware went; crimson with a cross is where it stopped.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ptwalk.arch import Level
from ptwalk.trace.walk import WalkRecord, WalkStep
from ptwalk.views import svg as _svg
from ptwalk.views.drawing import Line, Picture, Rect, Text, text_width, wrapped
from ptwalk.views.words import size_word, state_word

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def text(record: WalkRecord) -> str:
    """The walk in plain characters, one line for each level and one for what came of it."""
    rows = [["level", "index", "bits", "entry at", "entry", "marks", "is a", "rights so far"]]
    for stop in _stops(record):
        if stop.step is None:
            rows.append([stop.level.name, str(stop.index), stop.bits, "", "", "", "not reached", ""])
            continue
        step = stop.step
        word = state_word(step.entry.state)
        rows.append(
            [
                stop.level.name,
                str(stop.index),
                stop.bits,
                f"{step.entry_address:#x}",
                f"{step.raw:#018x}",
                step.entry.marks,
                f"✕ {word}" if stop.failed else word,
                "" if step.rights is None else str(step.rights),
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    right = {1}
    lines = [_title(record), ""]
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    head, sentence = verdict(record)
    return "\n".join([*lines, "", *textwrap.wrap(f"{head} {sentence}", 100)])


def svg(record: WalkRecord, *, width: int | None = None) -> str:
    """The walk as one SVG element: tables side by side, or one below the other if `width` is given."""
    return _svg.svg(picture(record) if width is None else stacked(record, width))


def html(record: WalkRecord) -> str:
    """The walk as HTML that fits wide, middle and narrow columns."""
    return _svg.html(picture(record), stacked(record, 560), stacked(record, 320))


def figure(record: WalkRecord) -> Figure:
    """The walk as a matplotlib figure for print."""
    from ptwalk.views.figure import figure as print_figure

    return print_figure(picture(record))


def verdict(record: WalkRecord) -> tuple[str, str]:
    """What came of the walk: a few loud words and the sentence that goes with them."""
    if record.fault is not None:
        where = f" at {record.fault.level}" if record.fault.level else ""
        sentence = record.fault.sentence
        return f"✕ Stops{where}: {record.fault.reason}.", f"{sentence[0].upper()}{sentence[1:].rstrip('.')}."
    assert record.physical is not None and record.page_size is not None
    page = f"in a {size_word(record.page_size)} page"
    if record.run_size and record.run_size != record.page_size:
        page += f" of a contiguous run of {size_word(record.run_size)}"
    return f"Reaches physical {record.physical:#x}", f"{page}, with rights {record.rights}."


def description(record: WalkRecord) -> str:
    """What the picture shows, in sentences: one for each level and what came of the walk."""
    told = [
        f"{stop.level.name}[{stop.index}]: {stop.step.entry.sentence}" for stop in _stops(record) if stop.step
    ]
    head, sentence = verdict(record)
    return " ".join([*told, head.removeprefix("✕ "), sentence])


@dataclass(frozen=True, slots=True)
class _Stop:
    """One level of the address on its way down: reached (it has a step) or not."""

    level: Level
    index: int
    bits: str
    binary: str
    step: WalkStep | None
    failed: bool
    missing: int | None = None  # the address of a table that the memory does not hold


def _stops(record: WalkRecord) -> list[_Stop]:
    steps = {step.level.name: step for step in record.levels}
    last = record.levels[-1].level.name if record.levels else None
    stops = []
    fault = record.fault
    for level in record.format.levels:
        step = steps.get(level.name)
        if step is None and fault is None:
            break  # a leaf above: the bits below are the offset in its page
        index = record.format.index(record.va, level)
        lost = fault is not None and fault.reason == "missing memory"
        failed = fault is not None and step is not None and level.name == last and not lost
        missing = None
        if lost and fault is not None and level.name == fault.level:
            missing = record.levels[-1].entry.address if record.levels else record.root
        binary = f"{index:0{level.bits}b}"
        bits = f"{level.shift + level.bits - 1}-{level.shift}"
        stops.append(_Stop(level, index, bits, binary, step, failed, missing))
    return stops


def _offset(record: WalkRecord) -> tuple[int, int]:
    # The bits that no table translated: those of the page, or of the smallest page where the walk failed.
    size = record.page_size or record.format.page_size
    return record.va & (size - 1), size.bit_length() - 1


def picture(record: WalkRecord) -> Picture:
    """The walk laid out with tables side by side, each under its part of the address."""
    stops = _stops(record)
    column, gap, margin = 168.0, 24.0, 16.0
    count = len(stops) + 1
    page = Picture(
        max(count * column + (count - 1) * gap + 2 * margin, 560), 0, _title(record), description(record)
    )
    page.add(
        Text(margin, 26, f"{record.va:#018x}", size=16, mono=True, bold=True),
        Text(margin + 180, 26, _context(record), "ink2", 13),
        Line(((margin, 40), (page.width - margin, 40))),
    )
    arrows_at = len(page.marks)
    top = 92.0
    for number, stop in enumerate(stops):
        x = margin + number * (column + gap)
        _column_head(page, stop, x, column, 60)
        _table_box(page, stop, x, top, column)
        if _leads_on(stops, number):
            start, end = (x + column, top + 43), (x + column + gap - 1, top + 15)
            lost = number + 1 < len(stops) and stops[number + 1].missing is not None
            arrow = Line(
                (start, end), "bad" if lost else "path", 2, "dashed" if lost else "solid", True, True
            )
            page.marks.insert(arrows_at, arrow)
    x = margin + len(stops) * (column + gap)
    offset, bits = _offset(record)
    page.add(
        Text(x, 60, "offset", "ink2", 13, bold=True),
        Text(x + text_width("offset", 13, bold=True) + 6, 60, f"{offset:#x}", size=13, mono=True, bold=True),
        Text(x + column, 60, f"bits {bits - 1}-0", "ink2", anchor="end"),
    )
    _page_box(page, record, x, top, column)
    page.height = _verdict(page, record, margin, top + 120) + 12
    return page


def stacked(record: WalkRecord, width: int) -> Picture:
    """The walk laid out with one level below the other, for a column `width` pixels wide."""
    margin = 8.0
    page = Picture(width, 0, _title(record), description(record))
    page.add(Text(margin, 24, f"{record.va:#018x}", size=15, mono=True, bold=True))
    y = 26.0
    for line in wrapped(_context(record), width - 2 * margin, 12):
        y += 17
        page.add(Text(margin, y, line, "ink2"))
    y += 10
    box = width - 2 * margin
    stops = _stops(record)
    for number, stop in enumerate(stops):
        y += 18
        _column_head(page, stop, margin, box, y)
        y += 24
        _table_box(page, stop, margin, y, box)
        y += 70 if stop.step is None else 104
        if _leads_on(stops, number):
            middle, end = margin + box / 2, y + (27 if number + 1 == len(stops) else 41)
            lost = number + 1 < len(stops) and stops[number + 1].missing is not None
            hue, style = ("bad", "dashed") if lost else ("path", "solid")
            page.add(Line(((middle, y - 26), (middle, end)), hue, 2, style, arrow=True))
    offset, bits = _offset(record)
    y += 18
    page.add(
        Text(margin, y, "offset", "ink2", 13, bold=True),
        Text(margin + 50, y, f"{offset:#x}", size=13, mono=True, bold=True),
        Text(margin + box, y, f"bits {bits - 1}-0", "ink2", anchor="end"),
    )
    y += 10
    _page_box(page, record, margin, y, box)
    page.height = _verdict(page, record, margin, y + 92) + 8
    return page


def _leads_on(stops: list[_Stop], number: int) -> bool:
    # Whether the hardware went on from this level: to the next table, if only to find it missing, or to the page.
    stop = stops[number]
    if stop.step is None or stop.failed:
        return False
    if number + 1 == len(stops):
        return True
    return stops[number + 1].step is not None or stops[number + 1].missing is not None


def _column_head(page: Picture, stop: _Stop, x: float, width: float, y: float) -> None:
    name = stop.level.name.upper()
    wide = text_width(name, 13, bold=True)
    page.add(
        Text(x, y, name, "ink2", 13, bold=True),
        Text(x + wide + 6, y, str(stop.index), size=13, mono=True, bold=True),
        Text(x, y + 18, stop.binary, "path" if stop.step else "ink2", mono=True),
    )
    if stop.level.hardware:
        page.add(Text(x + width, y + 18, stop.level.hardware, "ink2", anchor="end"))
    page.add(Text(x + width, y, f"bits {stop.bits}", "ink2", anchor="end"))


def _table_box(page: Picture, stop: _Stop, x: float, y: float, width: float) -> None:
    step = stop.step
    if stop.missing is not None:
        page.add(
            Rect(x, y, width, 64, stroke="bad", stroke_width=1.5, style="dashed"),
            Text(x + 8, y + 19, "table", "ink2"),
            Text(x + 42, y + 19, f"{stop.missing:#x}", mono=True),
            Text(x + 8, y + 46, "✕ not in this memory", "bad", bold=True),
        )
        return
    if step is None:
        page.add(
            Rect(x, y, width, 64, stroke="off", style="dashed"),
            Text(x + 8, y + 19, "not reached", "ink2"),
        )
        return
    fill, colour = ("bad", "bad-on") if stop.failed else ("path-tint", "ink")
    marks = step.entry.marks or state_word(step.entry.state)
    page.add(
        Rect(x, y, width, 78, fill="bg", stroke="ink2", stroke_width=1.5),
        Text(x + 8, y + 19, "table", "ink2"),
        Text(x + 42, y + 19, f"{step.table:#x}", mono=True),
        Rect(x + 1, y + 28, width - 2, 48, fill=fill, stroke=None),
        Text(x + 8, y + 48, f"[{stop.index}]", colour, mono=True, bold=True),
        Text(x + 8, y + 67, f"{step.raw:#018x}", colour, mono=True),
    )
    label = f"✕ {state_word(step.entry.state)}" if stop.failed else marks
    page.add(Text(x + width - 8, y + 48, label, colour, bold=stop.failed, mono=not stop.failed, anchor="end"))
    if step.rights is not None:
        page.add(
            Text(x, y + 97, "rights so far", "ink2"),
            Text(x + width, y + 97, str(step.rights), mono=True, anchor="end"),
        )


def _page_box(page: Picture, record: WalkRecord, x: float, y: float, width: float) -> None:
    if record.physical is None or record.page_size is None:
        page.add(
            Rect(x, y, width, 64, stroke="off", style="dashed"),
            Text(x + 8, y + 19, "no page", "ink2"),
        )
        return
    offset, _ = _offset(record)
    page.add(
        Rect(x, y, width, 78, fill="bg", stroke="ink2", bar=6),
        Text(x + 14, y + 19, f"{size_word(record.page_size)} page", bold=True),
        Text(x + 14, y + 48, f"{record.physical - offset:#x}", mono=True),
        Text(x + 14, y + 67, f"+ {offset:#x}", "path", mono=True),
    )


def _verdict(page: Picture, record: WalkRecord, margin: float, y: float) -> float:
    head, sentence = verdict(record)
    failed = record.fault is not None
    hue = "bad" if failed else "path"
    room = page.width - 2 * margin - 28
    head_lines = wrapped(head, room, 14)
    wide = text_width(head, 14, bold=True) + 6
    beside = len(head_lines) == 1 and wide + text_width(sentence, 13) < room
    lines = [] if beside else wrapped(sentence, room, 13)
    height = 12 + 20 * len(head_lines) + 19 * len(lines) + 6
    page.add(Rect(margin, y, page.width - 2 * margin, height, stroke=hue, stroke_width=1.5, bar=6))
    y += 8
    for line in head_lines:
        y += 18
        page.add(Text(margin + 18, y, line, hue, 14, bold=True))
    if beside:
        page.add(Text(margin + 18 + wide, y, sentence, size=13))
    for line in lines:
        y += 19
        page.add(Text(margin + 18, y, line, size=13))
    return y + 12


def _context(record: WalkRecord) -> str:
    return f"{record.format.name}, Linux {record.format.release}, root {record.root:#x}"


def _title(record: WalkRecord) -> str:
    return f"Walk of {record.va:#x} in {_context(record)}"
