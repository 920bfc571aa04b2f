"""Source of notebooks/06_race_collapse.ipynb."""

# ruff: noqa: B018, E402

# %% [markdown] title
"""
# 6. A race: khugepaged's collapse

**After this** you can tell *unlinked*, *deposited* and *freed* apart by what goes wrong in each, and say
which locks somebody must take who removes page tables.

About 45 minutes alone, and 53 for the exercises. You need: [notebook 5](05_race_munmap.ipynb).
"""

# %% start
import ptwalk

ptwalk.start("06")

# %% [markdown] hook
"""
## Find your write

CPU 0 is DAMON v34 once more. CPU 1 is **khugepaged**: a part of the kernel that makes 512 small pages into
one huge page, so that one pmd entry maps them all. That is a **collapse**.

No page is freed here. Nothing crashes. Every lock is taken and dropped as it should be. In the last step
CPU 0 clears the accessed bit, as it is told to. Here is the run, at its last step. Who will ever read that
entry?
"""

# %% lost
race = ptwalk.stepper("collapse-anon-vs-damon-v34")
race.step = len(race.run)  # open it at the last step
race

# %% [markdown] lost-said
"""
Nobody. The table had been cut off one step before. It is still memory, its lock is still a lock. But no
walk leads to it any more. The update is **lost**.

## 1. What a collapse does

This was recorded in a real Linux, 6.1.176. (A **revalidation** looks the VMA up again.)

**Predict.** How often is the VMA looked up again, after the first look?

<details><summary>Never: a lock is held all the time</summary>
No lock can be held all the time here. Look for the step in which memory is allocated.
</details>
<details><summary>Twice</summary>
Yes. The mmap lock is dropped twice, and each time the VMA may be another one when it is taken again.
</details>
<details><summary>Before every entry</summary>
Under the mmap lock the VMA can't change. Once per lock is enough.
</details>
"""

# %% collapse-recorded [shut]
from ptwalk.recordings import load

steps = load("collapse_madv").words
for number, word in enumerate(steps[:32], 1):
    if ":read" not in word or "lock" in word:
        print(f"{number:2}  {word}")

# %% [markdown] allocate
"""
**Predict.** Why does it not allocate the huge page while it holds the lock?

<details><summary>Allocating takes no time, it could</summary>
Two megabytes in one piece can take long: the kernel may have to move other pages first.
</details>
<details><summary>Allocating may wait, and everybody would wait behind it</summary>
Yes. So it drops the lock, allocates, takes the lock again, and must look at everything again.
</details>
"""

# %% [markdown] cut
"""
## 2. Unlinked is not freed

**Play.** In the stepper above, go back to the beginning. Let CPU 1 run alone, up to the step that clears the
pmd, and some more. Watch frame 4, the pte table. Its state changes to *unlinked*. khugepaged keeps the table
in a local variable: if anything goes wrong, it hangs the old table back.

**Predict.** Is the table freed when the collapse is through?

<details><summary>Yes, nobody needs it</summary>
Not now. But one day the huge page may have to be split again, and then a table is needed at once.
</details>
<details><summary>No, it is kept for later</summary>
Yes. It is **deposited**: parked beside the huge page.
</details>
"""

# %% deposited [shut]
run = ptwalk.replay("collapse-anon-vs-damon-v34", "1x40:up_write")
for step in run.steps:
    if step.kind in ("xchg", "write", "copy", "deposit", "lock", "unlock"):
        print(f"{step.number:2}  {step.text}")

# %% [markdown] three-states
"""
**Predict.** You kept a pointer into that table, from before the collapse. Much later the huge page is
split, and the table is used again, with new entries. Is your pointer into valid memory? Into the right
table?

<details><summary>Neither</summary>
The memory was never given back. It is a page table, as it was.
</details>
<details><summary>Valid memory, the wrong meaning</summary>
Yes. It was used again without ever being freed. No tool that looks for freed memory will find that.
</details>
<details><summary>Both: the table is back in its place</summary>
It may be in the same place. What you read from it before has not been true for a long time.
</details>
"""

# %% withdrawn [shut]
run = ptwalk.replay("thp-split-vs-damon-merged", "1x15")
for step in run.steps[8:13]:
    print(f"{step.number:2}  {step.text}")

