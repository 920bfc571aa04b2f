"""Source of notebooks/02_who_changes_them.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# 2. Who changes them

**After this** you can say who changes an entry and when, and follow a table from its birth to its reuse.

About 45 minutes alone, and 57 for the exercises. You need: [1. Page tables](01_page_tables.ipynb).
"""

# %% start
import ptwalk

ptwalk.start("02")

# %% [markdown] hook
"""
## A write that no program made

Here is the end of a `munmap`, put together wrongly on purpose. It clears the pte, cuts the table off, gives
the page back, and tells the other CPUs afterwards. On CPU 1 the same program still writes to that page now
and then.

**Predict.** The pte is zero before the page is given back. Can CPU 1 still write to the page afterwards?

<details><summary>No, there is no entry any more</summary>
So one would think. The next cell shows the moment in which the machine objects.
</details>
<details><summary>Only if it is in the middle of a walk</summary>
That is one way. There is one that needs no walk at all.
</details>
<details><summary>Yes, without looking at any entry</summary>
Yes. A processor remembers what it found: in its <b>TLB</b>, the translation lookaside buffer.
</details>
"""

# %% too-late [shut]
from ptwalk.checks.changes.tail import unmapping


async def flush_too_late(k):
    """A wrong end of munmap: the other CPU is told too late."""
    for step in (k.zap, k.clear_pmd, k.free_page, k.flush, k.quiesce, k.free_table):
        await step()


wrong = unmapping(flush_too_late)
print(ptwalk.explore(wrong).report.happened)
ptwalk.stepper(wrong, step=-1)

# %% [markdown] who
"""
The machine objects when the page is given back: the TLB of CPU 1 still leads there. The next write of that
program would go into a page that belongs to somebody else by then.

No line of software made that write possible. So the list of those who read and change page tables begins with the
hardware:

| who | does what to an entry |
| --- | --- |
| the hardware | reads it when the TLB has nothing; sets A and D |
| a page fault | makes tables, fills a pte |
| `munmap`, `exit` | clear ptes, cut tables off, free them |
| `madvise(MADV_DONTNEED)` | clears ptes; the tables stay (until 6.14) |
| `mremap` | moves ptes, or a whole table, to other addresses |
| khugepaged | replaces a table by one huge page |
| a split | replaces a huge page by a table |

This notebook follows the first three.

## 1. A table is born

This was recorded in a real Linux 6.1, running in a virtual machine: a program writes, for the first time,
to 2 MiB that have no pte table yet. `ptl` is a page-table lock.
"""

# %% birth
from ptwalk.recordings.recording import load

born = load("fault_pte_table").words
print(*born[born.index("mmap_lock:read_lock") : born.index("pmd[0]:set_table") + 2], sep="\n")

# %% [markdown] predict-birth
"""
**Predict.** Which page-table lock is held while the table is *allocated*?

<details><summary>The lock of the PMD table</summary>
It comes one step later. To allocate may take long, even sleep; nobody may sleep with such a lock.
</details>
<details><summary>The new table's own lock</summary>
Nobody else can see the new table yet. There is nothing to lock.
</details>
<details><summary>None</summary>
Yes. Only the mmap lock, for reading. The order is: look, allocate, lock, <b>look again</b>, link.
</details>
"""

# %% [markdown] second-look
"""
Find the second `pmd[0]:read`. It is the important one: before the lock was taken, somebody else may have
linked a table there. Two CPUs of one program can fault at the same time.

**Play.** Here they do. Let CPU 0 take its steps up to and with `allocates a pte table`, then CPU 1 to its end,
then CPU 0. What becomes of CPU 0's table?
"""

# %% play-faults
ptwalk.stepper("fault-vs-fault", "0x5")

# %% [markdown] loser-explain
"""
The loser finds the entry full, and frees its own table at once. Nobody ever saw that table. This is the one
free of a table that needs no care. In every order?
"""

# %% two-faults [shut]
print(str(ptwalk.explore("fault-vs-fault")).split(";")[0])

# %% [markdown] hardware-writes
"""
## 2. What the hardware writes

A CPU that finds nothing in its TLB **walks**: it reads the entries, top down. At the end it sets **A** in
the pte (accessed), and for a store **D** (dirty) too. It takes no lock for this.

The kernel clears A from time to time, to learn whether a page is still used. It calls that **mkold**.

**Predict.** The program reads the page, the kernel clears A without a flush, the program reads again. Is A
set?

<details><summary>Yes, it was read</summary>
A is set by a walk, not by a read.
</details>
<details><summary>No, as long as the TLB has the page</summary>
Yes: the second read does not come near the entry.
</details>
<details><summary>Yes, a little later</summary>
Nothing in the hardware does that later.
</details>
"""

# %% marks [shut]
from ptwalk.checks.changes.marks import played

lines = ("CPU 0 loads", "mkold", "CPU 0 loads", "flush", "CPU 0 loads", "CPU 0 stores")
for line, (marks, walked) in zip(lines, played(lines), strict=True):
    print(f"{line:13} {marks}  {'walks' if walked else ''}")

# %% [markdown] marks-explain
"""
Only after the flush does the CPU walk, and set A. The last line walks although the page is in the TLB: it
came in by a load, without D, and a store must see to D.

(That a TLB works like this is what the processor manuals say; we have not checked them against a chip.)

## 3. munmap takes it all away

Recorded again: `munmap` of 4 MiB in Linux 6.1, two tables of their own. Step through it. Watch the mmap
lock, and the pmd entries of the two tables.
"""

# %% munmap
from ptwalk.recordings.timeline import timeline

ptwalk.stepper(timeline("munmap_tables"))

