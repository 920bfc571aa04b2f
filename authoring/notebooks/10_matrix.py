"""Source of notebooks/10_matrix.ipynb."""

# ruff: noqa: B018, E402

# %% [markdown] title
"""
# 10. The matrix: then and now

**After this** you can fill the table of walkers, removers and releases, and say which rule of 2021 no longer
holds.

About 40 minutes alone, and 60 for the exercises. You need: the races of notebooks 5 to 8.
"""

# %% start
import ptwalk

ptwalk.start("10")

# %% [markdown] hook
"""
## A proof with a date

Here is a walker that keeps rule (a) to the letter. It holds `mmap_lock` for reading, finds the VMA, and
reads the entry. Rule (a) was all that the review of 2021 asked for.
"""

# %% rule-a
from ptwalk.kernel import find_vma, is_table, mm_find_pmd, offset_lockless


async def by_rule_a(mm, addr):
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            pmd = await mm_find_pmd(mm, addr)
            entry = await pmd.read() if pmd is not None else None
            if entry is not None and is_table(entry):
                await offset_lockless(pmd, entry, addr).read()


# %% [markdown] predict-hook
"""
**Predict.** Proved safe on 5.15.0, against everything that changes tables there. Not a letter of it is
changed. On 6.6, and on 7.1?

<details><summary>Safe: it holds the lock</summary>
It holds the lock. Others have stopped asking for it.
</details>
<details><summary>Not safe</summary>
Yes. Your proof was about a walker and a kernel, not about a walker.
</details>
"""

# %% hook-verdict [shut]
for release in ("5.15.0", "6.1", "6.6", "6.14", "7.1"):
    tried = ptwalk.check_walker(by_rule_a, against="all", release=release)
    print(f"{release:7}", ", ".join(name for name, v in tried.items() if v.outcome == "bug") or "all safe")

# %% [markdown] matrix-then
"""
## 1. The matrix of then

Five walkers, three removers, one kernel: 5.15.0. Who they are:

| walker | holds |
| --- | --- |
| ptl-only | the page-table lock alone (v34) |
| read-peek | `mmap_lock` for reading, in a VMA: rule (a) |
| read-hole | `mmap_lock` for reading, VMAs ignored |
| write-peek | `mmap_lock` for writing, VMAs ignored: rule (b) |
| irqs-off | interrupts off, own address space: rule (c) |

**Predict.** Draw the table, five columns and three rows: munmap, collapse-anon, retract. How many of the
fifteen cells are bugs?

<details><summary>Three: ptl-only against everything</summary>
One more walker meets a munmap that has downgraded.
</details>
<details><summary>Four</summary>
Yes.
</details>
<details><summary>Six or more</summary>
Look for each cell for a lock that both take at the cut. You'll find one oftener than you think.
</details>
"""

# %% matrix-then-shown [shut]
walkers = ["ptl-only", "read-peek", "read-hole", "write-peek", "irqs-off"]
ptwalk.matrix(walkers, ["munmap", "collapse-anon", "retract"], "5.15.0")

# %% [markdown] why-cells
"""
("lifetime" is a use after free; "wild" is an entry followed to nowhere.)

Each safe cell is safe for one of three reasons. Learn to name it:

1. **A lock in common.** Both take it at the moment of the cut, and one of them for writing.
2. **A wait.** Who frees the table waits for you first: with an IPI, if you have interrupts off; with RCU, if
   you are a reader of RCU.
3. **Out of range.** It can't aim at your addresses: munmap can't in a VMA that is attached.

**Predict.** irqs-off against retract: which of the three?

<details><summary>A lock in common</summary>
irqs-off holds none.
</details>
<details><summary>A wait</summary>
Yes. On x86 the flush is an IPI, and waits for your processor. On arm64 it is not, and this cell is a bug
there, as you saw in notebook 7.
</details>
"""

