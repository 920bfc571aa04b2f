"""Source of solutions/09_mending_damon.ipynb, and through it of exercises/09_mending_damon.ipynb."""

# ruff: noqa: B018, E402, F401

# %% [markdown] title
"""
# Exercises 9: mending DAMON

After these exercises you can show what is wrong with a patch, mend it for two kernels, and write the review.
They go with [the notebook](../notebooks/09_mending_damon.ipynb). About 52 minutes alone.

| exercise | | minutes |
| --- | --- | --- |
| 09.1 Four red cells | ●● needs thought | 12 |
| 09.2 Your merged version | ●●● hard | 25 |
| 09.3 Write the review | ●● needs thought | 15 |

A check passes, or stops with one line that says what it saw. If it saw a race, the line holds its schedule,
and the stepper opens on it, three steps before the end. `ptwalk.hint("09.1")` has three hints.
"""

# %% start
import ptwalk

ptwalk.start("09")

# %% [markdown] ex-09-1
"""
## 09.1 Four red cells

●● needs thought · 12 minutes

DAMON v34 has four enemies: munmap, a collapse, a move of its table, and the hardware. For each, hand in a
schedule that ends in the accident, and the rule that v34 broke:

- `"a"` inside a VMA, with mmap_lock for reading from the look-up to the last use;
- `"b"` without regard to VMAs, with mmap_lock for writing;
- `"c"` lockless, with interrupts off, in the own address space;
- `"hardware"` no rule of locks: who shares a word with the hardware changes it in one step.

Play each race and copy the line. If more than one rule would have helped, either will do.
"""

# %% 09-1-races
from ptwalk.checks.damon.four import RACES

game = ptwalk.stepper(RACES["collapse"], "0x3")
game

# %% 09-1-answer
answer = {"munmap": (None, None), "collapse": (None, None), "moved": (None, None), "hardware": (None, None)}
### BEGIN SOLUTION
answer = {
    name: (str(ptwalk.explore(race).schedule), "hardware" if name == "hardware" else "a")
    for name, race in RACES.items()
}
### END SOLUTION

# %% 09-1-check
ptwalk.check("09.1", answer)

# %% [markdown] ex-09-2
"""
## 09.2 Your merged version

●●● hard · 25 minutes

Write `damon_mkold(mm, addr)`: it clears the accessed bit of the page at `addr`, small (4 KiB) or huge
(2 MiB), and does nothing in a hole. It must not split a huge page, nor lose a dirty bit, nor take a page for
one that is just being moved.

It is tried on 5.15.0 and on 7.1, against everything that changes tables there. Below is v34, as a reminder
of what to leave.
"""

# %% 09-2-names
from ptwalk.kernel import (
    find_vma,
    is_table,
    leaf,
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_unlock,
    pmd_trans_huge_lock,
    pte_offset_map_lock,
    pte_unmap_unlock,
    spin_unlock,
)
from ptwalk.walk.damon import damon_ptep_mkold
from ptwalk.walk.follow import follow_invalidate_pte, unfollow
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range


# %% 09-2-v34
async def v34(mm, addr):
    found = await follow_invalidate_pte(mm, addr)
    if found is not None:
        await damon_ptep_mkold(mm, found.entry)
        await unfollow(mm, found)


# %% 09-2-answer
async def damon_mkold(mm, addr):
    """Clears the accessed bit of the page at addr, small or huge."""

    ### BEGIN SOLUTION
    async def pmd_entry(pmd, addr, end, walk):
        ptl = await pmd_trans_huge_lock(mm, pmd)
        if ptl is not None:
            if leaf(await pmd.read()):  # and no page that is being moved
                await pmd.test_and_clear_young()
            await spin_unlock(ptl)
        elif is_table(await pmd.read()):
            pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
            if pte is not None:
                if (await pte.read()).linux_present:
                    await pte.test_and_clear_young()
                await pte_unmap_unlock(mm, ptl)
        return 0

    await mmap_read_lock(mm)
    await walk_page_range(mm, addr, addr + 1, MmWalkOps(pmd_entry=pmd_entry))
    await mmap_read_unlock(mm)
    ### END SOLUTION


# %% 09-2-check
ptwalk.check("09.2", damon_mkold)

# %% [markdown] ex-09-3
"""
## 09.3 Write the review

●● needs thought · 15 minutes

A neighbour's patch lies in front of you. Is it legal on the kernel it is for? If not: which rule does it
break, against which changer, on which schedule, and what is the smallest mend?

`ptwalk.check_walker(patch.walker, against="all", release=patch.release)` tries it. Rules are those of 09.1,
and one more: `"vanish"` newer kernels take pte tables away whatever lock of the mm you hold, so go through
`pte_offset_map_lock`. A patch may be fine; then `legal` is all there is to say.

Want another one? `ptwalk.problem("09.3", "new")`. The same as your neighbour? `ptwalk.problem("09.3", 7)`.
"""

# %% 09-3-problem
patch = ptwalk.problem("09.3")
patch

# %% 09-3-answer
review = {
    "patch": patch.id,
    "legal": None,  # True or False
    "rule": None,  # "a", "b", "c", "hardware" or "vanish"
    "against": None,  # a changer, such as "munmap"
    "schedule": None,  # a line
    "mend": None,  # your function: async def mkold(mm, addr)
}
### BEGIN SOLUTION
tried = ptwalk.check_walker(patch.walker, against=("munmap", "retract", "user-access"), release=patch.release)
red = next((name for name, verdict in tried.items() if verdict.outcome == "bug"), None)
review["legal"] = red is None
if red is not None:
    review["rule"] = {"munmap": "a", "retract": "vanish", "user-access": "hardware"}[red]
    review |= {"against": red, "schedule": str(tried[red].schedule), "mend": damon_mkold}
### END SOLUTION

# %% 09-3-check
ptwalk.check("09.3", review)

# %% [markdown] next
"""
## What next

[10. The matrix: then and now](../notebooks/10_matrix.ipynb)
"""
