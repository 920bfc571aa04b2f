"""Walks without any lock: interrupts off, RCU, nothing; who waits for whom, and what must be looked at again.

Room: scenarios.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.pgtable import is_table, mm_find_pmd, offset_lockless
from ptwalk.machine.folio import GetPageUnlessZero, PutPage
from ptwalk.machine.processor import local_irq_restore, local_irq_save
from ptwalk.scenarios import walkers
from ptwalk.scenarios.changers import CHANGERS
from ptwalk.scenarios.monitor import WITHOUT_WILD
from ptwalk.scenarios.pair import pair
from ptwalk.scenarios.scenario import Never, Sometimes
from ptwalk.walk import broken, damon, gup_fast

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.frames import Frame

_RECHECK = "70cbc3cc78a9 (6.1): mm: gup: fix the fast GUP race against THP collapse"
_SYNC = "2ba99c5e0881 (6.1): mm/khugepaged: fix GUP-fast interaction by sending IPI"


async def gup_irqs_on(mm: Mm, addr: int) -> None:
    """GUP-fast's walk with interrupts left on."""
    await walkers.use(mm, await gup_fast.gup_fast_irqs_on(mm, addr))


async def gup_pte_only(mm: Mm, addr: int) -> None:
    """GUP-fast as 5.15.0 did it: looks again at the pte alone."""
    await walkers.use(mm, await gup_fast.gup_fast_without_pmd_recheck(mm, addr))


async def gup_pmd_only(mm: Mm, addr: int) -> None:
    """GUP-fast that looks again at the pmd alone.

    *Locking*: interrupts off.
    """
    machine = mm.machine
    flags = await local_irq_save(machine)
    page: Frame | None = None
    pmd = await mm_find_pmd(mm, addr)
    entry = await pmd.read() if pmd is not None else None
    if pmd is not None and entry is not None and is_table(entry):
        pte = await offset_lockless(pmd, entry, addr).read()
        if pte.address is not None and machine.is_page(pte.address):
            page = machine.frame_at(pte.address)
            if not await GetPageUnlessZero(page):
                page = None
            elif (await pmd.read()).raw != entry.raw:
                await PutPage(page)
                page = None
    await local_irq_restore(machine, flags)
    await walkers.use(mm, page)


async def gup_pin_last(mm: Mm, addr: int) -> None:
    """GUP-fast in the wrong order: looks at pmd and pte again, and pins afterwards.

    *Locking*: interrupts off.
    """
    machine = mm.machine
    flags = await local_irq_save(machine)
    page: Frame | None = None
    pmd = await mm_find_pmd(mm, addr)
    entry = await pmd.read() if pmd is not None else None
    if pmd is not None and entry is not None and is_table(entry):
        slot = offset_lockless(pmd, entry, addr)
        pte = await slot.read()
        if pte.address is not None and machine.is_page(pte.address):
            unchanged = (await pmd.read()).raw == entry.raw and (await slot.read()).raw == pte.raw
            page = machine.frame_at(pte.address) if unchanged else None
            if page is not None and not await GetPageUnlessZero(page):
                page = None
    await local_irq_restore(machine, flags)
    await walkers.use(mm, page)


async def monitor_irqs_off(mm: Mm, addr: int) -> None:
    """DAMON v34 with interrupts off around it.

    *Locking*: interrupts off, the page-table lock.
    """
    flags = await local_irq_save(mm.machine)
    await damon.damon_va_mkold_v34(mm, addr)
    await local_irq_restore(mm.machine, flags)


async def walk_nothing(mm: Mm, addr: int) -> None:
    """No lock, interrupts on."""
    await broken.walk_without_locks(mm, addr)


