"""Source of notebooks/05_race_munmap.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# 5. A race: munmap under the read lock

**After this** you can produce both damages of the review, garbage read and garbage written, and mend the
walker.

About 40 minutes alone, and 52 for the exercises. You need: what a page-table lock and the mmap lock are,
and how a walker finds a VMA.
"""

# %% start
import ptwalk

ptwalk.start("05")

# %% [markdown] hook
"""
## A letter changes

Somebody frees a page table. The page goes to another process, which keeps a text in it. Then one byte of
that text changes: `0x65` becomes `0x45`. An **e** becomes an **E**.

Nobody asked for that. Below is the run, at its last step. Who did it?
"""

# %% bit-flip
ptwalk.stepper("munmap-vs-damon-v34-bit-flip", step=-1)

# %% [markdown] who
"""
It was a **monitor**: a part of the kernel that wants to know which pages are in use. It clears the
**accessed** bit of an entry (bit 5) and looks later if the processor has set it again. DAMON is such a
monitor. This is its version 34, as it was posted for review in August 2021.

In the review two opinions met. In our words:

- The author: *the page-table lock protects all of this.*
- The reviewer: *page tables can go away at any time, also while you look for that lock.*

**Predict.** Who is right, and why? In notebook 0 you wrote why the lock does not help:
"""

# %% your-sentence
ptwalk.own_words("the_lock")

# %% [markdown] write-again
"""
Is that all? Write one line on paper: who is right, and why. You'll need it at the end.
"""

# %% [markdown] alone
"""
## 1. munmap, alone

First the other side. `munmap` takes a range out of a process. Some words for its steps:

- it **zaps** the entries: clears them one by one, under the **page-table lock** of their table;
- it **cuts off** the table: clears the pmd entry that leads to it;
- it **flushes**: tells the processors to forget what they have cached;
- it **frees** the page and the table.

Here it runs to the end before anybody else begins. Only what concerns locks and tables is shown.
"""

# %% munmap-alone
run = ptwalk.replay("munmap-vs-damon-v34", "1x30:up_read")
kinds = ("lock", "unlock", "xchg", "clear", "free", "detach", "down_write", "downgrade_write", "up_read")
for step in run.steps:
    if step.kind in kinds:
        print(f"{step.number:3}  {step.text}")

# %% [markdown] predict-ptl
"""
**Predict.** The page-table lock ("the ptl of frame 4") lies in the table's own metadata. During which of
these does munmap hold it?

<details><summary>From the zap to the free</summary>
That is what the monitor's author needed. But look at the list: the lock is dropped long before.
</details>
<details><summary>During the zap only</summary>
Yes. The lock protects entries. It does not protect the table they are in.
</details>
<details><summary>At the zap, and again when the table is cut off</summary>
It seems natural: a change needs a lock. But here munmap is alone with that table, or thinks so. It takes no
page-table lock to cut it off.
</details>
"""

# %% [markdown] predict-ptl-2
"""
And the mmap lock? It is taken for writing, and **downgraded** to reading once the VMA is out. From then on
other readers may come in. The table is cut off and freed after that.
"""

# %% [markdown] by-hand
"""
## 2. The race by hand

**Play.** You are the scheduler. CPU 0 is the monitor, CPU 1 is munmap. Go back to step 0. Let CPU 0 read
the pmd; then let CPU 1 run until the table is freed; then let CPU 0 do one more step.

Before that last step, ask yourself: CPU 0 is about to take a lock. Where is that lock now?
"""

# %% play
ptwalk.stepper("munmap-vs-damon-v34")

# %% [markdown] lock-in-the-object
"""
The lock was part of what was freed. To take it is already a use of memory that belongs to somebody else.
And if nobody has it yet, the monitor "gets" the lock, and goes on with great care.

So the lock can't save the table. You need the table to find the lock.

## 3. Garbage read

Now look at what a late walker reads. Here the freed page holds a text, and the walker takes eight letters
of it for an entry.

**Predict.** It will read a "frame number" out of a text. What will it do with it?

<details><summary>Notice that it is no frame</summary>
Some walkers look. A walker that goes *down* one level does not: it takes the number for a table's address.
</details>
<details><summary>Follow it</summary>
Yes. The address can be anything. Here there is no memory at all; there might be a device.
</details>
"""

# %% garbage-read [shut]
report = ptwalk.explore("munmap-vs-ptdump-garbage").report
print(report.title)
print(report.happened)

