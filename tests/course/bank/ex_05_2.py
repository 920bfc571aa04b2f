"""Answers to 05.2: the walker mended in two ways, and nine ways that are not enough."""

from ptwalk.kernel.mmap_lock import (
    mmap_read_lock,
    mmap_read_trylock,
    mmap_read_unlock,
    mmap_write_lock,
    mmap_write_unlock,
)
from ptwalk.kernel.pgtable import (
    is_table,
    mm_find_pmd,
    offset_lockless,
    pmd_lock,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.kernel.vma import find_vma
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.processor import rcu_read_lock, rcu_read_unlock
from ptwalk.walk.damon import damon_ptep_mkold, damon_va_mkold_v34
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range


async def pte_entry(pte, addr, end, walk):
    """What the page walk calls for each pte."""
    if (await pte.read()).linux_present:
        await damon_ptep_mkold(walk.mm, pte)
    return 0


async def by_page_walk(mm, addr):
    """As it was merged."""
    await mmap_read_lock(mm)
    await walk_page_range(mm, addr, addr + 1, MmWalkOps(pte_entry=pte_entry))
    await mmap_read_unlock(mm)


async def walk_down(mm, addr):
    """The walk itself, with one load of the pmd's value to follow."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None or not is_table(await pmd.read()):
        return
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return
    if (await pte.read()).linux_present:
        await damon_ptep_mkold(mm, pte)
    await pte_unmap_unlock(mm, ptl)


async def by_hand(mm, addr):
    """Lock, look, walk."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            await walk_down(mm, addr)


async def write_locked(mm, addr):
    """The sole right to change VMAs, and no VMA looked up."""
    await mmap_write_lock(mm)
    await walk_down(mm, addr)
    await mmap_write_unlock(mm)


async def looks_back(mm, addr):
    """Locks the pte table, then reads the pmd again."""
    pmd = await mm_find_pmd(mm, addr)
    entry = await pmd.read() if pmd is not None else None
    if entry is None or not is_table(entry):
        return
    ptl = pte_lockptr(mm, pmd, entry)
    await spin_lock(ptl)
    if (await pmd.read()).raw == entry.raw:
        await damon_ptep_mkold(mm, offset_lockless(pmd, entry, addr))
    await spin_unlock(ptl)


async def lock_too_late(mm, addr):
    """Reads the pmd, then takes mmap_lock."""
    pmd = await mm_find_pmd(mm, addr)
    entry = await pmd.read() if pmd is not None else None
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    if vma is not None and addr in vma and entry is not None and is_table(entry):
        ptl = pte_lockptr(mm, pmd, entry)
        await spin_lock(ptl)
        await damon_ptep_mkold(mm, offset_lockless(pmd, entry, addr))
        await spin_unlock(ptl)
    await mmap_read_unlock(mm)


async def look_too_early(mm, addr):
    """Finds the VMA, then takes mmap_lock."""
    vma = await find_vma(mm, addr)
    if vma is None or addr not in vma:
        return
    await mmap_read_lock(mm)
    await walk_down(mm, addr)
    await mmap_read_unlock(mm)


async def no_vma(mm, addr):
    """mmap_lock for reading, wherever the address is."""
    await mmap_read_lock(mm)
    await walk_down(mm, addr)
    await mmap_read_unlock(mm)


async def vma_above(mm, addr):
    """Believes that find_vma gives the VMA of the address."""
    async with mm.mmap_lock.read():
        if await find_vma(mm, addr) is not None:
            await walk_down(mm, addr)


async def dropped_early(mm, addr):
    """Holds mmap_lock only for the upper tables."""
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
    entry = await pmd.read() if pmd is not None else None
    await mmap_read_unlock(mm)
    if entry is None or not is_table(entry):
        return
    ptl = pte_lockptr(mm, pmd, entry)
    await spin_lock(ptl)
    await damon_ptep_mkold(mm, offset_lockless(pmd, entry, addr))
    await spin_unlock(ptl)


async def pmd_locked(mm, addr):
    """Holds the lock of the PMD table all the time."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None:
        return
    pml = await pmd_lock(mm, pmd)
    await walk_down(mm, addr)
    await spin_unlock(pml)


async def keeps_lock(mm, addr):
    """Forgets to unlock when it leaves early."""
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    if vma is None or addr not in vma:
        return
    await walk_down(mm, addr)
    await mmap_read_unlock(mm)


async def upper_tables_first(mm, addr):
    """Goes down once without the lock, to see if it is worth the while."""
    if await mm_find_pmd(mm, addr) is None:
        return
    await by_hand(mm, addr)


async def whole_table(mm, addr):
    """Two MiB instead of one page."""
    async with mm.mmap_lock.read():
        await walk_page_range(mm, addr, addr + (2 << 20), MmWalkOps(pte_entry=pte_entry))


async def asserts(mm, addr):
    """Believes that there is a VMA."""
    async with mm.mmap_lock.read():
        assert addr in await find_vma(mm, addr)
        await walk_down(mm, addr)


async def under_rcu(mm, addr):
    """An RCU section, on a kernel that does not free by RCU."""
    await rcu_read_lock(mm.machine)
    await walk_down(mm, addr)
    await rcu_read_unlock(mm.machine)


async def gives_up(mm, addr):
    """Right: a trylock, and another time if it fails."""
    if await mmap_read_trylock(mm):
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            await walk_down(mm, addr)
        await mmap_read_unlock(mm)


async def does_nothing(mm, addr):
    """Safe, and of no use."""


async def clears_all(mm, addr):
    """Writes the wrong thing."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            pmd = await mm_find_pmd(mm, addr)
            pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
            entry = await pte.read()
            await pte.write(entry.raw & ~0x22)
            await pte_unmap_unlock(mm, ptl)


def not_async(mm, addr):
    """A plain function."""


RIGHT = {
    "page walk": lambda: by_page_walk,
    "by hand": lambda: by_hand,
    "write lock": lambda: write_locked,
    "trylock": lambda: gives_up,
}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "not async": (lambda: not_async, "is not async"),
    "does nothing": (lambda: does_nothing, "still marked accessed"),
    "clears too much": (lambda: clears_all, "Only the accessed bit"),
    "as it was": (lambda: damon_va_mkold_v34, "took no lock before it read"),
    "looks back at the pmd": (lambda: looks_back, "to find out that it was freed"),
    "mmap_lock after the pmd": (lambda: lock_too_late, "older than your lock"),
    "find_vma before mmap_lock": (lambda: look_too_early, "between your look at it and your lock"),
    "no VMA": (lambda: no_vma, "asked for no VMA"),
    "the next VMA above": (lambda: vma_above, "the next VMA above it"),
    "mmap_lock dropped early": (lambda: dropped_early, "took the page-table lock then"),
    "lock of the PMD table": (lambda: pmd_locked, "takes no page-table lock"),
    "upper tables first": (lambda: upper_tables_first, "You read a table, then took mmap_lock"),
    "the whole table": (lambda: whole_table, "the next page lost its accessed bit too"),
    "asserts a VMA": (lambda: asserts, "raised"),
    "RCU for it": (lambda: under_rcu, "munmap freed one under it"),
    "keeps mmap_lock": (lambda: keeps_lock, "still holds the mmap_lock"),
}
