"""A data page that was given back while an entry still maps it.

Room: sanitizers.  Judged when all CPUs are done: then no entry of the tree may lead to a page that is gone.
"""

from __future__ import annotations

from ptwalk.trace.observation import EndOfRun, Observation
from ptwalk.trace.report import Report


class FreedMapped:
    """Reports entries that map freed pages, and trees that hold freed tables, at the end of a run."""

    name = "freed while mapped"

    def observe(self, seen: Observation) -> Report | None:
        """Nothing: only the whole tree can tell."""
        return None

    def at_end(self, end: EndOfRun) -> Report | None:
        """The report of a page or table that is gone and still in the tree, or None."""
        for frame in end.frames:
            if frame.state not in ("freed", "reused"):
                continue
            mapped = frame.number in end.mapped
            if mapped or frame.number in end.linked:
                what = "data page freed while mapped" if mapped else "page table freed while linked"
                return Report(
                    self.name,
                    what,
                    f"at the end an entry still leads to {frame.name}, which was freed",
                    "a page loses its last reference only after the last entry that maps it was cleared",
                    (
                        "a reference was dropped that the mapping needed, or an entry was put back after the "
                        "page was unmapped"
                    ),
                    -1,
                    (frame,),
                )
        return None
