"""Source of notebooks/11_capstone.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# 11. A patch of your own

**After this** you can review, break, mend and prove a walker that nobody has shown you.

About 40 minutes alone, and 120 for the exercises. You need: all notebooks before; [notebook
10](10_matrix.ipynb) for what is true on which release.
"""

# %% start
import ptwalk

ptwalk.start("11")

# %% [markdown] hook
"""
## Bring your own walker

Here is a walker, brought from a patch to fifteen lines. If you have one of your own, put it in its place. The
explorer then lets it meet everybody who changes page tables on Linux 5.15.0.

**Predict.** It holds the mmap lock for reading, and looks at no VMA. How many cells turn red?

<details><summary>None: the lock keeps everybody out</summary>
It keeps out writers. munmap was a writer, and is a reader from its downgrade on.
</details>
<details><summary>A few</summary>
Yes. Those in which somebody frees tables of a hole while others may read.
</details>
<details><summary>Most</summary>
Most changers hold the mmap lock for writing at the cut, and wait for this walker.
</details>
"""

# %% a-walker
from ptwalk.kernel import is_table, mm_find_pmd, pte_offset_map_lock, pte_unmap_unlock


async def mine(mm, addr):
    async with mm.mmap_lock.read():
        pmd = await mm_find_pmd(mm, addr)
        if pmd is None or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is not None:
            await pte.test_and_clear_young()
            await pte_unmap_unlock(mm, ptl)


# %% the-row [shut]
row = ptwalk.check_walker(mine, against="all", release="5.15.0")
for changer, verdict in row.items():
    print(f"{verdict.outcome:5} {changer}")

# %% [markdown] method
"""
## The method, on one page

Four questions, always in this order.

1. **What may change here?** Say the level, the release, and who changes it.
2. **Which lock do we both take** at the cut? If there is one, stop: you are safe.
3. **If none: does the one who frees wait for me?** By an interrupt to my CPU: are mine off, and is it my mm? By RCU:
   am I in a section?
4. **What did I keep** from before: a pointer, a value, a VMA? Is it older than my lock?
"""

# %% [markdown] from-c
"""
## From C to fifteen lines

Keep every load, lock and store: each is a step. Drop what only computes.

**Predict.** Which of these lines is a step? `pmd_t *pmd = pmd_offset(pud, addr);` with a real PMD level

<details><summary>It is a step</summary>
Yes. It looks like arithmetic, and it loads the pud entry to find the table.
</details>
<details><summary>It only computes an address</summary>
For the top level that is so. Below it, the address of the entry stands in memory, in the entry above.
</details>
"""

# %% [markdown] from-c-examples
"""
Three examples:

| in C | here | steps |
| --- | --- | --- |
| `pgd_offset(mm, addr)` | `pgd_offset(mm, addr)` | none |
| `READ_ONCE(*pmd)` | `entry = await pmd.read()` | one; judge `entry` from here on |
| `pte_offset_map_lock(…)` | `pte, ptl = await pte_offset_map_lock(…)` | several; it may give None |
"""

# %% [markdown] predict-mend
"""
Back to the walker of the first cell. **Play.** Watch one of its red cells.

**Predict.** Which is the smallest mend?

<details><summary>mmap_lock for writing</summary>
That is right on 5.15.0, and makes every page fault wait for you.
</details>
<details><summary>Look up the VMA, once the lock is held</summary>
Yes: munmap has then not begun on it, and cannot begin.
</details>
<details><summary>Test the pmd again under the page-table lock</summary>
To take that lock you must trust the table.
</details>
"""

# %% watch
from ptwalk.trials.own_walker import own_scenario

red = next(changer for changer, verdict in row.items() if verdict.outcome == "bug")
ptwalk.stepper(own_scenario(mine, red, "5.15.0"), step=-1)

# %% mended
from ptwalk.kernel import find_vma


async def mended(mm, addr):
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
        if pmd is None or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is not None:
            await pte.test_and_clear_young()
            await pte_unmap_unlock(mm, ptl)


# %% mended-row [shut]
for release in ("5.15.0", "7.1"):
    row = ptwalk.check_walker(mended, against="all", release=release)
    runs = sum(verdict.executions for verdict in row.values())
    print(f"{release}: {len(row)} changers, {runs} executions, {set(v.outcome for v in row.values())}")

# %% [markdown] unseen-a
"""
## Unseen walker A

Now three that came by mail. Take ten minutes for each, with the four questions, before you let the explorer
look. The commit message sounds right. Does the code do what it says? It is asked twice: 5.15.0 and 6.14.
"""

