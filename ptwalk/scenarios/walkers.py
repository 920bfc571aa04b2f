"""Who walks: the walkers of the matrix, each as one function of an address space and an address.

Room: scenarios.  Most walk another process's address space, as a monitor does; `own` marks those that only make sense
on the CPU's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ptwalk.kernel.vma import find_vma
from ptwalk.kernel.vma_lock import vma_start_write
from ptwalk.machine.folio import PutPage, UsePage
from ptwalk.walk import broken, damon, gup_fast
from ptwalk.walk.pagewalk import MmWalk, MmWalkOps, walk_page_range

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.entries import EntryPointer
    from ptwalk.machine.frames import Frame

Walk = Callable[["Mm", int], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Walker:
    """A walker of the matrix: `walk(mm, addr)`, on the CPU's `own` address space or on another one's."""

    name: str
    story: str
    walk: Walk
    own: bool = False


async def ptl_only(mm: Mm, addr: int) -> None:
    """DAMON v34: the page-table lock alone."""
    await damon.damon_va_mkold_v34(mm, addr)


async def read_walk(mm: Mm, addr: int) -> None:
    """The page walker in a VMA, mmap_lock for reading, ptes under their lock."""

    async def pte_entry(pte: EntryPointer, at: int, upto: int, walk: MmWalk) -> int:
        await pte.read()
        return 0

    async with mm.mmap_lock.read():
        await walk_page_range(mm, addr, addr + mm.format.page_size, MmWalkOps(pte_entry=pte_entry))


async def read_peek(mm: Mm, addr: int) -> None:
    """mmap_lock for reading and the VMA found, as rule (a) has it; the pte read without its lock."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            await broken.peek_pte(mm, addr)


async def hole_walk(mm: Mm, addr: int) -> None:
    """mmap_lock for reading, no VMA looked up."""
    await broken.walk_ignoring_vmas(mm, addr)


async def write_peek(mm: Mm, addr: int) -> None:
    """mmap_lock for writing, VMAs ignored, as rule (b) has it."""
    await broken.peek_write_locked_ignoring_vmas(mm, addr)


async def write_locked_peek(mm: Mm, addr: int) -> None:
    """mmap_lock for writing and the VMA write-locked too."""
    async with mm.mmap_lock.write():
        vma = await find_vma(mm, addr)
        if vma is not None:
            await vma_start_write(vma)
        await broken.peek_pte(mm, addr)


async def write_map_lock(mm: Mm, addr: int) -> None:
    """mmap_lock for writing, VMAs ignored, ptes through pte_offset_map_lock."""
    await broken.walk_write_locked_ignoring_vmas(mm, addr)


async def irqs_off_walk(mm: Mm, addr: int) -> None:
    """Interrupts off throughout, nothing written, as rule (c) has it."""
    await broken.walk_with_irqs_off(mm, addr)


async def rcu_walk(mm: Mm, addr: int) -> None:
    """rcu_read_lock throughout, nothing written."""
    await broken.walk_under_rcu(mm, addr)


async def gup(mm: Mm, addr: int) -> None:
    """GUP-fast, and somebody who uses the page it pinned."""
    await use(mm, await gup_fast.get_user_page_fast(mm, addr))


async def use(mm: Mm, page: Frame | None) -> None:
    """What the caller of a pinning walker does: uses the page, then drops the pin."""
    if page is not None:
        await UsePage(page)
        await PutPage(page)


async def damon_merged(mm: Mm, addr: int) -> None:
    """DAMON as merged."""
    await damon.damon_va_mkold(mm, addr)


WALKERS = {
    walker.name: walker
    for walker in (
        Walker("ptl-only", "DAMON v34: only the page-table lock", ptl_only),
        Walker("read", "the page walker: mmap_lock for reading, in a VMA", read_walk),
        Walker(
            "read-peek",
            "rule (a) to the letter: mmap_lock for reading, in a VMA, ptes read without their lock",
            read_peek,
        ),
        Walker("read-hole", "mmap_lock for reading, VMAs ignored", hole_walk),
        Walker("write-peek", "rule (b) to the letter: mmap_lock for writing, VMAs ignored", write_peek),
        Walker("write-vma-peek", "mmap_lock for writing, and the VMA write-locked", write_locked_peek),
        Walker(
            "write-map-lock",
            "mmap_lock for writing, VMAs ignored, ptes through pte_offset_map_lock",
            write_map_lock,
        ),
        Walker(
            "irqs-off", "rule (c) to the letter: interrupts off, own address space", irqs_off_walk, own=True
        ),
        Walker("irqs-off-foreign", "interrupts off, another process's address space", irqs_off_walk),
        Walker("rcu", "rcu_read_lock, own address space", rcu_walk, own=True),
        Walker("gup-fast", "GUP-fast: interrupts off, pin, look again", gup, own=True),
        Walker("damon", "DAMON as merged: the page walker and a locked pte", damon_merged),
    )
}
"""Every walker of the matrix by name."""
