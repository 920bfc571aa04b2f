"""A leaf taken for a table, or a table for a leaf.

Room: sanitizers.  Invariant: no entry of type leaf is followed as a table, and none of type table as a leaf.  The
mistake shows at the next step: an entry read out of a data page, or out of a table of another level; a page
reference taken on a table.
"""

from __future__ import annotations

from ptwalk.trace.observation import Observation
from ptwalk.trace.report import Report, describe_frame, report_on

_ENTRY = ("read", "write", "clear", "xchg", "cmpxchg", "rmw", "hardware")
_LOCK = ("lock", "trylock")
_PAGE = ("get_page", "touch", "page_count")
RULE = "load an entry once, and ask that one value whether it is none, table, leaf or not present before following it"


class Confusion:
    """Reports entries followed as what they are not."""

    name = "confusion"

    def observe(self, seen: Observation) -> Report | None:
        """The report of a type confusion, or None."""
        frame = seen.frame
        if frame is None or not frame.alive:
            return None
        if frame.state == "page" and seen.kind in _ENTRY:
            title, why = "leaf taken for a table", f"takes a data page's word for a {seen.level} entry"
        elif frame.state == "page" and seen.kind in _LOCK and seen.lock is not None:
            title, why = "leaf taken for a table", "takes a data page for a table with a lock in it"
        elif frame.state == "table" and seen.kind in _ENTRY and frame.kind and seen.level != frame.kind:
            title, why = (
                "table of another level",
                f"takes an entry of a {frame.kind} table for a {seen.level} entry",
            )
        elif frame.state == "table" and seen.kind in _PAGE:
            title, why = "table taken for a leaf", "takes a page table for a data page"
        else:
            return None
        return report_on(
            seen,
            self.name,
            f"type confusion: {title}",
            f"CPU{seen.cpu} {seen.text} and so {why}: {frame.name} is a {describe_frame(frame)}",
            rule=RULE,
            cause=(
                "the entry above was tested in one load and followed in another, or not tested for every "
                "state it can have"
            ),
        )
