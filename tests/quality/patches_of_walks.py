"""Walkers as kernel engineers write them: by callbacks, and from the reverse map's side.

By the names that the page for engineers gives; the verdicts are in `test_patches.py`.
"""

from ptwalk.kernel import (
    down_read,
    is_table,
    mmap_read_lock,
    mmap_read_unlock,
    offset_lockless,
    up_read,
    vma_lookup,
)
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range, walk_page_range_novma

from .patches_of_locks import descend, look

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
