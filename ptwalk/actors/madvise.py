"""madvise(MADV_DONTNEED): throws pages away and, from 6.14, empty page tables too.

Room: actors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.huge_memory import split_huge_pmd
from ptwalk.kernel.memory import zap_pmd, zap_ptes_locked
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.kernel.mmu_gather import MmuGather, free_tlb, tlb_finish_mmu, tlb_gather_mmu
from ptwalk.kernel.pgtable import (
    is_table,
    leaf,
    mm_find_pmd,
    none,
    pmd_lock,
    pmd_lockptr,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.kernel.vma import Vma, find_vma
from ptwalk.kernel.vma_lock import lock_vma_under_rcu, vma_end_read
from ptwalk.machine.locks import spin_lock, spin_trylock, spin_unlock

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.entries import EntryPointer


async def madvise_dontneed(mm: Mm, start: int, end: int) -> None:
    """Zaps [start, end) of one VMA.

    *Locking*: mmap_lock for reading; from 6.17 the VMA's lock for reading instead.
    *May see*: faults that fill the range again at once.
    *Source*: mm/madvise.c madvise_dontneed_single_vma, 5.15, 6.14, 6.19.
    """
    if mm.kernel.config.dontneed_lock == "vma read":
        vma = await lock_vma_under_rcu(mm, start)
        if vma is not None:
            await zap_page_range_single(vma, start, min(end, vma.end))
            await vma_end_read(vma)
            return
    await mmap_read_lock(mm)
    vma = await find_vma(mm, start)
    if vma is not None and start in vma:
        await zap_page_range_single(vma, start, min(end, vma.end))
    await mmap_read_unlock(mm)


async def zap_page_range_single(vma: Vma, start: int, end: int) -> None:
    """One gather around the zap of a range; tables that become empty go if this kernel reclaims them.

    *Source*: mm/memory.c zap_page_range_single, 6.14.
    """
    mm = vma.mm
    span = mm.pmd_level.size
    tlb = await tlb_gather_mmu(mm)
    for addr in [start, *range((start & -span) + span, end, span)]:
        upto = min(end, (addr & -span) + span)
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None:
            continue
        whole = upto - addr == span
        if not whole and leaf(await pmd.read()):
            await split_huge_pmd(mm, pmd, addr)
        if whole and mm.kernel.config.pt_reclaim:
            await zap_and_reclaim(tlb, vma, pmd, addr, upto)
        else:
            await zap_pmd(tlb, vma, pmd, addr, upto)
    await tlb_finish_mmu(tlb)


async def zap_and_reclaim(tlb: MmuGather, vma: Vma, pmd: EntryPointer, start: int, end: int) -> None:
    """Zaps the ptes of one whole table and, still under its lock, tries to cut the table off.

    The order of locks is pmd outside, pte inside, so from inside the pmd lock is only tried; if that fails the
    table is looked at again under both.

    *Source*: mm/memory.c zap_pte_range, mm/pt_reclaim.c, 6.14 (6375e95f381e).
    """
    mm = vma.mm
    entry = await pmd.read()
    if not is_table(entry):
        await zap_pmd(tlb, vma, pmd, start, end)
        return
    pte, ptl = await pte_offset_map_lock(mm, pmd, start)
    if pte is None or ptl is None:
        return
    table = pte.frame
    all_none = await zap_ptes_locked(tlb, vma, pte, start, end)
    pml = pmd_lockptr(mm, pmd)
    done = False
    if all_none and (pml is ptl or await spin_trylock(pml)):
        await pmd.clear(unlinks=table)
        if pml is not ptl:
            await spin_unlock(pml)
        done = True
    await pte_unmap_unlock(mm, ptl)
    if all_none and not done:
        done = await try_to_free_pte(mm, pmd, start, end)
    if done:
        await free_tlb(tlb, table, start, end - start)


async def try_to_free_pte(mm: Mm, pmd: EntryPointer, start: int, end: int) -> bool:
    """Under both locks: cuts the table off if it is still there and still empty.

    *Source*: mm/pt_reclaim.c try_to_free_pte, 6.14 (the name is recalled, not checked).
    """
    pml = await pmd_lock(mm, pmd)
    entry = await pmd.read()
    if not is_table(entry):
        await spin_unlock(pml)
        return False
    table = mm.machine.table_frame(entry)
    ptl = pte_lockptr(mm, pmd, entry)
    if ptl is not pml:
        await spin_lock(ptl)
    empty = True
    for page in mm.pages_in(start, end):
        if empty and not none(await table.entry(mm.format.index(page, "pte"), "pte").read()):
            empty = False
    if empty:
        await pmd.clear(unlinks=table)
    if ptl is not pml:
        await spin_unlock(ptl)
    await spin_unlock(pml)
    return empty
