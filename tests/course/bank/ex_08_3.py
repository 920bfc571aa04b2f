"""Answers to 08.3: monitor() with the reference where it belongs, and where people put it."""

from ptwalk.actors.exit import exit_mm as mmput
from ptwalk.kernel import (
    find_vma,
    is_table,
    mm_find_pmd,
    mmget_not_zero,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.kernel.users import TestExit


async def page_at(mm, addr):
    """Whether there is a page, below mmap_lock and in a VMA."""
    vma = await find_vma(mm, addr)
    return vma is not None and addr in vma and await below(mm, addr)


async def below(mm, addr):
    """The same, whatever the VMAs are."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None or not is_table(await pmd.read()):
        return False
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return False
    there = (await pte.read()).linux_present
    await pte_unmap_unlock(mm, ptl)
    return there


def twice(look):
    """One look, one minute, one look."""

    async def monitor(mm, addr, minute):
        first = await look(mm, addr)
        await minute()
        return [first, await look(mm, addr)]

    return monitor


async def strong(mm, addr):
    """Right."""
    if not await mmget_not_zero(mm):
        return None
    async with mm.mmap_lock.read():
        there = await page_at(mm, addr)
    await mmput(mm)
    return there


async def gives_up(mm, addr, minute):
    """Right: a process that is gone stays gone."""
    seen = []
    for number in range(2):
        if number:
            await minute()
        if seen[-1:] == [None] or not await mmget_not_zero(mm):
            seen.append(None)
            continue
        async with mm.mmap_lock.read():
            seen.append(await page_at(mm, addr))
        await mmput(mm)
    return seen


async def count_only(mm, addr):
    """mmgrab and the lock."""
    async with mm.mmap_lock.read():
        return await page_at(mm, addr)


async def looks_first(mm, addr):
    """Tests, then uses."""
    if await TestExit(mm):
        return None
    async with mm.mmap_lock.read():
        return await page_at(mm, addr)


async def for_minutes(mm, addr, minute):
    """One reference for all."""
    if not await mmget_not_zero(mm):
        return [None, None]
    seen = []
    for number in range(2):
        if number:
            await minute()
        async with mm.mmap_lock.read():
            seen.append(await page_at(mm, addr))
    await mmput(mm)
    return seen


async def put_under_lock(mm, addr):
    """mmput inside mmap_lock."""
    if not await mmget_not_zero(mm):
        return None
    async with mm.mmap_lock.read():
        there = await page_at(mm, addr)
        await mmput(mm)
    return there


async def put_under_ptl(mm, addr):
    """mmput inside the page-table lock."""
    if not await mmget_not_zero(mm):
        return None
    async with mm.mmap_lock.read():
        pmd = await mm_find_pmd(mm, addr)
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        there = (await pte.read()).linux_present
        await mmput(mm)
        await pte_unmap_unlock(mm, ptl)
    return there


async def not_looked(mm, addr):
    """Whether it got one, it does not ask."""
    await mmget_not_zero(mm)
    async with mm.mmap_lock.read():
        there = await page_at(mm, addr)
    await mmput(mm)
    return there


async def put_first(mm, addr):
    """Puts it before the walk."""
    if not await mmget_not_zero(mm):
        return None
    await mmput(mm)
    async with mm.mmap_lock.read():
        return await page_at(mm, addr)


async def no_mmap_lock(mm, addr):
    """The reference is enough, isn't it?"""
    if not await mmget_not_zero(mm):
        return None
    there = await page_at(mm, addr)
    await mmput(mm)
    return there


async def no_vma(mm, addr):
    """With the lock, but whatever the VMAs are."""
    if not await mmget_not_zero(mm):
        return None
    async with mm.mmap_lock.read():
        there = await below(mm, addr)
    await mmput(mm)
    return there


async def never_puts(mm, addr):
    """Takes one a look."""
    if not await mmget_not_zero(mm):
        return None
    async with mm.mmap_lock.read():
        return await page_at(mm, addr)


async def holds_lock(mm, addr, minute):
    """One hold for both looks."""
    async with mm.mmap_lock.read():
        first = await page_at(mm, addr)
        await minute()
        return [first, await page_at(mm, addr)]


async def no_minute(mm, addr, minute):
    """Two looks at once."""
    return [await strong(mm, addr), await strong(mm, addr)]


async def never_there(mm, addr, minute):
    """Safe, and of no use."""
    await minute()
    return [None, None]


async def as_shipped(mm, addr, minute):
    """Nothing yet."""


async def one_look_for_two(mm, addr, minute):
    """Looks twice, and gives the first look twice."""
    seen = await twice(strong)(mm, addr, minute)
    return [seen[0], seen[0]]


async def false_where_gone(mm, addr, minute):
    """Does not tell a process that is gone from a page that is."""
    return [bool(look) for look in await twice(strong)(mm, addr, minute)]


RIGHT = {"a reference a look": lambda: twice(strong), "gone is gone": lambda: gives_up}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "as shipped": (lambda: as_shipped, "It gives a list of two"),
    "two parameters": (lambda: strong, "It is called as async def monitor(mm, addr, minute)"),
    "mm_count only": (lambda: twice(count_only), "in 5.15.0 it takes no lock for that"),
    "tests mm_users first": (lambda: twice(looks_first), "A look takes nothing"),
    "for minutes": (lambda: for_minutes, "its memory stays for your sake"),
    "put under mmap_lock": (lambda: twice(put_under_lock), "while you hold mmap_lock"),
    "put under the ptl": (lambda: twice(put_under_ptl), "while you hold a page-table lock"),
    "does not ask whether": (lambda: twice(not_looked), "did not look whether you got one"),
    "put before the walk": (lambda: twice(put_first), "before you walked"),
    "no mmap_lock": (lambda: twice(no_mmap_lock), "munmap freed the table under your walk"),
    "no VMA": (lambda: twice(no_vma), "you asked for no VMA"),
    "never puts": (lambda: twice(never_puts), "The memory leaks"),
    "holds the lock": (lambda: holds_lock, "a lock while a minute goes by"),
    "no minute": (lambda: no_minute, "you let 0 minutes go by"),
    "never there": (lambda: never_there, "monitor gave [None, None]"),
    "one look for two": (lambda: one_look_for_two, "The page was unmapped in that minute"),
    "gone is no page": (lambda: false_where_gone, "The process exited in that minute"),
}
