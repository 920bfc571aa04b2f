"""Source of notebooks/09_mending_damon.ipynb."""

# ruff: noqa: B018, E402

# %% [markdown] title
"""
# 9. Mending DAMON: a dialogue of tries

**After this** you can follow a real review from its first question to the merged code, and try each step
yourself.

About 45 minutes alone, and 52 for the exercises. You need: the races of notebooks 5 and 6, the small print
of notebook 8, and callbacks of a page walk from notebook 4.
"""

# %% start
import ptwalk

ptwalk.start("09")

# %% [markdown] hook
"""
## Ten minutes, one question

A patch comes by mail. It is part of a **monitor**, DAMON, version 34: it clears the **accessed** bit of the
page at an address of another process. This is its heart, in our own retelling:
"""

# %% t1
from ptwalk.walk.damon import damon_ptep_mkold
from ptwalk.walk.follow import follow_invalidate_pte, unfollow


async def t1(mm, addr):
    found = await follow_invalidate_pte(mm, addr)  # down the tables; takes the page-table lock
    if found is None:
        return
    await damon_ptep_mkold(mm, found.entry)  # present, a page on the LRU list, young? then clear the bit
    await unfollow(mm, found)  # drops the page-table lock


# %% [markdown] one-question
"""
The monitor holds a user reference on the process's memory (mm_users). It looks at the process's VMAs once a
minute, and picks addresses in between.

**Predict.** You have ten minutes and one question to the author. Which?

<details><summary>"Why is the accessed bit cleared, and not read?"</summary>
It is a fair question about the design. The code would be as wrong if it only read.
</details>
<details><summary>"Is the store atomic?"</summary>
A good eye: there is a bug in that store. It was found two years later. It is not the first one to ask for.
</details>
<details><summary>"Which locks do you hold, and what do you know about the address?"</summary>
Yes. Those were the reviewer's two questions. The rest of this notebook is their answer.
</details>
"""

# %% [markdown] question-row
"""
## 1. The row of questions

Before any code: who keeps whom out? Draw this on paper and fill it, for a walker that holds mm_users only.

| the address is | who keeps munmap out? | collapse? | exit? |
| --- | --- | --- | --- |
| in a VMA | | | |
| in a hole | | | |

<details><summary>The filled table</summary>
In a VMA: nobody, nobody, the user reference. In a hole: nobody; a collapse needs a VMA; the user reference.
And that it is in a VMA was true when somebody looked, up to a minute ago.
</details>
"""

# %% [markdown] try-one-v34
"""
## 2. Try one: v34

Each try gets the same row of six changers. Moved means that `mremap` hangs the table below another address;
hardware means that the program writes to the page, and the processor sets bits.
"""

# %% row
SIX = {
    "munmap": "munmap",
    "munmap-last": "munmap, in a hole",
    "collapse-anon": "collapse",
    "mremap-table": "moved",
    "exit": "exit",
    "user-access": "hardware",
}


def row(walker, release="5.15.0"):
    for changer, verdict in ptwalk.check_walker(walker, against=SIX, release=release).items():
        print(f"{SIX[changer]:18} {verdict.outcome:5} {verdict.title}")


# %% [markdown] predict-t1
"""
**Predict.** Six cells for try one: safe or not? Write them down.

<details><summary>All six are bugs</summary>
One thing is kept out. What does the monitor hold?
</details>
<details><summary>exit is safe, five are bugs</summary>
Yes: mm_users is held, so exit waits. Nothing else does.
</details>
<details><summary>Hardware is safe: the page-table lock is held</summary>
The processor takes no lock before it sets a bit.
</details>
"""

# %% row-t1 [shut]
row(t1)

# %% [markdown] wild
"""
("Wild" means: it followed an entry that was already empty, to an address where nothing of its is. v34's way
down loads the pmd three times, and between two loads it can be cleared.)

## 3. The author's defence

Three sentences, in our words:

1. *The page-table lock is held while the entry is changed.*
2. *The process's memory can't go: we hold a reference on its users.*
3. *The page is looked at: it is a page on the LRU list, and we hold a reference on it.*

**Predict.** Which of them are true?

<details><summary>None</summary>
Each is true, word by word. That is what makes reviews hard.
</details>
<details><summary>All, and they don't help</summary>
Yes. The lock comes after the way down. The users' reference stops exit, and nobody else. And the page is
looked at in an entry that may be none any more.
</details>
<details><summary>Only the second</summary>
The others are true as well. They are about the entry and the page; the bug is about the table.
</details>
"""

# %% [markdown] wild-then
"""
**Play.** Find the moment when the third sentence comes too late.
"""

# %% play-t1
game = ptwalk.stepper("munmap-vs-damon-v34")
game

