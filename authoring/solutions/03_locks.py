"""Source of solutions/03_locks.ipynb, and through it of exercises/03_locks.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# Exercises 3: locks

After these exercises you can say who may hold a lock together with whom, and find the moment in which a lock
does not help. You can take two locks in an order that never hangs. They go with [the
notebook](../notebooks/03_locks.ipynb). About 40 minutes alone.

| exercise | | minutes |
| --- | --- | --- |
| 03.1 Who with whom | ●● needs thought | 12 |
| 03.2 A reader in the gap | ●● needs thought | 10 |
| 03.3 Two locks, one order | ●●● hard | 18 |

A check passes, or stops with one line that says what it saw. If it saw a race, the line holds its schedule,
and the stepper opens on it, three steps before the end.
"""

# %% start
import ptwalk

ptwalk.start("03")

# %% [markdown] ex-03-1
"""
## 03.1 Who with whom

●● needs thought · 12 minutes

The mmap lock lets in many readers or one writer. A writer may **downgrade**: it becomes a reader, and
nobody gets in between.

Write `may_enter(held, wanted)`. `held` lists who holds the lock: `"R"` for a reader, `"W"` for a writer,
`"downgraded"` for one that was a writer. `wanted` is `"R"` or `"W"`, for a newcomer, or `"downgrade"`, for
one of the holders. Nobody is waiting in line.
"""


# %% 03-1-answer
def may_enter(held, wanted):
    """Whether it happens at once."""
    ### BEGIN SOLUTION
    if wanted == "R":
        return "W" not in held
    if wanted == "W":
        return not held
    return "W" in held
    ### END SOLUTION


# %% 03-1-check
ptwalk.check("03.1", may_enter)

# %% [markdown] ex-03-2
"""
## 03.2 A reader in the gap

●● needs thought · 10 minutes

CPU 0 read-locks the mmap lock, looks for the VMA, and if there is none, looks at the pmd. CPU 1 runs
munmap, on Linux 5.15.

Bring CPU 0 into the **gap**: it holds the lock, there is no VMA any more, and the table is still linked.
The machine shows that as the end of the run. Play it in the stepper, or try schedules with
`ptwalk.replay(READER, "1x3 0x2")`.

Then the second question. `BELOW_STACK` is the same race, with a stack VMA above the range that goes. Can
CPU 0 get into the gap there? Say True or False; the check searches all executions.
"""

# %% 03-2-play
from ptwalk.checks.locks.gap import BELOW_STACK, READER

print(READER.name, "and", BELOW_STACK.name)
ptwalk.stepper(READER, "1x1")

# %% 03-2-answer
schedule = None  # such as "1x3 0x2"
below_stack = None  # True or False
### BEGIN SOLUTION
schedule = "1x5 0x6"
below_stack = False
### END SOLUTION

# %% 03-2-check
ptwalk.check("03.2", (schedule, below_stack))

# %% [markdown] ex-03-3
"""
## 03.3 Two locks, one order

●●● hard · 18 minutes

A new actor gives empty tables back. It takes the lock of the table, sees that all entries are none, takes
the lock of the pmd, and cuts the table off. Against **retract**, which takes the same locks in the other
order (Linux 6.6 and later), it can hang for ever.

Mend it, so that it still cuts when nobody is in the way. What `k` offers:

| helper | what it does |
| --- | --- |
| `await k.lock_table()` | takes the lock inside the table; False, and no lock, if the table is gone |
| `await k.unlock_table()` | drops it |
| `await k.lock_pmd()`, `k.unlock_pmd()` | take and drop the lock of the table that the pmd lies in |
| `await k.trylock_pmd()` | takes it if it is free; gives True or False |
| `await k.all_none()` | whether the table is empty now |
| `await k.linked()` | whether the pmd leads to a table now |
| `await k.cut()` | cuts the table off and hands it to RCU |
| `k.same_lock` | True on a kernel where one lock serves all tables |

It is tried on both kinds of kernel, alone, against a page fault, against retract, and against itself. This
is the one that hangs:
"""


# %% 03-3-hangs
async def hangs(k):
    """The inner lock first, then the outer one."""
    if await k.lock_table():
        if await k.all_none():
            await k.lock_pmd()
            await k.cut()
            await k.unlock_pmd()
        await k.unlock_table()


# %% 03-3-answer
async def empty_table(k):
    """Gives an empty table back."""
    ### BEGIN SOLUTION
    if await k.lock_table():
        if await k.all_none() and (k.same_lock or await k.trylock_pmd()):
            await k.cut()
            if not k.same_lock:
                await k.unlock_pmd()
        await k.unlock_table()
    ### END SOLUTION


# %% 03-3-check
ptwalk.check("03.3", empty_table)

# %% [markdown] what-next
"""
## What you can do now

You can say of a lock what it stops, and take two of them without hanging.

Still unsafe: a walker that takes the right lock and then looks twice. [Notebook
4](../notebooks/04_walkers.ipynb) is about walkers.
"""
