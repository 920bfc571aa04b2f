"""Source of notebooks/03_locks.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# 3. Locks, and what each of them stops

**After this** you can say of a lock what it stops, what it does not, and in which order it is taken.

About 50 minutes alone, and 40 for the exercises. You need: [2. Who changes them](02_who_changes_them.ipynb),
and what a mutex is.
"""

# %% start
import ptwalk

ptwalk.start("03")

# %% [markdown] hook
"""
## You held the lock

Here is the race of [notebook 0](00_start_here.ipynb) again, in another order. CPU 0 takes the page-table
lock while the table is alive, and **holds** it. CPU 1 runs munmap.

**Predict.** Can CPU 1 give the table back while CPU 0 holds its lock?

<details><summary>No, it must wait for the lock</summary>
It would have to ask for it. CPU 1 took that lock earlier, to clear the ptes, and dropped it. To cut the
table off and to free it, munmap asks for no page-table lock.
</details>
<details><summary>Yes</summary>
Yes. And CPU 0's unlock then writes into a page of somebody else, for that is where the lock lies.
</details>
<details><summary>Only if CPU 0 is interrupted</summary>
CPU 0 need not stop. That CPU 1 goes on is enough.
</details>
"""

# %% held [shut]
line = "0x5 1x18 0x1 1x10"
print(ptwalk.replay("munmap-vs-damon-v34", line).report.happened)
ptwalk.stepper("munmap-vs-damon-v34", line, step=-1)

# %% [markdown] held-explain
"""
A lock stops only those who take it. So ask two questions of every lock: **what does it stop, and who else
takes it?**

## 1. Two locks inside the tables

A page-table lock (**ptl**) is not one lock. Each pte table has one, each PMD table has one, and they lie in
the kernel's notes about that very page. When the page goes, the lock goes.

| lock | who takes it | it guards |
| --- | --- | --- |
| the pte table's lock | who writes a pte | the entries of that table |
| the PMD table's lock | who writes a pmd | the entries of that table: the links to pte tables |
| `page_table_lock`, one for the process | who writes in the levels above | all upper entries |

The pte table's lock guards what is *in* the table. It does not guard the link *to* the table. And to take
it you must first find it: through the pmd, before you hold anything.

![Where the locks lie: mmap_lock and page_table_lock in the mm; each pmd and pte table's lock in the kernel's notes
about that table; a VMA leads to the lock of its reverse map.](../docs/images/lock-places.svg)
"""

# %% [markdown] one-lock
"""
On a small machine the kernel may use one lock for all tables of a process: `page_table_lock`, in the mm. That
one does not go away with a table.

**Predict.** Is DAMON v34 safe there?

<details><summary>Yes, its lock is always there</summary>
The lock is. The table is not.
</details>
<details><summary>No</summary>
Yes, it is as wrong. It takes a good lock, and reads a table that was given back.
</details>
"""

# %% one-lock-for-all [shut]
print(ptwalk.explore("munmap-vs-damon-v34").report.title)
print(ptwalk.explore("munmap-vs-damon-v34", split_ptlocks=False).report.title)

# %% [markdown] predict-held
"""
**Predict.** In the recorded munmap: which locks are held at the step `pmd[0]:clear`?

<details><summary>The pte table's lock</summary>
It was dropped when the last pte was cleared.
</details>
<details><summary>The PMD table's lock</summary>
By the table above it should be that one. Linux leaves it out here: nobody else can get to this pmd by the
rules, since the VMA is gone.
</details>
<details><summary>Only the mmap lock, for reading</summary>
Yes. The next cell lists the lock steps before it.
</details>
"""

# %% locks-at-cut [shut]
from ptwalk.recordings.recording import load

words = load("munmap_tables").words
for number, word in enumerate(words[: words.index("pmd[0]:clear") + 1]):
    if "lock" in word or "downgrade" in word or word == "pmd[0]:clear":
        print(number, word)

# %% [markdown] mmap-lock
"""
## 2. The mmap lock

One for each address space. It guards the **set of VMAs**. Many may hold it for reading, one for writing.
Who holds it may sleep.

A writer may **downgrade** it: from write to read, without a moment in between in which nobody holds it.
munmap does that. It detaches the VMA under the write lock. Then it downgrades, and frees pages and tables.

**Predict.** munmap has downgraded. Who can come in now?

<details><summary>Nobody</summary>
Then there would be no point in downgrading. It is done so that others need not wait for the freeing.
</details>
<details><summary>Readers</summary>
Yes. They find the VMAs that are left. The range that goes is a hole for them, though its tables still
stand.
</details>
<details><summary>Readers and writers</summary>
A writer waits until the last reader has gone. So two munmaps never free at the same time.
</details>
"""

