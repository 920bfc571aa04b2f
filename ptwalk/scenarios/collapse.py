"""Collapse and the reverse-map side: who must hold what when a pte table goes.

Room: scenarios.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ptwalk.actors.collapse_file import retract_page_tables
from ptwalk.actors.mremap import mremap
from ptwalk.kernel.pgtable import is_table, lock_of_table, mm_find_pmd, offset_lockless
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.processor import rcu_read_lock, rcu_read_unlock
from ptwalk.scenarios import walkers
from ptwalk.scenarios.changers import CHANGER, CHANGERS
from ptwalk.scenarios.ground import file_mapping, span
from ptwalk.scenarios.monitor import WITHOUT_WILD
from ptwalk.scenarios.pair import WALKER, pair
from ptwalk.scenarios.scenario import Never, Scenario, Sometimes
from ptwalk.scenarios.stage import Stage
from ptwalk.walk.rmap import folio_referenced

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm

_RMAP = "8d3c106e19e8 (6.1): mm/khugepaged: take the right locks for page table retraction"


async def mkold_after_recheck(mm: Mm, addr: int) -> None:
    """RCU, the ptl, the pmd compared again, and then a store: right only if the remover takes the ptl too.

    *Locking*: RCU and the page-table lock.
    """
    await rcu_read_lock(mm.machine)
    pmd = await mm_find_pmd(mm, addr)
    entry = await pmd.read() if pmd is not None else None
    if pmd is not None and entry is not None and is_table(entry):
        ptl = lock_of_table(mm, mm.machine.table_frame(entry))
        await spin_lock(ptl)
        if (await pmd.read()).raw == entry.raw:
            await offset_lockless(pmd, entry, addr).test_and_clear_young()
        await spin_unlock(ptl)
    await rcu_read_unlock(mm.machine)


def _rmap_walk(changer: str, stage: Stage) -> None:
    ground = CHANGERS[changer].lay_out(stage, ())
    tree = ground.file if ground.file is not None else ground.vma.anon_vma if ground.vma is not None else None
    page = ground.page if ground.page is not None else stage.machine.new_frame("file", "page")
    stage.run(
        WALKER,
        folio_referenced,
        tree,
        page,
        0 if ground.file is not None else ground.vma.pgoff if ground.vma else 0,
    )


def _retract_vs_mremap(stage: Stage) -> None:
    ground = file_mapping(stage, (WALKER,), populate=False)
    mm = ground.mm
    to = ground.addr + 4 * span(mm)
    mm.watch(to)
    mm.initial_table(to, mm.pmd_level.name)
    stage.run(WALKER, mremap, mm, ground.addr, span(mm), to)
    stage.run(CHANGER, retract_page_tables, stage.kernel, ground.file, 0)


def _rmap(changer: str) -> Callable[[Stage], None]:
    return lambda stage: _rmap_walk(changer, stage)


COLLAPSE = (
    pair(
        "collapse-anon-vs-reader",
        walkers.read_peek,
        CHANGERS["collapse-anon"],
        story="a walker in the VMA with mmap_lock for reading: khugepaged needs that lock for writing",
        expect=Never(),
        source="mm/khugepaged.c collapse_huge_page, 5.15",
    ),
    pair(
        "collapse-anon-vs-mkold-after-recheck",
        mkold_after_recheck,
        CHANGERS["collapse-anon"],
        story="RCU, ptl and a look back at the pmd, then a store: khugepaged cuts the table right after the look",
        expect=Sometimes("detached", 2),
        release="5.15.0",
        source="mm/khugepaged.c collapse_huge_page, 5.15",
    ),
    pair(
        "retract-vs-mkold-after-recheck",
        mkold_after_recheck,
        CHANGERS["retract"],
        story="the same walker on 6.6 against retract, which cuts with the ptl held and frees by RCU: right there",
        expect=Never(),
        release="6.6",
        source="1d65b771bc08 (6.6)",
    ),
    Scenario(
        "munmap-vs-rmap",
        "a reverse-map walk with no lock of the mm: munmap takes the VMA off the tree before it frees, and waits",
        _rmap("munmap"),
        Never(),
        source="mm/memory.c free_pgtables, 5.15",
    ),
    Scenario(
        "collapse-anon-vs-rmap",
        "a reverse-map walk of the anon_vma while khugepaged collapses: it holds the anon_vma for writing at the cut",
        _rmap("collapse-anon"),
        Never(),
        source="mm/khugepaged.c collapse_huge_page, 5.15",
    ),
    Scenario(
        "collapse-pte-mapped-vs-rmap",
        "a reverse-map walk while collapse_pte_mapped_thp of 5.15.0 frees the table: it takes no lock of the walker's",
        _rmap("collapse-pte-mapped"),
        Sometimes("lifetime"),
        oracles=WITHOUT_WILD,
        release="5.15.0",
        source=_RMAP,
    ),
    Scenario(
        "collapse-pte-mapped-vs-rmap-fixed",
        "the same on 5.15.85: the collapse takes i_mmap_rwsem for writing",
        _rmap("collapse-pte-mapped"),
        Never(),
        release="5.15.85",
        source=_RMAP,
    ),
    Scenario(
        "retract-vs-rmap",
        "a reverse-map walk while retract of 5.15.0 frees: it holds i_mmap_rwsem for writing",
        _rmap("retract"),
        Never(),
        release="5.15.0",
        source="mm/khugepaged.c retract_page_tables, 5.15.0",
    ),
    Scenario(
        "retract-vs-rmap-now",
        (
            "a reverse-map walk while retract of 6.6 frees under the same lock for reading: the look "
            "back at the pmd saves it"
        ),
        _rmap("retract"),
        Never(),
        release="6.6",
        source="mm/page_vma_mapped.c, 6.6",
    ),
    Scenario(
        "retract-vs-rmap-without-recheck",
        "the same walk without the look back: what would have happened",
        _rmap("retract"),
        Sometimes("lifetime"),
        oracles=WITHOUT_WILD,
        release="6.6",
        axes={"rmap_recheck": False},
        source="mm/page_vma_mapped.c, 6.6",
    ),
    Scenario(
        "retract-vs-mremap",
        "mremap of 6.6 decides to move a whole table, retract takes it away first: page 0 is hung in as a page table",
        _retract_vs_mremap,
        Sometimes("lifetime", 2),
        release="6.6",
        source="CVE-2024-50066 (6fa1066fc5d0)",
    ),
    Scenario(
        "retract-vs-mremap-fixed",
        "the same on 6.14: mremap looks again under the PMD table's lock",
        _retract_vs_mremap,
        Never(),
        release="6.14",
        source="CVE-2024-50066 (6fa1066fc5d0)",
    ),
)
"""Scenarios of collapse and of the reverse-map side."""
