"""The rules of the review, and how they read today.

Room: sanitizers.  (a), (b), (c) are the three ways to walk page tables safely that the review of DAMON v34 named;
later kernels changed what each gives.
"""

RULE_A = (
    "(a) inside a VMA found under mmap_lock, held for reading all the time, and found again after any drop;"
    " from 6.5 the pte table itself only through pte_offset_map_lock, which may find none"
)
RULE_B = (
    "(b) ignoring VMAs only with mmap_lock held for writing; from 6.4 with the VMAs write-locked too,"
    " and from 6.6 file pte tables can vanish even then"
)
RULE_C = (
    "(c) without locks only with interrupts off throughout, on the walker's own address space, every entry read once"
    " and read again after pinning, and never writing"
)
TABLE_RULE = f"a page table may be used only {RULE_A}; {RULE_B}; {RULE_C}"
"""What keeps a table alive for a walker."""
