"""get_user_pages: the fast path, and the slow path under mmap_lock (mm/gup.c).

Room: walk.  The slow path looks, and where nothing suitable is mapped it has the fault handler bring it in and
looks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.fault import handle_mm_fault
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.kernel.pgtable import (
    is_table,
    leaf,
    mm_find_pmd,
    pmd_lock,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.kernel.vma import find_vma
from ptwalk.machine.folio import GetPageUnlessZero
from ptwalk.machine.frames import Frame
from ptwalk.machine.locks import spin_unlock
from ptwalk.walk.gup_fast import get_user_page_fast

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


@allocates
async def get_user_page(mm: Mm, addr: int, *, write: bool = False) -> Frame | None:
    """The pinned page at an address of the CPU's own mm; faulted in if need be; None where no VMA is.

    *Locking*: none for the fast path (interrupts off), then mmap_lock for reading.
    *Source*: mm/gup.c internal_get_user_pages_fast, 5.15; recorded in 6.1.176.
    """
    page = await get_user_page_fast(mm, addr, write=write)
    if page is not None:
        return page
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    if vma is not None and addr in vma:
        page = await follow_page_mask(mm, addr, write)
        while page is None:
            await handle_mm_fault(vma, addr)
            page = await follow_page_mask(mm, addr, write)
    await mmap_read_unlock(mm)
    return page


async def follow_page_mask(mm: Mm, addr: int, write: bool) -> Frame | None:
    """A reference on the page that is mapped at `addr` with the rights asked for, taken under the table's lock.

    *Locking*: mmap_lock for reading, the VMA found under it.
    *Source*: mm/gup.c follow_page_mask, follow_page_pte, 5.15.
    """
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None:
        return None
    entry = await pmd.read()
    if leaf(entry):
        pml = await pmd_lock(mm, pmd)
        entry = await pmd.read()
        page = None
        if leaf(entry) and (entry.writable or not write):
            page = mm.machine.frame_at(entry.address or 0)
            await GetPageUnlessZero(page)
        await spin_unlock(pml)
        return page
    if not is_table(entry):
        return None
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None or ptl is None:
        return None
    entry = await pte.read()
    page = None
    if entry.linux_present and (entry.writable or not write):
        page = mm.machine.frame_at(entry.address or 0)
        await GetPageUnlessZero(page)
    await pte_unmap_unlock(mm, ptl)
    return page
