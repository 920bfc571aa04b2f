"""Memory that nobody can find any more.

Room: sanitizers.  Judged when all CPUs are done: each table hangs in a tree, is deposited, or waits for RCU; each page
that is not mapped has no references left but those its holders still drop; a freed page counts no mapping.
"""

from __future__ import annotations

from ptwalk.trace.observation import EndOfRun, Observation
from ptwalk.trace.report import Report

# State and generation of a page that was freed from its first life: nothing may be counted any more.
COUNTED = (("freed", 2),)


class Leak:
    """Reports tables that hang nowhere and page references that nobody will drop, at the end of a run."""

    name = "leak"

    def observe(self, seen: Observation) -> Report | None:
        """Nothing: only the end can tell."""
        return None

    def at_end(self, end: EndOfRun) -> Report | None:
        """The report of a leaked table or page reference, or None."""
        kept = end.linked | end.waiting | end.roots | end.deposited
        for frame in end.frames:
            if frame.state == "table" and frame.number not in kept:
                return Report(
                    self.name,
                    "leaked page table",
                    f"at the end {frame.name} is a table that hangs in no tree and waits for no free",
                    "a table taken off the tree is freed, deposited or put back",
                    "an early return, or the loser of a race, forgot its table",
                    -1,
                    (frame,),
                )
        for page in end.pages:
            # The page cache keeps a reference of its own on a file's page; a page handed out again is another's.
            expected = page.entries + (page.frame.kind == "file")
            if page.frame.state == "page" and page.frame.generation == 1 and page.refs > expected:
                return Report(
                    self.name,
                    "leaked page reference",
                    (
                        f"at the end the page in {page.frame.name} has {page.refs} references, and {expected} "
                        "can be accounted for"
                    ),
                    "who takes a reference drops it, also when the second look fails",
                    (
                        "a failed re-check or an early return kept its reference, or the page was returned and "
                        "nobody drops it"
                    ),
                    -1,
                    (page.frame,),
                )
            # A page that was freed and handed out again is counted by its new owner.
            if (page.frame.state, page.frame.generation) in COUNTED and page.mapcount != page.entries:
                return Report(
                    self.name,
                    "mapping count is wrong",
                    (
                        f"at the end the page in {page.frame.name} counts {page.mapcount} mappings, and {page.entries} "
                        "entries map it"
                    ),
                    "each entry that maps a page is counted when it is set, and struck off when it is cleared",
                    "an entry was cleared without page_remove_rmap, or set without page_add_rmap",
                    -1,
                    (page.frame,),
                )
        return None
