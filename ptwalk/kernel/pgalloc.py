"""Installing tables: allocate outside of the lock, look again under it, install or throw away.

Room: kernel.  *Source*: mm/memory.c __pud_alloc, __pmd_alloc, __pte_alloc, 5.15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.pgtable import is_table, lock_of_table, none, offset_lockless, pgd_offset
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.frames import AllocateFrame, free_frame
from ptwalk.machine.locks import spin_lock, spin_unlock

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


async def table_alloc(mm: Mm, upper: EntryPointer) -> None:
    """Hangs a new table below `upper` unless somebody was faster; the loser frees its own.

    *Locking*: mmap_lock or a VMA lock; takes the PMD table's lock for a pte table, page_table_lock above.
    """
    below = mm.format.levels[upper.level.depth + 1].name
    table = await AllocateFrame(mm.machine, below)
    lock = lock_of_table(mm, upper.frame) if upper.level.depth == mm.pmd_level.depth else mm.page_table_lock
    await spin_lock(lock)
    lost = not none(await upper.read())
    if not lost:
        await upper.write(mm.format.make_table(table.pa, upper.level), unlinks=table)
    await spin_unlock(lock)
    if lost:
        await free_frame(mm.machine, table)


async def pmd_alloc(mm: Mm, addr: int) -> EntryPointer | None:
    """The pmd pointer for `addr`, with the tables above it made as needed; None at a huge pud.

    *Locking*: mmap_lock or a VMA lock.
    """
    pointer = pgd_offset(mm, addr)
    while pointer.level.depth < mm.pmd_level.depth:
        entry = await pointer.read()
        if none(entry):
            await table_alloc(mm, pointer)
            entry = await pointer.read()
        if not is_table(entry):
            return None
        pointer = offset_lockless(pointer, entry, addr)
    return pointer
