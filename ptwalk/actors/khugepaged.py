"""khugepaged, anonymous memory: 2 MiB of small pages become one huge page.

Room: actors.  The pte table is cut off, its pages are copied, and the table is parked with the huge entry: it
is not freed, and it will be used again when the huge page is split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.huge_memory import DepositTable
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock, mmap_write_lock, mmap_write_unlock
from ptwalk.kernel.pgtable import (
    is_table,
    lock_of_table,
    mm_find_pmd,
    none,
    pmd_lock,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.kernel.tlbflush import pmdp_collapse_flush, tlb_remove_table_sync_one
from ptwalk.kernel.users import TestExit
from ptwalk.kernel.vma import Vma, find_vma
from ptwalk.kernel.vma_lock import vma_start_write
from ptwalk.machine.folio import AddRmap, CopyPage, GetPageUnlessZero, PageCount, PutPage, RemoveRmap
from ptwalk.machine.frames import AllocateFrame, Frame
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.rwsem import down_write, up_write

if TYPE_CHECKING:
    from ptwalk.arch import Entry
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.entries import EntryPointer


@allocates
async def collapse_huge_page(mm: Mm, addr: int, *, scan: bool = False, sync: bool | None = None) -> bool:
    """Collapses the 2 MiB around `addr`; False if something was in the way.

    `scan` also does the first look at the ptes that khugepaged takes to find a candidate.  `sync` overrides
    whether this kernel sends an IPI to all CPUs after cutting the table off.

    *Locking*: mmap_lock for reading, dropped for the allocation, then for writing; anon_vma for writing; the PMD
    table's lock for the cut and for the new entry, the pte table's lock for its ptes.
    *May see*: hardware walks until the flush, GUP-fast at any time; VMAs that changed while the lock was dropped.
    *Source*: mm/khugepaged.c collapse_huge_page, 5.15; recorded in 6.1.176.
    """
    start = addr & -mm.pmd_level.size
    if scan:
        await mmap_read_lock(mm)
        worth = await hpage_collapse_scan_pmd(mm, start)
        await mmap_read_unlock(mm)
        if not worth:
            return False
    huge = await AllocateFrame(mm.machine, "huge")
    await mmap_read_lock(mm)
    vma = await hugepage_vma_revalidate(mm, start)
    pmd = await find_pmd_table(mm, start) if vma is not None else None
    await mmap_read_unlock(mm)
    if pmd is None:
        await PutPage(huge)
        return False
    await mmap_write_lock(mm)
    vma = await hugepage_vma_revalidate(mm, start)
    if vma is not None:
        # Before the pmd is looked at again: from 6.17 reclaim of tables may run under the VMA's lock alone.
        await vma_start_write(vma)
    again = await find_pmd_table(mm, start) if vma is not None else None
    done = False
    if vma is not None and again is pmd:
        done = await collapse_locked(vma, pmd, start, huge, sync)
    await mmap_write_unlock(mm)
    if not done:
        await PutPage(huge)
    return done


async def hpage_collapse_scan_pmd(mm: Mm, start: int) -> bool:
    """The first look: whether the range has a pte table with pages, under its lock."""
    pmd = await find_pmd_table(mm, start)
    if pmd is None:
        return False
    pte, ptl = await pte_offset_map_lock(mm, pmd, start)
    if pte is None or ptl is None:
        return False
    present = 0
    for page in mm.pages_in(start, start + pmd.level.size):
        present += (await pte.frame.entry(mm.format.index(page, "pte"), "pte").read()).linux_present
    await pte_unmap_unlock(mm, ptl)
    return present > 0


async def hugepage_vma_revalidate(mm: Mm, start: int) -> Vma | None:
    """The anonymous VMA that still spans the whole 2 MiB, or None: asked again after each drop of the mmap lock.

    *Source*: mm/khugepaged.c hugepage_vma_revalidate, 5.15.
    """
    if await TestExit(mm):
        return None
    vma = await find_vma(mm, start)
    fits = vma is not None and vma.start <= start and start + mm.pmd_level.size <= vma.end
    return vma if fits and vma is not None and vma.anon_vma is not None and vma.file is None else None


async def find_pmd_table(mm: Mm, start: int) -> EntryPointer | None:
    """find_pmd_or_thp_or_none: the pmd pointer if it names a pte table now."""
    pmd = await mm_find_pmd(mm, start)
    return pmd if pmd is not None and is_table(await pmd.read()) else None


async def collapse_locked(vma: Vma, pmd: EntryPointer, start: int, huge: Frame, sync: bool | None) -> bool:
    """From the cut to the new entry, with the mmap lock held for writing."""
    mm = vma.mm
    assert vma.anon_vma is not None
    await down_write(vma.anon_vma.rwsem)
    entry = await pmd.read()
    table = mm.machine.table_frame(entry)
    pml = await pmd_lock(mm, pmd)
    await pmdp_collapse_flush(mm, pmd, start, unlinks=table)
    await spin_unlock(pml)
    if mm.kernel.config.collapse_sync if sync is None else sync:
        await tlb_remove_table_sync_one(mm)
    isolated = await collapse_isolate(mm, table, start)
    if isolated is None:
        # Somebody holds a page: hang the old table back.
        await spin_lock(pml)
        await pmd.write(entry, unlinks=table)
        await spin_unlock(pml)
        await up_write(vma.anon_vma.rwsem)
        return False
    await up_write(vma.anon_vma.rwsem)
    await collapse_copy(mm, table, isolated, huge)
    await spin_lock(pml)
    await pmd.read()  # BUG_ON(!pmd_none(*pmd))
    await AddRmap(huge)
    await DepositTable(mm, start, table)
    raw = mm.format.make_leaf(huge.pa, pmd.level, write=True, accessed=True, dirty=True)
    await pmd.write(raw, unlinks=table)
    await spin_unlock(pml)
    return True


async def collapse_isolate(mm: Mm, table: Frame, start: int) -> list[tuple[EntryPointer, Entry]] | None:
    """Under the table's lock: takes each page, unless somebody else holds a reference on it (GUP); None then.

    *Source*: mm/khugepaged.c __collapse_huge_page_isolate, 5.15.
    """
    ptl = lock_of_table(mm, table)
    found: list[tuple[EntryPointer, Entry]] = []
    await spin_lock(ptl)
    for page in mm.pages_in(start, start + mm.pmd_level.size):
        slot = table.entry(mm.format.index(page, "pte"), "pte")
        entry = await slot.read()
        if none(entry) or not entry.linux_present:
            continue
        frame = mm.machine.frame_at(entry.address or 0)
        refs, mapped = await PageCount(frame)
        if refs != mapped or not await GetPageUnlessZero(frame):
            await spin_unlock(ptl)
            for _, other in found:
                await PutPage(mm.machine.frame_at(other.address or 0))
            return None
        found.append((slot, entry))
    await spin_unlock(ptl)
    return found


async def collapse_copy(
    mm: Mm, table: Frame, isolated: list[tuple[EntryPointer, Entry]], huge: Frame
) -> None:
    """Copies each page, clears its pte under the lock, lets the old page go.

    *Source*: mm/khugepaged.c __collapse_huge_page_copy, 5.15.
    """
    ptl = lock_of_table(mm, table)
    for slot, _ in isolated:
        entry = await slot.read()
        page = mm.machine.frame_at(entry.address or 0)
        await CopyPage(page, huge)
        await spin_lock(ptl)
        await slot.get_and_clear()
        await RemoveRmap(page)
        await spin_unlock(ptl)
        await PutPage(page)  # the reference of the mapping
        await PutPage(page)  # the one taken when it was isolated
