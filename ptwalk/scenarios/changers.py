"""Who changes page tables under a walker: each changer with the initial state it needs.

Room: scenarios.  A changer lays out an address space, puts its own code on the CPU called "changer", and says which
address a walker should walk to.  Any walker can then be put on the other CPU.  The names are those of the matrix and
of `check_walker(against=...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ptwalk.actors.collapse_file import collapse_pte_mapped_thp, retract_page_tables
from ptwalk.actors.exit import exit_mm
from ptwalk.actors.fault import page_fault
from ptwalk.actors.khugepaged import collapse_huge_page
from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.actors.mremap import mremap
from ptwalk.actors.munmap import munmap
from ptwalk.actors.thp_split import split_thp
from ptwalk.actors.user import touch
from ptwalk.kernel.config import KernelConfig
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mm import Mm
from ptwalk.machine.folio import TakeFreedPage
from ptwalk.machine.frames import Frame
from ptwalk.scenarios.ground import Ground, anonymous, elsewhere, file_mapping, near_neighbour, span
from ptwalk.scenarios.stage import Stage
from ptwalk.walk.rmap import try_to_unmap

CHANGER = "changer"
LayOut = Callable[[Stage, Sequence[str]], Ground]


@dataclass(frozen=True, slots=True)
class Changer:
    """One way to change page tables.

    `lay_out(stage, threads)` makes the address space, whose threads run on the CPUs `threads` besides the changer's
    own, and puts the changer's code on its CPU.  `exists(config)` says whether a kernel has it.  `user` is true where
    the changer is a program that needs a TLB.
    """

    name: str
    story: str
    lay_out: LayOut
    exists: Callable[[KernelConfig], bool] = lambda config: True
    user: bool = False
    exits: bool = False


def _page(ground: Ground) -> int:
    return ground.mm.format.page_size


def _munmap(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER))
    stage.run(CHANGER, munmap, ground.mm, ground.addr, ground.addr + _page(ground))
    return ground


def _munmap_everything(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER), alone=True)
    stage.run(CHANGER, munmap, ground.mm, ground.addr, ground.addr + _page(ground))
    return ground


def _munmap_neighbour(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER))
    other = near_neighbour(ground.mm, ground.addr)
    stage.run(CHANGER, munmap, ground.mm, other.start, other.end)
    return ground


def _munmap_last(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER))
    hole = ground.addr + span(ground.mm) // 2
    ground.mm.watch(hole, elsewhere(ground.mm, hole))
    stage.run(CHANGER, munmap, ground.mm, ground.addr, ground.addr + _page(ground))
    return Ground(ground.mm, None, hole, ground.page)


def _munmap_below_stack(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER), flags=())
    start = ground.addr + span(ground.mm)
    ground.mm.map(start, start + _page(ground), flags=("VM_GROWSDOWN",))
    stage.run(CHANGER, munmap, ground.mm, ground.addr, ground.addr + _page(ground))
    return ground


def _exit(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER), alone=True)
    stage.run(CHANGER, exit_mm, ground.mm)
    return ground


def _collapse(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads,), whole=True)
    stage.run(CHANGER, collapse_huge_page, ground.mm, ground.addr)
    return ground


def _retract(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = file_mapping(stage, (*threads,), populate=False)
    stage.run(CHANGER, retract_page_tables, stage.kernel, ground.file, 0)
    return ground


def _collapse_pte_mapped(stage: Stage, threads: Sequence[str]) -> Ground:
    # Read-only, as a program's text is: its pages are never dirty.
    ground = file_mapping(stage, (*threads, CHANGER), write=False)
    assert ground.page is not None
    stage.run(CHANGER, collapse_pte_mapped_thp, ground.mm, ground.addr, ground.page)
    return ground


def _dontneed(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER))
    stage.run(CHANGER, madvise_dontneed, ground.mm, ground.addr, ground.addr + _page(ground))
    return ground


def _reclaim(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER), whole=True)
    stage.run(CHANGER, madvise_dontneed, ground.mm, ground.addr, ground.addr + span(ground.mm))
    return ground


def _move(stage: Stage, threads: Sequence[str], length: int, ground: Ground) -> Ground:
    to = elsewhere(ground.mm, ground.addr)
    stage.run(CHANGER, mremap, ground.mm, ground.addr, length, to)
    return ground


def _mremap_ptes(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER))
    return _move(stage, threads, _page(ground), ground)


def _mremap_table(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER), whole=True)
    return _move(stage, threads, span(ground.mm), ground)


def _split(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER), huge=True)
    stage.run(CHANGER, split_thp, ground.mm, ground.addr)
    return ground


def _fault(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER), populate=False)
    ground.mm.watch(ground.addr)
    ground.mm.initial_table(ground.addr, ground.mm.pmd_level.name)
    stage.run(CHANGER, page_fault, ground.mm, ground.addr)
    return ground


async def _huge_fault(mm: Mm, addr: int) -> None:
    await page_fault(mm, addr, huge=True)


def _fault_huge(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER), populate=False, whole=True)
    ground.mm.watch(ground.addr)
    ground.mm.initial_table(ground.addr, ground.mm.pmd_level.name)
    stage.run(CHANGER, allocates(_huge_fault), ground.mm, ground.addr)
    return ground


def _touch(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER))
    stage.run(CHANGER, touch, ground.mm, ground.addr)
    return ground


async def mremap_and_munmap(mm: Mm, old: int, length: int, new: int) -> None:
    """Moves a mapping, and unmaps it at its new place: the page is freed while old translations may linger."""
    await mremap(mm, old, length, new)
    await munmap(mm, new, new + length)


def _mremap_munmap(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER))
    near_neighbour(ground.mm, ground.addr)  # keeps the old table, so that no flush for its sake helps
    to = elsewhere(ground.mm, ground.addr)
    stage.run(CHANGER, allocates(mremap_and_munmap), ground.mm, ground.addr, _page(ground), to)
    return ground


async def dontneed_and_reuse(mm: Mm, start: int, end: int, page: Frame) -> None:
    """MADV_DONTNEED; the page that it frees is given to somebody else at once."""
    await madvise_dontneed(mm, start, end)
    await TakeFreedPage(page)


def _dontneed_reuse(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER))
    end = ground.addr + _page(ground)
    stage.run(CHANGER, dontneed_and_reuse, ground.mm, ground.addr, end, ground.page)
    return ground


def _page_reclaim(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, threads)
    assert ground.vma is not None
    stage.run(CHANGER, try_to_unmap, ground.vma.anon_vma, ground.page, 0)
    return ground


def _munmap_file(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = file_mapping(stage, (*threads, CHANGER))
    stage.run(CHANGER, munmap, ground.mm, ground.addr, ground.addr + span(ground.mm))
    return ground


def _munmap_half(stage: Stage, threads: Sequence[str]) -> Ground:
    ground = anonymous(stage, (*threads, CHANGER), whole=True)
    half = ground.addr + span(ground.mm) // 2
    stage.run(CHANGER, munmap, ground.mm, half, ground.addr + span(ground.mm))
    return ground


CHANGERS = {
    changer.name: changer
    for changer in (
        Changer("munmap", "munmap of the walked page's own VMA; its pte table goes", _munmap),
        Changer("munmap-everything", "munmap of the last VMA: tables of every level go", _munmap_everything),
        Changer(
            "munmap-neighbour", "munmap of another VMA in the same pte table, which stays", _munmap_neighbour
        ),
        Changer(
            "munmap-last",
            "the walked address is in a hole; munmap of the only VMA in its pte table",
            _munmap_last,
        ),
        Changer("munmap-stack", "munmap below a stack VMA: no downgrade before 6.5", _munmap_below_stack),
        Changer("munmap-half", "munmap of the upper half of a VMA; its pte table stays", _munmap_half),
        Changer("munmap-file", "munmap of a shared file mapping", _munmap_file),
        Changer("exit", "the process exits; the walker holds a user reference of its own", _exit, exits=True),
        Changer("collapse-anon", "khugepaged makes a huge page of the walked range", _collapse),
        Changer("retract", "a file collapse removes the pte tables of everybody who maps the file", _retract),
        Changer(
            "collapse-pte-mapped",
            "a table whose ptes map a huge page is replaced, for this mm",
            _collapse_pte_mapped,
        ),
        Changer("dontneed", "MADV_DONTNEED of the walked page", _dontneed),
        Changer(
            "dontneed-reuse",
            "MADV_DONTNEED of the walked page, which is handed to somebody else at once",
            _dontneed_reuse,
        ),
        Changer(
            "page-reclaim", "memory reclaim takes the walked page away, by its reverse map", _page_reclaim
        ),
        Changer(
            "reclaim",
            "MADV_DONTNEED of 2 MiB frees the empty pte table",
            _reclaim,
            lambda config: config.pt_reclaim,
        ),
        Changer("mremap-ptes", "mremap moves the walked page's pte", _mremap_ptes),
        Changer("mremap-table", "mremap moves the whole pte table to another address", _mremap_table),
        Changer(
            "mremap-munmap", "mremap moves the pte, munmap frees the page at its new place", _mremap_munmap
        ),
        Changer("thp-split", "a huge page is split into small ones", _split),
        Changer("fault", "a page fault installs the first page", _fault),
        Changer("fault-huge", "a page fault installs a huge page", _fault_huge),
        Changer(
            "user-access", "the program writes to the walked page: hardware sets A and D", _touch, user=True
        ),
    )
}
"""Every changer by name."""
