"""The picture of an address space stays readable: every table in some row, sharing said, rows within a limit."""

from functools import cache

from ptwalk.arch import Rights, format_named
from ptwalk.trace.space import ALIAS, MappedRange, TableNode
from ptwalk.views import space as picture
from ptwalk.views.drawing import Text, text_width
from ptwalk.views.lanes import lanes

from .conftest import check_svg

FMT = format_named("x86-64-4level")
PAGE, HUGE, GIANT = 1 << 12, 1 << 21, 1 << 30
RW = Rights(user_execute=False, kernel_execute=False)
READ = Rights(user_write=False, kernel_write=False)


def node(address: int, depth: int, start: int, parents: int = 1, used: int = 1) -> TableNode:
    """A table of one level, covering what its level covers."""
    level = FMT.levels[depth]
    return TableNode(address, level.name, depth, parents, used, start, start + level.entries * level.size)


def small() -> tuple[list[MappedRange], list[TableNode]]:
    """A process with small pages in two tables, huge pages between them, a giant one, and a shared table."""
    ranges = [
        MappedRange(0x1000, 0x5000, 0x10000, PAGE, RW),
        MappedRange(HUGE, 3 * HUGE, 0x40000000, HUGE, READ),
        MappedRange(3 * HUGE + PAGE, 3 * HUGE + 3 * PAGE, 0x20000, PAGE, READ),
        MappedRange(4 * HUGE, 8 * HUGE, 0x5000, 0, RW, ALIAS),
        MappedRange(GIANT, 2 * GIANT, 0x80000000, GIANT, READ),
    ]
    tables = [
        node(0x1000, 0, 0, 0),
        node(0x2000, 1, 0),
        node(0x3000, 2, 0),
        node(0x4000, 3, 0),
        node(0x5000, 3, 3 * HUGE, parents=5),
    ]
    return ranges, tables


@cache
def large() -> tuple[list[MappedRange], list[TableNode]]:
    """270,000 small pages in 528 tables of three areas, each page a range of its own."""
    ranges, tables = [], [node(0x1000, 0, 0, 0), node(0x2000, 1, 0)]
    for area, count in ((0, 200), (3, 300), (9, 28)):
        tables.append(node(0x10000 + (area << 12), 2, area * GIANT))
        for number in range(count):
            start = area * GIANT + number * HUGE
            tables.append(node(0x1000000 + (len(tables) << 12), 3, start))
            ranges += [
                MappedRange(
                    start + i * PAGE, start + (i + 1) * PAGE, (len(ranges) * 2 + 7 * i) << 12, PAGE, RW
                )
                for i in range(512)
            ]
    return ranges[:270_000], tables


def test_text() -> None:
    """The tree of a small space, exactly."""
    ranges, tables = small()
    assert (
        picture.text(FMT, ranges, tables, name="small")
        == """\
small
1 GiB mapped in 9 pages: 6 of 4 KiB, 2 of 2 MiB, 1 of 1 GiB.
5 tables: 1 pgd, 1 pud, 1 pmd, 2 pte.
1 table is shared: 5 entries lead to it.

pgd table 0x1000
  [0] pud table 0x2000
    [0] pmd table 0x3000
      [0] pte table 0x4000
        0x0000000000000000  4 × 4 KiB · u rw-
      0x0000000000200000  2 × 2 MiB · u r-x
      [3] pte table 0x5000, shared by 5 entries
        0x0000000000600000  2 × 4 KiB · u r-x
      0x0000000000800000  4 entries lead to table 0x5000 again
    0x0000000040000000  1 × 1 GiB · u r-x"""
    )


def test_lanes_keep_every_page() -> None:
    """However a space is folded, its rows hold every page of every range."""
    for ranges, tables in (small(), large()):
        total = sum(run.pages for run in ranges)
        for limit in (3, 64):
            rows = lanes(FMT, ranges, tables, limit)
            assert sum(sum(lane.pages.values()) for lane in rows) == total
            assert rows == sorted(rows, key=lambda lane: lane.start)


def test_270_000_pages_fit_the_limit() -> None:
    """A large space is folded to the limit and stays a picture of modest size."""
    ranges, tables = large()
    assert len(lanes(FMT, ranges, tables, 64)) <= 64
    svg = picture.svg(FMT, ranges, tables, name="large")
    root = check_svg(svg)
    assert float(root.attrib["height"]) < 2000
    assert len(svg) < 200_000
    assert "rows folded" in svg


def test_layouts() -> None:
    """Wide, middle and narrow pictures are valid, and the same each time."""
    ranges, tables = small()
    check_svg(picture.svg(FMT, ranges, tables, name='a <b> & "c"'))
    html = picture.html(FMT, ranges, tables)
    assert html.count('role="img"') == 3
    assert html == picture.html(FMT, ranges, tables)
    assert "shared by 5" in html


def test_long_indices_keep_clear_of_addresses() -> None:
    """Tables of large pages have indices of four digits, which stand beside the table's address and not on it."""
    for name in ("arm64-16k-52", "arm64-64k-48"):
        fmt = format_named(name)
        last = (1 << fmt.va_bits) - fmt.page_size
        tables = [
            TableNode(
                (0x140A65000 + depth) << 16,
                level.name,
                depth,
                1,
                1,
                last >> level.shift + level.bits << level.shift + level.bits,
                last + fmt.page_size,
            )
            for depth, level in enumerate(fmt.levels)
        ]
        drawn = picture.picture(
            fmt, [MappedRange(last, last + fmt.page_size, 0, fmt.page_size, RW)], tables
        ).marks
        words = [mark for mark in drawn if isinstance(mark, Text)]
        indices = [mark for mark in words if mark.text.startswith("[")]
        assert len(indices) == len(fmt.levels) - 1
        for mark in indices:
            address = min(
                w.x - text_width(w.text, mono=True) for w in words if w.anchor == "end" and w.x > mark.x
            )
            assert mark.x + text_width(mark.text, bold=True) < address - 3


def test_rights_that_do_not_fit_are_counted() -> None:
    """A table with many different rights says some of them and how many more there are."""
    kinds = [Rights(*(bool(number >> bit & 1) for bit in range(7))) for number in (127, 7, 3, 1, 120, 8)]
    ranges = [MappedRange(i * PAGE, (i + 1) * PAGE, i << 20, PAGE, rights) for i, rights in enumerate(kinds)]
    tables = [node((depth + 1) << 12, depth, 0) for depth in range(4)]
    assert "more rights" in picture.svg(FMT, ranges, tables)


def test_listing() -> None:
    """Like /proc/PID/maps: one line for each range, a second way to a table said as such."""
    lines = picture.listing(small()[0]).splitlines()
    assert lines[0] == "0000000000001000-0000000000005000  u rw-          4 × 4 KiB   at 0x10000"
    assert lines[3].endswith("reaches table 0x5000 again")


def test_an_empty_space() -> None:
    """A root with nothing in it can be drawn, too."""
    tables = [node(0x1000, 0, 0, 0, used=0)]
    assert "nothing mapped" in picture.text(FMT, [], tables)
    check_svg(picture.svg(FMT, [], tables))
    check_svg(picture.svg(FMT, [], []))


def test_figure() -> None:
    """The figure for print has the head and a row for each lane."""
    words = [text.get_text() for text in picture.figure(FMT, *small(), name="small").axes[0].texts]
    assert any("small" in word for word in words)
    assert "0x40000000" in words