# %% [markdown] predict-readers
"""
**Predict.** Two walkers, both with the mmap lock for reading. One looks up the VMA and stays in it. The
other just walks to an address. Which one does munmap hurt?

<details><summary>The one that looked up no VMA</summary>
Yes. It may walk where munmap is just freeing.
</details>
<details><summary>Both: munmap holds the lock for reading, too</summary>
It does, and it frees. But only below VMAs that it has detached, and that it does under the write lock.
</details>
<details><summary>Neither: a lock is a lock</summary>
A lock for reading keeps writers out. After the downgrade munmap is no writer any more.
</details>
"""

# %% readers [shut]
for name in ("munmap-vs-reader", "munmap-vs-ignoring-vmas"):
    verdict = ptwalk.explore(name)
    print(f"{name}: {verdict.outcome}", f"({verdict.report.title})" if verdict.report else "")

# %% [markdown] readers-explain
"""
The read lock does not stop munmap. It stops munmap from *beginning*: a VMA that you have found under the
lock stays until you drop it. Whoever walks where no VMA is, gets nothing from the lock.

**Play.** Find the moment yourself: CPU 1 has downgraded, CPU 0 comes in.
"""

# %% play-gap
ptwalk.stepper("munmap-vs-ignoring-vmas", "0x1", challenge=True)

# %% [markdown] rmap
"""
## 3. The rmap locks

The kernel must also go the other way: from a page to all entries that map it. That is the **reverse map**,
rmap. A file's page is found through the file (`i_mmap_rwsem`), any other through an `anon_vma`. Both have
a lock like the mmap lock.

A walker that comes from there holds that lock for reading, and no mmap lock at all.

**Predict.** What keeps munmap from freeing tables under it?

<details><summary>Nothing</summary>
Then every look at an old page would be a bug. The next cell says it is safe.
</details>
<details><summary>munmap takes the rmap lock, too</summary>
Yes, for writing. It takes the VMA off the reverse map <b>before</b> it frees tables. So it waits for the
walker, and later walkers do not find the VMA.
</details>
<details><summary>The page is locked</summary>
That keeps the page. It says nothing about the table.
</details>
"""

# %% rmap-verdict [shut]
print(ptwalk.explore("munmap-vs-rmap").outcome)
print(*[word for word in words if word.startswith(("anon_vma", "pmd[0]:clear"))], sep="\n")

# %% [markdown] rmap-other
"""
That is a promise, and whoever frees tables must keep it. One path of 5.15 did not: the collapse of a file's
memory into a huge page, in `collapse_pte_mapped_thp()`. It took no rmap lock.
"""

# %% rmap-broken
for name in ("collapse-pte-mapped-vs-rmap", "collapse-pte-mapped-vs-rmap-fixed"):
    verdict = ptwalk.explore(name)
    print(f"{name}: {verdict.outcome}", f"({verdict.report.title})" if verdict.report else "")

# %% [markdown] no-locks
"""
## 4. Keeping others waiting, without a lock

Two ways are used by readers that must be quick:

- **RCU.** Who wants to free something waits for a **grace period**: until every reader that has begun has
  ended. A reader marks its section with `rcu_read_lock()`.
- **Interrupts off.** Who flushes TLBs on x86-64 sends each CPU an interrupt (an **IPI**) and waits for the
  answer. A CPU with interrupts off answers later. A grace period waits for it as well.

**Predict.** **GUP-fast** is the kernel's quick way to get hold of a program's page. It takes no lock, and walks with
interrupts off. A munmap flushes, and then frees, without waiting for
anything else. Is that safe?

<details><summary>Yes, on every machine</summary>
It depends on how the flush is done.
</details>
<details><summary>On x86-64 with IPIs yes, on arm64 no</summary>
Yes. arm64 flushes by a broadcast of the hardware, which waits for nobody's interrupts.
</details>
<details><summary>No, on no machine</summary>
Where the flush is an IPI, it cannot end before the walk does. That is luck, but it holds.
</details>
"""

# %% flush-waits [shut]
from ptwalk.checks.changes.tail import unmapping


async def flush_and_free(k):
    """No waiting but for the flush."""
    await k.zap()
    await k.clear_pmd()
    await k.flush()
    await k.free_page()
    await k.free_table()


for arch in ("x86-64", "arm64"):
    print(arch, ptwalk.explore(unmapping(flush_and_free, "gup", arch=arch)).outcome)

