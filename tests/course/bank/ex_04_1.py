"""Answers to 04.1: the young counted in right ways and in ways that miss, split, or look twice."""

from ptwalk.kernel.huge_memory import pmd_trans_huge_lock
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.kernel.pgtable import is_table, leaf, none, offset_lockless, pte_offset_map_lock, pte_unmap_unlock
from ptwalk.machine.locks import spin_unlock
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range


def counting(pmd=None, pte=True, lock=True, young=lambda entry: entry.linux_present and entry.accessed):
    """A count_young() with this pmd_entry."""

    async def count_young(mm, start, end):
        count = 0

        def add(number):
            nonlocal count
            count += number

        async def pmd_entry(slot, at, upto, walk):
            return await pmd(slot, walk, add, at, upto)

        async def pte_entry(slot, at, upto, walk):
            add(young(await slot.read()))
            return 0

        ops = MmWalkOps(pmd_entry=pmd_entry if pmd else None, pte_entry=pte_entry if pte else None)
        if not lock:
            await walk_page_range(mm, start, end, ops)
            return count
        async with mm.mmap_lock.read():
            await walk_page_range(mm, start, end, ops)
        return int(count)

    return count_young


async def huge_locked(slot, walk, add, at, upto):
    """Decides under the lock."""
    ptl = await pmd_trans_huge_lock(walk.mm, slot)
    if ptl is not None:
        entry = await slot.read()
        add(512 * (leaf(entry) and entry.accessed))
        await spin_unlock(ptl)
        walk.action = "continue"
    return 0


async def both_levels(slot, walk, add, at, upto):
    """Does the ptes too."""
    mm = walk.mm
    if not await huge_locked(slot, walk, add, at, upto) and walk.action == "continue":
        return 0
    if not is_table(await slot.read()):
        return 0
    pte, ptl = await pte_offset_map_lock(mm, slot, at)
    if pte is None:
        walk.action = "again"
        return 0
    for page in mm.pages_in(at, upto):
        entry = await pte.frame.entry(mm.format.index(page, "pte"), "pte").read()
        add(entry.linux_present and entry.accessed)
    await pte_unmap_unlock(mm, ptl)
    return 0


async def one_load(slot, walk, add, at, upto):
    """Without the lock, on one load: a value that was true when it was read."""
    entry = await slot.read()
    if not is_table(entry) and not none(entry):
        add(512 * (leaf(entry) and entry.accessed))
        walk.action = "continue"
    return 0


async def huge_is_one(slot, walk, add, at, upto):
    """A huge page as one."""
    return await huge_locked(slot, walk, lambda number: add(number // 512), at, upto)


async def none_is_no_huge(slot, walk, add, at, upto):
    """Looks at the pmd again after the test for none: in between it may have become huge."""
    if none(await slot.read()) or leaf(await slot.read()):
        return await huge_locked(slot, walk, add, at, upto)
    walk.action = "continue"
    for page in walk.mm.pages_in(at, upto):
        found = await offset_lockless(slot, await slot.read(), page).read()
        add(found.linux_present and found.accessed)
    return 0


async def null_not_handled(slot, walk, add, at, upto):
    """Believes there is a table."""
    mm = walk.mm
    await huge_locked(slot, walk, add, at, upto)
    if walk.action == "continue" or not is_table(await slot.read()):
        return 0
    pte, ptl = await pte_offset_map_lock(mm, slot, at)
    for page in mm.pages_in(at, upto):
        entry = await pte.frame.entry(mm.format.index(page, "pte"), "pte").read()
        add(entry.linux_present and entry.accessed)
    await pte_unmap_unlock(mm, ptl)
    return 0


async def counts_twice(slot, walk, add, at, upto):
    """Huge and then, split, its ptes as well."""
    ptl = await pmd_trans_huge_lock(walk.mm, slot)
    if ptl is not None:
        entry = await slot.read()
        add(512 * (leaf(entry) and entry.accessed))
        await spin_unlock(ptl)
    return 0


async def drops_the_lock(slot, walk, add, at, upto):
    """Gives up mmap_lock for a moment in the callback."""
    await mmap_read_unlock(walk.mm)
    await mmap_read_lock(walk.mm)
    return await huge_locked(slot, walk, add, at, upto)


async def keeps_the_lock(slot, walk, add, at, upto):
    """One unlock forgotten."""
    ptl = await pmd_trans_huge_lock(walk.mm, slot)
    if ptl is not None:
        entry = await slot.read()
        add(512 * (leaf(entry) and entry.accessed))
        walk.action = "continue"
    return 0


async def clears_what_it_counts(mm, start, end):
    """Takes A away, as a monitor does."""
    count = 0

    async def pmd_entry(slot, at, upto, walk):
        nonlocal count
        entry = await slot.read()
        if leaf(entry):
            count += 512 * entry.accessed
            walk.action = "continue"
        return 0

    async def pte_entry(slot, at, upto, walk):
        nonlocal count
        count += (await slot.test_and_clear_young()).accessed
        return 0

    async with mm.mmap_lock.read():
        await walk_page_range(mm, start, end, MmWalkOps(pmd_entry=pmd_entry, pte_entry=pte_entry))
    return count


async def always_514(mm, start, end):
    """The number that the quiet machine has."""
    return 514


async def again_and_again(slot, walk, add, at, upto):
    """Never content."""
    walk.action = "again"
    return 0


async def lock_for_each_table(mm, start, end):
    """Right: lets others in between two tables."""
    return sum([await counting(huge_locked)(mm, at, at + (2 << 20)) for at in range(start, end, 2 << 20)])


async def nothing_comes_back(mm, start, end):
    """No return."""
    await counting(huge_locked)(mm, start, end)


RIGHT = {
    "huge under its lock, ptes by the walker": lambda: counting(huge_locked),
    "both levels in pmd_entry": lambda: counting(both_levels, pte=False),
    "one load of the pmd": lambda: counting(one_load),
    "table by table": lambda: lock_for_each_table,
}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "as shipped": (lambda: counting(pte=False), "not counted"),
    "no pmd_entry": (lambda: counting(), "The walk split your huge page"),
    "huge counts for one": (lambda: counting(huge_is_one), "It is 512 pages"),
    "huge only": (lambda: counting(huge_locked, pte=False), "The small pages are missing"),
    "not none": (lambda: counting(huge_locked, young=lambda entry: not none(entry)), "Three too many"),
    "present": (lambda: counting(huge_locked, young=lambda entry: entry.linux_present), "it is old"),
    "counts, and lets the walker split": (lambda: counting(counts_twice), "split your huge page"),
    "two loads": (lambda: counting(none_is_no_huge), "what you tested was another load"),
    "no table is not foreseen": (lambda: counting(null_not_handled, pte=False), "may find no table"),
    "drops mmap_lock": (lambda: counting(drops_the_lock), "from the first step to the last"),
    "no lock at all": (lambda: counting(huge_locked, lock=False), "Asserted lock not held"),
    "keeps the lock": (lambda: counting(keeps_the_lock), "holds"),
    "clears what it counts": (lambda: clears_what_it_counts, "gave 514 first, then 512"),
    "the number of the quiet machine": (lambda: always_514, "At no moment of this walk"),
    "again and again": (lambda: counting(again_and_again), "goes round in circles"),
    "no result": (lambda: nothing_comes_back, "gave None"),
}
