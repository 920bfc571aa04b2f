"""Source of solutions/01_page_tables.ipynb, and through it of exercises/01_page_tables.ipynb."""

# ruff: noqa: B018, E402

# %% [markdown] title
"""
# Exercises 1: page tables of a real process

After these exercises you can translate an address by hand, write a page-table walker, and tell the states
of an entry apart. They go with [the notebook](../notebooks/01_page_tables.ipynb). About 80 minutes alone;
the last one is for the brave.

| exercise | | minutes |
| --- | --- | --- |
| 01.1 By hand | ● easy | 10 |
| 01.2 translate() | ●● needs thought | 20 |
| 01.3 Seven states and more | ●● needs thought | 15 |
| 01.4 Spot the two | ●● needs thought | 10 |
| 01.5 translate_arm64(), for the brave | ●●● hard | 25 |

Fill in an answer, run its cell, then run the check below it. A check either passes, or stops with one line
that says what it saw. **Run All** therefore stops at the first exercise that is still open: that is where
to go on.

Stuck? `ptwalk.hint("01.1")` has three hints. `ptwalk.solution("01.1")` shows a solution after you pass, or
when you ask twice.
"""

# %% start
import ptwalk

ptwalk.start("01")

# %% [markdown] the-machine
"""
This is the machine of the notebook: a Linux 6.1 process, stopped. `read(pa)` gives the 64-bit word at a
physical address. If the capture does not hold that address, `read` raises `MissingMemory`.
"""

# %% open-capture
machine = ptwalk.open_capture("x86_64-4level-6.1")
root, read = machine.root, machine.memory.read_u64
print(f"root table at {root:#x}, its entry 255 is {read(root + 8 * 255):#x}")

# %% [markdown] ex-01-1
"""
## 01.1 By hand

● easy · 10 minutes

Translate two addresses with nothing but `read()`, shifts and masks. One lies in a 4 KiB page, one in a huge
page.

Write one row a level, from the top: the index, the address of the entry, the entry. Then the physical
address of the byte.

Want other numbers? `ptwalk.problem("01.1", "new")`. The same numbers as your neighbour?
`ptwalk.problem("01.1", 7)`.
"""

# %% 01-1-problem
two = ptwalk.problem("01.1")
two

# %% 01-1-answer
small_rows = None  # a list of rows: (index, address of the entry, entry)
small_physical = None
huge_rows = None
huge_physical = None
### BEGIN SOLUTION
ADDRESS = 0x000F_FFFF_FFFF_F000


def rows_by_hand(va, shifts):
    table, rows = root, []
    for shift in shifts:
        index = (va >> shift) & 511
        entry = read(table + 8 * index)
        rows.append((index, table + 8 * index, entry))
        table = entry & ADDRESS
    return rows


small_rows = rows_by_hand(two.small, [39, 30, 21, 12])
small_physical = (small_rows[-1][2] & ADDRESS) + (two.small & 0xFFF)
huge_rows = rows_by_hand(two.huge, [39, 30, 21])  # the pmd entry has bit 7 set: stop there
huge_physical = (huge_rows[-1][2] & 0x000F_FFFF_FFE0_0000) + (two.huge & 0x1F_FFFF)
### END SOLUTION

# %% 01-1-check
ptwalk.check("01.1", [(small_rows, small_physical), (huge_rows, huge_physical)])

# %% [markdown] ex-01-2
"""
## 01.2 translate()

●● needs thought · 20 minutes

Now let a function do it. `translate(read, root, va)` gives the physical address, or `None` where the
hardware finds no page.

- You are the hardware here, not Linux: bit 0 decides.
- A CPU looks at the address first: bits 63 to 47 must be all equal. If they are not, give `None`.
- If `read()` raises `MissingMemory`, let it. What is not in the capture is unknown, and that is not the
  same as unmapped.

The check runs it over two processes of the captured machine, thousands of addresses, and over a few tables
made by hand.
"""


# %% 01-2-answer
def translate(read, root, va):
    """The physical address of `va`, or None."""
    ### BEGIN SOLUTION
    if va >> 47 not in (0, 0x1FFFF):
        return None
    table = root
    for shift in (39, 30, 21, 12):
        entry = read(table + 8 * (va >> shift & 511))
        if not entry & 1:
            return None
        if shift == 12 or (shift < 39 and entry & 1 << 7):
            break
        table = entry & 0x000F_FFFF_FFFF_F000
    offset = (1 << shift) - 1
    return (entry & 0x000F_FFFF_FFFF_FFFF & ~offset) | (va & offset)
    ### END SOLUTION


# %% 01-2-check
ptwalk.check("01.2", translate)

