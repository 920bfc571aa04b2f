"""Ranges and tables of whole spaces: merged as documented, each table once, without loops or explosions."""

import itertools

import pytest

from ptwalk.arch import FORMAT_NAMES, format_named
from ptwalk.capture import TableGraph, open_capture
from ptwalk.errors import CaptureError
from ptwalk.machine import mmu
from ptwalk.machine.physmem import WordMemory
from ptwalk.trace.space import ALIAS, MAPPED

FMT = format_named("x86-64-4level")
ROOT, PUD, PMD, PTE, FRAME = 0x1000, 0x2000, 0x3000, 0x4000, 0x10000
X86, ARM = "x86_64-4level-6.1", "aarch64-4k-48bit-6.1"


def chain(**extra):
    """One page at 0, through one table of each level; `extra` puts more entries in, by name of the table."""
    words = {
        ROOT: FMT.make_table(PUD, "pgd"),
        PUD: FMT.make_table(PMD, "pud"),
        PMD: FMT.make_table(PTE, "pmd"),
        PTE: FMT.make_leaf(FRAME, "pte"),
    }
    for table, entries in extra.items():
        for index, entry in entries.items():
            words[{"root": ROOT, "pud": PUD, "pmd": PMD, "pte": PTE}[table] + 8 * index] = entry
    return WordMemory(words)


def graph(memory):
    return TableGraph(memory, ROOT, FMT)


def test_one_page():
    """The smallest space: one range, four tables, each covering what it must."""
    space = graph(chain())
    (run,) = space.ranges()
    assert (run.start, run.end, run.physical, run.page_size, run.kind) == (0, 4096, FRAME, 4096, MAPPED)
    assert str(run.rights) == "u r--"
    tables = space.tables()
    assert [(t.address, t.level, t.depth, t.parents, t.entries_used) for t in tables] == [
        (ROOT, "pgd", 0, 0, 1), (PUD, "pud", 1, 1, 1), (PMD, "pmd", 2, 1, 1), (PTE, "pte", 3, 1, 1)
    ]  # fmt: skip
    assert [(t.covers_start, t.covers_end) for t in tables] == [(0, 1 << s) for s in (64, 39, 30, 21)]


def test_neighbours_merge_only_if_alike():
    """Pages merge if rights and size are equal and frames follow; `frames=False` forgives the frames."""
    leaves = [
        (0, {}),
        (1, {}),
        (2, {"write": True}),
        (3, {"write": True}),
        (9, {"write": True}),
        (5, {"write": True}),
    ]
    memory = chain(
        pte={i: FMT.make_leaf(FRAME + 4096 * at, "pte", **kw) for i, (at, kw) in enumerate(leaves)}
    )
    runs = list(graph(memory).ranges())
    assert [(r.start >> 12, r.pages, r.physical - FRAME >> 12) for r in runs] == [
        (0, 2, 0),
        (2, 2, 2),
        (4, 1, 9),
        (5, 1, 5),
    ]
    runs = list(graph(memory).ranges(frames=False))
    assert [(r.start >> 12, r.pages) for r in runs] == [(0, 2), (2, 4)]


def test_huge_pages_do_not_merge_with_small_ones():
    """A 2 MiB page beside small pages is a range of its own, with its own page size."""
    huge = FMT.make_leaf(0x200000, "pmd")
    runs = list(graph(chain(pmd={1: huge, 2: FMT.make_leaf(0x400000, "pmd")})).ranges())
    assert [(r.start, r.pages, r.page_size) for r in runs] == [(0, 1, 4096), (1 << 21, 2, 1 << 21)]


@pytest.mark.parametrize(("table", "level"), [("root", "pgd"), ("pud", "pud"), ("pmd", "pmd")])
@pytest.mark.parametrize("target", [ROOT, PUD, PMD, PTE])
def test_cycles(table, level, target):
    """An entry at any level that leads back to any table: enumerating ends, and each table is listed once."""
    memory = chain(**{table: {511: FMT.make_table(target, level)}})
    space = graph(memory)
    tables = space.tables()
    assert len({t.address for t in tables}) == len(tables) == 4
    assert sum(t.parents for t in tables) == 4
    runs = list(space.ranges())
    assert runs[0].physical == FRAME
    assert len(runs) < 20
    assert all(a.end <= b.start for a, b in itertools.pairwise(runs))


def test_a_root_that_maps_itself():
    """A self-mapping root is reached again as every lower table; its entries then map the tables as pages."""
    memory = chain(root={493: FMT.make_table(ROOT, "pgd")})
    space = graph(memory)
    (root, *_) = space.tables()
    assert (root.address, root.parents) == (ROOT, 1)
    base = FMT.va_from_indices([493] * 4)
    assert mmu.walk(memory, ROOT, FMT, base).physical == ROOT
    # The window on the tables is all there: the last-level view of the root is one of the ranges.
    assert any(run.start <= base < run.end and run.kind == MAPPED for run in space.ranges())


def test_every_entry_maps_the_root():
    """The worst root of all: 512 entries, each the root itself; nothing is mapped, nothing is endless."""
    memory = WordMemory({ROOT + 8 * i: FMT.make_table(ROOT, "pgd") for i in range(512)})
    space = graph(memory)
    assert [(t.address, t.parents) for t in space.tables()] == [(ROOT, 512)]
    runs = list(space.ranges(frames=False))
    # Each level's first way is gone through, its 511 others merge into one alias (two at the top, cut by the hole).
    assert len(runs) < 12
    assert sum(run.pages for run in runs) == 512
    assert len(list(space.ranges())) < 600


