"""munmap(2): takes a range out of the address space.

Room: actors.  The set of VMAs changes under the mmap lock for writing; then, since 4.20, the lock may be
downgraded, and pages and page tables go while others hold it for reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptwalk.kernel.huge_memory import split_huge_pmd
from ptwalk.kernel.memory import free_pgtables, unmap_vmas
from ptwalk.kernel.mmap_lock import (
    mmap_read_unlock,
    mmap_write_downgrade,
    mmap_write_lock,
    mmap_write_unlock,
)
from ptwalk.kernel.mmu_gather import tlb_finish_mmu, tlb_gather_mmu
from ptwalk.kernel.pgtable import mm_find_pmd
from ptwalk.kernel.rmap import RmapChange
from ptwalk.kernel.vma import ChangeVmas, DetachVmas, Neighbours, Vma, VmasIn
from ptwalk.kernel.vma_lock import vma_start_write
from ptwalk.machine.rwsem import down_write, up_write

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


async def munmap(mm: Mm, start: int, end: int, *, downgrade: bool = True) -> None:
    """Unmaps [start, end).  `downgrade` is whether the caller asks for it, as munmap(2) does.

    *Locking*: mmap_lock for writing; after the downgrade for reading, down to the freeing of page tables.
    *May see*: walkers in VMAs that remain; faults there.
    *Source*: mm/mmap.c __do_munmap, 5.15; do_vmi_align_munmap, 6.1.
    """
    await mmap_write_lock(mm)
    if await do_munmap(mm, start, end, downgrade=downgrade):
        await mmap_read_unlock(mm)
    else:
        await mmap_write_unlock(mm)


async def do_munmap(mm: Mm, start: int, end: int, *, downgrade: bool) -> bool:
    """The work, with the mmap lock held for writing; says whether it was downgraded."""
    vmas = await VmasIn(mm, start, end)
    if not vmas:
        return False
    vmas = await split_at(vmas, start, end)
    for vma in vmas:
        await vma_start_write(vma)
    await DetachVmas(mm, vmas)
    below, above = await Neighbours(mm, start, end)
    downgraded = downgrade and may_downgrade(mm, below, above)
    if downgraded:
        await mmap_write_downgrade(mm)
    await unmap_region(mm, vmas, below, above)
    return downgraded


def may_downgrade(mm: Mm, below: Vma | None, above: Vma | None) -> bool:
    """Not next to a stack that could grow into the range under the mmap lock for reading (before 6.5).

    *Source*: 246c320a8cfe (5.8-rc7); e4bd84c069f2 (6.5).
    """
    if mm.kernel.config.downgrade != "not below a growing stack":
        return mm.kernel.config.downgrade == "whenever asked"
    grows = (above is not None and "VM_GROWSDOWN" in above.flags) or (
        below is not None and "VM_GROWSUP" in below.flags
    )
    return not grows


async def split_at(vmas: Sequence[Vma], start: int, end: int) -> tuple[Vma, ...]:
    """Splits the first and the last VMA where the range cuts them; gives the VMAs that lie inside."""
    inside = list(vmas)
    if inside[0].start < start:
        inside[0] = (await split_vma(inside[0], start))[1]
    if inside[-1].end > end:
        inside[-1] = (await split_vma(inside[-1], end))[0]
    return tuple(inside)


async def split_vma(vma: Vma, addr: int) -> tuple[Vma, Vma]:
    """Cuts a VMA in two at `addr`, in the mm's set and on the reverse maps, whose locks it takes.

    *Locking*: mmap_lock for writing.
    *Source*: mm/mmap.c __split_vma, vma_adjust, 5.15; recorded in 6.1.176.
    """
    mm = vma.mm
    low, high = mm.vma_like(vma, vma.start, addr), mm.vma_like(vma, addr, vma.end)
    await vma_start_write(vma)
    if vma.anon_vma is not None:  # anon_vma_clone: from here on the new VMA can be found from its pages
        await down_write(vma.anon_vma.rwsem)
        await RmapChange(vma.anon_vma, on=(high,))
        await up_write(vma.anon_vma.rwsem)
    await split_huge_pmd_if_needed(vma, addr)
    for tree in vma.rmap_trees:
        await down_write(tree.rwsem)
        await RmapChange(tree, off=(vma,), on=(low,) if tree is vma.anon_vma else (low, high))
    await ChangeVmas(mm, (vma,), (low, high))
    for tree in reversed(vma.rmap_trees):
        await up_write(tree.rwsem)
    return low, high


async def split_huge_pmd_if_needed(vma: Vma, addr: int) -> None:
    """Splits a huge page that the new boundary would cut in two, before the VMA is cut.

    *Source*: mm/huge_memory.c vma_adjust_trans_huge, 5.15.
    """
    span = vma.mm.pmd_level.size
    huge = addr & -span
    if addr % span and vma.start <= huge and huge + span <= vma.end:
        pmd = await mm_find_pmd(vma.mm, addr)
        if pmd is not None:
            await split_huge_pmd(vma.mm, pmd, addr)


async def unmap_region(mm: Mm, vmas: Sequence[Vma], below: Vma | None, above: Vma | None) -> None:
    """Gather, unmap, free tables, flush, free: for VMAs that nobody can find any more.

    *Source*: mm/mmap.c unmap_region, 5.15.
    """
    tlb = await tlb_gather_mmu(mm)
    await unmap_vmas(tlb, vmas, vmas[0].start, vmas[-1].end)
    floor = below.end if below is not None else 0
    ceiling = above.start if above is not None else 0
    await free_pgtables(tlb, vmas, floor, ceiling)
    await tlb_finish_mmu(tlb)
