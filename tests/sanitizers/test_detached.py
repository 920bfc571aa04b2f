"""Stores into tables that hang nowhere."""

from ptwalk.kernel import is_table, mm_find_pmd, offset_lockless
from ptwalk.kernel.huge_memory import DepositTable
from ptwalk.sanitizers import Detached
from ptwalk.scenarios.ground import Ground


async def mkold(ground: Ground) -> None:
    """Clears the accessed bit through one loaded pmd value."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    entry = await pmd.read()
    if is_table(entry):
        await offset_lockless(pmd, entry, ground.addr).test_and_clear_young()


async def peek(ground: Ground) -> None:
    """Reads the same entry."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    entry = await pmd.read()
    if is_table(entry):
        await offset_lockless(pmd, entry, ground.addr).read()


async def cut_and_clean(ground: Ground) -> None:
    """Cuts the table off and clears its entry itself."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    old = await pmd.get_and_clear()
    await ground.mm.machine.table_entry(old, ground.addr).clear()


async def cut_and_deposit(ground: Ground) -> None:
    """Cuts the table off and parks it."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    old = await pmd.get_and_clear()
    await DepositTable(ground.mm, ground.addr, ground.mm.machine.table_frame(old))


def test_a_store_into_an_unlinked_table_is_reported(judged):
    """The other CPU's store is reported; the unlinker's own is its right."""
    verdict = judged(Detached(), mkold, cut_and_clean)
    assert verdict.outcome == "bug" and verdict.report.cpu == 0
    assert "UNLINKED" in verdict.report.title
    assert judged(Detached(), cut_and_clean).outcome == "safe"


def test_a_store_into_a_deposited_table_is_possible_too(judged):
    """Whatever the shortest schedule shows, a parked table is nobody's to write."""
    assert judged(Detached(), mkold, cut_and_deposit).outcome == "bug"


def test_reading_is_no_store(judged):
    """A lockless reader may see a table that is cut off."""
    assert judged(Detached(), peek, cut_and_clean).outcome == "safe"
