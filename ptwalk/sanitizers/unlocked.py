"""A mapping changed without the lock that guards it.

Room: sanitizers.  Invariant: in a table that hangs in the tree, software puts in, takes out or changes an entry that
maps memory only with the lock of that table held.  (Table entries are another matter: free_pgtables clears them with
no lock, once nobody can find the VMA.)
"""

from __future__ import annotations

from ptwalk.arch import EntryState
from ptwalk.trace.observation import Observation
from ptwalk.trace.report import Report, report_on

RULE = (
    "an entry that maps memory is changed only under the lock of its table (or page_table_lock "
    "where locks are not split)"
)


class Unlocked:
    """Reports stores that change a mapping without the lock of its table."""

    name = "unlocked"

    def observe(self, seen: Observation) -> Report | None:
        """The report of such a store, or None."""
        frame = seen.frame
        if frame is None or not seen.stores or frame.state != "table" or frame.link != "linked":
            return None
        before, after = seen.entry_before, seen.entry_after
        if before is None or after is None or before.raw == after.raw:
            return None
        if EntryState.LEAF not in (before.state, after.state):
            return None
        if any(lock.frame == frame.number or lock.lock_class == "page_table_lock" for lock in seen.held):
            return None
        return report_on(
            seen,
            self.name,
            "mapping changed without its lock",
            f"CPU{seen.cpu} {seen.text} without the lock of {frame.name}",
            rule=RULE,
            cause="the entry was judged bad on two different loads, or a lock was forgotten",
        )
