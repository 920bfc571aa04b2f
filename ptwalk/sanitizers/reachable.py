"""A table cut off while somebody can still find his way to it.

Room: sanitizers.  Invariant: when free_pgtables clears an upper entry, no VMA of that span is left in the mm's set or
on a reverse map.  The lock in whose name a walker would come is of no use to him then.
"""

from __future__ import annotations

from ptwalk.trace.observation import Observation
from ptwalk.trace.report import Report, report_on

RULE = (
    "a table is freed only when no VMA of its span can be found any more: detached from the mm's set first, taken off"
    " the reverse maps next, and floor and ceiling keep away from the neighbours' tables"
)


class Reachable:
    """Reports tables that are cut off for freeing below a VMA that can still be found."""

    name = "reachable"

    def observe(self, seen: Observation) -> Report | None:
        """The report of such a table, or None."""
        if not seen.users:
            return None
        return report_on(
            seen,
            self.name,
            "table freed below a VMA",
            f"CPU{seen.cpu} {seen.text}, and {seen.users} still needs what hangs below it",
            rule=RULE,
            cause="a VMA was not detached, was not taken off its reverse maps, or grew into the range meanwhile",
        )
