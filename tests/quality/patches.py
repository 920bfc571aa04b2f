"""More walkers as kernel engineers write them, by the names that the page for them gives; the test has the verdicts.

Those in `walkers.py` are about which lock; these about what is done with it: a lock handed over, dropped, inverted or
kept, pages that are kept, entries that are changed, walks by callbacks and from the reverse map's side.
"""

from ptwalk.kernel import (
    down_read,
    find_vma,
    flush_tlb_mm_range,
    get_page_unless_zero,
    irqs_off,
    is_table,
    leaf,
    local_irq_restore,
    local_irq_save,
    lock_vma_under_rcu,
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_trylock,
    mmap_read_unlock,
    mmap_write_lock,
    mmap_write_unlock,
    none,
    offset_lockless,
    page_of,
    page_remove_rmap,
    pgd_offset,
    pmd_lock,
    preempt_disable,
    preempt_enable,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
    put_page,
    rcu_read,
    same,
    set_page_dirty,
    spin_lock,
    spin_unlock,
    up_read,
    use_page,
    vma_end_read,
    vma_lookup,
)
from ptwalk.walk.follow import follow_pte, unfollow
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range, walk_page_range_novma


async def map_lock(mm, addr):
    """The locked pte, or (None, None)."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None or not is_table(await pmd.read()):
        return None, None
    return await pte_offset_map_lock(mm, pmd, addr)


async def look(mm, addr):
    """The end of most walks here."""
    pte, ptl = await map_lock(mm, addr)
    if pte is not None:
        await pte.read()
        await pte_unmap_unlock(mm, ptl)


async def descend(mm, addr):
    """From the top to the pte without any lock."""
    slot = pgd_offset(mm, addr)
    while slot.level.name != "pte":
        entry = await slot.read()
        if not is_table(entry):
            return
        slot = offset_lockless(slot, entry, addr)
    await slot.read()


# ---- locks dropped, handed over, kept ----


async def preempt_off(mm, addr):
    """Preemption off in place of interrupts off."""
    await preempt_disable(mm.machine)
    await descend(mm, addr)
    await preempt_enable(mm.machine)


async def finds_the_same_vma_again(mm, addr):
    """Drops the lock, and goes on only if the very VMA is still there."""
    await mmap_read_lock(mm)
    before = await vma_lookup(mm, addr)
    await mmap_read_unlock(mm)
    await mmap_read_lock(mm)
    if before is not None and await vma_lookup(mm, addr) is before:
        await look(mm, addr)
    await mmap_read_unlock(mm)


async def finds_some_vma_again(mm, addr):
    """Drops the lock, and takes any VMA above for the one it had."""
    await mmap_read_lock(mm)
    before = await vma_lookup(mm, addr)
    await mmap_read_unlock(mm)
    await mmap_read_lock(mm)
    if before is not None and await find_vma(mm, addr) is not None:
        await look(mm, addr)
    await mmap_read_unlock(mm)


async def keeps_the_pte_over_a_drop(mm, addr):
    """Finds the VMA again, and goes on with the pte pointer of before."""
    await mmap_read_lock(mm)
    pte, ptl = await map_lock(mm, addr) if await vma_lookup(mm, addr) else (None, None)
    if pte is not None:
        await pte_unmap_unlock(mm, ptl)
    await mmap_read_unlock(mm)
    await mmap_read_lock(mm)
    if pte is not None and await vma_lookup(mm, addr):
        await pte.read()
    await mmap_read_unlock(mm)


async def vma_lock_or_mmap_lock(mm, addr):
    """The VMA's own lock, or mmap_lock and the VMA looked up under it."""
    vma = await lock_vma_under_rcu(mm, addr)
    if vma is not None:
        await look(mm, addr)
        await vma_end_read(vma)
        return
    await mmap_read_lock(mm)
    if await vma_lookup(mm, addr):
        await look(mm, addr)
    await mmap_read_unlock(mm)


async def vma_lock_or_mmap_lock_alone(mm, addr):
    """The VMA's own lock, or mmap_lock and no VMA."""
    vma = await lock_vma_under_rcu(mm, addr)
    if vma is None:
        await mmap_read_lock(mm)
    await look(mm, addr)
    if vma is None:
        await mmap_read_unlock(mm)
    else:
        await vma_end_read(vma)


async def vma_lock_kept(mm, addr):
    """Forgets vma_end_read."""
    if await lock_vma_under_rcu(mm, addr) is not None:
        await look(mm, addr)


async def vma_lock_then_mmap_lock(mm, addr):
    """Waits for mmap_lock inside the VMA's lock."""
    vma = await lock_vma_under_rcu(mm, addr)
    if vma is not None:
        await mmap_read_lock(mm)
        await look(mm, addr)
        await mmap_read_unlock(mm)
        await vma_end_read(vma)


async def lock_kept_where_no_table_is(mm, addr):
    """Leaves without the unlock where pte_offset_map_lock finds nothing."""
    await mmap_read_lock(mm)
    pmd = await mm_find_pmd(mm, addr) if await vma_lookup(mm, addr) else None
    if pmd is None or not is_table(await pmd.read()):
        await mmap_read_unlock(mm)
        return
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return
    await pte_unmap_unlock(mm, ptl)
    await mmap_read_unlock(mm)


