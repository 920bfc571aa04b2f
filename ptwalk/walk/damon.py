"""DAMON's access checks of virtual addresses: as in patch series v34, repaired, as merged, and made atomic.

Room: walk.  `mkold` clears the accessed bit of the page at an address, `young` reads it.  They are called for
another process's mm, on whose `mm_users` the caller holds a reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.arch import Entry
from ptwalk.kernel.huge_memory import pmd_trans_huge_lock
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock, mmap_write_lock, mmap_write_unlock
from ptwalk.kernel.pgtable import bad, none, pte_offset_map_lock, pte_unmap_unlock
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.folio import GetPageUnlessZero, MarkYoung, PutPage
from ptwalk.machine.locks import spin_unlock
from ptwalk.walk.follow import follow_invalidate_pte, unfollow
from ptwalk.walk.pagewalk import MmWalk, MmWalkOps, walk_page_range

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


async def damon_get_page(mm: Mm, entry: Entry) -> bool:
    """A reference on the page, if it is an online LRU page that still has any.

    It keeps the data page from being freed; it says nothing about the table the entry was read from.
    *Source*: mm/damon/vaddr.c damon_get_page, 5.15.
    """
    if entry.address is None or not mm.machine.is_page(entry.address):
        return False
    return bool(await GetPageUnlessZero(mm.machine.frame_at(entry.address)))


async def damon_ptep_mkold(mm: Mm, slot: EntryPointer) -> None:
    """Clears the accessed bit of a locked entry, and tells the folio: before 6.5 by a load and a plain store.

    *Locking*: the lock of the entry's table.  Hardware does not care for it.
    *Source*: mm/damon/vaddr.c 5.15; mm/damon/ops-common.c 6.5 (c11d34fa139e).
    """
    await _mkold(mm, slot, atomic=mm.kernel.config.clear_young == "atomic")


async def _mkold(mm: Mm, slot: EntryPointer, *, atomic: bool) -> None:
    entry = await slot.read()
    if not await damon_get_page(mm, entry):
        return
    page = mm.machine.frame_at(entry.address or 0)
    if atomic:
        young = (await slot.test_and_clear_young()).accessed
    else:
        young = entry.accessed
        if young:
            # What hardware sets between this load and the store is lost with the store.
            loaded = await slot.read()
            await slot.write(mm.format.mkold(loaded.raw, slot.level))
    if young:
        await MarkYoung(page)
    await PutPage(page)


async def damon_va_mkold_v34(mm: Mm, addr: int) -> None:
    """Clears the accessed bit with the page-table lock alone, as patch series v34 did, with the helpers of its day.

    *Locking*: none but the page-table lock that follow_invalidate_pte takes.  This breaks rule (a): the lock is
    inside the table that may vanish.
    *May see*: tables freed, tables cut off by a collapse.
    *Source*: DAMON v34 patch 05/13, LKML, August 2021.
    """
    followed = await follow_invalidate_pte(mm, addr, old=True)
    if followed is None:
        return
    await damon_ptep_mkold(mm, followed.entry)
    await unfollow(mm, followed)


async def damon_va_young_v34(mm: Mm, addr: int) -> bool:
    """Reads the accessed bit with the page-table lock alone: it stores nothing, and is as wrong.

    *Locking*, *May see*, *Source*: as `damon_va_mkold_v34`.
    """
    followed = await follow_invalidate_pte(mm, addr, old=True)
    if followed is None:
        return False
    young = (await followed.entry.read()).accessed
    await unfollow(mm, followed)
    return young


async def damon_va_mkold_write_locked(mm: Mm, addr: int) -> None:
    """The first repair that was proposed: the same walk with mmap_lock for writing, kept to the end.

    *Locking*: mmap_lock for writing, then the page-table lock.
    *Source*: the thread of DAMON v34, LKML, August 2021.
    """
    await mmap_write_lock(mm)
    followed = await follow_invalidate_pte(mm, addr)
    if followed is not None:
        await damon_ptep_mkold(mm, followed.entry)
        await unfollow(mm, followed)
    await mmap_write_unlock(mm)


async def damon_va_mkold_write_locked_lookup(mm: Mm, addr: int) -> None:
    """The same repair, with mmap_lock dropped once the page-table lock is held.

    It is not settled which of the two the first proposal did.

    *Locking*: mmap_lock for writing during the descent, the page-table lock after.
    """
    await mmap_write_lock(mm)
    followed = await follow_invalidate_pte(mm, addr)
    await mmap_write_unlock(mm)
    if followed is not None:
        await damon_ptep_mkold(mm, followed.entry)
        await unfollow(mm, followed)


async def damon_mkold_pmd_entry(pmd: EntryPointer, addr: int, end: int, walk: MmWalk) -> int:
    """Clears the accessed bit of the huge page or of the pte at `addr`, inside the walk.

    *Locking*: mmap_lock for reading, held by the caller of the walk.
    *Source*: mm/damon/vaddr.c damon_mkold_pmd_entry, 5.15 and 6.19.
    """
    mm = walk.mm
    ptl = await pmd_trans_huge_lock(mm, pmd)
    if ptl is not None:
        await damon_ptep_mkold(mm, pmd)
        await spin_unlock(ptl)
        return 0
    entry = await pmd.read()
    if none(entry) or bad(entry):
        return 0
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None or ptl is None:
        return 0
    if (await pte.read()).linux_present:
        await damon_ptep_mkold(mm, pte)
    await pte_unmap_unlock(mm, ptl)
    return 0


async def damon_va_mkold(mm: Mm, addr: int) -> None:
    """As merged: a page walk inside VMAs, with mmap_lock for reading.

    *Locking*: mmap_lock for reading; the table's lock inside the callback.
    *May see*: no table, a huge page, an entry that is not present.
    *Source*: mm/damon/vaddr.c damon_va_mkold, 5.15 (3f49584b262c).
    """
    await mmap_read_lock(mm)
    await walk_page_range(mm, addr, addr + 1, MmWalkOps(pmd_entry=damon_mkold_pmd_entry))
    await mmap_read_unlock(mm)


async def _mkold_atomic_pmd_entry(pmd: EntryPointer, addr: int, end: int, walk: MmWalk) -> int:
    mm = walk.mm
    ptl = await pmd_trans_huge_lock(mm, pmd)
    if ptl is not None:
        await _mkold(mm, pmd, atomic=True)
        await spin_unlock(ptl)
        return 0
    entry = await pmd.read()
    if none(entry) or bad(entry):
        return 0
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None or ptl is None:
        return 0
    if (await pte.read()).linux_present:
        await _mkold(mm, pte, atomic=True)
    await pte_unmap_unlock(mm, ptl)
    return 0


async def damon_va_mkold_atomic(mm: Mm, addr: int) -> None:
    """As merged, with the later fix on any kernel: the accessed bit is tested and cleared in one step.

    *Locking*, *May see*: as `damon_va_mkold`.
    *Source*: mm/damon/ops-common.c, 6.5 (c11d34fa139e).
    """
    await mmap_read_lock(mm)
    await walk_page_range(mm, addr, addr + 1, MmWalkOps(pmd_entry=_mkold_atomic_pmd_entry))
    await mmap_read_unlock(mm)
