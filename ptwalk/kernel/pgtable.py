"""Page-table accessors by the kernel's names.

Room: kernel.  An entry pointer is arithmetic and costs no step; each load of an entry is one step, written
`await pmd.read()`.  `*_offset_lockless` goes down from a value that was loaded before; `*_offset` loads the
upper entry itself, as the C macros do, so using it twice loads twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.arch import Entry, EntryState
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.locks import SpinLock, spin_lock, spin_unlock
from ptwalk.machine.processor import rcu_read_lock, rcu_read_unlock

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.frames import Frame


# ---- predicates on one loaded value ----


def none(entry: Entry) -> bool:
    """pXd_none: nothing here (on x86 stray A and D bits do not count)."""
    return entry.state is EntryState.NONE


def is_table(entry: Entry) -> bool:
    """The entry points to a table of the next level."""
    return entry.state is EntryState.TABLE


def leaf(entry: Entry) -> bool:
    """pXd_leaf, pmd_trans_huge: the entry maps memory itself, to Linux's mind (a pmd under split still does)."""
    return entry.linux_present and entry.state is not EntryState.TABLE


def bad(entry: Entry) -> bool:
    """pXd_bad: neither none nor what Linux writes for a table; a huge entry is "bad" by this test."""
    return not none(entry) and not is_table(entry)


def same(entry: Entry, other: Entry) -> bool:
    """pte_same, pmd_same: two loads gave the same word, A and D bits included."""
    return entry.raw == other.raw


# ---- pointers ----


def pgd_offset(mm: Mm, addr: int) -> EntryPointer:
    """The top-level entry for an address; the root table lives as long as the mm."""
    top = mm.format.levels[0]
    return mm.pgd.entry(mm.format.index(addr, top), top.name)


async def _offset(upper: EntryPointer, addr: int, level: str) -> EntryPointer:
    if upper.level.name == level or level in upper.machine.format.folded:
        return upper  # a folded level has no table of its own
    return upper.lookup(await upper.read(), addr)


async def p4d_offset(pgd: EntryPointer, addr: int) -> EntryPointer:
    """Loads the pgd entry and gives the p4d pointer; with the level folded, the pgd pointer itself."""
    return await _offset(pgd, addr, "p4d")


async def pud_offset(p4d: EntryPointer, addr: int) -> EntryPointer:
    """Loads the entry above and gives the pud pointer."""
    return await _offset(p4d, addr, "pud")


async def pmd_offset(pud: EntryPointer, addr: int) -> EntryPointer:
    """Loads the pud entry and gives the pmd pointer."""
    return await _offset(pud, addr, "pmd")


def offset_lockless(upper: EntryPointer, entry: Entry, addr: int) -> EntryPointer:
    """pXd_offset_lockless: the pointer into the table that a value loaded before names; no step."""
    return upper.lookup(entry, addr)


async def mm_find_pmd(mm: Mm, addr: int) -> EntryPointer | None:
    """Walks the upper levels to the pmd pointer; None where an upper entry is not a table.

    *Locking*: mmap_lock, a VMA lock or an rmap lock of a VMA at `addr`; it takes none.
    *May see*: an upper entry that is cleared right after; without those locks, a table that is freed.
    *Source*: mm/rmap.c mm_find_pmd, 6.1.
    """
    pointer = pgd_offset(mm, addr)
    while pointer.level.depth < mm.pmd_level.depth:
        entry = await pointer.read()
        if not is_table(entry):
            return None
        pointer = offset_lockless(pointer, entry, addr)
    return pointer


# ---- locks of tables ----


def lock_of_table(mm: Mm, table: Frame) -> SpinLock:
    """The lock for entries of a pte or pmd table: in the table's own metadata, or the mm's one lock."""
    return table.lock if mm.kernel.config.split_ptlocks else mm.page_table_lock


def pmd_lockptr(mm: Mm, pmd: EntryPointer) -> SpinLock:
    """The lock of the PMD table that this pmd entry lies in."""
    return lock_of_table(mm, pmd.frame)


def pte_lockptr(mm: Mm, pmd: EntryPointer, entry: Entry) -> SpinLock:
    """The lock of the PTE table that a loaded pmd value names: finding it already trusts that value."""
    return lock_of_table(mm, mm.machine.table_frame(entry))