# %% [markdown] t2
"""
## 4. Try two: the write lock

The first proposal of a mend took `mmap_lock` for **writing**. Then the walk goes down, and a helper gives
back the entry with its page-table lock. There are two ways to read such a helper:

- **2a** keeps `mmap_lock` to the end;
- **2b** drops it when the page-table lock is held, for that lock is what it gives back.

(We do not know which of the two the mail had. Both are tried.)

**Predict.** 2a and 2b: which cells are still bugs?

<details><summary>Neither has any, but for hardware</summary>
2a, yes. In 2b, who cuts a table off without waiting for its page-table lock?
</details>
<details><summary>2a only hardware; 2b also collapse and moved</summary>
Yes. munmap must zap first, and waits at the page-table lock. The other two cut first.
</details>
<details><summary>2b is as bad as try one</summary>
Not against munmap: it took the lock while the table could not go.
</details>
"""

# %% row-t2 [shut]
from ptwalk.walk.damon import damon_va_mkold_write_locked as t2a
from ptwalk.walk.damon import damon_va_mkold_write_locked_lookup as t2b

row(t2a)
print()
row(t2b)

# %% [markdown] cost
"""
## 5. What it costs

2a is safe but for one cell. Should it be merged?

Beside the monitor, the process wants to go on with its work: a page fault. The monitor is four steps into
its walk.

**Predict.** How many steps can the page fault do before the monitor ends? With the lock for writing, and
with the lock for reading?

<details><summary>The same</summary>
A fault takes `mmap_lock` too, for reading (up to 6.4 always).
</details>
<details><summary>None, and all</summary>
Yes.
</details>
"""

# %% waiting [shut]
from ptwalk.trials.own_walker import own_scenario
from ptwalk.walk.damon import damon_va_mkold as t3

for walker, mode in ((t2a, "writing"), (t3, "reading")):
    run = ptwalk.replay(own_scenario(walker, "fault", "5.15.0"), "0x4 1x60")
    print(f"held for {mode}: {sum(step.cpu == 1 for step in run.steps)} steps of the fault")

# %% [markdown] need-w
"""
A monitor that looks at a thousand pages a second could make the program wait a thousand times a second.

**Predict.** Does the walk need the lock for *writing*?

<details><summary>Yes: it changes entries</summary>
An entry is changed under the page-table lock of its table. For that the other lock does not matter.
</details>
<details><summary>Yes, if it walks wherever the address leads</summary>
Right: rule (b), without regard to VMAs. That was how the helper walked.
</details>
<details><summary>No, if it walks inside VMAs only</summary>
Yes: then rule (a) holds, and reading is enough. Both answers lead to try three.
</details>
"""

# %% [markdown] try-three-as-it-was-merged
"""
## 6. Try three: as it was merged

Linux 5.15 has this. `walk_page_range` looks for the VMA itself, and goes down only inside it. All the work
is done in the callback, so under the lock:
"""

# %% t3-source
import inspect

print(inspect.getsource(t3))

# %% [markdown] predict-t3
"""
**Predict.** The row for try three, on 5.15.0.

<details><summary>All six safe</summary>
Five are. Which of them is no business of any lock?
</details>
<details><summary>Five safe, hardware not</summary>
Yes. Nobody had touched that part.
</details>
"""

# %% row-t3 [shut]
row(t3)

# %% [markdown] dirty
"""
## 7. The red cell that stayed

The bit is cleared like this: load the word, take the bit out, store the word. In between, the program on
another processor writes to the page for the first time. Its hardware sets the **dirty** bit (bit 6) in the
same word. Then the old word is stored over it.

Nobody knows any more that the page was written to. When memory is short, the kernel drops the page without
saving it, and the program's data are gone.

**Play.** Watch the word of the entry, from the load to the store.
"""

# %% play-dirty
game = ptwalk.stepper("user-access-vs-damon-merged")
game

# %% [markdown] predict-t4
"""
**Predict.** What mends it?

<details><summary>Another lock</summary>
There is none that the processor would ask for.
</details>
<details><summary>A flush of the TLB before the load</summary>
The processor fills its TLB again a moment later, and sets the bit then.
</details>
<details><summary>To clear the one bit in one step</summary>
Yes: an **atomic** step reads, changes and stores, and nothing comes in between.
</details>
"""

# %% [markdown] try-four-one-step
"""
## 8. Try four: one step

So it was done in 2023 (c11d34fa139e, in 6.5). Here is our own version of it, for small pages and huge ones:
"""

# %% t4-callback
from ptwalk.kernel import is_table, pmd_trans_huge_lock, pte_offset_map_lock, pte_unmap_unlock, spin_unlock
from ptwalk.walk.pagewalk import MmWalkOps, walk_page_range


