"""Source of notebooks/04_walkers.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# 4. Walkers: two styles, two contracts

**After this** you can choose between the kernel's two ways to walk, and write a callback that survives all
that may happen under the read lock.

About 50 minutes alone, and 47 for the exercises. You need: [3. Locks](03_locks.ipynb).
"""

# %% start
import ptwalk

ptwalk.start("04")

# %% [markdown] hook
"""
## A reader that wrote

In 2012 a program could lose 2 MiB of its memory because another thread called `mincore`, which only *asks*
which pages are there (CVE-2012-1179). Both threads held the mmap lock for reading.

Below is the shape of that bug. CPU 0 walks. CPU 1 has a page fault, and gets a huge page.

**Predict.** CPU 0 wants to read, no more. Which of its steps writes?

<details><summary>The one that takes the lock of the table</summary>
It never gets there: it finds no table.
</details>
<details><summary>The one that tests the pmd</summary>
Yes. A pmd that is neither empty nor a table was taken for <b>bad</b>, for damaged, and cleared. A huge page
is neither empty nor a table.
</details>
<details><summary>None; CPU 1 does it</summary>
CPU 1 has put the huge page there, and leaves it alone.
</details>
"""

# %% reader-that-wrote [shut]
verdict = ptwalk.explore("fault-thp-vs-double-load")
print(verdict.report.happened)
ptwalk.stepper("fault-thp-vs-double-load", verdict.schedule, step=-1)

# %% [markdown] why-it-wrote
"""
CPU 0 had asked before whether the pmd is huge. It was not: it was empty. Then the fault came. Then CPU 0
loaded the pmd once more and asked the next question. Each answer was true, but of another value.

## 1. Two ways to walk

Linux has a **page walker**: you hand it callbacks, and it calls them for each entry of a range. And it had
**follow_pte**: one address in, one pte out, with its lock held. Here is "is this page young?" in both.
"""

# %% by-pagewalk
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range


async def by_pagewalk(mm, addr):
    """The page walker looks up the VMA, and calls us with the pte locked."""
    young = False

    async def pte_entry(pte, at, end, walk):
        nonlocal young
        young = (await pte.read()).accessed
        return 0

    async with mm.mmap_lock.read():
        await walk_page_range(mm, addr, addr + 4096, MmWalkOps(pte_entry=pte_entry))
    return young


# %% by-follow
from ptwalk.walk.follow import follow_pte, unfollow


async def by_follow(mm, addr):
    """follow_pte knows no VMA: it goes down wherever there are tables."""
    young = False
    async with mm.mmap_lock.read():
        followed = await follow_pte(mm, addr)
        if followed is not None:
            young = (await followed.entry.read()).accessed
            await unfollow(mm, followed)
    return young


# %% [markdown] predict-two
"""
Both take the mmap lock for reading, and both take the table's lock.

**Predict.** Which of them does munmap hurt, on Linux 5.15?

<details><summary>Neither, both hold the lock</summary>
The read lock protects those who have found a VMA under it.
</details>
<details><summary>by_follow</summary>
Yes. It never asks for the VMA. After munmap's downgrade it walks where no VMA is.
</details>
<details><summary>Both</summary>
The page walker asks for the VMA first. In a hole it goes nowhere.
</details>
"""

# %% two-verdicts [shut]
for walker in (by_pagewalk, by_follow):
    verdict = ptwalk.check_walker(walker, against="munmap", release="5.15.0")
    print(f"{walker.__name__}: {verdict.outcome}", f"({verdict.report.title})" if verdict.report else "")

# %% [markdown] contracts
"""
Each has a **contract**: what the caller must see to.

| | page walker, `walk_page_range` | `follow_pte` |
| --- | --- | --- |
| lock | mmap lock, at least for reading | the same |
| VMAs | looks them up itself | none; the caller must know the VMA |
| for which memory | all of it | only mappings of devices: `VM_IO`, `VM_PFNMAP` |
| is that checked? | that the lock is held, on a debug kernel | no; it is a comment |
| huge pages | callback `pmd_entry`, else it splits them | not foreseen; a debug kernel stops |
| result valid | inside the callback | until the lock is dropped |

A contract that nobody checks is still a contract. DAMON v34 used `follow_invalidate_pte`, a sister of
`follow_pte`, for ordinary memory and without the mmap lock. Nothing complained.

**Play.** Both ways, with nobody else there: a page, an empty place in a VMA, a huge page, and no VMA at
all. `True` means young.
"""

