"""Answers to 09.3: reviews of the patch that each seed draws."""

from ptwalk.checks.damon import patches
from ptwalk.checks.damon.review import tried
from ptwalk.kernel import find_vma, is_table, mm_find_pmd, pte_offset_map_lock, pte_unmap_unlock
from ptwalk.trials import check_walker
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range

SEED = 1


async def mended(mm, addr):
    """The VMA found under the lock, the table through the checked door, the bit in one step."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            await clear(mm, addr)


async def clear(mm, addr, plain=False):
    """The page's bit, under its table's lock."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None or not is_table(await pmd.read()):
        return
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return
    entry = await pte.read()
    if entry.linux_present and plain:
        await pte.write(mm.format.mkold(entry.raw, "pte"))
    elif entry.linux_present:
        await pte.test_and_clear_young()
    await pte_unmap_unlock(mm, ptl)


async def walked(mm, addr):
    """By the page walker."""

    async def pte_entry(pte, at, end, walk):
        if (await pte.read()).linux_present:
            await pte.test_and_clear_young()
        return 0

    async with mm.mmap_lock.read():
        await walk_page_range(mm, addr, addr + 1, MmWalkOps(pte_entry=pte_entry))


async def write_locked(mm, addr):
    """Larger than needed."""
    async with mm.mmap_lock.write():
        await clear(mm, addr)


async def hides(mm, addr):
    """Looks at the pmd again, and takes no VMA."""
    async with mm.mmap_lock.read():
        pmd = await mm_find_pmd(mm, addr)
        if pmd is not None and is_table(await pmd.read()) and is_table(await pmd.read()):
            await clear(mm, addr)


async def other_bug(mm, addr):
    """Ends the race, and loses dirty bits."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            await clear(mm, addr, plain=True)


async def idle(mm, addr):
    """Reads, no more."""
    async with mm.mmap_lock.read():
        await mm_find_pmd(mm, addr)


def review(mend=mended, **changed):
    """The right review of this seed's patch, but for what is changed."""
    patch = patches.draw(SEED)
    if not patch.kind.rules:
        return {"patch": patch.id, "legal": True, **changed}
    red = patch.kind.against[0]
    line = check_walker(patch.walker, against=red, release=patch.release).schedule
    form = {"patch": patch.id, "legal": False, "rule": patch.kind.rules[-1], "against": red, "schedule": line}
    return {**form, "mend": mend, **changed}


def found_by_trying():
    """Right: whichever changer of the list shows it."""
    patch = patches.draw(SEED)
    row = check_walker(patch.walker, against=tried(patch.kind), release=patch.release)
    red = next((name for name, verdict in row.items() if verdict.outcome == "bug"), None)
    if red is None:
        return {"patch": patch.id, "legal": True}
    found = {"against": red, "schedule": str(row[red].schedule), "rule": patch.kind.rules[0]}
    return {"patch": patch.id, "legal": False, **found, "mend": walked}


def SECRETS():
    """Nothing of the form's right lines may be in the words."""
    return ()


RIGHT = {
    "mended by hand": review,
    "found by trying": found_by_trying,
    "larger than needed": lambda: review(mend=write_locked),
}
WRONG = {
    "nothing": (lambda: None, "There is nothing to check"),
    "a sentence": (lambda: "nack", "as a dict"),
    "another patch": (lambda: review(patch="v34"), "In front of you lies another one"),
    "undecided": (lambda: review(legal=None), "Say True or False"),
    "called legal": (lambda: review(legal=True), "You call it legal"),
    "no changer": (lambda: review(against=None), "Name the changer"),
    "no such changer there": (lambda: review(against="reclaim"), 'has no "reclaim"'),
    "another race's line": (lambda: review(against="collapse-anon"), "Is it from another race"),
    "a harmless line": (lambda: review(schedule="0x1"), "nothing went wrong in it"),
    "rule c": (lambda: review(rule="c"), "You name rule (c)"),
    "hardware": (lambda: review(rule="hardware"), "You name the hardware"),
    "today's rule": (lambda: review(rule="vanish"), "This kernel is 6.1"),
    "no mend": (lambda: review(mend=None), 'The "mend" is missing'),
    "a mend that hides": (lambda: review(mend=hides), "The mend hides it"),
    "a mend that does nothing": (lambda: review(mend=idle), "The mend does nothing"),
    "a mend with a new bug": (lambda: review(mend=other_bug), "began another"),
}
