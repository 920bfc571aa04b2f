"""A stack that grows: a fault below a VM_GROWSDOWN VMA moves the VMA's start down.

Room: actors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.fault import Fault, handle_mm_fault
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock, mmap_write_downgrade, mmap_write_lock
from ptwalk.kernel.rmap import RmapChange
from ptwalk.kernel.vma import ChangeVmas, Vma, find_vma
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.rwsem import down_write, up_write

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


@allocates
async def stack_fault(mm: Mm, addr: int) -> Fault:
    """A fault at `addr`, below a stack: grows the stack and maps a page there.

    *Locking*: before 6.5 mmap_lock for reading while the VMA grows; since then for writing, then downgraded.
    *May see*: a munmap, downgraded, that still frees the tables of the range it grows into.
    *Source*: mm/mmap.c expand_downwards, 5.15; mm/memory.c lock_mm_and_find_vma, 6.5 (8d7071af8907).
    """
    mm.check_watched(addr)
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    if vma is not None and addr not in vma and "VM_GROWSDOWN" in vma.flags:
        if mm.kernel.config.stack_growth == "mmap write":
            await mmap_read_unlock(mm)
            await mmap_write_lock(mm)
            vma = await find_vma(mm, addr)
            if vma is not None and addr not in vma and "VM_GROWSDOWN" in vma.flags:
                vma = await expand_downwards(vma, addr)
            await mmap_write_downgrade(mm)
        else:
            vma = await expand_downwards(vma, addr)
    result: Fault = "segfault"
    if vma is not None and addr in vma:
        result = await handle_mm_fault(vma, addr)
    await mmap_read_unlock(mm)
    return result


async def expand_downwards(vma: Vma, addr: int) -> Vma:
    """Moves the VMA's start down to the page of `addr`; gives the grown VMA.

    *Locking*: mmap_lock, as `stack_fault`; the anon_vma's lock and page_table_lock against others that grow it.
    """
    mm = vma.mm
    grown = mm.vma_grown(vma, addr & -mm.format.page_size)
    if vma.anon_vma is not None:
        await down_write(vma.anon_vma.rwsem)
    await spin_lock(mm.page_table_lock)
    if vma.anon_vma is not None:
        await RmapChange(vma.anon_vma, off=(vma,), on=(grown,))
    await ChangeVmas(mm, (vma,), (grown,))
    await spin_unlock(mm.page_table_lock)
    if vma.anon_vma is not None:
        await up_write(vma.anon_vma.rwsem)
    return grown
