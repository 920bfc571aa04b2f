"""Two who change page tables at once, and walks under a VMA's own lock.

Room: scenarios.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.actors.collapse_file import retract_page_tables
from ptwalk.actors.fault import page_fault
from ptwalk.actors.khugepaged import collapse_huge_page
from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.actors.munmap import munmap
from ptwalk.actors.user import touch
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.vma_lock import lock_vma_under_rcu, vma_end_read
from ptwalk.scenarios.changers import CHANGER, CHANGERS
from ptwalk.scenarios.ground import file_mapping, shared_with_a_child, span
from ptwalk.scenarios.pair import WALKER, pair
from ptwalk.scenarios.scenario import Never, Scenario
from ptwalk.scenarios.stage import Stage
from ptwalk.walk.broken import read_pte

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


async def dontneed(mm: Mm, addr: int) -> None:
    """MADV_DONTNEED of the page."""
    await madvise_dontneed(mm, addr, addr + mm.format.page_size)


@allocates
async def fault(mm: Mm, addr: int) -> None:
    """A page fault at the address."""
    await page_fault(mm, addr)


@allocates
async def collapse(mm: Mm, addr: int) -> None:
    """khugepaged, which drops mmap_lock and comes back."""
    await collapse_huge_page(mm, addr)


async def unmap_half(mm: Mm, addr: int) -> None:
    """munmap of the upper half of the 2 MiB at the address: the pte table stays."""
    await munmap(mm, addr + span(mm) // 2, addr + span(mm))


async def walk_under_vma_lock(mm: Mm, addr: int) -> None:
    """A walk with the VMA's own lock for reading and no mmap_lock (6.4 and later).

    *Locking*: the VMA's lock for reading.
    """
    vma = await lock_vma_under_rcu(mm, addr)
    if vma is not None:
        await read_pte(mm, addr)
        await vma_end_read(vma)


def _munmap_file(stage: Stage) -> None:
    ground = file_mapping(stage, ("program", CHANGER))
    mm = ground.mm
    stage.run(CHANGER, munmap, mm, ground.addr, ground.addr + span(mm))
    stage.run("program", touch, mm, ground.addr)


def _retract(stage: Stage) -> None:
    ground = file_mapping(stage, (CHANGER,), populate=False)
    stage.run(CHANGER, munmap, ground.mm, ground.addr, ground.addr + span(ground.mm))
    stage.run("collapse", retract_page_tables, stage.kernel, ground.file, 0)


def _copy_on_write(stage: Stage) -> None:
    ground = shared_with_a_child(stage, (WALKER, CHANGER))
    stage.run(WALKER, fault, ground.mm, ground.addr)
    stage.run(CHANGER, dontneed, ground.mm, ground.addr)


def _two_faults(stage: Stage) -> None:
    ground = CHANGERS["fault"].lay_out(stage, (WALKER,))
    stage.run(WALKER, fault, ground.mm, ground.addr)


CHANGES = (
    pair(
        "munmap-vs-dontneed",
        dontneed,
        CHANGERS["munmap"],
        own=True,
        story="MADV_DONTNEED of a page that another thread unmaps",
        source="mm/madvise.c, 5.15",
    ),
    pair(
        "munmap-vs-fault",
        fault,
        CHANGERS["munmap"],
        own=True,
        story="a page fault in a VMA that another thread unmaps: it installs its page before, or finds no VMA",
        source="mm/memory.c, 5.15",
    ),
    pair(
        "munmap-vs-fault-now",
        fault,
        CHANGERS["munmap"],
        own=True,
        story="the same under the VMA's own lock, on 6.6",
        release="6.6",
        source="mm/memory.c lock_vma_under_rcu, 6.4.6",
    ),
    pair(
        "collapse-anon-vs-fault",
        fault,
        CHANGERS["collapse-anon"],
        own=True,
        story="a page fault in the range that khugepaged collapses",
        source="mm/khugepaged.c collapse_huge_page, 5.15",
    ),
    pair(
        "collapse-anon-vs-munmap",
        unmap_half,
        CHANGERS["collapse-anon"],
        own=True,
        story="khugepaged drops mmap_lock for its allocation; half the range is unmapped meanwhile, and it looks again",
        source="mm/khugepaged.c hugepage_vma_revalidate, 5.15",
    ),
    pair(
        "reclaim-vs-fault",
        fault,
        CHANGERS["reclaim"],
        own=True,
        story="a page fault in 2 MiB that MADV_DONTNEED empties, and whose table it frees",
        release="6.14",
        source="mm/memory.c zap_pte_range, 6.14",
    ),
    Scenario(
        "fault-vs-fault",
        "two page faults at one address: both allocate, one installs, the loser gives its table and its page back",
        _two_faults,
        Never(),
        source="mm/memory.c __pte_alloc, do_anonymous_page, 5.15",
    ),
    pair(
        "munmap-vs-vma-lock-walk",
        walk_under_vma_lock,
        CHANGERS["munmap"],
        own=True,
        story="a walk under the VMA's own lock, no mmap_lock: munmap write-locks the VMA before it detaches it",
        release="6.6",
        source="mm/memory.c lock_vma_under_rcu, 6.4.6",
    ),
    Scenario(
        "munmap-file-vs-program",
        "a program writes to a file's page while another thread unmaps it: the dirty bit reaches the folio",
        _munmap_file,
        Never(),
        cpus=("program", CHANGER),
        user=("program",),
        source="mm/memory.c zap_pte_range, 5.15",
    ),
    Scenario(
        "dontneed-vs-copy-on-write",
        "a fault copies a shared page while MADV_DONTNEED throws it away: the pte is compared again under the lock",
        _copy_on_write,
        Never(),
        source="mm/memory.c do_wp_page, wp_page_copy, 5.15",
    ),
    Scenario(
        "munmap-vs-retract",
        "a file collapse cuts a table off in a range that munmap frees: munmap leaves the file's tree first, and waits",
        _retract,
        Never(),
        cpus=("collapse", CHANGER),
        release="6.6",
        source="mm/khugepaged.c retract_page_tables, 6.6.9; mm/memory.c free_pgtables, 6.6.9",
    ),
)
"""Scenarios of two changers."""
