"""Dirty bits that get lost."""

from ptwalk.actors.user import touch
from ptwalk.kernel import mm_find_pmd
from ptwalk.machine.folio import MarkDirty
from ptwalk.sanitizers import LostDirty
from ptwalk.scenarios.ground import Ground


async def write(ground: Ground) -> None:
    """A program writes to the page."""
    await touch(ground.mm, ground.addr)


async def mkold_in_two_steps(ground: Ground) -> None:
    """A load, then a plain store."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    slot = pmd.lookup(await pmd.read(), ground.addr)
    entry = await slot.read()
    await slot.write(ground.mm.format.mkold(entry.raw, slot.level))


async def mkold_in_one(ground: Ground) -> None:
    """One atomic step."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await pmd.lookup(await pmd.read(), ground.addr).test_and_clear_young()


async def take_away(ground: Ground) -> None:
    """Clears the entry and hands the dirty bit on."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    old = await pmd.lookup(await pmd.read(), ground.addr).get_and_clear()
    if old.dirty:
        await MarkDirty(ground.page)


async def take_away_and_forget(ground: Ground) -> None:
    """Clears the entry and forgets the dirty bit."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await pmd.lookup(await pmd.read(), ground.addr).get_and_clear()


def test_a_plain_store_over_a_dirty_bit_is_reported(judged):
    """Hardware set D between the load and the store."""
    verdict = judged(LostDirty(), mkold_in_two_steps, write, user=True)
    assert verdict.outcome == "bug" and verdict.report.title == "lost dirty bit"


def test_a_forgotten_dirty_bit_is_reported_at_the_end(judged):
    """The page was written, and neither an entry nor the folio knows."""
    verdict = judged(LostDirty(), take_away_and_forget, write, user=True)
    assert verdict.outcome == "bug" and verdict.report.cpu == -1


def test_one_step_loses_nothing(judged):
    """An atomic clear, and an exchange whose dirty bit is handed on."""
    assert judged(LostDirty(), mkold_in_one, write, user=True).outcome == "safe"
    assert judged(LostDirty(), take_away, write, user=True).outcome == "safe"
