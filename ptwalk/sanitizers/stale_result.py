"""A result that was not true any more when it was given, shown by its use.

Room: sanitizers.  A pinned page must have been mapped when the walker looked for the last time, and stay the page
that the program sees until the pin is dropped.  A walker's caller uses its result by a step of kind "use"; the page
must still be a page then, and must not have been copied away.
"""

from __future__ import annotations

from ptwalk.trace.observation import Observation
from ptwalk.trace.report import Report, describe_frame, report_on

RULE = (
    "(c) a lockless reader pins the page first and then looks again at every entry that led to it (pmd and pte);"
    " a changer clears the entry first and then looks for pins: one of the two sees the other"
)


class StaleResult:
    """Reports the use of a page that is gone, or that was replaced by a copy in spite of the pin."""

    name = "stale result"

    def observe(self, seen: Observation) -> Report | None:
        """The report of a stale result in use, or None."""
        frame = seen.frame
        if frame is None or seen.kind != "use":
            return None
        if frame.alive and not (isinstance(seen.result, str) and seen.result):
            return None
        if frame.alive:
            happened = f"CPU{seen.cpu} {seen.text}, but {seen.result}: what it writes nobody will read"
            cause = (
                "the page was pinned after the changer had looked for pins, and the second look missed "
                "the entry that was cleared"
            )
        else:
            happened = f"CPU{seen.cpu} {seen.text}, which is {describe_frame(frame)}"
            cause = "the result was kept after the lock or the reference that made it true was dropped"
        return report_on(seen, self.name, "stale result", happened, rule=RULE, cause=cause)
