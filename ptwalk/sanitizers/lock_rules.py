"""Lock order, sleeping while atomic, asserted locks, and what is left over at the end.

Room: sanitizers.  The order is data: `ORDER`, outer locks first.  A trylock never waits, so it may be taken against
the order, as khugepaged does with the mmap lock.

*Source*: mm/rmap.c header, 5.15; Documentation/mm/process_addrs.rst, 6.19.
"""

from __future__ import annotations

from ptwalk.trace.observation import EndOfRun, LockSeen, Observation
from ptwalk.trace.report import Report, report_on

ORDER = ("mmap_lock", "folio_lock", "vma_lock", "i_mmap_rwsem", "anon_vma", "page_table_lock", "ptl")
"""Classes of locks, outer to inner.  Among the split locks ("ptl") a PMD table's comes before a PTE table's."""

_WAITING = ("lock", "down_read", "down_write", "folio_lock", "vma_start_write")
_LEVELS = ("pgd", "p4d", "pud", "pmd", "pte")


class LockRules:
    """Reports locks taken in the wrong order, taken where the CPU may not sleep, or kept."""

    name = "locks"

    def observe(self, seen: Observation) -> Report | None:
        """The report of a lock taken against the rules, or not held where it is asserted, or None."""
        lock = seen.lock
        if seen.kind == "cond_resched":
            return self._asleep(seen)
        if lock is not None and seen.kind == "assert_locked":
            return _asserted(seen, lock)
        if lock is None or seen.kind not in _WAITING:
            return None
        if lock.sleeps and (asleep := self._asleep(seen)) is not None:
            return asleep
        for held in seen.held:
            if _wrong(held, lock):
                return report_on(
                    seen,
                    self.name,
                    "wrong lock order",
                    (
                        f"CPU{seen.cpu} {seen.text} while it holds the {held}; whoever takes both takes the "
                        f"{lock.name} first"
                    ),
                    rule="outer to inner: "
                    + ", ".join(ORDER)
                    + "; the PMD table's lock before the PTE table's",
                    cause="two CPUs that take them in opposite order wait for each other for ever",
                )
        return None

    def _asleep(self, seen: Observation) -> Report | None:
        """The report of a step that may sleep where nothing may, or None."""
        spinning = next((held for held in seen.held if not held.sleeps), None)
        if spinning is not None:
            inside = f"while it holds the {spinning}"
        elif seen.irqs_on is False:
            inside = "with interrupts off"
        elif seen.sections:
            inside = "in an RCU read-side section or with preemption off"
        else:
            return None
        return report_on(
            seen,
            self.name,
            "sleeping while atomic",
            f"CPU{seen.cpu} {seen.text}, which may sleep, {inside}",
            rule="what may sleep is done before any spinlock and outside of RCU sections, with interrupts and"
            " preemption on",
            cause="leave the section first, and look at everything again after it is entered anew",
        )

    def at_end(self, end: EndOfRun) -> Report | None:
        """The report of a lock, an RCU section or an interrupt state that outlives the code, or None."""
        for cpu, held in enumerate(end.held):
            if held:
                return self._kept(cpu, "lock kept at the end", f"has ended and still holds the {held[-1]}")
        for cpu, on in enumerate(end.irqs_on):
            if not on:
                return self._kept(cpu, "interrupts left off", "has ended and left interrupts off")
        for cpu, depth in enumerate(end.read_sections):
            if depth:
                return self._kept(cpu, "RCU section left open", "has ended inside an RCU read-side section")
        return None

    def _kept(self, cpu: int, title: str, what: str) -> Report:
        return Report(
            self.name,
            title,
            f"CPU{cpu} {what}",
            "every lock is dropped on every way out",
            "a return, or a branch that is seldom taken, leaves without the unlock",
            cpu,
        )


def _asserted(seen: Observation, lock: LockSeen) -> Report | None:
    modes = {held.mode for held in seen.held if held.name == lock.name}
    if "write" in modes or lock.mode in modes:
        return None
    instead = "only for reading" if modes else "not at all"
    return report_on(
        seen,
        "locks",
        "asserted lock not held",
        f"CPU{seen.cpu} {seen.text}, and holds it {instead}",
        rule="whoever calls a function that asserts a lock holds it, from before the call until the result is used",
        cause="the lock was never taken, was dropped too early, or is of the wrong mode for the walk_lock asked for",
    )


def _wrong(held: LockSeen, taken: LockSeen) -> bool:
    if held.lock_class not in ORDER or taken.lock_class not in ORDER:
        return False
    outer, inner = ORDER.index(held.lock_class), ORDER.index(taken.lock_class)
    if outer != inner:
        return outer > inner
    both = held.level in _LEVELS and taken.level in _LEVELS
    return taken.lock_class == "ptl" and both and _LEVELS.index(held.level) > _LEVELS.index(taken.level)
