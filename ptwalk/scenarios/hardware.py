"""The hardware as an actor: stale translations, walk caches, flushes that come too late or forget the tables.

Room: scenarios.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ptwalk.actors.driver import take_back
from ptwalk.actors.fault import page_fault
from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.actors.mprotect import mprotect_readonly
from ptwalk.actors.mremap import mremap
from ptwalk.actors.munmap import munmap
from ptwalk.actors.user import touch, touch_twice
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.rmap import address_space
from ptwalk.scenarios.changers import CHANGERS
from ptwalk.scenarios.ground import (
    anonymous,
    elsewhere,
    far_neighbour,
    file_mapping,
    home,
    near_neighbour,
    shared_with_a_child,
    span,
)
from ptwalk.scenarios.scenario import Never, Scenario, Sometimes
from ptwalk.scenarios.stage import Stage
from ptwalk.walk.rmap import try_to_unmap

_LATE = "CVE-2018-18281 (eb66ae030829, 4.19)"
_NESTED = "7a30df49f63a (2019): mm: mmu_gather: remove __tlb_reset_range() for force flush"
_RMAP_LOCKS = "CVE-2022-41222 (97113eb39fa7, 5.14)"
_PFNMAP = "CVE-2022-39188 (b67fbebd4cf9, 5.19): mmu_gather: force tlb-flush VM_PFNMAP vmas"

_PROGRAM = ("program", "changer")
_THREE = ("program", "changer", "reclaim")
_DRIVER = ("program", "changer", "driver")
_GATHERS = ("program", "changer", "second changer")


def _user_vs(changer: str, stage: Stage) -> None:
    ground = CHANGERS[changer].lay_out(stage, ("program",))
    stage.run("program", touch_twice, ground.mm, ground.addr)


def _munmap(stage: Stage) -> None:
    _user_vs("munmap", stage)


def _dontneed(stage: Stage) -> None:
    _user_vs("dontneed", stage)


def _collapse(stage: Stage) -> None:
    _user_vs("collapse-anon", stage)


def _split(stage: Stage) -> None:
    _user_vs("thp-split", stage)


def _mprotect(stage: Stage) -> None:
    ground = anonymous(stage, _PROGRAM)
    stage.run("changer", mprotect_readonly, ground.mm, ground.addr, ground.addr + ground.mm.format.page_size)
    stage.run("program", touch_twice, ground.mm, ground.addr)


async def read_twice(mm: Mm, addr: int) -> None:
    """A program that reads an address twice, the second time perhaps through its TLB."""
    await touch_twice(mm, addr, write=False)


def _copy_on_write(stage: Stage) -> None:
    ground = shared_with_a_child(stage, _PROGRAM)
    stage.run("changer", page_fault, ground.mm, ground.addr)
    stage.run("program", read_twice, ground.mm, ground.addr)


def _reclaim_file(stage: Stage) -> None:
    ground = file_mapping(stage, ("program",))
    assert ground.file is not None
    stage.run("changer", try_to_unmap, ground.file, ground.page, 0)
    stage.run("program", touch_twice, ground.mm, ground.addr)


def _driver(stage: Stage) -> None:
    # A device's memory, mapped without references; its driver takes it back while it is unmapped.
    mm = stage.mm(threads=("program", "changer"))
    addr, size = home(mm), mm.format.page_size
    device, memory = address_space(stage.machine, "the device"), stage.machine.new_frame("device", "page")
    mm.map(addr, addr + size, populate=[addr], pages=[memory], file=device, flags=["VM_PFNMAP", "VM_IO"])
    far_neighbour(mm)
    stage.run("changer", munmap, mm, addr, addr + size)
    stage.run("driver", take_back, device, 0, memory)
    stage.run("program", touch, mm, addr)


def _move_table_and_reclaim(stage: Stage) -> None:
    # One CPU moves a whole pte table, one takes a page out by its reverse map, one uses the old address.
    ground = anonymous(stage, _PROGRAM, whole=True)
    assert ground.vma is not None
    mm, to = ground.mm, elsewhere(ground.mm, ground.addr)
    mm.watch(to)
    stage.run("changer", allocates(mremap), mm, ground.addr, span(mm), to)
    stage.run("reclaim", try_to_unmap, ground.vma.anon_vma, ground.page, 0)
    stage.run("program", touch_twice, mm, ground.addr)


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
        "thp-split-vs-program",
        "a program writes to a huge page while it is split: what hardware sets until the last moment is carried over",
        _split,
        Never(),
        cpus=_PROGRAM,
        user=("program",),
        source="mm/huge_memory.c __split_huge_pmd_locked, 5.15",
    ),
    Scenario(
        "mprotect-vs-program",
        "a program writes to a page while another thread makes it read-only: out, back in without W, one flush",
        _mprotect,
        Never(),
        cpus=_PROGRAM,
        user=("program",),
        source="mm/mprotect.c change_pte_range, 5.15",
    ),
    Scenario(
        "copy-on-write-vs-program",
        "a program reads a page that another thread's write replaces by a copy: cleared, flushed, then set",
        _copy_on_write,
        Never(),
        cpus=_PROGRAM,
        user=("program",),
        source="mm/memory.c wp_page_copy, 5.15",
    ),
    Scenario(
        "page-reclaim-vs-program",
        "a program writes to a file's page while reclaim takes it out: the dirty bit reaches the folio",
        _reclaim_file,
        Never(),
        cpus=_PROGRAM,
        user=("program",),
        source="mm/rmap.c try_to_unmap_one, 5.15",
    ),
    Scenario(
        "munmap-vs-driver",
        "a driver takes back memory that it lent without references: its VMA is gone already, the TLB entry is not",
        _driver,
        Sometimes("stale tlb"),
        cpus=_DRIVER,
        user=("program",),
        release="5.15.0",
        source=_PFNMAP,
    ),
    Scenario(
        "munmap-vs-driver-fixed",
        "the same on 6.1: munmap flushes such a mapping before it takes the VMA off the reverse map",
        _driver,
        Never(),
        cpus=_DRIVER,
        user=("program",),
        source=_PFNMAP,
    ),
    Scenario(
        "mremap-table-vs-reclaim",
        "mremap moves a whole table under the reverse map's locks; reclaim finds the page before or after, flushed",
        _move_table_and_reclaim,
        Never(),
        cpus=_THREE,
        user=("program",),
        source=_RMAP_LOCKS,
    ),
    Scenario(
        "mremap-table-vs-reclaim-unlocked",
        "mremap moves a whole table without those locks, as before 5.14: reclaim walks it in mid-move",
        _move_table_and_reclaim,
        Sometimes("stale tlb"),
        cpus=_THREE,
        user=("program",),
        axes={"move_rmap_locks": "left out"},
        source=_RMAP_LOCKS,
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
