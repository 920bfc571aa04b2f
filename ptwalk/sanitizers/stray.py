"""A mapping at an address that no VMA covers.

Room: sanitizers.  Judged when all CPUs are done: whoever installs an entry must still have a VMA there to install it
for.
"""

from __future__ import annotations

from ptwalk.trace.observation import EndOfRun, Observation
from ptwalk.trace.report import Report


class Stray:
    """Reports leaf entries outside of every VMA, at the end of a run."""

    name = "stray"

    def observe(self, seen: Observation) -> Report | None:
        """Nothing: only the whole tree can tell."""
        return None

    def at_end(self, end: EndOfRun) -> Report | None:
        """The report of a mapping that no VMA covers, or None."""
        if not end.strays:
            return None
        return Report(
            self.name,
            "mapping outside of every VMA",
            f"at the end {end.strays[0]:#x} is mapped, and no VMA of its address space covers it",
            "a VMA found before mmap_lock was dropped is looked up again after it is taken back",
            "the VMA was unmapped, or cut, while the lock was dropped, and was believed all the same",
            -1,
        )
