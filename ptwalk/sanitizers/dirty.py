"""A lost dirty bit: the page was written, and nobody knows.

Room: sanitizers.  Invariant: D never goes from 1 to 0 without having been handed to the folio.  Hardware sets A and D
at any time and takes no lock, so a load followed by a plain store can wipe a bit that was set in between.
"""

from __future__ import annotations

from ptwalk.arch import EntryState
from ptwalk.trace.observation import EndOfRun, Observation
from ptwalk.trace.report import Report, report_on

RULE = (
    "change a live entry by one atomic step: the page-table lock keeps other software out, never the hardware"
)


class LostDirty:
    """Reports a plain store that wipes D, and pages that were written and are dirty nowhere at the end."""

    name = "dirty"

    def observe(self, seen: Observation) -> Report | None:
        """The report of a store that wipes a dirty bit, or None."""
        if seen.kind != "write" or seen.frame is None or seen.frame.state != "table":
            return None
        before, after = seen.entry_before, seen.entry_after
        if before is None or after is None or before.state is not EntryState.LEAF or not before.dirty:
            return None
        if after.state is not EntryState.LEAF or after.dirty or after.address != before.address:
            return None
        return report_on(
            seen,
            self.name,
            "lost dirty bit",
            f"CPU{seen.cpu} {seen.text} with a plain store: D was 1 in the entry and is 0 now, and no folio was told",
            rule=RULE,
            cause="hardware set D between the load and the store of this read-modify-write",
        )

    def at_end(self, end: EndOfRun) -> Report | None:
        """The report of a written page that is dirty nowhere, or None."""
        for page in end.pages:
            if (
                page.frame.state == "page"
                and page.written
                and not page.dirty
                and page.frame.number not in end.dirty_mapped
            ):
                return Report(
                    self.name,
                    "lost dirty bit",
                    (
                        f"a user program wrote to the page in {page.frame.name}, and neither an entry nor the "
                        "folio is dirty"
                    ),
                    RULE,
                    "the entry was taken away by a plain store, or its dirty bit was not handed to the folio",
                    -1,
                    (page.frame,),
                )
        return None
