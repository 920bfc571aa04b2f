"""Source of notebooks/07_race_gup_fast.ipynb."""

# ruff: noqa: B018, E402

# %% [markdown] title
"""
# 7. A race: walking without any lock

**After this** you can write a walker without locks, and say for each of its lines which way of freeing or
which change it is there for.

About 45 minutes alone, and 65 for the exercises. You need: [notebook 5](05_race_munmap.ipynb) and [notebook
6](06_race_collapse.ipynb).
"""

# %% start
import ptwalk

ptwalk.start("07")

# %% [markdown] hook
"""
## The rule is obeyed

The third rule of the review: you may walk without locks if **interrupts are off** all the time, you write
nothing, *and the architecture supports it*.

Below, a walker obeys it on arm64 with Linux 5.15.0. Interrupts are off from its first step. It writes
nothing. And the table is freed under it.

**Play.** Step it to the end. What does CPU 1 wait for before it frees?
"""

# %% hook-play
race = ptwalk.stepper("retract-vs-gup")
race

# %% [markdown] hook-question
"""
So what must an architecture support? By part 4 you'll be able to say it.

## 1. What the kernel does

The walker is **GUP-fast** ("get user pages, fast"). Somebody wants to write into a program's page from
outside, a disk for example. GUP-fast finds the page and **pins** it: takes a reference that says "I use
this page". It is called so often that it must not wait for any lock.

Here it is in a real Linux 6.1.176, for one page:
"""

# %% gup-recorded
from ptwalk.recordings import load

for number, word in enumerate(load("gup_fast").words, 1):
    print(number, word)

# %% [markdown] useless-reads
"""
`ref 1->2` is the pin.

**Predict.** Two of these reads look useless. Which?

<details><summary>pgd and pud</summary>
Without them it would not find the pmd.
</details>
<details><summary>The second pmd and the second pte</summary>
Yes. It reads both again after the pin, and only looks if they are still the same. Part 5 says why.
</details>
"""

# %% [markdown] useless-reads-2
"""
A huge page needs only one look back, at the entry that maps it:
"""

# %% gup-thp
for number, word in enumerate(load("gup_fast_thp").words, 1):
    print(number, word)

# %% [markdown] irq
"""
## 2. Who waits for interrupts?

On x86 a flush works by **IPI**: the CPU that flushes sends an interrupt to the other CPUs that run this
process, and waits until each has answered. A CPU with interrupts off answers later.

**Predict.** CPU 0 walks with interrupts off. CPU 1 calls munmap for the same page. How far does CPU 1 get?

<details><summary>It does not begin</summary>
CPU 0 holds no lock. munmap does not notice it at first.
</details>
<details><summary>To the flush</summary>
Yes. Zap and cut are done. Then it waits for an answer, before anything is freed.
</details>
<details><summary>To the end</summary>
It would, if the flush waited for nobody.
</details>
"""

# %% irq-how-far [shut]
run = ptwalk.replay("munmap-vs-gup", "0x4 1x99")
for step in run.steps[-4:]:
    print(f"{step.number}  CPU {step.cpu} {step.text}")

# %% [markdown] irq-recorded
"""
In the recording of munmap on two processors, look for `flush:cpu1(ipi)`. It stands before every page and
every table that is freed. (To queue is not to free.)
"""

# %% irq-smp
words = load("smp_munmap_tables").words
for number, word in enumerate(words, 1):
    if "flush" in word or ":clear" in word or "free" in word:
        print(f"{number:2}  {word}")

# %% [markdown] rcu
"""
## 3. And if nobody sends an interrupt?

arm64 flushes by **broadcast**: one instruction tells all CPUs, and none has to answer. So the flush waits
for nobody. There, tables are freed by RCU: after a **grace period**. It can't end while a CPU has
interrupts off.

**Predict.** Which of these three are safe for a walker with interrupts off?

1. flush by IPI, tables freed after it (x86);
2. flush by broadcast, tables freed by RCU (arm64);
3. flush by broadcast, tables freed right after it.

<details><summary>All: interrupts are off</summary>
"Off" stops nobody. It only makes those wait who wait for you.
</details>
<details><summary>1 and 2</summary>
Yes. In the third, nobody waits: not for an answer, not for a grace period.
</details>
<details><summary>Only 1</summary>
RCU counts a CPU with interrupts off as a reader.
</details>
"""

