"""Walkers as kernel engineers write them, right and wrong ones; the test beside says what becomes of each."""

from ptwalk.kernel import (
    find_vma,
    irqs_off,
    is_table,
    local_irq_enable,
    local_irq_restore,
    local_irq_save,
    lock_vma_under_rcu,
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_trylock,
    mmap_read_unlock,
    mmap_write_downgrade,
    mmap_write_lock,
    mmap_write_unlock,
    none,
    offset_lockless,
    pmd_lockptr,
    pmd_none_or_clear_bad,
    pte_lockptr,
    pte_offset_map,
    pte_offset_map_lock,
    pte_unmap,
    pte_unmap_unlock,
    rcu_read,
    spin_trylock,
    spin_unlock,
    vma_end_read,
    vma_start_write,
)


async def read_pte(mm, addr):
    """The end of most walks here."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None or not is_table(await pmd.read()):
        return None
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return None
    entry = await pte.read()
    await pte_unmap_unlock(mm, ptl)
    return entry


async def peek(mm, addr):
    """The same without the lock."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None:
        return None
    e = await pmd.read()
    if not is_table(e):
        return None
    return await offset_lockless(pmd, e, addr).read()


async def invma(mm, addr):
    """The VMA around the address, or None."""
    vma = await find_vma(mm, addr)
    return vma if vma is not None and addr in vma else None


async def a_right(mm, addr):
    """Rule (a), with an atomic clear."""
    async with mm.mmap_lock.read():
        if not await invma(mm, addr):
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return
        if (await pte.read()).linux_present:
            await pte.test_and_clear_young()
        await pte_unmap_unlock(mm, ptl)


async def a_plain(mm, addr):
    """The same with a load and a store."""
    async with mm.mmap_lock.read():
        if not await invma(mm, addr):
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return
        e = await pte.read()
        if e.linux_present:
            await pte.write(mm.format.mkold(e.raw, pte.level))
        await pte_unmap_unlock(mm, ptl)


async def a_peek(mm, addr):
    """Rule (a), ptes without their lock."""
    async with mm.mmap_lock.read():
        if await invma(mm, addr):
            await peek(mm, addr)


async def a_peek_rcu(mm, addr):
    """The same under RCU."""
    async with mm.mmap_lock.read():
        if await invma(mm, addr):
            async with rcu_read(mm.machine):
                await peek(mm, addr)


async def a_null_not_handled(mm, addr):
    """Believes that pte_offset_map_lock always finds a table."""
    async with mm.mmap_lock.read():
        if not await invma(mm, addr):
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        await pte.read()
        await pte_unmap_unlock(mm, ptl)


async def a_pmd_not_tested(mm, addr):
    """Does not test the pmd."""
    async with mm.mmap_lock.read():
        if not await invma(mm, addr):
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None:
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return
        await pte.read()
        await pte_unmap_unlock(mm, ptl)


async def hole(mm, addr):
    """No VMA looked up."""
    async with mm.mmap_lock.read():
        await read_pte(mm, addr)


async def stale_vma(mm, addr):
    """Keeps the VMA over a drop of the lock."""
    async with mm.mmap_lock.read():
        v = await invma(mm, addr)
    if v is None:
        return
    async with mm.mmap_lock.read():
        await read_pte(mm, addr)


async def vma_above(mm, addr):
    """find_vma gives the next VMA above; the address is not in it."""
    async with mm.mmap_lock.read():
        if await find_vma(mm, addr):
            await read_pte(mm, addr)


async def b_peek(mm, addr):
    """Rule (b) to the letter."""
    await mmap_write_lock(mm)
    await peek(mm, addr)
    await mmap_write_unlock(mm)


async def b_peek_vmaw(mm, addr):
    """Rule (b), and the VMA write-locked."""
    await mmap_write_lock(mm)
    v = await invma(mm, addr)
    if v:
        await vma_start_write(v)
    await peek(mm, addr)
    await mmap_write_unlock(mm)


async def b_downgrade(mm, addr):
    """Found for writing, walked for reading, never dropped."""
    await mmap_write_lock(mm)
    v = await invma(mm, addr)
    await mmap_write_downgrade(mm)
    if v:
        await read_pte(mm, addr)
    await mmap_read_unlock(mm)


async def c_irq(mm, addr):
    """Rule (c)."""
    async with irqs_off(mm.machine):
        await peek(mm, addr)


async def c_irq_reenabled(mm, addr):
    """Interrupts on for a moment in mid-walk."""
    async with irqs_off(mm.machine):
        pmd = await mm_find_pmd(mm, addr)
        e = await pmd.read() if pmd else None
    if e is None or not is_table(e):
        return
    async with irqs_off(mm.machine):
        await offset_lockless(pmd, e, addr).read()


