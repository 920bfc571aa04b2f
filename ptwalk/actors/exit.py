"""The end of an address space.

Room: actors.  Nobody uses the mm any more (mm_users is 0), so 5.15 takes no lock at all; a walker that holds
no user reference must not walk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.memory import free_pgtables, unmap_vmas
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock, mmap_write_lock, mmap_write_unlock
from ptwalk.kernel.mmu_gather import tlb_finish_mmu, tlb_gather_mmu
from ptwalk.kernel.users import MmPut
from ptwalk.kernel.vma import VmasIn
from ptwalk.machine.frames import free_frame

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


async def exit_mm(mm: Mm) -> None:
    """Drops the task's own reference on the mm; the last one takes everything down.

    *Locking*: none.
    """
    if await MmPut(mm) == 0:
        await exit_mmap(mm)


async def exit_mmap(mm: Mm) -> None:
    """Unmaps everything, frees every table and at last the root.

    *Locking*: 5.15 none; 6.1.176 mmap_lock for reading while it unmaps, for writing while it frees tables.
    *May see*: nobody, if everybody who walks holds a user reference.
    *Source*: mm/mmap.c exit_mmap, 5.15; recorded in 6.1.176.
    """
    locked = mm.kernel.config.exit_locks == "read, then write"
    if locked:
        await mmap_read_lock(mm)
    vmas = await VmasIn(mm, 0, 1 << 64)
    tlb = await tlb_gather_mmu(mm, fullmm=True)
    if vmas:
        await unmap_vmas(tlb, vmas, vmas[0].start, vmas[-1].end)
    if locked:
        await mmap_read_unlock(mm)
        await mmap_write_lock(mm)
    if vmas:
        await free_pgtables(tlb, vmas, 0, 0)
    await tlb_finish_mmu(tlb)
    if locked:
        await mmap_write_unlock(mm)
    await free_frame(mm.machine, mm.pgd)
