"""Unmapping: zapping leaf entries and freeing page tables (mm/memory.c).

Room: kernel.  Used by munmap, exit, mremap and madvise alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptwalk.kernel.huge_memory import zap_huge_pmd
from ptwalk.kernel.mmu_gather import MmuGather, free_tlb, tlb_flush_mmu_tlbonly
from ptwalk.kernel.pgtable import (
    is_table,
    leaf,
    mm_find_pmd,
    none,
    offset_lockless,
    pgd_offset,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.kernel.rmap import RmapChange
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.folio import MarkDirty, RemoveRmap
from ptwalk.machine.rwsem import down_write, up_write

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.kernel.vma import Vma
    from ptwalk.machine.operation import Memory


async def unmap_vmas(tlb: MmuGather, vmas: Sequence[Vma], start: int, end: int) -> None:
    """M2: clears the leaf entries of a range, each under its table's lock, and queues their pages.

    A VM_PFNMAP mapping holds no reference on its pages: from 5.19 it is flushed here, while its VMA can still be found
    from the file's side, for afterwards the driver may take the pages back at once (CVE-2022-39188).

    *Locking*: the VMAs are detached, or the mmap lock or a VMA lock is held.
    *May see*: A and D bits set by hardware up to the clear; entries that others cleared before.
    *Source*: mm/memory.c unmap_vmas, zap_pmd_range, zap_pte_range, 5.15.
    """
    for vma in vmas:
        await unmap_page_range(tlb, vma, max(start, vma.start), min(end, vma.end))
        if "VM_PFNMAP" in vma.flags and vma.mm.kernel.config.pfnmap_flush == "before the rmap is left":
            await tlb_flush_mmu_tlbonly(tlb)


async def unmap_page_range(tlb: MmuGather, vma: Vma, start: int, end: int) -> None:
    """Zaps one VMA's part of the range; upper entries are read only where the walk comes into a new table."""
    mm = vma.mm
    span = mm.pmd_level.size
    pmd: EntryPointer | None = None
    for addr in [start, *range((start & -span) + span, end, span)]:
        if pmd is not None and mm.format.index(addr, mm.pmd_level):
            pmd = pmd.frame.entry(mm.format.index(addr, mm.pmd_level), mm.pmd_level.name)
        else:
            pmd = await mm_find_pmd(mm, addr)
        if pmd is not None:
            await zap_pmd(tlb, vma, pmd, addr, min(end, (addr & -span) + span))


async def zap_pmd(tlb: MmuGather, vma: Vma, pmd: EntryPointer, start: int, end: int) -> None:
    """One pmd of zap_pmd_range: a huge page as a whole, or the ptes of its table."""
    entry = await pmd.read()
    if leaf(entry):
        await zap_huge_pmd(tlb, vma, pmd, start)
    elif is_table(entry):
        await zap_pte_range(tlb, vma, pmd, start, end)


async def zap_pte_range(tlb: MmuGather, vma: Vma, pmd: EntryPointer, start: int, end: int) -> None:
    """Clears the ptes of one table under its lock."""
    pte, ptl = await pte_offset_map_lock(vma.mm, pmd, start)
    if pte is None or ptl is None:
        return
    await zap_ptes_locked(tlb, vma, pte, start, end)
    await pte_unmap_unlock(vma.mm, ptl)


async def zap_ptes_locked(tlb: MmuGather, vma: Vma, pte: EntryPointer, start: int, end: int) -> bool:
    """Clears each present pte and queues its page; says whether all of the range is none now.

    A cleared pte's dirty bit comes from the value that the atomic exchange gave back.  A dirty file page has its
    TLB entries flushed before the lock is dropped (force_flush).

    *Locking*: the pte table's lock.
    *Source*: mm/memory.c zap_pte_range, 5.15; plain stores in exit_mmap on x86, recorded in 6.1.176.
    """
    mm = vma.mm
    force_flush = False
    for addr in mm.pages_in(start, end):
        slot = pte.frame.entry(mm.format.index(addr, pte.level), pte.level.name)
        old = await slot.read()
        if none(old):
            continue
        if tlb.fullmm and mm.format.arch == "x86-64":
            await slot.clear()  # nobody else uses a dying mm: x86 saves the exchange
        else:
            old = await slot.get_and_clear()
        if not old.linux_present or old.address is None:
            continue
        tlb.remove_entry(addr, mm.format.page_size)
        if "VM_PFNMAP" in vma.flags:
            continue  # no page of Linux's: nothing to count, no reference to drop
        page = mm.machine.frame_at(old.address)
        if vma.file is not None and old.dirty:
            await MarkDirty(page)
            force_flush = True
        await RemoveRmap(page)
        tlb.remove_page(page)
    if force_flush:
        await tlb_flush_mmu_tlbonly(tlb)
    return True


