"""Use of a page table (or of a lock inside one) after it was freed.

Room: sanitizers.  Invariants: no load, store or lock on a frame that was freed or belongs to somebody else by now,
and no frame is freed twice, nor a table while the lock inside it is held.
"""

from __future__ import annotations

from ptwalk.sanitizers.rules import broken_rule
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
                cause="the one who frees neither took the table's lock nor waited for those who hold it",
            )
        if seen.kind == "free" and frame.state in ("freed", "reused"):
            return report_on(
                seen,
                self.name,
                "a frame is freed twice",
                f"CPU{seen.cpu} {seen.text}, which is {describe_frame(frame)}",
                rule="who frees a frame owns it alone, and owns it no more afterwards",
                cause="two hands, or one hand twice, gave the same frame back; somebody else may have it by now",
            )
        if seen.links is not None and seen.links.state != "table":
            return report_on(
                seen,
                self.name,
                "a frame that is no table is linked as a page table",
                f"CPU{seen.cpu} {seen.text}: it names {seen.links.name}, which is {describe_frame(seen.links)}",
                rule="an entry read before a lock was taken must be tested again under it",
                cause="the upper entry was cleared by another CPU between the test and the lock",
                frames=(frame, seen.links),
            )
        if frame.alive or frame.state == "wild" or seen.kind not in _ENTRY + _LOCK:
            return None
        happened = f"CPU{seen.cpu} {seen.text}, which is {describe_frame(frame)}"
        title, cause = _words(seen)
        return report_on(seen, self.name, title, happened, rule=broken_rule(seen), cause=cause)


def _words(seen: Observation) -> tuple[str, str]:
    assert seen.frame is not None
    state = seen.frame.state
    if seen.kind == "hardware":
        cause = (
            "the upper entry was still in a paging-structure cache: a flush came too late or missed this CPU"
        )
        return "hardware walk through a freed page table", cause
    if seen.kind in _LOCK:
        cause = "the lock was found through an entry read before the table was freed; nothing kept the table alive"
        return "use-after-free of a page-table lock", cause
    if state == "reused":
        cause = "the table was freed and given to another owner after the entry above it was read"
        return "page-table use-after-reuse", cause
    return (
        "page-table use-after-free",
        "nothing kept the table alive between reading the entry above and this step",
    )
