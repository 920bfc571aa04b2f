"""What stands in for a part of the kernel when its protocol is broken: a step left out, a test that always says yes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ptwalk.actors import khugepaged, munmap
from ptwalk.kernel import huge_memory, memory, mmu_gather, pgalloc, vma_lock
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.frames import free_frame
from ptwalk.walk import gup_fast

Patch = Callable[[pytest.MonkeyPatch], None]


async def no_step(*arguments: object, **words: object) -> None:
    """Stands for an operation that is left out."""


async def always(*arguments: object, **words: object) -> bool:
    """Stands for a test that is left out: it says yes."""
    return True


def without(module: Any, *names: str, instead: Any = no_step) -> Patch:
    """Leave functions out of one module."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        for name in names:
            monkeypatch.setattr(module, name, instead)

    return patch


async def free_at_once(machine: Any, *frames: Any) -> None:
    """Stands for call_rcu."""
    for frame in frames:
        await free_frame(machine, frame)


def read_then_clear(self: EntryPointer, *, unlinks: Any = None) -> Any:
    """Stands for the atomic exchange: a load, then a store of zero."""

    async def two_steps() -> Any:
        entry = await self.read()
        await self.clear(unlinks=unlinks)
        return entry

    return two_steps()


async def free_pgtables_of_everything(tlb: Any, vmas: Any, floor: int, ceiling: int) -> None:
    """Stands for free_pgtables: floor and ceiling are forgotten."""
    for vma in vmas:
        await memory.free_pgd_range(tlb, vma.start, vma.end, 0, 0)


async def cut_without_flush(mm: Any, pmd: EntryPointer, addr: int, *, unlinks: Any = None) -> Any:
    """Stands for pmdp_collapse_flush."""
    return await pmd.get_and_clear(unlinks=unlinks)


async def first_vma(mm: Any, start: int) -> Any:
    """Stands for hugepage_vma_revalidate: the VMA as it was at the start, attached or not."""
    return next(vma for vma in mm._initial if start in vma)


class BlindPageCount(khugepaged.PageCount):
    """Stands for the look at a page's references: it never sees a pin."""

    def execute(self, memory: Any, cpu: int) -> Any:
        return 0, 0


class BlindStartRead(vma_lock.VmaStartRead):
    """Stands for the try to read-lock a VMA: it does not look at the sequence number."""

    def execute(self, memory: Any, cpu: int) -> Any:
        mine = self.vma.mm.machine.cpus[cpu].held
        memory[self.vma.lock.readers[cpu]] += 1
        memory[mine] = (*memory[mine], f"{self.vma.lock.name}:read")
        return True


class ImpatientStartWrite(vma_lock.VmaStartWrite):
    """Stands for the write lock of a VMA: it does not wait for readers."""

    def enabled(self, memory: Any, cpu: int) -> bool:
        return True


class NoPin(gup_fast.GetPageUnlessZero):
    """Stands for the reference that GUP-fast takes: it only looks whether there is one."""

    def execute(self, memory: Any, cpu: int) -> Any:
        return memory[self.frame.folio.refs] > 0


async def pages_first(tlb: Any) -> None:
    """Stands for tlb_flush_mmu: the pages go before the flush."""
    for page in tlb.pages:
        await mmu_gather.PutPage(page)
    tlb.pages = []
    await FLUSH_MMU(tlb)


FLUSH_MMU = mmu_gather.tlb_flush_mmu


async def split_without_invalid_entry(mm: Any, pmd: EntryPointer, addr: int) -> None:
    """Stands for the split of a huge page: what hardware sets in the huge entry meanwhile is not looked at."""
    format, start, huge = mm.format, addr & -pmd.level.size, await pmd.read()
    table = await huge_memory.WithdrawTable(mm, addr)
    assert table is not None
    for page in mm.pages_in(start, start + pmd.level.size):
        leaf = format.make_leaf(huge.address + page - start, "pte", write=True, dirty=huge.dirty)
        await table.entry(format.index(page, "pte"), "pte").write(leaf)
    await pmd.write(format.make_table(table.pa, pmd.level))
    await huge_memory.flush_tlb_mm_range(mm, start, start + pmd.level.size)


async def detached_late(mm: Any, start: int, end: int, *, downgrade: bool) -> bool:
    """Stands for do_munmap: the VMA is detached after the downgrade."""
    vmas = await munmap.VmasIn(mm, start, end)
    below, above = await munmap.Neighbours(mm, start, end)
    await munmap.mmap_write_downgrade(mm)
    await munmap.DetachVmas(mm, vmas)
    await munmap.unmap_region(mm, vmas, below, above)
    return True


async def installs_at_once(mm: Any, upper: EntryPointer) -> None:
    """Stands for pte_alloc: it does not look again whether somebody was faster."""
    table = await pgalloc.AllocateFrame(mm.machine, "pte")
    await pgalloc.spin_lock(pgalloc.lock_of_table(mm, upper.frame))
    await upper.write(mm.format.make_table(table.pa, upper.level), unlinks=table)
    await pgalloc.spin_unlock(pgalloc.lock_of_table(mm, upper.frame))


async def nobody_left(mm: Any) -> int:
    """Stands for the count of users: it says that the last one is gone."""
    return 0
