"""A page-table lock taken without anything that keeps the table alive: wrong even when nothing happens.

Room: sanitizers.  Not among the default oracles: it needs no second CPU, so it would end every search at once.  It is
what lockdep is to a deadlock: it tells the mistake in a run where nothing went wrong.
"""

from __future__ import annotations

from ptwalk.sanitizers.rules import NO_RULE
from ptwalk.trace.observation import Observation
from ptwalk.trace.report import Report, report_on

KEEPS_TABLES = ("mmap_lock", "vma_lock", "i_mmap_rwsem", "anon_vma")


class Discipline:
    """Reports a page-table lock that is taken with no lock held that keeps its table."""

    name = "discipline"

    def observe(self, seen: Observation) -> Report | None:
        """The report of a lock taken on trust, or None."""
        lock = seen.lock
        if lock is None or seen.kind not in ("lock", "trylock") or lock.frame is None or seen.frame is None:
            return None
        if any(held.lock_class in KEEPS_TABLES for held in seen.held) or seen.frame.owner == seen.cpu:
            return None
        if seen.in_rcu:
            return None
        return report_on(
            seen,
            self.name,
            "page-table lock without lifetime",
            f"CPU{seen.cpu} {seen.text}, which lives in {seen.frame.name}, and holds nothing that keeps that table",
            rule=NO_RULE,
            cause="the lock is part of the table's own metadata: it cannot protect the table from being freed",
        )