# %% [markdown] time-axis
"""
## 2. What happened since

| release | what came |
| --- | --- |
| 6.4 | a lock for each VMA: page faults need no `mmap_lock` any more |
| 6.5 | `pte_offset_map_lock` may come back with nothing |
| 6.6 | retract takes no lock of the mm: only the file's rmap lock, for reading, and page-table locks |
| 6.14 | MADV_DONTNEED gives back the table that it has emptied: **reclaim** |
| 6.15 | on x86, too, tables are always freed by RCU |
| 6.17 | MADV_DONTNEED holds only the VMA's lock (the release is told from the date of the change) |

The direction is the same all along: those who remove take fewer locks, so that big programs with many
threads need not wait. Those who read have to look again.

**Predict.** Rule (b): `mmap_lock` for writing, VMAs ignored. Against munmap, retract and reclaim, which
cells turn, and in which release?

<details><summary>None: nobody else is inside</summary>
Two removers do their work without ever asking for `mmap_lock`.
</details>
<details><summary>retract with 6.6, reclaim later</summary>
Yes. In 6.14 reclaim still holds `mmap_lock` for reading, so your lock for writing keeps it out; later it
holds the VMA's lock only.
</details>
<details><summary>All three with 6.6</summary>
munmap takes `mmap_lock` for writing at its beginning, as ever.
</details>
"""

# %% rule-b-row [shut]
releases = ["5.15.0", "6.6", "6.14", "7.1"]
ptwalk.matrix(["write-peek", "write-vma-peek"], ["munmap", "retract", "reclaim"], releases)

# %% [markdown] play-retract
"""
The second walker write-locks the VMA as well. That keeps reclaim out, and retract not. ("-" means that this
kernel has no such remover.)

## 3. Who holds which lock of this mm?

**Play.** CPU 0 holds `mmap_lock` for writing. CPU 1 retracts. Follow CPU 1's locks up to the cut.
"""

# %% retract-now
game = ptwalk.stepper("retract-vs-mlw-walker")
game

# %% [markdown] predict-which-lock
"""
**Predict.** Which lock of this *address space* does CPU 1 take?

<details><summary>mmap_lock, by trying</summary>
So it was up to 6.5. Look again: there is no such step.
</details>
<details><summary>None; only locks of its tables and of the file</summary>
Yes. And at the end CPU 2, which runs RCU's callbacks, frees the table. It waited for all readers of RCU. You
were none.
</details>
"""

# %% [markdown] two-readers
"""
## 4. Two readers

**Play.** Here both hold a lock for reading, in one and the same process. One empties 2 MiB, and gives the
table back.
"""

# %% reclaim-now
game = ptwalk.stepper("reclaim-vs-mlr-walker")
game

# %% [markdown] still-holds
"""
It is allowed: changing entries has never needed more than a lock for reading. What is new is that the table
goes with them.

## 5. What still holds

**Predict.** You are in a VMA that stays (not of hugetlb), on 7.1. Which tables may you trust?

<details><summary>None</summary>
So it may feel by now. But look at the levels: which table is it that goes, in every race of this notebook?
</details>
<details><summary>All but the pte table</summary>
Yes. Down to the PMD table all stays as it was. Only the last step, from the pmd to the pte table, has to be
done through a door that looks again.
</details>
<details><summary>All that my page-table lock covers</summary>
The lock lies in the table. First you need the table.
</details>
"""

# %% [markdown] the-door
"""
## 6. The door

`pte_offset_map_lock`, since 6.5, in seven steps:

1. Enter an RCU section.
2. Read the pmd, once, into a variable.
3. No table? Leave RCU, and say so.
4. From that variable: where the table is, and where its lock is.
5. Take the lock.
6. Read the pmd again. The same word? Done; the lock and RCU stay with the caller.
7. Else: unlock, leave RCU, and from step 1.

Here is a walker with steps that can be left out.
"""

# %% door-names
from ptwalk.kernel import pte_lockptr, rcu_read_lock, rcu_read_unlock, spin_lock, spin_unlock