async def unlocks_in_finally(mm, addr):
    """try and finally around the walk."""
    await mmap_read_lock(mm)
    try:
        if await vma_lookup(mm, addr):
            await look(mm, addr)
    finally:
        await mmap_read_unlock(mm)


async def write_then_read(mm, addr):
    """Takes mmap_lock for reading inside mmap_lock for writing."""
    await mmap_write_lock(mm)
    await mmap_read_lock(mm)
    await descend(mm, addr)
    await mmap_read_unlock(mm)
    await mmap_write_unlock(mm)


async def unlocks_twice(mm, addr):
    """Drops what it does not hold any more."""
    await mmap_read_lock(mm)
    if await vma_lookup(mm, addr):
        await look(mm, addr)
    await mmap_read_unlock(mm)
    await mmap_read_unlock(mm)


async def unlocks_the_other_mode(mm, addr):
    """Locks for reading, unlocks for writing."""
    await mmap_read_lock(mm)
    await vma_lookup(mm, addr)
    await mmap_write_unlock(mm)


async def rmap_lock_under_ptl(mm, addr):
    """Takes a lock that sleeps inside the page-table lock."""
    async with mm.mmap_lock.read():
        vma = await vma_lookup(mm, addr)
        pte, ptl = await map_lock(mm, addr) if vma else (None, None)
        if pte is not None:
            await down_read(vma.rmap_trees[0].rwsem)
            await up_read(vma.rmap_trees[0].rwsem)
            await pte_unmap_unlock(mm, ptl)


async def pmd_lock_under_ptl(mm, addr):
    """Waits for the PMD table's lock inside the pte table's."""
    async with mm.mmap_lock.read():
        if not await vma_lookup(mm, addr):
            return
        pmd = await mm_find_pmd(mm, addr)
        pte, ptl = await map_lock(mm, addr)
        if pte is not None:
            await spin_unlock(await pmd_lock(mm, pmd))
            await pte_unmap_unlock(mm, ptl)


async def ptl_twice(mm, addr):
    """Takes the page-table lock that it holds."""
    async with mm.mmap_lock.read():
        pte, ptl = await map_lock(mm, addr) if await vma_lookup(mm, addr) else (None, None)
        if pte is not None:
            await spin_lock(ptl)
            await spin_unlock(ptl)
            await pte_unmap_unlock(mm, ptl)


async def spins_for_mmap_lock(mm, addr):
    """Tries until it has the lock."""
    while not await mmap_read_trylock(mm):
        pass
    if await vma_lookup(mm, addr):
        await look(mm, addr)
    await mmap_read_unlock(mm)


async def pte_read_after_unlock(mm, addr):
    """Reads through the pte pointer once its lock is dropped."""
    async with mm.mmap_lock.read():
        pte, ptl = await map_lock(mm, addr) if await vma_lookup(mm, addr) else (None, None)
        if pte is not None:
            await pte_unmap_unlock(mm, ptl)
            await pte.read()


async def pte_changed_after_unlock(mm, addr):
    """Changes the entry once its lock is dropped."""
    async with mm.mmap_lock.read():
        pte, ptl = await map_lock(mm, addr) if await vma_lookup(mm, addr) else (None, None)
        if pte is not None:
            entry = await pte.read()
            await pte_unmap_unlock(mm, ptl)
            if entry.linux_present:
                await pte.test_and_clear_young()


async def stores_by_an_old_pmd(mm, addr):
    """The pmd read under mmap_lock, the store under the page-table lock alone."""
    async with mm.mmap_lock.read():
        pmd = await mm_find_pmd(mm, addr) if await vma_lookup(mm, addr) else None
        entry = await pmd.read() if pmd is not None else None
    if entry is not None and is_table(entry):
        async with rcu_read(mm.machine), pte_lockptr(mm, pmd, entry):
            await offset_lockless(pmd, entry, addr).test_and_clear_young()


# ---- entries judged by another load, or by one bit ----


async def two_loads_of_the_pmd(mm, addr):
    """Asks one load whether it is huge, another whether it is none, and follows that."""
    async with mm.mmap_lock.read():
        pmd = await mm_find_pmd(mm, addr) if await vma_lookup(mm, addr) else None
        if pmd is None or leaf(await pmd.read()):
            return
        entry = await pmd.read()
        if not none(entry):
            async with rcu_read(mm.machine):
                await offset_lockless(pmd, entry, addr).read()


async def tested_and_followed(mm, addr):
    """Tests one load for a table and follows the next."""
    async with mm.mmap_lock.read():
        pmd = await mm_find_pmd(mm, addr) if await vma_lookup(mm, addr) else None
        if pmd is not None and is_table(await pmd.read()):
            await offset_lockless(pmd, await pmd.read(), addr).read()