async def c_irq_save_nested(mm, addr):
    """The inner enable forgets the outer save."""
    f = await local_irq_save(mm.machine)
    await local_irq_save(mm.machine)
    await local_irq_enable(mm.machine)  # forgets the outer
    await peek(mm, addr)
    await local_irq_restore(mm.machine, f)


async def rcu_only(mm, addr):
    """RCU in place of interrupts off."""
    async with rcu_read(mm.machine):
        await peek(mm, addr)


async def wrong_recheck(mm, addr):
    """Looks at the pte again, not at the pmd."""
    async with rcu_read(mm.machine):
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None:
            return
        e = await pmd.read()
        if not is_table(e):
            return
        pte = offset_lockless(pmd, e, addr)
        old = await pte.read()
        async with pte_lockptr(mm, pmd, e):
            if (await pte.read()).raw == old.raw and old.linux_present:
                await pte.test_and_clear_young()


async def read_twice(mm, addr):
    """Takes mmap_lock for reading twice."""
    async with mm.mmap_lock.read(), mm.mmap_lock.read():
        if await invma(mm, addr):
            await read_pte(mm, addr)


async def huge_not_handled(mm, addr):
    """Takes a huge pmd for a table."""
    async with mm.mmap_lock.read():
        if not await invma(mm, addr):
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None:
            return
        e = await pmd.read()
        if none(e):
            return
        async with rcu_read(mm.machine):
            await offset_lockless(pmd, e, addr).read()


async def clear_bad(mm, addr):
    """Takes a huge pmd for a bad one."""
    async with mm.mmap_lock.read():
        if not await invma(mm, addr):
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or await pmd_none_or_clear_bad(pmd):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is not None:
            await pte_unmap_unlock(mm, ptl)


async def vma_lock_peek(mm, addr):
    """The VMA's own lock, ptes without theirs."""
    v = await lock_vma_under_rcu(mm, addr)
    if v is None:
        return
    await peek(mm, addr)
    await vma_end_read(v)


async def vma_lock_dropped(mm, addr):
    """The VMA's own lock, dropped too early."""
    v = await lock_vma_under_rcu(mm, addr)
    if v is None:
        return
    await vma_end_read(v)
    await read_pte(mm, addr)


async def try_right(mm, addr):
    """Leaves where the lock is taken."""
    if not await mmap_read_trylock(mm):
        return
    if await invma(mm, addr):
        await read_pte(mm, addr)
    await mmap_read_unlock(mm)


async def try_ignored(mm, addr):
    """Does not look whether it got the lock."""
    await mmap_read_trylock(mm)
    if await invma(mm, addr):
        await read_pte(mm, addr)
    await mmap_read_unlock(mm)


async def nested_try(mm, addr):
    """Tries the pmd lock from inside the pte lock."""
    async with mm.mmap_lock.read():
        if not await invma(mm, addr):
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return
        pml = pmd_lockptr(mm, pmd)
        if await spin_trylock(pml):
            await pte.read()
            await spin_unlock(pml)
        await pte_unmap_unlock(mm, ptl)


async def ml_dropped_under_ptl(mm, addr):
    """Drops mmap_lock once it has the page-table lock."""
    await mmap_read_lock(mm)
    v = await invma(mm, addr)
    pmd = await mm_find_pmd(mm, addr) if v else None
    if pmd is None or not is_table(await pmd.read()):
        await mmap_read_unlock(mm)
        return
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    await mmap_read_unlock(mm)
    if pte is None:
        return
    if (await pte.read()).linux_present:
        await pte.test_and_clear_young()
    await pte_unmap_unlock(mm, ptl)


async def check_then_lock(mm, addr):
    """Decides before the lock what it stores under it."""
    async with mm.mmap_lock.read():
        if not await invma(mm, addr):
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or not is_table(await pmd.read()):
            return
        pte = await pte_offset_map(mm, pmd, addr)
        if pte is None:
            return
        e = await pte.read()
        await pte_unmap(mm)
        if not e.linux_present:
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return
        await pte.write(mm.format.mkold(e.raw, pte.level))
        await pte_unmap_unlock(mm, ptl)


async def upper_then_ml(mm, addr):
    """Goes down before it takes the lock."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None:
        return
    async with mm.mmap_lock.read():
        if not await invma(mm, addr):
            return
        if not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return
        await pte.read()
        await pte_unmap_unlock(mm, ptl)


async def sees_frame(mm, addr):
    """Takes the address of an entry that may not be present."""
    async with mm.mmap_lock.read():
        if not await invma(mm, addr):
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return
        e = await pte.read()
        await pte_unmap_unlock(mm, ptl)
        return e.address // 4096
