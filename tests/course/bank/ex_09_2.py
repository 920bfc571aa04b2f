"""Answers to 09.2: damon_mkold() in two right shapes, and in those of the review."""

from ptwalk.kernel import (
    find_vma,
    is_table,
    leaf,
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_unlock,
    mmap_write_lock,
    mmap_write_unlock,
    pmd_lock,
    pmd_trans_huge_lock,
    pte_offset_map_lock,
    pte_unmap_unlock,
    spin_unlock,
)
from ptwalk.machine.folio import GetPageUnlessZero, PutPage
from ptwalk.walk.damon import damon_va_mkold, damon_va_mkold_v34
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range


async def both_entry(pmd, addr, end, walk):
    """Huge or small, atomically."""
    mm = walk.mm
    ptl = await pmd_trans_huge_lock(mm, pmd)
    if ptl is not None:
        if (await pmd.read()).linux_present:
            await pmd.test_and_clear_young()
        await spin_unlock(ptl)
        return 0
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr) if is_table(await pmd.read()) else (None, None)
    if pte is not None:
        if (await pte.read()).linux_present:
            await pte.test_and_clear_young()
        await pte_unmap_unlock(mm, ptl)
    return 0


def walk(ops, read=True):
    """A walk with these callbacks."""

    async def damon_mkold(mm, addr):
        async with mm.mmap_lock.read() if read else mm.mmap_lock.write():
            await walk_page_range(mm, addr, addr + 1, ops)

    return damon_mkold


async def huge_only(pmd, addr, end, walk):
    """Huge pages here; the ptes come to pte_entry."""
    ptl = await pmd_trans_huge_lock(walk.mm, pmd)
    if ptl is not None:
        if (await pmd.read()).linux_present:
            await pmd.test_and_clear_young()
        await spin_unlock(ptl)
        walk.action = "continue"
    return 0


async def small(pte, addr, end, walk):
    """One pte, locked."""
    if (await pte.read()).linux_present:
        await pte.test_and_clear_young()
    return 0


async def by_hand(mm, addr):
    """Right: without the walk, VMA and all."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
        if pmd is not None:
            await clear_below(mm, pmd, addr)


async def clear_below(mm, pmd, addr, checked=True, plain=False):
    """Huge or small, below a pmd."""
    entry = await pmd.read()
    if leaf(entry):
        ptl = await pmd_lock(mm, pmd)
        if leaf(await pmd.read()):
            await pmd.test_and_clear_young()
        await spin_unlock(ptl)
    elif is_table(entry):
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None and checked:
            return
        entry = await pte.read()
        if entry.linux_present:
            if plain:
                await pte.write(mm.format.mkold(entry.raw, "pte"))
            else:
                await pte.test_and_clear_young()
        await pte_unmap_unlock(mm, ptl)


async def write_locked(mm, addr, checked=True):
    """T2a: mmap_lock for writing, VMAs ignored."""
    async with mm.mmap_lock.write():
        pmd = await mm_find_pmd(mm, addr)
        if pmd is not None:
            await clear_below(mm, pmd, addr, checked)


async def write_locked_unchecked(mm, addr):
    """The same, and a table that may be None."""
    await write_locked(mm, addr, False)


async def dropped(mm, addr):
    """T2b: the lock returned out of a helper."""
    await mmap_write_lock(mm)
    pmd = await mm_find_pmd(mm, addr)
    pte = ptl = None
    huge = False
    if pmd is not None:
        ptl = await pmd_trans_huge_lock(mm, pmd)
        if ptl is not None:
            pte, huge = pmd, True
        elif is_table(await pmd.read()):
            pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    await mmap_write_unlock(mm)
    if pte is not None:
        if (await pte.read()).linux_present:
            await pte.test_and_clear_young()
        await (spin_unlock(ptl) if huge else pte_unmap_unlock(mm, ptl))


async def no_vma(mm, addr):
    """mmap_lock for reading, VMAs ignored."""
    async with mm.mmap_lock.read():
        pmd = await mm_find_pmd(mm, addr)
        if pmd is not None:
            await clear_below(mm, pmd, addr)


async def plain_store(mm, addr):
    """A load and a store."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
        if pmd is not None:
            await clear_below(mm, pmd, addr, plain=True)


