"""Memory freed while a TLB or a walk cache still leads to it."""

from ptwalk.actors.user import touch, touch_twice
from ptwalk.kernel import flush_tlb_mm_range, mm_find_pmd
from ptwalk.machine.folio import PutPage
from ptwalk.machine.frames import FreeFrame
from ptwalk.sanitizers import StaleTlb
from ptwalk.scenarios.ground import Ground


async def write(ground: Ground) -> None:
    """A program writes to the page."""
    await touch(ground.mm, ground.addr)


async def write_twice(ground: Ground) -> None:
    """A program writes twice."""
    await touch_twice(ground.mm, ground.addr)


async def _unmap(ground: Ground, *, flush: bool) -> None:
    mm = ground.mm
    pmd = await mm_find_pmd(mm, ground.addr)
    await pmd.lookup(await pmd.read(), ground.addr).get_and_clear()
    if flush:
        await flush_tlb_mm_range(mm, ground.addr, ground.addr + mm.format.page_size)
    await PutPage(ground.page)


async def unmap_without_flush(ground: Ground) -> None:
    """Clears the entry and frees the page."""
    await _unmap(ground, flush=False)


async def unmap_with_flush(ground: Ground) -> None:
    """Clears the entry, flushes, frees the page."""
    await _unmap(ground, flush=True)


async def free_table_without_flush(ground: Ground) -> None:
    """Cuts the pte table off and frees it without a flush."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    old = await pmd.get_and_clear()
    await FreeFrame(ground.mm.machine.table_frame(old))


def test_a_page_freed_before_the_flush_is_reported(judged):
    """Somebody's TLB still maps it."""
    verdict = judged(StaleTlb(), write_twice, unmap_without_flush, user=True)
    assert verdict.outcome == "bug" and "TLB" in verdict.report.title


def test_a_table_freed_before_the_flush_is_reported(judged):
    """Somebody's paging-structure cache still names it."""
    verdict = judged(StaleTlb(), write, free_table_without_flush, user=True)
    assert verdict.outcome == "bug" and "walk cache" in verdict.report.title


def test_flush_first_and_nothing_is_stale(judged):
    """The flush waits for the access under way, and the next one faults."""
    assert judged(StaleTlb(), write_twice, unmap_with_flush, user=True).outcome == "safe"
    assert judged(StaleTlb(), write_twice, unmap_with_flush, user=True, arch="arm64").outcome == "safe"


async def write_protects(ground: Ground) -> None:
    """Takes the right to write from the entry, and flushes nobody."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await pmd.lookup(await pmd.read(), ground.addr).update("wrprotect")


async def forgets_the_accessed_bit(ground: Ground) -> None:
    """Clears A without a flush, as Linux does."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await pmd.lookup(await pmd.read(), ground.addr).test_and_clear_young()


def test_what_is_left_in_a_tlb_at_the_end_is_reported(judged):
    """A right that the entry does not give any more; an accessed bit that it lost is no fault."""
    verdict = judged(StaleTlb(), write, write_protects, user=True)
    assert verdict.outcome == "bug" and verdict.report.title == "translation left in a TLB"
    assert judged(StaleTlb(), write, forgets_the_accessed_bit, user=True).outcome == "safe"
