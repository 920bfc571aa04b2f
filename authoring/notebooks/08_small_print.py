"""Source of notebooks/08_small_print.ipynb."""

# ruff: noqa: B018, E402

# %% [markdown] title
"""
# 8. The rule's small print

**After this** you can drop a lock in the middle of a walk and come back safely, and name the places where
"I hold mmap_lock" is not enough.

About 45 minutes alone, and 55 for the exercises. You need: the races of notebooks 5 to 7.
"""

# %% start
import ptwalk

ptwalk.start("08")

# %% [markdown] hook
"""
## A file that every monitor reads

`/proc/PID/pagemap` says where each page of a process is. In Linux 5.15.0 it walks the page tables with
`mmap_lock` held for reading, from the first step to the last. It uses the kernel's own walker. Here is that
walk, beside a munmap:
"""

# %% pagemap-hole
verdict = ptwalk.explore("munmap-vs-pagemap-hole")
print(verdict.outcome, "-", verdict.title)
print(verdict.report.happened)

# %% [markdown] hook-why
"""
It reads a table that was freed. The lock was held all the time! So the rule that you know must have a word
in it that this walk missed. Keep your guess; part 3 has the answer.

Here is rule (a) of the review, in our words. It has two sentences, and most people stop after the first:

> Inside a **VMA** (a range with one kind of mapping), with `mmap_lock` held for reading from the look-up of
> the VMA to the last use of its tables. **After any drop of the lock, look the VMA up again.**

## 1. What is left after a drop

A walk over much memory takes long, and others wait for the lock. So it lets go now and then, and takes the
lock again.

**Predict.** Before the drop you had found a VMA, and read a pmd. You take the lock again after one step.
What can be different?

<details><summary>The entries, not the VMA: it was short</summary>
One step of yours. The other processor may do a thousand steps meanwhile; nothing makes it wait.
</details>
<details><summary>Everything</summary>
Yes. The VMA may be gone, or be another one. The table may be freed. The process may be exiting.
</details>
<details><summary>Nothing, for readers let nobody in who writes</summary>
Only while they hold it. In the gap a writer gets in.
</details>
"""

# %% [markdown] hook-why-then
"""
Three walks that drop the lock once. The first believes its old VMA. The second looks for the VMA again,
but goes on with the pmd value of before. The third looks for the VMA again, and begins at the top.
"""

# %% three-drops [shut]
for name in ("munmap-vs-stale-vma", "retract-vs-kept-pmd", "munmap-vs-revalidated-vma"):
    verdict = ptwalk.explore(name)
    print(f"{name:26} {verdict.outcome:5} {verdict.title}")

# %% [markdown] kept-pmd
"""
The second one is worth a look: its VMA was there before the drop, and there after it. The table below it
went all the same. (*Retract* is what a collapse of a file does: it frees the page tables of everybody who
maps the file. You met it in notebook 6.)

**Play.** Where would you have to look again?
"""

# %% play-kept
game = ptwalk.stepper("retract-vs-kept-pmd")
game

# %% [markdown] aba
"""
**Predict.** A careful author compares: "the VMA I find now is the one that I had: the same pointer, the
same start, the same end." Is the pmd value of before good again?

<details><summary>Yes, nothing has changed</summary>
It *looks* as if nothing has changed. munmap and a new mmap may have come in between. The new VMA has the
same place, perhaps in the same memory.
</details>
<details><summary>No</summary>
Yes: no. Equal is not the same. This is known as the **ABA problem**: A was there, then B, then A again. You
meet it in exercise 08.1.
</details>
"""

# %% [markdown] aba-then
"""
What survives a drop is a number: the address you wanted to go to. Nothing else.
"""

# %% [markdown] collapse-counts
"""
## 2. How Linux comes back

khugepaged drops the lock twice on its way, once to find 2 MiB of free memory, once to get the lock for
writing. Here is a recording of a real Linux doing that (6.1.176, by `madvise`).

**Predict.** After each drop, what does it look at again?

<details><summary>The VMA</summary>
That is the first half. One more thing was read before the drop, and is needed after it.
</details>
<details><summary>The VMA, then the tables from the top</summary>
Yes. Look for `vma:revalidate`, and for the row pgd, pud, pmd that follows it.
</details>
"""

# %% collapse-madv [shut]
from ptwalk.recordings import load

for word in load("collapse_madv").words[:24]:
    if word.split(":")[0] in ("mmap_lock", "vma", "pgd[0]", "pmd[0]", "hugepage"):
        print(word)

