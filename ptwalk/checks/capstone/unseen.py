"""Three walkers to review, as they would come by mail; what their commit messages say is not what they do.

Each is short, sounds right, and names its release.  `await` marks the steps: a load, a store, a lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.checks.capstone.records import Records
from ptwalk.kernel.pgtable import (
    is_table,
    mm_find_pmd,
    none,
    offset_lockless,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.kernel.rmap import RmapTree, RmapVmas
from ptwalk.kernel.vma import find_vma
from ptwalk.kernel.vma_lock import lock_vma_under_rcu, vma_end_read
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.processor import rcu_read_lock, rcu_read_unlock

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


async def collect_then_clear(mm: Mm, addr: int) -> None:
    """mm: age pages in two passes, to hold the page-table lock for less time.

    The first pass only gathers; the second takes the lock again and clears what
    has not changed. mmap_lock is held for reading throughout, and the VMA is
    checked, so the tables cannot go away.
    """
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is None or addr not in vma:
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None or ptl is None:
            return
        seen = await pte.read()
        await pte_unmap_unlock(mm, ptl)
        if not (seen.linux_present and seen.accessed):
            return
        # Second pass: the ptes that were gathered, in the order of their frames.
        await spin_lock(ptl)
        if (await pte.read()).raw == seen.raw:
            await pte.test_and_clear_young()
        await spin_unlock(ptl)


def tree_of(mm: Mm, addr: int) -> RmapTree:
    """The reverse map of the page at `addr`, as the page itself would name it: a file's, or an anon_vma's."""
    return next(vma for vma in mm.initial_vmas if vma.start <= addr).rmap_trees[0]


async def page_finder(mm: Mm, addr: int) -> None:
    """mm: clear the accessed bit of a file's page in every mapping.

    No mmap_lock: the file's i_mmap lock is enough. Each VMA is found through the
    file, and nothing is installed. Where there is no table there is nothing to
    clear.
    """
    tree = tree_of(mm, addr)
    async with tree.rwsem.read():
        for vma in await RmapVmas(tree):
            pmd = await mm_find_pmd(vma.mm, vma.start)
            if pmd is None or not is_table(await pmd.read()):
                continue
            pte, ptl = await pte_offset_map_lock(vma.mm, pmd, vma.start)
            if pte is None or ptl is None:
                continue
            await pte.test_and_clear_young()
            await pte_unmap_unlock(vma.mm, ptl)


async def skip_the_empty(records: Records, mm: Mm, addr: int) -> None:
    """mm: remember which 2 MiB are empty, so that the next scan skips them.

    A fault sets the record under the page-table lock. Here the table is looked
    at without the lock first, and again under it: no page can come in unseen.
    The VMA's lock keeps the mapping, RCU keeps the table's memory.
    """
    vma = await lock_vma_under_rcu(mm, addr)
    if vma is None:
        return
    pmd = await mm_find_pmd(mm, addr)
    await rcu_read_lock(mm.machine)
    if pmd is not None and is_table(entry := await pmd.read()):
        pte = offset_lockless(pmd, entry, addr)
        ptl = pte_lockptr(mm, pmd, entry)
        if none(await pte.read()):
            await spin_lock(ptl)
            if none(await pte.read()):  # under the lock now
                await records.set(False)
            await spin_unlock(ptl)
    await rcu_read_unlock(mm.machine)
    await vma_end_read(vma)
