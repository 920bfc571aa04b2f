"""Source of notebooks/01_page_tables.ipynb."""

# ruff: noqa: B018, E402

# %% [markdown] title
"""
# 1. Page tables of a real process

**After this** you can translate an address of a Linux process by hand, and tell the states of an entry
apart.

About 35 minutes alone, and 80 for the exercises. You need: hexadecimal numbers, shifts and masks; [notebook
0](00_start_here.ipynb).
"""

# %% start
import ptwalk

ptwalk.start("01")

# %% [markdown] hook
"""
## Two truths about one page

Here is a process of a stopped Linux machine. It has a page at `0x7fc0ee114000`. We ask two witnesses about
it. The first is Linux: its file `/proc/PID/pagemap` says which pages a process has. The second is the
hardware, which walks the tables. (A **frame** is a page of real memory.)
"""

# %% two-truths
machine = ptwalk.open_capture("x86_64-4level-6.1")
va = 0x7FC0EE114000

pagemap = next(run for run in machine.truth["pages"] if run["va"] == hex(va))
print("Linux says: present is", pagemap["present"], "and the frame is", pagemap["pfn"])
print("The hardware says:", machine.walk(va).fault.reason)

# %% [markdown] two-truths-why
"""
Both are right. By part 4 you will be able to read the entry that makes both say so.

## 1. The address space

A process sees one long row of addresses. Only some of them mean anything. Linux keeps a list of those
ranges; each is a **VMA**, a virtual memory area. The program that was captured made many on purpose. Some
of them:
"""

# %% vmas
chosen = {"lowest", "heap", "straddle-2^39", "thp", "swap-private", "stripes", "none-touched", "top-2^47"}
for vma in machine.vmas:
    if chosen & set(vma.labels):
        chosen -= set(vma.labels)
        print(f"{vma.start:14x} - {vma.end:12x}  {vma.prot}  {vma.labels[0]}")

# %% [markdown] predict-tables
"""
**Predict.** This process has 266,699 pages present, 4 KiB each by Linux's count. A table is one page with
512 entries. How many tables map them all?

<details><summary>About 40</summary>
Yes: 36, and the root. How so few can do it, the picture shows: look for the largest page.
</details>
<details><summary>About 500</summary>
266,699 divided by 512 is 521. That would be right if every page had an entry of its own, and all lay side
by side.
</details>
<details><summary>About 5,000</summary>
That would be a table for every 53 pages. Memory in use comes in clumps, so most tables are fuller.
</details>
"""

# %% space [shut]
from IPython.display import HTML

from ptwalk.views import space

ranges, tables = machine.mapped_ranges("user"), machine.tables("user")
HTML(space.html(machine.format, ranges, tables, name="Process P"))

# %% [markdown] explain-space
"""
The picture has every table once, beginning with the **root**. A table covers a row of addresses, and only
rows that are in use have tables. One single entry maps 1 GiB: that is 262,144 of the 266,699 pages.

## 2. An address by hand

A table has 512 entries, so nine bits of the address choose one. Four levels take 36 bits. The last 12
choose a byte in the page of 4 KiB. That makes 48.

Linux names the levels, from the top: **pgd**, **pud**, **pmd**, **pte**. (A fifth one, p4d, comes in part
8.)

**Predict.** Address `0x7fc0edb53000`. Which four indices? Work it out on paper; the pte index is easiest,
it begins at bit 12.
"""

# %% indices [shut]
va = 0x7FC0EDB53000
for name, shift in (("pgd", 39), ("pud", 30), ("pmd", 21), ("pte", 12)):
    print(name, "index", (va >> shift) & 511)
print("offset", hex(va & 0xFFF))

# %% [markdown] first-entry
"""
Now the walk itself. An entry is eight bytes. So entry number `i` of a table lies at the table's address
plus `8 * i`.

The processor's register CR3 says where the root is. From there:
"""

# %% by-hand-1
read = machine.memory.read_u64

pgd_entry = read(machine.root + 8 * 255)
print(hex(pgd_entry))

# %% [markdown] mask
"""
The entry is one number with several things in it. Its low 12 bits are flags, and so are the bits from 52
up. Between them is the address of the next table. A **mask** keeps only those bits.
"""

# %% by-hand-2
ADDRESS = 0x000F_FFFF_FFFF_F000

pud_entry = read((pgd_entry & ADDRESS) + 8 * 259)
pmd_entry = read((pud_entry & ADDRESS) + 8 * 365)
pte_entry = read((pmd_entry & ADDRESS) + 8 * 339)
print(hex(pud_entry), hex(pmd_entry), hex(pte_entry))

