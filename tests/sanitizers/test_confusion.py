"""Leaves followed as tables, tables taken for pages."""

from ptwalk.kernel import mm_find_pmd, offset_lockless
from ptwalk.machine.folio import GetPageUnlessZero
from ptwalk.sanitizers import Confusion
from ptwalk.scenarios.ground import Ground


async def follow_blindly(ground: Ground) -> None:
    """Goes down a level without asking what the pmd is."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await offset_lockless(pmd, await pmd.read(), ground.addr).read()


async def pin_blindly(ground: Ground) -> None:
    """Takes a reference on whatever the pmd names."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    entry = await pmd.read()
    await GetPageUnlessZero(ground.mm.machine.frame_at(entry.address))


def test_a_huge_page_followed_as_a_table_is_reported(judged):
    """The data of a huge page is read as page-table entries."""
    verdict = judged(Confusion(), follow_blindly, huge=True)
    assert verdict.outcome == "bug" and "leaf taken for a table" in verdict.report.title


def test_a_table_pinned_as_a_page_is_reported(judged):
    """A reference on a page table is a mistake of the same kind."""
    verdict = judged(Confusion(), pin_blindly)
    assert verdict.outcome == "bug" and "table taken for a leaf" in verdict.report.title


def test_each_taken_for_what_it_is(judged):
    """A table that is followed and a huge page that is pinned are right."""
    assert judged(Confusion(), follow_blindly).outcome == "safe"
    assert judged(Confusion(), pin_blindly, huge=True).outcome == "safe"
