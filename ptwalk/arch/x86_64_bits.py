"""The bits of an x86-64 entry, by name.

Room `arch`: knows integers only.

*Source*: arch/x86/include/asm/pgtable_types.h, 5.15, 6.12 and 6.19.
"""

from __future__ import annotations

from ptwalk.arch.release import Release

P = 1 << 0  # present
RW = 1 << 1  # writable; soft-dirty in a swap entry
US = 1 << 2  # user; uffd-wp in a swap entry
PWT = 1 << 3  # cache; "exclusive" in a swap entry
PCD = 1 << 4  # cache
A = 1 << 5  # accessed
D = 1 << 6  # dirty
PS = PAT = 1 << 7  # page size; PAT in a last-level entry
G = 1 << 8  # global; _PAGE_PROTNONE when P is clear
SPECIAL = 1 << 9  # SOFTW1
UFFD_WP = 1 << 10  # SOFTW2
SOFT_DIRTY = 1 << 11  # SOFTW3
PAT_LARGE = 1 << 12  # PAT in a huge leaf
SAVED_DIRTY = 1 << 58  # SOFTW5, from SAVED_DIRTY_FROM
NX = 1 << 63  # no execute

ADDRESS = (1 << 52) - (1 << 12)  # PTE_PFN_MASK with 52 physical bits
ERRATUM = A | D  # _PAGE_KNL_ERRATUM_MASK: these may appear by themselves in an empty entry

# Shadow stacks came in 6.6, and with them SAVED_DIRTY; DEVMAP, until then at bit 58, moved to 57 to make room.
# The trees read are 5.15 (bit 58 DEVMAP) and 6.12 (both at their new places).
SAVED_DIRTY_FROM = Release(6, 6)
# DEVMAP was removed between 6.14 and 6.19; at which release is not settled here: 6.19 is the first read without.
DEVMAP_UNTIL = Release(6, 19)
# A mark of root entries that page-table isolation must not copy; 6.19 is the first tree read with it.
NOPTISHADOW_FROM = Release(6, 19)
# The exclusive mark of swap entries came with the exclusive migration type in 5.19; absent in 5.15.
SWP_EXCLUSIVE_FROM = Release(5, 19)
