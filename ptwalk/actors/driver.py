"""A driver that takes back the memory it has lent to programs by a VM_PFNMAP mapping.

Room: actors.  Nobody counts references on such pages: they are the driver's, who has to see that no entry and no TLB
leads to them before they are used for something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.actors.madvise import zap_page_range_single
from ptwalk.kernel.rmap import RmapTree, RmapVmas
from ptwalk.machine.folio import PutPage
from ptwalk.machine.rwsem import down_read, up_read

if TYPE_CHECKING:
    from ptwalk.machine.frames import Frame


async def take_back(mapping: RmapTree, pgoff: int, page: Frame) -> None:
    """Unmaps one page of the device's file wherever it is mapped, and frees it.

    *Locking*: i_mmap_rwsem for reading.
    *May see*: a VMA that munmap has taken off the tree: then there is nothing left to unmap, as it seems.
    *Source*: CVE-2022-39188, b67fbebd4cf9 (5.19-rc8).
    """
    await unmap_mapping_range(mapping, pgoff)
    await PutPage(page)


async def unmap_mapping_range(mapping: RmapTree, pgoff: int) -> None:
    """Zaps the page at offset `pgoff` of a file in every VMA that maps it, and flushes.

    *Locking*: takes i_mmap_rwsem for reading.
    *Source*: mm/memory.c unmap_mapping_range, 5.15.
    """
    await down_read(mapping.rwsem)
    for vma in await RmapVmas(mapping):
        addr = vma.start + pgoff - vma.pgoff
        if addr in vma:
            await zap_page_range_single(vma, addr, addr + vma.mm.format.page_size)
    await up_read(mapping.rwsem)
