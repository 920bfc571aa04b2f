"""Use of a page table (or of a lock inside one) after it was freed.

Room: sanitizers.  Invariants I1 and I7: no load, store or lock on a frame that was freed or belongs to somebody
else by now, and no table is freed while its lock is held.
"""

from __future__ import annotations

from ptwalk.sanitizers.rules import TABLE_RULE
from ptwalk.trace.observation import Observation
from ptwalk.trace.report import Report, describe_frame, report_on

_ENTRY = ("read", "write", "clear", "xchg", "cmpxchg", "rmw", "hardware")
_LOCK = ("lock", "trylock", "unlock")


class Lifetime:
    """Reports every touch of a table that is one no more."""

    name = "lifetime"

    def observe(self, seen: Observation) -> Report | None:
        """The report of a use after free, or None."""
        frame = seen.frame
        if frame is None:
            return None
        if seen.kind == "free" and seen.owner is not None and frame.state == "table":
            return report_on(
                seen,
                self.name,
                "page table freed while its lock is held",
                f"CPU{seen.cpu} frees {frame.name} while CPU{seen.owner} holds the lock that lives in it",
                rule="a table is freed only when nobody can hold its lock",
                cause="the unlinker neither took the table's lock nor waited for those who hold it",
            )
        if frame.alive or seen.kind not in _ENTRY + _LOCK:
            return None
        if seen.kind in _LOCK:
            title = "use-after-free of a page-table lock"
            cause = "the lock was found through an entry read before the table was freed; nothing kept the table alive"
        else:
            title = {"wild": "wild page-table pointer", "reused": "page-table use-after-reuse"}.get(
                frame.state, "page-table use-after-free"
            )
            cause = _CAUSES.get(frame.state, "nothing kept the table alive between reading the entry above and this step")
        if seen.kind == "hardware":
            cause = "the upper entry was still in a paging-structure cache: a flush came too late or missed this CPU"
        happened = f"CPU{seen.cpu} {seen.text}, which is {describe_frame(frame)}"
        return report_on(seen, self.name, title, happened, rule=TABLE_RULE, cause=cause)


_CAUSES = {
    "wild": "an entry of a freed and reused table was taken for a pointer to a table",
    "reused": "the table was freed and given to another owner after the entry above it was read",
}
