"""Source of solutions/04_walkers.ipynb, and through it of exercises/04_walkers.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# Exercises 4: walkers

After these exercises you can write callbacks for the page walker that survive all that may happen under the
read lock. They go with [the notebook](../notebooks/04_walkers.ipynb). About 47 minutes alone.

| exercise | | minutes |
| --- | --- | --- |
| 04.1 Count the young | ●● needs thought | 20 |
| 04.2 Clear young, lose nothing | ●● needs thought | 15 |
| 04.3 One look too many | ●● needs thought | 12 |

A check passes, or stops with one line that says what it saw. If it saw a race, the line holds its schedule,
and the stepper opens on it, three steps before the end.
"""

# %% start
import ptwalk

ptwalk.start("04")

# %% [markdown] ex-04-1
"""
## 04.1 Count the young

●● needs thought · 20 minutes

A page is **young** if its A bit is set. Write `count_young(mm, start, end)`: how many pages of the range
are young? A huge page of 2 MiB counts as 512. Pages that are not there count nothing.

Take `mm.mmap_lock` for reading, and let `walk_page_range` do the walk. You write two callbacks:

- `pmd_entry` sees each pmd that is not none, before the walker splits a huge one. Set `walk.action =
  "continue"` there, and the walker leaves this pmd alone; `"again"` makes it look once more.
- `pte_entry` sees each pte, with the lock of its table held.

Useful: `await slot.read()` gives an entry with `.linux_present` and `.accessed`; `leaf(entry)` says whether
it maps memory itself. `await pmd_trans_huge_lock(mm, slot)` gives the lock, held, if the pmd is huge or
migrating, and else None; `await spin_unlock(ptl)` drops it.
"""

# %% 04-1-tools
from ptwalk.kernel.huge_memory import pmd_trans_huge_lock
from ptwalk.kernel.pgtable import leaf
from ptwalk.machine.locks import spin_unlock
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range


# %% 04-1-answer
async def count_young(mm, start, end):
    """How many pages of [start, end) are young."""
    count = 0
    ### BEGIN SOLUTION

    async def pmd_entry(slot, addr, upto, walk):
        nonlocal count
        ptl = await pmd_trans_huge_lock(mm, slot)
        if ptl is not None:
            entry = await slot.read()
            if leaf(entry) and entry.accessed:
                count += 512
            await spin_unlock(ptl)
            walk.action = "continue"
        return 0

    async def pte_entry(slot, addr, upto, walk):
        nonlocal count
        entry = await slot.read()
        count += entry.linux_present and entry.accessed
        return 0

    async with mm.mmap_lock.read():
        await walk_page_range(mm, start, end, MmWalkOps(pmd_entry=pmd_entry, pte_entry=pte_entry))
    ### END SOLUTION
    return count


# %% 04-1-check
ptwalk.check("04.1", count_young)

# %% [markdown] ex-04-2
"""
## 04.2 Clear young, lose nothing

●● needs thought · 15 minutes

A monitor wants to know whether a page is used. It clears A, waits, and looks again. The code below is what
DAMON v34 did for one pte. It loses something. Mend it: `clear_young(mm, pmd, addr)` gives True if A was
set, and False otherwise, and nobody else's write is lost.

The mmap lock is held for reading. When you are called, the pmd led to a table. From Linux 6.5 on it may
have gone since; then `pte_offset_map_lock` gives None twice, and there is nothing to clear.

A pte pointer offers `read()`, `write(raw)`, `get_and_clear()`, `cmpxchg(old, new)` and
`test_and_clear_young()`; each is one step, and each is awaited. `mm.format.mkold(raw, "pte")` is the same
word without A.
"""

# %% 04-2-loses
from ptwalk.kernel.pgtable import pte_offset_map_lock, pte_unmap_unlock


async def loses(mm, pmd, addr):
    """Load, clear, store: as DAMON v34 did."""
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return False
    entry = await pte.read()
    if entry.accessed:
        await pte.write(mm.format.mkold(entry.raw, "pte"))
    await pte_unmap_unlock(mm, ptl)
    return entry.accessed


# %% 04-2-answer
async def clear_young(mm, pmd, addr):
    """Clears A of one pte; True if it was set."""
    ### BEGIN SOLUTION
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return False
    old = await pte.test_and_clear_young()
    await pte_unmap_unlock(mm, ptl)
    return old.accessed
    ### END SOLUTION


# %% 04-2-check
ptwalk.check("04.2", clear_young)

# %% [markdown] ex-04-3
"""
## 04.3 One look too many

●● needs thought · 12 minutes

This is the shape of a helper of 2012 (CVE-2012-1179). The mmap lock is held for reading. Is there a table
below this pmd? A huge page is stepped over, an empty pmd too, and an entry that is **bad**, neither empty
nor a table, is cleared and forgotten.

Mend it: `find_pte(mm, pmd, addr)` gives the pointer to the pte, or None where there is no table. It never
clears a huge page and never takes one for a table.
"""

# %% 04-3-looks-thrice
from ptwalk.kernel.pgtable import bad, is_table, none, offset_lockless


async def looks_too_often(mm, pmd, addr):
    """Huge? Empty? Bad? Each question is a load of its own."""
    if leaf(await pmd.read()):
        return None
    if none(await pmd.read()):
        return None
    if bad(await pmd.read()):
        await pmd.clear()
        return None
    return offset_lockless(pmd, await pmd.read(), addr)


# %% 04-3-answer
async def find_pte(mm, pmd, addr):
    """The pointer to the pte for `addr`, or None."""
    ### BEGIN SOLUTION
    entry = await pmd.read()
    if not is_table(entry):
        return None
    return offset_lockless(pmd, entry, addr)
    ### END SOLUTION


# %% 04-3-check
ptwalk.check("04.3", find_pte)

# %% [markdown] what-next
"""
## What you can do now

You can write a callback that looks once, decides under the right lock, and changes a live entry in one
step.

Still unsafe: a walk that looks at no VMA. [Notebook 0](../notebooks/00_start_here.ipynb) showed it; the
next notebooks take it apart.
"""