async def plain_huge(mm, addr):
    """A load and a store, for huge pages only."""

    async def entry(pmd, at, end, walk):
        ptl = await pmd_trans_huge_lock(mm, pmd)
        if ptl is None:
            return await both_entry(pmd, at, end, walk)
        found = await pmd.read()
        if found.linux_present:
            await pmd.write(mm.format.mkold(found.raw, "pmd"))
        await spin_unlock(ptl)
        return 0

    await walk(MmWalkOps(pmd_entry=entry))(mm, addr)


async def pmd_huge_only(pmd, addr, end, walk):
    """Whatever is no table and not none is huge."""
    entry = await pmd.read()
    if not is_table(entry) and entry.raw:
        ptl = await pmd_lock(walk.mm, pmd)
        if not is_table(await pmd.read()):
            await pmd.test_and_clear_young()
        await spin_unlock(ptl)
        return 0
    return await both_entry(pmd, addr, end, walk)


async def keeps_pml(pmd, addr, end, walk):
    """Leaves with the lock of the PMD table."""
    ptl = await pmd_trans_huge_lock(walk.mm, pmd)
    if ptl is not None:
        await pmd.test_and_clear_young()
        return 0
    return await both_entry(pmd, addr, end, walk)


async def hole_too(addr, end, depth, walk):
    """For statistics."""
    return 0


async def small_pages_only(pmd, addr, end, walk):
    """Huge pages are left alone."""
    if leaf(await pmd.read()):
        return 0
    return await both_entry(pmd, addr, end, walk)


async def page_first(pmd, addr, end, walk):
    """Takes the page before it asks whether there is one."""
    mm = walk.mm
    entry = await pmd.read()
    if not is_table(entry) and entry.address is not None:
        page = mm.machine.frame_at(entry.address)
        if await GetPageUnlessZero(page):
            await both_entry(pmd, addr, end, walk)
            await PutPage(page)
        return 0
    return await both_entry(pmd, addr, end, walk)


async def nothing(mm, addr):
    """Reads, and does no more."""
    await mmap_read_lock(mm)
    await mm_find_pmd(mm, addr)
    await mmap_read_unlock(mm)


async def two_pages(mm, addr):
    """Does its work at the next page as well."""
    await by_hand(mm, addr)
    await by_hand(mm, addr + 4096)


RIGHT = {
    "one pmd_entry": lambda: walk(MmWalkOps(pmd_entry=both_entry)),
    "pmd_entry and pte_entry": lambda: walk(MmWalkOps(pmd_entry=huge_only, pte_entry=small)),
    "by hand": lambda: by_hand,
    "larger than needed": lambda: write_locked,
}
WRONG = {
    "as shipped": (lambda: damon_va_mkold_v34, "This is T1"),
    "nothing done": (lambda: nothing, "the 4 KiB page is still marked accessed"),
    "no VMA": (lambda: no_vma, "You read tables where no VMA is"),
    "lock returned": (lambda: dropped, "this changer cuts the table first"),
    "None used": (lambda: write_locked_unchecked, "No table came back, and you used it"),
    "pte_entry only": (lambda: walk(MmWalkOps(pte_entry=small)), "the walk split the huge page"),
    "small pages only": (
        lambda: walk(MmWalkOps(pmd_entry=small_pages_only)),
        "the huge page is still marked accessed",
    ),
    "as merged in 5.15": (lambda: damon_va_mkold, "between your load and your store"),
    "plain store to a huge page": (lambda: plain_huge, "a program that writes to a huge page"),
    "not a table is huge": (lambda: walk(MmWalkOps(pmd_entry=pmd_huge_only)), "changed that word"),
    "a frame out of it": (lambda: walk(MmWalkOps(pmd_entry=page_first)), "you took a frame out of that word"),
    "keeps the lock": (lambda: walk(MmWalkOps(pmd_entry=keeps_pml)), "at a huge page, kernel 5.15.0"),
    "a hole callback": (
        lambda: walk(MmWalkOps(pmd_entry=both_entry, pte_hole=hole_too)),
        "Against munmap-everything, kernel 5.15.0",
    ),
    "the next page too": (lambda: two_pages, "the entry of another page"),
}