# %% rcu-verdicts [shut]
for name in ("munmap-vs-gup", "munmap-vs-gup-broadcast", "munmap-vs-irqs-off-batch"):
    verdict = ptwalk.explore(name)
    print(f"{name:26} {verdict.outcome:5} {verdict.title}")

# %% [markdown] who-waits
"""
That is why Linux 6.15, when it brought broadcast flushes to x86, made RCU freeing unconditional there
(a37259732a7d): the one forced the other.

**The question is always: what does the freer wait for, and does that thing wait for me?** In exercise 07.2
you fill in the whole table.

## 4. What the architecture must support

Each way to free a table must wait for a CPU with interrupts off: by an interrupt that it has to answer, or
by a grace period. The file collapse of 5.15.0 did neither for itself. It flushed and freed. On x86 the
flush happened to be an interrupt.
"""

# %% hook-answered
for name in ("retract-vs-gup", "retract-vs-gup-x86", "retract-vs-gup-synced"):
    verdict = ptwalk.explore(name)
    print(f"{name:22} {verdict.outcome:5} {verdict.title}")

# %% [markdown] sync
"""
The third line is 5.15.85, on arm64: after the cut, an empty interrupt goes to *every* CPU
(`tlb_remove_table_sync_one`). It does nothing but wait for walkers like ours (2ba99c5e0881). In the recording
of a collapse on two processors you see both interrupts: one for the flush, one for the walkers.
"""

# %% two-ipis
for number, word in enumerate(load("smp_collapse_madv").words, 1):
    if "ipi" in word or "pmd[0]:clear" in word:
        print(f"{number:2}  {word}")

# %% [markdown] consistency
"""
## 5. Memory is not truth

So the table stays memory while you read it. That is its **lifetime**. But interrupts off don't stop anybody
from changing it. The entry you just read may be old: that is **consistency**.

**Predict.** You read the pte, and the page in it. Then you pin the page. Is it still the program's page?

<details><summary>Yes: the table was not freed</summary>
The table was not. The page may have been given to somebody else between your read and your pin.
</details>
<details><summary>Only if nothing changed since you read</summary>
Yes. So look again after the pin.
</details>
"""

# %% [markdown] consistency-2
"""
**Predict.** Which order is right: pin first and then look again, or look again and then pin?

<details><summary>Look, then pin</summary>
Then there is a gap between your look and your pin.
</details>
<details><summary>Pin, then look</summary>
Yes. A remover first clears the entry, and then looks for pins. You pin first, and then look at the entry.
So one of you two sees the other.
</details>
"""

# %% pin-order [shut]
for name in ("dontneed-vs-gup-pin-last", "dontneed-vs-gup"):
    verdict = ptwalk.explore(name)
    print(f"{name:25} {verdict.outcome:5} {verdict.title}")

# %% [markdown] pin-last-text
"""
A **stale result** is one that was not true any more when it was used.

**Play.** Here is the wrong order. In which step does the page become somebody else's?
"""

# %% pin-last-play
race = ptwalk.stepper("dontneed-vs-gup-pin-last")
race

# %% [markdown] pte-only
"""
## 6. Why look at the pmd as well?

Linux 5.15.0 looked again at the pte only. Now remember the collapse of notebook 6: it cuts the table at the
**pmd**, and the ptes in it stay as they are for a while.

**Predict.** Is a second look at the pte enough?

<details><summary>Yes: the pte names the page</summary>
The pte is unchanged, in a table that no walk leads to any more.
</details>
<details><summary>Not on arm64</summary>
Yes. Your page is being copied into the huge one. What you write to it, nobody will read.
</details>
"""

# %% pte-only-verdicts [shut]
for name in ("collapse-anon-vs-gup-pte-only", "collapse-anon-vs-gup-pte-only-x86", "collapse-anon-vs-gup"):
    verdict = ptwalk.explore(name)
    print(f"{name:35} {verdict.outcome:5} {verdict.title}")