# %% [markdown] predict-frame
"""
**Predict.** The last entry is `0x8000000142921867`. A frame's number is its address without the last 12
bits. What is the frame?

<details><summary>0x8000000142921</summary>
Bit 63 is not address. On this machine it means: no code may run from here.
</details>
<details><summary>0x142921867</summary>
The last three digits are flags. Twelve bits are three hexadecimal digits.
</details>
<details><summary>0x142921</summary>
Yes. Mask, then shift; don't subtract.
</details>
"""

# %% walk [shut]
machine.walk(0x7FC0EDB53000)

# %% [markdown] your-turn
"""
That is the same walk, done by the library. The letters are the flags that are set:

| flag | bit | it says |
| --- | --- | --- |
| P | 0 | present |
| W | 1 | may be written |
| U | 2 | the program may use it, not only the kernel |
| A | 5 | accessed: the hardware has used this entry |
| D | 6 | dirty: the hardware has written to this page |
| NX | 63 | no code may run from here |

**Play.** Pick a place of the process below, or type an address of your own. Move an index up and down:
which part of the address changes?
"""

# %% play-walk
from ptwalk.views.explorers import entry_explorer, walk_explorer

walk_explorer(machine, 0x7FC0EDB53000)

# %% [markdown] huge-pages
"""
## 3. Huge pages

A walk may end early. If bit 7 of a pmd entry is set, that entry maps a page of 2 MiB itself, and there is
no table below. In a pud entry, bit 7 makes a page of 1 GiB. The bit is called **PS**, page size. An entry
that maps memory is a **leaf**.
"""

# %% huge
machine.walk(0x7FC0EDC12345)

# %% [markdown] predict-offset
"""
**Predict.** How many bits of the address are offset in this page of 2 MiB?

<details><summary>12</summary>
Twelve bits reach 4 KiB. The rest of this page would have no address.
</details>
<details><summary>21</summary>
Yes: 12 bits, and the nine that no table used up.
</details>
<details><summary>30</summary>
That is for 1 GiB. Try 0x7fc080000000 in the cell above.
</details>
"""

# %% [markdown] pat-trap
"""
One trap: at the *last* level bit 7 is not PS. A pte entry is always a leaf, and there bit 7 is PAT, which
chooses a kind of caching. Code that asks for bit 7 must know its level.

## 4. Entries of every kind

Bit 0 says **present**. If it is clear, the hardware stops and raises a fault; it looks at no other bit. So
the other 63 bits are free, and Linux uses them. This page was swapped out to disk:
"""

# %% swapped
swapped = machine.walk(0x7FC0EDB74000).levels[-1].entry
swapped

# %% [markdown] explain-swap
"""
A **swap entry** says where on the disk the page is. Type 0 is the first swap area. The offset counts pages
in it: 512. You see another number in the bits, because Linux stores the offset with every bit flipped.

Why flipped? Some processors guess ahead and use the address bits of an entry that is not present. Flipped,
a small number becomes an address far above all memory, where there is nothing to be guessed. (The flaw is
known as L1TF.)

Now the page of the beginning:
"""

# %% prot-none
hidden = machine.walk(0x7FC0EE114000).levels[-1].entry
hidden

# %% [markdown] explain-prot-none
"""
The program made this page **PROT_NONE**: nobody may touch it, but its content must stay. So Linux clears
bit 0, and the hardware faults. It sets bit 8, as a note to itself: the page is here. And it keeps the
frame, flipped.

That is why there were two truths. **Present** has two meanings: the hardware's (bit 0), and Linux's (bit 0
or bit 8).

**Predict.** Does this code find the page? `if (entry & 1)` … and `if (entry)`?

<details><summary>Both find it</summary>
The first asks bit 0 only, and bit 0 is clear.
</details>
<details><summary>Only if (entry)</summary>
Yes. But that one also takes a swap entry for a page, and reads a place on the disk as if it were memory.
</details>
<details><summary>Neither</summary>
The entry is not zero, so the second one does.
</details>
"""

# %% [markdown] before-count
"""
How often does each state occur in this process? The lower 256 entries of the root are the program's half of
the addresses.
"""

# %% count-states
from collections import Counter

kinds = Counter()
for table in machine.tables("user"):
    for i in range(256 if table.depth == 0 else 512):
        word = read(table.address + 8 * i)
        if word:
            kinds[table.level, str(machine.format.decode(word, table.level).state)] += 1
for (level, state), count in kinds.items():
    print(f"{count:5} {level} {state}")