async def asks_the_hardware_bit(mm, addr):
    """Takes a huge pmd for a table while it is split: P is 0 then, and it is present all the same."""
    async with mm.mmap_lock.read():
        pmd = await mm_find_pmd(mm, addr) if await vma_lookup(mm, addr) else None
        entry = await pmd.read() if pmd is not None else None
        if entry is None or none(entry) or (entry.present and leaf(entry)):
            return
        async with rcu_read(mm.machine):
            await offset_lockless(pmd, entry, addr).read()


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


# ---- from the reverse map's side ----


async def rmap_lock_handed_over(mm, addr):
    """The reverse map's lock taken before mmap_lock is dropped."""
    await mmap_read_lock(mm)
    vma = await vma_lookup(mm, addr)
    tree = vma.rmap_trees[0] if vma is not None else None
    if tree is not None:
        await down_read(tree.rwsem)
    await mmap_read_unlock(mm)
    if tree is not None:
        await look(mm, addr)
        await up_read(tree.rwsem)


async def rmap_lock_handed_over_peek(mm, addr):
    """The same, the pte read without its lock."""
    await mmap_read_lock(mm)
    vma = await vma_lookup(mm, addr)
    tree = vma.rmap_trees[0] if vma is not None else None
    if tree is not None:
        await down_read(tree.rwsem)
    await mmap_read_unlock(mm)
    if tree is not None:
        await descend(mm, addr)
        await up_read(tree.rwsem)


async def rmap_lock_after_a_gap(mm, addr):
    """The reverse map's lock taken after mmap_lock was dropped."""
    await mmap_read_lock(mm)
    vma = await vma_lookup(mm, addr)
    await mmap_read_unlock(mm)
    if vma is not None:
        await down_read(vma.rmap_trees[0].rwsem)
        await look(mm, addr)
        await up_read(vma.rmap_trees[0].rwsem)


# ---- by callbacks ----


async def read_entry(pte, addr, end, walk):
    """A pte callback that looks."""
    await pte.read()
    return 0


async def clear_young(pte, addr, end, walk):
    """A pte callback that stores."""
    if (await pte.read()).linux_present:
        await pte.test_and_clear_young()
    return 0


async def peeks_in_pmd_entry(mm, addr):
    """Reads a pte from the pmd callback, without its lock."""

    async def pmd_entry(pmd, at, end, walk):
        entry = await pmd.read()
        if is_table(entry):
            await offset_lockless(pmd, entry, at).read()
        return 0

    async with mm.mmap_lock.read():
        await walk_page_range(mm, addr, addr + mm.format.page_size, MmWalkOps(pmd_entry=pmd_entry))


async def drops_the_lock_and_stops(mm, addr):
    """A callback that drops mmap_lock ends the walk."""

    async def pmd_entry(pmd, at, end, walk):
        await mmap_read_unlock(mm)
        return 1

    await mmap_read_lock(mm)
    if not await walk_page_range(mm, addr, addr + mm.format.page_size, MmWalkOps(pmd_entry=pmd_entry)):
        await mmap_read_unlock(mm)


async def drops_the_lock_and_goes_on(mm, addr):
    """A callback drops mmap_lock, takes it again, and the walk goes on with what it had."""

    async def pmd_entry(pmd, at, end, walk):
        await mmap_read_unlock(mm)
        await mmap_read_lock(mm)
        return 0

    await mmap_read_lock(mm)
    ops = MmWalkOps(pmd_entry=pmd_entry, pte_entry=read_entry)
    await walk_page_range(mm, addr, addr + mm.format.page_size, ops)
    await mmap_read_unlock(mm)


async def descends_in_a_hole(mm, addr):
    """A hole callback that looks for tables all the same."""

    async def pte_hole(at, end, depth, walk):
        await descend(mm, at)
        return 0

    async with mm.mmap_lock.read():
        await walk_page_range(mm, addr, addr + mm.format.page_size, MmWalkOps(pte_hole=pte_hole))


async def walks_without_mmap_lock(mm, addr):
    """The page walker without the lock it needs."""
    await walk_page_range(mm, addr, addr + mm.format.page_size, MmWalkOps(pte_entry=read_entry))


async def wants_the_lock_to_write(mm, addr):
    """Says that it write-locks the VMAs, and holds mmap_lock for reading."""
    async with mm.mmap_lock.read():
        ops = MmWalkOps(pte_entry=clear_young, walk_lock="write")
        await walk_page_range(mm, addr, addr + mm.format.page_size, ops)


async def novma_read_locked(mm, addr):
    """Whatever the VMAs are, mmap_lock for reading."""
    async with mm.mmap_lock.read():
        await walk_page_range_novma(mm, addr, addr + mm.format.page_size, MmWalkOps(pte_entry=read_entry))


async def novma_write_locked(mm, addr):
    """Whatever the VMAs are, mmap_lock for writing."""
    async with mm.mmap_lock.write():
        await walk_page_range_novma(mm, addr, addr + mm.format.page_size, MmWalkOps(pte_entry=read_entry))


async def novma_stores(mm, addr):
    """The same, and stores without the page-table lock."""
    async with mm.mmap_lock.write():
        await walk_page_range_novma(mm, addr, addr + mm.format.page_size, MmWalkOps(pte_entry=clear_young))
