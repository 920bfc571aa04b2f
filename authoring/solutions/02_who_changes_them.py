"""Source of solutions/02_who_changes_them.ipynb, and through it of exercises/02_who_changes_them.ipynb."""

# ruff: noqa: B018, E402

# %% [markdown] title
"""
# Exercises 2: who changes them

After these exercises you can say which tables a munmap gives back, and follow the bits A and D. You can put
the last part of a munmap in an order that hurts nobody. They go with [the
notebook](../notebooks/02_who_changes_them.ipynb). About 57 minutes alone.

| exercise | | minutes |
| --- | --- | --- |
| 02.1 Which tables die? | ●● needs thought | 20 |
| 02.2 The tail of munmap | ●●● hard | 25 |
| 02.3 A and D | ●● needs thought | 12 |

A check passes, or stops with one line that says what it saw. If it saw a race, the line holds its schedule,
and the stepper opens on it, three steps before the end.
"""

# %% start
import ptwalk

ptwalk.start("02")

# %% [markdown] ex-02-1
"""
## 02.1 Which tables die?

●● needs thought · 20 minutes

A program unmaps `[start, end)`. How many of its tables go? Write `tables_freed(vmas, tables, start, end)`.

- `vmas` are the ranges that are mapped now, as pairs `(start, end)`, sorted. The munmap may take a VMA
  whole, or cut it.
- `tables` are the tables that hang in the tree, as `(level, low, high)`: a level name, and the addresses
  `[low, high)` that the table covers.
- Give a number for each of three levels. The root is not asked for.

The check compares with five munmaps that were recorded in Linux 6.1, then with a captured process.
"""

# %% the-process
process = ptwalk.open_capture("x86_64-4level-6.1")
vmas = [(vma.start, vma.end) for vma in process.vmas]
tables = [(table.level, table.covers_start, table.covers_end) for table in process.tables("user")]
print(len(vmas), "VMAs and", len(tables), "tables; the third table:", tables[2])


# %% 02-1-answer
def tables_freed(vmas, tables, start, end):
    """How many tables of each level go."""
    freed = {"pte": 0, "pmd": 0, "pud": 0}
    ### BEGIN SOLUTION
    left = [(low, min(high, start)) for low, high in vmas] + [(max(low, end), high) for low, high in vmas]
    left = [(low, high) for low, high in left if low < high]
    for level, low, high in tables:
        touched = low < end and start < high
        used = any(one < high and low < other for one, other in left)
        if level in freed and touched and not used:
            freed[level] += 1
    ### END SOLUTION
    return freed


# %% 02-1-check
ptwalk.check("02.1", tables_freed)

# %% [markdown] ex-02-2
"""
## 02.2 The tail of munmap

●●● hard · 25 minutes

The VMA is detached, the lock downgraded. What is left is one page, the pte that maps it, and the table with
that pte. You have six helpers; each is awaited:

| helper | what it does |
| --- | --- |
| `k.clear_pmd()` | cuts the table off |
| `k.flush()` | empties TLBs and walk caches of every CPU that runs the program |
| `k.free_page()` | gives the page back |
| `k.free_table()` | gives the table back |
| `k.quiesce()` | waits for every reader without locks that is inside now |
| `k.zap()` | clears the pte |

Put them in an order that hurts nobody. On the other CPU runs the same program, or **GUP-fast**: a reader in
the kernel that takes no lock at all. Both on x86-64 and on arm64. Here they are in the order of the
alphabet; try it, to see what a check says.
"""


# %% 02-2-alphabet
async def alphabet(k):
    """Six helpers, and nobody has thought about them."""
    await k.clear_pmd()
    await k.flush()
    await k.free_page()
    await k.free_table()
    await k.quiesce()
    await k.zap()


# %% 02-2-answer
async def tail(k):
    """The last part of munmap."""
    ### BEGIN SOLUTION
    await k.zap()
    await k.clear_pmd()
    await k.flush()
    await k.quiesce()
    await k.free_page()
    await k.free_table()
    ### END SOLUTION


# %% 02-2-check
ptwalk.check("02.2", tail)

# %% [markdown] ex-02-3
"""
## 02.3 A and D

●● needs thought · 12 minutes

One page, two CPUs that run the program, and the kernel. At first A and D are clear, and no TLB has the
page. What are the bits after each line? Write `"--"`, `"A-"`, `"-D"` or `"AD"`.

- `mkold` clears A in the entry, `mkclean` clears D. Neither touches a TLB.
- `flush` empties the TLBs of both CPUs.

`ptwalk.problem("02.3", "new")` gives another script.
"""

# %% 02-3-problem
script = ptwalk.problem("02.3")
script

# %% 02-3-answer
marks = [None] * 12
### BEGIN SOLUTION
entry, tlb, marks = set(), {}, []
for line in script.lines:
    if line == "flush":
        tlb = {}
    elif line.startswith("mk"):
        entry.discard({"mkold": "A", "mkclean": "D"}[line])
    elif line[4] not in tlb or (line.endswith("stores") and "D" not in tlb[line[4]]):
        entry |= {"A", "D"} if line.endswith("stores") else {"A"}  # the hardware walks
        tlb[line[4]] = set(entry)
    marks.append(("A" if "A" in entry else "-") + ("D" if "D" in entry else "-"))
### END SOLUTION

# %% 02-3-check
ptwalk.check("02.3", marks)

# %% [markdown] what-next
"""
## What you can do now

You can say which tables go and which stay, and in which order a kernel takes memory away from hardware and
from readers without locks.

Still unsafe: you know the order, but not the locks that make others keep to it. [Notebook
3](../notebooks/03_locks.ipynb) is about those.
"""