# %% [markdown] garbage-written
"""
(The walker here is not DAMON but a debug dump of all tables, with the lock that Linux 5.15.0 let it take.)

## 4. Garbage written

DAMON v34 is careful about what it finds. It writes only to an entry that is **present** and marked
**accessed**. And the entry's frame must be a page **on the LRU list**, the kernel's list of pages in use.

**Predict.** The page is a text now. Will v34 write to it?

<details><summary>No: a text has no entries</summary>
A text has eight letters where an entry would be. Any eight bytes are a number, and some numbers pass.
</details>
<details><summary>Only to some of its words</summary>
Yes. Most letters don't name a page on the list. A word that does loses bit 5, and nobody is told. Which
words, you work out in exercise 05.3.
</details>
<details><summary>To all of its words</summary>
v34 does look. The trouble is that it looks too late.
</details>
"""

# %% [markdown] garbage-written-2
"""
It does not crash. A bit is gone, somewhere. That is the worst kind.
"""

# %% [markdown] accident
"""
## 5. Who protects by accident?

On this kernel, tables are freed right after the flush. Other kernels free them by **RCU**: the memory is
given back only after a **grace period**, when every processor that was inside an RCU section has left it.
Not every kernel can be **preempted** (put aside in the middle of its work). And RCU freeing needs a little
memory for its list; if there is none, the kernel has a **fallback**.

That makes eight kernels. v34 opens no RCU section.

**Predict.** On how many of the eight is v34 safe against munmap?

<details><summary>On the four with RCU</summary>
RCU waits for readers. Who does not say that it reads, is not waited for.
</details>
<details><summary>On one</summary>
Yes: see below which.
</details>
<details><summary>On none</summary>
Nearly. There is one where the accident does not happen, and nobody had planned it so.
</details>
"""

# %% eight-kernels [shut]
from itertools import product

for free, preemptible, no_memory in product(("batch", "rcu"), (True, False), (False, True)):
    verdict = ptwalk.explore(
        "munmap-vs-damon-v34", table_free=free, preemptible=preemptible, batch_allocation_fails=no_memory
    )
    freed = {"batch": "after the flush", "rcu": "by RCU"}[free]
    can = "preemptible" if preemptible else "not preemptible"
    print(f"freed {freed:15}  {can:15}  {'no memory' if no_memory else '':9}  {verdict.outcome}")

# %% [markdown] accident-why
"""
One kernel of eight: freed by RCU, not preemptible, memory there. Kernel code that can't be preempted counts
as a reader for RCU, so the grace period waits for v34 by accident. (No document says this; we reasoned it
from the sources, and the model agrees.)

Code that is safe on one build in eight is not safe.

## 6. Then hold the mmap lock for reading

**Predict.** Three walks, each with the mmap lock held for reading all the time. munmap has downgraded, and
holds it for reading too. Which are safe?

1. The walker looks for a VMA first, and walks only inside it.
2. The walker looks for no VMA. Its address is in a hole, in which munmap has just taken away the only VMA.
3. The walker is in its VMA, while munmap frees tables next door.

<details><summary>All three: a lock is a lock</summary>
A lock for reading keeps writers out. This munmap does not write any more, to its mind.
</details>
<details><summary>1 and 3</summary>
Yes. What the lock keeps is every VMA that is still attached, and the tables that such a VMA needs.
</details>
<details><summary>None: munmap is inside as well</summary>
It is inside. But it frees only tables that no attached VMA needs.
</details>
"""

# %% three-walks [shut]
for name in ("munmap-vs-damon-merged", "munmap-last-vs-ignoring-vmas", "munmap-vs-reader"):
    verdict = ptwalk.explore(name)
    print(f"{name:30} {verdict.outcome:5} {verdict.report.title if verdict.report else ''}")

# %% [markdown] attached
"""
A reader's mmap lock does **not** keep "the tables". It keeps VMAs that are **attached**. So look for the
VMA, under the lock, and hold the lock until you are done with its tables.

## 7. A table with two owners

One pte table spans 2 MiB. Two VMAs can lie in it. If one is unmapped, the table has to stay for the other.
munmap looks at its neighbours first: they give a **floor** and a **ceiling**, and a table that reaches
beyond them is not freed.

Here is what a real Linux did. Look for the zap, and then for a step that frees a table.
"""

# %% shared-table
from ptwalk.recordings import timeline

ptwalk.stepper(timeline("munmap_shared_table"))

