"""Pointers into nowhere: an entry that was none, or no table, was followed."""

from ptwalk.kernel import mm_find_pmd, offset_lockless
from ptwalk.sanitizers import Wild
from ptwalk.scenarios.ground import Ground


async def follow_blindly(ground: Ground) -> None:
    """Follows the pmd whatever it holds."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await offset_lockless(pmd, await pmd.read(), ground.addr).read()


async def clear_pmd(ground: Ground) -> None:
    """Clears the pmd."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await pmd.clear()


async def write_garbage(ground: Ground) -> None:
    """Writes a word that reads as a table entry far outside of memory."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await pmd.write(0x6000_0000_0067)


def test_an_empty_entry_that_is_followed_is_reported(judged):
    """An empty entry names physical page 0; `page_zero=False` looks for other addresses only."""
    verdict = judged(Wild(), follow_blindly, clear_pmd)
    assert verdict.outcome == "bug" and "page 0" in verdict.report.happened
    assert judged(Wild(page_zero=False), follow_blindly, clear_pmd).outcome == "safe"


def test_garbage_that_is_followed_is_reported(judged):
    """A word that looks like a table entry leads to an address where no RAM is."""
    verdict = judged(Wild(page_zero=False), follow_blindly, write_garbage)
    assert verdict.outcome == "bug" and verdict.report.address is not None


def test_a_table_entry_may_be_followed(judged):
    """With nobody else there, following the entry is right."""
    assert judged(Wild(), follow_blindly).outcome == "safe"
