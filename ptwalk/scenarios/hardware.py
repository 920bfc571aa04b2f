"""The hardware as an actor: stale translations, walk caches, flushes that come too late or forget the tables.

Room: scenarios.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.actors.mremap import mremap
from ptwalk.actors.munmap import munmap
from ptwalk.actors.user import touch, touch_twice
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mm import Mm
from ptwalk.scenarios.changers import CHANGERS
from ptwalk.scenarios.ground import anonymous, near_neighbour
from ptwalk.scenarios.scenario import Never, Scenario, Sometimes
from ptwalk.scenarios.stage import Stage
from ptwalk.walk.rmap import try_to_unmap

_LATE = "CVE-2018-18281 (eb66ae030829, 4.19)"
_NESTED = "7a30df49f63a (2019): mm: mmu_gather: remove __tlb_reset_range() for force flush"


def _user_vs(changer: str, stage: Stage) -> None:
    ground = CHANGERS[changer].lay_out(stage, ("program",))
    stage.run("program", touch_twice, ground.mm, ground.addr)


def _munmap(stage: Stage) -> None:
    _user_vs("munmap", stage)


def _dontneed(stage: Stage) -> None:
    _user_vs("dontneed", stage)


def _collapse(stage: Stage) -> None:
    _user_vs("collapse-anon", stage)


async def mremap_flushing_late(mm: Mm, old: int, length: int, new: int) -> None:
    """mremap as before 4.19: it flushes after the page-table locks were dropped."""
    await mremap(mm, old, length, new, flush_late=True)


def _move_and_reclaim(mover: Callable[..., Awaitable[None]], stage: Stage) -> None:
    # One CPU moves the page's pte, one takes the page out by its reverse map, one uses the old address.
    ground = anonymous(stage, ("program", "changer"))
    assert ground.vma is not None
    mm, size = ground.mm, ground.mm.format.page_size
    to = ground.addr + near(ground.mm)
    mm.watch(to)
    stage.run("changer", allocates(mover), mm, ground.addr, size, to)
    stage.run("reclaim", try_to_unmap, ground.vma.anon_vma, ground.page, 0)
    stage.run("program", touch_twice, mm, ground.addr)


def near(mm: Mm) -> int:
    """How far the page is moved: beyond the VMA, into a table of its own."""
    return 4 * mm.pmd_level.size


def _two_gathers(stage: Stage) -> None:
    # munmap frees a pte table while MADV_DONTNEED of another VMA has a gather under way; a program walks.
    ground = anonymous(stage, ("program", "changer", "second changer"))
    other = near_neighbour(ground.mm, ground.addr + 4 * ground.mm.pmd_level.size, flags=("VM_READ",))
    stage.run("changer", munmap, ground.mm, ground.addr, ground.addr + ground.mm.format.page_size)
    stage.run("second changer", madvise_dontneed, ground.mm, other.start, other.end)
    stage.run("program", touch, ground.mm, ground.addr)


_PROGRAM = ("program", "changer")
_THREE = ("program", "changer", "reclaim")
_GATHERS = ("program", "changer", "second changer")

HARDWARE = (
    Scenario(
        "munmap-vs-program",
        "a program writes to a page while another thread unmaps it: flush before free keeps its TLB honest",
        _munmap,
        Never(),
        cpus=_PROGRAM,
        user=("program",),
        source="mm/mmu_gather.c, 5.15",
    ),
    Scenario(
        "munmap-vs-program-arm64",
        "the same with broadcast flushes and tables freed by RCU",
        _munmap,
        Never(),
        cpus=_PROGRAM,
        user=("program",),
        arch="arm64",
        source="mm/mmu_gather.c, 5.15",
    ),
    Scenario(
        "dontneed-vs-program",
        "a program writes to a page while another thread throws it away with MADV_DONTNEED",
        _dontneed,
        Never(),
        cpus=_PROGRAM,
        user=("program",),
        source="mm/madvise.c, 5.15",
    ),
    Scenario(
        "collapse-anon-vs-program",
        "a program writes to a page while khugepaged copies it into a huge one",
        _collapse,
        Never(),
        cpus=_PROGRAM,
        user=("program",),
        source="mm/khugepaged.c collapse_huge_page, 5.15",
    ),
    Scenario(
        "mremap-late-flush-vs-reclaim",
        "mremap flushes after it dropped the locks; reclaim frees the page at its new address meanwhile",
        lambda stage: _move_and_reclaim(mremap_flushing_late, stage),
        Sometimes("stale tlb"),
        cpus=_THREE,
        user=("program",),
        source=_LATE,
    ),
    Scenario(
        "mremap-vs-reclaim",
        "mremap flushes before it drops the locks: reclaim finds the page only when no TLB has its old address",
        lambda stage: _move_and_reclaim(mremap, stage),
        Never(),
        cpus=_THREE,
        user=("program",),
        source=_LATE,
    ),
    Scenario(
        "munmap-vs-nested-gather",
        "two gathers on one mm, and the forced flush forgets that tables were freed: a walk cache keeps one",
        _two_gathers,
        Sometimes("stale tlb"),
        cpus=_GATHERS,
        user=("program",),
        arch="arm64",
        axes={"nested_flush": "forgets freed tables"},
        source=_NESTED,
    ),
    Scenario(
        "munmap-vs-nested-gather-fixed",
        "two gathers on one mm, and the forced flush covers the whole mm and its tables",
        _two_gathers,
        Never(),
        cpus=_GATHERS,
        user=("program",),
        arch="arm64",
        source=_NESTED,
    ),
)
"""Scenarios with a program and its TLB."""