# %% [markdown] three-states-2
"""
That was such a split. Step 11 takes the parked table, and step 13 hangs it in again. No step gives memory
back, and none asks for new.

| the table is | it is memory | a walk leads to it | what goes wrong |
| --- | --- | --- | --- |
| linked | yes | yes | |
| **unlinked** | yes | no | your write is lost; what you read is old |
| **deposited** | yes | no | the same; later it means something else |
| **freed** | no | no | you read and write somebody else's data |

## 3. Who is kept out?

For the cut khugepaged holds: the mmap lock **for writing**, the lock of the anonymous reverse map (which
leads from a page to its entries) for writing, and the lock of the PMD table. Not the pte table's: that
comes later.

**Predict.** Which single lock would have saved CPU 0?

<details><summary>The pte table's lock, taken earlier</summary>
CPU 0 had it when the table was cut off. The cut does not need it.
</details>
<details><summary>The mmap lock for reading</summary>
Yes. khugepaged wants it for writing, and has to wait.
</details>
<details><summary>The mmap lock for writing, and no less</summary>
It would do. It is more than is needed: readers already keep a writer out.
</details>
"""

# %% kept-out [shut]
for name in ("collapse-anon-vs-damon-v34", "collapse-anon-vs-damon-merged"):
    verdict = ptwalk.explore(name)
    print(f"{name:31} {verdict.outcome:5} {verdict.title}")

# %% [markdown] look-back
"""
## 4. Look back under the lock?

A good idea, often seen: take the pte table's lock, then **read the pmd again**. If it is the same as before,
the table is still in place. Here is such a walker. An RCU section around it keeps the memory.

**Predict.** It looked back, and the pmd was the same. Can its store still be lost?

<details><summary>No: it checked, under a lock</summary>
A check holds only as long as the one who changes things is kept out. Does khugepaged need that lock for the
cut?
</details>
<details><summary>Yes, if the cut comes right after the check</summary>
Yes. Two switches are enough.
</details>
"""

# %% look-back-verdict [shut]
verdict = ptwalk.explore("collapse-anon-vs-mkold-after-recheck")
print(verdict.outcome, "with", verdict.switches, "switches:", verdict.title)

# %% look-back-play
race = ptwalk.stepper("collapse-anon-vs-mkold-after-recheck")
race

# %% [markdown] look-back-why
"""
The walker is not wrong by itself. It needs a **remover** who takes the pte table's lock for the cut. From
Linux 6.6 on, those who remove the tables of *files* do just that, and free by RCU. Against them the same
walker is right:
"""

# %% look-back-now
print(ptwalk.explore("retract-vs-mkold-after-recheck").outcome)

# %% [markdown] files
"""
In exercise 06.2 you'll write that remover.

## 5. Files: other people's tables

A file can be mapped by many processes. If its small pages become a huge one, all their pte tables for that
place are in the way. Here process A asked for it (`MADV_COLLAPSE`), and B maps the same file. In the
recording B's steps begin with `B.`.

**Predict.** Whose table was cut off?

<details><summary>Only A's</summary>
Yes, here. B's entries were cleared, and its empty table stayed.
</details>
<details><summary>Both</summary>
That is what the daemon does, below. It works for nobody in particular.
</details>
"""

# %% files-recorded [shut]
for name in ("collapse_tmpfs_second", "collapse_tmpfs_second_khugepaged"):
    print(name)
    for number, word in enumerate(load(name).words, 1):
        if "pmd[0]:clear" in word or "mmap_lock:write_lock" in word or word == "i_mmap_rwsem:write_lock":
            print(f"  {number:3}  {word}")

# %% [markdown] files-locks
"""
So a process that never heard of huge pages can lose a page table, because a neighbour or a daemon wants it.
(Seen in 6.1.176. The `<app>` line is the program's own lock, before the daemon begins.)

**Predict.** In the same recording: which page-table lock is held when the pmd is cleared?

<details><summary>The PMD table's</summary>
In 5.15.0 it was. Look at the list for 6.1.176.
</details>
<details><summary>None</summary>
Yes. The mmap lock for writing and the file's **i_mmap lock** (the reverse map of a file) for writing keep
everybody out.
</details>
"""

# %% files-no-ptl [shut]
words = load("collapse_tmpfs_second").words
cut = words.index("pmd[0]:clear(xchg)")
for number in range(cut - 9, cut + 8):
    print(f"{number + 1:3}  {words[number]}")

