"""Splitting a huge mapping into small ones, on behalf of whoever needs small ptes.

Room: actors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.huge_memory import split_huge_pmd
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.kernel.pgtable import leaf, mm_find_pmd
from ptwalk.kernel.vma import find_vma

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


async def split_thp(mm: Mm, addr: int) -> None:
    """Splits the huge pmd at `addr`, as mprotect or a partial madvise would.

    *Locking*: mmap_lock for reading; the PMD table's lock inside.
    *Source*: mm/huge_memory.c split_huge_pmd_address, 5.15.
    """
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    if vma is not None and addr in vma:
        pmd = await mm_find_pmd(mm, addr)
        if pmd is not None and leaf(await pmd.read()):
            await split_huge_pmd(mm, pmd, addr)
    await mmap_read_unlock(mm)
