"""Answers to 08.1: survey() with the drop in its right place, and with what people keep across it."""

from ptwalk.kernel import (
    find_vma,
    is_table,
    leaf,
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_unlock,
    offset_lockless,
    pte_offset_map_lock,
    pte_unmap_unlock,
)


async def page_at(mm, addr):
    """Whether there is a page, walked from the top."""
    pmd = await mm_find_pmd(mm, addr)
    return pmd is not None and await page_below(pmd, await pmd.read(), addr)


async def page_below(pmd, entry, addr):
    """The same, below a pmd value."""
    if not is_table(entry):
        return leaf(entry)
    return (await offset_lockless(pmd, entry, addr).read()).linux_present


async def guarded(mm, addrs):
    """Right: one hold an address."""
    found = []
    for addr in addrs:
        async with mm.mmap_lock.read():
            vma = await find_vma(mm, addr)
            if vma is not None and addr in vma and await page_at(mm, addr):
                found.append(addr)
    return found


async def as_khugepaged(mm, addrs):
    """Right: holds the lock at first, drops and revalidates, reads ptes under their lock."""
    found = []
    await mmap_read_lock(mm)
    for number, addr in enumerate(addrs):
        if number:
            await mmap_read_unlock(mm)
            await mmap_read_lock(mm)
        vma = await find_vma(mm, addr)
        if vma is None or addr not in vma:
            continue
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or not is_table(await pmd.read()):
            continue
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if (await pte.read()).linux_present:
            found.append(addr)
        await pte_unmap_unlock(mm, ptl)
    await mmap_read_unlock(mm)
    return found


async def looked_up_before(mm, addrs):
    """Finds the VMA, drops, walks."""
    found = []
    await mmap_read_lock(mm)
    for addr in addrs:
        vma = await find_vma(mm, addr)
        await mmap_read_unlock(mm)
        await mmap_read_lock(mm)
        if vma is not None and addr in vma and await page_at(mm, addr):
            found.append(addr)
    await mmap_read_unlock(mm)
    return found


async def looked_up_unlocked(mm, addrs):
    """Finds the VMA before it takes the lock."""
    found = []
    for addr in addrs:
        vma = await find_vma(mm, addr)
        async with mm.mmap_lock.read():
            if vma is not None and addr in vma and await page_at(mm, addr):
                found.append(addr)
    return found


async def kept_pmd(mm, addrs, compare=False):
    """Goes on with the pmd value of before while it is in the same 2 MiB."""
    found, entry, at, old = [], None, 0, None
    for addr in addrs:
        await mmap_read_lock(mm)
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            if entry is None or addr >> 21 != at >> 21 or (compare and vma is not old):
                pmd = await mm_find_pmd(mm, addr)
                entry = await pmd.read() if pmd is not None else None
                at, old = addr, vma
            if entry is not None and await page_below(pmd, entry, addr):
                found.append(addr)
        await mmap_read_unlock(mm)
    return found


async def compared(mm, addrs):
    """The same, while the VMA compares equal."""
    return await kept_pmd(mm, addrs, compare=True)


async def some_vma(mm, addrs):
    """Any VMA will do."""
    found = []
    for addr in addrs:
        async with mm.mmap_lock.read():
            if await find_vma(mm, addr) is not None and await page_at(mm, addr):
                found.append(addr)
    return found


async def old_address(mm, addrs):
    """Looks up the address of the round before."""
    found, last = [], addrs[0]
    for addr in addrs:
        async with mm.mmap_lock.read():
            vma = await find_vma(mm, last)
            if vma is not None and last in vma and await page_at(mm, addr):
                found.append(addr)
        last = addr
    return found


async def keeps_ptl(mm, addrs):
    """Drops the table's lock one round late."""
    found, ptl = [], None
    for addr in addrs:
        async with mm.mmap_lock.read():
            if ptl is not None:
                await pte_unmap_unlock(mm, ptl)
                ptl = None
            vma = await find_vma(mm, addr)
            if vma is None or addr not in vma:
                continue
            pmd = await mm_find_pmd(mm, addr)
            pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
            if (await pte.read()).linux_present:
                found.append(addr)
    await pte_unmap_unlock(mm, ptl)
    return found


async def never_drops(mm, addrs):
    """One hold for all."""
    found = []
    async with mm.mmap_lock.read():
        for addr in addrs:
            vma = await find_vma(mm, addr)
            if vma is not None and addr in vma and await page_at(mm, addr):
                found.append(addr)
    return found


async def no_lock(mm, addrs):
    """No lock at all."""
    return [addr for addr in addrs if await page_at(mm, addr)]


async def stops_at_hole(mm, addrs):
    """A hole is taken for the end."""
    found = []
    for addr in addrs:
        async with mm.mmap_lock.read():
            vma = await find_vma(mm, addr)
            if vma is None or addr not in vma:
                break
            if await page_at(mm, addr):
                found.append(addr)
    return found


async def finds_nothing(mm, addrs):
    """Safe, and of no use."""
    return []


async def as_shipped(mm, addrs):
    """Nothing yet."""


async def all_of_them(mm, addrs):
    """Looks at nothing."""
    return list(addrs)


RIGHT = {"one hold an address": lambda: guarded, "revalidates, under the ptl": lambda: as_khugepaged}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "as shipped": (lambda: as_shipped, "It gives a list"),
    "not async": (lambda: len, "no async function"),
    "looked up before the drop": (lambda: looked_up_before, "did not ask for the VMA again"),
    "looked up without the lock": (lambda: looked_up_unlocked, "while you did not hold mmap_lock"),
    "kept pmd": (lambda: kept_pmd, "a pmd value from before the drop"),
    "compares VMAs": (lambda: compared, "another one has the same place"),
    "some VMA": (lambda: some_vma, "find_vma gives the next one above"),
    "old address": (lambda: old_address, "is not the one you walk in"),
    "keeps the ptl": (lambda: keeps_ptl, "Sleeping while atomic"),
    "never drops": (lambda: never_drops, "waits for the whole walk"),
    "no lock": (lambda: no_lock, "never takes mmap_lock"),
    "stops at a hole": (lambda: stops_at_hole, "There was a page at"),
    "finds nothing": (lambda: finds_nothing, "There was a page at 0x4000400000"),
    "names every address": (lambda: all_of_them, "and never was"),
}
