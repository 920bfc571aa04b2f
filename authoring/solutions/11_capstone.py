"""Source of solutions/11_capstone.ipynb, and through it of exercises/11_capstone.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# Exercises 11: capstone

After these exercises you can review, break, mend and prove a walker that nobody has shown you. They go with
[the notebook](../notebooks/11_capstone.ipynb). About 120 minutes alone; in a room, one part each.

| exercise | | minutes |
| --- | --- | --- |
| 11.1 Your own | ●● needs thought | 30 |
| 11.2 Three unseen | ●●● hard | 45 |
| 11.3 From a specification | ●●● hard | 45 |

The checks search. Each takes some seconds. 11.2 and 11.3 are judged in parts, and each part counts.

Stuck? `ptwalk.hint("11.1")` has three hints. `ptwalk.solution("11.1")` shows a solution after you pass, or
when you ask twice.
"""

# %% start
import ptwalk

ptwalk.start("11")

# %% [markdown] ex-11-1
"""
## 11.1 Your own

●● needs thought · 30 minutes

Bring a walker from a kernel that you know, or take one of these: a reader of `/proc/PID/smaps`; a monitor that
clears accessed bits; a driver that looks up one address; a lockless pin; a dump of all tables; a walk from a
file's page. Bring it to 15 lines: keep loads, locks and stores; drop the rest.

Then say for each changer, on 5.15.0, one of four words:

- `"bug"`: some schedule breaks a rule;
- `"lock"`: safe, because a lock that you hold keeps the changer out;
- `"wait"`: safe, because whoever frees waits for you;
- `"cannot"`: safe, because this changer cannot take away what you use.

The check takes away what you name, and looks if the cell turns. Against exit it gives your walker a user reference,
as a monitor has one. Set `own` to True for a walker of its own process's memory.
"""

# %% 11-1-look
from ptwalk.kernel import find_vma, is_table, mm_find_pmd, pte_offset_map_lock, pte_unmap_unlock


# %% 11-1-answer
async def my_walker(mm, addr):
    """Reads the entry of one address."""
    ### BEGIN SOLUTION
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
    ### END SOLUTION


row = dict.fromkeys(["munmap", "munmap-neighbour", "collapse-anon", "retract", "dontneed", "exit"])
own = False
### BEGIN SOLUTION
row = dict.fromkeys(["munmap", "collapse-anon", "retract"], "lock")
row |= dict.fromkeys(["munmap-neighbour", "dontneed", "exit"], "cannot")
### END SOLUTION

# %% 11-1-check
ptwalk.check("11.1", {"walk": my_walker, "row": row, "own": own})

# %% [markdown] ex-11-2
"""
## 11.2 Three unseen

●●● hard · 45 minutes

The walkers of the notebook: A for 5.15.0 and for 6.14, B for 7.1 and for 5.15.0, C for 7.1. For each hand in:

- `"none"`, or a schedule that breaks it. For A and B write the changer first: `"munmap 0x5 1x28 0x1"`. For C
  the CPUs are the walker, MADV_DONTNEED and the fault, and the line must go on to the end of all three;
- why, as one of the letters below;
- for A and C the smallest mend: a function that still does the work.

Read first, ten minutes each. Then let `ptwalk.check_walker(unseen.collect_then_clear, "all", "6.14")` look, and
`ptwalk.explore(race(unseen.skip_the_empty))` for C.
"""

# %% 11-2-reasons
from ptwalk.checks.capstone import unseen
from ptwalk.checks.capstone.records import race
from ptwalk.checks.capstone.review import REASONS

for letter, reason in REASONS.items():
    print(f"({letter}) {reason}")

# %% 11-2-names
from ptwalk.kernel import (
    lock_vma_under_rcu,
    none,
    offset_lockless,
    pte_lockptr,
    rcu_read,
    spin_lock,
    spin_unlock,
    vma_end_read,
)


# %% 11-2-answer
async def mend_of_a(mm, addr):
    """Clears the accessed bit of the page at addr."""
    ### BEGIN SOLUTION
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is None or addr not in vma:
            return
        for last in (False, True):  # two passes; only the address is kept between them
            pmd = await mm_find_pmd(mm, addr)
            if pmd is None or not is_table(await pmd.read()):
                return
            pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
            if pte is None:
                return
            if last and (await pte.read()).linux_present:
                await pte.test_and_clear_young()
            await pte_unmap_unlock(mm, ptl)
    ### END SOLUTION


async def mend_of_c(records, mm, addr):
    """Sets the record to empty if the table is empty."""
    ### BEGIN SOLUTION
    vma = await lock_vma_under_rcu(mm, addr)
    if vma is None:
        return
    pmd = await mm_find_pmd(mm, addr)
    async with rcu_read(mm.machine):
        entry = await pmd.read()
        if is_table(entry):
            pte, ptl = offset_lockless(pmd, entry, addr), pte_lockptr(mm, pmd, entry)
            await spin_lock(ptl)
            if (await pmd.read()).raw == entry.raw and none(await pte.read()):
                await records.set(False)
            await spin_unlock(ptl)
    await vma_end_read(vma)
    ### END SOLUTION