# %% door
async def mkold(mm, addr, rcu=True, look_again=True):
    async with mm.mmap_lock.read():
        pmd = await mm_find_pmd(mm, addr)
        if rcu:
            await rcu_read_lock(mm.machine)
        seen = await pmd.read()
        if is_table(seen):
            ptl = pte_lockptr(mm, pmd, seen)
            await spin_lock(ptl)
            if not look_again or (await pmd.read()).raw == seen.raw:
                await offset_lockless(pmd, seen, addr).test_and_clear_young()
            await spin_unlock(ptl)
        if rcu:
            await rcu_read_unlock(mm.machine)


# %% [markdown] predict-door
"""
**Predict.** Against retract on 7.1: leave out RCU, or leave out the second look. What goes wrong in each?

<details><summary>Both: use after free</summary>
RCU keeps the memory as long as you are inside. With RCU and no second look, what have you got?
</details>
<details><summary>Without RCU: the lock was freed. Without the look: a store into a table that was cut off</summary>
Yes. One is for **lifetime**, the other for **truth**. None does the other's work.
</details>
<details><summary>Without RCU nothing: the lock keeps the table</summary>
Once you *have* it. You wait for it first, and while you wait it may be freed.
</details>
"""

# %% door-tried [shut]
from functools import partial
from itertools import product

for rcu, look_again in ((True, True), (False, True), (True, False)):
    walker = partial(mkold, rcu=rcu, look_again=look_again)
    verdict = ptwalk.check_walker(walker, against="retract", release="7.1")
    print(f"rcu {rcu!s:5}  second look {look_again!s:5}  {verdict.outcome:4} {verdict.title}")

# %% [markdown] null
"""
## 7. What nothing means

**Predict.** `pte_offset_map_lock` gave you nothing. A moment before, the pmd had named a table. What is
there now?

<details><summary>Nothing is mapped</summary>
It may be. Or 2 MiB in one piece are.
</details>
<details><summary>Something that is no table, or there was something else for a moment</summary>
Yes. The table was removed; a huge page may have come in its place. Ask the pmd again, and judge what you see.
</details>
<details><summary>A table, if I only try often enough</summary>
Perhaps never again. A loop that waits for a table may run for ever.
</details>
"""

# %% [markdown] null-then
"""
A walker can skip the range, look at the pmd again, or ask the page walk to do so (`ACTION_AGAIN`). Which is
right depends on what its answer means.

**One limit.** The door is for VMAs that stay. The walker of part 6 holds `mmap_lock` for reading, and asks for
no VMA.

**Predict.** All steps of the door are there. Against munmap, on 7.1: safe?

<details><summary>Yes: it looks again under the lock</summary>
It looks at a pmd, and munmap clears that pmd right after the look. It does not ask for the page-table lock.
</details>
<details><summary>No</summary>
Yes: no. munmap takes the tables of a *detached* VMA away without any page-table lock. Against that, only rule
(a) helps: have the VMA.
</details>
"""

# %% limit-tried [shut]
for release in ("6.6", "7.1"):
    verdict = ptwalk.check_walker(mkold, against="munmap", release=release)
    print(f"{release} {verdict.outcome} {verdict.title}")

# %% [markdown] one-level-up
"""
## 8. The same mistake, one level up

In 7.0 a bug was mended in the kernel's own page walk (CVE-2026-31456): it looked at the pud, and then read
the pud again to go down. In between it could have become huge.

**Predict.** You have met this before. What was it called?

<details><summary>A double load</summary>
Yes: test one value, use another. It was in the kernel in 2012, one level further down (CVE-2012-1179).
</details>
<details><summary>ABA</summary>
There the value is the same again. Here it is another one.
</details>
"""

