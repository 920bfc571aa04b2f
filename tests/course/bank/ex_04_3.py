"""Answers to 04.3: the pmd judged on one load, under a lock, and in the ways that look twice."""

from ptwalk.kernel.pgtable import (
    bad,
    is_table,
    leaf,
    none,
    offset_lockless,
    pmd_lock,
    pmd_none_or_trans_huge_or_clear_bad,
    pmd_offset,
)
from ptwalk.machine.locks import spin_unlock


async def one_load(mm, pmd, addr):
    """Right: one snapshot."""
    entry = await pmd.read()
    return offset_lockless(pmd, entry, addr) if is_table(entry) else None


async def under_the_lock(mm, pmd, addr):
    """Right: both questions under the lock of the PMD table."""
    ptl = await pmd_lock(mm, pmd)
    pte = None
    if not none(await pmd.read()) and not leaf(await pmd.read()):
        pte = offset_lockless(pmd, await pmd.read(), addr)
    await spin_unlock(ptl)
    return pte


async def as_linux(mm, pmd, addr):
    """Right before 6.6: what one load found to be a table stays one under the read lock."""
    if await pmd_none_or_trans_huge_or_clear_bad(pmd):
        return None
    return offset_lockless(pmd, await pmd.read(), addr)


async def as_shipped(mm, pmd, addr):
    """The helper of 2012."""
    if none(await pmd.read()):
        return None
    if bad(await pmd.read()):
        await pmd.clear()
        return None
    return offset_lockless(pmd, await pmd.read(), addr)


async def huge_first(mm, pmd, addr):
    """Tests swapped, still two loads."""
    if leaf(await pmd.read()):
        return None
    if none(await pmd.read()):
        return None
    return offset_lockless(pmd, await pmd.read(), addr)


async def huge_then_bad(mm, pmd, addr):
    """A third test in front of the two."""
    if leaf(await pmd.read()):
        return None
    return await as_shipped(mm, pmd, addr)


async def bad_ignored(mm, pmd, addr):
    """No test for bad."""
    if none(await pmd.read()):
        return None
    return offset_lockless(pmd, await pmd.read(), addr)


async def one_load_clears(mm, pmd, addr):
    """One load, and a huge page is still bad."""
    entry = await pmd.read()
    if none(entry):
        return None
    if bad(entry):
        await pmd.clear()
        return None
    return offset_lockless(pmd, entry, addr)


async def unlocks_too_early(mm, pmd, addr):
    """The lock for the tests only, and a huge page passes them."""
    ptl = await pmd_lock(mm, pmd)
    empty = none(await pmd.read())
    await spin_unlock(ptl)
    return None if empty else offset_lockless(pmd, await pmd.read(), addr)


async def never_finds(mm, pmd, addr):
    """Safe, and of no use."""
    return None


async def gives_the_entry(mm, pmd, addr):
    """A value, not a pointer."""
    entry = await pmd.read()
    return await offset_lockless(pmd, entry, addr).read() if is_table(entry) else None


async def looks_at_the_end(mm, pmd, addr):
    """Three loads, and a last one to be sure: huge and split in between, it is fooled."""
    if leaf(await pmd.read()) or none(await pmd.read()):
        return None
    pte = offset_lockless(pmd, await pmd.read(), addr)
    return pte if is_table(await pmd.read()) else None


async def next_pte(mm, pmd, addr):
    """One pte too far."""
    entry = await pmd.read()
    return offset_lockless(pmd, entry, addr + mm.format.page_size) if is_table(entry) else None


async def gives_the_pmd(mm, pmd, addr):
    """The pointer that it was given."""
    return pmd if is_table(await pmd.read()) else None


async def the_same_twice(mm, pmd, addr):
    """Right: reads until two loads agree, and goes on with that word."""
    entry = await pmd.read()
    while entry != (again := await pmd.read()):
        entry = again
    return offset_lockless(pmd, entry, addr) if is_table(entry) else None


async def keeps_lock(mm, pmd, addr):
    """Gives the answer and keeps the lock."""
    await pmd_lock(mm, pmd)
    return await one_load(mm, pmd, addr)


RIGHT = {
    "one load": lambda: one_load,
    "under the lock": lambda: under_the_lock,
    "until two loads agree": lambda: the_same_twice,
    "as Linux has it": lambda: as_linux,
}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "as shipped": (lambda: as_shipped, "2 MiB are gone"),
    "huge first": (lambda: huge_first, "as if it were a table"),
    "a third test in front": (lambda: huge_then_bad, "2 MiB are gone"),
    "bad ignored": (lambda: bad_ignored, "as if it were a table"),
    "one load that clears": (lambda: one_load_clears, "2 MiB are gone"),
    "lock dropped too early": (lambda: unlocks_too_early, "as if it were a table"),
    "never finds": (lambda: never_finds, "says there is none"),
    "gives the entry": (lambda: gives_the_entry, "Give a pointer to the pte"),
    "looks once more at the end": (lambda: looks_at_the_end, "a huge fault, and a split right after it"),
    "one pte too far": (lambda: next_pte, "another index"),
    "the pmd itself": (lambda: gives_the_pmd, "one table further down"),
    "keeps the lock": (lambda: keeps_lock, "holds"),
    "two parameters": (lambda: pmd_offset, "It is called as async def find_pte(mm, pmd, addr)"),
}
