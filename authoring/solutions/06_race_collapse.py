"""Source of solutions/06_race_collapse.ipynb, and through it of exercises/06_race_collapse.ipynb."""

# ruff: noqa: B018, E402, F401, F811

# %% [markdown] title
"""
# Exercises 6: khugepaged's collapse

After these exercises you can lose an update on purpose, make a remover fit a walker, and mend a decision
that is older than its act. They go with [the notebook](../notebooks/06_race_collapse.ipynb). About 53
minutes alone.

| exercise | | minutes |
| --- | --- | --- |
| 06.1 The lost mark | ●● needs thought | 10 |
| 06.2 Why the look back failed | ●●● hard | 25 |
| 06.3 Move it, if it is still there | ●● needs thought | 18 |

A check passes, or stops with one line that says what it saw. If it saw a race, the line holds its schedule,
and the stepper opens on it, three steps before the end. `ptwalk.hint("06.1")` has three hints.
"""

# %% start
import ptwalk

ptwalk.start("06")

# %% [markdown] ex-06-1
"""
## 06.1 The lost mark

●● needs thought · 10 minutes

CPU 0 is DAMON v34, CPU 1 is khugepaged. Find a schedule in which CPU 0's store lands in a table that is
unlinked or deposited, while nothing that was freed is touched.

Play it in the stepper and copy the schedule line.
"""

# %% 06-1-play
game = ptwalk.stepper("collapse-anon-vs-damon-v34", "0x1", challenge=True)
game

# %% 06-1-answer
line = None  # a schedule line, such as "0x4 1x9 0x1"
### BEGIN SOLUTION
line = "0x5:read 1x18:xchg 0x6:write"
### END SOLUTION

# %% 06-1-check
ptwalk.check("06.1", line)

# %% [markdown] ex-06-2
"""
## 06.2 Why the look back failed

●●● hard · 25 minutes

This walker opens an RCU section, reads the pmd, locks the pte table, and reads the pmd **again**. If it is
the same, it writes. It takes no mmap lock. You have seen it fail.

Now leave the walker alone, and make the **remover** fit it. `remove(mm, pmd, table, addr)` cuts `table` off
its `pmd` and gives it back. Below is a remover as in 5.15.0, for you to change. Others may take the PMD
table's lock and then the pte table's, so keep that order.

A page-table lock is `lock_of_table(mm, table)`, taken by `await spin_lock(lock)`.
"""

# %% 06-2-names
from ptwalk.checks.collapse.remover import mkold_with_look_back
from ptwalk.kernel.pgtable import lock_of_table, pmd_lock
from ptwalk.kernel.tlbflush import pmdp_collapse_flush
from ptwalk.machine.frames import free_frame
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.rcu import call_rcu, synchronize_rcu


# %% 06-2-as-it-was
async def remove_5_15(mm, pmd, table, addr):
    """The remover as it was: the PMD table's lock, the cut with its flush, and the table is freed at once."""
    pml = await pmd_lock(mm, pmd)
    await pmdp_collapse_flush(mm, pmd, addr, unlinks=table)
    await spin_unlock(pml)
    await free_frame(mm.machine, table)


# %% 06-2-answer
async def remove(mm, pmd, table, addr):
    """Cuts the table off and gives it back, so that the walker above is right."""
    ### BEGIN SOLUTION
    pml = await pmd_lock(mm, pmd)
    ptl = lock_of_table(mm, table)
    await spin_lock(ptl)
    await pmdp_collapse_flush(mm, pmd, addr, unlinks=table)
    await spin_unlock(ptl)
    await spin_unlock(pml)
    await call_rcu(mm.machine, table)
    ### END SOLUTION


# %% 06-2-check
ptwalk.check("06.2", remove)

# %% [markdown] ex-06-3
"""
## 06.3 Move it, if it is still there

●● needs thought · 18 minutes

`move(vma, addr, old, new)` takes the table from the pmd `old` and hangs it into the pmd `new`. It gives
`True` if it did, else `False`; then mremap moves the entries one by one. Its caller holds the mmap lock for
writing. Below is the move of Linux 6.6, in its parts.

Find out what is too old in it, and mend it. It is tried against `retract`, which cuts the table off while
holding no lock of this process, and against a `retract` that maps a huge page in its place. When nobody is
in the way, the table must still be moved as a whole.
"""

# %% 06-3-names
from ptwalk.kernel.pgtable import is_table, none, pmd_lock
from ptwalk.kernel.tlbflush import flush_tlb_mm_range
from ptwalk.machine.locks import spin_unlock
from ptwalk.machine.rwsem import down_write, up_write


async def take_rmap_locks(vma):
    for tree in vma.rmap_trees:
        await down_write(tree.rwsem)


async def drop_rmap_locks(vma):
    for tree in reversed(vma.rmap_trees):
        await up_write(tree.rwsem)


# %% 06-3-hang-over
async def hang_over(vma, addr, old, new, entry):
    """Clears `old`, points `new` at the table that `entry` names, flushes; both locks are held."""
    table = vma.mm.machine.table_frame(entry)
    await old.clear(unlinks=table)
    await new.write(vma.mm.format.make_table(table.pa, new.level), unlinks=table)
    await flush_tlb_mm_range(vma.mm, addr, addr + old.level.size)


# %% 06-3-as-it-was
async def move_6_6(vma, addr, old, new):
    """The move of 6.6. (Both pmds are in one PMD table here, so there is one lock.)"""
    if not is_table(await old.read()):
        return False
    await take_rmap_locks(vma)
    pml = await pmd_lock(vma.mm, old)
    free = none(await new.read())
    if free:
        await hang_over(vma, addr, old, new, await old.read())
    await spin_unlock(pml)
    await drop_rmap_locks(vma)
    return free


# %% 06-3-answer
async def move(vma, addr, old, new):
    """Moves the table if it is there; True if it was moved."""
    ### BEGIN SOLUTION
    await take_rmap_locks(vma)
    pml = await pmd_lock(vma.mm, old)
    entry = await old.read()
    moved = is_table(entry) and none(await new.read())
    if moved:
        await hang_over(vma, addr, old, new, entry)
    await spin_unlock(pml)
    await drop_rmap_locks(vma)
    return moved
    ### END SOLUTION


# %% 06-3-check
ptwalk.check("06.3", move)

# %% [markdown] next
"""
Next: [7. A race: walking without any lock](../notebooks/07_race_gup_fast.ipynb).
"""