# %% double-load [shut]
for name, release in product(("fault-thp-vs-double-load", "refault-pud-vs-numa-maps"), ("6.1", "7.1")):
    verdict = ptwalk.explore(name, release=release)
    print(f"{name:25} {release:4} {verdict.outcome:5} {verdict.title}")

# %% [markdown] double-load-said
"""
The first walker is wrong on any kernel: the mistake is in the walker itself. In the second the mistake is
in the page walk of the kernel, and 7.1 has it mended.
"""

# %% [markdown] rules-now
"""
## 9. The rules, then and now

| | 5.15.0 | 7.1 |
| --- | --- | --- |
| read in a VMA | `mmap_lock` for reading | any lock that keeps the VMA; ptes through the door |
| change an entry | and the page-table lock, in one step | the same, through the door |
| ignore VMAs | `mmap_lock` for writing | and write-lock the VMAs; ptes through the door |
| lockless | interrupts off, own mm, no writes | the same; look again at pmd and pte |
| another process | mm_users | the same |

In the first row: from the look-up of the VMA to the last use of its tables. Locks that keep a VMA today are
`mmap_lock`, the VMA's own, and an rmap lock. The third row is in part our reasoning: tables of files go even
then, so RCU and the second look are all that keeps them.

The whole sheet, to print: [docs/rules-sheet.md](../docs/rules-sheet.md). Rule (b) of the review was right:
for its year. So when you state a rule, state the release.
"""

# %% [markdown] which-side
"""
## 10. Which side is 6.1 on?

The recordings that come with this course are of 6.1.176. It lies between. Here is how it removes a table of
a file, for a second process that maps it ("B").

**Predict.** Does it take B's `mmap_lock`, as in 5.15? Does it wait for lockless walkers before the free, as
5.15.0 did not?

<details><summary>Neither</summary>
Look for `B.mmap_lock`.
</details>
<details><summary>It takes the lock, and it waits</summary>
Yes: the lock of then, and a wait that was added later (`table_sync` sends an IPI to every processor).
</details>
"""

# %% recorded-retract [shut]
from ptwalk.recordings import load

words = load("collapse_tmpfs_second_khugepaged").words
first = words.index("i_mmap_rwsem:write_lock")
for word in words[first : words.index("i_mmap_rwsem:write_unlock") + 1]:
    if word.startswith(("B.", "i_mmap", "table_sync")):
        print(word)

# %% [markdown] six-one
"""
Three rows in which this 6.1 is as 5.15: retract takes `mmap_lock` for writing; `pte_offset_map_lock` can't
fail; there are no VMA locks. Three in which it is as 7.1: retract waits before it frees; exit takes
`mmap_lock`; a hole walk does not go down.

A stable kernel is not the release whose name it bears. Say which one, to the last number.
"""

# %% [markdown] real-kernel
"""
## In the real kernel

- `__pte_offset_map_lock()`: `mm/pgtable-generic.c`, 6.5 (0d940a9b270b).
- `retract_page_tables()`: `mm/khugepaged.c`, 5.15; 6.6 (1d65b771bc08).
- Reclaim of empty tables: `mm/pt_reclaim.c`, 6.14 (6375e95f381e). Its names changed since; we have checked
  the commit, and not each name in each release.
- `walk_pmd_range()`: `mm/pagewalk.c`, 7.1 (9b25a6e3d243).
- `Documentation/mm/process_addrs.rst`, 6.13 and later: the rules in the kernel's own words.

## What this leaves out

The lock of a hugetlb VMA, userfaultfd, guard markers. And every release has its own
configurations: a matrix has more sides than a page can show.
"""

# %% [markdown] next
"""
## Exercises

They are in [exercises/10_matrix.ipynb](../exercises/10_matrix.ipynb): twelve cells, the door written by
yourself, and a walker carried over five years.

## What next

**You can now** say for which kernel a walk is safe, and why. **Still unsafe:** the patch that nobody has
shown you yet. **Next:**
[11. Capstone: a patch of your own](11_capstone.ipynb).
"""
