"""mremap(2) with a move: page-table entries, or whole tables, go to another address.

Room: actors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.actors.munmap import do_munmap, split_at
from ptwalk.kernel.huge_memory import DepositTable, WithdrawTable, split_huge_pmd
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mmap_lock import mmap_write_lock, mmap_write_unlock
from ptwalk.kernel.pgalloc import pmd_alloc, table_alloc
from ptwalk.kernel.pgtable import (
    is_table,
    leaf,
    mm_find_pmd,
    none,
    pmd_lockptr,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.kernel.rmap import RmapChange, RmapTree
from ptwalk.kernel.tlbflush import flush_tlb_mm_range
from ptwalk.kernel.vma import ChangeVmas, Vma, VmasIn
from ptwalk.kernel.vma_lock import vma_start_write
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.rwsem import down_write, up_write

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.entries import EntryPointer


@allocates
async def mremap(mm: Mm, old: int, length: int, new: int, *, flush_late: bool = False) -> None:
    """Moves [old, old+length) to `new`, where nothing is mapped.  Declare the new pages with `mm.watch`.

    `flush_late` is the bug of CVE-2018-18281: the flush comes after the page-table locks were dropped.

    *Locking*: mmap_lock for writing throughout.
    *May see*: reverse-map walkers, unless it holds their locks; from 6.6 the removal of file pte tables.
    *Source*: mm/mremap.c move_vma, move_page_tables, 5.15; recorded in 6.1.176.
    """
    for page in mm.pages_in(old, old + length):
        mm.check_watched(page - old + new)
    await mmap_write_lock(mm)
    vmas = await VmasIn(mm, old, old + length)
    if len(vmas) == 1:
        (vma,) = await split_at(vmas, old, old + length)
        await vma_start_write(vma)
        copy = mm.vma_like(vma, old, old + length, moved_to=new)
        for tree in vma.rmap_trees:
            await down_write(tree.rwsem)
            await RmapChange(tree, on=(copy,))
            await up_write(tree.rwsem)
        await ChangeVmas(mm, (), (copy,))
        await move_page_tables(vma, old, new, length, flush_late)
        await do_munmap(mm, old, old + length, downgrade=False)
    await mmap_write_unlock(mm)


async def move_page_tables(vma: Vma, old: int, new: int, length: int, flush_late: bool) -> None:
    """Chunk by chunk: a whole pte table where both ends are aligned to its span, else the ptes one by one."""
    mm = vma.mm
    span = mm.pmd_level.size
    done = 0
    while done < length:
        at, to = old + done, new + done
        chunk = min(length - done, span - at % span, span - to % span)
        old_pmd = await mm_find_pmd(mm, at)
        if old_pmd is not None and not none(await old_pmd.read()):
            new_pmd = await pmd_alloc(mm, to)
            moved = False
            huge = leaf(await old_pmd.read())
            if huge and new_pmd is not None and chunk == span:
                moved = await move_huge_pmd(vma, at, to, old_pmd, new_pmd)
            elif huge:
                await split_huge_pmd(mm, old_pmd, at)
            elif new_pmd is not None and chunk == span:
                moved = await move_normal_pmd(vma, at, old_pmd, new_pmd, flush_late)
            if new_pmd is not None and not moved:
                if none(await new_pmd.read()):
                    await table_alloc(mm, new_pmd)
                await move_ptes(mm, old_pmd, new_pmd, at, to, chunk, flush_late)
        done += chunk


def rmap_trees_to_lock(vma: Vma) -> tuple[RmapTree, ...]:
    """The reverse maps whose locks are held for writing while a table or a huge entry is moved.

    *Source*: mm/mremap.c take_rmap_locks; always since 97113eb39fa7 (5.14).
    """
    return vma.rmap_trees if vma.mm.kernel.config.move_rmap_locks == "always" else ()


async def move_normal_pmd(
    vma: Vma, addr: int, old: EntryPointer, new: EntryPointer, flush_late: bool
) -> bool:
    """Hangs a whole pte table below another pmd; False if the place is taken or, from 6.12, the table is gone.

    *Locking*: mmap_lock and both reverse maps for writing; takes the PMD tables' locks.
    *Source*: mm/mremap.c move_normal_pmd, 5.15; the second look 6fa1066fc5d0 (6.12).
    """
    mm = vma.mm
    if not is_table(await old.read()):
        return False
    trees = rmap_trees_to_lock(vma)
    for tree in trees:
        await down_write(tree.rwsem)
    moved = False
    if none(await new.read()):
        old_lock, new_lock = pmd_lockptr(mm, old), pmd_lockptr(mm, new)
        await spin_lock(old_lock)
        if new_lock is not old_lock:
            await spin_lock(new_lock)
        entry = await old.read()
        if is_table(entry) or not mm.kernel.config.move_pmd_recheck:
            # Without the second look an entry cleared meanwhile is moved as if it named physical page 0.
            table = mm.machine.table_frame(entry)
            await old.clear(unlinks=table)
            await new.write(mm.format.make_table(table.pa, new.level), unlinks=table)
            if not flush_late:
                await flush_tlb_mm_range(mm, addr, addr + old.level.size)
            moved = True
        if new_lock is not old_lock:
            await spin_unlock(new_lock)
        await spin_unlock(old_lock)
        if moved and flush_late:
            await flush_tlb_mm_range(mm, addr, addr + old.level.size)
    for tree in reversed(trees):
        await up_write(tree.rwsem)
    return moved


async def move_huge_pmd(vma: Vma, addr: int, to: int, old: EntryPointer, new: EntryPointer) -> bool:
    """Moves a huge entry, and the table deposited for it; False if the place is taken or it is huge no more.

    *Locking*: mmap_lock and both reverse maps for writing; takes the PMD tables' locks.
    *Source*: mm/huge_memory.c move_huge_pmd, 5.15.
    """
    mm = vma.mm
    trees = rmap_trees_to_lock(vma)
    for tree in trees:
        await down_write(tree.rwsem)
    moved = False
    old_lock, new_lock = pmd_lockptr(mm, old), pmd_lockptr(mm, new)
    if none(await new.read()):
        await spin_lock(old_lock)
        if leaf(await old.read()):
            if new_lock is not old_lock:
                await spin_lock(new_lock)
            entry = await old.get_and_clear()
            table = await WithdrawTable(mm, addr)
            if table is not None:
                await DepositTable(mm, to, table)
            await new.write(entry)
            await flush_tlb_mm_range(mm, addr, addr + old.level.size)
            if new_lock is not old_lock:
                await spin_unlock(new_lock)
            moved = True
        await spin_unlock(old_lock)
    for tree in reversed(trees):
        await up_write(tree.rwsem)
    return moved


async def move_ptes(
    mm: Mm, old_pmd: EntryPointer, new_pmd: EntryPointer, old: int, new: int, length: int, flush_late: bool
) -> None:
    """Moves the ptes of one table, flushing before either lock is dropped.

    *Locking*: mmap_lock for writing; takes both pte tables' locks, the old one first.
    *Source*: mm/mremap.c move_ptes, 5.15.
    """
    old_pte, old_ptl = await pte_offset_map_lock(mm, old_pmd, old)
    if old_pte is None or old_ptl is None:
        return
    entry = await new_pmd.read()
    new_table = mm.machine.table_frame(entry)
    new_ptl = pte_lockptr(mm, new_pmd, entry)
    if new_ptl is not old_ptl:
        await spin_lock(new_ptl)
    force_flush = False
    for page in mm.pages_in(old, old + length):
        source = old_pte.frame.entry(mm.format.index(page, "pte"), "pte")
        target = new_table.entry(mm.format.index(page - old + new, "pte"), "pte")
        if none(await source.read()):
            continue
        entry = await source.get_and_clear()
        force_flush = force_flush or entry.linux_present
        await target.write(entry)
    if force_flush and not flush_late:
        await flush_tlb_mm_range(mm, old, old + length, freed_tables=False)
    if new_ptl is not old_ptl:
        await spin_unlock(new_ptl)
    await pte_unmap_unlock(mm, old_ptl)
    if force_flush and flush_late:
        await flush_tlb_mm_range(mm, old, old + length, freed_tables=False)
