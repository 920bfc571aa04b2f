"""Trace: what a whole address space looked like, as frozen values: its mapped ranges and its tables.

Whoever enumerates an address space (a capture, the simulated machine) returns these; whoever draws or
prints one takes these. Knows `arch` for rights alone; never where the values came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ptwalk.arch import Rights

MAPPED = "mapped"
"""Kind of a range whose pages the tables map."""

ALIAS = "alias"
"""Kind of a range that repeats pages listed elsewhere: its entries reach a table that was already walked."""


@dataclass(frozen=True, slots=True)
class MappedRange:
    """One run of virtual addresses mapped alike: equal rights, equal page size, frames in a row.

    `start` is the first address and `end` the first one past the run. `physical` is the frame of `start`,
    and frames follow each other. `page_size` is in bytes. `rights` are those of all levels together.
    `kind` is MAPPED, or ALIAS for a range reached through a table that was enumerated before: such a
    range is listed once as a whole, `physical` is then the table it shares and `page_size` is 0.
    """

    start: int
    end: int
    physical: int
    page_size: int
    rights: Rights
    kind: str = MAPPED

    @property
    def size(self) -> int:
        """The length of the run in bytes."""
        return self.end - self.start

    @property
    def pages(self) -> int:
        """How many pages (or huge pages) the run holds; 0 for an alias."""
        return self.size // self.page_size if self.page_size else 0


@dataclass(frozen=True, slots=True)
class TableNode:
    """One table page of an address space, once, however many entries lead to it.

    `address` is the table's physical address; `level` the name of the level it serves (as `Level.name`);
    `depth` 0 for the root. `parents` counts the entries that point to it, over all tables (the root: 0, or
    more when a root maps itself). `entries_used` counts entries that are not none. `covers_start` and
    `covers_end` (exclusive) are the addresses it translates the first time it is reached, lowest first.
    """

    address: int
    level: str
    depth: int
    parents: int
    entries_used: int
    covers_start: int
    covers_end: int

    @property
    def shared(self) -> bool:
        """Whether more than one entry leads to this table."""
        return self.parents > 1
