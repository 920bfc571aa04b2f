"""Walkers that only look: mincore, pagemap, ptdump, and hole walks, by way of the page walker.

Room: walk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.huge_memory import pmd_trans_huge_lock
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock, mmap_write_lock, mmap_write_unlock
from ptwalk.kernel.pgtable import (
    none,
    pmd_none_or_trans_huge_or_clear_bad,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.machine.locks import spin_unlock
from ptwalk.walk.pagewalk import MmWalk, MmWalkOps, walk_page_range, walk_page_range_novma

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.entries import EntryPointer


async def mincore(mm: Mm, start: int, end: int) -> list[bool]:
    """Whether each declared page of [start, end) is resident.

    *Locking*: mmap_lock for reading; each table's lock.
    *Source*: mm/mincore.c, 5.15; recorded in 6.1.176.
    """
    resident: list[bool] = []

    async def pmd_entry(pmd: EntryPointer, addr: int, upto: int, walk: MmWalk) -> int:
        ptl = await pmd_trans_huge_lock(mm, pmd)
        if ptl is not None:
            resident.extend(True for _ in mm.pages_in(addr, upto))
            await spin_unlock(ptl)
            return 0
        if mm.kernel.config.pte_offset_map == "unchecked" and await pmd_none_or_trans_huge_or_clear_bad(pmd):
            return 0
        pte, lock = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None or lock is None:
            walk.action = "again"
            return 0
        for page in mm.pages_in(addr, upto):
            resident.append((await pte.frame.entry(mm.format.index(page, "pte"), "pte").read()).linux_present)
        await pte_unmap_unlock(mm, lock)
        return 0

    await mmap_read_lock(mm)
    await walk_page_range(mm, start, end, MmWalkOps(pmd_entry=pmd_entry))
    await mmap_read_unlock(mm)
    return resident


async def pagemap(mm: Mm, start: int, end: int) -> list[int]:
    """/proc/PID/pagemap: the physical address of each declared page, 0 where nothing is; one pmd's range at a time.

    Between two rounds the lock is dropped and the VMA looked up again, so the result is no snapshot.

    *Locking*: mmap_lock for reading in each round; each table's lock.
    *Source*: fs/proc/task_mmu.c pagemap_read, 5.15; recorded in 6.1.176.
    """
    found: list[int] = []

    async def pmd_entry(pmd: EntryPointer, addr: int, upto: int, walk: MmWalk) -> int:
        ptl = await pmd_trans_huge_lock(mm, pmd)
        if ptl is not None:
            huge = await pmd.read()
            found.extend((huge.address or 0) + page % pmd.level.size for page in mm.pages_in(addr, upto))
            await spin_unlock(ptl)
            return 0
        if mm.kernel.config.pte_offset_map == "unchecked" and await pmd_none_or_trans_huge_or_clear_bad(pmd):
            return 0
        pte, lock = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None or lock is None:
            walk.action = "again"
            return 0
        for page in mm.pages_in(addr, upto):
            found.append((await pte.frame.entry(mm.format.index(page, "pte"), "pte").read()).address or 0)
        await pte_unmap_unlock(mm, lock)
        return 0

    async def pte_hole(addr: int, upto: int, depth: int, walk: MmWalk) -> int:
        found.extend(0 for _ in mm.pages_in(addr, upto))
        return 0

    ops = MmWalkOps(pmd_entry=pmd_entry, pte_hole=pte_hole)
    span = mm.pmd_level.size
    for addr in [start, *range((start & -span) + span, end, span)]:
        await mmap_read_lock(mm)
        await walk_page_range(mm, addr, min(end, (addr & -span) + span), ops)
        await mmap_read_unlock(mm)
    return found


async def _note_page(slot: EntryPointer, addr: int, upto: int, walk: MmWalk) -> int:
    await slot.read()
    return 0


async def ptdump(mm: Mm, start: int, end: int) -> None:
    """Reads every entry of a user mm's tables, whatever the VMAs are, with the lock that this kernel asks for.

    *Locking*: mmap_lock for writing; in 5.15.0 for reading, which a downgraded munmap does not respect.
    *May see*: see `walk_page_range_novma`.
    *Source*: mm/ptdump.c ptdump_walk_pgd, 5.15, 8782fb61cc84.
    """
    if mm.kernel.config.novma_walk_lock == "read":
        await ptdump_read_locked(mm, start, end)
        return
    await mmap_write_lock(mm)
    await walk_page_range_novma(mm, start, end, MmWalkOps(pte_entry=_note_page))
    await mmap_write_unlock(mm)


async def ptdump_read_locked(mm: Mm, start: int, end: int) -> None:
    """The same with mmap_lock for reading, on any kernel: breaks rule (b).

    *Locking*: mmap_lock for reading.
    """
    await mmap_read_lock(mm)
    await walk_page_range_novma(mm, start, end, MmWalkOps(pte_entry=_note_page))
    await mmap_read_unlock(mm)


async def walk_hole(mm: Mm, start: int, end: int) -> int:
    """Walks a range with a `pte_hole` callback and mmap_lock for reading; the result counts the holes.

    *Locking*: mmap_lock for reading.  In 5.15.0 the walker goes down into real tables where no VMA is.
    """
    holes = 0

    async def pte_hole(addr: int, upto: int, depth: int, walk: MmWalk) -> int:
        nonlocal holes
        holes += 1
        return 0

    async def pmd_entry(pmd: EntryPointer, addr: int, upto: int, walk: MmWalk) -> int:
        none(await pmd.read())
        return 0

    await mmap_read_lock(mm)
    await walk_page_range(mm, start, end, MmWalkOps(pmd_entry=pmd_entry, pte_hole=pte_hole))
    await mmap_read_unlock(mm)
    return holes
