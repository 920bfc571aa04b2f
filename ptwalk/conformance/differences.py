"""The one table of differences between the simulated kernel and the recorded one that are meant, with their reasons.

Room: conformance. `docs/conformance.md` shows it, and the tests hold each run to it: a difference that is not in it
fails, and so does an entry that no recording needs. Entries speak of kinds of steps, never of places in a file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ptwalk.conformance.vocabulary import PAGE, TABLE, Spoken


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference that is meant.

    `side` is the run that has a step more: "recorded" or "simulated"; "moved" means that both have it, elsewhere, as
    often. `word` is that step as a pattern; `after` and `before` are patterns for its neighbours in the same run
    (of a moved step: in the simulated run), `within` says that it stood in a loop. `through`, for a stretch, is the
    pattern of the last word that belongs to it ("" is up to the end), and `among` of the words in it that may be
    missing. `operations` limits it to some; `foreign` says that no recording that ships needs it, but those of other
    kernels do.
    """

    name: str
    side: Literal["recorded", "simulated", "moved"]
    word: str
    reason: str
    after: str = ".*"
    before: str = ".*"
    within: bool = False
    through: str | None = None
    among: str = ".*"
    operations: str = ".*"
    foreign: bool = False

    def covers(self, side: str, said: Sequence[Spoken], place: int) -> bool:
        """Whether the step at `place` of one run is one of these, or the first of a stretch of them."""
        here = said[place]
        if (self.within and not here.loop) or not re.fullmatch(self.word, here.word):
            return False
        if self.side == "moved" and side == "recorded":
            return True
        previous = said[place - 1].word if place else ""
        following = said[place + 1].word if place + 1 < len(said) else ""
        return bool(re.fullmatch(self.after, previous) and re.fullmatch(self.before, following))

    def places(self, operation: str, side: str, said: Sequence[Spoken]) -> set[int]:
        """All steps of one run that this entry covers."""
        if self.side not in (side, "moved"):
            return set()
        if not re.fullmatch(self.operations, operation.removeprefix("smp_")):
            return set()
        found = [place for place in range(len(said)) if self.covers(side, said, place)]
        if self.through is None:
            return set(found)
        covered: set[int] = set()
        for first in found:
            for place in range(first, len(said)):
                if re.fullmatch(self.among, said[place].word):
                    covered.add(place)
                if self.through and re.fullmatch(self.through, said[place].word):
                    break
        return covered


@dataclass(frozen=True, slots=True)
class Merged:
    """Words that one simulated step says together: in the model nothing can come between them.

    `kind` is the kind of the step, `words` are patterns of what it says, in order; those with a "?" it may leave out.
    """

    kind: str
    words: tuple[str, ...]
    reason: str

    def says(self, words: Sequence[str]) -> bool:
        """Whether these are the words of such a step."""
        pattern = "".join(f"(?:{word.removesuffix('?')} ){'?' * word.endswith('?')}" for word in self.words)
        return bool(re.fullmatch(pattern, "".join(f"{word} " for word in words)))


_PTE = r"(?:B\.|dst\.)?pte\[\d+\]"
_PTL = rf"ptl\({TABLE}\)"

