"""GUP-fast: pins the page at an address without any lock, with interrupts off (mm/gup.c).

Room: walk.  Each entry is loaded once and passed on by value; after the page is pinned, what led to it is looked
at again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ptwalk.arch import EntryState
from ptwalk.kernel.pgtable import is_table, leaf, offset_lockless, pgd_offset
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.folio import GetPageUnlessZero, PutPage
from ptwalk.machine.frames import Frame
from ptwalk.machine.processor import local_irq_restore, local_irq_save

if TYPE_CHECKING:
    from ptwalk.arch import Entry
    from ptwalk.kernel.mm import Mm


async def get_user_page_fast(mm: Mm, addr: int, *, write: bool = False) -> Frame | None:
    """The pinned page at an address of the CPU's own mm, or None: then the slow path is to be taken.

    *Locking*: none; interrupts off from the first load to the last.  It never writes.
    *May see*: every change there is, also tables cut off and used elsewhere; never freed memory, on a kernel that
    frees tables after an IPI or a grace period.
    *Source*: mm/gup.c lockless_pages_from_mm, 5.15; the second look at the pmd 70cbc3cc78a9.
    """
    flags = await local_irq_save(mm.machine)
    page = await gup_pgd_range(mm, addr, write, mm.kernel.config.gup_recheck)
    await local_irq_restore(mm.machine, flags)
    return page


async def gup_fast_irqs_on(mm: Mm, addr: int, *, write: bool = False) -> Frame | None:
    """The same walk with interrupts left on.

    *Locking*: none at all, which breaks rule (c): nothing holds off the flush IPI or the grace period.
    """
    return await gup_pgd_range(mm, addr, write, mm.kernel.config.gup_recheck)


async def gup_fast_without_pmd_recheck(mm: Mm, addr: int, *, write: bool = False) -> Frame | None:
    """As 5.15.0 did it: only the pte is looked at again.

    *Locking*: interrupts off.  On machines that flush without IPIs a collapse goes unnoticed.
    """
    flags = await local_irq_save(mm.machine)
    page = await gup_pgd_range(mm, addr, write, "pte")
    await local_irq_restore(mm.machine, flags)
    return page


async def gup_pgd_range(
    mm: Mm, addr: int, write: bool, recheck: Literal["pte", "pmd and pte"]
) -> Frame | None:
    """The walk from the top: one load per level."""
    slot = pgd_offset(mm, addr)
    while True:
        entry = await slot.read()
        if slot.level.name == "pte":
            return (
                None  # a format with the pmd folded into the top level comes here through gup_pte_range only
            )
        if leaf(entry):
            return await gup_huge(mm, slot, entry, write)
        if not is_table(entry):
            return None
        below = offset_lockless(slot, entry, addr)
        if below.level.name == "pte":
            return await gup_pte_range(mm, slot, entry, below, write, recheck)
        slot = below


async def gup_pte_range(
    mm: Mm, pmd: EntryPointer, pmdval: Entry, pte: EntryPointer, write: bool, recheck: str
) -> Frame | None:
    """One pte: load it, pin its page, look again at pmd and pte."""
    entry = await pte.read()
    page = await _grab(mm, entry, write)
    if page is None:
        return None
    chain = ((pmd, pmdval), (pte, entry))
    if recheck == "pmd and pte" and not await pmd.reread(chain, last=False):
        await PutPage(page)
        return None
    if not await pte.reread(chain, last=True):
        await PutPage(page)
        return None
    return page


async def gup_huge(mm: Mm, slot: EntryPointer, entry: Entry, write: bool) -> Frame | None:
    """A huge entry: pin its page, look again at the entry."""
    page = await _grab(mm, entry, write)
    if page is not None and not await slot.reread(((slot, entry),), last=True):
        await PutPage(page)
        return None
    return page


async def _grab(mm: Mm, entry: Entry, write: bool) -> Frame | None:
    # try_grab_folio: the permission comes from the entry alone, the page may be gone already.
    if entry.state is not EntryState.LEAF or entry.address is None or (write and not entry.writable):
        return None
    if not mm.machine.is_page(entry.address):
        return None
    page = mm.machine.frame_at(entry.address)
    return page if await GetPageUnlessZero(page) else None
