"""Walkers as kernel engineers write them: locks handed over, dropped, inverted or kept.

By the names that the page for engineers gives; the verdicts are in `test_patches.py`.  Those in `walkers.py` are about
which lock is taken, these about what is done with it.
"""

from ptwalk.kernel import (
    down_read,
    find_vma,
    is_table,
    leaf,
    lock_vma_under_rcu,
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_trylock,
    mmap_read_unlock,
    mmap_write_lock,
    mmap_write_unlock,
    none,
    offset_lockless,
    pgd_offset,
    pmd_lock,
    preempt_disable,
    preempt_enable,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
    rcu_read,
    spin_lock,
    spin_unlock,
    up_read,
    vma_end_read,
    vma_lookup,
)


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
