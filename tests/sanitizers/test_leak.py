"""Tables and references that nobody can find any more, pages freed while mapped, mappings outside of VMAs."""

from ptwalk.kernel import mm_find_pmd
from ptwalk.kernel.vma import DetachVmas
from ptwalk.machine.folio import GetPageUnlessZero, PutPage, RemoveRmap
from ptwalk.machine.frames import AllocateFrame, FreeFrame
from ptwalk.sanitizers import FreedMapped, Leak, Stray
from ptwalk.scenarios.ground import Ground


async def cut_and_forget(ground: Ground) -> None:
    """Cuts the pte table off and does nothing with it."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await pmd.get_and_clear()
    await PutPage(ground.page)


async def cut_and_free(ground: Ground) -> None:
    """Cuts it off, and gives table and page back."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    old = await pmd.get_and_clear()
    await FreeFrame(ground.mm.machine.table_frame(old))
    await RemoveRmap(ground.page)
    await PutPage(ground.page)


async def allocate_and_forget(ground: Ground) -> None:
    """Allocates a table that is never linked."""
    await AllocateFrame(ground.mm.machine, "pte")


async def pin_and_forget(ground: Ground) -> None:
    """Takes a reference and keeps it."""
    await GetPageUnlessZero(ground.page)


async def pin_and_drop(ground: Ground) -> None:
    """Takes a reference and drops it."""
    await GetPageUnlessZero(ground.page)
    await PutPage(ground.page)


async def put_one_too_many(ground: Ground) -> None:
    """Drops the mapping's own reference, and leaves the mapping."""
    await PutPage(ground.page)


async def detach(ground: Ground) -> None:
    """Takes the VMA away, and leaves the mapping."""
    await DetachVmas(ground.mm, (ground.vma,))


async def nothing(ground: Ground) -> None:
    """Does one harmless thing."""
    await mm_find_pmd(ground.mm, ground.addr)


def test_leaked_tables_are_reported(judged):
    """Cut off and forgotten, or allocated and never linked."""
    assert judged(Leak(), cut_and_forget).report.title == "leaked page table"
    assert judged(Leak(), allocate_and_forget).report.title == "leaked page table"


def test_leaked_references_are_reported(judged):
    """A pin that nobody drops."""
    assert judged(Leak(), pin_and_forget).report.title == "leaked page reference"


async def free_and_count_on(ground: Ground) -> None:
    """Gives table and page back, and leaves the page's mapping count as it was."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    old = await pmd.get_and_clear()
    await FreeFrame(ground.mm.machine.table_frame(old))
    await PutPage(ground.page)


def test_wrong_mapping_counts_are_reported(judged):
    """A page is freed, and still counts a mapping."""
    assert judged(Leak(), free_and_count_on).report.title == "mapping count is wrong"


def test_what_is_given_back_is_no_leak(judged):
    """Freed tables, dropped pins."""
    assert judged(Leak(), cut_and_free).outcome == "safe"
    assert judged(Leak(), pin_and_drop, pin_and_drop).outcome == "safe"


def test_a_page_freed_while_mapped_is_reported(judged):
    """The entry still leads to it at the end."""
    assert judged(FreedMapped(), put_one_too_many).report.title == "data page freed while mapped"
    assert judged(FreedMapped(), pin_and_drop).outcome == "safe"


def test_a_mapping_without_a_vma_is_reported(judged):
    """Nobody's VMA covers it any more."""
    assert judged(Stray(), detach).report.title == "mapping outside of every VMA"
    assert judged(Stray(), nothing).outcome == "safe"
