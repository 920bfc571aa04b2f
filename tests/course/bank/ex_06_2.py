"""Answers to 06.2: removers, each wrong one by where it takes a lock or how it frees."""

from ptwalk.kernel.pgtable import lock_of_table, pmd_lock
from ptwalk.kernel.tlbflush import flush_tlb_mm_range, pmdp_collapse_flush
from ptwalk.machine.frames import free_frame
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.rcu import call_rcu, synchronize_rcu


def remover(ptl="", free="rcu", *, pml=True, longer=False, keep=False):
    """A remover; `ptl` says when it takes the pte table's lock: "", "around", "after", "before", "outside"."""

    async def remove(mm, pmd, table, addr):
        lock = lock_of_table(mm, table)
        if ptl in ("before", "outside"):
            await spin_lock(lock)
        if ptl == "before":
            await spin_unlock(lock)
        held = await pmd_lock(mm, pmd) if pml else None
        if ptl == "around":
            await spin_lock(lock)
        await pmdp_collapse_flush(mm, pmd, addr, unlinks=table)
        if ptl == "after":
            await spin_lock(lock)
        if ptl in ("around", "after"):
            await spin_unlock(lock)
        if held is not None and not longer and not keep:
            await spin_unlock(held)
        if ptl == "outside":
            await spin_unlock(lock)
        if free == "rcu":
            await call_rcu(mm.machine, table)
        elif free == "wait":
            await synchronize_rcu(mm.machine)
        if free in ("wait", "now"):
            await free_frame(mm.machine, table)
        if held is not None and longer:
            await spin_unlock(held)

    return remove


async def frees_first(mm, pmd, table, addr):
    """Frees what still hangs in the tree."""
    await free_frame(mm.machine, table)
    await pmd.clear(unlinks=table)


async def nothing(mm, pmd, table, addr):
    """Removes nothing."""


def other(how):
    """Removers of another shape: right ones, and those that forget one thing."""

    async def remove(mm, pmd, table, addr):
        lock = lock_of_table(mm, table)
        await spin_lock(lock)
        if how in ("flush later", "one page"):
            await pmd.clear(unlinks=table)
        else:
            await pmdp_collapse_flush(mm, pmd, addr, unlinks=table)
        if how == "queued under the lock":
            await call_rcu(mm.machine, table)
        await spin_unlock(lock)
        if how in ("flush later", "one page"):
            await flush_tlb_mm_range(mm, addr, addr + (4096 if how == "one page" else pmd.level.size))
        if how != "queued under the lock":
            await call_rcu(mm.machine, table)
        if how == "twice":
            await call_rcu(mm.machine, table)

    return remove


RIGHT = {
    "call_rcu": lambda: remover("around"),
    "synchronize_rcu": lambda: remover("around", "wait"),
    "the pte table's lock alone": lambda: remover("around", pml=False),
    "flushes after the lock": lambda: other("flush later"),
    "queued under the lock": lambda: other("queued under the lock"),
}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "not async": (lambda: lambda mm, pmd, table, addr: None, "must be `async def remove"),
    "three parameters": (lambda: frees_first_badly, "can't be called as"),
    "removes nothing": (lambda: nothing, "Nothing was removed"),
    "never frees": (lambda: remover("around", ""), "never given back"),
    "frees first": (lambda: frees_first, "while the pmd still named it"),
    "keeps the lock": (lambda: remover("", keep=True), "Lock kept at the end"),
    "as it was": (lambda: remover("", "now"), "you waited for none"),
    "frees at once": (lambda: remover("around", "now"), "about to take the table's lock"),
    "no lock of the pte table": (lambda: remover(), "and then you cut the table off"),
    "PMD lock longer": (lambda: remover(longer=True), "never takes that lock"),
    "lock after the cut": (lambda: remover("after"), "Too late"),
    "lock before the cut": (lambda: remover("before"), "fitted in between"),
    "wrong order": (lambda: remover("outside"), "Wrong lock order"),
    "flushes one page": (lambda: other("one page"), "all that the table covers"),
    "gives it back twice": (lambda: other("twice"), "given back twice"),
}


async def frees_first_badly(mm, pmd, table):
    """Does not take what it is given."""