# %% [markdown] states
"""
Those are all the entries of the process that are not empty. Linux knows more states than this process
shows:

| state | bit 0 | what it says |
| --- | --- | --- |
| none | 0 | nothing here |
| table | 1 | the next table is there |
| leaf | 1 | this page is there |
| PROT_NONE | 0 | the page is there, but nobody may touch it |
| split | 0 | a huge page, just being split; bit 7 is still set |
| swap | 0 | the page is on the disk, there |
| migration | 0 | the page is being moved: wait |
| marker | 0 | no page; a note that Linux left for itself |

**Play.** Flip bits of the PROT_NONE entry. What does the hardware say, what does Linux? First clear bit 8.
Then set it again, and set bit 0.
"""

# %% flip
entry_explorer(hidden)

# %% [markdown] rights
"""
## 5. Rights, all levels together

Every entry on the way has rights bits: R/W (may write), U/S (the user may), NX (no code may run). The
strictest wins. If one level forbids it, it is forbidden.

This process has two roots. While it runs, the processor uses one that knows almost nothing of the kernel.
When it enters the kernel, the processor changes to another. (That is page-table isolation, a defence
against Meltdown.) Below is the program's own code, seen from both. `u r-x` means: the user may read and run
it, not write.

**Predict.** Same frame? And may code run from there in both views?

<details><summary>Same frame, both may run it</summary>
The frame is the same. For the rights look at the very first entry of the second walk: NX.
</details>
<details><summary>Same frame, only the process's own view may run it</summary>
Yes. One bit at the top of the kernel's view forbids it for all that is below.
</details>
<details><summary>Different frames</summary>
A second root costs one page. A second copy of all memory would cost all memory.
</details>
"""

# %% two-roots [shut]
print(machine.walk(0x401000))
print(machine.kernel.walk(0x401000))
machine.kernel.walk(0x401000)

# %% [markdown] explain-rights
"""
The same frame, and three of the four tables are the very same. But the root of the kernel's view has NX set
in its entry. So in the kernel's view no code of the program may run, whatever the levels below say.

## 6. After fork

The process P has a child, Q, made by `fork()`. Fork copies the tables, not the pages. Here is one page of
each:
"""

# %% fork
child = ptwalk.open_capture("x86_64-4level-6.1", process=2)
for va in (0xF871000, 0x7FC0EE9B0000):
    for name, process in (("P", machine), ("Q", child)):
        last = process.walk(va).levels[-1].entry
        print(f"{va:#x} in {name}: {last.raw:#x}  {last.marks}")

# %% [markdown] explain-fork
"""
Look at the first page. Both have the same frame, and neither has W: whoever writes first gets a copy
(**copy-on-write**). P has used it since: A is set in P only.

The second page was written by P after the fork. P has a frame of its own now, with W.

So an entry's rights are not the VMA's rights. The VMA says `rw`. The entry says: not yet, ask me first.

**Predict.** By its VMAs, P may write to nearly all of its memory. To how many of its 266,699 pages can it write
at this moment, without a fault?

<details><summary>To nearly all</summary>
So the VMAs say. But P has a child.
</details>
<details><summary>To about half</summary>
Fork does not share the pages out. It takes W away in both.
</details>
<details><summary>To fewer than a thousand</summary>
Yes: to those that it has to itself again since the fork, and to those that it shares on purpose.
</details>
"""

