"""Figures of the lessons that are drawn, not played: the life of a table, and where the locks lie.

    docs/images/table-life.svg     what happens to a table, and who may still be in it
    docs/images/lock-places.svg    each lock beside what it guards

They run from the top down, so that their text can be read in a narrow column.  Every build writes them, with the
other pages that follow from something; a test compares.
"""

from __future__ import annotations

from ptwalk.views.drawing import Line, Picture, Rect, Text, wrapped
from ptwalk.views.svg import svg

EDGE = 12.0

# ---- the life of a table ----

STATES = ("allocated", "linked", "unlinked", "flushed", "quiet", "freed", "reused")
EVENTS = ("link it", "cut it off", "flush", "wait", "free", "give it out")
# Who may be in the table: from which state, to which (both included), in which colours, and what to say.
INSIDE = (
    (0, 0, "panel", "line", "its owner"),
    (1, 1, "path-tint", "path", "walkers"),
    (1, 2, "path-tint", "path", "hardware, walk caches"),
    (1, 3, "path-tint", "path", "readers without locks"),
    (2, 4, "panel", "bad", "a store is lost"),
    (5, 6, "bad-tint", "bad", "any use is a bug"),
)
COLUMNS = (0, 0, 1, 2, 3, 0)
STATE_WIDE, STATE_HIGH, STATE_STEP, BAR_WIDE = 92.0, 30.0, 54.0, 84.0
SIDE = 86.0
"""Left of the states: the side path of a table that is put aside."""


def table_life() -> str:
    """The states of a table from the top down, the events between them, and bars for who may be inside."""
    left = EDGE + SIDE
    bars = left + STATE_WIDE + 22
    picture = Picture(
        bars + 4 * (BAR_WIDE + 8) - 8 + EDGE,
        2 * EDGE + 6 * STATE_STEP + STATE_HIGH,
        "The life of a page table",
        "A table is allocated, linked, unlinked, flushed, quiet, freed and reused, in this order. "
        + " ".join(f"{words}: {_span(first, last)}." for first, last, _, _, words in INSIDE)
        + " A side path leads from unlinked to deposited, and from there back to linked.",
    )
    for number, state in enumerate(STATES):
        y = EDGE + number * STATE_STEP
        style = "dashed" if state in ("unlinked", "flushed", "quiet") else "solid"
        picture.add(
            Rect(left, y, STATE_WIDE, STATE_HIGH, fill="panel", stroke="ink2", style=style),
            Text(left + STATE_WIDE / 2, y + 20, state, bold=True, anchor="middle"),
        )
    for number, event in enumerate(EVENTS):
        x, y = left + STATE_WIDE / 2, EDGE + number * STATE_STEP + STATE_HIGH
        picture.add(
            Line(((x, y), (x, y + STATE_STEP - STATE_HIGH)), "ink2", arrow=True),
            Text(x - 8, y + 16, event, colour="ink2", anchor="end"),
        )
    _deposited(picture, left)
    for (first, last, fill, stroke, words), column in zip(INSIDE, COLUMNS, strict=True):
        x, y = bars + column * (BAR_WIDE + 8), EDGE + first * STATE_STEP
        picture.add(Rect(x, y, BAR_WIDE, (last - first) * STATE_STEP + STATE_HIGH, fill=fill, stroke=stroke))
        for row, line in enumerate(wrapped(words, BAR_WIDE - 10) if last > first else [words]):
            picture.add(Text(x + 7, y + 20 + 15 * row, line))
    return svg(picture) + "\n"


def _span(first: int, last: int) -> str:
    return f"from {STATES[first]} to {STATES[last]}" if last > first else f"while it is {STATES[first]}"