# %% show-a
import inspect

from ptwalk.checks.capstone import unseen

print(inspect.getsource(unseen.collect_then_clear))

# %% [markdown] predict-a
"""
**Predict.** Legal on 5.15.0? And on 6.14?

<details><summary>Both</summary>
Which local variable lives from one lock to the next?
</details>
<details><summary>Neither</summary>
On 5.15.0: who can remove the table while you hold the mmap lock for reading, in a VMA?
</details>
<details><summary>One of them</summary>
Say which, and who is to blame. Then make it sure in exercise 11.2.
</details>
"""

# %% [markdown] unseen-b
"""
## Unseen walker B

For 7.1.
"""

# %% show-b
print(inspect.getsource(unseen.page_finder))

# %% [markdown] predict-b
"""
**Predict.** It holds no mmap lock and no VMA lock. Is that the end of it?

<details><summary>Yes: rule (a) is broken</summary>
The rule is short for: something must keep the tables. Ask each remover which locks it needs.
</details>
<details><summary>No, the file's lock may do</summary>
Which of the removers on 7.1 wait for it? And what notices the others?
</details>
"""

# %% [markdown] unseen-c
"""
## Unseen walker C

For 7.1. A record for each 2 MiB says whether pages are there.
"""

# %% show-c
print(inspect.getsource(unseen.skip_the_empty))

# %% [markdown] predict-c
"""
**Predict.** RCU keeps the table's memory, and the entries are looked at again under the lock. What is left to go
wrong?

<details><summary>Nothing</summary>
So says the explorer too, as long as there are two CPUs. Run the next cell.
</details>
<details><summary>The table is freed</summary>
RCU does not let it. No freed memory is touched in any execution.
</details>
<details><summary>Something that takes three</summary>
Yes. Whose lock is it that C holds?
</details>
"""

# %% three-cpus [shut]
from ptwalk.checks.capstone.records import race

for cpus in (("walker", "dontneed"), ("walker", "dontneed", "fault")):
    verdict = ptwalk.explore(race(unseen.skip_the_empty, cpus=cpus))
    print(len(cpus), "CPUs:", verdict.outcome)
    print(verdict.report or "")

# %% [markdown] what-a-proof-says
"""
A proof for two CPUs is a proof for two CPUs. Ask who else may come.
"""

# %% [markdown] the-mail
"""
## Write the mail

A review is three sentences and a schedule line. *What* breaks, on *which* release; *the order* in which it does;
*what would be enough*. Say what you have not looked at. If you found nothing, say what you tried, and thank them.
"""

# %% [markdown] specification
"""
## A walker from a specification

The last exercise gives you ten sentences and an empty function. Nothing in it is new. Each sentence comes from
one notebook.
"""

# %% [markdown] not-said
"""
## What the proof does not say

- **Memory ordering.** The steps are seen by all in one order. Your barriers are not tried.
- **Sizes.** One table, one or two pages, two or three CPUs. A bug that needs four was not looked for.
- **Other changers.** What is not in the list was not tried: tomorrow's kernel has more.
- **Your fifteen lines.** The proof is of them, not of your C.

**Predict.** Which of the four would worry you most in your own patch? Write your line "assumed" below, and send it
with the proof.
"""

# %% assumed
assumed = "..."

# %% [markdown] boxes
"""
## In the real kernel

- The walk with a re-check that B and C lean on: `__pte_offset_map_lock()` in `mm/pgtable-generic.c`, 6.5; it came
  with tables that can vanish.
- What A meets on 6.14: tables that MADV_DONTNEED gives back when it has emptied them (6375e95f381e, in
  `mm/pt_reclaim.c`; the names in that file are recalled, not checked).
- What C forgets is what the kernel does after `pte_offset_map_rw_nolock()`: it compares the pmd, `pmd_same()`,
  once the lock is held.
- The records of C are made up. No kernel has them.

## What this leaves out

Everything in the list above. And people: a review also asks if the patch is wanted.
"""

# %% [markdown] exercises
"""
## Exercises

Open [exercises/11_capstone.ipynb](../exercises/11_capstone.ipynb): your own walker with a reason for each cell; the
three reviews with their mends; `hot_pages` from its specification. About 120 minutes; in a room, one part each.

## What you can do now

You can look at a patch that walks page tables, say which rule it breaks, show the failing schedule, mend it, and
prove the mending.

Still unsafe: what the proof does not say.

What next: a walker of your own, from a file, with `ptwalk explore --help`; and the list, where patches wait for
reviewers.
"""