# %% writable-now [shut]
allowed = sum(vma.end - vma.start for vma in machine.vmas if "w" in vma.prot) // 4096
now = sum(one.size // 4096 for one in machine.mapped_ranges("user") if one.rights.user_write)
print(f"{allowed:,} pages by the VMAs, {now:,} by the entries")

# %% [markdown] one-kernel
"""
**Predict.** Seen from the kernel's root, 107 tables below it serve the kernel's half of the addresses. How
many of them are P's alone?

<details><summary>All</summary>
Then Linux would have to write each change of its own memory into the tables of every process.
</details>
<details><summary>About half</summary>
There is one kernel, and it looks the same from every process.
</details>
<details><summary>None</summary>
Yes. Only the root is each process's own; its upper half points to tables that all share.
</details>
"""

# %% shared-tables [shut]
for half in ("user", "kernel"):
    mine = {table.address for table in machine.kernel.tables(half)}
    its = {table.address for table in child.kernel.tables(half)}
    print(f"{half} half: {len(mine & its)} tables in both P and Q")
for table in machine.kernel.tables("kernel"):
    if table.shared:
        print(f"{table.level} table {table.address:#x}: {table.parents} entries lead to it")

# %% [markdown] not-a-tree
"""
So page tables are not a tree. A table can have many parents; a root can even point to itself. Who wants to
visit every table must remember where they have been.

## 7. The same on arm64

Here is the other captured machine: the same program, an arm64 processor, Linux 6.1.
"""

# %% arm-walk
arm = ptwalk.open_capture("aarch64-4k-48bit-6.1")
arm.walk(0xFFFF88070000)

# %% [markdown] explain-arm
"""
The shape is the same: four levels, nine bits each. What differs:

- **Two roots at once.** Register TTBR0 is for user addresses, TTBR1 for the kernel's. x86-64 has one
  register, and one root holds both halves.
- **Type in two bits.** Bits 1:0 are `11` for a table, `01` for a huge page (a *block*); at the last level
  `11` is a page.
- **Rights the other way round.** Not "may write" but "read-only" (AP), and two no-execute bits: one for the
  user, one for the kernel.
- **The accessed bit is AF.** Where it is clear, this processor faults, so that Linux can note the use
  itself.

**Predict.** This page is part of 64 KiB that belong together. How many entries is that?

<details><summary>One</summary>
No level has an entry for 64 KiB: with pages of 4 KiB the sizes are 4 KiB, 2 MiB and 1 GiB.
</details>
<details><summary>Sixteen</summary>
Yes, sixteen entries that say of themselves that they belong together.
</details>
"""

# %% contiguous [shut]
table = arm.walk(0xFFFF88070000).levels[-1].table
for i in (111, 112, 113, 127, 128):
    word = arm.format.decode(arm.memory.read_u64(table + 8 * i), "pte")
    print(i, f"{word.raw:#018x}", word.state, "contiguous" if word.contiguous else "")

# %% [markdown] explain-contiguous
"""
Sixteen, from 112 to 127; at 128 the next sixteen begin. Each is a whole entry with its own frame, and bit
52 is set in all: **contiguous**. It tells the processor that it may keep all sixteen as one in its cache.

## 8. Five levels, and fewer

With five levels an x86-64 address has 57 bits. The new level is between pgd and pud: **p4d**. Where the
hardware has four levels, Linux still says p4d; it is **folded**, a level in name only, without a table of
its own.
"""

# %% five
for name in ("x86-64-4level", "x86-64-5level", "arm64-16k-47", "arm64-64k-42"):
    form = ptwalk.format_named(name)
    bits = [f"{level.name} {level.bits}" for level in form.levels]
    print(f"{name}: {', '.join(bits)}, offset {form.page_shift}; folded: {', '.join(form.folded) or 'none'}")

# %% [markdown] explain-five
"""
The numbers are bits of the address. A bigger page makes bigger tables, so fewer levels do. arm64 with pages
of 64 KiB has 8,192 entries in a table.

**Play.** The same 64 bits mean other things in other formats. Choose an architecture, a page size and a
level.
"""

# %% play-formats
entry_explorer(0x00F8_0000_4222_0F43, format="arm64-4k-48")

# %% [markdown] filled
"""
## 9. Who fills them?

Linux does, one table at a time, when a program first touches an address. Here is a recording of a real
Linux 6.1: one write to an area that has no tables yet.

**Predict.** Three tables are missing. Which one does Linux make first: the one nearest to the page, or the
one nearest to the root?

<details><summary>The one nearest to the page</summary>
It would hang nowhere: a table is found through the entry above it.
</details>
<details><summary>The one nearest to the root</summary>
Yes. Step along: a pud table, then a pmd table, then a pte table, and the page's own entry last.
</details>
"""

# %% play-filled
from ptwalk.recordings import timeline

ptwalk.stepper(timeline("fault_all_levels"))

# %% [markdown] boxes
"""
## In the real kernel

- What counts as present: `pte_present()`, `pmd_present()`, `pte_none()` in
  `arch/x86/include/asm/pgtable.h`, read in 5.15 and 6.19.
- The layout of a swap entry: `arch/x86/include/asm/pgtable_64.h`, 5.15 and 6.19.
- Why the frame of a PROT_NONE page is flipped: `protnone_mask()` in
  `arch/x86/include/asm/pgtable-invert.h`, 5.15.
- The bits of arm64: `arch/arm64/include/asm/pgtable-hwdef.h`, 6.19. In this release some of Linux's own
  bits are elsewhere than in 6.1.

## What this leaves out

Encrypted memory, checks of protection keys, tables of a virtual machine under those of its guest. And the
processor's caches: a change in a table is not seen at once by everybody.
"""

# %% [markdown] exercises
"""
## Exercises

Open [exercises/01_page_tables.ipynb](../exercises/01_page_tables.ipynb). You walk by hand, write
`translate()`, sort entries into states, and spot the two odd ones out of six. About 80 minutes; the last
one is for the brave.

## What you can do now

You can follow an address to its frame, and say what an entry means to the hardware and to Linux.

Still unsafe: all this only works because the machine stands still. On a running one, another processor may
free a table while you read it.
"""
