"""One level of the page tables: which bits of the address index it and how much one entry covers.

Room `arch`: knows integers only.
"""

from __future__ import annotations

from dataclasses import dataclass

# The five levels of Linux, top first (Documentation/mm/process_addrs.rst, 6.19).
LINUX_LEVELS = ("pgd", "p4d", "pud", "pmd", "pte")


@dataclass(frozen=True)
class Level:
    """A level is one step of a walk: some bits of the address choose one entry of one table.

    `name` is the name Linux gives it when absent levels are folded away: the first is always "pgd", the last
    always "pte".  `hardware` is the manual's name ("PML4E", "level 2").  `shift` is the lowest address bit
    of the index, `bits` its width; `depth` counts from 0 at the top.  `leaf_allowed` tells whether the
    hardware accepts an entry here that maps memory.  `linux` is the level whose entry functions Linux uses
    on such a leaf: a pgd that holds a 1 GiB block because pud is folded into it is a pud to Linux.
    """

    name: str
    hardware: str
    shift: int
    bits: int
    depth: int
    leaf_allowed: bool
    linux: str
    contiguous: int = 0

    @property
    def entries(self) -> int:
        """How many entries a table of this level has."""
        return 1 << self.bits

    @property
    def size(self) -> int:
        """How many bytes of address space one entry covers."""
        return 1 << self.shift

    @property
    def table_bytes(self) -> int:
        """How many bytes of entries a table of this level holds (the top one may be smaller than a page)."""
        return 8 << self.bits

    @property
    def run_size(self) -> int | None:
        """Bytes that a run of entries with the contiguous bit maps together, or None where there are no runs."""
        return self.contiguous << self.shift if self.contiguous else None

    def index(self, va: int) -> int:
        """The index that a virtual address has in a table of this level."""
        return (va >> self.shift) & ((1 << self.bits) - 1)

    def __str__(self) -> str:
        return self.name