# %% [markdown] flush-explain
"""
That is why arm64 frees its tables after an RCU grace period, and x86-64 now does as well (since 6.15).

**Predict.** And a reader that says `rcu_read_lock()` and leaves its interrupts on? Two readers, two ways to
free: which of the four is not safe?

<details><summary>Interrupts off, freed by RCU</summary>
A CPU with interrupts off keeps a grace period waiting, too.
</details>
<details><summary>rcu_read_lock, freed after an IPI flush</summary>
Yes. The reader's CPU answers the IPI in the middle of its section, and the table is freed.
</details>
<details><summary>rcu_read_lock, freed by RCU</summary>
That is what it is for.
</details>
"""

# %% who-waits [shut]
for reader, name in (("interrupts off", "munmap-vs-gup"), ("rcu_read_lock", "munmap-vs-rcu-walk")):
    for freed, other in (("after the IPI flush", name), ("by RCU", f"{name}-rcu")):
        print(f"{reader:15} freed {freed:20} {ptwalk.explore(other).outcome}")

# %% [markdown] not-consistent
"""
Neither makes anything *consistent*. A reader under RCU may read a table that was cut off long ago. It is
legal; what it reads is just old.

## 5. Order

Two CPUs, two locks: if each takes one and wants the other, both wait for ever. So there is an order. Outer
locks come first. This is the part of it that concerns us:
"""

# %% order
from ptwalk.sanitizers.lock_rules import ORDER

print(*ORDER[:-1], "ptl: a PMD table, then a pte table", sep="\n")

# %% [markdown] order-explain
"""
Who needs an outer lock while holding an inner one has two ways: drop everything and begin again; or a
**trylock**, which never waits, and give up if it fails. khugepaged does that in 5.15: it holds the page
lock and wants the mmap lock.

The outer locks may sleep, the inner ones (`page_table_lock`, `ptl`) are **spinlocks**: who holds one must
not sleep.

**Predict.** This walker copies what it found to another program while it holds the ptl. To copy may fault,
and a fault takes the mmap lock. What does the machine say?
"""

# %% sleeps
from ptwalk.kernel.pgtable import mm_find_pmd, pte_offset_map_lock, pte_unmap_unlock


async def copies(mm, addr):
    """Takes a lock that may sleep inside one that may not."""
    pmd = await mm_find_pmd(mm, addr)
    _, ptl = await pte_offset_map_lock(mm, pmd, addr)
    async with mm.mmap_lock.read():
        pass
    await pte_unmap_unlock(mm, ptl)


print(ptwalk.check_walker(copies).report.happened)

# %% [markdown] sheet
"""
No race was needed for this. It is wrong even when nobody else is there.

## 6. On one page

| you hold | nobody can | but somebody still can |
| --- | --- | --- |
| the pte table's lock | write a pte of this table, by software | set A and D (hardware); cut off and free the table |
| the PMD table's lock | write a pmd of this table, by the rules | do munmap's cut, which takes no such lock |
| mmap lock, read, VMA found | detach this VMA | change leaf entries; fill or split; from 6.6 take some tables |
| mmap lock, read, no VMA | begin a munmap | end one: free the tables here |
| mmap lock, write | change the set of VMAs | use entries (hardware, rmap); from 6.6 take some tables |
| an rmap lock, read | free tables of the VMAs on it | from 6.6 take a file's empty table |
| interrupts off | finish an IPI flush or a grace period | cut off and unlink: you may be in a table that is dead |
| `rcu_read_lock` | finish a grace period | the same; and an IPI flush does not wait for you |

The lines with 6.6 are about changes that came later; notebook 10 is about them.
"""

# %% [markdown] boxes
"""
## In the real kernel

- Lock order: the comment at the top of `mm/rmap.c`, 5.15; `Documentation/mm/process_addrs.rst`, 6.13 and
  later.
- Where the page-table locks are: `pmd_lockptr()`, `pte_lockptr()` in `include/linux/mm.h`, 5.15.
- The downgrade: `__do_munmap()` in `mm/mmap.c`, 5.15. Off the rmap first: `free_pgtables()` in
  `mm/memory.c`, 5.15.
- khugepaged's trylock: `retract_page_tables()` in `mm/khugepaged.c`, 5.15.

## What this leaves out

Who gets a lock first when many wait; the kernel's own lock checker, lockdep; kernels built for real time,
where spinlocks may sleep. And memory ordering: in this model every step is seen by all at once.

## Exercises

Open [exercises/03_locks.ipynb](../exercises/03_locks.ipynb). You write the rules of the mmap lock, find a
gap in them, and mend two locks that hang.

## What next

"Is it enough that I hold it?" No: the other side must take it too. You can ask that of any lock now. Still
unsafe: a walker that holds the right lock, and looks at the same entry twice.

Next: [4. Walkers](04_walkers.ipynb).
"""
