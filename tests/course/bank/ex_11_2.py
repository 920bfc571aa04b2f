"""Answers to 11.2: three reviews with their mends, and what reviewers say who look at locks alone."""

from ptwalk.kernel import (
    find_vma,
    is_table,
    lock_vma_under_rcu,
    mm_find_pmd,
    none,
    offset_lockless,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
    rcu_read,
    spin_lock,
    spin_unlock,
    vma_end_read,
)


async def table_at(mm, addr):
    """The pmd pointer in a VMA, or None."""
    vma = await find_vma(mm, addr)
    if vma is None or addr not in vma:
        return None
    pmd = await mm_find_pmd(mm, addr)
    return pmd if pmd is not None and is_table(await pmd.read()) else None


async def addresses(mm, addr):
    """Right: keeps the address, and maps again for the second pass."""
    async with mm.mmap_lock.read():
        pmd = await table_at(mm, addr)
        if pmd is None:
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return
        seen = await pte.read()
        await pte_unmap_unlock(mm, ptl)
        if not (seen.linux_present and seen.accessed) or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return
        if (await pte.read()).raw == seen.raw:
            await pte.test_and_clear_young()
        await pte_unmap_unlock(mm, ptl)


async def one_pass(mm, addr):
    """Right: never lets the lock go."""
    async with mm.mmap_lock.read():
        pmd = await table_at(mm, addr)
        if pmd is None:
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return
        if (await pte.read()).linux_present:
            await pte.test_and_clear_young()
        await pte_unmap_unlock(mm, ptl)


def two_passes(lock):
    """The walker of the mail under another mmap_lock."""

    async def mend(mm, addr):
        async with lock(mm):
            pmd = await table_at(mm, addr)
            if pmd is None:
                return
            pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
            if pte is None:
                return
            seen = await pte.read()
            await pte_unmap_unlock(mm, ptl)
            await spin_lock(ptl)
            if (await pte.read()).raw == seen.raw:
                await pte.test_and_clear_young()
            await spin_unlock(ptl)

    return mend


write_locked = two_passes(lambda mm: mm.mmap_lock.write())


async def nothing(mm, addr):
    """Walks, and changes nothing."""
    async with mm.mmap_lock.read():
        await table_at(mm, addr)


def skip(look):
    """Walker C with another look under the lock."""

    async def mend(records, mm, addr):
        vma = await lock_vma_under_rcu(mm, addr)
        if vma is None:
            return
        pmd = await mm_find_pmd(mm, addr)
        async with rcu_read(mm.machine):
            entry = await pmd.read()
            if is_table(entry):
                pte, ptl = offset_lockless(pmd, entry, addr), pte_lockptr(mm, pmd, entry)
                if none(await pte.read()):
                    await spin_lock(ptl)
                    if await look(pmd, entry, pte):
                        await records.set(False)
                    await spin_unlock(ptl)
        await vma_end_read(vma)

    return mend


async def same_pmd(pmd, entry, pte):
    """Whether the table is still the one in the tree, and empty."""
    return (await pmd.read()).raw == entry.raw and none(await pte.read())


async def third_look(pmd, entry, pte):
    """The entries, once more."""
    return none(await pte.read()) and none(await pte.read())


async def never(pmd, entry, pte):
    """Says that it is never empty."""
    return False


async def map_and_lock(records, mm, addr):
    """Right: maps and locks in one."""
    vma = await lock_vma_under_rcu(mm, addr)
    if vma is None:
        return
    pmd = await mm_find_pmd(mm, addr)
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is not None:
        if none(await pte.read()):
            await records.set(False)
        await pte_unmap_unlock(mm, ptl)
    await vma_end_read(vma)


SAME_PMD, THIRD, NEVER = skip(same_pmd), skip(third_look), skip(never)
GOOD = {
    "A 5.15.0": "none",
    "A 6.14": None,
    "A why": "a",
    "A mend": addresses,
    "B 7.1": "none",
    "B 5.15.0": None,
    "B why": "c",
    "C 7.1": None,
    "C why": "e",
    "C mend": SAME_PMD,
}
_found = {}


def answer(**changes):
    """The right answer with some parts changed; the schedules are those of a search."""
    if not _found:
        import ptwalk
        from ptwalk.checks.capstone import records, unseen

        found = ptwalk.check_walker(unseen.collect_then_clear, "reclaim", "6.14")
        _found["A 6.14"] = f"reclaim {found.schedule}"
        found = ptwalk.check_walker(unseen.page_finder, "collapse-pte-mapped", "5.15.0")
        _found["B 5.15.0"] = f"collapse-pte-mapped {found.schedule}"
        _found["C 7.1"] = str(ptwalk.explore(records.race(unseen.skip_the_empty)).schedule)
    return {**GOOD, **_found, **{name.replace("_", " ", 1): value for name, value in changes.items()}}


def but(part, value):
    """The right answer with one part changed."""
    return lambda: {**answer(), part: value}


RIGHT = {
    "addresses, pmd compared": answer,
    "one pass, mapped and locked": lambda: answer(A_mend=one_pass, C_mend=map_and_lock),
}
WRONG = {
    "nothing": (lambda: None, "Hand in a dict"),
    "as shipped": (lambda: dict.fromkeys(GOOD), "A 5.15.0: nothing there yet"),
    "A legal at both": (but("A 6.14", "none"), "Which local variable outlives a lock"),
    "A illegal at 5.15.0": (but("A 5.15.0", "munmap 0x4 1x30 0x1"), "the table cannot go while mmap_lock"),
    "A with a harmless schedule": (but("A 6.14", "reclaim 0x4 1x3"), "breaks no rule"),
    "A with no such changer": (but("A 6.14", "retire 0x4"), "changes no tables on 6.14"),
    "A, the wrong cause": (but("A why", "d"), "Which habit of the walker"),
    "A mended with the lock for writing": (
        but("A mend", write_locked),
        "the pointer is still older than the lock",
    ),
    "A mended away": (but("A mend", nothing), "leaves the page marked accessed"),
    "B illegal: no mmap_lock": (but("B 7.1", "munmap-file 0x4 1x30 0x1"), "which lock does munmap need"),
    "B legal for ever": (but("B 5.15.0", "none"), "if it waits for the file's lock"),
    "B, because no lock is held": (but("B why", "b"), "would taking it change a cell"),
    "C safe, tried with two CPUs": (but("C 7.1", "none"), "Who hangs a new table there"),
    "C half a schedule": (but("C 7.1", "0x8 1x20"), "It does not run to the end"),
    "C use-after-free": (but("C why", "d"), "Look at the record"),
    "C mended by a third look": (but("C mend", THIRD), "none equals none"),
    "C mended away": (but("C mend", NEVER), "your walker never says empty"),
}
