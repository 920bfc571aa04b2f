"""A store into a page table that is no part of the tree: the update is lost, or lands in somebody else's table.

Room: sanitizers.  Invariant: no software stores into an unlinked, deposited or not yet linked table, except the CPU
that took it off the tree.
"""

from __future__ import annotations

from ptwalk.sanitizers.rules import broken_rule
from ptwalk.trace.observation import Observation
from ptwalk.trace.report import Report, describe_frame, report_on

_CAUSES = {
    "unlinked": "the table was cut off after the entry above it was read, and was not compared again under the lock",
    "deposited": "the table was parked for a later split after the entry above it was read: what is stored there comes"
    " back with the split",
    "private": "the table is not in the tree yet, or not any more; only the CPU that has it in hand may fill it",
}


class Detached:
    """Reports software stores into tables that hang nowhere."""

    name = "detached"

    def observe(self, seen: Observation) -> Report | None:
        """The report of such a store, or None."""
        frame = seen.frame
        if frame is None or not seen.stores or frame.state != "table" or frame.link not in _CAUSES:
            return None
        if frame.owner == seen.cpu:
            return None
        where = {"unlinked": "an UNLINKED", "deposited": "a DEPOSITED", "private": "a not yet linked"}[
            frame.link
        ]
        return report_on(
            seen,
            self.name,
            f"store into {where} page table",
            f"CPU{seen.cpu} {seen.text}, which is {describe_frame(frame)}",
            rule=broken_rule(seen),
            cause=_CAUSES[frame.link],
        )