# %% [markdown] pagemap-snapshot
"""
And pagemap? It drops the lock after each 2 MiB of addresses, and begins the next piece from the beginning:
lock, look up, walk. That is safe.

**Predict.** You read the pagemap of a whole process. Is what you get a picture of one moment?

<details><summary>Yes: the lock was held</summary>
For each piece. Between two pieces anything may change.
</details>
<details><summary>No</summary>
Yes: each 2 MiB is from another moment. A page that moves meanwhile can be in it twice, or not at all.
</details>
"""

# %% [markdown] holes
"""
## 3. Holes

Back to the race of the beginning. The lock was held all the time, so the second sentence is not it. The
missing word is in the first: *inside a VMA*.

pagemap also tells of **holes**: addresses of no VMA. In 5.15.0 the kernel's walker goes down into the
tables of a hole as well. And a munmap that has downgraded, and so holds the lock for reading too, is just
freeing tables in a hole. It made that hole.

**Predict.** The walk of a hole reads the pgd entry, then the pud entry, and stops. How much must be
unmapped for the race?

<details><summary>One page</summary>
A page's entry goes; the tables stay. A hole walk does not read ptes.
</details>
<details><summary>2 MiB</summary>
That frees a pte table. The hole walk never comes that far down.
</details>
<details><summary>All that lies in 512 GiB</summary>
Yes. The pud entry lies in a PUD table, and that table spans 512 GiB. It goes with the last VMA in them.
</details>
"""

# %% how-big [shut]
for name in ("munmap-small-vs-pagemap-hole", "munmap-vs-pagemap-hole", "munmap-vs-pagemap-hole-fixed"):
    print(f"{name:30} {ptwalk.explore(name).outcome}")

# %% [markdown] hole-said
"""
The first unmaps one small VMA, the second the last VMA of all. The third is the second on 5.15.85: there
the walker tells of the hole and does not go down.

How bad is it? The value that was read is thrown away, so nothing comes of it here. With five levels of
tables the same walk could *write*: it clears an upper entry that it finds damaged. (This we reasoned from
the sources; the model does not play it.)

## 4. A walk that knows no VMAs

A debug dump of all tables (**ptdump**) wants every entry, VMAs or not. In 5.15.0 it did so with `mmap_lock`
for reading.

**Predict.** How big must the munmap be for this one?

<details><summary>512 GiB again</summary>
That was for a walk that stops at the pud. This one goes down to the ptes.
</details>
<details><summary>Whatever frees one pte table</summary>
Yes. It reads every level, so any table that goes will do.
</details>
"""

# %% ptdump [shut]
for release in ("5.15.0", "5.15.85", "6.1"):
    verdict = ptwalk.explore("munmap-vs-ptdump", release=release)
    print(f"{release:8} {verdict.outcome:5} {verdict.title}")

# %% [markdown] rule-b
"""
Both bugs were mended by one commit (8782fb61cc84). For the dump it asks what rule (b) says: *without regard
to VMAs only with `mmap_lock` held for writing*.

## 5. Is the write lock the end of it?

**Predict.** `mmap_lock` for writing, VMAs ignored, against munmap and against retract. 5.15.0 and 6.6. How
many of the four are safe?

<details><summary>Four: nobody else can hold it</summary>
Nobody else can *hold* it. From 6.6 on, who retracts a file's table does not ask for it.
</details>
<details><summary>Three</summary>
Yes. The rule was true when it was written. Notebook 10 is about that.
</details>
<details><summary>Two: munmap downgrades</summary>
It downgrades its own hold. While you hold the lock for writing, it has none.
</details>
"""

# %% write-locked [shut]
from itertools import product

for changer, release in product(("munmap", "retract"), ("5.15.0", "6.6")):
    verdict = ptwalk.explore(f"{changer}-vs-mlw-walker", release=release)
    print(f"{changer:8} {release:7} {verdict.outcome}")

# %% [markdown] vma-locks
"""
There is one more gap. Since 6.4 a page fault can do its work under the lock of its VMA alone, without
`mmap_lock`. So the write lock does not stop faults either, until you write-lock the VMA too
(`vma_start_write`).

## 6. Somebody else's memory

A monitor walks the memory of another process. That process may exit at any time. Two counters are there to
hold on to it:

- **mm_count** keeps the struct that describes the address space. `mmgrab` takes it.
- **mm_users** keeps what is in the address space: VMAs, tables, pages. `mmget` takes it.

**Predict.** A monitor holds mm_count. Before each walk it tests that mm_users is not zero, takes
`mmap_lock` for reading, and looks for the VMA. The process exits. Safe?

<details><summary>Yes: it tested</summary>
It tested, then it walked. Between the two, the last user left.
</details>
<details><summary>Yes: it holds mmap_lock</summary>
exit in 5.15.0 takes no lock when it frees. Nobody is left who could walk, to its mind.
</details>
<details><summary>No</summary>
Yes: no. A test is worth something only if nothing fits between it and the use.
</details>
"""

