"""Stores that change another owner's data, and locks taken on trust."""

from ptwalk.kernel import (
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_unlock,
    offset_lockless,
    spin_lock,
    spin_unlock,
)
from ptwalk.machine.frames import FreeFrame, ReuseFrame
from ptwalk.sanitizers import Corruption, Discipline
from ptwalk.scenarios.ground import Ground


async def mkold(ground: Ground) -> None:
    """Clears the accessed bit through one loaded pmd value."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    entry = await pmd.read()
    if entry.address:
        await offset_lockless(pmd, entry, ground.addr).test_and_clear_young()


async def cut_free_and_reuse(ground: Ground) -> None:
    """The table becomes somebody's text."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    table = ground.mm.machine.table_frame(await pmd.get_and_clear())
    await FreeFrame(table)
    await ReuseFrame(table, {ground.mm.format.index(ground.addr, "pte"): 0x65})


async def lock(ground: Ground) -> None:
    """Takes the pte table's lock, with nothing that keeps the table."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    ptl = ground.mm.machine.table_frame(await pmd.read()).lock
    await spin_lock(ptl)
    await spin_unlock(ptl)


async def lock_under_mmap_lock(ground: Ground) -> None:
    """The same under mmap_lock."""
    await mmap_read_lock(ground.mm)
    await lock(ground)
    await mmap_read_unlock(ground.mm)


def test_a_changed_byte_of_somebody_else_is_shown(judged):
    """An e becomes an E: bit 5."""
    verdict = judged(Corruption(), mkold, cut_free_and_reuse)
    assert verdict.outcome == "bug"
    assert "0x65 to 0x45 (bit 5)" in verdict.report.happened


def test_without_a_free_nothing_is_corrupted(judged):
    """The same store into a live table."""
    assert judged(Corruption(), mkold, mkold).outcome == "safe"


def test_a_lock_taken_on_trust_is_told_with_nobody_else_there(judged):
    """The mistake needs no second CPU; mmap_lock mends it."""
    assert judged(Discipline(), lock).report.title == "page-table lock without lifetime"
    assert judged(Discipline(), lock_under_mmap_lock).outcome == "safe"
