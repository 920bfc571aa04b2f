"""Source of solutions/05_race_munmap.ipynb, and through it of exercises/05_race_munmap.ipynb."""

# ruff: noqa: B018, E402, F401

# %% [markdown] title
"""
# Exercises 5: munmap under the read lock

After these exercises you can say on which kernels a bug shows, mend a walker and have it proved, and say
what a late write does. They go with [the notebook](../notebooks/05_race_munmap.ipynb). About 52 minutes
alone.

| exercise | | minutes |
| --- | --- | --- |
| 05.1 When the accident does not happen | ●● needs thought | 15 |
| 05.2 Mend it | ●●● hard | 25 |
| 05.3 Which words change? | ●● needs thought | 12 |

A check passes, or stops with one line that says what it saw. If it saw a race, the line holds its schedule,
and the stepper opens on it, three steps before the end. `ptwalk.hint("05.1")` has three hints.
"""

# %% start
import ptwalk

ptwalk.start("05")

# %% [markdown] ex-05-1
"""
## 05.1 When the accident does not happen

●● needs thought · 15 minutes

DAMON v34 walks with the page-table lock alone. Four kernels free page tables by RCU:

| | memory for RCU's list | no memory for it |
| --- | --- | --- |
| **preemptible** | A | B |
| **not preemptible** | C | D |

For each, hand in a schedule in which v34 touches a table that was freed, or the word `"none"`.

The stepper shows the schedule as a line that you can copy. CPU 2 stands for the part of RCU that waits for
the grace period and then frees. `ptwalk.stepper(subject("B"), "0x1")` opens kernel B.
"""

# %% 05-1-kernels
from ptwalk.checks.munmap.accident import subject

game = ptwalk.stepper(subject("A"), "0x1", challenge=True)
game

# %% 05-1-answer
answer = {"A": None, "B": None, "C": None, "D": None}
### BEGIN SOLUTION
answer = {
    "A": "0x5:read 1x27:call_rcu 2x3:free 0x1:lock",
    "B": "0x5:read 1x28:free 0x1:lock",
    "C": "none",
    "D": "0x6:read 1x29:free 0x1:lock",
}
### END SOLUTION

# %% 05-1-check
ptwalk.check("05.1", answer)

# %% [markdown] ex-05-2
"""
## 05.2 Mend it

●●● hard · 25 minutes

Below is v34. Mend it: `mkold(mm, addr)` clears the accessed bit of the page at `addr`. The address may be
in a hole; then it does nothing. `damon_ptep_mkold(mm, pte)` clears the bit of an entry whose lock you hold.

It is tried against every kind of munmap, against an exit, and against one that you have not met yet: it frees
the tables of a file. Tables are freed in three ways, and there are one walker or two.
"""

# %% 05-2-names
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.kernel.pgtable import is_table, mm_find_pmd, pte_offset_map_lock, pte_unmap_unlock
from ptwalk.kernel.vma import find_vma
from ptwalk.walk.damon import damon_ptep_mkold
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range


# %% 05-2-v34
async def mkold_v34(mm, addr):
    """The walker of the review, a little shortened."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None or not is_table(await pmd.read()):
        return
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if (await pte.read()).linux_present:
        await damon_ptep_mkold(mm, pte)
    await pte_unmap_unlock(mm, ptl)


# %% 05-2-answer
async def mkold(mm, addr):
    """Clears the accessed bit of the page at addr, if there is one."""
    ### BEGIN SOLUTION
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    if vma is not None and addr in vma:
        pmd = await mm_find_pmd(mm, addr)
        if pmd is not None and is_table(await pmd.read()):
            pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
            if (await pte.read()).linux_present:
                await damon_ptep_mkold(mm, pte)
            await pte_unmap_unlock(mm, ptl)
    await mmap_read_unlock(mm)
    ### END SOLUTION


# %% 05-2-check
ptwalk.check("05.2", mkold)

# %% [markdown] ex-05-3
"""
## 05.3 Which words change?

●● needs thought · 12 minutes

The table was freed, and is a page of data now: 512 words. v34 still has a pointer into it, and holds the
"lock". For each word, think that v34's address leads just there. Which words does it change, and to what?

Hand in a dict: the index of each word that changes, and the word as it is afterwards. v34's tests are in
part 4 of the notebook, the bits in notebook 1. The machine is x86-64. `page.words` are the 512 words,
`page.lru` the numbers of the frames on the LRU list.
"""

# %% 05-3-problem
page = ptwalk.problem("05.3")
page

# %% 05-3-answer
changes = None  # a dict: {index: new word}
### BEGIN SOLUTION
changes = {}
for index, word in enumerate(page.words):
    frame = (word >> 12) & 0xFF_FFFF_FFFF
    if not word & 1:
        frame ^= 0xFF_FFFF_FFFF  # PROT_NONE: stored inverted
    if word & 0x101 and frame in page.lru and word & 0x20:
        changes[index] = word & ~0x20
### END SOLUTION

# %% 05-3-check
ptwalk.check("05.3", changes)

# %% [markdown] next
"""
Next: [6. A race: khugepaged's collapse](../notebooks/06_race_collapse.ipynb).
"""
