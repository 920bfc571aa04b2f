"""Walkers as kernel engineers write them: pages that are kept, entries that are changed.

By the names that the page for engineers gives; the verdicts are in `test_patches.py`.
"""

from ptwalk.kernel import (
    flush_tlb_mm_range,
    get_page_unless_zero,
    irqs_off,
    is_table,
    local_irq_restore,
    local_irq_save,
    mm_find_pmd,
    offset_lockless,
    page_of,
    page_remove_rmap,
    pte_unmap_unlock,
    put_page,
    same,
    set_page_dirty,
    use_page,
    vma_lookup,
)
from ptwalk.walk.follow import follow_pte, unfollow

from .patches_of_locks import map_lock

# ---- pages ----


async def pin(mm, addr, *, first=True, pmd_again=True, pte_again=True, drop=True):
    """GUP-fast, or what is left of it; gives the page and whether it is pinned."""
    pmd = await mm_find_pmd(mm, addr)
    upper = await pmd.read() if pmd is not None else None
    if upper is None or not is_table(upper):
        return None
    pte = offset_lockless(pmd, upper, addr)
    entry = await pte.read()
    page = page_of(mm, entry)
    if page is None or (first and not await get_page_unless_zero(page)):
        return None
    unchanged = not pmd_again or same(await pmd.read(), upper)
    unchanged = unchanged and (not pte_again or same(await pte.read(), entry))
    if not unchanged:
        if first and drop:
            await put_page(page)
        return None
    return page if first or await get_page_unless_zero(page) else None


async def use(page):
    """What the pin is for."""
    if page is not None:
        await use_page(page)
        await put_page(page)


async def gup_fast(mm, addr):
    """Pin first, then both looks."""
    flags = await local_irq_save(mm.machine)
    page = await pin(mm, addr)
    await local_irq_restore(mm.machine, flags)
    await use(page)


async def gup_irqs_on(mm, addr):
    """The same with interrupts on."""
    await use(await pin(mm, addr))


async def gup_without_pmd(mm, addr):
    """Looks at the pte alone again."""
    async with irqs_off(mm.machine):
        page = await pin(mm, addr, pmd_again=False)
    await use(page)


async def gup_without_pte(mm, addr):
    """Looks at the pmd alone again."""
    async with irqs_off(mm.machine):
        page = await pin(mm, addr, pte_again=False)
    await use(page)


async def gup_pinned_last(mm, addr):
    """Looks again first, pins then."""
    async with irqs_off(mm.machine):
        page = await pin(mm, addr, first=False)
    await use(page)


async def gup_leaks(mm, addr):
    """Keeps the reference where the second look fails."""
    async with irqs_off(mm.machine):
        page = await pin(mm, addr, drop=False)
    await use(page)


async def gup_writes(mm, addr):
    """Clears the accessed bit with interrupts off and no lock."""
    async with irqs_off(mm.machine):
        pmd = await mm_find_pmd(mm, addr)
        entry = await pmd.read() if pmd is not None else None
        if entry is not None and is_table(entry):
            await offset_lockless(pmd, entry, addr).test_and_clear_young()


async def page_not_pinned(mm, addr):
    """Uses a page it found with interrupts off, once they are on again."""
    async with irqs_off(mm.machine):
        pmd = await mm_find_pmd(mm, addr)
        upper = await pmd.read() if pmd is not None else None
        table = upper is not None and is_table(upper)
        page = page_of(mm, await offset_lockless(pmd, upper, addr).read()) if table else None
    if page is not None:
        await use_page(page)


async def followed_and_used(mm, addr):
    """follow_pte on ordinary memory, the page used after the unlock."""
    async with mm.mmap_lock.read():
        found = await follow_pte(mm, addr) if await vma_lookup(mm, addr) else None
        page = None
        if found is not None:
            page = page_of(mm, await found.entry.read())
            await unfollow(mm, found)
    if page is not None:
        await use_page(page)


async def followed_and_pinned(mm, addr):
    """The same, with a reference taken under the lock."""
    page, pinned = None, False
    async with mm.mmap_lock.read():
        found = await follow_pte(mm, addr) if await vma_lookup(mm, addr) else None
        if found is not None:
            page = page_of(mm, await found.entry.read())
            pinned = await get_page_unless_zero(page)
            await unfollow(mm, found)
    if pinned:
        await use(page)


# ---- entries changed ----


async def cmpxchg_loop(mm, addr):
    """Clears the accessed bit by compare and exchange."""
    async with mm.mmap_lock.read():
        pte, ptl = await map_lock(mm, addr) if await vma_lookup(mm, addr) else (None, None)
        if pte is None:
            return
        entry = await pte.read()
        while entry.linux_present and not await pte.cmpxchg(entry, mm.format.mkold(entry.raw, pte.level)):
            entry = await pte.read()
        await pte_unmap_unlock(mm, ptl)


async def change(mm, addr, how, flush):
    """Takes a right away from the entry; flushes "under" the lock, "after" it, or "not"."""
    async with mm.mmap_lock.read():
        pte, ptl = await map_lock(mm, addr) if await vma_lookup(mm, addr) else (None, None)
        if pte is None:
            return
        entry = await pte.read()
        if entry.linux_present:
            old = await pte.update(how)
            if how == "mkclean" and old.dirty:
                await set_page_dirty(page_of(mm, entry))
        if flush == "under":
            await flush_tlb_mm_range(mm, addr, addr + mm.format.page_size, freed_tables=False)
        await pte_unmap_unlock(mm, ptl)
        if flush == "after":
            await flush_tlb_mm_range(mm, addr, addr + mm.format.page_size, freed_tables=False)


async def write_protects(mm, addr):
    """Flushes before it drops the lock."""
    await change(mm, addr, "wrprotect", "under")


async def write_protects_flush_after(mm, addr):
    """Flushes after it dropped the lock."""
    await change(mm, addr, "wrprotect", "after")


async def write_protects_no_flush(mm, addr):
    """Does not flush: the program writes on."""
    await change(mm, addr, "wrprotect", "not")


async def cleans_no_flush(mm, addr):
    """Does not flush: later writes set no D bit."""
    await change(mm, addr, "mkclean", "not")


async def zap(mm, addr, flush):
    """Takes a mapping away as reclaim does."""
    async with mm.mmap_lock.read():
        pte, ptl = await map_lock(mm, addr) if await vma_lookup(mm, addr) else (None, None)
        if pte is None:
            return
        page = None
        if (await pte.read()).linux_present:
            old = await pte.get_and_clear()
            page = page_of(mm, old)
            if flush == "under":
                await flush_tlb_mm_range(mm, addr, addr + mm.format.page_size, freed_tables=False)
            if old.dirty:
                await set_page_dirty(page)
            await page_remove_rmap(page)
        await pte_unmap_unlock(mm, ptl)
        if page is not None:
            await put_page(page)


async def zaps(mm, addr):
    """Clears, flushes, frees."""
    await zap(mm, addr, "under")


async def zaps_no_flush(mm, addr):
    """Frees a page that a TLB still maps."""
    await zap(mm, addr, "not")