def _deposited(picture: Picture, left: float) -> None:
    linked, unlinked = (EDGE + number * STATE_STEP + STATE_HIGH / 2 for number in (1, 2))
    wide, x = SIDE - 14, EDGE
    picture.add(
        Rect(x, unlinked + 14, wide, STATE_HIGH, fill="panel", stroke="ink2", style="dotted"),
        Text(x + wide / 2, unlinked + 34, "deposited", bold=True, anchor="middle"),
        Line(
            ((left, unlinked), (x + wide - 14, unlinked), (x + wide - 14, unlinked + 14)), "ink2", arrow=True
        ),
        Line(((x + 14, unlinked + 14), (x + 14, linked), (left, linked)), "ink2", arrow=True),
    )


# ---- where the locks lie ----

# Each table from the root down, the lock of its entries, and where that lock lies.
TABLES = (
    ("PGD table", "page_table_lock", "in the mm: one for all upper tables"),
    ("PUD table", "page_table_lock", "the same one"),
    ("PMD table", "ptl", "in the notes about this table; it guards the pmds"),
    ("pte table", "ptl", "in the notes about this table; it guards the ptes"),
    ("page", "page lock", "in the notes about this page"),
)
BOX, HIGH, DOWN, NOTES = 128.0, 34.0, 60.0, 168.0
TOP = 118.0


def lock_places() -> str:
    """The mm, a VMA and its reverse map above; below, the tables from the root down, each with its lock beside it."""
    notes = EDGE + NOTES
    picture = Picture(
        notes + 330 + EDGE,
        TOP + 4 * DOWN + HIGH + 34,
        "Where the locks lie",
        "mmap_lock and page_table_lock lie in the mm. mmap_lock guards the set of VMAs. A VMA leads to the lock of its "
        "reverse map, in an anon_vma or a file. "
        + " ".join(f"{table}: its lock is {lock}, {where}." for table, lock, where in TABLES)
        + " A walker finds a table's lock only through the entry that names the table.",
    )
    for x, name, lock in (
        (EDGE, "mm", "mmap_lock"), (notes, "VMA", ""), (notes + 176, "anon_vma, or file", "rmap lock"),
    ):  # fmt: skip
        wide = BOX + (18 if name.startswith("anon") else 0)
        picture.add(
            Rect(x, EDGE, wide, 66, fill="panel", stroke="ink2"),
            Text(x + 8, EDGE + 20, name, bold=True),
            Text(x + 8, EDGE + 38, lock, mono="_" in lock),
        )
    picture.add(
        Text(EDGE + 8, EDGE + 54, "page_table_lock", mono=True),
        Line(((EDGE + BOX, EDGE + 33), (notes, EDGE + 33)), "ink2", arrow=True),
        Line(((notes + BOX, EDGE + 33), (notes + 176, EDGE + 33)), "ink2", arrow=True),
        Line(((EDGE + BOX / 2, EDGE + 66), (EDGE + BOX / 2, TOP)), "ink2", arrow=True),
        Text(notes + 8, EDGE + 38, "6.4: its own lock"),
    )
    for number, (table, lock, where) in enumerate(TABLES):
        y, is_table = TOP + number * DOWN, number < 4
        picture.add(
            Rect(
                EDGE,
                y,
                BOX,
                HIGH,
                fill="path-tint" if is_table else "panel",
                stroke="path" if is_table else "line",
            ),
            Text(EDGE + BOX / 2, y + 22, table, bold=True, anchor="middle"),
            Line(((EDGE + BOX, y + HIGH / 2), (notes, y + HIGH / 2)), "line", style="dashed"),
            Rect(notes, y - 4, 330, HIGH + 8, stroke="line", style="solid" if number > 1 else "dotted"),
            Text(notes + 8, y + 12, lock, mono=True, bold=True),
            Text(notes + 8, y + 28, where, colour="ink2"),
        )
        if is_table:
            x = EDGE + BOX / 2
            picture.add(Line(((x, y + HIGH), (x, y + DOWN)), "ink2", arrow=True))
    picture.add(
        Text(
            EDGE, TOP + 4 * DOWN + HIGH + 26, "To find a ptl, read the entry above: before you hold anything."
        )
    )
    return svg(picture) + "\n"