review = dict.fromkeys(["A 5.15.0", "A 6.14", "A why", "B 7.1", "B 5.15.0", "B why", "C 7.1", "C why"])
### BEGIN SOLUTION
review |= {"A 5.15.0": "none", "B 7.1": "none", "A why": "a", "B why": "c", "C why": "e"}
found = ptwalk.check_walker(unseen.collect_then_clear, "reclaim", "6.14")
review["A 6.14"] = f"reclaim {found.schedule}"
found = ptwalk.check_walker(unseen.page_finder, "collapse-pte-mapped", "5.15.0")
review["B 5.15.0"] = f"collapse-pte-mapped {found.schedule}"
review["C 7.1"] = ptwalk.explore(race(unseen.skip_the_empty)).schedule
### END SOLUTION

# %% 11-2-check
ptwalk.check("11.2", {**review, "A mend": mend_of_a, "C mend": mend_of_c})

# %% [markdown] ex-11-2-mail
"""
**The mail.** Write three sentences to the author of A, and the schedule line. Be kind, name the release, say what
would change your mind. Open the sample when 11.2 has passed; nobody marks this part but you.

<details><summary>A sample</summary>
"Between the two passes the table can be freed on 6.14: MADV_DONTNEED on another CPU holds mmap_lock for reading
too, empties the table and gives it back. The pointers gathered in the first pass then point into freed memory; the
schedule below shows it. Keep addresses and call pte_offset_map_lock again; on 5.15.0 I find nothing wrong."
</details>
"""

# %% [markdown] ex-11-3
"""
## 11.3 From a specification

●●● hard · 45 minutes

Write `hot_pages(mm, start, end, budget)` for another process's `mm`. Right on 5.15.0 and on 7.1. Ten sentences;
each is judged by itself:
"""

# %% 11-3-sentences
from ptwalk.checks.capstone.specification import SENTENCES

print("It ...", *SENTENCES, sep="\n")

# %% [markdown] ex-11-3-notes
"""
- "In order" means by address. If the process is gone, give what you have.
- An access is an accessed mark that is set: `old = await pte.test_and_clear_young()` gives the entry as it was, so
  ask `old.accessed`. `entry.present` is what the hardware sees; `leaf(entry)` is true for PROT_NONE as well.
- Pages come 4,096 bytes apart. `pte.frame.entry(mm.format.index(page, "pte"), "pte")` is the entry of another page
  in the same table. A range may begin in one table and end in another, with holes and huge pages in between.
"""

# %% 11-3-names
from ptwalk.actors.exit import exit_mm as mmput
from ptwalk.kernel import mmget_not_zero, pmd_trans_huge_lock


# %% 11-3-answer
async def hot_pages(mm, start, end, budget):
    """The addresses of the pages in [start, end) that were accessed."""
    ### BEGIN SOLUTION
    hot, at = [], start
    while at < end and await mmget_not_zero(mm):
        async with mm.mmap_lock.read():
            at = await one_hold(mm, at, end, budget, hot)
        await mmput(mm)
    return hot


async def one_hold(mm, at, end, budget, hot):
    """Looks at no more than `budget` entries from `at` on, and gives the address to go on with."""
    size = mm.pmd_level.size
    vma = await find_vma(mm, at)
    if vma is None or at not in vma:
        return end if vma is None else vma.start
    after = min(vma.end, end, (at & -size) + size)
    pmd = await mm_find_pmd(mm, at)
    ptl = await pmd_trans_huge_lock(mm, pmd) if pmd is not None else None
    if ptl is not None:
        if (await pmd.test_and_clear_young()).accessed:
            hot.append(at & -size)
        await spin_unlock(ptl)
        return after
    if pmd is None or not is_table(await pmd.read()):
        return after
    pte, ptl = await pte_offset_map_lock(mm, pmd, at)
    if pte is None:
        return after
    after = min(after, at + 4096 * budget)
    for page in range(at, after, 4096):
        slot = pte.frame.entry(mm.format.index(page, "pte"), "pte")
        if (await slot.read()).present and (await slot.test_and_clear_young()).accessed:
            hot.append(page)
    await pte_unmap_unlock(mm, ptl)
    return after
    ### END SOLUTION


# %% 11-3-check
ptwalk.check("11.3", hot_pages)

# %% [markdown] what-next
"""
## What you can do now

You can look at a walker nobody has shown you, say which rule it breaks on which release, and prove the mend.

Still unsafe: what the model leaves out. Write your own line "assumed" under every proof you send.

What you have done so far: `ptwalk.progress()`.
"""