# %% [markdown] rmap
"""
## 6. A walker with only the reverse map's lock

The kernel also walks from a page: to its mappings, and down to each entry. Such a walker holds the i_mmap
lock for reading, and no mmap lock at all.

**Predict.** On 5.15.0, two removers free a file's pte table at once. `retract` takes the i_mmap lock for
writing; `collapse-pte-mapped` takes the mmap lock for writing and the page's own lock. Against which is the
reverse-map walker safe?

<details><summary>Both: they hold locks for writing</summary>
The one must be a lock that *this* walker takes too.
</details>
<details><summary>Only retract</summary>
Yes. The other one and this walker have no lock in common. It was mended (8d3c106e19e8).
</details>
"""

# %% rmap-verdicts [shut]
for name in ("retract-vs-rmap", "collapse-pte-mapped-vs-rmap", "collapse-pte-mapped-vs-rmap-fixed"):
    verdict = ptwalk.explore(name)
    print(f"{name:34} {verdict.outcome:5} {verdict.title}")

# %% [markdown] the-rule
"""
The rule that came out of it, for kernels up to 6.5:

> **Entries that map pages** may change under the page-table lock. **Entries that lead to tables** may be
> cut only while nobody holds any of three: the mmap lock, the anon_vma lock, the i_mmap lock.

So a remover needs all that apply, *for writing*. A walker needs one, *for reading*.

(This is for addresses in a VMA. munmap first takes the VMA out of the process and off both reverse maps. Then
nobody can come to that table by one of the three.)

## 7. What 6.6 put in its place

From 6.6 on, `retract` holds the i_mmap lock for **reading**, the PMD table's lock and the pte table's lock,
and frees by RCU. It takes no lock of the process at all.

**Predict.** You hold the mmap lock **for writing**, on 6.6, in a mapping of a file. Can its pte table vanish
under you?

<details><summary>No: nothing is stronger</summary>
It is the strongest lock of *this process*. The remover does not ask this process.
</details>
<details><summary>Yes</summary>
Yes. So a walker of today reaches ptes through `pte_offset_map_lock`. It looks back at the pmd under the
lock, and may say: no table here.
</details>
"""

# %% six-six [shut]
for name in ("retract-vs-mlw-walker-then", "retract-vs-mlw-walker", "retract-vs-mlw-map-lock"):
    verdict = ptwalk.explore(name)
    print(f"{name:27} {verdict.outcome:5} {verdict.title}")

# %% [markdown] mremap
"""
## 8. Who still believed the old rule

`mremap` moves a mapping to another address. If it can, it takes a whole pte table from one pmd and hangs it
into another. It holds the mmap lock for writing. It reads the pmd, decides, takes the locks, and moves.
Between the decision and the move, `retract` of 6.6 can cut the table off.

**Play.** What does it hang in?
"""

# %% mremap-play
race = ptwalk.stepper("retract-vs-mremap")
race

# %% [markdown] mremap-said
"""
An empty entry names frame 0. So physical page 0 becomes a page table of that program, and its entries map
whatever page 0 happens to hold. This was CVE-2024-50066, mended in 6.12 by a second look under the lock
(6fa1066fc5d0). In exercise 06.3 you'll mend it yourself.
"""

# %% [markdown] real-kernel
"""
## In the real kernel

- `mm/khugepaged.c`: `collapse_huge_page()`, `retract_page_tables()`, `collapse_pte_mapped_thp()`; 5.15.0,
  6.1, and in the new way 6.6 (1d65b771bc08).
- 5.15.0 took the PMD table's lock for the cut of a file's table; the recorded 6.1.176 does not.
- `mm/mremap.c`: `move_normal_pmd()` (6fa1066fc5d0).
- `mm/pgtable-generic.c`: `__pte_offset_map_lock()` looks back at the pmd from 6.5 on (0d940a9b270b).

## What this leaves out

Pages that are swapped in during a collapse, the page cache and its own locks, the freezing of reference
counts, the LRU lists. One page stands for 512.
"""

# %% [markdown] next
"""
## Exercises

They are in [exercises/06_race_collapse.ipynb](../exercises/06_race_collapse.ipynb): lose a mark, write a
remover that fits a walker, and mend the move.

## What next

**You can now** ask of a table: is it memory, and is it still in its place? **Still unsafe:** those who walk
with no lock at all. **Next:** [7. A race: walking without any lock](07_race_gup_fast.ipynb).
"""