# %% both-tools
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import anonymous


# %% both-on-all
def tried(walker, shift=0, **ground):
    found = []  # what the walker gives, alone

    async def alone(mm, addr):
        found.append(await walker(mm, addr + shift))

    def lay_out(stage):
        made = anonymous(stage, (), **ground)
        stage.run("one", alone, made.mm, made.addr)

    ptwalk.explore(Scenario("alone", "", lay_out, Never(), cpus=("one",)))
    return found[-1]


# %% both-table
for walker in (by_pagewalk, by_follow):
    print(f"{walker.__name__}:", "page", tried(walker), "| empty", tried(walker, populate=False))
    print("   huge page", tried(walker, huge=True), "| no VMA", tried(walker, 1 << 30))

# %% [markdown] both-explain
"""
`by_follow` says of a huge page: not young. It has not looked. `by_pagewalk` has looked, at a price: it
**split** the huge page first, because it has a `pte_entry` and no `pmd_entry`. A reader that changes what
it measures. Exercise 04.1 does better.

## 2. What may change under the read lock

You hold the mmap lock for reading, in a VMA. Others may hold it too, and fault, split, and empty. In Linux
5.15 a pmd may go:

| from | to | by |
| --- | --- | --- |
| none | table | page fault |
| none | huge | page fault |
| huge | table | split |
| huge | none | `MADV_DONTNEED` |

**Predict.** Which arrow is missing, and why?

<details><summary>none to none</summary>
That would be no change.
</details>
<details><summary>table to anything</summary>
Yes. To take a table away, munmap must have detached the VMA, and khugepaged needs the write lock. So once
you have seen a table under the read lock, it stays one. (Until 6.6: then some tables may go.)
</details>
<details><summary>huge to huge</summary>
It may pass through none, and be another huge page then.
</details>
"""

# %% [markdown] look-once
"""
So a walker looks **once**, keeps the value, and asks all questions of the copy. If the copy says "table",
the table stays. Linux has a helper for this, `pmd_none_or_trans_huge_or_clear_bad()`. The mended walker:
"""

# %% one-look
print(str(ptwalk.explore("fault-thp-vs-read-walk")).split(";")[0])

# %% [markdown] callbacks
"""
## 3. Callbacks

| callback | called for | is the table's lock held? |
| --- | --- | --- |
| `test_walk` | each VMA: walk it or skip it? | no |
| `pte_hole` | a range with nothing in it | no |
| `pmd_entry` | each pmd that is not none: huge, a table, or not present | no |
| `pte_entry` | each pte | yes |

`pmd_entry` comes **before** any split, and may see anything. It sets `walk.action` to `"continue"` (leave
this pmd alone) or `"again"` (look once more). `pte_entry` is easy: everything is locked.

**Predict.** Two system calls, both recorded in Linux 6.1 over the same 2 MiB: `mincore`, and reading
`/proc/self/pagemap`. How do their steps differ?

<details><summary>Only one of them takes the table's lock</summary>
Both do: once for the table, not once for each pte.
</details>
<details><summary>In the number of ptes</summary>
Both look at the same 512. The recording watched three of them.
</details>
<details><summary>Not at all</summary>
Yes. Both are callbacks of the same walker; what differs is what they do with an entry.
</details>
"""

# %% same-shape [shut]
from ptwalk.recordings.recording import load

print(load("mincore").words == load("pagemap").words)
print(*load("mincore").words, sep="\n")

# %% [markdown] hole
"""
And over 2 MiB without a table? `pagemap` must report 512 pages all the same.
"""

# %% pagemap-hole
hole = load("pagemap_hole").words
print(*hole[: hole.index("mmap_lock:read_unlock") + 1], sep="\n")

# %% [markdown] hole-explain
"""
Three loads, no lock of any table: one call of `pte_hole` for all 512.

## 4. What each costs

Count for yourself. Both look at every page of a range, with the mmap lock held for reading.
"""


# %% cost-page-walker
def by_walker(pages):
    async def look(pte, at, end, walk):
        await pte.read()
        return 0

    async def walk(mm, addr):
        async with mm.mmap_lock.read():
            await walk_page_range(mm, addr, addr + 4096 * pages, MmWalkOps(pte_entry=look))

    return walk


