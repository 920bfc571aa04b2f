"""Source of notebooks/00_start_here.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# 0. Start here: the bug in the first cell

**After this** you can break a kernel walker by choosing which CPU moves next, and read what went wrong.

About 15 minutes alone, and 13 for the exercises. You need: what a pointer is, and that you have heard of
virtual memory.

A notebook is a page of text and code. Click into a cell and press Shift and Enter together: it runs, and
the next cell comes up. Run the first one now.
"""

# %% start
import ptwalk

ptwalk.start("00")
ptwalk.stepper("munmap-vs-damon-v34", step=-1)

# %% [markdown] one-minute
"""
## One minute

This is a bug in the Linux kernel, caught in the act. It was found in review, in a patch for a part called
**DAMON**, which looks which pages of memory a program uses.

- **CPU 0** runs DAMON. It looks up one page of a program. The page is listed in a **page table**: a page of
  memory full of **entries**, numbers that say where other pages are.
- **CPU 1** runs `munmap`: the same program gives that memory back. So the table is not needed any more, and
  CPU 1 gives the table back too.

In the last step CPU 0 takes a lock that lies in the table. The table is gone since the step before.

**Predict.** Which of the two CPUs did something wrong?

<details><summary>CPU 0, DAMON</summary>
Each of its steps is right while the table is there. It even takes the lock before it reads an entry.
</details>
<details><summary>CPU 1, munmap</summary>
It gives back what nobody needs any more, as it should. It asked who else was there, and CPU 0 had not said
anything.
</details>
<details><summary>Neither alone</summary>
Yes. Run one to its end and then the other, and all is well. The order is the bug: a <b>race</b>.
</details>

"""

# %% [markdown] play-both-orders
"""
**Play.** Below is the same race from its beginning. You are the scheduler: you choose which CPU takes the
next step. First CPU 0 to its end, then CPU 1. Then start again, the other way round. Does anything break?
"""

# %% you-are-the-scheduler
ptwalk.stepper("munmap-vs-damon-v34", "0x1", challenge=True)

# %% [markdown] break-it
"""
Nothing breaks, either way. Now break it by hand. Before your first click, decide: after which step of CPU 0
will you change over to CPU 1? When does it hold something that can become wrong?

Write down what you did as a **schedule**: `0x2 1x9 0x1` means two steps of CPU 0, then nine of CPU 1, then
one of CPU 0. You hand it in as exercise 00.1. Give it six minutes at most, then read on.

## How few switches?

You can try orders until you are tired. The computer can try all of them. That is the **explorer**.

**Predict.** How often must the scheduler change over, at least, to make this bug happen?

<details><summary>Many times, with luck</summary>
That is how races feel from outside. From inside, one bad moment is enough.
</details>
<details><summary>Once</summary>
With one switch, one of the two runs to its end before the other continues. CPU 0 must hold the pointer
<i>and</i> come back.
</details>
<details><summary>Twice</summary>
Yes: away from CPU 0 when it holds the pointer, and back when the table is gone.
</details>
"""

# %% explore [shut]
found = ptwalk.explore("munmap-vs-damon-v34")
print(f"{found.outcome}: {found.report.title}")
print(f"{found.switches} switches, {found.steps} steps:")
print(*(f"{turn.cpu}x{turn.count}" for turn in found.schedule.turns))

# %% [markdown] luck
"""
That is the shortest schedule there is.

Does a race need bad luck? Compare: a thousand runs in random order, and a search that misses nothing. The
search need not try orders that cannot be told apart. What is left is called an **execution**.
"""

# %% random
tried = ptwalk.explore("munmap-vs-damon-v34", engine="pct", limit=1000, stop_at_first=False)
searched = ptwalk.explore("munmap-vs-damon-v34", stop_at_first=False)
for name, verdict in (("random", tried), ("search", searched)):
    print(f"{name}: {verdict.executions} runs, {verdict.violations} of them break a rule")

# %% [markdown] the-lock
"""
The random runs find this bug too, in a few of a hundred. Had they found nothing, you would know nothing.
The search ends, and then you know.

**Predict.** CPU 0 takes a lock before it reads the entry. Why does that not save it?

<details><summary>It takes the wrong kind of lock</summary>
It is the right lock for changing an entry. munmap takes it too, when it clears the entries.
</details>
<details><summary>CPU 1 ignores the lock</summary>
It takes it, clears the entries, and drops it. To cut the whole table off later, it does not need it.
</details>
<details><summary>The lock is in the thing that goes away</summary>
Yes. The lock lies in what the kernel keeps about the table. To find the lock, you must already trust the table.
</details>
"""

# %% [markdown] own-words
"""
Say it in one sentence of your own, between the quotes below. Notebook 5 will show it to you again. It is kept
on this machine, beside your record.
"""

# %% my-sentence
ptwalk.own_words("the_lock", "...")

