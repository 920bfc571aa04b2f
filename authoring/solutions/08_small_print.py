"""Source of solutions/08_small_print.ipynb, and through it of exercises/08_small_print.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# Exercises 8: the rule's small print

After these exercises you can let go of a lock in the middle of a walk, say how big a munmap must be to hurt
a walk, and look at the memory of a process that may exit. They go with
[the notebook](../notebooks/08_small_print.ipynb). About 55 minutes alone.

| exercise | | minutes |
| --- | --- | --- |
| 08.1 The long walk | ●●● hard | 25 |
| 08.2 How big must it be? | ●● needs thought | 15 |
| 08.3 Somebody else's memory | ●● needs thought | 15 |

A check passes, or stops with one line that says what it saw. If it saw a race, the line holds its schedule,
and the stepper opens on it, three steps before the end. `ptwalk.hint("08.1")` has three hints.
"""

# %% start
import ptwalk

ptwalk.start("08")

# %% [markdown] ex-08-1
"""
## 08.1 The long walk

●●● hard · 25 minutes

`survey(mm, addrs)` says which of these addresses have a page: it gives the list of them. There may be many,
so between any two addresses it lets go of `mmap_lock`, and takes it again. Some addresses may be in a hole.

Below is a first try. It keeps a VMA and a pmd value over the drop. Mend it. It is tried against munmap,
munmap with a new mmap in the same place, retract, collapse, a moved table and an exit, on 5.15.0.
"""

# %% 08-1-names
from ptwalk.kernel import (
    find_vma,
    is_table,
    leaf,
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_unlock,
    offset_lockless,
)


# %% 08-1-first-try
async def first_try(mm, addrs):
    """Which of the addresses have a page; all in one VMA, and all in one table."""
    found = []
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addrs[0])
    pmd = await mm_find_pmd(mm, addrs[0])
    entry = await pmd.read()
    for addr in addrs:
        if addr in vma and is_table(entry) and (await offset_lockless(pmd, entry, addr).read()).linux_present:
            found.append(addr)
        await mmap_read_unlock(mm)
        await mmap_read_lock(mm)
    await mmap_read_unlock(mm)
    return found


# %% 08-1-answer
async def survey(mm, addrs):
    """Which of the addresses have a page; lets others run between any two."""
    ### BEGIN SOLUTION
    found = []
    for addr in addrs:
        async with mm.mmap_lock.read():
            vma = await find_vma(mm, addr)
            pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
            if pmd is None:
                continue
            entry = await pmd.read()
            if leaf(entry) or (
                is_table(entry) and (await offset_lockless(pmd, entry, addr).read()).linux_present
            ):
                found.append(addr)
    return found
    ### END SOLUTION


# %% 08-1-check
ptwalk.check("08.1", survey)

# %% [markdown] ex-08-2
"""
## 08.2 How big must it be?

●● needs thought · 15 minutes

Which VMAs of a process, unmapped alone, free a table that a walk outside VMAs may be reading? Kernel 5.15.0.
Two walks:

- `"hole"` goes down to the pud entry and stops.
- `"novma"` goes down to the ptes.

`endangered(vmas, tables, walk)` gives the starts of these VMAs. `vmas` is a list of `(start, end)`,
`tables` one of `(level, low, high)`: a table of that level, and the addresses it spans. It is the rule of
exercise 02.1: a table goes if nobody who stays meets its span. The check takes two captured processes.
"""

# %% 08-2-look
machine = ptwalk.open_capture("x86_64-4level-6.1")
for table in machine.tables("user")[:4]:
    print(table.level, hex(table.covers_start), hex(table.covers_end))


# %% 08-2-answer
def endangered(vmas, tables, walk):
    """Starts of the VMAs whose munmap frees a table that this walk reads."""
    ### BEGIN SOLUTION
    levels = ("pud",) if walk == "hole" else ("pte", "pmd", "pud")
    found = []
    for start, end in vmas:
        others = [vma for vma in vmas if vma != (start, end)]
        for level, low, high in tables:
            mine = start < high and low < end
            shared = any(s < high and low < e for s, e in others)
            if level in levels and mine and not shared:
                found.append(start)
                break
    return found
    ### END SOLUTION


# %% 08-2-check
ptwalk.check("08.2", endangered)

# %% [markdown] ex-08-3
"""
## 08.3 Somebody else's memory

●● needs thought · 15 minutes

A monitor was told to watch another process, and has taken mm_count (`mmgrab`): the struct stays. It looks
twice, a minute apart. `monitor(mm, addr, minute)` gives a list of two: for each look True if there is a page
at `addr`, False if not, None if the process is gone. `await minute()` lets a minute go by.

Below is a first try. Mend it. It is tried against exit and munmap, on 5.15.0 and 7.1. `mmput` here is the
real one: the last put tears the memory down.
"""

# %% 08-3-names
from ptwalk.actors.exit import exit_mm as mmput
from ptwalk.kernel import mmget_not_zero, pte_offset_map_lock, pte_unmap_unlock


async def page_at(mm, addr):
    """Whether there is a page; for a caller who has what such a walk needs."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None or not is_table(await pmd.read()):
        return False
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return False
    there = (await pte.read()).linux_present
    await pte_unmap_unlock(mm, ptl)
    return there


# %% 08-3-first-try
async def first_monitor(mm, addr, minute):
    """Keeps mm_count, and takes the lock for each look."""
    async with mm.mmap_lock.read():
        first = await page_at(mm, addr)
    await minute()
    async with mm.mmap_lock.read():
        return [first, await page_at(mm, addr)]


# %% 08-3-answer
async def monitor(mm, addr, minute):
    """Two looks at a page of another process, a minute apart."""
    ### BEGIN SOLUTION
    seen = []
    for look in range(2):
        if look == 1:
            await minute()
        if not await mmget_not_zero(mm):
            seen.append(None)
            continue
        async with mm.mmap_lock.read():
            vma = await find_vma(mm, addr)
            seen.append(vma is not None and addr in vma and await page_at(mm, addr))
        await mmput(mm)
    return seen
    ### END SOLUTION


# %% 08-3-check
ptwalk.check("08.3", monitor)

# %% [markdown] next
"""
## What next

[9. Mending DAMON](../notebooks/09_mending_damon.ipynb)
"""
