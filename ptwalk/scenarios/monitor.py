"""DAMON's walkers against everybody who removes or moves page tables: as posted, the repairs, as merged, made atomic.

Room: scenarios.  A monitor walks another process's address space, whose `mm_users` it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.kernel.vma import VmasIn
from ptwalk.sanitizers import ALL, Discipline
from ptwalk.scenarios.changers import CHANGER, CHANGERS
from ptwalk.scenarios.ground import anonymous
from ptwalk.scenarios.pair import WALKER, pair
from ptwalk.scenarios.scenario import Never, Scenario, Sometimes
from ptwalk.scenarios.stage import Stage
from ptwalk.walk import damon

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm

# v34 loads the pmd three times, so an even shorter schedule follows an empty pmd to physical page 0.  The review was
# about the table that is gone, so these scenarios watch for that; the other one is munmap-vs-damon-v34-page-zero.
WITHOUT_WILD = tuple(oracle for oracle in ALL if oracle.name != "wild")
_THREAD = "DAMON v34 patch 05/13 and its review, LKML, August 2021"
_MERGED = "mm/damon/vaddr.c, 5.15 (3f49584b262c)"
_ATOMIC = "mm/damon/ops-common.c, 6.5 (c11d34fa139e)"


async def damon_regions_v34(mm: Mm, addr: int) -> None:
    """Reads the VMAs under the lock, as DAMON does once a minute; long after, walks the region with the ptl alone."""
    if addr in await regions(mm):
        await damon.damon_va_mkold_v34(mm, addr)


async def damon_regions(mm: Mm, addr: int) -> None:
    """The same regions used as a hint: the merged walker looks the VMA up again."""
    if addr in await regions(mm):
        await damon.damon_va_mkold(mm, addr)


async def regions(mm: Mm) -> range:
    """The range of the VMA that holds the walked page, read under mmap_lock; nothing keeps it true afterwards.

    *Locking*: takes mmap_lock for reading, and drops it.
    *Source*: mm/damon/vaddr.c damon_va_three_regions, 5.15.
    """
    await mmap_read_lock(mm)
    vmas = await VmasIn(mm, 0, 1 << 64)
    await mmap_read_unlock(mm)
    return range(vmas[0].start, vmas[0].end) if vmas else range(0)


def _two_monitors(stage: Stage) -> None:
    ground = CHANGERS["munmap"].lay_out(stage, ())
    for role in ("walker", "second walker"):
        stage.run(role, damon.damon_va_mkold, ground.mm, ground.addr)


def _two_monitors_v34(stage: Stage) -> None:
    ground = CHANGERS["munmap"].lay_out(stage, ())
    for role in ("walker", "second walker"):
        stage.run(role, damon.damon_va_mkold_v34, ground.mm, ground.addr)


def _alone(stage: Stage) -> None:
    ground = anonymous(stage, ())
    stage.run(WALKER, damon.damon_va_mkold_v34, ground.mm, ground.addr)


_THREE = ("walker", "second walker", CHANGER)

MONITOR = (
    pair(
        "munmap-vs-damon-v34",
        damon.damon_va_mkold_v34,
        CHANGERS["munmap"],
        story="DAMON v34 clears an accessed bit with only the page-table lock, while munmap frees the table it is in",
        expect=Sometimes("lifetime", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source=_THREAD,
    ),
    pair(
        "munmap-vs-damon-v34-page-zero",
        damon.damon_va_mkold_v34,
        CHANGERS["munmap"],
        story="the same, one step shorter: v34 loads the pmd three times, and follows it after it was cleared",
        expect=Sometimes("wild", 2),
        release="5.15.0",
        source="include/linux/mm.h pte_offset_map_lock, 5.15",
    ),
    pair(
        "munmap-vs-damon-v34-young",
        damon.damon_va_young_v34,
        CHANGERS["munmap"],
        story="v34's check only reads the accessed bit, and is as wrong: taking the lock writes",
        expect=Sometimes("lifetime", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source=_THREAD,
    ),
    pair(
        "munmap-neighbour-vs-damon-v34",
        damon.damon_va_mkold_v34,
        CHANGERS["munmap-neighbour"],
        story="v34 while a neighbour VMA in the same pte table is unmapped: floor and ceiling keep the table",
        expect=Never(),
        release="5.15.0",
        source="mm/memory.c free_pgd_range, 5.15",
    ),
    pair(
        "munmap-last-vs-damon-v34",
        damon.damon_va_young_v34,
        CHANGERS["munmap-last"],
        story="v34 at an address in a hole, while the only VMA in that pte table is unmapped",
        expect=Sometimes("lifetime", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source=_THREAD,
    ),
    pair(
        "collapse-anon-vs-damon-v34",
        damon.damon_va_mkold_v34,
        CHANGERS["collapse-anon"],
        story="v34 while khugepaged parks the pte table: no memory is freed, and the update is lost",
        expect=Sometimes("detached", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source=_THREAD,
    ),
    pair(
        "mremap-table-vs-damon-v34",
        damon.damon_va_mkold_v34,
        CHANGERS["mremap-table"],
        story="v34 while mremap hangs the whole pte table below another address: the store hits a table in mid-move",
        expect=Sometimes("detached", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source="mm/mremap.c move_normal_pmd, 5.15",
    ),
    pair(
        "mremap-ptes-vs-damon-v34",
        damon.damon_va_mkold_v34,
        CHANGERS["mremap-ptes"],
        story="v34 while mremap moves the pte away and then frees the emptied table",
        expect=Sometimes("lifetime", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source="mm/mremap.c move_ptes, 5.15",
    ),
    pair(
        "retract-vs-damon-v34",
        damon.damon_va_young_v34,
        CHANGERS["retract"],
        story="v34 while a file collapse frees the pte tables of everybody who maps the file",
        expect=Sometimes("lifetime", 1),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source="mm/khugepaged.c retract_page_tables, 5.15.0",
    ),
    pair(
        "exit-vs-damon-v34",
        damon.damon_va_mkold_v34,
        CHANGERS["exit"],
        story="v34 while the process exits: the one thing that its user reference on the mm does keep out",
        expect=Never(),
        release="5.15.0",
        source="mm/damon/vaddr.c damon_get_mm, 5.15",
    ),
    Scenario(
        "damon-v34-alone",
        "v34 with nobody else there: nothing happens, and the lock it takes is already taken on trust",
        _alone,
        Sometimes("discipline", 0),
        cpus=(WALKER,),
        oracles=(*ALL, Discipline()),
        release="5.15.0",
        source=_THREAD,
    ),
    *(
        pair(
            f"{changer}-vs-damon-write-locked",
            damon.damon_va_mkold_write_locked,
            CHANGERS[changer],
            story=f"first repair, mmap_lock for writing to the end: {CHANGERS[changer].story}",
            expect=Never(),
            release="5.15.0",
            source=_THREAD,
        )
        for changer in ("munmap", "collapse-anon", "mremap-table", "retract")
    ),
    pair(
        "munmap-vs-damon-write-locked-lookup",
        damon.damon_va_mkold_write_locked_lookup,
        CHANGERS["munmap"],
        story=(
            "first repair, mmap_lock for writing dropped once the ptl is held: munmap must take the "
            "ptl to zap, and waits"
        ),
        expect=Never(),
        release="5.15.0",
        source=_THREAD,
    ),
    pair(
        "collapse-anon-vs-damon-write-locked-lookup",
        damon.damon_va_mkold_write_locked_lookup,
        CHANGERS["collapse-anon"],
        story=(
            "first repair, mmap_lock dropped once the ptl is held: khugepaged does not wait for the "
            "ptl before it cuts"
        ),
        expect=Sometimes("detached", 2),
        release="5.15.0",
        source=_THREAD,
    ),
    pair(
        "collapse-pte-mapped-vs-damon-write-locked-lookup",
        damon.damon_va_mkold_write_locked_lookup,
        CHANGERS["collapse-pte-mapped"],
        story="first repair, mmap_lock dropped once the ptl is held: this file collapse takes the ptl first, and waits",
        expect=Never(),
        release="5.15.0",
        source=_THREAD,
    ),
    *(
        pair(
            f"{changer}-vs-damon-merged",
            damon.damon_va_mkold,
            CHANGERS[changer],
            story=f"as merged, a page walk with mmap_lock for reading: {CHANGERS[changer].story}",
            expect=Never(),
            release="5.15.0",
            source=_MERGED,
        )
        for changer in (
            "munmap",
            "munmap-last",
            "collapse-anon",
            "mremap-table",
            "mremap-ptes",
            "retract",
            "thp-split",
        )
    ),
    pair(
        "user-access-vs-damon-merged",
        damon.damon_va_mkold,
        CHANGERS["user-access"],
        story="as merged, while the program writes to the page: hardware sets D between the load and the plain store",
        expect=Sometimes("dirty", 2),
        release="5.15.0",
        source=_ATOMIC,
    ),
    pair(
        "user-access-vs-damon-atomic",
        damon.damon_va_mkold_atomic,
        CHANGERS["user-access"],
        story="with the accessed bit tested and cleared in one step, no dirty bit is lost",
        expect=Never(),
        release="5.15.0",
        source=_ATOMIC,
    ),
    pair(
        "user-access-vs-damon-now",
        damon.damon_va_mkold,
        CHANGERS["user-access"],
        story="DAMON of 6.6, whose kernel tests and clears the accessed bit in one step",
        expect=Never(),
        release="6.6",
        source=_ATOMIC,
    ),
    pair(
        "reclaim-vs-damon-merged",
        damon.damon_va_mkold,
        CHANGERS["reclaim"],
        story="as merged, on 6.14 where MADV_DONTNEED frees the emptied table: pte_offset_map_lock finds none",
        expect=Never(),
        release="6.14",
        source="mm/damon/vaddr.c, 6.14",
    ),
    pair(
        "munmap-vs-damon-regions-v34",
        damon_regions_v34,
        CHANGERS["munmap"],
        story="DAMON's regions are read from the VMAs under the lock and used long after, with the ptl alone",
        expect=Sometimes("lifetime", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source=_THREAD,
    ),
    pair(
        "munmap-vs-damon-regions",
        damon_regions,
        CHANGERS["munmap"],
        story="the same old regions, used as a hint only: the merged walker finds the VMA again under the lock",
        expect=Never(),
        release="5.15.0",
        source=_MERGED,
    ),
    Scenario(
        "munmap-vs-two-damons",
        "two monitors as merged and one munmap",
        _two_monitors,
        Never(),
        cpus=_THREE,
        release="5.15.0",
        source=_MERGED,
    ),
    Scenario(
        "munmap-vs-two-damons-v34",
        "two monitors as in v34 and one munmap: the second monitor makes nothing better",
        _two_monitors_v34,
        Sometimes("lifetime", 2),
        cpus=_THREE,
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source=_THREAD,
    ),
)
"""DAMON's scenarios."""