LOCKLESS = (
    pair(
        "munmap-vs-gup-irqs-on",
        gup_irqs_on,
        CHANGERS["munmap"],
        own=True,
        story="GUP-fast with interrupts left on: the flush IPI is answered in mid-walk, and the table is freed",
        expect=Sometimes("lifetime", 2),
        source="rule (c) of the review",
    ),
    pair(
        "munmap-vs-gup",
        walkers.gup,
        CHANGERS["munmap"],
        own=True,
        story="GUP-fast with interrupts off, tables freed after the flush IPI: the IPI waits for the walker",
        expect=Never(),
        source="mm/gup.c, 5.15",
    ),
    pair(
        "munmap-vs-gup-rcu",
        walkers.gup,
        CHANGERS["munmap"],
        own=True,
        story="GUP-fast with interrupts off, tables freed by RCU: the grace period waits for the walker",
        expect=Never(),
        axes={"table_free": "rcu"},
        source="mm/mmu_gather.c, 5.15",
    ),
    pair(
        "munmap-vs-gup-broadcast",
        walkers.gup,
        CHANGERS["munmap"],
        own=True,
        story="GUP-fast on arm64: the broadcast flush waits for nobody, and RCU does",
        expect=Never(),
        arch="arm64",
        source="mm/mmu_gather.c, 5.15; arch/arm64/Kconfig",
    ),
    pair(
        "munmap-vs-irqs-off-batch",
        walkers.irqs_off_walk,
        CHANGERS["munmap"],
        own=True,
        story=(
            "interrupts off on a kernel that flushes by broadcast and frees tables right after the "
            "flush: nobody waits"
        ),
        expect=Sometimes("lifetime", 2),
        axes={"flush": "broadcast", "table_free": "batch"},
        source="why a37259732a7d (6.15) made RCU freeing unconditional on x86",
    ),
    pair(
        "munmap-vs-rcu-walk",
        walkers.rcu_walk,
        CHANGERS["munmap"],
        own=True,
        story="rcu_read_lock instead of interrupts off, tables freed after the flush IPI: the CPU answers the IPI",
        expect=Sometimes("lifetime", 2),
        source="mm/gup.c comment, 5.15",
    ),
    pair(
        "munmap-vs-rcu-walk-rcu",
        walkers.rcu_walk,
        CHANGERS["munmap"],
        own=True,
        story="rcu_read_lock, tables freed by RCU: enough, as long as the batch can be allocated",
        expect=Never(),
        axes={"table_free": "rcu"},
        source="mm/mmu_gather.c, 5.15",
    ),
    pair(
        "munmap-vs-rcu-walk-batch-fails",
        walkers.rcu_walk,
        CHANGERS["munmap"],
        own=True,
        story=(
            "rcu_read_lock, tables freed by RCU, no memory for the batch: the fallback is an IPI, "
            "which RCU does not hold off"
        ),
        expect=Sometimes("lifetime", 2),
        axes={"table_free": "rcu", "batch_allocation_fails": True},
        source="mm/mmu_gather.c tlb_remove_table_one, 5.15",
    ),
    pair(
        "munmap-vs-gup-batch-fails",
        walkers.gup,
        CHANGERS["munmap"],
        own=True,
        story="GUP-fast on arm64 where the batch cannot be allocated: the fallback IPI goes to every CPU and waits",
        expect=Never(),
        arch="arm64",
        axes={"batch_allocation_fails": True},
        source="mm/mmu_gather.c tlb_remove_table_one, 5.15",
    ),
    pair(
        "munmap-vs-rcu-walk-batch-fails-now",
        walkers.rcu_walk,
        CHANGERS["munmap"],
        own=True,
        story="the same on 7.1: the fallback is synchronize_rcu",
        expect=Never(),
        release="7.1",
        axes={"batch_allocation_fails": True},
        source="mm/mmu_gather.c, 7.1",
    ),
    pair(
        "munmap-vs-damon-v34-rcu",
        damon.damon_va_mkold_v34,
        CHANGERS["munmap"],
        story="v34 where tables are freed by RCU and the kernel is preemptible: a grace period can end in mid-walk",
        expect=Sometimes("lifetime", 3),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        axes={"table_free": "rcu"},
        source="DAMON v34; mm/mmu_gather.c, 5.15",
    ),
    pair(
        "munmap-vs-damon-v34-rcu-not-preemptible",
        damon.damon_va_mkold_v34,
        CHANGERS["munmap"],
        story="v34 where tables are freed by RCU and the kernel is not preemptible: safe by accident",
        expect=Never(),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        axes={"table_free": "rcu", "preemptible": False},
        source="DAMON v34; mm/mmu_gather.c, 5.15",
    ),
    pair(
        "munmap-vs-damon-v34-not-preemptible",
        damon.damon_va_mkold_v34,
        CHANGERS["munmap"],
        story=(
            "v34 on a kernel without preemption that frees after the flush IPI: the IPI interrupts "
            "the walker all the same"
        ),
        expect=Sometimes("lifetime", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        axes={"preemptible": False},
        source="DAMON v34; mm/mmu_gather.c, 5.15",
    ),
    pair(
        "munmap-vs-irqs-off-monitor",
        monitor_irqs_off,
        CHANGERS["munmap"],
        story=(
            "v34 with interrupts off, on x86 with IPI flushes: the monitor's CPU does not run that "
            "mm and gets no IPI"
        ),
        expect=Sometimes("lifetime", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source="arch/x86/mm/tlb.c, 5.15, and reasoning",
    ),
    pair(
        "munmap-vs-irqs-off-monitor-rcu",
        monitor_irqs_off,
        CHANGERS["munmap"],
        story="v34 with interrupts off where tables are freed by RCU: the memory stays",
        expect=Never(),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        axes={"table_free": "rcu"},
        source="mm/mmu_gather.c, 5.15",
    ),
    pair(
        "collapse-anon-vs-irqs-off-monitor",
        monitor_irqs_off,
        CHANGERS["collapse-anon"],
        story="v34 with interrupts off where tables are freed by RCU: it still stores into a table that was cut off",
        expect=Sometimes("detached", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        axes={"table_free": "rcu"},
        source="rule (c) of the review: never write",
    ),
    pair(
        "retract-vs-gup",
        walkers.gup,
        CHANGERS["retract"],
        own=True,
        story="GUP-fast on arm64 5.15.0: a file collapse frees the table at once, and no IPI or grace period waits",
        expect=Sometimes("lifetime", 2),
        release="5.15.0",
        arch="arm64",
        source=_SYNC,
    ),
    pair(
        "retract-vs-gup-x86",
        walkers.gup,
        CHANGERS["retract"],
        own=True,
        story="the same on x86: the flush IPI happens to wait for the walker",
        expect=Never(),
        release="5.15.0",
        source=_SYNC,
    ),
    pair(
        "retract-vs-gup-synced",
        walkers.gup,
        CHANGERS["retract"],
        own=True,
        story="GUP-fast on arm64 5.15.85: the file collapse sends an IPI to every CPU before it frees",
        expect=Never(),
        release="5.15.85",
        arch="arm64",
        source=_SYNC,
    ),
    pair(
        "collapse-anon-vs-gup-pte-only",
        gup_pte_only,
        CHANGERS["collapse-anon"],
        own=True,
        story="GUP-fast that looks again at the pte alone, on arm64: it pins a page that is being copied away",
        expect=Sometimes("stale result", 2),
        release="5.15.0",
        arch="arm64",
        source=_RECHECK,
    ),
    pair(
        "collapse-anon-vs-gup",
        walkers.gup,
        CHANGERS["collapse-anon"],
        own=True,
        story="GUP-fast that looks again at pmd and pte, on arm64: one of the two sees the other",
        expect=Never(),
        release="5.15.0",
        arch="arm64",
        axes={"gup_recheck": "pmd and pte"},
        source=_RECHECK,
    ),
    pair(
        "collapse-anon-vs-gup-pte-only-synced",
        gup_pte_only,
        CHANGERS["collapse-anon"],
        own=True,
        story=(
            "the short re-check on arm64, with the IPI that collapse sends to every CPU since: that "
            "alone is enough too"
        ),
        expect=Never(),
        release="5.15.85",
        arch="arm64",
        source=_SYNC,
    ),
    pair(
        "collapse-anon-vs-gup-pte-only-x86",
        gup_pte_only,
        CHANGERS["collapse-anon"],
        own=True,
        story="the same short re-check on x86: the flush IPI waits, so it is right by luck",
        expect=Never(),
        release="5.15.0",
        source=_RECHECK,
    ),
    pair(
        "dontneed-vs-gup-pmd-only",
        gup_pmd_only,
        CHANGERS["dontneed-reuse"],
        own=True,
        story=(
            "GUP-fast that looks again at the pmd alone: the page was freed and belongs to somebody "
            "else when it is pinned"
        ),
        expect=Sometimes("stale result", 2),
        arch="arm64",
        source=_RECHECK,
    ),
    pair(
        "dontneed-vs-gup",
        walkers.gup,
        CHANGERS["dontneed-reuse"],
        own=True,
        story="GUP-fast that looks again at both: it notices, and drops the pin",
        expect=Never(),
        arch="arm64",
        source=_RECHECK,
    ),
    pair(
        "dontneed-vs-gup-pin-last",
        gup_pin_last,
        CHANGERS["dontneed-reuse"],
        own=True,
        story="GUP-fast that looks again first and pins then: what it looked at changed in between",
        expect=Sometimes("stale result", 2),
        arch="arm64",
        source="mm/gup.c, 5.15: pin first, look again then",
    ),
    pair(
        "munmap-vs-no-lock",
        walk_nothing,
        CHANGERS["munmap"],
        own=True,
        story="no lock, interrupts on",
        expect=Sometimes("lifetime", 2),
        source="none of the three rules",
    ),
)
"""Scenarios of walks without locks."""
