"""Mappings changed without the lock of their table."""

from ptwalk.kernel import mm_find_pmd, pte_offset_map_lock, pte_unmap_unlock
from ptwalk.sanitizers import Unlocked
from ptwalk.scenarios.ground import Ground


async def zap_locked(ground: Ground) -> None:
    """Clears the pte under the lock."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    pte, ptl = await pte_offset_map_lock(ground.mm, pmd, ground.addr)
    await pte.get_and_clear()
    await pte_unmap_unlock(ground.mm, ptl)


async def zap_unlocked(ground: Ground) -> None:
    """Clears the pte without it."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await pmd.lookup(await pmd.read(), ground.addr).get_and_clear()


def test_a_mapping_changed_without_its_lock_is_reported(judged):
    """One CPU alone is enough for this rule."""
    verdict = judged(Unlocked(), zap_unlocked)
    assert verdict.outcome == "bug" and verdict.switches == 0


def test_under_the_lock_it_is_right(judged):
    """Split locks or one lock for all."""
    assert judged(Unlocked(), zap_locked).outcome == "safe"
    assert judged(Unlocked(), zap_locked, axes={"split_ptlocks": False}).outcome == "safe"
