"""Source of notebooks/00_start_here.ipynb.

The part `one-minute` is the place for the race of the storyboard, once a notebook can play one.
"""

# ruff: noqa: E402

# %% [markdown] title
"""
# 0. Start here

**After this** you have followed a real program's address through its page tables, and you know how the
course works.

About 15 minutes alone. You need: what a pointer is, and that you have heard of virtual memory.

A notebook is a page of text and code. Click into a cell and press Shift and Enter together: it runs, and
the next cell comes up.
"""

# %% start
import ptwalk

ptwalk.start("00")

# %% [markdown] one-minute
"""
## One minute

This is a Linux machine. It was stopped in the middle of its work, and its page tables were written down. A
program on it wrote a line of text into its memory, at address `0x4d1000`. Here is that line, read out of
the stopped machine.
"""

# %% the-line
machine = ptwalk.open_capture("x86_64-4level-6.1")
print(machine.read(0x4D1000, 36).decode())

# %% [markdown] predict-reads
"""
`0x4d1000` is the program's own name for that place. The memory chips know nothing of it. Something had to
find out where the bytes really are.

**Predict.** The program reads one byte, and nothing is cached. How many reads of memory does the processor
do? Choose one:

<details><summary>One</summary>
One read fetches the byte. But where is it? The processor must find that out first, and the answer is in
memory too.
</details>
<details><summary>Two</summary>
One table, then the byte: that would do for a small machine. A table for 2<sup>48</sup> addresses in one
piece would take 512 GiB.
</details>
<details><summary>Five</summary>
Yes: four tables, then the byte. The next cell shows them.
</details>
"""

# %% walk [shut]
machine.walk(0x4D1000)

# %% [markdown] what-you-see
"""
That was a **walk**. A **page table** is a page of memory with 512 numbers in it, its **entries**. Each
entry says where the next table is. The last one says where the page is. The bits of the address choose
which entry to read in each table.

Follow the arrows in the picture: four tables, four entries, then a place in real memory.

**Play.** Below is the same picture, made to be played with. Pick a place of the program, or type an
address. Look for three things: a walk that needs fewer tables (`hugetlb`), one that ends in a fault, and
the program's stack.
"""

# %% play
from ptwalk.views.explorers import walk_explorer

walk_explorer(machine, 0x4D1000)

# %% [markdown] why
"""
## Why this is worth a course

The processor walks such tables all the time, and asks nobody. The Linux kernel walks them too: to find a
page, to see whether it was used, to move it. Meanwhile other processors change the same tables, and even
free them.

So a walk in the kernel is safe only while something keeps the tables alive. What that something is has been
got wrong many times, by people who knew the code well. This course is about getting it right. It begins
with reading the tables.
"""

# %% [markdown] how
"""
## How it works

**Predict, play, explain.** A question comes first. Answer it for yourself before you open an answer; what a
cell shows stays folded until you run it. Then play with the cell. Then read why.

**Exercises** are in the folder `exercises`, in a notebook with the same number. Each has a check:

- `ptwalk.check("01.1", answer)` passes, or says in one line what it saw.
- `ptwalk.hint("01.1")` gives the first of three hints; ask again for the next.
- `ptwalk.solution("01.1")` shows a solution after you pass, or when you ask twice.
- `ptwalk.progress()` shows what you have done. You assess yourself, and nothing leaves this machine.

Nothing here can break anything. If a cell hangs or looks odd, choose *Kernel*, then *Restart Kernel and Run
All Cells*.
"""

# %% [markdown] real-kernel
"""
## In the real kernel

The program you looked at is an ordinary Linux process: kernel 6.1 of Debian, in a virtual machine. Beside
the tables, the kernel's own account of the same moment was kept (`/proc/PID/maps` and `/proc/PID/pagemap`).
The course checks every answer against it.

## What this leaves out

The machine stands still. A processor also keeps recent answers in a cache, the TLB, so that it need not
walk each time. Here every walk goes all the way.
"""

# %% [markdown] next
"""
## What next

You can now read a picture of a walk. You do not yet know what the bits of an entry mean.

Next: [1. Page tables of a real process](01_page_tables.ipynb).
"""
