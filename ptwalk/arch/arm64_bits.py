"""The bits of an arm64 stage-1 descriptor, by name, and the geometry of each granule.

Room `arch`: knows integers only.

*Source*: arch/arm64/include/asm/pgtable-hwdef.h, pgtable-prot.h and pgtable.h, 5.15, 6.19 and 7.1; for releases
between, the patches named below; APTable and NSTable from the architecture manual.
"""

from __future__ import annotations

from ptwalk.arch.release import Release

VALID = 1 << 0
TABLE = 1 << 1  # together with VALID: a table, or a page at level 3
USER = 1 << 6  # AP[1]: user mode has access
RDONLY = 1 << 7  # AP[2]
SHARED = 3 << 8  # SH: inner shareable; address bits with LPA2
AF = 1 << 10  # access flag
NG = 1 << 11  # not global; PRESENT_INVALID when VALID is clear, from MOVED
GP = 1 << 50  # guarded page (BTI)
DBM = WRITE = 1 << 51  # dirty-bit management; Linux calls it PTE_WRITE
CONT = 1 << 52  # contiguous run
PXN = 1 << 53
UXN = 1 << 54
DIRTY = 1 << 55  # software
SPECIAL = 1 << 56  # software
DEVMAP = 1 << 57  # software, until DEVMAP_UNTIL
OLD_PROT_NONE = 1 << 58  # software, until MOVED
UFFD_WP = 1 << 58  # software, from MOVED
OLD_PMD_PRESENT_INVALID = 1 << 59  # software, until MOVED
PRESENT_INVALID = NG  # from MOVED

PXN_TABLE = 1 << 59
UXN_TABLE = 1 << 60
AP_TABLE_NO_USER = 1 << 61  # APTable[0]
AP_TABLE_NO_WRITE = 1 << 62  # APTable[1]

# The exclusive bit of swap entries (bit 2) and the type's move to bits 7:3 came with the exclusive migration type
# in 5.19; 5.15 was read without, the 6.1 capture shows it.
SWP_EXCLUSIVE_FROM = Release(5, 19)
# "arm64 updates for 6.10": PROT_NONE lost its own bit, PRESENT_INVALID moved over nG, swap types moved to bits
# 10:6 and offsets to 61:12, and userfaultfd write-protection came.  Read in 6.19.
MOVED = Release(6, 10)
# DEVMAP was removed between 6.14 and 6.19; at which release is not settled here: 6.19 is the first read without.
DEVMAP_UNTIL = Release(6, 19)
# Commit 143937ca51cc, in 6.18-rc3: pte_mkwrite leaves a clean page read-only to the hardware.
MKWRITE_STAYS_CLEAN_FROM = Release(6, 18)

# Entries of a contiguous run, by page shift and hardware level.  Levels 3 and 2: ARM64_CONT_PTE_SHIFT and
# ARM64_CONT_PMD_SHIFT in arch/arm64/Kconfig, 7.1.  Linux makes none at level 1.
CONTIGUOUS = {(12, 3): 16, (12, 2): 16, (14, 3): 128, (14, 2): 32, (16, 3): 32, (16, 2): 32}
