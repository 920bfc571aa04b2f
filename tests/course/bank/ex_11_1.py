"""Answers to 11.1: rows of several walkers with right and wrong words."""

from ptwalk.kernel import (
    find_vma,
    irqs_off,
    is_table,
    mm_find_pmd,
    offset_lockless,
    pte_offset_map_lock,
    pte_unmap_unlock,
)


async def reads(mm, addr):
    """A walker under mmap_lock for reading, in a VMA."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is None or addr not in vma:
            return
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is not None:
            await pte.read()
            await pte_unmap_unlock(mm, ptl)


async def naked(mm, addr):
    """No lock at all."""
    pmd = await mm_find_pmd(mm, addr)
    entry = await pmd.read() if pmd is not None else None
    if entry is not None and is_table(entry):
        await offset_lockless(pmd, entry, addr).read()


async def quiet(mm, addr):
    """Interrupts off, its own address space."""
    async with irqs_off(mm.machine):
        await naked(mm, addr)


async def idle(mm, addr):
    """Touches nothing."""
    async with mm.mmap_lock.read():
        await find_vma(mm, addr)


LOCKED = {
    "munmap": "lock",
    "munmap-neighbour": "cannot",
    "collapse-anon": "lock",
    "retract": "lock",
    "dontneed": "cannot",
    "exit": "cannot",
}
# A walker that only reads is not hurt by a table that is parked: nothing is written, nothing was freed.
NAKED = LOCKED | {"munmap": "bug", "collapse-anon": "cannot", "retract": "bug"}
QUIET = LOCKED | {"munmap": "wait", "collapse-anon": "cannot", "retract": "wait"}


def row(walk, words, own=False, **changes):
    """An answer; changes are other words for a changer, with _ for -."""
    words = {**words, **{name.replace("_", "-"): word for name, word in changes.items()}}
    return {"walk": walk, "row": words, "own": own}


RIGHT = {
    "a locked walker": lambda: row(reads, LOCKED),
    "a naked one": lambda: row(naked, NAKED),
    "interrupts off": lambda: row(quiet, QUIET, own=True),
}
WRONG = {
    "nothing": (lambda: None, "Hand in a dict"),
    "as shipped": (lambda: row(reads, dict.fromkeys(LOCKED)), "No word yet for munmap"),
    "another word": (lambda: row(reads, LOCKED, munmap="green"), "none of the words"),
    "does nothing": (lambda: row(idle, LOCKED), "touches no page table"),
    "red where it is green": (lambda: row(reads, LOCKED, munmap="bug"), "you say that it breaks"),
    "green where it is red": (lambda: row(naked, NAKED, munmap="lock"), "you say safe (lock), and it is not"),
    "a neighbour's lock": (
        lambda: row(reads, LOCKED, munmap_neighbour="lock"),
        "no table is gone all the same",
    ),
    "cannot, and can": (lambda: row(reads, LOCKED, collapse_anon="cannot"), "you say that it can't"),
    "waiting, and it is the lock": (lambda: row(reads, LOCKED, munmap="wait"), "the cell stays green"),
    "lock, and it is the waiting": (
        lambda: row(quiet, QUIET, own=True, munmap="lock"),
        "Take all locks away",
    ),
    "exit by a lock": (lambda: row(reads, LOCKED, exit="lock"), "exit: you name a reason"),
    "a list of words": (lambda: {"walk": reads, "row": ["lock"] * 6}, "is to be a dict"),
}
