"""The page fault: finds the VMA under the lock it needs, and handles the fault there.

Room: actors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.fault import Fault, handle_mm_fault
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.kernel.pgtable import none, offset_lockless, pgd_offset
from ptwalk.kernel.vma import find_vma
from ptwalk.kernel.vma_lock import lock_vma_under_rcu, vma_end_read
from ptwalk.machine.locks import spin_lock, spin_unlock

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.frames import Frame


@allocates
async def page_fault(mm: Mm, addr: int, *, page: Frame | None = None, huge: bool = False) -> Fault:
    """Handles a write fault at `addr`: "done", or "segfault" where no VMA is.

    `page` is the file's page for a file mapping; `huge` tries to map 2 MiB at once.

    *Locking*: mmap_lock for reading; from 6.4 first only the VMA's lock, if the VMA is anonymous.
    *May see*: entries and tables that others install meanwhile; from 6.6 pte tables that vanish.
    *Source*: arch/x86/mm/fault.c do_user_addr_fault, mm/memory.c __handle_mm_fault, 5.15 and 6.4.6.
    """
    mm.check_watched(addr)
    if mm.kernel.config.vma_locks:
        vma = await lock_vma_under_rcu(mm, addr)
        if vma is not None:
            result: Fault = "retry"
            if vma.file is None:
                result = await handle_mm_fault(vma, addr, page, huge)
            await vma_end_read(vma)
            if result == "done":
                return result
    while True:
        await mmap_read_lock(mm)
        vma = await find_vma(mm, addr)
        if vma is None or addr not in vma:
            await mmap_read_unlock(mm)
            return "segfault"
        result = await handle_mm_fault(vma, addr, page, huge)
        await mmap_read_unlock(mm)
        if result == "done":
            return result


async def device_fault(mm: Mm, addr: int, memory: Frame) -> Fault:
    """A fault on a device's memory that is mapped 1 GiB at a time: installs the huge pud if it still is none.

    *Locking*: mmap_lock for reading; page_table_lock, which guards puds on x86-64 and arm64.
    *May see*: a huge pud that a page walker splits, which clears it, and clears again.
    *Source*: mm/huge_memory.c vmf_insert_pfn_pud_prot, insert_pfn_pud, 5.15.
    """
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    result: Fault = "segfault"
    if vma is not None and addr in vma:
        result = "done"
        pud = pgd_offset(mm, addr)
        while pud.level.name != "pud":
            pud = offset_lockless(pud, await pud.read(), addr)
        await spin_lock(mm.page_table_lock)
        if none(await pud.read()):
            await pud.write(mm.format.make_leaf(memory.pa, pud.level, write=True, dirty=True))
        await spin_unlock(mm.page_table_lock)
    await mmap_read_unlock(mm)
    return result