# ---- free_pgtables ----


class VmasLeft:
    """The VMAs of a range that can still be found: in the mm's set, or on a reverse map.

    A dying mm keeps its set: nobody is left who may look there.
    """

    def __init__(self, mm: Mm, start: int, end: int, *, dying: bool) -> None:
        self.mm, self.start, self.end = mm, start, end
        vmas = mm.initial_vmas  # all later ones are parts of these, moved or not, and share their trees
        self._trees = tuple(dict.fromkeys(tree for vma in vmas for tree in vma.rmap_trees if tree.vmas >= 0))
        self._in_set = not dying
        self.cells = (*((mm.vma_set,) if self._in_set else ()), *(tree.vmas for tree in self._trees))

    def left(self, memory: Memory) -> str:
        """The first of them, and where it is found."""
        if self._in_set:
            for start, end in memory[self.mm.vma_set]:
                if start < self.end and self.start < end:
                    return f"the VMA {start:#x}-{end:#x} in the set of the {self.mm.name}"
        for tree in self._trees:
            for name, start, end in memory[tree.vmas]:
                if name == self.mm.name and start < self.end and self.start < end:
                    return f"the VMA {start:#x}-{end:#x} on the tree of {tree.name}"
        return ""


async def free_pgtables(tlb: MmuGather, vmas: Sequence[Vma], floor: int, ceiling: int) -> None:
    """M3: takes each VMA off its reverse maps, then frees the tables that no remaining VMA can use.

    *Locking*: the VMAs are detached; the mmap lock is held, for reading after a downgrade.  Upper entries are
    cleared without any page-table lock.
    *May see*: nobody else's stores, if everybody keeps the rules.
    *Source*: mm/memory.c free_pgtables, free_pgd_range, 5.15.
    """
    for number, vma in enumerate(vmas):
        for tree in vma.rmap_trees:
            await down_write(tree.rwsem)
            await RmapChange(tree, off=(vma,))
            await up_write(tree.rwsem)
        below = floor if number == 0 else vmas[number - 1].end
        above = ceiling if number + 1 == len(vmas) else vmas[number + 1].start
        await free_pgd_range(tlb, vma.start, vma.end, below, above)


async def free_pgd_range(tlb: MmuGather, start: int, end: int, floor: int, ceiling: int) -> None:
    """Frees, from the bottom up, the tables of [start, end) whose whole span lies in [floor, ceiling).

    `ceiling` 0 means the top of the address space.
    """
    span = tlb.mm.pmd_level.size
    ceiling = ceiling or 1 << 64
    start, end = start & -span, -(-end // span) * span
    if start < floor:
        start += span
    if end > ceiling:
        end -= span
    if start < end:
        await _free_below(tlb, pgd_offset(tlb.mm, start), start, end, floor, ceiling)


async def _free_below(
    tlb: MmuGather, first: EntryPointer, start: int, end: int, floor: int, ceiling: int
) -> None:
    """For the entries of one table that cover [start, end): frees what is below each, then the table it names."""
    mm, level = tlb.mm, first.level
    lowest = level.depth == mm.pmd_level.depth
    addr = start
    while addr < end:
        span = addr & -level.size
        upto = min(end, span + level.size)
        slot = first.frame.entry(mm.format.index(addr, level), level.name)
        entry = await slot.read()
        if is_table(entry):
            if not lowest:
                await _free_below(tlb, offset_lockless(slot, entry, addr), addr, upto, floor, ceiling)
            if floor <= span and span + level.size <= ceiling:
                if not lowest:
                    entry = await slot.read()
                table = mm.machine.frame_at(entry.address or 0)
                users = VmasLeft(mm, span, span + level.size, dying=tlb.fullmm)
                await slot.clear(unlinks=table, users=users)
                await free_tlb(tlb, table, span, level.size)
        addr = upto