# %% [markdown] predict-dies
"""
**Predict.** Now a munmap of 64 pages from the middle of 2 MiB. Does their pte table die?

<details><summary>Yes</summary>
The pages left and right of the hole still need it.
</details>
<details><summary>No</summary>
Yes, it stays. munmap may free a table only if no VMA that remains can use any part of it. The end of the
VMA below is called the <b>floor</b>, the start of the VMA above the <b>ceiling</b>.
</details>
<details><summary>Only if its entries are all empty</summary>
Linux does not look: there are 512, and it would have to keep others out meanwhile. It asks the VMAs.
</details>
"""

# %% dies [shut]
for name in ("munmap_shared_table", "munmap_tables", "munmap_alone", "munmap_thp", "dontneed", "exit"):
    steps = load(name).words
    freed = [
        word.split("-table")[0].replace("-", " ") for word in steps if "-table" in word and ":free(" in word
    ]
    print(f"{name:20} frees {', '.join(freed) or 'no table'}")

# %% [markdown] dies-explain
"""
- `munmap_alone` takes the whole way up: pte, pmd and pud tables. The root, the pgd table, stays. Only `exit`
  frees that one.
- `munmap_thp` unmaps a huge page. No pmd leads to a pte table, and yet one is freed. It was **deposited**:
  put aside when the huge page was made, so that a split never lacks memory.
- `dontneed` empties a table and leaves it linked. From Linux 6.14 on it may free the table as well; the next
  cell plays that kernel. (CPU 2 stands for the part of RCU that waits, and frees afterwards. Notebook 3
  explains RCU.)
"""

# %% dontneed-6-14
run = ptwalk.replay("reclaim-vs-fault", "1x26 2x3")
for step in run.steps:
    if step.kind in ("clear", "call_rcu", "free"):
        print(step.number, f"CPU {step.cpu}", step.text)

# %% [markdown] life
"""
## 4. The life of a table

![The life of a table: allocated, linked, unlinked, flushed, quiet, freed, reused. Its owner has it until it is
unlinked. Hardware may be in it until the flush, readers without locks until the wait is over. From unlinked on a
store is lost, from freed on any use is a bug. Deposited: put aside.](../docs/images/table-life.svg)

**Unlinked, flushed, quiet, freed: four events, not one.** The flush ends hardware use. Waiting for readers
ends theirs. Only then may the memory go.

**Predict.** From which moment on can somebody be hurt who still has a pointer to the table?

<details><summary>From unlinked on</summary>
Reading an unlinked table hurts nobody: it is still a table. But a <b>store</b> into it is lost.
</details>
<details><summary>From freed on</summary>
For reading, yes. For stores the harm begins earlier: from unlinked on they are lost.
</details>
<details><summary>From reused on</summary>
Then it shows. But from the free on, anybody may be given that page; a walker cannot know.
</details>
"""

# %% hurt [shut]
for name in ("munmap-vs-gup", "collapse-anon-vs-damon-v34", "munmap-vs-damon-v34"):
    verdict = ptwalk.explore(name)
    print(f"{name:27} {verdict.outcome:4} {verdict.report.title if verdict.report else ''}")

# %% [markdown] hurt-why
"""
The first walker only reads, in tables that may be unlinked: no harm. The second stores into one that is unlinked:
nobody will ever read it. The third uses one that is freed.

The kernel collects what is to be freed in an **mmu_gather**: first unmap all, then flush once, then free
all. These are its steps, out of the recording of `munmap_tables`:
"""

# %% gather
words = load("munmap_tables").words
kept = ("mmu_gather", "tlb", "flush", "pmd[0]:clear", "pte-table[0]:queue", "pte-table[0]:free", "page[0]")
print(*[word for word in words if word.startswith(kept)], sep="\n")

# %% [markdown] gather-explain
"""
`tlb_flush_pending` counts the gathers that are under way on one address space. A second gather that sees
another one flushes everything: the first may have cleared entries which the second found empty and would
not flush.

**Predict.** Two gathers on one address space, on arm64. The forced flush forgets the upper levels, as one did
before 2019. Who is hurt?

<details><summary>Nobody, the pages are flushed</summary>
The pages are. But the hardware also remembers tables.
</details>
<details><summary>A walk of the hardware</summary>
Yes: it remembers where the pte table was, and the table is freed.
</details>
"""

# %% two-gathers [shut]
for name in ("munmap-vs-nested-gather", "munmap-vs-nested-gather-fixed"):
    verdict = ptwalk.explore(name)
    print(f"{name:30} {verdict.outcome:4} {verdict.report.title if verdict.report else ''}")

# %% [markdown] boxes
"""
(The bug is on record: `mm/mmu_gather.c`, 7a30df49f63a. How its steps mixed is our reconstruction.)

## In the real kernel

- Tables are made in `__pud_alloc()`, `__pmd_alloc()`, `__pte_alloc()`, the pte is filled in
  `__handle_mm_fault()`: `mm/memory.c`, 5.15.
- Unmap, flush, free: `mm/mmu_gather.c`, 5.15. Floor and ceiling: `free_pgd_range()` in `mm/memory.c`, 5.15.
- The recordings are of Linux 6.1.176, which has many fixes that 6.1 itself did not have.

## What this leaves out

Swap, memory accounting, the lists of pages that age. In this model an entry never falls out of a TLB by
itself; on a real machine it may, at any time. And the hardware sets A only in the last entry here; x86-64
sets it in the upper ones too.

## Exercises

Open [exercises/02_who_changes_them.ipynb](../exercises/02_who_changes_them.ipynb). You say which tables die,
put a munmap in order, and follow A and D.

## What next

You know who changes an entry, and in which order memory may go. You do not yet know what keeps others away
meanwhile. Still unsafe: everything that walks while a munmap runs.

Next: [3. Locks](03_locks.ipynb).
"""