# %% [markdown] real
"""
## It is really so

What follows is no simulation. A real Linux 6.1 ran `munmap`, and every step was written down.
You can go back and forth in it, but not change it.

**Predict.** Find the step in which a table is cut off: the pmd entry is cleared. Which locks are held
there?
"""

# %% recorded
from ptwalk.recordings import timeline

ptwalk.stepper(timeline("munmap_tables"))

# %% [markdown] recorded-answer
"""
<details><summary>The lock of the table</summary>
It was taken to clear the entries, and dropped long before.
</details>
<details><summary>The mmap lock, for writing</summary>
munmap began with it, then turned it into a lock for reading: a <b>downgrade</b>. From there on readers may
come in.
</details>
<details><summary>The mmap lock, for reading</summary>
Yes, and nothing else. Two readers can be inside at once. So a walker that holds it too needs one more thing;
notebook 5 says what.
</details>
"""

# %% [markdown] mended-text
"""
## Mended

This is DAMON's walker as it was merged. It takes the mmap lock first, and looks whether the address still
belongs to the program. What does the explorer say?

**Predict.** How would you have known without trying every order?

<details><summary>By reading the code carefully</summary>
The first version was read carefully too, by people who know this code well. It was the 34th version of the patch.
</details>
<details><summary>By testing it for a week</summary>
A week without a crash says that nothing crashed.
</details>
<details><summary>I would not</summary>
That is what the course is about: which rule to ask, and how to prove the answer.
</details>
"""

# %% mended [shut]
proved = ptwalk.explore("munmap-vs-damon-merged")
print(f"{proved.outcome}: all {proved.executions} executions, for {proved.interleavings:,} interleavings")

# %% [markdown] proved-why
"""
An **interleaving** is one way to mix the steps of both CPUs. Most of them differ in nothing that anybody could
see. So few executions stand for many interleavings, and a search through all of them is a proof, for this model.
"""

# %% [markdown] what-a-walk-is
"""
## What a walk is

DAMON **walked** page tables: from a table at the top down to the entry of one page. The processor does so too,
all the time. Here is a Linux machine that was stopped in the middle of its work. A program on it wrote a
line of text at address `0x4d1000`.
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
A table here has 512 entries. Each entry says where the next table is, and the last one says where the page
is. The bits of the address choose which entry to read in each table. From the top, Linux calls the four
tables **pgd**, **pud**, **pmd** and **pte**: the names that you saw in the race.

Follow the arrows in the picture: four tables, four entries, then a place in real memory.

**Play.** Below is the same picture, made to be played with. Pick a place of the program, or type an
address. Look for three things: a walk that needs fewer tables (`hugetlb`), one that ends in a fault, and
the program's stack.
"""

# %% play
from ptwalk.views.explorers import walk_explorer

walk_explorer(machine, 0x4D1000)

# %% [markdown] how
"""
## How the course works

![Map of the course: twelve notebooks, from page tables to a walker of your own](../docs/images/course-map.svg)

**Predict, play, explain.** A question comes first. Answer it for yourself before you open an answer; what a
cell shows stays folded until you run it. Then play with the cell. Then read why.

**Exercises** are in the folder `exercises`, in a notebook with the same number. Each has a check:

- `ptwalk.check("00.1", answer)` passes, or says in one line what it saw.
- `ptwalk.hint("00.1")` gives the first of three hints; ask again for the next.
- `ptwalk.solution("00.1")` shows a solution after you pass, or when you ask twice.
- `ptwalk.progress()` shows what you have done. You assess yourself, and nothing leaves this machine.
- A check that saw a race opens the stepper on it, three steps before the end. `ptwalk.stepper(*ptwalk.failed())`
  opens it again.

Do you like an editor better? In a terminal, `ptwalk watch` checks your file each time you save it, and
`ptwalk reset 00.1` begins an exercise afresh and keeps what you had.

A word that you don't know is in the [glossary](../docs/glossary.md).

Nothing here can break anything. If a cell hangs or looks odd, choose *Kernel*, then *Restart Kernel and Run
All Cells*.
"""

# %% [markdown] real-kernel
"""
## In the real kernel

- The walker: `damon_va_mkold()` of DAMON, patch series v34, posted in August 2021. It was never merged so.
- As merged: `damon_va_mkold()` in `mm/damon/vaddr.c`, 5.15.
- Where munmap frees the tables: `free_pte_range()` in `mm/memory.c`, 5.15.
- The recording: Linux 6.1.176, stable, with the fixes of that series.
- The stopped machine: Debian's kernel 6.1, in a virtual machine.

## What this leaves out

Every step is seen by all CPUs at once. Real processors may show each other their steps in another order;
their caches and guesses are left out too. Of the 512 entries of a table only those are there that matter.
"""

# %% [markdown] next
"""
## What you can do now

You can make a race happen, and read the report of a search.

Still unsafe: you have seen *that* the lock does not help, and only a hint of why. And you cannot read an
entry yet.

Exercises: [exercises/00_start_here.ipynb](../exercises/00_start_here.ipynb), about 13 minutes.
"""
