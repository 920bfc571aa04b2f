"""The rules of the review, and how they read today.

Room: sanitizers.  (a), (b), (c) are the three ways to walk page tables safely that the review of DAMON v34 named
in 2021; later kernels changed what each gives.  A report names the one that the walker seems to have relied on.

*Source*: the review of DAMON v34 patch 05/13 (LKML, 2021); Documentation/mm/process_addrs.rst (6.13 and later).
"""

from __future__ import annotations

from typing import NamedTuple

from ptwalk.trace.observation import Observation


class Rule(NamedTuple):
    """One way to walk safely: its letter, the rule of 2021, and what newer kernels make of it."""

    letter: str
    then: str
    now: str

    def __str__(self) -> str:
        return f"({self.letter}) {self.then};\n      today: {self.now}"


RULE_A = Rule(
    "a",
    "inside a VMA, with mmap_lock held for reading from the lookup of the VMA to the last use of its tables;"
    " look the VMA up again after any drop",
    "a VMA lock (6.4) or an rmap lock will do as well; but from 6.6 a file's pte table, and from 6.14 any emptied one,"
    " may vanish all the same: reach ptes through pte_offset_map_lock, which may give NULL",
)
RULE_B = Rule(
    "b",
    "without regard to VMAs only with mmap_lock held for writing",
    (
        "write-lock the VMAs too (faults run under VMA locks from 6.4 on); and from 6.6 a file's "
        "pte table may vanish even then"
    ),
)
RULE_C = Rule(
    "c",
    "without locks only with interrupts off throughout, where the architecture supports it, and never writing",
    "only the CPU's own address space; load each entry once, pin the page, then read pmd and pte again (6.1)",
)
RMAP_RULE = (
    "under a reverse-map lock the VMA's tables stay, because whoever frees them must take that lock for writing first;"
    "\n      today: from 6.6 a file's pte table may go under that lock held for reading:"
    " compare the pmd again under the page-table lock"
)
NO_RULE = (
    f"page tables may be walked only\n      (a) {RULE_A.then};\n      (b) {RULE_B.then};\n      (c) {RULE_C.then};"
    f"\n      today: for (a), {RULE_A.now}"
)
_RMAP = ("i_mmap_rwsem", "anon_vma")


def broken_rule(seen: Observation) -> str:
    """The rule that the CPU of this step broke, judged by what it holds."""
    if seen.irqs_on is False:
        return str(RULE_C)
    held = {(lock.lock_class, lock.mode) for lock in seen.held}
    if ("mmap_lock", "write") in held:
        return str(RULE_B)
    if any(lock_class in ("mmap_lock", "vma_lock") for lock_class, _ in held):
        return str(RULE_A)
    if any(lock_class in _RMAP for lock_class, _ in held):
        return RMAP_RULE
    return NO_RULE
