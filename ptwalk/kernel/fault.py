"""The page fault below the locks: makes tables as needed, installs or copies one page (mm/memory.c).

Room: kernel: the fault itself and get_user_pages' slow path both need it.  The pattern is always the same: look
without a lock, allocate, lock, look again, install or throw away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ptwalk.kernel.huge_memory import DepositTable
from ptwalk.kernel.kernel import allocates
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
    same,
)
from ptwalk.kernel.tlbflush import flush_tlb_mm_range
from ptwalk.kernel.vma import Vma
from ptwalk.machine.folio import AddRmap, GetPageUnlessZero, PutPage, RemoveRmap
from ptwalk.machine.frames import AllocateFrame, Frame, free_frame
from ptwalk.machine.locks import spin_unlock

if TYPE_CHECKING:
    from ptwalk.arch import Entry
    from ptwalk.machine.entries import EntryPointer

Fault = Literal["done", "retry", "segfault"]


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
            return "done" if seen.writable else await do_wp_page(vma, pmd, addr, seen)
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


async def do_wp_page(vma: Vma, pmd: EntryPointer, addr: int, seen: Entry) -> Fault:
    """Copies a page shared copy-on-write and maps the copy, if the pte still is what was seen.

    *Locking*: as `handle_mm_fault`; takes the pte table's lock twice, for the copy is made in between.
    *Source*: mm/memory.c do_wp_page, wp_page_copy, 5.15; recorded in 6.1.176.
    """
    mm = vma.mm
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None or ptl is None:
        return "retry"
    if not same(await pte.read(), seen):
        await pte_unmap_unlock(mm, ptl)
        return "retry"
    old = mm.machine.frame_at(seen.address or 0)
    await GetPageUnlessZero(old)
    await pte_unmap_unlock(mm, ptl)
    new = await AllocateFrame(mm.machine, "anon")
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    copied = False
    if pte is not None and ptl is not None:
        if same(await pte.read(), seen):
            await pte.get_and_clear()
            await flush_tlb_mm_range(mm, addr, addr + mm.format.page_size, freed_tables=False)
            await AddRmap(new)
            await pte.write(mm.format.make_leaf(new.pa, "pte", write=True, accessed=True, dirty=True))
            await RemoveRmap(old)
            await PutPage(old)
            copied = True
        await pte_unmap_unlock(mm, ptl)
    await PutPage(old)
    if not copied:
        await PutPage(new)
    return "done" if copied else "retry"


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
