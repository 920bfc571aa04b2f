"""follow_pte and its relatives: from an address to one locked pte.

Room: walk.  *Source*: mm/memory.c, 5.15 (follow_invalidate_pte, follow_pte, follow_pfn), 6.12 (follow_pfnmap_start).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ptwalk.arch import Entry
from ptwalk.kernel.pgtable import is_table, leaf, mm_find_pmd, pmd_lock, pte_offset_map_lock, pte_unmap_unlock
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.locks import SpinLock, spin_unlock

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.kernel.vma import Vma


@dataclass(frozen=True, slots=True)
class Followed:
    """Where an address led: the pte or the huge pmd, and the lock that is held."""

    entry: EntryPointer
    ptl: SpinLock
    huge: bool = False
    old: bool = False


async def follow_invalidate_pte(
    mm: Mm, addr: int, *, huge: bool = True, old: bool = False
) -> Followed | None:
    """The pte of `addr`, or its huge pmd if `huge` allows, with its lock held; None if nothing is mapped.

    `old` takes pte_offset_map_lock as it was in 5.15, on any kernel.

    *Locking*: the caller's mmap_lock for reading, and only VM_IO or VM_PFNMAP mappings: its comment asks for it,
    nothing checks it.  Gives back the page-table lock held.
    *May see*: without the caller's lock, tables that are freed under it.
    *Source*: mm/memory.c follow_invalidate_pte, 5.15.
    """
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None:
        return None
    entry = await pmd.read()
    if leaf(entry):
        if not huge:
            return None
        ptl = await pmd_lock(mm, pmd)
        entry = await pmd.read()
        if leaf(entry):
            return Followed(pmd, ptl, True)
        await spin_unlock(ptl)
    if not is_table(entry):
        return None
    pte, ptl_of_pte = await pte_offset_map_lock(mm, pmd, addr, old=old)
    if pte is None or ptl_of_pte is None:
        return None
    if not (await pte.read()).linux_present:
        await pte_unmap_unlock(mm, ptl_of_pte, old=old)
        return None
    return Followed(pte, ptl_of_pte, old=old)


async def unfollow(mm: Mm, followed: Followed) -> None:
    """Drops the lock that `follow_invalidate_pte` or `follow_pte` gave back."""
    if followed.huge:
        await spin_unlock(followed.ptl)
    else:
        await pte_unmap_unlock(mm, followed.ptl, old=followed.old)


async def follow_pte(mm: Mm, addr: int) -> Followed | None:
    """follow_invalidate_pte for small pages only.

    *Locking*, *May see*: as there.
    """
    return await follow_invalidate_pte(mm, addr, huge=False)


async def follow_pfn(vma: Vma, addr: int) -> int | None:
    """The physical address that a VM_IO or VM_PFNMAP mapping has at `addr`; None for any other VMA.

    *Locking*: mmap_lock for reading.  The number may be stale as soon as it is returned.
    """
    if not vma.flags & {"VM_IO", "VM_PFNMAP"}:
        return None
    followed = await follow_pte(vma.mm, addr)
    if followed is None:
        return None
    entry = await followed.entry.read()
    await unfollow(vma.mm, followed)
    return entry.address


async def follow_pfnmap_start(vma: Vma, addr: int) -> tuple[Followed, Entry] | None:
    """The entry of a VM_IO or VM_PFNMAP mapping with its lock held, until `unfollow`; None for anything else.

    *Locking*: mmap_lock or the file's i_mmap_rwsem.
    *Source*: mm/memory.c follow_pfnmap_start, 6.12.
    """
    if addr not in vma or not vma.flags & {"VM_IO", "VM_PFNMAP"}:
        return None
    followed = await follow_invalidate_pte(vma.mm, addr)
    if followed is None:
        return None
    return followed, await followed.entry.read()
