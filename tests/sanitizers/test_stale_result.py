"""Results that are not true any more when they are used."""

from ptwalk.machine.folio import CopyPage, GetPageUnlessZero, PutPage, TakeFreedPage, UsePage
from ptwalk.sanitizers import StaleResult
from ptwalk.scenarios.ground import Ground


async def use_pinned(ground: Ground) -> None:
    """Pins the page, uses it, drops it."""
    if await GetPageUnlessZero(ground.page):
        await UsePage(ground.page)
        await PutPage(ground.page)


async def use_unpinned(ground: Ground) -> None:
    """Uses the page without a reference."""
    await UsePage(ground.page)


async def free(ground: Ground) -> None:
    """Drops the mapping's reference."""
    await PutPage(ground.page)


async def free_and_reuse(ground: Ground) -> None:
    """Drops it, and the page is handed to somebody else."""
    await PutPage(ground.page)
    await TakeFreedPage(ground.page)


async def copy_away(ground: Ground) -> None:
    """Copies the page away without a look at its references."""
    await CopyPage(ground.page, ground.mm.machine.new_frame("anon", "page"))


def test_using_what_is_gone_is_reported(judged):
    """Freed, or copied away in spite of the pin."""
    assert judged(StaleResult(), use_unpinned, free).outcome == "bug"
    assert judged(StaleResult(), use_pinned, copy_away).outcome == "bug"


def test_using_what_is_pinned_is_right(judged):
    """A pin keeps the page from being freed and handed out."""
    assert judged(StaleResult(), use_pinned, free).outcome == "safe"


def test_a_page_of_somebody_else_is_reported(judged):
    """Pinned after it was handed out again: the pin succeeds, and it is another owner's page."""
    verdict = judged(StaleResult(), use_pinned, free_and_reuse)
    assert verdict.outcome == "bug" and "another owner" in verdict.report.happened
