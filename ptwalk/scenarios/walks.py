"""Walks under the mmap lock: in a VMA, in a hole, ignoring VMAs, with the lock dropped in between; then and now.

Room: scenarios.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.kernel.pgtable import is_table, mm_find_pmd, offset_lockless
from ptwalk.kernel.users import TestExit
from ptwalk.kernel.vma import find_vma
from ptwalk.scenarios import walkers
from ptwalk.scenarios.changers import CHANGERS
from ptwalk.scenarios.ground import home, span
from ptwalk.scenarios.monitor import WITHOUT_WILD
from ptwalk.scenarios.pair import WALKER, pair
from ptwalk.scenarios.scenario import Never, Scenario, Sometimes
from ptwalk.scenarios.stage import Stage
from ptwalk.walk import broken, readers

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm

_HOLE = "8782fb61cc84 (6.0-rc4): pagewalk: fix race between unmap and page walker"


async def hole_walk(mm: Mm, addr: int) -> None:
    """A read-locked walk with a pte_hole callback, as pagemap has one."""
    await readers.walk_hole(mm, addr, addr + mm.format.page_size)


async def ptdump(mm: Mm, addr: int) -> None:
    """A dump of the tables, whatever the VMAs are, with the lock of that kernel."""
    await readers.ptdump(mm, addr, addr + mm.format.page_size)


async def ptdump_read_locked(mm: Mm, addr: int) -> None:
    """The same with mmap_lock for reading."""
    await readers.ptdump_read_locked(mm, addr, addr + mm.format.page_size)


async def walk_with_kept_pmd(mm: Mm, addr: int) -> None:
    """Drops the lock, finds the VMA again, and goes on with the pmd value it read before.

    *Locking*: mmap_lock for reading, twice.
    """
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
    entry = await pmd.read() if pmd is not None else None
    await mmap_read_unlock(mm)
    if pmd is None or entry is None or not is_table(entry):
        return
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    if vma is not None and addr in vma:
        await offset_lockless(pmd, entry, addr).read()
    await mmap_read_unlock(mm)


async def walk_without_user_reference(mm: Mm, addr: int) -> None:
    """A monitor that holds the mm_struct (mm_count) and not its memory (mm_users), and looks before it walks.

    *Locking*: mmap_lock for reading, the VMA found under it.
    """
    if not await TestExit(mm):
        await broken.walk_read_locked(mm, addr)


def _reader_next_door(stage: Stage) -> None:
    # The reader's page is in the far VMA, munmap takes the near one: the tables above are shared.
    ground = CHANGERS["munmap"].lay_out(stage, ())
    reader = home(ground.mm) + 2 * span(ground.mm)
    page = stage.machine.new_frame("anon", "page")
    ground.mm.place(reader, page)
    stage.run(WALKER, walkers.read_walk, ground.mm, reader)


def _exit_without_reference(stage: Stage) -> None:
    ground = CHANGERS["exit"].lay_out(stage, ())
    stage.run(WALKER, walk_without_user_reference, ground.mm, ground.addr)


WALKS = (
    pair(
        "munmap-vs-read-walk",
        walkers.read_walk,
        CHANGERS["munmap"],
        story="the page walker in a VMA with mmap_lock for reading: munmap cannot have detached that VMA",
        expect=Never(),
        source="mm/pagewalk.c walk_page_range, 5.15; mm/mmap.c __do_munmap, 5.15",
    ),
    Scenario(
        "munmap-vs-reader",
        "a reader of another VMA walks while munmap, downgraded, frees tables next door",
        _reader_next_door,
        Never(),
        source="mm/mmap.c __do_munmap, 5.15",
    ),
    pair(
        "munmap-vs-ignoring-vmas",
        broken.walk_ignoring_vmas,
        CHANGERS["munmap"],
        story="mmap_lock for reading, but no VMA looked up: after the downgrade the walker is inside while tables go",
        expect=Sometimes("lifetime", 2),
        source="rule (a) of the review; mm/mmap.c __do_munmap, 5.15",
    ),
    pair(
        "munmap-last-vs-ignoring-vmas",
        broken.walk_ignoring_vmas,
        CHANGERS["munmap-last"],
        story="the same in a hole whose pte table only a neighbour used",
        expect=Sometimes("lifetime", 2),
        source="rule (a) of the review",
    ),
    pair(
        "munmap-stack-vs-ignoring-vmas",
        broken.walk_ignoring_vmas,
        CHANGERS["munmap-stack"],
        story=(
            "the same below a stack VMA on 6.1: munmap does not downgrade there, so the walker is "
            "kept out by accident"
        ),
        expect=Never(),
        source="246c320a8cfe (5.8-rc7)",
    ),
    pair(
        "munmap-stack-vs-ignoring-vmas-now",
        broken.walk_ignoring_vmas,
        CHANGERS["munmap-stack"],
        story="the same on 6.6: munmap always downgrades",
        expect=Sometimes("lifetime", 2),
        release="6.6",
        source="e4bd84c069f2 (6.5)",
    ),
    pair(
        "munmap-vs-pagemap-hole",
        hole_walk,
        CHANGERS["munmap-everything"],
        story=(
            "walk_page_range of 5.15.0 with a pte_hole callback reads real tables in a hole, while "
            "munmap frees a PUD table"
        ),
        expect=Sometimes("lifetime", 3),
        release="5.15.0",
        source=_HOLE,
    ),
    pair(
        "munmap-vs-pagemap-hole-fixed",
        hole_walk,
        CHANGERS["munmap-everything"],
        story="the same walk on 5.15.85: it never goes down where no VMA is",
        expect=Never(),
        release="5.15.85",
        source=_HOLE,
    ),
    pair(
        "munmap-small-vs-pagemap-hole",
        hole_walk,
        CHANGERS["munmap"],
        story="the 5.15.0 hole walk stops at the pud entry, so a munmap that frees only a pte table does not hurt it",
        expect=Never(),
        release="5.15.0",
        source=_HOLE,
    ),
    pair(
        "munmap-vs-ptdump",
        ptdump,
        CHANGERS["munmap"],
        story="walk_page_range_novma of a user mm with mmap_lock for reading, as 5.15.0 allowed",
        expect=Sometimes("lifetime", 3),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source=_HOLE,
    ),
    pair(
        "munmap-vs-ptdump-fixed",
        ptdump,
        CHANGERS["munmap"],
        story="the same walk with mmap_lock for writing, as 6.1 asks",
        expect=Never(),
        source=_HOLE,
    ),
    pair(
        "munmap-vs-stale-vma",
        broken.walk_with_stale_vma,
        CHANGERS["munmap"],
        story="mmap_lock dropped and taken again, the VMA of before still believed",
        expect=Sometimes("lifetime", 3),
        source="rule (a) of the review, second sentence",
    ),
    pair(
        "munmap-vs-revalidated-vma",
        broken.walk_with_revalidated_vma,
        CHANGERS["munmap"],
        story="mmap_lock dropped and taken again, the VMA looked up again, the walk begun again at the top",
        expect=Never(),
        source="rule (a) of the review, second sentence",
    ),
    pair(
        "retract-vs-kept-pmd",
        walk_with_kept_pmd,
        CHANGERS["retract"],
        story="the VMA is found again after the drop, but the pmd value of before is used: retract freed the table",
        expect=Sometimes("lifetime", 2),
        release="5.15.0",
        source="mm/khugepaged.c retract_page_tables, 5.15.0",
    ),
    pair(
        "munmap-vs-mlw-walker",
        walkers.write_peek,
        CHANGERS["munmap"],
        story="mmap_lock for writing, VMAs ignored, on 5.15.0: rule (b) holds",
        expect=Never(),
        release="5.15.0",
        source="rule (b) of the review",
    ),
    pair(
        "retract-vs-mlw-walker-then",
        walkers.write_peek,
        CHANGERS["retract"],
        story="mmap_lock for writing, VMAs ignored, on 5.15.0: retract needs that lock too",
        expect=Never(),
        release="5.15.0",
        source="mm/khugepaged.c retract_page_tables, 5.15.0",
    ),
    pair(
        "retract-vs-mlw-walker",
        walkers.write_peek,
        CHANGERS["retract"],
        story=(
            "mmap_lock for writing, VMAs ignored, on 6.6: retract takes no lock of this mm, and the "
            "pte table vanishes"
        ),
        expect=Sometimes("lifetime", 3),
        release="6.6",
        source="1d65b771bc08 (6.6)",
    ),
    pair(
        "retract-vs-mlw-and-vma-walker",
        walkers.write_locked_peek,
        CHANGERS["retract"],
        story="the same with the VMA write-locked too: it does not help against retract",
        expect=Sometimes("lifetime", 3),
        release="6.6",
        source="1d65b771bc08 (6.6)",
    ),
    pair(
        "retract-vs-mlw-map-lock",
        walkers.write_map_lock,
        CHANGERS["retract"],
        story="mmap_lock for writing and ptes through pte_offset_map_lock, which looks at the pmd again: right on 6.6",
        expect=Never(),
        release="6.6",
        source="0d940a9b270b (6.5)",
    ),
    pair(
        "reclaim-vs-mlr-walker",
        walkers.read_peek,
        CHANGERS["reclaim"],
        story="mmap_lock for reading, in a VMA, ptes read without their lock, on 6.14: MADV_DONTNEED frees the table",
        expect=Sometimes("lifetime", 3),
        release="6.14",
        source="6375e95f381e (6.14)",
    ),
    pair(
        "reclaim-vs-read-walk",
        walkers.read_walk,
        CHANGERS["reclaim"],
        story="the page walker on 6.14: pte_offset_map_lock may find no table, and the walk copes",
        expect=Never(),
        release="6.14",
        source="be872f83bf57 (6.5)",
    ),
    pair(
        "reclaim-vs-mlw-walker",
        walkers.write_peek,
        CHANGERS["reclaim"],
        story="mmap_lock for writing, VMAs ignored, on 7.1: MADV_DONTNEED holds only the VMA's lock",
        expect=Sometimes("lifetime", 3),
        release="7.1",
        source="a6fde7add78d (6.17 by its date)",
    ),
    pair(
        "reclaim-vs-mlw-and-vma-walker",
        walkers.write_locked_peek,
        CHANGERS["reclaim"],
        story="the same with the VMA write-locked too: that keeps MADV_DONTNEED out",
        expect=Never(),
        release="7.1",
        source="mm/madvise.c, 7.1",
    ),
    pair(
        "fault-thp-vs-double-load",
        broken.walk_loading_pmd_twice,
        CHANGERS["fault-huge"],
        story="a walker tests one load of the pmd and judges another: it calls a huge page bad and clears it",
        expect=Sometimes("unlocked", 2),
        source="CVE-2012-1179 (1a5a9906d4e8)",
    ),
    pair(
        "fault-thp-vs-read-walk",
        walkers.read_walk,
        CHANGERS["fault-huge"],
        story="the page walker judges one load: none, huge or table",
        expect=Never(),
        source="include/linux/pgtable.h pmd_none_or_trans_huge_or_clear_bad, 5.15",
    ),
    Scenario(
        "exit-vs-mm-count-only",
        "a monitor that kept only mm_count tests mm_users and then walks, on 5.15.0, where exit takes no lock",
        _exit_without_reference,
        Sometimes("lifetime", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source="mm/mmap.c exit_mmap, 5.15",
    ),
)
"""Scenarios of walks under the mmap lock."""
