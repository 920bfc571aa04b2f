"""A pointer into nowhere: what was followed as a table entry was none.

Room: sanitizers.  An empty entry names physical page 0 when it is followed; foreign data names anything.
"""

from __future__ import annotations

from ptwalk.sanitizers.rules import broken_rule
from ptwalk.trace.observation import Observation
from ptwalk.trace.report import Report, report_on


class Wild:
    """Reports every touch of an address where this machine has no RAM, reached through a page-table entry."""

    name = "wild"

    def __init__(self, *, page_zero: bool = True) -> None:
        self.page_zero = page_zero  # whether an empty entry that was followed counts

    def observe(self, seen: Observation) -> Report | None:
        """The report of a wild pointer in use, or None."""
        frame = seen.frame
        if frame is None or frame.state != "wild" or not (frame.pa or self.page_zero):
            return None
        if not frame.pa:
            happened = (
                f"CPU{seen.cpu} {seen.text}: it followed an empty entry, and an empty entry names physical "
                "page 0"
            )
            cause = "the entry above was cleared between two loads of it: one was tested, the other followed"
        else:
            happened = f"CPU{seen.cpu} {seen.text}: no RAM of this machine is there"
            cause = "foreign data, or an entry that is no table entry, was taken for a pointer to a table"
        return report_on(
            seen, self.name, "wild page-table pointer", happened, rule=broken_rule(seen), cause=cause
        )
