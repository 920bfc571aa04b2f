"""Memory given back while some CPU's hardware can still use it.

Room: sanitizers.  Invariants: a data page is freed only when no TLB maps it; a table only when no paging-structure
cache names it; nobody's access goes through a translation to a page that is gone; and when all is over no TLB allows
what the tables have taken away.
"""

from __future__ import annotations

from ptwalk.arch import EntryState
from ptwalk.trace.observation import CachedSeen, EndOfRun, FrameSeen, Observation
from ptwalk.trace.report import Report, describe_frame, report_on

RULE = "clear the entry, flush the TLBs of every CPU that may have it, and only then free: unlink, flush, wait, free"

RULE_OF_CHANGES = (
    "whoever takes something away from an entry that hardware may use (the mapping, the right to write, the D bit)"
    " flushes every CPU that runs the address space"
)


class StaleTlb:
    """Reports frees that come before the flush, and accesses through a translation that is out of date."""

    name = "stale tlb"

    def observe(self, seen: Observation) -> Report | None:
        """The report of a free too early, or of an access to a freed page; else None."""
        frame = seen.frame
        if frame is None:
            return None
        if seen.kind == "touch" and not frame.alive:
            return report_on(
                seen,
                self.name,
                "access through a stale TLB entry",
                f"CPU{seen.cpu} {seen.text}, which is {describe_frame(frame)}",
                rule=RULE,
                cause="the page was freed before this CPU's TLB was flushed",
            )
        freed = seen.kind == "free" or (seen.kind == "put_page" and bool(seen.result))
        if not freed or not frame.alive:
            return None
        for cached in seen.cached:
            if _names(seen, cached, frame):
                return self._too_early(seen, cached, frame)
        return None

    def at_end(self, end: EndOfRun) -> Report | None:
        """The report of a translation that nobody flushed, or None."""
        if not end.stale:
            return None
        cached, now = end.stale[0]
        was, entry = end.format.decode(cached.raw, cached.level), end.format.decode(now, cached.level)
        says = f"its entry is {now:#x} ({entry.marks})" if now else "nothing is mapped there"
        return Report(
            self.name,
            "translation left in a TLB",
            f"at the end CPU{cached.cpu} still has {cached.level} {cached.raw:#x} ({was.marks}) cached for"
            f" {cached.va:#x}, and {says}",
            RULE_OF_CHANGES,
            "the entry was cleared, moved, write-protected or made clean, and that range or that CPU was not flushed",
            -1,
            tuple(frame for frame in end.frames if frame.pa == was.address),
        )

    def _too_early(self, seen: Observation, cached: CachedSeen, frame: FrameSeen) -> Report:
        table = frame.state == "table"
        what = (
            "page table freed while a CPU's walk cache names it"
            if table
            else "page freed while a TLB maps it"
        )
        where = "paging-structure cache" if table else "TLB"
        return report_on(
            seen,
            self.name,
            what,
            f"CPU{seen.cpu} frees {frame.name} while the {where} of CPU{cached.cpu} still leads"
            f" {cached.va:#x} there ({cached.level} = {cached.raw:#x})",
            rule=RULE,
            cause="the flush came after the free, missed that CPU or that range, or left the walk caches alone",
        )


def _names(seen: Observation, cached: CachedSeen, frame: FrameSeen) -> bool:
    entry = seen.format.decode(cached.raw, cached.level)
    if entry.address is None or not entry.present:
        return False
    if frame.state == "table":
        return entry.state is EntryState.TABLE and entry.address == frame.pa
    return entry.state is not EntryState.TABLE and entry.address <= frame.pa < entry.address + (
        entry.page_size or 0
    )
