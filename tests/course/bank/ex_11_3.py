"""Answers to 11.3: hot_pages by the page walker and by hand, and with one sentence broken at a time."""

from ptwalk.actors.exit import exit_mm as mmput
from ptwalk.kernel import (
    find_vma,
    is_table,
    leaf,
    mm_find_pmd,
    mmget_not_zero,
    pmd_trans_huge_lock,
    pte_offset_map_lock,
    pte_unmap_unlock,
    spin_unlock,
)
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range

PAGE = 4096


def by_page_walker(
    *, mmap="read", reference="hold", split=False, hidden=False, plain=False, clear=True, whole=False
):
    """hot_pages over walk_page_range; each argument breaks, or changes, one thing."""

    async def hot_pages(mm, start, end, budget):
        hot, at = [], start
        left = budget

        async def small(pte, page):
            entry = await pte.read()
            if not (entry.linux_present if hidden else entry.present):
                return
            if plain:
                young = entry.accessed
                await pte.write(mm.format.mkold(entry.raw, "pte"))
            else:
                young = (await pte.test_and_clear_young()).accessed if clear else entry.accessed
            if young:
                hot.append(page)

        async def pte_entry(pte, page, upto, walk):
            nonlocal at, left
            await small(pte, page)
            at, left = upto, left - 1
            return 0 if left or whole else 1

        async def pmd_entry(pmd, low, high, walk):
            nonlocal at, left
            size = mm.pmd_level.size
            ptl = await pmd_trans_huge_lock(mm, pmd)
            if ptl is not None:
                if (await pmd.test_and_clear_young()).accessed:
                    hot.append(low & -size)
                await spin_unlock(ptl)
                at, left = high, left - 1
                return 0 if left else 1
            if not is_table(await pmd.read()):
                return 0
            pte, ptl = await pte_offset_map_lock(mm, pmd, low)
            if pte is None:
                return 0
            for page in range(low, high, PAGE):
                await small(pte.frame.entry(mm.format.index(page, "pte"), "pte"), page)
                at, left = page + PAGE, left - 1
                if left <= 0 and not whole:
                    break
            await pte_unmap_unlock(mm, ptl)
            return 0 if left > 0 or whole else 1

        ops = MmWalkOps(pte_entry=pte_entry) if split else MmWalkOps(pmd_entry=pmd_entry)
        if reference == "call" and not await mmget_not_zero(mm):
            return hot
        while at < end:
            if reference == "hold" and not await mmget_not_zero(mm):
                break
            left = budget
            lock = mm.mmap_lock.write() if mmap == "write" else mm.mmap_lock.read()
            async with lock:
                stopped = await walk_page_range(mm, at, end, ops)
            if reference == "hold":
                await mmput(mm)
            if not stopped:
                break
        if reference == "call":
            await mmput(mm)
        return hot

    return hot_pages


async def by_hand(mm, start, end, budget):
    """Right: a walk of its own, one table a hold."""
    hot, at = [], start
    while at < end and await mmget_not_zero(mm):
        async with mm.mmap_lock.read():
            at = await one_hold(mm, at, end, budget, hot)
        await mmput(mm)
    return hot


async def one_hold(mm, at, end, budget, hot):
    """At most `budget` entries from `at` on; gives where to go on."""
    size = mm.pmd_level.size
    vma = await find_vma(mm, at)
    if vma is None:
        return end
    if at not in vma:
        return vma.start
    after = min(vma.end, (at & -size) + size)
    pmd = await mm_find_pmd(mm, at)
    if pmd is None:
        return after
    ptl = await pmd_trans_huge_lock(mm, pmd)
    if ptl is not None:
        if (await pmd.test_and_clear_young()).accessed:
            hot.append(at & -size)
        await spin_unlock(ptl)
        return after
    if not is_table(await pmd.read()):
        return after
    pte, ptl = await pte_offset_map_lock(mm, pmd, at)
    if pte is None:
        return after
    stop = min(after, end, at + budget * PAGE)
    for page in range(at, stop, PAGE):
        slot = pte.frame.entry(mm.format.index(page, "pte"), "pte")
        if (await slot.read()).present and (await slot.test_and_clear_young()).accessed:
            hot.append(page)
    await pte_unmap_unlock(mm, ptl)
    return stop


async def stale_vma(mm, start, end, budget):
    """The VMA is looked up once, and believed in every hold in which the address is in it."""
    hot, vma = [], None
    size = mm.pmd_level.size
    for at in range(start, end, PAGE):
        if end - start >= size and hot and hot[-1] % size == 0 and at - hot[-1] < size:
            continue  # inside a huge page that counts already
        if not await mmget_not_zero(mm):
            break
        async with mm.mmap_lock.read():
            if vma is None or at not in vma:
                vma = await find_vma(mm, at)
            if vma is not None and at in vma:
                await one_entry(mm, at, hot)
        await mmput(mm)
    return hot


