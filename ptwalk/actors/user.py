"""A user program that touches memory: the hardware's side of page tables.

Room: actors.  The page walker loads entry by entry, sets the accessed and dirty bits by locked steps, and keeps
what it found in the TLB and the paging-structure caches until somebody flushes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.arch import EntryState
from ptwalk.kernel.pgtable import is_table, pgd_offset
from ptwalk.machine.tlb import HardwareLeaf, HardwareLoad, LookTlb, TouchPage

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.frames import Frame


async def touch(mm: Mm, addr: int, *, write: bool = True) -> bool:
    """One load or store by user code; False where it faults (the fault itself is another actor's).

    *Locking*: none: hardware takes no locks.  This CPU must be in `user` of the kernel and in the mm's cpumask.
    *May see*: what its caches still hold.
    *Source*: kernel-independent; Intel SDM volume 3, chapter on paging; Arm ARM, translation process.
    """
    frame = await translate(mm, addr, write)
    if frame is None:
        return False
    await TouchPage(frame, write)
    return True


async def translate(mm: Mm, addr: int, write: bool) -> Frame | None:
    """The frame that the hardware finds for an address, from its caches or by a walk; None on a fault."""
    format = mm.format
    found = await LookTlb(mm.machine, addr, write)
    slot = pgd_offset(mm, addr)
    if found is not None:
        level, raw = found
        entry = format.decode(raw, level)
        if entry.state is not EntryState.TABLE:
            return mm.machine.frame_at(entry.address or 0)
        slot = slot.lookup(entry, addr)
    while True:
        if slot.level.name != "pte":
            entry = format.decode(await HardwareLoad(slot, addr), slot.level)
            if is_table(entry):
                slot = slot.lookup(entry, addr)
                continue
            if not entry.present:
                return None
        entry = format.decode(await HardwareLeaf(slot, addr, write), slot.level)
        if not entry.present or is_table(entry) or (write and not entry.writable):
            return None
        return mm.machine.frame_at(entry.address or 0)


async def touch_twice(mm: Mm, addr: int, *, write: bool = True) -> bool:
    """Two touches of one address: the second may use what the first left in the TLB."""
    await touch(mm, addr, write=write)
    return await touch(mm, addr, write=write)