def test_aliases_merge():
    """Entries in a row that reach the same table again are one line."""
    memory = chain(pmd={i: FMT.make_table(PTE, "pmd") for i in range(512)})
    first, again = graph(memory).ranges()
    assert (again.start, again.end, again.physical, again.kind, again.pages) == (
        1 << 21,
        1 << 30,
        PTE,
        ALIAS,
        0,
    )
    assert first.kind == MAPPED
    assert len(list(graph(memory).leaves(expand=True))) == 512


def test_the_halves():
    """`half` leaves out the other half of an x86-64 root; tables keep their true addresses."""
    memory = chain(root={256: FMT.make_table(PUD, "pgd"), 511: FMT.make_table(PUD, "pgd")})
    user = TableGraph(memory, ROOT, FMT, "user")
    kernel = TableGraph(memory, ROOT, FMT, "kernel")
    assert [run.start for run in user.ranges()] == [0]
    assert [run.start for run in kernel.ranges()] == [0xFFFF8000_00000000, 0xFFFFFF80_00000000]
    assert kernel.tables()[1].covers_start == 0xFFFF8000_00000000
    assert kernel.tables()[1].covers_end == 0xFFFF8080_00000000


def test_missing_tables_are_left_out():
    """A table that is not in memory is neither listed nor gone through."""
    memory = chain(pmd={7: FMT.make_table(0x999000, "pmd")})
    assert len(graph(memory).tables()) == 4
    assert len(list(graph(memory).ranges())) == 1
    assert graph(WordMemory()).tables() == ()
    assert list(graph(WordMemory()).ranges()) == []


def test_too_many_tables(monkeypatch):
    """A root that reaches more tables than any process has is refused with what to check."""
    monkeypatch.setattr("ptwalk.capture.space.MOST_TABLES", 3)
    with pytest.raises(CaptureError, match="check that the root"):
        graph(chain()).tables()
    with pytest.raises(CaptureError, match="check that the root"):
        list(graph(chain(pmd={1: FMT.make_table(0x9000, "pmd")})).ranges())


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize("half", ["user", "kernel"])
def test_every_format(name, half, made):
    """For every format: the ranges cover exactly what was mapped, and the tables are those that were made."""
    fmt = format_named(name, half=half)
    space = made.random_space(fmt)
    memory = WordMemory({t: 0 for t in space.tables.values()} | space.words, page_size=fmt.page_size)
    found = {}
    for run in TableGraph(memory, space.root, fmt).ranges():
        for at in range(run.pages):
            found[run.start + at * run.page_size] = (run.physical + at * run.page_size, run.page_size)
    assert found == space.mapped
    tables = TableGraph(memory, space.root, fmt).tables()
    assert {t.address for t in tables} == {space.root, *space.tables.values()}
    assert all(t.parents == 1 for t in tables[1:])
    for node in tables[1:]:
        (indices,) = [way for way, address in space.tables.items() if address == node.address]
        assert node.covers_start == fmt.va_from_indices(indices)


def test_aliases_of_the_captured_kernel_are_a_few_lines():
    """65,536 ways to 32 pages, in the captured x86-64 kernel, are listed in less than 100 lines."""
    runs = list(open_capture(X86).mapped_ranges("kernel"))
    aliased = [run for run in runs if run.kind == ALIAS]
    assert len(runs) < 200
    assert aliased
    assert sum(run.size for run in aliased) > 65_000 * 65_536
    assert all(a.end <= b.start for a, b in itertools.pairwise(runs))


@pytest.mark.parametrize(("name", "process"), [(X86, 1), (X86, "kernel"), (ARM, 1), (ARM, "kernel")])
def test_ranges_agree_with_walks(name, process):
    """First, last and one past each range: walking says the same as the range does."""
    capture = open_capture(name, process=process)
    runs = list(capture.mapped_ranges())
    for run in runs:
        if run.kind == ALIAS:
            continue
        first, last = capture.walk(run.start), capture.walk(run.end - 1)
        assert (first.physical, first.page_size, first.rights) == (run.physical, run.page_size, run.rights)
        assert last.physical == run.physical + run.size - 1
    mapped = sum(run.size for run in runs if run.start < 1 << 63)
    told = sum(run["n"] for run in capture.truth["pages"] if run["present"]) * 4096
    if process == 1:
        # Beside what pagemap calls present: 2 pages it skips are mapped, 8 PROT_NONE ones are not.
        assert mapped == told + (2 - 8) * 4096


@pytest.mark.parametrize(("name", "process"), [(X86, 1), (X86, 2), (ARM, 1), (ARM, 2)])
def test_what_linux_keeps_in_entries_that_are_not_present(name, process, record_property):
    """Swapped and PROT_NONE pages are found in the tables: exactly those that pagemap tells of."""
    capture = open_capture(name, process=process)
    closed = [(vma.start, vma.end) for vma in capture.vmas if vma.prot.startswith("---")]
    told = {}
    for run in capture.truth["pages"]:
        first = int(run["va"], 16)
        none = run["present"] and any(start <= first < end for start, end in closed)
        if run["swapped"] or none:
            told |= {first + i * 4096: "swap" if run["swapped"] else "prot-none" for i in range(run["n"])}
    found = {va: str(entry.state) for va, entry in capture.graph("user").kept()}
    assert found == told
    record_property("compared", f"{len(found)} entries")
