"""The page walker: one struct of callbacks, one function per level (mm/pagewalk.c).

Room: walk.  Return values are the kernel's: 0 go on, above 0 stop with the caller's value, below 0 an error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ptwalk.arch import Entry
from ptwalk.kernel.huge_memory import split_huge_pmd, split_huge_pud
from ptwalk.kernel.mmap_lock import mmap_assert_locked
from ptwalk.kernel.pgtable import (
    bad,
    is_table,
    leaf,
    none,
    offset_lockless,
    pgd_offset,
    pmd_none_or_trans_huge_or_clear_bad,
    pte_offset_map,
    pte_offset_map_lock,
    pte_unmap,
    pte_unmap_unlock,
)
from ptwalk.kernel.rmap import RmapTree, RmapVmas
from ptwalk.kernel.vma import Vma, find_vma
from ptwalk.kernel.vma_lock import vma_start_write
from ptwalk.machine.entries import EntryPointer

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm

EntryCallback = Callable[[EntryPointer, int, int, "MmWalk"], Awaitable[int]]
HoleCallback = Callable[[int, int, int, "MmWalk"], Awaitable[int]]
TestCallback = Callable[[int, int, "MmWalk"], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class MmWalkOps:
    """What a walk does at each level; a callback that is None is not called.

    `pud_entry`, `pmd_entry` get (entry pointer, address, end, walk) and must cope with none, huge and non-present
    entries; `pte_entry` the same for each pte, locked; `pte_hole` (address, end, depth, walk) for ranges with nothing
    in them, depth -1 where the level is not known; `hugetlb_entry` an entry of a hugetlb VMA; `test_walk`
    (address, end, walk): 0 walks the VMA, 1 skips it.  `walk_lock` says which lock the walk needs: "read"
    (mmap_lock), "write" (mmap_lock for writing, and each VMA is write-locked), "write verify" (they are already).
    """

    pud_entry: EntryCallback | None = None
    pmd_entry: EntryCallback | None = None
    pte_entry: EntryCallback | None = None
    pte_hole: HoleCallback | None = None
    hugetlb_entry: EntryCallback | None = None
    test_walk: TestCallback | None = None
    walk_lock: Literal["read", "write", "write verify"] = "read"


class MmWalk:
    """Where a walk is; a callback sets `action` to "again" or "continue" to steer it."""

    def __init__(self, mm: Mm, ops: MmWalkOps, *, no_vma: bool = False) -> None:
        self.mm = mm
        self.ops = ops
        self.vma: Vma | None = None
        self.no_vma = no_vma
        self.action = "subtree"


async def walk_page_range(mm: Mm, start: int, end: int, ops: MmWalkOps) -> int:
    """Walks the VMAs of [start, end), and tells of the holes between them.

    *Locking*: mmap_lock, at least for reading, from before the call to after the last use of what it found.
    *May see*: leaf entries that change, none becoming table or huge, huge becoming table or none; from 6.6 a pte
    table that is gone.
    *Source*: mm/pagewalk.c walk_page_range, 5.15 and 6.5.
    """
    await process_mm_walk_lock(mm, ops)
    walk = MmWalk(mm, ops)
    addr = start
    while addr < end:
        vma = await find_vma(mm, addr)
        if vma is None:
            walk.vma, next_ = None, end
        elif addr < vma.start:
            walk.vma, next_ = None, min(end, vma.start)
        else:
            walk.vma, next_ = vma, min(end, vma.end)
            await process_vma_walk_lock(vma, ops)
            skip = await walk_page_test(addr, next_, walk)
            if skip > 0:
                addr = next_
                continue
            if skip < 0:
                return skip
        result = 0
        if walk.vma is not None:
            result = await _walk_vma_range(addr, next_, walk)
        elif ops.pte_hole is not None:
            if mm.kernel.config.hole_walk == "descends":
                result = await walk_level(pgd_offset(mm, addr), addr, next_, walk)
            else:
                result = await ops.pte_hole(addr, next_, -1, walk)
        if result:
            return result
        addr = next_
    return 0


async def walk_page_vma(vma: Vma, ops: MmWalkOps) -> int:
    """Walks one VMA.

    *Locking*, *May see*: as `walk_page_range`.
    """
    await process_mm_walk_lock(vma.mm, ops)
    walk = MmWalk(vma.mm, ops)
    walk.vma = vma
    await process_vma_walk_lock(vma, ops)
    skip = await walk_page_test(vma.start, vma.end, walk)
    return skip if skip < 0 else 0 if skip else await _walk_vma_range(vma.start, vma.end, walk)


async def walk_page_mapping(mapping: RmapTree, start: int, end: int, ops: MmWalkOps) -> int:
    """Walks every VMA that maps part of [start, end) of a file, in all address spaces.

    *Locking*: the file's i_mmap_rwsem, at least for reading.
    """
    for vma in await RmapVmas(mapping):
        low = max(vma.start, vma.start + start - vma.pgoff)
        high = min(vma.end, vma.start + end - vma.pgoff)
        if low < high:
            walk = MmWalk(vma.mm, ops)
            walk.vma = vma
            result = await _walk_vma_range(low, high, walk)
            if result:
                return result
    return 0


async def walk_page_range_novma(mm: Mm, start: int, end: int, ops: MmWalkOps) -> int:
    """Walks whatever tables there are, without asking for VMAs; ptes are read without their lock.

    *Locking*: mmap_lock for writing (5.15.0 asked for reading only, and was wrong); from 6.4 the VMAs write-locked too.
    *May see*: from 6.6 a pte table of a file mapping that vanishes.
    *Source*: mm/pagewalk.c walk_page_range_novma, 5.15, 8782fb61cc84.
    """
    return await walk_level(pgd_offset(mm, start), start, end, MmWalk(mm, ops, no_vma=True))


async def process_mm_walk_lock(mm: Mm, ops: MmWalkOps) -> None:
    """From 6.5: asserts that mmap_lock is held as `walk_lock` says; nothing else is checked by it.

    *Source*: mm/pagewalk.c process_mm_walk_lock, 6.5.
    """
    if mm.kernel.config.pagewalk_lock == "walk_lock":
        await mmap_assert_locked(mm, write=ops.walk_lock != "read")


async def process_vma_walk_lock(vma: Vma, ops: MmWalkOps) -> None:
    """From 6.5: a "write" walk write-locks each VMA it comes to."""
    if vma.mm.kernel.config.pagewalk_lock == "walk_lock" and ops.walk_lock == "write":
        await vma_start_write(vma)


async def walk_page_test(addr: int, end: int, walk: MmWalk) -> int:
    """Whether to skip the VMA: `test_walk` decides, else VM_PFNMAP ranges are skipped and told as holes."""
    assert walk.vma is not None
    if walk.ops.test_walk is not None:
        return await walk.ops.test_walk(addr, end, walk)
    if "VM_PFNMAP" in walk.vma.flags:
        result = 1
        if walk.ops.pte_hole is not None:
            result = await walk.ops.pte_hole(addr, end, -1, walk) or 1
        return result
    return 0


async def _walk_vma_range(addr: int, end: int, walk: MmWalk) -> int:
    assert walk.vma is not None
    if "VM_HUGETLB" in walk.vma.flags:
        return await walk_hugetlb_range(addr, end, walk)
    return await walk_level(pgd_offset(walk.mm, addr), addr, end, walk)


def _pieces(first: EntryPointer, addr: int, end: int) -> list[tuple[EntryPointer, int, int]]:
    # The entries of one table for [addr, end), each with its part of the range.
    level, index = first.level, first.machine.format.index
    found = []
    while addr < end:
        upto = min(end, (addr & -level.size) + level.size)
        found.append((first.frame.entry(index(addr, level), level.name), addr, upto))
        addr = upto
    return found


async def walk_level(first: EntryPointer, addr: int, end: int, walk: MmWalk) -> int:
    """walk_pgd_range and walk_p4d_range, and on to the next level that exists."""
    depth = first.level.depth
    if depth == walk.mm.pmd_level.depth:
        return await walk_pmd_range(first, addr, end, walk)
    if first.level.name == "pud":
        return await walk_pud_range(first, addr, end, walk)
    for slot, low, high in _pieces(first, addr, end):
        entry = await slot.read()
        if not is_table(entry):
            if bad(entry):
                await slot.clear()  # pXd_none_or_clear_bad
            result = await _hole(low, high, depth, walk)
        else:
            result = await walk_level(offset_lockless(slot, entry, low), low, high, walk)
        if result:
            return result
    return 0


async def walk_pud_range(first: EntryPointer, addr: int, end: int, walk: MmWalk) -> int:
    """The entries of one PUD table; a huge one is split where something below it is wanted.

    *May see*: a huge pud, again, right after it split one: a fault maps it anew.
    *Source*: mm/pagewalk.c walk_pud_range, 5.15; walk_pmd_range, 7.1 (9b25a6e3d243).
    """
    ops = walk.ops
    for slot, low, high in _pieces(first, addr, end):
        while True:
            entry = await slot.read()
            if none(entry) or (walk.vma is None and not walk.no_vma):
                result = await _hole(low, high, 2, walk)
                break
            walk.action = "subtree"
            if ops.pud_entry is not None:
                result = await ops.pud_entry(slot, low, high, walk)
                if result:
                    return result
            if walk.action == "again":
                continue
            if walk.action == "continue" or not (ops.pmd_entry or ops.pte_entry):
                result = 0
                break
            if walk.vma is not None and leaf(entry):
                await split_huge_pud(walk.mm, slot, low)
            entry = await slot.read()
            if none(entry):
                continue
            if not is_table(entry) and walk.mm.kernel.config.pagewalk_pud == "loaded once":
                continue
            result = await walk_pmd_range(offset_lockless(slot, entry, low), low, high, walk)
            break
        if result:
            return result
    return 0


async def walk_pmd_range(first: EntryPointer, addr: int, end: int, walk: MmWalk) -> int:
    """The entries of one PMD table: the callback, a split where ptes are wanted, then the ptes."""
    ops, mm = walk.ops, walk.mm
    for slot, low, high in _pieces(first, addr, end):
        while True:
            entry = await slot.read()
            if none(entry) or (walk.vma is None and not walk.no_vma):
                result = await _hole(low, high, 3, walk)
                break
            walk.action = "subtree"
            if ops.pmd_entry is not None:
                result = await ops.pmd_entry(slot, low, high, walk)
                if result:
                    return result
            if walk.action == "again":
                continue
            if walk.action == "continue" or ops.pte_entry is None:
                result = 0
                break
            if walk.vma is not None:
                if leaf(entry):
                    await split_huge_pmd(mm, slot, low)
                if (
                    mm.kernel.config.pte_offset_map == "unchecked"
                    and await pmd_none_or_trans_huge_or_clear_bad(slot)
                ):
                    continue
            elif leaf(entry):
                result = 0
                break
            result = await walk_pte_range(slot, low, high, walk)
            if walk.action != "again":
                break
        if result:
            return result
    return 0


async def walk_pte_range(pmd: EntryPointer, addr: int, end: int, walk: MmWalk) -> int:
    """Each pte that this model has an entry for; locked, or only mapped when no VMA is known."""
    assert walk.ops.pte_entry is not None
    mm = walk.mm
    result = 0
    if walk.no_vma:
        pte = await pte_offset_map(mm, pmd, addr)
        ptl = None
    else:
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        walk.action = "again"
        return 0
    for page in mm.pages_in(addr, end):
        slot = pte.frame.entry(mm.format.index(page, pte.level), pte.level.name)
        result = await walk.ops.pte_entry(slot, page, page + mm.format.page_size, walk)
        if result:
            break
    if ptl is None:
        await pte_unmap(mm)
    else:
        await pte_unmap_unlock(mm, ptl)
    return result


async def walk_hugetlb_range(addr: int, end: int, walk: MmWalk) -> int:
    """The entries of a hugetlb VMA, without any page-table lock (5.15)."""
    size = walk.mm.pmd_level.size
    while addr < end:
        upto = min(end, (addr & -size) + size)
        slot = await huge_pte_offset(walk.mm, addr)
        result = 0
        if slot is not None and walk.ops.hugetlb_entry is not None:
            result = await walk.ops.hugetlb_entry(slot, addr, upto, walk)
        elif slot is None:
            result = await _hole(addr, upto, -1, walk)
        if result:
            return result
        addr = upto
    return 0


async def huge_pte_offset(mm: Mm, addr: int) -> EntryPointer | None:
    """The entry that maps a 2 MiB hugetlb page, or None where no PMD table is."""
    pointer = pgd_offset(mm, addr)
    while pointer.level.depth < mm.pmd_level.depth:
        entry: Entry = await pointer.read()
        if not is_table(entry):
            return None
        pointer = offset_lockless(pointer, entry, addr)
    return pointer


async def _hole(addr: int, end: int, depth: int, walk: MmWalk) -> int:
    return 0 if walk.ops.pte_hole is None else await walk.ops.pte_hole(addr, end, depth, walk)
