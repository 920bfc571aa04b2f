"""Transparent huge pages: deposited tables, zapping a huge pmd, splitting it (mm/huge_memory.c).

Room: kernel.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable
from typing import TYPE_CHECKING, Any

from ptwalk.arch import EntryState
from ptwalk.kernel.pgtable import leaf, pmd_lock
from ptwalk.kernel.tlbflush import flush_tlb_mm_range
from ptwalk.kernel.vma import MmOperation
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.folio import RemoveRmap
from ptwalk.machine.frames import DEPOSITED, PRIVATE, Frame, free_frame
from ptwalk.machine.locks import SpinLock, spin_lock, spin_unlock
from ptwalk.machine.operation import Footprint

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.kernel.mmu_gather import MmuGather
    from ptwalk.kernel.vma import Vma


class DepositTable(MmOperation):
    """pgtable_trans_huge_deposit(): parks a pte table for the huge pmd at `addr`."""

    __slots__ = ("addr", "table")
    kind = "deposit"

    def __init__(self, mm: Mm, addr: int, table: Frame) -> None:
        self.mm = mm
        self.addr = addr & -mm.pmd_level.size
        self.table = table

    def footprint(self, cpu: int) -> Footprint:
        table, deposits = self.table, self.mm.deposits
        return (table.life, deposits), (table.link, table.owner, deposits)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.table.link] = DEPOSITED
        memory[self.table.owner] = 0
        memory[self.mm.deposits] = tuple(sorted((*memory[self.mm.deposits], (self.addr, self.table.number))))
        return None

    def text(self) -> str:
        return f"deposits {self.table.name}"


class WithdrawTable(MmOperation):
    """pgtable_trans_huge_withdraw(): takes the parked table back; awaiting gives it, or None if there is none."""

    __slots__ = ("addr",)
    kind = "withdraw"

    def __init__(self, mm: Mm, addr: int) -> None:
        self.mm = mm
        self.addr = addr & -mm.pmd_level.size

    def footprint(self, cpu: int) -> Footprint:
        # Which table it will be is known only when it happens.
        places = [cell for table in self.mm.machine.tables() for cell in (table.link, table.owner)]
        return (self.mm.deposits,), (self.mm.deposits, *places)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        deposits = memory[self.mm.deposits]
        for deposit in deposits:
            if deposit[0] == self.addr:
                memory[self.mm.deposits] = tuple(other for other in deposits if other != deposit)
                table = self.mm.machine.frame(deposit[1])
                memory[table.link] = PRIVATE
                memory[table.owner] = cpu + 1
                number: Hashable = table.number
                return number
        return None

    def __await__(self) -> Generator[Any, Any, Frame | None]:
        number = yield from super().__await__()
        return None if number is None else self.mm.machine.frame(number)

    def text(self) -> str:
        return f"withdraws the table deposited for {self.addr:#x}"


async def pmd_trans_huge_lock(mm: Mm, pmd: EntryPointer) -> SpinLock | None:
    """Takes the PMD table's lock if the pmd maps a huge page, tested again under the lock; else gives None.

    *Locking*: mmap_lock for reading.
    *Source*: include/linux/huge_mm.h, 5.15.
    """
    entry = await pmd.read()
    if not leaf(entry) and entry.state is not EntryState.MIGRATION:
        return None
    ptl = await pmd_lock(mm, pmd)
    entry = await pmd.read()
    if leaf(entry) or entry.state is EntryState.MIGRATION:
        return ptl
    await spin_unlock(ptl)
    return None


async def zap_huge_pmd(tlb: MmuGather, vma: Vma, pmd: EntryPointer, addr: int) -> bool:
    """Unmaps a huge page as a whole and frees its deposited table at once; False if it is huge no more.

    *Locking*: mmap_lock or a VMA lock for reading, or the VMA is detached; takes the PMD table's lock.
    *Source*: mm/huge_memory.c zap_huge_pmd, 5.15.
    """
    mm = vma.mm
    ptl = await pmd_lock(mm, pmd)
    if not leaf(await pmd.read()):
        await spin_unlock(ptl)
        return False
    old = await pmd.get_and_clear()
    tlb.remove_entry(addr & -pmd.level.size, pmd.level.size)
    page = mm.machine.frame_at(old.address or 0)
    await RemoveRmap(page)
    table = await WithdrawTable(mm, addr)
    if table is not None:
        await free_frame(mm.machine, table)
    tlb.remove_page(page)
    await spin_unlock(ptl)
    return True


async def split_huge_pud(mm: Mm, pud: EntryPointer, addr: int) -> None:
    """Clears a pud that maps 1 GiB of a file or a device: the next fault may map it anew, in pieces or as a whole.

    *Locking*: any lock that keeps the VMA stable; takes page_table_lock, which guards puds on x86-64 and arm64.
    *May see* (others): the huge pud, then none.
    *Source*: mm/huge_memory.c __split_huge_pud, 5.15.
    """
    ptl = mm.page_table_lock
    await spin_lock(ptl)
    if leaf(await pud.read()):
        await pud.get_and_clear()
        start = addr & -pud.level.size
        await flush_tlb_mm_range(mm, start, start + pud.level.size, freed_tables=False)
    await spin_unlock(ptl)


async def split_huge_pmd(mm: Mm, pmd: EntryPointer, addr: int) -> None:
    """Replaces a huge pmd by a table of small ptes for the same memory: invalid first, then filled, then linked.

    *Locking*: any lock that keeps the VMA stable; takes the PMD table's lock.
    *May see* (others): the huge pmd, then a pmd present to Linux and invalid to hardware, then the full table.
    *Source*: mm/huge_memory.c __split_huge_pmd_locked, 5.15.
    """
    ptl = await pmd_lock(mm, pmd)
    if leaf(await pmd.read()):
        await split_huge_pmd_locked(mm, pmd, addr)
    await spin_unlock(ptl)


async def split_huge_pmd_locked(mm: Mm, pmd: EntryPointer, addr: int) -> None:
    """The split itself, under the PMD table's lock."""
    format, span = mm.format, pmd.level.size
    start = addr & -span
    huge = await pmd.read()
    pa = huge.address or 0
    flags = {"write": huge.writable, "user": huge.user, "accessed": huge.accessed}
    # pmdp_invalidate: hardware can no longer use the entry; what it set until now comes with the exchange.
    old = await pmd.xchg(format.make_split(pa, pmd.level, dirty=huge.dirty, **flags))
    await flush_tlb_mm_range(mm, start, start + span)
    table = await WithdrawTable(mm, addr)
    if table is None:
        return
    for page in mm.pages_in(start, start + span):
        slot = table.entry(format.index(page, "pte"), "pte")
        await slot.write(format.make_leaf(pa + page - start, "pte", dirty=old.dirty, **flags))
    await pmd.write(format.make_table(table.pa, pmd.level))
