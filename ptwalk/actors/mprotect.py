"""mprotect(2) to read-only: takes the write permission from a VMA's pages.

Room: actors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.huge_memory import split_huge_pmd
from ptwalk.kernel.mmap_lock import mmap_write_lock, mmap_write_unlock
from ptwalk.kernel.mmu_gather import tlb_finish_mmu, tlb_gather_mmu
from ptwalk.kernel.pgtable import leaf, mm_find_pmd, pte_offset_map_lock, pte_unmap_unlock
from ptwalk.kernel.vma import VmasIn
from ptwalk.kernel.vma_lock import vma_start_write

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.kernel.mmu_gather import MmuGather
    from ptwalk.machine.entries import EntryPointer


async def mprotect_readonly(mm: Mm, start: int, end: int) -> None:
    """Write-protects the pages of [start, end); huge pages are split first.

    *Locking*: mmap_lock for writing; each pte table's lock.
    *May see*: A and D bits set by hardware up to the exchange that takes the entry out.
    *Source*: mm/mprotect.c mprotect_fixup, change_pte_range, 5.15; recorded in 6.1.176.
    """
    await mmap_write_lock(mm)
    for vma in await VmasIn(mm, start, end):
        await vma_start_write(vma)
        tlb = await tlb_gather_mmu(mm)
        span = mm.pmd_level.size
        low, high = max(start, vma.start), min(end, vma.end)
        for addr in [low, *range((low & -span) + span, high, span)]:
            pmd = await mm_find_pmd(mm, addr)
            if pmd is None:
                continue
            if leaf(await pmd.read()):
                await split_huge_pmd(mm, pmd, addr)
            await change_pte_range(tlb, pmd, addr, min(high, (addr & -span) + span))
        await tlb_finish_mmu(tlb)
    await mmap_write_unlock(mm)


async def change_pte_range(tlb: MmuGather, pmd: EntryPointer, start: int, end: int) -> None:
    """The ptes of one table: out by an atomic exchange, back in without the write permission.

    In between hardware finds nothing there and faults: no dirty bit can be lost.
    """
    mm = tlb.mm
    pte, ptl = await pte_offset_map_lock(mm, pmd, start)
    if pte is None or ptl is None:
        return
    for page in mm.pages_in(start, end):
        slot = pte.frame.entry(mm.format.index(page, pte.level), pte.level.name)
        if (await slot.read()).linux_present:
            old = await slot.get_and_clear()
            await slot.write(mm.format.wrprotect(old.raw, pte.level))
            tlb.remove_entry(page, mm.format.page_size)
    await pte_unmap_unlock(mm, ptl)
