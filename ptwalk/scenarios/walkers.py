"""Who walks: the walkers of the matrix, each as one function of an address space and an address.

Room: scenarios.  Most walk another process's address space, as a monitor does; `own` marks those that only make sense
on the CPU's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ptwalk.actors.fault import page_fault
from ptwalk.actors.khugepaged import collapse_huge_page
from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.actors.mremap import mremap
from ptwalk.actors.user import touch_twice
from ptwalk.kernel.config import KernelConfig
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.pgtable import is_table, lock_of_table, mm_find_pmd, offset_lockless
from ptwalk.kernel.vma import find_vma
from ptwalk.kernel.vma_lock import lock_vma_under_rcu, vma_end_read, vma_start_write
from ptwalk.machine.folio import PutPage, UsePage
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.processor import rcu_read_lock, rcu_read_unlock
from ptwalk.scenarios.ground import cached_page, elsewhere, page_at, vma_at
from ptwalk.walk import broken, damon, gup_fast, readers
from ptwalk.walk.follow import follow_invalidate_pte, unfollow
from ptwalk.walk.pagewalk import MmWalk, MmWalkOps, walk_page_range
from ptwalk.walk.rmap import folio_referenced

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.entries import EntryPointer
    from ptwalk.machine.frames import Frame

Walk = Callable[["Mm", int], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Walker:
    """A walker of the matrix: `walk(mm, addr)`, on the CPU's `own` address space or on another one's.

    `exists(config)` says whether a kernel has it; `user` is true for a program, which needs a TLB.
    """

    name: str
    story: str
    walk: Walk
    own: bool = False
    user: bool = False
    exists: Callable[[KernelConfig], bool] = lambda config: True


async def ptl_only(mm: Mm, addr: int) -> None:
    """DAMON v34's way, with the pte_offset_map_lock of the kernel it runs on: the page-table lock alone."""
    followed = await follow_invalidate_pte(mm, addr)
    if followed is not None:
        await damon.damon_ptep_mkold(mm, followed.entry)
        await unfollow(mm, followed)


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


async def vma_lock(mm: Mm, addr: int) -> None:
    """The VMA's own lock for reading and no mmap_lock (6.4 and later)."""
    vma = await lock_vma_under_rcu(mm, addr)
    if vma is not None:
        await broken.read_pte(mm, addr)
        await vma_end_read(vma)


async def recheck_only(mm: Mm, addr: int) -> None:
    """RCU, the page-table lock, the pmd compared again, and then a store; no lock that keeps the VMA.

    *Locking*: RCU and the page-table lock.
    """
    await rcu_read_lock(mm.machine)
    pmd = await mm_find_pmd(mm, addr)
    entry = await pmd.read() if pmd is not None else None
    if pmd is not None and entry is not None and is_table(entry):
        ptl = lock_of_table(mm, mm.machine.table_frame(entry))
        await spin_lock(ptl)
        if (await pmd.read()).raw == entry.raw:
            await offset_lockless(pmd, entry, addr).test_and_clear_young()
        await spin_unlock(ptl)
    await rcu_read_unlock(mm.machine)


async def pagemap_hole(mm: Mm, addr: int) -> None:
    """A read-locked walk with a pte_hole callback, as pagemap has one."""
    await readers.walk_hole(mm, addr, addr + mm.format.page_size)


async def ptdump(mm: Mm, addr: int) -> None:
    """A dump of the tables whatever the VMAs are, with the lock of that kernel."""
    await readers.ptdump(mm, addr, addr + mm.format.page_size)


async def reverse_map(mm: Mm, addr: int) -> None:
    """From the page's side: the reverse map's lock and no lock of the mm; counts accessed bits.

    *Locking*: i_mmap_rwsem or anon_vma for reading.
    """
    vma, page = vma_at(mm, addr), page_at(mm, addr) or cached_page(mm)
    if vma is not None and page is not None:
        await folio_referenced(vma.rmap_trees[0], page, addr - vma.start + vma.pgoff)


async def program(mm: Mm, addr: int) -> None:
    """A program that writes to the address twice, the second time perhaps through its TLB."""
    await touch_twice(mm, addr)


@allocates
async def fault(mm: Mm, addr: int) -> None:
    """A page fault at the address; a file's page comes from the page cache, if it has one there."""
    vma, page = vma_at(mm, addr), page_at(mm, addr)
    if vma is None or vma.file is None or page is not None:
        await page_fault(mm, addr, page=page if vma is not None and vma.file is not None else None)


async def dontneed(mm: Mm, addr: int) -> None:
    """MADV_DONTNEED of the page at the address."""
    await madvise_dontneed(mm, addr, addr + mm.format.page_size)


@allocates
async def khugepaged(mm: Mm, addr: int) -> None:
    """khugepaged, which drops mmap_lock and comes back."""
    await collapse_huge_page(mm, addr)


@allocates
async def mremap_table(mm: Mm, addr: int) -> None:
    """mremap of 2 MiB, as a whole table where it can.

    *Locking*: mmap_lock for writing.
    """
    await mremap(mm, addr, mm.pmd_level.size, elsewhere(mm, addr))


WALKERS = {
    walker.name: walker
    for walker in (
        Walker("ptl-only", "as DAMON v34: only the page-table lock", ptl_only),
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
        Walker(
            "vma-lock",
            "the VMA's own lock for reading",
            vma_lock,
            True,
            exists=lambda config: config.vma_locks,
        ),
        Walker("recheck-only", "RCU, the page-table lock and a look back at the pmd; stores", recheck_only),
        Walker("pagemap", "a read-locked walk with a callback for holes", pagemap_hole),
        Walker("ptdump", "a walk that ignores VMAs, with the lock of that kernel", ptdump),
        Walker("rmap", "from the page's side, under the reverse map's lock", reverse_map),
        Walker("program", "a program that writes, and its TLB", program, own=True, user=True),
        Walker("fault", "a page fault at the same address", fault, own=True),
        Walker("dontneed", "MADV_DONTNEED of the same page", dontneed, own=True),
        Walker("khugepaged", "a collapse of the same range", khugepaged),
        Walker("mremap", "mremap of the same 2 MiB", mremap_table, own=True),
    )
}
"""Every walker of the matrix by name."""