# %% cost-one-by-one
def one_by_one(pages):
    async def walk(mm, addr):
        async with mm.mmap_lock.read():
            for page in range(pages):
                followed = await follow_pte(mm, addr + 4096 * page)
                await followed.entry.read()
                await unfollow(mm, followed)

    return walk


# %% cost-count
def cost(walk, pages):
    def lay_out(stage):
        made = anonymous(stage, (), pages=pages)
        stage.run("one", walk, made.mm, made.addr)

    alone = Scenario("cost", "", lay_out, Never(), cpus=("one",))
    steps = ptwalk.replay(alone, "0x9000").steps
    line = "".join({"lock": "(", "unlock": ")"}.get(step.kind, ".") for step in steps)
    held = max(len(part.split(")")[0]) for part in line.split("(")[1:])
    return f"{len(steps):4} steps, takes the ptl {line.count('(')} times, at most {held} steps with it"


# %% [markdown] predict-cost
"""
**Predict.** 64 pages in one table. Which way holds up others longer, and which takes more steps?

<details><summary>The page walker is better in both</summary>
It takes the table's lock once. So whoever else wants it waits until all 64 are done.
</details>
<details><summary>The page walker holds the lock longer, follow_pte takes more steps</summary>
Yes. follow_pte comes down from the top for every page, and takes the lock each time, for a moment.
</details>
<details><summary>They are alike</summary>
For one page nearly; there the page walker pays for its look at the VMA.
</details>
"""

# %% cost [shut]
for pages in (1, 64):
    for name, made in (("page walker", by_walker), ("follow_pte", one_by_one)):
        print(f"{pages:2} pages, {name:11} {cost(made(pages), pages)}")

# %% [markdown] cost-explain
"""
A spinlock that is held long makes others spin. So Linux's page walker lets go at the end of each table, after 512
entries at most; a callback that is slow should do its work elsewhere.

## 5. The writer that takes no lock

DAMON as it was merged does all this right. It holds the mmap lock for reading and uses the page walker. It
changes the pte under its lock: it loads the entry, clears A in the copy, and stores the copy.

**Predict.** The table's lock is held. Who can still write to this word, between the load and the store?

<details><summary>Nobody</summary>
Nobody who takes locks.
</details>
<details><summary>Another DAMON</summary>
It waits for the lock.
</details>
<details><summary>The hardware</summary>
Yes. The program on CPU 1 stores to the page, and the hardware sets D. Then the old copy goes over it, and D
is lost. The page looks clean, and may be dropped unsaved.
</details>
"""

# %% lost-dirty [shut]
for name in ("user-access-vs-damon-merged", "user-access-vs-damon-atomic"):
    verdict = ptwalk.explore(name)
    print(f"{name}: {verdict.outcome}", f"({verdict.report.title})" if verdict.report else "")
ptwalk.stepper("user-access-vs-damon-merged", step=-1)

# %% [markdown] boxes
"""
The second walker clears the bit in one atomic step. Linux has done so since 6.5. A live entry is changed by
one step that reads and writes, **and** under the lock: the step is for the hardware, the lock for the rest.

## In the real kernel

- The page walker: `walk_page_range()`, `walk_pmd_range()` in `mm/pagewalk.c`, 5.15.
- `follow_invalidate_pte()` in `mm/memory.c`, 5.15. It is gone in 6.1-rc7; in which release it went we have
  not verified. `follow_pte()` went in 6.12; `follow_pfnmap_start()` came, which takes a VMA and checks.
- One look: `pmd_none_or_trans_huge_or_clear_bad()` in `include/linux/pgtable.h`, 5.15 to 6.4.
- Since 6.5 `pte_offset_map_lock()` looks itself, and may say: no table.
- The lost dirty bit: `damon_ptep_mkold()` in `mm/damon/vaddr.c`, 5.15; mended in 6.5.

## What this leaves out

hugetlb pages, which have a callback and locks of their own; protection-key and NUMA faults; userfaultfd.
And in this model a table has few entries, so a walk over 512 of them is shorter here than it is.

## Exercises

Open [exercises/04_walkers.ipynb](../exercises/04_walkers.ipynb). You count, you clear, and you mend the
helper of 2012.

## What next

You can write a callback now that is right under the read lock. Still unsafe: to walk without it, or where
no VMA is. The first patch of this course did just that.

Back to [0. Start here](00_start_here.ipynb), and forward to the races.
"""