# %% [markdown] luck
"""
**Predict.** On x86 the same short look is right. Why?

<details><summary>x86 is stricter with memory</summary>
Not here: the model gives both the same order of steps.
</details>
<details><summary>The flush waits for the walker</summary>
Yes. khugepaged flushes before it looks for pins. On x86 the flush waits until the walker is through, and
then its pin is there to be seen. That is luck, if nobody wrote it down.
</details>
"""

# %% [markdown] luck-2
"""
The empty interrupt of part 4 has the same effect. Take 5.15.0 on arm64, with the short look, and add only
that interrupt:
"""

# %% sync-alone
print(ptwalk.explore("collapse-anon-vs-gup-pte-only", collapse_sync=True).outcome)

# %% [markdown] sync-alone-said
"""
In the model either of the two repairs is enough against this one changer. Linux has both, for they were
found as two bugs: the one about the page (70cbc3cc78a9), the other about the table (2ba99c5e0881).

## 7. Never write

The rule also says: write nothing. Here somebody has put `local_irq_save` around DAMON v34. Tables are freed
by RCU, so the memory stays.

**Predict.** What goes wrong against khugepaged?

<details><summary>Nothing, the memory stays</summary>
It stays. But the store lands in a table that was cut off.
</details>
<details><summary>A lost update</summary>
Yes. Without a lock, you can't know whether the table is still in its place when you write.
</details>
"""

# %% never-write [shut]
verdict = ptwalk.explore("collapse-anon-vs-irqs-off-monitor")
print(verdict.outcome, "with", verdict.switches, "switches:", verdict.title)

# %% [markdown] foreign
"""
## 8. Your own process only

The same monitor, on x86 with flushes by IPI. It walks the tables of *another* process.

**Predict.** Does munmap's interrupt come to the monitor's CPU?

<details><summary>Yes, to all CPUs</summary>
That would cost everybody an interrupt for each munmap anywhere.
</details>
<details><summary>No</summary>
Yes: it goes to CPUs that run that process. The monitor's does not, so nobody waits for it.
</details>
"""

# %% foreign-verdict [shut]
verdict = ptwalk.explore("munmap-vs-irqs-off-monitor")
print(verdict.outcome, "with", verdict.switches, "switches:", verdict.title)

# %% [markdown] foreign-why
"""
(This is reasoned from `arch/x86/mm/tlb.c`; no document says it in these words. The model agrees.)

So the third rule in full: interrupts off throughout, **your own process**, nothing written, on a kernel where
every way of freeing waits for you; pin first, and then look again at all that led you there.
"""

# %% [markdown] real-kernel
"""
## In the real kernel

- `mm/gup.c`: `lockless_pages_from_mm()` in 5.15, `gup_fast()` in 6.19. The second look at the pmd:
  70cbc3cc78a9 (6.1; in 5.15.85).
- `mm/mmu_gather.c`: `tlb_remove_table_sync_one()`; used by the collapses since 2ba99c5e0881.
- `arch/x86/mm/tlb.c`: who gets the interrupt. RCU freeing always on x86: a37259732a7d (6.15).
- Where RCU has no memory for its list, the fallback was an IPI: up to 6.13, and later on kernels that don't
  reclaim empty tables. 7.1 calls `synchronize_rcu()`.

## What this leaves out

Memory barriers: here the pin is a step that everybody sees at once; in the kernel it has to be a full
barrier. Splitting of folios, rules for long-term pins, and 32-bit machines, where an entry is two words.
"""

# %% [markdown] next
"""
## Exercises

They are in [exercises/07_race_gup_fast.ipynb](../exercises/07_race_gup_fast.ipynb): write GUP-fast for one
page, fill in who waits for whom, and review a monitor without locks.

## What next

**You can now** ask two questions of a walker without locks: is it memory, and is it true? **Still unsafe:**
walkers that drop their lock in the middle and go on. **Next:** the small print of the rules.
"""