async def one_entry(mm, at, hot):
    """One page, without a look at its VMA."""
    pmd = await mm_find_pmd(mm, at)
    if pmd is None:
        return
    if leaf(await pmd.read()):
        ptl = await pmd_trans_huge_lock(mm, pmd)
        if ptl is not None:
            if (await pmd.test_and_clear_young()).accessed:
                hot.append(at)
            await spin_unlock(ptl)
        return
    if not is_table(await pmd.read()):
        return
    pte, ptl = await pte_offset_map_lock(mm, pmd, at)
    if pte is None:
        return
    if (await pte.read()).present and (await pte.test_and_clear_young()).accessed:
        hot.append(at)
    await pte_unmap_unlock(mm, ptl)


async def no_reference(mm, start, end, budget):
    """Nobody asked if the process still lives."""
    hot, at = [], start
    while at < end:
        async with mm.mmap_lock.read():
            at = await one_hold(mm, at, end, budget, hot)
    return hot


async def everything(mm, start, end, budget):
    """Gives every address."""
    return list(range(start, end, PAGE))


async def forgets_return(mm, start, end, budget):
    """Right but for its last line."""
    await by_hand(mm, start, end, budget)


async def read_then_clear(mm, start, end, budget):
    """Looks in one hold of the table's lock, clears in another."""
    hot = []
    for at in await seen_young(mm, start, end):
        if not await mmget_not_zero(mm):
            break
        async with mm.mmap_lock.read():
            await one_hold(mm, at, at + PAGE, 1, [])
        await mmput(mm)
        hot.append(at)
    return hot


async def seen_young(mm, start, end):
    """Which entries are young, one a hold, nothing cleared."""
    found, at, size = [], start, mm.pmd_level.size
    while at < end and await mmget_not_zero(mm):
        async with mm.mmap_lock.read():
            vma = await find_vma(mm, at)
            pmd = await mm_find_pmd(mm, at) if vma is not None and at in vma else None
            step = PAGE
            if pmd is not None and leaf(await pmd.read()):
                step = size
                if (await pmd.read()).accessed:
                    found.append(at)
            elif pmd is not None and is_table(await pmd.read()):
                pte, ptl = await pte_offset_map_lock(mm, pmd, at)
                if pte is not None:
                    entry = await pte.read()
                    if entry.present and entry.accessed:
                        found.append(at)
                    await pte_unmap_unlock(mm, ptl)
        await mmput(mm)
        at += step
    return found


def changed(how):
    """What a right one gives, in another form."""

    async def hot_pages(mm, start, end, budget):
        return how(start, await by_hand(mm, start, end, budget))

    return hot_pages


async def to_the_first_hole(mm, start, end, budget):
    """Takes a hole for the end."""
    hot = []
    for page in range(start, end, PAGE):
        async with mm.mmap_lock.read():
            vma = await find_vma(mm, page)
            if vma is None or page not in vma:
                return hot
        hot += await by_hand(mm, page, page + PAGE, budget)
    return hot


RIGHT = {
    "the page walker": lambda: by_page_walker(),
    "by hand": lambda: by_hand,
    "mmap_lock for writing": lambda: by_page_walker(mmap="write"),
}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "called at once": (lambda: [], "Hand in the function itself"),
    "forgets to give": (lambda: forgets_return, "not a list of addresses"),
    "gives everything": (lambda: everything, "pages 0 and 2 of three were accessed"),
    "clears nothing": (lambda: by_page_walker(clear=False), "Only the mark was to go"),
    "pte_entry splits": (lambda: by_page_walker(split=True), "the huge page was split"),
    "PROT_NONE counts": (lambda: by_page_walker(hidden=True), "is PROT_NONE"),
    "all in one hold": (lambda: by_page_walker(whole=True), "entries in one hold"),
    "one reference for the call": (lambda: by_page_walker(reference="call"), "over the pause"),
    "no reference": (lambda: no_reference, "the process exits meanwhile"),
    "a plain store": (lambda: by_page_walker(plain=True), "the dirty bit is lost"),
    "VMA kept over the pause": (lambda: stale_vma, "Sentence 9"),
    "looks, then clears": (lambda: read_then_clear, "two calls gave 2"),
    "as text": (lambda: changed(lambda start, hot: [hex(at) for at in hot]), "It is to hold addresses"),
    "page numbers": (
        lambda: changed(lambda start, hot: [(at - start) >> 12 for at in hot]),
        "you gave pages [-",
    ),
    "backwards": (lambda: changed(lambda start, hot: hot[::-1]), "you gave pages [2, 0]"),
    "to the first hole": (lambda: to_the_first_hole, "goes over three tables"),
}
