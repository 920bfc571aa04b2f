"""The page fault: makes tables as needed and installs one page.

Room: actors.  The pattern is always the same: look without a lock, allocate, lock, look again, install or
throw away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ptwalk.kernel.huge_memory import DepositTable
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.kernel.pgalloc import pmd_alloc, table_alloc
from ptwalk.kernel.pgtable import (
    is_table,
    leaf,
    none,
    pmd_lock,
    pte_offset_map,
    pte_offset_map_lock,
    pte_unmap,
    pte_unmap_unlock,
)
from ptwalk.kernel.vma import Vma, find_vma, lock_vma_under_rcu, vma_end_read
from ptwalk.machine.folio import AddRmap, PutPage
from ptwalk.machine.frames import AllocateFrame, Frame, free_frame
from ptwalk.machine.locks import spin_unlock

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.entries import EntryPointer

Fault = Literal["done", "retry", "segfault"]


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


@allocates
async def handle_mm_fault(vma: Vma, addr: int, page: Frame | None = None, huge: bool = False) -> Fault:
    """Installs the page; "retry" when what it found changed under it.

    *Locking*: mmap_lock or the VMA's lock, at least for reading.
    *Source*: mm/memory.c __handle_mm_fault, handle_pte_fault, do_anonymous_page, 5.15; recorded in 6.1.176.
    """
    mm = vma.mm
    pmd = await pmd_alloc(mm, addr)
    if pmd is None:
        return "retry"
    entry = await pmd.read()
    if huge and none(entry):
        return await do_huge_pmd_anonymous_page(vma, pmd, addr)
    if leaf(entry):
        return "done"
    if is_table(entry):
        pte = await pte_offset_map(mm, pmd, addr)
        if pte is None:
            return "retry"
        seen = await pte.read()
        await pte_unmap(mm)
        if seen.linux_present:
            return "done"
    else:
        await table_alloc(mm, pmd)
        if not is_table(await pmd.read()):
            return "retry"
    new = page if page is not None else await AllocateFrame(mm.machine, "anon")
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None or ptl is None:
        if page is None:
            await PutPage(new)
        return "retry"
    installed = none(await pte.read())
    if installed:
        await AddRmap(new)
        await pte.write(mm.format.make_leaf(new.pa, "pte", write=True, accessed=True, dirty=True))
    await pte_unmap_unlock(mm, ptl)
    if not installed and page is None:
        await PutPage(new)
    return "done"


async def do_huge_pmd_anonymous_page(vma: Vma, pmd: EntryPointer, addr: int) -> Fault:
    """Maps 2 MiB by the pmd, and deposits a table for the day it is split.

    *Locking*: as `handle_mm_fault`; takes the PMD table's lock.
    *Source*: mm/huge_memory.c __do_huge_pmd_anonymous_page, 5.15.
    """
    mm = vma.mm
    new = await AllocateFrame(mm.machine, "huge")
    table = await AllocateFrame(mm.machine, "pte")
    ptl = await pmd_lock(mm, pmd)
    installed = none(await pmd.read())
    if installed:
        await AddRmap(new)
        await DepositTable(mm, addr, table)
        await pmd.write(
            mm.format.make_leaf(new.pa, pmd.level, write=True, accessed=True, dirty=True), unlinks=table
        )
    await spin_unlock(ptl)
    if not installed:
        await free_frame(mm.machine, table)
        await PutPage(new)
    return "done" if installed else "retry"
