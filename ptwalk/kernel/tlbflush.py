"""Flushing translations: by IPI to the CPUs that run the mm, or by one broadcast.

Room: kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.arch import Entry
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.processor import smp_call_function
from ptwalk.machine.tlb import FlushTlb

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.frames import Frame

WHOLE = 1 << 64


async def flush_tlb_mm_range(mm: Mm, start: int, end: int, *, freed_tables: bool = True) -> None:
    """Drops [start, end) from the translation caches of all CPUs that run this mm, and waits until that is done.

    By IPI each CPU must have interrupts on to answer; a broadcast waits for nobody's interrupts.
    `freed_tables=False` invalidates last-level entries only, where the architecture can (arm64).

    *Source*: arch/x86/mm/tlb.c flush_tlb_mm_range, arch/arm64/include/asm/tlbflush.h, 5.15.
    """
    if mm.kernel.config.flush == "broadcast":
        await FlushTlb(mm.machine, mm.cpumask, start, end, "broadcast", tables=freed_tables)
        return
    for number, cpu in enumerate(mm.cpumask):
        await FlushTlb(mm.machine, (cpu,), start, end, "ipi", first=not number)


async def tlb_remove_table_sync_one(mm: Mm) -> None:
    """An empty IPI to every CPU: afterwards no walk with interrupts off that began before is still under way.

    *Source*: mm/mmu_gather.c, 5.15.
    """
    await smp_call_function(mm.machine)


async def pmdp_collapse_flush(mm: Mm, pmd: EntryPointer, addr: int, *, unlinks: Frame | None = None) -> Entry:
    """Cuts a pte table off its pmd and flushes the range it covers; gives the old pmd value.

    *Locking*: the lock of the PMD table, except in 6.1's collapse_and_free_pmd.
    *Source*: mm/pgtable-generic.c pmdp_collapse_flush, 5.15.
    """
    size = pmd.level.size
    old = await pmd.get_and_clear(unlinks=unlinks)
    await flush_tlb_mm_range(mm, addr & -size, (addr & -size) + size)
    return old
