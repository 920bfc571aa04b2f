"""Collapse of file memory: the pte tables of every mapping of the file go, so that a huge page can be mapped.

Room: actors.  The page cache already holds the huge page; what is modelled is the removal of page tables, in the
old and new ways.  The protocols are separate functions: each is a different answer to "who could still walk
this table?".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptwalk.kernel.mmap_lock import (
    mmap_read_lock,
    mmap_read_unlock,
    mmap_write_lock,
    mmap_write_trylock,
    mmap_write_unlock,
)
from ptwalk.kernel.pgtable import (
    is_table,
    mm_find_pmd,
    none,
    pmd_lock,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
    same,
)
from ptwalk.kernel.rmap import RmapTree, RmapVmas
from ptwalk.kernel.tlbflush import flush_tlb_mm_range, pmdp_collapse_flush, tlb_remove_table_sync_one
from ptwalk.kernel.users import TestExit
from ptwalk.kernel.vma import Vma, find_vma
from ptwalk.machine.folio import AddRmap, PutPage, RemoveRmap
from ptwalk.machine.frames import free_frame
from ptwalk.machine.locks import folio_lock, folio_unlock, spin_lock, spin_unlock
from ptwalk.machine.rcu import call_rcu
from ptwalk.machine.rwsem import down_read, down_write, up_read, up_write
from ptwalk.walk.rmap import try_to_unmap

if TYPE_CHECKING:
    from ptwalk.kernel.kernel import Kernel
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.entries import EntryPointer
    from ptwalk.machine.frames import Frame


async def collapse_file(
    kernel: Kernel,
    mapping: RmapTree,
    pgoff: int,
    pages: Sequence[Frame],
    *,
    target: Mm | None = None,
    huge: Frame | None = None,
    cache: Frame | None = None,
) -> None:
    """Collapses 2 MiB of a file: unmaps each of its small `pages` (in file order from `pgoff`), then cuts the tables.

    With `target`, as MADV_COLLAPSE by that mm: only its table goes, and `huge` is mapped there at once.

    `cache`: see `retract_page_tables`.

    *Locking*: i_mmap_rwsem for reading around each unmapping; see `retract_page_tables`.
    *Source*: mm/khugepaged.c collapse_file, 6.1; recorded in 6.1.176.
    """
    for number, page in enumerate(pages):
        await try_to_unmap(mapping, page, pgoff + number * kernel.machine.format.page_size)
        await PutPage(page)  # the page cache holds the huge page instead
    await retract_page_tables(kernel, mapping, pgoff, target=target, huge=huge, cache=cache)


async def retract_page_tables(
    kernel: Kernel,
    mapping: RmapTree,
    pgoff: int,
    *,
    target: Mm | None = None,
    huge: Frame | None = None,
    cache: Frame | None = None,
) -> None:
    """Removes the pte table of every mapping (or of the `target` mm's) of 2 MiB of a file at offset `pgoff`.

    `cache` is the huge page that the page cache holds by now: its lock is held meanwhile, which keeps out
    `collapse_pte_mapped_thp` of the same range.

    *Locking*: 5.15 to 6.5: i_mmap_rwsem and, by trylock, each mm's mmap_lock for writing.  From 6.6: i_mmap_rwsem
    for reading, the PMD table's and the pte table's locks, and no lock of the target mm at all.
    *May see*: any walker of any process that maps the file.
    *Source*: mm/khugepaged.c retract_page_tables, 5.15.0, 5.15.85, 6.6.9, 7.1; recorded in 6.1.176.
    """
    if cache is not None:
        await folio_lock(cache.folio)
    deferred = "deferred" in kernel.config.retract
    await (down_read(mapping.rwsem) if deferred else down_write(mapping.rwsem))
    for vma in await RmapVmas(mapping):
        addr = vma.start + pgoff - vma.pgoff
        span = vma.mm.pmd_level.size
        if vma.anon_vma is not None or addr % span or addr < vma.start or addr + span > vma.end:
            continue
        pmd = await find_table(vma.mm, addr)
        if pmd is None or (target is not None and vma.mm is not target):
            continue  # with a target, the others' tables are looked at and left alone
        if deferred:
            await retract_under_rmap_read(vma, pmd, addr)
            if huge is not None:
                await set_huge_pmd(vma.mm, pmd, huge)
        else:
            await retract_under_mmap_write(vma.mm, pmd, addr, huge)
    await (up_read(mapping.rwsem) if deferred else up_write(mapping.rwsem))
    if cache is not None:
        await folio_unlock(cache.folio)


async def set_huge_pmd(mm: Mm, pmd: EntryPointer, huge: Frame) -> None:
    """Maps the huge page if the pmd is still none, under its lock.

    *Source*: mm/khugepaged.c set_huge_pmd, 6.1.
    """
    pml = await pmd_lock(mm, pmd)
    if none(await pmd.read()):
        await AddRmap(huge)
        raw = mm.format.make_leaf(huge.pa, pmd.level, write=True, accessed=True)
        await pmd.write(raw, unlinks=huge)
    await spin_unlock(pml)


async def find_table(mm: Mm, addr: int) -> EntryPointer | None:
    """The pmd pointer if it names a pte table now; looked up without any lock of the mm."""
    pmd = await mm_find_pmd(mm, addr)
    return pmd if pmd is not None and is_table(await pmd.read()) else None


async def retract_under_mmap_write(mm: Mm, pmd: EntryPointer, addr: int, huge: Frame | None) -> None:
    """5.15 to 6.5: the mmap lock for writing keeps out walkers of the mm, the i_mmap lock those of the file."""
    if not await mmap_write_trylock(mm):
        return
    if not await TestExit(mm):
        await collapse_and_free_pmd(mm, pmd, addr, how=mm.kernel.config.retract)
        if huge is not None:
            await set_huge_pmd(mm, pmd, huge)
    await mmap_write_unlock(mm)


async def collapse_and_free_pmd(mm: Mm, pmd: EntryPointer, addr: int, *, how: str) -> None:
    """Cuts the table off and frees it: at once (5.15.0), or after an IPI to every CPU (5.15.85 and 6.1).

    5.15.0 takes the PMD table's lock for the cut; 6.1 does not.
    *Source*: mm/khugepaged.c collapse_and_free_pmd, recorded in 6.1.176.
    """
    at_once = "now" in how
    pml = await pmd_lock(mm, pmd) if at_once else None
    old = await pmdp_collapse_flush(mm, pmd, addr)
    if pml is not None:
        await spin_unlock(pml)
    else:
        await tlb_remove_table_sync_one(mm)
    if is_table(old):
        await free_frame(mm.machine, mm.machine.table_frame(old))


async def retract_under_rmap_read(vma: Vma, pmd: EntryPointer, addr: int) -> None:
    """6.6 and later: both page-table locks at the cut, and the table is freed after a grace period."""
    mm = vma.mm
    if await TestExit(mm):
        return
    pml = await pmd_lock(mm, pmd)
    entry = await pmd.read()
    if is_table(entry) or not mm.kernel.config.retract_rechecks_pmd:
        ptl = pte_lockptr(mm, pmd, entry)
        if ptl is not pml:
            await spin_lock(ptl)
        table = mm.machine.table_frame(entry)
        old = await pmdp_collapse_flush(mm, pmd, addr, unlinks=table)
        if mm.kernel.config.flush == "broadcast":
            await tlb_remove_table_sync_one(mm)  # pmdp_get_lockless_sync where flushes are no IPIs
        if ptl is not pml:
            await spin_unlock(ptl)
        if is_table(old):
            await call_rcu(mm.machine, table)
    await spin_unlock(pml)


async def collapse_pte_mapped_thp(mm: Mm, addr: int, huge: Frame) -> bool:
    """Replaces a table whose ptes already map the pages of one huge page; False if it is not so.

    `huge` is the page cache's huge page: its lock is taken.

    *Locking*: 5.15.0: mmap_lock for writing and the page lock, which is not enough: reverse-map walkers of other pages
    of the file may be in the table.  5.15.85: i_mmap_rwsem for writing too.  From 6.6: mmap_lock for reading, the pmd
    looked at again under both page-table locks.
    *Source*: mm/khugepaged.c collapse_pte_mapped_thp, 5.15.0, 5.15.85 (8d3c106e19e8), 6.6, 6.19.
    """
    how = mm.kernel.config.collapse_pte_mapped
    deferred = "deferred" in how
    if deferred:
        await mmap_read_lock(mm)
    else:
        await mmap_write_lock(mm)
    start = addr & -mm.pmd_level.size
    vma = await find_vma(mm, start)
    done = False
    if vma is not None and start in vma and vma.file is not None and start + mm.pmd_level.size <= vma.end:
        await folio_lock(huge.folio)
        pmd = await find_table(mm, start)
        if pmd is not None:
            if deferred:
                done = await collapse_ptes_deferred(vma, pmd, start)
            else:
                done = await collapse_ptes_old(vma, pmd, start, how)
        await folio_unlock(huge.folio)
    if deferred:
        await mmap_read_unlock(mm)
    else:
        await mmap_write_unlock(mm)
    return done


async def collapse_ptes_old(vma: Vma, pmd: EntryPointer, start: int, how: str) -> bool:
    """Before 6.6: drops the rmap counts under the pte lock, leaves the ptes, cuts the table off, frees it."""
    mm = vma.mm
    assert vma.file is not None
    with_rmap = "rmap" in how
    if with_rmap:
        await down_write(vma.file.rwsem)
    pte, ptl = await pte_offset_map_lock(mm, pmd, start)
    if pte is not None and ptl is not None:
        unmapped: list[Frame] = []
        for page in mm.pages_in(start, start + pmd.level.size):
            entry = await pte.frame.entry(mm.format.index(page, "pte"), "pte").read()
            if entry.linux_present:
                unmapped.append(mm.machine.frame_at(entry.address or 0))
                await RemoveRmap(unmapped[-1])
        await pte_unmap_unlock(mm, ptl)
        for frame in unmapped:
            await PutPage(frame)
        await collapse_and_free_pmd(mm, pmd, start, how=how)
    if with_rmap:
        await up_write(vma.file.rwsem)
    return pte is not None


async def collapse_ptes_deferred(vma: Vma, pmd: EntryPointer, start: int) -> bool:
    """From 6.6: clears the ptes, then under both locks looks at the pmd again and defers the free."""
    mm = vma.mm
    seen = await pmd.read()
    pte, ptl = await pte_offset_map_lock(mm, pmd, start)
    if pte is None or ptl is None:
        return False
    for page in mm.pages_in(start, start + pmd.level.size):
        slot = pte.frame.entry(mm.format.index(page, "pte"), "pte")
        entry = await slot.read()
        if not none(entry):
            await slot.get_and_clear()
            frame = mm.machine.frame_at(entry.address or 0)
            await RemoveRmap(frame)
            await flush_tlb_mm_range(mm, page, page + mm.format.page_size, freed_tables=False)
            await PutPage(frame)
    await pte_unmap_unlock(mm, ptl)
    pml = await pmd_lock(mm, pmd)
    if ptl is not pml:
        await spin_lock(ptl)
    unchanged = same(await pmd.read(), seen)
    if unchanged:
        await pmdp_collapse_flush(mm, pmd, start, unlinks=pte.frame)
        if mm.kernel.config.flush == "broadcast":
            await tlb_remove_table_sync_one(mm)
    if ptl is not pml:
        await spin_unlock(ptl)
    await spin_unlock(pml)
    if unchanged:
        await call_rcu(mm.machine, pte.frame)
    return unchanged