# %% mm-count [shut]
for release in ("5.15.0", "6.1", "7.1"):
    verdict = ptwalk.explore("exit-vs-mm-count-only", release=release)
    print(f"{release:7} {verdict.outcome:5} {verdict.title}")

# %% [markdown] mmget
"""
From 6.1 on, exit takes the lock. That does not help: the monitor has tested, waits for the lock, gets it when
exit is through, and walks in an empty house.

`mmget_not_zero` tests and takes in one step. It fails when the last user is gone; then there is nothing to
walk. With it, exit has to wait for the monitor's `mmput`:
"""

# %% with-reference
print(ptwalk.explore("exit-vs-damon-v34").outcome)

# %% [markdown] dying
"""
So v34 with all its faults was safe against exit: it held mm_users. That is all that a user reference keeps.
munmap comes in as before.

## 7. A dying process

This is the exit of a real process, recorded on 6.1.176. Only the lock and the tables are shown.

**Predict.** Which lock does it hold while it clears the pages' entries, and which while it frees the tables?

<details><summary>None</summary>
That was so in 5.15.0.
</details>
<details><summary>For reading, then for writing</summary>
Yes: here you see both.
</details>
<details><summary>For writing, all the time</summary>
It would be simple. But clearing takes long, and somebody who reads need not wait for it.
</details>
"""

# %% exit-recorded [shut]
words = load("exit").words
for word in words[words.index("exit_mmap") :]:
    if word.startswith(("exit_mmap", "mmap_lock", "pmd[", "pte-table", "pgd-table")):
        print(word)

# %% [markdown] exit-read
"""
**Predict.** Would `mmap_lock` for reading have saved the monitor of part 6, in 5.15.0?

<details><summary>Yes</summary>
It did hold it. Look at part 6 again.
</details>
<details><summary>No</summary>
Yes: no. A lock keeps out only those who take it. And in 6.1, look at the last line: even the root is freed
after the lock is dropped.
</details>
"""

# %% [markdown] two-smaller-ones
"""
## 8. Two smaller ones

**A stack grows.** Below a stack VMA, munmap of 5.15 and 6.1 does not downgrade: the stack could grow into
the range under a reader's lock, and find its tables going (CVE-2020-29369). From 6.5 on a stack grows under
the write lock, and munmap downgrades everywhere. A walk that ignores VMAs, under the read lock, beside it:
"""

# %% stack
for release in ("5.15.0", "6.1", "6.6"):
    print(release, ptwalk.explore("munmap-stack-vs-ignoring-vmas", release=release).outcome)

# %% [markdown] stack-said
"""
The walk was wrong on all three. On two of them nobody noticed, by accident.

**A list of regions.** DAMON looks at the VMAs once a minute, under the lock, and remembers ranges. For a
minute these are only *numbers*. That is fine if each walk looks for the VMA again, and fatal if not:
"""

# %% regions
for name in ("munmap-vs-damon-regions-v34", "munmap-vs-damon-regions"):
    print(f"{name:28} {ptwalk.explore(name).outcome}")

# %% [markdown] sum-up
"""
A list to ask yourself, at any line of a walk:

- Was the VMA looked up under *this* hold of the lock?
- Is the address in it? (`find_vma` gives the next one above as well.)
- What do I still have in a variable from before the last drop?
- Whose mm is it, and what keeps it?
"""

# %% [markdown] real-kernel
"""
## In the real kernel

- `mm/pagewalk.c`: `walk_page_range()` and `walk_page_range_novma()`, 5.15.0; both mended by 8782fb61cc84
  (6.0-rc4, in 5.15.85).
- `mm/khugepaged.c`: `hugepage_vma_revalidate()`, 5.15 and 6.1; `khugepaged_test_exit()`, 5.15.
- `mm/mmap.c`: `exit_mmap()`, 5.15 (no `mmap_lock` in the freeing steps) and 6.1.176 (for reading, then for
  writing; recorded). `__do_munmap()`, 246c320a8cfe (5.8-rc7) and e4bd84c069f2 (6.5) for the stack.
- `mm/damon/vaddr.c`: `damon_va_three_regions()`, 5.15.

## What this leaves out

The oom reaper, core dumps, exec and userfaultfd also come and go in an address space; none of them is
modelled. mm_count itself is not modelled: the struct is always there.
"""

# %% [markdown] next
"""
## Exercises

They are in [exercises/08_small_print.ipynb](../exercises/08_small_print.ipynb): a long walk that lets go, the
size of a munmap that hurts, and a monitor of somebody else's memory.

## What next

**You can now** drop a lock and come back with an address and nothing else. **Still unsafe:** a walker that
was merged with all this in mind; one cell of its row is still red. **Next:**
[9. Mending DAMON](09_mending_damon.ipynb).
"""
