"""The picture of one table entry: its 64 bits in their fields, each with name, value and meaning.

Takes an `arch.Entry` and nothing else. `text` for a terminal, `svg` and `html` for a page, `figure` for print.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ptwalk.arch import Entry, Field
from ptwalk.views import svg as _svg
from ptwalk.views.drawing import Picture, Rect, Text, text_width, wrapped
from ptwalk.views.words import bits_word, level_word, state_word, value_word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KEYS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def text(entry: Entry, *, width: int = 100) -> str:
    """The entry in plain characters: its bits with a letter under each, then one line for every letter."""
    fields = sorted(entry.fields, key=lambda field: -field.high)
    bits = f"{entry.raw:064b}"
    keys = "".join(_key(index) * (field.high - field.low + 1) for index, field in enumerate(fields))
    lines = [_title(entry), *_paragraph(entry.sentence, width), ""]
    for start in (0, 32):
        part = slice(start, start + 32)
        ruler = "".join(f"{63 - bit:<10}" for bit in range(start, start + 32, 8))
        lines += [f"  {ruler}".rstrip(), f"  {_grouped(bits[part])}", f"  {_grouped(keys[part])}"]
    name_width = max(len(field.name) for field in fields)
    value_width = max(len(value_word(field)) for field in fields)
    lines.append("")
    for index, field in enumerate(fields):
        head = (
            f"  {_key(index)}  {bits_word(field):>5}  {field.name:<{name_width}}  "
            f"{value_word(field):>{value_width}}  "
        )
        meaning = _paragraph(field.meaning, max(width - len(head), 24))
        lines.append((head + meaning[0]).rstrip())
        lines += [" " * len(head) + line for line in meaning[1:]]
    return "\n".join(lines)


def svg(entry: Entry, *, narrow: bool = False) -> str:
    """The entry as one SVG element: rows of bits in their fields, then the list of fields."""
    return _svg.svg(picture(entry, narrow=narrow))


def html(entry: Entry) -> str:
    """The entry as HTML that fits a wide and a narrow column."""
    return _svg.html(picture(entry), picture(entry, narrow=True))


def figure(entry: Entry) -> Figure:
    """The entry as a matplotlib figure for print."""
    from ptwalk.views.figure import figure as print_figure

    return print_figure(picture(entry))


def description(entry: Entry) -> str:
    """What the picture shows, in sentences: the entry's own sentence and every field that is not zero."""
    told = [f"{field.name}: {field.meaning}" for field in entry.fields if field.value]
    return ". ".join(part.rstrip(".") for part in [entry.sentence, *told]) + "."


def picture(entry: Entry, *, narrow: bool = False) -> Picture:
    """The entry laid out: 16 bits a row on 776 pixels, or 8 bits a row on 320."""
    margin, cell, columns, width = (8.0, 38.0, 8, 320.0) if narrow else (16.0, 46.5, 16, 776.0)
    page = Picture(width, 0, _title(entry), description(entry))
    y = _head(page, entry, margin)
    y = _bit_rows(page, entry, margin, y, cell, columns)
    y = _field_list(page, entry, margin, y + 12, narrow=narrow)
    page.height = y + 8
    return page


def _head(page: Picture, entry: Entry, margin: float) -> float:
    room = page.width - 2 * margin
    page.add(Text(margin, 24, level_word(entry.level), size=14, bold=True))
    x = margin + text_width(level_word(entry.level), 14, bold=True) + 8
    word = state_word(entry.state)
    pill = text_width(word, 13, bold=True) + 16
    faulty = not entry.present and entry.raw != 0
    page.add(
        Rect(page.width - margin - pill, 9, pill, 22, stroke="ink2", style="dashed" if faulty else "solid"),
        Text(page.width - margin - pill / 2, 24.5, word, size=13, bold=True, anchor="middle"),
    )
    where = f"{entry.format.name}, Linux {entry.format.release}"
    if x + text_width(where, 13) < page.width - margin - pill - 8:
        page.add(Text(x, 24, where, "ink2", 13))
        y = 24.0
    else:
        page.add(Text(margin, 44, where, "ink2", 13))
        y = 44.0
    page.add(Text(margin, y + 22, f"{entry.raw:#018x}", size=14, mono=True))
    y += 22
    for line in wrapped(entry.sentence, room, 13):
        y += 19
        page.add(Text(margin, y, line, size=13))
    return y + 16


