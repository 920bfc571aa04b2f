"""DAMON's access checks of virtual addresses: as in patch series v34, repaired, as merged, and made atomic.

Room: walk.  `mkold` clears the accessed bit of the page at an address, `young` reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.arch import Entry
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.folio import GetPageUnlessZero, MarkYoung, PutPage
from ptwalk.walk.follow import follow_invalidate_pte, unfollow

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


async def damon_ptep_mkold(mm: Mm, pte: EntryPointer) -> None:
    """Clears the accessed bit of a locked entry, and tells the folio: before 6.5 by a load and a plain store.

    *Locking*: the page-table lock of the entry.  Hardware does not care for it.
    *Source*: mm/damon/vaddr.c 5.15; mm/damon/ops-common.c 6.5.
    """
    entry = await pte.read()
    page = mm.machine.frame_at(entry.address or 0)
    if not await damon_get_page(mm, entry):
        return
    if mm.kernel.config.clear_young == "atomic":
        young = (await pte.test_and_clear_young()).accessed
    else:
        young = entry.accessed
        if young:
            # ptep_test_and_clear_young of the time: what hardware sets in between is lost with the store.
            loaded = await pte.read()
            await pte.write(mm.format.mkold(loaded.raw, pte.level))
    if young:
        await MarkYoung(page)
    await PutPage(page)


async def damon_get_page(mm: Mm, entry: Entry) -> bool:
    """A reference on the page, if it is an online LRU page that still has any.

    It keeps the data page from being freed; it says nothing about the table the entry was read from.
    *Source*: mm/damon/vaddr.c damon_get_page, 5.15.
    """
    if entry.address is None or not mm.machine.is_page(entry.address):
        return False
    return bool(await GetPageUnlessZero(mm.machine.frame_at(entry.address)))


async def damon_va_mkold_v34(mm: Mm, addr: int) -> None:
    """Clears the accessed bit with the page-table lock alone, as patch series v34 did.

    *Locking*: none but the page-table lock that follow_invalidate_pte takes.  This breaks the rule that a walk
    needs mmap_lock: the lock is inside the table that may vanish.
    *May see*: tables freed, tables cut off by a collapse.
    *Source*: DAMON v34 patch 05/13, LKML 2021.
    """
    followed = await follow_invalidate_pte(mm, addr)
    if followed is None:
        return
    await damon_ptep_mkold(mm, followed.entry)
    await unfollow(mm, followed)
