"""Answers to 04.2: the accessed bit cleared in right ways and in the ways that lose something."""

from ptwalk.kernel.pgtable import offset_lockless, pte_offset_map_lock, pte_unmap_unlock


def locked(body, null=True):
    """A clear_young() that does `body(mm, pte)` under the table's lock."""

    async def clear_young(mm, pmd, addr):
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if null and pte is None:
            return False
        result = await body(mm, pte)
        await pte_unmap_unlock(mm, ptl)
        return result

    return clear_young


async def atomic(mm, pte):
    """One step."""
    return (await pte.test_and_clear_young()).accessed


async def only_if_present(mm, pte):
    """Looks first."""
    if not (await pte.read()).linux_present:
        return False
    return (await pte.test_and_clear_young()).accessed


async def compare_and_swap(mm, pte):
    """A loop."""
    while True:
        entry = await pte.read()
        if not entry.linux_present or not entry.accessed:
            return False
        if await pte.cmpxchg(entry, mm.format.mkold(entry.raw, "pte")):
            return True


async def swap_once(mm, pte):
    """One try. Only the hardware can make it fail here, and the hardware has set A again then."""
    entry = await pte.read()
    if not entry.linux_present or not entry.accessed:
        return False
    await pte.cmpxchg(entry, mm.format.mkold(entry.raw, "pte"))
    return True


async def swap_failed_is_old(mm, pte):
    """One try, and if it fails the page is called old."""
    entry = await pte.read()
    if not entry.linux_present or not entry.accessed:
        return False
    return bool(await pte.cmpxchg(entry, mm.format.mkold(entry.raw, "pte")))


async def old_news(mm, pte):
    """Clears in one step, and tells what it saw in the step before."""
    entry = await pte.read()
    await pte.test_and_clear_young()
    return entry.accessed


async def always_young(mm, pte):
    """Clears, and does not look at what it cleared."""
    await pte.test_and_clear_young()
    return True


async def looks_afterwards(mm, pte):
    """Tells what is there when A is gone."""
    await pte.test_and_clear_young()
    return (await pte.read()).accessed


async def with_finally(mm, pmd, addr):
    """Right: one way out for the lock."""
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    try:
        return pte is not None and (await pte.test_and_clear_young()).accessed
    finally:
        if ptl is not None:
            await pte_unmap_unlock(mm, ptl)


async def modify_prot(mm, pte):
    """Takes the entry away, and puts it back old: the hardware faults in between."""
    entry = await pte.get_and_clear()
    if entry.linux_present:
        await pte.write(mm.format.mkold(entry.raw, "pte"))
        return entry.accessed
    await pte.write(entry)
    return False


async def load_and_store(mm, pte):
    """As DAMON v34 had it."""
    entry = await pte.read()
    if entry.accessed:
        await pte.write(mm.format.mkold(entry.raw, "pte"))
    return entry.accessed


async def load_and_store_looking_twice(mm, pte):
    """A second load before the store: the window is smaller."""
    entry = await pte.read()
    if entry.accessed:
        again = await pte.read()
        await pte.write(mm.format.mkold(again.raw, "pte"))
    return entry.accessed


async def clears_d(mm, pte):
    """A mask too wide."""
    old = await pte.test_and_clear_young()
    await pte.update("mkclean")
    return old.accessed


async def forgets_result(mm, pte):
    """Nothing comes back."""
    await pte.test_and_clear_young()


async def only_looks(mm, pte):
    """Clears nothing."""
    return (await pte.read()).accessed


async def clears_all(mm, pte):
    """Takes the whole entry."""
    return (await pte.get_and_clear()).accessed


async def without_lock(mm, pmd, addr):
    """Atomic, and the table's lock is not held."""
    return (await offset_lockless(pmd, await pmd.read(), addr).test_and_clear_young()).accessed


async def xchg_without_lock(mm, pmd, addr):
    """Takes it away and puts it back, without the lock."""
    pte = offset_lockless(pmd, await pmd.read(), addr)
    return await modify_prot(mm, pte)


async def keeps_lock(mm, pmd, addr):
    """One return too many."""
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return False
    if not (await pte.read()).accessed:
        return False
    result = await atomic(mm, pte)
    await pte_unmap_unlock(mm, ptl)
    return result


RIGHT = {
    "one atomic step": lambda: locked(atomic),
    "looks first": lambda: locked(only_if_present),
    "compare and swap": lambda: locked(compare_and_swap),
    "compare and swap once": lambda: locked(swap_once),
    "with finally": lambda: with_finally,
    "take away and put back": lambda: locked(modify_prot),
}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "as shipped": (lambda: locked(load_and_store), "the hardware set D"),
    "two loads and a store": (lambda: locked(load_and_store_looking_twice), "the hardware set D"),
    "a mask too wide": (lambda: locked(clears_d), "its D is gone"),
    "no result": (lambda: locked(forgets_result), "gave None"),
    "a failed swap means old": (lambda: locked(swap_failed_is_old), "A was set from the first step on"),
    "old news": (lambda: locked(old_news), "A was set and is gone"),
    "always young": (lambda: locked(always_young), "At the second call A was clear"),
    "looks afterwards": (lambda: locked(looks_afterwards), "A was set, and clear_young() gave False"),
    "only looks": (lambda: locked(only_looks), "A is still set"),
    "takes the entry": (lambda: locked(clears_all), "its D is gone"),
    "without the lock": (lambda: without_lock, "without"),
    "xchg without the lock": (lambda: xchg_without_lock, "without"),
    "no table is not foreseen": (lambda: locked(atomic, null=False), "may find no table"),
    "keeps the lock": (lambda: keeps_lock, "holds"),
    "no async": (lambda: lambda mm, pmd, addr: True, "async def clear_young"),
}
