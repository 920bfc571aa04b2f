"""A store into memory that belongs to somebody else by now, with what it did to the data.

Room: sanitizers.  `Lifetime` reports the first touch of a freed table, which is often a read.  This one lets reads
pass and shows the damage: the word of the new owner before and after.
"""

from __future__ import annotations

from ptwalk.sanitizers.rules import broken_rule
from ptwalk.trace.observation import Observation
from ptwalk.trace.report import Report, report_on

_FOREIGN = ("reused", "wild")


class Corruption:
    """Reports stores that change another owner's data."""

    name = "corruption"

    def observe(self, seen: Observation) -> Report | None:
        """The report of a changed word, or None."""
        frame = seen.frame
        if (
            frame is None
            or not seen.stores
            or frame.state not in _FOREIGN
            or seen.old is None
            or seen.new is None
        ):
            return None
        if seen.old == seen.new:
            return None
        flipped = [str(bit) for bit in range(64) if (seen.old ^ seen.new) >> bit & 1]
        bits = f"bit {flipped[0]}" if len(flipped) == 1 else f"bits {', '.join(flipped)}"
        return report_on(
            seen,
            self.name,
            "another owner's data changed",
            f"CPU{seen.cpu} {seen.text}: the word there goes from {seen.old:#x} to {seen.new:#x} ({bits})",
            rule=broken_rule(seen),
            cause="the page was a page table when it was found; it was freed and handed out again before this store",
        )
