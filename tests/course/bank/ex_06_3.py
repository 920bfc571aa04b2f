"""Answers to 06.3: moves of a page table, each wrong one by when it decides."""

from ptwalk.kernel.mmap_lock import mmap_write_lock, mmap_write_unlock
from ptwalk.kernel.pgtable import is_table, none, pmd_lock, pte_lockptr
from ptwalk.kernel.tlbflush import flush_tlb_mm_range
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.rwsem import down_write, up_write


def mover(
    test=None,
    *,
    early=True,
    under_rmap=False,
    mmap=False,
    ptl=False,
    keep=False,
    says=None,
    over=False,
    flush=True,
):
    """A move; `test` is what it asks of the entry under the PMD table's lock."""

    async def move(vma, addr, old, new):
        mm = vma.mm
        if mmap:
            await mmap_write_lock(mm)
        if early and not is_table(await old.read()):
            return False
        for tree in vma.rmap_trees:
            await down_write(tree.rwsem)
        gone = under_rmap and not is_table(await old.read())
        lock = pte_lockptr(mm, old, await old.read()) if ptl else None
        if lock is not None:
            await spin_lock(lock)
        pml = await pmd_lock(mm, old)
        entry = await old.read()
        moved = not gone and (over or none(await new.read())) and (test is None or test(entry))
        if moved:
            table = mm.machine.table_frame(entry)
            await old.clear(unlinks=table)
            await new.write(mm.format.make_table(table.pa, new.level), unlinks=table)
            if flush:
                await flush_tlb_mm_range(mm, addr, addr + old.level.size)
        if not keep:
            await spin_unlock(pml)
        if lock is not None:
            await spin_unlock(lock)
        for tree in reversed(vma.rmap_trees):
            await up_write(tree.rwsem)
        if mmap:
            await mmap_write_unlock(mm)
        return moved if says is None else says

    return move


async def never(vma, addr, old, new):
    """Gives up always."""
    return False


async def tries_again(vma, addr, old, new):
    """Right: decides early, and only if the entry is the same under the locks."""
    mm = vma.mm
    while is_table(seen := await old.read()):
        for tree in vma.rmap_trees:
            await down_write(tree.rwsem)
        pml = await pmd_lock(mm, old)
        same = (await old.read()).raw == seen.raw
        free = same and none(await new.read())
        if free:
            table = mm.machine.table_frame(seen)
            await old.clear(unlinks=table)
            await new.write(mm.format.make_table(table.pa, new.level), unlinks=table)
            await flush_tlb_mm_range(mm, addr, addr + old.level.size)
        await spin_unlock(pml)
        for tree in reversed(vma.rmap_trees):
            await up_write(tree.rwsem)
        if same:
            return free
    return False


async def only_the_pmd_lock(vma, addr, old, new):
    """Looks under the PMD table's lock, and leaves the reverse map's locks alone."""
    mm = vma.mm
    pml = await pmd_lock(mm, old)
    entry = await old.read()
    moved = is_table(entry) and none(await new.read())
    if moved:
        table = mm.machine.table_frame(entry)
        await old.clear(unlinks=table)
        await new.write(mm.format.make_table(table.pa, new.level), unlinks=table)
        await flush_tlb_mm_range(mm, addr, addr + old.level.size)
    await spin_unlock(pml)
    return moved


RIGHT = {
    "looks again under the PMD lock": lambda: mover(is_table),
    "decides under the rmap locks": lambda: mover(early=False, under_rmap=True),
    "the same, or once more": lambda: tries_again,
}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "not async": (lambda: lambda vma, addr, old, new: True, "must be `async def move"),
    "as it was": (lambda: mover(), "You hung physical page 0"),
    "mmap_lock once more": (lambda: mover(mmap=True), "holds already"),
    "asks only for none": (lambda: mover(lambda entry: not none(entry)), "moved the leaf"),
    "never moves": (lambda: never, "had to be moved"),
    "pte table's lock first": (lambda: mover(is_table, ptl=True), "Wrong lock order"),
    "keeps the lock": (lambda: mover(is_table, keep=True), "Lock kept at the end"),
    "gives back nothing clear": (lambda: mover(is_table, says="moved"), "mremap wants True"),
    "over what is there": (lambda: mover(is_table, over=True), "already"),
    "no flush": (lambda: mover(is_table, flush=False), "nobody flushed"),
    "says yes always": (
        lambda: mover(is_table, says=True),
        "move gave back True, and the table does not hang",
    ),
    "says no always": (lambda: mover(is_table, says=False), "move gave back False, and the table hangs"),
    "the PMD lock alone": (lambda: only_the_pmd_lock, "did not have that lock for writing"),
}
