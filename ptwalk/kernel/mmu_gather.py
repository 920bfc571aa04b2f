"""mmu_gather: unmap first, flush once, free last.

Room: kernel.  The phases keep the numbers of the literature: M1 begin, M2 unmap leaf entries, M3 free_pgtables,
M4 look for another gather, M5 flush, hand tables on, free pages, M6 end.  How a table is freed at last is one
of the config's choices; a lockless walker's safety depends on it.

*Source*: mm/mmu_gather.c, 5.15.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ptwalk.kernel.tlbflush import WHOLE, flush_tlb_mm_range, tlb_remove_table_sync_one
from ptwalk.kernel.vma import MmOperation
from ptwalk.machine.folio import PutPage
from ptwalk.machine.frames import Frame, QueueTable, free_frame
from ptwalk.machine.operation import Footprint
from ptwalk.machine.rcu import call_rcu, synchronize_rcu

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


class PendingFlush(MmOperation):
    """A step on mm->tlb_flush_pending; the result is its value before."""

    __slots__ = ()
    by = 0
    words = ""

    def footprint(self, cpu: int) -> Footprint:
        cells = (self.mm.tlb_flush_pending,)
        return cells, (cells if self.by else ())

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        before: Hashable = memory[self.mm.tlb_flush_pending]
        if self.by:
            memory[self.mm.tlb_flush_pending] += self.by
        return before

    def text(self) -> str:
        return self.words


class GatherBegin(PendingFlush):
    """M1: one gather more is under way."""

    __slots__ = ("fullmm",)
    kind = "gather_begin"
    by = 1

    def __init__(self, mm: Mm, fullmm: bool) -> None:
        super().__init__(mm)
        self.fullmm = fullmm

    def text(self) -> str:
        return f"begins an mmu_gather{' of the whole address space' if self.fullmm else ''}"


class GatherFinish(PendingFlush):
    """M4: looks how many gathers are under way."""

    __slots__ = ()
    kind = "gather_finish"
    words = "finishes its mmu_gather: looks whether another one is under way"


class GatherEnd(PendingFlush):
    """M6: one gather less."""

    __slots__ = ()
    kind = "gather_end"
    by = -1
    words = "has no TLB flush pending any more"


class MmuGather:
    """What one unmapping has collected: the range to flush, pages and tables to free.  Lives in one coroutine."""

    def __init__(self, mm: Mm, *, fullmm: bool = False) -> None:
        self.mm = mm
        self.fullmm = fullmm
        self.start = WHOLE
        self.end = 0
        self.freed_tables = False
        self.pages: list[Frame] = []
        self.tables: list[Frame] = []

    def remove_entry(self, addr: int, size: int) -> None:
        """tlb_remove_tlb_entry: the flush must cover this address."""
        self.start = min(self.start, addr)
        self.end = max(self.end, addr + size)

    def remove_page(self, page: Frame) -> None:
        """tlb_remove_page: the page's reference is dropped after the flush."""
        self.pages.append(page)


async def tlb_gather_mmu(mm: Mm, *, fullmm: bool = False) -> MmuGather:
    """M1: begins a gather."""
    await GatherBegin(mm, fullmm)
    return MmuGather(mm, fullmm=fullmm)


async def free_tlb(tlb: MmuGather, table: Frame, addr: int, size: int) -> None:
    """pte_free_tlb, pmd_free_tlb, pud_free_tlb: the table was cut off its parent; queue it."""
    tlb.freed_tables = True
    tlb.remove_entry(addr & -size, size)
    await QueueTable(table)
    config = tlb.mm.kernel.config
    if config.table_free == "rcu" and config.batch_allocation_fails:
        await tlb_remove_table_one(tlb, table)
    else:
        tlb.tables.append(table)


async def tlb_remove_table_one(tlb: MmuGather, table: Frame) -> None:
    """No memory for the batch: flush now and free this table by itself.

    *Source*: mm/mmu_gather.c tlb_remove_table and tlb_remove_table_one, 5.15, 6.14, 7.1.
    """
    await tlb_flush_mmu_tlbonly(tlb)
    fallback = tlb.mm.kernel.config.batch_fallback
    if fallback == "rcu head":
        await call_rcu(tlb.mm.machine, table)
        return
    if fallback == "ipi":
        await tlb_remove_table_sync_one(tlb.mm)
    else:
        await synchronize_rcu(tlb.mm.machine)
    await free_frame(tlb.mm.machine, table)


async def tlb_flush_mmu_tlbonly(tlb: MmuGather) -> None:
    """M5a: the flush, if there is anything to flush."""
    if tlb.end or tlb.fullmm:
        start, end = (0, WHOLE) if tlb.fullmm else (tlb.start, tlb.end)
        await flush_tlb_mm_range(tlb.mm, start, end, freed_tables=tlb.freed_tables)
    tlb.start, tlb.end = WHOLE, 0


async def tlb_flush_mmu(tlb: MmuGather) -> None:
    """M5: flush, hand the tables to RCU if that is how this kernel frees them, free pages (and tables)."""
    await tlb_flush_mmu_tlbonly(tlb)
    tables, pages = tlb.tables, tlb.pages
    tlb.tables, tlb.pages = [], []
    machine = tlb.mm.machine
    if tlb.mm.kernel.config.table_free == "rcu" and tables:
        await call_rcu(machine, *tables)
        tables = []
    for page in pages:
        await PutPage(page)
    for table in tables:
        await free_frame(machine, table)


async def tlb_finish_mmu(tlb: MmuGather) -> None:
    """M4 to M6: another gather on this mm forces a flush of everything; then flush, free, end."""
    if await GatherFinish(tlb.mm) > 1:
        # The other gather may have cleared entries that this one found none and did not flush.
        tlb.fullmm = True
        tlb.freed_tables = tlb.mm.kernel.config.nested_flush == "whole mm"
    await tlb_flush_mmu(tlb)
    await GatherEnd(tlb.mm)
