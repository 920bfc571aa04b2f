"""Changes above the lowest tables: huge puds that come and go, and tables freed below a VMA that can be found.

Room: scenarios.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.actors.fault import device_fault
from ptwalk.actors.munmap import munmap
from ptwalk.actors.stack import stack_fault
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.scenarios.changers import CHANGER
from ptwalk.scenarios.ground import anonymous, home, span
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.scenario import Never, Scenario, Sometimes
from ptwalk.scenarios.stage import Stage
from ptwalk.walk.pagewalk import MmWalk, MmWalkOps, walk_page_range

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.entries import EntryPointer


async def _walk_it_all(addr: int, end: int, walk: MmWalk) -> int:
    return 0  # also what the walker would skip as VM_PFNMAP


async def _look(slot: EntryPointer, addr: int, end: int, walk: MmWalk) -> int:
    await slot.read()
    return 0


async def numa_maps(mm: Mm, addr: int) -> None:
    """A read-only walk of everything that is mapped, by a pmd callback, as /proc/PID/numa_maps does.

    *Locking*: mmap_lock for reading.
    """
    await mmap_read_lock(mm)
    await walk_page_range(
        mm, addr, addr + mm.format.page_size, MmWalkOps(pmd_entry=_look, test_walk=_walk_it_all)
    )
    await mmap_read_unlock(mm)


def _device(stage: Stage) -> None:
    # The driver's fault comes while the walker has just split, and so cleared, the huge pud.
    mm = stage.mm(threads=(CHANGER,))
    pud = mm.format.level("pud")
    addr = home(mm) & -pud.size
    mm.map(addr, addr + pud.size, flags=["VM_PFNMAP"])
    memory = stage.machine.new_frame("device", "page", huge=True)
    mm.initial_table(addr, "pud").contents[mm.format.index(addr, pud)] = mm.format.make_leaf(
        memory.pa, pud, write=True, dirty=True
    )
    stage.run(WALKER, numa_maps, mm, addr)
    stage.run(CHANGER, device_fault, mm, addr, memory)


def _stack(stage: Stage) -> None:
    # The stack begins where the next pte table does, and grows down into the one that munmap empties.
    ground = anonymous(stage, ("program", CHANGER))
    mm, size = ground.mm, ground.mm.format.page_size
    stack = ground.addr + span(mm)
    mm.map(stack, stack + size, flags=["VM_GROWSDOWN"])
    mm.watch(ground.addr + 2 * size)
    stage.stock("program")
    stage.run("program", stack_fault, mm, ground.addr + 2 * size)
    stage.run(CHANGER, munmap, mm, ground.addr, ground.addr + size)


_PUD = "CVE-2026-31456, 9b25a6e3d243 (7.0-rc)"
_STACK = "CVE-2020-29369, 246c320a8cfe (5.8-rc7)"

UPPER = (
    Scenario(
        "refault-pud-vs-numa-maps",
        "the page walker splits a huge pud, a driver's fault maps it anew, and the walker takes it for a table",
        _device,
        Sometimes("confusion", 2),
        source=_PUD,
    ),
    Scenario(
        "refault-pud-vs-numa-maps-fixed",
        "the same on 7.1: the walker loads the pud once more, and goes on only below a table",
        _device,
        Never(),
        release="7.1",
        source=_PUD,
    ),
    Scenario(
        "munmap-vs-stack-growth",
        "a stack grows, under mmap_lock for reading, into the range below it that munmap frees: no downgrade there",
        _stack,
        Never(),
        cpus=("program", CHANGER),
        release="5.15.0",
        source=_STACK,
    ),
    Scenario(
        "munmap-vs-stack-growth-downgraded",
        "the same as before 5.8, when munmap downgraded below a stack too: the stack grows above a table that is freed",
        _stack,
        Sometimes("reachable", 2),
        cpus=("program", CHANGER),
        release="5.15.0",
        axes={"downgrade": "whenever asked"},
        source=_STACK,
    ),
    Scenario(
        "munmap-vs-stack-growth-now",
        "the same on 6.6: munmap downgrades always, and stacks grow under mmap_lock for writing only",
        _stack,
        Never(),
        cpus=("program", CHANGER),
        release="6.6",
        source="8d7071af8907, e4bd84c069f2 (6.5)",
    ),
)
"""Scenarios of upper tables."""