# %% [markdown] ex-01-3
"""
## 01.3 Seven states and more

●● needs thought · 15 minutes

Now you are Linux. `state(word, level, types)` says what Linux calls a word: one of the names in `STATES`.

- `level` is `"pgd"`, `"pud"`, `"pmd"` or `"pte"`.
- `types` is a dict of the swap types that are special in one kernel release, such as `{23: "migration", 31:
  "marker"}`. It differs from release to release; a type that is not in it is an ordinary swap area's.
- Two small prints: the CPU may set bits 5 and 6 in an entry that is otherwise empty, and Linux looks past
  them. While Linux splits a huge page, it clears bit 0 of the pmd entry and leaves bit 7 set.
"""

# %% 01-3-answer
STATES = ["none", "table", "leaf", "prot-none", "split", "swap", "migration", "marker", "hwpoison", "device"]


def state(word, level, types):
    """What Linux calls `word` at `level`."""
    ### BEGIN SOLUTION
    if not word & ~0x60:
        return "none"
    if word & 1:
        return "leaf" if level == "pte" or word & 1 << 7 else "table"
    if word & 1 << 8:
        return "prot-none"
    if level == "pmd" and word & 1 << 7:
        return "split"
    return types.get(word >> 59, "swap")
    ### END SOLUTION


# %% 01-3-check
ptwalk.check("01.3", state)

# %% [markdown] ex-01-4
"""
## 01.4 Spot the two

●● needs thought · 10 minutes

Six last-level entries of the process. The hardware maps four of them. One is a page with PROT_NONE: Linux
keeps its frame. One was swapped out: Linux keeps its place in the swap area.

Which are they, and what do they say? `frame` is a frame number, not an address. `type` and `offset` are
those of the swap entry.
"""

# %% 01-4-problem
six = ptwalk.problem("01.4")
six

# %% 01-4-answer
answer = {"prot_none": None, "frame": None, "swapped": None, "type": None, "offset": None}
### BEGIN SOLUTION
hidden = next(at for at, word in enumerate(six.words) if not word & 1 and word & 1 << 8)
swapped = next(at for at, word in enumerate(six.words) if not word & 1 and not word & 1 << 8)
answer = {
    "prot_none": hidden,
    "frame": (~six.words[hidden] & 0x000F_FFFF_FFFF_F000) >> 12,
    "swapped": swapped,
    "type": six.words[swapped] >> 59,
    "offset": (~six.words[swapped] >> 9) & (2**50 - 1),
}
### END SOLUTION

# %% 01-4-check
ptwalk.check("01.4", answer)

# %% [markdown] ex-01-5
"""
## 01.5 translate_arm64(), for the brave

●●● hard · 25 minutes

The other captured machine is arm64: pages of 4 KiB, 48-bit addresses, four levels with the shifts you know.
Write its walk.

- Two registers hold root tables. Bits 55 to 48 of the address all clear: `ttbr0`, the user half. All set:
  `ttbr1`, the kernel half. Otherwise give `None`.
- You get the registers as the processor holds them. Bits 63 to 48 are an address-space number (ASID), bit 0
  is the flag CnP.
- Bits 1:0 of a descriptor are its type. `11`: a table; at the last level a page. `01`: a block (a huge
  page), at pud and pmd only. All else is invalid.
- Bits 47:12 are address. Ignore the access flag (bit 10): answer where the descriptor points.
"""


# %% 01-5-answer
def translate_arm64(read, ttbr0, ttbr1, va):
    """The physical address of `va`, or None."""
    ### BEGIN SOLUTION
    half = va >> 48 & 0xFF
    if half not in (0, 0xFF):
        return None
    table = (ttbr1 if half else ttbr0) & 0x0000_FFFF_FFFF_FFFE
    for shift in (39, 30, 21, 12):
        entry = read(table + 8 * (va >> shift & 511))
        kind = entry & 3
        if kind == 3 and shift > 12:
            table = entry & 0x0000_FFFF_FFFF_F000
            continue
        if kind == (3 if shift == 12 else 1) and shift < 39:
            offset = (1 << shift) - 1
            return (entry & 0x0000_FFFF_FFFF_F000 & ~offset) | (va & offset)
        return None
    ### END SOLUTION


# %% 01-5-check
ptwalk.check("01.5", translate_arm64)

# %% [markdown] what-next
"""
## What you can do now

You can follow any address through the tables of a Linux process, on two architectures, and say what an
entry means to the hardware and to Linux.

Still unsafe: all this was a machine that stood still. On a running one, other CPUs change the tables while
you walk.

What you have done so far: `ptwalk.progress()`. It is your own record; nothing leaves this machine.
"""
