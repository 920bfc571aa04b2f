"""Figures of the lessons that are drawn, not played: the life of a table, and where the locks lie.

    docs/images/table-life.svg     what happens to a table, and who may still be in it
    docs/images/lock-places.svg    each lock beside what it guards

Every build writes them, with the other pages that follow from something; a test compares.
"""

from __future__ import annotations

from ptwalk.views.drawing import Line, Picture, Rect, Text, wrapped
from ptwalk.views.svg import svg

# ---- the life of a table ----

STATES = ("allocated", "linked", "unlinked", "flushed", "quiet", "freed", "reused")
EVENTS = ("link it", "cut it off", "flush", "wait", "free", "give it out")
# Who may be in the table: from which state, to which (both included), in which colours, and what to say.
INSIDE = (
    ("its owner", 0, 1, "panel", "line", "its owner"),
    ("walkers that keep the rules", 1, 1, "path-tint", "path", "walkers"),
    ("hardware", 1, 2, "path-tint", "path", "hardware, walk caches"),
    ("readers without locks", 1, 3, "path-tint", "path", "readers without locks, let in before"),
    ("stores", 2, 4, "panel", "bad", "a store here is lost"),
    ("anybody", 5, 6, "bad-tint", "bad", "any use is a bug"),
)
WIDE, STEP, EDGE, TOP = 96.0, 132.0, 14.0, 66.0


def table_life() -> str:
    """The states of a table in a row, the events between them, and bars for who may be inside."""
    picture = Picture(
        2 * EDGE + 6 * STEP + WIDE,
        TOP + 78 + 30 * len(INSIDE) + 8,
        "The life of a page table",
        "A table is allocated, linked, unlinked, flushed, quiet, freed and reused, in this order. "
        + " ".join(f"{who}: {_span(first, last)}." for who, first, last, *_ in INSIDE)
        + " A side path leads from unlinked to deposited, and from there back to linked.",
    )
    for number, state in enumerate(STATES):
        x = EDGE + number * STEP
        picture.add(
            Rect(
                x,
                TOP,
                WIDE,
                34,
                fill="panel",
                stroke="ink2",
                style="dashed" if number in (2, 3, 4) else "solid",
            ),
            Text(x + WIDE / 2, TOP + 22, state, bold=True, anchor="middle"),
        )
    for number, event in enumerate(EVENTS):
        x = EDGE + number * STEP + WIDE
        picture.add(
            Line(((x, TOP + 17), (x + STEP - WIDE, TOP + 17)), "ink2", arrow=True),
            Text(x + (STEP - WIDE) / 2, TOP + 50, event, colour="ink2", anchor="middle"),
        )
    _deposited(picture)
    for row, (_, first, last, fill, stroke, words) in enumerate(INSIDE):
        x, y = EDGE + first * STEP, TOP + 66 + 30 * row
        picture.add(
            Rect(x, y, (last - first) * STEP + WIDE, 24, fill=fill, stroke=stroke),
            Text(x + 8, y + 16, words),
        )
    return svg(picture) + "\n"


def _span(first: int, last: int) -> str:
    return f"from {STATES[first]} to {STATES[last]}" if last > first else f"while it is {STATES[first]}"


def _deposited(picture: Picture) -> None:
    linked, unlinked = (EDGE + number * STEP + WIDE / 2 for number in (1, 2))
    x = (linked + unlinked) / 2 - WIDE / 2
    picture.add(
        Rect(x, 10, WIDE, 30, fill="panel", stroke="ink2", style="dotted"),
        Text(x + WIDE / 2, 30, "deposited", bold=True, anchor="middle"),
        Line(((unlinked, TOP), (unlinked, 25), (x + WIDE, 25)), "ink2", arrow=True),
        Line(((x, 25), (linked, 25), (linked, TOP)), "ink2", arrow=True),
        Text(unlinked + 8, 24, "put aside for a split", colour="ink2"),
    )


# ---- where the locks lie ----

TABLES = ("PGD table", "PUD table", "PMD table", "pte table", "page")
# Below each: which lock guards its entries, and where that lock lies.
NOTES = (
    ("page_table_lock", "in the mm, one for all upper tables"),
    ("page_table_lock", "the same one"),
    ("ptl", "in the notes about this page; it guards the pmds"),
    ("ptl", "in the notes about this page; it guards the ptes"),
    ("page lock", "in the notes about this page"),
)
BOX, PITCH = 142.0, 176.0


def lock_places() -> str:
    """The mm and its locks above, the tables in a row, and below each the lock of its entries."""
    picture = Picture(
        2 * EDGE + 4 * PITCH + BOX,
        322,
        "Where the locks lie",
        "The mmap lock and page_table_lock lie in the mm. A VMA leads to the lock of its reverse map. "
        + " ".join(
            f"{table}: its lock is {lock}, {where}."
            for table, (lock, where) in zip(TABLES, NOTES, strict=True)
        )
        + " A walker finds a table's lock only through the entry that names the table.",
    )
    _holder(picture, 0, "mm", ("mmap_lock", "page_table_lock"))
    _holder(picture, 2, "VMA", ("in 6.4 and later: its own lock",))
    _holder(picture, 3, "anon_vma, or file", ("rmap lock",))
    picture.add(
        Line(((EDGE + BOX, 40), (EDGE + 2 * PITCH, 40)), "ink2", arrow=True),
        Text(EDGE + BOX + 8, 34, "guarded by mmap_lock", colour="ink2"),
        Line(((EDGE + 2 * PITCH + BOX, 40), (EDGE + 3 * PITCH, 40)), "ink2", arrow=True),
        Line(((EDGE + 20, 84), (EDGE + 20, 122)), "ink2", arrow=True),
    )
    for number, (table, (lock, where)) in enumerate(zip(TABLES, NOTES, strict=True)):
        x = EDGE + number * PITCH
        picture.add(
            Rect(
                x,
                122,
                BOX,
                44,
                fill="path-tint" if number < 4 else "panel",
                stroke="path" if number < 4 else "line",
            ),
            Text(x + BOX / 2, 149, table, bold=True, anchor="middle"),
        )
        if number < 4:
            picture.add(Line(((x + BOX, 144), (x + PITCH, 144)), "ink2", arrow=True))
        picture.add(
            Line(((x + BOX / 2, 166), (x + BOX / 2, 196)), "line", style="dashed"),
            Rect(x, 196, BOX, 84, stroke="line", style="solid" if number > 1 else "dotted"),
            Text(x + 8, 216, lock, mono=True, bold=True),
        )
        for row, words in enumerate(wrapped(where, BOX - 14)):
            picture.add(Text(x + 8, 234 + 15 * row, words, colour="ink2"))
    picture.add(
        Text(
            EDGE + 2 * PITCH,
            306,
            "To find the ptl, read the entry that names the table: before you hold anything.",
        )
    )
    return svg(picture) + "\n"


def _holder(picture: Picture, column: int, name: str, locks: tuple[str, ...]) -> None:
    x = EDGE + column * PITCH
    picture.add(
        Rect(x, 12, BOX, 72, fill="panel", stroke="ink2"),
        Text(x + 8, 32, name, bold=True),
    )
    for row, lock in enumerate(locks):
        for line, words in enumerate(wrapped(lock, BOX - 14)):
            picture.add(Text(x + 8, 52 + 16 * (row + line), words, mono="_" in lock))
