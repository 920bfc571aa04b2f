"""Source of solutions/10_matrix.ipynb, and through it of exercises/10_matrix.ipynb."""

# ruff: noqa: B018, E402

# %% [markdown] title
"""
# Exercises 10: the matrix, then and now

After these exercises you can say of a walker and a kernel whether they fit, write the door to a pte table,
and carry a walker from 5.15 to 7.1. They go with [the notebook](../notebooks/10_matrix.ipynb). About 60
minutes alone.

| exercise | | minutes |
| --- | --- | --- |
| 10.1 Twelve cells | ●●● hard | 20 |
| 10.2 Write pte_offset_map_lock | ●●● hard | 25 |
| 10.3 Port it | ●● needs thought | 15 |

A check passes, or stops with one line that says what it saw. If it saw a race, the line holds its schedule,
and the stepper opens on it, three steps before the end. `ptwalk.hint("10.1")` has three hints.
"""

# %% start
import ptwalk

ptwalk.start("10")

# %% [markdown] ex-10-1
"""
## 10.1 Twelve cells

●●● hard · 20 minutes

Twelve cells: a walker, a remover, a kernel. For each say one word:

- `"safe"`;
- `"use-after-free"`: it touches a table that was given back;
- `"lost update"`: no memory is lost, but a store goes into a table that was cut off;
- `"impossible"`: that kernel has no such remover.

All walkers but `ptl only` read the pte without its lock; `ptl only` loads each level once, takes the
page-table lock and stores. `read, in a hole` walks only if it finds no VMA at the address. A kernel is x86-64
unless it says arm64. Reasoning first; a wrong cell opens its schedule.
"""

# %% 10-1-problem
twelve = ptwalk.problem("10.1")
twelve

# %% 10-1-answer
answer = dict.fromkeys(twelve.cells)  # a word for each cell
### BEGIN SOLUTION
today = ("6.6", "6.14", "7.1")  # retract takes no lock of the mm
reclaims = ("6.14", "7.1")
gone = {  # by remover: walkers that meet the free, and on which kernels
    "munmap": {"read, in a hole": ("5.15.0", "5.15.0,arm64", "6.1", *today)},
    "collapse-anon": {},
    "retract": {
        "read, in a VMA": today,
        "write": today,
        "write, and the VMA": today,
        "irqs off": ("5.15.0,arm64",),
    },
    "reclaim": {"read, in a VMA": reclaims, "write": ("7.1",)},
}
for walker, remover, kernel in twelve.cells:
    if remover == "reclaim" and kernel not in reclaims:
        answer[walker, remover, kernel] = "impossible"
    elif walker == "ptl only":
        answer[walker, remover, kernel] = "lost update" if remover == "collapse-anon" else "use-after-free"
    else:
        red = kernel in gone[remover].get(walker, ())
        answer[walker, remover, kernel] = "use-after-free" if red else "safe"
### END SOLUTION

# %% 10-1-check
ptwalk.check("10.1", answer)

# %% [markdown] ex-10-2
"""
## 10.2 Write pte_offset_map_lock

●●● hard · 25 minutes

`map_lock(mm, pmd, addr)` gives `(pte, ptl)` of the table that the pmd names *now*: the lock is held, and you
are still in your RCU section (the caller leaves both, the lock first). If the pmd names no table, it gives
None, and nothing is held. If the table was changed for another one under your hands, there is a table: give
that.

The caller holds `mmap_lock` for reading and has found the VMA, so the pmd's own table stays. The kernels are
6.6 and 7.1. It is tried against retract and reclaim, also with a page fault right after them, which brings a
new table. Below is the way of 5.15.
"""

# %% 10-2-names
from ptwalk.kernel import (  # rcu_read_lock(mm.machine)
    is_table,
    offset_lockless,
    pte_lockptr,
    rcu_read_lock,
    rcu_read_unlock,
    spin_lock,
    spin_unlock,
)


# %% 10-2-of-5-15
async def map_lock_5_15(mm, pmd, addr):
    """Two loads of the pmd and a lock; it never fails."""
    ptl = pte_lockptr(mm, pmd, await pmd.read())
    pte = offset_lockless(pmd, await pmd.read(), addr)
    await spin_lock(ptl)
    return pte, ptl


# %% 10-2-answer
async def map_lock(mm, pmd, addr):
    """The pte of addr with its table's lock held, inside RCU; or None, and nothing held."""
    ### BEGIN SOLUTION
    while True:
        await rcu_read_lock(mm.machine)
        seen = await pmd.read()
        if not is_table(seen):
            await rcu_read_unlock(mm.machine)
            return None
        ptl = pte_lockptr(mm, pmd, seen)
        await spin_lock(ptl)
        if (await pmd.read()).raw == seen.raw:
            return offset_lockless(pmd, seen, addr), ptl
        await spin_unlock(ptl)
        await rcu_read_unlock(mm.machine)
    ### END SOLUTION


# %% 10-2-check
ptwalk.check("10.2", map_lock)

# %% [markdown] ex-10-3
"""
## 10.3 Port it

●● needs thought · 15 minutes

Below is a walker of 5.15. It says whether a page is there, as `mincore` does. Make it right on 7.1, and keep
it right on 5.15.0, with as few changed lines as you can.

The caller is as in 10.2. An answer may be old the moment it is given; but it must fit what was last read of
the pmd. Huge: a page is there. Empty: none is. A table: what its pte says.
"""

# %% 10-3-names
from ptwalk.kernel import leaf, pte_offset_map_lock, pte_unmap_unlock


# %% 10-3-of-5-15
async def resident_5_15(mm, pmd, addr):
    """Whether a page is there."""
    entry = await pmd.read()
    if not is_table(entry):
        return leaf(entry)
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    there = (await pte.read()).linux_present
    await pte_unmap_unlock(mm, ptl)
    return there


# %% 10-3-answer
async def resident(mm, pmd, addr):
    """Whether a page is there."""
    ### BEGIN SOLUTION
    pte = None
    while pte is None:
        entry = await pmd.read()
        if not is_table(entry):
            return leaf(entry)
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    there = (await pte.read()).linux_present
    await pte_unmap_unlock(mm, ptl)
    return there
    ### END SOLUTION


# %% 10-3-check
ptwalk.check("10.3", resident)

# %% [markdown] next
"""
## What next

[11. Capstone: a patch of your own](../notebooks/11_capstone.ipynb)
"""