async def pmd_lock(mm: Mm, pmd: EntryPointer) -> SpinLock:
    """Takes the lock of the PMD table and gives it, for `spin_unlock`."""
    ptl = pmd_lockptr(mm, pmd)
    await spin_lock(ptl)
    return ptl


# ---- the pte level ----


async def pte_offset_map_lock(
    mm: Mm, pmd: EntryPointer, addr: int, *, old: bool = False
) -> tuple[EntryPointer, SpinLock] | tuple[None, None]:
    """The pte pointer for `addr` with its table's lock held; `(None, None)` where there is no table.

    Before 6.5: two loads of the pmd, then the lock, no look back, and it cannot fail.  From 6.5 on: under RCU
    one load, the lock, and a second load that must give the same value.  `old` asks for the former on any kernel.

    *Locking*: mmap_lock, a VMA lock or an rmap lock that keeps the upper levels; before 6.5 also the pte table.
    *May see*: no table (from 6.5): skip or walk again.
    *Source*: include/linux/mm.h 5.15; mm/pgtable-generic.c __pte_offset_map_lock 6.5.
    """
    if old or mm.kernel.config.pte_offset_map == "unchecked":
        ptl = pte_lockptr(mm, pmd, await pmd.read())
        pte = offset_lockless(pmd, await pmd.read(), addr)
        await spin_lock(ptl)
        return pte, ptl
    while True:
        await rcu_read_lock(mm.machine)
        entry = await pmd.read()
        if not is_table(entry):
            if bad(entry) and entry.present and not leaf(entry):
                await pmd.clear()
            await rcu_read_unlock(mm.machine)
            return None, None
        ptl = pte_lockptr(mm, pmd, entry)
        await spin_lock(ptl)
        if same(await pmd.read(), entry):
            return offset_lockless(pmd, entry, addr), ptl
        await spin_unlock(ptl)
        await rcu_read_unlock(mm.machine)


async def pte_unmap_unlock(mm: Mm, ptl: SpinLock, *, old: bool = False) -> None:
    """Drops what `pte_offset_map_lock` took, given the same `old`."""
    await spin_unlock(ptl)
    if not old and mm.kernel.config.pte_offset_map == "rechecked":
        await rcu_read_unlock(mm.machine)


async def pte_offset_map(mm: Mm, pmd: EntryPointer, addr: int) -> EntryPointer | None:
    """The pte pointer without the lock; from 6.5 on None where there is no table, and RCU until `pte_unmap`.

    *Locking*: as `pte_offset_map_lock`.
    *May see*: entries that change, and (6.5) a table that is empty and cut off already.
    """
    if mm.kernel.config.pte_offset_map == "unchecked":
        return offset_lockless(pmd, await pmd.read(), addr)
    await rcu_read_lock(mm.machine)
    entry = await pmd.read()
    if is_table(entry):
        return offset_lockless(pmd, entry, addr)
    await rcu_read_unlock(mm.machine)
    return None


async def pte_unmap(mm: Mm) -> None:
    """Ends `pte_offset_map`."""
    if mm.kernel.config.pte_offset_map == "rechecked":
        await rcu_read_unlock(mm.machine)


async def pmd_none_or_trans_huge_or_clear_bad(pmd: EntryPointer) -> bool:
    """Whether to leave the pmd alone: none, huge or not present, judged on one load; a bad one is cleared.

    *Locking*: mmap_lock for reading.  A pmd found to be a table then stays one (before 6.5).
    *Source*: include/linux/pgtable.h, 5.15.
    """
    entry = await pmd.read()
    if none(entry) or leaf(entry) or not entry.present:
        return True
    if bad(entry):
        await pmd.clear()
        return True
    return False


async def pmd_none_or_clear_bad(pmd: EntryPointer) -> bool:
    """Whether the pmd is none, or bad and then cleared: a store into the table, on the word of a stale pointer.

    A huge pmd counts as bad here, which is what CVE-2012-1179 was.
    *Source*: include/linux/pgtable.h, 5.15.
    """
    entry = await pmd.read()
    if none(entry):
        return True
    if bad(entry):
        await pmd.clear()
        return True
    return False