def _bit_rows(page: Picture, entry: Entry, left: float, y: float, cell: float, columns: int) -> float:
    row_height = 56.0
    for top in range(63, -1, -columns):
        bottom = top - columns + 1
        for field in entry.fields:
            high, low = min(field.high, top), max(field.low, bottom)
            if high < low:
                continue
            x = left + (top - high) * cell
            box = (high - low + 1) * cell
            _segment(page, entry, field, x, y, box)
            for bit in range(high, low - 1, -1):
                middle = left + (top - bit + 0.5) * cell
                on = bool(entry.raw >> bit & 1)
                if bit in (high, low):
                    page.add(Text(middle, y + 12, str(bit), "ink2", anchor="middle"))
                page.add(
                    Text(
                        middle,
                        y + 32,
                        "1" if on else "0",
                        "ink" if on else "ink2",
                        15,
                        mono=True,
                        bold=on,
                        anchor="middle",
                    )
                )
        y += row_height + 6
    return y


def _segment(page: Picture, entry: Entry, field: Field, x: float, y: float, width: float) -> None:
    used = field.value != 0
    leads = is_address(entry, field)
    fill = "path-tint" if leads else "panel" if used else "bg"
    page.add(Rect(x, y + 17, width, 39, fill=fill, stroke="path" if leads else "ink2" if used else "line"))
    if text_width(field.name, 12, bold=used) <= width - 2:
        colour = "ink" if used else "ink2"
        page.add(Text(x + width / 2, y + 50, field.name, colour, bold=used, anchor="middle"))


def is_address(entry: Entry, field: Field) -> bool:
    """Whether this field carries the physical address the entry leads to."""
    return entry.address is not None and field.name.startswith(("frame", "table"))


def _field_list(page: Picture, entry: Entry, margin: float, y: float, *, narrow: bool) -> float:
    fields = sorted(entry.fields, key=lambda field: -field.high)
    right = page.width - margin
    mono = 12 * 0.605
    name_x = margin + 52
    value_x = name_x + max(text_width(field.name, 12, bold=True) for field in fields) + 16
    meaning_x = value_x + max(len(value_word(field)) for field in fields) * mono + 20
    if narrow:
        meaning_x = name_x
    page.add(Rect(margin, y, right - margin, 0, stroke="line"))
    y += 4
    for field in fields:
        used = field.value != 0
        colour = "ink" if used else "ink2"
        y += 18
        page.add(
            Text(margin + 40, y, bits_word(field), "ink2", mono=True, anchor="end"),
            Text(name_x, y, field.name, colour, bold=used),
        )
        if narrow:
            page.add(Text(right, y, value_word(field), colour, mono=True, bold=used, anchor="end"))
            y += 17
        else:
            page.add(Text(value_x, y, value_word(field), colour, mono=True, bold=used))
        for number, line in enumerate(wrapped(field.meaning, right - meaning_x, 12)):
            y += 16 if number else 0
            page.add(Text(meaning_x, y, line, colour))
        y += 2 if narrow else 0
    return y + 8


def _title(entry: Entry) -> str:
    where = f"{level_word(entry.level)} of {entry.format.name}, Linux {entry.format.release}"
    return f"{where}: {entry.raw:#018x}, {state_word(entry.state)}"


def _key(index: int) -> str:
    return _KEYS[index % len(_KEYS)]


def _grouped(characters: str) -> str:
    bytes_ = [characters[i : i + 8] for i in range(0, len(characters), 8)]
    return "  ".join(bytes_)


def _paragraph(sentence: str, width: int) -> list[str]:
    return textwrap.wrap(sentence, width) or [""]