# %% [markdown] shared-said
"""
Pages are freed; no table is.

**Predict.** v34, with its page-table lock alone, walks while the *neighbour* is unmapped. Safe?

<details><summary>Yes, in all orders</summary>
Yes: the table stays. But v34 does not know that it has a neighbour.
</details>
<details><summary>No, it is the same race</summary>
The same walk, and the same munmap. Only the cut is missing, and without it nothing breaks.
</details>
"""

# %% neighbour [shut]
print(ptwalk.explore("munmap-neighbour-vs-damon-v34").outcome)

# %% [markdown] half-way
"""
## 8. Lock, then let go?

Here is an idea that many people have. Take the mmap lock to find the table and its lock. Take the page-table
lock. Then drop the mmap lock, and work with the page-table lock alone.

**Predict.** Safe against munmap? Safe against khugepaged, which makes small pages into a huge one?

<details><summary>Neither</summary>
munmap must zap first, and the zap needs the page-table lock that you hold. It waits.
</details>
<details><summary>munmap yes, khugepaged no</summary>
Yes. You took the lock while the table could not go. munmap then waits for you at the zap. khugepaged cuts
first, and takes that lock later.
</details>
<details><summary>Both</summary>
That would be so if everybody took the page-table lock before cutting a table off.
</details>
"""

# %% hold-on
from ptwalk.kernel.vma import find_vma
from ptwalk.walk.damon import damon_ptep_mkold, damon_va_mkold
from ptwalk.walk.follow import follow_pte, unfollow


async def half_way(mm, addr):
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        found = await follow_pte(mm, addr) if vma is not None and addr in vma else None
    if found is not None:
        await damon_ptep_mkold(mm, found.entry)
        await unfollow(mm, found)


# %% hold-on-verdict [shut]
tried = ptwalk.check_walker(half_way, against=("munmap", "collapse-anon"), release="5.15.0")
for changer, verdict in tried.items():
    print(f"{changer:14} {verdict.outcome:5} {verdict.report.title if verdict.report else ''}")

# %% [markdown] half-way-why
"""
So it works against one changer, for a reason that has to do with that changer. That is no rule. khugepaged
is the next notebook.

## 9. Mended

As it was merged in Linux 5.15, DAMON takes the mmap lock for reading, and lets the kernel's page walk look
for the VMA. Against every munmap there is, in every order:
"""

# %% mended
munmaps = ("munmap", "munmap-neighbour", "munmap-last", "munmap-stack", "exit")
for changer, verdict in ptwalk.check_walker(damon_va_mkold, against=munmaps, release="5.15.0").items():
    print(f"{changer:17} {verdict.outcome}: all {verdict.executions} executions")

# %% [markdown] mended-how
"""
And the schedule that killed v34? Let munmap run until the table is freed, and then let the mended walker
begin. It gets the lock, for munmap has downgraded. It looks for the VMA, finds none at its address, and
leaves.
"""

# %% mended-line
run = ptwalk.replay("munmap-vs-damon-merged", "1x28:free 0x3:up_read")
for step in run.steps[-4:]:
    print(f"{step.number}  CPU {step.cpu} {step.text}")

# %% [markdown] your-line
"""
Take your line from the beginning. Would you write it the same way now?

A test: at the step where the table is cut off, name a lock that both v34 and munmap take. There is none.
That is the whole bug.
"""

# %% [markdown] real-kernel
"""
## In the real kernel

- `damon_va_mkold()`, DAMON v34, patch 05 of 13, posted in August 2021. Merged in another form in 5.15:
  `mm/damon/vaddr.c` (3f49584b262c).
- Linux 5.15, `mm/mmap.c`: `__do_munmap()` detaches (`detach_vmas_to_be_unmapped()`), downgrades, and calls
  `unmap_region()`. `mm/memory.c`: `free_pte_range()` clears the pmd with no page-table lock.
- Linux 7.1, `mm/vma.c`: `vms_clear_ptes()`. Still under the mmap lock for reading after a downgrade.
- The recording is of 6.1.176, a stable kernel with its fixes.

## What this leaves out

Steps are seen by all processors at once and in one order; real memory is not so tidy. Close callbacks of
VMAs, accounting and notifiers are not modelled. Nobody maps the range anew while the race is on.
"""

# %% [markdown] next
"""
## Exercises

They are in [exercises/05_race_munmap.ipynb](../exercises/05_race_munmap.ipynb): find the schedules on four
kernels, mend the walker, and say which words of a page change.

## What next

**You can now** say what the mmap lock keeps for a reader, and why a lock inside a table can't keep the
table. **Still unsafe:** those who cut tables off without freeing them. **Next:**
[6. A race: khugepaged's collapse](06_race_collapse.ipynb).
"""
