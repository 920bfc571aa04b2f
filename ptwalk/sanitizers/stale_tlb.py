"""Memory given back while some CPU's hardware can still use it.

Room: sanitizers.  Invariants: a data page is freed only when no TLB maps it; a table only when no paging-structure
cache names it; nobody's access goes through a translation to a page that is gone.
"""

from __future__ import annotations

from ptwalk.arch import EntryState
from ptwalk.trace.observation import CachedSeen, FrameSeen, Observation
from ptwalk.trace.report import Report, describe_frame, report_on

RULE = "clear the entry, flush the TLBs of every CPU that may have it, and only then free: unlink, flush, wait, free"


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
