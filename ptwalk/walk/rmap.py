"""The walk from the other side: from a page to the ptes that map it (mm/page_vma_mapped.c).

Room: walk.  It holds the reverse map's lock and never the mmap lock: the VMA cannot reach free_pgtables while it
is on the tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.pgtable import (
    is_table,
    leaf,
    mm_find_pmd,
    offset_lockless,
    pmd_lock,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.kernel.rmap import RmapTree, RmapVmas
from ptwalk.kernel.tlbflush import flush_tlb_mm_range
from ptwalk.machine.folio import MarkDirty, PutPage, RemoveRmap
from ptwalk.machine.locks import SpinLock, spin_lock, spin_unlock
from ptwalk.machine.rwsem import down_read, up_read
from ptwalk.walk.follow import Followed, unfollow

if TYPE_CHECKING:
    from ptwalk.kernel.vma import Vma
    from ptwalk.machine.entries import EntryPointer
    from ptwalk.machine.frames import Frame


async def page_vma_mapped_walk(vma: Vma, addr: int, page: Frame) -> Followed | None:
    """The locked entry that maps `page` at `addr` in this VMA, or None.

    *Locking*: the reverse map's lock, at least for reading.  Before 6.5 the pte lock is taken with no look back at
    the pmd.
    *May see*: a VMA that munmap is unmapping; tables others change under their locks.
    *Source*: mm/page_vma_mapped.c, 5.15 and 7.1; recorded in 6.1.176 (the rmap part of a file collapse).
    """
    mm = vma.mm
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None:
        return None
    entry = await pmd.read()
    if leaf(entry):
        ptl = await pmd_lock(mm, pmd)
        entry = await pmd.read()
        if leaf(entry):
            if entry.address == page.pa:
                return Followed(pmd, ptl, True)
            await spin_unlock(ptl)
            return None
        await spin_unlock(ptl)
    if not is_table(entry):
        return None
    found = await _map_pte(vma, pmd, addr)
    if found is None:
        return None
    pte, ptl = found
    value = await pte.read()
    if value.linux_present and value.address == page.pa:
        return Followed(pte, ptl)
    await pte_unmap_unlock(mm, ptl)
    return None


async def _map_pte(vma: Vma, pmd: EntryPointer, addr: int) -> tuple[EntryPointer, SpinLock] | None:
    mm = vma.mm
    if mm.kernel.config.rmap_recheck:
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        return None if pte is None or ptl is None else (pte, ptl)
    # A peek without the lock; then the lock of the table that a second load of the pmd names.
    pte = offset_lockless(pmd, await pmd.read(), addr)
    if not (await pte.read()).linux_present:
        return None
    ptl = pte_lockptr(mm, pmd, await pmd.read())
    await spin_lock(ptl)
    return pte, ptl


async def folio_referenced(tree: RmapTree, page: Frame, pgoff: int) -> int:
    """Counts, and clears, the accessed bits of a page in every VMA that maps it.

    *Locking*: takes the reverse map's lock for reading.
    *Source*: mm/rmap.c page_referenced_one, 5.15.
    """
    referenced = 0
    await down_read(tree.rwsem)
    for vma in await RmapVmas(tree):
        addr = vma.start + pgoff - vma.pgoff
        if addr not in vma:
            continue
        found = await page_vma_mapped_walk(vma, addr, page)
        if found is not None:
            referenced += (await found.entry.test_and_clear_young()).accessed
            await unfollow(vma.mm, found)
    await up_read(tree.rwsem)
    return referenced


async def try_to_unmap(tree: RmapTree, page: Frame, pgoff: int) -> None:
    """Takes a page out of every VMA that maps it: clear, flush under the lock, drop the mapping's count and reference.

    *Locking*: takes the reverse map's lock for reading.
    *Source*: mm/rmap.c try_to_unmap_one, 5.15; recorded in 6.1.176.
    """
    await down_read(tree.rwsem)
    for vma in await RmapVmas(tree):
        addr = vma.start + pgoff - vma.pgoff
        if addr not in vma:
            continue
        found = await page_vma_mapped_walk(vma, addr, page)
        if found is not None:
            old = await found.entry.get_and_clear()
            await flush_tlb_mm_range(vma.mm, addr, addr + vma.mm.format.page_size, freed_tables=False)
            if old.dirty:
                await MarkDirty(page)
            await RemoveRmap(page)
            await PutPage(page)
            await unfollow(vma.mm, found)
    await up_read(tree.rwsem)
