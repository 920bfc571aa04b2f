"""Source of solutions/07_race_gup_fast.ipynb, and through it of exercises/07_race_gup_fast.ipynb."""

# ruff: noqa: B018, E402

# %% [markdown] title
"""
# Exercises 7: walking without any lock

After these exercises you can write a walker without locks, say what each way of freeing waits for, and
review a proposal that trusts in interrupts off. They go with [the
notebook](../notebooks/07_race_gup_fast.ipynb). About 65 minutes alone.

| exercise | | minutes |
| --- | --- | --- |
| 07.1 Write gup_one | ●●● hard | 30 |
| 07.2 Who waits for whom | ●● needs thought | 15 |
| 07.3 A monitor without locks | ●●● hard | 20 |

A check passes, or stops with one line that says what it saw. If it saw a race, the line holds its schedule,
and the stepper opens on it, three steps before the end. `ptwalk.hint("07.1")` has three hints.
"""

# %% start
import ptwalk

ptwalk.start("07")

# %% [markdown] ex-07-1
"""
## 07.1 Write gup_one

●●● hard · 30 minutes

`gup_one(mm, addr)` gives the page at `addr` of your own process, pinned, if the program may read it; else
`None`. It takes no lock. Whoever called it will use the page, and drop the pin.

- `mm_find_pmd(mm, addr)` walks down to the pmd, or gives `None`.
- `await pmd.read()` loads the entry once; `is_table(entry)`, `leaf(entry)`, `entry.user`, `entry.address`.
- `offset_lockless(pmd, entry, addr)` is the pte pointer in the table that this value names.
- `page = mm.machine.frame_at(entry.address)` is the page that an entry names. `await GetPageUnlessZero(page)`
  pins it and says if it could; `await PutPage(page)` drops a pin.
- `flags = await local_irq_save(mm.machine)` and `await local_irq_restore(mm.machine, flags)` for interrupts.

It is tried against eight changers on six kernels. (A file collapse of 5.15.0 on arm64 is left out: nobody
is right there.)
"""

# %% 07-1-names
from ptwalk.kernel.pgtable import is_table, leaf, mm_find_pmd, offset_lockless
from ptwalk.machine.folio import GetPageUnlessZero, PutPage
from ptwalk.machine.processor import local_irq_restore, local_irq_save


# %% 07-1-helpers
async def load(mm, addr):
    """One load per level: pmd, its value, pte, its value; None where the program may not read."""
    pmd = await mm_find_pmd(mm, addr)
    pmdval = await pmd.read() if pmd is not None else None
    if pmdval is None or not is_table(pmdval):
        return None
    pte = offset_lockless(pmd, pmdval, addr)
    pteval = await pte.read()
    if not leaf(pteval) or not pteval.user or pteval.address is None:
        return None
    return pmd, pmdval, pte, pteval


# %% 07-1-answer
async def gup_one(mm, addr):
    """The pinned page, or None."""
    ### BEGIN SOLUTION
    flags = await local_irq_save(mm.machine)
    page, found = None, await load(mm, addr)
    if found is not None:
        pmd, pmdval, pte, pteval = found
        page = mm.machine.frame_at(pteval.address)
        if not await GetPageUnlessZero(page):
            page = None
        elif (await pmd.read()).raw != pmdval.raw or (await pte.read()).raw != pteval.raw:
            await PutPage(page)
            page = None
    await local_irq_restore(mm.machine, flags)
    return page
    ### END SOLUTION


# %% 07-1-check
ptwalk.check("07.1", gup_one)

# %% [markdown] ex-07-2
"""
## 07.2 Who waits for whom

●● needs thought · 15 minutes

munmap frees a page table in one of four ways. You walk in it, in your own process, holding one of four
things. The kernel is preemptible. Does the table stay **memory** for as long as you walk? Write `True` or
`False` in each of the sixteen cells.

| a row | how the table is freed |
| --- | --- |
| `at once` | at once after a broadcast flush |
| `IPI` | after a flush by IPI |
| `RCU` | by RCU |
| `no memory` | by RCU's fallback when there is no memory for its list (up to 6.13: an IPI) |

| a column | what you hold |
| --- | --- |
| `nothing` | nothing |
| `rcu` | an RCU section |
| `spinlock` | a spinlock that munmap does not want |
| `irq off` | interrupts are off |
"""

# %% 07-2-answer
stays = {
    "at once": {"nothing": None, "rcu": None, "spinlock": None, "irq off": None},
    "IPI": {"nothing": None, "rcu": None, "spinlock": None, "irq off": None},
    "RCU": {"nothing": None, "rcu": None, "spinlock": None, "irq off": None},
    "no memory": {"nothing": None, "rcu": None, "spinlock": None, "irq off": None},
}
### BEGIN SOLUTION
for_ipi, for_rcu = {"irq off"}, {"rcu", "spinlock", "irq off"}  # who holds up an IPI, and a grace period
waits = {"at once": set(), "IPI": for_ipi, "RCU": for_rcu, "no memory": for_ipi}
stays = {free: {hold: hold in waits[free] for hold in stays[free]} for free in stays}
### END SOLUTION

# %% 07-2-check
ptwalk.check("07.2", stays)

# %% [markdown] ex-07-3
"""
## 07.3 A monitor without locks

●●● hard · 20 minutes

A proposal reaches you: *"We put interrupts off around DAMON v34. Then we need no lock, by the third rule."*

Review it on two kernels, both x86-64: `ipi` frees tables after the flush IPI, `rcu` frees them by RCU. For
each, hand in a scenario and a schedule in which it breaks a rule, or `"none"`. There are two scenarios:
`munmap-vs-irqs-off-monitor` and `collapse-anon-vs-irqs-off-monitor`. The axis `table_free` chooses the
kernel: `"batch"` or `"rcu"`.
"""

# %% 07-3-play
game = ptwalk.stepper("munmap-vs-irqs-off-monitor", "0x1", table_free="batch", challenge=True)
game

# %% 07-3-answer
review = {"ipi": None, "rcu": None}  # "SCENARIO SCHEDULE", or "none"
### BEGIN SOLUTION
review = {
    "ipi": "munmap-vs-irqs-off-monitor 0x6:read 1x28:free 0x1:lock",
    "rcu": "collapse-anon-vs-irqs-off-monitor 0x11:read 1x18:xchg 0x1:write",
}
### END SOLUTION

# %% 07-3-check
ptwalk.check("07.3", review)
