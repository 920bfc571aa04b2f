"""DAMON's walkers against everybody who removes or moves page tables.

Room: scenarios.
"""

from __future__ import annotations

from ptwalk.sanitizers import ALL
from ptwalk.scenarios.changers import CHANGERS
from ptwalk.scenarios.pair import pair
from ptwalk.scenarios.scenario import Never, Sometimes
from ptwalk.walk import damon

# v34 loads the pmd three times, so an even shorter schedule follows an empty pmd to physical page 0.  The review was
# about the table that is gone, so this scenario watches for that; the other one is munmap-vs-damon-v34-page-zero.
without_wild = tuple(oracle for oracle in ALL if oracle.name != "wild")

_V34 = "DAMON v34 patch 05/13, LKML, August 2021"

MONITOR = (
    pair(
        "munmap-vs-damon-v34",
        damon.damon_va_mkold_v34,
        CHANGERS["munmap"],
        story="DAMON v34 clears an accessed bit with only the page-table lock, while munmap frees the table the lock is in",
        expect=Sometimes("lifetime", 2),
        oracles=without_wild,
        source=_V34,
    ),
    pair(
        "munmap-vs-damon-merged",
        damon.damon_va_mkold,
        CHANGERS["munmap"],
        story="DAMON as merged walks inside a VMA with mmap_lock held for reading, while munmap frees",
        expect=Never(),
        source="mm/damon/vaddr.c, 5.15 (3f49584b262c)",
    ),
)