async def clear_young(pmd, addr, end, walk):
    ptl = await pmd_trans_huge_lock(walk.mm, pmd)
    if ptl is not None:  # a huge page
        await pmd.test_and_clear_young()
        await spin_unlock(ptl)
    elif is_table(await pmd.read()):
        pte, ptl = await pte_offset_map_lock(walk.mm, pmd, addr)
        if (await pte.read()).linux_present:
            await pte.test_and_clear_young()
        await pte_unmap_unlock(walk.mm, ptl)
    return 0


# %% t4
async def t4(mm, addr):
    async with mm.mmap_lock.read():
        await walk_page_range(mm, addr, addr + 1, MmWalkOps(pmd_entry=clear_young))


row(t4)

# %% [markdown] finished
"""
All six are safe. On 5.15.0, on this architecture, with these changers.

**Predict.** Is it finished?

<details><summary>Yes: six of six</summary>
Two things are left: a kind of entry, and time.
</details>
<details><summary>No</summary>
Yes: no. Read on.
</details>
"""

# %% [markdown] finished-then
"""
**A kind of entry.** While the kernel moves a huge page, its pmd holds a **migration entry**: not present,
and in another form. DAMON of 5.15 asked only "is it no table, and not empty?", took such a word for a huge
page, and read the frame out of it (72c33ef4c02e and c8b9aff41930, 2022). What does it find?
"""

# %% migration
fmt = ptwalk.format_named("x86-64-4level", release="5.15")
moving = fmt.decode(fmt.make_migration(0x140000000, "pmd", write=True), "pmd")
print("the word:", hex(moving.raw), "which is:", moving.state.name)
print("frame, read as of a huge page:", hex((moving.raw & 0x000F_FFFF_FFFF_F000) >> 12))
print("frame that is being moved:    ", hex(moving.address >> 12))

# %% [markdown] not-a-frame
"""
A frame number that means nothing. It passes for a page if you are unlucky.

So try four should look at what it got, under the lock, before it touches it. In exercise 09.2 you will.

## 9. Try five: the same code, years later

**Predict.** Try four, unchanged, on 7.1, against everything that this kernel has. Which cells turn?

<details><summary>None: it was proved</summary>
On 5.15.0. A proof is about a walker *and* a kernel.
</details>
<details><summary>Those where a table goes under a reader's lock</summary>
Yes. Since 6.5 the call for the pte may come back with nothing, and since 6.6 there are removers that make
it so.
</details>
"""

# %% t4-today [shut]
for release in ("5.15.0", "6.6", "7.1"):
    tried = ptwalk.check_walker(t4, against="all", release=release)
    print(
        release, ", ".join(name for name, verdict in tried.items() if verdict.outcome == "bug") or "all safe"
    )

# %% [markdown] t5-why
"""
It is no use-after-free: `pte_offset_map_lock` of these kernels looks at the pmd again and gives back None.
Try four does not look at what it got, and crashes. DAMON of 7.1 does look:
"""

# %% t5
row(t3, "7.1")

# %% [markdown] review-mail
"""
## 10. The mail that you would write

A good review has three sentences:

1. **The rule.** "This walks page tables with the page-table lock alone; nothing keeps the table."
2. **The schedule.** "Stop after the pmd is read, let munmap run to the free, then take the lock." Better
   still: a line that anybody can play.
3. **The mend.** "Take mmap_lock for reading, use walk_page_range, do the work in pmd_entry."

It is not about who was right. The reviewer did not find a bug in DAMON's clever part. He found that nobody
had said which rule it relied on.

**Predict.** Would you have merged try three?

<details><summary>Yes</summary>
It was merged. It ended five of six races, and the sixth was there before.
</details>
<details><summary>No</summary>
It did lose dirty bits for two years. You would have needed someone to ask the second question: who else
writes this word?
</details>
"""

# %% [markdown] real-kernel
"""
## In the real kernel

- DAMON v34, patch 05 of 13, August 2021: `damon_va_mkold()` by way of `follow_invalidate_pte()`
  (`mm/memory.c`, 5.15).
- Merged: `mm/damon/vaddr.c`, 5.15 (3f49584b262c): `damon_mkold_pmd_entry()`.
- `mm/damon/ops-common.c`: the atomic clearing, c11d34fa139e (6.5, and 6.4.6 stable).
- `mm/damon/vaddr.c`, 7.1: `pmd_trans_huge_lock()`, a pte that may be NULL, and `PGWALK_RDLOCK`, by which the
  walk says which lock it needs.

## What this leaves out

The marks of idle-page tracking, notifiers, and how regions are chosen and split. The mails are retold, not
quoted.
"""

# %% [markdown] next
"""
## Exercises

They are in [exercises/09_mending_damon.ipynb](../exercises/09_mending_damon.ipynb): four accidents, your
merged version, and the review of a neighbour's patch.

## What next

**You can now** ask two questions of a patch, and answer them by trying. **Still unsafe:** whatever was
proved on an older kernel. **Next:** [10. The matrix: then and now](10_matrix.ipynb).
"""
