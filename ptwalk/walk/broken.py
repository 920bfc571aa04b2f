"""Walkers that break a rule, each named after the rule it breaks.

Room: walk.  They are short on purpose: each differs from a right one by the one thing its name says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.arch import Entry
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock, mmap_write_lock, mmap_write_unlock
from ptwalk.kernel.pgtable import (
    is_table,
    leaf,
    mm_find_pmd,
    offset_lockless,
    pmd_none_or_clear_bad,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.kernel.vma import find_vma
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.processor import irqs_off, rcu_read

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


async def read_pte(mm: Mm, addr: int) -> Entry | None:
    """Walks down and reads the pte under its lock: the part all walkers here share.

    *Locking*: whatever the caller holds.
    """
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None or not is_table(await pmd.read()):
        return None
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None or ptl is None:
        return None
    entry = await pte.read()
    await pte_unmap_unlock(mm, ptl)
    return entry


async def peek_pte(mm: Mm, addr: int) -> Entry | None:
    """Walks down with one load per level and reads the pte without its lock.

    *Locking*: whatever the caller holds.
    """
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None:
        return None
    entry = await pmd.read()
    if not is_table(entry):
        return None
    return await offset_lockless(pmd, entry, addr).read()


async def walk_read_locked(mm: Mm, addr: int) -> Entry | None:
    """Right by rule (a): the VMA found under mmap_lock for reading, the lock held to the end.

    *Locking*: mmap_lock for reading.
    """
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is None or addr not in vma:
            return None
        return await read_pte(mm, addr)


async def walk_write_locked_ignoring_vmas(mm: Mm, addr: int) -> Entry | None:
    """Right by rule (b) up to 6.4: mmap_lock for writing, no VMA looked up, ptes by their lock.

    *Locking*: mmap_lock for writing.
    """
    await mmap_write_lock(mm)
    entry = await read_pte(mm, addr)
    await mmap_write_unlock(mm)
    return entry


async def peek_write_locked_ignoring_vmas(mm: Mm, addr: int) -> Entry | None:
    """Rule (b) as the review put it, with the pte read without its lock: no longer enough from 6.6.

    *Locking*: mmap_lock for writing.
    """
    await mmap_write_lock(mm)
    entry = await peek_pte(mm, addr)
    await mmap_write_unlock(mm)
    return entry


async def walk_with_irqs_off(mm: Mm, addr: int) -> Entry | None:
    """Right by rule (c) on the CPU's own mm: interrupts off throughout, nothing written.

    *Locking*: interrupts off.
    """
    async with irqs_off(mm.machine):
        return await peek_pte(mm, addr)


async def walk_under_rcu(mm: Mm, addr: int) -> Entry | None:
    """rcu_read_lock instead of interrupts off: enough only where every table is freed by RCU.

    *Locking*: an RCU read-side section.
    """
    async with rcu_read(mm.machine):
        return await peek_pte(mm, addr)


async def walk_ignoring_vmas(mm: Mm, addr: int) -> Entry | None:
    """Breaks (a): mmap_lock for reading, but no VMA looked up, so it may be walking in a hole.

    *Locking*: mmap_lock for reading.
    """
    await mmap_read_lock(mm)
    entry = await read_pte(mm, addr)
    await mmap_read_unlock(mm)
    return entry


async def walk_with_stale_vma(mm: Mm, addr: int) -> Entry | None:
    """Breaks (a): drops mmap_lock in between and goes on with the VMA it found before.

    *Locking*: mmap_lock for reading, twice.
    """
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    await mmap_read_unlock(mm)
    if vma is None or addr not in vma:
        return None
    await mmap_read_lock(mm)
    entry = await read_pte(mm, addr)
    await mmap_read_unlock(mm)
    return entry


async def walk_with_revalidated_vma(mm: Mm, addr: int) -> Entry | None:
    """The right way to drop the lock in between: find the VMA again.

    *Locking*: mmap_lock for reading, twice.
    """
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    await mmap_read_unlock(mm)
    if vma is None or addr not in vma:
        return None
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    entry = await read_pte(mm, addr) if vma is not None and addr in vma else None
    await mmap_read_unlock(mm)
    return entry


async def walk_without_locks(mm: Mm, addr: int) -> Entry | None:
    """Breaks all three: no lock, interrupts on.

    *Locking*: none.
    """
    return await peek_pte(mm, addr)


async def walk_with_ptl_only(mm: Mm, addr: int) -> Entry | None:
    """Breaks (a): one load per level, then the lock of the table that the pmd named; nothing keeps that table.

    *Locking*: the pte table's lock, which lives in the table.
    """
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None:
        return None
    entry = await pmd.read()
    if not is_table(entry):
        return None
    async with pte_lockptr(mm, pmd, entry):
        return await offset_lockless(pmd, entry, addr).read()


async def mkold_with_ptl_only(mm: Mm, addr: int) -> None:
    """The same walk, and then a store: clears the accessed bit if the pte is present.

    *Locking*: the pte table's lock, which lives in the table.
    """
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None:
        return
    entry = await pmd.read()
    if not is_table(entry):
        return
    async with pte_lockptr(mm, pmd, entry):
        pte = offset_lockless(pmd, entry, addr)
        value = await pte.read()
        if value.linux_present:
            await pte.write(mm.format.mkold(value.raw, pte.level))


async def walk_loading_pmd_twice(mm: Mm, addr: int) -> Entry | None:
    """Tests one load of the pmd and follows another, and calls a huge pmd bad (CVE-2012-1179).

    *Locking*: mmap_lock for reading, the VMA found under it.
    """
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
        if pmd is None or leaf(await pmd.read()):
            return None  # a huge page: nothing to do here
        if await pmd_none_or_clear_bad(pmd):
            return None
        entry = await pmd.read()
        ptl = pte_lockptr(mm, pmd, entry)
        await spin_lock(ptl)
        found = await offset_lockless(pmd, entry, addr).read()
        await spin_unlock(ptl)
        return found
