"""follow_pte and page lookups: contracts that nothing checks, and what a pinned page does and does not keep.

Room: scenarios.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.kernel.vma import find_vma
from ptwalk.machine.folio import PutPage, TakeFreedPage, UsePage
from ptwalk.scenarios.changers import CHANGER, CHANGERS
from ptwalk.scenarios.ground import anonymous
from ptwalk.scenarios.monitor import WITHOUT_WILD
from ptwalk.scenarios.pair import WALKER, pair
from ptwalk.scenarios.scenario import Never, Scenario, Sometimes
from ptwalk.scenarios.stage import Stage
from ptwalk.scenarios.walkers import Walk
from ptwalk.walk.damon import damon_get_page
from ptwalk.walk.follow import follow_invalidate_pte, follow_pfn, unfollow

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.frames import Frame

_FOLLOW = (
    "mm/memory.c follow_invalidate_pte, 5.15: its comment asks for VM_IO or VM_PFNMAP, nothing checks it"
)
_LOOKUP = "mm/damon/vaddr.c damon_get_page, 5.15"


async def follow_without_lock(mm: Mm, addr: int) -> None:
    """follow_pte without mmap_lock."""
    followed = await follow_invalidate_pte(mm, addr)
    if followed is not None:
        await followed.entry.read()
        await unfollow(mm, followed)


async def follow_in_vma(mm: Mm, addr: int) -> None:
    """follow_pte as its comment asks: mmap_lock for reading, in a VMA; the result used under the lock only."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            await follow_without_lock(mm, addr)


async def follow_and_use_later(mm: Mm, addr: int) -> None:
    """follow_pte on an ordinary mapping, whose page is used after the page-table lock was dropped."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        followed = await follow_invalidate_pte(mm, addr) if vma is not None and addr in vma else None
        if followed is None:
            return
        entry = await followed.entry.read()
        await unfollow(mm, followed)
        if entry.address is not None and mm.machine.is_page(entry.address):
            await UsePage(mm.machine.frame_at(entry.address))


async def follow_pfn_in_vma(mm: Mm, addr: int) -> None:
    """follow_pfn, which does look at the VMA's flags, and refuses an ordinary one."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            pa = await follow_pfn(vma, addr)
            if pa is not None and mm.machine.is_page(pa):
                await UsePage(mm.machine.frame_at(pa))


async def look_up_and_use(mm: Mm, addr: int) -> None:
    """Takes a reference on an online LRU page under the page-table lock, and uses the page later."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        followed = await follow_invalidate_pte(mm, addr) if vma is not None and addr in vma else None
        if followed is None:
            return
        entry = await followed.entry.read()
        got = await damon_get_page(mm, entry)
        await unfollow(mm, followed)
    if got:
        page = mm.machine.frame_at(entry.address or 0)
        await UsePage(page)
        await PutPage(page)


async def look_up_and_return_to_table(mm: Mm, addr: int) -> None:
    """Takes a reference on the page, and trusts that this also keeps the table its entry is in."""
    followed = None
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            followed = await follow_invalidate_pte(mm, addr)
        got = False
        if followed is not None:
            entry = await followed.entry.read()
            got = await damon_get_page(mm, entry)
            await unfollow(mm, followed)
    if followed is not None and got:
        await followed.entry.read()
        await PutPage(mm.machine.frame_at(entry.address or 0))


async def dontneed_and_reuse(mm: Mm, start: int, end: int, page: Frame) -> None:
    """MADV_DONTNEED; the page that it frees is given to somebody else at once."""
    await madvise_dontneed(mm, start, end)
    await TakeFreedPage(page)


def _dontneed_vs(walk: Walk, stage: Stage) -> None:
    ground = anonymous(stage, (CHANGER,))
    size = ground.mm.format.page_size
    stage.run(CHANGER, dontneed_and_reuse, ground.mm, ground.addr, ground.addr + size, ground.page)
    stage.run(WALKER, walk, ground.mm, ground.addr)


FOLLOW = (
    pair(
        "munmap-vs-follow-pte",
        follow_without_lock,
        CHANGERS["munmap"],
        story="follow_pte without mmap_lock: it never looks at a VMA, and the table goes",
        expect=Sometimes("lifetime", 2),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source=_FOLLOW,
    ),
    pair(
        "munmap-vs-follow-pte-locked",
        follow_in_vma,
        CHANGERS["munmap"],
        story="follow_pte with mmap_lock for reading in a VMA, its result used under the page-table lock only",
        expect=Never(),
        release="5.15.0",
        source=_FOLLOW,
    ),
    Scenario(
        "dontneed-vs-follow-pte-ordinary",
        (
            "follow_pte on a mapping that is neither VM_IO nor VM_PFNMAP: no reference, so the page "
            "is freed before it is used"
        ),
        lambda stage: _dontneed_vs(follow_and_use_later, stage),
        Sometimes("stale result"),
        release="5.15.0",
        source=_FOLLOW,
    ),
    Scenario(
        "dontneed-vs-follow-pfn-ordinary",
        "follow_pfn on the same mapping: it looks at the flags and refuses",
        lambda stage: _dontneed_vs(follow_pfn_in_vma, stage),
        Never(),
        release="5.15.0",
        source="mm/memory.c follow_pfn, 5.15",
    ),
    Scenario(
        "dontneed-vs-page-lookup",
        "a lookup that takes only online LRU pages and pins them: the page stays the page until the pin is dropped",
        lambda stage: _dontneed_vs(look_up_and_use, stage),
        Never(),
        release="5.15.0",
        source=_LOOKUP,
    ),
    pair(
        "munmap-vs-page-lookup",
        look_up_and_return_to_table,
        CHANGERS["munmap"],
        story="the same pin does not keep the page table: going back to the entry is a use after free",
        expect=Sometimes("lifetime", 2),
        release="5.15.0",
        source=_LOOKUP,
    ),
)
"""Scenarios of follow_pte and of page lookups."""