DIFFERENCES: tuple[Difference, ...] = (
    # ---- not the operation's ----
    Difference(
        "another task",
        "recorded",
        r"<[^>]*>.*",
        "another task did it while the operation was under way; the simulated operation runs alone",
    ),
    Difference(
        "a fault of the program's own",
        "recorded",
        r"fault:\w+",
        "a page fault elsewhere in the process, after the operation or for its buffers; no part of the operation",
        operations=r"(?!fault_|gup_).*",
    ),
    Difference(
        "the lock around that fault",
        "recorded",
        r"mmap_lock:read_(?:lock|unlock)",
        "the mmap lock of a page fault elsewhere in the process",
        after=r"fault:\w+",
        operations=r"(?!fault_).*",
    ),
    Difference(
        "later scans",
        "recorded",
        r"mmap_lock:read_lock",
        "khugepaged goes on to other ranges and comes back; what it looks at there is no part of the collapse",
        after=r"(?:mmap_lock|i_mmap_rwsem):write_unlock",
        through="",
        operations=r"collapse_\w*khugepaged",
    ),
    Difference(
        "neighbours' tables",
        "recorded",
        r"(?:pte|pmd|pud)-table:queue_free",
        "exit frees the tables of the program's text and stack too; the recording names no range for them, so they are"
        " not laid out",
        before=r"(?!pmd-table:dtor).*",
        operations=r"exit(?:_\w+)?",
    ),
    # ---- left out of the model ----
    Difference(
        "empty section",
        "recorded",
        r"mmap_lock:read_lock",
        "the lock is taken and dropped again with nothing watched in between: a VMA is looked up, or time accounted",
        before=r"mmap_lock:read_unlock",
        through=r"mmap_lock:read_unlock",
    ),
    Difference(
        "untouched ptes",
        "recorded",
        rf"{_PTL}:(?:lock|unlock)",
        "the same steps for the other ptes of the table; the model has those pages only that were watched",
        within=True,
    ),
    Difference(
        "lock break",
        "recorded",
        rf"{_PTL}:unlock",
        "zap_pte_range sees need_resched, drops the table's lock and starts over; the model is never asked to resched",
        after=rf"{_PTE}:read",
        before=r"pmd\[\d+\]:read",
        through=rf"{_PTE}:read",
        operations=r"(?:munmap|dontneed|exit|mremap)(?:_\w+)?",
    ),
    Difference(
        "userfaultfd marker",
        "recorded",
        rf"{_PTE}:read",
        "pte_install_uffd_wp_if_needed looks at the cleared pte; the model has no userfaultfd",
        after=rf"{_PTE}:clear\(xchg\)|flush:cpu\d+\(\w+\)|(?:B\.)?tlb_gen:inc",
        before=rf"{PAGE}:rmap_remove",
    ),
    Difference(
        "anon_vma_prepare",
        "recorded",
        r"page_table_lock\(anon_vma_prepare\):lock",
        "the VMAs of the model have their anon_vma from the start; without it the two loads of the pmd stand in a row",
        through=r"pmd\[\d+\]:read",
        operations=r"fault_\w+",
    ),
    Difference(
        "page cache",
        "recorded",
        r"page\[\d+\]:ref\+1",
        "collapse_file holds references while it changes the page cache, which is not modelled; the last one it drops"
        " frees the page, in the model as in the kernel",
        operations=r"collapse_tmpfs(?:_\w+)?",
    ),
    Difference(
        "nobody to flush",
        "recorded",
        r"B\.(?:flush:begin|tlb_gen:inc)",
        "no CPU runs the second process, so its flush reaches nobody; the model then has no step at all",
    ),
    Difference(
        "lazy TLB",
        "recorded",
        r"flush:cpu\d+\(local\)",
        "a kernel thread borrows the page tables of whoever ran last, here the second process's",
        after=r"B\.tlb_gen:inc",
        operations=r"collapse_\w*khugepaged",
    ),
    Difference(
        "not borrowed",
        "simulated",
        r"flush:cpu\d+\(local\)",
        "the other side of it: CPU 0 had the second process's tables loaded and not these; the model counts CPU 0 among"
        " those of the first process throughout",
        after=r"tlb_gen:inc",
        operations=r"collapse_\w*khugepaged",
    ),
    Difference(
        "breakpoint of the slow path",
        "recorded",
        r"gup:slow_path",
        "no step: the recorder's breakpoint where get_user_pages takes up what the fast path left; it was passed before"
        " the recorder could see that interrupts were on again",
        after=r"(?:pgd|p4d|pud|pmd|pte)\[\d+\]:read",
        before="irq:on",
        operations=r"gup_\w+",
    ),
    # ---- different ----
    Difference(
        "LRU batch",
        "moved",
        r"page\[\d+\]:free",
        "the last reference is that of a per-CPU LRU list and goes when the list is next drained, some steps later; the"
        " model has no LRU lists, its page goes with the last reference that the code drops",
        after=r"page\[\d+\]:ref-1",
        operations=r"collapse_(?!tmpfs)\w+",
    ),
    Difference(
        "grace period",
        "moved",
        rf"{TABLE}:free\(rcu\)",
        "RCU frees a table when its grace period ends, in whatever task runs then; the model, alone, does it at the"
        " end. Not in these recordings: a kernel that frees tables by RCU shows it",
        foreign=True,
    ),
    Difference(
        "destructor after the grace period",
        "moved",
        rf"{TABLE}:dtor",
        "pte_free_defer (6.6) leaves the destructor to the RCU callback too",
        before=rf"{TABLE}:free\(rcu\)",
        foreign=True,
    ),
    Difference(
        "one page at a time",
        "simulated",
        r"irq:on",
        "the model's walk pins one page and starts again from the top for the next; the kernel goes on in the table,"
        " interrupts off throughout",
        before=r"irq:off",
        through=r"pmd\[\d+\]:read",
        operations=r"gup_fast_\d+",
    ),
    # ---- not watched ----
    Difference(
        "PUD destructor",
        "simulated",
        r"pud-table:dtor",
        "the model runs a destructor for each table; in this kernel a PUD table has none",
        after=r"pud-table:queue_free",
    ),
    Difference(
        "allocation of upper tables",
        "simulated",
        r"(?:pud|pmd)-table:alloc",
        "__pud_alloc and __pmd_alloc were not watched; the store that follows shows that they ran",
    ),
    Difference(
        "huge mapcount",
        "simulated",
        r"hugepage:rmap_remove",
        "the mapcount of a huge page is a word that was not watched",
    ),
)

MERGED: tuple[Merged, ...] = (
    Merged(
        "gather_begin",
        (r"mmu_gather:begin(?:\(fullmm\)|)", "tlb_flush_pending:inc"),
        "tlb_gather_mmu; the counter is the one thing in it that others can see",
    ),
    Merged(
        "detach",
        ("vma:gather", "vma:detach"),
        "6.1 collects the VMAs in a side tree before it clears the range in the mm's; nobody else sees the side tree",
    ),
    Merged(
        "queue_free",
        (rf"{TABLE}:queue_free", rf"{TABLE}:dtor"),
        "pXX_free_tlb runs the destructor and puts the table in the batch; both only touch the table's own struct page",
    ),
    Merged(
        "free",
        (rf"{TABLE}:dtor", rf"{TABLE}:free\(\w+\)"),
        "pte_free: destructor and free follow one another, on a table that is cut off",
    ),
    Merged(
        "flush",
        ("flush:begin", "tlb_gen:inc", "flush:send_ipi?", r"flush:cpu\d+\(\w+\)"),
        "the flush of the first CPU stands for its beginning; each further CPU is a step of its own, which waits until"
        " that CPU takes interrupts",
    ),
)
"""Steps of the model that stand for several of the kernel's."""
