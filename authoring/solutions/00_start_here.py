"""Source of solutions/00_start_here.ipynb, and through it of exercises/00_start_here.ipynb."""

# ruff: noqa: E402

# %% [markdown] title
"""
# Exercises 0: start here

After these exercises you can break a kernel walker by choosing which CPU moves next, and read what went
wrong. They go with [the notebook](../notebooks/00_start_here.ipynb). About 13 minutes alone.

| exercise | | minutes |
| --- | --- | --- |
| 00.1 Break it by hand | ● easy | 4 |
| 00.2 Read the log | ● easy | 4 |
| 00.3 Fails or not? | ● easy | 5 |

Fill in an answer, run its cell, then run the check below it. A check either passes, or stops with one line
that says what it saw. **Run All** therefore stops at the first exercise that is still open: that is where
to go on.

Stuck? `ptwalk.hint("00.1")` has three hints. `ptwalk.solution("00.1")` shows a solution after you pass, or
when you ask twice.
"""

# %% start
import ptwalk

ptwalk.start("00")

# %% [markdown] ex-00-1
"""
## 00.1 Break it by hand

● easy · 4 minutes

Make CPU 0 touch the table after it was given back. Hand in a **schedule line**: who goes, and how many
steps. `"0x2 1x9 0x1"` means: CPU 0 takes two steps, then CPU 1 nine, then CPU 0 one more.

Play it in the stepper of the notebook first. The cell below shows what your line does.
"""

# %% 00-1-answer
line = "0x14 1x30"  # CPU 0 to its end, then CPU 1: nothing breaks
### BEGIN SOLUTION
line = "0x5:read 1x28:free 0x1:lock"  # a turn may name its last step, to be found again when code changes
### END SOLUTION

# %% 00-1-look
run = ptwalk.replay("munmap-vs-damon-v34", line)
for step in run.steps:
    print(f"{step.number:3}  CPU {step.cpu} {step.text}")
print(str(run.report or "nothing broke").splitlines()[0])

# %% 00-1-check
ptwalk.check("00.1", line)

# %% [markdown] ex-00-2
"""
## 00.2 Read the log

● easy · 4 minutes

Another race, another walker: `monitor`. Its last step uses a table that was given back. Read the log and
give four numbers.

- `unlinked`: the step in which that table was cut off;
- `freed`: the step in which it was given back;
- `broke`: the step in which CPU 0 used it;
- `age`: how many steps before `broke` CPU 0 had read where the table is.

A neighbour's numbers: `ptwalk.problem("00.2", 7)`. New ones: `ptwalk.problem("00.2", "new")`.
"""

# %% 00-2-problem
ptwalk.problem("00.2")

# %% 00-2-answer
unlinked = None
freed = None
broke = None
age = None
### BEGIN SOLUTION
log = ptwalk.problem("00.2").lines


def first(words):
    return next(number for number, line in enumerate(log, 1) if words in line)


unlinked, freed, broke = first("CPU 1 munmap: clears pmd[2]"), first("frees frame 4"), len(log)
age = broke - first("CPU 0 monitor: reads pmd[2]")
### END SOLUTION

# %% 00-2-check
ptwalk.check("00.2", dict(unlinked=unlinked, freed=freed, broke=broke, age=age))

# %% [markdown] ex-00-3
"""
## 00.3 Fails or not?

● easy · 5 minutes

DAMON's walker again, and `munmap`. The cell below shows the steps of each CPU when it runs alone, and eight
schedule lines. Which of them break a rule? Do not run them. A lock that is held by the other CPU makes you
wait.
"""

# %% 00-3-problem
ptwalk.problem("00.3")

# %% 00-3-answer
fails = [None] * 8  # True where the line breaks a rule, else False
### BEGIN SOLUTION
# In lines 0, 2, 5 and 6 CPU 0 uses the table after CPU 1's step "frees frame 4".
fails = [True, False, True, False, False, True, True, False]
### END SOLUTION

# %% 00-3-check
ptwalk.check("00.3", fails)

# %% [markdown] end
"""
## Done?

`ptwalk.progress()` shows what you have passed. Back to [the notebook](../notebooks/00_start_here.ipynb), or
on to [1. Page tables of a real process](../notebooks/01_page_tables.ipynb).
"""
